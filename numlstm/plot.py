"""Plots for a report."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numlstm import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_name", "drawing", "forecast_figure", "save"]

_FORMATS = ("png", "pdf", "svg", "svgz", "eps", "ps", "jpg", "jpeg", "tif", "tiff", "webp")
"""matplotlib's picture formats that need no other program to write, and that common programs can open."""

_MOST_SHOWN = 400


@contextmanager
def drawing() -> Iterator[None]:
    """Make and save figures without LaTeX, whatever the user's matplotlibrc says.

    Text is data here, and "_" in a column's name is an error of LaTeX.
    """
    from matplotlib import rc_context

    with rc_context({"text.usetex": False}):
        yield


def forecast_figure(
    axis: np.ndarray,
    true: np.ndarray,
    predicted: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    *,
    intervals: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str,
    axis_name: str,
    target: str,
    prediction: str = "predicted",
    part: str = "held out",
) -> Figure:
    """Plot true and predicted values of the held-out end of a series, with some of the values before it.

    Args:
        axis: [N] datetime64 or numbers.
        true: [N].
        predicted: [M], for the last M steps. At most the last 400 are shown.
        rivals: [M] for the naive forecasts, by their names in the legend; at most four.
        intervals: lower and upper bounds, [M] each, by their levels in percent.
        title: title above the plot.
        axis_name: label of the horizontal axis.
        target: label of the vertical axis.
        prediction: name of the predictions in the legend.
        part: what the last M steps are.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    shown = min(len(predicted), _MOST_SHOWN)
    start = len(true) - shown
    before = max(0, start - shown) if shown == len(predicted) else start
    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    panel = figure.add_subplot()
    panel.axvspan(axis[start], axis[-1], color="0.955", zorder=0)
    for (name, rival), style in zip(rivals.items(), ("-", "--", "-.", ":"), strict=False):
        panel.plot(axis[start:], rival[-shown:], color="0.72", linewidth=0.9, linestyle=style, label=name)
    label = f"{', '.join(intervals)} %"
    for number, (lower, upper) in enumerate(intervals.values()):
        panel.fill_between(
            axis[start:], lower[-shown:], upper[-shown:], color="#d1495b", alpha=0.13, linewidth=0,
            label="_" if number else label,
        )  # fmt: skip
    panel.plot(axis[before:], true[before:], color="0.15", linewidth=1.3, label="true")
    panel.plot(axis[start:], predicted[-shown:], color="#d1495b", linewidth=1.6, label=prediction)
    where = part if shown == len(predicted) else f"{part}: the last {shown} of {len(predicted):,} rows"
    panel.annotate(
        where, (axis[start], 1), xycoords=("data", "axes fraction"), xytext=(5, -5), textcoords="offset points",
        ha="left", va="top", color="0.4", fontsize=9,
    )  # fmt: skip
    panel.set_title(title, loc="left", fontsize=11, pad=24, parse_math=False)
    panel.set_xlabel(axis_name, parse_math=False)
    panel.set_ylabel(target, parse_math=False)
    panel.margins(x=0.01, y=0.12)
    if axis.dtype.kind == "M":
        locator = AutoDateLocator()
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="0.9", linewidth=0.6)
    panel.set_axisbelow(True)
    handles, names = panel.get_legend_handles_labels()
    order = [names.index(name) for name in ("true", prediction, *rivals, *([label] if intervals else []))]
    panel.legend(
        [handles[i] for i in order], [names[i] for i in order], ncols=7, frameon=False, loc="lower left",
        bbox_to_anchor=(0, 1), borderaxespad=0, borderpad=0.3, fontsize=9,
    )  # fmt: skip
    return figure


def check_name(path: Path) -> None:
    """Check that the suffix of a picture is that of a supported format.

    Raises:
        ValueError: the suffix is not supported.
    """
    if path.suffix.lower()[1:] not in _FORMATS:
        raise ValueError(f"{path} cannot be a picture: its name must end in one of .{', .'.join(_FORMATS)}")


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's suffix. As PNG, equal figures give equal bytes.

    Raises:
        ValueError: as for `check_name`.
        OSError: as for `numlstm.files.write`.
    """
    check_name(path)
    suffix, picture = path.suffix.lower()[1:], io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # Glyphs that the font lacks are drawn as empty boxes.
        figure.savefig(picture, format=suffix, metadata={"Software": None} if suffix == "png" else None)
    files.write(path, picture.getvalue())
