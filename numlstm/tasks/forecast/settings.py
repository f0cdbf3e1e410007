"""The settings of a forecast, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from numlstm import checks
from numlstm.data.scaling import SCALINGS
from numlstm.data.series import MISSING
from numlstm.messages import quoted

__all__ = ["OPTIMIZERS", "REAL", "SINE", "Settings"]

_MOST_LAYERS = 1000  # Each takes its time to build, however small it is.
OPTIMIZERS = ("adam", "adamw", "nadam", "rmsprop", "sgd")


@dataclass(frozen=True)
class Settings:
    """Settings of a forecast. The defaults are for real data.

    The defaults were chosen on seven public series (sunspots, airline passengers, CO2, El Niño, Nile, US inflation, US
    product) by the validation loss, where it differed between options. Of two learning rates with nearly equal loss,
    the lower one is the default. Results on these series are therefore not results on unseen data. The model forecasts
    differences because the future values of a series with a trend lie outside the range of the training part.

    window: number of input steps
    horizon: number of steps to forecast after the window, all at once
    units: units of each LSTM layer
    layers: number of LSTM layers, at most 1000
    epochs: maximal number of passes over the training part
    batch_size: windows per training step
    learning_rate: learning rate of the optimizer
    optimizer: one of `OPTIMIZERS`
    clip_norm: limit of the gradients' global norm; 0: no limit
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never
    scaling: "standard", "minmax" or "none", fitted on the training part
    difference: whether the model reads and forecasts differences between steps instead of values
    missing: treatment of missing values, see `numlstm.data.complete`
    validation_fraction: fraction of the series, before the held-out part, for the validation loss
    test_fraction: fraction of the series that is held out, at its end
    season: number of steps of a season; "auto": found in the training part; "none"
    seed: seed of the initial weights and of shuffling
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a learning rate, a norm or a fraction is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    window: int = 24
    horizon: int = 1
    units: int = 32
    layers: int = 1
    epochs: int = 200
    batch_size: int = 32
    learning_rate: float = 5e-3
    optimizer: str = "adam"
    clip_norm: float = 0.0
    patience: int = 20
    scaling: str = "standard"
    difference: bool = True
    missing: str = "refuse"
    validation_fraction: float = 0.15
    test_fraction: float = 0.2
    season: int | str = "auto"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        given = vars(self)
        for name in ("window", "horizon", "units", "epochs", "batch_size"):
            _require_whole(name, given[name], 1)
        for name in ("patience", "seed"):
            _require_whole(name, given[name], 0)
        _require_whole("layers", self.layers, 1, most=_MOST_LAYERS)
        if not isinstance(self.difference, bool):
            raise ValueError(f"difference must be True or False, not {quoted(self.difference)}")
        for name, options in (("optimizer", OPTIMIZERS), ("scaling", SCALINGS), ("missing", MISSING)):
            if given[name] not in options:
                raise ValueError(f"{name} must be one of {', '.join(options)}, not {quoted(given[name])}")
        if self.season not in ("auto", "none"):
            _require_whole("season", self.season, 2)
        checks.positive(self.learning_rate, "learning rate")
        checks.at_least_zero(self.clip_norm, "clip norm")
        for name in ("test_fraction", "validation_fraction"):
            checks.number(given[name], name.replace("_", " "))
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test fraction must lie between 0 and 1, not {self.test_fraction}")
        if not 0 <= self.validation_fraction < 1 - self.test_fraction:
            raise ValueError(
                "validation fraction must be at least 0 and leave something to train on beside a test fraction of"
                f" {self.test_fraction}, not {self.validation_fraction}"
            )


def _require_whole(name: str, value: object, least: int, most: float = inf) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f"from {least} on" if most == inf else f"from {least} to {most}"
        raise ValueError(f"{name.replace('_', ' ')} must be a whole number {limits}, not {quoted(value)}")


REAL = Settings()
"""The defaults for CSV files and the sunspots."""

SINE = Settings(
    window=10, units=50, epochs=10, learning_rate=1e-3, patience=0, scaling="none", difference=False,
    validation_fraction=0.05, test_fraction=0.1,
)  # fmt: skip
"""The defaults for the noisy sine, the main job: those of the usual Keras script."""
