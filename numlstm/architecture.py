"""The structure of networks as plain data: the layers with their arguments, and how they are connected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from numlstm import checks, layers
from numlstm.chain import Chain
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, all_layers, sizes
from numlstm.layers.symbol import Symbol
from numlstm.messages import quoted
from numlstm.network import Network

__all__ = ["MakeChain", "MakeGraph", "check_layers", "describe", "make", "make_layer", "named"]

_LAYERS: dict[str, type[Layer]] = {
    name: found
    for name in layers.__all__
    if isinstance(found := getattr(layers, name), type) and issubclass(found, Layer) and found is not Layer
}

MakeChain = Callable[[Sequence[Layer], str], Chain]
MakeGraph = Callable[[Any, Any, str], Network]
Tensors = Mapping[str, np.ndarray]


def named(thing: Any) -> dict[str, Any]:
    """The class name and the arguments of a layer, an optimizer, a loss or a metric."""
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def check_layers(members: Iterable[Layer]) -> None:
    """Raise ValueError if a layer is of a user's own class, which `make_layer` does not know."""
    for layer in all_layers(members):
        if _LAYERS.get(type(layer).__name__) is not type(layer):
            raise ValueError(
                f"layer {layer.name!r} is of {type(layer).__name__}, a class of your own that no file can bring back: "
                "use save_weights"
            )


def make_layer(entry: Mapping[str, Any]) -> Layer:
    """Make a layer of numlstm from its class name and its arguments. Its errors are as for `make`."""
    if entry["class_name"] not in _LAYERS:
        raise ValueError(f"unknown layer {quoted(entry['class_name'])}")
    if "input_shape" in entry["config"]:  # The layer would draw its weights before they are compared with the file's.
        raise ValueError(f"{entry['class_name']} has an input_shape of its own")
    # None stands for an initializer that is a user's own function. It is left out, which gives the default.
    unknown = {name for name, value in entry["config"].items() if value is None and name.endswith("_initializer")}
    config = {name: value for name, value in entry["config"].items() if name not in unknown}
    return _LAYERS[entry["class_name"]].from_config(config, make_layer)


def describe(network: Network) -> dict[str, Any]:
    """Describe the layers of a network and their connections, without weights. `make` reverses it."""
    shared = {"name": network.name, "layers": [named(layer) for layer in network.layers]}
    if not isinstance(network, Chain):
        return {**shared, **_describe_graph(network)}
    given = network.given_input_shape
    shape = {"input_shape": list(network.input_shape) if network.built else None}
    return {**shared, **shape, **({"input": list(given)} if given is not None and not network.layers else {})}


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


def make(description: Mapping[str, Any], tensors: Tensors | None, chain: MakeChain, graph: MakeGraph) -> Network:
    """Make a network from the result of `describe`.

    Args:
        description: The result of `describe`.
        tensors: All weights, by the names of layer and variable. None: new weights.
        chain: Makes a chain from its layers and its name.
        graph: Makes a graph from its inputs, its outputs and its name.

    Raises:
        ValueError, TypeError, LookupError: If the description is none that this version can make, or the weights are
            not its weights.
    """
    members = [make_layer(entry) for entry in description["layers"]]
    if "calls" in description:
        return _make_graph(description, members, tensors, graph)
    return _make_chain(description, members, tensors, chain)


def _make_chain(
    description: Mapping[str, Any], members: list[Layer], tensors: Tensors | None, make: MakeChain
) -> Chain:
    network = make(members, description["name"])
    if "input" in description:
        network.add(Input(batch_shape=description["input"]))
    if description["input_shape"] is None:
        _check_shapes(tensors or {}, {})
        return network
    input_shape = shape = tuple(sizes(description["input_shape"], "input_shape"))
    expected: dict[str, tuple[int, ...]] = {}
    if tensors is not None:
        for layer in members:
            expected |= _expected(layer, shape)
            (shape, *_) = layer.output_shapes(shape)
        _check_shapes(tensors, expected)
    network.build(input_shape, None if tensors is None else [tensors[name] for name in expected])
    return network


def _make_graph(
    description: Mapping[str, Any], members: list[Layer], tensors: Tensors | None, make: MakeGraph
) -> Network:
    names = [checks.printable_name(entry["name"], "the name of an input") for entry in description["inputs"]]
    symbols: list[Symbol] = [
        Input(batch_shape=sizes(entry["shape"], "the shape of an input"), name=name)
        for entry, name in zip(description["inputs"], names, strict=True)
    ]
    given = list(symbols)
    expected: dict[str, tuple[int, ...]] = {}
    for entry in description["calls"]:
        layer = _numbered(members, entry["layer"], "a layer")
        inputs, states = (
            [_numbered(symbols, number, "a symbol") for number in entry[name]] for name in ("inputs", "states")
        )
        if tensors is not None and not layer.built:
            shapes = tuple(symbol.shape for symbol in inputs)
            shape = shapes if layer.several else shapes[0]
            own = _expected(layer, shape)
            _check_shapes({name: tensors[name] for name in own if name in tensors}, own)
            layer.build(shape, weights=[tensors[name] for name in own])
            expected |= own
        # The layers check what a call may have, as in a user's graph.
        options = _checked_options(entry["options"]) | ({"initial_state": states} if states else {})
        layer(inputs if layer.several or len(inputs) > 1 else inputs[0], **options)
        symbols += layer.calls[-1].outputs
    if tensors is not None:
        _check_shapes(tensors, expected)
    outputs = {
        checks.printable_name(entry["name"], "the name of an output"): _numbered(symbols, entry["symbol"], "a symbol")
        for entry in description["outputs"]
    }
    takes_dict, gives_dict = (checks.boolean(each, "keyed") for each in description["keyed"])
    network = make(
        dict(zip(names, given, strict=True)) if takes_dict else given,
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


def _check_shapes(tensors: Tensors, expected: dict[str, tuple[int, ...]]) -> None:
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != expected:
        raise ValueError(f"weights of shapes {quoted(found)} where {quoted(expected)} are expected")
