"""The functions of `legacy` as `torch` has them: with `out=`."""

from chainrule.linalg import legacy as _legacy
from chainrule.tensor.calling import public as _public

globals().update({name: _public(getattr(_legacy, name)) for name in _legacy.__all__})
lu = _legacy.lu  # takes `out=` itself
