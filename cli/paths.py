"""The type of paths on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from numlstm.override import override

__all__ = ["PATH"]


class _Path(click.Path):
    """A path on the command line. The empty one would be the working folder."""

    @override
    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if not value:
            self.fail("a path must not be empty", parameter, context)
        return super().convert(value, parameter, context)


PATH = _Path(path_type=Path)
