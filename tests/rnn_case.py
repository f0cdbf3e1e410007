"""One problem of Elman's network with its numbers, what the oracle says of it, and how a backend runs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import reference
from lstm_case import LAYOUTS, MASKS

from numlstm.kernels import RecurrentGradients, RecurrentInputs, RecurrentWeights, RNNCell, Version

__all__ = ["LAYOUTS", "MASKS", "Case", "Run"]


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
    activation: str = "tanh"
    zero_output: bool = False
    resets: bool = False
    dropout: float = 0.0
    bias: bool = True
    state: bool = True
    state_gradient: bool = True
    need_dx: bool = True
    last_only: bool = False
    seed: int = 0

    @property
    def cell(self):
        return RNNCell(self.F, self.H, self.dtype, self.activation, self.zero_output)

    @cached_property
    def numbers(self):
        T, B, F, H = self.T, self.B, self.F, self.H
        random = np.random.default_rng([T, B, F, H, self.seed])
        # What unbounded activations give must not grow from step to step.
        least = 0.2 if self.activation == "exponential" else 1.0
        shapes = {
            "W": ((F, H), least / np.sqrt(F)),
            "U": ((H, H), 0.5 * least / np.sqrt(H)),
            "b": ((H,), 0.5),
            "x": ((T, B, F), 1.0),
            "h0": ((B, H), 0.5),
            "dy": ((1 if self.last_only else T, B, H), 1.0),
            "dh": ((B, H), 1.0),
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
        return np.random.default_rng([self.B, self.T, self.seed]).random((self.T, self.B)) < 0.4

    @cached_property
    def recurrent_dropout(self):
        if not self.dropout:
            return None
        kept = np.random.default_rng([self.B, self.H, self.seed]).random((self.B, self.H)) >= self.dropout
        return (kept / (1 - self.dropout)).astype(self.dtype)

    @cached_property
    def expected(self):
        """What the oracle says: outputs, final state, gradients, by name."""
        n = self.numbers
        options = {
            "activation": self.activation,
            "zero_output": self.zero_output,
            "reset": self.reset,
            "dropout": self.recurrent_dropout,
        }
        b, h0 = n["b"] if self.bias else None, n["h0"] if self.state else None
        trace = reference.rnn_forward(n["W"], n["U"], b, n["x"], self.mask, h0, **options)
        dy = np.zeros((self.T, self.B, self.H))
        dy[-len(n["dy"]) :] = n["dy"]
        dh = n["dh"] if self.state_gradient else None
        dW, dU, db, dx, dh0 = reference.rnn_backward(n["W"], n["U"], n["x"], self.mask, trace, dy, dh, **options)
        _, h, y, _ = trace
        return {
            "y": y[-len(n["dy"]) :],
            "h": h[-1],
            "dW": dW,
            "dU": dU,
            "db": db if self.bias else None,
            "dx": dx if self.need_dx else None,
            "dh0": dh0 if self.state_gradient else None,
        }


class Run:
    """A case in a backend's memory, and its passes."""

    def __init__(self, backend, case, training=True):
        self.backend, self.case = backend, case
        n = case.numbers
        self.weights = RecurrentWeights(
            self.array(n["W"]), self.array(n["U"]), self.array(n["b"]) if case.bias else None, Version()
        )
        self.trace = backend.rnn_trace(case.cell, (case.T, case.B), training)

    def array(self, values):
        return self.backend.asarray(values, str(values.dtype))

    def view(self, values, layout=None):
        """The allocated array and the view of it that the kernel gets."""
        allocate, look = LAYOUTS[layout or self.case.layout]
        base = self.array(np.ascontiguousarray(allocate(values)))
        return base, look(base)

    def given(self, values, layout=None):
        return None if values is None else self.view(values, layout)[1]

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

    def forward(self):
        case, n = self.case, self.case.numbers
        flat = "contiguous" if case.layout == "contiguous" else "inside a wider array"
        state = (self.given(n["h0"], flat),) if case.state else None
        self.inputs = RecurrentInputs(
            self.given(n["x"]),
            self.given(case.mask),
            state,
            self.given(case.reset),
            self.given(case.recurrent_dropout, flat),
        )
        base, y = self.view(self.nan(len(n["dy"]), case.B, case.H))
        self.backend.rnn_forward(case.cell, self.weights, self.inputs, self.trace, y)
        (h,) = self.backend.rnn_state(self.trace)
        return {"y": self.values(base), "h": self.backend.to_host(h)}

    def backward(self):
        case, n = self.case, self.case.numbers
        base, dx = self.view(self.nan(case.T, case.B, case.F)) if case.need_dx else (None, None)
        gradients = RecurrentGradients(
            kernel=self.array(self.nan(case.F, case.H)),
            recurrent_kernel=self.array(self.nan(case.H, case.H)),
            bias=self.array(self.nan(case.H)) if case.bias else None,
            x=dx,
            h=self.array(n["dh"].copy()) if case.state_gradient else None,
        )
        self.backend.rnn_backward(
            case.cell, self.weights, self.inputs, self.trace, self.given(n["dy"]), gradients
        )  # fmt: skip
        named = {
            "dW": gradients.kernel,
            "dU": gradients.recurrent_kernel,
            "db": gradients.bias,
            "dh0": gradients.h,
        }
        results = {name: None if a is None else self.backend.to_host(a).copy() for name, a in named.items()}
        results["dx"] = self.values(base) if case.need_dx else None
        return results

    def both(self):
        return self.forward() | self.backward()
