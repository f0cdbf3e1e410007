"""PyTorch and Keras as second opinions on connectionist temporal classification."""

from __future__ import annotations

import numpy as np
import pytest
from test_ctc_kernels import run
from witness import witness

import numlstm
from numlstm import backend as backends

torch = witness("torch")

STEPS = (1, 2, 3, 5, 8, 20, 60)


def cases():
    """300 batches: lengths of inputs and targets, repeats, one label, empty targets, and some of 1,000 steps."""
    random = np.random.default_rng(0)
    for number in range(300):
        B, V = int(random.integers(1, 5)), int(random.choice([2, 3, 6, 30]))
        T = 1000 if number % 60 == 0 else int(random.choice(STEPS))
        L = int(random.integers(0, min(T, 40) + 2))
        blank, lengths = int(random.integers(V)), random.integers(0, L + 1, B)
        labels = random.choice(np.delete(np.arange(V), blank), (B, L))
        if number % 3 == 0 and L:
            # Just enough steps, or one too few, for labels of which some are repeated.
            lengths = np.full(B, L)
            repeats = (labels[:, 1:] == labels[:, :-1]).sum(axis=1)
            T = max(1, L + int(repeats.max()) - number // 3 % 2)
        steps = random.integers(1, T + 1, B) if number % 2 else np.full(B, T)
        y = random.normal(size=(B, T, V)) * random.choice([0.3, 1.0, 5.0])
        yield y, labels, lengths, steps, blank


def torchs(y, labels, lengths, steps, blank):
    """(the sum of the losses, its gradient divided by B), in float64: PyTorch's float32 loses digits of long sums."""
    leaf = torch.tensor(y.astype("float64"), requires_grad=True)
    loss = torch.nn.functional.ctc_loss(
        leaf.log_softmax(dim=2).transpose(0, 1), torch.tensor(labels), torch.tensor(steps), torch.tensor(lengths),
        blank=blank, reduction="sum", zero_infinity=True,
    )  # fmt: skip
    loss.backward()
    return loss.item(), leaf.grad.numpy() / len(y)


def test_losses_and_gradients_are_torchs(dtype):
    cpu, bound = backends.load("cpu"), {"float32": 1e-5, "float64": 1e-10}[dtype]
    infinite = 0
    for y, labels, lengths, steps, blank in cases():
        y = y.astype(dtype)
        padded = np.where(np.arange(labels.shape[1]) < lengths[:, None], labels, -1)
        mask = np.arange(y.shape[1]) < steps[:, None]
        loss, dy = run(cpu, y, padded, None if mask.all() else mask, blank=blank, zero_infinity=True)
        expected, expected_dy = torchs(y, labels, lengths, steps, blank)
        infinite += run(cpu, y, padded, None if mask.all() else mask, blank=blank)[0] == np.inf
        assert loss == pytest.approx(expected, rel=bound, abs=bound)
        np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=bound * max(1e-2, abs(expected_dy).max()))
    assert 30 < infinite < 200


def test_the_loss_is_kerass():
    keras = witness("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras gives gradients through its torch backend: KERAS_BACKEND=torch")
    random = np.random.default_rng(0)
    y, labels = random.normal(size=(4, 12, 6)), random.integers(1, 6, (4, 5))
    labels[1, 3:] = labels[2, 1:] = 0
    leaf = torch.tensor(y, requires_grad=True)
    expected = keras.losses.CTC()(torch.tensor(labels), leaf)
    expected.backward()
    loss = numlstm.losses.CTC()
    assert loss.name == keras.losses.CTC().name
    total, dy = run(backends.load("cpu"), y, loss.check(labels, y.shape))
    assert total / len(y) == pytest.approx(expected.item(), rel=1e-6)
    np.testing.assert_allclose(dy, leaf.grad.numpy(), rtol=0, atol=1e-6)
