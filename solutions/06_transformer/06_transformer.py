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
# # 6 · Whisper's skeleton
#
# You build the blocks of which BERT, GPT, Whisper and wav2vec 2.0 are made, and put a small Whisper together that
# listens to telephone numbers.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 120 minutes · about 15 CPU seconds · you need: attention and masks (unit 2), a mel spectrogram (unit 3)
#
# You will be able to
# - say why attention needs to be told the order of its frames, and tell it in two ways;
# - write an encoder block and a decoder block that agree with PyTorch's to five decimals;
# - draw any speech Transformer as a trunk with two ends, and count its parameters.

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
from itertools import pairwise

import matplotlib.pyplot as plt
import torch

F = torch.nn.functional  # its name everywhere
torch.set_printoptions(sci_mode=False)
torch.set_num_threads(1)  # tensors as small as this unit's are not worth sharing among cores

# %% [markdown] lang="en"
# ## 6.1 What attention does not hear
#
# Here is a sentence, and the same sentence cut into pieces of 60 milliseconds that were shuffled like cards.

# %% tags=["demo"]
PIECE = 960  # samples in a piece: 60 ms, which is six frames of a mel spectrogram
clip = load_clip("tt-monkeysintro")
pieces = clip[: len(clip) // PIECE * PIECE].reshape(-1, PIECE)
order = torch.randperm(len(pieces), generator=torch.Generator().manual_seed(1))
fade = torch.ones(PIECE)
fade[:40] = torch.linspace(0, 1, 40)
play(pieces.flatten(), f"“{load_transcript('tt-monkeysintro')}”")
play((pieces * fade * fade.flip(0))[order].flatten(), f"the same {len(pieces)} pieces in another order")

# %% [markdown] lang="en"
# For you the second one is babble. **Predict:** a self-attention layer gets the frames of both. By how much will its
# output vectors differ?
#
# The next cell makes Whisper's log-mel spectrogram of unit 3 with torchaudio (without the padding to 30 seconds) and
# sends it through one of PyTorch's Transformer layers, with random weights.

# %% tags=["demo"]
import torchaudio

to_mel = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=400, hop_length=160, n_mels=80, norm="slaney", mel_scale="slaney"
)


def log_mel(waveform: torch.Tensor) -> torch.Tensor:
    """Whisper's log-mel spectrogram `(..., 80, T)` of a waveform `(..., 160·T)`."""
    power = to_mel(waveform)[..., :-1].clamp_min(1e-10).log10()
    return (power.maximum(power.amax((-2, -1), keepdim=True) - 8) + 4) / 4


