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
# # 5 · Local filters and running memory
#
# Five small networks listen to the same telephone announcement for one word, and you see what each of them can hear,
# remember and forget.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 90 minutes · about 20 CPU seconds · you need: units 2 to 4 (attention, log-mel spectrograms, `conv1d`)
#
# You will be able to
# - filter a spectrogram with a kernel, and read what a convolution finds;
# - write one step of an RNN, a GRU and an LSTM, and run a GRU over a batch of utterances of different lengths;
# - say which frame can influence which, and measure how much of the influence arrives.

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
import sys

import matplotlib.pyplot as plt
import torch
from torch import nn
from torchaudio.functional import melscale_fbanks
from tqdm import tqdm

# %% [markdown] lang="en"
# ## 5.1 How much do you have to hear?
#
# Somebody waits for one word: *conference*. Below are three pieces of one announcement, from shorter to longer.
# After each of them, answer: **has she said it?**

# %% tags=["demo"]
clip = load_clip("conf-invalid")
pieces = {"a twentieth of a second": (1.38, 1.43), "a quarter of a second": (1.28, 1.53), "all of it": (0.0, 3.864)}
for name, (begin, end) in pieces.items():
    play(clip[round(begin * 16_000) : round(end * 16_000)], f"{name} ({end - begin:.2f} s)")

# %% [markdown] lang="en"
# The first piece is a vowel, no more. The second might be *con-*, or *common*. With all of it you know, and you still
# know at its end, two seconds after the word. Two abilities are at work.
#
# - **Local patterns.** A burst, a vowel, an *s* shows itself within a few neighbouring frames. Finding such patterns,
#   wherever they occur, is what a *convolutional network* (CNN) does.
# - **Memory.** What you have found must survive until you need it. A *recurrent network* (RNN, GRU, LSTM) carries a
#   state from frame to frame for that.
#
# The third way, attention, you know from unit 2: keep all frames, and look back at any of them.
#
# Here is what our networks will see: 25 frames a second, 40 mel bands each, later standardised as in unit 2. (Speech
# models usually take 50 or 100 frames a second. Fewer make this unit quick.)

# %% tags=["demo"]
filterbank = melscale_fbanks(513, 0.0, 8_000.0, 40, 16_000, norm="slaney", mel_scale="slaney").T
window = torch.hann_window(1_024)


def log_mel(waveform):
    """(samples,) → (frames, 40), 25 frames a second."""
    power = torch.stft(waveform, 1_024, 640, window=window, return_complex=True).abs().square()
    return (filterbank @ power).clamp_min(1e-7).log10().T


WORD = (1.28, 1.86)  # where she says it, in seconds, read off the spectrogram


def draw_frames(axes, frames, scale="standardised", **labels):
    """A (T, 40) picture, time to the right, low bands at the bottom."""
    image = axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", extent=(0, len(frames) / 25, 0, 40))
    axes.figure.colorbar(image, ax=axes, label=scale)
    axes.set(ylabel="mel band", **labels)


def mark_word(axes, colour="white"):
    for moment in WORD:
        axes.axvline(moment, color=colour, linestyle=":", linewidth=1.4)


figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
draw_frames(axes, log_mel(clip), "log₁₀ power", xlabel="time (s)", title=f"“{load_transcript('conf-invalid')}”")
mark_word(axes)
axes.text(sum(WORD) / 2, 36, "conference", color="white", ha="center")
show(figure, f"The announcement in {len(log_mel(clip))} frames; “conference” lies between 1.28 s and 1.86 s.")

# %% [markdown] lang="en"
# ## 5.2 Local filters
#
# Lay a small grid of weights, the **kernel**, on a patch of the spectrogram; multiply number by number; add up. That
# is one result. Move the kernel one step and do it again, until every place where it fits has been visited:
#
# $$ y_{i,t} = \sum_{a=0}^{k_f-1} \sum_{b=0}^{k_t-1} x_{i+a,\; t+b}\; k_{a,b} $$
#
# $i$ counts frequencies, $t$ frames. The result is large where the patch looks like the kernel. The same few weights
# serve everywhere, so a pattern is found wherever it occurs.
#
# By hand, with 2 frequencies and 3 frames:
#
# $$ x = \begin{pmatrix} 1 & 2 & 0 \\ 0 & 3 & 1 \end{pmatrix}, \quad
#    k = \begin{pmatrix} 1 & 0 \\ 0 & -1 \end{pmatrix} $$
#
# The kernel fits in two places: $1 - 3 = -2$ on the left and $2 - 1 = 1$ on the right, so $y = (-2, 1)$.
#
# Mathematicians call this a *cross-correlation*; their *convolution* turns the kernel round first. Neural networks
# leave it as it is and say convolution anyway.

