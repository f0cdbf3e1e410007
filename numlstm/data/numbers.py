"""Numbers in text: with a point or a comma, and with marks between groups of three digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numlstm.data.read_options import ReadOptions
from numlstm.messages import option, quoted

__all__ = ["as_numbers", "has_own_marks", "number_pattern", "numbers"]

_COMMA = re.compile(r"[+-]?\d+,\d+")
_GROUPS = re.compile(r"[+-]?\d{1,3}([., '\u00a0\u202f])\d{3}(\1\d{3})*([.,]\d+)?")


def number_pattern(options: ReadOptions) -> re.Pattern[str]:
    """What a number looks like."""
    mark = re.escape(options.decimal)
    digits = r"\d+"
    if options.thousands:
        digits = rf"(?:\d{{1,3}}(?:{_between(options)}\d{{3}})+|\d+)"
    return re.compile(rf"[+-]?(?:{digits}(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?")


def has_own_marks(options: ReadOptions) -> bool:
    """Whether numbers have other marks than a decimal point."""
    return options.decimal != "." or bool(options.thousands)


def as_numbers(frame: Any, options: ReadOptions, text: Sequence[str] = ()) -> Any:
    """Convert the columns in which every field is a number with the options' marks, but those that stay `text`.

    pandas would take the date 01.02.2020 for a number with marks between its digits.
    """
    for name in [name for name in frame.columns if name not in text]:
        found = _converted(frame[name], options)
        if found.notna().any() and (found.notna() == frame[name].notna()).all():
            frame[name] = found
    return frame


def numbers(path: str, frame: Any, name: str, options: ReadOptions, axis_label: Callable[[int], str]) -> np.ndarray:
    """Convert a column to [N] float64, with NaN for empty fields.

    Args:
        path: the file in messages.
        frame: the table.
        name: the column.
        options: the marks of its numbers.
        axis_label: the function that tells where a row is: "" or " (date 2020-01-01)".

    Raises:
        ValueError: a field is no number.
    """
    import pandas as pd

    column = frame[name]
    if column.dtype.kind in "mM":
        raise ValueError(f"{path}: column {quoted(name)} holds dates, not numbers")
    plain = column.dtype.kind in "biufc" or not has_own_marks(options)
    converted = pd.to_numeric(column, errors="coerce") if plain else _converted(column, options)
    found = converted.to_numpy(np.float64, na_value=np.nan)
    text = np.flatnonzero(np.isnan(found) & column.notna().to_numpy())
    if len(text):
        row = int(text[0])
        field = str(column.iloc[row]).strip()
        raise ValueError(
            f"{path}: row {column.index[row] + 1}{axis_label(row)}, column {quoted(name)} holds {quoted(field)},"
            f" not a number{_advice(field)}"
        )
    return found


def _converted(column: Any, options: ReadOptions) -> Any:
    """The numbers of a column of text, with NaN for what is none."""
    import pandas as pd

    texts = column.str.strip()
    texts = texts.where(texts.str.fullmatch(number_pattern(options).pattern).fillna(False).astype(bool))
    if options.thousands:
        texts = texts.str.replace(_between(options), "", regex=True)
    return pd.to_numeric(texts.str.replace(options.decimal, ".", regex=False))


def _advice(field: str) -> str:
    """How a text would be a number."""
    if _COMMA.fullmatch(field):
        return f": give {option('decimal', ',')} if the comma is its decimal mark"
    groups = _GROUPS.fullmatch(field)
    if groups is None:
        return ""
    marks = [option("thousands", " " if groups[1].isspace() else groups[1])]
    if groups[1] != "," and "," in (groups[3] or ""):
        marks.append(option("decimal", ","))
    return f": give {' and '.join(marks)} if its digits are in groups"


def _between(options: ReadOptions) -> str:
    """The pattern of the mark between groups. A space may be one that breaks no line."""
    return "[ \u00a0\u202f]" if options.thousands == " " else re.escape(options.thousands)
