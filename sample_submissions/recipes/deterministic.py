"""The same weights on every x86 machine: one thread, and no kernel chosen by the processor's model.

``pin`` must run before torch is first imported; the libraries read these variables once.
"""

from __future__ import annotations

import os


def pin() -> None:
    """One thread, MKL's and ATen's processor-independent code paths, no oneDNN, no telemetry."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", MKL_CBWR="COMPATIBLE", ATEN_CPU_CAPABILITY="default")
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import torch

    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False
    torch.use_deterministic_algorithms(True)
