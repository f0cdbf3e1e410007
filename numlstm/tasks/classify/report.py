"""The report on a classifier: a sentence and a picture."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.messages import plain
from numlstm.tasks.classify.classifier import Classifier
from numlstm.tasks.classify.rivals import RIVALS
from numlstm.tasks.classify.sequences import Sequences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "sentence"]

_SIGNALS = 6
"""Sequences that are drawn."""
_LINES = 6
"""Columns of a sequence that are drawn."""
_NAMED = 20
"""Classes whose names and numbers are drawn; more are too small to be read."""


def sentence(metrics: dict[str, Any]) -> str:
    """Compare the accuracy with those of the rivals, in one line.

    Args:
        metrics: the result of `numlstm.tasks.classify.train.errors_of`.
    """
    rivals = [(words, metrics[f"{name}_accuracy"]) for name, words in RIVALS.items() if f"{name}_accuracy" in metrics]
    text = ", ".join(f"{accuracy:.3f} of {words}" for words, accuracy in rivals)
    best = metrics["rival"]
    verdict = f", no better than {RIVALS[best]}" if metrics["accuracy"] <= metrics[f"{best}_accuracy"] else ""
    notes = "".join(f"; {note}" for note in metrics["rival_notes"])
    return f"accuracy {metrics['accuracy']:.3f} against {text}{verdict}{notes}"


def draw(path: Path, classifier: Classifier, test: Sequences, metrics: dict[str, Any]) -> None:
    """Draw the confusion of the classes, precision and recall, and a few sequences with their saliency.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        classifier: the classifier.
        test: the held-out part.
        metrics: the errors on it.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing, save

    rows = _shown(test)
    with drawing():
        figure = Figure(figsize=(10, 7.2), dpi=120, layout="constrained")
        top, bottom = np.ravel(np.asarray(figure.subfigures(2, 1, height_ratios=[1, 1.08], hspace=0.03)))
        left, right = top.subplots(1, 2, width_ratios=[1.15, 1])
        _draw_confusion(left, metrics)
        _draw_classes(right, metrics)
        panels = list(bottom.subplots(2, 3).flat)
        probabilities = classifier.probabilities(test.part(np.array(rows)))
        for panel, row, p in zip(panels, rows, probabilities, strict=False):
            _draw_signal(panel, classifier, test, row, p)
        for panel in panels[len(rows) :]:
            panel.set_visible(False)
        bottom.suptitle(
            "held-out sequences; red: the steps that the predicted class depends on", fontsize=9, color="0.4"
        )
        figure.suptitle(fill(plain(f"{test.name}: {sentence(metrics)}"), 120), fontsize=9, parse_math=False)
        save(figure, path)


def _shown(test: Sequences) -> list[int]:
    """The first held-out sequence of each class, then the second of each, and so on."""
    assert test.labels is not None
    seen: dict[str, int] = {}
    keyed = []
    for row, label in enumerate(test.labels.tolist()):
        keyed.append((seen.get(label, 0), label, row))
        seen[label] = seen.get(label, 0) + 1
    return [row for *_, row in sorted(keyed)[:_SIGNALS]]


def _draw_confusion(panel: Axes, metrics: dict[str, Any]) -> None:
    confusion, classes = np.array(metrics["confusion"]), metrics["classes"]
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    panel.imshow(share, cmap="Blues", vmin=0, vmax=1.15)
    _head(panel, "sequences", "predicted", "true")
    named = len(classes) <= _NAMED
    names = [plain(name, 14) for name in classes] if named else []
    panel.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names), default=0) > 3 else 0, fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    for label in [*panel.get_xticklabels(), *panel.get_yticklabels()]:
        label.set_parse_math(False)
    for row, column in np.argwhere(confusion > 0) if named else ():
        color = "white" if share[row, column] > 0.6 else "0.25"
        panel.text(column, row, str(confusion[row, column]), ha="center", va="center", color=color, fontsize=8)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)


def _draw_classes(panel: Axes, metrics: dict[str, Any]) -> None:
    """A dot for precision and one for recall of each class."""
    _head(panel, "precision and recall", "", "")
    panel.set_xlim(-0.02, 1.04)
    classes = list(metrics["per_class"].items())
    for place, (_, numbers) in enumerate(classes):
        ends = [numbers[key] for key in ("precision", "recall") if numbers[key] is not None]
        panel.plot(ends, [place] * len(ends), color="0.8", linewidth=2, zorder=1)
    for key, color, marker in (("precision", "#2a6f97", "o"), ("recall", "#d1495b", "D")):
        values = [np.nan if numbers[key] is None else numbers[key] for _, numbers in classes]
        panel.scatter(values, range(len(classes)), color=color, marker=marker, s=28, zorder=2, label=key)
    named = classes if len(classes) <= _NAMED else []
    texts = [f"{plain(name, 14)} ({numbers['support']})" for name, numbers in named]
    panel.set_yticks(range(len(named)), texts, fontsize=8)
    for label in panel.get_yticklabels():
        label.set_parse_math(False)
    panel.invert_yaxis()
    panel.legend(frameon=False, fontsize=8, loc="lower left")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="x", color="0.9", linewidth=0.6)
    panel.set_axisbelow(True)


def _head(panel: Axes, title: str, x: str, y: str) -> None:
    panel.set_title(title, fontsize=9, color="0.4")
    panel.set_xlabel(x, fontsize=8)
    panel.set_ylabel(y, fontsize=8)
    panel.tick_params(labelsize=8)


def _draw_signal(panel: Axes, classifier: Classifier, test: Sequences, row: int, p: np.ndarray) -> None:
    """The scaled columns of a sequence over its saliency."""
    assert test.labels is not None
    values = classifier.inputs.scaled(test, row)[:, :_LINES]
    steps, size = np.arange(len(values)), classifier.saliency(test, row)
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 1.0
    panel.imshow(
        size[None], aspect="auto", cmap="Reds", vmin=0, vmax=1.6, interpolation="nearest",
        extent=(-0.5, len(values) - 0.5, low - margin, high + margin),
    )  # fmt: skip
    shades = np.linspace(0.1, 0.55, values.shape[1])
    for column, shade in enumerate(shades):
        marker = "." if len(values) == 1 else None
        panel.plot(steps, values[:, column], color=str(shade), linewidth=0.9, marker=marker)
    true, found = str(test.labels[row]), classifier.classes[int(p.argmax())]
    text = f"{plain(true, 18)}: {p.max():.2f}" if true == found else f"{plain(true, 18)}, predicted {plain(found, 18)}"
    panel.set_title(text, fontsize=9, color="0.15" if true == found else "#d1495b", parse_math=False)
    panel.tick_params(labelsize=7, length=2)
    panel.spines[["top", "right"]].set_visible(False)
