"""The run folder of a classifier.

- model.safetensors: architecture and weights
- config.json: settings, columns, classes, versions, and what the model sees of a sequence
- data.npz: the sequences with their classes, and which of them are held out
- history.csv: model, epoch, loss, val_loss
- metrics.json: the errors on the held-out part and those of the rivals, backend and kernel name
- classes.png: the confusion of the classes, precision and recall, and the saliency of a few sequences
- report.html: the same as a page
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numlstm import files
from numlstm.model import Model
from numlstm.tasks.classify import member, page, report
from numlstm.tasks.classify.anomaly_run import KIND, AnomalyRun, load_anomalies
from numlstm.tasks.classify.classifier import Classifier
from numlstm.tasks.classify.config import DATA, MODEL, Config, describe
from numlstm.tasks.classify.data import read
from numlstm.tasks.classify.options import PICTURE
from numlstm.tasks.classify.sequences import Sequences, write_sequences
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.classify.split import Split
from numlstm.tasks.classify.table import Columns
from numlstm.tasks.classify.train import Training, errors_of
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_config, write_json
from numlstm.tasks.task import Table

__all__ = ["FILES", "PICTURE", "Run", "load", "page_of", "prepare", "resume", "save"]

FILES = frozenset({MODEL, "config.json", DATA, "history.csv", "metrics.json", PICTURE, REPORT, CHECKPOINT})
_READING = ("header", "decimal", "thousands", "encoding", "day_first")
"""The options of reading that other data may have."""


@dataclass(frozen=True)
class Run:
    """A run folder that was read back. `numlstm.tasks.task.Run` documents the methods.

    classifier: the trained classifier
    split: the data, with their two parts
    table: how tables are read
    settings: the settings of the training
    """

    classifier: Classifier
    split: Split
    table: Columns
    settings: Settings
    note = None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.classifier.model

    @property
    def batch_size(self) -> int:
        """Sequences in a training step."""
        return member.batch_size(self.settings, len(self.split.training))

    def read(self, path: Path, given: Mapping[str, Any]) -> Sequences:
        """Read other sequences, with or without classes, as those of the training were read.

        Raises:
            OSError, ValueError: as for `numlstm.tasks.classify.data.read`, or an option is of no use here.
        """
        chosen = dict(given)
        unknown = [f"--{name.replace('_', '-')}" for name in chosen if name not in _READING]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is of no use for sequences with classes: leave it out")
        return read(path, replace(self.table, reading=self.table.reading.changed(chosen)), labelled=False)

    def evaluate(self, data: Sequences | None) -> dict[str, Any]:
        """Measure the classifier and its rivals on the held-out part, or on all of other data."""
        return errors_of(self.classifier, self.split.training, self.split.test if data is None else data)

    def predict(self, data: Sequences | None, steps: int | None) -> Table:
        """The id, the true class if it is known, the predicted class, and the probability of each class."""
        if steps is not None:
            raise ValueError("a classifier looks at whole sequences, not ahead: leave out --steps")
        sequences = self.split.test if data is None else data
        probabilities = self.classifier.probabilities(sequences)
        classes, labels = self.classifier.classes, sequences.labels
        rows = []
        for row, (name, p) in enumerate(zip(sequences.ids, probabilities, strict=True)):
            known = () if labels is None else (str(labels[row]),)
            rows.append((name, *known, classes[int(p.argmax())], *(f"{each:.6g}" for each in p)))
        true = () if labels is None else ("true",)
        return Table(("id", *true, "predicted", *(f"p_{name}" for name in classes)), rows)

    def draw(self, path: Path) -> None:
        """Draw the report on the held-out part."""
        report.draw(path, self.classifier, self.split.test, self.evaluate(None))

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""
        metrics = self.evaluate(None)
        return page_of(self.classifier, self.split, self.settings, metrics)


def page_of(classifier: Classifier, split: Split, settings: Settings, metrics: dict[str, Any]) -> str:
    """The page of a run with these errors on the held-out part; none if it was not measured."""
    test = split.test
    measured = "accuracy" in metrics
    drawn = page.picture(lambda path: report.draw(path, classifier, test, metrics)) if measured else ""
    verdict = report.sentence(metrics) if measured else ""
    return page.page(f"{test.name}: a class for each sequence", verdict, settings, test.notes, metrics, drawn)


def prepare(folder: Path, sequences: Sequences, columns: Columns, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder: the data, then config.json."""
    write_sequences(folder / DATA, sequences)
    write_json(folder / "config.json", describe(sequences, columns, settings, None))


def save(folder: Path, sequences: Sequences, columns: Columns, settings: Settings, training: Training) -> None:
    """Write all files except the picture to an existing folder."""
    write_sequences(folder / DATA, sequences)
    training.classifier.model.save(folder / MODEL)
    rows = []
    for number, each in enumerate(training.members, start=1):
        loss = each.history.get("loss", [])
        val_loss: list[Any] = each.history.get("val_loss", [""] * len(loss))
        for epoch, values in enumerate(zip(loss, val_loss, strict=True), start=1):
            rows.append((number, epoch, *values))
    files.write(folder / "history.csv", Table(("model", "epoch", "loss", "val_loss"), rows).csv().encode())
    write_json(folder / "metrics.json", training.metrics)
    write_json(folder / "config.json", describe(sequences, columns, settings, training.classifier))


def resume(folder: Path) -> tuple[Sequences, Columns, Settings]:
    """Read what `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    config = Config.read(folder)
    return replace(config.sequences(folder), notes=config.notes), config.table, config.settings


def load(folder: Path) -> Run | AnomalyRun:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    if read_config(folder).get("kind") == KIND:
        return load_anomalies(folder)
    config = Config.read(folder)
    classifier = config.classifier(folder)
    split = Split(replace(config.sequences(folder), notes=config.notes))
    if split.classes != classifier.classes:
        raise ValueError(f"{folder / DATA} is not the data that config.json tells of: its classes are others")
    return Run(classifier, split, config.table, config.settings)
