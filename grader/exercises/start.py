"""Unit 00: seconds to samples, and how loud a sound is."""

import math
from fractions import Fraction

import torch

from grader.draw import Draw
from grader.exercise import Tolerance, arguments, exercise

UNIT = "00_start"
SAMPLE_RATES = (8_000, 22_050, 24_000, 44_100, 48_000)


# The loose tolerance only tells a float that is nearly whole from one that is: the answers themselves are ints.
@exercise(unit=UNIT, tolerance=Tolerance(atol=0.01, rtol=0.0))
def num_samples(seconds, sample_rate=16_000):
    # Exact arithmetic, so that no product is ever a hair off. No case lies on or near an exact half.
    return math.floor(Fraction(seconds) * sample_rate + Fraction(1, 2))


@num_samples.case
def whole_at_16_000(draw):
    """a whole number of samples at 16 000 per second"""
    return draw.integer(0, 9) + draw.choice((0.25, 0.75))


@num_samples.case
def another_rate(draw):
    """another sample rate"""
    return arguments(draw.integer(1, 12) / 2, sample_rate=draw.choice(SAMPLE_RATES))


@num_samples.hidden_case
def many_seconds(draw):
    """many whole seconds, at another sample rate"""
    return float(draw.integer(20, 400)), draw.choice(SAMPLE_RATES)


@num_samples.case(group="rounding")
def almost_the_next(draw):
    """a duration that ends just before a sample"""
    return (draw.integer(3_000, 90_000) - _fraction(draw, 0.1, 0.4)) / 16_000


@num_samples.case(group="rounding")
def just_past(draw):
    """a duration that ends just after a sample"""
    return (draw.integer(3_000, 90_000) + _fraction(draw, 0.1, 0.4)) / 16_000


@num_samples.case(group="rounding")
def a_hair_below(draw):
    """a whole number of samples that the product misses by a hair, from below"""
    return _inexact(draw, below=True)


@num_samples.hidden_case(group="rounding")
def a_hair_above(draw):
    """a whole number of samples that the product misses by a hair, from above"""
    return _inexact(draw, below=False)


@num_samples.hidden_case(group="extremes")
def nothing(draw):
    """zero seconds"""
    return arguments(0.0, sample_rate=draw.choice(SAMPLE_RATES))


@num_samples.hidden_case(group="extremes")
def shorter_than_a_sample(draw):
    """a duration of less than one sample"""
    return _fraction(draw, 0.6, 0.9) / 16_000


@num_samples.case(group="extremes")
def hours(draw):
    """hours of sound, up to just before a sample"""
    return _hours(draw, before=True)


@num_samples.case(group="extremes")
def hours_and_a_bit(draw):
    """hours of sound, up to just after a sample"""
    return _hours(draw, before=False)


def _fraction(draw: Draw, low: float, high: float) -> float:
    return draw.uniform(low=low, high=high).item()


def _hours(draw: Draw, before: bool) -> tuple[float, int]:
    # Odd counts beyond 2²⁵ do not exist in float32.
    count = 2 * draw.integer(2**25, 2**26) + 1
    return (count + (-1 if before else 1) * _fraction(draw, 0.1, 0.4)) / 48_000, 48_000


def _inexact(draw: Draw, below: bool) -> float:
    """A number of milliseconds, in seconds, whose product with 16 000 should be whole and is not."""
    while True:
        milliseconds = draw.integer(100, 20_000)
        error = milliseconds / 1_000 * 16_000 - milliseconds * 16
        if error < 0 if below else error > 0:
            return milliseconds / 1_000


@num_samples.misconception(
    "It cuts the fraction off instead of rounding to the nearest whole number.",
    hint="`int(4.9)` is 4. Which Python function gives the nearest whole number?",
)
def truncated(seconds, sample_rate=16_000):
    return int(seconds * sample_rate)


@num_samples.misconception(
    "It always rounds up, where the nearest whole number is asked for.",
    hint="4.1 samples are nearer to 4 than to 5. And is 1.1 × 16 000 exactly 17 600 on a computer?",
)
def rounded_up(seconds, sample_rate=16_000):
    return math.ceil(seconds * sample_rate)


@num_samples.misconception(
    "It uses 16 000 samples per second whatever `sample_rate` says.",
    hint="Call it with `sample_rate=8_000`: does the answer change?",
)
def rate_ignored(seconds, sample_rate=16_000):
    return round(seconds * 16_000)


@num_samples.misconception(
    "Without a second argument it counts 44 100 samples per second, the rate of a CD.",
    hint="The signature says which rate is meant when none is given.",
)
def compact_disc(seconds, sample_rate=44_100):
    return round(seconds * sample_rate)


