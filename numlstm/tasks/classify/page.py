"""The report on a run as a page."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numlstm.page.html import definitions, document, escaped, items, paragraph, section, table
from numlstm.tasks.classify.rivals import RIVALS
from numlstm.tasks.classify.settings import Settings

__all__ = ["page", "picture"]


def page(
    title: str, verdict: str, settings: Settings, notes: tuple[str, ...], metrics: dict[str, Any], drawing: str
) -> str:
    """The page as HTML.

    Args:
        title: what the run is.
        verdict: a sentence on the held-out part; "": it was not measured.
        settings: the settings of the training.
        notes: what a user should know of the data.
        metrics: the errors on the held-out part, as of `numlstm.tasks.classify.train.errors_of`, or numbers alone.
        drawing: the result of `picture`; "": there is none.
    """
    lead = paragraph(f"On the held-out part: {verdict}.", "lead") if verdict else ""
    if not verdict:
        lead = paragraph("There are no errors on the held-out part.", "warning")
    parts = [
        ("The held-out part", [drawing, *(_classes(metrics) if "confusion" in metrics else _numbers(metrics))]),
        ("The data and the training", [*([items(notes)] if notes else []), definitions(_chosen(settings))]),
    ]
    return document(title, lead, [section(heading, content) for heading, content in parts])


def picture(draw: Callable[[Path], None]) -> str:
    """A picture as HTML that needs no other file. draw: writes it to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        draw(path)
        content = base64.b64encode(path.read_bytes()).decode("ascii")
    text = escaped("what was found in the held-out part")
    return f'<img src="data:image/png;base64,{content}" alt="{text}" style="max-width: 100%">'


def _classes(metrics: dict[str, Any]) -> Iterator[str]:
    """The tables of a classifier."""
    rows = [["the model", f"{metrics['accuracy']:.3f}", f"{metrics['macro_f1']:.3f}"]]
    for name, words in RIVALS.items():
        if f"{name}_accuracy" in metrics:
            rows.append([words, f"{metrics[f'{name}_accuracy']:.3f}", f"{metrics[f'{name}_macro_f1']:.3f}"])
    yield table(f"{metrics['sequences']:,} held-out sequences", ("", "accuracy", "macro F1"), rows)
    per_class = metrics["per_class"].items()
    keys = ("precision", "recall", "f1")
    shown = [[name, *(_short(numbers[key]) for key in keys), numbers["support"]] for name, numbers in per_class]
    yield table("Each class", ("class", *keys, "sequences"), shown)
    classes, confusion = metrics["classes"], metrics["confusion"]
    named = [[name, *row] for name, row in zip(classes, confusion, strict=True)]
    yield table("True classes by rows, predicted ones by columns", ("", *classes), named)


def _numbers(metrics: dict[str, Any]) -> Iterator[str]:
    """All numbers, by their names."""
    yield definitions((name.replace("_", " "), value) for name, value in metrics.items())


def _chosen(settings: Settings) -> Iterator[tuple[str, object]]:
    """The settings by their names, in words."""
    for name, value in vars(settings).items():
        yield name.replace("_", " "), "auto" if value is None else value


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
