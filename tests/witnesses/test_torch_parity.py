"""PyTorch as a second opinion: outputs, states, gradients, and ten training steps from identical weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from recurrent_case import Case, Run
from witness import witness

import numlstm
import numlstm.kernels.cpu as cpu
from numlstm import Sequential, optimizers
from numlstm.layers import GRU, LSTM, Dense

torch = witness("torch")


def tensor(array, grad=False):
    return torch.tensor(np.array(array), requires_grad=grad)


def torch_lstm(layer):
    """nn.LSTM with the weights of a layer: torch's second bias stays zero and untrained."""
    kernel, recurrent_kernel, bias = layer.get_weights()
    F, H = kernel.shape[0], recurrent_kernel.shape[0]
    module = torch.nn.LSTM(F, H, batch_first=True, dtype=getattr(torch, str(kernel.dtype)))
    with torch.no_grad():
        module.weight_ih_l0.copy_(tensor(kernel.T))
        module.weight_hh_l0.copy_(tensor(recurrent_kernel.T))
        module.bias_ih_l0.copy_(tensor(bias))
        module.bias_hh_l0.zero_()
    module.bias_hh_l0.requires_grad_(False)
    return module


def torch_gru(layer):
    """nn.GRU with the weights of a layer, both biases among them."""
    kernel, recurrent_kernel, bias = map(torch_order, layer.get_weights())
    module = torch.nn.GRU(*kernel.shape[:1], len(recurrent_kernel), batch_first=True, dtype=tensor(kernel).dtype)
    parameters = module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0
    with torch.no_grad():
        for parameter, values in zip(parameters, (kernel.T, recurrent_kernel.T, *bias), strict=True):
            parameter.copy_(tensor(values))
    return module


def torch_order(array):
    """The blocks of a GRU, z, r, n, as torch has them: r, z, n."""
    z, r, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, n], axis=-1)


