"""Keypoint R-CNN (He et al., Mask R-CNN, arXiv:1703.06870, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.vision.models._family import weights_of
from chainrule.vision.models._initial import kaiming
from chainrule.vision.models.detection._builder import detection_builder
from chainrule.vision.models.detection.anchor_utils import AnchorGenerator
from chainrule.vision.models.detection.faster_rcnn import (
    FasterRCNN,
    four_levels,
    resnet_pyramid,
    width_of,
)
from chainrule.vision.models.resnet import ResNet50_Weights
from chainrule.vision.ops.poolers import MultiScaleRoIAlign

__all__ = ["KeypointRCNN", "KeypointRCNN_ResNet50_FPN_Weights", "keypointrcnn_resnet50_fpn"]


class KeypointRCNN(FasterRCNN):
    """`FasterRCNN` that also gives keypoints of each box.

    keypoint_roi_pool, keypoint_head, keypoint_predictor: how regions become features, and these
    heat maps. num_keypoints: 17 by default; None where `keypoint_predictor` is given.

    In training the targets also have "keypoints", float32 (N, K, 3: x, y, visible), and
    "loss_keypoint" is a further loss; otherwise the detections also have "keypoints" and
    "keypoints_scores".
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int | None = None,
        min_size: int | tuple[int, ...] | None = None,
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
        keypoint_roi_pool: MultiScaleRoIAlign | None = None,
        keypoint_head: nn.Module | None = None,
        keypoint_predictor: nn.Module | None = None,
        num_keypoints: int | None = None,
        **kwargs: Any,
    ) -> None:
        pool = keypoint_roi_pool
        if pool is not None and not isinstance(pool, MultiScaleRoIAlign):
            raise TypeError(
                "keypoint_roi_pool should be of type MultiScaleRoIAlign or None instead of "
                f"{type(pool)}"
            )
        if min_size is None:
            min_size = (640, 672, 704, 736, 768, 800)
        if num_keypoints is not None and keypoint_predictor is not None:
            raise ValueError("num_keypoints should be None when keypoint_predictor is specified")
        head = keypoint_head or KeypointRCNNHeads(width_of(backbone), (512,) * 8)
        predictor = keypoint_predictor or KeypointRCNNPredictor(512, num_keypoints or 17)
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
        self.roi_heads.keypoint_roi_pool = pool or four_levels(14)
        self.roi_heads.keypoint_head = head
        self.roi_heads.keypoint_predictor = predictor


class KeypointRCNNHeads(nn.Sequential):
    """3×3 convolutions with relu: (N, in_channels, M, M) → (N, last of layers, M, M)."""

    def __init__(self, in_channels: int, layers: Sequence[int]) -> None:
        blocks: list[nn.Module] = []
        for out in layers:
            conv = nn.Conv2d(in_channels, out, 3, stride=1, padding=1)
            kaiming(conv)
            init.constant_(conv.bias, 0)
            blocks += [conv, nn.ReLU(inplace=True)]
            in_channels = out
        super().__init__(*blocks)


class KeypointRCNNPredictor(nn.Module):
    """Four times the size, a logit for each keypoint: (N, C, M, M) → (N, K, 4 M, 4 M)."""

    def __init__(self, in_channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.kps_score_lowres = nn.ConvTranspose2d(
            in_channels, num_keypoints, 4, stride=2, padding=1
        )
        init.kaiming_normal_(self.kps_score_lowres.weight, mode="fan_out", nonlinearity="relu")
        init.constant_(self.kps_score_lowres.bias, 0)
        self.up_scale = 2
        self.out_channels = num_keypoints

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(
            self.kps_score_lowres(x),
            scale_factor=float(self.up_scale),
            mode="bilinear",
            align_corners=False,
            recompute_scale_factor=False,
        )


def _plain(backbone: Any, num_classes: int, **kwargs: Any) -> KeypointRCNN:
    return KeypointRCNN(backbone, num_classes, **kwargs)


KeypointRCNN_ResNet50_FPN_Weights = weights_of("KeypointRCNN_ResNet50_FPN_Weights", __name__)


def _older(kwargs: dict[str, Any]) -> Any:
    """What `pretrained=` meant: "legacy" are weights of an older release."""
    legacy = kwargs["pretrained"] == "legacy"
    enum = KeypointRCNN_ResNet50_FPN_Weights
    return enum.COCO_LEGACY if legacy else enum.COCO_V1


keypointrcnn_resnet50_fpn = detection_builder(
    "keypointrcnn_resnet50_fpn", __name__, "Keypoint R-CNN on ResNet-50 (arXiv:1703.06870)",
    KeypointRCNN_ResNet50_FPN_Weights, ResNet50_Weights, resnet_pyramid, _plain, old_eps=True,
    classes=2, keypoints=17, older=_older,
)  # fmt: skip
