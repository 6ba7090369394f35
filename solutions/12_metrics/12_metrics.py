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
# # 12 · How many errors, how far off
#
# You build the three numbers by which speech systems are judged, and find out where each of them lies.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 150 minutes · about 12 CPU seconds · you need: units 00 to 03 (strings, tensors, log-mel spectrograms)
#
# You will be able to
# - score a recogniser by CER and WER as the field does, in English and in Korean;
# - score a resynthesis by MCD, with and without time warping, and say which definition you used;
# - name, for each of the three, something bad that it does not see and something harmless that it punishes.

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
import unicodedata
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
import torchaudio
from IPython.display import HTML, display
from librosa.sequence import dtw as librosa_dtw  # the very first time on a machine this takes some ten seconds

from grader.notebook import use_hangul_font

use_hangul_font()  # so that pictures can show 한글

# %% [markdown] lang="en"
# ## Which answer is best?
#
# Listen, then read three answers. **Before you go on, put them in order, best first.** How did you decide?

# %% tags=["demo"]
play(load_clip("tt-weasels"), "A telephone exchange explains itself.")
print("A: Weasels have eaten our phone system!")
print("B: we souls have eaten our phone system")
print("C: weasels have beaten our phone sister")
print(f"\nwhat was said: {load_transcript('tt-weasels')}")

# %% [markdown] lang="en"
# A is what a person would write. But compare it with the transcript as strings, and two of its six words are wrong:
# *Weasels* is not *weasels*, and *system!* is not *system*. C has two wrong words, too. So the first thing a score needs
# is an agreement on what counts as a difference.
#
# Some words for this unit. The **reference** is what was really said, written by a person (the articles that this
# course grew from call it GT, *ground truth*). The **hypothesis** is what the recogniser wrote. A **token** is the unit
# that is compared: a word, a character, a letter.
#
# *An honest label:* no recogniser runs in this unit. The hypotheses that you meet are written by hand, after the kinds
# of error that recognisers make. In unit 13 you score your own recogniser with the same functions.
#
# ## Cleaning before comparing
#
# Cleaning (the papers say **normalising**) is done to both sides:
#
# 1. **NFC.** Unicode can write 한 as one code point, or as three: ㅎ, ㅏ, ㄴ, which the screen puts together. They look
#    the same and are different strings. NFC is the normal form that puts the pieces together; NFD takes them apart.
#    Files from a Mac often hold NFD.
# 2. **Lower case.**
# 3. **No punctuation.** Unicode gives each character a category of two letters; all kinds of punctuation begin with P
#    (`!` is Po, `-` is Pd, `“` is Pi, `_` is Pc). Symbols begin with S: `$`, `+` and `€` are symbols, and stay.
# 4. **White space.** Each run of it (spaces, tabs, line breaks) becomes one space; none is left at the ends.
#
# By hand: “` So – it's  OK!`” → lower case → “` so – it's  ok!`” → no punctuation → “` so  its  ok`” → “`so its ok`”. Note that
# the dash left *two* spaces behind. That decides the order of the steps.
#
# ### Exercise 12.1 · Clean text · ★☆☆ · 8 min · 2 points
#
# Write `normalize_text`: the four steps above.
#
# - Punctuation is removed, not replaced by a space: *it's* becomes *its*.
# - Nothing else changes: ½ stays ½ (another normal form, NFKC, would rewrite it), ß stays ß, ı stays ı, symbols stay,
#   and so do the vowel signs of नमस्ते, whose categories begin with M.
# - Text of nothing but punctuation gives the empty string.
#
# <details><summary>Hint 1: the tools</summary>
#
# `unicodedata.normalize("NFC", text)` and `unicodedata.category(character)`. And `text.split()` without an argument
# splits at any run of white space.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Normalise, `.lower()`, then keep with `"".join(...)` the characters whose category does not start with "P". At the end,
# `" ".join(kept.split())` does all of step 4.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "normalize_text", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalize_text(text: str) -> str:
    """Text as it is compared: NFC, lower case, no punctuation, single spaces.

    Args:
        text: any string.

    Returns:
        The cleaned string; words are separated by one space, and no space is at the ends.
    """
    ### BEGIN SOLUTION
    lower = unicodedata.normalize("NFC", text).lower()
    kept = "".join(character for character in lower if not unicodedata.category(character).startswith("P"))
    return " ".join(kept.split())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_normalize_text", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(normalize_text)
print(repr(normalize_text(" So – it's  OK!")), "expected: 'so its ok'")
print(repr(normalize_text("“Weasels…” cost $5.\n")), "expected: 'weasels cost $5'")
print(len(normalize_text(unicodedata.normalize("NFD", "사랑해"))), "expected: 3 characters, not 7 pieces")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(normalize_text)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Seven of the course's recordings, with what a recogniser in Whisper's style (capitals and punctuation included) might
# write. **Predict:** after cleaning, which of the seven are still different from what was said?

# %% tags=["demo"]
heard = {  # written by hand
    "vm-nobodyavail": "Nobody is available to take your call at the moment.",
    "tt-weasels": "We souls have eaten our phone system!",
    "confbridge-remove-last-in": "To remove the participants who most recently joined a conference.",
    "pbx-invalidpark": "I'm sorry, but there is no call parked on that extension. Please try again.",
    "austen-0930": "He might even have been made a me able himself.",
    "queue-holdtime": "The estimated whole time is currently…",
    "vm-goodbye": "Good bye.",
}
for name, raw in heard.items():
    clean, said = normalize_text(raw), normalize_text(load_transcript(name))
    print(f"{'same     ' if clean == said else 'different'}  {clean}\n      said:  {said}\n")

# %% [markdown] lang="en"
# Only the first is the same. Look at the fourth: *I'm* for *I am* is no mishearing, and no cleaning rule of ours mends
# it. Whisper's own normaliser for English also rewrites contractions, numbers and British spellings, and its published
# scores are those after it. A score belongs to a cleaning rule; say which one you used.
#
# ## Counting errors: the edit distance
#
# How different are two lists of tokens? Compare them place by place, and one missing word ruins everything after it:
#
# | place | 1 | 2 | 3 |
# |---|---|---|---|
# | reference | the | cat | sat |
# | hypothesis | cat | sat | down |
#
# Three places, three differences. Yet the recogniser only missed *the* and added *down*. So allow three kinds of
# **edit** that turn the reference into the hypothesis:
#
# - **substitution** (S): a token is replaced by another,
# - **deletion** (D): a token of the reference is missing,
# - **insertion** (I): a token was added that nobody said.
#
# The **edit distance** (or Levenshtein distance) is the smallest number of edits that does it; here 2.
#
# Trying every way is hopeless. The cell counts the ways to line up two lists of n tokens.

# %% tags=["demo"]
for n in (3, 10, 30):
    ways = sum(math.comb(n, k) * math.comb(n + k, k) for k in range(n + 1))
    print(f"{n:2} tokens against {n:2}: {ways:,} ways")

# %% [markdown] lang="en"
# But the ways share their beginnings. Let $d_{ij}$ be the distance of the first $i$ tokens of the reference to the first
# $j$ of the hypothesis. How can the last step to $d_{ij}$ look? A deletion comes from $d_{i-1,j}$, an insertion from
# $d_{i,j-1}$, and a pair of tokens from $d_{i-1,j-1}$, free if they are equal:
#
# $$ d_{ij} = \min\bigl(d_{i-1,j} + 1,\; d_{i,j-1} + 1,\; d_{i-1,j-1} + [\mathrm{ref}_i \neq \mathrm{hyp}_j]\bigr),
# \qquad d_{i0} = i, \quad d_{0j} = j $$
#
# The bracket is 1 where the tokens differ and 0 where they are equal. Fill the table row by row; the answer is in the
# corner:
#
# |  | nothing | cat | sat | down |
# |---|---|---|---|---|
# | **nothing** | 0 | 1 | 2 | 3 |
# | **the** | 1 | 1 | 2 | 3 |
# | **cat** | 2 | 1 | 2 | 3 |
# | **sat** | 3 | 2 | 1 | **2** |
#
# Solving a problem by a table of its smaller versions is called **dynamic programming**. You will need it three times
# in this unit (and CTC's forward recursion in unit 09 is one more).
#
# ### Exercise 12.2 · Edit distance · ★★☆ · 15 min · 3 points
#
# Write `edit_distance` for two lists of tokens of any kind (strings, numbers).
#
# - Two neighbours that change places are two edits.
# - One of the lists, or both, may be empty.
# - Tokens are equal where `==` says so: the number 1 is not the string `"1"`, and OK is not ok.
# - 1 000 tokens against 1 000 take less than two seconds. Plain Python lists manage that. A tensor as the table does
#   not, because reading one number from a tensor takes about a microsecond or more; and a function that calls itself,
#   even if it remembers its answers, goes deeper than Python allows (about 1 000 calls inside one another).
#
# <details><summary>Hint 1: how much of the table?</summary>
#
# To fill a row you need the row above and the cell to the left. So two lists of `len(hyp) + 1` numbers are enough.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Start with `above = list(range(len(hyp) + 1))`. For each reference token number `i` (from 1), begin `row = [i]`, then
# for each `j` append the minimum of the three: `above[j + 1] + 1`, `row[j] + 1` and `above[j] + (one != other)`. After
# the row, `above = row`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "edit_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def edit_distance(ref: list, hyp: list) -> int:
    """The smallest number of substitutions, deletions and insertions that turn one list into the other.

    Args:
        ref: tokens of the reference.
        hyp: tokens of the hypothesis.

    Returns:
        A whole number, 0 where the lists are equal.

    Source: Levenshtein 1966.
    """
    ### BEGIN SOLUTION
    above = list(range(len(hyp) + 1))
    for i, one in enumerate(ref, start=1):
        row = [i]
        for j, other in enumerate(hyp):
            row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (one != other)))
        above = row
    return above[-1]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_edit_distance", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(edit_distance)
