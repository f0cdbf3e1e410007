"""The flat buffers: segments that do not overlap, views that stay views, one version for a model."""

import numpy as np
import pytest

from numlstm import Sequential, backend
from numlstm.layers import LSTM, Dense
from numlstm.parameters import Parameters, join

SHAPES = {"a": (3, 5), "b": (1,), "c": (17,)}


def parameters(dtype="float32"):
    made = Parameters(backend.load(), dtype, SHAPES)
    made.set_values([np.full(shape, k + 1.0, dtype) for k, shape in enumerate(SHAPES.values())])
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_segments_are_aligned_and_apart(dtype):
    made = parameters(dtype)
    start = made.buffers.values.ctypes.data
    for name in SHAPES:
        assert (made.value(name).ctypes.data - start) % 64 == 0
    flat = made.buffers.values
    assert [int((flat == k).sum()) for k in (1, 2, 3)] == [15, 1, 17]
    assert (flat[(flat < 1) | (flat > 3)] == 0).all()


def test_segments_say_where_the_variables_lie():
    first, second = parameters(), parameters()
    whole = join(backend.load(), [first, second])
    assert [name for name, *_ in whole.segments] == ["a", "b", "c"] * 2
    flat = whole.values
    for (name, start, stop), expected in zip(whole.segments, [1, 2, 3] * 2, strict=True):
        assert (flat[start:stop] == expected).all()
        assert stop - start == np.prod(SHAPES[name])
    assert second.buffers.segments == first.buffers.segments == parameters().buffers.segments


def test_setting_advances_the_version():
    made = parameters()
    number = made.buffers.version.number
    made.set_values(made.values())
    assert made.buffers.version.number == number + 1


def test_values_are_copies():
    made = parameters()
    made.values()[0][:] = 9
    made.gradients()[0][:] = 9
    assert (made.value("a") == 1).all()
    assert (made.gradient("a") == 0).all()


def test_join_keeps_values_and_shares_the_version():
    first, second = parameters(), parameters()
    before = first.values() + second.values()
    whole = join(backend.load(), [first, second])
    for old, new in zip(before, first.values() + second.values(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert first.buffers.version is second.buffers.version is whole.version
    whole.values[:] = 4
    assert (second.value("c") == 4).all()
    whole.gradients[:] = 5
    assert (first.gradient("a") == 5).all()


def test_a_model_takes_layers_over_with_their_weights():
    lstm, dense = LSTM(3), Dense(2)
    x = np.random.default_rng(0).normal(size=(4, 5, 2)).astype("float32")
    expected = dense(lstm(x))
    model = Sequential([lstm, dense])
    np.testing.assert_array_equal(model.predict(x), expected)
    assert lstm.parameters.buffers.version is dense.parameters.buffers.version
    lstm.set_weights([np.zeros_like(weight) for weight in lstm.get_weights()])
    assert (model.predict(x) == dense.get_weights()[1]).all()


def test_a_layer_belongs_to_one_model():
    layer = Dense(2, input_shape=(3,))
    Sequential([layer])
    with pytest.raises(ValueError, match="belongs to a model already"):
        Sequential([layer])
