"""The form of a mask that kernels take."""

import numpy as np

NO_FLAGS, _NO_ROWS = np.empty((0, 0), np.bool_), np.empty(0, np.int64)


def masking(mask):
    """Return the mask and each row's first valid step, or T where a row has none. Without a mask, both are empty."""
    if mask is None:
        return NO_FLAGS, _NO_ROWS
    return mask, np.where(mask.any(axis=0), mask.argmax(axis=0), len(mask))
