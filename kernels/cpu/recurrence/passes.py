"""The passes of every cell: the trace, and the functions of the contract. The loops are in `loops.py`."""

from dataclasses import dataclass, field

import numpy as np

from numlstm.kernels import RecurrentInputs
from numlstm.kernels.cpu.products.gradients import BLOCK_ROWS, GRADIENT_ROWS, GRADIENT_STEPS, input_gradient
from numlstm.kernels.cpu.products.layout import unpack_gates
from numlstm.kernels.cpu.products.matmul import WIDE, padded
from numlstm.kernels.cpu.recurrence.kernels import CellKernels, kernels_of
from numlstm.kernels.cpu.recurrence.masking import NO_FLAGS, masking
from numlstm.kernels.cpu.recurrence.packing import packed, packed_transposed
from numlstm.kernels.cpu.recurrence.plan import (
    DTYPES,
    division,
    panels_of_gates,
    path,
    row_of,
    step_work,
    weight_rows,
)
from numlstm.kernels.cpu.runtime.launch import threads_for
from numlstm.kernels.cpu.runtime.memory import workspace
from numlstm.kernels.cpu.runtime.vector import lanes
from numlstm.kernels.replay import call

__all__ = [
    "make_recurrent_steps",
    "recurrent_backward",
    "recurrent_forward",
    "recurrent_gates",
    "recurrent_state",
    "recurrent_trace",
    "save_state",
]


@dataclass
class Trace:
    """The data that a pass keeps, and the workspace of the backward pass. The layouts are in `loops.py`.

    kernels: the plain kernels of the cell
    states: [S, T + 1, B, HL] h first, then c if the cell has one
    d_states: [S, B, HL] the gradients of the state in the backward pass
    begins_with_zeros: whether the initial states are known to be zero
    mask: the mask of the forward pass
    masking: the form of the mask that kernels take
    rooms: workspaces by name, allocated when first needed
    """

    kernels: CellKernels
    gates: np.ndarray
    states: np.ndarray
    d_states: np.ndarray | None
    steps: int
    units: int
    kernel_name: str = ""
    begins_with_zeros: bool = True
    mask: np.ndarray | None = None
    masking: tuple[np.ndarray, ...] = ()
    rooms: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        # Without c, kernels get an array without elements.
        no_c = self.states[0, :0]
        self.loop = self.gates, self.states[0], self.states[1] if len(self.states) > 1 else no_c
        """(gates, h, c) as kernels take them."""
        if self.d_states is not None:
            second = self.d_states[0, :0]
            if len(self.d_states) > 1:
                second = self.d_states[1]
            elif self.kernels.passes_h:
                second = np.empty_like(self.d_states[0])
            self.d_loop = self.d_states[0], second
            """(dh, dc) as kernels take them. Some cells have room for dG Uᵀ in the place of dc."""

    def room(self, name, *shape):
        """Return the workspace of this name; allocate it if it is new or has another shape."""
        kept = self.rooms.get(name)
        if kept is None or kept.shape != shape:
            kept = self.rooms[name] = workspace(shape, self.states.dtype)
        return kept


def recurrent_trace(cell, shape, training):
    """Allocate the trace of one pass."""
    steps, batch = shape
    dtype = DTYPES[cell.dtype]
    kept, count, row = steps if training else 1, len(cell.states), row_of(cell)
    states = workspace((count, kept + 1, batch, row), dtype)
    states.fill(0)
    return Trace(
        kernels=kernels_of(cell.name, False),
        gates=workspace((panels_of_gates(cell), kept, batch, WIDE * lanes(dtype.itemsize)), dtype),
        states=states,
        d_states=workspace((count, batch, row), dtype) if training else None,
        steps=steps,
        units=cell.units,
    )


def recurrent_state(cell, trace):
    """The final state of a forward pass."""
    return tuple(part.copy() for part in _final_state(trace))


def save_state(cell, trace, state):
    """Write the final state of a forward pass to given arrays."""
    for part, final in zip(state, _final_state(trace), strict=True):
        call(np.copyto, part, final)


def _final_state(trace):
    last = trace.steps % trace.states.shape[1]
    return trace.states[:, last, :, : trace.units]


