"""Both directions of a bidirectional LSTM at once are, to the bit, what they are one after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lstm_case import Case, Run
from test_lstm_kernels import assert_same

CASES = [
    Case(1, 1, 1, 1),
    Case(10, 1, 3, 50),
    Case(31, 1, 40, 85),
    Case(7, 13, 5, 34, mask_kind="holes"),
    Case(5, 65, 34, 85, mask_kind="right", layout="batch-major", last_only=True),
    Case(5, 17, 3, 31, need_dx=False, state=False, state_gradients=(False, False)),
    Case(4, 1, 40, 400),
    Case(3, 3, 40, 400, mask_kind="holes", resets=True, dropout=0.4),
    Case(9, 12, 16, 64, recurrent_activation="hard_sigmoid", zero_output=True, mask_kind="left"),
]


def sizes(case):
    return f"{case.T}, {case.B}, {case.F}, {case.H}"


def run_pair(backend, runs):
    """What two runs give when they run at once."""

    def of(name):
        return tuple(getattr(run, name) for run in runs)

    cell, weights, traces = runs[0].cell, of("weights"), of("trace")
    prepared = [run.prepare_forward() for run in runs]
    backend.lstm_forward_pair(cell, weights, of("inputs"), traces, tuple(y for _, y in prepared))
    results = [run.forward_results(base) for run, (base, _) in zip(runs, prepared, strict=True)]
    prepared = [run.prepare_backward() for run in runs]
    dy, gradients = (tuple(each[index] for each in prepared) for index in (0, 1))
    backend.lstm_backward_pair(cell, weights, of("inputs"), traces, dy, gradients)
    return [
        forward | run.backward_results(gradient, base)
        for forward, run, (_, gradient, base) in zip(results, runs, prepared, strict=True)
    ]


def check_pair(backend, cases):
    together = run_pair(backend, [Run(backend, case) for case in cases])
    for case, results in zip(cases, together, strict=True):
        assert_same(results, Run(backend, case).both(), str(case))


@pytest.mark.parametrize("case", CASES, ids=sizes)
def test_a_pair_has_the_bits_of_two(backend, dtype, case):
    first = replace(case, dtype=dtype)
    check_pair(backend, (first, replace(first, seed=1)))


def test_one_direction_may_want_less(backend, dtype):
    first = Case(7, 13, 5, 34, dtype, mask_kind="holes")
    check_pair(backend, (first, replace(first, seed=1, need_dx=False, state_gradients=(False, False), bias=False)))
    check_pair(backend, (first, replace(first, seed=1, mask_kind=None, resets=True)))


@pytest.mark.parametrize("case", [CASES[2], CASES[4], CASES[7]], ids=sizes)
def test_the_number_of_threads_changes_nothing(backend, dtype, case):
    numba = pytest.importorskip("numba")
    cases = replace(case, dtype=dtype), replace(case, dtype=dtype, seed=1)
    available = numba.get_num_threads()
    try:
        for threads in {1, numba.config.NUMBA_NUM_THREADS}:
            numba.set_num_threads(threads)
            check_pair(backend, cases)
    finally:
        numba.set_num_threads(available)


def test_one_row_has_work_for_two_threads():
    numba = pytest.importorskip("numba")
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here")
    import numlstm.kernels.cpu as cpu

    runs = [Run(cpu, Case(100, 1, 32, 128, "float32", seed=seed)) for seed in (0, 1)]
    run_pair(cpu, runs)
    assert [run.trace.kernel_path for run in runs] == ["both directions, rows over 1 thread each"] * 2


def test_traces_serve_again(backend):
    runs = [Run(backend, Case(3, 5, 2, 7, "float32", seed=seed)) for seed in (0, 1)]
    for first, again in zip(run_pair(backend, runs), run_pair(backend, runs), strict=True):
        assert_same(first, again)
