"""Unit 10: what sits on top of a trunk (text, class, mel), and what a synthesiser is told: lengths, energy, pitch."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Exercise, Tolerance, Wrong, arguments, exercise

UNIT = "10_output_heads"


def _linear(draw: Draw, outputs: int, inputs: int):
    """A weight (outputs, inputs) and a bias (outputs,), as nn.Linear keeps them."""
    return draw.normal(outputs, inputs, scale=0.6), draw.normal(outputs)


def _lengths(draw: Draw, batch: int, frames: int) -> torch.Tensor:
    """One length that fills the tensor, the others shorter, in no order."""
    shorter = [draw.integer(1, frames) for _ in range(batch - 1)]
    return torch.tensor([frames, *shorter])[draw.permutation(batch)]


def _real(hidden, lengths):
    """(B, T, 1) bool, True at real frames."""
    return (torch.arange(hidden.shape[1]) < lengths[:, None])[..., None]


def _double(args: tuple) -> tuple:
    return tuple(one.double() if torch.is_tensor(one) and one.is_floating_point() else one for one in args)


def _ten_digits(exercise: Exercise, args: tuple):
    """A property: float64 in, float64 all the way. An answer that went through float32 is off by some 1e-8."""
    args = tuple(one / 3 if torch.is_tensor(one) and one.is_floating_point() else one for one in _double(args))
    got = yield args
    expected = exercise(*args)
    pairs = zip(*((one if isinstance(one, tuple) else (one,)) for one in (got.value, expected)), strict=False)
    for mine, right in pairs:
        if not torch.is_tensor(mine) or mine.shape != right.shape or mine.dtype != right.dtype:
            raise Wrong(f"the answer to float64 should be {right.dtype} of shape {tuple(right.shape)}")
        if not torch.allclose(mine, right, rtol=1e-10, atol=1e-10):
            raise Wrong("the answer to float64 is right to fewer than ten digits")


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, laid out in memory with the last two axes exchanged."""
    return tensor.mT.contiguous().mT


# ------------------------------------------------------------------------------------------------------ ctc_head


@exercise(unit=UNIT, differentiable=True)
def ctc_head(hidden, w, b):
    return functional.log_softmax(functional.linear(hidden, w, b), dim=-1)


def _ctc(draw: Draw, batch: int, frames: int, features: int, classes: int, scale: float = 1.0):
    return draw.normal(batch, frames, features, scale=scale), *_linear(draw, classes, features)


@ctc_head.case
def two_clips(draw: Draw):
    """Two clips of five frames"""
    return _ctc(draw, 2, 5, 4, 3)


@ctc_head.hidden_case
def any_clips(draw: Draw):
    """Any sizes"""
    return _ctc(draw, draw.integer(3, 6), draw.integer(6, 9), 5, 7)


@ctc_head.hidden_case
def an_alphabet(draw: Draw):
    """29 characters, 96 features, 150 frames"""
    return _ctc(draw, 2, 150, 96, 29, scale=0.3)


@ctc_head.hidden_case(gradient=False)
def a_long_clip_of_text(draw: Draw):
    """A clip of 600 frames"""
    return _ctc(draw, 1, 600, 3, 4)


@ctc_head.case(group="edge")
def as_many_classes_as_features(draw: Draw):
    """As many classes as features"""
    return _ctc(draw, 2, 5, 4, 4)


@ctc_head.hidden_case(group="edge")
def everything_of_one_size(draw: Draw):
    """As many clips as frames, features and classes"""
    return _ctc(draw, 3, 3, 3, 3)


@ctc_head.hidden_case(group="edge")
def one_frame(draw: Draw):
    """A single frame of a single clip"""
    return _ctc(draw, 1, 1, 4, 3)


@ctc_head.hidden_case(group="edge")
def other_layout(draw: Draw):
    """One clip, laid out in memory in another order"""
    hidden, w, b = _ctc(draw, 1, 6, 4, 5)
    return _strided(hidden), _strided(w), b


@ctc_head.hidden_case(group="edge")
def text_in_float64(draw: Draw):
    """Numbers in float64"""
    return _double(_ctc(draw, 2, 4, 3, 5))


@ctc_head.hidden_property_case(group="edge")
def text_to_ten_digits(draw: Draw):
    """Numbers in float64, compared to ten digits"""
    yield from _ten_digits(ctc_head, _ctc(draw, 2, 4, 3, 5))


@ctc_head.case(group="large values")
def hopeless_characters(draw: Draw):
    """Scores of some hundreds: most characters are hopeless"""
    return _ctc(draw, 2, 4, 3, 5, scale=100.0)


@ctc_head.hidden_case(group="large values", gradient=False)
def huge_scores(draw: Draw):
    """Scores of some ten thousands"""
    hidden, w, _ = _ctc(draw, 2, 4, 3, 5)
    return hidden, w, 1e4 * (draw.permutation(5) - 2).float()


@ctc_head.hidden_case(group="large values")
def all_scores_low(draw: Draw):
    """All scores far below zero"""
    hidden, w, b = _ctc(draw, 2, 4, 3, 5, scale=0.3)
    return hidden, w, 0.3 * b - 128


@ctc_head.misconception(
    "It gives probabilities; asked for are their logarithms.",
    hint="CTC adds up log-probabilities of whole paths. Which sign has the logarithm of a number below 1?",
)
def probabilities(hidden, w, b):
    return functional.linear(hidden, w, b).softmax(-1)


@ctc_head.misconception(
    "It gives the raw scores (logits): in each frame the probabilities should add up to 1.",
    hint="Take the exponential of one frame of your answer and add it up.",
)
def logits(hidden, w, b):
    return functional.linear(hidden, w, b)


@ctc_head.misconception(
    "The characters do not compete in a frame: the softmax runs over time.",
    hint="In which direction should the probabilities add up to 1? The frames each make a choice of their own.",
)
def over_time(hidden, w, b):
    return functional.log_softmax(functional.linear(hidden, w, b), dim=1)


@ctc_head.misconception(
    "The softmax runs over the clips of the batch. On a tensor of three axes, an old default does so.",
    hint="Name the axis: `dim=-1` is the last one.",
)
def over_the_batch(hidden, w, b):
    return functional.log_softmax(functional.linear(hidden, w, b), dim=0)


@ctc_head.misconception(
    "All frames of a clip share one softmax.",
    hint="How much do the probabilities of a single frame add up to?",
)
def over_frames_and_classes(hidden, w, b):
    scores = functional.linear(hidden, w, b)
    return functional.log_softmax(scores.flatten(1), dim=1).view_as(scores)


@ctc_head.misconception(
    "The logarithm of a softmax: a hopeless character gets probability 0, and its logarithm is −∞.",
    hint="Is there a function that takes softmax and logarithm in one step? Or subtract the logsumexp.",
)
def log_of_softmax(hidden, w, b):
    return functional.linear(hidden, w, b).softmax(-1).log()


@ctc_head.misconception(
    "The bias is missing.",
    hint="A linear layer has two parts. What would it answer to hidden states of zero?",
)
def no_bias(hidden, w, b):
    return functional.log_softmax(hidden @ w.T, dim=-1)


@ctc_head.misconception(
    "The bias is added after the softmax, so the probabilities do not add up to 1.",
    hint="First the whole linear layer, bias included; then the softmax.",
)
def bias_afterwards(hidden, w, b):
    return functional.log_softmax(hidden @ w.T, dim=-1) + b


@ctc_head.misconception(
    "The weight is not transposed.",
    hint="Weights are (out, in): one row a character. What does nn.Linear do with its weight?",
)
def weight_not_transposed(hidden, w, b):
    return functional.log_softmax(hidden @ w + b, dim=-1)


@ctc_head.misconception(
    "Each character is judged alone, by a sigmoid: their probabilities do not add up to 1.",
    hint="A frame belongs to one character or to the blank. What makes them compete?",
)
def each_alone(hidden, w, b):
    return functional.logsigmoid(functional.linear(hidden, w, b))


@ctc_head.misconception(
    "The logarithm has base 10; log-probabilities are natural logarithms.",
    hint="What does your function give for a probability of one half? ln ½ is −0.693.",
)
def base_ten(hidden, w, b):
    return functional.log_softmax(functional.linear(hidden, w, b), dim=-1) / math.log(10)


@ctc_head.alternative
def by_logsumexp(hidden, w, b):
    scores = hidden @ w.T + b
    return scores - scores.logsumexp(-1, keepdim=True)


@ctc_head.alternative
def frame_by_frame(hidden, w, b):
    clips = []
    for clip in hidden:
        scores = torch.stack([torch.mv(w, frame) + b for frame in clip])
        shifted = scores - scores.max(1, keepdim=True).values.detach()
        clips.append(shifted - shifted.exp().sum(1, keepdim=True).log())
    return torch.stack(clips)


@ctc_head.alternative
def by_einsum(hidden, w, b):
    return torch.log_softmax(torch.einsum("btd,cd->btc", hidden, w) + b, 2)


# ---------------------------------------------------------------------------------------------- masked_mean_pool


@exercise(unit=UNIT, differentiable=True)
def masked_mean_pool(hidden, lengths):
    # Each clip is cut to its length: the padding never enters the arithmetic.
    return torch.stack([clip[:length].mean(0) for clip, length in zip(hidden, lengths.tolist(), strict=True)])


def _padded(draw: Draw, batch: int, frames: int, features: int):
    return draw.normal(batch, frames, features) + 1, _lengths(draw, batch, frames)


def _refilled(hidden, lengths, value: float):
    return torch.where(_real(hidden, lengths), hidden, torch.full_like(hidden, value)), lengths


@masked_mean_pool.case
def three_clips(draw: Draw):
    """Three clips of different lengths"""
    return _padded(draw, 3, 7, 4)


@masked_mean_pool.hidden_case
def any_batch(draw: Draw):
    """Any sizes"""
    return _padded(draw, draw.integer(4, 9), draw.integer(9, 13), 5)


@masked_mean_pool.hidden_case
def clips_of_seconds(draw: Draw):
    """Twelve clips of up to six seconds, 96 features"""
    return _padded(draw, 12, 300, 96)


@masked_mean_pool.hidden_case(gradient=False)
def a_minute(draw: Draw):
    """Two clips of up to a minute"""
    return draw.normal(2, 3_000, 3) + 1, torch.tensor([draw.integer(2_000, 3_000), 3_000])


@masked_mean_pool.case(group="edge")
def a_real_frame_of_zeros(draw: Draw):
    """Real frames that are all zeros: they count like others"""
    hidden, lengths = _refilled(*_padded(draw, 3, 6, 4), 0.0)
    hidden[:, 0] = 0.0
    return hidden, lengths


@masked_mean_pool.case(group="padding")
def padding_of_zeros(draw: Draw):
    """Padding of zeros"""
    return _refilled(*_padded(draw, 3, 6, 4), 0.0)


@masked_mean_pool.case(group="padding")
def loud_padding(draw: Draw):
    """Padding of thousands"""
    return _refilled(*_padded(draw, 3, 6, 4), 5e3)


@masked_mean_pool.hidden_case(group="padding")
def negative_padding(draw: Draw):
    """Padding far below zero"""
    return _refilled(*_padded(draw, 4, 8, 3), -1e4)