# %% [markdown] lang="en"
# ### Exercise 5.1 · A filter on a spectrogram · ★☆☆ · 10 min · 2 points
#
# Write `conv2d`, the formula above. The kernel only goes where it fits entirely: no padding, and one step at a time.
# So `(F, T)` and a kernel `(kf, kt)` give `(F − kf + 1, T − kt + 1)`.
#
# - The kernel need not be square; it may be as large as `x`, which leaves one place.
# - Gradients flow to `x` and to the kernel: kernels are what a CNN learns.
# - The result keeps the dtype of `x`.
# - You may call a library's convolution. Doing it yourself teaches more, and there is no need for speed.
#
# <details><summary>Hint 1: two ways to go through it</summary>
#
# Either visit every place and take the patch `x[i : i + kf, t : t + kt]`. Or visit every weight of the kernel: there
# are far fewer, and each one multiplies a whole shifted spectrogram at once.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# With `rows = F − kf + 1` and `columns = T − kt + 1`, the weight `kernel[a, b]` meets the block
# `x[a : a + rows, b : b + columns]`. Start from zeros of shape `(rows, columns)` and of `x`'s dtype, and add up all
# `kernel[a, b] * block`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "conv2d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv2d(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Slide a kernel over a spectrogram (cross-correlation), without padding.

    Args:
        x: `(F, T)`, frequencies by frames.
        kernel: `(kf, kt)`, no larger than `x`.

    Returns:
        `(F − kf + 1, T − kt + 1)`.
    """
    ### BEGIN SOLUTION
    rows, columns = x.shape[0] - kernel.shape[0] + 1, x.shape[1] - kernel.shape[1] + 1
    y = x.new_zeros(rows, columns)
    for a in range(kernel.shape[0]):
        for b in range(kernel.shape[1]):
            y = y + kernel[a, b] * x[a : a + rows, b : b + columns]
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_conv2d", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(conv2d)
small = torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]])
print(conv2d(small, torch.tensor([[1.0, 0.0], [0.0, -1.0]])), "expected: [[-2, 1]]")
print(conv2d(small, torch.tensor([[1.0, 10.0]])), "expected: [[21, 2], [30, 13]]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(conv2d)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Three kernels made by hand, on the lower part of a fine spectrogram (15.6 Hz and 20 ms a step):
#
# - **a step in time**: two columns of −1, then two of +1, fifteen rows high;
# - **stripes**: a column that goes up and down once every 13 rows, that is every 203 Hz, two times, five frames wide;
# - **a blur**: ninety-one equal weights, thirteen rows by seven frames.
#
# **Predict:** which of them answers to the beginning of *please* at 2.7 s? Which to vowels, and why not to *s*? Her
# pitch is about 200 Hz at 0.7 s, rises to about 270 Hz at 1.06 s, and falls below 130 Hz at 2.3 s, in the second
# syllable of *number*: what will the stripes make of that? (The overtones of a voice lie one pitch apart.)

# %% tags=["demo"]
fine = torch.stft(clip, 1_024, 320, window=window, return_complex=True).abs().clamp_min(1e-3).log10()[:160]
rise = torch.tensor([-1.0, -1.0, 1.0, 1.0]).expand(15, 4) / 30
stripes = torch.cos(2 * math.pi * torch.arange(26) / 13)[:, None].expand(26, 5) / 130
filters = {
    "a step in time: + where sound sets in, − where it stops": rise,
    "stripes 203 Hz apart: a voice at that pitch": stripes,
    "a blur": torch.full((13, 7), 1 / 91),
}
figure, rows = plt.subplots(4, 1, figsize=(10, 10), sharex=True, layout="constrained")
extent = (0, fine.shape[1] * 0.02, 0, 2.5)
image = rows[0].imshow(fine, origin="lower", aspect="auto", cmap="magma", extent=extent)
rows[0].set(title="log magnitude, up to 2.5 kHz", ylabel="frequency (kHz)")
figure.colorbar(image, ax=rows[0])
for axes, (name, kernel) in zip(rows[1:], filters.items(), strict=True):
    answer = conv2d(fine, kernel)
    height, width = kernel.shape
    left, low = (width - 1) * 0.01, (height - 1) * 1 / 128
    edges = (left, left + answer.shape[1] * 0.02, low, low + answer.shape[0] / 64)
    signed = name != "a blur"
    limits = {"vmin": -answer.abs().max(), "vmax": answer.abs().max()} if signed else {}
    image = axes.imshow(
        answer, origin="lower", aspect="auto", cmap="RdBu_r" if signed else "magma", extent=edges, **limits
    )
    axes.set(title=f"{name} ({height} × {width} weights)", ylabel="frequency (kHz)", xlim=extent[:2], ylim=extent[2:])
    figure.colorbar(image, ax=axes)
rows[-1].set_xlabel("time (s)")


def pitch_at(moment):
    """The frequency (Hz) at whose period 64 ms of sound are most like themselves, between 110 and 400 Hz."""
    middle = round(moment * 16_000)
    spectrum = torch.fft.rfft(clip[middle - 512 : middle + 512] * window, 2_048)
    likeness = torch.fft.irfft(spectrum.abs().square())
    return 16_000 / (40 + likeness[40:146].argmax().item())


found = conv2d(fine, stripes).abs().mean(0)  # one number a frame; the first window has its middle at 0.04 s
onset = conv2d(fine, rise).mean(0).argmax().item() * 0.02 + 0.03
places = {"her usual pitch": 0.70, "higher": 1.06, "the s of conference": 1.80, "num-": 2.00, "-ber": 2.30, "a pause": 2.50}
size_of = {name: found[round(moment / 0.02) - 2].item() for name, moment in places.items()}
for name, moment in places.items():
    voiced = name not in ("the s of conference", "a pause")
    pitch = f"{pitch_at(moment):3.0f} Hz" if voiced else "no pitch"
    print(f"{moment:.2f} s, {name:20} {pitch:9} mean size of the stripes' answer {size_of[name]:.3f}")
show(
    figure,
    "One spectrogram and three filtered ones: the step answers red where sound sets in, most strongly over all "
    f"frequencies at {onset:.2f} s, and blue where it stops; the stripes answer in voiced sounds whose pitch is near 203 Hz, "
    f"{size_of['num-'] / size_of['-ber']:.0f} times as strongly in num- ({pitch_at(2.00):.0f} Hz) as in -ber "
    f"({pitch_at(2.30):.0f} Hz); the blur wipes out the harmonics and smears the onsets.",
)

# %% [markdown] lang="en"
# The step finds onsets. The stripes find the voice where its pitch is near 203 Hz: each of the two looks for one
# thing, everywhere. An *s* is noise without stripes, so the second filter passes over it. It passes over *-ber* in the
# same way, which is voiced from beginning to end, but far lower. A voice at any pitch takes many kernels with
# different stripes: a reason why a layer of a CNN has dozens or hundreds of them.
#
# It is often said that CNNs "remove noise" or "pick up emotion". The blur shows what to make of it: it averages noise
# away, and with it her harmonics and every sharp edge. A filter has no intentions. What the many learned filters of a
# CNN keep and drop depends on what it was trained for.
#
# ### In one direction or two
#
# Our kernel moves in two directions. Most convolutions in speech move only along time: they take **all** mel bands at
# once, as unit 4's `conv1d` took all channels. That is a kernel as tall as the spectrogram. The post-net of
# *Tacotron 2* (five such layers that mend a predicted mel spectrogram) is built so, and so is the beginning of
# Whisper. The next cell shows that it is the same arithmetic.

# %% tags=["demo"]
mel = log_mel(clip).T  # (40, T)
tall = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
in_time = nn.functional.conv1d(mel[None], tall[None])[0]
print(f"conv2d with a kernel of 40 × 5: {tuple(conv2d(mel, tall).shape)}, conv1d over 40 channels: {tuple(in_time.shape)}")
print(f"largest difference: {(conv2d(mel, tall) - in_time).abs().max():.0e}, of values up to {in_time.abs().max():.0f}")

# %% [markdown] lang="en"
# *HiFi-GAN* turns mel spectrograms into waveforms. It learns that against *discriminators*, networks which judge
# whether a sound is real or made. They are often named beside Tacotron 2 as CNNs on spectrograms, but they see no
# spectrogram at all: they judge **waveforms**. One kind folds the waveform into a picture first: $p$ samples to a row,
# the next $p$ below. Its kernels are one column wide, so they compare samples that lie $p$ apart. Where a sound
# repeats itself every $p$ samples, all rows look alike.
#
# HiFi-GAN folds by 2, 3, 5, 7 and 11. To see the effect with the naked eye we fold a steady piece of *number* by its
# own period, 77 samples (16 000 / 77 = 208 Hz), and by a wrong one, and subtract from each row the row above.
# **Predict** the two pictures.

# %% tags=["demo"]
steady = clip[31_680 : 31_680 + 1_540]  # a tenth of a second from 1.98 s
change = torch.tensor([[-1.0], [1.0]])
figure, pairs = plt.subplots(2, 2, figsize=(10, 5.4), sharex="row", sharey="row", layout="constrained")
powers = []
for axes, period in zip(pairs, (77, 60), strict=True):
    folded = steady[: len(steady) // period * period].reshape(-1, period)  # (rows, period)
    changes = conv2d(folded, change)
    for one, values, title in zip(axes, (folded, changes), ("folded", "each row minus the one above"), strict=True):
        image = one.imshow(values, aspect="auto", cmap="RdBu_r", vmin=-0.45, vmax=0.45)
        one.set(title=f"{period} samples a row: {title}", xlabel="sample in the row", ylabel="row")
    powers.append(changes.square().mean() / folded.square().mean())
figure.colorbar(image, ax=pairs, label="amplitude", shrink=0.8)
show(
    figure,
    "A steady sound folded by its period of 77 samples: nearly upright stripes, and the changes from row to row have "
    f"{powers[0]:.0%} of the sound's power. Folded by 60 samples: slanted stripes, and changes with {powers[1]:.0%} of it.",
)

# %% [markdown] lang="en"
# A convolution sees a few neighbours, in whatever picture you lay before it. Now to what it lacks: memory.

# %% [markdown] lang="en"
# ## 5.3 A state that is handed on
#
# A recurrent network reads one frame $x$ at a time. It keeps a vector, its **state** $h$, and makes the next state
# from the frame and the old state, always with the same weights:
#
# $$ h' = \tanh(W_{ih}\, x + b_{ih} + W_{hh}\, h + b_{hh}) $$
#
# $W_{ih}$ (input to hidden) listens, $W_{hh}$ (hidden to hidden) remembers. PyTorch keeps a bias for each. The $\tanh$
# squeezes every number into −1 … 1, so that the state cannot grow from step to step.
#
# By hand, with a state of one number, $W_{ih} = 1$, $W_{hh} = 0.5$, no biases. It hears 1, then silence:
#
# | frame | $x$ | old $h$ | $x + 0.5\,h$ | new $h$ |
# |---|---|---|---|---|
# | 0 | 1 | 0 | 1 | 0.762 |
# | 1 | 0 | 0.762 | 0.381 | 0.363 |
# | 2 | 0 | 0.363 | 0.182 | 0.180 |
#
# The memory of the 1 shrinks at every step, to about half.

# %% [markdown] lang="en"
# ### Exercise 5.2 · One step of an RNN · ★☆☆ · 5 min · 1 point
#
# Write `rnn_step` for a batch: `x` is `(B, D)`, `h` is `(B, H)`. Weights are stored as in `nn.Linear`, `(out, in)`,
# and applied as `x @ w.T + b`.
#
# For this step and the two that follow: $B$, $D$ and $H$ may be any numbers, 1 included; results keep the dtype of
# `x`; and some tests drive the sums far below or above zero, where neither values nor gradients may become NaN.
# (`torch.tanh` and `torch.sigmoid` see to that; formulas of your own with `exp` may not.)
#
# <details><summary>Hint 1: shapes</summary>
#
# `x @ w_ih.T` is `(B, D) @ (D, H)`, which gives `(B, H)`. What has to be done to `h` so that it gets the same shape?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.tanh(… + …)` of two terms, `x @ w_ih.T + b_ih` and the same for the state with its own weights and bias.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "rnn_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rnn_step(
    x: torch.Tensor,
    h: torch.Tensor,
    w_ih: torch.Tensor,
    w_hh: torch.Tensor,
    b_ih: torch.Tensor,
    b_hh: torch.Tensor,
) -> torch.Tensor:
    """One step of a plain recurrent network, as `nn.RNNCell` takes it.

    Args:
        x: `(B, D)`, one frame of each clip.
        h: `(B, H)`, the old states.
        w_ih: `(H, D)`.
        w_hh: `(H, H)`.
        b_ih: `(H,)`.
        b_hh: `(H,)`.

    Returns:
        `(B, H)`, the new states.
    """
    ### BEGIN SOLUTION
    return torch.tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_rnn_step", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(rnn_step)
one, half, zero = torch.ones(1, 1), torch.full((1, 1), 0.5), torch.zeros(1)
print(rnn_step(one, torch.zeros(1, 1), one, half, zero, zero), "expected: tanh(1) = 0.7616")
print(rnn_step(torch.zeros(1, 1), one, one, half, zero, zero + 0.5), "expected: tanh(0.5 + 0.5) = 0.7616")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(rnn_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Let your function run over a menu that she reads out, with two pauses in it. Its input is one number a frame: the
# level of the sound, as steps of 20 dB above a threshold that lies between speech and silence. Three networks of one
# unit differ only in $W_{hh}$: 0, 0.9 and 1.
#
# **Predict:** at the end of a pause, which of the three still knows that somebody has spoken?

# %% tags=["demo"]
menu = load_clip("vm-opts")
play(menu, f"“{load_transcript('vm-opts')}”")


def level_above_threshold(waveform, threshold=-40.0):
    """(samples,) → (frames,): 25 a second, one unit is 20 dB."""
    frames = waveform[: len(waveform) // 640 * 640].reshape(-1, 640)
    return (20 * frames.square().mean(1).sqrt().clamp_min(1e-4).log10() - threshold) / 20


def pause_spans(axes, level):
    """Shade where the level lies below the threshold for three frames or more."""
    start = None
    for t, value in enumerate([*level.tolist(), 1.0]):
        if value < 0 and start is None:
            start = t
        elif value >= 0 and start is not None:
            if t - start >= 3:
                axes.axvspan(start / 25, t / 25, color="#999999", alpha=0.3)
            start = None


# %% tags=["demo"]
level = level_above_threshold(menu)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 5), sharex=True, layout="constrained")
times = (torch.arange(len(level)) + 0.5) / 25
top.plot(times, level, color="black")
top.axhline(0, color="black", linewidth=0.6)
top.set(title="the input: level of the menu (pauses are grey)", ylabel="20 dB above threshold")
left_over = []
for w_hh, colour in ((0.0, "#0072B2"), (0.9, "#E69F00"), (1.0, "#D55E00")):
    h, states = torch.zeros(1, 1), []
    for value in level:
        h = rnn_step(value.clamp_min(0).view(1, 1) / 4, h, torch.ones(1, 1), torch.full((1, 1), w_hh), *torch.zeros(2, 1))
        states.append(h.item())
    bottom.plot(times, states, color=colour, label=f"W_hh = {w_hh:g}")
    left_over.append(states[61] / states[55])  # before and at the end of the first pause, which begins with frame 56
bottom.set(title="the states of three plain RNNs", xlabel="time (s)", ylabel="state", ylim=(-0.05, 1.15))
bottom.legend(loc="upper right", ncols=3)
for axes in (top, bottom):
    pause_spans(axes, level)
show(
    figure,
    "The level of the menu, and the states of three networks. At the end of the first pause between phrases, this much of "
    "the state before it is left: "
    + ", ".join(f"{share:.0%} with W_hh = {w_hh}" for share, w_hh in zip(left_over, (0, 0.9, 1), strict=True)) + ".",
)

# %% [markdown] lang="en"
# In every pause the state slides down; $W_{hh}$ sets how fast, and it is the same in every frame. (Above 1 the unit
# would get stuck: once high, it stays high, whatever comes.) What is missing is a decision, frame by frame, whether to
# keep or to overwrite.

# %% [markdown] lang="en"
# ## 5.4 Gates: the GRU
#
# A **gate** is a number between 0 (shut) and 1 (open), computed from the frame and the state with a sigmoid
# $\sigma(u) = 1 / (1 + e^{-u})$, and then multiplied with something. The *gated recurrent unit* has two for each
# number of its state:
#
# $$ \begin{aligned}
# r &= \sigma(W_{ir}\,x + b_{ir} + W_{hr}\,h + b_{hr}) && \text{reset: how much of the memory to look at} \\
# z &= \sigma(W_{iz}\,x + b_{iz} + W_{hz}\,h + b_{hz}) && \text{update: how much of it to keep} \\
# n &= \tanh(W_{in}\,x + b_{in} + r \odot (W_{hn}\,h + b_{hn})) && \text{the candidate for the new state} \\
# h' &= (1 - z) \odot n + z \odot h &&
# \end{aligned} $$
#
# ($\odot$ multiplies number by number.) With $z = 1$ a number of the state is kept, exactly, however long. With
# $z = 0$ it is replaced by the candidate.
#
# Three facts about PyTorch, none of which can be guessed:
#
# - The three matrices lie in one: `w_ih` is `(3H, D)`, its first $H$ rows for $r$, the next for $z$, the last for
#   $n$. The same holds for `w_hh` and both biases.
# - The reset gate is applied **after** the matrix product, to $W_{hn} h$ together with its bias $b_{hn}$. In the first
#   paper (Cho and others, 2014) it is applied to $h$ before the product. The results differ.
# - $z$ **keeps**. In some papers it is the other way round.
#
# By hand: let all weights and biases be 0. Then $r = z = \sigma(0) = 0.5$, $n = \tanh(0) = 0$ and
# $h' = 0.5 \cdot 0 + 0.5\,h$. **A GRU that has learned nothing forgets half of its state at every frame.** Remember
# it for section 5.7. If now $b_{iz} = 10$, then $z = \sigma(10) = 0.99995$, and $h' = 0.99995\,h$.

# %% [markdown] lang="en"
# ### Exercise 5.3 · One step of a GRU · ★★☆ · 15 min · 3 points
#
# Write `gru_step`, PyTorch's `nn.GRUCell`, from the four lines above. As in exercise 5.2, sizes may be anything, the
# dtype is kept, and some tests have gates that are wide open or shut. The old state may be zero, or far from −1 … 1.
#
# <details><summary>Hint 1: cutting the matrices</summary>
#
# `x @ w_ih.T + b_ih` is `(B, 3H)` and holds the input's part of r, z and n side by side. `.chunk(3, dim=-1)` cuts it
# into three. Do the same with `h`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# With the parts `x_r, x_z, x_n` and `h_r, h_z, h_n`: `r = torch.sigmoid(x_r + h_r)`, `z` likewise; `n` is the tanh of
# `x_n` plus `r` times `h_n`, which already holds its bias. The last line of the formula you can copy.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "gru_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gru_step(
    x: torch.Tensor,
    h: torch.Tensor,
    w_ih: torch.Tensor,
    w_hh: torch.Tensor,
    b_ih: torch.Tensor,
    b_hh: torch.Tensor,
) -> torch.Tensor:
    """One step of a gated recurrent unit, as `nn.GRUCell` takes it; rows in the order r, z, n.

    Args:
        x: `(B, D)`, one frame of each clip.
        h: `(B, H)`, the old states.
        w_ih: `(3H, D)`.
        w_hh: `(3H, H)`.
        b_ih: `(3H,)`.
        b_hh: `(3H,)`.

    Returns:
        `(B, H)`, the new states.
    """
    ### BEGIN SOLUTION
    x_r, x_z, x_n = (x @ w_ih.T + b_ih).chunk(3, dim=-1)  # (B, H) each
    h_r, h_z, h_n = (h @ w_hh.T + b_hh).chunk(3, dim=-1)
    r = torch.sigmoid(x_r + h_r)
    z = torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_gru_step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(gru_step)
x, h, none = torch.tensor([[1.0]]), torch.tensor([[0.8]]), torch.zeros(3)
print(gru_step(x, h, torch.zeros(3, 1), torch.zeros(3, 1), none, none), "expected: half of 0.8 = 0.4")
print(gru_step(x, h, torch.tensor([[0.0], [-99.0], [2.0]]), torch.zeros(3, 1), none, none), "expected: tanh(2) = 0.9640")
print(gru_step(x, h, torch.tensor([[0.0], [99.0], [2.0]]), torch.zeros(3, 1), none, none), "expected: kept, 0.8")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(gru_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The same menu again, now with your GRU of one unit. We choose its weights by hand, so that it becomes a *latch*, a
# thing that holds what it took in last: the candidate is the tanh of the level ($W_{in} = 1$), and the update gate
# shuts above the threshold and opens below it ($W_{iz} = -40$).
#
# **Predict** the state in the pauses.

# %% tags=["demo"]
level = level_above_threshold(menu)
times = (torch.arange(len(level)) + 0.5) / 25
latch = torch.tensor([[0.0], [-40.0], [1.0]])
h, states = torch.zeros(1, 1), []
for value in level:
    h = gru_step(value.view(1, 1), h, latch, torch.zeros(3, 1), torch.zeros(3), torch.zeros(3))
    states.append(h.item())
figure, axes = plt.subplots(figsize=(10, 3.2), layout="constrained")
axes.plot(times, level, color="black", linewidth=0.8, label="input: level")
axes.plot(times, torch.sigmoid(-40 * level), color="#009E73", linewidth=0.8, label="update gate z")
axes.plot(times, states, color="#D55E00", linewidth=2, label="state")
pause_spans(axes, level)
axes.set(title="A GRU of one unit as a latch", xlabel="time (s)", ylabel="level, gate, state", ylim=(-2.9, 1.7))
axes.legend(loc="lower right", ncols=3)
show(
    figure,
    "The state follows the level while she speaks (z near 0) and is frozen in the pauses (z near 1): "
    f"from {times[56]:.2f} s to {times[61]:.2f} s it changes by {max(states[56:62]) - min(states[56:62]):.6f}.",
)

# %% [markdown] lang="en"
# It follows while there is something to follow, and holds while there is not. One unit of a plain RNN cannot do both.
# Here we chose the weights; in section 5.6 a network finds a latch by itself.

# %% [markdown] lang="en"
# ## 5.5 Three gates and a cell: the LSTM
#
# The *long short-term memory* is older than the GRU (Hochreiter and Schmidhuber, 1997; its forget gate came in 2000).
# It carries two vectors: the **cell** $c$, which it keeps to itself, and the state $h$, which it shows.
#
# $$ \begin{aligned}
# i &= \sigma(W_{ii}\,x + b_{ii} + W_{hi}\,h + b_{hi}) && \text{input gate: how much to write} \\
# f &= \sigma(W_{if}\,x + b_{if} + W_{hf}\,h + b_{hf}) && \text{forget gate: how much to keep} \\
# g &= \tanh(W_{ig}\,x + b_{ig} + W_{hg}\,h + b_{hg}) && \text{what to write} \\
# o &= \sigma(W_{io}\,x + b_{io} + W_{ho}\,h + b_{ho}) && \text{output gate: how much to show} \\
# c' &= f \odot c + i \odot g && \\
# h' &= o \odot \tanh(c') &&
# \end{aligned} $$
#
# Writing and keeping have a gate each, so a cell can do both at once: it can **add up**. That is why $c$ may leave
# −1 … 1 and is squeezed only on its way out.
#
# In PyTorch the four blocks of rows are in the order $i, f, g, o$. (Other libraries and courses use other orders.)
#
# By hand, with all weights and biases 0: the gates are 0.5 and $g = 0$. From $c = 2$ we get
# $c' = 0.5 \cdot 2 + 0.5 \cdot 0 = 1$ and $h' = 0.5 \tanh(1) = 0.381$.

# %% [markdown] lang="en"
# ### Exercise 5.4 · One step of an LSTM · ★★☆ · 10 min · 2 points
#
# Write `lstm_step`, PyTorch's `nn.LSTMCell`. It returns the new state and the new cell, in this order. As in exercise
# 5.2, sizes may be anything, the dtype is kept, and some tests have gates that are wide open or shut; in others the
# cell has counted far beyond 1.
#
# <details><summary>Hint 1: one product for all</summary>
#
# Here input and memory are only ever added, so `x @ w_ih.T + b_ih + h @ w_hh.T + b_hh` is all you need, cut into four.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `i, f, g, o = (…).chunk(4, dim=-1)`. Three of them go through a sigmoid, `g` through a tanh. Compute the new `c`
# first; `h` is made from the new one.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "lstm_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lstm_step(
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    w_ih: torch.Tensor,
    w_hh: torch.Tensor,
    b_ih: torch.Tensor,
    b_hh: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of a long short-term memory, as `nn.LSTMCell` takes it; rows in the order i, f, g, o.

    Args:
        x: `(B, D)`, one frame of each clip.
        h: `(B, H)`, the old states.
        c: `(B, H)`, the old cells.
        w_ih: `(4H, D)`.
        w_hh: `(4H, H)`.
        b_ih: `(4H,)`.
        b_hh: `(4H,)`.

    Returns:
        The new states `(B, H)` and the new cells `(B, H)`.
    """
    ### BEGIN SOLUTION
    i, f, g, o = (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, dim=-1)  # (B, H) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_lstm_step", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(lstm_step)
