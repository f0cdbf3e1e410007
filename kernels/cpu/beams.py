"""Prefix beam search: one step. `numlstm.kernels.contract.beams` documents its function.

A candidate is a number: k V + c is the prefix k with the further label c, and k V + blank the prefix k itself. The best
candidates lie in a heap, whose root is the worst of them.
"""

import math

from numba import njit

from numlstm.kernels.cpu.runtime.launch import kernel

__all__ = ["extend_beams"]

_PARENT, _LABEL, _CHILD, _SIBLING, _PLACE = range(5)
_NODE, _CANDIDATE, _FIRST, _NEXT = range(4)
_BLANK, _OTHER, _BOTH, _NEXT_BLANK, _NEXT_OTHER, _SCORE, _NEW_BLANK, _NEW_OTHER = range(8)


@njit(inline="always")
def _add(a, b):
    """log(exp(a) + exp(b))."""
    most, less = (b, a) if a < b else (a, b)
    return most if less == -math.inf else most + math.log1p(math.exp(less - most))


@njit(inline="always")
def _longer(nodes, beams, logs, k, label, log_p):
    """log P of the alignments that go on from prefix k with a label: after the same label only those with a blank."""
    repeats = nodes[_LABEL, beams[_NODE, k]] == label
    return logs[_BLANK if repeats else _BOTH, k] + log_p[label]


@njit(inline="always")
def _offer(beams, logs, size, score, candidate):
    """Put a candidate into the heap if it is among the best, and return the size of the heap."""
    most = beams.shape[1]
    at = size
    if size < most:
        size += 1
        while at > 0 and score < logs[_SCORE, (at - 1) // 2]:
            above = (at - 1) // 2
            logs[_SCORE, at], beams[_CANDIDATE, at] = logs[_SCORE, above], beams[_CANDIDATE, above]
            at = above
    elif score > logs[_SCORE, 0]:
        at = 0
        while 2 * at + 1 < most:
            below = 2 * at + 1
            if below + 1 < most and logs[_SCORE, below + 1] < logs[_SCORE, below]:
                below += 1
            if score <= logs[_SCORE, below]:
                break
            logs[_SCORE, at], beams[_CANDIDATE, at] = logs[_SCORE, below], beams[_CANDIDATE, below]
            at = below
    else:
        return size
    logs[_SCORE, at], beams[_CANDIDATE, at] = score, candidate
    return size


@njit(inline="always")
def _stay(nodes, beams, logs, count, log_p, blank):
    """Write log P of the prefixes in the beam after the step, also by alignments of their parents in the beam.

    Links the children of each parent in the beam, too.
    """
    for k in range(count):
        logs[_BOTH, k] = _add(logs[_BLANK, k], logs[_OTHER, k])
        beams[_FIRST, k] = -1
    for k in range(count):
        node = beams[_NODE, k]
        logs[_NEXT_BLANK, k] = logs[_BOTH, k] + log_p[blank]
        logs[_NEXT_OTHER, k] = -math.inf
        if node > 0:
            label, parent = nodes[_LABEL, node], nodes[_PLACE, nodes[_PARENT, node]]
            logs[_NEXT_OTHER, k] = logs[_OTHER, k] + log_p[label]
            if parent >= 0:
                further = _longer(nodes, beams, logs, parent, label, log_p)
                logs[_NEXT_OTHER, k] = _add(logs[_NEXT_OTHER, k], further)
                beams[_NEXT, k], beams[_FIRST, parent] = beams[_FIRST, parent], k


@njit(inline="always")
def _choose(nodes, bonus, beams, logs, count, taken, log_p, extra, blank):
    """Find the best candidates, and return their number. Impossible ones are none."""
    classes, size = log_p.size, 0
    for k in range(count):
        node = beams[_NODE, k]
        score = _add(logs[_NEXT_BLANK, k], logs[_NEXT_OTHER, k]) + bonus[node]
        if score > -math.inf:
            size = _offer(beams, logs, size, score, k * classes + blank)
        # Prefixes that are in the beam already have got what comes from this one.
        child = beams[_FIRST, k]
        while child >= 0:
            taken[nodes[_LABEL, beams[_NODE, child]]] = 1
            child = beams[_NEXT, child]
        for label in range(classes):
            if label != blank and not taken[label]:
                score = _longer(nodes, beams, logs, k, label, log_p) + bonus[node]
                score += extra[k, label] if extra.shape[0] else 0.0
                if score > -math.inf:
                    size = _offer(beams, logs, size, score, k * classes + label)
            taken[label] = 0
    return size


@njit(inline="always")
def _child(nodes, bonus, counts, parent, label, added):
    """The node of a prefix with a further label. It is made if it is new."""
    child = nodes[_CHILD, parent]
    while child >= 0 and nodes[_LABEL, child] != label:
        child = nodes[_SIBLING, child]
    if child < 0:
        child = counts[1]
        counts[1] += 1
        nodes[_PARENT, child], nodes[_LABEL, child], nodes[_CHILD, child] = parent, label, -1
        nodes[_SIBLING, child], nodes[_PLACE, child] = nodes[_CHILD, parent], -1
        nodes[_CHILD, parent] = child
        bonus[child] = bonus[parent] + added
    return child


@kernel("float1K float2K int int2C float1C int2C float2C int1C int1C")
def _extend(log_p, extra, blank, nodes, bonus, beams, logs, counts, taken):
    count, classes = counts[0], log_p.size
    _stay(nodes, beams, logs, count, log_p, blank)
    size = _choose(nodes, bonus, beams, logs, count, taken, log_p, extra, blank)
    for new in range(size):
        k, label = beams[_CANDIDATE, new] // classes, beams[_CANDIDATE, new] % classes
        node = beams[_NODE, k]
        logs[_NEW_BLANK, new], logs[_NEW_OTHER, new] = logs[_NEXT_BLANK, k], logs[_NEXT_OTHER, k]
        if label != blank:
            logs[_NEW_BLANK, new] = -math.inf
            logs[_NEW_OTHER, new] = _longer(nodes, beams, logs, k, label, log_p)
            node = _child(nodes, bonus, counts, node, label, extra[k, label] if extra.shape[0] else 0.0)
        beams[_CANDIDATE, new] = node
    for k in range(count):
        nodes[_PLACE, beams[_NODE, k]] = -1
    for new in range(size):
        beams[_NODE, new] = beams[_CANDIDATE, new]
        nodes[_PLACE, beams[_NODE, new]] = new
        logs[_BLANK, new], logs[_OTHER, new] = logs[_NEW_BLANK, new], logs[_NEW_OTHER, new]
    counts[0] = size


def extend_beams(log_p, extra, blank, state):
    """The best of all prefixes in the beam and of these with one label more."""
    arrays = state.nodes, state.bonus, state.beams, state.logs, state.counts, state.taken
    _extend["float64"](log_p, extra, blank, *arrays)