frames = log_mel(pieces.flatten()).T[None]  # (1, T, 80): one batch, T frames, 80 numbers each
shuffle = (order[:, None] * 6 + torch.arange(6)).flatten()
torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(80, 8, 160, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
with torch.no_grad():
    heard, heard_shuffled = layer(frames), layer(frames[:, shuffle])
print(f"{frames.shape[1]} frames; the outputs are about {heard.abs().mean():.2f} in size")
print(f"frame by frame, put back in order, they differ by at most {(heard[:, shuffle] - heard_shuffled).abs().max():.0e}")
print(f"their means over time differ by at most {(heard.mean(1) - heard_shuffled.mean(1)).abs().max():.0e}")

# %% tags=["demo"]
figure, pair = plt.subplots(1, 2, figsize=(9.6, 3.2), sharey=True, layout="constrained")
seconds = frames.shape[1] / 100
for axes, picture, title in zip(pair, (frames, frames[:, shuffle]), ("as spoken", "shuffled"), strict=True):
    image = axes.imshow(picture[0].T, origin="lower", aspect="auto", extent=(0, seconds, 0, 80), cmap="magma")
    axes.set(title=title, xlabel="time (s)")
pair[0].set_ylabel("mel bin")
figure.colorbar(image, ax=pair, label="log-mel")
show(
    figure,
    "The log-mel spectrogram of the sentence and of the shuffled pieces: for self-attention without positions the two "
    "hold the same thing, to within the rounding of float32.",
)

# %% [markdown] lang="en"
# Only rounding is left. What attention gives a frame is a weighted mean over *all* frames, and a sum does not care
# about the order of its terms. That self-attention "knows the order" is a common misunderstanding: an RNN knows it,
# because it goes from left to right (unit 5), a convolution knows it among neighbours. Self-attention has to be
# **told**.

# %% [markdown] lang="en"
# ## 6.2 Telling where
#
# The Transformer of 2017 adds to the vector of position $p$ a vector that depends on $p$ alone. Think of a clock:
# one hand turns fast, the next slower, and together they say what time it is. Each hand is a pair of channels, the
# sine and the cosine of one angle:
#
# $$ PE_{p,\,2i} = \sin\frac{p}{10000^{2i/C}}, \qquad PE_{p,\,2i+1} = \cos\frac{p}{10000^{2i/C}},
# \qquad i = 0 \ldots \tfrac{C}{2}-1 $$
#
# By hand, for three positions and $C = 4$ channels: there are two hands. The first turns by $1/10000^0 = 1$ radian a
# position, the second by $1/10000^{2/4} = 1/100$.
#
# | p | sin p | cos p | sin p/100 | cos p/100 |
# |---|---|---|---|---|
# | 0 | 0 | 1 | 0 | 1 |
# | 1 | 0.8415 | 0.5403 | 0.0100 | 1.0000 |
# | 2 | 0.9093 | −0.4161 | 0.0200 | 0.9998 |

# %% [markdown] lang="en"
# ### Exercise 6.1 · The paper's positions · ★☆☆ · 8 min · 2 points
#
# Write `positional_encoding` as in "Attention is all you need": sines in the even channels, cosines in the odd ones,
# both of one angle. Positions count from 0; `channels` is even, and 2 is allowed.
#
# <details><summary>Hint 1: one table of angles</summary>
#
# Make a column of positions `(length, 1)` and a row of C/2 speeds. Their product is a table of angles
# `(length, C/2)`. `torch.arange(0, channels, 2)` is 2i for all i.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.stack([angles.sin(), angles.cos()], dim=-1)` has the shape (length, C/2, 2). Flattening its last two
# dimensions puts each cosine behind its sine.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "positional_encoding", "locked": false, "schema_version": 3, "solution": true, "task": false}
def positional_encoding(length: int, channels: int) -> torch.Tensor:
    """Sines and cosines in turn, as in "Attention is all you need", section 3.5.

    Args:
        length: how many positions, counted from 0.
        channels: even.

    Returns:
        `(length, channels)` float32.
    """
    ### BEGIN SOLUTION
    speeds = 10_000 ** (-torch.arange(0, channels, 2) / channels)  # (C/2,)
    angles = torch.arange(length)[:, None] * speeds  # (length, C/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_positional_encoding", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(positional_encoding)
print(positional_encoding(3, 4))
print("expected: the table above, rows [0, 1, 0, 1], [0.8415, 0.5403, 0.01, 1], [0.9093, −0.4161, 0.02, 0.9998]")
print("(cos 0.01 is 0.99995; the tensor prints it as 0.9999)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(positional_encoding)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Three of the hands, over two seconds of vectors that come every 20 ms. **Predict:** which of them helps to tell
# neighbours apart, which the beginning from the end?

# %% tags=["demo"]
hands = positional_encoding(101, 64)
figure, axes = plt.subplots(3, 1, figsize=(9, 4.6), sharex=True, layout="constrained")
for row, pair_of_channels in zip(axes, (0, 8, 16), strict=True):
    speed = 10_000 ** (-2 * pair_of_channels / 64)
    row.plot(torch.arange(101), hands[:, 2 * pair_of_channels], "o-", color="#0072B2", markersize=2, label="sine")
    row.plot(torch.arange(101), hands[:, 2 * pair_of_channels + 1], "o-", color="#E69F00", markersize=2, label="cosine")
    row.set(title=f"pair {pair_of_channels}: one turn in {2 * math.pi / speed:.0f} positions", ylabel="value")
    row.set_ylim(-1.1, 1.1)
axes[2].legend(loc="lower left", ncols=2)
axes[-1].set(xlabel="position", xlim=(0, 100))
show(figure, "Three pairs of channels: the first turns once in 6 positions, the next in 63, the last in 628.")

# %% [markdown] lang="en"
# The fast hand changes from one position to the next but comes round again and again; the slow one hardly moves from
# one to the next and, in these two seconds, never repeats. Together they are unmistakable.
#
# Whisper's encoder uses sines and cosines too, and still not the same numbers. Two things differ: all sines stand
# first and all cosines behind them, and the hands are spread a little wider, so that the slowest turns by exactly
# $1/\mathrm{max\_timescale}$:
#
# $$ S_{p,\,i} = \sin\frac{p}{m^{\,i/(C/2-1)}}, \qquad S_{p,\,C/2+i} = \cos\frac{p}{m^{\,i/(C/2-1)}},
# \qquad m = \mathrm{max\_timescale} = 10000 $$
#
# By hand for $C = 4$: the exponents are $0/1$ and $1/1$, the speeds 1 and 1/10 000. Row 1 is
# $[\sin 1, \sin 0.0001, \cos 1, \cos 0.0001] = [0.8415, 0.0001, 0.5403, 1.0000]$.

# %% [markdown] lang="en"
# ### Exercise 6.2 · Whisper's positions · ★☆☆ · 7 min · 2 points
#
# Write `sinusoids` as in Whisper. `channels` is even and at least 4; positions count from 0; `max_timescale` is any
# number above 1, a small one such as 2 included.
#
# <details><summary>Hint 1: what changes</summary>
#
# Two things against the exercise before: what the exponent is divided by, and how the two tables are joined.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# With `half = channels // 2`, the speeds are `max_timescale ** (-torch.arange(half) / (half - 1))`. `torch.cat` along
# `dim=1` sets two tables side by side.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "sinusoids", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sinusoids(length: int, channels: int, max_timescale: float = 10_000) -> torch.Tensor:
    """The positions of Whisper's encoder: all sines, then all cosines.

    Args:
        length: how many positions, counted from 0.
        channels: even, at least 4.
        max_timescale: the slowest pair turns by 1 / max_timescale radians a position.

    Returns:
        `(length, channels)` float32.
    """
    ### BEGIN SOLUTION
    half = channels // 2
    speeds = max_timescale ** (-torch.arange(half) / (half - 1))  # (C/2,)
    angles = torch.arange(length)[:, None] * speeds  # (length, C/2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_sinusoids", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(sinusoids)
print(sinusoids(2, 4))
print("expected: rows [0, 0, 1, 1] and [0.8415, 0.0001, 0.5403, 1]")
print(sinusoids(2, 4, max_timescale=2)[1], "expected: sin 1, sin ½, cos 1, cos ½ = 0.8415, 0.4794, 0.5403, 0.8776")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(sinusoids)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Here are your two tables. **Predict:** if you sort the columns of the paper's table, sines first, do you get
# Whisper's?

# %% tags=["demo"]
positional_encoding = solved(positional_encoding)  # yours, or the library's while it is not written
paper, whispers = positional_encoding(1_500, 384), sinusoids(1_500, 384)
figure, pair = plt.subplots(1, 2, figsize=(9.6, 3.6), sharey=True, layout="constrained")
tables = {"the paper's, interleaved": positional_encoding(120, 64), "Whisper's, sines | cosines": sinusoids(120, 64)}
for axes, (title, table) in zip(pair, tables.items(), strict=True):
    image = axes.imshow(table, aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set(title=title, xlabel="channel")
pair[0].set_ylabel("position")
figure.colorbar(image, ax=pair, label="value")
show(
    figure,
    "Positions 0 to 119 in 64 channels. Left, fast and slow pairs alternate sine and cosine. Right, two blocks: sines "
    "that start at 0, cosines that start at 1.",
)
sorted_paper = torch.cat([paper[:, 0::2], paper[:, 1::2]], dim=1)
print(f"paper's table with its columns sorted, minus Whisper's: up to {(sorted_paper - whispers).abs().max():.2f}")

# %% [markdown] lang="en"
# No: with 1 500 positions and 384 channels, the size of Whisper tiny, some numbers differ by nearly 2, the largest
# difference there can be. A model that was trained with the one table finds other positions in the other.
#
# What does such a table say? Compare two of its rows by their dot product. $\sin a \sin b + \cos a \cos b =
# \cos(a - b)$, so every pair contributes the cosine of a *difference*: the result depends only on how far apart the
# two positions are.

# %% tags=["demo"]
whispers = sinusoids(1_500, 384)
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
for place, colour in ((300, "#0072B2"), (700, "#D55E00")):
    likeness = whispers @ whispers[place] / 192
    axes.plot(torch.arange(1_500) / 50, likeness, color=colour, label=f"position {place} ({place / 50:g} s)")
axes.set(title="How alike are two positions of Whisper?", xlabel="time of the other position (s)", xlim=(0, 30))
axes.set(ylabel="dot product / 192", ylim=(0, 1.05))
axes.legend(loc="upper right")
near, far = whispers[300] @ whispers[350] / 192, whispers[700] @ whispers[750] / 192
show(
    figure,
    f"Two curves of the same shape, each with a peak of 1 at its own position, falling off to both sides: one second "
    f"later it is {near:.3f} for position 300 and {far:.3f} for position 700.",
)

places_80 = sinusoids(frames.shape[1], 80)
with torch.no_grad():
    difference = layer(frames + places_80).mean(1) - layer(frames[:, shuffle] + places_80).mean(1)
print(f"the two recordings of 6.1, with positions added: their means now differ by up to {difference.abs().max():.2f}")

# %% [markdown] lang="en"
# Now the layer tells the sentence from the babble. Others tell the order in other ways: BERT and GPT *learn* a table,
# Whisper's decoder does so too; T5 learns a number for each distance between two positions; wav2vec 2.0 and HuBERT add
# the output of a wide convolution, which knows its neighbours.

# %% [markdown] lang="en"
# ## 6.3 Keeping numbers in bounds
#
# A deep network multiplies many matrices in a row; without care, numbers grow or vanish. **Layer norm** brings every
# frame to mean 0 and variance 1, by itself, over the $D$ numbers of its own vector, and then lets the network choose
# a scale $w$ and an offset $b$ for each dimension:
#
# $$ \mu = \frac{1}{D}\sum_d x_d, \qquad \sigma^2 = \frac{1}{D}\sum_d (x_d - \mu)^2, \qquad
# \mathrm{LN}(x)_d = \frac{x_d - \mu}{\sqrt{\sigma^2 + \varepsilon}}\, w_d + b_d $$
#
# $\varepsilon$ is a tiny number that keeps a constant frame from becoming 0/0. By hand, for $x = [1, 3, 5, 7]$, $w$ =
# 1 and $b$ = 0: $\mu = 4$, $\sigma^2 = (9 + 1 + 1 + 9)/4 = 5$, $\sqrt 5 = 2.236$, so the result is
# $[-1.342, -0.447, 0.447, 1.342]$.

# %% [markdown] lang="en"
# ### Exercise 6.3 · Layer norm · ★☆☆ · 8 min · 2 points
#
# Write `layer_norm` over the **last** dimension, whatever stands before it: `(D,)`, `(B, T, D)` or `(B, H, T, D)`.
#
# - The variance divides by D, and ε stands under the root.
# - A frame whose numbers are all equal gives the bias.
# - Numbers may lie far from zero: 2 000 ± 4 must work in float32. float64 stays float64.
# - Gradients flow to `x`, `weight` and `bias`.
#
# <details><summary>Hint 1: shapes</summary>
#
# Each frame has its own mean. `keepdim=True` keeps a dimension of size 1, so that the means can be subtracted.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Subtract the mean first; the variance is then the mean of the squares of what is left. `torch.var` divides by D − 1
# unless you say `correction=0`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "layer_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """Every vector to mean 0 and variance 1, times weight, plus bias.

    Args:
        x: `(..., D)`.
        weight: `(D,)`.
        bias: `(D,)`.
        eps: added to the variance.

    Returns:
        `(..., D)`.
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / (variance + eps).sqrt() * weight + bias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_layer_norm", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(layer_norm)
print(layer_norm(torch.tensor([1.0, 3.0, 5.0, 7.0]), torch.ones(4), torch.zeros(4)))
print("expected: [−1.342, −0.447, 0.447, 1.342]")
print(layer_norm(torch.tensor([5.0, 5.0]), torch.ones(2), torch.tensor([0.5, -0.5])), "expected: the bias, 0.5 and −0.5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(layer_norm)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Listen to the sentence again, and to a copy at a tenth of the amplitude. The logarithm turns "ten times" into "minus
# a constant". **Predict:** what does layer norm make of the difference between the two log-mel spectrograms?

# %% tags=["demo"]
play(clip, "as recorded")
play(clip / 10, "a tenth of the amplitude")
loud, quiet = (to_mel(one).clamp_min(1e-10).log10().T for one in (clip, clip / 10))  # (T, 80), without Whisper's floor
ones, zeros = torch.ones(80), torch.zeros(80)
loud_normed, quiet_normed = layer_norm(loud, ones, zeros), layer_norm(quiet, ones, zeros)
moment = 100  # the frame at one second
figure, pair = plt.subplots(1, 2, figsize=(9.6, 3.2), layout="constrained")
for axes, (one, other), title in (
    (pair[0], (loud, quiet), "one frame, log₁₀ of the mel power"),
    (pair[1], (loud_normed, quiet_normed), "the same after layer norm"),
):
    axes.plot(one[moment], color="#0072B2", linewidth=3, alpha=0.5, label="as recorded")
    axes.plot(other[moment], color="#D55E00", linestyle="--", label="a tenth")
    axes.set(title=title, xlabel="mel bin", ylabel="value")
    axes.legend()
show(figure, "Before layer norm the two curves of one frame lie 2 apart; after it they lie on top of each other.")
print(f"before: {(loud - quiet)[moment].mean():.3f} apart; after: {(loud_normed - quiet_normed)[moment].abs().max():.0e}")

# %% [markdown] lang="en"
# A constant added to all numbers of a frame disappears with the mean: the difference is gone. (Whisper's
# own floor and scaling come on top, and its first layer norm stands behind the stem, not directly on the mel.)
#
# ## 6.4 Thinking for oneself
#
# Attention moves vectors between frames and does nothing else: with its weights fixed it is linear. What makes
# something new of a frame is the **feed-forward** part: a linear layer that widens the vector (four times, in most
# models), a curve, and a linear layer back.
#
# $$ \mathrm{FFN}(x) = W_2\,\mathrm{GELU}(W_1 x + b_1) + b_2, \qquad
# \mathrm{GELU}(z) = z \cdot \tfrac12\Big(1 + \mathrm{erf}\frac{z}{\sqrt 2}\Big) $$
#
# GELU multiplies $z$ by the probability that a standard normal number is smaller than $z$: large numbers pass, very
# negative ones become 0. By hand: $x = [2]$, $W_1 = [[1], [-1]]$, $W_2 = [[1, 1]]$, no biases. Inside stand 2 and
# −2, GELU makes 1.9545 and −0.0455 of them, and their sum is **1.9090**. (With ReLU it would be 2.)

# %% [markdown] lang="en"
# ### Exercise 6.4 · Feed-forward · ★☆☆ · 5 min · 1 point
#
# Write `feed_forward`: linear, exact GELU (with erf, not its approximation by tanh), linear. Weights have the form
# (out, in), as in `nn.Linear`. Any number of dimensions may stand before the last one; float64 stays float64, here and
# in the exercises below. Every function of PyTorch is allowed.
#
# <details><summary>Hint 1: which functions</summary>
#
# `F.linear(x, w, b)` is `x @ w.T + b`; `F.gelu` is exact unless you ask for something else.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Three nested calls: `F.linear`, in it `F.gelu`, in it `F.linear`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "feed_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def feed_forward(
    x: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor
) -> torch.Tensor:
    """Linear, exact GELU, linear: every vector by itself.

    Args:
        x: `(..., D)`.
        w1, b1: `(H, D)` and `(H,)`.
        w2, b2: `(D, H)` and `(D,)`.

    Returns:
        `(..., D)`.
    """
    ### BEGIN SOLUTION
    return F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_feed_forward", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(feed_forward)
w1, w2 = torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0, 1.0]])
print(feed_forward(torch.tensor([2.0]), w1, torch.zeros(2), w2, torch.zeros(1)), "expected: 1.9545 − 0.0455 = 1.9090")
print(feed_forward(torch.tensor([2.0]), w1, torch.zeros(2), w2, torch.ones(1)), "expected: one more, 2.9090")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(feed_forward)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# From here on we use attention with biases and with PyTorch's names for the parameters. You wrote multi-head
# attention in unit 2, so this time it is given. Read it, shapes first.
#
# - `params` is a dict from names to tensors, such as a layer's `state_dict()` gives it.
# - PyTorch stores the three projections as one tall matrix `in_proj_weight`: $W_q$ on top, then $W_k$, then $W_v$.
# - A mask is True where looking is allowed, as in unit 2.

