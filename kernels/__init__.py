"""The contract: every function that both backends have, its shapes and its equations.

A backend is a package of functions, such as `numlstm.kernels.cpu`. Whole passes cross this boundary, never single
time steps, but for streams, whose steps are prepared once. Shapes, masks and numbers have been checked before: nothing
here checks again.

Notation: T time, B batch, F features, H hidden units, R rows, N columns. Gates in the order i, f, g, o.

    i = σ(x W_i + h' U_i + b_i)    f = σ(x W_f + h' U_f + b_f)    g = tanh(x W_g + h' U_g + b_g)
    o = σ(x W_o + h' U_o + b_o)    c = f ⊙ c' + i ⊙ g             h = o ⊙ tanh c

(Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000; h', c': the step before.)

Each file of `numlstm.kernels.contract` documents the functions in the file of the same name of both backends.

Arrays belong to the backend. Those called views may have any strides except for a last one of one element. The two
dtypes are float32 and float64; all arrays of one call share one.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.activation import ACTIVATIONS, CELL_ACTIVATIONS, Activation
from numlstm.kernels.contract.crossentropy import CrossEntropy
from numlstm.kernels.contract.dense import Dense, DenseGradients, DenseWeights
from numlstm.kernels.contract.dropout import Dropout
from numlstm.kernels.contract.elementwise import Elementwise
from numlstm.kernels.contract.embedding import Embedding
from numlstm.kernels.contract.loss import Loss
from numlstm.kernels.contract.lstm import LSTM, LSTMCell
from numlstm.kernels.contract.memory import Array, DeviceError, Memory, Version
from numlstm.kernels.contract.objective import Objective
from numlstm.kernels.contract.optimizer import Optimizer
from numlstm.kernels.contract.pair import Pair
from numlstm.kernels.contract.prepare import Prepare
from numlstm.kernels.contract.recurrent import (
    RecurrentGradients,
    RecurrentInputs,
    RecurrentPlan,
    RecurrentTrace,
    RecurrentWeights,
)
from numlstm.kernels.contract.rnn import RNN, RNNCell

__all__ = [
    "ACTIVATIONS",
    "CELL_ACTIVATIONS",
    "Array",
    "Backend",
    "DenseGradients",
    "DenseWeights",
    "DeviceError",
    "LSTMCell",
    "RNNCell",
    "RecurrentGradients",
    "RecurrentInputs",
    "RecurrentPlan",
    "RecurrentTrace",
    "RecurrentWeights",
    "Version",
]


class Backend(
    Memory,
    Prepare,
    LSTM,
    Pair,
    RNN,
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
