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
# # 7 · Norms and losses
#
# A model learns by making one number smaller. Here you write the numbers that speech models are trained on, and see on
# real speech what each of them wants, and what it does not notice.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 110 minutes · 15 s of CPU · after unit 06; needed are tensors with shapes, masks (unit 02) and the idea of a gradient
#
# **You will be able to**
#
# 1. tell norm, L1, MSE and RMSE apart, work them and their gradients out with a pencil, and leave padding out;
# 2. explain why a model that is trained to be right on average sounds blurred, and what a GAN loss adds;
# 3. write the losses for durations (FastSpeech 2), for turning spectrograms into sound (HiFi-GAN), and for tokens
#    (Whisper).

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
import torchaudio
from torch import nn
from tqdm import tqdm

# %% [markdown] lang="en"
# ## 7.1 Which of these is right?
#
# Listen to the three recordings. The words are the same, the speaker is the same, and none of them is wrong.

# %% tags=["demo"]
STARTS = {  # where "please enter your" begins, in seconds
    "agent-incorrect": 1.83, "agent-alreadyon": 2.31, "agent-user": 1.65, "confbridge-pin": 0.0,
    "privacy-prompt": 0.0, "vm-newpassword": 0.14, "conf-getconfno": 0.0,
}
LENGTH = 0.72  # seconds of each that we look at
phrases = [load_clip(name)[round(start * 16_000) :][: round(LENGTH * 16_000)] for name, start in STARTS.items()]
for number in (0, 1, 2):
    play(phrases[number], f"take {number + 1}: “please enter you(r)”, from the prompt {list(STARTS)[number]}")

# %% [markdown] lang="en"
# Now imagine a speech synthesiser that gets the text "please enter your" and answers with a mel spectrogram: 80 numbers
# every 10 ms that say how strong each band of pitch is, from low to high (unit 03). To train it, we compare its answer
# with a recording. The recording is called the **ground truth**, in short **GT**: what we decide to call right.
#
# But there are many recordings of these words in this course, and the text does not say which one is meant. We take
# seven; below are three of them. **Look:** where does the dark gap before the [t] of "enter" lie in each?

# %% tags=["demo"]
mel_amplitude = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=1024, win_length=640, hop_length=160, n_mels=80, power=1.0, mel_scale="slaney", norm="slaney"
)


def log_mel(waveform):
    """(samples,) → (80, frames): the natural logarithm of the strength of 80 bands, 100 frames a second."""
    return (mel_amplitude(waveform) + 1e-4).log()[:, : len(waveform) // 160]


def draw_mel(axes, mel, title):
    """An (80, frames) picture: time to the right, pitch upwards, the same colours everywhere."""
    axes.set(title=title, xlabel="time (s)")
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel("mel band")
    extent = (0, mel.shape[1] / 100, 0, 80)
    return axes.imshow(mel, origin="lower", aspect="auto", cmap="magma", vmin=-9, vmax=1, extent=extent)


whole = [log_mel(load_clip(name)) for name in STARTS]
takes = torch.stack([mel[:, round(100 * start) :][:, :72] for mel, start in zip(whole, STARTS.values(), strict=True)])

figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True, layout="constrained")
for i in range(3):
    picture = draw_mel(axes[i], takes[i], f"take {i + 1}")
figure.colorbar(picture, ax=axes, label="ln amplitude")
gaps = [0.01 * (40 + takes[i, 10:40, 40:60].mean(0).argmin().item()) for i in range(3)]
show(
    figure,
    "Three takes of “please enter you(r)”: the same words, but the dark gap before the [t] is deepest at "
    + ", ".join(f"{gap:.2f}" for gap in gaps) + " s.",
)
print("all takes:", tuple(takes.shape), "= (takes, bands, frames)")

# %% [markdown] lang="en"
# Two questions follow, and this unit is about them.
#
# 1. By **which number** do we say how far an answer is from the truth?
# 2. If several truths are possible, **which answer** makes that number smallest?
#
# ## 7.2 How long is an error? Norms
#
# The truth is $y = (2, 3, 1)$, the model says $\hat y = (2.5, 2, 0)$. The error is $e = \hat y - y = (0.5, -1, -1)$.
# A **norm** turns such a vector into one number, its length.
#
# $$\|e\|_1 = \sum_i |e_i| = 0.5 + 1 + 1 = 2.5 \qquad
#   \|e\|_2 = \sqrt{\sum_i e_i^2} = \sqrt{0.25 + 1 + 1} = \sqrt{2.25} = 1.5$$
#
# The **L1 norm** walks along the streets of a town whose streets cross at right angles; the **L2 norm** flies straight.
# For two vectors $x$ and $y$ the norm of the difference, $\|x - y\|$, is their distance.
#
# ### Exercise 7.1 · L1 norm · ★☆☆ · 4 min · 1 point
#
# Write $\|x\|_1 = \sum_i |x_i|$ over the **last** axis. Any number of axes may come before it; they stay.
#
# - A number may be 0, or as large as $10^{22}$.
# - Gradients are compared too. The slope of $|x|$ at exactly 0 counts as 0.
# - Here and in all exercises of this unit the result keeps the dtype of the input. What comes in as float64 must not be
#   float32 on the way: ten digits are compared.
#
# <details><summary>Hint 1: two steps</summary>
#
# Drop the signs, then sum. In this order.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `x.abs()` drops the signs, `.sum(-1)` adds up along the last axis.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "l1_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def l1_norm(x: torch.Tensor) -> torch.Tensor:
    """The sum of the absolute values over the last axis.

    Args:
        x: vectors, `(..., D)`.

    Returns:
        One length a vector, `(...)`.
    """
    ### BEGIN SOLUTION
    return x.abs().sum(-1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_l1_norm", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(l1_norm)
print(l1_norm(torch.tensor([0.5, -1.0, -1.0])), "expected: 0.5 + 1 + 1 = 2.5")
print(l1_norm(torch.tensor([[3.0, -4.0], [0.0, 0.0]])), "expected: one number a row, 7 and 0")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(l1_norm)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now take 1 is the truth and take 2 the answer. Each frame is a vector of 80 numbers, so there is one distance every
# 10 ms. **Predict before you run:** nobody would say that take 2 is wrong. Will the distance be small everywhere?

# %% tags=["demo"]
error = (takes[1] - takes[0]).T  # (frames, bands)
distance = l1_norm(error)  # (frames,)
figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
axes.plot(torch.arange(72) / 100, distance, color="#0072B2")
axes.axhline(distance.mean(), color="#D55E00", linestyle="--", label=f"mean: {distance.mean():.0f}")
axes.set(title="How far take 2 is from take 1, frame by frame", xlabel="time (s)", ylabel="L1 norm of 80 errors")
axes.set(xlim=(0, 0.71), ylim=(0, None))
axes.legend()
show(
    figure,
    f"The L1 distance between two good takes is {distance.min():.0f} at best and {distance.max():.0f} at "
    f"{distance.argmax() / 100:.2f} s, where one is silent and the other is not.",
)

# %% [markdown] lang="en"
# The peaks are moments at which one take is already a sound further than the other. A loss that compares frame with
# frame calls that a large error. Keep this in mind.
#
# ### Exercise 7.2 · L2 norm · ★★☆ · 8 min · 2 points
#
# Write $\|x\|_2 = \sqrt{\sum_i x_i^2}$ over the last axis.
#
# - The zero vector has length 0, exactly, and there **the gradient must be 0**. Think: the slope of $\sqrt s$ is
#   $1/(2\sqrt s)$. What is it at $s = 0$, and what does the chain rule multiply it with?
# - Short vectors must come out right in proportion, down to lengths of $10^{-15}$. So a constant under the root is not
#   the answer, however small, nor is a lower limit (`clamp`). Even shorter ones are not asked for: below about
#   $10^{-19}$ the squares become too small for float32.
#
# <details><summary>Hint 1: what goes wrong at 0</summary>
#
# At 0 the root is infinitely steep, and the square is flat: ∞ times 0 is NaN, "not a number". One NaN in a gradient
# ruins a training. It happens whenever a frame is predicted perfectly, or both are silent.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.linalg.vector_norm(x, dim=-1)` knows this corner. By hand: take the sum of squares `s`; put 1 where it is 0
# (`torch.where`), take the root, and put 0 there afterwards (`torch.where` again).
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "l2_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def l2_norm(x: torch.Tensor) -> torch.Tensor:
    """The Euclidean length over the last axis; its gradient at the zero vector is 0.

    Args:
        x: vectors, `(..., D)`.

    Returns:
        One length a vector, `(...)`.
    """
    ### BEGIN SOLUTION
    squares = x.square().sum(-1)
    is_zero = squares == 0
    # The root never sees a zero, so that its slope is finite everywhere.
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, squares).sqrt())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_l2_norm", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(l2_norm)
print(l2_norm(torch.tensor([0.5, -1.0, -1.0])), "expected: √2.25 = 1.5")
silent = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
l2_norm(silent).sum().backward()
print(silent.grad, "expected: [[0.6, 0.8], [0, 0]], the direction of each vector, and no nan")
print(l2_norm(torch.zeros(3)).item(), "expected: 0.0, and not nearly 0")
print(l2_norm(torch.tensor([3e-7, 4e-7])), "expected: 5.0000e-07")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(l2_norm)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Which errors does a norm think equally bad? Below, each line joins the errors $(e_1, e_2)$ of one length, computed by
# your functions. **Predict:** an error of 4 in a single number, or an error of 1 in each of four numbers. Which is
# worse for L1, and which for L2?

