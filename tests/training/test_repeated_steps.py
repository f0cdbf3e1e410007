"""Steps that the backend repeats without asking Python: each trains as one that goes through all layers."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import numlstm
from numlstm import Input, Sequential, optimizers
from numlstm.callbacks import Callback
from numlstm.layers import GRU, LSTM, Activation, Bidirectional, Dense, Dropout, Embedding, Flatten, Masking, SimpleRNN

T, F = 5, 3
ROWS = 23  # Batches of seven, and one of two.


class Restless(Callback):
    """Does between steps what must not be overlooked."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.predict(np.ones((2, *self.model.input_shape[1:])), verbose=0)
        if batch == 2:
            self.model.optimizer.learning_rate = self.model.optimizer.learning_rate / 2
        if batch == 3:
            self.model.set_weights([weight + 0.01 for weight in self.model.get_weights()])


REPEATED = {
    "lstm": lambda: [LSTM(7), Dense(1)],
    "stack": lambda: [LSTM(18, return_sequences=True, use_bias=False), LSTM(4, go_backwards=True), Dense(1, "tanh")],
    "sequences": lambda: [LSTM(5, return_sequences=True), Activation("relu"), Flatten(), Dense(1, use_bias=False)],
    "elman": lambda: [SimpleRNN(7, return_sequences=True), SimpleRNN(4), Dense(1)],
    "gru": lambda: [GRU(7, return_sequences=True), GRU(4, reset_after=False), Dense(1)],
    "regularized": lambda: [LSTM(5, kernel_regularizer="l2", activation="relu"), Dense(1, bias_regularizer="l1")],
}
OTHERS = {
    "dropout": lambda: [LSTM(7, dropout=0.3, recurrent_dropout=0.3, seed=1), Dropout(0.2, seed=2), Dense(1)],
    "stateful": lambda: [LSTM(7, stateful=True), Dense(1)],
    "masked": lambda: [Masking(1.0), LSTM(7), Dense(1)],
    "both directions": lambda: [Bidirectional(LSTM(4)), Dense(1)],
}
OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01, global_clipnorm=0.1),
    "sgd": lambda: optimizers.SGD(0.01, momentum=0.9, clipnorm=0.1),
    "nadam": lambda: optimizers.Nadam(0.01, weight_decay=0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01, clipvalue=0.1),
}


def trained(layers, optimizer, repeatable, monkeypatch, callbacks=None, weights=None):
    """(weights, losses, how many steps were recorded) after some epochs."""
    cpu, recorded = importlib.import_module("numlstm.kernels.cpu"), []
    real = cpu.record

    def record(step):
        recorded.append(step)
        if repeatable:
            return real(step)
        step()
        return step

    monkeypatch.setattr(cpu, "record", record)
    numlstm.set_seed(3)
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(ROWS, T, F)), rng.normal(size=(ROWS, 1))
    model = Sequential(layers)
    model.build((None, T, F))
    model.compile(optimizer, "mse", device="cpu")
    rows = 7 if not any(getattr(layer, "stateful", False) for layer in layers) else ROWS
    history = model.fit(x, y, rows, 4, verbose=0, callbacks=callbacks, sample_weight=weights)
    monkeypatch.setattr(cpu, "record", real)
    return model.get_weights(), history.history["loss"], len(recorded)


def assert_same(first, second):
    assert first[1] == second[1]
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("layers", REPEATED.values(), ids=REPEATED)
def test_a_repeated_step_is_a_step(layers, optimizer, monkeypatch):
    repeated = trained(layers(), optimizer(), True, monkeypatch)
    assert repeated[2] == 2  # One for each size of batch.
    assert_same(repeated, trained(layers(), optimizer(), False, monkeypatch))


@pytest.mark.parametrize("layers", OTHERS.values(), ids=OTHERS)
def test_what_must_be_decided_anew_is_not_repeated(layers, monkeypatch):
    runs = [trained(layers(), "adam", repeatable, monkeypatch) for repeatable in (True, False)]
    assert runs[0][2] == 0
    assert_same(*runs)


def test_what_callbacks_do_between_steps_counts(monkeypatch):
    runs = [trained(REPEATED["lstm"](), "adam", repeatable, monkeypatch, [Restless()]) for repeatable in (True, False)]
    assert runs[0][2] == 2
    assert_same(*runs)
    assert runs[0][1] != trained(REPEATED["lstm"](), "adam", True, monkeypatch)[1]


