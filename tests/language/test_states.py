"""Files of initial states: read as data in both formats, and refused in a sentence where they are anything else."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from micronet_verify.errors import SubmissionFault
from micronet_verify.submission import states
from micronet_verify.submission.states import read_states

H = np.arange(6, dtype=np.float32).reshape(1, 6)
C = np.arange(-3, 3, dtype=np.int8).reshape(2, 3)


def told(path: Path) -> str:
    with pytest.raises(SubmissionFault) as caught:
        read_states(path, "states" + path.suffix)
    return str(caught.value)


def same(found: states.States) -> None:
    assert sorted(found) == ["c", "h"]
    for name, array in (("h", H), ("c", C)):
        assert (found[name].dtype, found[name].tolist()) == (array.dtype, array.tolist())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(save: Any, tmp_path: Path) -> None:
    save(tmp_path / "s.npz", h=H, c=np.asfortranarray(C))
    same(read_states(tmp_path / "s.npz", "s.npz"))


def test_safetensors(tmp_path: Path) -> None:
    save_file({"h": H, "c": C}, tmp_path / "s.safetensors", {"made": "by hand"})
    same(read_states(tmp_path / "s.safetensors", "s.safetensors"))


class Bomb:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", h=np.array([Bomb()], object))
    assert told(tmp_path / "s.npz") == "got an array 'h.npy' of type object but should be plain numbers, little-endian [states.npz]"
    (tmp_path / "p.npz").write_bytes(pickle.dumps(Bomb()))
    assert told(tmp_path / "p.npz").startswith(
        "got initial states that cannot be read (File is not a zip file) but should be a whole .npz file"
    )


@pytest.mark.parametrize("array", [H.astype(">f4"), H.astype(np.complex64), np.array(["a"]), np.zeros(2, [("x", np.int8)])])
def test_other_numbers_are_refused(array: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", h=array)
    assert told(tmp_path / "s.npz").endswith("but should be plain numbers, little-endian [states.npz]")


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "s.pt").write_bytes(b"")
    assert told(tmp_path / "s.pt") == "got initial states in 'states.pt' but should be a .npz or .safetensors file [states.pt]"


def test_a_shape_that_claims_more_than_there_is(tmp_path: Path) -> None:
    """A header of a few bytes that asks for a terabyte."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 38,)})
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("h.npy", file.getvalue())
    assert "h.npy of 1,099,511,627,776 bytes in a member of " in told(tmp_path / "s.npz")


def test_members_that_are_cut_off_or_no_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", h=H)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "s.npz").read_bytes()[:-30])
    assert "cannot be read" in told(tmp_path / "cut.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert told(tmp_path / "x.npz").startswith("got a member 'readme.txt' but should be one .npy array for each state")


def test_too_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MOST_BYTES", 100)
    np.savez_compressed(tmp_path / "s.npz", h=np.zeros(1000, np.float32))
    assert told(tmp_path / "s.npz").endswith("bytes of initial states but should be at most 100 [states.npz]")


def safetensors(path: Path, header: Any, data: bytes, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        ({"h": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234", "bytes 0 to 8 for h"),
        ({"h": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234", "bytes 0 to 4 for h"),
        ({"h": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678", "bytes 4 to 8 for h"),
        ({"h": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345678", "4 bytes that belong to no tensor"),
        ({"h": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}, b"", "sizes of h that are not whole numbers"),
        ({"h": {"dtype": "F32", "shape": [1]}}, b"1234", "'data_offsets'"),
        (b"[" * 100_000, b"", "cannot be read"),
        (b"{", b"", "cannot be read"),
    ],
)
def test_safetensors_that_lie(header: Any, data: bytes, said: str, tmp_path: Path) -> None:
    assert said in told(safetensors(tmp_path / "s.safetensors", header, data))


def test_safetensors_of_other_types_and_headers(tmp_path: Path) -> None:
    bf16 = {"h": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    assert told(safetensors(tmp_path / "s.safetensors", bf16, b"12")).startswith(
        "got a tensor 'h' of type BF16 but should be one of BOOL, U8"
    )
    assert "a header of 1,000,000 bytes" in told(safetensors(tmp_path / "s.safetensors", {}, b"", 1_000_000))
