"""Spoken digits, from the synthesiser espeak-ng in many voices."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from numlstm.tasks.transcribe.audio import resample
from numlstm.tasks.transcribe.features import log_mel
from numlstm.tasks.transcribe.lines import coloured, telephone
from numlstm.tasks.transcribe.recordings import Recordings

__all__ = ["digits"]

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ACCENTS = ("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-029")
_UNLIKE_SPEECH = ("robo", "robot", "croak", "demonic", "whisper", "fast", "klatt", "storm", "tweaky")
_SYNCHRONOUS, _BY_CHARACTER, _UTF8 = 2, 1, 1
_SPEED, _PITCH = 1, 3
_BY_TELEPHONE = 0.5
"""Share of the recordings."""
_RATES = 50
"""Sizes of speakers are rates that this number divides: others need filters of thousands of phases."""
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def digits(count: int, seed: int) -> Recordings:
    """Strings of one to six digits, half of them by telephone.

    A voice speaks with any accent, speed and pitch, is larger or smaller, in any microphone and some noise.

    Args:
        count: the number of recordings.
        seed: the seed.

    Raises:
        ValueError: the package espeakng-loader is not installed.
        OSError: its library cannot be loaded.
    """
    speaker, random = _Speaker(_place(), seed), np.random.default_rng(seed)
    texts, frames, voices = [], [], []
    for number in range(count):
        voices.append(speaker.voices[number % len(speaker.voices)])
        said = random.integers(0, 10, random.integers(1, 7))
        texts.append("".join(map(str, said)))
        accent = str(random.choice(_ACCENTS))
        samples = speaker.say(
            " ".join(_WORDS[digit] for digit in said), f"{accent}+{voices[-1]}", int(random.integers(120, 230)),
            int(random.integers(20, 85)), random.uniform(0.9, 1.12),
        )  # fmt: skip
        samples = coloured(samples, random)
        samples = samples * random.uniform(0.3, 1) / max(1e-3, np.abs(samples).max())
        samples = np.pad(samples, random.integers(0, 4000, 2))
        samples += random.normal(size=len(samples)) * 10 ** random.uniform(-4, -2)
        frames.append(log_mel(telephone(samples, random) if random.random() < _BY_TELEPHONE else samples))
    files = tuple(f"digits-{number + 1}" for number in range(count))
    return Recordings("digits", "digits", files, tuple(frames), tuple(texts), tuple(voices))


def _place() -> Path:
    found = importlib.util.find_spec("espeakng_loader")  # Finds the package and runs none of it.
    for place in () if found is None else found.submodule_search_locations or ():
        if (Path(place) / "espeak-ng-data").is_dir():
            return Path(place)
    raise ValueError(
        "--dataset digits is spoken by the package espeakng-loader, which is not installed:"
        " `pip install espeakng-loader==0.2.4` brings it"
    )


class _Speaker:
    """espeak-ng, through its C interface of speak_lib.h.

    Args:
        place: the folder with the library and its data.
        seed: of the noise in a voice's breath.

    Raises:
        OSError: the library cannot be loaded, or refuses its data.
    """

    def __init__(self, place: Path, seed: int) -> None:
        library = next((each for each in sorted(place.iterdir()) if each.suffix in (".so", ".dll", ".dylib")), None)
        if library is None:
            raise OSError(f"{place} has no library of espeak-ng for this system")
        # What it has said changes the sound of what it says next. So each speaker has a copy of its own.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows deletes no loaded library.
            self._library = ctypes.CDLL(shutil.copy(library, folder))
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, str(place).encode(), 0)
        if self._rate <= 0:
            raise OSError(f"espeak-ng refuses its data in {place}")
        # Its own generator, which was seeded with the time, and C's: both make the noise of voices with breath.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        with suppress(AttributeError):  # Windows finds no function of C through the library.
            self._library.srand(ctypes.c_uint(seed))
        names = (each.name for each in (place / "espeak-ng-data" / "voices" / "!v").iterdir())
        self.voices = sorted(name for name in names if not any(each in name.lower() for each in _UNLIKE_SPEECH))
        self._pieces: list[np.ndarray] = []
        self._callback = _Callback(self._hear)  # Kept here: the library calls it later.
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, speed: int, pitch: int, size: float) -> np.ndarray:
        """Speak a text: [N] float32.

        Args:
            text: English words.
            voice: a language and a variant of it.
            speed: words per minute.
            pitch: from 0 to 99.
            size: the speaker's, in parts of the voice's own: 1.1 is slower, and all frequencies are lower by a tenth.

        Raises:
            OSError: the library does not know the voice, or fails.
        """
        self._pieces.clear()
        library, content = self._library, text.encode() + b"\0"
        if library.espeak_SetVoiceByName(voice.encode()):
            raise OSError(f"espeak-ng has no voice {voice}")
        library.espeak_SetParameter(_SPEED, speed, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        place = (ctypes.c_size_t(len(content)), ctypes.c_uint(0), ctypes.c_int(_BY_CHARACTER), ctypes.c_uint(0))
        if library.espeak_Synth(content, *place, ctypes.c_uint(_UTF8), None, None) or not self._pieces:
            raise OSError(f"espeak-ng could not speak with the voice {voice}")
        rate = _RATES * round(self._rate / size / _RATES)
        return resample(np.concatenate(self._pieces) / 32768, rate)

    def _hear(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32))
        return 0
