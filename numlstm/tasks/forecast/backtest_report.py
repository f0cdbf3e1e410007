"""The report on a backtest: tables for a reader, plain data, a CSV of every forecast, and fan charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.messages import plain
from numlstm.plot import Fan, drawing, fan_figure, save
from numlstm.tasks.forecast.backtest import Backtest, MeasuredFold, Scores
from numlstm.tasks.task import Table, distinct

__all__ = ["BacktestReport"]

_MOST_ROWS = 400
"""Rows of the folds that are drawn in one panel. Of more, each fold has its own panel with its beginning."""
_MOST_PANELS = 12
_MOST_SHOWN = 60
"""Forecasts one step ahead that a panel of one fold shows."""
_LEAST_PART = 8
"""A fan of several steps in a panel with all folds takes at least one part in this many of its fold."""


@dataclass(frozen=True)
class BacktestReport:
    """The report on a backtest. `numlstm.tasks.task.Backtest` documents the methods."""

    result: Backtest

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a user should know of the data."""
        return self.result.series.notes

    def text(self) -> str:
        """A table of the folds, and with a horizon above 1 a table of the steps ahead."""
        result, folds = self.result, self.result.folds
        whole = result.scores()
        levels = list(whole.coverage)
        names = ("rmse", "mase", *(f"in {level} %" for level in levels), "rmse ratio")
        rows = [("fold", "from", "to", "rows", *names, "rival")]
        for number, fold in enumerate(folds):
            scores = result.scores(number)
            rows.append((
                str(number + 1), *self._ends(fold.span), str(_length(fold.span)), *_numbers(scores, levels),
                fold.forecasts.best,
            ))  # fmt: skip
        every = slice(folds[0].span.start, folds[-1].span.stop)
        rows.append(("all", *self._ends(every), str(_length(every)), *_numbers(whole, levels), ""))
        text = self._introduction() + _aligned(rows)
        if result.horizon > 1:
            steps = [(str(step + 1), *_numbers(result.scores(step=step), levels)) for step in range(result.horizon)]
            text += "\n" + _aligned([("step", *names), *steps])
        return text

    def metrics(self) -> dict[str, Any]:
        """The errors by fold, over all folds and by step."""
        result = self.result
        folds = []
        for number, fold in enumerate(result.folds):
            first, last = self._ends(fold.span)
            folds.append({
                "from": first, "to": last, "rows": _length(fold.span), "origins": len(fold.forecasts.true),
                "fitted_rows": fold.fitted, "season": fold.season, "rival": fold.forecasts.best,
                **asdict(result.scores(number)),
            })  # fmt: skip
        return {
            "name": result.series.name,
            "target": result.series.target,
            "horizon": result.horizon,
            "refit": result.refit,
            "folds": folds,
            "all": asdict(result.scores()),
            "by_step": [asdict(result.scores(step=step)) for step in range(result.horizon)],
        }

    def forecasts(self) -> Table:
        """A row for each fold, origin and step."""
        names = list(self.result.folds[0].forecasts.bounds)
        series = self.result.series
        header = ("fold", "origin", "step", series.axis_name or "row", series.target, "predicted", *names)
        return Table(distinct(header), self._rows(names))

    def _rows(self, names: list[str]) -> Iterator[tuple[object, ...]]:
        labels = self._labels
        for number, fold in enumerate(self.result.folds, start=1):
            found = fold.forecasts
            bounds = [found.bounds.get(name) for name in names]
            for row, column in np.ndindex(found.true.shape):
                at = found.first + row
                values = [found.predicted, *bounds]
                yield (
                    number, labels[at - 1], column + 1, labels[at + column], float(found.true[row, column]),
                    *("" if each is None else f"{each[row, column]:.8g}" for each in values),
                )  # fmt: skip

    def draw(self, path: Path) -> None:
        """Plot the forecast from the first origin of each fold, or the forecasts one step ahead over each fold."""
        result, series = self.result, self.result.series
        scores, count = result.scores(), len(result.folds)
        text = f"{series.name}: rmse {scores.rmse:.4g}, mase {_number(scores.mase)}"
        text += f", rmse ratio {_number(scores.rmse_ratio)}"
        text += f" over {count} fold{'s' * (count > 1)}"
        text += f", 1 to {result.horizon} steps ahead" if result.horizon > 1 else ""
        panels = _panels(result)
        if len(panels) not in (1, count):
            text += f"; the last {len(panels)} are shown"
        if len(panels) > 1 and result.horizon == 1 and _length(result.folds[0].span) > _MOST_SHOWN:
            text += f"; the first {_MOST_SHOWN} rows of each"
        with drawing():
            figure = fan_figure(
                series.clock, series.values[:, 0], [_fan(series.values[:, 0], fold) for fold in result.folds], panels,
                title=text, axis_name=series.axis_name or "row", target=series.target,
            )  # fmt: skip
            save(figure, path)

    def _introduction(self) -> str:
        """What was measured, on how many rows it was trained, and what the columns mean."""
        result, folds = self.result, self.result.folds
        name = plain(f"{result.series.name}: {result.series.target}")
        count = f"{len(folds)} folds" if len(folds) > 1 else "1 fold"
        ahead = "1 step" if result.horizon == 1 else f"1 to {result.horizon} steps"
        fitted = sorted({fold.fitted for fold in folds})
        rows = f"{fitted[0]} rows" if len(fitted) == 1 else f"{fitted[0]} to {fitted[-1]} rows"
        rules = ["persistence"] if any(fold.season is None for fold in folds) else []
        rules += ["the seasonal naive rule"] if any(fold.season is not None for fold in folds) else []
        return (
            f"{name}, {count} of {_length(folds[0].span)} rows, {ahead} ahead from every origin\n"
            f"trained {'for every fold' if result.refit else 'once'} on {rows}; mase scaled by {' or '.join(rules)}"
            " there\nrmse ratio: model ÷ rival, the best naive rule of the validation part\n\n"
        )

    def _ends(self, span: slice) -> list[str]:
        """The axis values of the first and the last row."""
        return [self._labels[span.start], self._labels[span.stop - 1]]

    @cached_property
    def _labels(self) -> list[str]:
        return self.result.series.labels()


def _length(span: slice) -> int:
    return int(span.stop - span.start)


def _numbers(scores: Scores, levels: list[str]) -> list[str]:
    covered = [f"{100 * scores.coverage[level]:.1f} %" if level in scores.coverage else "-" for level in levels]
    return [f"{scores.rmse:#.4g}", _number(scores.mase), *covered, _number(scores.rmse_ratio)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of numbers aligned to the right, that of the rival to the left."""
    formats = [
        f"{'<' if name == 'rival' else '>'}{max(map(len, column))}"
        for name, column in zip(rows[0], zip(*rows, strict=True), strict=True)
    ]
    lines = ["  ".join(map(format, row, formats)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)


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


def _panels(result: Backtest) -> list[slice]:
    """The rows that each panel shows: all folds in one, or the beginning of each in its own."""
    spans, horizon = [fold.span for fold in result.folds], result.horizon
    begin, end, length = spans[0].start, spans[-1].stop, _length(spans[0])
    if end - begin <= _MOST_ROWS and (horizon == 1 or length <= _LEAST_PART * horizon):
        return [slice(max(0, begin - max(length, 2 * horizon)), end)]
    before, after = (20, min(length, _MOST_SHOWN)) if horizon == 1 else (3 * horizon, min(length, 2 * horizon))
    return [slice(max(0, span.start - before), span.start + after) for span in spans[-_MOST_PANELS:]]
