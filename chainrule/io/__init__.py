"""Files: our own checkpoints (`tree`, in safetensors) and PyTorch's (`torch_file`).
`chainrule.serialization` is the front.
"""
