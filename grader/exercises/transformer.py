"""Unit 06: positions, layer norm, feed-forward, encoder and decoder block, Whisper's stem and its parameters."""

import math

import torch
from torch.nn import functional as F  # noqa: N812  (its name everywhere)

from grader.draw import Draw
from grader.exercise import Tolerance, Wrong, arguments, exercise

UNIT = "06_transformer"

# In float32 the angle of position 1 500 is a few 1e-4 off, whichever way it is computed.
POSITIONS = Tolerance(atol=5e-4)


# ------------------------------------------------------------------------------------------- positional_encoding


@exercise(unit=UNIT, tolerance=POSITIONS)
def positional_encoding(length, channels):
    # A point that turns on the unit circle has sine and cosine as its coordinates; float64 throughout.
    speeds = 10_000.0 ** (-2 * torch.arange(channels // 2, dtype=torch.float64) / channels)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), speeds)
    turning = torch.polar(torch.ones_like(angles), math.pi / 2 - angles)
    return torch.view_as_real(turning).flatten(1).float()


@positional_encoding.case
def a_few_positions(draw: Draw):
    """A few positions."""
    return 5, 6


@positional_encoding.hidden_case
def more_positions(draw: Draw):
    """More positions and channels."""
    return draw.integer(7, 20), 2 * draw.integer(4, 12)


@positional_encoding.hidden_case
def as_many_positions_as_channels(draw: Draw):
    """As many positions as channels."""
    return 8, 8


@positional_encoding.case(group="edge")
def one_pair_of_channels(draw: Draw):
    """Only two channels."""
    return draw.integer(4, 9), 2


@positional_encoding.hidden_case(group="edge")
def first_position_only(draw: Draw):
    """Only the first position."""
    return 1, 2 * draw.integer(2, 6)


@positional_encoding.hidden_case(group="edge")
def a_long_recording(draw: Draw):
    """Two thousand positions."""
    return 2_000 + draw.integer(0, 50), 8


def _near(got, expected):
    if not torch.allclose(got, expected, atol=1e-5):
        raise Wrong("even the first ten positions are not right to five decimals")


@positional_encoding.hidden_property_case
def to_five_decimals(draw: Draw):
    """The first positions, to five decimals."""
    got = yield 10, 12
    _near(got.value, positional_encoding.oracle(10, 12))


def _angles(length, channels, exponent, first=0):
    """Angles `(length, channels / 2)` where pair i turns at 10 000^(−exponent(i)) radians a position."""
    speeds = 10_000.0 ** -exponent(torch.arange(channels // 2, dtype=torch.float64))
    return torch.outer(torch.arange(first, first + length, dtype=torch.float64), speeds)


def _interleave(one, other):
    """Columns of one and other in turn, float32."""
    return torch.stack([one, other], dim=-1).flatten(1).float()


@positional_encoding.misconception(
    "All sines come first, then all cosines: here they alternate.",
    hint="Channel 0 is a sine and channel 1 the cosine of the same angle. `pe[:, 0::2]` is every second channel.",
)
def sines_then_cosines(length, channels):
    angles = _angles(length, channels, lambda i: 2 * i / channels)
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


@positional_encoding.misconception(
    "The cosines come first: even channels are sines.",
    hint="At position 0 every sine is 0 and every cosine 1. Which of them should stand in channel 0?",
)
def cosines_first(length, channels):
    angles = _angles(length, channels, lambda i: 2 * i / channels)
    return _interleave(angles.cos(), angles.sin())


@positional_encoding.misconception(
    "The exponent is i/C where it should be 2i/C: every pair turns too fast.",
    hint="i counts pairs and goes up to C/2 − 1. How near to 1 should the largest exponent come?",
)
def half_the_exponent(length, channels):
    angles = _angles(length, channels, lambda i: i / channels)
    return _interleave(angles.sin(), angles.cos())


@positional_encoding.misconception(
    "Every channel has a speed of its own: a sine and its cosine must share one angle.",
    hint="Channels 2i and 2i + 1 have the same exponent. `channel // 2` is the pair.",
)
def every_channel_its_own_speed(length, channels):
    speeds = 10_000.0 ** (-torch.arange(channels, dtype=torch.float64) / channels)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), speeds)
    even = torch.arange(channels) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).float()


@positional_encoding.misconception(
    "The exponent is i/(C/2 − 1), as in Whisper. The paper's is i/(C/2).",
    hint="The paper's slowest pair does not quite reach 1/10 000. By how many pairs do you divide?",
)
def whisper_exponent(length, channels):
    angles = _angles(length, channels, lambda i: i / max(channels / 2 - 1, 1))
    return _interleave(angles.sin(), angles.cos())


@positional_encoding.misconception(
    "Positions are counted from 1.",
    hint="What should the row of the very first position be? sin 0 and cos 0 are easy.",
)
def positions_from_one(length, channels):
    angles = _angles(length, channels, lambda i: 2 * i / channels, first=1)
    return _interleave(angles.sin(), angles.cos())


@positional_encoding.misconception(
    "The position is multiplied by 10 000^(2i/C) where it should be divided.",
    hint="The last pairs are meant to turn slowly: one round in tens of thousands of positions.",
)
def faster_and_faster(length, channels):
    angles = _angles(length, channels, lambda i: -2 * i / channels)
    return _interleave(angles.sin(), angles.cos())


@positional_encoding.misconception(
    "Positions run along the columns: the shape is (channels, length).",
    hint="Row p belongs to position p. In an outer product, which factor gives the rows?",
)
def positions_in_columns(length, channels):
    return positional_encoding.oracle(length, channels).T


@positional_encoding.misconception(
    "The angles count whole turns: a factor 2π too many.",
    hint="`torch.sin` takes radians, and the formula has no π in it.",
)
def whole_turns(length, channels):
    angles = 2 * math.pi * _angles(length, channels, lambda i: 2 * i / channels)
    return _interleave(angles.sin(), angles.cos())


@positional_encoding.alternative
def every_second_column(length, channels):
    angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(0, channels, 2) / channels)
    encoding = torch.zeros(length, channels)
    encoding[:, 0::2] = angles.sin()
    encoding[:, 1::2] = angles.cos()
    return encoding


