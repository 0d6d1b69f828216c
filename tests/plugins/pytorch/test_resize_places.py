"""Places of a resize: torch finds them in float32, where some fall short of the whole number that they should reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micronet_verify.facts.formats import FLOAT32
from micronet_verify.facts.graph import Node, Value
from micronet_verify.interpreter.kinds import FUNCTIONS
from micronet_verify.interpreter.node_call import call_of

PLACES = {"nearest": ("asymmetric", "floor"), "nearest-exact": ("half_pixel", "round_prefer_ceil")}


@pytest.mark.parametrize("mode", PLACES)
def test_every_pair_of_sizes_picks_the_sources_that_torch_picks(mode: str) -> None:
    """Sizes from 1 to 64; 2 → 82 is the first of 257 pairs up to 128 at which ⌊k·n/m⌋, computed exactly, is another."""
    coordinates, nearest = PLACES[mode]
    for size, outputs in [*((n, m) for n in range(1, 65) for m in range(1, 65)), (2, 82), (4, 82), (8, 82)]:
        x = torch.arange(size, dtype=torch.float32).reshape(1, 1, size)
        attributes = {"op": "nearest", "shape": (1, 1, outputs), "coordinates": coordinates, "nearest": nearest, "single": True}
        result = Value("y", (1, 1, outputs), FLOAT32)
        step = call_of(Node("resize", ("x",), ("y",), attributes), [FLOAT32], [result])
        found = FUNCTIONS["resize"](step, [x.numpy()])
        assert np.array_equal(found, torch.nn.functional.interpolate(x, size=(outputs,), mode=mode).numpy()), (size, outputs)
