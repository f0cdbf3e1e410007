"""The cache of kernels' machine code, kept between processes."""

import functools
import hashlib
import pickle
import sys

import numba
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from numlstm.kernels import cache_file, cache_key
from numlstm.kernels.cpu.runtime.checked import BOUNDS

# Read when the kernels are imported, not at the first compilation: the files may be edited in between.
_SOURCES = cache_key.sources("cpu")


@functools.cache
def folder():
    """The folder for machine code compiled from these sources, or None if no folder can be written."""
    versions = f"numba {numba.__version__}" + ", checked" * BOUNDS
    return cache_key.folder("cpu", _SOURCES, versions, numba.config.CACHE_DIR)


def has(function, signature):
    """Whether the cache has the function's machine code. True without a cache: no file can be waited for."""
    return folder() is None or KernelCache(function, signature).path.exists()


class KernelCache:
    """The machine code of one function for one signature, in a file in `folder()`. A dispatcher of numba calls it.

    numba's own cache stamps an entry with the bytes or the time of the function's file, and names it by the function's
    line. Here the folder's name stands for all sources, and an entry is named by its function. The function must have
    no closure, and no other function may have its name.

    numba's cache also has an index of a function's signatures and targets, which processes write without a lock, and
    no digest of the machine code: what a damaged file holds, it would run.
    """

    def __init__(self, function, signature):
        target = cpu_target.target_context.codegen().magic_tuple()
        flags = getattr(sys, "abiflags", "")
        differs = hashlib.sha256(f"{signature} {target} {flags}".encode()).hexdigest()[:16]
        self.path = folder() / f"{function.__module__}.{function.__qualname__}-{differs}.nbc"

    def load_overload(self, sig, target_context):
        """The machine code; None where there is none, or what is there is damaged: then it is compiled again."""
        content = cache_file.read(self.path)
        if content is None:
            return None
        target_context.refresh()
        return CompileResult._rebuild(target_context, *pickle.loads(content))

    def save_overload(self, sig, data):
        """Keep the machine code. It must not hold addresses, which differ from process to process."""
        assert not data.library.has_dynamic_globals
        cache_file.write(self.path, dumps(data._reduce()))
