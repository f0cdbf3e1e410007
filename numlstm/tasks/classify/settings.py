"""The settings of a classifier, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from numlstm import checks
from numlstm.messages import quoted
from numlstm.tasks.classify.inputs import MISSING

__all__ = ["CLASS_WEIGHTS", "Settings"]

CLASS_WEIGHTS = ("none", "balanced")
"""Weights of the classes in the loss."""
_MOST_LAYERS = 100
_MOST_MEMBERS = 100


@dataclass(frozen=True)
class Settings:
    """Settings of a classifier.

    The recipe of the defaults was chosen by cross-validation on the training parts of five public sets (JapaneseVowels,
    ItalyPowerDemand, GunPoint, BasicMotions, ArrowHead); their test parts had no say.

    units: units of each LSTM layer, in each direction
    layers: number of LSTM layers, at most 100
    bidirectional: whether each layer reads the sequence in both directions
    dropout: fraction of the last state that is dropped in training
    frame: steps that the model sees at once; None: so many that the longest sequence has 40 frames
    epochs: maximal number of passes over the training part; None: 200, or fewer for much data
    batch_size: sequences per training step; None: 16, or 64 from 1,000 sequences on
    learning_rate: learning rate of Adam
    clip_norm: limit of the gradients' global norm; 0: no limit
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never
    class_weight: "balanced": each class counts equally in the loss; "none": each sequence does
    ensemble: number of models whose mean is the prediction. Each is stopped by another part of the training part
    missing: "refuse" missing values, or "indicate" them to the model, see `numlstm.tasks.classify.inputs.Inputs`
    test_fraction: fraction of each class that is held out, where the data do not hold out a part themselves
    seed: seed of the split, the initial weights, dropout and shuffling
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a rate, a norm or a fraction is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    units: int = 32
    layers: int = 1
    bidirectional: bool = True
    dropout: float = 0.3
    frame: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 5e-3
    clip_norm: float = 1.0
    patience: int = 40
    class_weight: str = "none"
    ensemble: int = 5
    missing: str = "refuse"
    test_fraction: float = 0.25
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        given = vars(self)
        for name in ("frame", "epochs", "batch_size"):
            if given[name] is not None:
                _require_whole(name, given[name], 1)
        for name, least, most in (
            ("units", 1, inf), ("layers", 1, _MOST_LAYERS), ("ensemble", 1, _MOST_MEMBERS), ("patience", 0, inf),
            ("seed", 0, inf),
        ):  # fmt: skip
            _require_whole(name, given[name], least, most)
        if not isinstance(self.bidirectional, bool):
            raise ValueError(f"bidirectional must be True or False, not {quoted(self.bidirectional)}")
        for name, options in (
            ("class_weight", CLASS_WEIGHTS), ("missing", MISSING), ("device", ("auto", "cpu", "cuda"))
        ):  # fmt: skip
            if given[name] not in options:
                raise ValueError(f"{name.replace('_', ' ')} must be one of {', '.join(options)}, not {given[name]!r}")
        checks.positive(self.learning_rate, "learning rate")
        checks.at_least_zero(self.clip_norm, "clip norm")
        checks.fraction(self.dropout, "dropout")
        checks.number(self.test_fraction, "test fraction")
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test fraction must lie between 0 and 1, not {quoted(self.test_fraction)}")


def _require_whole(name: str, value: object, least: int, most: float = inf) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f"from {least} on" if most == inf else f"from {least} to {most}"
        raise ValueError(f"{name.replace('_', ' ')} must be a whole number {limits}, not {quoted(value)}")
