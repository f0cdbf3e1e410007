"""Every mode of `numlstm bench`, at a tiny size; what it refuses; and that it measures what it says."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from click.testing import CliRunner
from witness import witness

import numlstm
from numlstm.cli import main
from numlstm.cli.bench import ctc, examples, options
from numlstm.cli.bench import peers as bench_peers
from numlstm.cli.bench.measure import Row, Times, by_turns, require_agreement
from numlstm.cli.bench.report import as_lines, machine
from numlstm.cli.bench.target import limit
from numlstm.layers import LSTM
from numlstm.tasks import task

KERAS = all(importlib.util.find_spec(name) for name in bench_peers.PEERS["keras"])


@pytest.fixture
def bench(tmp_path):
    """Runs the command for one round and returns (exit code, output, what --json wrote)."""

    def run(*arguments):
        file = tmp_path / "result.json"
        result = CliRunner().invoke(main, ["bench", *arguments, "--rounds", "1", "--json", str(file)])
        return result.exit_code, result.output, json.loads(file.read_text()) if file.exists() else None

    return run


@pytest.fixture
def one_thread():
    """PyTorch's threads wait for each other by spinning, which takes forever where the cores are busy otherwise."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)


def rows_of(result):
    for row in result["rows"]:
        ours = row["numlstm"]
        assert 0 < ours["q1"] <= ours["median"] <= ours["q3"] <= ours["p99"]
        assert ours["count"] >= 1
        for peer in row["peers"].values():
            assert peer["ratio"] == pytest.approx(peer["median"] / ours["median"])
    return {row["name"]: row for row in result["rows"]}


@pytest.mark.parametrize("option", ["--peers", "--plot"])
def test_forecast_measures_no_peers_and_draws_nothing(tmp_path, option):
    value = "none" if option == "--peers" else str(tmp_path / "p.png")
    result = CliRunner().invoke(main, ["bench", "forecast", option, value])
    assert result.exit_code == 2
    assert "are not for forecast" in result.output


def test_kernels_without_peers(bench):
    code, output, result = bench("kernels", "--shape", "1,2,3,4", "--shape", "2,3,1,17", "--peers", "none")
    assert code == 0, output
    rows = rows_of(result)
    assert list(rows) == [
        "(1, 2, 3, 4) forward",
        "(1, 2, 3, 4) forward + backward",
        "(2, 3, 1, 17) forward",
        "(2, 3, 1, 17) forward + backward",
    ]
    row = rows["(1, 2, 3, 4) forward"]
    assert row["rate"] == pytest.approx(2 * 1 * 2 * (3 + 4) * 4 * 4 / row["numlstm"]["median"])
    assert 0 < row["rate"] < row["peak"]
    assert row["peers"] == {}
    assert result["cell"] == "lstm"
    assert {"machine", "numlstm", "numba", "threads"} <= set(result["machine"])
    for name in rows:
        assert name in output


def test_the_loss_ctc_beside_torchs(one_thread):
    witness("torch")
    (row,) = ctc.measure(bench_peers.load(["torch"]), "cpu", 1, ((2, 9, 4, 3),))
    assert row.name == "ctc (2, 9, 4, 3) loss + gradient"
    assert 0 <= row.error["torch"] < 1e-5
    assert row.ours.median > 0
    assert as_lines("kernels", ["torch"], row).startswith(row.name)


@pytest.mark.parametrize(("cell", "gates"), [("gru", 3), ("simple_rnn", 1)])
def test_the_work_of_a_cell_grows_with_its_gates(bench, cell, gates):
    code, output, result = bench("kernels", "--cell", cell, "--shape", "1,2,3,4", "--peers", "none")
    assert code == 0, output
    assert result["cell"] == cell
    assert any(line.startswith(f"{cell} ") for line in output.splitlines())
    for name, row in rows_of(result).items():
        work = 2 * 1 * 2 * (3 + 4) * gates * 4 * (3 if "backward" in name else 1)
        assert row["rate"] == pytest.approx(work / row["numlstm"]["median"])


