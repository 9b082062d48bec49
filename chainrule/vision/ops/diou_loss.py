"""Where torchvision's own modules find `distance_box_iou_loss`."""

from chainrule.vision.ops.losses import _diou_iou_loss, distance_box_iou_loss

__all__ = ["_diou_iou_loss", "distance_box_iou_loss"]
