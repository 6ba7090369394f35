"""Unit 07: norms, and the losses that speech models learn from."""

import math

import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Exercise, Tolerance, Wrong, arguments, ask, exercise

UNIT = "07_norms_losses"


def _require_same_shape(pred: torch.Tensor, target: torch.Tensor) -> None:
    if pred.shape != target.shape:
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")


def _to_ten_digits(exercise: Exercise, *args):
    """Float64 goes in: what was float32 on the way comes out with seven digits."""
    expected = exercise.oracle(*args)
    got = yield arguments(*args)
    if got.value.dtype != torch.float64 or got.value.shape != expected.shape:
        raise Wrong(
            f"the result should be float64 of shape {tuple(expected.shape)}, "
            f"but it is {str(got.value.dtype).removeprefix('torch.')} of shape {tuple(got.value.shape)}"
        )
    off = ((got.value - expected).abs().max() / expected.abs().max()).item()
    if not off < 1e-5:
        raise Wrong("for numbers in float64 the result is wrong")
    if off > 1e-10:
        raise Wrong(
            "for numbers in float64 the result should be right to ten digits, but it is right to "
            f"{-math.log10(off):.0f}: does anything become float32 on the way, or a small number 0?"
        )


def _small_and_large_errors(draw: Draw, *shape: int):
    """A prediction and its target in float64; the errors lie between a millionth and some units."""
    target = draw.normal(*shape).double()
    sizes = 10.0 ** -(torch.arange(target.numel()) % 7).double()
    return target + draw.normal(*shape).double() * sizes.reshape(shape), target


def _growing(draw: Draw, *shape: int) -> torch.Tensor:
    """Numbers that grow along every axis: a part of them does not have the mean of the whole."""
    x = draw.normal(*shape)
    for axis, size in enumerate(shape):
        x *= torch.linspace(0.5, 2.0, size).reshape(-1, *[1] * (len(shape) - axis - 1))
    return x


# ------------------------------------------------------------------------------------------------------- l1_norm


@exercise(unit=UNIT, differentiable=True)
def l1_norm(x):
    return torch.linalg.vector_norm(x, ord=1, dim=-1)


@l1_norm.case
def one_vector(draw: Draw):
    """one vector, (D,)"""
    return draw.normal(5) - 0.5


@l1_norm.case
def a_batch(draw: Draw):
    """a batch of vectors, (B, D)"""
    return draw.normal(2, 5)


@l1_norm.case(group="shapes")
def frames_of_a_batch(draw: Draw):
    """frames of a batch, (B, T, D)"""
    return draw.normal(2, 3, 4)


@l1_norm.hidden_case(group="shapes")
def four_axes(draw: Draw):
    """four axes"""
    return draw.normal(3, 2, 5, 4)


@l1_norm.hidden_case(group="shapes")
def vectors_of_one_number(draw: Draw):
    """vectors of a single number, (B, 1)"""
    return -draw.uniform(4, 1) - 0.5


@l1_norm.hidden_case(group="shapes")
def a_batch_of_one(draw: Draw):
    """a batch of one, (1, D)"""
    return draw.normal(1, 6)


@l1_norm.hidden_case(group="shapes")
def frames_of_eighty_bands(draw: Draw):
    """72 frames of 80 bands, a transposed picture"""
    return draw.normal(80, 72).T


@l1_norm.case(group="edge")
def some_exact_zeros(draw: Draw):
    """vectors in which some numbers are exactly 0"""
    return draw.normal(3, 5) * (torch.arange(5) != draw.integer(0, 5))


@l1_norm.case(group="edge")
def huge_numbers(draw: Draw):
    """numbers whose squares no float32 can hold"""
    return draw.normal(3, 4, scale=1e22)


@l1_norm.property_case(group="edge")
def double_precision(draw: Draw):
    """numbers in float64, to ten digits"""
    yield from _to_ten_digits(l1_norm, draw.normal(2, 5).double())


@l1_norm.misconception(
    "The signs are kept, so that errors up and errors down cancel.",
    hint="For [1, −1] the answer is 2. What is yours?",
)
def signs_kept(x):
    return x.sum(-1)


@l1_norm.misconception(
    "The absolute value is taken after summing: errors up and down have cancelled by then.",
    hint="For [1, −1] the answer is 2. In which order do you sum and drop the signs?",
)
def abs_of_the_sum(x):
    return x.sum(-1).abs()


@l1_norm.misconception(
    "It gives the mean of the absolute values. A norm is their sum.",
    hint="For [3, −4] the answer is 7, not 3.5.",
)
def mean_of_abs(x):
    return x.abs().mean(-1)


@l1_norm.misconception(
    "This is the L2 norm: square, sum, root.",
    hint="For [3, −4] L1 walks along the streets, 3 + 4; only L2 flies straight.",
)
def straight_line(x):
    return torch.linalg.vector_norm(x, dim=-1)


@l1_norm.misconception(
    "It gives the largest absolute value, which is another norm: L∞.",
    hint="Every number counts in the L1 norm, not only the largest.",
)
def largest_only(x):
    return x.abs().amax(-1)


@l1_norm.misconception(
    "It sums over all axes: one number comes out, however many vectors go in.",
    hint="Sum over the last axis alone. `torch.norm` without `dim` flattens everything.",
)
def everything_summed(x):
    return x.abs().sum()


@l1_norm.misconception(
    "It sums over the first axis instead of the last.",
    hint="A vector's numbers lie along the last axis. Its number is −1.",
)
def first_axis(x):
    return x.abs().sum(0)


@l1_norm.misconception(
    "The last axis is still there, with size 1.",
    hint="From (B, D) the result is (B,). What does `keepdim=True` do?",
)
def axis_kept(x):
    return x.abs().sum(-1, keepdim=True)


@l1_norm.misconception(
    "The absolute value is made by squaring and taking the root: the square overflows for huge numbers, and the "
    "root's slope at 0 is infinite.",
    hint="There is a function for the absolute value, and its gradient at 0 is 0.",
)
def root_of_the_square(x):
    return x.square().sqrt().sum(-1)


@l1_norm.alternative
def abs_and_sum(x):
    return x.abs().sum(-1)


@l1_norm.alternative
def sign_times_number(x):
    return torch.einsum("...d,...d->...", x, torch.sign(x))


@l1_norm.alternative
def up_and_down(x):
    return (torch.relu(x) + torch.relu(-x)).sum(dim=-1)


# ------------------------------------------------------------------------------------------------------- l2_norm


# Tight enough to tell √(Σx² + 1e-10), which is 0.00001 at the zero vector, from a length of 0.
@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=2e-6))
def l2_norm(x):
    return torch.linalg.vector_norm(x, ord=2, dim=-1)


@l2_norm.case
def one_error_vector(draw: Draw):
    """one vector, (D,)"""
    return draw.normal(5) - 0.5


@l2_norm.case
def a_batch_of_errors(draw: Draw):
    """a batch of vectors, (B, D)"""
    return draw.normal(2, 5)


@l2_norm.case(group="shapes")
def error_frames(draw: Draw):
    """frames of a batch, (B, T, D)"""
    return draw.normal(2, 3, 4)


@l2_norm.hidden_case(group="shapes")
def many_axes(draw: Draw):
    """four axes"""
    return draw.normal(3, 2, 5, 4)


@l2_norm.hidden_case(group="shapes")
def single_numbers(draw: Draw):
    """vectors of a single number, (B, 1)"""
    return -draw.uniform(4, 1) - 0.5


@l2_norm.hidden_case(group="shapes")
def single_vector_in_a_batch(draw: Draw):
    """a batch of one, (1, D)"""
    return draw.normal(1, 6)


@l2_norm.hidden_case(group="shapes")
def frames_of_a_picture(draw: Draw):
    """72 frames of 80 bands, a transposed picture"""
    return draw.normal(80, 72).T


@l2_norm.property_case(group="shapes")
def errors_in_float64(draw: Draw):
    """numbers in float64, to ten digits"""
    yield from _to_ten_digits(l2_norm, draw.normal(3, 5).double())


@l2_norm.case(group="zero")
def one_perfect_row(draw: Draw):
    """a batch in which one vector is all zeros"""
    x = draw.normal(3, 4)
    x[draw.integer(0, 3)] = 0
    return x


@l2_norm.hidden_case(group="zero")
def perfect_frames(draw: Draw):
    """frames of which many are all zeros"""
    keep = torch.arange(5) % 2 == draw.integer(0, 2)
    return draw.normal(2, 5, 4) * keep[:, None]


@l2_norm.hidden_case(group="zero")
def tiny_vectors(draw: Draw):
    """vectors much shorter than 1"""
    return draw.normal(3, 4, scale=1e-3)


def _lengths_and_directions(x):
    """Lengths relative to their own size, and gradients: the direction of each vector, 0 where there is none."""
    got = yield ask(x, cotangents=(torch.ones(x.shape[:-1]),))
    lengths = torch.linalg.vector_norm(x.double(), dim=-1).float()
    is_zero = lengths == 0
    if got.value.shape != lengths.shape:
        raise Wrong(f"the result has shape {tuple(got.value.shape)}, it should be {tuple(lengths.shape)}")
    if (got.value[is_zero] != 0).any():
        raise Wrong(f"the zero vector has length 0, exactly, but it is {got.value[is_zero].max():.3g}")
    wrong = ~((got.value - lengths).abs() <= 1e-4 * lengths)
    if wrong.any():
        raise Wrong(f"a vector of length {lengths[wrong][0]:.3g} got the length {got.value[wrong][0]:.3g}")
    gradient = got.gradients[0] if got.gradients else None
    if gradient is not None and not (gradient[is_zero] == 0).all():
        raise Wrong("at the zero vector the gradient should be 0, but it is not")
    directions = torch.where(is_zero[..., None], 0.0, x / lengths[..., None])
    if gradient is not None and not (gradient - directions).abs().max() < 1e-3:
        raise Wrong("the gradient of a short vector's length should be its direction, but it is not")


@l2_norm.property_case(group="zero")
def the_zero_vector(draw: Draw):
    """the zero vector: length 0, gradient 0"""
    yield from _lengths_and_directions(torch.zeros(draw.integer(2, 6)))


@l2_norm.property_case(group="zero")
def short_vectors(draw: Draw):
    """vectors of a millionth and shorter, compared in proportion"""
    yield from _lengths_and_directions(draw.normal(3, 4) * 10.0 ** torch.tensor([[-6.0], [-11], [-15]]))


@l2_norm.hidden_property_case(group="zero")
def short_and_silent_frames(draw: Draw):
    """frames, some of them very short, some zero"""
    yield from _lengths_and_directions(draw.normal(3, 4, 80) * torch.tensor([1e-7, 0.0, 1.0, 1e-13])[:, None])


@l2_norm.misconception(
    "The gradient at 0 is NaN: the root's slope there is infinite, and 0 times infinity is not a number.",
    hint="A library function knows this corner. Or take the root only where the sum is above 0, and make sure that "
    "no zero reaches it.",
)
def root_of_zero(x):
    return x.square().sum(-1).sqrt()


@l2_norm.misconception(
    "The root is missing: this is the squared length.",
    hint="For [3, 4] the length is 5, not 25.",
)
def no_root(x):
    return x.square().sum(-1)


