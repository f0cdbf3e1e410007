"""The report on a language model as a page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.page.chart import Chart, Line
from numlstm.page.html import code, definitions, document, paragraph, section, table
from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.network import samples_words
from numlstm.tasks.generate.options import COMMAND
from numlstm.tasks.generate.report import headline, printable, rivals
from numlstm.tasks.generate.settings import Settings, defaults_for
from numlstm.tasks.generate.texts import Text, read_dataset

__all__ = ["Facts", "page"]


@dataclass(frozen=True)
class Facts:
    """What a report tells.

    corpus: the text in its parts
    settings: those of the training
    measured: the errors on the held-out part; None: there are none
    metrics: the content of metrics.json, of which nothing else is believed
    curves: bits per character after each epoch, by names
    sample: text from the model
    versions: versions by names
    folder: the run folder
    """

    corpus: Corpus
    settings: Settings
    measured: Mapping[str, Any] | None
    metrics: Mapping[str, Any]
    curves: Mapping[str, list[float]]
    sample: str
    versions: Mapping[str, str]
    folder: Path


def page(facts: Facts) -> str:
    """The page as HTML."""
    sections = [
        section(heading, list(parts))
        for heading, parts in (
            ("The held-out part", _held_out(facts)), ("Text from the model", [code(printable(facts.sample))]),
            ("The text", _text(facts)), ("The training", _training(facts)), ("Repeat it", _repeated(facts)),
        )
    ]  # fmt: skip
    unit = facts.corpus.vocabulary.unit
    return document(f"{facts.corpus.text.name}: a language model of {unit}s", "\n".join(_lead(facts)), sections)


def _lead(facts: Facts) -> Iterator[str]:
    if facts.measured is None:
        yield paragraph("There are no errors on the held-out part.", "warning")
    else:
        yield paragraph(f"On the held-out part: {headline(facts.measured)}.", "lead")
    if facts.metrics.get("interrupted"):
        yield paragraph("The training was interrupted: this is what was learned until then.", "warning")
    seconds = (facts.folder / "config.json").stat().st_mtime
    time = datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %z")
    versions = ", ".join(f"{name} {number}" for name, number in facts.versions.items())
    yield paragraph(f"Run of {time}. {versions}", "note")


def _held_out(facts: Facts) -> Iterator[str]:
    metrics = facts.measured
    if metrics is None:
        return
    bits, characters = metrics["bits_per_character"], metrics["characters"]
    rows = [["the model", f"{bits:.3f}", f"{bits * characters / 8:,.0f}", ""]]
    for name, value in rivals(metrics).items():
        rows.append(
            [name, f"{value:.3f}", f"{value * characters / 8:,.0f}", f"{bits / value:.3f}" if value > 0 else ""]
        )
    caption = f"{characters:,} characters, after the same training part"
    yield table(caption, ("", "bits per character", "bytes", "model ÷ rival"), rows)
    if metrics["unknown_characters"]:
        yield paragraph(f"Characters that the training part lacks: {metrics['unknown_characters']}.", "note")


def _text(facts: Facts) -> Iterator[str]:
    text, vocabulary = facts.corpus.text, facts.corpus.vocabulary
    symbols = "characters" if vocabulary.level == "char" else "characters and words"
    names = ("to learn from", "for validation", "held out")
    parts = [f"{len(part):,} {name}" for part, name in zip(facts.corpus.contents, names, strict=True)]
    yield definitions([
        ("Characters", f"{len(text.content):,}: {', '.join(parts)}"), ("Encoding", text.encoding),
        ("Vocabulary", f"{len(vocabulary.symbols):,} {symbols}"),
    ])  # fmt: skip


def _training(facts: Facts) -> Iterator[str]:
    settings, metrics = facts.settings, facts.metrics
    told = {"Epochs": "epochs", "Seconds": "seconds", "Backend": "backend", "Kernel": "kernel_name"}
    yield definitions([
        ("Layers", f"{settings.layers} × {settings.units} units"), ("Dropout", settings.dropout),
        ("A step", f"{settings.streams} streams of {settings.steps}"), *_samples(facts),
        *((name, metrics[key]) for name, key in told.items() if metrics.get(key) is not None),
    ])  # fmt: skip
    curves = {name: np.array(values) for name, values in facts.curves.items() if values}
    if not curves:
        yield paragraph("No epoch was finished.", "note")
        return
    count = max(map(len, curves.values()))
    kinds = ("faint", "model")[-len(curves) :]
    lines = [Line(name, values, kind) for (name, values), kind in zip(curves.items(), kinds, strict=True)]
    labels = [f"epoch {epoch}" for epoch in range(1, count + 1)]
    note = "the weights are those of the best epoch in validation." if settings.patience else ""
    yield Chart("Learning curves:", note, np.arange(1, count + 1), labels, "epoch", "bits per character", lines).html()


def _samples(facts: Facts) -> Iterator[tuple[str, str]]:
    if samples_words(facts.settings, len(facts.corpus.vocabulary)):
        yield "Softmax", f"of {facts.settings.samples:,} sampled words in training, of all words in evaluation"


def _repeated(facts: Facts) -> Iterator[str]:
    """The command that repeats the training."""
    alone = facts.corpus.text.content == read_dataset("alice").content
    where = "anywhere" if alone else "in the folder of the run, whose text.txt holds the text"
    yield paragraph(f"This command, {where}, trains the same run once more:")
    yield code(_command(facts.corpus.text, facts.settings, [] if alone else ["text.txt"]))


def _command(text: Text, settings: Settings, data: list[str]) -> str:
    given, usual = asdict(settings), asdict(defaults_for(len(text.content)))
    flags = {option.name: option.flag for option in COMMAND.options}
    words = [word for name in given if given[name] != usual[name] for word in (flags[name], str(given[name]))]
    return shlex.join(["numlstm", "train", "generate", *data, *words])
