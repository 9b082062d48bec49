"""Functions of tensors that few programs call: loaded when one names them."""
