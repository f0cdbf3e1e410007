"""A language model: the bits of a text, and text from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from numlstm import checks
from numlstm.messages import argument
from numlstm.model import Model, Sequential
from numlstm.tasks.generate.network import make_network, make_step
from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.vocabulary import CODE_POINT, Vocabulary

__all__ = ["LanguageModel", "NextSymbols", "Sampling"]

_PIECE = 256
"""Symbols that are computed at a time."""
_ROWS = 512
"""Prefixes that take a step at once."""


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is drawn.

    temperature: what logits are divided by: below 1 the likely symbols become likelier; 0: always the likeliest
    top_k: draw from this many of the likeliest symbols; None: from all
    top_p: draw from the fewest likeliest symbols that have this probability together (Holtzman et al. 2020)
    seed: the seed of the draws; None: another text each time

    Raises:
        TypeError, ValueError: a number is out of range, or none.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        checks.at_least_zero(self.temperature, argument("temperature"))
        checks.optional_integer(self.top_k, argument("top_k"))
        if not 0 < checks.number(self.top_p, argument("top_p")) <= 1:
            raise ValueError(f"{argument('top_p')} must lie above 0 and be at most 1, not {self.top_p:g}")
        if self.seed is not None:
            checks.integer(self.seed, "seed", least=0)

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> int:
        """Draw the next symbol, but not the one for unknown characters.

        Args:
            logits: [V].
            generator: the source of randomness.
        """
        known = logits[1:].astype(np.float64)
        if not self.temperature:
            return 1 + int(known.argmax())
        order = np.argsort(-known, kind="stable")[: self.top_k]
        with np.errstate(over="ignore"):  # A temperature near 0 leaves the likeliest symbol alone.
            probabilities = np.exp((known[order] - known[order[0]]) / self.temperature)
        sums = np.cumsum(probabilities)
        kept = 1 + int(np.searchsorted(sums, self.top_p * sums[-1])) if self.top_p < 1 else len(sums)
        drawn = np.searchsorted(sums[:kept], generator.random() * sums[kept - 1], side="right")
        return 1 + int(order[min(int(drawn), kept - 1)])


@dataclass(frozen=True)
class LanguageModel:
    """A trained model.

    model: ids (B, T) to logits (B, T, V)
    vocabulary: its V symbols
    settings: those of its training
    """

    model: Model
    vocabulary: Vocabulary
    settings: Settings

    @classmethod
    def of(cls, weights: list[np.ndarray], vocabulary: Vocabulary, settings: Settings) -> LanguageModel:
        """Make the model with these weights; ValueError if they are those of another one."""
        model = make_network(settings, len(vocabulary), stateful=False)
        model.set_weights(weights)
        return cls(model, vocabulary, settings)

    def bits(self, ids: np.ndarray, first: int = 0) -> np.ndarray:
        """The bits of symbols, each after all that are before it: the state is carried through the whole text.

        The very first symbol, before which there is nothing, takes log2 V bits.

        Args:
            ids: [N] symbols.
            first: the symbols before this one are read, and not measured.

        Returns:
            [N - first].
        """
        network = make_network(self.settings, len(self.vocabulary), stateful=True)
        network.set_weights(self.model.get_weights())
        bits = np.full(len(ids), np.log2(len(self.vocabulary)))
        for begin in range(0, len(ids) - 1, _PIECE):
            targets = ids[begin + 1 : begin + 1 + _PIECE]
            bits[begin + 1 : begin + 1 + _PIECE] = _bits_of(network, ids[begin : begin + len(targets)], targets)
        return np.where(ids == 0, bits + CODE_POINT, bits)[first:]

    def generate(self, prompt: np.ndarray, sampling: Sampling) -> Iterator[str]:
        """Generate text without end, symbol by symbol.

        Args:
            prompt: the symbols before it; none: it begins after the end of a line.
            sampling: how symbols are drawn.
        """
        generator = np.random.default_rng(sampling.seed)
        stream = self.model.stream()
        if not len(prompt):
            prompt = self.vocabulary.encode("\n").ids
        for symbol in prompt:
            logits = stream.push(symbol)
        while True:
            symbol = sampling.draw(logits, generator)
            yield self.vocabulary.decode([symbol])
            logits = stream.push(symbol)


def _bits_of(network: Sequential, ids: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The bits of the symbols after these ones."""
    logits = network.predict(ids[None])[0].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    nats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets]
    return np.asarray(nats / np.log(2))


class NextSymbols:
    """log P of the symbols after prefixes: the language model that `numlstm.utils.ctc_decode` asks.

    A prefix takes one step from the states of the prefix without its last label. These are kept until a search begins,
    which asks for ().

    Args:
        model: the trained model.
        symbols: the symbol of each label from 1. Label 0 is the blank.
    """

    def __init__(self, model: LanguageModel, symbols: np.ndarray) -> None:
        self._step = make_step(model.settings, len(model.vocabulary))
        self._step.set_weights(model.model.get_weights())
        self._symbols, self._settings = symbols, model.settings
        self._begin = int(model.vocabulary.encode("\n").ids[0])
        self._states: dict[tuple[int, ...], tuple[np.ndarray, ...]] = {}
        """After each prefix, h and c of each LSTM: [units]."""

    def __call__(self, prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
        """log P of each label after each prefix, (N, 1 + symbols) float64. That of the blank is 0."""
        if () in prefixes:
            self._states.clear()
        for prefix in prefixes:
            if prefix and prefix[:-1] not in self._states:  # Only a caller of one's own skips prefixes.
                for length in range(len(prefix)):
                    self._advance([prefix[:length]])
        return np.concatenate(
            [self._advance(prefixes[begin : begin + _ROWS]) for begin in range(0, len(prefixes), _ROWS)]
        )

    def _advance(self, prefixes: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Step to these prefixes, whose shorter ones are known."""
        zeros = (np.zeros(self._settings.units, np.float32),) * (2 * self._settings.layers)
        before = [self._states[prefix[:-1]] if prefix else zeros for prefix in prefixes]
        ids = [self._symbols[prefix[-1] - 1] if prefix else self._begin for prefix in prefixes]
        states = [np.stack(each) for each in zip(*before, strict=True)]
        logits, *after = self._step.predict([np.array(ids)[:, None], *states], batch_size=_ROWS, verbose=0)
        self._states.update(zip(prefixes, zip(*after, strict=True), strict=True))
        z = logits[:, 0].astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return np.pad(log_p[:, self._symbols], ((0, 0), (1, 0)))
