"""Convert a model, its optimizer and the state of its training to plain data, and back.

The plain data are a JSON description and tensors by name. `formats` writes them to files and reads them. The state of
the generator for the order of samples is not included: use `numlstm.set_seed`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from numlstm import checks, layers, losses, metrics, optimizers
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, Shape, all_layers, sizes
from numlstm.messages import a, listed, plain, quoted
from numlstm.network import Network
from numlstm.training.compiled import Compiled

__all__ = [
    "ModelFileError", "PlainData", "Restored", "architecture", "check_layers", "describe", "describe_training",
    "describe_weights", "make_layer", "make_network", "named", "reading", "restore", "set_weights", "training_state",
]  # fmt: skip

_LAYERS: dict[str, type[Layer]] = {
    name: getattr(layers, name) for name in layers.__all__ if name not in ("Input", "Layer")
}
_OPTIMIZER = "/optimizer/"
"""Prefix of the optimizer's tensors. No layer's tensor has it, because no layer's name is empty."""

_COMPILE = {"loss", "metrics", "optimizer", "weighted_metrics"}
"""The arguments of `compile` that a file may have: it does not choose the device, for example."""

_TENSOR = "/tensor"
"""The key under which the state of a training names a tensor."""

_Network = TypeVar("_Network", bound=Network)


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
class Restored(Generic[_Network]):
    """A network that was made from plain data.

    compile: the arguments for `compile`; None if the model was not compiled
    optimizer_state: the result of `Optimizer.state`; empty if no step was taken
    """

    network: _Network
    compile: dict[str, Any] | None
    optimizer_state: dict[str, np.ndarray]


def architecture(network: Network) -> dict[str, Any]:
    """Describe the layers of a network, without their weights. `make_network` reverses it."""
    given = network.given_input_shape
    return {
        "name": network.name,
        "input_shape": list(network.input_shape) if network.built else None,
        "layers": [named(layer) for layer in network.layers],
        **({"input": list(given)} if given is not None and not network.layers else {}),
    }


def make_network(description: Mapping[str, Any], make: Callable[[Sequence[Layer], str], _Network]) -> _Network:
    """Make a network from the result of `architecture`, with new weights if its input shape is known.

    Args:
        description: The result of `architecture`.
        make: Makes a network from its layers and its name.

    Raises:
        ValueError, TypeError, KeyError: If the description is none that this version can make.
    """
    network, shape = _unbuilt(description, make)
    if shape is not None:
        network.build(shape)
    return network


def check_layers(members: Iterable[Layer]) -> None:
    """Raise ValueError if a layer is of a user's own class, which `make_layer` does not know."""
    for layer in all_layers(members):
        if _LAYERS.get(type(layer).__name__) is not type(layer):
            raise ValueError(
                f"layer {layer.name!r} is of {type(layer).__name__}, a class of your own that no file can bring back: "
                "use save_weights"
            )


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
    check_layers(network.layers)
    tensors = dict(zip(_names(network), network.get_weights(), strict=True)) if network.built else {}
    arguments = None if compiled is None else _compile_arguments(compiled)
    if compiled is not None and arguments is not None:
        optimizer = compiled.optimizer
        # If a layer was added, for example, the optimizer's state does not belong to these weights.
        if network.built and optimizer.iterations and optimizer.trains(network.buffers):
            tensors |= {f"{_OPTIMIZER}{name}": value for name, value in optimizer.state().items()}
    description = {
        "class_name": "Sequential",
        **architecture(network),
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
        TypeError: If it has something that is no plain data, such as the state of a user's own callback.
    """
    tensors: dict[str, np.ndarray] = {}

    def flat(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = str(len(tensors))
            tensors[name] = np.ascontiguousarray(value).reshape(value.shape)
            return {_TENSOR: name}
        if isinstance(value, dict):
            return {str(name): flat(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [flat(item) for item in value]
        if isinstance(value, np.generic):
            return value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"a checkpoint cannot keep {quoted(value)}: the state of a callback must be plain data")

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


def restore(
    data: PlainData, path: str | os.PathLike[str], make: Callable[[Sequence[Layer], str], _Network]
) -> Restored[_Network]:
    """Make a network from plain data.

    Args:
        data: The content of a file.
        path: The file, for error messages.
        make: Makes a network from its layers and its name.

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
        return _restore(data.description, dict(data.tensors), make)


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
        stored = restore(data, path, Network).network
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
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} does not describe a model that this numlstm can make: {error}") from error


