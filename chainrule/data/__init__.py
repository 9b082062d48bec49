"""Input pipelines as TensorFlow's programs write them: `tf.data`.

`source.py` has the data sets that read something, `steps.py` those that change another one,
`dataset.py` the methods by which a program chains them, `elements.py` what an element is. Where
elements stand in memory, they move as whole batches: see `rows.py`.
"""

from chainrule.data import experimental
from chainrule.data.dataset import (
    Dataset,
    FixedLengthRecordDataset,
    TextLineDataset,
    TFRecordDataset,
)
from chainrule.data.elements import DatasetSpec, TensorSpec
from chainrule.data.options import Options, ThreadingOptions
from chainrule.data.steps import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "DatasetSpec",
    "FixedLengthRecordDataset", "Options", "TFRecordDataset", "TensorSpec", "TextLineDataset",
    "ThreadingOptions", "experimental",
]  # fmt: skip