@positional_encoding.alternative
def number_by_number(length, channels):
    return torch.tensor(
        [
            [
                (math.cos if channel % 2 else math.sin)(position / 10_000 ** (channel // 2 * 2 / channels))
                for channel in range(channels)
            ]
            for position in range(length)
        ]
    )


@positional_encoding.alternative
def cosine_as_shifted_sine(length, channels):
    pair = torch.arange(channels) // 2
    quarter = torch.arange(channels) % 2 * (math.pi / 2)
    speeds = torch.exp(-math.log(10_000) * 2 * pair / channels)
    return torch.sin(torch.arange(length).unsqueeze(1) * speeds + quarter)


# ----------------------------------------------------------------------------------------------------- sinusoids


@exercise(unit=UNIT, tolerance=POSITIONS)
def sinusoids(length, channels, max_timescale=10_000):
    import numpy as np

    # The time scales go from 1 to max_timescale in equal ratios, both ends included.
    timescales = np.geomspace(1.0, max_timescale, channels // 2)
    angles = np.arange(length)[:, None] / timescales
    return torch.from_numpy(np.hstack([np.sin(angles), np.cos(angles)])).float()


@sinusoids.case
def a_few_vectors(draw: Draw):
    """A few positions."""
    return 5, 6


@sinusoids.hidden_case
def more_vectors(draw: Draw):
    """More positions and channels."""
    return draw.integer(7, 20), 2 * draw.integer(4, 12)


@sinusoids.hidden_case
def whisper_tiny(draw: Draw):
    """All 1 500 positions of Whisper tiny, 384 channels."""
    return 1_500, 384


@sinusoids.case(group="edge")
def four_channels(draw: Draw):
    """Four channels: the fastest and the slowest speed, nothing between."""
    return draw.integer(5, 12), 4


@sinusoids.hidden_case(group="edge")
def the_first_vector_only(draw: Draw):
    """Only the first position."""
    return 1, 2 * draw.integer(3, 8)


@sinusoids.hidden_case(group="edge")
def more_positions_than_whisper_has(draw: Draw):
    """More positions than Whisper has."""
    return 1_600 + draw.integer(0, 100), 6


@sinusoids.hidden_property_case
def sinusoids_to_five_decimals(draw: Draw):
    """The first positions, to five decimals."""
    got = yield 10, 12
    _near(got.value, sinusoids.oracle(10, 12))


@sinusoids.case(group="max_timescale")
def another_timescale(draw: Draw):
    """Another slowest speed, max_timescale=100."""
    return arguments(draw.integer(6, 12), 8, max_timescale=100)


@sinusoids.case(group="max_timescale")
def a_short_timescale(draw: Draw):
    """The slowest speed nearly as fast as the fastest, max_timescale=2."""
    return arguments(draw.integer(6, 12), 6, max_timescale=2)


@sinusoids.hidden_case(group="max_timescale")
def a_shorter_timescale(draw: Draw):
    """A max_timescale a little above 1."""
    return arguments(draw.integer(6, 12), 4, max_timescale=1 + draw.integer(2, 7) / 8)


@sinusoids.hidden_case(group="max_timescale")
def timescale_by_position(draw: Draw):
    """max_timescale given by position, a number with a fraction."""
    return draw.integer(6, 12), 10, draw.integer(2, 9) + 0.5


def _whisper(length, channels, max_timescale=10_000, first=0, exponent=None):
    """Whisper's angles, with what a learner may change in them."""
    i = torch.arange(channels // 2, dtype=torch.float64)
    exponent = i / (channels // 2 - 1) if exponent is None else exponent(i)
    return torch.outer(torch.arange(first, first + length, dtype=torch.float64), float(max_timescale) ** -exponent)


@sinusoids.misconception(
    "Sines and cosines alternate as in the paper. Whisper puts all sines first, then all cosines.",
    hint="Two blocks of C/2 columns side by side: which function joins tensors along a dimension?",
)
def alternating(length, channels, max_timescale=10_000):
    angles = _whisper(length, channels, max_timescale)
    return _interleave(angles.sin(), angles.cos())


@sinusoids.misconception(
    "The exponent is i/(C/2), as in the paper. Whisper divides by C/2 − 1, so that the last one is exactly 1.",
    hint="For four channels the speeds should be 1 and 1/10 000. What is your second one?",
)
def paper_exponent(length, channels, max_timescale=10_000):
    angles = _whisper(length, channels, max_timescale, exponent=lambda i: i / (channels // 2))
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


@sinusoids.misconception(
    "The speeds end half-way: the exponent is i/(C − 1) where it should be i/(C/2 − 1).",
    hint="There are C/2 speeds, not C, and the last should be 1/max_timescale.",
)
def divided_by_all_channels(length, channels, max_timescale=10_000):
    angles = _whisper(length, channels, max_timescale, exponent=lambda i: i / (channels - 1))
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


@sinusoids.misconception(
    "The cosines come before the sines.",
    hint="In the row of position 0, which half should be zeros?",
)
def cosines_before_sines(length, channels, max_timescale=10_000):
    angles = _whisper(length, channels, max_timescale)
    return torch.cat([angles.cos(), angles.sin()], dim=1).float()


@sinusoids.misconception(
    "`max_timescale` has no effect: 10 000 is written into the formula.",
    hint="Look for a number in your code that should be an argument.",
)
def fixed_timescale(length, channels, max_timescale=10_000):
    return sinusoids.oracle(length, channels)


@sinusoids.misconception(
    "Positions are counted from 1.",
    hint="What should the row of the very first position be? sin 0 and cos 0 are easy.",
)
def counted_from_one(length, channels, max_timescale=10_000):
    angles = _whisper(length, channels, max_timescale, first=1)
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


@sinusoids.misconception(
    "The speeds grow where they should shrink: the sign of the exponent.",
    hint="The slowest pair takes 2π·10 000 positions for one turn: multiply by a small number.",
)
def growing_speeds(length, channels, max_timescale=10_000):
    angles = _whisper(length, channels, max_timescale, exponent=lambda i: -i / (channels // 2 - 1))
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


@sinusoids.misconception(
    "The speeds are evenly spaced. They should have equal ratios: each the same fraction of the one before.",
    hint="Evenly spaced are the exponents, not the speeds.",
)
def evenly_spaced_speeds(length, channels, max_timescale=10_000):
    speeds = torch.linspace(1.0, 1.0 / max_timescale, channels // 2)
    angles = torch.outer(torch.arange(length), speeds)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


@sinusoids.misconception(
    "Positions run along the columns: the shape is (channels, length).",
    hint="Row p belongs to position p. In an outer product, which factor gives the rows?",
)
def channels_in_rows(length, channels, max_timescale=10_000):
    return sinusoids.oracle(length, channels, max_timescale).T


@sinusoids.alternative
def as_openai_writes_it(length, channels, max_timescale=10_000):
    step = math.log(max_timescale) / (channels // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(channels // 2))
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


@sinusoids.alternative
def speed_after_speed(length, channels, max_timescale=10_000):
    half = channels // 2
    positions = torch.arange(length).float()
    table = torch.empty(length, channels)
    for i in range(half):
        table[:, i] = torch.sin(positions / max_timescale ** (i / (half - 1)))
        table[:, half + i] = torch.cos(positions / max_timescale ** (i / (half - 1)))
    return table


@sinusoids.alternative
def in_decades(length, channels, max_timescale=10_000):
    speeds = torch.logspace(0, -math.log10(max_timescale), channels // 2)
    angles = torch.einsum("p,i->pi", torch.arange(length).float(), speeds)
    return torch.hstack([angles.sin(), angles.cos()])


# ---------------------------------------------------------------------------------------------------- layer_norm


@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=3e-4))
def layer_norm(x, weight, bias, eps=1e-5):
    # In float64: far from zero, the library's float32 is itself 2e-4 off.
    return F.layer_norm(x.double(), x.shape[-1:], weight.double(), bias.double(), eps).to(x.dtype)


def _affine(draw: Draw, dim: int):
    """A weight near 1 and a bias, as after some training."""
    return 1 + draw.normal(dim, scale=0.4), draw.normal(dim, scale=0.5)


@layer_norm.case
def frames_of_two_clips(draw: Draw):
    """Two clips of five frames."""
    return 2 + draw.normal(2, 5, 4, scale=1.5), *_affine(draw, 4)


@layer_norm.hidden_case
def frames_of_one_clip(draw: Draw):
    """One clip without a batch dimension."""
    return draw.normal(7, 6) - 1, *_affine(draw, 6)


@layer_norm.hidden_case
def as_many_frames_as_dimensions(draw: Draw):
    """As many clips as frames, and as many frames as dimensions."""
    return draw.normal(4, 4, 4, scale=2.0), *_affine(draw, 4)


@layer_norm.case(group="edge")
def one_vector(draw: Draw):
    """A single vector."""
    return draw.normal(5, scale=3.0), *_affine(draw, 5)


@layer_norm.case(group="edge")
def a_constant_frame(draw: Draw):
    """A frame whose numbers are all the same."""
    x = draw.normal(4, 8)
    x[draw.integer(0, 4)] = float(draw.integer(1, 6))
    return x, *_affine(draw, 8)


@layer_norm.case(group="edge")
def normalised_heads(draw: Draw):
    """Four dimensions: clips, heads, frames, numbers."""
    return draw.normal(2, 3, 4, 6), *_affine(draw, 6)


@layer_norm.case(group="edge")
def in_double_precision(draw: Draw):
    """Numbers in float64, so far from zero that float32 could not hold them."""
    x = draw.integers(-6, 7, 2, 5, 4) + 10**9 * draw.integers(1, 4, 2, 5, 1)
    return tuple(tensor.double() for tensor in (x, *_affine(draw, 4)))


@layer_norm.case(group="eps")
def quiet_frames(draw: Draw):
    """Frames so quiet that eps counts."""
    return draw.normal(3, 6, scale=3e-3), *_affine(draw, 6)


@layer_norm.case(group="eps")
def eps_by_keyword(draw: Draw):
    """Another eps, by keyword."""
    return arguments(draw.normal(2, 5, 4), *_affine(draw, 4), eps=draw.integer(1, 9) / 10)


@layer_norm.case(group="large values")
def far_from_zero(draw: Draw):
    """Frames whose numbers lie far from zero and close together."""
    # Whole numbers, eight a frame: their mean is exact in float32, the mean of their squares is not.
    x = draw.integers(-6, 7, 3, 8) + 100 * draw.integers(18, 23, 3, 1)
    return x.float(), *_affine(draw, 8)


@layer_norm.hidden_case(group="large values")
def far_below_zero(draw: Draw):
    """Frames far below zero, sixteen numbers each."""
    x = draw.integers(-9, 10, 2, 4, 16) - 100 * draw.integers(18, 23, 2, 4, 1)
    return x.float(), *_affine(draw, 16)


@layer_norm.hidden_case(gradient=False)
def all_frames_of_whisper_tiny(draw: Draw):
    """As many frames and numbers as Whisper tiny has."""
    return draw.normal(1, 1_500, 384, scale=2.0) + 1, *_affine(draw, 384)


def _standardise(x, dims=-1, correction=0, eps=1e-5):
    mean = x.mean(dims, keepdim=True)
    return (x - mean) / (x.var(dims, correction=correction, keepdim=True) + eps).sqrt()


@layer_norm.misconception(
    "The variance is divided by D − 1 where it should be D.",
    hint="`torch.var` estimates, and divides by n − 1 unless it is told not to. Which argument tells it?",
)
def sample_variance(x, weight, bias, eps=1e-5):
    return _standardise(x, correction=1, eps=eps) * weight + bias


@layer_norm.misconception(
    "eps is added to the standard deviation: it belongs under the root, to the variance.",
    hint="√(σ² + eps), not √σ² + eps. For quiet frames that is a large difference.",
)
def eps_outside_the_root(x, weight, bias, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True).sqrt() + eps) * weight + bias


@layer_norm.misconception(
    "It normalises along time: each dimension over all frames.",
    hint="Every frame is normalised by itself, over the numbers of its own vector. Which dimension is that?",
)
def normalised_along_time(x, weight, bias, eps=1e-5):
    return _standardise(x, dims=-2, eps=eps) * weight + bias


@layer_norm.misconception(
    "All frames of a clip share one mean and one variance.",
    hint="How many means are there for a tensor of shape (B, T, D)? One for each frame: B·T.",
)
def one_mean_for_a_clip(x, weight, bias, eps=1e-5):
    return _standardise(x, dims=(-2, -1), eps=eps) * weight + bias


@layer_norm.misconception(
    "All frames of all clips are normalised together, dimension by dimension: that is batch norm.",
    hint="A clip's result must not depend on which other clips are in the batch.",
)
def batch_norm(x, weight, bias, eps=1e-5):
    return _standardise(x, dims=tuple(range(x.ndim - 1)), eps=eps) * weight + bias


@layer_norm.misconception(
    "The mean is not subtracted: that is RMS norm.",
    hint="What is the mean of your result before weight and bias? It should be zero.",
)
def mean_not_subtracted(x, weight, bias, eps=1e-5):
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight + bias


@layer_norm.misconception(
    "It divides by the variance: the root is missing.",
    hint="A vector twice as long should give the same result. Does yours?",
)
def divided_by_variance(x, weight, bias, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps) * weight + bias


@layer_norm.misconception(
    "Weight and bias are not applied.",
    hint="Two arguments are not used yet. First times the one, then plus the other.",
)
def without_weight_and_bias(x, weight, bias, eps=1e-5):
    return _standardise(x, eps=eps)


@layer_norm.misconception(
    "The bias is added before the multiplication with the weight.",
    hint="As everywhere: times the weight first, then plus the bias.",
)
def bias_before_weight(x, weight, bias, eps=1e-5):
    return (_standardise(x, eps=eps) + bias) * weight


@layer_norm.misconception(
    "`eps` has no effect: 1e-5 is written into the formula.",
    hint="Look for a number in your code that should be an argument.",
)
def fixed_eps(x, weight, bias, eps=1e-5):
    return layer_norm.oracle(x, weight, bias)


@layer_norm.misconception(
    "eps is missing: a constant frame has variance 0, and 0/0 is not a number.",
    hint="What do you divide by when all numbers of a frame are the same?",
)
def without_eps(x, weight, bias, eps=1e-5):
    return _standardise(x, eps=0.0) * weight + bias


@layer_norm.misconception(
    "The variance is the mean of the squares minus the squared mean: far from zero, float32 cannot tell them apart.",
    hint="Two numbers near 4 000 000 are subtracted to find one near 14. Subtract the mean first, square afterwards.",
)
def difference_of_squares(x, weight, bias, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    variance = x.square().mean(-1, keepdim=True) - mean.square()
    return (x - mean) / (variance + eps).sqrt() * weight + bias


@layer_norm.misconception(
    "Mean and variance are taken as constants: the value is right, but the gradient ignores that they follow x.",
    hint="Is there a `detach` or `no_grad` around the mean or the variance?",
)
def constant_statistics(x, weight, bias, eps=1e-5):
    mean = x.mean(-1, keepdim=True).detach()
    variance = x.var(-1, correction=0, keepdim=True).detach()
    return (x - mean) / (variance + eps).sqrt() * weight + bias


@layer_norm.alternative
def the_library_itself(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


@layer_norm.alternative
def centred_and_scaled(x, weight, bias, eps=1e-5):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred * torch.rsqrt(centred.pow(2).mean(dim=-1, keepdim=True) + eps) * weight + bias


@layer_norm.alternative
def torch_counts_from_zero(x, weight, bias, eps=1e-5):
    variance, mean = torch.var_mean(x, dim=-1, unbiased=False, keepdim=True)
    return torch.addcmul(bias, (x - mean) / torch.sqrt(variance + eps), weight)


@layer_norm.alternative
def frame_by_frame(x, weight, bias, eps=1e-5):
    normed = []
    for frame in x.reshape(-1, x.shape[-1]):
        centred = frame - frame.sum() / len(frame)
        normed.append(centred / ((centred @ centred) / len(frame) + eps) ** 0.5)
    return torch.stack(normed).reshape(x.shape) * weight + bias


# -------------------------------------------------------------------------------------------------- feed_forward


@exercise(unit=UNIT, differentiable=True)
def feed_forward(x, w1, b1, w2, b2):
    return F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2)


def _two_layers(draw: Draw, dim: int, hidden: int, scale: float = 0.6):
    first = draw.normal(hidden, dim, scale=scale), draw.normal(hidden, scale=0.5)
    return *first, draw.normal(dim, hidden, scale=scale), draw.normal(dim, scale=0.5)


@feed_forward.case
def frames_of_a_batch(draw: Draw):
    """Two clips of five frames, four times as wide inside."""
    return draw.normal(2, 5, 3), *_two_layers(draw, 3, 12)


@feed_forward.hidden_case
def frames_of_a_clip(draw: Draw):
    """One clip without a batch dimension."""
    return draw.normal(6, 4), *_two_layers(draw, 4, 7)


@feed_forward.case
def as_wide_inside(draw: Draw):
    """As wide inside as outside."""
    return draw.normal(2, 3, 5), *_two_layers(draw, 5, 5)


@feed_forward.case(group="edge")
def a_single_vector(draw: Draw):
    """A single vector."""
    return draw.normal(4), *_two_layers(draw, 4, 6)


@feed_forward.hidden_case(gradient=False)
def as_wide_as_in_whisper_tiny(draw: Draw):
    """As wide as in Whisper tiny: 384, inside 1 536."""
    return draw.normal(1, 30, 384), *_two_layers(draw, 384, 1_536, scale=0.03)


@feed_forward.hidden_case(group="edge")
def narrower_inside(draw: Draw):
    """Narrower inside than outside."""
    return draw.normal(2, 4, 6), *_two_layers(draw, 6, 2)


@feed_forward.hidden_case(group="edge")
def large_inputs(draw: Draw):
    """Large inputs, far on both sides of zero."""
    return draw.normal(3, 4, scale=20.0), *_two_layers(draw, 4, 8)


@feed_forward.case(group="edge")
def double_precision_layers(draw: Draw):
    """Numbers in float64."""
    return tuple(tensor.double() for tensor in (draw.normal(2, 3, 4), *_two_layers(draw, 4, 6)))


@feed_forward.misconception(
    "ReLU is used where GELU is asked for.",
    hint="GELU lets a little of the negative numbers through. `torch.nn.functional` has it.",
)
def relu_inside(x, w1, b1, w2, b2):
    return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)


@feed_forward.misconception(
    "GELU is approximated by tanh. Here it is the exact one, with erf.",
    hint="`F.gelu` has an argument `approximate`. What is its default?",
)
def tanh_inside(x, w1, b1, w2, b2):
    return F.linear(F.gelu(F.linear(x, w1, b1), approximate="tanh"), w2, b2)


@feed_forward.misconception(
    "GELU is approximated by x·σ(1.702x). Here it is the exact one, with erf.",
    hint="The exact form is x·Φ(x), with the normal distribution's Φ. `F.gelu` computes it.",
)
def sigmoid_inside(x, w1, b1, w2, b2):
    hidden = F.linear(x, w1, b1)
    return F.linear(hidden * torch.sigmoid(1.702 * hidden), w2, b2)


@feed_forward.misconception(
    "SiLU, x·σ(x), is used where GELU is asked for.",
    hint="The two curves look alike and are not the same. `torch.nn.functional` has both.",
)
def silu_inside(x, w1, b1, w2, b2):
    return F.linear(F.silu(F.linear(x, w1, b1)), w2, b2)


@feed_forward.misconception(
    "There is no activation: two linear layers in a row are one linear layer.",
    hint="What stands between the two linear layers in the formula?",
)
def nothing_between(x, w1, b1, w2, b2):
    return F.linear(F.linear(x, w1, b1), w2, b2)


@feed_forward.misconception(
    "GELU is applied after the second layer too.",
    hint="The result is added to x later. It must be able to go down as well as up.",
)
def gelu_after_both(x, w1, b1, w2, b2):
    return F.gelu(F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2))


@feed_forward.misconception(
    "GELU comes at the end where it should stand between the two layers.",
    hint="linear → GELU → linear.",
)
def gelu_at_the_end(x, w1, b1, w2, b2):
    return F.gelu(F.linear(F.linear(x, w1, b1), w2, b2))


@feed_forward.misconception(
    "The weights are used without being transposed: they have the form (out, in), as in nn.Linear.",
    hint="nn.Linear computes `x @ w.T + b`.",
)
def weights_not_transposed(x, w1, b1, w2, b2):
    return F.gelu(x @ w1 + b1) @ w2 + b2


@feed_forward.misconception(
    "x is already added to the result. The residual belongs to the block, not to this function.",
    hint="linear → GELU → linear, and nothing else.",
)
def residual_inside(x, w1, b1, w2, b2):
    return x + feed_forward.oracle(x, w1, b1, w2, b2)


@feed_forward.misconception(
    "The first bias is added after GELU.",
    hint="A linear layer is `x @ w.T + b`, bias included. Only then comes the activation.",
)
def bias_after_gelu(x, w1, b1, w2, b2):
    return F.linear(F.gelu(F.linear(x, w1)) + b1, w2, b2)


@feed_forward.misconception(
    "The biases are missing.",
    hint="Two arguments are not used yet.",
)
def no_biases(x, w1, b1, w2, b2):
    return F.linear(F.gelu(F.linear(x, w1)), w2)


@feed_forward.alternative
def with_the_error_function(x, w1, b1, w2, b2):
    hidden = x @ w1.T + b1
    return (hidden * (1 + torch.erf(hidden / 2**0.5)) / 2) @ w2.T + b2


@feed_forward.alternative
def by_einsum(x, w1, b1, w2, b2):
    hidden = torch.nn.GELU()(torch.einsum("...d,hd->...h", x, w1) + b1)
    return torch.einsum("...h,dh->...d", hidden, w2) + b2


@feed_forward.alternative
def neuron_by_neuron(x, w1, b1, w2, b2):
    output = b2
    for row, offset, column in zip(w1, b1, w2.T, strict=True):
        output = output + F.gelu((x * row).sum(-1, keepdim=True) + offset) * column
    return output


# ---------------------------------------------------------------------------------------- what both blocks need


def _parameters(draw: Draw, dim: int, hidden: int, kind: type, scale: float = 0.4) -> dict[str, torch.Tensor]:
    """Random parameters under the names, and in the order, of a layer's `state_dict()`."""
    shapes = {name: tuple(tensor.shape) for name, tensor in _layer(kind, dim, 1, hidden).state_dict().items()}
    near_one = [name for name in shapes if name.startswith("norm") and name.endswith("weight")]
    return {name: draw.normal(*shape, scale=scale) + (name in near_one) for name, shape in shapes.items()}


def _layer(kind: type, dim: int, n_heads: int, hidden: int, dtype: torch.dtype | None = None) -> torch.nn.Module:
    """The library's layer with shapes but no numbers: its parameters are on the meta device."""
    options = {"dropout": 0.0, "activation": "gelu", "norm_first": True, "batch_first": True}
    return kind(dim, n_heads, hidden, device="meta", dtype=dtype, **options)


def _library(kind: type, inputs: tuple, params: dict, n_heads: int, **masks: torch.Tensor | None) -> torch.Tensor:
    """The answer of the library's layer with these parameters."""
    hidden, dim = params["linear1.weight"].shape
    layer = _layer(kind, dim, n_heads, hidden, dtype=inputs[0].dtype)
    return torch.func.functional_call(layer, params, inputs, masks)


def _norm(x, params, name, correction=0):
    return _standardise(x, correction=correction) * params[f"{name}.weight"] + params[f"{name}.bias"]


def _ffn(x, params, activation=F.gelu):
    hidden = activation(F.linear(x, params["linear1.weight"], params["linear1.bias"]))
    return F.linear(hidden, params["linear2.weight"], params["linear2.bias"])


def _split(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def _attend(
    x,
    context,
    params,
    name,
    n_heads,
    mask=None,
    *,
    values=None,
    order="qkv",
    scale=None,
    in_bias=True,
    out=True,
    heads=_split,
    over=-1,
):
    """Multi-head attention by hand, with what a learner may get wrong in it."""
    values = context if values is None else values
    weights = dict(zip(order, params[f"{name}.in_proj_weight"].chunk(3), strict=True))
    biases = dict(zip(order, params[f"{name}.in_proj_bias"].chunk(3), strict=True))
    q, k, v = (
        heads(F.linear(one, weights[letter], biases[letter] if in_bias else None), n_heads)
        for one, letter in ((x, "q"), (context, "k"), (values, "v"))
    )
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    joined = (scores.softmax(over) @ v).transpose(1, 2).flatten(2)
    if not out:
        return joined
    return F.linear(joined, params[f"{name}.out_proj.weight"], params[f"{name}.out_proj.bias"])


def _heads_by_view(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, n_heads, T, D // n_heads)


def _shuffled(draw: Draw, params: dict) -> dict:
    """The same entries in another order."""
    names = list(params)
    return {names[i]: params[names[i]] for i in draw.permutation(len(names)).tolist()}


# ------------------------------------------------------------------------------------------------- encoder_block

BLOCK = Tolerance(atol=5e-5)


@exercise(unit=UNIT, differentiable=True, tolerance=BLOCK)
def encoder_block(x, params, n_heads, mask=None):
    if mask is not None:
        B, T, _ = x.shape
        # The library's masks mark what may not be looked at, one for each clip and head.
        mask = ~mask.expand(B, n_heads, T, T).reshape(B * n_heads, T, T)
    return _library(torch.nn.TransformerEncoderLayer, (x,), params, n_heads, src_mask=mask)


def _encoder_inputs(draw: Draw, batch: int = 2, frames: int = 5, dim: int = 12, hidden: int = 20, scale: float = 0.4):
    params = _parameters(draw, dim, hidden, torch.nn.TransformerEncoderLayer, scale)
    return draw.normal(batch, frames, dim), params


def _seen(draw: Draw, *shape: int) -> torch.Tensor:
    """A random mask whose rows all see something, and not everything."""
    mask = draw.booleans(*shape)
    mask[..., 0] = True
    mask[..., 1] = False
    return mask[..., draw.permutation(shape[-1])]


@encoder_block.case
def a_batch_of_clips(draw: Draw):
    """Two clips, three heads."""
    return *_encoder_inputs(draw), 3


@encoder_block.hidden_case
def a_single_clip(draw: Draw):
    """One clip, two heads."""
    return *_encoder_inputs(draw, batch=1, frames=7, dim=8, hidden=10), 2


@encoder_block.hidden_case
def loud_frames(draw: Draw):
    """Frames that are far from normalised."""
    x, params = _encoder_inputs(draw, frames=4, dim=6, hidden=24)
    return x * 3 + draw.normal(2, 4, 1, scale=4.0), params, 3


@encoder_block.case(group="edge")
def a_single_head(draw: Draw):
    """A single head."""
    return *_encoder_inputs(draw, dim=6, hidden=9), 1


@encoder_block.case(group="edge")
def a_single_frame(draw: Draw):
    """A clip of one frame."""
    return *_encoder_inputs(draw, frames=1, dim=8, hidden=6), 2


@encoder_block.case(group="edge")
def names_in_another_order(draw: Draw):
    """The parameters come in another order, under the same names."""
    x, params = _encoder_inputs(draw, dim=8, hidden=8, frames=4)
    return x, _shuffled(draw, params), 4


@encoder_block.hidden_case(group="edge", gradient=False)  # its gradients are so large that rounding shows
def quiet_clip(draw: Draw):
    """Frames so quiet that eps counts."""
    x, params = _encoder_inputs(draw, dim=8, hidden=12)
    return x * 4e-3, params, 2


@encoder_block.case(group="edge")
def block_in_double_precision(draw: Draw):
    """Numbers in float64."""
    x, params = _encoder_inputs(draw, dim=8, hidden=12)
    return x.double(), {name: tensor.double() for name, tensor in params.items()}, 2


@encoder_block.case(group="masking")
def block_looking_left(draw: Draw):
    """Frames that look left only, mask (T, T)."""
    return arguments(*_encoder_inputs(draw), 3, mask=torch.ones(5, 5, dtype=torch.bool).tril())


@encoder_block.case(group="masking")
def block_with_padding(draw: Draw):
    """A padded batch, mask (B, 1, 1, T)."""
    mask = torch.arange(6) < torch.tensor(draw.sample(range(1, 6), 2))[:, None]
    return arguments(*_encoder_inputs(draw, frames=6), 3, mask=mask[:, None, None, :])


@encoder_block.case(group="masking")
def a_mask_for_every_head(draw: Draw):
    """A mask of its own for every head of every clip, (B, n_heads, T, T)."""
    return *_encoder_inputs(draw, dim=8, hidden=10), 2, _seen(draw, 2, 2, 5, 5)


@encoder_block.hidden_case(group="masking")
def masks_of_other_forms(draw: Draw):
    """A mask for every clip, or the same ones for all clips, or for all rows."""
    shape = draw.choice(((3, 1, 5, 5), (1, 4, 5, 5), (3, 4, 1, 5)))
    return arguments(*_encoder_inputs(draw, batch=3, dim=8, hidden=10), 4, mask=_seen(draw, *shape))


@encoder_block.hidden_case(group="masking")
def a_mask_without_a_batch(draw: Draw):
    """A mask for every head, (n_heads, T, T)."""
    return arguments(*_encoder_inputs(draw, batch=3, dim=8, hidden=10), 2, mask=_seen(draw, 2, 5, 5))


def _encoder(x, params, n_heads, mask=None, *, norms=("norm1", "norm2"), activation=F.gelu, correction=0, **attention):
    """The block by hand, with what a learner may get wrong in it."""
    h = _norm(x, params, norms[0], correction)
    x = x + _attend(h, h, params, "self_attn", n_heads, mask, **attention)
    return x + _ffn(_norm(x, params, norms[1], correction), params, activation)


@encoder_block.misconception(
    "The norms come after the additions (post-norm, as in 2017). Here each norm comes before its part (pre-norm).",
    hint="x + MHA(LN(x)): what goes into the attention is normalised, what is added to it is not.",
)
def post_norm(x, params, n_heads, mask=None):
    x = _norm(x + _attend(x, x, params, "self_attn", n_heads, mask), params, "norm1")
    return _norm(x + _ffn(x, params), params, "norm2")


@encoder_block.misconception(
    "Nothing is added back: both residual connections are missing.",
    hint="The formula is x + MHA(…), then x + FFN(…). Where is your x +?",
)
def no_residuals(x, params, n_heads, mask=None):
    h = _norm(x, params, "norm1")
    return _ffn(_norm(_attend(h, h, params, "self_attn", n_heads, mask), params, "norm2"), params)


@encoder_block.misconception(
    "The residual connection around the attention is missing.",
    hint="There are two additions. Which one have you written?",
)
def no_first_residual(x, params, n_heads, mask=None):
    h = _norm(x, params, "norm1")
    x = _attend(h, h, params, "self_attn", n_heads, mask)
    return x + _ffn(_norm(x, params, "norm2"), params)


@encoder_block.misconception(
    "The residual connection around the feed-forward part is missing.",
    hint="There are two additions. Which one have you written?",
)
def no_second_residual(x, params, n_heads, mask=None):
    h = _norm(x, params, "norm1")
    x = x + _attend(h, h, params, "self_attn", n_heads, mask)
    return _ffn(_norm(x, params, "norm2"), params)


@encoder_block.misconception(
    "norm1 is used twice: each part has a norm of its own.",
    hint="Which entries of `params` have you not used?",
)
def one_shared_norm(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, norms=("norm1", "norm1"))


@encoder_block.misconception(
    "norm2 is used twice: each part has a norm of its own.",
    hint="Which entries of `params` have you not used?",
)
def norm2_twice(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, norms=("norm2", "norm2"))


@encoder_block.misconception(
    "norm1 and norm2 are exchanged.",
    hint="norm1 belongs to the first part, the attention.",
)
def norms_exchanged(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, norms=("norm2", "norm1"))


@encoder_block.misconception(
    "The normalised x is added back. What is carried on is x itself.",
    hint="`x = norm(x)` overwrites what you still need for the addition. Give the normalised one another name.",
)
def normalised_residual(x, params, n_heads, mask=None):
    h = _norm(x, params, "norm1")
    x = h + _attend(h, h, params, "self_attn", n_heads, mask)
    h = _norm(x, params, "norm2")
    return h + _ffn(h, params)


@encoder_block.misconception(
    "Only the queries are normalised: keys and values come from x itself.",
    hint="Self-attention: queries, keys and values all come from the same normalised frames.",
)
def keys_not_normalised(x, params, n_heads, mask=None):
    x = x + _attend(_norm(x, params, "norm1"), x, params, "self_attn", n_heads, mask)
    return x + _ffn(_norm(x, params, "norm2"), params)


@encoder_block.misconception(
    "Both parts start from the same x: the feed-forward part must work on what the attention has left.",
    hint="One after the other: the second line uses the x that the first line made.",
)
def side_by_side(x, params, n_heads, mask=None):
    h = _norm(x, params, "norm1")
    return x + _attend(h, h, params, "self_attn", n_heads, mask) + _ffn(_norm(x, params, "norm2"), params)


@encoder_block.misconception(
    "The feed-forward part comes before the attention.",
    hint="First frames look at each other, then each thinks for itself.",
)
def feed_forward_first(x, params, n_heads, mask=None):
    x = x + _ffn(_norm(x, params, "norm2"), params)
    h = _norm(x, params, "norm1")
    return x + _attend(h, h, params, "self_attn", n_heads, mask)


@encoder_block.misconception(
    "The feed-forward part gets the frames as they were normalised for the attention: they have not looked around yet.",
    hint="After the first addition x is another. What must be normalised for the second part?",
)
def frames_normalised_too_early(x, params, n_heads, mask=None):
    h = _norm(x, params, "norm1")
    return x + _attend(h, h, params, "self_attn", n_heads, mask) + _ffn(h, params)


@encoder_block.misconception(
    "There is one more norm at the end. In a model it stands once, after the last block, and not in the block.",
    hint="The last thing that a block does is an addition.",
)
def norm_at_the_end(x, params, n_heads, mask=None):
    return _norm(_encoder(x, params, n_heads, mask), params, "norm2")


@encoder_block.misconception(
    "Nothing is normalised.",
    hint="Four entries of `params` begin with norm. Where do you use them?",
)
def without_norms(x, params, n_heads, mask=None):
    x = x + _attend(x, x, params, "self_attn", n_heads, mask)
    return x + _ffn(x, params)


@encoder_block.misconception(
    "The feed-forward part uses ReLU (PyTorch's default). Here it is GELU.",
    hint="Use your own feed_forward.",
)
def relu_block(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, activation=F.relu)


@encoder_block.misconception(
    "GELU is approximated by tanh. Here it is the exact one, with erf.",
    hint="Use your own feed_forward, or `F.gelu` without `approximate`.",
)
def tanh_block(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, activation=lambda one: F.gelu(one, approximate="tanh"))


@encoder_block.misconception(
    "The norms divide the variance by D − 1 where it should be D.",
    hint="Use your own layer_norm once it passes, or `F.layer_norm`.",
)
def sample_variance_in_norms(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, correction=1)


@encoder_block.misconception(
    "`in_proj_weight` is cut up in the wrong order: it holds Wq, then Wk, then Wv.",
    hint="`chunk(3)` gives three matrices. Whose is the first?",
)
def keys_before_queries(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, order="vkq")


@encoder_block.misconception(
    "The biases of queries, keys and values are left out.",
    hint="Which entries of `params` have you not used?",
)
def no_projection_biases(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, in_bias=False)


@encoder_block.misconception(
    "The output projection is missing: the heads stand side by side, but nothing mixes them.",
    hint="Which entries of `params` have you not used?",
)
def heads_not_mixed(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, out=False)


@encoder_block.misconception(
    "The scores are divided by √D, but each head compares vectors of D/H numbers.",
    hint="What is the size of the vectors whose dot product a head takes?",
)
def scaled_by_the_model(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, scale=x.shape[-1] ** -0.5)


@encoder_block.misconception(
    "There is only one large head.",
    hint="Where do you use n_heads?",
)
def heads_ignored(x, params, n_heads, mask=None):
    # With one mask for each head, the last head's is taken.
    mask = mask[..., -1:, :, :] if mask is not None and mask.ndim > 2 else mask
    return _encoder(x, params, 1, mask)


@encoder_block.misconception(
    "The heads are split with `view` alone, which mixes time and heads.",
    hint="(B, T, H, d) first, then exchange T and H.",
)
def heads_viewed(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask, heads=_heads_by_view)


@encoder_block.misconception(
    "The mask is used the wrong way round: True means that a frame may be looked at.",
    hint="`nn.MultiheadAttention` blocks where its mask is True, `F.scaled_dot_product_attention` allows there.",
)
def mask_the_wrong_way_round(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, None if mask is None else ~mask)


@encoder_block.misconception(
    "The mask has no effect.",
    hint="Is the mask handed on to the attention?",
)
def mask_without_effect(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads)


@encoder_block.misconception(
    "Frames look only left. An encoder's frames look both ways unless a mask says otherwise.",
    hint="A causal mask belongs into the decoder.",
)
def always_looking_left(x, params, n_heads, mask=None):
    left = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    return _encoder(x, params, n_heads, left if mask is None else left & mask)


@encoder_block.misconception(
    "The parameters are taken in the order in which they come. A dict is read by name.",
    hint='`params["linear1.weight"]` is right whatever stands before it.',
)
def read_by_position(x, params, n_heads, mask=None):
    names = _layer(torch.nn.TransformerEncoderLayer, 2, 1, 2).state_dict()
    return _encoder(x, dict(zip(names, params.values(), strict=True)), n_heads, mask)


@encoder_block.alternative
def block_by_hand(x, params, n_heads, mask=None):
    return _encoder(x, params, n_heads, mask)


@encoder_block.alternative
def block_from_library_functions(x, params, n_heads, mask=None):
    def norm(one, name):
        return F.layer_norm(one, one.shape[-1:], params[name + ".weight"], params[name + ".bias"])

    projected = F.linear(norm(x, "norm1"), params["self_attn.in_proj_weight"], params["self_attn.in_proj_bias"])
    q, k, v = projected.unflatten(-1, (3, n_heads, -1)).permute(2, 0, 3, 1, 4)
    joined = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    x = x + F.linear(joined, params["self_attn.out_proj.weight"], params["self_attn.out_proj.bias"])
    first, second = ((params[f"linear{i}.weight"], params[f"linear{i}.bias"]) for i in (1, 2))
    return x + F.linear(F.gelu(F.linear(norm(x, "norm2"), *first)), *second)


@encoder_block.alternative
def block_head_by_head(x, params, n_heads, mask=None):
    B, T, D = x.shape
    d = D // n_heads
    h = _norm(x, params, "norm1")
    w_q, w_k, w_v = params["self_attn.in_proj_weight"].split(D)
    b_q, b_k, b_v = params["self_attn.in_proj_bias"].split(D)
    attended = params["self_attn.out_proj.bias"]
    for head in range(n_heads):
        own = slice(head * d, head * d + d)
        q, k, v = (h @ w[own].T + b[own] for w, b in ((w_q, b_q), (w_k, b_k), (w_v, b_v)))
        scores = torch.einsum("bid,bjd->bij", q, k) / d**0.5
        if mask is not None:
            scores = scores + torch.zeros(T, T).masked_fill(~mask.expand(B, n_heads, T, T)[:, head], -1e30)
        attended = attended + scores.softmax(-1) @ v @ params["self_attn.out_proj.weight"][:, own].T
    x = attended + x
    return _ffn(_norm(x, params, "norm2"), params) + x


# -------------------------------------------------------------------------------------------------- whisper_stem


@exercise(unit=UNIT, differentiable=True, tolerance=POSITIONS)
def whisper_stem(mel, w1, b1, w2, b2):
    x = F.gelu(F.conv1d(mel, w1, b1, padding=1))
    x = F.gelu(F.conv1d(x, w2, b2, stride=2, padding=1)).mT
    return x + sinusoids.oracle(*x.shape[1:]).to(x.dtype)


def _stem(draw: Draw, batch: int = 2, mels: int = 5, frames: int = 8, dim: int = 6):
    first = draw.normal(dim, mels, 3, scale=0.5), draw.normal(dim, scale=0.5)
    second = draw.normal(dim, dim, 3, scale=0.5), draw.normal(dim, scale=0.5)
    return draw.normal(batch, mels, frames), *first, *second


@whisper_stem.case
def two_mels(draw: Draw):
    """Two short spectrograms."""
    return _stem(draw)


@whisper_stem.hidden_case
def one_mel(draw: Draw):
    """One spectrogram with more bins."""
    return _stem(draw, batch=1, mels=10, frames=14, dim=8)


@whisper_stem.hidden_case
def as_many_bins_as_dimensions(draw: Draw):
    """As many mel bins as frames and dimensions."""
    return _stem(draw, batch=3, mels=8, frames=8, dim=8)


@whisper_stem.hidden_case(gradient=False)
def thirty_seconds_of_mel(draw: Draw):
    """Thirty seconds: 80 bins, 3 000 frames."""
    mel, w1, b1, w2, b2 = _stem(draw, batch=1, mels=80, frames=3_000, dim=16)
    return mel, w1 / 4, b1, w2 / 2, b2


@whisper_stem.case(group="edge")
def two_frames_of_mel(draw: Draw):
    """Two frames, which become one vector."""
    return _stem(draw, frames=2)


@whisper_stem.case(group="edge", gradient=False)
def more_than_thirty_seconds(draw: Draw):
    """More than thirty seconds."""
    return _stem(draw, batch=1, mels=3, frames=3_000 + 2 * draw.integer(20, 60), dim=4)


@whisper_stem.case(group="edge")
def half_an_odd_number(draw: Draw):
    """An odd number of vectors, four dimensions."""
    return _stem(draw, frames=2 * (2 * draw.integer(2, 6) + 1), dim=4)


@whisper_stem.case(group="edge")
def stem_in_double_precision(draw: Draw):
    """Numbers in float64."""
    return tuple(tensor.double() for tensor in _stem(draw, frames=6))


@whisper_stem.hidden_case(group="edge", gradient=False)
def as_wide_a_stem_as_whisper_tinys(draw: Draw):
    """80 bins and 384 dimensions, as in Whisper tiny."""
    mel, w1, b1, w2, b2 = _stem(draw, batch=1, mels=80, frames=2 * draw.integer(20, 30), dim=384)
    return mel, w1 / 8, b1, w2 / 16, b2


def _convolved(mel, w1, b1, w2, b2, *, strides=(1, 2), padding=1, first=F.gelu, second=F.gelu):
    """The stem without positions, with what a learner may get wrong in it."""
    x = first(F.conv1d(mel, w1, b1, stride=strides[0], padding=padding))
    return second(F.conv1d(x, w2, b2, stride=strides[1], padding=padding)).mT


def _placed(x, table=sinusoids.oracle):
    return x + table(*x.shape[1:]).to(x.dtype)


@whisper_stem.misconception(
    "The positions are not added.",
    hint="Compare the result for a mel of zeros at two different times. Should they be equal?",
)
def no_positions(mel, w1, b1, w2, b2):
    return _convolved(mel, w1, b1, w2, b2)


@whisper_stem.misconception(
    "The paper's interleaved positions are added. Whisper has its own: all sines, then all cosines.",
    hint="Which of your two functions is Whisper's?",
)
def interleaved_positions(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2), positional_encoding.oracle)


@whisper_stem.misconception(
    "The positions are numbered by mel frames: 0, 2, 4 … They count the vectors that leave the stem.",
    hint="How many positions does the stem's result have, T or T/2? They are 0, 1, 2 …",
)
def positions_of_mel_frames(mel, w1, b1, w2, b2):
    x = _convolved(mel, w1, b1, w2, b2)
    return x + sinusoids.oracle(2 * x.shape[1], x.shape[2])[::2].to(x.dtype)


@whisper_stem.misconception(
    "The positions are added before the last GELU.",
    hint="Convolution, GELU, convolution, GELU. The positions come when all that is done.",
)
def positions_before_gelu(mel, w1, b1, w2, b2):
    return F.gelu(_placed(_convolved(mel, w1, b1, w2, b2, second=lambda x: x)))


@whisper_stem.misconception(
    "GELU is missing after the second convolution.",
    hint="There is one after each.",
)
def one_gelu(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, second=lambda x: x))


@whisper_stem.misconception(
    "GELU is missing after the first convolution.",
    hint="There is one after each.",
)
def no_gelu_between(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, first=lambda x: x))


@whisper_stem.misconception(
    "ReLU is used where GELU is asked for.",
    hint="GELU lets a little of the negative numbers through. `torch.nn.functional` has it.",
)
def relu_stem(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, first=F.relu, second=F.relu))


@whisper_stem.misconception(
    "GELU is approximated by tanh. Here it is the exact one, with erf.",
    hint="`F.gelu` has an argument `approximate`. What is its default?",
)
def tanh_stem(mel, w1, b1, w2, b2):
    def gelu(one):
        return F.gelu(one, approximate="tanh")

    return _placed(_convolved(mel, w1, b1, w2, b2, first=gelu, second=gelu))


@whisper_stem.misconception(
    "There are always 1 500 positions: only a spectrogram of exactly 3 000 frames fits.",
    hint="How many vectors have left the stem? As many positions are needed.",
)
def always_1500(mel, w1, b1, w2, b2):
    x = _convolved(mel, w1, b1, w2, b2)
    return x + sinusoids.oracle(1_500, x.shape[2]).to(x.dtype)


@whisper_stem.misconception(
    "The vectors are multiplied by √D before the positions are added, as the paper of 2017 does. Whisper does not.",
    hint="Convolutions, GELU, plus positions, and nothing else.",
)
def multiplied_by_root_d(mel, w1, b1, w2, b2):
    x = _convolved(mel, w1, b1, w2, b2)
    return _placed(x * x.shape[-1] ** 0.5)


@whisper_stem.misconception(
    "The biases of the convolutions are missing.",
    hint="`F.conv1d` takes the bias as its third argument.",
)
def stem_without_biases(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, None, w2, None))


@whisper_stem.misconception(
    "The strides are exchanged: the first convolution keeps every frame, the second every other one.",
    hint="Where does the halving happen? Strides 1 and 2, in this order.",
)
def strides_exchanged(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, strides=(2, 1)))


@whisper_stem.misconception(
    "Both convolutions halve the number of frames.",
    hint="3 000 frames should give 1 500 vectors.",
)
def both_strides_two(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, strides=(2, 2)))


@whisper_stem.misconception(
    "No convolution halves the number of frames.",
    hint="3 000 frames should give 1 500 vectors. The second convolution has stride 2.",
)
def no_stride(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, strides=(1, 1)))


@whisper_stem.misconception(
    "The odd frames are kept. Stride 2 keeps the frames 0, 2, 4 …",
    hint="Where is the middle of the kernel when stride 2 takes its first step?",
)
def odd_frames_kept(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, strides=(1, 1))[:, 1::2])


@whisper_stem.misconception(
    "Without padding each convolution loses a frame at either end.",
    hint="A kernel of 3 needs one zero on each side to keep the number of frames.",
)
def without_padding(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2, padding=0))


