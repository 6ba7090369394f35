"""Unit 09: paths and labellings, the CTC forward recursion, greedy and beam decoding, forced alignment, durations."""

import math
from collections import defaultdict
from itertools import groupby, pairwise, product

import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Property, Tolerance, Wrong, arguments, ask, exercise

UNIT = "09_ctc"
#: Stands for −∞ where autograd must not meet −∞ − (−∞).
FLOOR = -1e30


def _labels(draw: Draw, count: int, classes: int, doubled: int = 0, blank: int = 0) -> list[int]:
    """`count` labels without equal neighbours, then `doubled` of them said twice in a row."""
    kinds = [label for label in range(classes) if label != blank]
    labels: list[int] = []
    while len(labels) < count:
        labels += [label for label in [draw.choice(kinds)] if [label] != labels[-1:]]
    for place in sorted(draw.sample(range(count), doubled), reverse=True):
        labels.insert(place, labels[place])
    return labels


def _frames_needed(target: list[int]) -> int:
    return len(target) + sum(one == other for one, other in pairwise(target))


def _spell(draw: Draw, target: list[int], frames: int, blank: int = 0) -> list[int]:
    """A random path of that length that collapses to the target."""
    runs = [0]
    for one, other in pairwise([*target, None]):
        runs += [1, int(one == other)]
    for place in draw.integers(0, len(runs), frames - sum(runs)).tolist():
        runs[place] += 1
    states = _with_blanks(target, blank)
    return [state for state, run in zip(states, runs, strict=True) for _ in range(run)]


def _with_blanks(target: list[int], blank: int = 0) -> list[int]:
    states = [blank] * (2 * len(target) + 1)
    states[1::2] = target
    return states


def _log_probs(draw: Draw, frames: int, classes: int, scale: float = 1.5) -> torch.Tensor:
    """What a model that knows nothing might say, (T, C)."""
    return draw.normal(frames, classes, scale=scale).log_softmax(-1)


def _saying(draw: Draw, path: list[int], classes: int, loud: float = 8.0, noise: float = 1.0) -> torch.Tensor:
    """What a model that hears this path might say, (T, C)."""
    logits = draw.normal(len(path), classes, scale=noise)
    logits[torch.arange(len(path)), torch.tensor(path)] += loud
    return logits.log_softmax(-1)


def _merge(path: list[int], blank: int = 0) -> list[int]:
    return [label for label, _ in groupby(path) if label != blank]


def _spans(path: list[int], blank: int) -> list:
    """The runs of labels in a path, by torchaudio."""
    from torchaudio.functional import merge_tokens

    return merge_tokens(torch.tensor(path, dtype=torch.int64), torch.zeros(len(path)), blank)


# -------------------------------------------------------------------------------------------------------- collapse


@exercise(unit=UNIT)
def collapse(path, blank=0):
    return [span.token for span in _spans(path, blank)]


@collapse.case
def labels_held_and_blanks(draw):
    """labels held for several frames, blanks between them"""
    return _spell(draw, _labels(draw, 4, 6), 14)


@collapse.case
def a_blank_between_equals(draw):
    """the same label three times, a blank between each two"""
    label, other = draw.sample([1, 2, 3, 4], 2)
    return [0, label, label, label, 0, label, 0, label, other, other]


@collapse.case
def no_blank_between_equals(draw):
    """the same label in several frames without a blank: once"""
    label, other = draw.sample([1, 2, 3, 4], 2)
    return [label] * draw.integer(3, 6) + [other] * 2


@collapse.hidden_case
def any_path(draw):
    """entries at random"""
    return draw.integers(0, 4, 17).tolist()


@collapse.hidden_case
def as_long_as_a_recording(draw):
    """a path of 500 frames"""
    return _spell(draw, _labels(draw, 90, 29, doubled=8), 500)


@collapse.case(group="edge")
def nothing_but_blanks(draw):
    """nothing but blanks"""
    return [0] * draw.integer(2, 6)


@collapse.case(group="edge")
def the_empty_path(draw):
    """no frame at all"""
    return ([],)


@collapse.case(group="edge")
def labels_that_come_back(draw):
    """a label that comes back later, at the first and at the last frame"""
    one, two, three = draw.sample([1, 2, 3, 4, 5], 3)
    return [one, two, two, one, three, one]


@collapse.hidden_case(group="edge")
def one_label(draw):
    """one frame, one label"""
    return [draw.integer(1, 9)]


@collapse.hidden_case(group="edge")
def many_blanks(draw):
    """hundreds of blanks"""
    return [0] * draw.integer(200, 300)


@collapse.hidden_case(group="edge")
def held_for_half_a_second(draw):
    """labels held for tens of frames, the same one twice"""
    one, two = draw.sample(range(1, 9), 2)
    return [one] * draw.integer(28, 40) + [0] * 3 + [one] * draw.integer(20, 40) + [two] * draw.integer(28, 40)


@collapse.case(group="edge")
def large_numbers(draw):
    """labels that are large numbers"""
    one = draw.integer(300, 500)
    return torch.tensor([one, one, one + 64, one + 64, 0, one + 64, one + 128]).tolist()


@collapse.hidden_case(group="edge")
def a_minute(draw):
    """a path of 3,000 frames"""
    return _spell(draw, _labels(draw, 500, 29, doubled=30), 3000)


@collapse.case(group="other blank")
def blank_is_another_number(draw):
    """another number is the blank, and 0 is a label like others"""
    blank = draw.integer(2, 5)
    return arguments([0, 0, *_spell(draw, [1, 0, 0, 1], 9, blank), 0], blank=blank)


@collapse.hidden_case(group="other blank")
def blank_is_the_last_class(draw):
    """the last of 29 classes is the blank"""
    return [0, *_spell(draw, _labels(draw, 12, 28, 3, blank=28), 60, 28)], 28


@collapse.misconception(
    "Blanks are dropped first, and then repeats are merged: a label that is said twice is written once.",
    hint="What is left of `a _ a` when the blank goes first? Which of the two steps must come first?",
)
def blanks_first(path, blank=0):
    return [label for label, _ in groupby(label for label in path if label != blank)]


@collapse.misconception(
    "Blanks stay in the result.",
    hint="The blank is no letter. Which step of collapsing is missing?",
)
def blanks_kept(path, blank=0):
    return [label for label, _ in groupby(path)]


@collapse.misconception(
    "Repeats are not merged: a label that is held for three frames is written three times.",
    hint="How many letters is `a a a`?",
)
def repeats_kept(path, blank=0):
    return [label for label in path if label != blank]


@collapse.misconception(
    "Each label is kept only once in the whole text.",
    hint="Can a word have the same letter in two places, as in *papa*? Only neighbours are merged.",
)
def each_label_once(path, blank=0):
    return list(dict.fromkeys(label for label in path if label != blank))


@collapse.misconception(
    "The blank is always taken to be 0.",
    hint="What is the second argument for?",
)
def blank_is_always_zero(path, blank=0):
    return _merge(path)


@collapse.misconception(
    "It looks at the first entry without asking whether there is one.",
    hint="What should an empty path give, and what does `path[0]` do there?",
)
def path_must_have_an_entry(path, blank=0):
    before, labels = path[0], [path[0]] if path[0] != blank else []
    for label in path[1:]:
        if label not in (before, blank):
            labels.append(label)
        before = label
    return labels


@collapse.misconception(
    "The first label is lost if the path begins with it.",
    hint="An entry is compared with the one before it. What stands before the first?",
)
def first_run_lost(path, blank=0):
    return [label for before, label in pairwise(path) if label not in (before, blank)]


@collapse.misconception(
    "The last label is lost if the path ends with it.",
    hint="If a run is written when it ends, who writes the run that lasts to the end?",
)
def last_run_lost(path, blank=0):
    return [label for label, after in pairwise(path) if label not in (after, blank)]


@collapse.misconception(
    "The entry before the first is taken to be 0, so a first label 0 is merged with nothing.",
    hint="Where 0 is a label, what could stand for 'nothing before'?",
)
def zero_before_the_path(path, blank=0):
    return [label for before, label in pairwise([0, *path]) if label not in (before, blank)]


@collapse.misconception(
    "Equal neighbours are merged in pairs only: three in a row leave two.",
    hint="Try `a a a`. With which entry must the third be compared?",
)
def pairs_only(path, blank=0):
    merged: list = []
    fresh = False
    for label in path:
        if merged and label == merged[-1] and fresh:
            fresh = False
            continue
        merged.append(label)
        fresh = True
    return [label for label in merged if label != blank]


@collapse.misconception(
    "Labels are compared with `is`: numbers may be equal without being the same object.",
    hint="Which operator asks whether two numbers are equal?",
)
def compared_by_identity(path, blank=0):
    return [label for before, label in pairwise([None, *path]) if label != blank and label is not before]


@collapse.misconception(
    "The labels are sorted; they should stay in the order in which they are said.",
    hint="Is *tab* the same word as *bat*?",
)
def in_alphabetical_order(path, blank=0):
    return sorted(_merge(path, blank))


@collapse.alternative
def by_groupby(path, blank=0):
    return _merge(path, blank)


@collapse.alternative
def by_unique_consecutive(path, blank=0):
    merged = torch.unique_consecutive(torch.tensor(path, dtype=torch.int64))
    return merged[merged != blank].tolist()


@collapse.alternative
def by_comparing_neighbours(path, blank=0):
    return [path[t] for t in range(len(path)) if path[t] != blank and (t == 0 or path[t] != path[t - 1])]


# ------------------------------------------------------------------------------------------------------ add_blanks


@exercise(unit=UNIT)
def add_blanks(target, blank=0):
    return _with_blanks(target, blank)


@add_blanks.case
def three_labels(draw):
    """three different labels"""
    return _labels(draw, 3, 9)


@add_blanks.case
def equal_neighbours(draw):
    """equal neighbours among others"""
    return _labels(draw, 3, 6, doubled=2)


@add_blanks.hidden_case
def a_page_of_labels(draw):
    """hundreds of labels"""
    return _labels(draw, draw.integer(180, 220), 29, doubled=15)


@add_blanks.case(group="edge")
def an_empty_target(draw):
    """no label at all"""
    return ([],)


@add_blanks.case(group="edge")
def a_single_label(draw):
    """one label"""
    return [draw.integer(1, 9)]


@add_blanks.hidden_case(group="edge")
def empty_with_another_blank(draw):
    """no label at all, another blank"""
    return [], draw.integer(3, 30)


@add_blanks.hidden_case(group="edge")
def the_same_label_three_times(draw):
    """one label three times"""
    return [draw.integer(1, 9)] * 3


@add_blanks.case(group="other blank")
def another_blank(draw):
    """another number is the blank, and 0 is a label"""
    return arguments([0, 1, 0], blank=draw.integer(2, 9))


@add_blanks.hidden_case(group="other blank")
def last_class_is_blank(draw):
    """the last of 29 classes is the blank"""
    return _labels(draw, 9, 28, 2, blank=28), 28


