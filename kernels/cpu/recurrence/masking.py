"""What the passes of all recurrent cells share."""

import numpy as np

NO_FLAGS, _NO_ROWS = np.empty((0, 0), np.bool_), np.empty(0, np.int64)


def masking(mask):
    """The mask as kernels take it, and each row's first valid step, or the number of steps; without a mask nothing."""
    if mask is None:
        return NO_FLAGS, _NO_ROWS
    return mask, np.where(mask.any(axis=0), mask.argmax(axis=0), len(mask))
