"""`numlstm bench`: the speed of numlstm and of its peers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from numlstm.cli.bench.target import TARGETS, limit
from numlstm.cli.paths import OUTPUT, check_outputs

if TYPE_CHECKING:
    from numlstm.cli.bench.measure import Row
    from numlstm.cli.bench.peers import Peer

_ROUNDS = {
    "kernels": 15,
    "options": 25,
    "examples": 3,
    "train": 7,
    "stream": 15,
    "startup": 5,
    "translate": 3,
    "forecast": 5,
    "tasks": 5,
}
_JOBS: dict[str, dict[str, int | str]] = {
    "kernels": {"cell": "lstm"},
    "examples": {"epochs": 1},
    "train": {"units": 50, "samples": 1000, "epochs": 10},
    "stream": {"units": 50},
    "translate": {"samples": 2000, "epochs": 2},
}

_EXAMPLES = """\b
Examples:
  numlstm bench
  numlstm bench kernels --shape 64,100,64,256 --peers torch
  numlstm bench kernels --cell gru
  numlstm bench kernels --target avx2 --peers torch
  numlstm bench options --shape 64,100,32,128
  numlstm bench examples --peers keras
  numlstm bench train --units 20 --epochs 3
  numlstm bench stream --json stream.json
  numlstm bench translate --peers torch
  numlstm bench forecast --rivals statsforecast
  numlstm bench tasks --rounds 1
  numlstm bench tasks --only "translate dates,transcribe"
