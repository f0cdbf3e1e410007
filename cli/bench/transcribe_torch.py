"""The transcriber of `numlstm train transcribe` beside the same model in usual PyTorch: the seconds of an epoch.

    python transcribe_torch.py ROUNDS THREADS

Both train on the generated Morse code, without dropout, from equal weights and in equal batches, in processes of their
own and by turns. The losses of the first steps must agree. With one thread, seconds are those of the processor, which
other programs do not lengthen. It prints the seconds of each epoch, and their medians, as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils import rnn

BATCH, STEPS, EPOCHS, RATE = 8, 10, 3, 4e-3
EPSILON = 1e-12  # Keras and PyTorch add it in different places: it must not matter.
AGREEMENT = 1e-3


def write_data(path: Path) -> None:
    """Write the training part as x (N, T, F), lengths (N,), y (N, L) and the initial weights."""
    from numlstm.tasks.transcribe.morse import morse
    from numlstm.tasks.transcribe.network import Transcriber, make_model
    from numlstm.tasks.transcribe.settings import Settings
    from numlstm.tasks.transcribe.train import Split

    settings = Settings()
    recordings = morse(settings.count, settings.seed)
    split = Split.of(recordings, settings)
    model = make_model(settings, len(split.characters), "cpu")
    transcriber, part = (
        Transcriber(model, split.characters, split.scale, settings.stack),
        recordings.part(split.training),
    )
    lengths = np.array([len(frames) // settings.stack for frames in part.frames])
    arrays = {f"w{number}": array for number, array in enumerate(model.get_weights())}
    np.savez(path, x=transcriber.steps(part.frames), y=transcriber.numbers(part.texts), lengths=lengths, **arrays)


class Numlstm:
    """Masking, a bidirectional LSTM and Dense, with `losses.CTC`."""

    def __init__(self, data, weights: list[np.ndarray], threads: int) -> None:
        from numlstm import Sequential, layers, losses, optimizers

        self._x, self._y = data["x"], data["y"]
        lstm = layers.LSTM(weights[1].shape[0], return_sequences=True)
        self._model = Sequential(
            [
                layers.Masking(input_shape=(None, self._x.shape[2])),
                layers.Bidirectional(lstm),
                layers.Dense(len(weights[-1])),
            ]
        )
        self._model.set_weights(weights)
        adam = optimizers.Adam(RATE, epsilon=EPSILON, global_clipnorm=1.0)
        self._model.compile(adam, losses.CTC(zero_infinity=True))

    def fit(self, first: int, last: int) -> float:
        """Train on these recordings in their order, and return the mean loss."""
        x, y = self._x[first:last], self._y[first:last]
        return self._model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0).history["loss"][0]


class PyTorch:
    """A bidirectional LSTM over packed sequences, and Linear, with ctc_loss."""

    def __init__(self, data, weights: list[np.ndarray], threads: int) -> None:
        torch.set_num_threads(threads)
        self._x, self._y, self._lengths = (torch.tensor(data[name]) for name in ("x", "y", "lengths"))
        units, features = weights[1].shape[0], weights[0].shape[0]
        parts = self.make_lstms(features, units)
        self._dense = torch.nn.Linear(2 * units, len(weights[-1]))
        with torch.no_grad():
            for (lstm, suffix), (kernel, recurrent, bias) in zip(parts, (weights[:3], weights[3:6]), strict=True):
                for name, array in (("weight_ih", kernel.T), ("weight_hh", recurrent.T), ("bias_ih", bias)):
                    getattr(lstm, f"{name}_l0{suffix}").copy_(torch.tensor(array))
                second = getattr(lstm, f"bias_hh_l0{suffix}")
                second.zero_()
                second.requires_grad = False  # numlstm has one bias.
            self._dense.weight.copy_(torch.tensor(weights[6].T))
            self._dense.bias.copy_(torch.tensor(weights[7]))
        modules = torch.nn.ModuleList([self._dense, *dict.fromkeys(lstm for lstm, _ in parts)])
        self._trained = [each for each in modules.parameters() if each.requires_grad]
        self._adam = torch.optim.Adam(self._trained, RATE, eps=EPSILON)

    def make_lstms(self, features: int, units: int) -> list[tuple[torch.nn.LSTM, str]]:
        """For each direction the module, and the suffix of its parameters."""
        self._both = torch.nn.LSTM(features, units, batch_first=True, bidirectional=True)
        return [(self._both, ""), (self._both, "_reverse")]

    def read(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(B, T, F) to (B, longest, 2H)."""
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(self._both(packed)[0], batch_first=True)[0]

    def fit(self, first: int, last: int) -> float:
        """As of `Numlstm`."""
        total = 0.0
        for begin in range(first, last, BATCH):
            rows = slice(begin, min(begin + BATCH, last))
            loss = self._step(self._x[rows], self._y[rows], self._lengths[rows])
            total += loss * (rows.stop - rows.start)
        return total / (last - first)

    def _step(self, x: torch.Tensor, y: torch.Tensor, lengths: torch.Tensor) -> float:
        self._adam.zero_grad()
        log_p = torch.nn.functional.log_softmax(self._dense(self.read(x, lengths)), 2).transpose(0, 1)
        sizes = (y >= 0).sum(1)
        loss = torch.nn.functional.ctc_loss(
            log_p, y.clamp(min=0), lengths, sizes, reduction="sum", zero_infinity=True
        ) / len(x)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._adam.step()
        return loss.item()


