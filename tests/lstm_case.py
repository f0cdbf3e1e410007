"""One LSTM problem with its numbers, what the oracle says of it, and how a backend runs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import reference

from numlstm.kernels import LSTMCell, RecurrentGradients, RecurrentInputs, RecurrentWeights, Version

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


@dataclass(frozen=True)
class Case:
    """One problem: its sizes, its options, and its numbers, which follow from the sizes."""

    T: int
    B: int
    F: int
    H: int
    dtype: str = "float64"
    mask_kind: str | None = None
    layout: str = "contiguous"
    bias: bool = True
    state: bool = True
    state_gradients: tuple[bool, bool] = (True, True)
    need_dx: bool = True
    last_only: bool = False
    seed: int = 0
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    zero_output: bool = False
    resets: bool = False
    dropout: float = 0.0

    @cached_property
    def cell(self):
        return LSTMCell(self.F, self.H, self.dtype, self.activation, self.recurrent_activation, self.zero_output)

    @property
    def general(self):
        """Whether the general kernels run it."""
        return self.cell.general or self.resets or self.dropout > 0

    @cached_property
    def numbers(self):
        T, B, F, H = self.T, self.B, self.F, self.H
        random = np.random.default_rng([T, B, F, H, self.seed])
        shapes = {
            "W": ((F, 4 * H), 1 / np.sqrt(F)),
            "U": ((H, 4 * H), 1 / np.sqrt(H)),
            "b": ((4 * H,), 0.5),
            "x": ((T, B, F), 1.0),
            "h0": ((B, H), 0.5),
            "c0": ((B, H), 0.5),
            "dy": ((1 if self.last_only else T, B, H), 1.0),
            "dh": ((B, H), 1.0),
            "dc": ((B, H), 1.0),
        }
        return {name: (random.normal(size=shape) * s).astype(self.dtype) for name, (shape, s) in shapes.items()}

    @cached_property
    def mask(self):
        if self.mask_kind is None:
            return None
        random = np.random.default_rng([self.T, self.B, self.seed])
        t, valid = np.arange(self.T)[:, None], random.integers(0, self.T + 1, self.B)[None, :]
        return {
            "left": t >= valid,
            "right": t < valid,
            "holes": random.random((self.T, self.B)) < 0.6,
            "empty rows": np.broadcast_to(np.arange(self.B) % 3 != 1, (self.T, self.B)).copy(),
            "all masked": np.zeros((self.T, self.B), bool),
        }[self.mask_kind]

    @cached_property
    def reset(self):
        if not self.resets:
            return None
        return np.random.default_rng([self.B, self.T, self.seed, 1]).random((self.T, self.B)) < 0.4

    @cached_property
    def recurrent_dropout(self):
        if not self.dropout:
            return None
        kept = np.random.default_rng([self.B, self.H, self.seed, 2]).random((self.B, self.H)) >= self.dropout
        return (kept / (1 - self.dropout)).astype(self.dtype)

    @cached_property
    def traced(self):
        """The oracle's forward pass."""
        n = self.numbers
        b = n["b"] if self.bias else None
        h0, c0 = (n["h0"], n["c0"]) if self.state else (None, None)
        return reference.lstm_forward(n["W"], n["U"], b, n["x"], self.mask, h0, c0, self.options)

    @property
    def options(self):
        return reference.Options(
            self.activation, self.recurrent_activation, self.zero_output, self.reset, self.recurrent_dropout
        )

    @cached_property
    def expected(self):
        """What the oracle says: outputs, final states, gradients, by name."""
        n, trace = self.numbers, self.traced
        dy = np.zeros((self.T, self.B, self.H))
        dy[-len(n["dy"]) :] = n["dy"]
        dh, dc = (n[name] if wanted else None for name, wanted in zip(("dh", "dc"), self.state_gradients, strict=True))
        gradients = reference.lstm_backward(n["W"], n["U"], n["x"], self.mask, trace, dy, dh, dc, self.options)
        return {
            "y": trace.y[-len(n["dy"]) :],
            "h": trace.h[-1],
            "c": trace.c[-1],
            "dW": gradients.kernel,
            "dU": gradients.recurrent_kernel,
            "db": gradients.bias if self.bias else None,
            "dx": gradients.x if self.need_dx else None,
            "dh0": gradients.h if self.state_gradients[0] else None,
            "dc0": gradients.c if self.state_gradients[1] else None,
        }


