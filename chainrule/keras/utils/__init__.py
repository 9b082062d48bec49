"""`keras.utils`."""

from chainrule.keras.backend import clear_session
from chainrule.keras.files import get_file
from chainrule.keras.images import array_to_img, img_to_array, load_img, save_img
from chainrule.keras.layers.preprocessing.feature_space import FeatureSpace
from chainrule.keras.plotting import model_to_dot, plot_model
from chainrule.keras.registry import CustomObjectScope as CustomObjectScope
from chainrule.keras.registry import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from chainrule.keras.registry import from_config as deserialize_keras_object
from chainrule.keras.registry import to_config as serialize_keras_object
from chainrule.keras.settings import standardize_dtype
from chainrule.keras.sources import get_source_inputs
from chainrule.keras.symbolic import is_keras_tensor
from chainrule.keras.utils import bounding_boxes
from chainrule.keras.utils.batches import (
    PyDataset,
    Sequence,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from chainrule.keras.utils.folder_datasets import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from chainrule.keras.utils.named import Config
from chainrule.keras.utils.numerical import normalize, set_random_seed, to_categorical
from chainrule.keras.utils.sequences import pad_sequences
from chainrule.keras.utils.splitting import split_dataset
from chainrule.keras.utils.timeseries import timeseries_dataset_from_array
from chainrule.training.messages import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from chainrule.training.progress import Progbar

__all__ = [
    "Config", "CustomObjectScope", "FeatureSpace", "Progbar", "PyDataset", "Sequence",
    "array_to_img", "audio_dataset_from_directory", "bounding_boxes", "clear_session",
    "custom_object_scope", "deserialize_keras_object", "disable_interactive_logging",
    "enable_interactive_logging", "get_custom_objects", "get_file", "get_registered_name",
    "get_registered_object", "get_source_inputs", "image_dataset_from_directory", "img_to_array",
    "is_interactive_logging_enabled", "is_keras_tensor", "load_img", "model_to_dot", "normalize",
    "pack_x_y_sample_weight", "pad_sequences", "plot_model", "register_keras_serializable",
    "save_img", "serialize_keras_object", "set_random_seed", "split_dataset", "standardize_dtype",
    "text_dataset_from_directory", "timeseries_dataset_from_array", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip
