"""Metrics: numbers that are reported beside the loss, computed on the host in NumPy and accumulated in float64.

A metric is a weighted mean over samples and steps, unless its class states otherwise. If all weights are 0 or there was
no sample, the mean is 0, as in Keras. Values of weight 0 are ignored, even NaN. A NaN output makes an error NaN, and
counts as a wrong class in an accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numlstm import checks
from numlstm.metrics.accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    _Accuracy,
)
from numlstm.metrics.error import (
    SMAPE,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    RootMeanSquaredError,
)
from numlstm.metrics.metric import Metric
from numlstm.metrics.probability import AUC, Perplexity

if TYPE_CHECKING:
    from numlstm.losses import Loss

__all__ = [
    "AUC",
    "SMAPE",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "Metric",
    "Perplexity",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "get",
]

_CLASSES: dict[str, type[Metric]] = {
    "acc": _Accuracy,
    "accuracy": _Accuracy,
    "auc": AUC,
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "perplexity": Perplexity,
    "root_mean_squared_error": RootMeanSquaredError,
    "smape": SMAPE,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
}
_CLASSES |= {name.upper(): _CLASSES[name] for name in ("mae", "mape", "mse")}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: str | dict | Metric, loss: Loss | None = None) -> Metric:
    """Return a metric. A metric that is made from a name has that name.

    Args:
        identifier: A metric, its class name, its name with underscores, or "mae", "mse" or "mape". "accuracy" and
            "acc" choose the accuracy by the shapes of targets and outputs: binary for one output, sparse categorical
            for labels, else categorical.
        loss: The loss of the model. It tells "perplexity" whether the outputs are logits.

    Raises:
        ValueError: If there is no metric of that name.
    """
    if isinstance(identifier, Metric):
        return identifier
    if identifier == "perplexity":
        return Perplexity(from_logits=getattr(loss, "from_logits", False))
    metric: Metric = checks.choose(identifier, "metric", _CLASSES)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric
