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
# # 4 · Ears that learn
#
# You build the front end of wav2vec 2.0 and HuBERT: seven convolutions that turn 480 000 samples into some 1 500 vectors.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 90 minutes · about 20 CPU seconds · you need: unit 0 (samples), unit 1 (`(B, T, D)`); unit 3 helps
#
# You will be able to
# - write a convolution, and say what a filter of ten numbers does to a voice;
# - tell from kernels and strides how many vectors come out and how many samples each one sees, and prove it;
# - build the waveform encoder of wav2vec 2.0, and say how it is trained and where CTC comes in.

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

import matplotlib.pyplot as plt
import torch
from torch.nn import functional

torch.set_num_threads(1)  # what is computed here is small: a second thread would only get in the way

# The seven layers of wav2vec 2.0 and HuBERT: how many samples or frames each window holds, and how far it moves on.
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)

# %% [markdown] lang="en"
# ## 4.1 Ten numbers that change a voice
#
# Listen to the sentence, then look at the three lists below it, ten numbers each. Every list will be slid along the
# recording: at each place, ten neighbouring samples are multiplied by the ten numbers and the products are added up.
# That sum is one sample of a new sound.
#
# **Predict:** which list makes the voice dull, which one leaves hardly anything but hiss, which one sounds like a
# telephone?

# %% tags=["demo"]
sentence = load_clip("tt-somethingwrong")
play(sentence, f"“{load_transcript('tt-somethingwrong')}”")
place = torch.arange(10) - 4.5
hill = torch.hann_window(12, periodic=False)[1:-1]  # small at both ends, so that the list fades in and out
lists = {
    "A: ten times 0.1": torch.full((10,), 0.1),
    "B: a wiggle": 0.34 * hill * torch.cos(2 * math.pi * 2_500 / 16_000 * place),
    "C: plus, minus, plus, minus": 0.18 * hill * (-1.0) ** torch.arange(10),
}
for name, numbers in lists.items():
    print(f"{name:28}", [round(number, 2) for number in numbers.tolist()])

# %% tags=["demo"]
for name, numbers in lists.items():
    filtered = functional.conv1d(sentence[None, None], numbers[None, None])[0, 0]
    play(filtered * (0.1 / filtered.square().mean().sqrt()), f"{name} (all three made equally loud)")

# %% [markdown] lang="en"
# A is dull, B sounds like a telephone, C leaves the hiss of the *s*. Such a list is a **filter**, its numbers are its
# **taps** or **weights**. A filter lets some frequencies through and holds others back. To see which, feed it a pure
# tone of each frequency and measure how loud it comes out: that curve is its **frequency response**.

# %% tags=["demo"]
hertz = torch.fft.rfftfreq(512, 1 / 16_000)
colours = ("#0072B2", "#E69F00", "#D55E00")
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained", width_ratios=(1, 1.4))
spans = {}  # from where to where a filter lets through at least half of what it lets through at best
for (name, numbers), colour in zip(lists.items(), colours, strict=True):
    left.plot(torch.arange(10) / 16, numbers, "o-", color=colour)
    response = torch.fft.rfft(numbers, n=512).abs()
    right.plot(hertz / 1_000, response, color=colour, label=name)
    low, *_, high = hertz[response >= response.max() / 2].tolist()
    spans[name[0]] = f"{low / 1_000:.1f} to {high / 1_000:.1f} kHz"
    print(f"{name:28} most at {hertz[response.argmax()]:4.0f} Hz, at least half of that from {spans[name[0]]}")
left.axhline(0, color="black", linewidth=0.5)
left.set(title="Three filters of ten taps", xlabel="time (ms)", ylabel="weight")
right.set(title="What each of them lets through", xlabel="frequency (kHz)", ylabel="loudness, out / in", xlim=(0, 8))
right.legend(loc="upper center", bbox_to_anchor=(0.4, -0.18), ncols=3)
summary = ", ".join(f"{name} from {span}" for name, span in spans.items())
show(figure, f"Each lets one region through, at least half as loud as where it is loudest: {summary}.")

# %% [markdown] lang="en"
# **Why this matters.** A Transformer reads a list of vectors and compares each with every other. Thirty seconds of
# sound are 480 000 samples: far too many. There are two ways to a shorter list. Whisper computes a mel spectrogram
# (unit 3): filters that people designed after the ear. wav2vec 2.0 (2020) and HuBERT (2021) start from the samples
# themselves, with filters whose weights are **learned**, like all the other weights of the network. SpeechT5 (2021)
# hears the same way.
#
# That learned front end is the **waveform encoder** (or *feature encoder*): seven layers, each of them a bank of
# filters, an activation, and a step that leaves fewer frames. You will write each part.

# %% tags=["demo"]
for name, length in (("samples", 480_000), ("vectors or so", 1_500)):
    print(f"30 s as {length:7} {name}: {length**2:15,} comparisons".replace(",", " "))

# %% [markdown] lang="en"
# ## 4.2 The same loudness for everyone
#
# The same word may be recorded softly or loudly, and cheap sound cards add a constant to every sample (an *offset*).
# None of that says what was said. So before anything else a waveform is **normalised**: subtract its mean μ, divide
# by its standard deviation σ.
#
# $$ \hat{x}_t = \frac{x_t - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad \mu = \frac{1}{T} \sum_t x_t, \qquad
# \sigma^2 = \frac{1}{T} \sum_t (x_t - \mu)^2 $$
#
# By hand, for $x = [1, 3, 1, 3]$: μ = 2, the squared distances are all 1, so σ² = 1 and $\hat{x} = [-1, 1, -1, 1]$.
#
# Two details that libraries do not agree on. The variance divides by **T** (the *population* variance), not by
# T − 1. And ε, a tiny number that keeps silence from being divided by zero, is added **inside** the root.

