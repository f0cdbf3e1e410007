"""The settings of the memory task, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from numlstm import checks
from numlstm.messages import quoted

__all__ = ["CELLS", "LAGS_OF_COPY", "PROBLEMS", "Settings", "lags_of"]

PROBLEMS = ("adding", "copy")
CELLS = ("rnn", "lstm", "gru")
LAGS_OF_COPY = (10, 20, 40)
"""The lags of the copy task, if none are given: at 80 the LSTM needs more than the usual budget."""
_MOST_LAGS = 20
_LONGEST = 10_000


@dataclass(frozen=True)
class Settings:
    """Settings of the memory task.

    problem: one of `PROBLEMS`
    cells: of `CELLS`, in the order of the report
    lags: the lags in steps, in growing order
    seeds: number of trainings for each lag and cell
    budget: sequences after which a training without success ends
    units: units of the recurrent layer
    batch_size: sequences in a training step
    learning_rate: learning rate of Adam
    forget_bias: the first value of the bias of an LSTM's forget gate
    seed: seed of the first training; the next ones count on
    device: "auto", "cpu" or "cuda"

    Raises:
        TypeError: a learning rate or a bias is not a number.
        ValueError: a setting is out of range, or not of its type.
    """

    problem: str = "adding"
    cells: tuple[str, ...] = ("rnn", "lstm")
    lags: tuple[int, ...] = (10, 20, 40, 80)
    seeds: int = 3
    budget: int = 40_000
    units: int = 32
    batch_size: int = 32
    learning_rate: float = 1e-2
    forget_bias: float = 3.0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.problem not in PROBLEMS:
            raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}, not {quoted(self.problem)}")
        if not self.cells or set(self.cells) - set(CELLS) or len(set(self.cells)) < len(self.cells):
            raise ValueError(f"cell must name some of {', '.join(CELLS)}, each once, not {quoted(self.cells)}")
        if not 0 < len(self.lags) <= _MOST_LAGS:
            raise ValueError(f"lags must be 1 to {_MOST_LAGS} numbers, not {len(self.lags)}")
        for lag in self.lags:
            _require_whole("a lag", lag, 2, _LONGEST)
        if any(first >= second for first, second in zip(self.lags, self.lags[1:], strict=False)):
            raise ValueError(f"lags must grow, as 10,20,40 do, not {quoted(self.lags)}")
        for name, least, most in (
            ("seeds", 1, 100), ("units", 1, inf), ("batch_size", 1, inf), ("budget", 1, inf), ("seed", 0, inf),
        ):  # fmt: skip
            _require_whole(name.replace("_", " "), vars(self)[name], least, most)
        if self.budget < self.batch_size:
            raise ValueError(f"budget must be at least the batch size of {self.batch_size}, not {self.budget}")
        checks.positive(self.learning_rate, "learning rate")
        if not -100 <= checks.number(self.forget_bias, "forget bias") <= 100:
            raise ValueError(f"forget bias must lie between -100 and 100, not {self.forget_bias}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, not {quoted(self.device)}")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Settings:
        """The settings as config.json has them, with lists. Errors as for the class."""
        lists = {name: tuple(content[name]) for name in ("cells", "lags")}
        return cls(**{**content, **lists})


def lags_of(text: str) -> tuple[int, ...]:
    """Read lags as the command line has them, such as "10,20,40"; ValueError if they are not whole numbers."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        raise ValueError(f"lags must be whole numbers with commas between them, such as 10,20,40, not {quoted(text)}")
    return tuple(map(int, parts))


def _require_whole(name: str, value: object, least: float, most: float) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        limits = f"from {least} on" if most == inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {limits}, not {quoted(value)}")
