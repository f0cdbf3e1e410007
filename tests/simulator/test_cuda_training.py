"""Training on the CUDA backend: weights, metrics, pieces of sequences; against the CPU, at the simulator's sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cuda_paths import PATHS, take
from test_cuda_twin import everything_on

import numlstm
import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm import Sequential, losses, optimizers, schedules
from numlstm.kernels.cuda.runtime.memory import transfers
from numlstm.layers import LSTM, Dense, Dropout, Embedding

RANDOM = np.random.default_rng(0)
X, Y, LABELS = RANDOM.normal(size=(5, 5, 2)), RANDOM.normal(size=(5, 5, 2)), RANDOM.integers(0, 2, size=(5, 5))
IDS = RANDOM.integers(0, 4, size=(5, 5))
WEIGHTS, STEP_WEIGHTS = RANDOM.uniform(size=5), RANDOM.uniform(size=(5, 5))
SPELLED = -np.sort(-LABELS[:, :2])
LOGITS = {"class_name": "sparse_categorical_crossentropy", "config": {"from_logits": True}}


def trained(backend, x, y, compiled, options):
    """All numbers of two epochs, and the weights after them."""
    with everything_on(backend):
        numlstm.set_seed(3)
        first = [Embedding(4, 2, mask_zero=True, dtype="float64")] if x is IDS else []
        last = Dense(2, dtype="float64", kernel_regularizer="l2")
        model = Sequential([*first, LSTM(3, return_sequences=True, dtype="float64"), last])
        model.compile(optimizers.SGD(0.1), **compiled)
        history = model.fit(x, y, batch_size=3, epochs=2, verbose=0, **options).history
        history["evaluated"] = model.evaluate(x, y, sample_weight=WEIGHTS, verbose=0, return_dict=True)["loss"]
    assert model.backend is backend
    return history, model.get_weights()


@pytest.mark.parametrize(
    ("x", "y", "compiled", "options"),
    [
        (X, Y, {"loss": "mse", "metrics": ["mae"]}, {"tbptt": 2}),
        (X, Y, {"loss": "mse", "weighted_metrics": ["mae"]}, {"sample_weight": STEP_WEIGHTS}),
        (X, LABELS, {"loss": LOGITS, "metrics": ["accuracy"]}, {"class_weight": {1: 3.0}}),
        (IDS, Y, {"loss": "mse", "weighted_metrics": ["mae"]}, {"sample_weight": WEIGHTS, "validation_split": 0.4}),
        (IDS, SPELLED, {"loss": losses.CTC(zero_infinity=True)}, {"sample_weight": WEIGHTS}),
        (X, LABELS, {"loss": losses.SampledSoftmax(1, seed=0)}, {"sample_weight": WEIGHTS}),
    ],
    ids=["pieces", "weights", "classes", "masks", "sequences", "samples"],
)
def test_training_agrees_with_the_cpu(x, y, compiled, options):
    (history, weights), (expected, expected_weights) = (trained(on, x, y, compiled, options) for on in (cuda, cpu))
    assert sorted(history) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-10)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", [cpu, cuda], ids=["cpu", "cuda"])
def test_ids_and_labels_that_change_are_refused(backend):
    for first, x, y, loss in (([Embedding(4, 2)], IDS.copy(), Y, "mse"), ([], X, LABELS.copy(), LOGITS)):
        changed = x if first else y

        def spoil(*_, changed=changed):
            changed[3, 2] = 10**9

        with everything_on(backend):
            model = Sequential([*first, LSTM(3, return_sequences=True), Dense(2)])
            model.compile("adam", loss)
            callback = numlstm.callbacks.LambdaCallback(on_train_batch_begin=spoil)
            with pytest.raises(ValueError, match=r"holds .*1000000000"):
                model.fit(x, y, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("way", ["file up", "file down", "compile"])
def test_a_training_goes_on_where_it_was_not_begun(tmp_path, way):
    """With what the optimizer knows and the dropout has drawn, whether a file or `compile` brings it there."""

    def begun(backend):
        with everything_on(backend):
            numlstm.set_seed(3)
            model = Sequential([Dropout(0.3), LSTM(3, recurrent_dropout=0.2, return_sequences=True), Dense(2)])
            model.compile("adam")
            model.fit(X, Y, batch_size=3, shuffle=False, verbose=0)
        return model

    expected = begun(cpu)
    expected.fit(X, Y, batch_size=3, shuffle=False, verbose=0)
    before, after = (cuda, cpu) if way == "file down" else (cpu, cuda)
    model = begun(before)
    if way == "compile":
        model.compile(model.optimizer, "mse", device="cuda")
    else:
        model.save(tmp_path / "model.safetensors")
        model = numlstm.load_model(tmp_path / "model.safetensors")
    with everything_on(after):
        model.fit(X, Y, batch_size=3, shuffle=False, verbose=0)
    assert model.backend is after
    assert model.optimizer.iterations == 4
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_a_repeated_step_is_a_step(path, monkeypatch):
    """With new batches and another learning rate, as if each step were queued by the layers."""
    take(path, monkeypatch)
    record, forward, asked = cuda.record, cuda.recurrent_forward, []

    def count(*arguments):
        asked.append(True)
        forward(*arguments)

    def again(step):
        step()
        return step

    def trained(repeatable):
        monkeypatch.setattr(cuda, "recurrent_forward", count)
        monkeypatch.setattr(cuda, "record", repeatable)
        asked.clear()
        with everything_on(cuda):
            numlstm.set_seed(3)
            model = Sequential([Embedding(4, 2), LSTM(3), Dense(2, kernel_regularizer="l2")])
            model.compile(optimizers.Adam(schedules.ExponentialDecay(0.1, 1, 0.5), global_clipnorm=0.1), "mse")
            losses = model.fit(IDS[:4], Y[:4, 0], batch_size=2, epochs=3, verbose=0).history["loss"]
        return losses, model.get_weights(), len(asked)

    (losses, weights, steps), (expected, expected_weights, all_steps) = trained(record), trained(again)
    # The second step is recorded; nobody asks the layers for the other four.
    assert (steps, all_steps) == (2, 6)
    assert losses == expected
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_comes_up_and_down_with_weights_and_metrics():
    """One upload of inputs, targets and weights together, and one when they are wired up; a download of outputs."""
    with everything_on(cuda):
        model = Sequential([Dense(1, input_shape=(1,))])
        model.compile("sgd", "mse", weighted_metrics=["mae"])
        x = np.zeros((12, 1))
        model.fit(x, x, batch_size=3, sample_weight=np.ones(12), verbose=0)
        before = replace(transfers)
        model.fit(x, x, batch_size=3, sample_weight=np.ones(12), epochs=2, verbose=0)
    batches, epochs = 8, 2
    assert batches <= transfers.uploads - before.uploads <= batches + 1 + 2 * epochs
    assert batches <= transfers.downloads - before.downloads <= batches + epochs


def trained_graph(backend):
    """The losses and weights of a graph: a layer is called twice, states are handed over, outputs read by others."""
    with everything_on(backend):
        numlstm.set_seed(3)
        numbers = {"dtype": "float64"}
        x = numlstm.Input((None, 2))
        shared = LSTM(2, return_sequences=True, return_state=True, **numbers)
        first, *state = shared(x)
        second, h, _ = shared(first, initial_state=state)
        model = numlstm.Model(x, [Dense(2, name="steps", **numbers)(second), Dense(1, name="last", **numbers)(h)])
        model.compile(optimizers.SGD(0.1), "mse", loss_weights=[1.0, 0.3])
        given = X, [Y, Y[:, -1, :1]]
        history = model.fit(*given, batch_size=5, epochs=3, shuffle=False, verbose=0).history
    assert model.backend is backend
    return history, model.get_weights(), model.predict(X)


def test_graphs_agree_with_the_cpu():
    """The third epoch replays the recorded step."""
    found, expected = trained_graph(cuda), trained_graph(cpu)
    assert list(found[0]) == list(expected[0])
    for name, values in expected[0].items():
        np.testing.assert_allclose(found[0][name], values, rtol=1e-10)
    for ours, theirs in zip([*found[1], *found[2]], [*expected[1], *expected[2]], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