x, h, c, none = torch.tensor([[1.0]]), torch.tensor([[0.8]]), torch.tensor([[2.0]]), torch.zeros(4)
print(lstm_step(x, h, c, torch.zeros(4, 1), torch.zeros(4, 1), none, none), "expected: 0.5 tanh(1) = 0.3808, and 1")
ready = torch.tensor([99.0, 99.0, 99.0, 99.0])
print(lstm_step(x, h, c, torch.zeros(4, 1), torch.zeros(4, 1), ready, none), "expected: tanh(3) = 0.9951, and 2 + 1 = 3")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(lstm_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# An LSTM of one unit can count, which a GRU cannot: a GRU's state is a mixture of numbers between −1 and 1 and stays
# there. By hand again: the forget gate is always open, the input gate opens above the threshold, and each frame writes
# its own length in seconds, 0.04. What is written is $g = \tanh(\ldots)$, so the bias is chosen as
# $\operatorname{artanh}(0.04)$, whose tanh is 0.04. (artanh is the inverse of tanh.)
#
# **Predict:** what will stand in the cell at the end of the menu? And in the state?

# %% tags=["demo"]
level = level_above_threshold(menu)
times = (torch.arange(len(level)) + 0.5) / 25
counter = torch.tensor([[200.0], [0.0], [0.0], [0.0]])  # rows i, f, g, o
biases = torch.tensor([0.0, 30.0, math.atanh(0.04), 30.0])
h, c = torch.zeros(2, 1, 1)
shown, kept = [], []
for value in level:
    h, c = lstm_step(value.view(1, 1), h, c, counter, torch.zeros(4, 1), biases, torch.zeros(4))
    shown.append(h.item())
    kept.append(c.item())
figure, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
axes.plot(times, kept, color="#0072B2", linewidth=2, label="cell: seconds of speech so far")
axes.plot(times, shown, color="#D55E00", linewidth=2, label="state: tanh of the cell")
axes.plot(times, level, color="black", linewidth=0.6, label="input: level")
pause_spans(axes, level)
axes.set(title="An LSTM of one unit as a counter", xlabel="time (s)", ylabel="cell (s), state, level")
axes.legend(loc="upper left")
speech = (level > 0).sum().item() / 25
show(
    figure,
    f"The cell climbs while she speaks and rests in the pauses, up to {kept[-1]:.2f} s; the state ends at {shown[-1]:.5f}.",
)
print(f"counted by the cell: {kept[-1]:.2f} s; counted directly: {speech:.2f} s of {len(level) / 25:.2f} s")

# %% [markdown] lang="en"
# The state alone can hardly tell four seconds from five: tanh(4) = 0.9993 and tanh(5) = 0.9999. The cell still can.
# That is what the second vector is for.

# %% [markdown] lang="en"
# ## 5.6 A whole utterance, and a batch of them
#
# Running a network means taking its step once for each frame. Only one thing is not obvious. In a batch, clips have
# different lengths, and the shorter ones are padded. The padding is not sound: **a clip's state must stop where the
# clip stops.** Otherwise a clip would get another answer in a batch than alone.

# %% [markdown] lang="en"
# ### Exercise 5.5 · A GRU over a batch · ★★★ · 20 min · 3 points
#
# Write `run_gru`. From `x` `(B, T, D)` and a starting state `h0` `(B, H)` it makes
#
# - `outputs` `(B, T, H)`: the state after each frame, and zeros after the end of a clip;
# - `last` `(B, H)`: each clip's state after its last real frame.
#
# `lengths` holds the number of real frames of each clip, between 1 and T, in any order; without it, all T are real.
# (Then a clip may well end in zeros: they are frames like others.) What finite numbers stand in the padding must not
# matter. Gradients flow to everything but `lengths`, and the dtype is kept.
#
# Use your `gru_step`, or a cell of PyTorch's (`torch.gru_cell` takes the same arguments in the same order). A mistake
# in exercise 5.3 shows up here again, and the check says so.
#
# <details><summary>Hint 1: the loop</summary>
#
# Go through the frames `x[:, t]` and hand the state on. Collect what comes out in a list, and stack the list at the
# end, along dimension 1. Which clips are still going on at frame t? `t < lengths` tells, as `(B,)` bool.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Let `going = (t < lengths)[:, None]`. Then `h = torch.where(going, new, h)` keeps the state of a clip that is over,
# and `torch.where(going, new, torch.zeros_like(new))` is what goes into the outputs. After the loop `h` is `last`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "run_gru", "locked": false, "schema_version": 3, "solution": true, "task": false}
def run_gru(
    x: torch.Tensor,
    h0: torch.Tensor,
    w_ih: torch.Tensor,
    w_hh: torch.Tensor,
    b_ih: torch.Tensor,
    b_hh: torch.Tensor,
    lengths: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a GRU over a batch of clips.

    Args:
        x: `(B, T, D)`, frames.
        h0: `(B, H)`, the states before the first frame.
        w_ih: `(3H, D)`; w_hh: `(3H, H)`; b_ih and b_hh: `(3H,)`, as in `gru_step`.
        lengths: `(B,)` int64, real frames of each clip, 1 to T in any order; None: all T.

    Returns:
        The states after each frame `(B, T, H)`, zero after a clip's end, and the states at the true ends `(B, H)`.
    """
    ### BEGIN SOLUTION
    batch, frames, _ = x.shape
    if lengths is None:
        lengths = torch.full((batch,), frames)
    h, outputs = h0, []
    for t in range(frames):
        new = gru_step(x[:, t], h, w_ih, w_hh, b_ih, b_hh)
        going = (t < lengths)[:, None]  # (B, 1)
        h = torch.where(going, new, h)
        outputs.append(torch.where(going, new, torch.zeros_like(new)))
    return torch.stack(outputs, dim=1), h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_run_gru", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(run_gru)
blank = torch.zeros(3, 1), torch.zeros(3, 1), torch.zeros(3), torch.zeros(3)  # a GRU that halves its state
outputs, last = run_gru(torch.zeros(2, 3, 1), torch.ones(2, 1), *blank, lengths=torch.tensor([1, 3]))
print(outputs[..., 0], "expected: [[0.5, 0, 0], [0.5, 0.25, 0.125]]")
print(last[..., 0], "expected: [0.5, 0.125]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(run_gru)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Is it the same as PyTorch's own `nn.GRU`? Real material for a comparison, and for the networks that we are going to
# train: short phrases cut from the announcements, some with *conference* in them. One recording in four is set aside
# for testing, all its phrases with it.

# %% tags=["demo"]
from grader.recordings import phrases as phrases_of_the_course, recordings

seconds = {recording.name: recording.seconds for recording in recordings()}
segments = [one for one in phrases_of_the_course() if seconds[one.name] < 6 and one.end - one.start > 0.15]
names = sorted({one.name for one in segments})
held_out = {*names[::4], "conf-invalid"}
mels = {name: log_mel(load_clip(name)) for name in names}
every_frame = torch.cat([mels[name] for name in names if name not in held_out])
mean, spread = every_frame.mean(0), every_frame.std(0)

phrases = {(tested, said): [] for tested in (False, True) for said in (False, True)}
for one in segments:
    begin, end = int(one.start * 25), int(one.end * 25)
    phrase = (mels[one.name][begin : end + 1] - mean) / spread
    phrases[one.name in held_out, "conference" in one.text.split()].append(phrase)
for tested in (False, True):
    print(
        f"{'testing' if tested else 'training'}: {len(phrases[tested, True])} phrases with the word, "
        f"{len(phrases[tested, False])} without; {len(names) - len(held_out) if not tested else len(held_out)} recordings"
    )

# %% tags=["demo"]
gru_step = solved(gru_step)  # yours, or the library's while it is not written
torch.manual_seed(0)
library = nn.GRU(40, 32, batch_first=True)
some = phrases[True, True][:5]
lengths = torch.tensor([len(phrase) for phrase in some])
batch = nn.utils.rnn.pad_sequence(some, batch_first=True)  # (5, T, 40)
outputs, last = run_gru(batch, torch.zeros(5, 32), *library.parameters(), lengths=lengths)
alone = [library(phrase[None])[1][0, 0] for phrase in some]
print("lengths", lengths.tolist(), "padded to", tuple(batch.shape))
print(f"yours in the batch, nn.GRU on each phrase alone: {(last - torch.stack(alone)).abs().max():.0e} apart at most")
print(f"read at the end of the padding instead:          {(library(batch)[1][0] - torch.stack(alone)).abs().max():.2f}")

# %% [markdown] lang="en"
# ### Five listeners
#
# The task: after every frame, say whether *conference* has been said **up to now**. Nothing after that frame may be
# used, as in a telephone that must answer at once. Five networks, each ending in one number (positive means yes):
#
# - **CNN**: three convolutions over time, kernel 5, that look back only: $1 + 3 \cdot 4 = 13$ frames, half a second;
# - **RNN**, **GRU**, **LSTM** with 32 units;
# - **attention**: one convolution (5 frames), then one head of self-attention with a causal mask.
#
# They are trained on two phrases joined together. Nobody tells them where the word is, not even in which frames: only
# whether it has been said by the end of the first phrase, and by the end of the second. 200 steps each, 16 pairs a
# step.

# %% tags=["demo"]
class Listener(nn.Module):
    """Frames (B, T, 40) → one number a frame (B, T), positive for “it has been said”.

    `online` lets convolution and attention look back only; otherwise they look both ways.
    """

    def __init__(self, kind, online=True, size=32):
        super().__init__()
        self.kind, self.online = kind, online
        if kind in ("RNN", "GRU", "LSTM"):
            self.memory = getattr(nn, kind)(40, size, batch_first=True)
        else:
            depth = 3 if kind == "CNN" else 1
            self.filters = nn.ModuleList(nn.Conv1d(size if k else 40, size, 5) for k in range(depth))
        if kind == "attention":
            self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
            self.norm = nn.LayerNorm(size)
        self.answer = nn.Linear(size, 1)

    def forward(self, x):
        if self.kind in ("RNN", "GRU", "LSTM"):
            y, _ = self.memory(x)
        else:
            y = x.mT  # (B, 40, T)
            for layer in self.filters:
                y = layer(nn.functional.pad(y, (4, 0) if self.online else (2, 2))).relu()
            y = y.mT  # (B, T, 32)
        if self.kind == "attention":
            q, k, v = self.query(y), self.key(y), self.value(y)
            y = self.norm(y + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.online))
        return self.answer(y)[..., 0]


def pick(items, chance):
    """One of the items, by the random generator `chance`."""
    return items[torch.randint(len(items), (), generator=chance)]


def joined(tested, count, places, chance, parts=2):
    """`count` strings of `parts` phrases; the one at a place picked from `places` has the word in it (−1: none has).

    Returns frames (count, T, 40), each phrase's last frame (count, parts), and whether the word has been said by then.
    """
    strings, ends, said = [], [], []
    for _ in range(count):
        place = pick(places, chance)
        chosen = [pick(phrases[tested, k == place], chance) for k in range(parts)]
        strings.append(torch.cat(chosen))
        ends.append(torch.tensor([len(phrase) for phrase in chosen]).cumsum(0) - 1)
        said.append(torch.tensor([float(0 <= place <= k) for k in range(parts)]))
    return nn.utils.rnn.pad_sequence(strings, batch_first=True), torch.stack(ends), torch.stack(said)


COLOURS = {"CNN": "#0072B2", "RNN": "#E69F00", "GRU": "#009E73", "LSTM": "#D55E00", "attention": "#CC79A7"}

# %% tags=["demo", "training"]
listeners = {}
for kind in COLOURS:
    torch.manual_seed(4)
    chance = torch.Generator().manual_seed(4)
    network = Listener(kind)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=200)
    bar = tqdm(range(200), desc=f"{kind:9}", file=sys.stdout, ncols=80, mininterval=0.5)
    for _ in bar:
        frames, ends, said = joined(False, 16, (0, 1, -1), chance)  # said first, said second, not said
        loss = nn.functional.binary_cross_entropy_with_logits(network(frames).gather(1, ends), said)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    listeners[kind] = network.eval()
    print(f"{kind}: {sum(p.numel() for p in network.parameters())} parameters, last loss {loss.item():.3f}")

# %% [markdown] lang="en"
# Now the announcement from the beginning of the unit, which none of them has heard. The same spectrogram goes through
# all five. **Predict:** which of them will still say yes at the end?

# %% tags=["demo"]
def final_belief(network):
    """The belief at the last frame of the announcement."""
    with torch.no_grad():
        return torch.sigmoid(network(utterance[None])[0, -1]).item()


utterance = (mels["conf-invalid"] - mean) / spread
times = torch.arange(len(utterance)) / 25
figure, rows = plt.subplots(6, 1, figsize=(10, 9), sharex=True, height_ratios=[2, 1, 1, 1, 1, 1], layout="constrained")
draw_frames(rows[0], utterance, title="“that is not a valid conference number please try again”")
mark_word(rows[0])
for axes, (kind, network) in zip(rows[1:], listeners.items(), strict=True):
    with torch.no_grad():
        belief = torch.sigmoid(network(utterance[None])[0])
    axes.plot(times, belief, color=COLOURS[kind], linewidth=2)
    axes.axhline(0.5, color="black", linewidth=0.5)
    mark_word(axes, "black")
    axes.set(ylabel=kind, ylim=(-0.05, 1.05))
rows[-1].set_xlabel("time (s); the dotted lines mark “conference”")
rows[1].set_title("belief that the word has been said")
show(
    figure,
    "The belief of five networks over time; at the end, two seconds after the word: "
    + ", ".join(f"{kind} {final_belief(network):.2f}" for kind, network in listeners.items()) + ".",
)

# %% [markdown] lang="en"
# GRU, LSTM and attention switch to yes during the word and stay there. The plain RNN notices something and loses it
# again. The CNN wavers: whatever it notices leaves its half second soon after. (Change the seeds in the training cell
# and look again; another processor rounds differently and gives other networks, too. GRU and LSTM do the same every
# time; attention, which decides anew in every frame, sometimes wavers.)
#
# The CNN fails because we ask after every frame. One could keep its highest value so far. But that **is** a memory,
# added by hand.
#
# Attention tends to say yes before the word is over. *Conference* is the only one of the 63 words in the phrases that
# begins with *con*, so nothing forces a network to wait for the rest. **Predict** what the five say to a recording of
# a single other word.

# %% tags=["demo"]
play(load_clip("spy-console"), f"“{load_transcript('spy-console')}”")
with torch.no_grad():
    for kind, network in listeners.items():
        belief = torch.sigmoid(network(((log_mel(load_clip("spy-console")) - mean) / spread)[None])[0])
        print(f"{kind:9} highest belief {belief.max():.2f}, at the end {belief[-1]:.2f}")

# %% [markdown] lang="en"
# Whoever says yes here has not learned the word, but what was enough to tell it from 62 others. Networks do no more
# than their training asks for; remember it when you read "the model recognises …".
#
# ### Inside: the gates
#
# How do they remember? Gates can be drawn: for each of the 32 units a row, for each frame a column, dark is shut,
# yellow is open. One has to be careful, though. Among 32 rows there is always one that looks like *something*. So we
# say beforehand what we look for, and choose on the **training** phrases: which units keep (update gate $z$, forget
# gate $f$) more during a phrase when the phrase before it contained the word than when it did not? The rows are sorted
# by that difference. The announcement below had no part in it.
#
# **Predict** the gates that keep, in the top rows: before, during and after the word. (And in the silence at the
# start?)

# %% tags=["demo"]
KEEPS = {"GRU": "z", "LSTM": "f"}
LETTERS = {"GRU": "rz", "LSTM": "ifo"}


def gates(network, frames):
    """The gates of a GRU (r, z) or LSTM (i, f, o) over frames (B, T, 40), each (B, T, 32)."""
    w_ih, w_hh, b_ih, b_hh = network.memory.parameters()
    with torch.no_grad():
        states, _ = network.memory(frames)
        before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)
        blocks = torch.sigmoid(frames @ w_ih.T + b_ih + before @ w_hh.T + b_hh).split(32, dim=-1)
    return {"r": blocks[0], "z": blocks[1]} if network.kind == "GRU" else {"i": blocks[0], "f": blocks[1], "o": blocks[3]}


def kept_afterwards(network, tested, place):
    """How far each keeping gate is open during a second phrase, the word being in the first (place 0) or not (−1)."""
    frames, ends, _ = joined(tested, 80, (place,), torch.Generator().manual_seed(place + 10))
    keep = gates(network, frames)[KEEPS[network.kind]]
    spans = [slice(first + 1, second + 1) for first, second in ends.tolist()]
    return torch.stack([one[span].mean(0) for one, span in zip(keep, spans, strict=True)])  # (80, 32)


def by_difference(network):
    """The units' numbers, those first that keep more after the word, as measured on training phrases."""
    said, not_said = (kept_afterwards(network, False, place).mean(0) for place in (0, -1))
    return (said - not_said).argsort(descending=True)


NAMES = {
    "r": "reset gate r", "z": "update gate z (keeps)",
    "i": "input gate i", "f": "forget gate f (keeps)", "o": "output gate o",
}  # fmt: skip
for kind, letters in LETTERS.items():
    opening, order = gates(listeners[kind], utterance[None]), by_difference(listeners[kind])
    count = len(letters) + 1
    figure, rows = plt.subplots(count, 1, figsize=(10, 2.3 * count), sharex=True, layout="constrained")
    draw_frames(rows[0], utterance, title=f"{kind}: the announcement")
    mark_word(rows[0])
    for axes, letter in zip(rows[1:], letters, strict=True):
        extent = (0, len(utterance) / 25, 32, 0)
        image = axes.imshow(opening[letter][0][:, order].T, aspect="auto", vmin=0, vmax=1, extent=extent)
        mark_word(axes)
        axes.set(title=NAMES[letter], ylabel="unit (sorted)")
    rows[-1].set_xlabel("time (s); the dotted lines mark “conference”")
    figure.colorbar(image, ax=rows[1:], label="0 shut, 1 open")
    keep = opening[KEEPS[kind]][0][:, order[:8]]
    begin, end = (int(edge * 25) for edge in WORD)
    show(
        figure,
        f"The gates of the trained {kind}. In the top eight rows the gate that keeps is open by {keep[:begin].mean():.2f} "
        f"on average before the word and by {keep[end + 1 :].mean():.2f} after it.",
    )

# %% [markdown] lang="en"
# In the top rows the gates that keep swing open towards the end of the word and stay open: through *number*, through
# the pause, through *please try again*. **The network has found the latch of section 5.4 by itself**, though nobody
# told it where the word was. (In the silence before she speaks some are open as well, with nothing to keep yet. At the
# very bottom there are units that do the opposite. Most rows between follow the sound of the moment.)
#
# One recording is one recording. So measure it on strings of two held-out phrases, in trained and in untrained
# networks, where the best eight of 32 are chosen in the same way. And as a warning a second finding, of the kind that
# is easily published: a gate that goes along with loudness.

# %% tags=["demo"]
loudness = utterance.mean(1)
print("opening of the keeping gates of 8 units   after the word   without it   best correlation of a gate with loudness")
for kind in KEEPS:
    torch.manual_seed(4)
    for title, network in (("trained", listeners[kind]), ("untrained", Listener(kind))):
        order = by_difference(network)[:8]
        after, without = (kept_afterwards(network, True, place)[:, order].mean() for place in (0, -1))
        keep = gates(network, utterance[None])[KEEPS[kind]][0]
        together = torch.corrcoef(torch.cat([keep.T, loudness[None]]))[-1, :-1].abs().max()
        print(f"  {kind:4} {title:10} {after:34.2f} {without:12.2f} {together:18.2f}")

# %% [markdown] lang="en"
# The latch stands the test: it is there in the trained networks, on phrases they have never heard, and not in the
# untrained ones. The loudness finding falls: an **untrained** network has such a gate as well. Had we drawn only that
# one, it would have looked like something learned.

# %% [markdown] lang="en"
# ## 5.7 Who can see whom
#
# Frame $s$ **can influence** the output at frame $t$ if there is a way through the network from one to the other. How
# long is the way?
#
# - A **recurrent** network passes a message from one frame to the next: for a distance $d$ it takes $d$ steps.
# - A **convolution** centred on its frame, with an odd kernel $k$, reaches $(k-1)/2$ frames to each side; the next
#   layer reaches as far again. For a distance $d$ it takes $\lceil d / \frac{k-1}{2} \rceil$ layers.
# - **Attention** connects any two frames in one layer.
#
# By hand: for $d = 7$ and $k = 5$ the reach is 2, and 7 / 2 = 3.5, so 4 layers.

# %% [markdown] lang="en"
# ### Exercise 5.6 · How many hops? · ★☆☆ · 7 min · 2 points
#
# Write `hops_between(kind, distance, kernel=3)`: the steps (`"rnn"`) or layers (`"cnn"`, `"attention"`) that it takes
# before one frame can influence another that is `distance` ≥ 1 frames away. The kernel is odd, at least 3, and
# concerns only `"cnn"`, whose layers have stride 1. The result is an `int`. Any other kind raises `ValueError`.
#
# <details><summary>Hint 1: rounding</summary>
#
# A layer too many is a waste; half a layer does not exist. `math.ceil` rounds up and gives an `int`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Three `if`s, each with its `return`: `distance`; 1; `math.ceil(distance / reach)` with `reach = (kernel - 1) // 2`.
# Whoever comes past all three gets `raise ValueError(…)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "hops_between", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hops_between(kind: str, distance: int, kernel: int = 3) -> int:
    """Steps or layers before one frame can influence another.

    Args:
        kind: "rnn", "cnn" (stride 1, centred) or "attention".
        distance: how many frames they are apart, at least 1.
        kernel: frames that one convolution covers, odd and at least 3.

    Returns:
        A whole number, as an int.

    Raises:
        ValueError: for any other kind.
    """
    ### BEGIN SOLUTION
    if kind == "rnn":
        return distance
    if kind == "attention":
        return 1
    if kind == "cnn":
        reach = (kernel - 1) // 2
        return math.ceil(distance / reach)
    raise ValueError(f"unknown kind {kind!r}: it should be rnn, cnn or attention")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_hops_between", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(hops_between)
print(hops_between("rnn", 7), hops_between("attention", 7), "expected: 7 and 1")
print(hops_between("cnn", 7), hops_between("cnn", 7, kernel=5), "expected: 7 and 4")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(hops_between)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Check the formula with gradients: stack convolutions until the gradient of one output with respect to an input
# `distance` frames away is no longer exactly zero.

# %% tags=["demo"]
def layers_by_gradient(distance, kernel):
    """How many centred convolutions it takes until the gradient arrives."""
    x = torch.ones(1, 1, 2 * distance + 1, requires_grad=True)
    y, layers = x, 0
    while True:
        y, layers = nn.functional.conv1d(y, torch.full((1, 1, kernel), 1 / kernel), padding=kernel // 2), layers + 1
        if torch.autograd.grad(y[0, 0, 0], x, retain_graph=True)[0][0, 0, distance] != 0:
            return layers


for distance, kernel in ((7, 3), (7, 5), (8, 5), (12, 7), (13, 7)):
    expected, measured = hops_between("cnn", distance, kernel), layers_by_gradient(distance, kernel)
    print(f"{distance:2} frames, kernel {kernel}: {expected} layers by formula, {measured} by gradient")
print("\nfrom the first to the last of Whisper's 1 500 frames:")
for kind in ("rnn", "cnn", "attention"):
    print(f"  {kind:9} {hops_between(kind, 1_499):5}")

# %% [markdown] lang="en"
# Nobody stacks 1 499 convolutions. Strides and *dilated* kernels (with holes that double from layer to layer, as in
# WaveNet) reach far in few layers; there the reach grows like a power. And few networks for speech use one kind alone.
#
# ### Three pictures, computed
#
# Now for whole networks, on the real announcement. For every pair: how large is the gradient of the output at frame
# $t$ with respect to the input at frame $s$? One picture each for a CNN, a GRU and attention, freshly initialised, in
# their natural form: CNN and attention may look both ways. White is **exactly zero**: no way from $s$ to $t$.
#
# **Predict** the three shapes.

# %% tags=["demo"]
def influence(network, frames):
    """(T, T): entry [t, s] is the length of the gradient of output t with respect to frame s."""
    T = len(frames)
    copies = frames.expand(T, T, 40).clone().requires_grad_()  # one copy for each output: one backward pass does all
    total = network(copies).diagonal().sum()
    return torch.autograd.grad(total, copies)[0].norm(dim=-1)


def draw_influence(axes, matrix, title):
    """Each row relative to its largest value, on a log scale; exact zeros stay white."""
    relative = (matrix / matrix.amax(1, keepdim=True)).log10()
    relative[matrix == 0] = float("nan")
    axes.set(title=title, xlabel="input frame s")
    return axes.imshow(relative.clamp_min(-6), vmin=-6, vmax=0, cmap="viridis")


figure, row = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True, layout="constrained")
shares = []
for axes, kind in zip(row, ("CNN", "GRU", "attention"), strict=True):
    torch.manual_seed(4)
    matrix = influence(Listener(kind, online=False), utterance)
    image = draw_influence(axes, matrix, f"{kind}, not trained")
    shares.append(f"{kind} {(matrix > 0).float().mean():.0%}")
row[0].set_ylabel("output frame t")
figure.colorbar(image, ax=row, shrink=0.75, label="influence, log₁₀ (largest in the row = 0)")
show(
    figure,
    "Who can see whom: a band for the CNN, a triangle that fades away from the diagonal for the GRU, the whole square "
    f"for attention. Pairs with a connection: {', '.join(shares)}.",
)

# %% [markdown] lang="en"
# A band, a triangle, a square. (The bright band inside attention's square is its first convolution.) A *bidirectional*
# GRU, one that reads forwards and another that reads backwards, would fill the other triangle too; recognisers that
# need not answer at once were built so.
#
# Look at how the triangle fades. The way is there, but hardly anything arrives: at every step the influence is
# multiplied by something below 1. This is the *vanishing gradient*, and a network can only learn from what arrives.
#
# ### Influence over distance
#
# Take the mean along the diagonals: how much of a frame arrives after so many seconds, relative to the distance from
# which most arrives? Now for the five listeners, which look back only, before and after their training.
#
# **Predict:** if every frame multiplies the influence by the same number, what line is that on a logarithmic axis?
# Which of the five curves does training lift, and how far? The hand calculation of section 5.4 said 0.5 a frame for a
# GRU of zeros.

# %% tags=["demo"]
figure, pair = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
curves, from_word = {}, {}
inside = slice(int(WORD[0] * 25), int(WORD[1] * 25) + 1)
for axes, when in zip(pair, ("not trained", "trained"), strict=True):
    for kind, colour in COLOURS.items():
        torch.manual_seed(4)
        matrix = influence(listeners[kind] if when == "trained" else Listener(kind), utterance)
        by_distance = torch.stack([matrix.diagonal(-d).mean() for d in range(76)])
        curve = by_distance / by_distance.max()
        axes.plot(torch.arange(76) / 25, curve.where(curve > 0, torch.nan), color=colour, linewidth=2, label=kind)
        curves[when, kind], from_word[when, kind] = curve, matrix[-1, inside].sum() / matrix[-1].sum()
    axes.set(title=when, xlabel="distance (s)", yscale="log", ylim=(1e-9, 2))
    axes.grid(alpha=0.3)
pair[0].set_ylabel("influence, relative to the largest")
pair[1].legend(loc="lower left")
drop, second = curves["not trained", "attention"], {key: curve[25].item() for key, curve in curves.items()}
show(
    figure,
    "Influence against distance. Untrained, RNN, GRU and LSTM fall like straight lines on the log scale; attention drops "
    f"once, where its convolution ends (from {drop[4]:.2f} at 0.16 s to {drop[5]:.2f} at 0.20 s), and then hardly sinks "
    f"({drop[75]:.2f} at 3 s); the CNN ends after {curves['trained', 'CNN'].nonzero().max() / 25:.2f} s. By training, what "
    "arrives after a second rises from "
    + ", ".join(f"{second['not trained', one]:.0e} to {second['trained', one]:.0e} ({one})" for one in ("RNN", "GRU", "LSTM"))
    + ".",
)
print("           what is left after 1 s                part of the last output's influence")
print("           not trained           trained         that comes from the word, trained")
for kind in COLOURS:
    after_one = [second[when, kind] for when in ("not trained", "trained")]
    texts = [f"{value:.0e}" if value else "0 exactly" for value in after_one]
    if kind in ("RNN", "GRU", "LSTM"):
        texts = [f"{text} = {value ** (1 / 25):.2f} a frame" for text, value in zip(texts, after_one, strict=True)]
    print(f"{kind:10} {texts[0]:21} {texts[1]:21} {from_word['trained', kind]:8.1%}")

# %% [markdown] lang="en"
# On the left, recurrence forgets exponentially, gates or no gates: after two seconds a billionth is left, or less. (The
# GRU does a little better than 0.5 a frame, since its candidate listens to the old state, too.) On the right, GRU and
# LSTM let more through than before, the RNN still next to nothing: gates **can** learn to keep, and these did. (One
# recording, one word, one training run.)
#
# But look at the last column. The word ended two seconds before the end. From one training to the next, the share of
# the word changes, in the LSTM above all: often a few per cent, sometimes next to nothing. And yet the last answer is
# right every time. How can that be?
#
# A gradient speaks about **small** changes only, and a latch that has closed does not care about small changes. That is
# its purpose. So ask with a large change, too: cover a piece of the announcement with its own pause, and look at the
# answer at the end.
#
# **Decide:** where do you cover, and how many frames at least does it take to turn the yes of GRU, LSTM and attention
# into no? Change the two numbers and run the cell until you know. (The word lies between 1.28 s and 1.86 s.)

# %% tags=["demo"]
middle, width = 0.60, 3  # your choice: the middle of the cover in seconds, and how many frames of 40 ms it covers


def cover(middles, width):
    """Copies of the announcement with `width` frames around each of the middles (frame numbers) covered by a pause."""
    copies = utterance.repeat(len(middles), 1, 1)
    for copy, place in zip(copies, middles, strict=True):
        copy[max(0, place - width // 2) : place - width // 2 + width] = utterance[62]  # a frame of the pause at 2.5 s
    return copies


def beliefs_at_the_end(network, middles, width):
    """The belief at the last frame for each place of the cover."""
    with torch.no_grad():
        return torch.sigmoid(network(cover(middles, width))[:, -1])


print(f"{width} frames covered around {middle:.2f} s; belief at the end:")
for kind, network in listeners.items():
    print(f"{kind:9} uncovered {final_belief(network):.2f}, covered "
          f"{beliefs_at_the_end(network, [round(middle * 25)], width).item():.2f}")

# %% [markdown] lang="en"
# Now with the cover at every place, nine frames (0.36 s) wide. **Predict** from which place to which it turns yes into
# no, for a network that says yes at the end of the word, and for one that says yes in its middle.

# %% tags=["demo"]
middles = list(range(4, len(utterance) - 10))
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 5.2), sharex=True, layout="constrained")
draw_frames(top, utterance, title="the announcement")
mark_word(top)
turned = {}
for kind, network in listeners.items():
    believed, said_yes = beliefs_at_the_end(network, middles, 9), final_belief(network) > 0.5
    bottom.plot(torch.tensor(middles) / 25, believed, color=COLOURS[kind], linewidth=2, label=kind)
    places = [place / 25 for place, value in zip(middles, believed, strict=True) if (value > 0.5) != said_yes]
    if said_yes and places:
        turned[kind] = f"{kind} from {places[0]:.2f} s to {places[-1]:.2f} s"
        narrowest = next(k for k in range(1, 10) if (beliefs_at_the_end(network, middles, k) < 0.5).any())
        gaps = "all between" if len(places) == round((places[-1] - places[0]) * 25) + 1 else "not all between"
        print(f"{kind:9} yes, but no for covers at {len(places)} of {len(middles)} places: {places[0]:.2f} s to "
              f"{places[-1]:.2f} s, {gaps}; frames in the narrowest cover that can do it: {narrowest}")
    else:
        print(f"{kind:9} {'yes' if said_yes else 'no'} without a cover; with one, another answer at {len(places)} places")
mark_word(bottom, "black")
bottom.axhline(0.5, color="black", linewidth=0.5)
bottom.set(title="belief at the last frame, when nine frames are covered", xlabel="middle of the cover (s)", ylabel="belief",
           ylim=(-0.05, 1.05))
bottom.legend(loc="center left")
show(
    figure,
    "Belief at the end against the place of the cover; the dotted lines mark the word. Where a cover of nine frames turns "
    f"yes into no: {', '.join(turned.values())}.",
)

# %% [markdown] lang="en"
# The answer at the end rests on the word, two seconds earlier, in the LSTM as well. Each network rests on the part of
# the word at which it said yes; where no answer turns, there was no yes to lose. (The narrowest cover may surprise
# you. A pause in the middle of a word occurs in no training phrase, and what a network does with the unheard-of is
# anybody's guess.)
#
# Two questions, two measures: *what would a small change do?* and *what would be missing?* (Attention weights alone
# answer neither: unit 2.)
#
# ### What it means for the answers
#
# A gradient is not yet behaviour. So the last test: held-out phrases joined in strings of eight; in half of the
# strings the first phrase has the word in it, in the others none has. After each further phrase, how often is the
# answer right? Training was on two phrases only. 50 % is guessing.
#
# **Predict:** how many phrases later is each of the five down to guessing?

# %% tags=["demo"]
chance = torch.Generator().manual_seed(5)
first_phrase, never = (joined(True, 200, (place,), chance, parts=8) for place in (0, -1))
later = (first_phrase[1] - first_phrase[1][:, :1]).float().mean(0) / 25
figure, axes = plt.subplots(figsize=(10, 3.8), layout="constrained")
three_later, seven_later = {}, {}
for kind, network in listeners.items():
    with torch.no_grad():
        yes = (network(first_phrase[0]).gather(1, first_phrase[1]) > 0).float().mean(0)
        false_alarm = (network(never[0]).gather(1, never[1]) > 0).float().mean(0)
    right = (yes + 1 - false_alarm) / 2
    axes.plot(later, right, "o-", color=COLOURS[kind], linewidth=2, label=kind)
    print(f"{kind:9} right at once {right[0]:.0%}, one phrase later {right[1]:.0%}, seven later {right[7]:.0%}; "
          f"false alarms by then {false_alarm[7]:.0%}")
    seven_later[kind] = right[7]
    three_later[kind] = right[3]
axes.axhline(0.5, color="black", linewidth=0.6)
axes.set(title="Has she said “conference”?", xlabel="time since the phrase with the word (s), on average",
         ylabel="share of right answers", ylim=(0.4, 1.03))
axes.legend(loc="center right")
show(
    figure,
    "Right answers against time since the word. Three phrases later: "
    + ", ".join(f"{kind} {share:.0%}" for kind, share in three_later.items())
    + "; seven later: " + ", ".join(f"{kind} {share:.0%}" for kind, share in seven_later.items()) + ".",
)

# %% [markdown] lang="en"
# The textbook order, on real speech: CNN and plain RNN lose the word within two or three phrases, gates and attention
# keep it. Treat the exact numbers with care: there is one voice, the strings are made of only a handful of held-out
# phrases with the word, and some held-out prompts are retakes of training ones.
#
# ## 5.8 Who uses what
#
# | system | convolution | recurrence | attention |
# |---|---|---|---|
# | Tacotron (2017), text to speech | banks of 1-D filters in the encoder and after the decoder | GRUs: both ways there, forwards in the decoder | from decoder to text |
# | Tacotron 2 (2018) | three layers in the encoder, five in the post-net | LSTMs: both ways in the encoder, two layers in the decoder | from decoder to text |
# | HiFi-GAN (2020), vocoder | everything, on waveforms; its discriminators fold them (5.2) | none | none |
# | Deep Speech 2 (2016), recogniser | one to three layers, partly in two directions | up to seven layers, GRUs among them | none |
# | wav2vec 2.0 (2020), Whisper (2022) | at the input | none | all the rest |
# | Conformer (2020), recogniser | inside every block | none | inside every block |
#
# An RNN needs its steps one after the other: frame 1 500 waits for 1 499 others. Convolution and attention compute
# all frames at once, which is a large part of why Transformers took over: on a GPU they train far faster. In return a
# recurrent network carries its whole past in one small vector, whose size does not grow: it can listen all day.
#
# ## What just happened
#
# - **The mistake most people make:** they believe that an RNN remembers because there is a way from the first frame to
#   the last. A way is not yet influence: measure what arrives. A close second: reading the last state of a padded
#   batch at T instead of at each clip's end.
# - A gate that stays at 1 keeps a number for ever. That is the whole secret of GRU and LSTM, and 200 steps of training
#   found it.
# - Where it is used: convolutions open wav2vec 2.0 and Whisper; FastSpeech has them inside every Transformer block;
#   HiFi-GAN is made of them. GRUs live on in WaveRNN (unit 11).
# - Papers: [LSTM](https://doi.org/10.1162/neco.1997.9.8.1735) (Hochreiter and Schmidhuber 1997),
#   [the forget gate](https://doi.org/10.1162/089976600300015015) (Gers, Schmidhuber and Cummins 2000),
#   [GRU](https://arxiv.org/abs/1406.1078) (Cho and others 2014),
#   [why gradients vanish](https://doi.org/10.1109/72.279181) (Bengio, Simard and Frasconi 1994),
#   [counting with LSTMs](https://arxiv.org/abs/1805.04908) (Weiss, Goldberg and Yahav 2018),
#   [Tacotron](https://arxiv.org/abs/1703.10135), [Tacotron 2](https://arxiv.org/abs/1712.05884),
#   [Deep Speech 2](https://arxiv.org/abs/1512.02595), [HiFi-GAN](https://arxiv.org/abs/2010.05646),
#   [Conformer](https://arxiv.org/abs/2005.08100), and the table of path lengths in
#   [Attention Is All You Need](https://arxiv.org/abs/1706.03762).
# - Next, unit 6: attention and small networks stacked into the Transformer, and Whisper's skeleton counted to the last
#   parameter.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("05_cnn_rnn")
