"""The interface of all tasks.

A task is a folder here. Its `run.py` writes run folders and reads them back as a `Run`. A task that `numlstm train`
trains has two more files: `options.py` with a `Command`, and `job.py`, which makes a `Job` from data and options, or
from the folder of a training that goes on. Other files are the task's own, such as `settings.py`, `train.py` and
`report.py`.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from numlstm.data.rows import row_writer
from numlstm.decoding import LanguageModel
from numlstm.kernels import RecurrentUse
from numlstm.messages import quoted
from numlstm.model import Model
from numlstm.tasks.folder import REPORT, UNFINISHED, read_config

__all__ = [
    "DEFAULT", "TASKS", "Backtest", "Command", "Data", "Foreteller", "Job", "Measurable", "Option", "Run", "Table",
    "Transcriber", "Translator", "Writer", "able", "begin", "command", "command_of", "distinct", "grouped",
    "is_part_of_run", "kernels_used", "load", "load_able", "resume", "source_of",
]  # fmt: skip

_Ability = TypeVar("_Ability")

TASKS = tuple(sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if found.ispkg))
"""The names of all tasks, which are the names of the folders beside this file."""

DEFAULT = "forecast"
"""The task that `numlstm train` trains if none is named."""


@dataclass(frozen=True)
class Option:
    """An option that a training has on the command line.

    flag: such as "--window", or "--plot/--no-plot" for a bool
    name: the name by which `begin` gets the value
    values: int, float, str or bool, or the words to choose from
    help: a sentence, and the default in brackets
    several: whether the option may be repeated; then the value is a tuple
    group: the heading under which the help has it, or "" for the first one
    """

    flag: str
    name: str
    values: type | tuple[str, ...]
    help: str
    several: bool = False
    group: str = ""


def grouped(options: Iterable[Option], headings: Mapping[str, Sequence[str]]) -> tuple[Option, ...]:
    """Options, of which those without a group get one. headings: the names of options by the headings of the help."""
    groups = {name: heading for heading, names in headings.items() for name in names}
    return tuple(option if option.group else replace(option, group=groups.get(option.name, "")) for option in options)


@dataclass(frozen=True)
class Command:
    """What `numlstm train` says of a task, and what a training can be told.

    about: the help. Its first sentence stands in the list of commands
    data: the word for the file with the data
    options: the options of the task, in the order of the help
    picture: the name of the picture in a run folder
    examples: command lines
    """

    about: str
    data: str
    options: tuple[Option, ...]
    picture: str
    examples: tuple[str, ...]


class Job(Protocol):
    """A training: it has data and settings from the beginning, and a result after `train`.

    All methods raise ValueError or OSError, with a message of one sentence, if data or settings do not fit.
    """

    name: str
    """The name of the data, which is that of the run folder if no other is given."""
    signal: int | None
    """The number of the signal that stopped the training; None if none did. Set by `train`."""
    failure: str | None
    """What stopped the training, such as an error of the device; None if nothing did. Set by `train`."""
    resumable: bool
    """Whether the training can go on from its checkpoint. Set by `train`."""
    unmeasured: str | None
    """Why the result could not be measured; None if it was. Set by `train`."""

    @property
    def files(self) -> Set[str]:
        """The names of all files that the run folder may contain."""

    def introduction(self) -> str:
        """Describe what the model is trained on: a line for each note on the data, and one for their parts."""

    def prepare(self, folder: Path) -> None:
        """Write the files that `resume` reads to an existing folder, config.json last."""

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train, and measure the result. A KeyboardInterrupt ends the training early and keeps what was learned.

        Args:
            verbose: as for `Sequential.fit`.
            checkpoint: the file for the state of the training. If it exists, the training goes on from it.
            every: the time or the number of steps between two checkpoints, as for `Sequential.fit`.
            fitted: called as soon as the training has ended. Until then, a signal may raise KeyboardInterrupt.

        Raises:
            KeyboardInterrupt: there is nothing to keep.
            numlstm.backend.DeviceError: the device cannot be used, or nothing was learned before it failed.
        """

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""

    def draw(self, path: Path) -> None:
        """Draw the picture of a result that was measured. The ending of the path determines the format."""

    def report(self, folder: Path) -> str:
        """Tell all of the run, which `save` wrote to a folder, as a page of HTML."""

    def sentence(self) -> str:
        """Report a result that was measured in one line."""


