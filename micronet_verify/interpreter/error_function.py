"""erf to the last bits of double precision, by the rational approximations of fdlibm's ``s_erf.c`` (Sun Microsystems, 1993)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Coefficients by rising power: |x| below .84375, below 1.25, below 1/.35, and above.
_NEAR = (
    (1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02, -5.77027029648944159157e-03,
     -2.37630166566501626084e-05),
    (1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03, 1.32494738004321644526e-04,
     -3.96022827877536812320e-06),
)  # fmt: skip
_AT_ONE = 8.45062911510467529297e-01
_ABOUT_ONE = (
    (-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01, 3.18346619901161753674e-01,
     -1.10894694282396677476e-01, 3.54783043256182359371e-02, -2.16637559486879084300e-03),
    (1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02, 1.26171219808761642112e-01,
     1.36370839120290507362e-02, 1.19844998467991074170e-02),
)  # fmt: skip
_FAR = (
    (-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01, -6.23753324503260060396e+01,
     -1.62396669462573470355e+02, -1.84605092906711035994e+02, -8.12874355063065934246e+01, -9.81432934416914548592e+00),
    (1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02, 6.45387271733267880336e+02,
     4.29008140027567833386e+02, 1.08635005541779435134e+02, 6.57024977031928170135e+00, -6.04244152148580987438e-02),
)  # fmt: skip
_FARTHER = (
    (-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01, -1.60636384855821916062e+02,
     -6.37566443368389627722e+02, -1.02509513161107724954e+03, -4.83519191608651397019e+02),
    (1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03, 3.19985821950859553908e+03,
     2.55305040643316442583e+03, 4.74528541206955367215e+02, -2.24409524465858183362e+01),
)  # fmt: skip


def erf(x: Array) -> Array:
    """2/√π · ∫ e^−t² dt from 0 to x, in the dtype of ``x``; computed in double precision."""
    wide = np.asarray(x, np.float64)
    size = np.abs(wide)
    found = np.copysign(1.0, wide)
    for select, formula in (
        (size < 0.84375, _near),
        ((size >= 0.84375) & (size < 1.25), _about_one),
        ((size >= 1.25) & (size < 1 / 0.35), _far),
        ((size >= 1 / 0.35) & (size < 6), _farther),
    ):
        if select.any():
            part = size[select]
            found[select] = np.copysign(formula(part), wide[select])
    found[np.isnan(wide)] = np.nan
    return found.astype(x.dtype)


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    total: Array = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= x
        total += coefficient
    return total


def _ratio(pair: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    ratio: Array = _polynomial(pair[0], x) / _polynomial(pair[1], x)
    return ratio


def _near(x: Array) -> Array:
    return np.asarray(x + x * _ratio(_NEAR, x * x))


def _about_one(x: Array) -> Array:
    return np.asarray(_AT_ONE + _ratio(_ABOUT_ONE, x - 1))


def _far(x: Array) -> Array:
    return 1 - np.exp(-x * x - 0.5625 + _ratio(_FAR, 1 / (x * x))) / x


def _farther(x: Array) -> Array:
    return 1 - np.exp(-x * x - 0.5625 + _ratio(_FARTHER, 1 / (x * x))) / x
