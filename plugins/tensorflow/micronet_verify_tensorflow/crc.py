"""CRC-32C (Castagnoli) of large arrays, in numpy: the checksum of TensorFlow's checkpoints.

A byte-wise table walks one byte at a time; here many stretches of the data are walked side by side, two bytes a step, and
their checksums joined: crc(a·b) is crc(a) advanced by the length of b, exclusive-or crc(b).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
# Shorter data are walked byte by byte.
_SMALL = 1024
Words = NDArray[np.uint32]


@cache
def _table(bits: int) -> Words:
    """What ``bits`` bits of input do to a checksum."""
    table = np.arange(1 << bits, dtype=np.uint32)
    for _ in range(bits):
        table = np.where(table & np.uint32(1), (table >> np.uint32(1)) ^ np.uint32(_POLYNOMIAL), table >> np.uint32(1))
    return table


@cache
def _advance(power: int) -> tuple[Words, ...]:
    """Four byte-indexed tables that advance a checksum over 2^power zero bytes."""
    if power == 0:
        images = np.uint32(1) << np.arange(32, dtype=np.uint32)
        images = (images >> np.uint32(8)) ^ _table(8)[images & np.uint32(0xFF)]
    else:
        half = _advance(power - 1)
        images = _advanced(_advanced(np.uint32(1) << np.arange(32, dtype=np.uint32), half), half)
    tables = []
    for byte in range(4):
        table = np.zeros(256, np.uint32)
        for bit in range(8):
            table ^= np.where(np.arange(256) >> bit & 1, images[8 * byte + bit], 0).astype(np.uint32)
        tables.append(table)
    return tuple(tables)


def _advanced(crc: Words, tables: tuple[Words, ...]) -> Words:
    byte = np.uint32(0xFF)
    result: Words = tables[0][crc & byte]
    for index in range(1, 4):
        result ^= tables[index][(crc >> np.uint32(8 * index)) & byte]
    return result


def crc32c(data: NDArray[np.uint8]) -> int:
    """CRC-32C of ``data`` (a contiguous byte array)."""
    state = np.uint32(0xFFFFFFFF)
    table = _table(8)
    lanes_power = max((data.size.bit_length() - 1) // 2, 0)
    stretch_power = max(data.size.bit_length() - 1 - lanes_power, 1)
    # As many bytes as 2^lanes stretches of 2^stretch bytes hold are walked side by side; the rest one by one.
    whole = (1 << (lanes_power + stretch_power)) if data.size >= _SMALL else 0
    if whole:
        while whole > data.size:
            lanes_power, whole = lanes_power - 1, whole >> 1
        columns = np.ascontiguousarray(data[:whole].reshape(1 << lanes_power, 1 << stretch_power).view("<u2").T)
        wide = _table(16)
        lanes = np.zeros(1 << lanes_power, np.uint32)
        lanes[0] = state
        for column in columns:
            lanes = (lanes >> np.uint32(16)) ^ wide[(lanes ^ column) & np.uint32(0xFFFF)]
        power = stretch_power
        while lanes.size > 1:
            lanes = _advanced(lanes[0::2], _advance(power)) ^ lanes[1::2]
            power += 1
        state = lanes[0]
    rest = data[whole:]
    if rest.size >= _SMALL:  # the rest is cut up in the same way, as if it began with the checksum so far
        after = np.uint32(crc32c(rest) ^ 0xFFFFFFFF)
        return int(_over_zeros(state ^ np.uint32(0xFFFFFFFF), rest.size) ^ after) ^ 0xFFFFFFFF
    value = int(state)
    for byte in rest.tolist():
        value = (value >> 8) ^ int(table[(value ^ byte) & 0xFF])
    return value ^ 0xFFFFFFFF


def _over_zeros(crc: np.uint32, length: int) -> np.uint32:
    found = np.array([crc], np.uint32)
    power = 0
    while length:
        if length & 1:
            found = _advanced(found, _advance(power))
        length >>= 1
        power += 1
    return np.uint32(found[0])


def unmasked(stored: int) -> int:
    """The checksum that LevelDB stores rotated and shifted, so that a checksum of checksums is none."""
    rotated = (stored - _MASK) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF
