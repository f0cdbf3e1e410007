"""Machine code of kernels, kept between processes."""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KERNELS", "Binary", "folder", "read", "write"]

KERNELS = Path(__file__).resolve().parents[2]
"""The folder whose sources the cache is keyed by."""


@dataclass(frozen=True)
class Binary:
    """Machine code of one kernel.

    entry: its name there
    cubin: the code
    threads: of a block
    shared_bytes: dynamic shared memory of a block
    """

    entry: str
    cubin: bytes
    threads: int
    shared_bytes: int


@functools.cache
def folder():
    """The folder of this very source's machine code, or None where nothing can be written."""
    digest = hashlib.sha256()
    for package in ("numba", "numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    for path in sorted(KERNELS.rglob("*.py")):
        digest.update(path.relative_to(KERNELS).as_posix().encode())
        digest.update(path.read_bytes())
    try:
        parent = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(parent) / "numlstm" / f"cuda-{digest.hexdigest()[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None


# A file: a line "entry threads shared_bytes", a line with the code's digest, the code.


def _path(key):
    return None if folder() is None else folder() / hashlib.sha256(key.encode()).hexdigest()[:24]


def read(key):
    """The `Binary` kept under a key, or None."""
    path = _path(key)
    if path is None:
        return None
    try:
        head, digest, cubin = path.read_bytes().split(b"\n", 2)
        entry, threads, shared_bytes = head.decode().split()
    except (OSError, ValueError):
        return None
    intact = hashlib.sha256(cubin).hexdigest().encode() == digest
    return Binary(entry, cubin, int(threads), int(shared_bytes)) if intact else None


def write(key, binary):
    """Keep a `Binary` under a key, if there is a place for it."""
    path = _path(key)
    if path is None:
        return
    head = f"{binary.entry} {binary.threads} {binary.shared_bytes}\n{hashlib.sha256(binary.cubin).hexdigest()}\n"
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(head.encode() + binary.cubin)
        file.close()
        os.replace(file.name, path)