@whisper_stem.misconception(
    "Time is still the last dimension: the shape is (B, D, T/2).",
    hint="A convolution wants (batch, channels, time), a Transformer (batch, time, dimensions).",
)
def time_still_last(mel, w1, b1, w2, b2):
    return whisper_stem.oracle(mel, w1, b1, w2, b2).mT


@whisper_stem.misconception(
    "Time and channels never change places, and the positions were made for what stands where they should stand.",
    hint="A convolution gives (batch, channels, time). Which sizes do you hand to `sinusoids`, and in which order?",
)
def never_exchanged(mel, w1, b1, w2, b2):
    return _placed(_convolved(mel, w1, b1, w2, b2).mT)


@whisper_stem.misconception(
    "The positions are added while time is still the last dimension.",
    hint="The positions have the shape (T/2, D). What shape must the vectors have by then?",
)
def positions_too_early(mel, w1, b1, w2, b2):
    x = _convolved(mel, w1, b1, w2, b2)
    return (x.mT + sinusoids.oracle(*x.shape[1:]).to(x.dtype)).mT


@whisper_stem.misconception(
    "The shape is made with `reshape`, which keeps the numbers in their old order: time and channels are mixed up.",
    hint="`reshape` cuts the row of numbers anew. Which function or attribute exchanges two dimensions?",
)
def reshaped(mel, w1, b1, w2, b2):
    x = _convolved(mel, w1, b1, w2, b2)
    return _placed(x.mT.reshape(x.shape))


