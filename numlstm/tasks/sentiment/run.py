"""The run folder of the sentiment task.

- model.safetensors: the mean of the members
- config.json: settings, columns, labels, length of a text, versions
- vocabulary.txt: the words that have a number of their own, in the order of the numbers
- data.csv: texts and labels
- history.csv: losses and accuracies of each epoch of each member
- metrics.json: scores on the held-out part, those of the rivals, backend and kernel name
- sentiment.png: confusion of the labels, and the words that decided in some texts
- report.html: the report on the run
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import files, layers
from numlstm.messages import plain, quoted
from numlstm.model import Model, load_model
from numlstm.reading import opened
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_config, write_json
from numlstm.tasks.sentiment import page, report
from numlstm.tasks.sentiment.network import Classifier
from numlstm.tasks.sentiment.options import PICTURE
from numlstm.tasks.sentiment.report import Example
from numlstm.tasks.sentiment.settings import Settings
from numlstm.tasks.sentiment.texts import Texts, read_texts
from numlstm.tasks.sentiment.train import Split, Training, measured
from numlstm.tasks.sentiment.vocabulary import Vocabulary
from numlstm.tasks.task import Table

__all__ = ["FILES", "PICTURE", "Run", "examples_of", "load", "prepare", "resume", "save"]

_MODEL, _CONFIG, _WORDS, _DATA = "model.safetensors", "config.json", "vocabulary.txt", "data.csv"
FILES = frozenset({_MODEL, _CONFIG, _WORDS, _DATA, "history.csv", "metrics.json", PICTURE, REPORT, CHECKPOINT})
_FORMAT = 1
_EXAMPLES = 24
"""Texts of the held-out part that the report shows."""


@dataclass(frozen=True)
class Run:
    """A run folder that was read back."""

    classifier: Classifier
    texts: Texts
    split: Split
    settings: Settings
    note = None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.classifier.model

    @property
    def batch_size(self) -> int:
        """Texts in a training step."""
        return self.settings.batch_size

    def read(self, path: str | Path, given: Mapping[str, Any] | None = None) -> Texts:
        """Read other texts: a table with the run's columns, where labels may be missing, or one text a line.

        Args:
            path: the file.
            given: "encoding"; other options are refused.

        Raises:
            OSError, ValueError: as for `read_texts`.
        """
        chosen = dict(given or {})
        encoding = chosen.pop("encoding", "utf-8")
        if chosen:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in chosen)
            raise ValueError(f"texts are read with --encoding alone: leave {flags} out")
        return read_texts(Path(path), self.texts.columns, encoding, False, self.settings.threshold)

    def evaluate(self, data: Texts | None) -> dict[str, Any]:
        """Compute the scores on the held-out part, or on all of other texts, and those of the rivals."""
        return measured(self.texts, self.split, self.classifier, data)

    def predict(self, data: Texts | None, steps: int | None) -> Table:
        """The label of each text of the held-out part, or of other texts, with the three words that counted most."""
        if steps is not None:
            raise ValueError("a run of sentiment has no steps to forecast: leave --steps out")
        texts = self.texts.part(self.split.test) if data is None else data
        chances, words = self.classifier.probabilities(texts.texts), self.classifier.influences(texts.texts)
        labels = self.classifier.labels
        said = [labels[row.argmax()] for row in chances]
        columns = [texts.texts, *([] if texts.labels is None else [texts.labels]), said]
        columns += [[f"{row.max():.4f}" for row in chances], [page.top(each) for each in words]]
        names = ("text", *([] if texts.labels is None else ["label"]), "predicted", "probability", "words")
        return Table(names, zip(*columns, strict=True))

    def draw(self, path: Path) -> None:
        """Plot the confusion of the held-out part, and the words that decided."""
        report.draw(path, self.texts.name, self.evaluate(None), examples_of(self.texts, self.split, self.classifier))

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""
        examples = examples_of(self.texts, self.split, self.classifier)
        return page.page(self.texts.name, self.evaluate(None), examples, self.texts.notes)


def examples_of(texts: Texts, split: Split, classifier: Classifier) -> list[Example]:
    """Some texts of the held-out part, at even distances, with their words' influences."""
    chosen = np.linspace(0, len(split.test) - 1, min(len(split.test), _EXAMPLES)).astype(int)
    part = texts.part(split.test[chosen])
    said = classifier.probabilities(part.texts).argmax(axis=1)
    assert part.labels is not None
    words = classifier.influences(part.texts)
    return [(true, split.labels[label], each) for true, label, each in zip(part.labels, said, words, strict=True)]


