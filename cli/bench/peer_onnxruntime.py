"""onnxruntime as a peer: its recurrent operators, for inference only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from numlstm.cli.bench.peers import Weights, reorder_gates, two_biases
from numlstm.kernels import Cell, LSTMCell

__all__ = ["Layer", "stream"]

_OPERATORS: dict[str, tuple[str, str, dict[str, int]]] = {
    "lstm": ("LSTM", "iofg", {}),
    "gru": ("GRU", "zrn", {"linear_before_reset": 1}),
    "simple_rnn": ("RNN", "h", {}),
}
"""By the cell's name: the operator, the order of its gates and its attributes."""


class Layer:
    """The operator of the same cell, which is time-major, between two transpositions. See `peers.Layer`."""

    def __init__(self, cell: Cell, weights: Weights, device: str, threads: int) -> None:
        self._units = cell.units
        operator, gates, attributes = _OPERATORS[cell.name]
        nodes = [
            helper.make_node("Transpose", ["x"], ["x_time_major"], perm=[1, 0, 2]),
            helper.make_node(operator, ["x_time_major", "W", "R", "B"], ["h"], hidden_size=cell.units, **attributes),
            # [T, 1, B, H] to [B, T, 1, H].
            helper.make_node("Transpose", ["h"], ["y"], perm=[2, 0, 1, 3]),
        ]
        inputs = {"x": ["batch", "time", cell.features]}
        self._session = _session(nodes, inputs, ["y"], _constants(weights, cell.gates, gates), threads)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Inference."""
        (y,) = self._session.run(None, {"x": x})
        return y.reshape(*x.shape[:2], self._units)


def stream(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """See `peers.Peer`."""
    features, units, outputs = weights[0].shape[0], weights[1].shape[0], weights[3].shape[1]
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "h_after", "c_after"], hidden_size=units),
        helper.make_node("Reshape", ["h_after", "row"], ["last"]),
        helper.make_node("Gemm", ["last", "K", "b"], ["y"]),
    ]
    inputs: dict[str, Sequence[str | int]] = {"x": [1, 1, features], "h": [1, 1, units], "c": [1, 1, units]}
    constants = _constants(weights[:3], LSTMCell.gates, _OPERATORS["lstm"][1]) | {
        "K": weights[3].reshape(units, outputs),
        "b": weights[4],
        "row": np.array([1, units], np.int64),
    }
    session = _session(nodes, inputs, ["y", "h_after", "c_after"], constants, threads)
    h = c = np.zeros((1, 1, units), np.float32)

    def push(x_t: np.ndarray) -> np.ndarray:
        nonlocal h, c
        y, h, c = session.run(None, {"x": x_t[None, None], "h": h, "c": c})
        return y[0]

    return push


def _constants(weights: Weights, order: str, wanted: str) -> dict[str, np.ndarray]:
    """Return W, R and B in ONNX' layout: transposed, with two biases. The gates' order is as for `reorder_gates`."""
    kernel, recurrent, bias = (reorder_gates(array, order, wanted) for array in weights)
    return {"W": kernel.T[None], "R": recurrent.T[None], "B": two_biases(bias).reshape(1, -1)}


def _session(
    nodes: list[object],
    inputs: dict[str, Sequence[str | int]],
    outputs: list[str],
    constants: dict[str, np.ndarray],
    threads: int,
) -> onnxruntime.InferenceSession:
    types = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            helper.make_tensor(name, types[array.dtype], array.shape, array.tobytes(), raw=True)
            for name, array in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
