"""Unit 09 against PyTorch, torchaudio and every path there is, and the numbers that its notebook states."""

import csv
import math
import random
from collections import defaultdict
from itertools import groupby, pairwise, product

import pytest
import torch
import torchaudio
from torch.nn import functional

from grader.audit import solved_functions
from grader.exercises import ctc
from grader.recordings import DATA, recordings
from tests.conftest import ROOT

CASES = 240


@pytest.fixture(scope="module")
def solved():
    return solved_functions(ROOT, "09_ctc")


@pytest.fixture(params=["oracle", "solution"])
def functions(request, solved):
    """The functions by name: the course's oracles, and the notebook's solutions."""
    names = [name for name in solved if hasattr(ctc, name) and hasattr(getattr(ctc, name), "oracle")]
    return {name: getattr(ctc, name) if request.param == "oracle" else solved[name] for name in names}


def questions(seed: int, most_frames: int = 40, most_classes: int = 12):
    """Random log-probabilities (T, C), a target, a blank; some targets do not fit."""
    chance = random.Random(seed)
    torch.manual_seed(seed)
    for _ in range(CASES):
        frames, classes = chance.randint(1, most_frames), chance.randint(2, most_classes)
        blank = chance.choice([0, 0, classes - 1])
        labels = [label for label in range(classes) if label != blank]
        target = chance.choices(labels, k=chance.randint(0, frames))
        scale = chance.choice([0.5, 1.5, 6.0])
        yield torch.randn(frames, classes) * scale, torch.tensor(target, dtype=torch.int64), blank


def every_labelling(log_probs: torch.Tensor, blank: int = 0) -> dict[tuple, float]:
    """The probability of every labelling, path by path."""
    totals: dict[tuple, float] = defaultdict(float)
    table = log_probs.double().exp().tolist()
    for path in product(range(log_probs.shape[1]), repeat=len(log_probs)):
        merged = tuple(label for label, _ in groupby(path) if label != blank)
        totals[merged] += math.prod(table[t][label] for t, label in enumerate(path))
    return totals


FOUR_FRAMES = torch.tensor([[0.2, 0.6, 0.2], [0.3, 0.5, 0.2], [0.5, 0.1, 0.4], [0.2, 0.1, 0.7]])


def test_values_and_gradients_are_torch_s_on_240_random_questions(functions):
    largest_value = largest_gradient = 0.0
    infeasible = 0
    for logits, target, blank in questions(1):
        ours, theirs = logits.double().requires_grad_(), logits.double().requires_grad_()
        value = functions["ctc_log_likelihood"](ours.log_softmax(-1), target, blank)
        lengths = [len(logits)], [len(target)]
        loss = functional.ctc_loss(
            theirs.log_softmax(-1)[:, None], target[None], *lengths, blank=blank, reduction="sum", zero_infinity=True
        )
        (mine,), (wanted,) = torch.autograd.grad(value, ours), torch.autograd.grad(-loss, theirs)
        assert mine.isfinite().all()
        if value == -math.inf:
            infeasible += 1
            assert loss == 0
            assert len(logits) < functions["min_input_length"](target.tolist())
            continue
        largest_value = max(largest_value, abs(value.item() + loss.item()))
        largest_gradient = max(largest_gradient, (mine - wanted).abs().max().item())
    assert 10 < infeasible < CASES // 2
    assert largest_value < 1e-10
    assert largest_gradient < 1e-10


def test_float32_is_within_1e_4_of_torch(functions):
    for logits, target, blank in questions(2):
        log_probs = logits.log_softmax(-1)
        value = functions["ctc_log_likelihood"](log_probs, target, blank)
        assert value.dtype == torch.float32
        lengths = [len(logits)], [len(target)]
        loss = functional.ctc_loss(log_probs[:, None], target[None], *lengths, blank=blank, reduction="sum")
        assert value.item() == pytest.approx(-loss.item(), rel=1e-5, abs=1e-4)


def test_torch_s_gradient_is_right_only_through_log_softmax(solved):
    log_probs = torch.randn(5, 4).log_softmax(-1).requires_grad_()
    target = torch.tensor([1, 2])
    (true,) = torch.autograd.grad(solved["ctc_log_likelihood"](log_probs, target), log_probs)
    loss = functional.ctc_loss(log_probs[:, None], target[None], [5], [2], reduction="sum")
    (torchs,) = torch.autograd.grad(-loss, log_probs)
    assert not torch.allclose(true, torchs, atol=0.01)
    torch.testing.assert_close(true - log_probs.detach().exp(), torchs)


