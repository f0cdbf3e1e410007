"""The choices of `compile`: optimizer, loss, metrics and device."""

from __future__ import annotations

from dataclasses import dataclass

from numlstm import backend as backends
from numlstm.kernels import RecurrentUse
from numlstm.losses import Loss
from numlstm.metrics import Metric
from numlstm.network import Network
from numlstm.optimizers import Optimizer
from numlstm.plan import work_of
from numlstm.training.progress import Compilation

__all__ = ["Compiled", "kernels_used"]


@dataclass(eq=False, repr=False)
class Compiled:
    """How a network is trained.

    metrics: metrics that are weighted by the mask only
    weighted_metrics: metrics that are weighted by the mask and the sample weights
    device: "auto", "cpu" or "cuda"
    ready: whether the backend is chosen and its kernels are compiled for the current layers
    kernel_name: the kernel names of the recurrent layers in the last training; None before the first training
    """

    optimizer: Optimizer
    loss: Loss
    metrics: list[Metric]
    weighted_metrics: list[Metric]
    device: str
    ready: bool = False
    kernel_name: str | None = None

    def prepare(self, network: Network, shape: tuple[int | None, ...], verbose: int | str = 0) -> None:
        """Choose the backend if the device is "auto", and compile its kernels. Repeats only after the layers change.

        Args:
            network: Built.
            shape: Shape of a batch of inputs.
            verbose: 0 does not report the compilation of kernels.
        """
        if self.ready:
            return
        if self.device == "auto":
            steps = shape[1] if len(shape) > 1 else 1
            work = sum(map(work_of, network.recurrences(shape[0] or 0, steps or 0)))
            network.move(backends.choose("auto", work).backend)
        with Compilation(network.backend, verbose):
            network.backend.prepare(kernels_used(network, self.optimizer, self.loss), network.dtype)
        self.ready = True


def kernels_used(network: Network, optimizer: Optimizer, loss: Loss) -> list[str | RecurrentUse]:
    """The contract's functions that a training step calls, as arguments of `Backend.prepare`."""
    used: list[str | RecurrentUse] = [loss.kernel, *optimizer.kernels_used, *network.kernels_used()]
    if any(layer.masks for layer in network.layers) or type(loss).mask is not Loss.mask:
        used += ["mask_class", "mask_weights"]
    if any(layer.regularized for layer in network.layers):
        used += ["regularize"]
    return used
