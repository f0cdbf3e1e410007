"""The oracle of the recurrence, which all kernels are compared with: here others vouch for it."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent_case import Case
from recurrent_kinds import KINDS, MASKS, PLAIN_AND_OPTIONS
from test_gradients import assert_gradient
from witness import witness


@pytest.mark.parametrize("mask_kind", [None, *MASKS])
@pytest.mark.parametrize(("kind", "option"), PLAIN_AND_OPTIONS, ids=str)
def test_gradients_are_those_of_central_differences(kind, option, mask_kind):
    case = Case(kind, 4, 3, 2, 5, mask_kind=mask_kind, **option)
    n = case.numbers

    def objective():
        trace = case.trace()
        outputs = zip(case.outputs, (trace.y, *trace.final), strict=True)
        return sum((values * n[f"d{name}"]).sum() for name, values in outputs)

    for name in ("W", "U", "b", "x", *case.initial):
        assert_gradient(case.expected[f"d{name}"], objective, n[name], f"{name} of {case}")


# Steps in torch operations, for its autograd: the state after one.


def lstm(torch, W, U, b, x, h_in, state):
    i, f, g, o = (x @ W + h_in @ U + b).chunk(4, dim=1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def simple_rnn(torch, W, U, b, x, h_in, state):
    return (torch.tanh(x @ W + h_in @ U + b),)


STEPS = {"lstm": lstm, "simple_rnn": simple_rnn}


def in_torch(torch, case, leaves):
    """All steps of a case: its outputs, and the final state."""
    W, U, b, x, *state = leaves
    steps = range(case.T)
    mask, reset, dropout = (None if a is None else torch.tensor(a) for a in given(case))
    y, outputs = torch.zeros_like(state[0]), []
    for t in steps:
        valid = torch.ones(case.B, 1, dtype=bool) if mask is None else mask[t][:, None]
        begins = torch.zeros(case.B, 1, dtype=bool) if reset is None else reset[t][:, None]
        before = [torch.where(begins, 0.0, part) for part in state]
        h_in = before[0] if dropout is None else before[0] * dropout
        new = STEPS[case.kind](torch, W, U, b, x[t], h_in, before)
        state = [torch.where(valid, after, part) for after, part in zip(new, before, strict=True)]
        y = torch.where(valid, new[0], 0.0 if case.zero_output else torch.where(begins, 0.0, y))
        outputs.append(y)
    return torch.stack(outputs), *state


def given(case):
    return case.mask, case.reset, case.recurrent_dropout


@pytest.mark.parametrize(
    "option",
    [{}, {"zero_output": True}, {"resets": True, "dropout": 0.4}, {"resets": True, "zero_output": True}],
    ids=str,
)
@pytest.mark.parametrize("mask_kind", [None, *MASKS])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_what_autograd_says(kind, mask_kind, option):
    torch = witness("torch")
    case = Case(kind, 7, 13, 3, 5, mask_kind=mask_kind, **option)
    names = ["W", "U", "b", "x", *case.initial]
    leaves = [torch.tensor(case.numbers[name], requires_grad=True) for name in names]
    outputs = in_torch(torch, case, leaves)
    torch.autograd.backward(outputs, [torch.tensor(case.numbers[f"d{name}"]) for name in case.outputs])
    expected = dict(zip(case.outputs, (output.detach().numpy() for output in outputs), strict=True))
    # What nothing depends on has no gradient.
    gradients = [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]
    expected |= {f"d{name}": gradient for name, gradient in zip(names, gradients, strict=True)}
    assert expected.keys() == case.expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(case.expected[name], values, rtol=1e-10, atol=1e-12, err_msg=name)
