"""The plan of a pass on a GPU that need not be here, with what the compiler makes of its kernels."""

import dataclasses

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.products.matmul import tiling
from numlstm.kernels.cuda.recurrence import persistent, steps
from numlstm.kernels.cuda.recurrence.arguments import indices_of
from numlstm.kernels.cuda.recurrence.plan import is_persistent, plan_for
from numlstm.kernels.cuda.recurrence.products import runs_of
from numlstm.kernels.cuda.runtime.device import GPUError, compiling_obstacle
from numlstm.kernels.cuda.runtime.gpus import named
from numlstm.kernels.cuda.runtime.resources import resources_of

__all__ = ["planner"]


def planner(name):
    """Return the `recurrent_plan` of a GPU, and a sentence on it.

    Args:
        name: The name of an architecture, such as sm_90.

    Raises:
        ValueError: If the name is not known.
        GPUError: If nothing can be compiled here.
    """
    gpu = named(name)
    if compiling_obstacle() is not None:
        raise GPUError(f"no kernel can be compiled for {name}: {compiling_obstacle()}")

    def recurrent_plan(cell, shape, training, with_options=False, pair=False):
        plan = plan_for(gpu, cell, shape, training, with_options, pair)
        found = _kernels(cell, shape[1], with_options or cell.with_options, gpu)
        code = {what: str(resources_of(each, cell.dtype, gpu.compute_capability)) for what, each in found.items()}
        if not is_persistent(cell, gpu):
            code |= _products(cell, shape[1], gpu)
        return dataclasses.replace(plan, code=code)

    return recurrent_plan, f"for {name}, with the {gpu.multiprocessors} multiprocessors of the {gpu.model}"


def _kernels(cell, batch, with_options, gpu):
    """The kernels of the loop through time, by what they do."""
    activations = indices_of(cell) if with_options else None
    if not is_persistent(cell, gpu):
        return {
            "forward": steps.step_forward[cell.name, activations],
            "backward": steps.step_backward[cell.name, activations],
        }
    rows = persistent.rows_of_a_block(cell, batch, with_options, gpu)
    return {
        "forward": persistent.forward[cell.name, cell.units, rows, activations],
        "backward": persistent.backward[cell.name, cell.units, rows, activations],
    }


def _products(cell, batch, gpu):
    """What the largest products of a step take, z += h' U and dh' = dz Uᵀ, and how much of the GPU they occupy."""
    slots = max(run.count for run in runs_of(page_of(cell.name).STATE_GATES))
    found = {}
    for what, columns in (("h' U", slots * cell.units), ("dz Uᵀ", cell.units)):
        product, (across, down), size = tiling(batch, columns, gpu=gpu)
        blocks = f"{across * down} block{'s' if across * down > 1 else ''} of {size} × {size} numbers a step"
        code = resources_of(product, cell.dtype, gpu.compute_capability)
        found[what] = f"{code}, {blocks} on {gpu.multiprocessors} multiprocessors"
    return found
