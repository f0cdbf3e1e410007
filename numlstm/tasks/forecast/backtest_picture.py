"""The picture of a backtest: fan charts of the folds of one series, or of a few."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numlstm.messages import plain
from numlstm.plot import drawing, save
from numlstm.tasks.forecast.backtest import Backtest, MeasuredFold
from numlstm.tasks.forecast.charts import Fan, FanChart, fan_figure, fan_rows_figure
from numlstm.tasks.forecast.multiples import FEW, UNIT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

_MOST_ROWS = 400
"""Rows of the folds that are drawn in one panel. Of more, each fold has its own panel with its beginning."""
_MOST_PANELS = 12
_MOST_SHOWN = 60
"""Forecasts one step ahead that a panel of one fold shows."""
_LEAST_PART = 8
"""A fan of several steps in a panel with all folds takes at least one part in this many of its fold."""
_MOST_BESIDE = 3
"""Folds of a series, the last ones, that are drawn beside each other where each of several series has a row."""


def draw(path: Path, result: Backtest) -> None:
    """Plot the forecast from the first origin of each fold, or the forecasts one step ahead over each fold.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        result: the forecasts. Of several series, the first few are drawn.
    """
    with drawing():
        save(_figure(result) if result.panel.alone else _figure_of_several(result), path)


def _figure(result: Backtest) -> Figure:
    series, folds = result.panel.series[0], result.folds
    panels = _panels(folds, _fit_in_one(folds))
    text = f"{series.name}: {_headline(result)}"
    if len(panels) not in (1, len(folds)):
        text += f"; the last {len(panels)} are shown"
    text += _first_rows(folds, panels)
    target = series.values[:, 0]
    return fan_figure(
        series.clock, target, [_fan(target, fold) for fold in folds], panels,
        title=text, axis_name=series.axis_name or "row", target=series.target,
    )  # fmt: skip


def _figure_of_several(result: Backtest) -> Figure:
    """A row for each of a few series: a panel with all folds, or the last folds beside each other."""
    panel, shown = result.panel, result.each[:FEW]
    in_one = all(_fit_in_one(folds) for folds in shown)
    charts = []
    for number, (name, series, folds) in enumerate(zip(panel.names, panel, shown, strict=False)):
        target, ratio = series.values[:, 0], result.scores(series=number).rmse_ratio
        title = plain(name, 60) + ("" if ratio is None else f": rmse ratio {ratio:.3f}")
        fans, panels = [_fan(target, fold) for fold in folds], _panels(folds, in_one)[-_MOST_BESIDE:]
        charts.append(FanChart(series.clock, target, fans, panels, title, series.target))
    folds = result.folds
    more = f", the first {FEW} of {len(panel)} series" if len(panel) > FEW else ""
    text = f"{panel.name}{more}: {_headline(result, f' {UNIT}')}"
    if not in_one:
        text += f"; the last {_MOST_BESIDE} are shown" * (len(folds) > _MOST_BESIDE)
        text += _first_rows(max(shown, key=lambda each: _length(each[0])), charts[0].panels)
    return fan_rows_figure(charts, text, panel.series[0].axis_name or "row")


def _headline(result: Backtest, unit: str = "") -> str:
    """The errors over all folds."""
    scores, count = result.scores(), len(result.folds)
    mase, ratio = ("-" if value is None else f"{value:.3f}" for value in (scores.mase, scores.rmse_ratio))
    text = f"rmse {scores.rmse:.4g}{unit}, mase {mase}, rmse ratio {ratio} over {count} fold{'s' * (count > 1)}"
    return text + (f", 1 to {result.horizon} steps ahead" if result.horizon > 1 else "")


def _first_rows(folds: Sequence[MeasuredFold], panels: Sequence[slice]) -> str:
    """Say that panels of one fold show the beginning of a long one alone."""
    long = folds[0].forecasts.true.shape[1] == 1 and _length(folds[0]) > _MOST_SHOWN
    return f"; the first {_MOST_SHOWN} rows of each" if len(panels) > 1 and long else ""


def _length(fold: MeasuredFold) -> int:
    return int(fold.span.stop - fold.span.start)


def _fan(target: np.ndarray, fold: MeasuredFold) -> Fan:
    """The forecast from the first origin of a fold; with a horizon of 1, the forecasts from all of its origins."""
    found, first = fold.forecasts, fold.span.start
    ahead = found.true.shape[1] > 1

    def drawn(values: np.ndarray) -> np.ndarray:
        return np.append(target[first - 1], values[0]) if ahead else values[:, 0]

    levels = [name.removeprefix("lower_") for name in found.bounds if name.startswith("lower_")]
    intervals = {
        level: (drawn(found.bounds[f"lower_{level}"]), drawn(found.bounds[f"upper_{level}"])) for level in levels
    }
    return Fan(first, first - ahead, drawn(found.predicted), intervals)


def _fit_in_one(folds: list[MeasuredFold]) -> bool:
    """Whether the folds of a series can be read in one panel."""
    horizon = folds[0].forecasts.true.shape[1]
    few = folds[-1].span.stop - folds[0].span.start <= _MOST_ROWS
    return few and (horizon == 1 or _length(folds[0]) <= _LEAST_PART * horizon)


def _panels(folds: list[MeasuredFold], in_one: bool) -> list[slice]:
    """The rows that each panel shows: all folds in one, or the beginning of each in its own."""
    spans, length, horizon = [fold.span for fold in folds], _length(folds[0]), folds[0].forecasts.true.shape[1]
    if in_one:
        return [slice(max(0, spans[0].start - max(length, 2 * horizon)), spans[-1].stop)]
    before, after = (20, min(length, _MOST_SHOWN)) if horizon == 1 else (3 * horizon, min(length, 2 * horizon))
    return [slice(max(0, span.start - before), span.start + after) for span in spans[-_MOST_PANELS:]]
