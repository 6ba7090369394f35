"""Unit 08: how far to step, once the gradient has said which way is down."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch

from grader.compare import compare
from grader.draw import Draw
from grader.exercise import Exercise, Question, Tolerance, Wrong, arguments, exercise

UNIT = "08_optimizers"
# Parameters move by a learning rate at a time, so the usual tolerance would let half the mistakes through.
FINE = Tolerance(atol=5e-6, rtol=1e-6)


def _optimized(optimizer_class, param, grad, state, **options):
    """The parameter and the optimizer's state after one step of a library optimizer that starts in `state`."""
    leaf = torch.nn.Parameter(param.clone())
    leaf.grad = grad.clone()
    optimizer = optimizer_class([leaf], **options)
    optimizer.state[leaf] = {name: value.clone() for name, value in state.items()}
    optimizer.step()
    return leaf.detach(), optimizer.state[leaf]


def _add_double_precision(one: Exercise, make: Callable[[Draw], Question]) -> None:
    """The usual tolerance would not see a result that went through float32 on its way."""

    @one.property_case(group="shapes")
    def double_precision(draw: Draw):
        """float64, to its full precision"""
        question = make(draw)
        got = yield question
        expected = one(*question.args, **question.kwargs)
        if compare(got.value, expected, Tolerance(atol=1e-5, rtol=1e-5)):
            raise Wrong("in float64 the result is wrong")
        if compare(got.value, expected, Tolerance(atol=1e-10, rtol=1e-10)):
            raise Wrong("in float64 the result is wrong: near, but not to the precision that float64 has")


def _add_all_sizes(one: Exercise, group: str, make: Callable[[Draw], Iterator[Question]]) -> None:
    """Calls with sizes and settings from everywhere, for what is right at the usual ones only."""

    @one.hidden_property_case(group=group)
    def all_sizes(draw: Draw):
        """settings and numbers of all sizes"""
        for question in make(draw):
            got = yield question
            wrong = compare(got.value, one(*question.args, **question.kwargs), Tolerance(atol=1e-14, rtol=1e-8))
            if wrong:
                raise Wrong(wrong.says)


def _scattered(draw: Draw, *shape: int, decades: float = 6.0) -> torch.Tensor:
    """float64 of either sign, from 10^-decades to 10^decades."""
    return draw.normal(*shape).double().sign() * 10 ** draw.uniform(*shape, low=-decades, high=decades).double()


# ------------------------------------------------------------------------------------------------------ sgd_step


@exercise(unit=UNIT, tolerance=FINE)
def sgd_step(param, grad, velocity, lr, momentum=0.9):
    # Without momentum the library keeps no velocity: the formula's is then the gradient itself.
    state = {"momentum_buffer": velocity} if momentum else {}
    param, state = _optimized(torch.optim.SGD, param, grad, state, lr=lr, momentum=momentum)
    return param, state.get("momentum_buffer", grad.clone())


def _rolling(draw: Draw, *shape: int) -> tuple:
    """Weights, a slope, and a velocity that they already have."""
    return tuple(draw.normal(*shape) for _ in range(3))


@sgd_step.case
def rolling_weights(draw: Draw):
    """a matrix of weights that is already rolling"""
    return *_rolling(draw, 3, 5), draw.choice([0.1, 0.2, 0.3])


@sgd_step.hidden_case
def positional_momentum(draw: Draw):
    """momentum given by its place"""
    return *_rolling(draw, 4, 3), draw.choice([0.05, 0.15]), draw.choice([0.3, 0.6])


@sgd_step.hidden_case
def a_real_layer(draw: Draw):
    """a layer larger than the notebook's"""
    return *_rolling(draw, 80, 70), 0.1


@sgd_step.case(group="momentum")
def momentum_of_a_half(draw: Draw):
    """momentum 0.5"""
    return arguments(*_rolling(draw, 2, 4), lr=0.2, momentum=0.5)


@sgd_step.case(group="momentum")
def no_momentum(draw: Draw):
    """momentum 0, and a velocity from before"""
    return arguments(*_rolling(draw, 5), lr=0.2, momentum=0.0)


@sgd_step.hidden_case(group="momentum")
def no_momentum_in_a_layer(draw: Draw):
    """momentum 0 in a larger layer"""
    return arguments(*_rolling(draw, 30, 20), lr=0.3, momentum=0)


@sgd_step.hidden_case(group="momentum")
def much_momentum(draw: Draw):
    """momentum 0.99"""
    return arguments(*_rolling(draw, 6), lr=0.1, momentum=0.99)


@sgd_step.hidden_case(group="momentum")
def all_the_momentum(draw: Draw):
    """momentum 1: nothing of the velocity is lost"""
    return arguments(*_rolling(draw, 3, 2), lr=0.1, momentum=1.0)


@sgd_step.case(group="edge")
def from_rest(draw: Draw):
    """the first step, from rest"""
    return draw.normal(2, 3), draw.normal(2, 3), torch.zeros(2, 3), 0.25


@sgd_step.case(group="edge")
def flat_ground(draw: Draw):
    """flat ground: the gradient is 0, the velocity is not"""
    return draw.normal(4), torch.zeros(4), draw.normal(4), 0.2


@sgd_step.hidden_case(group="edge")
def flat_ground_in_a_matrix(draw: Draw):
    """flat ground under some weights of a matrix"""
    param, grad, velocity = _rolling(draw, 3, 7)
    return param, grad * (torch.arange(7) % 2), velocity, 0.3


@sgd_step.hidden_case(group="edge")
def steep_ground(draw: Draw):
    """gradients of many thousands"""
    return draw.normal(3, 2), draw.normal(3, 2, scale=2e4), draw.normal(3, 2), 0.2


@sgd_step.hidden_case(group="edge")
def rolling_fast(draw: Draw):
    """a velocity of many thousands"""
    param, grad, velocity = _rolling(draw, 4, 3)
    return param, grad, velocity * 2e4, 0.1


@sgd_step.hidden_case(group="edge")
def no_learning_rate(draw: Draw):
    """a learning rate of 0: the velocity changes, the weights do not"""
    return *_rolling(draw, 5), 0.0


@sgd_step.hidden_case(group="edge")
def a_long_step(draw: Draw):
    """a learning rate of 3"""
    return *_rolling(draw, 2, 6), 3.0


@sgd_step.case(group="shapes")
def one_number(draw: Draw):
    """a single number, shape ()"""
    return draw.normal(), draw.normal() + 3, draw.normal(), 0.2


@sgd_step.case(group="shapes")
def a_convolution(draw: Draw):
    """the weights of a convolution, three axes"""
    return *_rolling(draw, 4, 2, 3), 0.2


@sgd_step.hidden_case(group="shapes")
def four_axes(draw: Draw):
    """four axes"""
    return *_rolling(draw, 3, 1, 2, 5), 0.2


@sgd_step.hidden_case(group="shapes")
def five_axes(draw: Draw):
    """five axes"""
    return *_rolling(draw, 2, 3, 1, 2, 4), 0.2


@sgd_step.case(group="shapes")
def turned_weights(draw: Draw):
    """weights that do not lie in a row in memory"""
    return *(one.mT for one in _rolling(draw, 4, 6)), 0.2


_add_double_precision(sgd_step, lambda draw: arguments(*(one.double() for one in _rolling(draw, 2, 3)), 0.2))


def _sgd_of_all_sizes(draw: Draw) -> Iterator[Question]:
    for shape, lr, momentum in (((1,), 20.0, 0.9), ((6, 9), 1e-4, 0.4), ((1, 8), 1e-6, 1.5), ((2, 1, 30), 0.3, 1e-3)):
        yield arguments(*(_scattered(draw, *shape) for _ in range(3)), lr, momentum)


_add_all_sizes(sgd_step, "edge", _sgd_of_all_sizes)


def _ten_steps(draw: Draw, library, **options):
    """Asks for ten steps in a row, each from what the one before returned, and compares with a library optimizer."""
    leaf = torch.nn.Parameter(draw.normal(3, 2))
    optimizer = library([leaf], **options)
    is_sgd = library is torch.optim.SGD
    state = [leaf.detach().clone()] + [torch.zeros(3, 2)] * (1 if is_sgd else 2)
    for count in range(1, 11):
        leaf.grad = draw.normal(3, 2) + 0.5
        optimizer.step()
        got = yield arguments(*state[:1], leaf.grad.clone(), *state[1:], *([] if is_sgd else [count]), **options)
        state = list(got.value)
        if not torch.allclose(state[0], leaf.detach(), rtol=1e-5, atol=1e-4):
            steps = "one step" if count == 1 else f"{count} steps in a row"
            raise Wrong(f"after {steps} the weights are not where {library.__name__} would have brought them")


