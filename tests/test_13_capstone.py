"""Unit 13: the oracles against jiwer and against brute force, the numbers that its notebook states, the network."""

import itertools
import math
import random
import re
import string

import jiwer
import pytest
import torch

from grader import probes
from grader.answer import answer
from grader.audit import solved_functions
from grader.draw import Draw
from grader.exercise import arguments
from grader.exercises import capstone
from grader.judge import judge
from grader.recordings import load_phrase, phrases
from tests.conftest import ROOT

SOURCE = (ROOT / "solutions/13_capstone/13_capstone.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def solved():
    """Every name of the solved notebook, but those of its demo and training cells."""
    return solved_functions(ROOT, "13_capstone")["transcribe"].__globals__


@pytest.fixture(scope="module")
def network(solved):
    torch.manual_seed(0)
    return solved["Recogniser"]().eval()


# The oracles


def test_the_character_error_rate_is_that_of_jiwer():
    chance = random.Random(0)
    texts = ["".join(chance.choices(string.ascii_lowercase[:5] + " ", k=chance.randint(1, 20))) for _ in range(200)]
    pairs = [(one, other) for one, other in itertools.pairwise(texts) if one == " ".join(one.split()) != ""]
    pairs = [(one, " ".join(other.split())) for one, other in pairs]
    references, answers = map(list, zip(*pairs, strict=True))
    assert capstone._cer(references, answers) == pytest.approx(jiwer.cer(references, answers))


def test_the_loss_of_a_step_is_that_of_all_paths_added_up():
    weight, bias = torch.randn(3, 2), torch.randn(3)
    batch = capstone.collate([torch.randn(8), torch.randn(6)], [torch.tensor([1, 2]), torch.tensor([2])])
    log_probs = (batch["waveforms"].unfold(1, 2, 2) @ weight.mT + bias).log_softmax(-1)
    losses = []
    for row, frames, target in ((log_probs[0], 4, [1, 2]), (log_probs[1], 3, [2])):
        total = 0.0
        for path in itertools.product(range(3), repeat=frames):
            if [label for label, _ in itertools.groupby(path) if label] == target:
                total += math.exp(sum(row[t, label].item() for t, label in enumerate(path)))
        losses.append(-math.log(total) / len(target))
    report = probes.steps(capstone.train_step.oracle, weight, bias, batch, learning_rate=0.1)
    assert report["losses"] == [pytest.approx(sum(losses) / 2, rel=1e-5)]


def test_a_step_takes_the_gradient_that_a_small_change_of_a_weight_shows():
    weight, bias = torch.randn(3, 2), torch.randn(3)
    batch = capstone.collate([torch.randn(8), torch.randn(6)], [torch.tensor([1, 2]), torch.tensor([2])])

    def after(change):
        moved = weight.clone().double()
        moved[1, 0] += change
        exact = {name: part.double() if part.is_floating_point() else part for name, part in batch.items()}
        return probes.steps(capstone.train_step.oracle, moved, bias.double(), exact, learning_rate=1.0)

    slope = (after(1e-4)["losses"][0] - after(-1e-4)["losses"][0]) / 2e-4
    report = after(0.0)
    assert (weight[1, 0] - report["weight"][1, 0]).item() == pytest.approx(slope, abs=1e-5)
    assert report["called_in_train_mode"] == report["left_in_train_mode"] == [True]


def test_the_oracle_of_transcribe_knows_what_was_played_and_nothing_else():
    draw = Draw(0, "oracle")
    for _ in range(10):
        some = draw.sample(phrases("test"), 3)
        recording = capstone._played(draw, some)
        assert capstone.transcribe(recording) == " ".join(phrase.text for phrase in some)
        assert capstone.transcribe(recording * 1.01) == ""
    assert capstone.transcribe(load_phrase(phrases("test")[0])) == ""


def test_what_is_played_is_as_long_as_its_phrases_and_holds_no_silence_of_zeros():
    draw = Draw(0, "played")
    for _ in range(20):
        some = draw.sample(phrases("test"), 3)
        recording = capstone._played(draw, some)
        spoken = sum(phrase.end - phrase.start for phrase in some)
        assert spoken / 1.08 - 0.05 < len(recording) / 16_000 < spoken / 0.92 + 0.23
        assert (recording == 0).float().mean() < 1e-3
        assert 0.01 < recording.abs().max() < 1.3


def test_a_table_of_all_phrases_earns_nothing():
    """Carried in by somebody who has the repository: each phrase's text by its mean spectrum, and the nearest wins."""

    def mark(waveform):
        padded = torch.nn.functional.pad(waveform, (0, max(0, 400 - len(waveform))))
        power = torch.stft(padded, 400, 160, window=torch.hann_window(400), return_complex=True).abs() ** 2
        return ((power.mean(1) + 1e-9).log() - (power.mean() + 1e-9).log()).unflatten(0, (67, 3)).mean(1)

    table = torch.stack([mark(load_phrase(phrase)) for phrase in phrases()])
    assert torch.cdist(mark(load_phrase(phrases()[300]))[None], table).argmin() == 300

    def looked_up(waveform):
        return phrases()[int(torch.cdist(mark(waveform)[None], table).argmin())].text

    verdict = judge(capstone.transcribe, lambda question: answer(looked_up, question), "graded")
    assert verdict.fraction == 0


@pytest.mark.parametrize(
    ("every", "fraction"),
    [(12, 1.0), (3, 5 / 6), (2, 4 / 6)],
)
def test_a_better_recogniser_earns_more(every, fraction):
    recogniser = capstone._mishears(every)
    verdict = judge(capstone.transcribe, lambda question: answer(recogniser, question), "graded")
    assert verdict.fraction == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize(
    ("heard", "complaint"),
    [
        (lambda text: "", "writes nothing"),
        (lambda text: "press", "for every recording"),
        (lambda text: text + "<blank>", "it writes '<', '>'"),
        (lambda text: text.replace(" ", ""), "never writes a space"),
        (lambda text: "".join(letter * 3 for letter in text), "several times"),
        (lambda text: capstone._moved(text, -1), "neighbour in the alphabet"),
        (lambda text: "z".join(text), "writes 'z' again and again.*blank"),
        (lambda text: text, "^$"),
    ],
)
def test_what_is_wrong_with_transcripts_as_a_whole_is_said_in_words(heard, complaint):
    texts = [phrase.text for phrase in phrases("test")]
    assert re.search(complaint, capstone._complain(texts, [heard(text) for text in texts]))


def test_a_model_that_is_not_trained_earns_nothing(solved):
    verdict = judge(capstone.transcribe, lambda question: answer(solved["transcribe"], question), "graded")
    assert verdict.fraction == 0


def step_on(change):
    """A training step that is right but for what `change` makes of its log-probabilities, lengths and batch."""

    def train_step(model, batch, optimizer):
        model.train()
        log_probs, batch, lengths = capstone._heard(model, batch)
        batch, lengths, options = change(log_probs, batch, lengths)
        return capstone._learn(model, optimizer, capstone._ctc(log_probs, batch, lengths, **options))

    return train_step


def shuffled(log_probs, batch, lengths):
    order = torch.arange(len(lengths)).roll(1)
    return batch | {name: batch[name][order] for name in ("targets", "target_lengths")}, lengths, {}


def another_blank(log_probs, batch, lengths):
    return batch, lengths, {"blank": log_probs.shape[-1] - 1}


def no_lengths(log_probs, batch, lengths):
    return batch, torch.full_like(lengths, log_probs.shape[1]), {}


@pytest.mark.parametrize(
    ("change", "mistake"),
    [(shuffled, "a wrong answer"), (another_blank, "blank_is_last"), (no_lengths, "padding_heard")],
)
def test_broken_training_earns_nothing_for_its_step_and_is_named(change, mistake):
    verdict = judge(capstone.train_step, lambda question: answer(step_on(change), question), "graded")
    assert (verdict.fraction, verdict.diagnosis.mistake) == (0, mistake)


# The notebook


def test_every_letter_of_every_phrase_has_a_class(solved):
    assert len(solved["ALPHABET"]) == 28
    for phrase in phrases():
        assert "".join(solved["ALPHABET"][label] for label in solved["labels_of"](phrase.text)) == phrase.text


def test_the_numbers_of_the_text(solved, network):
    assert "28 in all" in SOURCE
    assert f"{len(phrases('training'))} phrases, each heard some forty times" in SOURCE
    seconds = sum(len(waveform) / 16_000 - 3_000 / 2 / 16_000 for waveform, _ in solved["training"])
    assert 35 < solved["STEPS"] * 16 / seconds < 49
    assert 500_000 < sum(parameter.numel() for parameter in network.parameters()) < 700_000
    assert pytest.approx(-math.log(3 / 4), abs=1e-4) == 0.2877


def test_a_batch_lasts_about_sixteen_seconds(solved):
    chance = torch.Generator().manual_seed(1)
    source = solved["shuffled"](solved["training"], chance)
    batches = [solved["draw_batch"](source, chance) for _ in range(60)]
    seconds = [sum(map(len, waveforms)) / 16_000 for waveforms, _ in batches]
    assert min(seconds) > 12
    assert 15 < sum(seconds) / len(seconds) < 19
    assert max(seconds) < 26


def test_the_network_says_how_many_frames_it_gives(network):
    for samples in (400, 479, 480, 481, 15_999, 16_000, 40_001):
        log_probs, lengths = network(torch.zeros(2, samples), torch.tensor([samples, samples]))
        assert log_probs.shape == (2, lengths[0], 28)
        assert torch.allclose(log_probs.exp().sum(-1), torch.ones(2, int(lengths[0])), atol=1e-5)


def test_what_stands_in_the_padding_of_a_row_does_not_matter_far_from_it(network):
    waveform = load_phrase(phrases("test")[0])
    padded = torch.nn.functional.pad(waveform, (1600, 1600))
    longer = torch.nn.functional.pad(padded, (0, 16_000))
    alone, frames = network(padded[None], torch.tensor([len(padded)]))
    beside, same = network(longer[None], torch.tensor([len(padded)]))
    assert frames == same
    inner = int(frames) - 15
    assert torch.allclose(alone[0, :inner], beside[0, :inner], atol=0.05)


def test_masks_are_drawn_for_each_row_and_only_in_training(solved, network):
    mel = torch.ones(6, 40, 100)
    torch.manual_seed(0)
    bands = (solved["blanked"](mel, 1, 8) == 0).any(2).sum(1)
    times = (solved["blanked"](mel, 2, 12) == 0).any(1).sum(1)
    assert bands.max() <= 8
    assert times.max() <= 12
    assert len(set(bands.tolist() + times.tolist())) > 2
    waveform = torch.randn(1, 16_000)
    first, second = (network(waveform, torch.tensor([16_000]))[0] for _ in range(2))
    assert torch.equal(first, second)


def test_the_training_cell_is_the_one_cell_with_a_time_limit_of_its_own():
    from grader.course import load_unit

    unit = load_unit(ROOT, "13_capstone")
    assert len(unit.training) == 1
    assert "train(model, STEPS)" in next(iter(unit.training))
    assert unit.training <= unit.given
    assert not unit.training & unit.demos


def test_a_model_crosses_as_its_probe(solved):
    draw = Draw(0, "probe")
    question = capstone._step(draw, [60, 90], [2, 3], classes=5)
    report = answer(solved["train_step"], question)
    assert report.error is None
    assert set(report.value) == {"losses", "weight", "bias", "left_in_train_mode", "called_in_train_mode"}
    assert arguments(1).probe == ""
