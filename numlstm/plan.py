"""The plan of a training: backend, kernels, reasons and memory, without allocating anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from numlstm import backend as backends
from numlstm.kernels import Cell, LSTMCell
from numlstm.messages import amount

__all__ = ["LayerPlan", "Plan", "Recurrence", "make_plan", "plan_layer", "work_of"]


@dataclass(frozen=True)
class Recurrence:
    """A recurrence to plan: a cell that runs over T steps.

    name: name of the layer
    cell: description of the cell
    shape: (T, B)
    with_options: whether it needs the kernels with options even if its cell does not
    pair: whether one kernel runs both directions
    """

    name: str
    cell: Cell
    shape: tuple[int, int]
    with_options: bool = False
    pair: bool = False


@dataclass(frozen=True)
class LayerPlan:
    """The plan of one recurrent layer in training.

    name: name of the layer
    shape: (B, T, F, H)
    kernel_name: kernel name
    reason: the reason for these kernels, and why no faster ones are used
    nbytes: bytes of the trace
    code: for a GPU that was named, what its compiled kernels take, by what they do
    """

    name: str
    shape: tuple[int, int, int, int]
    kernel_name: str
    reason: str
    nbytes: int
    code: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The plan of a training. `str` gives the text that `numlstm plan` prints.

    backend: "cpu" or "cuda"
    reason: the reason for the backend
    layers: the plans of the recurrent layers
    parameter_bytes: bytes of the weights, their gradients and Adam's two moments
    """

    backend: str
    reason: str
    layers: tuple[LayerPlan, ...]
    parameter_bytes: int

    @property
    def nbytes(self) -> int:
        """The total memory in bytes, without inputs and outputs."""
        return self.parameter_bytes + sum(layer.nbytes for layer in self.layers)

    def __str__(self) -> str:
        lines = [f"backend      {self.backend}: {self.reason}"]
        for layer in self.layers:
            sizes = ", ".join(f"{letter} {size}" for letter, size in zip("BTFH", layer.shape, strict=True))
            lines.append(f"{layer.name:<12} {layer.kernel_name} ({sizes}): {layer.reason}")
            lines += [f"  {what:<10} {taken}" for what, taken in layer.code.items()]
        traces = amount(sum(layer.nbytes for layer in self.layers))
        lines.append(f"memory       {amount(self.nbytes)}: {traces} of traces, the rest weights, gradients and moments")
        return "\n".join(lines)


def make_plan(device: str, layers: Sequence[Recurrence], parameters: int, dtype: str, gpu: str | None = None) -> Plan:
    """Plan the training of recurrent layers.

    Args:
        device: "auto", "cpu" or "cuda".
        layers: The recurrences of the layers.
        parameters: The number of weights of the whole model.
        dtype: "float32" or "float64".
        gpu: The architecture of a GPU that need not be here, such as "sm_90"; its kernels are compiled. None: the GPU
            of this machine.

    Raises:
        ValueError: If the GPU is not known, or is given with the device "cpu".
        numlstm.backend.DeviceError: If the device cannot be used.
    """
    if gpu is None:
        choice = backends.choose(device, sum(map(work_of, layers)))
        name, reason, recurrent_plan = choice.name, choice.reason, choice.backend.recurrent_plan
    elif device == "cpu":
        raise ValueError("a GPU is named, but the device is the CPU: leave one of them out")
    else:
        name, (recurrent_plan, reason) = "cuda", backends.planner(gpu)
    planned = []
    for layer in layers:
        cell, (steps, batch) = layer.cell, layer.shape
        plan = recurrent_plan(cell, (steps, batch), True, layer.with_options, layer.pair)
        shape = (batch, steps, cell.features, cell.units)
        planned.append(LayerPlan(layer.name, shape, plan.kernel_name, plan.reason, plan.nbytes, plan.code))
    return Plan(name, reason, tuple(planned), 4 * parameters * np.dtype(dtype).itemsize)


def plan_layer(
    B: int, T: int, F: int, H: int, device: str = "auto", dtype: str = "float32", gpu: str | None = None
) -> Plan:
    """Plan the training of a single LSTM layer on (B, T, F) inputs with H units. Errors as for `make_plan`."""
    return make_plan(device, [Recurrence("lstm", LSTMCell(F, H, dtype), (T, B))], 4 * H * (F + H + 1), dtype, gpu)


def work_of(layer: Recurrence) -> float:
    """Floating-point operations of a layer in a training step. The backward pass counts as two forward passes."""
    cell, (steps, batch) = layer.cell, layer.shape
    columns = len(cell.gates) * cell.units * (2 if layer.pair else 1)
    return 3.0 * 2 * steps * batch * (cell.features + cell.units) * columns
