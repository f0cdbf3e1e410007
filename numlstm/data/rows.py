"""Write rows of CSV files, which end with a line feed alone."""

from __future__ import annotations

import csv
from typing import Any, TextIO

__all__ = ["row_writer"]


def row_writer(file: TextIO) -> Any:
    """A `csv.writer` that quotes every field with a line break in it, so that the field is read back.

    Before Python 3.13, csv quotes a carriage return only where it is part of the rows' end.
    """
    return csv.writer(_Rows(file), lineterminator="\r\n")


class _Rows:
    """A file that gets rows which end with a carriage return and a line feed."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> None:
        """Write one row; csv calls this once for each."""
        self._file.write(row.removesuffix("\r\n") + "\n")
