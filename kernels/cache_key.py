"""The key of the cache of compiled kernels: a hash of the code that they are compiled from, and of nothing else.

The machine code of a backend is in a folder whose name is a hash of the backend's parsed sources. Comments, docstrings,
line numbers and file times do not change the name. Any other edit in the backend does, because a kernel is compiled
from helpers of many files.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["folder", "sources"]

_KERNELS = Path(__file__).resolve().parent


def sources(backend: str) -> dict[str, bytes]:
    """Read the files whose code can reach the kernels of a backend: its own, the contract's and those of the cache.

    This file is among them because it decides which parts of the others count.
    """
    counted = {backend, "contract", "__init__.py", "cache_file.py", Path(__file__).name}
    paths = ((path.relative_to(_KERNELS), path) for path in sorted(_KERNELS.rglob("*.py")))
    return {place.as_posix(): path.read_bytes() for place, path in paths if place.parts[0] in counted}


def folder(backend: str, files: dict[str, bytes], versions: str, chosen: str | None) -> Path | None:
    """Make the folder for the machine code compiled from these sources. None if there is none and none can be made.

    files: the result of `sources`
    versions: the versions of all packages that compile the sources
    chosen: the folder that the user chose for caches, or None
    """
    if not files:
        return None  # An archive has no files to hash, so old and new machine code look the same.
    try:
        parent = Path(chosen or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numlstm"
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / f"{backend}-{_key(files, versions, parent)}"
        folder.mkdir(exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.R_OK | os.X_OK) else None


def _key(files: dict[str, bytes], versions: str, parent: Path) -> str:
    """The hash of the code in the files. Parsing takes 0.1 s, so the key is stored under the hash of all bytes."""
    kept = parent / f"{_hash(versions, files.items())}.key"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        key = kept.read_text(encoding="utf-8")
        if re.fullmatch("[0-9a-f]{16}", key):
            return key
    key = _hash(versions, ((name, _what_counts(source)) for name, source in files.items()))
    with contextlib.suppress(OSError):
        kept.write_text(key, encoding="utf-8")
    return key


def _hash(versions: str, parts: Iterable[tuple[str, bytes]]) -> str:
    # The parser's trees and the bytecode that numba reads differ between versions of Python.
    digest = hashlib.sha256(f"{sys.implementation.cache_tag} {versions}\n".encode())
    for name, content in parts:
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _what_counts(source: bytes) -> bytes:
    return ast.dump(_Code().visit(ast.parse(source))).encode()


class _Code(ast.NodeTransformer):
    """Removes nodes that compute nothing: docstrings, other constants that stand alone, and Protocols."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST | None:
        if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            return None
        return self.generic_visit(node)