# %% tags=["demo"]
l1_norm = solved(l1_norm)  # yours, or the library's while it is not written
line = torch.linspace(-2.2, 2.2, 221)
plane = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)  # (221, 221, 2)
figure, pair = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for axes, norm, name in zip(pair, (l1_norm, l2_norm), ("L1", "L2"), strict=True):
    lines = axes.contour(line, line, norm(plane), levels=[0.5, 1, 1.5, 2], cmap="viridis")
    axes.clabel(lines)
    axes.set(title=f"errors of equal {name} norm", xlabel="error of the first number", aspect="equal")
pair[0].set_ylabel("error of the second number")
show(figure, "Errors of equal L1 norm lie on squares that stand on a corner, those of equal L2 norm on circles.")
spread, single = torch.ones(4), torch.tensor([4.0, 0, 0, 0])
print(f"four errors of 1: L1 {l1_norm(spread):.0f}, L2 {l2_norm(spread):.0f}")
print(f"one error of 4:   L1 {l1_norm(single):.0f}, L2 {l2_norm(single):.0f}")

# %% [markdown] lang="en"
# For L1 it makes no difference. For L2 the single large error is twice as bad: squaring makes large numbers larger and
# small ones smaller. The corners of L1 have a use too: a *penalty* on a model's weights under L1 likes to end in a
# corner, where some weights are exactly 0. That is what "L1 makes sparse" means; it says nothing about the errors.
#
# ## 7.3 From norms to losses
#
# A norm grows with the number of numbers: a longer clip would have a larger error. A **loss** averages instead.
#
# | name | formula | here |
# |---|---|---|
# | L1 norm | $\sum \lvert e_i\rvert$ | 2.5 |
# | L1 loss, **MAE**, mean absolute error | $\frac1n\sum \lvert e_i\rvert$ | 2.5 / 3 = 0.833 |
# | L2 norm | $\sqrt{\sum e_i^2}$ | 1.5 |
# | squared L2 norm | $\sum e_i^2$ | 2.25 |
# | L2 loss, **MSE**, mean squared error | $\frac1n\sum e_i^2$ | 2.25 / 3 = 0.75 |
# | **RMSE**, root mean squared error | $\sqrt{\frac1n\sum e_i^2}$ | √0.75 = 0.866 |
#
# You will read that the L2 norm "is the mean of the squares", or that the L2 loss is "the L2 norm of the error". The
# last four numbers of the table all go by the name L2 somewhere, and they are not the same. The cell below says how they hang
# together: $\mathrm{MSE} = \|e\|_2^2 / n$, with no root and a mean; $\mathrm{RMSE} = \|e\|_2 / \sqrt n$.

# %% tags=["demo"]
y, y_hat = torch.tensor([2.0, 3.0, 1.0]), torch.tensor([2.5, 2.0, 0.0])
e = y_hat - y
length, mse = torch.linalg.vector_norm(e), nn.MSELoss()(y_hat, y)
print(f"L2 norm {length:.3f} | MSE {mse:.3f} = {length:.3f}² / 3 = {length**2 / 3:.3f} | RMSE {mse.sqrt():.3f}")
print(f"L1 norm {e.abs().sum():.3f} | MAE {nn.L1Loss()(y_hat, y):.4f}")
print("the same errors twice:", end=" ")
twice = torch.cat([e, e])
print(f"L2 norm {torch.linalg.vector_norm(twice):.3f}, MSE {twice.square().mean():.3f}")

# %% [markdown] lang="en"
# One trap before you write them. PyTorch stretches tensors of different shapes until they fit. A model that returns
# `(3, 1)` where the truth is `(3,)` gets no error, but a loss over nine pairs that nobody meant. In the next cell the
# prediction is perfect.

# %% tags=["demo"]
truth = torch.tensor([1.0, 2.0, 3.0])
prediction = truth[:, None]  # the same numbers, as a column
print("shapes", tuple(prediction.shape), tuple(truth.shape), "→", tuple((prediction - truth).shape))
print(f"“loss” of a perfect prediction: {(prediction - truth).square().mean():.3f}")

# %% [markdown] lang="en"
# ### Exercise 7.3 · L1 loss · ★☆☆ · 5 min · 1 point
#
# Write the mean of the absolute errors over **all** numbers, whatever the shape: one number comes out.
#
# - Where the shapes differ in any way, raise `ValueError`. Stretching is not allowed, nor is reshaping.
# - Where the prediction is exactly right, the gradient is 0.
#
# <details><summary>Hint 1: the shapes</summary>
#
# `pred.shape != target.shape` compares the number of axes and every size. `raise ValueError("…")` ends the function.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# After the check: `(pred - target)`, then `.abs()`, then `.mean()`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "l1_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def l1_loss(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean absolute error.

    Args:
        pred: predictions of any shape.
        target: the truth, of the same shape.

    Returns:
        One number, `()`.

    Raises:
        ValueError: where the shapes differ.
    """
    ### BEGIN SOLUTION
    if pred.shape != target.shape:
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")
    return (pred - target).abs().mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_l1_loss", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(l1_loss)
print(l1_loss(torch.tensor([2.5, 2.0, 0.0]), torch.tensor([2.0, 3.0, 1.0])), "expected: 2.5 / 3 = 0.8333")
try:
    print(l1_loss(torch.zeros(3, 1), torch.zeros(3)), "but a ValueError was expected")
except ValueError as found:
    print("ValueError:", found, "| expected: a ValueError, with words of your own")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(l1_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ### Exercise 7.4 · L2 loss · ★☆☆ · 4 min · 1 point
#
# Write the mean of the squared errors over all numbers, with the same rule about shapes. No root.
#
# - Numbers may lie far from 0: for 10 001 against 10 000 the loss is 1. Multiplied out, $a^2 - 2ab + b^2$, it would not
#   be, because float32 keeps seven digits only.
#
# <details><summary>Hint 1: what changes</summary>
#
# Compared with the L1 loss, one word.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `.square()` in place of `.abs()`. The square is taken of the difference, before the mean.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mse_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mse_loss(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean squared error.

    Args:
        pred: predictions of any shape.
        target: the truth, of the same shape.

    Returns:
        One number, `()`.

    Raises:
        ValueError: where the shapes differ.
    """
    ### BEGIN SOLUTION
    if pred.shape != target.shape:
        raise ValueError(f"pred has shape {tuple(pred.shape)}, target {tuple(target.shape)}")
    return (pred - target).square().mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mse_loss", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(mse_loss)
print(mse_loss(torch.tensor([2.5, 2.0, 0.0]), torch.tensor([2.0, 3.0, 1.0])), "expected: 2.25 / 3 = 0.75")
print(mse_loss(torch.tensor([[1.0, 5.0]]), torch.tensor([[2.0, 5.0]])), "expected: (1 + 0) / 2 = 0.5")
print(mse_loss(torch.tensor([10_001.0]), torch.tensor([10_000.0])), "expected: 1")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mse_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ### One outlier, under both
#
# Look at one single number of the picture: the level of band 20, 40 ms after the start. In five takes the voice has not
# begun, in take 2 it is just about to, in take 3 it has. Suppose the model must give *one* number $c$ for this place,
# because the text is the same seven times. The curves show your two losses for every $c$. **Predict** where each has its
# lowest point: near the five, near the one of take 3, or in between?

