"""Files of the cache of compiled kernels: the digest of the content on a line, then the content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

__all__ = ["read", "write"]


def read(path: Path) -> bytes | None:
    """The content of a file; None if there is no such file, or it is damaged: not a byte of it is used then."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content if digest == _digest(content) else None


def write(path: Path, content: bytes) -> None:
    """Write or replace a file. Other processes see the old file or the whole new one.

    Raises:
        OSError: If the file cannot be written.
    """
    # Not by `tempfile`, whose files only their owner may read: an image may be warmed up by another user.
    whole = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        whole.write_bytes(_digest(content) + b"\n" + content)
        os.replace(whole, path)  # On Windows this fails while another process reads the old file.
    except BaseException:
        with contextlib.suppress(OSError):
            whole.unlink()
        raise


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
