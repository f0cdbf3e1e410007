"""Keras arguments that are not supported: the values that change nothing, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numlstm import checks
from numlstm.messages import meant, quoted

__all__ = ["refuse", "split_batch"]

_CONSTRAINT = "a regularizer keeps weights small"
# From name to (accepted values, which change nothing; what to use instead).
_OTHERS: dict[str, tuple[tuple[Any, ...], str]] = {
    "activity_regularizer": ((None,), "regularize the weights, with kernel_regularizer"),
    "autocast": ((True, False), ""),
    "beta_constraint": ((None,), _CONSTRAINT),
    "bias_constraint": ((None,), _CONSTRAINT),
    "data_format": ((None, "channels_last"), "leave it out: the features are the last axis"),
    "embeddings_constraint": ((None,), _CONSTRAINT),
    "gamma_constraint": ((None,), _CONSTRAINT),
    "implementation": ((0, 1, 2), "leave it out: there is one implementation"),
    "input_dim": ((None,), "give input_shape"),
    "input_length": ((None,), "give input_shape"),
    "kernel_constraint": ((None,), _CONSTRAINT),
    "lora_alpha": ((None,), "train all weights"),
    "lora_rank": ((None,), "train all weights"),
    "quantization_config": ((None,), 'choose dtype="float32" or "float64"'),
    "recurrent_constraint": ((None,), _CONSTRAINT),
    "rms_scaling": ((False,), "leave it out: rows are divided by their standard deviation"),
    "time_major": ((False,), "give batches first: (batch, time, features)"),
    "trainable": ((True,), "all layers of a model are trained"),
    "unroll": ((False,), "leave it out: a whole pass is one kernel already"),
    "use_cudnn": (("auto", False), 'choose the GPU with compile(device="cuda")'),
    "weights": ((None,), "build the layer, then call set_weights"),
}


_BATCH = "batch_input_shape", "batch_shape", "batch_size"


def split_batch(shape: Any, others: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Split what Keras 2 says of a first layer's batches from the other arguments.

    Args:
        shape: The argument `input_shape`.
        others: The unsupported arguments by name.

    Returns:
        The shape of a sample, the size of a batch, and the arguments without those.

    Raises:
        ValueError: If the shape or the size of a batch is given twice.
        TypeError: If a shape of batches is not a sequence.
    """
    rest = {name: value for name, value in others.items() if name not in _BATCH}
    given = {name: others[name] for name in _BATCH if others.get(name) is not None}
    batch_size = given.pop("batch_size", None)
    if len(given) + (shape is not None) > 1 or (given and batch_size is not None):
        names = [*given, *["input_shape"] * (shape is not None), *["batch_size"] * (batch_size is not None)]
        raise ValueError(f"give the shape of the input once, not {' and '.join(names)}: input_shape=(10, 1) is enough")
    for name, whole in given.items():
        if isinstance(whole, str) or not isinstance(whole, Sequence) or not whole:
            raise TypeError(f"{name} must be a tuple such as (4, 10, 1), batch first, not {quoted(whole)}")
        batch_size, shape = whole[0], tuple(whole[1:])
    return shape, batch_size, rest


def refuse(others: Mapping[str, Any], layer_class: type) -> None:
    """Refuse arguments that a layer does not support, unless their values change nothing.

    Args:
        others: The unsupported arguments by name.
        layer_class: The layer's class.

    Raises:
        TypeError: If Keras has no such argument either.
        ValueError: If the value would have an effect in Keras. The message says what to use instead.
    """
    class_name = layer_class.__name__
    for name, value in others.items():
        if name not in _OTHERS:
            hint = meant(name, checks.arguments_of(layer_class))
            raise TypeError(f"{class_name} takes no argument {quoted(name)}{hint}")
        harmless, instead = _OTHERS[name]
        if name in ("input_dim", "input_length"):
            instead = _shape_of(others)
        if not any(value is other or (type(value) is type(other) and value == other) for other in harmless):
            raise ValueError(f"{class_name} does not support {name}={quoted(value)}: {instead}")


def _shape_of(others: Mapping[str, Any]) -> str:
    """What to give instead of Keras 2's `input_dim` and `input_length`, with the numbers that were given."""
    features, steps = others.get("input_dim"), others.get("input_length")
    if features is None:
        return f"give input_shape=({quoted(steps)}, features)"
    if steps is None:
        return f"give input_shape=(None, {quoted(features)}), or ({quoted(features)},) for samples without steps"
    return f"give input_shape=({quoted(steps)}, {quoted(features)})"
