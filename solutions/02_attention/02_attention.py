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
# # 2 · Attention
#
# Write, starting from one dot product, the operation by which every frame of an utterance can look at every other
# frame, and watch it work on real speech.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 100 minutes · 20 s of CPU · after unit 01: vectors of shape `(batch, time, dim)`, dot products, cosine similarity
#
# **You will be able to**
#
# 1. compute attention with a pencil, and write it for whole batches with masks and heads;
# 2. read pictures of scores and weights made from real speech, and say what they do *not* show;
# 3. work out what attention costs, and why nobody feeds it raw samples.

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
import time

import matplotlib.pyplot as plt
import torch
import torchaudio
from tqdm.auto import tqdm

# %% [markdown] lang="en"
# ## Listen first
#
# Play the recording twice. Then answer on paper, before you go on:
#
# - Which moments sound alike? Note two times, in seconds.
# - Suppose a lorry had drowned the second "press". Where in the recording would you look to guess how it was spoken?

# %% tags=["demo"]
clip = load_clip("vm-forward")
play(clip, f"“{load_transcript('vm-forward')}”, {len(clip) / 16_000:.1f} s")

# %% [markdown] lang="en"
# To look at it we cut the recording into **frames**: 50 a second, each holding 80 numbers that say how much energy lies
# in each band of pitch, from low to high. Such a picture is called a log-mel spectrogram. Unit 03 builds it by hand;
# here torchaudio does it. Afterwards every band is *standardised*: shifted and scaled to mean 0 and standard deviation
# 1 over 25 other recordings of the same speaker. So our utterance is a matrix `x` of shape `(T, 80)`, a sequence of
# vectors like those of unit 01.

# %% tags=["demo"]
mel = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=400, hop_length=320, n_mels=80, mel_scale="slaney", norm="slaney"
)


def log_mel(waveform):
    """(samples,) → (frames, 80), 50 frames a second."""
    return (mel(waveform) + 1e-7).log().T


OTHERS = [
    "agent-incorrect", "agent-user", "auth-incorrect", "conf-getchannel", "demo-nomatch", "dir-usingkeypad",
    "pbx-invalid", "pm-invalid-option", "priv-callpending", "priv-introsaved", "privacy-prompt", "privacy-unident",
    "queue-periodic-announce", "queue-youarenext", "ss-noservice", "vm-instructions", "vm-intro",
    "vm-invalid-password", "vm-mailboxfull", "vm-newuser", "vm-nobox", "vm-opts", "vm-rec-name", "vm-review",
    "vm-tempgreeting2",
]
others = [load_clip(name) for name in OTHERS]
all_frames = torch.cat([log_mel(other) for other in others])
mean, std = all_frames.mean(0), all_frames.std(0)


def standard_frames(waveform):
    """(samples,) → (frames, 80), each band with mean 0 and standard deviation 1 over the other recordings."""
    return (log_mel(waveform) - mean) / std


x = standard_frames(clip)
T = len(x)
first_press, second_press = slice(6, 24), slice(130, 149)  # the frames of the two words


def draw_frames(axes, frames, title=""):
    """A (T, bands) picture: time to the right, pitch upwards."""
    axes.set_title(title)
    extent = (0, len(frames) / 50, 0, frames.shape[1])
    return axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", vmin=-2.5, vmax=2.5, extent=extent)


figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
picture = draw_frames(axes, x)
for word in (first_press, second_press):
    axes.axvspan(word.start / 50, word.stop / 50, ymin=0.94, color="#56B4E9")
    axes.text((word.start + word.stop) / 100, 81, "press", ha="center", color="#0072B2")
axes.set(xlabel="time (s)", ylabel="mel band")
axes.set_title("The frames of the utterance", pad=18)
figure.colorbar(picture, label="energy (standard deviations)")
gap = (second_press.start - first_press.start) / 50
show(
    figure,
    f"Log-mel spectrogram of {T} frames. “press” is spoken twice, {gap:.1f} s apart, and looks alike both times.",
)

# %% [markdown] lang="en"
# Speech has patterns of very different lengths: the burst of a [p] or [t] lasts a few milliseconds, a vowel with its
# resonances (*formants*) a tenth of a second or more, a word half a second, and the melody of a sentence (*prosody*)
# several seconds. Noise may come at any moment. A single frame knows none of this. To use what the rest of the
# recording holds, frames must exchange information.
#
# - A **convolution** mixes a frame with its few neighbours; many layers are needed to reach far.
# - A **recurrent network** passes a memory from frame to frame; what was said 125 frames ago has been overwritten 125
#   times.
# - **Attention** connects any two frames in one step, whatever the distance. For each frame it decides anew *how much*
#   of each other frame to take.
#
# ## Four steps, with a pencil
#
# Take three frames. From its vector, each frame makes three others, by three learned matrices:
#
# - its **query** q: what am I looking for?
# - its **key** k: what have I got to offer?
# - its **value** v: what do I hand over if I am chosen?
#
# **Step 1, queries, keys and values.** Let us choose small ones, with $d = 4$ numbers in a query or key, and follow
# frame 2, whose query is $q_2 = (1, 1, 1, 0)$.
#
# | frame | key | value |
# |---|---|---|
# | 0, the "s" of the first "press" | (2, 0, 2, 0) | (1, 0) |
# | 1, a pause | (0, 0, 0, 3) | (0, 1) |
# | 2, the "s" of the second "press" | (0, 1, 1, 1) | (1, 1) |
#
# (A value may have another size than a key; here 2.)
#
# **Step 2, scores.** The score of a key is its dot product with the query, divided by $\sqrt d$. The dot products are
# $2+0+2+0 = 4$, then $0$, then $0+1+1+0 = 2$. Divided by $\sqrt 4 = 2$: the scores are $2, 0, 1$.
#
# **Step 3, weights.** Scores become shares of a whole by the *softmax*: exponentiate, divide by the sum. $e^2 = 7.389$,
# $e^0 = 1$, $e^1 = 2.718$, together $11.107$. The weights are $0.665, 0.090, 0.245$. They are positive and add up to 1.
#
# **Step 4, weighted sum.** The output of frame 2 is
# $0.665\cdot(1, 0) + 0.090\cdot(0, 1) + 0.245\cdot(1, 1) = (0.910, 0.335)$.
#
# Frame 2 took two thirds from frame 0, because its query and that key point the same way; the distance between the two
# played no part. That is all attention does. In one formula, with the queries as rows of $Q$, and so on:
#
# $$\mathrm{attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d}\right)V$$
#
# The next cell checks the pencil with plain arithmetic.

# %% tags=["demo"]
query = [1, 1, 1, 0]
keys = [[2, 0, 2, 0], [0, 0, 0, 3], [0, 1, 1, 1]]
values = [[1, 0], [0, 1], [1, 1]]
scores = [sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(4) for key in keys]
powers = [math.exp(score) for score in scores]
weights = [power / sum(powers) for power in powers]
output = [sum(weight * value[i] for weight, value in zip(weights, values, strict=True)) for i in range(2)]
print("scores ", scores)
print("powers ", [round(power, 3) for power in powers], "sum", round(sum(powers), 3))
print("weights", [round(weight, 3) for weight in weights])
print("output ", [round(number, 3) for number in output])