print(edit_distance(["the", "cat", "sat"], ["cat", "sat", "down"]), "expected: 2, one deletion and one insertion")
print(edit_distance(list("사랑해"), list("사량해")), "expected: 1, one syllable")
print(edit_distance(["a", "b"], ["b", "a"]), "expected: 2")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(edit_distance)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The article's example is *사랑해* ("I love you") heard as *사량해*. The table of all beginnings, drawn by calling your
# function on each pair of them: once with syllables as tokens, once with letters (NFD). **Predict:** the corner on the
# right, before you look.

# %% tags=["demo"]
def letter_name(piece):
    """The letter ㄱ for the initial or the final ㄱ, so that it can be drawn alone; everything else as it is."""
    name = unicodedata.name(piece, "")
    for kind in ("CHOSEONG", "JUNGSEONG", "JONGSEONG"):
        if kind in name:
            return unicodedata.lookup(name.replace(kind, "LETTER"))
    return piece


figure, panels = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained", width_ratios=(4, 8))
for axes, form, title in zip(panels, ("NFC", "NFD"), ("Syllables (NFC)", "Letters (NFD)"), strict=True):
    said, written = (list(unicodedata.normalize(form, word)) for word in ("사랑해", "사량해"))
    table = torch.tensor([[edit_distance(said[:i], written[:j]) for j in range(len(written) + 1)]
                          for i in range(len(said) + 1)])
    axes.imshow(table, cmap="viridis", vmin=0, vmax=7)
    for (i, j), value in zip(torch.cartesian_prod(*map(torch.arange, table.shape)).tolist(), table.flatten().tolist(),
                             strict=True):
        axes.text(j, i, value, ha="center", va="center", color="white" if value < 4 else "black")
    axes.set_xticks(range(len(written) + 1), ["", *map(letter_name, written)])
    axes.set_yticks(range(len(said) + 1), ["", *map(letter_name, said)])
    axes.set(title=f"{title}: distance {table[-1, -1]}", xlabel="hypothesis", ylabel="reference")
show(figure, "Edit distances of all beginnings of 사랑해 and 사량해. By syllables 1 of 3 tokens is wrong, by letters "
     "1 of 7: the zeros follow the diagonal up to the wrong vowel, and every cell after it is at least 1.")

# %% [markdown] lang="en"
# One edit either way, but of 3 tokens or of 7. The choice of token decides the rate; we come back to it.
#
# ## Which errors? The alignment
#
# The distance says how many errors, not which. For that, line the two lists up so that every edit is visible: an
# **alignment**. It has H hits, S substitutions, D deletions and I insertions, and
#
# $$ H + S + D = \text{tokens of the reference},\qquad H + S + I = \text{tokens of the hypothesis},\qquad
# S + D + I = \text{distance}. $$
#
# Several alignments can be equally short. Reference *a b*, hypothesis *b c*:
#
# | | | | | hits | edits |
# |---|---|---|---|---|---|
# | two substitutions | a→b | b→c | | 0 | 2 |
# | delete, hit, insert | a→– | b→b | –→c | 1 | 2 |
#
# Both have two edits. We ask for the one with the **most hits**: somebody did hear *b*. Libraries do not promise this:
# two tools can agree on every error rate and disagree on how many of the errors were deletions.
#
# ### Exercise 12.3 · Hits, substitutions, deletions, insertions · ★★★ · 20 min · 3 points
#
# Write `error_counts`: the four counts of a shortest alignment, and of the one with the most hits where several are
# equally short. *First* as few edits as possible, *then* as many hits as possible. Tokens are compared as in
# 12.2, and 350 against 350 take less than four seconds.
#
# <details><summary>Hint 1: what each cell must know</summary>
#
# Use the same table, but let each cell hold more than the distance: the counts with which it can be reached best.
# Choosing on the way back, after the table is full, finds a shortest alignment but not always the most hits.
#
# </details>
# <details><summary>Hint 2: tuples are compared from left to right</summary>
#
# `min((2, 0), (2, -1))` is `(2, -1)`. Let a cell be `(edits, -hits, S, D, I)`: then `min` of the three candidates takes
# the fewest edits first and the most hits second.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# The first row is `[(j, 0, 0, 0, j) for j in range(len(hyp) + 1)]`, a row begins with `(i, 0, 0, i, 0)`. From the
# cell above `(e, h, s, d, n)` comes `(e + 1, h, s, d + 1, n)`; from the left `(e + 1, h, s, d, n + 1)`; from the
# diagonal `(e, h - 1, s, d, n)` where the tokens are equal, else `(e + 1, h, s + 1, d, n)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "error_counts", "locked": false, "schema_version": 3, "solution": true, "task": false}
def error_counts(ref: list, hyp: list) -> tuple[int, int, int, int]:
    """What a shortest alignment is made of.

    Args:
        ref: tokens of the reference.
        hyp: tokens of the hypothesis.

    Returns:
        (hits, substitutions, deletions, insertions), with as few errors as possible, and among such alignments as
        many hits as possible.
    """
    ### BEGIN SOLUTION
    above = [(j, 0, 0, 0, j) for j in range(len(hyp) + 1)]  # edits, −hits, S, D, I
    for i, one in enumerate(ref, start=1):
        row = [(i, 0, 0, i, 0)]
        for j, other in enumerate(hyp):
            e, h, s, d, n = above[j]
            paired = (e, h - 1, s, d, n) if one == other else (e + 1, h, s + 1, d, n)
            e, h, s, d, n = above[j + 1]
            deleted = (e + 1, h, s, d + 1, n)
            e, h, s, d, n = row[j]
            row.append(min(paired, deleted, (e + 1, h, s, d, n + 1)))
        above = row
    _, h, s, d, n = above[-1]
    return -h, s, d, n
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_error_counts", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(error_counts)
print(error_counts(["the", "cat", "sat"], ["cat", "sat", "down"]), "expected: (2, 0, 1, 1)")
print(error_counts(["a", "b"], ["b", "c"]), "expected: (1, 0, 1, 1), not (0, 2, 0, 0)")
print(error_counts(["a", "b", "c"], ["x", "y", "a"]), "expected: (0, 3, 0, 0); a hit on a would need four edits")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(error_counts)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now your counts can draw the alignment: start at the end, and step back to any neighbour whose counts fit. Each
# column below is one step; hits are white, and each error carries its letter as well as its colour.

# %% tags=["demo"]
normalize_text = solved(normalize_text)  # yours, or the library's while it is not written
KINDS = {"hit": ("#FFFFFF", ""), "S": ("#F5C77E", "S"), "D": ("#9CD3F5", "D"), "I": ("#E5B9D3", "I")}


def alignment(ref, hyp):
    """Pairs (reference token or None, hypothesis token or None, kind), by calling `error_counts` on beginnings."""
    i, j, steps = len(ref), len(hyp), []
    here = error_counts(ref, hyp)
    while i or j:
        same = i > 0 and j > 0 and ref[i - 1] == hyp[j - 1]
        ways = [(1, 1, "hit" if same else "S"), (1, 0, "D"), (0, 1, "I")]
        for di, dj, kind in ways:
            before = error_counts(ref[: i - di], hyp[: j - dj]) if di <= i and dj <= j else None
            if before and tuple(n + (kind == one) for n, one in zip(before, KINDS, strict=True)) == here:
                break
        else:
            raise ValueError(f"the counts of {ref[:i]} and {hyp[:j]} do not follow from those of their beginnings")
        here = before
        steps.append((ref[i - 1] if di else None, hyp[j - 1] if dj else None, kind))
        i, j = i - di, j - dj
    return steps[::-1]


