"""`torch.package`: there is none."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "save values with torch.save(model.state_dict(), f), and keep code in files",
)
