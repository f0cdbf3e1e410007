"""The model, which is trained with the true beginning of each output, and the two models that are cut out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numlstm import checks, layers, losses, optimizers
from numlstm.kernels import RecurrentUse
from numlstm.layers.input import Input
from numlstm.model import Model
from numlstm.seeds import set_seed
from numlstm.tasks.translate.settings import Settings
from numlstm.training import compiled

__all__ = ["encoder_of", "kernels_used", "make_model", "padded", "step_of"]


def make_model(settings: Settings, source: int, target: int, longest: tuple[int, int]) -> Model:
    """Make and compile a model with new weights.

    Args:
        settings: the settings.
        source: the size of the vocabulary of sources.
        target: that of targets.
        longest: tokens of the longest source and target, for the memory that is needed.

    Raises:
        MemoryError: it needs more memory than there is.
        numlstm.backend.DeviceError: the device cannot be used.
    """
    E, H, rows = settings.embedding, settings.units, settings.batch_size
    checks.fits(
        16 * (source * E + target * (E + 2 * H) + 8 * H * (E + H + 1) + 8 * H * (E + 2 * H + 1) + 8 * H * H),
        f"a model of {source + target:,} numbers, {E} and {H} units",
    )
    S, T = longest
    checks.fits(
        4 * rows * ((S + T) * (3 * E + 28 * H) + T * (3 * S + 3 * target)),
        f"a training step of {rows} texts of {S} and {T} tokens",
    )
    set_seed(settings.seed)
    model = _model(settings, source, target)
    model.compile(_optimizer(settings), _loss(), weighted_metrics=["accuracy"], device=settings.device, verbose=0)
    return model


def _model(settings: Settings, source_size: int, target_size: int) -> Model:
    """Bidirectional encoder; its last states begin the decoder, whose steps look at all of its steps (Luong 2015)."""
    E, H = settings.embedding, settings.units
    source, target = Input((None,), name="source"), Input((None,), name="target")
    read = layers.Embedding(source_size, E, mask_zero=True, name="source_embedding")(source)
    read = layers.Dropout(settings.dropout, name="source_dropout")(read)
    lstm = layers.LSTM(H, return_sequences=True, return_state=True, name="lstm")
    keys, h, c, h_back, c_back = layers.Bidirectional(lstm, name="encoder")(read)
    states = [
        layers.Concatenate(name="state_h")([h, h_back]),
        layers.Concatenate(name="state_c")([c, c_back]),
    ]
    said = layers.Embedding(target_size, E, mask_zero=True, name="target_embedding")(target)
    said = layers.Dropout(settings.dropout, name="target_dropout")(said)
    decoder = layers.LSTM(2 * H, return_sequences=True, return_state=True, name="decoder")
    queries, _, _ = decoder(said, initial_state=states)
    seen = layers.Attention(name="attention")([queries, keys])
    joined = layers.Concatenate(name="joined")([queries, seen])
    hidden = layers.Dense(2 * H, activation="tanh", name="hidden")(joined)
    hidden = layers.Dropout(settings.dropout, name="hidden_dropout")(hidden)
    logits = layers.Dense(target_size, name="logits")(hidden)
    return Model([source, target], logits, name="translator")


def encoder_of(model: Model) -> Model:
    """The part that reads: numbers (N, S) to the steps that are attended to, (N, S, 2H), and the states h and c."""
    keys = model.get_layer("encoder").output[0]
    states = [model.get_layer(name).output for name in ("state_h", "state_c")]
    return Model(model.inputs[0], [keys, *states], name="reader")


def step_of(model: Model) -> Model:
    """One step of the part that writes.

    It takes the last number (N, 1), h and c, and the steps of the encoder (N, S, 2H), zeros where padding was. It
    returns logits (N, 1, V), h, c, and the attention (N, 1, S).
    """
    layer: Callable[[str], Any] = model.get_layer
    units = layer("decoder").units
    last, h, c = Input((1,), name="last"), Input((units,), name="h"), Input((units,), name="c")
    keys = Input((None, units), name="keys")
    queries, h_next, c_next = layer("decoder")(layer("target_embedding")(last), initial_state=[h, c])
    there = layers.Masking(0.0, name="there")(keys)
    seen, weights = layer("attention")([queries, there], return_attention_scores=True)
    logits = layer("logits")(layer("hidden")(layer("joined")([queries, seen])))
    return Model([last, h, c, keys], [logits, h_next, c_next, weights], name="writer")


def padded(rows: Sequence[Sequence[int]], multiple: int = 1) -> np.ndarray:
    """[N, T] the rows with zeros behind them; T is a multiple."""
    length = max(map(len, rows))
    found = np.zeros((len(rows), -(-length // multiple) * multiple), np.int64)
    for row, numbers in zip(found, rows, strict=True):
        row[: len(numbers)] = numbers
    return found


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that a training calls, as arguments of `Backend.prepare`."""
    choices = compiled.Compiled(_optimizer(settings), [compiled.OutputChoice(_loss())], device="cpu")
    return compiled.kernels_used(_model(settings, 30, 30), choices)


def _loss() -> losses.Loss:
    return losses.SparseCategoricalCrossentropy(from_logits=True)


def _optimizer(settings: Settings) -> optimizers.Optimizer:
    return optimizers.Adam(settings.learning_rate, global_clipnorm=1.0)
