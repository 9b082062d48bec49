"""Where torchvision's own modules find the downloader of weights."""

from chainrule.hub import load_state_dict_from_url

__all__ = ["load_state_dict_from_url"]
