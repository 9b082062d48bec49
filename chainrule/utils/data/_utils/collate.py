"""`torch.utils.data._utils.collate`"""

from chainrule import names
from chainrule.utils.data.collate import collate as collate
from chainrule.utils.data.collate import default_collate as default_collate
from chainrule.utils.data.collate import default_collate_fn_map as default_collate_fn_map
from chainrule.utils.data.collate import default_convert as default_convert

__getattr__ = names.later(__name__)
