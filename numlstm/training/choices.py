"""The arguments of `compile` for each output of a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numlstm import checks, losses
from numlstm.attributes import is_own
from numlstm.messages import listed, quoted
from numlstm.metrics import Metric
from numlstm.metrics import get as get_metric
from numlstm.training.compiled import OutputChoice

__all__ = ["choices_for"]


def choices_for(
    names: Sequence[str], loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any
) -> list[OutputChoice]:
    """The loss, its weight and the metrics of each of the outputs with these names. Others as for `Model.compile`."""
    if len(names) == 1:
        return [_only_choice(names, loss, loss_weights, metrics, weighted_metrics)]
    stored = isinstance(loss, Mapping) and "class_name" in loss
    single = stored or callable(loss) or isinstance(loss, str | losses.Loss)
    chosen = [
        None if each is None else losses.get(each)
        for each in ([loss] * len(names) if single else _by_output(loss, names, "loss", None))
    ]
    if not any(chosen):
        raise ValueError("loss must name a loss for at least one output")
    weights = [_finite(weight) for weight in _by_output(loss_weights, names, "loss_weights", 1.0)]
    groups = [_by_output(given, names, name, None) for given, name in _named_groups(metrics, weighted_metrics)]
    choices = []
    for index, (one, weight) in enumerate(zip(chosen, weights, strict=True)):
        if one is None and any(group[index] for group in groups):
            raise ValueError(f"output {names[index]!r} has metrics but no loss: give it one, with loss_weights 0")
        shown, weighted = ([_metric(each, one) for each in _listed(group[index])] if one else [] for group in groups)
        choices.append(OutputChoice(one, weight, shown, weighted))
    return choices


def _only_choice(names: Sequence[str], loss: Any, loss_weights: Any, metrics: Any, weighted: Any) -> OutputChoice:
    def unpacked(given: Any, key: str, what: str) -> Any:
        """The only entry of a list, or of a dict by the output's name."""
        if not isinstance(given, Mapping) or key in given:
            return given
        if list(given) != list(names):
            raise ValueError(
                f"the dict of {what} names {listed(given)}, but the model's only output is {names[0]!r}: give {what} "
                "without a dict"
            )
        return given[names[0]]

    if isinstance(loss, list | tuple) and len(loss) == 1:
        loss = loss[0]
    one = losses.get(unpacked(loss, "class_name", "loss"))
    if isinstance(loss_weights, list | tuple | Mapping) and len(loss_weights) == 1:
        first = loss_weights if isinstance(loss_weights, Mapping) else loss_weights[0]
        loss_weights = unpacked(first, "", "loss_weights")
    if loss_weights is not None and checks.number(loss_weights, "loss_weights") != 1:
        raise ValueError("loss_weights must be None for a model with one output: scale the learning rate instead")
    shown, weighed = (
        [_metric(each, one) for each in _listed(unpacked(group, "class_name", what))]
        for group, what in _named_groups(metrics, weighted)
    )
    return OutputChoice(one, 1.0, shown, weighed)


def _metric(identifier: Any, loss: losses.Loss) -> Metric:
    metric = get_metric(identifier, loss)
    if loss.samples_classes:
        raise ValueError(
            f"metric {quoted(metric.name)} needs all outputs, of which {loss.name} computes a sample in training: "
            "compile without metrics, and with SparseCategoricalCrossentropy(from_logits=True) and metrics to evaluate"
        )
    if loss.row_axes > 1 and is_own(type(metric)):
        raise ValueError(
            f"metric {quoted(metric.name)} compares outputs with targets of the same step, which {loss.name} has not: "
            "extend numlstm.metrics.Metric, and decode the outputs by numlstm.utils.ctc_decode"
        )
    return metric


def _finite(weight: Any) -> float:
    number = checks.number(weight, "each of loss_weights")
    if not math.isfinite(number):
        raise ValueError(f"each of loss_weights must be a finite number, not {number}")
    return number


def _named_groups(metrics: Any, weighted_metrics: Any) -> list[tuple[Any, str]]:
    return [(metrics, "metrics"), (weighted_metrics, "weighted_metrics")]


def _by_output(given: Any, names: Sequence[str], what: str, absent: Any) -> list[Any]:
    """What is given for each output by a list or a dict."""
    if given is None:
        return [absent] * len(names)
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            raise ValueError(f"{what} names {listed(unknown)}, but the model's outputs are {listed(names)}")
        return [given.get(name, absent) for name in names]
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != len(names):
        raise ValueError(
            f"{what} must be a list with an entry for each of the {len(names)} outputs, or a dict by their names, "
            f"{listed(names)}, not {quoted(given)}"
        )
    return list(given)


def _listed(metrics: Any) -> Sequence[Any]:
    if metrics is None:
        return []
    return [metrics] if isinstance(metrics, str | dict | Metric) or not isinstance(metrics, Iterable) else list(metrics)