def torch_dense(layer):
    kernel, bias = layer.get_weights()
    module = torch.nn.Linear(*kernel.shape, dtype=getattr(torch, str(kernel.dtype)))
    with torch.no_grad():
        module.weight.copy_(tensor(kernel.T))
        module.bias.copy_(tensor(bias))
    return module


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("shape", [(3, 10, 1, 50), (17, 5, 34, 13), (1, 31, 7, 65)], ids=str)
def test_outputs_states_and_gradients(dtype, shape, last_only, assert_close):
    B, T, F, H = shape
    random = np.random.default_rng(shape)
    layer = LSTM(H, return_sequences=not last_only, return_state=True, bias_initializer="random_normal", dtype=dtype)
    x, h0, c0 = (random.normal(size=s).astype(dtype) for s in ((B, T, F), (B, H), (B, H)))
    y, h, c = layer.forward(x, training=True, initial_state=[h0, c0])
    dy, dh, dc = (random.normal(size=a.shape).astype(dtype) for a in (y, h, c))
    dx = layer.backward(dy, dstate=[dh, dc])
    dW, dU, db = layer.gradients()
    dh0, dc0 = layer.initial_state_gradients()

    module = torch_lstm(layer)
    inputs = tensor(x, grad=True), tensor(h0, grad=True), tensor(c0, grad=True)
    out, (h_n, c_n) = module(inputs[0], (inputs[1][None], inputs[2][None]))
    out = out[:, -1] if last_only else out
    torch.autograd.backward([out, h_n[0], c_n[0]], [tensor(dy), tensor(dh), tensor(dc)])

    def close(actual, expected, what, factor):
        assert_close(actual, expected.detach().numpy(), dtype, (4 * H + B) * T, factor, what)

    for what, actual, expected in [("y", y, out), ("h", h, h_n[0]), ("c", c, c_n[0])]:
        close(actual, expected, what, factor=4)
    for what, actual, expected in [
        ("dx", dx, inputs[0].grad),
        ("dh0", dh0, inputs[1].grad),
        ("dc0", dc0, inputs[2].grad),
        ("dW", dW, module.weight_ih_l0.grad.T),
        ("dU", dU, module.weight_hh_l0.grad.T),
        ("db", db, module.bias_ih_l0.grad),
    ]:
        close(actual, expected, what, factor=8)


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("shape", [(10, 3, 1, 50), (5, 17, 34, 13), (31, 1, 7, 65)], ids=str)
def test_elmans_network(dtype, shape, activation, last_only, assert_close):
    """nn.RNN, whose second bias is zero, beside the kernels."""
    case = Case("simple_rnn", *shape, dtype, activation=activation, last_only=last_only)
    n, (T, B, F, H) = case.numbers, shape
    results = Run(cpu, case).both()

    module = torch.nn.RNN(F, H, nonlinearity=activation, dtype=getattr(torch, dtype))
    with torch.no_grad():
        module.weight_ih_l0.copy_(tensor(n["W"].T))
        module.weight_hh_l0.copy_(tensor(n["U"].T))
        module.bias_ih_l0.copy_(tensor(n["b"]))
        module.bias_hh_l0.zero_()
    x, h0 = tensor(n["x"], grad=True), tensor(n["h0"], grad=True)
    out, h = module(x, h0[None])
    out = out[-1:] if last_only else out
    torch.autograd.backward([out, h[0]], [tensor(n["dy"]), tensor(n["dh"])])

    expected = {"y": out, "h": h[0], "dx": x.grad, "dh0": h0.grad, "dW": module.weight_ih_l0.grad.T}
    expected |= {"dU": module.weight_hh_l0.grad.T, "db": module.bias_ih_l0.grad}
    assert expected.keys() == results.keys()
    for what, values in expected.items():
        assert_close(results[what], values.detach().numpy(), dtype, (H + F + B) * T, 8, what)


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("shape", [(10, 3, 1, 50), (5, 17, 34, 13), (31, 1, 7, 65)], ids=str)
def test_gru(dtype, shape, last_only, assert_close):
    """nn.GRU beside the kernels, which have its two biases."""
    case = Case("gru", *shape, dtype, last_only=last_only)
    n, (T, B, F, H) = case.numbers, shape
    results = Run(cpu, case).both()

    module = torch.nn.GRU(F, H, dtype=getattr(torch, dtype))
    parameters = module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0
    with torch.no_grad():
        ours = torch_order(n["W"]).T, torch_order(n["U"]).T, *torch_order(n["b"])
        for parameter, values in zip(parameters, ours, strict=True):
            parameter.copy_(tensor(values))
    x, h0 = tensor(n["x"], grad=True), tensor(n["h0"], grad=True)
    out, h = module(x, h0[None])
    out = out[-1:] if last_only else out
    torch.autograd.backward([out, h[0]], [tensor(n["dy"]), tensor(n["dh"])])

    pairs = {"y": out, "h": h[0], "dx": x.grad, "dh0": h0.grad}
    pairs = {what: (results[what], values) for what, values in pairs.items()}
    gradients = torch_order(results["dW"]).T, torch_order(results["dU"]).T, *torch_order(results["db"])
    names = "dW", "dU", "db of W", "db of U"
    pairs |= {
        what: (gradient, parameter.grad) for what, gradient, parameter in zip(names, gradients, parameters, strict=True)
    }
    for what, (actual, values) in pairs.items():
        assert_close(actual, values.detach().numpy(), dtype, (3 * H + F + B) * T, 8, what)


def log_cosh(y, target, reduction):
    return (y - target).cosh().log().mean(dim=1)


def gaussian_nll(y, target, reduction):
    mean, log_variance = y.chunk(2, dim=1)
    nll = torch.nn.functional.gaussian_nll_loss
    return nll(mean, target, log_variance.exp(), full=True, reduction="none").mean(dim=1)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        ("mse", (), torch.nn.functional.mse_loss),
        ("mae", (), torch.nn.functional.l1_loss),
        ("huber", (1.0,), torch.nn.functional.huber_loss),
        ("log_cosh", (), log_cosh),
        ("gaussian_nll", (), gaussian_nll),
        ("binary_crossentropy", (True, 0.0), torch.nn.functional.binary_cross_entropy_with_logits),
        ("binary_crossentropy", (False, 0.0), torch.nn.functional.binary_cross_entropy),
        ("categorical_crossentropy", (True, 0.0), torch.nn.functional.cross_entropy),
        ("sparse_categorical_crossentropy", (True,), torch.nn.functional.cross_entropy),
    ],
)
def test_the_losses_of_the_oracle_are_torchs(name, options, theirs, is_weighted):
    random = np.random.default_rng(1)
    y, target = random.normal(size=(2, 13, 6))
    weights = random.uniform(0.5, 2, 13) if is_weighted else None
    if "crossentropy" in name:
        target = random.dirichlet(np.ones(6), 13)
        y = y if options[0] else 1 / (1 + np.exp(-y))
    if name.startswith("sparse"):
        target = random.integers(6, size=13)
    if name == "gaussian_nll":
        target = target[:, :3]
    leaf = tensor(y, grad=True)
    losses = theirs(leaf, tensor(target), reduction="none")
    losses = losses.mean(dim=1) if losses.ndim == 2 else losses
    losses = losses if weights is None else losses * tensor(weights)
    losses.mean().backward()
    loss, dy = getattr(reference, name)(y, target, weights, *options)
    assert loss == pytest.approx(losses.sum().item(), rel=1e-12)
    np.testing.assert_allclose(dy, leaf.grad.numpy(), rtol=1e-11, atol=1e-15)