@masked_mean_pool.case(group="edge")
def nobody_fills_the_tensor(draw: Draw):
    """No clip is as long as the tensor"""
    return draw.normal(2, 9, 4), torch.tensor(draw.sample(range(1, 8), 2))


@masked_mean_pool.case(group="edge")
def no_padding_at_all(draw: Draw):
    """No padding at all"""
    return draw.normal(2, 5, 4), torch.tensor([5, 5])


@masked_mean_pool.hidden_case(group="edge")
def one_clip(draw: Draw):
    """A single clip, shorter than its tensor"""
    return draw.normal(1, 8, 3), torch.tensor([draw.integer(2, 8)])


@masked_mean_pool.hidden_case(group="edge")
def one_frame_each(draw: Draw):
    """Clips of a single frame"""
    return draw.normal(2, 6, 3), torch.tensor([1, 1])


@masked_mean_pool.hidden_case(group="edge")
def as_many_features_as_frames(draw: Draw):
    """As many clips as frames and features"""
    return _padded(draw, 5, 5, 5)


@masked_mean_pool.hidden_case(group="edge")
def pooled_from_another_layout(draw: Draw):
    """Laid out in memory in another order"""
    hidden, lengths = _padded(draw, 3, 6, 4)
    return _strided(hidden), lengths


@masked_mean_pool.hidden_case(group="edge")
def pooled_in_float64(draw: Draw):
    """Numbers in float64"""
    return _double(_padded(draw, 3, 6, 4))


@masked_mean_pool.hidden_property_case(group="edge")
def pooled_to_ten_digits(draw: Draw):
    """Numbers in float64, compared to ten digits"""
    yield from _ten_digits(masked_mean_pool, _padded(draw, 3, 7, 4))


@masked_mean_pool.misconception(
    "The padding is left out of the sum, but the sum is divided by T: short clips get small vectors.",
    hint="A clip of 2 frames in a tensor of 10: by how much must its sum be divided?",
)
def divided_by_t(hidden, lengths):
    return (hidden * _real(hidden, lengths)).sum(1) / hidden.shape[1]


@masked_mean_pool.misconception(
    "The padding is averaged in: the lengths have no effect.",
    hint="Change `lengths`: does your result change?",
)
def padding_included(hidden, lengths):
    return hidden.mean(1)


@masked_mean_pool.misconception(
    "Padding is taken to be what is zero; the lengths say what is padding.",
    hint="A real frame may be all zeros, and padding may be loud. Make the mask from `lengths`.",
)
def zeros_are_padding(hidden, lengths):
    heard = (hidden != 0).any(-1).sum(1, keepdim=True)
    return hidden.sum(1) / heard.clamp_min(1)


@masked_mean_pool.misconception(
    "The padding is in the sum, although the sum is divided by the true length.",
    hint="Set the padded frames to zero, or cut them off, before you add up.",
)
def padding_in_the_sum(hidden, lengths):
    return hidden.sum(1) / lengths[:, None]


@masked_mean_pool.misconception(
    "It is the sum of the real frames, not their mean: a long clip gets a long vector.",
    hint="Say the same vowel twice as long. Should the class change?",
)
def pooled_sum(hidden, lengths):
    return (hidden * _real(hidden, lengths)).sum(1)


@masked_mean_pool.misconception(
    "It takes the last real frame instead of the mean.",
    hint="Every real frame has the same weight. What does yours give if only the first frame changes?",
)
def last_frame(hidden, lengths):
    return hidden[torch.arange(len(hidden)), lengths - 1]


@masked_mean_pool.misconception(
    "It takes the largest value of each feature, not the mean.",
    hint="That is max pooling. Two frames with 1 and 3 should give 2.",
)
def max_pool(hidden, lengths):
    return hidden.masked_fill(~_real(hidden, lengths), -math.inf).amax(1)


@masked_mean_pool.misconception(
    "The last real frame of each clip is left out.",
    hint="With length 3, frames 0, 1 and 2 are real. Is it `<` or `<=`, and did you subtract 1?",
)
def one_frame_short(hidden, lengths):
    return (hidden * _real(hidden, lengths - 1)).sum(1) / lengths[:, None]


@masked_mean_pool.misconception(
    "One frame of the padding is taken in.",
    hint="With length 3, frames 0, 1 and 2 are real. Is it `<` or `<=`?",
)
def one_frame_too_many(hidden, lengths):
    return (hidden * _real(hidden, lengths + 1)).sum(1) / lengths[:, None]


@masked_mean_pool.misconception(
    "All clips are cut to the length of the first.",
    hint="Each clip has its own length. Compare the mask of the second clip with `lengths[1]`.",
)
def first_length_for_all(hidden, lengths):
    return hidden[:, : int(lengths[0])].mean(1)


@masked_mean_pool.misconception(
    "The mask is inverted: the mean is of the padding.",
    hint="Frame number t is real where t < length.",
)
def mean_of_the_padding(hidden, lengths):
    padding = ~_real(hidden, lengths)
    return (hidden * padding).sum(1) / padding.sum(1).clamp_min(1)


@masked_mean_pool.misconception(
    "It averages over the features; it should average over time.",
    hint="One vector a clip, of as many numbers as a frame has. Which axis has to go?",
)
def over_features(hidden, lengths):
    return (hidden * _real(hidden, lengths)).mean(2)


@masked_mean_pool.alternative
def by_mask(hidden, lengths):
    mask = (torch.arange(hidden.shape[1]) < lengths[:, None]).to(hidden.dtype)
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


@masked_mean_pool.alternative
def by_weights(hidden, lengths):
    mask = torch.arange(hidden.shape[1])[None] < lengths[:, None]
    weights = mask / lengths[:, None].to(hidden.dtype)
    return torch.einsum("bt,btd->bd", weights.to(hidden.dtype), hidden)


@masked_mean_pool.alternative
def by_running_sums(hidden, lengths):
    kept = hidden.masked_fill(torch.arange(hidden.shape[1])[:, None] >= lengths[:, None, None], 0)
    sums = kept.cumsum(1)[:, -1]
    return sums / lengths.unsqueeze(1)


# ------------------------------------------------------------------------------------------------------ classify


@exercise(unit=UNIT, differentiable=True)
def classify(hidden, lengths, w, b):
    return functional.softmax(functional.linear(masked_mean_pool(hidden, lengths), w, b), dim=-1)


def _clips(draw: Draw, batch: int, frames: int, features: int, classes: int):
    return *_padded(draw, batch, frames, features), *_linear(draw, classes, features)


@classify.case
def three_clips_two_classes(draw: Draw):
    """Three clips, two classes"""
    return _clips(draw, 3, 6, 4, 2)


@classify.hidden_case
def any_clips_and_classes(draw: Draw):
    """Any sizes"""
    return _clips(draw, draw.integer(4, 8), draw.integer(8, 12), 5, 7)


@classify.hidden_case
def many_clips_of_seconds(draw: Draw):
    """Twelve clips of up to three seconds, 96 features, 40 classes"""
    hidden, lengths, w, b = _clips(draw, 12, 150, 96, 40)
    return hidden, lengths, 0.1 * w, b


@classify.case(group="padding")
def a_class_for_loud_padding(draw: Draw):
    """Padding of hundreds"""
    hidden, lengths, w, b = _clips(draw, 3, 6, 4, 3)
    return *_refilled(hidden, lengths, 300.0), w, b


@classify.hidden_case(group="padding")
def a_class_for_quiet_padding(draw: Draw):
    """Padding of zeros"""
    hidden, lengths, w, b = _clips(draw, 4, 9, 4, 3)
    return *_refilled(hidden, lengths, 0.0), w, b


@classify.case(group="edge")
def as_many_classes_as_clips(draw: Draw):
    """As many classes as clips and features"""
    return _clips(draw, 4, 6, 4, 4)


@classify.case(group="edge")
def a_single_clip(draw: Draw):
    """A single clip, shorter than its tensor"""
    return draw.normal(1, 7, 4), torch.tensor([draw.integer(2, 7)]), *_linear(draw, 3, 4)


@classify.hidden_case(group="edge")
def full_clips(draw: Draw):
    """No padding at all"""
    return draw.normal(2, 5, 4), torch.tensor([5, 5]), *_linear(draw, 3, 4)


@classify.hidden_case(group="edge")
def classes_in_float64(draw: Draw):
    """Numbers in float64"""
    return _double(_clips(draw, 3, 6, 4, 5))


@classify.hidden_property_case(group="edge")
def classes_to_ten_digits(draw: Draw):
    """Numbers in float64, compared to ten digits"""
    yield from _ten_digits(classify, _clips(draw, 3, 6, 4, 5))


@classify.case(group="large values")
def sure_of_itself(draw: Draw):
    """Scores of some hundreds"""
    hidden, lengths, w, _ = _clips(draw, 3, 6, 4, 3)
    return hidden, lengths, w, 300 * (draw.permutation(3) - 1).float()


@classify.case(group="large values", gradient=False)
def clips_at_other_levels(draw: Draw):
    """One clip's scores lie hundreds above another's"""
    hidden, lengths, w, b = _clips(draw, 3, 6, 4, 3)
    hidden[..., 0] = torch.tensor([-1.0, 0.0, 1.0])[draw.permutation(3)][:, None]
    return hidden, lengths, torch.cat([torch.full((3, 1), 150.0), w[:, 1:]], 1), b


@classify.hidden_case(group="large values")
def all_far_below_zero(draw: Draw):
    """All scores far below zero"""
    hidden, lengths, w, b = _clips(draw, 3, 6, 4, 3)
    return hidden, lengths, w, b - 128


@classify.misconception(
    "Each frame is classified first, and the probabilities are averaged. Here the vectors are pooled, then classified.",
    hint="Pool, linear, softmax: in this order. How many softmaxes do you take for one clip?",
)
def frames_first(hidden, lengths, w, b):
    return masked_mean_pool(functional.linear(hidden, w, b).softmax(-1), lengths)


@classify.misconception(
    "The padding votes, too: the lengths have no effect.",
    hint="Use the mean over real frames. Change `lengths`: does your result change?",
)
def padding_votes(hidden, lengths, w, b):
    return functional.linear(hidden.mean(1), w, b).softmax(-1)


@classify.misconception(
    "The pooled sum is divided by T instead of the clip's own length.",
    hint="A clip of 2 frames in a tensor of 10: by how much must its sum be divided?",
)
def pooled_over_t(hidden, lengths, w, b):
    return functional.linear(divided_by_t(hidden, lengths), w, b).softmax(-1)


@classify.misconception(
    "It gives log-probabilities; asked for are probabilities.",
    hint="The numbers of one clip should be between 0 and 1 and add up to 1.",
)
def log_probabilities(hidden, lengths, w, b):
    return functional.linear(masked_mean_pool(hidden, lengths), w, b).log_softmax(-1)


@classify.misconception(
    "It gives the raw scores: the softmax is missing.",
    hint="The numbers of one clip should be between 0 and 1 and add up to 1.",
)
def scores_only(hidden, lengths, w, b):
    return functional.linear(masked_mean_pool(hidden, lengths), w, b)


