"""What microphones and telephone lines make of a voice: models that hear one synthesiser alone know no other sound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numlstm.tasks.transcribe.audio import RATE, resample

__all__ = ["coloured", "drawn_gains", "telephone"]

_KNOTS = np.log([60, 250, 500, 1000, 2000, 4000, 7600])
"""Logarithms of the frequencies at which a microphone's gains are drawn."""
_DECIBELS = 4
"""Deviation of these gains."""
_LIMITS, _LEVELS = (150, 300, 3400, 3900), (-40, 0, 0, -40)
"""Frequencies and decibels of a telephone line, about those of ITU-T G.712."""


def coloured(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A voice in another microphone, whose gains change slowly with the frequency: [N], as the samples."""
    return _filtered(samples, lambda frequencies: drawn_gains(frequencies, _DECIBELS, random))


def drawn_gains(frequencies: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Draw the gains of a microphone at some frequencies, in decibels."""
    gains = random.normal(size=len(_KNOTS)) * deviation
    return np.asarray(np.interp(np.log(np.maximum(frequencies, 1)), _KNOTS, gains))


def telephone(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A voice in a telephone: 8,000 samples of 16 bits a second, so that it is silent above 4 kHz; [N], as the samples.

    Half of the lines have 300 to 3,400 Hz alone.
    """
    if random.random() < 0.5:
        samples = _filtered(samples, lambda frequencies: np.interp(frequencies, _LIMITS, _LEVELS))
    half = resample(samples, 2 * RATE)  # As if twice as many samples were a second: every other one remains.
    return resample(np.round(half * 32768) / 32768, RATE // 2)[: len(samples)]


def _filtered(samples: np.ndarray, decibels: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Multiply the spectrum by the gains of its frequencies."""
    size = 1 << len(samples).bit_length()  # Powers of two are fast, and zeros keep the end out of the beginning.
    gains = 10 ** (decibels(np.fft.rfftfreq(size, 1 / RATE)) / 20)
    return np.asarray(np.fft.irfft(np.fft.rfft(samples, size) * gains, size)[: len(samples)])
