"""How a table is read: what cannot be seen from it, or is seen wrongly."""

from __future__ import annotations

import codecs
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from numlstm.data.zones import check_zone
from numlstm.messages import option, quoted

__all__ = ["AS_SEEN", "DUPLICATES", "ReadOptions"]

DUPLICATES = ("refuse", "mean", "last")
"""What becomes of several rows with the same date."""


@dataclass(frozen=True)
class ReadOptions:
    """How a table is read.

    decimal: the decimal mark of numbers
    thousands: the mark between groups of three digits; "": none
    encoding: the encoding of text, such as "latin-1"
    header: whether the first row holds the names of the columns; None: seen from it
    date: the columns of the axis, whose texts are joined by a space; (): the steps are counted; None: seen from them
    day_first: whether 01/02/2020 is in February; None: seen from the steps
    timezone: the zone of dates without one, and that of labels; None: the one of the dates
    sort: whether rows are sorted by their dates
    duplicates: what becomes of several rows with the same date, one of `DUPLICATES`

    Raises:
        ValueError: an option is not one of these.
    """

    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    header: bool | None = None
    date: tuple[str, ...] | None = None
    day_first: bool | None = None
    timezone: str | None = None
    sort: bool = False
    duplicates: str = "refuse"

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal must be . or , and not {quoted(self.decimal)}")
        if self.thousands not in ("", ".", ",", " ", "'"):
            raise ValueError(f"thousands must be one of . , ' or a space, not {quoted(self.thousands)}")
        if self.thousands == self.decimal:
            other = "," if self.decimal == "." else "."
            raise ValueError(
                f"the decimal mark and the mark between groups of digits are both {quoted(self.decimal)}: give"
                f" {option('decimal', other)} or another {option('thousands')}"
            )
        if not _is_encoding(self.encoding):
            raise ValueError(f"there is no encoding {quoted(self.encoding)}: try utf-8, latin-1, cp1252 or utf-16")
        for name in ("header", "day_first"):
            if not isinstance(vars(self)[name], bool | None):
                raise ValueError(f"{name} must be True, False or None, not {quoted(vars(self)[name])}")
        if self.date is not None and not all(isinstance(name, str) for name in self.date):
            raise ValueError(f"date must hold names of columns, not {quoted(self.date)}")
        if self.timezone is not None:
            check_zone(self.timezone)
        if not isinstance(self.sort, bool):
            raise ValueError(f"sort must be True or False, not {quoted(self.sort)}")
        if self.duplicates not in DUPLICATES:
            raise ValueError(f"duplicates must be one of {', '.join(DUPLICATES)}, not {quoted(self.duplicates)}")

    def changed(self, given: MutableMapping[str, Any]) -> ReadOptions:
        """These options, but for those that `given` names, which are taken out of it.

        Args:
            given: options of the command line, where "date" is one text: names with commas between, or "none".

        Raises:
            ValueError: an option is out of range.
        """
        names = [field.name for field in fields(self) if field.name in given]
        chosen = {name: given.pop(name) for name in names}
        if "date" in chosen:
            text = str(chosen["date"])
            chosen["date"] = () if text == "none" else tuple(name.strip() for name in text.split(","))
        return ReadOptions(**(vars(self) | chosen))

    def to_dict(self) -> dict[str, Any]:
        """The options as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any) -> ReadOptions:
        """Make options from the result of `to_dict`.

        Raises:
            ValueError, TypeError: they are none.
        """
        if not isinstance(content, dict):
            raise ValueError(f"the options of reading must be an object, not {quoted(content)}")
        date = content.get("date")
        if not isinstance(date, list | tuple | None):
            raise ValueError(f"date must be a list of names, not {quoted(date)}")
        return cls(**content | {"date": None if date is None else tuple(date)})


def _is_encoding(name: Any) -> bool:
    """Whether Python knows an encoding of text. Others, such as base64, turn bytes to bytes."""
    try:
        return isinstance(codecs.getincrementaldecoder(name)().decode(b"", final=True), str)
    except Exception:  # Codecs raise anything for a name that they do not expect.
        return False


AS_SEEN = ReadOptions()
"""Everything is as usual, or seen from the table."""
