"""The cache of kernels' machine code, kept between processes."""

import functools
import hashlib
import sys

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.registry import cpu_target

from numlstm.kernels import cache_key

# Read when the kernels are imported, not at the first compilation: the files may be edited in between.
_SOURCES = cache_key.sources("cpu")


@functools.cache
def folder():
    """The folder for machine code compiled from these sources, or None if no folder can be written."""
    return cache_key.folder("cpu", _SOURCES, f"numba {numba.__version__}", numba.config.CACHE_DIR)


class KernelCache(FunctionCache):
    """numba's cache of one function for one signature, in `folder()`.

    numba's own locators stamp an entry with the bytes or the time of the function's file, and name it by the function's
    line. Here the folder's name stands for all sources, and an entry is named by its function. The function must have
    no closure, and no other function may have its name.

    Each signature has its own files on each target, so processes that compile at the same time for other signatures or
    processors cannot mix the entries of an index: numba writes the index and the code one after the other, unlocked.
    """

    def __init__(self, function, signature):
        self._impl_class = functools.partial(_Files, signature)
        super().__init__(function)

    def load_overload(self, sig, target_context):
        """The machine code; None where there is none, or what is there is damaged: then it is compiled again."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            return None

    def save_overload(self, sig, data):
        """Keep the machine code. A damaged index is replaced."""
        try:
            super().save_overload(sig, data)
        except OSError:
            raise
        except Exception:
            self._cache_file.flush()
            super().save_overload(sig, data)

    def _index_key(self, sig, codegen):
        # numba's hash of the bytecode is left out: it changes when a docstring is added, which moves constants.
        return sig, codegen.magic_tuple()


class _Files(CompileResultCacheImpl):
    def __init__(self, signature, function):
        self._locator, self._lineno = _Locator(signature, function), function.__code__.co_firstlineno
        name = f"{function.__module__}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))


class _Locator(_CacheLocator):
    def __init__(self, signature, function):
        self._signature = str(signature)
        self._py_file = function.__code__.co_filename  # numba names it in a warning.

    def get_cache_path(self):
        return str(folder())

    def get_source_stamp(self):
        return folder().name

    def get_disambiguator(self):
        target = cpu_target.target_context.codegen().magic_tuple()
        return hashlib.sha256(f"{self._signature} {target}".encode()).hexdigest()[:16]