def recurrent_gates(cell, trace):
    """The gates and states of every step of a forward pass in training."""
    letters = trace.kernels.letters
    unpacked = unpack_gates(trace.gates, trace.units, len(letters))
    gates = {letter: unpacked[letters.index(letter)] for letter in cell.saved}
    if trace.mask is not None:
        # The slots of masked steps still hold z, from which no gate was computed.
        gates = {letter: np.where(trace.mask[:, :, None], gate, gate.dtype.type(0)) for letter, gate in gates.items()}
    states = zip(cell.states, trace.states, strict=True)
    return gates | {letter: part[:, :, : trace.units].copy() for letter, part in states}


def recurrent_forward(cell, weights, inputs, trace, y):
    """z = x W + h' U + b, then the cell, from the first step to the last."""
    steps, batch, _ = inputs.x.shape
    with_options = cell.with_options or inputs.with_options
    kernel = _kernels(cell, trace, with_options).forward
    arguments = begin_forward(cell, weights, inputs, trace, y, with_options)
    by_units, chunks = division(cell, steps, batch, cell.features + cell.units)
    trace.kernel_name = path(by_units, chunks, with_options)
    if by_units:
        kernel.share_steps(cell.dtype, chunks, range(steps), *arguments)
    else:
        kernel.share(cell.dtype, chunks, *arguments, 0, steps, False)


def begin_forward(cell, weights, inputs, trace, y, with_options):
    """Copy the initial state into the trace. Return the arguments of `forward_steps` up to its options."""
    trace.mask, trace.masking = inputs.mask, masking(inputs.mask)
    if inputs.state is not None:
        for part, given in zip(trace.states, inputs.state, strict=True):
            call(np.copyto, part[0, :, : cell.units], given)
    elif not trace.begins_with_zeros:
        call(trace.states[:, 0].fill, 0)
    # Without training the two states take turns, and the initial state is overwritten.
    trace.begins_with_zeros = inputs.state is None and trace.states.shape[1] > 2
    sequence = inputs.x, *trace.masking, inputs.zero_output
    options = (*_options(cell, inputs, trace), _dropped_h(inputs, trace)) if with_options else None
    return sequence, packed(cell, trace.kernels, weights), trace.loop, y, options


def make_recurrent_steps(cell, weights, x, trace, y):
    """z = x W + h' U + b, then the cell, one step."""
    # All steps read the same x and write the same y; only the states take turns.
    x, y = (np.lib.stride_tricks.as_strided(array, (2, *array.shape), (0, *array.strides)) for array in (x, y))
    kernel, options = _kernels(cell, trace, cell.with_options).forward, None
    if cell.with_options:
        inputs = RecurrentInputs(x)
        options = (*_options(cell, inputs, trace), _dropped_h(inputs, trace))
    arguments = (x, *masking(None), False), packed(cell, trace.kernels, weights), trace.loop, y, options
    by_units, chunks = division(cell, 1, y.shape[1], cell.features + cell.units)
    even, odd = (kernel.partial(cell.dtype, chunks, *arguments, t, t + 1, by_units) for t in (0, 1))
    return even, odd


