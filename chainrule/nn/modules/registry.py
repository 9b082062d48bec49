"""What a layer is made of: parameters, buffers and layers, found by attribute, by path and by
walking the tree.

A layer keeps three ordered tables. Assigning a `Parameter` or a layer to an attribute registers it;
a tensor is a buffer only when `register_buffer` (or `nn.Buffer`) says so. Error texts are
PyTorch's, because programs and tests look for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from chainrule.nn.modules.hooks import registered
from chainrule.nn.parameter import Buffer, Parameter
from chainrule.tensor import Tensor

# The class Module itself is built on top of this one (nn/modules/module.py).
AnyModule: TypeAlias = Any


def typename(value: object) -> str:
    """The name by which error texts call a value's type, as `torch.typename` gives it.

    >>> typename(3), typename(typename)
    ('int', 'chainrule.nn.modules.registry.typename')
    """
    if isinstance(value, Tensor):
        return str(value.type())
    home = getattr(value, "__module__", None)
    prefix = "" if home in (None, "builtins") else f"{home}."
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return prefix + (name or type(value).__name__)


class Guest:
    """What is no Module and may stand in one all the same, such as a layer of the Keras face.

    The attribute stays what was assigned; the Module keeps, under the same name, the Module that
    speaks for it.
    """

    def as_module(self) -> AnyModule:
        """The Module that has its parameters and buffers and calls it: always the same one."""
        raise NotImplementedError(f"{type(self).__name__} says no Module that speaks for it")


class Registry:
    """The members of a layer. Abstract: `Module` adds state dicts, hooks and the call."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, AnyModule]

    # ---- registration ------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None reserves the name and is left out of `state_dict`.

        Raises AttributeError before `__init__`, TypeError for anything but a Parameter, KeyError
        for a name that is taken, empty or holds a dot, ValueError for a tensor that was computed
        from others.
        """
        self._check_name("parameter", name, "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
            param = registered("parameter", self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the layer's state and is not trained.

        `persistent=False` keeps it out of `state_dict`. Raises as `register_parameter` does.
        """
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: AnyModule | None) -> None:
        """Add a layer under `name`. Raises TypeError or KeyError as `register_parameter` does."""
        if isinstance(module, Guest):
            module = module.as_module()
        if module is not None and not isinstance(module, Registry):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name("module", name, "_modules")
        self._modules[name] = registered("module", self, name, module)

    def register_module(self, name: str, module: AnyModule | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    def _check_name(self, kind: str, name: str, table: str) -> None:
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        taken = hasattr(self, name) and name not in self.__dict__[table]
        if kind == "module" and taken:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if taken:
            raise KeyError(f"attribute '{name}' already exists")

    # ---- attributes --------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        # Python asks here only for what it did not find in the ordinary way.
        members = self.__dict__
        if "_modules" in members:  # the last table that `__init__` makes
            if name in (table := members["_parameters"]):
                return table[name]
            if name in (table := members["_modules"]):
                return table[name]
            if name in (table := members["_buffers"]):
                return table[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__
        parameters = members.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif isinstance(value, Registry):
            if "_modules" not in members:
                raise AttributeError("cannot assign module before Module.__init__() call")
            if name in self._parameters:
                self._refuse(value, "parameter", name, "torch.nn.Parameter")
            self._forget(name, "_parameters", "_buffers")
            self._modules[name] = registered("module", self, name, value)
        elif isinstance(value, Guest):
            setattr(self, name, value.as_module())
            members[name] = value
        elif parameters is not None and name in parameters:
            if value is not None:
                self._refuse(value, "parameter", name, "torch.nn.Parameter")
            self.register_parameter(name, None)
        elif name in members.get("_modules", ()):
            if value is not None:
                self._refuse(value, "child module", name, "torch.nn.Module")
            self._forget(name)
            self._modules[name] = registered("module", self, name, None)
        elif isinstance(value, Buffer) or name in members.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                self._refuse(value, "buffer", name, "torch.nn.Buffer, torch.Tensor")
            if isinstance(value, Buffer):
                persistent = value.persistent
            else:
                persistent = name not in self._non_persistent_buffers_set
            self.register_buffer(name, value, persistent)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
            self.__dict__.pop(name, None)
        else:
            super().__delattr__(name)

    def _forget(self, name: str, *tables: str) -> None:
        self.__dict__.pop(name, None)
        for table in tables:
            self.__dict__[table].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _refuse(self, value: Any, kind: str, name: str, wanted: str) -> None:
        raise TypeError(
            f"cannot assign '{typename(value)}' as {kind} '{name}' ({wanted} or None expected)"
        )

    # ---- members by path ---------------------------------------------------------------------

    def get_submodule(self, target: str) -> AnyModule:
        """The layer at the path `target`, such as `"features.3"`; the empty path is this layer.

        Raises AttributeError where the path leads to nothing or to something that is no layer.
        """
        module: AnyModule = self
        for name in target.split(".") if target else ():
            module = _member(module, name)
            if not isinstance(module, Registry):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: AnyModule, strict: bool = False) -> None:
        """Replace the layer at the path `target`, or add it; `strict=True` only replaces."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Registry):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(_member(parent, name), Registry):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the path `target`, such as `"features.3.weight"`."""
        path, _, name = target.rpartition(".")
        parameter = _member(self.get_submodule(path), name)
        if not isinstance(parameter, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the path `target`, such as `"bn1.running_mean"`."""
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        buffer: Tensor = _member(owner, name)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffer

    # ---- walks over the tree -----------------------------------------------------------------

    def named_modules(
        self,
        memo: set[AnyModule] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, AnyModule]]:
        """This layer and all below it with their paths, parents first; a shared layer once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[AnyModule]:
        """This layer and all layers below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, AnyModule]]:
        """The layers directly below this one with their names; a shared layer once."""
        seen: set[AnyModule] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[AnyModule]:
        """The layers directly below this one."""
        for _, module in self.named_children():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their paths; a shared parameter once, under its first path."""
        return self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters: what an optimiser is given. `recurse=False`: only this layer's own."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their paths, the ones that are not persistent too."""
        return self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers. `recurse=False`: only this layer's own."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self,
        get_members_fn: Callable[[AnyModule], Iterable[tuple[str, Any]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules: Iterable[tuple[str, AnyModule]] = [(prefix, self)]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield (f"{path}.{name}" if path else name), member

    def __dir__(self) -> list[str]:
        members = self.__dict__
        tables = ("_parameters", "_modules", "_buffers")
        names = [*dir(type(self)), *members, *(name for table in tables for name in members[table])]
        return sorted(name for name in names if not name[0].isdigit())


def _member(owner: AnyModule, name: str) -> Any:
    if not hasattr(owner, name):
        raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
    return getattr(owner, name)