# %% [markdown] lang="en"
# ### Exercise 4.1 · Normalised waveform · ★☆☆ · 6 min · 2 points
#
# Write `normalize_waveform`: mean 0 and variance 1 along the **last** axis, each waveform by itself.
#
# - `(..., T)` in, the same shape out.
# - Silence gives zeros, not NaN.
# - A caller may pass another `eps`.
# - A faint recording far from zero (a large offset) must come out right, too: subtract first, then square.
# - Write the arithmetic with `mean`, `var` and `sqrt`; `functional.layer_norm` is there to compare with.
#
# <details><summary>Hint 1: why do the shapes not fit?</summary>
#
# `x.mean(-1)` has lost the last axis, so it lines up with the wrong one. With `keepdim=True` the axis stays, with
# length 1.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `x.var(-1, correction=0, keepdim=True)` is the population variance; without `correction=0` torch divides by T − 1.
# Add `eps` to it, then take the root.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "normalize_waveform", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalize_waveform(x: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    """Zero mean and unit (population) variance along the last axis: (x − μ) / √(σ² + eps).

    Args:
        x: `(..., T)` waveforms.
        eps: added to the variance.

    Returns:
        `(..., T)`
    """
    ### BEGIN SOLUTION
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_normalize_waveform", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(normalize_waveform)
print(normalize_waveform(torch.tensor([1.0, 3.0, 1.0, 3.0])), "expected: -1, 1, -1, 1")
print(normalize_waveform(torch.zeros(3)), "expected: silence stays silence")
print(normalize_waveform(torch.tensor([1.0, 3.0]), eps=3.0), "expected: ±1/√(1 + 3) = ±0.5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(normalize_waveform)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The next cell normalises four recordings: the sentence; the same twenty times softer and with an offset; a man's
# voice from an audio book; and the noise of an empty room, softer than the smallest step of a 16-bit file.
# **Predict:** what should become of that noise?

# %% tags=["demo"]
torch.manual_seed(0)
four = {
    "the sentence": sentence,
    "softer, with offset": 0.05 * sentence + 0.2,
    "a man's voice": load_clip("austen-0880")[: len(sentence)],
    "faint noise": 1e-5 * torch.randn(len(sentence)),
}
evened = {name: normalize_waveform(one) for name, one in four.items()}
for name, one in four.items():
    after = evened[name]
    print(f"{name:20} before: mean {one.mean():8.5f}, σ {one.std():.5f}", end="   ")
    print(f"after: mean {after.mean().abs():.3f}, σ {after.std():.4f}")
difference = (evened["the sentence"] - evened["softer, with offset"]).abs().max()
print(f"the first two, normalised, differ by at most {difference:.4f}")

# %% tags=["demo"]
figure, rows = plt.subplots(4, 2, figsize=(10, 6), layout="constrained", sharex=True)
for (name, one), (left, right) in zip(four.items(), rows, strict=True):
    left.plot(torch.arange(len(one)) / 16_000, one, color="#0072B2", linewidth=0.4)
    right.plot(torch.arange(len(one)) / 16_000, normalize_waveform(one), color="#009E73", linewidth=0.4)
    left.set(ylabel=name, ylim=(-0.8, 0.8))
    right.set(ylim=(-8, 8))
rows[0][0].set(title="before (amplitude)", xlim=(0, len(sentence) / 16_000))
rows[0][1].set_title("after (in units of σ)")
for axes in rows[3]:
    axes.set_xlabel("time (s)")
deviations = ", ".join(f"{name} {one.std():.2f}" for name, one in evened.items())
show(figure, f"Before, the four differ in loudness and offset; after normalising, their σ are: {deviations}.")

# %% [markdown] lang="en"
# The voices come out alike. The noise stays near zero: its variance, 10⁻¹⁰, is small beside ε = 10⁻⁷, so the root is
# almost √ε and the noise is not blown up. That is the second job of ε.
#
# Whether a model wants this is part of the model. HuBERT large and the large wav2vec 2.0 that learned from LibriVox's
# audio books (53 000 hours) expect normalised waveforms; the base models were trained without, and a later layer evens
# their input out (section 4.8).

# %% [markdown] lang="en"
# ## 4.3 Convolution: a window that slides
#
# What you heard in 4.1 is called **convolution**. Slide a window of K samples along the signal; at each place,
# multiply by the K weights and add. By hand, with the weights $w = [2, 0, 1]$:
#
# | signal x | 1 | 2 | 0 | −1 | 3 | |
# |---|---|---|---|---|---|---|
# | window at 0 | 2·1 | 0·2 | 1·0 | | | = 2 |
# | window at 1 | | 2·2 | 0·0 | 1·(−1) | | = 3 |
# | window at 2 | | | 2·0 | 0·(−1) | 1·3 | = 3 |
#
# Five samples and a window of three give three results: the window stays inside, nothing is added at the ends
# (*no padding*). A layer does more of the same:
#
# - **stride** s: the window moves on by s samples instead of one. With stride 2 only the windows at 0 and 2 are
#   computed: [2, 3]. Samples left over at the end, too few for a window, are dropped.
# - **channels**: the input may be several signals side by side, $C_\text{in}$ of them. A filter then has K weights
#   for each, and everything is added into one sum.
# - **several filters**: $C_\text{out}$ of them give $C_\text{out}$ output channels, each with a **bias**, a
#   constant added at the end.
#
# $$ y_{b,o,t} = \text{bias}_o + \sum_{c=1}^{C_\text{in}} \sum_{k=0}^{K-1} w_{o,c,k} \; x_{b,\,c,\,t \cdot s + k} $$
#
# One warning about the word. In mathematics a convolution runs through the filter backwards. Deep learning does not;
# what everyone calls convolution here is, strictly, *cross-correlation*. With [2, 0, 1] backwards the example would
# give [1, 0, 6].

# %% [markdown] lang="en"
# ### Exercise 4.2 · Convolution · ★★★ · 20 min · 4 points
#
# Write `conv1d`, the formula above, for a batch.
#
# - Without a bias (`None`) nothing is added.
# - The number of frames is what fits: $T' = \lfloor (T - K) / s \rfloor + 1$. T is never less than K.
# - Gradients must flow to `x`, `weight` and `bias`: use tensor operations.
# - While your function is tried, ready-made convolutions (`functional.conv1d`, `nn.Conv1d`, …) raise an error.
#   Slicing, `Tensor.unfold`, `@` and `torch.einsum` are welcome, and so is a loop.
#
# <details><summary>Hint 1: all windows at once</summary>
#
# `x.unfold(-1, K, stride)` gives every window of x: shape (B, Cin, T', K). It copies nothing. Print it for
# `torch.arange(6.0)[None, None]` with K = 3 and stride 2.
#
# </details>
# <details><summary>Hint 2: or tap by tap</summary>
#
# Tap k meets the samples k, k + s, k + 2s, … So y is a sum over k of `weight[:, :, k] @ (the slice of x that starts
# at k and goes in steps of s)`: (Cout, Cin) times (B, Cin, T'). Only the end of the slice needs care.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# With the windows of hint 1, `torch.einsum("bctk,ock->bot", windows, weight)` multiplies and sums over c and k. The
# bias is (Cout,), and must become (Cout, 1) to be added to (B, Cout, T').
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "conv1d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv1d(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, stride: int = 1
) -> torch.Tensor:
    """One-dimensional convolution as deep learning means it: the kernel is not flipped, nothing is padded.

    Args:
        x: `(B, Cin, T)`
        weight: `(Cout, Cin, K)`, K ≤ T
        bias: `(Cout,)`, or None
        stride: how many samples the window moves on.

    Returns:
        `(B, Cout, T')`, T' = (T − K) // stride + 1
    """
    ### BEGIN SOLUTION
    windows = x.unfold(-1, weight.shape[-1], stride)  # (B, Cin, T', K)
    y = torch.einsum("bctk,ock->bot", windows, weight)
    return y if bias is None else y + bias[:, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv1d", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check(conv1d)
example = torch.tensor([[[1.0, 2.0, 0.0, -1.0, 3.0]]])
taps = torch.tensor([[[2.0, 0.0, 1.0]]])
print(conv1d(example, taps), "expected: 2, 3, 3")
print(conv1d(example, taps, bias=torch.tensor([10.0]), stride=2), "expected: 12, 13")
print(conv1d(torch.ones(1, 2, 3), torch.ones(4, 2, 3)).flatten(), "expected: 2 channels × 3 taps = 6, four times")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(conv1d)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Your function can now do what 4.1 did, all three filters in one call. The picture shows what each lets through, for
# the word *something*. **Predict** which channel is loudest in the *s* at the beginning.

# %% tags=["demo"]
bank = torch.stack(list(lists.values()))[:, None]  # (3, 1, 10): three filters, one input channel, ten taps
channels = conv1d(sentence[None, None], bank)  # (1, 3, T − 9)
print(f"{tuple(sentence[None, None].shape)} → {tuple(channels.shape)}")
figure, rows = plt.subplots(4, 1, figsize=(10, 6.4), sharex=True, layout="constrained")
times = torch.arange(12_000) / 16_000
signals = {"the word “something”": sentence[:12_000]} | dict(zip(lists, channels[0, :, :12_000], strict=True))
for axes, (name, signal), colour in zip(rows, signals.items(), ("black", *colours), strict=True):
    axes.plot(times, signal, color=colour, linewidth=0.5)
    axes.set(title=name, ylabel="amplitude", ylim=(-0.7, 0.7), xlim=(0, 0.75))
rows[-1].set_xlabel("time (s)")
hiss, vowel = slice(2_700, 3_700), slice(5_400, 6_400)
for name, signal in signals.items():
    in_s, in_vowel = (signal[part].square().mean().sqrt() for part in (hiss, vowel))
    print(f"{name:28} rms in the s {in_s:.4f}, in the vowel {in_vowel:.4f}")
share = {name[0]: [signal[part].square().mean().sqrt() for part in (hiss, vowel)] for name, signal in signals.items()}
show(
    figure,
    "The same word through three filters. The vowel is loudest in A "
    f"(rms {share['A'][1]:.3f}; B {share['B'][1]:.3f}, C {share['C'][1]:.3f}), the s at the beginning in C "
    f"(rms {share['C'][0]:.3f}; A {share['A'][0]:.3f}, B {share['B'][0]:.3f}).",
)

# %% [markdown] lang="en"
# Three filters already sort the sounds of a word: a vowel is strong in A, the *s* in C. With 512 filters in the first
# layer, wav2vec 2.0 sorts more finely.

# %% [markdown] lang="en"
# ## 4.4 Filters that nobody designed
#
# Who chooses the ten numbers? In a network: the gradient. It flows through your `conv1d` into the weights, so they
# can be learned like any others.
#
# The weights of the published wav2vec 2.0 have to be downloaded, and this course works offline. So here is a
# stand-in: **one** layer of the same form (ten taps, stride 5, but 32 filters instead of 512), trained for a few
# seconds on two and a half minutes of one woman's voice. Its task is a simple regression. It gets 25 ms of sound and
# must tell how strong each of 40 mel bands is in it (unit 3), from nothing but the 32 filters' average outputs after
# GELU, the activation of section 4.7. A **readout**, one linear layer, turns the 32 averages into 40 band levels. It
# never sees a letter. wav2vec 2.0 learns all seven layers from a harder task, on 960 hours and more (section 4.10).
#
# Two things help so short a training. Speech is much stronger below 1 kHz than above; *pre-emphasis*, an old trick,
# evens that out: from each sample 0.95 of the one before is subtracted. And a small penalty asks the readout to lean
# on few filters for each band.
#
# **Predict:** the filters start as random noise. What will they be like at the end?

# %% tags=["demo", "training"]
from torchaudio.functional import melscale_fbanks
from tqdm import tqdm

from grader.recordings import recordings

prompts = [one.name for one in recordings() if 2 < one.seconds < 7 and not one.name.startswith("austen")]
groups = {"woman, heard in training": prompts[:48], "woman, other sentences": prompts[-16:]}
groups["man, never heard"] = ["austen-0880", "austen-0890", "austen-0920", "austen-0930"]
mel_bands = melscale_fbanks(201, 0.0, 8_000.0, 40, 16_000)  # (201, 40)


def emphasised(waveform: torch.Tensor) -> torch.Tensor:
    """Pre-emphasised, then normalised: (T,) → (T − 1,)."""
    difference = waveform[1:] - 0.95 * waveform[:-1]
    return functional.layer_norm(difference, difference.shape, eps=1e-7)


def pieces_of(names: list[str]) -> torch.Tensor:
    """Every 25 ms of these recordings that is not silence: (N, 400)."""
    pieces = torch.cat([emphasised(load_clip(name)) for name in names]).unfold(0, 400, 160)
    return pieces[pieces.square().mean(-1) > 0.02]


def band_levels(pieces: torch.Tensor) -> torch.Tensor:
    """How strong each of 40 mel bands is, on a logarithmic scale: (N, 400) → (N, 40)."""
    power = torch.fft.rfft(pieces * torch.hann_window(400)).abs().square()
    return (power @ mel_bands + 1e-3).log10()


def what_filters_say(pieces: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """The average output of each filter after GELU, on a logarithmic scale: (N, 400) → (N, 32)."""
    outputs = functional.gelu(functional.conv1d(pieces[:, None], filters[:, None], stride=5))  # (N, 32, 79)
    return (outputs.mean(-1).clamp_min(0) + 1e-2).log()


sounds = {name: pieces_of(names) for name, names in groups.items()}
training = sounds["woman, heard in training"]
levels = {name: band_levels(pieces) for name, pieces in sounds.items()}
spread, mean = torch.std_mean(levels["woman, heard in training"], dim=0)
levels = {name: (level - mean) / spread for name, level in levels.items()}  # what is to be told, (N, 40)
torch.manual_seed(4)
random_filters = torch.randn(32, 10) / math.sqrt(10)
learned = random_filters.clone().requires_grad_()
readout = torch.nn.Linear(32, 40)
optimizer = torch.optim.Adam([{"params": [learned], "lr": 0.03}, {"params": readout.parameters(), "lr": 0.01}])
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 1_200)
errors = []
for _ in tqdm(range(1_200), desc="training", file=sys.stdout, mininterval=0.5):
    batch = torch.randint(len(training), (128,))
    guess = readout(what_filters_say(training[batch], learned))
    error = functional.mse_loss(guess, levels["woman, heard in training"][batch])
    penalty = 0.1 * readout.weight.abs().sum(0).mean()
    optimizer.zero_grad()
    (error + penalty).backward()
    optimizer.step()
    schedule.step()
    errors.append(error.item())
learned = learned.detach()
minutes = sum(one.seconds for one in recordings() if one.name in prompts[:48]) / 60
print(f"{len(training)} pieces of 25 ms, out of {minutes:.1f} minutes")
print(f"mean squared error {errors[0]:.2f} at the start, {sum(errors[-100:]) / 100:.2f} over the last 100 steps")

# %% [markdown] lang="en"
# Compare them with two banks that learned nothing: the random filters that training started from, and 32 wiggles
# like B, designed by hand, at equal steps of frequency (every second one begins a quarter of a wave later, so that
# neighbours differ). Each bank gets the best possible readout (by least
# squares). The error is that of guessing 40 band levels, in units of their variance: 0 is perfect, and who always
# guesses the training average gets 1 in training.

# %% tags=["demo"]
centres = torch.linspace(0, 7_800, 32)
phases = math.pi / 2 * (torch.arange(32) % 2)
designed = hill * torch.cos(2 * math.pi * centres[:, None] / 16_000 * place + phases[:, None])
banks = {"random": random_filters, "learned": learned, "designed": designed}


def fit_readout(filters: torch.Tensor) -> torch.Tensor:
    """The readout with the least error in training: (33, 40), the last row a constant."""
    wanted = levels["woman, heard in training"].double()
    return torch.linalg.lstsq(with_one(what_filters_say(training, filters)), wanted).solution


def with_one(x: torch.Tensor) -> torch.Tensor:
    """A column of ones beside x, in float64 because similar filters say nearly the same."""
    return torch.cat([x, torch.ones(len(x), 1)], dim=1).double()


readouts = {kind: fit_readout(filters) for kind, filters in banks.items()}
for kind, filters in banks.items():
    line = []
    for name, pieces in sounds.items():
        guess = with_one(what_filters_say(pieces, filters)) @ readouts[kind]
        line.append(f"{name} {functional.mse_loss(guess, levels[name].double()):.2f}")
    print(f"{kind:8} filters: error", ", ".join(line))

# %% tags=["demo"]
def by_peak(filters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The filters and their responses (largest value 1), in the order of the frequency that each likes best."""
    responses = torch.fft.rfft(filters, n=512).abs()
    responses = responses / responses.amax(1, keepdim=True)
    order = responses.argmax(1).argsort()
    return filters[order], responses[order]