def show_alignment(title, ref, hyp):
    """A coloured table of the alignment, with its counts and rate above it."""
    hits, s, d, i = error_counts(ref, hyp)
    rows = {"reference": [], "hypothesis": [], "error": []}
    for said, written, kind in alignment(ref, hyp):
        colour, mark = KINDS[kind]
        for row, item in zip(rows, (said, written, mark), strict=True):
            text = "–" if item is None else "␣" if item == " " else letter_name(item) if len(item) == 1 else item
            rows[row].append(f'<td style="background:{colour};color:#000;text-align:center;padding:2px 6px">{text}</td>')
    body = "".join(f'<tr><th style="text-align:left;padding:2px 6px">{row}</th>{"".join(cells)}</tr>'
                   for row, cells in rows.items())
    rate = f"({s} + {d} + {i}) / {len(ref)} = {(s + d + i) / len(ref):.3f}"
    caption = f"<b>{title}</b>: H = {hits}, S = {s}, D = {d}, I = {i}; {rate}"
    display(HTML(f'<div style="overflow-x:auto">{caption}<table style="border-collapse:collapse">{body}</table></div>'))


for name in ("tt-weasels", "pbx-invalidpark", "austen-0930"):
    show_alignment(name, normalize_text(load_transcript(name)).split(), normalize_text(heard[name]).split())

# %% [markdown] lang="en"
# In the first table *weasels* became *we souls*: one substitution and one insertion, though the ear made one error. In
# the second, *i am* → *im* costs two errors, and nothing was misheard. The alignment knows letters, not sounds.
#
# Korean next. Three typical errors, written by hand: *갑니다* ("go") is pronounced 감니다, and a recogniser may write it
# so; *같이* ("together") sounds like 가치; and *할 수 있어요* ("can do") is often written without its spaces. Each is
# aligned by words, by characters (syllables and spaces), and by letters. **Predict** which of the three kinds of token
# finds the last one worst, and which mildest.

# %% tags=["demo"]
korean = {"저는 학교에 갑니다": "저는 학교에 감니다", "같이 먹을래요": "가치 먹을래요", "할 수 있어요": "할수있어요"}
for said, written in korean.items():
    print(f"{said} → {written}")
    show_alignment("by words", said.split(), written.split())
    show_alignment("by characters", list(said), list(written))
    apart = [list(unicodedata.normalize("NFD", text)) for text in (said, written)]
    show_alignment("by letters (NFD)", *apart)

# %% [markdown] lang="en"
# *할수있어요* is right to every ear, and every word of it counts as wrong: one substitution, two deletions, 100 %. Where
# spaces are optional, as they often are in Korean, word errors measure spelling habits. So Korean is usually scored by
# characters, and papers say whether spaces were counted.
#
# Letters are mildest, because there are more of them to share the errors: the two missing spaces are 2 of 7 characters
# and 2 of 14 letters. A wrong syllable mostly keeps its other letters, too: 갑 → 감 is 1 of 10 characters and 1 of 21
# letters. (In 같이 → 가치 the final ㅌ is deleted and the initial ㅇ becomes ㅊ. A final and an initial ㅌ are different code
# points in NFD, so moving a letter from one syllable to the next costs edits.)
#
# ## CER: character error rate
#
# Divide the errors by the number of tokens in the reference. With characters as tokens that is the **character error
# rate**. For a whole test set, add first and divide once:
#
# $$ \mathrm{CER} = \frac{\sum_n (S_n + D_n + I_n)}{\sum_n N_n} $$
#
# over the sentences $n$, where $N_n$ counts the characters of reference $n$, spaces included. This is the
# **corpus-level** rate. Every character weighs the same, whichever sentence it is in.
#
# By hand: *사랑해* heard as *사량해* (1 error of 3) and *안녕* heard right (0 of 2): CER = 1/5 = 0.2. The mean of the two
# rates would be (1/3 + 0)/2 = 0.167.
#
# ### Exercise 12.4 · CER · ★★☆ · 8 min · 2 points
#
# - Put every text into NFC first, so that two spellings of one word do not differ. Otherwise the text is counted as it
#   comes: capitals, punctuation and spaces, also those at the ends. Cleaning is `normalize_text`'s work.
# - The rate may exceed 1.
# - `ValueError` where the two lists differ in length, and where the references hold nothing to count: no reference at
#   all, or only references that are empty or nothing but white space. An empty reference *among others* is fine: what
#   was heard there counts as insertions. One of two spaces among others is text of two characters.
#
# For the distance you may use your own function, or `torchaudio.functional.edit_distance`, which is the same.
#
# <details><summary>Hint 1: two checks, two sums</summary>
#
# First the two checks; `text.strip()` is empty for white space. Then add up distances and lengths over
# `zip(refs, hyps)`, and divide at the end.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `refs = [unicodedata.normalize("NFC", ref) for ref in refs]`, the same for `hyps`; errors are
# `sum(edit_distance(list(ref), list(hyp)) for ref, hyp in zip(refs, hyps))`; divide by `sum(len(ref) for ref in refs)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "cer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cer(refs: list[str], hyps: list[str]) -> float:
    """Corpus-level character error rate: all errors over all reference characters.

    Args:
        refs: what was said, one string a sentence.
        hyps: what was recognised, in the same order.

    Returns:
        0.0 where all is right; may exceed 1. NFC and NFD spellings count as equal; spaces count as characters.

    Raises:
        ValueError: where the lists differ in length, or all references together are empty or only white space.
    """
    ### BEGIN SOLUTION
    if len(refs) != len(hyps):
        raise ValueError(f"{len(refs)} references and {len(hyps)} hypotheses")
    if not any(ref.strip() for ref in refs):
        raise ValueError("the references hold no characters to count")
    refs = [unicodedata.normalize("NFC", ref) for ref in refs]
    hyps = [unicodedata.normalize("NFC", hyp) for hyp in hyps]
    errors = sum(edit_distance(list(ref), list(hyp)) for ref, hyp in zip(refs, hyps, strict=True))
    return errors / sum(len(ref) for ref in refs)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_cer", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(cer)
print(cer(["사랑해"], ["사량해"]), "expected: 1/3 = 0.333…")
print(cer(["사랑해", "안녕"], ["사량해", "안녕"]), "expected: 1/5 = 0.2")
print(cer(["no"], ["nobody"]), "expected: four insertions, 4/2 = 2.0")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(cer)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now the trap that Unicode lays. The same word, once whole (NFC), once in pieces (NFD). On the screen they cannot be
# told apart. **Predict:** the error rate of a tool that compares the strings as they come.

# %% tags=["demo"]
edit_distance = solved(edit_distance)
whole = unicodedata.normalize("NFC", "사랑해")
pieces = unicodedata.normalize("NFD", "사랑해")
print(f"your cer({whole}, {pieces}) = {cer([whole], [pieces])}")
edits = torchaudio.functional.edit_distance(whole, pieces)
print(f"as they come: {whole} has {len(whole)} code points, {pieces} has {len(pieces)}")
print(f"              {edits} edits / {len(whole)} = {edits / len(whole):.2f}")
wrong = [unicodedata.normalize("NFD", "사량해")]
print(f"사랑해 → 사량해 by syllable: {cer([whole], wrong):.3f}")
print(f"사랑해 → 사량해 by letter:   1 of {len(pieces)} = {1 / len(pieces):.3f}")

