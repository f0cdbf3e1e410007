"""Truncated BPTT: pieces of long sequences, each a step that begins where the one before ended."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import numlstm
from numlstm import Sequential, optimizers
from numlstm.layers import GRU, LSTM, Bidirectional, Dense, Masking, SimpleRNN
from numlstm.training.batch import Batch

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(7, 11, 3)), RANDOM.normal(size=(7, 11, 2))
WEIGHTS, STEP_WEIGHTS = RANDOM.uniform(size=7), RANDOM.uniform(size=(7, 11))
LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]


def model(dtype="float32", optimizer="adam", loss="mse", layer_class=LSTM, **compiled):
    """Always the same one."""
    numlstm.set_seed(7)
    layers = [layer_class(5, return_sequences=True, input_shape=(None, 3), dtype=dtype)]
    layers += [layer_class(4, return_sequences=True, dtype=dtype), Dense(2, dtype=dtype)]
    made = Sequential(layers)
    made.compile(optimizer, loss, **compiled)
    return made


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("tbptt", [11, 12])
@pytest.mark.parametrize("weights", [None, WEIGHTS, STEP_WEIGHTS], ids=["plain", "samples", "steps"])
def test_one_piece_is_ordinary_training(dtype, tbptt, weights):
    whole, pieces = model(dtype), model(dtype)
    options = {"sample_weight": weights, "batch_size": 3, "epochs": 2, "shuffle": False, "verbose": 0}
    expected = whole.fit(X, Y, **options)
    assert pieces.fit(X, Y, tbptt=tbptt, **options).history == expected.history
    assert_same(pieces.get_weights(), whole.get_weights())


@pytest.mark.parametrize("tbptt", [1, 2, 4, 5])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_states_go_on_from_piece_to_piece(layer_class, tbptt):
    """Without learning, the loss over all pieces is that of whole sequences."""
    made = model("float64", optimizers.SGD(1e-30), layer_class=layer_class)
    expected = made.evaluate(X, Y, verbose=0)
    history = made.fit(X, Y, batch_size=3, epochs=2, tbptt=tbptt, verbose=0).history
    assert history["loss"] == pytest.approx([expected] * 2, rel=1e-12)
    assert made.optimizer.iterations == 2 * 3 * -(-11 // tbptt)


def test_metrics_see_every_piece():
    made = model("float64", optimizers.SGD(1e-30), metrics=["mae"])
    expected = made.evaluate(X[:, :10], Y[:, :10], verbose=0, return_dict=True)
    history = made.fit(X[:, :10], Y[:, :10], batch_size=3, tbptt=5, verbose=0).history
    assert history["mae"] == pytest.approx([expected["mae"]], rel=1e-12)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_pieces_are_steps_from_the_states_before(layer_class):
    """The gradients stop between the pieces: each is a step of layers that begin with given states."""
    made, expected = (model("float64", optimizers.SGD(0.1), layer_class=layer_class) for _ in range(2))
    made.fit(X, Y, tbptt=4, batch_size=7, shuffle=False, verbose=0)
    first, second, head = expected.layers
    first.return_state = second.return_state = True
    states = [None, None]
    for begin in (0, 4, 8):
        x, y = X[:, begin : begin + 4], Y[:, begin : begin + 4]
        hidden, *states[0] = first.forward(x, training=True, initial_state=states[0])
        top, *states[1] = second.forward(hidden, training=True, initial_state=states[1])
        error = head.forward(top, training=True) - y
        first.backward(second.backward(head.backward(2 * error / error.size)))
        for layer in expected.layers:
            layer.set_weights([w - 0.1 * g for w, g in zip(layer.get_weights(), layer.gradients(), strict=True)])
    for a, b in zip(made.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


def test_no_more_than_a_piece_is_ever_allocated(monkeypatch):
    shapes = []
    allocate = Batch.__init__
    monkeypatch.setattr(
        Batch, "__init__", lambda self, m, shape, *rest: shapes.append(shape) or allocate(self, m, shape, *rest)
    )
    model().fit(X, Y, tbptt=4, batch_size=5, epochs=2, verbose=0)
    assert shapes == [((5, 4, 3),), ((5, 3, 3),), ((2, 4, 3),), ((2, 3, 3),)]


def test_batches_of_other_lengths():
    made = model()
    given = [(X[:, :length], Y[:, :length]) for length in (3, 8, 11)]
    made.fit(iter(given), tbptt=4, verbose=0)
    assert made.optimizer.iterations == 1 + 2 + 3


def test_masks_go_along():
    """A masked step carries the states on, also over the end of a piece."""
    x = np.where(np.arange(11)[None, :, None] % 4 < 2, X, 0.0)
    numlstm.set_seed(3)
    made = Sequential([Masking(input_shape=(None, 3)), SimpleRNN(4, return_sequences=True), Dense(2)])
    made.compile(optimizers.SGD(1e-30), "mse")
    whole = made.predict(x)
    counted = np.arange(11) % 4 < 2
    pieces = [slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 11)]
    errors = [np.mean((whole - Y)[:, piece][:, counted[piece]] ** 2) for piece in pieces]
    history = made.fit(x, Y, tbptt=3, verbose=0).history
    assert history["loss"] == pytest.approx([np.average(errors, weights=[3, 3, 3, 2])], rel=1e-5)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_long_sequences_are_learnt(layer_class):
    """To say what came two steps ago needs no more than a piece of four, but states from before it."""
    numlstm.set_seed(1)
    x = np.random.default_rng(1).integers(0, 2, size=(16, 64, 1)).astype("float32")
    y = np.concatenate([np.zeros((16, 2, 1)), x[:, :-2]], axis=1)
    made = Sequential([layer_class(12, return_sequences=True, input_shape=(None, 1)), Dense(1)])
    made.compile(optimizers.Adam(0.02), "mse")
    history = made.fit(x, y, tbptt=4, epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.02 < history[0]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([LSTM(3, input_shape=(None, 3)), Dense(1)], "does not return sequences"),
        ([LSTM(3, return_sequences=True, go_backwards=True, input_shape=(None, 3))], "backwards"),
        ([Bidirectional(LSTM(3, return_sequences=True), input_shape=(None, 3))], "backwards"),
        ([LSTM(3, return_sequences=True, stateful=True, input_shape=(None, 3))], "stateful"),
    ],
    ids=["last output", "backwards", "bidirectional", "stateful"],
)
def test_layers_that_cannot_be_cut(layers, words):
    made = Sequential(layers)
    made.compile("sgd", "mse")
    y = np.zeros(made.compute_output_shape(X.shape))
    before = made.get_weights()
    with pytest.raises(ValueError, match=words):
        made.fit(X, y, tbptt=4, verbose=0)
    assert_same(made.get_weights(), before)


@pytest.mark.parametrize(("tbptt", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError)])
def test_wrong_lengths(tbptt, error):
    with pytest.raises(error, match=f"tbptt.*{tbptt}"):
        model().fit(X, Y, tbptt=tbptt, verbose=0)