def recurrent_backward(cell, weights, inputs, trace, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    steps, batch, _ = inputs.x.shape
    with_options = cell.with_options or inputs.with_options
    kernels = _kernels(cell, trace, with_options)
    arguments = begin_backward(cell, weights, inputs, trace, dy, gradients, with_options)
    by_units, chunks = division(cell, steps, batch, cell.units)
    # Step -1 computes the gradients of the initial state and, if h' is reset before U, completes dG of step 0.
    first = 0 if gradients.state is None and not kernels.resets_h else -1
    if by_units:
        kernels.backward.share_steps(cell.dtype, chunks, range(steps - 1, first - 1, -1), *arguments)
    else:
        kernels.backward.share(cell.dtype, chunks, *arguments, first, steps, False)
    end_backward(cell, trace, gradients)
    work = step_work(cell, steps * batch, 1)
    if gradients.x is not None:
        chunks = threads_for(work * cell.features, steps * batch)
        input_gradient.share(cell.dtype, chunks, *of_input(cell, weights, trace, gradients.x, chunks))
    chunks = threads_for(work * weight_rows(cell), weight_rows(cell))
    for kernel, arguments in of_weights(cell, inputs, trace, gradients, chunks):
        kernel.share(cell.dtype, chunks, *arguments)


def begin_backward(cell, weights, inputs, trace, dy, gradients, with_options):
    """Copy the final state's gradients into the trace. Return the arguments of `backward_steps` up to its options."""
    call(trace.d_states.fill, 0)
    if gradients.state is not None:
        for part, given in zip(trace.d_states, gradients.state, strict=True):
            call(np.copyto, part[:, : cell.units], given)
    ut, _ = packed_transposed(cell, trace.kernels, weights, gradients.x is not None)
    options = None
    if with_options:
        options = _options(cell, inputs, trace)
    return (*trace.masking, inputs.zero_output), ut, trace.loop, trace.d_loop, dy, options


def end_backward(cell, trace, gradients):
    """Copy the gradients of the initial state out of the trace."""
    if gradients.state is not None:
        for gradient, part in zip(gradients.state, trace.d_states, strict=True):
            call(np.copyto, gradient, part[:, : cell.units])


def of_input(cell, weights, trace, dx, chunks):
    """Return the arguments of `input_gradient`."""
    kernels = trace.kernels
    _, wt = packed_transposed(cell, kernels, weights, True)
    tiles = trace.room("tiles", chunks, BLOCK_ROWS, padded(cell.features, lanes(wt.itemsize)))
    return trace.gates, wt, dx, tiles, cell.units, len(kernels.letters), *kernels.input.vectors


def of_weights(cell, inputs, trace, gradients, chunks):
    """Return the kernels of the weights' gradients, one or two, each with its arguments."""
    kernels, columns = trace.kernels, len(cell.gates) * cell.units
    db = gradients.bias if gradients.bias is not None else trace.room("db", cell.biases, columns)
    rows = min(GRADIENT_ROWS, -(-weight_rows(cell) // chunks))
    room = trace.room("columns", chunks, GRADIENT_STEPS, rows)
    sums = trace.room("sums", chunks, len(trace.gates), rows, trace.gates.shape[3])
    read = inputs.x, trace.masking[0], trace.states[0], trace.gates
    into = gradients.recurrent_kernel, gradients.kernel, db[None] if db.ndim == 1 else db
    calls = [(kernels.gradients, (*read, into, room, sums))]
    if kernels.reset_gradients is not None:
        into = gradients.recurrent_kernel, gradients.kernel[:0], trace.room("no_db", 1, columns)
        calls.append((kernels.reset_gradients, (*read, into, room, sums)))
    return calls


def _kernels(cell, trace, with_options):
    return kernels_of(cell.name, True) if with_options else trace.kernels


_NO_DROPOUT = {name: np.empty((0, 0), dtype) for name, dtype in DTYPES.items()}
_NO_H = {name: np.empty((0, 0, 0), dtype) for name, dtype in DTYPES.items()}


def _options(cell, inputs, trace):
    """The options that the forward and the backward kernels take."""
    activations = [trace.kernels.activations.index(name) for name in cell.activations]
    return (
        activations[0],
        activations[-1],
        NO_FLAGS if inputs.reset is None else inputs.reset,
        _NO_DROPOUT[cell.dtype] if inputs.recurrent_dropout is None else inputs.recurrent_dropout,
    )


def _dropped_h(inputs, trace):
    """Room for the h' that U multiplies, with that of the first step. It is empty if U multiplies the state itself."""
    h = trace.states[0]
    if not inputs.with_options:
        return _NO_H[h.dtype.name]
    h_in = trace.room("h_in", 2, *h.shape[1:])
    if inputs.state is None:
        h_in[0] = 0  # Dropout and resets do not change zeros.
        return h_in
    h_in[0] = h[0]
    if inputs.recurrent_dropout is not None:
        h_in[0, :, : trace.units] *= inputs.recurrent_dropout
    if inputs.reset is not None and len(inputs.reset):
        h_in[0, inputs.reset[0]] = 0
    return h_in
