"""Files: our own checkpoints (`tree`, in safetensors) and PyTorch's (`torch_file`).
`chainrule.serialization` is the front.
"""

from chainrule.names import later

__getattr__ = later(__name__, also="chainrule.tensorflow.io")
