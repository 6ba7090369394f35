"""Unit 03: Whisper's input, from thirty seconds of sound to 80 × 3000 numbers."""

import math
from functools import cache

import numpy as np
import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Tolerance, Wrong, arguments, exercise

UNIT = "03_whisper_mel"
SAMPLE_RATE, N_FFT, HOP = 16_000, 400, 160
N_SAMPLES, N_FRAMES = 480_000, 3_000


# --------------------------------------------------------------------------------------------------- pad_or_trim


@exercise(unit=UNIT)
def pad_or_trim(x, length=N_SAMPLES):
    return functional.pad(x, (0, length - x.shape[-1]))  # a negative amount trims


@pad_or_trim.case
def too_short(draw: Draw):
    """A sound that is too short."""
    return arguments(draw.normal(5), length=9)


@pad_or_trim.case
def too_long(draw: Draw):
    """A sound that is too long."""
    return draw.normal(11), 4


@pad_or_trim.case
def just_right(draw: Draw):
    """A sound that already has the length."""
    return draw.normal(7), 7


@pad_or_trim.case(group="shapes")
def short_batch(draw: Draw):
    """A batch of short sounds, (B, T)."""
    return draw.normal(3, 5), 8


@pad_or_trim.case(group="shapes")
def long_batch(draw: Draw):
    """A batch of long sounds."""
    return draw.normal(2, 9), 6


@pad_or_trim.case(group="shapes")
def batch_of_one(draw: Draw):
    """A batch of one sound, (1, T)."""
    return draw.normal(1, 6), 8


@pad_or_trim.hidden_case(group="shapes")
def more_sounds_than_samples(draw: Draw):
    """More sounds in the batch than samples in each."""
    return draw.normal(9, 5), 7


@pad_or_trim.hidden_case(group="shapes")
def channels(draw: Draw):
    """A batch with several channels, (B, C, T)."""
    return draw.normal(2, 3, 10), 7


@pad_or_trim.case(group="thirty seconds")
def no_length_given(draw: Draw):
    """A short sound, and no length given."""
    return draw.normal(draw.integer(50, 90))


@pad_or_trim.hidden_case(group="thirty seconds")
def longer_than_thirty_seconds(draw: Draw):
    """A little more than thirty seconds, and no length given."""
    return draw.normal(N_SAMPLES + draw.integer(20, 60))


@pad_or_trim.case(group="edge")
def sixteen_bit(draw: Draw):
    """Samples as 16-bit whole numbers."""
    return draw.integers(-32_768, 32_768, 5).to(torch.int16), 8


@pad_or_trim.hidden_case(group="edge")
def no_samples(draw: Draw):
    """Sounds without a single sample."""
    return draw.normal(2, 0), 4


@pad_or_trim.hidden_case(group="edge")
def one_sample_too_many(draw: Draw):
    """One sample too many, in float64."""
    return draw.normal(2, 8).double(), 7


@pad_or_trim.hidden_case(group="edge")
def twice_as_long(draw: Draw):
    """A sound of more than twice the length."""
    return draw.normal(13), 5


@pad_or_trim.hidden_case(group="edge")
def one_sample_missing(draw: Draw):
    """Exactly one sample is missing."""
    return draw.normal(2, 6), 7


@pad_or_trim.hidden_case(group="shapes")
def four_axes(draw: Draw):
    """Four axes, trimmed."""
    return draw.normal(2, 3, 4, 9), 5


@pad_or_trim.misconception(
    "The zeros come before the sound: it starts late.",
    hint="In `functional.pad(x, (a, b))` one number counts the zeros before and one those after. Which is which?",
)
def zeros_in_front(x, length=N_SAMPLES):
    return functional.pad(x[..., :length], (max(length - x.shape[-1], 0), 0))