@dataclass(frozen=True)
class Table:
    """The header and the rows of a CSV file.

    note: a sentence on what a user should know of it, or ""
    """

    header: tuple[str, ...]
    rows: Iterable[tuple[object, ...]]
    note: str = ""

    def csv(self) -> str:
        """The text of the file. The rows can be read once."""
        file = io.StringIO()
        writer = row_writer(file)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return file.getvalue()


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names of a table's columns, of which data name some: a name that another has already gets an underscore."""
    found: list[str] = []
    for name in reversed(names):  # The last ones are ours, and keep their names.
        while name in found:
            name += "_"
        found.append(name)
    return tuple(reversed(found))


class Backtest(Protocol):
    """The measured forecasts of several folds of a series, or of several series."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a user should know of the data."""

    def text(self) -> str:
        """The errors as tables for a reader."""

    def metrics(self) -> dict[str, Any]:
        """The errors as plain data."""

    def forecasts(self) -> Table:
        """Every forecast."""

    def draw(self, path: Path) -> None:
        """Plot forecasts of every fold. The ending of the path determines the format."""


class Data(Protocol):
    """Data that a run has read from a file."""

    notes: tuple[str, ...]
    """Sentences on what a user should know of them."""


class Run(Protocol):
    """The operations on a run folder that was read back.

    All methods raise ValueError or OSError, with a message of one sentence, if data do not fit the run.
    """

    @property
    def model(self) -> Model:
        """The trained model."""

    @property
    def batch_size(self) -> int:
        """Batch size of a training step."""

    @property
    def note(self) -> str | None:
        """A sentence for who predicts: which model `predict` uses, if `evaluate` measures another one."""

    def read(self, path: Path, given: Mapping[str, Any]) -> Data:
        """Read a file with other data.

        Args:
            path: The file.
            given: The options of `numlstm.tasks.reading_options` that were given, by name.
        """

    def evaluate(self, data: Data | None) -> dict[str, Any]:
        """Compute the errors on the held-out part, or on all of other data."""

    def predict(self, data: Data | None, steps: int | None) -> Table:
        """Predict for the run's own data, or for other data.

        Args:
            data: What `read` returned; None: the run's own data.
            steps: The number of steps to predict after the end of the data instead, if the task supports it.
        """

    def draw(self, path: Path) -> None:
        """Plot the held-out part. The ending of the path determines the format."""

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""


# What only some tasks can do. Whose runs have the methods of a protocol can do it: other tasks need not know of it. The
# methods raise ValueError or OSError as those of `Run`.


@runtime_checkable
class Measurable(Protocol):
    """A run or a training of one or several series, whose forecasts can be measured in folds."""

    def backtest(self, folds: int, refit: bool, tell: Callable[[str], None]) -> Backtest:
        """Measure the forecasts of several folds at the end of the data, or of the held-out part of a run.

        Args:
            folds: the number of folds.
            refit: whether there is a training for every fold, on all that lies before it. Otherwise there is one before
                the first fold, or none where a run has a model that has not seen the held-out part.
            tell: is told of every training in a few words.

        Raises:
            KeyboardInterrupt: a signal came.
            numlstm.backend.DeviceError: the device cannot be used.
        """


@runtime_checkable
class Foreteller(Protocol):
    """A run that forecasts what comes after the end of data."""

    def draw_future(self, path: Path, data: Any, steps: int | None) -> None:
        """Plot the last values of data and the steps after them. The ending of the path determines the format.

        Args:
            path: the file, which is overwritten.
            data: what `Run.read` returned; None: the run's own data.
            steps: the number of steps; None: the horizon of the run.
        """


@runtime_checkable
class Writer(Protocol):
    """A run that writes text."""

    def generate(
        self, prompt: str = "", length: int = 400, temperature: float = 0.8, top_k: int | None = None,
        top_p: float = 1.0, seed: int | None = None,
    ) -> Iterator[str]:  # fmt: skip
        """Generate text after a prompt, piece by piece.

        Args:
            prompt: the text before it.
            length: the number of characters.
            temperature: below 1, likely text becomes likelier; 0: always the likeliest.
            top_k: draw from this many of the likeliest continuations; None: from all.
            top_p: draw from the fewest likeliest continuations that have this probability together.
            seed: the seed of the draws; None: another text each time.
        """

    def language_model(self, characters: str) -> LanguageModel:
        """Make a language model for `numlstm.utils.ctc_decode`.

        Args:
            characters: the character of each label from 1. Label 0 is the blank.
        """


