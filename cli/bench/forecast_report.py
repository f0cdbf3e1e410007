"""The lines of `numlstm bench forecast`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from numlstm.cli.bench.forecast import Result

__all__ = ["as_line", "heading", "summary"]

_LEVELS = ("80", "95")


def heading(models: Sequence[str]) -> str:
    """The two lines above those of `as_line`, for the rivals' models."""
    left = f"{'task':<26}{'median':>9}{'worst':>9}{'best rule':>10}{'known':>7}"
    shares = "".join(f"{'in ' + level + ' %':>8}{'rolled':>7}" for level in _LEVELS)
    others = "".join(f"{model:>11}{'s':>7}" for model in models)
    return f"{left}{shares}{'s':>7}{others}{'ratio':>7}" if models else f"{left}{shares}{'s':>7}"


def as_line(result: Result, models: Sequence[str]) -> str:
    """The row of a result: of numlstm, then median error and seconds of each rival's model, and the ratio."""
    known = "–" if result.known is None else f"{result.known:.5g}"
    line = f"{result.name:<26}{result.median:>9.4g}{max(result.errors):>9.4g}{result.rule:>10.4g}{known:>7}"
    for level in _LEVELS:
        line += f"{100 * result.coverage[level]:>8.1f}{100 * result.rolled[level]:>7.1f}"
    line += f"{result.seconds:>7.1f}"
    for model in models:
        other = result.rivals.get(model)
        line += f"{'–':>11}{'':>7}" if other is None else f"{other['error']:>11.4g}{other['seconds']:>7.1f}"
    return line if result.ratio is None else f"{line}{result.ratio:>7.3f}"


def summary(results: Sequence[Result]) -> str | None:
    """A line on all ratios of MASE; None if there are none."""
    ratios = [result.ratio for result in results if result.ratio is not None and result.name.endswith("MASE")]
    if not ratios:
        return None
    return (
        f"MASE in parts of that of the better of AutoETS and AutoARIMA: median {statistics.median(ratios):.3f},"
        f" highest {max(ratios):.3f}, over {len(ratios)} series"
    )
