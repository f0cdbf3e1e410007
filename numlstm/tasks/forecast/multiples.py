"""The report on the forecasts of several series: some sentences, and a picture with a panel for each of a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.data.panel import Panel
from numlstm.data.series import Series
from numlstm.messages import plain
from numlstm.plot import drawing, save
from numlstm.tasks.forecast.charts import panels_figure
from numlstm.tasks.forecast.fitted import Bounds, FittedForecaster
from numlstm.tasks.forecast.report import curves_of, future_of, headline, sentence
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.verdict import verdict

__all__ = ["FEW", "UNIT", "Drawn", "draw", "draw_future", "sentences"]

FEW = 6
"""Series that are told and drawn one by one."""
UNIT = "in parts of each series' naive error"


@dataclass(frozen=True)
class Drawn:
    """What is drawn of a series.

    forecaster: the forecaster that has not seen the held-out part
    """

    series: Series
    forecaster: FittedForecaster
    split: Split


def sentences(metrics: dict[str, Any]) -> str:
    """Report the errors of all series in a line, then those of each; of many, of the best and the worst.

    Args:
        metrics: the result of `numlstm.tasks.forecast.pooled.measure_all`.
    """
    found = metrics["series"]
    lines = [f"{len(found)} series, {UNIT}: {sentence(metrics)}"]
    if len(found) <= FEW:
        lines += [f"{plain(name, 60)}: {headline(each)}; {verdict(each)}" for name, each in found.items()]
        return "\n".join(lines)
    ordered = sorted(found, key=lambda name: _ratio(found[name]))
    behind = sum(_ratio(each) >= 1 for each in found.values())
    lines.append(f"no better than their best naive forecast: {behind} of {len(found)} series")
    for word, name in (("best", ordered[0]), ("worst", ordered[-1])):
        lines.append(f"{word}: {plain(name, 60)}, {headline(found[name])}")
    return "\n".join(lines)


def _ratio(metrics: dict[str, Any]) -> float:
    """The ratio to the rival; nothing is worse than a rival that is exact."""
    ratio = metrics["rmse_ratio"]
    return inf if ratio is None else float(ratio)


def draw(path: Path, panel: Panel, drawn: Sequence[Drawn], metrics: dict[str, Any]) -> None:
    """Plot the held-out parts of a few series, as `numlstm.tasks.forecast.report.draw` does that of one.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        panel: all series.
        drawn: what is drawn of each.
        metrics: the errors on the held-out parts; not read if nothing is held out.
    """
    measured, horizon = drawn[0].split.holds_out, drawn[0].forecaster.horizon
    curves = []
    for name, each in list(zip(panel.names, drawn, strict=True))[:FEW]:
        ratio = metrics["series"][name]["rmse_ratio"] if measured else None
        title = plain(name, 60) + ("" if ratio is None else f": rmse ratio {ratio:.3f}")
        curves.append(curves_of(each.series, each.forecaster, each.split, title))
    more = f", the first {FEW} of {len(panel)} series" if len(panel) > FEW else ""
    ahead = f" (1 to {horizon} steps ahead)" if horizon > 1 else ""
    text = f"{headline(metrics)}, {UNIT}" if measured else "nothing held out"
    with drawing():
        save(panels_figure(curves, f"{panel.name}{more}: {text}{ahead}"), path)


def draw_future(path: Path, parts: Sequence[tuple[str, Series, tuple[np.ndarray, Bounds]]], name: str) -> None:
    """Plot the last values of a few series, and the forecasts of the steps after them.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        parts: the name and the data of each series, and the result of `ahead_together` for it.
        name: the name of all data.
    """
    curves = [future_of(series, forecast, plain(title, 60)) for title, series, forecast in parts[:FEW]]
    more = f", the first {FEW} of {len(parts)} series" if len(parts) > FEW else ""
    steps = len(parts[0][2][0])
    with drawing():
        save(panels_figure(curves, f"{name}{more}: {steps} step{'s'[: steps > 1]} after the data"), path)
