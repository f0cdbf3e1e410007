"""Shapes on the command line: 32,10,1,50."""

from __future__ import annotations

import click

from numlstm.messages import quoted

__all__ = ["parse_shape"]


def parse_shape(text: str) -> tuple[int, int, int, int]:
    """Return B,T,F,H as numbers.

    Raises:
        click.UsageError: If the text is not four whole numbers from 1 to 2^63 - 1.
    """
    parts = [part.strip() for part in text.split(",")]
    sizes = [int(part) if part.isdecimal() and len(part) < 20 else 0 for part in parts]
    if len(sizes) != 4 or not all(0 < size < 2**63 for size in sizes):
        raise click.UsageError(
            f"--shape takes four whole numbers from 1 to 2^63 - 1, such as 32,10,1,50, not {quoted(text)}"
        )
    B, T, F, H = sizes
    return B, T, F, H
