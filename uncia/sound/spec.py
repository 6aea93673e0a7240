"""What an audio classifier hears: sample rate, windows and spectrogram. Pure arithmetic, without NumPy."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from uncia.imaging.frame_spec import FrameSpec

__all__ = ["SoundSpec"]

_WAVEFORM_COLUMNS = 256
_MAX_SAMPLES = 4_000_000


class SoundSpec(BaseModel):
    """Sample rate, windows and mel spectrogram of a model. Part of the model card, and therefore of the model.

    An audio classifier takes the same tensor as a classifier of photographs, a FRAME of bytes, so that repository,
    self-test, releases and Triton's configuration are the same. Its content is, by `input`,

    - `mel`: the mel spectrogram as a picture, low frequencies at the bottom, with three equal channels;
    - `waveform`: the window's samples as 16-bit little-endian integers, one after the other, then zeros. The graph
      around the imported one makes numbers of them (`uncia.triton_models.importing`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    input: Literal["mel", "waveform"] = "mel"
    sample_rate: int = Field(default=32_000, ge=1_000, le=500_000, description="Hz; recordings are resampled to it")
    window_s: float = Field(default=3.0, gt=0, le=60, description="length of a window, in seconds")
    hop_s: float = Field(default=1.5, gt=0, le=60, description="seconds from the start of a window to that of the next")
    fft: int = Field(default=1024, ge=32, le=16_384, description="samples of one short-time Fourier transform")
    mels: int = Field(default=64, ge=8, le=512, description="mel bands: rows of the spectrogram")
    columns: int = Field(default=128, ge=8, le=2048, description="columns of the spectrogram")
    low_hz: float = Field(default=150.0, ge=0, description="lower end of the lowest mel band")
    high_hz: float = Field(default=15_000.0, gt=0, description="upper end of the highest mel band")
    range_db: float = Field(
        default=48.0, gt=0, le=200, description="decibels above the median of a band that are drawn as white"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SoundSpec":
        if self.hop_s > self.window_s:
            raise ValueError("hop_s must not exceed window_s: samples between two windows would be heard by none")
        if not self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ValueError("low_hz must be below high_hz, and high_hz at most half of sample_rate")
        if not self.fft <= self.samples <= _MAX_SAMPLES:
            raise ValueError(f"a window must have at least `fft` samples, and at most {_MAX_SAMPLES:,}")
        return self

    @property
    def samples(self) -> int:
        """Samples of a window at the model's sample rate."""
        return round(self.window_s * self.sample_rate)

    @property
    def frame(self) -> FrameSpec:
        """The frame that carries a window: nothing is cropped, and the whole frame is the only window."""
        if self.input == "mel":
            width, height = self.columns, self.mels
        else:
            width, height = _WAVEFORM_COLUMNS, math.ceil(2 * self.samples / (3 * _WAVEFORM_COLUMNS))
        return FrameSpec(width=width, height=height, crop_top=0, crop_bottom=0, window=max(width, height))
