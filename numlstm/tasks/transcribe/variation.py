"""Recordings that differ in each epoch, so that a model learns what does not depend on the difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numlstm.tasks.transcribe.features import BANDS, PEAKS, stretched, warped
from numlstm.tasks.transcribe.lines import drawn_gains

__all__ = ["Variation"]

_FRAMES, _BANDS = 20, 8
"""The widest masks."""


@dataclass(frozen=True)
class Variation:
    """What is drawn for a recording each time that a model learns from it.

    masks: so many masks of up to 20 frames, and as many of up to 8 bands (SpecAugment, Park et al. 2019). Under a
        mask, each band has its mean over the recording
    warp: all frequencies are multiplied by a number between 1 / (1 + warp) and 1 + warp, as those of a larger or
        smaller speaker (Jaitly & Hinton 2013)
    stretch: likewise the time, as of a slower or faster speaker
    gains: deviation in decibels of a microphone's gains, as in `numlstm.tasks.transcribe.lines.coloured`
    """

    masks: int
    warp: float
    stretch: float
    gains: float

    def __bool__(self) -> bool:
        """Whether anything varies."""
        return bool(self.masks or self.warp or self.stretch or self.gains)

    def lengths(self, lengths: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw the stretched lengths of recordings, which are at most 1 + stretch of their own."""
        most = np.log1p(self.stretch)
        return np.asarray(lengths * np.exp(random.uniform(-most, most, len(lengths)))).astype(int)

    def __call__(self, frames: np.ndarray, length: int, random: np.random.Generator) -> np.ndarray:
        """Vary a recording: [length, BANDS] float32. The recording itself, [T, BANDS], stays as it is."""
        found = stretched(frames.astype(np.float32), length)
        if self.warp:
            most = np.log1p(self.warp)
            found = warped(found, np.exp(random.uniform(-most, most)))
        if self.gains:
            decibels = drawn_gains(PEAKS, self.gains, random)
            found = found + (decibels * np.log(10) / 10).astype(np.float32)
        mean = found.mean(axis=0)
        for _ in range(self.masks):
            place = _drawn(len(found), _FRAMES, random)
            found[place] = mean
            place = _drawn(BANDS, _BANDS, random)
            found[:, place] = mean[place]
        return found


def _drawn(size: int, widest: int, random: np.random.Generator) -> slice:
    """A place in a row: of any width up to the widest, and up to half of the row."""
    width = int(random.integers(min(widest, size // 2) + 1))
    begin = int(random.integers(size - width + 1))
    return slice(begin, begin + width)
