"""The flat buffers: segments that do not overlap, views that stay views, one version for a model."""

import numpy as np
import pytest

from numlstm import Sequential, backend, optimizers
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


def test_an_optimizer_belongs_to_one_model():
    optimizer = optimizers.Adam()
    x = np.ones((2, 3))
    for number, expected in enumerate((None, "already trains another model")):
        model = Sequential([Dense(1, input_shape=(3,))])
        model.compile(optimizer, "mse")
        if number == 0:
            model.train_on_batch(x, x[:, 0])
            continue
        with pytest.raises(ValueError, match=expected):
            model.train_on_batch(x, x[:, 0])


@pytest.mark.parametrize("optimizer", [optimizers.SGD(momentum=0.9), optimizers.RMSprop(), optimizers.Adam()])
def test_optimizer_state_is_taken_over(optimizer):
    """Four steps are two steps, the state moved to a new optimizer, and two more."""
    x, y = np.random.default_rng(0).normal(size=(2, 8, 3))
    model = Sequential([Dense(3, input_shape=(3,))])
    model.compile(optimizer, "mse")
    start = model.get_weights()
    losses = [model.train_on_batch(x, y) for _ in range(4)]

    again = Sequential([Dense(3, input_shape=(3,))])
    again.set_weights(start)
    again.compile(type(optimizer)(**optimizer.get_config()), "mse")
    for expected in losses[:2]:
        assert again.train_on_batch(x, y) == expected
    state = again.optimizer.state()
    fresh = type(optimizer)(**optimizer.get_config())
    again.compile(fresh, "mse")
    fresh.bind(again.buffers)
    fresh.set_state(state)
    assert fresh.iterations == 2
    for expected in losses[2:]:
        assert again.train_on_batch(x, y) == expected
    with pytest.raises(ValueError, match="optimizer's state has shapes"):
        fresh.set_state({"iterations": np.array(1)})


def test_learning_rate_can_be_changed_at_any_time():
    model = Sequential([Dense(1, input_shape=(1,), kernel_initializer="zeros")])
    optimizer = optimizers.SGD(0.5)
    model.compile(optimizer, "mse")
    optimizer.learning_rate = 0.25
    x = np.ones((1, 1))
    model.train_on_batch(x, x)
    np.testing.assert_allclose(model.get_weights()[0], 0.5)
    optimizer.learning_rate = 0.125
    model.train_on_batch(x, 3 * x)
    np.testing.assert_allclose(model.get_weights()[0], 1.0)
    assert optimizer.iterations == 2


def test_global_clipnorm():
    model = Sequential([Dense(1, input_shape=(1,), kernel_initializer="zeros", use_bias=False)])
    model.compile(optimizers.SGD(1.0, global_clipnorm=0.5), "mse")
    x = np.ones((1, 1))
    model.train_on_batch(x, 100 * x)
    np.testing.assert_allclose(model.get_weights()[0], 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.SGD(0), "learning_rate must be a positive number"),
        (lambda: optimizers.Adam(learning_rate=float("nan")), "learning_rate must be a positive number"),
        (lambda: optimizers.Adam(beta_1=1.0), "beta_1 must be from 0 to below 1"),
        (lambda: optimizers.Adam(global_clipnorm=-1), "global_clipnorm must be a positive number"),
        (lambda: optimizers.get("adamw"), "optimizer must be one of 'adam', 'rmsprop', 'sgd', not 'adamw'"),
    ],
)
def test_optimizer_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()
