"""The report on memory as a page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from numlstm.page.chart import Chart, Line
from numlstm.page.html import code, document, paragraph, section, table
from numlstm.tasks.memory.options import COMMAND
from numlstm.tasks.memory.report import NAMES, Gradients, sentence, summary
from numlstm.tasks.memory.settings import Settings
from numlstm.tasks.memory.train import Result

__all__ = ["page"]

_KINDS = ("rival", "model", "other1", "other2")
_LEAST = 1e-30


def page(settings: Settings, results: Sequence[Result], gradients: Gradients) -> str:
    """The page as HTML. Arguments as for `numlstm.tasks.memory.report.draw`."""
    return document(
        f"{settings.problem}: what recurrent cells remember",
        paragraph(f"{sentence(settings, results)}.", "lead"),
        [
            section("Lags and cells", [_table(settings, results)]),
            section("The gradient", list(_charts(gradients))),
            section("Repeat it", [code(_command(settings))]),
        ],
    )


def _table(settings: Settings, results: Sequence[Result]) -> str:
    rows = [
        [
            row["lag"], NAMES[row["cell"]], f"{row['solved']} of {row['trials']}",
            "" if row["sequences"] is None else f"{row['sequences']:,.0f}",
            f"{row['error']:.3f}", f"{row['right']:.3f}",
        ]
        for row in summary(results)
    ]  # fmt: skip
    error = "mean error" if settings.problem == "adding" else "share of wrong symbols"
    return table(
        "The sequences are the median of the trials that solved the problem; errors are means over all trials, on"
        " sequences that decided nothing.",
        ("lag", "cell", "solved", "sequences", error, "share of right answers"),
        rows,
    )


def _charts(gradients: Gradients) -> Iterator[str]:
    """The medians over the seeds, before and after training."""
    length = len(next(iter(gradients.values())))
    axis = np.arange(length)
    labels = [f"{distance} steps before the end" for distance in axis.tolist()]
    for when in ("before", "after"):
        cells = dict.fromkeys(cell for cell, part, _ in gradients if part == when)
        lines = []
        for cell, kind in zip(cells, _KINDS, strict=False):
            ones = [norms for key, norms in gradients.items() if key[:2] == (cell, when)]
            lines.append(Line(NAMES[cell], np.log10(np.maximum(np.median(ones, axis=0), _LEAST)), kind))
        yield Chart(
            f"Gradient {when} training:", "of the last output by the input; the median of the seeds.", axis, labels,
            "steps before the end", "log₁₀ of the norm", lines,
        ).html()  # fmt: skip


def _command(settings: Settings) -> str:
    """The command that repeats the training."""
    usual, words = asdict(Settings()), ["numlstm", "train", "memory"]
    flags: Mapping[str, str] = {option.name: option.flag for option in COMMAND.options}
    for name, value in asdict(settings).items():
        if value != usual[name] or (name == "lags" and settings.problem != usual["problem"]):
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"{flags[name]}={text}"] if text.startswith("-") else [flags[name], text]
    return shlex.join(words)
