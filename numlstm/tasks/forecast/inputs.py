"""What a model sees of a series, and what its output means.

Every forecast starts at an origin, the index of the last known value. A model sees `window` steps up to the origin, and
its output, [K, horizon], becomes a forecast in transformed values, which `restore` turns into the data's own units.

Of a column that is known in advance, a model sees at each step t the values of the steps t to t + horizon. So the last
step shows the present value and those of all steps that are forecast. Of the other columns it sees nothing after the
origin: there, their values may be NaN.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.data.scaling import Scaler
from numlstm.messages import quoted
from numlstm.override import override
from numlstm.tasks.forecast.calendar import CYCLES, calendar_of
from numlstm.tasks.forecast.rules import SEASONAL, naive
from numlstm.tasks.forecast.settings import BASES
from numlstm.tasks.forecast.spread import Spread
from numlstm.tasks.forecast.transform import Transform

__all__ = ["Inputs", "PlainInputs", "RuleInputs", "inputs_from_dict"]


@dataclass(frozen=True)
class Inputs(ABC):
    """What a model sees, and what its output means. Values are [N, C], the target first; origins are [K].

    The values must reach `horizon` steps beyond each origin where columns are known in advance.

    window: W, the number of steps that the model sees
    horizon: H, the number of steps of a forecast
    scaler: of what the model sees
    future: the number of the last columns, which are known in advance
    """

    window: int
    horizon: int
    scaler: Scaler
    future: int = field(default=0, kw_only=True)

    @property
    @abstractmethod
    def reach(self) -> int:
        """The number of values, up to and including the origin, that a forecast uses."""

    @property
    @abstractmethod
    def needs_calendar(self) -> bool:
        """Whether `windows` needs the axis."""

    @abstractmethod
    def features(self, columns: int) -> int:
        """F, the number of inputs of a step."""

    @abstractmethod
    def windows(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """The model's inputs, [K, W, F]. coming: [N] the axis one step after each value, if it is needed."""

    @abstractmethod
    def targets(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """The outputs that would be right, [K, H]."""

    @abstractmethod
    def combine(self, outputs: np.ndarray, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """The forecasts of outputs [K, H], in transformed values."""

    @abstractmethod
    def spread(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """By how much the values have been unforeseeable before each origin, [K], in transformed values."""

    @abstractmethod
    def transform(self, target: np.ndarray) -> np.ndarray:
        """Transform values of the target."""

    @abstractmethod
    def restore(self, transformed: np.ndarray) -> np.ndarray:
        """The values that were transformed."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain data for `inputs_from_dict`."""


def inputs_from_dict(content: Any, horizon: int, future: int = 0) -> Inputs:
    """Read the result of `Inputs.to_dict`; ValueError, TypeError or KeyError if it is damaged."""
    if not isinstance(content, dict):
        raise ValueError(f"the inputs must be an object, not {quoted(content)}")
    content = dict(content)
    scaler = Scaler.from_dict(content.pop("scaler"))
    content["window"] = checks.integer(content["window"], "the window")
    kind: Any = RuleInputs if "rule" in content else PlainInputs
    if kind is RuleInputs:
        content["transform_"] = Transform(**content.pop("transform"))
        content["calendar"] = tuple(content["calendar"])
        content["spread_"] = Spread.from_dict(content.pop("spread", None))
    return kind(horizon=horizon, scaler=scaler, future=future, **content)


@dataclass(frozen=True)
class PlainInputs(Inputs):
    """The scaled values, or their differences, also those known in advance. The output is in the same scale.

    constant: whether the target did not change in the training part; then the forecast repeats its last value
    """

    difference: bool
    constant: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        checks.boolean(self.difference, "difference")
        checks.boolean(self.constant, "constant")

    @property
    @override
    def needs_calendar(self) -> bool:
        return False

    @property
    @override
    def reach(self) -> int:
        return self.window + self.difference

    @override
    def features(self, columns: int) -> int:
        return columns + self.future * self.horizon

    @override
    def windows(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        view = np.lib.stride_tricks.sliding_window_view(self.scaled(values), self.window, axis=0).transpose(0, 2, 1)
        return _taken(view, origins - self.reach + 1)

    @override
    def targets(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        view = np.lib.stride_tricks.sliding_window_view(self.scaled(values)[:, 0], self.horizon)
        return _taken(view, origins + 1 - self.difference)

    @override
    def combine(self, outputs: np.ndarray, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        if self.constant:
            return np.broadcast_to(values[origins, :1], outputs.shape)
        forecast = self.scaler.inverse(outputs, 0)
        return values[origins, :1] + np.cumsum(forecast, axis=1) if self.difference else forecast

    @override
    def spread(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        return np.ones(len(origins))

    @override
    def transform(self, target: np.ndarray) -> np.ndarray:
        return target

    @override
    def restore(self, transformed: np.ndarray) -> np.ndarray:
        return transformed

    @override
    def to_dict(self) -> dict[str, Any]:
        return {
            "window": self.window,
            "difference": self.difference,
            "constant": self.constant,
            "scaler": self.scaler.to_dict(),
        }

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """The scaled inputs of each step, [N or N - 1, F]."""
        changes = changes_of(values, self.difference)
        known = changes[:, changes.shape[1] - self.future :]
        return self.scaler.transform(np.concatenate([changes, _next(known, range(1, self.horizon + 1))], axis=1))


def changes_of(values: np.ndarray, difference: bool) -> np.ndarray:
    """The differences between the steps of values [N, C], or the values themselves."""
    if not difference:
        return values
    with np.errstate(over="ignore", invalid="ignore"):  # In training, the scaler refuses infinite differences.
        return np.diff(values, axis=0)


def _taken(view: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of a view; without a copy if they follow each other."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return view[rows[0] : rows[-1] + 1]
    return view[rows]


@dataclass(frozen=True)
class RuleInputs(Inputs):
    """Changes of the transformed values around the origin, and the calendar. The output is added to a naive rule.

    A step's inputs are, for the target, its difference from the origin, from the step before and from the season before
    (without a season, its level); for each further column the level and the difference; the calendar of the step after
    it; and for each column that is known in advance, the levels of this step and the next H, and with a season their
    differences from the season before, which a seasonal rule repeats.

    rule: one of `BASES`
    season: m; None: none
    transform_: the transform of the target
    calendar: names of cycles, see `numlstm.tasks.forecast.calendar`
    scale: what the output is multiplied by before it is added; 0: the rule was exact, and the forecast is the rule's
    spread_: how the spread is computed from the rule's errors within the window
    """

    rule: str
    season: int | None
    transform_: Transform
    calendar: tuple[str, ...]
    scale: float
    spread_: Spread = field(default=Spread(), kw_only=True)

    def __post_init__(self) -> None:
        if self.season is not None:
            checks.integer(self.season, "the season", least=2)
        if self.rule not in BASES or (self.season is None and self.rule in SEASONAL):
            raise ValueError(f"{quoted(self.rule)} is no rule for a season of {self.season}")
        if not all(isinstance(name, str) and name in CYCLES for name in self.calendar):
            raise ValueError(f"the calendar must be some of {', '.join(CYCLES)}, not {quoted(self.calendar)}")
        checks.at_least_zero(self.scale, "the scale")

    @property
    @override
    def needs_calendar(self) -> bool:
        return bool(self.calendar)

    @property
    @override
    def reach(self) -> int:
        return self.window + (self.season or 1)

    @override
    def features(self, columns: int) -> int:
        return 3 + 2 * (columns - self.future - 1) + 2 * len(self.calendar) + self.foreseen

    @property
    def foreseen(self) -> int:
        """The number of the last inputs of a step, which are of columns that are known in advance."""
        return self.future * (self.horizon + 1) * (1 if self.season is None else 2)

    @override
    def windows(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        # In float32, as a model takes them, and scaled before they are repeated: there are W times as many windows.
        steps = origins[:, None] + np.arange(1 - self.window, 1)
        table = self._table(values, coming)
        found = ((table - self.scaler.offset) / self.scaler.scale).astype(np.float32)[steps]
        level = table[:, 0]
        found[:, :, 0] = (level[steps] - level[origins][:, None] - self.scaler.offset[0]) / self.scaler.scale[0]
        return found

    def raw(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """The inputs before they are scaled, [K, W, F]; arguments as for `windows`."""
        table = self._table(values, coming)
        found = table[origins[:, None] + np.arange(1 - self.window, 1)]
        found[:, :, 0] -= table[origins, 0][:, None]
        return found

    def _table(self, values: np.ndarray, coming: np.ndarray | None) -> np.ndarray:
        """The inputs of each step, [N, F], but that the first is the value itself."""
        z = self.transform_(values[:, 0])
        others, known = np.split(values[:, 1:], [values.shape[1] - 1 - self.future], axis=1)
        parts = [z[:, None], _change(z, 1)[:, None], (z if self.season is None else _change(z, self.season))[:, None]]
        parts += [others, _change(others, 1)]
        if self.calendar:
            assert coming is not None
            parts.append(calendar_of(coming, self.calendar))
        for seen in (known, *([] if self.season is None else [_change(known, self.season)])):
            parts.append(_next(seen, range(self.horizon + 1)))
        return np.concatenate(parts, axis=1)

    @override
    def targets(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        z = self.transform_(values[:, 0])
        true = np.lib.stride_tricks.sliding_window_view(z, self.horizon)[origins + 1]
        return (true - naive(self.rule, z, origins, self.season, self.horizon)) / (self.scale or 1.0)

    @override
    def combine(self, outputs: np.ndarray, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        z = self.transform_(values[:, 0])
        return naive(self.rule, z, origins, self.season, self.horizon) + outputs * self.scale

    @override
    def spread(self, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """That of the rule's errors within the window, one step ahead."""
        scale = self.scale or 1.0
        if self.window == 1:
            return np.full(len(origins), scale)
        z = self.transform_(values[:, 0])
        errors = np.zeros(len(z))
        with np.errstate(over="ignore", invalid="ignore"):
            errors[1:] = z[1:] - naive(self.rule, z, np.arange(len(z) - 1), self.season, 1)[:, 0]
            return self.spread_.at(errors, origins, self.window - 1, scale)

    @override
    def transform(self, target: np.ndarray) -> np.ndarray:
        return self.transform_(target)

    @override
    def restore(self, transformed: np.ndarray) -> np.ndarray:
        return self.transform_.inverse(transformed)

    @override
    def to_dict(self) -> dict[str, Any]:
        return {
            "window": self.window,
            "rule": self.rule,
            "season": self.season,
            "transform": asdict(self.transform_),
            "calendar": list(self.calendar),
            "scaler": self.scaler.to_dict(),
            "scale": self.scale,
            "spread": asdict(self.spread_),
        }


def _next(values: np.ndarray, steps: range) -> np.ndarray:
    """The values [N, C] some steps later, [N, C for each of `steps`]. The last one stands for those after the end."""
    rows = np.minimum(np.arange(len(values))[:, None] + np.asarray(steps), len(values) - 1)
    return values[rows].reshape(len(values), len(steps) * values.shape[1])


def _change(values: np.ndarray, lag: int) -> np.ndarray:
    """Values less those some steps before; 0 where there are none."""
    changes = np.zeros_like(values)
    changes[lag:] = values[lag:] - values[:-lag]
    return changes
