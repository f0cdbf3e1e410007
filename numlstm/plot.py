"""Pictures in files: the formats, and figures without LaTeX."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from numlstm import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_name", "drawing", "save"]

_FORMATS = ("png", "pdf", "svg", "svgz", "eps", "ps", "jpg", "jpeg", "tif", "tiff", "webp")
"""matplotlib's picture formats that need no other program to write, and that common programs can open."""


@contextmanager
def drawing() -> Iterator[None]:
    """Make and save figures without LaTeX, whatever the user's matplotlibrc says.

    Text is data here, and "_" in a column's name is an error of LaTeX.
    """
    from matplotlib import rc_context

    with rc_context({"text.usetex": False}):
        yield


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