def prepare(folder: Path, texts: Texts, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder. Errors as for `Split.of`."""
    _write(folder, texts, settings, Split.of(texts, settings))


def save(folder: Path, training: Training) -> None:
    """Write all files except picture and report to an existing folder."""
    training.classifier.model.save(folder / _MODEL)
    names = [name for name in training.members[0].history if name != "epoch"]
    rows = [
        (number, epoch, *(member.history[name][epoch - 1] for name in names))
        for number, member in enumerate(training.members, start=1)
        for epoch in range(1, len(member.history.get("loss", [])) + 1)
    ]
    files.write(folder / "history.csv", Table(("model", "epoch", *names), rows).csv().encode())
    write_json(folder / "metrics.json", training.metrics | {"verdict": report.sentence(training.metrics)})
    _write(folder, training.texts, training.settings, training.split)


def resume(folder: Path) -> tuple[Texts, Settings]:
    """Read the texts and the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    texts, settings, _ = _read(folder)
    return texts, settings


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    texts, settings, split = _read(folder)
    if not (folder / _MODEL).exists():
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    model = load_model(folder / _MODEL)
    sizes = {layer.input_dim for layer in model.layers if isinstance(layer, layers.Embedding)}
    shapes = (None, split.length), (None, len(split.labels))
    if (model.input_shape, model.output_shape) != shapes or sizes != {split.vocabulary.size}:
        raise ValueError(f"{folder / _MODEL} is not the model that {_CONFIG} and {_WORDS} tell of")
    return Run(Classifier(model, split.vocabulary, split.labels, split.length), texts, split, settings)


def _write(folder: Path, texts: Texts, settings: Settings, split: Split) -> None:
    """Write the data, the words, and config.json last."""
    assert texts.labels is not None
    table = Table(texts.columns, zip(texts.texts, texts.labels, strict=True))
    files.write(folder / _DATA, table.csv().encode("utf-8"))
    files.write(folder / _WORDS, "".join(f"{word}\n" for word in split.vocabulary.words).encode("utf-8"))
    config = {
        "format": _FORMAT,
        "task": "sentiment",
        "name": texts.name,
        "columns": list(texts.columns),
        "notes": list(texts.notes),
        "labels": list(split.labels),
        "length": split.length,
        "settings": asdict(settings),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numlstm", "numpy", "numba")},
    }
    write_json(folder / _CONFIG, config)


def _read(folder: Path) -> tuple[Texts, Settings, Split]:
    """Read and check the data, the words and config.json."""
    config = read_config(folder)
    try:
        if config["format"] != _FORMAT:
            raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
        settings = Settings(**config["settings"])
        name, columns, notes, labels, length = (config[key] for key in ("name", "columns", "notes", "labels", "length"))
        for text in (name, *columns, *notes, *labels):
            if not isinstance(text, str):
                raise ValueError(f"it has {quoted(text)} where a text is expected")
        if len(columns) != 2 or not isinstance(length, int) or not 1 <= length <= settings.words:
            raise ValueError(f"its columns are {quoted(columns)}, and its length is {quoted(length)}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(plain(f"{folder / _CONFIG} is damaged: {reason}")) from error
    texts = replace(read_texts(folder / _DATA, (columns[0], columns[1])), name=name, notes=tuple(notes))
    split = Split.of(texts, settings)
    with opened(folder / _WORDS) as file:
        words = tuple(file.read().decode("utf-8", "replace").splitlines())
    if list(split.labels) != labels or split.length != length or len(set(words)) != len(words) or not words:
        raise ValueError(f"{folder / _DATA} or {folder / _WORDS} is damaged: it is not what {_CONFIG} tells of")
    return texts, settings, replace(split, vocabulary=Vocabulary(words))
