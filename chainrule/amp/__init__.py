"""`torch.amp`: arithmetic in two precisions, and scaled losses."""

from chainrule import names
from chainrule.amp import autocast_mode, grad_scaler
from chainrule.amp.autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from chainrule.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

__getattr__ = names.later(__name__)
