"""The contract: every function that both backends have, its shapes and its equations.

A backend is a package of functions, such as `numlstm.kernels.cpu`. Whole passes cross this boundary, never single
time steps, but for streams, whose steps are prepared once. Shapes, masks and numbers have been checked before: nothing
here checks again.

Notation: T time, B batch, F features, H hidden units, R rows, N columns, G gates.

The files of `numlstm.kernels.contract` document the functions in the files of the same names of both backends; the
equations of the cells stand in `contract/cells.py`.

Arrays belong to the backend. Those called views may have any strides except for a last one of one element. The two
dtypes are float32 and float64; all arrays of one call share one.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.activation import ACTIVATIONS, CELL_ACTIVATIONS, Activation
from numlstm.kernels.contract.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell
from numlstm.kernels.contract.crossentropy import CrossEntropy
from numlstm.kernels.contract.dense import Dense, DenseGradients, DenseWeights
from numlstm.kernels.contract.dropout import Dropout
from numlstm.kernels.contract.elementwise import Elementwise
from numlstm.kernels.contract.embedding import Embedding
from numlstm.kernels.contract.loss import Loss
from numlstm.kernels.contract.memory import Array, DeviceError, Memory, Version
from numlstm.kernels.contract.objective import Objective
from numlstm.kernels.contract.optimizer import Optimizer
from numlstm.kernels.contract.prepare import Prepare, RecurrentUse
from numlstm.kernels.contract.recurrence import (
    Recurrence,
    RecurrentGradients,
    RecurrentInputs,
    RecurrentPlan,
    RecurrentTrace,
    RecurrentWeights,
)

__all__ = [
    "ACTIVATIONS",
    "CELL_ACTIVATIONS",
    "Array",
    "Backend",
    "Cell",
    "DenseGradients",
    "DenseWeights",
    "DeviceError",
    "GRUCell",
    "LSTMCell",
    "RecurrentGradients",
    "RecurrentInputs",
    "RecurrentPlan",
    "RecurrentTrace",
    "RecurrentUse",
    "RecurrentWeights",
    "SimpleRNNCell",
    "Version",
]


class Backend(
    Memory,
    Prepare,
    Recurrence,
    Dense,
    Embedding,
    Dropout,
    Activation,
    Loss,
    CrossEntropy,
    Objective,
    Optimizer,
    Elementwise,
    Protocol,
):
    """The functions of a backend package."""
