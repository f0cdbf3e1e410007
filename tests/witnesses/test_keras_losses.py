"""Keras as a second opinion: losses and their gradients, metrics, regularizers."""

from __future__ import annotations

import numpy as np
import pytest
from witness import witness

import numlstm
from numlstm import backend as backends

keras, torch = witness("keras"), witness("torch")

SHAPES = [(1, 2), (13, 5), (6, 4, 3)]


def ours(loss, y, target, weights=None, mask=None):
    """(the mean loss, its gradient), as training has them."""
    cpu = backends.load("cpu")
    target = np.ascontiguousarray(loss.check(target, y.shape, "y"), loss.target_dtype("float64"))
    target = target.reshape(-1, *target.shape[y.ndim - 1 :])
    flat, total, dy = y.reshape(-1, y.shape[-1]), np.zeros(1), np.empty_like(y)
    if weights is not None:
        weights = np.broadcast_to(weights.reshape(weights.shape + (1,) * (y.ndim - 1 - weights.ndim)), y.shape[:-1])
        weights = weights.reshape(-1).copy()
    mask = loss.mask(cpu, target, None if mask is None else mask.reshape(-1))
    if mask is not None:
        out = np.empty(len(flat))
        cpu.mask_weights(mask, weights, out)
        weights = out
    loss.run(cpu, flat, target, weights, total, dy.reshape(flat.shape))
    return total[0] / len(flat), dy


def theirs(loss, y, target, weights=None, mask=None):
    """The same of Keras."""
    if keras.backend.backend() != "torch":
        pytest.skip("Keras gives gradients through its torch backend: KERAS_BACKEND=torch")
    leaf = torch.tensor(y, requires_grad=True)
    if mask is not None:
        keras.src.backend.set_keras_mask(leaf, torch.tensor(mask))
    value = loss(target, leaf, None if weights is None else torch.tensor(weights))
    value.backward()
    return value.item(), leaf.grad.numpy()


LOSSES = [
    ("MeanSquaredError", {}),
    ("MeanAbsoluteError", {}),
    ("Huber", {"delta": 0.7}),
    ("LogCosh", {}),
    ("BinaryCrossentropy", {}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("BinaryCrossentropy", {"label_smoothing": 0.3}),
    ("CategoricalCrossentropy", {}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalCrossentropy", {"label_smoothing": 0.3}),
    ("SparseCategoricalCrossentropy", {}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 0}),
]


@pytest.mark.parametrize("kind", ["plain", "weighted", "masked", "masked and weighted"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options"), LOSSES, ids=str)
def test_losses(name, options, shape, kind):
    random = np.random.default_rng(len(kind))
    y, target = random.normal(size=(2, *shape))
    if "entropy" in name:
        if not options.get("from_logits"):
            # Some of them 0 or 1, where Keras clips.
            y = np.clip(1 / (1 + np.exp(-y)), 0.2, 0.8) / 0.6 - 1 / 3
        target = random.dirichlet(np.ones(shape[-1]), shape[:-1])
    if name.startswith("Sparse"):
        target = random.integers(shape[-1], size=shape[:-1])
        target.flat[0] = shape[-1] - 1
    weights = random.uniform(size=shape[:-1]) if "weighted" in kind else None
    mask = random.random(shape[:-1]) < 0.6 if "masked" in kind else None
    expected, expected_dy = theirs(getattr(keras.losses, name)(dtype="float64", **options), y, target, weights, mask)
    loss, dy = ours(getattr(numlstm.losses, name)(**options), y, target, weights, mask)
    assert loss == pytest.approx(expected, rel=1e-6, abs=1e-12)
    np.testing.assert_allclose(dy, expected_dy, rtol=1e-6, atol=1e-12)


def test_weights_of_samples_of_sequences():
    random = np.random.default_rng(0)
    y, target, weights = random.normal(size=(5, 4, 3)), random.normal(size=(5, 4, 3)), random.uniform(size=5)
    expected, expected_dy = theirs(keras.losses.MeanSquaredError(dtype="float64"), y, target, weights[:, None])
    loss, dy = ours(numlstm.losses.MeanSquaredError(), y, target, weights)
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=1e-6)


METRICS = [
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanSquaredError", {}, "numbers"),
    ("RootMeanSquaredError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("BinaryAccuracy", {"threshold": 0.3}, "binary"),
    ("CategoricalAccuracy", {}, "one-hot"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one-hot"),
    ("SparseCategoricalAccuracy", {}, "labels"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "labels"),
]


def batches(kind, shape, weighted):
    random = np.random.default_rng(0)
    for rows in (3, 7, 64):
        y = random.normal(size=(rows, *shape)).astype("float32")
        target = random.normal(size=y.shape).astype("float32")
        if kind == "binary":
            target = (target > 0).astype("float32")
        labels = random.integers(shape[-1], size=y.shape[:-1])
        target = {"labels": labels, "one-hot": np.eye(shape[-1])[labels]}.get(kind, target)
        weights = {"no": None, "samples": random.uniform(size=rows), "steps": random.uniform(size=y.shape[:-1])}
        yield target, y, weights[weighted]


def compare(metric, other, given):
    for target, y, weights in given:
        metric.update_state(target, y, weights)
        other.update_state(target, y, weights)
        assert metric.result() == pytest.approx(float(other.result()), rel=1e-5)
    metric.reset_state()
    assert metric.result() == 0


@pytest.mark.parametrize("weighted", ["no", "samples", "steps"])
@pytest.mark.parametrize("shape", [(6,), (4, 5)], ids=str)
@pytest.mark.parametrize(("name", "options", "kind"), METRICS, ids=str)
def test_metrics(name, options, kind, shape, weighted):
    metric, other = (getattr(library.metrics, name)(**options) for library in (numlstm, keras))
    compare(metric, other, batches(kind, shape, weighted))
    assert metric.name == other.name


@pytest.mark.parametrize("weighted", ["no", "samples"])
@pytest.mark.parametrize("options", [{}, {"num_thresholds": 7}, {"from_logits": True}], ids=str)
def test_auc(options, weighted):
    given = []
    for target, y, weights in batches("binary", (1,), weighted):
        y = y + target
        given.append((target, y if options.get("from_logits") else 1 / (1 + np.exp(-y)), weights))
    # On a threshold, and at both ends.
    given.append((np.array([[0], [1], [0], [1]]), np.array([[0], [1], [0.5], [1 / 6]], "float32"), None))
    compare(
        numlstm.metrics.AUC(**options), keras.metrics.AUC(**options), given[: 3 if options.get("from_logits") else 4]
    )


@pytest.mark.parametrize(("kind", "shape"), [("binary", (1,)), ("one-hot", (6,)), ("labels", (6,)), ("labels", (4, 5))])
def test_the_accuracy_that_keras_would_choose(kind, shape):
    from keras.src.trainers.compile_utils import get_metric

    given = list(batches(kind, shape, "no"))
    compare(numlstm.metrics.get("accuracy"), get_metric("accuracy", *given[0][:2]), given)


@pytest.mark.parametrize("name", ["l1", "l2", "L1", "L2"])
def test_regularizers(name):
    w = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    made, other = numlstm.regularizers.get(name), keras.regularizers.get(name)
    assert made.get_config() == pytest.approx(other.get_config())
    assert made(w) == pytest.approx(float(other(w)), rel=1e-6)
    both, other = numlstm.regularizers.L1L2(0.1, 0.2), keras.regularizers.L1L2(0.1, 0.2)
    assert both(w) == pytest.approx(float(other(w)), rel=1e-6)
