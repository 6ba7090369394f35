"""Unit 04: even loudness, convolution, frame counts, receptive field, GELU, group norm, the waveform encoder."""

import math
import pkgutil
from collections.abc import Callable

import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Exercise, Tolerance, Wrong, arguments, exercise

UNIT = "04_waveform_encoder"
#: wav2vec 2.0's seven layers.
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


def _ready_made(of: Exercise, says: str, hint: str, **calls: Callable) -> None:
    """Catalogue library calls that the exercise refuses; each of them is refused in words of its own."""
    for name, call in calls.items():
        call.__name__ = name
        of.misconception(says, hint)(call)


# ------------------------------------------------------------------------------------------- normalize_waveform


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-4))
def normalize_waveform(x, eps=1e-7):
    return functional.layer_norm(x, x.shape[-1:], eps=eps)


@normalize_waveform.case
def one_recording(draw: Draw):
    """one waveform, (T,)"""
    return draw.normal(9, scale=0.1) + 0.3


@normalize_waveform.case
def loud_and_soft(draw: Draw):
    """a batch of a loud and a soft waveform, (B, T)"""
    return draw.normal(2, 7) * torch.tensor([[0.6], [0.1]]) + torch.tensor([[-0.1], [0.05]])


@normalize_waveform.case(group="shapes")
def two_microphones(draw: Draw):
    """a batch with several channels, (B, C, T)"""
    return draw.normal(2, 3, 5, scale=0.2) + 0.1 * draw.normal(2, 3, 1)


@normalize_waveform.hidden_case(group="shapes")
def as_many_rows_as_samples(draw: Draw):
    """as many waveforms as samples"""
    return draw.normal(4, 4, scale=0.3) + draw.normal(4, 1)


@normalize_waveform.hidden_case(group="shapes")
def four_axes(draw: Draw):
    """four axes"""
    return draw.normal(2, 3, 4, 6) + draw.normal(2, 3, 4, 1)


@normalize_waveform.hidden_case(group="shapes")
def thirty_seconds_that_grow_louder(draw: Draw):
    """thirty seconds that grow louder and drift away from zero"""
    rise = torch.linspace(0.0, 1.0, 480_000)
    return (draw.normal(1, 480_000) * (0.05 + 0.3 * rise) + 0.2 * rise,)


@normalize_waveform.hidden_case(group="shapes")
def many_short_waveforms(draw: Draw):
    """forty waveforms of some hundred samples"""
    return draw.normal(40, draw.integer(101, 600), scale=0.2) * draw.uniform(40, 1, low=0.1) + draw.normal(40, 1)


@normalize_waveform.hidden_case(group="shapes")
def double_precision(draw: Draw):
    """samples in float64, so far from zero that float32 would lose them"""
    return draw.normal(3, 6, scale=0.2).double() - 1e6


@normalize_waveform.case(group="quiet")
def a_whisper(draw: Draw):
    """a recording as faint as the noise of a good microphone"""
    return draw.normal(2, 8, scale=4e-4)


@normalize_waveform.case(group="quiet")
def a_silent_row(draw: Draw):
    """a silent waveform between two others"""
    x = draw.normal(3, 6, scale=0.1)
    x[1] = 0.0
    return x


@normalize_waveform.hidden_case(group="quiet")
def nothing_but_silence(draw: Draw):
    """silence, and one faint waveform"""
    x = torch.zeros(draw.integer(3, 6), draw.integer(7, 12))
    x[-1] = draw.normal(x.shape[-1], scale=2e-4)
    return x


@normalize_waveform.hidden_case(group="quiet")
def stuck_microphone(draw: Draw):
    """a microphone that gives one and the same value, beside a real recording"""
    x = draw.normal(2, 8, scale=0.1)
    x[0] = 0.25
    return x


@normalize_waveform.hidden_case(group="quiet")
def one_sample(draw: Draw):
    """waveforms of a single sample"""
    return draw.normal(4, 1)


@normalize_waveform.case(group="loud")
def a_click(draw: Draw):
    """a soft recording with one loud click"""
    x = draw.normal(2, 40, scale=0.05) + 0.1
    x[:, draw.integer(5, 35)] = 0.9
    return x


@normalize_waveform.case(group="loud")
def a_large_offset(draw: Draw):
    """faint recordings that lie far from zero"""
    return draw.normal(6, 12, scale=6e-3) + draw.uniform(6, 1, low=0.7, high=1.0)


@normalize_waveform.hidden_case(group="loud")
def a_large_offset_below(draw: Draw):
    """faint recordings that lie far below zero"""
    return draw.normal(8, 30, scale=6e-3) - draw.uniform(8, 1, low=0.7, high=1.0)


@normalize_waveform.hidden_case(group="loud")
def sixteen_bit(draw: Draw):
    """samples as 16-bit numbers, up to ±32 767"""
    return draw.uniform(2, 11, low=-32_767.0, high=32_767.0)


@normalize_waveform.case(group="eps")
def a_large_eps(draw: Draw):
    """another eps, given by name"""
    return arguments(draw.normal(2, 7) + 0.5, eps=0.5)


@normalize_waveform.hidden_case(group="eps")
def eps_by_position(draw: Draw):
    """another eps, given by position"""
    return draw.normal(3, 5, scale=0.1), draw.choice((1e-2, 3e-2))


@normalize_waveform.hidden_case(group="eps")
def no_eps_at_all(draw: Draw):
    """eps = 0, for a recording so faint that the usual eps would count"""
    return arguments(draw.normal(2, 9, scale=1e-4), eps=0.0)


def _centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-1, keepdim=True)


@normalize_waveform.misconception(
    "It divides by T − 1 in the variance, where the population variance divides by T.",
    hint="`std` and `var` have an argument `correction` (once `unbiased`); 1 unless you say otherwise.",
)
def sample_variance(x, eps=1e-7):
    return _centred(x) / (x.var(-1, keepdim=True) + eps).sqrt()


@normalize_waveform.misconception(
    "`keepdim` is forgotten: mean and variance lose the time axis, so each sample would meet another row's.",
    hint="`x` is (B, T); `x.mean(-1)` is (B,), which lines up with T. Which shape should the mean have instead?",
)
def keepdim_forgotten(x, eps=1e-7):
    return (x - x.mean(-1)) / (x.var(-1, correction=0) + eps).sqrt()


@normalize_waveform.misconception(
    "eps is added to the standard deviation, outside the root; the formula adds it to the variance, inside.",
    hint="For silence and eps = 0.01 you should divide by √0.01 = 0.1, not by 0.01.",
)
def eps_outside(x, eps=1e-7):
    return _centred(x) / (x.std(-1, keepdim=True, correction=0) + eps)


@normalize_waveform.misconception(
    "The deviation is kept from falling below eps, but eps is to be added to the variance.",
    hint="The formula adds eps always, not only where the deviation is small.",
)
def clamped(x, eps=1e-7):
    return _centred(x) / x.std(-1, keepdim=True, correction=0).clamp_min(eps)


@normalize_waveform.misconception(
    "Silence gives NaN: its variance is 0, and 0/0 is not a number.",
    hint="What is `eps` for?",
)
def no_eps(x, eps=1e-7):
    return _centred(x) / x.std(-1, keepdim=True, correction=0)


@normalize_waveform.misconception(
    "One mean and one deviation are taken over the whole batch, so a loud waveform makes the others soft.",
    hint="Each waveform is to come out with mean 0 and variance 1. Which axis do `mean` and `var` need?",
)
def whole_batch(x, eps=1e-7):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt()


@normalize_waveform.misconception(
    "Mean and deviation are taken over everything but the batch: the channels of one recording share them.",
    hint="Time is the last axis, whatever comes before it. Over that one only.",
)
def channels_together(x, eps=1e-7):
    axes = tuple(range(min(1, x.ndim - 1), x.ndim))
    return (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True) + eps).sqrt()


@normalize_waveform.misconception(
    "Mean and deviation go over the first axis, from one waveform to the next.",
    hint="Time is the last axis, whatever comes before it. How is the last axis numbered?",
)
def first_axis(x, eps=1e-7):
    return (x - x.mean(0, keepdim=True)) / (x.var(0, correction=0, keepdim=True) + eps).sqrt()


@normalize_waveform.misconception(
    "Mean and deviation go over axis 1: that is time in (B, T), but not in (B, C, T), and (T,) has no axis 1.",
    hint="Time is the last axis, whatever comes before it. How is the last axis numbered?",
)
def second_axis(x, eps=1e-7):
    return (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + eps).sqrt()


@normalize_waveform.misconception(
    "The mean is gone but the loudness is still there: nothing divides by the deviation.",
    hint="Play a recording at half the volume: should the result change?",
)
def only_centred(x, eps=1e-7):
    return _centred(x)


@normalize_waveform.misconception(
    "The mean is still there: it is not taken away before dividing.",
    hint="What is the mean of your result for a waveform that lies around 0.3?",
)
def mean_kept(x, eps=1e-7):
    return x / (x.var(-1, keepdim=True, correction=0) + eps).sqrt()


@normalize_waveform.misconception(
    "It divides by the rms of the waveform as it is; the mean is neither removed nor left out of the rms.",
    hint="Subtract the mean first. What is then the rms of what is left?",
)
def by_rms(x, eps=1e-7):
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt()


@normalize_waveform.misconception(
    "It divides by the variance; the root is missing.",
    hint="Play a recording at half the volume: should the result change? Yours doubles.",
)
def by_variance(x, eps=1e-7):
    return _centred(x) / (x.var(-1, keepdim=True, correction=0) + eps)


@normalize_waveform.misconception(
    "The variance is computed as E[x²] − μ²: with an offset, two large numbers cancel and the digits are gone.",
    hint="Subtract the mean first, then square: (x − μ)².",
)
def cancelled_variance(x, eps=1e-7):
    mean = x.mean(-1, keepdim=True)
    variance = x.square().mean(-1, keepdim=True) - mean.square()
    return (x - mean) / (variance.clamp_min(0) + eps).sqrt()


