"""Sound from WAV files, at one rate."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np

from numlstm import checks
from numlstm.messages import plain
from numlstm.reading import opened

__all__ = ["RATE", "Sound", "read_wav", "resample"]

RATE = 16_000
"""Samples per second of all sound that a model hears."""
_SLOWEST, _FASTEST = 4_000, 192_000
_LONGEST = 60
"""Seconds of a recording, at most."""
_LOBES = 16
"""Zero crossings of the resampling filter on each side."""
_CLIPPED = 1e-3
"""Share of samples at the limits of 16 bits from which on a recording is called clipped."""


@dataclass(frozen=True)
class Sound:
    """A recording.

    samples: [N] float32 between -1 and 1, at `RATE`
    clipped: whether the recorder cut off its peaks
    """

    samples: np.ndarray
    clipped: bool


def read_wav(path: Path) -> Sound:
    """Read a WAV file of 16-bit samples. The channels of a stereo file are averaged.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, it is cut off, empty or longer than a minute, or its rate is out of range.
    """
    with opened(path) as file:
        content = file.read(_LONGEST * _FASTEST * 8)
    try:
        with wave.open(io.BytesIO(content)) as sound:
            channels, width, rate = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
            count, data = sound.getnframes(), sound.readframes(sound.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        reason = str(error) or "its header ends too early"
        raise ValueError(plain(f"{path} is no WAV file of 16-bit PCM samples: {reason}")) from error
    if width != 2:
        raise ValueError(f"{path} has samples of {8 * width} bits: save it with 16 bits")
    if channels > 2:
        raise ValueError(f"{path} has {channels} channels: save it with one or two")
    if not _SLOWEST <= rate <= _FASTEST:
        raise ValueError(f"{path} has {rate:,} samples per second, expected {_SLOWEST:,} to {_FASTEST:,}")
    if not count:
        raise ValueError(f"{path} is empty: it has no samples")
    if len(data) != 2 * channels * count:
        raise ValueError(f"{path} is cut off: it has {len(data) // (2 * channels):,} of {count:,} samples")
    if count > _LONGEST * rate:
        raise ValueError(f"{path} is {count / rate:.0f} s long: cut it into parts of at most {_LONGEST} s")
    integers = np.frombuffer(data, "<i2").reshape(count, channels)
    clipped = bool(np.mean((integers == 32767) | (integers == -32768)) > _CLIPPED)
    return Sound(resample(integers.mean(axis=1) / 32768, rate), clipped)


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Change the rate to `RATE` by a linear-phase filter: a sinc under a Hann window, one phase for each position.

    Args:
        samples: [N].
        rate: samples per second.

    Returns:
        [ceil(N RATE / rate)] float32.
    """
    divisor = gcd(rate, RATE)
    up, down = RATE // divisor, rate // divisor
    if up == down:
        return samples.astype(np.float32)
    cutoff = min(1.0, RATE / rate)  # Of the lower of the two rates, relative to that of the samples.
    reach = int(np.ceil(_LOBES / cutoff))
    checks.fits(32 * reach * up, f"changing {rate:,} samples per second into {RATE:,}")
    number = np.arange(-(-len(samples) * up // down), dtype=np.int64)
    phases = np.arange(up)[:, None] / up + np.arange(reach - 1, -reach - 1, -1)  # [up, 2 reach] distances in samples
    filters = cutoff * np.sinc(cutoff * phases) * np.cos(np.pi / 2 * np.clip(phases / reach, -1, 1)) ** 2
    filters /= filters.sum(axis=1, keepdims=True)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (reach - 1, reach + 1)), 2 * reach)
    found = np.empty(len(number), np.float32)
    for begin in range(0, len(number), RATE):  # A second at once.
        at = number[begin : begin + RATE] * down
        found[begin : begin + RATE] = np.einsum("nk,nk->n", around[at // up], filters[at % up])
    return found
