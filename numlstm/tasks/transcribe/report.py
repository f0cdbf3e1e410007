"""The report on a transcriber: a sentence and a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.tasks.transcribe.measure import RIVALS
from numlstm.tasks.transcribe.network import Transcriber
from numlstm.tasks.transcribe.recordings import Recordings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Example", "draw", "examples_of", "sentence"]

_SHOWN = 3
_MOST_FRAMES = 500
"""Frames of a recording in the picture, if there are shorter ones."""


@dataclass(frozen=True)
class Example:
    """A recording and what the model made of it.

    frames: [T, BANDS]
    text, said: the right text, and the model's
    places: the characters that the model wrote, each with the frame at which it did
    """

    file: str
    frames: np.ndarray
    text: str
    said: str
    places: list[tuple[str, int]]


def examples_of(recordings: Recordings, transcriber: Transcriber, most: int = 24) -> list[Example]:
    """What a model makes of the first recordings, with texts."""
    chosen = recordings.part(range(min(most, len(recordings.files))))
    assert chosen.texts is not None
    found = []
    each = zip(chosen.files, chosen.frames, chosen.texts, transcriber.logits(chosen.frames), strict=True)
    for file, frames, text, logits in each:
        best = logits.argmax(axis=1)
        new = np.flatnonzero((best > 0) & (best != np.concatenate([[0], best[:-1]])))
        places = [(transcriber.characters[best[step] - 1], int(step) * transcriber.stack) for step in new]
        found.append(Example(file, frames, text, transcriber.text(logits), places))
    return found


def sentence(metrics: Mapping[str, Any]) -> str:
    """Compare the model with its rivals on the held-out part, in one line."""
    voices = f" of {metrics['voices']} unheard voices" if metrics["voices"] else ""
    text = (
        f"held out {metrics['recordings']:,} recordings{voices}: {100 * metrics['error_rate']:.1f} % of characters"
        f" wrong, {100 * metrics['word_error_rate']:.1f} % of words"
    )
    known = {name: metrics[f"{name}_error_rate"] for name in RIVALS if f"{name}_error_rate" in metrics}
    against = ", ".join(f"{RIVALS[name]} {100 * rate:.1f} %" for name, rate in known.items())
    worse = min(known.values()) <= metrics["error_rate"]
    return f"{text}, against {against} of characters" + (", no better than these" if worse else "")


def draw(path: Path, name: str, metrics: Mapping[str, Any], examples: Sequence[Example]) -> None:
    """Plot the frames of some held-out recordings, with each character where the model wrote it.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        name: the name of the data.
        metrics: the errors on the held-out part.
        examples: the recordings.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing, save

    short = [each for each in examples if len(each.frames) <= _MOST_FRAMES] or list(examples)
    shown = short[:_SHOWN]
    with drawing():
        figure = Figure(figsize=(10, 0.8 + 1.9 * len(shown)), dpi=110, layout="constrained")
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for panel, example in zip(panels, shown, strict=True):
            _draw_example(panel, example)
        panels[-1].set_xlabel("seconds", fontsize=9)
        title = "\n".join(textwrap.wrap(f"{name}: {sentence(metrics)}", 140))
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left", parse_math=False)
        save(figure, path)


def _draw_example(panel: Axes, example: Example) -> None:
    """The energies, low bands at the bottom, and the text above them."""
    frames = example.frames.astype(np.float32).T
    low, high = np.percentile(frames, [5, 99.5])
    seconds = len(example.frames) / 100
    panel.imshow(
        frames, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high, extent=(0, seconds, 0, len(frames))
    )
    for character, frame in example.places:
        panel.axvline(frame / 100, color="white", linewidth=0.6, alpha=0.5)
        panel.text(
            frame / 100, len(frames) + 1, "␣" if character == " " else character, fontsize=14, ha="center",
            va="bottom", family="monospace", weight="bold", parse_math=False,
        )  # fmt: skip
    mark = "right" if example.said == example.text else f"true: {example.text}"
    panel.set_ylabel(f"{example.file}\n{mark}", fontsize=8, parse_math=False)
    panel.set_yticks([])
    panel.spines[:].set_visible(False)
