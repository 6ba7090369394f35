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
# # 0 · One sentence, 47 216 numbers
#
# You hear one spoken sentence, take it apart down to single numbers, and solve your first two exercises.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 25 minutes · about 10 CPU seconds · you need: Python functions, and what a tensor's shape is
#
# You will be able to
# - say what a sample, a sample rate and an amplitude are, and turn seconds into samples;
# - read a waveform and a spectrogram: where is silence, where a vowel, where an *s*;
# - work through an exercise of this course: hints, `check`, points.
#
# A notebook is a row of cells. Click on the first grey one and press Shift+Enter: it runs, and the next is selected.

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

# %% [markdown] lang="en"
# ## 0.1 Listen first
#
# Run the next cell and press play. What does she say? And which sounds are hissed rather than sung?

# %% tags=["demo"]
waveform = load_clip("tt-weasels")
play(waveform, "A telephone exchange has something to tell you.")

# %% [markdown] lang="en"
# It is a real announcement, a joke that the makers of the Asterisk telephone system had recorded among the serious
# ones. (Voice: Allison Smith, licence CC BY-SA 3.0; the folder `data/` tells where each recording comes from.)
#
# Here is the sentence in letters, and the sound as the computer has it.

# %% tags=["demo"]
sentence = load_transcript("tt-weasels")
print(f"“{sentence}”: {len(sentence)} characters, spaces included")
print(f"the sound: a tensor of shape {tuple(waveform.shape)}, {waveform.dtype}")
print(f"it lasts {len(waveform):,} / 16 000 = ".replace(",", " ") + f"{len(waveform) / 16_000} seconds")
print("five of the numbers:", [round(value, 4) for value in waveform[30_400:30_405].tolist()])
print(f"the smallest of all is {waveform.min():.3f}, the largest {waveform.max():.3f}")

# %% [markdown] lang="en"
# 47 216 numbers in, 35 characters out. A program that finds the characters from the numbers is a *speech
# recogniser*; one that goes the other way is a *speech synthesiser*. By the end of the course you will have built
# the parts of both.
#
# If the cells above ran, your machine is ready. This one says what it works with; a GPU is not needed in any unit.

# %% tags=["demo"]
import platform
from importlib.metadata import version

print(f"Python {platform.python_version()}, torch {torch.__version__}, librosa {version('librosa')}")
print(f"GPU: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none, and none is needed'}")

# %% [markdown] lang="en"
# ## 0.2 What the numbers are
#
# Sound is air pressure that swings. A microphone turns the swing into a voltage, and a converter reads the voltage
# again and again, at equal steps of time. Each reading is a **sample**. How many are read in one second is the
# **sample rate**: here 16 000 per second, written 16 000 Hz or 16 kHz (hertz means *per second*).
#
# A sample's value is the **amplitude** at that moment: how far the pressure is from rest, as a fraction of the
# largest value that the format can hold. So it lies between −1 and 1, and 0 is rest.
#
# The picture below zooms in twice. The middle panel shows a fiftieth of a second from the vowel in *phone*.
# **Predict:** its pattern comes back again and again. Roughly how often in one second?

# %% tags=["demo"]
start = 30_400  # sample 30 400 is at 1.9 s
figure, (whole, vowel, dots) = plt.subplots(3, 1, figsize=(9, 7.2), layout="constrained")
whole.plot(torch.arange(len(waveform)) / 16_000, waveform, color="#0072B2", linewidth=0.4)
whole.axvline(start / 16_000, color="#D55E00")
whole.set(title="2.951 seconds: 47 216 samples", xlabel="time (s)", xlim=(0, 2.951))
part = waveform[start : start + 320]
lows = [i for i in range(1, 319) if part[i] < -0.45 and part[i - 1] > part[i] <= part[i + 1]]
vowel.plot(torch.arange(320) / 16, part, color="#0072B2")
vowel.axvspan(0, 2, color="#E69F00", alpha=0.25)
vowel.plot([i / 16 for i in lows], part[lows], "o", color="#D55E00", label="lowest points")
vowel.set(title="20 milliseconds of it: 320 samples of the vowel in “phone”", xlabel="time (ms)", xlim=(0, 20))
vowel.legend(loc="upper right")
dots.vlines(torch.arange(32) / 16, 0, part[:32], color="#0072B2")
dots.plot(torch.arange(32) / 16, part[:32], "o", color="#0072B2", markersize=4)
dots.axhline(0, color="black", linewidth=0.5)
dots.set(title="2 milliseconds of that: 32 samples, each one number", xlabel="time (ms)", xlim=(-0.05, 2))
for axes in (whole, vowel, dots):
    axes.set(ylabel="amplitude", ylim=(-0.7, 0.7))
