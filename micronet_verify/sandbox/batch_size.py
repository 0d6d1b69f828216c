"""How many examples a model is fed at a time, where the operator does not say.

A batch that fits in a processor's caches is fastest, and needs little memory: on one thread, networks for 32×32 images run
best on 8 to 32 of them, and on 224×224 on 8; ten times as many take up to twice as long. So a batch's inputs take at most
``BYTES`` for each thread, but a batch has at least ``LEAST`` examples for each and at most ``MOST``. The rule knows only the
size of an example, the threads and the device: the same machine always gets the same batches, and the same last bits.
"""

from __future__ import annotations

import math

from micronet_verify.facts.graph import Shape

BYTES, LEAST, MOST = 512 << 10, 8, 64
# A graphics processor is busy only with many.
BYTES_ELSEWHERE, LEAST_ELSEWHERE, MOST_ELSEWHERE = 64 << 20, 32, 512


def batch_size_for(example: Shape, threads: int, device: str) -> int:
    """A power of two for each thread, from the shape of one example of float32."""
    if device != "cpu":
        return _fitting(example, BYTES_ELSEWHERE, LEAST_ELSEWHERE, MOST_ELSEWHERE)
    return _fitting(example, BYTES, LEAST, MOST) * threads


def _fitting(example: Shape, most_bytes: int, least: int, most: int) -> int:
    fits = most_bytes // (4 * max(1, math.prod(example)))
    return min(max(1 << max(fits.bit_length() - 1, 0), least), most)
