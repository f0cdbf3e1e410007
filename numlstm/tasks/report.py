"""What a forecast is worth, in words and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numlstm.data.series import Series
from numlstm.tasks.forecast import Forecaster, Split

__all__ = ["draw", "sentence"]


def sentence(metrics: dict[str, Any]) -> str:
    """Model and persistence in one line.

    Args:
        metrics: as `numlstm.tasks.forecast.measure` gives them.
    """
    rmse, naive, ratio = (metrics[name] for name in ("rmse", "persistence_rmse", "rmse_ratio"))
    if ratio is None:
        return f"rmse {rmse:.4g}; repeating the last value is exact"
    worth = "" if ratio < 1 else ", no better than repeating the last value"
    return f"rmse {rmse:.4g} against {naive:.4g} of persistence, ratio {ratio:.3f}{worth}"


def draw(path: Path, series: Series, forecaster: Forecaster, split: Split, metrics: dict[str, Any]) -> None:
    """Plot the held-out part; of a horizon of several steps, the last one.

    Args:
        path: the file, overwritten; its name tells the format.
        series: all of it, with the columns of the forecaster.
        forecaster: what predicts.
        split: of the series.
        metrics: of the held-out part.
    """
    from numlstm.plot import forecast_figure, save

    forecasts, horizon = forecaster.over(series, split.test), forecaster.settings.horizon
    figure = forecast_figure(
        series.axis,
        series.values[:, 0],
        forecasts.predicted[:, -1],
        forecasts.persistence[:, -1],
        title=f"{series.name}: {sentence(metrics)}" + (f" (1 to {horizon} steps ahead)" if horizon > 1 else ""),
        axis_name=series.axis_name or "row",
        target=series.target,
        prediction=f"predicted {horizon} steps ahead" if horizon > 1 else "predicted",
    )
    save(figure, path)
