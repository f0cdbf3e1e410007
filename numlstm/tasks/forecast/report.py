"""The report on a forecast: a sentence and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from numlstm.data.series import Series
from numlstm.plot import drawing, save
from numlstm.tasks.forecast.charts import Curves, forecast_figure
from numlstm.tasks.forecast.fitted import Bounds, FittedForecaster
from numlstm.tasks.forecast.rules import WORDS
from numlstm.tasks.forecast.split import Split

__all__ = ["NAMES", "curves_of", "draw", "future_of", "headline", "sentence"]

NAMES = {name: words.removeprefix("the ").removesuffix(" rule") for name, words in WORDS.items()}
"""The naive rules in a legend."""
_LEAST_BEFORE, _MOST_BEFORE = 30, 400
"""Known values that are drawn before a forecast: three for each step, within these limits."""


def headline(metrics: dict[str, Any]) -> str:
    """Compare the model with the best rival.

    Args:
        metrics: the result of `numlstm.tasks.forecast.measure.measure`.
    """
    rmse, rival, ratio = (metrics[name] for name in ("rmse", "rival", "rmse_ratio"))
    if ratio is None:
        exact = "repeating the last value" if rival == "persistence" else WORDS[rival]
        return f"rmse {rmse:.4g}; {exact} is exact"
    text = f"rmse {rmse:.4g} against {metrics[f'{rival}_rmse']:.4g} of {WORDS[rival]}, rmse ratio {ratio:.3f}"
    if ratio >= 1:
        text += ", no better than that"
    if metrics["late_copy"]:
        text += "; the forecast is a copy of the series, one step late"
    return text


def sentence(metrics: dict[str, Any]) -> str:
    """The headline, the coverage of the intervals, and the errors of the other rivals, in one line."""
    text = headline(metrics)
    if metrics["rmse_ratio"] is None:
        return text
    if metrics.get("coverage"):
        parts = [f"{100 * share:.1f} % in the {level} % interval" for level, share in metrics["coverage"].items()]
        text += f"; {', '.join(parts)}"
    others = [name for name in WORDS if name != metrics["rival"] and f"{name}_rmse" in metrics]
    return text + "; " + ", ".join(f"{WORDS[name]} {metrics[f'{name}_rmse']:.4g}" for name in others)


def draw(path: Path, series: Series, forecaster: FittedForecaster, split: Split, metrics: dict[str, Any]) -> None:
    """Plot the held-out part, or the last fifth if nothing is held out. Of several steps ahead, plot the last.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        series: the whole series, with the columns of the forecaster.
        forecaster: the forecaster that has not seen the held-out part.
        split: the split of the series.
        metrics: the errors on the held-out part; not read if nothing is held out.
    """
    text = headline(metrics) if split.holds_out else "nothing held out"
    horizon = forecaster.horizon
    title = f"{series.name}: {text}" + (f" (1 to {horizon} steps ahead)" if horizon > 1 else "")
    curves = curves_of(series, forecaster, split, title)
    with drawing():
        save(forecast_figure(curves), path)


def curves_of(series: Series, forecaster: FittedForecaster, split: Split, title: str) -> Curves:
    """What a picture shows of a series; arguments as for `draw`."""
    start = split.test if split.holds_out else split.steps - max(1, split.steps // 5)
    forecasts, horizon = forecaster.over(series, start), forecaster.horizon
    bounds = {name: bound[:, -1] for name, bound in forecasts.bounds.items()}
    levels = [name.removeprefix("lower_") for name in bounds if name.startswith("lower_")]
    return Curves(
        series.axis if series.dates is None else series.dates,
        series.values[:, 0],
        forecasts.predicted[:, -1],
        {NAMES[name]: rival[:, -1] for name, rival in forecasts.rivals.items()},
        {level: (bounds[f"lower_{level}"], bounds[f"upper_{level}"]) for level in levels},
        title,
        axis_name=series.axis_name or "row",
        target=series.target,
        prediction=f"predicted {horizon} steps ahead" if horizon > 1 else "predicted",
        part="held out" if split.holds_out else "fitted",
    )


def future_of(series: Series, forecast: tuple[np.ndarray, Bounds], title: str | None = None) -> Curves:
    """What a picture shows of the end of a series and of the steps after it.

    Args:
        series: the series, its target first.
        forecast: the result of `ahead`.
        title: the title; None: the name of the series, and where its future begins.

    Raises:
        ValueError: the axis cannot go on.
    """
    predicted, bounds = forecast
    steps = len(predicted)
    count = "1 step" if steps == 1 else f"{steps} steps"
    begin = len(series) - min(len(series), max(min(3 * steps, _MOST_BEFORE), _LEAST_BEFORE))
    target = series.values[begin:, 0]
    if series.irregular and not series.future:
        axis, axis_name = np.arange(1 - len(target), steps + 1), "steps after the end of the data"
    else:
        axis, axis_name = np.concatenate([series.clock[begin:], series.next_clock(steps)]), series.axis_name or "row"

    def after(values: np.ndarray) -> np.ndarray:
        return np.append(target[-1], values)  # A line from the last value on.

    levels = [name.removeprefix("lower_") for name in bounds if name.startswith("lower_")]
    return Curves(
        axis,
        np.append(target, np.full(steps, np.nan)),
        after(predicted),
        {},
        {level: (after(bounds[f"lower_{level}"]), after(bounds[f"upper_{level}"])) for level in levels},
        f"{series.name}: {count} after {series.labels(slice(len(series) - 1, None))[0]}" if title is None else title,
        axis_name=axis_name,
        target=series.target,
        part="",
        lead=len(target),
    )
