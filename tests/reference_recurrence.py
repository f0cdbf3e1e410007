"""The oracle of the recurrence: the passes of every cell in float64 NumPy, sharing no code with the kernels.

A cell is two functions of one step, forward and backward. Two loops over time, `forward` and `backward`, call them for
every cell and know the options of the sequence: mask, resets, dropout of h', zero output.

Notation as in `numlstm.kernels`: T time, B batch, F features, H hidden units; h', c' are the states of the step before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from reference import ACTIVATIONS


@dataclass
class Options:
    """The options of a sequence, then those of a cell.

    mask: [T, B] bool, True where a step counts
    state: the initial state, a [B, H] for each of its parts
    reset: [T, B] bool, True where a row begins anew
    dropout: [B, H] multipliers of the h' that U meets
    zero_output: whether the outputs of masked steps are zeros
    """

    mask: np.ndarray | None = None
    state: tuple | None = None
    reset: np.ndarray | None = None
    dropout: np.ndarray | None = None
    zero_output: bool = False
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"


@dataclass
class Step:
    """What one step takes and makes of it.

    x: [B, F], zeros in masked rows
    state: the state before the step, after a reset: a [B, H] for each part
    h_in: [B, H] the h' that U meets
    new: the state after the step, as if no row were masked
    gates: by letter, [B, H]
    z: [B, GH] pre-activations
    product: [B, H] what the reset gate of a GRU multiplies
    """

    x: np.ndarray
    state: list
    h_in: np.ndarray
    new: tuple = ()
    gates: dict = field(default_factory=dict)
    z: np.ndarray | None = None
    product: np.ndarray | None = None


@dataclass
class StepGradients:
    """What one step gives back.

    z: [B, GH] the gradient of the pre-activations
    recurrent_kernel, bias: its share of dU and db
    h_in: [B, H] the gradient of the h' that U met
    state: the gradients of the state before, beside that
    """

    z: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    h_in: np.ndarray
    state: tuple


@dataclass
class Trace:
    """Everything that a pass computes.

    y: [T, B, H] outputs
    states: by letter, [T + 1, B, H], the initial state at index 0
    gates: by letter, [T, B, H], zeros at masked steps
    """

    y: np.ndarray
    states: dict
    gates: dict = field(default_factory=dict)
    steps: list = field(default_factory=list)

    @property
    def final(self):
        """The state after the last step."""
        return tuple(part[-1] for part in self.states.values())


@dataclass
class Gradients:
    """The gradients of a pass, shaped as what they belong to."""

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    x: np.ndarray
    state: tuple


# LSTM: the gates i, f, g, o


def lstm_forward(W, U, b, step, options):
    """c = f ⊙ c' + i ⊙ g,  h = o ⊙ φ(c)."""
    (act, _), (gate_act, _) = ACTIVATIONS[options.activation], ACTIVATIONS[options.recurrent_activation]
    step.z = step.x @ W + step.h_in @ U + b
    z_i, z_f, z_g, z_o = np.split(step.z, 4, axis=1)
    i, f, g, o = gate_act(z_i), gate_act(z_f), act(z_g), gate_act(z_o)
    c = f * step.state[1] + i * g
    step.gates = {"i": i, "f": f, "g": g, "o": o}
    step.new = o * act(c), c


def lstm_backward(W, U, step, dstate, options):
    """dc = dh ⊙ o ⊙ φ'(c) + dc'' ⊙ f'', and from it the gradient of every gate."""
    (act, d_act), (_, d_gate_act) = ACTIVATIONS[options.activation], ACTIVATIONS[options.recurrent_activation]
    i, f, g, o = step.gates.values()
    z_i, z_f, z_g, z_o = np.split(step.z, 4, axis=1)
    (_, c), (dh, dc) = step.new, dstate
    dc = dc + dh * o * d_act(c)
    di, df, dg, do = dc * g, dc * step.state[1], dc * i, dh * act(c)
    dz = np.concatenate([di * d_gate_act(z_i), df * d_gate_act(z_f), dg * d_act(z_g), do * d_gate_act(z_o)], axis=1)
    return StepGradients(dz, step.h_in.T @ dz, dz.sum(axis=0), dz @ U.T, (0.0, dc * f))


