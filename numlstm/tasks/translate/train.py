"""Split the pairs, train the model, and measure it on the held-out part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from numlstm.messages import quoted
from numlstm.model import Model
from numlstm.tasks.fitting import Checkpoint, Choices, Member, Samples, Stop, fit_model
from numlstm.tasks.translate import network
from numlstm.tasks.translate.batches import Batches, ScheduledSampling, arrays
from numlstm.tasks.translate.measure import measure
from numlstm.tasks.translate.pairs import Pairs, check_lengths
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.translator import Translator
from numlstm.tasks.translate.vocabulary import Vocabulary, tokens_of

__all__ = ["Split", "Training", "measured", "train", "translator_of"]

_LEAST = 10
"""Different sources, at least."""


@dataclass(frozen=True)
class Split:
    """The parts of pairs, and what follows from them. All pairs of a source are in one part.

    training, validation, test: the pairs
    source, target: the vocabularies of the training part
    longest: tokens of the longest source and target of all parts
    """

    training: Pairs
    validation: Pairs
    test: Pairs
    source: Vocabulary
    target: Vocabulary
    longest: tuple[int, int]

    @classmethod
    def of(cls, pairs: Pairs, settings: Settings) -> Split:
        """Split the sources by the seed of the settings.

        Raises:
            ValueError: there are fewer than ten different sources, or a text is too long.
        """
        targets = pairs.targets or ()
        check_lengths(pairs.sources, settings.level)
        check_lengths(targets, settings.target_level)
        names = list(dict.fromkeys(pairs.sources))
        if len(names) < _LEAST:
            raise ValueError(f"{pairs.name} has {len(names)} different sources: at least {_LEAST} are needed")
        test = max(1, round(settings.test_fraction * len(names)))
        validation = test + max(1, round(settings.validation_fraction * len(names)))
        if validation >= len(names):
            raise ValueError(f"of the {len(names)} different sources of {pairs.name} none is left to learn from")
        order = np.random.default_rng(settings.seed).permutation(len(names))
        part_of = {names[index]: 0 if at < test else 1 if at < validation else 2 for at, index in enumerate(order)}
        rows: tuple[list[int], ...] = ([], [], [])
        for row, text in enumerate(pairs.sources):
            rows[part_of[text]].append(row)
        held, checked, learned = (
            Pairs(pairs.name, tuple(pairs.sources[row] for row in part), tuple(targets[row] for row in part))
            for part in rows
        )
        longest = (
            max(len(tokens_of(text, settings.level)) for text in pairs.sources),
            max(len(tokens_of(text, settings.target_level)) for text in targets),
        )
        vocabularies = (
            Vocabulary.of(learned.sources, settings.level),
            Vocabulary.of(learned.targets or (), settings.target_level),
        )
        return cls(learned, checked, held, *vocabularies, longest)


@dataclass(frozen=True)
class Training:
    """The result of a training.

    metrics: the result of `measure` on the held-out part, and what ran
    outputs: those for the held-out sources
    stop: what ended the training early; None if nothing did
    """

    pairs: Pairs
    settings: Settings
    split: Split
    translator: Translator
    metrics: dict[str, Any]
    outputs: list[str]
    member: Member
    stop: Stop | None


def train(
    pairs: Pairs,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train the model. A signal or an error of the device ends the training early, and keeps what was learned.

    Args:
        pairs: with targets.
        settings: the settings.
        verbose: as for `Model.fit`.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.

    Raises:
        ValueError: there are too few pairs, or a loss becomes NaN or infinite in the first epoch.
        MemoryError: the model needs more memory than there is.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    split = Split.of(pairs, settings)
    model = network.make_model(settings, split.source.size, split.target.size, split.longest)
    choices = Choices(settings.epochs, None, settings.patience, settings.learning_rate)
    resume = checkpoint is not None and checkpoint.path.exists()
    fit = fit_model(model, _samples(pairs, settings, split, model), choices, [], verbose, checkpoint, resume, fitted)
    assert fit.member is not None  # There is no member before it, so without it there is an error.
    fitted()
    if fit.stop is not None and fit.stop.failure is not None:  # The device's memory may be lost.
        on_cpu = replace(settings, device="cpu")
        model = network.make_model(on_cpu, split.source.size, split.target.size, split.longest)
    model.set_weights(fit.member.weights)
    translator = translator_of(model, split)
    outputs = translator.translate(list(split.test.answers()), settings.beam)
    metrics = measured(split, settings, split.test, outputs) | {
        "interrupted": fit.stop is not None and fit.stop.interrupted,
        "epochs": len(fit.member.history.get("loss", [])),
        "seconds": round(fit.member.seconds, 3),
        "backend": fit.member.backend,
        "kernel_name": fit.member.kernel_name,
    }
    return Training(pairs, settings, split, translator, metrics, outputs, fit.member, fit.stop)


def translator_of(model: Model, split: Split) -> Translator:
    """A trained model with the vocabularies of its training part."""
    return Translator(model, split.source, split.target, split.longest)


def measured(split: Split, settings: Settings, tested: Pairs, outputs: Sequence[str]) -> dict[str, Any]:
    """The errors of the outputs for the sources of a part or of other pairs.

    Raises:
        ValueError: other pairs have no targets.
        ImportError: BLEU needs sacrebleu.
    """
    if tested.targets is None:
        raise ValueError(f"{quoted(tested.name)} has no targets to compare with: `numlstm predict` needs none")
    levels = settings.level, settings.target_level
    levels_of = {"level": settings.level, "target_level": settings.target_level, "beam": settings.beam}
    return measure(tested.answers(), outputs, split.training, levels, settings.bleu) | levels_of


def _samples(pairs: Pairs, settings: Settings, split: Split, model: Model) -> Samples:
    content = json.dumps([asdict(settings), pairs.sources, pairs.targets])
    first, second = (
        (split.source.numbers(part.sources), split.target.numbers(part.targets or ()))
        for part in (split.training, split.validation)
    )
    batches = Batches(*first, settings.batch_size, settings.seed)
    steps, most = settings.epochs * len(batches), settings.scheduled_sampling
    source = ScheduledSampling(batches, model, most, steps, settings.seed) if most else batches
    return Samples(source, None, arrays(*second), hashlib.sha256(content.encode()).hexdigest())