figure, rows = plt.subplots(2, 3, figsize=(10.5, 6.4), layout="constrained", sharex=True)
near_best, like_low = {}, {}  # for each bank: how much lies near the best frequency, how many filters like a low one
for (kind, filters), (top, bottom) in zip(banks.items(), rows.T, strict=True):
    taps, responses = by_peak(filters)
    drawn = top.imshow(
        (taps / taps.abs().amax(1, keepdim=True)).T, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto",
        extent=(-0.5, 31.5, 10 / 16, 0),
    )
    heard = bottom.imshow(
        responses.T, origin="lower", cmap="viridis", vmin=0, vmax=1, aspect="auto", extent=(-0.5, 31.5, 0, 8)
    )
    top.set_title(f"{kind}: the ten taps")
    bottom.set(title=f"{kind}: what they let through", xlabel="filter, by its best frequency")
    power = responses.square()
    near = (hertz - hertz[power.argmax(1)][:, None]).abs() <= 1_000
    near_best[kind] = ((power * near).sum(1) / power.sum(1)).mean()
    like_low[kind] = int((hertz[power.argmax(1)] < 1_000).sum())
    print(f"{kind:8} {near_best[kind]:.0%} of what a filter lets through lies within 1 kHz of its best frequency")
rows[0][0].set_ylabel("time (ms)")
rows[1][0].set_ylabel("frequency (kHz)")
figure.colorbar(drawn, ax=rows[0], label="weight / largest")
figure.colorbar(heard, ax=rows[1], label="loudness / largest")
show(
    figure,
    "Three banks of 32 filters and their frequency responses. Within 1 kHz of a filter's best frequency lies "
    f"{near_best['random']:.0%} of the power of random, {near_best['learned']:.0%} of learned, "
    f"{near_best['designed']:.0%} of designed filters. Best below 1 kHz: {like_low['random']} random, "
    f"{like_low['learned']} learned, {like_low['designed']} designed ones.",
)

# %% [markdown] lang="en"
# Nobody told the layer what a filter should look like, only how wrong its guesses were, and out of noise came **band
# filters**: most listen to one region above all, and about half of them to the lowest, where mel bands lie close
# together. With the voice they were trained on they beat the filters designed by hand, although they are not as clean:
# some of the low ones have a second region, high up. No gradient asks for beauty. The man's voice, never heard in
# training, is harder for all three.
#
# With ten taps, 0.6 ms, no filter can be sharp; look how broad even the designed bands are. Yet 32 broad filters
# together tell a good deal. This is the layer's guess for the sentence, which it has never heard, beside the truth.

