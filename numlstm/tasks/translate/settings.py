"""The settings of the translate task, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from numlstm import checks
from numlstm.messages import quoted
from numlstm.tasks.translate.vocabulary import LEVELS

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of the translate task.

    level: what a source is cut into, "char" or "word"
    target_level: what a target is cut into
    beam: beginnings of an output that the search keeps; 1: always the likeliest token
    bleu: whether BLEU and chrF are computed, by sacrebleu
    units: units of the encoder in each direction; the decoder has twice as many
    embedding: length of the vector of a token
    dropout: share of the vectors' elements that are zero in a training step
    scheduled_sampling: share of the true tokens that the decoder's own ones replace at the end of the training
    epochs: maximal number of passes over the training pairs
    patience: epochs without a better validation loss after which training stops; 0: never
    batch_size: pairs in a training step
    learning_rate: learning rate of Adam
    validation_fraction, test_fraction: shares of the sources for validation, and held out
    seed: seed of the split and of the weights
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a rate or a fraction is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    level: str = "char"
    target_level: str = "char"
    beam: int = 4
    bleu: bool = False
    units: int = 64
    embedding: int = 32
    dropout: float = 0.0
    scheduled_sampling: float = 0.0
    epochs: int = 15
    patience: int = 3
    batch_size: int = 64
    learning_rate: float = 4e-3
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for level in (self.level, self.target_level):
            if level not in LEVELS:
                raise ValueError(f"level must be {' or '.join(LEVELS)}, not {quoted(level)}")
        for name, least, most in (
            ("beam", 1, 100), ("units", 1, inf), ("embedding", 1, inf), ("epochs", 1, inf), ("patience", 0, inf),
            ("batch_size", 1, inf), ("seed", 0, inf),
        ):  # fmt: skip
            value = vars(self)[name]
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                limits = f"from {least} on" if most == inf else f"from {least} to {most}"
                raise ValueError(f"{name.replace('_', ' ')} must be a whole number {limits}, not {quoted(value)}")
        if not isinstance(self.bleu, bool):
            raise ValueError(f"bleu must be true or false, not {quoted(self.bleu)}")
        checks.fraction(self.dropout, "dropout")
        if not 0 <= checks.number(self.scheduled_sampling, "scheduled sampling") <= 1:
            raise ValueError(f"scheduled sampling must lie between 0 and 1, not {self.scheduled_sampling}")
        checks.positive(self.learning_rate, "learning rate")
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < checks.number(vars(self)[name], name.replace("_", " ")) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must lie between 0 and 1, not {vars(self)[name]}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, not {quoted(self.device)}")
