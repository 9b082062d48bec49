"""Policies of types: what layers compute in, and which types their weights have."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from chainrule import names
from chainrule.keras.registry import from_config, known, to_config
from chainrule.keras.settings import (
    DTypePolicy,
    FloatDTypePolicy,
    to_policy,
)

__all__ = [
    "DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "deserialize", "get", "serialize",
]  # fmt: skip

known(DTypePolicy)
known(FloatDTypePolicy)


@known
class DTypePolicyMap(DTypePolicy, MutableMapping[str, DTypePolicy]):
    """A policy for each layer, by its path or by a pattern for paths, and one for all others.

    >>> policies = DTypePolicyMap("float32", {"encoder/.*": DTypePolicy("bfloat16")})
    >>> policies["encoder/dense"].name, policies["decoder"].name
    ('bfloat16', 'float32')
    """

    def __init__(
        self, default_policy: Any = None, policy_map: dict[str, DTypePolicy] | None = None
    ) -> None:
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("`default_policy` cannot be a `DTypePolicyMap`.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                "If specified, `policy_map` must be a dict. "
                f"Got {policy_map!r} of type {type(policy_map).__name__}"
            )
        self._given = default_policy
        self._default = get(default_policy)
        self._policies = policy_map or {}

    @property
    def name(self) -> str:
        return f"map_{self._default.name}"

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of paths that match nothing; the global one unless it was given."""
        return self._default

    @property
    def compute_dtype(self) -> str:
        return self._default.compute_dtype

    @property
    def variable_dtype(self) -> str:
        return self._default.variable_dtype

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policies:
            return self._policies[key]
        fits = [pattern for pattern in self._policies if re.fullmatch(pattern, key)]
        if len(fits) > 1:
            raise ValueError(
                f"Path {key!r} matches multiple dtype policy keys: {', '.join(fits)}; make each "
                "path match one at most"
            )
        return self._policies[fits[0]] if fits else self._default

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policies:
            raise ValueError(
                f"{key} already exist in the DTypePolicyMap with value {self._policies[key]}; "
                "delete it first"
            )
        try:
            self._policies[key] = get(policy)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Cannot interpret the assigned value as a dtype policy: {policy!r}"
            ) from error

    def __delitem__(self, key: str) -> None:
        del self._policies[key]

    def pop(self, key: str, *default: Any) -> Any:
        return self._policies.pop(key, *default)  # a path that only matches a pattern is no key

    def __contains__(self, key: object) -> bool:
        return key in self._policies

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DTypePolicyMap)
            and self._default == other._default
            and self._policies == other._policies
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def get_config(self) -> dict[str, Any]:
        config = {key: to_config(policy) for key, policy in self._policies.items()}
        if self._given is None:  # whoever loads this has a global policy of their own
            for policy in config.values():
                policy["config"] = {"name": None}
        return {"default_policy": self._given, "policy_map": config}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> DTypePolicyMap:
        policies = from_config(config["policy_map"], custom_objects=custom_objects)
        return cls(config["default_policy"], policies)

    def __repr__(self) -> str:
        mapping = [(key, policy.name) for key, policy in self._policies.items()]
        return (
            f"<DTypePolicyMap at {hex(id(self))} default_policy={self._default.name}, "
            f"mapping={mapping}>"
        )


def get(identifier: Any) -> DTypePolicy:
    """The policy that a name, a type, a config or a policy means; None is the global one."""
    return deserialize(identifier) if isinstance(identifier, dict) else to_policy(identifier)


def serialize(dtype_policy: DTypePolicy) -> Any:
    """A policy as plain data."""
    return to_config(dtype_policy)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given."""
    return from_config(config, custom_objects=custom_objects)


__getattr__ = names.later(
    __name__,
    missing=dict.fromkeys(
        (
            "AWQDTypePolicy", "GPTQDTypePolicy", "Int4DTypePolicy", "QuantizedDTypePolicy",
            "QuantizedFloat8DTypePolicy",
        ),
        "nothing here is quantised; DTypePolicy('mixed_bfloat16') computes in two bytes",
    ),
)  # fmt: skip