# %% tags=["demo"]
pieces = emphasised(sentence).unfold(0, 400, 320)
truth = (band_levels(pieces) - mean) / spread
guess = (with_one(what_filters_say(pieces, learned)) @ readouts["learned"]).float()
figure, pair = plt.subplots(1, 2, figsize=(10.5, 3.6), sharey=True, layout="constrained")
titles = ("40 mel bands", "what 32 learned filters make of them")
for axes, picture, title in zip(pair, (truth, guess), titles, strict=True):
    drawn = axes.imshow(
        picture.T, origin="lower", aspect="auto", cmap="magma", vmin=-3, vmax=2,
        extent=(0, len(sentence) / 16_000, -0.5, 39.5),
    )
    axes.set(title=title, xlabel="time (s)")
pair[0].set_ylabel("mel band, low to high")
figure.colorbar(drawn, ax=pair, label="level (σ from the mean)")
alike = torch.corrcoef(torch.stack([truth.flatten(), guess.flatten()]))[0, 1]
in_s = slice(9, 12)  # three pieces inside the first s
s_above, s_below = ([one[in_s, part].mean() for one in (truth, guess)] for part in (slice(30, 40), slice(0, 15)))
stripes = [one.diff(dim=1).square().mean().sqrt() for one in (truth, guess)]  # rms of the steps from band to band
print(f"correlation of guess and truth: {alike:.2f}")
show(
    figure,
    f"The learned layer's guess correlates with the truth by {alike:.2f}. The first s is high in both: the upper ten "
    f"bands stand at {s_above[0]:+.1f} σ (guess {s_above[1]:+.1f}), the lower fifteen at {s_below[0]:+.1f} "
    f"({s_below[1]:+.1f}). The fine stripes are lost: neighbouring bands differ by {stripes[0]:.2f} σ in the truth, "
    f"by {stripes[1]:.2f} in the guess.",
)

# %% [markdown] lang="en"
# Finer detail must come from the layers above, which see more. Now hear two learned filters, the cleanest of those that
# like frequencies below 1 kHz best and the cleanest of those that like frequencies above 5 kHz. **Predict:** which of
# A, B and C of section 4.1 will each of them sound like?

# %% tags=["demo"]
ordered, responses = by_peak(learned)
best = hertz[responses.argmax(1)]
nearby = (hertz - best[:, None]).abs() <= 1_000
clean = (responses.square() * nearby).sum(1) / responses.square().sum(1)  # (32,)
of_lists = torch.stack([torch.fft.rfft(numbers, n=512).abs() for numbers in lists.values()])
for wanted, region in ((best < 1_000, "below 1 kHz"), (best > 5_000, "above 5 kHz")):
    chosen = int((clean * wanted).argmax())
    filtered = conv1d(sentence[None, None], ordered[chosen][None, None])[0, 0]
    likeness = functional.cosine_similarity(of_lists, responses[chosen][None])
    caption = f"learned filter {chosen}, the cleanest {region}; it likes {best[chosen]:.0f} Hz best"
    play(filtered * (0.1 / filtered.square().mean().sqrt()), caption)
    print("likeness of its response with", ", ".join(f"{k[0]}: {v:.2f}" for k, v in zip(lists, likeness, strict=True)))

# %% [markdown] lang="en"
# ## 4.5 How many vectors?
#
# Each layer leaves fewer frames. One layer first: 7 samples, kernel 3, stride 2. The windows begin at 0, 2 and 4; one
# at 6 would need sample 8. Three frames:
#
# $$ T' = \left\lfloor \frac{T - K}{s} \right\rfloor + 1 = \left\lfloor \frac{7 - 3}{2} \right\rfloor + 1 = 3 $$
#
# ⌊ ⌋ means: round down. The + 1 is the first window, which needs no step. The next layer then gets T' as its T.
#
# wav2vec 2.0's strides multiply to 5·2·2·2·2·2·2 = 320 samples, 20 ms. **Predict:** 480 000 / 320 = 1 500. Will
# there be 1 500 vectors?

# %% [markdown] lang="en"
# ### Exercise 4.3 · Output length · ★☆☆ · 7 min · 2 points
#
# Write `conv_output_length`: how many frames are left of `length` samples after all layers.
#
# - Raise `ValueError` as soon as a layer's input is shorter than its kernel. Exactly as long is long enough: one
#   frame.
# - Without layers the length stays as it is.
#
# <details><summary>Hint 1: two lists at once</summary>
#
# `for kernel, stride in zip(kernels, strides):` goes through both.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Inside the loop: first `if length < kernel: raise ValueError(...)`, then `length = (length - kernel) // stride + 1`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "conv_output_length", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_output_length(length: int, kernels: list[int], strides: list[int]) -> int:
    """How many frames come out of a stack of convolutions without padding.

    Args:
        length: samples that go in.
        kernels, strides: one number a layer, the first layer first (lists or tuples).

    Raises:
        ValueError: where a layer's input is shorter than its kernel.
    """
    ### BEGIN SOLUTION
    for kernel, stride in zip(kernels, strides, strict=True):
        if length < kernel:
            raise ValueError(f"{length} frames are too few for a kernel of {kernel}")
        length = (length - kernel) // stride + 1
    return length
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv_output_length", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(conv_output_length)
print(conv_output_length(7, [3], [2]), "expected: windows at 0, 2, 4: 3")
print(conv_output_length(7, [3, 2], [2, 1]), "expected: 3 frames, then windows at 0 and 1: 2")
print(conv_output_length(3, [3], [2]), "expected: 1")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(conv_output_length)
### END HIDDEN TESTS

# %% tags=["demo"]
rate = 16_000.0
print("          frames of 30 s   a second")
print(f"samples   {480_000:>14}   {rate:8.0f}")
for n in range(1, 8):
    rate /= STRIDES[n - 1]
    print(f"layer {n}   {conv_output_length(480_000, KERNELS[:n], STRIDES[:n]):>14}   {rate:8.0f}")
print()
for samples in (399, 400, 719, 720, 16_000, 480_000, 480_079, 480_080):
    try:
        vectors = conv_output_length(samples, KERNELS, STRIDES)
        print(f"{samples:7} samples → {vectors} vector{'s' if vectors > 1 else ''}")
    except ValueError:
        print(f"{samples:7} samples → too short for a single vector")

# %% [markdown] lang="en"
# 1 499, because a vector needs its whole window. Vector 1 499 (the 1 500th) would begin at sample 479 680 and need
# 400 samples, up to 480 079; the recording ends 80 samples, 5 ms, before that. Add them and there are 1 500.
#
# **Why does Whisper get exactly 1 500 out of the same 30 s?** It pads. Its spectrogram is *centred*: 200 samples are
# added at each end before windows of 400, and the last frame is dropped. Its two convolutions add one frame at each
# end. Your function can follow it:

# %% tags=["demo"]
mel_frames = conv_output_length(480_000 + 200 + 200, [400], [160])
print(f"spectrogram, 200 samples added at each end: {mel_frames} frames, the last one dropped: {mel_frames - 1}")
first = conv_output_length(mel_frames - 1 + 2, [3], [1])
second = conv_output_length(first + 2, [3], [2])
print(f"convolution of stride 1, one frame added at each end: {first}; of stride 2, the same: {second}")

# %% [markdown] lang="en"
# ## 4.6 What does one vector see?
#
# The **receptive field** of a vector is the stretch of samples that it depends on. Two layers with kernels 3 and 3
# and strides 2 and 2, by hand:
#
# ```
# samples   0  1  2  3  4  5  6  7  8  9  10
# layer 1  [0     2]
#                [2     4]
#                      [4     6]
#                            [6     8]
#                                  [8     10]
# layer 2  [0                 6]
#                      [4                 10]
# ```
#
# A frame of layer 1 sees 3 samples, and the next one begins 2 samples later. A frame of layer 2 sees three of those:
# the first begins at 0, the last ends at 6. That is 7 samples, not 3 + 3 and not 3 · 3. The next frame of layer 2
# begins 4 samples later: the **total stride** is 2 · 2.
#
# **Predict** for wav2vec 2.0: how much sound does one vector hear? A millisecond, a syllable, a word?

