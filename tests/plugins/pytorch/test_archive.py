"""Reading ``.pt2`` files: where constants lie, and what is refused."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from micronet_verify_pytorch.archive import read_archive
from torch import nn

from micronet_verify.facts.tensors import ConstantStore
from tests.plugins.networks import NETWORKS
from tests.plugins.pytorch.support import (
    MODEL,
    WEIGHTS,
    Function,
    archive,
    edited,
    exported,
    members,
    rewritten,
    save,
    sentences,
    translate,
)

AGAIN = "(save it again with torch.export.save)"


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(nn.Linear(3, 2), torch.randn(2, 3), tmp_path_factory.mktemp("linear"), decomposed=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_constants_are_read_where_they_lie_in_the_file(name: str, networks: dict[str, Path], tmp_path: Path) -> None:
    path = networks[name]
    state = dict(NETWORKS[name].build().state_dict())
    graph = translate(path)
    store = ConstantStore(path.parent, tmp_path)
    found = [value for value in graph.values.values() if value.constant and value.constant.store == "artifact"]
    assert found
    for value in found:
        assert value.constant
        assert value.constant.path == path.name
        np.testing.assert_array_equal(store.open(value.constant, value.shape, value.format), state[value.label].numpy())


def test_tied_weights_are_one_place(networks: dict[str, Path]) -> None:
    graph = translate(networks["tied"])
    tied = [graph.values[name] for node in graph.nodes for name in node.inputs if graph.values[name].shape == (12, 6)]
    assert len(tied) == 2
    assert tied[0].constant == tied[1].constant


def test_views_of_one_storage_keep_offset_and_strides(tmp_path: Path) -> None:
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            whole = torch.arange(12.0).reshape(3, 4)
            self.register_buffer("rows", whole[1:])
            self.register_buffer("turned", whole.t())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x + self.rows) @ self.turned

    path = archive(Views(), torch.randn(2, 2, 4), tmp_path, decomposed=False)
    constants = read_archive(path).constants
    assert constants["rows"].offset - constants["rows"].payload.offset == 4 * 4
    assert constants["rows"].strides is None
    assert constants["turned"].strides == (1, 4)
    graph = translate(path)
    (turned,) = [value for value in graph.values.values() if value.label == "turned"]
    assert turned.constant
    array = ConstantStore(path.parent, tmp_path).open(turned.constant, turned.shape, turned.format)
    np.testing.assert_array_equal(array, np.arange(12.0).reshape(3, 4).T)


def test_every_number_type_has_its_format(tmp_path: Path) -> None:
    types = [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool]

    class Types(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for number, dtype in enumerate(types):
                self.register_buffer(f"t{number}", torch.ones(3).to(dtype))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for number in range(len(types)):
                x = x + getattr(self, f"t{number}")
            return x

    graph = translate(archive(Types(), torch.randn(2, 3), tmp_path, decomposed=False))
    formats = {value.label: value.format.name for value in graph.values.values() if value.constant}
    assert [formats[f"t{number}"] for number in range(len(types))] == [str(dtype).removeprefix("torch.") for dtype in types]


def test_a_compressed_entry_is_refused(linear: Path) -> None:
    squeezed = rewritten(linear, members(linear), zipfile.ZIP_DEFLATED)
    (problem,) = sentences(squeezed)
    name = zipfile.ZipFile(squeezed).namelist()[0]
    assert problem == f"got the compressed or encrypted entry {name!r} but should store every entry as it is [{squeezed.name}] {AGAIN}"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_twice_is_refused(linear: Path) -> None:
    with zipfile.ZipFile(linear, "r") as original:
        names = original.namelist()
    double = rewritten(linear, members(linear))
    with zipfile.ZipFile(double, "a") as archive_file:
        archive_file.writestr(f"model/{MODEL}", b"{}")
    assert sentences(double) == [f"got two entries called 'model/{MODEL}' but should name each entry once [{double.name}]"]
    assert len(names) == len(set(names))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pt2"
    empty.write_bytes(b"")
    assert sentences(empty) == ["got an empty file but should be a .pt2 archive [empty.pt2] (save the model again)"]


@pytest.mark.parametrize("keep", [100, 0.5, 0.9, 0.999])
def test_a_cut_file_is_refused(linear: Path, keep: float) -> None:
    data = linear.read_bytes()
    cut = linear.with_name("cut.pt2")
    cut.write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    (problem,) = sentences(cut)
    assert problem.startswith("got a file that cannot be read as a .pt2 archive (")
    assert problem.endswith(f") but should be a whole one [cut.pt2] {AGAIN}")


def test_entries_that_overlap_are_refused(linear: Path) -> None:
    """A second index entry that points at the first one's bytes: 1 KB of file, any number of tensors."""
    path = rewritten(linear, members(linear))
    data = bytearray(path.read_bytes())
    index = data.index(b"PK\x01\x02")
    name_length = struct.unpack_from("<H", data, index + 28)[0]
    entry = data[index : index + 46 + name_length]
    end = data.index(b"PK\x05\x06")
    count, size = struct.unpack_from("<H", data, end + 10)[0], struct.unpack_from("<I", data, end + 12)[0]
    struct.pack_into("<HH", data, end + 8, count + 1, count + 1)
    struct.pack_into("<I", data, end + 12, size + len(entry))
    entry[46 : 46 + name_length] = entry[46 : 46 + name_length][:-1] + b"~"
    path.write_bytes(data[:end] + entry + data[end:])
    (problem,) = sentences(path)
    assert "whose own header disagrees but should agree with the index" in problem


