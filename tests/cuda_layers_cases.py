"""The library's layers on CUDA: the bodies of the other backends' tests and small stacks, against the CPU.

Like `cuda_cases.py`, run by `test_cuda_simulator.py`.
"""

from __future__ import annotations

import pytest
import test_elementwise_kernels

import numlstm.kernels.cuda as cuda


@pytest.fixture
def backend():
    return cuda


def test_add_and_multiply(backend, dtype):
    test_elementwise_kernels.test_add_and_multiply(backend, dtype, (3, 2, 5), 0.5)


def test_select(backend, dtype):
    for in_place in (False, True):
        test_elementwise_kernels.test_select(backend, dtype, (7, 5), in_place)


def test_repeat_and_its_way_back(backend, dtype, assert_close):
    test_elementwise_kernels.test_repeat_and_its_way_back(backend, dtype, 3, 4, 5, assert_close)
