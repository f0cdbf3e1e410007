"""The settings of the sentiment task, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from numlstm import checks
from numlstm.messages import quoted

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of a classifier of texts. The defaults were chosen on the validation part of the movie sentences.

    ensemble: models whose mean is the answer
    embedding: size of a word's vector
    units: units of each of the two directions of the LSTM
    words: words of a text that are read, at most; the first ones
    least: times that a word must occur in the training part to have a vector of its own
    dropout: rate of dropout before and behind the LSTM
    epochs: maximal number of passes over the training part
    batch_size: texts in a training step
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never
    learning_rate: learning rate of Adam
    validation_fraction: fraction of the texts that decides when training stops
    test_fraction: fraction of the texts that is held out
    threshold: the rating that divides negative from positive texts; None: the labels are no ratings
    seed: seed of the split, of the weights and of shuffling
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a rate or a fraction is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    ensemble: int = 3
    embedding: int = 64
    units: int = 32
    words: int = 100
    least: int = 2
    dropout: float = 0.5
    epochs: int = 12
    batch_size: int = 64
    patience: int = 2
    learning_rate: float = 3e-3
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    threshold: float | None = None
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("ensemble", 1, 100), ("embedding", 1, inf), ("units", 1, inf), ("words", 1, 10_000), ("least", 1, inf),
            ("epochs", 1, inf), ("batch_size", 1, inf), ("patience", 0, inf), ("seed", 0, inf),
        ):  # fmt: skip
            value = vars(self)[name]
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                limits = f"from {least} on" if most == inf else f"from {least} to {most}"
                raise ValueError(f"{name.replace('_', ' ')} must be a whole number {limits}, not {quoted(value)}")
        checks.positive(self.learning_rate, "learning rate")
        if not 0 <= checks.number(self.dropout, "dropout") < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < checks.number(vars(self)[name], name.replace("_", " ")) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must lie between 0 and 1, not {vars(self)[name]}")
        if self.threshold is not None and not isfinite(checks.number(self.threshold, "threshold")):
            raise ValueError(f"threshold must be a finite number, not {self.threshold}")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation fraction and test fraction must leave something to train on")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, not {quoted(self.device)}")
