"""The callbacks of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numlstm.callbacks.callback import Callback, Model
from numlstm.callbacks.record import History
from numlstm.callbacks.state import check_state
from numlstm.messages import quoted

__all__ = ["CallbackList"]


class CallbackList:
    """Calls a hook of several callbacks by its name.

    Args:
        callbacks: A callback, several callbacks, or None.
        model: The model of the callbacks.

    Raises:
        TypeError: If an item is not a callback.
    """

    def __init__(self, callbacks: Sequence[Callback] | Callback | None, model: Model) -> None:
        self._model = model
        self._callbacks = list(callbacks or ()) if callbacks is None or isinstance(callbacks, Iterable) else [callbacks]
        if bad := [callback for callback in self._callbacks if not isinstance(callback, Callback)]:
            raise TypeError(f"callbacks must be instances of numlstm.callbacks.Callback, not {quoted(bad[0])}")

    def begin(self, name: str, params: dict[str, Any]) -> None:
        """Give the callbacks their model and the settings of the run, and call the first hook."""
        for callback in self._callbacks:
            callback.set_model(self._model)
            callback.set_params(params)
        self.call(name, {})

    def begin_training(self, params: dict[str, Any]) -> History:
        """Begin a training: give the model a new history, clear its `stop_training`, and return the history."""
        history = History()
        history.set_model(self._model)
        history.set_params(params)
        self._model.history, self._model.stop_training = history, False
        self.begin("on_train_begin", params)
        return history

    @property
    def stop_training(self) -> bool:
        """Whether a callback has set the model's `stop_training`."""
        return self._model.stop_training

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._model.stop_training = stop

    def begin_test(self, params: dict[str, Any]) -> None:
        """Begin an evaluation: clear the model's `stop_evaluating`, and call the first hook."""
        self._model.stop_evaluating = False
        self.begin("on_test_begin", params)

    def begin_validation(self) -> None:
        """As `begin_test`, of callbacks that have the settings of the training."""
        self._model.stop_evaluating = False
        self.call("on_test_begin", {})

    @property
    def stop_evaluating(self) -> bool:
        """Whether a callback has set the model's `stop_evaluating`."""
        return self._model.stop_evaluating

    def begin_prediction(self, params: dict[str, Any]) -> None:
        """Begin a prediction: clear the model's `stop_predicting`, and call the first hook."""
        if self._callbacks:  # Threads that predict without callbacks write nothing to the model.
            self._model.stop_predicting = False
        self.begin("on_predict_begin", params)

    @property
    def stop_predicting(self) -> bool:
        """Whether a callback has set the model's `stop_predicting`."""
        return bool(self._callbacks) and self._model.stop_predicting

    @property
    def names(self) -> list[str]:
        """The names of the callbacks' classes."""
        return [type(callback).__name__ for callback in self._callbacks]

    def states(self) -> list[dict[str, Any]]:
        """The state of each callback, with the name of its class.

        Raises:
            TypeError: If a checkpoint cannot keep a state.
        """
        found = []
        for name, callback in zip(self.names, self._callbacks, strict=True):
            found.append({"class": name, "state": callback.state()})
            check_state(found[-1]["state"], name)
        return found

    def set_states(self, states: list[dict[str, Any]]) -> None:
        """Restore the result of `states`."""
        for callback, state in zip(self._callbacks, states, strict=True):
            callback.set_state(state["state"])

    def call(self, name: str, *arguments: Any) -> None:
        """Call a hook of every callback."""
        for callback in self._callbacks:
            getattr(callback, name)(*arguments)

    def listeners(self, name: str) -> list[Callable[..., None]]:
        """The hook of every callback that listens to it. If there is none, steps need not wait for their loss."""
        return [getattr(callback, name) for callback in self._callbacks if callback.listens(name)]
