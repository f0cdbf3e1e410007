"""Series: reader, bundled data, scaling and windows."""

from numlstm.data.datasets import sine, sunspots
from numlstm.data.panel import Panel, read_panel
from numlstm.data.read_options import ReadOptions
from numlstm.data.reader import read_csv
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series, complete, write_csv
from numlstm.data.windows import sliding_windows

__all__ = [
    "Panel", "ReadOptions", "Scaler", "Series", "complete", "read_csv", "read_panel", "sine", "sliding_windows",
    "sunspots", "write_csv",
]  # fmt: skip
