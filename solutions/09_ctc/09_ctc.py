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
# # 9 · Learning without alignment
#
# You build CTC, by which a recogniser learns to write from recordings and texts alone, train a small one with it, and
# make it point at every word of a recording.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 150 minutes · about 20 CPU seconds · you need: log-mel spectrograms (unit 3), convolutions (units 4 and 5), cross-entropy
# (unit 7)
#
# You will be able to
# - compute how likely a text is, summed over all of its alignments, and show that PyTorch computes the same;
# - train a recogniser with CTC and read its output with a greedy and with a beam search;
# - find out when each word was said, and know how far to trust the answer.

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
from collections import defaultdict
from itertools import groupby, pairwise, product

import matplotlib.pyplot as plt
import torch
import torchaudio
from tqdm import tqdm

from grader.recordings import phrases as phrases_of_the_course, recordings

F = torch.nn.functional  # its name everywhere
torch.set_num_threads(1)  # what is computed here is small: a second thread would only get in the way
torch.set_printoptions(sci_mode=False)

# %% [markdown] lang="en"
# ## When is each letter?
#
# Listen, and look at the picture. The lines cut the recording into frames of 20 ms, as often as wav2vec 2.0 looks at a
# recording. **Write down** in which frames the *h* is, the *e*, the two *l*, the *o*.

# %% tags=["demo"]
FRAME = 320  # samples: 20 ms
to_mel = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney"
)


def log_mel(waveform):
    """(T, 40): log-mel frames, 10 ms apart, brought near the range of ±1."""
    return to_mel(waveform)[:, :-1].clamp_min(1e-6).log().mT / 4 + 1


def draw_frames(axes, frames, title):
    """A log-mel spectrogram with its time axis in seconds."""
    image = axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", extent=(0, len(frames) / 100, 0, 40))
    axes.set(title=title, ylabel="mel band")
    return image


hello = load_clip("hello")
play(hello, "“hello”")
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
image = draw_frames(axes, log_mel(hello), "“hello”, cut into frames of 20 ms")
edges = torch.arange(0, len(hello), FRAME) / 16_000
axes.vlines(edges, 0, 40, color="white", linewidth=0.4)
axes.set_xlabel("time (s)")
figure.colorbar(image, ax=axes, label="log-mel (scaled)")
show(figure, f"The word hello lasts {len(hello) / 16_000:.2f} s, which is {len(hello) // FRAME} whole frames of 20 ms. "
     "Nothing in the picture says where one letter ends and the next begins.")

# %% [markdown] lang="en"
# Did you hesitate? So do people who are paid for it, and a minute of speech takes them hours. But transcripts are
# plentiful: this course ships 556 recordings, and for each of them the text, without a single time.
#
# A recogniser gives scores for every frame: (T frames, C classes). The text has S letters. To teach it with the
# cross-entropy of unit 7, each frame needs a target. Which of the S letters is the target of frame 17? Nobody knows.
#
# **Connectionist temporal classification** (CTC, Graves et al. 2006) does not ask. It sums over every possible answer.
#
# ## Paths and texts
#
# Some words. The classes are the **labels** (here letters) and one more, the **blank**, written `_`. It means *nothing
# new*; it is class 0 in this course unless something else is said. A **path** is one class for every frame. A path
# becomes a text in two steps, and the order matters. To **collapse** it,
#
# 1. merge neighbours that are equal: a letter may be held for several frames;
# 2. drop the blanks.
#
# | path | merged | without blanks |
# |---|---|---|
# | `h h e _ l l _ l o` | `h e _ l _ l o` | hello |
# | `h e l l l o` | `h e l o` | helo |
# | `_ _ _` | `_` | nothing |
#
# The blank has two jobs: it lets a frame say nothing, and it keeps two equal letters apart.