def test_the_gradient_for_the_logits_plus_the_softmax_is_each_class_s_share_of_the_paths(solved):
    torch.manual_seed(10)
    logits = torch.randn(5, 3)
    target = torch.tensor([1, 2])
    share = torch.zeros(5, 3)
    for path in product(range(3), repeat=5):
        if [label for label, _ in groupby(path) if label] == target.tolist():
            probability = logits.softmax(-1)[torch.arange(5), torch.tensor(path)].prod()
            share[torch.arange(5), torch.tensor(path)] += probability
    share /= share.sum(1, keepdim=True)

    def library(log_probs, target):
        return -functional.ctc_loss(log_probs[:, None], target[None], [5], [2], reduction="sum")

    for answer in (
        solved["ctc_log_likelihood"],
        library,
        lambda scores, target: library(scores.log_softmax(-1), target),
    ):
        leaf = logits.clone().requires_grad_()
        (slope,) = torch.autograd.grad(answer(leaf.log_softmax(-1), target), leaf)
        torch.testing.assert_close(slope + logits.softmax(-1), share, atol=1e-5, rtol=1e-4)


def test_the_recursion_is_the_sum_over_every_path(functions):
    torch.manual_seed(3)
    for _ in range(5):
        log_probs = torch.randn(5, 3).log_softmax(-1)
        for labels, probability in every_labelling(log_probs).items():
            value = functions["ctc_log_likelihood"](log_probs, torch.tensor(labels, dtype=torch.int64))
            assert value.exp().item() == pytest.approx(probability, abs=1e-6)


def test_a_wide_beam_finds_what_every_path_finds(functions):
    torch.manual_seed(4)
    for frames, classes, blank in [(4, 3, 0), (5, 3, 2), (5, 4, 0), (6, 3, 1), (1, 5, 0)] * 4:
        log_probs = torch.randn(frames, classes).log_softmax(-1)
        totals = every_labelling(log_probs, blank)
        best = max(totals, key=totals.__getitem__)
        labels, score = functions["beam_search_decode"](log_probs, classes**frames, blank)
        assert labels == list(best)
        assert score == pytest.approx(math.log(totals[best]), abs=1e-6)


def test_the_plain_search_behind_the_oracle_finds_it_too():
    torch.manual_seed(5)
    for _ in range(20):
        log_probs = torch.randn(5, 4).log_softmax(-1)
        totals = every_labelling(log_probs)
        labels, score = ctc._beam(log_probs, 5_000)
        assert tuple(labels) == max(totals, key=totals.__getitem__)
        assert score == pytest.approx(math.log(totals[tuple(labels)]), abs=1e-9)


def test_a_beam_finds_no_more_than_the_likelihood_and_solution_and_oracle_agree(solved):
    torch.manual_seed(6)
    for width in (1, 2, 3, 8) * 5:
        log_probs = (torch.randn(20, 6) * 1.5).log_softmax(-1)
        labels, score = solved["beam_search_decode"](log_probs, width)
        expected, expected_score = ctc.beam_search_decode(log_probs, width)
        assert labels == expected
        assert score == pytest.approx(expected_score, abs=1e-6)
        likelihood = ctc.ctc_log_likelihood(log_probs, torch.tensor(labels, dtype=torch.int64)).item()
        assert score <= likelihood + 1e-5


def test_alignments_are_torchaudio_s_and_collapse_to_the_target(functions):
    compared = 0
    for logits, target, blank in questions(7):
        log_probs = logits.log_softmax(-1)
        if len(logits) < ctc.min_input_length(target.tolist()):
            with pytest.raises(ValueError):
                functions["forced_align"](log_probs, target, blank)
            continue
        path = functions["forced_align"](log_probs, target, blank)
        assert functions["collapse"](path, blank) == target.tolist()
        if len(target):
            theirs, _ = torchaudio.functional.forced_align(log_probs[None], target[None], blank=blank)
            assert path == theirs[0].tolist()
            durations = functions["path_to_durations"](path, target.tolist(), blank)
            assert len(durations) == len(target)
            assert sum(durations) == len(path)
            compared += 1
    assert compared > 100


def test_alignments_are_the_best_of_all_paths(functions):
    torch.manual_seed(8)
    for target in ([1], [1, 2], [1, 1], [2, 1, 2]):
        log_probs = torch.randn(5, 3).log_softmax(-1)
        fitting = [p for p in product(range(3), repeat=5) if [k for k, _ in groupby(p) if k] == target]
        best = max(fitting, key=lambda path: sum(log_probs[t, k].item() for t, k in enumerate(path)))
        assert functions["forced_align"](log_probs, torch.tensor(target)) == list(best)


def test_collapse_and_min_input_length_agree_with_each_other_and_with_brute_force(functions):
    chance = random.Random(9)
    for _ in range(300):
        path = chance.choices(range(4), k=chance.randint(0, 12))
        assert functions["collapse"](path) == [label for label, _ in groupby(path) if label]
        assert functions["min_input_length"](functions["collapse"](path)) <= len(path)
        states = functions["add_blanks"](path, 7)
        assert functions["collapse"](states, 7) == path
    assert functions["min_input_length"]([8, 5, 12, 12, 15]) == 6


