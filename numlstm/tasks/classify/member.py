"""One model of a classifier: its layers, and how it is fitted."""

from __future__ import annotations

from numlstm import checks, layers, losses, optimizers
from numlstm.kernels import RecurrentUse
from numlstm.model import Sequential
from numlstm.tasks.classify.inputs import PADDING
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.fitting import Choices
from numlstm.training import compiled

__all__ = ["LOSS", "batch_size", "choices_of", "kernels_used", "make_model", "optimizer_of"]

LOSS = "sparse_categorical_crossentropy"
_EPOCHS = 200
_FRAMES = 6_000_000
"""Frames that a model may see where the epochs are not given: about 10 seconds with 32 units on two cores of a Xeon of
the fourth generation, November 2026."""
_FEWEST_EPOCHS = 10
_MANY = 1000
"""Sequences from which batches are larger."""


def choices_of(settings: Settings, shape: tuple[int, ...]) -> Choices:
    """How a model is fitted to inputs of this shape, [N, frames, features]."""
    count, frames = shape[:2]
    epochs = settings.epochs or min(_EPOCHS, max(_FEWEST_EPOCHS, _FRAMES // (count * frames)))
    return Choices(epochs, batch_size(settings, count), settings.patience, settings.learning_rate)


def batch_size(settings: Settings, count: int) -> int:
    """The sequences in a training step, of a training on `count`."""
    return settings.batch_size or (64 if count >= _MANY else 16)


def make_model(settings: Settings, features: int, classes: int, device: str, verbose: int) -> Sequential:
    """Make and compile a model with new weights. It takes sequences of any length, padded with `PADDING`."""
    model = _model(settings, None, features, classes)
    model.compile(optimizer_of(settings), LOSS, device=device, verbose=verbose)
    return model


def _model(settings: Settings, frames: int | None, features: int, classes: int) -> Sequential:
    H, directions = settings.units, 2 if settings.bidirectional else 1
    count = directions * 4 * H * (features + H + 1) + (directions * H + 1) * classes
    count += (settings.layers - 1) * directions * 4 * H * ((directions + 1) * H + 1)
    # Weights, gradients and the two moments of Adam in float32.
    checks.fits(16 * count, f"a model of {settings.layers} x {H} units")
    model = Sequential([layers.Masking(PADDING, input_shape=(frames, features))])
    for number in range(settings.layers):
        layer = layers.LSTM(H, return_sequences=number < settings.layers - 1)
        model.add(layers.Bidirectional(layer) if settings.bidirectional else layer)
    if settings.dropout:
        model.add(layers.Dropout(settings.dropout))
    model.add(layers.Dense(classes, activation="softmax"))
    return model


def optimizer_of(settings: Settings) -> optimizers.Optimizer:
    """A new optimizer."""
    return optimizers.Adam(learning_rate=settings.learning_rate, global_clipnorm=settings.clip_norm or None)


def kernels_used(settings: Settings, frames: int) -> list[str | RecurrentUse]:
    """The contract's functions that a training on sequences of so many frames calls, for `Backend.prepare`."""
    choices = compiled.Compiled(optimizer_of(settings), [compiled.OutputChoice(losses.get(LOSS))], device="cpu")
    return compiled.kernels_used(_model(settings, frames, 1, 2), choices)
