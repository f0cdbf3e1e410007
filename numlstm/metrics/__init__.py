"""Metrics: numbers that are reported beside the loss, computed on the host in NumPy and accumulated in float64.

A metric is a weighted mean over samples and steps, unless its class states otherwise. If all weights are 0 or there was
no sample, the mean is 0, as in Keras. Values of weight 0 are ignored, even NaN. A NaN output makes an error NaN, and
counts as a wrong class in an accuracy.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from numlstm import checks, missing
from numlstm.messages import quoted
from numlstm.metrics import accuracy, error, probability
from numlstm.metrics.accuracy import *
from numlstm.metrics.accuracy import _Accuracy
from numlstm.metrics.error import *
from numlstm.metrics.metric import Metric
from numlstm.metrics.probability import *

if TYPE_CHECKING:
    from numlstm.losses import Loss

__all__ = ["Metric", "get"]
__all__ += accuracy.__all__
__all__ += error.__all__
__all__ += probability.__all__

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.metrics", __all__)


def get(identifier: str | dict | Metric, loss: Loss | None = None) -> Metric:
    """Return a metric. A metric that is made from a name has that name.

    Args:
        identifier: A metric, its class name, its name with underscores, or "mae", "mse" or "mape". "accuracy" and
            "acc" choose the accuracy by the shapes of targets and outputs: binary for one output, sparse categorical
            for labels, else categorical.
        loss: The loss of the model. It tells "perplexity" whether the outputs are logits.

    Raises:
        ValueError: If there is no metric of that name.
        TypeError: If `identifier` is a class, a function, or a metric without methods of its own.
    """
    if isinstance(identifier, Metric):
        identifier.check_complete()
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        raise TypeError(
            f"metric cannot be {quoted(identifier)}, because functions are not supported: extend "
            "numlstm.metrics.Metric by reset_state, update_state and result"
        )
    if identifier == "perplexity":
        return Perplexity(from_logits=loss is not None and loss.from_logits)
    metric: Metric = checks.choose(identifier, "metric", _classes())
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


@functools.cache
def _classes() -> dict[str, type[Metric]]:
    """The metrics by all their names."""
    short = {"mae": MeanAbsoluteError, "mape": MeanAbsolutePercentageError, "mse": MeanSquaredError}
    chosen = dict.fromkeys(("acc", "accuracy", _Accuracy.__name__), _Accuracy)
    return checks.by_name([accuracy, error, probability], short) | chosen
