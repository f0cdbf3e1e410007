"""The language model of `numlstm train generate` in usual PyTorch: a script of its own, which times training and text.

    python generate_torch.py IDS.npy WEIGHTS.npz SYMBOLS STEPS THREADS

IDS.npy holds the symbols of a text, WEIGHTS.npz the weights of a model of numlstm as `get_weights` orders them. It
prints the loss of each step, and the characters a second of training and of text, as JSON. With one thread, seconds are
those of the processor, which other programs do not lengthen.
"""

import json
import sys
import time

import numpy as np
import torch

STREAMS, PIECE, RATE = 32, 64, 1e-3
EPSILON = 1e-12  # Keras and PyTorch add it in different places: it must not matter.


def now() -> float:
    """The seconds of the clock, or with one thread those of the processor."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


class LanguageModel(torch.nn.Module):
    """Embedding, LSTM and Linear."""

    def __init__(self, symbols: int, weights: list[np.ndarray]) -> None:
        super().__init__()
        table, kernel, recurrent, bias, dense, dense_bias = (torch.tensor(each) for each in weights)
        self.embedding = torch.nn.Embedding.from_pretrained(table, freeze=False)
        self.lstm = torch.nn.LSTM(table.shape[1], recurrent.shape[0], batch_first=True)
        self.dense = torch.nn.Linear(recurrent.shape[0], symbols)
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(kernel.T)
            self.lstm.weight_hh_l0.copy_(recurrent.T)
            self.lstm.bias_ih_l0.copy_(bias)
            self.lstm.bias_hh_l0.zero_()
            self.dense.weight.copy_(dense.T)
            self.dense.bias.copy_(dense_bias)
        self.lstm.bias_hh_l0.requires_grad = False  # numlstm has one bias.

    def forward(self, ids, state=None):
        """(B, T) to logits (B, T, symbols), and the state."""
        y, state = self.lstm(self.embedding(ids), state)
        return self.dense(y), state


def train(model: LanguageModel, x: torch.Tensor, y: torch.Tensor) -> tuple[list[float], float]:
    """Take a step for each batch; return the losses, and the seconds of all but the first five steps."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], RATE, eps=EPSILON)
    state, losses, begin = None, [], 0.0
    for step in range(len(x)):
        if step == 5:
            begin = now()
        optimizer.zero_grad()
        logits, state = model(x[step], state)
        state = tuple(part.detach() for part in state)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y[step].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses, now() - begin


@torch.inference_mode()
def write(model: LanguageModel, count: int) -> float:
    """Write the likeliest text, and return the seconds."""
    symbol, state = torch.tensor([[1]]), None
    for step in range(count + 50):
        if step == 50:
            begin = now()
        logits, state = model(symbol, state)
        symbol = logits[:, -1:].argmax(-1)
    return now() - begin


if __name__ == "__main__":
    ids, weights = np.load(sys.argv[1]), np.load(sys.argv[2])
    symbols, steps = int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(int(sys.argv[5]))
    used = STREAMS * steps * PIECE
    rows = [ids[first : first + used].reshape(STREAMS, steps, PIECE).swapaxes(0, 1) for first in (0, 1)]
    x, y = (torch.tensor(np.ascontiguousarray(part)) for part in rows)
    model = LanguageModel(symbols, [weights[f"arr_{number}"] for number in range(6)])
    losses, seconds = train(model, x, y)
    training = STREAMS * (steps - 5) * PIECE / seconds
    print(json.dumps({"losses": losses, "training": training, "text": 500 / write(model, 500)}))
