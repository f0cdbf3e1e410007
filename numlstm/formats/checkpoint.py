"""A model in one safetensors file: the weights, and in the metadata what they belong to. Never pickle.

Metadata: `format` "numlstm", `format_version`, `model` (JSON: layers with their configurations, input shape, and how
the model was compiled), `sha256` over that JSON and all weights. The optimizer's state is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import layers
from numlstm.layers.layer import Layer
from numlstm.model import Sequential

__all__ = ["ModelFileError", "load", "save"]

_FORMAT, _VERSION = "numlstm", "1"
_LAYERS: dict[str, type[Layer]] = {
    name: getattr(layers, name) for name in layers.__all__ if name not in ("Input", "Layer")
}


class ModelFileError(ValueError):
    """A file is no model, or not a whole one."""


def save(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a model to a file.

    The file appears, or replaces an older one, only when all of it has reached the disk.

    Args:
        model: Built; compiled or not.
        path: In a folder that exists.

    Raises:
        ValueError: If the model is not built.
        OSError: If the file cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    tensors = {
        f"{layer.name}/{name}": value
        for layer in model.layers
        for name, value in zip(layer.parameters.shapes, layer.get_weights(), strict=True)
    }
    compiled = model.optimizer is not None and model.loss is not None
    description = {
        "class_name": "Sequential",
        "name": model.name,
        "input_shape": list(model.input_shape),
        "layers": [_named(layer) for layer in model.layers],
        "compile": {
            "optimizer": _named(model.optimizer),
            "loss": _named(model.loss),
            "metrics": [_named(metric) for metric in model.metrics],
            "weighted_metrics": [_named(metric) for metric in model.weighted_metrics],
        }
        if compiled
        else None,
    }
    text = json.dumps(description)
    metadata = {"format": _FORMAT, "format_version": _VERSION, "model": text, "sha256": _checksum(text, tensors)}
    _write(Path(path), to_bytes(tensors, metadata))


def load(path: str | os.PathLike[str]) -> Sequential:
    """Read a model that `Sequential.save` wrote.

    It predicts exactly as before, to the bit. If it was compiled it is again, on the device that "auto" takes, and
    training can go on; the optimizer's state begins anew.

    Args:
        path: The file.

    Raises:
        numlstm.formats.checkpoint.ModelFileError: If the file is not a model, or damaged, or from another version.
        OSError: If the file cannot be read.
    """
    metadata, tensors = _read(Path(path))
    if metadata.get("format") != _FORMAT:
        raise ModelFileError(f"{path} is a safetensors file, but not a numlstm model")
    if metadata.get("format_version") != _VERSION:
        raise ModelFileError(
            f"{path} has format version {metadata.get('format_version')}, but this numlstm reads version {_VERSION}"
        )
    text = metadata.get("model", "")
    if metadata.get("sha256") != _checksum(text, tensors):
        raise ModelFileError(f"{path} is damaged: its checksum does not match its contents")
    try:
        return _restore(json.loads(text), tensors)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} does not describe a model that this numlstm can make: {error}") from error


def _restore(description: dict[str, Any], tensors: dict[str, np.ndarray]) -> Sequential:
    members = [_make_layer(entry) for entry in description["layers"]]
    model = Sequential(members, name=description["name"])

    input_shape = tuple(description["input_shape"])
    expected: dict[str, tuple[int, ...]] = {}
    shape = input_shape
    for layer in members:
        expected |= {f"{layer.name}/{name}": size for name, size in layer.variable_shapes(shape).items()}
        shape = layer.compute_output_shape(shape)
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != expected:
        raise ValueError(f"weights of shapes {found} where {expected} are expected")

    model.build(input_shape, weights=[tensors[name] for name in expected])
    if description["compile"] is not None:
        model.compile(**description["compile"])
    return model


def _make_layer(entry: dict[str, Any]) -> Layer:
    if entry["class_name"] not in _LAYERS:
        raise ValueError(f"unknown layer {entry['class_name']!r}")
    # None stands for a default: an initializer that was a function of the user's own is not in the file.
    config = {name: value for name, value in entry["config"].items() if value is not None}
    return _LAYERS[entry["class_name"]].from_config(config, _make_layer)


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    # To say in the system's own words when there is no file, or none that may be read.
    with path.open("rb"):
        pass
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is not a model file, or not a whole one: {error}") from error


def _write(path: Path, data: bytes) -> None:
    """Replace the file as one act: whatever happens, there is the old one or the new one."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {path.parent}")
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with new.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _named(thing: Any) -> dict[str, Any]:
    return {"class_name": type(thing).__name__, "config": thing.get_config()}


def _checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
