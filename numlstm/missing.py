"""What numlstm has not, asked for by Keras' names: one sentence with what to use instead."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from opcode import opmap
from types import FrameType
from typing import Any

from numlstm.messages import quoted

__all__ = ["public"]

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
    "numlstm.callbacks": {
        "BackupAndRestore": "use fit(checkpoint=..., resume=...)",
        "ProgbarLogger": "fit shows a bar by itself; see its argument verbose",
        "TensorBoard|RemoteMonitor": "use CSVLogger, or a Callback of your own",
    },
    "numlstm.layers": {
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
        r"\w*Hinge|\w*Focal\w*|Poisson|KLDivergence|CosineSimilarity|MeanSquaredLogarithmicError|Dice|Tversky|CTC": (
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


def _hint(module: str, name: str, names: Sequence[str]) -> str:
    for pattern, instead in _INSTEAD.get(module, {}).items():
        if re.fullmatch(pattern, name):
            return f": {instead}"
    from difflib import get_close_matches  # Only a mistake needs it.

    lower = {known.lower(): known for known in names}
    near = get_close_matches(name.lower(), lower, 1)
    return f": did you mean {lower[near[0]]}?" if near else ""


def _imports(frame: FrameType) -> bool:
    """Whether a frame is at `from module import name`."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]