# %% [markdown] lang="en"
# ### Exercise 4.4 · Receptive field · ★★☆ · 12 min · 3 points
#
# Write `receptive_field`: two numbers, how many samples one output spans, and how many samples later the next output
# begins.
#
# - `samples` counts from the first to the last sample that the output depends on. Where a stride is larger than a
#   kernel there are holes in between; they count.
# - Without layers, each output is a sample: `(1, 1)`.
#
# <details><summary>Hint 1: how wide is a tap?</summary>
#
# Keep two numbers while you go up: how many samples one frame sees so far, and how many samples apart two neighbouring
# frames are. A kernel of 3 reaches two frames further. How many samples are two frames?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Start with field 1 and step 1. For each layer the field grows by (kernel − 1) · step, and *after that* the step is
# multiplied by the stride.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "receptive_field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field(kernels: list[int], strides: list[int]) -> tuple[int, int]:
    """How many samples one output of a stack of convolutions spans, and the distance from one output to the next.

    Args:
        kernels, strides: one number a layer, the first layer first (lists or tuples).

    Returns:
        `(samples, total_stride)`
    """
    ### BEGIN SOLUTION
    samples, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        samples += (kernel - 1) * step
        step *= stride
    return samples, step
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_receptive_field", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(receptive_field)
print(receptive_field([10], [5]), "expected: (10, 5)")
print(receptive_field([3, 3], [2, 2]), "expected: (7, 4), as drawn above")
print(receptive_field([1, 2], [3, 1]), "expected: samples 0 and 3, hole included: (4, 3)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(receptive_field)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Is the formula right? Autograd knows nothing of it. Build the seven layers with random weights, take one vector, and
# ask autograd which samples it depends on: those whose gradient is not zero.

# %% tags=["demo"]
torch.manual_seed(0)


def random_weights(width: int) -> list[torch.Tensor]:
    """Weights for the seven layers, `width` channels in each."""
    inputs = (1, *[width] * 6)
    return [torch.randn(width, n, k) * math.sqrt(2 / (n * k)) for n, k in zip(inputs, KERNELS, strict=True)]


def seven_layers(x: torch.Tensor, weights: list[torch.Tensor], group_norm_first: bool = False) -> torch.Tensor:
    """(B, T) → (B, T', C)."""
    x = x[:, None]
    for n, (weight, stride) in enumerate(zip(weights, STRIDES, strict=True)):
        x = functional.conv1d(x, weight, stride=stride)
        if n == 0 and group_norm_first:
            x = group_norm(x, x.shape[1], torch.ones(x.shape[1]), torch.zeros(x.shape[1]))  # yours, of section 4.8
        x = functional.gelu(x)
    return x.mT


def samples_behind(frame: int, **options) -> torch.Tensor:
    """The samples of one second of noise that this vector depends on."""
    noise = torch.randn(1, 16_000, requires_grad=True)
    vectors = seven_layers(noise, random_weights(16), **options)
    return torch.autograd.grad(vectors[0, frame].square().sum(), noise)[0][0].nonzero()[:, 0]


field, step = receptive_field(KERNELS, STRIDES)
print(f"by your formula: {field} samples = {field / 16:.0f} ms, one vector every {step} samples = {step / 16:.0f} ms")
for frame in (0, 10, 11):
    seen = samples_behind(frame)
    print(f"by gradient: vector {frame:2} depends on {len(seen)} samples, {seen[0]} to {seen[-1]}")
print("layer by layer, in samples:", [receptive_field(KERNELS[:n], STRIDES[:n])[0] for n in range(1, 8)])

# %% [markdown] lang="en"
# **A correction.** An introduction to speech models that this course grew from says that such a CNN makes a feature
# vector "about every 20–25 ms". Two numbers have been melted into one: a vector comes every **20 ms** and sees
# **25 ms**, so neighbours share 5 ms. Whisper's spectrogram also looks at 25 ms at a time (400 samples), but every
# 10 ms.
#
# Do all 400 samples count alike? The gradient's size says how much each does. Averaged over many random encoders:

# %% tags=["demo"]
field, step = receptive_field(KERNELS, STRIDES)
total = torch.zeros(400)
for _ in range(100):
    noise = torch.randn(6, 400, requires_grad=True)
    vectors = seven_layers(noise, random_weights(8))
    total += torch.autograd.grad(vectors.square().sum(), noise)[0].abs().mean(0)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 6), layout="constrained", height_ratios=(1.5, 1))
start = 5_120
stretch = sentence[start : start + 1_600]
top.plot(torch.arange(1_600) / 16, stretch, color="black", linewidth=0.6)
for n, colour in enumerate(("#0072B2", "#E69F00", "#009E73", "#D55E00")):
    height = 0.62 + 0.1 * n
    top.hlines(height, n * step / 16, (n * step + field) / 16, color=colour, linewidth=5)
    middle = (n * step + field / 2) / 16
    top.text(middle, height + 0.02, f"vector {start // 320 + n}", ha="center", va="bottom", color=colour)
    top.axvspan(n * step / 16, (n * step + field) / 16, color=colour, alpha=0.12)
top.set(title="100 ms of “something”, its first vowel and the beginning of the m, and what four vectors see")
top.set(xlim=(0, 100), ylim=(-0.78, 1.08), xlabel="time (ms)", ylabel="amplitude")
bottom.fill_between(torch.arange(400) / 16, total / total.max(), color="#56B4E9")
bottom.set(title="How much each of the 400 samples counts (mean of 100 random encoders)", xlim=(0, 25), ylim=(0, 1.05))
bottom.set(xlabel="time (ms)", ylabel="gradient / largest")
ends, centre = torch.cat([total[:50], total[-50:]]).mean(), total[100:300].mean()
one_click = torch.zeros(1, 1, 400, requires_grad=True)
paths = one_click
for kernel, stride in zip(KERNELS, STRIDES, strict=True):  # weights of one, no activation: the gradient counts paths
    paths = functional.conv1d(paths, torch.ones(1, 1, kernel), stride=stride)
(paths,) = torch.autograd.grad(paths.sum(), one_click)
paths = paths[0, 0].int().tolist()
print(f"paths from a sample to the vector: first {paths[0]}, last {paths[-1]}, most in between {max(paths)}")
show(
    figure,
    f"Four vectors {step / 16:.0f} ms apart see {field / 16:.0f} ms each and share {(field - step) / 16:.0f} ms with "
    f"the next; within a field, the middle half of the samples counts {centre / ends:.1f} times as much as the first "
    "and the last 50.",
)

# %% [markdown] lang="en"
# The ends of a field are reached by few paths through the layers, the middle by many: a soft window, although nobody
# put one there. In unit 3 a Hann window had to be multiplied in.

# %% [markdown] lang="en"
# ## 4.7 A bend in the line: GELU
#
# Between two convolutions stands an **activation**, a function that bends. Why? Without it, layers pile up to
# nothing: a filter of a filter is a filter. **Predict:** seven layers without an activation are the same as one
# layer. With which kernel and which stride?

# %% tags=["demo"]
normalize_waveform = solved(normalize_waveform)  # yours, or the library's while it is not written
conv1d = solved(conv1d)
torch.manual_seed(1)
weights = random_weights(8)


def straight(x: torch.Tensor) -> torch.Tensor:
    """The seven layers without an activation: (1, 1, T) → (1, 8, T')."""
    for weight, stride in zip(weights, STRIDES, strict=True):
        x = functional.conv1d(x, weight, stride=stride)
    return x


clicks = torch.eye(400)[:, None]  # 400 sounds, each a single click at another place
one_filter = straight(clicks).squeeze(-1).T[:, None]  # what each of them gives: (8, 1, 400)
sound = normalize_waveform(sentence)[None, None]
difference = (straight(sound) - conv1d(sound, one_filter, stride=320)).abs().max()
print(f"seven layers against one layer with 400 taps and stride 320: largest difference {difference:.0e}")
print(f"(the numbers themselves go up to {straight(sound).abs().max():.1f})")

# %% [markdown] lang="en"
# One filter of 400 taps, stride 320: the field and the total stride that you computed. So something must bend.
#
# wav2vec 2.0, HuBERT and Whisper use **GELU** (Gaussian error linear unit). It multiplies x by Φ(x), the share of a
# standard normal distribution that lies below x:
#
# $$ \mathrm{GELU}(x) = x \, \Phi(x), \qquad
# \Phi(x) = \tfrac{1}{2} \left( 1 + \mathrm{erf}\!\left(\frac{x}{\sqrt{2}}\right) \right) $$
#
# erf is the *error function*, `torch.erf`. By hand: Φ(0) = 0.5, so GELU(0) = 0. Φ(1) = 0.8413, so GELU(1) = 0.8413.
# Φ(−1) = 0.1587, so GELU(−1) = −0.1587. Φ(−2) = 0.02275, so GELU(−2) = −0.0455. Large positive numbers pass, large
# negative ones vanish.
#
# Two approximations are in use elsewhere, one with tanh and one with a sigmoid. They are not the same function.

