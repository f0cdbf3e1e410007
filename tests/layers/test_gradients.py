"""Gradient checks in float64: every gradient against central differences, through the calls of the layers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from differences import assert_gradient

from numlstm.layers import GRU, LSTM, Dense, SimpleRNN

LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]


def masks(mask_kind, B, T, random):
    return {
        None: None,
        "left": np.arange(T) >= random.integers(0, T, B)[:, None],
        "right": np.arange(T) < random.integers(1, T + 1, B)[:, None],
        "holes": random.random((B, T)) < 0.6,
        "empty row": np.arange(B)[:, None] * np.ones(T) != 1,
    }[mask_kind]


def check_recurrent(layer_class, B, T, F, H, mask_kind=None, initial_state=True, **options):
    random = np.random.default_rng([B, T, F, H])
    layer = layer_class(H, return_state=True, bias_initializer="random_normal", dtype="float64", **options)
    x, state = random.normal(size=(B, T, F)), [random.normal(size=(B, H)) for _ in layer.state_letters]
    given = {"mask": masks(mask_kind, B, T, random), "initial_state": state if initial_state else None}
    outputs = layer.forward(x, training=True, **given)
    upstream = [random.normal(size=a.shape) for a in outputs]
    dx = layer.backward(upstream[0], dstate=upstream[1:])
    weights, gradients = layer.get_weights(), layer.gradients()

    def objective():
        return sum((a * d).sum() for a, d in zip(layer(x, **given), upstream, strict=True))

    def objective_of_weights():
        layer.set_weights(weights)
        return objective()

    assert len(weights) == len(gradients)
    for number, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        assert_gradient(gradient, objective_of_weights, weight, f"weight {number}")
    layer.set_weights(weights)
    assert_gradient(dx, objective, x, "x")
    if initial_state:
        for letter, part, gradient in zip(layer.state_letters, state, layer.initial_state_gradients(), strict=True):
            assert_gradient(gradient, objective, part, f"{letter}0")


@pytest.mark.parametrize("mask_kind", [None, "left", "right", "holes", "empty row"])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_recurrent(layer_class, return_sequences, mask_kind):
    check_recurrent(layer_class, 3, 4, 2, 5, mask_kind, return_sequences=return_sequences)


@pytest.mark.parametrize("options", [{"use_bias": False}, {"go_backwards": True}, {"initial_state": False}], ids=str)
@pytest.mark.parametrize("mask_kind", [None, "holes"])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_recurrent_options(layer_class, mask_kind, options):
    check_recurrent(layer_class, 2, 3, 3, 4, mask_kind, return_sequences=True, **options)
    check_recurrent(layer_class, 2, 3, 3, 4, mask_kind, return_sequences=False, **options)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 2, 1, 9), (2, 7, 3, 17), (17, 2, 5, 3), (1, 13, 17, 2)], ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_recurrent_sizes(layer_class, shape):
    check_recurrent(layer_class, *shape, return_sequences=True)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 5), (2, 4, 7)], ids=str)
def test_dense(shape, use_bias):
    random = np.random.default_rng(shape)
    layer = Dense(6, use_bias=use_bias, dtype="float64")
    x = random.normal(size=shape)
    dy = random.normal(size=layer.forward(x, training=True).shape)
    dx = layer.backward(dy)
    weights, gradients = layer.get_weights(), layer.gradients()

    def objective():
        layer.set_weights(weights)
        return (layer(x) * dy).sum()

    assert_gradient(dx, objective, x, "x")
    for number, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        assert_gradient(gradient, objective, weight, f"weight {number}")