class Run:
    """A case in a backend's memory, and its passes."""

    def __init__(self, backend, case, training=True):
        self.backend, self.case = backend, case
        self.cell = case.cell
        n = case.numbers
        self.weights = RecurrentWeights(
            self.array(n["W"]), self.array(n["U"]), self.array(n["b"]) if case.bias else None, Version()
        )
        self.trace = backend.lstm_trace(self.cell, (case.T, case.B), training)

    def array(self, values):
        return self.backend.asarray(values, str(values.dtype))

    def view(self, values, layout=None):
        """The allocated array and the view of it that the kernel gets."""
        allocate, look = LAYOUTS[layout or self.case.layout]
        base = self.array(np.ascontiguousarray(allocate(values)))
        return base, look(base)

    def values(self, base):
        """The values of a view's array, having seen that nothing was written beside the view."""
        _, look = LAYOUTS[self.case.layout]
        host = self.backend.to_host(base).copy()
        inside = look(host).copy()
        look(host)[...] = np.nan
        assert np.isnan(host).all(), "the kernel wrote outside of its view"
        return inside

    def nan(self, *shape):
        return np.full(shape, np.nan, self.case.dtype)

    def prepare_forward(self):
        """Set the inputs; the array of the outputs and the view of it."""
        case, n = self.case, self.case.numbers
        x = self.view(n["x"])[1]
        # A mask and the states take another road than x: they may lie otherwise than it.
        mask = None if case.mask is None else self.view(case.mask)[1]
        state_layout = "contiguous" if case.layout == "contiguous" else "inside a wider array"
        state = None
        if case.state:
            state = tuple(self.view(n[name], state_layout)[1] for name in ("h0", "c0"))
        reset = None if case.reset is None else self.view(case.reset)[1]
        dropout = case.recurrent_dropout
        dropout = None if dropout is None else self.view(dropout, state_layout)[1]
        self.inputs = RecurrentInputs(x, mask, state, reset, dropout)
        return self.view(self.nan(len(n["dy"]), case.B, case.H))

    def forward(self):
        base, y = self.prepare_forward()
        self.backend.lstm_forward(self.cell, self.weights, self.inputs, self.trace, y)
        return self.forward_results(base)

    def forward_results(self, base):
        h, c = self.backend.lstm_state(self.trace)
        self.state = h, c
        return {"y": self.values(base), "h": self.backend.to_host(h), "c": self.backend.to_host(c)}

    def prepare_backward(self):
        """The gradient of the outputs, the gradients to be filled, and the array of dx."""
        case, n = self.case, self.case.numbers
        dy = self.view(n["dy"])[1]
        base, dx = self.view(self.nan(case.T, case.B, case.F)) if case.need_dx else (None, None)
        gradients = RecurrentGradients(
            kernel=self.array(self.nan(case.F, 4 * case.H)),
            recurrent_kernel=self.array(self.nan(case.H, 4 * case.H)),
            bias=self.array(self.nan(4 * case.H)) if case.bias else None,
            x=dx,
            h=self.array(n["dh"].copy()) if case.state_gradients[0] else None,
            c=self.array(n["dc"].copy()) if case.state_gradients[1] else None,
        )
        return dy, gradients, base

    def backward(self):
        dy, gradients, base = self.prepare_backward()
        self.backend.lstm_backward(self.cell, self.weights, self.inputs, self.trace, dy, gradients)
        return self.backward_results(gradients, base)

    def backward_results(self, gradients, base):
        named = {
            "dW": gradients.kernel,
            "dU": gradients.recurrent_kernel,
            "db": gradients.bias,
            "dh0": gradients.h,
            "dc0": gradients.c,
        }
        results = {name: None if a is None else self.backend.to_host(a).copy() for name, a in named.items()}
        results["dx"] = None if base is None else self.values(base)
        return results

    def both(self):
        return self.forward() | self.backward()
