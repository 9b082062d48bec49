"""What a page says of an op: everything is asked of the op itself, at the time of building."""

from __future__ import annotations

import doctest
import math
import re
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

import chainrule
from chainrule import explain, keras, ops
from chainrule.autodiff import derivative
from chainrule.errors import GradientError
from chainrule.explain import Equation
from chainrule.explain.printing.symbols import symbol
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op, registry
from chainrule.ir.text import print_type
from chainrule.testing.gradients import check_gradients
from website.plots import curves
from website.samples import INDEX_FORMS, Case, case_of, names_of
from website.sources import Written, written

#: A derivation of a whole loop or of attention speaks of its steps; others are one pull-back.
_STEPWISE = ("rnn", "gru", "lstm", "lstm_projected", "attention", "attention_biased", "scan")


class Example(NamedTuple):
    """A program, and what it prints."""

    code: str
    printed: str


class Operation(NamedTuple):
    """All of a page. Formulas are TeX; `gradient` may be empty, then `remark` says why."""

    op: Op
    topic: str
    formula: str
    index_form: str
    definition: str
    types: list[tuple[str, str]]
    gradient: str
    remark: str
    checked: str
    written: Written
    example: Example
    plot: str
    keras: str


def vocabulary() -> list[Op]:
    """The ops of the library, without those that a program or a test has added."""
    return [op for _, op in sorted(registry.items()) if written(op).definition]


def describe(op: Op) -> Operation:
    """Everything that a page says of an op."""
    case = case_of(op)
    names = dict(zip(_symbols(op, len(case.inputs)), case.inputs, strict=True))
    results = _results(op, case, list(names))
    outs = list(results.values())
    formula = definition = explain.formula(outs, names={**names, **results}).tex
    if not op.is_primitive:
        definition = explain.formula(outs, names={**names, **results}, expand={op.name}).tex
        formula = formula if len(outs) == 1 else definition
    gradient, remark, checked = _gradient(op, case, names, results)
    shown = _python_names(op, len(case.inputs))
    types = [
        (n if symbol(n) == s else f"{n}, {s}", print_type(x.type))
        for n, (s, x) in zip(shown, names.items(), strict=True)
    ]
    types += [(k, print_type(o.type)) for k, o in results.items()]
    where = written(op)
    return Operation(
        op, _topic(where), formula, INDEX_FORMS.get(op.name, ""),
        definition if definition != formula else "", types, gradient, remark, checked, where,
        _example(op, case), _plot(op, case), _keras_name(op),
    )  # fmt: skip


def _keras_name(op: Op) -> str:
    """What Keras calls it, where it has a function of this name."""
    names = [op.name.rstrip("_"), (op.torch or "").rpartition(".")[2]]
    for room in ("ops", "activations"):
        for name in filter(None, names):
            if name in dir(getattr(keras, room)):
                return f"keras.{room}.{name}"
    return ""


def _topic(where: Written) -> str:
    """The file of the vocabulary that an op is in."""
    parts = where.definition[0].file.split("/")[2:] if where.definition else ["core"]
    return parts[0].removesuffix(".py")


#: What the rules of optimisers call their arguments, as in their sources.
_GREEK = {
    "p": r"\theta", "decay": r"\lambda", "lr": r"\eta", "eta": r"\eta", "momentum": r"\mu",
    "mu": r"\mu", "rate1": r"(1 - \beta_1)", "rate2": r"(1 - \hat{\beta}_2)",
    "step_size": r"\eta^{*}",
    "bias1": r"(1 - \beta_1^t)", "bias2": r"(1 - \beta_2^t)", "bias2_sqrt": r"\sqrt{1 - \beta_2^t}",
    "mean_g": r"\bar{g}", "average": "a", "previous": r"g_{-}", "size": "s", "largest": r"\hat{v}",
    "shrink": r"\lambda^{*}", "rho": r"\rho", "rows": "R", "columns": "C", "step_g": r"\eta_g",
    "step_m": r"\eta_m", "rate": r"(1 - \mu)", "rectifier": "r",
}  # fmt: skip


def _symbols(op: Op, count: int) -> list[str]:
    names = _python_names(op, count)
    if _is_rule(op):
        return [_GREEK.get(n, n) for n in names]
    return [r"\tilde{y}" if n == "y" else symbol(n) for n in names]  # y is the result


def _is_rule(op: Op) -> bool:
    return op.name.endswith("_update") and op.domain is None


def _python_names(op: Op, count: int) -> list[str]:
    names = names_of(op, count)
    return names if len(set(names)) == len(names) else [f"x{i}" for i in range(count)]


def _results(op: Op, case: Case, names: list[str]) -> dict[str, Node]:
    """y, or y₁, y₂ …; a rule gives new values for the first of its arguments."""
    outs = [o for o in case.outputs if o not in case.inputs]
    if _is_rule(op):
        return {f"{n}'": o for n, o in zip(names, outs, strict=False)}
    return {"y" if len(outs) == 1 else f"y_{{{k}}}": o for k, o in enumerate(outs, 1)}


