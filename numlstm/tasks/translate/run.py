"""The run folder of the translate task.

- model.safetensors: the model
- config.json: settings, versions, a digest of the pairs
- data.tsv: the pairs
- history.csv: losses and accuracies of each epoch
- metrics.json: errors on the held-out part, those of the rivals, backend and kernel name
- translate.png: where the model looks, in some texts
- report.html: the report on the run
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

import csv
import hashlib
import io
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm import checks, files
from numlstm.messages import listed, plain, quoted
from numlstm.model import Model, load_model
from numlstm.reading import opened
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_config, write_json
from numlstm.tasks.task import Table
from numlstm.tasks.translate import network, page, report
from numlstm.tasks.translate.options import PICTURE
from numlstm.tasks.translate.pairs import Pairs, check_lengths, read_pairs
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.train import Split, Training, measured, translator_of
from numlstm.tasks.translate.translator import Translator

__all__ = ["FILES", "PICTURE", "Run", "load", "prepare", "resume", "save"]

_MODEL, _CONFIG, _DATA, _HISTORY = "model.safetensors", "config.json", "data.tsv", "history.csv"
FILES = frozenset({_MODEL, _CONFIG, _DATA, _HISTORY, "metrics.json", PICTURE, REPORT, CHECKPOINT})
_FORMAT = 1


@dataclass(frozen=True)
class Run:
    """A run folder that was read back."""

    translator: Translator
    pairs: Pairs
    split: Split
    settings: Settings
    history: dict[str, list[float]]
    note = None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.translator.model

    @property
    def batch_size(self) -> int:
        """Pairs in a training step."""
        return self.settings.batch_size

    def read(self, path: str | Path, given: Mapping[str, Any] | None = None) -> Pairs:
        """Read other texts: a source in each line, maybe with a tab and a target.

        Args:
            path: the file.
            given: "encoding"; other options are refused.

        Raises:
            OSError, ValueError: as for `read_pairs`; or the model cannot read a text.
        """
        chosen = dict(given or {})
        encoding = chosen.pop("encoding", "utf-8")
        if chosen:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in chosen)
            raise ValueError(f"texts are read with --encoding alone: leave {flags} out")
        pairs = read_pairs(Path(path), encoding, targeted=False)
        self._check(pairs.sources)
        return pairs

    def evaluate(self, data: Pairs | None) -> dict[str, Any]:
        """Compute the errors on the held-out part, or on all of other pairs, and those of the rivals."""
        tested = self.split.test if data is None else data
        outputs = self._outputs if data is None else self.translator.translate(_each_once(tested), self.settings.beam)
        return measured(self.split, self.settings, tested, outputs)

    def predict(self, data: Pairs | None, steps: int | None) -> Table:
        """The outputs for the held-out part, or for other texts, beside the true ones."""
        if steps is not None:
            raise ValueError("a run of translate has no steps to forecast: leave --steps out")
        tested = self.split.test if data is None else data
        outputs = self._outputs if data is None else self.translator.translate(_each_once(tested), self.settings.beam)
        said = dict(zip(_each_once(tested), outputs, strict=True))
        if tested.targets is None:
            return Table(("source", "predicted"), [(text, said[text]) for text in tested.sources])
        rows = zip(tested.sources, tested.targets, strict=True)
        return Table(("source", "true", "predicted"), [(source, true, said[source]) for source, true in rows])

    def translate(self, texts: Sequence[str], beam: int | None = None) -> list[str]:
        """Translate texts: `run.translate(["3rd of May 1999"])`.

        Args:
            texts: the texts.
            beam: beginnings of an output that the search keeps; 1: always the likeliest token; None: as the run has it.

        Raises:
            TypeError: the texts are one text.
            ValueError: a text is empty, too long, or has characters or words that training did not show.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of texts, not {quoted(texts)}")
        width = checks.integer(self.settings.beam if beam is None else beam, "beam", least=1)
        stripped = [text.strip() for text in texts]
        self._check(stripped)
        return self.translator.translate(stripped, width) if stripped else []

    def draw(self, path: Path) -> None:
        """Plot where the model looks, in some held-out texts."""
        looks = report.looks(self.translator, _each_once(self.split.test), self._outputs)
        report.draw(path, self.pairs.name, self.evaluate(None), looks)

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""
        answers, notes = self.split.test.answers(), self.pairs.notes
        return page.page(self.pairs.name, self.evaluate(None), answers, self._outputs, self.history, notes)

    @cached_property
    def _outputs(self) -> list[str]:
        """Those for the held-out sources."""
        return self.translator.translate(_each_once(self.split.test), self.settings.beam)

    def _check(self, texts: Sequence[str]) -> None:
        """Raise ValueError if the model cannot read a text."""
        vocabulary = self.translator.source
        for number, text in enumerate(texts, start=1):
            if not text:
                raise ValueError(f"text {number} is empty: give one with {_unit(vocabulary.level)}")
            if unknown := vocabulary.unknown(text):
                raise ValueError(
                    f"the text {quoted(text)} has {_unit(vocabulary.level)} that the training part lacks:"
                    f" {listed(unknown)}"
                )
        check_lengths(texts, vocabulary.level, self.translator.longest[0])


