"""Convert a model, its optimizer and the state of its training to plain data, and back.

The plain data are a JSON description and tensors by name. `formats` writes them to files and reads them. The state of
the generator for the order of samples is not included: use `numlstm.set_seed`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks, layers, losses, metrics, optimizers
from numlstm.chain import Chain
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, all_layers, sizes
from numlstm.layers.symbol import Symbol, connect
from numlstm.messages import listed, plain, quoted
from numlstm.network import Network
from numlstm.training.compiled import Compiled

__all__ = [
    "ModelFileError", "PlainData", "Restored", "describe", "describe_training", "describe_weights", "reading",
    "restore", "set_weights", "training_state",
]  # fmt: skip

_LAYERS: dict[str, type[Layer]] = {
    name: found
    for name in layers.__all__
    if isinstance(found := getattr(layers, name), type) and issubclass(found, Layer) and found is not Layer
}
_OPTIMIZER = "/optimizer/"
"""Prefix of the optimizer's tensors. No layer's tensor has it, because no layer's name is empty."""

_COMPILE = {"loss", "loss_weights", "metrics", "optimizer", "weighted_metrics"}
"""The arguments of `compile` that a file may have: it does not choose the device, for example."""

_TENSOR = "/tensor"
"""The key under which the state of a training names a tensor."""

MakeChain = Callable[[Sequence[Layer], str], Chain]
MakeGraph = Callable[[Any, Any, str], Network]


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
    """Describe a model.

    If the optimizer, the loss or a metric is of a user's own class, the model is described as not compiled, with a
    warning, because no file can store the class.

    Args:
        network: Built.
        compiled: The choices of `compile`; None: the network is not compiled.

    Raises:
        ValueError: If the network is not built, or a layer is of a user's own class.
    """
    for layer in all_layers(network.layers):
        if _LAYERS.get(type(layer).__name__) is not type(layer):
            raise ValueError(
                f"layer {layer.name!r} is of {type(layer).__name__}, a class of your own that no file can bring back: "
                "use save_weights"
            )
    tensors = dict(zip(_names(network), network.get_weights(), strict=True))
    arguments = None if compiled is None else _compile_arguments(compiled)
    if compiled is not None and arguments is not None:
        optimizer = compiled.optimizer
        # If a layer was added, for example, the optimizer's state does not belong to these weights.
        if optimizer.iterations and optimizer.trains(network.buffers):
            tensors |= {f"{_OPTIMIZER}{name}": value for name, value in optimizer.state().items()}
    structure = {"class_name": "Sequential", "input_shape": list(network.input_shape)}
    if not isinstance(network, Chain):
        structure = {"class_name": "Model", **_describe_graph(network)}
    description = {
        **structure,
        "name": network.name,
        "layers": [_named(layer) for layer in network.layers],
        "steps": [layer.random.step for layer in all_layers(network.layers)],
        "compile": arguments,
    }
    return PlainData("model", description, tensors)


def _describe_graph(network: Network) -> dict[str, Any]:
    """Describe the calls of a graph. Symbols are numbered: the inputs, then the outputs of each call."""
    numbers = {symbol: number for number, symbol in enumerate(network.inputs)}
    positions = {layer: number for number, layer in enumerate(network.layers)}
    calls = []
    for call in network.calls:
        calls.append(
            {
                "layer": positions[call.layer],
                "inputs": [numbers[symbol] for symbol in call.inputs],
                "states": [numbers[symbol] for symbol in call.states],
                "options": dict(call.options),
            }
        )
        for symbol in call.outputs:
            numbers[symbol] = len(numbers)
    return {
        "inputs": [
            {"name": name, "shape": list(symbol.shape)}
            for name, symbol in zip(network.input_names, network.inputs, strict=True)
        ],
        "calls": calls,
        "outputs": [
            {"name": name, "symbol": numbers[symbol]}
            for name, symbol in zip(network.output_names, network.outputs, strict=True)
        ],
        "keyed": [network.takes_dict, network.gives_dict],
    }


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
    if data.content != "model":
        raise ModelFileError(f"{path} holds weights alone: make the model, and call its load_weights")
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
    members = [_make_layer(entry) for entry in description["layers"]]
    state = {name.removeprefix(_OPTIMIZER): tensors.pop(name) for name in list(tensors) if name.startswith(_OPTIMIZER)}
    network: Network
    if description.get("class_name", "Sequential") == "Sequential":
        network = _restore_chain(description, members, tensors, chain)
    else:
        network = _restore_graph(description, members, tensors, graph)
    parts = list(all_layers(members))
    # Early files do not contain the steps.
    for layer, step in zip(parts, description.get("steps", [0] * len(parts)), strict=True):
        layer.random.step = checks.integer(step, "the number of passes", least=0)
    arguments = description["compile"]
    if arguments is not None and not set(arguments) <= _COMPILE:
        raise ValueError(f"compile takes {listed(sorted(_COMPILE))} from a file, not {listed(arguments)}")
    return Restored(network, arguments, state)


