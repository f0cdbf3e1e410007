"""Another processor than this one: what numba compiles for, and what the peers may use."""

from __future__ import annotations

import os
import platform
import sys

__all__ = ["TARGETS", "limit"]

TARGETS = {
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    "avx": {
        "NUMBA_CPU_NAME": "sandybridge",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "AVX",
        "ONEDNN_MAX_CPU_ISA": "AVX",
    },
    "sse": {
        "NUMBA_CPU_NAME": "nehalem",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    },
}
"""The environment of each target. PyTorch reads the last three. onnxruntime and TensorFlow cannot be limited."""

_NEEDED = {"avx2": ("avx2", "fma"), "avx": ("avx",), "sse": ("sse4.2",)}
"""The instructions that each target takes for granted, by LLVM's names."""


def limit(target: str) -> None:
    """Limit numba and PyTorch to a target. They must not be imported before.

    Raises:
        ValueError: If it is too late, or this machine's processor is of another family or lacks the instructions.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ValueError(f"--target {target} needs an x86 processor, not {platform.machine()}")
    if "numba" in sys.modules or "torch" in sys.modules:
        raise ValueError(f"--target {target} must be given to a process of its own: numba is imported already here")
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    missing = [name for name in _NEEDED[target] if not features.get(name)]
    if missing:
        raise ValueError(f"--target {target} needs a processor with {' and '.join(missing)}, which this one lacks")
    # Without a list of features, the processor's name stands for all of them.
    os.environ.update(TARGETS[target], NUMBA_CPU_FEATURES="")
