"""Mask R-CNN (He et al., arXiv:1703.06870); version 2: arXiv:2111.11429."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from chainrule import nn
from chainrule.nn import init
from chainrule.vision.models._family import weights_of
from chainrule.vision.models._initial import kaiming, zero_bias
from chainrule.vision.models.detection._builder import detection_builder
from chainrule.vision.models.detection.anchor_utils import AnchorGenerator
from chainrule.vision.models.detection.faster_rcnn import (
    FasterRCNN,
    four_levels,
    parts_v2,
    resnet_pyramid,
    resnet_pyramid_v2,
    width_of,
)
from chainrule.vision.models.resnet import ResNet50_Weights
from chainrule.vision.ops.misc import Conv2dNormActivation
from chainrule.vision.ops.poolers import MultiScaleRoIAlign

__all__ = [
    "MaskRCNN",
    "MaskRCNN_ResNet50_FPN_Weights",
    "MaskRCNN_ResNet50_FPN_V2_Weights",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
]


class MaskRCNN(FasterRCNN):
    """`FasterRCNN` that also gives a mask for each box.

    mask_roi_pool, mask_head, mask_predictor: how regions become features, and these masks.

    In training the targets also have "masks", uint8 (N, H, W), and "loss_mask" is a further loss;
    otherwise the detections also have "masks", probabilities (N, 1, H, W).
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int | None = None,
        min_size: int | tuple[int, ...] = 800,
        max_size: int = 1333,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        rpn_anchor_generator: AnchorGenerator | None = None,
        rpn_head: nn.Module | None = None,
        rpn_pre_nms_top_n_train: int = 2000,
        rpn_pre_nms_top_n_test: int = 1000,
        rpn_post_nms_top_n_train: int = 2000,
        rpn_post_nms_top_n_test: int = 1000,
        rpn_nms_thresh: float = 0.7,
        rpn_fg_iou_thresh: float = 0.7,
        rpn_bg_iou_thresh: float = 0.3,
        rpn_batch_size_per_image: int = 256,
        rpn_positive_fraction: float = 0.5,
        rpn_score_thresh: float = 0.0,
        box_roi_pool: MultiScaleRoIAlign | None = None,
        box_head: nn.Module | None = None,
        box_predictor: nn.Module | None = None,
        box_score_thresh: float = 0.05,
        box_nms_thresh: float = 0.5,
        box_detections_per_img: int = 100,
        box_fg_iou_thresh: float = 0.5,
        box_bg_iou_thresh: float = 0.5,
        box_batch_size_per_image: int = 512,
        box_positive_fraction: float = 0.25,
        bbox_reg_weights: tuple[float, float, float, float] | None = None,
        mask_roi_pool: MultiScaleRoIAlign | None = None,
        mask_head: nn.Module | None = None,
        mask_predictor: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        if mask_roi_pool is not None and not isinstance(mask_roi_pool, MultiScaleRoIAlign):
            raise TypeError(
                "mask_roi_pool should be of type MultiScaleRoIAlign or None instead of "
                f"{type(mask_roi_pool)}"
            )
        if num_classes is not None and mask_predictor is not None:
            raise ValueError("num_classes should be None when mask_predictor is specified")
        head = mask_head or MaskRCNNHeads(width_of(backbone), (256, 256, 256, 256), 1)
        if mask_predictor is None:
            if num_classes is None:
                raise ValueError("num_classes should not be None without a mask_predictor")
            mask_predictor = MaskRCNNPredictor(256, 256, num_classes)
        super().__init__(
            backbone,
            num_classes,
            min_size,
            max_size,
            image_mean,
            image_std,
            rpn_anchor_generator,
            rpn_head,
            rpn_pre_nms_top_n_train,
            rpn_pre_nms_top_n_test,
            rpn_post_nms_top_n_train,
            rpn_post_nms_top_n_test,
            rpn_nms_thresh,
            rpn_fg_iou_thresh,
            rpn_bg_iou_thresh,
            rpn_batch_size_per_image,
            rpn_positive_fraction,
            rpn_score_thresh,
            box_roi_pool,
            box_head,
            box_predictor,
            box_score_thresh,
            box_nms_thresh,
            box_detections_per_img,
            box_fg_iou_thresh,
            box_bg_iou_thresh,
            box_batch_size_per_image,
            box_positive_fraction,
            bbox_reg_weights,
            **kwargs,
        )
        self.roi_heads.mask_roi_pool = mask_roi_pool or four_levels(14)
        self.roi_heads.mask_head = head
        self.roi_heads.mask_predictor = mask_predictor


class MaskRCNNHeads(nn.Sequential):
    """3×3 convolutions: (N, in_channels, M, M) → (N, last of layers, M, M)."""

    _version = 2

    def __init__(
        self,
        in_channels: int,
        layers: Sequence[int],
        dilation: int,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        blocks = []
        for out in layers:
            block = Conv2dNormActivation(
                in_channels, out, 3, 1, dilation, dilation=dilation, norm_layer=norm_layer
            )
            blocks.append(block)
            in_channels = out
        super().__init__(*blocks)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                kaiming(layer)
                zero_bias(layer)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:
            for i in range(len(self)):
                for kind in ("weight", "bias"):
                    old = f"{prefix}mask_fcn{i + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class MaskRCNNPredictor(nn.Sequential):
    """Twice the size, relu, and a logit for each class: (N, C, M, M) → (N, classes, 2 M, 2 M)."""

    def __init__(self, in_channels: int, dim_reduced: int, num_classes: int) -> None:
        super().__init__(
            OrderedDict(
                conv5_mask=nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2, 0),
                relu=nn.ReLU(inplace=True),
                mask_fcn_logits=nn.Conv2d(dim_reduced, num_classes, 1, 1, 0),
            )
        )
        for name, parameter in self.named_parameters():
            if "weight" in name:
                init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")


def _plain(backbone: Any, num_classes: int, **kwargs: Any) -> MaskRCNN:
    return MaskRCNN(backbone, num_classes, **kwargs)


def _second(backbone: Any, num_classes: int, **kwargs: Any) -> MaskRCNN:
    layers = [256, 256, 256, 256]
    mask = MaskRCNNHeads(backbone.out_channels, layers, 1, norm_layer=nn.BatchNorm2d)
    parts = {**parts_v2(backbone), "mask_head": mask}
    return MaskRCNN(backbone, num_classes, **(parts | kwargs))


MaskRCNN_ResNet50_FPN_Weights = weights_of("MaskRCNN_ResNet50_FPN_Weights", __name__)
MaskRCNN_ResNet50_FPN_V2_Weights = weights_of("MaskRCNN_ResNet50_FPN_V2_Weights", __name__)
maskrcnn_resnet50_fpn = detection_builder(
    "maskrcnn_resnet50_fpn", __name__, "Mask R-CNN on ResNet-50 (arXiv:1703.06870)",
    MaskRCNN_ResNet50_FPN_Weights, ResNet50_Weights, resnet_pyramid, _plain, old_eps=True,
)  # fmt: skip
maskrcnn_resnet50_fpn_v2 = detection_builder(
    "maskrcnn_resnet50_fpn_v2", __name__, "Mask R-CNN v2 on ResNet-50 (arXiv:2111.11429)",
    MaskRCNN_ResNet50_FPN_V2_Weights, ResNet50_Weights, resnet_pyramid_v2, _second,
    backbone_default=None,
)  # fmt: skip
