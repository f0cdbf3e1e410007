"""The kernels of each cell: the loops with the functions of the cell's page bound into them."""

from dataclasses import dataclass, replace

import numpy as np

from numlstm.kernels import forks
from numlstm.kernels.cpu.cells import page_of
from numlstm.kernels.cpu.products import gradients as sums
from numlstm.kernels.cpu.products import layout
from numlstm.kernels.cpu.products.matmul import PART_PRODUCTS, WIDE
from numlstm.kernels.cpu.recurrence import loops, reset_before
from numlstm.kernels.cpu.runtime.launch import Kernel, specialize

_OPTIONS = "int int bool2R real2R"  # The forward kernel has one more.


@dataclass(frozen=True)
class Part:
    """Which columns of W or U the slots of a cell take.

    blocks: [slots] the block of columns for each slot; -1: none
    vectors: (first, count) of the vectors of a panel that take part in the product
    """

    blocks: np.ndarray
    vectors: tuple[int, int]


@dataclass(frozen=True)
class CellKernels:
    """The kernels of a cell, and the properties of its page that the passes need.

    forward, backward: the loops through time
    gradients: the gradients of the weights
    reset_gradients: the gradient of the part of U that multiplies r ⊙ h', or None
    letters: a letter for the gate in each slot
    input: the part of W
    state: the parts of U: one, or two if a part multiplies r ⊙ h'
    passes_h: whether h depends on h' directly, not only through the gates
    resets_h: whether h' is reset before the product with U
    activations: the activations that the kernels with options identify by index
    """

    forward: Kernel
    backward: Kernel
    gradients: Kernel
    reset_gradients: Kernel | None
    letters: str
    input: Part
    state: tuple[Part, ...]
    passes_h: bool
    resets_h: bool
    activations: tuple[str, ...]


_made = {}
_making = forks.lock()


def kernels_of(name, with_options):
    """Return the kernels of the cell of this name, plain or with options."""
    key = name, with_options
    if key not in _made:
        with _making:
            if key not in _made:
                _made[key] = _make(name, with_options)
    return _made[key]


def _make(name, with_options):
    page = page_of(name)
    activations, chosen = page.OPTIONS
    given = {"INPUT": page.INPUT_GATES, "STATE": page.STATE_GATES, "RESET": page.RESET_GATES}
    parts = {label: _part(gates) for label, gates in given.items() if gates is not None}
    if "RESET" in parts and parts["STATE"].vectors[1] != 2:
        raise ValueError(f"U takes h' in two slots where it takes r ⊙ h' too, not in {page.STATE_GATES}")
    bound = _of_layout(page, parts) | _of_page(page, chosen if with_options else {})
    form = f"{name}_with_options" if with_options else name
    bound |= _products(name, form, bound, "RESET" in parts)
    uses = tuple(PART_PRODUCTS[count] for count in sorted({part.vectors[1] for part in parts.values()} - {WIDE}))
    forward, backward = (
        loop.specialize(form, uses, **loop.used(bound)) for loop in (loops.forward_steps, loops.backward_steps)
    )
    if with_options:
        forward, backward = forward.with_options(f"{_OPTIONS} real3C"), backward.with_options(_OPTIONS)
        return replace(kernels_of(name, False), forward=forward, backward=backward)
    state = parts["STATE"], *([parts["RESET"]] if "RESET" in parts else [])
    return CellKernels(
        forward, backward, *_gradients(name, bound, uses, parts), page.SLOTS, parts["INPUT"], state, page.PASSES_H,
        "RESET" in parts, activations,
    )  # fmt: skip


def _part(gates):
    blocks = [-1 if gate is None else gate for gate in gates]
    taking = [slot for slot, block in enumerate(blocks) if block >= 0]
    if len(gates) not in layout.SLOTS or taking != [*range(taking[0], taking[0] + len(taking))]:
        raise ValueError(f"a cell has one or four slots, of which a matrix takes neighbours, not {gates}")
    return Part(np.array(blocks), (taking[0], len(taking)) if len(gates) == WIDE else (0, WIDE))


def _of_layout(page, parts):
    """The values to bind that follow from the slots, the states and the parts of the weights."""
    slots = len(page.SLOTS)
    bound = {"SLOT_COUNT": slots, "PASSES_H": page.PASSES_H, "add_bias": layout.ADD[WIDE]}
    bound |= layout.SLOTS[slots] | loops.STATES[page.STATES] | sums.STORES[slots]
    for label, part in parts.items():
        bound |= {f"{label}_BLOCKS": tuple(map(int, part.blocks)), f"{label}_VECTORS": part.vectors}
        bound[f"add_{label.lower()}"] = layout.ADD[part.vectors[1]]
    return bound


def _of_page(page, chosen):
    """The functions of a cell's page. With `chosen`, they call its activations instead of the usual ones."""
    functions = {
        "cell_forward": page.cell_forward,
        "cell_output": getattr(page, "cell_output", loops.whole_state),
        "cell_backward": page.cell_backward,
    }
    if page.RESET_GATES is not None:
        functions |= {"reset_forward": page.reset_forward, "reset_backward": page.reset_backward}
    if not chosen:
        return functions
    return {part: _specialize(function, "with_options", chosen) for part, function in functions.items()}


def _products(name, form, bound, resets):
    """The functions that run before the cell in a forward step, and before the product with Uᵀ in a backward step."""
    project = _specialize(loops.project, name, bound)
    if not resets:
        return {"project_step": project, "reset_step": loops.no_reset}
    bound = bound | {"project_gates": project}
    return {
        "project_step": _specialize(reset_before.project_twice, form, bound),
        "reset_step": _specialize(reset_before.reset_dh, form, bound),
    }


def _gradients(name, bound, uses, parts):
    """The kernel of the weights' gradients, and the kernel for the part of U that multiplies r ⊙ h', or None."""
    alike = parts["INPUT"].vectors == parts["STATE"].vectors
    add_rows = _specialize(sums.add_all_rows if alike else sums.add_rows_by_part, name, bound)
    made = {"add_rows_step": add_rows, "take_step": sums.take_columns}
    kernels = [sums.weight_gradients.specialize(name, uses, **sums.weight_gradients.used(bound | made))]
    if "RESET" in parts:
        bound = bound | {key.replace("RESET", "STATE"): value for key, value in bound.items() if "RESET" in key}
        bound["add_state"] = layout.ADD[parts["RESET"].vectors[1]]
        form = f"{name}_reset"
        take = _specialize(reset_before.take_reset, name, bound)
        made = {"add_rows_step": _specialize(sums.add_all_rows, form, bound), "take_step": take}
        kernels.append(sums.weight_gradients.specialize(form, uses, **sums.weight_gradients.used(bound | made)))
    return kernels if len(kernels) == 2 else (*kernels, None)


def _specialize(function, name, values):
    """Specialize a function that is compiled into kernels, with those of `values` that it uses by name."""
    names = function.py_func.__code__.co_names
    return specialize(function, name, **{key: value for key, value in values.items() if key in names})
