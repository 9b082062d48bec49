"""`torch.special`: the special functions that this version has."""

from chainrule import names
from chainrule.tensor.functions import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    polygamma,
    sinc,
    softmax,
    xlogy,
)
from chainrule.tensor.functions import lgamma as gammaln
from chainrule.tensor.functions import sigmoid as expit

psi = digamma

__all__ = [
    "digamma", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p", "log_softmax",
    "logit", "logsumexp", "polygamma", "psi", "sinc", "softmax", "xlogy",
]  # fmt: skip

__getattr__ = names.later(__name__)
