"""Recordings that differ in each epoch, so that a model learns what does not depend on the difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numlstm.tasks.transcribe.features import BANDS, warped

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
    """

    masks: int
    warp: float

    def __bool__(self) -> bool:
        """Whether anything varies."""
        return bool(self.masks or self.warp)

    def __call__(self, frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Vary a recording: [T, BANDS] float32. The recording itself stays as it is."""
        most = np.log1p(self.warp)
        found = warped(frames, np.exp(random.uniform(-most, most))) if most else frames.astype(np.float32)
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
