"""`torch.utils.deterministic`: whether `torch.empty` is filled; it is, always."""

fill_uninitialized_memory = True
