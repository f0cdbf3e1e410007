"""Trains the models of an ensemble one after the other, on the windows of one series or of several."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from numlstm import checks, layers
from numlstm.data.panel import Panel
from numlstm.layers.input import Input
from numlstm.model import Model, Sequential
from numlstm.seeds import set_seed
from numlstm.tasks.fitting import Checkpoint, Member, Samples, Stop, fit_model, members_in, tell
from numlstm.tasks.forecast import member
from numlstm.tasks.forecast.common import settle
from numlstm.tasks.forecast.fitted import FittedForecaster, are_counts, beside_each_other
from numlstm.tasks.forecast.folds import Fold, together
from numlstm.tasks.forecast.inputs import PlainInputs, RuleInputs
from numlstm.tasks.forecast.member import LOSS, Shape
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.sources import Source, Trained, trained
from numlstm.tasks.forecast.split import Split
from numlstm.training.checkpoint import CheckpointError

__all__ = ["Trainer"]


class Trainer:
    """Trains models one after the other, and keeps account of them for the checkpoint.

    finished: the members that were trained, those of an earlier process included
    sizes: the number of members of each part
    stop: what ended the training; None if nothing did
    """

    def __init__(
        self, settings: Settings, verbose: int, checkpoint: Checkpoint | None, ended: Callable[[], None]
    ) -> None:
        self._settings, self._verbose, self._checkpoint, self._ended = settings, verbose, checkpoint, ended
        self._resume = checkpoint is not None and checkpoint.path.exists()
        self._earlier = members_in(checkpoint.path) if checkpoint is not None and self._resume else []
        self.finished: list[Member] = []
        self.sizes: list[int] = []
        self.stop: Stop | None = None

    @np.errstate(over="ignore", invalid="ignore")  # Of values too large to be scaled, which are refused.
    def part(self, panel: Panel, splits: Sequence[Split]) -> list[Trained]:
        """Train a forecaster of each series on the parts before the held-out parts; none if stopped before a model.

        Errors as for `numlstm.tasks.forecast.train.train`.
        """
        settings = self._settings
        rivals, inputs = settle(panel, settings, splits)
        sources = panel.each(Source.of, splits, inputs)
        x, y = (_joined([vars(source)[name] for source in sources]) for name in "xy")
        digest = _digest(panel, sources)
        shape = Shape(inputs[0].window, x.shape[2], inputs[0].horizon, isinstance(inputs[0], RuleInputs))
        folds = panel.each(lambda _, split, source: source.folds(settings, split), splits, sources)
        models: list[Sequential] = []
        for number, parts in enumerate(zip(*folds, strict=True)):
            samples = _samples(x, y, together(parts, [len(source.origins) for source in sources]), digest)
            set_seed(settings.seed + number)
            model = self._member(samples, shape, number)
            if model is not None:
                models.append(model)
            if self.stop is not None:
                break
        self.sizes.append(len(models))
        if not models:
            return []
        device = settings.device
        if self.stop is not None and self.stop.failure is not None:
            # The device's memory is lost, or the weights are not finite: continue on the CPU.
            device = "cpu"
            models = [_with_weights(each, settings, shape, device) for each in self.finished[-len(models) :]]
        mean, blocks = _mean_of(models, settings, shape, device), settings.horizon // shape.horizon
        forecasters = [
            FittedForecaster(
                mean, source.inputs, series.columns, rival, blocks=blocks, counts=are_counts(source.values[:, 0])
            )
            for series, source, rival in zip(panel, sources, rivals, strict=True)
        ]
        targets, results = len(panel.targets), []
        for first in range(0, len(panel), targets):  # The targets of a table follow each other.
            group = slice(first, first + targets)
            own = beside_each_other(forecasters[group])
            results += trained(sources[group], own, settings, models, folds[group], len(panel))
        return results

    def _member(self, samples: Samples, shape: Shape, number: int) -> Sequential | None:
        """Train the next model, or make it from the checkpoint."""
        settings, several = self._settings, self._settings.ensemble > 1
        index = len(self.finished)
        if index < len(self._earlier):
            self.finished.append(self._earlier[index])
            return _with_weights(self._earlier[index], settings, shape, settings.device)
        model = member.make_model(settings, shape, settings.device, 0 if several else self._verbose)
        resume, self._resume = self._resume, False
        choices = member.choices_of(settings, samples.inputs.shape)
        fit = fit_model(
            model, samples, choices, list(self.finished), 0 if several else self._verbose, self._checkpoint, resume,
            self._ended, self._title(number) if several and self._verbose else "",
        )  # fmt: skip
        self.stop = fit.stop
        if fit.member is None:
            return None
        self.finished.append(fit.member)
        if self._verbose and (several or (choices.patience and fit.member.history.get("val_loss"))):
            tell(self._title(number) if several else "", fit.member, choices.patience)
        return model

    def _title(self, number: int) -> str:
        return f"{'refit' if self.sizes else 'model'} {number + 1}/{self._settings.ensemble}"


def _digest(panel: Panel, sources: Sequence[Source]) -> str:
    """What identifies the data: without a rule the scaled values alone, as in checkpoints of earlier versions."""
    digest = hashlib.sha256()
    for series, source in zip(panel, sources, strict=True):
        inputs = source.inputs
        seen = [inputs.scaled(series.values)] if isinstance(inputs, PlainInputs) else [series.values, source.x]
        for array in seen:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The rows of all arrays; without a copy if there is one."""
    if len(arrays) == 1:
        return arrays[0]
    checks.fits(sum(array.nbytes for array in arrays), f"the windows of {len(arrays)} series")
    return np.concatenate(arrays)


def _samples(x: np.ndarray, y: np.ndarray, fold: Fold, digest: str) -> Samples:
    validation = (_rows(x, fold.validation), _rows(y, fold.validation)) if len(fold.validation) else None
    return Samples(_rows(x, fold.training), _rows(y, fold.training), validation, digest)


def _rows(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Rows of an array; without a copy if they follow each other."""
    follow = len(index) and index[-1] - index[0] + 1 == len(index)
    return array[index[0] : index[-1] + 1] if follow else array[index]


def _mean_of(models: list[Sequential], settings: Settings, shape: Shape, device: str) -> Model:
    """One model whose output is the mean of the outputs of several."""
    if len(models) == 1:
        return models[0]
    inputs = Input((shape.window, shape.features))
    model = Model(inputs, layers.Average()([each(inputs) for each in models]))
    model.compile(member.optimizer_of(settings), LOSS, device=device)
    return model


def _with_weights(kept: Member, settings: Settings, shape: Shape, device: str) -> Sequential:
    """Make the model of a member; CheckpointError if the weights are those of another model."""
    model = member.make_model(settings, shape, device, 0)
    try:
        model.set_weights(kept.weights)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint keeps weights of another model: {error}") from error
    return model
