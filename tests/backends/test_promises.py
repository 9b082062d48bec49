"""What users may rely on: the same bits on any number of threads, memory that does not grow, errors
that leave everything usable.
"""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from agreement import prepared

import chainrule as torch
from chainrule import config, dtypes, nn
from chainrule.backends.llvm import execute
from chainrule.nn import functional
from chainrule.schedule import plan
from chainrule.testing import draw


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    monkeypatch.setattr(config, "backend", "llvm")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, stride=2)
        self.norm, self.out = nn.BatchNorm2d(8), nn.Linear(8 * 3 * 3, 5)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.norm(self.a(x))), 2)
        return self.out(torch.flatten(self.b(x), 1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(6, 16, 2, batch_first=True), nn.Linear(16, 5)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(16, 5)

    def forward(self, x):
        return self.out(self.encoder(self.embedding(x)).mean(1))


NETWORKS = {
    "dense": (lambda: nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Linear(64, 5)), (24, 20)),
    "convolutional": (Convolutional, (6, 3, 14, 14)),
    "recurrent": (Recurrent, (6, 7, 6)),
    "attention": (Attending, (6, 8)),
}


def train(name, steps, dtype=torch.float32):
    """Losses and parameters after some steps."""
    torch.manual_seed(3)
    make, shape = NETWORKS[name]
    model, rng = make().to(dtype), np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        x = rng.integers(0, 11, shape) if name == "attention" else rng.standard_normal(shape)
        x = torch.tensor(x) if name == "attention" else torch.tensor(x, dtype=dtype)
        y = torch.tensor(rng.integers(0, 5, shape[0]))
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach().numpy().copy() for p in model.parameters()]


def same_bits(a, b):
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


@pytest.fixture
def fine(monkeypatch):
    """Every kernel is shared out, even the smallest."""
    monkeypatch.setattr(plan, "SMALL", 0.0)
    monkeypatch.setattr(plan, "CHUNK", 40.0)


@pytest.mark.parametrize("seed", range(400, 412))
def test_random_graphs_have_the_same_bits_on_any_number_of_threads(seed, fine):
    program = draw(seed, dtype=dtypes.float32 if seed % 2 else dtypes.float64)
    run = execute.build(prepared(program.outputs))
    results = []
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        results.append(run(program.arrays))
    assert all(same_bits(results[0], r) for r in results[1:])


@pytest.mark.parametrize("name", NETWORKS)
def test_training_has_the_same_bits_on_any_number_of_threads(name, fine):
    results = []
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        losses, parameters = train(name, 3)
        results.append([np.array(losses), *parameters])
    assert all(same_bits(results[0], r) for r in results[1:])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_hundred_steps_agree_with_the_reference(name, monkeypatch):
    losses, parameters = train(name, 100, torch.float64)
    monkeypatch.setattr(config, "backend", "reference")
    want, expected = train(name, 100, torch.float64)
    np.testing.assert_allclose(losses, want, rtol=1e-8)
    for a, b in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_ten_steps_in_float32_agree_with_the_reference(name, monkeypatch):
    losses, _ = train(name, 10)
    monkeypatch.setattr(config, "backend", "reference")
    want, _ = train(name, 10)
    np.testing.assert_allclose(losses, want, rtol=2e-4)


