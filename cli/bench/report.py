"""Results as a table, as JSON and as a picture."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numlstm import backend
from numlstm.cli.bench.measure import Row, Times
from numlstm.cli.bench.peers import versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["as_dict", "as_lines", "draw", "heading", "machine"]


def machine(device: str, peers: Sequence[str]) -> dict[str, str]:
    """Describe the machine and the packages that are measured."""
    facts = {"machine": _processor(), "system": platform.platform(), "python": platform.python_version()}
    facts |= {name: version(name) for name in ("numlstm", "numba", "llvmlite", "numpy")}
    facts |= versions(peers) | backend.load(device).describe()
    # A path of this machine does not affect times, and is private.
    facts.pop("kernel cache", None)
    return facts


def _processor() -> str:
    """The processor's name. Linux on ARM has none, and other systems have no such file: then what Python knows."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def as_dict(
    mode: str, job: Mapping[str, Any], facts: dict[str, str], compile_seconds: float, rows: Sequence[Row]
) -> dict[str, Any]:
    """Return the contents of the `--json` file: times in seconds, rates in operations per second."""
    return {
        "mode": mode,
        **job,
        "machine": facts,
        "compile_seconds": compile_seconds,
        "rows": [_row(row) for row in rows],
    }


def _row(row: Row) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": row.name,
        "numlstm": row.ours.summary(),
        "peers": {
            peer: times.summary() | {"ratio": row.ratio(peer), "error": row.error.get(peer)}
            for peer, times in row.peers.items()
        },
        "rate": row.work and row.work / row.ours.median,
        "peak": row.peak,
    }
    if row.plain is not None:
        plain = row.plain.summary()
        result |= {"plain": plain, "cost": row.cost, "bound": row.bound, "kernel_name": row.kernel_name}
    return result


def heading(mode: str, job: Mapping[str, Any], peers: Sequence[str]) -> str:
    """Return the line above those of `as_lines`."""
    if mode == "options":
        return f"{'':<56}{'numlstm':>26}{'plain':>26} {'cost':>6} {'bound':>6}  kernels"
    columns = [f"{job.get('cell', ''):<38}", f"{'numlstm':>26}"]
    columns += [f"{'GF/s':>7} {'of peak':>8}"] if mode == "kernels" else []
    return "".join(columns + [f"{peer:>28} {'ratio':>6}" for peer in peers])


def as_lines(mode: str, peers: Sequence[str], row: Row) -> str:
    """Return the row's line: median and quartiles (p99 for streams), and how many times faster than each peer.

    The line of an option has the plain layer's median instead of peers, and the cost beside its bound.
    """
    if row.plain is not None:
        both = f"{_spread(row.ours, False):>26}{_spread(row.plain, False):>26}"
        return f"{row.name:<56}{both} {row.cost:>6.2f} {row.bound:>6.2f}  {row.kernel_name}"
    tail = mode == "stream"
    line = f"{row.name:<38}{_spread(row.ours, tail):>26}"
    if mode == "kernels":
        rate = None if row.work is None else row.work / row.ours.median
        of_peak = "" if rate is None or row.peak is None else f"{rate / row.peak:.0%}"
        line += f"{'' if rate is None else f'{rate / 1e9:.1f}':>7} {of_peak:>8}"
    for peer in peers:
        times = row.peers.get(peer)
        line += f"{'-' if times is None else _spread(times, tail):>28} "
        line += f"{'' if times is None else f'{row.ratio(peer):.2f}':>6}"
    return line


def _spread(times: Times, tail: bool) -> str:
    summary = times.summary()
    size, unit = next(pair for pair in _UNITS if summary["median"] >= pair[0] or pair is _UNITS[-1])
    median, q1, q3, p99 = (f"{summary[name] / size:.3g}" for name in ("median", "q1", "q3", "p99"))
    return f"{median} {unit} (p99 {p99})" if tail else f"{median} {unit} [{q1}, {q3}]"


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def draw(path: Path, mode: str, job: Mapping[str, Any], facts: dict[str, str], rows: Sequence[Row]) -> None:
    """Draw how many times faster than each peer numlstm is."""
    from numlstm.plot import drawing, save

    bars = [(row.name, peer, row.ratio(peer)) for row in rows for peer in row.peers]
    if not bars:
        raise ValueError("there is no peer to compare with, and so nothing to draw")
    with drawing():
        save(_figure(mode, job, facts, bars), path)


def _figure(mode: str, job: Mapping[str, Any], facts: dict[str, str], bars: list[tuple[str, str, float]]) -> Figure:
    from matplotlib.figure import Figure

    peers = list(dict.fromkeys(peer for _, peer, _ in bars))
    figure = Figure(figsize=(9, 1.2 + 0.28 * len(bars)), dpi=150, layout="constrained")
    panel = figure.add_subplot()
    for position, (_, peer, ratio) in enumerate(bars):
        label = peer if peer not in [other for _, other, _ in bars[:position]] else None
        panel.barh(position, ratio - 1, left=1, color=f"C{peers.index(peer)}", label=label)
        panel.annotate(f"{ratio:.2g}", (ratio, position), xytext=(3, 0), textcoords="offset points", va="center")
    panel.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.margins(x=0.15)
    panel.axvline(1, color="0.2", linewidth=1)
    subject = " ".join([mode, *([job["cell"]] if "cell" in job else [])])
    panel.set_title(f"numlstm bench {subject}: times as fast as each peer", loc="left", fontsize=11)
    panel.set_xlabel(f"{facts['machine']}, {facts.get('threads', '?')} threads; more is better, 1 is equal")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    return figure
