"""Masks on their way through a model, and lengths and resets in their place."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from numlstm import Sequential
from numlstm.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNormalization,
    Masking,
    RepeatVector,
    SimpleRNN,
    TimeDistributed,
)

B, T, F, H = 5, 6, 3, 4
RECURRENT = {
    "LSTM": LSTM,
    "SimpleRNN": SimpleRNN,
    "GRU": GRU,
    "GRU that resets before": partial(GRU, reset_after=False),
}


@pytest.fixture
def ids():
    return np.random.default_rng(0).integers(0, 3, (B, T))


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(B, T, F)).astype("float32")


@pytest.fixture
def mask():
    mask = np.random.default_rng(2).random((B, T)) < 0.5
    mask[1] = False
    return mask


def masks_of(model, x, training=False):
    """The masks that go on with each layer's output."""
    model.build(x.shape)
    passes = model.new_executor([model.backend.asarray(x, model.input_dtype(0))], training).executors
    for run in passes:
        run.forward()
    return [None if run.mask is None else np.array(model.backend.to_host(run.mask)) for run in passes]


KEEPING = {
    **{
        name: lambda layer_class=layer_class: layer_class(H, return_sequences=True)
        for name, layer_class in RECURRENT.items()
    },
    "Bidirectional": lambda: Bidirectional(LSTM(H, return_sequences=True)),
    "Dense": lambda: Dense(H),
    "Dropout": lambda: Dropout(0.5),
    "LayerNormalization": LayerNormalization,
    "Activation": lambda: Activation("tanh"),
    "TimeDistributed": lambda: TimeDistributed(Dense(H)),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("make", KEEPING.values(), ids=KEEPING)
def test_what_keeps_the_steps_passes_the_mask_on(ids, make, training):
    embedding, other = masks_of(Sequential([Embedding(3, F, mask_zero=True), make()]), ids, training)
    np.testing.assert_array_equal(embedding, ids != 0)
    np.testing.assert_array_equal(other, ids != 0)


@pytest.mark.parametrize(
    "make", [lambda: LSTM(H), lambda: Bidirectional(LSTM(H)), Flatten], ids=["LSTM", "both", "Flatten"]
)
def test_what_gives_a_vector_ends_it(ids, make):
    assert masks_of(Sequential([Embedding(3, F, mask_zero=True), make()]), ids)[1] is None


def test_a_mask_ends_where_the_steps_end(ids):
    model = Sequential([Embedding(3, F, mask_zero=True), LSTM(H), RepeatVector(4), LSTM(H, return_sequences=True)])
    assert masks_of(model, ids)[1:] == [None, None, None]
    assert masks_of(Sequential([Embedding(3, F), LSTM(H, return_sequences=True)]), ids) == [None, None]


def test_the_mask_of_a_layer_that_reads_backwards_is_in_the_order_of_its_outputs(ids):
    layers = [Embedding(3, F, mask_zero=True), LSTM(H, return_sequences=True, go_backwards=True), LSTM(H)]
    masks = masks_of(Sequential(layers), ids)
    np.testing.assert_array_equal(masks[1], (ids != 0)[:, ::-1])


def test_a_masked_stack_is_its_layers_by_hand(x, mask):
    x[~mask] = -7.0
    layers = [
        Masking(-7.0),
        Bidirectional(LSTM(H, return_sequences=True)),
        LSTM(H, return_sequences=True, go_backwards=True),
        TimeDistributed(Dense(2, activation="tanh")),
        SimpleRNN(H),
    ]
    model = Sequential(layers)
    y = model.predict(x)
    by_hand = layers[0](x)
    assert (by_hand[~mask] == 0).all()
    np.testing.assert_array_equal(by_hand[mask], x[mask])
    by_hand = layers[2](layers[1](by_hand, mask=mask), mask=mask)
    np.testing.assert_array_equal(y, layers[4](layers[3](by_hand), mask=mask[:, ::-1]))


def test_padding_says_nothing(x):
    """A model gives a padded sequence what it gives the sequence, wherever the padding is."""
    model = Sequential([Masking(), Bidirectional(LSTM(H, return_sequences=True)), Bidirectional(LSTM(H)), Dense(2)])
    plain = model.predict(x)
    for before, after in ((3, 0), (0, 2), (1, 4)):
        padded = np.pad(x, [(0, 0), (before, after), (0, 0)])
        np.testing.assert_array_equal(model.predict(padded), plain)


@pytest.mark.parametrize("use", ["fit", "evaluate", "train_on_batch"])
def test_a_mask_of_steps_is_none_of_what_stands_in_a_step(x, use):
    model = Sequential([Masking(), TimeDistributed(RepeatVector(2)), TimeDistributed(Dense(3))])
    y = model.predict(x)
    assert y.shape == (B, T, 2, 3)
    model.compile("sgd", "mse", verbose=0)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"masked.*\(5, 6, 2, 3\).*Flatten"):
        getattr(model, use)(x, y)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.add(TimeDistributed(Flatten()))
    getattr(model, use)(x, y.reshape(B, T, -1))


