"""A classifier: a trained model, what it sees of sequences, and the names of its classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numlstm.model import Model
from numlstm.tasks.classify.inputs import Inputs
from numlstm.tasks.classify.sequences import Sequences

__all__ = ["Classifier"]

_BATCH = 256


@dataclass(frozen=True)
class Classifier:
    """A classifier.

    model: takes [N, frames, features] and returns [N, C] probabilities
    inputs: the way from sequences to its input
    classes: C names
    columns: the names of the columns that it was trained on
    """

    model: Model
    inputs: Inputs
    classes: tuple[str, ...]
    columns: tuple[str, ...]

    def probabilities(self, sequences: Sequences) -> np.ndarray:
        """[N, C] the probability of each class.

        Raises:
            ValueError: the sequences have another number of columns, or values are missing that the model refuses.
        """
        self._check(sequences)
        return np.asarray(self.model.predict(self.inputs.array(sequences), batch_size=_BATCH, verbose=0))

    def saliency(self, sequences: Sequences, row: int) -> np.ndarray:
        """[T] how much the probability of the predicted class of one sequence depends on each of its steps.

        It is Σ |∂p / ∂x| over the scaled inputs of the step, divided by its largest value.
        """
        one = sequences.part(np.array([row]))
        x = self.inputs.array(one)
        predicted = int(self.probabilities(one)[0].argmax())
        gradient = np.asarray(self.model.input_gradient(x, predicted))[0].astype(np.float64)
        size = self.inputs.per_step(gradient, int(one.lengths[0]))
        return size / max(float(size.max()), np.finfo(np.float32).tiny)

    def _check(self, sequences: Sequences) -> None:
        if len(sequences.columns) != len(self.columns):
            raise ValueError(
                f"{sequences.name} has {len(sequences.columns)} columns of values, but the model was trained on"
                f" {len(self.columns)}"
            )
