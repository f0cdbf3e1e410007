"""The run folder of a language model.

- model.safetensors: the model
- config.json: settings, vocabulary, parts, versions
- text.txt: the text, in UTF-8
- history.csv: epoch, loss, val_loss, in nats for each symbol
- metrics.json: bits per character on the held-out part, beside the rivals; backend and kernel name
- sample.txt: text from the model
- generate.png: the learning curves, and the sample
- report.html: all of this for a reader, with the command that repeats the training
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from math import log
from pathlib import Path
from typing import Any

from numlstm import checks, files
from numlstm.decoding import LanguageModel as NextLabel
from numlstm.messages import argument, listed, plain
from numlstm.model import Model, load_model
from numlstm.reading import opened
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_json, write_json
from numlstm.tasks.generate import page, report
from numlstm.tasks.generate.config import Config, describe
from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.language import LanguageModel, NextSymbols, Sampling
from numlstm.tasks.generate.measure import bits_of, measure
from numlstm.tasks.generate.network import samples_words
from numlstm.tasks.generate.options import PICTURE
from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.texts import Text, read_text
from numlstm.tasks.generate.train import Training, sample_of
from numlstm.tasks.task import Table

__all__ = ["FILES", "PICTURE", "Run", "curves", "load", "prepare", "resume", "save"]

_MODEL, _TEXT, _HISTORY = "model.safetensors", "text.txt", "history.csv"
FILES = frozenset({_MODEL, "config.json", _TEXT, _HISTORY, "metrics.json", "sample.txt", PICTURE, REPORT, CHECKPOINT})


@dataclass(frozen=True)
class Run:
    """A run folder that was read back.

    language: the trained model
    corpus: the text in its parts
    history: "loss" and "val_loss" for each epoch
    versions: versions by names
    folder: the folder
    """

    language: LanguageModel
    corpus: Corpus
    history: dict[str, list[float]]
    versions: dict[str, str]
    folder: Path

    note = None

    @property
    def model(self) -> Model:
        """The trained model: ids (B, T) to logits."""
        return self.language.model

    @property
    def batch_size(self) -> int:
        """The streams of a training step."""
        return self.language.settings.streams

    def read(self, path: str | Path, given: Mapping[str, Any] | None = None) -> Text:
        """Read another text; its notes say what characters the model does not know.

        Args:
            path: the file.
            given: "encoding" and no other option. Without it, the encoding is that of the training.

        Raises:
            OSError, ValueError: as for `read_text`; or another option is given.
        """
        chosen = dict(given or {})
        encoding = chosen.pop("encoding", self.corpus.text.encoding)
        if chosen:
            raise ValueError(f"a text is read with --encoding alone: leave out {listed(chosen)}")
        text = read_text(Path(path), encoding)
        part = self.language.vocabulary.encode(text.content)
        if not part.unknown:
            return text
        count = int((part.ids == 0).sum())
        note = (
            f"the training text lacks {count} of {len(text.content)} characters: {listed(part.unknown)}; each counts"
            " with the bits of its code point"
        )
        return replace(text, notes=(note,))

    def evaluate(self, data: Text | None) -> dict[str, Any]:
        """Compute bits per character of the held-out part, or of all of another text, beside bzip2 and n-grams."""
        return measure(self.language, self.corpus, None if data is None else data.content)

    def predict(self, data: Text | None, steps: int | None) -> Table:
        """The bits of each character or word of the held-out part, or of another text: position, text, bits.

        Raises:
            ValueError: `steps` is given.
        """
        if steps is not None:
            raise ValueError("a language model predicts no steps: `numlstm generate` writes text from it")
        if data is None:
            part, before = self.corpus.encoded[2], self.corpus.encoded[1]
            first = 1 + sum(map(len, self.corpus.contents[:2]))
        else:
            part, before, first = self.language.vocabulary.encode(data.content), None, 1
        bits = bits_of(self.language, part, before)
        positions = accumulate(map(len, part.parts[:-1]), initial=first)
        rows = zip(positions, part.parts, (f"{value:.4f}" for value in bits), strict=True)
        return Table(("position", "text", "bits"), rows)

    def generate(
        self, prompt: str = "", length: int = 400, temperature: float = 0.8, top_k: int | None = None,
        top_p: float = 1.0, seed: int | None = None,
    ) -> Iterator[str]:  # fmt: skip
        """Generate text after a prompt, piece by piece: `"".join(run.generate("Alice"))`.

        Args:
            prompt: the text before it; "": it begins after the end of a line.
            length: the number of characters. A last word is not cut.
            temperature: below 1 the likely symbols become likelier; 0: always the likeliest.
            top_k: draw from this many of the likeliest symbols; None: from all.
            top_p: draw from the fewest likeliest symbols that have this probability together.
            seed: the seed of the draws; None: another text each time.

        Raises:
            ValueError, TypeError: a number is out of range, or the prompt has characters that the model does not know.
        """
        sampling = Sampling(temperature, top_k, top_p, seed)
        symbols = self.language.vocabulary.encode_prompt(prompt)
        return _first(self.language.generate(symbols, sampling), checks.integer(length, argument("length"), least=0))

    def language_model(self, characters: str) -> NextLabel:
        """Weigh the labels of a model that was trained with CTC: `numlstm.utils.ctc_decode(language_model=...)`.

        Args:
            characters: the character of each label from 1. Label 0 is the blank.

        Raises:
            ValueError: the model is one of words, or does not know a character.
        """
        vocabulary = self.language.vocabulary
        if vocabulary.level != "char":
            raise ValueError(
                f"{self.folder} is a language model of words: train one of characters, without --level word"
            )
        encoded = vocabulary.encode(characters)
        if encoded.unknown:
            raise ValueError(
                f"the language model {self.folder} does not know {listed(encoded.unknown)}, which a transcript may"
                " have: train it on a text with all characters of the transcripts"
            )
        return NextSymbols(self.language, encoded.ids)

    def draw(self, path: Path) -> None:
        """Plot the learning curves, and text from the model."""
        metrics = self.evaluate(None)
        title = f"{self.corpus.text.name}: {report.headline(metrics)}"
        text = sample_of(self.language, self.language.settings.seed)
        report.draw(path, title, curves(self.history, self.corpus, self.language.settings), metrics, text)

    def report(self) -> str:
        """Tell all of the run as a page of HTML. The errors are computed anew."""
        settings = self.language.settings
        facts = page.Facts(
            corpus=self.corpus, settings=settings, measured=self.evaluate(None),
            metrics=read_json(self.folder / "metrics.json"), curves=curves(self.history, self.corpus, settings),
            sample=sample_of(self.language, settings.seed), versions=self.versions, folder=self.folder,
        )  # fmt: skip
        return page.page(facts)


def _first(parts: Iterator[str], length: int) -> Iterator[str]:
    """The first parts that have this length together."""
    while length > 0:
        part = next(parts)
        yield part
        length -= len(part)


def curves(history: Mapping[str, list[float]], corpus: Corpus, settings: Settings) -> dict[str, list[float]]:
    """The losses of each epoch in bits per character, by names for a reader. That of sampled words is no such loss."""
    names = {"loss": "training, with dropout", "val_loss": "validation"}
    found = {}
    for (name, label), part in zip(names.items(), corpus.encoded[:2], strict=True):
        if name == "loss" and samples_words(settings, len(corpus.vocabulary)):
            continue
        scale = len(part.ids) / part.characters / log(2)
        found[label] = [scale * value for value in history.get(name, [])]
    return found


def prepare(folder: Path, corpus: Corpus, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder: text.txt, then config.json."""
    files.write(folder / _TEXT, corpus.text.content.encode())
    write_json(folder / "config.json", describe(corpus, settings))


