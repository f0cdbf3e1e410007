"""Train one model after the other: for each lag, each cell and each seed."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from numlstm.kernels import RecurrentUse
from numlstm.model import Sequential
from numlstm.tasks.fitting import Checkpoint, Choices, Member, Samples, Stop, fit_model, members_in
from numlstm.tasks.memory import network
from numlstm.tasks.memory.measure import answers, measure, reached
from numlstm.tasks.memory.problems import Problem, Source, Use
from numlstm.tasks.memory.settings import Settings
from numlstm.terminal import say
from numlstm.training.checkpoint import CheckpointError
from numlstm.training.interruption import Interrupted

__all__ = ["Result", "Training", "Trial", "kernels_used", "train", "trials_of"]

_HELD_OUT = 512
"""Sequences that decide whether a problem is solved."""
_TESTED = 1000
"""Sequences that a finished model is measured on."""
_STEPS = 50
"""Training steps between two looks at the held-out sequences."""


@dataclass(frozen=True)
class Trial:
    """One training: a cell at a lag, from the weights of a seed."""

    lag: int
    cell: str
    seed: int

    @property
    def title(self) -> str:
        """What tells it apart."""
        return f"lag {self.lag}, {self.cell}, seed {self.seed}"


@dataclass(frozen=True)
class Result:
    """What became of a trial.

    sequences: those that the model was trained on
    solved: whether it solved the problem within the budget
    error: the mean absolute error or the share of wrong symbols, on sequences that decided nothing
    right: the share of these sequences with a right answer
    """

    trial: Trial
    sequences: int
    solved: bool
    error: float
    right: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in one level."""
        own = {name: value for name, value in vars(self).items() if name != "trial"}
        return asdict(self.trial) | own | {"solved": int(self.solved)}

    @classmethod
    def from_dict(cls, content: Mapping[str, str]) -> Result:
        """Read the result of `to_dict` as text; KeyError or ValueError if it is none."""
        lag, seed, sequences, solved = (int(content[name]) for name in ("lag", "seed", "sequences", "solved"))
        error, right = float(content["error"]), float(content["right"])
        if solved not in (0, 1) or sequences < 0 or not 0 <= right <= 1 or not 0 <= error < np.inf:
            raise ValueError(f"a trial cannot have {sequences} sequences, the error {error} and {right} right answers")
        return cls(Trial(lag, content["cell"], seed), sequences, solved == 1, error, right)


@dataclass(frozen=True)
class Training:
    """The result of a training.

    results: those of the trials that came to their end
    model: that of the last trial that solved its problem, at the longest lag; without one, that of the last trial
    kept: the trial of that model
    gradients: the norms of gradients by distance, for the longest lag; by cell, "before" or "after", and seed
    members: the models that were trained, one for each of the first trials
    stop: what ended the training early; None if nothing did
    """

    settings: Settings
    results: list[Result]
    model: Sequential
    kept: Trial
    gradients: dict[tuple[str, str, int], np.ndarray]
    members: list[Member]
    stop: Stop | None


def trials_of(settings: Settings) -> list[Trial]:
    """All trials, in their order."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [Trial(lag, cell, seed) for lag in settings.lags for cell in settings.cells for seed in seeds]


def train(
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train all models. A signal or an error of the device ends the training early, and keeps what was learned.

    Args:
        settings: the settings.
        verbose: 0 prints nothing, otherwise there is a line for each trial.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended.

    Raises:
        MemoryError: a model needs more memory than there is.
        ValueError: a loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    resume = checkpoint is not None and checkpoint.path.exists()
    earlier = members_in(checkpoint.path) if checkpoint is not None and resume else []
    members: list[Member] = []
    member: Member | None = None
    stop: Stop | None = None
    trials = trials_of(settings)
    for trial in trials:
        if len(members) < len(earlier):
            members.append(earlier[len(members)])
            continue
        try:
            title = trial.title if verbose else ""
            member, stop = _fit(trial, settings, members, checkpoint, resume, fitted, title)
        except KeyboardInterrupt as error:  # It came between two models.
            if not members:
                raise
            member, stop = None, Stop(_number_of(error), None, True)
        resume = False
        if member is not None:
            members.append(member)
            if verbose:
                _tell(trial, settings, member)
        if stop is not None:
            break
    fitted()
    stopped = stop is not None and member is not None
    return _training(settings, trials[: len(members)], members, stop, max(1, len(members) - stopped))


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that a training with these settings calls."""
    problem = Problem(settings.problem, settings.lags[-1])
    return [use for cell in settings.cells for use in network.kernels_used(settings, cell, problem)]


