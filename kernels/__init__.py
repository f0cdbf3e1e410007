"""The contract: every function that both backends have, its shapes and its equations.

A backend is a package of functions, such as `numlstm.kernels.cpu`. Whole passes cross this boundary, never single
time steps, but for streams, whose steps are prepared once. Shapes, masks and numbers have been checked before: nothing
here checks again.

Notation: T time, B batch, F features, H hidden units, R rows, N columns. Gates in the order i, f, g, o.

    i = σ(x W_i + h' U_i + b_i)    f = σ(x W_f + h' U_f + b_f)    g = tanh(x W_g + h' U_g + b_g)
    o = σ(x W_o + h' U_o + b_o)    c = f ⊙ c' + i ⊙ g             h = o ⊙ tanh c

(Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000; h', c': the step before.)

Arrays belong to the backend. Those called views may have any strides except for a last one of one element. The two
dtypes are float32 and float64; all arrays of one call share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "Array",
    "Backend",
    "DenseGradients",
    "DenseWeights",
    "DeviceError",
    "LSTMCell",
    "LSTMGradients",
    "LSTMPlan",
    "LSTMTrace",
    "LSTMWeights",
    "Version",
]

Array = Any
"""An array of the backend: `numpy.ndarray` on the CPU, a device array on a GPU."""


class DeviceError(RuntimeError):
    """A device cannot be used, or has failed: the message names the reason, or the call."""


class Version:
    """Counts the changes of a set of parameters.

    Whoever writes parameters calls `advance`; a backend keeps packed copies of weights while the number stands.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def advance(self) -> None:
        """Declare every packed copy stale."""
        self.number += 1


@dataclass(frozen=True)
class LSTMCell:
    """What kind of cell runs: the hashable description by which a backend picks a specialisation.

    features: F
    units: H
    dtype: "float32" or "float64"
    """

    features: int
    units: int
    dtype: str


@dataclass
class LSTMWeights:
    """Parameters of one LSTM layer, in Keras' layout.

    kernel: [F, 4H] W, the gates i f g o side by side
    recurrent_kernel: [H, 4H] U
    bias: [4H] b, or None
    version: advanced with every change of the three
    packed: the backend's own copies in its own layout, with the version that they were made from
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    version: Version
    packed: dict[str, Any] = field(default_factory=dict)


@dataclass
class LSTMGradients:
    """Where `lstm_backward` leaves its gradients. The first three are overwritten, not added to.

    kernel: [F, 4H] dW
    recurrent_kernel: [H, 4H] dU
    bias: [4H] db, or None
    x: [T, B, F] view, dx, or None when nobody needs it
    h: [B, H] on entry the gradient of the final h, on return that of the initial h; None: zero, and not wanted
    c: [B, H] the same for c
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    x: Array | None = None
    h: Array | None = None
    c: Array | None = None


@dataclass(frozen=True)
class LSTMPlan:
    """What would run for a shape.

    kernel_path: the name of the kernels' path, as a trace tells it afterwards
    reason: why that one, and what stands in the way of a faster one, in a sentence
    nbytes: what the trace takes
    """

    kernel_path: str
    reason: str
    nbytes: int


class LSTMTrace(Protocol):
    """What a pass keeps, and its workspace. Its layout is the backend's own."""

    kernel_path: str
    """The kernel that ran: set by `lstm_forward`."""


@dataclass
class DenseWeights:
    """Parameters of one Dense layer.

    kernel: [F, N]
    bias: [N], or None
    version, packed: as in `LSTMWeights`
    """

    kernel: Array
    bias: Array | None
    version: Version
    packed: dict[str, Any] = field(default_factory=dict)


@dataclass
class DenseGradients:
    """Where `dense_backward` leaves its gradients, overwriting.

    kernel: [F, N]
    bias: [N], or None
    x: [R, F] dx, or None when nobody needs it
    """

    kernel: Array
    bias: Array | None
    x: Array | None = None


