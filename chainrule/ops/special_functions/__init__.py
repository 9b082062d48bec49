"""Special functions that are no elementary functions to a compiler: computed in NumPy, as host
steps.
"""

from chainrule.ops.special_functions.bessel import (
    airy_ai,
    bessel_j0,
    bessel_j1,
    bessel_y0,
    bessel_y1,
    i0,
    i0e,
    i1,
    i1e,
    k0,
    k0e,
    k1,
    k1e,
)
from chainrule.ops.special_functions.bits import frexp, gcd, lcm, nextafter
from chainrule.ops.special_functions.gammas import gammainc, gammaincc, zeta
from chainrule.ops.special_functions.normal import erfc, erfcx, log_ndtr, ndtr, ndtri
from chainrule.ops.special_functions.polynomials import orthogonal
