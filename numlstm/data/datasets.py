"""Series that are included in the package."""

from __future__ import annotations

from importlib import resources

import numpy as np

from numlstm import checks
from numlstm.data.series import Series
from numlstm.messages import quoted

__all__ = ["sine", "sunspots"]


def sine(samples: int = 1000, noise: float = 0.1, seed: int = 0) -> Series:
    """A sine over 0 to 50 with normal noise: the data of the main job.

    Args:
        samples: N, number of points.
        noise: standard deviation of the noise.
        seed: seed of the noise.

    Raises:
        ValueError: `samples` is below 2.
        MemoryError: so many points do not fit into memory.
    """
    if samples < 2:
        raise ValueError(f"samples must be at least 2, not {quoted(samples)}")
    checks.fits(5 * 8 * samples, f"a sine of {quoted(samples)} points")
    x = np.linspace(0.0, 50.0, samples)
    values = np.sin(x) + np.random.default_rng(seed).normal(0.0, noise, samples)
    return Series("sine", "x", x, ("sine",), values[:, None], np.arange(1, samples + 1))


def sunspots() -> Series:
    """The yearly number of sunspots, 1700 to 2008: 309 points.

    Source: the US National Geophysical Data Center (http://www.ngdc.noaa.gov/stp/solar/solarda3.html), as
    distributed in `statsmodels.datasets.sunspots`, which states "This data is public domain."
    """
    text = (resources.files("numlstm.data") / "sunspots.csv").read_text(encoding="utf-8")
    table = np.array([line.split(",") for line in text.splitlines()[1:]], dtype=np.float64)
    return Series(
        "sunspots", "year", table[:, 0].astype(np.int64), ("sunspots",), table[:, 1:], np.arange(1, len(table) + 1)
    )
