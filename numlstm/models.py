"""Models by Keras' names: `Sequential`, files, and copies of an architecture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from numlstm import missing
from numlstm.messages import quoted
from numlstm.model import Model, Sequential, load_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.models", __all__)


def clone_model(model: Sequential) -> Sequential:
    """Make a model with the same layers and new weights, which is not compiled. The names are the same.

    Args:
        model: A `Sequential` with layers of `numlstm.layers`.

    Raises:
        TypeError: If `model` is something else.
        ValueError: If a layer is of a user's own class.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"only a Sequential can be cloned, not {quoted(model)}")
    from numlstm import saved

    saved.check_layers(model.layers)
    return Sequential.from_config(model.get_config())


def model_from_json(json_string: str) -> Sequential:
    """Make a model from the result of `Sequential.to_json`, with new weights.

    Args:
        json_string: The text.

    Raises:
        numlstm.formats.tensors.ModelFileError: If the text describes no model that this version can make.
    """
    from numlstm import saved

    with saved.reading("the JSON text"):
        described = json.loads(json_string)
        if described["class_name"] != "Sequential":
            raise ValueError(f"class_name must be 'Sequential', not {quoted(described['class_name'])}")
        config = described["config"]
    return Sequential.from_config(config)
