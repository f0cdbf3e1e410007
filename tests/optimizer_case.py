"""What the tests of optimizers share: a hundred steps with given gradients, by numlstm and by the oracle."""

from __future__ import annotations

import numpy as np
import reference

from numlstm import optimizers
from numlstm.parameters import Parameters

STEPS = 100
SHAPES = {"kernel": (3, 5), "recurrent_kernel": (5, 20), "bias": (7,)}

OPTIMIZERS = [
    optimizers.SGD,
    lambda **options: optimizers.SGD(momentum=0.9, **options),
    lambda **options: optimizers.SGD(momentum=0.9, nesterov=True, **options),
    optimizers.RMSprop,
    lambda **options: optimizers.RMSprop(rho=0.8, momentum=0.7, epsilon=1e-3, **options),
    lambda **options: optimizers.RMSprop(centered=True, epsilon=1e-3, **options),
    optimizers.Adam,
    lambda **options: optimizers.Adam(beta_1=0.8, beta_2=0.9, amsgrad=True, epsilon=1e-4, **options),
    optimizers.AdamW,
    optimizers.Nadam,
]
NAMES = [
    "sgd", "momentum", "nesterov", "rmsprop", "rmsprop with momentum", "rmsprop centered", "adam", "amsgrad", "adamw",
    "nadam",
]  # fmt: skip

OPTIONS = [
    {}, {"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5}, {"weight_decay": 0.25},
    {"weight_decay": 0.25, "clipnorm": 0.5},
]  # fmt: skip


def draw(dtype="float64"):
    """Weights, and gradients that shrink on the way: [array per variable], [[array per variable] per step]."""
    random = np.random.default_rng(0)
    weights = [random.normal(size=shape).astype(dtype) for shape in SHAPES.values()]
    gradients = [
        [(random.normal(size=shape) * 2.0 / (1 + step / 10)).astype(dtype) for shape in SHAPES.values()]
        for step in range(STEPS)
    ]
    return weights, gradients


def train(optimizer, backend, dtype="float64", steps=STEPS):
    """The weights after so many steps."""
    weights, gradients = draw(dtype)
    parameters = Parameters(backend, dtype, SHAPES)
    parameters.set_values(weights)
    optimizer.allocate(parameters.buffers)
    for step in gradients[:steps]:
        for name, gradient in zip(SHAPES, step, strict=True):
            backend.copy(parameters.gradient(name), gradient)
        optimizer.begin()
        optimizer.apply()
        optimizer.end()
    return parameters.values()


def expected(optimizer, excluded=()):
    """The same by the oracle, variable by variable; the optimizer only tells its settings."""
    weights, gradients = draw()
    settings = optimizer.get_config()
    class_name = type(optimizer).__name__
    states = [[np.zeros_like(w) for _ in range(3)] for w in weights]
    for step, gradient in enumerate(gradients, start=1):
        rate = settings["learning_rate"]
        if isinstance(rate, dict):
            rate = optimizer._learning_rate(step - 1)
        gradient = clipped(gradient, settings)
        for k, name in enumerate(SHAPES):
            w, g = weights[k], gradient[k]
            if settings["weight_decay"] and name not in excluded:
                w = w - w * rate * settings["weight_decay"]
            betas = settings.get("beta_1"), settings.get("beta_2")
            if class_name == "SGD":
                rest = rate, settings["momentum"], settings["nesterov"]
                weights[k], *states[k] = reference.sgd(w, g, states[k][0], *rest)
            elif class_name == "RMSprop":
                rest = rate, settings["rho"], settings["momentum"], settings["epsilon"], settings["centered"]
                weights[k], *states[k] = reference.rmsprop(w, g, *states[k], *rest)
            elif class_name == "Nadam":
                rest = rate, step, betas, settings["epsilon"]
                weights[k], *states[k] = reference.nadam(w, g, *states[k][:2], *rest)
            else:
                rest = rate, step, betas, settings["epsilon"], settings["amsgrad"]
                weights[k], *states[k] = reference.adam(w, g, *states[k], *rest)
    return weights


def clipped(gradient, settings):
    if settings["clipnorm"]:
        return [reference.clip_norm(g, settings["clipnorm"]) for g in gradient]
    if settings["clipvalue"]:
        return [np.clip(g, -settings["clipvalue"], settings["clipvalue"]) for g in gradient]
    if settings["global_clipnorm"]:
        whole = reference.clip_norm(np.concatenate([g.ravel() for g in gradient]), settings["global_clipnorm"])
        parts = np.split(whole, np.cumsum([g.size for g in gradient])[:-1])
        return [part.reshape(g.shape) for part, g in zip(parts, gradient, strict=True)]
    return gradient
