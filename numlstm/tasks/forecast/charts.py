"""The charts of forecasts: held-out parts and futures with their intervals, and fans from several origins."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curves", "Fan", "FanChart", "fan_figure", "fan_rows_figure", "forecast_figure", "panels_figure"]

_MOST_SHOWN = 400
_LEGEND = {"ncols": 7, "frameon": False, "fontsize": 9, "columnspacing": 1.1, "handlelength": 1.5}
"""The looks of a legend: its names, seven at most, have room beside each other."""
_ACROSS = 3
"""Panels beside each other."""
_TITLE = 120
"""Characters of a title that fit at full size. A longer one is written smaller."""


@dataclass(frozen=True)
class Curves:
    """What a panel shows: the held-out end of a series of N steps, and forecasts of its last M.

    axis: [N] datetime64 or numbers
    true: [N]
    predicted: [M]; at most the last 400 are shown
    rivals: [M] for the naive forecasts, by their names in the legend; at most four
    intervals: lower and upper bounds, [M] each, by their levels in percent
    title: title above the panel
    axis_name: label of the horizontal axis
    target: label of the vertical axis
    prediction: name of the predictions in the legend
    part: what the last M steps are
    lead: how many of the steps before them are shown, with all M; None: as many as of the M
    """

    axis: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    rivals: Mapping[str, np.ndarray]
    intervals: Mapping[str, tuple[np.ndarray, np.ndarray]]
    title: str
    axis_name: str
    target: str
    prediction: str = "predicted"
    part: str = "held out"
    lead: int | None = None

    @property
    def names(self) -> list[str]:
        """The names in the legend, in its order."""
        return ["true", self.prediction, *self.rivals, *_shades(self.intervals)[:1]]


def forecast_figure(curves: Curves) -> Figure:
    """Plot true and predicted values of the held-out end of a series, with some of the values before it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    panel = figure.add_subplot()
    _draw(panel, curves)
    _head(panel, curves.title, curves.names)
    return figure


def panels_figure(curves: Sequence[Curves], title: str) -> Figure:
    """Plot several series as `forecast_figure` does, in two columns, with one legend."""
    from matplotlib.figure import Figure

    down = math.ceil(len(curves) / 2)
    figure = Figure(figsize=(12, 1 + 2.5 * down), dpi=150, layout="constrained")
    panels = figure.subplots(down, 2, squeeze=False).ravel()
    for panel in panels[len(curves) :]:
        panel.set_visible(False)
    for panel, each in zip(panels, curves, strict=False):
        _draw(panel, each)
        panel.set_title(each.title, loc="left", fontsize=10, parse_math=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, parse_math=False)
    # A series may lack what others have.
    panel, each = max(zip(panels, curves, strict=False), key=lambda pair: len(pair[1].names))
    figure.legend(_handles(panel, each.names), each.names, loc="outside lower left", **_LEGEND)
    return figure


def _draw(panel: Axes, curves: Curves) -> None:
    """Draw the curves of a series."""
    axis, true, predicted = curves.axis, curves.true, curves.predicted
    shown = min(len(predicted), _MOST_SHOWN) if curves.lead is None else len(predicted)
    start = len(true) - shown
    before = max(0, start - (shown if curves.lead is None else curves.lead)) if shown == len(predicted) else start
    panel.axvspan(axis[start], axis[-1], color="0.955", zorder=0)
    for label, (lower, upper) in zip(_shades(curves.intervals), curves.intervals.values(), strict=True):
        panel.fill_between(
            axis[start:], lower[-shown:], upper[-shown:], color="#d1495b", alpha=0.13, linewidth=0, label=label
        )
    panel.plot(axis[before:], true[before:], color="0.15", linewidth=1.3, label="true")
    panel.plot(axis[start:], predicted[-shown:], color="#d1495b", linewidth=1.6, label=curves.prediction)
    part = curves.part if shown == len(predicted) else f"{curves.part}: the last {shown} of {len(predicted):,} rows"
    panel.annotate(
        part, (axis[start], 1), xycoords=("data", "axes fraction"), xytext=(5, -5), textcoords="offset points",
        ha="left", va="top", color="0.4", fontsize=9,
    )  # fmt: skip
    panel.set_xlabel(curves.axis_name, parse_math=False)
    panel.set_ylabel(curves.target, parse_math=False)
    panel.margins(x=0.01, y=0.12)
    _draw_rivals(panel, axis[start:], {name: rival[-shown:] for name, rival in curves.rivals.items()})
    _dress(panel, axis)


