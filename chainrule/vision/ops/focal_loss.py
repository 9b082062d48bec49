"""Where torchvision's own modules find `sigmoid_focal_loss`."""

from chainrule.vision.ops.losses import sigmoid_focal_loss

__all__ = ["sigmoid_focal_loss"]
