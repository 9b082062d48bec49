"""torch.fx: programs are traced into graphs, which are read, changed, and run again."""

import copy
import math
import operator

import pytest

import chainrule as torch
from chainrule import fx, nn


def kept_whole(x):
    return x + 1 if x.sum() > 0 else x  # a trace could not go through


fx.wrap(kept_whole)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x, y=1.0):
        a, b = (self.first(x) * self.scale).split(2, dim=-1)
        return torch.cat([b, a], -1).neg() + self.shift * y


def kinds(graph):
    return [(n.op, str(n.target) if isinstance(n.target, str) else n.name) for n in graph.nodes]


def test_a_traced_layer_computes_the_same():
    net, x = Net(), torch.randn(5, 3)
    traced = fx.symbolic_trace(net)
    traced.graph.lint()
    assert torch.equal(traced(x), net(x)) and torch.equal(traced(x, 2.0), net(x, 2.0))
    assert torch.equal(traced(x, y=3.0), net(x, 3.0))
    assert torch.equal(fx.Interpreter(traced).run(x), net(x))
    assert set(traced.state_dict()) == set(net.state_dict())
    calls = [target for op, target in kinds(traced.graph) if op == "call_module"]
    assert calls == ["first.0", "first.1"]
    twin = copy.deepcopy(traced)
    assert torch.equal(twin(x), net(x)) and twin.scale is not traced.scale


def test_text_is_python():
    def f(x, y):
        return torch.exp(x)[:, 1:] @ -y, x.shape, {"a": (x + 2) ** 0.5}

    assert fx.symbolic_trace(f).code.strip().splitlines() == [
        "def forward(self, x, y):",
        "    exp = torch.exp(x)",
        "    getitem = exp[(slice(None, None, None), slice(1, None, None))];  exp = None",
        "    neg = -y;  y = None",
        "    matmul = getitem @ neg;  getitem = neg = None",
        "    add = x + 2",
        "    pow_1 = add ** 0.5;  add = None",
        "    getattr_1 = x.shape;  x = None",  # where it is first read
        "    return (matmul, getattr_1, {'a': pow_1})",
    ]


def test_operations_are_replaced():
    traced = fx.symbolic_trace(lambda x, y: (x + y) * torch.add(x, y))
    graph = traced.graph
    for node in graph.nodes:
        if node.target in (operator.add, torch.add):
            with graph.inserting_after(node):
                new = graph.call_function(torch.sub, node.args)
            node.replace_all_uses_with(new)
            graph.erase_node(node)
    traced.recompile()
    assert traced(5.0 * torch.ones(1), torch.ones(1)).item() == 16
    with pytest.raises(RuntimeError, match="still had 2 users"):
        graph.erase_node(next(iter(graph.nodes)))


def test_patterns_are_replaced_where_they_do_not_overlap():
    def program(x, w1, w2):
        m1 = torch.cat([torch.neg(w1), w2]).sum()
        m2 = torch.cat([torch.neg(w1), w2]).sum()
        return x + torch.max(m1) + torch.max(m2)

    traced = fx.symbolic_trace(program)
    matches = fx.replace_pattern(
        traced,
        lambda a1, a2: torch.cat([torch.neg(a1), a2]).sum(),
        lambda w1, w2: torch.stack([w1, w2]),
    )
    assert len(matches) == 2
    assert [n.name for n in traced.graph.nodes] == [
        "x", "w1", "w2", "stack", "stack_1", "max_1", "add", "max_2", "add_1", "output",
    ]  # fmt: skip
    traced.graph.lint()
    assert traced(torch.zeros(()), torch.ones(2), 3 * torch.ones(2)).item() == 6


def test_what_a_trace_cannot_know():
    with pytest.raises(fx.proxy.TraceError, match="control flow"):
        fx.symbolic_trace(lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(fx.proxy.TraceError, match="iterated"):
        fx.symbolic_trace(lambda x: [v for v in x])
    with pytest.raises(RuntimeError, match=r"fx\.wrap"):
        fx.symbolic_trace(lambda x: len(x))
    with pytest.raises(NotImplementedError, match="top level"):
        fx.wrap("len")
    graph = fx.symbolic_trace(lambda x: kept_whole(x) * math.sqrt(x)).graph
    assert [n.name for n in graph.nodes] == ["x", "kept_whole", "sqrt", "mul", "output"]
    assert graph.find_nodes(op="call_function", target=kept_whole)
    assert math.sqrt(4.0) == 2  # as before
    chosen = fx.symbolic_trace(lambda x, deep: x * 2 if deep else x, {"deep": True})
    assert chosen(torch.ones(1)).item() == 2


def test_tracers_and_transformers_are_overridden():
    class Through(fx.Tracer):
        def is_leaf_module(self, m, qualname):
            return not isinstance(m, nn.ReLU) and super().is_leaf_module(m, qualname)

    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    assert kinds(Through().trace(net))[2] == ("call_function", "relu")
    assert kinds(fx.Tracer().trace(net))[2] == ("call_module", "1")

    class Softer(fx.Transformer):
        def call_module(self, target, args, kwargs):
            if isinstance(self.fetch_attr(target), nn.ReLU):
                return torch.sigmoid(*args)
            return super().call_module(target, args, kwargs)

    x = torch.randn(3, 2)
    assert torch.equal(Softer(fx.symbolic_trace(net)).transform()(x), torch.sigmoid(net[0](x)))


def test_a_graph_is_written_by_hand():
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    x = fx.Proxy(graph.placeholder("x"), tracer)
    graph.output((2 * torch.tanh(x) - x).node)
    assert len(graph.nodes) == 5
    made = fx.GraphModule(nn.Module(), graph)
    assert made(torch.zeros(2)).tolist() == [0, 0]
    graph.call_function(torch.neg, (x.node,))
    assert graph.eliminate_dead_code() and len(graph.nodes) == 5
