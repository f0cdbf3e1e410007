"""What is true of the passes of every cell on every backend, each for a case: the tests choose the sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from differences import assert_gradient
from recurrent_case import Run, assert_same, compare, threads


def a_pass_agrees_with_the_oracle(backend, case, assert_close):
    """Forward and backward, in everything that they give; and the kernels that ran are those for the case."""
    # Kernels may not write into what they read: the numbers are compared with copies afterwards.
    before = {name: values.copy() for name, values in case.numbers.items()}
    run = Run(backend, case)
    results = run.both()
    for name, values in case.numbers.items():
        np.testing.assert_array_equal(values, before[name], err_msg=f"the kernel changed its input {name}")
    assert results.keys() == case.expected.keys()
    compare(results, case, assert_close)
    assert run.trace.kernel_name.endswith(", with options") == case.with_options
    return run, results


def gradients_are_those_of_differences(backend, case):
    gradients, n = Run(backend, case).both(), case.numbers

    def objective():
        results = Run(backend, case, training=False).forward()
        return sum((results[name] * n[f"d{name}"]).sum() for name in case.outputs)

    for name in ("W", "U", "b", "x", *case.initial):
        assert_gradient(gradients[f"d{name}"], objective, n[name], f"{name} of {case}")


def without_steps_the_state_stays(backend, case):
    assert case.T == 0
    results = Run(backend, case).both()
    for letter in case.cell.states:
        np.testing.assert_array_equal(results[letter], case.numbers[f"{letter}0"])
        np.testing.assert_array_equal(results[f"d{letter}0"], case.numbers[f"d{letter}"])
    for name in ("dW", "dU", "db"):
        assert (results[name] == 0).all()


def inference_has_the_bits_of_training(backend, case):
    inference = Run(backend, case, training=False)
    assert_same(inference.forward(), Run(backend, case, training=True).forward())
    return inference


def two_runs_have_the_same_bits(backend, case):
    assert_same(Run(backend, case).both(), Run(backend, case).both())


def a_trace_serves_again(backend, first):
    """Nothing of the first pass is felt in the second: neither its initial state nor its mask nor its options."""
    run, fresh = Run(backend, first), Run(backend, first)
    run.both()
    fresh.case = run.case = replace(first, mask_kind=None, resets=False, dropout=0, state=False, seed=1)
    assert_same(run.both(), fresh.both())


def a_state_is_its_own(backend, case):
    run = Run(backend, case)
    run.forward()
    state = run.state
    before = [backend.to_host(part).copy() for part in state]
    run.case = replace(case, seed=1)
    run.forward()
    for part, values in zip(state, before, strict=True):
        np.testing.assert_array_equal(backend.to_host(part), values)


def changed_weights_are_packed_anew(backend, case, assert_close):
    run = Run(backend, case)
    run.both()
    run.case = replace(case, seed=1)
    for array, name in zip((run.weights.kernel, run.weights.recurrent_kernel, run.weights.bias), "WUb", strict=True):
        backend.copy(array, run.case.numbers[name])
    run.weights.version.advance()
    compare(run.both(), run.case, assert_close)


def a_masked_step_is_never_read(backend, case, junk):
    clean, dirty = replace(case), replace(case)
    clean.numbers["x"][~clean.mask] = 0
    dirty.numbers["x"][~dirty.mask] = junk
    results = Run(backend, dirty).both()
    assert_same(Run(backend, clean).both(), results)
    assert (results["dx"][~dirty.mask] == 0).all()


def nan_stays_in_its_row(backend, case, bad):
    """NaN that enters a row at one step: the rest of the row is NaN, and nothing else is."""
    clean, at = replace(case), case.T // 2
    case.numbers["x"][at, bad, case.F - 1] = np.nan
    results, expected = Run(backend, case).both(), Run(backend, clean).both()
    others = np.arange(case.B) != bad
    for name in ("y", "dx"):
        np.testing.assert_array_equal(results[name][:, others], expected[name][:, others])
    for letter in case.cell.states:
        for name in (letter, f"d{letter}0"):
            np.testing.assert_array_equal(results[name][others], expected[name][others])
        assert np.isnan(results[letter][bad]).all()
    assert np.isnan(results["y"][at:, bad]).all()
    np.testing.assert_array_equal(results["y"][:at, bad], expected["y"][:at, bad])


def huge_inputs_saturate(backend, case, scale, assert_close):
    for name, values in case.numbers.items():
        case.numbers[name] = np.clip(values, -1, 1).astype(case.dtype)
    signs = np.sign(case.numbers["x"])
    # Where the weights of a sum cancelled, the bias alone would count, but be lost in what cancels.
    assert np.abs(signs.astype(np.float64) @ case.numbers["W"]).min() > 1e-7, "choose another seed"
    case.numbers["x"] = (signs * scale).astype(case.dtype)
    results = Run(backend, case).both()
    assert all(np.isfinite(a).all() for name, a in results.items() if name != "dW")
    assert (np.abs(results["y"]) <= 1).all()
    compare({name: results[name] for name in case.outputs}, case, assert_close)


def a_row_has_the_same_bits_in_every_batch(backend, whole, batches):
    results = Run(backend, whole).both()
    for rows in batches:
        alone = Run(backend, whole.of_rows(rows)).both()
        for name in ("y", "dx"):
            np.testing.assert_array_equal(alone[name], results[name][:, rows])
        for letter in whole.cell.states:
            for name in (letter, f"d{letter}0"):
                np.testing.assert_array_equal(alone[name], results[name][rows])


def the_number_of_threads_changes_nothing(backend, case, counts):
    """The results of all the counts."""
    results = []
    for count in sorted(counts):
        with threads(count):
            results.append(Run(backend, case).both())
    for other in results[1:]:
        assert_same(results[0], other)
    return results[0]


def options_that_change_nothing_leave_the_bits(backend, plain):
    """So the kernels with options compute what the plain ones do."""
    case = replace(plain, resets=True, dropout=0.4)
    case.reset[:], case.recurrent_dropout[:] = False, 1
    without, with_options = Run(backend, plain), Run(backend, case)
    assert_same(without.both(), with_options.both())
    assert with_options.trace.kernel_name == f"{without.trace.kernel_name}, with options"


def a_reset_begins_another_sequence(backend, whole, at):
    """Forward to the bit, and no gradient crosses it."""
    letters, ends = whole.cell.states, (slice(0, at), slice(at, whole.T))
    whole.reset[:] = False
    whole.reset[at] = True
    whole.numbers["dy"][at:] = 0
    parts = [replace(whole, T=at, resets=False), replace(whole, T=whole.T - at, resets=False, state=False)]
    for part, steps in zip(parts, ends, strict=True):
        part.numbers.update({name: values for name, values in whole.numbers.items() if name not in ("x", "dy")})
        part.numbers.update({name: whole.numbers[name][steps] for name in ("x", "dy")})
    parts[0].numbers.update({f"d{letter}": np.zeros((whole.B, whole.H), whole.dtype) for letter in letters})
    results, first, second = (Run(backend, case).both() for case in (whole, *parts))
    for name in ("y", "dx"):
        np.testing.assert_array_equal(results[name], np.concatenate([first[name], second[name]]))
    for letter in letters:
        np.testing.assert_array_equal(results[letter], second[letter])
        np.testing.assert_array_equal(results[f"d{letter}0"], first[f"d{letter}0"])


def the_gates_of_every_step_are_the_oracles(backend, case, assert_close):
    run = Run(backend, case)
    run.forward()
    gates = backend.recurrent_gates(run.cell, run.trace)
    results = run.backward()
    expected = case.traced.gates | case.traced.states
    assert gates.keys() == expected.keys() == {*case.cell.saved, *case.cell.states}
    for letter, values in gates.items():
        assert_close(backend.to_host(values), expected[letter], case.dtype, 20 * case.T, what=letter)
    # They are copies: asking for them changes nothing.
    assert_same(results, Run(backend, case).both())


def steps_by_turns_have_the_bits_of_the_whole(backend, case):
    whole, single = Run(backend, case).forward(), replace(case, T=1)
    single.numbers.update({name: case.numbers[name] for name in "WUb"})
    run = Run(backend, single, training=False)
    x, y = backend.zeros((case.B, case.F), case.dtype), backend.zeros((case.B, case.H), case.dtype)
    even, odd = backend.make_recurrent_steps(run.cell, run.weights, x, run.trace, y)
    for t in range(case.T):
        backend.copy(x, case.numbers["x"][t])
        (odd if t % 2 else even)()
        np.testing.assert_array_equal(backend.to_host(y), whole["y"][t])


def bytes_of(trace):
    """What a trace keeps of every step and unit, on either backend."""
    arrays = [getattr(trace, name, None) for name in ("gates", "states", "d_states", "x", "carried")]
    return sum(array.nbytes for array in arrays if array is not None)


def the_plan_is_what_runs(backend, case, training=True):
    run = Run(backend, case, training)
    nbytes = bytes_of(run.trace)
    run.forward()
    plan = backend.recurrent_plan(run.cell, (case.T, case.B), training, with_options=run.inputs.with_options)
    assert plan.kernel_name == run.trace.kernel_name
    assert plan.kernel_name
    assert plan.kernel_name.endswith(", with options") == case.with_options
    assert plan.reason
    assert plan.nbytes == nbytes


# Pairs


def run_pair(backend, runs):
    """What two runs give when they run at once."""

    def of(name):
        return tuple(getattr(run, name) for run in runs)

    cell, weights, traces = runs[0].cell, of("weights"), of("trace")
    prepared = [run.prepare_forward() for run in runs]
    backend.recurrent_forward_pair(cell, weights, of("inputs"), traces, tuple(y for _, y in prepared))
    results = [run.forward_results(base) for run, (base, _) in zip(runs, prepared, strict=True)]
    prepared = [run.prepare_backward() for run in runs]
    dy, gradients = (tuple(each[index] for each in prepared) for index in (0, 1))
    backend.recurrent_backward_pair(cell, weights, of("inputs"), traces, dy, gradients)
    return [
        forward | run.backward_results(gradient, base)
        for forward, run, (_, gradient, base) in zip(results, runs, prepared, strict=True)
    ]


def a_pair_has_the_bits_of_two(backend, *cases):
    together = run_pair(backend, [Run(backend, case) for case in cases])
    for case, results in zip(cases, together, strict=True):
        assert_same(results, Run(backend, case).both(), str(case))


def the_plan_of_a_pair_is_what_runs(backend, *cases):
    runs = [Run(backend, case) for case in cases]
    nbytes = sum(bytes_of(run.trace) for run in runs)
    run_pair(backend, runs)
    shape, with_options = (cases[0].T, cases[0].B), any(run.inputs.with_options for run in runs)
    plan = backend.recurrent_plan(runs[0].cell, shape, True, with_options=with_options, pair=True)
    assert [run.trace.kernel_name for run in runs] == [plan.kernel_name] * 2
    assert plan.reason
    assert plan.nbytes == nbytes
