"""The models, their mean, and the words that decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numlstm import checks, layers, losses, optimizers
from numlstm.kernels import RecurrentUse
from numlstm.layers.input import Input
from numlstm.model import Model, Sequential
from numlstm.seeds import set_seed
from numlstm.tasks.sentiment.settings import Settings
from numlstm.tasks.sentiment.vocabulary import Vocabulary, words_of
from numlstm.training import compiled

__all__ = ["LOSS", "Classifier", "Shape", "kernels_used", "make_model", "mean_of"]

LOSS = "sparse_categorical_crossentropy"
_TEXTS = 256
"""Texts that are explained at once."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a model.

    length: words of a text
    numbers: numbers of words
    labels: labels
    """

    length: int
    numbers: int
    labels: int


@dataclass(frozen=True)
class Classifier:
    """A model with its words and labels.

    model: maps numbers of words, [N, length], to probabilities, [N, labels]
    length: words of a text that the model reads
    """

    model: Model
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    length: int

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """[N, labels]."""
        return np.asarray(self.model.predict(self.vocabulary.numbers(texts, self.length), verbose=0))

    def influences(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """For each text its words in their order, each with what the text's label gains by it.

        The gain is the probability of the predicted label, minus that without the word: the model does not read it
        then, because its step is masked.
        """
        found: list[list[tuple[str, float]]] = []
        for begin in range(0, len(texts), _TEXTS):
            found += self._influences(texts[begin : begin + _TEXTS])
        return found

    def _influences(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        x = self.vocabulary.numbers(texts, self.length)
        whole = np.asarray(self.model.predict(x, verbose=0))
        label, (row, step) = whole.argmax(axis=1), np.nonzero(x)
        without = x[row]
        without[np.arange(len(row)), step] = 0
        left = np.asarray(self.model.predict(without, batch_size=128, verbose=0))
        gains = np.zeros(x.shape)
        gains[row, step] = whole[row, label[row]] - left[np.arange(len(row)), label[row]]
        return [
            list(zip(words_of(text)[: self.length], gain.tolist(), strict=False))
            for text, gain in zip(texts, gains, strict=True)
        ]


def make_model(settings: Settings, shape: Shape, number: int, device: str) -> Sequential:
    """Make and compile a member with new weights. Its number, from 0, is in the names of its layers.

    Raises:
        MemoryError: it needs more memory than there is.
        numlstm.backend.DeviceError: the device cannot be used.
    """
    E, H = settings.embedding, settings.units
    checks.fits(
        16 * (shape.numbers * E + 8 * H * (E + H + 1)), f"a model of {shape.numbers:,} words, {E} and {H} units"
    )
    checks.fits(
        4 * settings.batch_size * shape.length * (3 * E + 14 * H),
        f"a training step of {settings.batch_size} texts of {shape.length} words",
    )
    set_seed(settings.seed + number)
    model = _model(settings, shape, number)
    model.compile(_optimizer(settings), LOSS, metrics=["accuracy"], device=device, verbose=0)
    return model


def mean_of(models: Sequence[Sequential], settings: Settings, shape: Shape, device: str) -> Model:
    """One model whose output is the mean of the outputs of several."""
    if len(models) == 1:
        return models[0]
    inputs = Input((shape.length,), name="words")
    model = Model(inputs, layers.Average(name="mean")([each(inputs) for each in models]), name="sentiment")
    model.compile(_optimizer(settings), LOSS, device=device, verbose=0)
    return model


def kernels_used(settings: Settings, shape: Shape) -> list[str | RecurrentUse]:
    """The contract's functions that a training calls, as arguments of `Backend.prepare`."""
    choices = compiled.Compiled(_optimizer(settings), [compiled.OutputChoice(losses.get(LOSS))], device="cpu")
    return compiled.kernels_used(_model(settings, shape, 0), choices)


def _model(settings: Settings, shape: Shape, number: int) -> Sequential:
    words = layers.Embedding(
        shape.numbers, settings.embedding, mask_zero=True, input_shape=(shape.length,), name=f"embedding_{number}"
    )
    lstm = layers.Bidirectional(layers.LSTM(settings.units, name=f"lstm_{number}"), name=f"both_{number}")
    return Sequential(
        [
            words,
            layers.Dropout(settings.dropout, name=f"before_{number}"),
            lstm,
            layers.Dropout(settings.dropout, name=f"behind_{number}"),
            layers.Dense(shape.labels, activation="softmax", name=f"label_{number}"),
        ],
        name=f"member_{number}",
    )


def _optimizer(settings: Settings) -> optimizers.Optimizer:
    return optimizers.Adam(settings.learning_rate, global_clipnorm=1.0)
