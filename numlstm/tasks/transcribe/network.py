"""The model, and what makes texts of its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np

from numlstm import checks, layers, losses, optimizers
from numlstm.decoding import LanguageModel
from numlstm.kernels import RecurrentUse
from numlstm.messages import argument
from numlstm.model import Model, Sequential
from numlstm.optimizers.schedules import CosineDecay
from numlstm.seeds import set_seed
from numlstm.tasks.transcribe.features import BANDS, FrameStream, Scale, stacked
from numlstm.tasks.transcribe.settings import Settings
from numlstm.training import compiled
from numlstm.utils import ctc_decode

__all__ = ["Search", "Transcriber", "kernels_used", "least_steps", "make_model"]

_AT_ONCE = 32
"""Recordings that are transcribed at once."""
_WIDEST = 1000
"""Beginnings of a text that a search keeps, at most."""


@dataclass(frozen=True)
class Search:
    """A prefix beam search for the text that maximizes log P(text | recording) + weight log P(text) + bonus |text|.

    beam: beginnings of a text that are kept
    language_model: log P of the next characters; None: there is no such term
    weight, bonus: of the language model

    Raises:
        TypeError, ValueError: a number is none, or out of range.
    """

    beam: int = 32
    language_model: LanguageModel | None = None
    weight: float = 0.5
    bonus: float = 0.0

    def __post_init__(self) -> None:
        checks.integer(self.beam, argument("beam"), most=_WIDEST)
        checks.at_least_zero(self.weight, argument("lm_weight"))
        if not abs(checks.number(self.bonus, argument("lm_bonus"))) < inf:
            raise ValueError(f"{argument('lm_bonus')} must be a finite number, not {self.bonus}")

    def best(self, logits: np.ndarray) -> np.ndarray:
        """The labels of one recording's outputs."""
        found, _ = ctc_decode(
            logits[None], strategy="beam_search", beam_width=self.beam, language_model=self.language_model,
            alpha=1.0 if self.language_model is None else self.weight, beta=self.bonus,
        )  # fmt: skip
        return np.asarray(found[0, 0])