@whisper_stem.misconception(
    "The positions replace the sound: they are to be added to the vectors.",
    hint="Two mels should give two results.",
)
def positions_only(mel, w1, b1, w2, b2):
    return _placed(0 * _convolved(mel, w1, b1, w2, b2))


@whisper_stem.alternative
def every_other_frame(mel, w1, b1, w2, b2):
    x = _convolved(mel, w1, b1, w2, b2, strides=(1, 1))[:, ::2]
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[1])[:, None] * torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
    return torch.cat([x[..., :half] + angles.sin(), x[..., half:] + angles.cos()], dim=-1)


@whisper_stem.alternative
def three_products(mel, w1, b1, w2, b2):
    def convolution(x, weight, bias, stride):
        padded = torch.cat([torch.zeros_like(x[:, :1]), x, torch.zeros_like(x[:, :1])], dim=1)
        T = x.shape[1]
        return sum(padded[:, k : T + k : stride] @ weight[:, :, k].T for k in range(3)) + bias

    x = torch.nn.GELU()(convolution(mel.transpose(1, 2), w1, b1, 1))
    x = torch.nn.GELU()(convolution(x, w2, b2, 2))
    return as_openai_writes_it(x.shape[1], x.shape[2]).to(x.dtype) + x


@whisper_stem.alternative
def unfolded(mel, w1, b1, w2, b2):
    for weight, bias, stride in ((w1, b1, 1), (w2, b2, 2)):
        windows = F.pad(mel, (1, 1)).unfold(2, 3, stride)
        mel = F.gelu(torch.einsum("bctk,dck->bdt", windows, weight) + bias[:, None])
    return mel.movedim(1, 2) + sinusoids.oracle(mel.shape[2], mel.shape[1])


