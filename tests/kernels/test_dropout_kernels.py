"""Dropout of every backend: its random numbers to the bit."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import reference

# R, S, N
SHAPES = [(1, 1, 1), (3, 1, 7), (5, 3, 2), (1, 4, 50), (13, 2, 5), (32, 1, 31), (2, 7, 1)]


def drop(backend, x, rate, seed=7, stream=0, step=0, in_place=False):
    dtype = str(x.dtype)
    given = backend.asarray(x.copy(), dtype)
    y = given if in_place else backend.asarray(np.full_like(x, np.nan), dtype)
    backend.dropout(given, y, rate, seed, stream, step)
    return backend.to_host(y).copy()


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_the_oracle_gives_the_known_answers(counter, key, words):
    """Those that the authors' own library, Random123, is tested by."""
    assert " ".join(f"{word:08x}" for word in reference.philox([counter], key)[0]) == words


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.999])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, shape, rate, in_place):
    R, _, N = shape
    x = np.random.default_rng(shape).normal(size=shape).astype(dtype)
    seed, stream, step = 0xFEDCBA9876543210, 0xFFFFFFFF, 0x80000001
    kept = reference.dropout_kept(R, N, rate, seed, stream, step)[:, None, :]
    expected = np.where(kept, x * np.array(1 / (1 - rate), dtype), np.array(0, dtype))
    y = drop(backend, x, rate, seed, stream, step, in_place)
    np.testing.assert_array_equal(y, expected, strict=True)


def test_the_mask_is_the_same_for_both_dtypes_and_on_the_way_back(backend):
    x = np.random.default_rng(0).normal(size=(5, 3, 17))
    masks = [drop(backend, x.astype(dtype), 0.4) != 0 for dtype in ("float32", "float64")]
    masks.append(drop(backend, np.ones_like(x), 0.4) != 0)
    for mask in masks[1:]:
        np.testing.assert_array_equal(mask, masks[0])


def test_every_argument_makes_another_mask(backend):
    ones = np.ones((5, 1, 37), "float32")
    given = [{}, {"seed": 8}, {"seed": 7 + 2**32}, {"stream": 1}, {"step": 1}, {"stream": 1, "step": 1}]
    masks = {drop(backend, ones, 0.5, **other).tobytes() for other in given}
    assert len(masks) == len(given)


def test_what_is_dropped_is_not_read(backend, dtype):
    ones = np.ones((3, 2, 13), dtype)
    kept = drop(backend, ones, 0.5) != 0
    np.testing.assert_array_equal(drop(backend, np.where(kept, ones, np.nan), 0.5), np.where(kept, ones * 2, 0))
    dirty = drop(backend, np.where(kept, np.nan, ones), 0.5)
    np.testing.assert_array_equal(np.isnan(dirty), kept)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_and_the_mean(rate):
    """Within five standard deviations, over rows, columns and all, and no step depends on the one before."""
    import numlstm.kernels.cpu as cpu

    ones = np.ones((500, 1, 400))
    y = np.stack([drop(cpu, ones, rate, step=step)[:, 0] for step in range(2)])
    deviation = np.sqrt(rate / (1 - rate))
    for axis in (None, (0, 1), (0, 2)):
        mean = y.mean(axis=axis)
        assert np.abs(mean - 1).max() < 5 * deviation / np.sqrt(y.size / np.size(mean))
    together = ((y[0] - 1) * (y[1] - 1)).mean() / deviation**2
    assert abs(together) < 5 / np.sqrt(y[0].size)


def test_the_number_of_threads_changes_nothing(backend, dtype):
    x = np.ones((300, 2, 333), dtype)
    available, results = numba.get_num_threads(), []
    try:
        for threads in {1, available}:
            numba.set_num_threads(threads)
            results.append(drop(backend, x, 0.3))
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
