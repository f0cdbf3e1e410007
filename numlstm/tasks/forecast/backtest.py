"""Rolling-origin evaluation: a forecaster is measured on several folds at the end of a series, or of each of several.

From every origin that a fold allows, the next H values are forecast from what lies before, as in `tsCV` of R's forecast
and in the cross-validations of sktime and statsforecast. The mean absolute scaled error (MASE; Hyndman and Koehler
2006) divides each absolute error by the mean absolute error of a naive rule on the rows that the fold's models were
fitted on: one step ahead, by the last value, or by the last season where the rivals of the forecaster have a season.

A single series is a panel of one. In a panel, the held-out part of each series, as its own split cuts it, has the same
number of folds, and fold 2 is the second of each. The model of a fold learns from the rows of every series before its
own fold: where series end on different dates, these may be later than the fold of another, as in a training. Errors
over all series are in parts of each one's naive error, see `numlstm.tasks.forecast.pooled`; those of one are in its own
units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numlstm.data.panel import Panel, panel_of
from numlstm.data.series import Series
from numlstm.messages import option, quoted
from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.pooled import naive_scale
from numlstm.tasks.forecast.settings import REAL, Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import Result, train
from numlstm.training.interruption import Interrupted

__all__ = ["Backtest", "MeasuredFold", "Scores", "backtest", "backtest_of_run", "spans_of"]


@dataclass(frozen=True)
class Scores:
    """Errors of forecasts in the data's own units, or over several series in parts of each one's naive error.

    mase: None if the naive rule that it is scaled by is exact; over several series, one with an exact rule is left out
    rival_rmse: that of the best naive rule of each fold's validation part, each series' own
    rmse_ratio: rmse ÷ rival_rmse; None if that rule is exact
    coverage: the share of the true values within the intervals, by their levels in percent
    """

    rmse: float
    mae: float
    mase: float | None
    rival_rmse: float
    rmse_ratio: float | None
    coverage: dict[str, float]


@dataclass(frozen=True)
class MeasuredFold:
    """The forecasts of a fold of a series.

    span: its rows
    fitted: the rows that its models were fitted on
    season: the season of MASE's naive rule; None: the rule repeats the last value
    scale: the mean absolute error that MASE is scaled by
    forecasts: from every origin whose H targets lie in the fold
    unit: the naive error that values and errors are divided by among those of other series
    """

    span: slice
    fitted: int
    season: int | None
    scale: float
    forecasts: Forecasts
    unit: float = 1.0


@dataclass(frozen=True)
class Backtest:
    """The forecasts of all folds of all series.

    panel: the whole series
    refit: whether models were trained for every fold, or once before the first one
    each: the folds of each series, in the order of time
    """

    panel: Panel
    refit: bool
    each: list[list[MeasuredFold]]

    @property
    def folds(self) -> list[MeasuredFold]:
        """The folds of the first series."""
        return self.each[0]

    @property
    def horizon(self) -> int:
        """H, the steps of a forecast."""
        return self.folds[0].forecasts.true.shape[1]

    def parts(self, fold: int | None = None, series: int | None = None) -> list[MeasuredFold]:
        """One fold or all, of one series or of all, each counted from 0."""
        each = self.each if series is None else [self.each[series]]
        return [found for folds in each for found in (folds if fold is None else [folds[fold]])]

    def scores(self, fold: int | None = None, step: int | None = None, series: int | None = None) -> Scores:
        """The errors of one fold or of all, of one step ahead or of all, of one series or of all, each counted from 0.

        Raises:
            ValueError: the squares of the errors overflow.
        """
        parts = self.parts(fold, series)
        several = series is None and not self.panel.alone
        units = [each.unit if several else 1.0 for each in parts]
        steps = slice(None) if step is None else slice(step, step + 1)
        pooled = _pooled([each.forecasts for each in parts], units, steps)
        try:
            metrics = measure(pooled)
        except ValueError as error:
            if series is None:
                raise
            raise ValueError(f"{self.panel.names[series]}: {error}") from error
        scales = np.concatenate([
            np.full(len(each.forecasts.true), each.scale / unit) for each, unit in zip(parts, units, strict=True)
        ])  # fmt: skip
        errors, inexact = np.abs(pooled.predicted - pooled.true), scales > 0
        counts = inexact.any() if several else inexact.all()
        mase = float(np.mean(errors[inexact] / scales[inexact, None])) if counts else None
        return Scores(
            metrics["rmse"], metrics["mae"], mase, metrics[f"{pooled.best}_rmse"],
            metrics["rmse_ratio"], metrics.get("coverage", {}),
        )  # fmt: skip


def backtest(
    data: Series | Panel,
    settings: Settings,
    folds: int,
    refit: bool = False,
    tested: Sequence[Result] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Backtest:
    """Forecast the folds at the end of a series, or of each series of a panel.

    The folds of a series share the part that the settings hold out, or the last fifth if they hold nothing out. Nothing
    that is chosen, scaled or learned for a fold uses a value of this fold or of a later one, of any series.

    Args:
        data: the series, without missing values. The series of a panel have one model.
        settings: how models are trained, and what is held out.
        folds: the number of folds.
        refit: whether the whole procedure is repeated for every fold, on all rows before it. Otherwise it is done once,
            on the rows before the first fold.
        tested: without `refit`, the results of a training, of each series, that take the place of one. The folds lie
            behind the rows that the tested forecasters were fitted on.
        tell: is told of every training in a few words before it begins.

    Raises:
        ValueError: a fold has fewer rows than a forecast, the rows before it do not suffice for a training, or the
            training fails.
        KeyboardInterrupt: a signal came.
        numlstm.backend.DeviceError: the device cannot be used.
    """
    panel = panel_of(data)
    if tested is None:
        firsts = panel.each(lambda series: _held_out(series, settings))
    else:
        firsts = [each.split.test for each in tested]
    spans = _spans(panel, firsts, folds, settings.horizon)
    found: list[list[MeasuredFold]] = [[] for _ in panel]
    for number, each in enumerate(zip(*spans, strict=True), start=1):
        if refit:
            seen = tuple(series.take(slice(span.stop)) for series, span in zip(panel, each, strict=True))
            tested = _fit(replace(panel, series=seen), each, settings, tell, f"fold {number}/{folds}: ")
        elif tested is None:
            tested = _fit(panel, each, settings, tell)
        for folds_of, part in zip(found, panel.each(_forecast, each, tested), strict=True):
            folds_of.append(part)
    return Backtest(panel, refit, found)


def backtest_of_run(
    panel: Panel,
    settings: Settings,
    results: Sequence[Result],
    folds: int,
    refit: bool,
    tell: Callable[[str], None],
) -> Backtest:
    """Forecast the folds of the held-out parts of a run; arguments as for `backtest`, and the results of the run.

    Raises:
        ValueError: as for `backtest`; or nothing was held out, and nothing is to be trained.
    """
    if not (refit or results[0].split.holds_out):
        raise ValueError(
            f"the run {panel.name} held nothing out, so its model has seen every fold: give {option('refit', True)} to"
            " train others"
        )
    return backtest(panel, settings, folds, refit, None if refit else results, tell)


def spans_of(first: int, steps: int, folds: int, horizon: int) -> list[slice]:
    """Consecutive parts of equal length at the end of a series of `steps` rows, none before row `first`.

    Raises:
        ValueError: there are less than one, or they are shorter than the horizon.
    """
    if folds < 1:
        raise ValueError(f"folds must be a whole number from 1 on, not {quoted(folds)}")
    length = (steps - first) // folds
    if length < horizon:
        most = (steps - first) // horizon
        raise ValueError(
            f"{quoted(folds)} folds of the {steps - first} held-out rows have {length} each, but the horizon is"
            f" {horizon}: give at most {most}, or hold more rows out"
        )
    start = steps - folds * length
    return [slice(start + fold * length, start + (fold + 1) * length) for fold in range(folds)]


def _spans(panel: Panel, firsts: Sequence[int], folds: int, horizon: int) -> list[list[slice]]:
    """The folds of each series, none before its row in `firsts`; ValueError names the group with the fewest rows."""
    held_out = [len(series) - first for series, first in zip(panel, firsts, strict=True)]
    rows, shortest = min(zip(held_out, panel, strict=True), key=lambda pair: pair[0])
    if panel.groups and rows < folds * horizon:
        raise ValueError(
            f"{shortest.name}: the held-out part has {rows} of the {len(shortest)} rows, but {quoted(folds)} folds of a"
            f" horizon of {horizon} need {folds * horizon}: give at most {rows // horizon} folds, hold more rows out,"
            " or leave this series out"
        )
    return [spans_of(first, len(series), folds, horizon) for series, first in zip(panel, firsts, strict=True)]


def _held_out(series: Series, settings: Settings) -> int:
    """The first row of the part that the folds share."""
    split = Split.of(series.clock, settings)
    if not split.holds_out:
        split = Split.of(series.clock, replace(settings, test_fraction=REAL.test_fraction))
    return split.test


def _fit(
    panel: Panel, spans: Sequence[slice], settings: Settings, tell: Callable[[str], None], which: str = ""
) -> Sequence[Result]:
    """Train on the rows of each series before its fold, as `numlstm train` does when it holds out the others."""
    rows = panel.rows(span.start for span in spans)
    tell(f"{which}training on {rows:,} rows{'' if panel.alone else f' of {len(panel)} series'}")
    splits = panel.each(lambda series, span: Split.at(span.start, len(series), settings), spans)
    training = train(panel, replace(settings, refit=False), verbose=0, splits=splits)
    if training.signal is not None:
        raise Interrupted(training.signal)
    if training.failure is not None:
        raise ValueError(f"the training on {rows} rows failed: {training.failure}")
    return training.results


def _forecast(series: Series, span: slice, result: Result) -> MeasuredFold:
    """Forecast a fold, and find the scale of its errors."""
    forecasts = result.tested.over(series.take(slice(span.stop)), span.start)
    season, rows = result.tested.rivals.season, result.split.test
    known, lag = series.values[:rows, 0], season or 1
    changes = np.abs(known[lag:] - known[:-lag])
    scale = float(np.mean(changes)) if len(changes) else 0.0
    return MeasuredFold(span, rows, season, scale, forecasts, naive_scale(series, result.split))


def _pooled(parts: Sequence[Forecasts], units: Sequence[float], steps: slice) -> Forecasts:
    """Some steps of the forecasts of several folds in parts of their units, in a row, with the best rival of each."""

    def joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([array[:, steps] / unit for array, unit in zip(arrays, units, strict=True)])

    names = [name for name in parts[0].bounds if all(name in part.bounds for part in parts)]
    return Forecasts(
        parts[0].first,
        joined([part.true for part in parts]),
        joined([part.predicted for part in parts]),
        {"best": joined([part.rivals[part.best] for part in parts])},
        "best",
        np.concatenate([part.last / unit for part, unit in zip(parts, units, strict=True)]),
        {name: joined([part.bounds[name] for part in parts]) for name in names},
    )
