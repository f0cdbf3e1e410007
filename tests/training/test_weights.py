"""What weighs in the loss, and what is seen beside it: weights of samples and classes, penalties, metrics."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm
from numlstm import Sequential, optimizers, regularizers
from numlstm.callbacks import Callback
from numlstm.layers import LSTM, Dense, Masking

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(23, 5, 3)), RANDOM.normal(size=(23, 2))
TARGETS = RANDOM.normal(size=(23, 5, 2))
WEIGHTS, STEP_WEIGHTS = RANDOM.uniform(size=23), RANDOM.uniform(size=(23, 5))


def model(loss="mse", sequences=False, outputs=2, rate=0.1, **compiled):
    """Always the same one."""
    numlstm.set_seed(7)
    layers = [
        LSTM(4, return_sequences=sequences, input_shape=(None, 3), dtype="float64"),
        Dense(outputs, dtype="float64"),
    ]
    made = Sequential(layers)
    made.compile(optimizers.SGD(rate), loss, **compiled)
    return made


def stepped(*data, rate=0.1, loss="mse", sequences=False, outputs=2, **options):
    """The weights after one step."""
    made = model(loss, sequences, outputs, rate)
    made.train_on_batch(*data, **options)
    return made.get_weights()


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_near(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)


# Weights of samples


def test_weights_of_one_change_nothing():
    assert_same(stepped(X, Y, sample_weight=np.ones(23)), stepped(X, Y))
    assert_same(stepped(X, TARGETS, np.ones((23, 5)), sequences=True), stepped(X, TARGETS, sequences=True))


def test_samples_of_weight_zero_are_not_there():
    """Not even their targets, though they count in the mean's denominator as they do in Keras."""
    weights, y = np.arange(23) < 9, Y.copy()
    y[9:] = np.nan
    assert_near(stepped(X, y, weights), stepped(X[:9], Y[:9], rate=0.1 * 9 / 23))


def test_a_weight_of_two_is_a_sample_twice():
    weights = np.where(np.arange(23) == 4, 2.0, 1.0)
    twice = np.append(np.arange(23), 4)
    assert_near(stepped(X, Y, weights), stepped(X[twice], Y[twice], rate=0.1 * 24 / 23))


def test_a_sample_lends_its_weight_to_its_steps():
    spread = np.repeat(WEIGHTS[:, None], 5, axis=1)
    assert_same(stepped(X, TARGETS, WEIGHTS, sequences=True), stepped(X, TARGETS, spread, sequences=True))


def test_steps_of_weight_zero_have_no_targets():
    """A weight of zero at the end of a sequence is a shorter sequence."""
    weights = np.repeat(np.arange(5)[None] < 3, 23, axis=0)
    short = stepped(X[:, :3], TARGETS[:, :3], sequences=True, rate=0.1 * 3 / 5)
    assert_near(stepped(X, TARGETS, weights, sequences=True), short)


def test_the_loss_is_the_weighted_mean_over_all():
    made = model()
    errors = np.mean((made.predict(X) - Y) ** 2, axis=1)
    expected = pytest.approx(np.sum(WEIGHTS * errors) / 23, rel=1e-12)
    assert made.evaluate(X, Y, sample_weight=WEIGHTS, batch_size=4, verbose=0) == expected
    assert made.test_on_batch(X, Y, sample_weight=WEIGHTS) == expected
    still = model(rate=1e-30)
    validation = X, Y, WEIGHTS
    history = still.fit(X, Y, sample_weight=WEIGHTS, validation_data=validation, batch_size=4, verbose=0)
    assert history.history == {"loss": [expected], "val_loss": [expected]}


def test_weights_are_shuffled_with_their_samples():
    """Of a shuffled epoch without learning the loss is that of an unshuffled one."""
    made = model(rate=1e-30)
    history = made.fit(X, Y, sample_weight=WEIGHTS, batch_size=4, epochs=2, verbose=0)
    assert history.history["loss"] == pytest.approx([made.evaluate(X, Y, sample_weight=WEIGHTS, verbose=0)] * 2)


def test_validation_split_takes_the_weights_along():
    made = model()
    history = made.fit(X, Y, sample_weight=WEIGHTS, validation_split=0.5, verbose=0)
    expected = made.evaluate(X[11:], Y[11:], sample_weight=WEIGHTS[11:], verbose=0)
    assert history.history["val_loss"] == [pytest.approx(expected, rel=1e-12)]


