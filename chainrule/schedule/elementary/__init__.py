"""Elementary functions, written with the Builder: any number of lanes, no tables in memory, and no
branches but one (for huge arguments of sine and cosine).

Each reduces its argument to a short interval, evaluates a polynomial there (minimax, coefficients
rounded one after another, found by Remez's exchange), and puts the result together; what is
special (NaN, infinities, zeros, denormals) is selected. Sources of the reductions: W. J. Cody and
W. Waite, "Software Manual for the Elementary Functions" (1980); J.-M. Muller, "Elementary
Functions" (3rd ed. 2016); P. T. P. Tang's and Sun's fdlibm's logarithm; M. Payne and R. Hanek,
"Radian reduction for trigonometric functions" (1983).

Errors are in units of the last place (ulp) of the exact result, with fused multiply-add; where the
processor has none (plain x86-64) they are given in brackets.
"""

from chainrule.schedule.elementary.circular import acos, asin, atan, atan2, cos, sin, tan
from chainrule.schedule.elementary.exponentials import cosh, exp, expm1, sinh, tanh
from chainrule.schedule.elementary.formats import constant, copysign
from chainrule.schedule.elementary.logarithms import acosh, asinh, atanh, log, log1p, log2, log10
from chainrule.schedule.elementary.powers import pow
from chainrule.schedule.elementary.remainders import floor_divide, fmod, remainder
from chainrule.schedule.elementary.special import erf, erfinv, lgamma, polygamma

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "constant",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfinv",
    "exp",
    "expm1",
    "floor_divide",
    "fmod",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "polygamma",
    "pow",
    "remainder",
    "sin",
    "sinh",
    "tan",
    "tanh",
]