# ------------------------------------------------------------------------------------------------- decoder_block


@exercise(unit=UNIT, differentiable=True, tolerance=BLOCK)
def decoder_block(y, memory, params, n_heads):
    blocked = torch.nn.Transformer.generate_square_subsequent_mask(y.shape[1]) != 0
    return _library(torch.nn.TransformerDecoderLayer, (y, memory), params, n_heads, tgt_mask=blocked)


def _decoder_inputs(
    draw: Draw, batch: int = 2, tokens: int = 4, frames: int = 7, dim: int = 12, hidden: int = 18, scale: float = 0.4
):
    params = _parameters(draw, dim, hidden, torch.nn.TransformerDecoderLayer, scale)
    return draw.normal(batch, tokens, dim), draw.normal(batch, frames, dim), params


@decoder_block.case
def tokens_and_frames(draw: Draw):
    """Four tokens, seven frames, three heads."""
    return *_decoder_inputs(draw), 3


@decoder_block.case
def more_tokens_than_frames(draw: Draw):
    """More tokens than frames, one clip."""
    return *_decoder_inputs(draw, batch=1, tokens=6, frames=3, dim=8, hidden=10), 2


@decoder_block.case
def as_many_tokens_as_frames(draw: Draw):
    """As many tokens as frames."""
    return *_decoder_inputs(draw, tokens=5, frames=5, dim=8, hidden=12), 4