# %% [markdown] lang="en"
# An error rate of 2.33, which is 233 %, for a perfect answer. The reverse trap is just as easy: a tool that normalises
# to NFD reports 1/7 where another reports 1/3, for the same answer. A Korean CER without the unit it counts is half a
# number.
#
# ## WER: word error rate
#
# The same with words as tokens. A word is whatever stands between white space.
#
# By hand: *I love you* heard as *I like you*: one substitution of three words, WER = 1/3 = 33.3 %.
#
# ### Exercise 12.5 · WER · ★☆☆ · 6 min · 2 points
#
# Like `cer`, corpus level, NFC first, with the same two reasons for a `ValueError`, but for words, split at any white
# space. So white space at the ends, or doubled, makes no difference here.
#
# <details><summary>Hint 1: what changes</summary>
#
# Only the tokens: `text.split()` in place of the characters.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `refs = [unicodedata.normalize("NFC", ref).split() for ref in refs]` makes lists of words; `hyps` too. If
# `sum(len(ref) for ref in refs)` is 0, there is nothing to count.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "wer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def wer(refs: list[str], hyps: list[str]) -> float:
    """Corpus-level word error rate: all errors over all reference words.

    Args:
        refs: what was said, one string a sentence.
        hyps: what was recognised, in the same order.

    Returns:
        0.0 where all is right; may exceed 1. NFC and NFD spellings count as equal.

    Raises:
        ValueError: where the lists differ in length, or the references hold no word.
    """
    ### BEGIN SOLUTION
    if len(refs) != len(hyps):
        raise ValueError(f"{len(refs)} references and {len(hyps)} hypotheses")
    said = [unicodedata.normalize("NFC", ref).split() for ref in refs]
    written = [unicodedata.normalize("NFC", hyp).split() for hyp in hyps]
    words = sum(len(ref) for ref in said)
    if words == 0:
        raise ValueError("the references hold no words to count")
    return sum(edit_distance(ref, hyp) for ref, hyp in zip(said, written, strict=True)) / words
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_wer", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(wer)
print(wer(["I love you"], ["I like you"]), "expected: 1/3 = 0.333…")
print(wer(["no", "yes it is"], ["know", "yes  it is "]), "expected: 1 error of 4 words = 0.25")
print(wer(["할 수 있어요"], ["할수있어요"]), "expected: 3 of 3 = 1.0")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(wer)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# All seven recordings. In the picture each recording is a bar: as wide as its words, as high as its rate. So the *area*
# of a bar is its number of errors, and the corpus-level WER is the height that the same total area has when spread over
# the whole width. **Predict:** which recording has the highest rate, and does it matter for the corpus?

# %% tags=["demo"]
cer = solved(cer)
refs = [normalize_text(load_transcript(name)) for name in heard]
hyps = [normalize_text(raw) for raw in heard.values()]
rates = [wer([ref], [hyp]) for ref, hyp in zip(refs, hyps, strict=True)]
widths = [len(ref.split()) for ref in refs]
corpus, mean = wer(refs, hyps), sum(rates) / len(rates)

figure, axes = plt.subplots(figsize=(9.5, 4.2), layout="constrained")
left = 0
for name, width, rate in zip(heard, widths, rates, strict=True):
    axes.bar(left, rate, width, align="edge", color="#56B4E9", edgecolor="white")
    axes.text(left + width / 2, max(rate, mean) + 0.06, name, rotation=90, ha="center", va="bottom", fontsize=8)
    left += width
axes.axhline(corpus, color="#0072B2", label=f"corpus level: {corpus:.2f}")
axes.axhline(mean, color="#D55E00", linestyle="--", label=f"mean of the seven rates: {mean:.2f}")
axes.set(title="WER of seven recordings (hypotheses written by hand)", ylabel="WER", xlim=(0, left), ylim=(0, 2.75))
axes.set_xlabel("words of the references, one recording after the other")
axes.legend(loc="upper left", bbox_to_anchor=(0.05, 1))
show(figure, f"WER of each recording, width = words. “goodbye” heard as “good bye” has {max(rates):.0%}, but is one word "
     f"of {left}: corpus level {corpus:.2f}, mean of rates {mean:.2f}.")
uncleaned = wer([load_transcript(name) for name in heard], list(heard.values()))
print(f"without cleaning, capitals and punctuation included: WER {uncleaned:.2f}; cleaned: {corpus:.2f}")
print(f"CER after cleaning: {cer(refs, hyps):.2f}")

# %% [markdown] lang="en"
# *Goodbye* heard as *good bye* is a WER of **200 %**: one substitution and one insertion for a single word. WER does not
# end at 100 %, and "accuracy = 1 − WER" can be negative.
#
# The mean of rates lets that one word count as much as fifteen. An extreme example: one recording of ten words,
# recognised perfectly, and one of a single word, wrong.

# %% tags=["demo"]
two_refs = [load_transcript("vm-nobodyavail"), load_transcript("vm-goodbye")]
two_hyps = [load_transcript("vm-nobodyavail"), "okay"]
one_by_one = [wer([ref], [hyp]) for ref, hyp in zip(two_refs, two_hyps, strict=True)]
print(f"rates {one_by_one}: their mean is {sum(one_by_one) / 2:.2f}; corpus level 1 of 11 words = {wer(two_refs, two_hyps):.2f}")

silence_refs, silence_hyps = ["", two_refs[0]], ["thank you for watching", two_refs[0]]
print(f"\nwords heard in a silence, beside ten that are right: WER {wer(silence_refs, silence_hyps):.2f}")
try:
    wer(silence_refs[:1], silence_hyps[:1])
except ValueError as error:
    print(f"the silence alone: ValueError ({error})")

print("\nreference: please enter your agent number followed by the pound key")
said = "please enter your agent number followed by the pound key"
for hyp in ("please enter your asian number followed by the town key",
            "please enter your agents number followed by the pounds key"):
    print(f"WER {wer([said], [hyp]):.2f}, CER {cer([said], [hyp]):.2f}: {hyp}")
print("\nreference: press seven to delete this message")
for hyp in ("press seven to repeat this message", "press 7 to delete this message"):
    print(f"WER {wer(['press seven to delete this message'], [hyp]):.2f}: {hyp}")

# %% [markdown] lang="en"
# Four lessons:
#
# - **0.09 against 0.50**, for the same two answers. Published error rates are corpus level.
# - **Silence.** Recognisers with a language model inside, Whisper among them, sometimes write words where nothing is
#   said. At corpus level they count as insertions. For the silence alone no rate exists. jiwer, the usual library,
#   gives the number of inserted words there: 4, which reads like 400 %, and no error.
# - **Same WER, different CER.** Two wrong words are two wrong words, whether they are off by a letter or by a sound.
# - **Neither knows meaning.** *Repeat* for *delete* loses the caller's message and costs as much as *7* for *seven*.
#
# ## From text to sound
#
# Text is right or wrong, token by token. A synthesised sound is *nearly* right everywhere. The usual number for it is
# the **mel cepstral distortion** (MCD), in decibels. Listen to what it will have to judge: a sentence, and what is left
# of it after a round trip through an 80-band mel spectrogram. The way back is Griffin-Lim, which guesses the phase, as
# in unit 11 (here torchaudio's, from zero phase). One version is what unit 11 does in the end: it inverts the *powers* of
# the mel bands; the other one inverts their magnitudes.

# %% tags=["demo"]
to_mel = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=1024, hop_length=256, n_mels=80, power=1.0, norm="slaney", mel_scale="slaney"
)


def log_mel(waveform):
    """(80, T): natural logarithm of the mel magnitudes, a frame every 16 ms, as Tacotron 2 and HiFi-GAN use it."""
    return to_mel(waveform).clamp_min(1e-5).log()


def rebuild(magnitude, n_iter, length):
    """A waveform with about that magnitude spectrogram (513, T)."""
    window = torch.hann_window(1024)
    return torchaudio.functional.griffinlim(magnitude, window, 1024, 256, 1024, 1.0, n_iter, 0.0, length, False)


def magnitudes(waveform):
    """(513, T), linear."""
    return torch.stft(waveform, 1024, 256, window=torch.hann_window(1024), return_complex=True).abs()


sentence = load_clip("tt-weasels")
spectrum, bank = magnitudes(sentence), to_mel.mel_scale.fb.mT  # (513, T), (80, 513)
from_mel = (torch.linalg.pinv(bank) @ (bank @ spectrum)).clamp_min(0)
from_power = (torch.linalg.pinv(bank) @ (bank @ spectrum.square())).clamp_min(0).sqrt()
generator = torch.Generator().manual_seed(0)
noise = torch.randn(len(sentence), generator=generator) * sentence.std() * 10 ** (-30 / 20)
versions = {
    "half as loud": sentence / 2,
    "Griffin-Lim, 60 iterations": rebuild(spectrum, 60, len(sentence)),
    "from 80 mel bands, 32 iterations": rebuild(from_mel, 32, len(sentence)),
    "Griffin-Lim, 1 iteration": rebuild(spectrum, 1, len(sentence)),
    "unit 11's way from mel, 60 iterations": rebuild(from_power, 60, len(sentence)),
    "zero phase": rebuild(spectrum, 0, len(sentence)),
    "noise 30 dB below": sentence + noise,
    "0.096 s later": torch.cat([torch.zeros(6 * 256), sentence])[: len(sentence)],  # six frames
}
play(sentence, "the original")
for name in ("Griffin-Lim, 60 iterations", "from 80 mel bands, 32 iterations", "unit 11's way from mel, 60 iterations",
             "zero phase", "noise 30 dB below"):
    play(versions[name], name)

