"""The written promise: the bits of a row do not depend on its company, nor those of a training run on the threads."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
import pytest

import numlstm
from numlstm import Sequential
from numlstm.layers import GRU, LSTM, Dense, SimpleRNN

# T, B, F, H: below and above what goes to several threads, and a recurrent matrix larger than a core's cache.
LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]
SHAPES = [(5, 17, 3, 7), (10, 65, 1, 50), (20, 70, 34, 130), (3, 5, 40, 400)]


def problem(layer_class, T, B, F, H, dtype):
    """A layer, x and an initial state."""
    options = {"return_sequences": True, "return_state": True, "recurrent_initializer": "glorot_uniform"}
    layer = layer_class(H, dtype=dtype, **options)
    random = np.random.default_rng([T, B, F, H])
    return layer, random.normal(size=(B, T, F)), [random.normal(size=(B, H)) for _ in layer.state_letters]


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_a_row_alone_and_in_any_batch(layer_class, dtype, shape):
    layer, x, state = problem(layer_class, *shape, dtype)
    whole = layer(x, initial_state=state)
    B = len(x)
    batches = [np.arange(B)[::-1], np.random.default_rng(0).permutation(B), np.arange(B // 2), np.arange(0, B, 3)]
    batches += [np.array([row]) for row in {0, 1, B // 2, B - 1}] + [np.array([B - 1] * 3)]
    for rows in batches:
        assert_same(layer(x[rows], initial_state=[part[rows] for part in state]), [a[rows] for a in whole])


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_streamed_or_whole(layer_class, dtype, shape, chunk):
    layer, x, state = problem(layer_class, *shape, dtype)
    y_whole, *state_whole = layer(x, initial_state=state)
    pieces = []
    for t in range(0, x.shape[1], chunk):
        y, *state = layer(x[:, t : t + chunk], initial_state=state)
        pieces.append(y)
    assert_same([np.concatenate(pieces, axis=1), *state], [y_whole, *state_whole])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_padding_changes_no_bit(layer_class, dtype, side):
    layer, x, state = problem(layer_class, 7, 5, 3, 17, dtype)
    y, *end = layer(x, initial_state=state)
    padding, mask = np.full((5, 4, 3), 9.0), np.ones((5, 7), bool)
    parts = [(padding, np.zeros((5, 4), bool)), (x, mask)]
    if side == "right":
        parts.reverse()
    padded, mask = (np.concatenate([part[n] for part in parts], axis=1) for n in (0, 1))
    y_padded, *padded_end = layer(padded, mask=mask, initial_state=state)
    assert_same([y_padded[:, 4:] if side == "left" else y_padded[:, :7], *padded_end], [y, *end])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_return_sequences_changes_no_bit(layer_class, dtype, shape):
    layer, x, _ = problem(layer_class, *shape, dtype)
    expected = layer(x)[0][:, -1]
    last = layer_class(shape[3], dtype=dtype)
    last.build(x.shape)
    last.set_weights(layer.get_weights())
    np.testing.assert_array_equal(last(x), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_the_dx_of_a_row_in_any_batch(layer_class, dtype, shape):
    layer, x, _ = problem(layer_class, *shape, dtype)
    dy = np.random.default_rng(1).normal(size=(*x.shape[:2], shape[3]))

    def dx_of(rows):
        layer.forward(x[rows], training=True)
        return layer.backward(dy[rows])

    whole = dx_of(np.arange(len(x)))
    for rows in [np.arange(len(x))[::-1], np.array([0]), np.array([len(x) - 1]), np.arange(len(x) // 2)]:
        np.testing.assert_array_equal(dx_of(rows), whole[rows])


@pytest.mark.parametrize("layer_class", LAYERS)
def test_training_forward_has_the_bits_of_inference(layer_class, dtype):
    layer, x, _ = problem(layer_class, 10, 65, 1, 50, dtype)
    assert_same(layer.forward(x, training=True), layer(x))


def test_predict_does_not_depend_on_its_batch_size():
    model = Sequential([LSTM(34, input_shape=(7, 3)), Dense(5)])
    x = np.random.default_rng(0).normal(size=(65, 7, 3))
    whole = model.predict(x, batch_size=65, verbose=0)
    for batch_size in (1, 7, 32, 64):
        np.testing.assert_array_equal(model.predict(x, batch_size=batch_size, verbose=0), whole)


def train(seed):
    numlstm.set_seed(seed)
    model = Sequential([LSTM(64, return_sequences=True, input_shape=(10, 3)), LSTM(50), Dense(1)])
    model.compile(optimizer=numlstm.optimizers.Adam(global_clipnorm=0.1), loss="mse")
    random = np.random.default_rng(0)
    history = model.fit(
        random.normal(size=(150, 10, 3)), random.normal(size=150), epochs=3, batch_size=64, verbose=0,
        validation_split=0.2,
    )  # fmt: skip
    return [*model.get_weights(), np.array(history.history["loss"]), np.array(history.history["val_loss"])]


def test_a_seed_repeats_a_training_run():
    first, second, other = train(7), train(7), train(8)
    assert_same(first, second)
    assert not np.array_equal(first[-2], other[-2])


TRAINING_RUN = f"""
import hashlib, sys
import numba
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_determinism import train
digest = hashlib.sha256()
for array in train(7):
    digest.update(array.tobytes())
print(numba.get_num_threads(), digest.hexdigest())
"""


def test_a_training_run_on_any_number_of_threads(python):
    """Weights and losses of whole runs in processes of their own."""
    digests = {}
    for threads in (1, 2, 4):
        used, digests[threads] = python(TRAINING_RUN, NUMBA_NUM_THREADS=threads).split()
        assert int(used) == threads
    assert len(set(digests.values())) == 1, digests


def test_keras_name_of_the_seed():
    drawn = []
    for seed in (numlstm.set_seed, numlstm.utils.set_random_seed):
        seed(5)
        drawn.append(numlstm.initializers.RandomNormal()((3,)))
    np.testing.assert_array_equal(*drawn)
