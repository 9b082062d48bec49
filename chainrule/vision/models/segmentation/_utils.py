"""What the segmentation models share: the frame, the backbones, the builders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.vision.models._family import publish
from chainrule.vision.models._utils import IntermediateLayerGetter, _ovewrite_value_param
from chainrule.vision.models.mobilenetv3 import MobileNetV3

M = TypeVar("M", bound=nn.Module)


class _SimpleSegmentationModel(nn.Module):
    """(N, 3, H, W) → {"out": (N, classes, H, W)} and, with an auxiliary classifier, "aux"."""

    def __init__(
        self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        size = x.shape[-2:]
        features = self.backbone(x)
        result: OrderedDict[str, Tensor] = OrderedDict()
        for name, head in (("out", self.classifier), ("aux", self.aux_classifier)):
            if head is not None:
                logits = head(features[name])
                result[name] = F.interpolate(
                    logits, size=size, mode="bilinear", align_corners=False
                )
        return result


def stages(backbone: MobileNetV3) -> tuple[Any, list[int]]:
    """The layers of a MobileNetV3, and which of them begin a size (or are the last)."""
    layers: Any = backbone.features
    smaller = [i for i, layer in enumerate(layers) if getattr(layer, "_is_cn", False)]
    return layers, [0, *smaller, len(layers) - 1]


def features_of(backbone: nn.Module, names: dict[str, str | None]) -> IntermediateLayerGetter:
    """The layers that `names` gives a role: result ← layer, None for none."""
    wanted = {layer: role for role, layer in names.items() if layer is not None}
    return IntermediateLayerGetter(backbone, return_layers=wanted)


def segmentation_builder(
    name: str,
    module: str,
    title: str,
    enum: Any,
    backbone_enum: Any,
    backbone: Callable[..., nn.Module],
    assemble: Callable[[Any, int, bool | None], M],
    *,
    with_aux: bool = True,
    **settings: Any,
) -> Callable[..., M]:
    """The function `name`: a backbone (with weights of its own) under heads.

    assemble: backbone, classes, whether there is an auxiliary head → model. settings: of the
    backbone.
    """

    def build(
        *,
        weights: Any = None,
        progress: bool = True,
        num_classes: int | None = None,
        aux_loss: bool | None = None,
        weights_backbone: Any = backbone_enum.IMAGENET1K_V1,
        **kwargs: Any,
    ) -> M:
        chosen, below = enum.verify(weights), backbone_enum.verify(weights_backbone)
        if not with_aux and aux_loss:
            raise NotImplementedError("This model does not use auxiliary loss")
        if chosen is not None:
            below = None
            classes = len(chosen.meta["categories"])
            num_classes = _ovewrite_value_param("num_classes", num_classes, classes)
            if with_aux:
                aux_loss = _ovewrite_value_param("aux_loss", aux_loss, True)
        elif num_classes is None:
            num_classes = 21
        model = assemble(backbone(weights=below, **settings), num_classes, aux_loss)
        if chosen is not None:
            model.load_state_dict(chosen.get_state_dict(progress=progress, check_hash=True))
        return model

    return publish(
        build,
        name,
        module,
        f"{title}. Without `weights` the backbone has those of `weights_backbone`.",
        enum,
        weights=("pretrained", enum.DEFAULT),
        weights_backbone=("pretrained_backbone", backbone_enum.IMAGENET1K_V1),
    )
