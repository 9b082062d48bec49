"""Faster R-CNN (Ren et al., arXiv:1506.01497) with pyramids; version 2: arXiv:2111.11429."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.vision.models._family import weights_of
from chainrule.vision.models._initial import kaiming, zero_bias
from chainrule.vision.models.detection._builder import detection_builder, frozen_norm
from chainrule.vision.models.detection.anchor_utils import AnchorGenerator
from chainrule.vision.models.detection.backbone_utils import (
    _mobilenet_extractor,
    _resnet_fpn_extractor,
)
from chainrule.vision.models.detection.generalized_rcnn import GeneralizedRCNN
from chainrule.vision.models.detection.roi_heads import RoIHeads
from chainrule.vision.models.detection.rpn import RegionProposalNetwork, RPNHead
from chainrule.vision.models.detection.transform import GeneralizedRCNNTransform
from chainrule.vision.models.mobilenetv3 import MobileNet_V3_Large_Weights, mobilenet_v3_large
from chainrule.vision.models.resnet import ResNet50_Weights, resnet50
from chainrule.vision.ops.misc import Conv2dNormActivation
from chainrule.vision.ops.poolers import MultiScaleRoIAlign

__all__ = [
    "FasterRCNN",
    "FasterRCNN_ResNet50_FPN_Weights",
    "FasterRCNN_ResNet50_FPN_V2_Weights",
    "FasterRCNN_MobileNet_V3_Large_FPN_Weights",
    "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
]


def _default_anchorgen() -> AnchorGenerator:
    return AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)


class FasterRCNN(GeneralizedRCNN):
    """Finds objects: boxes, classes and scores.

    backbone: gives features and has `out_channels`. num_classes: with the background, which is
    class 0; None where `box_predictor` is given. min_size, max_size: of the resized images.

    Proposals (rpn_…): anchors and the head; how many boxes are kept before and after those that
    overlap by `nms_thresh` are left out; the overlap from which an anchor is an object (fg) and
    below which it is none (bg); how many are drawn for the loss. Detections (box_…): how regions
    become features, the head and the predictor; the lowest score, the overlap, the most of an
    image; the draw for the loss; the weights of a box's four numbers.

    In training: `model(images, targets)` with targets {"boxes": (N, 4), "labels": (N,) int64} gives
    four losses. Otherwise `model(images)` gives {"boxes", "labels", "scores"} of each image.
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
        **kwargs: Any,
    ) -> None:
        channels = width_of(backbone)
        for name, given, kind in (
            ("rpn_anchor_generator", rpn_anchor_generator, AnchorGenerator),
            ("box_roi_pool", box_roi_pool, MultiScaleRoIAlign),
        ):
            if given is not None and not isinstance(given, kind):
                raise TypeError(
                    f"{name} should be of type {kind.__name__} or None instead of {type(given)}"
                )
        if num_classes is not None and box_predictor is not None:
            raise ValueError("num_classes should be None when box_predictor is specified")
        if num_classes is None and box_predictor is None:
            raise ValueError("num_classes should not be None when box_predictor is not specified")
        anchors = rpn_anchor_generator or _default_anchorgen()
        rpn = RegionProposalNetwork(
            anchors,
            rpn_head or RPNHead(channels, anchors.num_anchors_per_location()[0]),
            rpn_fg_iou_thresh,
            rpn_bg_iou_thresh,
            rpn_batch_size_per_image,
            rpn_positive_fraction,
            {"training": rpn_pre_nms_top_n_train, "testing": rpn_pre_nms_top_n_test},
            {"training": rpn_post_nms_top_n_train, "testing": rpn_post_nms_top_n_test},
            rpn_nms_thresh,
            score_thresh=rpn_score_thresh,
        )
        pool = box_roi_pool or four_levels(7)
        if box_predictor is None:
            assert num_classes is not None  # checked above
            box_predictor = FastRCNNPredictor(1024, num_classes)
        heads = RoIHeads(
            pool,
            box_head or TwoMLPHead(channels * pool.output_size[0] ** 2, 1024),
            box_predictor,
            box_fg_iou_thresh,
            box_bg_iou_thresh,
            box_batch_size_per_image,
            box_positive_fraction,
            bbox_reg_weights,
            box_score_thresh,
            box_nms_thresh,
            box_detections_per_img,
        )
        mean, std = image_mean or [0.485, 0.456, 0.406], image_std or [0.229, 0.224, 0.225]
        transform = GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs)
        super().__init__(backbone, rpn, heads, transform)


def width_of(backbone: Any) -> int:
    """`backbone.out_channels`; ValueError where it has none."""
    if not hasattr(backbone, "out_channels"):
        raise ValueError(
            "backbone should contain an attribute out_channels specifying the number of output "
            "channels (assumed to be the same for all the levels)"
        )
    return backbone.out_channels


def four_levels(size: int) -> MultiScaleRoIAlign:
    """Regions of `size`² from the four levels of a pyramid."""
    return MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=size, sampling_ratio=2)


class TwoMLPHead(nn.Module):
    """Two linear layers with relu: (N, …) → (N, representation_size)."""

    def __init__(self, in_channels: int, representation_size: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_channels, representation_size)
        self.fc7 = nn.Linear(representation_size, representation_size)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(start_dim=1)))))


