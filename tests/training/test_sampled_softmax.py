"""The loss of sampled classes: what is drawn, what a training learns from it, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import numlstm
from numlstm import Input, Model, Sequential, layers, losses, optimizers
from numlstm.losses.sampled import draw_classes, inclusion_of

N = 40
RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, N, (24, 6))
Y = (3 * X + 1) % N


def model_of(loss, last=None):
    numlstm.set_seed(0)
    model = Sequential([layers.Embedding(N, 8, input_shape=(None,)), layers.LSTM(8, return_sequences=True)])
    model.add(layers.Dense(N) if last is None else last)
    model.compile(optimizers.Adam(0.03), loss, device="cpu")
    return model


def exact():
    return losses.SparseCategoricalCrossentropy(from_logits=True)


# The samples.


@pytest.mark.parametrize(("samples", "classes"), [(1, 2), (1, 30), (7, 30), (29, 30), (30, 30), (1024, 10_000)])
def test_the_probabilities_fall_and_their_sum_is_the_number_of_samples(samples, classes):
    inclusion = inclusion_of(samples, classes)
    assert inclusion.shape == (classes,)
    assert inclusion.sum() == pytest.approx(samples, rel=1e-12)
    assert inclusion[0] <= 1
    assert inclusion[-1] > 0
    assert (np.diff(inclusion) <= 0).all()
    free = inclusion < 1
    # Those that are not certain are in proportion to log((k + 2) / (k + 1)).
    scales = (inclusion / np.log1p(1 / np.arange(1, classes + 1)))[free]
    np.testing.assert_allclose(scales, scales[:1].repeat(len(scales)), rtol=1e-9)


@pytest.mark.parametrize(("samples", "classes"), [(1, 2), (1, 30), (7, 30), (29, 30), (30, 30)])
def test_each_class_is_drawn_as_often_as_its_probability_says(samples, classes):
    inclusion, draws, counts = inclusion_of(samples, classes), 4000, np.zeros(classes)
    for step in range(draws):
        chosen = draw_classes(inclusion, samples, 1, step)
        assert len(chosen) == samples
        assert (np.diff(chosen) > 0).all()
        counts[chosen] += 1
    deviation = np.sqrt(inclusion * (1 - inclusion) / draws)
    assert (np.abs(counts / draws - inclusion) <= 4.5 * deviation).all()


def test_a_draw_depends_on_the_seed_and_the_step_alone():
    inclusion = inclusion_of(7, 30)
    one, again, step, seed = (draw_classes(inclusion, 7, *key).tolist() for key in ((1, 2), (1, 2), (1, 3), (2, 2)))
    assert one == again
    assert one not in (step, seed)


def test_the_estimate_of_the_sum_of_the_powers_has_no_bias():
    """Σ exp(z_c) / π_c over the samples, on average, is the Σ exp(z) of all classes."""
    z, inclusion = np.random.default_rng(2).normal(size=30), inclusion_of(7, 30)
    parts, draws = np.exp(z) / inclusion, range(4000)
    found = [parts[draw_classes(inclusion, 7, 0, step)].sum() for step in draws]
    assert np.mean(found) == pytest.approx(np.exp(z).sum(), abs=4 * np.std(found) / np.sqrt(len(found)))


def test_the_gradient_is_zero_at_the_distribution_of_the_classes():
    """Nearly, on average over the samples, whatever their probabilities. Elsewhere there is a gradient."""
    p = np.random.default_rng(3).permutation(1 / np.arange(1, 31.0))
    p /= p.sum()
    inclusion = inclusion_of(7, 30)

    def gradient(z):
        total = np.zeros(30)
        for step in range(1500):
            classes = draw_classes(inclusion, 7, 0, step)
            columns = reference.sampled_columns(np.arange(30), classes)
            dy = reference.sampled_softmax(z[columns], np.arange(30), classes, np.log(inclusion), 30 * p)[1]
            np.add.at(total, columns, dy)
        return np.abs(total / 1500).max()

    assert gradient(np.log(p)) < 0.01
    assert gradient(np.log(p) - np.log(inclusion)) > 0.03  # Where it would be without the correction.
    assert gradient(np.zeros(30)) > 0.1


# Training.


def test_as_many_samples_as_classes_are_the_exact_loss():
    results = []
    for loss in (exact(), losses.SampledSoftmax(N)):
        model = model_of(loss)
        results.append((model.fit(X, Y, epochs=2, verbose=0).history, model.get_weights()))
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_changes_the_columns_of_samples_and_labels_alone():
    model = model_of(losses.SampledSoftmax(5, seed=1))
    before = model.get_weights()[-2]
    model.fit(X[:2], Y[:2], epochs=1, verbose=0)
    changed = np.flatnonzero((model.get_weights()[-2] != before).any(axis=0))
    drawn = draw_classes(inclusion_of(5, N), 5, 1, 0)
    np.testing.assert_array_equal(changed, np.union1d(drawn, Y[:2]))


def test_training_learns_the_exact_distribution():
    """Evaluation and validation are exact. From log 40 = 3.7, the exact loss falls nearly as in exact training."""
    found = []
    for loss in (losses.SampledSoftmax(12, seed=1), exact()):
        model = model_of(loss)
        history = model.fit(X, Y, epochs=60, batch_size=8, verbose=0, validation_data=(X, Y)).history
        weights, evaluated = model.get_weights(), model.evaluate(X, Y, verbose=0)
        other = model_of(exact())
        other.set_weights(weights)
        assert other.evaluate(X, Y, verbose=0) == evaluated == pytest.approx(history["val_loss"][-1], rel=1e-6)
        found.append(evaluated)
    sampled, whole = found
    assert whole < 0.1
    assert sampled < 0.6


def test_it_is_the_same_whether_steps_are_recorded_or_not():
    """A step is recorded after an equal one: none is, where steps with and without weights take turns."""
    results = []
    for weights in (np.ones(6), None):
        model = model_of(losses.SampledSoftmax(5, seed=1))
        for number in range(4):
            rows = slice(6 * number, 6 * number + 6)
            model.train_on_batch(X[rows], Y[rows], sample_weight=weights if number % 2 else None)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


# Refusals.


@pytest.mark.parametrize(("arguments", "words"), [({"samples": 0}, "samples"), ({"seed": -1}, "seed")])
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        losses.SampledSoftmax(**arguments)


def test_metrics_are_refused_because_they_need_all_outputs():
    model = Sequential([layers.Dense(N, input_shape=(3,))])
    with pytest.raises(ValueError, match="'accuracy' needs all outputs, of which sampled_softmax computes a sample"):
        model.compile("adam", losses.SampledSoftmax(5), metrics=["accuracy"])


@pytest.mark.parametrize(
    "last",
    [layers.Dense(N, activation="tanh"), layers.LSTM(N, return_sequences=True), layers.Dropout(0.5)],
    ids=lambda layer: type(layer).__name__,
)
def test_the_model_must_end_with_a_dense_layer_without_activation(last):
    model = model_of(losses.SampledSoftmax(5), last)
    if isinstance(last, layers.Dropout):
        model.pop()
        model.add(layers.Dense(N))
        model.add(layers.Dropout(0.5))
        model.compile("sgd", losses.SampledSoftmax(5), device="cpu")
    with pytest.raises(ValueError, match="takes the output of a Dense layer without activation"):
        model.fit(X, Y, verbose=0)


def test_the_logits_must_not_be_read_elsewhere():
    given = Input((3,))
    logits = layers.Dense(N)(given)
    model = Model(given, [logits, layers.Dense(2)(logits)])
    model.compile("sgd", [losses.SampledSoftmax(5), "mse"], device="cpu")
    with pytest.raises(ValueError, match="that nothing else reads"):
        model.fit(np.zeros((4, 3)), [np.zeros(4), np.zeros((4, 2))], verbose=0)


def test_one_of_several_outputs_may_be_sampled():
    given = Input((3,))
    model = Model(given, [layers.Dense(N)(given), layers.Dense(2)(given)])
    model.compile("sgd", [losses.SampledSoftmax(5, seed=0), "mse"], device="cpu")
    x = RANDOM.normal(size=(16, 3))
    history = model.fit(x, [X[:16, 0], x[:, :2]], epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
