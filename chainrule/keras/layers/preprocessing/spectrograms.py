"""Sounds as pictures: how strong each frequency is at each time."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.ops import stft
from chainrule.keras.registry import known
from chainrule.keras.settings import to_dtype
from chainrule.tensor import Tensor, creation


@known
class MelSpectrogram(DataLayer):
    """(…, samples) → (…, num_mel_bins, times): how strong bands of frequencies are that are equally
    wide to the ear (mel = 2595 log₁₀(1 + f / 700)), in decibel unless `power_to_db` is False.
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: str = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        if self.fft_length < self.sequence_length:
            raise ValueError(
                "`fft_length` must be greater than or equal to   `sequence_length`. Received: "
                f"`sequence_length`={self.sequence_length}, `fft_length`={self.fft_length}."
            )
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power

    def call(self, inputs: Tensor) -> Tensor:
        real, imag = stft(
            inputs.float(), sequence_length=self.sequence_length,
            sequence_stride=self.sequence_stride, fft_length=self.fft_length, window=self.window,
            center=True,
        )  # fmt: skip
        power = (real * real + imag * imag).sqrt() ** self.mag_exp
        bands = self.linear_to_mel_weight_matrix(
            self.num_mel_bins, int(power.shape[-1]), self.sampling_rate, self.min_freq,
            self.max_freq,
        )  # fmt: skip
        out = power @ bands
        if self.power_to_db:
            out = 10.0 * out.clamp(min=self.min_power).log10()
            out = out - 10.0 * float(np.log10(max(abs(self.ref_power), self.min_power)))
            out = out.maximum(out.max() - self.top_db)
        return out.transpose(-1, -2).to(to_dtype(self.compute_dtype))

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> Tensor:
        """(frequencies, bands): triangles of height 1, which begin where the band before has its
        top. The lowest frequency, 0, belongs to no band.
        """
        frequencies = _mel(np.linspace(0.0, sampling_rate / 2, num_spectrogram_bins)[1:, None])
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        low, top, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (frequencies - low) / (top - low), (high - frequencies) / (high - top)
        weights = np.maximum(0.0, np.minimum(rising, falling))
        return creation.tensor(np.pad(weights, [[1, 0], [0, 0]]), dtype=to_dtype(dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        *lead, samples = input_shape
        stride = self.sequence_stride
        times = None if samples is None else (samples + stride + 1) // stride
        return (*lead, self.num_mel_bins, times)

    def _output_dtype(self, tensor: Any) -> str:
        return self.compute_dtype


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0)
