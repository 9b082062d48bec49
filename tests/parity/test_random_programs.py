"""Programs that nobody wrote, run by PyTorch and by us: views, writes in place, looks, gradients.

A program is a list of instructions drawn from a seed. Both sides run it in step; after every look
and at the end, all values must agree, and all gradients. Where PyTorch refuses an instruction we
may refuse it, too, and both go on without it; what PyTorch allows must work.
"""

import random

import numpy as np
import pytest
import torch

import chainrule as cr

UNARY = ["tanh", "exp", "sigmoid", "relu", "neg", "sin", "clone", "square", "detach", "cos", "abs"]
BINARY = ["add", "mul", "sub", "maximum"]
IN_PLACE_UNARY = ["tanh_", "exp_", "relu_", "neg_", "zero_", "sigmoid_", "sin_"]
IN_PLACE_BINARY = ["add_", "mul_", "sub_", "copy_"]


class Machine:
    """One framework's variables and what may be done to them."""

    def __init__(self, framework, seed):
        self.fw = framework
        rng = np.random.default_rng(seed)
        arrays = [rng.uniform(-1, 1, s) for s in [(3, 4), (3, 4), (4,), (2, 3, 4), (3, 4)]]
        make = framework.tensor
        self.leaves = [make(a, dtype=framework.float64, requires_grad=True) for a in arrays[:3]]
        self.vars = [*self.leaves, *(make(a, dtype=framework.float64) for a in arrays[3:])]
        self.detached = [False] * 5

    def run(self, ins):
        kind, *rest = ins
        return getattr(self, kind)(*rest)

    def keep(self, t, detached=False):
        self.vars.append(t)
        self.detached.append(detached)

    def unary(self, name, i):
        t = getattr(self.vars[i], name)()
        if name == "detach":
            self.keep(t, True)
        else:
            self.keep(
                t.contiguous()
            )  # PyTorch hands the order of elements on; here that is the compiler's

    def binary(self, name, i, j):
        self.keep(getattr(self.fw, name)(self.vars[i], self.vars[j]).contiguous())

    def source(self, i, j):
        """What may be written to variable i: no memory of its own (a partial overlap has no defined
        result), and no
        gradient if its other holders shall not have it."""
        value = self.vars[j].clone()
        return value.detach() if self.detached[i] else value

    def layer(self, kind, i):
        """A layer whose parameters are made as it is called."""
        x = self.vars[i] if self.vars[i].ndim else self.vars[i].reshape(1)
        sizes = {"norm": (x.shape[-1],), "dense": (x.shape[-1], x.shape[-1]), "affine": (1,)}[kind]
        options = {"dtype": self.fw.float64, "requires_grad": True}
        w = self.fw.full(sizes, 0.5, **options)
        b = self.fw.zeros(sizes[-1:], **options)
        self.leaves += [w, b]
        F = self.fw.nn.functional
        self.keep(
            {
                "norm": lambda: F.layer_norm(x, x.shape[-1:], w, b, 0.1),
                "dense": lambda: F.linear(x, w, b),
                "affine": lambda: self.fw.addcmul(x, w, b, value=2.0),
            }[kind]().contiguous()
        )

    def scale(self, i, number):
        self.keep((self.vars[i] * number + 0.25).contiguous())

    def view(self, i, kind, arg):
        x = self.vars[i]
        views = {
            "select": lambda: x[arg % x.shape[0]],
            "slice": lambda: x[..., arg % 2 :: 2],
            "transpose": lambda: x.transpose(0, -1),
            "flat": lambda: x.reshape(-1),
            "unsqueeze": lambda: x.unsqueeze(arg % 2),
            "expand": lambda: x.expand(2, *x.shape),
        }
        self.keep(views[kind](), self.detached[i])

    def unary_(self, name, i):
        getattr(self.vars[i], name)()

    def binary_(self, name, i, j):
        getattr(self.vars[i], name)(self.source(i, j))

    def set_item(self, i, k, j):
        x = self.vars[i]
        x[k % x.shape[0]] = self.source(i, j) if j is not None else 0.5

    def data_write(self, i, number):
        self.vars[i].data.mul_(number)

    def no_grad_write(self, i, number):
        with self.fw.no_grad():
            self.vars[i].mul_(number)

    def look(self, i):
        return self.vars[i].detach().numpy().copy()

    def sum(self, i):
        self.keep(self.vars[i].sum())

    def backward(self, i, retain):
        (self.vars[i] * self.vars[i]).sum().backward(retain_graph=retain)

    def grad_penalty(self, i):
        loss = (self.vars[i] * self.vars[i]).sum()
        g = self.fw.autograd.grad(loss, [self.leaves[0]], create_graph=True, allow_unused=True)[0]
        if g is not None:
            self.keep(g)

    def zero(self):
        for t in self.leaves:
            t.grad = None

    def drop(self, i):
        if i >= 5:
            del self.vars[i], self.detached[i]


