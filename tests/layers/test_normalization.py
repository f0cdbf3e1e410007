"""LayerNormalization: against the oracle, by central differences, in a model, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import reference_attention as oracle
from differences import assert_gradient

import numlstm
from numlstm import Sequential
from numlstm.kernels.replay import record
from numlstm.layers import LSTM, Dense, LayerNormalization

CASES = [
    ((3, 5), {}),
    ((3, 1), {}),
    ((1, 2), {"scale": False}),
    ((2, 3, 17), {"center": False}),
    ((2, 3, 5), {"axis": [1, 2]}),
    ((2, 3, 5), {"axis": (-1, -2), "epsilon": 0.5}),
    ((2, 3, 2, 5), {"axis": 3, "center": False, "scale": False}),
]


def layer_of(shape, **options):
    initializers = {"gamma_initializer": "random_uniform", "beta_initializer": "random_normal"}
    layer = LayerNormalization(dtype="float64", **initializers, **options)
    layer.build(shape)
    return layer


def draw(shape, seed=0):
    return 3 + 2 * np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(("shape", "options"), CASES, ids=str)
def test_agrees_with_the_oracle_and_with_differences(shape, options):
    layer, x = layer_of(shape, **options), draw(shape)
    axes = options.get("axis", -1)
    columns = int(np.prod([shape[axis] for axis in (axes if isinstance(axes, list | tuple) else [axes])]))
    given = dict(zip(layer.parameters.shapes, (weight.ravel() for weight in layer.get_weights()), strict=True))
    rows = oracle.normalize(x.reshape(-1, columns), given.get("gamma"), given.get("beta"), layer.epsilon)
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y.reshape(-1, columns), rows, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(layer(x), y)
    assert layer.compute_output_shape(shape) == shape
    dy = draw(shape, 1)
    dx, weights = layer.backward(dy), layer.get_weights()

    def objective():
        layer.set_weights(weights)
        return (layer(x) * dy).sum()

    assert [weight.shape for weight in weights] == [gradient.shape for gradient in layer.gradients()]
    for number, (weight, gradient) in enumerate(zip(weights, layer.gradients(), strict=True)):
        assert_gradient(gradient, objective, weight, f"weight {number}")
    if columns > 1:
        assert_gradient(dx, objective, x, "x")
    else:
        np.testing.assert_allclose(dx, 0, atol=1e-12)


def test_a_constant_row_is_beta():
    layer = layer_of((2, 5))
    y = layer(np.full((2, 5), 7.0))
    np.testing.assert_allclose(y, np.broadcast_to(layer.get_weights()[1], (2, 5)), rtol=0, atol=1e-12)


def test_no_rows():
    layer = layer_of((2, 5))
    y = layer.forward(np.zeros((0, 5)), training=True)
    assert layer.backward(y).shape == (0, 5)
    assert all((gradient == 0).all() for gradient in layer.gradients())


def test_a_pass_can_be_recorded():
    layer, x = layer_of((3, 5)), draw((3, 5))
    dx = np.full((3, 5), np.nan)
    executor = layer.new_executor(x, dx, None, training=True)
    assert executor.recordable

    def step():
        executor.forward()
        executor.backward()

    executor.dy[...] = 0
    replay = record(step)
    x[...], executor.dy[...] = draw((3, 5), 4), draw((3, 5), 5)
    replay()
    actual = [executor.y.copy(), dx.copy(), *layer.gradients()]
    expected = [layer.forward(x, training=True), layer.backward(draw((3, 5), 5)), *layer.gradients()]
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_with_it_learns():
    numlstm.set_seed(0)
    model = Sequential([LSTM(8, return_sequences=True), LayerNormalization(beta_regularizer="l2"), LSTM(4), Dense(1)])
    x = np.random.default_rng(0).normal(size=(32, 5, 2))
    model.compile(numlstm.optimizers.Adam(0.02), "mse", verbose=0)
    losses = model.fit(x, x[:, -1, :1], epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert model.input_shape == (None, None, 2)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"normalizes the last axes of a sample, but axis is 1 .* \(2, 3, 4\)"):
        LayerNormalization(1)(np.zeros((2, 3, 4)))
    for axis in (0, 3, -3, [0, 1, 2], [2, 2], [], [1]):
        with pytest.raises(ValueError, match="normalizes the last axes"):
            LayerNormalization(axis)(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="known sizes above 0"):
        LayerNormalization().build((None, None))
    with pytest.raises(ValueError, match=r"normalizes axes of \(5,\), not of \(4,\)"):
        layer_of((2, 5))(np.zeros((2, 4)))
    with pytest.raises(TypeError, match="axis must be an integer"):
        LayerNormalization("last")
    with pytest.raises(ValueError, match="epsilon must be a number from 0 on"):
        LayerNormalization(epsilon=-1)
    with pytest.raises(ValueError, match="LayerNormalization does not support rms_scaling=True: leave it out"):
        LayerNormalization(rms_scaling=True)
    with pytest.raises(ValueError, match="does not support gamma_constraint"):
        LayerNormalization(gamma_constraint="max_norm")
    with pytest.raises(ValueError, match="normalizes whole sequences: it cannot be streamed"):
        Sequential([LayerNormalization([1, 2], input_shape=(3, 4))]).stream()
