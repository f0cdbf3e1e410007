"""The run folder of the transcribe task.

- model.safetensors: the model
- config.json: settings, names, characters, versions
- recordings.tsv: the files, texts and voices
- frames.npz: the frames of all recordings, one behind the other, and their lengths
- history.csv: losses of each epoch
- metrics.json: error rates on the held-out part, those of the rivals, backend and kernel name
- transcribe.png: some held-out recordings with the text where the model wrote it
- report.html: the report on the run
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

import io
import platform
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import files
from numlstm.messages import listed, plain, quoted
from numlstm.model import Model, load_model
from numlstm.reading import opened
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_config, write_json
from numlstm.tasks.task import Table, Writer
from numlstm.tasks.transcribe import page, report
from numlstm.tasks.transcribe.audio import RATE, read_wav
from numlstm.tasks.transcribe.features import BANDS, STEP, WINDOW
from numlstm.tasks.transcribe.network import Search, Transcriber
from numlstm.tasks.transcribe.options import DATASETS, PICTURE
from numlstm.tasks.transcribe.recordings import Recordings, read_recordings
from numlstm.tasks.transcribe.report import Example
from numlstm.tasks.transcribe.settings import Settings
from numlstm.tasks.transcribe.train import Split, Training, measured

__all__ = ["FILES", "PICTURE", "Run", "load", "prepare", "resume", "save"]

_MODEL, _CONFIG, _TABLE, _FRAMES = "model.safetensors", "config.json", "recordings.tsv", "frames.npz"
FILES = frozenset({_MODEL, _CONFIG, _TABLE, _FRAMES, "history.csv", "metrics.json", PICTURE, REPORT, CHECKPOINT})
_FORMAT = 1
_BEFORE = {"least_deviation": 1e-3}
"""Settings of runs whose config.json does not tell them."""


@dataclass(frozen=True)
class Run:
    """A run folder that was read back."""

    transcriber: Transcriber
    recordings: Recordings
    split: Split
    settings: Settings
    note = None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.transcriber.model

    @property
    def batch_size(self) -> int:
        """Recordings in a training step."""
        return self.settings.batch_size

    def read(self, path: str | Path, given: Mapping[str, Any] | None = None) -> Recordings:
        """Read a WAV file or a folder of them, with or without texts.

        Raises:
            OSError, ValueError: as for `read_recordings`, or an option is given.
        """
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise ValueError(f"recordings are read without options: leave {flags} out")
        return self._read(Path(path))

    def evaluate(self, data: Recordings | None) -> dict[str, Any]:
        """Compute the error rates on the held-out part, or on all of other recordings, and those of the rivals."""
        return measured(self.recordings, self.split, self.transcriber, data)

    def predict(self, data: Recordings | None, steps: int | None) -> Table:
        """The text of each recording of the held-out part, or of other recordings."""
        if steps is not None:
            raise ValueError("a run of transcribe has no steps to forecast: leave --steps out")
        chosen = self.recordings.part(self.split.test) if data is None else data
        said = self.transcriber.texts(chosen.frames)
        columns = [chosen.files, *([] if chosen.texts is None else [chosen.texts]), said]
        names = ("file", *([] if chosen.texts is None else ["text"]), "predicted")
        return Table(names, zip(*columns, strict=True))

    @property
    def latency(self) -> float:
        """Seconds from the first sample of a step to its last: the frames of a step, of which each has a window."""
        return ((self.settings.stack - 1) * STEP + WINDOW) / RATE

    def transcribe(
        self, path: Path, beam: int | None = None, language_model: Writer | None = None, lm_weight: float = 0.5,
        lm_bonus: float = 0.0,
    ) -> Table:  # fmt: skip
        """Write a WAV file down, or each in a folder: file, text. Arguments as for `numlstm.tasks.task.Transcriber`.

        Raises:
            OSError, ValueError: as for `read_recordings`; or the language model does not fit.
            TypeError, ValueError: a number is none, or out of range.
        """
        search = None
        if beam is not None or language_model is not None:
            weigh = None if language_model is None else language_model.language_model(self.transcriber.characters)
            search = Search(Search.beam if beam is None else beam, weigh, lm_weight, lm_bonus)
        found = self._read(path)
        texts = self.transcriber.texts(found.frames, search)
        return Table(("file", "text"), list(zip(found.files, texts, strict=True)), "; ".join(found.notes))

    def listen(self, path: Path) -> Iterator[str]:
        """The characters that each tenth of a second of a WAV file adds to its text.

        Raises:
            OSError, ValueError: the file cannot be read, or the model reads in both directions.
        """
        samples = read_wav(path).samples
        return self.transcriber.stream(samples[at : at + RATE // 10] for at in range(0, len(samples), RATE // 10))

    def draw(self, path: Path) -> None:
        """Plot some held-out recordings with the text where the model wrote it."""
        report.draw(path, self.recordings.name, self.evaluate(None), self._examples())

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""
        return page.page(self.recordings.name, self.evaluate(None), self._examples(), self.recordings.notes)

    def _read(self, path: Path) -> Recordings:
        """Recordings with a note on those that lack frequencies, as all do that have a lower rate than `RATE`."""
        found = read_recordings(path)
        files = zip(found.files, found.frames, strict=True)
        silent = [file for file, frames in files if self.split.scale.misses(frames)]
        if not silent:
            return found
        note = (
            "silent in frequencies in which the recordings of the training are not, as at a lower rate, so that the"
            f" text may be wrong: {listed(silent)}"
        )
        return replace(found, notes=(*found.notes, note))

    def _examples(self) -> list[Example]:
        return report.examples_of(self.recordings.part(self.split.test), self.transcriber)


def prepare(folder: Path, recordings: Recordings, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder. Errors as for `Split.of`."""
    _write(folder, recordings, settings, Split.of(recordings, settings))


