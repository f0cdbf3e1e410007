"""The transcribe task: sound, features, error rates, refusals, its folder, a stream, and a training that goes on."""

import hashlib
import json
import math
import signal
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from witness import witness

from numlstm.cli import main
from numlstm.seeds import set_seed
from numlstm.tasks import fitting, task
from numlstm.tasks.transcribe import spoken
from numlstm.tasks.transcribe.audio import RATE, read_wav, resample
from numlstm.tasks.transcribe.features import BANDS, STEP, WINDOW, FrameStream, Scale, log_mel, stacked
from numlstm.tasks.transcribe.measure import constant, distance, measure
from numlstm.tasks.transcribe.morse import by_rule, keyed, marks_of, morse
from numlstm.tasks.transcribe.recordings import normalised, read_recordings
from numlstm.tasks.transcribe.settings import Settings
from numlstm.tasks.transcribe.train import Split, train
from numlstm.training.interruption import Interrupted

TONES = {"a": 300.0, "b": 900.0, "c": 2500.0}
SMALL = ["--units", "16", "--stack", "3", "--batch-size", "8", "--dropout", "0", "--lr", "0.02"]
TRAINED = {"model.safetensors", "config.json", "recordings.tsv", "frames.npz", "history.csv", "metrics.json"}


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def refused(result, *parts):
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    for part in parts:
        assert part in result.output


def write_wav(path, samples, rate=RATE, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())


