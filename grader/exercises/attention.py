"""Unit 02: softmax, scores, masks, attention, heads, and what they cost."""

import math

import torch

from grader.draw import Draw
from grader.exercise import Wrong, arguments, exercise

INF = float("inf")


# ---------------------------------------------------------------------------------------------- attention_scores


@exercise(unit="02_attention", differentiable=True)
def attention_scores(q, k):
    return torch.einsum("...id,...jd->...ij", q, k) / math.sqrt(q.shape[-1])


@attention_scores.case
def one_clip(draw: Draw):
    """Queries and keys of one clip."""
    return draw.normal(5, 4), draw.normal(7, 4)


@attention_scores.case
def two_clips(draw: Draw):
    """A batch of two clips."""
    return draw.normal(2, 5, 3), draw.normal(2, 7, 3)


@attention_scores.hidden_case
def several_heads(draw: Draw):
    """A batch with several heads."""
    return draw.normal(2, 3, 5, 6), draw.normal(2, 3, 7, 6)


@attention_scores.case(group="edge")
def as_many_clips_as_frames(draw: Draw):
    """As many clips as frames, and as many frames as dimensions."""
    return draw.normal(4, 4, 4), draw.normal(4, 4, 4)


@attention_scores.hidden_case(group="edge")
def one_dimension(draw: Draw):
    """Vectors of a single number."""
    return draw.normal(3, 1), draw.normal(6, 1)


@attention_scores.hidden_case(group="edge")
def double_precision_scores(draw: Draw):
    """Numbers in float64."""
    return draw.normal(2, 5, 3).double(), draw.normal(2, 6, 3).double()


@attention_scores.misconception(
    "The scores grow with the size of the vectors: the division by √d is missing.",
    hint="A dot product adds d terms. What does that do to its spread when d gets larger?",
)
def unscaled_scores(q, k):
    return q @ k.mT


@attention_scores.misconception(
    "The scores are divided by d, not by its square root.",
    hint="A sum of d random terms spreads like √d, not like d. Look at the formula once more.",
)
def divided_by_d(q, k):
    return q @ k.mT / q.shape[-1]


@attention_scores.misconception(
    "The scores are divided by the root of the number of keys instead of the size of a vector.",
    hint="In a tensor of shape (…, T, d), which position of `shape` holds d?",
)
def scaled_by_the_number_of_keys(q, k):
    return q @ k.mT / math.sqrt(k.shape[-2])


@attention_scores.misconception(
    "The scores are divided by the root of the first dimension of q instead of the size of a vector.",
    hint="The first dimension holds frames or clips. Counted from the end, which position of `shape` holds d?",
)
def scaled_by_the_first_dimension(q, k):
    return q @ k.mT / math.sqrt(q.shape[0])


@attention_scores.misconception(
    "Number by number, query i meets only key i; here every query meets every key.",
    hint="Five queries and seven keys make 35 scores. Which product of two matrices holds every dot product?",
)
def pairs_of_equals(q, k):
    return (q * k).sum(-1) / math.sqrt(q.shape[-1])


@attention_scores.misconception(
    "Rows and columns are exchanged: row i holds what the queries ask of key i.",
    hint="Row i belongs to query i. How many rows should the result have, and how many columns?",
)
def keys_in_rows(q, k):
    return k @ q.mT / math.sqrt(q.shape[-1])


@attention_scores.misconception(
    "It multiplies by √d where it should divide.",
    hint="Should longer vectors give larger scores, or scores of the same size?",
)
def multiplied_by_root_d(q, k):
    return q @ k.mT * math.sqrt(q.shape[-1])


@attention_scores.misconception(
    "The softmax is already applied: these are weights, not scores.",
    hint="Scores may be negative, and a row need not add up to one. That comes in the next step.",
)
def already_weights(q, k):
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)


@attention_scores.misconception(
    "Every vector is scaled to length one, so that the scores are cosines.",
    hint="Cosine similarity divides by two lengths that differ from frame to frame. Attention divides by one constant.",
)
def cosines(q, k):
    return torch.nn.functional.normalize(q, dim=-1) @ torch.nn.functional.normalize(k, dim=-1).mT


@attention_scores.misconception(
    "`.T` reverses all dimensions: right for one clip, wrong for a batch.",
    hint="Only the last two dimensions of the keys change places. Which attribute or method exchanges just those?",
)
def reversed_dimensions(q, k):
    return q @ k.permute(*range(k.ndim - 1, -1, -1)) / math.sqrt(q.shape[-1])


@attention_scores.alternative
def scores_pair_by_pair(q, k):
    columns = [(q * k[..., j : j + 1, :]).sum(-1) for j in range(k.shape[-2])]
    return torch.stack(columns, dim=-1) / q.shape[-1] ** 0.5


@attention_scores.alternative
def scale_shared_by_both(q, k):
    root = q.shape[-1] ** 0.25
    return torch.matmul(q / root, (k / root).transpose(-2, -1))


@attention_scores.alternative
def scores_by_broadcasting(q, k):
    return (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) * q.shape[-1] ** -0.5


# ------------------------------------------------------------------------------------------------------- softmax


@exercise(unit="02_attention", differentiable=True)
def softmax(x, dim=-1):
    return torch.softmax(x, dim)


@softmax.case
def one_row(draw: Draw):
    """One row of scores."""
    return draw.normal(6, scale=2.0)


@softmax.case
def several_rows(draw: Draw):
    """Several rows."""
    return draw.normal(5, 7, scale=2.0)


@softmax.hidden_case
def batch_of_rows(draw: Draw):
    """A batch of rows."""
    return draw.normal(2, 3, 5)


@softmax.hidden_case
def square_of_scores(draw: Draw):
    """As many rows as columns."""
    return draw.normal(4, 4)


@softmax.case(group="dim")
def down_the_columns(draw: Draw):
    """Over the first dimension, dim=0."""
    return arguments(draw.normal(5, 3), dim=0)


@softmax.hidden_case(group="dim")
def middle_dimension(draw: Draw):
    """Over the middle dimension, given by position."""
    return draw.normal(2, 5, 3), 1


@softmax.hidden_case(group="dim")
def dimension_from_the_end(draw: Draw):
    """Over the last dimension but one, dim=-2."""
    return arguments(draw.normal(3, 4, 2, 5), dim=-2)


@softmax.case(group="large values", gradient=False)
def ten_thousands(draw: Draw):
    """Scores between −10 000 and 10 000."""
    return torch.stack([draw.permutation(5) for _ in range(3)]) * 5e3 - 1e4


@softmax.case(group="large values", gradient=False)
def rows_thousands_apart(draw: Draw):
    """Rows that lie far apart: around 0, 5 000 and −5 000."""
    # Whole numbers: far from zero float32 is coarse, and ways of writing it that are all right would differ.
    rows = torch.stack([draw.permutation(5) for _ in range(3)]) * 20.0 - 40.0
    return rows + torch.tensor([[0.0], [5e3], [-5e3]])


