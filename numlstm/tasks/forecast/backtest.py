"""Rolling-origin evaluation: a forecaster is measured on several folds at the end of a series.

From every origin that a fold allows, the next H values are forecast from what lies before, as in `tsCV` of R's forecast
and in the cross-validations of sktime and statsforecast. The mean absolute scaled error (MASE; Hyndman and Koehler
2006) divides each absolute error by the mean absolute error of a naive rule on the rows that the fold's models were
fitted on: one step ahead, by the last value, or by the last season where the rivals of the forecaster have a season.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numlstm.data.series import Series
from numlstm.messages import quoted
from numlstm.tasks.forecast.forecaster import Forecaster, Forecasts
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.settings import REAL, Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import train
from numlstm.training.interruption import Interrupted

__all__ = ["Backtest", "Fitted", "MeasuredFold", "Scores", "backtest", "spans_of"]


@dataclass(frozen=True)
class Fitted:
    """A forecaster, and how many rows, from the first one on, it was fitted on."""

    forecaster: Forecaster
    rows: int


@dataclass(frozen=True)
class Scores:
    """Errors of forecasts in the data's own units.

    mase: None if the naive rule that it is scaled by is exact
    rival_rmse: that of the best naive rule of each fold's validation part
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
    """The forecasts of a fold.

    span: its rows
    fitted: the rows that its models were fitted on
    season: the season of MASE's naive rule; None: the rule repeats the last value
    scale: the mean absolute error that MASE is scaled by
    forecasts: from every origin whose H targets lie in the fold
    """

    span: slice
    fitted: int
    season: int | None
    scale: float
    forecasts: Forecasts


@dataclass(frozen=True)
class Backtest:
    """The forecasts of all folds.

    series: the whole series
    refit: whether models were trained for every fold, or once before the first one
    folds: in the order of time
    """

    series: Series
    refit: bool
    folds: list[MeasuredFold]

    @property
    def horizon(self) -> int:
        """H, the steps of a forecast."""
        return self.folds[0].forecasts.true.shape[1]

    def scores(self, fold: int | None = None, step: int | None = None) -> Scores:
        """The errors of one fold or of all, of one step ahead, counted from 0, or of all.

        Raises:
            ValueError: the squares of the errors overflow.
        """
        folds = self.folds if fold is None else [self.folds[fold]]
        steps = slice(None) if step is None else slice(step, step + 1)
        pooled = _pooled([each.forecasts for each in folds], steps)
        metrics = measure(pooled)
        scales = np.concatenate([np.full(len(each.forecasts.true), each.scale) for each in folds])
        errors = np.abs(pooled.predicted - pooled.true)
        mase = float(np.mean(errors / scales[:, None])) if scales.all() else None
        return Scores(
            metrics["rmse"], metrics["mae"], mase, metrics[f"{pooled.best}_rmse"],
            metrics["rmse_ratio"], metrics.get("coverage", {}),
        )  # fmt: skip


def backtest(
    series: Series,
    settings: Settings,
    folds: int,
    refit: bool = False,
    tested: Fitted | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Backtest:
    """Forecast the folds at the end of a series.

    The folds share the part that the settings hold out, or the last fifth if they hold nothing out. Nothing that is
    chosen, scaled or learned for a fold uses a value of it or of a later one.

    Args:
        series: the series, without missing values.
        settings: how models are trained, and what is held out.
        folds: the number of folds.
        refit: whether the whole procedure is repeated for every fold, on all rows before it. Otherwise it is done once,
            on the rows before the first fold.
        tested: without `refit`, a forecaster that takes the place of a training. The folds lie behind its rows.
        tell: is told of every training in a few words before it begins.

    Raises:
        ValueError: a fold has fewer rows than a forecast, the rows before it do not suffice for a training, or the
            training fails.
        KeyboardInterrupt: a signal came.
        numlstm.backend.DeviceError: the device cannot be used.
    """
    first = _held_out(series, settings) if tested is None else tested.rows
    spans = spans_of(first, len(series), folds, settings.horizon)
    found: list[MeasuredFold] = []
    for number, span in enumerate(spans, start=1):
        if refit:
            tell(f"fold {number}/{folds}: training on {span.start:,} rows")
            tested = _fit(series.take(slice(span.stop)), settings, span.start)
        elif tested is None:
            tell(f"training on {span.start:,} rows")
            tested = _fit(series, settings, span.start)
        found.append(_forecast(series, span, tested))
    return Backtest(series, refit, found)


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


def _held_out(series: Series, settings: Settings) -> int:
    """The first row of the part that the folds share."""
    split = Split.of(series.clock, settings)
    if not split.holds_out:
        split = Split.of(series.clock, replace(settings, test_fraction=REAL.test_fraction))
    return split.test


def _fit(series: Series, settings: Settings, rows: int) -> Fitted:
    """Train on the first rows of a series, as `numlstm train` does when it holds out the others."""
    held_out = (len(series) - rows) / len(series)
    settings = replace(settings, test_fraction=held_out, train_until=None, test_from=None, refit=False)
    training = train(series, settings, verbose=0)
    if training.signal is not None:
        raise Interrupted(training.signal)
    if training.failure is not None:
        raise ValueError(f"the training on {rows} rows failed: {training.failure}")
    assert training.split.test == rows
    return Fitted(training.tested, rows)


def _forecast(series: Series, span: slice, fitted: Fitted) -> MeasuredFold:
    """Forecast a fold, and find the scale of its errors."""
    forecasts = fitted.forecaster.over(series.take(slice(span.stop)), span.start)
    season, known = fitted.forecaster.rivals.season, series.values[: fitted.rows, 0]
    lag = season or 1
    changes = np.abs(known[lag:] - known[:-lag])
    return MeasuredFold(span, fitted.rows, season, float(np.mean(changes)) if len(changes) else 0.0, forecasts)


def _pooled(parts: Sequence[Forecasts], steps: slice) -> Forecasts:
    """Some steps of the forecasts of several folds, one after the other, with the best rival of each."""

    def joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([array[:, steps] for array in arrays])

    names = [name for name in parts[0].bounds if all(name in part.bounds for part in parts)]
    return Forecasts(
        parts[0].first,
        joined([part.true for part in parts]),
        joined([part.predicted for part in parts]),
        {"best": joined([part.rivals[part.best] for part in parts])},
        "best",
        np.concatenate([part.last for part in parts]),
        {name: joined([part.bounds[name] for part in parts]) for name in names},
    )
