"""Texts as sequences of word numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.data_layer import EagerLayer
from chainrule.keras.layers.preprocessing.encoding import refuse_sparse
from chainrule.keras.layers.preprocessing.lookup import Rows, StringLookup, batches, listed
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import known
from chainrule.keras.settings import floatx
from chainrule.strings import StringTensor, as_strings, made
from chainrule.tensor import Tensor, fromdata

_PUNCTUATION = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
_SPLIT = ("whitespace", "character")


@known
class TextVectorization(EagerLayer):
    """Texts to numbers of words: made plain (`standardize`), cut (`split`), joined to `ngrams`, and
    looked up in a vocabulary that is given or found by `adapt`.

    With `output_mode="int"` a text is a row, filled up with zeros, or cut, to
    `output_sequence_length` (or to the longest of the batch); 0 is no word, 1 an unknown one. The
    other modes are those of `StringLookup`.

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer([["foo qux bar"], ["qux baz"]]).tolist()
    [[4, 1, 3, 0], [1, 2, 0, 0]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[..., Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[..., Any] | None = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_sparse(sparse)
        if ragged:
            raise ValueError(
                "`ragged=True` can only be used with the TensorFlow backend of Keras: there are no "
                "ragged tensors here; leave it out and rows are filled up with zeros"
            )
        for argument, value, choices in (
            ("standardize", standardize, _STANDARDIZE), ("split", split, _SPLIT),
        ):  # fmt: skip
            if not (value is None or callable(value) or value in choices):
                raise ValueError(
                    f"Unknown `{argument}` argument of TextVectorization: it must be one of "
                    f"{choices}, None or a function, got {value!r}"
                )
        if not (
            ngrams is None
            or isinstance(ngrams, int)
            or (isinstance(ngrams, tuple) and all(isinstance(n, int) for n in ngrams))
        ):
            raise ValueError(
                "`ngrams` must be None, an integer, or a tuple of integers. Received: "
                f"ngrams={ngrams}"
            )
        output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        length = output_sequence_length
        if output_mode == "int" and not (length is None or isinstance(length, int)):
            raise ValueError(
                "`output_sequence_length` must be either None or an integer when `output_mode` is "
                f"'int'. Received: output_sequence_length={length}"
            )
        if output_mode != "int" and length is not None:
            raise ValueError(
                "`output_sequence_length` must not be set if `output_mode` is not 'int'. Received "
                f"output_sequence_length={length}."
            )
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        size = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        self._standardize = standardize
        self._split = split
        self._ngrams_given = ngrams
        self._ngrams = tuple(range(1, ngrams + 1)) if isinstance(ngrams, int) else ngrams
        self._output_mode = output_mode
        self._output_sequence_length = length
        self._encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=output_mode,
            has_input_vocabulary=has_vocabulary,
            encoding=encoding,
            vocabulary_size=size,
        )
        self._lookup_layer.built = True  # it has no weights

    @property
    def compute_dtype(self) -> str:
        return "string"

    @property
    def variable_dtype(self) -> str:
        return "string"

    # texts to tokens ------------------------------------------------------------------------------

    def _tokens(self, inputs: Any) -> StringTensor | Rows:
        x: Any = as_strings(inputs)
        how = self._standardize
        if callable(how):
            x = how(x)
        elif how is not None:
            x = x.map(_standardizer(how))
        if self._split is not None:
            if isinstance(x, StringTensor):
                x = _single_column(x)
            x = self._cut(x)
        if self._ngrams is not None:
            x = Rows([_joined(row, self._ngrams) for row in _rows(x)])
        return x if isinstance(x, StringTensor | Rows) else Rows(_rows(x))

    def _cut(self, x: Any) -> Any:
        if callable(self._split):
            return self._split(x)
        texts = as_strings(x).array
        if self._split == "whitespace":
            rows = [text.split() for text in texts.reshape(-1).tolist()]
        else:
            rows = [
                [letter.encode() for letter in text.decode("utf-8", "replace")]
                for text in texts.reshape(-1).tolist()
            ]
        # One text alone becomes one sequence, not a batch of one.
        return Rows(rows) if texts.ndim else StringTensor(rows[0] if rows else [])

    # the vocabulary -------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Find the vocabulary in a list or an array of texts, or in batches of them."""
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch of texts."""
        self._lookup_layer.update_state(self._tokens(data))

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their numbers."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many numbers there are."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take the tokens of a list or of a file."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)

    # tokens to numbers ----------------------------------------------------------------------------

    def call(self, inputs: Any) -> Tensor:
        tokens = self._tokens(inputs)
        lookup, length = self._lookup_layer, self._output_sequence_length
        if isinstance(tokens, StringTensor):
            found: Tensor = lookup.call(tokens)
            if self._output_mode != "int" or length is None:
                return found
            return fromdata.from_owned(_fitted(found.numpy(), length))
        flat = made(_objects([token for row in tokens.rows for token in row]))
        lengths = [len(row) for row in tokens.rows]
        widest = max(lengths, default=0) if length is None else length
        if self._output_mode == "int":
            return fromdata.from_owned(_filled(lookup._places(flat), lengths, widest, 0))
        # -1 leaves no trace in what counts tokens.
        places = _filled(lookup._places(flat), lengths, max(lengths, default=0), -1)
        return lookup.from_places(places)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_mode == "int":
            return (input_shape[0], self._output_sequence_length)
        if self._split is None:
            shape = (*input_shape, 1) if len(input_shape) <= 1 else tuple(input_shape)
        else:
            shape = (*input_shape, None)
        if self._split is not None and len(shape) > 2:
            shape = (shape[0], None)
        return self._lookup_layer.compute_output_shape(shape)

    def _output_dtype(self, tensor: Any) -> str:
        return "int64" if self._output_mode == "int" else floatx()

    # configuration and files ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        lookup = self._lookup_layer
        return super().get_config() | {
            "max_tokens": lookup.max_tokens,
            "standardize": self._standardize,
            "split": self._split,
            "ngrams": self._ngrams_given,
            "output_mode": self._output_mode,
            "output_sequence_length": self._output_sequence_length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": listed(lookup.input_vocabulary),
            "idf_weights": listed(lookup.input_idf_weights),
            "encoding": self._encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        for name in ("standardize", "split"):
            if not isinstance(config[name], str):
                config[name] = object_from_config(config[name])
        if isinstance(config["ngrams"], list):
            config["ngrams"] = tuple(config["ngrams"])
        return cls(**config)

    def save_own_variables(self, store: Any) -> None:
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: Any) -> None:
        """Write the vocabulary beside a saved model."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: Any) -> None:
        """Read what `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)


def _standardizer(how: str) -> Callable[[bytes], bytes]:
    if how == "lower":
        return bytes.lower
    if how == "strip_punctuation":
        return lambda text: text.translate(None, _PUNCTUATION)
    return lambda text: text.lower().translate(None, _PUNCTUATION)


def _single_column(x: StringTensor) -> StringTensor:
    """(n, 1) texts as (n)."""
    if x.ndim < 2:
        return x
    if x.shape[-1] != 1:
        raise ValueError(
            "When using `TextVectorization` to tokenize strings, the input rank must be 1 or the "
            f"last shape dimension must be 1. Received: inputs.shape={tuple(x.shape)} with "
            f"rank={x.ndim}"
        )
    return x.reshape(x.shape[:-1])


def _rows(x: Any) -> list[list[bytes]]:
    """The tokens of each text, as a function that cuts texts gives them."""
    if isinstance(x, Rows):
        return x.rows
    if hasattr(x, "to_list"):
        x = x.to_list()
    if isinstance(x, StringTensor | np.ndarray):
        x = as_strings(x).array
        x = (x if x.ndim > 1 else x.reshape(-1, 1)).tolist()
    return [as_strings(list(row)).array.tolist() if len(row) else [] for row in x]


def _joined(row: list[bytes], sizes: tuple[int, ...]) -> list[bytes]:
    return [
        b" ".join(row[start : start + size])
        for size in sizes
        for start in range(len(row) - size + 1)
    ]


def _objects(values: list[bytes]) -> np.ndarray:
    out = np.empty(len(values), object)
    out[:] = values
    return out


def _filled(flat: np.ndarray, lengths: list[int], width: int, value: int) -> np.ndarray:
    """Rows of the given lengths, one behind the other in `flat`, cut or filled up to `width`."""
    out = np.full((len(lengths), width), value, np.int64)
    start = 0
    for row, length in enumerate(lengths):
        kept = min(length, width)
        out[row, :kept] = flat[start : start + kept]
        start += length
    return out


def _fitted(array: np.ndarray, width: int) -> np.ndarray:
    """The last axis cut, or filled up with zeros, to `width`."""
    array = array[..., :width]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])])
