"""Training on the CUDA backend: weights, metrics, pieces of sequences; against the CPU, at the simulator's sizes.

See `cuda_cases.py` for how this runs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cuda_cases import everything_on

import numlstm
import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm import Sequential, optimizers
from numlstm.kernels.cuda.memory import transfers
from numlstm.layers import LSTM, Dense

RANDOM = np.random.default_rng(0)
X, Y, LABELS = RANDOM.normal(size=(5, 5, 2)), RANDOM.normal(size=(5, 5, 2)), RANDOM.integers(0, 2, size=(5, 5))
WEIGHTS, STEP_WEIGHTS = RANDOM.uniform(size=5), RANDOM.uniform(size=(5, 5))
LOGITS = {"class_name": "sparse_categorical_crossentropy", "config": {"from_logits": True}}


def trained(backend, y, compiled, options):
    """All numbers of two epochs, and the weights after them."""
    with everything_on(backend):
        numlstm.set_seed(3)
        layers = [LSTM(3, return_sequences=True, input_shape=(None, 2), dtype="float64"), Dense(2, dtype="float64")]
        model = Sequential(layers)
        model.compile(optimizers.SGD(0.1), **compiled)
        history = model.fit(X, y, batch_size=3, epochs=2, verbose=0, **options).history
        history["evaluated"] = model.evaluate(X, y, sample_weight=WEIGHTS, verbose=0, return_dict=True)["loss"]
    return history, model.get_weights()


@pytest.mark.parametrize(
    ("y", "compiled", "options"),
    [
        (Y, {"loss": "mse", "metrics": ["mae"]}, {"tbptt": 2}),
        (Y, {"loss": "mse", "weighted_metrics": ["mae"]}, {"sample_weight": STEP_WEIGHTS, "validation_data": (X, Y)}),
        (LABELS, {"loss": LOGITS, "metrics": ["accuracy"]}, {"class_weight": {1: 3.0}}),
    ],
    ids=["pieces", "weights", "classes"],
)
def test_training_agrees_with_the_cpu(y, compiled, options):
    (history, weights), (expected, expected_weights) = (trained(on, y, compiled, options) for on in (cuda, cpu))
    assert sorted(history) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-10)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def test_what_comes_up_and_down_with_weights_and_metrics():
    """One upload each of inputs, targets and weights, one download of outputs."""
    with everything_on(cuda):
        model = Sequential([Dense(1, input_shape=(1,))])
        model.compile("sgd", "mse", weighted_metrics=["mae"])
        x = np.zeros((12, 1))
        model.fit(x, x, batch_size=3, sample_weight=np.ones(12), verbose=0)
        before = replace(transfers)
        model.fit(x, x, batch_size=3, sample_weight=np.ones(12), epochs=2, verbose=0)
    batches, epochs = 8, 2
    assert transfers.uploads - before.uploads <= 3 * batches + 2 * epochs
    assert transfers.downloads - before.downloads <= batches + 2 * epochs
