"""The plain data of a model in a safetensors file, without pickle.

Metadata: `format` ("numlstm" for a model, "numlstm weights" for weights alone), `format_version`, `model` (the
description as JSON), `sha256` over that JSON and all tensors.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import checks, files
from numlstm.reading import opened
from numlstm.saved import ModelFileError, PlainData

__all__ = ["ModelFileError", "decode", "encode", "read", "read_description", "write"]

_CONTENTS = {
    "numlstm": "model", "numlstm weights": "weights", "numlstm training": "training", "numlstm layer": "layer",
    "numlstm optimizer": "optimizer",
}  # fmt: skip
_VERSION = "1"
_KERAS = (b"PK\x03\x04", b"\x89HDF\r\n\x1a\n")
"""The first bytes of Keras files: ZIP and HDF5."""


def read(path: str | os.PathLike[str]) -> PlainData:
    """Read a file of `write`.

    Args:
        path: The file.

    Raises:
        numlstm.saved.ModelFileError: If the file is not a model file, is damaged, or has another format version.
        OSError: If the file cannot be read.
    """
    path = Path(path)
    with opened(path) as file:
        size, begin = os.fstat(file.fileno()).st_size, file.read(8)
        if begin.startswith(_KERAS):
            raise ModelFileError(
                f"{path} is a ZIP or an HDF5 file, as Keras writes them, and no numlstm model: "
                "give the Keras model's get_weights() to the set_weights of one with the same layers"
            )
        header = int.from_bytes(begin, "little")
        if not 0 < header <= size - 8:
            raise ModelFileError(f"{path} is not a model file, or not a whole one: its header is missing or incomplete")
        checks.fits(2 * size, f"reading {path}")
        content = begin + file.read(size - 8)
    return decode(content, path)


def decode(content: bytes, path: str | os.PathLike[str]) -> PlainData:
    """Check the bytes of `encode`, and return what they hold.

    Args:
        content: The bytes.
        path: Their file, or their name, for error messages.

    Raises:
        numlstm.saved.ModelFileError: As for `read`.
    """
    metadata, tensors = _parse(path, content)
    format_name, version, text = metadata.get("format"), metadata.get("format_version"), metadata.get("model", "")
    if format_name not in _CONTENTS:
        raise ModelFileError(f"{path} is a safetensors file, but not a numlstm model")
    if version != _VERSION:
        raise ModelFileError(f"{path} has format version {version}, but this numlstm reads version {_VERSION}")
    if metadata.get("sha256") != _checksum(text, tensors):
        raise ModelFileError(f"{path} is damaged: its checksum does not match its contents")
    try:
        return PlainData(_CONTENTS[format_name], json.loads(text), tensors)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} does not say what it holds: {error}") from error


def read_description(path: Path) -> Any:
    """Read the description in a file of `write`, without its tensors, whose bytes are not checked.

    Raises:
        numlstm.saved.ModelFileError: If the file is not a model file, or its header is damaged.
        OSError: If the file cannot be read.
    """
    with opened(path) as file:
        size, header = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
        if not 0 < header <= size - 8:
            raise ModelFileError(f"{path} is not a model file, or not a whole one: its header is missing or incomplete")
        checks.fits(2 * header, f"reading {path}")
        content = file.read(header)
    try:
        return json.loads(json.loads(content)["__metadata__"]["model"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{path} does not say what it holds: {error}") from error


def _parse(path: str | os.PathLike[str], content: bytes) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the tensors of a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        # safetensors checks the header, but it gives the metadata only of a file, which it maps. Another program may
        # shorten that file, and the next access would end this process.
        tensors, header = from_bytes(content), int.from_bytes(content[:8], "little")
        return json.loads(content[8 : 8 + header]).get("__metadata__") or {}, tensors
    except (SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(f"{path} is not a model file, or not a whole one: {error}") from error


def write(path: Path, data: PlainData) -> None:
    """Write plain data to a file, as `numlstm.files.write` does.

    Args:
        path: The file, in an existing folder.
        data: The plain data.

    Raises:
        OSError: If the file cannot be written.
    """
    files.check_place(path)
    files.write(path, encode(data))


def encode(data: PlainData) -> bytes:
    """The bytes of a file that holds plain data."""
    from safetensors.numpy import save as to_bytes

    format_name = next(name for name, meaning in _CONTENTS.items() if meaning == data.content)
    text, tensors = json.dumps(data.description), data.tensors
    metadata = {"format": format_name, "format_version": _VERSION, "model": text, "sha256": _checksum(text, tensors)}
    return _ordered(to_bytes(tensors, metadata))


def _ordered(content: bytes) -> bytes:
    """The content with its metadata in order: safetensors writes them in one that differs from call to call."""
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(content)[begin:]))


def _checksum(text: str, tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
