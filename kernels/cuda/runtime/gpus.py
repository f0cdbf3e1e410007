"""Known GPUs, for plans on machines without one.

Multiprocessors are those of the model that is named. The shared memory of a block follows from the compute capability:
CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
"""

from typing import NamedTuple

__all__ = ["GPU", "GPUS", "named"]


class GPU(NamedTuple):
    """What a plan asks of a GPU.

    model: a model of the architecture
    compute_capability: (major, minor)
    shared_bytes: the most shared memory that a block can have
    multiprocessors: the number of multiprocessors of the model
    """

    model: str
    compute_capability: tuple[int, int]
    shared_bytes: int
    multiprocessors: int


GPUS = {
    "sm_75": GPU("T4", (7, 5), 64 << 10, 40),
    "sm_80": GPU("A100", (8, 0), 163 << 10, 108),
    "sm_86": GPU("A40", (8, 6), 99 << 10, 84),
    "sm_89": GPU("L40S", (8, 9), 99 << 10, 142),
    "sm_90": GPU("H100 SXM", (9, 0), 227 << 10, 132),
    "sm_100": GPU("B200", (10, 0), 227 << 10, 148),
    "sm_120": GPU("GeForce RTX 5090", (12, 0), 99 << 10, 170),
}


def named(name):
    """The GPU of an architecture's name.

    Raises:
        ValueError: If the name is not known.
    """
    if name not in GPUS:
        known = ", ".join(f"{each} ({gpu.model})" for each, gpu in GPUS.items())
        raise ValueError(f"the GPU must be one of {known}, not {name!r}")
    return GPUS[name]
