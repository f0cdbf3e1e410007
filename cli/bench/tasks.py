"""`numlstm bench tasks`: what each task reaches on its data sets, beside the simplest rivals, over some seeds."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numlstm.messages import quoted
from numlstm.tasks import task

__all__ = ["HEADING", "JOBS", "Job", "Result", "as_dict", "as_line", "chosen", "measure"]

_COLUMNS = ("median", "least", "most", "seconds", "of CPUs")
HEADING = f"{'task':<28}{'score':<22}{''.join(f'{name:>9}' for name in _COLUMNS)}  verdict of the first seed"


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

    @property
    def label(self) -> str:
        """The task and its data: "transcribe digits"."""
        data = self.options.get("dataset", self.options.get("problem"))
        return self.name if data is None else f"{self.name} {data}"


JOBS = (
    *(Job("forecast", {"dataset": name}, "rmse_ratio") for name in ("stocks", "currencies")),
    *(
        Job("classify", {"dataset": name}, "accuracy")
        for name in ("shapes", "visits", "japanesevowels", "italypowerdemand", "gunpoint", "basicmotions")
    ),
    Job("classify", {"dataset": "ecg"}, None),
    Job("sentiment", {"dataset": "generated"}, "macro_f1"),
    *(Job("generate", {"dataset": name}, "bits_per_character") for name in ("alice", "moby-dick")),
    Job("translate", {"dataset": "dates"}, "exact"),
    Job("translate", {"dataset": "cmudict"}, "exact"),
    Job("translate", {"dataset": "german-english"}, "bleu"),
    Job("transcribe", {"dataset": "morse"}, "error_rate"),
    Job("transcribe", {"dataset": "digits"}, "error_rate"),
    Job("memory", {"problem": "adding"}, None),
    Job("memory", {"problem": "copy"}, None),
)
"""The trainings of the tables in `results/`. cmudict, german-english and digits take 10 to 30 CPU minutes a seed."""


@dataclass(frozen=True)
class Result:
    """What a task reached.

    job: name and options
    scores: one for each seed; empty without a score
    verdicts: the sentences of the runs
    seconds: of each training, with its rivals
    processor: seconds of all processors in each
    missing: why there is no result; None if there is one
    """

    job: Job
    scores: list[float]
    verdicts: list[str]
    seconds: list[float]
    processor: list[float]
    missing: str | None = None


def chosen(names: Sequence[str]) -> list[Job]:
    """The jobs of tasks, or with labels; all without any.

    Raises:
        ValueError: a name is neither.
    """
    known = {job.name for job in JOBS} | {job.label for job in JOBS}
    for name in names:
        if name not in known:
            tasks = ", ".join(dict.fromkeys(job.name for job in JOBS))
            raise ValueError(f"{quoted(name)} is not measured: give {tasks}, or one with its data, as {JOBS[0].label}")
    return [job for job in JOBS if not names or {job.name, job.label} & set(names)]


def measure(jobs: Iterable[Job], device: str, seeds: int) -> Iterator[Result]:
    """Yield the results, those without data or a package too, with what brings it."""
    for job in jobs:
        try:
            yield _result(job, device, seeds)
        except (ImportError, OSError, ValueError) as error:
            yield Result(job, [], [], [], [], str(error))


def _result(job: Job, device: str, seeds: int) -> Result:
    found = Result(job, [], [], [], [])
    # A verdict without a score is that of a training that has several trials of its own.
    for seed in range(seeds if job.score is not None else 1):
        begin, begin_processor = time.perf_counter(), time.process_time()
        training = task.begin(job.name, None, {**job.options, "seed": seed, "device": device})
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            training.train(0, place / "checkpoint.safetensors", "24h", lambda: None)
            training.save(place)
            metrics = json.loads((place / "metrics.json").read_text(encoding="utf-8"))
        found.seconds.append(time.perf_counter() - begin)
        found.processor.append(time.process_time() - begin_processor)
        found.verdicts.append(training.sentence())
        if job.score is not None:
            found.scores.append(float(metrics[job.score]))
    return found


def as_line(result: Result) -> str:
    """The row of a result below `HEADING`."""
    job = result.job
    line = f"{job.label:<28}"
    if result.missing is not None:
        return f"{line}left out: {result.missing}"
    numbers, verdict = " " * 27, result.verdicts[0].partition("\n")[0]
    if result.scores:
        ends = statistics.median(result.scores), min(result.scores), max(result.scores)
        numbers = "".join(f"{number:>9.4f}" for number in ends)
    times = "".join(f"{statistics.median(each):>9.1f}" for each in (result.seconds, result.processor))
    return f"{line}{job.score or '':<22}{numbers}{times}  {verdict}"


def as_dict(result: Result) -> dict[str, Any]:
    """A result as plain data."""
    return asdict(result)