# %% tags=["demo"]
l1_loss = solved(l1_loss)
levels = takes[:, 20, 4]  # (7,)
print("the seven levels:", [round(level, 1) for level in levels.tolist()])
guesses = torch.linspace(-9.5, -2.5, 281)
curves = {
    "L1 loss": (torch.stack([l1_loss(c.expand(7), levels) for c in guesses]), "#D55E00"),
    "L2 loss": (torch.stack([mse_loss(c.expand(7), levels) for c in guesses]), "#0072B2"),
}
figure, pair = plt.subplots(1, 2, figsize=(9.5, 3.2), layout="constrained")
for axes, (name, (curve, colour)) in zip(pair, curves.items(), strict=True):
    best = guesses[curve.argmin()]
    axes.plot(guesses, curve, color=colour)
    axes.plot(levels, torch.zeros(7), "o", color="black", alpha=0.6, label="the seven takes")
    axes.axvline(best, color=colour, linestyle="--", label=f"lowest at {best:.2f}")
    axes.set(title=name, xlabel="the one answer c (ln amplitude)", ylabel=f"{name} over the seven")
    axes.legend(loc="upper center", framealpha=1)
lowest = {name: guesses[curve.argmin()].item() for name, (curve, _) in curves.items()}
show(
    figure,
    f"The L1 loss is lowest at {lowest['L1 loss']:.2f}, among the five silent takes; the L2 loss at "
    f"{lowest['L2 loss']:.2f}, where no take is.",
)
print(f"median of the seven {levels.median():.2f}, mean {levels.mean():.2f}")

# %% [markdown] lang="en"
# The answer that suits L2 best is the **mean**; the answer that suits L1 best is the **median**, the value in the
# middle when all are sorted. One outlier, take 3, drags the mean along, and moves the median hardly at all. The mean here
# is a level that occurs in no recording: a voice that is half there.
#
# ## 7.4 Which way is down? Gradients by hand
#
# Why these two? Because of the slopes. A model learns by moving each number of its answer against the slope of the
# loss, and at the lowest point the pushes of all data cancel.
#
# $$\frac{\partial}{\partial \hat y_i}\,\frac1n\sum_j(\hat y_j - y_j)^2 = \frac2n(\hat y_i - y_i) \qquad
#   \frac{\partial}{\partial \hat y_i}\,\frac1n\sum_j|\hat y_j - y_j| = \frac1n\,\mathrm{sign}(\hat y_i - y_i)$$
#
# With a pencil, for $e = (0.5, -1, -1)$: the L2 loss pushes with $\frac23(0.5, -1, -1) = (0.333, -0.667, -0.667)$, the
# L1 loss with $\frac13(1, -1, -1) = (0.333, -0.333, -0.333)$. The sign of 0 is taken to be 0.
#
# ### Exercise 7.5 · The slope of the L2 loss · ★☆☆ · 5 min · 1 point
#
# Write the gradient of the mean squared error with respect to `pred`. Its shape is that of `pred`; $n$ is the number of
# *all* numbers. (The shapes are always equal here.) One line of arithmetic is enough. PyTorch's autograd is accepted as
# well; but do it with the pencil first, so that you know what autograd does for you.
#
# <details><summary>Hint 1: where the factors come from</summary>
#
# The 2 comes down from the square, the 1/n from the mean.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `pred.numel()` is n, also for `(2, 3, 4)`, where it is 24.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mse_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mse_gradient(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The gradient of the mean squared error with respect to the prediction.

    Args:
        pred: predictions of any shape.
        target: the truth, of the same shape.

    Returns:
        One slope a number, in the shape of `pred`.
    """
    ### BEGIN SOLUTION
    return 2 * (pred - target) / pred.numel()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mse_gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(mse_gradient)
print(mse_gradient(torch.tensor([2.5, 2.0, 0.0]), torch.tensor([2.0, 3.0, 1.0])), "expected: [0.333, -0.667, -0.667]")
print(mse_gradient(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2, 2)), "expected: [[0.5, 1.0], [1.5, 2.0]]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mse_gradient)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ### Exercise 7.6 · The slope of the L1 loss · ★☆☆ · 5 min · 1 point
#
# The same for the mean absolute error. Where the prediction is exactly right the slope is 0. A millionth too high is
# too high: 5.000003 in place of 5 is pushed as hard as 500.
#
# <details><summary>Hint 1: how steep is |e|?</summary>
#
# 1 to the right of 0 and −1 to the left, however far from 0. It is the direction that counts, not the size.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.sign` gives −1, 0 or 1. What is left is the 1/n of the mean.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "l1_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def l1_gradient(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The gradient of the mean absolute error with respect to the prediction; 0 where it is exactly right.

    Args:
        pred: predictions of any shape.
        target: the truth, of the same shape.

    Returns:
        One slope a number, in the shape of `pred`.
    """
    ### BEGIN SOLUTION
    return torch.sign(pred - target) / pred.numel()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_l1_gradient", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(l1_gradient)