# %% [markdown] lang="en"
# **Put the five in order by ear**, nearest to the original first; and remember your order.
#
# ## The cepstrum: the shape of a frame in 13 numbers
#
# A log-mel frame has 80 numbers, and neighbours are alike. What makes a vowel an *a* is the broad shape of the curve:
# its hills, the *formants*. A **cosine transform** writes the curve as a sum of cosines, slow ones first; keep the first
# few, and the broad shape is kept. The transform of a log spectrum is called **cepstrum** ("spec" read backwards); of a
# mel spectrum, **mel cepstrum**. With M bands, for each frame:
#
# $$ c_k = s_k \sum_{n=0}^{M-1} x_n \cos\Bigl(\frac{\pi k (n + \frac12)}{M}\Bigr), \qquad
# s_0 = \sqrt{\tfrac{1}{M}}, \quad s_k = \sqrt{\tfrac{2}{M}} \text{ for } k \ge 1. $$
#
# This is the orthonormal **DCT-II**. Orthonormal means: with all M coefficients, the sum of squares stays what it was.
#
# By hand, a frame of two bands, $x = [3, 1]$: $c_0 = \sqrt{1/2}\,(3 + 1) = 2.828$, and
# $c_1 = \sqrt{2/2}\,(3\cos 45° + 1\cos 135°) = 1.414$. Check: $3^2 + 1^2 = 10 = 2.828^2 + 1.414^2$.
#
# $c_0$ is the sum of all bands: how loud the frame is. $c_1$ says whether low bands are stronger than high ones, the
# next ones describe ever finer hills.
#
# ### Exercise 12.6 · Mel cepstrum · ★★☆ · 8 min · 2 points
#
# Write `mel_cepstrum` for a log-mel spectrogram `(M, T)`: the first `n_coeffs` coefficients of each frame, beginning
# with $c_0$.
#
# - The input is already logarithmic.
# - `n_coeffs` is at most M, and may be M itself. The result has the dtype of the input, float32 or float64.
# - No gradients are asked for here, so NumPy and SciPy may help; return a tensor.
#
# <details><summary>Hint 1: a matrix</summary>
#
# With `k` as a column `(n_coeffs, 1)` and `n` as a row `(M,)`, broadcasting gives all cosines as a matrix
# `(n_coeffs, M)`. One matrix product does the rest.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `basis = torch.cos(math.pi * k * (n + 0.5) / M) * math.sqrt(2 / M)`; its row 0 is divided by √2. The result is
# `basis @ log_mel`. Give k and n the dtype of the input: `torch.arange(M, dtype=log_mel.dtype)`.
# (Or `scipy.fft.dct(..., type=2, axis=0, norm="ortho")`.)
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mel_cepstrum", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mel_cepstrum(log_mel: torch.Tensor, n_coeffs: int = 13) -> torch.Tensor:
    """The first coefficients of the orthonormal DCT-II over the mel bands of each frame.

    Args:
        log_mel: natural logarithm of a mel spectrogram, `(M, T)`.
        n_coeffs: how many coefficients to keep, c₀ included; at most M.

    Returns:
        `(n_coeffs, T)`; row 0 is c₀.
    """
    ### BEGIN SOLUTION
    bands = log_mel.shape[0]
    k = torch.arange(n_coeffs, dtype=log_mel.dtype)[:, None]  # (n_coeffs, 1)
    n = torch.arange(bands, dtype=log_mel.dtype)  # (M,)
    basis = torch.cos(math.pi * k * (n + 0.5) / bands) * math.sqrt(2 / bands)  # (n_coeffs, M)
    basis[0] /= math.sqrt(2)
    return basis @ log_mel
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mel_cepstrum", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(mel_cepstrum)
print(mel_cepstrum(torch.tensor([[3.0], [1.0]]), n_coeffs=2).flatten(), "expected: 2.8284 and 1.4142")
print(mel_cepstrum(torch.ones(4, 1), n_coeffs=3).flatten().round(decimals=4) + 0.0, "expected: 2, 0, 0 (a flat frame has only c₀)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mel_cepstrum)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# One frame from the vowel of *phone*, and the curves that 5, 13 and all 80 of your coefficients describe (the inverse
# transform is SciPy's). **Predict:** which ripples will 13 coefficients lose?

# %% tags=["demo"]
from scipy.fft import idct

frame = log_mel(sentence)[:, 118:119]  # the vowel of “phone”, at 1.89 s
figure, axes = plt.subplots(figsize=(8.5, 3.8), layout="constrained")
axes.plot(frame[:, 0], "o", color="black", markersize=3, label="log-mel frame")
for count, colour in ((5, "#E69F00"), (13, "#0072B2"), (80, "#CCCCCC")):
    coefficients = torch.zeros(80)
    coefficients[:count] = mel_cepstrum(frame, n_coeffs=count)[:, 0]
    curve = torch.from_numpy(idct(coefficients.numpy(), type=2, norm="ortho"))
    kept = 1 - (curve - frame[:, 0]).square().sum() / (frame - frame.mean()).square().sum()
    axes.plot(curve, color=colour, zorder=0 if count == 80 else 2, label=f"{count} coefficients: {kept:.0%} of the shape")
axes.set(title="A vowel frame and its cepstral envelopes", xlabel="mel band", ylabel="ln magnitude")
axes.legend()
show(figure, "A log-mel frame of a vowel. Five coefficients give its slope and widest hills, thirteen its formants; the "
     "ripples that only all 80 follow are the harmonics of the voice.")

# %% [markdown] lang="en"
# The ripples at the low end are the harmonics, whose spacing is the pitch of the voice. Thirteen coefficients smooth
# them away: a mel cepstrum says *what* is articulated, hardly at *which pitch*.
#
# ## MCD: how far off, in decibels
#
# For two recordings with the same number of frames, compare frame by frame and average:
#
# $$ \mathrm{MCD} = \frac{10}{\ln 10}\cdot\frac1T\sum_{t=1}^{T}\sqrt{2\sum_{k=1}^{K-1}\bigl(c_{kt} - \hat c_{kt}\bigr)^2} $$
#
# Three things to see in it. The sum begins at $k = 1$: loudness, $c_0$, is left out. The root is taken **in each
# frame**, and the roots are averaged. And $10/\ln 10$ turns natural logarithms into decibels.
#
# By hand: one frame, one coefficient that differs by 1: $4.3429 \cdot \sqrt{2 \cdot 1} = 6.142$ dB. Differences 3 and 4
# in two coefficients: $\sqrt{3^2 + 4^2} = 5$, so 30.71 dB.
#
# ### Exercise 12.7 · MCD · ★★☆ · 8 min · 2 points
#
# Write `mcd` for two mel cepstra `(K, T)` whose row 0 is $c_0$. `ValueError` where the shapes differ in frames or in
# coefficients, also where broadcasting would accept them, as in (13, 6) against (13, 1). A frame without any difference
# counts in the mean like any other. The result is a Python float.
#
# <details><summary>Hint 1: one step at a time</summary>
#
# Difference without row 0, square, sum over the coefficients: `(T,)` is left. Then times 2, root, and only then the mean.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `(ref - hyp)[1:].square().sum(0)` is the inner sum. `.item()` makes a float of a tensor with one number.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mcd", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mcd(ref: torch.Tensor, hyp: torch.Tensor) -> float:
    """Mel cepstral distortion of two recordings with the same frames, c₀ left out.

    Args:
        ref: mel cepstrum of the reference, `(K, T)`, row 0 is c₀.
        hyp: mel cepstrum of the synthesis, `(K, T)`.

    Returns:
        Decibels, averaged over the frames.

    Raises:
        ValueError: where the shapes differ.

    Source: Kubichek 1993.
    """
    ### BEGIN SOLUTION
    if ref.shape != hyp.shape:
        raise ValueError(f"the shapes {tuple(ref.shape)} and {tuple(hyp.shape)} differ")
    squares = (ref - hyp)[1:].square().sum(0)  # (T,)
    return 10 / math.log(10) * (2 * squares).sqrt().mean().item()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mcd", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(mcd)
print(mcd(torch.tensor([[9.0], [1.0]]), torch.tensor([[5.0], [0.0]])), "expected: 6.142 dB; the 9 and the 5 are c₀")
print(mcd(torch.zeros(3, 2), torch.tensor([[0.0, 0.0], [3.0, 0.0], [4.0, 0.0]])), "expected: (30.71 + 0) / 2 = 15.35 dB")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mcd)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now the judgement. **Compare with the order that your ear gave.** The light bars are what a tool gives that keeps
# $c_0$.

# %% tags=["demo"]
mel_cepstrum = solved(mel_cepstrum)
def with_c0(cepstrum):
    """The same coefficients with a row of zeros in front: now `mcd` leaves out the zeros and keeps c₀."""
    return torch.cat([torch.zeros(1, cepstrum.shape[1]), cepstrum])


