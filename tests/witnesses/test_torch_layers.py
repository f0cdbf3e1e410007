"""PyTorch's nn.LSTM, nn.RNN and nn.GRU in full, stacked, bidirectional and packed, beside our layers."""

from __future__ import annotations

import numpy as np
import pytest
from witness import witness

from numlstm.layers import GRU, LSTM, Bidirectional, SimpleRNN

torch = witness("torch")

B, T, F, H = 5, 7, 3, 6


def tensor(array, grad=False):
    return torch.tensor(np.array(array), requires_grad=grad)


def torch_order(array):
    """The blocks of a GRU, z, r, n, as torch has them: r, z, n."""
    z, r, n = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, n], axis=-1)


def as_torch_has_them(layer_name, arrays):
    """Our weights of one direction of one layer, or their gradients, as torch has them: one bias for an LSTM, RNN."""
    kernel, recurrent_kernel, bias = map(torch_order, arrays) if layer_name == "GRU" else arrays
    return [kernel.T, recurrent_kernel.T, *(bias if layer_name == "GRU" else [bias])]


def put(module, layer_name, weights, suffix):
    """Our weights of one direction of one layer in torch's module; an LSTM's and an RNN's second bias stays zero."""
    names = [f"{name}_{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    values = as_torch_has_them(layer_name, weights)
    with torch.no_grad():
        getattr(module, names[-1]).zero_()
        for name, weight in zip(names, values, strict=False):
            getattr(module, name).copy_(tensor(weight))
    return names[: len(values)]


LAYERS = {"LSTM": LSTM, "RNN": SimpleRNN, "GRU": GRU}


def make(layer_name, depth, both_ways, dtype):
    """Our layers, torch's module with the same weights, and its parameters' names in our order."""
    made = []
    for _ in range(depth):
        options = {"return_sequences": True, "return_state": True, "bias_initializer": "random_normal", "dtype": dtype}
        layer = LAYERS[layer_name](H, **options)
        made.append(Bidirectional(layer) if both_ways else layer)
    module = getattr(torch.nn, layer_name)(
        F, H, depth, batch_first=True, bidirectional=both_ways, dtype=getattr(torch, dtype)
    )
    names = []
    for number, layer in enumerate(made):
        layer.build((None, None, F if number == 0 else H * (1 + both_ways)))
        weights = layer.get_weights()
        for direction in range(1 + both_ways):
            share = weights[3 * direction : 3 * direction + 3]
            names += put(module, layer_name, share, f"l{number}{'_reverse' * direction}")
    return made, module, names


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("layer_name", LAYERS)
def test_outputs_states_and_all_gradients(dtype, layer_name, depth, both_ways, packed, assert_close):
    made, module, names = make(layer_name, depth, both_ways, dtype)
    random = np.random.default_rng(0)
    count = (2 if layer_name == "LSTM" else 1) * (1 + both_ways)
    x, initial = random.normal(size=(B, T, F)).astype(dtype), random.normal(size=(depth, count, B, H)).astype(dtype)
    lengths = np.array([4, 7, 1, 2, 6]) if packed else None

    outputs, states = x, []
    for layer, state in zip(made, initial, strict=True):
        outputs, *state = layer.forward(outputs, training=True, initial_state=list(state), lengths=lengths)
        states.append(state)
    dy, dstates = random.normal(size=outputs.shape), random.normal(size=(depth, count, B, H))
    gradient = dy
    for layer, dstate in zip(reversed(made), dstates[::-1], strict=True):
        gradient = layer.backward(gradient, dstate=list(dstate))

    # Ours: layer, then direction, then h and c. PyTorch's: h or c, then layer and direction.
    def theirs(array):
        parts = array.reshape(depth, 1 + both_ways, -1, B, H)
        return [parts[:, :, part].reshape(-1, B, H) for part in range(parts.shape[2])]

    given, begin = tensor(x, grad=True), [tensor(part, grad=True) for part in theirs(initial)]
    inputs = given
    if packed:
        inputs = torch.nn.utils.rnn.pack_padded_sequence(given, tensor(lengths), True, enforce_sorted=False)
    out, end = module(inputs, tuple(begin) if layer_name == "LSTM" else begin[0])
    if packed:
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=T)
    end = list(end) if layer_name == "LSTM" else [end]
    torch.autograd.backward(
        [out, *end], [tensor(dy.astype(dtype)), *map(tensor, (a.astype(dtype) for a in theirs(dstates)))]
    )

    def close(actual, expected, what):
        expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else expected
        assert_close(actual, expected, dtype, (4 * H + B) * T * depth, 16, what)

    close(outputs, out, "y")
    for part, (actual, expected) in enumerate(zip(theirs(np.array(states)), end, strict=True)):
        close(actual, expected, f"state {part}")
    close(gradient, given.grad, "dx")
    ours = np.array([layer.initial_state_gradients() for layer in made])
    for part, (actual, leaf) in enumerate(zip(theirs(ours), begin, strict=True)):
        close(actual, leaf.grad, f"initial state {part}")
    gradients = [gradient for layer in made for gradient in layer.gradients()]
    parts = [gradients[first : first + 3] for first in range(0, len(gradients), 3)]
    gradients = [gradient for part in parts for gradient in as_torch_has_them(layer_name, part)]
    for actual, name in zip(gradients, names, strict=True):
        close(actual, getattr(module, name).grad, name)
