"""Operators that are known and cannot be counted, each with what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from micronet_verify_pytorch.op import Op, by_data, random, refused, unpriced

_FAST = refused(
    "the fused encoder fast path", "be exported as separate operators", "export under torch.backends.mha.set_fastpath_enabled(False)"
)
_OBSERVER = refused(
    "a fake quantizer that still observes",
    "be exported after converting the observers",
    "replace its module by a quantizer with its scale and zero point: the plugin's README has one that exports",
)
_LOOP = refused("a loop over a body", "be unrolled", "write the loop in Python: torch.export unrolls it")
_BAGS = refused(
    "bags of an embedding", "be a look-up and a reduction", "F.embedding(x, weight).sum(1), .mean(1) or .amax(1) has the same values"
)
_GRID = refused(
    "sampling on a grid",
    "be written with operators that have a price",
    "places by torch.floor and clamp, x.flatten(2).gather(2, places) for each corner, and the corners' weights as multiplies and adds",
)
_ANTIALIAS = refused("a resize with antialias", "be one without", "a fixed filter is a convolution with constant weights")
_LOW_LEVEL = refused("a tensor laid over memory by strides", "be a view, a slice or a reshape")
_PACKED = refused(
    "a packed quantized tensor",
    "be quantize and dequantize operators on plain tensors",
    "use the PT2E flow, or fake_quantize_per_*_affine",
)

REFUSED: Mapping[str, Op] = MappingProxyType(
    {
        "aten._cdist_forward": unpriced("a distance matrix"),
        "aten._embedding_bag": _BAGS,
        "aten._embedding_bag_forward_only": _BAGS,
        "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams": _OBSERVER,
        "aten._fft_c2c": unpriced("a Fourier transform"),
        "aten._fft_c2r": unpriced("a Fourier transform"),
        "aten._fft_r2c": unpriced("a Fourier transform"),
        "aten._fused_moving_avg_obs_fq_helper": _OBSERVER,
        "aten._fused_moving_avg_obs_fq_helper_functional": _OBSERVER,
        "aten._local_scalar_dense": by_data("a number read out of a tensor"),
        "aten._native_batch_norm_legit_functional": refused(
            "batch norm in training mode", "be exported after model.eval()", "call model.eval() before torch.export.export"
        ),
        "aten._native_multi_head_attention": _FAST,
        "aten._transformer_encoder_layer_fwd": _FAST,
        "aten._unique2": by_data("_unique2"),
        "aten._upsample_bicubic2d_aa": _ANTIALIAS,
        "aten._upsample_bilinear2d_aa": _ANTIALIAS,
        "aten.affine_grid_generator": refused(
            "a grid of places",
            "be written with operators that have a price",
            "hand in exported_program.run_decompositions(), which writes it out",
        ),
        "aten.as_strided": _LOW_LEVEL,
        "aten.bernoulli": random(),
        "aten.bincount": by_data("bincount"),
        "aten.cauchy": random(),
        "aten.cdist": unpriced("a distance matrix"),
        "aten.dequantize": _PACKED,
        "aten.embedding_bag": _BAGS,
        "aten.exponential": random(),
        "aten.fft_fft": unpriced("a Fourier transform"),
        "aten.fft_fft2": unpriced("a Fourier transform"),
        "aten.fft_ifft": unpriced("a Fourier transform"),
        "aten.fft_irfft": unpriced("a Fourier transform"),
        "aten.fft_rfft": unpriced("a Fourier transform"),
        "aten.fft_rfft2": unpriced("a Fourier transform"),
        "aten.fractional_max_pool2d": random(),
        "aten.fused_moving_avg_obs_fake_quant": _OBSERVER,
        "aten.geometric": random(),
        "aten.grid_sampler": _GRID,
        "aten.grid_sampler_2d": _GRID,
        "aten.grid_sampler_3d": _GRID,
        "aten.istft": unpriced("a Fourier transform"),
        "aten.item": by_data("a number read out of a tensor"),
        "aten.linalg_cholesky_ex": unpriced("a matrix factorisation"),
        "aten.linalg_eigh": unpriced("a matrix factorisation"),
        "aten.linalg_inv_ex": unpriced("a matrix factorisation"),
        "aten.linalg_qr": unpriced("a matrix factorisation"),
        "aten.linalg_solve_ex": unpriced("a matrix factorisation"),
        "aten.linalg_svd": unpriced("a matrix factorisation"),
        "aten.log_normal": random(),
        "aten.masked_select": by_data("masked_select"),
        "aten.multinomial": random(),
        "aten.nonzero": by_data("nonzero"),
        "aten.normal": random(),
        "aten.normal_functional": random(),
        "aten.poisson": random(),
        "aten.quantize_per_channel": _PACKED,
        "aten.quantize_per_tensor": _PACKED,
        "aten.quantized_lstm": _PACKED,
        "aten.rand": random(),
        "aten.rand_like": random(),
        "aten.randint": random(),
        "aten.randint_like": random(),
        "aten.randn": random(),
        "aten.randn_like": random(),
        "aten.random": random(),
        "aten.randperm": random(),
        "aten.rrelu": random(),
        "aten.rrelu_with_noise": random(),
        "aten.stft": unpriced("a Fourier transform"),
        "aten.uniform": random(),
        "aten.unique_consecutive": by_data("unique_consecutive"),
        "aten.unique_dim": by_data("unique_dim"),
        "higher_order.associative_scan": _LOOP,
        "higher_order.map_impl": _LOOP,
        "higher_order.scan": _LOOP,
        "higher_order.while_loop": _LOOP,
    }
)