@classify.misconception(
    "The clips compete for each class: the softmax runs over the batch.",
    hint="Add up your answer along each axis. Where do you get ones?",
)
def clips_compete(hidden, lengths, w, b):
    return functional.linear(masked_mean_pool(hidden, lengths), w, b).softmax(0)


@classify.misconception(
    "Each class is judged alone, by a sigmoid: the probabilities do not add up to 1.",
    hint="A clip belongs to exactly one class. What makes the classes compete?",
)
def classes_alone(hidden, lengths, w, b):
    return functional.linear(masked_mean_pool(hidden, lengths), w, b).sigmoid()


@classify.misconception(
    "The bias is missing.",
    hint="What would your function answer to hidden states of zero, if one class is far more frequent?",
)
def bias_missing(hidden, lengths, w, b):
    return (masked_mean_pool(hidden, lengths) @ w.T).softmax(-1)


@classify.misconception(
    "The frames are added up, not averaged: a long clip is surer than a short one.",
    hint="Say the same vowel twice as long. Should the probability change?",
)
def summed_up(hidden, lengths, w, b):
    return functional.linear(pooled_sum(hidden, lengths), w, b).softmax(-1)


@classify.misconception(
    "Only the last real frame decides.",
    hint="Every real frame should have the same weight.",
)
def last_frame_decides(hidden, lengths, w, b):
    return functional.linear(last_frame(hidden, lengths), w, b).softmax(-1)


@classify.misconception(
    "A softmax of your own overflows: exp of a large score is infinite, and ∞/∞ is not a number.",
    hint="`torch.softmax` is safe. By hand: subtract each clip's largest score first.",
)
def overflowing(hidden, lengths, w, b):
    scores = functional.linear(masked_mean_pool(hidden, lengths), w, b).exp()
    return scores / scores.sum(-1, keepdim=True)


@classify.misconception(
    "The largest score of the whole batch is subtracted: a clip far below it has nothing left but 0/0.",
    hint="Each clip needs its own largest score, or `torch.softmax`.",
)
def one_maximum_for_all(hidden, lengths, w, b):
    scores = functional.linear(masked_mean_pool(hidden, lengths), w, b)
    powers = (scores - scores.max()).exp()
    return powers / powers.sum(-1, keepdim=True)


@classify.alternative
def pooled_after_the_layer(hidden, lengths, w, b):
    # The mean of a linear layer's answers is its answer to the mean.
    scores = masked_mean_pool(functional.linear(hidden, w, b), lengths)
    return (scores - scores.logsumexp(1, keepdim=True)).exp()


@classify.alternative
def clip_by_clip(hidden, lengths, w, b):
    rows = []
    for clip, length in zip(hidden, lengths, strict=True):
        mean = clip[: int(length)].sum(0) / length
        rows.append(torch.softmax(torch.mv(w, mean) + b, 0))
    return torch.stack(rows)


@classify.alternative
def classes_by_einsum(hidden, lengths, w, b):
    weights = _real(hidden, lengths)[..., 0].to(hidden.dtype) / lengths[:, None].to(hidden.dtype)
    return torch.softmax(torch.einsum("bt,btd,cd->bc", weights, hidden, w) + b, -1)


# ---------------------------------------------------------------------------------------------- length_regulator


@exercise(unit=UNIT, differentiable=True)
def length_regulator(hidden, durations):
    rows = [torch.repeat_interleave(one, times, dim=0) for one, times in zip(hidden, durations, strict=True)]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), durations.sum(1)


def _sounds(draw: Draw, batch: int, sounds: int, features: int, longest: int = 6):
    """Vectors and how long each lasts: from 1 frame on, in each clip another total."""
    durations = draw.integers(1, longest, batch, sounds)
    durations[:, 0] = torch.tensor(draw.sample(range(longest, longest + 2 * batch), batch))
    return draw.normal(batch, sounds, features) + 1, durations


@length_regulator.case
def two_phrases(draw: Draw):
    """Two phrases, every sound with a duration of its own"""
    return _sounds(draw, 2, 4, 3)


@length_regulator.hidden_case
def any_phrases(draw: Draw):
    """Any sizes"""
    return _sounds(draw, draw.integer(3, 7), draw.integer(5, 9), 4)


@length_regulator.hidden_case
def sentences(draw: Draw):
    """Four sentences of 30 sounds with 96 features, up to 40 frames a sound"""
    return draw.normal(4, 30, 96), draw.integers(0, 41, 4, 30)


@length_regulator.case(group="edge")
def silent_letters(draw: Draw):
    """Some sounds last 0 frames"""
    hidden, durations = _sounds(draw, 2, 5, 3)
    durations[0, draw.integer(1, 5)] = 0
    durations[1, [0, -1]] = 0
    return hidden, durations


@length_regulator.case(group="edge")
def a_phrase_of_no_frames(draw: Draw):
    """A phrase in which every duration is 0, beside another"""
    hidden, durations = _sounds(draw, 2, 4, 3)
    durations[draw.integer(0, 2)] = 0
    return hidden, durations


@length_regulator.case(group="edge")
def no_frames_anywhere(draw: Draw):
    """Every duration of every phrase is 0: no frames at all"""
    return draw.normal(3, 4, 5), torch.zeros(3, 4, dtype=torch.int64)


@length_regulator.hidden_case
def a_large_batch(draw: Draw):
    """Forty phrases of twelve sounds"""
    return draw.normal(40, 12, 8), draw.integers(0, 7, 40, 12)


@length_regulator.case(group="edge")
def one_phrase(draw: Draw):
    """A single phrase: no padding"""
    return _sounds(draw, 1, 5, 3)


@length_regulator.case(group="edge")
def a_vector_of_zeros(draw: Draw):
    """A sound whose vector is all zeros: it takes its frames like any other"""
    hidden, durations = _sounds(draw, 2, 4, 3)
    hidden[:, draw.integer(1, 4)] = 0.0
    return hidden, durations


@length_regulator.hidden_case(group="edge")
def vectors_of_zeros(draw: Draw):
    """The last vector of each phrase is all zeros"""
    hidden, durations = _sounds(draw, 3, 5, 4)
    hidden[:, -1] = 0.0
    return hidden, durations


@length_regulator.hidden_case(group="edge")
def equally_long(draw: Draw):
    """Phrases of equal length in all"""
    hidden, durations = _sounds(draw, 1, 6, 3)
    return torch.cat([hidden, hidden.flip(1)]) + draw.normal(2, 6, 3), torch.cat([durations, durations.flip(1)])


@length_regulator.hidden_case(group="edge")
def one_sound_each(draw: Draw):
    """Phrases of a single sound"""
    return _sounds(draw, 3, 1, 4)


@length_regulator.hidden_case(group="edge")
def one_frame_a_sound(draw: Draw):
    """Every sound lasts one frame, but the padded ones 0"""
    hidden, durations = draw.normal(3, 6, 4), torch.ones(3, 6, dtype=torch.int64)
    durations[0, draw.integer(2, 5) :] = 0
    return hidden, durations


@length_regulator.hidden_case(group="edge")
def one_size_for_all(draw: Draw):
    """As many phrases as sounds and features"""
    return _sounds(draw, 4, 4, 4)


@length_regulator.hidden_case(group="edge")
def a_very_long_sound(draw: Draw):
    """One sound of more than a thousand frames"""
    hidden, durations = _sounds(draw, 2, 4, 3)
    durations[1, 2] = draw.integer(1_500, 2_000)
    return hidden, durations


@length_regulator.hidden_case(group="edge")
def sounds_in_float64(draw: Draw):
    """Numbers in float64, laid out in memory in another order"""
    hidden, durations = _sounds(draw, 2, 4, 3)
    return _strided(hidden.double()), durations


@length_regulator.hidden_property_case(group="edge")
def sounds_to_ten_digits(draw: Draw):
    """Numbers in float64, compared to ten digits"""
    yield from _ten_digits(length_regulator, _sounds(draw, 2, 4, 3))


def _regulated(rows: list[torch.Tensor], lengths):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths


@length_regulator.misconception(
    "The sequence is repeated as a whole (a b a b) instead of each vector in its place (a a b b).",
    hint="With durations 2 and 3, five frames come out: a, a, b, b, b. What does yours give?",
)
def whole_sequence_again(hidden, durations):
    rows = []
    for one, times in zip(hidden, durations.tolist(), strict=True):
        turns = [one[i] for turn in range(max(times)) for i, n in enumerate(times) if turn < n]
        rows.append(torch.stack(turns) if turns else one[:0])
    return _regulated(rows, durations.sum(1))


@length_regulator.misconception(
    "A sound of duration 0 still gets a frame.",
    hint="A letter that is not heard has duration 0: how many frames should it take?",
)
def at_least_one_frame(hidden, durations):
    return length_regulator(hidden, durations.clamp_min(1))


@length_regulator.misconception(
    "The last vector is drawn out to fill the tensor; the padding should be zeros.",
    hint="What stands in a shorter phrase after its last real frame?",
)
def padded_with_the_last(hidden, durations):
    frames, lengths = length_regulator(hidden, durations)
    last = (lengths - 1).clamp_min(0)
    places = torch.minimum(torch.arange(frames.shape[1]), last[:, None])
    return frames.gather(1, places[..., None].expand_as(frames)), lengths


@length_regulator.misconception(
    "The zeros stand before the phrase; padding goes after it.",
    hint="The first frame of each phrase belongs to its first sound.",
)
def padded_in_front(hidden, durations):
    frames, lengths = length_regulator(hidden, durations)
    return torch.stack([one.roll(-int(n), 0) for one, n in zip(frames, lengths, strict=True)]), lengths


@length_regulator.misconception(
    "The lengths are all equal to T′; each phrase has a length of its own, its padding not counted.",
    hint="The length of a phrase is the sum of its durations.",
)
def one_length_for_all(hidden, durations):
    frames, lengths = length_regulator(hidden, durations)
    return frames, lengths.max().expand_as(lengths).clone()


@length_regulator.misconception(
    "The lengths count sounds; they should count frames.",
    hint="After regulation the sequence is measured in frames: the sum of the durations.",
)
def lengths_in_sounds(hidden, durations):
    frames, _ = length_regulator(hidden, durations)
    return frames, (durations > 0).sum(1)


@length_regulator.misconception(
    "The lengths are counted from frames that are not zero; a real vector may be zero.",
    hint="What the durations say is enough to know the lengths.",
)
def lengths_from_values(hidden, durations):
    frames, _ = length_regulator(hidden, durations)
    return frames, (frames != 0).any(-1).sum(1)


@length_regulator.misconception(
    "The longer phrases are cut to the shortest; they should all be kept, and the shorter ones padded.",
    hint="T′ is the largest sum of durations, not the smallest.",
)
def cut_to_the_shortest(hidden, durations):
    frames, lengths = length_regulator(hidden, durations)
    return frames[:, : int(lengths.min())], lengths


@length_regulator.misconception(
    "The durations of the first phrase are used for all.",
    hint="Each phrase has a row of durations of its own.",
)
def first_durations_for_all(hidden, durations):
    return length_regulator(hidden, durations[:1].expand_as(durations))