def test_the_article_s_path_spells_helo(functions):
    path = ["_helo".index(letter) for letter in "__he_llo__"]
    assert "".join("_helo"[label] for label in functions["collapse"](path)) == "helo"


def test_the_number_of_paths_is_a_binomial_coefficient():
    for target in ([1], [1, 2], [1, 1], [1, 2, 2]):
        repeats = sum(a == b for a, b in pairwise(target))
        for frames in range(1, 8):
            found = sum([k for k, _ in groupby(p) if k] == target for p in product(range(3), repeat=frames))
            assert found == math.comb(frames + len(target) - repeats, 2 * len(target))
    assert math.comb(39 + 5 - 1, 10) == 1_917_334_783
    assert next(int(one.seconds * 50) for one in recordings() if one.name == "hello") == 39


def test_the_four_frames_as_worked_by_hand(functions):
    value = functions["ctc_log_likelihood"](FOUR_FRAMES.log(), torch.tensor([1, 2]))
    assert value.exp().item() == pytest.approx(0.4992, abs=1e-6)
    assert value.item() == pytest.approx(-0.6947, abs=5e-5)
    fitting = [p for p in product(range(3), repeat=4) if [k for k, _ in groupby(p) if k] == [1, 2]]
    assert len(fitting) == 15
    assert functions["forced_align"](FOUR_FRAMES.log(), torch.tensor([1, 2])) == [1, 1, 0, 2]
    assert functions["forced_align"](FOUR_FRAMES.log(), torch.tensor([1, 1])) == [1, 1, 0, 1]
    none = torch.zeros(0, dtype=torch.int64)
    assert functions["ctc_log_likelihood"](FOUR_FRAMES.log(), none).item() == pytest.approx(-5.1160, abs=5e-5)


def test_the_best_path_is_not_the_best_labelling(functions):
    log_probs = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    assert functions["greedy_decode"](log_probs[None], torch.tensor([2])) == [[]]
    labels, score = functions["beam_search_decode"](log_probs, 4)
    assert labels == [1]
    assert math.exp(score) == pytest.approx(0.64)


def test_hello_in_five_frames_is_infinite_and_torch_s_gradient_nan(functions):
    hello = torch.tensor([1, 2, 3, 3, 4])
    logits = torch.zeros(5, 5, requires_grad=True)
    value = functions["ctc_log_likelihood"](logits.log_softmax(-1), hello)
    assert value == -math.inf
    value.backward()
    assert (logits.grad == 0).all()
    for drop, loss_is, gradient_is in ((False, math.inf, math.nan), (True, 0.0, 0.0)):
        logits = torch.zeros(5, 5, requires_grad=True)
        scores = logits.log_softmax(-1)[:, None]
        loss = functional.ctc_loss(scores, hello[None], [5], [5], reduction="sum", zero_infinity=drop)
        loss.backward()
        assert loss.item() == loss_is
        assert (logits.grad.isnan() if math.isnan(gradient_is) else logits.grad == gradient_is).all()


def test_mean_divides_each_loss_by_its_target_length():
    scores = torch.randn(6, 2, 5).log_softmax(-1)
    targets, sizes = torch.tensor([[1, 2, 3], [4, 1, 2]]), torch.tensor([3, 1])
    each = functional.ctc_loss(scores, targets, [6, 6], [3, 1], reduction="none")
    mean = functional.ctc_loss(scores, targets, [6, 6], [3, 1])
    torch.testing.assert_close(mean, (each / sizes).mean())


def test_which_transcripts_do_not_fit_at_which_spacing():
    needs = [(one.seconds, ctc._frames_needed(list(one.text))) for one in recordings()]
    short = {ms: sum(need > int(seconds * 1000 / ms) for seconds, need in needs) for ms in (20, 40, 60, 80)}
    assert short == {20: 0, 40: 0, 60: 31, 80: 215}


def test_whisper_s_tokens_hold_no_blank_and_wav2vec_2_s_do():
    from whisper.tokenizer import get_tokenizer

    assert not [token for token in get_tokenizer(multilingual=True).special_tokens if "blank" in token]
    labels = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H.get_labels()
    assert len(labels) == 29
    assert labels[0] == "-"


def test_no_held_out_recording_is_trained_on_and_the_alphabet_has_every_letter():
    source = (ROOT / "solutions" / "09_ctc" / "09_ctc.py").read_text(encoding="utf-8")
    held_out = source.split("HELD_OUT = (")[1].split(")")[0].replace('"', "").replace("\n", "").split(",")
    held_out = {name.strip() for name in held_out if name.strip()}
    texts = {one.name: one.text for one in recordings()}
    assert len(held_out) == 5
    assert all(set(texts[name]) <= set(" abcdefghijklmnopqrstuvwxyz") for name in held_out)
    with (DATA / "segments.tsv").open(encoding="utf-8") as file:
        names = {row["name"] for row in csv.DictReader(file, delimiter="\t")}
    assert held_out <= names
