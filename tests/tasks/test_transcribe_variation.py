"""What varies in the recordings that a transcriber learns from: masks and frequencies, drawn anew in each epoch."""

import signal

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks.transcribe.audio import RATE
from numlstm.tasks.transcribe.batches import Batches
from numlstm.tasks.transcribe.features import BANDS, PEAKS, log_mel, resampled, warped
from numlstm.tasks.transcribe.morse import morse
from numlstm.tasks.transcribe.network import Transcriber, make_model
from numlstm.tasks.transcribe.recordings import Recordings
from numlstm.tasks.transcribe.settings import Settings
from numlstm.tasks.transcribe.train import Split, samples_of, train
from numlstm.tasks.transcribe.variation import Variation
from numlstm.training.interruption import Interrupted

VARIED = Settings(units=4, epochs=3, count=30, masks=2, warp=0.2, stretch=0.2, gains=3, batch_size=4)
MASKED = Variation(1, 0, 0, 0)


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def noise(length):
    return np.random.default_rng(0).normal(size=(length, BANDS)).astype("float16")


def changed(variation, frames, times=400):
    """The share of the energies that a variation changes, for each frame and for each band."""
    random = np.random.default_rng(0)
    found = np.mean([variation(frames, len(frames), random) != frames for _ in range(times)], axis=0)
    return found.mean(axis=1), found.mean(axis=0)


def batches(settings, recordings):
    split = Split.of(recordings, settings)
    model = make_model(settings, len(split.characters), "cpu")
    transcriber = Transcriber(model, split.characters, split.scale, settings.stack)
    return Batches(recordings.frames, recordings.texts, transcriber, settings)


@pytest.fixture(scope="module")
def recordings():
    return morse(30, 0)


# Masks.


def test_a_mask_has_half_of_its_widest_width_in_the_mean():
    of_frames, _ = changed(MASKED, noise(200), 2_000)
    assert of_frames.mean() == pytest.approx(1 - (1 - 10 / 200) * (1 - 4 / BANDS), rel=0.05)


def test_masks_are_anywhere():
    of_frames, of_bands = changed(Variation(2, 0, 0, 0), noise(60))
    assert of_frames[0] > 0.1 < of_frames[-1]
    assert of_bands[0] > 0.1 < of_bands[-1]


def test_a_masked_band_has_its_mean():
    frames = noise(100)
    found = MASKED(frames, 100, np.random.default_rng(1))
    different = found != frames
    expected = np.broadcast_to(frames.astype("float32").mean(axis=0), frames.shape)
    assert different.any()
    np.testing.assert_array_equal(found[different], expected[different])


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_short_recording_keeps_half_of_its_frames(length):
    random, frames = np.random.default_rng(0), noise(length)
    for _ in range(50):
        same = (MASKED(frames, length, random) == frames).any(axis=1)
        assert same.sum() >= length / 2


def test_a_recording_itself_does_not_change():
    frames = noise(50)
    Variation(3, 0.3, 0.3, 3)(frames, 60, np.random.default_rng(0))
    np.testing.assert_array_equal(frames, noise(50))


# Frequencies.


def test_a_warped_tone_is_a_tone_of_the_other_frequency():
    time = np.arange(RATE) / RATE
    tone, other = (log_mel(0.3 * np.sin(2 * np.pi * frequency * time)) for frequency in (1_000, 1_250))
    assert tone.mean(axis=0).argmax() != other.mean(axis=0).argmax()
    assert warped(tone, 1.25).mean(axis=0).argmax() == other.mean(axis=0).argmax()


def test_a_factor_of_one_changes_nothing():
    np.testing.assert_allclose(warped(noise(9), 1.0), noise(9), atol=1e-3)


def test_all_frequencies_within_the_limits_are_drawn():
    time = np.arange(RATE) / RATE
    frames, random = log_mel(0.3 * np.sin(2 * np.pi * 1_000 * time)), np.random.default_rng(0)
    found = {int(Variation(0, 0.25, 0, 0)(frames, 98, random).mean(axis=0).argmax()) for _ in range(200)}
    lowest, highest = (int(np.abs(PEAKS - frequency).argmin()) for frequency in (800, 1_250))
    assert found == set(range(lowest, highest + 1))


def test_gains_have_their_deviation_and_are_constant():
    random, frames = np.random.default_rng(0), noise(20)
    added = np.array([Variation(0, 0, 0, 3)(frames, 20, random) - frames for _ in range(400)])
    assert added.std(axis=1).max() < 1e-5
    knot = np.abs(PEAKS - 1_000).argmin()
    assert added[:, 0, knot].std() == pytest.approx(3 * np.log(10) / 10, rel=0.15)


def test_nothing_varies_without_a_variation():
    assert not Variation(0, 0, 0, 0)
    np.testing.assert_array_equal(Variation(0, 0, 0, 0)(noise(9), 9, np.random.default_rng(0)), noise(9))


# Time.


