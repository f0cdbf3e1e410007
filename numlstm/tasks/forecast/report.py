"""The report on a forecast: a sentence and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numlstm.data.series import Series
from numlstm.tasks.forecast.forecaster import Forecaster
from numlstm.tasks.forecast.split import Split

__all__ = ["draw", "sentence"]


def sentence(metrics: dict[str, Any]) -> str:
    """Compare model and persistence in one line.

    Args:
        metrics: the result of `numlstm.tasks.forecast.forecaster.measure`.
    """
    rmse, naive, ratio = (metrics[name] for name in ("rmse", "persistence_rmse", "rmse_ratio"))
    if ratio is None:
        return f"rmse {rmse:.4g}; repeating the last value is exact"
    worth = "" if ratio < 1 else ", no better than repeating the last value"
    return f"rmse {rmse:.4g} against {naive:.4g} of persistence, ratio {ratio:.3f}{worth}"


def draw(path: Path, series: Series, forecaster: Forecaster, split: Split, metrics: dict[str, Any]) -> None:
    """Plot the held-out part. With a horizon of several steps, plot the forecasts of the last step.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        series: the whole series, with the columns of the forecaster.
        forecaster: the forecaster.
        split: the split of the series.
        metrics: the errors on the held-out part.
    """
    from numlstm.plot import drawing, forecast_figure, save

    forecasts, horizon = forecaster.over(series, split.test), forecaster.settings.horizon
    with drawing():
        figure = forecast_figure(
            series.axis if series.dates is None else series.dates,
            series.values[:, 0],
            forecasts.predicted[:, -1],
            forecasts.persistence[:, -1],
            title=f"{series.name}: {sentence(metrics)}" + (f" (1 to {horizon} steps ahead)" if horizon > 1 else ""),
            axis_name=series.axis_name or "row",
            target=series.target,
            prediction=f"predicted {horizon} steps ahead" if horizon > 1 else "predicted",
        )
        save(figure, path)
