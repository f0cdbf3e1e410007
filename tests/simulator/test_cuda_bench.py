"""The modes of `numlstm bench` on CUDA, at sizes that numba's simulator can bear."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from numlstm.cli import main


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        (["kernels", "--shape", "2,2,1,3", "--peers", "none"], 2),
        (["options", "--shape", "1,2,1,2"], 13),
        (["train", "--units", "3", "--samples", "14", "--epochs", "1", "--peers", "none"], 1),
        (["stream", "--units", "3", "--peers", "none"], 2),
    ],
    ids=["kernels", "options", "train", "stream"],
)
def test_the_benchmarks_run(tmp_path, mode, rows):
    out = tmp_path / "out.json"
    result = CliRunner().invoke(main, ["bench", *mode, "--rounds", "1", "--device", "cuda", "--json", str(out)])
    assert result.exit_code == 0, result.output
    measured = json.loads(out.read_text())["rows"]
    assert all(row["numlstm"]["median"] > 0 for row in measured)
    assert len(measured) == rows
