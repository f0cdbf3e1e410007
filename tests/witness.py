"""The independent systems that tests compare with: where one is not installed, its tests are skipped."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")


def witness(name: str) -> ModuleType:
    """The package of this name; in CI a missing one must fail, not skip."""
    if os.environ.get("NUMLSTM_REQUIRE_WITNESSES"):
        return importlib.import_module(name)
    return pytest.importorskip(name, exc_type=ImportError)  # Also one that is installed and cannot be loaded.