@l2_norm.misconception(
    "It takes the mean of the squares before the root: that is the root mean square, √D times smaller.",
    hint="For [3, 4] the length is 5. A norm sums.",
)
def root_mean_square(x):
    return torch.linalg.vector_norm(x, dim=-1) / math.sqrt(x.shape[-1])


@l2_norm.misconception(
    "It takes the mean of the squares, without a root: that is the squared error per number, not a length.",
    hint="Square, sum, root. For [3, 4] the length is 5.",
)
def mean_square(x):
    return x.square().mean(-1)


@l2_norm.misconception(
    "This is the L1 norm: the sum of the absolute values.",
    hint="Which of the two squares its numbers? For [3, 4] the L2 norm is 5.",
)
def street_distance(x):
    return x.abs().sum(-1)


@l2_norm.misconception(
    "It sums over all axes: one number comes out, however many vectors go in.",
    hint="Sum over the last axis alone. `torch.norm` without `dim` flattens everything.",
)
def one_for_all(x):
    return torch.linalg.vector_norm(x)


@l2_norm.misconception(
    "It works along the first axis instead of the last.",
    hint="A vector's numbers lie along the last axis. Its number is −1.",
)
def along_the_batch(x):
    return torch.linalg.vector_norm(x, dim=0)


@l2_norm.misconception(
    "A small constant under the root keeps the gradient finite, but makes short vectors longer than they are.",
    hint="With 1e-8 under the root the zero vector gets length 0.0001. Can the zero be treated apart?",
)
def small_constant(x):
    return (x.square().sum(-1) + 1e-8).sqrt()


@l2_norm.misconception(
    "A small constant under the root, added or as a lower limit, keeps the gradient finite; but then the zero vector "
    "is no longer of length 0, and very short vectors come out wrong.",
    hint="With 1e-12 under the root the zero vector gets length 0.000001. Can the zero be treated apart?",
)
def very_small_constant(x):
    return (x.square().sum(-1) + 1e-12).sqrt()


@l2_norm.misconception(
    "The last axis is still there, with size 1.",
    hint="From (B, D) the result is (B,). What does `keepdim=True` do?",
)
def still_a_column(x):
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


@l2_norm.alternative
def by_linalg(x):
    return torch.linalg.norm(x, dim=-1)


@l2_norm.alternative
def root_where_positive(x):
    squares = x.square().sum(-1)
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, torch.ones_like(squares)).sqrt(), 0 * squares)


@l2_norm.alternative
def distance_from_the_origin(x):
    return torch.dist(x, torch.zeros_like(x)) if x.ndim == 1 else (x - 0).norm(dim=-1)


# ------------------------------------------------------------------------------------------------------- l1_loss


@exercise(unit=UNIT, differentiable=True)
def l1_loss(pred, target):
    _require_same_shape(pred, target)
    return functional.l1_loss(pred, target)


@l1_loss.case
def two_vectors(draw: Draw):
    """one vector against another"""
    return draw.normal(5), draw.normal(5)


@l1_loss.case
def mel_batch(draw: Draw):
    """a batch of mel frames, (B, T, M)"""
    return draw.normal(2, 5, 4), draw.normal(2, 5, 4)


@l1_loss.case
def always_too_low(draw: Draw):
    """predictions that are all too low"""
    target = draw.normal(3, 4)
    return target - draw.uniform(3, 4, low=0.2, high=2.0), target


@l1_loss.case(group="edge")
def partly_right(draw: Draw):
    """a prediction that is exactly right in places"""
    target = draw.normal(3, 5)
    return torch.where(torch.arange(5) % 2 == draw.integer(0, 2), target, draw.normal(3, 5)), target


@l1_loss.hidden_case(group="edge")
def one_wild_number(draw: Draw):
    """one outlier among good predictions"""
    target = draw.normal(2, 6)
    pred = target + draw.normal(2, 6, scale=0.1)
    pred[draw.integer(0, 2), draw.integer(0, 6)] += 300
    return pred, target


@l1_loss.hidden_case(group="edge")
def single_pair(draw: Draw):
    """two single numbers, ()"""
    return draw.normal(), draw.normal() + 3


@l1_loss.hidden_case(group="edge")
def nearly_right(draw: Draw):
    """errors of a thousandth"""
    target = draw.normal(3, 4)
    return target + draw.normal(3, 4, scale=1e-3), target


@l1_loss.hidden_case(group="edge")
def seven_pictures(draw: Draw):
    """seven pictures of thousands of numbers"""
    return _growing(draw, 7, 20, 72), torch.zeros(7, 20, 72)


@l1_loss.property_case(group="edge")
def losses_in_float64(draw: Draw):
    """numbers in float64, to ten digits"""
    yield from _to_ten_digits(l1_loss, *_small_and_large_errors(draw, 2, 7))


@l1_loss.case(group="errors", gradient=False)
def a_column_against_a_row(draw: Draw):
    """a column (B, 1) against a row (B,), which would silently become (B, B)"""
    return draw.normal(3, 1), draw.normal(3)


@l1_loss.case(group="errors", gradient=False)
def one_frame_for_all(draw: Draw):
    """many frames against a single one"""
    return draw.normal(2, 5, 4), draw.normal(2, 1, 4)


@l1_loss.hidden_case(group="errors", gradient=False)
def one_number_for_all(draw: Draw):
    """a vector against a single number"""
    return draw.normal(4), draw.normal(1)


@l1_loss.hidden_case(group="errors", gradient=False)
def as_many_numbers_in_another_shape(draw: Draw):
    """as many numbers in another shape"""
    return draw.normal(2, 6), draw.normal(6, 2)


@l1_loss.hidden_case(group="errors", gradient=False)
def frames_and_bands_exchanged(draw: Draw):
    """frames and bands exchanged"""
    return draw.normal(2, 3, 4), draw.normal(2, 4, 3)


@l1_loss.misconception(
    "Shapes that differ are accepted: PyTorch repeats the smaller one, and the number that comes out means nothing.",
    hint="Compare `pred.shape` with `target.shape` first, and raise ValueError where they differ.",
)
def broadcast_in_silence(pred, target):
    return (pred - target).abs().mean()


@l1_loss.misconception(
    "Only the number of dimensions is compared: (2, 1, 4) passes for (2, 5, 4).",
    hint="`pred.shape != target.shape` compares every size.",
)
def dimensions_counted(pred, target):
    if pred.ndim != target.ndim:
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")
    return (pred - target).abs().mean()


@l1_loss.misconception(
    "Only the number of elements is compared: (6, 2) passes for (2, 6).",
    hint="`pred.shape != target.shape` compares the shapes themselves.",
)
def elements_counted(pred, target):
    if pred.numel() != target.numel():
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")
    return (pred.flatten() - target.flatten()).abs().mean()


@l1_loss.misconception(
    "The absolute errors are summed, not averaged: this is the L1 norm of the error.",
    hint="Twice as many frames with the same errors should give the same loss.",
)
def summed(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).abs().sum()


@l1_loss.misconception(
    "The signs are kept: too high here and too low there cancel, and the loss may be negative.",
    hint="Can your loss be below 0?",
)
def signed(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).mean()


@l1_loss.misconception(
    "The absolute value is taken after the mean: too high here and too low there have cancelled by then.",
    hint="First the absolute error of every number, then the mean.",
)
def abs_of_the_mean(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).mean().abs()


@l1_loss.misconception(
    "The errors are squared: this is the L2 loss.",
    hint="L1 takes the absolute value of each error.",
)
def squared_errors(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).square().mean()


@l1_loss.misconception(
    "It averages over the last axis only: many numbers come out where a loss is one.",
    hint="`mean()` without an axis averages over everything.",
)
def one_a_frame(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).abs().mean(-1) if pred.ndim else (pred - target).abs()


@l1_loss.misconception(
    "The norm of every frame is taken, and then the mean of the norms: a norm sums over its frame, so that the result "
    "is as many times too large as a frame has numbers.",
    hint="A loss divides by all numbers: not by frames. What does `l1_norm` sum over?",
)
def norms_averaged(pred, target):
    _require_same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target, ord=1, dim=-1).mean()


@l1_loss.misconception(
    "The norm of every frame is divided by the size of the first axis: one number a frame comes out, and n is wrong.",
    hint="For (2, 5, 4) one number should come out, and n is 40. What is `len(pred)`?",
)
def norms_by_the_batch(pred, target):
    _require_same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target, ord=1, dim=-1) / len(pred)


@l1_loss.misconception(
    "The sum is divided by the size of the first axis only, not by how many numbers there are.",
    hint="What is `pred.numel()`, and what is `len(pred)`?",
)
def by_the_batch(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).abs().sum() / (len(pred) if pred.ndim else 1)


@l1_loss.misconception(
    "The absolute value is made by squaring and taking the root, whose slope at 0 is infinite: the gradient is NaN "
    "wherever the prediction is exactly right.",
    hint="There is a function for the absolute value, and its gradient at 0 is 0.",
)
def absolute_by_root(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).square().sqrt().mean()


@l1_loss.alternative
def mean_absolute_error(pred, target):
    if pred.shape != target.shape:
        raise ValueError("the shapes differ")
    return (pred - target).abs().mean()


@l1_loss.alternative
def norm_by_count(pred, target):
    if tuple(pred.shape) != tuple(target.shape):
        raise ValueError
    return torch.linalg.vector_norm((target - pred).flatten(), ord=1) / max(1, pred.numel())


# ------------------------------------------------------------------------------------------------------ mse_loss


@exercise(unit=UNIT, differentiable=True)
def mse_loss(pred, target):
    _require_same_shape(pred, target)
    return functional.mse_loss(pred, target)


@mse_loss.case
def vector_and_truth(draw: Draw):
    """one vector against another"""
    return draw.normal(5), draw.normal(5)


@mse_loss.case
def mel_and_truth(draw: Draw):
    """a batch of mel frames, (B, T, M)"""
    return draw.normal(2, 5, 4), draw.normal(2, 5, 4)


@mse_loss.case(group="edge")
def one_outlier(draw: Draw):
    """one outlier among good predictions"""
    target = draw.normal(2, 6)
    pred = target + draw.normal(2, 6, scale=0.1)
    pred[draw.integer(0, 2), draw.integer(0, 6)] += 3000
    return pred, target


@mse_loss.hidden_property_case(group="edge")
def perfect(draw: Draw):
    """a perfect prediction: loss 0, gradient 0"""
    x = draw.normal(2, 4)
    got = yield ask(x, x.clone(), cotangents=(torch.tensor(1.0),))
    if got.value.shape != () or got.value.item() != 0:
        raise Wrong(f"a perfect prediction has loss 0, but it is {got.value}")
    for gradient in got.gradients or ():
        if gradient is not None and not (gradient == 0).all():
            raise Wrong("the gradient of a perfect prediction should be 0, but it is not")


@mse_loss.hidden_case(group="edge")
def two_numbers(draw: Draw):
    """two single numbers, ()"""
    return draw.normal(), draw.normal() + 3


@mse_loss.case(group="edge")
def far_from_zero(draw: Draw):
    """numbers around 10 000 with errors around 1"""
    target = draw.uniform(3, 4, low=9e3, high=11e3)
    return target + draw.normal(3, 4), target


@mse_loss.hidden_case(group="edge")
def seven_mels(draw: Draw):
    """seven pictures of thousands of numbers"""
    return _growing(draw, 7, 10, 36), torch.zeros(7, 10, 36)


