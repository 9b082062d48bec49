"""`tf.strings`: functions of strings, element by element."""

from __future__ import annotations

import builtins
import re
import zlib
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data.elements import as_type, raw
from chainrule.data.errors import InvalidArgumentError
from chainrule.names import later
from chainrule.strings import StringTensor, as_strings, made
from chainrule.tensor import Tensor, fromdata


def _texts(input: Any) -> np.ndarray:
    return as_strings(input).text()


def _map(f: Any, array: np.ndarray) -> StringTensor:
    out = np.empty(array.shape, object)
    out.reshape(-1)[:] = [f(s) for s in array.reshape(-1).tolist()]
    return made(out)


def lower(input: Any, encoding: str = "", name: str | None = None) -> StringTensor:
    """In small letters (ASCII's only, unless encoding is "utf-8").

    >>> lower("ABC").numpy()
    b'abc'
    """
    return as_strings(input).map(bytes.lower) if not encoding else _map(
        lambda s: s.lower().encode(), _texts(input)
    )  # fmt: skip


def upper(input: Any, encoding: str = "", name: str | None = None) -> StringTensor:
    """In capitals (ASCII's only, unless encoding is "utf-8")."""
    return as_strings(input).map(bytes.upper) if not encoding else _map(
        lambda s: s.upper().encode(), _texts(input)
    )  # fmt: skip


def strip(input: Any, name: str | None = None) -> StringTensor:
    """Without white space at the ends."""
    return as_strings(input).map(bytes.strip)


def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> StringTensor:
    """With what fits a pattern replaced; `\\\\1` names a group."""
    found = re.compile(_plain(pattern))
    put = re.sub(r"\\0", r"\\g<0>", _plain(rewrite))
    count = 0 if replace_global else 1
    return _map(lambda s: found.sub(put, s, count=count).encode(), _texts(input))


def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    """Whether a pattern fits the whole string."""
    found = re.compile(_plain(pattern))
    array = _texts(input)
    hits = [found.fullmatch(s) is not None for s in array.reshape(-1).tolist()]
    return fromdata.from_owned(np.array(hits, bool).reshape(array.shape))


def _plain(s: Any) -> str:
    text: str = _texts(s).item()
    return re.sub(r"\[:(\w+):\]", lambda m: _CLASSES.get(m[1], m[0]), text)