# %%
def attention_weights(x, context, params, name, n_heads, mask=None):
    """Who looks at whom: `(B, n_heads, Tq, Tk)`. Queries from x `(B, Tq, D)`, keys from context `(B, Tk, D)`."""
    D = x.shape[-1]
    weight, bias = params[f"{name}.in_proj_weight"], params[f"{name}.in_proj_bias"]  # (3·D, D) and (3·D,)
    q = F.linear(x, weight[:D], bias[:D]).unflatten(-1, (n_heads, -1)).transpose(1, 2)  # (B, H, Tq, D/H)
    k = F.linear(context, weight[D : 2 * D], bias[D : 2 * D]).unflatten(-1, (n_heads, -1)).transpose(1, 2)
    scores = (q / math.sqrt(D // n_heads)) @ k.mT  # dividing the queries divides the scores, with less work
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1)


def attend(x, context, params, name, n_heads, mask=None):
    """Multi-head attention with the parameters `name`.*: `(B, Tq, D)`."""
    D = x.shape[-1]
    weight, bias = params[f"{name}.in_proj_weight"], params[f"{name}.in_proj_bias"]
    v = F.linear(context, weight[2 * D :], bias[2 * D :]).unflatten(-1, (n_heads, -1)).transpose(1, 2)
    heads = attention_weights(x, context, params, name, n_heads, mask) @ v  # (B, H, Tq, D/H)
    joined = heads.transpose(1, 2).flatten(2)  # (B, Tq, D)
    return F.linear(joined, params[f"{name}.out_proj.weight"], params[f"{name}.out_proj.bias"])


# %% [markdown] lang="en"
# Now a picture of what each part can do. We change one frame of twenty and look which output frames move.
# **Predict** both pictures: your `feed_forward`, and attention.

# %% tags=["demo"]
torch.manual_seed(2)
params = layer.state_dict()
small = frames[:, 60:260:10]  # (1, 20, 80)


def who_moves(function) -> torch.Tensor:
    """Row: the frame that is changed; column: by how much each output frame moves."""
    before, moved = function(small), []
    for t in range(small.shape[1]):
        changed = small.clone()
        changed[:, t] += 0.3 * torch.randn(80)
        moved.append((function(changed) - before)[0].norm(dim=-1))
    return torch.stack(moved)


ffn = [params[f"linear{i}.{part}"] for i in (1, 2) for part in ("weight", "bias")]
figure, pair = plt.subplots(1, 2, figsize=(8.6, 3.8), layout="constrained")
both = {
    "feed_forward": who_moves(lambda x: feed_forward(x, *ffn)),
    "attend": who_moves(lambda x: attend(x, x, params, "self_attn", 8)),
}
for axes, (title, moves) in zip(pair, both.items(), strict=True):
    image = axes.imshow(moves / moves.max(), cmap="viridis", vmin=0, vmax=1)
    axes.set(title=title, xlabel="output frame", ylabel="changed frame", xticks=range(0, 20, 5), yticks=range(0, 20, 5))
figure.colorbar(image, ax=pair, label="movement / largest")
show(
    figure,
    "Feed-forward: only the diagonal moves, each frame depends on itself alone. Attention: every frame moves when any "
    "frame is changed.",
)
outside = both["feed_forward"] - both["feed_forward"].diag().diag()
print(f"feed_forward: largest movement off the diagonal {outside.max():.0f}; attend: smallest anywhere {both['attend'].min():.4f}")

# %% [markdown] lang="en"
# Attention mixes frames, feed-forward works within a frame. A Transformer is little more than these two in turn.

# %% [markdown] lang="en"
# ## 6.5 The encoder block
#
# An **encoder** is a stack of equal blocks. In each, frames first look at each other, then each thinks for itself;
# and both times the result is *added* to what was there. This addition is called a **residual connection**.
#
# $$ x \leftarrow x + \mathrm{MHA}(\mathrm{LN}_1(x)), \qquad x \leftarrow x + \mathrm{FFN}(\mathrm{LN}_2(x)) $$
#
# The norm stands *before* each part (**pre-norm**), so that the sum itself is never squeezed: a straight road from
# the bottom of the stack to the top. Whisper, GPT-2 and T5 do so. The Transformer of 2017, BERT and wav2vec 2.0's
# base model normalise after each addition (**post-norm**), and need a careful start to learn at all.
#
# These are the parameters, by PyTorch's names:

# %% tags=["demo"]
for name, tensor in layer.state_dict().items():
    print(f"{name:26}{tuple(tensor.shape)}")

# %% [markdown] lang="en"
# By hand: let a frame have two numbers, the frames be $[1, 3]$ and $[3, 1]$, and each look at itself and to the left.
# Layer norm makes $[-1, 1]$ and $[1, -1]$. With $W_q = W_k = 0$ all scores are 0, so weights are shared equally; let
# $W_v$ and the output projection be the identity and everything else 0. The first frame sees only itself: $[1, 3] +
# [-1, 1] = [0, 4]$. The second sees the mean of both, $[0, 0]$, and stays $[3, 1]$.

# %% [markdown] lang="en"
# ### Exercise 6.5 · Encoder block · ★★☆ · 15 min · 3 points
#
# Write `encoder_block` (pre-norm, exact GELU, ε = 1e-5, no dropout). `params` has the names above.
#
# - `mask` is bool, True = may look, and broadcasts to `(B, n_heads, T, T)`; every row may look at something.
# - Read `params` by name: its entries may come in another order.
# - Gradients flow to `x` and to every tensor in `params`.
# - Use `attend`, and your `layer_norm` and `feed_forward` if they have passed; otherwise `F.layer_norm`, `F.linear`
#   and `F.gelu` do the same.
#
# <details><summary>Hint 1: what needs a name of its own</summary>
#
# Do not overwrite `x` by its normalised form: you still need it for the addition.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `h = layer_norm(x, params["norm1.weight"], params["norm1.bias"])`, then
# `x = x + attend(h, h, params, "self_attn", n_heads, mask)`. The second half has the same form, with `norm2`, and
# `linear1` and `linear2` in `feed_forward`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "encoder_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def encoder_block(
    x: torch.Tensor, params: dict[str, torch.Tensor], n_heads: int, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """One pre-norm encoder block.

    Args:
        x: `(B, T, D)`.
        params: tensors under the names of `nn.TransformerEncoderLayer.state_dict()`.
        n_heads: divides D.
        mask: bool, True = may look, broadcast to `(B, n_heads, T, T)`; None: everyone sees everyone.

    Returns:
        `(B, T, D)`.
    """
    ### BEGIN SOLUTION
    h = layer_norm(x, params["norm1.weight"], params["norm1.bias"])
    x = x + attend(h, h, params, "self_attn", n_heads, mask)
    h = layer_norm(x, params["norm2.weight"], params["norm2.bias"])
    first, second = ((params[f"linear{i}.weight"], params[f"linear{i}.bias"]) for i in (1, 2))
    return x + feed_forward(h, *first, *second)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_encoder_block", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(encoder_block)
by_hand = {name: torch.zeros_like(one) for name, one in torch.nn.TransformerEncoderLayer(2, 1, 2).state_dict().items()}
two_frames = torch.tensor([[[1.0, 3.0], [3.0, 1.0]]])
print(encoder_block(two_frames, by_hand, 1), "expected: all parameters are 0, so nothing is added to x")
by_hand["norm1.weight"] = torch.ones(2)
by_hand["self_attn.in_proj_weight"] = torch.cat([torch.zeros(4, 2), torch.eye(2)])  # Wq, Wk, Wv
by_hand["self_attn.out_proj.weight"] = torch.eye(2)
print(encoder_block(two_frames, by_hand, 1, mask=torch.ones(2, 2).tril().bool()), "expected: [0, 4] and [3, 1]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(encoder_block)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Does your block compute what PyTorch's does? The same parameters, the frames of the sentence with their positions,
# once without and once with a mask. Mind the mask: `nn.TransformerEncoderLayer` and `nn.MultiheadAttention` say True =
# *blocked*, `F.scaled_dot_product_attention` and this course say True = *allowed*.

# %% tags=["demo"]
sinusoids = solved(sinusoids)
layer_norm = solved(layer_norm)
feed_forward = solved(feed_forward)
T, params = frames.shape[1], layer.state_dict()
placed = frames + sinusoids(T, 80)
left = torch.ones(T, T, dtype=torch.bool).tril()
with torch.no_grad():
    free = (encoder_block(placed, params, 8) - layer(placed)).abs().max()
    masked = (encoder_block(placed, params, 8, mask=left) - layer(placed, src_mask=~left)).abs().max()
    confused = (encoder_block(placed, params, 8, mask=left) - layer(placed, src_mask=left)).abs().max()
print(f"no mask:                    differs by at most {free:.0e}")
print(f"looking left, ~left there:  differs by at most {masked:.0e}")
print(f"looking left, left there:   differs by up to   {confused:.2f}: the two conventions are opposite")
assert max(free, masked) < 1e-5

# %% [markdown] lang="en"
# The second line is the proof that your block is PyTorch's. The third is a mistake that raises no error.
#
# Why the additions? Stack the block thirty times, with random weights, and compare with a stack from which the
# residual connections were taken. The curve shows how alike the frames are, by their mean cosine similarity: 1 means
# that all frames point the same way. **Predict** which stack forgets what was said.

# %% tags=["demo"]
def without_residuals(x, params, n_heads):
    """Each part in turn, and nothing added back."""
    norm1, norm2, *linear = (
        [params[f"{part}.{which}"] for which in ("weight", "bias")] for part in ("norm1", "norm2", "linear1", "linear2")
    )
    frames = layer_norm(x, *norm1)
    frames = layer_norm(attend(frames, frames, params, "self_attn", n_heads), *norm2)
    return feed_forward(frames, *linear[0], *linear[1])


def likeness(x: torch.Tensor) -> float:
    """The mean cosine similarity of two different frames."""
    x = F.normalize(x[0], dim=-1)
    return ((x @ x.T).sum() - len(x)).item() / (len(x) * (len(x) - 1))


torch.manual_seed(3)
stack = [torch.nn.TransformerEncoderLayer(80, 8, 320, norm_first=True).state_dict() for _ in range(30)]
start = layer_norm(frames, ones, zeros) + sinusoids(T, 80)
start = start - start.mean(1, keepdim=True)
curves = {"with residual connections": [likeness(start)], "without": [likeness(start)]}
with torch.no_grad():
    for curve, block in zip(curves.values(), (encoder_block, without_residuals), strict=True):
        x = start
        for one in stack:
            x = block(x, one, 8)
            curve.append(likeness(x))
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
for (name, curve), colour in zip(curves.items(), ("#0072B2", "#D55E00"), strict=True):
    axes.plot(curve, "o-", color=colour, label=name, markersize=3)
axes.set(title="Frames of one sentence through 30 random blocks", xlabel="blocks", ylabel="mean cosine of two frames")
axes.set_ylim(-0.1, 1.05)
axes.legend(loc="center", bbox_to_anchor=(0.5, 0.68))
show(
    figure,
    f"Without residual connections all frames are alike ({curves['without'][5]:.2f}) after five blocks; with them the "
    f"likeness is {curves['with residual connections'][-1]:.2f} after thirty.",
)

# %% [markdown] lang="en"
# Attention averages, and an average of averages is soon the same everywhere. The additions keep each frame itself.

# %% [markdown] lang="en"
# ## 6.6 Whisper's stem: from mel to vectors
#
# A Transformer takes `(batch, time, dimensions)`, Whisper has a mel spectrogram `(80, 3000)` for 30 seconds. Between
# them stands a small **stem**:
#
# 1. a one-dimensional convolution over time, kernel 3, padding 1, stride 1, from 80 channels to $D$; GELU;
# 2. another from $D$ to $D$, kernel 3, padding 1, stride **2**, which halves the number of frames; GELU;
# 3. time and channels change places, and `sinusoids` is added.
#
# 3 000 frames, 10 ms apart, become 1 500 vectors, 20 ms apart.
#
# By hand: a mel with one bin and four frames, $[1, 2, 3, 4]$. Let the first convolution multiply by 10 (middle tap of
# channel 0, all else 0): GELU leaves 10, 20, 30, 40 as they are. Let the second copy channel 0 (middle tap 1): with
# stride 2 it is centred on the frames 0 and 2 and gives 10 and 30. Added are the positions, in channel 0 sin 0 = 0
# and sin 1 = 0.8415: **10** and **30.8415**.

# %% [markdown] lang="en"
# ### Exercise 6.6 · Whisper's stem · ★★☆ · 12 min · 3 points
#
# Write `whisper_stem`. T is even, otherwise as you like: 2 frames give one vector. Library convolutions are allowed.
# The positions are those of your `sinusoids`, counted in the vectors that come out; if 6.2 has not passed yet, do that
# first.
#
# <details><summary>Hint 1: where time is</summary>
#
# `F.conv1d` wants and gives `(batch, channels, time)`; the result here is `(batch, time, channels)`. `x.mT` exchanges
# the last two dimensions.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `F.gelu(F.conv1d(mel, w1, b1, padding=1))`; the same again with `w2`, `b2` and `stride=2`; then `x.mT`, to which
# `sinusoids(*x.shape[1:])` of the transposed `x` is added.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "whisper_stem", "locked": false, "schema_version": 3, "solution": true, "task": false}
def whisper_stem(
    mel: torch.Tensor, w1: torch.Tensor, b1: torch.Tensor, w2: torch.Tensor, b2: torch.Tensor
) -> torch.Tensor:
    """Two convolutions over time, GELU after each, and the positions.

    Args:
        mel: `(B, M, T)`, T even.
        w1, b1: `(D, M, 3)` and `(D,)`: stride 1, padding 1.
        w2, b2: `(D, D, 3)` and `(D,)`: stride 2, padding 1.

    Returns:
        `(B, T/2, D)`.
    """
    ### BEGIN SOLUTION
    x = F.gelu(F.conv1d(mel, w1, b1, padding=1))  # (B, D, T)
    x = F.gelu(F.conv1d(x, w2, b2, stride=2, padding=1)).mT  # (B, T/2, D)
    return x + sinusoids(*x.shape[1:]).to(x.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_whisper_stem", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(whisper_stem)
tap, copy = torch.zeros(4, 1, 3), torch.zeros(4, 4, 3)
tap[0, 0, 1], copy[0, 0, 1] = 10.0, 1.0
stem = whisper_stem(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), tap, torch.zeros(4), copy, torch.zeros(4))
print(tuple(stem.shape), stem[0, :, 0], "expected: shape (1, 2, 4), channel 0 is 10 and 30.8415")
print(stem[0, 1, 1:], "expected: positions only, 0.0001, 0.5403 and 1")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(whisper_stem)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# You may read that Whisper sends its spectrogram through a *2-D CNN*. It does not, and the shapes prove it. A 2-D
# filter is a small patch, 3 × 3 say, that slides over time **and** frequency; what it leaves still has a frequency
# axis. Whisper's filters are 80 bins high and slide over time only.

# %% tags=["demo"]
mel = log_mel(F.pad(clip, (0, 480_000 - len(clip))))[None]  # (1, 80, 3000)
one_d = torch.nn.Conv1d(80, 384, 3, padding=1)
two_d = torch.nn.Conv2d(1, 384, 3, padding=1, device="meta")  # shapes only: the result would fill 370 MB
print(f"mel                        {tuple(mel.shape)}")
with torch.no_grad():
    print(f"1-D: weight {tuple(one_d.weight.shape)!s:16} → {tuple(one_d(mel).shape)}")
print(f"2-D: weight {tuple(two_d.weight.shape)!s:16} → {tuple(two_d(mel[:, None].to('meta')).shape)}")
print("\nOpenAI's Whisper tiny has encoder.conv1.weight (384, 80, 3) and encoder.conv2.weight (384, 384, 3).")

# %% [markdown] lang="en"
# What can such a filter listen for? Four made by hand, run through your stem. Two look at all bins at once, one
# compares high bins with low ones, one compares the next frame with the last. (The positions are taken off again for
# the picture.) **Predict** where the last one fires, and how far a trace can go below zero.

# %% tags=["demo"]
hand, passed_on = torch.zeros(4, 80, 3), torch.zeros(4, 4, 3)
hand[0, :, 1] = 1 / 80  # loud
hand[1, :, 1] = -1 / 80  # silent
hand[2, 50:, 1], hand[2, :30, 1] = 0.1, -0.1  # more above than below: a hiss
hand[3, :, 2], hand[3, :, 0] = 1 / 80, -1 / 80  # louder than just before: an onset
passed_on[range(4), range(4), 1] = 1.0
sentence = log_mel(clip[: len(clip) // 320 * 320])[None]
traces = whisper_stem(sentence, 4 * hand, torch.zeros(4), passed_on, torch.zeros(4))
traces = (traces - sinusoids(*traces.shape[1:]))[0]
seconds = sentence.shape[-1] / 100
figure, axes = plt.subplots(5, 1, figsize=(9, 6.4), sharex=True, layout="constrained", height_ratios=(3, 1, 1, 1, 1))
image = axes[0].imshow(sentence[0], origin="lower", aspect="auto", extent=(0, seconds, 0, 80), cmap="magma")
axes[0].set(title=f"“{load_transcript('tt-monkeysintro')}”", ylabel="mel bin")
figure.colorbar(image, ax=axes[0], label="log-mel")
names, colours = ("loud", "silent", "hiss", "onset"), ("#0072B2", "#999999", "#009E73", "#D55E00")
for row, trace, name, colour in zip(axes[1:], traces.T, names, colours, strict=True):
    row.fill_between(torch.arange(len(trace)) / 50, trace, color=colour)
    row.set(ylabel=name, ylim=(-0.4, 1.05 * traces.max()))
axes[-1].set(xlabel="time (s)", xlim=(0, seconds))
hiss, twice = traces[:, 2].argmax() / 50, F.gelu(F.gelu(torch.linspace(-5, 0, 5_001))).min()
show(
    figure,
    "The spectrogram and, on one scale, what four hand-made filters of the stem give over time. The hiss is strongest "
    f"at {hiss:.2f} s, the s of “monkeys”; onsets are short peaks where a syllable begins. The shallow dips below zero "
    f"are GELU's: it leaves next to nothing of a negative answer, here never less than {traces.min():.3f}.",
)
print(f"the lowest that a trace can be: GELU of GELU is never below {twice:.3f}")

# %% [markdown] lang="en"
# Whisper learns 384 such filters, or 1 280, from 680 000 hours of speech. Stem, encoder blocks and one last layer
# norm: that is Whisper's whole **encoder**.

# %% [markdown] lang="en"
# ## 6.7 The decoder block
#
# A **decoder** writes: one **token** at a time (a token is a piece of text: a letter, a syllable, a word), each from
# those already written. Its block has one part more.
#
# $$ y \leftarrow y + \mathrm{MHA}_{\text{self}}(\mathrm{LN}_1(y)), \quad
# y \leftarrow y + \mathrm{MHA}_{\text{cross}}(\mathrm{LN}_2(y),\, m), \quad
# y \leftarrow y + \mathrm{FFN}(\mathrm{LN}_3(y)) $$
#
# - **Self-attention is causal:** token $i$ sees tokens up to $i$. While learning, the whole text is there at once;
#   the mask makes sure that no token is guessed by looking at it.
# - **Cross-attention** looks at the encoder's vectors, the **memory** $m$: queries come from the text, keys and values
#   from the sound. All of the sound is there from the start, so nothing is masked.
# - The memory has already been normalised at the encoder's end; $\mathrm{LN}_2$ is for the queries.
#
# PyTorch calls the two attentions `self_attn` and `multihead_attn`.
#
# By hand: one token $[1, 3]$, a memory of two frames $[2, 0]$ and $[4, 2]$, scores all 0, the cross-attention's
# $W_v$ and output projection the identity, everything else 0. The token gets the mean of the memory, $[3, 1]$, and
# becomes $[1, 3] + [3, 1] = [4, 4]$.

# %% [markdown] lang="en"
# ### Exercise 6.7 · Decoder block · ★★★ · 15 min · 3 points
#
# Write `decoder_block` (pre-norm, exact GELU, ε = 1e-5, no dropout). `params` has the names of
# `nn.TransformerDecoderLayer.state_dict()`: those of 6.5, `multihead_attn.…` and `norm3.…`.
#
# - Any number of tokens, any number of frames, one of either included; there may be more tokens than frames.
# - Read `params` by name, as before.
# - Gradients flow to `y`, to `memory` and to every tensor in `params`.
#
# <details><summary>Hint 1: the mask</summary>
#
# S tokens need a mask `(S, S)` that is True on and below the diagonal.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Three times the same pattern: normalise `y` with the next norm, compute, add to `y`. In the second,
# `attend(h, memory, params, "multihead_attn", n_heads)` has no mask.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "decoder_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decoder_block(
    y: torch.Tensor, memory: torch.Tensor, params: dict[str, torch.Tensor], n_heads: int
) -> torch.Tensor:
    """One pre-norm decoder block: causal self-attention, cross-attention, feed-forward.

    Args:
        y: `(B, S, D)` tokens.
        memory: `(B, T, D)` the encoder's vectors, all of them real.
        params: tensors under the names of `nn.TransformerDecoderLayer.state_dict()`.
        n_heads: divides D.

    Returns:
        `(B, S, D)`.
    """
    ### BEGIN SOLUTION
    S = y.shape[1]
    left = torch.ones(S, S, dtype=torch.bool, device=y.device).tril()
    h = layer_norm(y, params["norm1.weight"], params["norm1.bias"])
    y = y + attend(h, h, params, "self_attn", n_heads, left)
    h = layer_norm(y, params["norm2.weight"], params["norm2.bias"])
    y = y + attend(h, memory, params, "multihead_attn", n_heads)
    h = layer_norm(y, params["norm3.weight"], params["norm3.bias"])
    first, second = ((params[f"linear{i}.weight"], params[f"linear{i}.bias"]) for i in (1, 2))
    return y + feed_forward(h, *first, *second)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_decoder_block", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(decoder_block)
by_hand = {name: torch.zeros_like(one) for name, one in torch.nn.TransformerDecoderLayer(2, 1, 2).state_dict().items()}
token, sound = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[2.0, 0.0], [4.0, 2.0]]])
print(decoder_block(token, sound, by_hand, 1), "expected: all parameters are 0, so nothing is added to y")
by_hand["multihead_attn.in_proj_weight"] = torch.cat([torch.zeros(4, 2), torch.eye(2)])  # Wq, Wk, Wv
by_hand["multihead_attn.out_proj.weight"] = torch.eye(2)
print(decoder_block(token, sound, by_hand, 1), "expected: the mean of the memory is added, [4, 4]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(decoder_block)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Your block beside PyTorch's, and a picture of who depends on whom: seven tokens, the 20 frames from above. Change
# one input, see which tokens move. **Predict** both panels.

# %% tags=["demo"]
torch.manual_seed(4)
library = torch.nn.TransformerDecoderLayer(
    80, 8, 160, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
)
written, memory, weights = torch.randn(1, 7, 80), small, library.state_dict()
causal = torch.ones(7, 7, dtype=torch.bool).tril()
with torch.no_grad():
    mine, theirs = decoder_block(written, memory, weights, 8), library(written, memory, tgt_mask=~causal)
    print(f"your block and nn.TransformerDecoderLayer differ by at most {(mine - theirs).abs().max():.0e}")
    assert (mine - theirs).abs().max() < 1e-5
    by_token, by_frame = torch.zeros(7, 7), torch.zeros(7, 20)
    for i in range(7):
        changed = written.clone()
        changed[:, i] += torch.randn(80)
        by_token[:, i] = (decoder_block(changed, memory, weights, 8) - mine)[0].norm(dim=-1)
    for j in range(20):
        changed = memory.clone()
        changed[:, j] += torch.randn(80)
        by_frame[:, j] = (decoder_block(written, changed, weights, 8) - mine)[0].norm(dim=-1)
figure, pair = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained", width_ratios=(7, 14))
for axes, moves, title, what in (
    (pair[0], by_token, "causal self-attention", "changed token"),
    (pair[1], by_frame, "cross-attention", "changed frame of the sound"),
):
    image = axes.imshow(moves.clamp_min(1e-4), cmap="viridis", norm="log", vmin=1e-2, vmax=10, aspect="auto")
    ticks = range(0, moves.shape[1], 5 if moves.shape[1] > 7 else 1)
    axes.set(title=title, xlabel=what, ylabel="token that moves", xticks=ticks, yticks=range(7))
figure.colorbar(image, ax=pair, label="movement (log scale; 0 is darkest)")
show(
    figure,
    "Left, a triangle: a token moves when it or an earlier one is changed. Right, a full rectangle: every token moves "
    "when any frame of the sound is changed.",
)
print(f"largest movement above the diagonal: {by_token.triu(1).max():.0f}")

# %% [markdown] lang="en"
# ## 6.8 A very small Whisper
#
# Stem, encoder block, decoder block: all there is to Whisper. Let us train one with a single block of each, two heads
# and 32 dimensions, on something a telephone exchange might need: **numbers read aloud**. The voice has ten recordings,
# one a digit; we join two to four of them with random pauses and a little noise, in a window of three seconds. As in
# Whisper the window has a fixed length, and what is left of it is silence.
#
# The decoder gets what has been written so far, beginning with a start token `<s>`, and says for **each place which
# token comes next**; `</s>` ends the text. The loss is the cross-entropy of these answers, and that is all of
# Whisper's training too.

# %% tags=["demo"]
digits = []
for i in range(10):
    spoken = load_clip(f"digits-{i}")
    level = spoken.unfold(0, 400, 160).square().mean(-1).sqrt()
    loud_enough = (level > 0.02 * level.max()).nonzero()[:, 0]  # cut off the silence at both ends
    spoken = spoken[int(loud_enough[0]) * 160 : int(loud_enough[-1]) * 160 + 400].clone()
    spoken[:80] *= torch.linspace(0, 1, 80)
    spoken[-80:] *= torch.linspace(1, 0, 80)
    digits.append(spoken)
START, END, NONE = 10, 11, -100  # NONE fills up shorter targets: the loss leaves it out
chance = torch.Generator().manual_seed(0)


def between(low: int, high: int) -> int:
    return int(torch.randint(low, high, (1,), generator=chance))


def read_aloud(number: list[int]) -> torch.Tensor:
    """Three seconds in which the number is said."""
    window, place = 5e-4 * torch.randn(48_000, generator=chance), between(0, 1_600)
    for digit in number:
        spoken = digits[digit][: 48_000 - place]
        window[place : place + len(spoken)] += spoken
        place += len(digits[digit]) + between(0, 1_600)
    return window


def numbers(n: int, unheard: bool) -> list[list[int]]:
    """Random numbers of two to four digits; those whose digits add up to a multiple of 7 are kept for the test."""
    found: list[list[int]] = []
    while len(found) < n:
        number = [between(0, 10) for _ in range(between(2, 5))]
        if (sum(number) % 7 == 0) == unheard:
            found.append(number)
    return found


training = numbers(400, unheard=False)
sounds = torch.stack([read_aloud(number) for number in training])
mels = torch.cat([log_mel(part) for part in sounds.split(20)])  # all at once would fill hundreds of MB
targets = torch.tensor([[START, *number, END] + [NONE] * (4 - len(number)) for number in training])
example = numbers(1, unheard=True)[0]
play(read_aloud(example), f"a number that it will not learn from: {' '.join(map(str, example))}")
print(f"mel {tuple(mels.shape)}, targets {tuple(targets.shape)}; the first: {targets[0].tolist()}")

# %% tags=["demo"]
encoder_block = solved(encoder_block)
whisper_stem = solved(whisper_stem)
torch.manual_seed(0)
D, HEADS = 32, 2


def start_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The random numbers that PyTorch begins with, ready to learn."""
    return {name: tensor.clone().requires_grad_() for name, tensor in module.state_dict().items()}


conv1, conv2 = start_of(torch.nn.Conv1d(80, D, 3)), start_of(torch.nn.Conv1d(D, D, 3))
block_in = start_of(torch.nn.TransformerEncoderLayer(D, HEADS, 2 * D))
block_out = start_of(torch.nn.TransformerDecoderLayer(D, HEADS, 2 * D))
norm_in, norm_out = start_of(torch.nn.LayerNorm(D)), start_of(torch.nn.LayerNorm(D))
table = (0.3 * torch.randn(12, D)).requires_grad_()  # a vector for each token
places = (0.3 * torch.randn(8, D)).requires_grad_()  # the decoder's positions are learned, as in Whisper


def encode(mel: torch.Tensor) -> torch.Tensor:
    """Mel `(B, 80, T)` to memory `(B, T/2, D)`."""
    x = whisper_stem(mel, conv1["weight"], conv1["bias"], conv2["weight"], conv2["bias"])
    return layer_norm(encoder_block(x, block_in, HEADS), norm_in["weight"], norm_in["bias"])


def next_token(tokens: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """Tokens `(B, S)` and memory to scores `(B, S, 12)`: for each place, which token comes next."""
    y = decoder_block(table[tokens] + places[: tokens.shape[1]], memory, block_out, HEADS)
    return layer_norm(y, norm_out["weight"], norm_out["bias"]) @ table.T  # the token table once more: tied weights


groups = (conv1, conv2, block_in, block_out, norm_in, norm_out)
learned = [*(tensor for group in groups for tensor in group.values()), table, places]
print(f"{sum(tensor.numel() for tensor in learned):,} numbers to learn".replace(",", " "))

# %% tags=["demo", "training"]
from tqdm import tqdm

STEPS = 200
optimizer = torch.optim.AdamW(learned, lr=6e-3)
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=STEPS)
losses = []
for _ in (progress := tqdm(range(STEPS), file=sys.stdout, ncols=80, mininterval=0.5)):
    pick = torch.randint(0, len(mels), (16,), generator=chance)
    scores = next_token(targets[pick, :-1].clamp_min(0), encode(mels[pick]))
    loss = F.cross_entropy(scores.flatten(0, 1), targets[pick, 1:].flatten(), ignore_index=NONE)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learned, 1.0)
    optimizer.step()
    rate.step()
    losses.append(loss.item())
    progress.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
axes.semilogy(losses, color="#0072B2")
guess = (3 * math.log(10) + math.log(3)) / 4  # three digits on average, one of three lengths, four tokens to say so
axes.axhline(guess, color="#777777", linestyle=":", label=f"a number, but any number: {guess:.2f}")
axes.set(title="Learning to write down numbers", xlabel="step", ylabel="cross-entropy (nats)")
axes.legend()
lingers = sum(0.8 < one / guess < 1.2 for one in losses)
show(
    figure,
    f"The loss begins at {losses[0]:.1f}, stays within a fifth of {guess:.2f} for {lingers} of {STEPS} steps and ends "
    f"at {losses[-1]:.3f}.",
)

# %% [markdown] lang="en"
# The dotted line is what a model pays that has learned what numbers look like and does not listen: ln 10 for each
# digit and ln 3 for one of three lengths, three digits and four tokens on average, (3 ln 10 + ln 3)/4 = 2.00. There
# the loss lingers: to get well below, the model has to listen. Now let it write a number that was never in its
# training, one token at a time. After each token the whole decoder runs again, with one token more.

# %% tags=["demo"]
def write(mel: torch.Tensor) -> list[int]:
    """The tokens that the model finds most likely, one after the other, until it says </s>."""
    memory, tokens = encode(mel), [START]
    while tokens[-1] != END and len(tokens) < 8:
        tokens.append(int(next_token(torch.tensor([tokens]), memory)[0, -1].argmax()))
    return tokens


names = [*map(str, range(10)), "<s>", "</s>"]
test = numbers(40, unheard=True)
sounds = torch.stack([read_aloud(number) for number in test])
test_mels = log_mel(sounds)
chosen = next(i for i, number in enumerate(test) if len(set(number)) == 4)
with torch.no_grad():
    right = sum(write(mel[None])[1:-1] == number for mel, number in zip(test_mels, test, strict=True))
    tokens, memory = write(test_mels[chosen][None]), encode(test_mels[chosen][None])
    likely = next_token(torch.tensor([tokens[:-1]]), memory)[0].softmax(-1)
play(sounds[chosen], f"said: {' '.join(map(str, test[chosen]))}")
for place in range(len(tokens) - 1):
    so_far = " ".join(names[token] for token in tokens[: place + 1])
    print(f"{so_far:18} → {names[tokens[place + 1]]:5} with probability {likely[place, tokens[place + 1]]:.2f}")
print(f"\n{right} of {len(test)} unheard numbers are written without a mistake")

# %% [markdown] lang="en"
# Be fair to real recognisers: this one knows ten recordings of one voice, and only their order, the pauses and the
# noise are new. Still, nobody told it where a digit begins or ends. Where did it look? The weights of the
# cross-attention say it, one row a token. **Predict** which part of the picture is bright.

# %% tags=["demo"]
from matplotlib.colors import PowerNorm


def looks(tokens: list[int], memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of the self-attention `(S, S)` and of the cross-attention `(S, T/2)`, means over the heads."""
    y = table[torch.tensor([tokens[:-1]])] + places[: len(tokens) - 1]
    causal = torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).tril()
    h = layer_norm(y, block_out["norm1.weight"], block_out["norm1.bias"])
    own = attention_weights(h, h, block_out, "self_attn", HEADS, causal)[0].mean(0)
    h = y + attend(h, h, block_out, "self_attn", HEADS, causal)
    h = layer_norm(h, block_out["norm2.weight"], block_out["norm2.bias"])
    return own, attention_weights(h, memory, block_out, "multihead_attn", HEADS)[0].mean(0)