show(
    figure,
    "The waveform of the whole sentence; 20 ms of a vowel, whose pattern comes 4½ times; 32 single samples, "
    "one every 0.0625 ms.",
)
steps = torch.tensor(lows).diff().tolist()
print(f"from one lowest point to the next: {steps} samples")
print(f"at 16 000 samples a second that is {16_000 / (sum(steps) / len(steps)):.0f} times per second")

# %% [markdown] lang="en"
# About 220 times per second: her vocal folds open and close that often, and you hear it as the **pitch** of her
# voice.
#
# The numbers themselves do not say how fast they were read; somebody has to tell the player. **Predict:** what will
# you hear if the player is told 24 000 instead of 16 000?

# %% tags=["demo"]
play(waveform, f"The same numbers, told 24 000 per second: {len(waveform) / 24_000:.2f} s", sample_rate=24_000)

# %% [markdown] lang="en"
# A weasel. Every pitch is one and a half times as high and the sentence is over sooner. No error, no warning: this
# is one of the most frequent accidents in speech programs. So the first function you write is about sample rates.

# %% [markdown] lang="en"
# ## 0.3 How an exercise works
#
# An exercise has three parts: a text, a cell where you write a function, and a cell that checks it.
#
# - **The text** says what to write. The line above it tells the difficulty (★ to ★★★), the minutes and the points.
#   Under it are hints, folded away: click on one when you are stuck. They cost nothing. The last one nearly tells.
# - **Your cell** says `raise NotImplementedError`. Put your code in its place and run the cell.
# - **The check cell** calls `check`, which tries your function on many inputs, then prints two or three examples that
#   you can work out by hand. Run it as often as you like: nobody counts.
#
# Before you meet one, see `check` at work on someone else's answer. The task is: *how many samples are in so many
# seconds, to the nearest whole number?* The product of seconds and sample rate, made an `int`. It looks right.

# %% tags=["demo"]
import librosa


def someone_else():
    def num_samples(seconds, sample_rate=16_000):  # lives only in here: yours will not be touched
        return int(seconds * sample_rate)

    return num_samples


theirs = someone_else()
print(theirs(0.5), "samples in half a second: right")
print(theirs(1.001), "samples in 1.001 s: one too few, because", 1.001 * 16_000, "was cut off after the point")
print(librosa.time_to_samples(1.001, sr=16_000), "says the library librosa, which cuts too: it happens to the best")
check(theirs)

# %% [markdown] lang="en"
# Read what `check` says, line by line.
#
# - The cases come in **groups**. *basic* holds the ordinary situations; the others are what goes wrong in practice.
# - For a group that fails you see one case in words, what came out, and what was expected.
# - Then the **mistake** is named and a **hint** follows. The course knows many wrong answers to each exercise; when
#   yours gives the same numbers as one of them, it is called by its name.
#
# **Points.** When you hand the notebook in, your function is tried again, on fresh inputs that nobody has seen and
# on further cases. The points are shared equally among the groups: this answer would earn a third of its point.
# Where *basic* fails, there are none. What your cells print or draw does not count. An exercise that you leave out
# costs only its own points, unless a later exercise uses it; then a library function may stand in, such as
# `torch.softmax`.

