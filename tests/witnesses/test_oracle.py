"""The oracle of the recurrence, which all kernels are compared with: here others vouch for it."""

from __future__ import annotations

import numpy as np
import pytest
from differences import assert_gradient
from recurrent_case import Case
from recurrent_cells import CELLS, MASKS, PLAIN_AND_OPTIONS
from witness import witness


@pytest.mark.parametrize("mask_kind", [None, *MASKS])
@pytest.mark.parametrize(("cell_name", "option"), PLAIN_AND_OPTIONS, ids=str)
def test_gradients_are_those_of_central_differences(cell_name, option, mask_kind):
    case = Case(cell_name, 4, 3, 2, 5, mask_kind=mask_kind, **option)
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


def gru(torch, W, U, b, x, h_in, state):
    (z_x, r_x, n_x), (z_h, r_h, n_h) = (x @ W + b[0]).chunk(3, dim=1), (h_in @ U + b[1]).chunk(3, dim=1)
    z = torch.sigmoid(z_x + z_h)
    return (z * state[0] + (1 - z) * torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h),)


def gru_reset_before(torch, W, U, b, x, h_in, state):
    (z_x, r_x, n_x), (U_z, U_r, U_n) = (x @ W + b).chunk(3, dim=1), U.chunk(3, dim=1)
    z, r = torch.sigmoid(z_x + h_in @ U_z), torch.sigmoid(r_x + h_in @ U_r)
    return (z * state[0] + (1 - z) * torch.tanh(n_x + (r * h_in) @ U_n),)


STEPS = {"lstm": lstm, "simple_rnn": simple_rnn, "gru": gru, "gru_reset_before": gru_reset_before}


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
        new = STEPS[case.cell_name](torch, W, U, b, x[t], h_in, before)
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
@pytest.mark.parametrize("cell_name", CELLS)
def test_outputs_and_gradients_are_what_autograd_says(cell_name, mask_kind, option):
    torch = witness("torch")
    case = Case(cell_name, 7, 13, 3, 5, mask_kind=mask_kind, **option)
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


# The modules of others


def torch_order(array):
    """The blocks z, r, n as torch has them: r, z, n."""
    z, r, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, n], axis=-1)


def test_a_gru_is_torchs():
    torch = witness("torch")
    case = Case("gru", 6, 4, 3, 5)
    n = case.numbers
    module = torch.nn.GRU(case.F, case.H, dtype=torch.float64)
    parameters = module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0
    ours = torch_order(n["W"]).T, torch_order(n["U"]).T, *torch_order(n["b"])
    with torch.no_grad():
        for parameter, values in zip(parameters, ours, strict=True):
            parameter.copy_(torch.tensor(values.copy()))
    x, h0 = (torch.tensor(n[name], requires_grad=True) for name in ("x", "h0"))
    y, h = module(x, h0[None])
    torch.autograd.backward([y, h[0]], [torch.tensor(n["dy"]), torch.tensor(n["dh"])])

    actual = case.expected
    gradients = torch_order(actual["dW"]).T, torch_order(actual["dU"]).T, *torch_order(actual["db"])
    pairs = [(actual["y"], y), (actual["h"], h[0]), (actual["dx"], x.grad), (actual["dh0"], h0.grad)]
    pairs += [(gradient, parameter.grad) for gradient, parameter in zip(gradients, parameters, strict=True)]
    for values, expected in pairs:
        np.testing.assert_allclose(values, expected.detach().numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("zero_output", [False, True])
@pytest.mark.parametrize("mask_kind", [None, "left", "holes"])
@pytest.mark.parametrize("cell_name", ["gru", "gru_reset_before"])
def test_a_gru_is_keras(cell_name, mask_kind, zero_output):
    """To 1e-6, for Keras' own products of float64 numbers are those of float32 ones."""
    keras = witness("keras")
    case = Case(cell_name, 6, 4, 3, 5, mask_kind=mask_kind, zero_output=zero_output)
    n = case.numbers
    options = {"reset_after": cell_name == "gru", "zero_output_for_mask": zero_output}
    layer = keras.layers.GRU(case.H, return_sequences=True, return_state=True, dtype="float64", **options)
    layer.build((case.B, case.T, case.F))
    layer.set_weights([n["W"], n["U"], n["b"]])
    mask = None if case.mask is None else case.mask.T
    outputs = layer(n["x"].swapaxes(0, 1), mask=mask, initial_state=n["h0"])
    y, h = (keras.ops.convert_to_numpy(output) for output in outputs)
    bound = 1e-12 if cell_name == "gru" and mask_kind is None else 1e-6
    np.testing.assert_allclose(case.expected["y"], y.swapaxes(0, 1), rtol=0, atol=bound)
    np.testing.assert_allclose(case.expected["h"], h, rtol=0, atol=bound)
