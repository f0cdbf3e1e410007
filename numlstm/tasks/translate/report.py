"""The report on translations: a sentence and a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.tasks.translate.measure import RIVALS
from numlstm.tasks.translate.translator import Translator
from numlstm.tasks.translate.vocabulary import tokens_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Look", "draw", "error_name", "looks", "sentence"]

Look = tuple[list[str], list[str], np.ndarray]
"""The tokens of a source, those of an output, and the attention, [output, source], with a step for each end."""
_PANELS, _MOST_TOKENS = 3, 40


def sentence(metrics: Mapping[str, Any]) -> str:
    """Compare the model with its rivals on the held-out part, in one line."""
    parts = []
    for name, words in RIVALS.items():
        part = f"{words} {100 * metrics[f'{name}_exact']:.1f} %"
        if "bleu" in metrics:
            part += f" and BLEU {metrics[f'{name}_bleu']:.1f}"
        if name == "nearest":
            part += f" (for {metrics['nearest_texts']:,})"
        parts.append(part)
    bleu = f" BLEU {metrics['bleu']:.1f}, chrF {metrics['chrf']:.1f}," if "bleu" in metrics else ""
    worse = max(metrics[f"{name}_exact"] for name in RIVALS) >= metrics["exact"]
    return (
        f"held out {metrics['texts']:,} texts: {100 * metrics['exact']:.2f} % right,"
        f" {error_name(metrics)} {100 * metrics['error_rate']:.2f} %,{bleu} against {', '.join(parts)}"
        f"{', no better than these' if worse else ''}"
    )


def error_name(metrics: Mapping[str, Any]) -> str:
    """The name of the error rate, after what targets are cut into."""
    return "character error rate" if metrics["target_level"] == "char" else "token error rate"


def looks(translator: Translator, sources: Sequence[str], outputs: Sequence[str]) -> list[Look]:
    """Where the model looks in some texts at even distances, while it says its own outputs."""
    chosen = np.linspace(0, len(sources) - 1, min(_PANELS, len(sources))).astype(int)
    found = []
    for source, output in ((sources[index], outputs[index]) for index in chosen):
        said, heard = tokens_of(output, translator.target.level), tokens_of(source, translator.source.level)
        found.append((heard, said, translator.attention(source, output)))
    return found


def draw(path: Path, name: str, metrics: Mapping[str, Any], looks: Sequence[Look]) -> None:
    """Plot for some held-out texts where each token of the output looks in the source.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        name: the name of the data.
        metrics: the errors on the held-out part.
        looks: the texts.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing, save

    with drawing():
        figure = Figure(figsize=(11, 3.6), dpi=150, layout="constrained")
        panels = figure.subplots(1, len(looks), squeeze=False)[0]
        for panel, look in zip(panels, looks, strict=True):
            _draw_look(panel, *look)
        title = "\n".join(textwrap.wrap(f"{name}: {sentence(metrics)}", 150))
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left", parse_math=False)
        save(figure, path)


def _draw_look(panel: Axes, source: list[str], output: list[str], weights: np.ndarray) -> None:
    across, down = [*source, "end"][:_MOST_TOKENS], [*output, "end"][:_MOST_TOKENS]
    panel.imshow(weights[: len(down), : len(across)], cmap="Reds", vmin=0, vmax=1, aspect="auto")
    turned = 90 if max(map(len, source)) > 1 else 0
    small = 6 if max(len(across), len(down)) > 25 else 8
    labels = [token if len(token) < 12 else f"{token[:10]}…" for token in across]
    panel.set_xticks(range(len(across)), labels, fontsize=small, rotation=turned, parse_math=False)
    panel.get_xticklabels()[-1].set_rotation(90)
    panel.set_yticks(range(len(down)), down, fontsize=small, parse_math=False)
    panel.tick_params(length=0)
    panel.xaxis.tick_top()
    panel.spines[:].set_visible(False)
