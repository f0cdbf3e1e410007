"""Damage run folders at random: `predict` and `evaluate` succeed, or end with one short sentence and code 2.

python tests/endurance/run_folders.py 10000
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from driver import Trial, endure
from mutations import damaged_bytes, damaged_json

from numlstm.cli import main

SECONDS = 10.0
FILES = ("config.json", "data.csv", "model.safetensors")


def make_trial() -> Trial:
    """Train the run, and make the trial."""
    folder = Path(tempfile.mkdtemp())
    original, run = folder / "original", folder / "run"
    quick = ("--samples", "60", "--units", "2", "--epochs", "1", "--no-plot", "--quiet")
    assert CliRunner().invoke(main, ["train", *quick, "--out", str(original)]).exit_code == 0

    def trial(number: int) -> str | None:
        random = np.random.default_rng(number)
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(original, run)
        _damage(run / FILES[random.integers(len(FILES))], random)
        command = ("predict", "evaluate")[random.integers(2)]
        with np.errstate(all="ignore"):
            result = CliRunner().invoke(main, [command, str(run)])
        if result.exit_code == 0:
            return None
        line = result.stderr.removesuffix("\n")
        fine = result.exit_code == 2 and line.startswith("Error: ") and line.isprintable() and len(line) <= 310
        return None if fine else f"{command} ends with {result.exit_code}, {result.exception!r:.300}, {line[:300]!r}"

    return trial


def _damage(path: Path, random: np.random.Generator) -> None:
    content = path.read_bytes()
    if path.suffix == ".json" and random.integers(4):
        path.write_text(json.dumps(damaged_json(json.loads(content), random)))
    else:
        path.write_bytes(damaged_bytes(content, random))


if __name__ == "__main__":
    endure("run_folders", make_trial, SECONDS)
