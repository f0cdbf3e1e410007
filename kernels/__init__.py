"""The contract: every function that both backends have, its shapes and its equations.

A backend is a package of functions, such as `numlstm.kernels.cpu`. A call is a whole pass over a sequence, never a
single time step. The exception is a stream: it calls step functions, which are prepared once. The library checks
shapes, masks and numbers before it calls; a backend does not check them again.

Notation: T time, B batch, F features, H hidden units, R rows, N columns, G gates.

Each file of `numlstm.kernels.contract` documents the functions in the file of the same name of both backends. The
equations of the cells are in `contract/cells.py`.

Arrays belong to the backend. An array called a view may have any strides, but its last stride must be one element. The
two dtypes are float32 and float64. All arrays of one call share one dtype, unless a parameter names another.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract import cells
from numlstm.kernels.contract.activation import ACTIVATIONS, CELL_ACTIVATIONS, Activation
from numlstm.kernels.contract.attention import AdditiveGradients, AdditiveWeights, Attention
from numlstm.kernels.contract.batches import Batches
from numlstm.kernels.contract.beams import Beams, BeamState
from numlstm.kernels.contract.cells import *
from numlstm.kernels.contract.crossentropy import CrossEntropy
from numlstm.kernels.contract.ctc import CTC, CTCTargets
from numlstm.kernels.contract.dense import Dense, DenseGradients, DenseWeights
from numlstm.kernels.contract.dropout import Dropout
from numlstm.kernels.contract.elementwise import Elementwise
from numlstm.kernels.contract.embedding import Embedding
from numlstm.kernels.contract.loss import Loss
from numlstm.kernels.contract.memory import Array, DeviceError, Memory, Version
from numlstm.kernels.contract.normalization import Normalization, NormalizationGradients, NormalizationWeights
from numlstm.kernels.contract.optimizer import Optimizer
from numlstm.kernels.contract.penalty import Penalty
from numlstm.kernels.contract.prepare import Prepare, RecurrentUse
from numlstm.kernels.contract.recurrence import (
    Recurrence,
    RecurrentGradients,
    RecurrentInputs,
    RecurrentPlan,
    RecurrentTrace,
    RecurrentWeights,
)
from numlstm.kernels.contract.sample_weights import SampleWeights
from numlstm.kernels.contract.sampled import Sampled, SampledClasses

__all__ = [
    "ACTIVATIONS",
    "CELL_ACTIVATIONS",
    "AdditiveGradients",
    "AdditiveWeights",
    "Array",
    "Backend",
    "BeamState",
    "Beams",
    "CTCTargets",
    "DenseGradients",
    "DenseWeights",
    "DeviceError",
    "NormalizationGradients",
    "NormalizationWeights",
    "RecurrentGradients",
    "RecurrentInputs",
    "RecurrentPlan",
    "RecurrentTrace",
    "RecurrentUse",
    "RecurrentWeights",
    "SampledClasses",
    "Version",
]
__all__ += cells.__all__


class Backend(
    Memory,
    Prepare,
    Recurrence,
    Dense,
    Batches,
    Attention,
    Normalization,
    Embedding,
    Dropout,
    Activation,
    Loss,
    CrossEntropy,
    CTC,
    Sampled,
    Penalty,
    SampleWeights,
    Optimizer,
    Elementwise,
    Protocol,
):
    """The functions of a backend package."""
