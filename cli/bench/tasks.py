"""`numlstm bench tasks`: what each task reaches on its data sets, beside the simplest rivals, over some seeds."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numlstm.tasks import task

__all__ = ["HEADING", "JOBS", "Job", "Result", "as_dict", "as_line", "measure"]

HEADING = f"{'task':<28}{'score':<22}{'median':>9}{'least':>9}{'most':>9}{'seconds':>9}  verdict of the first seed"


@dataclass(frozen=True)
class Job:
    """A training that is repeated with several seeds.

    name: the task
    options: of the training, by name
    score: the name of the number in metrics.json that counts; None: the verdict tells all
    """

    name: str
    options: dict[str, Any]
    score: str | None


JOBS = (
    *(Job("forecast", {"dataset": name}, "rmse_ratio") for name in ("stocks", "currencies")),
    *(
        Job("classify", {"dataset": name}, "accuracy")
        for name in ("shapes", "visits", "japanesevowels", "italypowerdemand", "gunpoint", "basicmotions")
    ),
    Job("classify", {"dataset": "ecg"}, None),
    Job("sentiment", {}, "macro_f1"),
    *(Job("generate", {"dataset": name}, "bits_per_character") for name in ("alice", "moby-dick")),
    Job("translate", {}, "exact"),
    Job("transcribe", {}, "error_rate"),
    Job("memory", {}, None),
    Job("memory", {"problem": "copy"}, None),
)


@dataclass(frozen=True)
class Result:
    """What a task reached.

    job: name and options
    scores: one for each seed; empty without a score
    verdicts: the sentences of the runs
    seconds: of each training, with its rivals
    missing: why there is no result; None if there is one
    """

    job: Job
    scores: list[float]
    verdicts: list[str]
    seconds: list[float]
    missing: str | None = None


def measure(device: str, seeds: int) -> Iterator[Result]:
    """Yield the results, those without data too, with what brings the data."""
    for job in JOBS:
        try:
            yield _result(job, device, seeds)
        except (OSError, ValueError) as error:
            yield Result(job, [], [], [], str(error))


def _result(job: Job, device: str, seeds: int) -> Result:
    scores, verdicts, seconds = [], [], []
    # A verdict without a score is that of a training that has several trials of its own.
    for seed in range(seeds if job.score is not None else 1):
        begin = time.perf_counter()
        training = task.begin(job.name, None, {**job.options, "seed": seed, "device": device})
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            training.train(0, place / "checkpoint.safetensors", "24h", lambda: None)
            training.save(place)
            metrics = json.loads((place / "metrics.json").read_text(encoding="utf-8"))
        seconds.append(time.perf_counter() - begin)
        verdicts.append(training.sentence())
        if job.score is not None:
            scores.append(float(metrics[job.score]))
    return Result(job, scores, verdicts, seconds)


def as_line(result: Result) -> str:
    """The row of a result below `HEADING`."""
    job = result.job
    options = " ".join(str(value) for value in job.options.values())
    line = f"{job.name + ' ' + options:<28}"
    if result.missing is not None:
        return f"{line}left out: {result.missing}"
    numbers, verdict = " " * 27, result.verdicts[0].partition("\n")[0]
    if result.scores:
        ends = statistics.median(result.scores), min(result.scores), max(result.scores)
        numbers = "".join(f"{number:>9.4f}" for number in ends)
    return f"{line}{job.score or '':<22}{numbers}{statistics.median(result.seconds):>9.1f}  {verdict}"


def as_dict(result: Result) -> dict[str, Any]:
    """A result as plain data."""
    return asdict(result)
