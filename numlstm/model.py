"""Model and Sequential: Keras' interface to a network, with training, prediction and files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from numlstm import backend as backends
from numlstm import checks, graph, missing, optimizers, storage
from numlstm.callbacks import Callback, History
from numlstm.callbacks.callback_list import CallbackList
from numlstm.chain import Chain
from numlstm.inference import saliency
from numlstm.inference.stream import Stream
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer
from numlstm.layers.symbol import has_symbols
from numlstm.messages import quoted
from numlstm.metrics import Metric
from numlstm.network import Network
from numlstm.override import override
from numlstm.parameters import Buffers
from numlstm.plan import Plan, make_plan
from numlstm.training import evaluate, fit
from numlstm.training.batch import Batches, IdleBatches
from numlstm.training.choices import choices_for
from numlstm.training.compiled import Compiled
from numlstm.training.input_checker import parts_of
from numlstm.training.running_metrics import RunningMetrics

if TYPE_CHECKING:
    from numlstm.saved import PlainData

__all__ = ["Model", "Sequential", "from_plain_data", "load_model"]

_USUAL_BATCH = 32


class Model(Network):
    """A graph of layers with the interface of a Keras model: `compile`, `fit`, `evaluate`, `predict` and files.

        x = Input((10, 1))
        h, *state = LSTM(50, return_state=True)(x)
        model = Model(x, Dense(1)(h))

    Layers may be shared, called several times, and handed states. A model can be called like a layer: its layers become
    layers of the new model. Models that share layers share their weights: cut an encoder out of a trained model by
    `Model(model.inputs, state)`. Arguments and errors as for `Network`.
    """

    absent: ClassVar = missing.OF_MODELS
    set_elsewhere: ClassVar = {
        **dict.fromkeys(("calls", "inputs", "layers", "outputs"), "make another model, as by Model(inputs, outputs)"),
        **dict.fromkeys(("loss", "metrics", "optimizer", "weighted_metrics"), "give it to compile"),
        **dict.fromkeys(("input_shape", "output_shape"), "make another model, because the layers decide it"),
        **dict.fromkeys(("input_names", "output_names"), "they are the names of inputs and layers"),
    }
    never_called: ClassVar = {
        "call": "make a model of layers, or a layer of your own",
        "compute_loss": "give compile a loss of numlstm.losses",
        "predict_step": "call predict_on_batch in a loop of your own",
        "test_step": "call test_on_batch in a loop of your own",
        "train_step": "call train_on_batch in a loop of your own",
    }

    history: History | None = None
    """The history of the last `fit`, updated after every epoch."""
    stop_training = False
    """If a callback sets it to True, `fit` takes no further step."""
    stop_evaluating = False
    """If a callback sets it to True, `evaluate` and a validation take no further batch."""
    stop_predicting = False
    """If a callback sets it to True, `predict` takes no further batch."""
    _compiled: Compiled | None = None
    _step: tuple[Batches, RunningMetrics] | None = None
    """What `train_on_batch` reuses."""
    _idle: IdleBatches | None = None
    """What `predict` reuses."""

    # The choices of `compile`

    @property
    def optimizer(self) -> optimizers.Optimizer | None:
        """The optimizer; None before `compile`."""
        return None if self._compiled is None else self._compiled.optimizer

    @property
    def loss(self) -> Any:
        """The loss, or the list of the outputs' losses; None before `compile`."""
        if self._compiled is None:
            return None
        found = [choice.loss for choice in self._compiled.outputs]
        return found[0] if len(found) == 1 else found

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that are weighted by the mask only; empty before `compile`."""
        return [] if self._compiled is None else [one for each in self._compiled.outputs for one in each.metrics]

    @property
    def weighted_metrics(self) -> list[Metric]:
        """The metrics that are weighted by the mask and the sample weights; empty before `compile`."""
        return (
            [] if self._compiled is None else [one for each in self._compiled.outputs for one in each.weighted_metrics]
        )

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training; None before the first training."""
        if self._step is not None:
            return self._step[0].kernel_name
        return None if self._compiled is None else self._compiled.kernel_name

    @property
    def _names_of_outputs(self) -> list[str]:
        return self.output_names

    @property
    def _checked(self) -> Compiled:
        """The choices of `compile`; ValueError before `compile`."""
        if self._compiled is None:
            raise ValueError("the model is not compiled: call compile(optimizer, loss) first")
        return self._compiled

    def _refuse_in_fit(self, method: str) -> None:
        """Raise ValueError while `fit` runs: a callback must not take away what the next step uses."""
        if self.fitting:
            raise ValueError(f"{method} cannot be called while fit runs: set stop_training, and call it after fit")

    def _weights_moved(self, before: Buffers | None, now: Buffers) -> None:
        self._step = None
        if self._compiled is not None:
            self._compiled.ready = False
            if before is not None:
                self._compiled.optimizer.follow(before, now)

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: Any = "mse",
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: str | bool = "auto",
        auto_scale_loss: bool = True,
        *,
        device: str = "auto",
        verbose: int | str = "auto",
    ) -> None:
        """Choose optimizer, loss, metrics and device.

        Args:
            optimizer: An optimizer or its name; see `numlstm.optimizers`.
            loss: A loss or its name; see `numlstm.losses`. For several outputs, one loss for all, or a list in their
                order, or a dict by their names. An output without a loss, or with None, is not trained.
            loss_weights: For several outputs a list or a dict of numbers. The loss is the sum of the outputs' losses,
                each times its weight. None: ones.
            metrics: Metrics or their names, see `numlstm.metrics`. They are weighted by the mask only. They are
                computed on the host, so the outputs of every batch are copied to the host. For several outputs, a list
                of such lists in their order, or a dict by their names.
            weighted_metrics: As `metrics`, weighted by the mask and the sample weights.
            run_eagerly: False: every step is compiled.
            steps_per_execution: 1: the backend runs ahead of Python by itself.
            jit_compile: Ignored: all kernels are compiled.
            auto_scale_loss: Ignored: float16 is not used.
            device: "cpu", "cuda", or "auto": CUDA if a GPU can be used and a step has enough work, else the CPU. If T
                is not known yet, the first `fit` decides.
            verbose: 0 does not report the compilation of kernels.

        Raises:
            ValueError: If a name is unknown, the value of an argument is not supported, or `fit` runs.
            numlstm.backend.DeviceError: If the device cannot be used here.
        """
        self._refuse_in_fit("compile")
        if run_eagerly:
            raise ValueError("run_eagerly must be False: to look inside, call a layer's forward(x, training=True)")
        if steps_per_execution != 1:
            raise ValueError(
                f"steps_per_execution must be 1, not {quoted(steps_per_execution)}: no step waits for Python"
            )
        if optimizer is None:
            raise ValueError("optimizer must be an optimizer or its name, such as 'adam', not None")
        chosen = optimizers.get(optimizer)
        choices = choices_for(self._names_of_outputs, loss, loss_weights, metrics, weighted_metrics)
        if device != "auto":
            self.move(backends.load(device))
        self._compiled = Compiled(chosen, choices, device)
        self._step = None
        if self.built and all(None not in shape[1:2] for shape in self.input_shapes):
            self._compiled.prepare(self, self.batch_shapes(_USUAL_BATCH, None), verbose)

    def plan(
        self, batch_size: int = 32, steps: int | None = None, device: str = "auto", gpu: str | None = None
    ) -> Plan:
        """Plan the training: backend, kernels, reasons and memory. Printing the plan gives a text.

        Args:
            batch_size: Samples per step.
            steps: T; None: the T that the model was built for.
            device: "auto", "cpu" or "cuda".
            gpu: The architecture of a GPU that need not be here, such as "sm_90": the plan compiles its kernels, and
                tells their registers and spills.

        Raises:
            ValueError: If the model is not built, T or the GPU is not known, or a number is below one.
            TypeError: If a number is not an integer.
            numlstm.backend.DeviceError: If the device cannot be used here.
        """
        T = checks.optional_integer(steps, "steps")
        cells = self.recurrences(self.batch_shapes(checks.integer(batch_size, "batch_size"), T))
        return make_plan(device, cells, self.count_params(), self.dtype, gpu)

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
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: str | int = storage.EVERY,
        resume: str | os.PathLike[str] | None = None,
    ) -> History:
        """Train the model.

        Arrays are checked before the first step, sources of batches batch by batch. Memory maps (`np.memmap`) of inputs
        and targets are read in blocks, so they may be larger than memory. After Ctrl-C the model has the weights of the
        last finished step, and `model.history` has the finished epochs.

        Arrays are what NumPy makes arrays of: lists, frames of pandas and polars, tensors on the host. They have any
        layout and byte order, and may be read-only. Integers, booleans, float16 and bfloat16 are converted. A number
        beyond the model's dtype becomes infinite. NaN is not refused, and makes the loss NaN; see `TerminateOnNaN`.
        Masked arrays, complex numbers, strings, dates and Python objects are refused, and so are no samples. Sequences
        of no steps give the initial state, zeros. Ids and labels that change during training are checked in each batch.

        Args:
            x: Inputs, (samples, time, features) for a model that begins with an LSTM. For several inputs a list in
                their order, or a dict by their names; likewise y and sample_weight for several outputs. Or a source of
                batches (x, y) or (x, y, sample_weight): a generator, another iterable, or an object with `__len__` and
                `__getitem__` like Keras' `PyDataset`.
            y: Targets in the loss' target shape, usually the shape of the model's output. A last axis of size 1 may be
                missing. None if x is a source of batches.
            batch_size: Samples per step; None: 32. The last batch of an epoch may be smaller.
            epochs: The number of the last epoch, counted from 1.
            verbose: 0 prints nothing, 1 a live bar, 2 a line per epoch; "auto" is 1. In a notebook 1 is both. With
                neither a terminal nor a notebook 1 is 2.
            callbacks: Callbacks; see `numlstm.callbacks`.
            validation_split: The fraction of samples, at the end of the arrays, to hold out for `val_loss`.
            validation_data: (x, y) or (x, y, sample_weight) for `val_loss`, or a source of such batches. It overrides
                `validation_split`.
            shuffle: Whether to shuffle the samples, or the batches of a `PyDataset`, before every epoch.
            class_weight: Weights by class, 1 for other classes. Each sample, or each step of a sample, has the weight
                of its class in the loss.
            sample_weight: Weights in the loss, (samples,) or (samples, time) for one weight per step. The weighted sum
                is divided by the number of rows that are not masked, as in Keras.
            initial_epoch: The number of epochs that were trained before.
            steps_per_epoch: Batches per epoch. The next epoch continues after them. As in Keras, an epoch also ends,
                with a warning, where the data end: of 10 batches, epochs of 9 steps take 9, 1, 9, 1. None: all batches.
            validation_steps: Batches per validation; None: all batches.
            validation_batch_size: Samples per validation batch; None: `batch_size`.
            validation_freq: Validate after every this many epochs, or a list of epochs, counted from 1.
            tbptt: Steps per piece in truncated backpropagation through time (Williams & Peng 1990). The optimizer takes
                one step per piece. A piece begins with the final states of the previous piece, and no gradient flows
                back. Memory is needed for one piece only. All layers must return sequences. None: whole sequences.
            checkpoint: A file, such as "training.safetensors", to which the whole state of the training is written:
                every `checkpoint_every`, and after each epoch that is the best so far. The file is replaced in one
                step, so a kill at any moment leaves a whole one. SIGINT, SIGTERM and SIGHUP end the training after the
                present batch with a checkpoint and `numlstm.training.interruption.Interrupted`, a KeyboardInterrupt.
            checkpoint_every: A time such as "60s", "5min" or "1h", or a number of steps. By time, checkpoints take at
                most 1 % of the training's time, and the first is assumed to take 10 ms. So a training of less than a
                second writes none, and its end writes none either: use `save`. By steps, each is written.
            resume: A file of `checkpoint` to go on from. Model, data, callbacks and arguments must be those of the
                training that wrote it. The training ends with the same bits as one that was never interrupted. Data
                that only iterate, as generators do, go on where the source is: a training is then resumed from the end
                of an epoch. So do data that change by hooks of their own.

        Returns:
            The history. Its `history` maps "loss" and the metrics' names, also after "val_", to a number per epoch.

        Raises:
            ValueError: If the model is not compiled, an argument is out of range, or a shape or value does not fit.
            TypeError: If an array does not hold real numbers, or a checkpoint cannot keep the state of a callback.
            numlstm.formats.tensors.ModelFileError: If `resume` is no checkpoint, or is damaged.
            OSError: If a checkpoint cannot be read or written, or there is none at `resume`.
        """
        compiled = self._checked
        checkpoints = storage.checkpoints(checkpoint, checkpoint_every, resume)
        settings = fit.Epochs(epochs, initial_epoch, verbose, tbptt)
        data = fit.Data(x, y, sample_weight, class_weight, batch_size, steps_per_epoch, shuffle)
        validation = fit.Validation(
            validation_split, validation_data, validation_batch_size, validation_steps, validation_freq
        )
        self._refuse_in_fit("fit")
        self._step = None
        self.fitting = True
        try:
            return fit.fit(self, compiled, CallbackList(callbacks, self), data, validation, settings, checkpoints)
        finally:
            self.fitting = False

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
        """Compute the loss over a data set, or [loss, *metrics] with metrics. Errors as for `fit`.

        Args:
            x: As for `fit`.
            y: As for `fit`.
            batch_size: As for `fit`.
            verbose: As for `fit`.
            sample_weight: As for `fit`.
            steps: The number of batches; None: all batches.
            callbacks: Callbacks, whose `on_test_...` hooks are called.
            return_dict: Whether to return a dict of loss and metrics by name.
        """
        compiled, return_dict = self._checked, checks.boolean(return_dict, "return_dict")
        data = x, y, sample_weight
        logs = evaluate.evaluate(self, compiled, CallbackList(callbacks, self), data, batch_size, steps, verbose)
        return _result(logs, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> Any:
        """Compute the model's output. It does not need `compile`. Several threads may call it at the same time.

        Weights that another thread changes meanwhile, by `set_weights` or `fit`, may be old in one layer and new in the
        next. The next prediction after the change has the new ones.

        Args:
            x: Inputs, (samples, time, features) for a model that begins with an LSTM, or a source of batches.
            batch_size: Samples per batch; None: 32. A row's result does not depend on it.
            verbose: 0 prints nothing, 1 or 2 a line at the end.
            steps: The number of batches; None: all batches.
            callbacks: Callbacks, whose `on_predict_...` hooks are called.

        Returns:
            The output. For several outputs a list of them, or a dict if the model was made with a dict of outputs.

        Raises:
            ValueError: If a shape does not fit.
            TypeError: If `x` does not hold real numbers.
        """
        if self._idle is None:
            self._idle = IdleBatches()
        outputs = evaluate.predict(self, CallbackList(callbacks, self), x, batch_size, steps, verbose, self._idle)
        if self.gives_dict:
            return dict(zip(self.output_names, outputs, strict=True))
        return evaluate.one_or_all(outputs)

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Compute the model's output for one batch; ValueError if `training` is set.

        If x is a symbol, or a list or a dict of symbols, the model's layers are called with them once more.
        """
        if training:
            raise ValueError("a model infers when it is called: train it with fit or train_on_batch")
        parts = list(x.values()) if isinstance(x, Mapping) else x
        if not has_symbols(parts):
            return self.predict_on_batch(x)
        return self._call_symbols(parts_of(x, self.input_names if self.built else ["x"], "x"))

    def _call_symbols(self, given: list[Any]) -> Any:
        outputs = graph.copy_calls(self.calls, self.inputs, given, self.outputs)
        if self.gives_dict:
            return dict(zip(self.output_names, outputs, strict=True))
        return outputs[0] if len(outputs) == 1 else outputs

    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step, and return the loss before it, as `evaluate` does. Arguments as for `fit`."""
        compiled, return_dict = self._checked, checks.boolean(return_dict, "return_dict")
        logs = fit.train_on_batch(self, compiled, self._kept_step, x, y, sample_weight, class_weight)
        return _result(logs, return_dict)

    def _kept_step(self) -> tuple[Batches, RunningMetrics]:
        """The step of the last `train_on_batch`, or a new one if weights have moved or a layer has changed since."""
        if self._step is None or not self._step[0].current:
            self._step = fit.step_of(self, self._checked)
        return self._step

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Compute the loss of one batch, as `evaluate` does. Arguments and errors as for `fit`."""
        compiled, return_dict = self._checked, checks.boolean(return_dict, "return_dict")
        return _result(evaluate.test_on_batch(self, compiled, x, y, sample_weight), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the model's output for one batch. Errors as for `predict`."""
        first = x
        if isinstance(x, Mapping) or (len(self.inputs) > 1 and isinstance(x, list | tuple)):
            first = next(iter(x.values() if isinstance(x, Mapping) else x), None)
        try:
            count = len(first)
        except TypeError:
            count = 1  # `predict` raises the error.
        return self.predict(x, count or 1, 0)

    def input_gradient(self, x: Any, index: int | None = None, batch_size: int = 32) -> Any:
        """Compute the gradient of the sum of the outputs with respect to x, without dropout (saliency).

        It does not need `compile`, does not change the weights' gradients, and works on every device.

        Args:
            x: Inputs, as for `predict`.
            index: The only output to use, as an index of the output's last axis; None: all outputs.
            batch_size: Samples per batch.

        Returns:
            An array of the shape of x; a list of arrays for several inputs, with zeros for ids.

        Raises:
            ValueError: If a shape does not fit, the model takes ids, or `index` is out of range.
            TypeError: If `x` does not hold real numbers.
        """
        return evaluate.one_or_all(saliency.input_gradient(self, x, index, batch_size))

    def stream(self, batch: int | None = None) -> Stream:
        """Open a stream, whose `push` runs the model on one time step; see `numlstm.inference.stream.Stream`.

        Args:
            batch: B for steps of shape (B, F), or of B ids; None for steps of shape (F,), or of one id.

        Raises:
            ValueError: If the model is not built or has a layer that cannot work step by step, or `batch` is below one.
            TypeError: If `batch` is not an integer.
        """
        return Stream(self, batch)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a safetensors file for `numlstm.load_model`; see `numlstm.formats.tensors`.

        The file contains the optimizer's state. The loaded model continues training as this one would, bit for bit.

        Args:
            path: The file, such as "model.safetensors". An existing file is replaced after the new one is complete.

        Raises:
            ValueError: If the model is not built, a layer is of a user's own class, or `path` is named as a Keras file.
            OSError: If the file cannot be written.
        """
        # What files need is imported here: it would take a twentieth of the library's import.
        from numlstm.formats import tensors

        checked = checks.model_path(path)
        self._require_built()
        tensors.write(checked, self.plain_data())

    def plain_data(self) -> PlainData:
        """What `save` writes; of a model that is not built, what there is. Errors as for `save`."""
        from numlstm import saved

        return saved.describe(self, self._compiled)

    def get_config(self) -> dict[str, Any]:
        """The layers, their connections and the name as JSON values, without weights and the choices of `compile`."""
        from numlstm import architecture

        return architecture.describe(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a model from the result of `get_config`, with new weights.

        A layer is one of `numlstm.layers`. In place of a user's own function as initializer it has the default one.

        Raises:
            numlstm.formats.tensors.ModelFileError: If the configuration is none of this class' `get_config`.
        """
        from numlstm import architecture, saved

        make: Any = cls
        with saved.reading("the configuration"):
            if issubclass(cls, Chain) == ("calls" in config):
                raise ValueError(f"it is that of a {'Model' if issubclass(cls, Chain) else 'Sequential'}")
            made: Any = architecture.make(config, None, make, make)
        return made

    def to_json(self, **options: Any) -> str:
        """The class and the result of `get_config` as JSON, for `numlstm.models.model_from_json`.

        Args:
            options: Arguments of `json.dumps`.
        """
        name = "Sequential" if isinstance(self, Chain) else "Model"
        return json.dumps({"class_name": name, "config": self.get_config()}, **options)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write only the weights to a safetensors file for `load_weights`.

        Args:
            path: The file, such as "model.weights.safetensors". An existing file is replaced after the new one is
                complete.

        Raises:
            ValueError: If the model is not built, or `path` is named as a Keras file.
            OSError: If the file cannot be written.
        """
        from numlstm import saved
        from numlstm.formats import tensors

        checked = checks.model_path(path)
        tensors.write(checked, saved.describe_weights(self))

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Set the weights from a file of `save_weights` or `save`, in their order. Names are ignored.

        Args:
            path: The file.

        Raises:
            ValueError: If the model is not built, its weights have other shapes, or the file is not a model file or is
                damaged. No weight is changed then.
            OSError: If the file cannot be read.
        """
        from numlstm import saved
        from numlstm.formats import tensors

        saved.set_weights(self, tensors.read(path), path)


class Sequential(Chain, Model):
    """A chain of layers. Each layer reads the output of the previous layer. Arguments as for `Chain`."""

    set_elsewhere: ClassVar = Model.set_elsewhere | dict.fromkeys(
        ("calls", "inputs", "layers", "outputs"), "change the layers by add and pop"
    )

    @property
    def _names_of_outputs(self) -> list[str]:
        return [self.layers[-1].name if self.layers else "output"]

    @override
    def add(self, layer: Layer | Input) -> None:
        self._refuse_in_fit("add")
        super().add(layer)

    @override
    def pop(self) -> Layer:
        self._refuse_in_fit("pop")
        with self._changing():
            return super().pop()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """While the graph changes, what a user cannot set is set."""
        before, self._complete = self._complete, False
        try:
            yield
        finally:
            self._complete = before

    @override
    def _connect(self) -> None:
        with self._changing():
            super()._connect()

    @override
    def _append(self, layer: Layer) -> None:
        with self._changing():
            super()._append(layer)

    def _call_symbols(self, given: list[Any]) -> Any:
        if not self.built:
            self.build(given[0].shape)
        return super()._call_symbols(given)


def load_model(path: str | os.PathLike[str], compile: bool = True) -> Any:
    """Read a model from a file of `Model.save`: a `Sequential`, or a `Model` of a graph of layers.

    The model predicts as before, bit for bit. If it was compiled, it is compiled again for device "auto", and continues
    training with the optimizer's state and the same dropout: with the same order of samples, the weights are the same
    bit for bit. Stateful layers begin with zeros.

    Args:
        path: The file.
        compile: Whether to compile the model as before.

    Raises:
        numlstm.formats.tensors.ModelFileError: If the file is not a model file, is damaged, or has another version.
        OSError: If the file cannot be read.
    """
    from numlstm.formats import tensors

    return from_plain_data(tensors.read(path), path, compile)


def from_plain_data(data: PlainData, path: str | os.PathLike[str], compile: bool = True) -> Any:
    """Make a model from the content of a file. Arguments and errors as for `load_model`."""
    from numlstm import saved

    restored = saved.restore(data, path, Sequential, Model)
    model = restored.network
    if compile and restored.compile is not None:
        with saved.reading(path):
            model.compile(**restored.compile)
            if restored.optimizer_state and model.optimizer is not None:
                model.optimizer.allocate(model.buffers)
                model.optimizer.set_state(restored.optimizer_state)
    return model


def _result(logs: dict[str, float], return_dict: bool) -> float | list[float] | dict[str, float]:
    if return_dict:
        return logs
    return logs["loss"] if len(logs) == 1 else list(logs.values())