def test_options_beside_the_plain_layer(bench):
    code, output, result = bench("options", "--shape", "2,3,1,5", "--shape", "1,2,3,17")
    assert code == 0, output
    rows = rows_of(result)
    assert len(rows) == 2 * 13
    with_options = {name for name, row in rows.items() if row["kernel_name"].endswith(", with options")}
    assert {name.partition(") ")[2] for name in with_options} == {
        "activation relu",
        "recurrent_activation hard_sigmoid",
        "recurrent_dropout 0.2",
        "reset_mask",
    }
    for name, row in rows.items():
        assert row["bound"] == (1.15 if "dropout" in name or ") mask" in name or "lengths" in name else 1.25)
        assert row["cost"] > 0
        assert name in output


def test_an_option_on_other_kernels_is_not_measured(monkeypatch):
    monkeypatch.setattr(LSTM, "kernel_name", "rows over 1 thread, with options")
    with pytest.raises(
        ValueError, match="plain: expected the plain kernels, but 'rows over 1 thread, with options' ran"
    ):
        next(options.measure([(1, 2, 1, 3)], "cpu", rounds=1))


def test_an_option_costs_its_median():
    times = [Times(np.array(samples)) for samples in ([1e-3, 3e-3, 9e-3], [1e-3, 2e-3, 4e-3])]
    row = Row("thing", times[0], plain=times[1], bound=1.25, kernel_name="rows over 2 threads")
    assert row.cost == pytest.approx(1.5)
    assert as_lines("options", [], row).split()[-6:] == ["1.50", "1.25", "rows", "over", "2", "threads"]


def test_train_without_peers(bench):
    code, output, result = bench("train", "--peers", "none", "--units", "5", "--samples", "12", "--epochs", "2")
    assert code == 0, output
    assert list(rows_of(result)) == ["the sine job's fit"]


