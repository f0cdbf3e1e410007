"""Callbacks that record a training: its numbers, and checkpoints of the model."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any, TextIO

from numlstm import checks
from numlstm.callbacks.callback import Callback, Logs
from numlstm.callbacks.monitor import Monitor
from numlstm.messages import quoted
from numlstm.override import override
from numlstm.terminal import say

__all__ = ["CSVLogger", "History", "ModelCheckpoint"]


class History(Callback):
    """The numbers of a training: `history` maps a name to one number per epoch, `epoch` lists the epochs.

    `not_finite` is None while the loss is finite. In an epoch whose loss becomes NaN or infinite, it is the first and
    the last step, from 1, of those of which one did that: the loss was looked at before and after them.
    """

    def __init__(self) -> None:
        self.not_finite: tuple[int, int] | None = None
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Append the epoch's numbers."""
        self.epoch.append(epoch)
        self.add(logs or {})

    @override
    def state(self) -> dict[str, Any]:
        for name, numbers in self.history.items():
            for value in numbers:
                if not isinstance(value, bool):
                    checks.number(value, f"{quoted(name)} in the logs, which a checkpoint keeps,")
        return {"history": self.history, "epoch": self.epoch}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        self.history = {name: list(map(float, numbers)) for name, numbers in state["history"].items()}
        self.epoch = list(map(int, state["epoch"]))

    def add(self, numbers: dict[str, float]) -> None:
        """Append further numbers of the epoch: those that callbacks have added to its logs."""
        for name, value in numbers.items():
            self.history.setdefault(name, []).append(value)


class CSVLogger(Callback):
    """Writes each epoch's numbers as a row of a CSV file with a header. A missing number is "NA".

    Args:
        filename: The file, in an existing folder.
        separator: The character between the numbers of a row.
        append: Whether to append to an existing file, with its header.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"separator must be one character, not {quoted(separator)}")
        self.filename, self.separator, self.append = os.fspath(filename), separator, checks.boolean(append, "append")
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the file."""
        self._close()
        self._names: list[str] = []
        self._text = ""
        if self.append and Path(self.filename).exists():
            with open(self.filename, newline="", encoding="utf-8") as file:
                self._text = file.read()
            self._names = next(csv.reader(io.StringIO(self._text, newline=""), delimiter=self.separator), [])
        # The file stays open between hooks. Each epoch's row is flushed when the epoch ends.
        path = Path(self.filename)
        self._file = path.open("a" if self.append else "w", newline="", encoding="utf-8")
        if self._text and not self._text.endswith(("\n", "\r")):
            self._write("\n")  # An interrupted writer or an editor left the last row without its end.

    def _write(self, text: str) -> None:
        """Write to the file, and keep the text for checkpoints, which come more often than the file should be read."""
        assert self._file is not None, "training begins first"
        self._file.write(text)
        self._text += text

    @override
    def state(self) -> dict[str, Any]:
        return {"names": self._names, "text": self._text}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        assert self._file is not None, "training begins first"
        self._names = state["names"]
        if state["text"] is not None and Path(self.filename).is_file():
            # The file may have rows of epochs that come again, and `on_train_begin` may have emptied it.
            self._file.seek(0)
            self._file.truncate()
            self._text = ""
            self._write(state["text"])
            self._file.flush()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's row, after the header in a new file."""
        assert self._file is not None, "training begins first"
        rows = io.StringIO(newline="")
        writer, numbers = csv.writer(rows, delimiter=self.separator), {"epoch": epoch} | (logs or {})
        if not self._names:
            # The first epoch may have no validation, so the header also has the names of later epochs.
            coming = (self.params or {}).get("metrics", [])
            self._names = ["epoch", *sorted({*(logs or {}), *coming})]
            writer.writerow(self._names)
        writer.writerow([numbers.get(name, "NA") for name in self._names])
        self._write(rows.getvalue())
        self._file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class ModelCheckpoint(Monitor):
    """Saves the model after each epoch or every `save_freq` steps, optionally only if it is the best so far.

    A file is replaced only when the new one is complete; see `Sequential.save` and `Sequential.save_weights`.

    Args:
        filepath: The file, such as "{epoch:02d}-{val_loss:.2f}.safetensors". The fields are `{epoch}` and `{batch}`,
            counted from 1, and the names in the logs. Missing folders are made.
        monitor: The name of the number that decides which model is the best.
        verbose: 1 prints a line for each file.
        save_best_only: Whether to save only if the number is better than all before.
        save_weights_only: Whether to save only the weights, without the optimizer and its state.
        mode: "min" or "max": whether lower or higher is better; "auto" decides by the name.
        save_freq: "epoch", or the number of steps between files.
        initial_value_threshold: With `save_best_only`, the first saved model must be better than this.

    Raises:
        ValueError, TypeError: If an argument is not valid, or `filepath` is named as a Keras file.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        self.save_best_only = checks.boolean(save_best_only, "save_best_only")
        if not save_best_only and mode == "auto":
            mode = "min"  # The number is not used, so its name may be unknown.
        super().__init__(monitor, mode)
        checks.model_path(filepath)  # Fail now instead of after the first epoch.
        if save_freq != "epoch" and isinstance(save_freq, str):
            raise ValueError(f"save_freq must be 'epoch' or a number of steps, not {quoted(save_freq)}")
        self.filepath, self.verbose = os.fspath(filepath), checks.verbosity(verbose)
        self.save_weights_only = checks.boolean(save_weights_only, "save_weights_only")
        self.save_freq = save_freq if isinstance(save_freq, str) else checks.integer(save_freq, "save_freq")
        self.best = checks.optional_number(initial_value_threshold, "initial_value_threshold")
        self._epoch = self._steps = 0

    def listens(self, hook: str) -> bool:
        """As `Callback.listens`, but to the end of batches only if `save_freq` is a number of steps."""
        return super().listens(hook) and (hook != "on_train_batch_end" or self.save_freq != "epoch")

    @override
    def state(self) -> dict[str, Any]:
        return {"best": self.best, "epoch": self._epoch, "steps": self._steps}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self._epoch, self._steps = state["best"], state["epoch"], state["steps"]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Store the number of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save every `save_freq` steps, counted across epochs."""
        if isinstance(self.save_freq, str):
            return
        self._steps += 1
        if self._steps >= self.save_freq:
            self._steps = 0
            self._save(logs, {"epoch": self._epoch + 1, "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save if `save_freq` is "epoch"."""
        if self.save_freq == "epoch":
            self._save(logs, {"epoch": epoch + 1})

    def _save(self, logs: Logs, place: dict[str, Any]) -> None:
        if self.save_best_only:
            value = self.value(logs)
            if value is not None and not self.improves(value, self.best):
                return
            self.best = self.best if value is None else value
        numbers = place | (logs or {})
        try:
            path = Path(self.filepath.format(**numbers))
        except KeyError as error:
            raise ValueError(
                f"filepath {quoted(self.filepath)} asks for {error}, but there is only: {', '.join(numbers)}"
            ) from None
        except (IndexError, ValueError) as error:
            raise ValueError(f"filepath {quoted(self.filepath)} cannot be filled in with {numbers}: {error}") from None
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose > 0:
            what = "weights are" if self.save_weights_only else "model is"
            say(f"Epoch {place['epoch']}: the {what} saved to {path}\n")
