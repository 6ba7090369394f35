# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 13 · A recogniser of your own
#
# You train a small Transformer that turns real speech into letters, find out how good it is, where it fails and why,
# and try it on a recording of your own.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 120 minutes · about 170 CPU seconds, most of them training · you need: attention (unit 2), log-mel (3), the encoder
# block (6), AdamW and its schedule (8), CTC (9), error rates (12)
#
# You will be able to
# - train a speech recogniser from recordings and texts, with batches, augmentation and a schedule;
# - say how good it is on speech that it has never heard, and why that depends on what you ask;
# - measure what each part of it is worth.

# %% tags=["setup"]
# Set-up: run this cell first. Alone, as on Colab, it fetches the course into the folder sori (about 15 s).
import importlib.util, os, pathlib, shutil, subprocess, sys
places = [place for place in (pathlib.Path("../.."), pathlib.Path("sori")) if (place / "grader/notebook.py").exists()]
if not places and importlib.util.find_spec("grader") is None:
    if not shutil.which("git") or subprocess.run(["git", "clone", "--quiet", "--depth=1", "--branch={{branch}}", "{{repository}}", "sori"], env=dict(os.environ, GIT_TERMINAL_PROMPT="0")).returncode:
        stop = Exception("The course could not be fetched from {{repository}}.\nIs the network on, is git installed, does the address open in a browser? (OWNER in it: this notebook was released without one.)\nYou can also put the course's folder, called sori, beside this notebook. Then run this cell again."); stop._render_traceback_ = lambda: [str(stop)]; raise stop
sys.path[:0] = [str(place.resolve()) for place in places or [pathlib.Path("sori")]]
from grader.alone import prepare; prepare("{{version}}"); from grader.notebook import check, explore, load_clip, load_transcript, play, scorecard, show, solved

# %%
import math
import tempfile
import time
from collections import Counter, defaultdict
from html import escape
from itertools import groupby
from pathlib import Path

import matplotlib.pyplot as plt
import soundfile
import torch
import torchaudio
from IPython.display import HTML, display
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from grader.notebook import load_phrase, phrases

F = nn.functional  # its name everywhere
torch.set_num_threads(1)  # what is computed at once here is small
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.set_printoptions(sci_mode=False)

# %% [markdown] lang="en"
# ## The task
#
# Some phrases out of telephone announcements, all by one voice. **Listen, and guess** how many words this voice needs
# for all of its phrases together.

# %% tags=["demo"]
splits = {name: phrases(name) for name in ("training", "validation", "test")}
for phrase in (splits["training"][40], splits["training"][121], splits["test"][9]):
    play(load_phrase(phrase), f"“{phrase.text}”, from {phrase.name} ({phrase.split})")
words = Counter(word for phrase in splits["training"] for word in phrase.text.split())
print(f"{len(words)} different words; the most frequent: {', '.join(f'{w} ({n})' for w, n in words.most_common(8))}")
for name, every in splits.items():
    print(
        f"{name:10}: {len(every)} phrases, {len({phrase.text for phrase in every})} different texts, "
        f"{sum(phrase.end - phrase.start for phrase in every) / 60:.1f} minutes, {len({phrase.name for phrase in every})} announcements"
    )

# %% [markdown] lang="en"
# Six minutes of speech to learn from. Whisper had 680 000 hours. So the task is small on purpose: one voice, few words.
# But nobody tells the network that there are words. It gets samples in and must give letters out.
#
# The phrases are split by **announcement**: no test phrase was cut from an announcement that has a phrase in the
# training. Had we dealt out the phrases one by one, the network would be tested on the breath after the one that it
# was trained on. The **training** phrases are for learning, the **validation** phrases for looking while it learns,
# the **test** phrases for the end, and only for the end.
#
# The classes: the blank, the space, and a to z, 28 in all.

# %%
ALPHABET = "_ abcdefghijklmnopqrstuvwxyz"  # class 0 is the blank, class 1 the space
SEED = 0


def labels_of(text):
    """The class numbers of a text, (S,) int64."""
    return torch.tensor([ALPHABET.index(letter) for letter in text], dtype=torch.int64)


def texts_of(log_probs, lengths):
    """What the best path says, for each recording of a batch: a list of texts."""
    paths = [row[:length] for row, length in zip(log_probs.argmax(-1).tolist(), lengths.tolist(), strict=True)]
    texts = ["".join(ALPHABET[number] for number, _ in groupby(path) if number) for path in paths]
    return [" ".join(text.split()) for text in texts]  # single spaces


