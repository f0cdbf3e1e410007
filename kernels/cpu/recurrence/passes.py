"""The LSTM: what a pass keeps, and the functions of the contract. The loops through time are in `recurrence.py`."""

import functools
from dataclasses import dataclass, field

import numpy as np

from numlstm.kernels import CELL_ACTIVATIONS, RecurrentInputs, RecurrentPlan
from numlstm.kernels.cpu.products.gradients import (
    BLOCK_ROWS,
    GRADIENT_ROWS,
    GRADIENT_STEPS,
    input_gradient,
    weight_gradients,
)
from numlstm.kernels.cpu.products.layout import pack_gates, pack_transposed, packed_size, unpack_gates
from numlstm.kernels.cpu.products.matmul import WIDE, padded
from numlstm.kernels.cpu.recurrence.loops import (
    backward_steps,
    backward_steps_general,
    forward_steps,
    forward_steps_general,
)
from numlstm.kernels.cpu.recurrence.masking import NO_FLAGS, masking
from numlstm.kernels.cpu.runtime.launch import threads_for
from numlstm.kernels.cpu.runtime.memory import workspace, workspaces
from numlstm.kernels.cpu.runtime.vector import lanes
from numlstm.kernels.tape import call

_DTYPES = {name: np.dtype(name) for name in ("float32", "float64")}

_FEW_ROWS = 16
"""So few rows for each thread, or fewer, leave it waiting for U rather than computing."""

_CACHE = 1 << 20
"""Bytes of U that one core's own cache holds."""


@dataclass
class Trace:
    """What a pass keeps, and the workspace of the way back (layouts: `recurrence.py`).

    initial: the initial c and h, a view of both
    begins_with_zeros: whether the initial states are known to be zero
    mask: that of the forward pass
    masking: what the kernels take of it
    rooms: workspaces by name, allocated when first needed
    """

    gates: np.ndarray
    initial: np.ndarray
    c: np.ndarray
    h: np.ndarray
    steps: int
    units: int
    dh: np.ndarray | None
    dc: np.ndarray | None
    kernel_path: str = ""
    begins_with_zeros: bool = True
    mask: np.ndarray | None = None
    masking: tuple[np.ndarray, ...] = ()
    rooms: dict[str, np.ndarray] = field(default_factory=dict)

    def room(self, name, *shape):
        """A workspace of this shape."""
        kept = self.rooms.get(name)
        if kept is None or kept.shape != shape:
            kept = self.rooms[name] = workspace(shape, self.c.dtype)
        return kept


def lstm_trace(cell, shape, training):
    """Allocate what one pass keeps."""
    steps, batch = shape
    dtype = _DTYPES[cell.dtype]
    lane_count, groups = lanes(dtype.itemsize), _groups(cell)
    kept = steps if training else 1
    states = workspace((2, kept + 1, batch, groups * lane_count), dtype)
    states.fill(0)
    return Trace(
        gates=workspace((groups, kept, batch, WIDE * lane_count), dtype),
        initial=states[:, 0],
        c=states[0],
        h=states[1],
        steps=steps,
        units=cell.units,
        dh=workspace((batch, padded(cell.units, lane_count)), dtype) if training else None,
        dc=workspace((batch, groups * lane_count), dtype) if training else None,
    )


def lstm_state(trace):
    """The final (h, c) of a forward pass."""
    last = trace.steps % len(trace.h)
    return trace.h[last, :, : trace.units].copy(), trace.c[last, :, : trace.units].copy()


def lstm_gates(trace):
    """(i, f, g, o, c, h) of a forward pass in training."""
    gates = unpack_gates(trace.gates, trace.units)
    if trace.mask is not None:
        # There z stands, which nothing was made of.
        gates = [np.where(trace.mask[:, :, None], gate, gate.dtype.type(0)) for gate in gates]
    return *gates, trace.c[:, :, : trace.units].copy(), trace.h[:, :, : trace.units].copy()


