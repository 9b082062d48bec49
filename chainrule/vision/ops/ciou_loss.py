"""Where torchvision's own modules find `complete_box_iou_loss`."""

from chainrule.vision.ops.losses import complete_box_iou_loss

__all__ = ["complete_box_iou_loss"]
