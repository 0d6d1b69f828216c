"""Every reference network by name, with its inputs at batch 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from tests.reference.networks import language, transformer_xl
from tests.reference.networks.dense_shuffle import DenseNetBC100, ShuffleNetV2
from tests.reference.networks.efficientnet import SCALING, EfficientNet
from tests.reference.networks.mixnet import MixNetS
from tests.reference.networks.mobilenet import MobileNetV1, MobileNetV2, MobileNetV3Large
from tests.reference.networks.residual import PyramidNet110, ResNet50
from tests.reference.networks.wide_resnet import WideResNet

TOKEN: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """``shapes``: one example of each input, without the batch axis; ``TOKEN`` is a word number."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]

    def example(self) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(1, dtype=torch.int64) if shape == TOKEN else torch.ones(1, *shape) for shape in self.shapes)


def _image(make: Callable[[], nn.Module], size: int) -> Reference:
    return Reference(make, ((3, size, size),))


_QRNN_STATES = tuple((hidden,) for _, hidden in language.qrnn_layers())
_MEMORIES = ((transformer_xl.MEMORY, transformer_xl.WIDTH),) * transformer_xl.LAYERS

NETWORKS: dict[str, Reference] = {
    **{f"efficientnet-b{variant}": _image(partial(EfficientNet, variant), SCALING[variant][2]) for variant in range(5)},
    "wrn-28-10": _image(WideResNet, 32),
    "wrn-28-10-stride-2nd": _image(partial(WideResNet, 2), 32),
    "wrn-28-10-biases": _image(partial(WideResNet, 1, False), 32),
    "wrn-28-10-biases-stride-2nd": _image(partial(WideResNet, 2, False), 32),
    "mobilenet-v1": _image(MobileNetV1, 224),
    "mobilenet-v2-1.4": _image(partial(MobileNetV2, 1.4), 224),
    "mobilenet-v3-large": _image(MobileNetV3Large, 224),
    "mixnet-s": _image(MixNetS, 224),
    "resnet-50": _image(ResNet50, 224),
    "densenet-bc-100": _image(DenseNetBC100, 32),
    "shufflenet-v2": _image(ShuffleNetV2, 224),
    "pyramidnet-110": _image(PyramidNet110, 32),
    "transformer-xl": Reference(transformer_xl.TransformerXL, (TOKEN, *_MEMORIES)),
    "lstm": Reference(language.LstmModel, (TOKEN, (language.LSTM_HIDDEN,), (language.LSTM_HIDDEN,))),
    "qrnn": Reference(language.QrnnModel, (TOKEN, TOKEN, *_QRNN_STATES)),
}