# Elman's network


def simple_rnn_forward(W, U, b, step, options):
    """h = φ(x W + h' U + b)."""
    step.z = step.x @ W + step.h_in @ U + b
    step.new = (ACTIVATIONS[options.activation][0](step.z),)


def simple_rnn_backward(W, U, step, dstate, options):
    """dz = dh ⊙ φ'(z)."""
    dz = dstate[0] * ACTIVATIONS[options.activation][1](step.z)
    return StepGradients(dz, step.h_in.T @ dz, dz.sum(axis=0), dz @ U.T, (0.0,))


# GRU: the gates z, r, n. The reset gate meets the product with U, or h' before U does.


def gru_forward(W, U, b, step, options, reset_after=True):
    """h = z ⊙ h' + (1 - z) ⊙ n."""
    (act, _), (gate_act, _) = ACTIVATIONS[options.activation], ACTIVATIONS[options.recurrent_activation]
    H = len(U)
    b_w, b_u = b if np.ndim(b) == 2 else (b, np.zeros(3 * H))
    of_x = step.x @ W + b_w
    z_zr = of_x[:, : 2 * H] + step.h_in @ U[:, : 2 * H] + b_u[: 2 * H]
    z, r = gate_act(z_zr[:, :H]), gate_act(z_zr[:, H:])
    if reset_after:
        step.product = step.h_in @ U[:, 2 * H :] + b_u[2 * H :]
        z_n = of_x[:, 2 * H :] + r * step.product
    else:
        z_n = of_x[:, 2 * H :] + (r * step.h_in) @ U[:, 2 * H :]
    n = act(z_n)
    step.z = np.concatenate([z_zr, z_n], axis=1)
    step.gates = {"z": z, "r": r, "n": n}
    step.new = (z * step.state[0] + (1 - z) * n,)


def gru_backward(W, U, step, dstate, options, reset_after=True):
    """dh' = dh ⊙ z beside what comes back through the products."""
    (_, d_act), (_, d_gate_act) = ACTIVATIONS[options.activation], ACTIVATIONS[options.recurrent_activation]
    H = len(U)
    (dh,), (h,) = dstate, step.state
    z, r, n = step.gates.values()
    z_z, z_r, z_n = np.split(step.z, 3, axis=1)
    dz_z, dz_n = dh * (h - n) * d_gate_act(z_z), dh * (1 - z) * d_act(z_n)
    if reset_after:
        dz_r = dz_n * step.product * d_gate_act(z_r)
        dz, of_u = (np.concatenate([dz_z, dz_r, last], axis=1) for last in (dz_n, dz_n * r))
        db = np.stack([dz.sum(axis=0), of_u.sum(axis=0)])
        return StepGradients(dz, step.h_in.T @ of_u, db, of_u @ U.T, (dh * z,))
    d_reset = dz_n @ U[:, 2 * H :].T
    dz_zr = np.concatenate([dz_z, d_reset * step.h_in * d_gate_act(z_r)], axis=1)
    dz = np.concatenate([dz_zr, dz_n], axis=1)
    dU = np.concatenate([step.h_in.T @ dz_zr, (r * step.h_in).T @ dz_n], axis=1)
    return StepGradients(dz, dU, dz.sum(axis=0), dz_zr @ U[:, : 2 * H].T + d_reset * r, (dh * z,))


def gru_reset_before_forward(W, U, b, step, options):
    gru_forward(W, U, b, step, options, reset_after=False)


def gru_reset_before_backward(W, U, step, dstate, options):
    return gru_backward(W, U, step, dstate, options, reset_after=False)


CELLS = {  # name: (its step forward, its step backward, the letters of its state)
    "lstm": (lstm_forward, lstm_backward, "hc"),
    "simple_rnn": (simple_rnn_forward, simple_rnn_backward, "h"),
    "gru": (gru_forward, gru_backward, "h"),
    "gru_reset_before": (gru_reset_before_forward, gru_reset_before_backward, "h"),
}