def draw(rng, count):
    """One instruction for a machine with `count` variables."""
    i, j = rng.randrange(count), rng.randrange(count)
    kind = rng.choices(
        ["unary", "binary", "scale", "view", "unary_", "binary_", "set_item", "look", "backward",
         "sum", "drop", "no_grad_write", "grad_penalty", "zero", "layer"],
        [5, 6, 3, 6, 3, 5, 3, 4, 2, 1, 1, 1, 1, 1, 4],
    )[0]  # fmt: skip
    return {
        "unary": lambda: (kind, rng.choice(UNARY), i),
        "binary": lambda: (kind, rng.choice(BINARY), i, j),
        "layer": lambda: (kind, rng.choice(["norm", "dense", "affine"]), i),
        "scale": lambda: (kind, i, rng.choice([0.5, -1.5, rng.random()])),
        "view": lambda: (
            kind,
            i,
            rng.choice(["select", "slice", "transpose", "flat", "unsqueeze", "expand"]),
            rng.randrange(4),
        ),
        "unary_": lambda: (kind, rng.choice(IN_PLACE_UNARY), i),
        "binary_": lambda: (kind, rng.choice(IN_PLACE_BINARY), i, j),
        "set_item": lambda: (kind, i, rng.randrange(4), rng.choice([None, j])),
        "look": lambda: (kind, i),
        "backward": lambda: (kind, i, rng.random() < 0.5),
        "sum": lambda: (kind, i),
        "drop": lambda: (kind, i),
        "no_grad_write": lambda: (kind, i, 0.75),
        "grad_penalty": lambda: (kind, i),
        "zero": lambda: (kind,),
    }[kind]()


def attempt(machine, ins):
    """(result, error)"""
    try:
        return machine.run(ins), None
    except (RuntimeError, IndexError, TypeError) as e:
        return None, e


def agree(a, b, program):
    for n, (x, y) in enumerate(zip(a.vars, b.vars, strict=True)):
        assert tuple(x.shape) == tuple(y.shape), (n, program)
        np.testing.assert_allclose(
            y.detach().numpy(),
            x.detach().numpy(),
            rtol=1e-9,
            atol=1e-9,
            err_msg=f"value {n}: {program}",
        )
        assert x.requires_grad == y.requires_grad, (n, program)
    for n, (x, y) in enumerate(zip(a.leaves, b.leaves, strict=True)):
        want, got = (
            np.zeros(tuple(t.shape)) if t.grad is None else t.grad.detach().numpy() for t in (x, y)
        )
        np.testing.assert_allclose(
            got, want, rtol=1e-7, atol=1e-7, err_msg=f"gradient {n}: {program}"
        )


def program_of(seed, length=25):
    """Instructions that name variables which exist if all before them went well."""
    rng, count, out = random.Random(seed), 5, []
    for _ in range(length):
        ins = draw(rng, count)
        out.append(ins)
        count += ins[0] in ("unary", "binary", "layer", "scale", "view", "sum")
        count -= ins[0] == "drop" and ins[1] >= 5
    return out


def run(program, seed=0):
    """Both machines in step."""
    a, b = Machine(torch, seed), Machine(cr, seed)
    for ins in program:
        want, refused = attempt(a, ins)
        if refused is not None:
            if ins[0] in ("backward", "grad_penalty"):
                return  # PyTorch may have walked half of the graph: what follows is open
            if attempt(b, ins)[1] is None:
                return  # we allow more; the two have parted
            continue
        got, error = attempt(b, ins)
        if ins[0] == "grad_penalty" and "second time" in str(error):
            return  # PyTorch looks for freed values only where a gradient is asked for
        if "cannot write through broadcast_to" in str(error):
            return
        assert error is None, f"{error!r:.200} at {ins} of {program}"
        if len(a.vars) != len(b.vars):
            return  # a gradient that is zero everywhere to PyTorch, and none to us
        if ins[0] == "look":
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9, err_msg=str(program))
    agree(a, b, program)


def shrink(program, seed=0):
    """For whoever repairs: the shortest program left when instructions go one by one and the
    failure stays.
    """
    i = 0
    while i < len(program):
        less = program[:i] + program[i + 1 :]
        try:
            run(less, seed)
            i += 1
        except AssertionError:
            program, i = less, 0
    return program


MODES = {"usual": {}, "eager": {"eager": True}, "little waits": {"max_pending": 2}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("block", range(12))
def test_random_programs(block, mode, monkeypatch):
    for name, value in MODES[mode].items():
        monkeypatch.setattr(cr.config, name, value)
    for seed in range(block * 50, block * 50 + 50):
        run(program_of(seed), seed)
