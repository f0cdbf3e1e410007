"""The LSTM kernels of every backend against the oracle, through the contract's functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lstm_case import LAYOUTS, MASKS, Case, Run


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
