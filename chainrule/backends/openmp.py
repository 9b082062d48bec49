"""`torch.backends.openmp`: OpenMP is not used; threads are those of `torch.set_num_threads`."""

from chainrule import names


def is_available() -> bool:
    """False"""
    return False


__getattr__ = names.later(__name__)