@add_blanks.misconception(
    "Blanks stand only between labels; one may also come before the first and after the last.",
    hint="A recording may begin and end with blanks. How long should the result be for three labels?",
)
def only_between(target, blank=0):
    return _with_blanks(target, blank)[1:-1]


@add_blanks.misconception(
    "The blank at the end is missing.",
    hint="May a path end with blanks? Count the entries: 2·labels + 1.",
)
def none_at_the_end(target, blank=0):
    return _with_blanks(target, blank)[:-1]


@add_blanks.misconception(
    "The blank at the beginning is missing.",
    hint="May a path begin with blanks? Count the entries: 2·labels + 1.",
)
def none_at_the_beginning(target, blank=0):
    return _with_blanks(target, blank)[1:]


@add_blanks.misconception(
    "A blank is put only where two equal labels meet; it may stand between any two.",
    hint="Where must a blank stand, and where may it? This list holds every place where it may.",
)
def only_where_needed(target, blank=0):
    states = [blank]
    for one, other in pairwise([*target, None]):
        states += [one, blank] if one == other else [one]
    return [*states, blank] if target else states


@add_blanks.misconception(
    "The blank is always 0.",
    hint="What is the second argument for?",
)
def zero_in_between(target, blank=0):
    return _with_blanks(target)


@add_blanks.misconception(
    "Nothing comes back for an empty target; silence has one state, the blank.",
    hint="Which single path of a state can a text without labels have?",
)
def nothing_for_nothing(target, blank=0):
    return _with_blanks(target, blank) if target else []


@add_blanks.misconception(
    "Every label brings a blank on both sides, so that two blanks meet in the middle.",
    hint="Neighbours share the blank between them. How long should the result be for two labels?",
)
def two_blanks_meet(target, blank=0):
    return [entry for label in target for entry in (blank, label, blank)] or [blank]


@add_blanks.misconception(
    "Equal neighbours are merged: *hello* loses an l.",
    hint="The target is the text, not a path. Must anything be collapsed here?",
)
def target_collapsed(target, blank=0):
    return _with_blanks([label for label, _ in groupby(target)], blank)


@add_blanks.alternative
def by_loop(target, blank=0):
    states = [blank]
    for label in target:
        states.extend([label, blank])
    return states


@add_blanks.alternative
def by_stacking(target, blank=0):
    labels = torch.tensor(target, dtype=torch.int64)
    return [blank, *torch.stack([labels, torch.full_like(labels, blank)], dim=1).flatten().tolist()]


