"""`numlstm bench startup`: whole processes, from the interpreter's start to its exit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from numlstm.cli.bench.measure import Row, by_turns
from numlstm.cli.bench.peers import Peer

__all__ = ["measure"]


def measure(peers: Mapping[str, Peer], device: str, rounds: int) -> Iterator[Row]:
    """Yield rows for the import, for `numlstm train` with a warm cache, and for `numlstm train` with an empty cache.

    Raises:
        ValueError: If a process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        names = ["numba", *(name for name in peers if name != "keras")]
        imports = {name: partial(_run, place, "-c", f"import {name}") for name in ("numlstm", *names)}
        imports |= {"keras": partial(_run, place, "-c", "import tensorflow")} if "keras" in peers else {}
        times = by_turns(imports, rounds)
        yield Row("import", times.pop("numlstm"), times)

        job = ("-m", "numlstm", "train", "--no-plot", "--quiet", "--device", device, "--out", "run", "--overwrite")
        first = by_turns({"numlstm": partial(_run_first, place, *job)}, rounds, warm_up=False)
        # The last of these processes has filled the cache.
        scripts = {name: partial(_run, place, str(peer.script)) for name, peer in peers.items() if peer.script}
        times = by_turns({"numlstm": partial(_run, place, *job), **scripts}, rounds)
        yield Row("the sine job, warm cache", times.pop("numlstm"), times)
        yield Row("the sine job, empty cache", first["numlstm"])


def _run_first(place: Path, *arguments: str) -> None:
    shutil.rmtree(place / "cache", ignore_errors=True)
    _run(place, *arguments)


def _run(place: Path, *arguments: str) -> None:
    process = subprocess.run(
        # -P: files beside a script must not be imported.
        [sys.executable, "-P", *arguments],
        cwd=place,
        env=os.environ | {"NUMBA_CACHE_DIR": str(place / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise ValueError(f"python {' '.join(arguments)} failed: {process.stderr.strip()[-300:]}")