@decoder_block.hidden_case
def memory_far_from_zero(draw: Draw):
    """A memory that is not normalised."""
    y, memory, params = _decoder_inputs(draw, dim=6, hidden=9)
    return y, 2 * memory + 1, params, 3


@decoder_block.case(group="edge")
def the_first_token(draw: Draw):
    """The first token, alone."""
    return *_decoder_inputs(draw, tokens=1, dim=8, hidden=10), 2


@decoder_block.case(group="edge")
def a_memory_of_one_frame(draw: Draw):
    """A memory of one frame."""
    return *_decoder_inputs(draw, frames=1, dim=6, hidden=10), 1


@decoder_block.case(group="edge")
def decoder_names_in_another_order(draw: Draw):
    """The parameters come in another order, under the same names."""
    y, memory, params = _decoder_inputs(draw, dim=8, hidden=8)
    return y, memory, _shuffled(draw, params), 2


@decoder_block.hidden_case(group="edge", gradient=False)  # its gradients are so large that rounding shows
def quiet_tokens(draw: Draw):
    """Tokens so quiet that eps counts."""
    y, memory, params = _decoder_inputs(draw, dim=8, hidden=10)
    return y * 4e-3, memory, params, 2


@decoder_block.case(group="edge")
def decoder_in_double_precision(draw: Draw):
    """Numbers in float64."""
    y, memory, params = _decoder_inputs(draw, dim=8, hidden=10)
    return y.double(), memory.double(), {name: tensor.double() for name, tensor in params.items()}, 2


@decoder_block.hidden_case(group="causality")
def many_tokens(draw: Draw):
    """A longer text, three clips."""
    return *_decoder_inputs(draw, batch=3, tokens=9, frames=4, dim=8, hidden=12), 2


@decoder_block.property_case(group="causality")
def later_tokens_change_nothing(draw: Draw):
    """Changing a token changes its own result and later ones, never an earlier one."""
    y, memory, params = _decoder_inputs(draw, tokens=6)
    place = draw.integer(2, 5)
    changed = y.clone()
    changed[:, place] += draw.normal(2, 12)
    before = (yield y, memory, params, 3).value
    after = (yield changed, memory, params, 3).value
    if not (before.isfinite().all() and after.isfinite().all()):
        raise Wrong("some numbers are NaN or infinite: is there a token that may look at nothing?")
    moved = (after - before).abs().amax(dim=(0, 2)) > 1e-4
    if moved[:place].any():
        raise Wrong(f"token {place} was changed, and the result of an earlier token changed with it")
    if not moved[place:].all():
        raise Wrong(f"token {place} was changed, and its own result or a later one stayed the same")
    expected = decoder_block.oracle(y, memory, params, 3)
    if before.shape != expected.shape or (before - expected).abs().max() > 1e-3:
        raise Wrong("no token sees a later one, but the numbers are not those of the block")


def _decoder(
    y,
    memory,
    params,
    n_heads,
    *,
    left=None,
    seen=None,
    norms=("norm1", "norm2", "norm3"),
    activation=F.gelu,
    cross="multihead_attn",
    **attention,
):
    """The block by hand, with what a learner may get wrong in it; `left` and `seen` are the two masks."""
    S = y.shape[1]
    left = torch.ones(S, S, dtype=torch.bool).tril() if left is None else left
    h = _norm(y, params, norms[0])
    y = y + _attend(h, h, params, "self_attn", n_heads, left, **attention)
    y = y + _attend(_norm(y, params, norms[1]), memory, params, cross, n_heads, seen, **attention)
    return y + _ffn(_norm(y, params, norms[2]), params, activation)


@decoder_block.misconception(
    "The self-attention is not causal: tokens see those that are still to be written.",
    hint="While it writes, the decoder knows only what it has written. Which mask says so?",
)
def sees_the_future(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, left=torch.ones(y.shape[1], y.shape[1], dtype=torch.bool))


@decoder_block.misconception(
    "The causal mask is the wrong way round: tokens see only themselves and later ones.",
    hint="`F.scaled_dot_product_attention` allows where its mask is True. Which triangle is True in yours?",
)
def sees_only_the_future(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, left=torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).triu())


@decoder_block.misconception(
    "The causal mask is True where looking is blocked, `triu(1)`: `attend` takes it the other way round.",
    hint="`nn.MultiheadAttention` blocks where its mask is True, `attend` allows there. What may the last token see?",
)
def sees_what_is_blocked(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, left=torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).triu(1))


@decoder_block.misconception(
    "A token may not see itself, and so the first sees nothing: its numbers are NaN.",
    hint="Row i of the mask allows the columns up to i, i included. What does `tril` without a number give?",
)
def does_not_see_itself(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, left=torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).tril(-1))


@decoder_block.misconception(
    "The cross-attention is causal too: token i sees only the first i frames. The whole sound is there from the start.",
    hint="The mask hides what is not written yet. Is any part of the memory not there yet?",
)
def causal_in_both(y, memory, params, n_heads):
    seen = torch.ones(y.shape[1], memory.shape[1], dtype=torch.bool).tril()
    return _decoder(y, memory, params, n_heads, seen=seen)