# %% [markdown] lang="en"
# ### Exercise 0.1 · Seconds to samples · ★☆☆ · 3 min · 1 point
#
# Write `num_samples`: how many samples a sound of `seconds` has at `sample_rate` samples per second, rounded to the
# nearest whole number,
#
# $$ n = \mathrm{round}(\text{seconds} \times \text{sample rate}). $$
#
# The result is an `int`, because it will be used to cut tensors. Where no sample rate is given it is 16 000. A
# duration may be zero, or hours. One that ends exactly half-way between two samples may go either way; it is not
# tested.
#
# <details><summary>Hint 1: why is `int` not enough?</summary>
#
# `int(16015.999999999998)` is 16015: it cuts off whatever is behind the point. Python has a function that goes to
# the nearest whole number instead, and gives an `int`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `round(2.7)` is 3 and `round(2.2)` is 2. Do that to the product of seconds and sample rate.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "num_samples", "locked": false, "schema_version": 3, "solution": true, "task": false}
def num_samples(seconds: float, sample_rate: int = 16_000) -> int:
    """The number of samples in a sound, rounded to the nearest.

    Args:
        seconds: the duration, zero or more.
        sample_rate: samples per second (Hz).

    Returns:
        A whole number, as an int.
    """
    ### BEGIN SOLUTION
    return round(seconds * sample_rate)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_num_samples", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(num_samples)
print(num_samples(0.5), "expected: 0.5 × 16 000 = 8000")
print(num_samples(0.01, sample_rate=44_100), "expected: 0.01 × 44 100 = 441")
print(num_samples(1.001), "expected: 1.001 × 16 000 = 16016")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(num_samples)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# With your function, the recording can be cut: the samples from 1.54 s to 1.72 s are
# `waveform[num_samples(1.54):num_samples(1.72)]`, the word *our*. The table holds where each word begins and ends,
# in seconds. **Predict** what the last line plays.

# %% tags=["demo"]
words = {
    "weasels": (0.13, 0.90),
    "have": (1.02, 1.23),
    "eaten": (1.23, 1.54),
    "our": (1.54, 1.72),
    "phone": (1.72, 2.10),
    "system": (2.10, 2.90),
}


def cut(start: float, end: float) -> torch.Tensor:
    """That stretch of the recording, faded in and out over 5 ms so that the cuts do not click."""
    piece = waveform[num_samples(start) : num_samples(end)].clone()
    fade = torch.linspace(0, 1, num_samples(0.005))
    piece[: len(fade)] *= fade
    piece[-len(fade) :] *= fade.flip(0)
    return piece


for word, (begin, end) in words.items():
    print(f"{word:8} {begin:.2f} s to {end:.2f} s: {len(cut(begin, end)):6} samples")
order = ["our", "phone", "system", "have", "eaten", "weasels"]
play(torch.cat([cut(*words[word]) for word in order]), "The same words, rearranged by your function")

# %% [markdown] lang="en"
# The phone system has its revenge. You have made new speech out of recorded pieces, as telephone announcements did
# for decades. You can hear the seams: real speech glides from one word into the next. Later units do better.

# %% [markdown] lang="en"
# ## 0.4 How loud?
#
# Amplitudes swing around zero, so their mean says nothing about loudness: what is above and what is below cancel.
# The usual measure squares the samples first, which makes them all positive. It is called **rms**, and its name,
# read backwards, is the recipe: **s**quare each sample, take the **m**ean, take the **r**oot.
#
# $$ \mathrm{rms}(x) = \sqrt{\frac{1}{T}\sum_{t=1}^{T} x_t^2} $$
#
# By hand, for $x = [3, -4, 0, 0]$: the squares are 9, 16, 0, 0; their mean is 25 / 4 = 6.25; the root is **2.5**.
# (The mean of $x$ itself would be −0.25, and the mean without signs 1.75.)

