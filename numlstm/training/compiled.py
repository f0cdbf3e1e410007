"""The choices of `compile`: optimizer, losses, metrics and device."""

from __future__ import annotations

from dataclasses import dataclass, field

from numlstm import backend as backends
from numlstm.kernels import RecurrentUse
from numlstm.losses import Loss
from numlstm.metrics import Metric
from numlstm.network import Network
from numlstm.optimizers import Optimizer
from numlstm.plan import work_of
from numlstm.training.progress import Compilation

__all__ = ["Compiled", "OutputChoice", "kernels_used"]


@dataclass(eq=False, repr=False)
class OutputChoice:
    """What `compile` chose for one output of a network.

    loss: None: the output is not trained
    weight: the factor of the loss in the sum of the losses
    metrics: metrics that are weighted by the mask only
    weighted_metrics: metrics that are weighted by the mask and the sample weights
    """

    loss: Loss | None
    weight: float = 1.0
    metrics: list[Metric] = field(default_factory=list)
    weighted_metrics: list[Metric] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class Compiled:
    """How a network is trained.

    outputs: the choices for each output
    device: "auto", "cpu" or "cuda"
    ready: whether the backend is chosen and its kernels are compiled for the current layers
    kernel_name: the kernel names of the recurrent layers in the last training; None before the first training
    """

    optimizer: Optimizer
    outputs: list[OutputChoice]
    device: str
    ready: bool = False
    kernel_name: str | None = None

    @property
    def losses(self) -> list[tuple[Loss | None, float]]:
        """The loss of each output and its weight."""
        return [(choice.loss, choice.weight) for choice in self.outputs]

    def prepare(self, network: Network, shapes: tuple[tuple[int | None, ...], ...], verbose: int | str = 0) -> None:
        """Choose the backend if the device is "auto", and compile its kernels. Repeats only after the layers change.

        Args:
            network: Built.
            shapes: Shapes of a batch of inputs.
            verbose: 0 does not report the compilation of kernels.
        """
        if self.ready:
            return
        if self.device == "auto":
            work = sum(map(work_of, network.recurrences(shapes)))
            network.move(backends.choose("auto", work).backend)
        with Compilation(network.backend, verbose):
            network.backend.prepare(kernels_used(network, self), network.dtype)
        self.ready = True


def kernels_used(network: Network, compiled: Compiled) -> list[str | RecurrentUse]:
    """The contract's functions that a training step calls, as arguments of `Backend.prepare`."""
    losses = [choice.loss for choice in compiled.outputs if choice.loss is not None]
    used: list[str | RecurrentUse] = list(compiled.optimizer.kernels_used)
    used += [name for loss in losses for name in loss.kernels_used]
    used += network.kernels_used()
    if any(layer.masks for layer in network.layers) or any(type(loss).mask is not Loss.mask for loss in losses):
        used += ["mask_class", "mask_weights"]
    if any(layer.regularized for layer in network.layers):
        used += ["regularize"]
    return used