with torch.no_grad():
    tokens, memory = write(test_mels[chosen][None]), encode(test_mels[chosen][None])
    own, cross = looks(tokens, memory)
figure, axes = plt.subplot_mosaic(
    [[".", "mel"], ["own", "cross"]], figsize=(10, 5), layout="constrained", width_ratios=(3, 8)
)
image = axes["mel"].imshow(test_mels[chosen], origin="lower", aspect="auto", extent=(0, 3, 0, 80), cmap="magma")
axes["mel"].set(title="the sound", ylabel="mel bin", xticks=[])
figure.colorbar(image, ax=axes["mel"], label="log-mel")
colours = {"cmap": "viridis", "norm": PowerNorm(0.5, 0, 1), "aspect": "auto"}  # one scale for both
axes["own"].imshow(own, **colours)
image = axes["cross"].imshow(cross, extent=(0, 3, len(cross) - 0.5, -0.5), **colours)
rows = range(len(cross))
labels = [names[token] for token in tokens[:-1]]
axes["own"].set(title="self-attention", xlabel="token looked at", ylabel="token that looks")
axes["own"].set(xticks=rows, xticklabels=labels, yticks=rows, yticklabels=labels)
axes["cross"].set(title="cross-attention", xlabel="time (s)", ylabel="written → next", yticks=rows)
axes["cross"].set_yticklabels([f"{names[a]} → {names[b]}" for a, b in pairwise(tokens)])
figure.colorbar(image, ax=axes["cross"], label="weight, both panels", ticks=(0, 0.02, 0.1, 0.25, 0.5, 1))
centres = (cross * (torch.arange(cross.shape[1]) + 0.5) / 50).sum(-1)[:-1]
show(
    figure,
    "Below left, the decoder's self-attention, a triangle: it is causal. Right, its cross-attention, below the sound: "
    f"the rows that write the digits look, on average, at {', '.join(f'{one:.1f}' for one in centres)} s. Colours "
    "follow the root of the weight, so that small ones show.",
)

