"""Split the texts, train the members, and measure their mean on the held-out part."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from numlstm.kernels import RecurrentUse
from numlstm.messages import listed, quoted
from numlstm.model import Sequential
from numlstm.tasks.fitting import Checkpoint, Choices, Member, Samples, Stop, fit_model, members_in, tell
from numlstm.tasks.sentiment import network
from numlstm.tasks.sentiment.measure import bag_of_words, bags, measure, scores
from numlstm.tasks.sentiment.network import Classifier, Shape
from numlstm.tasks.sentiment.settings import Settings
from numlstm.tasks.sentiment.texts import Texts
from numlstm.tasks.sentiment.vocabulary import Vocabulary, words_of
from numlstm.training.checkpoint import CheckpointError
from numlstm.training.interruption import Interrupted

__all__ = ["Split", "Training", "kernels_used", "measured", "train"]

_LEAST = 5
"""Texts of each label, at least."""


@dataclass(frozen=True)
class Split:
    """The parts of texts, with the same proportions of the labels, and what follows from the training part.

    training, validation, test: indices of texts
    targets: [N] the indices of the labels
    labels: their names, sorted
    """

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    targets: np.ndarray
    labels: tuple[str, ...]
    vocabulary: Vocabulary
    length: int

    @classmethod
    def of(cls, texts: Texts, settings: Settings) -> Split:
        """Split the texts by the seed of the settings.

        Raises:
            ValueError: a label has fewer than five texts, or no word of the training part is frequent enough.
        """
        assert texts.labels is not None
        labels, targets = np.unique(texts.labels, return_inverse=True)
        random = np.random.default_rng(settings.seed)
        parts: list[list[np.ndarray]] = [[], [], []]
        for label, name in enumerate(labels.tolist()):
            rows = random.permutation(np.flatnonzero(targets == label))
            if len(rows) < _LEAST:
                raise ValueError(f"the label {quoted(name)} has {len(rows)} texts: at least {_LEAST} are needed")
            test = max(1, round(settings.test_fraction * len(rows)))
            validation = test + max(1, round(settings.validation_fraction * len(rows)))
            if validation >= len(rows):
                raise ValueError(f"the label {quoted(name)} has {len(rows)} texts, of which none is left to learn from")
            for part, found in zip(parts, np.split(rows, [test, validation]), strict=True):
                part.append(found)
        test_rows, validation_rows, training = (np.sort(np.concatenate(part)) for part in parts)
        known = texts.part(training).texts
        vocabulary = Vocabulary.of(known, settings.least)
        if not vocabulary.words:
            raise ValueError(f"no word occurs {settings.least} times in the {len(known)} texts to learn from")
        length = min(settings.words, max(len(words_of(text)) for text in known))
        return cls(training, validation_rows, test_rows, targets, tuple(labels.tolist()), vocabulary, length)

    @property
    def shape(self) -> Shape:
        """The sizes of a model."""
        return Shape(self.length, self.vocabulary.size, len(self.labels))


@dataclass(frozen=True)
class Training:
    """The result of a training.

    metrics: the result of `measure` on the held-out part, the scores of the rivals, and what ran
    members: the models that were trained
    stop: what ended the training early; None if nothing did
    """

    texts: Texts
    settings: Settings
    split: Split
    classifier: Classifier
    metrics: dict[str, Any]
    members: list[Member]
    stop: Stop | None


def train(
    texts: Texts,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train all members. A signal or an error of the device ends the training early, and keeps what was learned.

    Args:
        texts: with labels.
        settings: the settings.
        verbose: 0 prints nothing, otherwise there is a line for each member.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.

    Raises:
        ValueError: there are too few texts, or a loss becomes NaN or infinite in the first epoch.
        MemoryError: the model needs more memory than there is.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    split = Split.of(texts, settings)
    resume = checkpoint is not None and checkpoint.path.exists()
    members = members_in(checkpoint.path) if checkpoint is not None and resume else []
    samples = _samples(texts, settings, split)
    stop: Stop | None = None
    for number in range(len(members), settings.ensemble):
        try:
            model = network.make_model(settings, split.shape, number, settings.device)
            choices = Choices(settings.epochs, settings.batch_size, settings.patience, settings.learning_rate)
            title = f"model {number + 1}/{settings.ensemble}" if verbose else ""
            fit = fit_model(model, samples, choices, list(members), 0, checkpoint, resume, fitted, title)
            member, stop = fit.member, fit.stop
        except KeyboardInterrupt as error:  # It came between two models.
            if not members:
                raise
            stop = Stop(error.signal if isinstance(error, Interrupted) else int(signal.SIGINT), None, True)
            member = None
        resume = False
        if member is not None:
            members.append(member)
            if verbose:
                tell(title, member, settings.patience)
        if stop is not None:
            break
    fitted()
    device = settings.device if stop is None or stop.failure is None else "cpu"  # The device's memory may be lost.
    models = [_with_weights(settings, split.shape, *pair, device) for pair in enumerate(members)]
    mean = network.mean_of(models, settings, split.shape, device)
    classifier = Classifier(mean, split.vocabulary, split.labels, split.length)
    metrics = measured(texts, split, classifier) | {
        "interrupted": stop is not None and stop.interrupted,
        "members": len(members),
        "epochs": sum(len(member.history.get("loss", [])) for member in members),
        "seconds": round(sum(member.seconds for member in members), 3),
        "backend": members[0].backend,
        "kernel_name": members[0].kernel_name,
    }
    return Training(texts, settings, split, classifier, metrics, members, stop)


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that a training with these settings calls."""
    return network.kernels_used(settings, Shape(20, 100, 2))


