"""The independent systems that tests compare with: where one is not installed, its tests are skipped."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")


def witness(name: str) -> ModuleType:
    """The package of this name; in CI a missing one must fail, not skip."""
    if os.environ.get("NUMLSTM_REQUIRE_WITNESSES"):
        return importlib.import_module(name)
    return pytest.importorskip(name, exc_type=ImportError)  # Also one that is installed and cannot be loaded.


@contextmanager
def keras_in_float64() -> Iterator[ModuleType]:
    """Keras, whose layers compute in float64. Its policy outlives a change of `floatx`, so it is restored too."""
    keras = witness("keras")
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield keras
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
