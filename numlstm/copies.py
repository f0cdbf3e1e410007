"""Copies and pickles of models, layers and optimizers.

A pickle holds the bytes of a model file, which are checked as those of a file are. Copies are made of the same bytes.
A copied layer belongs to no model. A copied optimizer keeps its state for the first model that it trains.
"""

from __future__ import annotations

import copyreg
from typing import Any

from numlstm import checks, optimizers
from numlstm.layers.layer import Layer, all_layers, sizes
from numlstm.messages import listed
from numlstm.model import Model, Sequential, from_plain_data
from numlstm.optimizers import Optimizer

__all__ = ["load_layer", "load_model", "load_optimizer", "register"]

_NAME = "the pickled"


def register() -> None:
    """Tell Python how to copy and pickle numlstm's own classes. The bases refuse users' subclasses."""
    copyreg.pickle(Sequential, _reduce_model)
    copyreg.pickle(Model, _reduce_model)
    Layer.reduce_own = staticmethod(_reduce_layer)
    for name in optimizers.__all__:
        member: Any = getattr(optimizers, name)
        if isinstance(member, type) and member is not Optimizer:
            copyreg.pickle(member, _reduce_optimizer)


def _reduce_model(model: Model) -> tuple[Any, tuple[bytes]]:
    from numlstm.formats import tensors

    return load_model, (tensors.encode(model.plain_data()),)


def load_model(content: bytes) -> Model:
    """Make a model from its pickled bytes. Errors as for `numlstm.load_model`."""
    from numlstm.formats import tensors

    name = f"{_NAME} model"
    return from_plain_data(tensors.decode(content, name), name)


def _reduce_layer(layer: Layer) -> tuple[Any, tuple[bytes]]:
    from numlstm import architecture, saved
    from numlstm.formats import tensors

    architecture.check_layers([layer])
    weights = zip(layer.parameters.shapes, layer.get_weights(), strict=True) if layer.built else ()
    description = {
        "layer": architecture.named(layer),
        "built": layer.built,
        "input_shape": None if layer.input_shape is None else list(layer.input_shape),
        "steps": [part.random.step for part in all_layers([layer])],
    }
    return load_layer, (tensors.encode(saved.PlainData("layer", description, dict(weights))),)


def load_layer(content: bytes) -> Layer:
    """Make a layer from its pickled bytes.

    Raises:
        numlstm.formats.tensors.ModelFileError: If the bytes are damaged, or describe no layer of this version.
    """
    from numlstm import architecture, saved
    from numlstm.formats import tensors

    name = f"{_NAME} layer"
    data = tensors.decode(content, name)
    with saved.reading(name):
        layer = architecture.make_layer(data.description["layer"])
        shape = data.description["input_shape"]
        if shape is not None:
            layer.input_shape = tuple(sizes(shape, "input_shape"))
            if data.description["built"]:
                names = layer.variable_shapes(layer.input_shape)
                if set(names) != set(data.tensors):
                    raise ValueError(f"weights {listed(data.tensors)} where {listed(names)} are expected")
                layer.build(layer.input_shape, [data.tensors[variable] for variable in names])
        for part, step in zip(all_layers([layer]), data.description["steps"], strict=True):
            part.random.step = checks.integer(step, "the number of passes", least=0)
    return layer


def _reduce_optimizer(optimizer: Optimizer) -> tuple[Any, tuple[bytes]]:
    from numlstm import architecture, saved
    from numlstm.formats import tensors

    data = saved.PlainData("optimizer", architecture.named(optimizer), optimizer.state())
    return load_optimizer, (tensors.encode(data),)


def load_optimizer(content: bytes) -> Optimizer:
    """Make an optimizer from its pickled bytes.

    Raises:
        numlstm.formats.tensors.ModelFileError: If the bytes are damaged, or describe no optimizer of this version.
    """
    from numlstm import saved
    from numlstm.formats import tensors

    name = f"{_NAME} optimizer"
    data = tensors.decode(content, name)
    with saved.reading(name):
        optimizer = optimizers.get(data.description)
        optimizer.keep_state(data.tensors)
    return optimizer