# %% [markdown] lang="en"
# ### Exercise 4.5 · GELU · ★☆☆ · 5 min · 1 point
#
# Write `gelu`, the exact form with erf, for a tensor of any shape.
#
# - Large numbers of both signs must come out right: x itself, and 0.
# - Write the formula; `torch.erf` is the erf, and `functional.gelu` is there to compare with.
#
# <details><summary>Hint 1: the constant</summary>
#
# `math.sqrt(2)` is √2.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Φ is `0.5 * (1 + torch.erf(x / math.sqrt(2)))`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gelu(x: torch.Tensor) -> torch.Tensor:
    """x·Φ(x), exact (Hendrycks and Gimpel, 2016).

    Args:
        x: any shape.

    Returns:
        The same shape.
    """
    ### BEGIN SOLUTION
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_gelu", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(gelu)
print(gelu(torch.tensor([-1.0, 0.0, 1.0])), "expected: -0.1587, 0, 0.8413")
print(gelu(torch.tensor([-2.0, 100.0])), "expected: -2 · 0.02275 = -0.0455, and 100")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(gelu)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# What does the bend do for sound? A filter's output swings around zero: its average over 25 ms is nearly 0, however
# loud it is. After GELU the downward swings are gone and the average says how loud it was. **Predict** which of the
# two lower curves follows the sound.

# %% tags=["demo"]
x = torch.linspace(-4, 4, 801)
relatives = {
    "tanh form": (functional.gelu(x, approximate="tanh"), "#E69F00"),
    "sigmoid form": (x * torch.sigmoid(1.702 * x), "#009E73"),
    "ReLU": (x.relu(), "#D55E00"),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
left.plot(x, gelu(x), color="#0072B2", linewidth=2.5, label="GELU")
left.plot(x, x.relu(), color="#D55E00", linestyle="--", label="ReLU")
left.set(title="GELU and ReLU", xlabel="x", ylabel="f(x)", xlim=(-4, 4), ylim=(-0.5, 4))
left.legend()
off = {}
for name, (y, colour) in relatives.items():
    distance = (y - gelu(x)).abs()
    off[name] = distance.max().item()
    right.semilogy(x, distance.clamp_min(1e-8), color=colour, label=name)
    print(f"{name:12} is off by up to {off[name]:.5f}")
right.set(title="How far the relatives are from it", xlabel="x", ylabel="distance", xlim=(-4, 4), ylim=(1e-7, 1))
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
show(
    figure,
    f"GELU is smooth and dips to {gelu(x).min():.2f}. Its relatives are off by up to: "
    + ", ".join(f"{name} {distance:.2g}" for name, distance in off.items())
    + ".",
)

# %% tags=["demo"]
band = 8 * functional.conv1d(sentence[None, None], bank[1:2])[0, 0]  # filter B, a band around 2.5 kHz, made louder
before, after = (signal.unfold(0, 400, 320).mean(-1) for signal in (band, gelu(band)))
loud = band.unfold(0, 400, 320).square().mean(-1).sqrt()
times = (torch.arange(len(before)) * 320 + 200) / 16_000
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 4.8), sharex=True, layout="constrained")
top.plot(torch.arange(len(band)) / 16_000, band, color="#E69F00", linewidth=0.4)
top.set(title="Filter B's output for the sentence", ylabel="amplitude", xlim=(0, len(band) / 16_000))
bottom.plot(times, before, color="#D55E00", label="averaged over 25 ms")
bottom.plot(times, after, color="#0072B2", label="GELU, then averaged over 25 ms")
bottom.set(title="Its average, without and with GELU", xlabel="time (s)", ylabel="average", ylim=(-0.03, 0.2))
bottom.legend(loc="upper left", ncols=2)
follows = [torch.corrcoef(torch.stack([average, loud]))[0, 1].item() for average in (before, after)]
for name, correlation in zip(("without GELU", "with GELU"), follows, strict=True):
    print(f"{name:12} correlation of the average with the loudness (rms): {correlation:5.2f}")
show(
    figure,
    f"Without GELU the average of a filter's output stays within ±{before.abs().max():.2f} of zero; with GELU it rises "
    f"to {after.max():.2f} and follows the loudness of the band (correlation {follows[1]:.2f}).",
)

# %% [markdown] lang="en"
# ## 4.8 Group norm, and a window that is wider than it looks
#
# Between the first convolution and its GELU, the base models of wav2vec 2.0 and HuBERT even out the channels: a
# filter for a weak band should be heard, too. **Group norm** cuts the C channels of a clip into n groups of
# neighbours and normalises each group over its channels **and** over time. Then each channel c gets its own learned
# weight and bias:
#
# $$ y_{b,c,t} = w_c \, \frac{x_{b,c,t} - \mu_{b,g}}{\sqrt{\sigma_{b,g}^2 + \varepsilon}} + \text{bias}_c $$
#
# where μ and σ² are mean and population variance of all numbers of clip b in group g, the group of channel c.
#
# By hand: one clip, two channels of two frames, [[1, 3], [5, 7]], weight 1, bias 0. With **two** groups each channel
# stands alone: means 2 and 6, variances 1 and 1, so [[−1, 1], [−1, 1]]. With **one** group the mean is 4 and the
# variance (9 + 1 + 1 + 9) / 4 = 5, so [[−3, −1], [1, 3]] / √5 = [[−1.342, −0.447], [0.447, 1.342]].

