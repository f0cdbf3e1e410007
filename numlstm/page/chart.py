"""A chart of lines and bands over one axis, as HTML: curves in SVG that stretch with the page, text that does not.

The values are in the page a second time, as JSON, for the few lines of `script.js` that show them where one points.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from numlstm.messages import plain
from numlstm.page.html import escaped
from numlstm.page.ticks import date_ticks, number_ticks

__all__ = ["Band", "Chart", "Line", "extremes"]

_WIDTH, _HEIGHT = 1000, 400
"""Units of the drawing, which is stretched."""
_MOST_ROWS, _MOST_COLUMNS = 7, 8
_MOST_CHARACTERS = 56
"""Of the texts at the horizontal axis, each with a space: a page of 40rem has room for all, a phone's for half."""
_LARGEST = 1e300
"""Numbers beyond are drawn here."""


@dataclass(frozen=True)
class Line:
    """A line.

    name: its name in the legend
    values: [N]; where they are not finite, the line is interrupted
    kind: how it is drawn, a class of `style.css`
    marked: indices of points that are marked
    legend: its text in the legend; None: its name; "": it is not in the legend
    minor: whether the vertical axis is not widened for it: its parts beyond are not drawn, and the caption names it
    """

    name: str
    values: np.ndarray
    kind: str
    marked: tuple[int, ...] = ()
    legend: str | None = None
    minor: bool = False

    @property
    def key(self) -> str:
        """Its text in the legend."""
        return self.name if self.legend is None else self.legend