def save(folder: Path, training: Training) -> None:
    """Write all files except picture and report to an existing folder."""
    training.transcriber.model.save(folder / _MODEL)
    history = training.member.history
    names = [name for name in history if name != "epoch"]
    rows = [(epoch + 1, *(history[name][epoch] for name in names)) for epoch in range(len(history.get("loss", [])))]
    files.write(folder / "history.csv", Table(("epoch", *names), rows).csv().encode())
    write_json(folder / "metrics.json", training.metrics | {"verdict": report.sentence(training.metrics)})
    _write(folder, training.recordings, training.settings, training.split)


def resume(folder: Path) -> tuple[Recordings, Settings]:
    """Read the recordings and the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    recordings, settings, _ = _read(folder)
    return recordings, settings


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    recordings, settings, split = _read(folder)
    if not (folder / _MODEL).exists():
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    model = load_model(folder / _MODEL)
    shapes = (None, None, settings.stack * BANDS), (None, None, len(split.characters) + 1)
    if (model.input_shape, model.output_shape) != shapes:
        raise ValueError(f"{folder / _MODEL} is not the model that {_CONFIG} tells of")
    return Run(Transcriber(model, split.characters, split.scale, settings.stack), recordings, split, settings)


def _write(folder: Path, recordings: Recordings, settings: Settings, split: Split) -> None:
    """Write the recordings, and config.json last."""
    assert recordings.texts is not None
    columns = [recordings.files, recordings.texts, *([] if recordings.voices is None else [recordings.voices])]
    lines = ["\t".join(row) + "\n" for row in zip(*columns, strict=True)]
    files.write(folder / _TABLE, "".join(lines).encode())
    packed = io.BytesIO()
    lengths = np.array([len(each) for each in recordings.frames])
    np.savez_compressed(packed, frames=np.concatenate(recordings.frames), lengths=lengths)
    files.write(folder / _FRAMES, packed.getvalue())
    config = {
        "format": _FORMAT,
        "task": "transcribe",
        "name": recordings.name,
        "kind": recordings.kind,
        "notes": list(recordings.notes),
        "characters": split.characters,
        "settings": asdict(settings),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numlstm", "numpy", "numba")},
    }
    write_json(folder / _CONFIG, config)


def _read(folder: Path) -> tuple[Recordings, Settings, Split]:
    """Read and check the recordings and config.json."""
    config = read_config(folder)
    try:
        if config["format"] != _FORMAT:
            raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
        settings = Settings(**(_BEFORE | config["settings"]))
        name, kind, notes, characters = (config[key] for key in ("name", "kind", "notes", "characters"))
        for text in (name, kind, characters, *notes):
            if not isinstance(text, str):
                raise ValueError(f"it has {quoted(text)} where a text is expected")
        if kind not in ("folder", *DATASETS):
            raise ValueError(f"its kind is {quoted(kind)}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(plain(f"{folder / _CONFIG} is damaged: {reason}")) from error
    with opened(folder / _TABLE) as file:
        rows = [line.split("\t") for line in file.read().decode("utf-8", "replace").split("\n")[:-1]]
    frames = _frames(folder / _FRAMES)
    widths = {len(row) for row in rows}
    if len(rows) != len(frames) or widths not in ({2}, {3}) or not all(row[1].strip() for row in rows):
        raise ValueError(f"{folder / _TABLE} is damaged: it does not have a file and a text for each recording")
    names, texts, *voices = (tuple(column) for column in zip(*rows, strict=True))
    recordings = Recordings(name, kind, names, frames, texts, voices[0] if voices else None, tuple(notes))
    split = Split.of(recordings, settings)
    if split.characters != characters:
        raise ValueError(f"{folder / _TABLE} is damaged: its texts are not those that {_CONFIG} tells of")
    return recordings, settings, split


def _frames(path: Path) -> tuple[np.ndarray, ...]:
    """Read and check the frames of all recordings."""
    try:
        with opened(path) as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as packed:
            frames, lengths = packed["frames"], packed["lengths"]
        if frames.dtype != np.float16 or frames.ndim != 2 or frames.shape[1] != BANDS or not np.isfinite(frames).all():
            raise ValueError(f"its frames are not finite numbers of {BANDS} bands")
        if lengths.dtype.kind != "i" or lengths.ndim != 1 or (lengths < 1).any() or lengths.sum() != len(frames):
            raise ValueError("its lengths are not those of its frames")
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(plain(f"{path} is damaged: {error}")) from error
    return tuple(np.split(frames, np.cumsum(lengths)[:-1]))
