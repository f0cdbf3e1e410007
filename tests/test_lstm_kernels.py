"""The LSTM kernels of every backend against the oracle, through the contract's functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pytest
import reference
from numlstm.kernels import LSTMCell, LSTMGradients, LSTMWeights, Version

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
    scale: float = field(default=1.0)

    @cached_property
    def numbers(self):
        T, B, F, H = self.T, self.B, self.F, self.H
        random = np.random.default_rng([T, B, F, H, self.seed])
        shapes = {
            "W": ((F, 4 * H), 1 / np.sqrt(F)),
            "U": ((H, 4 * H), 1 / np.sqrt(H)),
            "b": ((4 * H,), 0.5),
            "x": ((T, B, F), self.scale),
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
    def expected(self):
        """What the oracle says: outputs, final states, gradients, by name."""
        n = self.numbers
        b = n["b"] if self.bias else None
        h0, c0 = (n["h0"], n["c0"]) if self.state else (None, None)
        trace = reference.lstm_forward(n["W"], n["U"], b, n["x"], self.mask, h0, c0)
        dy = np.zeros((self.T, self.B, self.H))
        dy[-len(n["dy"]) :] = n["dy"]
        dh, dc = (n[name] if wanted else None for name, wanted in zip(("dh", "dc"), self.state_gradients, strict=True))
        gradients = reference.lstm_backward(n["W"], n["U"], n["x"], self.mask, trace, dy, dh, dc)
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
        self.cell = LSTMCell(case.F, case.H, case.dtype)
        n = case.numbers
        self.weights = LSTMWeights(
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

    def forward(self):
        case, n = self.case, self.case.numbers
        self.x = self.view(n["x"])[1]
        # A mask and the states take another road than x: they may lie otherwise than it.
        self.mask = None if case.mask is None else self.view(case.mask)[1]
        state_layout = "contiguous" if case.layout == "contiguous" else "inside a wider array"
        state = None
        if case.state:
            state = tuple(self.view(n[name], state_layout)[1] for name in ("h0", "c0"))
        base, y = self.view(self.nan(len(n["dy"]), case.B, case.H))
        self.backend.lstm_forward(self.cell, self.weights, self.x, self.mask, state, self.trace, y)
        h, c = self.backend.lstm_state(self.trace)
        self.state = h, c
        return {"y": self.values(base), "h": self.backend.to_host(h), "c": self.backend.to_host(c)}

    def backward(self):
        case, n = self.case, self.case.numbers
        dy = self.view(n["dy"])[1]
        base, dx = self.view(self.nan(case.T, case.B, case.F)) if case.need_dx else (None, None)
        gradients = LSTMGradients(
            kernel=self.array(self.nan(case.F, 4 * case.H)),
            recurrent_kernel=self.array(self.nan(case.H, 4 * case.H)),
            bias=self.array(self.nan(4 * case.H)) if case.bias else None,
            x=dx,
            h=self.array(n["dh"].copy()) if case.state_gradients[0] else None,
            c=self.array(n["dc"].copy()) if case.state_gradients[1] else None,
        )
        self.backend.lstm_backward(self.cell, self.weights, self.x, self.mask, self.trace, dy, gradients)
        named = {
            "dW": gradients.kernel,
            "dU": gradients.recurrent_kernel,
            "db": gradients.bias,
            "dh0": gradients.h,
            "dc0": gradients.c,
        }
        results = {name: None if a is None else self.backend.to_host(a).copy() for name, a in named.items()}
        results["dx"] = self.values(base) if case.need_dx else None
        return results

    def both(self):
        return self.forward() | self.backward()


@pytest.fixture
def check(backend, assert_close):
    """Runs a case forward and backward and compares everything with the oracle."""

    def check(case):
        # Kernels may not write into what they read: the numbers are compared with copies afterwards.
        before = {name: values.copy() for name, values in case.numbers.items()}
        results = Run(backend, case).both()
        for name, values in case.numbers.items():
            np.testing.assert_array_equal(values, before[name], err_msg=f"the kernel changed its input {name}")
        compare(results, case, assert_close)
        return results

    return check


def compare(results, case, assert_close):
    for name, expected in case.expected.items():
        if name not in results:
            continue
        if expected is None:
            assert results[name] is None
            continue
        forward = name in ("y", "h", "c")
        length = (case.F + case.H + 1) * case.T if forward else max(4 * case.H, case.B) * case.T
        assert_close(results[name], expected, case.dtype, length, factor=4 if forward else 8, what=f"{name} of {case}")


def assert_same(a, b, what=""):
    """Equal to the bit, by name."""
    for name in a.keys() & b.keys():
        np.testing.assert_array_equal(a[name], b[name], err_msg=f"{name} {what}", strict=True)


SHAPES = [  # T, B, F, H
    (1, 1, 1, 1),
    (1, 1, 1, 50),
    (10, 32, 1, 50),
    (2, 3, 5, 7),
    (1, 7, 17, 34),
    (3, 12, 16, 16),
    (7, 13, 3, 31),
    (5, 2, 130, 17),
    (4, 17, 34, 85),
    (3, 65, 31, 64),
    (2, 5, 85, 130),
    (31, 1, 2, 65),
    (64, 3, 7, 13),
    (2, 130, 13, 2),
    (130, 2, 1, 5),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(check, dtype, shape):
    check(Case(*shape, dtype))


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("mask_kind", MASKS)
@pytest.mark.parametrize("shape", [(7, 5, 3, 17), (5, 34, 17, 65)], ids=str)
def test_masks(check, dtype, shape, mask_kind, last_only):
    check(Case(*shape, dtype, mask_kind, last_only=last_only))


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_strided_views(check, dtype, layout, mask_kind):
    check(Case(5, 13, 7, 34, dtype, mask_kind, layout))
    check(Case(5, 13, 7, 34, dtype, mask_kind, layout, last_only=True))


@pytest.mark.parametrize(
    "option",
    [
        {"bias": False},
        {"state": False},
        {"need_dx": False},
        {"state_gradients": (False, False)},
        {"state_gradients": (True, False)},
        {"state_gradients": (False, True)},
        {"state": False, "state_gradients": (False, False), "last_only": True, "need_dx": False},
    ],
    ids=str,
)
def test_options(check, dtype, option):
    check(Case(5, 17, 3, 31, dtype, **option))
    check(Case(5, 17, 3, 31, dtype, "left", **option))


def random_case(seed):
    random = np.random.default_rng(seed)
    T, B, F, H = (int(n) for n in random.choice([1, 2, 3, 5, 7, 13, 16, 17, 31, 34, 50, 64, 65, 85], 4))
    bias, state, need_dx, last_only, dh, dc = (bool(n) for n in random.integers(0, 2, 6))
    return Case(
        min(T, 17), B, F, H,
        dtype=str(random.choice(["float32", "float64"])),
        mask_kind=random.choice([None, *MASKS]),
        layout=str(random.choice(list(LAYOUTS))),
        bias=bias, state=state, need_dx=need_dx, last_only=last_only, state_gradients=(dh, dc),
        seed=seed,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_random_cases(check, seed):
    check(random_case(seed))


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_inference_has_the_bits_of_training(backend, dtype, mask_kind, last_only):
    case = Case(7, 13, 5, 34, dtype, mask_kind, last_only=last_only)
    assert_same(Run(backend, case, training=False).forward(), Run(backend, case, training=True).forward())


def test_a_trace_serves_again(backend, dtype, assert_close):
    first = Case(5, 13, 3, 17, dtype, "holes")
    run = Run(backend, first)
    run.both()
    # Nothing of the first pass may be felt in the second: neither its initial state nor its mask.
    run.case = replace(first, mask_kind=None, state=False, seed=1)
    fresh = Run(backend, replace(run.case, seed=0))
    fresh.case = run.case
    assert_same(run.both(), fresh.both())


def test_a_state_is_its_own(backend, dtype):
    run = Run(backend, Case(3, 5, 2, 7, dtype))
    run.forward()
    h, c = run.state
    before = backend.to_host(h).copy(), backend.to_host(c).copy()
    run.case = replace(run.case, seed=1)
    run.forward()
    np.testing.assert_array_equal(backend.to_host(h), before[0])
    np.testing.assert_array_equal(backend.to_host(c), before[1])


def test_changed_weights_are_packed_anew(backend, dtype, assert_close):
    run = Run(backend, Case(3, 5, 2, 7, dtype))
    run.both()
    run.case = replace(run.case, seed=1)
    for array, name in zip((run.weights.kernel, run.weights.recurrent_kernel, run.weights.bias), "WUb", strict=True):
        backend.copy(array, run.case.numbers[name])
    run.weights.version.advance()
    compare(run.both(), run.case, assert_close)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mask_kind", MASKS)
def test_a_masked_step_is_never_read(backend, dtype, mask_kind, junk):
    clean, dirty = Case(7, 13, 5, 34, dtype, mask_kind), Case(7, 13, 5, 34, dtype, mask_kind)
    clean.numbers["x"][~clean.mask] = 0
    dirty.numbers["x"][~dirty.mask] = junk
    results = Run(backend, dirty).both()
    assert_same(Run(backend, clean).both(), results)
    assert (results["dx"][~dirty.mask] == 0).all()


def test_nan_stays_in_its_row(backend, dtype):
    case, clean = Case(5, 34, 3, 17, dtype), Case(5, 34, 3, 17, dtype)
    bad = 13
    case.numbers["x"][2, bad, 1] = np.nan
    results, expected = Run(backend, case).both(), Run(backend, clean).both()
    others = np.arange(case.B) != bad
    for name in ("y", "dx"):
        np.testing.assert_array_equal(results[name][:, others], expected[name][:, others])
    for name in ("h", "c", "dh0", "dc0"):
        np.testing.assert_array_equal(results[name][others], expected[name][others])
    assert np.isnan(results["y"][2:, bad]).all()
    assert np.isnan(results["c"][bad]).all()
    np.testing.assert_array_equal(results["y"][:2, bad], expected["y"][:2, bad])


@pytest.mark.parametrize("scale", [1e4, 1e37])
def test_huge_inputs_saturate(backend, dtype, scale, assert_close):
    case = Case(7, 5, 3, 17, dtype)
    for name, values in case.numbers.items():
        case.numbers[name] = np.clip(values, -1, 1).astype(dtype)
    case.numbers["x"] = (np.sign(case.numbers["x"]) * scale).astype(dtype)
    results = Run(backend, case).both()
    assert all(np.isfinite(a).all() for name, a in results.items() if name not in ("dW",))
    assert (np.abs(results["y"]) <= 1).all()
    compare({name: results[name] for name in ("y", "h", "c")}, case, assert_close)


@pytest.mark.parametrize("shape", [(10, 65, 34, 85), (3, 1, 40, 400), (3, 3, 40, 400)], ids=str)
def test_the_number_of_threads_changes_nothing(backend, dtype, shape):
    numba = pytest.importorskip("numba")
    case = Case(*shape, dtype, "holes")
    available = numba.get_num_threads()
    results = []
    try:
        for threads in {1, 2, numba.config.NUMBA_NUM_THREADS}:
            if threads <= numba.config.NUMBA_NUM_THREADS:
                numba.set_num_threads(threads)
                results.append(Run(backend, case).both())
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        assert_same(results[0], other)


def test_the_kernel_that_ran_is_named(backend, dtype):
    run = Run(backend, Case(2, 3, 1, 5, dtype))
    run.forward()
    assert run.trace.kernel_path
