"""Write tests/names/torch.txt: the public names of PyTorch and torchvision, with their signatures.

    python scripts/torch_names.py            both tables; needs torch and torchvision
    python scripts/torch_names.py missing    tests/names/missing.txt only: what chainrule lacks

A line is `name` or `name<TAB>signature`; a function with several signatures has several lines. The
names are those of the installed version; of a default only what is a literal is written down.
"""

import ast
import importlib
import inspect
import pathlib
import re
import sys
import types

ROOT = pathlib.Path(__file__).parent.parent
TABLE, MISSING = ROOT / "tests/names/torch.txt", ROOT / "tests/names/missing.txt"

#: Namespaces whose names are listed: address in PyTorch → address here.
SPACES = {
    "torch": "chainrule",
    "torch.Tensor": "chainrule.Tensor",
    **{
        f"torch.{name}": f"chainrule.{name}"
        for name in (
            "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize",
            "nn.utils.parametrizations", "nn.parallel", "nn.attention", "optim",
            "optim.lr_scheduler", "optim.swa_utils", "utils.data", "utils.checkpoint",
            "utils.tensorboard", "utils.benchmark", "utils.dlpack", "linalg", "fft", "special",
            "distributions", "func", "autograd", "autograd.functional", "cuda", "cuda.amp", "amp",
            "accelerator", "backends.cudnn", "backends.cuda", "backends.mps", "jit",
            "distributed", "multiprocessing", "random", "serialization", "testing", "profiler",
            "onnx", "fx", "hub", "signal.windows", "masked", "nested", "compiler",
        )
    },
    **{
        f"torchvision.{name}": f"chainrule.vision.{name}"
        for name in ("datasets", "io", "models", "ops", "transforms", "transforms.functional",
                     "transforms.v2", "utils")
    },
}  # fmt: skip


#: What PyTorch shows of its inside: kernels of other libraries, parts of TorchScript, quantised
#: types, views that copy, and sizes that are symbols.
INSIDE = re.compile(
    r"torch\.(\w*(Type|Storage|Logger\w*|Module\w*|Info|Dict\w*|Guard|Context|Iterator|Script\w*)"
    r"|(cudnn|miopen|mkldnn|fbgemm|quantized|native|sym|merge|parse|q|qu?int\d|import|per)_?\w*"
    r"|\w+_copy|fake_quantize\w*|batch_norm_\w+|bit(s\d\w*)?|u?int[1-7]|\w*(ipu|xla|vulkan)\w*"
    r"|Sym\w+|Q\w+|[A-Z]\w*(Spec|Config|Stats|Function|Object|Method|Report|Exception|Writer"
    r"|Reader|State|Db|Plan|Key|KeySet|Table|Property|Serializer|Schema|Use|Value|Node|Block|Graph"
    r"|Code|Tag|Capsule|Argument|Gradient|Overload\w*)|Block|Argument|Call\w+|Capsule|Code|Gradient"
    r"|Graph|Node|Tag|Use|Value|Type|ScriptClass|DisableTorchFunction\w*|FatalError|IODescriptor"
    r"|PRIVATE_OPS|USE_\w+|choose_\w+|fused_\w+|classproperty|hash_tensor|init_num_threads"
    r"|prepare_multi\w+|profiler_allow\w+|slice_inverse|unify_type_list|set_autocast_gpu_dtype"
    r"|thread_safe_generator|norm_except_dim|has_\w+|float[48]_\w+|empty_quantized|int_repr"
    r"|Aggregation\w+|Concrete\w+|Throughput\w+|Tracing\w+|Execution\w+|GraphExecutor\w+)"
    r"|torch\.Tensor\.(q_\w+|int_repr|\w*(ipu|maia|mtia|xla|vulkan|mkldnn|hash_tensor|reinforce)\w*)"
    r"|torch\.nn\.functional\.([A-Z]\w+|handle_\w+|has_torch\w+|\w+_notes|boolean_dispatch"
    r"|assert_int_or_pair)|torch\.serialization\.(mkdtemp|\w*hpu\w*)"
)


def resolve(path: str):
    """What stands at an address; raises AttributeError or ImportError."""
    parts = path.split(".")
    found = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], 1):
        try:
            found = getattr(found, part)
        except AttributeError:
            if not isinstance(found, types.ModuleType):
                raise
            found = importlib.import_module(".".join(parts[: i + 1]))
    return found


def public_names(space) -> list[str]:
    """What a program may use of it: no modules, nothing that merely was imported."""
    listed = getattr(space, "__all__", None)
    names = [n for n in dir(space) if not n.startswith("_")]
    if isinstance(space, type) or space.__name__ == "torch":
        chosen = names
    elif listed is not None:
        chosen = [n for n in listed if not n.startswith("_")]
    else:
        chosen = [n for n in names if _is_of(getattr(space, n, None), space)]
    return sorted(n for n in chosen if hasattr(space, n) and _is_shown(getattr(space, n)))


