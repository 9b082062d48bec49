"""Graph → better graph. Each pass says what it needs and what it leaves."""

from chainrule.rewrite.claim import claims, share_rows
from chainrule.rewrite.convolution import convolve
from chainrule.rewrite.decompose import decompose
from chainrule.rewrite.fold import fold
from chainrule.rewrite.hoist import hoist
from chainrule.rewrite.loops import merge_loops
from chainrule.rewrite.once import reduce_once
from chainrule.rewrite.simplify import simplify

__all__ = [
    "claims",
    "convolve",
    "decompose",
    "fold",
    "hoist",
    "merge_loops",
    "reduce_once",
    "share_rows",
    "simplify",
]