def _fit(
    trial: Trial,
    settings: Settings,
    finished: list[Member],
    checkpoint: Checkpoint | None,
    resume: bool,
    ended: Callable[[], None],
    title: str,
) -> tuple[Member | None, Stop | None]:
    problem = Problem(settings.problem, trial.lag)
    model = network.make_model(settings, trial.cell, problem, trial.seed, settings.device)
    held_out = problem.draw(_HELD_OUT, trial.seed, Use.VALIDATION).parts()
    digest = json.dumps([asdict(settings), asdict(trial)])
    epochs, steps = _sizes(settings)
    choices = Choices(epochs, None, 0, settings.learning_rate, steps, lambda logs: reached(problem, logs))
    source = Source(problem, settings.batch_size, epochs * steps, trial.seed)
    samples = Samples(source, None, held_out, digest)
    fit = fit_model(model, samples, choices, list(finished), 0, checkpoint, resume, ended, title)
    return fit.member, fit.stop


def _sizes(settings: Settings) -> tuple[int, int]:
    """The most epochs that the budget has, and the training steps of each."""
    batches = settings.budget // settings.batch_size
    steps = min(_STEPS, batches)
    return batches // steps, steps


def _solved(trial: Trial, settings: Settings, member: Member) -> bool:
    last = {name: numbers[-1] for name, numbers in member.history.items() if numbers}
    return bool(last) and reached(Problem(settings.problem, trial.lag), last)


def _sequences(settings: Settings, member: Member) -> int:
    """The sequences of the finished epochs."""
    return len(member.history.get("loss", [])) * _sizes(settings)[1] * settings.batch_size


def _tell(trial: Trial, settings: Settings, member: Member) -> None:
    adding = settings.problem == "adding"
    numbers = member.history.get("val_mae" if adding else "val_accuracy") or [float("nan")]
    state = "solved after" if _solved(trial, settings, member) else "not solved in"
    say(
        f"{trial.title}: {state} {_sequences(settings, member):,} sequences,"
        f" {'mean error' if adding else 'symbols right'} {numbers[-1]:.3f}, {member.seconds:.1f} s\n"
    )


def _training(
    settings: Settings, trials: list[Trial], members: list[Member], stop: Stop | None, ended: int
) -> Training:
    """Measure the first models, which came to their end, and choose the one to keep."""
    device = settings.device if stop is None or stop.failure is None else "cpu"  # The device's memory may be lost.
    models = [_with_weights(settings, *pair, device) for pair in zip(trials, members, strict=True)]
    results = []
    for trial, member, model in zip(trials[:ended], members, models, strict=False):
        problem = Problem(settings.problem, trial.lag)
        measured = measure(problem, *answers(model, problem, problem.draw(_TESTED, trial.seed, Use.TEST)))
        error = measured["mae"] if "mae" in measured else 1 - measured["accuracy"]
        solved = _solved(trial, settings, member)
        results.append(Result(trial, _sequences(settings, member), solved, error, measured["right"]))
    kept = max((number for number, result in enumerate(results) if result.solved), default=len(models) - 1)
    gradients: dict[tuple[str, str, int], np.ndarray] = {}
    for result, model in zip(results, models, strict=False):
        if result.trial.lag == results[-1].trial.lag:
            gradients |= _gradients(settings, result.trial, model)
    return Training(settings, results, models[kept], trials[kept], gradients, members, stop)


def _gradients(settings: Settings, trial: Trial, model: Sequential) -> dict[tuple[str, str, int], np.ndarray]:
    """The norms of the gradients before and after a trial."""
    problem, fresh = Problem(settings.problem, trial.lag), {trial.cell: settings}
    if trial.cell == "lstm" and settings.forget_bias != 1:
        fresh["lstm, forget bias 1"] = replace(settings, forget_bias=1.0)
    models = {
        (label, "before", trial.seed): network.make_model(chosen, trial.cell, problem, trial.seed, "cpu")
        for label, chosen in fresh.items()
    } | {(trial.cell, "after", trial.seed): model}
    return {key: network.gradient_norms(each, problem, trial.seed) for key, each in models.items()}


def _number_of(error: KeyboardInterrupt) -> int:
    return error.signal if isinstance(error, Interrupted) else int(signal.SIGINT)


def _with_weights(settings: Settings, trial: Trial, member: Member, device: str) -> Sequential:
    """Make the model of a member; CheckpointError if the weights are those of another model."""
    model = network.make_model(settings, trial.cell, Problem(settings.problem, trial.lag), trial.seed, device)
    try:
        model.set_weights(member.weights)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint keeps weights of another model: {error}") from error
    return model