# %% [markdown] lang="en"
# ### Exercise 4.6 · Group norm · ★★☆ · 12 min · 3 points
#
# Write `group_norm`, the formula above.
#
# - `n_groups` divides C. From 1 (all channels together) to C (each alone, as in wav2vec 2.0's first layer, with 512).
# - A clip gives the same alone and in a batch.
# - A silent group gives the bias, not NaN. Population variance, eps inside the root, as in 4.1, but 1e-5 unless a
#   caller passes another.
# - Numbers far from zero must come out right, too.
# - Write the arithmetic with `reshape`, `mean` and `var`; `functional.group_norm` is there to compare with.
#
# <details><summary>Hint 1: a shape in which a group is an axis</summary>
#
# `x.reshape(B, n_groups, -1)` puts the C/n channels of a group, with all their frames, into one row.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Normalise each row over the last axis as in 4.1, reshape back to (B, C, T), then `* weight[:, None] + bias[:, None]`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "group_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_norm(
    x: torch.Tensor, n_groups: int, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5
) -> torch.Tensor:
    """Normalise each group of neighbouring channels of each clip over its channels and time (Wu and He, 2018).

    Args:
        x: `(B, C, T)`
        n_groups: how many groups; divides C.
        weight, bias: `(C,)`
        eps: added to the variance.

    Returns:
        `(B, C, T)`
    """
    ### BEGIN SOLUTION
    groups = x.reshape(len(x), n_groups, -1)  # (B, n_groups, C/n_groups · T)
    mean = groups.mean(-1, keepdim=True)
    variance = groups.var(-1, correction=0, keepdim=True)
    normalised = ((groups - mean) / torch.sqrt(variance + eps)).reshape(x.shape)
    return normalised * weight[:, None] + bias[:, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_group_norm", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(group_norm)
square = torch.tensor([[[1.0, 3.0], [5.0, 7.0]]])
print(group_norm(square, 2, torch.ones(2), torch.zeros(2)), "expected: [[-1, 1], [-1, 1]]")
print(group_norm(square, 1, torch.ones(2), torch.zeros(2)), "expected: [[-1.342, -0.447], [0.447, 1.342]]")
print(group_norm(square, 2, torch.tensor([1.0, 10.0]), torch.tensor([0.0, 5.0])), "expected: [[-1, 1], [-5, 15]]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(group_norm)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Here are the 32 learned filters' outputs on the sentence, before and after your group norm with 32 groups, on the
# same colour scale. **Predict:** will every row be equally bright at every moment?

# %% tags=["demo"]
first_layer = functional.conv1d(sentence[None, None] / sentence.std(), by_peak(learned)[0][:, None], stride=5)
levelled = group_norm(first_layer, 32, torch.ones(32), torch.zeros(32))
figure, pair = plt.subplots(1, 2, figsize=(10.5, 3.6), sharey=True, layout="constrained")
for axes, signal, title in zip(pair, (first_layer, levelled), ("before", "after group norm, 32 groups"), strict=True):
    level = signal[0].unfold(-1, 80, 64).square().mean(-1).sqrt()  # (32, T'), rms of each 25 ms
    drawn = axes.imshow(
        20 * level.clamp_min(1e-3).log10(), origin="lower", aspect="auto", cmap="magma", vmin=-40, vmax=25,
        extent=(0, len(sentence) / 16_000, -0.5, 31.5),
    )
    axes.set(title=title, xlabel="time (s)")
pair[0].set_ylabel("filter, by its best frequency")
figure.colorbar(drawn, ax=pair, label="level (dB)")
spreads = [signal[0].square().mean(-1).sqrt() for signal in (first_layer, levelled)]
before, after = (one.max() / one.min() for one in spreads)
print(f"loudest channel / softest channel: {before:.0f} before, {after:.2f} after")
decibels = 20 * spreads[0].log10()
lead = decibels[best < 1_000].mean() - decibels[best >= 1_000].mean()
show(
    figure,
    f"Before, filter {spreads[0].argmax()} is {before:.0f} times as loud as filter {spreads[0].argmin()}, and those "
    f"that like frequencies below 1 kHz best are {lead:.0f} dB louder on average than the rest; after group norm all "
    f"have the same rms over the clip (ratio {after:.2f}), and each still rises and falls with the sound.",
)

# %% [markdown] lang="en"
# No: each row has the same loudness over the whole clip, not at each moment. The weak filters can be seen now. But
# there is a price. The mean and the deviation are taken over **all of time**: every sample of the recording has a say
# in them, and so in every vector. **Predict:** with group norm in the first layer, on how many of the 16 000 samples
# of a second does vector 10 depend?

# %% tags=["demo"]
for name, option in (("group norm in the first layer", True), ("without a norm", False)):
    seen = samples_behind(10, group_norm_first=option)
    print(f"{name:30} vector 10 depends on {len(seen):5} samples, {seen[0]} to {seen[-1]}")

# %% [markdown] lang="en"
# All of them. The convolutions of the base model see 25 ms, but strictly its vectors see everything, through two
# numbers a channel. It also means that the base model's encoder cannot work on a live stream without changing its
# results. HuBERT large and the large wav2vec 2.0 of the audio books have a **layer norm** after each convolution
# instead, which works inside each frame; there the field is 400 samples and no more.

# %% [markdown] lang="en"
# ## 4.9 The waveform encoder
#
# All parts are there. A layer is a convolution (no bias, no padding) and GELU; the encoder is a list of layers. At
# the end the axes are exchanged: convolutions want `(batch, channel, time)`, a Transformer reads
# `(batch, time, channel)`.
#
# The course leaves the norm out of the exercise, to keep it short. You will put it back for the comparison below.

# %% [markdown] lang="en"
# ### Exercise 4.7 · Waveform encoder · ★★☆ · 10 min · 3 points
#
# Write `feature_encoder`.
#
# - Each layer is a dict: `{"weight": (Cout, Cin, K), "stride": int}`. Convolution, then GELU, in **every** layer.
# - The waveform is `(B, T)`: it has one channel, and that axis is not there yet.
# - Output `(B, T', C)`: batch, time, channel.
# - Use your own `conv1d` and `gelu`, or `functional.conv1d` and `functional.gelu`: here both are allowed.
#
# <details><summary>Hint 1: the missing axis</summary>
#
# `x[:, None]` turns (B, T) into (B, 1, T).
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Loop over the layers: `x = functional.gelu(functional.conv1d(x, layer["weight"], stride=layer["stride"]))`. At the
# end exchange the last two axes with `.transpose(1, 2)`; `reshape` would mix them up.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "feature_encoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
def feature_encoder(x: torch.Tensor, layers: list[dict]) -> torch.Tensor:
    """Waveforms to vectors: in each layer a convolution without bias or padding, then GELU.

    Args:
        x: `(B, T)` waveforms.
        layers: each `{"weight": (Cout, Cin, K), "stride": int}`; the first has Cin = 1.

    Returns:
        `(B, T', C)`: batch, time, channel
    """
    ### BEGIN SOLUTION
    x = x[:, None]  # (B, 1, T)
    for layer in layers:
        x = functional.gelu(functional.conv1d(x, layer["weight"], stride=layer["stride"]))
    return x.transpose(1, 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_feature_encoder", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(feature_encoder)
adder = [{"weight": torch.ones(1, 1, 2), "stride": 2}]
print(feature_encoder(torch.tensor([[5.0, 5.0, 0.0, 0.0]]), adder).tolist(), "expected: GELU(10) = 10 and GELU(0) = 0")
two = [{"weight": torch.ones(4, 1, 3), "stride": 2}, {"weight": torch.ones(6, 4, 2), "stride": 1}]
print(tuple(feature_encoder(torch.zeros(5, 7), two).shape), "expected: (5, 2, 6), for 7 → 3 → 2 frames")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(feature_encoder)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Does it agree with the real thing? `torchaudio` has wav2vec 2.0's architecture. The weights below are random; the
# arithmetic is the published model's. First without its norm, by your `feature_encoder`; then with it, layer by
# layer by your `conv1d`, `group_norm` and `gelu`.

# %% tags=["demo"]
gelu = solved(gelu)
group_norm = solved(group_norm)
import torchaudio

one_second = normalize_waveform(sentence[:16_000])[None]
with torch.device("meta"):  # shapes without numbers, so that it takes no memory
    published = torchaudio.models.wav2vec2_base()
extractor = published.feature_extractor.to_empty(device="cpu")
torch.manual_seed(0)
layers = []
for block, stride in zip(extractor.conv_layers, STRIDES, strict=True):
    torch.nn.init.kaiming_normal_(block.conv.weight)
    layers.append({"weight": block.conv.weight.detach(), "stride": stride})
norm = extractor.conv_layers[0].layer_norm  # a GroupNorm, in spite of its name
torch.nn.init.normal_(norm.weight, 1.0, 0.2)
torch.nn.init.normal_(norm.bias, 0.0, 0.2)
print("the first layer's norm in torchaudio:", norm)
with torch.no_grad():
    x = conv1d(one_second[:, None], layers[0]["weight"], stride=5)
    x = gelu(group_norm(x, 512, norm.weight, norm.bias))
    for layer in layers[1:]:
        x = gelu(conv1d(x, layer["weight"], stride=layer["stride"]))
    theirs = extractor(one_second, None)[0]
    print(f"with the norm:    {tuple(theirs.shape)}, largest difference {(x.mT - theirs).abs().max():.0e}")
    extractor.conv_layers[0].layer_norm = None
    theirs, yours = extractor(one_second, None)[0], feature_encoder(one_second, layers)
    print(f"without the norm: {tuple(theirs.shape)}, largest difference {(yours - theirs).abs().max():.0e}")

# %% [markdown] lang="en"
# Now the 30 seconds of this unit's first line. The full width of 512 channels takes a while on a small computer, so
# your encoder runs with 16 channels in the first six layers and 512 in the last; the number of vectors does not depend
# on the width. The published width is then followed without computing anything, on PyTorch's *meta* device, which
# keeps only shapes.

# %% tags=["demo"]
torch.manual_seed(0)
half_minute = torch.cat([load_clip(f"austen-{name}") for name in ("0870", "0880", "0890", "0920", "0930")])
half_minute = functional.pad(half_minute, (0, 480_000 - len(half_minute)))[None]
widths = (1, 16, 16, 16, 16, 16, 16, 512)
narrow = [
    {"weight": torch.randn(after, before, kernel) * math.sqrt(2 / (before * kernel)), "stride": stride}
    for before, after, kernel, stride in zip(widths, widths[1:], KERNELS, STRIDES, strict=False)
]
vectors = feature_encoder(normalize_waveform(half_minute), narrow)
print(f"your encoder, narrow:      {tuple(half_minute.shape)} → {tuple(vectors.shape)}")
full = [
    {"weight": torch.empty(512, before, kernel, device="meta"), "stride": stride}
    for before, kernel, stride in zip((1, *[512] * 6), KERNELS, STRIDES, strict=True)
]
shape = tuple(feature_encoder(torch.empty(1, 480_000, device="meta"), full).shape)
print(f"your encoder, full width:  (1, 480000) → {shape}")
numbers = {"samples in": 480_000, "numbers out": math.prod(shape)}
numbers["learned weights (norm left out)"] = sum(layer["weight"].numel() for layer in full)
frames = [(480_000 - 10) // 5 + 1]
for kernel, stride in zip(KERNELS[1:], STRIDES[1:], strict=True):
    frames.append((frames[-1] - kernel) // stride + 1)
numbers["multiplications for 30 s"] = sum(n * layer["weight"].numel() for n, layer in zip(frames, full, strict=True))
for name, number in numbers.items():
    print(f"{name:34} {number:15,}".replace(",", " "))

# %% [markdown] lang="en"
# Shorter, not smaller: 480 000 numbers went in and 767 488 came out. What the Transformer pays for is the number of
# vectors, not their size, and that fell from 480 000 to 1 499.
#
# What do such vectors look like? Take the learned filters of 4.4 as the first layer, and as second layer an average
# over 79 frames with stride 64. The field is 10 + 78 · 5 = 400 samples and the stride 5 · 64 = 320, as in wav2vec
# 2.0. **Predict** what picture 32 learned filters paint, beside a mel spectrogram: where will the *s* be, where the
# vowels?

# %% tags=["demo"]
averaging = torch.zeros(32, 32, 79)
averaging[range(32), range(32)] = 1 / 79
learned_layers = [{"weight": by_peak(learned)[0][:, None], "stride": 5}, {"weight": averaging, "stride": 64}]
learned_vectors = feature_encoder(emphasised(sentence)[None], learned_layers)[0]  # (T', 32)
print(f"{len(sentence)} samples → {tuple(learned_vectors.shape)}")
figure, pair = plt.subplots(2, 1, figsize=(10, 6), sharex=True, layout="constrained")
mel_bands_of_it = band_levels(emphasised(sentence).unfold(0, 400, 320))
pictures = {
    "vectors of your encoder, filters learned (log)": (learned_vectors.clamp_min(1e-2).log10().T, "filter"),
    "mel spectrogram of the same frames (log)": (mel_bands_of_it.T, "mel band"),
}
for axes, (title, (picture, label)) in zip(pair, pictures.items(), strict=True):
    picture = (picture - picture.mean(1, keepdim=True)) / picture.std(1, keepdim=True)
    drawn = axes.imshow(
        picture, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=2,
        extent=(0, len(sentence) / 16_000, -0.5, len(picture) - 0.5),
    )
    axes.set(title=title, ylabel=f"{label}, low to high")
pair[1].set_xlabel("time (s)")
figure.colorbar(drawn, ax=pair, label="each row: distance from its mean, in σ")
moments = {"first s": slice(9, 12), "vowel after it": slice(17, 20)}  # frames
rows_of = {"learned": (best > 5_000, best < 1_000), "mel": (torch.arange(40) >= 30, torch.arange(40) < 15)}
says, also = [], []  # the levels in words; how many low rows are above their mean in the s
for (kind, (high, low)), (picture, _) in zip(rows_of.items(), pictures.values(), strict=True):
    deviates = (picture - picture.mean(1, keepdim=True)) / picture.std(1, keepdim=True)
    pairs = [(moment, *(deviates[part, at].mean() for part in (high, low))) for moment, at in moments.items()]
    says.append(kind + " " + ", ".join(f"{up:+.1f} and {down:+.1f} in the {moment}" for moment, up, down in pairs))
    also.append(int((deviates[low, moments["first s"]].mean(1) > 0).sum()))
show(
    figure,
    f"Mean of the high rows (best above 5 kHz; mel bands 30 to 39) and of the low ones (best below 1 kHz; bands 0 to "
    f"14), in σ: {'; '.join(says)}. The high rows tell the s from the vowel in both pictures, "
    f"but {also[0]} of the {int((best < 1_000).sum())} low learned rows light up in the s as well "
    f"(mel: {also[1]} of 15).",
)

# %% [markdown] lang="en"
# ## 4.10 No letters yet
#
# How does wav2vec 2.0 learn its seven layers? **Not with CTC**, although the two are often named together. (Another
# introduction that this course grew from gives CTC as the loss of "Wav2Vec2, Whisper" alike.) CTC (unit 9)
# compares letters with a transcript, and the 960 hours and more that wav2vec 2.0 starts from are used without theirs.
# Three models, three ways:
#
# | model | first, without transcripts | then, with transcripts |
# |---|---|---|
# | wav2vec 2.0 (2020) | **contrastive**: some vectors are hidden; which of these 101, each rounded to a learned code, is the hidden one? | fine-tuned with CTC |
# | HuBERT (2021) | **prediction of units**: some vectors are hidden; to which cluster of sounds does each belong? | fine-tuned with CTC |
# | Whisper (2022) | nothing | cross-entropy on text tokens, one after the other; never CTC |
#
# You can see it in the published models. A model fine-tuned with CTC has letters, one output for each and a blank; a
# pretrained one has none to have.

# %% tags=["demo"]
import torchaudio

for name in ("WAV2VEC2_BASE", "WAV2VEC2_ASR_BASE_960H", "HUBERT_BASE", "HUBERT_ASR_LARGE"):
    model = getattr(torchaudio.pipelines, name)
    letters = model.get_labels() if hasattr(model, "get_labels") else ()
    says = f"{len(letters)} outputs, the blank first: {''.join(letters)}" if letters else "no letters: pretrained only"
    print(f"{name:24} {says}")

# %% [markdown] lang="en"
# And you can play the contrastive game. Take the vectors of the man's five sentences. Hide one. All you know is the
# vector two places before it and the one two places after (they share no sample with it); your guess is their mean.
# Then 101 vectors are laid before you, the hidden one and 100 **distractors** from elsewhere in the recording.
# Choose the one whose cosine with the guess is highest. No transcript is needed.
#
# **Predict:** chance is 1 in 101. How often will a simple mean be right?

# %% tags=["demo"]
game = torch.Generator().manual_seed(0)
spoken = emphasised(torch.cat([load_clip(f"austen-{name}") for name in ("0870", "0880", "0890", "0920", "0930")]))


def right_guesses(filters: torch.Tensor) -> float:
    """How often the mean of two neighbours finds the hidden vector among 101."""
    layers = [{"weight": filters[:, None], "stride": 5}, {"weight": averaging, "stride": 64}]
    vectors = feature_encoder(spoken[None], layers)[0].clamp_min(1e-2).log()
    vectors = functional.normalize((vectors - vectors.mean(0)) / vectors.std(0), dim=-1)
    hidden = torch.arange(2, len(vectors) - 2)
    guess = vectors[hidden - 2] + vectors[hidden + 2]
    steps = torch.randint(3, len(vectors) - 2, (len(hidden), 100), generator=game)  # at least three places away
    others = vectors[(hidden[:, None] + steps) % len(vectors)]  # (N, 100, 32)
    likeness = torch.einsum("nd,nkd->nk", guess, torch.cat([vectors[hidden][:, None], others], dim=1))
    return (likeness.argmax(1) == 0).float().mean().item()


for kind in ("random", "learned"):
    print(f"{kind:8} filters: right in {right_guesses(banks[kind]):.0%} of all places; by chance {1 / 101:.0%}")

# %% [markdown] lang="en"
# About every fifth time, and with random filters as often as with learned ones, for these were not trained for this
# game. Speech can be guessed from its surroundings, without a single letter. wav2vec 2.0 replaces the mean of two
# neighbours by a Transformer that reads the whole recording with holes in it, and lets the gradient improve
# Transformer and encoder until the guesses are good.
#
# What it learns on the way, it can use to read. The paper's large model, pretrained so on 53 000 hours of audio books
# (LibriVox), was fine-tuned with CTC on **ten minutes** of transcribed speech. With a Transformer language model
# beside it to choose among its readings, it reached a word error rate (unit 12) of 4.8 % on LibriSpeech's test
# recordings called *clean*, and of 8.2 % on those called *other*, which are harder.

# %% [markdown] lang="en"
# ## What just happened
#
# - A **convolution** slides a short list of weights along the sound. Nothing is flipped, nothing padded; the stride
#   throws frames away. Trained, the weights become band filters without being told.
# - Seven of them make a vector every **20 ms** that sees **25 ms**: 480 000 samples → 1 499 vectors, and 1 500 in
#   Whisper only because it pads. The mistake that most people make is to divide by the total stride and forget the
#   window; an alignment that is off by one frame is the result.
# - **GELU** keeps the layers from collapsing into one, and turns swings into loudness. **Group norm** over time lets
#   the base model's vectors depend on the whole recording.
# - wav2vec 2.0 and HuBERT learn this **without letters**; CTC comes only with fine-tuning. SpeechT5 uses the same
#   front end. Whisper's two convolutions read a mel spectrogram (unit 6); FastSpeech has convolutions inside its
#   blocks; HiFi-GAN runs them the other way, from frames back to samples (unit 11).
#
# To read: [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020), section 2;
# [HuBERT](https://arxiv.org/abs/2106.07447) (2021); [SpeechT5](https://arxiv.org/abs/2110.07205) (2021);
# [GELU](https://arxiv.org/abs/1606.08415) (2016); [group normalization](https://arxiv.org/abs/1803.08494) (2018).
#
# **Next: unit 5.** The same sound through a CNN, a recurrent network and attention: who can see whom?

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("04_waveform_encoder")