@pad_or_trim.misconception(
    "The zeros are shared between both ends, so the sound sits in the middle.",
    hint="When does the sound begin, before and after? Whisper's clock starts with the first sample.",
)
def zeros_on_both_sides(x, length=N_SAMPLES):
    missing = max(length - x.shape[-1], 0)
    return functional.pad(x[..., :length], (missing // 2, missing - missing // 2))


@pad_or_trim.misconception(
    "A long sound keeps its end and loses its beginning.",
    hint="Which samples does `x[..., -n:]` keep, and which should stay?",
)
def end_kept(x, length=N_SAMPLES):
    return functional.pad(x[..., max(x.shape[-1] - length, 0) :], (0, max(length - x.shape[-1], 0)))


@pad_or_trim.misconception(
    "A long sound loses half of the surplus at each end.",
    hint="Trimming drops samples from one end only. Which one, if time starts at zero?",
)
def middle_kept(x, length=N_SAMPLES):
    start = max(x.shape[-1] - length, 0) // 2
    return functional.pad(x[..., start : start + length], (0, max(length - x.shape[-1], 0)))


@pad_or_trim.misconception(
    "It pads, but it never trims: a long sound stays long.",
    hint="Call it on nine samples with length 6. How many come back?",
)
def never_trims(x, length=N_SAMPLES):
    return functional.pad(x, (0, max(length - x.shape[-1], 0)))


@pad_or_trim.misconception(
    "It trims, but it never pads: a short sound stays short.",
    hint="A slice that goes past the end stops at the end. Where do the missing samples come from?",
)
def never_pads(x, length=N_SAMPLES):
    return x[..., :length].clone()


@pad_or_trim.misconception(
    "It cuts or fills along the first axis, which is time only where there is no batch.",
    hint="Time is the last axis. What does `x[:length]` cut in a tensor of shape (B, T)?",
)
def along_the_first_axis(x, length=N_SAMPLES):
    kept = x[:length]
    return torch.cat([kept, kept.new_zeros(length - len(kept), *x.shape[1:])])


@pad_or_trim.misconception(
    "It takes `len(x)` for the number of samples; in a batch that is the number of sounds.",
    hint="For a tensor of shape (B, T), what is `len(x)`, and which entry of `x.shape` is T?",
)
def sounds_counted(x, length=N_SAMPLES):
    return functional.pad(x[..., :length], (0, max(length - len(x), 0)))


@pad_or_trim.misconception(
    "The length that was asked for is ignored: the answer always has 480 000 samples.",
    hint="480 000 is what `length` is when nobody says otherwise.",
)
def length_ignored(x, length=N_SAMPLES):
    return functional.pad(x, (0, N_SAMPLES - x.shape[-1]))


@pad_or_trim.misconception(
    "The missing samples are filled with the sound itself, over and over.",
    hint="After the recording there is silence. Which number is silence?",
)
def repeated(x, length=N_SAMPLES):
    if x.shape[-1] == 0:
        return x.new_zeros(*x.shape[:-1], length)
    times = -(-length // x.shape[-1])
    return x.repeat(*[1] * (x.ndim - 1), times)[..., :length]


@pad_or_trim.misconception(
    "The missing samples hold the last value instead of zero.",
    hint="After the recording there is silence. Which number is silence?",
)
def last_sample_held(x, length=N_SAMPLES):
    if x.shape[-1] == 0:
        return x.new_zeros(*x.shape[:-1], length)
    positions = torch.arange(length).clamp_max(x.shape[-1] - 1)
    return x[..., positions]


@pad_or_trim.misconception(
    "The sound is stretched or squeezed to the length: it is played slower or faster.",
    hint="The samples that stay should keep their values and their places.",
)
def stretched(x, length=N_SAMPLES):
    if x.shape[-1] == 0:
        return x.new_zeros(*x.shape[:-1], length)
    rows = x.reshape(1, -1, x.shape[-1]).double()
    return functional.interpolate(rows, length, mode="linear").reshape(*x.shape[:-1], length).to(x.dtype)


@pad_or_trim.misconception(
    "A sound that already has the length comes back empty: `x[..., :-0]` is nothing, not everything.",
    hint="Count from the front: up to which sample does the slice go?",
)
def minus_zero(x, length=N_SAMPLES):
    surplus = x.shape[-1] - length
    return functional.pad(x, (0, -surplus)) if surplus < 0 else x[..., :-surplus].clone()


@pad_or_trim.alternative
def slice_then_pad(x, length=N_SAMPLES):
    x = x[..., :length]
    return functional.pad(x, (0, length - x.shape[-1]))


@pad_or_trim.alternative
def into_zeros(x, length=N_SAMPLES):
    n = min(length, x.shape[-1])
    result = torch.zeros(*x.shape[:-1], length, dtype=x.dtype)
    result[..., :n] = x[..., :n]
    return result


@pad_or_trim.alternative
def zeros_joined_and_cut(x, length=N_SAMPLES):
    return torch.cat([x, x.new_zeros(*x.shape[:-1], length)], dim=-1).narrow(-1, 0, length)


# --------------------------------------------------------------------------------------------------- hann_window


@exercise(unit=UNIT, tolerance=Tolerance(atol=2e-6, rtol=1e-5))
def hann_window(n):
    return torch.hann_window(n)


@hann_window.case
def four_numbers(draw: Draw):
    """Four numbers."""
    return 4


@hann_window.case
def even(draw: Draw):
    """An even length."""
    return 2 * draw.integer(4, 16)


@hann_window.hidden_case
def odd(draw: Draw):
    """An odd length."""
    return 2 * draw.integer(4, 16) + 1


@hann_window.case(group="long windows")
def four_hundred(draw: Draw):
    """Whisper's own, 400."""
    return 400


@hann_window.hidden_case(group="long windows")
def a_vocoder_s(draw: Draw):
    """Longer ones, as vocoders use."""
    return draw.choice((882, 1_024, 1_200, 2_048))


@hann_window.case(group="short windows")
def three_numbers(draw: Draw):
    """Three numbers."""
    return 3


@hann_window.hidden_case(group="short windows")
def two_numbers(draw: Draw):
    """Two numbers."""
    return 2


def _cosine_window(n: int, period: float, start: float = 0.0, mean: float = 0.5) -> torch.Tensor:
    return mean - (1 - mean) * torch.cos(2 * math.pi * (torch.arange(n) + start) / period)


@hann_window.misconception(
    "It is the symmetric window: it comes back to zero at its last number, one step too early.",
    hint="One swing should take n steps, so that the next window would begin at step n. Is step n part of the window?",
)
def symmetric(n):
    return _cosine_window(n, n - 1)


@hann_window.misconception(
    "It is the Hamming window: its ends are 0.08, not 0.",
    hint="Hann and Hamming are two people. In Hann's window the constant and the swing are both one half.",
)
def hamming(n):
    return _cosine_window(n, n, mean=0.54)


@hann_window.misconception(
    "It is upside down: one at the ends and zero in the middle.",
    hint="A window lets the middle of the frame through. What is cos(0), and what should w[0] be?",
)
def upside_down(n):
    return 1 - _cosine_window(n, n)


@hann_window.misconception(
    "It is twice too high: its peak is 2.",
    hint="1 − cos goes from 0 to 2. Which factor is missing?",
)
def twice_too_high(n):
    return 2 * _cosine_window(n, n)


@hann_window.misconception(
    "It only rises: the cosine makes half a swing from the first number to the last.",
    hint="A whole swing is 2π, not π.",
)
def half_a_swing(n):
    return _cosine_window(n, 2 * n)


@hann_window.misconception(
    "It is half a sine wave, the square root of the Hann window.",
    hint="Compare it with the formula at a quarter of the way: should it be 0.5 or 0.707?",
)
def not_squared(n):
    return _cosine_window(n, n).sqrt()


@hann_window.misconception(
    "It starts one step late: its last number is zero, its first is not.",
    hint="The first number belongs to k = 0. Where does your count begin?",
)
def counted_from_one(n):
    return _cosine_window(n, n, start=1)


@hann_window.misconception(
    "It is taken half-way between the steps, so it never reaches zero.",
    hint="w[0] should be exactly zero. Which k does your first number belong to?",
)
def between_the_steps(n):
    return _cosine_window(n, n, start=0.5)


@hann_window.misconception(
    "It divides by n + 1 and leaves the zeros at both ends out.",
    hint="w[0] should be exactly zero, and the swing should take n steps.",
)
def without_zeros(n):
    return _cosine_window(n, n + 1, start=1)


@hann_window.misconception(
    "It is a triangle: two straight lines instead of a cosine.",
    hint="At an eighth of the way the Hann window is at 0.146, well below a quarter.",
)
def triangle(n):
    return 1 - (2 * torch.arange(n) / n - 1).abs()


@hann_window.misconception(
    "It is a Blackman window, with a second cosine.",
    hint="Hann's formula has one cosine, and both factors are one half.",
)
def blackman(n):
    return torch.blackman_window(n)


@hann_window.misconception(
    "It is divided by its sum.",
    hint="A window's peak is 1 (for even n). Nothing is normalised here.",
)
def sums_to_one(n):
    window = _cosine_window(n, n)
    return window / window.sum()


@hann_window.alternative
def squared_sine(n):
    return torch.sin(math.pi * torch.arange(n) / n) ** 2


@hann_window.alternative
def longer_symmetric_cut(n):
    return torch.hann_window(n + 1, periodic=False)[:-1].clone()


@hann_window.alternative
def one_by_one(n):
    return torch.tensor([0.5 - 0.5 * math.cos(2 * math.pi * k / n) for k in range(n)])


# -------------------------------------------------------------------------------------------------- frame_signal


@exercise(unit=UNIT)
def frame_signal(x, frame_length=N_FFT, hop=HOP):
    import librosa

    padded = np.pad(x.numpy(), frame_length // 2, mode="reflect")
    frames = librosa.util.frame(padded, frame_length=frame_length, hop_length=hop, axis=0)
    return torch.from_numpy(frames.copy())


@frame_signal.case
def hop_divides(draw: Draw):
    """A whole number of hops."""
    return arguments(draw.normal(8), frame_length=4, hop=2)


@frame_signal.case
def hop_does_not_divide(draw: Draw):
    """A few samples more than a whole number of hops."""
    return draw.normal(17), 6, 5


@frame_signal.hidden_case
def three_quarters_shared(draw: Draw):
    """Frames that share three quarters with the next."""
    return draw.normal(29), 8, 2


@frame_signal.case(group="Whisper's frames")
def whisper_s_own(draw: Draw):
    """25 ms every 10 ms, nothing else said."""
    return draw.normal(160 * draw.integer(4, 8))


@frame_signal.hidden_case(group="Whisper's frames")
def a_second_or_so(draw: Draw):
    """A whole second, in hundreds of frames."""
    return draw.normal(16_000 + draw.integer(1, 160)), 80, 40


@frame_signal.hidden_case(group="Whisper's frames")
def almost_another_frame(draw: Draw):
    """One sample short of another frame."""
    return draw.normal(160 * draw.integer(4, 8) - 1)


@frame_signal.case(group="edge")
def with_gaps(draw: Draw):
    """A hop longer than the frame: samples between the frames are skipped."""
    return draw.normal(26), 4, 7


@frame_signal.case(group="edge")
def barely_long_enough(draw: Draw):
    """A sound just long enough to be mirrored."""
    return draw.normal(5), 8, 3


@frame_signal.hidden_case(group="edge")
def side_by_side(draw: Draw):
    """Frames that touch without overlapping."""
    return draw.normal(20), 6, 6


@frame_signal.hidden_case(group="edge")
def every_sample(draw: Draw):
    """A frame at every sample."""
    return draw.normal(9), 4, 1


@frame_signal.hidden_case(group="edge")
def one_frame(draw: Draw):
    """A sound shorter than a hop: one frame."""
    return draw.normal(6), 10, 8


@frame_signal.case(group="edge")
def double_precision_frames(draw: Draw):
    """Samples in float64."""
    return draw.normal(14).double(), 6, 4


def _frames(x: torch.Tensor, frame_length: int, hop: int, left: int, right: int, mode: str) -> torch.Tensor:
    padded = np.pad(x.numpy(), (left, right), mode=mode)
    return torch.from_numpy(padded).unfold(0, frame_length, hop).clone()


@frame_signal.misconception(
    "The edges are padded with zeros; Whisper mirrors the sound there.",
    hint="What stands left of the first sample, seen in a mirror? `functional.pad` has a mode for it.",
)
def zeros_at_the_edges(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, hop, half, half, "constant")


@frame_signal.misconception(
    "The frames start at the samples 0, hop, 2·hop …; those should be their middles.",
    hint="Frame 0 should be centred on sample 0. How many samples then lie before the sound begins?",
)
def not_centred(x, frame_length=N_FFT, hop=HOP):
    return _frames(x, frame_length, hop, 0, max(frame_length - len(x), 0), "constant")


@frame_signal.misconception(
    "`frame_length` and `hop` have changed places.",
    hint="One says how long a frame is, the other how far it is to the next. Which should be the number of columns?",
)
def exchanged(x, frame_length=N_FFT, hop=HOP):
    half = min(hop // 2, len(x) - 1)
    return _frames(x, hop, frame_length, half, half, "reflect")


@frame_signal.misconception(
    "The mirror shows the first and the last sample twice.",
    hint="Reflected, [1, 2, 3] goes on to the left with 2, not with 1: the edge itself is the mirror.",
)
def edge_twice(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, hop, half, half, "symmetric")


@frame_signal.misconception(
    "The edges hold the first and the last sample; they should mirror the sound.",
    hint="`functional.pad` has several modes. `replicate` repeats one sample. Which one turns the sound around?",
)
def edge_held(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, hop, half, half, "edge")


@frame_signal.misconception(
    "The padding comes from the other end of the sound, as if it went round in a circle.",
    hint="What stands left of the first sample, seen in a mirror?",
)
def round_in_a_circle(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, hop, half, half, "wrap")


@frame_signal.misconception(
    "The last frame is missing: Whisper drops it later, from the spectrogram, not here.",
    hint="With T = 8 and hop = 2 the frames are centred on 0, 2, 4, 6 and 8. How many are these?",
)
def last_frame_missing(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, hop, half, half, "reflect")[: len(x) // hop]


@frame_signal.misconception(
    "A frame is a column, as in librosa; here it is a row.",
    hint="The result has shape (n_frames, frame_length).",
)
def frames_in_columns(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, hop, half, half, "reflect").T.contiguous()


@frame_signal.misconception(
    "It pads a whole frame on each side; half a frame is enough to centre the first on sample 0.",
    hint="A frame of 400 centred on sample 0 reaches how far to the left of it?",
)
def a_whole_frame_of_padding(x, frame_length=N_FFT, hop=HOP):
    return _frames(x, frame_length, hop, frame_length, frame_length, "reflect")


@frame_signal.misconception(
    "It pads (frame_length − hop)/2 on each side, as HiFi-GAN does; then frame 0 is not centred on sample 0.",
    hint="A frame of 400 centred on sample 0 reaches how far to the left of it? The hop has no say in that.",
)
def padded_as_in_hifi_gan(x, frame_length=N_FFT, hop=HOP):
    side = max((frame_length - hop) // 2, 0)
    frames = _frames(x, frame_length, hop, side, side, "reflect") if len(x) + 2 * side >= frame_length else None
    return x.new_zeros(0, frame_length) if frames is None else frames


@frame_signal.misconception(
    "Only the beginning is padded, so the last frames are missing.",
    hint="The last frame is centred near the last sample. How far does it reach beyond it?",
)
def padded_on_the_left_only(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    padded = functional.pad(_frames(x, half + len(x), 1, half, 0, "reflect")[0], (0, max(half - len(x), 0)))
    return padded.unfold(0, frame_length, hop).clone()


@frame_signal.misconception(
    "The frames do not overlap: each begins where the one before it ended.",
    hint="From one frame to the next it is `hop` samples, whatever the length of a frame.",
)
def hop_ignored(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return _frames(x, frame_length, frame_length, half, half, "reflect")


@frame_signal.misconception(
    "The window is already applied: the frames should hold the samples as they are.",
    hint="Each number of the result is one of the samples, unchanged. The window comes in the next exercise.",
)
def already_windowed(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    frames = _frames(x, frame_length, hop, half, half, "reflect")
    return frames * torch.hann_window(frame_length, dtype=x.dtype)


@frame_signal.alternative
def unfolded(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    return functional.pad(x[None], (half, half), mode="reflect")[0].unfold(0, frame_length, hop)


@frame_signal.alternative
def folded_index(x, frame_length=N_FFT, hop=HOP):
    starts = torch.arange(1 + len(x) // hop) * hop - frame_length // 2
    index = (starts[:, None] + torch.arange(frame_length)).abs()
    return x[len(x) - 1 - (len(x) - 1 - index).abs()]


@frame_signal.alternative
def frame_by_frame(x, frame_length=N_FFT, hop=HOP):
    half = frame_length // 2
    padded = torch.cat([x[1 : half + 1].flip(0), x, x[-half - 1 : -1].flip(0)])
    return torch.stack([padded[start : start + frame_length] for start in range(0, len(x) + 1, hop)])


# --------------------------------------------------------------------------------------------- power_spectrogram


# Loose enough for a Fourier transform written as a float32 matrix of cosines and sines.
@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=2e-3, rtol=1e-3))
def power_spectrogram(x, n_fft=N_FFT, hop=HOP):
    window = torch.hann_window(n_fft, dtype=x.dtype)
    return torch.stft(x, n_fft, hop, window=window, return_complex=True)[:, :-1].abs().square()


@power_spectrogram.case
def whole_hops(draw: Draw):
    """A whole number of hops."""
    return arguments(draw.normal(24), n_fft=8, hop=4)


@power_spectrogram.case
def and_a_few_samples(draw: Draw):
    """A few samples more than a whole number of hops."""
    return draw.normal(33), 12, 5


@power_spectrogram.hidden_case
def as_many_bins_as_frames(draw: Draw):
    """As many frequencies as frames."""
    return draw.normal(30), 10, 5


@power_spectrogram.case(group="Whisper's spectrogram")
def nothing_said(draw: Draw):
    """400 and 160, nothing else said."""
    return draw.normal(160 * 5 + draw.integer(1, 160), scale=0.1)


@power_spectrogram.hidden_case(group="Whisper's spectrogram")
def a_tone(draw: Draw):
    """A pure tone in noise."""
    time = torch.arange(160 * 6) / SAMPLE_RATE
    return 0.1 * torch.sin(2 * math.pi * draw.integer(300, 7_000) * time) + draw.normal(len(time), scale=0.1)


@power_spectrogram.case(group="edge")
def a_pause(draw: Draw):
    """A pause in the middle."""
    x = draw.normal(60)
    x[15:45] = 0.0
    return x, 8, 4


@power_spectrogram.case(group="edge")
def offset(draw: Draw):
    """A sound that does not swing around zero."""
    return draw.normal(26) + 2.0, 6, 4


@power_spectrogram.hidden_case(group="edge")
def hop_longer_than_frame(draw: Draw):
    """A hop longer than the frame."""
    return draw.normal(40), 6, 9


@power_spectrogram.hidden_case(group="edge")
def barely_long_enough_to_mirror(draw: Draw):
    """A sound just long enough to be mirrored."""
    return draw.normal(7), 12, 2


@power_spectrogram.hidden_case(group="edge")
def double_precision_spectrogram(draw: Draw):
    """Samples in float64."""
    return draw.normal(31).double(), 10, 4


@power_spectrogram.hidden_property_case(group="edge")
def silence_has_no_power(draw: Draw):
    """Silence has no power at all, not even a very small one."""
    got = yield arguments(torch.zeros(draw.integer(30, 50)), n_fft=10, hop=4)
    if got.value.any():
        raise Wrong("the power of silence is not zero")


def _stft(
    x: torch.Tensor,
    n_fft: int,
    hop: int,
    window: torch.Tensor | None = None,
    **changes: object,
) -> torch.Tensor:
    """The complex spectrogram, its last frame still there."""
    window = torch.hann_window(n_fft, dtype=x.dtype) if window is None else window
    return torch.stft(x, n_fft, hop, window=window, return_complex=True, **changes)


@power_spectrogram.misconception(
    "It is the magnitude: the square is missing.",
    hint="Twice the amplitude should give four times the power. What does yours give?",
)
def magnitude(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:, :-1].abs()


@power_spectrogram.misconception(
    "There is one frame too many: Whisper drops the last one.",
    hint="480 000 samples in hops of 160 should give 3000 frames. How many does the centred STFT give?",
)
def one_frame_too_many(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop).abs().square()


@power_spectrogram.misconception(
    "The first frame is dropped instead of the last, so every frame comes 10 ms too early.",
    hint="Frame 0 is centred on sample 0, and it should stay.",
)
def first_frame_dropped(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:, 1:].abs().square()


@power_spectrogram.misconception(
    "The highest frequency is dropped instead of the last frame: `[:-1]` cuts the first axis.",
    hint="Which axis is time? The result has n_fft//2 + 1 rows and T//hop columns.",
)
def highest_frequency_dropped(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:-1].abs().square()


@power_spectrogram.misconception(
    "The frames are not windowed, so every tone leaks into all frequencies.",
    hint="What does `torch.stft` do when it gets no window? It warns about it, too.",
)
def no_window(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop, window=torch.ones(n_fft, dtype=x.dtype))[:, :-1].abs().square()


@power_spectrogram.misconception(
    "The window is the symmetric one; Whisper's is periodic.",
    hint="Its last number should not be zero: compare it with your `hann_window`.",
)
def symmetric_window(x, n_fft=N_FFT, hop=HOP):
    window = torch.hann_window(n_fft, periodic=False, dtype=x.dtype)
    return _stft(x, n_fft, hop, window=window)[:, :-1].abs().square()


@power_spectrogram.misconception(
    "The window is Hamming's, not Hann's.",
    hint="Hann's window begins with 0, Hamming's with 0.08.",
)
def hamming_instead(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop, window=torch.hamming_window(n_fft, dtype=x.dtype))[:, :-1].abs().square()


@power_spectrogram.misconception(
    "The window is applied twice.",
    hint="If your frames are windowed already, the transform should not window them again.",
)
def windowed_twice(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop, window=torch.hann_window(n_fft, dtype=x.dtype).square())[:, :-1].abs().square()


@power_spectrogram.misconception(
    "The edges are padded with zeros, as librosa does by default; Whisper mirrors the sound there.",
    hint="Only the first and the last frames differ. `pad_mode` says what stands beyond the edges.",
)
def zeros_beyond_the_edges(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop, pad_mode="constant")[:, :-1].abs().square()


@power_spectrogram.misconception(
    "The frames are not centred: frame 0 begins at sample 0 instead of having it in its middle.",
    hint="Half a frame of mirrored sound belongs before the first sample.",
)
def frames_not_centred(x, n_fft=N_FFT, hop=HOP):
    missing = max(0, n_fft + (len(x) // hop - 1) * hop - len(x))
    return _stft(functional.pad(x, (0, missing)), n_fft, hop, center=False)[:, : len(x) // hop].abs().square()


@power_spectrogram.misconception(
    "All n_fft frequencies are there; the upper half only mirrors the lower.",
    hint="A real signal needs n_fft//2 + 1 frequencies. Which Fourier transform gives just those?",
)
def both_halves(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop, onesided=False)[:, :-1].abs().square()


@power_spectrogram.misconception(
    "The transform is divided by √n_fft; Whisper's is not scaled.",
    hint="Look for `norm` or `normalized`. For n_fft = 4 and the frame [0, 0, 1, 0] every power is 1.",
)
def scaled(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop, normalized=True)[:, :-1].abs().square()


@power_spectrogram.misconception(
    "Only the real part is squared; the imaginary part carries power too.",
    hint="For a complex number z = a + bi, what is |z|²?",
)
def real_part_only(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:, :-1].real.square()


@power_spectrogram.misconception(
    "The complex number is squared without taking its absolute value.",
    hint="(a + bi)² and |a + bi|² = a² + b² are not the same. Power is real and never negative.",
)
def complex_square(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:, :-1].square().real


@power_spectrogram.misconception(
    "Rows are frames and columns are frequencies: it should be the other way round.",
    hint="The shape is (n_fft//2 + 1, T//hop): frequency upwards, time to the right.",
)
def time_in_rows(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:, :-1].abs().square().T


@power_spectrogram.misconception(
    "The hop is always a quarter of the frame, which is what `torch.stft` takes when it is not told.",
    hint="Is `hop` used anywhere in your function?",
)
def quarter_hops(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, n_fft // 4)[:, :-1].abs().square()


@power_spectrogram.misconception(
    "A small number is put in the place of zero: silence should have no power at all.",
    hint="Something tiny keeps a logarithm from −∞. Is there a logarithm in this exercise?",
)
def never_zero(x, n_fft=N_FFT, hop=HOP):
    return _stft(x, n_fft, hop)[:, :-1].abs().square().clamp_min(1e-10)


@power_spectrogram.misconception(
    "In a silent frame the gradient is NaN: a square root is taken there only to be squared again.",
    hint="The root's slope is infinite at 0. Can you get a² + b² without a root?",
)
def root_and_square(x, n_fft=N_FFT, hop=HOP):
    spectrum = _stft(x, n_fft, hop)[:, :-1]
    return (spectrum.real.square() + spectrum.imag.square()).sqrt().square()


@power_spectrogram.alternative
def by_frames(x, n_fft=N_FFT, hop=HOP):
    half = n_fft // 2
    frames = functional.pad(x[None], (half, half), mode="reflect")[0].unfold(0, n_fft, hop)[: len(x) // hop]
    spectrum = torch.fft.rfft(frames * torch.hann_window(n_fft, dtype=x.dtype))
    return (spectrum.real**2 + spectrum.imag**2).T


@power_spectrogram.alternative
def by_cosines_and_sines(x, n_fft=N_FFT, hop=HOP):
    half = n_fft // 2
    frames = functional.pad(x[None], (half, half), mode="reflect")[0].unfold(0, n_fft, hop)
    n, k = torch.arange(n_fft), torch.arange(half + 1)[:, None]
    angles = (2 * math.pi * k * n / n_fft).to(x.dtype)
    windowed = (frames * (0.5 - 0.5 * torch.cos(2 * math.pi * n / n_fft))).to(x.dtype).T
    return ((torch.cos(angles) @ windowed) ** 2 + (torch.sin(angles) @ windowed) ** 2)[:, : len(x) // hop]


@power_spectrogram.alternative
def by_convolution(x, n_fft=N_FFT, hop=HOP):
    bins = n_fft // 2 + 1
    waves = torch.fft.rfft(torch.diag(torch.hann_window(n_fft, dtype=x.dtype))).T
    padded = functional.pad(x[None, None], (n_fft // 2, n_fft // 2), mode="reflect")
    parts = functional.conv1d(padded, torch.cat([waves.real, waves.imag])[:, None], stride=hop)[0, :, : len(x) // hop]
    return parts[:bins].square() + parts[bins:].square()


# ------------------------------------------------------------------------------------------ hz_to_mel, mel_to_hz

LOG_STEP = math.log(6.4) / 27


def _htk(f: torch.Tensor) -> torch.Tensor:
    return 2595 * torch.log10(1 + f / 700)


def _slaney(f: torch.Tensor) -> torch.Tensor:
    return torch.where(f < 1_000, f * 3 / 200, 15 + torch.log(f.clamp_min(1_000) / 1_000) / LOG_STEP)


def _slaney_inverse(m: torch.Tensor) -> torch.Tensor:
    return torch.where(m < 15, m * 200 / 3, 1_000 * torch.exp(LOG_STEP * (m - 15)))


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-5, rtol=1e-5))
def hz_to_mel(f):
    import librosa

    return torch.as_tensor(librosa.hz_to_mel(f.numpy()), dtype=f.dtype)


@hz_to_mel.case
def below_the_bend(draw: Draw):
    """Frequencies below 1000 Hz."""
    return draw.uniform(5, low=20.0, high=990.0)


@hz_to_mel.case
def above_the_bend(draw: Draw):
    """Frequencies above 1000 Hz."""
    return draw.uniform(5, low=1_010.0, high=8_000.0)


@hz_to_mel.case
def across_the_bend(draw: Draw):
    """Low and high ones mixed, in two rows."""
    low, high = draw.uniform(3, low=50.0, high=950.0), draw.uniform(3, low=1_200.0, high=8_000.0)
    return torch.stack([torch.cat([low, high])[draw.permutation(6)] for _ in range(2)])


@hz_to_mel.case(group="edge")
def at_the_bend(draw: Draw):
    """0 Hz, exactly 1000 Hz, and 8000 Hz."""
    return torch.tensor([0.0, 1_000.0, 8_000.0])[draw.permutation(3)]


@hz_to_mel.case(group="edge")
def a_single_number(draw: Draw):
    """A single number, a tensor without axes."""
    return draw.uniform(low=1_500.0, high=6_000.0)


@hz_to_mel.hidden_case(group="edge")
def a_single_low_number(draw: Draw):
    """A single low number."""
    return draw.uniform(low=30.0, high=900.0)


@hz_to_mel.case(group="edge")
def beyond_hearing(draw: Draw):
    """Frequencies far above those of speech, in float64."""
    return draw.uniform(2, 3, 2, low=9_000.0, high=48_000.0).double()


@hz_to_mel.hidden_case(group="edge")
def around_the_bend(draw: Draw):
    """Frequencies close to 1000 Hz."""
    return 1_000 + torch.tensor([-20.0, -10.0, 10.0, 20.0]) + draw.uniform(4, low=-5.0, high=5.0)


@hz_to_mel.hidden_case(group="edge")
def three_axes(draw: Draw):
    """Low and high ones mixed, in three axes."""
    low, high = draw.uniform(12, low=50.0, high=950.0), draw.uniform(12, low=1_200.0, high=8_000.0)
    return torch.cat([low, high])[draw.permutation(24)].reshape(2, 3, 4)


@hz_to_mel.hidden_case(group="edge")
def zero_without_axes(draw: Draw):
    """0 Hz, a tensor without axes."""
    return torch.tensor(0.0)


@hz_to_mel.misconception(
    "It is the other mel formula, 2595·log₁₀(1 + f/700), that of HTK; Whisper's is Slaney's.",
    hint="At 1000 Hz HTK's scale reads about 1000. What does Slaney's read there?",
)
def htk(f):
    return _htk(f)


@hz_to_mel.misconception(
    "The bases are mixed: a base-10 logarithm is divided by a step that was made with the natural one.",
    hint="27 steps take you from 1000 Hz to 6400 Hz. Where does yours put 6400 Hz? It should be 15 + 27 = 42.",
)
def mixed_bases(f):
    return torch.where(f < 1_000, f * 3 / 200, 15 + torch.log10(f.clamp_min(1_000) / 1_000) / LOG_STEP)


@hz_to_mel.misconception(
    "The bases are mixed: a natural logarithm is divided by a step that was made with base 10.",
    hint="27 steps take you from 1000 Hz to 6400 Hz. Where does yours put 6400 Hz? It should be 15 + 27 = 42.",
)
def mixed_the_other_way(f):
    step = math.log10(6.4) / 27
    return torch.where(f < 1_000, f * 3 / 200, 15 + torch.log(f.clamp_min(1_000) / 1_000) / step)


@hz_to_mel.misconception(
    "The logarithmic part starts again at 0: above 1000 Hz 15 mel are missing.",
    hint="A scale has no jumps. What should 1000.1 Hz give, if 1000 Hz gives 15?",
)
def starts_again_at_zero(f):
    return torch.where(f < 1_000, f * 3 / 200, torch.log(f.clamp_min(1_000) / 1_000) / LOG_STEP)


@hz_to_mel.misconception(
    "It is linear all the way; above 1000 Hz the scale follows the logarithm.",
    hint="8000 Hz should be about 45.2 mel. What does a straight line give?",
)
def straight_line(f):
    return f * 3 / 200


@hz_to_mel.misconception(
    "It is logarithmic all the way, so low frequencies become negative and 0 Hz infinite.",
    hint="Below 1000 Hz the scale is a straight line through zero.",
)
def logarithm_everywhere(f):
    return 15 + torch.log(f / 1_000) / LOG_STEP


@hz_to_mel.misconception(
    "The two halves have changed places: the logarithm is used below 1000 Hz, the line above.",
    hint="`torch.where(condition, a, b)` gives a where the condition holds. Which half should that be?",
)
def halves_exchanged(f):
    return torch.where(f < 1_000, 15 + torch.log(f / 1_000) / LOG_STEP, f * 3 / 200)


@hz_to_mel.misconception(
    "It multiplies by 200/3 where it should divide: 66⅔ Hz are one mel.",
    hint="1000 Hz should be 15 mel, not 66 667.",
)
def upside_down_slope(f):
    return torch.where(f < 1_000, f * 200 / 3, 15 + torch.log(f.clamp_min(1_000) / 1_000) / LOG_STEP)


@hz_to_mel.misconception(
    "The logarithm is multiplied by the size of a step; it should be divided by it.",
    hint="How many steps fit into the way from 1000 Hz to f? That is a division.",
)
def multiplied_by_the_step(f):
    return torch.where(f < 1_000, f * 3 / 200, 15 + torch.log(f.clamp_min(1_000) / 1_000) * LOG_STEP)


@hz_to_mel.misconception(
    "It divides by the ratio of one step, 6.4 to the power 1/27, not by its logarithm.",
    hint="27 steps take you from 1000 Hz to 6400 Hz. Where does yours put 6400 Hz? It should be 15 + 27 = 42.",
)
def ratio_of_a_step(f):
    return torch.where(f < 1_000, f * 3 / 200, 15 + torch.log(f.clamp_min(1_000) / 1_000) / 6.4 ** (1 / 27))


@hz_to_mel.misconception(
    "The frequency inside the logarithm is not divided by 1000.",
    hint="At 1000 Hz the logarithm should add nothing. The logarithm of which number is zero?",
)
def not_divided_by_1000(f):
    return torch.where(f < 1_000, f * 3 / 200, 15 + torch.log(f.clamp_min(1_000)) / LOG_STEP)


@hz_to_mel.misconception(
    "One formula is chosen for the whole tensor; each number should choose for itself.",
    hint="`if (f < 1000).all()` decides once. Which torch function decides number by number?",
)
def one_choice_for_all(f):
    return f * 3 / 200 if (f < 1_000).all() else 15 + torch.log(f / 1_000) / LOG_STEP


@hz_to_mel.misconception(
    "It is the opposite direction, from mel to Hz.",
    hint="Does the scale grow faster or slower than the frequency?",
)
def opposite_direction(f):
    return _slaney_inverse(f)


@hz_to_mel.alternative
def by_two_masks(f):
    m = f / (200 / 3)
    high = f >= 1_000
    m[high] = 15 + 27 * torch.log(f[high] / 1_000) / math.log(6.4)
    return m


@hz_to_mel.alternative
def by_where_in_base_ten(f):
    return torch.where(f < 1_000, 3 * f / 200, 15 + 27 * torch.log10(f / 1_000) / math.log10(6.4))


@hz_to_mel.alternative
def by_sum_of_both_parts(f):
    return 0.015 * f.clamp_max(1_000) + (f.clamp_min(1_000) / 1_000).log() / LOG_STEP


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-3, rtol=1e-5))
def mel_to_hz(m):
    import librosa

    return torch.as_tensor(librosa.mel_to_hz(m.numpy()), dtype=m.dtype)


@mel_to_hz.case
def below_fifteen(draw: Draw):
    """Below 15 mel."""
    return draw.uniform(5, low=0.5, high=14.8)


@mel_to_hz.case
def above_fifteen(draw: Draw):
    """Above 15 mel."""
    return draw.uniform(5, low=15.2, high=45.2)


@mel_to_hz.case
def across_fifteen(draw: Draw):
    """Low and high ones mixed, in two rows."""
    low, high = draw.uniform(3, low=1.0, high=14.0), draw.uniform(3, low=18.0, high=45.0)
    return torch.stack([torch.cat([low, high])[draw.permutation(6)] for _ in range(2)])


@mel_to_hz.case(group="edge")
def at_fifteen(draw: Draw):
    """0 mel, exactly 15, and 42."""
    return torch.tensor([0.0, 15.0, 42.0])[draw.permutation(3)]


@mel_to_hz.case(group="edge")
def one_number(draw: Draw):
    """A single number, a tensor without axes."""
    return draw.uniform(low=20.0, high=40.0)


@mel_to_hz.hidden_case(group="edge")
def one_low_number(draw: Draw):
    """A single low number."""
    return draw.uniform(low=1.0, high=14.0)


@mel_to_hz.case(group="edge")
def far_up(draw: Draw):
    """Far above speech, in float64."""
    return draw.uniform(2, 3, 2, low=46.0, high=70.0).double()


@mel_to_hz.hidden_case(group="edge")
def around_fifteen(draw: Draw):
    """Numbers close to 15."""
    return 15 + torch.tensor([-0.3, -0.1, 0.1, 0.3]) + draw.uniform(4, low=-0.05, high=0.05)


@mel_to_hz.misconception(
    "It inverts the other mel formula, HTK's; Whisper's is Slaney's.",
    hint="15 mel should give exactly 1000 Hz.",
)
def htk_inverse(m):
    return 700 * (10 ** (m / 2595) - 1)


@mel_to_hz.misconception(
    "It raises 10 to the power, but the step was made with the natural logarithm.",
    hint="42 mel should give 6400 Hz. What undoes the natural logarithm?",
)
def power_of_ten(m):
    return torch.where(m < 15, m * 200 / 3, 1_000 * 10 ** (LOG_STEP * (m - 15)))


@mel_to_hz.misconception(
    "It multiplies by log₁₀ 6.4 inside exp; exp undoes only the natural logarithm.",
    hint="42 mel should give 6400 Hz: exp of which number is 6.4?",
)
def step_in_base_ten(m):
    return torch.where(m < 15, m * 200 / 3, 1_000 * torch.exp(math.log10(6.4) / 27 * (m - 15)))


@mel_to_hz.misconception(
    "The 15 mel below 1000 Hz are not taken away before exp.",
    hint="At exactly 15 mel exp should give 1, so that the answer is 1000 Hz. What must stand inside it?",
)
def fifteen_left_in(m):
    return torch.where(m < 15, m * 200 / 3, 1_000 * torch.exp(LOG_STEP * m))


@mel_to_hz.misconception(
    "The factor 1000 is missing above 15 mel.",
    hint="A scale has no jumps. What should 15.001 mel give, if 15 mel give 1000 Hz?",
)
def thousand_missing(m):
    return torch.where(m < 15, m * 200 / 3, torch.exp(LOG_STEP * (m - 15)))


@mel_to_hz.misconception(
    "It is linear all the way. (Do you compare a mel value with 1000, which is in Hz?)",
    hint="Where is the bend when the numbers are mel: at which value does 1000 Hz lie?",
)
def line_everywhere(m):
    return m * 200 / 3


@mel_to_hz.misconception(
    "It is exponential all the way; below 15 mel the scale is a straight line through zero.",
    hint="0 mel should give 0 Hz. What does exp give there?",
)
def exponential_everywhere(m):
    return 1_000 * torch.exp(LOG_STEP * (m - 15))


@mel_to_hz.misconception(
    "The two halves have changed places.",
    hint="`torch.where(condition, a, b)` gives a where the condition holds. Which half should that be?",
)
def parts_exchanged(m):
    return torch.where(m < 15, 1_000 * torch.exp(LOG_STEP * (m - 15)), m * 200 / 3)


@mel_to_hz.misconception(
    "It divides by 200/3 where it should multiply: one mel is 66⅔ Hz.",
    hint="15 mel should give 1000 Hz.",
)
def slope_upside_down(m):
    return torch.where(m < 15, m * 3 / 200, 1_000 * torch.exp(LOG_STEP * (m - 15)))


@mel_to_hz.misconception(
    "The number of steps is divided by the size of a step; it should be multiplied.",
    hint="27 steps of ln(6.4)/27 each should make ln 6.4.",
)
def divided_by_the_step(m):
    return torch.where(m < 15, m * 200 / 3, 1_000 * torch.exp((m - 15) / (LOG_STEP * 27)))


@mel_to_hz.misconception(
    "A step is taken as 6.4/27; it is the natural logarithm of 6.4, divided by 27.",
    hint="27 steps multiply the frequency by 6.4. What is exp of 27 of your steps?",
)
def logarithm_forgotten(m):
    return torch.where(m < 15, m * 200 / 3, 1_000 * torch.exp(6.4 / 27 * (m - 15)))


@mel_to_hz.misconception(
    "One formula is chosen for the whole tensor; each number should choose for itself.",
    hint="`if (m < 15).all()` decides once. Which torch function decides number by number?",
)
def one_formula_for_all(m):
    return m * 200 / 3 if (m < 15).all() else 1_000 * torch.exp(LOG_STEP * (m - 15))


@mel_to_hz.misconception(
    "It is the opposite direction, from Hz to mel.",
    hint="45 mel should come out near 8000. Does yours make numbers larger or smaller?",
)
def other_direction(m):
    return _slaney(m)


@mel_to_hz.alternative
def by_mask(m):
    f = m * (200 / 3)
    high = m >= 15
    f[high] = 1_000 * 6.4 ** ((m[high] - 15) / 27)
    return f


@mel_to_hz.alternative
def by_product_of_both_parts(m):
    return m.clamp_max(15) / 0.015 * torch.exp(LOG_STEP * (m - 15).clamp_min(0))


@mel_to_hz.alternative
def number_by_number(m):
    values = [v * 200 / 3 if v < 15 else 1_000 * 6.4 ** ((v - 15) / 27) for v in m.flatten().tolist()]
    return torch.tensor(values, dtype=m.dtype).reshape(m.shape)


# ------------------------------------------------------------------------------------------------ mel_filterbank


# Slaney's triangles are at most 0.03 high, so the absolute tolerance is small.
@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-6, rtol=1e-4))
def mel_filterbank(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels)


def _librosa_mel(sample_rate: int, n_fft: int, n_mels: int, **changes: object) -> torch.Tensor:
    import warnings

    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty triangle is no fault here
        return torch.from_numpy(librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, **changes))


@mel_filterbank.case
def a_few_triangles(draw: Draw):
    """A few wide triangles."""
    return arguments(SAMPLE_RATE, n_fft=64, n_mels=draw.integer(4, 8))


@mel_filterbank.case
def below_the_bend_only(draw: Draw):
    """A sample rate so low that the mel scale stays straight."""
    return arguments(sample_rate=2_000, n_fft=20, n_mels=draw.integer(3, 6))


@mel_filterbank.case
def whisper_s_eighty(draw: Draw):
    """Whisper's 80, nothing said."""
    return arguments()


@mel_filterbank.hidden_case
def another_number(draw: Draw):
    """Another number of triangles."""
    return arguments(n_mels=draw.integer(20, 60))


@mel_filterbank.case(group="arguments of other models")
def large_v3(draw: Draw):
    """128, as in Whisper large-v3."""
    return arguments(n_mels=128)


@mel_filterbank.case(group="arguments of other models")
def hifi_gan_s(draw: Draw):
    """22 050 Hz, frames of 1024, as vocoders take."""
    return arguments(sample_rate=22_050, n_fft=1_024, n_mels=80)


@mel_filterbank.hidden_case(group="arguments of other models")
def telephone(draw: Draw):
    """Telephone sound, 8000 Hz."""
    return 8_000, 256, draw.integer(15, 30)


@mel_filterbank.hidden_case(group="arguments of other models")
def studio(draw: Draw):
    """Sound as on a disc or in a film, 44 100 or 48 000 Hz."""
    return draw.choice((44_100, 48_000)), 1_024, draw.integer(30, 60)


@mel_filterbank.hidden_case(group="arguments of other models")
def larger_than_large(draw: Draw):
    """More triangles than Whisper ever had."""
    return arguments(n_mels=draw.choice((144, 160, 200)))


@mel_filterbank.hidden_case(group="arguments of other models")
def large_and_fine(draw: Draw):
    """128 triangles over frames of another length."""
    return SAMPLE_RATE, 512, 128


@mel_filterbank.hidden_case(group="arguments of other models")
def long_frames(draw: Draw):
    """Frames of 2048 samples."""
    return arguments(n_fft=2_048)


@mel_filterbank.hidden_case(group="edge")
def one_triangle(draw: Draw):
    """A single triangle."""
    return draw.choice((8_000, 16_000, 22_050)), 2 * draw.integer(16, 40), 1


@mel_filterbank.case(group="edge")
def empty_triangles(draw: Draw):
    """So many triangles that some fall between two frequencies."""
    return arguments(SAMPLE_RATE, n_fft=2 * draw.integer(30, 40), n_mels=40)


def _triangles(
    n_mels: int,
    bins: torch.Tensor,
    edges: torch.Tensor,
    area: torch.Tensor | None = None,
) -> torch.Tensor:
    """Triangles between neighbouring edges but one, over the positions `bins`; divided by half the `area` width."""
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    heights = torch.minimum(rising, falling).clamp_min(0)
    assert len(heights) == n_mels
    area = edges if area is None else area
    return (heights * 2 / (area[2:] - area[:-2])[:, None]).float()


def _hertz(sample_rate: int, n_fft: int) -> torch.Tensor:
    return torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft


def _edges(sample_rate: int, n_mels: int) -> torch.Tensor:
    """The n_mels + 2 edges in Hz, float64."""
    top = _slaney(torch.tensor(sample_rate / 2, dtype=torch.float64)).item()
    return _slaney_inverse(torch.linspace(0, top, n_mels + 2, dtype=torch.float64))


@mel_filterbank.misconception(
    "Every triangle has height 1: the division by its area is missing.",
    hint="The wide triangles at the top should be lower than the narrow ones at the bottom. By what is each divided?",
)
def peaks_of_one(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels, norm=None)


@mel_filterbank.misconception(
    "The edges are spaced on HTK's mel scale, not on Slaney's.",
    hint="Below 1000 Hz all your triangles should have the same width. Which `hz_to_mel` do you use?",
)
def htk_edges(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels, htk=True)


@mel_filterbank.misconception(
    "It is torchaudio's default: HTK's scale, and triangles of height 1.",
    hint="Two things differ from Whisper's filterbank: where the edges lie, and how high the peaks are.",
)
def torchaudio_defaults(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels, htk=True, norm=None)


@mel_filterbank.misconception(
    "Each row is divided by the sum of its numbers; Slaney divides by the area of the triangle, in Hz.",
    hint="A triangle of height 1 from low to high has the area (high − low)/2. How wide are they, in Hz?",
)
def rows_sum_to_one(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels, norm=1)


@mel_filterbank.misconception(
    "The triangles go up to the sample rate; there is nothing above half of it.",
    hint="Which is the highest frequency that this many samples a second can hold?",
)
def up_to_the_sample_rate(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _triangles(n_mels, _hertz(sample_rate, n_fft), _edges(2 * sample_rate, n_mels))


@mel_filterbank.misconception(
    "The triangles end at 8000 Hz whatever the sample rate is.",
    hint="8000 is half of 16 000. What is the end at another sample rate?",
)
def always_up_to_8000(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _triangles(n_mels, _hertz(sample_rate, n_fft), _edges(16_000, n_mels))


@mel_filterbank.misconception(
    "The sample rate is ignored: it is always taken as 16 000.",
    hint="Frequency number k is k · sample_rate / n_fft hertz.",
)
def always_16_000(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(16_000, n_fft, n_mels)


@mel_filterbank.misconception(
    "There are always 80 triangles, whatever `n_mels` says.",
    hint="Call it with `n_mels=128`: how many rows come back?",
)
def always_eighty(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, 80)


@mel_filterbank.misconception(
    "The edges are evenly spaced in Hz: that is no mel scale.",
    hint="Space the points evenly in mel, then turn each into Hz.",
)
def evenly_spaced_in_hertz(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    edges = torch.linspace(0, sample_rate / 2, n_mels + 2, dtype=torch.float64)
    return _triangles(n_mels, _hertz(sample_rate, n_fft), edges)


@mel_filterbank.misconception(
    "The edges are rounded to whole frequency numbers first, as many tutorials do; narrow triangles lose their shape.",
    hint="A corner may lie between two frequencies. Evaluate the straight lines where the frequencies are.",
)
def edges_rounded(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    numbers = torch.floor((n_fft + 1) * _edges(sample_rate, n_mels) / sample_rate)
    heights = torch.zeros(n_mels, n_fft // 2 + 1)
    for row, (low, middle, high) in enumerate(zip(numbers, numbers[1:], numbers[2:], strict=False)):
        for k in range(int(low), int(middle)):
            heights[row, k] = (k - low) / (middle - low)
        for k in range(int(middle), int(min(high, n_fft // 2 + 1))):
            heights[row, k] = (high - k) / (high - middle)
    edges = _edges(sample_rate, n_mels)
    return heights * (2 / (edges[2:] - edges[:-2])).float()[:, None]


@mel_filterbank.misconception(
    "The sides are straight on the mel scale; they should be straight in Hz.",
    hint="Only the edges are spaced in mel. Turn them into Hz before you draw the lines.",
)
def straight_in_mel(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    edges = _edges(sample_rate, n_mels)
    return _triangles(n_mels, _slaney(_hertz(sample_rate, n_fft)), _slaney(edges), area=edges)


@mel_filterbank.misconception(
    "The peaks are half as high as they should be: the factor 2 is missing.",
    hint="A triangle's area is half of width times height. Which height makes the area 1?",
)
def half_as_high(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels) / 2


@mel_filterbank.misconception(
    "The rows and columns are exchanged.",
    hint="The shape is (n_mels, n_fft//2 + 1), so that `filterbank @ power` works.",
)
def frequencies_in_rows(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    return _librosa_mel(sample_rate, n_fft, n_mels).T.contiguous()


@mel_filterbank.misconception(
    "The frequency numbers are spread as if the highest were number n_fft//2 + 1.",
    hint="Number n_fft//2 is exactly half the sample rate. How far is it from one number to the next?",
)
def frequencies_too_low(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * (sample_rate / 2) / (n_fft // 2 + 1)
    return _triangles(n_mels, bins, _edges(sample_rate, n_mels))


@mel_filterbank.misconception(
    "The edges are one too close together: n_mels triangles need n_mels + 2 edges, and you space one more.",
    hint="Three triangles that overlap by half have five corners. Count them on paper.",
)
def one_edge_too_many(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    top = _slaney(torch.tensor(sample_rate / 2, dtype=torch.float64)).item()
    edges = _slaney_inverse(torch.linspace(0, top, n_mels + 3, dtype=torch.float64))[:-1]
    return _triangles(n_mels, _hertz(sample_rate, n_fft), edges)


@mel_filterbank.alternative
def row_by_row(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    hertz = torch.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = _edges(sample_rate, n_mels).float()
    rows = []
    for low, middle, high in edges.unfold(0, 3, 1):
        row = torch.zeros_like(hertz)
        up, down = (low <= hertz) & (hertz <= middle), (middle < hertz) & (hertz <= high)
        row[up] = (hertz[up] - low) / (middle - low)
        row[down] = (high - hertz[down]) / (high - middle)
        rows.append(row * 2 / (high - low))
    return torch.stack(rows)


@mel_filterbank.alternative
def by_torchaudio(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    import warnings

    from torchaudio.functional import melscale_fbanks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return melscale_fbanks(n_fft // 2 + 1, 0.0, sample_rate / 2, n_mels, sample_rate, "slaney", "slaney").T


@mel_filterbank.alternative
def by_interpolation(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=80):
    hertz, edges = _hertz(sample_rate, n_fft).numpy(), _edges(sample_rate, n_mels).numpy()
    corners = zip(edges, edges[1:], edges[2:], strict=False)
    rows = [np.interp(hertz, [a, b, c], [0.0, 2 / (c - a), 0.0]) for a, b, c in corners]
    return torch.tensor(np.stack(rows), dtype=torch.float32)


# -------------------------------------------------------------------------------------------------- log_compress


@exercise(unit=UNIT)
def log_compress(mel_power):
    import librosa

    decibels = librosa.power_to_db(mel_power.numpy(), ref=1.0, amin=1e-10, top_db=80.0)
    return torch.as_tensor(decibels / 40 + 1, dtype=mel_power.dtype)


def _powers(draw: Draw, *shape: int, low: float, high: float) -> torch.Tensor:
    """Powers of ten with exponents between `low` and `high`, the highest among them."""
    exponents = draw.uniform(*shape, low=low, high=high)
    exponents.view(-1)[draw.integer(0, exponents.numel())] = high
    return 10.0**exponents


@log_compress.case
def narrow_range(draw: Draw):
    """Powers of ordinary size."""
    return _powers(draw, 3, 5, low=-3.0, high=2.0)


@log_compress.case
def wide_range(draw: Draw):
    """Powers from tiny to large."""
    return _powers(draw, 4, 6, low=-9.0, high=3.0)


@log_compress.case(group="floor")
def a_loud_column(draw: Draw):
    """One loud column between quiet ones."""
    quiet = _powers(draw, 4, 7, low=-9.0, high=-5.0)
    quiet[:, draw.integer(0, 7)] *= 1e7
    return quiet


@log_compress.hidden_case(group="floor")
def a_loud_row(draw: Draw):
    """One loud row between quiet ones."""
    quiet = _powers(draw, 5, 4, low=-9.0, high=-6.0)
    quiet[draw.integer(0, 5)] *= 1e7
    return quiet


@log_compress.hidden_case(group="floor")
def pauses(draw: Draw):
    """Speech with pauses of exact silence."""
    mel = _powers(draw, 4, 9, low=-2.0, high=1.0)
    mel[:, 2:5] = 0.0
    return mel


@log_compress.hidden_case(group="floor")
def very_loud(draw: Draw):
    """A very loud sound."""
    return _powers(draw, 3, 6, low=-6.0, high=6.0)


@log_compress.case(group="silence")
def only_silence(draw: Draw):
    """Nothing but zeros."""
    return torch.zeros(3, draw.integer(4, 7))


@log_compress.case(group="silence")
def nearly_silent(draw: Draw):
    """A very quiet room, with zeros in between."""
    mel = _powers(draw, 4, 6, low=-12.0, high=-5.0)
    mel[:, 1] = 0.0
    return mel


@log_compress.hidden_case(group="silence")
def near_the_smallest(draw: Draw):
    """Powers close to the smallest one that counts."""
    return _powers(draw, 3, 5, low=-10.5, high=-9.0)


@log_compress.case(group="silence")
def double_precision_powers(draw: Draw):
    """Powers in float64."""
    return _powers(draw, 3, 4, low=-11.0, high=-4.0).double()


def _log10(mel_power: torch.Tensor) -> torch.Tensor:
    return mel_power.clamp_min(1e-10).log10()


def _floored(log_power: torch.Tensor, depth: float = 8.0) -> torch.Tensor:
    return torch.maximum(log_power, log_power.max() - depth)


@log_compress.misconception(
    "It takes the natural logarithm; Whisper takes log₁₀.",
    hint="A power of 100 should become log₁₀ 100 = 2, then (2 + 4)/4 = 1.5.",
)
def natural_logarithm(mel_power):
    return (_floored(mel_power.clamp_min(1e-10).log()) + 4) / 4


@log_compress.misconception(
    "It takes decibels, ten times the log₁₀, and goes on as if they were the logarithm.",
    hint="The floor lies 8 below the highest, so the numbers are plain logarithms. 80 would be for dB.",
)
def decibels(mel_power):
    return (_floored(10 * _log10(mel_power)) + 4) / 4


@log_compress.misconception(
    "It takes decibels, with a floor of 80 dB, and never scales them back to plain logarithms.",
    hint="In decibels every number is ten times too large for (x + 4)/4.",
)
def decibels_with_their_own_floor(mel_power):
    return (_floored(10 * _log10(mel_power), depth=80.0) + 4) / 4


@log_compress.misconception(
    "Every column has a floor of its own, below its own highest number.",
    hint="One floor for the whole picture: what does `.max()` give when no axis is named?",
)
def floor_for_each_column(mel_power):
    logs = _log10(mel_power)
    return (torch.maximum(logs, logs.amax(0, keepdim=True) - 8) + 4) / 4


@log_compress.misconception(
    "Every row has a floor of its own, below its own highest number.",
    hint="One floor for the whole picture: what does `.max()` give when no axis is named?",
)
def floor_for_each_row(mel_power):
    logs = _log10(mel_power)
    return (torch.maximum(logs, logs.amax(1, keepdim=True) - 8) + 4) / 4


@log_compress.misconception(
    "The floor is applied to the powers, before the logarithm: 8 less is a factor of 10⁸ there.",
    hint="Is 'max − 8' meant for powers or for logarithms? What is it when the highest power is 5?",
)
def floor_before_the_logarithm(mel_power):
    floored = torch.maximum(mel_power, mel_power.max() - 8)
    return (_log10(floored) + 4) / 4


@log_compress.misconception(
    "There is no floor, or it comes too late: the numbers reach down to −1.5 although something loud is heard.",
    hint="Before the scaling, logarithms more than 8 below the highest are lifted. Which function takes the larger?",
)
def no_floor(mel_power):
    return (_log10(mel_power) + 4) / 4


@log_compress.misconception(
    "The clamp is missing, so silence is −∞ or not a number.",
    hint="log₁₀ 0 is −∞. What is the smallest power that should go into the logarithm?",
)
def no_clamp(mel_power):
    return (_floored(mel_power.log10()) + 4) / 4


@log_compress.misconception(
    "10⁻¹⁰ is added to every power; it should only replace what is smaller.",
    hint="A power of 10⁻¹⁰ should stay 10⁻¹⁰. `torch.clamp` has an argument for that.",
)
def added_instead_of_clamped(mel_power):
    return (_floored((mel_power + 1e-10).log10()) + 4) / 4


@log_compress.misconception(
    "The smallest power that counts is 10⁻⁵, as for vocoders; Whisper's is 10⁻¹⁰.",
    hint="Silence should come out as (−10 + 4)/4 = −1.5.",
)
def clamped_too_high(mel_power):
    return (_floored(mel_power.clamp_min(1e-5).log10()) + 4) / 4


@log_compress.misconception(
    "The last step is missing: the logarithms are not shifted and scaled.",
    hint="A power of 1 has the logarithm 0 and should come out as 1.",
)
def not_scaled(mel_power):
    return _floored(_log10(mel_power))


@log_compress.misconception(
    "It computes x + 4/4, which is x + 1: the brackets are missing.",
    hint="Division comes before addition. A power of 1 should come out as 1, one of 100 as 1.5.",
)
def brackets_missing(mel_power):
    return _floored(_log10(mel_power)) + 4 / 4


@log_compress.misconception(
    "The numbers are stretched to lie between 0 and 1.",
    hint="Whisper shifts and scales by fixed numbers, (x + 4)/4, whatever the recording.",
)
def stretched_to_the_unit_interval(mel_power):
    logs = _floored(_log10(mel_power))
    return (logs - logs.min()) / (logs.max() - logs.min()).clamp_min(1e-6)


@log_compress.misconception(
    "The numbers are relative to the loudest, so every sound has the same maximum.",
    hint="The largest logarithm decides where the floor is, nothing else. What should a power of 1 become?",
)
def relative_to_the_loudest(mel_power):
    logs = _log10(mel_power)
    return ((logs - logs.max()).clamp_min(-8) + 4) / 4


@log_compress.misconception(
    "The numbers are cut off at −1 and 1; Whisper's go beyond both.",
    hint="A power of 100 should come out as 1.5. No step of the formula limits the result from above.",
)
def cut_at_one(mel_power):
    return ((_floored(_log10(mel_power)) + 4) / 4).clamp(-1, 1)


@log_compress.misconception(
    "The floor is fixed at −8; it should lie 8 below the highest number of this sound.",
    hint="Which number is the floor when the loudest logarithm is 2?",
)
def fixed_floor(mel_power):
    return (_log10(mel_power).clamp_min(-8) + 4) / 4


@log_compress.alternative
def as_whisper_writes_it(mel_power):
    logs = torch.clamp(mel_power, min=1e-10).log10()
    return (torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0


@log_compress.alternative
def floor_among_the_powers(mel_power):
    smallest = max(1e-10, max(mel_power.max().item(), 1e-10) * 1e-8)
    return mel_power.clamp_min(smallest).log10() * 0.25 + 1


@log_compress.alternative
def by_natural_logarithm(mel_power):
    logs = torch.log(torch.where(mel_power > 1e-10, mel_power, torch.full_like(mel_power, 1e-10))) / math.log(10)
    return 1 + logs.clamp_min(logs.max().item() - 8) / 4


# ------------------------------------------------------------------------------------------- log_mel_spectrogram


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-4, rtol=0.0))
def log_mel_spectrogram(x, n_mels=80):
    # Whisper's own arithmetic; a test compares it with openai-whisper and transformers themselves.
    power = _stft(functional.pad(x, (0, N_SAMPLES - len(x))), N_FFT, HOP)[:, :-1].abs() ** 2
    logs = torch.clamp(_filters(n_mels) @ power, min=1e-10).log10()
    return (torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0


@cache
def _filters(n_mels: int, **changes: object) -> torch.Tensor:
    return _librosa_mel(SAMPLE_RATE, N_FFT, n_mels, **changes)


def _voice(draw: Draw, samples: int) -> torch.Tensor:
    """Something like speech: harmonics of a gliding pitch, a pause, hiss, loud from the first sample to the last."""
    time = torch.arange(samples) / SAMPLE_RATE
    pitch = draw.integer(90, 220)
    phase = 2 * math.pi * torch.cumsum(pitch * (1 + 0.2 * torch.sin(5 * time)), 0) / SAMPLE_RATE
    voice = sum(torch.sin(k * phase) * weight for k, weight in enumerate(draw.uniform(12).tolist(), start=1))
    voice[samples // 3 : samples // 2] = 0.0
    return 0.03 * voice + draw.normal(samples, scale=3e-3)


@log_mel_spectrogram.case
def a_short_sound(draw: Draw):
    """A third of a second of sound."""
    return _voice(draw, 160 * draw.integer(30, 36))


@log_mel_spectrogram.hidden_case
def a_recording(draw: Draw):
    """A real recording, cut at random."""
    from grader.recordings import load_clip

    clip = load_clip(draw.choice(("austen-0870", "austen-0890", "austen-0920", "vm-intro", "tt-weasels")))
    start = draw.integer(0, 20_000)
    return clip[start : start + 16_000 + draw.integer(0, 160)] * draw.uniform(low=0.3, high=1.0)


@log_mel_spectrogram.case(group="other numbers of bands")
def large_model(draw: Draw):
    """128 bands, as in Whisper large-v3."""
    return arguments(_voice(draw, 5_000 + draw.integer(0, 160)), n_mels=128)


@log_mel_spectrogram.hidden_case(group="other numbers of bands")
def a_small_model(draw: Draw):
    """Fewer bands than Whisper ever had."""
    return _voice(draw, 4_000 + draw.integer(0, 160)), draw.integer(20, 60)


@log_mel_spectrogram.hidden_case(group="length")
def a_click(draw: Draw):
    """Fewer samples than half a frame."""
    return draw.normal(draw.integer(60, 150), scale=0.1)


@log_mel_spectrogram.case(group="length")
def too_long_to_hear_all(draw: Draw):
    """More than thirty seconds, the loudest part after them."""
    x = draw.normal(N_SAMPLES + draw.integer(900, 1_500), scale=0.01)
    x[N_SAMPLES:] *= 50
    return x


@log_mel_spectrogram.hidden_case(group="length")
def thirty_seconds(draw: Draw):
    """Thirty seconds exactly: nothing to pad, nothing to trim."""
    return draw.normal(N_SAMPLES, scale=0.01)


@log_mel_spectrogram.case(group="length")
def ends_loudly(draw: Draw):
    """A sound that is loud to its very last sample, which lies between two frames."""
    return draw.normal(3_200 + draw.integer(60, 100), scale=0.1)


@log_mel_spectrogram.case(group="quiet")
def silence(draw: Draw):
    """Silence."""
    return torch.zeros(draw.integer(1_000, 3_000))


@log_mel_spectrogram.case(group="quiet")
def a_whisper(draw: Draw):
    """A sound so quiet that the smallest power counts."""
    return _voice(draw, 4_000 + draw.integer(0, 160)) * 1e-4


def _log_mel(
    x: torch.Tensor,
    filters: torch.Tensor,
    *,
    power: float = 2.0,
    window: torch.Tensor | None = None,
    pad_mode: str = "reflect",
    compress: object = lambda mel: (_floored(_log10(mel)) + 4) / 4,
) -> torch.Tensor:
    """The chain with one step changed. Frames after the sound are silent, so only the others are computed."""
    x = functional.pad(x, (0, N_SAMPLES - len(x)))
    heard = min(N_FRAMES, int(x.nonzero().max()) // HOP + 4 if x.any() else 4)
    part = x if heard == N_FRAMES else x[: heard * HOP + N_FFT]
    mel = filters @ _stft(part, N_FFT, HOP, window, pad_mode=pad_mode)[:, :heard].abs().pow(power)
    return compress(functional.pad(mel, (0, N_FRAMES - heard)))


@log_mel_spectrogram.misconception(
    "The sound is not padded, so the result is as long as the sound; Whisper always sees 3000 frames.",
    hint="Which function of this unit makes every sound 480 000 samples long, and when should it be called?",
)
def sound_not_padded(x, n_mels=80):
    power = _stft(x, N_FFT, HOP)[:, :-1].abs() ** 2
    return (_floored(_log10(_filters(n_mels) @ power)) + 4) / 4


@log_mel_spectrogram.misconception(
    "The spectrogram is padded with zeros instead of the sound; the frames after the sound should be at the floor.",
    hint="What does silence become after the logarithm? Surely not 0. Pad at the very beginning.",
)
def zeros_after_the_logarithm(x, n_mels=80):
    return functional.pad(sound_not_padded(x, n_mels)[:, :N_FRAMES], (0, max(0, N_FRAMES - len(x) // HOP)))


@log_mel_spectrogram.misconception(
    "The spectrogram is padded, not the sound: the mirror then stands where speech ends.",
    hint="Which comes first in the table of 3.1?",
)
def spectrogram_padded(x, n_mels=80):
    mel = _filters(n_mels) @ _stft(x, N_FFT, HOP)[:, :-1].abs() ** 2
    return (_floored(_log10(functional.pad(mel, (0, N_FRAMES - mel.shape[1])))) + 4) / 4


@log_mel_spectrogram.misconception(
    "It cuts and pads the spectrogram, not the sound: at the end of the sound and at the loudest point it differs.",
    hint="Whisper's STFT never sees what comes after thirty seconds. In what order do the steps come?",
)
def frames_cut_and_padded(x, n_mels=80):
    power = _stft(x, N_FFT, HOP)[:, :-1].abs() ** 2
    logs = _floored(_log10(_filters(n_mels) @ power))
    return (functional.pad(logs[:, :N_FRAMES], (0, max(0, N_FRAMES - len(x) // HOP)), value=logs.min().item()) + 4) / 4


@log_mel_spectrogram.misconception(
    "There are 3001 frames: the last one is not dropped.",
    hint="480 000 samples in hops of 160 should give 3000 frames.",
)
def three_thousand_and_one(x, n_mels=80):
    right = _log_mel(x, _filters(n_mels))
    last = _stft(functional.pad(x, (0, N_SAMPLES - len(x)))[-800:], N_FFT, HOP)[:, -1:].abs() ** 2
    floor = right.max() - 2
    return torch.cat([right, torch.maximum((_log10(_filters(n_mels) @ last) + 4) / 4, floor)], dim=1)


@log_mel_spectrogram.misconception(
    "The number of bands is ignored: there are always 80.",
    hint="Call it with `n_mels=128`: how many rows come back?",
)
def eighty_bands_always(x, n_mels=80):
    return _log_mel(x, _filters(80))


@log_mel_spectrogram.misconception(
    "It uses the magnitude; Whisper's filterbank gets the power, its square.",
    hint="Compare the stage before the filterbank with your `power_spectrogram`.",
)
def from_the_magnitude(x, n_mels=80):
    return _log_mel(x, _filters(n_mels), power=1.0)


@log_mel_spectrogram.misconception(
    "The beginning of the sound is padded with zeros, librosa's default; Whisper mirrors it there.",
    hint="Only the first frames differ. `pad_mode` says what stands before the first sample.",
)
def librosa_padding(x, n_mels=80):
    return _log_mel(x, _filters(n_mels), pad_mode="constant")


@log_mel_spectrogram.misconception(
    "The filterbank is torchaudio's default: HTK's mel scale and triangles of height 1.",
    hint='`norm` and `mel_scale` both need to be "slaney", or use your own `mel_filterbank`.',
)
def torchaudio_filters(x, n_mels=80):
    return _log_mel(x, _filters(n_mels, htk=True, norm=None))


@log_mel_spectrogram.misconception(
    "The window is the symmetric one; Whisper's is periodic.",
    hint="`torch.hann_window` is periodic unless told otherwise; NumPy's and SciPy's default is symmetric.",
)
def symmetric_hann(x, n_mels=80):
    return _log_mel(x, _filters(n_mels), window=torch.hann_window(N_FFT, periodic=False))


@log_mel_spectrogram.misconception(
    "The numbers are decibels; Whisper's are (log₁₀ + 4)/4.",
    hint="The whole result should span at most 2. How much does yours?",
)
def in_decibels(x, n_mels=80):
    return _log_mel(x, _filters(n_mels), compress=lambda mel: _floored(10 * _log10(mel), depth=80.0))


@log_mel_spectrogram.misconception(
    "The sound is made as loud as possible first; Whisper takes it as it is.",
    hint="Half as loud, (x/2), should give other numbers than x. Do yours differ?",
)
def loudness_normalised(x, n_mels=80):
    return _log_mel(x / x.abs().max().clamp_min(1e-8), _filters(n_mels))


@log_mel_spectrogram.misconception(
    "A cosine transform comes last: these are cepstral coefficients (MFCCs), and Whisper has none.",
    hint="The chain ends with the logarithm, the floor and (x + 4)/4.",
)
def cepstrum(x, n_mels=80):
    logs = _log_mel(x, _filters(n_mels))
    k, n = torch.arange(n_mels)[:, None], torch.arange(n_mels)
    basis = torch.cos(math.pi * k * (n + 0.5) / n_mels) * math.sqrt(2 / n_mels)
    basis[0] /= math.sqrt(2)
    return basis @ logs


@log_mel_spectrogram.misconception(
    "The rows are frames and the columns mel bands: it should be the other way round.",
    hint="The shape is (n_mels, 3000).",
)
def frames_in_rows(x, n_mels=80):
    return _log_mel(x, _filters(n_mels)).T.contiguous()


@log_mel_spectrogram.alternative
def by_librosa(x, n_mels=80):
    import librosa

    sound = librosa.util.fix_length(x.numpy(), size=N_SAMPLES)
    settings = {"sr": SAMPLE_RATE, "n_fft": N_FFT, "hop_length": HOP, "n_mels": n_mels, "pad_mode": "reflect"}
    mel = librosa.feature.melspectrogram(y=sound, **settings)[:, :-1]
    return torch.from_numpy(librosa.power_to_db(mel, amin=1e-10, top_db=80.0) / 40 + 1)


@log_mel_spectrogram.alternative
def by_torchaudio_transform(x, n_mels=80):
    from torchaudio.transforms import MelSpectrogram

    sound = functional.pad(x[:N_SAMPLES], (0, max(0, N_SAMPLES - len(x))))
    transform = MelSpectrogram(SAMPLE_RATE, N_FFT, hop_length=HOP, n_mels=n_mels, norm="slaney", mel_scale="slaney")
    return (_floored(_log10(transform(sound)[:, :-1])) + 4) / 4


@log_mel_spectrogram.alternative
def frames_by_hand(x, n_mels=80):
    sound = torch.zeros(N_SAMPLES)
    sound[: len(x)] = x[:N_SAMPLES]
    padded = torch.cat([sound[1:201].flip(0), sound, sound[-201:-1].flip(0)])
    spectrum = torch.fft.rfft(padded.unfold(0, N_FFT, HOP)[:N_FRAMES] * torch.hann_window(N_FFT))
    mel = _filters(n_mels) @ (spectrum.real**2 + spectrum.imag**2).T
    return _floored(_log10(mel)) / 4 + 1
