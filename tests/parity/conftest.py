"""PyTorch on one thread: its small kernels wait for each other where other programs run."""

import torch

torch.set_num_threads(1)