@sgd_step.property_case(group="many steps")
def ten_steps_of_sgd(draw: Draw):
    """ten steps in a row, with the velocity handed on"""
    yield from _ten_steps(draw, torch.optim.SGD, lr=0.2, momentum=0.9)


@sgd_step.hidden_property_case(group="many steps")
def ten_steps_with_less_momentum(draw: Draw):
    """ten steps in a row with momentum 0.6"""
    yield from _ten_steps(draw, torch.optim.SGD, lr=0.1, momentum=0.6)


@sgd_step.misconception(
    "It climbs: the step is added, and the loss grows.",
    hint="The gradient points uphill. Which sign leads down?",
)
def uphill(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity + grad
    return param + lr * velocity, velocity


@sgd_step.misconception(
    "The parameter moves by the gradient alone: the velocity is kept, but nobody uses it.",
    hint="Two lines: first the velocity, then the parameter. Which of the two does the second line multiply by lr?",
)
def velocity_unused(param, grad, velocity, lr, momentum=0.9):
    return param - lr * grad, momentum * velocity + grad


@sgd_step.misconception(
    "The old velocity moves the parameter; the new gradient is felt one step late.",
    hint="Update the velocity first, and use the updated one.",
)
def one_step_late(param, grad, velocity, lr, momentum=0.9):
    return param - lr * velocity, momentum * velocity + grad


@sgd_step.misconception(
    "The new velocity is computed but the old one is returned: it never builds up.",
    hint="What does the next step need to know?",
)
def old_velocity_returned(param, grad, velocity, lr, momentum=0.9):
    return param - lr * (momentum * velocity + grad), velocity.clone()


@sgd_step.misconception(
    "The gradient is multiplied by 1 − momentum. That is a running mean, as in Adam; SGD adds the gradient whole.",
    hint="Compare your velocity with the formula: how much of `grad` goes in?",
)
def running_mean(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity + (1 - momentum) * grad
    return param - lr * velocity, velocity


@sgd_step.misconception(
    "The learning rate is inside the velocity. Older texts do so; when lr changes, this one remembers the old lr.",
    hint="The velocity is made of gradients only. Where does lr come in?",
)
def lr_inside_the_velocity(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity + lr * grad
    return param - velocity, velocity


@sgd_step.misconception(
    "The velocity counts downhill as positive: it subtracts the gradient.",
    hint="velocity ← momentum·velocity + grad, with a plus; the minus stands in the second line.",
)
def velocity_downhill(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity - grad
    return param + lr * velocity, velocity


@sgd_step.misconception(
    "This is Nesterov's momentum, which looks one step ahead.",
    hint="The plain kind multiplies the velocity by lr and subtracts it, no more.",
)
def nesterov(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity + grad
    return param - lr * (grad + momentum * velocity), velocity


@sgd_step.misconception(
    "There is no momentum: the velocity is forgotten at each step.",
    hint="What becomes of the velocity that you are given?",
)
def no_memory(param, grad, velocity, lr, momentum=0.9):
    return param - lr * grad, grad.clone()


@sgd_step.misconception(
    "The results are exchanged: the weights come first, then the velocity.",
    hint="Which of the two does the caller expect first?",
)
def velocity_first(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity + grad
    return velocity, param - lr * velocity


@sgd_step.misconception(
    "The momentum is always 0.9, whatever the argument says.",
    hint="Use the argument `momentum`.",
)
def always_nine_tenths(param, grad, velocity, lr, momentum=0.9):
    velocity = 0.9 * velocity + grad
    return param - lr * velocity, velocity


@sgd_step.misconception(
    "Without momentum the velocity is returned as it came.",
    hint="Put momentum = 0 into the formula. What is the velocity then?",
)
def velocity_kept_without_momentum(param, grad, velocity, lr, momentum=0.9):
    if not momentum:
        return param - lr * grad, velocity.clone()
    velocity = momentum * velocity + grad
    return param - lr * velocity, velocity


@sgd_step.misconception(
    "A momentum of 0 counts as no momentum given: 0.9 is used.",
    hint="`momentum or 0.9` is 0.9 where momentum is 0.",
)
def zero_taken_for_missing(param, grad, velocity, lr, momentum=0.9):
    velocity = (momentum or 0.9) * velocity + grad
    return param - lr * velocity, velocity


@sgd_step.misconception(
    "Only the direction of each gradient is used, not its size.",
    hint="A slope twice as steep makes the velocity grow by twice as much.",
)
def signs_only(param, grad, velocity, lr, momentum=0.9):
    velocity = momentum * velocity + grad.sign()
    return param - lr * velocity, velocity


@sgd_step.alternative
def one_formula(param, grad, velocity, lr, momentum=0.9):
    return param - lr * momentum * velocity - lr * grad, grad + velocity * momentum


@sgd_step.alternative
def library_arithmetic(param, grad, velocity, lr, momentum=0.9):
    velocity = torch.add(grad, velocity, alpha=momentum)
    return torch.sub(param, velocity, alpha=lr), velocity


@sgd_step.alternative
def number_by_number(param, grad, velocity, lr, momentum=0.9):
    velocities = [momentum * v + g for v, g in zip(velocity.flatten(), grad.flatten(), strict=True)]
    moved = [p - lr * v for p, v in zip(param.flatten(), velocities, strict=True)]
    return torch.stack(moved).reshape(param.shape), torch.stack(velocities).reshape(param.shape)


# ----------------------------------------------------------------------------------------- adam_step, adamw_step


def _adam_oracle(library, param, grad, m, v, step, **options):
    state = {"step": torch.tensor(step - 1.0), "exp_avg": m, "exp_avg_sq": v}
    param, state = _optimized(library, param, grad, state, **options)
    return param, state["exp_avg"], state["exp_avg_sq"]


def _underway(draw: Draw, *shape: int) -> tuple:
    """Weights, gradients and moments in the middle of a training: param, grad, m, v."""
    return draw.normal(*shape), draw.normal(*shape, scale=3.0), draw.normal(*shape), draw.uniform(*shape, low=0.5) * 4


def _fresh(draw: Draw, *shape: int, scale: float = 3.0) -> tuple:
    """The same before the first step: the moments are 0."""
    return draw.normal(*shape), draw.normal(*shape, scale=scale), torch.zeros(shape), torch.zeros(shape)


def _moments(grad, m, v, betas):
    return betas[0] * m + (1 - betas[0]) * grad, betas[1] * v + (1 - betas[1]) * grad**2


def _direction(m, v, step, betas, eps):
    """What lr is multiplied by, from the new moments."""
    return m / (1 - betas[0] ** step) / ((v / (1 - betas[1] ** step)).sqrt() + eps)


@exercise(unit=UNIT, tolerance=FINE)
def adam_step(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    return _adam_oracle(torch.optim.Adam, param, grad, m, v, step, lr=lr, betas=betas, eps=eps)


@exercise(unit=UNIT, tolerance=FINE)
def adamw_step(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    return _adam_oracle(torch.optim.AdamW, param, grad, m, v, step, **options)


def _add_shared_cases(one, decay: dict) -> None:
    """The situations that Adam and AdamW have in common; `decay` are AdamW's own arguments, if any."""

    @one.case
    def first_step(draw: Draw):
        """the first step: m and v are 0"""
        return arguments(*_fresh(draw, 3, 4), 1, lr=0.1, **decay)

    @one.case
    def second_step(draw: Draw):
        """the second step"""
        return arguments(*_underway(draw, 2, 5), 2, lr=0.1, **decay)

    @one.hidden_case
    def a_later_step(draw: Draw):
        """some step between the third and the twentieth"""
        return arguments(*_underway(draw, 4, 3), draw.integer(3, 20), lr=0.2, **decay)

    @one.hidden_case
    def a_large_layer(draw: Draw):
        """a layer larger than the notebook's, step 300"""
        return arguments(*_underway(draw, 80, 70), 300, lr=0.1, **decay)

    @one.case(group="settings")
    def settings_of_hifi_gan(draw: Draw):
        """betas (0.8, 0.99), as in HiFi-GAN"""
        return arguments(*_underway(draw, 3, 2), 3, lr=0.1, betas=(0.8, 0.99), **decay)

    @one.case(group="settings")
    def a_large_eps(draw: Draw):
        """eps = 0.5, so large that its place shows"""
        return arguments(*_underway(draw, 2, 3), 4, lr=0.1, eps=0.5, **decay)

    @one.hidden_case(group="settings")
    def settings_of_whisper(draw: Draw):
        """betas (0.9, 0.98) and eps 1e-6, as in Whisper"""
        return arguments(*_fresh(draw, 5, scale=1e-6), 1, lr=0.1, betas=(0.9, 0.98), eps=1e-6, **decay)

    @one.hidden_case(group="settings")
    def drawn_settings(draw: Draw):
        """other betas and another eps"""
        betas = (draw.choice([0.3, 0.5, 0.7]), draw.choice([0.6, 0.8, 0.95]))
        return arguments(*_underway(draw, 6), draw.integer(2, 9), lr=0.3, betas=betas, eps=0.1, **decay)

    @one.hidden_case(group="settings")
    def an_eps_of_almost_nothing(draw: Draw):
        """eps 1e-12, and gradients of 1e-10"""
        return arguments(*_fresh(draw, 2, 4, scale=1e-10), 1, lr=0.1, eps=1e-12, **decay)

    @one.hidden_case(group="settings")
    def a_large_learning_rate(draw: Draw):
        """a learning rate of 2"""
        return arguments(*_underway(draw, 3, 2), draw.integer(2, 9), lr=2.0, **decay)

    @one.hidden_case(group="settings")
    def no_first_moment(draw: Draw):
        """beta1 = 0: m is the gradient"""
        return arguments(*_underway(draw, 4), 2, lr=0.1, betas=(0.0, 0.9), **decay)

    @one.hidden_case(group="settings")
    def no_memory(draw: Draw):
        """betas (0, 0): the gradient and its square"""
        return arguments(*_underway(draw, 3, 4), 3, lr=0.1, betas=(0.0, 0.0), eps=0.2, **decay)

    @one.case(group="edge")
    def gradients_as_small_as_eps(draw: Draw):
        """gradients as small as eps, 1e-8"""
        return arguments(*_fresh(draw, 6, scale=1e-8), 1, lr=0.1, **decay)

    @one.case(group="edge")
    def nothing_to_do(draw: Draw):
        """some gradients have always been exactly 0"""
        param, grad, m, v = _fresh(draw, 5)
        return arguments(param, grad * (torch.arange(5) % 2), m, v, 1, lr=0.1, **decay)

    @one.case(group="edge")
    def flat_for_once(draw: Draw):
        """some gradients are 0 in this step only: m still moves the weight"""
        param, grad, m, v = _underway(draw, 2, 4)
        return arguments(param, grad * (torch.arange(4) % 2), m, v, 5, lr=0.1, **decay)

    @one.case(group="edge")
    def late_in_a_training(draw: Draw):
        """late in a training, step 2 000"""
        return arguments(*_underway(draw, 3, 2), 2_000, lr=0.1, **decay)

    @one.hidden_case(group="edge")
    def awake_at_last(draw: Draw):
        """the first gradient that is not 0 comes at step 7"""
        return arguments(*_fresh(draw, 2, 5), 7, lr=0.1, **decay)

    @one.hidden_case(group="edge")
    def flat_everywhere_for_once(draw: Draw):
        """the whole gradient is 0 in this step only"""
        param, grad, m, v = _underway(draw, 3, 4)
        return arguments(param, grad * 0, m, v, 3, lr=0.1, **decay)

    @one.hidden_case(group="edge")
    def a_long_memory(draw: Draw):
        """a memory so long that step 8 000 is still early: betas (0.9, 0.9999)"""
        return arguments(*_underway(draw, 3, 2), draw.integer(6_000, 9_000), lr=0.1, betas=(0.9, 0.9999), **decay)

    @one.hidden_case(group="edge")
    def a_hundred_thousand_steps(draw: Draw):
        """step 100 000, betas (0.9, 0.99999)"""
        return arguments(*_underway(draw, 2, 3), 100_000, lr=0.1, betas=(0.9, 0.99999), **decay)

    @one.hidden_case(group="edge")
    def enormous_gradients(draw: Draw):
        """gradients of a billion"""
        return arguments(*_fresh(draw, 2, 3, scale=1e9), 1, lr=0.1, **decay)

    @one.hidden_case(group="edge")
    def small_gradients(draw: Draw):
        """gradients around 1e-5"""
        return arguments(*_fresh(draw, 3, 3, scale=1e-5), 1, lr=0.1, **decay)

    @one.case(group="shapes")
    def a_single_number(draw: Draw):
        """a single number, shape ()"""
        return arguments(*_underway(draw), 2, lr=0.1, **decay)

    @one.case(group="shapes")
    def a_kernel(draw: Draw):
        """the weights of a convolution, three axes"""
        return arguments(*_underway(draw, 4, 2, 3), 5, lr=0.1, **decay)

    @one.hidden_case(group="shapes")
    def a_bias(draw: Draw):
        """a bias, (D,)"""
        return arguments(*_underway(draw, 64), 3, lr=0.1, **decay)

    @one.hidden_case(group="shapes")
    def more_axes(draw: Draw):
        """four axes or five"""
        shape = draw.choice([(3, 1, 2, 5), (2, 3, 1, 2, 4)])
        return arguments(*_underway(draw, *shape), 4, lr=0.1, **decay)

    @one.case(group="shapes")
    def turned(draw: Draw):
        """weights that do not lie in a row in memory"""
        return arguments(*(part.mT for part in _underway(draw, 4, 6)), 3, lr=0.1, **decay)

    _add_double_precision(
        one, lambda draw: arguments(*(part.double() for part in _underway(draw, 2, 3)), 3, lr=0.1, **decay)
    )

    def of_all_sizes(draw: Draw) -> Iterator[Question]:
        plans = (
            ((1, 40), 1e-8, 1, 20.0, (0.9, 0.999), 0.0, 1e-6),
            ((6, 9), 1.0, 2, 1e-4, (0.99, 0.3), 1e-14, 5.0),
            ((1,), 1e8, 60, 0.0, (0.999, 0.9), 1e-3, 0.1),
            ((2, 1, 30), 1.0, 50_000, 1e-6, (0.95, 0.99995), 100.0, 1e4),
        )
        for shape, slope, step, lr, betas, eps, strength in plans:
            param, grad, m, v = (_scattered(draw, *shape) for _ in range(4))
            moments = m * slope, (v * slope) ** 2
            yield arguments(param, grad * slope, *moments, step, lr, betas, eps, *(strength for _ in decay))

    _add_all_sizes(one, "edge", of_all_sizes)


_add_shared_cases(adam_step, {})
_add_shared_cases(adamw_step, {"weight_decay": 0.2})


@adam_step.case(group="settings")
def no_settings(draw: Draw):
    """nothing given: lr is 0.001"""
    return *_underway(draw, 3, 5), 2


@adam_step.hidden_case(group="settings")
def settings_by_place(draw: Draw):
    """all settings given by their place"""
    return *_underway(draw, 4, 2), 3, 0.2, (0.7, 0.9), 0.3


@adam_step.property_case(group="many steps")
def ten_steps_of_adam(draw: Draw):
    """ten steps in a row, with m and v handed on"""
    yield from _ten_steps(draw, torch.optim.Adam, lr=0.1)


@adam_step.hidden_property_case(group="many steps")
def ten_steps_with_other_betas(draw: Draw):
    """ten steps in a row with betas (0.8, 0.9)"""
    yield from _ten_steps(draw, torch.optim.Adam, lr=0.1, betas=(0.8, 0.9), eps=1e-3)


def _share_misconceptions(one) -> None:
    """Mistakes in Adam's part, as answers to `one`; the decay, where there is one, is right."""
    decays = one is adamw_step

    def mistake(says: str, hint: str):
        def add(wrong):
            def function(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
                start = param * (1 - lr * weight_decay) if decays else param
                return wrong(start, grad, m, v, step, lr, betas, eps)

            function.__name__ = wrong.__name__
            one.misconception(says, hint)(function)
            return wrong

        return add

    @mistake(
        "There is no bias correction: the first steps are far too long, or too short.",
        "m and v start at 0. What share of a constant gradient is in m after one step, and what divides it out?",
    )
    def no_bias_correction(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * m / (v.sqrt() + eps), m, v

    @mistake(
        "The ε stands inside the root. There its own root counts: 1e-8 acts like 1e-4.",
        "First the root, then plus ε. Which bracket closes too late?",
    )
    def eps_inside_the_root(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * (m / (1 - betas[0] ** step)) / (v / (1 - betas[1] ** step) + eps).sqrt(), m, v

    @mistake(
        "The steps are counted from 0 here, but `step` is 1 at the first call: the first correction divides by 0.",
        "At step 1 the correction divides m by 1 − β₁. Which exponent gives that?",
    )
    def counted_from_zero(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        correction = torch.tensor([1 - beta ** (step - 1) for beta in betas], dtype=param.dtype)
        return param - lr * (m / correction[0]) / ((v / correction[1]).sqrt() + eps), m, v

    @mistake(
        "One is added to `step`, which counts from 1 already.",
        "At step 1 the correction divides m by 1 − β₁. Which exponent gives that?",
    )
    def counted_twice(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * _direction(m, v, step + 1, betas, eps), m, v

    @mistake(
        "Only m is corrected; v needs it even more, for β₂ is nearer to 1.",
        "Both moments started at 0.",
    )
    def first_moment_corrected_only(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * (m / (1 - betas[0] ** step)) / (v.sqrt() + eps), m, v

    @mistake(
        "Only v is corrected, m is not.",
        "Both moments started at 0.",
    )
    def second_moment_corrected_only(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * m / ((v / (1 - betas[1] ** step)).sqrt() + eps), m, v

    @mistake(
        "The corrected moments are returned, so that the next step corrects them again.",
        "The correction is for this step's use. What has to be handed on?",
    )
    def corrected_moments_returned(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        moved = param - lr * _direction(m, v, step, betas, eps)
        return moved, m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)

    @mistake(
        "The correction divides by 1 − β at every step: `step` is not used.",
        "The correction fades: after many steps it divides by nearly 1.",
    )
    def power_forgotten(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * _direction(m, v, 1, betas, eps), m, v

    @mistake(
        "The root is missing: the step is divided by the mean square.",
        "A gradient twice as large should give the same first step. Does yours?",
    )
    def root_missing(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * (m / (1 - betas[0] ** step)) / (v / (1 - betas[1] ** step) + eps), m, v

    @mistake(
        "The ε is added before v is corrected, and is corrected with it.",
        "First v̂ = v / (1 − β₂ᵗ), then its root, then ε.",
    )
    def eps_corrected_too(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        denominator = (v.sqrt() + eps) / math.sqrt(1 - betas[1] ** step)
        return param - lr * (m / (1 - betas[0] ** step)) / denominator, m, v

    @mistake(
        "There is no ε: where a gradient has always been 0, this is 0/0.",
        "What is your step for a weight whose gradient is exactly 0?",
    )
    def no_eps(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * _direction(m, v, step, betas, 0.0), m, v

    @mistake(
        "The two β are exchanged.",
        "`betas` is (β₁, β₂). The first is for m, the mean of the gradients.",
    )
    def betas_exchanged(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas[::-1])
        return param - lr * _direction(m, v, step, betas[::-1], eps), m, v

    @mistake(
        "The betas are always 0.9 and 0.999, whatever the argument says.",
        "Use the argument `betas`.",
    )
    def betas_ignored(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, (0.9, 0.999))
        return param - lr * _direction(m, v, step, (0.9, 0.999), eps), m, v

    @mistake(
        "The ε is always 1e-8, whatever the argument says.",
        "Use the argument `eps`.",
    )
    def eps_ignored(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * _direction(m, v, step, betas, 1e-8), m, v

    @mistake(
        "The results come in another order: first the weights, then m, then v.",
        "Which of the three does the caller expect first?",
    )
    def moments_first(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return m, v, param - lr * _direction(m, v, step, betas, eps)

    @mistake(
        "β is multiplied by `step` where it should be raised to that power.",
        "βᵗ is β · β · β …, t times. Which operator is that?",
    )
    def product_for_power(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        first, second = (torch.tensor(1 - beta * step, dtype=param.dtype) for beta in betas)
        return param - lr * (m / first) / ((v / second).sqrt() + eps), m, v

    @mistake(
        "The square takes in 1 − β₂ as well: only the gradient is squared.",
        "With β₂ = 0.999 and a gradient of 4, v should be 0.001 · 16 after the first step. What is yours?",
    )
    def share_squared_too(param, grad, m, v, step, lr, betas, eps):
        m, _ = _moments(grad, m, v, betas)
        v = betas[1] * v + ((1 - betas[1]) * grad) ** 2
        return param - lr * _direction(m, v, step, betas, eps), m, v

    @mistake(
        "The gradient is added to m whole, as in SGD. Here m is a running mean.",
        "How much of the new gradient goes into m, if β₁ of the old mean stays?",
    )
    def sum_instead_of_mean(param, grad, m, v, step, lr, betas, eps):
        _, v = _moments(grad, m, v, betas)
        m = betas[0] * m + grad
        return param - lr * _direction(m, v, step, betas, eps), m, v

    @mistake(
        "v averages the squares of m, not those of the gradient.",
        "Both means are taken of the same thing: the gradient, and its square.",
    )
    def squares_of_the_mean(param, grad, m, v, step, lr, betas, eps):
        m, _ = _moments(grad, m, v, betas)
        v = betas[1] * v + (1 - betas[1]) * m**2
        return param - lr * _direction(m, v, step, betas, eps), m, v

    @mistake(
        "v averages the gradients' absolute values, not their squares.",
        "Square first: the root comes later.",
    )
    def mean_of_abs(param, grad, m, v, step, lr, betas, eps):
        m, _ = _moments(grad, m, v, betas)
        v = betas[1] * v + (1 - betas[1]) * grad.abs()
        return param - lr * _direction(m, v, step, betas, eps), m, v

    @mistake(
        "The gradient itself stands above the fraction bar. That is RMSProp; Adam puts the running mean there.",
        "What is m for?",
    )
    def gradient_on_top(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * grad / ((v / (1 - betas[1] ** step)).sqrt() + eps), m, v

    @mistake(
        "The moments from before this step are used.",
        "Update m and v first, then use the new ones.",
    )
    def old_moments_used(param, grad, m, v, step, lr, betas, eps):
        return param - lr * _direction(m, v, step, betas, eps), *_moments(grad, m, v, betas)

    @mistake(
        "The moments are updated for this step, but the old ones are returned.",
        "What does the next step need to know?",
    )
    def old_moments_returned(param, grad, m, v, step, lr, betas, eps):
        return param - lr * _direction(*_moments(grad, m, v, betas), step, betas, eps), m.clone(), v.clone()

    @mistake(
        "It climbs: the step is added, and the loss grows.",
        "The gradient points uphill. Which sign leads down?",
    )
    def climbs(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param + lr * _direction(m, v, step, betas, eps), m, v

    @mistake(
        "The whole tensor has a single v: weights with small gradients hardly move.",
        "Each number has a v of its own; nothing is summed or averaged over the tensor.",
    )
    def one_v_for_all(param, grad, m, v, step, lr, betas, eps):
        m, _ = _moments(grad, m, v, betas)
        v = betas[1] * v + (1 - betas[1]) * (grad**2).mean()
        return param - lr * _direction(m, v, step, betas, eps), m, v

    @mistake(
        "Only the sign of the mean is used.",
        "The first step is ±lr, but later ones are shorter where gradients disagree.",
    )
    def sign_of_the_mean(param, grad, m, v, step, lr, betas, eps):
        m, v = _moments(grad, m, v, betas)
        return param - lr * m.sign(), m, v


_share_misconceptions(adam_step)
_share_misconceptions(adamw_step)


@adam_step.alternative
def as_in_the_papers_last_lines(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m, v = _moments(grad, m, v, betas)
    size = lr * math.sqrt(1 - betas[1] ** step) / (1 - betas[0] ** step)
    return param - size * m / (v.sqrt() + eps * math.sqrt(1 - betas[1] ** step)), m, v


@adam_step.alternative
def by_lerp(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m, v = torch.lerp(m, grad, 1 - betas[0]), torch.lerp(v, grad.square(), 1 - betas[1])
    return (
        torch.addcdiv(param, m / (1 - betas[0] ** step), torch.sqrt(v / (1 - betas[1] ** step)) + eps, value=-lr),
        m,
        v,
    )


@adam_step.alternative
def each_number_alone(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    first, second = betas
    rows = []
    for p, g, one, two in zip(*(part.flatten() for part in (param, grad, m, v)), strict=True):
        one, two = one + (1 - first) * (g - one), two + (1 - second) * (g * g - two)
        rows.append(
            torch.stack([p - lr * one / (1 - first**step) / ((two / (1 - second**step)) ** 0.5 + eps), one, two])
        )
    return tuple(column.reshape(param.shape) for column in torch.stack(rows, 1))


@adamw_step.case(group="decay")
def gradient_zero(draw: Draw):
    """the gradient is 0: nothing but decay"""
    return arguments(*_fresh(draw, 2, 4, scale=0.0), 1, lr=0.1, weight_decay=0.5)


@adamw_step.case(group="decay")
def no_decay(draw: Draw):
    """no decay at all: plain Adam"""
    return arguments(*_underway(draw, 3, 4), 3, lr=0.2, weight_decay=0.0)


@adamw_step.case(group="decay")
def strong_decay(draw: Draw):
    """a decay of 1 and a large learning rate"""
    return arguments(*_underway(draw, 2, 3), 5, lr=0.5, weight_decay=1.0)


@adamw_step.hidden_case(group="decay")
def weak_gradients_strong_decay(draw: Draw):
    """gradients much smaller than the weights"""
    return arguments(*_fresh(draw, 30, 20, scale=0.01), 1, lr=0.3, weight_decay=0.5)


@adamw_step.hidden_case(group="decay")
def more_than_one(draw: Draw):
    """a decay of 3"""
    return arguments(*_underway(draw, 4), 2, lr=0.2, weight_decay=3.0)


@adamw_step.hidden_case(group="decay")
def more_than_all(draw: Draw):
    """lr times weight_decay is 1.5: the weights change their sign"""
    return arguments(*_underway(draw, 3, 5), 2, lr=0.5, weight_decay=3.0)


@adamw_step.case(group="settings")
def nothing_given(draw: Draw):
    """nothing given, and weights of a few hundred: the decay is 0.01"""
    _, *others = _underway(draw, 3, 2)
    return draw.uniform(3, 2, low=200.0, high=400.0), *others, 2


@adamw_step.hidden_case(group="settings")
def everything_by_place(draw: Draw):
    """all settings given by their place"""
    return *_underway(draw, 4, 2), 3, 0.2, (0.7, 0.9), 0.3, 0.4


@adamw_step.property_case(group="many steps")
def ten_steps_of_adamw(draw: Draw):
    """ten steps in a row, with m and v handed on"""
    yield from _ten_steps(draw, torch.optim.AdamW, lr=0.2, weight_decay=0.3)


@adamw_step.hidden_property_case(group="many steps")
def ten_steps_with_less_decay(draw: Draw):
    """ten steps in a row with another decay"""
    options = {"lr": 0.3, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.2}
    yield from _ten_steps(draw, torch.optim.AdamW, **options)


def _adam(param, grad, m, v, step, lr, betas, eps):
    m, v = _moments(grad, m, v, betas)
    return param - lr * _direction(m, v, step, betas, eps), m, v


@adamw_step.misconception(
    "The decay is added to the gradient. That is Adam + L2: it passes through m and v, and the root divides it away.",
    hint="What moves a weight whose gradient is 0, and by how much? It should shrink by lr·weight_decay of itself.",
)
def l2_in_the_gradient(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param, grad + weight_decay * param, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "The decay is not multiplied by lr: it goes on at full strength even where the learning rate is nearly 0.",
    hint="By which factor does a weight shrink at lr = 0.1 and weight_decay = 0.01? By 0.999.",
)
def decay_without_lr(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param * (1 - weight_decay), grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "The decay comes after Adam's update, and shrinks that update too.",
    hint="In which order? It is the weight from before the step that decays.",
)
def decay_after_the_update(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    param, m, v = _adam(param, grad, m, v, step, lr, betas, eps)
    return param * (1 - lr * weight_decay), m, v


@adamw_step.misconception(
    "There is no decay: this is Adam.",
    hint="Where do you use `weight_decay`?",
)
def no_decay_at_all(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param, grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "The weights grow instead of shrinking.",
    hint="Is your factor above 1 or below?",
)
def growth(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param * (1 + lr * weight_decay), grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "The decay stays out of m and v, but it is divided by the root with them: still not decoupled.",
    hint="Nothing of `weight_decay` may stand above that fraction bar.",
)
def decay_over_the_root(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    m, v = _moments(grad, m, v, betas)
    denominator = (v / (1 - betas[1] ** step)).sqrt() + eps
    return param - lr * (m / (1 - betas[0] ** step) + weight_decay * param) / denominator, m, v


@adamw_step.misconception(
    "The decay is always 0.01, whatever the argument says.",
    hint="Use the argument `weight_decay`.",
)
def always_one_hundredth(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param * (1 - lr * 0.01), grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "Every weight decays by the same amount, lr·weight_decay, towards 0. A decay is a share of the weight.",
    hint="A weight twice as large loses twice as much.",
)
def same_amount_for_all(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param - lr * weight_decay * param.sign(), grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "The same number, lr·weight_decay, is taken off every weight. A decay is a share of the weight.",
    hint="A weight twice as large loses twice as much, and a negative one comes nearer to 0 too.",
)
def same_number_taken_off(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param - lr * weight_decay, grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "Adam's own settings are not handed on: betas and eps are always the usual ones.",
    hint="If you call `adam_step`: which arguments does it get?",
)
def settings_not_handed_on(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param * (1 - lr * weight_decay), grad, m, v, step, lr, (0.9, 0.999), 1e-8)


@adamw_step.misconception(
    "The decay is twice as strong: the 2 from the slope of w² does not belong here.",
    hint="The factor is 1 − lr·weight_decay.",
)
def decay_doubled(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param * (1 - 2 * lr * weight_decay), grad, m, v, step, lr, betas, eps)


@adamw_step.misconception(
    "The weight is replaced by its decay: what is left of it is lr·weight_decay.",
    hint="How much of a weight is left after one step without gradient? Nearly all of it.",
)
def only_the_decayed_part(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    return _adam(param * lr * weight_decay, grad, m, v, step, lr, betas, eps)


@adamw_step.alternative
def decay_subtracted(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    m, v = m + (1 - betas[0]) * (grad - m), v + (1 - betas[1]) * (grad * grad - v)
    return param - lr * (_direction(m, v, step, betas, eps) + weight_decay * param), m, v


@adamw_step.alternative
def decay_then_addcdiv(param, grad, m, v, step, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    m, v = torch.lerp(m, grad, 1 - betas[0]), v.mul(betas[1]).addcmul(grad, grad, value=1 - betas[1])
    size, root = lr / (1 - betas[0] ** step), (v.sqrt() / (1 - betas[1] ** step) ** 0.5) + eps
    return param.mul(1 - lr * weight_decay).addcdiv(m, root, value=-size), m, v


# ------------------------------------------------------------------------------------------------ clip_grad_norm


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-9, rtol=1e-5))
def clip_grad_norm(grads, max_norm):
    leaves = [torch.nn.Parameter(torch.zeros_like(grad)) for grad in grads]
    for leaf, grad in zip(leaves, grads, strict=True):
        leaf.grad = grad.clone()
    norm = torch.nn.utils.clip_grad_norm_(leaves, max_norm)
    return [leaf.grad for leaf in leaves], norm


def _gradients(draw: Draw, *shapes: tuple[int, ...], norm: float) -> list[torch.Tensor]:
    """Gradients of those shapes whose norm, all together, is `norm`."""
    grads = [draw.normal(*shape) for shape in shapes]
    total = torch.cat([grad.flatten() for grad in grads]).norm()
    return [grad * (norm / total) for grad in grads]


@clip_grad_norm.case
def two_layers_too_steep(draw: Draw):
    """two layers, four times too steep together"""
    return _gradients(draw, (3, 4), (2, 5), norm=8.0), 2.0


@clip_grad_norm.hidden_case
def any_limit(draw: Draw):
    """three layers and another limit"""
    return _gradients(draw, (2, 3), (4,), (3, 2), norm=40.0), draw.choice([0.1, 3.0, 7.0])


@clip_grad_norm.hidden_case
def a_model_of_the_notebook(draw: Draw):
    """a model larger than the notebook's"""
    return _gradients(draw, (80, 70), (80,), (22, 80), (22,), norm=60.0), 1.0


@clip_grad_norm.case(group="limits")
def gentle_slopes(draw: Draw):
    """a norm below the limit: nothing changes"""
    return _gradients(draw, (3, 2), (4,), norm=0.5), 2.0


@clip_grad_norm.case(group="limits")
def each_below_all_above(draw: Draw):
    """each tensor is below the limit, all together are above it"""
    return _gradients(draw, *[(2, 3)] * 9, norm=2.5), 2.0


@clip_grad_norm.case(group="limits")
def no_slope(draw: Draw):
    """all gradients are 0"""
    return [torch.zeros(2, 3), torch.zeros(4)], draw.choice([0.5, 1.0])


@clip_grad_norm.case(group="limits")
def tiny_limit(draw: Draw):
    """a limit so small that the 1e-6 shows"""
    return _gradients(draw, (2, 4), (3,), norm=4e-6), 1e-6


@clip_grad_norm.case(group="limits")
def no_limit(draw: Draw):
    """a limit of infinity: nothing changes"""
    return _gradients(draw, (2, 3), (4,), norm=7.0), math.inf


@clip_grad_norm.case(group="limits")
def nothing_allowed(draw: Draw):
    """a limit of 0: nothing is left"""
    return _gradients(draw, (3, 2), (5,), norm=7.0), 0.0


@clip_grad_norm.hidden_case(group="limits")
def just_below_one(draw: Draw):
    """a norm below 1 and above the limit"""
    return _gradients(draw, (4, 2), (5,), norm=0.9), 0.2


@clip_grad_norm.hidden_case(group="limits")
def a_millionfold(draw: Draw):
    """slopes a million times too steep"""
    return _gradients(draw, (4, 3), (2, 2), norm=1e7), 10


@clip_grad_norm.hidden_case(group="limits")
def far_below(draw: Draw):
    """slopes far below the limit, where 1e-6 is not small"""
    return _gradients(draw, (3,), (2, 2), norm=1e-7), 5e-7


@clip_grad_norm.case(group="shapes")
def a_single_tensor(draw: Draw):
    """a single tensor in the list"""
    return _gradients(draw, (3, 5), norm=5.0), 1.0


@clip_grad_norm.case(group="shapes")
def shapes_of_all_kinds(draw: Draw):
    """a number, a bias, a matrix and a convolution"""
    return _gradients(draw, (), (4,), (2, 3), (3, 2, 2), norm=6.0), 1.5


@clip_grad_norm.hidden_case(group="shapes")
def hundreds_of_tensors(draw: Draw):
    """a deep model: 240 tensors"""
    return _gradients(draw, *[(3, 2), (3,)] * 120, norm=9.0), 1.0


@clip_grad_norm.hidden_case(group="shapes")
def more_axes_than_three(draw: Draw):
    """four axes, five axes and none"""
    return _gradients(draw, (2, 3, 1, 2), (3, 1, 2, 1, 2), (), norm=7.0), 2.0


@clip_grad_norm.case(group="shapes")
def turned_gradients(draw: Draw):
    """gradients that do not lie in a row in memory"""
    return [grad.mT for grad in _gradients(draw, (4, 3), (2, 5), norm=7.0)], 1.0


@clip_grad_norm.hidden_case(group="shapes")
def one_gradient_is_zero(draw: Draw):
    """one of the tensors is all zeros"""
    first, second = _gradients(draw, (2, 3), (4,), norm=5.0)
    return [first, torch.zeros(3, 3), second], 1.0


_add_double_precision(
    clip_grad_norm, lambda draw: arguments([part.double() for part in _gradients(draw, (4, 3), (2,), norm=7.0)], 1.0)
)


def _gradients_of_all_sizes(draw: Draw) -> Iterator[Question]:
    for norm, limit in ((1e12, 1e5), (3e-9, 1e-9), (1e-11, 20.0), (1e6, 1e7), (0.3, 0.3)):
        grads = [grad.double() for grad in _gradients(draw, (3, 2), (4,), (1,), norm=1.0)]
        yield arguments([grad * norm for grad in grads], limit)


_add_all_sizes(clip_grad_norm, "limits", _gradients_of_all_sizes)


def _norm(grads):
    return torch.cat([grad.flatten() for grad in grads]).square().sum().sqrt()


def _scaled(grads, norm, max_norm):
    return [grad * torch.clamp(max_norm / (norm + 1e-6), max=1.0) for grad in grads]


@clip_grad_norm.misconception(
    "Each tensor is clipped by its own norm: the direction of the step changes.",
    hint="One norm for all tensors together, and one factor.",
)
def each_tensor_alone(grads, max_norm):
    return [_scaled([grad], _norm([grad]), max_norm)[0] for grad in grads], _norm(grads)


@clip_grad_norm.misconception(
    "Each number is cut off at ±max_norm. That is clipping by value.",
    hint="The arrow is made shorter, and keeps its direction: all numbers are multiplied by one factor.",
)
def by_value(grads, max_norm):
    return [grad.clamp(-max_norm, max_norm) for grad in grads], _norm(grads)


@clip_grad_norm.misconception(
    "Small gradients are scaled up to the limit.",
    hint="A norm below the limit is left alone: the factor is at most 1.",
)
def always_scaled(grads, max_norm):
    norm = _norm(grads)
    return [grad * (max_norm / (norm + 1e-6)) for grad in grads], norm


@clip_grad_norm.misconception(
    "The 1e-6 under the fraction bar is missing.",
    hint="Where all gradients are 0, what do you divide by? And what is 1e-6 beside a norm of 4e-6?",
)
def nothing_added(grads, max_norm):
    norm = _norm(grads)
    return [grad * torch.clamp(max_norm / norm, max=1.0) for grad in grads], norm


@clip_grad_norm.misconception(
    "PyTorch's clip_grad_norm_ is given the gradients. It takes parameters and reads their `.grad`, so it finds none.",
    hint="Write the formula: one norm, one factor, a new list.",
)
def handed_to_the_library(grads, max_norm):
    norm = torch.nn.utils.clip_grad_norm_(grads, max_norm)
    return [grad.clone() for grad in grads], norm


@clip_grad_norm.misconception(
    "The norm after clipping is returned. The one before it says how steep it was.",
    hint="Which norm tells you that something went wrong in training?",
)
def norm_after_clipping(grads, max_norm):
    clipped = _scaled(grads, _norm(grads), max_norm)
    return clipped, _norm(clipped)


@clip_grad_norm.misconception(
    "The root is missing: the sum of squares is taken for the norm.",
    hint="For [3] and [4] the norm is 5, not 25.",
)
def square_of_the_norm(grads, max_norm):
    norm = _norm(grads).square()
    return _scaled(grads, norm, max_norm), norm


@clip_grad_norm.misconception(
    "The norms of the tensors are added up.",
    hint="For [3] and [4] the norm is 5, not 7: squares add up, norms do not.",
)
def sum_of_norms(grads, max_norm):
    norm = torch.stack([_norm([grad]) for grad in grads]).sum()
    return _scaled(grads, norm, max_norm), norm


@clip_grad_norm.misconception(
    "The norm is the L1 norm, the sum of absolute values.",
    hint="For [3] and [4] the L2 norm is 5.",
)
def l1_norm_of_all(grads, max_norm):
    norm = torch.stack([grad.abs().sum() for grad in grads]).sum()
    return _scaled(grads, norm, max_norm), norm


@clip_grad_norm.misconception(
    "The largest tensor's norm is taken for the norm of all.",
    hint="For [3] and [4] the norm is 5, not 4.",
)
def largest_tensor(grads, max_norm):
    norm = torch.stack([_norm([grad]) for grad in grads]).max()
    return _scaled(grads, norm, max_norm), norm


@clip_grad_norm.misconception(
    "The largest single number is taken for the norm.",
    hint="For [3, 4] the norm is 5, not 4.",
)
def largest_number(grads, max_norm):
    norm = torch.stack([grad.abs().max() for grad in grads]).max()
    return _scaled(grads, norm, max_norm), norm


@clip_grad_norm.misconception(
    "The squares are averaged, not summed: a larger model would seem less steep.",
    hint="A norm has no 1/n in it.",
)
def root_mean_square(grads, max_norm):
    norm = torch.cat([grad.flatten() for grad in grads]).square().mean().sqrt()
    return _scaled(grads, norm, max_norm), norm


@clip_grad_norm.misconception(
    "The gradients are divided by their norm, and max_norm is not used: the limit is always 1.",
    hint="How long are your gradients where max_norm is 2?",
)
def limit_of_one(grads, max_norm):
    norm = _norm(grads)
    return _scaled(grads, norm, 1.0), norm


@clip_grad_norm.misconception(
    "Gradients that are too steep are thrown away instead of shortened.",
    hint="The direction is still good. Multiply by max_norm / (norm + 1e-6).",
)
def thrown_away(grads, max_norm):
    norm = _norm(grads)
    return [grad * (norm <= max_norm) for grad in grads], norm


@clip_grad_norm.misconception(
    "The norm grows tensor by tensor, so that each tensor is scaled by the norm of those before it.",
    hint="Two loops: first the norm of all, then the scaling.",
)
def norm_so_far(grads, max_norm):
    clipped = [_scaled([grad], _norm(grads[: i + 1]), max_norm)[0] for i, grad in enumerate(grads)]
    return clipped, _norm(grads)


@clip_grad_norm.alternative
def norm_of_norms(grads, max_norm):
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(grad) for grad in grads]))
    factor = min(1.0, float(max_norm) / (norm.item() + 1e-6))
    return [grad * factor for grad in grads], norm


@clip_grad_norm.alternative
def only_where_too_steep(grads, max_norm):
    norm = sum((grad**2).sum() for grad in grads) ** 0.5
    if norm + 1e-6 <= max_norm:
        return [grad.clone() for grad in grads], norm
    return [max_norm * grad / (norm + 1e-6) for grad in grads], norm


@clip_grad_norm.alternative
def in_one_vector(grads, max_norm):
    everything = torch.cat([grad.reshape(-1) for grad in grads])
    norm = everything.norm()
    factor = torch.minimum(torch.ones_like(norm), max_norm / (norm + 1e-6))
    pieces = (everything * factor).split([grad.numel() for grad in grads])
    return [piece.reshape(grad.shape) for piece, grad in zip(pieces, grads, strict=True)], norm


# ------------------------------------------------------------------------------------------------- warmup_cosine


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-7, rtol=1e-5))
def warmup_cosine(step, warmup, total, peak):
    if step < warmup:
        return float(np.interp(step, [0, warmup], [0.0, peak]))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.SGD([torch.zeros(1)], lr=peak), T_max=total - warmup
    )
    schedule.last_epoch = min(step, total) - warmup  # the library's curve would rise again after `total`
    return float(schedule._get_closed_form_lr()[0])


def _plan(draw: Draw) -> tuple[int, int, float]:
    """A warmup, a total, a peak."""
    warmup = draw.integer(5, 12)
    return warmup, warmup + draw.integer(14, 30), draw.integer(2, 9) / 10


@warmup_cosine.case
def warming_up(draw: Draw):
    """while warming up"""
    warmup, total, peak = _plan(draw)
    return draw.integer(1, warmup - 1), warmup, total, peak


@warmup_cosine.case
def on_the_way_down(draw: Draw):
    """on the way down"""
    warmup, total, peak = _plan(draw)
    return draw.integer(warmup + 2, (warmup + total) // 2 - 1), warmup, total, peak


@warmup_cosine.hidden_case
def in_the_lower_half(draw: Draw):
    """in the lower half of the way down"""
    warmup, total, peak = _plan(draw)
    return draw.integer((warmup + total) // 2 + 2, total - 1), warmup, total, peak


@warmup_cosine.hidden_case
def a_real_plan_warming_up(draw: Draw):
    """a real plan, warming up: a million steps"""
    return draw.integer(100, 2_000), 2_048, 1_048_576, 0.5


@warmup_cosine.hidden_case
def a_real_plan_going_down(draw: Draw):
    """a real plan, going down"""
    return draw.integer(300_000, 900_000), 2_048, 1_048_576, 0.5


@warmup_cosine.hidden_case
def the_notebooks_plan(draw: Draw):
    """the notebook's plan: 600 steps, 60 of them to warm up"""
    return draw.integer(61, 599), 60, 600, 0.1


@warmup_cosine.case
def a_small_peak(draw: Draw):
    """a peak of 0.0005"""
    warmup, total, _ = _plan(draw)
    return draw.integer(warmup + 2, (warmup + total) // 2 - 1), warmup, total, 5e-4


@warmup_cosine.hidden_case
def a_high_peak(draw: Draw):
    """a peak above 1"""
    warmup, total, _ = _plan(draw)
    return draw.integer(warmup - 2, warmup), warmup, total, draw.choice([2.0, 3.0])


@warmup_cosine.case(group="ends")
def step_zero(draw: Draw):
    """step 0, with a warm-up: the rate is 0"""
    return 0, *_plan(draw)


@warmup_cosine.case(group="ends")
def at_the_peak(draw: Draw):
    """the last step of the warm-up is the peak"""
    warmup, total, peak = _plan(draw)
    return warmup, warmup, total, peak


@warmup_cosine.case(group="ends")
def half_way_down(draw: Draw):
    """half way down the rate is half the peak"""
    warmup, half = draw.integer(3, 9), draw.integer(5, 15)
    return warmup + half, warmup, warmup + 2 * half, draw.integer(2, 9) / 10


@warmup_cosine.case(group="ends")
def at_the_end(draw: Draw):
    """at `total` the rate is 0"""
    warmup, total, peak = _plan(draw)
    return total, warmup, total, peak


@warmup_cosine.case(group="ends")
def after_the_end(draw: Draw):
    """after `total` it stays 0"""
    warmup, total, peak = _plan(draw)
    return total + draw.integer(2, 10), warmup, total, peak


@warmup_cosine.hidden_case(group="ends")
def long_after_the_end(draw: Draw):
    """long after `total`"""
    warmup, total, peak = _plan(draw)
    return 3 * total + draw.integer(1, 6), warmup, total, peak


@warmup_cosine.hidden_case(group="ends")
def thousands_of_steps_after_the_end(draw: Draw):
    """thousands of steps after a short plan"""
    return draw.integer(2_500, 4_500) * 2 + 1, 4, 12, 0.5


@warmup_cosine.hidden_case(group="ends")
def down_in_one_step(draw: Draw):
    """the peak of a plan that goes down in one step"""
    warmup = draw.integer(3, 9)
    return warmup, warmup, warmup + 1, draw.integer(2, 9) / 10


@warmup_cosine.hidden_case(group="ends")
def one_step_before_the_end(draw: Draw):
    """one step before the end"""
    warmup, total, peak = _plan(draw)
    return total - 1, warmup, total, peak


@warmup_cosine.hidden_case(group="ends")
def one_step_before_the_peak(draw: Draw):
    """one step before the peak"""
    warmup, total, peak = _plan(draw)
    return warmup - 1, warmup, total, peak


@warmup_cosine.case(group="no warm-up")
def start_at_the_peak(draw: Draw):
    """no warm-up: step 0 is the peak"""
    return 0, 0, draw.integer(10, 30), draw.integer(2, 9) / 10


@warmup_cosine.case(group="no warm-up")
def down_without_warmup(draw: Draw):
    """no warm-up, on the way down"""
    total = draw.integer(12, 30)
    return draw.integer(2, total - 1), 0, total, draw.integer(2, 9) / 10


@warmup_cosine.hidden_case(group="no warm-up")
def ended_without_warmup(draw: Draw):
    """no warm-up, after the end"""
    total = draw.integer(12, 30)
    return total + draw.integer(3, 9), 0, total, 0.5


@warmup_cosine.hidden_case(group="no warm-up")
def long_ended_without_warmup(draw: Draw):
    """no warm-up, thousands of steps after the end"""
    return draw.integer(2_500, 4_500) * 2 + 1, 0, 13, 0.5


@warmup_cosine.hidden_case(group="no warm-up")
def one_step_of_warmup(draw: Draw):
    """one step of warm-up, at step 0"""
    return 0, 1, draw.integer(10, 30), 0.5


@warmup_cosine.hidden_case(group="no warm-up")
def a_plan_of_one_step(draw: Draw):
    """a plan of a single step, at its end"""
    return 1, 0, 1, draw.integer(2, 9) / 10


def _plans_of_all_sizes(draw: Draw) -> Iterator[Question]:
    for warmup, total, peak in ((1, 2, 1e-5), (0, 3, 20.0), (1, 700, 0.0), (6_000, 7_000_000, 1.0), (90, 3_000, 1e-3)):
        for step in (warmup // 2, warmup, draw.integer(warmup, total), total, total + draw.integer(10**5, 10**6)):
            yield arguments(step, warmup, total, peak)


_add_all_sizes(warmup_cosine, "ends", _plans_of_all_sizes)


@warmup_cosine.hidden_property_case(group="ends")
def the_whole_curve(draw: Draw):
    """the whole curve: up, then down, and 0 for ever"""
    warmup, total, peak = 4, 12, 0.8
    rates = []
    for step in range(total + 3):
        got = yield arguments(step, warmup, total, peak)
        rates.append(got.value)
    if not all(type(rate) is float for rate in rates):
        raise Wrong("the rate is not a float at every step")
    rising, falling = rates[: warmup + 1], rates[warmup : total + 1]
    if not all(one < other for one, other in pairwise(rising)):
        raise Wrong("the rate does not rise at every step of the warm-up")
    if not all(one > other for one, other in pairwise(falling)):
        raise Wrong("the rate does not fall at every step from the peak to the end")
    if abs(falling[2] + falling[-3] - peak) > 1e-6:
        raise Wrong("the way down is not symmetric about its middle, as a cosine is")
    if any(abs(rate) > 2e-7 for rate in rates[total:]):
        raise Wrong("the rate is not 0 from `total` on")


def _cosine(progress: float, peak: float) -> float:
    return 0.5 * peak * (1 + math.cos(math.pi * progress))


@warmup_cosine.misconception(
    "The warm-up is one step ahead: at step 0 the rate should be 0.",
    hint="The rate while warming up is peak · step / warmup, and `step` counts from 0 here.",
)
def warmup_from_one(step, warmup, total, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return _cosine(min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.misconception(
    "The cosine starts at step 0, under the warm-up: the curve jumps where the warm-up ends.",
    hint="Progress is 0 at the end of the warm-up and 1 at `total`.",
)
def cosine_from_step_zero(step, warmup, total, peak):
    return peak * step / warmup if step < warmup else _cosine(min(1.0, step / total), peak)


@warmup_cosine.misconception(
    "The way down is `total` steps long, although the warm-up has taken some of them: the rate is not 0 at `total`.",
    hint="How many steps lie between the end of the warm-up and `total`?",
)
def warmup_not_taken_off(step, warmup, total, peak):
    return peak * step / warmup if step < warmup else _cosine(min(1.0, (step - warmup) / total), peak)


def _until_total(wrong: Callable) -> Callable:
    """The same mistake by somebody who returns 0 from `total` on before anything else."""

    def function(step, warmup, total, peak):
        return 0.0 if step >= total else wrong(step, warmup, total, peak)

    function.__name__ = f"{wrong.__name__}_until_total"
    return function


warmup_cosine.misconception(
    "The way down is measured by `total`, although the warm-up has taken some of it: at `total` the rate jumps to 0.",
    hint="How many steps lie between the end of the warm-up and `total`?",
)(_until_total(warmup_not_taken_off))


@warmup_cosine.misconception(
    "The cosine is given degrees, but it works in radians.",
    hint="Half a turn is π for `math.cos`, not 180.",
)
def degrees(step, warmup, total, peak):
    if step < warmup:
        return peak * step / warmup
    return 0.5 * peak * (1 + math.cos(180 * min(1.0, (step - warmup) / (total - warmup))))


warmup_cosine.misconception(
    "The cosine is given degrees; it works in radians, and so its curve is a wild one.",
    hint="Half a turn is π for `math.cos`, not 180.",
)(_until_total(degrees))


@warmup_cosine.misconception(
    "After `total` the cosine comes up again.",
    hint="What does the cosine do after π? The rate stays 0.",
)
def rises_again(step, warmup, total, peak):
    return peak * step / warmup if step < warmup else _cosine((step - warmup) / (total - warmup), peak)


@warmup_cosine.misconception(
    "Step `warmup` still counts as warm-up; where that is step 0, it divides by 0.",
    hint="With warmup 0 no step may be below it: `<` or `<=`?",
)
def one_step_too_many(step, warmup, total, peak):
    if step <= warmup:
        return peak * step / warmup
    return _cosine(min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.misconception(
    "Without a warm-up it divides by 0.",
    hint="With warmup 0 no step is below it. Which division must then not be reached?",
)
def divides_by_zero(step, warmup, total, peak):
    rising = peak * step / warmup
    return rising if step < warmup else _cosine(min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.misconception(
    "Without a warm-up the rate starts at 0: the first step is lost.",
    hint="With warmup 0, step 0 is the peak.",
)
def first_step_lost(step, warmup, total, peak):
    if step == 0 or step < warmup:
        return peak * step / max(warmup, 1)
    return _cosine(min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.misconception(
    "There is no warm-up: the rate is the peak from the start.",
    hint="Below `warmup` the rate climbs from 0.",
)
def no_warmup(step, warmup, total, peak):
    return _cosine(min(1.0, max(0.0, (step - warmup) / (total - warmup))), peak)


@warmup_cosine.misconception(
    "The way down is a straight line.",
    hint="½ · (1 + cos(π · progress)): slow at both ends, fast in the middle.",
)
def straight_down(step, warmup, total, peak):
    return peak * step / warmup if step < warmup else peak * max(0.0, (total - step) / (total - warmup))


@warmup_cosine.misconception(
    "The cosine runs through a quarter of its turn: it falls slowly first and fast at the end.",
    hint="From 0 to π the cosine goes from 1 to −1. What do you add, and what do you halve?",
)
def quarter_turn(step, warmup, total, peak):
    progress = min(1.0, (step - warmup) / (total - warmup)) if step >= warmup else 0.0
    return peak * step / warmup if step < warmup else peak * math.cos(math.pi / 2 * progress)


@warmup_cosine.misconception(
    "The cosine runs through a whole turn and comes back to the peak.",
    hint="At the end the angle is π, not 2π.",
)
def whole_turn(step, warmup, total, peak):
    return peak * step / warmup if step < warmup else _cosine(2 * min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.misconception(
    "The bare cosine is used: in its second half the learning rate is negative.",
    hint="Shift the cosine up by 1 and halve it.",
)
def negative_rates(step, warmup, total, peak):
    if step < warmup:
        return peak * step / warmup
    return peak * math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup)))


@warmup_cosine.misconception(
    "The half is missing: the way down starts at twice the peak.",
    hint="1 + cos 0 is 2.",
)
def twice_the_peak(step, warmup, total, peak):
    if step < warmup:
        return peak * step / warmup
    return 2 * _cosine(min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.misconception(
    "The end comes one step early: at total − 1 the rate is 0 already.",
    hint="The way down has total − warmup steps.",
)
def one_step_early(step, warmup, total, peak):
    if step < warmup:
        return peak * step / warmup
    return _cosine(min(1.0, (step - warmup) / max(1, total - warmup - 1)), peak)


@warmup_cosine.misconception(
    "The division drops the fraction, so that the rate moves in jumps.",
    hint="`//` divides whole numbers. Which sign keeps the fraction?",
)
def whole_division(step, warmup, total, peak):
    if step < warmup:
        return peak * (step // warmup)
    return _cosine(min(1, (step - warmup) // (total - warmup)), peak)


@warmup_cosine.misconception(
    "The warm-up is shaped like a cosine too.",
    hint="While warming up, the rate grows by the same amount at every step.",
)
def curved_warmup(step, warmup, total, peak):
    if step < warmup:
        return peak - _cosine(step / warmup, peak)
    return _cosine(min(1.0, (step - warmup) / (total - warmup)), peak)


@warmup_cosine.alternative
def by_half_angle(step, warmup, total, peak):
    if step < warmup:
        return step * (peak / warmup)
    left = max(0.0, 1 - (step - warmup) / (total - warmup))
    return peak * math.sin(math.pi / 2 * left) ** 2


@warmup_cosine.alternative
def the_lower_of_two(step, warmup, total, peak):
    if step >= total:
        return 0.0
    rise = min(1.0, step / warmup) if warmup else 1.0
    fall = 0.5 + 0.5 * math.cos(math.pi * max(0, step - warmup) / (total - warmup))
    return float(peak * rise * fall)


@warmup_cosine.alternative
def with_torch(step, warmup, total, peak):
    if step < warmup:
        return float(torch.linspace(0, peak, warmup + 1, dtype=torch.float64)[step])
    progress = torch.tensor((step - warmup) / (total - warmup), dtype=torch.float64).clamp(max=1)
    return (peak * (1 + torch.cos(torch.pi * progress)) / 2).item()
