"""`import torch.x.y` has its counterpart, and what only asks answers truthfully."""

import importlib

import pytest

import chainrule as torch

NAMES = """
_C _dynamo accelerator amp amp.autocast_mode amp.grad_scaler ao ao.quantization autograd
autograd.anomaly_mode autograd.function autograd.functional autograd.grad_mode autograd.gradcheck
autograd.profiler autograd.variable backends backends.cpu backends.cuda backends.cudnn backends.mkl
backends.mkldnn backends.mps backends.openmp backends.opt_einsum backends.quantized compiler cpu
cpu.amp cuda cuda.amp cuda.nvtx distributed distributed.algorithms distributed.distributed_c10d
distributed.elastic.multiprocessing.errors distributed.fsdp distributed.optim distributed.rpc
distributions distributions.categorical distributions.kl distributions.multinomial
distributions.multivariate_normal distributions.normal distributions.transforms export functional
futures fx fx.node fx.proxy hub jit library linalg monitor mps multiprocessing nn nn.attention
nn.attention.bias nn.attention.flex_attention nn.common_types nn.functional nn.grad nn.init
nn.intrinsic nn.modules nn.modules.activation nn.modules.batchnorm nn.modules.container
nn.modules.conv nn.modules.distance nn.modules.dropout nn.modules.flatten nn.modules.fold
nn.modules.instancenorm nn.modules.linear nn.modules.loss nn.modules.module
nn.modules.normalization nn.modules.padding nn.modules.pixelshuffle nn.modules.pooling
nn.modules.rnn nn.modules.sparse nn.modules.transformer nn.modules.upsampling nn.modules.utils
nn.parallel nn.parallel.comm nn.parallel.data_parallel nn.parallel.distributed nn.parameter nn.qat
nn.quantized nn.utils nn.utils.clip_grad nn.utils.fusion nn.utils.parametrizations
nn.utils.parametrize nn.utils.rnn onnx optim optim.adam optim.adamw optim.lr_scheduler
optim.optimizer optim.sgd optim.swa_utils overrides package profiler quantization random
serialization special testing torch_version types utils utils.benchmark utils.checkpoint
utils.collect_env utils.cpp_extension utils.data utils.data._utils.collate utils.data.dataloader
utils.data.dataset utils.data.distributed utils.data.sampler utils.dlpack utils.hooks
utils.model_zoo utils.tensorboard version xpu
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_it_can_be_imported_and_named(name: str) -> None:
    module = importlib.import_module(f"chainrule.{name}")
    found = torch
    for part in name.split("."):
        found = getattr(found, part)
    assert found is module or callable(found)  # a function of the same name, as in PyTorch


def test_what_asks_for_a_device_hears_no() -> None:
    assert not torch.cuda.is_available() and torch.cuda.device_count() == 0
    assert not torch.backends.mps.is_available() and not torch.xpu.is_available()
    assert torch.accelerator.current_accelerator() is None and torch.cpu.is_available()
    assert torch.cuda.max_memory_allocated() == 0 and torch.cuda.memory_stats() == {}
    torch.cuda.empty_cache(), torch.cuda.synchronize(), torch.cuda.manual_seed_all(0)
    with torch.cuda.stream(None), torch.cuda.device(None), torch.cuda.nvtx.range("x"):
        pass


def test_guarded_names_exist_and_calling_them_is_the_error() -> None:
    kind = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
    assert kind(2).shape == (2,) and not isinstance(kind(2), torch.cuda.FloatTensor)
    with pytest.raises(TypeError, match="not available"):
        torch.cuda.LongTensor(3)
    for make in (torch.cuda.Event, torch.cuda.Stream, torch.cuda.current_device):
        with pytest.raises(RuntimeError, match="cuda"):
            make()


def test_flags_can_be_set() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = True, True
    with cudnn.flags(enabled=False, benchmark=False):
        assert not cudnn.benchmark and not cudnn.enabled
    assert cudnn.benchmark and cudnn.enabled
    cudnn.benchmark, cudnn.deterministic = before
    torch.backends.cuda.matmul.allow_tf32 = True
    with torch.backends.cuda.sdp_kernel(enable_flash=False):
        assert not torch.backends.cuda.flash_sdp_enabled()
    from chainrule.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
        torch.nn.functional.scaled_dot_product_attention(*[torch.ones(1, 2, 4)] * 3)
    torch._dynamo.config.suppress_errors = True


def test_compilers_give_back_what_they_are_given() -> None:
    def f(x):
        return x

    net = torch.nn.Linear(1, 1)
    assert torch.jit.script(f) is f and torch.jit.trace(f, torch.ones(1, 1)) is f
    assert torch.jit.unused(f) is f and torch.jit.ignore()(f) is f and torch.jit.ignore(f) is f
    assert torch.compiler.disable(f) is f and torch.compiler.disable()(f) is f
    assert torch.compile(net) is net
    assert not torch.jit.is_scripting() and not torch.compiler.is_compiling()
    assert torch.jit.isinstance([1, 2], list[int]) and not torch.jit.isinstance(["a"], list[int])


def test_what_does_not_exist_says_why() -> None:
    with pytest.raises(NotImplementedError, match="state_dict"):
        torch.onnx.export(torch.nn.Linear(1, 1), torch.ones(1, 1), "x.onnx")
    with pytest.raises(ImportError, match="quantised"):
        from chainrule.ao.quantization import quantize_dynamic  # noqa: F401  it does not exist


def test_random_states_go_on() -> None:
    state = torch.get_rng_state()
    a = torch.rand(3)
    torch.set_rng_state(state)
    with torch.random.fork_rng():
        assert torch.equal(torch.rand(3), a)
        torch.rand(5)
    assert torch.equal(torch.rand(3), a)


def test_ranges_are_measured() -> None:
    from chainrule.profiler import ProfilerActivity, profile, record_function, schedule

    seen = []
    with profile(
        activities=[ProfilerActivity.CPU], schedule=schedule(wait=1, warmup=0, active=2, repeat=1),
        on_trace_ready=lambda p: seen.append([e.name for e in p.events()]),
    ) as prof:  # fmt: skip
        for _ in range(4):
            with record_function("product"):
                torch.ones(2, 2) @ torch.ones(2, 2)
            prof.step()
    assert seen == [["product", "ProfilerStep#1", "product", "ProfilerStep#2"]]
    assert "product" in prof.key_averages().table(sort_by="cpu_time_total", row_limit=5)


def test_a_model_kept_by_jit(tmp_path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    scripted, x = torch.jit.script(net), torch.randn(4, 2)
    assert isinstance(scripted, torch.jit.ScriptModule) and scripted[0].weight is net[0].weight
    assert torch.equal(torch.jit.trace(net, x)(x), net(x))
    scripted.save(tmp_path / "net.pt")
    kept = torch.jit.load(tmp_path / "net.pt")
    assert type(kept) is torch.nn.Sequential and torch.equal(kept(x), net(x))