def _draw_rivals(panel: Axes, axis: np.ndarray, rivals: Mapping[str, np.ndarray]) -> None:
    """Draw the naive forecasts behind the curves. A bad one may make the panel no more than twice as high."""
    low, high = panel.get_ylim()
    for (name, rival), style in zip(rivals.items(), ("-", "--", "-.", ":"), strict=False):
        panel.plot(axis, rival, color="0.72", linewidth=0.9, linestyle=style, label=name, zorder=1.9)
    lowest, highest = panel.get_ylim()
    room = (high - low) / 2
    panel.set_ylim(max(lowest, low - room), min(highest, high + room))


@dataclass(frozen=True)
class Fan:
    """A forecast whose uncertainty opens like a fan.

    border: the row of the series that it begins to forecast
    first: the row of its first value: the border, or the row before it, where all is known
    predicted: [n]
    intervals: lower and upper bounds, [n] each, by their levels in percent
    """

    border: int
    first: int
    predicted: np.ndarray
    intervals: Mapping[str, tuple[np.ndarray, np.ndarray]]


def fan_figure(
    axis: np.ndarray,
    true: np.ndarray,
    fans: Sequence[Fan],
    panels: Sequence[slice],
    *,
    title: str,
    axis_name: str,
    target: str,
) -> Figure:
    """Plot forecasts from several origins with their intervals as nested shades, and the true values over them.

    Args:
        axis: [N] datetime64 or numbers.
        true: [N].
        fans: the forecasts. A line marks the border of each.
        panels: the rows that each panel shows.
        title: title above the panels.
        axis_name: label of the horizontal axes.
        target: label of the vertical axes.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    down = math.ceil(len(panels) / _ACROSS)
    across = math.ceil(len(panels) / down)
    layout = ConstrainedLayoutEngine(wspace=0.08)  # Room for dates at the edges.
    figure = Figure(figsize=(10, 4 if down == 1 else 0.6 + 2.4 * down), dpi=150, layout=layout)
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for panel in grid.flat[len(panels) :]:
        panel.set_visible(False)
    for panel, rows in zip(grid.flat, panels, strict=False):
        _draw_fans(panel, axis, true, fans, rows, None if len(panels) == 1 else 5)
    figure.supxlabel(axis_name, fontsize=10, parse_math=False)
    figure.supylabel(target, fontsize=10, parse_math=False)
    _head(grid[0, 0], title, ["true", "predicted", *_shades(fans[0].intervals)[:1]])
    return figure


@dataclass(frozen=True)
class FanChart:
    """The fans of one of several series; fields as the arguments of `fan_figure`."""

    axis: np.ndarray
    true: np.ndarray
    fans: Sequence[Fan]
    panels: Sequence[slice]
    title: str
    target: str


def fan_rows_figure(charts: Sequence[FanChart], title: str, axis_name: str) -> Figure:
    """Plot several series as `fan_figure` does, each with its panels in a row of its own, with one legend."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    across = max(len(chart.panels) for chart in charts)
    layout = ConstrainedLayoutEngine(wspace=0.08)
    figure = Figure(figsize=(10, 1 + 2.2 * len(charts)), dpi=150, layout=layout)
    grid = figure.subplots(len(charts), across, sharey="row", squeeze=False)
    for panels, chart in zip(grid, charts, strict=True):
        for panel in panels[len(chart.panels) :]:
            panel.set_visible(False)
        for panel, rows in zip(panels, chart.panels, strict=False):
            _draw_fans(panel, chart.axis, chart.true, chart.fans, rows, None if across == 1 else 5)
        # A long title would push the panels apart.
        panels[0].set_title(chart.title, loc="left", fontsize=10, parse_math=False).set_in_layout(across == 1)
        panels[0].set_ylabel(chart.target, parse_math=False)
    size = 11 * min(1.0, _TITLE / len(title))
    figure.suptitle(title, x=0.01, ha="left", fontsize=size, parse_math=False)
    figure.supxlabel(axis_name, fontsize=10, parse_math=False)
    figure.align_ylabels()
    # A series may lack what others have.
    panel, shades = max(
        ((panels[0], _shades(chart.fans[0].intervals)) for panels, chart in zip(grid, charts, strict=True)),
        key=lambda pair: len(pair[1]),
    )
    names = ["true", "predicted", *shades[:1]]
    figure.legend(_handles(panel, names), names, loc="outside lower left", **_LEGEND)
    return figure


