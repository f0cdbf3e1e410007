"""Keras arguments that are not supported: the values that change nothing, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numlstm.messages import quoted

__all__ = ["refuse"]

_CONSTRAINT = "a regularizer keeps weights small"
_SHAPE = "give input_shape=(10, 1), or put numlstm.Input((10, 1)) first in the model"
# From name to (accepted values, which change nothing; what to use instead).
_OTHERS: dict[str, tuple[tuple[Any, ...], str]] = {
    "activity_regularizer": ((None,), "regularize the weights, with kernel_regularizer"),
    "autocast": ((True, False), ""),
    "beta_constraint": ((None,), _CONSTRAINT),
    "batch_input_shape": ((None,), _SHAPE),
    "batch_shape": ((None,), _SHAPE),
    "batch_size": ((None,), "leave it out: a batch may have any size"),
    "bias_constraint": ((None,), _CONSTRAINT),
    "data_format": ((None, "channels_last"), "leave it out: the features are the last axis"),
    "embeddings_constraint": ((None,), _CONSTRAINT),
    "gamma_constraint": ((None,), _CONSTRAINT),
    "implementation": ((0, 1, 2), "leave it out: there is one implementation"),
    "input_dim": ((None,), _SHAPE),
    "input_length": ((None,), "leave it out: sequences may have any length"),
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


def refuse(others: Mapping[str, Any], class_name: str) -> None:
    """Refuse arguments that a layer does not support, unless their values change nothing.

    Args:
        others: The unsupported arguments by name.
        class_name: Name of the layer's class.

    Raises:
        TypeError: If Keras has no such argument either.
        ValueError: If the value would have an effect in Keras. The message says what to use instead.
    """
    for name, value in others.items():
        if name not in _OTHERS:
            raise TypeError(f"{class_name} takes no argument {quoted(name)}")
        harmless, instead = _OTHERS[name]
        if not any(value is other or (type(value) is type(other) and value == other) for other in harmless):
            raise ValueError(f"{class_name} does not support {name}={quoted(value)}: {instead}")