# %% [markdown] lang="en"
# A staircase: sound and text were aligned by nothing but the wish to know the next token.
#
# One often reads that Whisper is trained with CTC. You have just seen what it does instead. CTC (unit 9) scores every
# *frame*, has a *blank*, and needs no decoder. Whisper scores every *token*, given those before it:

# %% tags=["demo"]
with torch.no_grad():
    tokens, memory = write(test_mels[chosen][None]), encode(test_mels[chosen][None])
    tokens_in, answers = torch.tensor([tokens[:-1]]), torch.tensor(tokens[1:])
    scores = next_token(tokens_in, memory)
    by_library = F.cross_entropy(scores[0], answers)
    one_by_one = [-scores[0, i].log_softmax(-1)[answer].item() for i, answer in enumerate(answers)]
print(f"frames in the memory: {memory.shape[1]}; scores {tuple(scores.shape)}: one row for each token, none for a frame")
print(f"the 12 columns: {' '.join(names)}: no blank among them")
print("−ln p(next token):", " + ".join(f"{one:.4f}" for one in one_by_one), f"→ mean {sum(one_by_one) / len(one_by_one):.4f}")
print(f"F.cross_entropy:   {by_library:.4f}")

# %% [markdown] lang="en"
# And one more rumour: "Whisper ignores the padding." Nothing in stem, encoder or cross-attention is masked; the
# silence after the last digit is part of the memory like everything else. **Predict:** which row looks there?