original = mel_cepstrum(log_mel(sentence))  # (13, T)
scores = {}
for name, waveform in versions.items():
    cepstrum = mel_cepstrum(log_mel(waveform))
    scores[name] = mcd(original, cepstrum), mcd(with_c0(original), with_c0(cepstrum))

figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
for row, (without, kept) in enumerate(scores.values()):
    axes.barh(row - 0.2, without, 0.4, color="#0072B2", label="c₀ left out" if row == 0 else None)
    axes.barh(row + 0.2, kept, 0.4, color="#9CD3F5", label="c₀ kept" if row == 0 else None)
    axes.text(without + 1, row - 0.2, f"{without:.1f}", va="center", fontsize=8)
    axes.text(kept + 1, row + 0.2, f"{kept:.1f}", va="center", fontsize=8)
axes.set_yticks(range(len(scores)), scores)
axes.invert_yaxis()
axes.set(title="MCD of eight versions of one sentence", xlabel="MCD (dB)", xlim=(0, 115))
axes.legend(loc="upper right")
show(figure, f"MCD without and with c₀. Half as loud: {scores['half as loud'][0]:.1f} against {scores['half as loud'][1]:.1f} dB; "
     f"noise {scores['noise 30 dB below'][0]:.1f} dB is worse than zero phase {scores['zero phase'][0]:.1f} dB; "
     f"0.096 s later {scores['0.096 s later'][0]:.1f} dB.")

# %% [markdown] lang="en"
# - **Half as loud** is no error without $c_0$: a factor on the magnitudes is a constant in the logarithm, and a constant
#   over all bands is $c_0$ alone. (A hundredth of a decibel remains, where bands sink below the floor of `log_mel`, 1e-5.)
#   With $c_0$ kept it counts as three times worse than one iteration of Griffin-Lim.
# - **0.096 s later** is the same sound, and has the worst score of all. DTW, below, is the cure.
#
# ### What MCD hears in a resynthesis
#
# Unit 11 judged by spectral convergence: the difference of the magnitudes over their size, 0 is perfect. It saw that
# the samples are no judge (signal-to-noise ratio, SNR; silence has 0 dB). **Predict:** on which of these versions do
# MCD and spectral convergence disagree?

# %% tags=["demo"]
level = 10 * spectrum.square().sum(0).log10()
loud = level > level.max() - 30  # (T,) frames within 30 dB of the loudest
compared = {name: sound for name, sound in versions.items() if name not in ("half as loud", "0.096 s later")}
compared["Griffin-Lim, 8 iterations"] = rebuild(spectrum, 8, len(sentence))
print(f"{'':40}  MCD: all      loud     quiet   convergence       SNR")
for name, waveform in sorted(compared.items(), key=lambda pair: (magnitudes(pair[1]) - spectrum).norm()):
    cepstrum = mel_cepstrum(log_mel(waveform))
    parts = [mcd(original[:, which], cepstrum[:, which]) for which in (loud | True, loud, ~loud)]
    convergence = (magnitudes(waveform) - spectrum).norm() / spectrum.norm()
    snr = 10 * torch.log10(sentence.square().sum() / (waveform - sentence).square().sum())
    print(f"{name:40}" + "".join(f"{part:7.1f} dB" for part in parts) + f"{convergence:14.3f}{snr:7.1f} dB")
print(f"(frames: {loud.sum()} loud, {(~loud).sum()} quiet)")

lowest = log_mel(sentence)[:22]  # narrow bands: their peaks are harmonics, their valleys lie between two of them
middle, below, above = lowest[1:-1], lowest[:-2], lowest[2:]
peaks, valleys = (middle > below) & (middle > above) & loud, (middle < below) & (middle < above) & loud
print("\nmean change of the log-mel in the loud frames: harmonics   between them   top 20 bands")
for name in ("from 80 mel bands, 32 iterations", "unit 11's way from mel, 60 iterations", "noise 30 dB below"):
    change = 20 / math.log(10) * (log_mel(versions[name]) - log_mel(sentence))  # (80, T) in dB
    places = (change[1:21][peaks], change[1:21][valleys], change[60:, loud])
    print(f"{name:44}" + "".join(f"{place.mean():+9.1f} dB" for place in places))
silent = mel_cepstrum((bank @ from_power).clamp_min(1e-5).log())
print(f"\nMCD of unit 11's magnitudes before any sound is made of them: {mcd(original, silent):.1f} dB")

# %% [markdown] lang="en"
# - **Griffin-Lim** on the right magnitudes: the more iterations, the smaller the MCD, from 21.8 dB down to 2.8, and
#   convergence says the same. The SNR meanwhile gets *worse*, and stays below that of silence. MCD sees magnitudes only, so
#   it does not mind that the phase is another one.
# - **A little noise** is where they disagree: the best of all by convergence, the worst by MCD, zero phase included. The
#   logarithm is the reason. A band that is nearly empty weighs as much as a full one, and noise fills the empty ones: the
#   pauses, whose MCD is 38 dB, and the high bands of the loud frames, which rise by 8 dB.
# - **Unit 11's way** from mel gets 18.5 dB, nearly what zero phase gets, though its convergence is less than half as large.
#   Again the logarithm: the shortest solution for the powers spreads every harmonic over its neighbours. The harmonics
#   themselves grow by 0.9 dB, the valleys between them by 10. Most of it is there before Griffin-Lim begins (14.9 dB).
#   Inverted from magnitudes, the valleys grow by 3 dB and the MCD is 8.0 dB. Which of the three does *your* ear put last?
#
# So MCD says how far the envelopes are apart, band by band in decibels; how bad it sounds is another question. (Tools often
# cut the pauses away first, because MCD weighs a frame of silence as much as a frame of speech.)
#
# ### One pair, six numbers
#
# How do tools define MCD? Take the version from 80 mel bands.

# %% tags=["demo"]
def both(transform, n_coeffs=13):
    """The cepstra of original and rebuilt sentence, after a change to the log-mels."""
    return (mel_cepstrum(transform(log_mel(waveform)), n_coeffs)
            for waveform in (sentence, versions["from 80 mel bands, 32 iterations"]))


plain = mcd(*both(lambda x: x))
table = {
    "ours: ln of magnitudes, c₁ to c₁₂": plain,
    "c₀ kept in the distance (as pymcd does)": mcd(*(with_c0(c) for c in both(lambda x: x))),
    "25 coefficients instead of 13": mcd(*both(lambda x: x, 25)),
    "ln of power instead of magnitude: twice": mcd(*both(lambda x: 2 * x)),
    "without 10·√2/ln 10 (as mel-cepstral-distance)": plain / (10 * math.sqrt(2) / math.log(10)),
    "coefficients as in SPTK: smaller by √(M/2)": plain / math.sqrt(40),
}
for definition, value in table.items():
    print(f"{value:7.2f}  {definition}")

full = [mel_cepstrum(log_mel(w), 80) for w in (sentence, versions["from 80 mel bands, 32 iterations"])]
difference = log_mel(sentence) - log_mel(versions["from 80 mel bands, 32 iterations"])
decibels = 20 / math.log(10) * (difference - difference.mean(0))  # (80, T), loudness removed
print(f"\nrms level difference over the bands, mean over frames: {decibels.square().mean(0).sqrt().mean():.3f} dB")
print(f"MCD with all 80 coefficients / √40:                    {mcd(*full) / math.sqrt(40):.3f} dB")

# %% [markdown] lang="en"
# Six definitions, six numbers for one pair of sounds (and each package also has its own spectra: pymcd uses the WORLD
# vocoder's, and leaves $c_0$ out when it aligns but keeps it when it measures). **MCDs of different tools cannot be
# compared.**
#
# The last two lines tell where the formula comes from. In SPTK, the toolkit behind most published MCDs, $c_k$ are the
# factors of the cosines themselves; there, MCD is the root-mean-square difference of the two smoothed spectra in
# decibels. Our orthonormal coefficients are $\sqrt{M/2}$ times larger. So papers report 4 to 8 dB where you see
# tens, apart from the differences between the spectra.
#
# ### An article's example
#
# One of the articles behind this course gives [1, 2, 3, 4] against [0.8, 2.1, 3.2, 4.3] as an example and an MCD of 3.01
# dB. Your function has the last word.

# %% tags=["demo"]
one = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
two = torch.tensor([[0.8], [2.1], [3.2], [4.3]])
print(f"first entry taken as c₀ and left out: {mcd(one, two):.3f} dB")
print(f"all four entries counted:             {mcd(with_c0(one), with_c0(two)):.3f} dB")

delta = (one - two)[:, 0]
means = {"root of the sum": lambda d: d.norm(), "root of the mean": lambda d: d.square().mean().sqrt(),
         "sum of sizes": lambda d: d.abs().sum(), "mean of sizes": lambda d: d.abs().mean()}