class FastRCNNConvFCHead(nn.Sequential):
    """Convolutions, then linear layers: (N, *input_size) → (N, last of fc_layers)."""

    def __init__(
        self,
        input_size: tuple[int, int, int],
        conv_layers: list[int],
        fc_layers: list[int],
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        channels, height, width = input_size
        blocks: list[nn.Module] = []
        for out in conv_layers:
            blocks.append(Conv2dNormActivation(channels, out, norm_layer=norm_layer))
            channels = out
        blocks.append(nn.Flatten())
        channels *= height * width
        for out in fc_layers:
            blocks += [nn.Linear(channels, out), nn.ReLU(inplace=True)]
            channels = out
        super().__init__(*blocks)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                kaiming(layer)
                zero_bias(layer)


class FastRCNNPredictor(nn.Module):
    """(N, in_channels) → class logits (N, classes) and moves of the box for each (N, 4 classes)."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes)
        self.bbox_pred = nn.Linear(in_channels, num_classes * 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.dim() == 4 and tuple(x.shape[2:]) != (1, 1):
            raise AssertionError(
                "x has the wrong shape, expecting the last two dimensions to be [1,1] instead of "
                f"{list(x.shape[2:])}"
            )
        x = x.flatten(start_dim=1)
        return self.cls_score(x), self.bbox_pred(x)


def resnet_pyramid(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    """A ResNet-50 with a pyramid of its four stages."""
    backbone = resnet50(weights=weights, progress=progress, norm_layer=frozen_norm(trained))
    return _resnet_fpn_extractor(backbone, layers)


def resnet_pyramid_v2(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    """The same with norms in the pyramid, none of them frozen."""
    backbone = resnet50(weights=weights, progress=progress)
    return _resnet_fpn_extractor(backbone, layers, norm_layer=nn.BatchNorm2d)


def parts_v2(backbone: Any) -> dict[str, Any]:
    """Deeper heads, for Faster and Mask R-CNN."""
    anchors = _default_anchorgen()
    width, places = backbone.out_channels, anchors.num_anchors_per_location()[0]
    return {
        "rpn_anchor_generator": anchors,
        "rpn_head": RPNHead(width, places, conv_depth=2),
        "box_head": FastRCNNConvFCHead(
            (width, 7, 7), [256, 256, 256, 256], [1024], norm_layer=nn.BatchNorm2d
        ),
    }


def _plain(backbone: Any, num_classes: int, **kwargs: Any) -> FasterRCNN:
    return FasterRCNN(backbone, num_classes, **kwargs)


def _second(backbone: Any, num_classes: int, **kwargs: Any) -> FasterRCNN:
    return FasterRCNN(backbone, num_classes, **(parts_v2(backbone) | kwargs))


def _mobile_pyramid(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    norm = frozen_norm(trained)
    backbone = mobilenet_v3_large(weights=weights, progress=progress, norm_layer=norm)
    return _mobilenet_extractor(backbone, True, layers)


def _mobile(backbone: Any, num_classes: int, **kwargs: Any) -> FasterRCNN:
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3)
    options = {"rpn_score_thresh": 0.05, **kwargs}
    return FasterRCNN(backbone, num_classes, rpn_anchor_generator=anchors, **options)


def _mobile_320(backbone: Any, num_classes: int, **kwargs: Any) -> FasterRCNN:
    small = {
        "min_size": 320,
        "max_size": 640,
        "rpn_pre_nms_top_n_test": 150,
        "rpn_post_nms_top_n_test": 150,
    }
    return _mobile(backbone, num_classes, **(small | kwargs))


FasterRCNN_ResNet50_FPN_Weights = weights_of("FasterRCNN_ResNet50_FPN_Weights", __name__)
FasterRCNN_ResNet50_FPN_V2_Weights = weights_of("FasterRCNN_ResNet50_FPN_V2_Weights", __name__)
FasterRCNN_MobileNet_V3_Large_FPN_Weights = weights_of(
    "FasterRCNN_MobileNet_V3_Large_FPN_Weights", __name__
)
FasterRCNN_MobileNet_V3_Large_320_FPN_Weights = weights_of(
    "FasterRCNN_MobileNet_V3_Large_320_FPN_Weights", __name__
)
fasterrcnn_resnet50_fpn = detection_builder(
    "fasterrcnn_resnet50_fpn", __name__, "Faster R-CNN on ResNet-50 (arXiv:1506.01497)",
    FasterRCNN_ResNet50_FPN_Weights, ResNet50_Weights, resnet_pyramid, _plain, old_eps=True,
)  # fmt: skip
fasterrcnn_resnet50_fpn_v2 = detection_builder(
    "fasterrcnn_resnet50_fpn_v2", __name__, "Faster R-CNN v2 on ResNet-50 (arXiv:2111.11429)",
    FasterRCNN_ResNet50_FPN_V2_Weights, ResNet50_Weights, resnet_pyramid_v2, _second,
    backbone_default=None,
)  # fmt: skip
fasterrcnn_mobilenet_v3_large_fpn = detection_builder(
    "fasterrcnn_mobilenet_v3_large_fpn", __name__, "Faster R-CNN on MobileNetV3 large",
    FasterRCNN_MobileNet_V3_Large_FPN_Weights, MobileNet_V3_Large_Weights, _mobile_pyramid,
    _mobile, stages=6,
)  # fmt: skip
fasterrcnn_mobilenet_v3_large_320_fpn = detection_builder(
    "fasterrcnn_mobilenet_v3_large_320_fpn", __name__,
    "Faster R-CNN on MobileNetV3 large, for small images",
    FasterRCNN_MobileNet_V3_Large_320_FPN_Weights, MobileNet_V3_Large_Weights, _mobile_pyramid,
    _mobile_320, stages=6,
)  # fmt: skip