def _is_of(value, space) -> bool:
    module = getattr(value, "__module__", None)
    return module is None or str(module).startswith(("torch", "torchvision"))


def _is_shown(value) -> bool:
    if isinstance(value, types.ModuleType):
        return False
    module = str(getattr(value, "__module__", "torch") or "torch")
    return module.startswith(("torch", "builtins", "_C")) or not callable(value)


# ------------------------------------------------------------------ signatures


def default(node: ast.expr | None) -> str:
    """A default as text: a literal, or … for what is none."""
    if node is None:
        return ""
    try:
        return "=" + repr(ast.literal_eval(node))
    except ValueError:
        return "=…"


def of_stub(function: ast.FunctionDef) -> str:
    """A signature without annotations."""
    a = function.args
    plain = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(plain) - len(a.defaults)) + list(a.defaults)
    parts = [p.arg + default(d) for p, d in zip(plain, defaults, strict=True)]
    if a.vararg:
        parts.append("*" + a.vararg.arg)
    elif a.kwonlyargs:
        parts.append("*")
    parts += [p.arg + default(d) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    if a.kwarg:
        parts.append("**" + a.kwarg.arg)
    return "(" + ", ".join(parts) + ")"


def stubs(path: pathlib.Path, inside: str | None = None) -> dict[str, list[str]]:
    """Signatures in a stub file, or of one of its classes."""
    body = ast.parse(path.read_text()).body
    if inside is not None:
        (body,) = [n.body for n in body if isinstance(n, ast.ClassDef) and n.name == inside]
    found: dict[str, list[str]] = {}
    for n in body:
        if isinstance(n, ast.FunctionDef):
            found.setdefault(n.name, []).append(of_stub(n))
    return {name: list(dict.fromkeys(s)) for name, s in found.items()}


def of_python(value) -> list[str]:
    """The signature that Python knows."""
    try:
        signature = inspect.signature(value)
    except (ValueError, TypeError):
        return []
    parts, star = [], False
    for p in signature.parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            parts.append("*" + p.name)
            star = True
            continue
        if p.kind is p.VAR_KEYWORD:
            parts.append("**" + p.name)
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        text = p.name
        if p.default is not p.empty:
            plain = p.default is None or type(p.default) in (bool, int, float, str)
            text += "=" + (repr(p.default) if plain else "…")
        parts.append(text)
    return ["(" + ", ".join(parts) + ")"]


def table() -> str:
    """All lines."""
    import torch

    home = pathlib.Path(torch.__file__).parent
    functions = stubs(home / "_C/_VariableFunctions.pyi")
    methods = stubs(home / "_C/__init__.pyi", "TensorBase")
    functional = stubs(home / "nn/functional.pyi")
    lines = []
    for path in SPACES:
        try:
            space = resolve(path)
        except (ImportError, AttributeError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        known = {"torch": functions, "torch.Tensor": methods, "torch.nn.functional": functional}
        for name in public_names(space):
            value = getattr(space, name)
            if INSIDE.fullmatch(f"{path}.{name}"):
                continue
            found = known.get(path, {}).get(name) or (of_python(value) if callable(value) else [])
            if not found and path == "torch.nn.functional":
                found = functions.get(name, [])
            if isinstance(value, type) and value.__init__ is object.__init__:
                found = []
            if path == "torch.Tensor":
                found = [s.replace("(self, ", "(").replace("(self)", "()") for s in found]
            lines += [f"{path}.{name}\t{s}" for s in found] or [f"{path}.{name}"]
    head = f"# Public names of torch {torch.__version__}, by scripts/torch_names.py\n"
    return head + "\n".join(lines) + "\n"


def here(name: str) -> str:
    """The address of a name here."""
    space = max((s for s in SPACES if name.startswith(s + ".")), key=len)
    return SPACES[space] + name[len(space) :]


def missing() -> str:
    """The names of the table that chainrule lacks."""
    names = dict.fromkeys(
        line.partition("\t")[0] for line in TABLE.read_text().splitlines() if line[0] != "#"
    )
    lacking = []
    for name in names:
        try:
            resolve(here(name))
        except (AttributeError, ImportError, NotImplementedError):
            lacking.append(name)
    return (
        "# Names of PyTorch that do not exist here yet, by scripts/torch_names.py missing\n"
        + "\n".join(lacking) + "\n"
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:] != ["missing"]:
        TABLE.write_text(table(), encoding="utf-8")
    MISSING.write_text(missing(), encoding="utf-8")
