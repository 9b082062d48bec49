"""The state of a layer as a flat dictionary from path to tensor, and back.

    state_dict:     {"features.0.weight": tensor, "features.0.bias": tensor, "bn.weight": tensor}
    its _metadata:  {"": {"version": 1}, "features": {"version": 1}, "bn": {"version": 2}}

The keys, the reports and the hooks are PyTorch's, so that files of weights go from one library to
the other.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from chainrule.nn.modules.hooks import Hook, RemovableHandle
from chainrule.nn.modules.registry import Registry
from chainrule.nn.parameter import Parameter, is_lazy
from chainrule.telling import advised
from chainrule.tensor import Tensor, no_grad

EXTRA_STATE = "_extra_state"


def _loading_repair(
    own: Mapping[str, Any], given: Mapping[str, Any], report: IncompatibleKeys
) -> str:
    """What would make a file fit: a prefix more or less, a transposed table, another last layer."""
    missing, unexpected = report.missing_keys, report.unexpected_keys
    for there, here, repair in (
        (unexpected, missing, "{{k.removeprefix({0!r}): v for k, v in state.items()}}"),
        (missing, unexpected, "{{{0!r} + k: v for k, v in state.items()}}, or load into that part"),
    ):
        if there and here and there[0].endswith(here[0]):
            prefix = there[0].removesuffix(here[0])
            if all(k.startswith(prefix) for k in there) and len(there) == len(here):
                return f"the names differ by {prefix!r}: " + repair.format(prefix)
    both = [(k, own[k], given[k]) for k in own if isinstance(given.get(k), Tensor)]
    unlike = [k for k, mine, theirs in both if tuple(mine.shape) != tuple(theirs.shape)]
    if unlike and all(tuple(given[k].shape) == tuple(own[k].shape)[::-1] for k in unlike):
        return f"these are transposed: state[{unlike[0]!r}].T"
    layers = {k.rpartition(".")[0] for k in unlike}
    if len(layers) == 1 and len(own) > len(unlike) and not (missing or unexpected):
        (layer,) = layers
        return (
            f"only {layer!r} differs (another number of classes?): leave it out, "
            f"load_state_dict({{k: v for k, v in state.items() if not k.startswith({layer + '.'!r})"
            "}, strict=False)"
        )
    return ""


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


class _StateHook(NamedTuple):
    call: Hook
    public: bool  # registered by the public name: may change the dictionary, must return None


class _LoadHook(NamedTuple):
    call: Hook
    with_module: bool


class Stateful(Registry):
    """State dicts of a layer. Abstract: a part of `Module`."""

    _version: int = 1
    _state_dict_hooks: OrderedDict[int, _StateHook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, _LoadHook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]

    # ---- saving ------------------------------------------------------------------------------

    def state_dict(
        self,
        *,
        destination: Any = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> Any:
        """Path → tensor of all parameters and persistent buffers, in the order of the tree.

        The tensors share their values with the layer and are cut from the gradient, unless
        `keep_vars=True` gives the parameters themselves. `destination` is filled and returned when
        it is given.
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for pre_hook in self._state_dict_pre_hooks.values():
            pre_hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}{name}."
                module.state_dict(destination=destination, prefix=path, keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            answer = hook.call(self, destination, prefix, local_metadata)
            if answer is not None and hook.public:
                raise RuntimeError("state_dict post-hook must return None")
            destination = destination if answer is None else answer
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """This layer's own part of `state_dict`; layers with another kind of state override it."""
        for name, tensor in self._state().items():
            keep = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if keep else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _state(self) -> dict[str, Tensor]:
        members = itertools.chain(self._parameters.items(), self._buffers.items())
        hidden = self._non_persistent_buffers_set
        return {name: t for name, t in members if t is not None and name not in hidden}

    def get_extra_state(self) -> Any:
        """What else belongs to the state, as numbers, strings, containers, tensors: override both
        this and `set_extra_state`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no extra state: override get_extra_state"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise NotImplementedError(
            f"{type(self).__name__} has no extra state: override set_extra_state"
        )

    # ---- loading -----------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of `state_dict` into this layer and the layers below it.

        `strict=True` raises for keys that are missing or unexpected, `strict=False` returns them.
        Unlike shapes always raise; all errors are reported together. `assign=True` puts the given
        tensors themselves in place of the layer's (dtype included).

        Raises TypeError for anything but a mapping, RuntimeError with the whole report otherwise.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)  # a copy: the hooks of old layers rename keys in it
        if metadata is not None:
            state._metadata = metadata
        report = IncompatibleKeys([], [])
        errors: list[str] = []
        self._load_tree(state, "", metadata or {}, assign, report, errors)
        if strict:
            errors = [
                *_keys_text("Missing", report.missing_keys),
                *_keys_text("Unexpected", report.unexpected_keys),
                *errors,
            ]
        if errors:
            lines = "\n\t".join(errors)
            raise advised(
                RuntimeError(
                    f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{lines}"
                ),
                _loading_repair(self.state_dict(), state_dict, report),
            )
        return report

    def _load_tree(
        self,
        state: Mapping[str, Any],
        prefix: str,
        metadata: Mapping[str, dict[str, Any]],
        assign: bool,
        report: IncompatibleKeys,
        errors: list[str],
    ) -> None:
        local_metadata = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local_metadata["assign_to_params_buffers"] = True
        self._load_from_state_dict(
            state, prefix, local_metadata, True, report.missing_keys, report.unexpected_keys, errors
        )
        for name, child in self._modules.items():
            if child is not None:
                path = f"{prefix}{name}."
                below = {key: value for key, value in state.items() if key.startswith(path)}
                child._load_tree(below, path, metadata, assign, report, errors)
        for hook in self._load_state_dict_post_hooks.values():
            if hook(self, report) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                    "to return new values, if incompatible_keys need to be modified, it should be "
                    "done inplace."
                )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """This layer's own part of `load_state_dict`; layers whose state changed over versions
        override it.

        `local_metadata` holds the version that the state was saved with; findings are appended to
        the three lists.
        """
        for hook in self._load_state_dict_pre_hooks.values():
            module = (self,) if hook.with_module else ()
            hook.call(
                *module, state_dict, prefix, local_metadata, strict,
                missing_keys, unexpected_keys, error_msgs,
            )  # fmt: skip
        own = self._state()
        assign = bool(local_metadata.get("assign_to_params_buffers", False))
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_member(name, key, tensor, state_dict[key], assign)
                error_msgs.extend([error] if error else [])
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA_STATE
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    name, _, below = key[len(prefix) :].partition(".")
                    known = name in self._modules if below else name in own
                    if not known:
                        unexpected_keys.append(key)

    def _load_member(
        self, name: str, key: str, tensor: Tensor, value: Any, assign: bool
    ) -> str | None:
        """Copy one tensor (or assign it); the error text if it cannot be done."""
        if not isinstance(value, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(value)}"
            )
        if is_lazy(tensor) and is_lazy(value):
            return None  # both still wait for a shape
        if not is_lazy(tensor):
            if tensor.dim() == 0 and tuple(value.shape) == (1,):
                value = value[0]  # files from before there were tensors without dimensions
            if tuple(value.shape) != tuple(tensor.shape):
                return (
                    f"size mismatch for {key}: copying a param with shape {value.shape} from "
                    f"checkpoint, the shape in current model is {tensor.shape}."
                )
        try:
            with no_grad():
                if not assign:
                    tensor.copy_(value)
                elif isinstance(tensor, Parameter) and not isinstance(value, Parameter):
                    setattr(self, name, Parameter(value, requires_grad=tensor.requires_grad))
                elif isinstance(tensor, Parameter):
                    setattr(self, name, value.requires_grad_(tensor.requires_grad))
                else:
                    setattr(self, name, value)
        except Exception as error:  # whatever it is, it belongs into the report beside the others
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{tensor.size()} and whose dimensions in the checkpoint are {value.size()}, "
                f"an exception occurred : {error.args}."
            )
        return None

    # ---- hooks -------------------------------------------------------------------------------

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Run `hook(module, prefix, keep_vars)` before `state_dict` reads this layer."""
        handle = RemovableHandle(self._state_dict_pre_hooks)
        self._state_dict_pre_hooks[handle.id] = hook
        return handle

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Run `hook(module, state_dict, prefix, local_metadata)` after `state_dict`; it changes the
        dictionary in place.
        """
        return self._add_state_dict_hook(_StateHook(hook, public=True))

    def _register_state_dict_hook(self, hook: Hook) -> RemovableHandle:
        return self._add_state_dict_hook(_StateHook(hook, public=False))

    def _add_state_dict_hook(self, hook: _StateHook) -> RemovableHandle:
        handle = RemovableHandle(self._state_dict_hooks)
        self._state_dict_hooks[handle.id] = hook
        return handle

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Run `hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected,
        errors)` before this layer loads.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> RemovableHandle:
        handle = RemovableHandle(self._load_state_dict_pre_hooks)
        self._load_state_dict_pre_hooks[handle.id] = _LoadHook(hook, with_module)
        return handle

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Run `hook(module, incompatible_keys)` after this layer has loaded; it may change the two
        lists in place.
        """
        handle = RemovableHandle(self._load_state_dict_post_hooks)
        self._load_state_dict_post_hooks[handle.id] = hook
        return handle


def _keys_text(what: str, keys: list[str]) -> list[str]:
    names = ", ".join(f'"{key}"' for key in keys)
    return [f"{what} key(s) in state_dict: {names}. "] if keys else []
