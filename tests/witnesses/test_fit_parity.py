"""Keras' own `fit` as a witness: the same histories and weights, with weights of samples, metrics and masks."""

from __future__ import annotations

import numpy as np
import pytest
from witness import keras_in_float64

import numlstm
from numlstm import Sequential, layers

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(23, 5, 3))
PADDED = np.where(np.arange(5)[None, :, None] < RANDOM.integers(0, 6, size=(23, 1, 1)), X, 0.0)
Y, STEP_Y = RANDOM.normal(size=(23, 3)), RANDOM.normal(size=(23, 5, 3))
LABELS, STEP_LABELS = RANDOM.integers(0, 3, size=23), RANDOM.integers(0, 3, size=(23, 5))
WEIGHTS, STEP_WEIGHTS = RANDOM.uniform(size=23), RANDOM.uniform(size=(23, 5))
CLASS_WEIGHT = {0: 0.5, 2: 3.0}


@pytest.fixture(scope="module")
def keras():
    with keras_in_float64() as module:
        yield module


def fitted(keras, sequences, masked, x, y, compiled, options):
    """The histories and the weights of both, and what `evaluate` gives."""
    models = []
    for library in (keras.layers, layers):
        dtype = {"dtype": "float64"}
        stack = [library.Masking(0.0, **dtype)] if masked else []
        stack += [library.LSTM(4, return_sequences=sequences, **dtype), library.Dense(3, **dtype)]
        models.append((keras.Sequential if library is keras.layers else Sequential)(stack))
        models[-1].build((None, 5, 3))
    theirs, ours = models
    ours.set_weights(theirs.get_weights())
    for model, library in ((theirs, keras), (ours, numlstm)):
        loss = compiled["loss"]
        if loss == "sparse_categorical_crossentropy":
            loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(library.optimizers.SGD(0.125), **compiled | {"loss": loss})
    options = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0} | options
    histories = [model.fit(x, y, **options).history for model in models]
    results = [model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True) for model in models]
    return histories, [model.get_weights() for model in models], results


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(
    ("sequences", "y", "compiled", "options"),
    [
        (False, Y, {"loss": "mse", "metrics": ["mae"]}, {}),
        (False, Y, {"loss": "mse", "metrics": ["mae"], "weighted_metrics": ["mae"]}, {"sample_weight": WEIGHTS}),
        (False, Y, {"loss": "mae"}, {"sample_weight": WEIGHTS, "validation_split": 0.3}),
        (False, Y, {"loss": "huber"}, {"validation_data": (X, Y, WEIGHTS), "validation_freq": 2}),
        (False, LABELS, {"loss": "sparse_categorical_crossentropy"}, {"class_weight": CLASS_WEIGHT}),
        (True, STEP_Y, {"loss": "mse", "metrics": ["mae", "mse"]}, {}),
        (True, STEP_Y, {"loss": "mse", "weighted_metrics": ["mae"]}, {"sample_weight": STEP_WEIGHTS}),
        (True, STEP_LABELS, {"loss": "sparse_categorical_crossentropy"}, {"sample_weight": STEP_WEIGHTS}),
    ],
    ids=range(8),
)
def test_fit_is_keras(keras, masked, sequences, y, compiled, options):
    if masked and keras.backend.backend() == "torch":
        # There Keras multiplies the mask into the weights themselves, and these metrics see it twice.
        compiled = {name: value for name, value in compiled.items() if name != "weighted_metrics"}
    histories, weights, results = fitted(keras, sequences, masked, PADDED if masked else X, y, compiled, options)
    theirs, ours = histories
    assert sorted(ours) == sorted(theirs)
    # Keras sums its numbers up in float32, whatever the model.
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=2e-6, err_msg=name)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-7)
    assert results[1] == pytest.approx(results[0], rel=2e-6)
