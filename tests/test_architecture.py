"""Imports run downhill: the rooms of `chainrule`, in the order in which a program passes them.

A room may import what stands before it; rooms of one line do not import each other.
"""

import ast
import pathlib
from collections import defaultdict

import chainrule

ROOT = pathlib.Path(chainrule.__file__).parent

#: Every room or file at the top of the package, lowest first.
ORDER = [
    {"faces"},
    {"names", "lines"},
    {"telling", "meaning"},
    {"_version", "errors", "config", "pytree", "toplevel", "compiling", "layered"},
    {
        "dtypes", "shapes", "devices", "version", "torch_version", "functional", "return_types",
        "layouts",
    },
    {"ir"},
    {"ops"},
    {"autodiff"},
    {"rewrite"},
    {"schedule"},
    {"backends"},
    {"compiler"},
    {"runtime"},
    {"tensor"},
    {"func"},
    {"amp", "random", "types", "storage", "strings", "hashes"},
    {"autograd", "linalg", "special", "legacy", "flags", "fft", "signal", "sparse"},
    {"masked"},
    {"cpu", "cuda", "mps", "xpu", "accelerator", "multiprocessing", "distributed", "overrides"},
    {"_C", "_dynamo", "futures", "library", "profiler"},
    {"utils"},
    {"nn", "summary"},
    {"optim", "nested"},
    {"distributions"},
    {"io"},
    {"serialization"},
    {"jit", "fx", "onnx", "export", "package", "ao", "quantization", "monitor"},
    {"datasets"},
    {"hub", "interop", "array_api", "data"},
    {"vision"},
    {"training"},
    {"keras"},
    {"models", "explain", "tensorflow"},
    {"testing"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: i for i, rooms in enumerate(ORDER) for room in rooms}


def files() -> list[pathlib.Path]:
    return sorted(ROOT.rglob("*.py"))


def name_of(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("chainrule", *(parts[:-1] if parts[-1] == "__init__" else parts)))


MODULES = {name_of(p): p for p in files()}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def is_typing_only(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(module: str) -> list[tuple[str, int, bool]]:
    """(imported module of ours, line, inside a function) for every import that runs."""
    found = []
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, local: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and is_typing_only(child):
                continue
            inside = local or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            if isinstance(child, ast.Import):
                found.extend(
                    (a.name, child.lineno, inside)
                    for a in child.names
                    if a.name.split(".")[0] == "chainrule"
                )
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    up = package.split(".")[: len(package.split(".")) - child.level + 1]
                    base = ".".join([*up, base] if base else up)
                if base.split(".")[0] == "chainrule":
                    for a in child.names:
                        sub = f"{base}.{a.name}"
                        found.append((sub if sub in MODULES else base, child.lineno, inside))
            visit(child, inside)

    visit(ast.parse(MODULES[module].read_text()), False)
    return found


GRAPH = {m: imports(m) for m in MODULES}


def test_every_room_has_its_place() -> None:
    assert {room_of(m) for m in MODULES} <= LEVEL.keys()


def test_imports_run_downhill() -> None:
    uphill = [
        f"{m}:{line} imports {target}"
        for m, found in GRAPH.items()
        for target, line, _ in found
        if room_of(m) != room_of(target) and LEVEL[room_of(target)] >= LEVEL[room_of(m)]
    ]
    assert not uphill


def test_no_import_of_ours_hides_in_a_function() -> None:
    hidden = [
        f"{m}:{line} imports {t}" for m, found in GRAPH.items() for t, line, local in found if local
    ]
    assert not hidden


def test_no_cycle_between_files() -> None:
    """A package's `__init__` collects its files; they do not import it back."""
    edges = defaultdict(set)
    for m, found in GRAPH.items():
        edges[m] = {t for t, _, _ in found if t != m}
    done: set[str] = set()
    for start in sorted(MODULES):
        path: list[str] = []
        stack = [(start, iter(sorted(edges[start])))] if start not in done else []
        path = [start] if stack else []
        while stack:
            node, rest = stack[-1]
            nxt = next(rest, None)
            if nxt is None:
                done.add(node)
                stack.pop()
                path.pop()
            elif nxt in path:
                raise AssertionError(" → ".join([*path[path.index(nxt) :], nxt]))
            elif nxt not in done:
                path.append(nxt)
                stack.append((nxt, iter(sorted(edges[nxt]))))


def test_nothing_imports_what_only_tests_need() -> None:
    assert not [
        m
        for m, found in GRAPH.items()
        if room_of(m) != "testing"
        for t, _, _ in found
        if room_of(t) == "testing"
    ]


def test_no_library_file_imports_the_frameworks_it_is_compared_with() -> None:
    """They are for comparing; where a user brings a model, the import is in a function."""
    others = {"torch", "jax", "tensorflow", "keras"}
    for path in files():
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            assert not {n.split(".")[0] for n in names} & others, path
