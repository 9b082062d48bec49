"""What to do where an operation made NaN or infinity: one row for each operation that does."""

from __future__ import annotations

from collections.abc import Mapping

#: Operation → what its value is not finite for, and what is done about it.
FORWARD: Mapping[str, str] = {
    "log": "log of 0 is −∞ and of negative numbers NaN: F.log_softmax(x, -1) instead of "
    "log(softmax(x)), BCEWithLogitsLoss instead of log(sigmoid(x)), or log(p.clamp_min(1e-8))",
    "log2": "log of 0 is −∞ and of negative numbers NaN: log2(p.clamp_min(1e-8))",
    "log10": "log of 0 is −∞ and of negative numbers NaN: log10(p.clamp_min(1e-8))",
    "log1p": "log1p of −1 is −∞ and below NaN: clamp its argument above −1",
    "div": "a division by 0: divide by (y + 1e-8), or where(y == 0, 1, y) before the division",
    "reciprocal": "a division by 0: add 1e-8 to the denominator",
    "exp": "exp overflows above 88 in float32: subtract the maximum first (softmax, logsumexp do), "
    "or clamp; if the numbers grew from step to step, the learning rate is too high",
    "expm1": "exp overflows above 88 in float32: clamp its argument",
    "sinh": "it grows like exp and overflows above 89 in float32: clamp its argument",
    "cosh": "it grows like exp and overflows above 89 in float32: clamp its argument",
    "sqrt": "sqrt of negative numbers is NaN: x.clamp_min(0), often a variance rounded below 0",
    "rsqrt": "1/√x is infinite at 0 and NaN below: rsqrt(x + eps)",
    "pow": "a negative number to a fractional power is NaN, 0 to a negative one infinite: clamp "
    "the base, or take abs() of it",
    "acos": "it takes numbers from −1 to 1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "asin": "it takes numbers from −1 to 1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "acosh": "it takes numbers from 1 on: x.clamp_min(1)",
    "atanh": "it takes numbers between −1 and 1: x.clamp(-1 + 1e-6, 1 - 1e-6)",
    "logit": "it is infinite at 0 and 1: logit(p, eps=1e-6)",
    "fmod": "the remainder of a division by 0 is NaN",
    "remainder": "the remainder of a division by 0 is NaN",
    "digamma": "it is not finite at 0, −1, −2, …",
    "lgamma": "it is infinite at 0, −1, −2, …",
}

#: Operation → why its gradient is not finite where its value is.
BACKWARD: Mapping[str, str] = {
    "sqrt": "the slope of sqrt is infinite at 0: sqrt(x + 1e-8)",
    "rsqrt": "the slope of 1/√x is infinite at 0: rsqrt(x + eps)",
    "pow": "the slope of xᵖ with p < 1 is infinite at 0: (x + 1e-8) ** p",
    "log": "the slope of log is 1/x: at 0 it is infinite, also where `where` or a factor 0 takes "
    "the value away; make the argument safe before: log(where(x > 0, x, 1))",
    "div": "the slope of a division is −x/y²: make the denominator safe before it, also where "
    "`where` takes the value away",
    "norm": "the slope of a norm at 0 is 0/0: (x² .sum() + 1e-12).sqrt()",
    "acos": "the slope is infinite at −1 and 1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "asin": "the slope is infinite at −1 and 1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "atan2": "the slope is 0/0 at (0, 0)",
    "std": "the slope of a standard deviation is infinite where all numbers are equal: "
    "(x.var() + 1e-8).sqrt()",
}

_WHERE = (
    "if `where` or a factor 0 takes this value away in the end, its gradient is 0 · ∞ = NaN all "
    "the same: make the argument safe before the operation"
)
_GROWN = (
    "the numbers have grown too large for their type: a lower learning rate, "
    "clip_grad_norm_(parameters, 1.0), a normalisation layer, or scaled inputs"
)
_MASKED = (
    "∞ − ∞ or 0 · ∞: a row whose mask forbids everything has only −∞; let every row see something, "
    "or use a large negative number (−1e9) instead of −∞"
)


def remedy(op: str, rule_of: str, *, grown: bool, infinite: bool) -> str:
    """What to do about `op` (in the gradient rule of `rule_of`, or ""); `grown`: its inputs were
    near the end of their type; `infinite`: some were infinite.
    """
    if rule_of in BACKWARD:
        return BACKWARD[rule_of]
    if infinite:
        return _WHERE if rule_of else _MASKED
    if grown:
        return _GROWN
    if op in FORWARD:
        return FORWARD[op] + (f"; {_WHERE}" if rule_of else "")
    return _GROWN if op in ("mul", "add", "sub", "contract", "sum", "square") else ""
