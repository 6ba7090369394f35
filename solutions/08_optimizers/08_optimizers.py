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
# # 8 · Optimizers
#
# The gradient says which way is down. Here you write the rules that decide how far to go, from plain steps to AdamW,
# and watch them train the same small model on real speech: some arrive, some crawl, some fall off a cliff.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 90 minutes · 25 s of CPU · after unit 07; needed are gradients and the L2 loss
#
# **You will be able to**
#
# 1. write SGD with momentum, Adam and AdamW, and work their first steps out with a pencil;
# 2. show that AdamW is *not* Adam with L2 regularisation, and say after which step the two part;
# 3. rescue a training that explodes, with gradient clipping and with a learning rate that warms up.

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
from torch.nn import functional
from tqdm import tqdm

torch.set_num_threads(1)  # what is computed here is small: a second thread would only get in the way

# %% [markdown] lang="en"
# ## 8.1 What a telephone leaves out
#
# The old telephone network carried nothing above 3.4 kHz. Listen to what that does to an [s]. Can one guess from the
# lower part what the upper part was?

# %% tags=["demo"]
CUT = 58  # mel bands 0 … 57 lie below 3.4 kHz, bands 58 … 79 above
mel_amplitude = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=1024, win_length=640, hop_length=160, n_mels=80, power=1.0, mel_scale="slaney", norm="slaney"
)
filters = mel_amplitude.mel_scale.fb  # (513, 80)
upper = torch.arange(513) * 16_000 / 1024 > 3_437  # the frequencies, 15.6 Hz apart, that the telephone drops
frame_options = {"n_fft": 1024, "hop_length": 160, "win_length": 640, "window": torch.hann_window(640)}


