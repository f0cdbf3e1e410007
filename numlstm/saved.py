"""Convert a model, its optimizer and the state of its training to plain data, and back.

The plain data are a JSON description and tensors by name. `formats` writes them to files and reads them. The state of
the generator for the order of samples is not included: use `numlstm.set_seed`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import architecture, checks, losses, metrics, optimizers
from numlstm.architecture import MakeChain, MakeGraph
from numlstm.chain import Chain
from numlstm.layers.layer import all_layers
from numlstm.messages import a, listed, plain, quoted
from numlstm.network import Network
from numlstm.training.compiled import Compiled

__all__ = [
    "ModelFileError", "PlainData", "Restored", "describe", "describe_training", "describe_weights", "reading",
    "restore", "set_weights", "training_state",
]  # fmt: skip

_OPTIMIZER = "/optimizer/"
"""Prefix of the optimizer's tensors. No layer's tensor has it, because no layer's name is empty."""

_COMPILE = {"loss", "loss_weights", "metrics", "optimizer", "weighted_metrics"}
"""The arguments of `compile` that a file may have: it does not choose the device, for example."""

_TENSOR = "/tensor"
"""The key under which the state of a training names a tensor."""


class ModelFileError(ValueError):
    """A file is not a model file, or is damaged. The message may quote the file: it is shortened to one plain line."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


@dataclass(eq=False, repr=False)
class PlainData:
    """The content of a file.

    content: "model", "weights" or "training"
    description: for a model its layers with their configurations, its input shape, the numbers of passes with dropout,
        and the arguments of `compile`; for weights their names, in the order of `get_weights`; for a training its
        state, where each array is replaced by the name of its tensor
    tensors: the weights, and for a model the optimizer's state; for a training all its arrays
    """

    content: str
    description: Any
    tensors: dict[str, np.ndarray]


@dataclass(eq=False, repr=False)
class Restored:
    """A network that was made from plain data.

    compile: the arguments for `compile`; None if the model was not compiled
    optimizer_state: the result of `Optimizer.state`; empty if no step was taken
    """

    network: Any
    compile: dict[str, Any] | None
    optimizer_state: dict[str, np.ndarray]


def describe(network: Network, compiled: Compiled | None) -> PlainData:
    """Describe a model, with its weights if it is built.

    If the optimizer, the loss or a metric is of a user's own class, the model is described as not compiled, with a
    warning, because no file can store the class.

    Args:
        network: The network.
        compiled: The choices of `compile`; None: the network is not compiled.

    Raises:
        ValueError: If a layer is of a user's own class.
    """
    architecture.check_layers(network.layers)
    tensors = dict(zip(_names(network), network.get_weights(), strict=True)) if network.built else {}
    arguments = None if compiled is None else _compile_arguments(compiled)
    if compiled is not None and arguments is not None:
        optimizer = compiled.optimizer
        # If a layer was added, for example, the optimizer's state does not belong to these weights.
        # The weights stay where they are: another model may be training some of them.
        buffers = network.last_buffers
        if network.built and optimizer.iterations and buffers is not None and optimizer.trains(buffers):
            tensors |= {f"{_OPTIMIZER}{name}": value for name, value in optimizer.state().items()}
    description = {
        "class_name": "Sequential" if isinstance(network, Chain) else "Model",
        **architecture.describe(network),
        "steps": [layer.random.step for layer in all_layers(network.layers)],
        "compile": arguments,
    }
    return PlainData("model", description, tensors)


def describe_weights(network: Network) -> PlainData:
    """Describe only the weights; ValueError if the network is not built."""
    tensors = {str(number): weight for number, weight in enumerate(network.get_weights())}
    return PlainData("weights", _names(network), tensors)


def describe_training(state: Any) -> PlainData:
    """Describe the state of a training, see `numlstm.training.checkpoint`.

    Raises:
        TypeError: If it has something that is no plain data.
    """
    tensors: dict[str, np.ndarray] = {}

    def flat(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = str(len(tensors))
            native = value.dtype.newbyteorder("=")  # A file has one order of bytes.
            tensors[name] = np.ascontiguousarray(value, native).reshape(value.shape)
            return {_TENSOR: name}
        if isinstance(value, dict):
            if not all(isinstance(name, str) and name != _TENSOR for name in value):
                raise TypeError(f"a checkpoint cannot keep {quoted(value)}: keys must be strings, and not {_TENSOR!r}")
            return {name: flat(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [flat(item) for item in value]
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"a checkpoint cannot keep {quoted(value)}, which is no plain data")

    return PlainData("training", flat(state), tensors)


def training_state(data: PlainData, path: str | os.PathLike[str]) -> Any:
    """The state that `describe_training` described.

    Raises:
        ModelFileError: If the data are no checkpoint.
    """
    if data.content != "training":
        raise ModelFileError(f"{path} is no checkpoint of a training: give fit a file that fit(checkpoint=...) wrote")

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            name = value.get(_TENSOR)
            return data.tensors[name] if len(value) == 1 and name in data.tensors else _each(value, whole)
        return [whole(item) for item in value] if isinstance(value, list) else value

    with reading(path):
        return whole(data.description)


def _each(value: dict[str, Any], function: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: function(item) for name, item in value.items()}


def restore(data: PlainData, path: str | os.PathLike[str], chain: MakeChain, graph: MakeGraph) -> Restored:
    """Make a network from plain data.

    Args:
        data: The content of a file.
        path: The file, for error messages.
        chain: Makes a chain from its layers and its name.
        graph: Makes a graph from its inputs, its outputs and its name.

    Raises:
        ModelFileError: If the data do not describe a model that this version can make.
    """
    if data.content == "training":
        raise ModelFileError(f"{path} is a checkpoint of a training: make the model, and give it to fit(resume=...)")
    if data.content == "weights":
        raise ModelFileError(f"{path} holds weights alone: make the model, and call its load_weights")
    if data.content != "model":
        raise ModelFileError(f"{path} is no model, but {a(data.content)}")
    with reading(path):
        return _restore(data.description, dict(data.tensors), chain, graph)


def set_weights(network: Network, data: PlainData, path: str | os.PathLike[str]) -> None:
    """Set a network's weights from plain data, in their order. Names are ignored. Nothing else changes.

    Args:
        network: Built.
        data: The content of a file: a model, weights or a training.
        path: The file, for error messages.

    Raises:
        ModelFileError: If the data do not describe their weights.
        ValueError: If the network is not built, or its weights have other shapes. No weight is changed then.
    """
    own = [shape for layer in network.layers for shape in layer.parameters.shapes.values()]
    if data.content == "model":
        stored = restore(data, path, Chain, Network).network
        names, weights = _names(stored), stored.get_weights()
    else:
        try:
            if data.content == "training":
                kept = training_state(data, path)["weights"]
                numbered = {str(number): weight for number, weight in enumerate(kept)}
                data = PlainData("weights", [f"weight {number}" for number in numbered], numbered)
            if not isinstance(data.description, list):
                raise TypeError(f"their names must be a list, not {quoted(data.description)}")
            names = [checks.printable_name(name, "the name of a weight") for name in data.description]
            weights = [data.tensors[str(number)] for number in range(len(names))]
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(f"{path} does not say what its weights are: {error}") from error
    if len(weights) != len(own):
        raise ValueError(f"{path} is of another model: it holds {len(weights)} weights, but this one has {len(own)}")
    for name, weight, ours, shape in zip(names, weights, _names(network), own, strict=True):
        if weight.shape != shape:
            raise ValueError(
                f"{path} is of another model: its {plain(name, 80)} has shape {quoted(weight.shape)}, but this one's "
                f"{ours} has {shape}"
            )
    network.set_weights(weights)


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the errors of a faulty description into `ModelFileError`."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} does not describe a model that this numlstm can make: {error}") from error


def _restore(
    description: dict[str, Any],
    tensors: dict[str, np.ndarray],
    chain: MakeChain,
    graph: MakeGraph,
) -> Restored:
    state = {name.removeprefix(_OPTIMIZER): tensors.pop(name) for name in list(tensors) if name.startswith(_OPTIMIZER)}
    network = architecture.make(description, tensors, chain, graph)
    parts = list(all_layers(network.layers))
    # Early files do not contain the steps.
    for layer, step in zip(parts, description.get("steps", [0] * len(parts)), strict=True):
        layer.random.step = checks.integer(step, "the number of passes", least=0)
    arguments = description["compile"]
    if arguments is not None and not set(arguments) <= _COMPILE:
        raise ValueError(f"compile takes {listed(sorted(_COMPILE))} from a file, not {listed(arguments)}")
    return Restored(network, arguments, state)


def _compile_arguments(compiled: Compiled) -> dict[str, Any] | None:
    """The arguments for `compile`; None, with a warning, if a user's own class is among them."""
    choices = compiled.outputs
    parts: list[tuple[Callable[[Any], Any], Any]] = [(optimizers.get, compiled.optimizer)]
    for choice in choices:
        parts += [(losses.get, choice.loss)] if choice.loss is not None else []
        parts += [(metrics.get, metric) for metric in (*choice.metrics, *choice.weighted_metrics)]
    for get, part in parts:
        if not _comes_back(get, part):
            warnings.warn(
                f"{type(part).__name__} is a class of your own, which no file can bring back: the model is saved as if "
                "not compiled, so compile it after load_model",
                stacklevel=4,
            )
            return None
    each: dict[str, list[Any]] = {
        "loss": [None if choice.loss is None else architecture.named(choice.loss) for choice in choices],
        "metrics": [[architecture.named(metric) for metric in choice.metrics] for choice in choices],
        "weighted_metrics": [[architecture.named(metric) for metric in choice.weighted_metrics] for choice in choices],
    }
    if len(choices) == 1:
        return {"optimizer": architecture.named(compiled.optimizer), **{name: found[0] for name, found in each.items()}}
    weights = [choice.weight for choice in choices]
    return {"optimizer": architecture.named(compiled.optimizer), **each, "loss_weights": weights}


def _comes_back(get: Callable[[Any], Any], part: Any) -> bool:
    try:
        return type(get(architecture.named(part))) is type(part)
    except (ValueError, TypeError):
        return False


def _names(network: Network) -> list[str]:
    """The names of a network's weights, in the order of `get_weights`."""
    return [f"{layer.name}/{name}" for layer in network.layers for name in layer.parameters.shapes]
