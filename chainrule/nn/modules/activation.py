"""Activations as layers, one row each, and multi-head attention."""

from __future__ import annotations

from typing import Any

from chainrule.dtypes import DType
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.modules.linear import NonDynamicallyQuantizableLinear
from chainrule.nn.modules.make import parameter
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.simple import FunctionLayer, layer
from chainrule.telling import advised
from chainrule.tensor import Tensor


class _Bare(FunctionLayer):
    """Shows settings without their names, as PyTorch prints Hardtanh and Threshold. Abstract."""

    def _shown(self, name: str) -> str:
        return "inplace=True" if name == "inplace" else f"{name}={getattr(self, name)}"


def _row(name: str, function: Any, settings: str, doc: str, shown: str | None = None) -> Any:
    """A layer whose repr names its settings, or those in `shown`."""
    named = settings if shown is None else shown
    return layer(name, function, settings, shown=named, doc=doc, module=__name__, base=_Bare)


ReLU = _row("ReLU", F.relu, "inplace", "max(x, 0)")
ReLU6 = _row("ReLU6", F.relu6, "inplace", "min(max(x, 0), 6)")
LeakyReLU = _row("LeakyReLU", F.leaky_relu, "negative_slope inplace", "x for x > 0, else slope · x")
ELU = _row("ELU", F.elu, "alpha inplace", "x for x > 0, else α (eˣ − 1)")
CELU = _row("CELU", F.celu, "alpha inplace", "x for x > 0, else α (e^{x/α} − 1)")
SELU = _row("SELU", F.selu, "inplace", "scaled ELU (Klambauer et al. 2017)")
GELU = layer("GELU", F.gelu, "approximate", shown="approximate", doc="x Φ(x)", module=__name__)
SiLU = _row("SiLU", F.silu, "inplace", "x σ(x)")
Mish = _row("Mish", F.mish, "inplace", "x tanh(softplus(x))")
Sigmoid = _row("Sigmoid", F.sigmoid, "", "1/(1 + e⁻ˣ)")
LogSigmoid = _row("LogSigmoid", F.logsigmoid, "", "log σ(x)")
Tanh = _row("Tanh", F.tanh, "", "sinh x / cosh x")
Tanhshrink = _row("Tanhshrink", F.tanhshrink, "", "x − tanh x")
Softsign = _row("Softsign", F.softsign, "", "x/(1 + |x|)")
Softplus = _row("Softplus", F.softplus, "beta threshold", "log(1 + e^{βx})/β")
Hardsigmoid = _row("Hardsigmoid", F.hardsigmoid, "inplace", "(x + 3)/6 limited to [0, 1]", "")
Hardswish = _row("Hardswish", F.hardswish, "inplace", "x · hardsigmoid(x)", "")
Threshold = _row(
    "Threshold", F.threshold, "threshold value inplace", "x where x > threshold, else value"
)
GLU = _row("GLU", F.glu, "dim", "a σ(b) of the two halves of an axis")
Softmin = _row("Softmin", F.softmin, "dim", "softmax(−x)")
Softmax = _row("Softmax", F.softmax, "dim", "eˣ/Σ eˣ along an axis")
LogSoftmax = _row("LogSoftmax", F.log_softmax, "dim", "x − log Σ eˣ along an axis")


class _Shrink(FunctionLayer):
    """Shows its one setting bare: Hardshrink(0.5). Abstract."""

    def extra_repr(self) -> str:
        return str(self.lambd)


Hardshrink = layer(
    "Hardshrink", F.hardshrink, "lambd", doc="x where |x| > λ, else 0", module=__name__,
    base=_Shrink,
)  # fmt: skip
Softshrink = layer(
    "Softshrink", F.softshrink, "lambd", doc="x moved towards 0 by λ", module=__name__, base=_Shrink
)


