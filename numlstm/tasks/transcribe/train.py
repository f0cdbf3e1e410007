"""Split the recordings, train the model, and measure it on the held-out part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from numlstm.messages import listed
from numlstm.tasks.fitting import Checkpoint, Choices, Member, Samples, Stop, fit_model
from numlstm.tasks.transcribe.batches import Batches
from numlstm.tasks.transcribe.features import Scale
from numlstm.tasks.transcribe.measure import measure, rivals
from numlstm.tasks.transcribe.network import Transcriber, least_steps, make_model
from numlstm.tasks.transcribe.recordings import Recordings
from numlstm.tasks.transcribe.settings import Settings
from numlstm.terminal import say
from numlstm.training.checkpoint import CheckpointError

__all__ = ["Split", "Training", "measured", "samples_of", "train"]

_LEAST = 10
"""Recordings, at least."""


@dataclass(frozen=True)
class Split:
    """The parts of recordings, and what follows from them.

    training, validation, test: indices of recordings
    characters: those of all texts, sorted: one that only a held-out text has is an error of the model
    scale: of the frames of the training part
    """

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    characters: str
    scale: Scale

    @classmethod
    def of(cls, recordings: Recordings, settings: Settings) -> Split:
        """Split the recordings, or their voices, by the seed of the settings.

        Raises:
            ValueError: there are too few recordings or voices, or a recording is too short for its text.
        """
        texts, number = recordings.texts, len(recordings.files)
        assert texts is not None
        if number < _LEAST:
            raise ValueError(f"{recordings.name} has {number} recordings: at least {_LEAST} are needed")
        _check_lengths(recordings, settings.stack)
        groups = (
            np.arange(number) if recordings.voices is None else np.unique(recordings.voices, return_inverse=True)[1]
        )
        kinds = np.random.default_rng(settings.seed).permutation(groups.max() + 1)
        test = max(1, round(settings.test_fraction * len(kinds)))
        validation = test + max(1, round(settings.validation_fraction * len(kinds)))
        if validation >= len(kinds):
            raise ValueError(f"{recordings.name} has {len(kinds)} voices, of which none is left to learn from")
        parts = [np.flatnonzero(np.isin(groups, part)) for part in np.split(kinds, [test, validation])]
        training = parts[2]
        characters = "".join(sorted(set("".join(texts))))
        scale = Scale([recordings.frames[row] for row in training], settings.least_deviation)
        return cls(training, parts[1], parts[0], characters, scale)


@dataclass(frozen=True)
class Training:
    """The result of a training.

    metrics: the result of `measured` on the held-out part, and what ran
    member: the model that was trained
    stop: what ended the training early; None if nothing did
    """

    recordings: Recordings
    settings: Settings
    split: Split
    transcriber: Transcriber
    metrics: dict[str, Any]
    member: Member
    stop: Stop | None


def train(
    recordings: Recordings,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train the model. A signal or an error of the device ends the training early, and keeps what was learned.

    Args:
        recordings: with texts.
        settings: the settings.
        verbose: 0 prints nothing, otherwise there is a line for the training.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.

    Raises:
        ValueError: the recordings cannot be split, or a loss becomes NaN or infinite in the first epoch.
        MemoryError: the model needs more memory than there is.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    split = Split.of(recordings, settings)
    longest = int(max(map(len, recordings.frames)) * (1 + settings.stretch)) // settings.stack
    updates = settings.epochs * -(-len(split.training) // settings.batch_size)
    model = make_model(settings, len(split.characters), settings.device, longest, updates)
    transcriber = Transcriber(model, split.characters, split.scale, settings.stack)
    samples = samples_of(recordings, settings, split, transcriber)
    resume = checkpoint is not None and checkpoint.path.exists()
    fit = fit_model(model, samples, _choices(settings, samples), [], verbose, checkpoint, resume, fitted)
    fitted()
    member, stop = fit.member, fit.stop
    if member is None:
        raise KeyboardInterrupt
    if stop is not None and stop.failure is not None:  # The device's memory may be lost.
        model = make_model(settings, len(split.characters), "cpu", longest)
        transcriber = Transcriber(model, split.characters, split.scale, settings.stack)
    try:
        model.set_weights(member.weights)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint keeps weights of another model: {error}") from error
    metrics = measured(recordings, split, transcriber) | {
        "interrupted": stop is not None and stop.interrupted,
        "epochs": len(member.history.get("loss", [])),
        "seconds": round(member.seconds, 3),
        "backend": member.backend,
        "kernel_name": member.kernel_name,
    }
    if verbose:
        best = min(member.history.get("val_loss") or [float("nan")])
        say(f"{metrics['epochs']} epochs, best val_loss {best:.4f}, {member.seconds:.1f} s\n")
    return Training(recordings, settings, split, transcriber, metrics, member, stop)


def measured(
    recordings: Recordings, split: Split, transcriber: Transcriber, other: Recordings | None = None
) -> dict[str, Any]:
    """Compute the error rates on the held-out part, or on other recordings, and those of the rivals.

    Raises:
        ValueError: other recordings have no texts, or texts with characters that the model cannot write.
    """
    tested = recordings.part(split.test) if other is None else other
    if tested.texts is None:
        raise ValueError(f"{tested.name} has no texts to compare with: `numlstm transcribe` needs none")
    _check_characters(tested, split.characters)
    assert recordings.texts is not None
    return (
        measure(tested.texts, transcriber.texts(tested.frames))
        | rivals([recordings.texts[row] for row in split.training], tested)
        | {
            "recordings": len(tested.files),
            "characters": sum(map(len, tested.texts)),
            "voices": None if tested.voices is None else len(set(tested.voices)),
        }
    )


def _check_characters(recordings: Recordings, characters: str) -> None:
    """ValueError if a text has a character that is not one of these."""
    for file, text in zip(recordings.files, recordings.texts or (), strict=False):
        unknown = sorted(set(text) - set(characters))
        if unknown:
            raise ValueError(f"the text of {file} has {listed(unknown)}, which no text of the run has")


def _check_lengths(recordings: Recordings, stack: int) -> None:
    """ValueError if a recording has fewer steps than CTC needs."""
    texts: Sequence[str] = recordings.texts or ()
    for file, frames, text in zip(recordings.files, recordings.frames, texts, strict=True):
        needed = least_steps(text)
        if len(frames) // stack < needed:
            raise ValueError(
                f"{file} has {len(frames) // stack} steps of {10 * stack} ms, too few for the {len(text)} characters of"
                " its text: is it the right one, or can --stack be lower?"
            )


def samples_of(recordings: Recordings, settings: Settings, split: Split, transcriber: Transcriber) -> Samples:
    """The training and the validation part: arrays, or batches where recordings vary."""
    assert recordings.texts is not None
    told = asdict(settings)
    del told["least_deviation"]  # Checkpoints of earlier versions go on.
    if not settings.variation:
        for name in ("masks", "warp", "stretch", "gains"):
            del told[name]
    if settings.schedule == "constant":
        del told["schedule"]
    digest = hashlib.sha256(json.dumps([told, recordings.texts, recordings.voices]).encode())
    for frames in recordings.frames:
        digest.update(frames.tobytes())
    x, y = transcriber.steps(recordings.frames), transcriber.numbers(recordings.texts)
    first, second = split.training, split.validation
    validation = x[second], y[second]
    if settings.variation:
        learned = recordings.part(first)
        batches = Batches(learned.frames, learned.texts or (), transcriber, settings)
        return Samples(batches, None, validation, digest.hexdigest())
    return Samples(x[first], y[first], validation, digest.hexdigest())


def _choices(settings: Settings, samples: Samples) -> Choices:
    epochs, patience, rate = settings.epochs, settings.patience, settings.learning_rate
    if isinstance(samples.inputs, Batches):
        return Choices(epochs, None, patience, rate, samples.inputs.in_epoch, shuffle=False)
    return Choices(epochs, settings.batch_size, patience, rate)
