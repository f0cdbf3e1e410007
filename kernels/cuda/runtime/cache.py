"""The cache of kernels' machine code, kept between processes."""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
from dataclasses import dataclass

from numlstm.kernels import cache_file, cache_key

__all__ = ["Binary", "folder", "read", "write"]

# Read when the kernels are imported, not at the first compilation: the files may be edited in between.
_SOURCES = cache_key.sources("cuda")


@dataclass(frozen=True)
class Binary:
    """Machine code of one kernel.

    entry: the kernel's name in the machine code
    cubin: the machine code
    threads: threads of a block
    shared_bytes: dynamic shared memory of a block
    """

    entry: str
    cubin: bytes
    threads: int
    shared_bytes: int


@functools.cache
def folder():
    """The folder for machine code compiled from these sources, or None if no folder can be written."""
    versions = []
    for package in ("numba", "numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{package} {importlib.metadata.version(package)}")
    return cache_key.folder("cuda", _SOURCES, ", ".join(versions), os.environ.get("NUMBA_CACHE_DIR"))


# The content of a file is a line "entry threads shared_bytes", and the code.


def _path(key):
    return None if folder() is None else folder() / hashlib.sha256(key.encode()).hexdigest()[:24]


def read(key):
    """Return the `Binary` stored under a key, or None."""
    path = _path(key)
    content = None if path is None else cache_file.read(path)
    if content is None:
        return None
    head, _, cubin = content.partition(b"\n")
    entry, threads, shared_bytes = head.decode().split()
    return Binary(entry, cubin, int(threads), int(shared_bytes))


def write(key, binary):
    """Store a `Binary` under a key, if there is a folder that can be written."""
    path = _path(key)
    if path is not None:
        head = f"{binary.entry} {binary.threads} {binary.shared_bytes}\n"
        with contextlib.suppress(OSError):
            cache_file.write(path, head.encode() + binary.cubin)
