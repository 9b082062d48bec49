"""Layers that prepare data: numbers, categories, texts, images."""

from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.layers.preprocessing.discretization import Discretization
from chainrule.keras.layers.preprocessing.encoding import CategoryEncoding
from chainrule.keras.layers.preprocessing.feature_space import FeatureSpace
from chainrule.keras.layers.preprocessing.hashing import HashedCrossing, Hashing
from chainrule.keras.layers.preprocessing.lookup import IndexLookup, IntegerLookup, StringLookup
from chainrule.keras.layers.preprocessing.normalization import Normalization
from chainrule.keras.layers.preprocessing.pipeline import Pipeline
from chainrule.keras.layers.preprocessing.rescaling import Rescaling
from chainrule.keras.layers.preprocessing.spectrograms import MelSpectrogram
from chainrule.keras.layers.preprocessing.text import TextVectorization

__all__ = [
    "CategoryEncoding", "DataLayer", "Discretization", "FeatureSpace", "HashedCrossing", "Hashing",
    "IndexLookup", "IntegerLookup", "MelSpectrogram", "Normalization", "Pipeline", "Rescaling",
    "StringLookup", "TextVectorization",
]  # fmt: skip