def test_a_zip_that_is_no_archive_is_refused(linear: Path) -> None:
    other = rewritten(linear, {"hello.txt": b"hello"})
    assert sentences(other) == [f"got a zip that is not a .pt2 archive but should be one [{other.name}] {AGAIN}"]


def test_cut_json_is_refused(linear: Path) -> None:
    entries = members(linear)
    cut = rewritten(linear, {**entries, MODEL: entries[MODEL][:-10]})
    (problem,) = sentences(cut)
    assert problem.startswith(f"got model/{MODEL} that is not JSON (")
    deep = rewritten(linear, {**entries, MODEL: b"[" * 100_000})
    assert "that is not JSON (maximum recursion depth exceeded" in sentences(deep)[0]


def test_compiled_code_is_refused(linear: Path) -> None:
    bad = rewritten(linear, {**members(linear), "data/aotinductor/model/model.so": b"\x7fELF"})
    assert sentences(bad) == [f"got compiled code (data/aotinductor/model/model.so) but should be a graph only [{bad.name}] {AGAIN}"]


def tensor(field: str, value: object) -> Any:
    def change(data: Any) -> None:
        data["config"]["weight"]["tensor_meta"][field] = value

    return change


HOSTILE_TENSORS = {
    "stride 0": (
        [("sizes", [{"as_int": 1_000_000}, {"as_int": 1_000_000}]), ("strides", [{"as_int": 0}, {"as_int": 0}])],
        "got 1,000,000,000,000 elements of 4 bytes in 24 bytes but should store each element [tensor 'weight'] "
        "(call .contiguous() on an expanded tensor)",
    ),
    "too large": (
        [("sizes", [{"as_int": 2}, {"as_int": 4}]), ("strides", [{"as_int": 4}, {"as_int": 1}])],
        "got 8 elements of 4 bytes in 24 bytes but should store each element [tensor 'weight'] (call .contiguous() on an expanded tensor)",
    ),
    "past the end": (
        [("storage_offset", {"as_int": 1})],
        "got a tensor that ends at byte 28 but should end within 24 bytes [tensor 'weight']",
    ),
    "before the beginning": (
        [("storage_offset", {"as_int": -1})],
        "got sizes (2, 3), strides (3, 1) and offset -1 but should be those of a tensor [tensor 'weight']",
    ),
    "negative size": (
        [("sizes", [{"as_int": -2}, {"as_int": 3}])],
        "got sizes (-2, 3), strides (3, 1) and offset 0 but should be those of a tensor [tensor 'weight']",
    ),
    "unknown type": ([("dtype", 99)], "got the number type 99 but should be one of torch's real types [tensor 'weight']"),
    "complex": ([("dtype", 10)], "got the number type 10 but should be one of torch's real types [tensor 'weight']"),
    "sparse": (
        [("layout", 1)],
        "got a tensor of layout 1 but should be dense (strided) [tensor 'weight'] (call .to_dense() before export)",
    ),
    "size as text": (
        [("sizes", [{"as_expr": {"expr_str": "1"}}, {"as_int": 3}])],
        f"got a record that cannot be read ('as_int') but should describe a plain tensor [tensor 'weight'] {AGAIN}",
    ),
}


@pytest.mark.parametrize("name", HOSTILE_TENSORS)
def test_a_tensor_that_lies_about_itself_is_refused(name: str, linear: Path) -> None:
    changes, sentence = HOSTILE_TENSORS[name]

    def change(data: Any) -> None:
        for field, value in changes:
            tensor(field, value)(data)

    assert sentences(edited(linear, change, WEIGHTS)) == [sentence]


def test_all_bad_tensors_are_named_together(linear: Path) -> None:
    def change(data: Any) -> None:
        data["config"]["weight"]["use_pickle"] = True
        data["config"]["bias"]["path_name"] = "../../secret"

    pickled, outside = sentences(edited(linear, change, WEIGHTS))
    advice = "(pickles can run code and are never opened)"
    assert pickled == f"got a pickled or custom object but should be a plain tensor of the archive [tensor 'weight'] {advice}"
    assert outside == f"got a tensor in '../../secret' but should be a plain tensor of the archive [tensor 'bias'] {advice}"


def test_one_storage_of_two_types_is_refused(linear: Path) -> None:
    def change(data: Any) -> None:
        data["config"]["bias"]["path_name"] = "weight_0"
        data["config"]["bias"]["tensor_meta"]["dtype"] = 4

    assert sentences(edited(linear, change, WEIGHTS)) == [
        "got one storage read as float32 and as int32 but should be of one type [tensor 'bias'] (clone the tensor)"
    ]


def test_weights_are_never_read(tmp_path: Path) -> None:
    """The tensor's bytes may be anything: 64 MB of them are mapped, not opened. Nothing of the file is copied."""
    path = save(exported(Function(lambda x, w: x @ w, torch.zeros(4096, 4096)), torch.randn(2, 4096), decomposed=False), tmp_path)
    import tracemalloc

    tracemalloc.start()
    translate(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 4096 * 4096 * 4
    assert peak < 1 << 20
