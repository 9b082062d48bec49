"""Modules as functions of their parameters: `functional_call`, `stack_module_state`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.tensor import Tensor
from chainrule.tensor.functions import stack


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs), with other tensors in place of its parameters and buffers

    `parameter_and_buffer_dicts`: name → tensor, or several such; what is not named keeps its own
    value. `tie_weights`: parameters that are one keep being one. `strict`: all must be named, and
    nothing else. The module is as it was afterwards. Raises ValueError for a name that is given
    twice, AttributeError for a part that the module does not have.

    >>> import chainrule as torch
    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> torch.func.functional_call(layer, {"weight": torch.tensor([[2.0]])}, torch.tensor([3.0]))
    tensor([6.])
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        given = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, (list, tuple)):
        if not all(isinstance(d, dict) for d in parameter_and_buffer_dicts):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        names = [k for d in parameter_and_buffer_dicts for k in d]
        twice = sorted({k for k in names if names.count(k) > 1})
        if twice:
            raise ValueError(
                f"{twice} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous"
            )
        given = {k: v for d in parameter_and_buffer_dicts for k, v in d.items()}
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    inputs = () if args is None else args if isinstance(args, tuple) else (args,)
    with swapped(module, given, tie_weights=tie_weights, strict=strict):
        return module(*inputs, **(kwargs or {}))


def _tied(module: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same tensor under all of its names."""
    names: dict[int, set[str]] = {}
    for listing in (module.named_parameters, module.named_buffers):
        for name, t in listing(remove_duplicate=False):
            names.setdefault(id(t), set()).add(name)
    found = dict(given)
    for group in names.values():
        here = sorted(group & given.keys())
        if len(group) < 2 or not here:
            continue
        if len({id(given[n]) for n in here}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(group)}, which are tied. "
                "Consider using tie_weights=False"
            )
        found.update(dict.fromkeys(group, given[here[0]]))
    return found


def _table(module: Any, name: str) -> tuple[dict[str, Any], str]:
    """The dictionary of the submodule where a parameter or buffer stands, and its key."""
    *path, last = name.split(".")
    for part in path:
        children = module._modules
        if part not in children:
            raise AttributeError(f"{type(module).__name__} has no attribute `{part}`")
        module = children[part]
    for table in (module._parameters, module._buffers):
        if last in table:
            return table, last
    table = module._buffers  # as in PyTorch: for the time of the call it has one more
    return table, last


_ABSENT = object()


@contextmanager
def swapped(
    module: Any, given: Mapping[str, Any], *, tie_weights: bool = True, strict: bool = False
) -> Iterator[None]:
    """Other tensors in place of parameters and buffers, inside a block."""
    tensors = _tied(module, given) if tie_weights else dict(given)
    if strict:
        known = {n for n, _ in module.named_parameters(remove_duplicate=False)}
        known |= {n for n, _ in module.named_buffers(remove_duplicate=False)}
        missing, unknown = sorted(known - tensors.keys()), sorted(tensors.keys() - known)
        if missing or unknown:
            what = [f"Unexpected key(s): {', '.join(unknown)}."] * bool(unknown)
            what += [f"Missing key(s): {', '.join(missing)}."] * bool(missing)
            raise RuntimeError(
                f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(what)
            )
    places = []
    for name, value in tensors.items():
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{value!r} is not an instance of torch.Tensor: {name}")
        places.append((*_table(module, name), value))
    before = [(table, key, table.get(key, _ABSENT)) for table, key, _ in places]
    for table, key, value in places:
        table[key] = value
    try:
        yield
    finally:
        for table, key, value in before:
            if value is _ABSENT:
                del table[key]
            else:
                table[key] = value


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of several models of one class, stacked: what `vmap` maps over.

    >>> import chainrule as torch
    >>> layers = [torch.nn.Linear(2, 3) for _ in range(4)]
    >>> params, buffers = torch.func.stack_module_state(layers)
    >>> params["weight"].shape
    torch.Size([4, 3, 2])
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({bool(m.training) for m in models}) != 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {k: _stacked([p[k] for p in parameters], k) for k in parameters[0]},
        {k: _stacked([b[k] for b in buffers], k) for k in buffers[0]},
    )


def _stacked(tensors: list[Tensor], name: str) -> Tensor:
    wanted = {t.requires_grad for t in tensors}
    if len(wanted) != 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    out: Tensor = stack(tensors)
    return out.detach().requires_grad_() if wanted.pop() else out


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Batch norm layers of a module keep no running statistics from now on; the module itself.

    >>> import chainrule as torch
    >>> model = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    >>> torch.func.replace_all_batch_norm_modules_(model)[0].running_mean is None
    True
    """
    for m in root.modules():
        if "num_batches_tracked" in m._buffers and type(m).__name__.startswith(
            ("BatchNorm", "LazyBatchNorm", "SyncBatchNorm")
        ):
            m.running_mean = m.running_var = m.num_batches_tracked = None
            m.track_running_stats = False
    return root