factors = {"1": 1, "10/ln 10": 10 / math.log(10), "20/ln 10": 20 / math.log(10), "10": 10, "20": 20}
tried = [(float(factor * extra * measure(d)), f"{factor_name} · {extra_name} · {name}, {which}")
         for which, d in (("all four", delta), ("without the first", delta[1:]))
         for name, measure in means.items() for factor_name, factor in factors.items()
         for extra_name, extra in (("1", 1), ("√2", math.sqrt(2)))]
nearest = sorted(tried, key=lambda entry: abs(entry[0] - 3.01))[:3]
print(f"\n{len(tried)} other conventions; nearest to 3.01:")
for value, name in nearest:
    print(f"  {value:.3f}  {name}")
print(f"10·log₁₀ 2 = {10 * math.log10(2):.4f}")

# %% [markdown] lang="en"
# By the formula it is 2.298 dB, or 2.606 dB with the first entry; no convention gives 3.01. That number is
# $10\log_{10} 2$, the decibels of a doubled power, which has nothing to do with the example. (The four numbers are
# also called a *mel* vector there; MCD takes cepstra.)
#
# ## DTW: who belongs to whom
#
# Two people never say a word at the same speed, and the same person does not either. The course has two recordings of
# *goodbye* by one voice. Listen; where does the second hurry?

# %% tags=["demo"]
for name in ("goodbye", "vm-goodbye"):
    play(load_clip(name), f"{name}: {len(load_clip(name)) / 16_000:.2f} s")

# %% [markdown] lang="en"
# Comparing frame 20 with frame 20 makes no sense. **Dynamic time warping** (DTW) pairs the frames so that the whole
# fits best. It is the edit distance's sister: a table of costs, here the distance of frame $i$ of one to frame $j$ of
# the other, and a path from (0, 0) to the opposite corner by steps down, right or diagonal. The **total** is the sum of
# the costs of all cells on the path, both ends included; asked for is the path with the smallest total:
#
# $$ D_{ij} = \mathrm{cost}_{ij} + \min(D_{i-1,j},\; D_{i,j-1},\; D_{i-1,j-1}), \qquad D_{00} = \mathrm{cost}_{00} $$
#
# The rest is as before: fill the table, then walk back from the corner, each time to the neighbour with the smallest
# $D$. Along the borders only one neighbour exists, and the way goes on to (0, 0).
#
# By hand:
#
# | cost | 0 | 1 | 2 | 3 | | $D$ | 0 | 1 | 2 | 3 |
# |---|---|---|---|---|---|---|---|---|---|---|
# | **0** | 1 | 1 | 5 | 9 | | **0** | **1** | **2** | 7 | 16 |
# | **1** | 4 | 6 | 1 | 2 | | **1** | 5 | 7 | **3** | **5** |
#
# Total 5, path (0,0) → (0,1) → (1,2) → (1,3).
#
# ### Exercise 12.8 · DTW · ★★★ · 15 min · 3 points
#
# Write `dtw`: the smallest total, and a path that has it, as a list of pairs `(i, j)` of integers from (0, 0) to
# (N − 1, M − 1). Where several paths are equally good, any of them will do.
#
# - The total is a Python float, even where the costs are whole numbers.
# - Recordings are long: a table of 4 × 1 500 or 110 × 140 takes less than four seconds. (On the first, a
#   function that calls itself goes deeper than Python allows, as in 12.2.)
#
# <details><summary>Hint 1: lists again</summary>
#
# `cost.tolist()` gives a list of rows with plain numbers, which a double loop reads quickly. A border of infinities
# spares you the special cases.
#
# </details>
# <details><summary>Hint 2: the way back</summary>
#
# From `(i, j)`, collect those of `(i − 1, j − 1)`, `(i − 1, j)`, `(i, j − 1)` that exist, go to the one with the smallest
# `D`, and stop at (0, 0). The list comes out backwards.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "dtw", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dtw(cost: torch.Tensor) -> tuple[float, list[tuple[int, int]]]:
    """Dynamic time warping: the cheapest path through a table of costs.

    Args:
        cost: `(N, M)`, the distance of every frame of one recording to every frame of the other; N, M ≥ 1.

    Returns:
        The sum of the costs along the path, and the path from (0, 0) to (N − 1, M − 1) by steps (1, 0), (0, 1), (1, 1).

    Source: Sakoe and Chiba 1978.
    """
    ### BEGIN SOLUTION
    table = cost.tolist()
    rows, columns = len(table), len(table[0])
    totals = [[math.inf] * (columns + 1) for _ in range(rows + 1)]  # row and column 0 are a wall
    totals[0][0] = 0.0
    for i in range(rows):
        for j in range(columns):
            totals[i + 1][j + 1] = table[i][j] + min(totals[i][j], totals[i][j + 1], totals[i + 1][j])
    i, j = rows, columns
    path = []
    while i and j:
        path.append((i - 1, j - 1))
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda cell: totals[cell[0]][cell[1]])
    return totals[rows][columns], path[::-1]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_dtw", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(dtw)
print(dtw(torch.tensor([[1.0, 1.0, 5.0, 9.0], [4.0, 6.0, 1.0, 2.0]])), "expected: 5.0, [(0, 0), (0, 1), (1, 2), (1, 3)]")
print(dtw(torch.tensor([[2.0, 3.0]])), "expected: 5.0, [(0, 0), (0, 1)]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(dtw)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The two goodbyes. **Predict:** where does the path leave the straight line?

# %% tags=["demo"]
first, second = load_clip("goodbye"), load_clip("vm-goodbye")
a, b = log_mel(first), log_mel(second)  # (80, N), (80, M)
ca, cb = mel_cepstrum(a), mel_cepstrum(b)
cost = 10 * math.sqrt(2) / math.log(10) * torch.cdist(ca[1:].mT, cb[1:].mT)  # (N, M) in dB, c₀ left out
total, path = dtw(cost)
straight = [(round(i * (cost.shape[0] - 1) / (cost.shape[1] - 1)), i) for i in range(cost.shape[1])]

figure, grid = plt.subplots(2, 2, figsize=(8, 6.4), layout="constrained", width_ratios=(1, 4), height_ratios=(4, 1))
grid[1, 0].axis("off")
middle = grid[0, 1].imshow(cost, origin="lower", aspect="auto", cmap="viridis")
grid[0, 1].plot([j for _, j in path], [i for i, _ in path], color="white", linewidth=2.5)
grid[0, 1].plot([j for _, j in path], [i for i, _ in path], color="#D55E00", linewidth=1.5, label="your path")
grid[0, 1].plot([j for _, j in straight], [i for i, _ in straight], color="white", linestyle=":", label="even stretching")
grid[0, 1].set(title="Distance of every frame to every frame", xticks=[], yticks=[])
grid[0, 1].legend(loc="upper left", facecolor="#444444", labelcolor="white")
grid[0, 0].imshow(a.mT, origin="lower", aspect="auto", cmap="magma", vmin=-11.5, vmax=1.5)
grid[0, 0].set(ylabel="goodbye: frame (16 ms)", xlabel="mel band")
grid[1, 1].imshow(b, origin="lower", aspect="auto", cmap="magma", vmin=-11.5, vmax=1.5)
grid[1, 1].set(xlabel="vm-goodbye: frame (16 ms)", ylabel="mel band")
figure.colorbar(middle, ax=grid[0, 1], label="dB")
along = sum(cost[cell] for cell in straight) / len(straight)
show(figure, f"Costs between the frames of two goodbyes with the DTW path: {len(path)} pairs, {total / len(path):.1f} dB on average; "
     f"along the even stretching {along:.1f} dB.")
print(f"your total {total:.2f} dB, librosa's {librosa_dtw(C=cost.double().numpy())[0][-1, -1]:.2f} dB")

print("\nvertical pieces, where vm-goodbye hurries: at its frames", [j for (_, j), (_, l) in pairwise(path) if j == l])
print("level pieces, where it takes its time: at its frames   ", [l for (i, _), (k, l) in pairwise(path) if i == k])
print("\nframes of vm-goodbye   your path   even stretching")
for start, end in ((0, 9), (9, 26), (26, 43), (43, 55)):
    means = [torch.stack([cost[cell] for cell in way if start <= cell[1] < end]).mean() for way in (path, straight)]
    print(f"{start:9} to {end - 1:2} {means[0]:15.1f} dB {means[1]:12.1f} dB")

# %% [markdown] lang="en"
# A vertical piece is a frame of *goodbye* more while *vm-goodbye* stays where it is: there the second hurries. It does so
# twice before frame 9, so it is at the vowel of *good* two frames early, and once more in that vowel. Just after the gap,
# at frame 27, it takes its time, and the two are together again. In the long last vowel it hurries once (34) and lingers
# twice (43, 47), and it ends before the silence that *goodbye* still has.
#
# The table says what the steps aside are worth. Where path and line run together, at the beginning and in frames 26 to
# 42, they cost the same. From 9 to 25, where the line pairs some of the vowel with the gap, and from 43 on, the path saves more
# than ten decibels a pair; over the whole word the mean falls from 26.7 to 20.6 dB.
#
# ## MCD with DTW
#
# Put the two together: costs in decibels, the path, the mean cost of the pairs on it. It is what most papers mean by
# MCD today.
#
# By hand: the example above, had its costs been decibels, gives 5 dB over 4 pairs: 1.25 dB.
#
# ### Exercise 12.9 · MCD along the path · ★★☆ · 6 min · 2 points
#
# Write `mcd_dtw` for two mel cepstra with different numbers of frames. The distance of two frames is that of `mcd`, in
# decibels and without $c_0$; the same distances decide the path and are averaged along it. Divide by the number of
# pairs on the path.
#
# Use your `dtw`, or `librosa_dtw(C=...)` (imported above), which takes a NumPy array, gives a table of totals in place of
# one total, and its path backwards.
#
# <details><summary>Hint 1: all distances at once</summary>
#
# `torch.cdist` takes `(N, D)` and `(M, D)` and gives `(N, M)` Euclidean distances. Which way round are your cepstra?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.cdist(ref[1:].mT, hyp[1:].mT)` times 10·√2/ln 10 is the table. Total divided by `len(path)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mcd_dtw", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mcd_dtw(ref: torch.Tensor, hyp: torch.Tensor) -> float:
    """Mel cepstral distortion of recordings of any lengths: the mean over the DTW path, c₀ left out.

    Args:
        ref: mel cepstrum of the reference, `(K, N)`, row 0 is c₀.
        hyp: mel cepstrum of the synthesis, `(K, M)`.

    Returns:
        Decibels, averaged over the pairs on the path.
    """
    ### BEGIN SOLUTION
    cost = 10 * math.sqrt(2) / math.log(10) * torch.cdist(ref[1:].mT, hyp[1:].mT)  # (N, M)
    total, path = dtw(cost)
    return total / len(path)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mcd_dtw", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(mcd_dtw)
ref = torch.tensor([[9.0, 9.0], [0.0, 1.0]])  # c₁ goes from 0 to 1
slower = torch.tensor([[5.0, 5.0, 5.0], [0.0, 0.0, 1.0]])  # the same, the first frame held; c₀ is another
print(mcd_dtw(ref, slower), "expected: 0.0")
further = torch.tensor([[5.0, 5.0, 5.0], [0.0, 0.0, 3.0]])  # c₁ ends at 3: the last pair differs by 2
print(mcd_dtw(ref, further), "expected: (0 + 0 + 2 · 6.142) / 3 = 4.095 dB")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mcd_dtw)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# First the late sentence again, then something larger: eight words, each recorded twice by the same voice. For each
# recording on the left, which of the eight at the bottom is nearest by `mcd_dtw`? That is a recogniser: no
# training, one example a word. In the 1970s this was how speech was recognised.
#
# **Predict:** how many of the eight are found?