def _unbuilt(
    description: Mapping[str, Any], make: Callable[[Sequence[Layer], str], _Network]
) -> tuple[_Network, Shape | None]:
    """Make a network without weights, and its input shape."""
    network = make([make_layer(entry) for entry in description["layers"]], description["name"])
    if "input" in description:
        network.add(Input(batch_shape=description["input"]))
    shape = description["input_shape"]
    return network, None if shape is None else tuple(sizes(shape, "input_shape"))


def _restore(
    description: dict[str, Any],
    tensors: dict[str, np.ndarray],
    make: Callable[[Sequence[Layer], str], _Network],
) -> Restored[_Network]:
    network, shape = _unbuilt(description, make)
    members, input_shape = network.layers, shape
    expected: dict[str, tuple[int, ...]] = {}
    for layer in members:
        if shape is None:
            break  # The network has no weights.
        expected |= {f"{layer.name}/{name}": size for name, size in layer.variable_shapes(shape).items()}
        shape = layer.compute_output_shape(shape)
    state = {name.removeprefix(_OPTIMIZER): tensors.pop(name) for name in list(tensors) if name.startswith(_OPTIMIZER)}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != expected:
        raise ValueError(f"weights of shapes {quoted(found)} where {quoted(expected)} are expected")

    if input_shape is not None:
        network.build(input_shape, weights=[tensors[name] for name in expected])
    parts = list(all_layers(members))
    # Early files do not contain the steps.
    for layer, step in zip(parts, description.get("steps", [0] * len(parts)), strict=True):
        layer.random.step = checks.integer(step, "the number of passes", least=0)
    arguments = description["compile"]
    if arguments is not None and not set(arguments) <= _COMPILE:
        raise ValueError(f"compile takes {listed(sorted(_COMPILE))} from a file, not {listed(arguments)}")
    return Restored(network, arguments, state)


def _compile_arguments(compiled: Compiled) -> dict[str, Any] | None:
    """The arguments for `compile`; None, with a warning, if a user's own class is among them."""
    shown, weighted = compiled.metrics, compiled.weighted_metrics
    parts: list[tuple[Callable[[Any], Any], Any]] = [
        (optimizers.get, compiled.optimizer),
        (losses.get, compiled.loss),
        *((metrics.get, metric) for metric in (*shown, *weighted)),
    ]
    for get, part in parts:
        if not _comes_back(get, part):
            warnings.warn(
                f"{type(part).__name__} is a class of your own, which no file can bring back: the model is saved as if "
                "not compiled, so compile it after load_model",
                stacklevel=4,
            )
            return None
    return {
        "optimizer": named(compiled.optimizer),
        "loss": named(compiled.loss),
        "metrics": [named(metric) for metric in shown],
        "weighted_metrics": [named(metric) for metric in weighted],
    }


def _comes_back(get: Callable[[Any], Any], part: Any) -> bool:
    try:
        return type(get(named(part))) is type(part)
    except (ValueError, TypeError):
        return False


def make_layer(entry: Mapping[str, Any]) -> Layer:
    """Make a layer of numlstm from its class name and its arguments. Its errors are as for `make_network`."""
    if entry["class_name"] not in _LAYERS:
        raise ValueError(f"unknown layer {quoted(entry['class_name'])}")
    if "input_shape" in entry["config"]:  # The layer would draw its weights before they are compared with the file's.
        raise ValueError(f"{entry['class_name']} has an input_shape of its own")
    # None is left out, which gives the default. It may stand for an initializer that is a user's own function.
    config = {name: value for name, value in entry["config"].items() if value is not None}
    return _LAYERS[entry["class_name"]].from_config(config, make_layer)


def _names(network: Network) -> list[str]:
    """The names of a network's weights, in the order of `get_weights`."""
    return [f"{layer.name}/{name}" for layer in network.layers for name in layer.parameters.shapes]


def named(thing: Any) -> dict[str, Any]:
    """The class name and the arguments of a layer, an optimizer, a loss or a metric."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}