def _samples(texts: Texts, settings: Settings, split: Split) -> Samples:
    x = split.vocabulary.numbers(texts.texts, split.length)
    digest = hashlib.sha256(json.dumps([asdict(settings), texts.texts, texts.labels]).encode("utf-8", "surrogatepass"))
    y, first, second = split.targets, split.training, split.validation
    return Samples(x[first], y[first], (x[second], y[second]), digest.hexdigest())


def measured(texts: Texts, split: Split, classifier: Classifier, other: Texts | None = None) -> dict[str, Any]:
    """Compute the errors on the held-out part, or on other texts, and those of the rivals.

    Raises:
        ValueError: other texts have no labels, or others.
    """
    tested = texts.part(split.test) if other is None else other
    target, C, size = targets_of(tested, split.labels), len(split.labels), split.vocabulary.size
    found = measure(target, classifier.probabilities(tested.texts).argmax(axis=1), split.labels)
    known = split.vocabulary.numbers(texts.part(split.training).texts, split.length)
    rival = bag_of_words(known, split.targets[split.training], size, C)
    x = split.vocabulary.numbers(tested.texts, split.length)
    said = [rival.predict(bags(x[begin : begin + 256], size), verbose=0) for begin in range(0, len(x), 256)]
    frequent = np.bincount(split.targets[split.training], minlength=C).argmax()
    rivals = {"bag_of_words": np.concatenate(said).argmax(axis=1), "most_frequent": np.full(len(x), frequent)}
    for name, answer in rivals.items():
        found |= {f"{name}_{score}": value for score, value in scores(target, answer, C).items()}
    return found


def targets_of(texts: Texts, labels: tuple[str, ...]) -> np.ndarray:
    """[N] the indices of the labels; ValueError if there are none, or others."""
    if texts.labels is None:
        raise ValueError(f"{texts.name} has no labels to compare with: `numlstm predict` needs none")
    unknown = sorted(set(texts.labels) - set(labels))
    if unknown:
        raise ValueError(f"{texts.name} has the labels {listed(unknown)}, but the run knows {listed(labels)}")
    return np.array([labels.index(label) for label in texts.labels])


def _with_weights(settings: Settings, shape: Shape, number: int, member: Member, device: str) -> Sequential:
    """Make the model of a member; CheckpointError if the weights are those of another model."""
    model = network.make_model(settings, shape, number, device)
    try:
        model.set_weights(member.weights)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint keeps weights of another model: {error}") from error
    return model
