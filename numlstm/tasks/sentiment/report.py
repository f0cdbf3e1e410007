"""The report on a classifier of texts: a sentence and a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.tasks.sentiment.measure import RIVALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Example", "draw", "sentence"]

Example = tuple[str, str, Sequence[tuple[str, float]]]
"""A text's label, the predicted label, and its words with their influences."""
_SHOWN = 8
_MOST_LABELS = 12
_ACROSS = 98
"""Letters of a line in the picture."""


def sentence(metrics: Mapping[str, Any]) -> str:
    """Compare the model with its rivals on the held-out part, in one line."""
    text = (
        f"held out {metrics['texts']:,} texts: macro F1 {metrics['macro_f1']:.3f}, accuracy {metrics['accuracy']:.3f}"
    )
    rivals = [
        f"{RIVALS[name]} {metrics[f'{name}_macro_f1']:.3f} and {metrics[f'{name}_accuracy']:.3f}" for name in RIVALS
    ]
    worse = max(metrics[f"{name}_macro_f1"] for name in RIVALS) >= metrics["macro_f1"]
    return f"{text}, against {', '.join(rivals)}" + (", no better than these" if worse else "")


def draw(path: Path, name: str, metrics: Mapping[str, Any], examples: Sequence[Example]) -> None:
    """Plot the confusion of the labels, and some held-out texts, whose words are coloured by their influence.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        name: the name of the data.
        metrics: the errors on the held-out part.
        examples: the texts.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing, save

    with drawing():
        figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 2.6))
        _draw_confusion(left, metrics["labels"][:_MOST_LABELS], np.array(metrics["confusion"]))
        _draw_examples(right, examples[1 :: max(1, len(examples) // _SHOWN)][:_SHOWN])
        title = "\n".join(textwrap.wrap(f"{name}: {sentence(metrics)}", 150))
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left", parse_math=False)
        save(figure, path)


def _draw_confusion(panel: Axes, labels: Sequence[str], confusion: np.ndarray) -> None:
    counts = confusion[: len(labels), : len(labels)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Reds", vmin=0, vmax=1.3)
    for (row, column), count in np.ndenumerate(counts):
        panel.text(column, row, f"{count:,}", ha="center", va="center", fontsize=9)
    short = [label if len(label) < 14 else f"{label[:12]}…" for label in labels]
    panel.set_xticks(range(len(short)), short, rotation=0 if len(short) < 4 else 90, fontsize=8, parse_math=False)
    panel.set_yticks(range(len(short)), short, fontsize=8, parse_math=False)
    panel.set_xlabel("predicted", fontsize=9)
    panel.set_ylabel("true", fontsize=9)
    panel.spines[:].set_visible(False)


def _draw_examples(panel: Axes, examples: Sequence[Example]) -> None:
    """Write the words from left to right, red where they speak for the predicted label, blue where against it."""
    panel.set_axis_off()
    panel.set_xlim(0, _ACROSS)
    line = 0.0
    for true, predicted, words in examples:
        mark = "" if true == predicted else f" (true: {true})"
        panel.text(0, -line, f"{predicted}{mark}", fontsize=8, color="0.4", va="center", parse_math=False)
        line, at = line + 1, 0
        for word, gain in words:
            if at + len(word) > _ACROSS:
                line, at = line + 1, 0
            shade = min(0.9, 3 * abs(gain))
            colour = (*((0.82, 0.29, 0.36) if gain > 0 else (0.20, 0.45, 0.75)), shade)
            panel.text(
                at, -line, word, fontsize=8.5, family="monospace", va="center", parse_math=False,
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
            at += len(word) + 1
        line += 1.4
    panel.set_ylim(-max(line, 10), 1)
    panel.set_title("words for (red) and against (blue) the predicted label", fontsize=9)
