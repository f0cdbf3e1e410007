"""Recordings that differ in each epoch, so that a model learns what does not depend on the difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numlstm.tasks.transcribe.features import BANDS, PEAKS, resampled, warped
from numlstm.tasks.transcribe.lines import drawn_gains

__all__ = ["Variation"]

_FRAMES, _BANDS = 20, 8
"""The widest masks."""
_PACE = 20
"""Frames from one speed to the next."""


@dataclass(frozen=True)
class Variation:
    """What is drawn for a recording each time that a model learns from it.

    masks: so many masks of up to 20 frames, and as many of up to 8 bands (SpecAugment, Park et al. 2019). Under a
        mask, each band has its mean over the recording
    warp: all frequencies are multiplied by a number between 1 / (1 + warp) and 1 + warp, as those of a larger or
        smaller speaker (Jaitly & Hinton 2013)
    stretch: likewise the length is multiplied by a number, and the speed changes within the recording, between such
        numbers for each fifth of a second
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
        found = resampled(frames.astype(np.float32), self._places(len(frames), length, random))
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

    def _places(self, before: int, length: int, random: np.random.Generator) -> np.ndarray:
        """[length] places in a recording of `before` frames, from its first frame to its last one."""
        if not self.stretch:
            return np.linspace(0, before - 1, length)
        most, speeds = np.log1p(self.stretch), 2 + length // _PACE
        drawn = np.exp(random.uniform(-most, most, speeds))
        passed = np.cumsum(np.interp(np.arange(length) / _PACE, np.arange(speeds), drawn))
        return np.asarray((passed - passed[0]) * ((before - 1) / max(passed[-1] - passed[0], 1e-9)))


def _drawn(size: int, widest: int, random: np.random.Generator) -> slice:
    """A place in a row: of any width up to the widest, and up to half of the row."""
    width = int(random.integers(min(widest, size // 2) + 1))
    begin = int(random.integers(size - width + 1))
    return slice(begin, begin + width)
