"""Sequential: a chain of layers that is built, trained, asked and stored as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from numlstm import backend as backends
from numlstm import checks, losses, optimizers, saliency, summary, trainer
from numlstm.callbacks import Callback, History
from numlstm.kernels import Array, Backend, RecurrentUse
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, Shape, automatic_name, sizes
from numlstm.layers.passes import Pass
from numlstm.layers.sequence import SequenceLayer
from numlstm.metrics import Metric
from numlstm.metrics import get as get_metric
from numlstm.parameters import Buffers, join
from numlstm.plan import Plan, Recurrence, make_plan, work_of
from numlstm.progress import Compilation
from numlstm.stream import Stream

__all__ = ["Sequential"]

MetricLike = str | dict[str, Any] | Metric
"""A metric, its name, or what files keep of it."""

_USUAL_BATCH = 32


class Sequential:
    """A chain of layers, each of which takes the output of the one before.

    The model is built, that is its weights are drawn, when a first layer with an `input_shape` is added; without one,
    by `build` or by the first data, for sequences of any length.

    Args:
        layers: The layers, in order, perhaps with an `Input` in front; more can be added.
        name: None for an automatic one.
    """

    def __init__(self, layers: Sequence[Layer | Input] | None = None, name: str | None = None) -> None:
        self.name = name or automatic_name("sequential")
        self.layers: list[Layer] = []
        self.history: History | None = None
        """What the last `fit` recorded, kept up after every epoch."""
        self.stop_training = False
        """Callbacks set this to end `fit` after the epoch."""
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: losses.Loss | None = None
        self.metrics: list[Metric] = []
        self.weighted_metrics: list[Metric] = []
        self._backend: Backend | None = None
        self._buffers: Buffers | None = None
        self._input: Input | None = None
        self._device, self._settled = "auto", False
        self._batches: trainer.Batches | None = None
        """What `train_on_batch` keeps from call to call."""
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a list of layers, not {layers!r}")
        for layer in layers or ():
            self.add(layer)

    def __repr__(self) -> str:
        return f"<Sequential name={self.name}, built={self.built}>"

    # Construction.

    def add(self, layer: Layer | Input) -> None:
        """Append a layer, or say with an `Input` what comes into the first.

        Raises:
            TypeError: If it is neither.
            ValueError: If it belongs to a model already, its name is taken, its dtype or its input shape do not fit
                the layers before it, or it has several outputs; or if an `Input` is not the first.
        """
        if isinstance(layer, Input):
            if self.layers or self._input is not None:
                raise ValueError("an Input must come first, and once")
            self._input = layer
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"a model consists of layers, not of {layer!r}")
        if layer.owner is not None:
            raise ValueError(f"layer {layer.name!r} belongs to a model already: make a layer for each")
        if any(other.name == layer.name for other in self.layers):
            raise ValueError(f"the model has a layer named {layer.name!r} already")
        if self.layers and layer.dtype != self.dtype:
            raise ValueError(f"layer {layer.name!r} is {layer.dtype}, but the model is {self.dtype}")
        if layer.outputs > 1:
            raise ValueError(
                f"layer {layer.name!r} has {layer.outputs} outputs, but a Sequential takes single outputs only: leave "
                "out return_state=True and merge_mode=None"
            )
        shape = self.output_shape if self.built else None if self.layers else self._first_shape(layer)
        if shape is not None:
            layer.build(shape, backend=self.backend)
        self.layers.append(layer)
        layer.owner = self
        if shape is not None:
            self._join(self.backend)

    def pop(self) -> Layer:
        """Take the last layer off, with its weights, and return it.

        Raises:
            ValueError: If there is none.
        """
        if not self.layers:
            raise ValueError("the model has no layers")
        layer = self.layers.pop()
        layer.owner = None
        if self._buffers is not None:
            backend = self.backend
            join(backend, [layer.parameters])
            layer.rebind()
            self._buffers.version.advance()
            self._buffers = None
            if self.layers:
                self._join(backend)
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer, by its name or by its place.

        Raises:
            ValueError: If there is no such layer, or not just one of the two is given.
            TypeError: If the place is no integer.
        """
        if (name is None) == (index is None):
            raise ValueError("give the layer's name or its index, one of both")
        if index is not None:
            if checks.integer(index, "index", least=0) >= len(self.layers):
                raise ValueError(f"index must be below {len(self.layers)}, the number of layers, not {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(repr(layer.name) for layer in self.layers)
        raise ValueError(f"the model has no layer named {name!r}, but {names}")

    def reset_states(self) -> None:
        """Let all stateful layers begin anew, with zeros and with any batch size."""
        for layer in self.layers:
            if isinstance(layer, SequenceLayer):
                layer.reset_states()

    def _first_shape(self, layer: Layer) -> Shape | None:
        """The shape that the first layer is built for, if it is known."""
        given = None if self._input is None else self._input.shape
        if given is not None and layer.input_shape not in (None, given):
            raise ValueError(f"layer {layer.name!r} has input_shape {layer.input_shape}, but the Input has {given}")
        return given or layer.input_shape

    def build(self, input_shape: Shape, weights: Sequence[Any] | None = None) -> None:
        """Create the weights of all layers.

        Args:
            input_shape: Batch first, as in Keras, with None where any size will do: (None, 10, 1).
            weights: The weights to begin with, as for `set_weights`; None draws them from the initializers.

        Raises:
            ValueError: If there is no layer, or one cannot take the shape that comes to it.
        """
        if not self.layers:
            raise ValueError("the model has no layers: add one first")
        backend, rest = self.backend, None if weights is None else list(weights)
        shape: Shape = (None, *sizes(input_shape, "input_shape")[1:])
        for layer in self.layers:
            count = len(layer.variable_shapes(shape))
            layer.build(shape, None if rest is None else rest[:count], backend)
            rest = None if rest is None else rest[count:]
            shape = layer.compute_output_shape(shape)
        if rest:
            given = len(weights or ())
            raise ValueError(f"the model has {given - len(rest)} weights, but {given} were given")
        self._join(backend)

    def build_for(self, shape: Shape) -> None:
        """Build for data of this shape: for sequences of any length, unless a layer needs to know theirs."""
        wanted = self.layers[0].open_shape(shape)
        try:
            self.compute_output_shape(wanted)
        except ValueError:
            wanted = (None, *shape[1:])
        self.build(wanted)

    def _join(self, backend: Backend) -> None:
        """Bring the weights of all layers into one pair of buffers."""
        before = self._buffers
        self._buffers = join(backend, [layer.parameters for layer in self.layers])
        self._batches, self._settled = None, False
        if before is not None:
            before.version.advance()  # So that open streams look, and see that the weights are elsewhere.
            if self.optimizer is not None:
                self.optimizer.follow(before, self._buffers)
        for layer in self.layers:
            layer.rebind()

    # What the model is.

    @property
    def built(self) -> bool:
        """Whether the model has weights yet."""
        return self._buffers is not None

    @property
    def buffers(self) -> Buffers:
        """All weights and gradients, flat; ValueError before the model is built."""
        if self._buffers is None:
            raise ValueError("the model has no weights yet: build it, or give its first layer an input_shape")
        return self._buffers

    @property
    def backend(self) -> Backend:
        """Where the model computes."""
        if self._backend is None:
            self._backend = backends.load()
        return self._backend

    @property
    def backend_name(self) -> str:
        """The name of the backend: "cpu" or "cuda"."""
        return backends.name_of(self.backend)

    @property
    def kernel_path(self) -> str | None:
        """The kernels that the LSTM layers ran on in the last training step; None before one."""
        return ", ".join(dict.fromkeys(layer.kernel_path for layer in self.layers if layer.kernel_path)) or None

    @property
    def dtype(self) -> str:
        """The layers' dtype."""
        return self.layers[0].dtype

    @property
    def input_dtype(self) -> str:
        """What the input consists of: numbers of the layers' dtype, or "int64" for ids."""
        return self.layers[0].input_dtype

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Values as an array of the input's dtype; see `Layer.check_input`."""
        return self.layers[0].check_input(values, name)

    @property
    def input_shape(self) -> Shape:
        """The shape of the input, batch first; ValueError before the model is built."""
        assert self.buffers
        return self.layers[0].input_shape or ()

    @property
    def output_shape(self) -> Shape:
        """The shape of the output, batch first; ValueError before the model is built."""
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for an input of this shape; ValueError if a layer cannot take it."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @property
    def trainable(self) -> bool:
        """True: all layers of a model are trained."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value is not True:
            raise ValueError(f"trainable of a model cannot be {value!r}: all layers of a model are trained")

    def count_params(self) -> int:
        """The number of weights."""
        assert self.buffers
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, layer by layer, in Keras' order."""
        assert self.buffers
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights.

        Args:
            weights: In the order and the shapes of `get_weights`.

        Raises:
            ValueError: If number or shapes differ; nothing has been changed then.
            TypeError: If one does not hold real numbers; likewise.
        """
        assert self.buffers
        counts = [len(layer.parameters.shapes) for layer in self.layers]
        checks.several(weights, "weights")
        if len(weights) != sum(counts):
            raise ValueError(f"the model has {sum(counts)} weights, but {len(weights)} were given")
        rest = iter(weights)
        shares = [list(islice(rest, count)) for count in counts]
        checked = [layer.check_weights(share) for layer, share in zip(self.layers, shares, strict=True)]
        for layer, share in zip(self.layers, checked, strict=True):
            layer.parameters.set_values(share)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print the layers, the shapes of their outputs and the numbers of their weights.

        Args:
            print_fn: Called with the text.
        """
        assert self.buffers
        print_fn(summary.text_of(self.name, self.layers, self.dtype))

    # Training and use; the loops themselves are the trainer's.

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | losses.Loss = "mse",
        loss_weights: None = None,
        metrics: Sequence[MetricLike] | MetricLike | None = None,
        weighted_metrics: Sequence[MetricLike] | MetricLike | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: str | bool = "auto",
        auto_scale_loss: bool = True,
        *,
        device: str = "auto",
        verbose: int | str = "auto",
    ) -> None:
        """Choose how to train, and where.

        Args:
            optimizer: An optimizer or its name; see `numlstm.optimizers`.
            loss: A loss or its name; see `numlstm.losses`.
            loss_weights: None: there is one loss.
            metrics: Metrics or their names, see `numlstm.metrics`; they see masks, but no weights. They are computed on
                the host, to which the outputs of every batch come down for them.
            weighted_metrics: The same, of samples weighted as for the loss.
            run_eagerly: False: every step is compiled.
            steps_per_execution: 1: the backend runs ahead of Python by itself.
            jit_compile: Accepted, and needless: there is nothing else.
            auto_scale_loss: Accepted, and needless: no float16 is in use.
            device: "cpu", "cuda", or "auto": CUDA where a GPU can be used and there is work enough for it, else the
                CPU; where T is not known yet, the first `fit` decides.
            verbose: Whether to say, with anything but 0, when kernels have to be compiled.

        Raises:
            ValueError: If there is none of that name, or an argument has a value that is not supported.
            numlstm.backend.DeviceError: If the device cannot be used here.
        """
        if loss_weights is not None:
            raise ValueError("loss_weights must be None: a Sequential has one loss; scale the learning rate instead")
        if run_eagerly:
            raise ValueError("run_eagerly must be False: to look inside, call a layer's forward(x, training=True)")
        if steps_per_execution != 1:
            raise ValueError(f"steps_per_execution must be 1, not {steps_per_execution!r}: no step waits for Python")
        chosen_optimizer, chosen_loss = optimizers.get(optimizer), losses.get(loss)
        shown, weighted = ([get_metric(one, chosen_loss) for one in _listed(g)] for g in (metrics, weighted_metrics))
        if device != "auto":
            self._move(backends.load(device))
        self.optimizer, self.loss = chosen_optimizer, chosen_loss
        self.metrics, self.weighted_metrics = shown, weighted
        self._device, self._settled, self._batches = device, False, None
        if self.built and self.input_shape[1] is not None:
            self.settle(_USUAL_BATCH, self.input_shape[1], verbose)

    def settle(self, batch_size: int, steps: int, verbose: int | str = 0) -> None:
        """Decide for a backend, if `compile` left that open, and make its kernels ready: once for the same layers."""
        if self._settled:
            return
        if self._device == "auto":
            work = sum(map(work_of, self._cells(batch_size, steps)))
            self._move(backends.choose("auto", work).backend)
        assert self.optimizer is not None
        assert self.loss is not None
        with Compilation(self.backend, verbose):
            self.backend.prepare(self.functions(self.optimizer, self.loss), self.dtype)
        self._settled = True

    def functions(self, optimizer: optimizers.Optimizer, loss: losses.Loss) -> list[str | RecurrentUse]:
        """The functions of the contract that a training step calls, as `Backend.prepare` takes them."""
        functions: list[str | RecurrentUse] = [loss.function, *optimizer.functions]
        trained = False
        for layer in self.layers:
            functions += layer.functions(with_dx=trained)
            trained = trained or bool(layer.parameters.shapes)
        if any(layer.masks for layer in self.layers) or type(loss).mask is not losses.Loss.mask:
            functions += ["mask_class", "mask_weights"]
        functions += ["regularize"] if any(layer.regularized for layer in self.layers) else []
        return functions

    def _move(self, backend: Backend) -> None:
        if self.built and backend is not self._backend:
            self._join(backend)
        self._backend = backend

    def _cells(self, batch: int, steps: int) -> list[Recurrence]:
        """The recurrent cells of all layers, as `Layer.cells` has them."""
        shape: Shape = (batch, steps, *self.input_shape[2:])
        if len(shape) == 2 and self.input_dtype == self.dtype:
            shape = (batch, self.input_shape[1])
        cells = []
        for layer in self.layers:
            cells += layer.cells(shape)
            shape = layer.compute_output_shape(shape)
        return cells

    def plan(self, batch_size: int = 32, steps: int | None = None, device: str = "auto") -> Plan:
        """Say what training would run where, why, and in how much memory; print it for a text.

        Args:
            batch_size: Samples per step.
            steps: T; None for the one that the model was built for.
            device: "auto", "cpu" or "cuda".

        Raises:
            ValueError: If the model is not built, T is not known, or a number is below one.
            TypeError: If a number is no integer.
            numlstm.backend.DeviceError: If the device cannot be used here.
        """
        T = steps if steps is not None else self.input_shape[1]
        if T is None:
            raise ValueError("the model takes sequences of any length: say for how many steps to plan")
        cells = self._cells(checks.integer(batch_size, "batch_size"), checks.integer(T, "steps"))
        return make_plan(device, cells, self.count_params(), self.dtype)

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        tbptt: int | None = None,
    ) -> History:
        """Train.

        Arrays in memory are checked before the first step; memory maps (`np.memmap`), which are never read whole, and
        data that come in batches are checked batch by batch. Ctrl-C leaves the weights of the last finished step, and
        `model.history` with the finished epochs.

        Args:
            x: Inputs, (samples, time, features) for a model that begins with an LSTM. Or what gives batches, (x, y) or
                (x, y, sample_weight): a generator, something to iterate over, or an object with `__len__` and
                `__getitem__` as Keras' `PyDataset`.
            y: Targets as the loss takes them, mostly in the shape of the model's output; a last axis of one may be
                left out. None where x gives batches.
            batch_size: Samples per step, 32 if None; the last batch of an epoch may be smaller.
            epochs: The number of the epoch to stop after.
            verbose: 0 prints nothing, 1 a live bar, 2 a line per epoch; "auto" is 1. Without a terminal 1 is 2.
            callbacks: See `numlstm.callbacks`.
            validation_split: The fraction of samples, the last ones, to hold out for `val_loss`.
            validation_data: (x, y) or (x, y, sample_weight) for `val_loss`, or what gives such batches; goes before
                `validation_split`.
            shuffle: Whether to draw a new order of the samples, or of the batches of a `PyDataset`, for every epoch.
            class_weight: Class to weight, 1 for classes that are not in it: weighs each sample, or each step of one,
                in the loss.
            sample_weight: (samples,), or (samples, time) for a weight per step: weighs the loss. The loss stays a mean
                over all rows; masked ones are none, as in Keras.
            initial_epoch: How many epochs have been trained before.
            steps_per_epoch: Batches per epoch, the next one going on where one ends; None: all that there are.
            validation_steps: Batches per validation; None: all that there are.
            validation_batch_size: None for `batch_size`.
            validation_freq: Validate after every so many epochs; or the numbers of the epochs, from 1.
            tbptt: Truncated backpropagation through time (Williams & Peng 1990): sequences are cut into pieces of so
                many steps, each of which is a step of the optimizer and begins with the states that the one before
                left, without their gradients. Memory is for one piece. All layers must return sequences. None: whole
                sequences.

        Returns:
            A history, whose `history` maps "loss", the metrics' names and both after "val_" to a number per epoch.

        Raises:
            ValueError: If the model is not compiled, an argument is out of range, or a shape or value does not fit.
            TypeError: If an array does not hold real numbers.
        """
        return trainer.fit(
            self, x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle,
            class_weight, sample_weight, initial_epoch, steps_per_epoch, validation_steps, validation_batch_size,
            validation_freq, tbptt,
        )  # fmt: skip

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss over a data set, or [loss, *metrics] where there are metrics. Arguments and errors as for `fit`.

        Args:
            x: See `fit`.
            y: See `fit`.
            batch_size: See `fit`.
            verbose: See `fit`.
            sample_weight: See `fit`.
            steps: How many batches; None: all.
            callbacks: Their `on_test_...` hooks are called.
            return_dict: Whether to return them by name.
        """
        return trainer.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> np.ndarray:
        """The model's output. It needs no `compile`, and several threads may ask one model at the same time.

        Args:
            x: Inputs, (samples, time, features) for a model that begins with an LSTM; or what gives batches of them.
            batch_size: Samples per step, 32 if None. A row's result does not depend on it.
            verbose: 0 prints nothing, 1 or 2 a line at the end.
            steps: How many batches; None: all.
            callbacks: Their `on_predict_...` hooks are called.

        Raises:
            ValueError: If a shape does not fit.
            TypeError: If `x` does not hold real numbers.
        """
        return trainer.predict(self, x, batch_size, verbose, steps, callbacks)

    def __call__(self, x: Any, training: bool = False) -> np.ndarray:
        """The model's output for one batch; ValueError with `training`."""
        if training:
            raise ValueError("a model infers when it is called: train it with fit or train_on_batch")
        return self.predict_on_batch(x)

    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step and give the loss before it, as `evaluate` does. Arguments and errors as for `fit`."""
        if self._batches is None:
            self._batches = trainer.Batches(self, self.loss, training=True)
        return trainer.train_on_batch(self, self._batches, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss over one batch, as `evaluate` gives it. Arguments and errors as for `fit`."""
        return trainer.test_on_batch(self, x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The model's output for one batch. Errors as for `predict`."""
        try:
            count = len(x)
        except TypeError:
            count = 1  # That it is no batch is for `predict` to say.
        return trainer.predict(self, x, count or 1, 0)

    def passes(self, x: Array, training: bool, dx: Array | None = None) -> list[Pass]:
        """Chain passes of all layers, each of which reads what the one before writes.

        Args:
            x: The input's buffer, batch-major and contiguous.
            training: Whether the gradients of the weights will be computed, and dropout drops. The last pass' `mask` is
                that of the output.
            dx: Where the gradient of x goes; None where nobody needs it.
        """
        chain: list[Pass] = []
        mask: Array | None = None
        wanted = dx is not None
        for layer in self.layers:
            run: Pass = layer.new_pass(x, dx, mask, training)
            chain.append(run)
            wanted = wanted or (training and bool(layer.parameters.shapes))
            x, dx, mask = run.y, run.dy if wanted else None, run.mask
        return chain

    def input_gradient(self, x: Any, index: int | None = None, batch_size: int = 32) -> np.ndarray:
        """The gradient of the summed outputs with respect to x, without dropout: what the model looks at.

        It needs no `compile`, leaves the weights' gradients alone, and works on every device.

        Args:
            x: Inputs, as for `predict`.
            index: Of the output's last axis, to look at that one alone; None: all.
            batch_size: Samples per step.

        Returns:
            An array of the shape of x.

        Raises:
            ValueError: If a shape does not fit, the model takes ids, or there is no such output.
            TypeError: If `x` does not hold real numbers.
        """
        return saliency.input_gradient(self, x, index, batch_size)

    def stream(self, batch: int | None = None) -> Stream:
        """Open a stream: `push` gives the model one time step and returns its output; see `numlstm.stream.Stream`.

        Args:
            batch: B for steps of shape (B, F); None for steps of shape (F,).

        Raises:
            ValueError: If the model is not built or has a layer that cannot work step by step, or `batch` is below one.
            TypeError: If `batch` is no integer.
        """
        return Stream(self, batch)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a safetensors file, which `numlstm.load_model` reads; see `numlstm.formats.checkpoint`.

        A model that is loaded trains on as this one would, to the bit: the optimizer's state is in the file too.

        Args:
            path: The file, such as "model.safetensors". It is replaced at once when all has been written.

        Raises:
            ValueError: If the model is not built, a layer is of your own class, or the path ends as Keras' files do.
            OSError: If the file cannot be written.
        """
        from numlstm.formats import checkpoint

        checkpoint.save(self, path)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone to a safetensors file, which `load_weights` reads.

        Args:
            path: The file, such as "model.weights.safetensors". It is replaced at once when all has been written.

        Raises:
            ValueError: If the model is not built, or the path ends as Keras' files do.
            OSError: If the file cannot be written.
        """
        from numlstm.formats import checkpoint

        checkpoint.save_weights(self, path)

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Take the weights from a file of `save_weights` or `save`, in their order, whatever their names.

        Args:
            path: The file.

        Raises:
            ValueError: If the model is not built, its weights have other shapes, or the file is none, or damaged;
                nothing has been changed then.
            OSError: If the file cannot be read.
        """
        from numlstm.formats import checkpoint

        checkpoint.load_weights(self, path)


def _listed(metrics: Sequence[MetricLike] | MetricLike | None) -> Sequence[MetricLike]:
    if metrics is None:
        return []
    return [metrics] if isinstance(metrics, str | dict | Metric) or not isinstance(metrics, Iterable) else metrics