#: POSIX's classes of characters, which Python's patterns do not know.
_CLASSES = {
    "punct": r"!-/:-@\[-`{-~", "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9",
    "space": r"\s", "upper": "A-Z", "lower": "a-z", "word": r"\w", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def length(input: Any, unit: str = "BYTE", name: str | None = None) -> Tensor:
    """How many bytes (or characters: "UTF8_CHAR") there are."""
    array = as_strings(input).array if unit == "BYTE" else _texts(input)
    counts = [len(s) for s in array.reshape(-1).tolist()]
    return fromdata.from_owned(np.array(counts, np.int32).reshape(array.shape))


def substr(
    input: Any, pos: Any, len: Any, unit: str = "BYTE", name: str | None = None
) -> StringTensor:
    """A part of each string, from `pos` on, of `len` bytes (or characters)."""
    first, count = raw(pos), raw(len)
    array = as_strings(input).array if unit == "BYTE" else _texts(input)
    shape = np.broadcast_shapes(array.shape, first.shape, count.shape)
    out = np.empty(shape, object)
    parts = (np.broadcast_to(a, shape).reshape(-1).tolist() for a in (array, first, count))
    for i, (s, p, n) in enumerate(zip(*parts, strict=True)):
        if abs(p) > builtins.len(s):
            raise InvalidArgumentError(f"pos {p} out of range for string {s!r:.40}")
        p = p + builtins.len(s) if p < 0 else p
        part = s[p : p + n]
        out.reshape(-1)[i] = part if isinstance(part, bytes) else part.encode()
    return made(out)


def join(inputs: Any, separator: str = "", name: str | None = None) -> StringTensor:
    """Strings at the same place, one behind the other."""
    arrays = np.broadcast_arrays(*(as_strings(x).array for x in inputs))
    glue = separator.encode()
    out = np.empty(arrays[0].shape, object)
    rows = zip(*(a.reshape(-1).tolist() for a in arrays), strict=True)
    out.reshape(-1)[:] = [glue.join(row) for row in rows]
    return made(out)


def reduce_join(
    inputs: Any, axis: Any = None, keepdims: bool = False, separator: str = "",
    name: str | None = None,
) -> StringTensor:  # fmt: skip
    """The strings along `axis` (None: all) as one."""
    array = as_strings(inputs).array
    glue = separator.encode()
    if axis is None:
        one = np.array(glue.join(array.reshape(-1).tolist()), object)
        return made(one.reshape((1,) * array.ndim) if keepdims else one)
    moved = np.moveaxis(array, axis, -1)
    out = np.empty(moved.shape[:-1], object)
    out.reshape(-1)[:] = [glue.join(row) for row in moved.reshape(-1, moved.shape[-1]).tolist()]
    return made(np.expand_dims(out, axis) if keepdims else out)


class RaggedTensor:
    """Rows of strings of unlike lengths: what splitting gives.

    >>> split(["a b c", "d"]).to_tensor().numpy().tolist()
    [[b'a', b'b', b'c'], [b'd', b'', b'']]
    """

    def __init__(self, rows: list[list[Any]]) -> None:
        self.rows = rows

    def __getitem__(self, i: Any) -> StringTensor:
        return StringTensor(np.array(self.rows[int(i)], object))

    def __len__(self) -> int:
        return builtins.len(self.rows)

    def __iter__(self) -> Any:
        return (self[i] for i in range(builtins.len(self.rows)))

    def to_list(self) -> list[list[bytes]]:
        """The rows as lists of bytes."""
        return [self[i].array.tolist() for i in range(builtins.len(self.rows))]

    def row_lengths(self) -> Tensor:
        """How many strings every row has."""
        return fromdata.from_owned(np.array([builtins.len(r) for r in self.rows], np.int64))

    @property
    def flat_values(self) -> StringTensor:
        return StringTensor(np.array([s for r in self.rows for s in r], object))

    values = flat_values

    def to_tensor(
        self, default_value: Any = b"", name: Any = None, shape: Any = None
    ) -> StringTensor:
        """All rows as long as the longest."""
        longest = max((builtins.len(r) for r in self.rows), default=0)
        if shape is not None and shape[-1] is not None:
            longest = int(shape[-1])
        out = np.empty((builtins.len(self.rows), longest), object)
        out[...] = as_strings(default_value).array.item()
        for i, row in enumerate(self.to_list()):
            out[i, : builtins.len(row)] = row[:longest]
        return made(out)


def _rows(input: Any, f: Any) -> Any:
    array = _texts(input)
    if array.ndim == 0:
        return StringTensor(np.array(f(array.item()), object))
    if array.ndim > 1:
        raise NotImplementedError("only a string or a list of strings can be split here")
    return RaggedTensor([f(s) for s in array.tolist()])


def split(input: Any, sep: Any = None, maxsplit: int = -1, name: str | None = None) -> Any:
    """The parts between separators (white space by default), for every string.

    >>> split("a b c").numpy().tolist()
    [b'a', b'b', b'c']
    """
    glue = None if sep is None else _texts(sep).item() or None
    return _rows(input, lambda s: s.split(glue, maxsplit))


def unicode_split(
    input: Any,
    input_encoding: str = "UTF-8",
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Any:
    """The characters of every string."""
    return _rows(input, list)


def bytes_split(input: Any, name: str | None = None) -> Any:
    """The bytes of every string."""
    array = as_strings(input).array
    if array.ndim == 0:
        return StringTensor(np.array([bytes([b]) for b in array.item()], object))
    return RaggedTensor([[bytes([b]) for b in s] for s in array.tolist()])


def unicode_decode(
    input: Any,
    input_encoding: str = "UTF-8",
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Tensor:
    """The numbers of a string's characters."""
    text = _texts(input)
    if text.ndim:
        raise NotImplementedError("unicode_decode takes one string here; use tf.map_fn for more")
    return fromdata.from_owned(np.array([ord(c) for c in text.item()], np.int32))


def unicode_encode(
    input: Any,
    output_encoding: str = "UTF-8",
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> StringTensor:
    """A string out of the numbers of its characters."""
    return StringTensor("".join(map(chr, raw(input).reshape(-1).tolist())))


def ngrams(data: Any, ngram_width: Any, separator: str = " ", **options: Any) -> Any:
    """Runs of so many strings, joined."""
    widths = (ngram_width,) if isinstance(ngram_width, int) else tuple(ngram_width)
    row = _texts(data).tolist()
    found = [
        separator.join(row[i : i + n]) for n in widths for i in range(builtins.len(row) - n + 1)
    ]
    return StringTensor(np.array(found, object))


def to_number(input: Any, out_type: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """The numbers that strings spell; InvalidArgumentError where one spells none."""
    array, wanted = _texts(input), as_type(out_type)
    kind = float if wanted.is_floating_point else int
    try:
        numbers = [kind(s.strip()) for s in array.reshape(-1).tolist()]
    except ValueError as error:
        raise InvalidArgumentError(
            f"StringToNumberOp could not correctly convert string: {error}"
        ) from None
    return fromdata.from_owned(np.array(numbers, wanted.np).reshape(array.shape))


def as_string(
    input: Any, precision: int = -1, scientific: bool = False, shortest: bool = False,
    width: int = -1, fill: str = "", name: str | None = None,
) -> StringTensor:  # fmt: skip
    """Numbers, spelled."""
    array = raw(input)

    def spelled(x: Any) -> str:
        if isinstance(x, bool):
            text = str(x).lower()
        elif isinstance(x, float):
            digits = 6 if precision < 0 else precision
            text = f"{x:.{digits}{'e' if scientific else 'f'}}" if not shortest else f"{x:g}"
        else:
            text = str(x)
        return text.rjust(width, fill or " ") if width > 0 else text

    out = np.empty(array.shape, object)
    out.reshape(-1)[:] = [spelled(x) for x in array.reshape(-1).tolist()]
    return StringTensor(out)


def format(
    template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None
) -> StringTensor:
    """A text with values in its places."""
    values = inputs if isinstance(inputs, list | tuple) else [inputs]
    for value in values:
        shown = raw(value)
        template = template.replace(placeholder, str(shown), 1)
    return StringTensor(template)


def to_hash_bucket_fast(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    """A number below `num_buckets` for every string (not TensorFlow's own numbers)."""
    array = as_strings(input).array
    numbers = [zlib.crc32(s) % num_buckets for s in array.reshape(-1).tolist()]
    return fromdata.from_owned(np.array(numbers, np.int64).reshape(array.shape))


to_hash_bucket = to_hash_bucket_fast
__getattr__ = later(__name__)