# %% tags=["demo"]
short = next(i for i, number in enumerate(test) if len(set(number)) == len(number) == 2)
for which in (chosen, short):
    with torch.no_grad():
        tokens, memory = write(test_mels[which][None]), encode(test_mels[which][None])
        _, cross = looks(tokens, memory)
    last_sound = int((test_mels[which].mean(0) > -0.3).nonzero().max()) // 2 + 1
    print(f"the last sound ends at {last_sound / 50:.2f} s; after it come {150 - last_sound} vectors of silence")
    for row, (a, b) in enumerate(pairwise(tokens)):
        print(f"{names[a]:>5} → {names[b]:5} {cross[row, last_sound:].sum():6.1%} of its attention goes to that silence")

# %% [markdown] lang="en"
# The rows that write digits hardly look there. The row that writes `</s>` does, the more of it the longer the silence:
# that nothing more comes has to be heard, too.
#
# ## 6.9 One trunk, many ends
#
# Your two blocks, stacked, are the **trunk** of nearly every model in this course. Models differ in which of the two
# they have, and in what stands at the ends.
#
# - **Encoder only:** something goes in whole and is understood. BERT for text, wav2vec 2.0 and HuBERT for sound.
# - **Decoder only:** text goes on. GPT; its blocks have no cross-attention, since there is nothing to look at.
# - **Both:** one thing goes in, another comes out. T5 (text to text), Whisper (sound to text), and SpeechT5 (text or
#   sound to text or sound: one trunk, with *pre-nets* and *post-nets* that can be exchanged).
#
# The figures are those of the base models; of T5 it is the small one, because its trunk has exactly the size of
# Whisper base: 6 + 6 blocks, 512 dimensions, 8 heads.