@add_blanks.alternative
def by_position(target, blank=0):
    return [target[place // 2] if place % 2 else blank for place in range(2 * len(target) + 1)]


# ------------------------------------------------------------------------------------------------ min_input_length


@exercise(unit=UNIT)
def min_input_length(target):
    """The smallest number of frames for which PyTorch's CTC loss is finite."""
    frames = len(target)
    labels = torch.tensor(target, dtype=torch.int64)
    blank = max(target, default=0) + 1
    while frames:
        uniform = torch.zeros(frames, 1, blank + 1).log_softmax(-1)
        lengths = [frames], [len(target)]
        if functional.ctc_loss(uniform, labels[None], *lengths, blank=blank, reduction="sum").isfinite():
            break
        frames += 1
    return frames


@min_input_length.case
def no_equal_neighbours(draw):
    """no equal neighbours: one frame for each label"""
    return _labels(draw, 5, 30)


@min_input_length.case
def one_double(draw):
    """one doubled label, like the l of hello"""
    return _labels(draw, 4, 9, doubled=1)


@min_input_length.hidden_case
def several_doubles(draw):
    """several doubled labels"""
    return _labels(draw, 7, 9, doubled=3)


@min_input_length.hidden_case
def a_long_text(draw):
    """two hundred labels"""
    return _labels(draw, 180, 29, doubled=draw.integer(15, 25))


@min_input_length.case(group="repeats")
def three_in_a_row(draw):
    """a label three or more times in a row, among others"""
    one, two, three = draw.sample(range(1, 20), 3)
    return [one, *[two] * draw.integer(3, 6), three]


@min_input_length.case(group="repeats")
def back_again(draw):
    """a label that comes back, but not at once"""
    one, two = draw.sample(range(1, 20), 2)
    return [one, two, one, two, one]


@min_input_length.case(group="repeats")
def zero_is_a_label(draw):
    """0 is a label like others, and said twice in a row"""
    one, two = draw.sample(range(1, 20), 2)
    return [one, 0, 0, two, 0]


@min_input_length.case(group="repeats")
def large_labels(draw):
    """equal neighbours that are large numbers"""
    label = draw.integer(300, 500)
    return torch.tensor([label, label, label + 64, label, label]).tolist()


@min_input_length.hidden_case(group="repeats")
def the_same_all_along(draw):
    """the same label all along"""
    return [draw.integer(1, 9)] * draw.integer(5, 12)


@min_input_length.case(group="edge")
def no_label(draw):
    """no label at all"""
    return ([],)


@min_input_length.case(group="edge")
def a_word_of_one(draw):
    """one label"""
    return [draw.integer(1, 30)]


@min_input_length.hidden_case(group="edge")
def a_pair(draw):
    """twice the same label, nothing else"""
    return [draw.integer(1, 30)] * 2


@min_input_length.misconception(
    "One frame for each label is not enough where two equal labels meet.",
    hint="Write a path for *ll* in two frames. What does it collapse to?",
)
def a_frame_each(target):
    return len(target)


@min_input_length.misconception(
    "All states are counted; most blanks may be left out.",
    hint="`a b` in two frames collapses to *ab*. Which blanks are really needed?",
)
def every_state(target):
    return 2 * len(target) + 1


@min_input_length.misconception(
    "A blank is asked for between any two labels; only equal neighbours need one.",
    hint="`a b` in two frames collapses to *ab*. Which blanks are really needed?",
)
def blank_between_all(target):
    return max(2 * len(target) - 1, 0)


@min_input_length.misconception(
    "Every label that occurs again is counted, wherever it stands.",
    hint="Does *aba* need a blank? Only neighbours can be merged by mistake.",
)
def repeats_anywhere(target):
    return 2 * len(target) - len(set(target))


@min_input_length.misconception(
    "A run of equal labels is counted as one repeat, however long it is.",
    hint="How many blanks does *aaaa* need?",
)
def one_for_a_run(target):
    return len(target) + sum(len(list(run)) > 1 for _, run in groupby(target))


@min_input_length.misconception(
    "A doubled 0 is not counted; where another number is the blank, 0 is a label like others.",
    hint="Is 0 equal to 0? Does your comparison also ask whether the label is true?",
)
def zeros_passed_over(target):
    return len(target) + sum(bool(one) and one == other for one, other in pairwise(target))


@min_input_length.misconception(
    "Labels are compared with `is`: numbers may be equal without being the same object.",
    hint="Which operator asks whether two numbers are equal?",
)
def the_same_object(target):
    return len(target) + sum(one is other for one, other in pairwise(target))


@min_input_length.misconception(
    "Repeats are taken off instead of being added.",
    hint="Does a doubled letter need more room or less?",
)
def repeats_merged(target):
    return 2 * len(target) - _frames_needed(target)


@min_input_length.misconception(
    "A blank at either end is asked for; a path may begin and end with labels.",
    hint="`a` in one frame collapses to *a*. Must a blank stand around it?",
)
def blanks_at_the_ends(target):
    return _frames_needed(target) + 2


@min_input_length.misconception(
    "It counts what needs a blank, without the labels themselves.",
    hint="Each label needs a frame of its own, too.",
)
def only_the_blanks(target):
    return _frames_needed(target) - len(target)


@min_input_length.misconception(
    "It asks for at least one frame; a text without labels needs none.",
    hint="Labels plus repeats: what is that for an empty list?",
)
def at_least_one(target):
    return max(_frames_needed(target), 1)


@min_input_length.alternative
def labels_and_repeats(target):
    return len(target) + sum(target[i] == target[i - 1] for i in range(1, len(target)))


@min_input_length.alternative
def by_runs(target):
    return sum(2 * len(list(run)) - 1 for _, run in groupby(target))


@min_input_length.alternative
def by_difference(target):
    labels = torch.tensor(target, dtype=torch.int64)
    return len(target) + int((labels.diff() == 0).sum()) if target else 0


# ---------------------------------------------------------------------------------------------- ctc_log_likelihood


def _ctc(log_probs: torch.Tensor, target: torch.Tensor, blank: int) -> torch.Tensor:
    """PyTorch's CTC, which gives NaN for the gradient where no path exists; here it is 0."""
    lengths = [len(log_probs)], [len(target)]
    options = {"blank": blank, "reduction": "none", "zero_infinity": True}
    value = -functional.ctc_loss(log_probs[:, None], target[None], *lengths, **options)[0]
    fits = torch.tensor(len(log_probs) >= _frames_needed(target.tolist()))
    return torch.where(fits, value, -math.inf)


@exercise(
    unit=UNIT,
    differentiable=True,
    tolerance=Tolerance(atol=1e-4, rtol=1e-5),
)
def ctc_log_likelihood(log_probs, target, blank=0):
    return _ctc(log_probs, target, blank)


def _asked(draw: Draw, frames: int, classes: int, labels: int, doubled: int = 0, blank: int = 0, scale: float = 1.5):
    target = torch.tensor(_labels(draw, labels, classes, doubled, blank), dtype=torch.int64)
    return arguments(_log_probs(draw, frames, classes, scale), target, **({"blank": blank} if blank else {}))


def _gradient_of(make, atol: float = 3e-4) -> Property:
    """A property: the gradients with respect to logits, through log_softmax, are PyTorch's."""

    def hold(draw: Draw):
        question = make(draw)
        log_probs, target = question.args
        blank = question.kwargs.get("blank", 0)
        weight = draw.uniform(low=0.5, high=2.0)
        got = yield ask(log_probs, target, cotangents=(weight,), **question.kwargs)
        if not got.gradients or got.gradients[0] is None:
            raise Wrong("no gradient reaches log_probs")
        (gradient,) = got.gradients
        if not gradient.isfinite().all():
            raise Wrong("the gradient for log_probs is not finite")
        logits = log_probs.double().requires_grad_()
        value = _ctc(logits.log_softmax(-1), target, blank)
        if not value.isfinite():
            return
        (wanted,) = torch.autograd.grad(value * weight.double(), logits)
        through = gradient.double() - log_probs.double().exp() * gradient.double().sum(-1, keepdim=True)
        wrong = ~torch.isclose(through, wanted, rtol=1e-3, atol=atol)
        if wrong.any():
            frame, label = wrong.nonzero()[0].tolist()
            place = f"frame {frame}, class {label}"
            raise Wrong(f"the gradient with respect to the logits is {through[frame, label]:.4g} at {place}")

    hold.__name__ = f"{make.__name__}/slope"
    hold.__doc__ = f"gradient: {make.__doc__}"
    return hold


def _valued(group: str = "basic", practice: bool = True, seconds: float = 5.0, atol: float = 3e-4):
    """Declare a case, and the gradient on the same kind of input."""

    def add(make):
        exercise = ctc_log_likelihood
        (exercise.case if practice else exercise.hidden_case)(group=group, gradient=False, seconds=seconds)(make)
        _slopes.append((make, practice, seconds, atol))
        return make

    return add


_slopes: list = []


@_valued()
def two_labels(draw):
    """two labels, six frames"""
    return _asked(draw, 6, 4, 2)


@_valued()
def a_doubled_label(draw):
    """the same label twice in a row"""
    return _asked(draw, 6, 5, 1, doubled=1)


@_valued(practice=False)
def five_labels(draw):
    """five labels, one of them doubled"""
    return _asked(draw, 13, 7, 4, doubled=1)


@ctc_log_likelihood.property_case
def all_texts_together(draw):
    """the probabilities of all texts that fit add up to 1"""
    log_probs = _log_probs(draw, 3, 3)
    total = 0.0
    for length in range(4):
        for labels in product((1, 2), repeat=length):
            if _frames_needed(list(labels)) <= 3:
                got = yield log_probs, torch.tensor(labels, dtype=torch.int64)
                total += float(got.value.exp())
    if not abs(total - 1) < 1e-4:
        raise Wrong(f"the probabilities of all texts that fit into three frames add up to {total:.4g}, not to 1")


@_valued("edge")
def no_label_at_all(draw):
    """an empty target: every frame is blank"""
    return _asked(draw, 4, 3, 0)


@_valued("edge")
def just_enough_frames(draw):
    """exactly as many frames as the target needs"""
    return _asked(draw, 6, 5, 4, doubled=1)


@_valued("edge")
def blank_elsewhere(draw):
    """another class is the blank, and 0 is a label"""
    blank, one, two = draw.sample([1, 2, 3, 4], 3)
    return arguments(_log_probs(draw, 6, 5), torch.tensor([one, 0, two]), blank=blank)


@_valued("edge", practice=False)
def blank_in_the_middle(draw):
    """some class in the middle is the blank, 0 is said twice"""
    blank = draw.integer(3, 7)
    labels = [8, 0, 0, *_labels(draw, 3, 8, blank=blank)]
    return arguments(_log_probs(draw, 11, 9), torch.tensor(labels), blank=blank)


@_valued("edge", practice=False)
def one_frame(draw):
    """one frame, one label"""
    return _asked(draw, 1, 6, 1)


@_valued("edge", practice=False)
def three_times_the_same(draw):
    """the same label three times"""
    label = draw.integer(1, 4)
    return arguments(_log_probs(draw, 8, 4), torch.tensor([label] * 3))


@_valued("edge", practice=False)
def in_double_precision(draw):
    """float64, the blank last"""
    question = _asked(draw, 9, 6, 3, doubled=1, blank=5)
    return arguments(question.args[0].double().log_softmax(-1), question.args[1], blank=5)


@_valued("edge", practice=False)
def silence_with_another_blank(draw):
    """an empty target, another class is the blank"""
    return _asked(draw, 9, 6, 0, blank=draw.integer(2, 6))


@ctc_log_likelihood.property_case(group="edge")
def float64_to_nine_digits(draw):
    """float64 is computed in float64"""
    log_probs = (draw.normal(50, 9, scale=1.5).double() * 1.01).log_softmax(-1)
    target = torch.tensor(_labels(draw, 18, 9, doubled=2))
    got = yield log_probs, target
    wanted = _ctc(log_probs, target, 0)
    if not torch.isclose(got.value.double(), wanted, rtol=1e-9, atol=0):
        raise Wrong(f"float64 in: expected {wanted.item():.9f}, got {got.value.item():.9f}")


@_valued("edge", practice=False)
def silence_of_some_length(draw):
    """an empty target, many frames"""
    return _asked(draw, 50, 29, 0)


@_valued("infeasible")
def too_few_frames(draw):
    """fewer frames than labels: −∞"""
    return _asked(draw, 3, 6, 5)


@_valued("infeasible")
def too_few_for_a_double(draw):
    """as many frames as labels, but two neighbours are equal: −∞"""
    return _asked(draw, 5, 6, 4, doubled=1)


@_valued("infeasible", practice=False)
def one_too_few(draw):
    """one frame too few for a long text"""
    question = _asked(draw, 29, 12, 25, doubled=5)
    return arguments(*question.args)


@_valued("large values")
def very_sure(draw):
    """frames so sure of themselves that probabilities round to 0"""
    return _asked(draw, 8, 5, 3, scale=60.0)


@_valued("large values", atol=1e-2)  # PyTorch's own float32 gradient is no better
def almost_impossible(draw):
    """frames so sure of the blank that the text has a logarithm of about −12,000"""
    one, two = draw.sample([1, 2, 3], 2)
    logits = draw.normal(12, 4)
    logits[:, 0] += 1000
    return arguments(logits.log_softmax(-1), torch.tensor([one, two] * 6))


@_valued("large values", practice=False)
def sure_and_wrong(draw):
    """a model that is sure of something else"""
    return arguments(_saying(draw, [1] * 12, 5, loud=80.0), torch.tensor(_labels(draw, 4, 5)))


@_valued("long", practice=False, seconds=3.0, atol=1e-3)
def a_spoken_sentence(draw):
    """90 frames, 28 classes, what a trained model says"""
    target = _labels(draw, 20, 28, doubled=2)
    return arguments(_saying(draw, _spell(draw, target, 90), 28, loud=6.0), torch.tensor(target))


def _bunched(draw: Draw, frames: int, spoken: int, labels: int, doubled: int, late: bool):
    """A sentence that is said within its first or its last frames; elsewhere nothing but blanks."""
    target = _labels(draw, labels, 29, doubled)
    path, silence = _spell(draw, target, spoken), [0] * (frames - spoken)
    return arguments(_saying(draw, silence + path if late else path + silence, 29, loud=6.0), torch.tensor(target))


@_valued("long", practice=False, seconds=3.0, atol=1e-3)
def said_at_the_end(draw):
    """170 frames, all labels in the last third"""
    return _bunched(draw, 170, 55, 44, 3, late=True)


@_valued("long", practice=False, seconds=3.0, atol=1e-3)
def said_at_the_beginning(draw):
    """400 frames, all 60 labels in the first 100"""
    return _bunched(draw, 400, 100, 56, 4, late=False)


@_valued("long", practice=False, seconds=3.0, atol=1e-3)
def said_very_late(draw):
    """400 frames, all 60 labels in the last 100"""
    return _bunched(draw, 400, 100, 56, 4, late=True)


@_valued("long", seconds=3.0, atol=5e-3)
def eight_seconds(draw):
    """400 frames, 60 labels: well under a second"""
    return _asked(draw, 400, 29, 55, doubled=5)


for make, practice, seconds, atol in _slopes:
    add_property = ctc_log_likelihood.property_case if practice else ctc_log_likelihood.hidden_property_case
    add_property(_gradient_of(make, atol), group="gradient", seconds=seconds)


def _forward(
    log_probs,
    target,
    blank=0,
    *,
    stay: bool = True,
    skips: str = "right",
    starts: tuple[int, ...] = (0, 1),
    ends: tuple[int, ...] = (-1, -2),
    best: bool = False,
    first_emission: bool = True,
    floor: float = FLOOR,
):
    """The forward recursion with one thing changed."""
    states = torch.tensor(_with_blanks(target.tolist(), blank))
    size = len(states)
    allowed = torch.zeros(size, dtype=torch.bool)
    if skips == "right":
        allowed[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    elif skips == "over repeats":
        allowed[2:] = states[2:] != blank
    elif skips == "all":
        allowed[2:] = states[2:] != states[:-2]
        allowed[2::2] = True
    emissions = log_probs[:, states]
    alpha = torch.full_like(emissions[0], floor)
    first = [state for state in starts if state < size]
    alpha[first] = emissions[0, first] if first_emission else 0.0
    gone = alpha.new_full((2,), floor)
    for row in emissions[1:]:
        shifted = torch.cat([gone, alpha])
        skipping = torch.where(allowed, shifted[:-2], floor)
        ways = [shifted[1:-1], skipping, *([alpha] if stay else [])]
        alpha = (torch.stack(ways).amax(0) if best else torch.stack(ways).logsumexp(0)) + row
    final = alpha[[end for end in ends if -end <= size]]
    total = final.amax() if best else final.logsumexp(0)
    return torch.where(total < floor / 2, -math.inf, total) if math.isfinite(floor) else total


@ctc_log_likelihood.misconception(
    "It is computed in float32, whatever comes in.",
    hint="Does `.float()`, or a tensor made without a dtype, stand somewhere on the way?",
)
def in_single_precision(log_probs, target, blank=0):
    return _forward(log_probs.float(), target, blank).to(log_probs.dtype)


@ctc_log_likelihood.misconception(
    "It may jump from a label to an equal one without a blank: then *ll* is said in two frames.",
    hint="To which state may you jump over a blank, and when is the label two places back the same?",
)
def skips_over_repeats(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, skips="over repeats")


@ctc_log_likelihood.misconception(
    "It never jumps over a blank, so every text needs blanks between all its labels.",
    hint="`a b` has no blank and spells *ab*. From which third state can a label be reached?",
)
def never_skips(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, skips="none")


@ctc_log_likelihood.misconception(
    "It jumps from blank to blank: a label can be left out.",
    hint="Which states may be reached from two places back: labels, blanks, or both?",
)
def skips_over_labels(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, skips="all")


@ctc_log_likelihood.misconception(
    "Only paths that end in the last label are counted; a path may also end in the blank after it.",
    hint="Which two states may a path end in?",
)
def ends_in_the_label(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, ends=(-2,) if len(target) else (-1,))


@ctc_log_likelihood.misconception(
    "Only paths that end in a blank are counted; a path may also end in the last label.",
    hint="Which two states may a path end in?",
)
def ends_in_the_blank(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, ends=(-1,))


@ctc_log_likelihood.misconception(
    "Every path begins with a blank; it may also begin with the first label.",
    hint="Which two states may the first frame be in?",
)
def begins_with_a_blank(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, starts=(0,))


@ctc_log_likelihood.misconception(
    "Every path begins with the first label; it may also begin with a blank.",
    hint="Which two states may the first frame be in?",
)
def begins_with_the_label(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, starts=(1,) if len(target) else (0,))


@ctc_log_likelihood.misconception(
    "It takes the likeliest path; asked for is the sum over all of them.",
    hint="Where several ways lead to a state, do their probabilities compete or add up?",
)
def best_path_only(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, best=True)


@ctc_log_likelihood.misconception(
    "The stand-in for −∞ is not far enough away: real log-probabilities come near it.",
    hint="A thousand frames of ln y = −100 each: how small is the sum? What can a float32 hold?",
)
def floor_too_near(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, floor=-1e4)


@ctc_log_likelihood.misconception(
    "It multiplies probabilities: after some hundred frames, or a few sure ones, float32 rounds them to 0.",
    hint="Add logarithms instead. What is the logarithm of a sum of exponentials called in torch?",
)
def in_probabilities(log_probs, target, blank=0):
    states = torch.tensor(_with_blanks(target.tolist(), blank))
    jumps = torch.zeros(len(states), dtype=log_probs.dtype)
    jumps[2:] = ((states[2:] != blank) & (states[2:] != states[:-2])).to(log_probs.dtype)
    emissions = log_probs.exp()[:, states]
    start = (torch.arange(len(states)) < 2).to(log_probs.dtype)
    alpha = emissions[0] * start
    for row in emissions[1:]:
        shifted = functional.pad(alpha, (2, 0))
        alpha = row * (alpha + shifted[1:-1] + jumps * shifted[:-2])
    return alpha[-2:].sum().log()


@ctc_log_likelihood.misconception(
    "A path cannot stay in a state: every frame must move on.",
    hint="A vowel lasts ten frames. From which three places can a state be reached?",
)
def never_stays(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, stay=False)


@ctc_log_likelihood.misconception(
    "The blank is always taken to be class 0.",
    hint="What is the third argument for?",
)
def class_zero_is_blank(log_probs, target, blank=0):
    return _forward(log_probs, target)


@ctc_log_likelihood.misconception(
    "−∞ inside logsumexp: the value is right, and its gradient is NaN, because −∞ − (−∞) is no number.",
    hint="Put a large negative number in place of −∞ on the way, and −∞ only at the very end.",
)
def gradient_of_infinity(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, floor=-math.inf)


@ctc_log_likelihood.misconception(
    "Where no path exists, a large negative number comes back instead of −∞.",
    hint="What is the logarithm of probability 0? Put it in at the end.",
)
def floor_comes_back(log_probs, target, blank=0):
    states = _with_blanks(target.tolist(), blank)
    if len(log_probs) >= _frames_needed(target.tolist()):
        return _forward(log_probs, target, blank)
    return log_probs[0, states[0]] * 0 + FLOOR


@ctc_log_likelihood.misconception(
    "The sign is that of the loss; asked for is the log-likelihood, which is at most 0.",
    hint="The logarithm of a probability: can it be positive?",
)
def the_loss(log_probs, target, blank=0):
    return -_forward(log_probs, target, blank)


@ctc_log_likelihood.misconception(
    "`F.ctc_loss` divides by the number of labels if it is not told otherwise.",
    hint="Its `reduction` is 'mean' at first. Which one leaves the number as it is?",
)
def mean_of_the_library(log_probs, target, blank=0):
    return -functional.ctc_loss(log_probs[:, None], target[None], [len(log_probs)], [len(target)], blank=blank)


@ctc_log_likelihood.misconception(
    "`F.ctc_loss` gives the right number, but its gradient is NaN where no path exists.",
    hint="When does no path fit? Return −∞ there without a NaN in its gradient.",
)
def nan_of_the_library(log_probs, target, blank=0):
    return mean_of_the_library(log_probs, target, blank) * max(len(target), 1)


@ctc_log_likelihood.misconception(
    "`F.ctc_loss` divides by the number of labels if it is not told otherwise.",
    hint="Its `reduction` is 'mean' at first. Which one leaves the number as it is?",
)
def mean_of_the_library_without_nan(log_probs, target, blank=0):
    return _ctc(log_probs, target, blank) / max(len(target), 1)


@ctc_log_likelihood.misconception(
    "Where no path exists, `zero_infinity=True` gives 0; the logarithm of probability 0 is −∞.",
    hint="What does exp(0) say about a text that cannot be?",
)
def zero_for_infinity(log_probs, target, blank=0):
    value = _ctc(log_probs, target, blank)
    return value if value > -math.inf else 0 * log_probs.sum()


@ctc_log_likelihood.misconception(
    "The result is divided by the number of labels, as `reduction='mean'` does it.",
    hint="Asked for is the logarithm of one probability. Must it be averaged?",
)
def for_each_label(log_probs, target, blank=0):
    return _forward(log_probs, target, blank) / max(len(target), 1)


@ctc_log_likelihood.misconception(
    "The result is divided by the number of frames.",
    hint="Asked for is the logarithm of one probability. Must it be averaged?",
)
def for_each_frame(log_probs, target, blank=0):
    return _forward(log_probs, target, blank) / len(log_probs)


@ctc_log_likelihood.misconception(
    "The first frame's probability is left out.",
    hint="How likely is it that the first frame is a blank? Is that in your first row?",
)
def first_frame_is_free(log_probs, target, blank=0):
    return _forward(log_probs, target, blank, first_emission=False)


@ctc_log_likelihood.misconception(
    "It takes two states to begin with for granted: an empty target has only one.",
    hint="How many states has a text without labels?",
)
def needs_a_label(log_probs, target, blank=0):
    return _forward(log_probs, target, blank) + 0 * log_probs[0, target[0]]


@ctc_log_likelihood.alternative
def by_shifting(log_probs, target, blank=0):
    states = torch.full((2 * len(target) + 1,), blank)
    states[1::2] = target
    may_skip = functional.pad((states[2:] != states[:-2]) & (states[2:] != blank), (2, 0))[: len(states)]
    alpha = torch.where(torch.arange(len(states)) < 2, log_probs[0, states], FLOOR)
    for frame in log_probs[1:]:
        two_back = functional.pad(alpha, (2, 0), value=FLOOR)[: len(alpha)]
        one_back = functional.pad(alpha, (1, 0), value=FLOOR)[: len(alpha)]
        alpha = torch.logaddexp(torch.logaddexp(alpha, one_back), torch.where(may_skip, two_back, FLOOR))
        alpha = alpha + frame[states]
    total = alpha[-2:].logsumexp(0)
    return torch.where(total < -1e29, -math.inf, total)


@ctc_log_likelihood.alternative
def backwards(log_probs, target, blank=0):
    """From the last frame to the first, with a matrix of the steps."""
    states = torch.tensor(_with_blanks(target.tolist(), blank))
    place = torch.arange(len(states))
    gap = place[None] - place[:, None]  # from row to column
    jump = (gap == 2) & (states[None] != blank) & (states[None] != states[:, None])
    step = torch.where((gap == 0) | (gap == 1) | jump, 0.0, FLOOR).to(log_probs.dtype)
    beta = torch.where(place >= len(states) - 2, 0.0, FLOOR).to(log_probs.dtype)
    for frame in log_probs[1:].flip(0):
        beta = (step + (beta + frame[states])).logsumexp(1)
    total = (beta + log_probs[0, states])[:2].logsumexp(0)
    return total if total > -1e29 else total.detach() * math.inf + 0 * log_probs.sum()


@ctc_log_likelihood.alternative
def rescaled(log_probs, target, blank=0):
    """Probabilities, brought back to a sum of 1 after every frame, as in Graves et al. 2006."""
    states = torch.tensor(_with_blanks(target.tolist(), blank))
    place = torch.arange(len(states))
    if len(log_probs) < _frames_needed(target.tolist()):
        return torch.where(torch.tensor(True), -math.inf, log_probs.sum())
    jumps = functional.pad(((states[2:] != blank) & (states[2:] != states[:-2])).double(), (2, 0))[: len(states)]
    emissions = log_probs.double()[:, states]
    alpha, total = (place < 2).double(), log_probs.new_zeros((), dtype=torch.float64)
    left = 2 * (len(log_probs) - 1) + 2  # states that can still reach the end
    for time, row in enumerate(emissions):
        if time:
            shifted = functional.pad(alpha, (2, 0))
            alpha = alpha + shifted[1:-1] + jumps * shifted[:-2]
        reachable = (alpha > 0) & (place >= len(states) - left + 2 * time)
        peak = row[reachable].max().detach()
        alpha = torch.where(reachable, alpha * torch.where(reachable, row - peak, 0.0).exp(), 0.0)
        total = total + peak + alpha.sum().log()
        alpha = alpha / alpha.sum()
    return (total + alpha[-2:].sum().log()).to(log_probs.dtype)


# --------------------------------------------------------------------------------------------------- greedy_decode


@exercise(unit=UNIT)
def greedy_decode(log_probs, lengths, blank=0):
    paths = log_probs.argmax(-1).tolist()
    return [
        [span.token for span in _spans(path[:length], blank)]
        for path, length in zip(paths, lengths.tolist(), strict=True)
    ]


def _batch(
    draw: Draw, lengths: list[int], classes: int, labels: int, doubled: int = 0, blank: int = 0, frames: int = 0
):
    """A batch of clear recordings; what follows them is other speech."""
    frames = frames or max(lengths)
    rows = []
    for length in lengths:
        said = _labels(draw, labels, classes, doubled, blank)
        while _frames_needed(said) > length:
            said = said[1:]
        path = _spell(draw, said, length, blank) + draw.integers(0, classes, frames - length).tolist()
        rows.append(_saying(draw, path, classes))
    return arguments(torch.stack(rows), torch.tensor(lengths), **({"blank": blank} if blank else {}))


@greedy_decode.case
def two_recordings(draw):
    """two recordings of different lengths"""
    return _batch(draw, [5, 9], 4, 3)


@greedy_decode.case
def doubled_letters(draw):
    """letters that are doubled, three recordings"""
    return _batch(draw, [12, 7, 10], 6, 3, doubled=2)


@greedy_decode.hidden_case
def as_in_the_notebook(draw):
    """four recordings of up to 400 frames, 29 classes"""
    return _batch(draw, [draw.integer(150, 300), 400, draw.integer(250, 390), 120], 29, 40, doubled=5)


@greedy_decode.hidden_case
def one_recording(draw):
    """a batch of one"""
    return _batch(draw, [11], 5, 4, doubled=1)


@greedy_decode.case(group="padding")
def padding_of_any_kind(draw):
    """frames after the end hold numbers of any size"""
    question = _batch(draw, [4, 8, 6], 5, 3)
    log_probs, lengths = question.args
    for row, length in zip(log_probs, lengths.tolist(), strict=True):
        row[length:] = draw.normal(8 - length, 5, scale=1e3)
    return arguments(log_probs, lengths)


@greedy_decode.hidden_case(group="padding")
def padding_after_all(draw):
    """padding after the longest recording, too"""
    return _batch(draw, [6, 3, 9, 5], 7, 3, frames=14)


@greedy_decode.case(group="edge")
def only_blanks(draw):
    """a recording in which nothing is said"""
    log_probs = _saying(draw, [0] * 6, 4)
    other = _saying(draw, _spell(draw, _labels(draw, 2, 4), 6), 4)
    return torch.stack([log_probs, other]), torch.tensor([6, 5])


@greedy_decode.case(group="edge")
def end_meets_beginning(draw):
    """one recording ends with the label that the next begins with"""
    one, two, three = draw.sample([1, 2, 3, 4], 3)
    rows = [[0, one, two], [two, two, three], [three, three, one]]
    return torch.stack([_saying(draw, row, 5) for row in rows]), torch.tensor([3, 3, 3])


@greedy_decode.case(group="doubt")
def less_than_half(draw):
    """frames in which the likeliest class has less than half"""
    return _log_probs(draw, 24, 9, 0.7).reshape(2, 12, 9), torch.tensor([12, 9])


@greedy_decode.hidden_case(group="doubt")
def much_doubt(draw):
    """three recordings of 100 frames in much doubt"""
    lengths = torch.tensor([draw.integer(50, 100), 100, draw.integer(20, 60)])
    return _log_probs(draw, 300, 29, 0.5).reshape(3, 100, 29), lengths


@greedy_decode.hidden_case(group="edge")
def of_one_frame(draw):
    """a recording of one frame among longer ones"""
    return _batch(draw, [7, 1, 5], 6, 3)


@greedy_decode.case(group="other blank")
def another_class_is_blank(draw):
    """another class is the blank, and 0 is a label"""
    blank = draw.integer(1, 4)
    rows = [_spell(draw, [0, *_labels(draw, 2, 5, blank=blank), 0], 8, blank) for _ in range(2)]
    return arguments(torch.stack([_saying(draw, row, 5) for row in rows]), torch.tensor([8, 7]), blank=blank)


@greedy_decode.hidden_case(group="other blank")
def blank_is_last(draw):
    """the blank is the last of 29 classes"""
    return _batch(draw, [30, 17, 44], 29, 9, doubled=2, blank=28)


def _greedy(log_probs, lengths, blank=0, *, gather=_merge) -> list[list[int]]:
    paths = log_probs.argmax(-1).tolist()
    return [gather(path[:length], blank) for path, length in zip(paths, lengths.tolist(), strict=True)]


@greedy_decode.misconception(
    "It decodes the padding, too: frames after the end of a recording are nobody's speech.",
    hint="Row b has `lengths[b]` real frames. Where are the others left out?",
)
def padding_decoded(log_probs, lengths, blank=0):
    return [_merge(path, blank) for path in log_probs.argmax(-1).tolist()]


@greedy_decode.misconception(
    "All recordings are cut at the length of the first.",
    hint="Row b has `lengths[b]` real frames.",
)
def length_of_the_first(log_probs, lengths, blank=0):
    return [_merge(path[: lengths[0]], blank) for path in log_probs.argmax(-1).tolist()]


@greedy_decode.misconception(
    "The last real frame is left out.",
    hint="With a length of 3, frames 0, 1 and 2 are real. What does `[:length]` give?",
)
def one_frame_short(log_probs, lengths, blank=0):
    return _greedy(log_probs, lengths - 1, blank)


@greedy_decode.misconception(
    "The best path is returned as it is: nothing is collapsed.",
    hint="A path has a label for each frame. How does a text come of it?",
)
def path_as_it_is(log_probs, lengths, blank=0):
    return _greedy(log_probs, lengths, blank, gather=lambda path, blank: list(path))


@greedy_decode.misconception(
    "Only blanks are dropped; labels that are held for several frames are written several times.",
    hint="Collapsing has two steps. Which is missing?",
)
def holds_written_out(log_probs, lengths, blank=0):
    return _greedy(log_probs, lengths, blank, gather=repeats_kept)


@greedy_decode.misconception(
    "Only repeats are merged; the blanks stay.",
    hint="Collapsing has two steps. Which is missing?",
)
def blanks_written_out(log_probs, lengths, blank=0):
    return _greedy(log_probs, lengths, blank, gather=blanks_kept)


@greedy_decode.misconception(
    "Blanks are dropped before repeats are merged, so that doubled letters are lost.",
    hint="What is the blank between two equal letters for? Which step comes first?",
)
def doubles_lost(log_probs, lengths, blank=0):
    return _greedy(log_probs, lengths, blank, gather=blanks_first)


@greedy_decode.misconception(
    "The blank is always class 0.",
    hint="What is the third argument for?",
)
def blank_zero(log_probs, lengths, blank=0):
    return _greedy(log_probs, lengths)


@greedy_decode.misconception(
    "All recordings come back as one list.",
    hint="One list for each recording: how long should the outer list be?",
)
def one_list_for_all(log_probs, lengths, blank=0):
    return [label for labels in _greedy(log_probs, lengths, blank) for label in labels]


@greedy_decode.misconception(
    "The memory of the frame before is carried from one recording into the next.",
    hint="A recording's first label has nothing before it. Where is your 'label before' set back?",
)
def memory_carried_over(log_probs, lengths, blank=0):
    before, texts = None, []
    for path, length in zip(log_probs.argmax(-1).tolist(), lengths.tolist(), strict=True):
        texts.append([])
        for label in path[:length]:
            if label not in (before, blank):
                texts[-1].append(label)
            before = label
    return texts


@greedy_decode.misconception(
    "It looks for the likeliest frame of each label; asked for is the likeliest label of each frame.",
    hint="Over which dimension does your argmax go? `log_probs` is (batch, time, class).",
)
def over_time(log_probs, lengths, blank=0):
    return _greedy(log_probs.mT, lengths, blank)


@greedy_decode.alternative
def frame_by_frame(log_probs, lengths, blank=0):
    texts = []
    for recording, length in zip(log_probs, lengths, strict=True):
        text, before = [], blank
        for frame in recording[:length]:
            label = int(frame.argmax())
            if label not in (blank, before):
                text.append(label)
            before = label
        texts.append(text)
    return texts


@greedy_decode.alternative
def by_masks(log_probs, lengths, blank=0):
    best = log_probs.argmax(-1)
    fresh = torch.ones_like(best, dtype=torch.bool)
    fresh[:, 1:] = best[:, 1:] != best[:, :-1]
    real = torch.arange(best.shape[1]) < lengths[:, None]
    return [row[keep].tolist() for row, keep in zip(best, fresh & real & (best != blank), strict=True)]


# ---------------------------------------------------------------------------------------------- beam_search_decode


def _every_labelling(log_probs: torch.Tensor, blank: int) -> dict[tuple[int, ...], float]:
    """The log-probability of every labelling, by trying every path."""
    frames, classes = log_probs.shape
    paths = torch.cartesian_prod(*[torch.arange(classes)] * frames).reshape(-1, frames)
    scores = log_probs.double()[torch.arange(frames), paths].sum(1).exp()
    totals: dict[tuple[int, ...], float] = defaultdict(float)
    for path, score in zip(paths.tolist(), scores.tolist(), strict=True):
        totals[tuple(_merge(path, blank))] += score
    return {labels: math.log(total) for labels, total in totals.items()}


def _log_add(*numbers: float) -> float:
    peak = max(numbers)
    return peak if peak == -math.inf else peak + math.log(sum(math.exp(number - peak) for number in numbers))


def _beam(
    log_probs,
    beam_width,
    blank=0,
    *,
    repeats: str = "right",
    rank=lambda labels, scores: _log_add(*scores),
    final=None,
    by_state: bool = False,
    empty: bool = True,
    gather=_log_add,
):
    """Prefix beam search in plain Python, with one thing changed. Scores: paths that end in a blank, in a label."""
    beam: dict[tuple[int, ...], list[float]] = {(): [0.0, -math.inf]}
    for frame in log_probs.double().tolist():
        new: dict = defaultdict(lambda: [[], []])
        for labels, (in_blank, in_label) in beam.items():
            both = _log_add(in_blank, in_label)
            new[labels][0].append(both + frame[blank])
            for label, score in enumerate(frame):
                if label == blank:
                    continue
                again = labels[-1:] == (label,)
                if not again or repeats in ("doubled", "doubled and merged"):
                    new[*labels, label][1].append(both + score)
                elif repeats in ("right", "no stay"):
                    new[*labels, label][1].append(in_blank + score)
                if again and repeats != "no stay":
                    new[labels][1].append((both if repeats in ("merged", "doubled and merged") else in_label) + score)
        scored = {labels: [gather(-math.inf, *ways) for ways in parts] for labels, parts in new.items()}
        if by_state:
            entries = [(score, labels, end) for labels, pair in scored.items() for end, score in enumerate(pair)]
            beam = {}
            for score, labels, end in sorted(entries, reverse=True)[:beam_width]:
                beam.setdefault(labels, [-math.inf, -math.inf])[end] = score
        else:
            kept = sorted(scored, key=lambda labels: rank(labels, scored[labels]), reverse=True)[:beam_width]
            beam = {labels: scored[labels] for labels in kept}
    final = final or (lambda labels, scores: _log_add(*scores))
    choices = [labels for labels in beam if labels or empty] or [()]
    best = max(choices, key=lambda labels: final(labels, beam[labels]))
    return list(best), _log_add(*beam[best])


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-5, rtol=1e-5))
def beam_search_decode(log_probs, beam_width, blank=0):
    """Every path where the beam is wide enough to lose none, else the search as it is defined."""
    frames, classes = log_probs.shape
    if classes**frames <= 1024 and beam_width >= classes**frames:
        totals = _every_labelling(log_probs, blank)
        best = max(totals, key=totals.__getitem__)
        return list(best), totals[best]
    return _beam(log_probs, beam_width, blank)


def _telling(make, *others, width: int):
    """Draw until the search's answer differs from all the others', and no tie is near."""
    while True:
        log_probs = make()
        right = _beam(log_probs, width)
        if all(other(log_probs)[0] != right[0] for other in others):
            return log_probs, width


@beam_search_decode.case
def better_than_the_best_path(draw):
    """two frames in which the best path spells nothing, and a label is likelier"""
    share = draw.uniform(low=0.31, high=0.48).item()
    return torch.tensor([[1 - share, share]] * 2).log(), 8


@beam_search_decode.case
def four_frames(draw):
    """four frames, three classes, a beam that loses nothing"""
    return _telling(lambda: _log_probs(draw, 4, 3, 0.8), lambda p: best_path(p, 100), width=100)


@beam_search_decode.hidden_case
def five_frames(draw):
    """five frames, four classes, a beam that loses nothing"""
    return _telling(lambda: _log_probs(draw, 5, 4, 0.8), lambda p: best_path(p, 9), width=2_000)


@beam_search_decode.case(group="repeats")
def said_twice(draw):
    """a label, a blank, the label again"""
    label = draw.integer(1, 4)
    return _saying(draw, [label, label, 0, label], 4, loud=2.5, noise=0.3), 300


@beam_search_decode.case(group="repeats")
def held_for_long(draw):
    """a label held for several frames"""
    label = draw.integer(1, 4)
    return _saying(draw, [label] * 4, 4, loud=2.0, noise=0.3), 300


@beam_search_decode.hidden_case(group="repeats")
def held_and_sure(draw):
    """a label held for several frames, without a doubt"""
    return _saying(draw, [draw.integer(1, 4)] * 4, 4, loud=8.5, noise=0.3), 300


@beam_search_decode.hidden_case(group="repeats")
def doubts_about_a_double(draw):
    """doubled or held: the sum decides"""
    path = [1, 1, 0, 1, 1]
    return _saying(draw, path, 3, loud=draw.uniform(low=0.8, high=1.6).item(), noise=0.2), 300


@beam_search_decode.case(group="narrow beam")
def a_beam_of_two(draw):
    """a beam of two that drops what would have won"""
    return _telling(
        lambda: _log_probs(draw, 5, 4, 0.8),
        lambda p: _beam(p, 2_000),
        lambda p: by_entries(p, 2),
        width=2,
    )


@beam_search_decode.hidden_case(group="narrow beam")
def a_beam_of_one(draw):
    """a beam of one"""
    return _telling(lambda: _log_probs(draw, 6, 4, 0.9), lambda p: _beam(p, 60), width=1)


@beam_search_decode.hidden_case(group="narrow beam")
def a_beam_of_three(draw):
    """a beam of three"""
    return _telling(
        lambda: _log_probs(draw, 7, 5, 0.9),
        lambda p: _beam(p, 60),
        lambda p: ranked_by_the_label(p, 3),
        width=3,
    )


@beam_search_decode.case(group="edge")
def nothing_is_likeliest(draw):
    """nothing but blanks: an empty list"""
    return _saying(draw, [0] * 4, 4, loud=3.0, noise=0.3), 300


@beam_search_decode.case(group="edge")
def a_single_frame(draw):
    """one frame"""
    return _saying(draw, [draw.integer(1, 5)], 5, loud=1.5), 10


@beam_search_decode.case(group="edge")
def the_blank_is_elsewhere(draw):
    """another class is the blank, and 0 is a label"""
    blank = draw.integer(1, 4)
    return arguments(_saying(draw, [0, blank, 0, 0], 4, loud=2.0, noise=0.4), 300, blank=blank)


@beam_search_decode.hidden_case(group="edge")
def blank_at_the_end(draw):
    """the last of eight classes is the blank"""
    said = _labels(draw, 3, 8, 1, blank=7)
    return _saying(draw, _spell(draw, said, 9, 7), 8, loud=3.0), 12, 7


@beam_search_decode.hidden_case(group="long")
def a_sentence(draw):
    """a sentence of 110 frames, 29 classes, a beam of eight"""
    said = _labels(draw, 22, 29, doubled=3)
    return _saying(draw, _spell(draw, said, 110), 29, loud=5.0), 8


@beam_search_decode.case(group="long")
def very_many_frames(draw):
    """400 frames of much doubt: probabilities would round to 0"""
    said = _labels(draw, 60, 29, doubled=6)
    while True:  # rounding must not decide
        log_probs = _saying(draw, _spell(draw, said, 400), 29, loud=0.8, noise=0.5)
        rounded = log_probs + draw.uniform(400, 29, low=-1e-5, high=1e-5)
        if _beam(log_probs, 3)[0] == _beam(rounded, 3)[0]:
            return log_probs, 3


@beam_search_decode.misconception(
    "It returns the best path's labelling and the best path's probability: paths with the same text are not added up.",
    hint="Which paths spell *a* in two frames? Their probabilities belong together.",
)
def best_path(log_probs, beam_width, blank=0):
    best, path = log_probs.double().max(-1)
    return _merge(path.tolist(), blank), float(best.sum())


@beam_search_decode.misconception(
    "The score is right for the labelling, but the labelling is the best path's.",
    hint="Another text may collect more probability from many paths than the one best path has.",
)
def greedy_with_its_likelihood(log_probs, beam_width, blank=0):
    labels = best_path(log_probs, beam_width, blank)[0]
    return labels, float(_forward(log_probs.double(), torch.tensor(labels, dtype=torch.int64), blank))


@beam_search_decode.misconception(
    "A doubled label may follow from paths that end in the label itself; without a blank between them it is held, "
    "not said again.",
    hint="From which of the two scores of a prefix may the same label be added once more?",
)
def doubles_without_a_blank(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, repeats="doubled")


@beam_search_decode.misconception(
    "A prefix does not keep the paths that hold its last label for another frame.",
    hint="`a a` spells *a*. Where do the paths go that end in the label and meet it again?",
)
def never_holds(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, repeats="no stay")


@beam_search_decode.misconception(
    "A label after itself is always merged, even if a blank stands between: no text has doubled letters.",
    hint="One score for each prefix is not enough: keep apart what ends in a blank and what ends in the label.",
)
def one_score_a_prefix(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, repeats="merged")


@beam_search_decode.misconception(
    "Paths that end in a blank and meet the prefix's last label again go nowhere: they say it a second time.",
    hint="`a _ a` spells *aa*. To which prefix does $b \\cdot y(c)$ go?",
)
def second_time_forgotten(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, repeats="held only")


@beam_search_decode.misconception(
    "At the prefix's last label, the whole of b + n goes both ways: paths are counted twice.",
    hint="Which of the two numbers holds the label, and which says it again?",
)
def both_go_both_ways(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, repeats="doubled and merged")


@beam_search_decode.misconception(
    "What comes later overwrites what was there: several prefixes may lead to one, and their paths add up.",
    hint="*a* can come from nothing and from *a* itself. Do you add to the new prefix's number, or assign it?",
)
def overwritten(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, gather=lambda *ways: ways[-1])


@beam_search_decode.misconception(
    "The score is a probability; asked for is its logarithm.",
    hint="Is your score negative?",
)
def a_probability(log_probs, beam_width, blank=0):
    labels, score = _beam(log_probs, beam_width, blank)
    return labels, math.exp(score)


@beam_search_decode.misconception(
    "The beam's width is ignored, or far more is kept than asked for.",
    hint="After each frame, how many prefixes are left?",
)
def beam_without_an_end(log_probs, beam_width, blank=0):
    return _beam(log_probs, 12 if len(log_probs) > 20 else 5_000, blank)


@beam_search_decode.misconception(
    "A prefix takes two places in the beam, one for paths that end in a blank and one for the others.",
    hint="The beam holds prefixes. By which number of a prefix are they put in order?",
)
def by_entries(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, by_state=True)


@beam_search_decode.misconception(
    "Prefixes are put in order by the paths that end in a label alone.",
    hint="How likely is a prefix? Both of its scores count.",
)
def ranked_by_the_label(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, rank=lambda labels, scores: (scores[1], scores[0]))


@beam_search_decode.misconception(
    "At the end only one of the two scores counts: paths that end in a label.",
    hint="May the last frame be a blank?",
)
def last_frame_is_no_blank(log_probs, beam_width, blank=0):
    labels, _ = _beam(log_probs, beam_width, blank, final=lambda labels, scores: scores[1])
    return labels, _beam_score(log_probs, beam_width, blank, labels)[1]


@beam_search_decode.misconception(
    "The score is divided by the number of labels, so that long texts are preferred.",
    hint="Asked for is the most probable labelling. Is a probability an average?",
)
def score_for_each_label(log_probs, beam_width, blank=0):
    def average(labels, scores):
        return _log_add(*scores) / max(len(labels), 1)

    labels, score = _beam(log_probs, beam_width, blank, final=average)
    return labels, score / max(len(labels), 1)


@beam_search_decode.misconception(
    "An empty text is never an answer.",
    hint="What should be written where nothing was said?",
)
def never_empty(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width, blank, empty=False)


@beam_search_decode.misconception(
    "The blank is always class 0.",
    hint="What is the third argument for?",
)
def zero_is_blank(log_probs, beam_width, blank=0):
    return _beam(log_probs, beam_width)


def _beam_score(log_probs, beam_width, blank, labels) -> list[float]:
    """The two scores of the final prefix."""
    scores: list[float] = []

    def note(prefix, pair):
        if list(prefix) == labels:
            scores[:] = pair
        return _log_add(*pair)

    _beam(log_probs, beam_width, blank, final=note)
    return scores


@beam_search_decode.alternative
def plain_dictionaries(log_probs, beam_width, blank=0):
    nothing = float("-inf")

    def add(a: float, b: float) -> float:
        low, high = sorted((a, b))
        return high if low == nothing else high + math.log1p(math.exp(low - high))

    beam = {(): (0.0, nothing)}
    for frame in log_probs.tolist():
        ahead: dict = {}

        def put(labels, in_blank, in_label, ahead=ahead):
            old = ahead.get(labels, (nothing, nothing))
            ahead[labels] = add(old[0], in_blank), add(old[1], in_label)

        for labels, (in_blank, in_label) in beam.items():
            both = add(in_blank, in_label)
            put(labels, both + frame[blank], nothing)
            for label, score in enumerate(frame):
                if label == blank:
                    continue
                if labels and labels[-1] == label:
                    put(labels, nothing, in_label + score)
                    put((*labels, label), nothing, in_blank + score)
                else:
                    put((*labels, label), nothing, both + score)
        beam = dict(sorted(ahead.items(), key=lambda item: add(*item[1]))[-beam_width:])
    best = max(beam, key=lambda labels: add(*beam[labels]))
    return list(best), add(*beam[best])


@beam_search_decode.alternative
def rescaled_probabilities(log_probs, beam_width, blank=0):
    beam, scale = {(): (1.0, 0.0)}, 0.0
    for frame in log_probs.double().exp().tolist():
        held, fresh = defaultdict(float), defaultdict(float)
        for labels, (in_blank, in_label) in beam.items():
            held[labels] += (in_blank + in_label) * frame[blank]
            for label, share in enumerate(frame):
                same = labels[-1:] == (label,)
                if label != blank:
                    fresh[(*labels, label)] += (in_blank if same else in_blank + in_label) * share
                    fresh[labels] += in_label * share if same else 0.0
        both = {labels: held[labels] + fresh[labels] for labels in {**held, **fresh}}
        kept = sorted(both, key=both.__getitem__, reverse=True)[:beam_width]
        total = sum(both[labels] for labels in kept)
        scale += math.log(total)
        beam = {labels: (held[labels] / total, fresh[labels] / total) for labels in kept}
    best = max(beam, key=lambda labels: sum(beam[labels]))
    return list(best), scale + math.log(sum(beam[best]))


# ---------------------------------------------------------------------------------------------------- forced_align


@exercise(
    unit=UNIT,
)
def forced_align(log_probs, target, blank=0):
    from torchaudio.functional import forced_align as library

    if not len(target):
        return [blank] * len(log_probs)
    if len(log_probs) < _frames_needed(target.tolist()):
        raise ValueError("no path of this length collapses to the target")
    return library(log_probs[None].contiguous(), target[None], blank=blank)[0][0].tolist()


def _unsure(draw: Draw, frames: int, classes: int, labels: int, doubled: int = 0, blank: int = 0):
    """A model in doubt about a text that was said."""
    said = _labels(draw, labels, classes, doubled, blank)
    log_probs = _saying(draw, _spell(draw, said, frames, blank), classes, loud=1.5)
    return arguments(log_probs, torch.tensor(said, dtype=torch.int64), **({"blank": blank} if blank else {}))


def _where(draw: Draw, path: list[int], classes: int, target: list[int]):
    """A model that is sure of this path."""
    return arguments(_saying(draw, path, classes, loud=6.0), torch.tensor(target))


@forced_align.case
def a_word(draw):
    """three labels in nine frames"""
    return _unsure(draw, 9, 5, 3)


@forced_align.case
def another_text_is_likelier(draw):
    """a model that hears another text"""
    return arguments(_log_probs(draw, 10, 5), torch.tensor(_labels(draw, 4, 5)))


@forced_align.hidden_case
def a_longer_word(draw):
    """eight labels, two of them doubled"""
    return _unsure(draw, 25, 9, 6, doubled=2)


@forced_align.case(group="repeats")
def a_double(draw):
    """a doubled label needs a blank between"""
    return arguments(_log_probs(draw, 6, 4), torch.tensor(_labels(draw, 2, 4, doubled=1)))


@forced_align.hidden_case(group="repeats")
def three_equal(draw):
    """the same label three times"""
    return arguments(_log_probs(draw, 9, 4), torch.tensor([draw.integer(1, 4)] * 3))


@forced_align.case(group="edge")
def labels_at_both_ends(draw):
    """a path that begins and ends with labels"""
    one, two = draw.sample([1, 2, 3], 2)
    return _where(draw, [one, one, 0, two, two], 4, [one, two])


@forced_align.case(group="edge")
def blanks_at_both_ends(draw):
    """a path that begins and ends with blanks"""
    one, two = draw.sample([1, 2, 3], 2)
    return _where(draw, [0, 0, one, two, 0, 0], 4, [one, two])


@forced_align.case(group="edge")
def not_one_frame_too_many(draw):
    """exactly as many frames as the target needs"""
    return _unsure(draw, 6, 6, 4, doubled=1)


@forced_align.case(group="edge")
def align_nothing(draw):
    """an empty target: every frame is blank"""
    return _log_probs(draw, 5, 4), torch.zeros(0, dtype=torch.int64)


@forced_align.case(group="edge")
def align_nothing_with_another_blank(draw):
    """an empty target, another class is the blank"""
    return arguments(_log_probs(draw, 6, 5), torch.zeros(0, dtype=torch.int64), blank=draw.integer(1, 5))


@forced_align.case(group="edge")
def align_with_another_blank(draw):
    """another class is the blank, and 0 is a label"""
    blank = draw.integer(1, 4)
    said = [0, *_labels(draw, 2, 5, blank=blank)]
    log_probs = _saying(draw, _spell(draw, said, 9, blank), 5, loud=1.5)
    return arguments(log_probs, torch.tensor(said), blank=blank)


@forced_align.hidden_case(group="edge")
def align_one_frame(draw):
    """one frame, one label"""
    return _unsure(draw, 1, 5, 1)


@forced_align.hidden_case(group="edge")
def align_with_the_last_class(draw):
    """the blank is the last of 29 classes"""
    return _unsure(draw, 40, 29, 9, doubled=2, blank=28)


@forced_align.case(group="errors")
def more_labels_than_frames(draw):
    """more labels than frames"""
    return _unsure_but_short(draw, 3, 5, 0)


@forced_align.case(group="errors")
def no_room_for_a_blank(draw):
    """no room for the blank between two equal labels"""
    return _unsure_but_short(draw, 4, 3, 1)


@forced_align.hidden_case(group="errors")
def a_text_too_long(draw):
    """a long text that needs one frame more"""
    return _unsure_but_short(draw, 49, 45, 3)


def _unsure_but_short(draw: Draw, frames: int, labels: int, doubled: int):
    said = _labels(draw, labels, 12, doubled)
    while _frames_needed(said) != frames + 1 and frames > 10:
        said = _labels(draw, labels, 12, doubled)
        frames = _frames_needed(said) - 1
    return _log_probs(draw, frames, 12), torch.tensor(said)


@forced_align.case(group="long")
def align_a_sentence(draw):
    """170 frames, 28 classes: a sentence"""
    return _unsure(draw, 170, 28, 50, doubled=4)


@forced_align.hidden_case(group="long")
def align_from_the_first_frame(draw):
    """200 frames that begin and end with labels, without a doubt"""
    target = _labels(draw, 40, 29, doubled=4)
    inner = _spell(draw, target, 190)
    first = next(place for place, label in enumerate(inner) if label)
    last = max(place for place, label in enumerate(inner) if label)
    path = [target[0]] * 5 + inner[first : last + 1] + [target[-1]] * 5
    return arguments(_saying(draw, path, 29), torch.tensor(target))


@forced_align.hidden_case(group="long")
def align_said_at_the_end(draw):
    """170 frames, all labels in the last third"""
    return _bunched(draw, 170, 55, 44, 3, late=True)


@forced_align.hidden_case(group="long")
def align_said_at_the_beginning(draw):
    """400 frames, all 60 labels in the first 100"""
    return _bunched(draw, 400, 100, 56, 4, late=False)


@forced_align.hidden_case(group="long")
def align_said_very_late(draw):
    """400 frames, all 60 labels in the last 100"""
    return _bunched(draw, 400, 100, 56, 4, late=True)


@forced_align.hidden_case(group="long")
def align_eight_seconds(draw):
    """400 frames, 60 labels, much doubt: probabilities would round to 0"""
    return arguments(_log_probs(draw, 400, 29), torch.tensor(_labels(draw, 55, 29, doubled=5)))


def _viterbi(
    log_probs,
    target,
    blank=0,
    *,
    skips: str = "right",
    starts: tuple[int, ...] = (0, 1),
    ends: tuple[int, ...] = (-1, -2),
    stay: bool = True,
    check=_frames_needed,
    as_states: bool = False,
    late: bool = False,
    forgetful: bool = False,
    summed: bool = False,
):
    """The best path, with one thing changed; plain Python."""
    labels = target.tolist()
    if len(log_probs) < check(labels):
        raise ValueError("no path of this length collapses to the target")
    states, size = _with_blanks(labels, blank), 2 * len(labels) + 1
    rows = [[frame[state] for state in states] for frame in log_probs.double().tolist()]
    scores = [rows[0][state] if state in starts else -math.inf for state in range(size)]
    sources = []
    for row in rows[1:]:
        new, source = [], []
        for state in range(size):
            ways = [state] if stay else []
            if state:
                ways.append(state - 1)
            different = states[state] != blank and (skips == "over repeats" or states[state] != states[state - 2])
            if state > 1 and skips != "none" and different:
                ways.append(state - 2)
            best = max(ways, key=scores.__getitem__, default=state)
            before = _log_add(-math.inf, *[scores[way] for way in ways]) if summed else scores[best]
            source.append(best)
            new.append((0.0 if forgetful and before > -math.inf else before) + row[state])
        scores = new
        sources.append(source)
    final = max((end % size for end in ends if -end <= size), key=scores.__getitem__)
    path = [final]
    for source in reversed(sources):
        path.append(source[path[-1]])
    path = path[::-1]
    if late:
        path = [path[0], *path[:-1]]
    return path if as_states else [states[state] for state in path]


@forced_align.misconception(
    "The likeliest label of each frame is taken, whatever the text is.",
    hint="Does your path collapse to the target?",
)
def argmax_of_each_frame(log_probs, target, blank=0):
    if len(log_probs) < _frames_needed(target.tolist()):
        raise ValueError
    return log_probs.argmax(-1).tolist()


@forced_align.misconception(
    "It may jump from a label to an equal one: the path says the doubled label once.",
    hint="Collapse your path. Is a label lost where two are equal?",
)
def jumps_over_repeats(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, skips="over repeats")


@forced_align.misconception(
    "It never jumps over a blank, so a blank stands between any two labels.",
    hint="From which third state can a label be reached?",
)
def blanks_everywhere(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, skips="none")


@forced_align.misconception(
    "The path always ends in the last label; it may end in the blank after it.",
    hint="Which two states may the last frame be in?",
)
def always_ends_in_a_label(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, ends=(-2,) if len(target) else (-1,))


@forced_align.misconception(
    "The path always ends in a blank; it may end in the last label.",
    hint="Which two states may the last frame be in?",
)
def always_ends_in_a_blank(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, ends=(-1,))


@forced_align.misconception(
    "The path always begins with a blank; it may begin with the first label.",
    hint="Which two states may the first frame be in?",
)
def always_begins_with_a_blank(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, starts=(0,))


@forced_align.misconception(
    "The path always begins with the first label; it may begin with a blank.",
    hint="Which two states may the first frame be in?",
)
def always_begins_with_a_label(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, starts=(1,) if len(target) else (0,))


@forced_align.misconception(
    "It goes back through the states of a sum: asked for is the single likeliest path, so take the maximum.",
    hint="In the table of a best path, do the ways into a state add up or compete?",
)
def through_the_sums(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, summed=True)


@forced_align.misconception(
    "Each frame looks only at the frame before it: the scores do not add up along the path.",
    hint="A cell holds the score of the best way from the beginning to here, not of the last two frames.",
)
def scores_do_not_add_up(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, forgetful=True)


@forced_align.misconception(
    "The numbers of the states come back; asked for are the labels.",
    hint="State 3 is the second label. Look the states up before you return them.",
)
def numbers_of_states(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, as_states=True)


@forced_align.misconception(
    "The path is one frame late.",
    hint="Which frame does the last state belong to, and which the state that it came from?",
)
def a_frame_late(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, late=True)


@forced_align.misconception(
    "The path is given backwards.",
    hint="You find the last state first. Where should the list begin?",
)
def path_backwards(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank)[::-1]


@forced_align.misconception(
    "A target that does not fit raises no ValueError; only the labels are counted, not the blanks between equals.",
    hint="How many frames does *ll* need?",
)
def only_labels_counted(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, check=len)


@forced_align.misconception(
    "A target that does not fit raises no ValueError.",
    hint="What is the score of the best path where none exists?",
)
def no_check(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank, check=lambda labels: 0)


@forced_align.misconception(
    "The blank is always class 0.",
    hint="What is the third argument for?",
)
def align_around_zero(log_probs, target, blank=0):
    return _viterbi(log_probs, target)


@forced_align.misconception(
    "An empty target gives zeros; it gives blanks, and the blank may be another class.",
    hint="What is the path of a text without labels made of?",
)
def zeros_for_nothing(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank) if len(target) else [0] * len(log_probs)


@forced_align.misconception(
    "The frames are shared out evenly; what was heard makes no difference.",
    hint="Where in your code do `log_probs` decide anything?",
)
def evenly(log_probs, target, blank=0):
    labels, frames = target.tolist(), len(log_probs)
    if frames < _frames_needed(labels):
        raise ValueError
    states = [state for one, other in pairwise([*labels, None]) for state in ([one, blank] if one == other else [one])]
    states = states or [blank]
    return [states[time * len(states) // frames] for time in range(frames)]


@forced_align.alternative
def plain_lists(log_probs, target, blank=0):
    return _viterbi(log_probs, target, blank)


@forced_align.alternative
def with_tensors(log_probs, target, blank=0):
    states = torch.full((2 * len(target) + 1,), blank)
    states[1::2] = target
    skip = functional.pad((states[2:] != blank) & (states[2:] != states[:-2]), (2, 0))[: len(states)]
    place = torch.arange(len(states))
    best = torch.where(place < 2, log_probs[0, states], -math.inf)
    steps = []
    for frame in log_probs[1:]:
        padded = functional.pad(best, (2, 0), value=-math.inf)
        ways = torch.stack([best, padded[1:-1], torch.where(skip, padded[:-2], -math.inf)])
        value, step = ways.max(0)
        best = value + frame[states]
        steps.append(step)
    state = len(states) - 1 - int(len(states) > 1 and best[-2] > best[-1])
    if best[state] == -math.inf:
        raise ValueError("the target does not fit")
    path = [state]
    for step in reversed(steps):
        path.append(path[-1] - int(step[path[-1]]))
    return states[path[::-1]].tolist()


@forced_align.alternative
def by_gradient(log_probs, target, blank=0):
    """The derivative of the best score by each frame's scores is 1 where the best path goes."""
    if len(log_probs) < _frames_needed(target.tolist()):
        raise ValueError("the target does not fit")
    scores = log_probs.double().requires_grad_()
    best = _forward(scores, target, blank, best=True)
    (gradient,) = torch.autograd.grad(best, scores)
    return gradient.argmax(-1).tolist()


# ----------------------------------------------------------------------------------------------- path_to_durations


@exercise(unit=UNIT)
def path_to_durations(path, target, blank=0):
    starts = [0, *[span.start for span in _spans(path, blank)][1:], len(path)]
    return [end - start for start, end in pairwise(starts)]


def _aligned(draw: Draw, labels: int, frames: int, classes: int = 9, doubled: int = 0, blank: int = 0):
    target = _labels(draw, labels, classes, doubled, blank)
    path = _spell(draw, target, frames - 3, blank)
    path = [blank, *path, blank, blank]
    return arguments(path, target, **({"blank": blank} if blank else {}))


@path_to_durations.case
def three_with_blanks(draw):
    """three labels with blanks between them"""
    one, two, three = draw.sample(range(1, 9), 3)
    counts = draw.integers(1, 4, 5).tolist()
    states = [one, 0, two, 0, three]
    return [state for state, count in zip(states, counts, strict=True) for _ in range(count)], [one, two, three]


@path_to_durations.hidden_case
def a_whole_sentence(draw):
    """400 frames, 60 labels"""
    return _aligned(draw, 55, 400, 29, doubled=5)


@path_to_durations.case(group="blanks at the ends")
def blanks_before(draw):
    """blanks before the first label belong to the first"""
    one, two = draw.sample(range(1, 9), 2)
    return [0] * draw.integer(2, 5) + [one, one, two, two, two], [one, two]


@path_to_durations.case(group="blanks at the ends")
def blanks_after(draw):
    """blanks after the last label belong to the last"""
    one, two = draw.sample(range(1, 9), 2)
    return [one, two, two] + [0] * draw.integer(2, 5), [one, two]


@path_to_durations.hidden_case(group="blanks at the ends")
def a_label_alone_among_blanks(draw):
    """a single label among blanks"""
    label = draw.integer(1, 9)
    return [0] * draw.integer(2, 9) + [label] * 2 + [0] * draw.integer(2, 9), [label]


@path_to_durations.case(group="repeats")
def doubled_and_blank_between(draw):
    """a doubled label: two durations"""
    label = draw.integer(1, 9)
    return [label, label, *[0] * draw.integer(1, 4), *[label] * 3], [label, label]


@path_to_durations.case(group="repeats")
def comes_back(draw):
    """a label that comes back later: a duration each time"""
    one, two = draw.sample(range(1, 9), 2)
    return [one, one, two, *[one] * draw.integer(3, 6)], [one, two, one]


@path_to_durations.hidden_case(group="repeats")
def many_repeats(draw):
    """many repeats, near and far"""
    return _aligned(draw, 8, 40, 4, doubled=3)


@path_to_durations.case(group="other blank")
def durations_with_another_blank(draw):
    """another number is the blank, and 0 is a label"""
    blank = draw.integer(2, 9)
    counts = draw.sample(range(1, 8), 5)
    path = [state for state, n in zip([blank, 0, blank, 1, 0], counts, strict=True) for _ in range(n)]
    return arguments(path, [0, 1, 0], blank=blank)


@path_to_durations.case(group="other blank")
def begins_with_label_zero(draw):
    """another number is the blank, and the path begins with the label 0"""
    blank = draw.integer(2, 9)
    counts = draw.sample(range(1, 8), 4)
    path = [state for state, n in zip([0, blank, 1, blank], counts, strict=True) for _ in range(n)]
    return arguments(path, [0, 1], blank=blank)


@path_to_durations.hidden_case(group="other blank")
def durations_with_the_last_class(draw):
    """the last of 29 classes is the blank"""
    return _aligned(draw, 12, 70, 28, doubled=2, blank=28)


def _shares(path: list[int], blank: int) -> tuple[list[int], list[int]]:
    """Frames of each run of a label, and of the blanks before it; the blanks at the end come last in the second."""
    runs, gaps = [], [0]
    for label, run in groupby(path):
        frames = len(list(run))
        if label == blank:
            gaps[-1] += frames
        else:
            runs.append(frames)
            gaps.append(0)
    return runs, gaps


@path_to_durations.misconception(
    "Blanks before the first label are counted for the last: `durations[-1]` is the last entry.",
    hint="Which place is running before the first label, and what does Python take −1 for?",
)
def first_blanks_for_the_last(path, target, blank=0):
    durations = lost_at_the_beginning(path, target, blank)
    durations[-1] += _shares(path, blank)[1][0]
    return durations


@path_to_durations.misconception(
    "Before the first frame a 0 is assumed, so a label 0 at the beginning is not seen.",
    hint="Where 0 is a label, what could stand for 'nothing before'?",
)
def zero_before_the_first(path, target, blank=0):
    durations, place, before = [0] * len(target), -1, 0
    for label in path:
        place += label not in (blank, before)
        durations[max(place, 0)] += 1
        before = label
    return durations


@path_to_durations.misconception(
    "Blank frames belong to nobody, so the durations do not add up to the length of the path.",
    hint="Add up your durations. How many frames has the path?",
)
def blanks_left_out(path, target, blank=0):
    return _shares(path, blank)[0]


@path_to_durations.misconception(
    "Blank frames are given to the label after them; they belong to the label before.",
    hint="To whom belongs the end of a vowel that the recogniser has already written down?",
)
def to_the_label_after(path, target, blank=0):
    runs, gaps = _shares(path, blank)
    durations = [run + gap for run, gap in zip(runs, gaps, strict=False)]
    durations[-1] += gaps[-1]
    return durations


@path_to_durations.misconception(
    "Blanks before the first label are lost.",
    hint="Add up your durations. Who gets the frames before the first label?",
)
def lost_at_the_beginning(path, target, blank=0):
    runs, gaps = _shares(path, blank)
    return [run + gap for run, gap in zip(runs, gaps[1:], strict=True)]


@path_to_durations.misconception(
    "Blanks after the last label are lost.",
    hint="Add up your durations. Who gets the frames after the last label?",
)
def lost_at_the_end(path, target, blank=0):
    durations = path_to_durations_of(path, blank)
    durations[-1] -= _shares(path, blank)[1][-1]
    return durations


def path_to_durations_of(path: list[int], blank: int) -> list[int]:
    durations = lost_at_the_beginning(path, None, blank)
    durations[0] += _shares(path, blank)[1][0]
    return durations


@path_to_durations.misconception(
    "Blank frames are shared between the two neighbours.",
    hint="All blank frames go to one side. To which?",
)
def shared_by_neighbours(path, target, blank=0):
    runs, gaps = _shares(path, blank)
    durations = list(runs)
    for place, gap in enumerate(gaps):
        before = gap if place == len(runs) else gap // 2 if place else 0
        durations[max(place - 1, 0)] += before
        durations[min(place, len(runs) - 1)] += gap - before
    return durations


@path_to_durations.misconception(
    "Frames are counted by label: a label that occurs twice gets all of its frames twice.",
    hint="In *papa*, which frames belong to the first p?",
)
def counted_by_label(path, target, blank=0):
    counts: dict[int, int] = defaultdict(int)
    first = next(label for label in path if label != blank)
    before = first
    for label in path:
        before = before if label == blank else label
        counts[before] += 1
    return [counts[label] for label in target]


@path_to_durations.misconception(
    "Two equal labels with a blank between them are taken for one.",
    hint="When does a new label begin: only if it differs from the label before?",
)
def doubles_taken_for_one(path, target, blank=0):
    durations = path_to_durations_of(path, blank)
    merged: list[int] = []
    labels = _merge(path, blank)
    for place, frames in enumerate(durations):
        if place and labels[place] == labels[place - 1]:
            merged[-1] += frames
        else:
            merged.append(frames)
    return merged


@path_to_durations.misconception(
    "The blank is always 0.",
    hint="What is the third argument for?",
)
def durations_around_zero(path, target, blank=0):
    return path_to_durations_of(path, 0)


@path_to_durations.misconception(
    "These are the places where the labels begin; asked for is how long they last.",
    hint="A duration is the distance from one beginning to the next.",
)
def beginnings(path, target, blank=0):
    durations = path_to_durations_of(path, blank)
    return [sum(durations[:place]) for place in range(len(durations))]


@path_to_durations.misconception(
    "The frames are shared out evenly.",
    hint="Where in your code does the path decide anything?",
)
def all_alike(path, target, blank=0):
    each, rest = divmod(len(path), len(target))
    return [each + (place < rest) for place in range(len(target))]


@path_to_durations.alternative
def frame_after_frame(path, target, blank=0):
    durations, place, before = [0] * len(target), -1, blank
    for label in path:
        if label not in (blank, before):
            place += 1
        durations[max(place, 0)] += 1
        before = label
    return durations


@path_to_durations.alternative
def from_beginnings(path, target, blank=0):
    entries = torch.tensor(path)
    before = functional.pad(entries[:-1], (1, 0), value=blank)
    starts = ((entries != blank) & (entries != before)).nonzero()[:, 0]
    starts[0] = 0
    return torch.cat([starts, torch.tensor([len(path)])]).diff().tolist()