@decoder_block.misconception(
    "In the cross-attention the memory asks and the tokens answer: the roles are exchanged.",
    hint="The result has one vector for each token. Whose vectors are the queries?",
)
def memory_asks(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = y + _attend(memory, _norm(y, params, "norm2"), params, "multihead_attn", n_heads)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The memory is not looked at: keys and values of the second attention come from the tokens.",
    hint="Cross-attention: the queries come from the tokens, keys and values from the memory.",
)
def memory_not_looked_at(y, memory, params, n_heads):
    S = y.shape[1]
    left = torch.ones(S, S, dtype=torch.bool).tril()
    for norm, attention in (("norm1", "self_attn"), ("norm2", "multihead_attn")):
        h = _norm(y, params, norm)
        y = y + _attend(h, h, params, attention, n_heads, left)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The cross-attention is left out: nothing of the memory reaches the tokens.",
    hint="There are three parts: attention among the tokens, attention to the memory, feed-forward.",
)
def no_cross_attention(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The cross-attention comes before the self-attention.",
    hint="First the tokens look at each other, then at the memory.",
)
def memory_first(y, memory, params, n_heads):
    S = y.shape[1]
    y = y + _attend(_norm(y, params, "norm2"), memory, params, "multihead_attn", n_heads)
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "Both attentions start from the same tokens: the second must work on what the first has left.",
    hint="One after the other: each line uses the y that the line before made.",
)
def attentions_side_by_side(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    own = _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = y + own + _attend(_norm(y, params, "norm2"), memory, params, "multihead_attn", n_heads)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The memory is normalised with the tokens' norm. It comes ready from the encoder.",
    hint="norm2 is for the queries. Keys and values come from the memory as it is.",
)
def memory_normalised(y, memory, params, n_heads):
    return _decoder(y, _norm(memory, params, "norm2"), params, n_heads)


@decoder_block.misconception(
    "The cross-attention works with the weights of the self-attention.",
    hint='Its parameters have names of their own: they begin with "multihead_attn".',
)
def self_attention_twice(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, cross="self_attn")


@decoder_block.misconception(
    "norm2 and norm3 are exchanged.",
    hint="norm1 for the self-attention, norm2 for the cross-attention, norm3 for the feed-forward part.",
)
def later_norms_exchanged(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, norms=("norm1", "norm3", "norm2"))


@decoder_block.misconception(
    "norm2 is used twice: the feed-forward part has norm3.",
    hint="Which entries of `params` have you not used?",
)
def decoder_norm2_twice(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, norms=("norm1", "norm2", "norm2"))


@decoder_block.misconception(
    "norm1 is used twice: the cross-attention has norm2.",
    hint="Which entries of `params` have you not used?",
)
def decoder_norm1_twice(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, norms=("norm1", "norm1", "norm3"))


@decoder_block.misconception(
    "One norm serves all three parts: each has its own.",
    hint="Which entries of `params` have you not used?",
)
def one_norm_for_all(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, norms=("norm1", "norm1", "norm1"))


@decoder_block.misconception(
    "The norms come after the additions (post-norm). Here each norm comes before its part (pre-norm).",
    hint="y + MHA(LN(y)): what goes in is normalised, what is added to is not.",
)
def decoder_post_norm(y, memory, params, n_heads):
    S = y.shape[1]
    left = torch.ones(S, S, dtype=torch.bool).tril()
    y = _norm(y + _attend(y, y, params, "self_attn", n_heads, left), params, "norm1")
    y = _norm(y + _attend(y, memory, params, "multihead_attn", n_heads), params, "norm2")
    return _norm(y + _ffn(y, params), params, "norm3")


@decoder_block.misconception(
    "The queries of the cross-attention are not normalised.",
    hint="Three parts, three norms. Where is norm2?",
)
def queries_not_normalised(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = y + _attend(y, memory, params, "multihead_attn", n_heads)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The residual connection around the cross-attention is missing.",
    hint="There are three additions. Which ones have you written?",
)
def no_cross_residual(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = _attend(_norm(y, params, "norm2"), memory, params, "multihead_attn", n_heads)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The residual connection around the self-attention is missing.",
    hint="There are three additions. Which ones have you written?",
)
def no_self_residual(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = y + _attend(_norm(y, params, "norm2"), memory, params, "multihead_attn", n_heads)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The residual connection around the feed-forward part is missing.",
    hint="There are three additions. Which ones have you written?",
)
def no_last_residual(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = y + _attend(_norm(y, params, "norm2"), memory, params, "multihead_attn", n_heads)
    return _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The queries of the cross-attention are the tokens as they were normalised for the self-attention.",
    hint="After the first addition y is another. What must be normalised for the second part?",
)
def tokens_normalised_too_early(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = y + _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = y + _attend(h, memory, params, "multihead_attn", n_heads)
    return y + _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "No residual connection: nothing is added back.",
    hint="Each of the three parts is added to y: y + …",
)
def decoder_without_residuals(y, memory, params, n_heads):
    S = y.shape[1]
    h = _norm(y, params, "norm1")
    y = _attend(h, h, params, "self_attn", n_heads, torch.ones(S, S, dtype=torch.bool).tril())
    y = _attend(_norm(y, params, "norm2"), memory, params, "multihead_attn", n_heads)
    return _ffn(_norm(y, params, "norm3"), params)


@decoder_block.misconception(
    "The feed-forward part uses ReLU (PyTorch's default). Here it is GELU.",
    hint="Use your own feed_forward.",
)
def relu_decoder(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, activation=F.relu)


@decoder_block.misconception(
    "`in_proj_weight` is cut up in the wrong order: it holds Wq, then Wk, then Wv.",
    hint="`chunk(3)` gives three matrices. Whose is the first?",
)
def decoder_keys_before_queries(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads, order="vkq")


@decoder_block.misconception(
    "There is only one large head.",
    hint="Where do you use n_heads?",
)
def decoder_heads_ignored(y, memory, params, n_heads):
    return _decoder(y, memory, params, 1)


@decoder_block.misconception(
    "The parameters are taken in the order in which they come. A dict is read by name.",
    hint='`params["linear1.weight"]` is right whatever stands before it.',
)
def decoder_read_by_position(y, memory, params, n_heads):
    names = _layer(torch.nn.TransformerDecoderLayer, 2, 1, 2).state_dict()
    return _decoder(y, memory, dict(zip(names, params.values(), strict=True)), n_heads)


@decoder_block.alternative
def decoder_by_hand(y, memory, params, n_heads):
    return _decoder(y, memory, params, n_heads)


@decoder_block.alternative
def decoder_from_library_functions(y, memory, params, n_heads):
    def norm(one, name):
        return F.layer_norm(one, one.shape[-1:], params[name + ".weight"], params[name + ".bias"])

    def look(queries, context, name, causal):
        D = queries.shape[-1]
        weight, bias = params[name + ".in_proj_weight"], params[name + ".in_proj_bias"]
        q = F.linear(queries, weight[:D], bias[:D])
        k, v = F.linear(context, weight[D:], bias[D:]).split(D, dim=-1)
        q, k, v = (one.unflatten(-1, (n_heads, -1)).transpose(1, 2) for one in (q, k, v))
        joined = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
        return F.linear(joined, params[name + ".out_proj.weight"], params[name + ".out_proj.bias"])

    h = norm(y, "norm1")
    y = y + look(h, h, "self_attn", causal=True)
    y = y + look(norm(y, "norm2"), memory, "multihead_attn", causal=False)
    return y + feed_forward.oracle(
        norm(y, "norm3"), *(params[f"linear{i}.{part}"] for i in (1, 2) for part in ("weight", "bias"))
    )


@decoder_block.alternative
def token_by_token(y, memory, params, n_heads):
    rows = [
        _decoder(y[:, : end + 1], memory, params, n_heads, left=torch.ones(end + 1, end + 1, dtype=torch.bool).tril())
        for end in range(y.shape[1])
    ]
    return torch.stack([row[:, -1] for row in rows], dim=1)


# --------------------------------------------------------------------------------------- whisper_parameter_count


@exercise(unit=UNIT)
def whisper_parameter_count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer):
    from torch import nn

    def count(*modules):
        return sum(parameter.numel() for module in modules for parameter in module.parameters())

    # Modules on the meta device have shapes and no numbers. The sinusoids and the output projection add nothing:
    # the first are fixed, the second is the token table once more.
    with torch.device("meta"):
        attention = count(nn.LayerNorm(d), nn.Linear(d, d, bias=False), *(nn.Linear(d, d) for _ in range(3)))
        width = count(nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d))
        ends = count(nn.Conv1d(n_mels, d, 3), nn.Conv1d(d, d, 3), nn.LayerNorm(d), nn.LayerNorm(d))
        tables = count(nn.Embedding(n_vocab, d), nn.Embedding(n_text_ctx, d))
    return n_audio_layer * (attention + width) + n_text_layer * (2 * attention + width) + ends + tables


@whisper_parameter_count.case
def the_tiny_one(draw: Draw):
    """Whisper tiny."""
    return 80, 1_500, 51_865, 448, 384, 6, 4, 4


@whisper_parameter_count.case
def a_toy_whisper(draw: Draw):
    """A toy: 3 bins, 4 dimensions, 5 tokens."""
    return 3, 6, 5, 7, 4, 2, 1, 1


@whisper_parameter_count.hidden_case
def the_other_sizes(draw: Draw):
    """Another of Whisper's sizes."""
    d, n_heads, layers = draw.choice(((512, 8, 6), (768, 12, 12), (1_024, 16, 24)))
    return 80, 1_500, 51_865, 448, d, n_heads, layers, layers


@whisper_parameter_count.hidden_case
def the_large_one(draw: Draw):
    """Whisper large-v3, with 128 bins and one token more."""
    return 128, 1_500, 51_866, 448, 1_280, 20, 32, 32


@whisper_parameter_count.case(group="edge")
def fewer_decoder_layers(draw: Draw):
    """Many encoder blocks, few decoder blocks, as in large-v3-turbo."""
    return 128, 1_500, 51_866, 448, 1_280, 20, 32, 4


@whisper_parameter_count.hidden_case(group="edge")
def every_number_another(draw: Draw):
    """Made-up numbers, by keyword."""
    n_heads = draw.integer(2, 6)
    return arguments(
        n_mels=draw.integer(10, 40),
        n_audio_ctx=draw.integer(50, 90),
        n_vocab=draw.integer(100, 300),
        n_text_ctx=draw.integer(10, 40),
        d=n_heads * draw.integer(3, 9),
        n_heads=n_heads,
        n_audio_layer=draw.integer(5, 9),
        n_text_layer=draw.integer(2, 5),
    )


@whisper_parameter_count.hidden_case(group="edge")
def a_large_odd_number(draw: Draw):
    """A large model whose count is odd."""
    return 80, 1_500, 51_865, 448, 7 * (2 * draw.integer(60, 80) + 1), 7, 12, 11


@whisper_parameter_count.case(group="edge")
def no_decoder_blocks(draw: Draw):
    """No decoder blocks at all."""
    return 20, 30, 40, 8, 6, 2, draw.integer(1, 4), 0


@whisper_parameter_count.hidden_case(group="edge")
def no_encoder_blocks(draw: Draw):
    """No encoder blocks, a single bin, dimensions that are odd."""
    return 1, 30, draw.integer(20, 60), 8, 2 * draw.integer(2, 7) + 1, 1, 0, draw.integer(1, 4)