def test_stream_without_peers(bench):
    code, output, result = bench("stream", "--peers", "none", "--units", "5")
    assert code == 0, output
    assert list(rows_of(result)) == ["push(x_t)", "push(x_t, out=y)"]
    assert "p99" in output


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="these are targets for x86 processors"
)
def test_another_target_is_measured_in_a_process_of_its_own(bench, tmp_path):
    code, output, _ = bench("kernels", "--target", "avx2", "--peers", "none")
    assert code == 2
    assert "--target avx2 must be given to a process of its own" in output
    job = ("kernels", "--shape", "3,2,1,17", "--target", "sse", "--peers", "none", "--rounds", "1")
    process = subprocess.run(
        [sys.executable, "-P", "-m", "numlstm", "bench", *job],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    assert "limited to      sse" in process.stdout
    assert "128 bits, 16 registers, multiply and add" in process.stdout


@pytest.mark.parametrize(("target", "lacking"), [("avx2", "fma"), ("avx2", "avx2"), ("avx", "avx"), ("sse", "sse4.2")])
def test_a_target_beyond_this_processor_is_refused(monkeypatch, target, lacking):
    """Its instructions would end the process."""
    features = dict.fromkeys(("avx", "avx2", "fma", "sse4.2"), True) | {lacking: False}
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    for name in ("numba", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ValueError, match=f"--target {target} needs a processor with {lacking}, which this one lacks"):
        limit(target)


@pytest.mark.slow
def test_startup_without_peers(bench):
    code, output, result = bench("startup", "--peers", "none")
    assert code == 0, output
    rows = rows_of(result)
    assert list(rows) == ["import", "the sine job, warm cache", "the sine job, empty cache"]
    warm, empty = (rows[f"the sine job, {cache} cache"]["numlstm"]["median"] for cache in ("warm", "empty"))
    assert warm < empty
    assert list(rows["import"]["peers"]) == ["numba"]


LAYERS = [["kernels", "--cell", cell, "--shape", "3,5,2,17"] for cell in ("lstm", "gru", "simple_rnn")]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("mode", [*LAYERS, ["train"], ["stream"], ["translate", "--samples", "70", "--epochs", "1"]])
def test_torch_agrees_and_is_measured(bench, tmp_path, mode):
    witness("torch")
    picture = tmp_path / "ratios.png"
    code, output, result = bench(*mode, "--peers", "torch", "--plot", str(picture))
    assert code == 0, output
    assert "torch" in result["machine"]
    for row in rows_of(result).values():
        assert row["peers"]["torch"]["error"] < 1e-3
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("mode", [*LAYERS, ["stream"]])
def test_onnxruntime_agrees_and_is_measured(bench, mode):
    for name in bench_peers.PEERS["onnxruntime"]:
        witness(name)
    code, output, result = bench(*mode, "--peers", "onnxruntime")
    assert code == 0, output
    rows = rows_of(result)
    inference = [row for name, row in rows.items() if "backward" not in name]
    assert inference
    for row in inference:
        assert row["peers"]["onnxruntime"]["error"] < 1e-4
    for name, row in rows.items():
        assert ("onnxruntime" in row["peers"]) == ("backward" not in name)


@pytest.fixture
def few_data(monkeypatch):
    """The examples' models on a few rows."""
    rows = {"text generation": 5, "number addition": 40, "bidirectional sentiment": 3}
    for name, (make, data, batch_size) in list(examples.EXAMPLES.items()):
        few = tuple(array[: rows[name]] for array in data())
        monkeypatch.setitem(examples.EXAMPLES, name, (make, lambda few=few: few, batch_size))


@pytest.mark.usefixtures("few_data")
def test_examples_without_peers(bench):
    code, output, result = bench("examples", "--peers", "none", "--epochs", "2")
    assert code == 0, output
    assert list(rows_of(result)) == [f"{name}, an epoch" for name in examples.EXAMPLES]


@pytest.mark.skipif(not KERAS, reason="Keras or TensorFlow is not installed")
@pytest.mark.usefixtures("few_data")
def test_examples_agree_with_keras(bench):
    code, output, result = bench("examples", "--peers", "keras")
    assert code == 0, output
    for row in rows_of(result).values():
        assert row["peers"]["keras"]["error"] < 1e-3


def test_examples_of_another_loss_are_not_measured(monkeypatch):
    class Other:
        def __init__(self, model):
            self.model = model

        def set_weights(self, weights):
            self.model.set_weights([9 * array for array in weights])

        def fit(self, *arguments, **named):
            return self.model.fit(*arguments, **named)

    make, data, batch_size = examples.EXAMPLES["number addition"]
    few = tuple(array[:40] for array in data())
    other = SimpleNamespace(library=lambda threads: "other")
    monkeypatch.setattr(
        examples,
        "EXAMPLES",
        {
            "it": (
                lambda lib, x, y, **compiling: Other(make(numlstm, x, y)) if lib == "other" else make(lib, x, y),
                lambda: few,
                batch_size,
            )
        },
    )
    with pytest.raises(ValueError, match="it: numlstm and other differ by"):
        next(examples.measure({"other": other}, "cpu", rounds=1, epochs=1))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["kernels", "--shape", "1,2,3"], "four whole numbers"),
        (["kernels", "--shape", "1,2,3,0"], "four whole numbers"),
        (["train", "--shape", "1,2,3,4"], "--shape is for kernels and options only, not for train"),
        (["train", "--cell", "gru"], "--cell is for kernels only, not for train"),
        (["kernels", "--cell", "peephole"], "Invalid value"),
        (["stream", "--samples", "100"], "--samples is for train and translate only, not for stream"),
        (["startup", "--units", "3"], "--units is for train and stream only, not for startup"),
        (["translate", "--device", "cuda"], "translate is measured on the CPU: leave --device out"),
        (["train", "--samples", "11"], "11 is not in the range x>=12"),
        (["options", "--peers", "torch"], "--peers is not for options"),
        (["options", "--shape", "1,2,1,2", "--plot", "costs.png"], "no peer to compare with"),
        (["kernels", "--peers", "theano"], "peers are torch, onnxruntime, keras, not 'theano'"),
        (["stream", "--peers", "none", "--plot", "ratios.png"], "no peer to compare with"),
        (["train", "--plot", "ratios.txt"], "ratios.txt cannot be a picture"),
        (["nothing"], "Invalid value"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(bench, arguments, sentence):
    code, output, _ = bench(*arguments)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output


def test_a_peer_that_is_missing_is_named(monkeypatch, bench):
    monkeypatch.setitem(bench_peers.PEERS, "keras", ("numlstm_of_another_name",))
    code, output, _ = bench("train", "--peers", "keras")
    assert code == 2
    assert "the peer keras needs numlstm_of_another_name, not installed here" in output


def test_disagreement_stops_the_measuring():
    a, b = np.zeros((2, 3)), np.full((2, 3), 1e-3)
    assert require_agreement("it", "other", [a], [b], 1e-2) == pytest.approx(1e-3)
    for other in (b, np.full((2, 3), np.nan), np.zeros((3, 2))):
        with pytest.raises(ValueError, match="it: numlstm and other differ by"):
            require_agreement("it", "other", [a], [other], 1e-4)


def test_calls_take_turns():
    order = []
    times = by_turns({"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.03))}, rounds=3)
    turns = "".join(name for index, name in enumerate(order) if index == 0 or order[index - 1] != name)
    # Once to warm up, then by turns.
    assert turns == "abababab"
    assert len(times["b"].samples) == 3
    assert times["b"].median == pytest.approx(0.03, rel=0.5)
    assert times["a"].median < times["b"].median


def test_a_line_has_the_median_and_the_ratio():
    row = Row("thing", Times(np.array([1e-3, 2e-3, 3e-3])), {"torch": Times(np.array([4e-3]))}, work=1e9, peak=1e12)
    line = as_lines("kernels", ["torch", "onnxruntime"], row)
    assert "2 ms [1.5, 2.5]" in line
    assert " 500.0 " in line
    assert "50%" in line
    assert line.split()[-2:] == ["2.00", "-"]


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(tmp_path, monkeypatch, option):
    monkeypatch.setattr("numlstm.cli.bench.report.machine", lambda *arguments: pytest.fail("work has begun"))
    absent = tmp_path / "none"
    for place, words in ((absent / "file", f"there is no folder {absent}"), (tmp_path, "Is a directory")):
        result = CliRunner().invoke(main, ["bench", "--peers", "none", option, str(place)])
        assert result.exit_code == 2
        assert result.output == f"Error: {place}: {words}\n"


@pytest.mark.parametrize(
    ("cpuinfo", "named"),
    [
        ("processor : 0\nmodel name\t: A Processor @ 2 GHz\n", "A Processor @ 2 GHz"),
        ("processor : 0\nCPU implementer\t: 0x41\n", "aarch64"),
        (None, "aarch64"),
    ],
)
def test_the_machine_has_a_name_on_every_system(monkeypatch, cpuinfo, named):
    """ARM's /proc/cpuinfo has no model, and only Linux has the file."""

    read = Path.read_text

    def read_text(path, **options):
        if path != Path("/proc/cpuinfo"):
            return read(path, **options)
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert machine("cpu", [])["machine"] == named


def test_tasks_are_trained_over_seeds_and_absent_data_are_named(monkeypatch):
    from numlstm.cli.bench import tasks

    jobs = (
        tasks.Job("sentiment", {"epochs": 1, "units": 2, "ensemble": 1}, "macro_f1"),
        tasks.Job("classify", {"dataset": "gunpoint"}, "accuracy"),
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None)
    trained, absent = tasks.measure(jobs, "cpu", 2)
    assert len(trained.scores) == len(trained.verdicts) == len(trained.seconds) == len(trained.processor) == 2
    assert all(0 <= score <= 1 for score in trained.scores)
    assert f"{min(trained.scores):.4f}" in tasks.as_line(trained)
    assert "left out: --dataset gunpoint is read from the package aeon" in tasks.as_line(absent)
    assert tasks.as_dict(absent)["missing"] == absent.missing


def test_every_task_and_data_set_that_is_trained_has_options_of_its_task():
    from numlstm.cli.bench import tasks

    assert len({job.label for job in tasks.JOBS}) == len(tasks.JOBS)
    for job in tasks.JOBS:
        options = {option.name: option.values for option in task.command(job.name).options}
        assert set(job.options) <= set(options), job.label
        for name, value in job.options.items():
            values = options[name]
            assert value in values if isinstance(values, tuple) else isinstance(value, values), (job.label, name)


def test_only_names_tasks_or_their_data():
    from numlstm.cli.bench import tasks

    assert [job.label for job in tasks.chosen(["transcribe digits"])] == ["transcribe digits"]
    assert {job.name for job in tasks.chosen(["transcribe", "memory"])} == {"transcribe", "memory"}
    assert tuple(tasks.chosen([])) == tasks.JOBS
    refused = CliRunner().invoke(main, ["bench", "tasks", "--only", "transcribe ducks"])
    assert refused.exit_code == 2
    assert "'transcribe ducks' is not measured: give forecast, classify," in refused.output
    refused = CliRunner().invoke(main, ["bench", "stream", "--only", "memory"])
    assert (refused.exit_code, "--only is for tasks" in refused.output) == (2, True)
