"""Where graphs become numbers. `reference` is NumPy, op by op: the living definition; `llvm` is
machine code.

PyTorch keeps its switches for other libraries in `torch.backends`, so `cudnn`, `cuda`, `mps` and
their like stand here too: modules of flags that nothing reads.
"""

from chainrule import names

__getattr__ = names.later(
    __name__,
    ("cpu", "cuda", "cudnn", "mha", "mkl", "mkldnn", "mps", "nnpack", "openmp", "opt_einsum",
     "quantized"),
)  # fmt: skip