# %% [markdown] lang="en"
# ### Exercise 0.2 · Root mean square · ★☆☆ · 7 min · 2 points
#
# Write `rms` over the **last** axis. In this course time comes last in a batch of waveforms: `(B, T)` is B waveforms
# of T samples, and gives B numbers. The shape may have any number of axes before the last; that one disappears.
#
# - Silence gives 0.
# - Use tensor operations from `x` to the result. Then PyTorch can follow the calculation and give its **gradient**:
#   how the result changes with each sample. Networks learn from gradients, so `check` compares them too. (At silence
#   the root is infinitely steep and has none; that one is not asked for.)
# - Leave `x` itself as it was. No function of this course changes its arguments; the group *arguments* looks at
#   that.
#
# <details><summary>Hint 1: the shape</summary>
#
# Many tensor methods take the axis along which they work. The last one has the number −1, however many there are.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Three methods in a row, in the order in which you do it by hand: `.square()`, `.mean(-1)`, `.sqrt()`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "rms", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rms(x: torch.Tensor) -> torch.Tensor:
    """The root mean square over the last axis.

    Args:
        x: `(..., T)` waveforms.

    Returns:
        `(...)`, one number a waveform.
    """
    ### BEGIN SOLUTION
    return x.square().mean(-1).sqrt()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_rms", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(rms)
print(rms(torch.tensor([3.0, -4.0, 0.0, 0.0])), "expected: √(25/4) = 2.5")
print(rms(torch.tensor([[1.0, -1.0], [0.0, 0.0]])), "expected: one number a row, 1 and 0")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(rms)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now three stretches of the sentence: the silence before it, the vowel of *phone*, the first *s* of *system*.
# **Predict:** how many times louder, by rms, is the vowel than the *s*? Twice, seven times, fifty times?

# %% tags=["demo"]
num_samples = solved(num_samples)  # yours, or the library's while it is not written
stretches = {"silence": (0.02, 0.10), "vowel of “phone”": (1.86, 1.92), "s of “system”": (2.15, 2.21)}
loudness = {}
for name, (begin, end) in stretches.items():
    loudness[name] = rms(waveform[num_samples(begin) : num_samples(end)]).item()
    decibels = 20 * math.log10(loudness[name])
    print(f"{name:17} rms {loudness[name]:.5f} = {decibels:5.1f} dB")
quiet, vowel_rms, hiss = loudness.values()
times_silence = f"{vowel_rms / quiet:,.0f}".replace(",", " ")
print(f"the vowel is {vowel_rms / hiss:.1f} times the s, and {times_silence} times the silence")

# %% [markdown] lang="en"
# The ear takes in such ratios with ease, so they are written on a scale that counts multiplications: **decibels**
# (dB), $20 \log_{10}(\mathrm{rms})$. Ten times the amplitude is 20 dB more, half the amplitude about 6 dB less.
#
# One call to your function measures the whole sentence: cut into pieces of 160 samples (10 ms), it is a tensor
# `(295, 160)`, and `rms` gives 295 numbers.

# %% tags=["demo"]
pieces = waveform[: 295 * 160].reshape(295, 160)
levels = 20 * rms(pieces).clamp_min(1e-5).log10()
middles = (torch.arange(295) + 0.5) * 0.01
figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.2), sharex=True, layout="constrained")
top.plot(torch.arange(len(waveform)) / 16_000, waveform, color="#0072B2", linewidth=0.4)
top.set(title="The sentence as a waveform", ylabel="amplitude", ylim=(-0.7, 0.7))
bottom.plot(middles, levels, color="#0072B2")
bottom.set(title="Its rms in every 10 ms", xlabel="time (s)", ylabel="level (dB)", xlim=(0, 2.951), ylim=(-90, 5))
shades = ("#999999", "#D55E00", "#009E73")
for (name, (begin, end)), colour in zip(stretches.items(), shades, strict=True):
    for axes in (top, bottom):
        axes.axvspan(begin, end, color=colour, alpha=0.35, label=name)
