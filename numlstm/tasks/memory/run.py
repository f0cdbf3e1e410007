"""The run folder of the memory task.

- model.safetensors: the model of the longest lag that was solved
- config.json: settings, the trial of the model, versions
- trials.csv: the result of each trial
- gradients.csv: the norms of the gradients at the longest lag, by cell, seed and distance, before and after training
- history.csv: losses and metrics of each epoch of each trial
- metrics.json: successes, sequences and errors by lag and cell, backend and kernel name
- memory.png: sequences by lag, gradients by distance
- report.html: the report on the run
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

import csv
import io
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from numlstm import files
from numlstm.messages import plain, quoted
from numlstm.model import Sequential, load_model
from numlstm.reading import opened
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_config, write_json
from numlstm.tasks.memory import network, page, report
from numlstm.tasks.memory.measure import answers, measure
from numlstm.tasks.memory.options import PICTURE
from numlstm.tasks.memory.problems import Problem, Use
from numlstm.tasks.memory.settings import Settings
from numlstm.tasks.memory.train import Result, Training, Trial, trials_of
from numlstm.tasks.task import Table

__all__ = ["FILES", "PICTURE", "Run", "load", "prepare", "resume", "save"]

_MODEL, _CONFIG, _TRIALS, _GRADIENTS = "model.safetensors", "config.json", "trials.csv", "gradients.csv"
FILES = frozenset({_MODEL, _CONFIG, _TRIALS, _GRADIENTS, "history.csv", "metrics.json", PICTURE, REPORT, CHECKPOINT})
_FORMAT = 1
_FIELDS = ("lag", "cell", "seed", "sequences", "solved", "error", "right")
_MEASURED = 1000
"""Sequences of `evaluate`."""
_SHOWN = 100
"""Sequences of `predict`."""


@dataclass(frozen=True)
class Run:
    """A run folder that was read back.

    kept: the trial of the model
    gradients: as in `numlstm.tasks.memory.train.Training`
    """

    model: Sequential
    kept: Trial
    settings: Settings
    results: list[Result]
    gradients: dict[tuple[str, str, int], np.ndarray]
    note = None

    @property
    def batch_size(self) -> int:
        """Sequences in a training step."""
        return self.settings.batch_size

    def read(self, path: Path, given: Mapping[str, Any]) -> NoReturn:
        """Refuse other data."""
        raise ValueError(f"a run of memory draws its own sequences: leave {path} out")

    def evaluate(self, data: None) -> dict[str, Any]:
        """Measure the model on new sequences of every lag of the run, also of those it was not trained at."""
        found: dict[str, Any] = {"cell": self.kept.cell, "trained_lag": self.kept.lag, "sequences": _MEASURED}
        for lag in self.settings.lags:
            problem = Problem(self.settings.problem, lag)
            model = network.make_model(self.settings, self.kept.cell, problem, self.kept.seed, "auto")
            model.set_weights(self.model.get_weights())
            drawn = problem.draw(_MEASURED, self.settings.seed, Use.FRESH)
            found[f"lag_{lag}"] = measure(problem, *answers(model, problem, drawn))
        return found

    def predict(self, data: None, steps: int | None) -> Table:
        """The answers to a hundred new sequences of the model's lag, beside the targets."""
        if steps is not None:
            raise ValueError("a run of memory has no steps to forecast: leave --steps out")
        problem = Problem(self.settings.problem, self.kept.lag)
        drawn = problem.draw(_SHOWN, self.settings.seed, Use.FRESH)
        target, output = answers(self.model, problem, drawn)
        if problem.name == "adding":
            marked = drawn.x[drawn.x[..., 1] == 1][:, 0].reshape(-1, 2)
            numbers = [[f"{value:.6g}" for value in row] for row in np.column_stack([marked, target, output])]
            return Table(
                ("sequence", "first", "second", "target", "output"),
                [(number, *row) for number, row in enumerate(numbers, start=1)],
            )
        pairs = [(_word(true), _word(said)) for true, said in zip(target, output, strict=True)]
        rows = [(number, true, said, int(true == said)) for number, (true, said) in enumerate(pairs, start=1)]
        return Table(("sequence", "target", "output", "right"), rows)

    def draw(self, path: Path) -> None:
        """Plot the sequences that were needed, and the gradients."""
        report.draw(path, self.settings, self.results, self.gradients)

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""
        return page.page(self.settings, self.results, self.gradients)


