"""`functional_call` under its older name: see `chainrule.func`."""

from chainrule.func.modules import functional_call
from chainrule.func.modules import functional_call as _functional_call
from chainrule.func.modules import swapped as _reparametrize_module

__all__ = ["_functional_call", "_reparametrize_module", "functional_call"]