# ------------------------------------------------------------------ the gradient


def _smooth(n: Node) -> bool:
    return isinstance(n.type, TensorType) and (n.dtype.is_floating_point or n.dtype.is_complex)


def _gradient(
    op: Op, case: Case, names: dict[str, Node], results: dict[str, Node]
) -> tuple[str, str, str]:
    """The derived gradient, or why there is none; and what a comparison said."""
    outs = {k: o for k, o in results.items() if _smooth(o)}
    wanted = {k: x for k, x in names.items() if _smooth(x)}
    if not wanted or not outs:
        return "", _why_not(op, bool(results), bool(wanted)), ""
    if not any(n.op is op for o in outs.values() for n in _behind(o)):
        return "", "It stands for a value; the chain rule ends here.", ""
    bars = {
        _bar(k): ops.input(index=i, shape=o.shape, dtype=o.dtype, scope="bar")
        for i, (k, o) in enumerate(outs.items())
    }
    try:
        found = derivative(
            list(outs.values()), list(bars.values()), list(wanted.values())
        ).gradients
    except GradientError as e:
        return "", f"No rule is known: {e}", ""
    titled = {_bar(k): g for k, g in zip(wanted, found, strict=True) if g is not None}
    if not titled:
        return (
            "",
            "No gradient flows through it: the chain rule takes its result as a constant.",
            "",
        )
    if op.name in _STEPWISE:
        total = reduce(
            lambda a, b: a + b,
            (ops.sum(o * g) for o, g in zip(outs.values(), bars.values(), strict=True)),
        )
        tex = explain.gradient(total, list(wanted.values()), names={**names, **results, **bars}).tex
    else:
        tex = _pulled_back(titled, {**names, **results, **bars})
    return tex, "", _compare(op, case, list(outs.values()))


def _pulled_back(titled: dict[str, Node], named: dict[str, Node]) -> str:
    """An equation for each gradient; one that has a name already is that name."""
    known = {n: k for k, n in named.items()}
    plain, written_out = [], {}
    for title, g in titled.items():
        if g in known:
            plain.append(Equation(title, known[g]))
        else:
            known[g] = title
            written_out[title] = g
    found: list[Equation] = []
    if written_out:
        names = {**named, **written_out}
        found += explain.formula(list(written_out.values()), names=names, tidy=True)
    return explain.Formula([*found, *plain]).tex


def _bar(name: str) -> str:
    head, mark, rest = name.partition("_")
    return rf"\bar{{{head}}}{mark}{rest}"


def _behind(out: Node) -> list[Node]:
    return explain.graph(out).order


def _why_not(op: Op, has_results: bool, has_inputs: bool) -> str:
    if not has_inputs:
        return "It takes no real numbers, so there is nothing to differentiate."
    return "Its results are whole numbers or truth values, so there is nothing to differentiate."


def _compare(op: Op, case: Case, outs: list[Node]) -> str:
    """The gradient against differences, as far as the tests go."""
    if op.domain is None or not op.domain.order or any(map(_is_complex, [*case.inputs, *outs])):
        return ""
    pairs = [(x, a) for x, a in zip(case.inputs, case.arrays, strict=True)]
    check_gradients(outs, [x for x, _ in pairs], [a for _, a in pairs], order=1)
    return "Compared with finite differences when this page was built: they agree."


def _is_complex(n: Node) -> bool:
    return isinstance(n.type, TensorType) and n.dtype.is_complex


# ------------------------------------------------------------------ examples


def _example(op: Op, case: Case) -> Example:
    """The examples of the docstring; else one that is made of the sample, and run."""
    told = doctest.DocTestParser().get_examples(op.__doc__ or "")
    if told:
        return Example(
            "".join(e.source for e in told).rstrip(), "".join(e.want for e in told).rstrip()
        )
    return run(_program(op, case))


def _program(op: Op, case: Case) -> str:
    lines = ["import chainrule as torch"]
    if op.name in _GRAPHS:
        lines = ["from chainrule import ops, dtypes", "from chainrule.ir import print_graph", ""]
        own = _GRAPHS[op.name]
        return "\n".join(own if own[0].startswith("import") else [*lines, *own])
    names = _python_names(op, len(case.inputs))
    values = [f"{n} = torch.tensor({_literal(a)})" for n, a in zip(names, case.arrays, strict=True)]
    call = _torch_call(op, case, names)
    if not call:
        lines += ["from chainrule.ir import registry", "from chainrule.tensor.record import apply"]
        attrs = [f"{k}={_attribute(v)}" for k, v in case.attrs.items()]
        call = f"apply({', '.join([f'registry[{op.name!r}]', *names, *attrs])})".replace("'", '"')
    return "\n".join([*lines, "", *values, f"print({call})"])


