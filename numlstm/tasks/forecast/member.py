"""One model of a forecast: its layers, its optimizer, and how it is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from numlstm import checks, layers, losses, optimizers
from numlstm.kernels import RecurrentUse
from numlstm.model import Sequential
from numlstm.tasks.fitting import Choices
from numlstm.tasks.forecast.settings import Settings
from numlstm.training import compiled

__all__ = ["LOSS", "Shape", "batch_size", "choices_of", "kernels_used", "make_model", "optimizer_of"]

LOSS = "mean_squared_error"
_EPOCHS = 200
_STEPS = 6_000_000
"""Steps of windows that a model may take where the epochs are not given: about 1.5 seconds, with 32 units on two cores
of a Xeon of the fourth generation, November 2026."""
_FEWEST_EPOCHS = 5
_MANY = 1000
"""Windows from which batches are larger."""
_LONG = 5000
"""Windows from which the patience is shorter."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a model.

    window: input steps
    features: inputs of a step
    horizon: outputs
    adds: whether the output is added to a rule, so that it begins as 0
    """

    window: int
    features: int
    horizon: int
    adds: bool


def choices_of(settings: Settings, shape: tuple[int, ...]) -> Choices:
    """How a model is fitted to windows of this shape, [K, W, F]."""
    count, window = shape[:2]
    patience = (6 if count >= _LONG else 20) if settings.patience is None else settings.patience
    epochs = settings.epochs or min(_EPOCHS, max(_FEWEST_EPOCHS, _STEPS // (count * window)))
    return Choices(epochs, batch_size(settings, count), patience, settings.learning_rate)


def batch_size(settings: Settings, windows: int) -> int:
    """The windows in a training step."""
    return settings.batch_size or (64 if windows >= _MANY else 32)


def kernels_used(settings: Settings, shape: Shape) -> list[str | RecurrentUse]:
    """The contract's functions that a training calls with these settings, as arguments of `Backend.prepare`."""
    choices = compiled.Compiled(optimizer_of(settings), [compiled.OutputChoice(losses.get(LOSS))], device="cpu")
    return compiled.kernels_used(_model(settings, shape), choices)


def make_model(settings: Settings, shape: Shape, device: str, verbose: int) -> Sequential:
    """Make and compile a model with new weights."""
    model = _model(settings, shape)
    model.compile(optimizer_of(settings), LOSS, device=device, verbose=verbose)
    return model


def _model(settings: Settings, shape: Shape) -> Sequential:
    H = settings.units
    count = 4 * H * (shape.features + H + 1) + (settings.layers - 1) * 4 * H * (2 * H + 1) + (H + 1) * shape.horizon
    # Weights, gradients and the two moments of Adam in float32.
    checks.fits(16 * count, f"a model of {settings.layers} x {H} units")
    model = Sequential()
    for number in range(settings.layers):
        first = (shape.window, shape.features) if number == 0 else None
        model.add(layers.LSTM(settings.units, return_sequences=number < settings.layers - 1, input_shape=first))
    model.add(layers.Dense(shape.horizon, kernel_initializer="zeros" if shape.adds else "glorot_uniform"))
    return model


def optimizer_of(settings: Settings) -> optimizers.Optimizer:
    """A new optimizer."""
    config = {"learning_rate": settings.learning_rate, "global_clipnorm": settings.clip_norm or None}
    return optimizers.get({"class_name": settings.optimizer, "config": config})
