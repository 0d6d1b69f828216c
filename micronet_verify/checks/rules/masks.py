"""S3: a sparse tensor is its non-zeros and a mask, and is never dearer than dense."""

from __future__ import annotations

from micronet_verify.checks.rules.counted import Counted, Finding, StoredTensor, absent, base_label
from micronet_verify.errors import Problem
from micronet_verify.wording.numbers import many


def masks(counted: Counted) -> Finding:
    """One mask bit per element, or per block of a size that divides the tensor, whose kept blocks are stored whole.

    Not dearer than dense: under the freebie than 16 bits for each element; in the quantized regime than one bit more for
    each element than a non-zero takes (a zero may need a code of its own), and one entry more in a codebook.
    """
    found = [tensor for tensor in counted.tensors if tensor.mask_bits]
    if not found:
        return absent("no tensor is cheaper with a mask")
    broken: list[Problem] = []
    kept = elements = 0
    for tensor in found:
        size = counted.sizes.get(base_label(tensor.values.subject))
        kept += int(tensor.values.quantity)
        if size is None:
            continue
        elements += size
        broken += _shape(tensor, size)
        if counted.track.rules.representation == "cheapest":
            broken += _price(tensor, size, counted.ledger.regime == "freebie")
    bits = sum(tensor.mask_bits for tensor in found)
    of = f" of {elements:,}" if elements else ""
    words = f"{many(len(found), 'tensor')} with masks of {bits:,} bits: {kept:,}{of} values are stored"
    return Finding(words, tuple(broken), evidence={"mask_bits": bits, "kept": kept})


def _shape(tensor: StoredTensor, size: int) -> list[Problem]:
    where, mask, values = tensor.values.subject, tensor.mask_bits, int(tensor.values.quantity)
    if mask > size or size % mask:
        return [Problem(f"{mask:,} mask bits for {size:,} values", "be one for each value, or for each block of equal size", where)]
    if values > size or values % (size // mask):
        return [Problem(f"{values:,} stored values", f"be whole blocks of {size // mask:,}, and at most {size:,}", where)]
    return []


def _price(tensor: StoredTensor, size: int, freebie: bool) -> list[Problem]:
    if freebie:
        dense = 16 * size
    else:
        more = sum((int(line.quantity) + (line.rule == "S8")) * line.bits for line in tensor.extras if line.rule != "S3")
        dense = size * (tensor.values.bits + 1) + more
    if tensor.bits > dense:
        return [Problem(f"{tensor.bits:,} bits with a mask", f"be at most the {dense:,} of the dense form", tensor.values.subject)]
    return []
