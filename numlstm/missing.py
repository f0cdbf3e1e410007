"""What numlstm has not, asked for by Keras' names: one sentence with what to use instead."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from opcode import opmap
from types import FrameType, ModuleType
from typing import Any

from numlstm.messages import meant, quoted
from numlstm.override import override

__all__ = ["OF_LAYERS", "OF_MODELS", "OF_OPTIMIZERS", "explain_imports", "public"]

_INSTEAD: dict[str, dict[str, str]] = {
    "numlstm": {
        "keras|tf|tensorflow": "its names are numlstm's own, as in numlstm.layers",
        "activations": 'give an activation by its name, such as activation="relu"',
        "applications|datasets": "load data and models by other packages, as NumPy arrays",
        "backend|ops|random": "compute with NumPy; set_seed makes numbers reproducible",
        "config|mixed_precision|dtype_policies": 'give layers a dtype, such as dtype="float64"',
        "constraints": "give layers a regularizer, which keeps weights small",
        "preprocessing": "numlstm.utils has pad_sequences and timeseries_dataset_from_array",
        "saving|save_model": "use model.save and numlstm.load_model",
    },
    "numlstm.backend": {
        r"ctc_\w+": "numlstm.losses.CTC is the loss, and numlstm.utils.ctc_decode finds the labels",
        r"clear_session": "memory is freed with the models; set_random_seed of numlstm.utils begins anew",
        r"\w+": "compute with NumPy on what predict, get_weights and layers return",
    },
    "numlstm.callbacks": {
        "BackupAndRestore": "use fit(checkpoint=..., resume=...)",
        "ProgbarLogger": "fit shows a bar by itself; see its argument verbose",
        "TensorBoard|RemoteMonitor": "use CSVLogger, or a Callback of your own",
    },
    "numlstm.layers": {
        "InputLayer": "use Input",
        r"ConvLSTM\dD": "make each frame a vector by TimeDistributed(Flatten()), and use LSTM",
        r"\w*Conv(olution)?\dD\w*": "there are no convolutions: let an LSTM read the steps",
        r"\w*Pool\w*": "take the last output, by return_sequences=False, or compute with NumPy before the model",
        r"(Batch|Group|RMS|Unit|Spectral)?Normalization": "scale the data before the model",
        "CuDNN(LSTM|GRU)": "use LSTM and GRU, which run in fused kernels on every device",
        "(LSTM|GRU|SimpleRNN|StackedRNN)Cells?|RNN": "use the layers LSTM, GRU and SimpleRNN",
        "(Leaky|P)ReLU": 'use Activation("elu")',
        "ReLU|ELU|Softmax": "use Activation, as in Activation('relu')",
        "Reshape|Permute|Cropping1D|ZeroPadding1D|UpSampling1D": "shape the data with NumPy before the model",
        "SpatialDropout1D": "use Dropout with noise_shape=(None, 1, features)",
        "(Gaussian|Alpha)(Dropout|Noise)": "use Dropout",
        "Lambda": "compute with NumPy before or after the model",
        "TextVectorization|StringLookup|IntegerLookup": "make ids of texts before the model, and use pad_sequences",
    },
    "numlstm.losses": {
        r"[a-z]\w+": "give compile the loss by its name, such as loss='mean_squared_error'",
        r"\w*Hinge|\w*Focal\w*|Poisson|KLDivergence|CosineSimilarity|MeanSquaredLogarithmicError|Dice|Tversky": (
            "use a cross-entropy, or for numbers MeanSquaredError, MeanAbsoluteError, Huber or LogCosh"
        ),
    },
    "numlstm.metrics": {
        r"[a-z]\w+": "give compile the metric by its name, such as metrics=['mean_absolute_error']",
        r"Precision\w*|Recall\w*|F1Score|FBetaScore|(True|False)(Positives|Negatives)|R2Score|\w*IoU": (
            "use AUC or an accuracy, or compute it from predict with NumPy"
        ),
    },
    "numlstm.models": {"save_model": "use model.save"},
    "numlstm.optimizers": {
        "Ada(grad|delta|max|factor)|Ftrl|Lamb|Lion|Muon": "use Adam, AdamW, Nadam, RMSprop or SGD",
        "legacy": "use numlstm.optimizers",
    },
    "numlstm.optimizers.schedules": {
        r"\w*Decay\w*": "use ExponentialDecay, CosineDecay or PiecewiseConstantDecay, or override LearningRateSchedule",
    },
    "numlstm.utils": {
        "Sequence|PyDataset": "fit takes any object with __len__ and __getitem__",
        "plot_model|model_to_dot": "print the model by model.summary()",
        "get_file": "load the data by other packages, as NumPy arrays",
    },
}
"""For each module, what to use instead of the names that match a pattern. The first match counts."""

_WEIGHTS = "get_weights() copies the weights, and set_weights() overwrites them"
_ALL_TRAINED = "all weights are trained, and get_weights() copies them"
_PENALTIES = "regularizers of layers add to the loss by themselves"

OF_LAYERS = {
    **dict.fromkeys(("weights", "variables", "trainable_weights", "trainable_variables"), _WEIGHTS),
    **dict.fromkeys(("kernel", "recurrent_kernel", "bias", "embeddings", "gamma", "beta"), _WEIGHTS),
    **dict.fromkeys(("non_trainable_weights", "non_trainable_variables"), _ALL_TRAINED),
    **dict.fromkeys(("add_weight", "add_variable"), "override variable_shapes and initial_values"),
    **dict.fromkeys(("add_loss", "losses"), _PENALTIES),
    **dict.fromkeys(("compute_mask", "supports_masking"), "masks are passed from layer to layer by themselves"),
    **dict.fromkeys(("compute_dtype", "dtype_policy", "variable_dtype"), "use dtype"),
    "input_spec": "compute_output_shape(shape) raises ValueError for a shape that the layer cannot take",
    "states": "state holds the arrays with which a stateful layer begins its next batch, reset_states() clears them",
}
"""Attributes of Keras' layers, with what to use instead."""