@num_samples.misconception(
    "It treats the duration as milliseconds.",
    hint="One second should give as many samples as the sample rate says. How many does yours give?",
)
def milliseconds(seconds, sample_rate=16_000):
    return round(seconds / 1_000 * sample_rate)


@num_samples.misconception(
    "It rounds the seconds before multiplying, so half a second counts as a whole one or as none.",
    hint="What should be a whole number: the seconds, or the samples?",
)
def seconds_rounded(seconds, sample_rate=16_000):
    return round(seconds) * sample_rate


@num_samples.misconception(
    "It counts one sample too many, like the posts of a fence.",
    hint="One second at 16 000 per second holds samples 0 to 15 999. How many are these?",
)
def fence_posts(seconds, sample_rate=16_000):
    return round(seconds * sample_rate) + 1


@num_samples.misconception(
    "It gives the number of the last sample; counting starts at 0, so that is one less than how many there are.",
    hint="One second at 16 000 per second holds samples 0 to 15 999. How many are these?",
)
def last_index(seconds, sample_rate=16_000):
    return round(seconds * sample_rate) - 1


@num_samples.misconception(
    "It divides by the sample rate, which turns samples into seconds, not seconds into samples.",
    hint="Twice the sample rate: are there twice as many samples in a second, or half as many?",
)
def divided(seconds, sample_rate=16_000):
    return round(seconds / sample_rate)


@num_samples.misconception(
    "It returns the product as it is: a float, and not always a whole number.",
    hint="Half a sample does not exist. Which function turns a float into the nearest int?",
)
def not_rounded(seconds, sample_rate=16_000):
    return float(seconds * sample_rate)


@num_samples.misconception(
    "The number is whole, but it is returned as a float (`8000.0`), and a tensor cannot be cut there.",
    hint="Look at `type(...)` of what you return. `round(x)` gives an int; `round(x, 0)` and NumPy's do not.",
)
def whole_float(seconds, sample_rate=16_000):
    return float(round(seconds * sample_rate))


@num_samples.misconception(
    "It computes in float32, which has no odd numbers above 33 554 432: some 35 minutes at 16 000 per second.",
    hint="A tensor made of a float is float32. Python's own floats hold 53 bits.",
)
def single_precision(seconds, sample_rate=16_000):
    return int((torch.tensor(seconds, dtype=torch.float32) * sample_rate).round().item())


@num_samples.alternative
def by_round(seconds, sample_rate=16_000):
    return round(seconds * sample_rate)


@num_samples.alternative
def by_floor(seconds, sample_rate=16_000):
    return math.floor(seconds * sample_rate + 0.5)


@num_samples.alternative
def by_divmod(seconds, sample_rate=16_000):
    whole, rest = divmod(seconds * sample_rate, 1)
    return int(whole) + (rest >= 0.5)


@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=2e-6))
def rms(x):
    return torch.linalg.vector_norm(x, dim=-1) / math.sqrt(x.shape[-1])


@rms.case
def one_waveform(draw):
    """one waveform, (T,)"""
    return draw.normal(7)


@rms.case
def batch(draw):
    """a batch of waveforms, (B, T)"""
    return draw.normal(2, 5) + 0.5


@rms.case(group="shapes")
def channels(draw):
    """a batch with several channels, (B, C, T)"""
    return draw.normal(2, 3, 5)


@rms.hidden_case(group="shapes")
def deeper(draw):
    """four axes"""
    return draw.normal(3, 2, 4, 6)


@rms.case(group="shapes")
def batch_of_one(draw):
    """a batch of one, (1, T)"""
    return draw.normal(1, 6)


@rms.hidden_case(group="shapes")
def one_sample(draw):
    """waveforms of a single sample, (B, 1)"""
    return draw.normal(4, 1) - 0.5


@rms.case(group="edge", gradient=False)
def silence(draw):
    """one silent waveform between two others"""
    x = draw.normal(3, 6)
    x[1] = 0.0
    return x


@rms.hidden_case(group="edge", gradient=False)
def only_silence(draw):
    """nothing but zeros"""
    return torch.zeros(draw.integer(3, 6), draw.integer(7, 12))


@rms.case(group="edge")
def pauses(draw):
    """a sound with pauses in it"""
    x = draw.normal(2, 10)
    x[:, 3:8] = 0.0
    return x


@rms.hidden_case(group="edge")
def offset(draw):
    """a waveform that does not swing around zero"""
    return draw.normal(2, 9, scale=0.1) + 0.7


@rms.hidden_case(group="edge")
def nearly_silent(draw):
    """a very quiet room"""
    return draw.normal(3, 8, scale=1e-4)