# Weights of classes

LABELS = RANDOM.integers(0, 3, size=23)
STEP_LABELS = RANDOM.integers(0, 3, size=(23, 5))
CLASS_WEIGHT = {0: 0.5, 2: 3}
TABLE = np.array([0.5, 1.0, 3.0])


@pytest.mark.parametrize(
    ("loss", "y", "labels"),
    [
        ("sparse_categorical_crossentropy", LABELS, LABELS),
        ("sparse_categorical_crossentropy", LABELS[:, None], LABELS),
        ("categorical_crossentropy", np.eye(3)[LABELS], LABELS),
        ("categorical_crossentropy", np.eye(3, dtype=bool)[LABELS], LABELS),
        ("sparse_categorical_crossentropy", STEP_LABELS, STEP_LABELS),
        ("categorical_crossentropy", np.eye(3)[STEP_LABELS], STEP_LABELS),
    ],
    ids=["labels", "column", "one-hot", "bool", "steps", "one-hot steps"],
)
def test_class_weights_are_sample_weights(loss, y, labels):
    loss = {"class_name": loss, "config": {"from_logits": True}}
    options = {"loss": loss, "outputs": 3, "sequences": labels.ndim == 2}
    expected = stepped(X, y, sample_weight=TABLE[labels], **options)
    assert_same(stepped(X, y, class_weight=CLASS_WEIGHT, **options), expected)
    made = model(loss, labels.ndim == 2, outputs=3)
    made.fit(X, y, class_weight=CLASS_WEIGHT, batch_size=23, shuffle=False, verbose=0)
    assert_same(made.get_weights(), expected)


def test_class_weights_of_two_classes():
    y = (LABELS > 0).astype(float)
    loss = {"class_name": "binary_crossentropy", "config": {"from_logits": True}}
    expected = stepped(X, y, sample_weight=np.where(y, 4.0, 0.25), loss=loss, outputs=1)
    assert_same(stepped(X, y, class_weight={0: 0.25, 1: 4}, loss=loss, outputs=1), expected)


def test_class_weights_are_for_training_alone():
    loss = {"class_name": "sparse_categorical_crossentropy", "config": {"from_logits": True}}
    made = model(loss, outputs=3)
    history = made.fit(X, LABELS, class_weight=CLASS_WEIGHT, validation_split=0.5, verbose=0)
    expected = made.evaluate(X[11:], LABELS[11:], verbose=0)
    assert history.history["val_loss"] == [pytest.approx(expected, rel=1e-12)]


# Metrics


def test_metrics_beside_the_loss():
    made = model(metrics=["mae", "mse"])
    result = made.evaluate(X, Y, batch_size=4, verbose=0)
    error = made.predict(X) - Y
    assert result == pytest.approx([np.mean(error**2), np.mean(np.abs(error)), np.mean(error**2)], rel=1e-12)
    named = dict(zip(("loss", "mae", "mse"), result, strict=True))
    assert made.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True) == named
    assert made.test_on_batch(X, Y) == pytest.approx(result, rel=1e-12)
    assert made.test_on_batch(X, Y, return_dict=True) == pytest.approx(named, rel=1e-12)
    assert made.train_on_batch(X, Y, return_dict=True) == pytest.approx(named, rel=1e-12)
    assert made.train_on_batch(X, Y)[0] < result[0]


def test_metrics_in_the_history_begin_anew_with_every_epoch():
    made = model(rate=1e-30, metrics="mae")
    history = made.fit(X, Y, batch_size=4, epochs=2, validation_data=(X[:9], Y[:9]), verbose=0).history
    assert sorted(history) == ["loss", "mae", "val_loss", "val_mae"]
    for prefix, count in (("", 23), ("val_", 9)):
        expected = made.evaluate(X[:count], Y[:count], verbose=0, return_dict=True)
        assert history[f"{prefix}mae"] == pytest.approx([expected["mae"]] * 2, rel=1e-6)


