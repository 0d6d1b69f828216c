"""Results over dead operands: the same bits as without, never over what is read again, and as many as an eager model has."""

from __future__ import annotations

import ctypes
import math
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from micronet_verify_pytorch import heap
from micronet_verify_pytorch.program import Program, ProgramGraph, Ref, Step, read_program
from micronet_verify_pytorch.reuse import overs
from micronet_verify_pytorch.runner import Taken, build
from micronet_verify_pytorch.source import Name
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.plugins.pytorch.support import archive

X, Y = Name("x"), Name("y")
CONSTANT = torch.tensor([[-1.5], [0.25], [2.0], [-0.0]])
STATISTICS = (torch.tensor([0.5, -2.0]), torch.tensor([0.1, 0.0]), torch.tensor([-0.3, 0.7]), torch.tensor([0.4, 1.9]))


def bits(tensor: Tensor) -> tuple[Any, ...]:
    """Everything about a tensor: NaN and -0.0 are told apart from what is merely equal."""
    kept = tensor.detach().contiguous()
    return tuple(tensor.shape), tensor.dtype, tensor.stride(), kept.view(torch.uint8).numpy().tobytes()


UNARY: dict[str, tuple[Any, ...]] = {
    "aten.clamp.default": (-0.5, 0.75),
    "aten.clamp_max.default": (0.5,),
    "aten.clamp_min.default": (-0.5,),
    "aten.elu.default": (0.7, 1.1, 0.9),
    "aten.hardtanh.default": (0.0, 6.0),
    "aten.leaky_relu.default": (0.01,),
    **{f"aten.{name}.default": () for name in "abs ceil clone exp floor gelu hardsigmoid hardswish mish neg relu relu6".split()},
    **{f"aten.{name}.default": () for name in "round rsqrt sigmoid silu sqrt tanh".split()},
}
BINARY = [f"aten.{name}" for name in "add.Tensor div.Tensor mul.Tensor sub.Tensor".split()]
SCALAR = [f"aten.{name}" for name in "add.Scalar div.Scalar mul.Scalar sub.Scalar".split()]


def operator_of(target: str) -> Callable[..., Any]:
    _, name, overload = target.split(".")
    found: Callable[..., Any] = getattr(getattr(torch.ops.aten, name), overload)
    return found