bottom.text(2.415, levels[241] + 2, "?", ha="center", va="bottom", fontsize=14, fontweight="bold")
bottom.legend(loc="lower center", ncols=3)
show(
    figure,
    "Waveform and level of the sentence: silence lies near −84 dB, vowels near −13 dB, the s near −30 dB; "
    "one narrow peak at 2.42 s reaches −14 dB in the middle of a quiet stretch.",
)

# %% [markdown] lang="en"
# One place breaks the rule that an *s* is quiet: at the question mark, inside the second *s* of *system*, the level
# jumps to that of a vowel for about a hundredth of a second. Did you hear anything there? Listen to that *s* again,
# four times slower (and so four times lower).

# %% tags=["demo"]
from torchaudio.functional import resample

slow_motion = resample(waveform[num_samples(2.25) : num_samples(2.55)], 4_000, 16_000)  # four samples where one was
play(slow_motion, "“-yste-” in slow motion")

# %% [markdown] lang="en"
# She whistles. The level told you *that* something is there, not *what*: a vowel and a whistle can be equally loud.
# What tells them apart is how fast the air swings.

# %% [markdown] lang="en"
# ## 0.5 Low or high?
#
# Any stretch of sound can be written as a sum of pure tones. A **spectrum** says how strong each tone is, by its
# **frequency**: how many swings per second. You will build it yourself in unit 03; here PyTorch does it.
#
# **Predict:** where do you expect the vowel to be strong, and where the *s*: below or above 4 000 Hz?

# %% tags=["demo"]
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
spectra = {"vowel of “phone”": (30_080, "#D55E00"), "s of “system”": (34_560, "#009E73")}
for name, (first, colour) in spectra.items():
    tones = torch.fft.rfft(waveform[first : first + 640] * torch.hann_window(640)).abs()  # 40 ms from 1.88 s, 2.16 s
    hertz = torch.arange(len(tones)) * 16_000 / 640
    axes.plot(hertz, 20 * tones.clamp_min(1e-4).log10(), color=colour, label=name)
    above = tones[hertz > 4_000].square().sum() / tones.square().sum()
    print(f"{name:17} strongest at {hertz[tones.argmax()]:5.0f} Hz; {above:6.1%} of its energy lies above 4 000 Hz")
axes.axvline(4_000, color="black", linewidth=0.8, linestyle=":")
axes.set(title="Two sounds as spectra", xlabel="frequency (Hz)", ylabel="strength (dB)", xlim=(0, 8_000))
axes.set_ylim(-60, 50)
axes.legend()
show(
    figure,
    "The vowel is strongest below 1 500 Hz, in evenly spaced peaks; the s is spread out and strongest near 7 150 Hz.",
)

# %% [markdown] lang="en"
# The vowel's peaks are evenly spaced: they lie at the multiples of its pitch, about 225 Hz (the spectrum has a
# point only every 25 Hz). The *s* is noise: no spacing, no pitch. (This is the first *s*; the whistle is in the
# second.)
#
# One spectrum describes one moment. Compute one every 10 ms, paint each as a column, bright where it is strong, and
# set the columns side by side: that is a **spectrogram**, time to the right, frequency upwards. It is the picture
# that most of this course looks at.

# %% tags=["demo"]
stft = torch.stft(waveform, 400, 160, window=torch.hann_window(400), return_complex=True)
picture = 20 * stft.abs().clamp_min(1e-5).log10()
figure, axes = plt.subplots(figsize=(9.6, 4.4), layout="constrained")
image = axes.imshow(
    picture - picture.max(), origin="lower", aspect="auto", extent=(0, 2.951, 0, 8), vmin=-70, vmax=0, cmap="magma"
)
for word, (begin, end) in words.items():
    axes.text((begin + end) / 2, 8.12, word, ha="center", va="bottom", fontsize=11)
    axes.vlines([begin, end], 0, 8, color="white", linewidth=0.6, linestyle=":")
