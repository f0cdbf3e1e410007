"""A model in one safetensors file: the weights, and in the metadata what they belong to. Never pickle.

Metadata: `format` "numlstm", `format_version`, `model` (JSON: layers with their configurations, input shape, how many
passes have dropped something, and how the model was compiled), `sha256` over that JSON and all tensors. The optimizer's
state stands beside the weights. What the order of samples is drawn from is not kept: `numlstm.set_seed` is for that.

A file of weights alone has the `format` "numlstm weights", and in `model` their names, in the order of `get_weights`.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import checks, layers, losses, metrics, optimizers
from numlstm.layers.layer import Layer
from numlstm.model import Sequential

__all__ = ["ModelFileError", "load", "load_weights", "save", "save_weights"]

_MODEL, _WEIGHTS, _VERSION = "numlstm", "numlstm weights", "1"
_LAYERS: dict[str, type[Layer]] = {
    name: getattr(layers, name) for name in layers.__all__ if name not in ("Input", "Layer")
}
_OPTIMIZER = "/optimizer/"
"""What the names of the optimizer's tensors begin with; no layer's do, as no layer's name is empty."""
_KERAS = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")
"""How files of Keras begin."""
_ABANDONED = 3600.0
"""Seconds after which nobody can still be writing a file."""


class ModelFileError(ValueError):
    """A file is no model, or not a whole one."""


