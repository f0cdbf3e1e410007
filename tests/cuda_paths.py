"""The paths that the recurrence takes on CUDA, and how tests choose among them."""

from __future__ import annotations

from recurrent_cells import CELLS

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence import persistent

PATHS = ["persistent", "step by step"]


def paths_of(cell_name):
    """The paths that a kind of cell has."""
    page = page_of(cell_name)
    return PATHS if len(page.SLOTS) == 4 and page.RESET_GATES is None else PATHS[1:]


WAYS = [(cell_name, path) for cell_name in CELLS for path in paths_of(cell_name)]
"""Every kind of cell on every path that it has."""


def take(path, monkeypatch):
    """Make a path the one that is taken, for the same sizes."""
    if path == "step by step":
        none = {"float32": 0, "float64": 0}
        monkeypatch.setattr(persistent, "MOST_UNITS", dict.fromkeys(persistent.MOST_UNITS, none))