def _draw_fans(
    panel: Axes, axis: np.ndarray, true: np.ndarray, fans: Iterable[Fan], rows: slice, most_dates: int | None
) -> None:
    """Draw some rows of a series, and the fans that begin in them."""
    for fan in fans:
        if rows.start < fan.border < rows.stop:
            _draw_fan(panel, axis[: rows.stop], fan)
    panel.plot(axis[rows], true[rows], color="0.15", linewidth=1.2, label="true")
    panel.set_xlim(axis[rows][0], axis[rows][-1])
    panel.margins(y=0.08)
    _dress(panel, axis, most_dates)


def _draw_fan(panel: Axes, axis: np.ndarray, fan: Fan) -> None:
    """Draw a forecast as far as the axis goes: its border, its shades, the narrow ones on top, and its line."""
    steps = axis[fan.first : fan.first + len(fan.predicted)]
    shown = slice(len(steps))
    panel.axvline(
        axis[fan.border - 1] + (axis[fan.border] - axis[fan.border - 1]) / 2, color="0.6", linewidth=0.8, linestyle=":"
    )
    for label, (lower, upper) in zip(_shades(fan.intervals), fan.intervals.values(), strict=True):
        panel.fill_between(steps, lower[shown], upper[shown], color="#d1495b", alpha=0.2, linewidth=0, label=label)
    panel.plot(steps, fan.predicted[shown], color="#d1495b", linewidth=1.6, label="predicted")


def _shades(levels: Iterable[str]) -> list[str]:
    """The labels of the shades of all levels: the first one stands for all in the legend."""
    names = list(levels)
    return [f"{', '.join(names)} %", *["_"] * (len(names) - 1)] if names else []


def _head(panel: Axes, title: str, names: list[str]) -> None:
    """Put a title above a panel, and between them the legend in the order of the names."""
    panel.set_title(" ", fontsize=11, pad=24)  # A long title would push the panels apart: it only gets the height.
    size = 11 * min(1.0, _TITLE / max(1, len(title)))
    text = panel.annotate(
        title, (0, 1), xycoords="axes fraction", xytext=(0, 24), textcoords="offset points", fontsize=size,
        parse_math=False,
    )  # fmt: skip
    legend = panel.legend(
        _handles(panel, names), names, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, borderpad=0.3,
        **_LEGEND,
    )  # fmt: skip
    for each in (text, legend):
        each.set_in_layout(False)


def _handles(panel: Axes, names: Sequence[str]) -> list[Any]:
    """What a legend shows beside the names."""
    handles = dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    return [handles[name] for name in names]


def _dress(panel: Axes, axis: np.ndarray, most_dates: int | None = None) -> None:
    """Give a panel its grid, and ticks that suit its axis."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if axis.dtype.kind == "M":
        locator = AutoDateLocator(maxticks=most_dates)
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="0.9", linewidth=0.6)
    panel.set_axisbelow(True)