@length_regulator.misconception(
    "The vectors are multiplied by their durations, not repeated.",
    hint="How many frames come out? As many as the durations add up to.",
)
def multiplied(hidden, durations):
    return hidden * durations[..., None], durations.sum(1)


@length_regulator.misconception(
    "The vectors are blended into each other; the length regulator repeats each one unchanged.",
    hint="All frames of a sound are equal. (The layers after it may smooth them.)",
)
def blended(hidden, durations):
    frames, lengths = length_regulator(hidden, durations)
    before = torch.cat([frames[:, :1], frames[:, :-1]], 1)
    return torch.where(_real(frames, lengths), (frames + before) / 2, frames), lengths


@length_regulator.misconception(
    "Every sound lasts one frame too long.",
    hint="Duration 2 means two frames. Does your loop run from 0 to d, both included?",
)
def one_frame_longer(hidden, durations):
    return length_regulator(hidden, durations + 1)


@length_regulator.alternative
def by_ends(hidden, durations):
    ends = durations.cumsum(1)
    lengths = ends.amax(1)
    time = torch.arange(int(lengths.max()))
    sound = (time[None, :, None] >= ends[:, None, :]).sum(-1)
    inside = time < lengths[:, None]
    places = torch.where(inside, sound, torch.zeros_like(sound))
    frames = hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[2]))
    return frames * inside[..., None].to(hidden.dtype), lengths


@length_regulator.alternative
def by_a_matrix(hidden, durations):
    ends = durations.cumsum(1)[:, None]
    starts = ends - durations[:, None]
    time = torch.arange(int(durations.sum(1).max()))[None, :, None]
    path = (starts <= time) & (time < ends)
    return path.to(hidden.dtype) @ hidden, durations.sum(1)


@length_regulator.alternative
def by_loops(hidden, durations):
    totals = [sum(times) for times in durations.tolist()]
    rows = []
    for one, times, total in zip(hidden, durations.tolist(), totals, strict=True):
        parts = [vector.expand(n, -1) for vector, n in zip(one, times, strict=True)]
        rows.append(torch.cat([*parts, one.new_zeros(max(totals) - total, one.shape[1])]))
    return torch.stack(rows), torch.tensor(totals)


# ------------------------------------------------------------------------------------------------------ mel_head


