"""What each input has to do with an output: `explain.attribute`.

    explain.attribute(model, x)                        integrated gradients of the likeliest class
    explain.attribute(model, x, 3, method="lrp")       another class, another method
    explain.attribute.lrp(model, x, 3, rule="gamma")   the methods themselves

For models of either face, images and texts: every method reads the graph that the model records.
"""

from chainrule.explain.attribution.attention import AttentionMap, AttentionMaps
from chainrule.explain.attribution.entry import METHODS, Attribute, attribute
from chainrule.explain.attribution.result import Attribution

__all__ = ["METHODS", "AttentionMap", "AttentionMaps", "Attribute", "Attribution", "attribute"]
