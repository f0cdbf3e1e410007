"""The network of a language model: Embedding, LSTMs, and logits of the next symbol."""

from __future__ import annotations

from numlstm import checks, layers, losses, optimizers
from numlstm.layers.input import Input
from numlstm.model import Model, Sequential
from numlstm.optimizers.schedules import CosineDecay
from numlstm.tasks.generate.settings import Settings

__all__ = ["loss_of", "make_network", "make_step", "optimizer_of", "samples_words"]

_LAST_RATE = 0.02
"""The last learning rate as a part of the highest one."""
_FEW = 4
"""A softmax of fewer than this many times the samples computes all symbols: a sample would save little."""


def make_network(settings: Settings, symbols: int, stateful: bool) -> Sequential:
    """Make a network with new weights, from ids (B, T) to logits (B, T, symbols).

    Args:
        settings: the settings.
        symbols: the number of symbols.
        stateful: whether a batch begins with the states of the batch before.

    Raises:
        MemoryError: it would not fit into memory.
    """
    H, N = settings.units, settings.embedding
    count = (N + H + 1) * symbols + 4 * H * (N + H + 1) + (settings.layers - 1) * 4 * H * (2 * H + 1)
    # Weights, gradients and the two moments of Adam in float32.
    checks.fits(16 * count, f"a model of {settings.layers} x {H} units and {symbols} symbols")
    network = Sequential([layers.Embedding(symbols, N, input_shape=(None,))])
    for _ in range(settings.layers):
        _add_dropout(network, settings)
        network.add(layers.LSTM(H, return_sequences=True, stateful=stateful))
    _add_dropout(network, settings)
    network.add(layers.Dense(symbols))
    return network


def make_step(settings: Settings, symbols: int) -> Model:
    """Make a network of one step, whose weights are those of `make_network` in their order.

    It maps ids (B, 1) and the states h and c of each LSTM, (B, units), to logits (B, 1, symbols) and the next states.
    """
    ids, states = Input((1,)), [Input((settings.units,)) for _ in range(2 * settings.layers)]
    y, after = layers.Embedding(symbols, settings.embedding)(ids), []
    for number in range(settings.layers):
        lstm = layers.LSTM(settings.units, return_sequences=True, return_state=True)
        y, *state = lstm(y, initial_state=states[2 * number : 2 * number + 2])
        after += state
    return Model([ids, *states], [layers.Dense(symbols)(y), *after])


def _add_dropout(network: Sequential, settings: Settings) -> None:
    if settings.dropout:
        network.add(layers.Dropout(settings.dropout))


def optimizer_of(settings: Settings, steps: int) -> optimizers.Optimizer:
    """Adam with clipping, and a learning rate that rises in the first epoch and falls in the others.

    Args:
        settings: the settings.
        steps: the steps of an epoch.
    """
    highest = settings.learning_rate
    schedule = CosineDecay(
        highest / 10, max(1, steps * (settings.epochs - 1)), _LAST_RATE, warmup_target=highest, warmup_steps=steps
    )
    return optimizers.Adam(schedule, global_clipnorm=settings.clip_norm or None)


def samples_words(settings: Settings, symbols: int) -> bool:
    """Whether a training step computes the logits of sampled symbols: of a word model with many of them.

    Args:
        settings: the settings.
        symbols: the number of symbols.
    """
    return settings.level == "word" and 0 < _FEW * settings.samples <= symbols


def loss_of(settings: Settings, symbols: int) -> losses.Loss:
    """The cross-entropy of the next symbol in nats. Arguments as for `samples_words`."""
    if samples_words(settings, symbols):
        return losses.SampledSoftmax(settings.samples, seed=settings.seed)
    return losses.SparseCategoricalCrossentropy(from_logits=True)
