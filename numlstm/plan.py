"""What would run where, why, and in how much memory: told before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numlstm import backend as backends
from numlstm.kernels import Cell, LSTMCell

__all__ = ["LayerPlan", "Plan", "Recurrence", "make_plan", "plan_layer", "work_of"]


@dataclass(frozen=True)
class Recurrence:
    """What is to be planned: a cell over some steps.

    name: of its layer
    cell: its description
    shape: (T, B)
    with_options: whether it takes the kernels with options whatever its cell
    pair: whether it runs in both directions
    """

    name: str
    cell: Cell
    shape: tuple[int, int]
    with_options: bool = False
    pair: bool = False


@dataclass(frozen=True)
class LayerPlan:
    """One recurrent layer in training.

    name: of the layer
    shape: (B, T, F, H)
    kernel_path: the kernels' path
    reason: why that one, and what stands in the way of a faster one
    nbytes: what a pass keeps
    """

    name: str
    shape: tuple[int, int, int, int]
    kernel_path: str
    reason: str
    nbytes: int


@dataclass(frozen=True)
class Plan:
    """What would run. As text, what `numlstm plan` prints.

    backend: "cpu" or "cuda"
    reason: why
    layers: the recurrent layers
    parameter_bytes: weights, their gradients and Adam's two moments
    """

    backend: str
    reason: str
    layers: tuple[LayerPlan, ...]
    parameter_bytes: int

    @property
    def nbytes(self) -> int:
        """All memory together, in bytes; inputs and outputs not counted."""
        return self.parameter_bytes + sum(layer.nbytes for layer in self.layers)

    def __str__(self) -> str:
        lines = [f"backend      {self.backend}: {self.reason}"]
        for layer in self.layers:
            sizes = ", ".join(f"{letter} {size}" for letter, size in zip("BTFH", layer.shape, strict=True))
            lines.append(f"{layer.name:<12} {layer.kernel_path} ({sizes}): {layer.reason}")
        traces = _amount(sum(layer.nbytes for layer in self.layers))
        lines.append(
            f"memory       {_amount(self.nbytes)}: {traces} of traces, the rest weights, gradients and moments"
        )
        return "\n".join(lines)


def make_plan(device: str, layers: Sequence[Recurrence], parameters: int, dtype: str) -> Plan:
    """Plan the training of some recurrent layers.

    Args:
        device: "auto", "cpu" or "cuda".
        layers: Their recurrences.
        parameters: How many weights the whole model has.
        dtype: "float32" or "float64".

    Raises:
        numlstm.backend.DeviceError: If the device cannot be used.
    """
    work = sum(map(work_of, layers))
    choice = backends.choose(device, work)
    planned = []
    for layer in layers:
        backend, cell, (steps, batch) = choice.backend, layer.cell, layer.shape
        plan = backend.recurrent_plan(cell, (steps, batch), True, layer.with_options, layer.pair)
        shape = (batch, steps, cell.features, cell.units)
        planned.append(LayerPlan(layer.name, shape, plan.kernel_path, plan.reason, plan.nbytes))
    return Plan(choice.name, choice.reason, tuple(planned), 4 * parameters * np.dtype(dtype).itemsize)


def plan_layer(B: int, T: int, F: int, H: int, device: str = "auto", dtype: str = "float32") -> Plan:
    """Plan the training of a single LSTM layer on (B, T, F) inputs with H units. Errors as for `make_plan`."""
    return make_plan(device, [Recurrence("lstm", LSTMCell(F, H, dtype), (T, B))], 4 * H * (F + H + 1), dtype)


def work_of(layer: Recurrence) -> float:
    """Floating-point operations of a training step of one layer: a forward pass and twice that backward."""
    cell, (steps, batch) = layer.cell, layer.shape
    columns = len(cell.gates) * cell.units * (2 if layer.pair else 1)
    return 3.0 * 2 * steps * batch * (cell.features + cell.units) * columns


def _amount(nbytes: int) -> str:
    size = float(nbytes)
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
