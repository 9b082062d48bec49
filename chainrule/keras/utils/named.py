"""Named values that can be frozen."""

from __future__ import annotations

import difflib
import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class Config:
    """Values by name, as attributes or as entries; `freeze()` refuses further changes.

    >>> config = Config(rate=0.1)
    >>> config.steps = 3
    >>> config["rate"], config.as_dict()
    (0.1, {'rate': 0.1, 'steps': 3})
    """

    _config: dict[str, Any]
    _frozen: bool

    def __init__(self, **kwargs: Any) -> None:
        self.__dict__["_config"] = kwargs
        self.__dict__["_frozen"] = False

    @property
    def frozen(self) -> bool:
        """Whether changes are refused."""
        return self._frozen

    def freeze(self) -> None:
        """Refuse changes from now on (with ValueError)."""
        self.__dict__["_frozen"] = True

    def unfreeze(self) -> None:
        """Allow changes again."""
        self.__dict__["_frozen"] = False

    def _changing(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("Cannot mutate attribute(s) because the config is frozen.")
        return self._config

    def as_dict(self) -> dict[str, Any]:
        """A copy as a dict."""
        return dict(self._config)

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        return self._config.items()

    def pop(self, *args: Any) -> Any:
        return self._changing().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self._changing().update(*args, **kwargs)

    def get(self, keyname: str, value: Any = None) -> Any:
        return self._config.get(keyname, value)

    def __setattr__(self, name: str, value: Any) -> None:
        self._changing()[name] = value

    def __getattr__(self, name: str) -> Any:
        if name in self._config:
            return self._config[name]
        near = difflib.get_close_matches(name, self._config, n=1, cutoff=0.7)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttributeError(f"Unknown attribute: '{name}'.{hint}")

    def __setitem__(self, key: str, item: Any) -> None:
        self._changing()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __contains__(self, item: object) -> bool:
        return item in self._config

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