def test_a_place_between_two_frames_is_on_the_line_between_them():
    ramp = np.linspace(0, 1, 11)[:, None] * np.ones(BANDS)
    for places in ([0], [10], [0, 2.5, 10], np.linspace(0, 10, 31)):
        np.testing.assert_allclose(resampled(ramp, np.array(places))[:, 0], np.divide(places, 10), atol=1e-6)


@pytest.mark.parametrize(("length", "other"), [(1, 1), (1, 3), (3, 1), (200, 170), (200, 250)])
def test_a_stretched_recording_keeps_its_ends_and_its_order(length, other):
    ramp = np.linspace(0, 1, length)[:, None] * np.ones(BANDS)
    found = Variation(0, 0, 0.3, 0)(ramp, other, np.random.default_rng(0))[:, 0]
    assert len(found) == other
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] == pytest.approx(ramp[-1, 0] if other > 1 else 0)


def test_the_speed_changes_within_a_recording_and_within_the_limits():
    ramp = np.arange(400)[:, None] * np.ones(BANDS)
    random = np.random.default_rng(0)
    steps = np.diff([Variation(0, 0, 0.3, 0)(ramp, 400, random)[:, 0] for _ in range(50)])
    ratios = steps.max(axis=1) / steps.min(axis=1)
    assert 1.4 < ratios.max() <= 1.3**2 * 1.01


def test_lengths_lie_within_the_stretch():
    found = Variation(0, 0, 0.25, 0).lengths(np.full(1_000, 100), np.random.default_rng(0))
    assert 80 <= found.min() < 84
    assert 120 < found.max() <= 125


def test_a_recording_keeps_the_steps_that_its_text_needs():
    recordings = Recordings("a", "folder", ("a",) * 12, (noise(12),) * 12, ("aabb",) * 12)
    settings = Settings(units=4, stretch=1, masks=1, batch_size=4)
    found = batches(settings, recordings)
    for number in range(3):
        steps, _ = found[number]
        assert ((steps != 0).any(axis=2).sum(axis=1) >= 6).all()


# Batches.


def test_batches_depend_on_the_seed_and_their_number_alone(recordings):
    first, again = batches(VARIED, recordings), batches(VARIED, recordings)
    forwards = [first[number] for number in range(len(first))]
    backwards = [again[number] for number in reversed(range(len(again)))][::-1]
    for ours, theirs in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_an_epoch_has_each_recording_once(recordings):
    found = batches(VARIED, recordings)
    epochs = [[found[epoch * found.in_epoch + place] for place in range(found.in_epoch)] for epoch in range(2)]
    texts = [sorted(map(tuple, np.concatenate([y for _, y in epoch]))) for epoch in epochs]
    assert texts[0] == texts[1]
    assert len(texts[0]) == len(recordings.files)
    assert any(not np.array_equal(first[0], second[0]) for first, second in zip(*epochs, strict=True))


def test_the_validation_part_does_not_vary(recordings):
    split = Split.of(recordings, VARIED)
    model = make_model(VARIED, len(split.characters), "cpu")
    transcriber = Transcriber(model, split.characters, split.scale, VARIED.stack)
    x, _ = samples_of(recordings, VARIED, split, transcriber).validation
    held = recordings.part(split.validation)
    np.testing.assert_array_equal(x, transcriber.steps(held.frames, x.shape[1]))


def test_the_same_seed_gives_the_same_weights(recordings):
    first, again = (train(recordings, VARIED, 0).transcriber.model.get_weights() for _ in range(2))
    for ours, theirs in zip(first, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_training_that_is_cut_in_an_epoch_ends_with_the_same_bits(tmp_path, monkeypatch):
    words = ["train", "transcribe", "--count", "30", "--units", "4", "--epochs", "3", "--masks", "2", "--warp", "0.2"]
    words += ["--stretch", "0.2", "--gains", "3", "--schedule", "cosine", "--batch-size", "4", "--quiet", "--no-plot"]
    assert run(*words, "--out", tmp_path / "whole").exit_code == 0
    original = Batches.__getitem__

    def stop(self, number):
        if number == self.in_epoch + 2:
            raise Interrupted(signal.SIGINT)
        return original(self, number)

    with monkeypatch.context() as patched:
        patched.setattr(Batches, "__getitem__", stop)
        cut = run(*words, "--out", tmp_path / "cut", "--checkpoint-every", "1")
    assert cut.exit_code == 130, cut.output
    again = run("train", "--resume", tmp_path / "cut", "--no-plot")
    assert again.exit_code == 0, again.output
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# Refusals.


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--masks", "-1"], "masks must be a whole number from 0 to 20, not -1"),
        (["--masks", "21"], "from 0 to 20"),
        (["--warp", "-0.1"], "warp must lie between 0 and 1, not -0.1"),
        (["--warp", "nan"], "warp must lie between 0 and 1"),
        (["--stretch", "2"], "stretch must lie between 0 and 1, not 2.0"),
        (["--gains", "inf"], "gains must lie between 0 and 20"),
    ],
)
def test_a_variation_out_of_range_is_refused(words, part, tmp_path):
    result = run("train", "transcribe", *words, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert part in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()