@rms.hidden_case(group="edge")
def sixteen_bit(draw):
    """samples as 16-bit numbers, up to ±32 767"""
    return draw.uniform(2, 11, low=-32_767.0, high=32_767.0)


@rms.misconception(
    "It is the mean of the absolute values: the samples are not squared before the mean.",
    hint="For [3, −4, 0, 0] the mean of the absolute values is 1.75, the rms is 2.5. Square, then mean, then root.",
)
def mean_absolute(x):
    return x.abs().mean(-1)


@rms.misconception(
    "It is the mean square: the root is missing.",
    hint="Twice the amplitude should give twice the rms. What does yours give?",
)
def no_root(x):
    return x.square().mean(-1)


@rms.misconception(
    "It is the root of the sum of squares, not of their mean: a longer sound comes out louder.",
    hint="Play the same sound twice in a row: should the rms change?",
)
def root_of_sum(x):
    return x.square().sum(-1).sqrt()


@rms.misconception(
    "It takes one mean over everything, the whole batch, instead of one for each waveform.",
    hint="For (B, T) the answer has shape (B,). Over which axis does the mean go?",
)
def whole_batch(x):
    return x.square().mean().sqrt()


@rms.misconception(
    "The mean goes over the first axis, so it mixes the waveforms of a batch.",
    hint="Time is the last axis, whatever comes before it. How is the last axis numbered?",
)
def first_axis(x):
    return x.square().mean(0).sqrt()


@rms.misconception(
    "The mean goes over the second axis; that is time in (B, T), but not in (B, C, T), and (T,) has no second axis.",
    hint="Time is the last axis, whatever comes before it. How is the last axis numbered?",
)
def second_axis(x):
    return x.square().mean(1).sqrt()


@rms.misconception(
    "The mean is taken first, and in it the swings up and down have cancelled before anything is squared.",
    hint="Read the name backwards: square, then mean, then root.",
)
def mean_first(x):
    return x.mean(-1).square().sqrt()


@rms.misconception(
    "Zeros are left out of the mean, but a pause is part of the sound.",
    hint="[3, −4, 0, 0] has four samples, two of them silent. By how many do you divide?",
)
def pauses_skipped(x):
    return (x.square().sum(-1) / (x != 0).sum(-1).clamp_min(1)).sqrt()


@rms.misconception(
    "It is the standard deviation: the mean is taken away before squaring.",
    hint="A waveform that is 0.7 everywhere has an rms of 0.7. What is its standard deviation?",
)
def standard_deviation(x):
    return x.std(-1, correction=0)


@rms.misconception(
    "It is the peak: the largest sample, not a mean over all.",
    hint="One click in a silent minute: is that minute loud?",
)
def peak(x):
    return x.abs().amax(-1)


@rms.misconception(
    "Peak divided by √2 is the rms of a sine wave, and of hardly anything else.",
    hint="Speech is no sine. Go back to the three words: root, mean, square.",
)
def sine_rule(x):
    return x.abs().amax(-1) / math.sqrt(2)


@rms.misconception(
    "The last axis is still there, with length 1.",
    hint="(B, T) should become (B,). What does `keepdim=True` do?",
)
def axis_kept(x):
    return x.square().mean(-1, keepdim=True).sqrt()


@rms.misconception(
    "Every axis of length 1 is dropped, so a batch of one is no longer a batch.",
    hint="(1, T) should become (1,). What does `squeeze()` do when it is not told which axis?",
)
def squeezed(x):
    return x.square().mean(-1, keepdim=True).sqrt().squeeze()


@rms.misconception(
    "A constant is added before the root, so silence is no longer 0 and quiet sounds come out louder.",
    hint="Nothing here is divided by or taken the log of: is the constant needed?",
)
def constant_added(x):
    return (x.square().mean(-1) + 1e-8).sqrt()


@rms.misconception(
    "It divides by T − 1, as in a sample variance, where the mean of T squares is asked for.",
    hint="A waveform of one sample, [0.5], has an rms of 0.5. What do you divide by there?",
)
def one_too_few(x):
    return (x.square().sum(-1) / (x.shape[-1] - 1)).sqrt()


@rms.alternative
def step_by_step(x):
    return x.pow(2).mean(dim=-1) ** 0.5


@rms.alternative
def by_einsum(x):
    return (torch.einsum("...t,...t->...", x, x) / x.shape[-1]).sqrt()


@rms.alternative
def by_loop(x):
    rows = [torch.dot(row, row).div(len(row)).sqrt() for row in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).reshape(x.shape[:-1])
