"""What a model sees of sequences: scaled values in frames, padded to one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.data.scaling import Scaler
from numlstm.messages import quoted
from numlstm.tasks.classify.sequences import Sequences

__all__ = ["MISSING", "PADDING", "Inputs", "refuse_gaps"]

MISSING = ("refuse", "indicate")
"""What is done about missing values."""
PADDING = -1e6
"""The input at steps beyond the end of a sequence, which the model masks. No scaled value comes near it."""
_FRAMES = 40
"""Frames of the longest sequence, if the length of a frame is not given. Chosen by cross-validation."""
_LARGEST = 1e3
"""Scaled values are cut here: no value of other data must look like padding."""


@dataclass(frozen=True)
class Inputs:
    """The way from sequences to arrays.

    A frame is several steps in a row, whose values the model sees at once: a long sequence becomes a short one. With
    `missing` "indicate" a step has three numbers for each column, after Lipton et al. 2016 and Che et al. 2018: the
    last known value, or 0, the mean, before the first; 1 where the value is missing, otherwise 0; and the time since
    an earlier step had the value, as log(1 + t / unit).

    scaler: scales of the columns, of the training part
    frame: steps in a frame
    missing: one of `MISSING`
    unit: the usual time between two steps
    """

    scaler: Scaler
    frame: int
    missing: str
    unit: float

    @classmethod
    def fit(cls, training: Sequences, frame: int | None, missing: str) -> Inputs:
        """Fit to the training part.

        Raises:
            ValueError: values are missing and refused, a column holds none, or one is too large.
        """
        refuse_gaps(training, missing)
        values = np.concatenate(training.values)
        known = [column[~np.isnan(column)] for column in values.T]
        for name, column in zip(training.columns, known, strict=True):
            if not len(column):
                raise ValueError(f"{training.name}: the column {quoted(name)} holds no value in the training part")
        scales = [Scaler.fit(column[:, None]) for column in known]
        scaler = Scaler(*(np.concatenate([getattr(each, key) for each in scales]) for key in ("offset", "scale")))
        gaps = np.concatenate([np.diff(each) for each in training.times or ()] or [np.ones(1)])
        unit = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
        return cls(scaler, frame or max(1, round(int(training.lengths.max()) / _FRAMES)), missing, unit)

    @property
    def columns(self) -> int:
        """F, the columns of values."""
        return len(self.scaler.scale)

    @property
    def features(self) -> int:
        """The numbers that the model sees at once."""
        return self.frame * self.columns * (3 if self.missing == "indicate" else 1)

    def array(self, sequences: Sequences) -> np.ndarray:
        """[N, frames, features] float32, with `PADDING` beyond the end of each sequence.

        The last frame of a sequence repeats its last step, if the sequence ends within it.

        Raises:
            ValueError: values are missing and refused.
            MemoryError: the array would be larger than the memory.
        """
        refuse_gaps(sequences, self.missing)
        frames = -(-sequences.lengths // self.frame)
        checks.fits(4 * len(sequences) * int(frames.max()) * self.features, f"the input of {len(sequences)} sequences")
        array = np.full((len(sequences), int(frames.max()), self.features), PADDING, np.float32)
        for row, count in enumerate(frames):
            steps = self.steps(sequences, row)
            steps = np.pad(steps, ((0, count * self.frame - len(steps)), (0, 0)), mode="edge")
            array[row, :count] = steps.reshape(count, -1)
        return array

    def scaled(self, sequences: Sequences, row: int) -> np.ndarray:
        """[T, F] the scaled values of a sequence; a missing one is the last known one, or 0."""
        scaled = np.clip(self.scaler.transform(sequences.values[row]), -_LARGEST, _LARGEST)
        last = _last_known(scaled)
        return np.where(last < 0, 0.0, np.take_along_axis(scaled, np.maximum(last, 0), axis=0))

    def steps(self, sequences: Sequences, row: int) -> np.ndarray:
        """[T, F] or [T, 3 F]: what the model sees of each step of a sequence."""
        scaled = self.scaled(sequences, row)
        if self.missing != "indicate":
            return scaled
        gaps = np.isnan(sequences.values[row])
        clock = np.arange(len(gaps)) * 1.0 if sequences.times is None else sequences.times[row] / self.unit
        before = np.vstack([np.full((1, gaps.shape[1]), -1), _last_known(np.where(gaps, np.nan, 0.0))[:-1]])
        since = clock[:, None] - np.where(before < 0, clock[0], clock[np.maximum(before, 0)])
        return np.hstack([scaled, gaps, np.log1p(np.maximum(since, 0.0))])

    def per_step(self, gradient: np.ndarray, length: int) -> np.ndarray:
        """[T] the size of a gradient, [frames, features], at each step of a sequence of this length."""
        steps = np.abs(gradient).reshape(len(gradient) * self.frame, -1)
        return np.asarray(steps[:length].sum(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return vars(self) | {"scaler": self.scaler.to_dict()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Inputs:
        """Make inputs from the result of `to_dict`; ValueError, TypeError or KeyError if they are none."""
        frame, missing, unit = content["frame"], content["missing"], content["unit"]
        if missing not in MISSING:
            raise ValueError(f"missing must be one of {', '.join(MISSING)}, not {quoted(missing)}")
        return cls(
            Scaler.from_dict(content["scaler"]), checks.integer(frame, "frame"), missing, checks.positive(unit, "unit")
        )


def refuse_gaps(sequences: Sequences, missing: str) -> None:
    """Raise ValueError if values are missing, and `missing` is "refuse"."""
    if missing == "refuse" and sequences.missing is not None:
        raise ValueError(
            f"{sequences.name}: values are missing in the sequence {quoted(sequences.missing)}: fill them, or train"
            " with --missing indicate, which tells the model where"
        )


def _last_known(values: np.ndarray) -> np.ndarray:
    """[T, F] the step of the last value that is not NaN; -1 before the first."""
    steps = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    return np.asarray(np.maximum.accumulate(steps, axis=0))
