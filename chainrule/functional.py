"""`torch.functional`: functions of `torch` under the address that old programs import."""

from chainrule import names

_NAMES = (
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes",
    "broadcast_tensors", "cartesian_prod", "cdist", "chain_matmul", "einsum", "istft", "lu",
    "meshgrid", "norm", "split", "stft", "tensordot", "unique", "unique_consecutive",
)  # fmt: skip

__getattr__ = names.later(__name__, (), dict.fromkeys(_NAMES, "chainrule"))
