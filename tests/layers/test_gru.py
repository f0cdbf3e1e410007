"""The GRU layer: what it has beside what all recurrent layers have."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm
from numlstm import Sequential
from numlstm.layers import GRU, Bidirectional, Dense

B, T, F, H = 4, 6, 3, 5


@pytest.mark.parametrize(("reset_after", "bias"), [(True, (2, 3 * H)), (False, (3 * H,))])
def test_the_weights_are_those_of_keras(reset_after, bias):
    layer = GRU(H, reset_after=reset_after)
    layer.build((None, T, F))
    assert [weight.shape for weight in layer.get_weights()] == [(F, 3 * H), (H, 3 * H), bias]
    assert layer.get_config()["reset_after"] is reset_after


@pytest.mark.parametrize("reset_after", [True, False])
def test_its_trace_is_what_the_equations_say(reset_after):
    layer = GRU(H, reset_after=reset_after, bias_initializer="random_normal", dtype="float64")
    x = np.random.default_rng(0).normal(size=(B, T, F))
    layer.forward(x, training=True)
    W, U, b = layer.get_weights()
    b, c = b if reset_after else (b, np.zeros(3 * H))
    before, trace = layer.trace.h[:, :-1], layer.trace
    x_z, x_r, x_n = np.split(x @ W + b, 3, axis=2)
    h_z, h_r, h_n = np.split(before @ U + c, 3, axis=2)
    z, r = 1 / (1 + np.exp(-(x_z + h_z))), 1 / (1 + np.exp(-(x_r + h_r)))
    n = np.tanh(x_n + r * h_n if reset_after else x_n + (r * before) @ U[:, 2 * H :])
    for actual, expected in ((trace.z, z), (trace.r, r), (trace.n, n), (trace.h[:, 1:], z * before + (1 - z) * n)):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_file_brings_it_back(tmp_path, reset_after):
    model = Sequential([Bidirectional(GRU(H, reset_after=reset_after)), Dense(1)])
    x = np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors", compile=False)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)


@pytest.mark.parametrize("reset_after", [True, False])
def test_it_learns_a_sum(reset_after):
    numlstm.set_seed(0)
    x = np.random.default_rng(0).normal(size=(200, 8, 1))
    model = Sequential([GRU(12, reset_after=reset_after), Dense(1)])
    model.compile(numlstm.optimizers.Adam(0.02), "mse")
    losses = model.fit(x, x.sum(axis=1), epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]


def test_reset_after_is_yes_or_no():
    with pytest.raises(TypeError, match="reset_after"):
        GRU(3, reset_after="before")