# Lengths


@pytest.mark.parametrize(
    "make",
    [*RECURRENT.values(), lambda *a, **k: Bidirectional(LSTM(*a, **k))],
    ids=[*RECURRENT, "Bidirectional"],
)
@pytest.mark.parametrize("return_sequences", [False, True])
def test_lengths_are_the_sequences_by_themselves(x, make, return_sequences):
    layer = make(H, return_sequences=return_sequences, return_state=True)
    lengths = [6, 3, 1, 0, 5]
    y, *state = layer(x, lengths=lengths)
    for row, length in enumerate(lengths):
        alone, *end = layer(x[row : row + 1, :length])
        if return_sequences:
            np.testing.assert_array_equal(y[row, :length], alone[0])
            assert (y[row, length:] == 0).all()
        else:
            np.testing.assert_array_equal(y[row], alone[0])
        for ours, theirs in zip(state, end, strict=True):
            np.testing.assert_array_equal(ours[row], theirs[0])


def test_no_lengths_of_no_rows(x):
    assert LSTM(H)(x[:0], lengths=[]).shape == (0, H)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"lengths": [1, 2, 3, 7, 2]}, ValueError, "lengths holds 7 at 3, but the sequences have 6 steps"),
        ({"lengths": [1, 2, -1, 2, 2]}, ValueError, "lengths holds -1 at 2"),
        ({"lengths": [1, 2]}, ValueError, r"lengths must have shape \(5,\)"),
        ({"lengths": [1.0] * 5}, TypeError, "lengths holds float64"),
        ({"lengths": [1] * 5, "mask": np.ones((B, T), bool)}, ValueError, "a mask or lengths"),
        ({"reset_mask": np.ones((B, T))}, TypeError, "reset_mask holds float64"),
        ({"reset_mask": np.ones((B, T + 1), bool)}, ValueError, r"reset_mask must have shape \(5, 6\)"),
    ],
    ids=str,
)
def test_wrong_lengths_and_resets(x, given, error, message):
    for training in (False, True):
        with pytest.raises(error, match=message):
            LSTM(H).forward(x, training=training, **given)


def test_a_bidirectional_layer_takes_no_resets(x):
    with pytest.raises(ValueError, match="reset_mask"):
        Bidirectional(LSTM(H))(x, reset_mask=np.zeros((B, T), bool))


# Resets


@pytest.mark.parametrize("layer_class", RECURRENT.values(), ids=RECURRENT)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_a_reset_begins_a_sequence(x, layer_class, go_backwards):
    layer = layer_class(H, return_sequences=True, go_backwards=go_backwards)
    reset = np.zeros((B, T), bool)
    at = 4
    reset[:, at] = True
    whole = layer.forward(x, training=True, reset_mask=reset)
    dx = layer.backward(np.ones_like(whole))
    gradients = layer.gradients()
    pieces = [x[:, :at], x[:, at:]] if not go_backwards else [x[:, at + 1 :], x[:, : at + 1]]
    parts, dxs, sums = [], [], [0, 0, 0]
    for piece in pieces:
        parts.append(layer.forward(piece, training=True))
        dxs.append(layer.backward(np.ones_like(parts[-1])))
        sums = [total + gradient for total, gradient in zip(sums, layer.gradients(), strict=True)]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(dx, np.concatenate(dxs[::-1] if go_backwards else dxs, axis=1))
    for a, b in zip(gradients, sums, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
