"""FeatureSpace: a table's columns, each prepared in its own way, as one vector or as a dict."""

from __future__ import annotations

from typing import Any

from chainrule.data import Dataset
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import Input
from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.layers.preprocessing.discretization import Discretization
from chainrule.keras.layers.preprocessing.encoding import CategoryEncoding
from chainrule.keras.layers.preprocessing.hashing import HashedCrossing, Hashing
from chainrule.keras.layers.preprocessing.lookup import IntegerLookup, StringLookup
from chainrule.keras.layers.preprocessing.normalization import Normalization
from chainrule.keras.layers.preprocessing.rescaling import Rescaling
from chainrule.keras.layers.preprocessing.text import TextVectorization
from chainrule.keras.naming import auto_name
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import known, to_config
from chainrule.keras.saving import save_model
from chainrule.keras.settings import standardize_dtype
from chainrule.strings import StringTensor
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


@known
class Cross:
    """Features that are looked at together, in `crossing_dim` buckets."""

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> None:
        if output_mode not in ("int", "one_hot"):
            raise ValueError(
                "Invalid value for argument `output_mode`. Expected one of {'int', 'one_hot'}. "
                f"Received: output_mode={output_mode}"
            )
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        return cls(**config)


@known
class Feature:
    """A column: its type, the layer that prepares it, and whether the result is one-hot."""

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        if output_mode not in ("int", "one_hot", "float"):
            raise ValueError(
                "Invalid value for argument `output_mode`. Expected one of {'int', 'one_hot', "
                f"'float'}}. Received: output_mode={output_mode}"
            )
        if isinstance(preprocessor, dict):
            preprocessor = object_from_config(preprocessor)
        self.dtype = dtype
        self.preprocessor = preprocessor
        self.output_mode = output_mode

    def get_config(self) -> dict[str, Any]:
        return {
            "dtype": self.dtype,
            "preprocessor": to_config(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        return cls(**config)


@known
class TFDIdentity(DataLayer):
    """The column as it is."""

    def call(self, x: Any) -> Any:
        return x


@known
class TFDConcat(DataLayer):
    """Columns side by side."""

    several_inputs = True

    def call(self, xs: Any) -> Tensor:
        return T.cat([x.to(xs[0].dtype) for x in xs], -1)


@known
class FeatureSpace(Layer):
    """Prepares the columns of a table.

    `features`: a dict from names to kinds: "float", "float_rescaled", "float_normalized",
    "float_discretized", "integer_categorical", "string_categorical", "integer_hashed",
    "string_hashed", or what the methods of these names make. `crosses`: tuples of names that are
    hashed together. With `output_mode="concat"` the result is one vector, with "dict" one for each
    column. `adapt(data)` finds means, boundaries and vocabularies.

    >>> space = FeatureSpace({"age": "float_rescaled", "job": "string_hashed"}, hashing_dim=4)
    >>> space({"age": [1.0, 2.0], "job": ["a", "b"]}).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        features: dict[str, Any],
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError("The `features` argument cannot be None or empty.")
        if output_mode not in ("dict", "concat"):
            raise ValueError(
                "Invalid value for argument `output_mode`. Expected one of {'dict', 'concat'}. "
                f"Received: output_mode={output_mode}"
            )
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = output_mode
        self.features = {key: self._feature(key, kind) for key, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.inputs = {
            key: Input(shape=(1,), dtype=feature.dtype, name=key)
            for key, feature in self.features.items()
        }
        self.preprocessors = {key: f.preprocessor for key, f in self.features.items()}
        self.crossers = {
            cross.name: HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, Layer] = {}
        self.encoded_features: Any = None
        self.concat = TFDConcat()
        self._is_adapted = False

    # kinds of columns -----------------------------------------------------------------------------

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Features that are looked at together."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column with a layer of your own."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return Feature("float32", TFDIdentity(name=_prepares(name, "float")), "float")

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers · scale + offset."""
        layer = Rescaling(scale, offset, name=_prepares(name, "float_rescaled"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers with mean 0 and variance 1."""
        layer = Normalization(axis=-1, name=_prepares(name, "float_normalized"))
        return Feature("float32", layer, "float")

    @classmethod
    def float_discretized(
        cls, num_bins: int | None, bin_boundaries: Any = None, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Numbers by the range in which they lie."""
        layer = Discretization(bin_boundaries, num_bins, name=_prepares(name, "float_discretized"))
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Whole numbers that name categories."""
        named = _prepares(name, "integer_categorical")
        layer = IntegerLookup(max_tokens, num_oov_indices, name=named)
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls, max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:  # fmt: skip
        """Strings that name categories."""
        named = _prepares(name, "string_categorical")
        layer = StringLookup(max_tokens, num_oov_indices, name=named)
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Strings in buckets."""
        layer = Hashing(num_bins, name=_prepares(name, "string_hashed"))
        return Feature("string", layer, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Whole numbers in buckets."""
        layer = Hashing(num_bins, name=_prepares(name, "integer_hashed"))
        return Feature("int32", layer, output_mode)

    def _feature(self, name: str, kind: Any) -> Feature:
        if isinstance(kind, Feature):
            return kind
        if isinstance(kind, dict):
            made: Feature = object_from_config(kind)
            return made
        if kind == "float_discretized":
            return self.float_discretized(self.num_discretization_bins, name=name)
        if kind in ("integer_hashed", "string_hashed"):
            hashed: Feature = getattr(self, kind)(self.hashing_dim, name=name)
            return hashed
        if kind in ("float", "float_normalized", "float_rescaled", "integer_categorical",
                    "string_categorical"):  # fmt: skip
            plain: Feature = getattr(self, kind)(name=name)
            return plain
        raise ValueError(f"Invalid feature type: {kind}")

    def _cross(self, cross: Any) -> Cross:
        if isinstance(cross, dict):
            cross = object_from_config(cross)
        if isinstance(cross, Cross):
            return cross
        if not self.crossing_dim:
            raise ValueError(
                "When specifying `crosses`, the argument `crossing_dim` (dimensionality of the "
                "crossing space) should be specified as well."
            )
        if not set(cross) <= set(self.features):
            raise ValueError(
                "All features referenced in the `crosses` argument should be present in the "
                f"`features` dict. Received unknown features: {cross}"
            )
        return Cross(cross, self.crossing_dim)

    # adapting -------------------------------------------------------------------------------------

    def _adaptable(self) -> list[str]:
        """The columns whose layers learn from data."""
        found = []
        for name, layer in self.preprocessors.items():
            fixed = (isinstance(layer, Normalization) and layer.input_mean is not None) or (
                isinstance(layer, TextVectorization) and layer._lookup_layer._has_input_vocabulary
            )
            if hasattr(layer, "adapt") and not fixed:
                found.append(name)
        return found

    _list_adaptable_preprocessors = _adaptable

    def adapt(self, dataset: Any) -> None:
        """Find means, boundaries and vocabularies in a `tf.data.Dataset` of dicts, or in a dict of
        columns.
        """
        if isinstance(dataset, dict):
            dataset = Dataset.from_tensor_slices(dataset)
        if not isinstance(dataset, Dataset):
            raise ValueError(
                "`adapt()` can only be called on a tf.data.Dataset or a dict of arrays/lists. "
                f"Received instead: {dataset} (of type {type(dataset)})"
            )
        for name in self._adaptable():
            column = dataset.map(lambda row, name=name: row[name])
            rank = next(iter(column)).ndim
            if rank == 0:
                column = column.batch(32)
            if rank < 2:
                column = column.map(lambda x: x.reshape((-1, 1)))
            self.preprocessors[name].adapt(column)
        self._is_adapted = True
        self.encoded_features = None
        self.get_encoded_features()

    def _check_adapted(self) -> None:
        if not self._is_adapted and self._adaptable():
            raise ValueError(
                "You need to call `.adapt(dataset)` on the FeatureSpace before you can start using "
                "it."
            )
        self._is_adapted = True

    def get_inputs(self) -> dict[str, Any]:
        """The columns as inputs of a model."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The result for `get_inputs()`, for a model that prepares its data itself."""
        self._check_adapted()
        if self.encoded_features is None:
            self.encoded_features = self._encode(self.inputs)
            self.built = True
        return self.encoded_features

    # a call ---------------------------------------------------------------------------------------

    def _encode(self, columns: dict[str, Any]) -> Any:
        prepared = {name: self.preprocessors[name](columns[name]) for name in self.features}
        crossed = {
            cross.name: self.crossers[cross.name]([prepared[n] for n in cross.feature_names])
            for cross in self.crosses
        }
        kinds = {**self.features, **{cross.name: cross for cross in self.crosses}}
        parts = {
            name: self._part(name, value, kinds[name])
            for group in (prepared, crossed)
            for name, value in sorted(group.items())
        }
        return parts if self.output_mode == "dict" else self.concat(list(parts.values()))

    def _part(self, name: str, value: Any, kind: Any) -> Any:
        dtype = standardize_dtype(value.dtype)
        if kind.output_mode == "one_hot":
            if name not in self.one_hot_encoders:
                if not dtype.startswith("int"):
                    raise ValueError(
                        f"Feature '{name}' has `output_mode='one_hot'`. Thus its preprocessor "
                        f"should return an integer dtype. Instead it returns a {dtype} dtype."
                    )
                self.one_hot_encoders[name] = CategoryEncoding(self._categories(name))
            return self.one_hot_encoders[name](value)
        if self.output_mode == "concat" and dtype.startswith(("int", "string")):
            raise ValueError(
                f"Cannot concatenate features because feature '{name}' has not been encoded (it "
                f"has dtype {dtype}). Consider using `output_mode='dict'`."
            )
        return value

    def _categories(self, name: str) -> int:
        layer = self.preprocessors.get(name) or self.crossers.get(name)
        if isinstance(layer, IntegerLookup | StringLookup):
            return layer.vocabulary_size()
        if isinstance(layer, CategoryEncoding):
            return layer.num_tokens
        if isinstance(layer, Discretization):
            return layer.num_bins or len(layer.bin_boundaries) + 1
        if isinstance(layer, HashedCrossing | Hashing):
            return layer.num_bins
        raise ValueError(
            f"Feature '{name}' has `output_mode='one_hot'`. However it isn't a standard feature "
            "and the dimensionality of its output space is not known, thus it cannot be one-hot "
            "encoded. Try using `output_mode='int'`."
        )

    def __call__(self, data: Any, **kwargs: Any) -> Any:
        self.get_encoded_features()
        if not isinstance(data, dict):
            raise ValueError(
                f"A FeatureSpace can only be called with a dict. Received: data={data} (of type "
                f"{type(data)}"
            )
        columns = {name: TFDIdentity()._convert(value) for name, value in data.items()}
        single = any(_rank(x) == 0 for x in columns.values())
        out = self._encode({name: _column(x) for name, x in columns.items()})
        if not single:
            return out
        if isinstance(out, dict):
            return {name: x[0] for name, x in out.items()}
        return out[0]

    # configuration and files ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            "features": to_config(self.features),
            "output_mode": self.output_mode,
            "crosses": to_config(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> FeatureSpace:
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        return {name: f.preprocessor.get_build_config() for name, f in self.features.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        for name, inner in config.items():
            layer = self.features[name].preprocessor
            if not layer.built:
                layer.build_from_config(inner)
        self._is_adapted = True

    def save(self, filepath: Any) -> None:
        """Write it to a `.keras` file, which `keras.models.load_model` reads."""
        save_model(self, filepath)

    def save_own_variables(self, store: Any) -> None:
        return

    def load_own_variables(self, store: Any) -> None:
        return


def _prepares(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"


def _rank(x: Any) -> int:
    return len(x.shape)


def _column(x: Any) -> Any:
    """(n) or () as (n, 1)."""
    if _rank(x) >= 2:
        return x
    return x.reshape((-1, 1)) if isinstance(x, Tensor | StringTensor) else creation.tensor([[x]])
