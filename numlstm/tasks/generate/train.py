"""Train a language model on the first part of a text, and measure it on the held-out end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm.kernels import RecurrentUse
from numlstm.seeds import set_seed
from numlstm.tasks.fitting import Checkpoint, Choices, Member, Samples, Stop, fit_model
from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.language import LanguageModel, Sampling
from numlstm.tasks.generate.measure import measure
from numlstm.tasks.generate.network import loss_of, make_network, optimizer_of
from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.streams import Pieces, pieces
from numlstm.training import compiled

__all__ = ["Training", "kernels_used", "train"]

_VALIDATION_STEPS = 250
_SAMPLE, _TEMPERATURE = 600, 0.6
"""Characters of the sample, and how it is drawn."""


@dataclass(frozen=True)
class Training:
    """The result of a training.

    model: the trained model
    member: its history, and what it ran on
    metrics: the result of `measure`, with losses, epochs and times, and whether the training was interrupted
    sample: text from the model
    stop: what ended the training early; None if nothing did
    unmeasured: why the held-out part is not in `metrics`; None if it is
    """

    model: LanguageModel
    member: Member
    metrics: dict[str, Any]
    sample: str
    stop: Stop | None
    unmeasured: str | None


def train(
    corpus: Corpus,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train a model and measure it. Arguments and errors as for `numlstm.tasks.fitting.fit_model`.

    Args:
        corpus: the text in its parts.
        settings: the settings.
        verbose: as for `Model.fit`.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.
    """
    training, validation, _ = corpus.encoded
    inputs, targets = pieces(training.ids, settings.streams, settings.steps)
    set_seed(settings.seed)
    symbols = len(corpus.vocabulary)
    network = make_network(settings, symbols, stateful=True)
    optimizer = optimizer_of(settings, len(inputs) // settings.streams)
    network.compile(optimizer, loss_of(settings, symbols), device=settings.device, verbose=verbose)
    held = Pieces(validation.ids, _VALIDATION_STEPS)
    samples = Samples(inputs, targets, held, corpus.digest)
    choices = Choices(settings.epochs, settings.streams, settings.patience, settings.learning_rate, shuffle=False)
    resume = checkpoint is not None and checkpoint.path.exists()
    fit = fit_model(network, samples, choices, [], verbose, checkpoint, resume, fitted)
    fitted()
    member = fit.member
    assert member is not None  # There are no members before it: otherwise it raised.
    model = LanguageModel.of(member.weights, corpus.vocabulary, settings)
    metrics, unmeasured = _measured(model, corpus)
    losses = member.history.get("loss", [])
    metrics |= {
        "loss": losses[-1] if losses else None,
        "val_loss": min(member.history.get("val_loss", []), default=None),
        "epochs": len(losses),
        "interrupted": fit.stop is not None and fit.stop.interrupted,
        "seconds": round(member.seconds, 3),
        "backend": member.backend,
        "kernel_name": member.kernel_name,
    }
    return Training(model, member, metrics, sample_of(model, settings.seed), fit.stop, unmeasured)


def sample_of(model: LanguageModel, seed: int) -> str:
    """Text from a model."""
    text = ""
    for part in model.generate(np.empty(0, np.int64), Sampling(_TEMPERATURE, seed=seed)):
        text += part
        if len(text) >= _SAMPLE:
            break
    return text


def _measured(model: LanguageModel, corpus: Corpus) -> tuple[dict[str, Any], str | None]:
    """The errors on the held-out part, or none and the reason: it must not cost the training."""
    try:
        return measure(model, corpus), None
    except (ValueError, MemoryError) as error:
        return {}, str(error) or "not enough memory"


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that a training with these settings calls."""
    network = make_network(settings, 2, stateful=True)
    choices = compiled.Compiled(optimizer_of(settings, 1), [compiled.OutputChoice(loss_of(settings, 2))], device="cpu")
    return compiled.kernels_used(network, choices)
