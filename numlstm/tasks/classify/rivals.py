"""The rivals of a classifier: the most frequent class, the nearest neighbour, and a regression on simple features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import layers, optimizers, regularizers
from numlstm.data.scaling import Scaler
from numlstm.model import Sequential
from numlstm.seeds import set_seed
from numlstm.tasks.classify.inputs import Inputs
from numlstm.tasks.classify.measure import scores
from numlstm.tasks.classify.sequences import Sequences

__all__ = ["RIVALS", "Rivals", "dtw_distances"]

RIVALS = {
    "dtw": "1-NN DTW",
    "features": "logistic regression on simple features",
    "majority": "the most frequent class",
}
"""The words for each rival in a report."""
_BAND = 0.1
"""Half the width of the Sakoe-Chiba band, in parts of the longer sequence. The archive of UCR reports such bands."""
_MOST = 1_000_000_000
"""Cells of all alignments, times columns, beyond which the nearest neighbour takes more than about 30 seconds."""
_STEPS = 400


@dataclass(frozen=True)
class Rivals:
    """What simple rules learn from the training part.

    training: the sequences
    targets: [N] the indices of their classes
    classes: C
    inputs: the scales of the columns
    """

    training: Sequences
    targets: np.ndarray
    classes: int
    inputs: Inputs

    def measure(self, test: Sequences, targets: np.ndarray) -> dict[str, Any]:
        """The accuracy and F1 of each rival on other sequences, the best one as "rival", and notes on those left out.

        "dtw": 1-nearest neighbour by dynamic time warping, of all columns together (`dtw_distances`), scaled or as they
        are, whichever is better for the training part, each sequence left out in turn.
        "features": multinomial logistic regression on `simple_features`.
        "majority": always the most frequent class of the training part.
        """
        found = {"features": self._by_features(test)}
        notes = []
        if self._cells(test) <= _MOST:
            found["dtw"] = self._by_neighbour(test)
        else:
            notes.append("1-NN DTW was left out: it would take too long")
        found["majority"] = np.full(len(test), np.bincount(self.targets).argmax())
        measured: dict[str, Any] = {}
        for name in (name for name in RIVALS if name in found):
            for score, value in scores(targets, found[name], self.classes).items():
                measured[f"{name}_{score}"] = value
        measured["rival"] = max(found, key=lambda name: float(measured[f"{name}_accuracy"]))
        return measured | {"rival_notes": notes}

    def _cells(self, test: Sequences) -> float:
        """The size of the alignments of each sequence with each of the training part."""
        longest = max(self.training.lengths.max(), test.lengths.max())
        width = min(longest, 2 * np.ceil(_BAND * longest) + 1)
        count = len(test) + (2 * len(self.training) if len(test.columns) > 1 else 0)
        return float(count * len(self.training) * longest * width * (1 + len(test.columns)) / 2)

    def _by_neighbour(self, test: Sequences) -> np.ndarray:
        inputs, lengths = self.inputs, self.training.lengths
        known = np.zeros((len(lengths), int(lengths.max()), inputs.columns))
        for row, length in enumerate(lengths):
            known[row, :length] = inputs.scaled(self.training, row)
        units = np.ones(inputs.columns)
        if inputs.columns > 1 and self._left_out(known, inputs.scaler.scale) > self._left_out(known, units):
            units = inputs.scaler.scale
        known = known * units
        nearest = [dtw_distances(inputs.scaled(test, row) * units, known, lengths).argmin() for row in range(len(test))]
        return self.targets[np.array(nearest)]

    def _left_out(self, known: np.ndarray, units: np.ndarray) -> int:
        """How many sequences of the training part have a nearest neighbour of their own class."""
        lengths, right, known = self.training.lengths, 0, known * units
        for row, length in enumerate(lengths):
            distances = dtw_distances(known[row, :length], known, lengths)
            distances[row] = np.inf
            right += int(self.targets[distances.argmin()] == self.targets[row])
        return right

    def _by_features(self, test: Sequences) -> np.ndarray:
        known, other = simple_features(self.training, self.inputs), simple_features(test, self.inputs)
        scaler = Scaler.fit(known)
        set_seed(0)  # The weights begin with zeros: only the order of the sequences is drawn.
        head = layers.Dense(
            self.classes, activation="softmax", kernel_initializer="zeros",
            kernel_regularizer=regularizers.L2(1e-3), input_shape=(known.shape[1],),
        )  # fmt: skip
        model = Sequential([head])
        model.compile(optimizers.Adam(learning_rate=0.05), "sparse_categorical_crossentropy", device="cpu", verbose=0)
        size = max(16, len(known))
        model.fit(scaler.transform(known), self.targets, batch_size=size, epochs=_STEPS, verbose=0)
        return np.asarray(model.predict(scaler.transform(other), verbose=0)).argmax(axis=1)


def simple_features(sequences: Sequences, inputs: Inputs) -> np.ndarray:
    """Describe sequences without their order, but for a slope.

    Returns:
        [N, 7 F + 1]: of each scaled column mean, deviation, least, largest, slope, mean change, and share of missing
        values; and the logarithm of the length.
    """
    rows = []
    for row, length in enumerate(sequences.lengths):
        x = inputs.scaled(sequences, row)
        clock = np.linspace(-1.0, 1.0, length) if length > 1 else np.zeros(1)
        slope = clock @ x / max(float(clock @ clock), 1.0)
        change = np.abs(np.diff(x, axis=0)).mean(axis=0) if length > 1 else np.zeros(x.shape[1])
        gaps = np.isnan(sequences.values[row]).mean(axis=0)
        rows.append(
            np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), slope, change, gaps, [np.log(float(length))]])
        )
    return np.stack(rows)


def dtw_distances(sequence: np.ndarray, others: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The squared distances of a sequence to others by dynamic time warping (Sakoe & Chiba 1978), all columns together.

    The steps i and j may be aligned where |i - j| is at most a tenth of the longer sequence, or the difference of the
    lengths. All alignments go on together, from one diagonal i + j = s to the next.

    Args:
        sequence: [T, F].
        others: [N, most, F], padded.
        lengths: [N] the steps of each of them.

    Returns:
        [N] float64.
    """
    T, (count, most) = len(sequence), others.shape[:2]
    band = np.maximum(np.ceil(_BAND * np.maximum(T, lengths)), np.abs(T - lengths))[:, None]
    # The distance up to the steps i and s - i is in column i + 1; column 0 is before the first step.
    before, last = (np.full((count, T + 1), np.inf) for _ in range(2))
    before[:, 0] = 0.0
    distances = np.empty(count)
    for s in range(T + most - 1):
        widest = int(band.max())
        i = np.arange(max(0, s - most + 1, -(-(s - widest) // 2)), min(T - 1, s, (s + widest) // 2) + 1)
        j = s - i
        cost = ((sequence[i] - others[:, j]) ** 2).sum(axis=2)
        cost[np.abs(i - j) > band] = np.inf
        now = np.full((count, T + 1), np.inf)
        now[:, i + 1] = cost + np.minimum(np.minimum(last[:, i], last[:, i + 1]), before[:, i])
        ended = lengths == s - T + 2
        distances[ended] = now[ended, T]
        before, last = last, now
    return distances
