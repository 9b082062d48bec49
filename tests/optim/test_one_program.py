"""A training step is one program, whatever a schedule does to its numbers."""

from __future__ import annotations

import pytest

from chainrule import compiler, optim
from chainrule.nn.utils.clip_grad import clip_grad_norm_
from chainrule.tensor.creation import tensor

MAKERS = {
    "SGD": lambda w: optim.SGD(w, lr=0.1, momentum=0.9),
    "Adam": lambda w: optim.Adam(w, lr=0.1),
    "AdamW": lambda w: optim.AdamW(w, lr=0.1),
    "RMSprop": lambda w: optim.RMSprop(w, lr=0.1, momentum=0.9),
}


@pytest.mark.parametrize("name", MAKERS)
def test_steps_under_a_schedule_compile_nothing_after_the_second(name):
    w = [tensor([1.0, 2.0], requires_grad=True), tensor([[0.5]], requires_grad=True)]
    optimizer = MAKERS[name](w)
    # rate and momentum both change in every step
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=12)
    built = []
    for _ in range(8):
        optimizer.zero_grad()
        ((w[0] ** 2).sum() + (w[1] ** 2).sum()).backward()
        clip_grad_norm_(w, 1.0)
        optimizer.step()
        schedule.step()
        built.append(compiler.built)
    assert built[1:] == [built[1]] * 7