axes.annotate("whistle", (2.425, 7.1), (2.62, 7.25), color="white", arrowprops={"arrowstyle": "->", "color": "white"})
axes.set(xlabel="time (s)", ylabel="frequency (kHz)")
axes.set_title("The sentence as a spectrogram", pad=24)
figure.colorbar(image, label="dB from the strongest")
show(
    figure,
    "The spectrogram with its six words: stripes at the bottom are voice, bright clouds at the top are s and z, "
    "black columns are silence; the whistle is a dot near 7.1 kHz at 2.42 s.",
)

# %% [markdown] lang="en"
# Take a moment to read it.
#
# - **Stripes** at the bottom are a voice: its pitch and the multiples of it. They rise in *wea-*: so does the
#   melody.
# - **Clouds** at the top are hissing: the *s*'s of *system*, and the two in *weasels*, which you write *s* but say
#   *z*.
# - **Black columns** are silence. The one in *system* just before 2.5 s is the *t*: the tongue stops the air, then
#   lets go.
# - **Words** are not marked. *eaten* runs into *our* without a gap, while *system* holds one. The white lines were
#   set by hand; a recogniser has to find out by itself where a word ends.

# %% [markdown] lang="en"
# ## 0.6 What 16 000 samples a second can hold
#
# The spectrogram ends at 8 000 Hz, half the sample rate, and that is no accident of the drawing. Each swing needs at
# least two samples, one for up and one for down. A tone that swings faster than half the sample rate leaves the same
# samples as some slower tone: afterwards nobody can tell which of the two it was. That limit, half the sample rate,
# is the **Nyquist frequency**; the disguise is called **aliasing**.
#
# **Predict:** tones of 7 000 Hz and of 9 000 Hz are sampled 16 000 times per second. How far apart are their
# samples?

# %% tags=["demo"]
fine, n = torch.linspace(0, 1, 2_000), torch.arange(16, dtype=torch.float64)
slow, fast = torch.cos(2 * math.pi * 7_000 / 16_000 * n), torch.cos(2 * math.pi * 9_000 / 16_000 * n)
figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
axes.plot(fine, torch.cos(2 * math.pi * 7 * fine), color="#0072B2", label="7 000 Hz")
axes.plot(fine, torch.cos(2 * math.pi * 9 * fine), color="#E69F00", label="9 000 Hz", linestyle="--")
axes.plot(n / 16, slow, "o", color="black", label="samples of both")
axes.set(title="One millisecond of two tones, 16 samples", xlabel="time (ms)", ylabel="amplitude", ylim=(-1.15, 1.15))
axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=3)
show(figure, "Tones of 7 000 and 9 000 Hz meet at every one of the 16 000 samples per second.")
print(f"largest difference between the samples: {(slow - fast).abs().max():.0e}")

# %% [markdown] lang="en"
# They are the same, but for the last digits of the arithmetic. Now you can predict a real sound. Throw away every
# second sample: 8 000 per second are left, the Nyquist frequency is 4 000 Hz. **Where does the whistle at 7 125 Hz
# go?**
#
# The proper way to a lower sample rate is to remove first, with a *filter*, what it cannot hold. Compare the three.

