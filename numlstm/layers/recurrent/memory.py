"""The state that a stateful layer keeps from batch to batch."""

from __future__ import annotations

from numlstm.kernels import Array

__all__ = ["StateMemory"]


class StateMemory:
    """The final state of the previous batch. The executor of a batch reads it first and writes it last.

    state: [B, H] arrays of the backend; None: zeros
    """

    def __init__(self) -> None:
        self.state: tuple[Array, ...] | None = None

    def check_rows(self, rows: int, name: str) -> None:
        """Check that a batch of this number of rows can continue from the state.

        Args:
            rows: B of the batch.
            name: Name of the layer, for the error message.

        Raises:
            ValueError: If the state has another number of rows.
        """
        if self.state is not None and self.state[0].shape[0] != rows:
            raise ValueError(
                f"layer {name!r} is stateful and holds the state of {self.state[0].shape[0]} rows, but a batch of "
                f"{rows} came: keep to one batch size, or call reset_states() in between"
            )
