"""Threads record into graphs of their own; values may be handed over at any time."""

import queue
import threading

import numpy as np
import pytest

import chainrule as torch


def run(*functions):
    """All at once, each in a thread; the first exception is raised."""
    errors = []

    def guarded(f):
        try:
            f()
        except BaseException as e:  # handed on to the test
            errors.append(e)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_two_threads_train_two_models():
    def train(seed, results):
        w = torch.tensor([float(seed), 1.0], dtype=torch.float64, requires_grad=True)
        for i in range(30):
            loss = ((w * (i + 1) - 3) ** 2).mean()
            if i % 3 == seed % 3:
                loss.item()
            w.grad = None
            loss.backward()
            with torch.no_grad():
                w -= 1e-3 * w.grad
        results[seed] = w.tolist()

    alone, together = {}, {}
    for s in range(4):
        train(s, alone)
    run(*[lambda s=s: train(s, together) for s in range(4)])
    assert alone == together


def test_a_producer_hands_pending_tensors_to_a_consumer():
    q = queue.Queue(maxsize=2)
    seen = []

    def produce():
        for i in range(50):
            q.put(torch.arange(4.0) * i + 1)
        q.put(None)

    def consume():
        while (t := q.get()) is not None:
            seen.append((t * 2).sum().item())

    run(produce, consume)
    assert seen == [2 * (6 * i + 4) for i in range(50)]


def test_looking_at_a_value_of_another_thread_leaves_its_graph_alone():
    made, looked = threading.Event(), threading.Event()
    box, out = [], []

    def first():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = torch.ones(2) * 3
        z = x * y
        box.append(y)
        made.set()
        looked.wait(10)
        (z * y).sum().backward()
        out.append(x.grad.tolist())

    def second():
        made.wait(10)
        assert box[0].tolist() == [3, 3]
        looked.set()

    run(first, second)
    assert out == [[9, 9]]


def test_parameters_are_shared():
    """One thread trains, others read the weights while they change."""
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    stop = threading.Event()
    seen = []

    def train():
        for _ in range(40):
            ((w - 1) ** 2).sum().backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
            w.grad = None
        torch.flush()
        stop.set()

    def read():
        while not stop.is_set():
            with torch.no_grad():
                a = (w * 2).tolist()
            assert a[0] == a[1] == a[2]
            seen.append(a[0])

    run(train, read, read)
    assert all(0 <= v <= 2 for v in seen) and abs(w[0].item() - 1) < 1e-3


def test_a_gradient_may_be_asked_for_in_another_thread():
    x = torch.tensor([2.0], requires_grad=True)
    y = (x * x).sum()
    run(lambda: y.backward())
    assert x.grad.tolist() == [4]
    assert (x * 3).tolist() == [6]


def test_grad_mode_belongs_to_a_thread():
    seen = []
    with torch.no_grad():
        run(lambda: seen.append(torch.is_grad_enabled()))
    assert seen == [True]


@pytest.mark.parametrize("n", [2, 4])
def test_many_threads_over_one_input(n):
    x = torch.from_numpy(np.arange(1000.0))
    results = [None] * n

    def work(k):
        for i in range(20):
            results[k] = (x * (k + 1) + i).sum().item()

    run(*[lambda k=k: work(k) for k in range(n)])
    assert results == [499500 * (k + 1) + 19000 for k in range(n)]
