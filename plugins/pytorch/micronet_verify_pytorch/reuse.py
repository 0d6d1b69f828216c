"""Results written over operands that nobody reads again, as eager code does with ``inplace=True`` and ``+=``.

An exported graph is functional: every step allocates, and fresh memory costs more than a cheap step computes. Where a result
may go is not guessed from the graph. The first run with inputs of some form is watched: which tensors share memory, and how each
is laid out, depends on those forms alone. From the second on, a function runs that was written with what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from micronet_verify_pytorch.source import Function, Name, Over, Source


def _normalised(x: Any, weight: Any, bias: Any, mean: Any, variance: Any, momentum: float, eps: float) -> Any:
    """``torch.batch_norm`` with stored statistics, over ``x``; a new tensor in half precision, for which torch has no such kernel."""
    if x.dtype != torch.float32:
        return torch.batch_norm(x, weight, bias, mean, variance, False, momentum, eps, False)
    torch.native_batch_norm(x, weight, bias, mean, variance, False, momentum, eps, out=(x, _NOTHING, _NOTHING))
    return x


def _itself(x: Any, **_: Any) -> Any:
    return x


_NOTHING = torch.empty(0)
# Element for element, by the same kernel: the result has the same bits wherever it is written (tests/plugins/pytorch/test_reuse.py).
# Over the first operand:
_FIRST: Mapping[str, Callable[..., Any]] = {
    "aten.abs.default": torch.abs_,
    "aten.ceil.default": torch.ceil_,
    "aten.clamp.default": torch.clamp_,
    "aten.clamp_max.default": torch.clamp_max_,
    "aten.clamp_min.default": torch.clamp_min_,
    "aten.clone.default": _itself,
    "aten.elu.default": torch._C._nn.elu_,
    "aten.exp.default": torch.exp_,
    "aten.floor.default": torch.floor_,
    "aten.gelu.default": torch._C._nn.gelu_,
    "aten.hardsigmoid.default": torch._C._nn.hardsigmoid_,
    "aten.hardswish.default": torch._C._nn.hardswish_,
    "aten.hardtanh.default": torch._C._nn.hardtanh_,
    "aten.leaky_relu.default": torch._C._nn.leaky_relu_,
    "aten.mish.default": torch._C._nn.mish_,
    "aten.neg.default": torch.neg_,
    "aten.relu.default": torch.relu_,
    "aten.relu6.default": torch._C._nn.relu6_,
    "aten.round.default": torch.round_,
    "aten.rsqrt.default": torch.rsqrt_,
    "aten.sigmoid.default": torch.sigmoid_,
    "aten.silu.default": torch._C._nn.silu_,
    "aten.sqrt.default": torch.sqrt_,
    "aten.tanh.default": torch.tanh_,
}
# Over either operand, by ``out``:
_EITHER: Mapping[str, Callable[..., Any]] = {
    "aten.add.Scalar": torch.add,
    "aten.add.Tensor": torch.add,
    "aten.div.Scalar": torch.div,
    "aten.div.Tensor": torch.div,
    "aten.mul.Scalar": torch.mul,
    "aten.mul.Tensor": torch.mul,
    "aten.sub.Scalar": torch.sub,
    "aten.sub.Tensor": torch.sub,
}


def overs(target: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Over]:
    """The ways to write the result of ``target`` over an operand."""
    if target == "aten.batch_norm.default" and len(args) == 9 and args[5] is False and isinstance(args[0], Name):
        yield Over(args[0], _normalised, (*args[:5], *args[6:8]))
    elif target == "aten._native_batch_norm_legit_no_training.default" and len(args) == 7 and isinstance(args[0], Name):
        yield Over(args[0], _normalised, args)
    elif target in _FIRST and args and isinstance(args[0], Name):
        yield Over(args[0], _FIRST[target], args, kwargs)
    elif target in _EITHER:
        for operand in args[:2]:
            if isinstance(operand, Name):
                yield Over(operand, _EITHER[target], args, {**kwargs, "out": operand})


class Reusing:
    """Runs a source: plainly and watched the first time that inputs come in a form, over dead operands after that."""

    def __init__(self, source: Source, outputs: Sequence[Any]) -> None:
        self._source, self._outputs = source, outputs
        self._constants = {storage for value in source.bound() for storage in _storages(value)}
        self._kept: set[int] = set()
        self._seen: dict[str, str] = {}
        self._watched = source.function(outputs, watch=self._watch)
        self._plans: dict[Any, Mapping[str, str]] = {}
        self._written: dict[Any, Function] = {}

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        form = tuple([(x.shape, x.stride(), x.dtype) for x in inputs])
        run = self._written.get(form)
        if run is None:
            if form not in self._plans:
                return self._first(form, inputs)
            run = self._written[form] = self._source.function(self._outputs, self._plans[form])
        return run(*inputs)

    def _first(self, form: Any, inputs: Sequence[Any]) -> tuple[Any, ...]:
        self._seen, self._kept = {}, {*self._constants, *_storages(inputs)}
        outputs = self._watched(*inputs)
        self._plans[form] = self._seen
        return outputs

    def _watch(self, name: str, result: Any, operands: Mapping[str, Any], others: Sequence[Any]) -> None:
        """Note the first operand whose memory no other value has, and which is laid out as the result."""
        for operand_name, operand in operands.items():
            others_here = [*others, *(other for other_name, other in operands.items() if other_name != operand_name)]
            if _fits(result, operand) and _storage(operand) not in {*self._kept, *_storages(others_here)}:
                self._seen[name] = operand_name
                return


def _fits(result: Any, operand: Any) -> bool:
    """Whether ``operand`` is what an allocation for ``result`` would be: its whole storage, of the same type and strides."""
    return (
        isinstance(result, torch.Tensor)
        and isinstance(operand, torch.Tensor)
        and (result.shape, result.stride(), result.dtype) == (operand.shape, operand.stride(), operand.dtype)
        and result.numel() > 0
        and operand.untyped_storage().nbytes() == result.untyped_storage().nbytes() == result.numel() * result.element_size()
    )


def _storage(tensor: Any) -> int:
    return int(tensor.untyped_storage().data_ptr())


def _storages(value: Any) -> Iterator[int]:
    """Where the memory of every tensor in ``value`` begins."""
    if isinstance(value, torch.Tensor):
        yield _storage(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _storages(item)
