"""Arrays that change after they were checked: a wrong id or label is refused where it is met, and never an address."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm
from numlstm import Sequential
from numlstm.layers import LSTM, Dense, Embedding, TimeDistributed

WRONG = 10**9
ID = r"holds 1000000000, but the ids of layer 'embedding\w*' are 0 to 6"
LABEL = r"holds the label 1000000000 at \(.*\), expected integers from 0 to 2"
SPARSE = "sparse_categorical_crossentropy"


class Spoil(numlstm.callbacks.Callback):
    """Writes a wrong value to an array when a method of callbacks is called the second time."""

    def __init__(self, array, method):
        self.left = 2

        def spoil(*_):
            self.left -= 1
            if not self.left:
                array[..., -1] = WRONG

        setattr(self, method, spoil)


def of_ids():
    model = Sequential([Embedding(7, 3), LSTM(4), Dense(1)])
    model.compile("adam", "mse")
    return model


def of_labels(steps=False):
    model = Sequential([LSTM(4, return_sequences=steps), Dense(3, activation="softmax")])
    model.compile("adam", SPARSE)
    return model


@pytest.fixture
def ids():
    return np.random.default_rng(0).integers(0, 7, (12, 5))


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 3, (12, 4))


X = np.random.default_rng(1).normal(size=(12, 4, 2)).astype("float32")
Y = np.ones((12, 1), "float32")

EVENTS = pytest.mark.parametrize("event", ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"])


@EVENTS
@pytest.mark.parametrize("dtype", ["int64", "int32", "float64"])
def test_ids_that_a_callback_changes(ids, event, dtype):
    """Also those that are cast: a batch takes them from the user's array, or from a copy that nobody changes."""
    ids = ids.astype(dtype)
    model = of_ids()
    if dtype == "float64":
        model.fit(ids, Y, epochs=3, batch_size=4, verbose=0, callbacks=[Spoil(ids, event)])
    else:
        with pytest.raises(ValueError, match=f"x {ID}"):
            model.fit(ids, Y, epochs=3, batch_size=4, verbose=0, callbacks=[Spoil(ids, event)])


@EVENTS
@pytest.mark.parametrize("tbptt", [None, 2])
def test_labels_that_a_callback_changes(labels, event, tbptt):
    with pytest.raises(ValueError, match=f"y {LABEL}"):
        of_labels(steps=True).fit(
            X, labels, epochs=3, batch_size=4, verbose=0, tbptt=tbptt, callbacks=[Spoil(labels, event)]
        )


def test_negative_labels_and_ids(ids, labels):
    for model, x, y, array in ((of_ids(), ids, Y, ids), (of_labels(steps=True), X, labels, labels)):
        model.fit(x, y, verbose=0)
        changed = array.copy()

        def spoil(*_, changed=changed):
            changed[3, 2] = -5

        begin = numlstm.callbacks.LambdaCallback(on_test_batch_begin=spoil)
        x, y = (changed, y) if x is array else (x, changed)
        with pytest.raises(ValueError, match=r"holds .*-5"):
            model.evaluate(x, y, verbose=0, callbacks=[begin])


def test_labels_beside_an_ignored_class(labels):
    model = of_labels(steps=True)
    model.compile("adam", {"class_name": SPARSE, "config": {"ignore_class": -1}})
    labels[0] = -1
    model.fit(X, labels, verbose=0)
    with pytest.raises(ValueError, match=f"y {LABEL}, or -1"):
        model.fit(X, labels, epochs=3, verbose=0, callbacks=[Spoil(labels, "on_epoch_begin")])


def test_validation_data(ids):
    held = ids.copy()
    with pytest.raises(ValueError, match=f"the validation x {ID}"):
        of_ids().fit(
            ids, Y, epochs=3, verbose=0, validation_data=(held, Y), callbacks=[Spoil(held, "on_test_batch_begin")]
        )


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_data_that_change_between_the_batches_of_a_pass(ids, method):
    given = (ids, Y) if method == "evaluate" else (ids,)
    event = {"evaluate": "on_test_batch_begin", "predict": "on_predict_batch_begin"}[method]
    with pytest.raises(ValueError, match=f"x {ID}"):
        getattr(of_ids(), method)(*given, batch_size=4, verbose=0, callbacks=[Spoil(ids, event)])


def test_a_file_that_somebody_else_writes(ids, tmp_path):
    np.save(tmp_path / "ids.npy", ids)
    read, written = (np.load(tmp_path / "ids.npy", mmap_mode=mode) for mode in ("r", "r+"))
    with pytest.raises(ValueError, match=f"x {ID}"):
        of_ids().fit(read, Y, epochs=3, verbose=0, callbacks=[Spoil(written, "on_epoch_begin")])


def test_batches_that_a_generator_changes_after_it_gave_them(ids):
    def forever():
        while True:
            yield ids, Y

    with pytest.raises(ValueError, match=f"x {ID}"):
        of_ids().fit(forever(), epochs=1, steps_per_epoch=4, verbose=0, callbacks=[Spoil(ids, "on_train_batch_begin")])


def test_no_weight_changes_in_the_batch_that_is_refused(ids):
    model = of_ids()
    model.fit(ids, Y, verbose=0)
    before = model.get_weights()
    with pytest.raises(ValueError, match=ID):
        model.fit(ids, Y, epochs=3, verbose=0, callbacks=[Spoil(ids, "on_train_batch_begin"), Keep(before)])
    for kept, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)


class Keep(numlstm.callbacks.Callback):
    """Copies the weights after each batch."""

    def __init__(self, weights):
        self.weights = weights

    def on_train_batch_end(self, batch, logs=None):
        self.weights[:] = self.model.get_weights()


@pytest.mark.parametrize("wrap", [lambda layer: layer, TimeDistributed], ids=["alone", "wrapped"])
def test_ids_of_a_layer_used_by_hand(ids, wrap):
    """`backward` adds to the rows that `forward` read."""
    layer = wrap(Embedding(7, 3))
    ids = ids if isinstance(layer, Embedding) else ids[None]
    dy = np.ones((*ids.shape, 3), "float32")
    layer.forward(ids, training=True)
    layer.backward(dy)
    expected = layer.gradients()
    layer.forward(ids, training=True)
    ids[:] = WRONG
    layer.backward(dy)
    for ours, theirs in zip(layer.gradients(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=ID):
        layer(ids)