# %% [markdown] lang="en"
# ### Exercise 9.1 · Collapse a path · ★☆☆ · 5 min · 1 point
#
# Write `collapse` for a path given as a list of class numbers.
#
# - A label that comes back later, or after a blank, is written again.
# - A path of nothing but blanks, or without any entry, gives the empty list.
# - `blank` may be another number than 0; then 0 is a label like others. Labels may be large numbers, and a path long: a
#   minute of speech is 3,000 entries.
#
# torchaudio's `merge_tokens` is there to compare with.
#
# <details><summary>Hint 1: when is an entry written?</summary>
#
# When it is not the blank **and** differs from the entry just before it, which may have been a blank.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Keep `before`, the entry of the frame before, beginning with `None`. Go through the path: append the entry if it is
# neither `before` nor `blank`, and set `before` to it in either case.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "collapse", "locked": false, "schema_version": 3, "solution": true, "task": false}
def collapse(path: list[int], blank: int = 0) -> list[int]:
    """The labelling that a path stands for: repeats merged, then blanks dropped.

    Args:
        path: one class number for each frame; may be empty.
        blank: the number of the blank.

    Returns:
        The labels, as a list of int.
    """
    ### BEGIN SOLUTION
    labels, before = [], None
    for entry in path:
        if entry not in (before, blank):
            labels.append(entry)
        before = entry
    return labels
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_collapse", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(collapse)
print(collapse([0, 1, 1, 0, 1, 2]), "expected: [1, 1, 2]")
print(collapse([3, 3, 3]), "expected: [3]")
print(collapse([2, 0, 0, 2], blank=2), "expected: [0]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(collapse)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# One of the two articles that this course grew from shows CTC with a path of ten frames, `_ _ h e _ l l o _ _`, and
# says that it collapses to *hello*. **Predict:** does it?

# %% tags=["demo"]
def spell(path):
    """What a path written as a string collapses to, by your function."""
    kinds = "_" + "".join(sorted(set(path) - {"_"}))
    return "".join(kinds[label] for label in collapse([kinds.index(entry) for entry in path]))


for path in ("__he_llo__", "__hel_lo__", "hhe_l_lloo", "he_l_lo"):
    print(f"{' '.join(path):22} → {spell(path)}")

# %% [markdown] lang="en"
# It is *helo*: the two l's are neighbours and merge. (The article's own target, `h e l o`, is what its path spells.) A
# blank *between* them is what makes two of one.
#
# How many paths are there for *hello*? For a text of S letters with r doubled ones, in T frames, the formula is
# $\binom{T + S - r}{2S}$. The cell checks it by trying all paths where that is possible. **Predict:** how many for the
# frames of the recording above: hundreds, millions, billions?

# %% tags=["demo"]
target = [1, 2, 3, 3, 4]  # h e l l o
for frames in (5, 6, 7, 39):
    formula = math.comb(frames + 5 - 1, 10)
    tried = ""
    if frames < 8:
        tried = f"; tried out: {sum(collapse(list(path)) == target for path in product(range(5), repeat=frames))}"
    print(f"{frames:2} frames: {formula:,} of {5**frames:,} paths spell hello{tried}")

# %% [markdown] lang="en"
# Nearly two billion for a single short word, and none at all in five frames. We need two things: a picture in which
# all those paths can be seen at once, and a way to add them up without listing them.
#
# ## The trellis
#
# Write down the text with a blank at every place where one **may** stand: before, between and after the letters.
# For *ab*: `_ a _ b _`. Each entry is a **state**. A path walks through the states from left to right.
#
# ### Exercise 9.2 · Put the blanks in · ★☆☆ · 3 min · 1 point
#
# Write `add_blanks`: the states of a target. S labels have 2·S + 1 states, also where labels are equal; no label at all
# has one state, the blank. `blank` may be another number than 0.
#
# <details><summary>Hint 1: where do the labels stand?</summary>
#
# At the odd places 1, 3, 5 …; all even places are blanks.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Make a list of `2 * len(target) + 1` blanks and assign to `states[1::2]`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "add_blanks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def add_blanks(target: list[int], blank: int = 0) -> list[int]:
    """The states of a target: a blank before, between and after its labels.

    Args:
        target: S labels; may be empty.
        blank: the number of the blank.

    Returns:
        A new list of 2·S + 1 class numbers.
    """
    ### BEGIN SOLUTION
    states = [blank] * (2 * len(target) + 1)
    states[1::2] = target
    return states
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_add_blanks", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(add_blanks)
print(add_blanks([1, 2]), "expected: [0, 1, 0, 2, 0]")
print(add_blanks([3, 3], blank=9), "expected: [9, 3, 9, 3, 9]")
print(add_blanks([]), "expected: [0]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(add_blanks)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# From one frame to the next a path may make one of three steps:
#
# - **stay** in its state: the letter, or the blank, is held;
# - go to the **next** state;
# - **jump** over a blank to the label behind it, but only if that label differs from the label it comes from. From *l*
#   straight to another *l* would merge the two.
#
# It begins in the first blank or in the first label, and ends in the last label or in the last blank. All ways in this
# picture are exactly the paths that collapse to the text.
#
# So the fewest frames that a text needs is a frame for each label, and one more for each pair of equal neighbours,
# because the blank between them must be visited. *hello* needs 6.
#
# ### Exercise 9.3 · How many frames at least? · ★☆☆ · 4 min · 1 point
#
# Write `min_input_length`: the labels plus the places where a label equals the one before it. Three equal labels in a row
# are two such places; a label that comes back later is none; no label at all needs 0 frames. (0 may be a label, where
# another number is the blank.)
#
# <details><summary>Hint 1: by hand</summary>
#
# *aab* needs `a _ a b`, four frames; *aba* needs three; *aaa* needs `a _ a _ a`, five.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `pairwise(target)`, from itertools, gives all pairs of neighbours. Count the equal ones with `sum`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "min_input_length", "locked": false, "schema_version": 3, "solution": true, "task": false}
def min_input_length(target: list[int]) -> int:
    """The length of the shortest path that collapses to the target.

    Args:
        target: the labels, none of them the blank; may be empty.

    Returns:
        A number of frames.
    """
    ### BEGIN SOLUTION
    return len(target) + sum(label == after for label, after in pairwise(target))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_min_input_length", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(min_input_length)
print(min_input_length([8, 5, 12, 12, 15]), "expected: 6, the word hello")
print(min_input_length([1, 2, 1]), "expected: 3")
print(min_input_length([7, 7, 7]), "expected: 5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(min_input_length)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# This is no mere theory. A network that looks less often is faster, and one day a text does not fit any more. All 556
# recordings and their transcripts, letter by letter: **at which spacing of the frames** will the first one fail?

# %% tags=["demo"]
everything = recordings()
needs = [min_input_length([ord(letter) for letter in one.text]) for one in everything]
for spacing in (10, 20, 40, 60, 80, 120, 160):
    room = [int(one.seconds * 1000 / spacing) for one in everything]
    short = [one.name for one, need, frames in zip(everything, needs, room, strict=True) if need > frames]
    examples = f", among them {', '.join(short[:3])}" if short else ""
    print(f"a frame every {spacing:3} ms: {len(short):3} of {len(everything)} texts do not fit{examples}")
tight = min(zip(everything, needs, strict=True), key=lambda pair: pair[0].seconds / pair[1])
print(f"\nfastest: “{tight[0].text}”, {tight[1]} frames needed in {tight[0].seconds:.2f} s")

# %% [markdown] lang="en"
# A text that does not fit has probability 0 and an infinite loss, and a single one in a batch turns all weights into
# NaN. We come back to it. (Models that look every 80 ms therefore use pieces of words as labels, not letters: fewer
# labels for the same text.)
#
# ## How likely is a text?
#
# The network's scores, through a softmax, are probabilities $y_t(c)$ for each frame $t$ and class $c$. CTC assumes
# that frames are **conditionally independent**: given the recording, the probability of a path is a plain product, and
# the probability of a text is the sum over its paths.
#
# $$ P(\text{path}) = \prod_{t=1}^{T} y_t(\text{path}_t), \qquad
# P(\text{text}) = \sum_{\text{path} \to \text{text}} P(\text{path}) $$
#
# Here are four frames of a very small recogniser that knows only a and b, and all paths that spell *ab*. Add them up
# with your `collapse`: the brute force. **Predict:** how many of the 81 paths will it find, and which is the likeliest?

# %%
FOUR_FRAMES = torch.tensor([
    # _    a    b
    [0.2, 0.6, 0.2],
    [0.3, 0.5, 0.2],
    [0.5, 0.1, 0.4],
    [0.2, 0.1, 0.7],
])

# %% tags=["demo"]
collapse = solved(collapse)  # yours, or the library's while it is not written
def paths_of(target, probabilities):
    """Every path that your function collapses to the target, with its probability; likeliest first."""
    frames, classes = probabilities.shape
    found = [path for path in product(range(classes), repeat=frames) if collapse(list(path)) == target]
    scored = [(math.prod(float(probabilities[t, label]) for t, label in enumerate(path)), path) for path in found]
    return sorted(scored, reverse=True)


spelled = paths_of([1, 2], FOUR_FRAMES)
for probability, path in spelled:
    print(" ".join("_ab"[label] for label in path), f" {probability:.4f}")
print(f"{len(spelled)} paths; together {sum(one for one, _ in spelled):.4f}")

# %% [markdown] lang="en"
# The best path alone has about a fifth of the probability; the other fourteen share the rest. That is why we sum.
#
# ## The forward recursion
#
# Listing paths is hopeless for real recordings. But paths share their beginnings. Let $\alpha_t(s)$ be the probability
# of all beginnings of paths that are in state $s$ at frame $t$. The three steps above, read backwards, say where such a
# beginning can come from:
#
# $$ \alpha_t(s) = y_t(\text{state}_s)\,\bigl[\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + \alpha_{t-1}(s-2)\bigr] $$
#
# where the last term counts only if state $s$ is a label and differs from the label two states back. The first frame can
# only be in the states 0 and 1. At the end, the last two states are added.
#
# By hand, for the four frames:
#
# | state | t = 1 | t = 2 | t = 3 | t = 4 |
# |---|---|---|---|---|
# | `_` | 0.2 | 0.3 · 0.2 = 0.06 | 0.03 | 0.006 |
# | a | 0.6 | 0.5 · (0.6 + 0.2) = 0.40 | 0.1 · (0.40 + 0.06) = 0.046 | 0.0076 |
# | `_` | 0 | 0.3 · 0.6 = 0.18 | 0.5 · (0.18 + 0.40) = 0.29 | 0.0672 |
# | b | 0 | 0.2 · 0.6 = 0.12, a jump | 0.4 · (0.12 + 0.18 + 0.40) = 0.28 | **0.4312** |
# | `_` | 0 | 0 | 0.5 · 0.12 = 0.06 | **0.068** |
#
# 0.4312 + 0.068 = 0.4992, as by brute force, with 20 cells instead of 81 paths. The logarithm is −0.6947.
#
# With 400 frames such products are far too small for float32. So everything is done with logarithms: products become
# sums, and a sum becomes `torch.logsumexp`, which is $\ln \sum e^{x}$ computed without overflow.
#
# ### Exercise 9.4 · The CTC log-likelihood · ★★★ · 30 min · 4 points
#
# Write `ctc_log_likelihood`: $\ln P(\text{target})$.
#
# - An empty target has one path, all blanks.
# - Where no path exists (too few frames, counting the blanks between equal labels), the result is −∞, and the gradient
#   is finite (0, say), not NaN. A new constant will not do: nothing could flow through it.
# - Autograd must flow to `log_probs`. Gradients are compared with respect to the **logits**, that is, through
#   `log_softmax`.
# - 400 frames and 60 labels take well under a second (the limit is 3 s): loop over the frames, but treat all states of a
#   frame at once.
# - Very sure frames (probabilities that round to 0) are no problem for logarithms, even where $\ln P$ is −12,000.
# - float64 stays float64, to nine digits.
# - `blank` may be another class.
#
# `F.ctc_loss` is there to compare with. You may use your `add_blanks`; the hints do not need it.
#
# <details><summary>Hint 1: all states at once</summary>
#
# The scores of all states in frame t are `log_probs[t, states]`. `F.pad(alpha, (2, 0), value=…)` puts two numbers in
# front; slices of the result are α(s−1) and α(s−2). Stack the three ways and take `logsumexp(0)`.
#
# </details>
# <details><summary>Hint 2: why −∞ is dangerous on the way</summary>
#
# The gradient of `logsumexp` holds $e^{x - \text{result}}$. If all of its inputs are −∞, that is −∞ − (−∞) = NaN. Use
# −1e30 in place of −∞ on the way: $e^{-10^{30}}$ is 0 and nothing is lost. Only at the very end, where the total is
# below −1e29, put in −∞ with `masked_fill` or `torch.where`, which lets no gradient through.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# `states = torch.full((2 * S + 1,), blank)`, then `states[1::2] = target`. `may_jump` is a bool tensor of that length,
# False but for `may_jump[3::2] = target[1:] != target[:-1]`. Begin with `alpha` full of −1e30 and
# `alpha[:2] = log_probs[0, states[:2]]`. For each further frame:
# `padded = F.pad(alpha, (2, 0), value=-1e30)`; the three ways are `alpha`, `padded[1:-1]`, and `padded[:-2]` with −1e30
# wherever jumping is not allowed. The total is `alpha[-2:].logsumexp(0)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ctc_log_likelihood", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ctc_log_likelihood(log_probs: torch.Tensor, target: torch.Tensor, blank: int = 0) -> torch.Tensor:
    """The logarithm of the probability that all paths of a target have together.

    Args:
        log_probs: log-probabilities of each class in each frame, `(T, C)`, T ≥ 1.
        target: the labels, `(S,)` int64, none of them the blank; may be empty.
        blank: the class of the blank.

    Returns:
        `()` in the dtype of `log_probs`; −inf where no path of T frames collapses to the target.

    Source: Graves et al. 2006, section 4.1.
    """
    ### BEGIN SOLUTION
    never = -1e30  # for −∞, whose differences would be NaN in the gradient
    states = torch.full((2 * len(target) + 1,), blank)
    states[1::2] = target
    may_jump = torch.zeros(len(states), dtype=torch.bool)
    may_jump[3::2] = target[1:] != target[:-1]
    alpha = log_probs.new_full((len(states),), never)
    alpha[:2] = log_probs[0, states[:2]]
    for frame in log_probs[1:]:
        padded = F.pad(alpha, (2, 0), value=never)  # padded[s + 2] is alpha[s]
        jumped = padded[:-2].masked_fill(~may_jump, never)
        alpha = torch.stack([alpha, padded[1:-1], jumped]).logsumexp(0) + frame[states]
    total = alpha[-2:].logsumexp(0)
    return total.masked_fill(total < never / 10, -math.inf)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_ctc_log_likelihood", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check(ctc_log_likelihood)
print(ctc_log_likelihood(FOUR_FRAMES.log(), torch.tensor([1, 2])), "expected: ln 0.4992 = −0.6947")
no_labels = torch.tensor([], dtype=torch.int64)
print(ctc_log_likelihood(FOUR_FRAMES.log(), no_labels), "expected: ln(0.2 · 0.3 · 0.5 · 0.2) = −5.1160")
print(ctc_log_likelihood(FOUR_FRAMES.log(), torch.tensor([1, 1, 1])), "expected: −inf, aaa needs 5 frames")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(ctc_log_likelihood)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **One example, three ways**: all 81 paths, your recursion, PyTorch's `F.ctc_loss`. The gradients, too: with respect to
# the logits, the numbers before the softmax, because that is what reaches the network. **Predict** the sign of the
# gradient of $\ln P(ab)$ at frame 3, class b, where the network says 0.4.

# %% tags=["demo"]
logits = FOUR_FRAMES.log().requires_grad_()
scores = logits.log_softmax(-1)
spelled = torch.tensor([path for _, path in paths_of([1, 2], FOUR_FRAMES)])  # (15, 4)
ways = {
    "all paths": scores[torch.arange(4), spelled].sum(1).logsumexp(0),
    "yours": ctc_log_likelihood(scores, torch.tensor([1, 2])),
    "F.ctc_loss": -F.ctc_loss(scores[:, None], torch.tensor([[1, 2]]), [4], [2], reduction="sum"),
}
slopes = {name: torch.autograd.grad(value, logits, retain_graph=True)[0] for name, value in ways.items()}
for name, value in ways.items():
    print(f"{name:10} ln P(ab) = {value.item():.7f}, gradient at frame 3: {[round(g, 6) for g in slopes[name][2].tolist()]}")
apart = max(abs(value.item() - ways["all paths"].item()) for value in ways.values())
slopes_apart = max((slope - slopes["all paths"]).abs().max().item() for slope in slopes.values())
print(f"values at most {apart:.0e} apart, gradients at most {slopes_apart:.0e}")

# %% [markdown] lang="en"
# All three agree to six decimals. And now the trellis with *your* numbers. Your function gives only the sum of the two
# end states, but that is enough: the first $t$ frames end in the blank behind label $k$ exactly if the first $t-1$ spell
# $k$ labels and frame $t$ is blank. So that cell is $P_{t-1}(k) \cdot y_t(\_)$, and the label's own cell is what is
# missing to $P_t(k)$. **Predict:** which cells are 0? Compare the others with the table above.

# %% tags=["demo"]
add_blanks = solved(add_blanks)
def trellis(probabilities, target):
    """(2S + 1, T): the probability of all beginnings of paths in each state, from your ctc_log_likelihood."""
    frames = len(probabilities)
    spelt = torch.zeros(frames + 1, len(target) + 1)  # probability that t frames spell the first k labels
    spelt[0, 0] = 1.0
    for t, k in product(range(1, frames + 1), range(len(target) + 1)):
        spelt[t, k] = ctc_log_likelihood(probabilities[:t].log(), torch.tensor(target[:k], dtype=torch.int64)).exp()
    cells = torch.zeros(2 * len(target) + 1, frames)
    cells[0::2] = (spelt[:-1] * probabilities[:, :1]).T
    cells[1::2] = spelt[1:, 1:].T - cells[2::2]
    return cells


def draw_trellis(axes, probabilities, target, names, title):
    """Cells as circles, the steps between them as lines."""
    cells, kinds = trellis(probabilities, target), [names[k] for k in add_blanks(target)]
    size, frames = cells.shape
    for t, s in product(range(frames - 1), range(size)):
        jump = s + 2 < size and kinds[s] != "_" and kinds[s] != kinds[s + 2]
        for to in [s, s + 1, s + 2][: 3 if jump else 2]:
            if to < size:
                used = cells[s, t] > 1e-9
                axes.plot([t + 1, t + 2], [s, to], color="#555555" if used else "#dddddd", linewidth=1, zorder=1)
    place = [(t + 1, s) for s in range(size) for t in range(frames)]
    dots = axes.scatter([t for t, _ in place], [s for _, s in place], c=cells.clamp_min(0).flatten(), s=900, cmap="viridis", vmin=0, vmax=0.6,
                        edgecolors="black", zorder=2)
    for (t, s), value in zip(place, cells.clamp_min(0).flatten().tolist(), strict=True):
        axes.text(t, s, f"{value:.3f}".rstrip("0").rstrip("."), ha="center", va="center", fontsize=8,
                  color="white" if value < 0.35 else "black", zorder=3)
    axes.set(title=title, xlabel="frame", ylabel="state", xlim=(0.5, frames + 0.5), ylim=(size - 0.4, -0.6))
    axes.set_xticks(range(1, frames + 1))
    axes.set_yticks(range(size), ["blank" if kind == "_" else kind for kind in kinds])
    return dots


figure, pair = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
ab, aa = (math.exp(ctc_log_likelihood(FOUR_FRAMES.log(), torch.tensor(text))) for text in ([1, 2], [1, 1]))
draw_trellis(pair[0], FOUR_FRAMES, [1, 2], "_ab", f"“ab”: {ab:.4f} at the end")
dots = draw_trellis(pair[1], FOUR_FRAMES, [1, 1], "_ab", f"“aa”: {aa:.4f} at the end")
figure.colorbar(dots, ax=pair, label="probability of all beginnings")
show(figure, f"The trellis of the four frames for ab (probability {ab:.4f}) and for aa ({aa:.4f}). Only for ab do lines "
     "jump from label to label; for aa every path must visit the blank between.")

# %% [markdown] lang="en"
# Cells at the lower left are 0: they cannot be reached yet. (The picture rounds to three decimals: 0.0076 is 0.008.) In the
# right picture nothing jumps.
#
# Two dangers remain, and you have guarded against both. **Predict** what the first line gives in float32: the product
# of 400 probabilities of 0.1.

# %% tags=["demo"]
print("0.1 multiplied 400 times:", torch.full((400,), 0.1).prod().item())
long_scores, long_text = torch.full((400, 10), 0.1).log(), torch.arange(60) % 9 + 1
start = time.perf_counter()
yours = ctc_log_likelihood(long_scores, long_text).item()
print(f"yours, 400 frames and 60 labels: ln P = {yours:.2f} in {(time.perf_counter() - start) * 1000:.0f} ms")
torchs = -F.ctc_loss(long_scores[:, None], long_text[None], [400], [60], reduction="sum").item()
print(f"F.ctc_loss:                      ln P = {torchs:.2f}")

hello_letters = torch.tensor([1, 2, 3, 3, 4])
print("\nhello in five frames:")
for name in ("yours", "F.ctc_loss", "F.ctc_loss, zero_infinity"):
    logits = torch.zeros(5, 5, requires_grad=True)
    scores = logits.log_softmax(-1)
    if name == "yours":
        loss = -ctc_log_likelihood(scores, hello_letters)
    else:
        drop = name.endswith("infinity")
        loss = F.ctc_loss(scores[:, None], hello_letters[None], [5], [5], reduction="sum", zero_infinity=drop)
    loss.backward()
    print(f"{name:26} loss {loss.item()}, gradients {sorted(set(logits.grad.flatten().tolist()), key=str)[:3]}")

# %% [markdown] lang="en"
# Five frames do not hold *hello*. PyTorch's loss is infinite and its gradient NaN: one such text in a batch, and after the
# optimiser's step every weight is NaN. `zero_infinity=True` sets loss and gradient to 0; better still, count with
# `min_input_length` before you train, and know which texts you lose. (By default `F.ctc_loss` also divides each loss by
# the length of its target before it takes the mean over the batch; asked for here is the plain logarithm.)
#
# ## What the gradient teaches
#
# Let $\gamma_t(c)$ be the share of the text's probability whose paths say $c$ at frame $t$. It is the gradient of
# $\ln P$ with respect to `log_probs` (`F.ctc_loss` returns $\gamma - y$ there too: it takes the softmax for granted);
# and with respect to the logits the gradient of the loss $-\ln P$ is
#
# $$ y_t(c) - \gamma_t(c) $$
#
# which is the cross-entropy gradient of unit 7, with $\gamma$ in the place of the target. So in each step CTC makes its
# own targets, softly: *given the text and what I believe now, which letter is in this frame?* Then it learns them, and
# believes something better.
#
# ## A small recogniser
#
# Time to train one. Its task is tiny: seventeen words of telephone prompts, one voice. Phrases of the course's recordings
# that consist of these words only are joined in pairs at random, with a pause between; the target is the letters. Five
# whole recordings are held out; no part of them is used. No time of any letter or word inside a phrase is given.
# (The phrases were cut out of the recordings by another program.)
#
# The network is small as well: one convolution that halves the frame rate (a frame every 20 ms) and three more with
# layer norm and a residual, each seeing five frames; 28 classes: the blank, the space, a to z.

# %% tags=["demo"]
ALPHABET = "_ abcdefghijklmnopqrstuvwxyz"  # class 0 is the blank, class 1 the space
WORDS = {"please", "enter", "your", "conference", "number", "password", "followed", "by", "the", "pound", "key",
         "press", "one", "to", "call", "this", "star"}
HELD_OUT = ("conf-getconfno", "agent-pass", "vm-tocallnum", "astcc-followed-by-the-pound-key", "to-call-this-number")


def letters(text):
    """The class numbers of a text."""
    return torch.tensor([ALPHABET.index(letter) for letter in text])


def text_of(labels):
    """The text of class numbers."""
    return "".join(ALPHABET[label] for label in labels)


heard = [one for one in phrases_of_the_course() if set(one.text.split()) <= WORDS and one.name not in HELD_OUT]
mels = {name: log_mel(load_clip(name)) for name in sorted({one.name for one in heard})}
phrases = [(mels[one.name][round(one.start * 100) : round(one.end * 100)], one.text) for one in heard]
SILENCE = log_mel(torch.zeros(1600))[:1]
print(f"to learn from: {len(phrases)} phrases, {sum(len(frames) for frames, _ in phrases) / 100:.0f} s, "
      f"out of {len(mels)} recordings; {len({text for _, text in phrases})} different texts")
print("held out:")
for name in HELD_OUT:
    play(load_clip(name), f"{name}: “{load_transcript(name)}”")

# %% tags=["demo"]
class Recogniser(torch.nn.Module):
    """Log-mel frames (B, T, 40), 10 ms apart → log-probabilities (B, ⌈T/2⌉, 28), 20 ms apart."""

    def __init__(self, width=96):
        super().__init__()
        self.stem = torch.nn.Conv1d(40, width, 5, stride=2, padding=2)
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(width) for _ in range(3))
        self.convolutions = torch.nn.ModuleList(torch.nn.Conv1d(width, width, 5, padding=2) for _ in range(3))
        self.head = torch.nn.Linear(width, len(ALPHABET))

    def forward(self, frames):
        hidden = F.gelu(self.stem(frames.mT)).mT
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            hidden = hidden + F.gelu(convolution(norm(hidden).mT)).mT
        return self.head(hidden).log_softmax(-1)


def listen(network, name):
    """(T, 28): what the network says to a whole recording, with a tenth of a second of silence around it."""
    with torch.no_grad():
        return network(log_mel(F.pad(load_clip(name), (1600, 1600)))[None])[0]


def draw_number(low, high, chance):
    return int(torch.randint(low, high, (1,), generator=chance))


def joined(chance, count=8):
    """A batch of two phrases each, with pauses, some noise and a few bands missing: frames, lengths, targets."""
    batch, texts = [], []
    for _ in range(count):
        (one, text), (other, more) = (phrases[draw_number(0, len(phrases), chance)] for _ in range(2))
        pauses = [SILENCE.expand(draw_number(3, 30, chance), 40) for _ in range(3)]
        frames = torch.cat([pauses[0], one, pauses[1], other, pauses[2]])
        frames = frames + 0.15 * torch.randn(frames.shape, generator=chance)
        gap = draw_number(0, 8, chance)
        first = draw_number(0, 40 - gap, chance)
        frames[:, first : first + gap] = 0
        batch.append(frames)
        texts.append(letters(f"{text} {more}"))
    lengths = torch.tensor([(len(frames) + 1) // 2 for frames in batch])
    return torch.nn.utils.rnn.pad_sequence(batch, batch_first=True), lengths, texts


# %% [markdown] lang="en"
# The loss is `F.ctc_loss`: the same number as yours for each recording, divided by its letters, and in C++ for whole
# batches. The cell keeps what the network says to the first held-out recording at some steps. **Predict:** it starts with random weights;
# what will it learn *first*?

# %% tags=["demo", "training"]
STEPS = 380
torch.manual_seed(0)
chance = torch.Generator().manual_seed(0)
recogniser = Recogniser()
optimizer = torch.optim.AdamW(recogniser.parameters(), weight_decay=1e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS, pct_start=0.2)
losses, kept = [], {}
start = time.process_time()
for step in tqdm(range(STEPS), desc="training", file=sys.stdout, ncols=80, mininterval=0.5):
    if step in (0, 10, 30, 60, 90, 150):
        kept[step] = {name: listen(recogniser, name) for name in HELD_OUT}
    frames, lengths, texts = joined(chance)
    scores = recogniser(frames).transpose(0, 1)  # F.ctc_loss wants (T, B, C)
    loss = F.ctc_loss(scores, torch.cat(texts), lengths, torch.tensor([len(text) for text in texts]))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(recogniser.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    losses.append(loss.item())
recogniser.eval()
kept[STEPS] = {name: listen(recogniser, name) for name in HELD_OUT}
print(f"{sum(p.numel() for p in recogniser.parameters())} weights, {time.process_time() - start:.0f} s of CPU")

# %% [markdown] lang="en"
# ## Reading what it says
#
# The quickest way to a text: take the likeliest class of each frame, which is the **best path**, and collapse it.
#
# ### Exercise 9.5 · Greedy decoding · ★☆☆ · 8 min · 2 points
#
# Write `greedy_decode` for a batch.
#
# - Recording b has `lengths[b]` real frames, 1 at least; the frames after them are padding and may hold anything.
# - Recordings know nothing of each other: one may begin with the label that another ends with.
# - A recording in which every frame is blank gives an empty list.
# - However unsure a frame is, its likeliest class counts.
#
# You may call your `collapse`, or do the same here with `itertools.groupby`.
#
# <details><summary>Hint 1: in order</summary>
#
# `argmax` over the classes, cut at the length, collapse.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `log_probs.argmax(-1).tolist()` is a list of paths. Zip it with `lengths.tolist()`, and collapse `path[:length]`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "greedy_decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def greedy_decode(log_probs: torch.Tensor, lengths: torch.Tensor, blank: int = 0) -> list[list[int]]:
    """The labelling of the best path of each recording.

    Args:
        log_probs: `(B, T, C)`.
        lengths: real frames of each recording, `(B,)` int64, 1 to T.
        blank: the class of the blank.

    Returns:
        One list of labels (int) for each recording.
    """
    ### BEGIN SOLUTION
    texts = []
    for path, length in zip(log_probs.argmax(-1).tolist(), lengths.tolist(), strict=True):
        texts.append([label for label, _ in groupby(path[:length]) if label != blank])
    return texts
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_greedy_decode", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(greedy_decode)
two_recordings = F.one_hot(torch.tensor([[1, 1, 0, 1], [0, 2, 2, 1]]), 3).float().log_softmax(-1)
print(greedy_decode(two_recordings, torch.tensor([4, 3])), "expected: [[1, 1], [2]]")
print(greedy_decode(two_recordings, torch.tensor([2, 1])), "expected: [[1], []]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(greedy_decode)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# How the recogniser learned. Above the loss, below what your function reads at each step that was kept, from a
# recording that it never trained on.

# %% tags=["demo"]
def read(scores):
    """Your greedy text of one recording's log-probabilities (T, 28)."""
    return text_of(greedy_decode(scores[None], torch.tensor([len(scores)]))[0])


name = HELD_OUT[0]
for step, said in kept.items():
    blanks = (said[name].argmax(-1) == 0).float().mean()
    print(f"step {step:3}: blank wins in {blanks:4.0%} of the frames; reads: {read(said[name])!r}")
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
axes.plot(losses, color="#0072B2", linewidth=1)
axes.set(title="CTC loss of the training batches", xlabel="step", ylabel="loss for each letter", yscale="log")
for step in list(kept)[1:-1]:
    axes.axvline(step, color="#999999", linewidth=0.8, linestyle=":")
show(figure, f"The loss falls from {losses[0]:.1f} to {sum(losses[-20:]) / 20:.2f} for each letter (mean of the last 20 "
     "steps). Dotted lines: the steps whose reading is printed above.")

# %% [markdown] lang="en"
# First it learns to say **nothing**: blank in every frame, an empty text. That is the cheapest thing to learn, because
# every text has a path full of blanks with a few letters somewhere, wherever they are. A loss that stays on this plateau
# for long is the most common trouble in training with CTC; it is not stuck, it is about to find the letters.
#
# How good is it? The **character error rate** (CER) of unit 12: edits needed, over the letters of the truth.
# **Predict** three numbers: for phrases it trained on, for the held-out recordings of the same voice, and for a man
# who reads Jane Austen.

# %% tags=["demo"]
def error_rate(pairs):
    """Edits over characters of the truth, for pairs (truth, heard)."""
    edits = sum(torchaudio.functional.edit_distance(truth, text) for truth, text in pairs)
    return edits / sum(len(truth) for truth, _ in pairs)


trained = []
with torch.no_grad():
    for frames, text in phrases:
        padded = torch.cat([SILENCE.expand(10, 40), frames, SILENCE.expand(10, 40)])
        trained.append((text, read(recogniser(padded[None])[0])))
unheard = [(load_transcript(name), read(kept[STEPS][name])) for name in HELD_OUT]
man = [(load_transcript("austen-0930"), read(listen(recogniser, "austen-0930")))]
for title, pairs in {"trained on": trained, "held out, same voice": unheard, "another voice, other words": man}.items():
    print(f"{title:27} CER {error_rate(pairs):.2f}")
print(f"held out against trained on: {error_rate(unheard) / error_rate(trained):.1f} times as many errors")
for truth, text in [*unheard, *man]:
    print(f"   said {truth!r}\n   read {text!r}")

# %% [markdown] lang="en"
# Three numbers, one lesson: it knows *these* phrases best, makes about twice as many errors with the same words of the
# same voice in recordings it has not heard, and has learned hardly anything that would help a stranger. This is
# **overfitting**, and with two minutes of speech it can't be otherwise. The number to report is never the first. (Unit 13 does it again with all 63 words and a test that was planned.)
#
# ## Peaks, and what blank means
#
# What does the network say, frame by frame? **Predict** for the recording below: in how many of its frames does the
# blank win? And in the frames in which the voice is loud?

# %% tags=["demo"]
name = HELD_OUT[0]
waveform = F.pad(load_clip(name), (1600, 1600))
scores = listen(recogniser, name)
shares = scores.exp()
seconds = torch.arange(len(scores)) * FRAME / 16_000
levels = 10 * waveform[: len(scores) * FRAME].reshape(-1, FRAME).square().mean(1).clamp_min(1e-10).log10()
loud = levels > levels.max() - 20
blank_wins = scores.argmax(-1) == 0
OKABE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
figure, rows = plt.subplots(3, 1, figsize=(12, 6), sharex=True, height_ratios=(2, 1, 2), layout="constrained")
draw_frames(rows[0], log_mel(waveform), f"“{load_transcript(name)}”")
rows[1].plot(seconds, levels, color="black", linewidth=1)
rows[1].axhline(levels.max() - 20, color="#999999", linestyle="--", linewidth=1)
rows[1].set(ylabel="level (dB)", ylim=(-70, -10))
rows[2].fill_between(seconds, shares[:, 0], color="#cccccc", step="mid", label="blank")
for label in range(1, len(ALPHABET)):
    if (shares[:, label] > 0.3).any():
        colour = OKABE[label % 6]
        rows[2].plot(seconds, shares[:, label], color=colour, linewidth=1.2)
        for t in (shares[:, label] > 0.4).nonzero()[:, 0].tolist():
            if t + 1 == len(shares) or shares[t, label] >= shares[max(t - 1, 0) : t + 2, label].max():
                rows[2].text(seconds[t], shares[t, label] + 0.03, ALPHABET[label].replace(" ", "␣"), color=colour,
                             ha="center", fontsize=9)
rows[2].set(ylabel="probability", xlabel="time (s)", ylim=(0, 1.2), xlim=(0, seconds[-1]))
rows[2].legend(loc="upper right", fontsize=8)
show(figure, f"Spectrogram, level, and the network's probabilities. Letters are narrow peaks; the grey blank wins in "
     f"{blank_wins.float().mean():.0%} of all frames, and in {blank_wins[loud].float().mean():.0%} of the loud ones "
     "(within 20 dB of the loudest, above the dashed line).")
width = torch.tensor([len(list(run)) for label, run in groupby(scores.argmax(-1).tolist()) if label], dtype=torch.float)
print(f"where a letter wins, it wins for {width.mean():.1f} frames on average, {width.mean() * 20:.0f} ms")
print(f"blank wins in {blank_wins[loud].sum()} of the {loud.sum()} loud frames; "
      f"a letter or a space wins in {(~blank_wins[~loud]).sum()} of the {(~loud).sum()} others")

# %% [markdown] lang="en"
# Two things that most people get wrong:
#
# - **Blank is not silence, and silence is not the space.** Blank wins in loud vowels as well: it means nothing *new* to
#   write. It also wins in nearly all quiet frames. The space is a letter like others: written once, where one word ends,
#   often without any pause.
# - **CTC is peaky.** It writes a letter in one or two frames and goes back to blank; it does not mark how long the letter
#   lasts. One frame is all that the loss asks for.
#
# Where the soft targets come from can be drawn too: γ, from the gradient of *your* function (its gradient for the logits is
# γ − y, so y is added), for this recording and its true text, at three moments of the training. Each row is a letter of the text, top to bottom. **Predict** the picture at step
# 0, when the network knows nothing.

# %% tags=["demo"]
ctc_log_likelihood = solved(ctc_log_likelihood)
def occupancy(scores, text):
    """(letters, T): the share of the text's probability with each letter at each frame; doubled letters share a row."""
    rows = [letter for letter, _ in groupby(text)]
    index = torch.tensor([place + 1 for place, (_, run) in enumerate(groupby(text)) for _ in run])
    raw = torch.cat([scores[:, :1], scores[:, letters("".join(rows))]], dim=1).detach().requires_grad_()
    (slope,) = torch.autograd.grad(ctc_log_likelihood(raw.log_softmax(-1), index), raw)
    gamma = slope + raw.detach().softmax(-1)  # the gradient of ln P with respect to the logits is γ − y
    return gamma[:, 1:].T, rows


def word_ticks(rows, text):
    """Where each word begins among the rows, and the words."""
    return [0, *[place + 1 for place, letter in enumerate(rows) if letter == " "]], text.split()


name = HELD_OUT[0]
text = load_transcript(name)
figure, trio = plt.subplots(1, 3, figsize=(12, 5.5), sharey=True, layout="constrained")
for axes, step in zip(trio, (0, 90, STEPS), strict=True):
    gamma, rows = occupancy(kept[step][name], text)
    image = axes.imshow(gamma, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest",
                        extent=(0, gamma.shape[1] * 0.02, len(rows) - 0.5, -0.5))
    axes.set(title=f"step {step}: highest {gamma.max():.2f}", xlabel="time (s)")
trio[0].set_yticks(*word_ticks(rows, text))
trio[0].set_ylabel("letters of the text (ll is one row)")
figure.colorbar(image, ax=trio, label="γ: share of the text's probability")
show(figure, "γ for the true text. At step 0 each letter is spread over a wide stretch around the diagonal; at the end "
     "every letter has a frame or two almost for itself.")

# %% [markdown] lang="en"
# At the beginning almost nothing but the text decides: the first letter is early, the last is late, and in between everything is
# possible. Nobody ever told the network more than that. The rest it found out because *please* sounds alike wherever it
# is said.
#
# ## The best path is not the best text
#
# Greedy decoding takes the likeliest path. But a text has many paths. Two frames, blank 0.6 and *a* 0.4 in each:
#
# | path | probability | text |
# |---|---|---|
# | `_ _` | 0.36 | nothing |
# | `_ a` | 0.24 | a |
# | `a _` | 0.24 | a |
# | `a a` | 0.16 | a |
#
# The best path spells nothing (0.36). The best text is *a*, with 0.24 + 0.24 + 0.16 = **0.64**.
#
# To find the best text, keep several beginnings of texts (**prefixes**) and add up the paths of each: the **prefix beam
# search**. A prefix carries two numbers: the probability of its paths that end in a **blank**, $b$, and of those that end
# in its last **label**, $n$. They must be kept apart, because they go on differently. When the next frame says
#
# - the blank: the prefix stays as it is; $(b + n) \cdot y(\_)$ goes to its new $b$;
# - a label other than its last: the prefix grows; $(b + n) \cdot y(c)$ goes to the longer prefix's new $n$;
# - its last label again: paths that end in the label merely hold it, so $n \cdot y(c)$ goes to the **same** prefix's new
#   $n$; paths that end in a blank say it a second time, so $b \cdot y(c)$ goes to the **longer** prefix's new $n$.
#
# The empty prefix begins with $b = 1$, $n = 0$. After each frame only the `beam_width` prefixes with the largest $b + n$
# are kept; what was dropped stays dropped. By hand for the two frames: after the first, nothing has (0.6, 0) and *a* has
# (0, 0.4). The second gives nothing (0.36, 0), and *a*: $b = 0.4 \cdot 0.6 = 0.24$, $n = 0.6 \cdot 0.4 + 0.4 \cdot 0.4 =
# 0.40$, together 0.64.
#
# ### Exercise 9.6 · Prefix beam search · ★★★ · 30 min · 4 points
#
# Write `beam_search_decode` for one recording.
#
# - It returns the best labelling that is left at the end, as a list, and the **logarithm** of its $b + n$ as a Python
#   float. The labelling may be empty.
# - Every prefix is kept once, and takes one place in the beam.
# - Work with logarithms (or bring the numbers back to a sum of 1 after each frame and remember by how much): 400 frames
#   of doubt must not become 0.
# - With a beam wide enough to lose nothing, the answer is the one that trying every path would find.
# - `blank` may be another class.
#
# The cell below gives you `log_add`. Plain Python is fast enough, if you take `log_probs.tolist()` once.
#
# <details><summary>Hint 1: what holds the beam</summary>
#
# A dictionary from prefix (a tuple of labels) to a pair of logarithms. For each frame make a new one; several prefixes
# of the old one may give to the same prefix of the new one, and what they give is added with `log_add`.
#
# </details>
# <details><summary>Hint 2: a dictionary that starts at −∞</summary>
#
# `grown = defaultdict(lambda: [-math.inf, -math.inf])` gives every new prefix its pair. `labels[-1:] == (label,)` asks
# whether the label is the prefix's last one, also for the empty prefix.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# For each prefix with (b, n) and `both = log_add(b, n)`, for each class with its score: if it is the blank, add
# `both + score` to `grown[labels][0]`. If it is the last label, add `n + score` to `grown[labels][1]` and `b + score` to
# `grown[(*labels, label)][1]`. Otherwise add `both + score` to `grown[(*labels, label)][1]`. Then sort by
# `log_add(*pair)`, largest first, and keep `beam_width`.
#
# </details>

# %%
def log_add(one: float, other: float) -> float:
    """ln(eᵃ + eᵇ) of two Python floats; either may be −∞."""
    low, high = sorted((one, other))
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


# %% nbgrader={"grade": false, "grade_id": "beam_search_decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def beam_search_decode(log_probs: torch.Tensor, beam_width: int, blank: int = 0) -> tuple[list[int], float]:
    """Prefix beam search: the most probable labelling among those that stay in the beam.

    Args:
        log_probs: `(T, C)`.
        beam_width: how many prefixes are kept after each frame, at least 1.
        blank: the class of the blank.

    Returns:
        (labels, log-probability): a list of int and a float.

    Source: Hannun et al. 2014, without a language model.
    """
    ### BEGIN SOLUTION
    beam = {(): [0.0, -math.inf]}  # prefix → log-probability of paths that end in a blank, in a label
    for frame in log_probs.tolist():
        grown = defaultdict(lambda: [-math.inf, -math.inf])
        for labels, (in_blank, in_label) in beam.items():
            both = log_add(in_blank, in_label)
            for label, score in enumerate(frame):
                longer = grown[(*labels, label)] if label != blank else grown[labels]
                if label == blank:
                    longer[0] = log_add(longer[0], both + score)
                elif labels[-1:] == (label,):
                    longer[1] = log_add(longer[1], in_blank + score)
                    grown[labels][1] = log_add(grown[labels][1], in_label + score)
                else:
                    longer[1] = log_add(longer[1], both + score)
        ranked = sorted(grown.items(), key=lambda item: log_add(*item[1]), reverse=True)
        beam = dict(ranked[:beam_width])
    labels, pair = next(iter(beam.items()))
    return list(labels), log_add(*pair)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_beam_search_decode", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check(beam_search_decode)
print(beam_search_decode(torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log(), 4), "expected: ([1], ln 0.64 = −0.4463)")
print(beam_search_decode(torch.tensor([[0.9, 0.1]]).log(), 4), "expected: ([], ln 0.9 = −0.1054)")
print(beam_search_decode(FOUR_FRAMES.log(), 50), "expected: ([1, 2], ln 0.4992 = −0.6947)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(beam_search_decode)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Does it matter in practice? Here are readings of your recogniser, half trained and trained, where the two searches
# differ (at most two of each are printed). How likely each text is, over all of its paths, is computed by your `ctc_log_likelihood`. **Predict:** can the
# beam's text be less likely than the greedy one?

# %% tags=["demo"]
greedy_decode = solved(greedy_decode)
differ = dict.fromkeys((150, STEPS), 0)
for step, name in product(differ, HELD_OUT):
    scores = kept[step][name]
    labels, score = beam_search_decode(scores, 8)
    if text_of(labels) == read(scores):
        continue
    differ[step] += 1
    if differ[step] <= 2:
        greedy = ctc_log_likelihood(scores, letters(read(scores))).item()
        exact = ctc_log_likelihood(scores, torch.tensor(labels, dtype=torch.int64)).item()
        print(f"step {step}, {load_transcript(name)!r}")
        print(f"   greedy  ln P = {greedy:7.3f}  {read(scores)!r}")
        print(f"   beam 8  ln P = {exact:7.3f}  {text_of(labels)!r}; found by the search: {score:.3f}")
for step, count in differ.items():
    print(f"step {step}: the two differ in {count} of the {len(HELD_OUT)} recordings")
print()
scores = kept[150][HELD_OUT[0]]
print(f"step 150, {load_transcript(HELD_OUT[0])!r}, your beam at several widths:")
for width in (1, 2, 4, 8, 16):
    labels, score = beam_search_decode(scores, width)
    print(f"   {width:2}: {score:8.3f}  {text_of(labels)!r}")

# %% [markdown] lang="en"
# It can, in principle: a prefix that was dropped on the way may have been the beginning of the best text, and nothing
# promises that what is left beats the best path's text. What the search found is never more than the true probability,
# because it has dropped paths. A wider beam finds more as a rule, not always. And the better a network is trained, the
# less there is to gain, because nearly all of the probability lies on paths of one text. The beam earns its place when a
# **language model** scores the prefixes as well, as in wav2vec 2.0's published results. CTC itself has no idea which
# words exist; here is why.
#
# ## Frames that do not know of each other
#
# Someone says *there*, or *their*; they sound the same, and half of the texts it was trained on had one and half the
# other. The network has learned it perfectly: t, h, e for sure, then in one frame i or r, in the next r or e, each with
# one half. **Predict:** which texts does CTC find likely?

# %% tags=["demo"]
kinds = "_their"
spoken = torch.full((5, 6), 1e-9)
for t, options in enumerate(("t", "h", "e", "ir", "re")):
    for letter in options:
        spoken[t, kinds.index(letter)] = 1 / len(options)
print("CTC, one frame for each letter:")
for text in ("there", "their", "ther", "theie"):
    likelihood = ctc_log_likelihood(spoken.log(), torch.tensor([kinds.index(letter) for letter in text])).exp()
    print(f"   P({text}) = {likelihood:.3f}")
print("A decoder that sees what it has written, with the same halves:")
after = {"i": {"r": 1.0}, "r": {"e": 1.0}}  # the next letter, given the one before it
for text in ("there", "their", "ther", "theie"):
    print(f"   P({text}) = {0.5 * after[text[3]].get(text[4:], 0.0):.3f}")
labels = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H.get_labels()
print(f"\nwav2vec 2.0, fine-tuned with CTC: {len(labels)} classes a frame, the blank is written {labels[0]!r}: {''.join(labels)}")

# %% [markdown] lang="en"
# Two spellings that nobody uses are as likely as the right ones (*ther* is r and r, merged). Each frame makes its own
# choice, and the product knows
# nothing of the others: **conditional independence**. (The frames' *scores* may depend on the whole recording, through
# attention; their *choices* do not.) A decoder that reads what it has written, as in unit 6, does not have this problem;
# it can't align either.
#
# This settles a line of the article: its table of losses names, beside CTC, “Wav2Vec2, Whisper”. **Whisper is not trained with CTC**: it writes token after token with
# cross-entropy, has no blank, and its tokens are not tied to frames. **wav2vec 2.0** is trained with CTC only in
# its second part, the fine-tuning, when it gets the letters printed above; before that it has no letters at all (unit 4).
#
# ## Pointing at words
#
# Now turn it round. The text is known, and we ask *when*. That is **forced alignment**: the likeliest of the paths that
# collapse to the text. The trellis is the same; where several ways lead into a cell, take the **largest** instead of the
# sum, and remember which it was. At the end walk back.
#
# By hand, on the four frames and *ab*, the likeliest path is `a a _ b`: 0.6 · 0.5 · 0.5 · 0.7 = 0.105. (It also is the
# first line of the list that your brute force printed.)
#
# ### Exercise 9.7 · Forced alignment · ★★☆ · 20 min · 3 points
#
# Write `forced_align` for one recording.
#
# - The steps are those of the trellis: stay, next, jump over a blank to a different label. The path begins in one of the
#   first two states and ends in one of the last two.
# - An empty target has the path of nothing but blanks.
# - `ValueError` where no path exists, also where only the blanks between equal labels do not fit.
# - `blank` may be another class. A sentence of 400 frames takes well under five seconds.
#
# torchaudio's `forced_align` is there to compare with.
#
# <details><summary>Hint 1: what to remember</summary>
#
# For each frame after the first, a list with one entry a state: the number of the state that the best way comes from.
#
# </details>
# <details><summary>Hint 2: the way back</summary>
#
# Start from the better of the last two states. Go through the remembered lists from the last to the first:
# `state = came_from[state]`. That gives the states backwards.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# `best = [-math.inf] * len(states)`, but for the first two. For each frame and state `s`, the candidates are `s`, `s - 1`
# and perhaps `s - 2`; `source = max(candidates, key=lambda k: best[k])`; the new best is `best[source]` plus the frame's
# score of that state. If the best of the last two is −∞ at the end, there is no path.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "forced_align", "locked": false, "schema_version": 3, "solution": true, "task": false}
def forced_align(log_probs: torch.Tensor, target: torch.Tensor, blank: int = 0) -> list[int]:
    """The likeliest path that collapses to the target.

    Args:
        log_probs: `(T, C)`, T ≥ 1.
        target: the labels, `(S,)` int64, none of them the blank; may be empty.
        blank: the class of the blank.

    Returns:
        T class numbers.

    Raises:
        ValueError: where no path of T frames collapses to the target.
    """
    ### BEGIN SOLUTION
    states = [blank]
    for label in target.tolist():
        states += [label, blank]
    frames = log_probs[:, states].tolist()
    best = [score if s < 2 else -math.inf for s, score in enumerate(frames[0])]
    came_from = []
    for frame in frames[1:]:
        sources = []
        for s, label in enumerate(states):
            candidates = [k for k in (s, s - 1) if k >= 0]
            if s > 2 and label not in (blank, states[s - 2]):
                candidates.append(s - 2)
            sources.append(max(candidates, key=lambda k: best[k]))
        best = [best[source] + score for source, score in zip(sources, frame, strict=True)]
        came_from.append(sources)
    state = max(range(len(states))[-2:], key=lambda k: best[k])
    if best[state] == -math.inf:
        raise ValueError(f"{len(target)} labels do not fit into {len(log_probs)} frames")
    path = [state]
    for sources in reversed(came_from):
        path.append(sources[path[-1]])
    return [states[s] for s in reversed(path)]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_forced_align", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(forced_align)
print(forced_align(FOUR_FRAMES.log(), torch.tensor([1, 2])), "expected: [1, 1, 0, 2]")
print(forced_align(FOUR_FRAMES.log(), torch.tensor([1, 1])), "expected: [1, 1, 0, 1], 0.6 · 0.5 · 0.5 · 0.1")
try:
    print(forced_align(FOUR_FRAMES.log(), torch.tensor([1, 1, 1])), "expected: a ValueError")
except ValueError as error:
    print(f"ValueError ({error}), as expected: aaa needs 5 frames")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(forced_align)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# A recording that your recogniser has never heard, and its text. The orange squares in the lower picture are your
# path through the letters of the text, over γ, the sum of all paths. **Predict:** what comes out if you force a *wrong* text onto the same recording?

# %% tags=["demo"]
name = HELD_OUT[0]
text = load_transcript(name)
scores = kept[STEPS][name]
path = forced_align(scores, letters(text))
gamma, rows = occupancy(scores, text)
places, place, before = [], -1, 0
for entry in path:
    place += entry not in (0, before) and not (place >= 0 and ALPHABET[entry] == rows[place])
    places.append(place if entry else math.nan)
    before = entry
figure, pair = plt.subplots(2, 1, figsize=(12, 7.5), sharex=True, height_ratios=(1, 2), layout="constrained")
draw_frames(pair[0], log_mel(F.pad(load_clip(name), (1600, 1600))), f"“{text}”")
image = pair[1].imshow(gamma, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest",
                       extent=(0, len(path) * 0.02, len(rows) - 0.5, -0.5))
pair[1].plot(torch.arange(len(path)) * 0.02 + 0.01, places, "s", color="#E69F00", markersize=4, markerfacecolor="none")
pair[1].set_yticks(*word_ticks(rows, text))
pair[1].set(xlabel="time (s)", ylabel="letters of the text (ll is one row)", title="all paths (colour) and the best one (orange squares)")
figure.colorbar(image, ax=pair[1], label="γ")
show(figure, f"The likeliest path of {len(path)} frames, {sum(1 for entry in path if entry)} of them letters or spaces, the "
     "others blank. It runs where γ, the sum over all paths, is high.")
for forced in (text, "press one to call this number"):
    path = forced_align(scores, letters(forced))
    each = sum(scores[t, entry].item() for t, entry in enumerate(path)) / len(path)
    print(f"{each:6.2f} for each frame on average: {forced!r}")

# %% [markdown] lang="en"
# A forced alignment never refuses: it puts any text somewhere. Only the score shows that the second text was not said.
#
# ## How long is each letter?
#
# A text-to-speech model of the FastSpeech family needs the opposite of recognition: how many frames does each sound of
# the text last? Its ground truth is made from an alignment (FastSpeech takes it from a teacher's attention, FastSpeech 2
# from a forced aligner). The article's example gives *사랑해* in seconds: 0.12, 0.26 and 0.22. With frames of 20 ms that
# is 6, 13 and 11, thirty frames together.
#
# But our paths are full of blanks, which belong to no letter. The rule here: **a blank frame belongs to the label before
# it**, because a letter is written when it is recognised and then goes on sounding; blanks before the first label belong
# to the first.
#
# ### Exercise 9.8 · Durations · ★★☆ · 10 min · 2 points
#
# Write `path_to_durations`: the number of frames of each label of the target.
#
# - Durations add up to the length of the path. The target is not empty, and the path collapses to it.
# - A doubled label has two durations: the second begins after the blank.
# - A label that occurs again later has a duration each time.
# - `blank` may be another number.
#
# <details><summary>Hint 1: when does the next label begin?</summary>
#
# At a frame that is not blank and differs from the frame before. Every other frame belongs to the label that is running.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `place` counts from −1 and goes up by one whenever a label begins; `durations[max(place, 0)] += 1` at every frame.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "path_to_durations", "locked": false, "schema_version": 3, "solution": true, "task": false}
def path_to_durations(path: list[int], target: list[int], blank: int = 0) -> list[int]:
    """How many frames each label of an aligned target lasts; blanks count for the label before them.

    Args:
        path: one class number for each frame; collapses to the target.
        target: the labels, at least one.
        blank: the number of the blank.

    Returns:
        One number of frames for each label; they add up to the length of the path.
    """
    ### BEGIN SOLUTION
    durations = [0] * len(target)
    place, before = -1, blank
    for entry in path:
        if entry not in (blank, before):
            place += 1
        durations[max(place, 0)] += 1
        before = entry
    return durations
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_path_to_durations", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(path_to_durations)
print(path_to_durations([0, 1, 1, 0, 2, 0, 0], [1, 2]), "expected: [4, 3]")
print(path_to_durations([1, 0, 1, 1], [1, 1]), "expected: [2, 2]")
print(path_to_durations([1] * 6 + [2] * 13 + [3] * 11, [1, 2, 3]), "expected: [6, 13, 11], 사랑해")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(path_to_durations)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Cut the recording word by word, by your two functions: a word begins with the space before it and ends where the next
# space begins. Listen to each. **Predict:** will the words begin too early or too late? Two things pull in opposite ways:
# a letter is written once it has been recognised, and the border is a space's, not a letter's.

# %% tags=["demo"]
forced_align = solved(forced_align)
def words_of(name):
    """(word, first frame, end frame) for each word of a recording, by forced_align and path_to_durations."""
    text = load_transcript(name)
    lasts = path_to_durations(forced_align(kept[STEPS][name], letters(text)), letters(text).tolist())
    begins = [sum(lasts[:place]) for place in range(len(text) + 1)]
    found, place = [], 0
    for word in text.split():
        first = max(place - 1, 0)  # the space before the word
        found.append((word, begins[first], begins[place + len(word)]))
        place += len(word) + 1
    return found


name = HELD_OUT[0]
waveform = F.pad(load_clip(name), (1600, 1600))
spoken_words = words_of(name)
figure, axes = plt.subplots(figsize=(12, 3.6), layout="constrained")
draw_frames(axes, log_mel(waveform), "A recording that was never heard, cut into words by the recogniser")
for place, (word, first, end) in enumerate(spoken_words):
    axes.axvspan(first * 0.02, end * 0.02, ymin=0.9, color=OKABE[place % 6])
    axes.axvline(first * 0.02, color="white", linewidth=1.2)
    axes.text((first + end) * 0.01, 38, word, ha="center", va="center", fontsize=9, fontweight="bold", color="black")
axes.set_xlabel("time (s)")
show(figure, f"The spectrogram of {name} with the {len(spoken_words)} words and their borders; the longest word, "
     f"{max(spoken_words, key=lambda one: one[2] - one[1])[0]}, lasts "
     f"{max(end - first for _, first, end in spoken_words) * 20} ms. The first and the last word take in the silence at the "
     "ends: the rule gives blanks to a letter.")
play(waveform, "the whole recording")
for word, first, end in spoken_words:
    play(waveform[first * FRAME : end * FRAME], f"{word}: {first * 0.02:.2f} to {end * 0.02:.2f} s")

# %% [markdown] lang="en"
# How near is it? The phrases of the course were cut by another aligner, pocketsphinx, which has models of sounds and
# knows how long they last. Where one of its phrases begins inside a held-out recording, the two can be compared.

# %% tags=["demo"]
for name in HELD_OUT[:2]:
    found = words_of(name)
    place = 0
    for one in (one for one in phrases_of_the_course() if one.name == name):
        first = one.text.split()
        word, begin, _ = found[place]
        theirs, yours = one.start + 0.02 * (place > 0), begin * 0.02 - 0.1  # their cuts are 20 ms wide
        if place:
            print(f"{name}: {word!r} begins at {theirs:.2f} s (pocketsphinx), {yours:.2f} s (yours): {(yours - theirs) * 1000:+.0f} ms")
        place += len(first)

# %% [markdown] lang="en"
# Minus is early, plus is late. Both come out a little **early**, though each letter is late: the border is where the
# *space* was written, while the word before was dying away.
#
# Good enough to listen to. Two places are no measurement, though, and a caution is due: CTC was never asked *when*, only
# *what*, and a network may write a letter early or late at no cost. (Train on a few whole sentences, and it may write a
# word's letters far from the word: the text is right, and that is all the loss wants. Here the phrases were paired at
# random, which leaves the network little but the sound to go by.) For durations that a synthesiser learns from, aligners
# with models of how long sounds last are still preferred.

# %% [markdown] lang="en"
# ## What just happened
#
# - CTC sums over all alignments, so no one has to make them. Most people get the jump wrong: it is forbidden between
#   equal labels, and a text that does not fit has probability 0, not a small one.
# - Blank is *nothing new*, not silence; CTC's letters are peaks, first it learns to write nothing at all, and the best
#   path is not always the best text.
# - Frames choose independently: spelling needs a language model or a decoder. wav2vec 2.0 and HuBERT are fine-tuned with
#   CTC; **Whisper is not**: it is trained by cross-entropy on the next token.
# - Forced alignment gives FastSpeech-like models their durations. HiFi-GAN, which makes the waveform from a mel spectrogram
#   (unit 11), has no need of it: its frames and samples are in step.
#
# To read: [CTC](https://www.cs.toronto.edu/~graves/icml_2006.pdf) (Graves et al. 2006);
# [prefix beam search](https://arxiv.org/abs/1408.2873) (Hannun et al. 2014);
# [Sequence Modeling with CTC](https://distill.pub/2017/ctc/) (Hannun 2017), the best pictures of it;
# [Why does CTC result in peaky behavior?](https://arxiv.org/abs/2105.14849) (2021);
# [CTC-Segmentation](https://arxiv.org/abs/2007.09127) (2020); [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020),
# [FastSpeech](https://arxiv.org/abs/1905.09263) (2019), [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020),
# [Whisper](https://arxiv.org/abs/2212.04356) (2022).
#
# **Next: unit 10, output heads.** One trunk, and what is put on top of it: letters, a spectrogram, or a class.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("09_ctc")
