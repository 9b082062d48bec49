"""`keras.preprocessing`: what older programs still import from here."""

from chainrule.keras.preprocessing import image, sequence, text
from chainrule.keras.utils.folder_datasets import (
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from chainrule.keras.utils.timeseries import timeseries_dataset_from_array

__all__ = [
    "image", "image_dataset_from_directory", "sequence", "text", "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]  # fmt: skip