def adam(parameters):
    """torch adds epsilon to the corrected root, Keras to the uncorrected one: the same once epsilon is scaled."""
    optimizer = torch.optim.Adam(parameters, lr=0.01, betas=(0.9, 0.999))

    def step(number):
        optimizer.param_groups[0]["eps"] = 1e-7 / math.sqrt(1 - 0.999**number)
        optimizer.step()

    return optimizers.Adam(learning_rate=0.01), step


def sgd(parameters, nesterov=False):
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=nesterov)
    return optimizers.SGD(learning_rate=0.05, momentum=0.9, nesterov=nesterov), lambda number: optimizer.step()


def nesterov(parameters):
    return sgd(parameters, nesterov=True)


def rmsprop(parameters):
    """Keras has epsilon inside the root, torch outside: the same once it is next to nothing."""
    optimizer = torch.optim.RMSprop(parameters, lr=0.01, alpha=0.9, eps=1e-15)
    return optimizers.RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-30), lambda number: optimizer.step()


def clipped_sgd(parameters):
    parameters, limit = list(parameters), 0.05
    optimizer = torch.optim.SGD(parameters, lr=0.5)

    def step(number):
        norm = torch.sqrt(sum((p.grad**2).sum() for p in parameters))
        assert norm > limit, "there is nothing to clip, so this compares nothing"
        for p in parameters:
            p.grad *= limit / norm
        optimizer.step()

    return optimizers.SGD(learning_rate=0.5, global_clipnorm=limit), step


@pytest.mark.parametrize("optimizer", [adam, sgd, nesterov, rmsprop, clipped_sgd], ids=lambda f: f.__name__)
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("layer_class", "theirs"), [(LSTM, torch_lstm), (GRU, torch_gru)], ids=["LSTM", "GRU"])
def test_ten_training_steps_give_torchs_losses(dtype, optimizer, depth, layer_class, theirs):
    B, T, F, H = 13, 10, 2, 17
    numlstm.set_seed(0)  # Other weights may have a gradient that is next to nothing, of which RMSprop makes much.
    random = np.random.default_rng(3)
    x, target = random.normal(size=(10, B, T, F)).astype(dtype), random.normal(size=(10, B, 1)).astype(dtype)
    model = Sequential(
        [layer_class(H, return_sequences=layer < depth - 1, dtype=dtype) for layer in range(depth)]
        + [Dense(1, dtype=dtype)]
    )
    model.build((None, T, F))
    *recurrent, dense = model.layers
    modules = [*map(theirs, recurrent), torch_dense(dense)]
    ours, step = optimizer([p for m in modules for p in m.parameters() if p.requires_grad])
    model.compile(optimizer=ours, loss="mse")

    losses, expected = [], []
    for number in range(10):
        losses.append(model.train_on_batch(x[number], target[number]))
        out = tensor(x[number])
        for module in modules[:-1]:
            out, _ = module(out)
        loss = torch.nn.functional.mse_loss(modules[-1](out[:, -1]), tensor(target[number]))
        for module in modules:
            module.zero_grad()
        loss.backward()
        step(number + 1)
        expected.append(loss.item())
    np.testing.assert_allclose(losses, expected, rtol={"float32": 2e-5, "float64": 1e-9}[dtype])
    if dtype == "float32":
        return  # RMSprop divides gradients by themselves, those too that are nothing but rounding.
    for layer, module in zip(recurrent, modules[:-1], strict=True):
        kernel, recurrent_kernel, bias = (
            map(torch_order, layer.get_weights()) if layer_class is GRU else layer.get_weights()
        )
        wanted = module.weight_ih_l0.T, module.weight_hh_l0.T, module.bias_ih_l0, module.bias_hh_l0
        biases = bias if layer_class is GRU else (bias, 0 * bias)
        for actual, weight in zip((kernel, recurrent_kernel, *biases), wanted, strict=True):
            np.testing.assert_allclose(actual, weight.detach().numpy(), atol=1e-7)
