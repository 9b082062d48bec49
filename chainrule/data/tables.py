"""Tables in text files: columns by name, in batches."""

from __future__ import annotations

import csv
import glob
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data import sources
from chainrule.data.dataset import Dataset
from chainrule.data.elements import as_type
from chainrule.data.errors import InvalidArgumentError
from chainrule.dtypes import DType
from chainrule.strings import STRING, StringTensor, StringType

#: What a column may hold, the narrowest first.
_TYPES = (dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64)


def make_csv_dataset(
    file_pattern: Any,
    batch_size: int,
    column_names: Sequence[str] | None = None,
    column_defaults: Sequence[Any] | None = None,
    label_name: str | None = None,
    select_columns: Sequence[Any] | None = None,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    header: bool = True,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    prefetch_buffer_size: int | None = None,
    num_parallel_reads: int | None = None,
    sloppy: bool = False,
    num_rows_for_inference: int | None = 100,
    compression_type: str | None = None,
    ignore_errors: bool = False,
    encoding: str = "utf-8",
) -> Dataset:
    """Batches of rows of CSV files: {column: values}, or ({column: values}, labels) if `label_name`
    says which column is the label. The files are read once, into memory.

    column_defaults         for each column a value that stands for a missing one, or a type: then
                            a missing value is an error. Without it types are found in the first
                            `num_rows_for_inference` rows (None: in all), the narrowest of int32,
                            int64, float32, float64, string, and missing values are 0 or ""
    select_columns          names or numbers of the columns that are wanted
    num_epochs              how often the rows come (None: without end)
    ignore_errors           leave rows out that cannot be read

    Raises InvalidArgumentError (a ValueError) for a row that does not fit, with its file and line.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "table.csv")
    >>> _ = file.write_text("size,name,price\\n1,a,2.5\\n2,b,\\n")
    >>> rows = make_csv_dataset(str(file), 2, label_name="price", num_epochs=1, shuffle=False)
    >>> for features, price in rows:
    ...     print(features["size"].tolist(), features["name"].numpy().tolist(), price.tolist())
    [1, 2] [b'a', b'b'] [2.5, 0.0]
    """
    files = [f for p in sources.names_of(file_pattern) for f in sorted(glob.glob(p))]
    if not files:
        raise InvalidArgumentError(f"No files matched pattern: {file_pattern}")
    table = _Table(list(column_names or ()), na_value, num_rows_for_inference)
    for file in files:
        text = sources.lines(file, sources.known_compression(compression_type))
        table.read(file, (line.decode(encoding) for line in text), header, field_delim,
                   csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE)  # fmt: skip
    wanted = table.chosen(select_columns)
    if label_name is not None and label_name not in wanted:
        raise ValueError(f"`label_name` {label_name!r} is none of the columns {', '.join(wanted)}")
    defaults: Sequence[Any] = column_defaults or [None] * len(wanted)
    if len(defaults) == len(table.names):
        defaults = [d for d, n in zip(defaults, table.names, strict=True) if n in wanted]
    if len(defaults) != len(wanted):
        raise ValueError(f"column_defaults has {len(defaults)} entries for {len(wanted)} columns")
    columns = table.columns(dict(zip(wanted, defaults, strict=True)), ignore_errors)
    label = None if label_name is None else columns.pop(label_name)
    out = Dataset.from_tensor_slices(columns if label is None else (columns, label))
    if shuffle:
        out = out.shuffle(shuffle_buffer_size, shuffle_seed)
    return out.repeat(num_epochs).batch(batch_size, drop_remainder=num_epochs is None)


class _Table:
    """The rows of files as texts, where each comes from, and what is wrong with some."""

    def __init__(self, names: list[str], missing: str, inspect: int | None) -> None:
        self.names, self.missing, self.inspect = names, missing, inspect
        self.rows: list[list[str]] = []
        self.places: list[str] = []
        self.wrong: list[str] = []

    def read(
        self, file: str, text: Iterable[str], header: bool, delimiter: str, quoting: Any
    ) -> None:
        """Take the rows of a file."""
        reader = csv.reader(text, delimiter=delimiter, quoting=quoting)
        if header:
            first = next(reader, [])
            self.names = self.names or first
            if len(first) != len(self.names):
                raise ValueError(f"{file} names {len(first)} columns, not {len(self.names)}")
        elif not self.names:
            raise ValueError("files without a header need column_names=")
        for row in reader:
            place = f"{file}:{reader.line_num}"
            if len(row) == len(self.names):
                self.rows.append(row)
                self.places.append(place)
            elif row:
                fields = f"Expect {len(self.names)} fields but have {len(row)} in record"
                self.wrong.append(f"{place}: {fields}")

    def chosen(self, wanted: Sequence[Any] | None) -> list[str]:
        """The names of the columns that are wanted, in the file's order."""
        if wanted is None:
            return self.names
        found = {self.names[c] if isinstance(c, int) else c for c in wanted}
        if missing := found - set(self.names):
            raise ValueError(f"no column {', '.join(sorted(missing))}; there are {self.names}")
        return [n for n in self.names if n in found]

    def columns(self, defaults: dict[str, Any], ignore_errors: bool) -> OrderedDict[str, Any]:
        """The values of columns; without the rows in which one is wrong, if these are ignored."""
        bad: set[int] = set()
        found: dict[str, tuple[Any, list[Any]]] = {}
        for name, default in defaults.items():
            at = self.names.index(name)
            kind, instead = self._kind(at, default)
            values: list[Any] = []
            for i, row in enumerate(self.rows):
                try:
                    values.append(self._value(row[at], kind, instead))
                except ValueError as error:
                    bad.add(i)
                    values.append(None)
                    self.wrong.append(f"{self.places[i]}, column {name!r}: {error}")
            found[name] = kind, values
        if self.wrong and not ignore_errors:
            more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
            raise InvalidArgumentError(self.wrong[0] + more)
        out: OrderedDict[str, Any] = OrderedDict()
        for name, (kind, values) in found.items():
            good = [v for i, v in enumerate(values) if i not in bad]
            out[name] = StringTensor(good) if kind is STRING else np.array(good, kind.np)
        return out

    def _kind(self, at: int, default: Any) -> tuple[Any, Any]:
        """The type of a column, and what stands for a missing value (None: nothing may)."""
        if isinstance(default, (type, DType, StringType)):
            return as_type(default), None
        if default is not None:
            value = default[0] if isinstance(default, (list, tuple)) else default
            if isinstance(value, (str, bytes)):
                return STRING, value
            return (dtypes.float32 if isinstance(value, float) else dtypes.int32), value
        kinds: list[Any] = list(_TYPES)
        for row in self.rows[: self.inspect]:
            while kinds and row[at] != self.missing and not _fits(row[at], kinds[0]):
                kinds.pop(0)
        return (kinds[0], 0) if kinds else (STRING, "")

    def _value(self, text: str, kind: Any, instead: Any) -> Any:
        if text == self.missing:
            if instead is None:
                raise ValueError("a value is required but missing in record")
            return instead
        if kind is STRING:
            return text
        if not _fits(text, kind):
            raise ValueError(f"not a valid {kind.name}: {text!r}")
        return float(text) if kind.is_floating_point else int(text)


def _fits(text: str, kind: Any) -> bool:
    """Whether a text is a number of this type."""
    try:
        if kind.is_floating_point:
            value = float(text)
            return kind is not dtypes.float32 or abs(value) < 3.5e38 or value in (np.inf, -np.inf)
        info = np.iinfo(kind.np)
        return bool(info.min <= int(text) <= info.max)
    except ValueError:
        return False
