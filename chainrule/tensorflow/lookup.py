"""`tf.lookup`: tables from keys to values."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data.elements import as_type, raw, wrap
from chainrule.names import later


class KeyValueTensorInitializer:
    """The content of a table: keys and values side by side."""

    def __init__(
        self,
        keys: Any,
        values: Any,
        key_dtype: Any = None,
        value_dtype: Any = None,
        name: Any = None,
    ) -> None:
        self.keys, self.values = raw(keys).reshape(-1), raw(values).reshape(-1)
        if value_dtype is not None and self.values.dtype != object:
            self.values = self.values.astype(as_type(value_dtype).np)


class StaticHashTable:
    """A table: the value of each key, and `default_value` for what is none.

    >>> t = StaticHashTable(KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
    >>> import numpy as np
    >>> t.lookup(np.array(["b", "x"])).tolist()
    [2, -1]
    """

    def __init__(
        self,
        initializer: KeyValueTensorInitializer,
        default_value: Any,
        name: Any = None,
        experimental_is_anonymous: bool = False,
    ) -> None:
        pairs = zip(initializer.keys.tolist(), initializer.values.tolist(), strict=True)
        self._table = dict(pairs)
        self._dtype = initializer.values.dtype
        self._default = raw(default_value).item()

    def lookup(self, keys: Any, name: Any = None) -> Any:
        """The values of keys."""
        array = raw(keys)
        found = [self._table.get(k, self._default) for k in array.reshape(-1).tolist()]
        out = np.empty(array.shape, self._dtype)
        out.reshape(-1)[:] = found
        return wrap(out)

    __getitem__ = lookup

    def size(self, name: Any = None) -> Any:
        """How many keys there are."""
        return wrap(np.array(len(self._table), np.int64))


__getattr__ = later(__name__)
