"""Choose rule, transform, window and scales from the part of a series before the held-out part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from numlstm import checks
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series
from numlstm.messages import listed, option, quoted
from numlstm.tasks.forecast.calendar import cycles_of
from numlstm.tasks.forecast.folds import contiguous
from numlstm.tasks.forecast.inputs import PlainInputs, RuleInputs, changes_of
from numlstm.tasks.forecast.rules import SEASONAL, naive
from numlstm.tasks.forecast.settings import BASES, PLAIN_WINDOW, Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.transform import Transform

__all__ = ["choose_inputs", "plain_inputs", "require_fed_back", "require_transform", "ridge_error", "windows_for"]

_WINDOWS = (10, 24)  # Without a season. 12 and 16 do as well on the series of the recipe.
_LONGEST = 64
"""Of a window of two seasons. The seasonal difference tells what lies further back, and each step costs time."""
_SHARE = 3
"""A window that is chosen takes at most one part in this many of the rows."""
_CONSIDERED = 4000
"""The last windows, by which transform and window are chosen."""
_SCALED = 10_000
"""About as many windows, spread evenly, give the scales."""
_DOUBT = 1.25
"""A season that was found is given up where the error without it is lower by more than this factor, as with the cycle
of the lynx, which is not one of whole years."""
_FOLDS = 5
_RIDGE = 10.0
"""The penalty of the regression. Its inputs have the standard deviation 1."""


def require_fed_back(targets: Sequence[str], series: Series, settings: Settings) -> None:
    """Raise ValueError if a model is to be fed its own forecasts, and sees columns that it does not forecast."""
    past = [name for name in series.columns if name not in (*targets, *series.future)]
    if settings.outputs == settings.horizon or not past:
        return
    recursive, direct = (option("strategy", strategy) for strategy in ("recursive", "direct"))
    raise ValueError(
        f"{recursive} feeds forecasts of {listed(targets)} back, but nothing forecasts {listed(past)}: give"
        f" {direct}, or {option('future')} for columns that are known in advance"
    )


def require_transform(series: Series, settings: Settings) -> None:
    """Raise ValueError if the transform of the settings does not fit the values of a series."""
    if settings.rule != "none" and settings.transform != "auto":
        _transforms(series, settings)


def plain_inputs(series: Series, settings: Settings, split: Split) -> PlainInputs:
    """Inputs without a rule, scaled on the training part."""
    training = changes_of(series.values, settings.difference)[: split.validation - settings.difference]
    scaler, steps, future = Scaler.fit(training, settings.scaling), settings.outputs, len(series.future)
    order = np.arange(len(series.columns))
    order = np.concatenate([order, np.tile(order[len(order) - future :], steps)])  # As `PlainInputs.scaled` has them.
    scaler = Scaler(scaler.offset[order], scaler.scale[order])
    window, constant = settings.window or PLAIN_WINDOW, bool(np.ptp(series.values[: split.validation, 0]) == 0)
    return PlainInputs(window, steps, scaler, settings.difference, constant=constant, future=future)


def choose_inputs(
    series: Series, settings: Settings, split: Split, season: int | None, cycles: tuple[str, ...] | None = None
) -> RuleInputs:
    """Choose what the settings leave open, by the out-of-fold error of a ridge regression on the same inputs.

    Args:
        series: the series, of which only the part before the held-out part is read.
        settings: the settings.
        split: the split of the series.
        season: the season; given up if it was found and the rows do not suffice for it.
        cycles: the calendar; None: what the axis shows, unless the settings forbid it.

    Raises:
        ValueError: the rows do not suffice, or the transform or the rule does not fit the data.
    """
    series = series.take(slice(split.test))
    if settings.season == "auto" and season is not None:
        shortest = settings.window or 2
        if shortest + season + settings.horizon - 1 + 2 * max(settings.ensemble, _FOLDS) > split.test:
            season = None
    if season is None and settings.rule in SEASONAL:
        raise ValueError(f"the rule {settings.rule} needs a season, and none was found: name it by {option('season')}")
    if cycles is None:
        cycles = () if settings.calendar == "none" else cycles_of(series.clock)
    seasons = [season] if season is None or settings.season != "auto" or settings.rule in SEASONAL else [season, None]
    candidates = [
        _prepare(series, settings, each, cycles, transform, window)
        for each in seasons
        for transform, window in product(_transforms(series, settings), windows_for(settings, each, len(series)))
    ]
    if len(candidates) == 1:
        return candidates[0]
    first = max(inputs.reach for inputs in candidates) - 1  # All are measured from the same origins.

    def error(inputs: RuleInputs) -> float:
        handicap = 1.0 if inputs.season == season else _DOUBT
        return handicap * ridge_error(inputs, series, first)

    return min(candidates, key=error)


def _transforms(series: Series, settings: Settings) -> list[Transform]:
    target = series.values[:, 0]
    least = float(target.min())
    allowed = {
        "none": Transform("none", 0.0),
        **({"sqrt": Transform("sqrt", 0.0)} if least >= 0 else {}),
        **({"log": Transform("log", least / 10)} if least / 10 > 0 else {}),
    }
    if settings.transform == "auto":
        return list(allowed.values())
    if settings.transform not in allowed:
        where = series.where(int(np.argmin(target)))
        kind = "positive values" if settings.transform == "log" else "no negative values"
        raise ValueError(f"{option('transform', settings.transform)} needs {kind}, but {where} holds {quoted(least)}")
    # A logarithm does not give a constant back to the last digit, and its intervals have no width.
    return [allowed["none" if least == target.max() else settings.transform]]


def windows_for(settings: Settings, season: int | None, rows: int) -> list[int]:
    """The windows to choose from, for a number of rows before the held-out part."""
    if settings.window is not None:
        return [settings.window]
    wanted = _WINDOWS if season is None else (min(2 * season + 1, _LONGEST),)
    left = rows - (season or 1) - settings.horizon
    enough = left + 2 - 2 * settings.ensemble - settings.horizon  # Two windows for each fold.
    most = max(2, min(left // _SHARE, enough))
    return sorted({min(window, most) for window in wanted})


def _prepare(
    series: Series, settings: Settings, season: int | None, cycles: tuple[str, ...], transform: Transform, window: int
) -> RuleInputs:
    """Inputs with the best rule and fitted scales."""
    values, horizon = series.values, settings.outputs
    blank = Scaler(np.zeros(1), np.ones(1))
    inputs = RuleInputs(window, horizon, blank, BASES[0], season, transform, cycles, 1.0, future=len(series.future))
    count = len(series) - inputs.reach - horizon + 1
    features = inputs.features(values.shape[1])
    checks.fits(3 * 4 * max(count, 0) * window * features, f"the inputs of {count} windows")
    origins = _origins(inputs, len(series))
    z = transform(values[:, 0])
    true = np.lib.stride_tricks.sliding_window_view(z, horizon)[origins + 1]
    restored = transform.inverse(true)

    def error(rule: str) -> float:
        forecast = naive(rule, z, origins, season, horizon)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.mean((transform.inverse(forecast) - restored) ** 2))

    rules = [settings.rule] if settings.rule in BASES else [r for r in BASES if season is not None or r not in SEASONAL]
    rule = min(rules, key=error)
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(np.sqrt(np.mean((true - naive(rule, z, origins, season, horizon)) ** 2)))
    if not np.isfinite(scale):
        raise ValueError("the values are too large to be scaled")
    raw = inputs.raw(values, _coming(series), origins[:: max(1, len(origins) // _SCALED)])
    scaler = Scaler.fit(raw.reshape(-1, features))
    return replace(inputs, rule=rule, scaler=scaler, scale=scale)


def _origins(inputs: RuleInputs, rows: int) -> np.ndarray:
    count = rows - inputs.reach - inputs.horizon + 1
    if count < 1:
        raise ValueError(
            f"a window of {inputs.window}, a season of {inputs.season or 1} and a horizon of {inputs.horizon} need"
            f" {inputs.reach + inputs.horizon} rows before the held-out part, but there are {rows}: give more rows or a"
            " shorter window"
        )
    return np.arange(inputs.reach - 1, rows - inputs.horizon)


def _coming(series: Series) -> np.ndarray:
    """The axis one step after each value. The step after the last one is not used."""
    return np.append(series.clock[1:], series.clock[-1])


def ridge_error(inputs: RuleInputs, series: Series, first: int = 0) -> float:
    """The mean squared error of a ridge regression over contiguous folds, in the data's own units.

    first: the first origin that counts.
    """
    origins = _origins(inputs, len(series))
    origins = origins[origins >= first][-_CONSIDERED:]
    if len(origins) < 2 * _FOLDS + inputs.horizon:
        return 0.0 if inputs.transform_.name == "none" else 1.0  # Too few to choose by: the first without a transform.
    windows = inputs.windows(series.values, _coming(series), origins)
    seen = windows.shape[2] - inputs.foreseen
    # What the last step does not foresee is of little use, and a large regression takes long.
    parts = (windows[:, :, :seen].reshape(len(origins), -1), windows[:, -1, seen:], np.ones((len(origins), 1)))
    x = np.concatenate(parts, axis=1)
    y = inputs.targets(series.values, origins)
    outputs = np.empty_like(y)
    gram, product_ = x.T @ x, x.T @ y
    for fold in contiguous(len(origins), _FOLDS, 1):
        held = x[fold.validation]
        left = gram - held.T @ held + _RIDGE * np.eye(x.shape[1])
        outputs[fold.validation] = held @ np.linalg.solve(left, product_ - held.T @ y[fold.validation])
    forecast = inputs.restore(inputs.combine(outputs, series.values, origins))
    true = np.lib.stride_tricks.sliding_window_view(series.values[:, 0], inputs.horizon)[origins + 1]
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.mean((forecast - true) ** 2))
    return error if np.isfinite(error) else np.inf
