"""The state that a stateful layer keeps from batch to batch."""

from __future__ import annotations

from numlstm.kernels import Array

__all__ = ["StateMemory"]


class StateMemory:
    """The final state of the previous batch. The executor of a batch reads it first and writes it last.

    state: [B, H] arrays of the backend; None: zeros
    batch_size: B, if the user has declared it; None: any
    """

    def __init__(self) -> None:
        self.state: tuple[Array, ...] | None = None
        self.batch_size: int | None = None

    def check_rows(self, rows: int, name: str) -> None:
        """Check that a batch of this number of rows can continue from the state.

        Args:
            rows: B of the batch.
            name: Name of the layer, for the error message.

        Raises:
            ValueError: If the state or the declared batch has another number of rows.
        """
        if self.batch_size not in (None, rows):
            raise ValueError(
                f"layer {name!r} is stateful and takes batches of {self.batch_size} rows, as its batch size says, but "
                f"one of {rows} came: give fit, evaluate and predict batch_size={self.batch_size}"
            )
        if self.state is not None and self.state[0].shape[0] != rows:
            raise ValueError(
                f"layer {name!r} is stateful and holds the state of {self.state[0].shape[0]} rows, but a batch of "
                f"{rows} came: drop or pad the last samples if the batch size does not divide their number, or "
                "call reset_states() before other data"
            )