@softmax.hidden_case(group="large values")
def rows_far_apart(draw: Draw):
    """Rows that lie hundreds apart."""
    return draw.normal(3, 5) + torch.tensor([[0.0], [400.0], [-400.0]])


@softmax.case(group="large values")
def minus_infinity(draw: Draw):
    """Some scores are minus infinity."""
    x = draw.normal(4, 6)
    x[:, 2] = -INF
    x[1, 3:] = -INF
    return x


@softmax.hidden_case(group="large values")
def one_finite_score(draw: Draw):
    """All scores of a row but one are minus infinity."""
    x = draw.normal(3, 5)
    x[1, 1:] = -INF
    return x


@softmax.hidden_case(group="large values", gradient=False)
def low_scores_beside_minus_infinity(draw: Draw):
    """Scores below −30 000 beside minus infinity."""
    x = torch.stack([draw.permutation(5) for _ in range(3)]) * 100.0 - 4e4
    x[:, draw.integer(0, 5)] = -INF
    return x


@softmax.hidden_property_case(group="large values")
def minus_infinity_weighs_nothing(draw: Draw):
    """A score of minus infinity gets the weight zero, exactly."""
    x = draw.normal(4, 5)
    x[:, 3] = -INF
    got = yield x
    if got.value[:, 3].any():
        raise Wrong("a score of minus infinity got a weight that is not zero")
    if not (got.value[:, :3] > 0).all():
        raise Wrong("a finite score got no weight")


@softmax.hidden_case(group="large values")
def double_precision(draw: Draw):
    """Numbers in float64, some of them large."""
    return draw.normal(3, 4).double() + 800 * draw.integers(0, 3, 3, 1)


@softmax.misconception(
    "It overflows: in float32, exp of anything above 88.7 is infinite, and ∞/∞ is not a number.",
    hint="Adding one constant to a whole row does not change its softmax. Which constant keeps exp small?",
)
def no_maximum(x, dim=-1):
    return torch.exp(x) / torch.exp(x).sum(dim, keepdim=True)


@softmax.misconception(
    "The largest number of the whole tensor is subtracted: rows far below it vanish, and 0/0 is not a number.",
    hint="Each row needs its own maximum. Which argument of the maximum says along which dimension to look?",
)
def one_maximum_for_all(x, dim=-1):
    powers = torch.exp(x - x.max())
    return powers / powers.sum(dim, keepdim=True)