def _torch_call(op: Op, case: Case, names: list[str]) -> str:
    """PyTorch's name for it, where it takes these arguments and gives this result."""
    if not op.torch or case.attrs:
        return ""
    f: Any = reduce(getattr, op.torch.split("."), chainrule)
    values = [_rounded(a) for a in case.arrays]
    want = interpret(case.outputs, dict(zip(case.inputs, values, strict=True)))
    for more in ({}, {"reduction": "none"}):
        try:
            got = f(*[chainrule.tensor(v) for v in values], **more).numpy()
        except (AttributeError, TypeError, RuntimeError, ValueError):  # it takes other arguments
            continue
        if got.shape == want[0].shape and np.allclose(got, want[0], atol=1e-3, equal_nan=True):
            given = [*names, *(f'{k}="{v}"' for k, v in more.items())]
            return f"torch.{op.torch}({', '.join(given)})"
    return ""


def _rounded(a: np.ndarray) -> np.ndarray:
    return a.round(2).astype(np.float32) if a.dtype.kind == "f" else a


def _literal(a: np.ndarray) -> str:
    return repr(a.round(2).tolist() if a.dtype.kind in "fc" else a.tolist())


def _attribute(v: Any) -> str:
    return (
        f"torch.{v.name if hasattr(v, 'name') else v}" if type(v).__name__ == "DType" else repr(v)
    )


#: What has a meaning in graphs only.
_GRAPHS = {
    "input": [
        "x = ops.input(index=0, shape=(2, 3), dtype=dtypes.float32)",
        "print(print_graph([ops.exp(x)]))",
    ],
    "const": ["print(print_graph([ops.const(2.5, dtypes.float32)]))"],
    "item": [
        "x = ops.input(index=0, shape=(3,), dtype=dtypes.float32)",
        "values, places = ops.items(ops.sort(x, axis=0))",
        "print(print_graph([values]))",
    ],
    "boundary": [
        "x = ops.input(index=0, shape=(3,), dtype=dtypes.float32)",
        "(y,) = ops.items(ops.boundary(ops.exp(x), x, outputs=1, index=0))",
        "print(print_graph([y]))",
    ],
    "scan": [
        "h = ops.input(index=0, shape=(2,), dtype=dtypes.float32)",
        "x = ops.input(index=1, shape=(5, 2), dtype=dtypes.float32)",
        "(last,), (all_,) = ops.scan(lambda h, x, c: ([ops.tanh(h[0] + x[0])],) * 2, [h], [x])",
        "print(print_graph([last]))",
    ],
    "lane": [
        "import chainrule as torch",
        "",
        "torch.manual_seed(0)",
        'draw = torch.func.vmap(lambda x: x + torch.rand(()), randomness="different")',
        "print(draw(torch.zeros(3)))",
    ],
    "recomputed": [
        "import chainrule as torch",
        "from chainrule.utils.checkpoint import checkpoint",
        "",
        "x = torch.ones(3, requires_grad=True)",
        "y = checkpoint(lambda x: torch.exp(x) * x, x, use_reentrant=False)",
        "y.sum().backward()",
        "print(x.grad)",
    ],
}  # fmt: skip


def run(code: str) -> Example:
    """A program and what it prints."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "<example>", "exec"), {"__name__": "example"})
    return Example(code, out.getvalue().rstrip())


# ------------------------------------------------------------------ curves


def _plot(op: Op, case: Case) -> str:
    """The function and its derivative, for elementwise ops of one real number."""
    if not op.elementwise or len(case.inputs) != 1 or not _smooth(case.inputs[0]):
        return ""
    (old,) = case.inputs
    if _is_complex(old):
        return ""
    xs = np.linspace(-4, 4, 201)
    x = ops.input(index=0, shape=xs.shape, dtype=old.dtype)
    y = op(x, **case.attrs)
    if not _smooth(y) or _is_complex(y):
        return ""
    lines = [y]
    try:
        g = ops.full_like(y, 1)
        (slope,) = derivative([y], [g], [x]).gradients
        lines += [slope] if slope is not None else []
    except GradientError:
        pass
    with np.errstate(all="ignore"):
        values = interpret(lines, {x: xs})
    return curves(xs, dict(zip(("f(x)", "f′(x)"), values, strict=False)), op.name)


def paragraphs(doc: str) -> list[str]:
    """A docstring without its examples."""
    text = re.sub(r"^\s*>>>.*?(?:\n\s*\n|\Z)", "\n", doc, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(p.split()) for p in re.split(r"\n\s*\n", text) if p.strip()]


def tidy_number(x: float) -> str:
    """Six digits, no tail of zeros."""
    return f"{x:.6g}" if math.isfinite(x) else str(x)
