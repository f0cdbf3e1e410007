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


def clone_model(model: Model) -> Model:
    """Make a model with the same layers and new weights, which is not compiled. The names are the same.

    Args:
        model: A model with layers of `numlstm.layers`.

    Raises:
        TypeError: If `model` is something else.
        ValueError: If a layer is of a user's own class.
    """
    if not isinstance(model, Model):
        raise TypeError(f"only a model can be cloned, not {quoted(model)}")
    from numlstm import architecture

    architecture.check_layers(model.layers)
    return _CLASSES[_class_of(model)].from_config(model.get_config())


def model_from_json(json_string: str) -> Model:
    """Make a model from the result of `Model.to_json`, with new weights.

    Args:
        json_string: The text.

    Raises:
        numlstm.formats.tensors.ModelFileError: If the text describes no model that this version can make.
    """
    from numlstm import saved

    with saved.reading("the JSON text"):
        described = json.loads(json_string)
        if described["class_name"] not in _CLASSES:
            raise ValueError(f"class_name must be 'Sequential' or 'Model', not {quoted(described['class_name'])}")
        made = _CLASSES[described["class_name"]], described["config"]
    return made[0].from_config(made[1])


_CLASSES: dict[str, type[Model]] = {"Sequential": Sequential, "Model": Model}


def _class_of(model: Model) -> str:
    return "Sequential" if isinstance(model, Sequential) else "Model"