@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=5e-5))
def mel_head(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, before + _postnet(before, postnet)


def _postnet(before, postnet, last=lambda y: y, others=torch.tanh):
    """What the post-net adds; exactly nothing where it has no layers."""
    y = before.mT
    for i, layer in enumerate(postnet):
        y = functional.conv1d(y, layer["weight"], layer["bias"], padding="same")
        y = others(y) if i < len(postnet) - 1 else last(y)
    return y.mT if postnet else torch.zeros_like(before)


def _layers(draw: Draw, channels: list[int], kernels: list[int]) -> list[dict[str, torch.Tensor]]:
    """Convolutions from channels[0] to channels[1] and so on, their answers of size about 1."""
    return [
        {"weight": draw.normal(c_out, c_in, k, scale=(c_in * k) ** -0.5), "bias": draw.normal(c_out, scale=0.3)}
        for c_in, c_out, k in zip(channels[:-1], channels[1:], kernels, strict=True)
    ]


def _mel(draw: Draw, batch: int, frames: int, features: int, bands: int, hidden: list[int], kernels: list[int]):
    w, b = _linear(draw, bands, features)
    layers = _layers(draw, [bands, *hidden, bands], kernels) if kernels else []
    return draw.normal(batch, frames, features), w, b, layers


@mel_head.case
def three_layers(draw: Draw):
    """A post-net of three layers"""
    return _mel(draw, 2, 7, 4, 3, [5, 6], [3, 5, 3])


@mel_head.hidden_case
def any_postnet(draw: Draw):
    """Any sizes"""
    return _mel(draw, draw.integer(3, 5), draw.integer(8, 12), 5, 4, [6, 3, 7], [5, 3, 7, 5])


@mel_head.hidden_case
def eighty_bands(draw: Draw):
    """80 bands, 96 features, 120 frames, five layers as in Tacotron 2"""
    hidden, w, b, layers = _mel(draw, 2, 120, 96, 80, [48, 48, 48, 48], [5, 5, 5, 5, 5])
    return hidden, 0.2 * w, b, layers


@mel_head.hidden_case
def many_layers(draw: Draw):
    """A post-net of nine layers"""
    return _mel(draw, 2, 12, 4, 3, [5, 4, 6, 5, 4, 6, 5, 4], [3, 5, 3, 1, 3, 5, 3, 3, 5])


@mel_head.case(group="edge")
def no_postnet(draw: Draw):
    """No post-net: an empty list"""
    return _mel(draw, 2, 5, 4, 3, [], [])


@mel_head.case(group="edge")
def one_layer(draw: Draw):
    """A post-net of one layer"""
    return _mel(draw, 2, 6, 4, 3, [], [3])


@mel_head.case(group="edge")
def kernel_of_one(draw: Draw):
    """Kernels of a single frame"""
    return _mel(draw, 2, 6, 4, 3, [5], [1, 1])


@mel_head.case(group="edge")
def shorter_than_the_kernel(draw: Draw):
    """Fewer frames than the kernel is wide"""
    return _mel(draw, 2, 3, 4, 5, [4], [7, 5])


@mel_head.hidden_case(group="edge")
def a_single_frame(draw: Draw):
    """A single frame of a single clip"""
    return _mel(draw, 1, 1, 4, 3, [4], [3, 5])


@mel_head.hidden_case(group="edge")
def square_mel(draw: Draw):
    """As many bands as frames, features and channels"""
    return _mel(draw, 4, 4, 4, 4, [4, 4], [3, 3, 3])


@mel_head.hidden_case(group="edge")
def a_long_clip(draw: Draw):
    """One clip of 400 frames, and a kernel of 31"""
    return _mel(draw, 1, 400, 6, 8, [5], [9, 31])


@mel_head.hidden_case(group="edge")
def mel_in_float64(draw: Draw):
    """Numbers in float64, laid out in memory in another order"""
    hidden, w, b, layers = _mel(draw, 2, 6, 4, 3, [5], [3, 3])
    doubled = [{key: one.double() for key, one in layer.items()} for layer in layers]
    return _strided(hidden.double()), w.double(), b.double(), doubled


@mel_head.hidden_property_case(group="edge")
def mel_to_ten_digits(draw: Draw):
    """Numbers in float64, compared to ten digits"""
    yield from _ten_digits(mel_head, _mel(draw, 2, 6, 4, 3, [], []))


@mel_head.case(group="large values")
def loud_corrections(draw: Draw):
    """A post-net whose last layer adds much more than 1"""
    hidden, w, b, layers = _mel(draw, 2, 7, 4, 3, [5, 5], [3, 3, 3])
    return hidden, w, b, [*layers[:-1], {"weight": 20 * layers[-1]["weight"], "bias": 20 * layers[-1]["bias"]}]


@mel_head.hidden_case(group="large values")
def a_mel_in_decibels(draw: Draw):
    """A mel spectrogram in decibels, far from zero"""
    hidden, w, b, layers = _mel(draw, 2, 6, 4, 3, [5], [3, 5])
    return hidden, 10 * w, b - 40, layers


@mel_head.misconception(
    "A tanh follows the last layer, too: no correction can be larger than 1.",
    hint="The last layer must be able to add 5 where 5 is missing. After which layers comes a tanh?",
)
def tanh_after_the_last(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, before + _postnet(before, postnet, last=torch.tanh)


@mel_head.misconception(
    "There is no tanh between the layers: together they are only one wide convolution.",
    hint="A stack of linear layers is a linear layer. What stands between them?",
)
def no_tanh(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, before + _postnet(before, postnet, others=lambda y: y)


@mel_head.misconception(
    "A ReLU stands where Tacotron 2's post-net has a tanh.",
    hint="Which function did the text name?",
)
def relu_between(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, before + _postnet(before, postnet, others=torch.relu)


@mel_head.misconception(
    "The post-net's answer replaces the mel; it should be added to it.",
    hint="Residual: the post-net says only what to change. What does an all-zero post-net give?",
)
def not_residual(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, _postnet(before, postnet) if postnet else before


@mel_head.misconception(
    "What comes back as `after` is only the correction, or `before` was added to nothing.",
    hint="With an empty post-net, after equals before.",
)
def correction_only(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, _postnet(before, postnet)


@mel_head.misconception(
    "The two answers are exchanged.",
    hint="First the linear layer's mel, then the corrected one.",
)
def exchanged(hidden, w, b, postnet):
    return mel_head(hidden, w, b, postnet)[::-1]


@mel_head.misconception(
    "The post-net sees only the past: all padding is on the left.",
    hint="Same padding for an odd kernel: (K − 1)/2 zeros on each side.",
)
def causal(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    y = before.mT
    for i, layer in enumerate(postnet):
        y = functional.conv1d(functional.pad(y, (layer["weight"].shape[2] - 1, 0)), layer["weight"], layer["bias"])
        y = y.tanh() if i < len(postnet) - 1 else y
    return before, before + (y.mT if postnet else 0)


@mel_head.misconception(
    "The kernels run backwards in time.",
    hint="Kernel element 0 meets the earliest of the frames it covers, as in `conv1d`. `numpy.convolve` differs.",
)
def kernels_backwards(hidden, w, b, postnet):
    return mel_head(hidden, w, b, [{**layer, "weight": layer["weight"].flip(2)} for layer in postnet])


@mel_head.misconception(
    "The biases of the post-net are left out.",
    hint="Each layer is a dict of two tensors. Count the ones you use.",
)
def postnet_without_biases(hidden, w, b, postnet):
    return mel_head(hidden, w, b, [{**layer, "bias": torch.zeros_like(layer["bias"])} for layer in postnet])


@mel_head.misconception(
    "The edges are padded with copies of the first and last frame; `conv1d` pads with zeros.",
    hint="Same padding means zeros here. What does `padding=K // 2` do?",
)
def edges_repeated(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    y = before.mT
    for i, layer in enumerate(postnet):
        side = layer["weight"].shape[2] // 2
        y = functional.conv1d(functional.pad(y, (side, side), mode="replicate"), layer["weight"], layer["bias"])
        y = y.tanh() if i < len(postnet) - 1 else y
    return before, before + (y.mT if postnet else 0)


@mel_head.misconception(
    "Every layer adds to its input, where the shapes allow it; only the whole post-net is residual.",
    hint="One addition, at the very end: after = before + post-net(before).",
)
def every_layer_residual(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    y = before.mT
    for i, layer in enumerate(postnet):
        z = functional.conv1d(y, layer["weight"], layer["bias"], padding="same")
        z = z.tanh() if i < len(postnet) - 1 else z
        y = y + z if y.shape == z.shape and i < len(postnet) - 1 else z
    return before, before + (y.mT if postnet else 0)


@mel_head.misconception(
    "The post-net reads a detached copy of the mel: its loss cannot teach the layers before it.",
    hint="The values are right. Which gradient is missing? In Tacotron 2 both losses reach the whole network.",
)
def detached_for_the_postnet(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    return before, before + _postnet(before.detach(), postnet)


@mel_head.misconception(
    "The mel itself goes through a tanh before it is returned.",
    hint="A mel in decibels lies far below −1. `before` is the plain answer of the linear layer.",
)
def mel_squeezed(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b).tanh()
    return before, before + _postnet(before, postnet)


@mel_head.alternative
def by_modules(hidden, w, b, postnet):
    before = hidden @ w.T + b
    y = before.transpose(1, 2)
    for i, layer in enumerate(postnet):
        c_out, c_in, k = layer["weight"].shape
        with torch.device("meta"):
            module = torch.nn.Conv1d(c_in, c_out, k, padding=k // 2)
        y = torch.func.functional_call(module, layer, y)
        y = y.tanh() if i + 1 < len(postnet) else y
    return before, (before + y.transpose(1, 2) if postnet else before.clone())


@mel_head.alternative
def by_windows(hidden, w, b, postnet):
    before = torch.einsum("btd,md->btm", hidden, w) + b
    y = before
    for i, layer in enumerate(postnet):
        y = torch.tanh(y) if i else y
        side = layer["weight"].shape[2] // 2
        windows = functional.pad(y, (0, 0, side, side)).unfold(1, layer["weight"].shape[2], 1)
        y = torch.einsum("btck,ock->bto", windows, layer["weight"]) + layer["bias"]
    return before, (before + y if len(postnet) else before * 1.0)


@mel_head.alternative
def weight_by_weight(hidden, w, b, postnet):
    before = functional.linear(hidden, w, b)
    if not postnet:
        return before, before.clone()
    y, frames = before, before.shape[1]
    for layer in postnet:
        if layer is not postnet[0]:
            y = y.tanh()
        k = layer["weight"].shape[2]
        padded = functional.pad(y, (0, 0, k // 2, k // 2))
        y = layer["bias"] + sum(padded[:, j : j + frames] @ layer["weight"][:, :, j].T for j in range(k))
    return before, y + before


# -------------------------------------------------------------------------------------------------- frame_energy


@exercise(unit=UNIT, differentiable=True)
def frame_energy(magnitude):
    return torch.linalg.vector_norm(magnitude, dim=0)


def _with_silence(draw: Draw, bins: int, frames: int, silent: int):
    magnitude = draw.uniform(bins, frames, low=0.1, high=2.0)
    magnitude[:, draw.sample(range(frames), silent)] = 0.0
    return magnitude


@frame_energy.case
def a_few_frames(draw: Draw):
    """Five bins, seven frames"""
    return draw.uniform(5, 7, low=0.1, high=2.0)


@frame_energy.hidden_case
def any_magnitude(draw: Draw):
    """Any sizes"""
    return draw.uniform(draw.integer(6, 9), draw.integer(10, 14), high=3.0)


@frame_energy.hidden_case
def three_seconds(draw: Draw):
    """A spectrogram of 513 bins and 300 frames"""
    return draw.uniform(513, 300, high=3.0)


@frame_energy.hidden_case
def more_bins_than_frames(draw: Draw):
    """A spectrogram of 1025 bins and 8 frames"""
    return draw.uniform(1025, 8, high=3.0)


@frame_energy.hidden_case
def many_frames(draw: Draw):
    """A spectrogram of 4 bins and 2000 frames"""
    return draw.uniform(4, 2000, high=3.0)


@frame_energy.property_case(group="edge")
def silence_is_zero(draw: Draw):
    """Silence is exactly 0, and a single bin of some thousandths is not silence"""
    magnitude = torch.zeros(6, 8)
    quiet = draw.sample(range(8), 4)
    for frame, loudness in zip(quiet, (0.009, 0.001, 2e-4, 1e-5), strict=True):
        magnitude[draw.integer(0, 6), frame] = loudness
    got = yield magnitude
    expected = magnitude.amax(0)
    if not torch.is_tensor(got.value) or got.value.shape != expected.shape:
        raise Wrong("one number a frame should come back, (N,)")
    if (got.value[expected == 0] != 0).any():
        raise Wrong("a silent frame has an energy other than 0")
    if not torch.allclose(got.value, expected, rtol=1e-3, atol=0.0):
        raise Wrong("where one bin alone is not zero, the energy should be that bin, however quiet it is")


@frame_energy.case(group="edge")
def a_silent_frame(draw: Draw):
    """Silent frames among others"""
    return _with_silence(draw, 5, 8, 3)


@frame_energy.hidden_case(group="edge")
def much_silence(draw: Draw):
    """Two seconds that are silent but for a few frames"""
    return _with_silence(draw, 40, 200, 190)


@frame_energy.case(group="edge")
def square_magnitude(draw: Draw):
    """As many bins as frames, one of them silent"""
    return _with_silence(draw, 6, 6, 1)


@frame_energy.hidden_case(group="edge")
def a_frame_alone(draw: Draw):
    """A single frame"""
    return draw.uniform(6, 1, low=0.1, high=2.0)


@frame_energy.hidden_case(group="edge")
def magnitude_in_float64(draw: Draw):
    """Numbers in float64, laid out in memory in another order"""
    return _strided(_with_silence(draw, 5, 6, 1).double())


@frame_energy.hidden_property_case(group="edge")
def magnitude_to_ten_digits(draw: Draw):
    """Numbers in float64, compared to ten digits"""
    yield from _ten_digits(frame_energy, (_with_silence(draw, 5, 6, 1),))


@frame_energy.case(group="large values")
def a_shout(draw: Draw):
    """Magnitudes of thousands"""
    return draw.uniform(4, 6, low=1e3, high=9e3)


@frame_energy.hidden_case(group="large values")
def a_whisper_and_a_shout(draw: Draw):
    """Frames of thousands beside frames of hundredths"""
    loud = draw.booleans(9)
    loud[:2] = torch.tensor([True, False])
    return draw.uniform(5, 9, low=0.5, high=1.5) * torch.where(loud, 5e3, 0.01)


@frame_energy.misconception(
    "The root is missing: it is the sum of the squares.",
    hint="The norm of (3, 4) is 5, not 25.",
)
def squared(magnitude):
    return magnitude.square().sum(0)


@frame_energy.misconception(
    "It divides by the number of bins before the root: that is the root mean square.",
    hint="A norm is a length: √(sum of squares). The norm of (3, 4) is 5.",
)
def root_mean_square(magnitude):
    return functional.normalize(magnitude, dim=0).mul(magnitude).sum(0) / len(magnitude) ** 0.5


@frame_energy.misconception(
    "It is the mean of the magnitudes.",
    hint="Squares, sum, root. The norm of (3, 4) is 5.",
)
def mean_magnitude(magnitude):
    return magnitude.mean(0)


@frame_energy.misconception(
    "It adds up the magnitudes: that is the L1 norm.",
    hint="Squares, sum, root. The norm of (3, 4) is 5, not 7.",
)
def sum_of_magnitudes(magnitude):
    return magnitude.sum(0)


@frame_energy.misconception(
    "It adds up over time: one number a frequency, instead of one number a frame.",
    hint="The spectrogram is (bins, frames). Which axis has to go?",
)
def energy_over_time(magnitude):
    return torch.linalg.vector_norm(magnitude, dim=1)


@frame_energy.misconception(
    "It is one number for the whole clip.",
    hint="The energy is drawn over time: one number a frame.",
)
def one_number(magnitude):
    return torch.linalg.vector_norm(magnitude)


@frame_energy.misconception(
    "It is the largest magnitude of each frame.",
    hint="All bins count. The norm of (3, 4) is 5, not 4.",
)
def loudest_bin(magnitude):
    return magnitude.amax(0)


@frame_energy.misconception(
    "At a silent frame the gradient is not a number: the root is infinitely steep at 0.",
    hint="`torch.linalg.vector_norm` knows this corner. By hand: `torch.where` around the zeros, as in unit 07.",
)
def steep_root(magnitude):
    return magnitude.square().sum(0).sqrt()


@frame_energy.misconception(
    "A constant is added under the root: silence is not 0, and quiet frames are too loud.",
    hint="A silent frame has energy 0 exactly.",
)
def constant_under_the_root(magnitude):
    return (magnitude.square().sum(0) + 1e-6).sqrt()


@frame_energy.misconception(
    "It takes the logarithm of the energy.",
    hint="The logarithm of silence is −∞. FastSpeech 2's energy is the norm itself.",
)
def log_energy(magnitude):
    return torch.linalg.vector_norm(magnitude, dim=0).log1p()


@frame_energy.misconception(
    "The magnitudes are squared twice, as if they had to become powers first.",
    hint="The argument holds magnitudes |X|, and the norm squares them once.",
)
def of_the_power(magnitude):
    return torch.linalg.vector_norm(magnitude.square(), dim=0)


@frame_energy.alternative
def by_where(magnitude):
    squares = torch.einsum("fn,fn->n", magnitude, magnitude)
    silent = squares == 0
    return torch.where(silent, 0.0, torch.where(silent, 1.0, squares).sqrt())


@frame_energy.alternative
def frame_after_frame(magnitude):
    return torch.stack([torch.norm(frame) for frame in magnitude.unbind(1)])


@frame_energy.alternative
def by_largest(magnitude):
    # Relative to the loudest bin: nothing overflows, and silence is divided by 1.
    largest = magnitude.detach().amax(0)
    scale = torch.where(largest == 0, 1.0, largest)
    return torch.norm(magnitude / scale, dim=0) * scale


# --------------------------------------------------------------------------------------------------------- pitch


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-6, rtol=0.02))
def pitch(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    if not r.any():
        return 0.0
    return float(sample_rate / (first + np.flatnonzero(r >= 0.95 * r.max())[0]))


def _autocorrelation(frame, sample_rate, fmin, fmax):
    """r at the lags that are asked for and fit into the frame, and the first of them."""
    x = frame.double().numpy()
    first, last = math.ceil(sample_rate / fmax), math.floor(sample_rate / fmin)
    return np.correlate(x, x, "full")[len(x) - 1 :][first : last + 1], first


def _tone(
    draw: Draw, f0: float, samples: int, harmonics: int, sample_rate: int = 16_000, lowest: int = 1, step: int = 1
):
    """Harmonics lowest … of f0, of similar strength, at random phases; the amplitude is about 1."""
    time = torch.arange(samples, dtype=torch.float64) / sample_rate
    numbers = range(lowest, harmonics + 1, step)
    strengths, phases = draw.uniform(len(numbers), low=0.7, high=1.0), draw.uniform(len(numbers), high=2 * math.pi)
    waves = [
        strength * torch.sin(2 * math.pi * k * f0 * time + phase)
        for k, strength, phase in zip(numbers, strengths.tolist(), phases.tolist(), strict=True)
    ]
    return (sum(waves) / len(waves)).float()


@pitch.case
def a_low_voice(draw: Draw):
    """A man's voice: a tone of 80 to 160 Hz"""
    return _tone(draw, draw.integer(80, 161), 1024, 8)


@pitch.case
def a_high_voice(draw: Draw):
    """A woman's or a child's voice: a tone of 160 to 330 Hz"""
    return _tone(draw, draw.integer(160, 331), 1024, 6)


@pitch.hidden_case
def anybody(draw: Draw):
    """A tone anywhere between 80 and 360 Hz"""
    return _tone(draw, draw.uniform(low=80.0, high=360.0).item(), draw.integer(900, 2048), 6)


@pitch.hidden_property_case
def a_real_vowel(draw: Draw):
    """A vowel from a recording"""
    from grader.recordings import load_clip

    name, start, end = draw.choice(VOWELS)
    at = draw.integer(round(16_000 * start), round(16_000 * end) - 1024)
    frame = load_clip(name)[at : at + 1024]
    got = yield arguments(frame)
    if not 0.94 < got.value / pitch(frame) < 1.02:  # the top of the peak is up to 5 % lower than the rule's lag
        raise Wrong(f"it is {got.value:.1f} Hz, which is not the pitch of the vowel")


#: Steady vowels: recording, start and end in seconds. A test compares them with librosa's yin.
VOWELS = [("goodbye", 0.50, 0.64), ("digits-3", 0.36, 0.56)]


@pitch.case(group="octaves")
def between_two_lags(draw: Draw):
    """A tone whose period lies between two samples: two periods fit better than one"""
    return _tone(draw, 16_000 / (draw.integer(41, 56) + 0.5), 2048, 5)


@pitch.case(group="octaves")
def weak_fundamental(draw: Draw):
    """A tone whose lowest harmonic is missing"""
    return _tone(draw, draw.integer(90, 200), 1024, 8, lowest=2)


@pitch.hidden_case(group="octaves")
def between_two_lags_for_long(draw: Draw):
    """A period between two samples, in a long frame"""
    return _tone(draw, 16_000 / (draw.integer(42, 54) + 0.5), 4096, 5)


@pitch.hidden_case(group="octaves")
def many_harmonics(draw: Draw):
    """A buzz of 25 harmonics"""
    return _tone(draw, 16_000 / draw.integer(130, 200), 1500, 25)


def _clicks(period: int, count: int, shape: tuple[float, ...] = (1.0,), weak: float = 1.0) -> torch.Tensor:
    """`count` clicks of that shape, one every `period` samples; every other one is weaker."""
    frame = torch.zeros(count, period)
    frame[:, : len(shape)] = torch.tensor(shape)
    frame[1::2] *= weak
    return frame.flatten()


@pitch.case(group="octaves")
def weak_clicks(draw: Draw):
    """Clicks, every other one about half as loud: one step is more than 5 % below two steps, so two are the period"""
    return _clicks(draw.integer(60, 130), 12, weak=draw.uniform(low=0.54, high=0.56).item())


@pitch.case(group="octaves")
def less_weak_clicks(draw: Draw):
    """Clicks, every other one a little weaker: one step is within 5 % of two steps, so one is the period"""
    return _clicks(draw.integer(60, 130), 12, weak=draw.uniform(low=0.595, high=0.605).item())


@pitch.hidden_case(group="octaves")
def every_third_click(draw: Draw):
    """Every third click is louder: three steps fit best, one is within 5 %"""
    frame = _clicks(draw.integer(45, 85), 60).view(60, -1)
    frame[torch.arange(60) % 3 > 0] *= 0.7
    return frame.flatten()


@pitch.hidden_case(group="octaves")
def just_below_the_line(draw: Draw):
    """One step is 5.5 % below two steps"""
    return _clicks(draw.integer(45, 130), 40, weak=_weakness(40, 0.945))


@pitch.hidden_case(group="octaves")
def hardly_below(draw: Draw):
    """One step is half a per cent below two steps"""
    return _clicks(draw.integer(45, 130), 40, weak=_weakness(40, 0.995))


@pitch.hidden_case(group="octaves")
def just_above_the_line(draw: Draw):
    """One step is 4.5 % below two steps"""
    return _clicks(draw.integer(45, 130), 40, weak=_weakness(40, 0.955))


def _weakness(count: int, ratio: float) -> float:
    """How weak every other click is where r is `ratio` of its highest after one step: (count − 1)·a is r there,
    (count / 2 − 1)·(1 + a²) after two steps."""
    slope = (count - 1) / (ratio * (count / 2 - 1))
    return (slope - math.sqrt(slope**2 - 4)) / 2


@pitch.case(group="octaves")
def odd_harmonics(draw: Draw):
    """A hollow tone of odd harmonics: after half a period the wave comes back upside down"""
    return _tone(draw, draw.integer(90, 180), 1024, 9, step=2)


@pitch.hidden_case(group="octaves")
def hollow_tones(draw: Draw):
    """A hollow tone, in a long frame"""
    return _tone(draw, draw.integer(80, 190), 2048, 9, step=2)


@pitch.case(group="range")
def the_highest(draw: Draw):
    """The highest tone of the range: 400 Hz, exactly 40 samples"""
    return _tone(draw, 400.0, draw.integer(600, 1024), 6)


@pitch.case(group="range")
def the_lowest(draw: Draw):
    """The lowest tones of the range: just above 60 Hz"""
    return _tone(draw, 16_000 / draw.integer(262, 266), 2048, 10)


@pitch.hidden_case(group="range")
def high_tones(draw: Draw):
    """High tones, where one sample more or less is heard"""
    return _tone(draw, 16_000 / draw.integer(40, 44), 1200, 6)


@pitch.case(group="range")
def short_frames(draw: Draw):
    """A frame of five periods of a high tone: shorter than the longest lag"""
    period = draw.integer(40, 50)
    return _tone(draw, 16_000 / period, 5 * period, 6)


@pitch.case(group="range")
def the_last_lag(draw: Draw):
    """A tone whose period is the longest lag that is searched"""
    period = draw.integer(40, 44)
    return arguments(_tone(draw, 16_000 / period, 1024, 6), fmin=16_000 / (period + 0.4))


@pitch.hidden_case(group="range")
def the_last_of_few_lags(draw: Draw):
    """A tone whose period is the last of nine lags"""
    period = draw.integer(40, 44)
    return _tone(draw, 16_000 / period, 900, 6), 16_000, 16_000 / (period + 0.5), 16_000 / (period - 8.5)


@pitch.case(group="range")
def another_range(draw: Draw):
    """Another range: from 500 to 900 Hz"""
    return arguments(_tone(draw, 16_000 / draw.integer(18, 32), 1024, 3), fmin=500.0, fmax=900.0)


@pitch.case(group="range")
def lower_than_usual(draw: Draw):
    """A range that reaches down to 30 Hz, and a tone of about 40"""
    return arguments(_tone(draw, draw.integer(36, 46), 2048, 10), fmin=30.0)


@pitch.case(group="range")
def no_deeper(draw: Draw):
    """Clicks, every other one half as loud, where two steps lie below fmin: so one step it is"""
    period = draw.integer(45, 100)
    return arguments(_clicks(period, 16, weak=0.5), fmin=16_000 / (1.6 * period))


@pitch.hidden_case(group="range")
def no_deeper_than_eighty(draw: Draw):
    """The same with fmin between 60 and 100 Hz"""
    period = draw.integer(105, 160)
    return arguments(_clicks(period, 16, weak=0.5), fmin=16_000 / (1.6 * period))


@pitch.hidden_case(group="range")
def a_fine_sample_rate(draw: Draw):
    """44 100 Hz, and clicks of 60 to 70 Hz"""
    return _clicks(draw.integer(630, 735), 8), 44_100


@pitch.case(group="range")
def first_lag_rounded_up(draw: Draw):
    """8 kHz, and clicks a third of a sample too fast for fmax: the first lag is rounded up, so two steps it is"""
    period = draw.integer(17, 25)
    return arguments(_clicks(period, 24, (1.0, 0.5)), sample_rate=8_000, fmax=8_000 / (period + 0.3))


@pitch.case(group="range")
def last_lag_rounded_down(draw: Draw):
    """8 kHz, and clicks a third of a sample too slow for fmin: the last lag is rounded down"""
    period = draw.integer(17, 25)
    frame = _clicks(period, 24, (1.0, 0.5))
    return arguments(frame, sample_rate=8_000, fmin=8_000 / (period - 0.3), fmax=8_000 / (period - 5.7))


@pitch.case(group="range")
def another_sample_rate(draw: Draw):
    """Another sample rate: 22 050 Hz"""
    return arguments(_tone(draw, draw.integer(90, 250), 1400, 8, 22_050), sample_rate=22_050)


@pitch.hidden_case(group="range")
def everything_given(draw: Draw):
    """Sample rate and range, given by position"""
    return _tone(draw, draw.integer(100, 180), 1000, 8, 11_025), 11_025, 80.0, 200.0


@pitch.case(group="place")
def late_start(draw: Draw):
    """A frame that begins with silence"""
    return torch.cat([torch.zeros(draw.integer(700, 900)), _tone(draw, draw.integer(120, 300), 600, 6)])


@pitch.hidden_case(group="place")
def very_late_start(draw: Draw):
    """Clicks after a long silence"""
    return torch.cat([torch.zeros(draw.integer(6_000, 9_000)), _clicks(draw.integer(50, 130), 8)])


@pitch.hidden_case(group="place")
def early_end(draw: Draw):
    """A frame that ends in silence"""
    return torch.cat([_tone(draw, draw.integer(120, 300), 700, 6), torch.zeros(draw.integer(900, 1200))])


@pitch.hidden_case(group="place")
def very_early_end(draw: Draw):
    """Clicks before a long silence"""
    return torch.cat([_clicks(draw.integer(50, 130), 8), torch.zeros(draw.integer(6_000, 9_000))])


@pitch.case(group="place")
def between_two_bursts(draw: Draw):
    """A tone between two equal bursts of noise: what leaves at the end does not come in again at the beginning"""
    return _between_bursts(draw, draw.integer(120, 200), 4096)


@pitch.hidden_case(group="place")
def between_louder_bursts(draw: Draw):
    """The same with a higher tone"""
    return _between_bursts(draw, draw.integer(200, 250), 5000)


def _between_bursts(draw: Draw, f0: int, samples: int):
    burst, gap = draw.normal(30, scale=5.0), torch.zeros(400)
    tone = torch.cat([gap, _tone(draw, f0, samples, 6), gap])
    tone[:30], tone[-45:-15] = burst, burst
    return tone


@pitch.case(group="level")
def silence(draw: Draw):
    """Silence"""
    return torch.zeros(draw.integer(600, 1024))


@pitch.case(group="level")
def quiet_tone(draw: Draw):
    """A very quiet tone"""
    return 5e-5 * _tone(draw, draw.integer(90, 300), 1024, 6)


@pitch.hidden_case(group="level")
def hardly_a_tone(draw: Draw):
    """Clicks of a ten billionth"""
    return 1e-10 * _clicks(draw.integer(50, 130), 12)


@pitch.hidden_case(group="level")
def loud_tone(draw: Draw):
    """A tone as 16-bit integers would give it: up to 30 000"""
    return 3e4 * _tone(draw, draw.integer(90, 300), 1024, 6)


@pitch.hidden_case(group="level")
def long_silence(draw: Draw):
    """A silent frame of another length"""
    return torch.zeros(draw.integer(2000, 4096))


def _pick(r, first, sample_rate, choose=lambda r: np.flatnonzero(r >= 0.95 * r.max())[0]):
    return float(sample_rate / (first + choose(r))) if r.any() else 0.0


@pitch.misconception(
    "The line lies only 1 % below the highest value: a peak that is near enough does not count.",
    hint="A lag counts from 0.95 times the highest r on. Is there a 0.99 in your code?",
)
def line_too_high(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    found = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(*found, sample_rate, lambda r: np.flatnonzero(r >= 0.99 * r.max())[0])


@pitch.misconception(
    "It takes the highest value, not the smallest lag near it: an octave too low where two periods fit better.",
    hint="Everything that repeats after one period repeats after two. Which of nearly equal peaks is the period?",
)
def highest_value(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return _pick(*_autocorrelation(frame, sample_rate, fmin, fmax), sample_rate, np.argmax)


@pitch.misconception(
    "The line lies 10 % below the highest value: a peak that is too low counts as the period.",
    hint="A lag counts from 0.95 times the highest r on. Is there a 0.9 in your code?",
)
def line_too_low(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    found = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(*found, sample_rate, lambda r: np.flatnonzero(r >= 0.9 * r.max())[0])


@pitch.misconception(
    "It takes the first peak that is halfway high, not the first lag within 5 % of the highest.",
    hint="Which number do you compare r with? It should be 0.95 times the highest r in the range.",
)
def first_good_peak(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    if not r.any():
        return 0.0
    bar = 0.5 * float(frame.double().square().sum())
    around = np.concatenate([[-np.inf], r, [-np.inf]])
    peaks = np.flatnonzero((r >= bar) & (r >= around[:-2]) & (r >= around[2:]))
    return float(sample_rate / (first + (peaks[0] if len(peaks) else r.argmax())))


@pitch.misconception(
    "The first lag is rounded down, so a pitch above fmax is searched.",
    hint="With sr 8 000 and fmax 450 the quotient is 17.8. Lag 17 would be 471 Hz: does it belong to the range?",
)
def first_rounded_down(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate, fmin, sample_rate / math.floor(sample_rate / fmax))


@pitch.misconception(
    "The last lag is rounded up, so a pitch below fmin is searched.",
    hint="With sr 8 000 and fmin 350 the quotient is 22.9. Lag 23 would be 348 Hz: does it belong to the range?",
)
def last_rounded_up(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate, sample_rate / math.ceil(sample_rate / fmin), fmax)


@pitch.misconception(
    "fmin has no effect: the longest lag is always that of 60 Hz.",
    hint="Set fmin to 30 and give it a tone of 40 Hz. What should be the longest lag?",
)
def fixed_fmin(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate, 60.0, fmax)


@pitch.misconception(
    "fmax has no effect: the shortest lag is always that of 400 Hz.",
    hint="Set fmax to 900 and give it a tone of 800 Hz. What should be the shortest lag?",
)
def fixed_fmax(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate, fmin, 400.0)


@pitch.misconception(
    "It takes the largest of the lags that come near the highest value: octaves too low.",
    hint="Which end of the list do you take? The period is the shortest time after which the sound repeats.",
)
def largest_lag(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    found = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(*found, sample_rate, lambda r: np.flatnonzero(r >= 0.95 * r.max())[-1])


@pitch.misconception(
    "The search begins at lag 1: a sound is always similar to itself a moment later.",
    hint="Which lag belongs to 400 Hz? Nothing shorter may be searched.",
)
def from_lag_one(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    x = frame.double().numpy()
    r = np.correlate(x, x, "full")[len(x) :][: math.floor(sample_rate / fmin)]
    return _pick(r, 1, sample_rate)


@pitch.misconception(
    "The place in the list of searched lags is taken for the lag itself.",
    hint="The first value of your list belongs to the lag ⌈sr/fmax⌉, not to 0.",
)
def place_for_lag(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, _ = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(r, 0, sample_rate, lambda r: max(np.flatnonzero(r >= 0.95 * r.max())[0], 1e-3))


@pitch.misconception(
    "The lag is one too large: at 400 Hz that is 10 Hz.",
    hint="Test a tone of exactly 400 Hz, 40 samples. Which lag do you find? Where does your list begin?",
)
def lag_too_large(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(r, first + 1, sample_rate)


@pitch.misconception(
    "The lag is one too small: at 400 Hz that is 10 Hz.",
    hint="Test a tone of exactly 400 Hz, 40 samples. Which lag do you find? Where does your list begin?",
)
def lag_too_small(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(r, first - 1, sample_rate)


@pitch.misconception(
    "It returns the period in samples, not a frequency.",
    hint="A long period is a low pitch. How many periods fit into one second?",
)
def period_in_samples(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    found = pitch(frame, sample_rate, fmin, fmax)
    return sample_rate / found if found else 0.0


@pitch.misconception(
    "The frequencies are used as lags: it searches from fmin to fmax samples.",
    hint="60 Hz is a period of 16 000/60 = 266.7 samples. Which end of the range belongs to which frequency?",
)
def frequencies_as_lags(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    x = frame.double().numpy()
    r = np.correlate(x, x, "full")[len(x) - 1 :][int(fmin) : int(fmax) + 1]
    return _pick(r, int(fmin), sample_rate)


@pitch.misconception(
    "The sample rate is taken to be 16 000 Hz, whatever was given.",
    hint="Is there a 16000 in your code that should be `sample_rate`?",
)
def fixed_sample_rate(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, 16_000, fmin, fmax)


@pitch.misconception(
    "The range is always 60 to 400 Hz, whatever was given.",
    hint="Is there a 60 or 400, or the lags 40 and 266, in your code?",
)
def fixed_range(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate)


@pitch.misconception(
    "It looks at the size of r, not its sign: at half a period a hollow tone is its own mirror image.",
    hint="Is there an `abs`? A wave that comes back upside down has not come back.",
)
def absolute_value(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(np.abs(r), first, sample_rate)


@pitch.misconception(
    "The frame is bent into a ring: what leaves at the end comes in again at the beginning.",
    hint="`roll` does so, and a Fourier transform without zeros after the frame. Only overlapping samples count.",
)
def in_a_ring(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    x = np.append(frame.double().numpy(), np.zeros(len(frame) % 2))
    r = np.fft.irfft(np.abs(np.fft.rfft(x)) ** 2)
    first = math.ceil(sample_rate / fmax)
    return _pick(r[first : math.floor(sample_rate / fmin) + 1], first, sample_rate)


@pitch.misconception(
    "The last lag is not searched.",
    hint="`range(first, last)` ends before `last`. Both ends belong to the range.",
)
def last_lag_missing(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    return _pick(r[:-1], first, sample_rate)


@pitch.misconception(
    "Only the beginning of the frame is looked at.",
    hint="Let the frame begin with silence. All samples count.",
)
def beginning_only(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame[:500], sample_rate, fmin, fmax)


@pitch.misconception(
    "Silence gets a pitch.",
    hint="Where r(0) is 0 there is nothing to divide by. What should come out?",
)
def silence_has_a_pitch(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate, fmin, fmax) or float(fmax)


@pitch.misconception(
    "A quiet tone is taken for silence.",
    hint="Only a frame of zeros is silent here. The ratio r(τ)/r(0) does not depend on the level.",
)
def quiet_is_silence(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    return pitch(frame, sample_rate, fmin, fmax) if frame.square().mean() > 1e-4 else 0.0


@pitch.misconception(
    "It takes the strongest frequency of the spectrum: that is one of the harmonics, often not the first.",
    hint="The ear hears the period, even where the lowest harmonic is missing. Compare the frame with itself, shifted.",
)
def strongest_frequency(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    spectrum = np.abs(np.fft.rfft(frame.double().numpy(), 1 << 16))
    return float(spectrum.argmax() * sample_rate / (1 << 16))


@pitch.misconception(
    "It counts how often the wave crosses zero: harmonics add crossings.",
    hint="Plot one period of a vowel: how often does it cross zero? Compare the frame with itself, shifted.",
)
def zero_crossings(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    above = frame > 0
    return float((above[1:] != above[:-1]).sum() * sample_rate / (2 * len(frame)))


@pitch.misconception(
    "A lag must reach 0.95 itself, instead of coming within 5 % of the highest value; in short frames none does.",
    hint="With every lag fewer samples overlap, so r falls. Compare with the highest r in the range, not with r(0).",
)
def fixed_threshold(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    r, first = _autocorrelation(frame, sample_rate, fmin, fmax)
    near = np.flatnonzero(r >= 0.95 * float(frame.double().square().sum()))
    return float(sample_rate / (first + near[0])) if r.any() and len(near) else 0.0


@pitch.alternative
def lag_by_lag(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    longest = min(int(sample_rate // fmin), len(frame) - 1)
    energy = frame.square().sum().item()
    if energy == 0:
        return 0.0
    values = {}
    for lag in range(-int(-sample_rate // fmax), longest + 1):
        values[lag] = torch.dot(frame[:-lag], frame[lag:]).item() / energy
    bar = 0.95 * max(values.values())
    return sample_rate / min(lag for lag, value in values.items() if value >= bar)


@pitch.alternative
def by_fourier(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    if not frame.any():
        return 0.0
    first, last = math.ceil(sample_rate / fmax), math.floor(sample_rate / fmin)
    power = torch.fft.rfft(frame.double(), 2 * (len(frame) + last)).abs().square()  # zeros, so that nothing wraps
    r = torch.fft.irfft(power)[first : last + 1]
    return sample_rate / (first + int((r / r.max() >= 0.95).int().argmax()))


@pitch.alternative
def by_convolution(frame, sample_rate=16_000, fmin=60.0, fmax=400.0):
    first, last = math.ceil(sample_rate / fmax), math.floor(sample_rate / fmin)
    shifted = functional.pad(frame, (0, last))[None, None]
    r = functional.conv1d(shifted, frame[None, None])[0, 0]  # r[τ], τ from 0 to last
    if r[0] == 0:
        return 0.0
    near = r[first:] >= r[first:].max() - 0.05 * r[first:].max().abs()
    return sample_rate / (first + near.nonzero()[0].item())


# ----------------------------------------------------------------------------------------------- greedy_generate


@exercise(unit=UNIT)
def greedy_generate(next_logits, bos, eos, max_length):
    likeliest = np.argmax(next_logits.numpy(), axis=1)  # the first of equals, as NumPy promises
    tokens, token = [], bos
    while len(tokens) < max_length and (token := int(likeliest[token])) != eos:
        tokens.append(token)
    return tokens


def _chain(draw: Draw, vocabulary: int, path: list[int]) -> torch.Tensor:
    """Random scores in which each token of the path is followed by the next."""
    scores = draw.normal(vocabulary, vocabulary)
    for one, following in itertools.pairwise(path):
        scores[one, following] = scores[one].max() + 0.5
    return scores


def _story(draw: Draw, vocabulary: int, length: int, max_length: int):
    """A chain of `length` tokens from bos to eos, which are any two ids."""
    path = draw.sample(range(vocabulary), length + 2)
    return _chain(draw, vocabulary, path), path[0], path[-1], max_length


@greedy_generate.case
def a_short_text(draw: Draw):
    """Four tokens, then the end"""
    return _story(draw, 7, 4, 20)


@greedy_generate.hidden_case
def any_text(draw: Draw):
    """Any length"""
    return _story(draw, 12, draw.integer(3, 9), 50)


@greedy_generate.hidden_case
def all_scores_negative(draw: Draw):
    """Log-probabilities of long texts as scores: thousands below zero"""
    scores, *rest = _story(draw, 9, 5, 30)
    return scores.log_softmax(-1) - 5_000, *rest


@greedy_generate.hidden_case
def a_large_vocabulary(draw: Draw):
    """400 tokens in the vocabulary, 350 in the text"""
    return _story(draw, 400, 350, 1_000)


@greedy_generate.case(group="length")
def cut_off(draw: Draw):
    """A text that is longer than allowed"""
    return _story(draw, 9, 6, 3)


@greedy_generate.case(group="length")
def just_long_enough(draw: Draw):
    """A text exactly as long as allowed"""
    return _story(draw, 9, 5, 5)


@greedy_generate.case(group="length")
def round_in_circles(draw: Draw):
    """A text that goes round in circles for ever"""
    bos, one, two, eos = draw.sample(range(6), 4)
    return _chain(draw, 6, [bos, one, two, one]), bos, eos, 11


@greedy_generate.hidden_case(group="length")
def round_and_round(draw: Draw):
    """A circle of many tokens, 1500 tokens long"""
    tokens = draw.sample(range(40), 20)
    return _chain(draw, 40, [*tokens[:-1], tokens[1]]), tokens[0], tokens[-1], 1_500


@greedy_generate.hidden_case(group="length")
def stuck_on_one_token(draw: Draw):
    """A token that follows itself"""
    bos, one, eos = draw.sample(range(5), 3)
    return _chain(draw, 5, [bos, one, one]), bos, eos, draw.integer(4, 12)


@greedy_generate.hidden_case(group="length")
def a_single_token(draw: Draw):
    """One token is allowed"""
    return _story(draw, 8, 5, 1)


@greedy_generate.case(group="edge")
def the_end_at_once(draw: Draw):
    """The end comes first: an empty list"""
    return _story(draw, 6, 0, 10)


@greedy_generate.case(group="edge")
def bos_again(draw: Draw):
    """The bos comes again in the middle, and stays"""
    bos, one, eos = draw.sample(range(6), 3)
    return _bos_again(draw, 6, bos, one), bos, eos, 7


def _bos_again(draw: Draw, vocabulary: int, bos: int, one: int) -> torch.Tensor:
    """bos → one → bos …; the second best after `one` is `one` itself."""
    scores = _chain(draw, vocabulary, [bos, one, bos])
    scores[one, one] = scores[one, bos] - 0.1
    return scores


@greedy_generate.hidden_case(group="edge")
def bos_follows_itself(draw: Draw):
    """The bos follows itself"""
    bos, eos = draw.sample(range(5), 2)
    return _chain(draw, 5, [bos, bos]), bos, eos, 4


@greedy_generate.case(group="edge")
def a_tie(draw: Draw):
    """Several tokens are equally likely: the one with the lowest id comes"""
    ids = sorted(draw.sample(range(8), 6))
    bos, eos = ids.pop(draw.integer(2, 6)), ids.pop(draw.integer(3, 5))
    scores = _chain(draw, 8, [bos, ids[0], ids[1], eos])
    scores[bos, ids[1:]] = scores[bos, ids[0]].item()
    scores[ids[0], ids[2:]] = scores[ids[0], ids[1]].item()
    return scores, bos, eos, 10


@greedy_generate.case(group="edge")
def the_end_wins_a_tie(draw: Draw):
    """The end is as likely as another token, and has the lower id: it wins"""
    eos, two = sorted(draw.sample(range(7), 2))
    return _tie_with_the_end(draw, eos, two)


@greedy_generate.hidden_case(group="edge")
def the_end_loses_a_tie(draw: Draw):
    """The end is as likely as another token, and has the higher id: it loses"""
    two, eos = sorted(draw.sample(range(7), 2))
    return _tie_with_the_end(draw, eos, two)


def _tie_with_the_end(draw: Draw, eos: int, two: int):
    bos, one = draw.sample([i for i in range(7) if i not in (eos, two)], 2)
    scores = _chain(draw, 7, [bos, one, two, eos])
    scores[one, eos] = scores[one, two].item()
    return scores, bos, eos, 10


@greedy_generate.case(group="edge")
def scores_below_zero(draw: Draw):
    """All scores lie far below zero"""
    scores, *rest = _story(draw, 7, 4, 20)
    return scores - 100, *rest


@greedy_generate.hidden_case(group="edge")
def impossible_tokens(draw: Draw):
    """Scores of −∞ for all but a few"""
    scores, bos, eos, _ = _story(draw, 9, 5, 20)
    return scores.masked_fill(scores < scores.amax(1, keepdim=True), -math.inf), bos, eos, 20


@greedy_generate.hidden_property_case(group="edge")
def nothing_allowed(draw: Draw):
    """No token is allowed: an empty list"""
    scores, bos, eos, _ = _story(draw, 7, 4, 0)
    got = yield scores, bos, eos, 0
    if got.value != []:
        raise Wrong("max_length is 0, so the list should be empty")
    got = yield scores, bos, eos, 2
    if not isinstance(got.value, list) or len(got.value) != 2:
        raise Wrong("max_length is 2 and the text is longer, so the list should have two tokens")


def _generate(next_logits, bos, eos, max_length, choose=lambda row: int(row.argmax())):
    tokens, token = [], bos
    while len(tokens) < max_length:
        token = choose(next_logits[token])
        if token == eos:
            break
        tokens.append(token)
    return tokens


@greedy_generate.misconception(
    "The starting bos is returned, too.",
    hint="bos is only the question: what comes first?",
)
def with_bos(next_logits, bos, eos, max_length):
    return [bos, *_generate(next_logits, bos, eos, max_length)]


@greedy_generate.misconception(
    "The final eos is returned, too.",
    hint="eos says that the text is over. Is it part of the text?",
)
def with_eos(next_logits, bos, eos, max_length):
    tokens = _generate(next_logits, bos, eos, max_length)
    return [*tokens, eos] if len(tokens) < max_length else tokens


@greedy_generate.misconception(
    "Rows and columns are exchanged: it asks what comes before, not after.",
    hint="`next_logits[i]` is row i: the scores of what follows token i.",
)
def columns(next_logits, bos, eos, max_length):
    return _generate(next_logits.T, bos, eos, max_length)


@greedy_generate.misconception(
    "One token too many where the limit is reached.",
    hint="With max_length 3, at most three tokens come back. When do you look at the length?",
)
def one_too_many(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, eos, max_length + 1)


@greedy_generate.misconception(
    "One token too few where the limit is reached: bos is counted.",
    hint="max_length counts the tokens that come back, and bos does not.",
)
def one_too_few(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, eos, max_length - 1)


@greedy_generate.misconception(
    "It does not stop at eos.",
    hint="What should happen when the most likely token is eos?",
)
def never_stops(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, None, max_length)


@greedy_generate.misconception(
    "It passes over eos and goes on after it.",
    hint="Leaving eos out of the list is not enough: nothing comes after it.",
)
def passes_over_eos(next_logits, bos, eos, max_length):
    return [token for token in _generate(next_logits, bos, None, max_length) if token != eos]


@greedy_generate.misconception(
    "It stops as soon as a token comes a second time.",
    hint="Words return in every text. Only eos and max_length end it.",
)
def stops_at_a_repetition(next_logits, bos, eos, max_length):
    tokens = _generate(next_logits, bos, eos, max_length)
    for i, token in enumerate(tokens):
        if token in tokens[:i]:
            return tokens[:i]
    return tokens


@greedy_generate.misconception(
    "A bos in the middle is left out.",
    hint="Only the bos that you start from is not returned. One that the model generates is a token like others.",
)
def without_any_bos(next_logits, bos, eos, max_length):
    return [token for token in _generate(next_logits, bos, eos, max_length) if token != bos]


@greedy_generate.misconception(
    "A bos in the middle ends the text.",
    hint="Only eos and max_length end it.",
)
def stops_at_bos(next_logits, bos, eos, max_length):
    tokens = _generate(next_logits, bos, eos, max_length)
    return tokens[: tokens.index(bos)] if bos in tokens else tokens


@greedy_generate.misconception(
    "A bos is never chosen: where it is best, another token takes its place.",
    hint="Only the bos that you start from is not returned. One that the model generates is a token like others.",
)
def bos_forbidden(next_logits, bos, eos, max_length):
    others = next_logits.clone()
    others[:, bos] = -math.inf
    return _generate(others, bos, eos, max_length)


@greedy_generate.misconception(
    "In a tie the end always wins.",
    hint="eos has an id as well. Which of two equal scores comes first in the row?",
)
def end_wins_every_tie(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, eos, max_length, lambda row: eos if row[eos] == row.max() else int(row.argmax()))


@greedy_generate.misconception(
    "In a tie the end never wins.",
    hint="eos has an id as well. Which of two equal scores comes first in the row?",
)
def end_wins_no_tie(next_logits, bos, eos, max_length):
    def choose(row):
        others = row.clone()
        others[eos] = -math.inf
        return int(others.argmax()) if others.max() == row.max() else eos

    return _generate(next_logits, bos, eos, max_length, choose)


@greedy_generate.misconception(
    "Where two tokens are equally likely it takes the one with the higher id.",
    hint="The lowest id wins a tie. Does your loop use `>=` where it should use `>`?",
)
def ties_to_the_last(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, eos, max_length, lambda row: len(row) - 1 - int(row.flip(0).argmax()))


@greedy_generate.misconception(
    "A negative score never wins: the search for the best begins at 0.",
    hint="Log-probabilities are all negative. Begin with the first score, or with −∞.",
)
def best_begins_at_zero(next_logits, bos, eos, max_length):
    return _generate(next_logits.clamp_min(0), bos, eos, max_length)


@greedy_generate.misconception(
    "It does not feed back what it wrote: every step asks what follows bos, or asks all rows at once.",
    hint="Autoregressive: the token you have just chosen decides which row you look at next.",
)
def not_fed_back(next_logits, bos, eos, max_length):
    token = int(next_logits[bos].argmax())
    return [] if token == eos else [token] * max_length


@greedy_generate.misconception(
    "It takes the least likely token.",
    hint="Greedy means: the highest score.",
)
def least_likely(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, eos, max_length, lambda row: int(row.argmin()))


@greedy_generate.alternative
def by_recursion_on_lists(next_logits, bos, eos, max_length):
    rows = next_logits.tolist()
    tokens = []
    for _ in range(max_length):
        row = rows[tokens[-1] if tokens else bos]
        best = row.index(max(row))
        if best == eos:
            return tokens
        tokens.append(best)
    return tokens


@greedy_generate.alternative
def by_iterator(next_logits, bos, eos, max_length):
    after = [min(range(len(row)), key=lambda i, row=row: (-row[i], i)) for row in next_logits.tolist()]
    tokens = itertools.accumulate(itertools.repeat(None, max_length), lambda token, _: after[token], initial=bos)
    next(tokens)
    return list(itertools.takewhile(lambda token: token != eos, tokens))


@greedy_generate.alternative
def by_torch(next_logits, bos, eos, max_length):
    return _generate(next_logits, bos, eos, max_length)