class Hardtanh(Module):
    """x limited to [min_val, max_val]"""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if max_val <= min_val:
            raise AssertionError(
                f"max_val must be larger than min_val, got {min_val} and {max_val}"
            )
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (
            ", inplace=True" if self.inplace else ""
        )


class Softmax2d(Module):
    """softmax over the channels of (N, C, H, W) or (C, H, W)"""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)


class RReLU(Module):
    """leaky_relu with a random slope from U(lower, upper) in training, the mean slope else"""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (
            ", inplace=True" if self.inplace else ""
        )


class PReLU(Module):
    """x for x > 0, else a · x, with learned a (one, or one per channel)"""

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None,
        dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = parameter((num_parameters,), dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class MultiheadAttention(Module):
    """Concat(head₁ … headₕ) W_O, headᵢ = softmax(Qᵢ Kᵢᵀ/√dₖ) Vᵢ

    query (T, B, E), key and value (S, B, E); (B, T, E) with batch_first, (T, E) without a batch →
    the output like query, and the weights (B, T, S), averaged over heads unless
    average_attn_weights is False; None with need_weights=False. attn_mask (T, S) or (B · heads, T,
    S) and key_padding_mask (B, S): boolean, True where one may NOT look, or floating point, added
    to the scores. A query that may look nowhere gets zeros. in_proj_weight is Xavier uniform, the
    biases are 0. Raises RuntimeError for shapes that do not fit, AssertionError where heads do not
    divide embed_dim.

    Vaswani et al., "Attention is all you need" (2017).

    >>> import chainrule as torch
    >>> attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = torch.ones(1, 5, 8)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    (torch.Size([1, 5, 8]), torch.Size([1, 5, 5]))
    """

    @property
    def _takes(self) -> dict[str, list[str]]:
        lead = "batch {}" if self.batch_first else "{} batch"
        named = {
            "query": ("targets", "embed_dim"),
            "key": ("sources", "kdim"),
            "value": ("sources", "vdim"),
        }
        return {
            name: [f"{lead.format(axis)} features={size}", f"{axis} features={size}"]
            for name, (axis, size) in named.items()
        }

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Any = None,
        dtype: DType | None = None,
    ) -> None:  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = (
            embed_dim,
            num_heads,
            dropout,
            batch_first,
        )
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            near = [h for h in range(1, embed_dim + 1) if embed_dim % h == 0]
            heads = min(near, key=lambda h: abs(h - num_heads))
            raise advised(
                AssertionError(
                    f"embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}"
                ),
                f"num_heads={heads}, or embed_dim={-(-embed_dim // num_heads) * num_heads}",
            )
        same = self._qkv_same_embed_dim
        self.register_parameter("in_proj_weight", None)
        for name, shape in (
            ("q_proj_weight", (embed_dim, embed_dim)), ("k_proj_weight", (embed_dim, self.kdim)),
            ("v_proj_weight", (embed_dim, self.vdim)),
        ):  # fmt: skip
            self.register_parameter(name, None if same else parameter(shape, dtype, device))
        if same:
            self.in_proj_weight = parameter((3 * embed_dim, embed_dim), dtype, device)
        self.register_parameter(
            "in_proj_bias", parameter((3 * embed_dim,), dtype) if bias else None
        )
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, dtype=dtype
        )
        self.bias_k = parameter((1, 1, embed_dim), dtype) if add_bias_kv else None
        self.bias_v = parameter((1, 1, embed_dim), dtype) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for w in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if w is not None:
                init.xavier_uniform_(w)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for b in (self.bias_k, self.bias_v):
            if b is not None:
                init.xavier_normal_(b)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None,
        average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        swap = self.batch_first and query.ndim == 3
        if swap:
            if query is key and key is value:
                query = key = value = query.transpose(1, 0)
            else:
                same = key is value
                query, key = query.transpose(1, 0), key.transpose(1, 0)
                value = key if same else value.transpose(1, 0)
        y, w = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim, q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight, v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return (y.transpose(1, 0) if swap else y), w