@normalize_waveform.misconception(
    "Everything beyond three standard deviations is cut off; a normalised waveform may go as far as it likes.",
    hint="Nothing in the formula cuts. Is there a `clamp`?",
)
def cut_off(x, eps=1e-7):
    return by_formula(x, eps).clamp(-3, 3)


@normalize_waveform.misconception(
    "It scales by the largest sample: one click decides how loud the whole recording is.",
    hint="Look at the formula: mean and variance take part, no maximum.",
)
def by_peak(x, eps=1e-7):
    return x / (x.abs().amax(-1, keepdim=True) + eps)


@normalize_waveform.misconception(
    "eps is 1e-7 whatever the caller says.",
    hint="Call it with `eps=0.5`: does anything change?",
)
def eps_ignored(x, eps=1e-7):
    return by_formula(x)


@normalize_waveform.misconception(
    "eps is 1e-5 unless given, a hundred times too large: faint recordings stay faint.",
    hint="1e-5 belongs to norm layers. Which eps stands in the signature?",
)
def eps_of_norm_layers(x, eps=1e-5):
    return by_formula(x, eps)


@normalize_waveform.alternative
def by_formula(x, eps=1e-7):
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True, correction=0) + eps)


@normalize_waveform.alternative
def by_mean_square(x, eps=1e-7):
    centred = x - x.sum(-1, keepdim=True) / x.shape[-1]
    return centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)


@normalize_waveform.alternative
def row_by_row(x, eps=1e-7):
    rows = [
        (row - row.mean()) / math.sqrt(row.std(correction=0).item() ** 2 + eps) for row in x.reshape(-1, x.shape[-1])
    ]
    return torch.stack(rows).reshape(x.shape)


# -------------------------------------------------------------------------------------------------------- conv1d

# PyTorch's own operators are refused however they are reached; other libraries' functions by name.
_OPERATORS = ("convolution", "_convolution", "mkldnn_convolution", "conv_tbc", "thnn_conv2d", "_slow_conv2d_forward")
_OPERATORS += ("slow_conv3d", "slow_conv3d_forward", "slow_conv_dilated2d", "slow_conv_dilated3d")
_OPERATORS += ("slow_conv_transpose2d", "slow_conv_transpose3d", "convolution_backward")
_ARRAY_CONVOLUTIONS = (
    *(f"scipy.signal.{name}" for name in ("convolve", "correlate", "fftconvolve", "oaconvolve", "lfilter")),
    *(f"scipy.ndimage.{name}" for name in ("convolve1d", "correlate1d", "convolve", "correlate")),
    *(f"numpy.{name}" for name in ("convolve", "correlate")),
)
FORBIDDEN = (
    *(f"aten::{name}" for name in _OPERATORS),
    "torchaudio.functional.fftconvolve",
    *_ARRAY_CONVOLUTIONS,
)


@exercise(unit=UNIT, differentiable=True, forbids=FORBIDDEN)
def conv1d(x, weight, bias=None, stride=1):
    return torch.conv1d(x, weight, bias, stride)


@conv1d.case
def one_filter(draw: Draw):
    """one filter of three taps over one clip of one channel"""
    return draw.normal(1, 1, 7), draw.normal(1, 1, 3)


@conv1d.case
def several_channels(draw: Draw):
    """a batch with several channels, several filters"""
    return draw.normal(2, 3, 9), draw.normal(5, 3, 2)


@conv1d.hidden_case
def more_of_everything(draw: Draw):
    """larger sizes"""
    return draw.normal(3, 4, 17), draw.normal(6, 4, 5)


@conv1d.case(group="stride")
def every_second(draw: Draw):
    """every second window, none left over"""
    return arguments(draw.normal(2, 3, 10), draw.normal(5, 3, 4), stride=2)


@conv1d.case(group="stride")
def samples_left_over(draw: Draw):
    """windows of ten, five apart, and samples left over at the end"""
    return arguments(draw.normal(2, 1, 40 + draw.integer(1, 5)), draw.normal(3, 1, 10), stride=5)


@conv1d.hidden_case(group="stride")
def stride_beyond_the_kernel(draw: Draw):
    """a stride larger than the kernel, so that some samples are in no window"""
    return arguments(draw.normal(2, 3, 14), draw.normal(4, 3, 2), stride=4)


@conv1d.hidden_case(group="stride")
def a_tenth_of_a_second(draw: Draw):
    """a tenth of a second through a layer like wav2vec 2.0's first"""
    return draw.normal(1, 1, 1_600), draw.normal(4, 1, 10), draw.normal(4), 5


@conv1d.case(group="bias")
def with_bias(draw: Draw):
    """with a bias"""
    return draw.normal(2, 3, 8), draw.normal(4, 3, 3), draw.normal(4)


@conv1d.hidden_case(group="bias")
def as_many_frames_as_filters(draw: Draw):
    """with a bias, and as many frames as filters"""
    return arguments(draw.normal(2, 3, 9), draw.normal(4, 3, 3), bias=draw.normal(4), stride=2)


@conv1d.hidden_case(group="bias")
def only_the_bias(draw: Draw):
    """filters of zeros, so that only the bias is left"""
    return draw.normal(2, 2, 7), torch.zeros(3, 2, 4), draw.normal(3)


@conv1d.case(group="edge")
def kernel_as_long_as_the_input(draw: Draw):
    """a kernel as long as the input"""
    return draw.normal(2, 3, 5), draw.normal(4, 3, 5)


@conv1d.hidden_case(group="edge")
def kernel_of_one(draw: Draw):
    """a kernel of one sample"""
    return draw.normal(2, 3, 6), draw.normal(4, 3, 1)


@conv1d.hidden_case(group="edge")
def all_sizes_equal(draw: Draw):
    """as many clips as channels, filters, taps and frames"""
    return draw.normal(3, 3, 5), draw.normal(3, 3, 3)


@conv1d.hidden_case(group="edge")
def kernel_as_long_with_stride(draw: Draw):
    """a kernel as long as the input, with a stride"""
    return arguments(draw.normal(3, 2, 4), draw.normal(5, 2, 4), stride=3)


@conv1d.hidden_case(group="edge")
def convolution_in_double_precision(draw: Draw):
    """numbers in float64, so far from zero that float32 would lose what these filters let through"""
    weight = draw.normal(4, 3, 3).double()
    return arguments(draw.normal(2, 3, 8).double() + 1e6, weight - weight.mean(-1, keepdim=True), stride=2)


def _windows(x: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """(B, C, T) → (B, C, T', K)"""
    return x.unfold(-1, size, stride)


def _convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int) -> torch.Tensor:
    out = torch.einsum("bctk,ock->bot", _windows(x, weight.shape[-1], stride), weight)
    return out if bias is None else out + bias[:, None]


@conv1d.misconception(
    "The kernel runs backwards. Mathematicians flip it and call that convolution; in deep learning nobody flips.",
    hint="With weight [1, 0, 0] the first output should be x[0]. Is yours x[2]?",
)
def flipped(x, weight, bias=None, stride=1):
    return _convolve(x, weight.flip(-1), bias, stride)


def _library_call(name: str) -> Callable:
    """Calls the function of that dotted name, as a learner might."""
    return lambda x, weight, bias=None, stride=1: pkgutil.resolve_name(name)(x[0, 0], weight[0, 0], "valid")


_ready_made(
    conv1d,
    "A ready-made convolution is called. Here you write it yourself.",
    "Take all windows with `x.unfold(-1, K, stride)`, multiply by the weights and sum over channels and taps "
    "(`torch.einsum`); or loop over the taps and add up slices.",
    ready_made_convolution=lambda x, weight, bias=None, stride=1: functional.conv1d(x, weight, bias, stride),
    **{f"ready_made_{name.replace('.', '_')}": _library_call(name) for name in _ARRAY_CONVOLUTIONS},
)


@conv1d.misconception(
    "The taps' slices have unequal lengths, so they cannot be added: `x[..., k::stride]` is shorter for a larger k.",
    hint="Each tap meets T' samples. Where must the slice of tap k end, so that it has exactly T' entries?",
)
def slices_of_unequal_length(x, weight, bias=None, stride=1):
    out = sum(weight[:, :, tap] @ x[..., tap::stride] for tap in range(weight.shape[-1]))
    return out if bias is None else out + bias[:, None]


