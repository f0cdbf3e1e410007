"""Read a whole table: a file of text, which may be compressed, standard input, or Parquet."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numlstm import checks
from numlstm.data.numbers import as_numbers, has_own_marks, number_pattern
from numlstm.data.read_options import ReadOptions
from numlstm.messages import option, quoted
from numlstm.reading import binary_kind, opened, read_all, read_bytes, shown_name, stands_for_stdin

__all__ = ["NA", "names_among", "read_table"]

_MOST_COLUMNS = 4096
"""Beyond them, looking for the axis would take minutes."""
_GROWTH = 3
"""Bytes of memory that pandas takes at least for each byte of a table: the text, the places of its fields, numbers."""
_SEEN = 200
"""Rows that tell whether the first one is a header."""
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?|\d{4}-?(\d\d|Q[1-4])|\d{1,2}:\d\d(:\d\d)?")
NA = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip
"""The fields that `pandas.read_csv` takes for missing ones."""
_EMPTY = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-")


def names_among(texts: Sequence[str], columns: Iterable[str]) -> list[str]:
    """The names in texts, each of which is the name of a column, or several names with commas between."""
    known = set(columns)
    return [name.strip() for text in texts for name in ([text] if text in known else text.split(","))]


def read_table(path: Path, options: ReadOptions, text: Sequence[str] = ()) -> tuple[Any, bool]:
    """Read a table to a pandas.DataFrame.

    Args:
        path: the file; "-" is standard input.
        options: `decimal`, `thousands`, `encoding` and `header` are read.
        text: columns that are read as they are written, as for `names_among`: "007" stays so.

    Returns:
        The frame, and whether the file has a header. Without one, the columns are named column 1, column 2, …

    Raises:
        OSError: the file cannot be read, or is a folder, a pipe or a device.
        ValueError: it is no table, is damaged, or has more than 4096 columns.
        MemoryError: the file, or what it is decompressed to, is larger than the memory.
        ImportError: it is a Parquet file, and pyarrow is not installed.
    """
    if path.suffix.lower() in (".parquet", ".pq") and not stands_for_stdin(path):
        frame, has_header = _read_parquet(path), True
    else:
        frame, has_header = _read_text(path, options, text)
    if not len(frame):
        raise ValueError(f"{shown_name(path)} has a header but no rows")
    if not frame.columns.is_unique:
        double = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{shown_name(path)} has two columns named {quoted(double)}")
    return frame, has_header


def _read_text(path: Path, options: ReadOptions, text: Sequence[str]) -> tuple[Any, bool]:
    import pandas as pd

    encoding = "utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding
    parsing: dict[str, Any] = {"encoding": encoding, "skipinitialspace": True, "index_col": False}
    first_line = {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False}
    with warnings.catch_warnings(), _damage_told(path, options.encoding):
        warnings.simplefilter("error", pd.errors.ParserWarning)
        content = _content(path)
        _refuse_binary(content, path)
        first = _parse(content, parsing | first_line).iloc[0]
        if len(first) == 1 or options.decimal == ",":
            marks = [mark for mark in ";\t|" if any(mark in field for field in first)]
            parsing["sep"] = marks[0] if marks else ","
            first = _parse(content, parsing | first_line).iloc[0]
        if len(first) > _MOST_COLUMNS:
            raise ValueError(
                f"{shown_name(path)} has {len(first)} columns, but at most {_MOST_COLUMNS} are read: keep those needed"
            )
        has_header = options.header
        if has_header is None:
            has_header = _looks_like_header(content, parsing, list(first), options)
        if not has_header:
            parsing["header"] = None
        own_marks = has_own_marks(options)
        names = _names(list(first) if has_header else [""] * len(first))
        kept = names_among(text, names)
        as_written = {
            key: str for key, name in zip(first if has_header else first.index, names, strict=True) if name in kept
        }
        frame = _parse(content, parsing | ({"dtype": str} if own_marks else {"low_memory": False, "dtype": as_written}))
    frame.columns = names
    return (as_numbers(frame, options, kept) if own_marks else frame), has_header


def _names(fields: list[str]) -> list[str]:
    """The names of columns; those without one are counted."""
    return [name.strip() or f"column {number}" for number, name in enumerate(fields, start=1)]


def _looks_like_header(content: bytes, parsing: dict[str, Any], first: list[str], options: ReadOptions) -> bool:
    """Whether the first line holds names.

    It holds data if it has a number above a number, or a date above a date, and if each of its texts is repeated below.
    Numbers from 0 on are names that programs give, if no such whole numbers stand below them.
    """
    number = number_pattern(options)

    def kind(field: str) -> str:
        if field in _EMPTY:
            return ""
        return "number" if number.fullmatch(field) else "date" if _DATE.fullmatch(field) else "text"

    fields = [field.strip() for field in first]
    kinds = [kind(field) for field in fields]
    if not {"number", "date"} & set(kinds):
        return True
    below = _parse(content, parsing | {"header": None, "dtype": str, "keep_default_na": False, "nrows": _SEEN}).iloc[1:]
    for place, field in enumerate(fields):
        column = below[place].str.strip()
        if kinds[place] == "text" and field not in set(column):
            return True
        if kinds[place] in ("number", "date") and not {kinds[place], ""} & {kind(other) for other in column[:1]}:
            return len(column) > 0
    counted = [field for field in fields if field]
    if counted == [str(place) for place in range(len(counted))]:
        return not fields[0] or any("." in value for place in below for value in below[place])
    return False


def _read_parquet(path: Path) -> Any:
    import pandas as pd

    with opened(path) as file:
        checks.fits(_GROWTH * os.fstat(file.fileno()).st_size, f"reading {path}")
        try:
            frame = pd.read_parquet(file)
        except ImportError as error:
            raise ImportError(
                f"reading {path} needs pyarrow: pip install 'numlstm[parquet]', or convert the file to CSV"
            ) from error
        except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are among them.
            raise ValueError(f"{path} is damaged, or no Parquet file: {error}") from error
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _parse(content: bytes, parsing: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.read_csv(io.BytesIO(content), **parsing)


def _content(path: Path) -> bytes:
    """The bytes of a file, decompressed. It is read once, as standard input is there once."""
    from pandas.io.common import get_handle

    if stands_for_stdin(path):
        return read_bytes(path, _GROWTH)
    with opened(path) as file:  # Refuses what would be read for ever: a pipe or a device.
        checks.fits(os.fstat(file.fileno()).st_size, f"reading {path}")
    try:
        handles = get_handle(path, "rb", compression="infer", is_text=False)
    except ValueError as error:  # Of archives with no file or with several.
        raise ValueError(f"{path} must hold exactly one file: unpack it, and give the table in it") from error
    with handles as found:
        return read_all(found.handle, path, _GROWTH)


def _refuse_binary(content: bytes, path: Path) -> None:
    """Raise ValueError for the bytes of a file that is compressed or of another format, whatever its name says."""
    found = binary_kind(content)
    if found is not None:
        what, ending = found
        way = f"rename it so that it ends in {ending}"
        if stands_for_stdin(path):
            way = f"write it to a file whose name ends in {ending}"
        raise ValueError(f"{shown_name(path)} is no text but {what}: {way}, or give CSV")


@contextmanager
def _damage_told(path: Path, encoding: str) -> Iterator[None]:
    """Turn what pandas raises for a damaged file, which may be compressed, into ValueError with the file's name."""
    import lzma
    import tarfile
    import zipfile
    import zlib

    import pandas as pd

    name = shown_name(path)
    try:
        yield
    except UnicodeError as error:
        text = "UTF-8" if encoding == "utf-8" else encoding
        raise ValueError(
            f"{name} is not {text} text: give its encoding, such as {option('encoding', 'latin-1', 'cp1252', 'utf-16')}"
        ) from error
    except pd.errors.ParserWarning as error:
        raise ValueError(f"{name} is no CSV table: its rows have more fields than its header") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ValueError(f"{name} is no CSV table with a header: {reason}") from error
    except (EOFError, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{name} is damaged, or not compressed as its name says: {error}") from error
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is not None:
            raise OSError(error.errno, error.strerror, name) from error
        raise ValueError(f"{name} is damaged, or not compressed as its name says: {error}") from error
    except RuntimeError as error:  # Encrypted, or compressed in a way that this Python does not know.
        raise ValueError(f"{name} cannot be decompressed: {error}") from error
