"""The model of `numlstm train translate` in usual PyTorch: a script of its own, which times an epoch of training.

    python translate_torch.py FOLDER EPOCHS THREADS

FOLDER holds weights.npz, the weights of a model of numlstm as `get_weights` orders them, and batches.npz, with source,
said and target of each batch. It prints the loss and the seconds of each epoch, as JSON. With one thread, seconds are
those of the processor, which other programs do not lengthen.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

RATE, EPSILON = 4e-3, 1e-12


class Translator(torch.nn.Module):
    """A bidirectional encoder, a decoder that begins with its states, and attention by scalar products (Luong 2015)."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        super().__init__()
        said, source, *recurrent, hidden, hidden_bias, logits, logits_bias = (torch.tensor(each) for each in weights)
        self.source = torch.nn.Embedding.from_pretrained(source, freeze=False)
        self.said = torch.nn.Embedding.from_pretrained(said, freeze=False)
        units = recurrent[1].shape[0]
        self.encoder = torch.nn.LSTM(source.shape[1], units, batch_first=True, bidirectional=True)
        self.decoder = torch.nn.LSTM(said.shape[1], 2 * units, batch_first=True)
        self.hidden = torch.nn.Linear(4 * units, 2 * units)
        self.logits = torch.nn.Linear(2 * units, said.shape[0])
        _set(self.encoder, recurrent[:6])
        _set(self.decoder, recurrent[6:])
        with torch.no_grad():
            for layer, kernel, bias in ((self.hidden, hidden, hidden_bias), (self.logits, logits, logits_bias)):
                layer.weight.copy_(kernel.T)
                layer.bias.copy_(bias)

    def forward(self, source: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        """(N, S) and (N, T) to logits (N, T, V)."""
        there = source > 0
        packed = pack_padded_sequence(self.source(source), there.sum(1), batch_first=True, enforce_sorted=False)
        keys, states = self.encoder(packed)
        keys, _ = pad_packed_sequence(keys, batch_first=True, total_length=source.shape[1])
        begin = [torch.cat((state[0], state[1]), dim=-1)[None] for state in states]
        queries, _ = self.decoder(self.said(said), tuple(begin))
        scores = (queries @ keys.mT).masked_fill(~there[:, None], -torch.inf)
        joined = torch.cat((queries, scores.softmax(-1) @ keys), dim=-1)
        return self.logits(self.hidden(joined).tanh())


def _set(module: torch.nn.LSTM, weights: list[torch.Tensor]) -> None:
    """Copy W, U and b of each direction. The second bias stays 0: numlstm has one."""
    parameters = iter(module.parameters())
    with torch.no_grad():
        for kernel, recurrent, bias in (weights[at : at + 3] for at in range(0, len(weights), 3)):
            for array in (kernel.T, recurrent.T, bias):
                next(parameters).copy_(array)
            next(parameters).zero_().requires_grad_(False)


def train(model: Translator, batches: list[tuple[torch.Tensor, ...]], optimizer: torch.optim.Optimizer) -> float:
    """Train for an epoch, and return the mean loss of its pairs. A batch has the loss of its tokens."""
    total = 0.0
    for source, said, target in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(source, said).flatten(0, 1), target.flatten(), ignore_index=0)
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(source)
    return total / sum(len(source) for source, _, _ in batches)


if __name__ == "__main__":
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(int(sys.argv[3]))
    weights, arrays = (np.load(folder / name) for name in ("weights.npz", "batches.npz"))
    model = Translator([weights[f"arr_{number}"] for number in range(len(weights))])
    tensors = [torch.tensor(arrays[f"arr_{number}"]) for number in range(len(arrays))]
    batches = [tuple(tensors[at : at + 3]) for at in range(0, len(tensors), 3)]
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], RATE, eps=EPSILON)
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    losses, seconds = [], []
    for _ in range(epochs):
        begin = now()
        losses.append(train(model, batches, optimizer))
        seconds.append(now() - begin)
    print(json.dumps({"losses": losses, "seconds": seconds}))