def forward(cell, W, U, b, x, options=None):
    """All steps of a cell.

    W: [F, GH]   U: [H, GH]   b: of the bias' shape, or None   x: [T, B, F]
    """
    options = options or Options()
    run, _, letters = CELLS[cell]
    T, B, _ = x.shape
    H = U.shape[0]
    W, U, x = (np.asarray(array, np.float64) for array in (W, U, x))
    b = 0.0 if b is None else np.asarray(b, np.float64)
    mask, reset, dropout = sequence_options(options, T, B)
    trace = Trace(np.zeros((T, B, H)), {letter: np.zeros((T + 1, B, H)) for letter in letters})
    states = trace.states.values()
    if options.state is not None:
        for part, initial in zip(states, options.state, strict=True):
            part[0] = initial
    repeated = np.zeros((B, H))
    for t in range(T):
        valid, begins = mask[t][:, None], reset[t][:, None]
        before = [np.where(begins, 0.0, part[t]) for part in states]
        step = Step(np.where(valid, x[t], 0.0), before, before[0] * dropout)
        run(W, U, b, step, options)
        for part, new, old in zip(states, step.new, before, strict=True):
            part[t + 1] = np.where(valid, new, old)
        for letter, gate in step.gates.items():
            trace.gates.setdefault(letter, np.zeros((T, B, H)))[t] = np.where(valid, gate, 0.0)
        repeated = np.where(valid, step.new[0], np.where(begins, 0.0, repeated))
        trace.y[t] = np.where(valid, step.new[0], 0.0) if options.zero_output else repeated
        trace.steps.append(step)
    return trace


def backward(cell, W, U, trace, dy, dstate=None, options=None):
    """The forward pass reversed.

    dy: [T, B, H] the gradient of the outputs
    dstate: the gradient of the final state, a [B, H] for each part, or None for zeros
    """
    options = options or Options()
    _, run, letters = CELLS[cell]
    T, B, H = dy.shape
    W, U = np.asarray(W, np.float64), np.asarray(U, np.float64)
    mask, reset, dropout = sequence_options(options, T, B)
    dstate = [np.zeros((B, H)) for _ in letters] if dstate is None else [np.array(part, np.float64) for part in dstate]
    gradients = Gradients(np.zeros_like(W), np.zeros_like(U), 0.0, np.zeros((T, B, len(W))), ())
    # What the masked steps ask of the output that they repeat. It reaches h only at a valid step: before a row's first
    # valid step, and after a reset, the outputs are zeros, so what is left of it then belongs to nobody, the initial
    # state included.
    d_repeated = np.zeros((B, H))
    for t in reversed(range(T)):
        valid, begins = mask[t][:, None], reset[t][:, None]
        d_output = np.where(valid, dy[t], 0.0) if options.zero_output else dy[t] + d_repeated
        d_repeated = np.where(valid | begins, 0.0, d_output)
        d_new = [np.where(valid, part + (d_output if index == 0 else 0.0), 0.0) for index, part in enumerate(dstate)]
        step = trace.steps[t]
        given = run(W, U, step, d_new, options)
        gradients.kernel += step.x.T @ given.z
        gradients.recurrent_kernel += given.recurrent_kernel
        gradients.bias = gradients.bias + given.bias
        gradients.x[t] = given.z @ W.T
        d_before = [part + (given.h_in * dropout if index == 0 else 0.0) for index, part in enumerate(given.state)]
        dstate = [
            np.where(begins, 0.0, np.where(valid, before, after))
            for before, after in zip(d_before, dstate, strict=True)
        ]
    gradients.state = tuple(dstate)
    return gradients


def sequence_options(options, T, B):
    """Mask, resets and dropout, with what has the effect of none for None."""
    mask = np.ones((T, B), bool) if options.mask is None else options.mask
    reset = np.zeros((T, B), bool) if options.reset is None else options.reset
    return mask, reset, 1.0 if options.dropout is None else np.asarray(options.dropout, np.float64)
