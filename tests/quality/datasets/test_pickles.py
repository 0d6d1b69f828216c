from __future__ import annotations

import os
import pickle
import pickletools
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micronet_verify.errors import BenchFault
from micronet_verify.quality.datasets.pickles import read_pickle
from tests.quality.published import Python2, cifar_images, cifar_pickle

PLAIN = "hold numbers, texts, lists and arrays of numbers only"


def refusal(data: bytes) -> str:
    with pytest.raises(BenchFault) as caught:
        read_pickle(data, "test")
    return str(caught.value)


def test_the_writer_of_these_tests_writes_what_python_2_wrote() -> None:
    """Python itself reads it, and its opcodes are those of the published files."""
    pixels, fine, coarse = cifar_images(3)
    data = cifar_pickle(pixels, fine, coarse)
    read = pickle.loads(data, encoding="bytes")
    assert read[b"fine_labels"] == fine
    assert np.array_equal(read[b"data"], pixels)
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(data)}
    assert {"SHORT_BINSTRING", "BINSTRING", "GLOBAL", "REDUCE", "BUILD", "BININT1"} <= opcodes


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickles_of_python_3_too(protocol: int) -> None:
    values = {
        b"data": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "wide": np.asfortranarray(np.arange(6, dtype="<i8").reshape(2, 3)),
        "floats": np.array([0.5, -1.0]),
        "lists": [1, -1, 256, 70000, 2**40, [], [True, False, None], 0.25],
        b"texts": ["é", b"\xff", "x" * 300, b"y" * 300],
        "tuple": (1, (2, "three")),
    }
    read = read_pickle(pickle.dumps(values, protocol=protocol), "file")
    for name in (b"data", "wide", "floats"):
        array = values.pop(name)
        assert np.array_equal(read.pop(name), array)
    assert read == values


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_is_executed(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps({"data": Payload(tmp_path / "executed")}, protocol=protocol)
    with pytest.raises(BenchFault) as caught:
        read_pickle(data, "cifar-100-python/test")
    assert str(caught.value).endswith("(nothing of it was executed)")
    assert not (tmp_path / "executed").exists()
    pickle.loads(data)
    assert (tmp_path / "executed").exists()  # it would have been


def test_the_name_and_the_byte_are_told(tmp_path: Path) -> None:
    data = pickle.dumps(Payload(tmp_path / "executed"), protocol=2)
    place = data.index(b"R", data.index(b"executed"))
    assert refusal(data) == f"got a pickle that calls posix.mkdir but should {PLAIN} [test, byte {place:,}] (nothing of it was executed)"


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"", "that ends too early"),
        (b"\x80\x02}q\x01(U\x04da", "that ends too early"),
        (b"\x80\x02i__main__\nPayload\n.", "with the opcode 0x69, which data does not need,"),
        (b"\x80\x02cos\nsystem\n.", "that holds os.system"),
        (b"\x80\x02c" + b"x" * 500, "that ends too early"),
        (b"\x80\x02]K\x01R.", "that calls something without a name"),
        (b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.", "that calls numpy.dtype"),
        (b"\x80\x02c__builtin__\neval\nU\x011\x85R.", "that calls __builtin__.eval"),
        (b"\x80\x02K\x01}b.", "that sets the state of something that is not an array of numbers"),
        (b"\x80\x02h\x05.", "that makes no sense (5)"),
        (b"\x80\x02u.", "without a mark where one is needed"),
        (b"\x80\x02\x86.", "that reads values that are missing"),
        (b"\x80\x02.", "that ends in the middle, or reads values that are missing"),
        (b"\x80\x02}(]K\x01u.", "with a key that is not text"),
        (b"\x80\x02](K\x01u.", "that sets items of something that is not a dict"),
        (b"\x80\x02}(K\x01e.", "that appends to something that is not a list"),
        (b"\x80\x02T\xff\xff\xff\xff.", "that ends too early"),  # a text of −1 bytes
        (b"\x80\x02]q\x01" + b"]q\x01h\x01a" * 200 + b".", "nested too deeply, or with too much in it,"),
    ],
)
def test_what_is_no_data_is_refused_with_its_place(data: bytes, got: str) -> None:
    told = refusal(data)
    assert told.startswith(f"got a pickle {got} but should {PLAIN} [test, byte "), told


def test_an_array_that_claims_more_than_it_holds() -> None:
    pixels, fine, coarse = cifar_images(2)
    data = cifar_pickle(pixels, fine, coarse)
    lying = data.replace(b"(K\x01K\x02M\x00\x0c\x86", b"(K\x01K\x03M\x00\x0c\x86")
    assert lying != data
    told = refusal(lying)
    assert told.startswith(f"got a pickle with an array of shape (3, 3072) that holds {2 * 3072:,} bytes and not {3 * 3072:,} but"), told


def test_a_list_that_holds_itself_twice_over_and_over_ends() -> None:
    """Thirty lists, each holding the one before it twice: 2³⁰ items in 150 bytes."""
    layers = b"".join(b"]q" + bytes([place]) + b"(h" + bytes([place - 1]) + b"h" + bytes([place - 1]) + b"e" for place in range(2, 15))
    # What depth allows is allowed (2¹³ items); the number of items ends the rest.
    assert read_pickle(b"\x80\x02]q\x01" + layers + b".", "test")
    wide = b"".join(b"]q" + bytes([p]) + b"(" + (b"h" + bytes([p - 1])) * 200 + b"e" for p in range(2, 6))
    assert "too much in it" in refusal(b"\x80\x02]q\x01" + wide + b".")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(BenchFault):
        read_pickle(b"\x80\x02" + data, "test")


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_a_damaged_file_never_gives_anything_but_data_or_a_fault(seed: int, flips: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(cifar_pickle(*cifar_images(1)))
    for place in random.integers(0, len(data), flips):
        data[place] = int(random.integers(0, 256))
    with suppress(BenchFault):
        read_pickle(bytes(data), "test")


def test_large_numbers_as_python_2_wrote_them() -> None:
    values = [0, 255, 256, 65535, 65536, -1]
    assert read_pickle(Python2().dump(values), "test") == values
    assert read_pickle(b"\x80\x02\x8a\x08" + struct.pack("<q", -(2**62)) + b".", "test") == -(2**62)
