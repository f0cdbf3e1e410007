"""Read a series from a CSV file with a header."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.data.series import Series
from numlstm.messages import listed, plain, quoted
from numlstm.override import override
from numlstm.reading import opened

__all__ = ["read_csv"]

_MOST_COLUMNS = 4096
"""Beyond them, looking for the axis would take minutes."""
_GROWTH = 3
"""Bytes of memory that pandas takes at least for each byte of a table: the text, the places of its fields, numbers."""
_PART = 1 << 18
"""Bytes that are read at once, as pandas does."""


def read_csv(
    path: str | Path, target: str | None = None, features: Sequence[str] = (), axis: str | None = None
) -> Series:
    """Read the target, further columns and the axis of a CSV file.

    Fields may be separated by commas, semicolons, tabs or bars. The axis is the first column beside target and features
    that holds dates. Without dates it is the first such column with increasing numbers. Without increasing numbers the
    steps are counted. If the dates decrease, the rows are reversed. Missing values become NaN (see `complete`).

    Args:
        path: the file, UTF-8.
        target: the column to forecast; None if there is only one column of numbers beside the axis.
        features: further columns to read.
        axis: the column of the axis; None: chosen as above.

    Raises:
        OSError: the file cannot be read, or is a folder, a pipe or a device.
        ValueError: the file is not a CSV file with a header, is damaged or has more than 4096 columns, a column is
            missing or not numeric, or the dates of the axis neither increase nor decrease.
        MemoryError: the file, or what it is decompressed to, is larger than the memory.
    """
    path = Path(path)
    frame = _read_frame(path)
    for name in dict.fromkeys([*([] if target is None else [target]), *features, *([] if axis is None else [axis])]):
        if name not in frame.columns:
            raise ValueError(f"{path} has no column {quoted(name)}; it has {listed(frame.columns)}")
    columns = [] if target is None else [target, *features]
    if len(set(columns)) < len(columns):
        raise ValueError(f"a column is named twice among target and features: {listed(columns)}")
    if axis in columns:
        raise ValueError(f"column {quoted(axis)} is the axis and cannot be target or feature too")

    others = [name for name in frame.columns if name not in columns and name not in features]
    # A single column is not an axis, even if its numbers increase.
    candidates = [axis] if axis is not None else others if len(frame.columns) > 1 else []
    found = _dates(path, frame, candidates) or _counter(frame, candidates)
    if found is None and axis is not None:
        raise ValueError(
            f"{path}: column {quoted(axis)} holds neither dates nor growing numbers, so it cannot be the axis"
        )
    axis_name, positions = found or (None, np.arange(1, len(frame) + 1))
    if target is None:
        columns = [_only_number(path, frame, [name for name in others if name != axis_name]), *features]
    values = np.stack([_numbers(path, frame, name, axis_name) for name in columns], axis=1)
    rows = np.arange(1, len(frame) + 1)
    order = slice(None, None, -1) if len(frame) > 1 and positions[0] > positions[-1] else slice(None)
    # A file name may contain bytes that are not UTF-8. They can neither be printed nor drawn.
    name = plain(path.stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return Series(name, axis_name, positions[order], tuple(columns), values[order], rows[order])


def _read_frame(path: Path) -> Any:
    """Read the whole file to a pandas.DataFrame with the column names of the header."""
    import pandas as pd

    options: dict[str, Any] = {"encoding": "utf-8-sig", "skipinitialspace": True, "index_col": False}
    first_line = options | {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False}
    with opened(path) as file:  # Refuses what pandas would read for ever: a pipe or a device.
        checks.fits(os.fstat(file.fileno()).st_size, f"reading {path}")
    with warnings.catch_warnings(), _damage_told(path):
        warnings.simplefilter("error", pd.errors.ParserWarning)
        header = _table(path, first_line).iloc[0]
        if len(header) == 1:
            options["sep"] = next((mark for mark in ";\t|" if mark in header[0]), ",")
            header = _table(path, first_line | options).iloc[0]
        if len(header) > _MOST_COLUMNS:
            raise ValueError(
                f"{path} has {len(header)} columns, but at most {_MOST_COLUMNS} are read: keep those needed"
            )
        frame = _table(path, options | {"low_memory": False})
    if not len(frame):
        raise ValueError(f"{path} has a header but no rows")
    frame.columns = [name.strip() or f"column {number}" for number, name in enumerate(header, start=1)]
    if not frame.columns.is_unique:
        raise ValueError(f"{path} has two columns named {quoted(frame.columns[frame.columns.duplicated()][0])}")
    return frame


def _table(path: Path, options: dict[str, Any]) -> Any:
    """Read a pandas.DataFrame from a file that may be compressed."""
    import pandas as pd
    from pandas.io.common import get_handle

    with get_handle(path, "rb", compression="infer", is_text=False) as found:
        return pd.read_csv(io.BufferedReader(_Bounded(found.handle, path), _PART), **options)


class _Bounded(io.RawIOBase):
    """The decompressed bytes of a file. A small file can have more of them than any memory holds.

    Args:
        source: The decompressed file.
        path: Its path, for the error message.
    """

    def __init__(self, source: Any, path: Path) -> None:
        self._source, self._path, self._read = source, path, 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        part = self._source.read(len(buffer))
        buffer[: len(part)] = part
        self._read += len(part)
        checks.fits(_GROWTH * self._read, f"reading {self._path}")
        return len(part)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Turn what pandas raises for a damaged file, which may be compressed, into ValueError with the file's name."""
    import lzma
    import tarfile
    import zipfile
    import zlib

    import pandas as pd

    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    except pd.errors.ParserWarning as error:
        raise ValueError(f"{path} is no CSV table: its rows have more fields than its header") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ValueError(f"{path} is no CSV table with a header: {reason}") from error
    except (EOFError, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged, or not compressed as its name says: {error}") from error
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise ValueError(f"{path} is damaged, or not compressed as its name says: {error}") from error
    except RuntimeError as error:  # Encrypted, or compressed in a way that this Python does not know.
        raise ValueError(f"{path} cannot be decompressed: {error}") from error


def _dates(path: Path, frame: Any, names: Sequence[str]) -> tuple[str, np.ndarray] | None:
    """The first column with dates in order, and its dates, [N] datetime64[us].

    Ambiguous dates have the month first, unless only the day first puts them in order.

    Raises:
        ValueError: no column has dates in order, but a column has dates.
    """
    complaint = ""
    for name in names:
        for day_first in (False, True):
            dates = _parse_dates(frame[name], day_first)
            if dates is None:
                continue
            steps = np.diff(dates).astype(np.int64)
            if not np.isnat(dates).any() and ((steps > 0).all() or (steps < 0).all()):
                return name, dates
            wrong = np.isnat(dates)
            wrong[1:] |= steps <= 0
            row = int(np.argmax(wrong))
            complaint = complaint or (
                f"{path}: column {quoted(name)} must hold a date in every row, each after the one before,"
                f" but row {row + 1} holds {quoted(str(frame[name][row]))}"
            )
    if complaint:
        raise ValueError(complaint)
    return None


def _parse_dates(column: Any, day_first: bool) -> np.ndarray | None:
    """Parse a column to [N] datetime64[us], with time zones in UTC; None if over half of its first values fail."""
    import pandas as pd

    options: dict[str, Any] = {"errors": "coerce", "dayfirst": day_first, "utc": True}
    if column.dtype.kind == "i" and column.between(1000_01_01, 9999_12_31).all():
        column, options["format"] = column.astype(str), "%Y%m%d"
    elif column.dtype.kind in "biufc":
        return None
    first = column.dropna()[:10]
    # Most columns of text are no dates: pandas takes milliseconds to find that out.
    if not any(character.isdigit() for value in first for character in str(value)):
        return None
    if first.astype(str).str.match(r"\s*\d{1,2}:").any():  # Times of day are not dates: pandas would add today's date.
        return None
    if day_first and str(first.min())[:4].isdigit():  # A date that begins with the year continues with the month.
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if first.empty or pd.to_datetime(first, **options).isna().mean() > 0.5:
            return None
        return pd.to_datetime(column, **options).dt.tz_localize(None).to_numpy("datetime64[us]")


def _counter(frame: Any, names: Sequence[str]) -> tuple[str, np.ndarray] | None:
    """The first column whose numbers increase from row to row, and its numbers, [N]."""
    for name in names:
        values = frame[name].to_numpy()
        if values.dtype.kind in "iuf" and np.isfinite(values).all() and (np.diff(values) > 0).all() and len(values) > 1:
            return name, values
    return None


def _only_number(path: Path, frame: Any, names: Sequence[str]) -> str:
    """The only column of numbers, or the only column with values: `_numbers` reports those that are not numbers."""
    filled = [name for name in names if frame[name].notna().any()]
    found = filled if len(filled) == 1 else [name for name in filled if frame[name].dtype.kind in "biuf"]
    if len(found) != 1:
        offered = f"the columns of numbers {listed(found)}" if found else f"no numbers, but {listed(names)}"
        raise ValueError(f"the target column must be named (--target): {path} has {offered}")
    return found[0]


def _numbers(path: Path, frame: Any, name: str, axis_name: str | None) -> np.ndarray:
    """Convert a column to [N] float64, with NaN for empty fields."""
    import pandas as pd

    column = frame[name]
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    text = np.flatnonzero(np.isnan(numbers) & column.notna().to_numpy())
    if len(text):
        row = text[0]
        axis = "" if axis_name is None else f" ({axis_name} {frame[axis_name].iloc[row]})"
        raise ValueError(
            f"{path}: row {row + 1}{axis}, column {quoted(name)} holds {quoted(str(column.iloc[row]))}, not a number"
        )
    return numbers
