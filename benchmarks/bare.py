"""The bare loop: what one would write to get predictions, and nothing around it.

``python -m benchmarks.bare MODEL INPUTS OUTPUTS BATCH`` runs one on an ``.npy`` file of inputs. ``MODEL`` is ``.onnx``, ``.pt2``, a
source entry's folder, or ``.weights`` of a network that is built in Python and called so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import networks
from benchmarks.harness import THREADS

Run = Callable[[NDArray[Any]], NDArray[Any]]


def batches(run: Run, inputs: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    for start in range(0, len(inputs), size):
        yield run(inputs[start : start + size])


def loaded(model: str) -> Run:
    """A function from a batch to answers; models of fixed batch 1 see one example at a time."""
    path = Path(model)
    if path.suffix == ".onnx":
        return _onnx(path)
    import torch

    torch.set_num_threads(THREADS)
    whole = True
    if path.suffix == ".pt2":
        program = torch.export.load(path)
        module = program.module()
        whole = _free(program)
    elif path.is_dir():
        module = _source(path)
    else:
        module = networks.definition(path.stem)().eval()
        module.load_state_dict(torch.load(path, weights_only=True))

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            if whole:
                return module(torch.from_numpy(np.array(batch))).numpy()  # type: ignore[no-any-return]
            return np.concatenate([module(torch.from_numpy(batch[i : i + 1].copy())).numpy() for i in range(len(batch))])

    return run


def _free(program: Any) -> bool:
    names = program.graph_signature.user_inputs
    node = next(node for node in program.graph.nodes if node.name == names[0])
    return not isinstance(node.meta["val"].shape[0], int)


def _source(folder: Path) -> Any:
    """A source entry whose ``build`` is in model.py, and whose weights are in model.safetensors."""
    from safetensors.torch import load_file

    sys.path.insert(0, str(folder))
    import model as entry  # type: ignore[import-not-found]

    module = entry.build()
    module.load_state_dict(load_file(folder / "model.safetensors"))
    return module.eval()


def _onnx(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, one = session.get_inputs()[0].name, isinstance(session.get_inputs()[0].shape[0], int)

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        if one:
            return np.concatenate([session.run(None, {name: batch[i : i + 1]})[0] for i in range(len(batch))])
        return np.asarray(session.run(None, {name: batch})[0])

    return run


def main(model: str, inputs: str, outputs: str, size: int) -> None:
    run = loaded(model)
    np.save(outputs, np.concatenate(list(batches(run, np.load(inputs, mmap_mode="r"), size))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