def specials(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Usual and unusual numbers, laid out with the channels last where there are any."""
    values = torch.randn(math.prod(shape), generator=torch.Generator().manual_seed(len(shape))) * 4
    unusual = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 0.0, 1e-40, -1e-40, 88.9, -3.0, 3.0])
    values[: len(unusual)] = unusual
    tensor = values.to(dtype).reshape(shape)
    return tensor.to(memory_format=torch.channels_last) if len(shape) == 4 else tensor


def written(target: str, args: tuple[Any, ...], values: dict[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """For each way of writing over an operand: the result, and the copy of the operand that it must lie in."""
    for over in overs(target, args, {}):
        copies = {name: value.clone() for name, value in values.items()}
        fill = [copies.get(arg, arg) if isinstance(arg, Name) else arg for arg in over.args]
        kwargs = {key: copies.get(arg, arg) if isinstance(arg, Name) else arg for key, arg in over.kwargs.items()}
        yield over.function(*fill, **kwargs), copies[over.operand]


@pytest.mark.parametrize("shape", [(37,), (3, 5, 7, 3)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("target", [*UNARY, *BINARY, *SCALAR])
def test_every_operator_gives_the_same_bits_over_an_operand(target: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x, y = specials(shape, dtype), specials(shape, dtype).flip(0).clone(memory_format=torch.preserve_format)
    y = y if y.stride() == x.stride() else y.contiguous(memory_format=torch.channels_last)
    rest: tuple[Any, ...] = UNARY.get(target, (Y,) if target in BINARY else (0.3,))
    with torch.inference_mode():
        wanted = operator_of(target)(x, *(y if arg is Y else arg for arg in rest))
        ways = list(written(target, (X, *rest), {X: x, Y: y}))
    assert len(ways) == (2 if target in BINARY else 1)
    for result, operand in ways:
        assert result.data_ptr() == operand.data_ptr()
        assert bits(result) == bits(wanted)


@pytest.mark.parametrize("shape", [(64, 2), (5, 2, 3, 7)], ids=str)
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_batch_norm_gives_the_same_bits_over_its_operand(shape: tuple[int, ...], last: bool) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    x = x.to(memory_format=torch.channels_last) if last and len(shape) == 4 else x
    with torch.inference_mode():
        wanted = torch.batch_norm(x, *STATISTICS, False, 0.1, 1e-5, False)
        ways = [
            *written("aten.batch_norm.default", (X, *STATISTICS, False, 0.1, 1e-5, True), {X: x}),
            *written("aten._native_batch_norm_legit_no_training.default", (X, *STATISTICS, 0.1, 1e-5), {X: x}),
        ]
    assert len(ways) == 2
    for result, operand in ways:
        assert result.data_ptr() == operand.data_ptr()
        assert bits(result) == bits(wanted)


def test_batch_norm_in_training_mode_is_never_written_over() -> None:
    assert list(overs("aten.batch_norm.default", (X, *STATISTICS, True, 0.1, 1e-5, True), {})) == []


class Walk:
    """A random graph, made by running it step by step with every value kept: an interpreter that reuses nothing."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], x: Tensor) -> None:
        self._draw, self.steps = draw, list[Step]()
        self.values: dict[str, Tensor] = {"x": x, "constant": CONSTANT.clone()}
        self.given = {"x", "constant"}  # what shares memory with what the model is given, which no step may change

    def call(self, target: str, view_of: str = "", **arguments: Any) -> None:
        """Add a step if it can run. An argument called ``of`` is the operator's ``self``."""
        arguments = {"self" if key == "of" else key: value for key, value in arguments.items()}
        resolved = {key: self._resolved(value) for key, value in arguments.items()}
        try:
            found = operator_of(target)(**resolved)
        except RuntimeError:
            return  # shapes that do not go together
        many = isinstance(found, list | tuple)
        results = [f"v{len(self.steps)}_{place}" for place in range(len(found) if many else 1)]
        self.steps.append(Step(target, arguments, (), tuple(results), many, ""))
        self.values.update(zip(results, found if many else [found], strict=True))
        if view_of in self.given:
            self.given.update(results)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return [self._resolved(item) for item in value]
        return self.values[value.name] if isinstance(value, Ref) else value

    def step(self) -> None:
        draw = self._draw
        # What came last is drawn more often: then values die soon.
        names = list(self.values)[::-1]
        one, other = (draw(st.sampled_from([*names[:4], *names])) for _ in range(2))
        a, b = Ref(one), Ref(other)
        axes = self.values[one].dim()
        kind = draw(st.integers(0, 14))
        match kind:
            case 0 | 1:
                self.call(draw(st.sampled_from(["aten.relu.default", "aten.sigmoid.default", "aten.silu.default"])), of=a)
            case 2 | 3 | 4:
                self.call(draw(st.sampled_from(BINARY[:1] + BINARY[2:])), of=a, other=b)
            case 5:
                self.call("aten.mul.Tensor", of=a, other=a)
            case 6:
                self.call("aten.transpose.int", one, of=a, dim0=1, dim1=axes - 1)
            case 7:
                self.call("aten.reshape.default", one, of=a, shape=draw(st.sampled_from([(-1, 16), (-1, 4, 4), (-1, 2, 8)])))
            case 8:
                self.call("aten.slice.Tensor", one, of=a, dim=1, start=draw(st.integers(0, 1)), end=draw(st.integers(1, 4)))
            case 9:
                self.call("aten.expand.default", one, of=a, size=(-1, 4, 4))
            case 10:
                self.call("aten.chunk.default", one, of=a, chunks=2, dim=1)
            case 11:
                self.call("aten.cat.default", tensors=(a, b), dim=1)
            case 12:
                self.call("aten.detach.default", one, of=a)
            case 13:
                self.call("aten.clone.default", of=a)
            case 14 if one not in self.given:
                self.call(draw(st.sampled_from(["aten.relu_.default", "aten.neg_.default"])), one, of=a)


def outputs_of(steps: list[Step], outputs: list[str], x: Tensor) -> list[Tensor]:
    values: dict[str, Any] = {"x": x, "constant": CONSTANT.clone()}

    def resolved(value: Any) -> Any:
        if isinstance(value, tuple):
            return [resolved(item) for item in value]
        return values[value.name] if isinstance(value, Ref) else value

    for step in steps:
        found = operator_of(step.target)(**{key: resolved(value) for key, value in step.arguments.items()})
        values.update(zip(map(str, step.outputs), found if step.many else [found], strict=True))
    return [values[name] for name in outputs]


def batch(size: int, seed: int) -> Tensor:
    """Square, so that what is turned has the shape of what is not; every third lies in memory the other way round."""
    x = torch.randn(size, 4, 4, generator=torch.Generator().manual_seed(seed))
    return x.transpose(1, 2) if seed % 3 == 2 else x


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(st.data())
def test_random_graphs_answer_as_if_nothing_were_reused(data: st.DataObject) -> None:
    """Views, shared operands, operators in place, outputs that are read, given twice, or views of each other; batches of three forms."""
    walk = Walk(data.draw, batch(3, 0))
    with torch.inference_mode():
        for _ in range(data.draw(st.integers(1, 14))):
            walk.step()
        names = list(walk.values)
        outputs = data.draw(st.lists(st.sampled_from([*names[-3:], *names]), min_size=1, max_size=3))
        graph = ProgramGraph(("x", "constant"), tuple(map(Ref, outputs)), tuple(walk.steps), {})
        constant = CONSTANT.clone()
        literals: dict[str, Any] = {"constant": constant}
        model = build(Program(Path(__file__), graph, ("x",), {}, literals), Taken())
        answers: list[tuple[tuple[Tensor, ...], list[tuple[Any, ...]]]] = []
        for size, seed in ((3, 0), (3, 1), (3, 2), (3, 5), (1, 3), (1, 4)):
            x = batch(size, seed)
            wanted = [bits(value) for value in outputs_of(walk.steps, outputs, batch(size, seed))]
            found = model.forward(x)
            assert [bits(value) for value in found] == wanted
            assert bits(x) == bits(batch(size, seed))
            answers.append((found, wanted))
    assert bits(constant) == bits(CONSTANT)
    for found, wanted in answers:  # later runs have not touched what earlier ones returned
        assert [bits(value) for value in found] == wanted


class Operators(TorchDispatchMode):
    """Notes what is run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func).removeprefix("aten."))
        return func(*args, **(kwargs or {}))


class Block(nn.Module):
    """A residual block that says nothing about working in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm1, self.act = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU6()
        self.body, self.norm2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(self.stem(x)))
        return torch.relu(y + self.norm2(self.body(y)))