class Backend(Protocol):
    """The functions of a backend package."""

    # memory.py

    def asarray(self, values: Any, dtype: str) -> Array:
        """Values as an array of the backend, contiguous; not copied where they are one already."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array whose contents are arbitrary."""

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array of zeros."""

    def copy(self, target: Array, source: Any) -> None:
        """Overwrite `target` with `source`, an array of the host or of the backend, of the same shape."""

    def to_host(self, array: Array) -> Any:
        """The array as `numpy.ndarray`; waits for the work that writes it. On the CPU the array itself."""

    def synchronize(self) -> None:
        """Wait for all work begun."""

    def describe(self) -> dict[str, str]:
        """What the backend runs on, as `numlstm info` prints it: name to value."""

    # prepare.py

    def preparable(self) -> list[str]:
        """What `prepare` takes."""

    def prepare(self, functions: Iterable[str], dtype: str) -> None:
        """Make what these functions run ready: compiled, or fetched from the cache.

        functions: names from this contract; "lstm_backward.x" for an `lstm_backward` that gives dx too
        """

    def on_compile(self, listener: Callable[[str, bool], None] | None) -> None:
        """Call `listener(kernel, True)` before one is compiled and `listener(kernel, False)` after; None: nobody.

        What comes from the cache is not announced. There is one listener at a time.
        """

    # lstm.py

    def lstm_trace(self, cell: LSTMCell, shape: tuple[int, int], training: bool) -> LSTMTrace:
        """Allocate what one pass keeps.

        shape: (T, B)
        training: whether `lstm_backward` will follow; without it only two steps are kept, whatever T
        """

    def lstm_plan(self, cell: LSTMCell, shape: tuple[int, int], training: bool) -> LSTMPlan:
        """What a pass over (T, B) steps would run, and the memory of its trace; nothing is allocated."""

    def lstm_forward(
        self,
        cell: LSTMCell,
        weights: LSTMWeights,
        x: Array,
        mask: Array | None,
        state: tuple[Array, Array] | None,
        trace: LSTMTrace,
        y: Array,
    ) -> None:
        """Run the equations above over all T steps.

        x: [T, B, F] view
        mask: [T, B] view, bool, True where a step counts; None: all do
        state: initial (h, c), [B, H] views; None: zeros
        trace: made by `lstm_trace` for this cell and shape, overwritten
        y: [n, B, H] view, overwritten with the outputs of the last n steps; n is T or 1

        At a masked step the states stay, x is not read, and the output is the one before (zeros before a row's first
        valid step).
        """

    def bind_lstm_step(
        self, cell: LSTMCell, weights: LSTMWeights, x: Array, trace: LSTMTrace, y: Array
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Two functions to be called by turns, each of which runs one step with the weights as they are now.

        x: [B, F] view, read by every call
        trace: made by `lstm_trace` for (1, B) without training. It carries the state: zeros at first, then what the
            other function left, also when both were bound anew since.
        y: [B, H] view, overwritten by every call

        The results are those of `lstm_forward` over all steps, to the bit.
        """

    def lstm_state(self, trace: LSTMTrace) -> tuple[Array, Array]:
        """The final (h, c) of a forward pass: [B, H] arrays of their own."""

    def lstm_backward(
        self,
        cell: LSTMCell,
        weights: LSTMWeights,
        x: Array,
        mask: Array | None,
        trace: LSTMTrace,
        dy: Array,
        gradients: LSTMGradients,
    ) -> None:
        """Backpropagation through time: the forward pass reversed, which consumes the trace.

        dy: [n, B, H] view, the gradient of the last n outputs; n is T or 1
        gradients: overwritten

            dc = dh ⊙ o ⊙ (1 - tanh² c) + dc'' ⊙ f''     do = dh ⊙ tanh c    di = dc ⊙ g    df = dc ⊙ c'    dg = dc ⊙ i
            dG = (di ⊙ i(1-i), df ⊙ f(1-f), dg ⊙ (1-g²), do ⊙ o(1-o))
            dh' = dG Uᵀ      dx = dG Wᵀ      dW = Σ xᵀ dG      dU = Σ h'ᵀ dG      db = Σ dG

        (c'' and f'' belong to the step after.) Masked steps have dG = 0 and pass dh and dc on; their x is not read.
        """

    # dense.py

    def dense_forward(self, weights: DenseWeights, x: Array, y: Array) -> None:
        """y = x K + b.

        x: [R, F] view
        y: [R, N] view, overwritten
        """

    def dense_backward(self, weights: DenseWeights, x: Array, dy: Array, gradients: DenseGradients) -> None:
        """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ.

        x: [R, F] view
        dy: [R, N] view
        """

    def bind_dense_step(self, weights: DenseWeights, x: Array, y: Array) -> Callable[[], None]:
        """A function that does what `dense_forward` does, with these arrays and the weights as they are now."""

    # loss.py. Each adds Σ_R mean_N of its loss to `loss` and writes dy, the gradient of the mean over R and N.

    def mse(self, y: Array, target: Array, loss: Array, dy: Array) -> None:
        """(y - t)².

        y: [R, N] contiguous
        target: [R, N] contiguous
        loss: [1] float64, added to
        dy: [R, N] contiguous, overwritten
        """

    def mae(self, y: Array, target: Array, loss: Array, dy: Array) -> None:
        """|y - t|, with gradient 0 at 0. Parameters as for `mse`."""

    def huber(self, y: Array, target: Array, loss: Array, dy: Array, delta: float) -> None:
        """e²/2 where |e| <= delta, else delta (|e| - delta/2), with e = y - t. Parameters as for `mse`."""

    # optimizer.py. All work on flat buffers of the same length. `schedule` is [2] float64: learning rate η and the
    # number of steps taken so far, which each optimizer advances by one.

    def clip_norm(self, gradients: Array, limit: float) -> None:
        """Scale the gradients so that their Euclidean norm is at most `limit`."""

    def sgd(
        self, parameters: Array, gradients: Array, velocity: Array, schedule: Array, momentum: float, nesterov: bool
    ) -> None:
        """v = momentum v - η g, then w += v, or with Nesterov w += momentum v - η g."""

    def rmsprop(
        self, parameters: Array, gradients: Array, mean_square: Array, schedule: Array, rho: float, epsilon: float
    ) -> None:
        """s = ρ s + (1 - ρ) g², then w -= η g / sqrt(s + ε)   (Keras puts ε inside the root)."""

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        m: Array,
        v: Array,
        schedule: Array,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)   (Kingma & Ba 2015).

        The scaling is the paper's second, cheaper form, as Keras has it.
        """
