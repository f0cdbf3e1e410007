"""The settings of a forecast, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from numlstm import checks
from numlstm.data.scaling import SCALINGS
from numlstm.data.series import MISSING
from numlstm.messages import option, quoted

__all__ = [
    "BASES", "FIRST_FORMAT", "OPTIMIZERS", "PLAIN_WINDOW", "REAL", "SINE", "STRATEGIES", "TRANSFORMS", "Settings",
]  # fmt: skip

_MOST_LAYERS = 1000  # Each takes its time to build, however small it is.
_MOST_MEMBERS = 100
PLAIN_WINDOW = 24
"""The window without a rule, if none is given."""
OPTIMIZERS = ("adam", "adamw", "nadam", "rmsprop", "sgd")
STRATEGIES = ("direct", "recursive")
"""How a forecast of several steps is made."""
BASES = ("persistence", "seasonal_naive", "seasonal_change")
"""The naive rules that a model can build on."""
TRANSFORMS = ("none", "log", "sqrt")
"""What can be done to the values before a rule and a model see them."""


@dataclass(frozen=True)
class Settings:
    """Settings of a forecast. The defaults are for real data.

    The recipe of the defaults was chosen on eight public series (sunspots, airline passengers, US births, lynx, CO2,
    Nile, Seattle weather, electrical equipment), without their held-out parts, but that the windows of series without a
    season were fixed after one of them. The forecast is a naive rule plus the model's output: so the model need not
    learn what the rule knows, and begins as good as the rule. The learning rate has a lower out-of-fold error than 1e-3
    and 3e-3 on most of them.

    window: number of input steps; None: two seasons and one step, or 10 or 24, see `numlstm.tasks.forecast.choose`
    horizon: number of steps to forecast after the window
    strategy: "direct": a model forecasts all steps of the horizon at once; "recursive": it forecasts one step, and its
        forecasts stand for the values before the next one, those of several targets for all of them
    units: units of each LSTM layer
    layers: number of LSTM layers, at most 1000
    epochs: maximal number of passes over the training part; None: 200, or fewer for long series
    batch_size: windows per training step; None: 32, or 64 from 1,000 windows on
    learning_rate: learning rate of the optimizer
    optimizer: one of `OPTIMIZERS`
    clip_norm: limit of the gradients' global norm; 0: no limit
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never; None:
        20, or 6 for long series
    rule: the naive rule that the model's output is added to, one of `BASES`; "auto": the one with the lowest error;
        "none": the model forecasts alone
    transform: what the values are transformed by, one of `TRANSFORMS`; "auto": the best for a ridge regression. Without
        a rule they are not transformed
    calendar: "auto": the model sees the day of the week, the day of the year and the hour where the axis has them, but
        not without a rule; "none": it does not
    ensemble: number of models whose mean is the forecast. Each stops by another part of the data; a single one stops by
        the validation part
    interval: levels of the prediction intervals in percent, separated by commas; "none": no intervals
    refit: whether a second training on all rows follows the test, for later use
    scaling: "standard", "minmax" or "none", fitted on the training part; only without a rule
    difference: whether the model reads and forecasts differences between steps instead of values; only without a rule
    missing: treatment of missing values, see `numlstm.data.complete`
    validation_fraction: fraction of the series, before the held-out part, for the validation loss of a single model and
        for the choice of the best rival
    test_fraction: fraction of the series that is held out, at its end; 0: nothing
    train_until: the last value of the axis before the held-out part, instead of a fraction
    test_from: the first value of the axis in the held-out part, instead of a fraction
    season: number of steps of a season; "auto": found in the training part; "none"
    seed: seed of the initial weights and of shuffling
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a learning rate, a norm or a fraction is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    window: int | None = None
    horizon: int = 1
    strategy: str = "direct"
    units: int = 32
    layers: int = 1
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 5e-3
    optimizer: str = "adam"
    clip_norm: float = 1.0
    patience: int | None = None
    rule: str = "auto"
    transform: str = "auto"
    calendar: str = "auto"
    ensemble: int = 5
    interval: str = "80,95"
    refit: bool = True
    scaling: str = "standard"
    difference: bool = True
    missing: str = "refuse"
    validation_fraction: float = 0.15
    test_fraction: float = 0.2
    train_until: str | None = None
    test_from: str | None = None
    season: int | str = "auto"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        given = vars(self)
        for name in ("window", "epochs", "batch_size"):
            if given[name] is not None:
                _require_whole(name, given[name], 1)
        if self.patience is not None:
            _require_whole("patience", self.patience, 0)
        for name in ("horizon", "units"):
            _require_whole(name, given[name], 1)
        _require_whole("seed", self.seed, 0)
        _require_whole("layers", self.layers, 1, most=_MOST_LAYERS)
        _require_whole("ensemble", self.ensemble, 1, most=_MOST_MEMBERS)
        for name in ("difference", "refit"):
            if not isinstance(given[name], bool):
                raise ValueError(f"{name} must be True or False, not {quoted(given[name])}")
        for name, options in (
            ("optimizer", OPTIMIZERS), ("scaling", SCALINGS), ("missing", MISSING), ("rule", ("auto", "none", *BASES)),
            ("transform", ("auto", *TRANSFORMS)), ("calendar", ("auto", "none")), ("strategy", STRATEGIES),
        ):  # fmt: skip
            if given[name] not in options:
                raise ValueError(f"{name} must be one of {', '.join(options)}, not {quoted(given[name])}")
        if self.season not in ("auto", "none"):
            _require_whole("season", self.season, 2)
        checks.positive(self.learning_rate, "learning rate")
        checks.at_least_zero(self.clip_norm, "clip norm")
        _ = self.levels
        self._check_split()

    def _check_split(self) -> None:
        given = vars(self)
        for name in ("test_fraction", "validation_fraction"):
            checks.number(given[name], name.replace("_", " "))
        if not 0 <= self.test_fraction < 1:
            raise ValueError(f"test fraction must lie between 0 and 1, not {self.test_fraction}")
        for name in ("train_until", "test_from"):
            if given[name] is not None and (not isinstance(given[name], str) or not given[name]):
                raise ValueError(
                    f"{name.replace('_', ' ')} must be a date or a number, as text, not {quoted(given[name])}"
                )
        if self.train_until and self.test_from:
            ways = " and ".join(map(option, ("train_until", "test_from")))
            raise ValueError(f"give one of {ways}: both name the beginning of the held-out part")
        if not 0 <= self.validation_fraction < 1 - self.test_fraction:
            raise ValueError(
                "validation fraction must be at least 0 and leave something to train on beside a test fraction of"
                f" {self.test_fraction}, not {self.validation_fraction}"
            )

    @property
    def outputs(self) -> int:
        """The number of steps that a model forecasts at once."""
        return 1 if self.strategy == "recursive" else self.horizon

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of the intervals in percent, in growing order."""
        if self.interval == "none":
            return ()
        try:
            levels = [float(part) for part in self.interval.split(",")]
        except (AttributeError, ValueError):
            levels = []
        if not levels or not all(1 <= level < 100 for level in levels) or len(levels) > 9:
            raise ValueError(
                f"interval must be percentages from 1 to below 100 such as 80,95, or none, not {quoted(self.interval)}"
            )
        return tuple(sorted(set(levels)))


def _require_whole(name: str, value: object, least: int, most: float = inf) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f"from {least} on" if most == inf else f"from {least} to {most}"
        raise ValueError(f"{name.replace('_', ' ')} must be a whole number {limits}, not {quoted(value)}")


REAL = Settings()
"""The defaults for CSV files and the sunspots."""

FIRST_FORMAT: dict[str, Any] = {
    "rule": "none", "transform": "none", "calendar": "none", "ensemble": 1, "interval": "none", "refit": False,
    "season": "none",
}  # fmt: skip
"""The settings that runs of format 1 had without naming them."""

SINE = Settings(
    window=10, units=50, epochs=10, batch_size=32, learning_rate=1e-3, clip_norm=0.0, patience=0, scaling="none",
    difference=False, validation_fraction=0.05, test_fraction=0.1, **FIRST_FORMAT | {"season": "auto"},
)  # fmt: skip
"""The defaults for the noisy sine, the main job: those of the usual Keras script."""