@mse_loss.property_case(group="edge")
def truth_in_float64(draw: Draw):
    """numbers in float64, to ten digits"""
    yield from _to_ten_digits(mse_loss, *_small_and_large_errors(draw, 2, 7))


@mse_loss.case(group="errors", gradient=False)
def column_against_row(draw: Draw):
    """a column (B, 1) against a row (B,), which would silently become (B, B)"""
    return draw.normal(3, 1), draw.normal(3)


@mse_loss.case(group="errors", gradient=False)
def many_against_one(draw: Draw):
    """many frames against a single one"""
    return draw.normal(2, 5, 4), draw.normal(2, 1, 4)


@mse_loss.hidden_case(group="errors", gradient=False)
def vector_against_number(draw: Draw):
    """a vector against a single number"""
    return draw.normal(4), draw.normal(1)


@mse_loss.hidden_case(group="errors", gradient=False)
def same_numbers_turned(draw: Draw):
    """as many numbers in another shape"""
    return draw.normal(2, 6), draw.normal(6, 2)


@mse_loss.hidden_case(group="errors", gradient=False)
def axes_exchanged(draw: Draw):
    """frames and bands exchanged"""
    return draw.normal(2, 3, 4), draw.normal(2, 4, 3)


@mse_loss.misconception(
    "Shapes that differ are accepted: PyTorch repeats the smaller one, and the number that comes out means nothing.",
    hint="Compare `pred.shape` with `target.shape` first, and raise ValueError where they differ.",
)
def stretched_in_silence(pred, target):
    return (pred - target).square().mean()


@mse_loss.misconception(
    "Only the number of dimensions is compared: (2, 1, 4) passes for (2, 5, 4).",
    hint="`pred.shape != target.shape` compares every size.",
)
def axes_counted(pred, target):
    if pred.ndim != target.ndim:
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")
    return (pred - target).square().mean()


@mse_loss.misconception(
    "Only the number of elements is compared: (6, 2) passes for (2, 6).",
    hint="`pred.shape != target.shape` compares the shapes themselves.",
)
def numbers_counted(pred, target):
    if pred.numel() != target.numel():
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")
    return (pred.flatten() - target.flatten()).square().mean()


@mse_loss.misconception(
    "A root is taken at the end. That is RMSE; the L2 loss has no root.",
    hint="For errors 0.5, −1, −1 the loss is 0.75. Is yours 0.866?",
)
def with_root(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).square().mean().sqrt()


@mse_loss.misconception(
    "This is the L2 norm of the error, the root of the sum. The loss is the mean of the squares, without a root.",
    hint="For errors 0.5, −1, −1 the loss is 0.75. Is yours 1.5?",
)
def norm_of_the_error(pred, target):
    _require_same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target)


@mse_loss.misconception(
    "The squares are summed, not averaged.",
    hint="For errors 0.5, −1, −1 the loss is 0.75. Is yours 2.25?",
)
def squares_summed(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).square().sum()


@mse_loss.misconception(
    "It is halved. Textbooks do that so that the derivative looks nicer; here the mean of the squares is asked for.",
    hint="For errors 0.5, −1, −1 the loss is 0.75. Is yours 0.375?",
)
def halved(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).square().mean() / 2


@mse_loss.misconception(
    "The mean is squared instead of the errors: too high here and too low there have cancelled by then.",
    hint="First the square of every error, then the mean.",
)
def square_of_the_mean(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).mean().square()


@mse_loss.misconception(
    "The absolute values are averaged: this is the L1 loss.",
    hint="The S in MSE stands for squared.",
)
def absolute_errors(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).abs().mean()


@mse_loss.misconception(
    "The squares of prediction and target are subtracted; the difference must be squared.",
    hint="(a − b)² is not a² − b².",
)
def difference_of_squares(pred, target):
    _require_same_shape(pred, target)
    return (pred.square() - target.square()).mean()


@mse_loss.misconception(
    "The norm of every frame is squared, and then the mean is taken: a norm sums over its frame, so that the result is "
    "as many times too large as a frame has numbers.",
    hint="A loss divides by all numbers: not by frames. What does `l2_norm` sum over?",
)
def squared_norms_averaged(pred, target):
    _require_same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target, dim=-1).square().mean()


@mse_loss.misconception(
    "‖e‖²/n it is, but with the norm of every frame and the size of the first axis for n.",
    hint="For (2, 5, 4) one number should come out, and n is 40. What is `len(pred)`?",
)
def squared_norms_by_the_batch(pred, target):
    _require_same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target, dim=-1).square() / len(pred)


@mse_loss.misconception(
    "The norms of the frames are averaged. The loss is the mean of the squares of all numbers, without a root.",
    hint="For errors 0.5, −1, −1 the loss is 0.75. Is yours 1.5?",
)
def roots_averaged(pred, target):
    _require_same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target, dim=-1).mean()


@mse_loss.misconception(
    "The square is multiplied out, a² − 2ab + b²: for large a and b huge numbers are subtracted, and the digits of the "
    "small error are lost.",
    hint="First the difference, then its square.",
)
def square_multiplied_out(pred, target):
    _require_same_shape(pred, target)
    return (pred.square() - 2 * pred * target + target.square()).mean()


@mse_loss.misconception(
    "The sum is divided by the size of the first axis only, not by how many numbers there are.",
    hint="What is `pred.numel()`, and what is `len(pred)`?",
)
def over_the_batch(pred, target):
    _require_same_shape(pred, target)
    return (pred - target).square().sum() / (len(pred) if pred.ndim else 1)


@mse_loss.alternative
def mean_squared_error(pred, target):
    if pred.shape != target.shape:
        raise ValueError("the shapes differ")
    return ((pred - target) ** 2).mean()


@mse_loss.alternative
def dot_product_with_itself(pred, target):
    if pred.shape != target.shape:
        raise ValueError
    error = (target - pred).flatten()
    return error @ error / error.numel()


@mse_loss.alternative
def number_after_number(pred, target):
    if list(pred.shape) != list(target.shape):
        raise ValueError
    return torch.stack([one * one for one in (pred - target).flatten()]).mean()


# -------------------------------------------------------------------------------------------------- mse_gradient


# So near that the 1/n of ten thousand numbers is seen.
@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-6))
def mse_gradient(pred, target):
    leaf = pred.detach().requires_grad_()
    return torch.autograd.grad(functional.mse_loss(leaf, target), leaf)[0]


@mse_gradient.case
def slope_for_a_vector(draw: Draw):
    """one vector against another"""
    return draw.normal(5), draw.normal(5)


@mse_gradient.case
def slope_for_a_batch(draw: Draw):
    """a batch of vectors, (B, D)"""
    return draw.normal(2, 3), draw.normal(2, 3)


@mse_gradient.case(group="edge")
def slope_where_partly_right(draw: Draw):
    """a prediction that is exactly right in places"""
    target = draw.normal(2, 5)
    return torch.where(torch.arange(5) % 2 == draw.integer(0, 2), target, draw.normal(2, 5)), target


@mse_gradient.hidden_case(group="edge")
def slope_for_frames(draw: Draw):
    """frames of a batch, (B, T, M)"""
    return draw.normal(2, 3, 4), draw.normal(2, 3, 4)


@mse_gradient.hidden_case(group="edge")
def slope_at_an_outlier(draw: Draw):
    """one outlier among good predictions"""
    target = draw.normal(6)
    pred = target + draw.normal(6, scale=0.1)
    pred[draw.integer(0, 6)] -= 500
    return pred, target


@mse_gradient.hidden_case(group="edge")
def slope_for_one_number(draw: Draw):
    """two single numbers, ()"""
    return draw.normal(), draw.normal() - 2


@mse_gradient.hidden_case(group="edge")
def slope_for_seven_pictures(draw: Draw):
    """seven pictures of thousands of numbers"""
    return draw.normal(7, 20, 72), draw.normal(7, 20, 72)


@mse_gradient.property_case(group="edge")
def slope_in_float64(draw: Draw):
    """numbers in float64, tiny and huge errors, to ten digits"""
    pred, target = _small_and_large_errors(draw, 7)
    pred[0] += 5000
    yield from _to_ten_digits(mse_gradient, pred, target)


@mse_gradient.misconception(
    "The sign is turned round: this points downhill, but the gradient points uphill.",
    hint="Where the prediction is too high, raising it further makes the loss larger. Which sign has the slope?",
)
def downhill(pred, target):
    return 2 * (target - pred) / pred.numel()


@mse_gradient.misconception(
    "The factor 2, which comes down from the square, is missing.",
    hint="What is the derivative of e²?",
)
def no_two(pred, target):
    return (pred - target) / pred.numel()


@mse_gradient.misconception(
    "The 1/n of the mean is missing: this is the gradient of the sum.",
    hint="The loss is the mean over all n numbers. What becomes of 1/n when you take the derivative?",
)
def slope_of_the_sum(pred, target):
    return 2 * (pred - target)


@mse_gradient.misconception(
    "Both the 2 of the square and the 1/n of the mean are missing: this is the error itself.",
    hint="Write the loss out for two numbers and take the derivative with respect to the first.",
)
def the_error_itself(pred, target):
    return pred - target


@mse_gradient.misconception(
    "It divides by the size of the last axis, but the mean is over all numbers.",
    hint="For a (2, 3) batch n is 6.",
)
def by_the_last_axis(pred, target):
    return 2 * (pred - target) / (pred.shape[-1] if pred.ndim else 1)


@mse_gradient.misconception(
    "It divides by the size of the first axis, but the mean is over all numbers.",
    hint="For a (2, 3) batch n is 6. What is `len(pred)`?",
)
def by_the_first_axis(pred, target):
    return 2 * (pred - target) / (len(pred) if pred.ndim else 1)


@mse_gradient.misconception(
    "The absolute error is used: the gradient has lost its direction.",
    hint="Too high and too low must push in opposite directions.",
)
def direction_lost(pred, target):
    return 2 * (pred - target).abs() / pred.numel()


@mse_gradient.misconception(
    "It gives one number; each number of the prediction has a slope of its own.",
    hint="The gradient has the shape of `pred`.",
)
def slopes_averaged(pred, target):
    return 2 * (pred - target).mean()


@mse_gradient.misconception(
    "It gives the square itself, divided by n: the loss of each number, not its slope.",
    hint="What is the derivative of e²?",
)
def loss_of_each(pred, target):
    return (pred - target).square() / pred.numel()


@mse_gradient.misconception(
    "Only the sign of the error is left: this is the slope of the L1 loss.",
    hint="Under the L2 loss a large error pushes harder than a small one.",
)
def sign_of_each(pred, target):
    return torch.sign(pred - target) / pred.numel()


@mse_gradient.alternative
def two_errors_by_n(pred, target):
    return 2 * (pred - target) / pred.numel()


@mse_gradient.alternative
def number_by_number(pred, target):
    gradient = torch.empty_like(pred)
    flat = gradient.view(-1)
    for i, (guess, truth) in enumerate(zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True)):
        flat[i] = (guess - truth) * 2 / pred.numel()
    return gradient


@mse_gradient.alternative
def slope_between_two_points(pred, target):
    # For a parabola the slope of a chord is exact: ((e + h)² − (e − h)²) / 2h = 2e.
    error, h = pred - target, 0.5
    return ((error + h).square() - (error - h).square()) / (2 * h) / pred.numel()