def in_a_process(program, **environment):
    """What a program prints that starts from nothing."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "CHAINRULE_BACKEND": "llvm", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


DIGEST = """
    import hashlib
    import numpy as np
    import chainrule as torch
    from chainrule import nn
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(30, 50), nn.Tanh(), nn.LayerNorm(50), nn.Linear(50, 4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(5):
        loss = (model(torch.randn(32, 30)) ** 2).mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    h = hashlib.sha256()
    for p in model.parameters():
        h.update(p.detach().numpy().tobytes())
    print(h.hexdigest())
"""


def test_a_cold_and_a_warm_cache_give_the_same_bits(tmp_path):
    folder = {"CHAINRULE_CACHE": str(tmp_path), "CHAINRULE_PATIENCE": "0"}
    cold = in_a_process(DIGEST, **folder, CHAINRULE_NUM_THREADS="1")
    assert any(tmp_path.rglob("*")), "nothing was kept"
    assert in_a_process(DIGEST, **folder, CHAINRULE_NUM_THREADS="3") == cold


FLAT = """
    import sys
    import chainrule as torch
    from chainrule import nn
    def resident():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4096
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 3))
    optimizer = torch.optim.Adam(model.parameters())
    def steps(n):
        for i in range(n):
            loss = nn.functional.cross_entropy(model(torch.randn(16, 20)), torch.arange(16) % 3)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            if i % 7 == 0:
                loss.item()
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    steps(n)
    before = resident()
    steps(2 * n)
    print(resident() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_memory_does_not_grow():
    assert int(in_a_process(FLAT)) < 1 << 20


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("index", [11, -12, 1 << 40])
def test_an_index_out_of_range_is_the_same_error_and_leaves_everything_usable(
    index, looks, monkeypatch
):
    def fails():
        torch.manual_seed(0)
        model = Attending()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = torch.zeros(6, 8, dtype=torch.int64)
        before = [p.detach().numpy().copy() for p in model.parameters()]
        with pytest.raises(IndexError) as caught:
            wrong = x.clone()
            wrong[2, 3] = index
            loss = model(wrong).sum()
            loss.backward()
            if looks:
                loss.item()
            optimizer.step()
            torch.flush()
        after = [p.detach().numpy().copy() for p in model.parameters()]
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        assert np.isfinite(loss.item())
        return str(caught.value), before, after

    message, before, after = fails()
    monkeypatch.setattr(config, "backend", "reference")
    want, _, _ = fails()
    assert message == want
    if looks:  # else what does not depend on the batch, such as a last bias, has gone on
        assert same_bits(before, after)
    assert same_bits(before[:1], after[:1])


def test_too_little_memory_is_an_error_that_leaves_everything_usable():
    x = torch.ones(1000, 1000)
    with pytest.raises(MemoryError):
        (x[:, None, None, :] + torch.ones(1 << 16, 1 << 14, 1)).numpy()
    with pytest.raises(MemoryError):
        y = torch.ones(1 << 20, 1) * torch.ones(1 << 20)
        torch.sin(y).sort(1)[0].sum().item()
    assert (x * 2).sum().item() == 2e6


def test_threads_of_python_train_at_once():
    names = ("dense", "convolutional", "recurrent")  # random streams belong to all threads
    models = {name: steps_of(name) for name in names}
    alone = {name: models[name]() for name in names}
    together = {}

    def run(name):
        together[name] = models[name]()

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for name in names:
        assert same_bits(together[name], alone[name])


def steps_of(name):
    """A function that trains a copy of one model, and gives its parameters."""
    make, shape = NETWORKS[name]
    torch.manual_seed(5)
    start = make().state_dict()
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(shape).astype(np.float32), rng.integers(0, 5, shape[0])

    def steps():
        model = make()
        model.load_state_dict(start)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for _ in range(12):
            loss = functional.cross_entropy(model(torch.tensor(x)), torch.tensor(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        return [p.detach().numpy().copy() for p in model.parameters()]

    return steps


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # our threads end before it
def test_a_forked_process_and_its_parent_go_on(fine):
    torch.set_num_threads(3)
    steps = steps_of("convolutional")
    want = steps()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writer, digest(steps()))
        finally:
            os._exit(0)
    os.close(writer)
    ours = digest(steps())
    with os.fdopen(reader, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    assert ours == digest(want) and theirs == ours


def digest(arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).digest()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals go elsewhere"
)
def test_an_interrupt_leaves_whole_updates():
    """Every parameter has been moved by whole steps, whenever Ctrl-C comes."""
    parameters = [torch.nn.Parameter(torch.zeros(60_000 + i)) for i in range(3)]
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = 0
    try:
        for k in range(40):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0002 * k)
                signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
                until = time.monotonic() + 2
                while time.monotonic() < until:
                    optimizer.zero_grad()
                    sum(p.sum() for p in parameters).backward()
                    optimizer.step()
                    torch.flush()
            except KeyboardInterrupt:
                interrupted += 1
            counts = set()
            for p in parameters:
                values = np.unique(p.detach().numpy())
                assert values.size == 1 and values[0] == round(float(values[0]))
                counts.add(float(values[0]))
            assert max(counts) - min(counts) <= interrupted
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, before)
    assert interrupted == 40