def test_an_optimizer_that_is_changed_between_steps(monkeypatch):
    class Changed(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.beta_1 = 0.5 + 0.1 * epoch

    runs = [trained(REPEATED["lstm"](), "adam", repeatable, monkeypatch, [Changed()]) for repeatable in (True, False)]
    assert_same(*runs)


def test_weights_of_the_samples(monkeypatch):
    weights = np.linspace(0.0, 2.0, ROWS)
    runs = [trained(REPEATED["lstm"](), "adam", again, monkeypatch, weights=weights) for again in (True, False)]
    assert runs[0][2] == 2
    assert_same(*runs)


def test_many_rows_and_ids(monkeypatch):
    """A loss of more rows than one block of its sum, and the classes of a softmax."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (150, T)), rng.integers(0, 4, (150, 1))
    results = []
    for repeatable in (True, False):
        if not repeatable:
            cpu = importlib.import_module("numlstm.kernels.cpu")
            monkeypatch.setattr(cpu, "record", lambda step: (step(), step)[1])
        numlstm.set_seed(1)
        model = Sequential([Embedding(9, 3), LSTM(6), Dense(4, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], device="cpu")
        results.append((model.fit(x, y, 150, 5, verbose=0).history, [w.tobytes() for w in model.get_weights()]))
    assert results[0] == results[1]


def small_model(**options):
    numlstm.set_seed(2)
    model = Sequential([Input((None, F), batch_size=1 if options else None), LSTM(6, **options), Dense(2)])
    model.compile("adam", "mse", device="cpu")
    return model


def test_steps_by_hand_are_those_of_fit():
    rng = np.random.default_rng(5)
    x, y, weights = rng.normal(size=(4, T, F)), rng.normal(size=(4, 2)), np.array([0.0, 1.0, 2.0, 0.5])
    stepped, fitted = small_model(), small_model()
    losses = [stepped.train_on_batch(x, y, sample_weight=weights) for _ in range(6)]
    assert losses == fitted.fit(x, y, 4, 6, 0, sample_weight=weights, shuffle=False).history["loss"]
    assert [w.tobytes() for w in stepped.get_weights()] == [w.tobytes() for w in fitted.get_weights()]


def train_first_layer(model):
    part = numlstm.Model(model.inputs, model.layers[0].calls[0].outputs)
    part.compile("adam", "mse", device="cpu")
    part.train_on_batch(np.ones((2, T, F)), np.ones((2, 6)))


CHANGES = {
    "weights": lambda model: model.set_weights([weight + 0.1 for weight in model.get_weights()]),
    "a step": lambda model: model.train_on_batch(np.ones((2, T, F)), np.ones((2, 2))),
    "another model with its layers": train_first_layer,
    "a direction": lambda model: setattr(model.layers[0], "go_backwards", True),
    "a layer": lambda model: model.add(Dense(3)),
    "none": lambda model: None,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_prediction_knows_what_has_changed_since_the_last_one(change):
    """Predictions reuse their buffers."""
    x = np.random.default_rng(1).normal(size=(3, T, F))
    used, fresh = small_model(), small_model()
    for model in (used, fresh):
        if model is used:
            model.predict(x)
            model.predict(x[:1])
        numlstm.set_seed(4)
        change(model)
    np.testing.assert_array_equal(used.predict(x), fresh.predict(x))
    np.testing.assert_array_equal(used.predict(x[:1]), fresh.predict(x)[:1])


def test_predictions_that_were_returned_stay():
    x = np.random.default_rng(1).normal(size=(3, T, F))
    model = small_model()
    first = model.predict(x)
    kept = first.copy()
    model.predict(2 * x)
    np.testing.assert_array_equal(first, kept)


def test_a_stateful_prediction_goes_on():
    x = np.random.default_rng(1).normal(size=(1, T, F))
    model = small_model(stateful=True, return_sequences=True)
    whole = model.predict(np.concatenate([x, x, x], axis=1))
    model.reset_states()
    pieces = [model.predict(x) for _ in range(3)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    model.reset_states()
    np.testing.assert_array_equal(model.predict(x), pieces[0])