OF_MODELS = {
    **dict.fromkeys(("weights", "variables", "trainable_weights", "trainable_variables"), _WEIGHTS),
    **dict.fromkeys(("non_trainable_weights", "non_trainable_variables"), _ALL_TRAINED),
    **dict.fromkeys(("add_loss", "losses"), _PENALTIES),
    **{f"{name}_generator": f"{name} takes generators too" for name in ("fit", "evaluate", "predict")},
    **dict.fromkeys(("predict_classes", "predict_proba"), "predict gives probabilities, argmax(axis=-1) their classes"),
    "add_metric": "give compile metrics",
    "export": "use save, and numlstm.load_model to read the file",
    "metrics_names": "evaluate(x, y, return_dict=True) gives the names with the values",
    "reset_metrics": "fit and evaluate reset the metrics by themselves",
    "to_yaml": "use to_json",
}
"""Attributes of Keras' models, with what to use instead."""

OF_OPTIMIZERS = {
    "minimize": "call train_on_batch of the model",
    **dict.fromkeys(("variables", "weights", "get_weights"), "state() copies the state"),
    "set_weights": "model.save keeps the state, and numlstm.load_model restores it",
}
"""Attributes of Keras' optimizers, with what to use instead."""


def public(
    module: str, names: Sequence[str], made_late: Mapping[str, Callable[[], Any]] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and the `__dir__` of a module: only its public names show, and others are explained.

    Args:
        module: The module's name.
        names: Its public names.
        made_late: Makes the values of names that are not defined in the module.
    """

    def getattr_of_module(name: str) -> Any:
        if made_late and name in made_late:
            return made_late[name]()
        frame = sys._getframe(1)
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            raise AttributeError(name)  # It asks whether a submodule is imported already, and shows no message.
        message = f"{module} has no {quoted(name)}{_hint(module, name, names)}"
        if _imports(frame) and not name.startswith("__"):
            raise ImportError(message, name=module)  # Python would replace the message of an AttributeError.
        raise AttributeError(message, name=name)

    return getattr_of_module, lambda: sorted(names)


def explain_imports() -> None:
    """Let `import numlstm.keras` and its like say what to use instead."""
    sys.meta_path.append(_Explainer())  # At the end: Python asks it if nothing was found.


class _Explainer(MetaPathFinder):
    @override
    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> None:
        """Raise ModuleNotFoundError with a sentence if the module is one of Keras'."""
        package, _, name = fullname.partition(".")
        if package == "numlstm" and any(re.fullmatch(pattern, name) for pattern in _INSTEAD[package]):
            raise ModuleNotFoundError(f"{package} has no {quoted(name)}{_hint(package, name, ())}", name=fullname)


def _hint(module: str, name: str, names: Sequence[str]) -> str:
    for pattern, instead in _INSTEAD.get(module, {}).items():
        if re.fullmatch(pattern, name):
            return f": {instead}"
    for known in names:
        if name in getattr(sys.modules.get(f"{module}.{known}"), "__all__", ()):
            return f": use {module}.{known}.{name}"
    return meant(name, names)


def _imports(frame: FrameType) -> bool:
    """Whether a frame is at `from module import name`."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]