@conv1d.misconception(
    "The taps' slices run to the end of x and are longer than the result, so they cannot be added to it.",
    hint="Each tap meets T' samples. Where must the slice of tap k end, so that it has exactly T' entries?",
)
def slices_to_the_end(x, weight, bias=None, stride=1):
    out = x.new_zeros(len(x), len(weight), (x.shape[-1] - weight.shape[-1]) // stride + 1)
    for tap in range(weight.shape[-1]):
        out = out + weight[:, :, tap] @ x[..., tap::stride]
    return out if bias is None else out + bias[:, None]


@conv1d.misconception(
    "The stride is ignored: the window moves on by one sample whatever is asked for.",
    hint="With stride 2 there should be about half as many frames.",
)
def stride_ignored(x, weight, bias=None, stride=1):
    return _convolve(x, weight, bias, 1)


@conv1d.misconception(
    "The bias is added along time: each frame gets its own number, where each channel should.",
    hint="The result is (B, Cout, T'), and a bias (Cout,) lines up with the last axis. How do you turn it?",
)
def bias_along_time(x, weight, bias=None, stride=1):
    out = _convolve(x, weight, None, stride)
    return out if bias is None else out + bias


@conv1d.misconception(
    "The bias is left out.",
    hint="Call it with a weight of zeros and some bias. What should come out?",
)
def bias_ignored(x, weight, bias=None, stride=1):
    return _convolve(x, weight, None, stride)


@conv1d.misconception(
    "The bias is added once for each input channel.",
    hint="First the sum over channels and taps, then the bias, once.",
)
def bias_for_every_channel(x, weight, bias=None, stride=1):
    return _convolve(x, weight, None if bias is None else bias * x.shape[1], stride)


@conv1d.misconception(
    "Zeros are put around the input, so there are windows that hang over its ends.",
    hint="No padding here: the first window begins at sample 0, the last one ends inside.",
)
def padded(x, weight, bias=None, stride=1):
    side = weight.shape[-1] // 2
    return _convolve(functional.pad(x, (side, side)), weight, bias, stride)


@conv1d.misconception(
    "Zeros are put behind the input so that the samples left over get a window too.",
    hint="What does not fill a whole window at the end is dropped.",
)
def leftovers_padded(x, weight, bias=None, stride=1):
    missing = -(x.shape[-1] - weight.shape[-1]) % stride
    return _convolve(functional.pad(x, (0, missing)), weight, bias, stride)


@conv1d.misconception(
    "The last window is missing: the loop ends one start too early.",
    hint="T = 5, K = 3: windows begin at 0, 1 and 2. `range(T - K)` stops where?",
)
def last_window_missing(x, weight, bias=None, stride=1):
    starts = range(0, x.shape[-1] - weight.shape[-1], stride)
    out = _convolve(x, weight, bias, stride)
    return out[..., : len(starts)]


@conv1d.misconception(
    "The windows lie side by side, one kernel length apart, whatever the stride.",
    hint="Where does the second window begin: at K, or at the stride?",
)
def side_by_side(x, weight, bias=None, stride=1):
    return _convolve(x, weight, bias, weight.shape[-1])


@conv1d.misconception(
    "The taps are spread out: the stride is applied inside the window (that is dilation), not between windows.",
    hint="The window holds K neighbours. The stride says where the next window begins.",
)
def dilated(x, weight, bias=None, stride=1):
    size = weight.shape[-1]
    if stride == 1:
        return _convolve(x, weight, bias, 1)
    spread = _windows(x, stride * (size - 1) + 1, 1)[..., ::stride]
    out = torch.einsum("bctk,ock->bot", spread, weight)
    return out if bias is None else out + bias[:, None]


@conv1d.misconception(
    "It takes the mean over the window instead of the sum.",
    hint="With weight [1, 1] two samples 2 and 3 should give 5.",
)
def averaged(x, weight, bias=None, stride=1):
    return _convolve(x, weight / weight.shape[-1], bias, stride)


@conv1d.misconception(
    "Only the first input channel is heard.",
    hint="Over which two indices does the formula sum?",
)
def first_channel_only(x, weight, bias=None, stride=1):
    return _convolve(x[:, :1], weight[:, :1], bias, stride)


@conv1d.misconception(
    "Windows and filters are flattened in different orders, so taps meet the wrong channels.",
    hint="`weight.reshape(Cout, -1)` runs channel by channel, tap by tap. Do your windows, too?",
)
def flattened_in_another_order(x, weight, bias=None, stride=1):
    windows = _windows(x, weight.shape[-1], stride).permute(0, 2, 3, 1).flatten(2)  # (B, T', K·Cin)
    out = (windows @ weight.flatten(1).T).mT
    return out if bias is None else out + bias[:, None]


@conv1d.misconception(
    "The weight is read as (Cin, Cout, K).",
    hint="As in `nn.Linear`, what comes out stands first: (Cout, Cin, K).",
)
def weight_axes_exchanged(x, weight, bias=None, stride=1):
    return _convolve(x, weight.transpose(0, 1), bias, stride)


@conv1d.misconception(
    "The result is (B, T', Cout); channels should come before time.",
    hint="The same order as the input: batch, channels, time.",
)
def time_before_channels(x, weight, bias=None, stride=1):
    return _convolve(x, weight, bias, stride).mT


@conv1d.alternative
def by_unfold_and_matmul(x, weight, bias=None, stride=1):
    windows = x.unfold(-1, weight.shape[-1], stride).transpose(1, 2).flatten(2)  # (B, T', Cin·K)
    out = windows @ weight.flatten(1).T
    return (out if bias is None else out + bias).transpose(1, 2)


@conv1d.alternative
def tap_by_tap(x, weight, bias=None, stride=1):
    size = weight.shape[-1]
    n_frames = (x.shape[-1] - size) // stride + 1
    out = torch.zeros(len(x), len(weight), n_frames, dtype=x.dtype)
    for tap in range(size):
        shifted = x[:, :, tap : tap + stride * (n_frames - 1) + 1 : stride]
        out = out + weight[:, :, tap] @ shifted
    return out if bias is None else out + bias.reshape(1, -1, 1)


@conv1d.alternative
def window_by_window(x, weight, bias=None, stride=1):
    starts = range(0, x.shape[-1] - weight.shape[-1] + 1, stride)
    frames = [torch.einsum("bck,ock->bo", x[..., start : start + weight.shape[-1]], weight) for start in starts]
    out = torch.stack(frames, dim=-1)
    return out if bias is None else out + bias[None, :, None]


@conv1d.alternative
def by_fourier_transform(x, weight, bias=None, stride=1):
    length, size = x.shape[-1], weight.shape[-1]
    spectrum = torch.fft.rfft(x)[:, None] * torch.fft.rfft(weight, n=length).conj()[None]
    out = torch.fft.irfft(spectrum.sum(2), n=length)[..., : length - size + 1 : stride]
    return out if bias is None else out + bias[:, None]


@conv1d.alternative
def by_im2col(x, weight, bias=None, stride=1):
    columns = functional.unfold(x[:, :, None], (1, weight.shape[-1]), stride=(1, stride))  # (B, Cin·K, T')
    out = weight.flatten(1) @ columns
    return out if bias is None else out + bias[:, None]


# -------------------------------------------------------------------------------------------- conv_output_length


@exercise(unit=UNIT)
def conv_output_length(length, kernels, strides):
    x = torch.empty(1, 1, length, device="meta")
    try:
        for kernel, stride in zip(kernels, strides, strict=True):
            x = torch.nn.Conv1d(1, 1, kernel, stride, device="meta")(x)
    except RuntimeError as error:
        raise ValueError("a layer's input is shorter than its kernel") from error
    return x.shape[-1]


@conv_output_length.case
def one_layer(draw: Draw):
    """one layer"""
    stride = draw.integer(2, 6)
    return stride * draw.integer(8, 20) + draw.integer(0, stride), [draw.integer(7, 11)], [stride]


@conv_output_length.case
def almost_another_window(draw: Draw):
    """one layer, and one sample too few for another window"""
    kernel, stride = draw.integer(7, 11), draw.integer(3, 6)
    return kernel + stride * draw.integer(8, 20) - 1, [kernel], [stride]


@conv_output_length.case
def three_layers(draw: Draw):
    """three layers"""
    return draw.integer(400, 900), [7, 4, 3], [3, 2, 2]


@conv_output_length.hidden_case
def wav2vec(draw: Draw):
    """a recording through wav2vec 2.0's seven layers"""
    return draw.integer(16_000, 480_001), list(KERNELS), list(STRIDES)


@conv_output_length.hidden_case(group="edge", seconds=20.0)
def an_hour(draw: Draw):
    """about an hour of sound, one sample too few for another vector"""
    return 320 * draw.integer(140_000, 180_000) + 399, list(KERNELS), list(STRIDES)


@conv_output_length.case(group="edge")
def thirty_seconds(draw: Draw):
    """thirty seconds through wav2vec 2.0's seven layers, kernels and strides as tuples"""
    return 480_000, KERNELS, STRIDES


@conv_output_length.hidden_case(group="edge")
def samples_lost_in_every_layer(draw: Draw):
    """samples left over in every layer"""
    length = draw.integer(5, 9)
    for left_over in (4, *draw.sample((1, 2, 3), 3)):  # the last layer's comes first
        length = (length - 1) * 5 + 8 + left_over
    return length, [8, 8, 8, 8], [5, 5, 5, 5]


@conv_output_length.hidden_case(group="edge")
def nothing_left_over(draw: Draw):
    """nothing left over in any layer"""
    length = draw.integer(5, 9)
    for kernel, stride in ((4, 2), (6, 3), (9, 4)):
        length = (length - 1) * stride + kernel
    return length, [9, 6, 4], [4, 3, 2]


@conv_output_length.case(group="edge")
def no_layers(draw: Draw):
    """no layers at all"""
    return draw.integer(10, 99), [], []


@conv_output_length.hidden_case(group="edge")
def no_layers_as_tuples(draw: Draw):
    """no layers, as tuples"""
    return draw.integer(10, 99), (), ()


@conv_output_length.hidden_case(group="edge")
def one_big_step(draw: Draw):
    """a stride larger than the kernel"""
    return 9 * draw.integer(4, 9) + draw.integer(3, 9), [3, 1], [9, 2]


@conv_output_length.case(group="short")
def exactly_as_long(draw: Draw):
    """an input exactly as long as the kernel"""
    kernel = draw.integer(6, 11)
    return kernel, [kernel], [draw.integer(2, 5)]


@conv_output_length.case(group="short")
def one_sample_short(draw: Draw):
    """an input one sample shorter than the kernel: ValueError"""
    return 9, [10], [5]


@conv_output_length.case(group="short")
def short_in_the_second_layer(draw: Draw):
    """long enough for the first layer, too short for the second: ValueError"""
    return draw.integer(12, 15), [5, 6], [2, 1]


@conv_output_length.hidden_case(group="short")
def just_long_enough(draw: Draw):
    """the shortest input that wav2vec 2.0 turns into a frame, and up to one sample less than gives two"""
    return draw.integer(400, 720), list(KERNELS), list(STRIDES)


@conv_output_length.hidden_case(group="short")
def short_in_a_later_layer(draw: Draw):
    """an input that becomes too short in a later layer: ValueError"""
    return draw.integer(320, 400), list(KERNELS), list(STRIDES)


@conv_output_length.hidden_case(group="short")
def short_in_the_middle(draw: Draw):
    """too short in the middle, where the layers after it have kernels of one: ValueError"""
    return draw.integer(10, 15), [10, 3, 1, 1], [5, 2, 3, 2]


@conv_output_length.hidden_case(group="short")
def exactly_as_long_everywhere(draw: Draw):
    """exactly one frame before the last layer, and a kernel of one there"""
    return 13, [9, 5, 1], [1, 2, 7]


@conv_output_length.hidden_case(group="short")
def an_empty_recording(draw: Draw):
    """no samples at all: ValueError"""
    return 0, [draw.integer(1, 4)], [draw.integer(1, 4)]


def _layer_by_layer(length, kernels, strides, rule):
    for kernel, stride in zip(kernels, strides, strict=True):
        if length < kernel:
            raise ValueError
        length = rule(length, kernel, stride)
    return length


@conv_output_length.misconception(
    "Each layer divides by its stride and that is all: the kernel has no say.",
    hint="A kernel of 10 fits into 10 samples once, whatever the stride. What does yours give?",
)
def kernels_ignored(length, kernels, strides):
    return _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: n // stride)


@conv_output_length.misconception(
    "The first window is not counted: (T − K) // stride says how many steps follow it.",
    hint="A kernel of 3 over 3 samples: one window, no step. What does your formula say?",
)
def first_window_not_counted(length, kernels, strides):
    return _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: (n - kernel) // stride)


@conv_output_length.misconception(
    "It rounds up, as if the samples left over at the end still made a window.",
    hint="Draw 8 samples, a kernel of 3 and stride 2. Does the last window fit?",
)
def rounded_up(length, kernels, strides):
    return _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: -((kernel - n) // stride) + 1)


@conv_output_length.misconception(
    "It rounds to the nearest whole number, so that half a step counts as one.",
    hint="Half a window at the end gives no frame. Which division always goes down?",
)
def rounded(length, kernels, strides):
    return _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: round((n - kernel) / stride) + 1)


@conv_output_length.misconception(
    "It counts as if every layer were padded so that its length is just divided by the stride, rounded up.",
    hint="No padding here: a window that hangs over the end is no window.",
)
def same_padding(length, kernels, strides):
    return _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: -(-n // stride))


@conv_output_length.misconception(
    "It counts the samples that no window reaches away from the stride: (T − K + 1) // stride.",
    hint="T = 4, K = 3, stride 2: one window fits, at 0. Write down where the windows begin for T = 3, 4, 5.",
)
def one_inside_the_division(length, kernels, strides):
    return _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: (n - kernel + 1) // stride)


@conv_output_length.misconception(
    "Only the recording is compared with the first kernel; what reaches the later layers may be too short, too.",
    hint="Put the comparison inside the loop.",
)
def only_the_first_layer_checked(length, kernels, strides):
    if kernels and length < kernels[0]:
        raise ValueError
    for kernel, stride in zip(kernels, strides, strict=True):
        length = (length - kernel) // stride + 1
    return length


@conv_output_length.misconception(
    "Too short an input gives no error but a number.",
    hint="Before each layer, compare what is left with the kernel. What should happen if it is shorter?",
)
def no_error(length, kernels, strides):
    for kernel, stride in zip(kernels, strides, strict=True):
        length = (length - kernel) // stride + 1
    return length


@conv_output_length.misconception(
    "`int(…)` of a negative number goes up to 0: nine samples under a kernel of ten come out as one frame.",
    hint="`//` goes down, `int` goes towards 0. And should you compute at all where the kernel does not fit?",
)
def int_goes_up(length, kernels, strides):
    for kernel, stride in zip(kernels, strides, strict=True):
        length = int((length - kernel) / stride) + 1
        if length < 1:
            raise ValueError
    return length


@conv_output_length.misconception(
    "An input exactly as long as the kernel is refused; the kernel fits once.",
    hint="Should it be `<` or `<=`?",
)
def exact_fit_refused(length, kernels, strides):
    for kernel, stride in zip(kernels, strides, strict=True):
        if length <= kernel:
            raise ValueError
        length = (length - kernel) // stride + 1
    return length


@conv_output_length.misconception(
    "The result is a float.",
    hint="Frames are counted. `/` always gives a float; which division gives an int?",
)
def as_a_float(length, kernels, strides):
    return float(_layer_by_layer(length, kernels, strides, lambda n, kernel, stride: (n - kernel) // stride + 1))


@conv_output_length.misconception(
    "It divides by the product of the strides at the end; the windows of the layers are left out.",
    hint="480 000 / 320 is 1 500, but 1 499 come out. Go layer by layer.",
)
def divided_once(length, kernels, strides):
    total = math.prod(strides)
    _layer_by_layer(length, kernels, strides, lambda n, kernel, stride: (n - kernel) // stride + 1)
    return length // total


@conv_output_length.alternative
def counted(length, kernels, strides):
    for kernel, stride in zip(kernels, strides, strict=True):
        starts = range(0, length - kernel + 1, stride)
        if not starts:
            raise ValueError("too short")
        length = len(starts)
    return length


@conv_output_length.alternative
def all_at_once(length, kernels, strides):
    field, jump = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field, jump = field + (kernel - 1) * jump, jump * stride
    if length < field:
        raise ValueError("shorter than the receptive field")
    return 1 + (length - field) // jump


@conv_output_length.alternative
def by_recursion(length, kernels, strides):
    if len(kernels) == 0:
        return length
    if length < kernels[0]:
        raise ValueError("too short")
    return by_recursion(1 + math.floor((length - kernels[0]) / strides[0]), kernels[1:], strides[1:])


# ----------------------------------------------------------------------------------------------- receptive_field


@exercise(unit=UNIT)
def receptive_field(kernels, strides):
    # From the definition: which samples does one output depend on? Ones as weights, so that nothing cancels.
    def outputs(x):
        for kernel, stride in zip(kernels, strides, strict=True):
            x = torch.conv1d(x, torch.ones(1, 1, kernel, dtype=x.dtype), stride=stride)
        return x[0, 0]

    length = 2
    while True:
        x = torch.zeros(1, 1, length, dtype=torch.float64, requires_grad=True)
        try:
            frames = outputs(x)
        except RuntimeError:  # too short for one output
            frames = ()
        if len(frames) >= 2:
            break
        length *= 2
    touched = [torch.autograd.grad(frame, x, retain_graph=True)[0][0, 0].nonzero()[:, 0] for frame in frames[:2]]
    samples = touched[0][-1] - touched[0][0] + 1
    return int(samples), int(touched[1][0] - touched[0][0])


@receptive_field.case
def wav2vec_2(draw: Draw):
    """wav2vec 2.0's seven layers"""
    return KERNELS, STRIDES


@receptive_field.case
def two_layers(draw: Draw):
    """two layers"""
    first, second = draw.sample(range(3, 8), 2)
    return [first, second], [draw.integer(2, 3), draw.integer(3, 5)]


@receptive_field.hidden_case
def other_layers(draw: Draw):
    """layers that nobody has published"""
    n_layers = draw.integer(3, 5)
    kernels = [draw.integer(3, 7) for _ in range(n_layers)]
    return kernels, [draw.integer(2, 4) for _ in range(n_layers - 1)] + [5]


@receptive_field.hidden_case
def large_kernels(draw: Draw):
    """kernels of tens and hundreds, as of a spectrogram with layers above it"""
    return [draw.integer(200, 401), 3, draw.integer(20, 40)], [draw.integer(120, 161), draw.integer(3, 5), 5]


@receptive_field.case(group="edge")
def a_single_layer(draw: Draw):
    """a single layer"""
    kernel = draw.integer(6, 12)
    return [kernel], [draw.integer(2, 6)]


@receptive_field.case(group="edge")
def none_at_all(draw: Draw):
    """no layers"""
    return [], []


@receptive_field.hidden_case(group="edge")
def none_at_all_as_tuples(draw: Draw):
    """no layers, as tuples"""
    return (), ()


@receptive_field.hidden_case(group="edge")
def strides_of_one(draw: Draw):
    """strides of one everywhere"""
    return [draw.integer(3, 6), draw.integer(6, 9), 5], [1, 1, 1]


@receptive_field.hidden_case(group="edge")
def kernels_of_one(draw: Draw):
    """kernels of one between others"""
    return [1, draw.integer(3, 7), 1, 4], [draw.integer(2, 4), 3, 5, 1]


@receptive_field.hidden_case(group="holes")
def strides_beyond_the_kernels(draw: Draw):
    """strides larger than the kernels, so that some samples in between are never looked at"""
    return [2, 3], [draw.integer(4, 7), draw.integer(2, 5)]


@receptive_field.hidden_case(group="holes")
def a_step_beyond_the_field(draw: Draw):
    """a total stride larger than the field"""
    return [draw.integer(3, 6), 2], [draw.integer(2, 4), draw.integer(9, 13)]


@receptive_field.hidden_case(group="holes")
def only_every_few_samples(draw: Draw):
    """a first layer that only picks every few samples"""
    return [1, draw.integer(3, 6)], [draw.integer(5, 9), 2]


@receptive_field.case(group="holes")
def holes_in_the_middle(draw: Draw):
    """a layer with holes in the middle"""
    return [4, 2, 3], [2, draw.integer(5, 8), 1]


def _total(strides):
    return math.prod(strides)


@receptive_field.misconception(
    "The kernels are added up. But a tap of a later layer is many samples wide.",
    hint="After a layer of stride 5, two neighbouring frames lie 5 samples apart. How far does a kernel of 3 reach?",
)
def sum_of_kernels(kernels, strides):
    return sum(kernels), _total(strides)


@receptive_field.misconception(
    "The kernels are multiplied. That is right only where windows lie side by side without overlap.",
    hint="Kernels 3 and 3 with strides 1 and 1: draw which samples the last output sees. Nine?",
)
def product_of_kernels(kernels, strides):
    return math.prod(kernels), _total(strides)


@receptive_field.misconception(
    "The strides are left out of the field: it is right only where every stride is 1.",
    hint="How many samples apart are two neighbouring inputs of the second layer?",
)
def strides_left_out(kernels, strides):
    return 1 + sum(kernel - 1 for kernel in kernels), _total(strides)


@receptive_field.misconception(
    "A layer's own stride is counted in its reach; only the strides of the layers below it widen its taps.",
    hint="One layer of kernel 10 and stride 5 sees 10 samples. What does yours say?",
)
def own_stride_counted(kernels, strides):
    field, jump = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        jump *= stride
        field += (kernel - 1) * jump
    return field, jump


@receptive_field.misconception(
    "The layers are taken from the last to the first, with the rule for going from the first to the last.",
    hint="Which layer's taps are one sample apart: the first one's or the last one's?",
)
def from_the_wrong_end(kernels, strides):
    field, jump = 1, 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field, jump


@receptive_field.misconception(
    "It gives the distance from the first to the last sample, which is one less than the number of samples.",
    hint="A kernel of 10 spans samples 0 to 9. How many are these? And how many does no layer at all see?",
)
def distance_not_count(kernels, strides):
    field, jump = 0, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field, jump


@receptive_field.misconception(
    "Each layer adds its whole kernel; but one of its taps is already counted by the layers below.",
    hint="Two layers of kernel 1 and stride 1 see one sample. What does yours say?",
)
def whole_kernels_added(kernels, strides):
    field, jump = 0, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field, jump = field + kernel * jump, jump * stride
    return field, jump


@receptive_field.misconception(
    "Samples in the holes are left out. The field spans from the first to the last sample, holes included.",
    hint="Kernels 1 and 2, strides 3 and 1: samples 0 and 3 take part. The span is 4.",
)
def holes_left_out(kernels, strides):
    seen = {0}
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        seen = {index * stride + tap for index in seen for tap in range(kernel)}
    return len(seen), _total(strides)


@receptive_field.misconception(
    "The strides are added up; each layer multiplies the step of the one below.",
    hint="Every second of every fifth sample: every tenth, or every seventh?",
)
def strides_added(kernels, strides):
    return distance_not_count(kernels, strides)[0] + 1, sum(strides)


@receptive_field.misconception(
    "The total stride is that of the last layer alone.",
    hint="The last layer moves on by its stride in frames of the layer below. How many samples is that?",
)
def last_stride_only(kernels, strides):
    return distance_not_count(kernels, strides)[0] + 1, strides[-1] if strides else 1


@receptive_field.misconception(
    "Field and stride have changed places: (samples, total_stride) is asked for.",
    hint="For wav2vec 2.0: (400, 320).",
)
def exchanged(kernels, strides):
    field, jump = distance_not_count(kernels, strides)
    return jump, field + 1


@receptive_field.misconception(
    "Only the first layer is looked at.",
    hint="What one output of the last layer sees grows with every layer below it.",
)
def first_layer_only(kernels, strides):
    return (kernels[0], strides[0]) if kernels else (1, 1)


@receptive_field.misconception(
    "Without any layer there is still one sample, which sees itself: (1, 1).",
    hint="Start with a field of 1 and a step of 1, before the first layer.",
)
def empty_gives_zero(kernels, strides):
    return (distance_not_count(kernels, strides)[0] + 1, _total(strides)) if kernels else (0, 0)


@receptive_field.alternative
def from_the_first(kernels, strides):
    field, jump = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * jump
        jump *= stride
    return field, jump


@receptive_field.alternative
def from_the_last(kernels, strides):
    field = 1
    for kernel, stride in list(zip(kernels, strides, strict=True))[::-1]:
        field = (field - 1) * stride + kernel
    return field, math.prod(strides)


@receptive_field.alternative
def by_the_shortest_input(kernels, strides):
    def frames(length):
        for kernel, stride in zip(kernels, strides, strict=True):
            length = (length - kernel) // stride + 1 if length >= kernel else 0
        return length

    one = next(length for length in range(1, 100_000) if frames(length) == 1)
    two = next(length for length in range(one, 100_000) if frames(length) == 2)
    return one, two - one


# ---------------------------------------------------------------------------------------------------------- gelu


@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=2e-6, rtol=1e-5))
def gelu(x):
    return functional.gelu(x)


@gelu.case
def a_few_numbers(draw: Draw):
    """a few numbers"""
    return draw.normal(6, scale=1.5)


@gelu.case
def a_grid(draw: Draw):
    """numbers from −4 to 4"""
    return torch.linspace(-4, 4, 33) + draw.uniform(33, low=-0.1, high=0.1)


@gelu.hidden_case
def frames(draw: Draw):
    """a batch of frames, (B, T, D)"""
    return draw.normal(2, 5, 4, scale=2.0)


@gelu.case(group="extremes")
def large_numbers(draw: Draw):
    """large numbers of both signs"""
    return torch.cat([draw.uniform(4, low=6, high=1e4), draw.uniform(4, low=-1e4, high=-6)])


@gelu.hidden_case(group="extremes")
def around_zero(draw: Draw):
    """numbers near zero, and zero itself"""
    return torch.cat([torch.zeros(1), draw.normal(7, scale=0.05)])


@gelu.hidden_case(group="extremes")
def where_the_tail_ends(draw: Draw):
    """numbers between −5 and −2"""
    return draw.uniform(3, 8, low=-5.0, high=-2.0)


@gelu.hidden_property_case(group="extremes")
def the_far_tail(draw: Draw):
    """between −6 and −5 in float64: small numbers, each with its own first digits"""
    x = draw.uniform(7, low=-6.0, high=-5.0).double()
    got = yield arguments(x)
    expected = torch.tensor([one * 0.5 * math.erfc(-one / math.sqrt(2)) for one in x.tolist()], dtype=x.dtype)
    if not torch.allclose(got.value, expected, rtol=1e-4, atol=0.0):
        raise Wrong("between −6 and −5 it is wrong in the first four digits")


@gelu.hidden_case(group="extremes")
def a_single_number(draw: Draw):
    """a single number without axes"""
    return draw.normal() + 1.0


@gelu.hidden_case(group="extremes")
def gelu_in_double_precision(draw: Draw):
    """numbers in float64"""
    return draw.normal(3, 5).double()


def _phi(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


@gelu.misconception(
    "It is the tanh approximation, off by up to 0.0005. wav2vec 2.0 and Whisper use the exact form.",
    hint="`torch.erf` gives the exact one.",
)
def tanh_form(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@gelu.misconception(
    "It is the sigmoid approximation, x·σ(1.702·x), which is off by up to 0.02.",
    hint="Φ is not a sigmoid, although it looks like one. Which function of torch has erf in its name?",
)
def sigmoid_form(x):
    return x * torch.sigmoid(1.702 * x)


@gelu.misconception(
    "It is SiLU (swish), x·σ(x), a relative of GELU.",
    hint="Here x is weighted by Φ(x), the share of a normal distribution that lies below x.",
)
def silu(x):
    return functional.silu(x)


@gelu.misconception(
    "It is ReLU: everything below zero is cut off.",
    hint="GELU(−1) is −0.1587, not 0.",
)
def relu(x):
    return functional.relu(x)


@gelu.misconception(
    "The √2 is missing: erf(x) belongs to a normal distribution of variance ½, not 1.",
    hint="Φ(1) = 0.8413. What is your Φ(1)?",
)
def no_root_two(x):
    return x * 0.5 * (1 + torch.erf(x))


@gelu.misconception(
    "x is multiplied by √2 inside erf, where it is to be divided.",
    hint="Φ(1) = 0.8413. What is your Φ(1)?",
)
def times_root_two(x):
    return x * 0.5 * (1 + torch.erf(x * math.sqrt(2)))


@gelu.misconception(
    "It gives Φ(x) alone; x itself is not multiplied.",
    hint="Φ is a weight between 0 and 1. What is being weighted?",
)
def weight_alone(x):
    return _phi(x)


@gelu.misconception(
    "The factor ½ is missing: large numbers come out doubled.",
    hint="For large x the result should be x itself.",
)
def not_halved(x):
    return x * (1 + torch.erf(x / math.sqrt(2)))


@gelu.misconception(
    "The 1 in 1 + erf is missing: negative numbers come out positive.",
    hint="erf goes from −1 to 1, Φ from 0 to 1. How do you get from one to the other?",
)
def one_missing(x):
    return 0.5 * x * torch.erf(x / math.sqrt(2))


@gelu.misconception(
    "x is weighted by the bell curve itself, not by the area below it up to x.",
    hint="For large x the weight should go to 1, not to 0.",
)
def density(x):
    return x * torch.exp(-0.5 * x.square()) / math.sqrt(2 * math.pi)


@gelu.alternative
def by_erf(x):
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


@gelu.alternative
def by_normal_distribution(x):
    return x * torch.special.ndtr(x)


@gelu.alternative
def by_erfc(x):
    return x * torch.erfc(-x * math.sqrt(0.5)) / 2


# ---------------------------------------------------------------------------------------------------- group_norm


@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=3e-5))
def group_norm(x, n_groups, weight, bias, eps=1e-5):
    return functional.group_norm(x, n_groups, weight, bias, eps)


def _affine(draw: Draw, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    return draw.normal(channels) + 0.5, draw.normal(channels)


def _uneven(draw: Draw, *shape: int) -> torch.Tensor:
    """Clips and channels of different loudness and offset."""
    batch, channels, _ = shape
    loudness = draw.uniform(batch, channels, 1, low=0.5, high=3.0)
    return draw.normal(*shape) * loudness + draw.normal(batch, channels, 1)


def _far(draw: Draw, *shape: int) -> torch.Tensor:
    """Clips that lie some 150 deviations from zero; their mean is exact in float32, that of their squares is not."""
    half = (draw.normal(*shape[:-1], shape[-1] // 2) * 256).round() / 256
    return torch.cat([half, -half], dim=-1) + draw.integers(140, 160, shape[0], 1, 1) * draw.choice((1.0, -1.0))


@group_norm.case
def three_groups_of_two(draw: Draw):
    """six channels in three groups"""
    return _uneven(draw, 2, 6, 5), 3, *_affine(draw, 6)


@group_norm.case
def two_groups_of_four(draw: Draw):
    """eight channels in two groups"""
    return _uneven(draw, 3, 8, 5), 2, *_affine(draw, 8)


@group_norm.hidden_case
def two_groups_of_five(draw: Draw):
    """ten channels in two groups"""
    return _uneven(draw, 2, 10, 7), 2, *_affine(draw, 10)


@group_norm.case(group="number of groups")
def each_channel_alone(draw: Draw):
    """as many groups as channels, as in wav2vec 2.0's first layer"""
    return _uneven(draw, 2, 4, 7), 4, *_affine(draw, 4)


@group_norm.case(group="number of groups")
def all_channels_together(draw: Draw):
    """one group of all channels"""
    return _uneven(draw, 2, 6, 4), 1, *_affine(draw, 6)


@group_norm.hidden_case(group="number of groups")
def pairs(draw: Draw):
    """groups of two"""
    return _uneven(draw, 3, 10, 4), 5, *_affine(draw, 10)


@group_norm.case(group="edge")
def silent_group(draw: Draw):
    """a group that is silent in one clip"""
    x = _uneven(draw, 2, 6, 5)
    x[1, 2:4] = 0.0
    return x, 3, *_affine(draw, 6)


@group_norm.case(group="edge")
def faint(draw: Draw):
    """numbers so small that eps counts"""
    return 0.004 * _uneven(draw, 2, 6, 5), 2, *_affine(draw, 6)


@group_norm.case(group="edge", gradient=False)
def far_from_zero(draw: Draw):
    """numbers that lie far from zero"""
    return _far(draw, 4, 6, 30), 3, draw.uniform(6, low=0.3, high=0.8), draw.normal(6)


@group_norm.property_case(group="edge")
def alone_and_in_a_batch(draw: Draw):
    """a clip alone, and the same clip in a batch"""
    x, affine = _uneven(draw, 3, 6, 5), _affine(draw, 6)
    alone = yield arguments(x[1:2], 3, *affine)
    together = yield arguments(x, 3, *affine)
    if not torch.allclose(alone.value[0], together.value[1], atol=3e-5):
        raise Wrong("a clip comes out differently in a batch than alone")


@group_norm.case(group="edge")
def as_many_channels_as_frames(draw: Draw):
    """as many channels as frames"""
    return _uneven(draw, 2, 6, 6), 2, *_affine(draw, 6)


@group_norm.hidden_case(group="edge")
def loud_and_soft_clips(draw: Draw):
    """a loud and a soft clip in one batch"""
    return _uneven(draw, 2, 4, 6) * torch.tensor([5.0, 0.1]).reshape(2, 1, 1), 2, *_affine(draw, 4)


@group_norm.hidden_case(group="edge")
def one_frame(draw: Draw):
    """a single frame"""
    return _uneven(draw, 3, 6, 1), 2, *_affine(draw, 6)


@group_norm.hidden_case(group="edge")
def one_clip(draw: Draw):
    """a batch of one"""
    return _uneven(draw, 1, 4, 5), 2, *_affine(draw, 4)


@group_norm.hidden_case(group="edge")
def group_norm_in_double_precision(draw: Draw):
    """numbers in float64, so far from zero that float32 would lose them"""
    return _uneven(draw, 2, 6, 4).double() + 1e6, 3, *(one.double() for one in _affine(draw, 6))


@group_norm.case(group="eps")
def eps_by_name(draw: Draw):
    """another eps, given by name"""
    return arguments(_uneven(draw, 2, 6, 5), 3, *_affine(draw, 6), eps=0.5)


@group_norm.case(group="eps")
def almost_silent(draw: Draw):
    """almost silence, with the usual eps"""
    return 3e-5 * _uneven(draw, 2, 6, 5), 3, *_affine(draw, 6)


@group_norm.hidden_case(group="eps")
def eps_by_place(draw: Draw):
    """another eps, given by position"""
    return _uneven(draw, 2, 8, 3), 4, *_affine(draw, 8), 0.1


@group_norm.hidden_case(group="eps")
def a_smaller_eps(draw: Draw):
    """an eps smaller than the usual one, for a variance as small"""
    return arguments(1e-4 * _uneven(draw, 2, 6, 7), 3, *_affine(draw, 6), eps=draw.choice((1e-8, 3e-9)))


@group_norm.hidden_case(group="eps", gradient=False)
def almost_silent_channels(draw: Draw):
    """almost silence in every channel, with the usual eps"""
    return 3e-5 * _uneven(draw, 3, 4, 40), 4, *_affine(draw, 4)


def _normalised(x, axes, eps, correction=0):
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=correction)
    return (x - mean) / (variance + eps).sqrt()


def _grouped(x, n_groups, eps, correction=0):
    return _normalised(x.reshape(len(x), n_groups, -1), -1, eps, correction).reshape(x.shape)


def _scaled(x, weight, bias):
    return x * weight[:, None] + bias[:, None]


@group_norm.misconception(
    "It divides by n − 1 in the variance, where norm layers divide by n.",
    hint="`var` and `std` have an argument `correction` (once `unbiased`); 1 unless you say otherwise.",
)
def group_sample_variance(x, n_groups, weight, bias, eps=1e-5):
    return _scaled(_grouped(x, n_groups, eps, correction=1), weight, bias)


@group_norm.misconception(
    "eps is added outside the root.",
    hint="√(σ² + eps), not σ + eps. In a silent group you divide by √eps.",
)
def group_eps_outside(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1)
    groups = (groups - groups.mean(-1, keepdim=True)) / (groups.std(-1, keepdim=True, correction=0) + eps)
    return _scaled(groups.reshape(x.shape), weight, bias)


@group_norm.misconception(
    "eps is 1e-5 whatever the caller says.",
    hint="Call it with `eps=0.5`: does anything change?",
)
def group_eps_ignored(x, n_groups, weight, bias, eps=1e-5):
    return by_reshape(x, n_groups, weight, bias)


@group_norm.misconception(
    "eps is 1e-7 unless given, as in exercise 4.1; here it is 1e-5.",
    hint="Compare the eps in your signature with the one that you were given.",
)
def eps_of_the_waveform(x, n_groups, weight, bias, eps=1e-7):
    return by_reshape(x, n_groups, weight, bias, eps)


@group_norm.misconception(
    "The deviation is kept from falling below eps, but eps is to be added to the variance.",
    hint="The formula adds eps always, not only where the deviation is small.",
)
def group_clamped(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1)
    groups = (groups - groups.mean(-1, keepdim=True)) / groups.std(-1, keepdim=True, correction=0).clamp_min(eps)
    return _scaled(groups.reshape(x.shape), weight, bias)


@group_norm.misconception(
    "The variance is computed as E[x²] − μ²: far from zero two large numbers cancel and the digits are gone.",
    hint="Subtract the mean first, then square: (x − μ)².",
)
def group_cancelled_variance(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1)
    mean = groups.mean(-1, keepdim=True)
    variance = (groups.square().mean(-1, keepdim=True) - mean.square()).clamp_min(0)
    return _scaled(((groups - mean) / (variance + eps).sqrt()).reshape(x.shape), weight, bias)


@group_norm.misconception(
    "`keepdim` is forgotten: mean and variance lose an axis, so a group would meet another one's.",
    hint="`groups` is (B, n, M); its mean over the last axis is (B, n), which lines up with (n, M). Keep the axis.",
)
def group_keepdim_forgotten(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1)
    groups = (groups - groups.mean(-1)) / (groups.var(-1, correction=0) + eps).sqrt()
    return _scaled(groups.reshape(x.shape), weight, bias)


@group_norm.misconception(
    "The groups overlap: each begins one channel after the one before, not C/n channels.",
    hint="Eight channels in two groups: channels 0 to 3 and 4 to 7. Where does your second slice begin?",
)
def overlapping_groups(x, n_groups, weight, bias, eps=1e-5):
    size = x.shape[1] // n_groups
    parts = [_normalised(x[:, first : first + size], (1, 2), eps) for first in range(n_groups)]
    return _scaled(torch.cat(parts, dim=1), weight, bias)


@group_norm.misconception(
    "A silent group gives NaN: 0/0. eps is not used.",
    hint="What is `eps` for?",
)
def group_without_eps(x, n_groups, weight, bias, eps=1e-5):
    return _scaled(_grouped(x, n_groups, 0.0), weight, bias)


@group_norm.misconception(
    "Each channel is normalised on its own whatever `n_groups` says (instance norm).",
    hint="With C channels in n groups, how many channels share a mean?",
)
def always_each_channel(x, n_groups, weight, bias, eps=1e-5):
    return _scaled(_normalised(x, -1, eps), weight, bias)


@group_norm.misconception(
    "All channels are normalised together whatever `n_groups` says.",
    hint="Each group needs a mean of its own. How many means are there for one clip?",
)
def always_one_group(x, n_groups, weight, bias, eps=1e-5):
    return _scaled(_normalised(x, (1, 2), eps), weight, bias)


@group_norm.misconception(
    "The groups are dealt out like cards: channels 0, n, 2n … together. Neighbours belong together.",
    hint="`reshape` cuts an axis into (outer, inner). Which of the two is the group?",
)
def interleaved(x, n_groups, weight, bias, eps=1e-5):
    cards = x.reshape(len(x), -1, n_groups, x.shape[-1])
    return _scaled(_normalised(cards, (1, 3), eps).reshape(x.shape), weight, bias)


@group_norm.misconception(
    "`n_groups` is taken for the number of channels in a group.",
    hint="Six channels in three groups: two channels a group, not three.",
)
def size_not_number(x, n_groups, weight, bias, eps=1e-5):
    return _scaled(_grouped(x, x.shape[1] // n_groups, eps), weight, bias)


@group_norm.misconception(
    "Mean and variance are shared by the whole batch: each clip changes the others.",
    hint="A clip should give the same alone and in a batch. Over which axes do you average?",
)
def over_the_batch(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1, x.shape[-1])
    return _scaled(_normalised(groups, (0, 2, 3), eps).reshape(x.shape), weight, bias)


@group_norm.misconception(
    "Each frame is normalised on its own: time takes no part in the mean.",
    hint="A group holds C/n channels and all T frames. How many numbers go into one mean?",
)
def frame_by_frame(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1, x.shape[-1])
    return _scaled(_normalised(groups, 2, eps).reshape(x.shape), weight, bias)


@group_norm.misconception(
    "The mean stays: only the loudness is evened out.",
    hint="Subtract the group's mean before dividing.",
)
def group_mean_kept(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(len(x), n_groups, -1)
    return _scaled((groups / (groups.var(-1, keepdim=True, correction=0) + eps).sqrt()).reshape(x.shape), weight, bias)


@group_norm.misconception(
    "The weight is left out.",
    hint="After normalising, each channel is multiplied by its weight and its bias is added.",
)
def no_weight(x, n_groups, weight, bias, eps=1e-5):
    return _grouped(x, n_groups, eps) + bias[:, None]


@group_norm.misconception(
    "The bias is left out.",
    hint="After normalising, each channel is multiplied by its weight and its bias is added.",
)
def no_bias(x, n_groups, weight, bias, eps=1e-5):
    return _grouped(x, n_groups, eps) * weight[:, None]


@group_norm.misconception(
    "Weight and bias are laid along time; each channel should have its own.",
    hint="(C,) lines up with the last axis of (B, C, T), which is time. How do you turn it?",
)
def affine_along_time(x, n_groups, weight, bias, eps=1e-5):
    return _grouped(x, n_groups, eps) * weight + bias


@group_norm.misconception(
    "Weight and bias come before normalising, which undoes most of their work.",
    hint="First normalise, then scale and shift.",
)
def affine_first(x, n_groups, weight, bias, eps=1e-5):
    return _grouped(_scaled(x, weight, bias), n_groups, eps)


@group_norm.alternative
def by_reshape(x, n_groups, weight, bias, eps=1e-5):
    groups = x.reshape(x.shape[0], n_groups, -1)
    centred = groups - groups.mean(-1, keepdim=True)
    groups = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps)
    return groups.reshape(x.shape) * weight[None, :, None] + bias[None, :, None]


@group_norm.alternative
def group_by_group(x, n_groups, weight, bias, eps=1e-5):
    parts = []
    for part in x.chunk(n_groups, dim=1):
        variance, mean = torch.var_mean(part, dim=(1, 2), keepdim=True, correction=0)
        parts.append((part - mean) * (variance + eps).rsqrt())
    return torch.cat(parts, dim=1) * weight.reshape(-1, 1) + bias.reshape(-1, 1)


@group_norm.alternative
def through_rows(x, n_groups, weight, bias, eps=1e-5):
    rows = by_formula(x.reshape(x.shape[0] * n_groups, -1), eps).reshape(x.shape)
    return torch.addcmul(bias[:, None], rows, weight[:, None])


@group_norm.alternative
def with_one_hot_groups(x, n_groups, weight, bias, eps=1e-5):
    belongs = torch.eye(n_groups, dtype=x.dtype).repeat_interleave(x.shape[1] // n_groups, dim=0)  # (C, n_groups)
    share = belongs @ belongs.T / belongs.sum(0)[0]  # (C, C), what each channel adds to the mean of another's group
    centred = x - (share @ x.mean(-1, keepdim=True))
    variance = share @ centred.square().mean(-1, keepdim=True)
    return centred / (variance + eps) ** 0.5 * weight[:, None] + bias[:, None]


# ----------------------------------------------------------------------------------------------- feature_encoder


@exercise(unit=UNIT, differentiable=True)
def feature_encoder(x, layers):
    modules, parameters = [], {}
    for index, layer in enumerate(layers):
        channels_out, channels_in, kernel = layer["weight"].shape
        convolution = torch.nn.Conv1d(channels_in, channels_out, kernel, layer["stride"], bias=False, device="meta")
        modules += [convolution, torch.nn.GELU()]
        parameters[f"{2 * index}.weight"] = layer["weight"]
    return torch.func.functional_call(torch.nn.Sequential(*modules), parameters, (x[:, None],)).mT


def _layers(draw: Draw, widths: list[int], kernels: list[int], strides: list[int]) -> list[dict]:
    """Layers that keep the signal's strength, more or less."""
    layers = []
    for before, after, kernel, stride in zip([1, *widths[:-1]], widths, kernels, strides, strict=True):
        scale = 1.6 / math.sqrt(before * kernel)
        layers.append({"weight": draw.normal(after, before, kernel, scale=scale), "stride": stride})
    return layers


@feature_encoder.case
def one_encoder_layer(draw: Draw):
    """one layer"""
    return draw.normal(2, 13), _layers(draw, [4], [3], [2])


@feature_encoder.case
def two_encoder_layers(draw: Draw):
    """two layers"""
    return draw.normal(3, 33), _layers(draw, [4, 2], [5, 3], [3, 2])


@feature_encoder.hidden_case
def three_encoder_layers(draw: Draw):
    """three layers of different widths"""
    return draw.normal(2, 60), _layers(draw, [3, 6, 5], [6, 3, 2], [3, 2, 2])


@feature_encoder.case(group="edge")
def a_batch_of_one(draw: Draw):
    """a batch of one waveform"""
    return draw.normal(1, 21), _layers(draw, [3, 5], [4, 2], [2, 3])


@feature_encoder.case(group="edge")
def one_vector_left(draw: Draw):
    """a waveform just long enough for one vector"""
    return draw.normal(2, 10), _layers(draw, [3, 4], [4, 3], [3, 2])


@feature_encoder.hidden_case(group="edge")
def as_many_frames_as_channels(draw: Draw):
    """as many frames as channels"""
    return draw.normal(3, 23), _layers(draw, [4, 4], [5, 3], [2, 2])


@feature_encoder.hidden_case(group="edge")
def a_loud_recording(draw: Draw):
    """samples far above 1"""
    return draw.normal(2, 31, scale=6.0) + 2.0, _layers(draw, [3, 4], [5, 3], [3, 2])


@feature_encoder.hidden_case(group="edge")
def silence_and_sound(draw: Draw):
    """a silent waveform beside another"""
    x = draw.normal(2, 25)
    x[0] = 0.0
    return x, _layers(draw, [4, 3], [4, 2], [2, 1])


@feature_encoder.hidden_case(group="edge")
def encoder_in_double_precision(draw: Draw):
    """numbers in float64, so far from zero that float32 would lose what the filters let through"""
    layers = [{**layer, "weight": layer["weight"].double()} for layer in _layers(draw, [3, 2], [4, 3], [2, 2])]
    layers[0]["weight"] -= layers[0]["weight"].mean(-1, keepdim=True)
    return draw.normal(2, 24).double() + 1e6, layers


@feature_encoder.case(group="seven layers")
def narrow_wav2vec(draw: Draw):
    """wav2vec 2.0's seven layers, narrow, on a twentieth of a second"""
    return draw.normal(2, 800), _layers(draw, [4, 3, 5, 3, 4, 2, 6], list(KERNELS), list(STRIDES))


@feature_encoder.hidden_case(group="seven layers")
def narrow_wav2vec_of_one_frame(draw: Draw):
    """wav2vec 2.0's seven layers, narrow, on samples enough for one frame"""
    length = draw.integer(400, 720)
    return draw.normal(3, length), _layers(draw, [3, 4, 3, 5, 3, 4, 5], list(KERNELS), list(STRIDES))


@feature_encoder.hidden_property_case(group="seven layers")
def each_vector_sees_400_samples(draw: Draw):
    """a vector does not change when samples outside its 400 do"""
    layers = _layers(draw, [4, 3, 5, 3, 4, 2, 6], list(KERNELS), list(STRIDES))
    x = draw.normal(1, 1_100)
    first = yield arguments(x, layers)
    changed = x.clone()
    changed[:, :320] = draw.normal(1, 320)
    changed[:, 720:] = draw.normal(1, 380)
    second = yield arguments(changed, layers)
    if tuple(first.value.shape) != (1, 3, 6):
        raise Wrong(f"1 100 samples should give shape (1, 3, 6), not {tuple(first.value.shape)}")
    if not torch.allclose(first.value[:, 1], second.value[:, 1], atol=1e-5):
        raise Wrong("vector 1 changed although its samples, 320 to 719, did not")
    if torch.allclose(first.value[:, 2], second.value[:, 2], atol=1e-5):
        raise Wrong("vector 2 did not change although its samples did")


def _encode(x, layers, activation=functional.gelu):
    x = x[:, None]
    for layer in layers:
        x = activation(functional.conv1d(x, layer["weight"], stride=layer["stride"]))
    return x.mT


@feature_encoder.misconception(
    "The result is (B, C, T'): channels still come before time. A Transformer reads (batch, time, channel).",
    hint="Which two axes should change places at the end?",
)
def channels_first(x, layers):
    return _encode(x, layers).mT


@feature_encoder.misconception(
    "The last two axes were exchanged by `reshape` or `view`, which mixes times and channels.",
    hint="`reshape` keeps the numbers in their order and only cuts them elsewhere. What exchanges two axes?",
)
def reshaped(x, layers):
    out = _encode(x, layers)
    return out.mT.reshape(out.shape)


@feature_encoder.misconception(
    "The last layer has no GELU.",
    hint="Every layer is convolution and GELU, the last one too.",
)
def last_gelu_missing(x, layers):
    x = x[:, None]
    for index, layer in enumerate(layers):
        x = functional.conv1d(functional.gelu(x) if index else x, layer["weight"], stride=layer["stride"])
    return x.mT


@feature_encoder.misconception(
    "There is no GELU at all: however many layers, the whole is one linear filter.",
    hint="What comes after each convolution?",
)
def no_gelu(x, layers):
    return _encode(x, layers, lambda y: y)


@feature_encoder.misconception(
    "GELU is applied once, after the last layer.",
    hint="Put it inside the loop, after each convolution.",
)
def gelu_once(x, layers):
    return functional.gelu(no_gelu(x, layers))


@feature_encoder.misconception(
    "GELU comes before each convolution, so it bends the waveform itself.",
    hint="In each layer: first the convolution, then GELU.",
)
def gelu_first(x, layers):
    x = x[:, None]
    for layer in layers:
        x = functional.conv1d(functional.gelu(x), layer["weight"], stride=layer["stride"])
    return x.mT


@feature_encoder.misconception(
    "It uses ReLU; wav2vec 2.0 and HuBERT use GELU.",
    hint="GELU lets a little of the negative side through.",
)
def with_relu(x, layers):
    return _encode(x, layers, functional.relu)


@feature_encoder.misconception(
    "It uses the tanh approximation of GELU; the exact form is asked for.",
    hint="Look at the activation: is it the one with erf?",
)
def with_tanh_gelu(x, layers):
    return _encode(x, layers, lambda y: functional.gelu(y, approximate="tanh"))


@feature_encoder.misconception(
    "The strides are not used, so every layer moves on by one sample.",
    hint="Each layer is a dict with two entries. Do you use both?",
)
def strides_not_used(x, layers):
    return _encode(x, [{**layer, "stride": 1} for layer in layers])


@feature_encoder.misconception(
    "The waveform is padded in every layer; here the windows stay inside.",
    hint="With wav2vec 2.0's layers 400 samples give exactly one vector. What do yours give?",
)
def padded_layers(x, layers):
    x = x[:, None]
    for layer in layers:
        weight = layer["weight"]
        x = functional.gelu(functional.conv1d(x, weight, stride=layer["stride"], padding=weight.shape[-1] // 2))
    return x.mT


@feature_encoder.misconception(
    "The waveform is normalised inside. That is the caller's choice: the encoder takes it as it is.",
    hint="Twice as loud an input should not give the same vectors.",
)
def normalises_inside(x, layers):
    return _encode(functional.layer_norm(x, x.shape[-1:], eps=1e-7), layers)


@feature_encoder.misconception(
    "The channel axis is missing: (B, T) is read as one clip of B channels.",
    hint="A convolution wants (batch, channels, time). A waveform has one channel: where does that axis go?",
)
def no_channel_axis(x, layers):
    for layer in layers:
        x = functional.gelu(functional.conv1d(x, layer["weight"], stride=layer["stride"]))
    return x.mT


@feature_encoder.alternative
def with_own_pieces(x, layers):
    x = x.unsqueeze(1)
    for layer in layers:
        x = by_erf(by_unfold_and_matmul(x, layer["weight"], stride=layer["stride"]))
    return x.transpose(1, 2)


@feature_encoder.alternative
def channels_last_all_along(x, layers):
    x = x[..., None]  # (B, T, C)
    for layer in layers:
        windows = x.unfold(1, layer["weight"].shape[-1], layer["stride"])  # (B, T', C, K)
        x = torch.einsum("btck,ock->bto", windows, layer["weight"])
        x = x * torch.special.ndtr(x)
    return x


@feature_encoder.alternative
def by_recursion_over_layers(x, layers):
    def run(y, rest):
        if not rest:
            return y
        out = functional.gelu(functional.conv1d(y, rest[0]["weight"], None, rest[0]["stride"]))
        return run(out, rest[1:])

    return torch.stack([run(clip[None], layers).T for clip in x])


# ------------------------------------------------------------------------------------- what small inputs would miss


@conv1d.hidden_case(group="edge")
def many_clips_and_channels(draw: Draw):
    """eleven clips of seven channels"""
    return draw.normal(11, 7, 11), draw.normal(3, 7, 4), draw.normal(3)


@conv1d.hidden_case(group="edge", gradient=False)
def as_many_channels_as_wav2vec(draw: Draw):
    """512 channels"""
    return arguments(draw.normal(1, 512, 9), draw.normal(6, 512, 3, scale=0.025), stride=2)


@conv1d.hidden_case(group="bias", gradient=False)
def as_many_filters_as_wav2vec(draw: Draw):
    """512 filters of ten taps with a bias, five samples apart"""
    return draw.normal(1, 1, 63), draw.normal(512, 1, 10, scale=0.3), draw.normal(512), 5


@conv1d.hidden_case(group="stride", gradient=False, seconds=20.0)
def a_whole_second(draw: Draw):
    """a second through one filter, two samples apart"""
    return arguments(draw.normal(1, 1, 16_000 + draw.integer(0, 9)), draw.normal(1, 1, 10, scale=0.3), stride=2)


@conv1d.hidden_case(group="stride", gradient=False)
def as_long_as_a_vector_sees(draw: Draw):
    """windows of 400, some hundred samples apart"""
    stride = draw.integer(321, 420)
    return arguments(draw.normal(2, 1, draw.integer(2_000, 2_300)), draw.normal(3, 1, 400, scale=0.05), stride=stride)


@conv1d.hidden_case(group="bias")
def one_filter_with_a_bias(draw: Draw):
    """a single filter, with a bias"""
    return draw.normal(2, 3, 9), draw.normal(1, 3, 4), draw.normal(1)


@conv_output_length.hidden_case(group="edge")
def nine_layers(draw: Draw):
    """nine layers, one of which leaves samples out"""
    return 40_000 + draw.integer(0, 500), [10, 3, 3, 3, 2, 2, 2, 3, 2], [5, 2, 2, 2, 3, 2, 2, 1, 1]


@conv_output_length.hidden_case(group="edge")
def steps_beyond_the_kernel(draw: Draw):
    """a stride larger than the kernel"""
    return 3 * draw.integer(2, 40) + 1, [2], [3]


@conv_output_length.hidden_case(group="short")
def much_too_short_later(draw: Draw):
    """a later layer gets far less than its kernel"""
    return draw.integer(10, 14), [3, 2, 9], [2, 2, 1]


@receptive_field.hidden_case(group="edge")
def nine_layers_seen(draw: Draw):
    """nine layers"""
    return [draw.integer(2, 6) for _ in range(9)], [draw.integer(1, 3) for _ in range(9)]


@gelu.hidden_case(group="extremes", gradient=False)
def as_wide_as_the_encoder(draw: Draw):
    """512 channels of some frames, (B, C, T)"""
    return draw.normal(2, 512, draw.integer(11, 20), scale=3.0)


@gelu.hidden_case(group="extremes")
def many_numbers_in_four_axes(draw: Draw):
    """hundreds of numbers in four axes"""
    return draw.normal(3, 4, 5, 6, scale=2.0)


@group_norm.hidden_case(group="edge")
def many_long_clips(draw: Draw):
    """six clips of three hundred frames that grow louder"""
    x = draw.normal(6, 4, 300) * torch.linspace(0.5, 3.0, 300)
    return x, 2, draw.normal(4), draw.normal(4)


@group_norm.hidden_case(group="number of groups", gradient=False)
def as_in_wav2vec(draw: Draw):
    """512 channels, each alone"""
    return _uneven(draw, 1, 512, draw.integer(60, 90)), 512, *_affine(draw, 512)


@group_norm.hidden_case(group="number of groups", gradient=False)
def many_groups_of_many(draw: Draw):
    """96 channels in sixteen groups"""
    return _uneven(draw, 2, 96, draw.integer(60, 90)), 16, *_affine(draw, 96)


@group_norm.hidden_case(group="edge", gradient=False)
def many_clips_far_from_zero(draw: Draw):
    """five clips that lie far from zero, all channels together"""
    return _far(draw, 5, 4, 50), draw.choice((1, 4)), draw.uniform(4, low=0.3, high=0.8), draw.normal(4)


@group_norm.hidden_case(group="edge", gradient=False)
def nine_clips_of_a_second(draw: Draw):
    """nine clips as long as wav2vec 2.0's first layer makes of a second, growing louder"""
    x = draw.normal(9, 2, 3_199) * torch.linspace(0.5, 3.0, 3_199)
    return x, draw.choice((1, 2)), *_affine(draw, 2)


@feature_encoder.hidden_case(group="edge")
def a_layer_that_keeps_the_shape(draw: Draw):
    """a layer in the middle that leaves as many frames and channels as it gets"""
    return draw.normal(2, 31), _layers(draw, [3, 3, 4], [4, 1, 2], [3, 1, 2])


@feature_encoder.hidden_case(group="seven layers", gradient=False, seconds=20.0)
def as_wide_as_the_notebook(draw: Draw):
    """wav2vec 2.0's seven layers on a quarter of a second, sixteen channels wide and 512 at the end"""
    return draw.normal(1, draw.integer(3_900, 4_200)), _layers(draw, [16] * 6 + [512], list(KERNELS), list(STRIDES))


@feature_encoder.hidden_case(group="edge", gradient=False)
def nine_layers_for_eleven_clips(draw: Draw):
    """eleven clips through nine layers"""
    return draw.normal(11, 600), _layers(draw, [3, 4, 3, 4, 3, 4, 3, 4, 2], [3] * 9, [2, 2, 2, 1, 1, 1, 1, 1, 1])