def test_metrics_of_one_name_are_told_apart():
    """By Keras' names."""
    made = model(metrics=["mae", "mae", "mse"], weighted_metrics=["mae", "mae", "mse"])
    result = made.evaluate(X, Y, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    weighted = ["weighted_mae", "weighted_mae_1", "weighted_mse"]
    assert list(result) == ["loss", "mae", "mae_1", "mse", *weighted]
    assert result["mae"] == result["mae_1"] != result["weighted_mae"] == result["weighted_mae_1"]
    history = made.fit(X, Y, validation_split=0.5, verbose=0).history
    assert list(history) == [*result, *(f"val_{name}" for name in result)]


def test_weighted_metrics_see_weights_and_others_do_not():
    made = model(metrics=["mae"], weighted_metrics=["mae"])
    result = made.evaluate(X, Y, sample_weight=WEIGHTS, batch_size=4, verbose=0, return_dict=True)
    errors = np.mean(np.abs(made.predict(X) - Y), axis=1)
    assert list(result) == ["loss", "mae", "weighted_mae"]
    assert result["mae"] == pytest.approx(errors.mean(), rel=1e-12)
    assert result["weighted_mae"] == pytest.approx(np.average(errors, weights=WEIGHTS), rel=1e-12)


def test_accuracy_of_classes():
    loss = {"class_name": "sparse_categorical_crossentropy", "config": {"from_logits": True}}
    made = model(loss, outputs=3, metrics=["accuracy"])
    expected = np.mean(made.predict(X).argmax(axis=1) == LABELS)
    assert made.evaluate(X, LABELS, verbose=0, return_dict=True)["accuracy"] == pytest.approx(expected, rel=1e-12)


def test_metrics_are_shown(capsys):
    model(metrics=["mae"]).fit(X, Y, validation_split=0.5, verbose=2)
    line = capsys.readouterr().out
    assert all(f" - {name}: " in line for name in ("loss", "mae", "val_loss", "val_mae"))


# Masks

MASK = RANDOM.integers(0, 2, size=(23, 5)).astype(bool)
PADDED = np.where(MASK[..., None], X, 0.0)


def masked_model(**compiled):
    numlstm.set_seed(7)
    layers = [Masking(0.0, input_shape=(None, 3), dtype="float64")]
    layers += [LSTM(4, return_sequences=True, dtype="float64"), Dense(2, dtype="float64")]
    made = Sequential(layers)
    made.compile(optimizers.SGD(0.1), "mse", **compiled)
    return made


def test_masked_steps_do_not_count():
    made, other = masked_model(metrics=["mae"]), masked_model()
    errors = made.predict(PADDED) - TARGETS
    expected = np.mean(errors[MASK] ** 2), np.mean(np.abs(errors[MASK]))
    assert made.test_on_batch(PADDED, TARGETS) == pytest.approx(expected, rel=1e-12)
    nonsense = np.where(MASK[..., None], TARGETS, np.nan)
    assert made.train_on_batch(PADDED, nonsense)[0] == other.train_on_batch(PADDED, TARGETS)
    assert np.isfinite(made.get_weights()[0]).all()
    assert_same(made.get_weights(), other.get_weights())


def test_masked_steps_are_left_out_of_weighted_means():
    made = masked_model(metrics=["mae"], weighted_metrics=["mae"])
    errors = made.predict(PADDED) - TARGETS
    squares, sizes = (f(errors).mean(axis=-1) for f in (np.square, np.abs))
    loss, plain, weighted = made.test_on_batch(PADDED, TARGETS, sample_weight=STEP_WEIGHTS)
    assert loss == pytest.approx(np.sum((STEP_WEIGHTS * squares)[MASK]) / MASK.sum(), rel=1e-12)
    assert plain == pytest.approx(sizes[MASK].mean(), rel=1e-12)
    assert weighted == pytest.approx(np.average(sizes[MASK], weights=STEP_WEIGHTS[MASK]), rel=1e-12)


def test_a_batch_without_a_step_that_counts():
    made = masked_model()
    before = made.get_weights()
    assert made.train_on_batch(np.zeros((3, 5, 3)), TARGETS[:3]) == 0.0
    assert_same(made.get_weights(), before)


def test_ignored_labels_do_not_count():
    loss = {"class_name": "sparse_categorical_crossentropy", "config": {"from_logits": True, "ignore_class": -1}}
    counted = LABELS != 1
    labels = np.where(counted, LABELS, -1)
    assert_near(stepped(X, labels, loss=loss, outputs=3), stepped(X[counted], LABELS[counted], loss=loss, outputs=3))


# Penalties


def test_penalties_join_loss_and_gradient(monkeypatch):
    l1, l2, rate = 0.03, 0.2, 0.1
    plain, made = model(rate=rate), model(rate=rate)
    monkeypatch.setattr(Dense, "regularized", [("kernel", regularizers.L1L2(l1, l2))])
    kernel = made.get_weights()[3]
    penalty = l1 * np.abs(kernel).sum() + l2 * np.sum(kernel**2)
    evaluated, trained = (call(X, Y) for call in (made.test_on_batch, made.train_on_batch))
    assert made.evaluate(X, Y, batch_size=4, verbose=0) != evaluated
    monkeypatch.undo()
    assert evaluated == trained == pytest.approx(plain.train_on_batch(X, Y) + penalty, rel=1e-12)
    expected = plain.get_weights()
    expected[3] -= rate * (l1 * np.sign(kernel) + 2 * l2 * kernel)
    assert_near(made.get_weights(), expected)


def test_penalties_count_once_in_every_mean(monkeypatch):
    """Whatever the batches."""
    made = model()
    monkeypatch.setattr(Dense, "regularized", [("kernel", regularizers.L2(0.3))])
    expected = pytest.approx(made.evaluate(X, Y, batch_size=23, verbose=0), rel=1e-12)
    assert made.evaluate(X, Y, batch_size=4, verbose=0) == expected


# Callbacks


def test_all_hooks_are_called_as_keras_calls_them():
    calls = []

    def noted(name):
        return lambda self, *arguments: calls.append((name, *(a for a in arguments if isinstance(a, int))))

    names = [f"on_{part}_{end}" for part in ("train", "test", "predict") for end in ("begin", "end")]
    names += [f"on_{part}_batch_{end}" for part in ("train", "test", "predict") for end in ("begin", "end")]
    recorder = type("Recorder", (Callback,), {n: noted(n) for n in [*names, "on_epoch_begin", "on_epoch_end"]})()
    made = model()
    made.fit(X, Y, batch_size=12, validation_data=(X[:5], Y[:5]), verbose=0, callbacks=[recorder])
    test = [("on_test_begin",), ("on_test_batch_begin", 0), ("on_test_batch_end", 0), ("on_test_end",)]
    steps = [(f"on_train_batch_{end}", step) for step in (0, 1) for end in ("begin", "end")]
    epoch = [("on_epoch_begin", 0), *steps, *test, ("on_epoch_end", 0)]
    assert calls == [("on_train_begin",), *epoch, ("on_train_end",)]
    calls.clear()
    made.evaluate(X[:5], Y[:5], verbose=0, callbacks=[recorder])
    made.predict(X[:5], callbacks=[recorder])
    assert calls == test + [(name.replace("test", "predict"), *rest) for name, *rest in test]


def test_batch_hooks_see_running_means_and_may_stop():
    seen = []

    class Stopper(Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs)
            self.model.stop_training = batch == 1

    made = model(rate=1e-30, metrics=["mae"])
    history = made.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=Stopper())
    assert history.epoch == [0]
    for count, logs in zip((4, 8), seen, strict=True):
        expected = made.evaluate(X[:count], Y[:count], verbose=0, return_dict=True)
        assert logs == pytest.approx(expected, rel=1e-9)
    assert {name: values[0] for name, values in history.history.items()} == seen[-1]


# Refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample_weight": np.ones(22)}, "x has 23 samples, but sample_weight has 22"),
        ({"sample_weight": np.ones((23, 5))}, r"sample_weight must have shape \(23,\)"),
        ({"sample_weight": np.ones(23), "class_weight": {0: 2}}, "together"),
        ({"class_weight": {-1: 2}}, "class.*-1"),
        ({"class_weight": {0: np.nan}}, "class_weight of class 0.*nan"),
        ({"class_weight": {0: "2"}}, "class_weight of class 0.*'2'"),
    ],
)
def test_wrong_weights(options, words):
    made = model(outputs=1)
    before = made.get_weights()
    for call in (made.fit, made.train_on_batch):
        with pytest.raises(ValueError, match=words):
            call(X, LABELS > 1, **options)
    assert_same(made.get_weights(), before)


def test_a_weight_for_no_class():
    made = model("sparse_categorical_crossentropy", outputs=3)
    with pytest.raises(ValueError, match="class_weight has a weight for class 3, but the classes are 0 to 2"):
        made.fit(X, LABELS, class_weight={3: 1.0}, verbose=0)
    with pytest.raises(TypeError, match="class_weight must be a dict"):
        made.fit(X, LABELS, class_weight=[1.0], verbose=0)
    with pytest.raises(TypeError, match="each class"):
        made.fit(X, LABELS, class_weight={"a": 1.0}, verbose=0)