def prepared(waveform):
    """A phrase as the network wants it: faded in and out over 10 ms, with 0.1 s of silence on both sides."""
    fade = torch.linspace(0, 1, min(160, len(waveform) // 2), device=waveform.device)
    envelope = torch.ones_like(waveform)
    envelope[: len(fade)] = fade
    envelope[len(waveform) - len(fade) :] = fade.flip(0)
    return F.pad(waveform * envelope, (1600, 1600))


# %% [markdown] lang="en"
# Why `prepared`? A phrase cut out of a sentence begins in the middle of a movement of the mouth. Cut hard, it begins
# with a click, which the front end sees as energy in all bands, in **every** phrase. And CTC needs frames: a hurried
# *to* lasts 50 ms; with silence around it there is room to write two letters.
#
# ## A batch
#
# Phrases are not equally long; the rows of a tensor are. So a batch has four things in it: the waveforms filled up
# with zeros, how many samples of each row are real, the texts filled up with zeros, and how many labels of each row
# are real. Whoever forgets a length later teaches the network that silence is spelled with blanks, or worse.
#
# For example: recordings of 3 and 5 samples with the texts *no* and *a*:
#
# $$\text{waveforms} = \begin{pmatrix} \cdot & \cdot & \cdot & 0 & 0 \\ \cdot & \cdot & \cdot & \cdot & \cdot \end{pmatrix}
# \quad \text{lengths} = (3, 5) \qquad
# \text{targets} = \begin{pmatrix} 15 & 16 \\ 2 & 0 \end{pmatrix} \quad \text{target lengths} = (2, 1)$$

# %% [markdown] lang="en"
# ### Exercise 13.1 · A batch · ★☆☆ · 5 min · 2 points
#
# `collate(waveforms, targets)` puts recordings and their texts into one dict:
#
# - `"waveforms"`: `(B, T)`, each recording from index 0, then zeros; T is the longest;
# - `"lengths"`: `(B,)` int64, how many samples each recording has (zeros inside a recording are samples, too);
# - `"targets"`: `(B, S)`, each text from index 0, then zeros; S is the longest;
# - `"target_lengths"`: `(B,)` int64.
#
# The order stays as it is. One recording alone is a batch. A text may be empty. The dtype stays as it is.
#
# <details><summary>Hint 1: filling up</summary>
# <code>torch.nn.utils.rnn.pad_sequence</code> does it. Which dimension does it put first?
# </details>
# <details><summary>Hint 2: nearly all</summary>
# <code>pad_sequence(waveforms, batch_first=True)</code>; and the lengths are those that you measure <i>before</i>
# filling up, <code>[len(w) for w in waveforms]</code> as a tensor.
# </details>

# %% nbgrader={"grade": false, "grade_id": "collate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def collate(waveforms: list[torch.Tensor], targets: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """One batch out of B recordings and their texts.

    Args:
        waveforms: B recordings, each `(T_i,)`.
        targets: B texts as class numbers, each `(S_i,)` int64; S_i may be 0.

    Returns:
        `waveforms` `(B, T)`, `lengths` `(B,)` int64, `targets` `(B, S)`, `target_lengths` `(B,)` int64.
    """
    ### BEGIN SOLUTION
    pad = nn.utils.rnn.pad_sequence
    return {
        "waveforms": pad(waveforms, batch_first=True),
        "lengths": torch.tensor([len(waveform) for waveform in waveforms]),
        "targets": pad(targets, batch_first=True),
        "target_lengths": torch.tensor([len(target) for target in targets]),
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_collate", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(collate)
example = collate([torch.tensor([0.1, 0.2, 0.3]), torch.ones(5)], [labels_of("no"), labels_of("a")])
print(example["waveforms"], "expected: two rows of five, the first ends in two zeros")
print(example["lengths"], example["target_lengths"], "expected: [3, 5] and [2, 1]")
print(example["targets"], "expected: [[15, 16], [2, 0]]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(collate)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# How much of a batch is padding? Here are sixteen phrases as they come, and sixteen of nearly the same length.
# **Predict** what part of each picture is dark.

# %% tags=["demo"]
chance = torch.Generator().manual_seed(SEED)
some = [splits["training"][i] for i in torch.randperm(len(splits["training"]), generator=chance)[:96]]
near = sorted(some, key=lambda phrase: phrase.end - phrase.start)[48:64]
figure, columns = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
shares = []
for axes, chosen, title in zip(columns, (some[:16], near), ("as they come", "of nearly the same length"), strict=True):
    batch = collate([load_phrase(phrase) for phrase in chosen], [labels_of(phrase.text) for phrase in chosen])
    real = torch.arange(batch["waveforms"].shape[1]) < batch["lengths"][:, None]
    shares.append(1 - real.float().mean().item())
    seconds = batch["waveforms"].shape[1] / 16_000
    axes.imshow(real[:, ::160], aspect="auto", cmap="cividis", vmin=0, vmax=1, extent=(0, seconds, 16, 0), interpolation="nearest")
    axes.set(title=f"16 phrases, {title}", xlabel="time (s)", ylabel="row of the batch")
show(figure, f"Yellow is speech, dark is padding: {shares[0]:.0%} of the batch on the left, {shares[1]:.0%} on the right.")

# %% [markdown] lang="en"
# The network computes for padding as for speech, and the result is thrown away. So the batches below are made of
# phrases of similar lengths.
#
# ## Batches that never repeat
#
# 502 phrases, each heard some forty times: a network with more than half a million numbers to set can learn them by
# heart, and the order of the words in them. So each phrase is changed a little each time that it is used (**augmentation**):
#
# - **joined**: most batches hold phrases strung together at random, up to 3 s. *press one* + *to* + *your password is*
#   was never said, and what comes next can no longer be guessed from what came before;
# - **speed**: played 12 % slower to 12 % faster, like a tape;
# - **loudness**: up to 6 dB softer or louder;
# - **masks**: inside the network two bands of the spectrogram and two stretches of time are blanked, so that no single
#   clue is enough (SpecAugment, 2019).
#
# Each batch has about 16 s of speech in it: a few long rows or many short ones.

# %%
training = [(prepared(load_phrase(phrase)), labels_of(phrase.text)) for phrase in phrases("training")]


def uniform(chance, low=0.0, high=1.0):
    """A random number."""
    return low + (high - low) * torch.rand((), generator=chance).item()


def shuffled(items, chance):
    """All items in random order, and again, without end."""
    while True:
        yield from (items[i] for i in torch.randperm(len(items), generator=chance).tolist())


def altered(waveform, chance):
    """A phrase at another speed and loudness, with less silence around it."""
    speed, decibels = uniform(chance, 0.88, 1.12), uniform(chance, -6, 6)
    waveform = F.interpolate(waveform[None, None], scale_factor=1 / speed, mode="linear")[0, 0]
    cut = [int(uniform(chance, 0, 1500)) for _ in range(2)]
    return waveform[cut[0] : len(waveform) - cut[1]] * 10 ** (decibels / 20)


def strung(source, chance, seconds, alter):
    """Phrases strung together until they last as long: a waveform and its labels."""
    waveforms, targets = [], []
    while not waveforms or sum(map(len, waveforms)) < seconds * 16_000:
        waveform, target = next(source)
        waveforms.append(altered(waveform, chance) if alter else waveform)
        targets += [labels_of(" "), target] if targets else [target]
    return torch.cat(waveforms), torch.cat(targets)


def draw_batch(source, chance, join=True, alter=True, seconds=16):
    """Waveforms and targets of one batch, as lists."""
    length = uniform(chance, 0, 3) if join and uniform(chance) < 0.8 else 0
    if length > 0.5:
        drawn = [strung(source, chance, length, alter) for _ in range(math.ceil(seconds / (length + 0.5)))]
    else:
        many = sorted((strung(source, chance, 0, alter) for _ in range(48)), key=lambda one: len(one[0]))
        start = int(uniform(chance, 0, 30))
        drawn = [many[start]]
        for one in many[start + 1 :]:
            if sum(len(waveform) for waveform, _ in drawn) < seconds * 16_000:
                drawn.append(one)
    return [list(part) for part in zip(*drawn, strict=True)]


# %% tags=["demo"]
chance = torch.Generator().manual_seed(3)
source = shuffled(training, chance)
for seconds in (0, 2):
    waveform, target = strung(source, chance, seconds, alter=True)
    play(waveform, f"what the network hears: “{''.join(ALPHABET[label] for label in target)}”")

# %% [markdown] lang="en"
# ## The network
#
# Everything in it you have built before.
#
# 1. **Front end** (unit 3): 40 log-mel bands, every 10 ms.
# 2. **Stem** (units 4 and 6): a convolution over 7 frames with stride 3: one vector of 144 numbers every 30 ms.
# 3. **Convolutions** (unit 4): four of them, over 5 frames, each added to what went in (a residual).
# 4. **Attention** (units 2 and 6): one encoder block with four heads.
# 5. **Head** (unit 10): 28 log-probabilities a frame, for CTC (unit 9).
#
# Why both? A letter is a matter of its neighbourhood, and a convolution is made for that: it looks at the same few
# frames, with the same weights, everywhere. Attention can look anywhere, but it has to **learn** to look nearby. With
# six minutes to learn from, that is a lot to ask. There are no position encodings: the convolutions know what is beside
# what. We shall measure below whether attention is worth its price.
#
# The model takes waveforms and lengths in samples, and returns log-probabilities and lengths in frames.

# %%
class FrontEnd(nn.Module):
    """(B, T) samples → (B, 40, 1 + T // 160) log-mel bands, near ±1."""

    def __init__(self):
        super().__init__()
        bank = torchaudio.functional.melscale_fbanks(201, 0.0, 8000.0, 40, 16_000, norm="slaney", mel_scale="slaney")
        self.register_buffer("bank", bank.T.contiguous(), persistent=False)  # (40, 201)
        self.register_buffer("window", torch.hann_window(400), persistent=False)

    def forward(self, waveforms):
        spectrum = torch.stft(waveforms, 400, 160, window=self.window, pad_mode="constant", return_complex=True)
        power = spectrum.real**2 + spectrum.imag**2
        return ((self.bank @ power + 1e-6).log() + 6) / 4


class Convolution(nn.Module):
    """(B, D, T) → (B, D, T): what it finds in five frames, added to what came in."""

    def __init__(self, width):
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 5, padding=2)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout1d(0.1)

    def forward(self, x, real):
        return x + self.dropout(F.gelu(self.norm(self.convolution(x * real))))


class Attention(nn.Module):
    """(B, T, D) → (B, T, D): a pre-norm encoder block."""

    def __init__(self, width, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout1d(0.1)

    def split(self, x):
        """Queries, keys and values, (3, B, heads, T, D / heads)."""
        return self.inputs(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def forward(self, x, real):
        seen = F.scaled_dot_product_attention(*self.split(x), attn_mask=real[:, :, None])
        x = x + self.drop(self.output(seen.transpose(1, 2).flatten(2)))
        return x + self.drop(self.narrow(F.gelu(self.wide(self.norm2(x)))))

    def drop(self, x):
        return self.dropout(x.mT).mT  # whole channels


class Recogniser(nn.Module):
    """(B, T) samples and (B,) lengths → (B, T', 28) log-probabilities and (B,) lengths, one frame every 30 ms."""

    def __init__(self, width=144, convolutions=4, attentions=1, masks=True):
        super().__init__()
        self.masks = masks
        self.front_end = FrontEnd()
        self.stem = nn.Conv1d(40, width, 7, stride=3, padding=3)
        self.stem_norm = nn.BatchNorm1d(width)
        self.convolutions = nn.ModuleList(Convolution(width) for _ in range(convolutions))
        self.attentions = nn.ModuleList(Attention(width) for _ in range(attentions))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(ALPHABET))

    def forward(self, waveforms, lengths):
        mel = self.front_end(waveforms)  # (B, 40, frames of 10 ms)
        if self.training and self.masks:
            for dimension, widest in ((1, 8), (2, 12), (1, 8), (2, 12)):
                mel = blanked(mel, dimension, widest)
        x = F.gelu(self.stem_norm(self.stem(mel)))  # (B, D, frames of 30 ms)
        lengths = (lengths // 160) // 3 + 1
        real = (torch.arange(x.shape[-1], device=x.device) < lengths[:, None])[:, None]  # (B, 1, T')
        for block in self.convolutions:
            x = block(x, real)
        x = x.mT
        for block in self.attentions:
            x = block(x, real)
        return self.head(self.norm(x)).log_softmax(-1), lengths


def blanked(mel, dimension, widest):
    """A stretch of a random width, in bands (1) or frames (2), set to 0 in each row of the batch."""
    size = mel.shape[dimension]
    width = torch.rand(len(mel), 1, device=mel.device) * widest
    first = torch.rand(len(mel), 1, device=mel.device) * (size - width)
    place = torch.arange(size, device=mel.device)
    inside = (place >= first) & (place < first + width)  # (B, size)
    return mel.masked_fill(inside[:, :, None] if dimension == 1 else inside[:, None], 0)


torch.manual_seed(SEED)
model = Recogniser().to(device)

# %% tags=["demo"]
parts = {"stem": [model.stem, model.stem_norm], "convolutions": model.convolutions, "attention": model.attentions,
         "head": [model.norm, model.head]}
for part, modules in parts.items():
    print(f"{sum(p.numel() for module in modules for p in module.parameters()):8} parameters in {part}")
print(f"{sum(p.numel() for p in model.parameters()):8} in all")

# %% [markdown] lang="en"
# ## A step
#
# One step of training is the same for every network with a CTC head: train mode, clear the gradients, forward, loss,
# backward, step. **Which of these can be forgotten without an error message?** (All of them but the forward pass.)
#
# A reminder from unit 9: a text that needs more frames than there are has probability 0, and the loss is infinite. One
# such phrase would fill every weight with NaN. `F.ctc_loss` has an option that leaves it out.

# %% [markdown] lang="en"
# ### Exercise 13.2 · A training step · ★★☆ · 10 min · 3 points
#
# `train_step(model, batch, optimizer)` makes **one** step on the CTC loss and returns that loss as a float, as it was
# **before** the step.
#
# - `model(waveforms, lengths)` returns log-probabilities `(B, T', C)` and the number of real frames of each row `(B,)`.
# - The loss is `F.ctc_loss` with its own `mean` (each recording's loss divided by the length of its text, then the mean
#   over the batch) and blank 0. It wants the log-probabilities as `(T', B, C)`.
# - A recording too short for its text counts 0, not infinity, and has no gradient. One in which nothing is said counts
#   like the others.
# - Gradients that are left over from before do not count. Those of this step reach the optimizer as they are: not
#   clipped, `train` will see to that.
# - The model may come in eval mode. It is in train mode while it learns, and afterwards.
#
# Your function is tried on small models with optimizers of their own, not on the one above. `check` compares what is
# found afterwards: `losses` (what you returned), `weight` and `bias` of the model, and the modes it was in.
#
# <details><summary>Hint 1: the order</summary>
# Mode, clear, forward, loss, backward, step. <code>transpose(0, 1)</code> exchanges batch and time.
# </details>
# <details><summary>Hint 2: the loss</summary>
# <code>F.ctc_loss(log_probs, targets, frames, target_lengths, zero_infinity=True)</code>; a tensor with one number
# becomes a float with <code>.item()</code>.
# </details>

# %% nbgrader={"grade": false, "grade_id": "train_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_step(model: nn.Module, batch: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer) -> float:
    """One optimiser step on the CTC loss.

    Args:
        model: called with waveforms `(B, T)` and lengths `(B,)`; returns log-probabilities `(B, T', C)` and lengths `(B,)`.
        batch: what `collate` returns.
        optimizer: holds the model's parameters.

    Returns:
        The loss before the step.
    """
    ### BEGIN SOLUTION
    model.train()
    optimizer.zero_grad()
    log_probs, frames = model(batch["waveforms"], batch["lengths"])
    texts = batch["targets"], frames, batch["target_lengths"]
    loss = F.ctc_loss(log_probs.transpose(0, 1), *texts, zero_infinity=True)
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_train_step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(train_step)


class Fixed(nn.Module):
    """Says the same two classes in every frame, whatever it hears."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(2))

    def forward(self, waveforms, lengths):
        return self.scores.log_softmax(0).expand(*waveforms.shape, 2), lengths


fixed = Fixed()
one = {"waveforms": torch.zeros(1, 2), "lengths": torch.tensor([2]), "targets": torch.tensor([[1]]), "target_lengths": torch.tensor([1])}
descent = torch.optim.SGD(fixed.parameters(), lr=1.0)
print(f"{train_step(fixed, one, descent):.4f} expected: three of four paths spell the text, -ln 3/4 = 0.2877")
print(fixed.scores.data, "expected: [-0.3333, 0.3333]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(train_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ## Training
#
# The learning rate rises for 100 steps, then falls along a cosine to 0 (unit 8). Gradients are clipped to norm 1 right
# before each step. Every 200 steps the network writes down what it hears in the validation phrases.
#
# **Write down a guess**: after how many steps will half of the letters be right? The loss of the first steps is large
# and falls quickly; unit 9 told you what is learned then.

# %%
STEPS = 1200


def error_rate(references, answers, unit=list):
    """Errors over all references divided by their length: CER, or WER where unit is str.split."""
    pairs = zip(references, answers, strict=True)
    errors = sum(torchaudio.functional.edit_distance(unit(one), unit(other)) for one, other in pairs)
    return errors / sum(len(unit(reference)) for reference in references)


def heard_by(network, waveforms):
    """Log-probabilities (N, T', 28) and lengths (N,) for waveforms, thirty-two at a time, in eval mode."""
    network.eval()
    outputs = []
    with torch.no_grad():
        for start in range(0, len(waveforms), 32):
            some = [prepared(waveform) for waveform in waveforms[start : start + 32]]
            batch = collate(some, [labels_of("")] * len(some))
            outputs.append(network(batch["waveforms"].to(device), batch["lengths"].to(device)))
    longest = max(log_probs.shape[1] for log_probs, _ in outputs)
    return (
        torch.cat([F.pad(log_probs, (0, 0, 0, longest - log_probs.shape[1])) for log_probs, _ in outputs]).cpu(),
        torch.cat([lengths for _, lengths in outputs]).cpu(),
    )


def train(network, steps, label="training", join=True, alter=True, every=200):
    """Train, and return the history: losses by step, CER of the validation phrases by step."""
    torch.manual_seed(SEED)
    chance = torch.Generator().manual_seed(SEED)
    source = shuffled(training, chance)
    held = [load_phrase(phrase) for phrase in phrases("validation")]
    texts = [phrase.text for phrase in phrases("validation")]
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01)
    optimizer.register_step_pre_hook(lambda *_: nn.utils.clip_grad_norm_(network.parameters(), 1.0) and None)
    rise = min(100, steps // 4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min((k + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * max(0, k - rise) / (steps - rise)))
    )
    losses, rates = [], {}
    bar = tqdm(range(1, steps + 1), desc=label, file=sys.stdout, ncols=100, mininterval=1)
    for step in bar:
        batch = collate(*draw_batch(source, chance, join, alter))
        losses.append(train_step(network, {name: part.to(device) for name, part in batch.items()}, optimizer))
        schedule.step()
        if step % every == 0:
            rates[step] = error_rate(texts, texts_of(*heard_by(network, held)))
        if step % 20 == 0:
            recent = sum(losses[-20:]) / 20
            bar.set_postfix_str(f"loss {recent:.2f}, CER {list(rates.values())[-1]:.2f}" if rates else f"loss {recent:.2f}", refresh=False)
    return {"losses": losses, "rates": rates}


# %% [markdown] lang="en"
# The next cell trains your model, with your `collate` and your `train_step`, and it does so again while you are
# graded, without the test phrases. You may change everything above it: the network, the batches, `train`. But leave
# this cell itself as it is: only as it stands here does the grader give it fifteen minutes instead of one.
#
# Run twice, it trains the same network further. To begin anew, for example after mending `train_step`, first run the
# cell again in which `model` is made.

# %% tags=["training"]
began = time.perf_counter(), time.process_time()
history = train(model, STEPS)
print(
    f"{time.perf_counter() - began[0]:.0f} s by the clock, {time.process_time() - began[1]:.0f} s of the processor; "
    f"validation CER {error_rate([p.text for p in phrases('validation')], texts_of(*heard_by(model, [load_phrase(p) for p in phrases('validation')]))):.3f}"
)

# %% tags=["demo"]
spare = Recogniser().to(device)  # a step on a spare network: where there is no train_step yet, there is nothing to draw
parts = collate([torch.zeros(1600)], [labels_of("a")])
train_step(spare, {name: part.to(device) for name, part in parts.items()}, torch.optim.SGD(spare.parameters(), lr=0.0))
losses, rates = torch.tensor(history["losses"]), history["rates"]
smooth = losses.unfold(0, 20, 1).mean(-1)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
left.semilogy(losses, color="#CCCCCC", linewidth=0.6, label="each batch")
left.semilogy(torch.arange(len(smooth)) + 19, smooth, color="#0072B2", label="mean of 20")
left.set(title="The loss of the training batches", xlabel="step", ylabel="CTC loss per letter (nats)")
left.legend()
right.plot(list(rates), list(rates.values()), color="#D55E00", marker="o")
right.set(title="Validation phrases", xlabel="step", ylabel="CER", ylim=(0, None))
show(figure, f"The loss falls from {losses[0]:.1f} to {smooth[-1]:.2f}. The CER of the validation phrases falls from "
     f"{next(iter(rates.values())):.2f} after {next(iter(rates))} steps to {list(rates.values())[-1]:.2f} after {list(rates)[-1]}.")

# %% [markdown] lang="en"
# For the first steps the network learns to write nothing: blanks are never very wrong. Then it finds the first letter
# that pays, and the loss falls as it finds the others.
#
# ## Transcribe
#
# Now the whole way, from samples to text, in one function. Two traps wait here, and neither raises an error. In train
# mode dropout and masks go on: the same recording gives one text now and another one later. And a network that was
# trained on phrases with a fade and silence around them wants its recordings like that.

# %% [markdown] lang="en"
# ### Exercise 13.3 · From sound to text · ★★☆ · 10 min · 6 points
#
# `transcribe(waveform)` returns what **your trained** `model` hears in one recording, as a string of a–z and spaces,
# without spaces at the ends. You may use `prepared`, `collate` and `texts_of`, or something better (a beam search).
#
# - The same recording gives the same text each time, with single spaces between words and doubled letters doubled.
# - Silence gives a string, whatever is in it, and so does a recording of one sample. A long recording is heard to its end.
#
# The grader runs your notebook, the training included, then plays recordings to `transcribe`. Most of them hold two or
# three phrases, one running into the other, a few hold a dozen; they are a little faster or slower, louder or softer
# than you know them, with a noise so faint that you hardly hear it. The first ones are made of phrases that you have
# (`check` plays such recordings, too), those that decide are made of the **test** phrases, which are not there while
# you are graded: `phrases("test")` is empty then. With a CER above 0.60 on these, or above 0.45 on training phrases,
# there are no points; for 0.45, 0.30 and 0.20 there are more and more. What the text above suggests reaches about 0.12.
#
# <details><summary>Hint 1: what to call</summary>
# <code>model.eval()</code>, <code>with torch.no_grad():</code>, a batch of one. Where does the model live? Its batch must
# be on the same <code>device</code>.
# </details>
# <details><summary>Hint 2: nearly all</summary>
# <code>batch = collate([prepared(waveform)], [labels_of("")])</code>, then the model, then
# <code>texts_of(log_probs, lengths)</code>, which returns a list with one text in it.
# </details>

# %% nbgrader={"grade": false, "grade_id": "transcribe", "locked": false, "schema_version": 3, "solution": true, "task": false}
def transcribe(waveform: torch.Tensor) -> str:
    """What the trained `model` hears.

    Args:
        waveform: `(T,)` float32, 16 kHz.

    Returns:
        A text of a–z and single spaces.
    """
    ### BEGIN SOLUTION
    model.eval()
    batch = collate([prepared(waveform)], [labels_of("")])
    with torch.no_grad():
        said = model(batch["waveforms"].to(device), batch["lengths"].to(device))
    return texts_of(*said)[0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_transcribe", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check(transcribe)
for phrase in phrases("training")[40:43] + phrases("validation")[5:8]:
    print(f"{phrase.split:10} said: {phrase.text!r:45} yours: {transcribe(load_phrase(phrase))!r}")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(transcribe)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ## How good is it?
#
# Now, once, the test phrases. Two decoders read what the network says: the best path (greedy), and a beam search that
# adds up all the paths of a text (unit 9). **Predict** how much the beam search gains.

# %% tags=["demo"]
def add(a, b):
    """ln(eᵃ + eᵇ)."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def beam_text(log_probs, width=8, floor=-6.0):
    """The best text of (T, 28) log-probabilities, with classes below `floor` left out of each frame."""
    beam = {"": (0.0, -math.inf)}  # text → log-probability of its paths ending in a blank, in a letter
    for said in log_probs.tolist():
        scores = defaultdict(lambda: (-math.inf, -math.inf))
        useful = [(ALPHABET[k], value) for k, value in enumerate(said) if value > floor]
        for text, (blank, letter) in beam.items():
            for symbol, value in useful:
                if symbol == "_":
                    scores[text] = add(scores[text][0], add(blank, letter) + value), scores[text][1]
                    continue
                doubled = text.endswith(symbol)
                if doubled:
                    scores[text] = scores[text][0], add(scores[text][1], letter + value)
                more = text + symbol
                scores[more] = scores[more][0], add(scores[more][1], (blank if doubled else add(blank, letter)) + value)
        beam = dict(sorted(scores.items(), key=lambda pair: -add(*pair[1]))[:width])
    return next(iter(beam)).strip()


transcribe(torch.zeros(1600))  # what follows needs a model that is trained
test = phrases("test")
waveforms = [load_phrase(phrase) for phrase in test]
references = [phrase.text for phrase in test]
log_probs, lengths = heard_by(model, waveforms)
answers = {
    "greedy": texts_of(log_probs, lengths),
    "beam of 8": [beam_text(row[:length]) for row, length in zip(log_probs, lengths, strict=True)],
}
for name, texts in answers.items():
    right = sum(one == other for one, other in zip(references, texts, strict=True))
    print(
        f"{name:10} CER {error_rate(references, texts):.3f}   WER {error_rate(references, texts, str.split):.3f}   "
        f"{right} of {len(test)} phrases without an error"
    )
changed = sum(one != other for one, other in zip(*answers.values(), strict=True))
gained = [round(error_rate(references, texts) * sum(map(len, references))) for texts in answers.values()]
print(f"the two differ in {changed} of {len(test)} phrases: {gained[0]} wrong letters become {gained[1]}")

# %% [markdown] lang="en"
# A beam search alone finds the network's own best text; it knows no words. Where the network is sure of each letter,
# the best path **is** the best text. So little is gained: in five trainings of the authors' the CER fell from 0.089 to
# 0.085 on average.
#
# Read the errors. Below each reference stands what was heard, letter under letter as the edit distance aligns them
# (unit 12). Orange with a line below: another letter. Blue with dots below: a letter too much. A pink dash: a letter
# missing. **Look for a pattern** before you read on: which words, which places in a word?

# %% tags=["demo"]
def letter_pairs(reference, answer):
    """(reference letter or "", answered letter or "") along a shortest way through the edit table."""
    table = {(i, 0): i for i in range(len(reference) + 1)} | {(0, j): j for j in range(len(answer) + 1)}
    for i, a in enumerate(reference, 1):
        for j, b in enumerate(answer, 1):
            table[i, j] = min(table[i - 1, j - 1] + (a != b), table[i - 1, j] + 1, table[i, j - 1] + 1)
    i, j, pairs = len(reference), len(answer), []
    while i or j:
        if i and j and table[i, j] == table[i - 1, j - 1] + (reference[i - 1] != answer[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((reference[i], answer[j]))
        elif i and table[i, j] == table[i - 1, j] + 1:
            i -= 1
            pairs.append((reference[i], ""))
        else:
            j -= 1
            pairs.append(("", answer[j]))
    return pairs[::-1]


def coloured(reference, answer):
    """One line of HTML: the answer's letters, coloured where they differ from the reference."""
    cells = []
    for want, got in letter_pairs(reference, answer):
        if want == got:
            style, shown = "", got
        elif not got:
            style, shown = "color:#A8327F;font-weight:bold", "–"
        elif not want:
            style, shown = "color:#0072B2;font-weight:bold;border-bottom:2px dotted", got
        else:
            style, shown = "color:#B34700;font-weight:bold;border-bottom:2px solid", got
        top = escape(want or "·").replace(" ", "&nbsp;")
        below = escape(shown).replace(" ", "␣" if style else "&nbsp;")
        cells.append(
            f'<span style="display:inline-block;text-align:center;min-width:0.62em"><span style="color:#555">{top}</span>'
            f'<br><span style="{style}">{below}</span></span>'
        )
    return f'<div style="font-family:monospace;margin:6px 0;line-height:1.25">{"".join(cells)}</div>'


transcribe(torch.zeros(1600))
wrong = [
    sum(a != b for a, b in letter_pairs(reference, answer))
    for reference, answer in zip(references, answers["greedy"], strict=True)
]
worst = sorted(range(len(test)), key=lambda i: -wrong[i])
lines = []
for i in worst[:12]:
    for name in answers:
        if name == "greedy" or answers[name][i] != answers["greedy"][i]:
            lines.append(f'<div style="color:#555;font-size:85%">{escape(test[i].name)}, {name}</div>')
            lines.append(coloured(references[i], answers[name][i]))
display(HTML(f'<div style="background:white;color:black;padding:4px">{"".join(lines)}</div>'))
print(f"{len(worst[:12])} of {sum(n > 0 for n in wrong)} phrases with errors; the beam search is shown where it says something else")
vocabulary = {word for phrase in phrases("training") for word in phrase.text.split()}
missed = [
    word
    for reference, answer in zip(references, answers["greedy"], strict=True)
    for word in answer.split()
    if word not in reference.split()
]
invented = [word for word in missed if word not in vocabulary]
print(f"{len(missed)} words were written that were not said; {len(invented)} of them are none of the {len(vocabulary)} words: {', '.join(invented[:12])}")

# %% [markdown] lang="en"
# The network spells by ear: most of its errors are words that do not exist, and a dictionary or a language model would
# have stopped them. Others are short words, cut out of the middle of a sentence. Listen to the four worst. Would **you**
# have known what was said, without the words around it?

# %% tags=["demo"]
transcribe(torch.zeros(1600))
for i in worst[:4]:
    play(waveforms[i], f"said “{references[i]}”, heard “{answers['greedy'][i]}”")

# %% [markdown] lang="en"
# ## Seen and unseen
#
# The test phrases are new recordings. But *please enter your* is in many announcements, so that **text** was in the
# training too, said at another time. Other texts were in none of the training's announcements. **Predict** by what
# factor the CER differs between texts seen and texts unseen.

# %% tags=["demo"]
transcribe(torch.zeros(1600))
known = {phrase.text for phrase in phrases("training")}
groups = {
    "training (every third)": phrases("training")[::3],
    "test, text seen": [phrase for phrase in test if phrase.text in known],
    "test, text unseen": [phrase for phrase in test if phrase.text not in known],
}
scores = {}
for name, group in groups.items():
    texts = [phrase.text for phrase in group]
    found = texts_of(*heard_by(model, [load_phrase(phrase) for phrase in group]))
    scores[name] = error_rate(texts, found), error_rate(texts, found, str.split)
    print(
        f"{name:24} {len(group):4} phrases, {sum(map(len, texts)) / len(texts):4.1f} letters each: "
        f"CER {scores[name][0]:.3f}, WER {scores[name][1]:.3f}"
    )
figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
places = torch.arange(3)
axes.barh(places - 0.18, [cer for cer, _ in scores.values()], 0.36, color="#0072B2", label="CER")
axes.barh(places + 0.18, [wer for _, wer in scores.values()], 0.36, color="#E69F00", label="WER")
axes.set_yticks(places, list(scores))
axes.invert_yaxis()
axes.set(title="One recogniser, three questions", xlabel="errors / length of the reference")
axes.legend()
show(figure, "CER " + ", ".join(f"{cer:.3f} ({name})" for name, (cer, _) in scores.items())
     + f". Unseen texts have {scores['test, text unseen'][0] / scores['test, text seen'][0]:.1f} times the CER of seen ones.")

# %% [markdown] lang="en"
# "How good is it?" has no answer until somebody says on what. A score on the training phrases says how well it
# remembers. A score on the seen texts says how well it hears **if it knows what is going to be said**. Only the last
# line says how it would do on a new announcement, by the same voice, with the same words. And nothing here says how it
# does with another voice. Try it:

# %% tags=["demo"]
transcribe(torch.zeros(1600))
for name in ("austen-0890", "austen-0930"):
    waveform = load_clip(name)
    play(waveform, f"a man reads: “{load_transcript(name)}”")
    print(f"{name}: heard {transcribe(waveform)!r}, CER {error_rate([load_transcript(name)], [transcribe(waveform)]):.2f}")

# %% [markdown] lang="en"
# Another voice, another room, and words that it has never met: hardly a word is left.
#
# ## What does it look at?
#
# Where are the letters? CTC lets the network write when it likes. The forced alignment of unit 9 says which frames
# belong to which letter, and so to which word. Below it: from four frames, those in which a word's first letter is
# written, how attention is spread over the recording, by each of the four heads.

# %% tags=["demo"]
def heads_of(network, waveform):
    """The weights of the attention block (heads, T', T'), recomputed from what came into it."""
    block, caught = network.attentions[0], []
    hook = block.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    said, _ = heard_by(network, [waveform])
    hook.remove()
    with torch.no_grad():
        queries, keys, _ = block.split(caught[0])
    return (queries @ keys.mT / keys.shape[-1] ** 0.5).softmax(-1)[0].cpu(), said[0]


def word_places(said, text):
    """By forced alignment: (letter, first frame, end) of every letter, and (word, first frame, end) of every word."""
    path, _ = torchaudio.functional.forced_align(said[None], labels_of(text)[None].int())
    letters, frame = [], 0
    for label, run in groupby(path[0].tolist()):
        count = len(list(run))
        if label:
            letters.append((ALPHABET[label], frame, frame + count))
        frame += count
    words, start = [], 0
    for word in text.split():
        words.append((word, letters[start][1], letters[start + len(word) - 1][2]))
        start += len(word) + 1
    return letters, words


transcribe(torch.zeros(1600))
right = [i for i in range(len(test)) if answers["greedy"][i] == references[i]]
chosen = max(right, key=lambda i: (references[i] not in known, len(references[i].split())))
weights, said = heads_of(model, waveforms[chosen])
letters, places = word_places(said, references[chosen])
STEP = 0.03  # seconds between two frames
spoken = prepared(waveforms[chosen])
end = len(said) * STEP
figure, rows = plt.subplots(3, 1, figsize=(10, 7.4), height_ratios=[2, 1.4, 2], sharex=True, layout="constrained")
with torch.no_grad():
    mel = model.front_end(spoken[None].to(device))[0].cpu()
extent = (-0.005, mel.shape[1] * 0.01 - 0.005, 0, 40)
image = rows[0].imshow(mel, origin="lower", aspect="auto", cmap="magma", extent=extent)
figure.colorbar(image, ax=rows[0], label="log-mel (scaled)")
for word, first, last in places:
    for edge in (first - 0.5, last - 0.5):
        rows[0].axvline(edge * STEP, color="white", linewidth=0.8)
    rows[0].text((first + last - 1) / 2 * STEP, 37, word, ha="center", va="center", color="white", fontsize=10, fontweight="bold",
                 bbox={"facecolor": "black", "alpha": 0.6, "pad": 1, "linewidth": 0})
rows[0].set(title=f"Test recording {test[chosen].name}: the words where CTC puts them", ylabel="mel band")
times = torch.arange(len(said)) * STEP
rows[1].plot(times, said[:, 0].exp(), color="#999999", linewidth=2, label="blank")
rows[1].plot(times, said[:, 1].exp(), color="#E69F00", linewidth=1.5, label="space")
rows[1].plot(times, said[:, 2:].exp(), color="#0072B2", linewidth=1)
for letter, first, last in letters:
    frame = first + said[first:last, ALPHABET.index(letter)].argmax().item()
    rows[1].text(frame * STEP, 1.04, letter, ha="center", fontsize=11)
rows[1].legend(loc="center left", fontsize=9)
rows[1].set(title="The probability of the letters (blue, named where they are written), the space, the blank", ylabel="probability",
            ylim=(0, 1.2))
asked = [first for _, first, _ in places][:4]
grid = torch.cat([weights[:, frame] for frame in asked])  # 4 rows a word, one a head
image = rows[2].imshow(grid, aspect="auto", cmap="viridis", vmin=0, extent=(-STEP / 2, end - STEP / 2, len(grid), 0), interpolation="nearest")
for n, frame in enumerate(asked):
    rows[2].plot([frame * STEP] * 2, [4 * n, 4 * n + 4], color="#E69F00", linewidth=1.5, linestyle=":")
    rows[2].axhline(4 * n, color="white", linewidth=1.5)
rows[2].set_yticks([4 * n + 2 for n in range(len(asked))], [f"“{word}”" for word, *_ in places[: len(asked)]])
rows[2].set(title="From the frame of the dotted line: where each of four heads looks", xlabel="time (s)", ylabel="word (four heads each)")
figure.colorbar(image, ax=rows[2], label="weight")
blank_share = (said.argmax(-1)[letters[0][1] : letters[-1][2]] == 0).float().mean().item()
frames = torch.arange(len(said))
near = torch.stack([weights[:, frame, (frames - frame).abs() <= 5].sum(-1) for frame in asked]).mean().item()
even = sum(((frames - frame).abs() <= 5).float().mean().item() for frame in asked) / len(asked)
show(figure, f"“{references[chosen]}”: spectrogram with word borders, letter probabilities, attention. On average {near:.0%} of the attention of "
     f"these frames lies within 0.15 s of them; spread evenly it would be {even:.0%}. Between the first and the last letter {blank_share:.0%} of the frames say blank.")
play(waveforms[chosen], f"“{references[chosen]}”")
for word, first, last in places:
    print(f"{word:12} {first * STEP:.2f} to {last * STEP:.2f} s (0.1 s of them the silence in front)")

# %% [markdown] lang="en"
# A letter is written in one frame or a few, so the borders say where the network **wrote**, not exactly where the sound
# was (unit 9). The heads do not look where the convolutions look already, at the neighbours: different words look at the
# **same** few places. And weights are not reasons: a picture of attention shows where vectors were mixed from, not what
# decided. What attention is worth, only leaving it out can tell.
#
# ## What was it good for?
#
# The cell below trains the network again and again, each time without one of its parts, 100 steps each. **Predict** the
# order of the rows. Which of them would change their places if the training lasted 1 200 steps?

# %% tags=["demo", "training"]
SHORT = 100
trials = {
    "everything": ({}, {}),
    "no attention, two more convolutions": ({"convolutions": 6, "attentions": 0}, {}),
    "attention only, five blocks": ({"convolutions": 0, "attentions": 5}, {}),
    "phrases not joined": ({}, {"join": False}),
    "speed, loudness, masks off": ({"masks": False}, {"alter": False}),
}
collate([torch.zeros(1)], [labels_of("")])
test_texts, table = [phrase.text for phrase in phrases("test")], []
sounds = [load_phrase(phrase) for phrase in phrases("test")]
hurried = [F.interpolate(sound[None, None], scale_factor=1 / 1.12, mode="linear")[0, 0] / 2 for sound in sounds]
for name, (shape, batches) in trials.items():
    torch.manual_seed(SEED)
    network = Recogniser(**shape).to(device)
    started = time.process_time()
    train(network, SHORT, label=f"{name[:24]:24}", every=SHORT + 1, **batches)
    used = time.process_time() - started
    found = texts_of(*heard_by(network, sounds))
    new = [i for i, text in enumerate(test_texts) if text not in {phrase.text for phrase in phrases("training")}]
    size = sum(p.numel() for p in network.parameters())
    rates = (
        error_rate(test_texts, found),
        error_rate([test_texts[i] for i in new], [found[i] for i in new]),
        error_rate(test_texts, texts_of(*heard_by(network, hurried))),
    )
    table.append((name, size, used, *rates))
print(f"\n{'':38}{'parameters':>12}{'CPU s':>8}{'CER':>8}{'unseen':>8}{'12 % faster, 6 dB softer':>26}   after {SHORT} steps")
for name, size, used, *rates in table:
    print(f"{name:38}{size:12,}{used:8.0f}{rates[0]:8.3f}{rates[1]:8.3f}{rates[2]:26.3f}")

# %% [markdown] lang="en"
# **Do not believe this table.** It shows who learns **quickly**. At full length (`SHORT = STEPS`, some ten minutes;
# `benchmarks/capstone.py --ablation` does it) the rows were, on the authors' machine:
#
# | 1 200 steps | CER | CER unseen |
# |---|---|---|
# | everything (mean of five seeds) | 0.089 | 0.125 |
# | no attention, two more convolutions | 0.083 | 0.107 |
# | attention only, five blocks | 0.294 | 0.356 |
# | phrases not joined | 0.192 | 0.224 |
# | speed, loudness, masks off | 0.066 | 0.087 |
#
# Five seeds of the first row lie between 0.086 and 0.098, so differences of a hundredth mean little. Stringing phrases
# together, which looked like nothing after a few steps, halves the errors.
#
# The other alterations **cost** errors. Should we have left them out? The test is the same voice in the same studio, at
# the same speed: it does not ask for what they teach. Play the test phrases 12 % slower, and the network that trained
# with them has a CER of 0.114, one that trained without them 0.315. Augmentation is a statement about what will be
# different tomorrow. A test that is like the training cannot see what it is good for.
#
# And attention? **Here it does not pay.** What decides about a letter lies within a few tenths of a second, and four
# convolutions over five frames see 17 frames, half a second, already. What lies farther off are other words, and we strung
# them together at random: there was nothing to learn from them. Attention alone does not even know what is beside what.
# It pays where far things matter and where there are hundreds of hours to learn **which** far things: that a sentence
# that began with *if you would like* goes on with *press*. So keep the measurement, not the fashion.
#
# ## Keep it
#
# A model is its weights and the code that uses them. The weights are a dict of tensors, `state_dict()`, and
# [safetensors](https://github.com/huggingface/safetensors) writes such a dict into a file: a list of names, shapes and
# dtypes that you can read, then the numbers, nothing else. That matters when you load a file from **somebody else**:
# an old-fashioned `.pt` file is a pickle, and a pickle may run any program while it is read.

# %% tags=["demo"]
transcribe(torch.zeros(1600))
FILE = Path(tempfile.gettempdir()) / "recogniser.safetensors"  # to keep it for longer than today, name another folder
save_file(model.state_dict(), FILE)
again = Recogniser().to(device)
again.load_state_dict(load_file(FILE, device=str(device)))
there = texts_of(*heard_by(again, waveforms[:20]))
print(f"{FILE}: {FILE.stat().st_size / 2**20:.1f} MiB; the loaded model writes the same for "
      f"{sum(one == other for one, other in zip(there, answers['greedy'][:20], strict=True))} of 20 recordings")

# %% [markdown] lang="en"
# ## Your own voice
#
# Record yourself saying *please enter your password* (any recorder; WAV, FLAC, OGG or MP3), upload the file beside this
# notebook (on Colab: the folder icon at the left), put its name into the next cell and run it. The cell mixes the
# channels down, resamples to 16 kHz, brings the level to that of the announcements, cuts what is longer than 20 s, and
# says so if there is nothing to hear. Without a file it takes a shipped announcement at 44.1 kHz in stereo.

# %% tags=["demo"]
MY_RECORDING = ""  # the name of your file


def read_recording(path, longest=20.0):
    """(T,) samples at 16 kHz, of any file that soundfile reads. `ValueError` says what is wrong with a recording."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} is no sound file that soundfile can read ({error})") from error
    waveform = torch.from_numpy(samples).mean(1)
    if len(waveform) < 0.1 * rate:
        raise ValueError(f"{path} lasts {len(waveform) / rate:.2f} s: too short to hold a word")
    if len(waveform) > longest * rate:
        print(f"{path} lasts {len(waveform) / rate:.0f} s: only the first {longest:.0f} s are used")
        waveform = waveform[: int(longest * rate)]
    waveform = torchaudio.functional.resample(waveform, rate, 16_000) - waveform.mean()
    level = waveform.square().mean().sqrt()
    if not level > 1e-4:
        raise ValueError(f"{path} is silent: its level is {20 * math.log10(level + 1e-9):.0f} dB")
    return (waveform * (0.09 / level)).clamp(-1, 1)


transcribe(torch.zeros(1600))
path = MY_RECORDING
if not path:
    path = Path(tempfile.gettempdir()) / "example.wav"
    sound = torchaudio.functional.resample(load_clip("agent-pass"), 16_000, 44_100)
    soundfile.write(path, torch.stack([sound, 0.5 * sound], 1).numpy(), 44_100)
waveform = read_recording(path)
play(waveform, f"{Path(path).name}: heard “{transcribe(waveform)}”")
for name, samples in (("silence", torch.zeros(16_000)), ("click", torch.ones(100))):
    soundfile.write(Path(tempfile.gettempdir()) / f"{name}.wav", samples.numpy(), 16_000)
    try:
        read_recording(Path(tempfile.gettempdir()) / f"{name}.wav")
    except ValueError as problem:
        print(problem)

# %% [markdown] lang="en"
# If it understood you, you sound like Allison Smith. If it did not, you know what it would take: other voices, other
# rooms, other words. Deep Speech had 5 000 hours of them, Whisper 680 000; wav2vec 2.0 listened to 53 000 hours without
# texts and then needed ten minutes with them.
#
# ## What just happened
#
# - You trained a recogniser end to end: batches, a step, augmentation, a schedule, a decoder, a score.
# - **The mistake most people make**: they test on what the network has practically heard, phrases of the same recordings
#   or the same texts, and are surprised by the first stranger. Split by recording, and report seen and unseen apart.
# - The silent mistakes, again: a length forgotten, the wrong blank, gradients not cleared, eval mode forgotten. Each
#   trains, and each is found only by a check that looks for it.
# - **Where this appears:** [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020) has convolutions in front, too, on raw
#   samples, then twelve or twenty-four attention blocks and, to recognise speech, a head for CTC. [Conformer](https://arxiv.org/abs/2005.08100) (2020)
#   puts a convolution into every attention block: near things to the one, far things to the other.
#   [Whisper](https://arxiv.org/abs/2212.04356) (2022) has a decoder in place of CTC. HiFi-GAN and FastSpeech go the other
#   way, from text to sound.
# - Sources: [CTC](https://www.cs.toronto.edu/~graves/icml_2006.pdf) (Graves et al. 2006);
#   [SpecAugment](https://arxiv.org/abs/1904.08779) (2019); [AdamW](https://arxiv.org/abs/1711.05101) (2019).
#
# This is the last unit. What you have now is the whole chain: samples, features, attention, losses, optimisers, decoding,
# scores. The large systems are made of the same parts.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("13_capstone")
