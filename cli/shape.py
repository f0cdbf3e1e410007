"""Shapes on the command line: 32,10,1,50."""

from __future__ import annotations

import click

from numlstm.messages import quoted

__all__ = ["parse_shape"]


def parse_shape(text: str) -> tuple[int, int, int, int]:
    """Return B,T,F,H as numbers.

    Raises:
        click.UsageError: If the text is not four whole numbers of at least 1.
    """
    sizes = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if len(sizes) != 4 or not all(sizes):
        raise click.UsageError(f"--shape takes four whole numbers from 1 on, such as 32,10,1,50, not {quoted(text)}")
    B, T, F, H = sizes
    return B, T, F, H