@dataclass(frozen=True)
class Transcriber:
    """A model with its characters.

    model: maps steps, [N, T, stack BANDS], to logits, [N, T, 1 + characters], of which the first is the blank
    characters: those that it can write, sorted
    scale: of the frames
    stack: frames of a step
    """

    model: Model
    characters: str
    scale: Scale
    stack: int

    def steps(self, frames: Sequence[np.ndarray], longest: int | None = None) -> np.ndarray:
        """The steps of recordings, with zeros behind the shorter ones: [N, longest, stack BANDS] float32."""
        whole = [stacked(self.scale(each), self.stack) for each in frames]
        longest = max(1, *map(len, whole)) if longest is None else longest
        width = self.stack * BANDS
        checks.fits(4 * len(whole) * longest * width, f"{len(whole):,} recordings of up to {longest:,} steps")
        found = np.zeros((len(whole), longest, width), np.float32)
        for row, each in zip(found, whole, strict=True):
            row[: len(each)] = each
        return found

    def numbers(self, texts: Sequence[str]) -> np.ndarray:
        """The classes of the characters, with -1 behind the shorter texts: [N, longest]."""
        number = {character: place for place, character in enumerate(self.characters, start=1)}
        found = np.full((len(texts), max(map(len, texts))), -1)
        for row, text in zip(found, texts, strict=True):
            row[: len(text)] = [number[character] for character in text]
        return found

    def logits(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for each recording, [T // stack, 1 + characters]."""
        found: list[np.ndarray] = []
        for begin in range(0, len(frames), _AT_ONCE):
            part = frames[begin : begin + _AT_ONCE]
            outputs = np.asarray(self.model.predict(self.steps(part), batch_size=_AT_ONCE, verbose=0))
            found += [row[: len(each) // self.stack] for row, each in zip(outputs, part, strict=True)]
        return found

    def texts(self, frames: Sequence[np.ndarray], search: Search | None = None) -> list[str]:
        """Write down recordings: the best class of each step, without repetitions and blanks, or by a search."""
        return [self.text(logits, search) for logits in self.logits(frames)]

    def text(self, logits: np.ndarray, search: Search | None = None) -> str:
        """The text of one recording's outputs."""
        if not len(logits):
            return ""
        labels = ctc_decode(logits[None])[0][0, 0] if search is None else search.best(logits)
        return "".join(self.characters[label - 1] for label in labels if label > 0).strip()

    def stream(self, pieces: Iterator[np.ndarray]) -> Iterator[str]:
        """Write while a recording comes in. What has been written stays.

        Together it is the text of the whole, but for spaces at its ends.

        Args:
            pieces: samples at `RATE`, of any number.

        Yields:
            The characters that each piece adds, maybe none.

        Raises:
            ValueError: the model reads in both directions.
        """
        if any(isinstance(layer, layers.Bidirectional) for layer in self.model.layers):
            raise ValueError(
                "the model of the run reads a recording from both ends: train with --direction one to write while"
                " listening"
            )
        stream, frames, before = self._unmasked().stream(), FrameStream(), 0
        waiting = np.zeros((0, BANDS), np.float32)
        for piece in pieces:
            waiting = np.concatenate([waiting, self.scale(frames.push(piece))])
            steps = stacked(waiting, self.stack)
            waiting = waiting[len(steps) * self.stack :]
            written = ""
            for step in steps:
                label = int(stream.push(step).argmax())
                written += self.characters[label - 1] if label not in (0, before) else ""
                before = label
            yield written

    def _unmasked(self) -> Sequential:
        """The same model without the mask, which no stream needs."""
        kept = [layer for layer in self.model.layers if not isinstance(layer, layers.Masking)]
        model = Sequential([type(layer).from_config(layer.get_config()) for layer in kept])
        model.build((None, None, self.stack * BANDS))
        model.set_weights(self.model.get_weights())
        return model


def least_steps(text: str) -> int:
    """The steps that CTC needs: one for each character, and one between two alike."""
    return len(text) + sum(first == second for first, second in pairwise(text))


def make_model(settings: Settings, characters: int, device: str, longest: int = 1, updates: int = 1) -> Sequential:
    """Make and compile a model with new weights.

    Args:
        settings: the settings.
        characters: the number of characters.
        device: where it runs.
        longest: the steps of the longest recording.
        updates: training steps in all epochs, over which a cosine falls.

    Raises:
        MemoryError: it needs more memory than there is.
        numlstm.backend.DeviceError: the device cannot be used.
    """
    H, F = settings.units, settings.stack * BANDS
    checks.fits(64 * H * (H + F) * settings.layers, f"a model of {H} units")
    checks.fits(
        4 * settings.batch_size * longest * (3 * F + 24 * H * settings.layers),
        f"a training step of {settings.batch_size} recordings of {longest} steps",
    )
    set_seed(settings.seed)
    model = _model(settings, characters)
    model.compile(_optimizer(settings, updates), losses.CTC(zero_infinity=True), device=device, verbose=0)
    return model


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that a training calls, as arguments of `Backend.prepare`."""
    choices = compiled.Compiled(_optimizer(settings, 1), [compiled.OutputChoice(losses.CTC())], device="cpu")
    return compiled.kernels_used(_model(settings, 26), choices)


def _model(settings: Settings, characters: int) -> Sequential:
    found: list[layers.Layer] = [layers.Masking(input_shape=(None, settings.stack * BANDS), name="ends")]
    found.append(layers.Dropout(settings.dropout, name="bands"))
    for number in range(1, settings.layers + 1):
        lstm = layers.LSTM(settings.units, return_sequences=True, name=f"lstm_{number}")
        found.append(layers.Bidirectional(lstm, name=f"both_{number}") if settings.direction == "both" else lstm)
    found += [layers.Dropout(settings.dropout, name="units"), layers.Dense(characters + 1, name="characters")]
    return Sequential(found, name="transcriber")


def _optimizer(settings: Settings, updates: int) -> optimizers.Optimizer:
    rate = settings.learning_rate
    falling = CosineDecay(rate, updates) if settings.schedule == "cosine" else rate
    return optimizers.Adam(falling, global_clipnorm=1.0)