# %% tags=["demo"]
careless = waveform[::2]
careful = resample(waveform, 16_000, 8_000)
play(waveform, "16 000 samples a second")
play(careless, "every second sample thrown away: 8 000 a second", sample_rate=8_000)
play(careful, "filtered first, then 8 000 a second", sample_rate=8_000)
for name, sound, rate in (("16 000", waveform, 16_000), ("every second", careless, 8_000)):
    moment = sound[num_samples(2.41, rate) : num_samples(2.43, rate)]
    tones = torch.fft.rfft(moment * torch.hann_window(len(moment)), n=rate // 25).abs()
    print(f"{name:13} the whistle's strongest tone is at {tones.argmax() * 25} Hz")

# %% tags=["demo"]
figure, pair = plt.subplots(1, 2, figsize=(9.6, 3.4), sharey=True, layout="constrained")
for axes, sound, title in zip(pair, (careless, careful), ("every second sample", "filtered first"), strict=True):
    columns = torch.stft(sound, 200, 80, window=torch.hann_window(200), return_complex=True).abs()
    drawn = 20 * (columns / columns.max()).clamp_min(1e-5).log10()
    axes.imshow(drawn, origin="lower", aspect="auto", extent=(0, 2.951, 0, 4), vmin=-70, vmax=0, cmap="magma")
    axes.set(title=f"8 000 a second, {title}", xlabel="time (s)", xlim=(1.7, 2.951))
pair[0].set_ylabel("frequency (kHz)")
arrow = {"arrowstyle": "->", "color": "white"}
pair[0].annotate("a tone nobody made", (2.42, 0.95), (1.75, 3.4), color="white", arrowprops=arrow)
figure.colorbar(axes.images[0], ax=pair, label="dB from the strongest")
show(
    figure,
    "“phone system” at 8 000 samples a second. Left, thrown away: the whistle is folded down to 875 Hz. "
    "Right, filtered first: it is gone, and so is nearly all of every s.",
)

# %% [markdown] lang="en"
# It goes to 8 000 − 7 125 = 875 Hz: a low beep in the middle of a hiss. In the filtered version there is no beep,
# but hardly an *s* either. That is why people spell names on the telephone, which for a century passed hardly
# anything above 3 400 Hz: *f* and *s* differ mostly higher up. And it is why speech models like 16 000 samples a
# second: below 8 000 Hz lies nearly everything that tells one word from another.

# %% [markdown] lang="en"
# ## 0.7 The course in one picture
#
# Two questions carry all fourteen units.
#
# 1. **How does sound become vectors?** A Transformer reads lists of vectors, nothing else: a tensor
#    `(batch, time, dimensions)`. Such vectors are called *embeddings*. Letters get theirs from a table, sound gets
#    its own from a spectrogram (as in Whisper) or straight from the waveform (as in wav2vec 2.0 and HuBERT).
# 2. **What does a Transformer do with them?** Its core is *attention*: every vector looks at every other one and
#    takes what it needs. What comes out is again a list of vectors, and a small *head* turns these into letters,
#    into a spectrogram, or into one decision about the whole sound.
#
# Whisper, wav2vec 2.0, HuBERT and SpeechT5 differ at both ends; the middle is nearly the same.

# %% tags=["demo"]
columns, vectors, letters = len(waveform) // 160, (len(waveform) - 400) // 320 + 1, len(sentence)
blue, orange, green, grey = "#D6E8F5", "#FBE7C2", "#CDEBDF", "#EEEEEE"
middle = "attention (unit 02)\n\nbeside it:\nCNN and RNN (unit 05)\n\nTransformer (unit 06)"
boxes = {  # name: (x, y, width, height, text, colour)
    "sound": (0.0, 3.0, 1.6, 0.8, f"sound\n({len(waveform):,}".replace(",", " ") + ",)", grey),
    "mel": (2.2, 3.6, 2.3, 0.8, f"mel spectrogram (unit 03)\n({columns}, 80)", blue),
    "cnn": (2.2, 2.4, 2.3, 0.8, f"CNN on samples (unit 04)\n({vectors}, 512)", blue),
    "characters": (0.0, 1.2, 1.6, 0.8, f"characters\n{letters}", grey),
    "table": (2.2, 1.2, 2.3, 0.8, f"embedding table (unit 01)\n({letters}, 512)", blue),
    "trunk": (5.1, 1.7, 2.5, 2.2, middle, orange),
    "heads": (8.2, 2.4, 1.2, 0.8, "heads\n(unit 10)", green),
    "text": (10.0, 3.6, 2.0, 0.8, f"CTC (unit 09)\ntext, {letters} characters", green),
    "voice": (10.0, 2.4, 2.0, 0.8, "vocoder (unit 11)\nmel → sound", green),
    "class": (10.0, 1.2, 2.0, 0.8, "one class\nfor the whole", green),
    "learn": (0.0, 0.0, 4.5, 0.6, "how it learns: losses (unit 07), optimizers (unit 08)", grey),
    "measure": (5.1, 0.0, 2.5, 0.6, "how good it is (unit 12)", grey),
    "all": (8.2, 0.0, 3.8, 0.6, "all of it, trained by you (unit 13)", grey),
}
arrows = [("sound", "mel"), ("sound", "cnn"), ("characters", "table"), ("mel", "trunk"), ("cnn", "trunk")]
arrows += [("table", "trunk"), ("trunk", "heads"), ("heads", "text"), ("heads", "voice"), ("heads", "class")]
figure, axes = plt.subplots(figsize=(11, 4.9), layout="constrained")
for x, y, width, height, text, colour in boxes.values():
    axes.add_patch(plt.Rectangle((x, y), width, height, facecolor=colour, edgecolor="#444444", linewidth=0.8))
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center")
for left, right in arrows:
    (x, y, width, height, *_), (to_x, to_y, _, to_height, *_) = boxes[left], boxes[right]
    ends = (to_x, to_y + to_height / 2), (x + width, y + height / 2)
    axes.annotate("", *ends, arrowprops={"arrowstyle": "->", "color": "#444444"})
titles = {3.35: "question 1:\nhow sound becomes vectors", 6.35: "question 2:\nwhat is done with them", 10.1: "answers"}
for x, title in titles.items():
    axes.text(x, 4.6, title, ha="center", va="bottom", fontsize=11, fontweight="bold")
axes.set(xlim=(-0.1, 12.1), ylim=(-0.1, 5.2))
axes.axis("off")
show(
    figure,
    "The course from left to right, with the shapes of this very sentence: sound and characters become vectors "
    "(units 01, 03, 04), a Transformer works on them (02, 05, 06), heads make text, sound or a class (09 to 11).",
)

# %% [markdown] lang="en"
# | unit | | what comes in | what goes out |
# |---|---|---|---|
# | 00 | how the course works | seconds, samples | counts, loudness |
# | 01 | embeddings | text: 사랑해, *s a k i* | one vector a symbol, `(B, T, D)` |
# | 02 | attention | vectors | vectors that have looked at each other |
# | 03 | Whisper's mel spectrogram | samples | 80 numbers every 10 ms |
# | 04 | waveform encoder (wav2vec 2.0) | samples | 512 numbers every 20 ms |
# | 05 | CNN and RNN | vectors | vectors that know their neighbours, or their past |
# | 06 | Transformer | vectors | encoder, decoder; Whisper's skeleton |
# | 07 | norms and losses | a prediction and the truth | one number: how far apart |
# | 08 | optimizers | gradients | better weights |
# | 09 | CTC | scores every 20 ms | a text, without knowing when each letter was said |
# | 10 | output heads | hidden vectors | letters, a mel spectrogram, a class |
# | 11 | vocoder | a spectrogram without phase | sound |
# | 12 | metrics | what was said, what was understood | error rates: CER, WER, MCD |
# | 13 | capstone | real recordings | a recogniser of your own, trained in two minutes |

# %% [markdown] lang="en"
# ## What just happened
#
# - A sentence was 47 216 samples. Samples mean nothing without their **sample rate**, and the mistake that most
#   people make is a wrong one: no error, only weasels. wav2vec 2.0 and Whisper expect 16 000 Hz; HiFi-GAN's
#   best-known model speaks at 22 050 Hz.
# - `int` cuts, `round` goes to the nearest. One sample here, one frame there: many shape errors begin so.
# - rms, square, mean, root, measures loudness; FastSpeech 2 predicts its close relative, the energy of each frame,
#   to know where a voice is loud.
# - Samples hold frequencies up to half their rate. What lies above must be filtered out first, or it comes back in
#   disguise.
# - You have met everything an exercise has: text, hints, `check`, points.
#
# To read: [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020), [Whisper](https://arxiv.org/abs/2212.04356)
# (2022), [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020), [HiFi-GAN](https://arxiv.org/abs/2010.05646)
# (2020). Look at their first pages now, and again after unit 06.
#
# **Next: unit 01, embeddings.** How letters become vectors, and why similar sounds should lie close together.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("00_start")
