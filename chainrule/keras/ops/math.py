"""`keras.ops.math`: segments, the largest elements, Fourier transforms."""

from chainrule.keras.ops.elementwise import (
    erf,
    erfc,
    erfinv,
    rsqrt,
)
from chainrule.keras.ops.linear import (
    logdet,
)
from chainrule.keras.ops.reductions import (
    logsumexp,
)
from chainrule.keras.ops.spectral import (
    cdist,
    extract_sequences,
    fft,
    fft2,
    ifft2,
    in_top_k,
    irfft,
    istft,
    rfft,
    segment_max,
    segment_min,
    segment_prod,
    segment_sum,
    stft,
    top_k,
    view_as_complex,
    view_as_real,
)

__all__ = [
    "cdist", "erf", "erfc", "erfinv", "extract_sequences", "fft", "fft2", "ifft2", "in_top_k",
    "irfft", "istft", "logdet", "logsumexp", "rfft", "rsqrt", "segment_max", "segment_min",
    "segment_prod", "segment_sum", "stft", "top_k", "view_as_complex", "view_as_real",
]  # fmt: skip
