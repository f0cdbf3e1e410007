"""Train a classifier and measure it on the held-out part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import layers
from numlstm.kernels import RecurrentUse
from numlstm.layers import Input
from numlstm.model import Model, Sequential
from numlstm.seeds import set_seed
from numlstm.tasks.classify import member
from numlstm.tasks.classify.classifier import Classifier
from numlstm.tasks.classify.inputs import Inputs
from numlstm.tasks.classify.measure import measure, scores
from numlstm.tasks.classify.rivals import Rivals
from numlstm.tasks.classify.sequences import Sequences
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.classify.split import Split, stratified, targets_of
from numlstm.tasks.fitting import Checkpoint, Member, Samples, Stop, fit_model, members_in, tell
from numlstm.training.checkpoint import CheckpointError

__all__ = ["Training", "errors_of", "kernels_used", "train"]

_FOLDS = 5
"""Parts of the training part of which a single model leaves one for its validation."""


@dataclass(frozen=True)
class Training:
    """The result of a training.

    classifier: the trained classifier
    members: the models that it is the mean of
    metrics: the errors on the held-out part beside those of the rivals, and how the training went
    stop: what ended it early; None if nothing did
    unmeasured: why the errors are not in `metrics`; None if they are
    """

    classifier: Classifier
    members: list[Member]
    metrics: dict[str, Any]
    stop: Stop | None
    unmeasured: str | None


def train(
    sequences: Sequences,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train a classifier on the training part, and measure it on the held-out part, which has no say before.

    After a signal or an error of the device, the training ends early and keeps what was learned.

    Args:
        sequences: with classes and a held-out part, see `numlstm.tasks.classify.split.hold_out`.
        settings: the settings.
        verbose: as for `Model.fit`; a training of several models tells one line of each.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.

    Raises:
        ValueError: the sequences do not fit, or the loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    split = Split(sequences)
    inputs = Inputs.fit(split.training, settings.frame, settings.missing)
    trainer = _Trainer(inputs.array(split.training), split, settings, verbose, checkpoint)
    trainer.train(fitted)
    model = _mean_of(trainer.models, settings, inputs.features, trainer.device)
    classifier = Classifier(model, inputs, split.classes, sequences.columns)
    fitted()
    try:
        errors, unmeasured = errors_of(classifier, split.training, split.test), None
    except (ValueError, MemoryError) as error:  # It must not cost the training.
        errors, unmeasured = {}, str(error) or "not enough memory"
    members, stop = trainer.finished, trainer.stop
    ends = [each.history["loss"][-1] for each in members if each.history.get("loss")]
    metrics = errors | {
        **trainer.out_of_fold(),
        "trained_sequences": len(split.training),
        "frame": inputs.frame,
        "members": len(members),
        "loss": float(np.mean(ends)) if ends else None,
        "epochs": sum(len(each.history.get("loss", [])) for each in members),
        "interrupted": stop is not None and stop.interrupted,
        "seconds": round(sum(each.seconds for each in members), 3),
        "backend": members[0].backend,
        "kernel_name": members[0].kernel_name,
    }
    return Training(classifier, members, metrics, stop, unmeasured)


def errors_of(classifier: Classifier, training: Sequences, test: Sequences) -> dict[str, Any]:
    """Measure a classifier, and the rivals that learn from its training part, on sequences with classes.

    Raises:
        ValueError: the sequences do not fit, or have classes that the classifier does not know.
    """
    targets = targets_of(test, classifier.classes)
    predicted = classifier.probabilities(test).argmax(axis=1)
    known = targets_of(training, classifier.classes)
    rivals = Rivals(training, known, len(classifier.classes), classifier.inputs)
    return measure(targets, predicted, classifier.classes) | rivals.measure(test, targets)


class _Trainer:
    """Trains models one after the other, each stopped by another fold of the training part.

    models, finished: the models, and their weights and histories, those of an earlier process included
    stop: what ended the training; None if nothing did
    device: the device of the models
    """

    def __init__(
        self, x: np.ndarray, split: Split, settings: Settings, verbose: int, checkpoint: Checkpoint | None
    ) -> None:
        self._x, self._y, self._classes = x, split.training_targets, len(split.classes)
        self._settings, self._verbose, self._checkpoint = settings, verbose, checkpoint
        self._fold = stratified(self._y, settings.ensemble if settings.ensemble > 1 else _FOLDS, settings.seed)
        self._weights = _weights(self._y) if settings.class_weight == "balanced" else None
        self.models: list[Sequential] = []
        self.finished: list[Member] = []
        self.stop: Stop | None = None
        self.device = settings.device

    def train(self, ended: Callable[[], None]) -> None:
        """Train all models. Errors as for `train`."""
        place = self._checkpoint
        resume = place is not None and place.path.exists()
        earlier = members_in(place.path) if place is not None and resume else []
        for number in range(self._settings.ensemble):
            set_seed(self._settings.seed * 1000 + number)
            if number < len(earlier):
                self.finished.append(earlier[number])
                self.models.append(self._with_weights(earlier[number]))
                continue
            self._train_one(number, resume, ended)
            resume = False
            if self.stop is not None:
                break
        if self.stop is not None and self.stop.failure is not None:
            # The device's memory is lost, or the weights are not finite: continue on the CPU.
            self.device = "cpu"
            self.models = [self._with_weights(each) for each in self.finished]

    def out_of_fold(self) -> dict[str, float]:
        """The accuracy of each model on its own fold, which it was stopped by and did not learn from."""
        if self.stop is not None:
            return {}
        predicted = np.full(len(self._y), -1)
        for number, model in enumerate(self.models):
            rows = np.flatnonzero(self._fold == number)
            if len(rows):
                predicted[rows] = np.asarray(model.predict(self._x[rows], verbose=0)).argmax(axis=1)
        seen = predicted >= 0
        found = scores(self._y[seen], predicted[seen], self._classes)
        return {f"out_of_fold_{name}": value for name, value in found.items()}

    def _train_one(self, number: int, resume: bool, ended: Callable[[], None]) -> None:
        settings, several = self._settings, self._settings.ensemble > 1
        verbose = 0 if several else self._verbose
        model = member.make_model(settings, self._x.shape[2], self._classes, self.device, verbose)
        choices = member.choices_of(settings, self._x.shape)
        title = f"model {number + 1}/{settings.ensemble}" if several and self._verbose else ""
        fit = fit_model(
            model, self._samples(number), choices, list(self.finished), verbose, self._checkpoint, resume, ended, title
        )
        self.stop = fit.stop
        if fit.member is not None:
            self.finished.append(fit.member)
            self.models.append(model)
            if title:
                tell(title, fit.member, choices.patience)

    def _samples(self, number: int) -> Samples:
        """What a model learns from, and the fold that stops it."""
        learned, left = np.flatnonzero(self._fold != number), np.flatnonzero(self._fold == number)
        digest = hashlib.sha256()
        for array in (self._x, self._y, self._fold):
            digest.update(np.ascontiguousarray(array).tobytes())
        return Samples(
            self._x[learned],
            self._y[learned],
            (self._x[left], self._y[left]) if len(left) else None,
            digest.hexdigest(),
            None if self._weights is None else self._weights[learned],
        )

    def _with_weights(self, kept: Member) -> Sequential:
        """Make the model of a member; CheckpointError if the weights are those of another model."""
        model = member.make_model(self._settings, self._x.shape[2], self._classes, self.device, 0)
        try:
            model.set_weights(kept.weights)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint keeps weights of another model: {error}") from error
        return model


def _weights(targets: np.ndarray) -> np.ndarray:
    """[N] float32 weights by which each class counts equally; their mean is 1."""
    counts = np.bincount(targets)
    return (len(targets) / (np.count_nonzero(counts) * counts[targets])).astype(np.float32)


def _mean_of(models: list[Sequential], settings: Settings, features: int, device: str) -> Model:
    """One model whose output is the mean of the outputs of several."""
    if len(models) == 1:
        return models[0]
    inputs = Input((None, features))
    model = Model(inputs, layers.Average()([each(inputs) for each in models]))
    model.compile(member.optimizer_of(settings), member.LOSS, device=device)
    return model


def kernels_used(settings: Settings, frames: int) -> list[str | RecurrentUse]:
    """The contract's functions that `train` calls with these settings for a single column of so many frames."""
    return member.kernels_used(settings, frames)
