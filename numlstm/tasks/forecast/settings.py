"""The settings of a forecast, and their defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numlstm.data.scaling import SCALINGS
from numlstm.data.series import MISSING

__all__ = ["OPTIMIZERS", "REAL", "SINE", "Settings"]

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
    layers: number of LSTM layers
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
    seed: seed of the initial weights and of shuffling
    device: "auto", "cpu" or "cuda"
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
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("window", "horizon", "units", "layers", "epochs", "batch_size"):
            _require_whole(name, getattr(self, name), 1)
        for name in ("patience", "seed"):
            _require_whole(name, getattr(self, name), 0)
        if not isinstance(self.difference, bool):
            raise ValueError(f"difference must be True or False, not {self.difference!r}")
        for name, options in (("optimizer", OPTIMIZERS), ("scaling", SCALINGS), ("missing", MISSING)):
            if getattr(self, name) not in options:
                raise ValueError(f"{name} must be one of {', '.join(options)}, not {getattr(self, name)!r}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning rate must be a number above 0, not {self.learning_rate}")
        if not (math.isfinite(self.clip_norm) and self.clip_norm >= 0):
            raise ValueError(f"clip norm must be a number from 0 on, not {self.clip_norm}")
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test fraction must lie between 0 and 1, not {self.test_fraction}")
        if not 0 <= self.validation_fraction < 1 - self.test_fraction:
            raise ValueError(
                "validation fraction must be at least 0 and leave something to train on beside a test fraction of"
                f" {self.test_fraction}, not {self.validation_fraction}"
            )


def _require_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name.replace('_', ' ')} must be a whole number from {least} on, not {value!r}")


REAL = Settings()
"""The defaults for CSV files and the sunspots."""

SINE = Settings(
    window=10, units=50, epochs=10, learning_rate=1e-3, patience=0, scaling="none", difference=False,
    validation_fraction=0.05, test_fraction=0.1,
)  # fmt: skip
"""The defaults for the noisy sine, the main job: those of the usual Keras script."""
