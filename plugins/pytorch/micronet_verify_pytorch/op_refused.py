"""Operators that are known and cannot be counted, each with what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from micronet_verify.plugin import Refusal
from micronet_verify_pytorch.lines import RANDOM, by_data, refused, unpriced

_FAST = refused(
    "the fused encoder fast path", "be exported as separate operators", "export under torch.backends.mha.set_fastpath_enabled(False)"
)
_OBSERVER = refused(
    "a fake quantizer that still observes",
    "be exported after converting the observers",
    "replace its module by a quantizer with its scale and zero point: the plugin's README has one that exports",
)
_BAGS = refused(
    "bags of an embedding", "be a look-up and a reduction", "F.embedding(x, weight).sum(1), .mean(1) or .amax(1) has the same values"
)
_GRID = refused(
    "sampling on a grid",
    "be written with operators that have a price",
    "places by torch.floor and clamp, x.flatten(2).gather(2, places) for each corner, and the corners' weights as multiplies and adds",
)
_ANTIALIAS = refused("a resize with antialias", "be one without", "a fixed filter is a convolution with constant weights")
_PACKED = refused(
    "a packed quantized tensor",
    "be quantize and dequantize operators on plain tensors",
    "use the PT2E flow, or fake_quantize_per_*_affine",
)

_FOURIER = unpriced("a Fourier transform")
_FACTORS = unpriced("a matrix factorisation")
_DISTANCES = unpriced("a distance matrix")
_READ = by_data("a number read out of a tensor")


def _aten(names: str, refusal: Refusal) -> Mapping[str, Refusal]:
    return dict.fromkeys((f"aten.{name}" for name in names.split()), refusal)


REFUSED: Mapping[str, Refusal] = MappingProxyType(
    {
        **_aten("_cdist_forward cdist", _DISTANCES),
        **_aten("_embedding_bag _embedding_bag_forward_only embedding_bag", _BAGS),
        **_aten("_fake_quantize_per_tensor_affine_cachemask_tensor_qparams fused_moving_avg_obs_fake_quant", _OBSERVER),
        **_aten("_fused_moving_avg_obs_fq_helper _fused_moving_avg_obs_fq_helper_functional", _OBSERVER),
        **_aten("_fft_c2c _fft_c2r _fft_r2c fft_fft fft_fft2 fft_ifft fft_irfft fft_rfft fft_rfft2 istft stft", _FOURIER),
        **_aten("_local_scalar_dense item", _READ),
        **_aten("_native_multi_head_attention _transformer_encoder_layer_fwd", _FAST),
        **_aten("_upsample_bicubic2d_aa _upsample_bilinear2d_aa", _ANTIALIAS),
        **_aten("dequantize quantize_per_channel quantize_per_tensor quantized_lstm", _PACKED),
        **_aten("grid_sampler grid_sampler_2d grid_sampler_3d", _GRID),
        **_aten("linalg_cholesky_ex linalg_eigh linalg_inv_ex linalg_qr linalg_solve_ex linalg_svd", _FACTORS),
        **_aten("bernoulli cauchy exponential fractional_max_pool2d geometric log_normal multinomial normal normal_functional", RANDOM),
        **_aten("poisson rand rand_like randint randint_like randn randn_like random randperm rrelu rrelu_with_noise uniform", RANDOM),
        **{
            f"aten.{name}": by_data(name)
            for name in ("_unique2", "bincount", "masked_select", "nonzero", "unique_consecutive", "unique_dim")
        },
        "aten._native_batch_norm_legit_functional": refused(
            "batch norm in training mode", "be exported after model.eval()", "call model.eval() before torch.export.export"
        ),
        "aten.affine_grid_generator": refused(
            "a grid of places",
            "be written with operators that have a price",
            "hand in exported_program.run_decompositions(), which writes it out",
        ),
        "aten.as_strided": refused("a tensor laid over memory by strides", "be a view, a slice or a reshape"),
        "higher_order.associative_scan": refused(
            "a scan in any order", "be one after the other", "use torch's scan, or write the loop in Python: torch.export unrolls it"
        ),
    }
)