class Padded(PyTorch):
    """The same without packed sequences, which are slow on the CPU: an LSTM for each direction, rows turned by hand."""

    def make_lstms(self, features: int, units: int) -> list[tuple[torch.nn.LSTM, str]]:
        """As of `PyTorch`."""
        self._each = [torch.nn.LSTM(features, units, batch_first=True) for _ in range(2)]
        return [(lstm, "") for lstm in self._each]

    def read(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """As of `PyTorch`."""
        x, steps, ends = x[:, : int(lengths.max())], torch.arange(int(lengths.max())), lengths[:, None]
        back = torch.where(steps < ends, ends - 1 - steps, steps)[..., None]
        forward, _ = self._each[0](x)
        backward, _ = self._each[1](x.gather(1, back.expand_as(x)))
        return torch.cat([forward, backward.gather(1, back.expand_as(backward))], 2)


TRAINERS = {"numlstm": Numlstm, "pytorch": PyTorch, "pytorch-padded": Padded}


def train(name: str, path: str, threads: int) -> dict[str, list[float]]:
    """The losses of the first steps, and the seconds of each epoch after them."""
    now = time.process_time if threads == 1 else time.perf_counter
    with np.load(path) as file:
        data = dict(file)
    weights = [data[f"w{number}"] for number in range(8)]
    trainer = TRAINERS[name](data, weights, threads)
    losses = [trainer.fit(BATCH * step, BATCH * (step + 1)) for step in range(STEPS)]
    seconds = []
    for _ in range(EPOCHS):
        begin = now()
        trainer.fit(0, len(data["x"]))
        seconds.append(now() - begin)
    return {"losses": losses, "seconds": seconds}


def compare(rounds: int, threads: int) -> dict[str, object]:
    """The seconds of the epochs of each, after its first one, by turns. RuntimeError if losses differ."""
    seconds: dict[str, list[float]] = {name: [] for name in TRAINERS}
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        write_data(path)
        for _ in range(rounds):
            losses = {}
            for name in seconds:
                command = [sys.executable, __file__, name, str(path), str(threads)]
                environment = os.environ | {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
                found = json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
                losses[name] = np.array(found["losses"])
                seconds[name] += found["seconds"][1:]
            differences += [float(np.max(np.abs(each / losses["numlstm"] - 1))) for each in losses.values()]
            if max(differences) > AGREEMENT:
                raise RuntimeError(f"losses differ by a part of {max(differences):.1e}: {losses}")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {"difference": max(differences), "seconds": seconds, "medians": medians}


if __name__ == "__main__":
    if sys.argv[1] in TRAINERS:
        result: object = train(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        result = compare(int(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps(result))
