"""Unit 13: a batch of recordings, one step of training, and what the learner's own recogniser writes."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cache

import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Answer, Question, Tolerance, Wrong, arguments, exercise
from grader.recordings import Phrase, load_phrase, phrases

UNIT = "13_capstone"
#: What a property yields and receives.
Dialogue = Generator[Question, Answer, None]
#: How long a call may take: the first optimiser of a kernel imports much of torch.
SECONDS = 20.0

# collate


def _recordings(draw: Draw, lengths: list[int], counts: list[int]) -> tuple[list, list]:
    """Waveforms and targets (labels from 1 to 27) of those lengths."""
    return [draw.normal(n, scale=0.1) for n in lengths], [draw.integers(1, 28, n) for n in counts]


def _rows(rows: list[torch.Tensor], fill: float = 0) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.stack([functional.pad(row, (0, longest - len(row)), value=fill) for row in rows])


def _lengths(rows: list[torch.Tensor]) -> torch.Tensor:
    return torch.tensor([len(row) for row in rows])


@exercise(unit=UNIT, tolerance=Tolerance(atol=0, rtol=0))
def collate(waveforms: list[torch.Tensor], targets: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "waveforms": pad(waveforms, batch_first=True),
        "lengths": torch.tensor([w.shape[0] for w in waveforms]),
        "targets": pad(targets, batch_first=True),
        "target_lengths": torch.tensor([t.shape[0] for t in targets]),
    }


@collate.case
def three_recordings(draw: Draw) -> tuple:
    """Three recordings of different lengths, the longest in the middle"""
    return _recordings(draw, [5, 9, 4], [2, 1, 3])


@collate.case
def one_recording(draw: Draw) -> tuple:
    """One recording alone"""
    return _recordings(draw, [7], [4])


@collate.case(group="edge")
def nothing_said(draw: Draw) -> tuple:
    """A recording in which nothing is said"""
    return _recordings(draw, [3, 6], [0, 2])


@collate.case(group="edge")
def the_longest_says_least(draw: Draw) -> tuple:
    """The longest recording with the shortest text"""
    return _recordings(draw, [3, 8, 5, 6], [5, 1, 4, 2])


@collate.hidden_case
def many(draw: Draw) -> tuple:
    return _recordings(draw, draw.integers(3, 60, 50).tolist(), draw.integers(1, 9, 50).tolist())


@collate.hidden_case(group="real size")
def a_batch_of_the_notebook(draw: Draw) -> tuple:
    """A batch as large as in the notebook"""
    return _recordings(draw, draw.integers(8_000, 60_000, 21).tolist(), draw.integers(2, 60, 21).tolist())


@collate.hidden_case(group="real size")
def long_ones(draw: Draw) -> tuple:
    """Recordings of twenty and of four seconds"""
    return _recordings(draw, [320_001, 64_000], [270, 283])


@collate.hidden_case(group="edge")
def nothing_at_all_said(draw: Draw) -> tuple:
    """Nothing is said in any recording"""
    return _recordings(draw, [4, 9], [0, 0])


@collate.case(group="edge")
def samples_that_are_zero(draw: Draw) -> tuple:
    """Recordings that end in silence, in float64, out of every second sample"""
    waveforms, targets = _recordings(draw, [12, 22, 6], [3, 2, 5])
    quiet = [torch.cat([waveform, torch.zeros(4)]).double()[::2] for waveform in waveforms]
    return [quiet[0], quiet[1] * 0, quiet[2]], targets


@collate.misconception(
    "The lengths are those of the padded rows.",
    hint="What tells the loss later which samples are real? Take the lengths before you pad.",
)
def padded_lengths(waveforms: list, targets: list) -> dict:
    made = collate(waveforms, targets)
    batch = len(waveforms)
    return made | {
        "lengths": torch.full((batch,), made["waveforms"].shape[1]),
        "target_lengths": torch.full((batch,), made["targets"].shape[1]),
    }


@collate.misconception(
    "Everything is cut to the shortest.",
    hint="Rows of a tensor are equally long. Nothing may be lost to make them so.",
)
def cut_to_the_shortest(waveforms: list, targets: list) -> dict:
    shortest, fewest = min(map(len, waveforms)), min(map(len, targets))
    return collate([row[:shortest] for row in waveforms], [row[:fewest] for row in targets])


@collate.misconception(
    "The zeros stand before the samples.",
    hint="A recording begins at index 0 of its row; what fills up comes after it.",
)
def padded_left(waveforms: list, targets: list) -> dict:
    def left(rows: list[torch.Tensor]) -> torch.Tensor:
        return _rows([row.flip(0) for row in rows]).flip(1)

    return collate(waveforms, targets) | {"waveforms": left(waveforms), "targets": left(targets)}


@collate.misconception(
    "The recordings are sorted by length.", hint="Row i of everything belongs to recording i as it was given."
)
def sorted_by_length(waveforms: list, targets: list) -> dict:
    order = sorted(range(len(waveforms)), key=lambda i: -len(waveforms[i]))
    return collate([waveforms[i] for i in order], [targets[i] for i in order])


@collate.misconception(
    "Only the waveforms are sorted: texts belong to other recordings.",
    hint="Whatever order you put the recordings in, their texts and lengths must follow.",
)
def waveforms_sorted_alone(waveforms: list, targets: list) -> dict:
    return collate(sorted(waveforms, key=len, reverse=True), targets)


@collate.misconception(
    "Batch and time are exchanged.", hint="Which dimension comes first, (B, T) or (T, B)? pad_sequence has an option."
)
def time_first(waveforms: list, targets: list) -> dict:
    made = collate(waveforms, targets)
    return made | {"waveforms": made["waveforms"].T, "targets": made["targets"].T}


@collate.misconception(
    "The texts are one after the other in one row.",
    hint="F.ctc_loss would take that too, but here targets is (B, S), one row for each recording.",
)
def flat_targets(waveforms: list, targets: list) -> dict:
    return collate(waveforms, targets) | {"targets": torch.cat(targets)}


@collate.misconception("The two lengths are exchanged.", hint="lengths count samples, target_lengths count labels.")
def lengths_exchanged(waveforms: list, targets: list) -> dict:
    made = collate(waveforms, targets)
    return made | {"lengths": made["target_lengths"], "target_lengths": made["lengths"]}


@collate.misconception(
    "The texts are filled up with −1.", hint="What is the padding value that the text of the exercise asks for?"
)
def filled_with_minus_one(waveforms: list, targets: list) -> dict:
    return collate(waveforms, targets) | {"targets": _rows(targets, -1)}


@collate.misconception(
    "The length of a recording is the number of its samples that are not zero.",
    hint="A recording may hold silence. Ask the waveform how long it is.",
)
def counts_what_sounds(waveforms: list, targets: list) -> dict:
    made = collate(waveforms, targets)
    return made | {"lengths": (made["waveforms"] != 0).sum(1)}


@collate.alternative
def filled_in_place(waveforms: list, targets: list) -> dict:
    made = {}
    for rows, name, counted in ((waveforms, "waveforms", "lengths"), (targets, "targets", "target_lengths")):
        made[counted] = torch.tensor([row.numel() for row in rows], dtype=torch.int64)
        made[name] = rows[0].new_zeros(len(rows), int(made[counted].max()))
        for i, row in enumerate(rows):
            made[name][i, : len(row)] = row
    return {name: made[name] for name in ("waveforms", "lengths", "targets", "target_lengths")}


@collate.alternative
def stacked(waveforms: list, targets: list) -> dict:
    return {
        "targets": _rows(targets),
        "target_lengths": _lengths(targets),
        "waveforms": _rows(waveforms),
        "lengths": _lengths(waveforms),
    }


# train_step


def _step(
    draw: Draw, lengths: list[int], counts: list[int], classes: int = 28, block: int = 10, **more: object
) -> Question:
    """A step on a small model that the grader makes: every block of samples is a frame."""
    targets = [draw.integers(1, classes, n) for n in counts]
    batch = collate([draw.normal(n) for n in lengths], targets)
    weight = draw.normal(classes, block, scale=0.5)
    rate = draw.uniform(1, low=0.03, high=0.2).item()
    question = arguments(weight, draw.normal(classes), batch, learning_rate=rate, **more)
    return replace(question, probe="steps")


@exercise(unit=UNIT, tolerance=Tolerance(atol=1e-5, rtol=1e-4))
def train_step(model: torch.nn.Module, batch: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer) -> float:
    model.train()
    optimizer.zero_grad()
    log_probs, lengths = model(batch["waveforms"], batch["lengths"])
    loss = torch.nn.CTCLoss(zero_infinity=True)(
        log_probs.transpose(0, 1), batch["targets"], lengths, batch["target_lengths"]
    )
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.case(seconds=SECONDS)
def three_phrases(draw: Draw) -> Question:
    """One step on three recordings of different lengths"""
    return _step(draw, [130, 214, 95], [3, 8, 2], classes=6)


@train_step.case(seconds=SECONDS)
def three_steps(draw: Draw) -> Question:
    """Three steps on the same recordings"""
    return _step(draw, [90, 128], [2, 4], classes=5, count=3)


@train_step.case(group="state", seconds=SECONDS)
def gradients_left_over(draw: Draw) -> Question:
    """A model that has gradients left over and was in eval mode"""
    return _step(draw, [103, 140], [4, 2], classes=7, left_over=2.0)


@train_step.case(group="too short", seconds=SECONDS)
def a_recording_too_short(draw: Draw) -> Question:
    """One recording of three too short for its text"""
    return _step(draw, [150, 30, 120], [4, 6, 5], classes=5)


@train_step.hidden_case(seconds=SECONDS)
def one_phrase(draw: Draw) -> Question:
    """One recording alone"""
    return _step(draw, [160], [6], classes=8)


@train_step.hidden_case(group="real size", seconds=SECONDS)
def as_in_the_notebook(draw: Draw) -> Question:
    """A batch as large as in the notebook"""
    lengths = draw.integers(60, 180, 17).tolist()
    return _step(draw, [160 * n + 7 for n in lengths], draw.integers(2, 25, 17).tolist(), classes=28, block=160)


@train_step.hidden_case(group="state", seconds=SECONDS)
def five_steps_with_left_over_gradients(draw: Draw) -> Question:
    """Five steps, gradients left over before the first"""
    return _step(draw, [111, 64, 150], [5, 2, 6], classes=9, count=5, left_over=-1.0)


@train_step.hidden_case(group="too short", seconds=SECONDS)
def two_too_short(draw: Draw) -> Question:
    """Two recordings of four too short, with a letter said twice"""
    question = _step(draw, [150, 40, 120, 30], [4, 4, 5, 7], classes=6)
    question.args[2]["targets"][1, :4] = torch.tensor([3, 3, 3, 1])
    return question


@train_step.case(group="edge", seconds=SECONDS)
def nothing_is_said(draw: Draw) -> Question:
    """Nothing is said in one recording of three"""
    return _step(draw, [120, 90, 150], [3, 0, 5], classes=6)


@train_step.hidden_case(group="edge", seconds=SECONDS)
def loud(draw: Draw) -> Question:
    """Samples in the hundreds: large gradients"""
    question = _step(draw, [120, 190], [3, 4], classes=6, count=2)
    question.args[2]["waveforms"] *= 300
    return question


def _ctc(log_probs: torch.Tensor, batch: dict, lengths: torch.Tensor, **options: object) -> torch.Tensor:
    options = {"zero_infinity": True} | options
    return functional.ctc_loss(
        log_probs.mT.permute(2, 0, 1), batch["targets"], lengths, batch["target_lengths"], **options
    )


def _learn(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _usual(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer, **options: object) -> float:
    model.train()
    return _learn(model, optimizer, _ctc(*_heard(model, batch), **options))


def _heard(model: torch.nn.Module, batch: dict) -> tuple[torch.Tensor, dict, torch.Tensor]:
    log_probs, lengths = model(batch["waveforms"], batch["lengths"])
    return log_probs, batch, lengths


@train_step.misconception(
    "Gradients of earlier steps are added to this one's.",
    hint="backward() adds to what is in .grad already. Who empties it, and when?",
)
def gradients_pile_up(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    loss = _ctc(*_heard(model, batch))
    loss.backward()
    optimizer.step()
    return loss.item()


@train_step.misconception(
    "The weights stay as they were: nothing is learned.",
    hint="Three calls make a step: clear, backward, step. Is one missing, or is their order wrong?",
)
def nothing_learned(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    loss = _ctc(*_heard(model, batch))
    loss.backward()
    optimizer.zero_grad(set_to_none=True)
    optimizer.step()
    return loss.item()


@train_step.misconception(
    "The model is not put in train mode.",
    hint="After a validation the model is in eval mode: dropout is off. Which call switches it back?",
)
def stays_in_eval_mode(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    return _learn(model, optimizer, _ctc(*_heard(model, batch)))


@train_step.misconception(
    "The model is in eval mode while it learns and in train mode only afterwards.",
    hint="The mode must be right before the model is called.",
)
def train_mode_too_late(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.eval()
    loss = _learn(model, optimizer, _ctc(*_heard(model, batch)))
    model.train()
    return loss


@train_step.misconception(
    "The model is left in eval mode.", hint="Look at the last thing that you do to the model: which mode does it leave?"
)
def left_in_eval_mode(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    loss = _usual(model, batch, optimizer)
    model.eval()
    return loss


@train_step.misconception(
    "The frames after a recording's end count as speech.",
    hint="The model returns two things. Which of them says how many frames of each row are real?",
)
def padding_heard(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    log_probs, _, lengths = _heard(model, batch)
    return _learn(model, optimizer, _ctc(log_probs, batch, torch.full_like(lengths, log_probs.shape[1])))


@train_step.misconception(
    "The padding of the texts is learned as if it had been said.",
    hint="How many labels of each row of targets are real? The batch knows.",
)
def padding_said(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    whole = torch.full_like(batch["target_lengths"], batch["targets"].shape[1])
    said = batch | {"target_lengths": whole}
    return _learn(model, optimizer, _ctc(*_heard(model, said)))


@train_step.misconception(
    "The last class is taken for the blank.",
    hint="Which class is the blank in this course? F.ctc_loss has an argument.",
)
def blank_is_last(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    log_probs, _, lengths = _heard(model, batch)
    return _learn(model, optimizer, _ctc(log_probs, batch, lengths, blank=log_probs.shape[-1] - 1))


@train_step.misconception(
    "The log-probabilities are reshaped to (T', B, C), so that frames of all recordings are mixed up.",
    hint="reshape keeps the numbers in the order in which they lie in memory. What exchanges two dimensions?",
)
def reshaped(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    log_probs, _, lengths = _heard(model, batch)
    mixed = log_probs.reshape(log_probs.shape[1], log_probs.shape[0], -1).transpose(0, 1)
    return _learn(model, optimizer, _ctc(mixed, batch, lengths))


@train_step.misconception(
    "The losses are summed: a larger batch makes a larger step.",
    hint="Look at the reduction of F.ctc_loss. The step should not depend on how many recordings there are.",
)
def summed(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    return _usual(model, batch, optimizer, reduction="sum")


@train_step.misconception(
    "Each recording's loss is not divided by the length of its text.",
    hint="What does reduction='mean' of F.ctc_loss do before it takes the mean?",
)
def not_by_text_length(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    return _learn(model, optimizer, _ctc(*_heard(model, batch), reduction="none").mean())


@train_step.misconception(
    "It returns the loss after the step.", hint="Keep the loss that you called backward on; the step changes the model."
)
def loss_afterwards(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    _usual(model, batch, optimizer)
    with torch.no_grad():
        loss = _ctc(*_heard(model, batch)).item()
    model.modes.pop()  # so that the extra pass is not what tells it from others
    return loss


@train_step.misconception(
    "A recording too short for its text makes the loss infinite, and the weights with it.",
    hint="No path of few frames spells a long text: its loss is infinite. F.ctc_loss has an option for that.",
)
def infinite(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    return _usual(model, batch, optimizer, zero_infinity=False)


@train_step.misconception(
    "It makes two steps instead of one.", hint="How often is optimizer.step() called in one call of your function?"
)
def two_steps(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    loss = _usual(model, batch, optimizer)
    optimizer.step()
    return loss


@train_step.misconception(
    "The gradients are clipped, too.",
    hint="Clipping is a choice of the training, not of the step: `train` does it here.",
)
def clipped(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    loss = _ctc(*_heard(model, batch))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@train_step.misconception(
    "The softmax is taken twice over.",
    hint="What the model returns are log-probabilities already; what does F.ctc_loss want?",
)
def of_probabilities(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    log_probs, _, lengths = _heard(model, batch)
    return _learn(model, optimizer, _ctc(log_probs.exp().log_softmax(-1), batch, lengths))


@train_step.alternative
def cleared_at_the_end(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    for parameter in model.parameters():
        parameter.grad = None
    loss = _ctc(*_heard(model.train(), batch))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss)


@train_step.alternative
def one_by_one(model: torch.nn.Module, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    model.train()
    optimizer.zero_grad()
    log_probs, lengths = model(batch["waveforms"], batch["lengths"])
    total = 0.0
    for row, n, target, count in zip(log_probs, lengths, batch["targets"], batch["target_lengths"], strict=True):
        loss = functional.ctc_loss(row[:n], target[:count], n, count, reduction="sum") / count.clamp_min(1)
        if loss.isfinite():
            total = total + loss / len(lengths)
    total.backward()
    optimizer.step()
    return total.item()


# transcribe

#: What a recogniser may write.
LETTERS = " abcdefghijklmnopqrstuvwxyz"
DOUBLED = re.compile(r"([a-z_])\1")
#: How many recordings one case asks for.
COUNT = 16

#: A phrase is asked for again and again.
_load = cache(load_phrase)
#: What is said in every recording that was played, by its samples.
_said: dict[bytes, str] = {}


@exercise(unit=UNIT, trained=True)
def transcribe(waveform: torch.Tensor) -> str:
    return _said.get(_samples(waveform), "")


def _samples(waveform: torch.Tensor) -> bytes:
    return hashlib.sha256(waveform.numpy().tobytes()).digest()


def _played(draw: Draw, some: list[Phrase]) -> torch.Tensor:
    """A recording of some phrases, one running into the other, such as no table of phrases holds.

    Each is up to 8 % faster or slower, fades in and out over 10 ms, and begins between 20 ms before and 10 ms after the
    end of the one before. All is up to 4 dB softer or 3 dB louder, with up to 0.1 s of silence around it and noise at
    −66 dB.
    """
    recording = torch.zeros(draw.integer(0, 1600))
    for i, phrase in enumerate(some):
        speed = draw.uniform(1, low=0.92, high=1.08).item()
        waveform = functional.interpolate(_load(phrase)[None, None], scale_factor=1 / speed, mode="linear")[0, 0]
        fade = torch.linspace(0, 1, min(160, len(waveform) // 2))
        waveform = waveform * torch.cat([fade, torch.ones(len(waveform) - 2 * len(fade)), fade.flip(0)])
        start = max(0, len(recording) + (draw.integer(-320, 160) if i else 0))
        end = max(len(recording), start + len(waveform))
        recording = functional.pad(recording, (0, end - len(recording)))
        recording[start : start + len(waveform)] += waveform
    recording = functional.pad(recording, (0, draw.integer(0, 1600)))
    recording = recording * 10 ** (draw.uniform(1, low=-4, high=3) / 20) + draw.normal(len(recording), scale=5e-4)
    _said[_samples(recording)] = " ".join(phrase.text for phrase in some)
    return recording


def _distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            above, row[j] = row[j], min(above + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def _cer(texts: list[str], heard: list[str]) -> float:
    return sum(map(_distance, texts, heard)) / sum(map(len, texts))


def _complain(texts: list[str], heard: list[str]) -> str:
    """What is wrong with transcripts as a whole, or nothing."""
    whole = "".join(heard)
    if not whole.strip():
        return "it writes nothing for any recording"
    if len(set(heard)) == 1 < len(heard):
        return f"it writes {heard[0]!r} for every recording"
    strange = sorted(set(whole) - set(LETTERS))
    if strange:
        return f"it writes {', '.join(map(repr, strange[:5]))}; a text holds only a–z and single spaces"
    if not any(" " in text for text in heard) and any(" " in text for text in texts):
        return "it never writes a space between two words"
    if len(DOUBLED.findall(whole)) > 0.15 * len(whole):
        return "it writes most letters several times: merge what repeats"
    if _cer(texts, heard) > 0.5:
        for shift in (-1, 1):
            moved = [_moved(text, shift) for text in heard]
            if _cer(texts, moved) < 0.5:
                return "every letter is its neighbour in the alphabet: which class is the blank?"
    strays = [letter for letter, n in Counter(whole).items() if n > 0.08 * len(whole) and letter not in "".join(texts)]
    if strays and len(whole) > 50:
        return f"it writes {strays[0]!r} again and again, which nobody says: which class is the blank?"
    return ""


def _moved(text: str, by: int) -> str:
    return "".join(LETTERS[(LETTERS.index(letter) + by) % len(LETTERS)] for letter in text)


def _text_of(answer: Answer) -> str:
    if not isinstance(answer.value, str):
        raise Wrong(f"it returned {type(answer.value).__name__}, not a string")
    return answer.value


def _bar(draw: Draw, split: str, highest: float, count: int = COUNT, of: tuple[int, ...] = (2, 3)) -> Dialogue:
    """In `count` recordings, each of 2 or 3 phrases of a split, the character error rate is `highest` at most."""
    bag, texts, heard = [], [], []
    for _ in range(count):
        n = draw.choice(of)
        if len(bag) < n:
            bag = draw.sample(phrases(split), len(phrases(split)))
        some, bag = bag[:n], bag[n:]
        texts.append(" ".join(phrase.text for phrase in some))
        heard.append(_text_of((yield arguments(_played(draw, some)))))
    complaint = _complain(texts, heard)
    if complaint:
        raise Wrong(complaint)
    rate = _cer(texts, heard)
    if rate > highest:
        what = "one recording" if count == 1 else f"{count} recordings"
        raise Wrong(f"its CER on {what} of {split} phrases is {rate:.2f}; {highest:.2f} at most is asked for here")


@transcribe.property_case(seconds=SECONDS)
def phrases_of_the_training(draw: Draw) -> Dialogue:
    """Recordings made of training phrases, CER at most 0.45"""
    yield from _bar(draw, "training", 0.45)


@transcribe.property_case(group="form", seconds=SECONDS)
def silence_and_a_click(draw: Draw) -> Dialogue:
    """Half a second of silence, and ten samples of noise: a string, whatever it says"""
    for waveform in (torch.zeros(8_000), draw.normal(10, scale=0.1)):
        _text_of((yield arguments(waveform)))


@transcribe.hidden_property_case(group="form", seconds=SECONDS)
def a_sample_and_a_noise(draw: Draw) -> Dialogue:
    """One sample, a second of loud noise, and three seconds of silence: a string, whatever it says"""
    for waveform in (draw.normal(1, scale=0.1), draw.normal(16_000, scale=0.3), torch.zeros(48_000)):
        _text_of((yield arguments(waveform)))


@transcribe.property_case(group="form", seconds=SECONDS)
def the_same_twice(draw: Draw) -> Dialogue:
    """The same recording twice, the same text twice, and something is written"""
    for _ in range(4):
        question = arguments(_played(draw, draw.sample(phrases("training"), 3)))
        first = _text_of((yield question))
        second = _text_of((yield replace(question)))
        if first != second:
            raise Wrong(f"the same recording gave {first!r} and then {second!r}: in which mode is the model?")
        if not first:
            raise Wrong("it writes nothing for a recording in which something is said")
        if first != " ".join(first.split()):
            raise Wrong(f"it returned {first!r}: one space stands between two words, none at the ends")


@transcribe.property_case(group="form", seconds=SECONDS)
def doubled_letters(draw: Draw) -> Dialogue:
    """Words with doubled letters, such as press and call: some of them are written"""
    doubled = [phrase for phrase in phrases("training") if DOUBLED.search(phrase.text)]
    heard = []
    for _ in range(5):
        heard.append(_text_of((yield arguments(_played(draw, draw.sample(doubled, 3))))))
    if not any(DOUBLED.search(text) for text in heard):
        raise Wrong("it never writes a letter twice, as in press: merge first, then leave the blanks out")


@transcribe.property_case(group="CER at most 0.45", seconds=SECONDS)
def held_out_45(draw: Draw) -> Dialogue:
    """Recordings made of validation phrases, CER at most 0.45"""
    yield from _bar(draw, "validation", 0.45)


@transcribe.property_case(group="CER at most 0.45", seconds=SECONDS)
def a_long_one(draw: Draw) -> Dialogue:
    """One long recording made of twelve validation phrases, CER at most 0.45"""
    yield from _bar(draw, "validation", 0.45, count=1, of=(12,))


@transcribe.hidden_property_case(seconds=SECONDS)
def held_out_60(draw: Draw) -> Dialogue:
    """Recordings made of held-out phrases, CER at most 0.60"""
    yield from _bar(draw, "test", 0.6)


@transcribe.hidden_property_case(group="CER at most 0.45", seconds=SECONDS)
def test_45(draw: Draw) -> Dialogue:
    """Recordings made of held-out phrases, CER at most 0.45"""
    yield from _bar(draw, "test", 0.45)


@transcribe.hidden_property_case(group="CER at most 0.45", seconds=SECONDS)
def a_long_one_held_out(draw: Draw) -> Dialogue:
    """One long recording made of fourteen held-out phrases, CER at most 0.45"""
    yield from _bar(draw, "test", 0.45, count=1, of=(14,))


@transcribe.hidden_property_case(group="CER at most 0.30", seconds=SECONDS)
def test_30(draw: Draw) -> Dialogue:
    """Recordings made of held-out phrases, CER at most 0.30"""
    yield from _bar(draw, "test", 0.3, count=24)


@transcribe.hidden_property_case(group="CER at most 0.20", seconds=SECONDS)
def test_20(draw: Draw) -> Dialogue:
    """Recordings made of all held-out phrases, CER at most 0.20"""
    yield from _bar(draw, "test", 0.2, count=40)


@transcribe.misconception(
    "It writes nothing, for any recording.",
    hint="Look at the class with the highest score in every frame. Always the blank? Then the model is not trained.",
)
def writes_nothing(waveform: torch.Tensor) -> str:
    return ""


@transcribe.misconception(
    "It writes the same for every recording.", hint="Does what you return depend on the waveform that you were given?"
)
def always_the_same(waveform: torch.Tensor) -> str:
    return "please enter your number"


@transcribe.misconception(
    "A letter that lasts for several frames is written several times.",
    hint="First merge what repeats, then leave the blanks out.",
)
def repeats_not_merged(waveform: torch.Tensor) -> str:
    return "".join(letter * 2 for letter in transcribe(waveform))


@transcribe.misconception(
    "A letter that is written twice, as in press, is written once.",
    hint="Where a blank stands between two frames of the same letter, both count. Which comes first?",
)
def doubles_lost(waveform: torch.Tensor) -> str:
    return DOUBLED.sub(r"\1", transcribe(waveform))


@transcribe.misconception(
    "The blanks are written down.", hint="Which class writes nothing? Leave it out after merging."
)
def blanks_written(waveform: torch.Tensor) -> str:
    return "_" + "".join(f"{letter}_" for letter in transcribe(waveform))


@transcribe.misconception(
    "Every letter is its neighbour in the alphabet.",
    hint="Class 0 is the blank and class 1 the space. Which letter is class 2?",
)
def one_letter_off(waveform: torch.Tensor) -> str:
    return _moved(transcribe(waveform), 1)


@transcribe.misconception(
    "The words run together.", hint="The space is a class like any other. Where does it get lost in your function?"
)
def no_spaces(waveform: torch.Tensor) -> str:
    return transcribe(waveform).replace(" ", "")


@transcribe.misconception("It writes capital letters.", hint="The texts of this course are in lower case.")
def capitals(waveform: torch.Tensor) -> str:
    return transcribe(waveform).upper()


@transcribe.misconception("The text is written backwards.", hint="Frame 0 is the beginning of the recording.")
def backwards(waveform: torch.Tensor) -> str:
    return transcribe(waveform)[::-1]


@transcribe.misconception(
    "Only the first word is written.", hint="Does the whole recording reach the model? Is the whole text returned?"
)
def first_word(waveform: torch.Tensor) -> str:
    return transcribe(waveform).split(" ")[0]


def _mishears(every: int) -> Callable[[torch.Tensor], str]:
    """A recogniser that gets one letter in `every` wrong."""

    def recogniser(waveform: torch.Tensor) -> str:
        text = transcribe(waveform)
        start = int(waveform.abs().sum()) % every
        return "".join("e" if i % every == start and letter not in " e" else letter for i, letter in enumerate(text))

    return recogniser


@transcribe.alternative
def nearly_perfect(waveform: torch.Tensor) -> str:
    return _mishears(12)(waveform)


@transcribe.alternative
def good_enough(waveform: torch.Tensor) -> str:
    return _mishears(8)(waveform)
