"""One way of building for all detectors: a backbone with its own weights, then the detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from chainrule import nn
from chainrule.vision.models._family import publish
from chainrule.vision.models._utils import _ovewrite_value_param
from chainrule.vision.models.detection._utils import overwrite_eps
from chainrule.vision.models.detection.backbone_utils import _validate_trainable_layers
from chainrule.vision.ops.misc import FrozenBatchNorm2d

M = TypeVar("M", bound=nn.Module)


def frozen_norm(trained: bool) -> Callable[..., nn.Module]:
    """The norm of a backbone: frozen where its weights are trained, since batches are small."""
    return FrozenBatchNorm2d if trained else nn.BatchNorm2d


def detection_builder(
    name: str,
    module: str,
    title: str,
    enum: Any,
    backbone_enum: Any,
    backbone: Callable[[Any, bool, bool, int], Any],
    assemble: Callable[..., M],
    *,
    backbone_default: str | None = "IMAGENET1K_V1",
    legacy_backbone: str = "IMAGENET1K_V1",
    stages: int = 5,
    trained_stages: int = 3,
    classes: int = 91,
    keypoints: int | None = None,
    old_eps: bool = False,
    older: Any = None,
) -> Callable[..., M]:
    """The function `name`.

    backbone: weights, progress, whether anything is trained, layers to train → features. assemble:
    features, number of classes, the user's arguments → model. stages, trained_stages: how many
    layers the backbone has and how many are trained by default. old_eps: the weights COCO_V1 were
    trained with frozen norms without eps. older: what `pretrained=True` meant.
    """

    def build(
        *,
        weights: Any = None,
        progress: bool = True,
        num_classes: int | None = None,
        weights_backbone: Any = backbone_default and backbone_enum[backbone_default],
        trainable_backbone_layers: int | None = None,
        **kwargs: Any,
    ) -> M:
        chosen, below = enum.verify(weights), backbone_enum.verify(weights_backbone)
        if chosen is not None:
            below = None
            known = len(chosen.meta["categories"])
            num_classes = _ovewrite_value_param("num_classes", num_classes, known)
        elif num_classes is None:
            num_classes = classes
        if keypoints is not None:
            known = len(chosen.meta["keypoint_names"]) if chosen is not None else keypoints
            given = kwargs.get("num_keypoints")
            if chosen is not None:
                kwargs["num_keypoints"] = _ovewrite_value_param("num_keypoints", given, known)
            elif given is None:
                kwargs["num_keypoints"] = known
        trained = chosen is not None or below is not None
        layers = _validate_trainable_layers(
            trained, trainable_backbone_layers, stages, trained_stages
        )
        model = assemble(backbone(below, progress, trained, layers), num_classes, **kwargs)
        if chosen is not None:
            model.load_state_dict(chosen.get_state_dict(progress=progress, check_hash=True))
            if old_eps and chosen.name == "COCO_V1":
                overwrite_eps(model, 0.0)
        return model

    return publish(
        build,
        name,
        module,
        f"{title}. Without `weights` the backbone has those of `weights_backbone`.",
        enum,
        weights=("pretrained", older or enum.DEFAULT),
        weights_backbone=("pretrained_backbone", backbone_enum[legacy_backbone]),
    )