print(l1_gradient(torch.tensor([2.5, 2.0, 0.0]), torch.tensor([2.0, 3.0, 1.0])), "expected: [0.333, -0.333, -0.333]")
print(l1_gradient(torch.tensor([5.0, 0.001, -7.0, 1.0]), torch.tensor([0.0, 0, 0, 1])), "expected: [¼, ¼, -¼, 0]")
print(l1_gradient(torch.tensor([5.000003, 500.0]), torch.tensor([5.0, 5.0])), "expected: [0.5, 0.5]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(l1_gradient)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Some texts call L2 "smooth, sensitive to small errors". Smooth it is. The rest is the wrong way round, and your two
# gradients prove it. **Predict:** four errors, 0.01, 0.1, 1 and 10. What share of the push does the largest one have
# under L2, and what share the smallest?

# %% tags=["demo"]
mse_gradient = solved(mse_gradient)
errors = torch.tensor([0.01, 0.1, 1.0, 10.0])
slopes_2, slopes_1 = mse_gradient(errors, torch.zeros(4)), l1_gradient(errors, torch.zeros(4))
print(" error | slope L2 | share of the push | slope L1 | share of the push")
for size, slope_2, slope_1 in zip(errors.tolist(), slopes_2, slopes_1, strict=True):
    shares = slope_2 / slopes_2.sum(), slope_1 / slopes_1.sum()
    print(f"{size:6.2f} | {slope_2:8.3f} | {shares[0]:16.1%}  | {slope_1:8.3f} | {shares[1]:16.1%}")
print("share of the L2 loss itself that the error of 10 has:", f"{100 / errors.square().sum():.1%}")

# %% [markdown] lang="en"
# L2 spends nine tenths of its push on the largest error and next to nothing on the smallest: **it weighs large errors
# most**, and grows ever gentler near the truth. L1 pushes a small error exactly as hard as a large one: **its gradient
# does not shrink with the error**. So the L1 loss is the one that still minds small errors, and the L2 loss the one
# that outliers and noise upset. The price of L1 is the kink at 0: a step of fixed size jumps to and fro across it.
#
# Watch both at work. From the same start, $c$ rolls downhill on the seven levels of above, driven by your gradients.
# **Predict:** which arrives smoothly, and where?

# %% tags=["demo"]
paths = {}
for name, gradient in (("L2", mse_gradient), ("L1", l1_gradient)):
    c, path = torch.tensor(-4.0), []
    for _ in range(61):
        path.append(c.item())
        c = c - 0.2 * gradient(c.expand(7), takes[:, 20, 4]).sum()
    paths[name] = path
    print(f"{name}: after 60 steps at {path[-1]:.2f}")
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
axes.plot(paths["L2"], color="#0072B2", label="L2: the push fades, ends at the mean")
axes.plot(paths["L1"], color="#D55E00", label="L1: the push stays, ends at the median")
for level in takes[:, 20, 4]:
    axes.plot(60, level, "<", color="black", alpha=0.6, clip_on=False)
axes.set(title="Gradient descent on seven levels, one of them an outlier", xlabel="step", ylabel="c (ln amplitude)")
axes.set_xlim(0, 60)
axes.legend()
show(figure, f"L2 glides to {paths['L2'][-1]:.2f}, L1 marches on to {paths['L1'][-1]:.2f}; triangles mark the takes.")

# %% [markdown] lang="en"
# ## 7.5 A batch has padding
#
# Clips differ in length, a tensor does not. So the shorter ones are filled up, *padded*, and the loss must leave the
# filling out. With $N = \sum_b \text{lengths}_b$ real frames of $M$ numbers each:
#
# $$\text{loss} = \frac{1}{M \cdot N} \sum_{b}\;\sum_{t < \text{lengths}_b}\;\sum_{m} |\hat y_{btm} - y_{btm}|$$
#
# By hand: two clips with one number a frame, lengths 1 and 3, errors $(4, ?, ?)$ and $(1, 1, 1)$. The loss is
# $(4 + 1 + 1 + 1)/4 = 1.75$. It is *not* $(4 + 1)/2 = 2.5$, the mean of the two clips' means, in which the one frame of
# the short clip would count as much as all three of the long one.
#
# ### Exercise 7.7 · L1 loss without the padding · ★★☆ · 12 min · 3 points
#
# Write it. `lengths` holds the number of real frames of each clip, in any order, at least 1 each.
#
# - **The padding may hold anything**: zeros, other numbers, infinities, NaN. Neither the value nor the gradient may
#   notice. The gradient at padded places is 0.
# - All real frames of the batch have the same weight.
# - A NaN in a *real* frame is another matter: the model has gone wrong, and the loss must say so, by being NaN.
#
# <details><summary>Hint 1: which frames are real</summary>
#
# `torch.arange(T) < lengths[:, None]` is a mask of shape `(B, T)`, as in unit 02.
#
# </details>
# <details><summary>Hint 2: why not multiply by the mask?</summary>
#
# Because `nan * 0` is `nan`. *Choose* instead: `pred[mask]` is `(N, M)` and holds the real frames only.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "masked_l1_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_l1_loss(pred: torch.Tensor, target: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The mean absolute error over real frames; the padding may hold anything, NaN included.

    Args:
        pred: predictions, `(B, T, M)`.
        target: the truth, `(B, T, M)`.
        lengths: real frames of each clip, `(B,)` int64, between 1 and T.

    Returns:
        One number, `()`: the sum over real frames, divided by M · Σ lengths.
    """
    ### BEGIN SOLUTION
    real = torch.arange(pred.shape[1], device=pred.device) < lengths[:, None]  # (B, T)
    return (pred[real] - target[real]).abs().mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_masked_l1_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(masked_l1_loss)
two_clips = torch.tensor([[[4.0], [math.nan], [9.0]], [[1.0], [1.0], [1.0]]])  # (2, 3, 1)
print(masked_l1_loss(two_clips, torch.zeros(2, 3, 1), torch.tensor([1, 3])), "expected: (4 + 1 + 1 + 1)/4 = 1.75")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(masked_l1_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# How much does it matter? Three real words make a batch. The prediction for each frame is the mean frame of its clip, a
# rather stupid model. Then we add more and more padding of zeros, to both, and change nothing else. **Predict** what
# the plain mean does, and what your function does.

# %% tags=["demo"]
words = [log_mel(load_clip(name)).T for name in ("goodbye", "vm-password", "auth-thankyou")]  # each (frames, 80)
word_lengths = torch.tensor([len(word) for word in words])


def padded_batch(mels, frames):
    """(B, frames, 80), filled up with zeros."""
    return torch.stack([nn.functional.pad(mel, (0, 0, 0, frames - len(mel))) for mel in mels])


stupid = [word.mean(0).expand_as(word) for word in words]
sizes = range(int(word_lengths.max()), 600, 40)
masked = [masked_l1_loss(padded_batch(stupid, T), padded_batch(words, T), word_lengths) for T in sizes]
plain = [(padded_batch(stupid, T) - padded_batch(words, T)).abs().mean() for T in sizes]
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.plot(sizes, plain, "o-", color="#D55E00", label="plain mean")
axes.plot(sizes, masked, "s-", color="#0072B2", label="your masked loss")
axes.set(title="The same three words, padded to T frames", xlabel="T (frames)", ylabel="L1 loss", ylim=(0, 2))
axes.legend()
show(
    figure,
    f"With padding the plain mean falls from {plain[0]:.2f} to {plain[-1]:.2f}, although nothing was learned; "
    f"the masked loss stays at {masked[-1]:.2f}.",
)
print("lengths of the words in frames:", word_lengths.tolist())

# %% [markdown] lang="en"
# A training curve that is drawn with the plain mean goes up and down with the batches' padding, and it is easy to take a
# longer filling for a better model.
#
# ## 7.6 Why a safe answer sounds blurred
#
# Back to the seven takes. Give the model the best it could hope for under each loss: at *every* place of the picture
# the number that suits all seven takes best. For L2 that is the mean of the takes, for L1 their median. No training
# could do better, as long as the text is all that the model knows.
#
# Here is what happens to a single harmonic (one of the stripes, a multiple of the pitch) that lies in band 10 in one
# take and in band 11 in another:
#
# | | band 10 | band 11 |
# |---|---|---|
# | take A | 1 | 0 |
# | take B | 0 | 1 |
# | mean | 0.5 | 0.5 |
#
# The mean has two stripes of half the strength, where each speaker had one clear stripe. Its squared error against
# either take is $(0.25 + 0.25)/2 = 0.25$. If the model chose take A outright, it would be perfect half the time and
# have $(1 + 1)/2 = 1$ the other half: 0.5 on average, twice as bad. **L2 punishes a decision and rewards a blur.**
#
# **Predict:** how will the mean of seven real takes look, and is the median any better? Which of the three below has
# the smallest L1 loss against all seven, which the smallest L2 loss?

# %% tags=["demo"]
mse_loss = solved(mse_loss)
mean_mel, median_mel = takes.mean(0), takes.median(0).values
candidates = {"take 1, a real one": takes[0], "the mean of seven": mean_mel, "the median of seven": median_mel}


def contrast(mel):
    """How much neighbouring bands differ, on average: stripes make it large."""
    return mel.diff(dim=0).abs().mean().item()


print("                     L1 against all  L2 against all  contrast between bands")
table = {}
for name, mel in candidates.items():
    against = mel.expand_as(takes)
    table[name] = l1_loss(against, takes).item(), mse_loss(against, takes).item(), contrast(mel)
    print(f"{name:20} {table[name][0]:12.3f} {table[name][1]:15.3f} {table[name][2]:16.3f}")
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True, layout="constrained")
for one, (name, mel) in zip(axes, candidates.items(), strict=True):
    picture = draw_mel(one, mel, f"{name}\nL1 {table[name][0]:.2f}, L2 {table[name][1]:.2f}")
figure.colorbar(picture, ax=axes, label="ln amplitude")
show(
    figure,
    f"The mean wins under L2 ({table['the mean of seven'][1]:.2f}), the median under L1 "
    f"({table['the median of seven'][0]:.2f}); both losses think the real take worst. Yet its contrast between bands, "
    f"{table['take 1, a real one'][2]:.2f}, has sunk to {table['the mean of seven'][2]:.2f} in the mean and "
    f"{table['the median of seven'][2]:.2f} in the median.",
)

# %% [markdown] lang="en"
# The median keeps some more edges, because it always takes the value of some take; but neighbouring places take it from
# different ones, so it is no voice either. Trained models look the same, and there is a name for it: *over-smoothing*.
# Note also what was *not* at fault: no noise, no weak network, only a question with several right answers.
#
# What does it sound like? The next cell goes back to sound with the Griffin–Lim method, which invents what the
# spectrogram left out (unit 11 builds it). To be fair, take 1 goes the same way. It needs none of your functions.

# %% tags=["demo"]
def spectrum(waveform):
    """(samples,) → (513, frames), magnitudes."""
    return torch.stft(waveform, 1024, 160, 640, torch.hann_window(640), return_complex=True).abs()


def to_sound(magnitude):
    """(513, frames) → (samples,)"""
    window = torch.hann_window(640)
    return torchaudio.functional.griffinlim(magnitude, window, 1024, 160, 640, 1.0, 32, 0.99, None, False)


spectra = torch.stack([spectrum(phrase) for phrase in phrases])
blurred = (spectra + 1e-4).log().mean(0).exp()
for magnitude, caption in ((spectra[0], "take 1, there and back"), (blurred, "the mean of the seven log spectra")):
    sound = to_sound(magnitude)
    play(0.5 * sound / sound.abs().max(), caption)

# %% [markdown] lang="en"
# Compare two things: the tone of the vowels, whose stripes are washed out in the mean, and the [t], whose gap is
# filled up. Nobody ever spoke like that. It is the sound of a model that hedges.
#
# There are three ways out. Tell the model *more* than the text, so that fewer answers are right: durations, pitch,
# energy (FastSpeech 2, section 7.9). Let it write one piece after the other, each knowing those before (Tacotron 2). Or
# change the loss, so that a blur is no longer the best answer.
#
# ## 7.7 A loss that is learned: GAN
#
# In a **generative adversarial network** (GAN) two networks train against each other. The **generator** makes speech.
# The **discriminator** sees now a real recording, now the generator's work, and gives scores: it wants to say 1 to what
# is real, and 0 to what is a **fake**. The generator wants its fakes to get a 1. Nobody has to say in a formula what
# makes speech sharp; the discriminator finds out what gives fakes away, and a blur gives them away at once.
#
# HiFi-GAN, the best-known neural **vocoder** (a network that turns a mel spectrogram into a waveform; unit 11), uses
# eight discriminators at once, and the *least-squares* form of the two losses. A discriminator $k$ does not give one score but a map of scores, one for each stretch of sound, written
# $\text{real}_k$ and $\text{fake}_k$:
#
# $$L_D = \sum_k \Big[\operatorname{mean}\big((1-\text{real}_k)^2\big) +
#   \operatorname{mean}\big(\text{fake}_k^2\big)\Big]
#   \qquad L_G = \sum_k \operatorname{mean}\big((1-\text{fake}_k)^2\big)$$
#
# By hand, one discriminator, with scores $(1, 0.5)$ for real sound and $(0, 1)$ for a fake:
# $L_D = (0 + 0.25)/2 + (0 + 1)/2 = 0.625$, and $L_G = (1 + 0)/2 = 0.5$.
#
# ### Exercise 7.8 · The discriminator's loss · ★★☆ · 8 min · 2 points
#
# Write $L_D$. `real` and `fake` are lists with one score map for each discriminator.
#
# - The maps have different sizes. Each is averaged by itself; the results are **summed**. There may be more fakes than
#   real recordings.
# - Gradients flow to every tensor in both lists. While the discriminator trains, the generator must stay as it is; but
#   that is the caller's business, who detaches the generated *sound* before it enters the discriminator. If you
#   detached the scores here, the discriminator would learn nothing from fakes.
#
# <details><summary>Hint 1: a loop</summary>
#
# `for r, f in zip(real, fake):` walks through both lists together. Add up as you go.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# One turn of the loop adds `(1 - r).square().mean()` and `f.square().mean()`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "discriminator_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def discriminator_loss(real: list[torch.Tensor], fake: list[torch.Tensor]) -> torch.Tensor:
    """The least-squares loss of HiFi-GAN's discriminators: 1 for real, 0 for fake.

    Args:
        real: one score map a discriminator, for real recordings; maps of any shape.
        fake: one score map a discriminator, for generated ones.

    Returns:
        One number, `()`: summed over discriminators, averaged within each map.
    """
    ### BEGIN SOLUTION
    return sum((1 - r).square().mean() + f.square().mean() for r, f in zip(real, fake, strict=True))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_discriminator_loss", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(discriminator_loss)
print(discriminator_loss([torch.tensor([1.0, 0.5])], [torch.tensor([0.0, 1.0])]), "expected: 0.125 + 0.5 = 0.625")
print(discriminator_loss([torch.ones(3), torch.zeros(2)], [torch.zeros(3), torch.zeros(2)]), "expected: 0 + 1 = 1")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(discriminator_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ### Exercise 7.9 · The generator's loss · ★☆☆ · 4 min · 1 point
#
# Write $L_G$. A score above 1 is as wrong as one below.
#
# <details><summary>Hint 1: who wants what</summary>
#
# The generator wants every score of its fakes to be 1.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# The first half of your discriminator loss, with `fake` in place of `real`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "generator_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def generator_loss(fake: list[torch.Tensor]) -> torch.Tensor:
    """The least-squares loss of HiFi-GAN's generator: its fakes should score 1.

    Args:
        fake: one score map a discriminator, for generated recordings; maps of any shape.

    Returns:
        One number, `()`: summed over discriminators, averaged within each map.
    """
    ### BEGIN SOLUTION
    return sum((1 - f).square().mean() for f in fake)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_generator_loss", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(generator_loss)
print(generator_loss([torch.tensor([0.0, 1.0])]), "expected: (1 + 0)/2 = 0.5")
print(generator_loss([torch.tensor([3.0]), torch.zeros(4)]), "expected: 4 + 1 = 5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(generator_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# First the smallest world in which the blur exists. There are two right answers, −1 (in 40 of 100 cases) and +1 (in
# 60), each with a little noise. A generator gets a random number, gives an answer, and is trained three times: with
# your L2 loss, your L1 loss, and your two GAN losses with a discriminator. **Predict** the three pictures: where will
# its answers lie?

# %% tags=["demo", "training"]
discriminator_loss = solved(discriminator_loss)
torch.set_num_threads(1)  # networks this small are faster on one core


def small_network():
    layers = nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
    return nn.Sequential(*layers)


def right_answers(n):
    """(n, 1): −1 or +1, with noise."""
    return torch.where(torch.rand(n, 1) < 0.6, 1.0, -1.0) + 0.1 * torch.randn(n, 1)


def train_small(kind, steps):
    torch.manual_seed(0)
    generator, critic = small_network(), small_network()
    for_generator = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.5, 0.9))
    for_critic = torch.optim.Adam(critic.parameters(), 2e-3, betas=(0.5, 0.9))
    for _ in tqdm(range(steps), desc=kind, file=sys.stdout, mininterval=0.5):
        real, fake = right_answers(64), generator(torch.randn(64, 1))
        if kind == "GAN":
            for_critic.zero_grad()
            discriminator_loss([critic(real)], [critic(fake.detach())]).backward()  # the caller detaches
            for_critic.step()
        for_generator.zero_grad()
        if kind == "GAN":
            loss = generator_loss([critic(fake)])
        else:
            loss = mse_loss(fake, real) if kind == "L2" else l1_loss(fake, real)
        loss.backward()
        for_generator.step()
    return generator(torch.randn(2000, 1)).detach()[:, 0]


answers = {kind: train_small(kind, steps) for kind, steps in (("L2", 400), ("L1", 600), ("GAN", 900))}
figure, axes = plt.subplots(1, 3, figsize=(10.5, 2.8), sharex=True, layout="constrained")
for one, (kind, colour) in zip(axes, (("L2", "#0072B2"), ("L1", "#D55E00"), ("GAN", "#009E73")), strict=True):
    bins = torch.linspace(-1.8, 1.8, 61).tolist()
    one.hist(right_answers(2000)[:, 0].tolist(), bins, density=True, color="#BBBBBB", label="right answers")
    one.hist(answers[kind].tolist(), bins, density=True, color=colour, alpha=0.7, label="the generator's")
    one.set(title=f"trained with {kind}", xlabel="answer", ylim=(0, 4))
axes[0].set_ylabel("density (cut off at 4)")
axes[0].legend(fontsize=8)
near = {kind: ((x.abs() - 1).abs() < 0.3).float().mean().item() for kind, x in answers.items()}
upper = {kind: (x > 0).float().mean().item() for kind, x in answers.items()}
show(
    figure,
    f"L2 answers {answers['L2'].mean():.2f} whatever comes in, L1 {answers['L1'].mean():.2f}, near the majority's answer; "
    f"{near['GAN']:.0%} of the GAN's answers lie near −1 or +1, {upper['GAN']:.0%} are above 0.",
)

# %% [markdown] lang="en"
# - **L2** answers with the mean, about 0.2, where no right answer lies. The random number is ignored.
# - **L1** answers with the median, always. That is here an answer of the majority, though a low one, about 0.9: 40 of
#   100 right answers lie far below, so the one in the middle is among the lowest of the 60 around +1. Where answers are
#   many and no majority exists, as in a spectrogram, the median is a blur too.
# - **GAN** answers sometimes −1 and sometimes +1. Nearly all of its answers are *possible* ones; a few lie on the way
#   between. Look at the share, though: nothing forces it to be 60 of 100, and a GAN may even forget one of the answers
#   altogether (*mode collapse*).
#
# ### The same blurry mel, judged by a discriminator
#
# Now on speech. A small convolutional network sees patches of mel spectrograms, 0.48 s long: real ones from 22 other
# prompts, and fakes that we blur on purpose by averaging five shifted copies, as L2 would. It never sees our seven
# takes. It learns with your discriminator loss for some seconds.

# %% tags=["demo"]
OTHERS = [
    "auth-incorrect", "conf-getchannel", "demo-nomatch", "dir-usingkeypad", "pbx-invalid", "pm-invalid-option",
    "priv-callpending", "priv-introsaved", "privacy-unident", "queue-periodic-announce", "queue-youarenext",
    "ss-noservice", "vm-instructions", "vm-intro", "vm-invalid-password", "vm-mailboxfull", "vm-newuser", "vm-nobox",
    "vm-opts", "vm-rec-name", "vm-review", "vm-tempgreeting2",
]
others = [log_mel(load_clip(name)) for name in OTHERS]
centre, width = torch.cat(others, 1).mean(), torch.cat(others, 1).std()


def patches(n, frames):
    """(n, 80, frames) of the other prompts, drawn at random."""
    chosen = []
    for _ in range(n):
        mel = others[torch.randint(len(others), ()).item()]
        start = torch.randint(mel.shape[1] - frames, ()).item()
        chosen.append(mel[:, start : start + frames])
    return torch.stack(chosen)


class PatchDiscriminator(nn.Module):
    """(B, 80, frames) → a map of scores, and the maps of the layers before it."""

    def __init__(self):
        super().__init__()
        first, second = nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.Conv2d(16, 32, 5, stride=2, padding=2)
        self.hidden = nn.ModuleList([first, second, nn.Conv2d(32, 32, 3, padding=1)])
        self.last = nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, mel):
        x, maps = ((mel - centre) / width)[:, None], []
        for layer in self.hidden:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            maps.append(x)
        return self.last(x), maps


torch.manual_seed(0)
judge = PatchDiscriminator()
weights = sum(weight.numel() for weight in judge.parameters())
print(f"{sum(mel.shape[1] for mel in others) / 100:.0f} s of speech, {weights} weights")

# %% tags=["demo", "training"]
torch.manual_seed(0)
optimizer = torch.optim.Adam(judge.parameters(), 2e-3)
slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, 200)
for _ in tqdm(range(200), desc="discriminator", file=sys.stdout, mininterval=0.5):
    real, wide = patches(8, 48), patches(8, 56)
    shifts = torch.randint(9, (5,)).tolist()
    fake = torch.stack([wide[:, :, shift : shift + 48] for shift in shifts]).mean(0)
    optimizer.zero_grad()
    loss = discriminator_loss([judge(real)[0]], [judge(fake)[0]])
    loss.backward()
    optimizer.step()
    slower.step()
print(f"its loss on the last batch: {loss:.2f}; a judge that always says 0.5 has 0.5")

# %% [markdown] lang="en"
# **Predict:** four spectrograms, all new to the discriminator: take 1, the mean, the median, and a real recording of
# *other words*. Order them by your L1 loss against the seven takes, and then by your generator loss.

# %% tags=["demo"]
other_words = log_mel(load_clip("vm-goodbye"))[:, 5:77]
judged = {
    "take 1": takes[0], "the mean": takes.mean(0), "the median": takes.median(0).values, "other words": other_words
}
rows = {}
for name, mel in judged.items():
    with torch.no_grad():
        against = mel.expand_as(takes)
        losses = l1_loss(against, takes), mse_loss(against, takes), generator_loss([judge(mel[None])[0]])
        rows[name] = [loss.item() for loss in losses]
    print(f"{name:12} L1 {rows[name][0]:.2f}   L2 {rows[name][1]:.2f}   adversarial {rows[name][2]:.2f}")
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3), layout="constrained")
colours = ["#009E73", "#0072B2", "#D55E00", "#CC79A7"]
for i, title in enumerate(("L1 loss", "L2 loss", "adversarial loss")):
    axes[i].barh(list(rows), [row[i] for row in rows.values()], color=colours)
    axes[i].invert_yaxis()
    axes[i].set(title=title, xlabel="loss (lower is better)")
show(
    figure,
    f"L1 and L2 prefer the blurred mean and median to a real take; the adversarial loss is {rows['the mean'][2]:.2f} "
    f"for the mean, {rows['take 1'][2]:.2f} for the real take, and only {rows['other words'][2]:.2f} for other words.",
)

# %% [markdown] lang="en"
# The order turns round: under L1 and L2 the blur is the best answer and the real take worse; to the discriminator the
# blur is suspicious and the real take is not. That is what a GAN loss adds: **it asks whether an answer could be real,
# not whether it is near the truth on average.**
#
# And this is what it does *not* do. The last bar: another text altogether, spoken by a real person, is fine with the
# discriminator. Alone, an adversarial loss would let a synthesiser say anything, as long as it sounds real. So nobody
# uses it alone. HiFi-GAN's generator minimises
#
# $$L_G + 2 \cdot (\text{feature matching}) + 45 \cdot (\text{L1 loss of the mel}),$$
#
# the last term to stay with the text, the first to be sharp.
#
# ## 7.8 Feature matching
#
# The middle term uses the discriminator in another way: as an *ear*. Its inner layers have learned what matters for
# telling real from fake. So show it the real recording and the fake of the *same* text, and compare not the sounds but
# what its layers make of them. With a map for each layer $i$ of each discriminator $k$:
#
# $$L_{FM} = 2\sum_k\sum_i \operatorname{mean}\,\lvert \text{real}_{k,i} - \text{fake}_{k,i}\rvert$$
#
# The 2 is the one of the sum above, already built in, as in HiFi-GAN's code. With your function the generator's total is
# $L_G + L_{FM} + 45 \cdot (\text{L1 loss of the mel})$: do not double it again.
#
# ### Exercise 7.10 · Feature matching · ★★☆ · 8 min · 2 points
#
# Write it, the factor 2 included. `real` and `fake` are lists of lists: `real[k][i]` is the map of layer `i` of
# discriminator `k`. Discriminators may have different numbers of layers, and maps different sizes; each map is averaged
# by itself. Nothing is detached.
#
# <details><summary>Hint 1: two loops</summary>
#
# The outer one goes through discriminators, the inner one through the maps of that discriminator.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Inside both loops: `total = total + (r - f).abs().mean()`. After them: `2 * total`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "feature_matching_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def feature_matching_loss(real: list[list[torch.Tensor]], fake: list[list[torch.Tensor]]) -> torch.Tensor:
    """The distance of a fake from its original in the eyes of the discriminators' layers, as in HiFi-GAN.

    Args:
        real: `real[k][i]` is the map of layer i of discriminator k for the recording; any shapes.
        fake: the same for the generated one.

    Returns:
        One number, `()`: twice the sum, over every map, of the mean absolute difference.
    """
    ### BEGIN SOLUTION
    total = 0.0
    for real_maps, fake_maps in zip(real, fake, strict=True):
        for r, f in zip(real_maps, fake_maps, strict=True):
            total = total + (r - f).abs().mean()
    return 2 * total
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_feature_matching_loss", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(feature_matching_loss)
print(feature_matching_loss([[torch.tensor([1.0, 2.0])]], [[torch.tensor([0.0, 4.0])]]), "expected: 2·(1 + 2)/2 = 3")
three_maps = [[torch.ones(2), torch.ones(3)], [torch.ones(4)]]
print(feature_matching_loss(three_maps, [[torch.zeros(2), torch.ones(3)], [torch.zeros(4)]]), "expected: 2·(1+0+1) = 4")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(feature_matching_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Take 1 is the ground truth. **Predict** the order of three answers in the ears of the discriminator's layers: the
# mean; the other words that it was happy with a moment ago; and take 2, which is as right as take 1.
#
# Then a warning, in a picture. We take the mean, freeze the discriminator, and move the *picture itself* down the
# generator loss, 40 steps. The loss nearly vanishes. Does speech come out?

# %% tags=["demo"]
generator_loss = solved(generator_loss)
with torch.no_grad():
    maps_of_take = judge(takes[:1])[1]
    goodbye = log_mel(load_clip("vm-goodbye"))[:, 5:77]
    for name, mel in (("the mean", takes.mean(0)), ("take 2", takes[1]), ("other words", goodbye)):
        print(f"feature matching, {name:11}: {feature_matching_loss([maps_of_take], [judge(mel[None])[1]]):.2f}")

pushed = takes.mean(0).clone().requires_grad_()
optimizer = torch.optim.Adam([pushed], 0.05)
history = []
for _ in range(40):
    optimizer.zero_grad()
    loss = generator_loss([judge(pushed[None])[0]])
    history.append(loss.item())
    loss.backward()
    optimizer.step()
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True, layout="constrained")
draw_mel(axes[0], takes.mean(0), f"the mean\nadversarial loss {history[0]:.2f}")
draw_mel(axes[1], pushed.detach(), f"pushed against a frozen judge\nadversarial loss {history[-1]:.2f}")
picture = draw_mel(axes[2], takes[0], "take 1, for comparison")
figure.colorbar(picture, ax=axes, label="ln amplitude")
distances = [(takes - mel).abs().mean().item() for mel in (takes.mean(0), pushed.detach())]
show(
    figure,
    f"40 steps bring the adversarial loss from {history[0]:.2f} to {history[-1]:.2f}, but the picture gains a fine "
    f"grain and no speech: its L1 distance from the takes grows from {distances[0]:.2f} to {distances[1]:.2f}.",
)

# %% [markdown] lang="en"
# Other words are furthest: feature matching, unlike the adversarial loss, minds what is said. But take 2 is no nearer
# than the mean. Like L1 and L2, feature matching compares with *one* recording, place by place; only in a better space.
#
# And in the picture the discriminator is fooled, we are not. It knew how a *blur* looks, and any grain will do to look
# unblurred. That is why the two must take turns: as soon as the generator finds a trick, the discriminator sees it and
# learns. A GAN loss is not a measure of quality, only an opponent of today's strength. It can swing, and a falling
# generator loss may mean a tired discriminator. Judge such models by ear, and by the metrics of unit 12.
#
# This is a good place for a break. The rest of the unit is about other losses and needs no GAN. (If the kernel has been
# stopped when you come back, run the cells above once more.)
#
# ## 7.9 Ground truth, and who made it
#
# | task | ground truth | who made it |
# |---|---|---|
# | speech recognition | the text that was said: "hello" | people who listened |
# | speech synthesis | the mel spectrogram of a recording of the text 사랑해 (*sa-rang-hae*, "I love you") | a microphone and a formula |
# | durations | how long each sound lasts | another program: *forced alignment* |
# | pitch, energy | F0 (the voice's frequency) and energy of each frame | a formula that sometimes errs |
# | vocoder (GAN) | the recorded waveform | a microphone |
#
# A loss is always `loss(prediction, GT)`. A metric (unit 12) compares with a GT as well: CER and WER count wrong
# characters and words, MCD measures how far two spectra lie apart. The GT is the model's only idea of right. It is not
# the truth: it is what somebody or some program wrote down.
#
# **Forced alignment** is told the words and finds *when* each sound was said. Suppose it says for 사랑해: 사 (*sa*) from
# 0.00 to 0.12 s, 랑 (*rang*) to 0.38, 해 (*hae*) to 0.60. Then the durations are $(0.12, 0.26, 0.22)$ s, or $(12, 26, 22)$ frames of 10 ms.
# Such numbers are the ground truth from which FastSpeech 2 learns how long each sound lasts.
#
# And here is a real word. The numbers below were found by the aligner of PocketSphinx, a free recogniser, in a
# recording of this course, in frames of 10 ms; you will write an aligner yourself in unit 09. **Predict:** which of the
# five sounds of "goodbye" is the longest? (The sounds are written in ARPAbet, two letters of ASCII for a phoneme: G, then
# UH as in *book*, D, B, and AY as in *buy*.)

# %% tags=["demo"]
ALIGNED = {  # sound: frames of 10 ms; forced alignment by PocketSphinx 5.1.1, sounds in its ARPAbet letters
    "goodbye": [("–", 15), ("G", 8), ("UH", 9), ("D", 9), ("B", 6), ("AY", 38), ("–", 8)],
    "vm-goodbye": [("G", 19), ("UH", 7), ("D", 7), ("B", 12), ("AY", 41)],
}


def draw_alignment(axes, name):
    """A word's mel spectrogram with the borders between its sounds."""
    picture = draw_mel(axes, log_mel(load_clip(name)), "")
    end = 0
    for sound, frames in ALIGNED[name]:
        axes.text((end + frames / 2) / 100, 81.5, sound, ha="center", va="bottom")
        end += frames
        axes.axvline(end / 100, color="white", linestyle=":", linewidth=1)
    return picture


figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
picture = draw_alignment(axes, "goodbye")
axes.set_title("“goodbye” and the borders found by forced alignment (– is silence)", pad=22)
figure.colorbar(picture, label="ln amplitude")
show(figure, "Spectrogram of “goodbye”: [AY] is the longest sound, 38 frames or 0.38 s, [B] the shortest, 6 frames.")
clip = load_clip("goodbye")
play(clip, f"“{load_transcript('goodbye')}”")
play(clip[round(0.47 * 16_000) : round(0.85 * 16_000)], "the stretch that the aligner calls AY")

# %% [markdown] lang="en"
# ### A loss for durations
#
# FastSpeech 2 predicts the *logarithm* of each duration, and takes the squared error there:
#
# $$\text{loss} = \operatorname{mean}\Big(\big(\hat\ell - \ln(1 + d)\big)^2\Big) \quad\text{over real phonemes}$$
#
# The logarithm, because two frames too many are much for a [b] and nothing for a long vowel. The $1 +$, because a
# phoneme may get no frame at all, and $\ln 0$ is $-\infty$. By hand: the [B] has 6 frames, predicted is $\ln 9$, that
# is 8 frames: $(\ln 9 - \ln 7)^2 = 0.251^2 = 0.063$. The [AY] has 38, predicted is $\ln 41$, that is 40:
# $(\ln 41 - \ln 39)^2 = 0.050^2 = 0.0025$.
#
# ### Exercise 7.11 · Duration loss · ★★☆ · 10 min · 2 points
#
# Write it. Words in a batch have different numbers of phonemes; `mask` is True at real ones, and may have holes.
#
# - As before, what stands at masked places may be anything: a prediction of NaN, a duration of −1. Neither the value
#   nor the gradient may notice. A NaN at a real phoneme makes the loss NaN.
# - `durations` are integers, whose logarithm PyTorch gives in float32. The result has the dtype of `log_durations`, be it
#   float16, float32 or float64; so convert *before* you take the logarithm.
#
# <details><summary>Hint 1: the order of things</summary>
#
# Choose the real phonemes first, from both tensors. A square that met a NaN and is dropped later has done its damage:
# its gradient is 0 · NaN.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.log1p(d)` is ln(1 + d), and `durations[mask].to(log_durations.dtype)` are the durations of real phonemes in the
# right dtype. With `guess = log_durations[mask]` and the logarithms the mean squared error is one line.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "duration_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def duration_loss(log_durations: torch.Tensor, durations: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean squared error of predicted log durations, as in FastSpeech 2.

    Args:
        log_durations: predictions of ln(1 + frames), `(B, T)`.
        durations: true durations in frames, `(B, T)` int64, zero or more at real phonemes.
        mask: True at real phonemes, `(B, T)` bool; at least one is.

    Returns:
        One number, `()`: the mean over real phonemes.
    """
    ### BEGIN SOLUTION
    truth = torch.log1p(durations[mask].to(log_durations.dtype))
    return (log_durations[mask] - truth).square().mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_duration_loss", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(duration_loss)
guess = torch.tensor([[math.log(9), math.log(41), math.nan]])
print(duration_loss(guess, torch.tensor([[6, 38, -1]]), torch.tensor([[True, True, False]])), "expected: 0.0328")
print(duration_loss(torch.tensor([[2.0]]), torch.tensor([[0]]), torch.tensor([[True]])), "expected: (2 − ln 1)² = 4")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(duration_loss)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Suppose the model makes each sound of "goodbye" two frames, 20 ms, too long. **Predict** how the bars compare: which
# sounds complain most in frames, and which in logarithms?

# %% tags=["demo"]
sounds, true_frames = zip(*ALIGNED["goodbye"][1:-1], strict=True)
true_frames = torch.tensor([true_frames])  # (1, 5)
too_long = torch.log1p(true_frames + 2.0)
everything = torch.ones(1, 5, dtype=torch.bool)
alone = [duration_loss(too_long, true_frames, torch.arange(5)[None] == i).item() for i in range(5)]
total = duration_loss(too_long, true_frames, everything)
figure, pair = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
labels = [f"{sound}\n{frames} frames" for sound, frames in zip(sounds, true_frames[0].tolist(), strict=True)]
pair[0].bar(labels, [4.0] * 5, color="#0072B2")
pair[0].set(title="squared error in frames", ylabel="frames²")
pair[1].bar(labels, alone, color="#009E73")
pair[1].set(title=f"squared error in logarithms, mean {total:.4f}", ylabel="(ln frames)²")
show(
    figure,
    f"In frames all five errors are equal; in logarithms the error of [B], {alone[3]:.3f}, weighs "
    f"{alone[3] / alone[4]:.0f} times as much as that of [AY], {alone[4]:.4f}.",
)

# %% [markdown] lang="en"
# ## 7.10 When the answer is a choice: cross-entropy
#
# So far the answers were amounts. A recogniser's answer is a choice: this character, this token, this phoneme out of
# $C$. The model gives a score for each class, a **logit**; the softmax (unit 02) turns them into probabilities. The
# loss is minus the logarithm of the probability that the *right* class got:
#
# $$\text{loss} = -\ln p_\text{right} = \ln\Big(\sum_c e^{z_c}\Big) - z_\text{right}$$
#
# By hand: logits $(0, \ln 3)$ give probabilities ¼ and ¾. If class 1 is right, the loss is $-\ln\tfrac34 = 0.288$; if
# class 0 is right, $-\ln\tfrac14 = 1.386$. A model that knows nothing and gives every class the same has $\ln C$.
#
# Why not the L2 loss of the probabilities? Because it gives up on the hopeless. Where the model is sure and wrong, the
# softmax is flat, and the L2 loss has no slope left. The slope of cross-entropy, $p_c - 1$ for the right class and
# $p_c$ for the others, is steepest exactly there. The next cell shows it with PyTorch's own functions; a model moves
# *against* the slope, so the picture shows the slope with its sign turned round.

# %% tags=["demo"]
z = torch.linspace(-10, 10, 201, requires_grad=True)  # the right class's logit; the other one's is 0
p = torch.sigmoid(z)  # what the softmax gives for two classes
slopes = {}
for name, loss in (("cross-entropy", -torch.nn.functional.logsigmoid(z)), ("L2 of the probability", (1 - p).square())):
    slopes[name] = torch.autograd.grad(loss.sum(), z, retain_graph=True)[0]
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for (name, slope), colour in zip(slopes.items(), ("#0072B2", "#D55E00"), strict=True):
    axes.plot(z.detach(), -slope, color=colour, label=name)
axes.set(title="How hard each loss pushes the right class's logit up", ylabel="push (minus the slope)")
axes.set_xlabel("logit of the right class minus that of the wrong one")
axes.legend()
show(
    figure,
    f"Where the model is sure and wrong (−10), cross-entropy pushes up with {-slopes['cross-entropy'][0]:.2f}, the L2 "
    f"loss of the probability with {-slopes['L2 of the probability'][0]:.5f}.",
)

# %% [markdown] lang="en"
# ### Exercise 7.12 · Cross-entropy · ★★★ · 15 min · 3 points
#
# Write the mean of $-\ln p_\text{right}$ over the rows.
#
# - **Any size.** Logits may be thousands, and the right class may be hopelessly behind: its probability is then too
#   small for a float32, but the logarithm of it is an ordinary number.
# - **Some rows do not count.** Rows whose target equals `ignore_index` are left out, of the sum and of the mean.
#   `ignore_index` may be any number: −100, or a class of its own such as the id of padding. At least one row is kept.
#
# <details><summary>Hint 1: stay with logarithms</summary>
#
# Do not compute $p$ and then its logarithm. Subtract each row's largest logit, $z - \max z$, which changes no
# probability; then $\ln p = z - \ln\sum e^z$ is safe, because the sum is at least 1.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `kept = targets != ignore_index`, then `logits[kept]` and `targets[kept]`. `torch.log_softmax(rows, dim=1)` gives all
# $\ln p_c$; `.gather(1, right[:, None])` picks one from each row.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "cross_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """The mean of −ln p(right class) over the rows that count.

    Args:
        logits: scores of any size, `(N, C)`.
        targets: the right class of each row, `(N,)` int64, or `ignore_index`.
        ignore_index: rows with this target are left out; at least one row is kept.

    Returns:
        One number, `()`.
    """
    ### BEGIN SOLUTION
    kept = targets != ignore_index
    rows, right = logits[kept], targets[kept]
    shifted = rows - rows.amax(1, keepdim=True)
    log_probabilities = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -log_probabilities.gather(1, right[:, None]).mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_cross_entropy", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(cross_entropy)
print(cross_entropy(torch.tensor([[0.0, math.log(3)]]), torch.tensor([1])), "expected: −ln ¾ = 0.2877")
print(cross_entropy(torch.tensor([[0.0, 1000.0]]), torch.tensor([0])), "expected: 1000, not inf")
print(cross_entropy(torch.zeros(3, 4), torch.tensor([2, -100, 0])), "expected: ln 4 = 1.3863, over two rows")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(cross_entropy)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# A last experiment puts the pieces together. The aligned "goodbye" has 93 frames, each with the name of a sound: six
# classes, silence included. One linear layer learns from your cross-entropy which frame is what. Frames next to a
# border are given the target −100 and left out: there the aligner may be off by a frame.
#
# Then the layer hears *another* recording of "goodbye", which was aligned too. **Predict:** will it agree with the
# aligner there? Look at the very beginning.

# %% tags=["demo"]
classes = ["–", "G", "UH", "D", "B", "AY"]


def frames_and_targets(name):
    """A word as (frames, 80) and the class of each frame."""
    targets = torch.tensor([classes.index(sound) for sound, count in ALIGNED[name] for _ in range(count)])
    return (log_mel(load_clip(name)).T - centre) / width, targets


frames, targets = frames_and_targets("goodbye")
border = targets[1:] != targets[:-1]
near_border = torch.cat([border, border.new_zeros(1)]) | torch.cat([border.new_zeros(1), border])
trusted = targets.masked_fill(near_border, -100)
torch.manual_seed(0)
layer = nn.Linear(80, 6)
nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)  # so that it starts by knowing nothing
optimizer = torch.optim.Adam(layer.parameters(), 0.02)
losses = []
for _ in range(150):
    optimizer.zero_grad()
    loss = cross_entropy(layer(frames), trusted)
    losses.append(loss.item())
    loss.backward()
    optimizer.step()
print(f"loss before training {losses[0]:.3f} = ln 6 = {math.log(6):.3f}; after 150 steps {losses[-1]:.3f}")
print(f"frames that count: {(trusted != -100).sum()} of {len(trusted)}")

new_frames, new_targets = frames_and_targets("vm-goodbye")
with torch.no_grad():
    probabilities = layer(new_frames).softmax(1).T  # (6, frames)
best = probabilities.argmax(0)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
picture = draw_alignment(top, "vm-goodbye")
top.set_title("another “goodbye”, with the aligner's borders", pad=22)
top.set_xlabel("")
figure.colorbar(picture, ax=top, label="ln amplitude")
image = bottom.imshow(
    probabilities, aspect="auto", cmap="viridis", vmin=0, vmax=1, extent=(0, len(new_frames) / 100, 5.5, -0.5)
)
bottom.set(title="what the linear layer hears", xlabel="time (s)", yticks=range(6), yticklabels=classes)
figure.colorbar(image, ax=bottom, label="probability")
agree = (best == new_targets).float()
silent_start = (best[:19] == 0).sum().item()
show(
    figure,
    f"The layer agrees with the aligner in {agree.mean():.0%} of all frames. In the first 19, which the aligner calls "
    f"G, it hears silence {silent_start} times.",
)

# %% [markdown] lang="en"
# The layer has heard a single word, and one linear layer is no recogniser. But look at the two pictures together.
#
# - The first seven frames of the spectrogram are dark. The aligner had no silence to put there, and called them G.
#   **The ground truth is wrong there**, and a model that says "silence" is punished for being right.
# - The next ones, up to about 0.15 s, hold a low hum: her voice while the mouth is still closed for the [G]. The layer
#   calls most of that silence. It learned so: in the *first* recording the aligner had counted the same hum, from 0.07
#   to 0.15 s, as silence. Look at that picture again.
#
# One error of the ground truth was marked down, the other was learned. No loss can tell you. When a loss will not fall
# any further, look at your ground truth, and listen to it.
#
# ## All losses on one page
#
# | loss | what it asks | what it likes | where |
# |---|---|---|---|
# | L1 | how far off, on average? | the median | mel in FastSpeech 2 and in HiFi-GAN |
# | L2, MSE | how far off, large errors first? | the mean | mel in Tacotron 2; pitch and energy in FastSpeech 2 |
# | adversarial | could it be real? | any possible answer | HiFi-GAN, VITS |
# | feature matching | do the judge's layers hear the same? | the recording itself | HiFi-GAN, VITS |
# | duration | how far off, in proportion? | the mean of the logarithms | FastSpeech 2 |
# | cross-entropy | how likely was the right token? | true probabilities | Whisper, GPT, BERT |
# | CTC | how likely was the text, over all alignments? | (unit 09) | wav2vec 2.0's fine-tuning |
#
# ## What just happened
#
# - A norm is a length, a loss is an average, and "L2" may mean four numbers: 1.5, 2.25, 0.75 and 0.866 for one and the
#   same error. **The mistake most people make** is in the denominator: a mean over padding, a mean of means, a sum. It
#   raises no error and still trains, to something else.
# - L2 weighs large errors most and wants the mean; L1 pushes all errors alike and wants the median. Where several
#   answers are right, both want a blur.
# - A discriminator asks whether an answer could be real. It adds sharpness and knows nothing of the text; so it never
#   works alone.
# - A ground truth is what somebody wrote down. Alignments err; your loss believes them.
# - **Where you meet it:** [Whisper](https://arxiv.org/abs/2212.04356) (2022) is trained with your `cross_entropy` on
#   tokens, not with CTC; [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020) is pretrained with a cross-entropy over
#   one right and many wrong candidates; [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020) with your
#   `masked_l1_loss` and `duration_loss`; [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020) with all three of your GAN
#   losses, after [*Least Squares Generative Adversarial Networks*](https://arxiv.org/abs/1611.04076) (2016).
#
# Next: [unit 08](../08_optimizers/08_optimizers.ipynb). The slope says which way is down. How far do you step?

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("07_norms_losses")
