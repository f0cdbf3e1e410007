"""The report on a language model: a sentence and a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numlstm.messages import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "headline", "printable", "rivals"]

_COLUMNS, _LINES = 74, 26
"""The size of the sample in the picture."""


def rivals(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Bits per character of the rivals, by their names for a reader."""
    return {
        "bzip2": metrics["bzip2_bits_per_character"],
        f"{metrics['ngram_order']}-grams": metrics["ngram_bits_per_character"],
    }


def headline(metrics: Mapping[str, Any]) -> str:
    """Compare the model with its rivals.

    Args:
        metrics: the result of `numlstm.tasks.generate.measure.measure`.
    """
    found = rivals(metrics)
    beside = " and ".join(f"{value:.3f} of {name}" for name, value in found.items())
    text = f"{metrics['bits_per_character']:.3f} bits per character against {beside}"
    better = [name for name, value in found.items() if value <= metrics["bits_per_character"]]
    if better:
        text += f", no better than {' and '.join(better)}"
    if "perplexity_per_word" in metrics:
        text += f"; perplexity {metrics['perplexity_per_word']:.4g} per word"
    return text


def printable(text: str) -> str:
    """The text without what a terminal would obey; line ends stay."""
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in text.split("\n"))


def draw(path: Path, title: str, curves: Mapping[str, Sequence[float]], metrics: Mapping[str, Any], text: str) -> None:
    """Plot the learning curves beside the rivals, and text from the model.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        title: the title.
        curves: bits per character after each epoch, by names.
        metrics: the errors on the held-out part.
        text: the text.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing, save

    with drawing():
        figure = Figure(figsize=(11, 4.4), dpi=150, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _draw_curves(left, curves, metrics)
        figure.suptitle(plain(title, 120), fontsize=11, x=0.01, ha="left", parse_math=False)
        lines = [line for each in printable(text).split("\n") for line in textwrap.wrap(each, _COLUMNS) or [""]]
        right.text(
            0, 1, "\n".join(lines[:_LINES]), va="top", family="monospace", fontsize=6.8, linespacing=1.35,
            transform=right.transAxes, parse_math=False,
        )  # fmt: skip
        right.set_axis_off()
        save(figure, path)


def _draw_curves(panel: Axes, curves: Mapping[str, Sequence[float]], metrics: Mapping[str, Any]) -> None:
    """Draw a line for each curve, and a level for each rival and for the held-out part."""
    from matplotlib.ticker import MaxNLocator

    for (name, values), colour in zip(curves.items(), ("0.65", "#d1495b")[-len(curves) :], strict=True):
        panel.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.4, marker=".", label=name)
    for (name, value), style in zip(rivals(metrics).items(), ("--", ":"), strict=True):
        panel.axhline(value, color="0.3", linewidth=1, linestyle=style, label=f"{name}, held out: {value:.3f}")
    bits = metrics["bits_per_character"]
    panel.axhline(bits, color="#d1495b", linewidth=1, label=f"the model, held out: {bits:.3f}")
    shown = [bits, *rivals(metrics).values(), *(value for values in curves.values() for value in values[1:])]
    panel.set_ylim(0.95 * min(shown), 1.05 * max(shown) or 1)
    panel.set_xlabel("epoch")
    panel.set_ylabel("bits per character")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="0.9", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.legend(frameon=False, fontsize=8.5)