# %% tags=["demo"]
models = {  # name: (in end, blocks of the encoder, of the decoder, dimensions, out end, learns from)
    "BERT": ("word pieces → table", 12, 0, 768, "the missing word", "masked words"),
    "GPT": ("word pieces → table", 0, 12, 768, "the next word piece", "next tokens"),
    "T5 small": ("word pieces → table", 6, 6, 512, "text", "masked spans, as next tokens"),
    "Whisper base": ("mel → two 1-D convolutions", 6, 6, 512, "text", "next tokens (cross-entropy)"),
    "SpeechT5": ("text → table | waveform → CNN", 12, 6, 768, "text | mel → vocoder", "masked speech and text"),
    "wav2vec 2.0": ("waveform → 7 convolutions", 12, 0, 768, "one vector every 20 ms", "masked frames, contrast; then CTC"),
    "HuBERT": ("waveform → 7 convolutions", 12, 0, 768, "one vector every 20 ms", "masked frames, clusters; then CTC"),
}
figure, axes = plt.subplots(figsize=(12.4, 6), layout="constrained")
for row, (name, (end_in, n_in, n_out, d, end_out, learns)) in enumerate(models.items()):
    y = -row
    axes.text(0, y, name, va="center", fontsize=10, fontweight="bold")
    for x, width, text, colour in ((1.5, 3.0, end_in, "#EEEEEE"), (9.4, 2.4, end_out, "#EEEEEE")):
        axes.add_patch(plt.Rectangle((x, y - 0.3), width, 0.6, facecolor=colour, edgecolor="#444444", linewidth=0.8))
        axes.text(x + width / 2, y, text, ha="center", va="center", fontsize=9)
    for x, n, colour in ((4.9, n_in, "#BBDDF2"), (7.2, n_out, "#FBE0A8")):
        style = {"facecolor": colour, "edgecolor": "#444444"} if n else {"facecolor": "white", "edgecolor": "#BBBBBB"}
        axes.add_patch(plt.Rectangle((x, y - 0.3), 1.9, 0.6, linestyle="-" if n else ":", linewidth=0.8, **style))
        axes.text(x + 0.95, y, f"{n} × {d}" if n else "none", ha="center", va="center", color="black" if n else "#888888")
    stops = [4.5, 4.9 if n_in else 7.2]
    if n_in and n_out:
        stops += [6.8, 7.2]
    stops += [9.1 if n_out else 6.8, 9.4]
    for a, b in zip(stops[::2], stops[1::2], strict=True):
        axes.annotate("", (b, y), (a, y), arrowprops={"arrowstyle": "->", "color": "#444444"}, zorder=0)
    axes.text(12, y, learns, va="center", fontsize=9)
heads = {1.5: "in end", 4.9: "encoder blocks", 7.2: "decoder blocks", 9.4: "out end", 12: "learns from"}
for x, text in heads.items():
    axes.text(x, 0.62, text, fontsize=10, style="italic")
axes.set(xlim=(-0.2, 15.8), ylim=(-6.6, 1))
axes.axis("off")
show(
    figure,
    "Seven models as trunks with two ends. Encoder only: BERT, wav2vec 2.0, HuBERT. Decoder only: GPT. Both: T5, "
    "Whisper, SpeechT5. The in ends are tables for text, convolutions for sound.",
)

# %% [markdown] lang="en"
# The speech synthesisers of this course grew on the same tree. FastSpeech is a stack of encoder blocks over
# phonemes, a *length regulator* that repeats each vector as long as its phoneme lasts (unit 10), and a second stack
# that ends in a mel spectrogram; in its blocks convolutions take the place of the linear layers. VITS reads its
# phonemes with encoder blocks too and goes on to the waveform.
#
# Take the claim literally: one block, trained or not, and three different ends. Nothing in it knows what it is fed.

# %% tags=["demo"]
torch.manual_seed(5)
trunk = torch.nn.TransformerEncoderLayer(64, 4, 256).state_dict()
text_end = torch.nn.Embedding(40, 64)
wave_end = torch.nn.Sequential(torch.nn.Conv1d(1, 64, 10, 5), torch.nn.GELU(), torch.nn.Conv1d(64, 64, 64, 64))
mel_end = [torch.randn(64, 80, 3) / 15, torch.zeros(64), torch.randn(64, 64, 3) / 14, torch.zeros(64)]
with torch.no_grad():
    ends = {
        "phonemes, as in FastSpeech": text_end(torch.tensor([[18, 0, 10, 8]])),
        "waveform, as in wav2vec 2.0": wave_end(clip[None, None]).mT,
        "mel, as in Whisper": whisper_stem(sentence, *mel_end),
    }
    for name, vectors in ends.items():
        hidden = encoder_block(vectors, trunk, 4)
        print(f"{name:28} {tuple(vectors.shape)!s:14} → the same block → {tuple(hidden.shape)}")

# %% [markdown] lang="en"
# ## 6.10 Counting every parameter
#
# You know every part of Whisper now, so you can count what it learns, to the last number. Write $d$ for the
# dimensions.
#
# | part | learned |
# |---|---|
# | stem | two convolutions with bias: $(d, M, 3)$ and $(d, d, 3)$ |
# | encoder's positions | computed, **not learned** |
# | one attention | query, value and output $(d, d)$ with bias; key $(d, d)$ **without** bias |
# | feed-forward | $(4d, d)$ and $(d, 4d)$ with biases |
# | layer norm | weight and bias: one for each part of a block, and one at the end of encoder and of decoder |
# | token table | one vector of $d$ for each of the `n_vocab` tokens |
# | decoder's positions | learned: `n_text_ctx` vectors of $d$ |
# | output projection | the token table once more (**tied**), nothing to add |
#
# By hand, without any block, for $M = 1$ bin, 2 tokens, 3 places and $d = 2$: the convolutions have $2·1·3 + 2 = 8$
# and $2·2·3 + 2 = 14$, tokens $2·2 = 4$, places $3·2 = 6$, two last norms $2·4 = 8$. Together **40**.
#
# Why have keys no bias? It would not do anything. **Predict** how much the output changes in this cell, where the
# key's bias is set to large random numbers.

# %% tags=["demo"]
torch.manual_seed(6)
placed = frames + sinusoids(frames.shape[1], 80)
biased, params = layer.state_dict(), layer.state_dict()
biased["self_attn.in_proj_bias"] = params["self_attn.in_proj_bias"].clone()
biased["self_attn.in_proj_bias"][80:160] = 3 * torch.randn(80)  # Wq's bias, then Wk's, then Wv's
with torch.no_grad():
    moved = (encoder_block(placed, biased, 8) - encoder_block(placed, params, 8)).abs().max()
    biased["self_attn.in_proj_bias"][:80] = 3 * torch.randn(80)
    query_moved = (encoder_block(placed, biased, 8) - encoder_block(placed, params, 8)).abs().max()
print(f"with a bias on the keys the output moves by {moved:.0e}; with one on the queries too, by {query_moved:.2f}")

# %% [markdown] lang="en"
# A bias on the keys adds the same number, $q_i \cdot b_k$, to all scores of a row, and softmax does not see that.

# %% [markdown] lang="en"
# ### Exercise 6.8 · Whisper's parameters · ★★☆ · 15 min · 3 points
#
# Write `whisper_parameter_count`: how many numbers a Whisper of these dimensions learns, as an int. The number of
# blocks may differ between encoder and decoder, and may be 0.
#
# <details><summary>Hint 1: build up</summary>
#
# Give names to the sizes of the parts: `attention`, `feed_forward`, `norm`. An encoder block has one attention, one
# feed-forward part and two norms; a decoder block has two attentions, one feed-forward part and three norms. Two of
# the arguments are not needed at all: which?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Attention: four matrices d × d, three biases of d. Feed-forward: 4d × d and its 4d biases, d × 4d and its d biases.
# Norm: 2d. For d = 2 that is 22, 42 and 4, so an encoder block has 22 + 42 + 2·4 = 72 and a decoder block 2·22 + 42 +
# 3·4 = 98.
#
# The whole: stem, (n_vocab + n_text_ctx)·d, `n_audio_layer` times an encoder block, `n_text_layer` times a decoder
# block, and two norms, one at the end of each stack. If your number is off, try the small Whispers below: 40 without a
# block, 40 + 72 = 112 with one encoder block.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "whisper_parameter_count", "locked": false, "schema_version": 3, "solution": true, "task": false}
def whisper_parameter_count(
    n_mels: int,
    n_audio_ctx: int,
    n_vocab: int,
    n_text_ctx: int,
    d: int,
    n_heads: int,
    n_audio_layer: int,
    n_text_layer: int,
) -> int:
    """How many numbers Whisper learns.

    Args:
        n_mels: bins of the mel spectrogram.
        n_audio_ctx: vectors that leave the stem.
        n_vocab: tokens.
        n_text_ctx: the longest text, in tokens.
        d: dimensions; inside the feed-forward part there are 4·d.
        n_heads: heads of each attention.
        n_audio_layer: encoder blocks.
        n_text_layer: decoder blocks.

    Returns:
        The count, an int.
    """
    ### BEGIN SOLUTION
    attention = 4 * d * d + 3 * d  # query, key, value, output; no bias for the key
    width = 2 * d * 4 * d + 4 * d + d
    norm = 2 * d
    stem = d * n_mels * 3 + d + d * d * 3 + d
    encoder_blocks = n_audio_layer * (attention + width + 2 * norm)
    decoder_blocks = n_text_layer * (2 * attention + width + 3 * norm)
    return stem + encoder_blocks + norm + (n_vocab + n_text_ctx) * d + decoder_blocks + norm
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_whisper_parameter_count", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(whisper_parameter_count)
print(whisper_parameter_count(1, 9, 2, 3, 2, 1, 0, 0), "expected: 8 + 14 + 4 + 6 + 8 = 40")
print(whisper_parameter_count(1, 9, 2, 3, 2, 1, 1, 0), "expected: one encoder block more, 40 + 22 + 42 + 8 = 112")
print(whisper_parameter_count(80, 1_500, 51_865, 448, 384, 6, 4, 4), "expected: Whisper tiny, 37184640")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(whisper_parameter_count)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Your count beside that of OpenAI's own code, for every size. (The second column was counted with the package
# openai-whisper; a test of this course counts it again.) The third is what OpenAI publishes, in millions: the paper's
# table and, for the two of later years, the README.