@softmax.misconception(
    "The mean of the row is subtracted: scores far above it still overflow, and beside −∞ there is no mean.",
    hint="After the subtraction no score may be large and positive. Which number of the row is never too small?",
)
def mean_subtracted(x, dim=-1):
    powers = torch.exp(x - x.mean(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)


@softmax.misconception(
    "It always works along the last dimension, whatever `dim` says.",
    hint="Look for a -1 that should be `dim`.",
)
def always_last_dimension(x, dim=-1):
    return torch.softmax(x, -1)


@softmax.misconception(
    "It works down the columns: the columns add up to one where the rows should.",
    hint="Print `softmax(x).sum(-1)`. What should it be?",
)
def always_first_dimension(x, dim=-1):
    return torch.softmax(x, 0)


@softmax.misconception(
    "The whole tensor adds up to one, not each row.",
    hint="Over which dimension should the sum in the denominator run?",
)
def sums_everything(x, dim=-1):
    powers = torch.exp(x - x.amax(dim, keepdim=True))
    return powers / powers.sum()


@softmax.misconception(
    "The sum has lost its dimension, so rows are divided by other rows' sums.",
    hint="Compare the shapes of the numerator and the denominator. Which argument of `sum` keeps the dimension?",
)
def dimension_lost(x, dim=-1):
    powers = torch.exp(x - x.amax(dim, keepdim=True))
    return powers / powers.sum(dim)


@softmax.misconception(
    "Large scores are cut off, so that different scores become equal.",
    hint="Nothing needs to be cut. What can you subtract from a whole row without changing the result?",
)
def cut_off(x, dim=-1):
    return torch.softmax(x.clamp(-80, 80), dim)


@softmax.misconception(
    "The numbers are divided by their sum without being exponentiated first.",
    hint="Scores can be negative; weights cannot. Which function makes every number positive?",
)
def no_exponential(x, dim=-1):
    return x / x.sum(dim, keepdim=True)


@softmax.misconception(
    "It gives the logarithm of the softmax.",
    hint="Weights lie between zero and one. Are yours negative?",
)
def logarithm(x, dim=-1):
    return torch.log_softmax(x, dim)


@softmax.misconception(
    "Each number is squeezed by itself (a sigmoid): a row does not add up to one.",
    hint="In a softmax the numbers of a row compete: when one weight grows, the others shrink.",
)
def each_by_itself(x, dim=-1):
    return torch.sigmoid(x)


@softmax.alternative
def shifted_by_the_maximum(x, dim=-1):
    powers = (x - x.detach().amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


@softmax.alternative
def through_logsumexp(x, dim=-1):
    return torch.exp(x - torch.logsumexp(x, dim, keepdim=True))


@softmax.alternative
def row_by_row(x, dim=-1):
    rows = x.movedim(dim, -1)
    flat = [torch.exp(row - row.max()) for row in rows.reshape(-1, rows.shape[-1])]
    return torch.stack([row / row.sum() for row in flat]).reshape(rows.shape).movedim(-1, dim)


# --------------------------------------------------------------------------------------------------- causal_mask


@exercise(unit="02_attention")
def causal_mask(T):
    return torch.nn.Transformer.generate_square_subsequent_mask(T) == 0


@causal_mask.case
def four_frames(draw: Draw):
    """Four frames."""
    return 4


@causal_mask.hidden_case
def more_frames(draw: Draw):
    """More frames."""
    return draw.integer(5, 40)


@causal_mask.hidden_case(group="edge")
def one_frame(draw: Draw):
    """A clip of one frame."""
    return 1


@causal_mask.hidden_case(group="edge")
def two_frames(draw: Draw):
    """A clip of two frames."""
    return 2


@causal_mask.misconception(
    "It looks right instead of left: row i sees the columns from i on.",
    hint="Row 0 is the first frame. What may the first frame see, and what the last?",
)
def upper_triangle(T):
    return torch.ones(T, T, dtype=torch.bool).triu()


@causal_mask.misconception(
    "It marks what is forbidden. In this course True means: may look.",
    hint="`nn.MultiheadAttention` uses True for blocked, we use True for allowed. The first frame may see itself.",
)
def forbidden_marked(T):
    return torch.ones(T, T, dtype=torch.bool).triu(1)


@causal_mask.misconception(
    "A frame may not see itself: the diagonal is left out.",
    hint="Is column i ≤ i? And what is left for the first frame to look at?",
)
def diagonal_left_out(T):
    return torch.ones(T, T, dtype=torch.bool).tril(-1)


@causal_mask.misconception(
    "A frame sees the one after it: the triangle is one column too wide.",
    hint="Look at row 0 of `causal_mask(3)`. Only one entry may be True.",
)
def one_too_far(T):
    return torch.ones(T, T, dtype=torch.bool).tril(1)


@causal_mask.misconception(
    "The mask holds the numbers 0 and 1 instead of False and True.",
    hint="Print the mask's dtype. Which argument of `torch.ones`, or which comparison, gives bool?",
)
def zeros_and_ones(T):
    return torch.ones(T, T).tril()


@causal_mask.misconception(
    "The mask holds 0 and −∞, ready to be added to scores. Here a mask is bool.",
    hint="Some libraries add their masks to the scores. Ours only says True (may look) or False.",
)
def ready_to_add(T):
    return torch.full((T, T), -INF).triu(1)


@causal_mask.alternative
def columns_up_to_the_row(T):
    frames = torch.arange(T)
    return frames[None, :] <= frames[:, None]


@causal_mask.alternative
def frame_by_frame(T):
    return torch.tensor([[column <= row for column in range(T)] for row in range(T)])


@causal_mask.alternative
def ones_added_up(T):
    return torch.eye(T).cumsum(dim=0).bool()


# -------------------------------------------------------------------------------------------------- padding_mask


@exercise(unit="02_attention")
def padding_mask(lengths, T):
    rows = [torch.ones(int(length), dtype=torch.bool) for length in lengths]
    padded = torch.nn.utils.rnn.pad_sequence([*rows, torch.ones(T, dtype=torch.bool)], batch_first=True)
    return padded[:-1]


@padding_mask.case
def three_clips(draw: Draw):
    """Three clips, all shorter than T."""
    return torch.tensor(draw.sample(range(1, 7), 3)), 7


@padding_mask.hidden_case
def many_clips(draw: Draw):
    """A larger batch."""
    return draw.integers(1, 12, 9), 12


@padding_mask.case(group="edge")
def one_clip_fills_the_batch(draw: Draw):
    """The longest clip needs no padding."""
    return torch.tensor([draw.integer(2, 5), 5]), 5


@padding_mask.hidden_case(group="edge")
def all_clips_full(draw: Draw):
    """No clip needs padding."""
    return torch.tensor([6, 6]), 6


@padding_mask.hidden_case(group="edge")
def clips_of_one_frame(draw: Draw):
    """Clips of a single frame."""
    return torch.tensor([1, 1, 1]), draw.integer(2, 6)


@padding_mask.hidden_case(group="edge")
def batch_of_one(draw: Draw):
    """A batch of one clip."""
    return torch.tensor([draw.integer(1, 8)]), 8


@padding_mask.misconception(
    "One frame too many counts as real: frames are numbered from 0.",
    hint="A clip of length 1 has only frame 0. Is your row True once, or twice?",
)
def one_too_many(lengths, T):
    return torch.arange(T) <= lengths[:, None]


@padding_mask.misconception(
    "One frame too few counts as real: the last one is lost.",
    hint="A clip of length 3 has the frames 0, 1 and 2. How often is your row True?",
)
def one_too_few(lengths, T):
    return torch.arange(1, T + 1) < lengths[:, None]


@padding_mask.misconception(
    "It marks the padding. In this course True means: a real frame.",
    hint="`key_padding_mask` of PyTorch marks what to ignore, ours marks what to keep.",
)
def padding_marked(lengths, T):
    return torch.arange(T) >= lengths[:, None]


@padding_mask.misconception(
    "The real frames stand at the right end: the padding comes after a clip, not before it.",
    hint="A clip begins at frame 0. Where in the row do the True values begin?",
)
def padded_on_the_left(lengths, T):
    return torch.arange(T) >= T - lengths[:, None]


@padding_mask.misconception(
    "The mask is as wide as the longest clip, not T frames wide.",
    hint="The batch may be padded further than its longest clip. Which argument says how wide it is?",
)
def as_wide_as_the_longest(lengths, T):
    return torch.arange(int(lengths.max())) < lengths[:, None]


@padding_mask.misconception(
    "The mask holds the numbers 0 and 1 instead of False and True.",
    hint="A comparison such as `a < b` already gives bool. What turns it into numbers?",
)
def padding_as_numbers(lengths, T):
    return (torch.arange(T) < lengths[:, None]).float()


@padding_mask.misconception(
    "Frames run down the rows: the shape is (T, B) where it should be (B, T).",
    hint="Row b belongs to clip b. Which of the two vectors needs an extra dimension, and on which side?",
)
def frames_in_rows(lengths, T):
    return torch.arange(T)[:, None] < lengths


@padding_mask.alternative
def clip_by_clip(lengths, T):
    mask = torch.zeros(len(lengths), T, dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        row[:length] = True
    return mask


@padding_mask.alternative
def counting_frames(lengths, T):
    return torch.ones(len(lengths), T, dtype=torch.long).cumsum(1) <= lengths.unsqueeze(1)


# ----------------------------------------------------------------------------------------------------- attention


@exercise(unit="02_attention", differentiable=True)
def attention(q, k, v, mask=None):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    # The library returns no weights. With the identity as values, its output is the weights.
    identity = torch.eye(k.shape[-2], dtype=v.dtype).expand(*k.shape[:-1], k.shape[-2])
    with sdpa_kernel(SDPBackend.MATH):
        output = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        weights = torch.nn.functional.scaled_dot_product_attention(q, k, identity, attn_mask=mask)
    return output, weights


def _clip(draw: Draw, *batch: int, queries: int = 5, keys: int = 7, dim: int = 4, values: int = 3):
    return draw.normal(*batch, queries, dim), draw.normal(*batch, keys, dim), draw.normal(*batch, keys, values)


def _mask(draw: Draw, *shape: int):
    """Random, but every row may look at some keys and not at others."""
    mask = draw.booleans(*shape)
    mask[..., 0] = True
    mask[..., 1] = False
    return mask[..., draw.permutation(shape[-1])]


def _extreme(draw: Draw, queries: int, keys: int):
    """Queries and keys whose scores are thousands, and exact in float32: integers, and √16 = 4."""
    return draw.integers(-3, 4, queries, 16).float() * 32, draw.integers(-3, 4, keys, 16).float() * 32


def _attend(q, k, v, mask, softmax):
    """Attention with another softmax, written as hints and solution do."""
    scores = attention_scores.oracle(q, k)
    if mask is None:
        weights = softmax(scores)
    else:
        weights = softmax(scores.masked_fill(~mask, torch.finfo(scores.dtype).min)).masked_fill(~mask, 0.0)
    return weights @ v, weights


@attention.case
def one_clip_attends(draw: Draw):
    """One clip, no mask."""
    return _clip(draw)


@attention.case
def two_clips_attend(draw: Draw):
    """A batch of two clips, no mask."""
    return _clip(draw, 2, dim=3, values=6)


@attention.hidden_case
def several_heads_attend(draw: Draw):
    """A batch with several heads, no mask."""
    return _clip(draw, 2, 3, dim=6, values=4)


@attention.hidden_case
def as_many_queries_as_keys(draw: Draw):
    """As many queries as keys, and as many numbers in each."""
    return _clip(draw, 3, queries=3, keys=3, dim=3, values=3)


@attention.case(group="masking")
def looking_left(draw: Draw):
    """Frames that look left only, mask (T, T)."""
    q, k, v = _clip(draw, queries=6, keys=6)
    return q, k, v, torch.ones(6, 6, dtype=torch.bool).tril()


@attention.case(group="masking")
def padded_batch(draw: Draw):
    """Padded keys, mask (B, 1, T)."""
    mask = torch.arange(7) < torch.tensor(draw.sample(range(1, 7), 2))[:, None]
    return arguments(*_clip(draw, 2), mask=mask[:, None, :])


@attention.case(group="masking")
def a_row_that_may_look_at_nothing(draw: Draw):
    """A row that may look at nothing."""
    mask = _mask(draw, 5, 7)
    mask[draw.integer(0, 5)] = False
    return arguments(*_clip(draw), mask=mask)


@attention.hidden_case(group="masking")
def padded_batch_with_heads(draw: Draw):
    """Padded keys and several heads, mask (B, 1, 1, T)."""
    mask = torch.arange(7) < torch.tensor(draw.sample(range(1, 7), 2))[:, None]
    return arguments(*_clip(draw, 2, 3), mask=mask[:, None, None, :])


@attention.hidden_case(group="masking")
def own_mask_for_every_query(draw: Draw):
    """A mask of its own for every query of every clip."""
    return arguments(*_clip(draw, 3), mask=_mask(draw, 3, 5, 7))


@attention.hidden_case(group="masking")
def a_clip_of_padding_only(draw: Draw):
    """One clip of the batch is padding from end to end."""
    mask = _mask(draw, 3, 1, 7)
    mask[draw.integer(0, 3)] = False
    return arguments(*_clip(draw, 3), mask=mask)


@attention.case(group="large values", gradient=False)
def scores_in_the_thousands(draw: Draw):
    """Scores of several thousand."""
    return *_extreme(draw, 5, 7), draw.normal(7, 3)


@attention.case(group="large values")
def forbidden_key_wins(draw: Draw):
    """The forbidden keys have by far the highest scores."""
    q, k, v = _clip(draw, 2, dim=16)
    mask = _mask(draw, 1, 1, 7)
    k = torch.where(mask.mT, k, q.new_full((16,), 2e4))
    return arguments(q.abs(), k, v, mask=mask)


@attention.case(group="large values", gradient=False)
def allowed_keys_score_low(draw: Draw):
    """All allowed keys have scores far below zero."""
    q, k = draw.integers(1, 4, 5, 16) * 32.0, draw.integers(1, 4, 7, 16) * -128.0  # exact, as in _extreme
    mask = _mask(draw, 1, 7)
    k = torch.where(mask.mT, k, 10 * k)  # the forbidden keys score lower still
    return arguments(q, k, draw.normal(7, 3), mask=mask)


@attention.hidden_case(group="large values")
def attention_in_double_precision(draw: Draw):
    """Numbers in float64."""
    return tuple(tensor.double() for tensor in _clip(draw, 2))


@attention.misconception(
    "The scores are not divided by √d.",
    hint="Which of your earlier functions computes scores, scale included?",
)
def unscaled(q, k, v, mask=None):
    return attention.oracle(q * q.shape[-1] ** 0.5, k, v, mask)


@attention.misconception(
    "The scores are divided by the root of the number of keys instead of the size of a vector.",
    hint="In a tensor of shape (…, T, d), which position of `shape` holds d?",
)
def scaled_by_keys(q, k, v, mask=None):
    return attention.oracle(q * (q.shape[-1] / k.shape[-2]) ** 0.5, k, v, mask)


@attention.misconception(
    "The scores are divided by d, not by its square root.",
    hint="Which of your earlier functions computes scores? What does `check` say about it?",
)
def scaled_by_d(q, k, v, mask=None):
    return attention.oracle(q * q.shape[-1] ** -0.5, k, v, mask)


@attention.misconception(
    "The scores are divided by the root of the first dimension of q instead of the size of a vector.",
    hint="Which of your earlier functions computes scores? What does `check` say about it?",
)
def scaled_by_first(q, k, v, mask=None):
    return attention.oracle(q * (q.shape[-1] / q.shape[0]) ** 0.5, k, v, mask)


@attention.misconception(
    "The softmax overflows, or all its powers are 0: in both cases it divides what cannot be divided.",
    hint="Is the largest score of each row subtracted before the exponential? `check(softmax)` would tell.",
)
def softmax_without_maximum(q, k, v, mask=None):
    return _attend(q, k, v, mask, no_maximum)


@attention.misconception(
    "The softmax subtracts the largest score of all, so that rows far below it vanish.",
    hint="Each row needs its own maximum. `check(softmax)` would tell.",
)
def softmax_with_one_maximum(q, k, v, mask=None):
    return _attend(q, k, v, mask, one_maximum_for_all)


@attention.misconception(
    "The mask is used the wrong way round: True means that a frame may be looked at.",
    hint="Which scores should become −∞: those where the mask is True, or those where it is False?",
)
def inverted_mask(q, k, v, mask=None):
    return attention.oracle(q, k, v, None if mask is None else ~mask)


@attention.misconception(
    "The mask has no effect.",
    hint="`masked_fill` returns a new tensor. Is its result used?",
)
def ignored_mask(q, k, v, mask=None):
    return attention.oracle(q, k, v)


@attention.misconception(
    "The weights are masked after the softmax, so the rows no longer add up to one.",
    hint="Print `weights.sum(-1)`. Masking scores rather than weights lets the softmax share out the whole.",
)
def masked_weights(q, k, v, mask=None):
    weights = attention_scores.oracle(q, k).softmax(-1)
    weights = weights if mask is None else weights * mask
    return weights @ v, weights


@attention.misconception(
    "The weights are masked and renormalised after the softmax: a strong forbidden frame crowds all others out.",
    hint="If a forbidden score is far above the rest, what is left of the other weights to renormalise?",
)
def renormalised_weights(q, k, v, mask=None):
    weights = attention_scores.oracle(q, k).softmax(-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    return weights @ v, weights


@attention.misconception(
    "The mask is added to the scores as 0 and 1: forbidden frames lose very little.",
    hint="What must be added to a score so that its exponential becomes zero?",
)
def added_mask(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    weights = (scores if mask is None else scores + mask).softmax(-1)
    return weights @ v, weights


@attention.misconception(
    "The scores are multiplied by the mask: a score of zero is still a score.",
    hint="exp(0) is 1, not 0. Which score has the exponential 0?",
)
def multiplied_mask(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    weights = (scores if mask is None else scores * mask).softmax(-1)
    return weights @ v, weights


@attention.misconception(
    "The softmax runs over the queries: the columns add up to one where the rows should.",
    hint="Each query shares out its attention over the keys. Which dimension of the scores are the keys?",
)
def softmax_over_queries(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    weights = (scores if mask is None else scores.masked_fill(~mask, -1e30)).softmax(-2)
    return weights @ v, weights


@attention.misconception(
    "A row that may look at nothing becomes NaN: the softmax of −∞ everywhere is 0/0.",
    hint="Fill forbidden scores with a very low but finite number, and then see to it that their weights are zero.",
)
def nan_row(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    weights = (scores if mask is None else scores.masked_fill(~mask, -INF)).softmax(-1)
    return weights @ v, weights


@attention.misconception(
    "−∞ is added to forbidden scores and the NaN replaced later: the values are right, but the gradient is NaN.",
    hint="Autograd walks back through the softmax that made the NaN. `masked_fill` keeps gradients away, `+` does not.",
)
def nan_gradient(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    if mask is not None:
        scores = scores + torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, -INF)
    weights = scores.softmax(-1).nan_to_num()
    return weights @ v, weights


@attention.misconception(
    "A row that may look at nothing looks at everything: all its weights are equal instead of zero.",
    hint="When every score is equally low, the softmax shares equally. What should these weights be?",
)
def uniform_row(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    weights = (scores if mask is None else scores.masked_fill(~mask, torch.finfo(scores.dtype).min)).softmax(-1)
    return weights @ v, weights


@attention.misconception(
    "The score for forbidden frames is not low enough: there are real scores below it.",
    hint="Which is the lowest number that a float32 can hold? `torch.finfo` knows.",
)
def not_low_enough(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    if mask is None:
        return attention.oracle(q, k, v)
    weights = scores.masked_fill(~mask, -1e4).softmax(-1).masked_fill(~mask, 0.0)
    return weights @ v, weights


@attention.misconception(
    "Only the output is returned: the docstring asks for the output and the weights.",
    hint="`return output, weights` returns a tuple of two.",
)
def output_only(q, k, v, mask=None):
    return attention.oracle(q, k, v, mask)[0]


@attention.misconception(
    "Weights and output are returned in the wrong order.",
    hint="The docstring names what is returned, and in which order.",
)
def wrong_order(q, k, v, mask=None):
    return attention.oracle(q, k, v, mask)[::-1]


@attention.misconception(
    "The scores are returned in place of the weights.",
    hint="The second result is what the softmax gives.",
)
def scores_for_weights(q, k, v, mask=None):
    return attention.oracle(q, k, v, mask)[0], attention_scores.oracle(q, k)


@attention.alternative
def lowest_number_then_zero(q, k, v, mask=None):
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is None:
        weights = torch.softmax(scores, -1)
    else:
        weights = torch.where(mask, scores, torch.finfo(scores.dtype).min).softmax(-1) * mask
    return weights @ v, weights


@attention.alternative
def nan_replaced(q, k, v, mask=None):
    scores = torch.matmul(q, k.transpose(-1, -2)) * q.size(-1) ** -0.5
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -INF)
    weights = torch.nan_to_num(torch.nn.functional.softmax(scores, dim=-1))
    return torch.matmul(weights, v), weights


@attention.alternative
def empty_rows_set_aside(q, k, v, mask=None):
    scores = attention_scores.oracle(q, k)
    if mask is None:
        mask = torch.ones((), dtype=torch.bool)
    mask = mask.expand(scores.shape)
    sees = mask.any(-1, keepdim=True)
    weights = scores.masked_fill(~mask & sees, -INF).softmax(-1) * sees
    return torch.einsum("...ij,...jd->...id", weights, v), weights


@attention.alternative
def query_by_query(q, k, v, mask=None):
    scores = torch.stack([(k * q[..., i : i + 1, :]).sum(-1) for i in range(q.shape[-2])], -2) / math.sqrt(q.shape[-1])
    allowed = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand(scores.shape)
    highest = scores.masked_fill(~allowed, -1e38).amax(-1, keepdim=True)
    powers = torch.where(allowed, scores - highest, -INF).exp()
    weights = powers / powers.sum(-1, keepdim=True).masked_fill(~allowed.any(-1, keepdim=True), 1.0)
    return (weights.unsqueeze(-1) * v.unsqueeze(-3)).sum(-2), weights


# --------------------------------------------------------------------------------------------------- split_heads


@exercise(unit="02_attention")
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("the dimension is not divisible by the number of heads")
    return torch.stack(x.tensor_split(n_heads, dim=-1), dim=1)


@split_heads.case
def three_heads(draw: Draw):
    """Two clips, three heads."""
    return draw.normal(2, 5, 12), 3


@split_heads.hidden_case
def two_heads(draw: Draw):
    """Three clips, two heads."""
    return draw.normal(3, 4, 10), 2


@split_heads.hidden_case(group="edge")
def as_many_heads_as_frames(draw: Draw):
    """As many heads as frames."""
    return draw.normal(2, 4, 12), 4


@split_heads.hidden_case(group="edge")
def one_head(draw: Draw):
    """A single head."""
    return draw.normal(2, 5, 6), 1


@split_heads.case(group="edge")
def one_frame_split(draw: Draw):
    """A clip of one frame."""
    return draw.normal(2, 1, 12), 3


@split_heads.hidden_case(group="edge")
def heads_of_one_number(draw: Draw):
    """As many heads as dimensions."""
    return draw.normal(2, 3, 6), 6


@split_heads.case(group="errors")
def does_not_divide(draw: Draw):
    """Ten dimensions cannot be shared by four heads."""
    return draw.normal(2, 5, 10), 4


@split_heads.hidden_case(group="errors")
def more_heads_than_dimensions(draw: Draw):
    """More heads than dimensions."""
    return draw.normal(2, 8, 6), 8


@split_heads.misconception(
    "The shape is right, but the heads hold frames of their own: `view` alone mixes time and heads.",
    hint="Reshape to (B, T, H, d) first, so that a frame keeps its own numbers; then exchange two dimensions.",
)
def viewed_only(x, n_heads):
    B, T, D = x.shape
    _divisible(D, n_heads)
    return x.reshape(B, n_heads, T, D // n_heads)


@split_heads.misconception(
    "The heads are interleaved: head 0 takes every H-th number instead of the first D/H.",
    hint="Head 0 holds the dimensions 0 … D/H − 1. In which order do H and d stand when you reshape?",
)
def interleaved(x, n_heads):
    B, T, D = x.shape
    _divisible(D, n_heads)
    return x.reshape(B, T, D // n_heads, n_heads).permute(0, 3, 1, 2)


@split_heads.misconception(
    "The heads still stand after the frames: the shape is (B, T, H, d).",
    hint="Which two dimensions are left to exchange?",
)
def not_moved(x, n_heads):
    B, T, D = x.shape
    _divisible(D, n_heads)
    return x.reshape(B, T, n_heads, D // n_heads)


@split_heads.misconception(
    "Frames and numbers are exchanged inside each head: the shape is (B, H, d, T).",
    hint="The last dimension should still be the vector of one frame.",
)
def numbers_before_frames(x, n_heads):
    B, T, D = x.shape
    _divisible(D, n_heads)
    return x.reshape(B, T, n_heads, D // n_heads).permute(0, 2, 3, 1)


@split_heads.misconception(
    "The heads are put into the batch dimension.",
    hint="Batch and heads stay two dimensions here: (B, H, T, d) has four.",
)
def heads_in_the_batch(x, n_heads):
    B, T, D = x.shape
    _divisible(D, n_heads)
    return x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2).reshape(B * n_heads, T, D // n_heads)


@split_heads.misconception(
    "A dimension that does not divide is not refused with a ValueError.",
    hint="Test `D % n_heads` before you reshape, and raise ValueError where it is not zero.",
)
def unchecked(x, n_heads):
    B, T, D = x.shape
    return x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)


@split_heads.misconception(
    "Where the dimension does not divide, the numbers left over are dropped without a word.",
    hint="Losing numbers silently is worse than an error: raise ValueError.",
)
def drops_what_is_left(x, n_heads):
    B, T, D = x.shape
    d = D // n_heads
    return x[..., : n_heads * d].reshape(B, T, n_heads, d).transpose(1, 2)


def _divisible(D: int, n_heads: int) -> None:
    if D % n_heads:
        raise ValueError


@split_heads.alternative
def unflattened(x, n_heads):
    _divisible(x.shape[-1], n_heads)
    return x.unflatten(-1, (n_heads, -1)).movedim(2, 1)


@split_heads.alternative
def slice_by_slice(x, n_heads):
    d, rest = divmod(x.shape[-1], n_heads)
    if rest:
        raise ValueError(f"{x.shape[-1]} dimensions, {n_heads} heads")
    return torch.cat([x[:, None, :, head * d : (head + 1) * d] for head in range(n_heads)], dim=1)


# --------------------------------------------------------------------------------------------------- merge_heads


@exercise(unit="02_attention")
def merge_heads(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


@merge_heads.case
def merge_three_heads(draw: Draw):
    """Two clips, three heads."""
    return draw.normal(2, 3, 5, 4)


@merge_heads.hidden_case
def merge_two_heads(draw: Draw):
    """Three clips, two heads."""
    return draw.normal(3, 2, 4, 5)


@merge_heads.hidden_case(group="edge")
def merge_as_many_heads_as_frames(draw: Draw):
    """As many heads as frames."""
    return draw.normal(2, 4, 4, 3)


@merge_heads.hidden_case(group="edge")
def merge_one_head(draw: Draw):
    """A single head."""
    return draw.normal(2, 1, 5, 4)


@merge_heads.case(group="edge")
def merge_one_frame(draw: Draw):
    """A clip of one frame."""
    return draw.normal(2, 3, 1, 4)


@merge_heads.hidden_case(group="edge")
def merge_heads_of_one_number(draw: Draw):
    """Heads of a single number each."""
    return draw.normal(2, 6, 3, 1)


@merge_heads.misconception(
    "The shape is right, but frames are mixed: the heads must move next to their numbers before they are joined.",
    hint="Exchange heads and frames first, to (B, T, H, d); then the last two dimensions become one.",
)
def merged_by_view(x):
    B, H, T, d = x.shape
    return x.reshape(B, T, H * d)


@merge_heads.misconception(
    "After a transpose the numbers no longer lie side by side in memory, and `view` refuses.",
    hint="`reshape` copies where it must; `view` never does.",
)
def view_after_transpose(x):
    B, H, T, d = x.shape
    return x.transpose(1, 2).view(B, T, H * d)


@merge_heads.misconception(
    "The heads are interleaved: their numbers alternate instead of standing one head after the other.",
    hint="The first d numbers of a frame should all come from head 0.",
)
def merged_interleaved(x):
    return x.permute(0, 2, 3, 1).flatten(2)


@merge_heads.misconception(
    "The heads are added up instead of put side by side.",
    hint="No number may be lost: the last dimension of the result is H·d.",
)
def heads_added(x):
    return x.sum(1)


@merge_heads.misconception(
    "Time has become the last dimension: the shape is (B, H·d, T).",
    hint="A frame's vector comes last: (B, T, H·d).",
)
def frames_last(x):
    return x.transpose(2, 3).flatten(1, 2)


@merge_heads.misconception(
    "The heads are put one after the other in time: the shape is (B, H·T, d).",
    hint="There are still T frames. What grows is the vector of each.",
)
def heads_in_time(x):
    return x.flatten(1, 2)


@merge_heads.alternative
def moved_and_flattened(x):
    return x.movedim(1, 2).flatten(2)


@merge_heads.alternative
def filled_head_by_head(x):
    B, H, T, d = x.shape
    merged = x.new_empty(B, T, H * d)
    for head in range(H):
        merged[:, :, head * d : (head + 1) * d] = x[:, head]
    return merged


# ------------------------------------------------------------------------------------------ multi_head_attention


@exercise(unit="02_attention", differentiable=True)
def multi_head_attention(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    B, Tq, D = x.shape
    Tk = context.shape[1]
    # The library wants time first, and True where looking is forbidden. Without weights asked for, a row that may
    # look at nothing gives zeros.
    blocked = None if mask is None else ~mask.expand(B, n_heads, Tq, Tk).reshape(B * n_heads, Tq, Tk)
    memory = context.transpose(0, 1)
    no_bias = dict.fromkeys(("in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj_bias"))
    output, _ = torch.nn.functional.multi_head_attention_forward(
        x.transpose(0, 1),
        memory,
        memory,
        embed_dim_to_check=D,
        num_heads=n_heads,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=w_o,
        training=False,
        need_weights=False,
        attn_mask=blocked,
        use_separate_proj_weight=True,
        q_proj_weight=w_q,
        k_proj_weight=w_k,
        v_proj_weight=w_v,
        **no_bias,
    )
    return output.transpose(0, 1)


def _layer(draw: Draw, frames: int = 5, context: int = 7, dim: int = 12, batch: int = 2):
    weights = [draw.normal(dim, dim, scale=0.4) for _ in range(4)]
    return draw.normal(batch, frames, dim), draw.normal(batch, context, dim), *weights


@multi_head_attention.case
def self_attention(draw: Draw):
    """A clip looks at itself, three heads."""
    x, _, *weights = _layer(draw)
    return x, x, *weights, 3


@multi_head_attention.case
def cross_attention(draw: Draw):
    """Five frames look at seven others, two heads."""
    return *_layer(draw), 2


@multi_head_attention.case(group="edge")
def only_one_head(draw: Draw):
    """A single head."""
    return *_layer(draw, dim=6), 1


@multi_head_attention.hidden_case(group="edge")
def as_many_heads_as_dimensions(draw: Draw):
    """As many heads as dimensions."""
    return *_layer(draw, dim=6), 6


@multi_head_attention.hidden_case(group="edge")
def as_many_frames_as_heads(draw: Draw):
    """As many frames as heads, one clip."""
    return *_layer(draw, frames=4, context=4, dim=8, batch=1), 4


@multi_head_attention.hidden_case(group="edge")
def heads_in_double_precision(draw: Draw):
    """Numbers in float64."""
    return *(tensor.double() for tensor in _layer(draw)), 3


@multi_head_attention.case(group="masking")
def heads_looking_left(draw: Draw):
    """Frames that look left only, mask (T, T)."""
    x, _, *weights = _layer(draw)
    return arguments(x, x, *weights, 3, mask=torch.ones(5, 5, dtype=torch.bool).tril())


@multi_head_attention.hidden_case(group="masking")
def padded_context(draw: Draw):
    """A padded context, mask (B, 1, 1, T)."""
    mask = torch.arange(7) < torch.tensor(draw.sample(range(1, 7), 2))[:, None]
    return arguments(*_layer(draw), 3, mask=mask[:, None, None, :])


@multi_head_attention.hidden_case(group="masking")
def own_mask_for_every_head(draw: Draw):
    """A mask of its own for every head."""
    return *_layer(draw), 3, _mask(draw, 2, 3, 5, 7)


@multi_head_attention.hidden_case(group="masking")
def a_frame_that_may_look_at_nothing(draw: Draw):
    """A frame that may look at nothing, in every head."""
    mask = _mask(draw, 2, 1, 5, 7)
    mask[draw.integer(0, 2), :, draw.integer(0, 5)] = False
    return arguments(*_layer(draw), 3, mask=mask)


def _heads(q, k, v, n_heads, mask, join=merge_heads.oracle, divide=split_heads.oracle, attend=attention.oracle):
    """Attention of projected vectors, joined but not projected again."""
    return join(attend(*(divide(one, n_heads) for one in (q, k, v)), mask)[0])


def _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, **parts):
    """The whole layer, with other `join`, `divide` or `attend`."""
    return _heads(x @ w_q.T, context @ w_k.T, context @ w_v.T, n_heads, mask, **parts) @ w_o.T


@multi_head_attention.misconception(
    "The scores are divided by √D, but each head compares vectors of D/H numbers.",
    hint="What is the size of the vectors whose dot product a head takes?",
)
def scaled_by_the_whole(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _heads(x @ w_q.T * n_heads**-0.5, context @ w_k.T, context @ w_v.T, n_heads, mask) @ w_o.T


@multi_head_attention.misconception(
    "The scores of the heads are not divided by √d.",
    hint="If you use your own functions: what does `check(attention_scores)` say?",
)
def unscaled_heads(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=unscaled)


@multi_head_attention.misconception(
    "The scores of the heads are divided by d, not by its square root.",
    hint="If you use your own functions: what does `check(attention_scores)` say?",
)
def heads_scaled_by_d(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=scaled_by_d)


@multi_head_attention.misconception(
    "The scores are divided by the root of the number of keys instead of the size of a vector.",
    hint="If you use your own functions: what does `check(attention_scores)` say?",
)
def heads_scaled_by_keys(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=scaled_by_keys)


@multi_head_attention.misconception(
    "The scores are divided by the root of the number of clips instead of the size of a vector.",
    hint="If you use your own functions: what does `check(attention_scores)` say?",
)
def heads_scaled_by_clips(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=scaled_by_first)


@multi_head_attention.misconception(
    "The softmax runs over the queries: each key shares itself out, where each query should.",
    hint="If you use your own functions: what does `check(attention)` say?",
)
def heads_softmax_over_queries(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=softmax_over_queries)


@multi_head_attention.misconception(
    "Keys and values come from x: the context is never looked at.",
    hint="The queries ask, the context answers. Which two projections belong to the context?",
)
def context_ignored(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _heads(x @ w_q.T, x @ w_k.T, x @ w_v.T, n_heads, mask) @ w_o.T


@multi_head_attention.misconception(
    "The keys come from the context, but the values from x.",
    hint="A weight says how much of frame j of the context to take. Where must the values come from then?",
)
def values_from_x(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _heads(x @ w_q.T, context @ w_k.T, x @ w_v.T, n_heads, mask) @ w_o.T


@multi_head_attention.misconception(
    "The queries come from the context and the keys and values from x: the roles are exchanged.",
    hint="The result has one vector for each frame of x. Whose frames ask the questions?",
)
def roles_exchanged(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return multi_head_attention.oracle(context, x, w_q, w_k, w_v, w_o, n_heads, mask)


@multi_head_attention.misconception(
    "The weights are used without being transposed: they have the form (out, in), as in nn.Linear.",
    hint="nn.Linear computes `x @ w.T`.",
)
def not_transposed(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return multi_head_attention.oracle(x, context, w_q.T, w_k.T, w_v.T, w_o.T, n_heads, mask)


@multi_head_attention.misconception(
    "The output projection is missing: the heads stand side by side, but nothing mixes them.",
    hint="There are four weight matrices. Which have you not used?",
)
def no_output_projection(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _heads(x @ w_q.T, context @ w_k.T, context @ w_v.T, n_heads, mask)


@multi_head_attention.misconception(
    "There is only one large head: the vectors are never split.",
    hint="Where do you use n_heads?",
)
def one_large_head(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    if mask is not None and mask.ndim == 4:
        mask = mask[:, 0]
    return attention.oracle(x @ w_q.T, context @ w_k.T, context @ w_v.T, mask)[0] @ w_o.T


@multi_head_attention.misconception(
    "The heads are split with `view` alone, which mixes time and heads.",
    hint="Use your own split_heads and merge_heads.",
)
def heads_by_view(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, join=merged_by_view, divide=viewed_only)


@multi_head_attention.misconception(
    "The heads are joined without moving them next to their numbers: frames are mixed.",
    hint="Use your own merge_heads. A plain reshape of (B, H, T, d) is not enough.",
)
def joined_by_view(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, join=merged_by_view)


@multi_head_attention.misconception(
    "The heads are interleaved: head 0 takes every H-th number.",
    hint="Head 0 works on the first D/H numbers of every projected vector.",
)
def heads_interleaved(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, join=merged_interleaved, divide=interleaved)


@multi_head_attention.misconception(
    "The heads are split with `view` alone: each holds all numbers of a few frames.",
    hint="Reshape to (B, T, H, d) first, then exchange two dimensions. What does `check(split_heads)` say?",
)
def divided_by_view(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, divide=viewed_only)


@multi_head_attention.misconception(
    "Split and merge do not fit together: head 0 takes every H-th number, and they are joined in blocks.",
    hint="Head 0 works on the first D/H numbers of every projected vector. What does `check(split_heads)` say?",
)
def divided_interleaved(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, divide=interleaved)


@multi_head_attention.misconception(
    "Split and merge do not fit together: the heads are cut as blocks and joined with their numbers alternating.",
    hint="The first D/H numbers of a merged frame come from head 0. What does `check(merge_heads)` say?",
)
def joined_interleaved(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, join=merged_interleaved)


@multi_head_attention.misconception(
    "The mask is used the wrong way round: True means that a frame may be looked at.",
    hint="`nn.MultiheadAttention` blocks where its mask is True. Ours allows there.",
)
def heads_blocked_where_allowed(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return multi_head_attention.oracle(x, context, w_q, w_k, w_v, w_o, n_heads, None if mask is None else ~mask)


@multi_head_attention.misconception(
    "The mask has no effect.",
    hint="Is the mask handed on to attention?",
)
def mask_not_handed_on(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return multi_head_attention.oracle(x, context, w_q, w_k, w_v, w_o, n_heads)


@multi_head_attention.misconception(
    "The weights are masked after the softmax, so they no longer add up to one.",
    hint="If you use your own functions: what does `check(attention)` say?",
)
def weights_of_heads_masked(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=masked_weights)


@multi_head_attention.misconception(
    "The mask is added to the scores as 0 and 1: forbidden frames lose very little.",
    hint="What must be added to a score so that its exponential becomes zero?",
)
def mask_added_to_scores(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=added_mask)


@multi_head_attention.misconception(
    "A frame that may look at nothing becomes NaN.",
    hint="Does your attention give zeros there? Use it for the heads.",
)
def frame_of_nan(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=nan_row)


@multi_head_attention.misconception(
    "A frame that may look at nothing looks at everything.",
    hint="When every score is equally low, the softmax shares equally. What should these weights be?",
)
def frame_that_sees_all(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _layer_with(x, context, w_q, w_k, w_v, w_o, n_heads, mask, attend=uniform_row)


@multi_head_attention.alternative
def split_and_merge(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    return _heads(x @ w_q.T, context @ w_k.T, context @ w_v.T, n_heads, mask) @ w_o.T


@multi_head_attention.alternative
def head_by_head(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    output = 0
    d = x.shape[-1] // n_heads
    for head in range(n_heads):
        own = slice(head * d, (head + 1) * d)
        of_head = None if mask is None else mask.expand(x.shape[0], n_heads, x.shape[1], context.shape[1])[:, head]
        heads, _ = attention.oracle(x @ w_q[own].T, context @ w_k[own].T, context @ w_v[own].T, of_head)
        output = output + heads @ w_o[:, own].T
    return output


@multi_head_attention.alternative
def one_sum_for_each_step(x, context, w_q, w_k, w_v, w_o, n_heads, mask=None):
    q = torch.einsum("btc,hdc->bhtd", x, w_q.unflatten(0, (n_heads, -1)))
    k = torch.einsum("bsc,hdc->bhsd", context, w_k.unflatten(0, (n_heads, -1)))
    v = torch.einsum("bsc,hdc->bhsd", context, w_v.unflatten(0, (n_heads, -1)))
    _, weights = query_by_query(q, k, v, mask)
    return torch.einsum("bhts,bhsd,ohd->bto", weights, v, w_o.unflatten(1, (n_heads, -1)))


# -------------------------------------------------------------------------------------- attention_multiplications


@exercise(unit="02_attention")
def attention_multiplications(n_frames, dim):
    from torch.utils.flop_counter import FlopCounterMode

    # Tensors on the meta device have a shape and no numbers: PyTorch counts, and computes nothing.
    q = k = v = torch.empty(n_frames, dim, device="meta")
    with FlopCounterMode(display=False) as counter:
        (q @ k.mT) @ v
    # It counts a multiplication and an addition for each term.
    return counter.get_total_flops() // 2


@attention_multiplications.case
def three_frames(draw: Draw):
    """Three frames of five numbers."""
    return 3, 5  # not four: T²d² would be 4T²d


@attention_multiplications.case
def thirty_seconds(draw: Draw):
    """Thirty seconds in 1 500 frames."""
    return 1500, 64


@attention_multiplications.hidden_case
def any_clip(draw: Draw):
    """A clip of any length."""
    return 2 * draw.integer(20, 1500) + 1, 2 * draw.integer(2, 400)


@attention_multiplications.hidden_case(group="edge")
def raw_samples(draw: Draw):
    """Every sample of thirty seconds."""
    return 480_000, draw.integer(65, 600)


@attention_multiplications.hidden_case(group="edge")
def more_than_a_float_can_count(draw: Draw):
    """Ten minutes of samples: more multiplications than a float can count."""
    return 2 * draw.integer(4_700_000, 4_800_000) + 1, 2 * draw.integer(200, 500) + 1


@attention_multiplications.misconception(
    "Only the scores are counted: weights times values takes as many again.",
    hint="There are two matrix products, (T × d)·(d × T) and (T × T)·(T × d).",
)
def scores_only(n_frames, dim):
    return n_frames**2 * dim


@attention_multiplications.misconception(
    "Additions are counted too, which doubles the number.",
    hint="Papers count operations, that is multiplications and additions. Here only multiplications are asked for.",
)
def additions_too(n_frames, dim):
    return 4 * n_frames**2 * dim


@attention_multiplications.misconception(
    "It grows in proportion to the number of frames; attention grows with its square.",
    hint="How many scores are there for T frames?",
)
def linear_in_time(n_frames, dim):
    return 2 * n_frames * dim


@attention_multiplications.misconception(
    "The roles are exchanged: the number of frames is squared, not the dimension.",
    hint="There is one score for each pair of frames, and it takes `dim` multiplications.",
)
def dimension_squared(n_frames, dim):
    return 2 * n_frames * dim**2


@attention_multiplications.misconception(
    "Both sizes are squared; only the number of frames is.",
    hint="There is one score for each pair of frames. How many multiplications does one score take?",
)
def both_squared(n_frames, dim):
    return n_frames**2 * dim**2


@attention_multiplications.misconception(
    "Only pairs that look left are counted. Without a mask every frame looks at every frame.",
    hint="How many entries does the whole score matrix have?",
)
def left_half_only(n_frames, dim):
    return n_frames * (n_frames + 1) * dim


@attention_multiplications.misconception(
    "The entries of the score matrix are counted, not the multiplications that each of them takes.",
    hint="One score is a dot product of two vectors of `dim` numbers.",
)
def entries_only(n_frames, dim):
    return 2 * n_frames**2


@attention_multiplications.alternative
def product_by_product(n_frames, dim):
    scores = n_frames * dim * n_frames
    output = n_frames * n_frames * dim
    return scores + output


@attention_multiplications.alternative
def pair_by_pair(n_frames, dim):
    pairs = n_frames * n_frames
    return sum(pairs for _ in range(dim)) + sum(pairs for _ in range(dim))
