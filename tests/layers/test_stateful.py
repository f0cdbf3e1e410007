"""Layers that keep their state from batch to batch, and passes that carry it from piece to piece."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest

from numlstm import Input, Sequential
from numlstm.layers import GRU, LSTM, Bidirectional, Dense, Flatten, SimpleRNN

B, T, F, H = 3, 8, 2, 5
LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_pieces_are_the_whole(x, layer_class, training):
    layer = layer_class(H, return_sequences=True, stateful=True, return_state=True)
    y, *state = layer(x)
    layer.reset_states()
    pieces = [layer.forward(x[:, begin:end], training=training) for begin, end in ((0, 3), (3, 4), (4, 8))]
    np.testing.assert_array_equal(np.concatenate([piece[0] for piece in pieces], axis=1), y)
    for whole, last in zip(state, pieces[-1][1:], strict=True):
        np.testing.assert_array_equal(whole, last)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_no_gradient_crosses_to_the_batch_before(x, layer_class):
    layer, alone = layer_class(H, stateful=True), layer_class(H)
    layer(x)
    state = [np.array(part) for part in layer.state]
    y = layer.forward(x, training=True)
    dx = layer.backward(np.ones_like(y))
    alone.build(x.shape, layer.get_weights())
    np.testing.assert_array_equal(alone.forward(x, training=True, initial_state=state), y)
    np.testing.assert_array_equal(alone.backward(np.ones_like(y)), dx)
    for ours, theirs in zip(layer.gradients(), alone.gradients(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_an_initial_state_goes_before_the_layers_own(x, layer_class):
    layer = layer_class(H, stateful=True)
    first = layer(x)
    zeros = [np.zeros((B, H))] * len(layer.state_letters)
    np.testing.assert_array_equal(layer(x, initial_state=zeros), first)


@pytest.mark.parametrize("make", [lambda: LSTM(H, stateful=True), lambda: Bidirectional(LSTM(H, stateful=True))])
def test_another_batch_size_only_after_a_reset(x, make):
    layer = make()
    y = layer(x)
    for training in (False, True):
        with pytest.raises(ValueError, match=r"holds the state of 3 rows, but a batch of 2 came: drop .*reset_states"):
            layer.forward(x[:2], training=training)
    layer.reset_state()
    np.testing.assert_array_equal(layer(x[:2]), y[:2])
    layer.reset_states()
    np.testing.assert_array_equal(layer(x), y)


def test_models_keep_and_forget_it(x):
    model = Sequential([LSTM(H, stateful=True, return_sequences=True), GRU(H, stateful=True, return_sequences=True)])
    model.add(SimpleRNN(H, stateful=True))
    model.add(Dense(1))
    first = model.predict(x)
    second = model.predict(x)
    assert (first != second).all()
    model.reset_states()
    np.testing.assert_array_equal(model.predict(x), first)
    np.testing.assert_array_equal(model.predict(x), second)
    with pytest.raises(ValueError, match="stateful"):
        model.predict(x[:2])


@pytest.mark.parametrize("layer_class", LAYERS)
def test_training_goes_on_where_the_batch_before_ended(x, layer_class):
    model = Sequential([layer_class(H, stateful=True), Dense(1)])
    model.build(x.shape)
    model.compile(optimizer="sgd")
    losses, weights = [], model.get_weights()
    for _ in range(2):
        model.reset_states()
        model.set_weights(weights)
        losses.append([model.train_on_batch(x, np.ones(B)) for _ in range(3)])
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 3


# Carrying


def passes_of(model, x, training=True):
    return model.new_executor([model.backend.asarray(x, "float32")], training).executors


def test_carried_pieces_are_the_whole(x):
    model = Sequential([LSTM(H, return_sequences=True), Dense(H), SimpleRNN(H, return_sequences=True)])
    model.add(GRU(H, return_sequences=True))
    y = model.predict(x)
    parts, before = [], None
    for begin, end in ((0, 3), (3, 6), (6, 8)):
        chain = passes_of(model, x[:, begin:end])
        for number, run in enumerate(chain):
            run.continue_from(None if before is None else before[number])
        for run in chain:
            run.forward()
        parts.append(np.array(chain[-1].y))
        before = chain
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), y)


@pytest.mark.parametrize(
    "make",
    [lambda: Bidirectional(LSTM(H, return_sequences=True)), lambda: LSTM(H, return_sequences=True, go_backwards=True)],
    ids=["both ways", "backwards"],
)
def test_what_reads_from_the_end_cannot_be_carried(x, make):
    model = Sequential([make()])
    model.build(x.shape)
    with pytest.raises(ValueError, match=r"sequence's end.*pieces"):
        passes_of(model, x)[0].continue_from(None)


def test_what_has_no_state_carries_nothing(x):
    model = Sequential([Flatten(), Dense(2)])
    model.build(x.shape)
    for run in passes_of(model, x):
        run.continue_from(None)


@pytest.mark.parametrize(
    "members",
    [
        lambda: [LSTM(H, batch_input_shape=(B, T, F), stateful=True, return_sequences=True), LSTM(H, stateful=True)],
        lambda: [LSTM(H, input_shape=(T, F), batch_size=B, stateful=True)],
        lambda: [Input(batch_shape=(B, T, F)), Dense(2), Bidirectional(LSTM(H, stateful=True))],
        lambda: [Bidirectional(LSTM(H, stateful=True), batch_shape=(B, None, F))],
    ],
)
def test_a_declared_batch_size_holds_for_stateful_layers(x, members):
    model = Sequential(members())
    for made in (model, pickle.loads(pickle.dumps(model))):
        made.predict(np.concatenate([x, x]), batch_size=B)
        made.reset_states()
        with pytest.raises(ValueError, match=f"is stateful and takes batches of {B} rows.*one of 2 came: give fit"):
            made.predict(x[:2])


def test_a_declared_batch_size_is_no_matter_to_other_layers(x):
    assert len(Sequential([LSTM(H, batch_input_shape=(B, T, F))]).predict(x[:2])) == 2