@pytest.mark.parametrize("decomposed", [False, True], ids=["as exported", "decomposed"])
def test_a_residual_block_allocates_for_its_convolutions_alone(decomposed: bool, tmp_path: Path) -> None:
    block = Block().eval()
    model = build(read_program(archive(block, torch.randn(2, 3, 8, 8), tmp_path, decomposed=decomposed)), Taken())
    again = ["native_batch_norm.out", "hardtanh_.default", "convolution.default", "native_batch_norm.out", "add.out", "relu_.default"]
    found = []
    with torch.inference_mode():
        for seed in range(3):
            x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
            wanted = bits(block(x))
            with Operators() as operators:
                (answer,) = model.forward(x)
            assert bits(answer) == wanted
            found.append([name.replace("conv2d", "convolution") for name in operators.names if not name.startswith("sym_")])
    assert not {"add.out", "relu_.default"} & set(found[0])
    assert found[1] == found[2] == ["convolution.default", *again]


def call(target: str, result: str, *args: Any, **arguments: Any) -> Step:
    named = dict(zip(("self", "other"), args, strict=False), **arguments)
    fill = {key: Ref(value) if isinstance(value, str) else value for key, value in named.items()}
    return Step(f"aten.{target}", fill, (), (result,), False, "")


DOUBLED, TURNED = call("mul.Tensor", "v", "x", 2.0), call("transpose.int", "t", "v", dim0=1, dim1=2)
# Steps, outputs, and what is run from the second time on.
REFUSED: dict[str, tuple[tuple[Step, ...], tuple[str, ...], str]] = {
    "what is read later": ((DOUBLED, call("relu.default", "y", "v"), call("add.Tensor", "z", "y", "v")), ("z",), "relu.default add.out"),
    "a constant": ((call("neg.default", "y", "constant"), call("add.Tensor", "z", "y", "x")), ("z",), "neg.default add.Tensor"),
    "an input": ((call("relu.default", "y", "x"), call("neg.default", "z", "y")), ("z",), "relu.default neg_.default"),
    "an output": ((DOUBLED, call("relu.default", "y", "v")), ("y", "v"), "mul.Tensor relu.default"),
    # Its memory begins elsewhere than new memory does, and a kernel that comes later may work by where it begins.
    "a part": ((DOUBLED, call("slice.Tensor", "p", "v", dim=0, start=1, end=3), call("relu.default", "y", "p")), ("y",), "relu.default"),
    "what is read beside it as a view": ((DOUBLED, TURNED, call("add.Tensor", "y", "v", "t")), ("y",), "add.Tensor"),
    "what is laid out otherwise": (
        (DOUBLED, TURNED, call("neg.default", "n", "t"), call("add.Tensor", "y", "x", "n")),
        ("y",),
        "neg_.default add.Tensor",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_never_over(name: str) -> None:
    steps, outputs, expected = REFUSED[name]
    x, literals = batch(3, 0), {"constant": torch.ones(4, 1)}
    graph = ProgramGraph(("x", "constant"), tuple(map(Ref, outputs)), steps, {})
    model = build(Program(Path(__file__), graph, ("x",), {}, literals), Taken())  # type: ignore[arg-type]
    with torch.inference_mode():
        (wanted, *_) = model.forward(x)
        with Operators() as operators:
            (found, *_) = model.forward(x)
    assert bits(found) == bits(wanted)
    assert " ".join(operators.names).endswith(expected)


def test_an_input_that_is_laid_out_otherwise_is_watched_again() -> None:
    """``flat`` is the same for both; ``doubled`` is laid out as the input, and the sum as its first operand."""
    steps = (
        call("reshape.default", "rows", "x", shape=(-1, 16)),
        call("sigmoid.default", "s", "rows"),
        call("reshape.default", "flat", "s", shape=(-1, 4, 4)),
        call("mul.Tensor", "doubled", "x", 2.0),
        call("add.Tensor", "y", "flat", "doubled"),
    )
    model = build(Program(Path(__file__), ProgramGraph(("x",), (Ref("y"), Ref("flat")), steps, {}), ("x",), {}, {}), Taken())
    with torch.inference_mode():
        for seed in (0, 1, 2, 5):
            x = batch(3, seed)
            flat = torch.sigmoid(x.reshape(-1, 16)).reshape(-1, 4, 4)
            assert bits(model.forward(x)[0]) == bits(flat + x * 2.0)


def test_a_model_that_branches_reuses_nothing(tmp_path: Path) -> None:
    """Whether a body returns a view of what it is given may differ from example to example."""

    class Way(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = torch.cond(x.mean() > 0, lambda z: z.clone(), lambda z: z * 2, (x + 1,))
            return torch.relu(y) * 3

    model = build(read_program(archive(Way(), torch.randn(1, 4), tmp_path, dynamic=False)), Taken())
    with torch.inference_mode(), Operators() as operators:
        for _ in range(3):
            model.forward(torch.ones(1, 4))
    assert "relu.default" in operators.names
    assert "relu_.default" not in operators.names


FAULTS = """
import resource
from micronet_verify_pytorch.heap import keep_freed_memory
keep_freed_memory()
bytearray(64 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    bytearray(64 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a switch of the GNU C library")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < (64 << 20) // 4096  # fewer than one of the four would take


def test_a_c_library_without_that_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    heap.keep_freed_memory()
