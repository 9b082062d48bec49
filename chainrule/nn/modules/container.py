"""Layers that hold layers or parameters: in a row, in a list, under names."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import chain
from typing import Any, Self

from chainrule.nn.modules.module import Module, indented
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor


class _Row(Module):
    """What `Sequential` and `ModuleList` share: layers numbered from 0. Abstract."""

    def _key(self, index: int) -> str:
        """The name of the layer at `index`, which may be negative."""
        place, size = operator.index(index), len(self)
        if not -size <= place < size:
            raise IndexError(f"index {place} is out of range")
        return list(self._modules)[place]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for name in names:
            delattr(self, name)
        self._renumber(list(self))

    def _renumber(self, layers: list[Any]) -> None:
        self._modules = {str(i): layer for i, layer in enumerate(layers)}

    def pop(self, key: int | slice) -> Any:
        """Take a layer out and return it; the ones after it are numbered anew."""
        value = self[key]
        del self[key]
        return value

    def append(self, module: Module) -> Self:
        """Add a layer at the end."""
        self.add_module(str(len(self)), module)
        return self

    def __getitem__(self, index: int | slice) -> Any:
        raise NotImplementedError


class Sequential(_Row):
    """Layers one after the other: y = fₙ(… f₂(f₁(x))).

    Takes layers, or one `OrderedDict` from names to layers. An index gives a layer, a slice a
    Sequential of the same layers (not copies).

    >>> from collections import OrderedDict
    >>> import chainrule as torch
    >>> net = torch.nn.Sequential(OrderedDict(first=torch.nn.Linear(4, 3), act=torch.nn.ReLU()))
    >>> net(torch.zeros(2, 4)).shape, net.first is net[0], len(net[:1])
    (torch.Size([2, 3]), True, 1)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        items = args[0].items() if named else ((str(i), layer) for i, layer in enumerate(args))
        for name, layer in items:
            self.add_module(name, layer)

    def forward(self, input: Any) -> Any:
        for layer in self._modules.values():
            input = layer(input)
        return input

    def _in_a_row(self) -> list[tuple[str, Any]]:
        return list(self._modules.items())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add layers at the end."""
        for layer in list(sequential):
            self.append(layer)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a layer before the one at `index`; the later ones are numbered anew."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self)
        if not -size <= index <= size:
            raise IndexError(f"Index out of range: {index}")
        layers = list(self)
        layers.insert(index, module)
        self._renumber(layers)
        return self

    def __add__(self, other: Sequential) -> Sequential:
        self._check_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Self:
        self._check_sequential(other)
        return self.extend(list(other))

    def __mul__(self, times: int) -> Sequential:
        self._check_times(times)
        return Sequential(*(list(self) * times))

    def __rmul__(self, times: int) -> Sequential:
        return self * times

    def __imul__(self, times: int) -> Self:
        self._check_times(times)
        return self.extend(list(self) * (times - 1))

    @staticmethod
    def _check_sequential(other: object) -> None:
        if not isinstance(other, Sequential):
            raise ValueError(
                "add operator supports only objects of Sequential class, "
                f"but {type(other)} is given."
            )

    def _check_times(self, times: int) -> None:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")


class ModuleList(_Row):
    """A list of layers whose members are registered. It holds them; calling them is `forward`'s
    business.

    >>> import chainrule as torch
    >>> layers = torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters())), layers[-1] is layers[2]
    (3, 6, True)
    """

    _instead = ": a list of layers is not a layer; call each: for layer in layers: x = layer(x)"

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._key(index)]

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add layers at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleList.extend should be called with an iterable, "
                f"but got {type(modules).__name__}"
            )
        for layer in list(modules):
            self.append(layer)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a layer before the one at `index`; the later ones are numbered anew."""
        layers = list(self)
        layers.insert(index, module)
        self._renumber(layers)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        # Equal neighbours are shown once: (0-11): 12 x Block(...)
        blocks: list[tuple[int, str]] = []  # (how many, text)
        for text in map(repr, self):
            if blocks and blocks[-1][1] == text:
                blocks[-1] = (blocks[-1][0] + 1, text)
            else:
                blocks.append((1, text))
        if not blocks:
            return f"{self._get_name()}()"
        lines, start = [], 0
        for count, text in blocks:
            if count == 1:
                lines.append(indented(f"({start}): {text}"))
            else:
                lines.append(indented(f"({start}-{start + count - 1}): {count} x {text}"))
            start += count
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """Layers under names, like a dictionary; its members are registered.

    >>> import chainrule as torch
    >>> choices = torch.nn.ModuleDict({"relu": torch.nn.ReLU(), "tanh": torch.nn.Tanh()})
    >>> list(choices), "relu" in choices
    (['relu', 'tanh'], True)
    """

    _instead = ": a dict of layers is not a layer; call those that you need: x = layers[name](x)"

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take out all layers."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take out a layer and return it."""
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Any]:
        """The pairs of name and layer."""
        return self._modules.items()

    def values(self) -> ValuesView[Any]:
        """The layers."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add or replace layers from a mapping or from pairs."""
        for name, module in _pairs("ModuleDict", modules):
            self[name] = module