# %% [markdown] lang="en"
# ## Scores
#
# ### Exercise 2.1 · Attention scores · ★☆☆ · 5 min · 2 points
#
# Write step 2 for all queries and keys at once:
#
# $$S_{ij} = \frac{q_i \cdot k_j}{\sqrt d}$$
#
# - Row $i$ belongs to query $i$, column $j$ to key $j$. There may be more keys than queries, or fewer.
# - The last dimension holds the $d$ numbers of a vector, the last but one the frames. Any dimensions before them
#   (batch, heads) are carried along: `(2, 3, 5, 4)` and `(2, 3, 7, 4)` give `(2, 3, 5, 7)`.
#
# <details><summary>Hint 1: all dot products at once</summary>
#
# The product of a matrix with rows $q_i$ and a matrix with *columns* $k_j$ holds every $q_i \cdot k_j$.
#
# </details>
# <details><summary>Hint 2: which dimensions to exchange</summary>
#
# `k.mT`, or `k.transpose(-2, -1)`, exchanges the last two dimensions and leaves the others. `q @ k.mT` multiplies
# matrix by matrix. What remains is the division; `q.shape[-1]` is $d$.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "attention_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_scores(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """How well each query fits each key.

    Args:
        q: queries, `(..., Tq, d)`.
        k: keys, `(..., Tk, d)`.

    Returns:
        Scores QKᵀ/√d, `(..., Tq, Tk)`: row i belongs to query i.
    """
    ### BEGIN SOLUTION
    return q @ k.mT / math.sqrt(q.shape[-1])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_attention_scores", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(attention_scores)
# The frames of the pencil example:
by_hand = attention_scores(torch.tensor([[1.0, 1, 1, 0]]), torch.tensor([[2.0, 0, 2, 0], [0, 0, 0, 3], [0, 1, 1, 1]]))
print(by_hand, "expected: [[2., 0., 1.]]")
# d = 2, so the division is by √2:
print(attention_scores(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0]])), "expected: 3/√2 = 2.1213")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(attention_scores)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now the recording. For the moment we learn nothing: each frame is its own query and its own key. **Predict before you
# run:** the picture below has a row for each frame that asks and a column for each frame that answers. Where is "press"
# against "press"? What does the diagonal show? Is the picture symmetric?

# %% tags=["demo"]
def draw_matrix(axes, matrix, title, colours="viridis", low=0.0, high=0.1):
    """A (queries, keys) picture with time in seconds on both axes."""
    axes.set(title=title, xlabel="key: time (s)")
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel("query: time (s)")
    extent = (0, matrix.shape[-1] / 50, matrix.shape[-2] / 50, 0)
    return axes.imshow(matrix, cmap=colours, vmin=low, vmax=high, extent=extent, interpolation="nearest")


def mark(axes, rows, columns):
    """A frame around some queries and keys."""
    corner, width, height = (columns.start / 50, rows.start / 50), columns.stop - columns.start, rows.stop - rows.start
    axes.add_patch(plt.Rectangle(corner, width / 50, height / 50, fill=False, color="#009E73", linewidth=2))


raw_scores = attention_scores(x, x)  # (T, T)
figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
picture = draw_matrix(axes, raw_scores, "Scores of all pairs of frames", "RdBu_r", -12, 12)
mark(axes, second_press, first_press)
mark(axes, first_press, second_press)
figure.colorbar(picture, label="score")
show(figure, f"Scores of {T} × {T} pairs, symmetric about the diagonal. Framed: “press” against “press”.")

# Slide a window as long as the first “press” along the recording: how well does it fit the second one?
width = first_press.stop - first_press.start
fit = raw_scores[second_press].mean(0).unfold(0, width, 1).mean(-1)  # (T − width + 1,), a mean score for each place
itself = fit[second_press.start - width + 1 : second_press.stop].max()
print(f"Of all windows of {width} frames, the one that scores best with the second “press” begins at frame", end=" ")
print(f"{fit.argmax()}: {fit.max():.2f}.\nThe first “press” begins at frame {first_press.start}.", end=" ")
print(f"A window on the second “press” itself reaches at most {itself:.2f}.")

# %% [markdown] lang="en"
# Red means that two frames point the same way, blue that they point in opposite directions. Pauses agree with pauses,
# hisses with hisses, and "press" with "press", although 2.5 s lie between them: no stretch of the recording fits the
# second "press" better than the first one does. The diagonal is each frame against itself: $|x_i|^2/\sqrt d$, never
# negative, but often not the largest of its row: a longer vector that points almost the same way scores more. Here the
# picture is symmetric, because every frame uses one and the same vector to ask and to answer. Learned queries and keys
# differ, and then a frame can look for something that it is not.
#
# ## Weights
#
# Scores may be any numbers. We want shares: positive, adding up to 1 in each row. The softmax gives them:
#
# $$\mathrm{softmax}(x)_j = \frac{e^{x_j}}{\sum_m e^{x_m}}$$
#
# For the scores $(0, \ln 3)$ the powers are 1 and 3, the weights ¼ and ¾. Only differences count: add 100 to both
# scores and the weights are the same, since the factor $e^{100}$ cancels.
#
# On paper. In a computer $e^{100}$ does not fit into a float32:

# %% tags=["demo"]
print("the largest float32 is e to the", round(math.log(torch.finfo(torch.float32).max), 2))
powers = torch.tensor([100.0, 100 + math.log(3)]).exp()
print("powers:", powers, "  weights:", powers / powers.sum())

# %% [markdown] lang="en"
# Infinity divided by infinity is `nan`, "not a number", and one `nan` soon makes everything it touches `nan`.
#
# ### Exercise 2.2 · Softmax · ★★☆ · 10 min · 2 points
#
# Write the softmax with your own exponential and sum.
#
# - It works along dimension `dim`, the last one unless told otherwise; along it, the result adds up to 1.
# - It must be right for scores of any size, ±10 000 as well as rows that lie far apart from each other.
# - A score of minus infinity gets weight 0. (Every row has at least one finite score.)
#
# (`torch.softmax` would pass; then you have learned nothing.)
#
# <details><summary>Hint 1: what may be subtracted</summary>
#
# Subtracting one number from a whole row changes nothing in the result. Subtract the one that makes the largest score
# 0: no power is then above 1, and the sum is at least 1.
#
# </details>
# <details><summary>Hint 2: one maximum for each row</summary>
#
# `x.amax(dim, keepdim=True)` gives the maximum of each row and keeps the dimension, so that the subtraction lines up.
# The sum needs `keepdim=True` as well.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Shares of a whole from scores of any size.

    Args:
        x: scores of any shape; some may be minus infinity, but not all of a row.
        dim: the dimension along which the result adds up to 1.

    Returns:
        Weights between 0 and 1, in the shape of `x`.
    """
    ### BEGIN SOLUTION
    powers = torch.exp(x - x.amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_softmax", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(softmax)
print(softmax(torch.tensor([0.0, math.log(3)])), "expected: [0.25, 0.75]")
print(softmax(torch.tensor([1000.0, 1001.0, -math.inf])), "expected: [1/(1+e), e/(1+e), 0] = [0.2689, 0.7311, 0]")
print(softmax(torch.tensor([[0.0, 2.0], [0.0, 2.0]]), dim=0), "expected: every entry 0.5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(softmax)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Your softmax turns the scores of the recording into weights. **Predict:** which frames will get the most attention
# when nothing has been learned? Themselves?

# %% tags=["demo"]
attention_scores = solved(attention_scores)  # yours, or the library's while it is not written
raw_weights = softmax(attention_scores(x, x))  # (T, T), each row adds up to 1
asking = 135  # a frame in the vowel of the second "press"

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", width_ratios=(1, 1.15))
picture = draw_matrix(left, raw_weights, "Weights, nothing learned", high=0.2)
left.axhline(asking / 50, color="white", linestyle=":")
figure.colorbar(picture, ax=left, extend="max")
right.bar(torch.arange(T) / 50, raw_weights[asking], width=0.02, color="#0072B2")
right.axvline(asking / 50, color="#D55E00", linestyle=":", label="the frame that asks")
right.set(title="The dotted row", xlabel="key: time (s)", ylabel="weight", xlim=(0, T / 50))
right.legend()
top_frame = raw_weights[asking].argmax() / 50
own_favourite = (raw_weights.argmax(-1) == torch.arange(T)).float().mean()
show(
    figure,
    f"Only {own_favourite:.0%} of the frames give most to themselves. The frame at {asking / 50:.1f} s gives "
    f"{raw_weights[asking].max():.0%} to the one at {top_frame:.2f} s, in the other “press”.",
)

# %% [markdown] lang="en"
# Broken bright columns (at 0.25 s and 2.05 s): a few loud frames draw attention from many others, because a long
# vector has large dot products. (The colours stop at 0.2; the tallest bar on the right is more than twice that.) Most
# frames are not even their own favourites. That is what dot products of raw frames are worth; soon we shall learn
# better queries and keys.
#
# ## Why divide by √d
#
# A dot product of two vectors adds $d$ products. If the numbers in the vectors are independent, with mean 0 and
# variance 1, each product has variance 1, and a sum of $d$ of them has variance $d$: the scores spread like $\sqrt d$.
# **Predict:** what is the standard deviation of $q \cdot k$ for $d = 4, 64, 1024$? What does the softmax make of scores
# that lie 30 apart?

# %% tags=["demo"]
generator = torch.Generator().manual_seed(0)
figure, panels = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained", sharey=True)
print("                           std of scores    largest weight    slope of the softmax (1: free, 0: saturated)")
best = {}
for d, colour in ((4, "#0072B2"), (64, "#E69F00"), (1024, "#D55E00")):
    q, k = torch.randn(2000, d, generator=generator), torch.randn(100, d, generator=generator)
    for axes, name, scores in zip(panels, ("without √d", "with √d"), (q @ k.mT, attention_scores(q, k)), strict=True):
        weights = softmax(scores)
        slope = (weights * (1 - weights)).sum(-1).mean()  # how much weight j moves when score j does, summed over j
        best[name, d] = weights.amax(-1).mean()
        print(f"d = {d:4}, {name:12}{scores.std():18.1f}{best[name, d]:18.2f}{slope:18.2f}")
        axes.plot(range(1, 21), weights.sort(descending=True).values.mean(0)[:20], ".-", color=colour, label=f"d = {d}")
        axes.set(title=f"Scores {name}", xlabel="keys, best first", xticks=(1, 5, 10, 15, 20), ylim=(0, 1))
panels[0].set_ylabel("mean weight")
panels[0].legend()
panels[1].set_title("Scores with √d (three curves on top of one another)")
show(
    figure,
    f"Mean weights of 100 random keys. Without √d the best key takes {best['without √d', 4]:.0%} at d = 4 and "
    f"{best['without √d', 1024]:.0%} at d = 1024; with √d {best['with √d', 4]:.0%} and {best['with √d', 1024]:.0%}.",
)

# %% [markdown] lang="en"
# Without the division the softmax of long vectors is **saturated**: one key gets all the weight, and the slope of the
# softmax, $w(1-w)$, is close to 0 there, so hardly any gradient reaches the queries and keys. The network begins with
# its choices made, at random, and can hardly change them.
#
# It is often said that *d is the size of the model*. It is the size of the vectors that are compared. With several
# heads (below) that is the size of one head: 64 in every Whisper model from tiny to large, so there $\sqrt d = 8$.

# %% [markdown] lang="en"
# What the scores are divided by besides is called the **temperature**. High, it makes the weights even; low, the largest
# takes all. Leaving out the √80 of our frames is a temperature of 0.11. **Predict:** to about how many frames does the
# one that asks listen at 0.11, at 1 and at 10? Then drag.

# %% tags=["demo"]
def at_temperature(temperature):
    """The weights of the recording when its scores are divided by a temperature."""
    weights = softmax(attention_scores(x, x) / temperature)
    asking = 135  # the same frame as above
    listens_to = torch.special.entr(weights[asking]).sum().exp()  # 1: to one frame only; T: to all alike
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained", width_ratios=(1, 1.3))
    draw_matrix(left, weights, f"Weights at temperature {temperature:g}", high=0.2)
    left.axhline(asking / 50, color="white", linestyle=":")
    right.bar(torch.arange(T) / 50, weights[asking], width=0.02, color="#0072B2")
    right.set(title="The dotted row", xlabel="key: time (s)", ylabel="weight", xlim=(0, T / 50), ylim=(0, 1))
    show(
        figure,
        f"At temperature {temperature:g} the largest weight of the frame that asks is {weights[asking].max():.1%}: "
        f"it listens to about {listens_to:.0f} of {T} frames.",
    )


temperatures = [0.05, 0.11, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0]
explore(at_temperature, "temperature", temperatures, still=(1.0, 0.11, 10.0))


# %% [markdown] lang="en"
# ## Masks: who may look where
#
# Not every frame may look at every other. Two reasons come up in every speech model:
#
# - **The future.** A recogniser that answers while you speak, or a decoder that writes one symbol after the other, must
#   not look ahead.
# - **Padding.** Clips of different lengths are put into one batch by filling the shorter ones up. The filling is no
#   speech.
#
# A **mask** is a bool tensor: `True` where looking is allowed. (Libraries disagree. `F.scaled_dot_product_attention`
# means the same by `True` as we do; `nn.MultiheadAttention` means the opposite. Check before you pass a mask on.)
#
# ### Exercise 2.3 · Causal mask · ★☆☆ · 5 min · 1 point
#
# Row $i$ is the frame that looks, column $j$ the frame that is looked at: `True` where $j \le i$. A frame may see
# itself and everything to its left.
#
# <details><summary>Hint 1: a comparison of two ranges</summary>
#
# `torch.arange(T)` numbers the frames. Compare the numbers of the columns with those of the rows, and let broadcasting
# make the square.
#
# </details>
# <details><summary>Hint 2: a triangle</summary>
#
# `torch.ones(T, T, dtype=torch.bool)` is all `True`. Which function of torch keeps one triangle of a matrix, and which
# of the two triangles, with or without the diagonal, do you need?
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "causal_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def causal_mask(T: int) -> torch.Tensor:
    """Who may look where, if nobody may look ahead.

    Args:
        T: number of frames.

    Returns:
        `(T, T)` bool: entry (i, j) is True where j ≤ i.
    """
    ### BEGIN SOLUTION
    return torch.ones(T, T, dtype=torch.bool).tril()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_causal_mask", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(causal_mask)
print(causal_mask(3), "expected: row 0 sees frame 0, row 1 sees 0 and 1, row 2 sees all")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(causal_mask)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ### Exercise 2.4 · Padding mask · ★☆☆ · 5 min · 2 points
#
# Clip $b$ of a batch has `lengths[b]` real frames at the beginning; the rest, up to frame $T-1$, is padding. Mark the
# real frames.
#
# - The mask has $T$ columns, even if no clip is that long.
# - Lengths lie between 1 and $T$, in any order.
#
# <details><summary>Hint 1: one row</summary>
#
# For one clip of length 3 in a batch with T = 5 the row is `[True, True, True, False, False]`: frame number smaller
# than length.
#
# </details>
# <details><summary>Hint 2: all rows at once</summary>
#
# Compare `torch.arange(T)`, shape `(T,)`, with the lengths. `(T,)` and `(B,)` do not broadcast to `(B, T)`, but `(T,)`
# and `(B, 1)` do: where does the 1 come from?
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "padding_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def padding_mask(lengths: torch.Tensor, T: int) -> torch.Tensor:
    """Which frames of a padded batch are real.

    Args:
        lengths: number of real frames of each clip, `(B,)` int64, between 1 and T.
        T: number of frames that the batch is padded to.

    Returns:
        `(B, T)` bool: True for a real frame.
    """
    ### BEGIN SOLUTION
    return torch.arange(T, device=lengths.device) < lengths[:, None]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_padding_mask", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(padding_mask)
print(padding_mask(torch.tensor([3, 1]), 4))
print("expected: three True and one False; one True and three False")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(padding_mask)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# A real batch: our clip and a short one, filled up with zeros. After standardising, zero is the average of all speech,
# so the padding does not look like silence; it looks like nothing in particular.

# %% tags=["demo"]
short_clip = load_clip("vm-goodbye")
play(short_clip, f"“{load_transcript('vm-goodbye')}”, {len(short_clip) / 16_000:.1f} s")
batch = torch.nn.utils.rnn.pad_sequence([x, standard_frames(short_clip)], batch_first=True)  # (B, T, 80)
lengths = torch.tensor([T, len(standard_frames(short_clip))])
real = padding_mask(lengths, T)  # (B, T)

figure, rows = plt.subplots(4, 1, figsize=(10, 4.6), layout="constrained", sharex=True, height_ratios=(5, 1, 5, 1))
for i, name in enumerate(("vm-forward", "vm-goodbye")):
    draw_frames(rows[2 * i], batch[i], name)
    rows[2 * i].set_ylabel("mel band")
    rows[2 * i + 1].imshow(real[i : i + 1], aspect="auto", cmap="viridis", vmin=0, vmax=1, extent=(0, T / 50, 0, 1))
    rows[2 * i + 1].set(yticks=[], ylabel="mask")
rows[-1].set_xlabel("time (s)")
padding = (~real).float().mean()
show(figure, f"Two clips padded to {T} frames, and their masks (yellow: real). {padding:.0%} of the batch is padding.")

# %% [markdown] lang="en"
# ## Attention
#
# ### Exercise 2.5 · Attention · ★★★ · 15 min · 3 points
#
# Put the steps together: scores, mask, softmax, weighted sum. Return **both** the output and the weights.
#
# - Where the mask is `False` the weight is 0, and the other weights of the row add up to 1. So the mask acts *before*
#   the softmax: a forbidden score becomes so low that its power is 0, whatever the size of the other scores.
# - The mask broadcasts to the shape of the scores, `(..., Tq, Tk)`. `(T, T)` holds for every clip; `(B, 1, T)` forbids
#   some keys to all queries of a clip; `(B, 1, 1, T)` does so when there are heads as well. Without a mask (`None`)
#   everybody may look everywhere.
# - **A row that may look at nothing** gives zeros: zero weights, zero output. (It happens: a clip that is all padding,
#   a frame whose neighbourhood is masked.) Neither the values nor the gradients may be `nan` there.
#
# `softmax` and `attention_scores` are yours by now. If one of them is not ready, a library function may stand in, such
# as `torch.softmax`.
#
# <details><summary>Hint 1: where −∞ leads</summary>
#
# `scores.masked_fill(~mask, number)` returns a new tensor and broadcasts the mask. Which number? With −∞: what does
# your softmax make of a row of −∞ only?
#
# </details>
# <details><summary>Hint 2: the row that may look at nothing</summary>
#
# The lowest *finite* number, `torch.finfo(scores.dtype).min`, has the power 0 beside any real score, just as −∞ does,
# and gives no `nan`. But a fully forbidden row now comes out of the softmax with equal weights. What is left to do to
# the weights, so that those rows become zero and no other row changes?
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each query takes from the values as much as its key deserves.

    Args:
        q: queries, `(..., Tq, d)`.
        k: keys, `(..., Tk, d)`.
        v: values, `(..., Tk, dv)`.
        mask: bool, True where looking is allowed; broadcasts to `(..., Tq, Tk)`.

    Returns:
        The output `(..., Tq, dv)` and the weights `(..., Tq, Tk)`. A row that may look at nothing is zero in both.

    Source: Vaswani et al. 2017, equation 1.
    """
    ### BEGIN SOLUTION
    scores = attention_scores(q, k)
    if mask is None:
        weights = softmax(scores)
    else:
        lowest = torch.finfo(scores.dtype).min
        weights = softmax(scores.masked_fill(~mask, lowest)).masked_fill(~mask, 0.0)
    return weights @ v, weights
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_attention", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(attention)
q = torch.tensor([[1.0, 1, 1, 0]])
k = torch.tensor([[2.0, 0, 2, 0], [0, 0, 0, 3], [0, 1, 1, 1]])
v = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
print(attention(q, k, v), "\nexpected: output (0.910, 0.335), weights (0.665, 0.090, 0.245)")
print(attention(q, k, v, torch.tensor([[False, True, False]])), "\nexpected: output (0, 1), weights (0, 1, 0)")
print(attention(q, k, v, torch.tensor([[False, False, False]])), "\nexpected: zeros")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(attention)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Back to the batch of two clips. **Predict:** if we forget the mask, how much of its attention does "goodbye" spend on
# padding? “goodbye” fills less than a fifth of its row.

# %% tags=["demo"]
softmax = solved(softmax)
padding_mask = solved(padding_mask)
real = padding_mask(lengths, T)  # (B, T)
_, forgetful = attention(batch, batch, batch)
_, careful = attention(batch, batch, batch, mask=real[:, None, :])  # (B, 1, T): padding is forbidden to all queries
n = int(lengths[1])
wasted = forgetful[1, :n, n:].sum(-1)
saved = careful[1, :n, n:].sum(-1)

figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 4), layout="constrained", sharex=True)
draw_frames(top, batch[1, :n], "“goodbye”")
top.set_ylabel("mel band")
middles = (torch.arange(n) + 0.5) / 50
bottom.step(middles, wasted, where="mid", color="#D55E00", label="without the mask")
bottom.step(middles, saved, where="mid", color="#0072B2", label="with the mask")
bottom.set(title="Attention spent on padding", xlabel="query: time (s)", ylabel="share", ylim=(-0.03, 1))
bottom.legend(loc="upper left")
show(
    figure,
    f"Without the mask a frame of “goodbye” spends {wasted.mean():.0%} of its attention on the {T - n} padding frames "
    f"on average, the worst frame {wasted.max():.0%}; with the mask the most is {saved.max():.0%}.",
)

# %% [markdown] lang="en"
# How much is wasted depends on the frame. A frame that is close to the average of all speech has scores near 0 with
# everybody; then 202 padding frames, whose scores are exactly 0, win by number. Worse, the result would depend on the
# *other* clips in the batch, since they decide how much padding there is.
#
# (A wide-spread belief: Whisper ignores padding. It does not. Its encoder has no padding mask; every clip is filled up
# to 30 s with silence, the silence is attended to, and the model has learned to live with it.)
#
# Now look left only. The claim is that the past cannot know the future. We test it: replace everything after 2.5 s by
# another clip and compare the outputs before.

# %% tags=["demo"]
causal_mask = solved(causal_mask)
left_only = causal_mask(T)
before, looking_left = attention(x, x, x, mask=left_only)
changed = x.clone()
changed[125:] = standard_frames(others[0])[: T - 125]
after, _ = attention(changed, changed, changed, mask=left_only)
free, _ = attention(x, x, x)
free_after, _ = attention(changed, changed, changed)
print("largest change of an output before 2.5 s when the rest is replaced")
print(f"  looking left only:   {(after - before)[:125].abs().max():.6f}")
print(f"  looking everywhere:  {(free_after - free)[:125].abs().max():.6f}")

figure, axes = plt.subplots(figsize=(5.8, 4.6), layout="constrained")
figure.colorbar(draw_matrix(axes, looking_left, "Looking left only", high=0.2), label="weight")
first = looking_left[0, 0]
show(figure, f"Causal weights: the upper triangle is empty. Frame 0 can only look at itself, with weight {first:.0f}.")

# %% [markdown] lang="en"
# 0.000000: no leak. What comes later does not reach back through the mask; without it, it does.
#
# ## Learning where to look
#
# Raw frames made poor queries and keys. In a Transformer they are *projections* of the frame, $q = W_q x$ and
# $k = W_k x$, and the matrices are learned. Let us learn them on a task that needs no labels: **rebuild every frame
# from the others**. A frame may not look at itself, nor at its 5 neighbours on either side: the nearest allowed frame
# is 120 ms away. As values it gets the other frames as they are. To succeed it must find, further away, frames that
# *sound* like it.
#
# The next cell trains $W_q$ and $W_k$ on the 25 other recordings with your `attention`, twice: with the division by √d,
# and without, from the same start, on the same batches. **Predict** which ends lower, and what the weights without √d
# will look like. You need not read the cell; `train` is an ordinary loop.

# %% tags=["demo", "training"]
torch.set_num_threads(1)  # the matrices are small: a second core would only wait


def far_apart(T, reach=5):
    """(T, T) bool: all but a frame itself and its `reach` neighbours on either side (20 ms each) may be looked at."""
    frames = torch.arange(T)
    return (frames[:, None] - frames).abs() > reach


apart = far_apart(T)  # for our utterance
other_frames = [standard_frames(other) for other in others]


def draw_batch(sources, generator, size=4, T=128):
    """`size` random stretches of T frames."""
    stretches = []
    for index in torch.randint(len(sources), (size,), generator=generator).tolist():
        start = int(torch.randint(len(sources[index]) - T, (1,), generator=generator))
        stretches.append(sources[index][start : start + T])
    return torch.stack(stretches)


def rebuilding_error(model, step):
    """How far the model's frames are from the real ones, on the stretches of this step."""
    frames = draw_batch(other_frames, torch.Generator().manual_seed(step))
    return ((model(frames, far_apart(frames.shape[1])) - frames) ** 2).mean()


def train(model, parameters, error=rebuilding_error, steps=200, learning_rate=5e-3, title="training"):
    """Make the error small; its value at every step."""
    optimizer = torch.optim.Adam(parameters, learning_rate)
    losses = []
    for step in tqdm(range(steps), desc=title):
        loss = error(model, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def new_projections(seed, d=64):
    """W_q and W_k, (d, 80) each, at random."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(d, 80, generator=generator) / math.sqrt(80)).requires_grad_() for _ in range(2)]


def looks_through(w_q, w_k, correction=1.0):
    """A model that rebuilds frames by attention; `correction` multiplies the scores."""
    return lambda frames, mask: attention(frames @ w_q.T * correction, frames @ w_k.T, frames, mask)[0]


scaled, unscaled = new_projections(seed=0), new_projections(seed=0)
losses_scaled = train(looks_through(*scaled), scaled, title="with √d")
undo = math.sqrt(64)  # multiplies the scores, and so takes the division back
losses_unscaled = train(looks_through(*unscaled, correction=undo), unscaled, title="without √d")

# %% tags=["demo"]
with torch.no_grad():
    rebuilt, learned = attention(x @ scaled[0].T, x @ scaled[1].T, x, apart)
    _, stuck = attention(x @ unscaled[0].T * undo, x @ unscaled[1].T, x, apart)

figure, panels = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained", width_ratios=(1, 1.1, 1.1))
for losses, label, colour in ((losses_unscaled, "without √d", "#D55E00"), (losses_scaled, "with √d", "#0072B2")):
    panels[0].plot(torch.tensor(losses).unfold(0, 10, 1).mean(-1), color=colour, label=label)
panels[0].set(title="Loss while learning (mean of 10 steps)", xlabel="step", ylabel="squared error", ylim=(0, 1.2))
panels[0].legend()
for axes, weights, title in ((panels[1], learned, "with √d"), (panels[2], stuck, "without √d")):
    picture = draw_matrix(axes, weights, f"Weights learned {title}")
    mark(axes, second_press, first_press)
panels[1].set_ylabel("query: time (s)")
figure.colorbar(picture, ax=panels[1:], label="weight")
end = [sum(losses[-20:]) / 20 for losses in (losses_scaled, losses_unscaled)]
largest = learned.amax(-1).mean(), stuck.amax(-1).mean()
show(
    figure,
    f"Final error {end[0]:.2f} with √d, {end[1]:.2f} without. The largest weight of a row is {largest[0]:.2f} with √d "
    f"and {largest[1]:.2f} without: there, one frame gets most of the attention.",
)
share = learned[second_press, first_press].sum(-1).mean()
fair = (first_press.stop - first_press.start) / apart[second_press].sum(-1).float().mean()
print(f"The second “press” gives {share:.0%} of its attention to the first,", end=" ")
print(f"though that is only {fair:.0%} of the frames it may look at.")

# %% [markdown] lang="en"
# With √d the weights look meaningful: "press" finds "press", a hiss finds the other hisses. Without it the softmax
# starts saturated and ends so. (At a smaller learning rate the gap shrinks; try `learning_rate=1e-3`. A trick that
# makes training depend less on luck and tuning is worth one division.)
#
# What does the *output* look like? Each frame below was rebuilt from frames at least 120 ms away.

# %% tags=["demo"]
with torch.no_grad():
    rebuilt, _ = attention(x @ scaled[0].T, x @ scaled[1].T, x, apart)
figure, panels = plt.subplots(2, 1, figsize=(10, 4.6), layout="constrained", sharex=True, sharey=True)
draw_frames(panels[0], x, "The frames")
picture = draw_frames(panels[1], rebuilt, "The output: each frame rebuilt from others")
for axes in panels:
    axes.set_ylabel("mel band")
panels[1].set_xlabel("time (s)")
figure.colorbar(picture, ax=panels, label="energy (standard deviations)")
explained = 1 - ((rebuilt - x) ** 2).mean() / x.var()
show(
    figure,
    "The rebuilt frames keep pauses, hisses and vowels and lose the fine stripes of the voice: "
    f"{explained:.0%} of the variance is explained.",
)

# %% [markdown] lang="en"
# ## Is noise ignored automatically?
#
# It is often said that attention ignores noise by itself. Let us ask the recording. We put 0.4 s of noise into the
# pause and measure how much attention the speech frames give to it, as a multiple of its fair share: 1 means "like any
# other frames", 0 means "ignored". **Predict** three numbers: for random projections, for those learned above on clean
# speech, and for projections learned on recordings with such noise in them.
#
# You need not read the cell: it makes noisy recordings, trains on them with `train`, and measures.

# %% tags=["demo", "training"]
def add_noise(waveform, start, seed, level=0.1):
    """The waveform with 20 frames (0.4 s) of white noise added from frame `start` on."""
    noisy = waveform.clone()
    piece = noisy[start * 320 : (start + 20) * 320]
    piece += level * torch.randn(len(piece), generator=torch.Generator().manual_seed(seed))
    return noisy


noisy_clip = add_noise(clip, start=108, seed=0)
play(noisy_clip, "The same clip with noise in the pause")
noisy_x = standard_frames(noisy_clip)
is_noise = torch.zeros(T, dtype=torch.bool)
is_noise[107:130] = True  # a frame hears 25 ms, so neighbours hear the noise too


def attention_on_noise(w_q, w_k):
    """What speech frames give to the noise, as a multiple of its fair share."""
    with torch.no_grad():
        weights = attention(noisy_x @ w_q.T, noisy_x @ w_k.T, noisy_x, apart)[1][~is_noise]
    fair_share = apart[~is_noise][:, is_noise].sum() / apart[~is_noise].sum()
    return float(weights[:, is_noise].sum(-1).mean() / fair_share)


# Every recording with noise somewhere; what should be rebuilt is the clean frame, and nothing is asked of the noise.
noisy_frames, clean_targets = [], []
for seed, (other, frames) in enumerate(zip(others, other_frames, strict=True)):
    for start in range(5 + seed % 30, len(frames) - 130, 100):
        stretch = slice(start, start + 130)
        hit = start + (37 * seed + 11 * start) % 100
        noisy_frames.append(standard_frames(add_noise(other, hit, seed))[stretch])
        target = frames[stretch].clone()
        target[max(hit - start - 1, 0) : hit - start + 22] = math.nan
        clean_targets.append(target)


def error_beside_noise(model, step):
    """As `rebuilding_error`, but the frames hold noise, and the model is to rebuild the clean ones."""
    frames, clean = (draw_batch(each, torch.Generator().manual_seed(step)) for each in (noisy_frames, clean_targets))
    asked = clean.isfinite()
    return ((model(frames, far_apart(frames.shape[1])) - clean.nan_to_num()) ** 2)[asked].mean()


taught = new_projections(seed=0)
train(looks_through(*taught), taught, error_beside_noise, title="on noisy recordings")
untrained = [attention_on_noise(*new_projections(seed)) for seed in range(1, 31)]
on_clean, on_noisy = attention_on_noise(*scaled), attention_on_noise(*taught)

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
axes.axvline(1, color="black", linestyle=":", label="fair share")
axes.plot(untrained, [2] * 30, "o", color="#56B4E9", alpha=0.6)
axes.plot(on_clean, 1, "s", color="#E69F00", markersize=9)
axes.plot(on_noisy, 0, "D", color="#009E73", markersize=9)
axes.set(ylim=(-0.6, 2.6), xlim=(0, None), xlabel="attention given to the noise (multiples of its fair share)")
axes.set_yticks((0, 1, 2), ("learned on noisy speech", "learned on clean speech", "random, 30 times"))
axes.set_title("Who ignores the noise")
axes.legend()
show(
    figure,
    f"Attention on noise: random projections give it {sum(untrained) / 30:.1f} times its share on average, those "
    f"learned on clean speech {on_clean:.1f} times, those learned on noisy speech {on_noisy:.1f} times.",
)

# %% [markdown] lang="en"
# Nothing is automatic. Random projections give the noise its share or more, since it is loud. Projections that only
# ever saw clean speech are no better: to them it is one more hiss. Only those that had something to gain from leaving
# noise aside learned to do so, and even they do not bring it to zero. Whisper copes with noise because it was trained
# on 680 000 hours of recordings of every quality, not because it contains attention.
#
# ## Does attention know the order?
#
# **Predict:** play the frames backwards. Which outputs change?

# %% tags=["demo"]
play(clip.flip(0), "The clip backwards: to attention, the same set of frames")
w_q, w_k = (w.detach() for w in scaled)
forwards, _ = attention(x @ w_q.T, x @ w_k.T, x)
backwards, _ = attention(x.flip(0) @ w_q.T, x.flip(0) @ w_k.T, x.flip(0))
order = torch.randperm(T, generator=torch.Generator().manual_seed(0))
shuffled, _ = attention(x[order] @ w_q.T, x[order] @ w_k.T, x[order])
for what, one, other in (
    ("output of the reversed frames against the reversed output", backwards, forwards.flip(0)),
    ("output of the shuffled frames against the shuffled output", shuffled, forwards[order]),
    ("means of these outputs over time", shuffled.mean(0), forwards.mean(0)),
):
    print(f"largest difference, {what}: {(one - other).abs().max():.6f}")

# %% [markdown] lang="en"
# Each frame gets the same output as before, wherever it now stands: self-attention is *permutation equivariant*. It
# sees a bag of frames. A classifier that averages its outputs could not tell "press one" from the same sounds in any
# other order. A mask that depends on position, such as the causal one, brings in a little order; Transformers add the
# position to every frame (unit 06).
#
# ## Several heads
#
# A row of weights adds up to 1, so one attention makes one choice for each frame. Yet a frame may want the pitch from
# one place and the kind of consonant from another. **Multi-head attention** cuts the vectors into $H$ pieces of
# $d = D/H$ numbers, lets each piece (a *head*) attend on its own, and puts the results side by side again.
#
# The cut is a matter of shapes. With $D = 6$ and $H = 3$, one frame $(0, 1, 2, 3, 4, 5)$ becomes $(0, 1)$ for head 0,
# $(2, 3)$ for head 1 and $(4, 5)$ for head 2.
#
# ### Exercise 2.6 · Split into heads · ★★☆ · 10 min · 2 points
#
# From `(B, T, D)` to `(B, H, T, D/H)`: the heads come before the frames, so that the last two dimensions are again
# (frames, numbers), as `attention` wants them.
#
# - Head $h$ of a frame holds its numbers $h\cdot d$ to $(h+1)\cdot d - 1$.
# - Raise `ValueError` where $D$ is not divisible by the number of heads.
#
# <details><summary>Hint 1: why one reshape is not enough</summary>
#
# `x.reshape(B, H, T, d)` has the right shape and the wrong contents: it reads the numbers in their old order, frame
# after frame, so a "head" would get all numbers of the first few frames. First cut each frame's own vector.
#
# </details>
# <details><summary>Hint 2: two moves</summary>
#
# `x.reshape(B, T, n_heads, D // n_heads)` cuts each vector. Now the heads stand behind the frames: which two dimensions
# change places?
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "split_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_heads(x: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Cut every vector into one piece for each head.

    Args:
        x: vectors, `(B, T, D)`.
        n_heads: number of heads H.

    Returns:
        `(B, H, T, D/H)`.

    Raises:
        ValueError: where D is not divisible by H.
    """
    ### BEGIN SOLUTION
    B, T, D = x.shape
    if D % n_heads != 0:
        raise ValueError(f"{D} dimensions cannot be shared equally by {n_heads} heads")
    return x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_split_heads", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(split_heads)
two_frames = torch.arange(12.0).reshape(1, 2, 6)
print(split_heads(two_frames, 3))
print("expected: head 0 has (0, 1) and (6, 7); head 1 has (2, 3) and (8, 9); head 2 has (4, 5) and (10, 11)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(split_heads)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ### Exercise 2.7 · Merge the heads · ★☆☆ · 5 min · 2 points
#
# The way back, from `(B, H, T, d)` to `(B, T, H·d)`: the pieces of each frame side by side, head 0 first.
#
# <details><summary>Hint 1: the same two moves</summary>
#
# Undo the last move first: bring the heads back behind the frames. Then make one dimension of the last two.
#
# </details>
# <details><summary>Hint 2: <code>view</code> complains</summary>
#
# After a transpose the numbers no longer lie side by side in memory. `view` refuses then; `reshape` and `flatten` copy
# where they must. `flatten(n)` makes one dimension of dimension `n` and all after it; which `n` is it here?
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "merge_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge_heads(x: torch.Tensor) -> torch.Tensor:
    """Put the pieces of all heads side by side again.

    Args:
        x: `(B, H, T, d)`.

    Returns:
        `(B, T, H·d)`, head 0 first.
    """
    ### BEGIN SOLUTION
    return x.transpose(1, 2).flatten(2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_merge_heads", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(merge_heads)
# Two heads, two frames, one number each: head 0 has 1 and 2, head 1 has 3 and 4.
print(merge_heads(torch.tensor([[[[1.0], [2.0]], [[3.0], [4.0]]]])), "expected: frame 0 is (1, 3), frame 1 is (2, 4)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(merge_heads)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# What does splitting do to our frames? If a frame of 80 mel bands is cut into four heads, head 0 gets the 20 lowest
# bands, head 3 the 20 highest. And what would the wrong way, a single `reshape`, give? **Predict,** then compare.

# %% tags=["demo"]
split_heads = solved(split_heads)
right_way = split_heads(x[None], 4)[0]  # (4, T, 20)
wrong_way = x.reshape(4, T, 20)
figure, panels = plt.subplots(4, 2, figsize=(11, 5.6), layout="constrained", sharex="col", sharey=True)
for column, heads in enumerate((right_way, wrong_way)):
    for head in range(4):
        draw_frames(panels[3 - head, column], heads[head])
        panels[3 - head, column].set_ylabel(f"head {head}")
panels[0, 0].set_title("split_heads")
panels[0, 1].set_title("reshape alone")
panels[3, 0].set_xlabel("time (s)")
panels[3, 1].set(xlabel="no longer time", xticks=[])
show(
    figure,
    "Left, the four heads hold the four quarters of the spectrum. Right, each “head” holds all bands of "
    f"{T / 4 / 50:.1f} s of the clip, cut into slices.",
)

# %% [markdown] lang="en"
# ### Exercise 2.8 · Multi-head attention · ★★★ · 15 min · 3 points
#
# The whole layer:
#
# 1. project: queries from `x`, keys and values from `context`;
# 2. split into heads, attend, merge;
# 3. project the merged vectors by `w_o`, so that heads can be mixed.
#
# If `context` is `x` itself, this is *self-attention*; if it is something else, it is *cross-attention*. In Whisper one
# stack of layers, the encoder, turns sound into vectors, and another, the decoder, writes the text (unit 06): the
# decoder's queries look at the encoder's vectors.
#
# - Weights have the shape `(D, D)` and the form (out, in), like those of `nn.Linear`: a vector is projected by
#   `x @ w.T`. There are no biases.
# - The mask broadcasts to `(B, H, Tq, Tk)`. A frame that may look at nothing gets zeros.
# - The scores of a head are divided by $\sqrt d$ with $d = D/H$, the size of *its* vectors. If you use your
#   `attention`, that happens by itself.
# - If your `attention` is not ready, `torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)` may
#   stand in. It returns the output alone.
#
# <details><summary>Hint 1: count the tools</summary>
#
# You need `split_heads` three times, `attention` once, `merge_heads` once, and four matrix products.
#
# </details>
# <details><summary>Hint 2: the first line</summary>
#
# `q = split_heads(x @ w_q.T, n_heads)`; which two come from `context`? `attention` returns two things; you need the
# first. The fourth product comes after the merging.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "multi_head_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def multi_head_attention(
    x: torch.Tensor,
    context: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    w_o: torch.Tensor,
    n_heads: int,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention in several heads, with its four projections.

    Args:
        x: what asks, `(B, Tq, D)`.
        context: what answers, `(B, Tk, D)`.
        w_q, w_k, w_v, w_o: weights, `(D, D)` each, in the form (out, in).
        n_heads: number of heads H; D is divisible by it.
        mask: bool, True where looking is allowed; broadcasts to `(B, H, Tq, Tk)`.

    Returns:
        `(B, Tq, D)`.

    Source: Vaswani et al. 2017, section 3.2.2.
    """
    ### BEGIN SOLUTION
    q = split_heads(x @ w_q.T, n_heads)  # (B, H, Tq, D/H)
    k = split_heads(context @ w_k.T, n_heads)  # (B, H, Tk, D/H)
    v = split_heads(context @ w_v.T, n_heads)
    output, _ = attention(q, k, v, mask)
    return merge_heads(output) @ w_o.T
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_multi_head_attention", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(multi_head_attention)
# Two heads of one number; all projections leave vectors as they are. Queries are 0, so both frames weigh ½.
eye = torch.eye(2)
print(multi_head_attention(torch.zeros(1, 1, 2), torch.tensor([[[1.0, 10.0], [3.0, 30.0]]]), eye, eye, eye, eye, 2))
print("expected: the mean of both frames, (2, 20)")
# Head 0 asks with ln 3, head 1 with 0. The keys are 0 and 1, so head 0 weighs ¼ and ¾, head 1 ½ and ½.
x_small = torch.tensor([[[math.log(3), 0.0]]])
print(multi_head_attention(x_small, torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]), eye, eye, eye, eye, 2))
print("expected: (0.75, 0.5): the two heads look at different places")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(multi_head_attention)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Does it help? We repeat the task of rebuilding frames, with one head and with four. To see what the heads do, we leave
# $W_v$ and $W_o$ fixed at the identity: head 0 then rebuilds the 20 lowest mel bands, head 3 the 20 highest, and only
# $W_q$ and $W_k$ are learned. Both models have the same number of parameters. **Predict:** which is better, and where
# will head 0 (low: voice and pitch) and head 3 (high: hiss) look?
#
# You need not read the cell; it calls the same `train`. The orange marks along the edges of the panels are the frames
# that hiss.

# %% tags=["demo", "training"]
attention = solved(attention)
merge_heads = solved(merge_heads)
def new_layer(n_heads):
    """A model that rebuilds frames with `n_heads` heads, and its W_q and W_k."""
    learned_weights = new_projections(seed=0, d=80)
    identity = torch.eye(80)

    def model(frames, mask):
        return multi_head_attention(frames, frames, *learned_weights, identity, identity, n_heads, mask)

    return model, learned_weights


@torch.no_grad()
def look_with_four_heads():
    """Values, outputs (4, T, 20) and weights (4, T, T) of the last model on our utterance."""
    q, k = (split_heads(x[None] @ w.T, 4)[0] for w in projections)  # (4, T, 20)
    v = split_heads(x[None], 4)[0]
    return v, *attention(q, k, v, apart)


final = {}
for n_heads in (1, 4):
    model, projections = new_layer(n_heads)
    losses = train(model, projections, title=f"{n_heads} head{'s' * (n_heads > 1)}")
    final[n_heads] = sum(losses[-20:]) / 20

_, four_outputs, four_weights = look_with_four_heads()
figure, panels = plt.subplots(1, 4, figsize=(15, 3.9), layout="constrained", sharey=True)
hiss = x[:, 60:].mean(-1) > 1
when = (hiss.nonzero()[:, 0] + 0.5) / 50
for head, axes in enumerate(panels):
    picture = draw_matrix(axes, four_weights[head], f"head {head}: mel bands {20 * head} to {20 * head + 19}")
    for times, places in ((when, torch.zeros(len(when))), (torch.zeros(len(when)), when)):
        axes.plot(times, places, "s", color="#E69F00", markersize=4, markeredgewidth=0, clip_on=False)
figure.colorbar(picture, ax=panels, label="weight")
show(
    figure,
    "Weights of four heads; orange marks: frames that hiss. "
    f"Final error {final[1]:.2f} with one head, {final[4]:.2f} with four of the same total size.",
)
to_hiss = four_weights[:, hiss][:, :, hiss].sum(-1).mean(-1)
print(f"{hiss.float().mean():.0%} of the frames hiss. The attention that they give to one another:", end=" ")
print(", ".join(f"head {head} {share:.0%}" for head, share in enumerate(to_hiss)))
overlap = torch.minimum(four_weights[0], four_weights[3]).sum(-1).mean()
print(f"Heads 0 and 3 have {overlap:.0%} of their attention in common.")

# %% [markdown] lang="en"
# Head 3, which must rebuild the top of the spectrum, sends hisses to hisses far more than the others. The others find
# them too, because a hiss is also known by what is missing below. The division of labour is a tendency: heads 0 and 3
# still share about half of their attention. In a trained speech model heads specialise too, though seldom as neatly as
# here, where we gave each its own quarter of the spectrum.
#
# ## Do the weights explain the decision?
#
# It is tempting to say: the output is so *because* the model looked there. Take one head and one frame, and ask: is
# there a **different** set of weights, positive and adding up to 1, that gives the **same output**? The ten frames that
# got the most attention are the "explanation". The next cell looks for weights that give them as little as possible
# without changing the output. **Predict** how little.

# %% tags=["demo"]
from scipy.optimize import linprog


def same_output_other_weights(weights, values, allowed, n_top=10):
    """Other weights with the same output that give the `n_top` favourites as little as possible."""
    top = torch.zeros(len(weights), dtype=torch.bool)
    top[weights.topk(n_top).indices] = True
    conditions = torch.cat([values[allowed].T, torch.ones(1, int(allowed.sum()))]).double()
    wanted = conditions @ weights[allowed].double()
    found = linprog(top[allowed].double(), A_eq=conditions, b_eq=wanted, bounds=(0, None))
    other = torch.zeros(len(weights), dtype=torch.float64)
    other[allowed] = torch.from_numpy(found.x)
    return other.float(), weights[top].sum().item(), other[top].sum().item()


four_v, four_outputs, four_weights = look_with_four_heads()
head, frame = 1, 85
other_weights, share_before, share_after = same_output_other_weights(
    four_weights[head, frame], four_v[head], apart[frame]
)
difference = (other_weights @ four_v[head] - four_outputs[head, frame]).abs().max()
figure, panels = plt.subplots(2, 1, figsize=(10, 4), layout="constrained", sharex=True, sharey=True)
for axes, weights, title, colour in (
    (panels[0], four_weights[head, frame], "What the head gave", "#0072B2"),
    (panels[1], other_weights, "Other weights, same output", "#D55E00"),
):
    axes.bar(torch.arange(T) / 50, weights, width=0.02, color=colour)
    axes.set(title=title, ylabel="weight")
panels[1].set(xlabel="key: time (s)", xlim=(0, T / 50))
show(
    figure,
    f"The ten favourites have {share_before:.0%} of the attention above and {share_after:.0%} below; "
    f"the outputs differ by at most {difference:.0e}.",
)
print(f"{int(apart[frame].sum())} weights, {four_v.shape[-1]} + 1 equations")
for head in range(4):
    shares = [same_output_other_weights(four_weights[head, i], four_v[head], apart[i])[1:] for i in range(0, T, 8)]
    before, after = torch.tensor(shares).T
    print(f"head {head}: the ten favourites have {before.mean():.0%} of the attention on average,", end=" ")
    print(f"they need {after.mean():.0%}; {(after < 0.01).float().mean():.0%} of the frames can do without them.")

# %% [markdown] lang="en"
# For many frames the "explanation" can be removed altogether and the head's output stays the same; for others some of
# it is indispensable. The reason is a count: the output has only 20 numbers. With the sum of 1 that makes 21 equations
# for about 235 weights: there is a lot of room. So read weights for what they are: they say where *this head* took its
# values from. They do not say that the output depends on those frames alone, nor what later layers made of it, and
# from the second layer on a "frame" already holds a mixture of others. To claim a cause, change the input and see what
# happens, as we did with the future above. (The debate:
# [*Attention is not Explanation*](https://arxiv.org/abs/1902.10186), 2019, and the answer,
# [*Attention is not not Explanation*](https://arxiv.org/abs/1908.04626), 2019.)
#
# ## What it costs
#
# Everybody looks at everybody: $T$ frames make $T \times T$ scores. For short clips that is nothing. For raw audio it
# is the end.
#
# ### Exercise 2.9 · Multiplications · ★☆☆ · 5 min · 1 point
#
# How many multiplications do the two matrix products of one head take, $QK^\top$ and weights times values? All vectors
# have `dim` numbers; nothing is masked; the division by $\sqrt d$, the softmax and the projections do not count. Return
# an `int`, exact however large.
#
# <details><summary>Hint 1: one score</summary>
#
# One score is a dot product of two vectors of `dim` numbers. How many scores are there?
#
# </details>
# <details><summary>Hint 2: one number of the output</summary>
#
# Each of the `n_frames · dim` numbers of the output is a sum over `n_frames` weighted values. Add both counts.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "attention_multiplications", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_multiplications(n_frames: int, dim: int) -> int:
    """Multiplications in QKᵀ and in weights·V.

    Args:
        n_frames: number of frames T.
        dim: size d of a query, key or value.

    Returns:
        The number, an exact int.
    """
    ### BEGIN SOLUTION
    return 2 * n_frames**2 * dim
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_attention_multiplications", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(attention_multiplications)
print(attention_multiplications(2, 3), "expected: 2·2 scores of 3 multiplications, and 2·3 outputs of 2: 12 + 12 = 24")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(attention_multiplications)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Thirty seconds of speech are 480 000 samples, 3 000 mel frames, or 1 500 frames once Whisper's two convolutions have
# halved their number. **Predict:** how many times more work are 480 000 samples than 1 500 frames? How large is one
# score matrix, four bytes a score?

# %% tags=["demo"]
def spaced(number):
    """1500 as 1 500."""
    return f"{number:,.0f}".replace(",", " ")


print(f"{'30 s as':46}{'T':>8}{'multiplications':>22}{'one score matrix':>19}{'against 1 500':>15}")
inputs = (("Whisper's frames after its two convolutions", 1_500), ("mel frames", 3_000), ("raw samples", 480_000))
for name, n_frames in inputs:
    count, size = attention_multiplications(n_frames, 64), 4 * n_frames**2
    ratio = count // attention_multiplications(1_500, 64)
    print(f"{name:46}{spaced(n_frames):>8}{spaced(count):>22}{spaced(size / 1e6):>16} MB{spaced(ratio):>14}×")
print("for one head of 64 numbers; Whisper base has 6 encoder layers of 8 heads.")

torch.set_num_threads(1)
sizes = (1_000, 1_500, 2_000, 3_000)
milliseconds = []
for n_frames in sizes:
    vectors = torch.randn(n_frames, 64)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        attention(vectors, vectors, vectors)
        times.append(time.perf_counter() - start)
    milliseconds.append(min(times) * 1e3)
speed = attention_multiplications(sizes[-1], 64) / milliseconds[-1]  # multiplications in a millisecond
span = torch.logspace(2.9, 5.8, 50)

figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
axes.loglog(sizes, milliseconds, "o", color="#0072B2", label="measured here")
predicted = [attention_multiplications(int(n_frames), 64) / speed for n_frames in span]
axes.loglog(span, predicted, color="#0072B2", label="your formula, at the speed of the last dot")
for name, n_frames in inputs:
    at_top = n_frames < 100_000  # where the line is far away
    axes.axvline(n_frames, color="#E69F00", linestyle=":")
    place, side = (0.97, "top") if at_top else (0.03, "bottom")
    transform = axes.get_xaxis_transform()
    axes.text(n_frames * 0.93, place, name, rotation=90, ha="right", va=side, fontsize=8, transform=transform)
axes.set(title="One head over 30 s of speech", xlabel="number of frames", ylabel="time (ms)", ylim=(1, 1e8))
axes.legend(loc="lower center")
raw = [attention_multiplications(480_000, 64) / attention_multiplications(n_frames, 64) for n_frames in sizes]
minutes = [ratio * taken / 60_000 for ratio, taken in zip(raw, milliseconds, strict=True)]  # once for each dot
work = attention_multiplications(sizes[-1], 64) / attention_multiplications(sizes[0], 64)
show(
    figure,
    f"3 000 frames took {milliseconds[-1]:.0f} ms here. If the time grew like your formula from there on, 480 000 "
    f"samples would take very roughly {minutes[-1]:.0f} minutes, for one head of one layer.",
)
print(f"From 1 000 to 3 000 frames there are {work:.0f} times as many multiplications;", end=" ")
print(f"the time is {milliseconds[-1] / milliseconds[0]:.0f} times as long.")
print(f"Starting from one dot or another, 480 000 samples take {min(minutes):.0f} to {max(minutes):.0f} minutes.")

# %% [markdown] lang="en"
# The samples are 320 times as many as the frames, and the work is $320^2$ times as much. The measured time may grow
# even faster: a large matrix no longer fits into the processor's fast memory, and fetching it takes longer than
# multiplying. So take the minutes as a rough guess. The score matrix of a single head would need 922 GB. (Kernels such
# as [FlashAttention](https://arxiv.org/abs/2205.14135), 2022, never store the matrix; the multiplications remain.) So
# every speech Transformer first shortens its input: Whisper by a spectrogram and a strided convolution, one that keeps
# every second output (unit 03 and unit 06); wav2vec 2.0 by seven strided convolutions on the samples (unit 04).
#
# ## What just happened
#
# - Attention is four steps: queries, keys and values; scores $QK^\top/\sqrt d$; softmax; weighted sum. Masks act on
#   scores, before the softmax.
# - **The mistake most people make** is in the shapes, not in the idea: a softmax over the wrong dimension, a `reshape`
#   that mixes frames and heads, a mask the wrong way round. All run without an error, and a network even learns
#   something with them. That is why your functions were tested on tensors with all sizes different.
# - Attention reaches any distance in one step, which is what prosody needs; but it knows no order, does not ignore
#   noise unless taught, and its weights are no proof of cause.
# - **Where you meet it:** [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020) and
#   [Whisper](https://arxiv.org/abs/2212.04356) (2022) run `multi_head_attention` over 20 ms frames; Whisper's decoder
#   uses your causal mask and cross-attention. [FastSpeech](https://arxiv.org/abs/1905.09263) (2019) attends over
#   phonemes and then over mel frames, with your padding mask. [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020),
#   which writes every single sample, is made of convolutions alone.
# - The source of it all: [*Attention Is All You Need*](https://arxiv.org/abs/1706.03762) (2017).
#
# Next: [unit 03](../03_whisper_mel/03_whisper_mel.ipynb) builds the front end that torchaudio computed for us today,
# bit for bit as Whisper does.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("02_attention")
