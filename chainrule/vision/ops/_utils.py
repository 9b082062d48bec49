"""What the ops on boxes and regions share."""

from __future__ import annotations

from chainrule import dtypes, nn
from chainrule.nn.modules.batchnorm import _BatchNorm, _InstanceNorm
from chainrule.tensor import Tensor
from chainrule.tensor.creation import full_like
from chainrule.tensor.functions import cat, maximum, minimum, where


def _cat(tensors: list[Tensor], dim: int = 0) -> Tensor:
    """`cat`, and the tensor itself where there is one."""
    return tensors[0] if len(tensors) == 1 else cat(tensors, dim)


def convert_boxes_to_roi_format(boxes: list[Tensor]) -> Tensor:
    """Boxes of each image, (L, 4) each, as regions (K, 5): number of the image, box."""
    numbers = _cat([full_like(b[:, :1], i) for i, b in enumerate(boxes)])
    return cat([numbers, _cat(list(boxes))], dim=1)


def check_roi_boxes_shape(boxes: Tensor | list[Tensor]) -> None:
    """AssertionError unless `boxes` is (K, 5) or a list of (L, 4)."""
    if isinstance(boxes, (list, tuple)):
        right = all(b.shape[1] == 4 for b in boxes)
        text = "The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]"
    elif isinstance(boxes, Tensor):
        right = boxes.shape[1] == 5
        text = "The boxes tensor shape is not correct as Tensor[K, 5]"
    else:
        right, text = False, "boxes is expected to be a Tensor[L, 5] or a List[Tensor[K, 4]]"
    if not right:
        raise AssertionError(text)


def split_normalization_params(
    model: nn.Module, norm_classes: list[type] | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """The trainable parameters of the normalisations, and all others (for a weight decay)."""
    kinds = tuple(
        norm_classes
        or (_BatchNorm, nn.LayerNorm, nn.GroupNorm, _InstanceNorm, nn.LocalResponseNorm)
    )
    for kind in kinds:
        if not issubclass(kind, nn.Module):
            raise ValueError(f"Class {kind} is not a subclass of nn.Module.")
    norms: list[Tensor] = []
    others: list[Tensor] = []
    for module in model.modules():
        leaf = next(module.children(), None) is None
        mine = norms if leaf and isinstance(module, kinds) else others
        mine.extend(p for p in module.parameters(recurse=False) if p.requires_grad)
    return norms, others


def _upcast(t: Tensor) -> Tensor:
    """Half floats to float32, short integers to int32: areas do not fit into them."""
    if t.is_floating_point():
        return t if t.dtype in (dtypes.float32, dtypes.float64) else t.float()
    return t if t.dtype in (dtypes.int32, dtypes.int64) else t.int()


def _upcast_non_float(t: Tensor) -> Tensor:
    return t if t.dtype in (dtypes.float32, dtypes.float64) else t.float()


def _loss_inter_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of the intersection and the union of boxes that belong together: (…, 4) → (…)."""
    x1, y1, x2, y2 = boxes1.unbind(dim=-1)
    x1g, y1g, x2g, y2g = boxes2.unbind(dim=-1)
    width = minimum(x2, x2g) - maximum(x1, x1g)
    height = minimum(y2, y2g) - maximum(y1, y1g)
    inter = where((width > 0) & (height > 0), width * height, 0.0)
    return inter, (x2 - x1) * (y2 - y1) + (x2g - x1g) * (y2g - y1g) - inter


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """`loss` as it is ("none"), its mean (0 of nothing) or its sum."""
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean() if loss.numel() > 0 else 0.0 * loss.sum()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(
        f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', "
        "'mean', 'sum'"
    )
