"""Where torchvision's own modules find `generalized_box_iou_loss`."""

from chainrule.vision.ops.losses import generalized_box_iou_loss

__all__ = ["generalized_box_iou_loss"]
