"""The loss CTC in models: lengths, weights, files, recorded steps, infinite losses, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import numlstm
from numlstm import Sequential, losses
from numlstm.callbacks import Callback, TerminateOnNaN
from numlstm.layers import LSTM, Dense, Masking
from numlstm.metrics import Metric
from numlstm.utils import ctc_decode, pad_sequences


def refused(error, *words):
    """The error, with a message that holds all words, in any order."""
    return pytest.raises(error, match="".join(f"(?=.*{word})" for word in words))


def make_model(masked=False, classes=4, optimizer="adam", loss=None, **options):
    numlstm.set_seed(3)
    layers = [*[Masking()] * masked, LSTM(6, return_sequences=True), Dense(classes)]
    model = Sequential([numlstm.Input((None, 2)), *layers])
    model.compile(optimizer, loss or losses.CTC(zero_infinity=True), device="cpu", **options)
    return model


def make_data(count=20, steps=9, labels=3, classes=4):
    random = np.random.default_rng(0)
    y = random.integers(1, classes, (count, labels))
    y[np.arange(labels) >= random.integers(0, labels + 1, count)[:, None]] = -1
    return random.normal(size=(count, steps, 2)).astype("float32"), y


def expected_loss(model, x, y, mask=None, weights=None):
    outputs = model.predict(x, verbose=0)
    return reference.ctc(outputs, y, mask, weights, 0, True)[0] / len(x)


def test_evaluate_is_the_mean_over_sequences():
    model, (x, y) = make_model(), make_data()
    loss = model.evaluate(x, y, batch_size=7, verbose=0)
    assert loss == pytest.approx(expected_loss(model, x, y), rel=1e-5)
    weights = np.linspace(-1, 2, len(x))
    loss = model.evaluate(x, y, sample_weight=weights, batch_size=7, verbose=0)
    assert loss == pytest.approx(expected_loss(model, x, y, None, weights), rel=1e-5)
    assert model.evaluate(x, np.where(y < 0, 0, y).astype("float32"), verbose=0) == pytest.approx(
        expected_loss(model, x, y), rel=1e-5
    )


def test_masked_steps_shorten_the_sequences():
    model, (x, y) = make_model(masked=True), make_data()
    x[::2, 6:] = 0
    x[1::4, 3] = 0
    mask = x.any(axis=2)
    loss = model.evaluate(x, y, batch_size=8, verbose=0)
    assert loss == pytest.approx(expected_loss(model, x, y, mask), rel=1e-5)
    whole = expected_loss(model, x, y)
    assert abs(loss - whole) > 1e-3 * whole


def test_gradients_are_those_of_differences():
    """Through the layers, with a mask and weights."""
    model, (x, y) = make_model(masked=True, optimizer=numlstm.optimizers.SGD(1e-3)), make_data(5)
    x[::2, 6:] = 0
    weights = np.array([1, 0.5, 0, 2, 1])
    before = model.get_weights()
    loss = model.train_on_batch(x, y, sample_weight=weights)
    after = model.get_weights()
    # The loss falls by rate |gradient|², to the first order.
    falls = sum(float((((b - a) / 1e-3) ** 2).sum()) for b, a in zip(before, after, strict=True)) * 1e-3
    assert loss - model.evaluate(x, y, sample_weight=weights, verbose=0) == pytest.approx(falls, rel=0.02)


@pytest.mark.parametrize("masked", [False, True])
def test_recorded_steps_are_the_same_steps(masked):
    """`fit` replays steps from the third batch on."""
    x, y = make_data(32)
    if masked:
        x[::3, 5:] = 0
    model, single = make_model(masked), make_model(masked)
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for begin in [*range(0, 32, 8)] * 2:
        single.train_on_batch(x[begin : begin + 8], y[begin : begin + 8])
    for ours, theirs in zip(model.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_batches_with_other_numbers_of_labels():
    model, (x, y) = make_model(), make_data()
    batches = [(x[:8], y[:8]), (x[8:16], np.pad(y[8:16], ((0, 0), (0, 5)), constant_values=-1)), (x[:8], y[:8, :0])]
    history = model.fit(iter(batches), verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_a_sequence_too_short_has_an_infinite_loss_and_trains_nothing():
    model, x = make_model(loss="ctc"), make_data(4, steps=3)[0]
    labels = np.array([[1, 2], [2, 2], [1, -1], [3, 3]])
    before = model.get_weights()
    history = model.fit(x, np.full((4, 4), 1), epochs=2, verbose=0, callbacks=[TerminateOnNaN()])
    assert history.history["loss"] == [np.inf]
    assert history.not_finite == (1, 1)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.isfinite(model.evaluate(x, labels, verbose=0))
    counted = make_model()
    x[1], labels[1] = 0, [1, 2]
    assert counted.evaluate(x, np.pad(labels, ((0, 0), (0, 2)), constant_values=-1), verbose=0) == pytest.approx(
        expected_loss(counted, x, labels), rel=1e-5
    )


def test_files_keep_the_loss(tmp_path):
    model, (x, y) = make_model(loss=losses.CTC(blank=3, zero_infinity=True)), make_data(classes=3)
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "model.safetensors")
    again = numlstm.load_model(tmp_path / "model.safetensors")
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    for each in (model, again):
        each.fit(x, y, epochs=1, verbose=0, shuffle=False)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_resumed_training_ends_with_the_same_bits(tmp_path):
    class Stop(Callback):
        stops = True

        def on_train_batch_end(self, batch, logs=None):
            if self.stops and self.model.optimizer.iterations == 4:
                raise KeyboardInterrupt

    (x, y), path = make_data(24), tmp_path / "state.safetensors"
    whole, cut, resumed = make_model(), make_model(), make_model()
    options = {"batch_size": 8, "epochs": 2, "verbose": 0, "callbacks": [Stop()]}
    with pytest.raises(KeyboardInterrupt):
        cut.fit(x, y, checkpoint=path, checkpoint_every=1, **options)
    Stop.stops = False
    resumed.fit(x, y, resume=path, **options)
    make_model()  # It seeds as the others did before the first training.
    whole.fit(x, y, **options)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_several_outputs_have_their_own_losses():
    x, y = make_data()
    numlstm.set_seed(0)
    given = numlstm.Input((9, 2))
    h = LSTM(5, return_sequences=True)(given)
    model = numlstm.Model(given, {"spelled": Dense(4, name="spelled")(h), "level": Dense(1, name="level")(h)})
    model.compile("sgd", {"spelled": losses.CTC(zero_infinity=True), "level": "mse"}, loss_weights={"spelled": 0.3})
    found = model.evaluate(x, {"spelled": y, "level": x[..., :1]}, verbose=0, return_dict=True)
    outputs = model.predict(x, verbose=0)
    assert found["spelled_loss"] == pytest.approx(
        reference.ctc(outputs["spelled"], y, None, None, 0, True)[0] / 20, rel=1e-5
    )
    assert found["loss"] == pytest.approx(0.3 * found["spelled_loss"] + found["level_loss"], rel=1e-6)
    model.fit(x, {"spelled": y, "level": x[..., :1]}, verbose=0)


class Errors(Metric):
    """The share of sequences whose labels are not found."""

    def reset_state(self):
        self.wrong = self.count = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        decoded = ctc_decode(y_pred)[0][0]
        both = [pad_sequences(part, 20, padding="post", value=-1) for part in (decoded.tolist(), y_true.tolist())]
        self.wrong += int((both[0] != both[1]).any(axis=1).sum())
        self.count += len(y_true)

    def result(self):
        return self.wrong / self.count


def test_a_model_learns_to_spell():
    """Of a flat tone, the pulses name the labels."""
    random, count = np.random.default_rng(0), 96
    x, y = np.zeros((count, 12, 4), "float32"), np.full((count, 3), -1)
    for row in range(count):
        labels = random.integers(1, 4, random.integers(1, 4))
        y[row, : len(labels)] = labels
        x[row, 4 * np.arange(len(labels)) + random.integers(0, 3, len(labels)), labels] = 1
    numlstm.set_seed(0)
    model = Sequential([LSTM(16, return_sequences=True), Dense(4)])
    model.compile(numlstm.optimizers.Adam(0.03), losses.CTC(), metrics=[Errors()], device="cpu")
    history = model.fit(x, y, epochs=40, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.1 < 2 < history["loss"][0]
    assert history["errors"][-1] < 0.05


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        ([[1, 4]] * 2, ValueError, ["label 4 ", r"\(0, 1\)", "0 to 3", "-1"]),
        ([[1, 2], [-2, 1]], ValueError, ["label -2 ", r"\(1, 0\)"]),
        ([[1, 2], [1, 0.5]], ValueError, ["label 0.5 ", r"\(1, 1\)", "integers"]),
        ([[1, 2], [1, np.nan]], ValueError, ["label nan "]),
        ([[1, 0, 2], [1, 2, 3]], ValueError, ["label 2 ", r"\(0, 2\)", "after a blank", "post"]),
        ([[1, 2, 3], [1, -1, 3]], ValueError, ["label 3 ", r"\(1, 2\)", "after a blank"]),
        ([1, 2], ValueError, [r"\(2, labels\)", r"\(2,\)"]),
        (np.ones((2, 9, 4)), ValueError, [r"\(2, labels\)", r"\(2, 9, 4\)"]),
        ([["a", "b"]] * 2, TypeError, ["<U1", "labels"]),
        ([[1], [1, 2]], ValueError, ["pad_sequences"]),
    ],
    ids=str,
)
def test_wrong_labels(y, error, words):
    with refused(error, *words):
        make_model().fit(make_data(2)[0], y, verbose=0)


def test_labels_that_change_after_they_were_checked_are_refused():
    """The kernels take them for addresses."""
    x, y = make_data(16)

    class Change(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            y[:] = 2**40

    with refused(ValueError, f"label {2**40} "):
        make_model().fit(x, y, batch_size=8, verbose=0, callbacks=[Change()])


def test_wrong_models_and_arguments():
    x, y = make_data(2)
    last = Sequential([LSTM(3), Dense(4)])
    last.compile("sgd", "ctc")
    with refused(ValueError, r"\(B, T, V\)", r"\(2, 4\)", "return sequences"):
        last.fit(x, y, verbose=0)
    for options, words in (
        ({"classes": 1}, ["blank", "not 1"]),
        ({"loss": losses.CTC(blank=4)}, ["blank 4 ", "4 outputs"]),
    ):
        with refused(ValueError, *words):
            make_model(**options).fit(x, y, verbose=0)
    with refused(ValueError, "tbptt", "'ctc'", "whole sequences"):
        make_model().fit(x, y, tbptt=3, verbose=0)
    with refused(ValueError, "class_weight", "sample_weight"):
        make_model().fit(x, y, class_weight={1: 2.0}, verbose=0)
    with refused(ValueError, "sample_weight", r"\(2,\)", r"\(2, 9\)"):
        make_model().fit(x, y, sample_weight=np.ones((2, 9)), verbose=0)
    with refused(ValueError, "'accuracy'", "ctc_decode"):
        make_model(metrics=["accuracy"])
    with refused(ValueError, "blank", "-1"):
        losses.CTC(blank=-1)
    with refused(TypeError, "zero_infinity"):
        losses.CTC(zero_infinity=1)