"""


@click.command(epilog=_EXAMPLES, short_help="Measure the speed, beside that of other frameworks.")
@click.argument("mode", type=click.Choice(list(_ROUNDS)), default="kernels")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="Where to compute. [cpu]")
@click.option("--shape", "shapes", multiple=True, metavar="B,T,F,H", help="Batch, steps, features, units of layers.")
@click.option(
    "--cell", type=click.Choice(["lstm", "gru", "simple_rnn"]), help="Cell of the layers; for kernels. [lstm]"
)
@click.option("--units", type=click.IntRange(1), help="H of the LSTM; for train and stream. [50]")
@click.option(
    "--samples", type=click.IntRange(12), help="Length of the series, or dates; for train and translate. [1000, 2000]"
)
@click.option(
    "--epochs", type=click.IntRange(1), help="Epochs of one fit; for train, examples and translate. [10, 1, 2]"
)
@click.option(
    "--target",
    type=click.Choice(list(TARGETS)),
    help="Instructions that numba and PyTorch may use. [this machine's]",
)
@click.option("--peers", help="torch,onnxruntime,keras or some of them; none for none. [those installed]")
@click.option(
    "--rivals",
    help="statsforecast,neuralforecast or one of them; for forecast. Makes an environment for each in numlstm/forecast"
    " in XDG_CACHE_HOME or ~/.cache, and fetches series there.",
)
@click.option("--only", help="Tasks, or tasks with their data as in the first column; for tasks. [all]")
@click.option("--rounds", type=click.IntRange(1), help="How many turns each call gets. [as many as the mode needs]")
@click.option("--json", "json_file", type=OUTPUT, help="File to write all numbers to.")
@click.option("--plot", "plot_file", type=OUTPUT, help="Picture of the ratios: .png, .pdf, ...")
def bench(
    mode: str,
    device: str,
    shapes: Sequence[str],
    cell: str | None,
    units: int | None,
    samples: int | None,
    epochs: int | None,
    target: str | None,
    peers: str | None,
    rivals: str | None,
    only: str | None,
    rounds: int | None,
    json_file: Path | None,
    plot_file: Path | None,
) -> None:
    """Measure kernels, a layer's options, Keras' examples, training, streaming, whole processes or a translator.

    Every peer must first give our results from our weights. Then all take turns, so that drift of the machine
    affects all alike. Times are medians with their quartiles, for streams with the 99th percentile.
    An option's cost is its median time divided by that of the plain layer. The mode forecast measures errors: those of
    `numlstm train` on public series, with as many seeds as rounds, and those of rivals, which get one thread each. The
    mode tasks trains the tasks on their data sets, with as many seeds as rounds.
    """
    if target is not None:
        limit(target)
    from numlstm import backend, files
    from numlstm.cli.bench import report
    from numlstm.cli.bench.peers import load
    from numlstm.cli.output import product
    from numlstm.cli.shape import parse_shape
    from numlstm.plot import check_name
    from numlstm.terminal import say

    if shapes and mode not in ("kernels", "options"):
        raise click.UsageError(f"--shape is for kernels and options only, not for {mode}")
    if mode in ("forecast", "tasks") and (peers is not None or plot_file is not None):
        raise click.UsageError(f"--peers and --plot are not for {mode}, which measures errors")
    if mode == "translate" and device != "cpu":
        raise click.UsageError("translate is measured on the CPU: leave --device out")
    if peers is not None and mode == "options":
        raise click.UsageError("--peers is not for options, which are compared with the plain layer")
    if rivals is not None and mode != "forecast":
        raise click.UsageError(f"--rivals is for forecast only, not for {mode}")
    if only is not None and mode != "tasks":
        raise click.UsageError(f"--only is for tasks, not for {mode}")
    asked = _rivals(rivals)
    check_outputs({"--json": json_file, "--plot": plot_file})
    if plot_file is not None:
        check_name(plot_file)
    chosen = [parse_shape(text) for text in shapes]
    job = _job(mode, {"cell": cell, "units": units, "samples": samples, "epochs": epochs})
    names = None if peers is None else [] if peers == "none" else [name.strip() for name in peers.split(",")]
    found = load([] if mode in ("options", "forecast", "tasks") else names)
    if plot_file is not None and not found and mode != "startup":
        raise click.UsageError("there is no peer to compare with, and so nothing to draw")
    facts = report.machine(device, list(found)) | ({"limited to": target} if target is not None else {})
    # With a file, the lines are mere words.
    tell = product if json_file is None and plot_file is None else say
    tell("".join(f"{name:<16}{value}\n" for name, value in facts.items()))

    if mode == "forecast":
        versions, results = _forecast_errors(device, rounds or _ROUNDS[mode], asked, tell)
        if json_file is not None:
            content = {"mode": mode, "machine": facts, "rivals": versions, "rows": results}
            files.write(json_file, (json.dumps(content, indent=1) + "\n").encode())
        return
    if mode == "tasks":
        results = _task_scores(device, rounds or _ROUNDS[mode], only, tell)
        if json_file is not None:
            content = {"mode": mode, "machine": facts, "rows": results}
            files.write(json_file, (json.dumps(content, indent=1) + "\n").encode())
        return
    compiling = _Compiling()
    backend.load(device).on_compile(compiling)
    columns = ["numba"] * (mode == "startup") + list(found)
    tell(f"\n{report.heading(mode, job, columns)}\n")
    rows = []
    for row in _measure(mode, chosen, job, found, device, rounds or _ROUNDS[mode]):
        tell(f"{report.as_lines(mode, columns, row)}\n")
        rows.append(row)
    if mode not in ("startup", "translate"):  # Their processes compile for themselves.
        tell(f"\ncompiling, not counted above: {compiling.seconds:.1f} s\n")
    if json_file is not None:
        result = report.as_dict(mode, job, facts, compiling.seconds, rows)
        files.write(json_file, (json.dumps(result, indent=1) + "\n").encode())
    if plot_file is not None:
        report.draw(plot_file, mode, job, facts, rows)


def _rivals(names: str | None) -> list[str]:
    """The rivals that are asked for."""
    from numlstm.cli.bench.rivals import RIVALS

    found = [] if names is None else [name.strip() for name in names.split(",")]
    for name in found:
        if name not in RIVALS:
            raise click.UsageError(f"rivals are {', '.join(RIVALS)}, not {name!r}")
    return found


def _forecast_errors(
    device: str, seeds: int, rivals: list[str], tell: Callable[[str], None]
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Measure the errors of forecasts, and tell of each. Returns the versions of the rivals' packages, and the rows."""
    from numlstm.cli.bench import forecast, forecast_report, forecast_series
    from numlstm.cli.bench.rivals import MODELS, RIVALS, fetch

    failures = fetch(forecast_series.PIP, forecast_series.NPM) if rivals else []
    models = [model for rival in RIVALS if rival in rivals for model in MODELS[rival]]
    tell("".join(f"{failure}\n" for failure in failures))
    tell(f"\n{seeds} seeds\n{forecast_report.heading(models)}\n")
    results: list[forecast.Result] = []
    versions: dict[str, str] = {}
    for result in forecast.measure(device, seeds, rivals, versions):
        tell(f"{forecast_report.as_line(result, models)}\n")
        results.append(result)
    wanted = sum(len(job.scores) for job in forecast.JOBS)
    if len(results) < wanted and not rivals:
        tell(f"{wanted - len(results)} tasks are left out, because their series are not here: --rivals fetches them\n")
    summary = forecast_report.summary(results)
    if summary is not None:
        tell(f"{summary}\n")
    tell("".join(f"{name:<16}{version}\n" for name, version in versions.items()))
    return versions, [result.as_dict() for result in results]