def prepare(folder: Path, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder."""
    write_json(folder / _CONFIG, _describe(settings, None))


def save(folder: Path, training: Training) -> None:
    """Write all files except picture and report to an existing folder."""
    settings, stop = training.settings, training.stop
    training.model.save(folder / _MODEL)
    rows_of_trials = [tuple(result.to_dict()[name] for name in _FIELDS) for result in training.results]
    _write(folder / _TRIALS, _FIELDS, rows_of_trials)
    gradients = [
        (*key, distance, norm) for key, norms in training.gradients.items() for distance, norm in enumerate(norms)
    ]
    _write(folder / _GRADIENTS, ("cell", "training", "seed", "distance", "norm"), gradients)
    names = [name for name in training.members[0].history if name != "epoch"]
    rows = [
        (trial.lag, trial.cell, trial.seed, epoch, *(member.history[name][epoch - 1] for name in names))
        for trial, member in zip(trials_of(settings), training.members, strict=False)
        for epoch in range(1, len(member.history.get("loss", [])) + 1)
    ]
    _write(folder / "history.csv", ("lag", "cell", "seed", "epoch", *names), rows)
    last = training.members[-1]
    metrics = {
        "problem": settings.problem,
        "verdict": report.sentence(settings, training.results),
        "trials": report.summary(training.results),
        "interrupted": stop is not None and stop.interrupted,
        "epochs": len(rows),
        "seconds": round(sum(member.seconds for member in training.members), 3),
        "backend": last.backend,
        "kernel_name": last.kernel_name,
    }
    write_json(folder / "metrics.json", metrics)
    write_json(folder / _CONFIG, _describe(settings, training.kept))


def resume(folder: Path) -> Settings:
    """Read the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: the file is missing or damaged.
    """
    return _read_config(folder)[0]


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    settings, kept = _read_config(folder)
    if kept is None:
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    model, problem = load_model(folder / _MODEL), Problem(settings.problem, kept.lag)
    expected = network.make_model(settings, kept.cell, problem, kept.seed, "cpu")
    shapes = [[weight.shape for weight in each.get_weights()] for each in (model, expected)]
    if not isinstance(model, Sequential) or model.input_shape != expected.input_shape or shapes[0] != shapes[1]:
        raise ValueError(f"{folder / _MODEL} is not the model that config.json tells of")
    trials = set(trials_of(settings))
    try:
        results = [Result.from_dict(row) for row in _rows(folder / _TRIALS)]
        if not results or not {result.trial for result in results} <= trials:
            raise ValueError("its trials are not those of the settings")
    except (ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        raise _damaged(folder / _TRIALS, error) from error
    try:
        gradients: dict[tuple[str, str, int], list[float]] = {}
        for row in _rows(folder / _GRADIENTS):
            norm = float(row["norm"])
            if not 0 <= norm < np.inf or row["cell"] not in report.NAMES or row["training"] not in ("before", "after"):
                raise ValueError(f"it holds {quoted(row)}")
            gradients.setdefault((row["cell"], row["training"], int(row["seed"])), []).append(norm)
        if len({len(norms) for norms in gradients.values()}) != 1:
            raise ValueError("its curves differ in length")
    except (ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        raise _damaged(folder / _GRADIENTS, error) from error
    arrays = {key: np.array(norms) for key, norms in gradients.items()}
    return Run(model, kept, settings, results, arrays)


def _describe(settings: Settings, kept: Trial | None) -> dict[str, Any]:
    """The content of config.json. kept: None before the end of the training."""
    return {
        "format": _FORMAT,
        "task": "memory",
        "name": settings.problem,
        "settings": asdict(settings),
        "kept": None if kept is None else asdict(kept),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numlstm", "numpy", "numba")},
    }


def _read_config(folder: Path) -> tuple[Settings, Trial | None]:
    """Read and check config.json."""
    config = read_config(folder)
    try:
        if config["format"] != _FORMAT:
            raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
        settings = Settings.from_dict(config["settings"])
        kept = None if config["kept"] is None else Trial(**config["kept"])
        if kept is not None and kept not in trials_of(settings):
            raise ValueError(f"its model is of {quoted(config['kept'])}, which is no trial of the settings")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _damaged(folder / _CONFIG, error) from error
    return settings, kept


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = f"no {error}" if isinstance(error, KeyError) else error
    return ValueError(plain(f"{path} is damaged: {reason}"))


def _rows(path: Path) -> list[dict[str, str]]:
    with opened(path) as file:
        return list(csv.DictReader(io.StringIO(file.read().decode())))


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    files.write(path, Table(header, rows).csv().encode())


def _word(symbols: np.ndarray) -> str:
    """Symbols as letters; a pause as a dash."""
    return "".join("abcd-"[symbol] for symbol in symbols)