def _restore_chain(
    description: dict[str, Any], members: list[Layer], tensors: dict[str, np.ndarray], make: MakeChain
) -> Chain:
    network = make(members, description["name"])
    input_shape = tuple(sizes(description["input_shape"], "input_shape"))
    expected: dict[str, tuple[int, ...]] = {}
    shape = input_shape
    for layer in members:
        expected |= _expected(layer, shape)
        shape = layer.compute_output_shape(shape)
    _check_shapes(tensors, expected)
    network.build(input_shape, weights=[tensors[name] for name in expected])
    return network


def _restore_graph(
    description: dict[str, Any], members: list[Layer], tensors: dict[str, np.ndarray], make: MakeGraph
) -> Network:
    names = [checks.printable_name(entry["name"], "the name of an input") for entry in description["inputs"]]
    symbols: list[Symbol] = [
        Input(batch_shape=sizes(entry["shape"], "the shape of an input"), name=name)
        for entry, name in zip(description["inputs"], names, strict=True)
    ]
    count = len(symbols)
    expected: dict[str, tuple[int, ...]] = {}
    for entry in description["calls"]:
        layer = _numbered(members, entry["layer"], "a layer")
        inputs, states = (
            [_numbered(symbols, number, "a symbol") for number in entry[name]] for name in ("inputs", "states")
        )
        if not layer.built:
            shape: Any = tuple(symbol.shape for symbol in inputs)
            shape = shape if layer.several else shape[0]
            own = _expected(layer, shape)
            _check_shapes({name: tensors[name] for name in own if name in tensors}, own)
            layer.build(shape, weights=[tensors[name] for name in own])
            expected |= own
        connect(layer, inputs, states, _checked_options(entry["options"]))
        symbols += layer.calls[-1].outputs
    _check_shapes(tensors, expected)
    outputs = {
        checks.printable_name(entry["name"], "the name of an output"): _numbered(symbols, entry["symbol"], "a symbol")
        for entry in description["outputs"]
    }
    takes_dict, gives_dict = (checks.boolean(each, "keyed") for each in description["keyed"])
    inputs = symbols[:count]
    network = make(
        dict(zip(names, inputs, strict=True)) if takes_dict else inputs,
        outputs if gives_dict else list(outputs.values()),
        description["name"],
    )
    if network.layers != members:
        raise ValueError("its layers are not in the order of its calls")
    return network


def _numbered(things: list[Any], number: Any, what: str) -> Any:
    """The thing with a number from a file."""
    return things[checks.integer(number, f"the number of {what}", least=0, most=len(things) - 1)]


def _checked_options(options: Any) -> dict[str, Any]:
    if not isinstance(options, dict) or any(not isinstance(value, bool) for value in options.values()):
        raise ValueError(f"the options of a call must be true or false by name, not {quoted(options)}")
    return options


def _expected(layer: Layer, shape: Any) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a layer's tensors."""
    return {f"{layer.name}/{name}": size for name, size in layer.variable_shapes(shape).items()}


def _check_shapes(tensors: dict[str, np.ndarray], expected: dict[str, tuple[int, ...]]) -> None:
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != expected:
        raise ValueError(f"weights of shapes {quoted(found)} where {quoted(expected)} are expected")


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
        "loss": [None if choice.loss is None else _named(choice.loss) for choice in choices],
        "metrics": [[_named(metric) for metric in choice.metrics] for choice in choices],
        "weighted_metrics": [[_named(metric) for metric in choice.weighted_metrics] for choice in choices],
    }
    if len(choices) == 1:
        return {"optimizer": _named(compiled.optimizer), **{name: found[0] for name, found in each.items()}}
    weights = [choice.weight for choice in choices]
    return {"optimizer": _named(compiled.optimizer), **each, "loss_weights": weights}


def _comes_back(get: Callable[[Any], Any], part: Any) -> bool:
    try:
        return type(get(_named(part))) is type(part)
    except (ValueError, TypeError):
        return False


def _make_layer(entry: dict[str, Any]) -> Layer:
    if entry["class_name"] not in _LAYERS:
        raise ValueError(f"unknown layer {quoted(entry['class_name'])}")
    if "input_shape" in entry["config"]:  # The layer would draw its weights before they are compared with the file's.
        raise ValueError(f"{entry['class_name']} has an input_shape of its own")
    # None stands for an initializer that is a user's own function. It is left out, which gives the default.
    unknown = {name for name, value in entry["config"].items() if value is None and name.endswith("_initializer")}
    config = {name: value for name, value in entry["config"].items() if name not in unknown}
    return _LAYERS[entry["class_name"]].from_config(config, _make_layer)


def _names(network: Network) -> list[str]:
    """The names of a network's weights, in the order of `get_weights`."""
    return [f"{layer.name}/{name}" for layer in network.layers for name in layer.parameters.shapes]


def _named(thing: Any) -> dict[str, Any]:
    return {"class_name": type(thing).__name__, "config": thing.get_config()}
