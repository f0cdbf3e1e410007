"""The models of the memory task, and the gradient that reaches a step from the end of a sequence."""

from __future__ import annotations

import numpy as np

from numlstm import checks, layers, losses, optimizers
from numlstm.kernels import RecurrentUse
from numlstm.layers.input import Input
from numlstm.model import Sequential
from numlstm.seeds import set_seed
from numlstm.tasks.memory.problems import ALPHABET, Problem, Use
from numlstm.tasks.memory.settings import Settings
from numlstm.training import compiled

__all__ = ["gradient_norms", "kernels_used", "make_model"]

_LAYERS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
_LOSSES = {"adding": "mean_squared_error", "copy": "sparse_categorical_crossentropy"}
_PROBES = 64
"""Sequences over which the norms of gradients are averaged."""


def make_model(settings: Settings, cell: str, problem: Problem, seed: int, device: str) -> Sequential:
    """Make and compile a model with new weights: a recurrent layer, and a Dense for the sum or for every symbol.

    Raises:
        MemoryError: the model, or a training step of it, needs more memory than there is.
        numlstm.backend.DeviceError: the device cannot be used.
    """
    H, T = settings.units, problem.steps
    checks.fits(64 * H * (problem.features + H + 2), f"a model of {H} units")
    checks.fits(
        4 * settings.batch_size * T * (problem.features + 6 * H),
        f"a training step of {settings.batch_size} sequences of {T} steps with {H} units",
    )
    set_seed(seed)
    model = _model(settings, cell, problem)
    copies = problem.name == "copy"
    model.compile(
        _optimizer(settings), _LOSSES[problem.name], metrics=None if copies else ["mae"],
        weighted_metrics=["accuracy"] if copies else None, device=device, verbose=0,
    )  # fmt: skip
    if cell == "lstm":
        weights = model.get_weights()
        weights[2][H : 2 * H] = settings.forget_bias
        model.set_weights(weights)
    return model


def gradient_norms(model: Sequential, problem: Problem, seed: int) -> np.ndarray:
    """Compute how much the last output of the recurrent layer depends on each step.

    Args:
        model: a result of `make_model`.
        problem: its problem.
        seed: the seed of the sequences.

    Returns:
        The norms of the gradients of the sum of that output, [T], averaged over sequences; by the distance from the
        last step.
    """
    layer = model.layers[0]
    kept = {"return_sequences": False, "name": None}
    probe = Sequential([Input((problem.steps, problem.features)), type(layer)(**layer.get_config() | kept)])
    probe.move(model.backend)
    probe.set_weights(layer.get_weights())
    gradient = probe.input_gradient(problem.draw(_PROBES, seed, Use.TEST).x)
    return np.asarray(np.mean(np.linalg.norm(gradient.astype(np.float64), axis=2), axis=0)[::-1])


def kernels_used(settings: Settings, cell: str, problem: Problem) -> list[str | RecurrentUse]:
    """The contract's functions that a training calls, as arguments of `Backend.prepare`."""
    loss = losses.get(_LOSSES[problem.name])
    choices = compiled.Compiled(_optimizer(settings), [compiled.OutputChoice(loss)], device="cpu")
    return compiled.kernels_used(_model(settings, cell, problem), choices)


def _model(settings: Settings, cell: str, problem: Problem) -> Sequential:
    shape, copies = (problem.steps, problem.features), problem.name == "copy"
    words = layers.Dense(ALPHABET + 1, activation="softmax", name="answer")
    recurrent = _LAYERS[cell](settings.units, return_sequences=copies, input_shape=shape, name=cell)
    return Sequential([recurrent, words if copies else layers.Dense(1, name="answer")], name="memory")


def _optimizer(settings: Settings) -> optimizers.Optimizer:
    return optimizers.Adam(settings.learning_rate, global_clipnorm=1.0)
