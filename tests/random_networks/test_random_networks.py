"""Each network is translated, counted, executed, and answers as its framework does; one network has one price in all."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, reject, settings

from tests.random_networks import in_onnx, in_pytorch, in_tensorflow
from tests.random_networks.conftest import AS_ALWAYS, MANY, SETTINGS
from tests.random_networks.judged import judge
from tests.random_networks.network import Network, Unsupported, networks


@SETTINGS
@given(networks())
def test_in_onnx(network: Network) -> None:
    judge("onnx", in_onnx.write, network)


@SETTINGS
@given(networks())
def test_in_pytorch(network: Network) -> None:
    judge("pytorch", in_pytorch.write, network)


@pytest.mark.xdist_group("tensorflow")
def test_in_tensorflow(tf: Any) -> None:
    @SETTINGS
    @given(networks())
    def judged(network: Network) -> None:
        try:
            judge("tensorflow", partial(in_tensorflow.write, tf), network)
        except Unsupported:
            reject()

    judged()


@pytest.mark.xdist_group("tensorflow")
def test_a_network_has_one_price(tf: Any) -> None:
    @settings(SETTINGS, max_examples=(MANY or AS_ALWAYS) // 4)
    @given(networks().filter(_is_one_operator_each))
    def judged(network: Network) -> None:
        try:
            there = judge("tensorflow", partial(in_tensorflow.write, tf), network)
        except Unsupported:
            reject()
        here, elsewhere = judge("onnx", in_onnx.write, network), judge("pytorch", in_pytorch.write, network)
        assert here == elsewhere
        assert here == there

    judged()


def _is_one_operator_each(network: Network) -> bool:
    """TensorFlow has no dilated depthwise convolution: it lays the dilated places side by side, and computes on what it adds there."""
    return not any(op.name == "conv" and op.options["groups"] > 1 and op.options["dilation"] > 1 for op in network.ops)
