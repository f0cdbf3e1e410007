"""config.json in a run folder: how the data were read, the settings, and what belongs to the model."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm.messages import plain, quoted
from numlstm.model import load_model
from numlstm.tasks.classify.classifier import Classifier
from numlstm.tasks.classify.inputs import Inputs
from numlstm.tasks.classify.sequences import Sequences, read_sequences
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.classify.table import Columns
from numlstm.tasks.folder import read_config

__all__ = ["DATA", "MODEL", "Config", "describe"]

_FORMAT = 1
DATA, MODEL = "data.npz", "model.safetensors"


def describe(
    sequences: Sequences, columns: Columns, settings: Settings, classifier: Classifier | None
) -> dict[str, Any]:
    """The content of config.json. classifier: None before the end of the training."""
    found = None
    if classifier is not None:
        found = {"inputs": classifier.inputs.to_dict(), "classes": list(classifier.classes)}
    return {
        "format": _FORMAT,
        "task": "classify",
        "name": sequences.name,
        "columns": list(sequences.columns),
        "notes": list(sequences.notes),
        "table": columns.to_dict(),
        "settings": asdict(settings),
        "classifier": found,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numlstm", "numpy", "numba")},
    }


@dataclass(frozen=True)
class Config:
    """The content of config.json.

    name, columns, notes: of the data
    table: how tables are read
    settings: the settings
    inputs, classes: of the classifier; None before the end of the training
    """

    name: str
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    table: Columns
    settings: Settings
    inputs: Inputs | None
    classes: tuple[str, ...] | None

    @classmethod
    def read(cls, folder: Path) -> Config:
        """Read and check the file.

        Raises:
            OSError, ValueError: the folder is not a run folder, or the file is damaged.
        """
        config = read_config(folder)
        try:
            if config["format"] != _FORMAT:
                raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
            columns, notes = _texts(config, "columns"), _texts(config, "notes")
            name, found = config["name"], config["classifier"]
            if not isinstance(name, str) or not columns:
                raise ValueError(f"its data are named {quoted(name)} and have the columns {quoted(columns)}")
            inputs, classes = None, None
            if found is not None:
                inputs, classes = Inputs.from_dict(found["inputs"]), _texts(found, "classes")
                if inputs.columns != len(columns) or len(set(classes)) < max(2, len(classes)):
                    raise ValueError("its classifier does not fit its columns, or its classes are not several names")
            table, settings = Columns.from_dict(config["table"]), Settings(**config["settings"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(plain(f"{folder / 'config.json'} is damaged: {reason}")) from error
        return cls(name, columns, notes, table, settings, inputs, classes)

    def sequences(self, folder: Path) -> Sequences:
        """Read the data."""
        return read_sequences(folder / DATA, self.name, self.columns)

    def classifier(self, folder: Path) -> Classifier:
        """Read the model."""
        if self.inputs is None or self.classes is None:
            raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
        path = folder / MODEL
        model = load_model(path)
        shapes = (None, None, self.inputs.features), (None, len(self.classes))
        if (model.input_shape, model.output_shape) != shapes:
            raise ValueError(f"{path} is not the model that config.json tells of")
        return Classifier(model, self.inputs, self.classes, self.columns)


def _texts(content: dict[str, Any], key: str) -> tuple[str, ...]:
    texts = content[key]
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f"{key} must be a list of texts, not {quoted(texts)}")
    return tuple(texts)
