"""The report on memory: a sentence and a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.tasks.memory.problems import ALPHABET
from numlstm.tasks.memory.settings import Settings
from numlstm.tasks.memory.train import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAMES", "Gradients", "draw", "sentence", "summary"]

Gradients = Mapping[tuple[str, str, int], np.ndarray]
"""Norms by distance, as `numlstm.tasks.memory.train.Training` has them."""

_COLORS = {"rnn": "0.45", "lstm": "#d1495b", "lstm, forget bias 1": "#e8a0a9", "gru": "#2e7d8f"}
NAMES = {"rnn": "RNN", "lstm": "LSTM", "lstm, forget bias 1": "LSTM, forget bias 1", "gru": "GRU"}
"""The cells, and curves of another beginning, in a report."""
_LEAST = 1e-16
"""The smallest norm that the picture can show."""


def summary(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Sum up the trials of each lag and cell.

    Returns:
        The numbers of trials and of those that solved the problem, the median of the sequences that these needed, and
        the means of error and right answers over all trials.
    """
    groups = dict.fromkeys((result.trial.lag, result.trial.cell) for result in results)
    found = []
    for lag, cell in groups:
        ones = [result for result in results if (result.trial.lag, result.trial.cell) == (lag, cell)]
        needed = [result.sequences for result in ones if result.solved]
        found.append(
            {
                "lag": lag,
                "cell": cell,
                "trials": len(ones),
                "solved": len(needed),
                "sequences": float(np.median(needed)) if needed else None,
                "error": float(np.mean([result.error for result in ones])),
                "right": float(np.mean([result.right for result in ones])),
            }
        )
    return found


def sentence(settings: Settings, results: Sequence[Result]) -> str:
    """Compare the cells at the longest lag, and with answers that need no memory, in one line."""
    lag = results[-1].trial.lag
    parts = []
    for row in (row for row in summary(results) if row["lag"] == lag):
        needed = "" if row["sequences"] is None else f" in {row['sequences']:,.0f} sequences"
        error = f"mean error {row['error']:.3f}"
        if settings.problem == "copy":
            error = f"{100 * (1 - row['error']):.0f} % of the symbols right"
        parts.append(f"{NAMES[row['cell']]} solved {row['solved']} of {row['trials']}{needed}, {error}")
    rival = "the mean as the answer 0.333" if settings.problem == "adding" else f"guessing {100 / ALPHABET:.0f} %"
    return f"{settings.problem} at lag {lag}: {'; '.join(parts)}; {rival}"


def draw(path: Path, settings: Settings, results: Sequence[Result], gradients: Gradients) -> None:
    """Plot the sequences that each cell needed by lag, and the gradients by distance before and after training.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        settings: the settings.
        results: those of the trials.
        gradients: the norms of the gradients.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing, save

    with drawing():
        figure = Figure(figsize=(11, 4), dpi=150, layout="constrained")
        needed, before, after = figure.subplots(1, 3, width_ratios=(1.1, 1, 1))
        _draw_sequences(needed, settings, results)
        after.sharey(before)
        lag = results[-1].trial.lag
        for panel, when in ((before, "before"), (after, "after")):
            _draw_gradients(panel, gradients, when)
            panel.set_title(f"gradient {when} training, lag {lag}", fontsize=10)
        before.set_ylabel("‖∂h at the end / ∂x‖")
        before.set_ylim(max(_LEAST, min(map(np.min, gradients.values())) / 3), 10)
        after.tick_params(labelleft=False)
        title = "\n".join(textwrap.wrap(sentence(settings, results), 150))
        figure.suptitle(title, fontsize=10, x=0.01, ha="left", parse_math=False)
        save(figure, path)


def _draw_sequences(panel: Axes, settings: Settings, results: Sequence[Result]) -> None:
    rows = summary(results)
    for number, cell in enumerate(settings.cells):
        own = [result for result in results if result.trial.cell == cell]
        shift = 1.03 ** (number - (len(settings.cells) - 1) / 2)  # Marks of several cells must not hide each other.
        for solved, marker in ((True, "o"), (False, "x")):
            ones = [each for each in own if each.solved is solved]
            panel.plot(
                [each.trial.lag * shift for each in ones], [each.sequences for each in ones], marker, ms=5,
                color=_COLORS[cell], alpha=0.6,
            )  # fmt: skip
        line = [(row["lag"] * shift, row["sequences"]) for row in rows if row["cell"] == cell and row["solved"]]
        panel.plot([x for x, _ in line], [y for _, y in line], color=_COLORS[cell], label=NAMES[cell])
    panel.axhline(settings.budget, color="0.75", linewidth=0.8, linestyle=":")
    panel.set_xscale("log")
    panel.set_xticks(settings.lags, [str(lag) for lag in settings.lags], minor=False)
    panel.minorticks_off()
    panel.set_ylim(0, 1.06 * max(settings.budget, *(result.sequences for result in results)))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panel.set_title("sequences until solved (× not solved)", fontsize=10)
    panel.set_xlabel("lag in steps")
    _dress(panel)


def _draw_gradients(panel: Axes, gradients: Gradients, when: str) -> None:
    """One thick line for the median of each cell, and a thin one for each seed."""
    chosen = {key: np.maximum(norms, _LEAST / 10) for key, norms in gradients.items() if key[1] == when}
    for cell in dict.fromkeys(key[0] for key in chosen):
        ones = [norms for key, norms in chosen.items() if key[0] == cell]
        for norms in ones:
            panel.plot(norms, color=_COLORS[cell], linewidth=0.6, alpha=0.5)
        panel.plot(np.median(ones, axis=0), color=_COLORS[cell], linewidth=1.8, label=NAMES[cell])
    panel.set_yscale("log")
    panel.set_xlabel("steps before the end")
    _dress(panel)


def _dress(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="0.9", linewidth=0.6)
    panel.legend(frameon=False, fontsize=8)