def lstm_forward(cell, weights, inputs, trace, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    steps, batch, _ = inputs.x.shape
    general = cell.general or inputs.general
    kernel = forward_steps_general if general else forward_steps
    arguments = begin_forward(cell, weights, inputs, trace, y, general)
    by_units, chunks = division(cell, steps, batch, cell.features + cell.units)
    trace.kernel_path = _path(by_units, chunks, general)
    if by_units:
        kernel.share_steps(cell.dtype, chunks, range(steps), *arguments)
    else:
        kernel.share(cell.dtype, chunks, *arguments, 0, steps, False)


def begin_forward(cell, weights, inputs, trace, y, general):
    """Put the initial state into the trace; what `forward_steps` takes up to its options."""
    state, trace.mask, trace.masking = inputs.state, inputs.mask, masking(inputs.mask)
    w, u, bias = _packed(cell, weights)
    if state is not None:
        trace.h[0, :, : cell.units], trace.c[0, :, : cell.units] = state
    elif not trace.begins_with_zeros:
        call(trace.initial.fill, 0)
    # Without training the two slots take turns, and the initial state is lost.
    trace.begins_with_zeros = state is None and len(trace.h) > 2
    options = _options(cell, inputs, _fed(inputs, trace)) if general else None
    zeros = cell.zero_output_for_mask
    return inputs.x, *trace.masking, zeros, w, u, bias, trace.gates, trace.c, trace.h, y, options


def bind_lstm_step(cell, weights, x, trace, y):
    """z = x W + h' U + b, then the gates, of one step."""
    w, u, bias = _packed(cell, weights)
    # Every step has the same place in memory; only the states take turns.
    x, y = (np.lib.stride_tricks.as_strided(array, (2, *array.shape), (0, *array.strides)) for array in (x, y))
    kernel, options = forward_steps, None
    if cell.general:
        inputs = RecurrentInputs(x)
        kernel, options = forward_steps_general, _options(cell, inputs, _fed(inputs, trace))
    arguments = (x, *masking(None), False, w, u, bias, trace.gates, trace.c, trace.h, y, options)
    by_units, chunks = division(cell, 1, y.shape[1], cell.features + cell.units)
    even, odd = (kernel.bind(cell.dtype, chunks, *arguments, t, t + 1, by_units) for t in (0, 1))
    return even, odd


def lstm_backward(cell, weights, inputs, trace, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    steps, batch, _ = inputs.x.shape
    general = cell.general or inputs.general
    kernel = backward_steps_general if general else backward_steps
    arguments = begin_backward(cell, weights, inputs, trace, dy, gradients, general)
    by_units, chunks = division(cell, steps, batch, cell.units)
    # Step -1 takes the gradients over to the initial state.
    first = 0 if gradients.h is None and gradients.c is None else -1
    if by_units:
        kernel.share_steps(cell.dtype, chunks, range(steps - 1, first - 1, -1), *arguments)
    else:
        kernel.share(cell.dtype, chunks, *arguments, first, steps, False)
    end_backward(cell, trace, gradients)
    work = step_work(cell, steps * batch, 1)
    if gradients.x is not None:
        chunks = threads_for(work * cell.features, steps * batch)
        input_gradient.share(cell.dtype, chunks, *of_input(cell, weights, trace, gradients.x, chunks))
    chunks = threads_for(work * weight_rows(cell), weight_rows(cell))
    weight_gradients.share(cell.dtype, chunks, *of_weights(cell, inputs, trace, gradients, chunks))


def begin_backward(cell, weights, inputs, trace, dy, gradients, general):
    """Put the final state's gradients into the trace; what `backward_steps` takes up to its options."""
    for gradient, carried in ((gradients.h, trace.dh), (gradients.c, trace.dc)):
        call(carried.fill, 0)
        if gradient is not None:
            carried[:, : cell.units] = gradient
    ut, _ = _packed_transposed(cell, weights, gradients.x is not None)
    options = _options(cell, inputs, trace.h) if general else None
    zeros = cell.zero_output_for_mask
    return *trace.masking, zeros, ut, trace.gates, trace.c, trace.dh, trace.dc, dy, options


def end_backward(cell, trace, gradients):
    """Take the initial state's gradients from the trace."""
    for gradient, carried in ((gradients.h, trace.dh), (gradients.c, trace.dc)):
        if gradient is not None:
            gradient[:] = carried[:, : cell.units]


def of_input(cell, weights, trace, dx, chunks):
    """What `input_gradient` takes."""
    _, wt = _packed_transposed(cell, weights, True)
    tiles = trace.room("tiles", chunks, BLOCK_ROWS, padded(cell.features, lanes(wt.itemsize)))
    return trace.gates, wt, dx, tiles, cell.units


def of_weights(cell, inputs, trace, gradients, chunks):
    """What `weight_gradients` takes."""
    db = gradients.bias if gradients.bias is not None else trace.room("db", 4 * cell.units)
    rows = min(GRADIENT_ROWS, -(-weight_rows(cell) // chunks))
    columns = trace.room("columns", chunks, GRADIENT_STEPS, rows)
    sums = trace.room("sums", chunks, len(trace.gates), rows, trace.gates.shape[3])
    mask, _ = trace.masking
    return inputs.x, mask, trace.h, trace.gates, gradients.kernel, gradients.recurrent_kernel, db, columns, sums


def lstm_plan(cell, shape, training, general=False):
    """What `lstm_forward` would run, from the shape alone."""
    steps, batch = shape
    by_units, chunks = division(cell, steps, batch, cell.features + cell.units)
    itemsize = _DTYPES[cell.dtype].itemsize
    if by_units:
        reason = "so few rows leave each thread waiting for U, which overflows a core's cache: the units are shared"
    elif chunks > 1:
        reason = "batch rows are independent through all of time: each thread takes its share of them"
    elif threads_for(steps * step_work(cell, batch, cell.features + cell.units), steps * batch) > 1:
        reason = "one row cannot be shared by rows, and its U is small enough for one core's cache"
    else:
        reason = "the work is too small for a second thread"
    kept, row = steps if training else 1, _groups(cell) * lanes(itemsize)
    nbytes = itemsize * batch * row * (4 * kept + 2 * (kept + 1) + 2 * training)
    return RecurrentPlan(_path(by_units, chunks, general or cell.general), reason, nbytes)


@functools.cache
def _path(by_units, chunks, general):
    shared = f"{'units' if by_units else 'rows'} over {chunks} thread{'s' if chunks > 1 else ''}"
    return f"{shared}, general" if general else shared


def _groups(cell):
    return -(-cell.units // lanes(_DTYPES[cell.dtype].itemsize))


def step_work(cell, batch, depth):
    """The floating-point operations of a product of `depth` rows of the weights with `batch` rows."""
    return 2 * batch * depth * 4 * cell.units


def division(cell, steps, batch, depth):
    """Whether a pass is shared by units instead of by rows, and by how many threads; depth: rows of the weights."""
    step = step_work(cell, batch, depth)
    if cell.units * 4 * cell.units * _DTYPES[cell.dtype].itemsize > _CACHE:
        by_units = threads_for(step, _groups(cell) // WIDE)
        if by_units > 1 and batch <= _FEW_ROWS * by_units:
            return True, by_units
    return False, threads_for(steps * step, batch)


def weight_rows(cell):
    """How many rows the weights have, the bias among them: threads can share their gradients."""
    return cell.units + cell.features + 1


_NO_DROPOUT = {name: np.empty((0, 0), dtype) for name, dtype in _DTYPES.items()}
_NOT_FED = {name: np.empty((0, 0, 0), dtype) for name, dtype in _DTYPES.items()}


def _options(cell, inputs, h):
    """What the general kernels take."""
    return (
        CELL_ACTIVATIONS.index(cell.activation),
        CELL_ACTIVATIONS.index(cell.recurrent_activation),
        NO_FLAGS if inputs.reset is None else inputs.reset,
        _NO_DROPOUT[cell.dtype] if inputs.recurrent_dropout is None else inputs.recurrent_dropout,
        h,
    )


def _fed(inputs, trace):
    """Room for the h' that U meets, where that is not the state before itself; with that of the first step."""
    if not inputs.general:
        return _NOT_FED[trace.h.dtype.name]
    fed = trace.room("fed", 2, *trace.h.shape[1:])
    if inputs.state is None:
        fed[0] = 0  # And zeros stay zeros, whatever is dropped or reset.
        return fed
    fed[0] = trace.h[0]
    if inputs.recurrent_dropout is not None:
        fed[0, :, : trace.units] *= inputs.recurrent_dropout
    if inputs.reset is not None:
        fed[0, inputs.reset[0]] = 0
    return fed


# Packing


def _packed(cell, weights):
    """(w, u, bias) in panels, one for each group of units; packed once for each version of the parameters."""
    version = weights.version.number
    kept, panels = weights.packed.get("forward", (None, None))
    if kept != version:
        rows, width = _groups(cell), WIDE * lanes(weights.kernel.itemsize)
        shapes = [(rows * depth * width,) for depth in (cell.features, cell.units, 1)]
        panels = workspaces(panels, shapes, cell.dtype)
        bias = weights.bias if weights.bias is not None else np.zeros(4 * cell.units, cell.dtype)
        for matrix, packed in zip((weights.kernel, weights.recurrent_kernel, bias[None]), panels, strict=True):
            pack_gates[cell.dtype](matrix, packed)
        weights.packed["forward"] = version, panels
    return panels


def _packed_transposed(cell, weights, with_kernel):
    """(Uᵀ, Wᵀ) in panels, the rows in the order of the gates' layout; Wᵀ is empty unless asked for."""
    version = weights.version.number
    kept, panels = weights.packed.get("backward", (None, None))
    if kept != version or (with_kernel and not panels[1].size):
        lane_count = lanes(weights.kernel.itemsize)
        shapes = [(packed_size(cell.units, size, lane_count),) for size in (cell.units, cell.features * with_kernel)]
        before, panels = panels, workspaces(panels, shapes, cell.dtype)
        for matrix, packed in zip((weights.recurrent_kernel, weights.kernel), panels, strict=True):
            if packed.size:
                if panels is not before:
                    packed.fill(0)
                pack_transposed[cell.dtype](matrix.T, packed)
        weights.packed["backward"] = version, panels
    return panels
