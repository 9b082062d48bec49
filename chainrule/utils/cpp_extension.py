"""`torch.utils.cpp_extension`: code in C++ against PyTorch's headers, which are not here."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "extensions in C++ are written against PyTorch's headers. Write the operation in Python, with "
    "torch.autograd.Function for its gradient; it is compiled with the rest",
)
