"""The report on a backtest: tables for a reader, plain data, a CSV of every forecast, and fan charts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.messages import plain
from numlstm.tasks.forecast import backtest_picture
from numlstm.tasks.forecast.backtest import Backtest, Scores
from numlstm.tasks.forecast.multiples import UNIT
from numlstm.tasks.forecast.panel_table import together
from numlstm.tasks.forecast.pooled import BEST_RULE
from numlstm.tasks.task import Table, distinct

__all__ = ["BacktestReport"]

_COMMON = 4
"""The first columns of the CSV, which several targets share: fold, origin, step and the axis."""


@dataclass(frozen=True)
class BacktestReport:
    """The report on a backtest. `numlstm.tasks.task.Backtest` documents the methods."""

    result: Backtest

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a user should know of the data."""
        return self.result.panel.notes

    def text(self) -> str:
        """A table of the folds; with a horizon above 1, one of the steps ahead; of several series, one of these."""
        result, panel = self.result, self.result.panel
        each = [] if panel.alone else [result.scores(series=series) for series in range(len(panel))]
        whole = result.scores()
        levels = list(whole.coverage)
        names = ("rmse", "mase", *(f"in {level} %" for level in levels), "rmse ratio")
        header = ("from", "to", "rows", *names, *(["rival"] if panel.alone else []))
        folds = [("fold", *header)]
        for fold in range(len(result.folds)):
            rival = [result.folds[fold].forecasts.best] if panel.alone else []
            folds.append((str(fold + 1), *self._extent(fold), *_numbers(result.scores(fold), levels), *rival))
        folds.append(("all", *self._extent(), *_numbers(whole, levels), *([""] if panel.alone else [])))
        tables: list[Sequence[Sequence[str]]] = [folds]
        if result.horizon > 1:
            steps = [(str(step + 1), *_numbers(result.scores(step=step), levels)) for step in range(result.horizon)]
            tables.append([("step", *names), *steps])
        if each:
            rows = [
                (plain(name, 60), *self._extent(series=series), *_numbers(scores, levels), self._rivals(series))
                for series, (name, scores) in enumerate(zip(panel.names, each, strict=True))
            ]
            tables.append([("series", "from", "to", "rows", *names, "rival"), *rows])
        return self._introduction() + "\n".join(map(_aligned, tables))

    def metrics(self) -> dict[str, Any]:
        """The errors by fold, over all folds and by step; of several series, these of each under "series" too."""
        panel = self.result.panel
        named = {} if panel.alone else {name: self._errors(series) for series, name in enumerate(panel.names)}
        about = {"groups": list(panel.groups), "targets": list(panel.targets)}
        return {
            "name": panel.name,
            **({"target": panel.targets[0]} if panel.alone else about),
            "horizon": self.result.horizon,
            "refit": self.result.refit,
            **self._errors(),
            **({"series": named} if named else {}),
        }

    def forecasts(self) -> Table:
        """A row for each fold, origin and step. Groups stand before it, several targets beside each other."""
        panel = self.result.panel
        return together(panel, [self._table(series) for series in range(len(panel))], _COMMON)

    def draw(self, path: Path) -> None:
        """Plot the forecast from the first origin of each fold, or the forecasts one step ahead over each fold."""
        backtest_picture.draw(path, self.result)

    def _errors(self, series: int | None = None) -> dict[str, Any]:
        """The errors of one series, or of all, as plain data."""
        result, folds = self.result, []
        for number in range(len(result.folds)):
            parts = result.parts(number, series)
            first, last, _ = self._extent(number, series)
            one = series is not None or result.panel.alone
            folds.append({
                "from": first, "to": last, "rows": self._rows((_length(part.span) for part in parts), series),
                "origins": sum(len(part.forecasts.true) for part in parts),
                "fitted_rows": self._rows((part.fitted for part in parts), series), "season": parts[0].season,
                "rival": parts[0].forecasts.best if one else BEST_RULE, **asdict(result.scores(number, series=series)),
            })  # fmt: skip
        return {
            "folds": folds,
            "all": asdict(result.scores(series=series)),
            "by_step": [asdict(result.scores(step=step, series=series)) for step in range(result.horizon)],
        }

    def _table(self, number: int) -> Table:
        """A row for each fold, origin and step of a series."""
        folds, series = self.result.each[number], self.result.panel.series[number]
        names = list(folds[0].forecasts.bounds)
        header = ("fold", "origin", "step", series.axis_name or "row", series.target, "predicted", *names)

        def rows() -> Iterator[tuple[object, ...]]:
            labels = self._labels[number]
            for fold, part in enumerate(folds, start=1):
                found = part.forecasts
                columns = [found.predicted, *(found.bounds.get(name) for name in names)]
                for row, step in np.ndindex(found.true.shape):
                    at = found.first + row
                    yield (
                        fold, labels[at - 1], step + 1, labels[at + step], float(found.true[row, step]),
                        *("" if each is None else f"{each[row, step]:.8g}" for each in columns),
                    )  # fmt: skip

        return Table(distinct(header), rows())

    def _introduction(self) -> str:
        """What was measured, on how many rows it was trained, and what the columns mean."""
        result, folds, panel = self.result, self.result.folds, self.result.panel
        name = plain(f"{panel.name}: {', '.join(panel.targets)}")
        series = "" if panel.alone else f", {len(panel)} series"
        count = f"{len(folds)} folds" if len(folds) > 1 else "1 fold"
        ahead = "1 step" if result.horizon == 1 else f"1 to {result.horizon} steps"
        lengths = _range({_length(part.span) for part in result.parts()})
        fitted = _range({self._rows(part.fitted for part in result.parts(fold)) for fold in range(len(folds))})
        rules = ["persistence"] if any(part.season is None for part in result.parts()) else []
        rules += ["the seasonal naive rule"] if any(part.season is not None for part in result.parts()) else []
        exact = sum(any(not part.scale for part in each) for each in result.each)
        without = f", without {exact} series where it is exact" if exact and not panel.alone else ""
        text = (
            f"{name}{series}, {count} of {lengths} rows, {ahead} ahead from every origin\n"
            f"trained {'for every fold' if result.refit else 'once'} on {fitted} rows; mase scaled by"
            f" {' or '.join(rules)} there{without}\n"
            "rmse ratio: model ÷ rival, the best naive rule of the validation part\n"
        )
        return text + ("\n" if panel.alone else f"rmse of all series: {UNIT}; by series: in its own units\n\n")

    def _extent(self, fold: int | None = None, series: int | None = None) -> tuple[str, str, str]:
        """The first and the last axis value of one fold or of all, and the number of rows."""
        panel = self.result.panel
        ends = []
        for number in range(len(panel)) if series is None else [series]:
            spans = [part.span for part in self.result.parts(fold, number)]
            ends.append((number, spans[0].start, spans[-1].stop - 1))
        first = min(ends, key=lambda end: panel.series[end[0]].clock[end[1]])
        last = max(ends, key=lambda end: panel.series[end[0]].clock[end[2]])
        rows = self._rows((stop - start + 1 for _, start, stop in ends), series)
        return self._labels[first[0]][first[1]], self._labels[last[0]][last[2]], str(rows)

    def _rows(self, counts: Iterable[int], series: int | None = None) -> int:
        """The sum of the rows of one series, or the rows of the table where several targets share them."""
        return sum(counts) if series is not None else self.result.panel.rows(counts)

    def _rivals(self, series: int) -> str:
        """The rivals of the folds of a series, each once."""
        return ", ".join(dict.fromkeys(part.forecasts.best for part in self.result.each[series]))

    @cached_property
    def _labels(self) -> list[list[str]]:
        return [series.labels() for series in self.result.panel]


def _length(span: slice) -> int:
    return int(span.stop - span.start)


def _range(numbers: set[int]) -> str:
    """The lowest and the highest number, or the only one."""
    return str(min(numbers)) if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"


def _numbers(scores: Scores, levels: list[str]) -> list[str]:
    covered = [f"{100 * scores.coverage[level]:.1f} %" if level in scores.coverage else "-" for level in levels]
    return [f"{scores.rmse:#.4g}", _number(scores.mase), *covered, _number(scores.rmse_ratio)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of numbers aligned to the right, names of series and rivals to the left."""
    formats = [
        f"{'<' if name in ('rival', 'series') else '>'}{max(map(len, column))}"
        for name, column in zip(rows[0], zip(*rows, strict=True), strict=True)
    ]
    lines = ["  ".join(map(format, row, formats)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