# --------------------------------------------------------------------------------------------------- l1_gradient


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-8))
def l1_gradient(pred, target):
    leaf = pred.detach().requires_grad_()
    return torch.autograd.grad(functional.l1_loss(leaf, target), leaf)[0]


@l1_gradient.case
def push_on_a_vector(draw: Draw):
    """one vector against another"""
    return draw.normal(5), draw.normal(5)


@l1_gradient.case
def push_on_a_batch(draw: Draw):
    """a batch of vectors, (B, D)"""
    return draw.normal(2, 3), draw.normal(2, 3)


@l1_gradient.case(group="exactly right")
def push_where_partly_right(draw: Draw):
    """a prediction that is exactly right in places"""
    target = draw.normal(2, 5)
    return torch.where(torch.arange(5) % 2 == draw.integer(0, 2), target, draw.normal(2, 5)), target


@l1_gradient.hidden_case(group="exactly right")
def push_where_one_is_right(draw: Draw):
    """one number of many is exactly right"""
    target = draw.normal(3, 4)
    pred = target + draw.normal(3, 4)
    place = draw.integer(0, 3), draw.integer(0, 4)
    pred[place] = target[place]
    return pred, target


@l1_gradient.hidden_case(group="edge")
def push_on_frames(draw: Draw):
    """frames of a batch, (B, T, M)"""
    return draw.normal(2, 3, 4), draw.normal(2, 3, 4)


@l1_gradient.case(group="edge")
def push_on_tiny_and_huge_errors(draw: Draw):
    """errors of a millionth and less beside errors of thousands"""
    return draw.normal(6) * 10.0 ** torch.tensor([-6.0, 4, -10, 3, -15, 4]), torch.zeros(6)


@l1_gradient.case(group="edge")
def push_where_nearly_right(draw: Draw):
    """a prediction that is some millionths off: 5.000003 for 5"""
    target = draw.uniform(2, 5, low=3.0, high=8.0)
    return target + 3e-6 * torch.where(draw.normal(2, 5) > 0, 1.0, -1.0), target


@l1_gradient.hidden_case(group="edge")
def push_where_one_step_off(draw: Draw):
    """a prediction next to the truth: no float32 lies between"""
    target = draw.uniform(2, 5, low=3.0, high=8.0)
    return torch.nextafter(target, torch.where(draw.normal(2, 5) > 0, 99.0, -99.0)), target


@l1_gradient.hidden_case(group="edge")
def push_on_seven_pictures(draw: Draw):
    """seven pictures of thousands of numbers"""
    return draw.normal(7, 20, 72), draw.normal(7, 20, 72)


@l1_gradient.hidden_case(group="edge")
def push_on_one_number(draw: Draw):
    """two single numbers, ()"""
    return draw.normal(), draw.normal() - 9


@l1_gradient.property_case(group="edge")
def push_in_float64(draw: Draw):
    """numbers in float64, to ten digits"""
    yield from _to_ten_digits(l1_gradient, *_small_and_large_errors(draw, 7))


@l1_gradient.misconception(
    "Where the prediction is exactly right it divides 0 by 0, which is NaN.",
    hint="e/|e| has no value at e = 0. Which function gives −1, 0 or 1?",
)
def zero_by_zero(pred, target):
    error = pred - target
    return error / error.abs() / pred.numel()


@l1_gradient.misconception(
    "Where the prediction is exactly right it pushes down, instead of staying.",
    hint="At 0 the slope is taken to be 0: nothing to mend.",
)
def pushed_down_at_zero(pred, target):
    return torch.where(pred >= target, 1.0, -1.0).to(pred.dtype) / pred.numel()


@l1_gradient.misconception(
    "Where the prediction is exactly right it pushes up, instead of staying.",
    hint="At 0 the slope is taken to be 0: nothing to mend.",
)
def pushed_up_at_zero(pred, target):
    return torch.where(pred > target, 1.0, -1.0).to(pred.dtype) / pred.numel()


@l1_gradient.misconception(
    "The sign is turned round: this points downhill, but the gradient points uphill.",
    hint="Where the prediction is too high, raising it further makes the loss larger. Which sign has the slope?",
)
def turned_round(pred, target):
    return torch.sign(target - pred) / pred.numel()


@l1_gradient.misconception(
    "The 1/n of the mean is missing: this is the gradient of the sum.",
    hint="The loss is the mean over all n numbers. What becomes of 1/n when you take the derivative?",
)
def bare_sign(pred, target):
    return torch.sign(pred - target)


@l1_gradient.misconception(
    "The size of the error is still in it. The slope of |e| is the same however large e is.",
    hint="Draw |e|. How steep is it at 0.1, and at 10?",
)
def size_kept(pred, target):
    return (pred - target) / pred.numel()


@l1_gradient.misconception(
    "There is a factor 2. That one comes from a square, and nothing is squared here.",
    hint="How steep is |e| to the right of 0?",
)
def doubled(pred, target):
    return 2 * torch.sign(pred - target) / pred.numel()


@l1_gradient.misconception(
    "It divides by the size of the last axis, but the mean is over all numbers.",
    hint="For a (2, 3) batch n is 6.",
)
def over_the_last_axis(pred, target):
    return torch.sign(pred - target) / (pred.shape[-1] if pred.ndim else 1)


@l1_gradient.misconception(
    "It divides by the size of the first axis, but the mean is over all numbers.",
    hint="For a (2, 3) batch n is 6. What is `len(pred)`?",
)
def over_the_first_axis(pred, target):
    return torch.sign(pred - target) / (len(pred) if pred.ndim else 1)


@l1_gradient.misconception(
    "Each error is divided by itself plus a small constant, so that tiny errors hardly push.",
    hint="A millionth too high is too high: the slope is the same as for a thousand.",
)
def softened(pred, target):
    error = pred - target
    return error / (error.abs() + 1e-6) / pred.numel()


@l1_gradient.misconception(
    "What is nearly right counts as right.",
    hint="For 5.000003 in place of 5 the slope is not 0. `torch.isclose` calls them equal.",
)
def nearly_right_is_right(pred, target):
    return torch.where(torch.isclose(pred, target), 0.0, torch.sign(pred - target)) / pred.numel()


@l1_gradient.misconception(
    "The sign of the prediction is taken, not that of the error.",
    hint="Too high or too low: compared with what?",
)
def sign_of_the_prediction(pred, target):
    return torch.sign(pred) / pred.numel()


@l1_gradient.alternative
def sign_by_n(pred, target):
    return torch.sign(pred - target) / pred.numel()


@l1_gradient.alternative
def comparison_of_both(pred, target):
    return ((pred > target).to(pred.dtype) - (pred < target).to(pred.dtype)) / pred.numel()


@l1_gradient.alternative
def counted_in_a_loop(pred, target):
    steps = [
        (guess > truth) - (guess < truth)
        for guess, truth in zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True)
    ]
    return (torch.tensor(steps, dtype=pred.dtype) / len(steps)).reshape(pred.shape)


# ------------------------------------------------------------------------------------------------ masked_l1_loss


@exercise(unit=UNIT, differentiable=True)
def masked_l1_loss(pred, target, lengths):
    # Cut the padding off and lay the real frames end to end: it never enters the arithmetic.
    counts = lengths.tolist()
    real = [torch.cat([one[:count] for one, count in zip(batch, counts, strict=True)]) for batch in (pred, target)]
    return functional.l1_loss(*real)


def _padded(draw: Draw, batch: int = 3, frames: int = 6, bands: int = 4):
    """Two batches and lengths, all different, one of them full, in no order."""
    lengths = torch.tensor([frames, *draw.sample(range(1, frames), batch - 1)])[draw.permutation(batch)]
    return draw.normal(batch, frames, bands), draw.normal(batch, frames, bands), lengths