def _task_scores(device: str, seeds: int, only: str | None, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Train the tasks, and tell of each. Returns the rows."""
    from numlstm.cli.bench import tasks

    jobs = tasks.chosen([] if only is None else [name.strip() for name in only.split(",")])
    tell(f"\n{seeds} seeds\n{tasks.HEADING}\n")
    rows = []
    for result in tasks.measure(jobs, device, seeds):
        tell(f"{tasks.as_line(result)}\n")
        rows.append(tasks.as_dict(result))
    return rows


class _Compiling:
    """Adds up the time of compilations."""

    def __init__(self) -> None:
        self.seconds = self._begun = 0.0

    def __call__(self, kernel: str, begins: bool) -> None:
        now = time.perf_counter()
        if begins:
            self._begun = now
        else:
            self.seconds += now - self._begun


def _job(mode: str, given: dict[str, int | str | None]) -> dict[str, int | str]:
    """Return what this mode measures: the cell and the sizes. The defaults are those of the sine job."""
    job = dict(_JOBS.get(mode, {}))
    for name, value in given.items():
        if value is not None and name not in job:
            modes = " and ".join(other for other, known in _JOBS.items() if name in known)
            raise click.UsageError(f"--{name} is for {modes} only, not for {mode}")
        if value is not None:
            job[name] = value
    return job


def _measure(
    mode: str,
    shapes: list[tuple[int, int, int, int]],
    job: dict[str, Any],
    peers: dict[str, Peer],
    device: str,
    rounds: int,
) -> Iterator[Row]:
    from numlstm import checks
    from numlstm.plan import plan_layer

    for shape in shapes:
        checks.fits(plan_layer(*shape).nbytes, f"--shape {','.join(map(str, shape))}")
    if mode == "kernels":
        from numlstm.cli.bench import ctc, kernels

        layers = kernels.measure(shapes or kernels.SHAPES, peers, device, rounds, **job)
        return layers if shapes else chain(layers, ctc.measure(peers, device, rounds))
    if mode == "options":
        from numlstm.cli.bench import options

        return options.measure(shapes or options.SHAPES, device, rounds)
    from numlstm.cli.bench import examples, startup, stream, train, translate

    modes: dict[str, Callable[..., Iterator[Row]]] = {
        "examples": examples.measure, "train": train.measure, "stream": stream.measure, "startup": startup.measure,
        "translate": translate.measure,
    }  # fmt: skip
    return modes[mode](peers, device, rounds, **job)