def prepare(folder: Path, pairs: Pairs, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder: data.tsv, then config.json."""
    content = pairs.tsv().encode()
    files.write(folder / _DATA, content)
    config = {
        "format": _FORMAT,
        "task": "translate",
        "name": pairs.name,
        "notes": list(pairs.notes),
        "digest": hashlib.sha256(content).hexdigest(),
        "settings": asdict(settings),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numlstm", "numpy", "numba")},
    }
    write_json(folder / _CONFIG, config)


def save(folder: Path, training: Training) -> None:
    """Write all files except picture and report to an existing folder."""
    training.translator.model.save(folder / _MODEL)
    history = {name: values for name, values in training.member.history.items() if name != "epoch"}
    rows = [(epoch, *values) for epoch, values in enumerate(zip(*history.values(), strict=True), start=1)]
    files.write(folder / _HISTORY, Table(("epoch", *history), rows).csv().encode())
    write_json(folder / "metrics.json", training.metrics | {"verdict": report.sentence(training.metrics)})
    prepare(folder, training.pairs, training.settings)


def resume(folder: Path) -> tuple[Pairs, Settings]:
    """Read the pairs and the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    config = read_config(folder)
    try:
        if config["format"] != _FORMAT:
            raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
        settings = Settings(**config["settings"])
        name, notes, digest = (config[key] for key in ("name", "notes", "digest"))
        for text in (name, digest, *notes):
            if not isinstance(text, str):
                raise ValueError(f"it has {quoted(text)} where a text is expected")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(plain(f"{folder / _CONFIG} is damaged: {reason}")) from error
    pairs = replace(read_pairs(folder / _DATA), name=name, notes=tuple(notes))
    if hashlib.sha256(pairs.tsv().encode()).hexdigest() != digest:
        raise ValueError(f"{folder / _DATA} is damaged: it does not hold the pairs that {_CONFIG} tells of")
    return pairs, settings


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    pairs, settings = resume(folder)
    if not (folder / _MODEL).exists():
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    model, split = load_model(folder / _MODEL), Split.of(pairs, settings)
    expected = network.make_model(replace(settings, device="cpu"), split.source.size, split.target.size, split.longest)
    shapes = [[weight.shape for weight in each.get_weights()] for each in (model, expected)]
    if [layer.name for layer in model.layers] != [layer.name for layer in expected.layers] or shapes[0] != shapes[1]:
        raise ValueError(f"{folder / _MODEL} is not the model that {_CONFIG} and {_DATA} tell of")
    return Run(translator_of(model, split), pairs, split, settings, _history(folder / _HISTORY))


def _history(path: Path) -> dict[str, list[float]]:
    with opened(path) as file:
        content = file.read()
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        return {name: [float(row[name]) for row in rows] for name in ("loss", "val_loss") if rows}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(plain(f"{path} is damaged: {error}")) from error


def _each_once(pairs: Pairs) -> list[str]:
    return list(dict.fromkeys(pairs.sources))


def _unit(level: str) -> str:
    return "characters" if level == "char" else "words"