def _outside(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """(B, T, 1), True at padded frames."""
    return (torch.arange(frames) >= lengths[:, None])[..., None]


@masked_l1_loss.case
def clips_of_several_lengths(draw: Draw):
    """three clips of different lengths"""
    return _padded(draw)


@masked_l1_loss.hidden_case
def quiet_padding(draw: Draw):
    """padding of zeros in both"""
    pred, target, lengths = _padded(draw, frames=7)
    outside = _outside(lengths, 7)
    return pred.masked_fill(outside, 0.0), target.masked_fill(outside, 0.0), lengths


@masked_l1_loss.hidden_case
def as_many_bands_as_frames(draw: Draw):
    """as many bands as frames"""
    return _padded(draw, frames=5, bands=5)


@masked_l1_loss.case(group="padding")
def nan_in_the_prediction(draw: Draw):
    """padding of NaN in the prediction"""
    pred, target, lengths = _padded(draw)
    return pred.masked_fill(_outside(lengths, 6), math.nan), target, lengths


@masked_l1_loss.hidden_case(group="padding")
def nan_in_both(draw: Draw):
    """padding of NaN in both"""
    pred, target, lengths = _padded(draw)
    outside = _outside(lengths, 6)
    return pred.masked_fill(outside, math.nan), target.masked_fill(outside, math.nan), lengths


@masked_l1_loss.hidden_case(group="padding")
def infinite_padding(draw: Draw):
    """padding of +∞ in the prediction and −∞ in the target"""
    pred, target, lengths = _padded(draw)
    outside = _outside(lengths, 6)
    return pred.masked_fill(outside, math.inf), target.masked_fill(outside, -math.inf), lengths


@masked_l1_loss.hidden_case(group="padding")
def loud_padding(draw: Draw):
    """padding of huge numbers"""
    pred, target, lengths = _padded(draw)
    return pred.masked_fill(_outside(lengths, 6), 1e30), target, lengths


@masked_l1_loss.case(group="edge")
def single_clip(draw: Draw):
    """a single clip, shorter than its tensor"""
    return draw.normal(1, 5, 3), draw.normal(1, 5, 3), torch.tensor([draw.integer(1, 5)])


@masked_l1_loss.hidden_case(group="edge")
def no_padding_at_all(draw: Draw):
    """no padding at all"""
    return draw.normal(2, 4, 3), draw.normal(2, 4, 3), torch.tensor([4, 4])


@masked_l1_loss.hidden_case(group="edge")
def nobody_fills_the_tensor(draw: Draw):
    """no clip is as long as the tensor"""
    return draw.normal(2, 8, 3), draw.normal(2, 8, 3), torch.tensor(draw.sample(range(1, 7), 2))


@masked_l1_loss.case(group="edge")
def partly_perfect(draw: Draw):
    """a prediction that is exactly right in one band"""
    pred, target, lengths = _padded(draw)
    return torch.where(torch.arange(4) == draw.integer(0, 4), target, pred), target, lengths


@masked_l1_loss.hidden_case(group="edge")
def eight_clips_of_eighty_bands(draw: Draw):
    """eight clips of 80 bands, with padding of NaN"""
    _, _, lengths = _padded(draw, batch=8, frames=70)
    pred = _growing(draw, 8, 70, 80).masked_fill(_outside(lengths, 70), math.nan)
    return pred, torch.zeros(8, 70, 80), lengths


@masked_l1_loss.property_case(group="edge")
def clips_in_float64(draw: Draw):
    """numbers in float64, to ten digits"""
    pred, target, lengths = _padded(draw)
    yield from _to_ten_digits(masked_l1_loss, pred.double(), target.double(), lengths)


@masked_l1_loss.case(group="edge", gradient=False)
def nan_in_a_real_frame(draw: Draw):
    """NaN in a real frame: the loss is NaN too"""
    pred, target, lengths = _padded(draw)
    pred[draw.integer(0, 3), 0, draw.integer(0, 4)] = math.nan
    return pred, target, lengths


@masked_l1_loss.hidden_case(group="edge", gradient=False)
def nan_in_a_real_frame_of_the_target(draw: Draw):
    """NaN in a real frame of the target: the loss is NaN too"""
    pred, target, lengths = _padded(draw)
    target[draw.integer(0, 3), 0, draw.integer(0, 4)] = math.nan
    return pred, target, lengths


def _real(pred, lengths):
    """(B, T), True at real frames."""
    return torch.arange(pred.shape[1]) < lengths[:, None]


@masked_l1_loss.misconception(
    "The padding is left out of the sum but counted in the mean: more padding makes the loss smaller.",
    hint="By how many numbers do you divide? Only real ones should count.",
)
def padded_size(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).abs().sum() / pred.numel()


@masked_l1_loss.misconception(
    "Each clip is averaged first, and then the clips: a frame of a short clip counts more than one of a long clip.",
    hint="All real frames of the batch have the same weight. Sum everything before you divide once.",
)
def mean_of_means(pred, target, lengths):
    clips = zip(pred, target, lengths.tolist(), strict=True)
    return torch.stack([(p[:n] - t[:n]).abs().mean() for p, t, n in clips]).mean()


@masked_l1_loss.misconception(
    "The padding counts like speech: the lengths have no effect.",
    hint="Change `lengths`: does your result change?",
)
def lengths_ignored(pred, target, lengths):
    return (pred - target).abs().mean()


@masked_l1_loss.misconception(
    "The mask lies along the bands instead of along time.",
    hint="The lengths count frames, the second of three axes. Which shape must the mask have: (B, T, 1) or (B, 1, M)?",
)
def mask_over_bands(pred, target, lengths):
    real = torch.arange(pred.shape[2]) < lengths[:, None]
    kept = real[:, None, :].expand_as(pred)
    return (pred[kept] - target[kept]).abs().sum() / (pred.shape[2] * lengths.sum())


@masked_l1_loss.misconception(
    "The padding is multiplied by 0, but 0 times NaN is NaN.",
    hint="Padding must never enter the arithmetic: choose the real frames, or put a harmless number in place of the "
    "rest before you subtract.",
)
def multiplied_by_the_mask(pred, target, lengths):
    real = _real(pred, lengths)[..., None]
    return ((pred - target).abs() * real).sum() / (pred.shape[2] * lengths.sum())


@masked_l1_loss.misconception(
    "The absolute value is made by squaring and taking the root, whose slope at 0 is infinite: the gradient is NaN "
    "wherever the prediction is exactly right.",
    hint="There is a function for the absolute value, and its gradient at 0 is 0.",
)
def masked_root_of_the_square(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).square().sqrt().mean()


@masked_l1_loss.misconception(
    "NaN is turned into 0, but padding may hold ordinary numbers too.",
    hint="Padding is known by the lengths, not by what it holds.",
)
def nan_to_zero(pred, target, lengths):
    return torch.nan_to_num(pred - target).abs().sum() / (pred.shape[2] * lengths.sum())


@masked_l1_loss.misconception(
    "NaN is left out wherever it stands, in real frames too: a model that has gone wrong would look fine.",
    hint="Padding is known by the lengths, not by what it holds. For NaN in a real frame the loss should be NaN.",
)
def nan_left_out(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).abs().nanmean()


@masked_l1_loss.misconception(
    "It divides by the number of real frames, not by the number of real values: M times too large.",
    hint="Each real frame holds M numbers.",
)
def frames_counted(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).abs().sum() / lengths.sum()


@masked_l1_loss.misconception(
    "The errors are summed and not averaged.",
    hint="Divide by how many real numbers there are: M·Σ lengths.",
)
def real_frames_summed(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).abs().sum()


@masked_l1_loss.misconception(
    "One padded frame after each clip counts as real.",
    hint="A clip of length 3 has the frames 0, 1 and 2. Is it < or ≤?",
)
def one_frame_too_many(pred, target, lengths):
    real = torch.arange(pred.shape[1]) <= lengths[:, None]
    return (pred[real] - target[real]).abs().mean()


@masked_l1_loss.misconception(
    "Everything up to the longest clip counts: the padding of the shorter ones is taken for speech.",
    hint="Each clip has a length of its own.",
)
def cut_at_the_longest(pred, target, lengths):
    longest = int(lengths.max())
    return (pred[:, :longest] - target[:, :longest]).abs().mean()


@masked_l1_loss.misconception(
    "The errors are squared.",
    hint="L1 takes absolute values.",
)
def masked_squares(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).square().mean()


@masked_l1_loss.alternative
def chosen_by_index(pred, target, lengths):
    real = _real(pred, lengths)
    return (pred[real] - target[real]).abs().mean()


@masked_l1_loss.alternative
def replaced_in_time(pred, target, lengths):
    real = _real(pred, lengths)[..., None]
    error = torch.where(real, pred, 0.0) - torch.where(real, target, 0.0)
    return error.abs().sum() / (pred.shape[2] * lengths.sum())


@masked_l1_loss.alternative
def clip_by_clip(pred, target, lengths):
    total = pred.new_zeros(())
    for p, t, n in zip(pred, target, lengths.tolist(), strict=True):
        total = total + (p[:n] - t[:n]).abs().sum()
    return total / (pred.shape[-1] * int(lengths.sum()))


# -------------------------------------------------------------------------------------------- discriminator_loss


@exercise(unit=UNIT, differentiable=True)
def discriminator_loss(real, fake):
    losses = [
        functional.mse_loss(r, torch.ones_like(r)) + functional.mse_loss(f, torch.zeros_like(f))
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(losses).sum()


def _eight_maps(draw: Draw):
    return [draw.normal(16, size) for size in (9, 7, 3, 12, 5, 11, 4, 6)]


@discriminator_loss.case
def two_discriminators(draw: Draw):
    """two discriminators with maps of different sizes"""
    sizes = (2, 7), (2, 3)
    return [draw.normal(*size) for size in sizes], [draw.normal(*size) for size in sizes]


@discriminator_loss.hidden_case
def three_discriminators(draw: Draw):
    """three discriminators, maps with several axes"""
    sizes = (2, 9), (2, 1, 5), (2, 3, 2)
    return [draw.normal(*size) + 0.5 for size in sizes], [draw.normal(*size) for size in sizes]


@discriminator_loss.case(group="edge")
def single_discriminator(draw: Draw):
    """a single discriminator, three recordings"""
    return [draw.normal(3, 5)], [draw.normal(3, 5)]


@discriminator_loss.hidden_case(group="edge")
def eight_discriminators(draw: Draw):
    """eight discriminators and sixteen recordings, as in HiFi-GAN"""
    return _eight_maps(draw), _eight_maps(draw)


@discriminator_loss.hidden_case(group="edge")
def one_recording(draw: Draw):
    """a single recording"""
    return [draw.normal(1, 5), draw.normal(1, 3)], [draw.normal(1, 5), draw.normal(1, 3)]


@discriminator_loss.case(group="edge")
def more_fakes_than_reals(draw: Draw):
    """more fakes than real recordings"""
    return [draw.normal(2, 4), draw.normal(2, 3)], [draw.normal(5, 4), draw.normal(5, 3)]


@discriminator_loss.hidden_case(group="edge")
def sure_and_wrong(draw: Draw):
    """discriminators that are sure and wrong"""
    return [draw.normal(2, 4) - 20, draw.normal(2, 6) - 3], [draw.normal(2, 4) + 20, draw.normal(2, 6) + 3]


@discriminator_loss.property_case(group="edge")
def one_judgement_each(draw: Draw):
    """one number a recording, in float64, to ten digits"""
    yield from _to_ten_digits(discriminator_loss, *([draw.normal(3).double() for _ in range(2)] for _ in range(2)))


@discriminator_loss.misconception(
    "The goals are exchanged: real recordings are drawn to 0 and fakes to 1.",
    hint="The discriminator should say 1 to what is real.",
)
def goals_exchanged(real, fake):
    return sum(r.square().mean() + (1 - f).square().mean() for r, f in zip(real, fake, strict=True))


@discriminator_loss.misconception(
    "Both, real and fake, are drawn to 1. Only the generator wants fakes to score 1.",
    hint="Whose loss is this? What should the discriminator say to a fake?",
)
def both_to_one(real, fake):
    return sum((1 - r).square().mean() + (1 - f).square().mean() for r, f in zip(real, fake, strict=True))


@discriminator_loss.misconception(
    "The discriminators are averaged, not summed.",
    hint="The formula has a Σ over k, and no 1/K.",
)
def judges_averaged(real, fake):
    return discriminator_loss.oracle(real, fake) / len(real)


@discriminator_loss.misconception(
    "All maps are laid end to end before the mean, so that a discriminator with a large map counts more.",
    hint="One mean for each discriminator, then the sum.",
)
def maps_joined(real, fake):
    r, f = (torch.cat([one.flatten() for one in maps]) for maps in (real, fake))
    return (1 - r).square().mean() + f.square().mean()


@discriminator_loss.misconception(
    "The fakes do not count: the discriminator may call everything real.",
    hint="Two terms for each discriminator: one for the real map, one for the fake.",
)
def reals_only(real, fake):
    return sum((1 - r).square().mean() for r in real)


@discriminator_loss.misconception(
    "The real recordings do not count: the discriminator may call everything a fake.",
    hint="Two terms for each discriminator: one for the real map, one for the fake.",
)
def fakes_only(real, fake):
    return sum(f.square().mean() for f in fake)


@discriminator_loss.misconception(
    "Only the first discriminator counts.",
    hint="The Σ runs over every entry of the lists.",
)
def first_judge_only(real, fake):
    return (1 - real[0]).square().mean() + fake[0].square().mean()


@discriminator_loss.misconception(
    "It is halved. The first paper on least-squares GANs does that; HiFi-GAN and this course do not.",
    hint="A discriminator that says 0 to real and 0 to fake has loss 1. Is yours 0.5?",
)
def half_of_it(real, fake):
    return discriminator_loss.oracle(real, fake) / 2


@discriminator_loss.misconception(
    "This is the cross-entropy of the first GANs; a least-squares GAN has squares and no logarithm.",
    hint="The square of the distance from 1, and the square of the distance from 0.",
)
def by_logarithms(real, fake):
    loss = functional.binary_cross_entropy_with_logits
    pairs = zip(real, fake, strict=True)
    return sum(loss(r, torch.ones_like(r)) + loss(f, torch.zeros_like(f)) for r, f in pairs)


@discriminator_loss.misconception(
    "The squares are summed over each map, not averaged: large maps count more.",
    hint="mean, not sum, inside the Σ.",
)
def map_sums(real, fake):
    return sum((1 - r).square().sum() + f.square().sum() for r, f in zip(real, fake, strict=True))


@discriminator_loss.misconception(
    "Absolute values are taken where squares are asked for.",
    hint="Least *squares*.",
)
def least_absolute(real, fake):
    return sum((1 - r).abs().mean() + f.abs().mean() for r, f in zip(real, fake, strict=True))


@discriminator_loss.misconception(
    "The fake maps are detached inside: the values are right, but the discriminator no longer learns from fakes.",
    hint="The caller cuts the waveform off from the generator before it enters the discriminator. Cut at the score, "
    "and the discriminator's own weights get nothing.",
)
def fakes_detached(real, fake):
    return discriminator_loss.oracle(real, [f.detach() for f in fake])


@discriminator_loss.alternative
def squares_in_a_loop(real, fake):
    total = 0.0
    for r, f in zip(real, fake, strict=True):
        total = total + ((r - 1) ** 2).mean() + (f**2).mean()
    return total


@discriminator_loss.alternative
def two_sums(real, fake):
    return sum((1 - r).square().sum() / r.numel() for r in real) + sum(f.pow(2).sum() / f.numel() for f in fake)


@discriminator_loss.alternative
def dot_products(real, fake):
    distances = [(1 - r).flatten() for r in real] + [f.flatten() for f in fake]
    return torch.stack([one.dot(one) / len(one) for one in distances]).sum()


# ------------------------------------------------------------------------------------------------ generator_loss


@exercise(unit=UNIT, differentiable=True)
def generator_loss(fake):
    return torch.stack([functional.mse_loss(f, torch.ones_like(f)) for f in fake]).sum()


@generator_loss.case
def two_judges(draw: Draw):
    """two discriminators with maps of different sizes"""
    return ([draw.normal(2, 7), draw.normal(2, 3)],)


@generator_loss.hidden_case
def three_judges(draw: Draw):
    """three discriminators, maps with several axes"""
    return ([draw.normal(2, 9), draw.normal(2, 1, 5) + 1, draw.normal(2, 3, 2)],)


@generator_loss.case(group="edge")
def single_judge(draw: Draw):
    """a single discriminator, three recordings"""
    return ([draw.normal(3, 5)],)


@generator_loss.hidden_case(group="edge")
def eight_judges(draw: Draw):
    """eight discriminators and sixteen recordings, as in HiFi-GAN"""
    return (_eight_maps(draw),)


@generator_loss.hidden_case(group="edge")
def one_fake(draw: Draw):
    """a single recording"""
    return ([draw.normal(1, 5), draw.normal(1, 3)],)


@generator_loss.hidden_case(group="edge")
def fooled_and_not(draw: Draw):
    """one discriminator fooled entirely, another not at all"""
    return ([torch.ones(2, 4), draw.normal(2, 6) - 10],)


@generator_loss.case(group="edge")
def praised_beyond_one(draw: Draw):
    """scores far above 1"""
    return ([draw.uniform(3, low=40.0, high=90.0), draw.uniform(5, low=1.5, high=4.0)],)


@generator_loss.property_case(group="edge")
def scores_in_float64(draw: Draw):
    """scores in float64, to ten digits"""
    yield from _to_ten_digits(generator_loss, [draw.normal(2, 3).double(), draw.normal(2, 5).double()])


@generator_loss.misconception(
    "The fakes are drawn to 0: that is what the discriminator wants. The generator wants them to pass for real.",
    hint="What should the discriminator say to this generator's work, if the generator had its way?",
)
def drawn_to_zero(fake):
    return sum(f.square().mean() for f in fake)


@generator_loss.misconception(
    "The discriminators are averaged, not summed.",
    hint="The formula has a Σ over k, and no 1/K.",
)
def average_judge(fake):
    return generator_loss.oracle(fake) / len(fake)


@generator_loss.misconception(
    "All maps are laid end to end before the mean, so that a discriminator with a large map counts more.",
    hint="One mean for each discriminator, then the sum.",
)
def joined_before_the_mean(fake):
    return (1 - torch.cat([f.flatten() for f in fake])).square().mean()


@generator_loss.misconception(
    "The mean is taken before the distance from 1: scores above and below cancel.",
    hint="The distance of every single score from 1 is squared, then the mean is taken.",
)
def mean_first(fake):
    return sum((1 - f.mean()).square() for f in fake)


@generator_loss.misconception(
    "The score is only pushed up, without end: that is another kind of GAN. Here 1 is the goal.",
    hint="A score of 3 is as far from 1 as a score of −1.",
)
def only_upwards(fake):
    return -sum(f.mean() for f in fake)


@generator_loss.misconception(
    "This is the cross-entropy of the first GANs; a least-squares GAN has squares and no logarithm.",
    hint="The square of the distance from 1.",
)
def logarithmic(fake):
    return sum(functional.binary_cross_entropy_with_logits(f, torch.ones_like(f)) for f in fake)


@generator_loss.misconception(
    "The squares are summed over each map, not averaged.",
    hint="mean, not sum, inside the Σ.",
)
def sums_of_maps(fake):
    return sum((1 - f).square().sum() for f in fake)


@generator_loss.misconception(
    "It is halved. The first paper on least-squares GANs does that; HiFi-GAN and this course do not.",
    hint="A fake that scores 0 has loss 1. Is yours 0.5?",
)
def half_a_loss(fake):
    return generator_loss.oracle(fake) / 2


@generator_loss.misconception(
    "Absolute values are taken where squares are asked for.",
    hint="Least *squares*.",
)
def absolute_distance(fake):
    return sum((1 - f).abs().mean() for f in fake)


@generator_loss.misconception(
    "Scores above 1 count as perfect. The square draws them back to 1.",
    hint="What is (1 − 3)²?",
)
def enough_is_enough(fake):
    return sum(torch.relu(1 - f).square().mean() for f in fake)


@generator_loss.misconception(
    "Only the first discriminator counts.",
    hint="The Σ runs over every entry of the list.",
)
def first_map_only(fake):
    return (1 - fake[0]).square().mean()


@generator_loss.alternative
def distances_in_a_loop(fake):
    total = 0.0
    for f in fake:
        total = total + (f - 1).pow(2).mean()
    return total


@generator_loss.alternative
def squares_by_dot_product(fake):
    distances = [(f - 1).flatten() for f in fake]
    return torch.stack([one @ one / one.numel() for one in distances]).sum()


# ----------------------------------------------------------------------------------------- feature_matching_loss


@exercise(unit=UNIT, differentiable=True)
def feature_matching_loss(real, fake):
    pairs = ((r, f) for judges in zip(real, fake, strict=True) for r, f in zip(*judges, strict=True))
    return 2 * torch.stack([functional.l1_loss(f, r) for r, f in pairs]).sum()


def _maps(draw: Draw, *sizes: list[tuple[int, ...]]):
    return tuple([[draw.normal(*size) for size in judge] for judge in sizes] for _ in range(2))


@feature_matching_loss.case
def two_judges_two_maps(draw: Draw):
    """two discriminators with two maps each"""
    return _maps(draw, [(2, 4, 9), (2, 5, 3)], [(2, 4, 7), (2, 6, 2)])


@feature_matching_loss.hidden_case
def maps_of_all_forms(draw: Draw):
    """maps with three and four axes"""
    return _maps(draw, [(1, 2, 5, 3), (1, 4, 3, 2), (1, 1)], [(2, 3, 8), (2, 2, 4), (2, 4)])


@feature_matching_loss.case(group="edge")
def one_judge_one_map(draw: Draw):
    """one discriminator with one map, three recordings"""
    return _maps(draw, [(3, 4, 5)])


@feature_matching_loss.hidden_case(group="edge")
def eight_judges_of_many_layers(draw: Draw):
    """eight discriminators with six or eight maps each, as in HiFi-GAN"""
    return _maps(
        draw, *([(16, 2, 1 + (judge + layer) % 5) for layer in range((6, 8)[judge > 4])] for judge in range(8))
    )


@feature_matching_loss.case(group="edge")
def unequal_depths(draw: Draw):
    """discriminators of unequal depth"""
    return _maps(draw, [(2, 3)], [(2, 5), (2, 2, 4), (2, 7)])


@feature_matching_loss.property_case(group="edge")
def some_maps_agree(draw: Draw):
    """maps that are equal for real and fake; in float64, to ten digits"""
    real, fake = _maps(draw, [(2, 3), (2, 4)], [(2, 5), (2, 2)])
    fake[0][1] = real[0][1].clone()
    yield from _to_ten_digits(
        feature_matching_loss, *([[m.double() for m in judge] for judge in k] for k in (real, fake))
    )


def _every_pair(real, fake):
    return [(r, f) for judges in zip(real, fake, strict=True) for r, f in zip(*judges, strict=True)]


@feature_matching_loss.misconception(
    "The factor 2 in front is missing.",
    hint="HiFi-GAN gives this loss twice the weight of the generator's own.",
)
def without_the_two(real, fake):
    return feature_matching_loss.oracle(real, fake) / 2


@feature_matching_loss.misconception(
    "The differences are squared.",
    hint="|real − fake| is an absolute value: feature matching is an L1 distance.",
)
def squared_differences(real, fake):
    return 2 * sum((r - f).square().mean() for r, f in _every_pair(real, fake))


@feature_matching_loss.misconception(
    "The maps are averaged, not summed.",
    hint="Σ over every map of every discriminator, without dividing by how many there are.",
)
def average_map(real, fake):
    return feature_matching_loss.oracle(real, fake) / sum(len(judge) for judge in real)


@feature_matching_loss.misconception(
    "The maps of each discriminator are averaged before summing over discriminators.",
    hint="A discriminator with three maps contributes three terms.",
)
def average_map_of_each(real, fake):
    judges = zip(real, fake, strict=True)
    return 2 * sum(sum((r - f).abs().mean() for r, f in zip(*j, strict=True)) / len(j[0]) for j in judges)


@feature_matching_loss.misconception(
    "The discriminators are averaged, not summed.",
    hint="Σ over every map of every discriminator, without dividing by how many there are.",
)
def average_discriminator(real, fake):
    return feature_matching_loss.oracle(real, fake) / len(real)


@feature_matching_loss.misconception(
    "Only the last map of each discriminator is compared.",
    hint="Every layer's map counts: two loops, one inside the other.",
)
def last_maps_only(real, fake):
    return 2 * sum((r[-1] - f[-1]).abs().mean() for r, f in zip(real, fake, strict=True))


@feature_matching_loss.misconception(
    "Only the first map of each discriminator is compared.",
    hint="Every layer's map counts: two loops, one inside the other.",
)
def first_maps_only(real, fake):
    return 2 * sum((r[0] - f[0]).abs().mean() for r, f in zip(real, fake, strict=True))


@feature_matching_loss.misconception(
    "Only the first discriminator is compared.",
    hint="The outer list has one entry a discriminator.",
)
def first_discriminator_only(real, fake):
    return 2 * sum((r - f).abs().mean() for r, f in zip(real[0], fake[0], strict=True))


@feature_matching_loss.misconception(
    "The differences are summed inside each map, not averaged: large maps drown the small ones.",
    hint="mean, not sum, inside the Σ.",
)
def differences_summed(real, fake):
    return 2 * sum((r - f).abs().sum() for r, f in _every_pair(real, fake))


@feature_matching_loss.misconception(
    "The mean is taken before the absolute value: differences up and down cancel.",
    hint="First the absolute difference of every number, then the mean of the map.",
)
def difference_of_means(real, fake):
    return 2 * sum((r.mean() - f.mean()).abs() for r, f in _every_pair(real, fake))


@feature_matching_loss.misconception(
    "The real maps are detached inside. The values are right; but whether to cut is the caller's choice.",
    hint="Use the tensors as they come. No `.detach()`, no `.data`.",
)
def reals_detached(real, fake):
    return feature_matching_loss.oracle([[one.detach() for one in judge] for judge in real], fake)


@feature_matching_loss.alternative
def two_loops(real, fake):
    total = 0.0
    for real_maps, fake_maps in zip(real, fake, strict=True):
        for r, f in zip(real_maps, fake_maps, strict=True):
            total = total + (r - f).abs().mean()
    return 2 * total


@feature_matching_loss.alternative
def flattened_first(real, fake):
    reals, fakes = ([one for judge in maps for one in judge] for maps in (real, fake))
    distances = [
        torch.linalg.vector_norm((f - r).flatten(), ord=1) / r.numel() for r, f in zip(reals, fakes, strict=True)
    ]
    return torch.stack(distances).sum().mul(2)


# ------------------------------------------------------------------------------------------------- duration_loss


@exercise(unit=UNIT, differentiable=True)
def duration_loss(log_durations, durations, mask):
    return functional.mse_loss(log_durations[mask], torch.log1p(durations[mask].to(log_durations.dtype)))


def _phonemes(draw: Draw, batch: int = 3, phonemes: int = 6, longest: int = 30):
    """Predicted ln(1 + frames), true frames, and which phonemes are real."""
    counts = torch.tensor([phonemes, *draw.sample(range(1, phonemes), batch - 1)])[draw.permutation(batch)]
    durations = draw.integers(1, longest, batch, phonemes)
    guess = torch.log1p(durations.float()) + draw.normal(batch, phonemes, scale=0.7)
    return guess, durations, torch.arange(phonemes) < counts[:, None]


@duration_loss.case
def words_of_several_lengths(draw: Draw):
    """three words of different lengths"""
    return _phonemes(draw)


@duration_loss.hidden_case
def long_sounds(draw: Draw):
    """sounds of hundreds of frames"""
    guess, durations, mask = _phonemes(draw, batch=2, phonemes=5)
    return guess + 2, durations * 17, mask


@duration_loss.case(group="edge")
def sounds_of_no_length(draw: Draw):
    """phonemes that last no frame at all"""
    guess, durations, mask = _phonemes(draw)
    return guess, torch.where(torch.arange(6) % 2 == draw.integer(0, 2), 0, durations), mask


@duration_loss.hidden_case(group="edge")
def everything_real(draw: Draw):
    """one word without padding"""
    guess, durations, _ = _phonemes(draw, batch=1, phonemes=7)
    return guess, durations, torch.ones(1, 7, dtype=torch.bool)


@duration_loss.case(group="edge")
def holes_in_the_mask(draw: Draw):
    """pauses left out in the middle of a word"""
    guess, durations, _ = _phonemes(draw, batch=2, phonemes=7)
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[0, draw.sample(range(7), 2)] = False
    mask[1, draw.sample(range(7), 4)] = False
    return guess, durations, mask


@duration_loss.hidden_case(group="edge")
def sixteen_sentences(draw: Draw):
    """sixteen sentences of 80 phonemes, some of them masked"""
    guess, durations, _ = _phonemes(draw, batch=16, phonemes=80)
    return guess, durations, draw.booleans(16, 80, probability=0.9)


@duration_loss.property_case(group="edge")
def durations_in_float64(draw: Draw):
    """predictions in float64, to ten digits"""
    guess, durations, mask = _phonemes(draw)
    yield from _to_ten_digits(duration_loss, guess.double(), durations, mask)


@duration_loss.property_case(group="edge")
def durations_in_float16(draw: Draw):
    """predictions in float16: the loss is float16"""
    guess, durations, mask = _phonemes(draw)
    got = yield arguments(guess.half(), durations, mask)
    if got.value.dtype != torch.float16:
        raise Wrong(f"for predictions in float16 the loss is {str(got.value.dtype).removeprefix('torch.')}")
    expected = duration_loss.oracle(guess.half().float(), durations, mask)
    if got.value.shape != () or not abs(got.value.float() - expected) < 0.02 * expected + 0.005:
        raise Wrong(f"for predictions in float16 the loss is {got.value}, far from right")


@duration_loss.case(group="edge", gradient=False)
def nan_for_a_real_phoneme(draw: Draw):
    """NaN at a real phoneme: the loss is NaN too"""
    guess, durations, mask = _phonemes(draw)
    guess[draw.integer(0, 3), 0] = math.nan
    return guess, durations, mask


@duration_loss.case(group="padding")
def padding_of_zeros(draw: Draw):
    """padding of zeros in both"""
    guess, durations, mask = _phonemes(draw)
    return torch.where(mask, guess, 0.0), torch.where(mask, durations, 0), mask


@duration_loss.case(group="padding")
def padding_of_minus_one(draw: Draw):
    """durations padded with −1, whose logarithm is −∞ here"""
    guess, durations, mask = _phonemes(draw)
    return guess, torch.where(mask, durations, -1), mask


@duration_loss.case(group="padding")
def padding_of_nan(draw: Draw):
    """predictions padded with NaN"""
    guess, durations, mask = _phonemes(draw)
    return torch.where(mask, guess, math.nan), durations, mask


def _log(durations, log_durations):
    return torch.log1p(durations.to(log_durations.dtype))


@duration_loss.misconception(
    "The logarithm of whole numbers is taken as it comes, which PyTorch gives in float32, and converted afterwards: a "
    "float64 prediction gets only seven digits.",
    hint="Give the durations the dtype of the predictions before you take the logarithm.",
)
def converted_too_late(log_durations, durations, mask):
    return (log_durations[mask] - torch.log1p(durations[mask]).to(log_durations.dtype)).square().mean()


@duration_loss.misconception(
    "The prediction is a logarithm, but it is compared with the durations themselves.",
    hint="Bring the true durations to the same scale: ln(1 + d).",
)
def frames_against_logs(log_durations, durations, mask):
    return (log_durations - durations)[mask].square().mean()


@duration_loss.misconception(
    "The logarithm is taken of d, not of 1 + d: a phoneme of no frames gives −∞.",
    hint="How long is ln(d) for d = 0? FastSpeech 2 adds 1 first.",
)
def log_of_zero(log_durations, durations, mask):
    return (log_durations - durations.to(log_durations.dtype).log())[mask].square().mean()


@duration_loss.misconception(
    "The prediction is turned back into frames, and frames are compared: long sounds outweigh short ones.",
    hint="Stay with logarithms; it is the target that changes.",
)
def compared_in_frames(log_durations, durations, mask):
    return (torch.expm1(log_durations[mask]) - durations[mask]).square().mean()


@duration_loss.misconception(
    "The logarithm has base 2; the natural one is asked for.",
    hint="ln is `torch.log`; `torch.log1p(d)` is ln(1 + d).",
)
def base_two(log_durations, durations, mask):
    return (log_durations[mask] - _log(durations, log_durations)[mask] / math.log(2)).square().mean()


@duration_loss.misconception(
    "The logarithm has base 10; the natural one is asked for.",
    hint="ln is `torch.log`; `torch.log1p(d)` is ln(1 + d).",
)
def base_ten(log_durations, durations, mask):
    return (log_durations[mask] - _log(durations, log_durations)[mask] / math.log(10)).square().mean()


@duration_loss.misconception(
    "The padding counts like phonemes: the mask has no effect.",
    hint="Where do you use `mask`?",
)
def mask_unused(log_durations, durations, mask):
    return (log_durations - _log(durations, log_durations)).square().mean()


@duration_loss.misconception(
    "The mask is used the wrong way round: True marks the real phonemes.",
    hint="True = keep, everywhere in this course.",
)
def mask_inverted(log_durations, durations, mask):
    error = (log_durations - _log(durations, log_durations)).square()
    return error[~mask].sum() / (~mask).sum().clamp(min=1)


@duration_loss.misconception(
    "The padding is left out of the sum but counted in the mean: more padding makes the loss smaller.",
    hint="By how many do you divide? Only real phonemes should count.",
)
def padding_in_the_mean(log_durations, durations, mask):
    return (log_durations[mask] - _log(durations, log_durations)[mask]).square().sum() / mask.numel()


@duration_loss.misconception(
    "Each word is averaged first, and then the words: a phoneme of a short word counts more.",
    hint="All real phonemes have the same weight.",
)
def word_by_word(log_durations, durations, mask):
    words = zip(log_durations, _log(durations, log_durations), mask, strict=True)
    return torch.stack([(one - other)[keep].square().mean() for one, other, keep in words]).mean()


@duration_loss.misconception(
    "The padding is multiplied by 0, but 0 times NaN, or 0 times ∞, is NaN.",
    hint="Choose the real phonemes by `mask` before you subtract.",
)
def padding_times_zero(log_durations, durations, mask):
    return ((log_durations - _log(durations, log_durations)).square() * mask).sum() / mask.sum()


@duration_loss.misconception(
    "The value is clean, but the gradient is not: the padding is dropped only after the squares were taken, and "
    "backwards 0 times NaN is NaN.",
    hint="Choose the real phonemes, by `mask`, before the first step that could meet NaN or ∞; not after the last.",
)
def dropped_too_late(log_durations, durations, mask):
    return (log_durations - _log(durations, log_durations)).square()[mask].mean()


@duration_loss.misconception(
    "The logarithm of whole numbers is taken as it comes, which PyTorch gives in float32: a float16 prediction gets a "
    "float32 loss, a float64 one only seven digits.",
    hint="Give the durations the dtype of the predictions before you take the logarithm.",
)
def log_of_integers(log_durations, durations, mask):
    return (log_durations[mask] - torch.log1p(durations[mask])).square().mean()


@duration_loss.misconception(
    "NaN is left out wherever it stands, at real phonemes too: a model that has gone wrong would look fine.",
    hint="What counts is known by the mask alone. For NaN at a real phoneme the loss should be NaN.",
)
def nan_not_counted(log_durations, durations, mask):
    return (log_durations[mask] - _log(durations, log_durations)[mask]).square().nanmean()


@duration_loss.misconception(
    "The absolute errors are averaged; the squares are asked for.",
    hint="The mean *squared* error.",
)
def absolute_in_logs(log_durations, durations, mask):
    return (log_durations[mask] - _log(durations, log_durations)[mask]).abs().mean()


@duration_loss.misconception(
    "The squares are summed over the phonemes, not averaged.",
    hint="Divide by how many real phonemes there are.",
)
def phonemes_summed(log_durations, durations, mask):
    return (log_durations[mask] - _log(durations, log_durations)[mask]).square().sum()


@duration_loss.alternative
def chosen_first(log_durations, durations, mask):
    return (log_durations[mask] - (1 + durations[mask]).to(log_durations.dtype).log()).square().mean()


@duration_loss.alternative
def filled_before(log_durations, durations, mask):
    target = torch.log1p(durations.masked_fill(~mask, 0).to(log_durations.dtype))
    error = log_durations.masked_fill(~mask, 0.0) - target
    return (error * error).sum() / mask.sum()


@duration_loss.alternative
def in_a_loop(log_durations, durations, mask):
    squares = [
        (log_durations[b, t] - math.log(1 + int(durations[b, t]))) ** 2
        for b in range(mask.shape[0])
        for t in range(mask.shape[1])
        if mask[b, t]
    ]
    return torch.stack(squares).mean()


# ------------------------------------------------------------------------------------------------- cross_entropy


# Logits around 1 000 are multiples of 6e-5 in float32: a correct logsumexp rounds to one.
@exercise(unit=UNIT, differentiable=True, tolerance=Tolerance(atol=5e-5))
def cross_entropy(logits, targets, ignore_index=-100):
    return functional.cross_entropy(logits, targets, ignore_index=ignore_index)


@cross_entropy.case
def a_few_rows(draw: Draw):
    """five rows, four classes"""
    return draw.normal(5, 4), draw.integers(0, 4, 5)


@cross_entropy.hidden_case
def confident_rows(draw: Draw):
    """confident rows, some of them wrong"""
    return draw.normal(6, 3, scale=6.0), draw.integers(0, 3, 6)


@cross_entropy.hidden_case
def as_many_rows_as_classes(draw: Draw):
    """as many rows as classes"""
    return draw.normal(4, 4), draw.integers(0, 4, 4)


@cross_entropy.case(group="ignored rows")
def two_rows_ignored(draw: Draw):
    """two of six rows ignored, by the usual −100"""
    targets = draw.integers(0, 4, 6)
    targets[draw.sample(range(6), 2)] = -100
    return draw.normal(6, 4), targets


@cross_entropy.case(group="ignored rows")
def padding_class(draw: Draw):
    """class 0 is padding: ignore_index=0"""
    targets = draw.integers(1, 4, 7)
    targets[draw.sample(range(7), 3)] = 0
    return arguments(draw.normal(7, 4), targets, ignore_index=0)


@cross_entropy.hidden_case(group="ignored rows")
def another_class_ignored(draw: Draw):
    """the last class is ignored"""
    targets = draw.integers(0, 4, 7)
    targets[draw.sample(range(7), 3)] = 4
    return arguments(draw.normal(7, 5), targets, ignore_index=4)


@cross_entropy.hidden_case(group="ignored rows")
def hundreds_of_rows(draw: Draw):
    """300 rows of 29 classes, every third ignored"""
    targets = draw.integers(0, 29, 300)
    targets[:: draw.integer(3, 5)] = -100
    return draw.normal(300, 29), targets


@cross_entropy.hidden_case(group="ignored rows")
def whispers_vocabulary(draw: Draw):
    """a few of Whisper's 51 865 tokens, two of them ignored"""
    targets = draw.integers(0, 51_865, 5)
    targets[draw.sample(range(5), 2)] = -100
    return draw.normal(5, 51_865, scale=3.0), targets


@cross_entropy.case(group="ignored rows")
def one_row_left(draw: Draw):
    """all rows but one ignored, by −1"""
    targets = torch.full((5,), -1)
    targets[draw.integer(0, 5)] = draw.integer(0, 3)
    return arguments(draw.normal(5, 3), targets, ignore_index=-1)


@cross_entropy.case(group="large values")
def logits_of_a_thousand(draw: Draw):
    """logits around 1 000, whose powers overflow"""
    return draw.normal(4, 5) + 1000, draw.integers(0, 5, 4)


@cross_entropy.case(group="large values")
def hopeless_rows(draw: Draw):
    """the right class is less likely than any float32 can say"""
    logits, targets = draw.normal(3, 4), draw.integers(0, 4, 3)
    logits[torch.arange(3), targets] -= 300
    return logits, targets


@cross_entropy.case(group="large values")
def rows_far_apart(draw: Draw):
    """rows that lie far apart from each other"""
    return draw.normal(3, 4) + torch.tensor([[-300.0], [0.0], [300.0]]), draw.integers(0, 4, 3)


@cross_entropy.hidden_case(group="large values")
def logits_in_float64(draw: Draw):
    """logits in float64, ±5 000"""
    return draw.normal(5, 3, scale=5000.0).double(), draw.integers(0, 3, 5)


@cross_entropy.property_case(group="large values")
def losses_to_ten_digits(draw: Draw):
    """logits in float64, to ten digits"""
    yield from _to_ten_digits(cross_entropy, draw.normal(5, 4, scale=3.0).double(), draw.integers(0, 4, 5))


def _log_probabilities(logits, targets, ignore_index):
    """Of the right class, for the rows that count."""
    keep = targets != ignore_index
    return functional.log_softmax(logits[keep], 1).gather(1, targets[keep, None])[:, 0]


@cross_entropy.misconception(
    "Ignored rows add nothing to the sum but count in the mean: more padding makes the loss smaller.",
    hint="Divide by the number of rows that count.",
)
def ignored_rows_counted(logits, targets, ignore_index=-100):
    return -_log_probabilities(logits, targets, ignore_index).sum() / len(targets)


@cross_entropy.misconception(
    "No row is ignored: `ignore_index` has no effect. A target of −100 is no class, and picking it fails.",
    hint="Where do you use `ignore_index`? Choose rows with `targets != ignore_index` first.",
)
def nothing_ignored(logits, targets, ignore_index=-100):
    return -logits.log_softmax(1)[torch.arange(len(targets)), targets].mean()


@cross_entropy.misconception(
    "No row is ignored: `ignore_index` has no effect. A target of −100 is no class, and to gather it fails.",
    hint="Where do you use `ignore_index`? Choose rows with `targets != ignore_index` first.",
)
def everything_gathered(logits, targets, ignore_index=-100):
    return -logits.log_softmax(1).gather(1, targets[:, None]).mean()


@cross_entropy.misconception(
    "Ignored rows are scored as if class 0 were right.",
    hint="Leave those rows out altogether: choose rows with `targets != ignore_index` first.",
)
def ignored_rows_as_class_zero(logits, targets, ignore_index=-100):
    targets = torch.where(targets == ignore_index, 0, targets)
    return functional.cross_entropy(logits, targets)


@cross_entropy.misconception(
    "Only −100 is ignored, whatever `ignore_index` says.",
    hint="Compare the targets with the argument.",
)
def minus_hundred_only(logits, targets, ignore_index=-100):
    keep = targets != -100
    kept = torch.where(targets[keep] < 0, targets[keep] + logits.shape[1], targets[keep])
    return functional.cross_entropy(logits[keep], kept)


@cross_entropy.misconception(
    "Negative targets are ignored, but `ignore_index` may be any number, a class of its own included.",
    hint="Compare the targets with the argument: `targets != ignore_index`.",
)
def negatives_ignored(logits, targets, ignore_index=-100):
    keep = targets >= 0
    return functional.cross_entropy(logits[keep], targets[keep])


@cross_entropy.misconception(
    "The powers overflow: e^1000 is infinite, and infinity divided by infinity is NaN.",
    hint="Subtract the largest logit of each row before you exponentiate.",
)
def powers_overflow(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    powers = logits[keep].exp()
    return -(powers / powers.sum(1, keepdim=True)).log().gather(1, targets[keep, None]).mean()


@cross_entropy.misconception(
    "The probability is computed first and its logarithm afterwards: a probability too small for float32 becomes 0, "
    "and ln 0 is −∞.",
    hint="ln(e^a / Σ) = a − ln Σ: never leave the logarithm.",
)
def log_of_softmax(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    return -logits[keep].softmax(1).log().gather(1, targets[keep, None]).mean()


@cross_entropy.misconception(
    "A small constant inside the logarithm hides the infinity: the loss cannot grow beyond about 20, and its gradient "
    "vanishes where it is needed most.",
    hint="ln(e^a / Σ) = a − ln Σ: no constant is needed.",
)
def constant_in_the_log(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    return -(logits[keep].softmax(1) + 1e-9).log().gather(1, targets[keep, None]).mean()


@cross_entropy.misconception(
    "One maximum is subtracted from all rows: rows far below it underflow.",
    hint="Each row has a maximum of its own.",
)
def one_maximum(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    shifted = logits[keep] - logits[keep].max()
    log_probabilities = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -log_probabilities.gather(1, targets[keep, None]).mean()


@cross_entropy.misconception(
    "The losses of the rows are summed, not averaged.",
    hint="Twice the same batch should give the same loss.",
)
def rows_summed(logits, targets, ignore_index=-100):
    return -_log_probabilities(logits, targets, ignore_index).sum()


@cross_entropy.misconception(
    "The minus sign is missing: the logarithm of a probability is negative, the loss is not.",
    hint="Can your loss be below 0?",
)
def no_minus(logits, targets, ignore_index=-100):
    return _log_probabilities(logits, targets, ignore_index).mean()


@cross_entropy.misconception(
    "The mean probability is taken first and its logarithm afterwards.",
    hint="First the logarithm for every row, then the mean.",
)
def log_of_the_mean(logits, targets, ignore_index=-100):
    return -torch.logsumexp(_log_probabilities(logits, targets, ignore_index), 0) + math.log(
        int((targets != ignore_index).sum())
    )


@cross_entropy.misconception(
    "The softmax runs over the rows: each class shares out the batch.",
    hint="The probabilities of one row's classes add up to 1. Which axis is that?",
)
def softmax_over_rows(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    return -logits[keep].log_softmax(0).gather(1, targets[keep, None]).mean()


@cross_entropy.misconception(
    "The logits are not turned into probabilities: the mean of the right classes' logits is returned with a minus.",
    hint="ln p = logit − ln Σ e^logits. The second part is missing.",
)
def logits_as_they_are(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    return -logits[keep].gather(1, targets[keep, None]).mean()


@cross_entropy.misconception(
    "The softmax is applied twice: once by you, once by the library function, which wants logits.",
    hint="`F.cross_entropy` takes raw logits. Has something been done to yours before?",
)
def softmax_twice(logits, targets, ignore_index=-100):
    return functional.cross_entropy(logits.softmax(1), targets, ignore_index=ignore_index)


@cross_entropy.misconception(
    "The logarithm has base 2: the loss is in bits, where the natural logarithm is asked for.",
    hint="Two equally likely classes have loss ln 2 = 0.693. Is yours 1?",
)
def in_bits(logits, targets, ignore_index=-100):
    return -_log_probabilities(logits, targets, ignore_index).mean() / math.log(2)


@cross_entropy.alternative
def logit_and_logsumexp(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    rows, right = logits[keep], targets[keep]
    return (rows.logsumexp(1) - rows[torch.arange(len(rows)), right]).mean()


@cross_entropy.alternative
def by_one_hot(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    shifted = logits - logits.amax(1, keepdim=True)
    log_probabilities = shifted - shifted.exp().sum(1, keepdim=True).log()
    chosen = (torch.arange(logits.shape[1]) == targets[:, None]) & keep[:, None]
    return -(log_probabilities * chosen).sum() / keep.sum()


@cross_entropy.alternative
def by_negative_log_likelihood(logits, targets, ignore_index=-100):
    return functional.nll_loss(torch.log_softmax(logits, -1), targets, ignore_index=ignore_index)


@cross_entropy.alternative
def rows_in_a_loop(logits, targets, ignore_index=-100):
    losses = []
    for row, right in zip(logits, targets.tolist(), strict=True):
        if right != ignore_index:
            losses.append(
                torch.log(torch.exp(row - row[right] - (row - row[right]).max()).sum()) + (row - row[right]).max()
            )
    return torch.stack(losses).mean()
