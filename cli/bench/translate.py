"""`numlstm bench translate`: an epoch of `numlstm train translate`, in processes of each framework.

    python -m numlstm.cli.bench.translate DATES EPOCHS THREADS

is the process of numlstm. It prints the loss and the seconds of each epoch, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numba
import numpy as np

from numlstm import optimizers
from numlstm.callbacks.callback import Callback, Logs
from numlstm.cli.bench.measure import Row, Times, require_agreement
from numlstm.cli.bench.peers import Peer
from numlstm.model import Model
from numlstm.override import override
from numlstm.tasks.translate import network
from numlstm.tasks.translate.batches import Batch, Batches
from numlstm.tasks.translate.dates import generated_dates
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.vocabulary import Vocabulary

__all__ = ["measure"]

_EPSILON = 1e-12  # Keras and PyTorch add it in different places: it must not matter.
_TOLERANCE = 1e-3  # Of the first epoch's loss.


def measure(peers: Mapping[str, Peer], device: str, rounds: int, samples: int, epochs: int) -> Iterator[Row]:
    """Yield one row: an epoch over so many generated dates, with the settings of `numlstm train translate`.

    A process times so many epochs, after one that compiles, loads and allocates. All processes begin with the same
    weights, and take the same batches in the same order. They take turns. With one thread, as by NUMBA_NUM_THREADS=1,
    seconds are those of the processor, which other programs hardly lengthen.

    Raises:
        ValueError: If a process fails, or a peer has other losses.
    """
    assert device == "cpu"
    what = f"an epoch of {samples:,} dates"
    scripts = {name: str(peer.translator) for name, peer in peers.items() if peer.translator is not None}
    with tempfile.TemporaryDirectory() as folder:
        place, last = Path(folder), [str(epochs + 1), str(numba.get_num_threads())]
        _prepare(place, samples)
        commands = {"numlstm": ["-m", "numlstm.cli.bench.translate", str(samples), *last]}
        commands |= {name: [script, folder, *last] for name, script in scripts.items()}
        first = {name: _run(place, *command)["losses"][:1] for name, command in commands.items()}
        ours = first.pop("numlstm")
        error = {name: require_agreement(what, name, ours, theirs, _TOLERANCE) for name, theirs in first.items()}
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                seconds[name] += _run(place, *command)["seconds"][1:]
    times = {name: Times(np.array(taken)) for name, taken in seconds.items()}
    yield Row(what, times.pop("numlstm"), times, error=error)


def _job(dates: int) -> tuple[Model, list[Batch]]:
    """A new model and its batches, the same in each process."""
    settings, texts = Settings(), generated_dates(dates)
    source, target = (Vocabulary.of(part, "char") for part in texts)
    batches = Batches(source.numbers(texts[0]), target.numbers(texts[1]), settings.batch_size, settings.seed)
    model = network.make_model(settings, source.size, target.size, (max(map(len, texts[0])), max(map(len, texts[1]))))
    optimizer = optimizers.Adam(settings.learning_rate, epsilon=_EPSILON, global_clipnorm=1.0)
    model.compile(optimizer, model.loss, weighted_metrics=["accuracy"], device="cpu", verbose=0)
    return model, [batches[number] for number in range(len(batches))]


def _prepare(folder: Path, dates: int) -> None:
    """Write the weights and the batches for peers."""
    model, batches = _job(dates)
    np.savez(folder / "weights.npz", *model.get_weights())
    np.savez(folder / "batches.npz", *(array for (source, said), target in batches for array in (source, said, target)))


def _run(place: Path, *arguments: str) -> Any:
    # -P: files beside a script must not be imported.
    command = [sys.executable, "-P", *arguments]
    process = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if process.returncode:
        raise ValueError(f"python {' '.join(arguments)} failed: {process.stderr.strip()[-300:]}")
    return json.loads(process.stdout)


def _train(dates: int, epochs: int, threads: int) -> dict[str, list[float]]:
    """Train, and return the loss and the seconds of each epoch."""
    numba.set_num_threads(threads)
    model, batches = _job(dates)
    watch = _Watch(time.process_time if threads == 1 else time.perf_counter)
    repeated = (batch for _ in range(epochs) for batch in batches)
    fit = model.fit(repeated, steps_per_epoch=len(batches), epochs=epochs, callbacks=[watch], verbose=0)
    return {"losses": fit.history["loss"], "seconds": watch.seconds}


class _Watch(Callback):
    """Takes the seconds of each epoch.

    Args:
        now: the clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.seconds: list[float] = []

    @override
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._begin = self._now()

    @override
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.seconds.append(self._now() - self._begin)


if __name__ == "__main__":
    print(json.dumps(_train(*map(int, sys.argv[1:]))))
