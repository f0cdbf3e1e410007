"""The options of every command that reads a table."""

from __future__ import annotations

from numlstm.data.read_options import DUPLICATES
from numlstm.data.series import MISSING
from numlstm.tasks.task import Option

__all__ = ["MISSING_OF_RUN", "READING", "READING_OPTIONS"]

READING = "Reading the file"
"""The group of the options."""


def _option(flag: str, name: str, values: type | tuple[str, ...], text: str) -> Option:
    return Option(flag, name, values, text, group=READING)


READING_OPTIONS = (
    _option("--date", "date", str, "The column of the dates; day,time for two; none to count the rows. [the first]"),
    _option("--day-first/--month-first", "day_first", bool, "What 01/02/2020 begins with. [what makes even steps]"),
    _option("--timezone", "timezone", str, "Zone of the dates: Europe/Berlin, or an offset. [that of the file]"),
    _option("--sort", "sort", bool, "Sort the rows by their dates. [no]"),
    _option("--duplicates", "duplicates", DUPLICATES, "What becomes of several rows with one date. [refuse]"),
    _option("--header/--no-header", "header", bool, "Whether the first row holds names. [as it looks]"),
    _option("--decimal", "decimal", (".", ","), "The decimal mark. [.]"),
    _option("--thousands", "thousands", (".", ",", " ", "'"), "The mark between groups of three digits. [none]"),
    _option("--encoding", "encoding", str, "The encoding of the text: latin-1, cp1252, utf-16. [utf-8]"),
)

MISSING_OF_RUN = _option("--missing", "missing", MISSING, "What to do about missing values and dates. [as in training]")
"""The option of commands that read other data for a run."""