def save(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a model to a file.

    The file appears, or replaces an older one, only when all of it has reached the disk. A model with an optimizer, a
    loss or a metric of the user's own class, which no file could bring back, is saved as if not compiled, with a
    warning.

    Args:
        model: Built; compiled or not.
        path: In a folder that exists.

    Raises:
        ValueError: If the model is not built, a layer is of the user's own class, or the path ends as Keras' files do.
        OSError: If the file cannot be written.
    """
    path = checks.model_path(path)
    for layer in _all_of(model.layers):
        if _LAYERS.get(type(layer).__name__) is not type(layer):
            raise ValueError(
                f"layer {layer.name!r} is of {type(layer).__name__}, a class of your own that no file can bring back: "
                "use save_weights"
            )
    tensors = dict(zip(_names(model), model.get_weights(), strict=True))
    compiled, optimizer = _compiled(model), model.optimizer
    # After another layer has come, say, the optimizer's state is not of these weights.
    if compiled is not None and optimizer is not None and optimizer.iterations and optimizer.trains(model.buffers):
        tensors |= {f"{_OPTIMIZER}{name}": value for name, value in optimizer.state().items()}
    description = {
        "class_name": "Sequential",
        "name": model.name,
        "input_shape": list(model.input_shape),
        "layers": [_named(layer) for layer in model.layers],
        "steps": [layer.step for layer in _all_of(model.layers)],
        "compile": compiled,
    }
    _write(path, _MODEL, json.dumps(description), tensors)


def load(path: str | os.PathLike[str], compile: bool = True) -> Sequential:
    """Read a model that `Sequential.save` wrote.

    It predicts exactly as before, to the bit. If it was compiled it is again, on the device that "auto" takes, and
    training goes on as if it had never ended, to the bit where the samples come in the same order: with the
    optimizer's state, and dropping what would have been dropped. Only stateful layers begin anew.

    Args:
        path: The file.
        compile: Whether to compile it as it was.

    Raises:
        numlstm.formats.checkpoint.ModelFileError: If the file is not a model, or damaged, or from another version.
        OSError: If the file cannot be read.
    """
    kind, text, tensors = _read(Path(path))
    if kind != _MODEL:
        raise ModelFileError(f"{path} holds weights alone: make the model, and call its load_weights")
    return _restored(path, text, tensors, compile)


def save_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a model's weights to a file, as `save` writes models.

    Args:
        model: Built.
        path: In a folder that exists.

    Raises:
        ValueError: If the model is not built, or the path ends as Keras' files do.
        OSError: If the file cannot be written.
    """
    path = checks.model_path(path)
    tensors = {str(number): weight for number, weight in enumerate(model.get_weights())}
    _write(path, _WEIGHTS, json.dumps(_names(model)), tensors)


def load_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Give a model the weights that a file holds, in their order, whatever their names; nothing else changes.

    Args:
        model: Built.
        path: What `save_weights` or `save` wrote.

    Raises:
        numlstm.formats.checkpoint.ModelFileError: If the file holds no weights, or is damaged, or from another version.
        ValueError: If the model is not built, or its weights have other shapes; nothing has been changed then.
        OSError: If the file cannot be read.
    """
    own = [shape for layer in model.layers for shape in layer.parameters.shapes.values()]
    kind, text, tensors = _read(Path(path))
    if kind == _MODEL:
        stored = _restored(path, text, tensors, False)
        names, weights = _names(stored), stored.get_weights()
    else:
        try:
            names = [str(name) for name in json.loads(text)]
            weights = [tensors.pop(str(number)) for number in range(len(names))]
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(f"{path} does not say what its weights are: {error}") from error
    if len(weights) != len(own):
        raise ValueError(f"{path} is of another model: it holds {len(weights)} weights, but this one has {len(own)}")
    for name, weight, ours, shape in zip(names, weights, _names(model), own, strict=True):
        if weight.shape != shape:
            raise ValueError(
                f"{path} is of another model: its {name} has shape {weight.shape}, but this one's {ours} has {shape}"
            )
    model.set_weights(weights)


def _restored(path: str | os.PathLike[str], text: str, tensors: dict[str, np.ndarray], compiled: bool) -> Sequential:
    try:
        return _restore(json.loads(text), tensors, compiled)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} does not describe a model that this numlstm can make: {error}") from error


def _restore(description: dict[str, Any], tensors: dict[str, np.ndarray], compiled: bool) -> Sequential:
    members = [_make_layer(entry) for entry in description["layers"]]
    model = Sequential(members, name=description["name"])

    input_shape = tuple(description["input_shape"])
    expected: dict[str, tuple[int, ...]] = {}
    shape = input_shape
    for layer in members:
        expected |= {f"{layer.name}/{name}": size for name, size in layer.variable_shapes(shape).items()}
        shape = layer.compute_output_shape(shape)
    state = {name.removeprefix(_OPTIMIZER): tensors.pop(name) for name in list(tensors) if name.startswith(_OPTIMIZER)}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != expected:
        raise ValueError(f"weights of shapes {found} where {expected} are expected")

    model.build(input_shape, weights=[tensors[name] for name in expected])
    parts = list(_all_of(members))
    # The first files did not hold them.
    for layer, step in zip(parts, description.get("steps", [0] * len(parts)), strict=True):
        layer.step = checks.integer(step, "the number of passes", least=0)
    if compiled and description["compile"] is not None:
        model.compile(**description["compile"])
        if state and model.optimizer is not None:
            model.optimizer.bind(model.buffers)
            model.optimizer.set_state(state)
    return model


def _compiled(model: Sequential) -> dict[str, Any] | None:
    """What `compile` is to be called with; None where it was not called, or its arguments could not be brought back."""
    if model.optimizer is None or model.loss is None:
        return None
    shown, weighted = model.metrics, model.weighted_metrics
    parts: list[tuple[Callable[[Any], Any], Any]] = [(optimizers.get, model.optimizer), (losses.get, model.loss)]
    parts += [(metrics.get, metric) for metric in (*shown, *weighted)]
    for get, part in parts:
        if not _comes_back(get, part):
            warnings.warn(
                f"{type(part).__name__} is a class of your own, which no file can bring back: the model is saved as if "
                "not compiled, so compile it after load_model",
                stacklevel=4,
            )
            return None
    return {
        "optimizer": _named(model.optimizer),
        "loss": _named(model.loss),
        "metrics": [_named(metric) for metric in shown],
        "weighted_metrics": [_named(metric) for metric in weighted],
    }


def _comes_back(get: Callable[[Any], Any], part: Any) -> bool:
    try:
        return type(get(_named(part))) is type(part)
    except (ValueError, TypeError):
        return False


def _make_layer(entry: dict[str, Any]) -> Layer:
    if entry["class_name"] not in _LAYERS:
        raise ValueError(f"unknown layer {entry['class_name']!r}")
    # None stands for a default: an initializer that was a function of the user's own is not in the file.
    config = {name: value for name, value in entry["config"].items() if value is not None}
    return _LAYERS[entry["class_name"]].from_config(config, _make_layer)


def _all_of(members: Iterable[Layer]) -> Iterator[Layer]:
    """Layers, and behind each those that it wraps."""
    for layer in members:
        yield layer
        yield from _all_of(layer.wrapped)


def _names(model: Sequential) -> list[str]:
    """The names of a model's weights, in the order of `get_weights`."""
    return [f"{layer.name}/{name}" for layer in model.layers for name in layer.parameters.shapes]


def _read(path: Path) -> tuple[str, str, dict[str, np.ndarray]]:
    """The file's format, what it tells, and its tensors; ModelFileError if it is not whole and of this version."""
    from safetensors import SafetensorError, safe_open

    # To say in the system's own words when there is no file, or none that may be read.
    with path.open("rb") as file:
        begin = file.read(8)
    if begin.startswith(_KERAS):
        raise ModelFileError(
            f"{path} is a ZIP or an HDF5 file, as Keras writes them, and no numlstm model: "
            "give the Keras model's get_weights() to the set_weights of one with the same layers"
        )
    try:
        with safe_open(path, framework="np") as file:
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is not a model file, or not a whole one: {error}") from error
    kind, version, text = metadata.get("format"), metadata.get("format_version"), metadata.get("model", "")
    if kind not in (_MODEL, _WEIGHTS):
        raise ModelFileError(f"{path} is a safetensors file, but not a numlstm model")
    if version != _VERSION:
        raise ModelFileError(f"{path} has format version {version}, but this numlstm reads version {_VERSION}")
    if metadata.get("sha256") != _checksum(text, tensors):
        raise ModelFileError(f"{path} is damaged: its checksum does not match its contents")
    return kind, text, tensors


def _write(path: Path, kind: str, text: str, tensors: dict[str, np.ndarray]) -> None:
    """Replace the file as one act: whatever happens, there is the old one or the new one."""
    from safetensors.numpy import save as to_bytes

    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {path.parent}")
    metadata = {"format": kind, "format_version": _VERSION, "model": text, "sha256": _checksum(text, tensors)}
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with new.open("xb") as file:
            file.write(to_bytes(tensors, metadata))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    _sweep(path)


def _sweep(path: Path) -> None:
    """Remove what writers of this file have left that were killed; what may be another's that is at work stays."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.tmp"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def _named(thing: Any) -> dict[str, Any]:
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def _checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
