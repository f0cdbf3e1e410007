"""The charts of a report: the series, its held-out part, what comes next, the errors by step, and the training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from numlstm.data.series import Series
from numlstm.page.chart import Band, Chart, Line, extremes
from numlstm.tasks.forecast.fitted import Bounds, Forecasts
from numlstm.tasks.forecast.history import History
from numlstm.tasks.forecast.report import NAMES

__all__ = ["by_step", "coming", "held_out", "learning", "whole"]

_MOST_SHOWN = 400
"""Rows of the held-out part that are drawn."""
_PARTS = 500
"""Parts of the whole series of which the lowest and the highest value are drawn."""
_MOST_EPOCHS = 400
_OTHERS = ("other1", "other2", "other3")


def whole(series: Series, test: int) -> Chart:
    """The whole series, with another background from index `test` on."""
    target = series.values[:, 0]
    # The first row of the held-out part is always there.
    shown = np.union1d(extremes(target, 2 * _PARTS), [min(test, len(target) - 1)])
    labels = series.labels()
    note = "the part with another background is held out. " if test < len(target) else ""
    if len(shown) < len(target):
        note += f"Of {len(target):,} rows, the lowest and the highest of each of {_PARTS} parts are drawn."
    return Chart(
        "The series:", note, series.clock[shown], [labels[row] for row in shown], _axis_name(series),
        series.target, [Line(series.target, target[shown], "true")],
        shaded=int(np.searchsorted(shown, test)) if test < len(target) else None,
    )  # fmt: skip


def held_out(series: Series, forecasts: Forecasts, part: str) -> Chart:
    """True and predicted values, the last step of each forecast, and some values before them.

    Args:
        series: the whole series.
        forecasts: those of its end.
        part: what the end is.
    """
    horizon = forecasts.true.shape[1]
    count = len(forecasts.true)
    shown = min(count, _MOST_SHOWN)
    start = len(series) - shown
    before = max(0, start - min(shown, 100)) if shown == count else start
    lead = np.full(start - before, np.nan)

    def end(values: np.ndarray) -> np.ndarray:
        return np.concatenate([lead, values[-shown:, -1]])

    name = "predicted" if horizon == 1 else f"predicted {horizon} steps ahead"
    others = iter(_OTHERS)
    lines = [Line(name, end(forecasts.predicted), "model"), Line("true", series.values[before:, 0], "true")]
    lines += [_rival(rule, end(values), rule == forecasts.best, others) for rule, values in forecasts.rivals.items()]
    note = "" if shown == count else f", the last {shown} of {count:,} rows"
    return Chart(
        "True and predicted values:", f"{part}{note}.", series.clock[before:], series.labels(slice(before, None)),
        _axis_name(series), series.target, lines, _bands({name: end(each) for name, each in forecasts.bounds.items()}),
        start - before,
    )  # fmt: skip


def coming(series: Series, predicted: np.ndarray, bounds: Bounds) -> Chart:
    """The forecast after the end of a series, and some values before it.

    Raises:
        ValueError: the axis cannot go on.
    """
    steps = len(predicted)
    before = min(len(series), max(min(3 * steps, _MOST_SHOWN), 30))
    known, unknown = np.full(before - 1, np.nan), np.full(steps, np.nan)
    target = series.values[-before:, 0]

    def after(values: np.ndarray) -> np.ndarray:
        return np.concatenate([known, target[-1:], values])  # A line from the last value on.

    clock = np.concatenate([series.clock[-before:], series.next_clock(steps)])
    labels = [*series.labels(slice(len(series) - before, None)), *series.next_labels(steps)]
    lines = [
        Line("predicted", after(predicted), "model"),
        Line("true", np.concatenate([target, unknown]), "true"),
    ]
    bands = _bands({name: after(each) for name, each in bounds.items()})
    return Chart(
        "What comes next:", f"the forecast of {steps} step{'s'[: steps > 1]} after the end of the data.", clock, labels,
        _axis_name(series), series.target, lines, bands, before - 1,
    )  # fmt: skip


def by_step(metrics: dict[str, Any]) -> Chart:
    """The errors of each step ahead; metrics: of `measure` for a horizon above 1."""
    ahead = np.arange(1, len(metrics["rmse_by_step"]) + 1)
    others = iter(_OTHERS)
    every = tuple(range(len(ahead)))
    lines = [Line("the model", np.array(metrics["rmse_by_step"]), "model", every if len(every) <= 30 else ())]
    for rule in NAMES:
        if f"{rule}_rmse_by_step" in metrics:
            lines.append(_rival(rule, np.array(metrics[f"{rule}_rmse_by_step"]), rule == metrics["rival"], others))
    labels = [f"{step} step{'s'[: step > 1]} ahead" for step in ahead.tolist()]
    return Chart("Error by step:", "RMSE of each step ahead.", ahead, labels, "steps ahead", "RMSE", lines)


def learning(name: str, histories: Sequence[History], note: str) -> Chart:
    """The losses of some models by epoch, with the best epoch of each marked.

    Args:
        name: what they are.
        histories: their losses, an epoch at least in one of them.
        note: what the best epochs mean.
    """
    most = max(len(history["loss"]) for history in histories)
    # Every epoch of a short training, and every best one.
    best = [int(np.argmin(history.get("val_loss") or history["loss"])) for history in histories]
    shown = np.union1d(np.linspace(0, most - 1, min(most, _MOST_EPOCHS)).astype(int), best)
    lines = []
    for key, kind in (("val_loss", "model"), ("loss", "faint")):
        for number, (history, epoch) in enumerate(zip(histories, best, strict=True), start=1):
            if key not in history:
                continue
            values = np.full(most, np.nan)
            values[: len(history[key])] = history[key]
            marked = key == "val_loss" or "val_loss" not in history
            label = key if len(histories) == 1 else f"{key} of model {number}"
            legend = key if number == 1 else ""
            dots = (int(np.searchsorted(shown, epoch)),) if marked else ()
            lines.append(Line(label, values[shown], kind, dots, legend))
    epochs = shown + 1
    return Chart(name, note, epochs, [f"epoch {epoch}" for epoch in epochs.tolist()], "epoch", "loss", lines)


def _rival(rule: str, values: np.ndarray, best: bool, others: Iterator[str]) -> Line:
    """The line of a naive rule. Only the best one may widen the axis. others: the kinds of lines of the others."""
    return Line(NAMES[rule], values, "rival" if best else next(others), minor=not best)


def _bands(bounds: Bounds) -> list[Band]:
    """The widest first, so that the others are drawn over it."""
    levels = [name.removeprefix("lower_") for name in bounds if name.startswith("lower_")]
    return [Band(f"{level} %", bounds[f"lower_{level}"], bounds[f"upper_{level}"]) for level in reversed(levels)]


def _axis_name(series: Series) -> str:
    return series.axis_name or "row"