@dataclass(frozen=True)
class Band:
    """The area between two lines, [N] each."""

    name: str
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class Chart:
    """A chart.

    name: what it is, in some words: the caption begins with it
    caption: what else is to be said of it
    axis: [N] increasing numbers or datetime64
    labels: N texts of the axis, as exact as the values are told
    axis_name, unit: what the horizontal and the vertical axis show
    lines, bands: what is drawn, the first line over the others
    shaded: the index from which the background is another one; None: nowhere
    """

    name: str
    caption: str
    axis: np.ndarray
    labels: Sequence[str]
    axis_name: str
    unit: str
    lines: Sequence[Line]
    bands: Sequence[Band] = ()
    shaded: int | None = None

    def html(self) -> str:
        """The chart as a figure."""
        low, high = self._limits()
        caption = f"{self.caption}{self._beyond(low, high)}"
        across = _places(self.axis)

        def down(values: np.ndarray) -> np.ndarray:
            finite = np.where(np.isfinite(values), np.clip(values, -_LARGEST, _LARGEST), np.nan)
            part = (finite / 2 - low / 2) / (high / 2 - low / 2)  # The halves do not overflow.
            return _HEIGHT * (1 - part)

        rows = [(float(down(np.array([value]))[0]), text) for value, text in number_ticks(low, high, _MOST_ROWS)]
        width = max((len(text) for _, text in rows), default=1)
        return "\n".join([
            "<figure>",
            f"<figcaption><b>{escaped(self.name)}</b> {escaped(caption)}</figcaption>",
            f'<ul class="legend">{self._legend()}</ul>',
            f'<div class="unit">{escaped(self.unit)}</div>',
            f'<div class="chart" style="--left:{width}ch">',
            f'<div class="y" aria-hidden="true">{_labels(rows, "top", _HEIGHT)}</div>',
            f'<div class="plot" tabindex="0" role="group" aria-label="{escaped(self.name)}: arrow keys tell values">',
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
            f' aria-label="{escaped(self._alternative())}">',
            *self._drawing(across, down, [place for place, _ in rows]),
            '</svg>\n<div class="cursor" hidden></div>\n</div>',
            f'<div class="x" aria-hidden="true">{_labels(self._columns(), "left", _WIDTH)}</div>',
            '<div class="tip" role="status" hidden></div>',
            f'<script type="application/json">{self._data(across)}</script>',
            "</div>",
            f'<div class="axis">{escaped(self.axis_name)}</div>',
            "</figure>",
        ])  # fmt: skip

    def _drawing(
        self, across: np.ndarray, down: Callable[[np.ndarray], np.ndarray], rows: Iterable[float]
    ) -> Iterator[str]:
        """What is in the picture, from the back to the front.

        Args:
            across: [N] the places of the points.
            down: gives the places of values.
            rows: the places of the grid's lines.
        """
        if self.shaded is not None:
            start = across[self.shaded]
            yield f'<rect class="shaded" x="{start:.1f}" width="{_WIDTH - start:.1f}" height="{_HEIGHT}"/>'
        yield from (f'<path class="grid" d="M0 {y:.1f}H{_WIDTH}"/>' for y in rows)
        for band in self.bands:
            yield f'<path class="band" d="{_area(across, down(band.lower), down(band.upper))}"/>'
        minor = [line for line in self.lines[::-1] if line.minor]
        if minor:
            yield f'<svg width="{_WIDTH}" height="{_HEIGHT}">'  # It cuts off what is outside of it.
        for line in [*minor, *(line for line in self.lines[::-1] if not line.minor)]:
            yield f'<path class="{line.kind}" d="{_path(across, down(line.values))}"/>'
            if minor and line is minor[-1]:
                yield "</svg>"
        yield from (_dots(across, down(line.values), line) for line in self.lines if line.marked)

    def _limits(self) -> tuple[float, float]:
        """The lowest and the highest value, and some room."""
        found = [line.values for line in self.lines if not line.minor] + [
            side for b in self.bands for side in (b.lower, b.upper)
        ]
        values = np.concatenate([*found, np.zeros(0)])
        values = np.clip(values[np.isfinite(values)], -_LARGEST, _LARGEST)
        if not len(values):
            return 0.0, 1.0
        low, high = float(values.min()), float(values.max())
        room = 0.05 * (high - low) or abs(high) or 1.0
        return low - room, high + room

    def _beyond(self, low: float, high: float) -> str:
        """A sentence on the lines that are not drawn to their ends, or nothing."""
        names = [line.name for line in self.lines if np.any((line.values < low) | (line.values > high))]
        return f" Beyond the drawing: {', '.join(names)}." if names else ""

    def _columns(self) -> list[tuple[float, str]]:
        """Places and texts of the horizontal axis, as many as have room."""
        for most in range(_MOST_COLUMNS, 0, -1):
            found = self._some_columns(most)
            if sum(len(text) + 1 for _, text in found) <= _MOST_CHARACTERS:
                break
        return found

    def _some_columns(self, most: int) -> list[tuple[float, str]]:
        first, last = self.axis[0], self.axis[-1]
        if self.axis.dtype.kind == "M":
            first, last = (date.astype("M8[us]") for date in (first, last))
            dates = date_ticks(first, last, most)
            places = _places(np.array([first, *(date for date, _ in dates), last], "M8[us]"))
            return list(zip(places[1:-1].tolist(), (text for _, text in dates), strict=True))
        ticks = number_ticks(float(first), float(last), most, whole=self.axis.dtype.kind in "iu")
        places = _places(np.array([first, *(value for value, _ in ticks), last], np.float64))
        return list(zip(places[1:-1].tolist(), (text for _, text in ticks), strict=True))

    def _legend(self) -> str:
        keys = [(line.key, f'<path class="{line.kind}" d="M0 5H22"/>') for line in self.lines if line.key]
        band = '<rect class="band" width="22" height="10"/>'
        # Each is drawn over those before.
        keys += [(each.name, number * band) for number, each in enumerate(self.bands, start=1)]
        return "".join(
            f'<li><svg width="22" height="10" aria-hidden="true">{key}</svg> {escaped(name)}</li>' for name, key in keys
        )

    def _alternative(self) -> str:
        names = [line.key for line in self.lines if line.key] + [band.name for band in self.bands]
        return f"{self.name}: {', '.join(names)}, from {self.labels[0]} to {self.labels[-1]}. {self.caption}"

    def _data(self, across: np.ndarray) -> str:
        """What `script.js` reads: places, texts of the axis, and the texts of the values of each line and band."""
        told = [[plain(line.name), _numbers(line.values)] for line in self.lines]
        for band in self.bands:
            pairs = zip(_numbers(band.lower), _numbers(band.upper), strict=True)
            told.append([plain(band.name), [f"{low} to {high}" if low and high else "" for low, high in pairs]])
        content = {"x": np.round(across, 1).tolist(), "t": list(self.labels), "v": told}
        return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def extremes(values: np.ndarray, most: int) -> np.ndarray:
    """Indices of [N] values that show all of them: the lowest and the highest of each of at most `most` / 2 parts."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 2 + 1).astype(int)
    parts = [(start, values[start:stop]) for start, stop in pairwise(edges.tolist())]
    found = [start + pick(part) for start, part in parts for pick in (np.argmin, np.argmax)]
    return np.unique([0, *found, len(values) - 1])


def _places(axis: np.ndarray) -> np.ndarray:
    """Where the values of an axis are drawn, [N] from 0 to the width."""
    axis = axis.astype("M8[us]") if axis.dtype.kind == "M" else axis  # Months have different lengths.
    distance = (axis - axis[0]).astype(np.float64)
    return _WIDTH * distance / (distance[-1] or 1.0)


def _path(across: np.ndarray, down: np.ndarray) -> str:
    """A line through the points that are finite. A single point between others that are not is drawn as a dot."""
    parts, drawing = [], False
    for x, y in zip(across.tolist(), down.tolist(), strict=True):
        finite = y == y
        if finite:
            parts.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}{'' if drawing else 'h0'}")
        drawing = finite
    return "".join(parts)


def _area(across: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> str:
    """The area between two lines, where both are finite."""
    finite = np.isfinite(lower) & np.isfinite(upper)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], finite, [0]])))
    parts = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        there = zip(across[start:stop], upper[start:stop], strict=True)
        back = zip(across[start:stop][::-1], lower[start:stop][::-1], strict=True)
        parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in [*there, *back]) + "Z")
    return "".join(parts)


def _dots(across: np.ndarray, down: np.ndarray, line: Line) -> str:
    """Lines without length, whose round ends are dots in a drawing that is stretched."""
    points = "".join(f"M{across[i]:.1f} {down[i]:.1f}h0" for i in line.marked)
    return f'<path class="{line.kind} dots" d="{points}"/>'


def _labels(ticks: Sequence[tuple[float, str]], side: str, size: int) -> str:
    """The texts at an axis. Every second one can be left out, and none leaves the page."""
    found = []
    for number, (place, text) in enumerate(ticks):
        at = f"{100 * place / size:.1f}%"
        if side == "left":
            at = f"clamp({len(text) / 2}ch,{at},100% - {len(text) / 2}ch)"  # The middle of the text.
        kind = ' class="second"' if number % 2 else ""
        found.append(f'<span{kind} style="{side}:{at}">{escaped(text)}</span>')
    return "".join(found)


def _numbers(values: np.ndarray) -> list[str]:
    """Numbers as texts; what is not finite is empty."""
    return [f"{value:.6g}" if math.isfinite(value) else "" for value in values.tolist()]
