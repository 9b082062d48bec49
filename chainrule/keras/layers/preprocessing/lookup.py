"""Vocabularies: tokens to places in a list, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.errors import InvalidArgumentError
from chainrule.keras.layers.preprocessing.data_layer import EagerLayer
from chainrule.keras.layers.preprocessing.encoding import encode, encoded_shape, refuse_sparse
from chainrule.keras.layers.preprocessing.hashing import buckets, salt_of
from chainrule.keras.registry import in_safe_mode, known
from chainrule.keras.settings import floatx, to_dtype
from chainrule.strings import StringTensor, as_strings, is_string, made
from chainrule.tensor import Tensor, creation, fromdata

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class Rows:
    """Rows of tokens, of unlike lengths."""

    def __init__(self, rows: list[list[bytes]]) -> None:
        self.rows = rows


@known
class IndexLookup(EagerLayer):
    """Tokens to places in a vocabulary: the mask token (if there is one) is 0, then come the places
    of unknown tokens, then the vocabulary in order.

    The vocabulary is given, or `adapt(data)` finds it: the commonest token first, of equally common
    ones the last in the order of the alphabet first. `output_mode`: `int` (places), `one_hot`,
    `multi_hot`, `count`, or `tf_idf` (counts times log(1 + documents / (1 + documents with the
    token))). `invert` goes from places to tokens.
    """

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary_dtype: str,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        kind = type(self).__name__
        if max_tokens is not None and max_tokens <= 1:
            raise ValueError(
                "If set, `max_tokens` must be greater than 1. Received: "
                f"max_tokens={max_tokens} ({kind})"
            )
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(
                "If pad_to_max_tokens is True, must set `max_tokens`. Received: "
                f"max_tokens={max_tokens}"
            )
        if num_oov_indices < 0:
            raise ValueError(
                "`num_oov_indices` must be greater than or equal to 0. Received: "
                f"num_oov_indices={num_oov_indices} ({kind})"
            )
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(
                f"Unknown `oov_method` argument of {kind}: it must be 'floormod' or 'farmhash', "
                f"got {oov_method!r}"
            )
        if salt is not None and vocabulary_dtype != "string" and oov_method != "farmhash":
            raise ValueError(
                "`salt` can only be used when `oov_method='farmhash'`. Received: "
                f"oov_method={oov_method}"
            )
        output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        if output_mode not in _MODES:
            raise ValueError(
                f"Unknown `output_mode` argument of {kind}: it must be one of {_MODES}, got "
                f"{output_mode!r}"
            )
        if invert and output_mode != "int":
            raise ValueError(
                "`output_mode` must be `'int'` when `invert` is true. Received: "
                f"output_mode={output_mode}"
            )
        if sparse and output_mode == "int":
            raise ValueError(
                "`sparse` may only be true if `output_mode` is `'one_hot'`, `'multi_hot'`, "
                f"`'count'` or `'tf_idf'`. Received: sparse={sparse} and output_mode={output_mode}"
            )
        refuse_sparse(sparse)
        if idf_weights is not None and output_mode != "tf_idf":
            raise ValueError(
                "`idf_weights` should only be set if `output_mode` is `'tf_idf'`. Received: "
                f"idf_weights={idf_weights} and output_mode={output_mode}"
            )
        super().__init__(name=name)
        self.invert = invert
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.output_mode = output_mode
        self.sparse = sparse
        self.pad_to_max_tokens = pad_to_max_tokens
        self.vocabulary_dtype = vocabulary_dtype
        self.oov_method = oov_method
        self.salt = salt_of(salt, kind)
        self._frozen_vocab_size: int | None = kwargs.pop("vocabulary_size", None)
        self.input_vocabulary = None if isinstance(vocabulary, str) else vocabulary
        self.input_idf_weights = idf_weights
        self._has_input_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        for argument in ("trainable", "dtype"):
            kwargs.pop(argument, None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword argument(s): {kwargs}")
        if output_mode == "tf_idf" and self._has_input_vocabulary and idf_weights is None:
            raise ValueError(
                "When specifying the `vocabulary` argument, in TF-IDF output mode, the "
                "`idf_weights` argument must also be provided."
            )
        self._tokens: list[Any] = []
        self._table = self._numbered([])
        self.idf_weights: np.ndarray | None = None
        if idf_weights is not None:
            self.idf_weights = np.asarray(idf_weights, floatx())
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    @property
    def compute_dtype(self) -> str:
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        return self.vocabulary_dtype

    # the vocabulary -------------------------------------------------------------------------------

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their places."""
        if not include_special_tokens:
            return list(self._tokens)
        return [*self._special_tokens(), *self._tokens]

    def vocabulary_size(self) -> int:
        """The number of places, with those of the mask and of unknown tokens."""
        return len(self._tokens) + self._token_start_index()

    def _oov_start_index(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _token_start_index(self) -> int:
        return self._oov_start_index() + self.num_oov_indices

    def _special_tokens(self) -> list[Any]:
        masks = [self.mask_token] * self._oov_start_index()
        return [*masks, *[self.oov_token] * self.num_oov_indices]

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take the tokens of a list, or of a file with one in each line. Mask and unknown tokens
        may stand at its beginning.
        """
        if self.output_mode == "tf_idf" and idf_weights is None:
            raise ValueError("`idf_weights` must be set if output_mode is 'tf_idf'.")
        if self.output_mode != "tf_idf" and idf_weights is not None:
            raise ValueError(
                "`idf_weights` should only be set if output_mode is `'tf_idf'`. Received: "
                f"output_mode={self.output_mode} and idf_weights={idf_weights}"
            )
        if isinstance(vocabulary, str):
            self._take(self._from_file(vocabulary))
            return
        given = self._plain(vocabulary)
        if not given:
            raise ValueError(f"Cannot set an empty vocabulary. Received: vocabulary={vocabulary}")
        start = self._token_start_index()
        with_special = given[:start] == self._special_tokens()
        tokens = given[start:] if with_special else given
        self._check(tokens, given)
        self._take(tokens)
        if idf_weights is not None:
            self._take_weights(np.asarray(idf_weights), len(given), with_special)

    def _plain(self, vocabulary: Any) -> list[Any]:
        """Tokens as strings or whole numbers."""
        if isinstance(vocabulary, Tensor):
            vocabulary = vocabulary.detach().numpy()
        if self.vocabulary_dtype == "string":
            encoding = getattr(self, "encoding", "utf-8")
            return [b.decode(encoding) for b in as_strings(list(_flat(vocabulary))).array.tolist()]
        return [int(v) for v in _flat(vocabulary)]

    def _from_file(self, path: str) -> list[Any]:
        if in_safe_mode():
            raise ValueError(
                "Requested the loading of a vocabulary file outside of the model archive. This "
                "carries a potential risk of loading arbitrary and sensitive files and thus it is "
                "disallowed by default. If you trust the source of the artifact, you can override "
                "this error by passing `safe_mode=False` to the loading function, or calling "
                f"`keras.config.enable_unsafe_deserialization(). Vocabulary file: '{path}'"
            )
        if not Path(path).exists():
            raise ValueError(f"Vocabulary file {path} does not exist.")
        if self.output_mode == "tf_idf":
            raise ValueError(
                "output_mode `'tf_idf'` does not support loading a vocabulary from file."
            )
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return lines if self.vocabulary_dtype == "string" else [int(line) for line in lines]

    def _check(self, tokens: list[Any], given: list[Any]) -> None:
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(
                "The passed vocabulary has at least one repeated term. Please uniquify your "
                f"dataset. The repeated terms are: {repeated}"
            )
        # An unknown token in the list is of no use, but harms only where places become tokens.
        for kind, token in {
            "mask": self.mask_token,
            "OOV": self.oov_token if self.invert else None,
        }.items():
            if token is not None and token in tokens:
                raise ValueError(
                    f"Found reserved {kind} token at unexpected location in `vocabulary`. Note "
                    "that passed `vocabulary` does not need to include the OOV and mask tokens. "
                    "Either remove all mask and OOV tokens, or include them only at the start of "
                    f"the vocabulary in precisely this order: {self._special_tokens()}. Received: "
                    f"{kind.lower()}_token={token} at vocabulary index {given.index(token)}"
                )
        size = self._token_start_index() + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                "Attempted to set a vocabulary larger than the maximum vocab size. Received "
                f"vocabulary size is {size}; `max_tokens` is {self.max_tokens}."
            )

    def _take(self, tokens: list[Any]) -> None:
        size = self._token_start_index() + len(tokens)
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens
        if fixed and self._frozen_vocab_size not in (None, size):
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, the "
                "vocabulary size cannot be changed after the layer is called. Old vocab size is "
                f"{self._frozen_vocab_size}, new vocab size is {size}"
            )
        self._tokens = list(tokens)
        self._table = self._numbered(self._tokens)
        self._frozen_vocab_size = size

    def _numbered(self, tokens: list[Any]) -> dict[Any, int]:
        """Token → place, with -1 for a mask that should leave no trace."""
        start = self._token_start_index()
        table = {self._key(token): start + place for place, token in enumerate(tokens)}
        if self.mask_token is not None:
            table[self._key(self.mask_token)] = 0 if self.output_mode == "int" else -1
        return table

    def _key(self, token: Any) -> Any:
        return token.encode() if isinstance(token, str) else int(token)

    def _take_weights(self, weights: np.ndarray, count: int, with_special: bool) -> None:
        if len(weights) != count:
            raise ValueError(
                f"`idf_weights` must be the same length as vocabulary. len(idf_weights) is "
                f"{len(weights)}; len(vocabulary) is {count}"
            )
        if weights.ndim != 1:
            raise ValueError(
                f"TF-IDF data must be a 1-index array. Received: shape {weights.shape}"
            )
        front = 0 if with_special else self._token_start_index()
        self._pad_weights(weights, front)

    def _pad_weights(self, weights: np.ndarray, front: int) -> None:
        """Unknown tokens weigh as much as the others on average, places never used nothing."""
        back = 0
        if self.pad_to_max_tokens and self.max_tokens is not None:
            back = self.max_tokens - front - len(weights)
        ends = (np.average(weights) if front else 0, 0)
        padded = np.pad(weights, (front, back), "constant", constant_values=ends)
        self.idf_weights = padded.astype(floatx())

    # finding it in data ---------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find the vocabulary in an array, a list, or batches (of which at most `steps`)."""
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch: each row is a document."""
        if self._has_input_vocabulary:
            raise ValueError(
                f"Cannot adapt layer '{self.name}' after setting a static vocabulary via "
                "`vocabulary` argument or `set_vocabulary()` method."
            )
        rows = self._documents(data)
        for row in rows:
            self._counts.update(row)
        if self.output_mode == "tf_idf":
            for row in rows:
                self._document_counts.update(set(row))
            self._documents_seen += len(rows)

    def _documents(self, data: Any) -> list[list[Any]]:
        if isinstance(data, Rows):
            return data.rows
        if self.vocabulary_dtype == "string":
            array = as_strings(data).array
        else:
            array = np.asarray(data.detach().numpy() if isinstance(data, Tensor) else data)
            array = array.astype(np.int64)
        if array.ndim < 2:
            array = array.reshape(1, -1)
        rows: list[list[Any]] = array.reshape(len(array), -1).tolist()
        return rows

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        if self._has_input_vocabulary or not self._counts:
            self._frozen_vocab_size = self.vocabulary_size()
            return
        for token in (self.mask_token, self.oov_token):
            if token is not None:
                self._counts.pop(self._key(token), None)
        keys = sorted(self._counts, key=lambda k: (self._counts[k], k), reverse=True)
        if self.max_tokens:
            keys = keys[: self.max_tokens - self._token_start_index()]
        self._take(self._plain(keys))
        if self.output_mode == "tf_idf":
            seen = np.array([self._document_counts[k] for k in keys], np.float64)
            weights = np.log(1 + self._documents_seen / (1 + seen))
            self._pad_weights(weights, self._token_start_index())
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._counts: Counter[Any] = Counter()
        self._document_counts: Counter[Any] = Counter()
        self._documents_seen = 0

    # looking up -----------------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        if self.invert:
            return self._inverse(inputs)
        depends = self.output_mode != "int" and not self.pad_to_max_tokens
        if depends and self._frozen_vocab_size is None:
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, you "
                "must set the layer's vocabulary before calling it. Either pass a `vocabulary` "
                "argument to the layer, or call `adapt` with some sample data."
            )
        return self.from_places(self._places(inputs))

    def from_places(self, places: np.ndarray) -> Tensor:
        """The layer's output for tokens at these places of the vocabulary."""
        if self.output_mode == "int":
            return fromdata.from_owned(places)
        depth = self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        output = encode(fromdata.from_owned(places), mode, int(depth or 0), "int64")
        if self.output_mode != "tf_idf":
            return output
        if self.idf_weights is None:
            raise ValueError("When `output_mode` is `'tf_idf'`, `idf_weights` must be provided.")
        return output.to(to_dtype(floatx())) * creation.tensor(self.idf_weights)

    def _places(self, inputs: Any) -> np.ndarray:
        """The place of every token; masks are -1 where they should leave no trace."""
        if self.vocabulary_dtype == "string":
            x: Any = as_strings(inputs)
            keys = x.array
        else:
            x = inputs if isinstance(inputs, Tensor) else creation.tensor(np.asarray(inputs))
            keys = x.detach().numpy().astype(np.int64)
        get = self._table.get
        unknown = self._oov_start_index() if self.num_oov_indices == 1 else -2
        flat = [get(key, unknown) for key in keys.reshape(-1).tolist()]
        places = np.array(flat, np.int64).reshape(keys.shape)
        if self.num_oov_indices != 1:
            missing = places == -2
            if missing.any():
                places[missing] = self._unknown(keys, x, missing)
        return places

    def _unknown(self, keys: np.ndarray, x: Any, missing: np.ndarray) -> np.ndarray:
        count = self.num_oov_indices
        if count == 0:
            raise InvalidArgumentError(
                "When `num_oov_indices=0` all inputs should be in vocabulary, found OOV values "
                f"{keys[missing].tolist()}, consider setting `num_oov_indices=1`."
            )
        if isinstance(x, StringTensor):
            found = buckets(made(keys[missing]), count, self.salt)
        elif self.oov_method == "farmhash":
            found = buckets(fromdata.from_owned(keys[missing]), count, self.salt)
        else:
            found = keys[missing] % count
        return found + self._oov_start_index()

    def _inverse(self, inputs: Any) -> Any:
        x = inputs.detach().numpy() if isinstance(inputs, Tensor) else np.asarray(inputs)
        tokens = self.get_vocabulary()
        flat = [
            tokens[place] if 0 <= place < len(tokens) else self.oov_token
            for place in x.astype(np.int64).reshape(-1).tolist()
        ]
        if self.vocabulary_dtype == "string":
            return StringTensor(flat).reshape(x.shape)
        return fromdata.from_owned(np.array(flat, np.int64).reshape(x.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_mode == "int":
            return input_shape
        depth = self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size
        if self.output_mode == "one_hot":
            return encoded_shape(input_shape, "one_hot", depth)
        return (*tuple(input_shape)[:-1], depth)

    def _output_dtype(self, tensor: Any) -> str:
        if self.output_mode != "int":
            return floatx()
        return self.vocabulary_dtype if self.invert else "int64"

    # configuration and files ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("vocabulary_dtype", None)
        return config | {
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary_dtype": self.vocabulary_dtype,
            "idf_weights": listed(self.input_idf_weights),
            "vocabulary": listed(self.input_vocabulary),
            "vocabulary_size": self._frozen_vocab_size,
            "oov_method": self.oov_method,
            "salt": self.salt,
        }

    def save_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf" and self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf":
            self.idf_weights = np.asarray(store["idf_weights"])

    def save_assets(self, dir_path: Any) -> None:
        """Write the vocabulary beside a saved model, unless its config has it."""
        if self.input_vocabulary is None:
            words = "\n".join(str(word) for word in self.get_vocabulary())
            Path(dir_path, "vocabulary.txt").write_text(words, encoding="utf-8")

    def load_assets(self, dir_path: Any) -> None:
        """Read what `save_assets` wrote."""
        if self.input_vocabulary is not None:
            return
        # Only a line break ends a token: others may hold what Python takes for an end of line.
        lines = Path(dir_path, "vocabulary.txt").read_text(encoding="utf-8").split("\n")
        while lines and lines[-1] == "":
            lines.pop()
        values: list[Any] = lines
        if self.vocabulary_dtype != "string":
            values = [int(line) for line in lines]
        if values:
            self.set_vocabulary(values, self.idf_weights if self.output_mode == "tf_idf" else None)


def batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """What `adapt` reads: an array or a list at once, everything else batch by batch."""
    if isinstance(data, list | tuple | np.ndarray | Tensor | StringTensor):
        array = as_strings(data) if is_string(data) else np.asarray(data)
        yield array.reshape(-1, 1) if array.ndim == 1 else array
        return
    for count, batch in enumerate(data):
        if steps is not None and count >= steps:
            return
        yield batch


def _flat(values: Any) -> Iterable[Any]:
    if isinstance(values, StringTensor):
        return iter(values.array.reshape(-1).tolist())
    return iter(np.asarray(values, object).reshape(-1).tolist())


def listed(values: Any) -> Any:
    """Arrays and tensors as lists, for a config."""
    if isinstance(values, Tensor):
        values = values.detach().numpy()
    if isinstance(values, StringTensor):
        return values.text().tolist()
    return values.tolist() if isinstance(values, np.ndarray) else values


@known
class StringLookup(IndexLookup):
    """Strings to places in a vocabulary, or back.

    >>> lookup = StringLookup(vocabulary=["a", "b"])
    >>> lookup([["b", "?"]]).tolist(), lookup.get_vocabulary()
    ([[2, 0]], ['[UNK]', 'a', 'b'])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        self.__dict__["encoding"] = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, "string", vocabulary, idf_weights,
            invert, output_mode, sparse, pad_to_max_tokens, name=name, salt=salt, **kwargs,
        )  # fmt: skip

    encoding: str

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"encoding": self.encoding}
        del config["vocabulary_dtype"]
        return config


@known
class IntegerLookup(IndexLookup):
    """Whole numbers to places in a vocabulary, or back.

    >>> IntegerLookup(vocabulary=[12, 36])([[36, 7]]).tolist()
    [[2, 0]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(
                "Only `vocabulary_dtype='int64'` is supported at this time. Received: "
                f"vocabulary_dtype={vocabulary_dtype}"
            )
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary,
            idf_weights, invert, output_mode, sparse, pad_to_max_tokens, oov_method, name=name,
            salt=salt, **kwargs,
        )  # fmt: skip
