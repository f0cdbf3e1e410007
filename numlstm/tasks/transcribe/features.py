"""What a model hears: the logarithms of the energies in bands of frequencies, 100 times a second."""

from __future__ import annotations

from math import log, log10

import numpy as np

from numlstm.tasks.transcribe.audio import RATE

__all__ = ["BANDS", "PEAKS", "STEP", "WINDOW", "FrameStream", "Scale", "log_mel", "resampled", "stacked", "warped"]

WINDOW = RATE * 25 // 1000
"""Samples of a frame: 25 ms."""
STEP = RATE // 100
"""Samples from one frame to the next: 10 ms."""
BANDS = 40
_FFT = 512
_LOWEST, _HIGHEST = 60.0, 7600.0
_FLOOR = 1e-5
"""Energy below which a band is silent: about that of the rounding to 16 bits in a quiet room."""
_RARE = 0.05
"""Share of recordings in which a band may be silent, and is unknown as silent to a model nevertheless."""
_HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def _corners() -> np.ndarray:
    """[BANDS + 2] frequencies at equal distances in mel, 2595 log10(1 + f / 700): a band has three of them."""
    lowest, highest = (2595 * log10(1 + limit / 700) for limit in (_LOWEST, _HIGHEST))
    return np.asarray(700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1))


def _mel_filters() -> np.ndarray:
    """[_FFT / 2 + 1, BANDS] triangles that overlap by half."""
    corners = _corners()
    frequencies = np.fft.rfftfreq(_FFT, 1 / RATE)[:, None]
    rising = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


_FILTERS = _mel_filters()
PEAKS = _corners()[1:-1]
"""[BANDS] frequencies at which the bands hear best."""


def log_mel(samples: np.ndarray) -> np.ndarray:
    """The frames of a sound.

    Args:
        samples: [N] at `RATE`.

    Returns:
        [T, BANDS] float16, natural logarithms of energies; T = 0 if the sound is shorter than a window.
    """
    if len(samples) < WINDOW:
        return np.zeros((0, BANDS), np.float16)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::STEP]
    energies = np.abs(np.fft.rfft(windows * _HANN, _FFT)) ** 2
    return np.asarray(np.log(energies @ _FILTERS + _FLOOR), np.float16)


def stacked(frames: np.ndarray, number: int) -> np.ndarray:
    """Lay frames side by side, so that a sequence has fewer steps: [T, F] to [T // number, number F]."""
    steps = len(frames) // number
    return frames[: steps * number].reshape(steps, number * frames.shape[1])


def warped(frames: np.ndarray, factor: float) -> np.ndarray:
    """Multiply all frequencies by a factor, as those of a smaller speaker are: [T, BANDS] float32.

    A band has what was at its peak's frequency over the factor, between two bands, or in the last one before the end.
    """
    places = np.interp(PEAKS / factor, PEAKS, np.arange(BANDS))
    below = np.minimum(places.astype(int), BANDS - 2)
    share = (places - below).astype(np.float32)
    return np.asarray((1 - share) * frames[:, below] + share * frames[:, below + 1])


def resampled(frames: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The frames at places from 0 to T - 1, which may lie between two: [T, BANDS] to [len(places), BANDS] float32."""
    before = np.clip(places.astype(int), 0, max(0, len(frames) - 2))
    after = np.minimum(before + 1, len(frames) - 1)
    share = (places - before).astype(np.float32)[:, None]
    return np.asarray((1 - share) * frames[before] + share * frames[after])


class Scale:
    """Shifts and scales each band to mean 0 and deviation 1 over the frames that a model learns from.

    Args:
        frames: [T, BANDS] of each recording.
        least: a band with a smaller deviation is divided by this number.
    """

    def __init__(self, frames: list[np.ndarray], least: float) -> None:
        every = np.concatenate(frames).astype(np.float64)
        self._mean, self._deviation = every.mean(axis=0), np.maximum(every.std(axis=0), least)
        silent = np.mean([_silent(each) for each in frames], axis=0)  # The share of recordings, for each band.
        self._heard = (self._mean > log(10 * _FLOOR)) & (silent < _RARE)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """[T, BANDS] float32."""
        return ((frames - self._mean) / self._deviation).astype(np.float32)

    def misses(self, frames: np.ndarray) -> bool:
        """Whether a band is silent all the time that is heard in the recordings that a model learns from."""
        return bool((_silent(frames) & self._heard).any())


def _silent(frames: np.ndarray) -> np.ndarray:
    """[BANDS], whether a band is silent all the time."""
    return np.asarray(frames.max(axis=0) < log(2 * _FLOOR))


class FrameStream:
    """The frames of a sound that comes in pieces: those of `log_mel` for the whole sound."""

    def __init__(self) -> None:
        self._left = np.zeros(0, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take samples, and return the frames that are complete, [T, BANDS]."""
        heard = np.concatenate([self._left, samples])
        frames = log_mel(heard)
        self._left = heard[len(frames) * STEP :]
        return frames
