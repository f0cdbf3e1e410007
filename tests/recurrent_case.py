"""One problem of a recurrent cell with its numbers, what the oracle says of it, and how a backend runs it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import cached_property

import numba
import numpy as np
import reference_recurrence as oracle
from recurrent_cells import CELLS, LAYOUTS

from numlstm.kernels import RecurrentGradients, RecurrentInputs, RecurrentWeights, Version


@dataclass(frozen=True)
class Case:
    """One problem: its cell, its sizes, its options, and its numbers, which follow from the sizes."""

    cell_name: str
    T: int
    B: int
    F: int
    H: int
    dtype: str = "float64"
    mask_kind: str | None = None
    layout: str = "contiguous"
    bias: bool = True
    state: bool = True
    state_gradient: bool = True
    need_dx: bool = True
    last_only: bool = False
    seed: int = 0
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    zero_output: bool = False
    resets: bool = False
    dropout: float = 0.0

    @property
    def description(self):
        """What every cell is made with."""
        return self.F, self.H, self.dtype

    @cached_property
    def cell(self):
        return CELLS[self.cell_name].cell(self)

    @property
    def columns(self):
        """GH."""
        return len(self.cell.gates) * self.H

    @property
    def bias_shape(self):
        return (self.columns,) if self.cell.biases == 1 else (self.cell.biases, self.columns)

    @property
    def outputs(self):
        """The names of what a forward pass gives."""
        return ["y", *self.cell.states]

    @property
    def initial(self):
        """The names of the initial state's parts."""
        return [f"{letter}0" for letter in self.cell.states]

    @property
    def with_options(self):
        """Whether the kernels with options run it."""
        return self.cell.with_options or self.resets or self.dropout > 0

    @cached_property
    def numbers(self):
        T, B, F, H = self.T, self.B, self.F, self.H
        random = np.random.default_rng([T, B, F, H, self.seed])
        # What an exponential gives must not grow from step to step.
        least = 0.2 if self.activation == "exponential" else 1.0
        shapes = {
            "W": ((F, self.columns), least / np.sqrt(F)),
            "U": ((H, self.columns), least * CELLS[self.cell_name].gain / np.sqrt(H)),
            "b": (self.bias_shape, 0.5),
            "x": ((T, B, F), 1.0),
            **{name: ((B, H), 0.5) for name in self.initial},
            "dy": ((1 if self.last_only else T, B, H), 1.0),
            **{f"d{letter}": ((B, H), 1.0) for letter in self.cell.states},
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

    def of_rows(self, rows):
        """The same problem with these rows alone."""
        part = replace(self, B=len(rows))
        by_row = ["recurrent_dropout", *self.initial, *(f"d{letter}" for letter in self.cell.states)]
        for name in ("mask", "reset", "recurrent_dropout"):
            whole = getattr(self, name)
            if whole is not None:
                part.__dict__[name] = whole[rows] if name in by_row else whole[:, rows]
        part.numbers.update({name: self.numbers[name] for name in "WUb"})
        for name in self.numbers.keys() - set("WUb"):
            part.numbers[name] = self.numbers[name][rows] if name in by_row else self.numbers[name][:, rows]
        return part

    def trace(self):
        """The oracle's forward pass, with the numbers as they are now."""
        n = self.numbers
        return oracle.forward(self.cell_name, n["W"], n["U"], n["b"] if self.bias else None, n["x"], self.options)

    @property
    def options(self):
        return oracle.Options(
            mask=self.mask,
            state=tuple(self.numbers[name] for name in self.initial) if self.state else None,
            reset=self.reset,
            dropout=self.recurrent_dropout,
            zero_output=self.zero_output,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
        )

    @cached_property
    def traced(self):
        return self.trace()

    @cached_property
    def expected(self):
        """What the oracle says: outputs, final states, gradients, by name."""
        n, trace, letters = self.numbers, self.traced, self.cell.states
        dy = np.zeros((self.T, self.B, self.H))
        dy[-len(n["dy"]) :] = n["dy"]
        dstate = [n[f"d{letter}"] for letter in letters] if self.state_gradient else None
        gradients = oracle.backward(self.cell_name, n["W"], n["U"], trace, dy, dstate, self.options)
        expected = {"y": trace.y[-len(n["dy"]) :], **dict(zip(letters, trace.final, strict=True))}
        expected |= {"dW": gradients.kernel, "dU": gradients.recurrent_kernel}
        expected |= {"db": gradients.bias if self.bias else None, "dx": gradients.x if self.need_dx else None}
        for name, gradient in zip(self.initial, gradients.state, strict=True):
            expected[f"d{name}"] = gradient if self.state_gradient else None
        return expected


class Run:
    """A case in a backend's memory, and its passes."""

    def __init__(self, backend, case, training=True):
        self.backend, self.case = backend, case
        self.cell = case.cell
        n = case.numbers
        self.weights = RecurrentWeights(
            self.array(n["W"]), self.array(n["U"]), self.array(n["b"]) if case.bias else None, Version()
        )
        self.trace = backend.recurrent_trace(self.cell, (case.T, case.B), training)

    def array(self, values):
        return self.backend.asarray(values, str(values.dtype))

    def view(self, values, layout=None):
        """The allocated array and the view of it that the kernel gets."""
        allocate, look = LAYOUTS[layout or self.case.layout]
        base = self.array(np.ascontiguousarray(allocate(values)))
        return base, look(base)

    def given(self, values, layout=None):
        """The view of an array that may be missing."""
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

    def prepare_forward(self):
        """Set the inputs; the array of the outputs and the view of it."""
        case, n = self.case, self.case.numbers
        # The states and the dropout take another road than what has steps: they may lie otherwise than it.
        flat = "contiguous" if case.layout == "contiguous" else "inside a wider array"
        state = tuple(self.given(n[name], flat) for name in case.initial) if case.state else None
        self.inputs = RecurrentInputs(
            self.given(n["x"]),
            self.given(case.mask),
            state,
            self.given(case.reset),
            self.given(case.recurrent_dropout, flat),
            case.zero_output,
        )
        return self.view(self.nan(len(n["dy"]), case.B, case.H))

    def forward(self):
        base, y = self.prepare_forward()
        self.backend.recurrent_forward(self.cell, self.weights, self.inputs, self.trace, y)
        return self.forward_results(base)

    def forward_results(self, base):
        self.state = self.backend.recurrent_state(self.cell, self.trace)
        parts = [self.backend.to_host(part) for part in self.state]
        saved = tuple(self.backend.empty(part.shape, self.cell.dtype) for part in parts)
        self.backend.save_state(self.cell, self.trace, saved)
        for part, again in zip(parts, saved, strict=True):
            np.testing.assert_array_equal(self.backend.to_host(again), part)
        return dict(zip(self.case.outputs, [self.values(base), *parts], strict=True))

    def prepare_backward(self):
        """The gradient of the outputs, the gradients to be filled, and the array of dx."""
        case, n = self.case, self.case.numbers
        base, dx = self.view(self.nan(case.T, case.B, case.F)) if case.need_dx else (None, None)
        letters = self.cell.states
        gradients = RecurrentGradients(
            kernel=self.array(self.nan(case.F, case.columns)),
            recurrent_kernel=self.array(self.nan(case.H, case.columns)),
            bias=self.array(self.nan(*case.bias_shape)) if case.bias else None,
            x=dx,
            state=tuple(self.array(n[f"d{letter}"].copy()) for letter in letters) if case.state_gradient else None,
        )
        return self.given(n["dy"]), gradients, base

    def backward(self):
        dy, gradients, base = self.prepare_backward()
        self.backend.recurrent_backward(self.cell, self.weights, self.inputs, self.trace, dy, gradients)
        return self.backward_results(gradients, base)

    def backward_results(self, gradients, base):
        named = {"dW": gradients.kernel, "dU": gradients.recurrent_kernel, "db": gradients.bias}
        state = gradients.state or (None,) * len(self.cell.states)
        named |= {f"d{name}": part for name, part in zip(self.case.initial, state, strict=True)}
        results = {name: None if a is None else self.backend.to_host(a).copy() for name, a in named.items()}
        results["dx"] = None if base is None else self.values(base)
        return results

    def both(self):
        return self.forward() | self.backward()


def compare(results, case, assert_close):
    """Compare what a backend gave with the oracle: all of a pass, or some of it."""
    for name, actual in results.items():
        expected = case.expected[name]
        if expected is None:
            assert actual is None
            continue
        forward = name in case.outputs
        length = (case.F + case.H + 1) * case.T if forward else max(case.columns, case.B) * case.T
        assert_close(actual, expected, case.dtype, length, factor=4 if forward else 8, what=f"{name} of {case}")


def assert_same(a, b, what=""):
    """Equal to the bit, by name."""
    assert a.keys() & b.keys()
    for name in a.keys() & b.keys():
        np.testing.assert_array_equal(a[name], b[name], err_msg=f"{name} {what}", strict=True)


@contextlib.contextmanager
def threads(count):
    """As many of numba's threads as said."""
    available = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(available)
