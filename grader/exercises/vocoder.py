"""Unit 11: from a spectrogram without phase back to sound, and what WaveRNN, WaveGlow and HiFi-GAN do instead."""

import math

import torch
from torch.nn import functional

from grader.compare import compare
from grader.draw import Draw
from grader.exercise import Exercise, Tolerance, Wrong, arguments, exercise

UNIT = "11_vocoder"
#: The spectrogram that the notebook and most vocoders use.
N_FFT, HOP = 1_024, 256


def _window(n_fft: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.hann_window(n_fft, dtype=dtype)


def _stft(x: torch.Tensor, n_fft: int, hop: int, **changes: object) -> torch.Tensor:
    changes = {"window": _window(n_fft, x.dtype), **changes}
    return torch.stft(x, n_fft, hop, return_complex=True, **changes)


def _spectrum(draw: Draw, frames: int, n_fft: int, hop: int) -> torch.Tensor:
    """The spectrogram of a noise: numbers that a sound has."""
    return _stft(draw.normal((frames - 1) * hop), n_fft, hop)


def _any_spectrum(draw: Draw, frames: int, n_fft: int) -> torch.Tensor:
    """Numbers that are the spectrogram of no sound."""
    bins = n_fft // 2 + 1
    return torch.complex(draw.normal(bins, frames), draw.normal(bins, frames))


def _to_digits(exercise: Exercise, digits: int, *args: object, reason: str = ""):
    """Float64 goes in: what was float32 on the way, or had a small number added to it, comes out with fewer digits."""
    expected = exercise.oracle(*args)
    got = yield arguments(*args)
    difference = compare(got.value, expected, exercise.tolerance)
    if difference is not None and difference.kind in ("type", "length", "shape", "dtype"):
        raise Wrong(difference.says)
    parts = zip(got.value, expected, strict=True) if isinstance(expected, tuple) else [(got.value, expected)]
    off = max(((one - other).abs().max() / other.abs().max()).item() for one, other in parts)
    if not off < 1e-4:
        raise Wrong(f"for numbers in float64 the result is wrong{reason}")
    if off > 10.0**-digits:
        raise Wrong(
            f"for numbers in float64 the result should be right to {digits} digits, but it is right to "
            f"{-math.log10(off):.0f}: does anything become float32 on the way, or is something added?"
        )


# --------------------------------------------------------------------------------------------------- overlap_add


@exercise(unit=UNIT, differentiable=True)
def overlap_add(frames, hop):
    n, length = frames.shape
    total = (n - 1) * hop + length
    return functional.fold(frames.mT[None], (1, total), (1, length), stride=(1, hop)).reshape(total)


@overlap_add.case  # refusing an operator for the first time makes PyTorch import a good deal
def half_shared(draw: Draw):
    """Frames that share half with the next."""
    return draw.normal(4, 6), 3


@overlap_add.case
def three_quarters_shared(draw: Draw):
    """Frames that share three quarters with the next."""
    return draw.normal(5, 8), 2


@overlap_add.case
def hop_does_not_divide(draw: Draw):
    """A hop that does not divide the frame."""
    return draw.normal(4, 7), 3


@overlap_add.hidden_case
def more_frames_than_samples(draw: Draw):
    """More frames than samples in each."""
    return draw.normal(11, 5), 2


@overlap_add.hidden_case
def two_frames(draw: Draw):
    """Two frames."""
    return draw.normal(2, 9), draw.integer(2, 8)


@overlap_add.case(group="edge")
def one_frame(draw: Draw):
    """A single frame."""
    return draw.normal(1, 6), 4


@overlap_add.case(group="edge")
def side_by_side(draw: Draw):
    """Frames that touch without overlapping."""
    return draw.normal(3, 4), 4


@overlap_add.case(group="edge")
def with_gaps(draw: Draw):
    """A hop longer than the frame: silence between the frames."""
    return draw.normal(4, 3), 5


@overlap_add.case(group="edge")
def hop_of_one(draw: Draw):
    """A frame at every sample."""
    return draw.normal(6, 4), 1


@overlap_add.case(group="edge")
def in_double_precision(draw: Draw):
    """Samples in float64."""
    return draw.normal(4, 9).double(), 4


@overlap_add.property_case(group="edge")
def added_to_ten_digits(draw: Draw):
    """Samples in float64, to ten digits."""
    yield from _to_digits(overlap_add, 10, draw.normal(5, 8).double(), 3)


@overlap_add.case(group="edge")
def turned_over(draw: Draw):
    """Frames that lie in memory column by column, as after `.mT`."""
    return draw.normal(8, 5).mT, 2


@overlap_add.hidden_case(group="edge")
def frames_of_one_sample(draw: Draw):
    """Frames of one sample."""
    return draw.normal(7, 1), draw.choice((1, 3))


@overlap_add.hidden_case(group="edge")
def almost_touching(draw: Draw):
    """A hop one shorter, and one longer, than the frame."""
    return draw.normal(5, 6), draw.choice((5, 7))


@overlap_add.hidden_case(group="edge")
def sixteen_deep(draw: Draw):
    """Sixteen frames over every sample."""
    return draw.normal(21, 16), 1


@overlap_add.hidden_case(group="edge")
def sixteen_bits_wide(draw: Draw):
    """Samples as a 16-bit recording holds them."""
    return draw.integers(-32_768, 32_768, 9, 7).float(), 3


@overlap_add.hidden_case(group="edge")
def fifty_deep(draw: Draw):
    """Hundreds of frames, about fifty over every sample."""
    return draw.normal(draw.integer(300, 400), draw.integer(40, 60)), 1


@overlap_add.case(group="real sizes")
def whisper_s_frames(draw: Draw):
    """Frames of 400 samples every 160."""
    return draw.normal(7, 400), 160


@overlap_add.hidden_case(group="real sizes")
def a_vocoder_s_frames(draw: Draw):
    """The notebook's own: 1024 samples every 256, over a hundred frames."""
    return draw.normal(draw.integer(120, 190), N_FFT), HOP


@overlap_add.hidden_case(group="real sizes")
def long_frames(draw: Draw):
    """Frames of 2048 samples, and a long hop."""
    return draw.normal(6, 2_048), draw.integer(500, 1_500)


@overlap_add.hidden_case(group="real sizes")
def many_odd_frames(draw: Draw):
    """Many frames, and a hop that does not divide them."""
    return draw.normal(draw.integer(60, 90), 320), 90


def _added(frames: torch.Tensor, hop: int, total: int | None = None) -> torch.Tensor:
    """Overlap-add by index."""
    n, length = frames.shape
    places = hop * torch.arange(n)[:, None] + torch.arange(length)
    total = (n - 1) * hop + length if total is None else total
    return frames.new_zeros(total).index_add(0, places.flatten() % total, frames.reshape(-1))


@overlap_add.misconception(
    "A later frame replaces what is there already, where it should be added.",
    hint="Where two frames overlap, is the result one of the two, or their sum?",
)
def last_one_wins(frames, hop):
    n, length = frames.shape
    result = frames.new_zeros((n - 1) * hop + length)
    for index, frame in enumerate(frames):
        result[index * hop : index * hop + length] = frame
    return result


@overlap_add.misconception(
    "A later frame fills only the samples that are still empty.",
    hint="Where two frames overlap, is the result one of the two, or their sum?",
)
def first_one_wins(frames, hop):
    n, length = frames.shape
    result = frames.new_zeros((n - 1) * hop + length)
    for index in reversed(range(n)):
        result[index * hop : index * hop + length] = frames[index]
    return result


@overlap_add.misconception(
    "The frames are laid end to end: the hop has no effect.",
    hint="Frame n begins at sample n · hop. Where does yours begin?",
)
def end_to_end(frames, hop):
    return frames.reshape(-1).clone()


@overlap_add.misconception(
    "The overlapping samples are averaged: the sum is divided by the number of frames there.",
    hint="The word is overlap-ADD. What are 1 and 2 together?",
)
def averaged(frames, hop):
    return _added(frames, hop) / _added(torch.ones_like(frames), hop).clamp_min(1)


@overlap_add.misconception(
    "The end of the last frame is cut off: the result has N · hop samples.",
    hint="The last frame begins at (N − 1) · hop. Where does it end?",
)
def tail_lost(frames, hop):
    n, length = frames.shape
    return functional.pad(_added(frames, hop), (0, max(hop - length, 0)))[: n * hop]


@overlap_add.misconception(
    "The result is one hop too long.",
    hint="The last of N frames begins at (N − 1) · hop, because the first begins at 0.",
)
def a_hop_too_long(frames, hop):
    return functional.pad(_added(frames, hop), (0, hop))


@overlap_add.misconception(
    "Columns are taken for frames; here a frame is a row.",
    hint="The shape is (N, L): which axis counts the frames?",
)
def columns_as_frames(frames, hop):
    return _added(frames.mT.contiguous(), hop)


@overlap_add.misconception(
    "The frames are windowed before they are added; here they are added as they are.",
    hint="A single frame should come back unchanged.",
)
def windowed(frames, hop):
    return _added(frames * _window(frames.shape[1], frames.dtype), hop)


@overlap_add.misconception(
    "What sticks out at the end is added to the beginning, as if time were a circle.",
    hint="The result has (N − 1) · hop + L samples. Does the last frame fit in yours?",
)
def in_a_circle(frames, hop):
    return _added(frames, hop, len(frames) * hop)


@overlap_add.misconception(
    "In an overlap the larger sample is kept.",
    hint="The word is overlap-ADD. What are 1 and 2 together?",
)
def larger_kept(frames, hop):
    n = len(frames)
    rows = [functional.pad(frame, (i * hop, (n - 1 - i) * hop), value=-math.inf) for i, frame in enumerate(frames)]
    largest = torch.stack(rows).amax(0)
    return torch.where(largest.isinf(), 0.0, largest)


@overlap_add.alternative
def frame_by_frame(frames, hop):
    n, length = frames.shape
    result = frames.new_zeros((n - 1) * hop + length)
    for index, frame in enumerate(frames):
        result[index * hop : index * hop + length] += frame
    return result


@overlap_add.alternative
def by_index(frames, hop):
    return _added(frames, hop)


@overlap_add.alternative
def by_transposed_convolution(frames, hop):
    kernels = torch.eye(frames.shape[1], dtype=frames.dtype)[:, None]  # (L, 1, L)
    return functional.conv_transpose1d(frames.mT[None], kernels, stride=hop)[0, 0]


@overlap_add.alternative
def by_padded_rows(frames, hop):
    n = len(frames)
    return sum(functional.pad(frame, (i * hop, (n - 1 - i) * hop)) for i, frame in enumerate(frames))


# --------------------------------------------------------------------------------------------------------- istft


@exercise(unit=UNIT, tolerance=Tolerance(atol=2e-4, rtol=1e-3))
def istft(spec, n_fft, hop):
    window = _window(n_fft, spec.real.dtype)
    return torch.istft(spec, n_fft, hop, window=window, length=(spec.shape[1] - 1) * hop)


@istft.case
def of_a_sound(draw: Draw):
    """The spectrogram of a sound."""
    return _spectrum(draw, 9, 8, 2), 8, 2


@istft.case
def of_no_sound(draw: Draw):
    """Random numbers, which are the spectrogram of no sound."""
    return _any_spectrum(draw, 7, 12), 12, 3


@istft.hidden_case
def of_no_sound_either(draw: Draw):
    """Random numbers, more frequencies than frames."""
    return _any_spectrum(draw, 5, 20), 20, 5


@istft.case(group="hops")
def half_a_frame(draw: Draw):
    """A hop of half a frame."""
    return _any_spectrum(draw, 6, 8), 8, 4


@istft.case(group="hops")
def uneven_hop(draw: Draw):
    """A hop that does not divide the frame."""
    return _any_spectrum(draw, 7, 12), 12, 5


@istft.case(group="hops")
def long_hop(draw: Draw):
    """A hop of more than half a frame."""
    return _any_spectrum(draw, 5, 10), 10, 6


@istft.hidden_case(group="hops")
def hop_one(draw: Draw):
    """A frame at every sample."""
    return _any_spectrum(draw, 14, 6), 6, 1


@istft.hidden_case(group="hops")
def long_uneven_hop(draw: Draw):
    """A hop of two thirds of the frame."""
    return _any_spectrum(draw, 6, 18), 18, 11


@istft.hidden_case(group="hops")
def hardly_overlapping(draw: Draw):
    """Frames that hardly overlap."""
    return _any_spectrum(draw, 6, 12), 12, draw.choice((10, 11))


@istft.case(group="edge")
def only_two_frames(draw: Draw):
    """Only two frames."""
    return _any_spectrum(draw, 2, 8), 8, 3


@istft.case(group="edge")
def silence_between(draw: Draw):
    """Some silent frames."""
    spec = _any_spectrum(draw, 12, 8)
    spec[:, 4:9] = 0
    return spec, 8, 2


@istft.case(group="edge")
def double_precision(draw: Draw):
    """A spectrogram in complex128."""
    return _any_spectrum(draw, 6, 10).to(torch.complex128), 10, 3


@istft.property_case(group="edge")
def hardly_any_weight(draw: Draw):
    """A hop one sample shorter than the frame, in complex128, to six digits."""
    reason = ": where frames hardly overlap, the weight is tiny; do you divide by it as it is?"
    yield from _to_digits(istft, 6, _any_spectrum(draw, 4, 64).to(torch.complex128), 64, 63, reason=reason)


@istft.hidden_property_case(group="edge")
def still_less_weight(draw: Draw):
    """Frames of 1024 samples every 1023, in complex128, to six digits."""
    yield from _to_digits(istft, 6, _any_spectrum(draw, 4, N_FFT).to(torch.complex128), N_FFT, N_FFT - 1)


@istft.property_case(group="edge")
def inverted_to_ten_digits(draw: Draw):
    """A spectrogram in complex128, to ten digits."""
    yield from _to_digits(istft, 10, _any_spectrum(draw, 7, 14).to(torch.complex128), 14, 5)


@istft.hidden_case(group="edge")
def shortest_frames(draw: Draw):
    """Frames of two samples, and of four."""
    n_fft = draw.choice((2, 4))
    return _any_spectrum(draw, 9, n_fft), n_fft, 1


@istft.hidden_case(group="edge")
def three_frames(draw: Draw):
    """Three frames."""
    return _any_spectrum(draw, 3, 14), 14, 4


@istft.hidden_case(group="edge")
def constant_and_highest(draw: Draw):
    """Only the constant and the highest frequency, with imaginary parts that no sound has."""
    spec = _any_spectrum(draw, 6, 8)
    spec[1:-1] = 0
    return spec, 8, 2


@istft.case(group="real sizes")
def whisper_s_spectrogram(draw: Draw):
    """Frames of 400 samples every 160."""
    return _any_spectrum(draw, 9, 400), 400, 160


@istft.hidden_case(group="real sizes")
def a_vocoder_s_spectrogram(draw: Draw):
    """The notebook's own, 1024 and 256, over a hundred frames."""
    return _any_spectrum(draw, draw.integer(110, 180), N_FFT), N_FFT, HOP


@istft.hidden_case(group="real sizes")
def a_long_spectrogram(draw: Draw):
    """Frames of 400 samples every 160, some hundreds of them."""
    return _any_spectrum(draw, draw.integer(300, 500), 400), 400, 160


@istft.hidden_case(group="real sizes")
def another_vocoder_s(draw: Draw):
    """A sound in frames of 800 samples every 200."""
    return _spectrum(draw, draw.integer(30, 60), 800, 200), 800, 200


def _inverse(
    spec: torch.Tensor,
    n_fft: int,
    hop: int,
    synthesis: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    frames: torch.Tensor | None = None,
    cut: tuple[bool, bool] = (True, True),
) -> torch.Tensor:
    """An inverse STFT in which the synthesis window, the weight that is divided by, and the cuts may be wrong."""
    window = _window(n_fft, spec.real.dtype)
    synthesis = window if synthesis is None else synthesis
    weight = window.square() if weight is None else weight
    frames = torch.fft.irfft(spec, n=n_fft, dim=0).mT if frames is None else frames
    sound = _added(frames * synthesis, hop)
    weights = _added(weight.expand(len(frames), n_fft), hop)
    sound = torch.where(weights > 1e-11, sound / weights, sound)
    half = n_fft // 2
    return sound[half * cut[0] : len(sound) - half * cut[1]].clone()


@istft.misconception(
    "The overlapping windows are never divided out: the sound is too loud, and it pulsates where the hop is uneven.",
    hint="Each sample was weighted by the squared window of every frame that holds it. What undoes that?",
)
def not_normalised(spec, n_fft, hop):
    window = _window(n_fft, spec.real.dtype)
    half = n_fft // 2
    return _added(torch.fft.irfft(spec, n=n_fft, dim=0).mT * window, hop)[half:-half].clone()


@istft.misconception(
    "It divides by the sum of the windows; the frames were windowed twice, so it should be the sum of their squares.",
    hint="The STFT multiplied by the window once, and so do you. How often is it in each frame now?",
)
def divided_by_the_window(spec, n_fft, hop):
    return _inverse(spec, n_fft, hop, weight=_window(n_fft, spec.real.dtype))


@istft.misconception(
    "It divides by the squared windows, but the frames are not windowed a second time.",
    hint="Numerator and denominator belong together: what did you multiply the frames by before adding them?",
)
def not_windowed_again(spec, n_fft, hop):
    return _inverse(spec, n_fft, hop, synthesis=torch.ones(n_fft, dtype=spec.real.dtype))


@istft.misconception(
    "The frames are added without a second window and divided by the windows' sum. That undoes the spectrogram of a "
    "sound; of other numbers it does not make the nearest sound.",
    hint="Window each frame once more before adding, and divide by the squares.",
)
def windowed_once(spec, n_fft, hop):
    ones = torch.ones(n_fft, dtype=spec.real.dtype)
    return _inverse(spec, n_fft, hop, synthesis=ones, weight=_window(n_fft, spec.real.dtype))


@istft.misconception(
    "The padding is still there: half a frame too much at each end.",
    hint="The first frame is centred on sample 0. How much of it lies before the sound?",
)
def padding_kept(spec, n_fft, hop):
    return _inverse(spec, n_fft, hop, cut=(False, False))


@istft.misconception(
    "The padding is cut off at the beginning only.",
    hint="T = (N − 1) · hop. How many samples do you return?",
)
def padding_kept_at_the_end(spec, n_fft, hop):
    return _inverse(spec, n_fft, hop, cut=(True, False))


@istft.misconception(
    "The padding is cut off at the end only, so the sound starts half a frame late.",
    hint="The first frame is centred on sample 0. How much of it lies before the sound?",
)
def starts_late(spec, n_fft, hop):
    return functional.pad(_inverse(spec, n_fft, hop, cut=(False, False)), (0, 0))[: (spec.shape[1] - 1) * hop].clone()


_ONE_NUMBER = {
    "says": "It divides by one number. The squared windows add up to a constant only in the middle, and only for some "
    "hops.",
    "hint": "Overlap-add the squared window itself, once a frame. Is the result flat at the ends?",
}


@istft.misconception(**_ONE_NUMBER)
def divided_by_a_constant(spec, n_fft, hop):
    return not_normalised(spec, n_fft, hop) * hop / _window(n_fft, spec.real.dtype).square().sum()


@istft.misconception(**_ONE_NUMBER)
def divided_by_the_largest_weight(spec, n_fft, hop):
    weight = _window(n_fft, spec.real.dtype).square().expand(spec.shape[1], -1)
    return not_normalised(spec, n_fft, hop) / _added(weight, hop).max()


@istft.misconception(**_ONE_NUMBER)
def divided_by_one_and_a_half(spec, n_fft, hop):
    return not_normalised(spec, n_fft, hop) / 1.5


@istft.misconception(**_ONE_NUMBER)
def divided_by_one_window(spec, n_fft, hop):
    return not_normalised(spec, n_fft, hop) / _window(n_fft, spec.real.dtype).square().sum()


@istft.misconception(
    "A small number is added to the weight, which shows where frames hardly overlap.",
    hint="Is the weight ever zero, once the padding is cut off?",
)
def weight_raised(spec, n_fft, hop):
    window = _window(n_fft, spec.real.dtype)
    weight = _added(window.square().expand(spec.shape[1], -1), hop)[n_fft // 2 : -(n_fft // 2)]
    return not_normalised(spec, n_fft, hop) / (weight + 1e-8)


@istft.misconception(
    "The window is the symmetric one, which ends in a second zero.",
    hint="`torch.hann_window(n)` is periodic unless you say otherwise.",
)
def symmetric_window(spec, n_fft, hop):
    window = torch.hann_window(n_fft, periodic=False, dtype=spec.real.dtype)
    return _inverse(spec, n_fft, hop, synthesis=window, weight=window.square())


@istft.misconception(
    "The phase is thrown away: the frames are made of the magnitudes alone.",
    hint="`irfft` takes complex numbers. What does `abs` leave of them?",
)
def phase_lost(spec, n_fft, hop):
    return _inverse(spec.abs().to(spec.dtype), n_fft, hop)


@istft.misconception(
    "The hop is ignored: the frames are a quarter of a frame apart, whatever was asked.",
    hint="n_fft // 4 is only what libraries take when nobody says a hop.",
)
def quarter_hop(spec, n_fft, hop):
    return _inverse(spec, n_fft, n_fft // 4)


@istft.misconception(
    "Every frame runs backwards in time: the phase has the wrong sign.",
    hint="Forward and inverse transform differ in the sign of i. Which one did you take?",
)
def backwards(spec, n_fft, hop):
    return _inverse(spec.conj().resolve_conj(), n_fft, hop)


@istft.misconception(
    "No window at all: the frames are averaged where they overlap.",
    hint="Where in a frame is the sound most reliable, and which factor says so?",
)
def plain_mean(spec, n_fft, hop):
    ones = torch.ones(n_fft, dtype=spec.real.dtype)
    return _inverse(spec, n_fft, hop, synthesis=ones, weight=ones)


@istft.misconception(
    "The inverse transform is not divided by n_fft.",
    hint="`irfft` divides by n unless `norm` says otherwise. What does a frame of magnitude 1 at bin 0 give?",
)
def too_loud_by_n(spec, n_fft, hop):
    return n_fft * _inverse(spec, n_fft, hop)


@istft.misconception(
    "Half a spectrum is taken for a whole one: the negative frequencies are missing.",
    hint="A real sound has n_fft // 2 + 1 different bins, the others mirror them. Which inverse knows that?",
)
def half_a_spectrum(spec, n_fft, hop):
    return _inverse(spec, n_fft, hop, frames=torch.fft.ifft(spec, n=n_fft, dim=0).real.mT)


@istft.alternative
def loop_over_frames(spec, n_fft, hop):
    window = torch.hann_window(n_fft, dtype=spec.real.dtype)
    total = (spec.shape[1] - 1) * hop + n_fft
    sound, weights = torch.zeros(total, dtype=window.dtype), torch.zeros(total, dtype=window.dtype)
    for index in range(spec.shape[1]):
        here = slice(index * hop, index * hop + n_fft)
        sound[here] += torch.fft.irfft(spec[:, index], n=n_fft) * window
        weights[here] += window * window
    return sound[n_fft // 2 : -(n_fft // 2)] / weights[n_fft // 2 : -(n_fft // 2)]


@istft.alternative
def folded(spec, n_fft, hop):
    window = torch.hann_window(n_fft, dtype=spec.real.dtype)[:, None]
    full = torch.cat([spec, spec[1:-1].flip(0).conj()]) if n_fft % 2 == 0 else None
    frames = torch.fft.ifft(full, dim=0).real * window
    size = (1, (spec.shape[1] - 1) * hop + n_fft)
    sound = functional.fold(frames[None], size, (1, n_fft), stride=(1, hop))
    weights = functional.fold((window.square() + 0 * frames)[None], size, (1, n_fft), stride=(1, hop))
    return (sound / weights)[0, 0, 0, n_fft // 2 : -(n_fft // 2)]


@istft.alternative
def cosines_and_sines(spec, n_fft, hop):
    k, n = torch.arange(n_fft // 2 + 1)[:, None], torch.arange(n_fft)
    angle = 2 * math.pi * (k * n % n_fft).to(torch.float64) / n_fft
    twice = torch.full((n_fft // 2 + 1, 1), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1.0
    real, imaginary = spec.real.double().mT, spec.imag.double().mT
    frames = (real @ (twice * angle.cos()) - imaginary @ (twice * angle.sin())) / n_fft
    return _inverse(spec, n_fft, hop, frames=frames.to(spec.real.dtype))


# ------------------------------------------------------------------------------------------ spectral_convergence


@exercise(unit=UNIT, differentiable=True)
def spectral_convergence(estimate, target):
    norm = torch.linalg.vector_norm
    return norm(estimate.abs() - target.abs()) / norm(target.abs())


@spectral_convergence.case
def two_magnitudes(draw: Draw):
    """Two magnitude spectrograms."""
    return draw.uniform(4, 6, low=0.1, high=2.0), draw.uniform(4, 6, low=0.1, high=2.0)


@spectral_convergence.case
def twice_as_loud(draw: Draw):
    """An estimate about twice as loud as the target."""
    target = draw.uniform(5, 3, low=0.1, high=2.0)
    return target * 2 + draw.uniform(5, 3, high=0.2), target


@spectral_convergence.hidden_case
def frames_of_different_loudness(draw: Draw):
    """Loud frames and soft ones."""
    loudness = torch.tensor([5.0, 0.1, 1.0, 0.01])
    return draw.uniform(7, 4, low=0.1) * loudness, draw.uniform(7, 4, low=0.1) * loudness


@spectral_convergence.case(group="complex")
def two_spectrograms(draw: Draw):
    """Two complex spectrograms."""
    return _any_spectrum(draw, 5, 6), _any_spectrum(draw, 5, 6)


@spectral_convergence.case(group="complex")
def complex_against_real(draw: Draw):
    """A complex estimate and a real target."""
    return _any_spectrum(draw, 6, 8), draw.uniform(5, 6, low=0.1, high=2.0)


@spectral_convergence.case(group="complex")
def with_signs(draw: Draw):
    """Real numbers of both signs."""
    return draw.normal(4, 7), draw.normal(4, 7)


@spectral_convergence.hidden_case(group="complex")
def real_against_complex(draw: Draw):
    """A real estimate and a complex target."""
    return draw.normal(6, 3), _any_spectrum(draw, 3, 10)


@spectral_convergence.hidden_case(group="complex")
def other_phases(draw: Draw):
    """Nearly the same magnitudes, quite other phases."""
    magnitude = draw.uniform(5, 8, low=0.5, high=2.0)
    near = magnitude * draw.uniform(5, 8, low=0.9, high=1.1)
    return torch.polar(near, _phases(draw, 5, 8)), torch.polar(magnitude, _phases(draw, 5, 8))


@spectral_convergence.case(group="edge", gradient=False)
def only_the_phase_differs(draw: Draw):
    """The same magnitudes with other phases: 0."""
    magnitude = draw.uniform(4, 5, low=0.5, high=2.0)
    return torch.polar(magnitude, _phases(draw, 4, 5)), magnitude


@spectral_convergence.case(group="edge", gradient=False)
def estimate_is_silent(draw: Draw):
    """A silent estimate: 1."""
    return torch.zeros(4, 5), draw.normal(4, 5)


@spectral_convergence.case(group="edge")
def very_quiet(draw: Draw):
    """Very quiet spectrograms."""
    return draw.uniform(4, 5, low=1e-9, high=2e-8), draw.uniform(4, 5, low=1e-9, high=2e-8)


@spectral_convergence.hidden_case(group="edge")
def hardly_there(draw: Draw):
    """Spectrograms of a millionth of a millionth."""
    return draw.uniform(5, 4, low=1e-13, high=2e-12), draw.uniform(5, 4, low=1e-13, high=2e-12)


@spectral_convergence.property_case(group="edge")
def distance_to_ten_digits(draw: Draw):
    """Spectrograms in float64, to ten digits."""
    yield from _to_digits(spectral_convergence, 10, draw.normal(4, 6).double(), draw.normal(4, 6).double())


@spectral_convergence.case(group="edge")
def convergence_in_double_precision(draw: Draw):
    """Spectrograms in float64."""
    return draw.normal(3, 4).double(), draw.normal(3, 4).double()


@spectral_convergence.hidden_case(group="edge")
def one_number(draw: Draw):
    """One bin of one frame."""
    return draw.uniform(1, 1, low=0.2), draw.uniform(1, 1, low=1.2, high=2.0)


@spectral_convergence.hidden_case(group="edge")
def far_too_loud(draw: Draw):
    """An estimate that is far too loud."""
    return 10.0 ** draw.integer(2, 7) * draw.normal(4, 6), draw.normal(4, 6)


@spectral_convergence.hidden_case(group="edge")
def in_complex128(draw: Draw):
    """Complex spectrograms in complex128, one of them partly silent."""
    target = _any_spectrum(draw, 6, 8).to(torch.complex128)
    target[:, 2:4] = 0
    return _any_spectrum(draw, 6, 8).to(torch.complex128), target


@spectral_convergence.case(group="real sizes")
def a_few_real_frames(draw: Draw):
    """Frames of 201 bins."""
    return _any_spectrum(draw, 8, 400), _any_spectrum(draw, 8, 400)


@spectral_convergence.hidden_case(group="real sizes")
def a_sentence(draw: Draw):
    """A whole sentence: 513 bins, over a hundred frames."""
    frames = draw.integer(110, 180)
    return _any_spectrum(draw, frames, N_FFT), 3 * _any_spectrum(draw, frames, N_FFT).abs()


@spectral_convergence.misconception(
    "It divides by the estimate's norm, not the target's.",
    hint="A silent estimate should give 1. What does yours give?",
)
def divided_by_the_estimate(estimate, target):
    difference = estimate.abs() - target.abs()
    return difference.norm() / estimate.abs().norm()


@spectral_convergence.misconception(
    "It is the square: the root is missing.",
    hint="A norm is the root of a sum of squares. With an estimate of twice the target the answer should be 1, with "
    "three times the target 2.",
)
def no_root(estimate, target):
    return (estimate.abs() - target.abs()).square().sum() / target.abs().square().sum()


@spectral_convergence.misconception(
    "The phases count: the difference is taken before the absolute value.",
    hint="Two spectrograms with the same magnitudes should give 0, whatever their phases.",
)
def phases_count(estimate, target):
    return torch.linalg.vector_norm(estimate - target) / torch.linalg.vector_norm(target)


@spectral_convergence.misconception(
    "It is not divided by the target's norm, so a loud sound looks worse than a soft one.",
    hint="Estimate and target ten times louder should give the same number.",
)
def not_relative(estimate, target):
    return (estimate.abs() - target.abs()).norm()


@spectral_convergence.misconception(
    "It adds up absolute differences (the L1 norm), not squares.",
    hint="Which norm has the subscript F?",
)
def sum_of_sizes(estimate, target):
    return (estimate.abs() - target.abs()).abs().sum() / target.abs().sum()


@spectral_convergence.misconception(
    "It takes the spectral norm, the largest singular value, where the Frobenius norm is meant.",
    hint="The Frobenius norm treats the matrix as one long vector.",
)
def largest_singular_value(estimate, target):
    difference = estimate.abs() - target.abs()
    return torch.linalg.matrix_norm(difference, 2) / torch.linalg.matrix_norm(target.abs() + 0.0, 2)


@spectral_convergence.misconception(
    "The ratio is taken in every frame and averaged; loud and soft frames then weigh the same.",
    hint="One norm over the whole spectrogram above, one below, and one division.",
)
def mean_over_frames(estimate, target):
    difference = estimate.abs() - target.abs()
    return (difference.norm(dim=0) / target.abs().norm(dim=0).clamp_min(1e-12)).mean()


@spectral_convergence.misconception(
    "The powers are compared, not the magnitudes.",
    hint="An estimate of twice the target should give 1. Squared, how far is it off?",
)
def powers_compared(estimate, target):
    return (estimate.abs().square() - target.abs().square()).norm() / target.abs().square().norm()


@spectral_convergence.misconception(
    "It is in decibels; here it is the plain ratio.",
    hint="An estimate of twice the target should give 1, not 0.",
)
def in_decibels(estimate, target):
    return 20 * torch.log10((estimate.abs() - target.abs()).norm() / target.abs().norm())


@spectral_convergence.misconception(
    "Something is added to the denominator, which shows where the sound is quiet.",
    hint="The target is never all zero, so nothing needs to be added.",
)
def safety_added(estimate, target):
    return (estimate.abs() - target.abs()).norm() / (target.abs().norm() + 1e-8)


@spectral_convergence.misconception(
    "The denominator is squared, the numerator is not.",
    hint="Estimate and target ten times louder should give the same number.",
)
def denominator_squared(estimate, target):
    return (estimate.abs() - target.abs()).norm() / target.abs().square().sum()


@spectral_convergence.misconception(
    "Only the real part is looked at.",
    hint="The magnitude of 3 + 4i is 5.",
)
def real_part(estimate, target):
    parts = [one.real if one.is_complex() else one for one in (estimate, target)]
    return (parts[0].abs() - parts[1].abs()).norm() / parts[1].norm()


@spectral_convergence.alternative
def matrix_norms(estimate, target):
    return torch.linalg.matrix_norm(estimate.abs() - target.abs(), "fro") / torch.linalg.matrix_norm(target, "fro")


@spectral_convergence.alternative
def root_of_sums(estimate, target):
    difference = estimate.abs() - target.abs()
    return (difference.square().sum() / (target * target.conj()).real.sum()).sqrt()


@spectral_convergence.alternative
def flat_vectors(estimate, target):
    difference = (estimate.abs() - target.abs()).flatten()
    return torch.dot(difference, difference).sqrt() / target.abs().flatten().pow(2).sum().pow(0.5)


# --------------------------------------------------------------------------------------------------- griffin_lim


# Loose, because the angle of a bin near zero magnifies rounding a little in every round. A wrong step moves the
# samples by as much as they are large.
@exercise(unit=UNIT, tolerance=Tolerance(atol=5e-3, rtol=5e-3))
def griffin_lim(magnitude, n_iter, n_fft, hop, phase):
    from torchaudio.functional import griffinlim

    window = _window(n_fft, torch.float64)
    strong = magnitude.double()
    if not phase.any():
        sound = griffinlim(strong, window, n_fft, hop, n_fft, 1.0, n_iter, 0.0, None, False)
        return sound.to(magnitude.dtype)
    sound = torch.istft(torch.polar(strong, phase.double()), n_fft, hop, window=window)
    for _ in range(n_iter):
        angle = torch.stft(sound, n_fft, hop, window=window, return_complex=True).angle()
        sound = torch.istft(torch.polar(strong, angle), n_fft, hop, window=window)
    return sound.to(magnitude.dtype)


def _phases(draw: Draw, bins: int, frames: int) -> torch.Tensor:
    return draw.uniform(bins, frames, low=-math.pi, high=math.pi)


def _griffin_lim_case(draw: Draw, n_iter: int, frames: int, n_fft: int, hop: int) -> tuple:
    """Magnitudes of a noise with random phases."""
    return _spectrum(draw, frames, n_fft, hop).abs(), n_iter, n_fft, hop, _phases(draw, n_fft // 2 + 1, frames)


@griffin_lim.case
def one_round(draw: Draw):
    """One round."""
    return _griffin_lim_case(draw, 1, 9, 8, 2)


@griffin_lim.case
def three_rounds(draw: Draw):
    """Three rounds."""
    return _griffin_lim_case(draw, 3, 11, 12, 4)


@griffin_lim.case
def zero_phase(draw: Draw):
    """Two rounds from phase zero."""
    magnitude = _spectrum(draw, 10, 16, 4).abs()
    return magnitude, 2, 16, 4, torch.zeros_like(magnitude)


@griffin_lim.hidden_case
def of_no_sound_s_magnitudes(draw: Draw):
    """Magnitudes that no sound has."""
    return draw.uniform(6, 13, low=0.1, high=2.0), 2, 10, 3, _phases(draw, 6, 13)


@griffin_lim.hidden_case
def four_rounds(draw: Draw):
    """Four rounds, and a hop that does not divide the frame."""
    return _griffin_lim_case(draw, 4, 12, 14, 4)


@griffin_lim.hidden_case
def two_rounds_of_half_overlap(draw: Draw):
    """Two rounds, frames that share half with the next."""
    return _griffin_lim_case(draw, 2, 10, 12, 6)


@griffin_lim.case(group="edge")
def no_rounds(draw: Draw):
    """No round at all: the sound that the given phase makes."""
    return _griffin_lim_case(draw, 0, 9, 8, 2)


@griffin_lim.case(group="edge")
def phases_beyond_a_turn(draw: Draw):
    """Phases of several turns."""
    return _spectrum(draw, 10, 12, 3).abs(), 1, 12, 3, draw.uniform(7, 10, low=-20.0, high=20.0)


@griffin_lim.case(group="edge")
def a_silent_stretch(draw: Draw):
    """A silent stretch in the middle."""
    magnitude, *rest = _griffin_lim_case(draw, 2, 26, 8, 2)
    magnitude[:, 7:19] = 0.0
    return magnitude, *rest


@griffin_lim.case(group="edge")
def rounds_in_double_precision(draw: Draw):
    """Magnitudes and phases in float64."""
    magnitude, n_iter, n_fft, hop, phase = _griffin_lim_case(draw, 2, 9, 10, 3)
    return magnitude.double(), n_iter, n_fft, hop, phase.double()


@griffin_lim.property_case(group="edge")
def bins_become_zero(draw: Draw):
    """Bins that become exactly zero, though their magnitude is not: they get the phase 0."""
    magnitude, phase = torch.zeros(3, 12), torch.zeros(3, 12)
    loudness = 2.0 ** draw.integer(-2, 4)
    magnitude[0], phase[0, ::2] = loudness, math.pi  # constant frames of alternating signs, which cancel
    got = yield arguments(magnitude, 1, 4, 1, phase)
    expected = loudness * torch.tensor([-3 / 10, -1 / 6, 1 / 6, *[1 / 3] * 8])
    if not torch.allclose(got.value, expected, atol=1e-3):
        raise Wrong(
            f"one round from frames that cancel should give {loudness:g} times −0.3, −0.1667, 0.1667, then 0.3333 "
            "eight times: a bin that has become zero gets the phase 0, and with it its magnitude back"
        )


@griffin_lim.property_case(group="edge")
def rounds_to_eight_digits(draw: Draw):
    """Magnitudes and phases in float64, two rounds, to eight digits."""
    magnitude, _, n_fft, hop, phase = _griffin_lim_case(draw, 2, 9, 12, 4)
    yield from _to_digits(griffin_lim, 8, magnitude.double(), 2, n_fft, hop, phase.double())


@griffin_lim.hidden_property_case(group="edge")
def nearly_there(draw: Draw):
    """A phase that is nearly right, in float64: small steps count, too."""
    spec = _spectrum(draw, 20, 32, 8).to(torch.complex128)
    phase = spec.angle() + 1e-3 * draw.normal(17, 20)
    yield from _to_digits(griffin_lim, 7, spec.abs(), draw.integer(4, 8), 32, 8, phase)


@griffin_lim.hidden_property_case(group="real sizes")
def seventy_rounds(draw: Draw):
    """Some seventy rounds in float64, to five digits."""
    magnitude, n_iter, n_fft, hop, phase = _griffin_lim_case(draw, draw.integer(62, 80), 24, 32, 8)
    yield from _to_digits(griffin_lim, 5, magnitude.double(), n_iter, n_fft, hop, phase.double())


@griffin_lim.hidden_case(group="edge")
def silence_at_the_ends(draw: Draw):
    """Silence before and after the sound."""
    magnitude, *rest = _griffin_lim_case(draw, 3, 24, 8, 2)
    magnitude[:, :8] = magnitude[:, -7:] = 0.0
    return magnitude, *rest


@griffin_lim.hidden_case(group="edge")
def nothing_but_silence(draw: Draw):
    """Nothing but silence."""
    return torch.zeros(5, 12), 2, 8, 2, _phases(draw, 5, 12)


@griffin_lim.hidden_case(group="edge")
def loud_without_rounds(draw: Draw):
    """A loud sound, phases of several turns, no round."""
    magnitude = 20 * _spectrum(draw, 8, 12, 3).abs()
    return magnitude, 0, 12, 3, draw.uniform(7, 8, low=-20.0, high=20.0)


@griffin_lim.property_case(group="edge")
def very_soft(draw: Draw):
    """A sound a million million times softer."""
    magnitude, *rest = _griffin_lim_case(draw, 4, 10, 12, 3)
    loud = yield arguments(magnitude, *rest)
    soft = yield arguments(magnitude / 2**40, *rest)
    if not torch.allclose(2**40 * soft.value, loud.value, atol=5e-3):
        raise Wrong("magnitudes 2⁴⁰ times smaller do not give the same sound, 2⁴⁰ times softer")


@griffin_lim.case(group="real sizes")
def whisper_s_magnitudes(draw: Draw):
    """Frames of 400 samples every 160, one round."""
    return _griffin_lim_case(draw, 1, 8, 400, 160)


@griffin_lim.hidden_case(group="real sizes")
def a_vocoder_s_magnitudes(draw: Draw):
    """The notebook's own sizes, 1024 and 256, over a hundred frames, two rounds."""
    return _griffin_lim_case(draw, 2, draw.integer(110, 170), N_FFT, HOP)


@griffin_lim.hidden_property_case(group="real sizes")
def many_rounds(draw: Draw):
    """Thirty and sixty rounds bring the magnitudes as near as they should."""
    magnitude, _, n_fft, hop, phase = _griffin_lim_case(draw, 0, 60, 64, 16)
    for n_iter in (30, 60):
        got = yield arguments(magnitude, n_iter, n_fft, hop, phase)
        if got.value.shape != ((magnitude.shape[1] - 1) * hop,):
            raise Wrong("the sound does not have (N − 1) · hop samples")
        reached = _distance(_stft(got.value, n_fft, hop), magnitude)
        wanted = _distance(_stft(griffin_lim.oracle(magnitude, n_iter, n_fft, hop, phase), n_fft, hop), magnitude)
        if not 0.98 * wanted < reached < 1.02 * wanted:
            raise Wrong(f"after {n_iter} rounds the spectral convergence is {reached:.4f}; it should be {wanted:.4f}")


def _distance(estimate: torch.Tensor, target: torch.Tensor) -> float:
    return ((estimate.abs() - target.abs()).norm() / target.abs().norm()).item()


def _rounds(
    magnitude: torch.Tensor,
    n_iter: int,
    n_fft: int,
    hop: int,
    phase: torch.Tensor,
    changed: object = torch.angle,
    **changes: object,
) -> torch.Tensor:
    """Griffin and Lim's rounds, in which `changed` finds the phase of the sound's spectrogram."""
    window = {"window": _window(n_fft, magnitude.dtype), **changes}["window"]
    sound = torch.istft(torch.polar(magnitude, phase), n_fft, hop, window=window)
    for _ in range(n_iter):
        phase = changed(_stft(sound, n_fft, hop, **changes))
        sound = torch.istft(torch.polar(magnitude, phase), n_fft, hop, window=window)
    return sound


@griffin_lim.misconception(
    "It starts from phase zero and ignores the phase that was given.",
    hint="Before the first round the sound is made of the magnitudes and … which phase?",
)
def given_phase_ignored(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, n_iter, n_fft, hop, torch.zeros_like(phase))


@griffin_lim.misconception(
    "There is one round too many.",
    hint="With n_iter = 0 the answer is the sound of the given phase. How many rounds does yours make then?",
)
def one_round_too_many(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, n_iter + 1, n_fft, hop, phase)


@griffin_lim.misconception(
    "There is one round too few.",
    hint="A round ends with a sound. After the last phase is found, is a sound made of it?",
)
def one_round_too_few(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, max(n_iter - 1, 0), n_fft, hop, phase)


@griffin_lim.misconception(
    "The magnitudes are not put back: to and fro with the same spectrogram changes nothing.",
    hint="From the sound's spectrogram only the phase is kept. Where do the magnitudes come from?",
)
def magnitudes_not_restored(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, 0, n_fft, hop, phase)


@griffin_lim.misconception(
    "The magnitudes are taken for powers, and a root is drawn.",
    hint="`magnitude` is |STFT| already. Twice the magnitude should give twice the sound.",
)
def root_of_magnitude(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude.sqrt(), n_iter, n_fft, hop, phase)


@griffin_lim.misconception(
    "It adds momentum, as the fast Griffin-Lim of 2013 and torchaudio's default do; here it is the plain one.",
    hint="Each round's phase is the angle of that round's spectrogram, and of nothing else.",
)
def with_momentum(magnitude, n_iter, n_fft, hop, phase):
    before = [torch.zeros(())]

    def angle(spectrum: torch.Tensor) -> torch.Tensor:
        pushed = spectrum - before[0] * (0.99 / 1.99)
        before[0] = spectrum
        return pushed.angle()

    return _rounds(magnitude, n_iter, n_fft, hop, phase, angle)


@griffin_lim.misconception(
    "The sound is padded with zeros at its ends, not mirrored.",
    hint="`torch.stft` has a `pad_mode`. What does it do when you say nothing?",
)
def padded_with_zeros(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, n_iter, n_fft, hop, phase, pad_mode="constant")


@griffin_lim.misconception(
    "No window is used: `torch.stft` takes a rectangular one when none is given.",
    hint="Both directions need the same Hann window.",
)
def no_window(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, n_iter, n_fft, hop, phase, window=torch.ones(n_fft, dtype=magnitude.dtype))


@griffin_lim.misconception(
    "The phase has the wrong sign.",
    hint="e^{iφ} = cos φ + i sin φ. Which sign does your sine have?",
)
def conjugate(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, n_iter, n_fft, hop, -phase, lambda spectrum: -spectrum.angle())


@griffin_lim.misconception(
    "The new angle is added to the old phase, where it should replace it.",
    hint="What is the phase of a spectrogram that is already right? It should stay as it is.",
)
def angles_add_up(magnitude, n_iter, n_fft, hop, phase):
    old = [phase]

    def angle(spectrum: torch.Tensor) -> torch.Tensor:
        old[0] = old[0] + spectrum.angle()
        return old[0]

    return _rounds(magnitude, n_iter, n_fft, hop, phase, angle)


@griffin_lim.misconception(
    "The angle is the arctangent of imaginary part over real part, which loses half of the circle.",
    hint="−1 − i and 1 + i have the same quotient. Which function tells them apart?",
)
def half_circle(magnitude, n_iter, n_fft, hop, phase):
    def angle(spectrum: torch.Tensor) -> torch.Tensor:
        return torch.atan((spectrum.imag / spectrum.real).nan_to_num())

    return _rounds(magnitude, n_iter, n_fft, hop, phase, angle)


@griffin_lim.misconception(
    "Every round begins again with the first sound, so nothing changes after round one.",
    hint="Which sound does the second round analyse?",
)
def first_sound_again(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, min(n_iter, 1), n_fft, hop, phase)


@griffin_lim.misconception(
    "The number of rounds is ignored: it is always 32.",
    hint="`n_iter` says how many rounds there are.",
)
def always_thirty_two(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, 32, n_fft, hop, phase)


@griffin_lim.misconception(
    "Silence becomes NaN: a spectrogram is divided by its own magnitude, which may be zero.",
    hint="What is 0 / 0? `torch.angle` has an answer for a bin that is zero.",
)
def silence_divided(magnitude, n_iter, n_fft, hop, phase):
    def angle(spectrum: torch.Tensor) -> torch.Tensor:
        return (spectrum / spectrum.abs()).angle()

    return _rounds(magnitude, n_iter, n_fft, hop, phase, angle)


@griffin_lim.misconception(
    "A bin that has become exactly zero stays zero: divided by its size it is no arrow of length 1.",
    hint="`torch.angle` gives 0 for a bin that is zero, and the arrow of phase 0 is 1. What does z / |z| give?",
)
def zero_bins_stay(magnitude, n_iter, n_fft, hop, phase):
    window = _window(n_fft, magnitude.dtype)
    turned = torch.exp(1j * phase)
    for _ in range(n_iter):
        spectrum = _stft(torch.istft(magnitude * turned, n_fft, hop, window=window), n_fft, hop)
        turned = spectrum / spectrum.abs().clamp_min(1e-12)
    return torch.istft(magnitude * turned, n_fft, hop, window=window)


@griffin_lim.alternative
def by_polar(magnitude, n_iter, n_fft, hop, phase):
    return _rounds(magnitude, n_iter, n_fft, hop, phase)


@griffin_lim.alternative
def unit_numbers(magnitude, n_iter, n_fft, hop, phase):
    window = torch.hann_window(n_fft, dtype=magnitude.dtype)
    turned = torch.exp(1j * phase)
    for _ in range(n_iter):
        sound = torch.istft(magnitude * turned, n_fft, hop, window=window)
        spectrum = torch.stft(sound, n_fft, hop, window=window, return_complex=True)
        turned = torch.where(spectrum == 0, 1.0, spectrum / spectrum.abs())
    return torch.istft(magnitude * turned, n_fft, hop, window=window)


@griffin_lim.alternative
def once_more(magnitude, n_iter, n_fft, hop, phase):
    sound = _inverse(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()), n_fft, hop)
    if n_iter == 0:
        return sound
    padded = functional.pad(sound[None], (n_fft // 2, n_fft // 2), mode="reflect")[0]
    spectrum = torch.fft.rfft(padded.unfold(0, n_fft, hop) * _window(n_fft, magnitude.dtype)).mT
    angle = torch.atan2(spectrum.imag, spectrum.real)
    return once_more(magnitude, n_iter - 1, n_fft, hop, angle)


# ------------------------------------------------------------------------------------------------- mel_to_linear


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-3, rtol=1e-3))
def mel_to_linear(mel_power, filterbank):
    import numpy as np

    # The least-squares solution of smallest norm: the same as by the pseudo-inverse, found another way.
    wide, mel = filterbank.double().numpy(), mel_power.double().numpy()
    found = np.linalg.lstsq(wide, mel, rcond=1e-6)[0]
    return torch.from_numpy(found).clamp_min(0).to(mel_power.dtype)


def _bands(draw: Draw, bands: int, bins: int) -> torch.Tensor:
    """A filterbank: hills of random height and position, each over a few bins."""
    centres = torch.linspace(0.5, bins - 1.5, bands)[:, None] + draw.uniform(bands, 1, low=-0.2, high=0.2)
    hills = (1 - (torch.arange(bins) - centres).abs() / (0.9 * bins / bands + 0.6)).clamp_min(0)
    return hills * draw.uniform(bands, 1, low=0.5, high=1.5)


def _mel_filterbank(bands: int, n_fft: int) -> torch.Tensor:
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(n_fft // 2 + 1, 0.0, 8_000.0, bands, 16_000, "slaney", "slaney").mT.contiguous()


@mel_to_linear.case
def some_frames(draw: Draw):
    """Four bands, nine frequencies."""
    return draw.uniform(4, 6, high=3.0), _bands(draw, 4, 9)


@mel_to_linear.case
def bands_of_a_power(draw: Draw):
    """Bands that were made from a power spectrogram."""
    filterbank = _bands(draw, 5, 11)
    return filterbank @ draw.normal(11, 7).square(), filterbank


@mel_to_linear.hidden_case
def any_filterbank(draw: Draw):
    """A filterbank of random numbers."""
    return draw.uniform(3, 8, high=2.0), draw.uniform(3, 10)


@mel_to_linear.case(group="edge")
def a_deaf_band(draw: Draw):
    """A band that hears nothing: a row of zeros."""
    filterbank = _bands(draw, 5, 12)
    filterbank[draw.integer(0, 5)] = 0.0
    return draw.uniform(5, 4, high=2.0), filterbank


@mel_to_linear.case(group="edge")
def two_bands_alike(draw: Draw):
    """Two bands that hear the same, and do not say the same."""
    filterbank = _bands(draw, 5, 12)
    filterbank[3] = filterbank[2]
    return draw.uniform(5, 4, low=0.5, high=3.0), filterbank


@mel_to_linear.property_case(group="edge")
def an_unheard_frequency(draw: Draw):
    """A frequency that no band hears, as 0 Hz: it gets no power, and the others keep theirs."""
    mel, filterbank = draw.uniform(4, 5, low=0.5, high=3.0), draw.uniform(4, 8)
    expected = mel_to_linear.oracle(mel, filterbank)
    usual = yield arguments(mel, filterbank)
    if compare(usual.value, expected, mel_to_linear.tolerance):
        raise Wrong("the result is wrong where every frequency belongs to every band")
    column = draw.integer(0, 9)
    silent = yield arguments(mel, torch.cat([filterbank[:, :column], torch.zeros(4, 1), filterbank[:, column:]], dim=1))
    whole = torch.cat([expected[:column], torch.zeros(1, 5), expected[column:]])
    if compare(silent.value, whole, mel_to_linear.tolerance):
        raise Wrong(
            "a column of zeros in the filterbank changes more than its own frequency: of `lstsq`'s drivers, take the "
            "one that works by singular values (gelsd)"
        )


@mel_to_linear.case(group="edge")
def more_bands_than_bins(draw: Draw):
    """More bands than frequencies."""
    return draw.uniform(9, 5, high=2.0), draw.uniform(9, 4)


@mel_to_linear.case(group="edge")
def one_silent_frame(draw: Draw):
    """A single frame, and a silent one beside it."""
    mel = draw.uniform(4, 2, high=2.0)
    mel[:, 1] = 0.0
    return mel, _bands(draw, 4, 10)


@mel_to_linear.case(group="edge")
def power_in_double_precision(draw: Draw):
    """Powers in float64."""
    return draw.uniform(4, 5, high=2.0).double(), _bands(draw, 4, 8).double()


@mel_to_linear.property_case(group="edge")
def soft_and_loud(draw: Draw):
    """Very soft and very loud sounds: the same powers, smaller or larger."""
    mel, filterbank = draw.uniform(4, 5, high=2.0), _bands(draw, 4, 9)
    usual = yield arguments(mel, filterbank)
    for factor in (2.0**-60, 2.0**-30, 2.0**20):
        other = yield arguments(mel * factor, filterbank)
        if not torch.allclose(other.value / factor, usual.value, atol=1e-3):
            raise Wrong(f"bands times {factor:.3g} do not give the powers times {factor:.3g}")


@mel_to_linear.property_case(group="edge")
def mended_to_eight_digits(draw: Draw):
    """Powers in float64, to eight digits."""
    yield from _to_digits(mel_to_linear, 8, draw.uniform(4, 5, high=2.0).double(), _bands(draw, 4, 9).double())


@mel_to_linear.property_case(group="edge")
def silence_is_zero(draw: Draw):
    """A silent frame: exactly zero, not nearly."""
    got = yield arguments(draw.uniform(4, 3) * torch.tensor([1.0, 0.0, 1.0]), _bands(draw, 4, 9))
    if got.value.shape != (9, 3):
        raise Wrong(f"the result has shape {tuple(got.value.shape)}, it should be (9, 3)")
    if got.value[:, 1].any():
        raise Wrong(f"a silent frame has a power of {got.value[:, 1].abs().max():.3g}; it should be exactly 0")
    if not got.value[:, 0].any():
        raise Wrong("a frame that is not silent has no power at all")


@mel_to_linear.hidden_case(group="edge")
def a_nearly_deaf_band(draw: Draw):
    """A band that hears five hundred times less than the others."""
    filterbank = _bands(draw, 5, 11)
    filterbank[draw.integer(0, 5)] /= 500
    return filterbank @ draw.normal(11, 6).square(), filterbank


@mel_to_linear.hidden_case(group="edge")
def a_soft_filterbank(draw: Draw):
    """A filterbank of small numbers."""
    filterbank = _bands(draw, 4, 9) * 2.0**-20
    return filterbank @ draw.normal(9, 5).square(), filterbank


@mel_to_linear.hidden_case(group="edge")
def everything_alike(draw: Draw):
    """Three bands that hear the same, more bands than frequencies, one frequency unheard."""
    filterbank = draw.uniform(7, 5)
    filterbank[4] = filterbank[6] = filterbank[1]
    filterbank[:, 2] = 0.0
    return draw.uniform(7, 3, low=0.5, high=2.0), filterbank


@mel_to_linear.hidden_case(group="edge")
def two_deaf_bands(draw: Draw):
    """Two deaf bands, and frequencies that no band hears."""
    filterbank = _bands(draw, 6, 14)
    filterbank[1:3] = 0.0
    filterbank[:, -2:] = 0.0
    return draw.uniform(6, 5, high=2.0), filterbank


@mel_to_linear.hidden_case(group="edge")
def one_band(draw: Draw):
    """One band."""
    return draw.uniform(1, 5, low=0.5, high=2.0), draw.uniform(1, 7, low=0.1)


@mel_to_linear.case(group="real sizes")
def forty_bands(draw: Draw):
    """Forty mel bands, 201 frequencies."""
    filterbank = _mel_filterbank(40, 400)
    return filterbank @ draw.normal(201, 6).square(), filterbank


@mel_to_linear.hidden_case(group="real sizes")
def eighty_bands(draw: Draw):
    """The notebook's own: eighty mel bands, 513 frequencies, over a hundred frames."""
    filterbank = _mel_filterbank(80, N_FFT)
    return filterbank @ draw.normal(513, draw.integer(110, 150)).square(), filterbank


@mel_to_linear.hidden_case(group="real sizes")
def more_mel_bands(draw: Draw):
    """128 mel bands, 1025 frequencies."""
    filterbank = _mel_filterbank(128, 2_048)
    return filterbank @ draw.normal(1_025, 9).square(), filterbank


@mel_to_linear.misconception(
    "The filterbank is only turned over: its transpose spreads the bands, it does not invert them.",
    hint="Put the result through the filterbank again. Do you get the mel power back, apart from the clamp?",
)
def transposed(mel_power, filterbank):
    return filterbank.mT @ mel_power


@mel_to_linear.misconception(
    "The transpose is scaled so that every frequency gets a mean of its bands; that smooths, it does not invert.",
    hint="Put the result through the filterbank again. Do you get the mel power back, apart from the clamp?",
)
def mean_of_the_bands(mel_power, filterbank):
    return (filterbank / filterbank.sum(0).clamp_min(1e-8)).mT @ mel_power


@mel_to_linear.misconception(
    "Some powers are negative.",
    hint="The pseudo-inverse knows nothing of powers. What is the smallest power there can be?",
)
def negative_powers(mel_power, filterbank):
    return torch.linalg.pinv(filterbank) @ mel_power


@mel_to_linear.misconception(
    "Negative powers are made positive by the absolute value.",
    hint="A power below zero is nearest to which possible power?",
)
def sign_dropped(mel_power, filterbank):
    return (torch.linalg.pinv(filterbank) @ mel_power).abs()


@mel_to_linear.misconception(
    "Each frame is lifted until its smallest power is zero.",
    hint="Only what is below zero should change.",
)
def lifted(mel_power, filterbank):
    power = torch.linalg.pinv(filterbank) @ mel_power
    return power - power.amin(0).clamp_max(0)


@mel_to_linear.misconception(
    "The pseudo-inverse is clamped, not the result.",
    hint="Multiply first. Negative entries in the inverse are needed to take bands apart.",
)
def inverse_clamped(mel_power, filterbank):
    return torch.linalg.pinv(filterbank).clamp_min(0) @ mel_power


@mel_to_linear.misconception(
    "The result is the magnitude: a root was drawn.",
    hint="Power goes in, and power comes out.",
)
def magnitude_returned(mel_power, filterbank):
    return (torch.linalg.pinv(filterbank) @ mel_power).clamp_min(0).sqrt()


@mel_to_linear.misconception(
    "The input is taken for a logarithm.",
    hint="`mel_power` is plain power; nothing needs to be undone before the filterbank.",
)
def exponential_first(mel_power, filterbank):
    return (torch.linalg.pinv(filterbank) @ mel_power.exp()).clamp_min(0)


@mel_to_linear.misconception(
    "It solves the least-squares problem under the condition that no power is negative. That is a better answer, and "
    "another one: here it is the pseudo-inverse, then the clamp.",
    hint="Two steps: solve without any condition, then set what is negative to zero.",
)
def non_negative_least_squares(mel_power, filterbank):
    from scipy.optimize import nnls

    wide = filterbank.double().numpy()
    columns = [torch.from_numpy(nnls(wide, frame.double().numpy())[0]) for frame in mel_power.mT]
    return torch.stack(columns, dim=1).to(mel_power.dtype)


@mel_to_linear.misconception(
    "The result is turned over: its rows should be frequencies.",
    hint="The shape is (F, N): frequencies first, then frames.",
)
def frames_in_rows(mel_power, filterbank):
    return (torch.linalg.pinv(filterbank) @ mel_power).clamp_min(0).mT.contiguous()


@mel_to_linear.misconception(
    "It uses a formula with the inverse of B·Bᵀ, which does not exist where a band is deaf, where two bands hear the "
    "same, or where there are more bands than frequencies.",
    hint="The pseudo-inverse exists for every matrix. Which function of `torch.linalg` is named after it?",
)
def inverse_of_b_bt(mel_power, filterbank):
    return (filterbank.mT @ torch.linalg.inv(filterbank @ filterbank.mT) @ mel_power).clamp_min(0)


@mel_to_linear.misconception(
    "It uses a formula with the inverse of Bᵀ·B, which does not exist where there are more frequencies than bands.",
    hint="The pseudo-inverse exists for every matrix. Which function of `torch.linalg` is named after it?",
)
def inverse_of_bt_b(mel_power, filterbank):
    return (torch.linalg.inv(filterbank.mT @ filterbank) @ filterbank.mT @ mel_power).clamp_min(0)


@mel_to_linear.alternative
def pseudo_inverse(mel_power, filterbank):
    return (torch.linalg.pinv(filterbank) @ mel_power).clamp_min(0)


@mel_to_linear.alternative
def by_singular_values(mel_power, filterbank):
    left, values, right = torch.linalg.svd(filterbank, full_matrices=False)
    inverse = torch.where(values > 1e-5 * values.max(), 1 / values, 0.0)
    return torch.relu(right.mT @ (inverse[:, None] * (left.mT @ mel_power)))


@mel_to_linear.alternative
def least_squares(mel_power, filterbank):
    found = torch.linalg.lstsq(filterbank.double(), mel_power.double(), rcond=1e-6, driver="gelsd").solution
    return found.clamp(min=0).to(mel_power.dtype)


# ------------------------------------------------------------------------------------------------- mu_law_encode


@exercise(unit=UNIT)
def mu_law_encode(x, channels=256):
    from torchaudio.functional import mu_law_encoding

    return mu_law_encoding(x, channels)


def _expanded(level: torch.Tensor, channels: int) -> torch.Tensor:
    """The sample that lies at a level (a code, or between two) of the μ-law, in float64."""
    mu = channels - 1
    bent = (2 * level.double() / mu - 1).clamp(-1, 1)
    return bent.sign() * torch.expm1(bent.abs() * math.log1p(mu)) / mu


def _samples(draw: Draw, *shape: int, channels: int = 256) -> torch.Tensor:
    """Samples of every loudness, each clearly on one side of every border between codes."""
    level = draw.integers(0, channels, *shape) + draw.uniform(*shape, low=-0.35, high=0.35)
    return _expanded(level, channels).float()


def _near_borders(draw: Draw, count: int, channels: int) -> torch.Tensor:
    """Samples just on one side or the other of a border between codes; rounding in float32 is far smaller."""
    offset = draw.uniform(count, low=0.465, high=0.485) * (1 - 2 * (torch.arange(count) % 2))
    return _expanded(draw.integers(0, channels, count) + offset, channels).float()


@mu_law_encode.case
def samples_of_every_loudness(draw: Draw):
    """Samples of every loudness."""
    return _samples(draw, 40)


@mu_law_encode.case
def soft_samples(draw: Draw):
    """Soft samples, where the codes lie densest."""
    level = draw.integers(96, 160, 30) + draw.uniform(30, low=-0.35, high=0.35)
    return _expanded(level, 256).float()


@mu_law_encode.hidden_case
def loud_samples(draw: Draw):
    """Loud samples of both signs."""
    level = torch.cat([draw.integers(0, 30, 15), draw.integers(226, 256, 15)]) + draw.uniform(30, low=-0.3, high=0.3)
    return _expanded(level, 256).float()


@mu_law_encode.case(group="edge")
def silence_and_full_scale(draw: Draw):
    """Silence, and full scale of both signs."""
    return torch.tensor([0.0, 1.0, -1.0])[draw.permutation(3)]


@mu_law_encode.case(group="edge")
def silence_among_few_codes(draw: Draw):
    """Silence with six, ten or fourteen codes: the upper one of the two in the middle."""
    return torch.tensor([0.0, 1.0, 0.0, -1.0])[draw.permutation(4)], draw.choice((6, 10, 14))


@mu_law_encode.case(group="edge")
def a_number(draw: Draw):
    """A single number, shape ()."""
    return _samples(draw)


@mu_law_encode.case(group="edge")
def a_hair_from_the_borders(draw: Draw):
    """Samples in float64, a hair from the borders between codes."""
    side = (1 - 2 * (torch.arange(40) % 2)) * (0.5 - 1e-7)
    return _expanded(draw.integers(1, 255, 40) + side.double(), 256)


@mu_law_encode.case(group="edge")
def a_batch(draw: Draw):
    """A batch, (B, T)."""
    return _samples(draw, 3, 7)


@mu_law_encode.case(group="edge")
def samples_in_double_precision(draw: Draw):
    """Samples in float64."""
    return _samples(draw, 12).double()


@mu_law_encode.hidden_case
def near_the_borders(draw: Draw):
    """Samples near the borders between 256 codes."""
    return _near_borders(draw, 300, 256)


@mu_law_encode.hidden_case(group="edge")
def a_batch_of_channels(draw: Draw):
    """A batch with channels, (B, C, T), some of it silent."""
    x = _samples(draw, 2, 3, 5)
    x[1] = 0.0
    return x


@mu_law_encode.hidden_case(group="edge")
def a_single_sample(draw: Draw):
    """One sample."""
    return _samples(draw, 1)


@mu_law_encode.case(group="numbers of codes")
def sixteen_codes(draw: Draw):
    """Sixteen codes, samples near the borders between them."""
    return arguments(_near_borders(draw, 40, 16), channels=16)


@mu_law_encode.case(group="numbers of codes")
def a_thousand_codes(draw: Draw):
    """1024 codes, ten bits."""
    return _samples(draw, 20, channels=1_024), 1_024


@mu_law_encode.hidden_case(group="numbers of codes")
def any_number_of_codes(draw: Draw):
    """Some other number of codes, with silence and full scale."""
    channels = draw.choice((8, 32, 64, 100, 512))
    return torch.cat([_samples(draw, 20, channels=channels), torch.tensor([0.0, 1.0, -1.0])]), channels


@mu_law_encode.hidden_case(group="numbers of codes")
def sixteen_bits(draw: Draw):
    """65 536 codes, sixteen bits, with silence and full scale."""
    return torch.cat([_samples(draw, 40, channels=65_536), torch.tensor([0.0, 1.0, -1.0])]), 65_536


@mu_law_encode.hidden_case(group="numbers of codes")
def an_odd_number_of_codes(draw: Draw):
    """An odd number of codes."""
    channels = draw.choice((7, 33, 101, 255))
    return _samples(draw, 40, channels=channels), channels


@mu_law_encode.hidden_case(group="real sizes")
def three_seconds(draw: Draw):
    """Three seconds of sound."""
    return _samples(draw, 48_000 + draw.integer(1, 300))


@mu_law_encode.case(group="real sizes")
def a_tenth_of_a_second(draw: Draw):
    """A tenth of a second."""
    return _samples(draw, 1_600)


def _compressed(x: torch.Tensor, mu: float) -> torch.Tensor:
    """The μ-law curve from [−1, 1] to [−1, 1], in float64."""
    x = x.double()
    return x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)


@mu_law_encode.misconception(
    "The codes are spaced evenly: the curve is missing, so soft samples share a few codes.",
    hint="A sample of 0.01 should get code 157, far from the middle. Which function stretches small numbers?",
)
def evenly_spaced(x, channels=256):
    return ((x.double() + 1) / 2 * (channels - 1) + 0.5).long()


@mu_law_encode.misconception(
    "μ is taken to be the number of codes; it is one less.",
    hint="With 256 codes the largest is 255. Which number is μ?",
)
def mu_is_channels(x, channels=256):
    return ((_compressed(x, channels) + 1) / 2 * (channels - 1) + 0.5).long()


@mu_law_encode.misconception(
    "The fraction is cut off, not rounded.",
    hint="A level of 200.9 belongs to code 201.",
)
def cut_off(x, channels=256):
    return ((_compressed(x, channels - 1) + 1) / 2 * (channels - 1)).long()


@mu_law_encode.misconception(
    "The sign is lost: negative samples get the codes of positive ones.",
    hint="The curve is applied to the size of the sample. What gives it its sign again?",
)
def sign_lost(x, channels=256):
    return ((_compressed(x, channels - 1).abs() + 1) / 2 * (channels - 1) + 0.5).long()


@mu_law_encode.misconception(
    "The codes run from −μ/2 to μ/2; they should begin at 0.",
    hint="A code is an index, for instance into a table of embeddings. What is the lowest one?",
)
def around_zero(x, channels=256):
    return (_compressed(x, channels - 1) * (channels - 1) / 2).round().long()


@mu_law_encode.misconception(
    "The number of codes is ignored: it is always 256.",
    hint="`channels` says how many codes there are.",
)
def always_256_codes(x, channels=256):
    return ((_compressed(x, 255) + 1) / 2 * 255 + 0.5).long()


@mu_law_encode.misconception(
    "μ is taken to be the number of codes; it is one less.",
    hint="With 256 codes the largest is 255. Which number is μ?",
)
def mu_is_channels_throughout(x, channels=256):
    return ((_compressed(x, channels) + 1) / 2 * channels + 0.5).long()


@mu_law_encode.misconception(
    "`round` takes halves to the even code; silence should get the upper one.",
    hint="With six codes silence has the level 2.5. What is `torch.tensor(2.5).round()`?",
)
def halves_to_even(x, channels=256):
    return ((_compressed(x, channels - 1) + 1) / 2 * (channels - 1)).round().long()


@mu_law_encode.misconception(
    "μ is missing inside the logarithm, so the curve is hardly bent, and full scale does not reach the ends.",
    hint="The curve should end at 1 for x = 1. What is ln(1 + 1) / ln(1 + μ)?",
)
def mu_missing_inside(x, channels=256):
    bent = x.double().sign() * torch.log1p(x.double().abs()) / math.log1p(channels - 1)
    return ((bent + 1) / 2 * (channels - 1) + 0.5).long()


@mu_law_encode.misconception(
    "The range is divided into `channels` equal boxes; the lowest code should stand for −1 exactly, the highest for 1.",
    hint="−1 … 1 becomes 0 … μ, and then you round to the nearest whole number.",
)
def boxes(x, channels=256):
    return ((_compressed(x, channels - 1) + 1) / 2 * channels).long().clamp(max=channels - 1)


@mu_law_encode.misconception(
    "The logarithm is not divided by ln(1 + μ), so the codes leave their range.",
    hint="The curve should end at 1 for x = 1. What is ln(1 + μ · 1)?",
)
def not_scaled(x, channels=256):
    mu = channels - 1
    bent = _compressed(x, mu) * math.log1p(mu)
    return ((bent + 1) / 2 * mu + 0.5).long()


@mu_law_encode.misconception(
    "The curve goes the wrong way: it expands, as decoding does.",
    hint="A soft sample should move away from the middle, not towards it.",
)
def expanding(x, channels=256):
    return (_expanded((x.double() + 1) / 2 * (channels - 1), channels) * (channels - 1) / 2 + channels / 2).long()


@mu_law_encode.misconception(
    "The 1 inside the logarithm is missing.",
    hint="The curve should go through 0. What is ln(0)?",
)
def plain_logarithm(x, channels=256):
    mu = channels - 1
    x = x.double()
    bent = x.sign() * torch.log((mu * x.abs()).clamp_min(1e-9)) / math.log(mu)
    return ((bent + 1) / 2 * mu + 0.5).long()


@mu_law_encode.alternative
def by_the_formula(x, channels=256):
    mu = channels - 1
    bent = torch.sign(x) * torch.log(1 + mu * x.abs()) / math.log(1 + mu)
    return torch.floor((bent + 1) / 2 * mu + 0.5).long()


@mu_law_encode.alternative
def by_rounding(x, channels=256):
    mu = channels - 1
    bent = torch.copysign(torch.log1p(mu * x.double().abs()) / math.log1p(mu), x)
    return mu - ((1 - bent) * (mu / 2) - 0.5).ceil().to(torch.int64)


@mu_law_encode.alternative
def by_borders(x, channels=256):
    borders = _expanded(torch.arange(channels - 1) + 0.5, channels)
    return torch.bucketize(x.double(), borders, right=True)


# ------------------------------------------------------------------------------------------------- mu_law_decode


@exercise(
    unit=UNIT,
    tolerance=Tolerance(atol=1e-6, rtol=2e-4),
)
def mu_law_decode(codes, channels=256):
    from torchaudio.functional import mu_law_decoding

    return mu_law_decoding(codes, channels)


@mu_law_decode.case
def any_codes(draw: Draw):
    """Codes of every size."""
    return draw.integers(0, 256, 30)


@mu_law_decode.case
def codes_of_soft_samples(draw: Draw):
    """Codes near the middle: soft samples."""
    return draw.integers(112, 144, 12)


@mu_law_decode.hidden_case
def all_codes(draw: Draw):
    """All 256 codes."""
    return torch.arange(256)[draw.permutation(256)]


@mu_law_decode.case(group="edge")
def ends_and_middle(draw: Draw):
    """The lowest and the highest code, and the two in the middle."""
    return torch.tensor([0, 127, 128, 255])[draw.permutation(4)]


@mu_law_decode.case(group="edge")
def a_code(draw: Draw):
    """A single code, shape ()."""
    return draw.integers(0, 120)


@mu_law_decode.case(group="edge")
def a_batch_of_codes(draw: Draw):
    """A batch, (B, T)."""
    return draw.integers(0, 256, 3, 5)


@mu_law_decode.hidden_case(group="edge")
def a_batch_of_coded_channels(draw: Draw):
    """A batch with channels, (B, C, T)."""
    return draw.integers(0, 256, 2, 3, 4)


@mu_law_decode.case(group="numbers of codes")
def eight_codes(draw: Draw):
    """Eight codes."""
    return arguments(torch.arange(8)[draw.permutation(8)], channels=8)


@mu_law_decode.case(group="numbers of codes")
def ten_bits(draw: Draw):
    """1024 codes, the lowest and the highest among them."""
    return torch.cat([draw.integers(0, 1_024, 20), torch.tensor([0, 1_023])]), 1_024


@mu_law_decode.hidden_case(group="numbers of codes")
def codes_of_another_number(draw: Draw):
    """Some other number of codes."""
    channels = draw.choice((16, 32, 100, 512))
    return torch.arange(channels)[draw.permutation(channels)], channels


@mu_law_decode.hidden_case(group="numbers of codes")
def codes_of_an_odd_number(draw: Draw):
    """An odd number of codes, the middle one silence."""
    channels = draw.choice((7, 33, 101, 255))
    return torch.arange(channels)[draw.permutation(channels)], channels


@mu_law_decode.hidden_case(group="numbers of codes")
def codes_of_sixteen_bits(draw: Draw):
    """65 536 codes, the lowest and the highest among them."""
    return torch.cat([draw.integers(0, 65_536, 50), torch.tensor([65_535, 0])]), 65_536


@mu_law_decode.hidden_case(group="real sizes")
def codes_of_three_seconds(draw: Draw):
    """Three seconds of codes."""
    return draw.integers(0, 256, 48_000 + draw.integer(1, 300))


@mu_law_decode.case(group="real sizes")
def codes_of_a_tenth_of_a_second(draw: Draw):
    """A tenth of a second."""
    return draw.integers(0, 256, 1_600)


@mu_law_decode.misconception(
    "The codes are spread evenly over [−1, 1]: the curve is not undone.",
    hint="Neighbouring codes should be close together in the middle and far apart at the ends.",
)
def spread_evenly(codes, channels=256):
    return (2 * codes.double() / (channels - 1) - 1).float()


@mu_law_decode.misconception(
    "μ is taken to be the number of codes; it is one less.",
    hint="The highest code, 255 of 256, should give exactly 1.",
)
def decoded_with_channels(codes, channels=256):
    bent = 2 * codes.double() / (channels - 1) - 1
    return (bent.sign() * torch.expm1(bent.abs() * math.log1p(channels)) / channels).float()


@mu_law_decode.misconception(
    "The codes are divided by their number, so the highest one does not reach 1.",
    hint="0 … μ should become −1 … 1, both ends included.",
)
def divided_by_channels(codes, channels=256):
    bent = 2 * codes.double() / channels - 1
    return (bent.sign() * torch.expm1(bent.abs() * math.log1p(channels - 1)) / (channels - 1)).float()


@mu_law_decode.misconception(
    "μ is taken to be the number of codes; it is one less.",
    hint="The highest code, 255 of 256, should give exactly 1.",
)
def decoded_with_channels_throughout(codes, channels=256):
    bent = 2 * codes.double() / channels - 1
    return (bent.sign() * torch.expm1(bent.abs() * math.log1p(channels)) / channels).float()


_HALF_A_CODE = {
    "says": "Half a code is added; a code is a level itself, and 0 … μ should become −1 … 1.",
    "hint": "Code 0 should give exactly −1, and the highest code exactly 1.",
}


@mu_law_decode.misconception(**_HALF_A_CODE)
def half_a_code_later(codes, channels=256):
    bent = 2 * (codes.double() + 0.5) / (channels - 1) - 1
    return (bent.sign() * torch.expm1(bent.abs() * math.log1p(channels - 1)) / (channels - 1)).float()


@mu_law_decode.misconception(**_HALF_A_CODE)
def middle_of_a_box(codes, channels=256):
    bent = 2 * (codes.double() + 0.5) / channels - 1
    return (bent.sign() * torch.expm1(bent.abs() * math.log1p(channels - 1)) / (channels - 1)).float()


@mu_law_decode.misconception(
    "The 1 is not subtracted after the exponential, so the middle is torn apart.",
    hint="e⁰ is 1, and the curve should go through 0.",
)
def one_not_subtracted(codes, channels=256):
    bent = 2 * codes.double() / (channels - 1) - 1
    return (bent.sign() * torch.exp(bent.abs() * math.log1p(channels - 1)) / (channels - 1)).float()


@mu_law_decode.misconception(
    "It is not divided by μ, so the samples leave [−1, 1].",
    hint="(1 + μ)¹ − 1 is μ. What should the highest code give?",
)
def not_divided(codes, channels=256):
    return (_expanded(codes, channels) * (channels - 1)).float()


@mu_law_decode.misconception(
    "The sign is lost: the lower half of the codes gives positive samples.",
    hint="Code 0 should give −1.",
)
def decoded_sign_lost(codes, channels=256):
    return _expanded(codes, channels).abs().float()


@mu_law_decode.misconception(
    "The number of codes is ignored: it is always 256.",
    hint="`channels` says how many codes there are.",
)
def decodes_always_256(codes, channels=256):
    bent = 2 * codes.double() / 255 - 1
    return (bent.sign() * torch.expm1(bent.abs() * math.log1p(255)) / 255).float()


@mu_law_decode.misconception(
    "The curve is applied again where it should be undone.",
    hint="Encoding takes a logarithm. Which function undoes that?",
)
def compressed_again(codes, channels=256):
    return _compressed(2 * codes.double() / (channels - 1) - 1, channels - 1).float()


@mu_law_decode.alternative
def decoded_by_the_formula(codes, channels=256):
    mu = channels - 1
    bent = 2 * codes.float() / mu - 1
    return torch.sign(bent) * ((1 + mu) ** bent.abs() - 1) / mu


@mu_law_decode.alternative
def by_table(codes, channels=256):
    return _expanded(torch.arange(channels), channels).float()[codes]


@mu_law_decode.alternative
def with_expm1(codes, channels=256):
    bent = codes.float() * (2 / (channels - 1)) - 1
    return torch.copysign(torch.expm1(bent.abs() * math.log(channels)) / (channels - 1), bent)


# ----------------------------------------------------------------------------------------------- affine_coupling


@exercise(unit=UNIT, differentiable=True)
def affine_coupling(x, log_s, t, inverse=False):
    from torch.distributions.transforms import AffineTransform

    kept, changed = x.chunk(2, dim=1)
    flow = AffineTransform(t, log_s.exp(), event_dim=2)
    if inverse:
        made = flow.inv(changed)
        return torch.cat([kept, made], dim=1), -flow.log_abs_det_jacobian(made, changed)
    return torch.cat([kept, flow(changed)], dim=1), flow.log_abs_det_jacobian(changed, changed)


def _coupling(draw: Draw, batch: int, channels: int, time: int, scale: float = 0.7) -> tuple:
    half = batch, channels // 2, time
    return draw.normal(batch, channels, time), draw.normal(*half, scale=scale), draw.normal(*half)


@affine_coupling.case
def forward(draw: Draw):
    """Forwards."""
    return _coupling(draw, 2, 4, 5)


@affine_coupling.case
def two_channels(draw: Draw):
    """Forwards, two channels, inverse=False said aloud."""
    return arguments(*_coupling(draw, 3, 2, 4), inverse=False)


@affine_coupling.hidden_case
def as_many_channels_as_frames(draw: Draw):
    """As many channels as samples."""
    return _coupling(draw, 3, 6, 6)


@affine_coupling.case(group="inverse")
def backward(draw: Draw):
    """The inverse."""
    return arguments(*_coupling(draw, 2, 6, 3), inverse=True)


@affine_coupling.case(group="inverse")
def one_item_back(draw: Draw):
    """The inverse, a batch of one."""
    return *_coupling(draw, 1, 4, 7), True


@affine_coupling.property_case(group="inverse")
def there_and_back(draw: Draw):
    """There and back again: the same numbers, and the two log-determinants cancel."""
    x, log_s, t = _coupling(draw, 2, 4, 6, scale=1.0)
    there = yield arguments(x, log_s, t)
    back = yield arguments(there.value[0], log_s, t, inverse=True)
    if not torch.allclose(back.value[0], x, atol=1e-4, rtol=1e-4):
        raise Wrong("the inverse of its own result does not give x back")
    if not torch.allclose(back.value[1], -there.value[1], atol=1e-4):
        raise Wrong("the log-determinant of the inverse is not the negative of the forward one")


@affine_coupling.hidden_case(group="inverse")
def backward_with_strong_scales(draw: Draw):
    """The inverse, with large and small scales."""
    return *_coupling(draw, 3, 2, 5, scale=2.0), True


@affine_coupling.hidden_property_case(group="inverse")
def back_and_there(draw: Draw):
    """Backwards, then forwards: the same numbers."""
    y, log_s, t = _coupling(draw, 2, 8, 90, scale=0.5)
    back = yield arguments(y, log_s, t, True)
    there = yield arguments(back.value[0], log_s, t)
    if not torch.allclose(there.value[0], y, atol=1e-4, rtol=1e-4):
        raise Wrong("forwards after backwards does not give the same numbers again")


@affine_coupling.case(group="edge")
def one_item(draw: Draw):
    """A batch of one."""
    return _coupling(draw, 1, 4, 3)


@affine_coupling.case(group="edge")
def strong_scales(draw: Draw):
    """Large and small scales."""
    return _coupling(draw, 2, 4, 5, scale=3.0)


@affine_coupling.case(group="edge")
def one_sample_long(draw: Draw):
    """A single time step."""
    return _coupling(draw, 3, 6, 1)


@affine_coupling.case(group="edge")
def coupling_in_double_precision(draw: Draw):
    """Everything in float64."""
    return tuple(one.double() for one in _coupling(draw, 2, 6, 4))


@affine_coupling.property_case(group="edge")
def coupled_to_ten_digits(draw: Draw):
    """Everything in float64, to ten digits."""
    yield from _to_digits(affine_coupling, 10, *(one.double() for one in _coupling(draw, 2, 4, 7)))


@affine_coupling.hidden_property_case(group="inverse")
def uncoupled_to_ten_digits(draw: Draw):
    """Everything in float64, the inverse, to ten digits."""
    yield from _to_digits(affine_coupling, 10, *(one.double() for one in _coupling(draw, 3, 6, 2)), True)


@affine_coupling.hidden_case(group="edge")
def many_channels_one_item(draw: Draw):
    """One item of one time step, twelve channels."""
    return _coupling(draw, 1, 12, 1)


@affine_coupling.hidden_case(group="edge")
def very_strong_scales(draw: Draw):
    """Scales from a millionth of a millionth to a million million."""
    x, log_s, t = _coupling(draw, 2, 4, 6)
    return x, log_s.sign() * draw.uniform(2, 2, 6, low=20.0, high=28.0), t, draw.choice((True, False))


@affine_coupling.hidden_case(group="edge")
def only_shifted(draw: Draw):
    """Scales of one: a shift and nothing else, back again."""
    x, log_s, t = _coupling(draw, 2, 2, 5)
    return x, 0 * log_s, t, draw.choice((True, False))


@affine_coupling.case(group="real sizes")
def a_few_squeezed_samples(draw: Draw):
    """WaveGlow's eight channels, sixty time steps."""
    return _coupling(draw, 2, 8, 60, scale=0.3)


@affine_coupling.hidden_case(group="real sizes")
def a_second_of_samples(draw: Draw):
    """A second of sound in eight channels."""
    return *_coupling(draw, 2, 8, 2_000, scale=0.3), draw.choice((True, False))


@affine_coupling.hidden_case(group="real sizes")
def many_channels(draw: Draw):
    """Some dozens of channels, a batch of seven."""
    return *_coupling(draw, 7, 2 * draw.integer(15, 30), 11, scale=0.3), draw.choice((True, False))


@affine_coupling.hidden_case(group="real sizes")
def many_items(draw: Draw):
    """A batch of five, sixteen channels, the inverse."""
    return *_coupling(draw, 5, 16, 40, scale=0.3), True


def _coupled(
    x: torch.Tensor,
    log_s: torch.Tensor,
    t: torch.Tensor,
    inverse: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The kept half, the changed half, and the log-determinant."""
    kept, changed = x.chunk(2, dim=1)
    made = (changed - t) * torch.exp(-log_s) if inverse else changed * torch.exp(log_s) + t
    log_det = log_s.sum((1, 2))
    return kept, made, -log_det if inverse else log_det


@affine_coupling.misconception(
    "`inverse` has no effect: it always goes forwards.",
    hint="What undoes “times s, then plus t”?",
)
def never_inverted(x, log_s, t, inverse=False):
    kept, made, log_det = _coupled(x, log_s, t, False)
    return torch.cat([kept, made], dim=1), log_det


@affine_coupling.misconception(
    "The inverse divides first and subtracts afterwards.",
    hint="Socks on, shoes on; shoes off, socks off. What was done last?",
)
def inverse_in_the_wrong_order(x, log_s, t, inverse=False):
    kept, made, log_det = _coupled(x, log_s, t, inverse)
    if inverse:
        made = x.chunk(2, dim=1)[1] * torch.exp(-log_s) - t
    return torch.cat([kept, made], dim=1), log_det


@affine_coupling.misconception(
    "The log-determinant keeps its sign in the inverse.",
    hint="Forwards the volume grows by a factor. What does it do on the way back?",
)
def log_det_not_negated(x, log_s, t, inverse=False):
    kept, made, _ = _coupled(x, log_s, t, inverse)
    return torch.cat([kept, made], dim=1), log_s.sum((1, 2))


@affine_coupling.misconception(
    "The first half of the channels is changed; it should stay, and the second be changed.",
    hint="Which half did you leave alone?",
)
def first_half_changed(x, log_s, t, inverse=False):
    swapped = torch.cat(x.chunk(2, dim=1)[::-1], dim=1)
    kept, made, log_det = _coupled(swapped, log_s, t, inverse)
    return torch.cat([made, kept], dim=1), log_det


@affine_coupling.misconception(
    "The halves come back in exchanged places.",
    hint="The half that stays was first, and should be first again.",
)
def halves_exchanged(x, log_s, t, inverse=False):
    kept, made, log_det = _coupled(x, log_s, t, inverse)
    return torch.cat([made, kept], dim=1), log_det


@affine_coupling.misconception(
    "Every other channel is changed; the halves should be the first and the second C/2 channels.",
    hint="What do `x[:, ::2]` and `x[:, : C // 2]` choose?",
)
def every_other_channel(x, log_s, t, inverse=False):
    result = x.clone()
    _, made, log_det = _coupled(torch.cat([x[:, 0::2], x[:, 1::2]], dim=1), log_s, t, inverse)
    result[:, 1::2] = made
    return result, log_det


@affine_coupling.misconception(
    "It multiplies by log_s itself, not by its exponential.",
    hint="log_s is the logarithm of the scale. A log of 0 should leave the sample as it is.",
)
def scale_not_exponential(x, log_s, t, inverse=False):
    kept, changed = x.chunk(2, dim=1)
    made = (changed - t) / log_s if inverse else changed * log_s + t
    return torch.cat([kept, made], dim=1), _coupled(x, log_s, t, inverse)[2]


@affine_coupling.misconception(
    "The shift is added before the scale.",
    hint="y = x · s + t: what comes first?",
)
def shifted_first(x, log_s, t, inverse=False):
    kept, changed = x.chunk(2, dim=1)
    made = changed * torch.exp(-log_s) - t if inverse else (changed + t) * torch.exp(log_s)
    return torch.cat([kept, made], dim=1), _coupled(x, log_s, t, inverse)[2]


@affine_coupling.misconception(
    "Forwards the shift is added before the scale; the inverse is right, so it does not undo that step.",
    hint="y = x · s + t: what comes first? And does your inverse undo just that?",
)
def shifted_first_forwards(x, log_s, t, inverse=False):
    kept, made, log_det = _coupled(x, log_s, t, inverse)
    if not inverse:
        made = (x.chunk(2, dim=1)[1] + t) * torch.exp(log_s)
    return torch.cat([kept, made], dim=1), log_det


@affine_coupling.misconception(
    "The log-determinant is the mean of log_s, not its sum.",
    hint="Each sample stretches the volume by its own factor, and factors multiply. What do their logarithms do?",
)
def log_det_averaged(x, log_s, t, inverse=False):
    kept, made, log_det = _coupled(x, log_s, t, inverse)
    return torch.cat([kept, made], dim=1), log_det / log_s[0].numel()


@affine_coupling.misconception(
    "The log-determinant is summed over the batch, too; each item has its own.",
    hint="The second result has shape (B,).",
)
def log_det_of_the_batch(x, log_s, t, inverse=False):
    kept, made, log_det = _coupled(x, log_s, t, inverse)
    return torch.cat([kept, made], dim=1), log_det.sum()


@affine_coupling.misconception(
    "It adds up the scales, not their logarithms.",
    hint="The log of a product is the sum of the logs.",
)
def scales_added(x, log_s, t, inverse=False):
    kept, made, _ = _coupled(x, log_s, t, inverse)
    log_det = log_s.exp().sum((1, 2))
    return torch.cat([kept, made], dim=1), -log_det if inverse else log_det


@affine_coupling.misconception(
    "The log-determinant is summed over one axis only.",
    hint="The second result has shape (B,): channels and time are both summed.",
)
def log_det_of_each_step(x, log_s, t, inverse=False):
    kept, made, _ = _coupled(x, log_s, t, inverse)
    return torch.cat([kept, made], dim=1), log_s.sum(1) * (-1 if inverse else 1)


@affine_coupling.misconception(
    "Only the changed half is returned; the half that stayed belongs in front of it.",
    hint="y has as many channels as x.",
)
def changed_half_only(x, log_s, t, inverse=False):
    _, made, log_det = _coupled(x, log_s, t, inverse)
    return made, log_det


@affine_coupling.alternative
def in_two_branches(x, log_s, t, inverse=False):
    half = x.shape[1] // 2
    if inverse:
        return torch.cat([x[:, :half], (x[:, half:] - t) / log_s.exp()], dim=1), -log_s.flatten(1).sum(1)
    return torch.cat([x[:, :half], x[:, half:] * log_s.exp() + t], dim=1), log_s.flatten(1).sum(1)


@affine_coupling.alternative
def with_a_sign(x, log_s, t, inverse=False):
    scale = torch.cat([torch.zeros_like(log_s), log_s], dim=1)
    shift = torch.cat([torch.zeros_like(t), t], dim=1)
    sign = -1 if inverse else 1
    moved = x - shift if inverse else x
    result = moved * torch.exp(sign * scale)
    return result if inverse else result + shift, sign * torch.einsum("bct->b", scale)


@affine_coupling.alternative
def item_by_item(x, log_s, t, inverse=False):
    half = x.shape[1] // 2
    results, log_dets = [], []
    for item, scale, shift in zip(x, log_s, t, strict=True):
        changed = torch.exp(-scale) * (item[half:] - shift) if inverse else torch.exp(scale) * item[half:] + shift
        results.append(torch.cat([item[:half], changed]))
        log_dets.append(-scale.sum() if inverse else scale.sum())
    return torch.stack(results), torch.stack(log_dets)


# ---------------------------------------------------------------------------------------------- upsampled_length


@exercise(unit=UNIT)
def upsampled_length(n_frames, rates):
    signal = torch.empty(1, 1, n_frames, device="meta")
    for rate in rates:  # HiFi-GAN's layers: a kernel longer than the stride, cut so that nothing is left over
        kernel = torch.empty(1, 1, 3 * rate, device="meta")
        signal = functional.conv_transpose1d(signal, kernel, stride=rate, padding=rate)
    return signal.shape[-1]


@upsampled_length.case
def hifi_gan_v1(draw: Draw):
    """HiFi-GAN's first version, 8 · 8 · 2 · 2."""
    return draw.integer(3, 100), [8, 8, 2, 2]


@upsampled_length.case
def three_layers(draw: Draw):
    """Three layers of different rates."""
    return draw.integer(3, 100), draw.sample([2, 3, 4, 5, 7], 3)


@upsampled_length.hidden_case
def two_layers(draw: Draw):
    """Two layers."""
    return draw.integer(3, 100), draw.sample([3, 5, 6, 8, 10], 2)


@upsampled_length.case(group="edge")
def one_layer(draw: Draw):
    """One layer."""
    return draw.integer(3, 100), [draw.integer(3, 9)]


@upsampled_length.case(group="edge")
def no_layer(draw: Draw):
    """No layer at all."""
    return draw.integer(3, 100), []


@upsampled_length.case(group="edge")
def one_frame_only(draw: Draw):
    """A single frame."""
    return 1, draw.sample([2, 3, 4, 5], 3)


@upsampled_length.case(group="edge")
def five_layers(draw: Draw):
    """Five layers."""
    return draw.integer(3, 100), draw.sample([2, 3, 4, 5, 2, 7], 5)


@upsampled_length.hidden_case(group="edge")
def many_layers(draw: Draw):
    """Six to nine layers."""
    return draw.integer(3, 100), [2, *[draw.integer(2, 4) for _ in range(draw.integer(4, 8))], 3]


@upsampled_length.hidden_case(group="edge")
def a_layer_that_keeps_the_length(draw: Draw):
    """A layer of rate 1 among others."""
    return draw.integer(3, 100), [4, 1, 6]


@upsampled_length.hidden_case(group="edge")
def the_same_rate_again(draw: Draw):
    """The same rate several times."""
    return draw.integer(3, 100), [3, 3, 3, 3]


@upsampled_length.case(group="real sizes")
def a_sentence_s_frames(draw: Draw):
    """The frames of a sentence, hop 256."""
    return draw.integer(150, 300), [8, 8, 4]


@upsampled_length.hidden_case(group="real sizes")
def a_long_way_up(draw: Draw):
    """More samples than 32 bits can count."""
    return draw.integer(50, 100), [50, 40, 30, 20, 10, draw.integer(8, 12)]


@upsampled_length.hidden_case(group="real sizes")
def an_hour_s_frames(draw: Draw):
    """The frames of an hour, hop 315."""
    return 2 * draw.integer(90_000, 100_000) + 1, [7, 5, 3, 3]


def _product(rates: list) -> int:
    return math.prod(rates)


@upsampled_length.misconception(
    "The rates are added up; layers multiply.",
    hint="Twice as long, then three times as long: how much longer is it?",
)
def rates_added(n_frames, rates):
    return n_frames * sum(rates)


@upsampled_length.misconception(
    "The first frame counts as one sample: (n − 1) · hop + 1.",
    hint="Every frame becomes `hop` samples, the first and the last, too.",
)
def last_frame_short(n_frames, rates):
    return (n_frames - 1) * _product(rates) + 1


@upsampled_length.misconception(
    "A hop is lost: (n − 1) · hop is the length of a centred inverse STFT.",
    hint="Every frame becomes `hop` samples, the first and the last, too.",
)
def as_the_istft(n_frames, rates):
    return (n_frames - 1) * _product(rates)


@upsampled_length.misconception(
    "It is the hop alone: the number of frames is forgotten.",
    hint="One frame becomes `hop` samples. How many do 100 frames become?",
)
def the_hop_alone(n_frames, rates):
    return _product(rates)


@upsampled_length.misconception(
    "Only the last layer counts.",
    hint="Each layer lengthens what the one before it made.",
)
def last_layer_only(n_frames, rates):
    return n_frames * (rates[-1] if rates else 1)


@upsampled_length.misconception(
    "The hop is taken to be 256, whatever the rates.",
    hint="8 · 8 · 2 · 2 = 256 is one choice of rates among many.",
)
def always_256(n_frames, rates):
    return n_frames * 256


@upsampled_length.misconception(
    "Without layers it gives nothing; then the length should stay as it is.",
    hint="A product of no factors is 1.",
)
def nothing_without_layers(n_frames, rates):
    return n_frames * _product(rates) if rates else 0


@upsampled_length.misconception(
    "The rates divide: that is the length of the way down, not up.",
    hint="A vocoder makes more samples than it is given frames.",
)
def divided(n_frames, rates):
    return n_frames // _product(rates)


@upsampled_length.misconception(
    "The kernels' overlap is not cut off: each layer leaves some samples at the end.",
    hint="HiFi-GAN pads each transposed convolution so that n samples become exactly n · rate.",
)
def overlap_kept(n_frames, rates):
    for rate in rates:
        n_frames = (n_frames + 1) * rate
    return n_frames


@upsampled_length.alternative
def product(n_frames, rates):
    return n_frames * math.prod(rates)


@upsampled_length.alternative
def layer_by_layer(n_frames, rates):
    length = n_frames
    for rate in rates:
        length *= rate
    return length


@upsampled_length.alternative
def recursive(n_frames, rates):
    return recursive(n_frames * rates[0], rates[1:]) if len(rates) else n_frames
