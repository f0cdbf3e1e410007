"""What microphones and telephone lines make of the recordings that a transcriber learns from."""

import numpy as np
import pytest
from witness import witness

from numlstm.tasks.transcribe.audio import RATE, resample
from numlstm.tasks.transcribe.features import BANDS, log_mel
from numlstm.tasks.transcribe.lines import coloured, telephone

ABOVE_4_KHZ = slice(34, BANDS)


def noise(seconds=1.0):
    return np.random.default_rng(0).normal(size=int(RATE * seconds)) * 0.01


def sine(frequency):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)


@pytest.mark.parametrize("seed", range(4))
def test_a_telephone_is_as_silent_above_4_khz_as_a_file_of_8_khz(seed):
    found = log_mel(telephone(noise(), np.random.default_rng(seed)))[:, ABOVE_4_KHZ]
    file = np.round(np.random.default_rng(0).normal(size=RATE // 2) * 0.01 * 32768) / 32768
    of_file = log_mel(resample(file, RATE // 2))[:, ABOVE_4_KHZ]
    assert max(found.max(), of_file.max()) < np.log(1.2e-5)


@pytest.mark.parametrize("length", [8_000, 8_001, 8_003])
def test_a_telephone_keeps_length_and_time(length):
    samples = sine(1_000)[:length]
    found = telephone(samples, np.random.default_rng(0))
    assert len(found) == length
    np.testing.assert_allclose(found[200:-200], samples[200:-200], atol=2e-3)


def test_every_other_telephone_has_no_low_frequencies():
    random = np.random.default_rng(0)
    heard = [np.abs(telephone(sine(100), random)).max() > 0.3 for _ in range(40)]
    assert 10 < sum(heard) < 30


def test_a_microphone_changes_the_levels_of_frequencies_and_no_others():
    random = np.random.default_rng(0)
    levels = np.array([np.std(coloured(sine(1_000), random)) for _ in range(60)])
    assert 3 < np.std(20 * np.log10(levels)) < 5
    spectrum = np.abs(np.fft.rfft(coloured(sine(1_000), random)[2_000:14_000] * np.hanning(12_000)))
    assert abs(spectrum.argmax() * RATE / 12_000 - 1_000) < 2


def test_half_of_the_spoken_digits_come_by_telephone():
    witness("espeakng_loader")
    from numlstm.tasks.transcribe.spoken import digits

    frames = digits(40, 0).frames
    assert 10 < sum(each[:, ABOVE_4_KHZ].max() < np.log(2e-5) for each in frames) < 30