# %% tags=["demo"]
sizes = {  # n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer
    "tiny": (80, 1_500, 51_865, 448, 384, 6, 4, 4),
    "base": (80, 1_500, 51_865, 448, 512, 8, 6, 6),
    "small": (80, 1_500, 51_865, 448, 768, 12, 12, 12),
    "medium": (80, 1_500, 51_865, 448, 1_024, 16, 24, 24),
    "large": (80, 1_500, 51_865, 448, 1_280, 20, 32, 32),
    "large-v3": (128, 1_500, 51_866, 448, 1_280, 20, 32, 32),
    "turbo": (128, 1_500, 51_866, 448, 1_280, 20, 32, 4),
}
by_openai = {
    "tiny": 37_184_640,
    "base": 71_825_920,
    "small": 240_582_912,
    "medium": 762_321_920,
    "large": 1_541_384_960,
    "large-v3": 1_541_570_560,
    "turbo": 806_958_080,
}
published = {"tiny": 39, "base": 74, "small": 244, "medium": 769, "large": 1_550, "large-v3": 1_550, "turbo": 809}
print(f"{'':10}{'yours':>14}{'openai-whisper':>16}{'':11}{'published':>11}{'above yours':>13}{'above, with sinusoids':>23}")
for name, size in sizes.items():
    mine, said = whisper_parameter_count(*size), 1e6 * published[name]
    stored = mine + size[1] * size[4]  # n_audio_ctx · d numbers that nothing learns
    same = "equal" if mine == by_openai[name] else "DIFFERENT"
    print(f"{name:10}{mine:14,}{by_openai[name]:16,}  {same:9}{published[name]:9} M{said / mine - 1:13.1%}{said / stored - 1:23.1%}")

# %% [markdown] lang="en"
# The published figures are rounded, and a little higher: by 4.9 % for tiny, by 0.6 % for large. Part of it are probably
# the encoder's sinusoids, 1 500·d numbers that are stored with the model although nothing learns them: count them too,
# and turbo has the 809 M that are published. For the five sizes of 2022 a rest of 3.3 % to 0.4 % remains, more than
# rounding, and the paper does not say what it counted.
#
# Now the parts. **Predict:** in the tiny one, what holds most of the parameters? And in the large one?

# %% tags=["demo"]
parts = {"stem and norms": [], "token table and places": [], "encoder blocks": [], "decoder blocks": []}
for M, audio, vocab, places_in_text, d, heads, n_in, n_out in sizes.values():
    ends = whisper_parameter_count(M, audio, 0, 0, d, heads, 0, 0)
    with_tables = whisper_parameter_count(M, audio, vocab, places_in_text, d, heads, 0, 0)
    with_encoder = whisper_parameter_count(M, audio, vocab, places_in_text, d, heads, n_in, 0)
    everything = whisper_parameter_count(M, audio, vocab, places_in_text, d, heads, n_in, n_out)
    steps = (0, ends, with_tables, with_encoder, everything)
    for part, (before, after) in zip(parts.values(), pairwise(steps), strict=True):
        part.append((after - before) / everything)
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
left_edge = torch.zeros(len(sizes))
for (name, share), (colour, on) in zip(
    parts.items(), (("#999999", "black"), ("#E69F00", "black"), ("#0072B2", "white"), ("#D55E00", "white")), strict=True
):
    bars = axes.barh(list(sizes), [100 * one for one in share], left=100 * left_edge, color=colour, label=name)
    axes.bar_label(bars, [f"{one:.0%}" if one > 0.04 else "" for one in share], label_type="center", color=on)
    left_edge += torch.tensor(share)
axes.invert_yaxis()
axes.set(title="Where Whisper's parameters are", xlabel="share of all parameters (%)", xlim=(0, 100))
axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4)
shares = parts["token table and places"]
show(
    figure,
    f"The token table takes {shares[0]:.0%} of Whisper tiny and {shares[4]:.0%} of Whisper large; there, most is in "
    f"the decoder's blocks, {parts['decoder blocks'][4]:.0%}, which have two attentions each.",
)

# %% [markdown] lang="en"
# The last step: put Whisper tiny together from your own functions, at full size, and let it hear the sentence. Its
# weights are random, so it cannot understand; but every shape is Whisper's. **Predict** the shape after each stage.

# %% tags=["demo"]
decoder_block = solved(decoder_block)
torch.manual_seed(7)
M, n_audio, V, n_text, d, heads, n_in, n_out = sizes["tiny"]


def drawn(*shape: int) -> torch.Tensor:
    return 0.02 * torch.randn(*shape)


def drawn_like(kind: type) -> dict[str, torch.Tensor]:
    """Random parameters for one of PyTorch's layers of Whisper tiny's size; norms start at 1 and 0, biases at 0."""
    shapes = kind(d, heads, 4 * d, device="meta").state_dict()
    tensors = {name: drawn(*one.shape) if one.ndim == 2 else torch.zeros(one.shape) for name, one in shapes.items()}
    return {name: one + 1 if "norm" in name and "weight" in name else one for name, one in tensors.items()}


stem_weights = [drawn(d, M, 3), torch.zeros(d), drawn(d, d, 3), torch.zeros(d)]
encoder = [drawn_like(torch.nn.TransformerEncoderLayer) for _ in range(n_in)]
decoder = [drawn_like(torch.nn.TransformerDecoderLayer) for _ in range(n_out)]
token_table, text_places, last_norms = drawn(V, d), drawn(n_text, d), [torch.ones(d), torch.zeros(d)] * 2
with torch.no_grad():
    print(f"mel                  {tuple(mel.shape)}: {load_transcript('tt-monkeysintro')!r}, then silence up to 30 s")
    x = whisper_stem(mel, *stem_weights)
    print(f"after the stem       {tuple(x.shape)}")
    for block in encoder:
        x = encoder_block(x, block, heads)
    x = layer_norm(x, *last_norms[:2])
    print(f"memory               {tuple(x.shape)}")
    prompt = torch.tensor([[50_258, 50_259, 50_359, 50_363]])  # start, English, transcribe, no timestamps
    y = token_table[prompt] + text_places[: prompt.shape[1]]
    for block in decoder:
        y = decoder_block(y, x, block, heads)
    scores = layer_norm(y, *last_norms[2:]) @ token_table.T
    print(f"scores               {tuple(scores.shape)}: for each of the 4 tokens, which of {V} comes next")
tensors = [*stem_weights, *(one for block in encoder + decoder for one in block.values())]
held = sum(one.numel() for one in [*tensors, token_table, text_places, *last_norms])
unused = (n_in + 2 * n_out) * d
print(f"\nnumbers in these tensors: {held}; biases of keys, which Whisper leaves out: {n_in + 2 * n_out} · {d} = {unused}")
print(f"{held} − {unused} = {held - unused}; your count: {whisper_parameter_count(*sizes['tiny'])}")

# %% [markdown] lang="en"
# ## What just happened
#
# - Self-attention does not know order; positions are added to the vectors. Most people mix up the two tables of sines
#   (interleaved in the paper, sines | cosines in Whisper) or a mask's two conventions: no error either time, only a
#   model that does not work.
# - A block is attention and feed-forward, each normalised before and added after. A decoder block is causal and looks
#   at a memory besides. Yours agree with PyTorch's to 1e-5.
# - Whisper's stem is two one-dimensional convolutions; its training is cross-entropy on next tokens, not CTC.
# - BERT, wav2vec 2.0 and HuBERT are encoders, GPT is a decoder, T5, Whisper and SpeechT5 are both; FastSpeech and VITS
#   use the same blocks. One trunk, other ends.
#
# To read: [Attention is all you need](https://arxiv.org/abs/1706.03762) (2017),
# [Layer Normalization](https://arxiv.org/abs/1607.06450) (2016),
# [BERT](https://arxiv.org/abs/1810.04805) (2018), [T5](https://arxiv.org/abs/1910.10683) (2019),
# [Whisper](https://arxiv.org/abs/2212.04356) (2022), [SpeechT5](https://arxiv.org/abs/2110.07205) (2021),
# [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020), [HuBERT](https://arxiv.org/abs/2106.07447) (2021),
# [FastSpeech](https://arxiv.org/abs/1905.09263) (2019), [VITS](https://arxiv.org/abs/2106.06103) (2021).
# On residual connections and what attention is without them:
# [Attention is not all you need](https://arxiv.org/abs/2103.03404) (2021); on pre-norm and post-norm:
# [On Layer Normalization in the Transformer Architecture](https://arxiv.org/abs/2002.04745) (2020).
#
# **Next: unit 7, norms and losses.** How far is an answer from the truth, and which "far" makes a good teacher?

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("06_transformer")
