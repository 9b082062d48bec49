"""Packages that know PyTorch by name and are told about chainrule when they are imported.

    import einops                                  (before or after `import chainrule`)
    einops.rearrange(x, "b c h w -> b (h w) c")    of chainrule's tensors
    from einops.layers.chainrule import Rearrange  as modules

Nothing is imported for it: a finder waits until the program imports einops.
"""

from chainrule.interop.finder import install

__all__ = ["install"]