class _Parameters(Module):
    """What `ParameterList` and `ParameterDict` share: members that print as one line each.
    Abstract.
    """

    def _entries(self) -> Iterable[tuple[Any, Any]]:
        raise NotImplementedError

    def _type_text(self, tensor: Tensor) -> str:
        raise NotImplementedError

    def extra_repr(self) -> str:
        lines = []
        for name, value in self._entries():
            text = f"Object of type: {type(value).__name__}"
            if isinstance(value, Tensor):
                kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
                size = "x".join(map(str, value.shape))
                text = f"{kind} containing: [{self._type_text(value)} of size {size}]"
            lines.append(f"  ({name}): {text}")
        return "\n".join(lines)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"{self._get_name()} should not be called.")


class ParameterList(_Parameters):
    """A list whose tensors are registered as parameters; other values are kept as they are.

    >>> import chainrule as torch
    >>> weights = torch.nn.ParameterList([torch.zeros(2, 2), torch.zeros(3)])
    >>> [name for name, _ in weights.named_parameters()]
    ['0', '1']
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _key(self, index: int) -> str:
        place = operator.index(index)
        if not -self._size <= place < self._size:
            raise IndexError(f"index {place} is out of range")
        return str(place % self._size)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(self._size))])
        return getattr(self, self._key(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._key(index), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self._size)])

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end. A tensor is one value: put it into a list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, "
                f"but got {type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def _entries(self) -> Iterable[tuple[Any, Any]]:
        return enumerate(self)

    def _type_text(self, tensor: Tensor) -> str:
        return str(tensor.dtype)


class ParameterDict(_Parameters):
    """A dictionary whose tensors are registered as parameters; other values are kept as they are.

    >>> import chainrule as torch
    >>> ends = torch.nn.ParameterDict({"left": torch.zeros(2), "right": torch.zeros(3)})
    >>> [tuple(p.shape) for p in ends.parameters()], ends.get("middle")
    ([(2,), (3,)], None)
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}')."
            )
        setattr(self, key, _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """A new dictionary of the same parameters."""
        return ParameterDict(self.items())

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value under `key`, which is set to `default` first if there is none."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take out a value and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take out the pair that was added last."""
        if not self._keys:
            raise KeyError("popitem(): the ParameterDict is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take out everything."""
        for key in list(self._keys):
            del self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new dictionary with `default` under every key."""
        return ParameterDict([(key, default) for key in keys])

    def keys(self) -> KeysView[str]:
        """The keys."""
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The pairs of key and value."""
        return [(key, self[key]) for key in self._keys]

    def values(self) -> Iterable[Any]:
        """The values."""
        return [self[key] for key in self._keys]

    def update(self, parameters: Any) -> None:
        """Add or replace values from a mapping or from pairs; a plain dictionary is taken in sorted
        order.
        """
        pairs = _pairs("ParameterDict", parameters)
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs.sort(key=operator.itemgetter(0))  # as PyTorch does: the order of state_dict
        for key, value in pairs:
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        joined = self.copy()
        joined.update(other)
        return joined

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def _entries(self) -> Iterable[tuple[Any, Any]]:
        return self.items()

    def _type_text(self, tensor: Tensor) -> str:
        return str(tensor.type())


def _as_parameter(value: Any) -> Any:
    plain_tensor = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if plain_tensor else value


def _pairs(owner: str, source: Any) -> list[tuple[str, Any]]:
    """The pairs of a mapping, of a container here, or of an iterable of pairs."""
    if isinstance(source, (Mapping, ModuleDict, ParameterDict)):
        return list(source.items())
    if not isinstance(source, Iterable):
        raise TypeError(
            f"{owner}.update should be called with an iterable of key/value pairs, "
            f"but got {type(source).__name__}"
        )
    pairs = []
    for number, pair in enumerate(source):
        if not isinstance(pair, Iterable):
            raise TypeError(
                f"{owner} update sequence element #{number} should be Iterable; "
                f"is {type(pair).__name__}"
            )
        entries = list(pair)
        if len(entries) != 2:
            raise ValueError(
                f"{owner} update sequence element #{number} has length {len(entries)}; "
                "2 is required"
            )
        pairs.append((entries[0], entries[1]))
    return pairs


__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