@runtime_checkable
class Translator(Protocol):
    """A run that translates texts."""

    def translate(self, texts: Sequence[str], beam: int | None = None) -> list[str]:
        """Translate texts.

        Args:
            texts: the texts.
            beam: how many beginnings of an output the search keeps; None: as in training.
        """


@runtime_checkable
class Transcriber(Protocol):
    """A run that writes recordings down."""

    @property
    def latency(self) -> float:
        """Seconds from the first sample of a step of the model to its last."""

    def transcribe(
        self, path: Path, beam: int | None = None, language_model: Writer | None = None, lm_weight: float = 0.5,
        lm_bonus: float = 0.0,
    ) -> Table:  # fmt: skip
        """Write a WAV file down, or each in a folder: file, text.

        Args:
            path: the file or the folder.
            beam: how many beginnings of a text a prefix beam search keeps; None: no search, but the likeliest class of
                each step, or 32 with a language model.
            language_model: a run that says which characters are likely after others.
            lm_weight: the weight of its log P beside that of the recording.
            lm_bonus: what each character adds to the score: a language model alone prefers short texts.
        """

    def listen(self, path: Path) -> Iterator[str]:
        """The characters that each piece of a WAV file adds to its text, while it comes in."""


_ABILITIES: dict[type, str] = {
    Measurable: "has no series to backtest", Foreteller: "has no future to draw", Writer: "writes no text",
    Translator: "translates nothing", Transcriber: "does not write recordings down",
}  # fmt: skip
"""What is to be said of a task without an ability."""


def load(folder: Path) -> tuple[Run, Path]:
    """Read a run folder of any task.

    Returns:
        The run, and the path of its picture.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    module = _module(_task_of(folder), "run")
    return cast(Run, module.load(folder)), folder / str(module.PICTURE)


def load_able(folder: Path, ability: type[_Ability]) -> _Ability:
    """Read a run folder as `load` does; ValueError also if its task does not have one of the abilities above."""
    run, _ = load(folder)
    return able(run, folder, ability)


def able(run: Run, folder: Path, ability: type[_Ability]) -> _Ability:
    """The run of a folder, if its task has one of the abilities above; ValueError otherwise."""
    if not isinstance(run, ability):
        raise ValueError(f"{folder} is a run of the task {_task_of(folder)}, which {_ABILITIES[ability]}")
    return run


def is_part_of_run(file: Path, made_again: bool = True) -> bool:
    """Whether a file has the name of one in the run folder around it.

    Args:
        file: the file.
        made_again: whether picture and report, which can be made again, count too.
    """
    try:
        module = _module(_task_of(file.parent), "run")
    except (OSError, ValueError):
        return False  # No run folder, or one that cannot be read any more.
    return file.name in (module.FILES | {UNFINISHED}) - (set() if made_again else {module.PICTURE, REPORT})


def source_of(folder: Path) -> Path | None:
    """The file that a run was trained on, if its folder tells it and the file is still there."""
    try:
        source = read_config(folder).get("source")
        return Path(source) if isinstance(source, str) and Path(source).is_file() else None
    except (OSError, ValueError):
        return None


def command(task: str) -> Command:
    """The `Command` of a task."""
    return cast(Command, _module(task, "options").COMMAND)


def command_of(folder: Path) -> Command:
    """The `Command` of the task of a run folder. Errors as for `load`."""
    return command(_task_of(folder))


def begin(task: str, data: Path | None, given: Mapping[str, Any]) -> Job:
    """Make a training from the command line.

    Args:
        task: one of `TASKS`.
        data: the file with the data; None: the task's own.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the data cannot be read, or an option does not fit.
    """
    return cast(Job, _module(task, "job").begin(data, given))


def resume(folder: Path) -> Job:
    """Make the training again whose `Job.prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return cast(Job, _module(_task_of(folder), "job").resume(folder))


def kernels_used(task: str) -> list[str | RecurrentUse]:
    """The contract's functions that a training of the task without options calls, as arguments of `Backend.prepare`."""
    return cast("list[str | RecurrentUse]", _module(task, "job").kernels_used())


def _task_of(folder: Path) -> str:
    task = read_config(folder).get("task")
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f"{folder} is a run of the task {quoted(task)}, but this numlstm knows {', '.join(TASKS)}")
    return task


def _module(task: str, file: str) -> ModuleType:
    return importlib.import_module(f"numlstm.tasks.{task}.{file}")
