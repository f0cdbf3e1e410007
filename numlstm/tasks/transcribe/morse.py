"""Generated Morse code: words that are keyed by hand, at any speed and pitch, in noise. And a decoder by rule."""

from __future__ import annotations

import numpy as np

from numlstm.tasks.transcribe.audio import RATE
from numlstm.tasks.transcribe.features import log_mel
from numlstm.tasks.transcribe.recordings import Recordings

__all__ = ["CODE", "by_rule", "keyed", "marks_of", "morse"]

CODE = {
    "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "f": "..-.", "g": "--.", "h": "....", "i": "..",
    "j": ".---", "k": "-.-", "l": ".-..", "m": "--", "n": "-.", "o": "---", "p": ".--.", "q": "--.-", "r": ".-.",
    "s": "...", "t": "-", "u": "..-", "v": "...-", "w": ".--", "x": "-..-", "y": "-.--", "z": "--..",
}  # fmt: skip
_GAPS = {" ": 3, "/": 7}
"""Dots without a tone between two letters, and between two words."""
_EDGE = RATE * 5 // 1000
"""Samples in which a tone comes and goes: 5 ms."""


def morse(count: int, seed: int) -> Recordings:
    """One or two random words of one to three letters, keyed. Their texts are the marks.

    Args:
        count: the number of recordings.
        seed: the seed.
    """
    random = np.random.default_rng(seed)
    texts, frames = [], []
    for _ in range(count):
        words = ["".join(random.choice(list(CODE), random.integers(1, 4))) for _ in range(random.integers(1, 3))]
        texts.append(marks_of(" ".join(words)))
        frames.append(log_mel(keyed(texts[-1], random)))
    files = tuple(f"morse-{number + 1}" for number in range(count))
    return Recordings("morse", "morse", files, tuple(frames), tuple(texts))


def marks_of(text: str) -> str:
    """The marks of words of the letters of `CODE`, with spaces between letters and a slash between words."""
    return " / ".join(" ".join(CODE[letter] for letter in word) for word in text.split())


def keyed(marks: str, random: np.random.Generator) -> np.ndarray:
    """Key marks by hand: 14 to 22 words a minute, each mark and gap up to a fifth longer or shorter, in white noise.

    Args:
        marks: the result of `marks_of`.
        random: draws the speed, the pitch, the fading and the noise.

    Returns:
        [N] float32 at `RATE`.
    """
    dot = 1.2 / random.uniform(14, 22)  # Seconds; "paris " is 50 dots, by which speed is measured.
    pitch, level, fading = random.uniform(550, 750), random.uniform(0.05, 0.3), random.uniform(0.3, 2)
    durations, tones = [random.uniform(1, 4)], [0.0]
    for mark in marks.replace(" / ", "/"):
        if mark in _GAPS:
            durations[-1] = _GAPS[mark]
        else:
            durations += [1 if mark == "." else 3, 1]
            tones += [1, 0]
    durations[-1] = random.uniform(1, 7)
    lengths = (RATE * dot * np.array(durations) * random.uniform(0.8, 1.2, len(durations))).astype(int)
    sums = np.cumsum(np.pad(np.repeat(tones, lengths), (_EDGE, 0)))
    envelope = (sums[_EDGE:] - sums[:-_EDGE]) / _EDGE
    time = np.arange(len(envelope)) / RATE
    envelope *= 0.7 + 0.3 * np.sin(2 * np.pi * (fading * time + random.random()))
    noise = random.normal(size=len(time)) * level * random.uniform(0.3, 1.4)
    return (level * envelope * np.sin(2 * np.pi * pitch * time) + noise).astype(np.float32)


def by_rule(frames: np.ndarray) -> str:
    """Decode by a threshold: the energy of the strongest band, a dot from the short marks, and gaps by 2 and 5 dots.

    Args:
        frames: [T, BANDS] of `log_mel`.
    """
    band = np.percentile(frames.astype(np.float32), 90, axis=0).argmax()
    energy = np.convolve(frames[:, band].astype(np.float32), np.ones(3) / 3, "same")
    low, high = np.percentile(energy, [10, 90])
    tone = energy > (low + high) / 2
    changes = np.flatnonzero(np.diff(tone.astype(int))) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(tone)]]))
    on = runs[0 if tone[0] else 1 :: 2]
    if not len(on):
        return ""
    dot = _dot(on)
    text = ""
    for number, length in enumerate(runs):
        if tone[0] == (number % 2 == 0):
            text += "." if length < 2 * dot else "-"
        elif text and length >= 2 * dot:
            text += " / " if length >= 5 * dot else " "
    return text.strip(" /")


def _dot(lengths: np.ndarray) -> float:
    """The length of a dot: the marks are divided in two groups at the middle between the shortest and the longest."""
    short, long = float(lengths.min()), float(lengths.max())
    if long < 2 * short:  # All marks are of one kind: dots, if they are short.
        return float(np.mean(lengths)) / (1 if long <= 9 else 3)
    return float(np.mean(lengths[lengths <= (short + long) / 2]))