def tones(text, random, rate=RATE):
    """A tone of an eighth of a second for each letter."""
    time = np.arange(rate // 8) / rate
    parts = [np.sin(2 * np.pi * TONES[letter] * time) * np.hanning(len(time)) for letter in text]
    sound = np.concatenate([np.zeros(rate // 20), *parts, np.zeros(rate // 20)])
    return 0.4 * sound + 0.01 * random.normal(size=len(sound))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place, random = tmp_path_factory.mktemp("data") / "tones", np.random.default_rng(0)
    place.mkdir()
    lines = ["file\ttext\tvoice\n"]
    for number in range(60):
        text = "".join(random.choice(list(TONES), random.integers(1, 5)))
        rate = (RATE, 22_050)[number % 2]
        write_wav(place / f"{number}.wav", tones(text, random, rate), rate)
        lines.append(f"{number}.wav\t{text.upper()}\tvoice {number % 10}\n")
    (place / "texts.tsv").write_text("".join(lines))
    return place


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("transcribe") / "run"
    result = run("train", "transcribe", folder, *SMALL, "--epochs", "20", "--direction", "one", "--out", place)
    assert result.exit_code == 0, result.output
    return place


@pytest.fixture(scope="module")
def language_models(trained, tmp_path_factory):
    """Language models for which b follows a, and little else happens: one knows no c, one knows words. And no such."""
    place, options = tmp_path_factory.mktemp("language"), ["--embedding", "4", "--streams", "4", "--no-plot"]
    for name, text, level in (("abc", "c\n", "char"), ("b", "b\n", "char"), ("words", "c\n", "word")):
        (place / "text.txt").write_text(text + "ab\n" * 1_000)
        words = ["--units", "12", "--epochs", "2", "--dropout", "0", "--level", level, "--out", place / name]
        result = run("train", "generate", place / "text.txt", *options, *words)
        assert result.exit_code == 0, result.output
    return {name: place / name for name in ("abc", "b", "words")} | {"tones": trained}


# Sound.


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_sine(rate):
    frequency = 1_000
    found = resample(np.sin(2 * np.pi * frequency * np.arange(rate // 2) / rate), rate)
    expected = np.sin(2 * np.pi * frequency * np.arange(len(found)) / RATE)
    assert len(found) == RATE // 2
    np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=1e-3)


def test_resampling_removes_what_the_lower_rate_cannot_hold():
    found = resample(np.sin(2 * np.pi * 10_000 * np.arange(24_000) / 48_000), 48_000)
    assert np.abs(found[200:-200]).max() < 1e-3


def test_stereo_is_averaged_and_clipping_is_told(tmp_path):
    write_wav(tmp_path / "a.wav", np.stack([np.full(800, 0.5), np.zeros(800)], axis=1), channels=2)
    sound = read_wav(tmp_path / "a.wav")
    np.testing.assert_allclose(sound.samples, 0.25, atol=1e-4)
    assert not sound.clipped
    write_wav(tmp_path / "b.wav", np.ones(800))
    assert read_wav(tmp_path / "b.wav").clipped
    assert "b.wav" in read_recordings(tmp_path).notes[0]


# Features.


def test_frames_are_a_discrete_fourier_transform_in_bands():
    samples = np.random.default_rng(0).normal(size=WINDOW + STEP).astype("float32")
    n, f = np.arange(WINDOW), np.arange(257)
    window = np.sin(np.pi * n / WINDOW) ** 2
    spectrum = np.exp(-2j * np.pi * np.outer(f, n) / 512) @ (window * samples[STEP:])
    low, high = (2595 * math.log10(1 + limit / 700) for limit in (60, 7600))
    corners = [700 * (10 ** (mel / 2595) - 1) for mel in np.linspace(low, high, BANDS + 2)]
    bands = [
        sum(abs(spectrum[i]) ** 2 * np.interp(i * RATE / 512, corners[band : band + 3], [0, 1, 0]) for i in f)
        for band in range(BANDS)
    ]
    frames = log_mel(samples)
    assert frames.shape == (2, BANDS)
    np.testing.assert_allclose(frames[1], np.log(np.array(bands) + 1e-5), atol=0.01)


def test_a_stream_has_the_frames_of_the_whole():
    samples = np.random.default_rng(0).normal(size=5_000).astype("float32")
    stream = FrameStream()
    pieces = [stream.push(samples[at : at + 333]) for at in range(0, 5_000, 333)]
    np.testing.assert_array_equal(np.concatenate(pieces), log_mel(samples))


def test_frames_side_by_side_are_one_step():
    frames = np.arange(14).reshape(7, 2)
    np.testing.assert_array_equal(stacked(frames, 3), [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])


def test_a_band_that_is_silent_in_training_is_not_blown_up():
    silent, heard = np.full((50, BANDS), -11.5), np.full((50, BANDS), -1.5)
    assert np.abs(Scale([silent], 0.1)(heard)).max() == pytest.approx(100)


def test_a_deviation_of_sound_is_not_changed():
    frames = log_mel(np.random.default_rng(0).normal(size=RATE) * 1e-4)
    np.testing.assert_allclose(Scale([frames], Settings().least_deviation)(frames).std(axis=0), 1, rtol=1e-3)


def test_a_silent_band_is_missed_unless_recordings_of_the_training_are_silent_there():
    random = np.random.default_rng(0)
    wide = [log_mel(random.normal(size=RATE) * 0.01) for _ in range(10)]
    narrow = [log_mel(resample(random.normal(size=RATE // 2) * 0.01, RATE // 2)) for _ in range(10)]
    assert Scale(wide, 0.1).misses(narrow[0])
    assert not Scale(wide, 0.1).misses(wide[0])
    assert not Scale(wide + narrow, 0.1).misses(narrow[0])


# Errors.


def test_a_distance_counts_insertions_deletions_and_replacements():
    for first, second, number in (("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0)):
        assert distance(first, second) == number
    assert distance(["one", "two"], ["two"]) == 1


def test_error_rates_are_of_all_characters_and_words():
    found = measure(["ab cd", "e"], ["ab c", "f"])
    assert found == {"error_rate": 2 / 6, "word_error_rate": 2 / 3, "exact": 0}
    assert constant(["aab", "ab b a a", "c"]) == "aaa"


def test_a_rule_reads_clean_morse_code():
    random = np.random.default_rng(0)
    texts = [marks_of(text) for text in ("paris ok", "sos", "cq de k")]
    assert texts[1] == "... --- ..."
    said = [by_rule(log_mel(keyed(text, random))) for text in texts]
    assert measure(texts, said)["error_rate"] < 0.2


# Data.


def test_generated_recordings_depend_on_the_seed_alone():
    first, again, other = morse(10, 0), morse(10, 0), morse(10, 1)
    assert first.texts == again.texts != other.texts
    for ours, theirs in zip(first.frames, again.frames, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_texts_are_in_lower_case_with_single_spaces():
    assert normalised("  Cafe\u0301  AU\tlait ") == "caf\u00e9 au lait"


def test_a_voice_is_in_one_part(folder):
    recordings = read_recordings(folder, with_texts=True)
    split = Split.of(recordings, Settings())
    parts = [{recordings.voices[row] for row in rows} for rows in (split.training, split.validation, split.test)]
    assert [len(part) for part in parts] == [7, 1, 2]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_digits_need_a_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    result = run("train", "transcribe", "--dataset", "digits", "--out", tmp_path / "run")
    refused(result, "pip install espeakng-loader==0.2.4")
    assert not (tmp_path / "run").exists()


def test_digits_are_spoken_in_many_voices():
    witness("espeakng_loader")
    found = spoken.digits(12, 0)
    assert len(set(found.voices)) == 12
    assert all(text.isdigit() and len(frames) > 20 for text, frames in zip(found.texts, found.frames, strict=True))


def test_a_seed_gives_the_same_recordings_whatever_was_said_before(python):
    witness("espeakng_loader")
    alone = python(
        "import hashlib; from numlstm.tasks.transcribe.spoken import digits;"
        "print(hashlib.sha256(b''.join(each.tobytes() for each in digits(90, 3).frames)).hexdigest())"
    )
    spoken.digits(90, 4)
    frames = spoken.digits(90, 3).frames
    assert hashlib.sha256(b"".join(each.tobytes() for each in frames)).hexdigest() == alone.strip()


# A run.


def test_a_run_writes_tones_down(trained):
    assert {path.name for path in trained.iterdir()} >= TRAINED
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["error_rate"] < 0.1 < 0.5 < metrics["constant_error_rate"]
    assert metrics["voices"] == 2
    assert "unheard voices" in metrics["verdict"]
    assert (trained / "transcribe.png").stat().st_size > 5_000
    assert "recordings written down" in (trained / "report.html").read_text()


def test_a_run_of_an_earlier_version_keeps_its_scale(trained, tmp_path):
    place = copied(trained, tmp_path)
    config = json.loads((place / "config.json").read_text())
    assert config["settings"].pop("least_deviation") == Settings().least_deviation
    (place / "config.json").write_text(json.dumps(config))
    assert task.load(place)[0].settings.least_deviation == 1e-3


def test_the_commands_agree(trained, folder, tmp_path):
    evaluated = run("evaluate", trained)
    assert evaluated.exit_code == 0, evaluated.output
    metrics = json.loads((trained / "metrics.json").read_text())
    assert json.loads(evaluated.output)["error_rate"] == metrics["error_rate"]
    whole = run("evaluate", trained, folder)
    assert json.loads(whole.output)["recordings"] == 60
    rows = [row.split(",") for row in run("predict", trained).output.splitlines()]
    assert rows[0] == ["file", "text", "predicted"]
    assert len(rows) == 1 + metrics["recordings"]
    plotted = run("plot", trained, "--out", tmp_path / "a.png")
    assert plotted.exit_code == 0, plotted.output


def test_transcribe_writes_a_file_down_and_also_while_it_comes_in(trained, tmp_path):
    write_wav(tmp_path / "a.wav", tones("cab", np.random.default_rng(5)))
    write_wav(tmp_path / "b.wav", tones("bb", np.random.default_rng(6)))
    one = run("transcribe", trained, tmp_path / "a.wav")
    assert one.output == "cab\n"
    assert run("transcribe", trained, tmp_path).output == "a.wav\tcab\nb.wav\tbb\n"
    streamed = CliRunner().invoke(main, ["transcribe", str(trained), str(tmp_path / "a.wav"), "--stream"])
    assert streamed.stdout.startswith("cab\n")
    assert "45 ms" in streamed.output
    loaded = task.load_able(trained, task.Transcriber)
    pieces = list(loaded.listen(tmp_path / "a.wav"))
    assert "".join(pieces) == "cab"
    assert sum(map(bool, pieces)) > 1


def test_a_search_and_a_language_model_change_the_text(trained, language_models, tmp_path):
    write_wav(tmp_path / "a.wav", tones("cab", np.random.default_rng(5)))
    words = ["transcribe", trained, tmp_path / "a.wav"]
    assert run(*words, "--beam", "8").output == "cab\n"
    weighed = [*words, "--language-model", language_models["abc"]]
    assert run(*weighed, "--lm-weight", "0.01").output == "cab\n"
    assert run(*weighed, "--lm-weight", "100").output.strip() in ("", "ab")
    assert len(run(*weighed, "--lm-weight", "0", "--lm-bonus", "100").output) > 8
    twice = task.load_able(trained, task.Transcriber).transcribe(tmp_path / "a.wav", beam=8)
    assert list(twice.rows) == [("a.wav", "cab")]


def test_a_clipped_recording_is_written_down_with_a_note(trained, tmp_path):
    write_wav(tmp_path / "loud.wav", np.clip(8 * tones("cab", np.random.default_rng(5)), -1, 1))
    result = run("transcribe", trained, tmp_path / "loud.wav")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert "clipped" in result.stderr
    assert "loud.wav" in result.stderr


def test_a_recording_without_high_frequencies_is_written_down_with_a_note(trained, tmp_path):
    for name, rate in (("narrow.wav", 8_000), ("wide.wav", 48_000)):
        write_wav(tmp_path / name, tones("cab", np.random.default_rng(5), rate), rate)
    result = run("transcribe", trained, tmp_path)
    assert result.exit_code == 0
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["narrow.wav", "wide.wav"]
    assert "Note: silent in frequencies" in result.stderr
    assert result.stderr.rstrip().endswith("'narrow.wav'")


def test_a_model_of_both_directions_cannot_stream():
    recordings = morse(12, 0)
    training = train(recordings, Settings(units=4, epochs=1), 0)
    with pytest.raises(ValueError, match="--direction one"):
        next(training.transcriber.stream(iter([np.zeros(1_000, "float32")])))


def test_a_resumed_training_ends_with_the_same_bits(folder, tmp_path, monkeypatch):
    words = ["train", "transcribe", folder, *SMALL, "--epochs", "3", "--quiet", "--no-plot"]
    assert run(*words, "--out", tmp_path / "whole").exit_code == 0
    original = fitting._Watch.on_epoch_end

    def stop(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 1:
            raise Interrupted(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(fitting._Watch, "on_epoch_end", stop)
        cut = run(*words, "--out", tmp_path / "cut", "--checkpoint-every", "1")
    assert cut.exit_code == 130, cut.output
    again = run("train", "--resume", tmp_path / "cut", "--no-plot")
    assert again.exit_code == 0, again.output
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# The README.


def test_the_script_of_the_readme_learns_morse_code():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python")[1:]]
    (script,) = (block for block in blocks if "import morse" in block)
    assert len(script.strip().splitlines()) <= 20
    found = {}
    set_seed(0)
    exec(compile(script, "README.md", "exec"), found)
    assert measure(found["data"].texts[-30:], found["texts"])["error_rate"] < 0.4


# Refusals.


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda at: (at / "3.wav").unlink(), "row 4 of"),
        (lambda at: (at / "3.wav").unlink(), "names '3.wav', which is not in the folder"),
        (lambda at: (at / "3.wav").write_bytes(b"RIFF"), "3.wav is no WAV file"),
        (lambda at: (at / "3.wav").write_bytes((at / "3.wav").read_bytes()[:-100]), "3.wav is cut off"),
        (lambda at: write_wav(at / "3.wav", []), "3.wav is empty"),
        (lambda at: write_wav(at / "3.wav", [0] * 100), "3.wav is too short"),
        (lambda at: write_wav(at / "3.wav", [0] * 6_000, width=1), "samples of 8 bits: save it with 16 bits"),
        (lambda at: write_wav(at / "3.wav", [0] * 6_000, channels=3), "3 channels"),
        (lambda at: write_wav(at / "3.wav", [0] * 6_000, rate=1_000), "1,000 samples per second"),
        (lambda at: write_wav(at / "3.wav", [0] * 4_000 * 61, rate=4_000), "61 s long"),
        (lambda at: (at / "texts.tsv").unlink(), "no .tsv file"),
        (lambda at: (at / "more.tsv").write_text("a"), "2 .tsv files"),
        (lambda at: (at / "texts.tsv").write_text(""), "expected file and text"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n"), "has no rows"),
        (lambda at: (at / "texts.tsv").write_bytes(b"file\ttext\n\xff\ta\n"), "in UTF-8"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n1.wav\ta\0\n"), "null characters"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n1.wav\n"), "row 1 of"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n1.wav\t \n"), "no text for '1.wav'"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n../1.wav\ta\n"), "of the same folder"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n1.wav\ta\n1.wav\tb\n"), "two texts"),
        (lambda at: (at / "texts.tsv").write_text("file\ttext\n1.wav\ta\n"), "at least 10"),
        (lambda at: (at / "texts.tsv").write_text(table("abc" * 20)), "too few for the 60 characters"),
        (lambda at: (at / "texts.tsv").write_text(table("a", "one")), "none is left to learn from"),
    ],
)
def test_a_folder_is_refused(damage, part, folder, tmp_path):
    place = copied(folder, tmp_path)
    damage(place)
    result = run("train", "transcribe", place, "--out", tmp_path / "run")
    refused(result, part)
    assert not (tmp_path / "run").exists()


def table(text, voice=None):
    head = "file\ttext" + ("" if voice is None else "\tvoice")
    tail = "" if voice is None else f"\t{voice}"
    return "\n".join([head, *(f"{number}.wav\t{text}{tail}" for number in range(12))])


def copied(source, tmp_path):
    place = tmp_path / "copy"
    place.mkdir()
    for path in source.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["predict", "--steps", "3"], "no steps to forecast"),
        (["backtest"], "no series to backtest"),
        (["evaluate", "a.wav"], "no texts to compare with"),
        (["evaluate", "unknown"], "'z'"),
        (["predict", "a.wav", "--decimal", ","], "without options"),
        (["transcribe", "none.wav"], "none.wav"),
        (["transcribe", "a.wav", "--language-model", "none"], "none"),
        (["transcribe", "a.wav", "--language-model", "b"], "does not know 'c', which a transcript may have"),
        (["transcribe", "a.wav", "--language-model", "words"], "without --level word"),
        (["transcribe", "a.wav", "--language-model", "tones"], "writes no text"),
        (["transcribe", "a.wav", "--lm-weight", "1"], "are for --language-model"),
        (["transcribe", "a.wav", "--stream", "--beam", "2"], "--stream writes at once"),
        (["transcribe", "a.wav", "--beam", "0"], "beam must be at least 1, not 0"),
        (["transcribe", "a.wav", "--beam", "1001"], "beam must be at most 1000"),
        (
            ["transcribe", "a.wav", "--language-model", "abc", "--lm-weight", "-1"],
            "--lm-weight must be a number from 0 on",
        ),
        (["transcribe", "a.wav", "--language-model", "abc", "--lm-bonus", "inf"], "--lm-bonus must be a finite number"),
    ],
)
def test_a_run_refuses_what_it_cannot_do(words, part, trained, language_models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, place in language_models.items():
        (tmp_path / name).symlink_to(place)
    write_wav(tmp_path / "a.wav", tones("abc", np.random.default_rng(0)))
    (tmp_path / "unknown").mkdir()
    write_wav(tmp_path / "unknown" / "a.wav", tones("abc", np.random.default_rng(0)))
    (tmp_path / "unknown" / "texts.tsv").write_text("file\ttext\na.wav\tabz\n")
    command, *rest = words
    refused(run(command, trained, *rest), part)


@pytest.mark.parametrize(
    ("name", "old", "new", "part"),
    [
        ("config.json", b'"units": 16', b'"units": 0', "config.json is damaged: units"),
        ("config.json", b'"kind": "folder"', b'"kind": "x"', "its kind is 'x'"),
        ("config.json", b'"abc"', b'"abd"', "not those that config.json tells of"),
        ("config.json", b'"stack": 3', b'"stack": 2', "not the model"),
        ("recordings.tsv", b"voice 1\n", b"voice 1\n\n", "recordings.tsv is damaged"),
        ("frames.npz", b"PK", b"XX", "frames.npz is damaged"),
    ],
)
def test_a_damaged_folder_is_refused(name, old, new, part, trained, tmp_path):
    place = copied(trained, tmp_path)
    content = (place / name).read_bytes()
    assert old in content
    (place / name).write_bytes(content.replace(old, new))
    refused(run("evaluate", place), part)


def test_a_run_of_another_task_writes_nothing_down(tmp_path):
    refused(run("transcribe", tmp_path, "a.wav"), "no run folder")
