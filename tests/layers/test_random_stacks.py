"""Gradients of 200 random stacks of all layers, in float64: along random directions, against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from numlstm import Sequential
from numlstm.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Masking,
    RepeatVector,
    SimpleRNN,
    TimeDistributed,
)

STEP = 1e-5
SMOOTH = ("tanh", "sigmoid", "softplus", "linear")
MERGES = ("concat", "sum", "mul", "ave")


def recurrent(random, sequences, **more):
    """A recurrent layer with random options, in training with dropout; `more` options are added."""
    options = {
        "return_sequences": sequences,
        "go_backwards": random.random() < 0.3,
        "use_bias": random.random() < 0.8,
        "bias_initializer": "random_normal",
        "dropout": random.choice([0.0, 0.3]),
        "recurrent_dropout": random.choice([0.0, 0.3]),
        "zero_output_for_mask": random.random() < 0.3,
        "seed": int(random.integers(100)),
        "dtype": "float64",
        **more,
    }
    units = int(random.integers(1, 5))
    drawn = random.random()
    if drawn < 0.3:
        return SimpleRNN(units, activation=str(random.choice(["tanh", "sigmoid"])), **options)
    gates = {"activation": str(random.choice(["tanh", "sigmoid"])), "recurrent_activation": "sigmoid"}
    if drawn < 0.6:
        return GRU(units, **gates, reset_after=drawn < 0.45, **options)
    return LSTM(units, **gates, **options)


def sequence_layer(random, sequences):
    layer = recurrent(random, sequences)
    if random.random() < 0.4:
        layer.go_backwards = False
        return Bidirectional(layer, merge_mode=str(random.choice(MERGES)))
    return layer


def stack(seed):
    """A model and an input for it: some layers on sequences, perhaps a vector in between, some layers at the end."""
    random = np.random.default_rng(seed)
    B, T, F = (int(size) for size in random.integers(1, 5, 3))
    layers = []
    if random.random() < 0.3:
        x = random.integers(0, 6, (B, T))
        layers.append(Embedding(6, F, "random_normal", mask_zero=bool(random.random() < 0.6), dtype="float64"))
    else:
        x = random.normal(size=(B, T, F))
        if random.random() < 0.4:
            value = float(random.choice([0.0, -1.0]))
            x[random.random((B, T)) < 0.4] = value
            layers.append(Masking(value, dtype="float64"))
    for _ in range(random.integers(0, 3)):
        choice = random.integers(5)
        if choice < 2:
            layers.append(sequence_layer(random, True))
        elif choice == 2:
            dense = Dense(int(random.integers(1, 4)), str(random.choice(SMOOTH)), dtype="float64")
            layers.append(TimeDistributed(dense) if random.random() < 0.5 else dense)
        elif choice == 3:
            noise_shape = (None, 1, None) if random.random() < 0.5 else None
            layers.append(Dropout(0.4, noise_shape, seed=int(random.integers(100)), dtype="float64"))
        else:
            layers.append(Activation(str(random.choice(SMOOTH)), dtype="float64"))
    ending = random.integers(4)
    if ending == 0:
        layers += [sequence_layer(random, False), RepeatVector(int(random.integers(1, 4)), dtype="float64")]
        layers.append(recurrent(random, bool(random.random() < 0.5)))
    elif ending == 1:
        layers.append(Flatten(dtype="float64"))
    elif ending == 2:
        layers.append(sequence_layer(random, False))
    layers.append(Dense(int(random.integers(1, 4)), str(random.choice([*SMOOTH, "softmax"])), dtype="float64"))
    model = Sequential(layers)
    model.build(x.shape)
    return model, x, random


def run(model, x, dy=None):
    """The output of a pass in training whose dropout is that of every other; with dy also dx and the gradients."""
    for layer in model.layers:
        for part in (layer, *layer.wrapped):
            part.random.step = 7
    backend = model.backend
    dx = backend.empty(x.shape, "float64") if model.input_dtype(0) == "float64" else None
    chain = model.new_executor([backend.asarray(x, model.input_dtype(0))], training=True, dx=[dx]).executors
    for part in chain:
        part.forward()
    y = np.array(backend.to_host(chain[-1].y))
    if dy is None:
        return y
    backend.copy(chain[-1].dy, dy)
    for part in reversed(chain):
        part.backward()
    gradients = [gradient for layer in model.layers for gradient in layer.gradients()]
    return y, None if dx is None else backend.to_host(dx), gradients


@pytest.mark.parametrize("seed", range(200))
def test_directional_derivative(seed):
    model, x, random = stack(seed)
    dy = random.normal(size=run(model, x).shape)
    _, dx, gradients = run(model, x, dy)
    weights = model.get_weights()
    directions = [random.normal(size=weight.shape) for weight in weights]
    along_x = 0 if dx is None else random.normal(size=x.shape)
    if isinstance(model.layers[0], Masking):
        # Masked steps keep what says that they are masked.
        along_x *= (x != model.layers[0].mask_value).any(axis=-1, keepdims=True)

    def moved(step):
        model.set_weights([w + step * d for w, d in zip(weights, directions, strict=True)])
        return (run(model, x + step * along_x if dx is not None else x) * dy).sum()

    numerical = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    pairs = list(zip(gradients, directions, strict=True)) + ([] if dx is None else [(dx, along_x)])
    analytic = sum((gradient * direction).sum() for gradient, direction in pairs)
    scale = max(1e-2, np.sqrt(sum((gradient**2).sum() for gradient, _ in pairs)))
    error = abs(analytic - numerical) / scale
    assert error < 1e-6, f"{[layer.name for layer in model.layers]}: relative error {error:.3g}"