# %% tags=["demo"]
mcd = solved(mcd)
dtw = solved(dtw)
original = mel_cepstrum(log_mel(sentence))
print("MCD against the original, frame by frame and along the DTW path:")
for name in ("0.096 s later", "from 80 mel bands, 32 iterations", "unit 11's way from mel, 60 iterations", "zero phase",
             "noise 30 dB below"):
    cepstrum = mel_cepstrum(log_mel(versions[name]))
    print(f"{mcd(original, cepstrum):7.1f} dB {mcd_dtw(original, cepstrum):7.1f} dB  {name}")
uncut = mel_cepstrum(log_mel(torch.cat([torch.zeros(6 * 256), sentence])))
print(f"{'–':>7}    {mcd_dtw(original, uncut):7.1f} dB  0.096 s later, its end not cut off")
print(f"the original against itself: {mcd(original, original):.3f} dB frame by frame, {mcd_dtw(original, original):.3f} dB by DTW")

known = {"goodbye": "goodbye", "extension": "extension", "press": "dir-multi1", "for": "for", "second": "second",
         "star": "letters-ascii42", "november": "digits-mon-10", "first": "digits-h-1"}
asked = {"goodbye": "vm-goodbye", "extension": "vm-extension", "press": "vm-press", "for": "vm-for",
         "second": "digits-h-2", "star": "digits-star", "november": "phonetic-n_p", "first": "vm-first"}
templates = [mel_cepstrum(log_mel(load_clip(clip))) for clip in known.values()]
distances = torch.tensor([[mcd_dtw(template, mel_cepstrum(log_mel(load_clip(clip)))) for template in templates]
                          for clip in asked.values()])
found = distances.argmin(1).tolist()

figure, axes = plt.subplots(figsize=(7.6, 5.6), layout="constrained")
image = axes.imshow(distances, cmap="viridis", vmin=0)
for i in range(8):
    for j in range(8):
        colour, weight = "white" if distances[i, j] < 55 else "black", "bold" if j == found[i] else "normal"
        axes.text(j, i, f"{distances[i, j]:.0f}", ha="center", va="center", color=colour, fontweight=weight)
    axes.add_patch(plt.Rectangle((found[i] - 0.48, i - 0.48), 0.96, 0.96, fill=False, color="#D55E00", linewidth=2))
axes.set_xticks(range(8), known, rotation=45, ha="right")
axes.set_yticks(range(8), asked)
axes.set(title="MCD with DTW between recordings of eight words", xlabel="known recording", ylabel="asked recording")
figure.colorbar(image, label="dB")
right = sum(i == j for i, j in enumerate(found))
show(figure, f"Distances in dB; the smallest of each row is framed. {right} of 8 words are found; “second” is taken for “{list(known)[found[4]]}”.")
for title, clip in (("the known “second”", "second"), ("the asked “second”", "digits-h-2")):
    play(load_clip(clip), title)
    energy = torch.stft(load_clip(clip), 1024, 256, window=torch.hann_window(1024), return_complex=True).abs().square().sum(1)
    below = (energy.cumsum(0) < 0.99999 * energy.sum()).sum() * 16_000 / 1024
    print(f"{title}: all but a hundred-thousandth of its energy lies below {below:.0f} Hz")

# %% [markdown] lang="en"
# The late sentence is forgiven: its new silence is paired with the first frame of the old one, and of 60.8 dB 2.2 remain,
# because its end was cut off to keep the length; uncut it is 0.4. (If you used `torch.cdist`, the original is a few
# thousandths of a decibel away from itself: for more than 25 frames it takes a faster way that rounds.)
#
# Of the eight words all but one are found, by a distance that knows nothing about words. The one that fails is
# *second*. Its known recording ends at 3 234 Hz, like a telephone line; the asked one reaches to nearly 8 000 Hz. To
# the ear it is the same word; to the distance the known one is far from *all* the asked recordings, so its whole
# column is bright. A trained recogniser learns to look past such things; a distance cannot.
#
# And DTW forgives more than delays. A synthesis with the rhythm of a robot, each sound stretched wrongly, gets the same
# score as one with the rhythm of a person.
#
# ## What just happened
#
# - CER and WER: edit distance, summed over the corpus, divided once by the reference. MCD: decibels between smoothed
#   spectra, frame by frame or along a DTW path.
# - **The mistake most people make** is not in the code but in the comparison: rates averaged over sentences, texts
#   cleaned differently, Korean scored in different units, MCDs from different tools. Write down what you counted.
# - WER does not see meaning, CER not pronunciation, MCD hardly pitch and, with DTW, no rhythm. None of them is a
#   listener: synthesis is still judged by people (mean opinion scores), as in
#   [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020).
# - **Where you meet them:** [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020) and
#   [Whisper](https://arxiv.org/abs/2212.04356) (2022) report corpus-level WER, Whisper after its own text normaliser;
#   [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020) compares pitch curves by DTW. A synthesiser is also scored
#   by the CER of a recogniser that listens to it.
# - Sources: Levenshtein, *Binary codes capable of correcting deletions, insertions, and reversals* (1966); Sakoe and
#   Chiba, *Dynamic programming algorithm optimization for spoken word recognition* (1978); Kubichek, *Mel-cepstral
#   distance measure for objective speech quality assessment* (1993).
#
# Next: [unit 13](../13_capstone/13_capstone.ipynb), where you train a recogniser and score it with the functions that
# you wrote here.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("12_metrics")
