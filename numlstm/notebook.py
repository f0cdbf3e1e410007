"""A line in a notebook's output that is replaced in place.

A carriage return would do so on the screen only: a notebook that is executed by a program keeps all overwritten lines.
A display with an id can be updated: the saved notebook holds its last state.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

__all__ = ["NotebookLine", "is_notebook"]


def is_notebook(stream: TextIO | None) -> bool:
    """Whether a stream writes to a notebook. A redirected stream, as under `%%capture`, does not."""
    kernel = sys.modules.get("ipykernel.iostream")  # Imported by the kernel of every notebook, and never by us.
    return kernel is not None and isinstance(stream, kernel.OutStream)


class NotebookLine:
    """A display of one line of text, below what the cell has printed when the line is first shown."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, text: str) -> None:
        """Replace the text of the line."""
        self._publish({"text/plain": text})

    def erase(self) -> None:
        """Show nothing. The empty display takes no place on the page."""
        if self._handle is not None:
            self._publish({})

    def _publish(self, data: dict[str, str]) -> None:
        from IPython.display import display

        # No work depends on the line. A front-end that is gone raises errors of its own kinds.
        with suppress(Exception):
            if self._handle is None:
                self._handle = display(data, raw=True, display_id=True)
            else:
                self._handle.update(data, raw=True)
