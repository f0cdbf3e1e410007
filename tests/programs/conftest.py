"""What all programs share: the seed. README.md says which programs are here, and which are not yet."""

import numpy as np
import pytest

import numlstm


@pytest.fixture(autouse=True)
def _seeded():
    numlstm.set_seed(0)


@pytest.fixture
def random():
    """The generator of the data that replace a download."""
    return np.random.default_rng(0)