def save(folder: Path, corpus: Corpus, training: Training) -> None:
    """Write all files except picture and report to an existing folder."""
    prepare(folder, corpus, training.model.settings)
    training.model.model.save(folder / _MODEL)
    history = training.member.history
    rows = [(epoch, *values) for epoch, values in enumerate(zip(*history.values(), strict=True), start=1)]
    files.write(folder / _HISTORY, Table(("epoch", *history), rows).csv().encode())
    files.write(folder / "sample.txt", training.sample.encode())
    write_json(folder / "metrics.json", training.metrics)


def resume(folder: Path) -> tuple[Text, Settings]:
    """Read the text and the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    config = Config.read(folder)
    return config.text(folder / _TEXT), config.settings


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    config = Config.read(folder)
    path = folder / _MODEL
    if not path.exists():
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    corpus = Corpus.of(config.text(folder / _TEXT), config.settings, config.vocabulary)
    try:
        language = LanguageModel.of(load_model(path).get_weights(), config.vocabulary, config.settings)
    except (TypeError, ValueError) as error:
        raise ValueError(plain(f"{path} is not the model that config.json tells of: {error}")) from error
    return Run(language, corpus, _history(folder / _HISTORY), config.versions, folder)


def _history(path: Path) -> dict[str, list[float]]:
    with opened(path) as file:
        content = file.read()
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        return {name: [float(row[name]) for row in rows] for name in ("loss", "val_loss") if rows}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(plain(f"{path} is damaged: {error}")) from error
