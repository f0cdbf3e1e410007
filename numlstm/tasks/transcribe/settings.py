"""The settings of the transcribe task, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from numlstm import checks
from numlstm.messages import quoted
from numlstm.tasks.transcribe.variation import Variation

__all__ = ["DIRECTIONS", "SCHEDULES", "Settings"]

DIRECTIONS = ("both", "one")
SCHEDULES = ("constant", "cosine")
_LEAST_DEVIATION = 0.1
"""Of the logarithm of an energy. A band of white noise has 0.3 to 0.9, at the floor of silence 0.14; a band above 4 kHz
of a recording of 8 kHz has at most 0.03: divided by that, sound in it would become hundreds."""


@dataclass(frozen=True)
class Settings:
    """Settings of a transcriber. The defaults were chosen on Morse code of seed 0.

    direction: "both", or "one" for a model that can write while it listens
    stack: frames of 10 ms that make one step of the model
    units: units of each direction of each LSTM
    layers: LSTMs, one above the other
    dropout: rate of dropout of the bands, and before the output
    masks, warp, stretch, gains: as for `Variation`
    epochs: maximal number of passes over the training part
    batch_size: recordings in a training step
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never
    learning_rate: learning rate of Adam
    schedule: "constant"; or "cosine" for a learning rate that falls to 0 over all epochs, as half a cosine
    validation_fraction: fraction of the recordings, or of the voices, that decides when training stops
    test_fraction: fraction that is held out
    count: recordings to generate
    seed: seed of generated recordings, of the split, of the weights and of shuffling
    device: "auto", "cpu" or "cuda"
    least_deviation: a band that varies less in the training part, which is a silent one, is divided by this number

    Raises:
        TypeError: a rate or a fraction is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    direction: str = "both"
    stack: int = 2
    units: int = 64
    layers: int = 1
    dropout: float = 0.1
    masks: int = 0
    warp: float = 0.0
    stretch: float = 0.0
    gains: float = 0.0
    epochs: int = 25
    batch_size: int = 8
    patience: int = 5
    learning_rate: float = 4e-3
    schedule: str = "constant"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    count: int = 1200
    seed: int = 0
    device: str = "auto"
    least_deviation: float = _LEAST_DEVIATION

    def __post_init__(self) -> None:
        for name, least, most in (
            ("stack", 1, 20), ("units", 1, inf), ("layers", 1, 8), ("epochs", 1, inf), ("batch_size", 1, inf),
            ("masks", 0, 20), ("patience", 0, inf), ("count", 10, 100_000), ("seed", 0, inf),
        ):  # fmt: skip
            value = vars(self)[name]
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                limits = f"from {least} on" if most == inf else f"from {least} to {most}"
                raise ValueError(f"{name.replace('_', ' ')} must be a whole number {limits}, not {quoted(value)}")
        checks.positive(self.learning_rate, "learning rate")
        checks.positive(self.least_deviation, "least deviation")
        if not 0 <= checks.number(self.dropout, "dropout") < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        for name, most in (("warp", 1), ("stretch", 1), ("gains", 20)):
            if not 0 <= checks.number(vars(self)[name], name) <= most:
                raise ValueError(f"{name} must lie between 0 and {most}, not {vars(self)[name]}")
        for name in ("validation_fraction", "test_fraction"):
            if not 0 < checks.number(vars(self)[name], name.replace("_", " ")) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must lie between 0 and 1, not {vars(self)[name]}")
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation fraction and test fraction must leave something to train on")
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction must be both or one, not {quoted(self.direction)}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be constant or cosine, not {quoted(self.schedule)}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, not {quoted(self.device)}")

    @property
    def variation(self) -> Variation:
        """What is drawn for each recording in each epoch."""
        return Variation(self.masks, self.warp, self.stretch, self.gains)
