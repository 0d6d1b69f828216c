"""Which classes the configuration of a Keras model may name: the built-in layers that compute, and what they are made with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from micronet_verify.plugin import Problem

_LAYERS = frozenset(
    "Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D AveragePooling2D "
    "AveragePooling3D BatchNormalization Bidirectional CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D "
    "Conv3DTranspose ConvLSTM1D ConvLSTM2D Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU "
    "EinsumDense Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D "
    "GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention Identity "
    "InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum "
    "MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization RNN ReLU RepeatVector Rescaling Reshape Resizing "
    "SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D "
    "SpectralNormalization StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D "
    "ZeroPadding1D ZeroPadding2D ZeroPadding3D".split()
)
_MODELS = frozenset({"Functional", "Model", "Sequential"})
_INITIALIZERS = re.compile(
    r"(Random|Truncated|Glorot|He|Lecun)(Normal|Uniform)|VarianceScaling|Orthogonal(Initializer)?|Identity(Initializer)?|Zeros|Ones|Constant"
)
_OPERATIONS = frozenset(
    "Abs Absolute Add Clip Concatenate Conv Cos Divide Einsum Elu Erf Exp ExpandDims Flip Gelu GetItem HardSigmoid HardSilu LeakyRelu "
    "Log LogSoftmax Matmul Max Maximum Mean Min Minimum Moveaxis Multiply Negative Pad Power Relu Relu6 Repeat Reshape Rsqrt Selu Sigmoid "
    "Silu Sin Softmax Softplus Softsign Split Sqrt Square Squeeze Stack Subtract Sum Swapaxes Take Tanh Tile Transpose "
    "TrueDivide Where".split()
)
_OTHERS = frozenset({"DTypePolicy", "FloatDTypePolicy", "L1", "L2", "L1L2", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})
_MODULES = re.compile(
    r"keras|keras\.(layers|models|initializers|regularizers|constraints|dtype_policies)|keras\.src\.models\.(functional|sequential|model)"
)
_OPERATION_MODULES = frozenset({"keras.src.ops.numpy", "keras.src.ops.nn"})
# What stands in a configuration for a tensor between layers.
_TENSOR = "__keras_tensor__"
_REASONS = {
    "Lambda": "holds Python code",
    "__lambda__": "holds Python code",
    "function": "names a Python function",
    "TFSMLayer": "loads another model from a path",
    "TorchModuleWrapper": "holds Python code",
    "JaxLayer": "holds Python code",
    "FlaxLayer": "holds Python code",
    "TextVectorization": "reads a vocabulary",
    "StringLookup": "reads a vocabulary",
    "IntegerLookup": "reads a vocabulary",
}
_ADVICE = "build the model from Keras' own layers that compute"


def class_problems(config: Any, where: str) -> Iterator[Problem]:
    """Every class of a configuration that is not allowed, by name and place."""
    pending: list[tuple[Any, str]] = [(config, "")]
    while pending:
        item, layer = pending.pop()
        if isinstance(item, list):
            pending += [(part, layer) for part in reversed(item)]
        elif isinstance(item, dict):
            inner = item.get("config")
            name = item.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
            layer = name if isinstance(name, str) else layer
            if "class_name" in item:
                problem = _refused(item, layer, where)
                if problem is not None:
                    yield problem
                    if item["class_name"] == "Lambda":
                        continue  # its function is what it is refused for
            pending += [(part, layer) for key, part in reversed(list(item.items())) if key != "compile_config"]


def _refused(item: dict[str, Any], layer: str, where: str) -> Problem | None:
    name, module, registered = item["class_name"], item.get("module"), item.get("registered_name")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        return Problem("a class whose name is not text", "be one of Keras' own", where)
    place = f"{where}, layer {layer!r}" if layer else where
    own = name in _LAYERS | _MODELS | _OTHERS or _INITIALIZERS.fullmatch(name) is not None
    fits = (own and (module is None or _MODULES.fullmatch(module) is not None)) or (name in _OPERATIONS and module in _OPERATION_MODULES)
    if name == _TENSOR and module is None:
        return None
    if not fits:
        reason = f", which {_REASONS[name]}," if name in _REASONS else ""
        source = f" of {module!r}" if module and not module.startswith("keras") else ""
        return Problem(f"the class {name!r}{source}{reason}", "be a built-in Keras layer that computes", place, _ADVICE)
    if registered is not None and registered != name:
        return Problem(f"the class {name!r} registered as {registered!r}", "be one of Keras' own", place, _ADVICE)
    return None