def log_mel(waveform):
    """(samples,) → (frames, 80): the natural logarithm of the strength of 80 bands, 100 frames a second."""
    return (mel_amplitude(waveform) + 1e-4).log()[:, : len(waveform) // 160].T


def with_upper_bands(waveform, high=None):
    """The waveform without what lies above 3.4 kHz, or with hiss there, as strong as `high` (frames, 22) says."""
    spectrum = torch.stft(waveform, **frame_options, return_complex=True)[:, : len(waveform) // 160]
    spectrum[upper] = 0
    if high is not None:
        bands = filters[:, CUT:]
        strength = bands @ (high.exp().T / bands.sum(0)[:, None]) / bands.sum(1, keepdim=True).clamp_min(1e-9)
        torch.manual_seed(0)
        spectrum[upper] = torch.polar(strength[upper], 2 * math.pi * torch.rand(strength[upper].shape))
    return torch.istft(spectrum, **frame_options)


NEW = "auth-incorrect"
new_clip = load_clip(NEW)
play(with_upper_bands(new_clip), "nothing above 3.4 kHz")
play(new_clip, f"as recorded: “{load_transcript(NEW)}”")
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
image = axes.imshow(
    log_mel(new_clip).T, origin="lower", aspect="auto", cmap="magma", extent=(0, len(new_clip) / 16_000, 0, 80)
)
axes.axhline(CUT, color="white", linestyle="--")
axes.set(title="What a telephone leaves out: the part above the dashed line", xlabel="time (s)", ylabel="mel band")
figure.colorbar(image, label="ln amplitude")
show(figure, "Mel spectrogram of the clip. Above the dashed line, at 3.4 kHz, lie 22 of 80 bands and much of each [s].")

# %% [markdown] lang="en"
# A small network shall guess. For each frame it gets the logarithms of the 58 lower bands and answers with those of the
# 22 upper ones: a *mel regressor*, a regressor being a model that answers with amounts. It has two linear layers with a
# GELU between them, and its loss is the mean squared error of unit 07. It learns from two other recordings of the same
# voice; the clip that you heard is kept for the test.

# %% tags=["demo"]
training = torch.cat([log_mel(load_clip(name)) for name in ("agent-alreadyon", "queue-periodic-announce")])
low, high = training[:, :CUT], training[:, CUT:]  # (frames, 58) and (frames, 22)
new_low, new_high = log_mel(new_clip)[:, :CUT], log_mel(new_clip)[:, CUT:]


def first_weights(seed=0):
    """The network before training: two linear layers, 58 → 64 → 22."""
    torch.manual_seed(seed)
    one, two = torch.nn.Linear(58, 64), torch.nn.Linear(64, 22)
    return [each.detach() for each in (one.weight, one.bias, two.weight, two.bias)]


def guess(weights, low):
    """(frames, 58) → (frames, 22)."""
    return functional.linear(functional.gelu(functional.linear(low, *weights[:2])), *weights[2:])


def regressor_loss(weights, low=low, high=high):
    """The mean squared error of the guess."""
    return (guess(weights, low) - high).square().mean()


print(f"{len(low)} frames to learn from, {len(new_low)} to test with")
print(f"{sum(weight.numel() for weight in first_weights())} weights")
always_mean = (high - high.mean(0)).square().mean().item()
print(f"loss before training {regressor_loss(first_weights()):.1f}")
print(f"loss of always answering with the mean of each band: {always_mean:.2f}")

# %% [markdown] lang="en"
# The last number is worth remembering: a model that does not listen at all, and gives each band's mean for every frame,
# has a loss of 1.77. Whoever ends there has learned nothing from the lower bands.
#
# ## 8.2 Downhill: SGD
#
# Think of the loss as a landscape: every setting of the weights is a place, the loss is its height. The gradient $g$
# points uphill, so we go the other way:
#
# $$w \leftarrow w - \eta\, g$$
#
# $\eta$ ("eta") is the **learning rate**, `lr`: how far to go for a slope of 1. When the gradient is computed from a
# few frames drawn at random, not from all, this is *stochastic* gradient descent, **SGD**.
#
# In a long narrow valley such steps go badly: they jump from one wall to the other, and along the floor they hardly
# advance. **Momentum** helps: let a ball roll. It has a velocity $u$ that remembers the slopes; those that agree add
# up, those that alternate cancel.
#
# $$u \leftarrow \mu\, u + g \qquad w \leftarrow w - \eta\, u$$
#
# By hand, with $w = 1$, $u = 0$, $\eta = 0.1$, $\mu = 0.9$, and a slope of 2 at both steps: first $u = 2$ and
# $w = 1 - 0.2 = 0.8$; then $u = 0.9 \cdot 2 + 2 = 3.8$ and $w = 0.8 - 0.38 = 0.42$. On a slope that stays the same the
# velocity grows towards $g / (1 - \mu)$, ten times the slope.

# %% [markdown] lang="en"
# ### Exercise 8.1 · SGD with momentum · ★☆☆ · 6 min · 1 point
#
# Write one step: return the new weights and the new velocity, in this order. The step uses the *new* velocity.
#
# - The tensors may have any shape, `()` included. What you are given stays as it was: no `-=`, no `.add_()`. Here and
#   in the next exercises, float64 stays float64, to its full precision.
# - `momentum` may be 0. The formula holds then too: the velocity is the gradient, whatever it was before.
# - At the first step the velocity is 0. Later the gradient may be 0: a ball that rolls keeps rolling.
# - In this exercise and the next two, try it with arithmetic alone. `torch.optim` has the finished ones, to compare
#   with.
#
# <details><summary>Hint 1: two lines</summary>
#
# One line for each arrow of the formula, velocity first.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Give the new velocity a name, `momentum * velocity + grad`; what comes off the weights is `lr` times that.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "sgd_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sgd_step(
    param: torch.Tensor, grad: torch.Tensor, velocity: torch.Tensor, lr: float, momentum: float = 0.9
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of gradient descent with momentum.

    Args:
        param: weights of any shape.
        grad: the gradient of the loss, in that shape.
        velocity: the velocity so far, in that shape; zeros before the first step.
        lr: the learning rate.
        momentum: the share of the velocity that stays; 0 for none.

    Returns:
        The new weights and the new velocity.
    """
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return param - lr * velocity, velocity
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_sgd_step", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(sgd_step)
once = sgd_step(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(0.0), lr=0.1)
print(once, "expected: 1 − 0.1 · 2 = 0.8, velocity 2")
print(sgd_step(once[0], torch.tensor(2.0), once[1], lr=0.1), "expected: 0.42, velocity 3.8")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(sgd_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# To *see* a landscape it must have two weights only. So here is the smallest mel regressor there is: it guesses one
# upper band $y$ from the band $x$ just below the cut, by $\hat y = a\,x + b$. The recording is real, the weights are
# $a$ and $b$, and the lines below join places of equal loss.
#
# Because $x$ is a logarithm, around −5 and never near 0, a change of $a$ and a change of $b$ do nearly the same: the
# landscape is a long valley, 400 times as steep across as along. **Predict:** which of the two is lower after 100
# steps, the one without momentum or the one with it? And which of them swings more from wall to wall?

# %% tags=["demo"]
x, y = training[:551, CUT - 1], training[:551, CUT + 7]  # band 57, up to 3.4 kHz, and band 65
columns = torch.stack([x, torch.ones_like(x)], 1)  # (frames, 2)


def line_loss(weights):
    """The mean squared error of a·x + b; weights holds one tensor [a, b]."""
    return (columns @ weights[0] - y).square().mean()


START = [torch.tensor([0.0, 2.0])]
BOTTOM = torch.linalg.lstsq(columns, y[:, None]).solution[:, 0]


def descend(weights, loss_of, rule, steps):
    """Follows `rule(weight, slope, memory, count)`; gives the weights and the loss before each step and at the end."""
    memories = [(torch.zeros_like(one), torch.zeros_like(one)) for one in weights]
    path, losses = [weights], []
    for count in range(1, steps + 1):
        leaves = [one.clone().requires_grad_() for one in weights]
        loss = loss_of(leaves)
        slopes = torch.autograd.grad(loss, leaves)
        moved = [rule(*each, count) for each in zip(weights, slopes, memories, strict=True)]
        weights, memories = [one for one, _ in moved], [memory for _, memory in moved]
        path.append(weights)
        losses.append(loss.item())
    return path, [*losses, loss_of(weights).item()]


def sgd_rule(lr, momentum=0.9):
    def rule(weight, slope, memory, count):
        weight, rolling = sgd_step(weight, slope, memory[0], lr, momentum)
        return weight, (rolling, rolling)

    return rule


def draw_valley(axes, paths, title):
    """The landscape of line_loss with paths on it, (name, colour, path) each."""
    a, b = torch.meshgrid(torch.linspace(-0.3, 2.7, 121), torch.linspace(-3, 3, 121), indexing="xy")
    heights = ((columns[:, 0, None, None] * a + b - y[:, None, None]) ** 2).mean(0)
    lines = axes.contour(a, b, heights, levels=[0.7, 1, 2, 4, 8, 16, 32, 64], cmap="Greys_r", linewidths=0.8)
    axes.clabel(lines, [4, 16, 64], fontsize=8)
    for name, colour, path in paths:
        places = torch.stack([one[0] for one in path])
        axes.plot(*places.T, ".-", color=colour, markersize=3, linewidth=1, label=name)
    axes.plot(*BOTTOM, "k*", markersize=11, label="lowest point")
    axes.set(title=title, xlabel="a", ylabel="b")
    axes.legend(loc="lower right", fontsize=8, framealpha=1)


plain = descend(START, line_loss, sgd_rule(0.028, momentum=0.0), 100)
rolling = descend(START, line_loss, sgd_rule(0.01), 100)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
two = [("no momentum, lr 0.028", "#D55E00", plain[0]), ("momentum 0.9, lr 0.01", "#0072B2", rolling[0])]
draw_valley(left, two, "100 steps on a real landscape")
right.semilogy(plain[1], color="#D55E00", label=two[0][0])
right.semilogy(rolling[1], color="#0072B2", label=two[1][0])
right.axhline(line_loss([BOTTOM]), color="black", linestyle=":", label="lowest point")
right.set(title="how high they are", xlabel="step", ylabel="loss (ln amplitude)²")
right.legend()
show(
    figure,
    f"After 100 steps the path without momentum is at loss {plain[1][-1]:.2f}, the one with momentum at "
    f"{rolling[1][-1]:.2f}; the lowest point has {line_loss([BOTTOM]):.2f}.",
)
curvature = torch.linalg.eigvalsh(2 * columns.T @ columns / len(x))
print(f"x lies between {x.min():.1f} and {x.max():.1f}, its mean is {x.mean():.1f}")
print(f"curvature across the valley {curvature[1]:.1f}, along it {curvature[0]:.3f}")
print(f"across it is {curvature[1] / curvature[0]:.0f} times as steep as along it")
print(f"without momentum, steps grow without end from lr = 2 / {curvature[1]:.1f} = {2 / curvature[1]:.3f} on")

# %% [markdown] lang="en"
# Without momentum the steepest direction sets the limit: beyond $2/66.6 = 0.030$ each jump lands higher than the last.
# With a learning rate that is safe across the valley, the way along it takes for ever. The rolling ball swings from
# wall to wall much longer, and yet it is lower in the end: along the floor, all slopes agree and add up.
#
# ## 8.3 A step size for each weight: Adam
#
# Momentum still has one learning rate for all weights. **Adam** gives each weight its own. It keeps two running means
# for every single weight: $m$ of the gradient (that is momentum, as a mean), and $v$ of its square (the idea of
# RMSProp).
#
# $$m \leftarrow \beta_1 m + (1-\beta_1)\, g \qquad v \leftarrow \beta_2 v + (1-\beta_2)\, g^2$$
#
# Both start at 0, so after one step $m$ holds only a tenth of the gradient and $v$ a thousandth of its square. The
# **bias correction** divides that out. $t$ is the number of the step, 1 at the first:
#
# $$\hat m = \frac{m}{1-\beta_1^{\,t}} \qquad \hat v = \frac{v}{1-\beta_2^{\,t}} \qquad
#   w \leftarrow w - \eta\,\frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$
#
# By hand: $w = 1$, $\eta = 0.1$, $g = 4$, the usual $\beta = (0.9, 0.999)$.
#
# | t | g | m | v | m̂ | v̂ | step | w |
# |---|---|---|---|---|---|---|---|
# | 1 | 4 | 0.4 | 0.016 | 0.4 / 0.1 = 4 | 0.016 / 0.001 = 16 | 0.1 · 4/4 = 0.1 | 0.9 |
# | 2 | −2 | 0.36 − 0.2 = 0.16 | 0.015984 + 0.004 = 0.019984 | 0.16 / 0.19 = 0.8421 | 0.019984 / 0.001999 = 9.997 | 0.1 · 0.8421/3.1618 = 0.0266 | 0.8734 |
#
# The first step is 0.1, the learning rate itself, and would be so for a gradient of 400 or of 0.004. Without the
# correction it would be $0.4/\sqrt{0.016} = 3.16$ times as long. The second step is short, because the gradients
# disagree.

# %% [markdown] lang="en"
# ### Exercise 8.2 · Adam · ★★☆ · 12 min · 3 points
#
# Write one step: return the new weights, the new $m$ and the new $v$, in this order.
#
# - `step` counts from 1. In a long training it reaches thousands; the correction has then almost gone.
# - What is handed on are $m$ and $v$ themselves, without the correction.
# - $\varepsilon$ is added *after* the root. It matters where a gradient is as small as `eps`, and where it has always
#   been exactly 0: such a weight stays where it is, and nothing becomes NaN.
# - Where only *this* gradient is 0, the weight still moves, by what $m$ remembers.
# - Each number of the tensor has its own $m$ and $v$. Any shape is allowed, `()` included.
# - `lr`, `betas` and `eps` may be others than the usual ones: HiFi-GAN takes $\beta = (0.8, 0.99)$.
#
# <details><summary>Hint 1: five lines</summary>
#
# The two means, the two corrected means under new names, and the step. `betas[1] ** step` is $\beta_2^t$.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# The last line divides `m / (1 - betas[0] ** step)` by `(v / (1 - betas[1] ** step)).sqrt() + eps`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "adam_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adam_step(
    param: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of Adam (Kingma and Ba, 2014).

    Args:
        param: weights of any shape.
        grad: the gradient of the loss, in that shape.
        m: the running mean of the gradients so far; zeros before the first step.
        v: the running mean of their squares; zeros before the first step.
        step: the number of this step, counted from 1.
        lr: the learning rate.
        betas: how much of m and of v stays.
        eps: added to the root.

    Returns:
        The new weights, the new m, the new v.
    """
    ### BEGIN SOLUTION
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad.square()
    m_hat = m / (1 - betas[0] ** step)
    v_hat = v / (1 - betas[1] ** step)
    return param - lr * m_hat / (v_hat.sqrt() + eps), m, v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_adam_step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(adam_step)
one, nothing = torch.tensor(1.0), torch.tensor(0.0)
first = adam_step(one, torch.tensor(4.0), nothing, nothing, step=1, lr=0.1)
print(first, "expected: 0.9, 0.4, 0.016")
print(adam_step(first[0], torch.tensor(-2.0), *first[1:], step=2, lr=0.1), "expected: 0.8734, 0.16, 0.019984")
print(adam_step(one, nothing, nothing, nothing, step=1, lr=0.1)[0], "expected: 1, not nan")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(adam_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# "Adam adjusts the learning rate by itself" is what one reads. What it adjusts is the step of each weight *relative to
# the others*; the learning rate is still yours. On the same valley, **predict** the first step of Adam: towards the
# floor, where it is steepest, or diagonally, as far in $a$ as in $b$? (The axes of the picture are scaled differently.)

# %% tags=["demo"]
sgd_step = solved(sgd_step)  # yours, or the library's while it is not written
def adam_rule(lr, l2=0.0):
    """Adam. With `l2`, the slope of a penalty, l2 · w, is added to the gradient."""

    def rule(weight, slope, memory, count):
        weight, *memory = adam_step(weight, slope + l2 * weight, *memory, count, lr)
        return weight, memory

    return rule


adam = descend(START, line_loss, adam_rule(0.2), 100)
rolling = descend(START, line_loss, sgd_rule(0.01), 100)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
two = [("SGD, momentum 0.9, lr 0.01", "#0072B2", rolling[0]), ("Adam, lr 0.2", "#009E73", adam[0])]
draw_valley(left, two, "100 steps on a real landscape")
right.semilogy(rolling[1], color="#0072B2", label=two[0][0])
right.semilogy(adam[1], color="#009E73", label=two[1][0])
right.axhline(line_loss([BOTTOM]), color="black", linestyle=":", label="lowest point")
right.set(title="how high they are", xlabel="step", ylabel="loss (ln amplitude)²")
right.legend()
first_move = (adam[0][1][0] - START[0]).tolist()
show(
    figure,
    f"Adam's first step is ({first_move[0]:+.3f}, {first_move[1]:+.3f}): as far in b as in a, though the slopes are "
    f"unequal (and the axes are scaled differently). After 100 steps it is at loss {adam[1][-1]:.3f}, SGD at "
    f"{rolling[1][-1]:.3f}, the lowest point has {line_loss([BOTTOM]):.3f}.",
)
for factor in (1, 1000):
    path, _ = descend(START, lambda w, factor=factor: factor * line_loss(w), adam_rule(0.2), 100)
    a, b = path[-1][0].tolist()
    print(f"loss times {factor:4}: Adam ends at a = {a:.4f}, b = {b:.4f}")

# %% [markdown] lang="en"
# The first step has length `lr` in every direction, whatever the slopes: diagonally, then, and not along the gradient.
# After the wall Adam is slow for a while: with $\beta_2 = 0.999$, $v$ remembers steep ground for about a thousand
# steps. On this valley the ball is faster. But a loss a thousand times as large changes nothing, because $\hat m$ and
# $\sqrt{\hat v}$ grow alike; SGD would have left the picture at the first step.
#
# What is that worth in practice? Now the real regressor, with all 5 206 weights. We let SGD and Adam run 100 steps for
# many learning rates, and do it twice: once with the error in natural logarithms, once in decibels. A decibel is a
# smaller unit (1 in ln is 8.7 dB), so the loss becomes 75 times as large; the task is the same, and the picture gives
# both in ln. **Predict** how the curve of SGD moves when you change the unit, and how the curve of Adam does.

# %% tags=["demo", "training"]
TO_DB = 20 / math.log(10)
rates = [1e-5 * TO_DB ** (i / 2) for i in range(10)]  # four places are a factor of 75
one_clip = low[:551], high[:551]
mean_of_clip = (one_clip[1] - one_clip[1].mean(0)).square().mean().item()
ends = {}
for method, rule_of in (("SGD, momentum 0.9", sgd_rule), ("Adam", adam_rule)):
    for unit, scale in (("ln", 1.0), ("dB", TO_DB)):
        bar = tqdm(rates, desc=f"{method}, {unit}", file=sys.stdout, ncols=80, mininterval=0.5)
        ends[method, unit] = [
            descend(first_weights(), lambda w, s=scale: s**2 * regressor_loss(w, *one_clip), rule_of(rate), 100)[1][-1]
            / scale**2
            for rate in bar
        ]
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
styles = {"SGD, momentum 0.9": ("#0072B2", "o"), "Adam": ("#009E73", "s")}
for (method, unit), losses in ends.items():
    colour, marker = styles[method]
    shown = [loss if loss < 50 else math.nan for loss in losses]
    dashed = {"linestyle": "--", "markerfacecolor": "none", "markersize": 10} if unit == "dB" else {"linestyle": "-"}
    axes.loglog(rates, shown, marker=marker, color=colour, label=f"{method}, loss in {unit}", **dashed)
axes.axhline(mean_of_clip, color="black", linestyle=":", label="always the mean")
axes.set(title="Where 100 steps end, for ten learning rates", xlabel="learning rate", ylabel="loss (ln amplitude)²")
axes.legend(fontsize=8)
best = {}
for key, losses in ends.items():
    lowest = min(loss for loss in losses if math.isfinite(loss))
    best[key] = rates[losses.index(lowest)]
    print(f"{key[0]:17} loss in {key[1]}: lowest at lr {best[key]:.2g}, where it ends at {lowest:.2f}")
at_ln, at_db = best["SGD, momentum 0.9", "ln"], best["SGD, momentum 0.9", "dB"]
show(
    figure,
    f"SGD does best at lr {at_ln:.2g} in ln and at {at_db:.2g} in dB, a factor of {at_ln / at_db:.0f}; Adam at "
    f"{best['Adam', 'ln']:.2g} in ln and at {best['Adam', 'dB']:.2g} in dB. Runs that end above 50 are left out.",
)

# %% [markdown] lang="en"
# Two things to take along, one for Adam and one against the legend.
#
# - A loss 75 times as large has slopes 75 times as steep, so SGD's curve moves to the left by that factor, four of our
#   places, and is otherwise the same. Whoever changes a unit or a scale must look for SGD's learning rate again. Adam's
#   stays. That is why recipes with "Adam, lr 0.001" travel so well from model to model.
# - At its own best learning rate, SGD with momentum does as well here, even a little better: 0.58, Adam 0.64. Adam is
#   not magic, it is convenient. And the learning rate is still yours to choose: at the right end of the picture Adam is
#   worse than a model that always says the mean; at the left end it has hardly moved.
#
# ## 8.4 Weight decay is not L2
#
# A model with large weights bends sharply between the frames it has learned. So one pulls all weights gently towards 0.
# There are two ways to write that, and many texts treat them as one:
#
# - **L2 regularisation**: add a penalty $\frac{\lambda}{2}\|w\|^2$ to the loss. Its slope is $\lambda w$, so the
#   gradient becomes $g + \lambda w$.
# - **Weight decay**: at each step, let every weight shrink by the share $\eta\lambda$ of itself:
#   $w \leftarrow (1 - \eta\lambda)\,w$.
#
# For plain SGD they are the same: $w - \eta(g + \lambda w) = (1 - \eta\lambda)\,w - \eta g$. From there comes the habit
# of using the two words for one thing. For Adam they are not: the penalty's slope goes into $m$ and $v$ with the rest,
# and is divided by $\sqrt{\hat v}$. **Work it out** before you run the cell: a weight of 1, a gradient of 0,
# $\eta = 0.1$, $\lambda = 0.01$. A decay should leave $1 - 0.1 \cdot 0.01 = 0.999$. What does Adam make of the gradient
# $0 + \lambda w = 0.01$ in its first step?

# %% tags=["demo"]
weight, no_slope = torch.tensor(1.0), torch.tensor(0.0)
by_l2, _ = sgd_step(weight, torch.tensor(2.0) + 0.01 * weight, no_slope, lr=0.1)
by_decay, _ = sgd_step(weight * (1 - 0.1 * 0.01), torch.tensor(2.0), no_slope, lr=0.1)
print(f"SGD, gradient 2:  L2 {by_l2:.4f}, decay {by_decay:.4f}: the same")
by_l2, *_ = adam_step(weight, no_slope + 0.01 * weight, no_slope, no_slope, 1, lr=0.1)
by_decay, *_ = adam_step(weight * (1 - 0.1 * 0.01), no_slope, no_slope, no_slope, 1, lr=0.1)
print(f"Adam, gradient 0: L2 {by_l2:.3f}, decay {by_decay:.3f}: a hundred times as much")
print(f"lr 1e-4 and λ 0.01: 100 000 steps of decay alone take {1 - (1 - 1e-4 * 0.01) ** 100_000:.1%} of a weight")

# %% [markdown] lang="en"
# Adam turns any first gradient into a step of `lr`, this one too: 0.900. The λ has dropped out altogether. With decay,
# the weight loses what was ordered, a thousandth. (With settings as they are common, in the last line, it is a
# millionth a step: a decay is patient.)
#
# **AdamW** is Adam with the second form. The decay is *decoupled*: it never passes through $m$ and $v$.
#
# $$w \leftarrow (1 - \eta\lambda)\,w \qquad \text{then Adam's step, with } g \text{ alone}$$
#
# By hand: $w = 2$, $g = 4$, $\eta = 0.1$, $\lambda = 0.5$, first step. Decay: $2 \cdot 0.95 = 1.9$. Adam's step: −0.1.
# Result 1.8. (Decay after the step would give $1.9 \cdot 0.95 = 1.805$.)

# %% [markdown] lang="en"
# ### Exercise 8.3 · AdamW · ★★☆ · 8 min · 2 points
#
# Write one step; everything but the decay is as in Adam, edges included. If your `adam_step` passes you may call it;
# otherwise write the lines once more.
#
# - The decay is multiplied by `lr`, and comes before the step: it shrinks the weights as they were given.
# - With a gradient of 0 and empty $m$ and $v$, decay is all that happens. With `weight_decay=0` there is none.
# - $m$ and $v$ know nothing of the decay.
#
# <details><summary>Hint 1: how little changes</summary>
#
# The weights that Adam starts from.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# What goes into Adam is `(1 - lr * weight_decay)` times `param`, and nothing else is new.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "adamw_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adamw_step(
    param: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of AdamW, Adam with decoupled weight decay (Loshchilov and Hutter, 2017).

    Args:
        param: weights of any shape.
        grad: the gradient of the loss, in that shape.
        m: the running mean of the gradients so far; zeros before the first step.
        v: the running mean of their squares; zeros before the first step.
        step: the number of this step, counted from 1.
        lr: the learning rate.
        betas: how much of m and of v stays.
        eps: added to the root.
        weight_decay: times lr, the share that each weight loses.

    Returns:
        The new weights, the new m, the new v.
    """
    ### BEGIN SOLUTION
    decayed = param * (1 - lr * weight_decay)
    return adam_step(decayed, grad, m, v, step, lr, betas, eps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_adamw_step", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(adamw_step)
nothing = torch.tensor(0.0)
shrunk = adamw_step(torch.tensor(1.0), nothing, nothing, nothing, 1, lr=0.1, weight_decay=0.01)
print(shrunk[0], "expected: 0.999, and not 0.9")
both = adamw_step(torch.tensor(2.0), torch.tensor(4.0), nothing, nothing, 1, lr=0.1, weight_decay=0.5)
print(both[0], "expected: 2 · 0.95 − 0.1 = 1.8")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(adamw_step)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Ten steps with a pencil would be long, so let your functions do them. Two weights start at 1. One has a gradient of 1
# at every step, the other of 0.01; $\eta = 0.1$ and λ = 0.1. Plain Adam moves both by 0.1 a step and brings both to 0.
# **Predict:** which weight does Adam + L2 pull further towards 0, and where does AdamW bring the two?

# %% tags=["demo"]
adam_step = solved(adam_step)
def adamw_rule(lr, weight_decay):
    def rule(weight, slope, memory, count):
        weight, *memory = adamw_step(weight, slope, *memory, count, lr, weight_decay=weight_decay)
        return weight, memory

    return rule


pair, tilt = [torch.ones(2)], torch.tensor([1.0, 0.01])
rules = {"Adam": adam_rule(0.1), "Adam + L2": adam_rule(0.1, l2=0.1), "AdamW": adamw_rule(0.1, 0.1)}
paths = {name: descend(pair, lambda w: (w[0] * tilt).sum(), rule, 10)[0] for name, rule in rules.items()}
print("step | Adam            | Adam + L2       | AdamW           | largest difference of the last two")
for count in (0, 1, 2, 3, 10):
    places = [paths[name][count][0] for name in rules]
    gap = (places[1] - places[2]).abs().max()
    shown = " | ".join("({:6.3f}, {:6.3f})".format(*(place + 5e-7).tolist()) for place in places)
    print(f"{count:4} | {shown} | {gap:.4f}")

library = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
for theirs, kind, name in zip(library, (torch.optim.Adam, torch.optim.AdamW), ("Adam + L2", "AdamW"), strict=True):
    optimizer = kind([theirs], lr=0.1, weight_decay=0.1)
    for _ in range(10):
        theirs.grad = tilt.clone()
        optimizer.step()
    same = torch.allclose(paths[name][10][0], theirs, atol=1e-5)
    print(f"torch.optim.{kind.__name__}(weight_decay=0.1) ends where {name} does: {same}")

# %% [markdown] lang="en"
# Read the table line by line.
#
# - **After step 1 they have parted**, by 0.01 = ηλw. And Adam + L2 has done what Adam does without any penalty: the
#   first step is ±0.1, whatever λ is.
# - After ten steps AdamW has both weights at −0.052: it pulled on both alike, until they went through 0, and from then
#   on pulls back.
# - Adam + L2 ends at 0.003 and 0.064, *further from 0* than no penalty at all. $v$ remembers the larger gradients of
#   the beginning, when the penalty came on top, and makes the later steps shorter. For the weight with the small
#   gradient, where the penalty was ten times the gradient, most.
# - The last line but one is a trap that has cost many a training: in PyTorch, `Adam(weight_decay=…)` is **not** decay.
#   It is L2.
#
# Now on the landscape. With λ = 0.3 two points can be worked out: the lowest point of the loss, and the lowest point of
# the loss *with* the penalty, a little nearer to the origin. **Predict** which of the four paths ends at which.

# %% tags=["demo"]
four = {
    "SGD": ("#0072B2", sgd_rule(0.01)),
    "Adam": ("#009E73", adam_rule(0.2)),
    "Adam + L2": ("#D55E00", adam_rule(0.2, l2=0.3)),
    "AdamW": ("#CC79A7", adamw_rule(0.2, 0.3)),
}
walks = {name: descend(START, line_loss, rule, 300)[0] for name, (_, rule) in four.items()}
adamw_step(torch.ones(1), torch.ones(1), torch.zeros(1), torch.zeros(1), 1)  # AdamW is one of the four
penalised = torch.linalg.solve(columns.T @ columns / len(x) + 0.15 * torch.eye(2), columns.T @ y / len(x))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
draw_valley(left, [(name, colour, walks[name]) for name, (colour, _) in four.items()], "300 steps, four rules, λ = 0.3")
left.plot(*penalised, "kP", markersize=9, label="lowest with penalty")
left.legend(loc="lower right", fontsize=8, framealpha=1)
gaps = [(one[0] - other[0]).norm().item() for one, other in zip(walks["Adam + L2"], walks["AdamW"], strict=True)]
right.plot(gaps, color="black")
right.set(title="Adam + L2 against AdamW", xlabel="step", ylabel="distance of the two (in a and b)", ylim=(0, None))
ends = {name: walk[-1][0].tolist() for name, walk in walks.items()}
show(
    figure,
    f"Adam + L2 ends at ({ends['Adam + L2'][0]:.2f}, {ends['Adam + L2'][1]:.2f}), the lowest point with penalty; AdamW "
    f"at ({ends['AdamW'][0]:.2f}, {ends['AdamW'][1]:.2f}). They are {gaps[1]:.3f} apart after step 1 and "
    f"{gaps[-1]:.2f} after step 300.",
)
for name, (a, b) in ends.items():
    print(f"{name:9} ends at      a = {a:.3f}, b = {b:+.3f}")
print(f"lowest point           a = {BOTTOM[0]:.3f}, b = {BOTTOM[1]:+.3f}")
print(f"lowest with penalty    a = {penalised[0]:.3f}, b = {penalised[1]:+.3f}")
from_zero = [torch.zeros(2)]
one, other = (descend(from_zero, line_loss, rule, 3)[0] for _, rule in list(four.values())[2:])
gaps = [f"{(p[0] - q[0]).norm():.5f}" for p, q in zip(one[1:], other[1:], strict=True)]
print("both started at a = b = 0: distance after steps 1, 2, 3:", *gaps)

# %% [markdown] lang="en"
# SGD and Adam go to the lowest point, Adam + L2 to the lowest point with the penalty: that much is as the loss says.
# AdamW has no penalty in its loss, and with the same λ it is somewhere else. The two part after step 1, by
# ηλw = 0.2 · 0.3 · 2 = 0.12 in $b$. The last line answers a fair objection: a weight that starts at exactly 0 has
# nothing to decay, so there the first step is the same, and they part after step **2**.
#
# And on the real regressor? The same start for all four, 300 steps, λ = 0.1. **Predict:** does it take one step, ten or
# a hundred until one can tell Adam + L2 from AdamW?

# %% tags=["demo", "training"]
four = {
    "SGD": ("#0072B2", sgd_rule(0.01)),
    "Adam": ("#009E73", adam_rule(0.01)),
    "Adam + L2": ("#D55E00", adam_rule(0.01, l2=0.1)),
    "AdamW": ("#CC79A7", adamw_rule(0.01, 0.1)),
}
adamw_step(torch.ones(1), torch.ones(1), torch.zeros(1), torch.zeros(1), 1)  # AdamW is one of the four
runs = {
    name: descend(first_weights(), regressor_loss, rule, 300)
    for name, (_, rule) in tqdm(four.items(), desc="four rules", file=sys.stdout, ncols=80, mininterval=0.5)
}


def length(weights):
    """The L2 norm of all weights together."""
    return torch.cat([one.flatten() for one in weights]).norm().item()


both = zip(runs["Adam + L2"][0], runs["AdamW"][0], strict=True)
apart = [length([p - q for p, q in zip(*pair, strict=True)]) for pair in both]
between = [abs(p - q) / q for p, q in zip(runs["Adam + L2"][1], runs["AdamW"][1], strict=True)]
seen = next(step for step, share in enumerate(between) if share > 0.01)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for name, (colour, _) in four.items():
    left.semilogy(runs[name][1], color=colour, label=name, linestyle="--" if name == "Adam" else "-")
left.axhline(always_mean, color="black", linestyle=":", label="always the mean")
left.set(title="four rules, one regressor", xlabel="step", ylabel="loss (ln amplitude)²", ylim=(0.5, 5))
left.set_yticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
left.minorticks_off()
left.legend(fontsize=8)
for name, (colour, _) in four.items():
    dashes = "--" if name == "Adam" else "-"
    right.plot([length(weights) for weights in runs[name][0]], color=colour, label=name, linestyle=dashes)
right.set(title="how large the weights are", xlabel="step", ylabel="L2 norm of all weights", ylim=(0, None))
right.legend(fontsize=8)
show(
    figure,
    f"After 300 steps with the same λ, Adam + L2 has loss {runs['Adam + L2'][1][-1]:.2f} and weights of norm "
    f"{length(runs['Adam + L2'][0][-1]):.1f}; AdamW {runs['AdamW'][1][-1]:.2f} and {length(runs['AdamW'][0][-1]):.1f}.",
)
print(f"distance of their weights: {apart[1]:.4f} after step 1, {apart[10]:.2f} after 10, {apart[300]:.2f} after 300")
one, other = runs["Adam + L2"][1][seen], runs["AdamW"][1][seen]
print(f"after step {seen} their losses differ by more than 1 % for the first time: {one:.3f} against {other:.3f}")
for name, (path, losses) in runs.items():
    print(f"{name:10} loss {losses[-1]:.3f}, on the new clip {regressor_loss(path[-1], new_low, new_high):.3f}")

# %% [markdown] lang="en"
# The weights part at step 1, the losses soon after. With Adam + L2 the same λ bites much harder: where gradients are
# small, the penalty is most of what Adam sees.
#
# So does λ mean the same for both? Take five values, 150 steps each, and measure the error on the clip that nobody has
# trained on. **Predict:** from which λ on does each of the two suffer?

# %% tags=["demo", "training"]
strengths = [1e-3, 1e-2, 0.1, 1.0, 10.0]
rules_of = {"Adam + L2": lambda decay: adam_rule(0.005, decay), "AdamW": lambda decay: adamw_rule(0.005, decay)}
adamw_step(torch.ones(1), torch.ones(1), torch.zeros(1), torch.zeros(1), 1)  # AdamW is one of the two
errors = {name: [] for name in rules_of}
for strength in tqdm(strengths, desc="five values of λ", file=sys.stdout, ncols=80, mininterval=0.5):
    for name, rule_of in rules_of.items():
        weights = descend(first_weights(), regressor_loss, rule_of(strength), 150)[0][-1]
        errors[name].append(regressor_loss(weights, new_low, new_high).item())
figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
for name, colour in (("Adam + L2", "#D55E00"), ("AdamW", "#CC79A7")):
    axes.loglog(strengths, errors[name], "o-", color=colour, label=name)
axes.set(title="One symbol, two meanings", xlabel="λ", ylabel="loss on the new clip (ln amplitude)²")
axes.set_yticks([0.7, 1, 1.5, 2, 3], ["0.7", "1", "1.5", "2", "3"])
axes.minorticks_off()
axes.legend()
show(
    figure,
    f"At λ = 0.01 both have about the same error, {errors['Adam + L2'][1]:.2f} and {errors['AdamW'][1]:.2f}. At λ = 1 "
    f"Adam + L2 has {errors['Adam + L2'][3]:.2f}, AdamW {errors['AdamW'][3]:.2f}.",
)

# %% [markdown] lang="en"
# Adam + L2 suffers from 0.1 on, AdamW only at 10: what does great harm to the one hardly touches the other. So when a
# paper says "weight decay 0.1", as Whisper's does, it matters which of the two was meant. (Neither is better *here*:
# where both are mild, the errors are alike. The AdamW paper compares them on large models, each with a λ of its own.)
#
# ## 8.5 When the ground falls away: gradient clipping
#
# SGD with momentum did well on the regressor at a learning rate of 0.01. At 0.03 it does not: within the first steps it
# meets a wall, where the gradient is longer than ever before, and one step along it throws the weights far away.
# Recurrent networks (unit 05) have many such walls; for them Pascanu, Mikolov and Bengio proposed in 2012 what is
# common today: if the gradient is too long, shorten it and keep its direction.
#
# Take the gradients of **all** weight tensors as one long vector with L2 norm $n = \sqrt{\sum_k \|g_k\|^2}$. Each
# tensor is multiplied by the same factor:
#
# $$g_k \leftarrow g_k \cdot \min\!\Big(1,\; \frac{\text{max\_norm}}{n + 10^{-6}}\Big)$$
#
# By hand: two tensors, $[3]$ and $[4]$, `max_norm` 1. Together their norm is 5, so both are multiplied by $1/5.000001$:
# $[0.6]$ and $[0.8]$. Clipped one by one they would be $[1]$ and $[1]$, which points elsewhere.

# %% [markdown] lang="en"
# ### Exercise 8.4 · Gradient clipping · ★★☆ · 10 min · 2 points
#
# Write it. Return a new list with the clipped gradients, and the norm **before** clipping, a tensor of shape `()`.
#
# - Where the norm is below the limit by more than $10^{-6}$, nothing changes: short gradients are not made longer. Let
#   the formula decide that, not an `if`.
# - Each tensor may be below the limit while all together are above it.
# - The $10^{-6}$ is part of the rule: where all gradients are 0 it avoids 0/0, and for a very small limit it shows.
# - `max_norm` may be `math.inf`, which clips nothing, or 0, which leaves nothing.
# - The list may hold one tensor or many, of any shapes.
# - The library's `torch.nn.utils.clip_grad_norm_` is another kind of function: it takes *parameters*, reads the
#   gradient in each one's `.grad`, and changes it there. Yours takes the gradients and leaves them as they were.
#
# <details><summary>Hint 1: one norm</summary>
#
# Sum the squares of all numbers of all tensors first, then take one root.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `sum(grad.square().sum() for grad in grads).sqrt()` is the norm. `torch.clamp(factor, max=1.0)` is min(1, factor). The
# list comes from `[grad * factor for grad in grads]`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "clip_grad_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clip_grad_norm(grads: list[torch.Tensor], max_norm: float) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Shorten all gradients together, so that their norm is at most max_norm (Pascanu et al., 2012).

    Args:
        grads: gradients of any shapes, at least one.
        max_norm: the limit.

    Returns:
        The new gradients, and their total L2 norm before clipping, `()`.
    """
    ### BEGIN SOLUTION
    norm = torch.stack([grad.square().sum() for grad in grads]).sum().sqrt()
    factor = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    return [grad * factor for grad in grads], norm
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_clip_grad_norm", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(clip_grad_norm)
print(clip_grad_norm([torch.tensor([3.0]), torch.tensor([4.0])], 1.0), "expected: [0.6], [0.8], and norm 5")
print(clip_grad_norm([torch.tensor([3.0]), torch.tensor([4.0])], 6.0), "expected: [3], [4], and norm 5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(clip_grad_norm)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# SGD with momentum on the regressor, at a learning rate of 0.03, from three different random starts. Once as it is,
# once with your clipping at norm 1. **Predict** where the unclipped runs end: at infinity, or somewhere you have seen
# before?

# %% tags=["demo", "training"]
def clipped_sgd(seed, max_norm, lr=0.03, steps=150):
    """Losses and norms before clipping, step by step; and the final weights."""
    weights = first_weights(seed)
    rolling = [torch.zeros_like(one) for one in weights]
    losses, norms = [], []
    for _ in range(steps):
        leaves = [one.clone().requires_grad_() for one in weights]
        loss = regressor_loss(leaves)
        slopes, norm = clip_grad_norm(list(torch.autograd.grad(loss, leaves)), max_norm)
        moved = [sgd_step(*each, lr) for each in zip(weights, slopes, rolling, strict=True)]
        weights, rolling = [one for one, _ in moved], [one for _, one in moved]
        losses.append(loss.item())
        norms.append(norm.item())
    return losses, norms, weights


starts = tqdm(range(3), desc="three starts", file=sys.stdout, ncols=80, mininterval=0.5)
wild, tame = zip(*[(clipped_sgd(seed, math.inf), clipped_sgd(seed, 1.0)) for seed in starts], strict=True)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for runs, colour, name in ((wild, "#D55E00", "no clipping"), (tame, "#0072B2", "clipped at 1")):
    for i, (losses, norms, _) in enumerate(runs):
        label = name if i == 0 else None
        left.semilogy(range(1, 151), norms, color=colour, linewidth=1, label=label)
        right.semilogy(range(1, 151), losses, color=colour, linewidth=1, label=label)
left.axhline(1.0, color="black", linestyle=":", label="limit")
left.set(title="norm of the gradient, before clipping", xlabel="step", ylabel="L2 norm")
right.axhline(always_mean, color="black", linestyle=":", label="always the mean")
right.set(title="loss", xlabel="step", ylabel="loss (ln amplitude)²")
left.legend(fontsize=8)
right.legend(fontsize=8)
show(
    figure,
    f"Without clipping the norm reaches {', '.join(f'{max(norms):.0f}' for _, norms, _ in wild)} and the losses end at "
    f"{', '.join(f'{losses[-1]:.2f}' for losses, _, _ in wild)}; clipped, they end at "
    f"{', '.join(f'{losses[-1]:.2f}' for losses, _, _ in tame)}.",
)
hidden = functional.gelu(functional.linear(low, *wild[0][2][:2]))  # (frames, 64)
print(f"first unclipped run: its hidden numbers vary by {hidden.std(0).max():.1e} from frame to frame, at most")
hidden = functional.gelu(functional.linear(low, *tame[0][2][:2]))
print(f"first clipped run:   {hidden.std(0).max():.2f}")
above = ", ".join(str(sum(norm > 1 for norm in norms)) for _, norms, _ in tame)
print(f"clipped runs: of 150 steps, the norm is above the limit in {above}")
gentle = [clipped_sgd(seed, math.inf, lr=0.01)[0][-1] for seed in range(3)]
print("no clipping, but a learning rate of 0.01: the losses end at", ", ".join(f"{loss:.2f}" for loss in gentle))

# %% [markdown] lang="en"
# Nothing became infinite, which is worse: a crash would be noticed. The long step threw the first layer to where nearly
# every GELU is shut; its slope there is almost 0, and no gradient brings it back. What is left to learn are the last
# biases, and so the model answers every frame with the mean: the loss of 8.1 that was worth remembering.
#
# The norm that your function returns is the first thing to look at in such a training. It says *when* it happened. And
# clipping is no cure for everything: the blue runs end at 0.8 or 0.9, where a learning rate of 0.01 gets to about 0.6
# in as many steps. Their norm stays above the limit nearly all the time: the step is too long for the last metres.
#
# ## 8.6 Not the same step all the way: warm-up and cosine
#
# Early on, the landscape is steep and Adam's $v$ is an average of very few gradients; there, small steps are wise. In
# the middle, large ones bring you forward. At the end, large steps only jump to and fro above the floor, all the more
# with the noise of small batches. So most trainings vary the learning rate: **warm-up** in a straight line from 0 to
# the peak, then down, often along half a **cosine**:
#
# $$\eta(t) = \begin{cases}
#   \text{peak}\cdot t / W & t < W \\
#   \text{peak}\cdot \tfrac12\big(1 + \cos(\pi\,\tfrac{t - W}{N - W})\big) & W \le t < N \\
#   0 & t \ge N \end{cases}$$
#
# $W$ is `warmup`, $N$ is `total`. By hand, with peak 1, $W = 4$, $N = 12$: at steps 0 to 4 the rate is 0, ¼, ½, ¾, 1;
# at step 6, a quarter of the way down, $\frac12(1 + \cos 45°) = 0.854$; at step 8, half way, ½; at 12 and ever after 0.

# %% [markdown] lang="en"
# ### Exercise 8.5 · Warm-up and cosine · ★★☆ · 8 min · 2 points
#
# Write the learning rate of one step as a Python float. `step` is 0 or more, and `warmup` is less than `total`.
#
# - At step 0 of a warm-up the rate is 0; at `step == warmup` it is the peak.
# - `warmup` may be 0: then step 0 is the peak, and nothing is divided by 0.
# - At `total` the rate is 0, and it *stays* 0. A cosine left alone would come up again.
# - It needs three lines; `torch.optim.lr_scheduler` has schedules, to compare with.
#
# <details><summary>Hint 1: two cases</summary>
#
# `if step < warmup` comes first; with a warm-up of 0 it is never true.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# The progress on the way down is `(step - warmup) / (total - warmup)`, and `min(1.0, …)` keeps it from passing the end.
# `math.cos` works in radians.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "warmup_cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
def warmup_cosine(step: int, warmup: int, total: int, peak: float) -> float:
    """The learning rate at a step: linear warm-up, then half a cosine down to 0.

    Args:
        step: counted from 0.
        warmup: steps until the peak; 0 for none.
        total: the step from which the rate is 0, more than warmup.
        peak: the highest rate.

    Returns:
        The learning rate.
    """
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * step / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return 0.5 * peak * (1 + math.cos(math.pi * progress))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_warmup_cosine", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(warmup_cosine)
print([round(warmup_cosine(step, 4, 12, 1.0), 3) for step in (0, 1, 4, 6, 8, 12, 20)])
print("expected: [0.0, 0.25, 1.0, 0.854, 0.5, 0.0, 0.0]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(warmup_cosine)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Your schedule, drawn for 600 steps and a peak of 0.1, which is ten times the learning rate that we used for Adam so
# far. Beside it the one from "Attention is all you need", which FastSpeech 2 took over: the same warm-up, then falling
# with $1/\sqrt t$, and never arriving.

# %% tags=["demo"]
steps = range(661)
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
for warmup, colour in ((0, "#E69F00"), (60, "#0072B2"), (200, "#56B4E9")):
    curve = [warmup_cosine(step, warmup, 600, 0.1) for step in steps]
    axes.plot(steps, curve, color=colour, label=f"cosine, warm-up {warmup}")
transformer = [0.1 * min(step / 60, (60 / step) ** 0.5) if step else 0.0 for step in steps]
axes.plot(steps, transformer, color="#009E73", linestyle="--", label="1/√t, warm-up 60")
axes.set(title="Four schedules with the same peak", xlabel="step", ylabel="learning rate", xlim=(0, 660))
axes.legend(fontsize=8)
show(
    figure,
    f"Half way down, at step 330, the cosine with a warm-up of 60 is at {warmup_cosine(330, 60, 600, 0.1):.3f}; from "
    f"step 600 on it is 0, while the dashed curve is still at {transformer[600]:.3f}.",
)

# %% [markdown] lang="en"
# What does it buy? The regressor once more, with Adam, now on batches of 64 frames drawn at random. Four plans, three
# random starts each: a constant rate of 0.01; a constant 0.1; a warm-up to 0.1 that then stays; the whole schedule.
# **Predict** which plans survive, and which is lowest at the end.

# %% tags=["demo", "training"]
adamw_step = solved(adamw_step)
plans = {
    "constant 0.01": ("#56B4E9", lambda step: 0.01),
    "constant 0.1": ("#D55E00", lambda step: 0.1),
    "warm-up, then 0.1": ("#E69F00", lambda step: 0.1 * min(1.0, step / 60)),
    "warm-up and cosine": ("#0072B2", lambda step: warmup_cosine(step, 60, 600, 0.1)),
}


def train_in_batches(rate_at, seed, steps=600):
    """Adam on random batches of 64 frames; the loss over all frames every 30 steps, and the final weights."""
    weights = first_weights(seed)
    memories = [(torch.zeros_like(one), torch.zeros_like(one)) for one in weights]
    batches, losses = torch.Generator().manual_seed(seed), []
    for count in range(1, steps + 1):
        some = torch.randint(len(low), (64,), generator=batches)
        leaves = [one.clone().requires_grad_() for one in weights]
        slopes = torch.autograd.grad(regressor_loss(leaves, low[some], high[some]), leaves)
        rule = adam_rule(rate_at(count))
        moved = [rule(*each, count) for each in zip(weights, slopes, memories, strict=True)]
        weights, memories = [one for one, _ in moved], [memory for _, memory in moved]
        if count % 30 == 0:
            losses.append(regressor_loss(weights).item())
    return losses, weights


warmup_cosine(1, 60, 600, 0.1)  # one of the plans needs it
figure, axes = plt.subplots(figsize=(9, 3.8), layout="constrained")
endings, trained = {}, {}
for name, (colour, rate_at) in tqdm(plans.items(), desc="four plans", file=sys.stdout, ncols=80, mininterval=0.5):
    results = [train_in_batches(rate_at, seed) for seed in range(3)]
    for seed, (losses, _) in enumerate(results):
        axes.semilogy(range(30, 601, 30), losses, color=colour, linewidth=1.2, label=name if seed == 0 else None)
    endings[name] = [losses[-1] for losses, _ in results]
    trained[name] = [weights for _, weights in results]
axes.axhline(always_mean, color="black", linestyle=":", label="always the mean")
axes.set(title="Four plans for the learning rate, three starts each", xlabel="step", ylabel="loss (ln amplitude)²")
axes.set_ylim(0.4, 3)
axes.set_yticks([0.5, 1, 2, 3], ["0.5", "1", "2", "3"])
axes.minorticks_off()
axes.legend(fontsize=8, ncols=2, loc="upper right")
show(
    figure,
    "Losses at the end, three starts each: "
    + "; ".join(f"{name}: {', '.join(f'{loss:.2f}' for loss in losses)}" for name, losses in endings.items()) + ".",
)
for name, starts in trained.items():
    print(f"{name:18} on the new clip:", ", ".join(f"{regressor_loss(w, new_low, new_high):.2f}" for w in starts))

# %% [markdown] lang="en"
# A constant 0.1 is more than Adam bears from a cold start: all three runs died. With the warm-up the same rate
# survives; but whoever stays there gambles, for the end depends on where the last jump happened to land. With the
# cosine it comes to rest.
#
# And the lowest? On the average of three starts the whole schedule, by very little: 0.46, 0.53 and 0.47, where a
# constant 0.01 gets to 0.53, 0.50 and 0.50. On the new clip it beats that rate in all three starts; the gamblers do
# better still in two, and far worse in the third. So the gain is modest. What the schedule buys for sure is room: its
# peak is ten times a rate that works by itself, a rate that kills when it is there from the start, and it still
# arrives.
#
# Time to listen to what came of it, on the clip that no model was trained on. First the run of 8.5 that died, then the
# network that has just been trained. What they guess is turned into hiss above 3.4 kHz, as strong as they say; so do
# not expect the original, whose upper bands hold pitch pulses too. **Predict** what the dead network sounds like, and
# whether the trained one has found each [s].

# %% tags=["demo"]
clip_grad_norm = solved(clip_grad_norm)
LOUD_S = (34, 45), (258, 270)  # the frames of the [s] in “password”, said twice
dead = clipped_sgd(0, math.inf)[2]
adam_step(*torch.ones(4, 1), 1), warmup_cosine(1, 60, 600, 0.1)  # the last plan needs both
alive = trained["warm-up and cosine"][0]
guesses = {"the run that died": guess(dead, new_low), "warm-up and cosine": guess(alive, new_low)}
figure, row = plt.subplots(1, 3, figsize=(11, 2.8), sharey=True, layout="constrained")
for axes, (name, picture) in zip(row, {**guesses, "as recorded": new_high}.items(), strict=True):
    extent = (0, len(new_high) / 100, CUT, 80)
    image = axes.imshow(picture.T, origin="lower", aspect="auto", cmap="magma", vmin=-9, vmax=-2, extent=extent)
    axes.set_title(name, pad=16)
    axes.set_xlabel("time (s)")
    for start, end in LOUD_S:
        axes.text((start + end) / 200, 80.4, "[s]", ha="center", fontsize=9)
row[0].set_ylabel("mel band")
figure.colorbar(image, ax=row, label="ln amplitude")
scores = [(picture - new_high).square().mean() for picture in guesses.values()]
show(
    figure,
    f"The upper 22 bands. The run that died gives every frame the same (loss {scores[0]:.2f}); the trained one follows "
    f"speech and silence (loss {scores[1]:.2f}), but the two loud [s], at 0.4 s and 2.6 s, it misses.",
)
answered = guesses["warm-up and cosine"]
top = {name: part[:, 12:].mean(1) for name, part in (("recorded", new_high), ("guessed", answered))}  # bands 70 … 79
for start, end in LOUD_S:
    strengths_there = ", ".join(f"{name} {part[start:end].mean():.1f}" for name, part in top.items())
    print(f"[s] at {start / 100:.2f} … {end / 100:.2f} s, bands 70 … 79, mean ln amplitude: {strengths_there}")
both_loud = set.intersection(*(set(part.topk(30).indices.tolist()) for part in top.values()))
print(f"of the 30 frames that are loudest there, {len(both_loud)} are among the 30 that the network makes loudest")
play(with_upper_bands(new_clip), "the telephone: nothing above 3.4 kHz")
play(with_upper_bands(new_clip, guesses["the run that died"]), "by the run that died: the same hiss all the time")
play(with_upper_bands(new_clip, guesses["warm-up and cosine"]), "upper bands guessed by the trained network")
play(with_upper_bands(new_clip, new_high), "hiss as strong as the true upper bands: the best that such a guess can do")
play(new_clip, "as recorded")

# %% [markdown] lang="en"
# It has not answered the question of 8.1 with yes. It knows when somebody speaks; how loud an [s] is above 3.4 kHz, it
# does not guess from one frame of what lies below.
#
# ## What real models use
#
# | model | rule | β | λ | clipping | learning rate |
# |---|---|---|---|---|---|
# | Whisper | AdamW | 0.9, 0.98 | 0.1 | norm 1 | 2 048 steps of warm-up, then a straight line to 0 |
# | wav2vec 2.0, base | "Adam" | 0.9, 0.98 | 0.01 | – | 32 000 of 400 000 steps of warm-up, then a straight line to 0 |
# | FastSpeech 2 | Adam | 0.9, 0.98 | – | – | warm-up, then 1/√t |
# | HiFi-GAN | AdamW | 0.8, 0.99 | 0.01 | – | times 0.999 after each pass over the data |
# | VITS | AdamW | 0.8, 0.99 | 0.01 | – | the same, times $0.999^{1/8}$ |
#
# Two surprises. One reads that FastSpeech 2 uses AdamW; its paper says Adam. And wav2vec 2.0's "adam" is fairseq's,
# whose `weight_decay` *is* decoupled: AdamW under the old name, just as PyTorch's `Adam` offers L2 under the name of
# decay. Names are no help. Look at the line where λ comes in.
#
# ## What just happened
#
# - SGD has one step size for all weights, momentum lets agreeing slopes add up, Adam gives each weight its own size.
#   Adam does not choose the learning rate for you.
# - **The mistake most people make** is to call AdamW "Adam + L2". For a weight of 1 with gradient 0 the one gives
#   0.999, the other 0.900. They part after the first step, or after the second where all weights start at 0, and a λ
#   that suits the one may ruin the other.
# - A training may die without a NaN. Watch the gradient's norm, clip it, warm up.
# - **Where you meet it:** the table above. [Whisper](https://arxiv.org/abs/2212.04356) (2022) uses your `adamw_step`,
#   your `clip_grad_norm` and the first half of your schedule; [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020),
#   [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020) and [VITS](https://arxiv.org/abs/2106.06103) (2021) use AdamW,
#   [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020) Adam.
# - **To read:** [Adam](https://arxiv.org/abs/1412.6980) (2014), [*Decoupled Weight Decay
#   Regularization*](https://arxiv.org/abs/1711.05101) (2017, the AdamW paper), [*On the difficulty of training
#   Recurrent Neural Networks*](https://arxiv.org/abs/1211.5063) (2012, clipping),
#   [SGDR](https://arxiv.org/abs/1608.03983) (2016, the cosine).
#
# Next: [unit 09](../09_ctc/09_ctc.ipynb). You can make any loss small now. Which loss teaches a model to write, when
# nobody has said which frame is which letter?

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("08_optimizers")