@whisper_parameter_count.hidden_property_case(group="edge")
def what_must_not_matter(draw: Draw):
    """Longer sound and more heads cost no parameters."""
    n_mels, n_vocab, n_text_ctx, layers = (draw.integer(5, 20) for _ in range(4))
    counts = []
    for n_audio_ctx, n_heads in ((50, 2), (1_500, 2), (50, 6)):
        got = yield n_mels, n_audio_ctx, n_vocab, n_text_ctx, 12, n_heads, layers, layers + 1
        counts.append(got.value)
    if counts[1] != counts[0]:
        raise Wrong("a longer sound needs more parameters: the encoder's positions are computed, not learned")
    if counts[2] != counts[0]:
        raise Wrong("more heads need more parameters: heads share out the same d × d matrices")
    if counts[0] != whisper_parameter_count.oracle(n_mels, 50, n_vocab, n_text_ctx, 12, 2, layers, layers + 1):
        raise Wrong("length and heads do not matter, as it should be, but the number is another")


def _count(
    n_mels,
    n_audio_ctx,
    n_vocab,
    n_text_ctx,
    d,
    n_heads,
    n_audio_layer,
    n_text_layer,
    *,
    attention=None,
    width=None,
    norm=None,
    taps=3,
    conv_bias=True,
    decoder_attentions=2,
    decoder_norms=3,
    last_norms=2,
    extra=0,
):
    """The count by formula, with what a learner may get wrong in it."""
    attention = 4 * d * d + 3 * d if attention is None else attention
    width = 8 * d * d + 5 * d if width is None else width
    norm = 2 * d if norm is None else norm
    stem = taps * d * (n_mels + d) + 2 * d * conv_bias
    encoder = n_audio_layer * (attention + width + 2 * norm)
    decoder = n_text_layer * (decoder_attentions * attention + width + decoder_norms * norm)
    return stem + (n_vocab + n_text_ctx) * d + encoder + decoder + last_norms * norm + extra


@whisper_parameter_count.misconception(
    "The encoder's positions are counted: Whisper computes them, nothing is learned.",
    hint="Which of the arguments should have no effect on the number?",
)
def sinusoids_counted(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, extra=n_audio_ctx * d)


@whisper_parameter_count.misconception(
    "The keys are given a bias. In Whisper queries, values and output have one, keys have none.",
    hint="How many biases does one attention have: three or four?",
)
def keys_with_bias(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, attention=4 * d * d + 4 * d)


@whisper_parameter_count.misconception(
    "The biases of the attentions are missing: queries, values and output have one.",
    hint="How many biases does one attention have?",
)
def attention_without_biases(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, attention=4 * d * d)


@whisper_parameter_count.misconception(
    "The output projection of the attentions is missing: each has four matrices.",
    hint="Query, key, value, and what mixes the heads at the end.",
)
def three_matrices(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, attention=3 * d * d + 2 * d)


@whisper_parameter_count.misconception(
    "The output projection is counted beside the token table: they are one and the same matrix.",
    hint="Tied weights are stored, and learned, once.",
)
def output_projection_counted(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, extra=n_vocab * d)


@whisper_parameter_count.misconception(
    "The decoder's positions are missing: unlike the encoder's, they are learned.",
    hint="One vector for each of the n_text_ctx places.",
)
def text_positions_missing(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, 0, d, *rest)


@whisper_parameter_count.misconception(
    "The last layer norms are missing: one after the encoder's blocks, one after the decoder's.",
    hint="With pre-norm, nothing normalises what leaves the last block. Whisper adds a norm on each side.",
)
def last_norms_missing(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, last_norms=0)


@whisper_parameter_count.misconception(
    "Only one of the two last layer norms is counted: encoder and decoder each end with one.",
    hint="A norm after the encoder's last block, and another after the decoder's.",
)
def one_last_norm(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, last_norms=1)


@whisper_parameter_count.misconception(
    "The layer norms are not counted: each has a weight and a bias, d numbers each.",
    hint="Two in an encoder block, three in a decoder block, and two at the ends.",
)
def norms_not_counted(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, norm=0)


@whisper_parameter_count.misconception(
    "A layer norm is counted with its weight only: it has a bias too.",
    hint="Normalised, times the weight, plus the bias.",
)
def norms_without_bias(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, norm=d)


@whisper_parameter_count.misconception(
    "A decoder block is counted with two norms: it has three parts and so three norms.",
    hint="One before the self-attention, one before the cross-attention, one before the feed-forward part.",
)
def two_norms_in_the_decoder(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, decoder_norms=2)


@whisper_parameter_count.misconception(
    "The cross-attention is not counted: a decoder block has two attentions.",
    hint="One among the tokens, one to the encoder's vectors. Each has its own four matrices.",
)
def cross_attention_not_counted(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, decoder_attentions=1, decoder_norms=2)


@whisper_parameter_count.misconception(
    "A decoder block is counted with one attention: it has three norms, and two attentions between them.",
    hint="One among the tokens, one to the encoder's vectors. Each has its own four matrices.",
)
def one_attention_in_the_decoder(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, decoder_attentions=1)


@whisper_parameter_count.misconception(
    "An attention is counted with 2d biases: queries, values and output have d each.",
    hint="Four projections; which of them has no bias?",
)
def two_biases_in_an_attention(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, attention=4 * d * d + 2 * d)


@whisper_parameter_count.misconception(
    "The feed-forward part is counted with 2d biases: its first layer has 4d of them.",
    hint="A bias is as long as what the layer puts out.",
)
def two_biases_in_the_feed_forward(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, width=8 * d * d + 2 * d)


@whisper_parameter_count.misconception(
    "Every head is counted with matrices of its own size d × d. The heads share out one such matrix.",
    hint="Whatever the number of heads, a projection takes d numbers to d numbers.",
)
def matrices_for_every_head(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, *rest):
    attention = n_heads * (3 * d * d + 2 * d) + d * d + d
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, *rest, attention=attention)


@whisper_parameter_count.misconception(
    "The feed-forward part is as wide inside as outside. In Whisper it is four times as wide.",
    hint="Its weights have the shapes (4d, d) and (d, 4d).",
)
def feed_forward_not_wider(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, width=2 * d * d + 2 * d)


@whisper_parameter_count.misconception(
    "The biases of the feed-forward part are missing.",
    hint="The first layer has 4d of them, the second d.",
)
def feed_forward_without_biases(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, width=8 * d * d)


@whisper_parameter_count.misconception(
    "The convolutions are counted as if their kernel had one tap: it has three.",
    hint="The weight of the first has the shape (d, n_mels, 3).",
)
def one_tap(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, taps=1)


@whisper_parameter_count.misconception(
    "The convolutions are counted as 3 × 3, two-dimensional. Whisper's are one-dimensional: 3 taps over time.",
    hint="The weight of the first has the shape (d, n_mels, 3).",
)
def two_dimensional(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, extra=9 * d * (1 + d) - 3 * d * (n_mels + d))


@whisper_parameter_count.misconception(
    "The biases of the convolutions are missing.",
    hint="Each has d of them.",
)
def convolutions_without_bias(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, *rest, conv_bias=False)


@whisper_parameter_count.misconception(
    "Encoder and decoder have changed their numbers of blocks.",
    hint="n_audio_layer belongs to the sound, that is, to the encoder.",
)
def blocks_exchanged(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_text_layer, n_audio_layer)


@whisper_parameter_count.misconception(
    "The decoder is taken to have as many blocks as the encoder.",
    hint="There are two arguments for the number of blocks. Do you use both?",
)
def decoder_like_encoder(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_audio_layer)


@whisper_parameter_count.misconception(
    "Millions are returned: the count itself is asked for, as an int.",
    hint="Every single parameter counts: 37 million is not exact.",
)
def in_millions(*dimensions):
    return _count(*dimensions) / 1e6


@whisper_parameter_count.alternative
def by_formula(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer):
    return _count(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer)


@whisper_parameter_count.alternative
def shape_by_shape(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer):
    norm = [(d,), (d,)]
    attention = [(d, d)] * 4 + [(d,)] * 3 + norm
    width = [(4 * d, d), (4 * d,), (d, 4 * d), (d,), *norm]
    shapes = [(d, n_mels, 3), (d,), (d, d, 3), (d,), (n_vocab, d), (n_text_ctx, d), *norm, *norm]
    shapes += (attention + width) * n_audio_layer + (attention * 2 + width) * n_text_layer
    return sum(math.prod(shape) for shape in shapes)


@whisper_parameter_count.alternative
def layers_of_the_library(n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer):
    def size(kind):
        return sum(parameter.numel() for parameter in _layer(kind, d, 1, 4 * d).parameters())

    encoder = size(torch.nn.TransformerEncoderLayer) - d
    decoder = size(torch.nn.TransformerDecoderLayer) - 2 * d
    ends = 3 * d * n_mels + 3 * d * d + 2 * d + n_vocab * d + n_text_ctx * d + 4 * d
    return n_audio_layer * encoder + n_text_layer * decoder + ends


# ------------------------------------------------------------------------------------- what small inputs would miss


@positional_encoding.hidden_case(group="edge")
def as_wide_as_whisper(draw: Draw):
    """As many channels as Whisper tiny has."""
    return 20 + draw.integer(0, 20), 384


@sinusoids.hidden_case(group="edge")
def as_wide_as_whisper_large(draw: Draw):
    """As many channels as Whisper large has, and a very long timescale."""
    return 20 + draw.integer(0, 20), 1_280, draw.choice((10**6, 10**5))


@encoder_block.hidden_case(group="edge", gradient=False)
def six_seconds_of_frames(draw: Draw):
    """Three hundred frames of 80 numbers, eight heads."""
    return *_encoder_inputs(draw, batch=1, frames=300, dim=80, hidden=160, scale=0.1), 8


@decoder_block.hidden_case(group="causality", gradient=False, seconds=20)
def a_long_text(draw: Draw):
    """As many tokens as Whisper can write, 448."""
    return *_decoder_inputs(draw, batch=1, tokens=448, frames=20, dim=8, hidden=10), 2


@decoder_block.hidden_case(group="edge", gradient=False)
def thirty_seconds_of_sound(draw: Draw):
    """As many frames as Whisper hears, 1 500, of 80 numbers, eight heads."""
    return *_decoder_inputs(draw, batch=1, tokens=12, frames=1_500, dim=80, hidden=160, scale=0.1), 8


@whisper_stem.hidden_case(group="edge")
def five_mels(draw: Draw):
    """Five spectrograms."""
    return _stem(draw, batch=5)


@feed_forward.hidden_case(group="edge")
def four_axes_of_frames(draw: Draw):
    """Four axes, and more than two in the first."""
    return draw.normal(3, 2, 5, 4), *_two_layers(draw, 4, 7)
