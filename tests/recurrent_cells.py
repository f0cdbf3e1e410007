"""The kinds of cells that tests of the recurrence run, and the options and layouts that they run them with."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numlstm.kernels import ACTIVATIONS, CELL_ACTIVATIONS, GRUCell, LSTMCell, SimpleRNNCell


@dataclass(frozen=True)
class CellFacts:
    """What differs by cell.

    cell: makes the description of a case's cell
    activations: what each of its activations may be
    gain: the spread of U's numbers, times √H; where an unbounded activation feeds on itself, below 1
    """

    cell: Callable
    activations: dict[str, tuple[str, ...]]
    gain: float = 1.0

    @property
    def all_activations(self):
        """Every choice of its activations, as options of a case."""
        return [
            dict(zip(self.activations, each, strict=True)) for each in itertools.product(*self.activations.values())
        ]


TWO = {"activation": CELL_ACTIVATIONS, "recurrent_activation": CELL_ACTIVATIONS}
CELLS = {
    "lstm": CellFacts(lambda case: LSTMCell(*case.description, case.activation, case.recurrent_activation), TWO),
    "simple_rnn": CellFacts(
        lambda case: SimpleRNNCell(*case.description, case.activation), {"activation": ACTIVATIONS}, gain=0.5
    ),
    "gru": CellFacts(lambda case: GRUCell(*case.description, case.activation, case.recurrent_activation), TWO),
    "gru_reset_before": CellFacts(
        lambda case: GRUCell(*case.description, case.activation, case.recurrent_activation, reset_after=False), TWO
    ),
}

OPTIONS = [
    {"activation": "relu"},
    {"recurrent_activation": "hard_sigmoid"},
    {"zero_output": True},
    {"resets": True},
    {"dropout": 0.4},
    {"resets": True, "dropout": 0.4, "zero_output": True},
    {"resets": True, "dropout": 0.4, "zero_output": True, "activation": "sigmoid"},
]
CELL_OPTIONS = [
    (cell_name, option)
    for cell_name, option in itertools.product(CELLS, OPTIONS)
    if not {name for name in option if name.endswith("activation")} - CELLS[cell_name].activations.keys()
]
"""Every kind of cell with each of the options that it has."""
PLAIN_AND_OPTIONS = [*((cell_name, {}) for cell_name in CELLS), *CELL_OPTIONS]
ACTIVATION_CHOICES = [(cell_name, choice) for cell_name in CELLS for choice in CELLS[cell_name].all_activations]

# How an array lies in memory: from values to the array that is allocated, and from that to the view that is passed.
LAYOUTS = {
    "contiguous": (lambda a: a, lambda a: a),
    "batch-major": (lambda a: a.swapaxes(0, 1), lambda a: a.swapaxes(0, 1)),
    "reversed in time": (lambda a: a[::-1], lambda a: a[::-1]),
    "inside a wider array": (
        lambda a: np.pad(a, [(1, 1)] * (a.ndim - 1) + [(3, 2)], constant_values=np.array(np.nan).astype(a.dtype)),
        lambda a: a[(slice(1, -1),) * (a.ndim - 1) + (slice(3, -2),)],
    ),
}
MASKS = ["left", "right", "holes", "empty rows", "all masked"]
