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
# # 1 · From symbols to vectors
#
# You turn 사랑해 and *s a k i* into the one thing that a Transformer can read, a tensor `(batch, time, dimensions)`,
# and find out what makes two of its vectors neighbours: the company they keep, or the way they sound.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 90 minutes · about 14 CPU seconds · you need: unit 0, Python's lists and dictionaries, how tensors are indexed
#
# You will be able to
# - take a text apart into symbols, number them, and pad them into a batch with its mask;
# - look vectors up in a table, and say why that is a multiplication;
# - measure how alike vectors are, and say what a table can learn from text, what from sound, and what from neither.

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
from collections import Counter

import matplotlib.pyplot as plt
import torch
from torch.nn import functional
from torchaudio.functional import melscale_fbanks
from tqdm import tqdm

from grader.notebook import use_hangul_font
from grader.recordings import recordings

use_hangul_font()  # so that pictures can show 한글

# %% [markdown] lang="en"
# ## 1.1 Three sounds
#
# Each player holds one speech sound, cut out of three different words. Listen, and decide: which two of the three are
# most alike?

# %% tags=["demo"]
def cut(name, start, length):
    """A stretch of a recording, in hundredths of a second; faded at both ends, and always equally loud."""
    piece = load_clip(name)[start * 160 : (start + length) * 160].clone()
    fade = torch.linspace(0, 1, 160)
    piece[:160] *= fade
    piece[-160:] *= fade.flip(0)
    return piece * 0.05 / piece.square().mean().sqrt()


def in_a_row(pieces):
    """The pieces one after the other, with a fifth of a second of silence after each."""
    return torch.cat([functional.pad(piece, (0, 3_200)) for piece in pieces])


sounds = {  # recording, start and length in hundredths of a second
    "s": [("im-sorry", 28, 19), ("vm-press", 36, 23), ("vm-savedto", 12, 16)],
    "r": [("digits-3", 22, 12), ("conf-thereare", 27, 12), ("vm-tocancel", 34, 12)],
    "z": [("tt-monkeysintro", 232, 14), ("digits-day-3", 44, 12), ("spy-zap", 15, 14)],
}
words = {"s": "sorry, press, saved", "r": "three, there, or", "z": "monkeys, Wednesday, zap"}
for letter, places_in_clips in sounds.items():
    play(in_a_row([cut(*place) for place in places_in_clips]), f"“{letter}”, from: {words[letter]}")

# %% [markdown] lang="en"
# To the ear, *z* is an *s* with some humming added, and *r* is something else. Now look at what a computer keeps when
# you type these letters, its **code points**:

# %% tags=["demo"]
for letter in sounds:
    print(f"{letter!r} is number {ord(letter)}")
print(f"'사' is number {ord('사')}, '자' {ord('자')}: the difference is {ord('자') - ord('사')}")

# %% [markdown] lang="en"
# By number, *s* is next to *r* and seven steps from *z*. The numbers follow the alphabet, and the alphabet knows
# nothing of sound. A model that calculates with these numbers starts from nonsense: is 자 really 1 764 more than 사?
#
# So each symbol gets a **vector** instead: a list of numbers, all of which can be *learned*. Such a vector is called
# an **embedding**. With hundreds of numbers there is room for a symbol to be close to some others in one respect and
# close to quite others in another.
#
# Articles make four claims about embeddings: (1) similar sounds lie close together, (2) different sounds lie far apart,
# (3) noise is pushed into a corner of the space, and (4) the vectors hold *formants* (the peaks in a sound's spectrum
# that make one vowel differ from another), pitch and timbre. Sometimes that is so, and it never comes by itself. At the
# end of this unit you will have measured it.
#
# The way there has four steps, and each is one or two functions that you write:
#
# | step | example |
# |---|---|
# | text → symbols | 사랑해 → ㅅ ㅏ ㄹ ㅏ ㅇ ㅎ ㅐ |
# | symbols → numbers (ids) | → 12, 3, 13, 3, 9, 28, 15 |
# | several id lists → one batch | → a tensor `(B, T)`, and a mask |
# | ids → vectors | → a tensor `(B, T, D)` |
#
# `B` is the number of texts in the batch, `T` the length in symbols (*time*), `D` the length of a vector
# (*dimensions*).

# %% [markdown] lang="en"
# ## 1.2 Symbols: a word that is typed in two ways
#
# **Predict:** the cell prints two words, whether they are equal, and their lengths. What will it say?

# %% tags=["demo"]
composed = "사랑해"
decomposed = unicodedata.normalize("NFD", composed)
print(composed, decomposed, "equal:", composed == decomposed)
print("lengths:", len(composed), "and", len(decomposed))
print("code points:", *(f"U+{ord(one):04X}" for one in composed))
print("code points:", *(f"U+{ord(one):04X}" for one in decomposed))

# %% [markdown] lang="en"
# They look the same and are different data. Unicode can store Hangul as whole syllables (form **NFC**, *composed*) or
# as the parts of syllables, which fuse when they are displayed (form **NFD**, *decomposed*). Files from a Mac often
# have names in NFD. A program that does not expect this finds seven unknown symbols where it knew three, without any
# error. `unicodedata.normalize("NFC", text)` turns both into the composed form.
#
# Which symbols should a speech model use? Whole syllables are many: Unicode lists 11 172. The letters they are made of
# are few, and each stands for one sound, more or less. The letters are called **jamo** (자모). You can type them on
# their own: ㅅ is U+3145. Unicode has another ㅅ, U+1109, the part that fuses (*conjoining*). They look alike and are
# different symbols. We use the ones that you can type; Unicode calls these *compatibility* letters.
#
# There are 19 initial consonants, 21 vowels, and 28 ways to end (27 finals, and number 0: no final). The syllables are
# numbered through all three, as seconds are through hours, minutes and seconds:
#
# $$ \text{code} = \text{0xAC00} + (\text{initial} \cdot 21 + \text{vowel}) \cdot 28 + \text{final} $$
#
# By hand, for 랑: ㄹ is initial number 5, ㅏ vowel number 0, ㅇ final number 21, so the index is
# (5 · 21 + 0) · 28 + 21 = 2 961. The way back is division with remainder, as from seconds to hours: 2 961 = 105 · 28
# **+ 21**, and 105 = **5** · 21 **+ 0**.

# %%
# The letters in Unicode's order. FINALS[0] is empty: no final.
INITIALS = list("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")
VOWELS = list("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")
FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]

print(len(INITIALS), "initials,", len(VOWELS), "vowels,", len(FINALS), "endings:", 19 * 21 * 28, "syllables")
print("index of 랑:", ord("랑") - 0xAC00, " number 5, 0, 21:", INITIALS[5], VOWELS[0], FINALS[21])

# %% [markdown] lang="en"
# ### Exercise 1.1 · Hangul to letters · ★★☆ · 15 min · 3 points
#
# Write `hangul_to_jamo`: a text becomes a list of symbols.
#
# - Each syllable from 가 (U+AC00) to 힣 (U+D7A3) becomes its two or three letters: initial, vowel, and the final if
#   there is one. Double letters such as ㄲ, ㅘ and ㄺ stay one letter each.
# - Every other character stays as it is: spaces (at the ends too), digits, Latin letters, emoji, and letters that stand
#   alone, as in ㅋㅋ. An empty text gives an empty list.
# - First of all the whole text is put in form NFC, so that both ways of typing give the same list. (That also makes one
#   character of an *é* that was typed as *e* and an accent.)
#
# The lists `INITIALS`, `VOWELS` and `FINALS` above are yours to use.
#
# <details><summary>Hint 1: is it a syllable?</summary>
#
# `ord(character)` gives the code point. Subtract 0xAC00, and you have the index; for a syllable it is at least 0 and
# less than 11 172. For anything else, append the character itself.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `rest, final = divmod(index, 28)`, then `initial, vowel = divmod(rest, 21)`. Append `INITIALS[initial]` and
# `VOWELS[vowel]`, and `FINALS[final]` only where `final` is not 0.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "hangul_to_jamo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hangul_to_jamo(text: str) -> list[str]:
    """The text as a list of symbols, Hangul syllables taken apart.

    Args:
        text: any text, in NFC or NFD.

    Returns:
        Two or three compatibility letters for each precomposed syllable, every other character as it is.
    """
    ### BEGIN SOLUTION
    symbols = []
    for character in unicodedata.normalize("NFC", text):
        index = ord(character) - 0xAC00
        if 0 <= index < 19 * 21 * 28:
            rest, final = divmod(index, 28)
            initial, vowel = divmod(rest, 21)
            symbols += [INITIALS[initial], VOWELS[vowel]]
            if final:
                symbols.append(FINALS[final])
        else:
            symbols.append(character)
    return symbols
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_hangul_to_jamo", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(hangul_to_jamo)
print(*hangul_to_jamo("사랑해"), "  expected: ㅅ ㅏ ㄹ ㅏ ㅇ ㅎ ㅐ")
print(hangul_to_jamo("닭 5ㅋ"), "  expected: ['ㄷ', 'ㅏ', 'ㄺ', ' ', '5', 'ㅋ']")
print(hangul_to_jamo(unicodedata.normalize("NFD", "해")), "  expected: ['ㅎ', 'ㅐ'], typed in NFD or not")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(hangul_to_jamo)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Here is real text to work with: lines from two poems, Kim Sowol's 진달래꽃 (*Azaleas*, 1925) and Yun Dong-ju's 서시
# (*Prologue*, 1941), then proverbs, then plain sentences about a grandmother, a child who learns to write, and a
# computer that does the same.

# %% tags=["demo"]
korean = """
나 보기가 역겨워 가실 때에는 말없이 고이 보내 드리오리다
영변에 약산 진달래꽃 아름 따다 가실 길에 뿌리오리다
가시는 걸음 걸음 놓인 그 꽃을 사뿐히 즈려밟고 가시옵소서
나 보기가 역겨워 가실 때에는 죽어도 아니 눈물 흘리오리다
죽는 날까지 하늘을 우러러 한 점 부끄럼이 없기를
잎새에 이는 바람에도 나는 괴로워했다
별을 노래하는 마음으로 모든 죽어가는 것을 사랑해야지
그리고 나한테 주어진 길을 걸어가야겠다
오늘 밤에도 별이 바람에 스치운다
가는 말이 고와야 오는 말이 곱다
낮말은 새가 듣고 밤말은 쥐가 듣는다
발 없는 말이 천 리 간다
천 리 길도 한 걸음부터
말 한마디로 천 냥 빚을 갚는다
콩 심은 데 콩 나고 팥 심은 데 팥 난다
백 번 듣는 것이 한 번 보는 것만 못하다
세 살 버릇 여든까지 간다
고래 싸움에 새우 등 터진다
원숭이도 나무에서 떨어진다
까마귀 날자 배 떨어진다
윗물이 맑아야 아랫물이 맑다
호랑이도 제 말 하면 온다
아니 땐 굴뚝에 연기 날까
빈 수레가 요란하다
벼는 익을수록 고개를 숙인다
돌다리도 두들겨 보고 건너라
하늘이 무너져도 솟아날 구멍이 있다
쥐구멍에도 볕 들 날 있다
티끌 모아 태산
바늘 도둑이 소도둑 된다
할머니는 시장에서 떡과 과일을 파신다
아침마다 골목에 할머니 목소리가 울려 퍼진다
나는 그 소리를 들으며 학교에 간다
비가 오는 날에는 빗소리가 목소리를 덮는다
그래도 나는 할머니 말씀을 다 알아듣는다
귀에 닿는 것은 소리이고 마음에 남는 것은 말이다
동생은 아직 글자를 모르지만 노래는 잘 따라 부른다
할머니는 동생에게 기역 니은 디귿을 가르쳐 주신다
동생은 크레용으로 코끼리와 토끼를 그리고 그 밑에 이름을 쓴다
코끼리의 키읔은 토끼의 티읕과 모양이 비슷하다고 한다
저녁이면 우리는 김치찌개를 끓이고 쌀밥을 지어 함께 먹는다
밥을 먹고 나면 할머니께서 옛날이야기를 들려주신다
얘들아 옛날 옛적에 호랑이가 담배를 피우던 시절에 말이다
이야기가 끝나기도 전에 동생은 꾸벅꾸벅 졸기 시작한다
창밖에는 귀뚜라미가 울고 풀벌레 소리가 밤새 이어진다
컴퓨터는 소리도 글자도 그대로는 알지 못한다
컴퓨터가 다루는 것은 오직 숫자뿐이다
그래서 글자마다 번호를 붙이고 번호마다 벡터를 하나씩 준다
처음에는 벡터에 아무 뜻도 담겨 있지 않다
문장을 많이 읽으면 비슷한 자리에 오는 글자끼리 조금씩 가까워진다
모음은 자음 뒤에 오고 자음은 모음 앞이나 뒤에 온다
그 규칙만으로도 모음과 자음은 서로 다른 곳에 모인다
하지만 글만 읽어서는 어떤 소리가 거칠고 어떤 소리가 부드러운지 알 수 없다
그것을 알려면 귀로 들어야 한다
친구의 웃음소리는 벽 너머에서 들어도 누구의 것인지 금방 알 수 있다
왜 그런지 설명하기는 쉽지 않다
웬일인지 오늘은 까치가 아침 일찍부터 깍깍 짖는다
빵집 아저씨가 뜨거운 빵을 꺼내며 활짝 웃으신다
찻집에서는 커피 볶는 냄새가 나고 피아노 소리가 흐른다
바닷가에 서면 파도가 쏴 하고 밀려왔다가 쓱 빠져나간다
기차가 칙칙폭폭 달리고 뻐꾸기가 뻐꾹뻐꾹 운다
의사 선생님은 아픈 아이에게 쓴 약을 주고 예쁜 스티커도 붙여 주신다
""".strip().splitlines()
print(len(korean), "lines,", sum(map(len, korean)), "characters with spaces")

# %% [markdown] lang="en"
# **Predict:** which letter will be the most frequent? And are there more vowels or more consonants?

# %% tags=["demo"]
letter_counts = Counter(letter for line in korean for letter in hangul_to_jamo(line) if letter != " ")
syllable_counts = Counter(syllable for line in korean for syllable in line if syllable != " ")
letters_by_count = [letter for letter, _ in letter_counts.most_common()]
colours = ["#D55E00" if letter in VOWELS else "#0072B2" for letter in letters_by_count]
figure, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
axes.bar(range(len(letters_by_count)), [letter_counts[letter] for letter in letters_by_count], color=colours)
axes.set_xticks(range(len(letters_by_count)), letters_by_count)
axes.set(
    title="How often each letter occurs", xlabel="letter", ylabel="count", xlim=(-0.7, len(letters_by_count) - 0.3)
)
axes.tick_params(axis="x", labelsize=11)
axes.bar(0, 0, color="#D55E00", label="vowel")
axes.bar(0, 0, color="#0072B2", label="consonant")
axes.legend()
once = sum(count == 1 for count in letter_counts.values())
first_ten = sum(count for _, count in letter_counts.most_common(10)) / letter_counts.total()
show(
    figure,
    f"The ten most frequent letters, ㅏ ({letter_counts['ㅏ']} times) and ㅇ ({letter_counts['ㅇ']}) before all, make up "
    f"{first_ten:.0%} of the text; {once} of the {len(letter_counts)} letters come once.",
)
vowel_total = sum(letter_counts[letter] for letter in VOWELS)
print(f"{letter_counts.total()} letters: {vowel_total} vowels and {letter_counts.total() - vowel_total} consonants")
print(f"{syllable_counts.total()} syllables, {len(syllable_counts)} different ones")

# %% [markdown] lang="en"
# ㅏ comes first, just before ㅇ. There are exactly as many vowels as syllables, because every syllable is written with
# one vowel; and more consonants, because every syllable begins with one, be it the silent ㅇ, and some end with one.
#
# Letters are not yet sounds. ㅇ is silent at the beginning of a syllable and *ng* at its end; 같이 is said 가치. English
# spelling is much worse: *one* sounds like *won*. Speech synthesis therefore often works with **phonemes**, the
# sounds that tell words apart: *s a k i*. For everything that follows it makes no difference. A symbol is whatever
# stands in the list: a letter, a phoneme, a word. You will meet English phonemes in 1.8.

# %% [markdown] lang="en"
# ## 1.3 Numbers
#
# A **vocabulary** gives every symbol a number, its **id**. The ids will be row numbers of a table, so they begin at 0
# and have no gaps. Two ids are kept for **specials**, symbols that do not come from the data: `<pad>` fills up short
# texts, and `<unk>` (*unknown*) stands for whatever was not in the data when the vocabulary was made.
#
# By hand, for the two texts *s a k i* and *a s a*:
#
# | `<pad>` | `<unk>` | s | a | k | i |
# |---|---|---|---|---|---|
# | 0 | 1 | 2 | 3 | 4 | 5 |

# %% [markdown] lang="en"
# ### Exercise 1.2 · A vocabulary · ★☆☆ · 8 min · 2 points
#
# Write `build_vocab`: from lists of symbols to a dictionary `{symbol: id}`.
#
# - The specials get the first ids, 0, 1 …, in the order given, whether they occur in the data or not. They count like
#   any other entry: after two specials the first symbol has id 2. There may be other specials, or none: `specials=()`.
# - Then each symbol of the data, in the order of first appearance, gets the next id. Ids run without gaps.
# - A symbol that comes again gets no second id; it keeps its first. So does a special that also occurs in the data: it
#   keeps the id that it has as a special.
# - A symbol is one entry as it is written, be it several characters long (`SH`), and `SH` is not `sh`.
# - Sequences may be empty, and there may be no sequence at all: then only the specials are left.
#
# <details><summary>Hint 1: what is the next id?</summary>
#
# If a new symbol always gets the current size of the dictionary, there can be no gaps.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Start with an empty dictionary. Go through `[specials, *sequences]`, and in each through its symbols:
# `if symbol not in vocab: vocab[symbol] = len(vocab)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "build_vocab", "locked": false, "schema_version": 3, "solution": true, "task": false}
def build_vocab(sequences: list[list[str]], specials: tuple[str, ...] = ("<pad>", "<unk>")) -> dict[str, int]:
    """A number for every symbol: the specials, then the others by first appearance.

    Args:
        sequences: lists of symbols.
        specials: symbols that get the first ids, whether they occur or not.

    Returns:
        `{symbol: id}`, ids 0, 1, 2 … without gaps.
    """
    ### BEGIN SOLUTION
    vocab = {}
    for sequence in [specials, *sequences]:
        for symbol in sequence:
            if symbol not in vocab:
                vocab[symbol] = len(vocab)
    return vocab
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_build_vocab", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(build_vocab)
print(build_vocab([["s", "a", "k", "i"], ["a", "s", "a"]]))
print("expected: <pad> 0, <unk> 1, s 2, a 3, k 4, i 5")
print(build_vocab([["b", "<s>", "a"]], specials=("<s>",)), "expected: <s> 0, b 1, a 2")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(build_vocab)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The picture below reads texts character by character and counts with your function how many different symbols it has
# met: Korean as syllables, Korean as letters, and English letters from the transcripts of this course's recordings.
# **Predict** the shape of the three curves: which of them will still be growing at the end?

# %% tags=["demo"]
hangul_to_jamo = solved(hangul_to_jamo)  # yours, or the library's while it is not written
english = [letter for recording in recordings() for letter in recording.text if letter.isalpha()]


def growth(symbols):
    """How many different symbols there are among the first 20, 40, 60 …, and among all."""
    steps = [*range(20, len(symbols), 20), len(symbols)]
    return steps, [len(build_vocab([symbols[:n]], specials=())) for n in steps]


only_korean = "".join(korean).replace(" ", "")
curves = {
    "Korean syllables": (list(only_korean), "#D55E00", "-"),
    "Korean letters": (hangul_to_jamo(only_korean), "#0072B2", "-"),
    "English letters": (english[: len(hangul_to_jamo(only_korean))], "#009E73", "--"),
}
latest, different = {}, {}
figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
for name, (symbols, colour, line) in curves.items():
    axes.plot(*growth(symbols), color=colour, linestyle=line, label=name)
    different[name] = list(build_vocab([symbols], specials=()))
    latest[name] = symbols.index(different[name][-1]) + 1
    print(f"{name:17} {len(set(symbols[:500])):3} different ones among the first 500, ", end="")
    print(f"{len(different[name]):3} among all {len(symbols)}; the last new one is number {latest[name]}")
possible = len({*INITIALS, *VOWELS, *FINALS[1:]})
print(f"Korean letters that exist: {possible}, double finals among them")
axes.set(title="How a vocabulary grows", xlabel="symbols read", ylabel="different symbols", xlim=(0, 2_700))
axes.legend()
show(
    figure,
    f"Vocabulary size while reading: Korean syllables climb to {len(different['Korean syllables'])} and still rise at "
    f"the end of the text; Korean letters creep from {len(set(curves['Korean letters'][0][:500]))} after 500 symbols to "
    f"{len(different['Korean letters'])} at the end, English ones stop at {len(different['English letters'])}.",
)

# %% [markdown] lang="en"
# Syllables keep coming to the end of the text. Of letters most are there soon; then, now and then, a rare one follows,
# and even at the end a few of the 51 have not occurred. What that costs is seen with a text that the vocabulary was not
# made from. For that the symbols of the new text must be turned into ids.

# %% [markdown] lang="en"
# ### Exercise 1.3 · Encoding · ★☆☆ · 5 min · 1 point
#
# Write `encode`: a list of symbols becomes a tensor of their ids, shape `(T,)`, dtype int64.
#
# - A symbol that is not in the vocabulary gets the id of `"<unk>"`, whatever number that is. A capital letter is not in
#   it where only the small one is.
# - An empty list gives a tensor of shape `(0,)`, int64 too.
#
# <details><summary>Hint 1: a dictionary with a default</summary>
#
# `vocab.get(symbol, default)` gives the id, or `default` where the symbol is missing.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Make a list of ids with `vocab.get(symbol, vocab["<unk>"])`, and a tensor of it with
# `torch.tensor(..., dtype=torch.int64)`. Without the dtype an empty list would give floats.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "encode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def encode(sequence: list[str], vocab: dict[str, int]) -> torch.Tensor:
    """The ids of a sequence of symbols.

    Args:
        sequence: T symbols; T may be 0.
        vocab: `{symbol: id}`, with an id for "<unk>".

    Returns:
        `(T,)` int64; unknown symbols have the id of "<unk>".
    """
    ### BEGIN SOLUTION
    return torch.tensor([vocab.get(symbol, vocab["<unk>"]) for symbol in sequence], dtype=torch.int64)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_encode", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(encode)
example = {"<pad>": 0, "<unk>": 1, "s": 2, "a": 3, "k": 4, "i": 5}
print(encode(["s", "a", "k", "i"], example), "expected: 2, 3, 4, 5")
print(encode(["a", "q", "a"], example), "expected: 3, 1, 3")
print(encode([], example).shape, encode([], example).dtype, "expected: (0,), int64")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(encode)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Make a vocabulary from the first lines, and encode the last twenty, which it has not seen. **Predict:** after forty
# lines, which share of the new symbols will still be unknown, for syllables and for letters?

# %% tags=["demo"]
build_vocab = solved(build_vocab)
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
final = {}
for name, split, colour in (("syllables", list, "#D55E00"), ("letters", hangul_to_jamo, "#0072B2")):
    shares = []
    for lines in range(1, 41):
        known = build_vocab([split(line) for line in korean[:lines]])
        ids = torch.cat([encode(split(line), known) for line in korean[-20:]])
        shares.append((ids == known["<unk>"]).float().mean().item())
    final[name] = shares[-1]
    axes.plot(range(1, 41), shares, color=colour, label=name)
    print(f"{name:9} after 40 lines: vocabulary of {len(known)}, unknown in the new text {final[name]:.1%}")
axes.set(title="Unknown symbols in new text", xlabel="lines that the vocabulary was made from", ylabel="share unknown")
axes.set(xlim=(0, 40), ylim=(0, 1))
axes.legend()
show(
    figure,
    f"Unknown symbols in twenty new lines: after forty lines their share is {final['letters']:.1%} for letters, and "
    f"still {final['syllables']:.0%} for syllables.",
)

# %% [markdown] lang="en"
# Every unknown symbol has the same id: whatever it was, the model sees `<unk>`. That is why speech models use small
# units. wav2vec 2.0 is fine-tuned on English letters, Tacotron 2 reads letters, FastSpeech 2 reads phonemes. Whisper
# has 51 865 **tokens**, most of them pieces of words. They are made of *bytes*, of which every text consists, so
# nothing is ever unknown; it pays with a large table.

# %% [markdown] lang="en"
# ## 1.4 Batches
#
# A tensor is a rectangle, texts are not. To put several in one tensor, the shorter ones are filled up with `<pad>`.
# From then on somebody has to remember what is real: the **mask**, True for a symbol, False for padding.
#
# By hand, for the ids 2 3 4 5 and 3 2 3, padded with 0:
#
# $$ \text{ids} = \begin{pmatrix} 2 & 3 & 4 & 5 \\ 3 & 2 & 3 & 0 \end{pmatrix} \qquad
#    \text{mask} = \begin{pmatrix} 1 & 1 & 1 & 1 \\ 1 & 1 & 1 & 0 \end{pmatrix} $$
#
# It is tempting to compute the mask afterwards, as "every id that is not 0". That goes wrong as soon as 0 is the id of
# a real symbol, as in data where somebody else chose the numbers. The lengths are known; use them.

# %% [markdown] lang="en"
# ### Exercise 1.4 · Padding · ★★☆ · 12 min · 3 points
#
# Write `pad_batch`: B id tensors of different lengths become `ids (B, T)`, int64, and `mask (B, T)`, bool, where T is
# the longest length. Return both, in this order.
#
# - Row i holds sequence i, from column 0 on; behind it stands `pad_id`, which may be any whole number, −1 too. The order
#   of the sequences stays.
# - The mask is True exactly where a symbol came from a sequence, even if that symbol is equal to `pad_id`.
# - There is at least one sequence. Some may be empty; if all are, T is 0.
#
# <details><summary>Hint 1: start full, then overwrite</summary>
#
# `torch.full((B, T), pad_id)` is a batch of nothing but padding. Copy each sequence into its row, and set the mask to
# True in the same places.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# With `ids = torch.full(...)` and `mask = torch.zeros(B, T, dtype=torch.bool)`:
# `for row, sequence in enumerate(sequences)`, then `ids[row, : len(sequence)] = sequence` and the same for the mask.
# (`torch.nn.utils.rnn.pad_sequence` does the first half; look at its arguments if you use it.)
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "pad_batch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_batch(sequences: list[torch.Tensor], pad_id: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences of different lengths in one rectangle.

    Args:
        sequences: B tensors `(T_i,)` int64; B ≥ 1, a T_i may be 0.
        pad_id: what to fill up with.

    Returns:
        ids `(B, T)` int64 and mask `(B, T)` bool, True = a real symbol; T is the largest T_i.
    """
    ### BEGIN SOLUTION
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), pad_id)  # (B, T)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)  # (B, T)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = True
    return ids, mask
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_pad_batch", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(pad_batch)
print(*pad_batch([torch.tensor([2, 3, 4, 5]), torch.tensor([3, 2, 3])]), sep="\n")
print("expected: the two matrices above")
print(pad_batch([torch.tensor([9]), torch.tensor([7, 9])], pad_id=9)[1], "expected: only the second of row 0 is False")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(pad_batch)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Three words become one batch. In the picture, grey fields are padding. **Predict:** how many fields will be grey, for
# 사랑해, 소리 and 꽃?

# %% tags=["demo"]
encode = solved(encode)
three_words = [hangul_to_jamo(word) for word in ("사랑해", "소리", "꽃")]
letters = build_vocab([hangul_to_jamo(line) for line in korean])
word_ids, word_mask = pad_batch([encode(word, letters) for word in three_words])
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.imshow(torch.where(word_mask, 1.0, 0.72), cmap="gray", vmin=0, vmax=1)
for row, word in enumerate(three_words):
    for column in range(word_ids.shape[1]):
        symbol = word[column] if word_mask[row, column] else "<pad>"
        size = 13 if word_mask[row, column] else 10
        axes.text(column, row, f"{symbol}\n{word_ids[row, column]}", ha="center", va="center", fontsize=size)
axes.set_xticks(torch.arange(7) + 0.5, [], minor=True)
axes.set_yticks(torch.arange(3) + 0.5, [], minor=True)
axes.grid(which="minor", color="black", linewidth=0.8)
axes.set_xticks(range(7))
axes.set_yticks(range(3), ["사랑해", "소리", "꽃"])
axes.set(title="A batch of shape (3, 7)", xlabel="time (symbols)", ylabel="text")
padded = (~word_mask).sum(1).tolist()
show(
    figure,
    f"Three words as a batch of ids: 사랑해 fills all {word_ids.shape[1]} columns, 소리 has {padded[1]} fields of "
    f"padding, 꽃 has {padded[2]}: {sum(padded)} of {word_ids.numel()} in all.",
)

# %% [markdown] lang="en"
# Padding is work for nothing: the model computes it and throws it away. How much there is depends on who shares a
# batch with whom. Here are all the lines in batches of eight, once in the order of the text, once sorted by length.

# %% tags=["demo"]
def padding_share(sequences):
    """Which share of all fields is padding, in batches of eight."""
    masks = [pad_batch(sequences[first : first + 8])[1] for first in range(0, len(sequences), 8)]
    return 1 - sum(mask.sum() for mask in masks) / sum(mask.numel() for mask in masks)


encoded = [encode(hangul_to_jamo(line), letters) for line in korean]
print(f"in the order of the text: {padding_share(encoded):.0%} of the fields are padding")
print(f"sorted by length:         {padding_share(sorted(encoded, key=len)):.0%}")

# %% [markdown] lang="en"
# Training programs sort for that reason, roughly, so that batches still differ from one pass to the next. Whisper goes
# the other way: it pads every recording to 30 seconds, even "one moment please".

# %% [markdown] lang="en"
# ## 1.5 Vectors
#
# The simplest vector for symbol number 3 of a vocabulary of 6 has a 1 in place 3 and 0 elsewhere: (0, 0, 0, 1, 0, 0).
# It is called **one-hot**. It has one great virtue, that no symbol is larger than another, and two faults: it is as
# long as the vocabulary, and every symbol is equally far from every other.

# %% [markdown] lang="en"
# ### Exercise 1.5 · One-hot vectors · ★☆☆ · 6 min · 1 point
#
# Write `one_hot`: each id becomes a vector of length `vocab_size`, so `(B, T)` becomes `(B, T, V)`.
#
# - There is a 1 at the id and 0 elsewhere, in float32. Id 0 is an id like any other.
# - Ids may have any shape; the new axis is the last. A single id, shape `()`, gives `(V,)`; no ids, `(0,)`, give `(0, V)`.
# - The new axis has length `vocab_size` even where the highest symbols do not occur.
#
# <details><summary>Hint 1: compare</summary>
#
# `torch.arange(V)` holds the numbers of all symbols. Where is it equal to the id? A new axis, `ids[..., None]`, lets
# both meet by broadcasting.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `ids[..., None]` has shape `(…, 1)`, the numbers of all symbols `(V,)`. Comparing them with `==` gives `(…, V)`, True in
# the right places. `.float()` makes numbers of True and False.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "one_hot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one_hot(ids: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """A vector for each id that is 1 at the id and 0 elsewhere.

    Args:
        ids: `(...)` int64, each at least 0 and below `vocab_size`.
        vocab_size: V.

    Returns:
        `(..., V)` float32.
    """
    ### BEGIN SOLUTION
    return (ids[..., None] == torch.arange(vocab_size)).float()  # (..., 1) == (V,) → (..., V)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_one_hot", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(one_hot)
print(one_hot(torch.tensor([3, 0]), 5))
print("expected: a 1 in column 3 of the first row, and in column 0 of the second")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(one_hot)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# 사랑해 as one-hot vectors, by your function. The vocabulary of our text has 48 entries: 45 letters, the space and two
# specials. **Predict** the distance between the rows of ㅅ and ㅎ, both hissed, and
# between those of ㅅ and ㅏ.

# %% tags=["demo"]
letters = build_vocab([hangul_to_jamo(line) for line in korean])
love = hangul_to_jamo("사랑해")
love_hot = one_hot(encode(love, letters), len(letters))  # (7, 48)
figure, axes = plt.subplots(figsize=(10, 2.4), layout="constrained")
axes.imshow(1 - love_hot, cmap="gray", aspect="auto")
axes.set_yticks(range(7), love)
axes.set(title=f"사랑해, one-hot: seven rows of {len(letters)} numbers", xlabel="id", ylabel="time (symbols)")
show(figure, f"사랑해 as one-hot vectors: a {tuple(love_hot.shape)} matrix of zeros (white) with one 1 (black) in each row.")
distances = torch.cdist(love_hot, love_hot)
print(f"from ㅅ to ㅎ: {distances[0, 5]:.3f}, from ㅅ to ㅏ: {distances[0, 1]:.3f}")

# %% [markdown] lang="en"
# √2, always. One-hot vectors say *which* symbol it is and nothing else.
#
# Now the vectors that can be learned. An **embedding table** is a matrix of shape `(V, D)`: row *i* is the vector of
# symbol *i*. V is the size of the vocabulary, D is ours to choose: 512 in Tacotron 2, 256 in FastSpeech 2, and 4 in
# this example, whose numbers somebody made up:
#
# | phoneme | id | vector |
# |---|---|---|
# | s | 0 | 0.1, −0.2, 0.3, 0.7 |
# | a | 1 | 0.5, 0.1, −0.4, 0.2 |
# | k | 2 | −0.3, 0.6, 0.0, −0.1 |
# | i | 3 | 0.2, −0.1, 0.5, 0.3 |
#
# *s a k i* has the ids 0 1 2 3, and becomes the rows 0 1 2 3: a tensor `(T, D)`, here (4, 4). *a k a* has the ids
# 1 2 1; its first and last row are the same, for a table does not ask where a symbol stands.

# %% [markdown] lang="en"
# ### Exercise 1.6 · Looking up · ★☆☆ · 5 min · 2 points
#
# Write `embed`: each id is replaced by its row of the table, so `(B, T)` becomes `(B, T, D)`. It should serve a table of
# five rows as well as Whisper's with 51 865.
#
# - Ids may have any shape, also `()`, a single id; D comes behind it, also where D is 1.
# - No row is special, not even the one for padding.
# - The dtype is the table's: float32, float64 or float16.
# - `check` compares gradients too: how the result changes with each number of the table. You need not compute them.
#   PyTorch does, as long as the numbers go from the table to the result by tensor operations, not by way of Python
#   lists.
#
# <details><summary>Hint 1: indexing with a tensor</summary>
#
# A tensor can be indexed with a tensor of integers. `table[torch.tensor([1, 2, 1])]` gives three rows.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# The index may have any shape; the result has that shape and D behind it. It is one expression of ten characters.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "embed", "locked": false, "schema_version": 3, "solution": true, "task": false}
def embed(ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """The vector of each id.

    Args:
        ids: `(...)` int64, each at least 0 and below V.
        table: `(V, D)`, one row a symbol.

    Returns:
        `(..., D)`, in the table's dtype.
    """
    ### BEGIN SOLUTION
    return table[ids]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_embed", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(embed)
print(embed(torch.tensor([1, 2, 1]), torch.tensor([[0.1, -0.2], [0.5, 0.1], [-0.3, 0.6]])))
print("expected: row 1, row 2, row 1 again")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(embed)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The whole way now, with the example table: *s a k i* and *a k a*, from phonemes to `(B, T, D)`. The row for `<pad>` is
# zero here. **Predict:** which rows of the two pictures will be equal?

# %% tags=["demo"]
pad_batch = solved(pad_batch)
def draw_vectors(axes, vectors, names, limit):
    """Vectors as rows of colours, each row with the name of its symbol."""
    image = axes.imshow(vectors, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xticks(range(vectors.shape[1]))
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="dimension", ylabel="time (symbols)")
    return image


rows = [[0.1, -0.2, 0.3, 0.7], [0.5, 0.1, -0.4, 0.2], [-0.3, 0.6, 0.0, -0.1], [0.2, -0.1, 0.5, 0.3]]
saki_table = torch.tensor([*rows, [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])  # (6, 4)
saki = {"s": 0, "a": 1, "k": 2, "i": 3, "<pad>": 4, "<unk>": 5}
saki_ids, saki_mask = pad_batch([encode(["s", "a", "k", "i"], saki), encode(["a", "k", "a"], saki)], pad_id=4)  # (2, 4)
saki_vectors = embed(saki_ids, saki_table)  # (2, 4, 4)
print("ids", tuple(saki_ids.shape), "→ vectors", tuple(saki_vectors.shape))
figure, pair = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for axes, vectors, names in zip(pair, saki_vectors, (list("saki"), ["a", "k", "a", "<pad>"]), strict=True):
    image = draw_vectors(axes, vectors, names, 0.7)
    for row, vector in enumerate(vectors.tolist()):
        for column, value in enumerate(vector):
            ink = "white" if abs(value) > 0.45 else "black"
            axes.text(column, row, f"{value:.1f}".replace("-", "−"), ha="center", va="center", color=ink, fontsize=11)
pair[0].set_title("s a k i")
pair[1].set_title("a k a")
figure.colorbar(image, ax=pair, label="value")
show(
    figure,
    f"The tensor {tuple(saki_vectors.shape)}: the row of a is the same three times, 0.5, 0.1, −0.4, 0.2, that of k "
    "twice, −0.3, 0.6, 0.0, −0.1; padding is zero.",
)

# %% [markdown] lang="en"
# A row does not know its place: *a k a* backwards is the same tensor. Models add that knowledge later (unit 6), or find
# it by going through the rows one after the other (unit 5).
#
# A look-up is a multiplication in disguise. A one-hot vector times the table picks one row: all others are multiplied
# by 0. **Predict** the difference between the two ways, and their costs.

# %% tags=["demo"]
one_hot = solved(one_hot)
ids = torch.tensor([0, 1, 2, 3])  # s a k i
difference = (one_hot(ids, 6) @ saki_table - embed(ids, saki_table)).abs().max()
print(f"largest difference between one_hot(ids) @ table and embed(ids, table): {difference:.1e}")
multiplications = f"{51_865 * 384:,}".replace(",", " ")
print(f"multiplications for one token with Whisper tiny's table (51 865, 384): {multiplications}, or none")

# %% [markdown] lang="en"
# The same numbers; 19.9 million multiplications or none. So programs look up. But the multiplication says what the
# *gradient* is: it reaches a row only through one-hot entries that are 1, that is, from the places where the row's symbol
# stands, and the shares of these places add up. The row of a symbol that does not occur gets zeros.
#
# **Predict:** a table is to learn from the single word 사랑해, and the loss is simply the sum of all numbers in its vectors.
# Which rows get a gradient, and which row the largest?

# %% tags=["demo"]
love_ids = encode(hangul_to_jamo("사랑해"), letters)
table = torch.zeros(len(letters), 4, requires_grad=True)
embed(love_ids, table).sum().backward()
names = [name if name != " " else "space" for name in letters]
figure, axes = plt.subplots(figsize=(10, 2.6), layout="constrained")
axes.bar(range(len(names)), table.grad[:, 0], color="#0072B2")
axes.set_xticks(range(len(names)), names)
for label in axes.get_xticklabels():
    label.set_rotation(90 if len(label.get_text()) > 1 else 0)
axes.set(title="The gradient for each row from 사랑해", xlabel="row of the table", ylabel="gradient")
axes.set(xlim=(-0.7, len(names) - 0.3), yticks=(0, 1, 2))
show(
    figure,
    "Six rows of the table get a gradient: 2 for ㅏ, which occurs twice, 1 for ㅅ ㄹ ㅇ ㅎ ㅐ, 0 for all others.",
)

# %% [markdown] lang="en"
# A symbol that never occurs keeps the random numbers that it started with, for ever. A rare one learns from a few places
# only. Remember that when a model behaves strangely on a rare symbol.
#
# In PyTorch such a table is `torch.nn.Embedding(V, D)`; its `.weight` is the table. It starts with random numbers, so
# before training no two symbols are close for any reason.

# %% [markdown] lang="en"
# ## 1.6 How alike are two vectors?
#
# The usual answer is the **cosine similarity**, the cosine of the angle between them:
#
# $$ \cos(a, b) = \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert}, \qquad
#    a \cdot b = \sum_d a_d b_d, \qquad \lVert a \rVert = \sqrt{\textstyle\sum_d a_d^2} $$
#
# 1 means the same direction, 0 a right angle, −1 the opposite direction. How long the vectors are does not matter.
#
# By hand, for [3, 4] and [4, 3]: the dot product is 12 + 12 = 24, both lengths are √(9 + 16) = 5, so the cosine is
# 24 / 25 = **0.96**. For [3, 4] and [−6, −8] it is (−18 − 32) / (5 · 10) = **−1**.

# %% [markdown] lang="en"
# ### Exercise 1.7 · Cosine similarity · ★★☆ · 12 min · 3 points
#
# Write `cosine_similarity` for all pairs: `a (N, D)` and `b (M, D)` give `(N, M)`, row i for vector i of `a`.
#
# - A zero vector has no direction. Its similarity with everything is 0, not NaN (*not a number*, what 0 / 0 gives).
# - Gradients must be finite everywhere, beside a zero vector too. Replacing a NaN *after* the division does not help:
#   the gradient goes back through the division and meets 0 / 0 there.
# - Short vectors count like long ones: the answer for vectors of length 0.0005 must be right, too. So must it be for
#   vectors a thousand times as long as others.
# - The dtype stays: float64 gives float64, with all its precision.
#
# <details><summary>Hint 1: first the lengths</summary>
#
# If every row had length 1, a single matrix product would give all pairs. `a.norm(dim=-1, keepdim=True)` gives the
# length of each row, as a column that you can divide by.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Divide by the length, or by a tiny number where the length is smaller: `.norm(...).clamp_min(1e-8)`. A zero row then
# stays zero. Do it for `a` and for `b`, then multiply: `(N, D) @ (D, M)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "cosine_similarity", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cosine_similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The cosine of the angle between every row of a and every row of b.

    Args:
        a: `(N, D)`.
        b: `(M, D)`.

    Returns:
        `(N, M)`, each from −1 to 1; 0 where a vector is zero.
    """
    ### BEGIN SOLUTION
    a = a / a.norm(dim=-1, keepdim=True).clamp_min(1e-8)  # (N, D), rows of length 1
    b = b / b.norm(dim=-1, keepdim=True).clamp_min(1e-8)  # (M, D)
    return a @ b.T  # (N, M)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_cosine_similarity", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(cosine_similarity)
print(cosine_similarity(torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0], [-6.0, -8.0], [0.0, 0.0]])))
print("expected: 0.96, −1, and 0 for the zero vector")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(cosine_similarity)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Apply it to the example table. **Predict:** which two of s, a, k, i will be most alike, if similar sounds have similar
# vectors?

# %% tags=["demo"]
saki_rows = torch.tensor([[0.1, -0.2, 0.3, 0.7], [0.5, 0.1, -0.4, 0.2], [-0.3, 0.6, 0.0, -0.1], [0.2, -0.1, 0.5, 0.3]])
alike = cosine_similarity(saki_rows, saki_rows)
figure, axes = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
image = axes.imshow(alike, cmap="RdBu_r", vmin=-1, vmax=1)
for row in range(4):
    for column in range(4):
        colour = "white" if abs(alike[row, column]) > 0.7 else "black"
        number = f"{alike[row, column]:.2f}".replace("-", "−")
        axes.text(column, row, number, ha="center", va="center", color=colour)
axes.set_xticks(range(4), list("saki"))
axes.set_yticks(range(4), list("saki"))
axes.set_title("Cosine similarities of the example table")
figure.colorbar(image, label="cosine similarity")
show(
    figure,
    f"In the example table s and i are most alike, {alike[0, 3]:.2f}; the two vowels a and i have "
    f"{alike[1, 3]:.2f}.".replace("-", "−"),
)

# %% [markdown] lang="en"
# *s* and *i*, a hiss and a vowel, at 0.81, and the two vowels at −0.12, nearly a right angle. The table was made up,
# and nothing in a made-up (or untrained) table knows how anything sounds. Closeness has to be learned, and *what* is
# learned depends on what the table is trained for. Two experiments will show it. One more tool first.

# %% [markdown] lang="en"
# ### Exercise 1.8 · Nearest neighbours · ★★☆ · 8 min · 2 points
#
# Write `nearest`: the numbers of the `k` rows of a table that are most alike to a query vector, by cosine similarity,
# the most similar first.
#
# - The result is `(k,)` int64, also for k = 1. `k` is at most the number of rows V; k = V gives the whole table in order.
# - Nothing is left out: where the query is itself a row of the table, that row comes first.
# - A row of zeros has similarity 0, as before, so rows that point away from the query come after it.
# - Lengths do not matter: vectors of length 0.001 have the same neighbours as long ones. Ties are not tested.
#
# You may use your `cosine_similarity` or PyTorch's own.
#
# <details><summary>Hint 1: one against all</summary>
#
# The query is `(D,)`. `query[None]` is `(1, D)`, a table of one row. The similarities then come as `(1, V)`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `.topk(k)` of the similarities `(V,)` returns two things, `.values` and `.indices`, the largest first.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "nearest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest(query: torch.Tensor, table: torch.Tensor, k: int) -> torch.Tensor:
    """The rows of a table that are most alike to a query.

    Args:
        query: `(D,)`.
        table: `(V, D)`.
        k: how many; 1 ≤ k ≤ V.

    Returns:
        `(k,)` int64, row numbers, the highest cosine similarity first.
    """
    ### BEGIN SOLUTION
    similarities = functional.cosine_similarity(query[None], table, dim=-1)  # (V,)
    return similarities.topk(k).indices
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_nearest", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(nearest)
directions = torch.tensor([[0.0, 5.0], [-1.0, 0.0], [9.0, 9.0], [0.1, 0.0]])
print(nearest(torch.tensor([2.0, 0.1]), directions, 3), "expected: 3 (same direction), 2 (45°), 0 (a right angle)")
print(nearest(torch.tensor([2.0, 0.1]), directions, 1).shape, "expected: (1,)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(nearest)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# A table that nobody has trained: 48 random vectors, one for each entry of the vocabulary. Its neighbours are looked for
# among the letters that occur at least five times. **Predict:** will they make any sense, and will a second random table
# agree with the first?

# %% tags=["demo"]
def common_letters():
    """The letters that occur at least five times: vowels, then consonants, in the alphabet's order."""
    counts = Counter(letter for line in korean for letter in hangul_to_jamo(line))
    return [letter for letter in VOWELS + INITIALS if counts[letter] >= 5]


def rows_of(table, vocab, symbols):
    """The rows of these symbols, in this order."""
    return table[[vocab[symbol] for symbol in symbols]]


def listed(symbols, table, vocab, queries, k=4):
    """Print the k nearest symbols of each query, leaving out the query itself."""
    rows = rows_of(table, vocab, symbols)
    for query in queries:
        found = nearest(table[vocab[query]], rows, k + 1).tolist()
        print(f"{query:>2} → {'  '.join(symbols[i] for i in found if symbols[i] != query)}")


def same_kind(table, vocab, symbols, k=4):
    """Which share of the k nearest of each letter is of its own kind, a vowel for a vowel."""
    rows, right = rows_of(table, vocab, symbols), 0
    for i, symbol in enumerate(symbols):
        others = [j for j in nearest(rows[i], rows, k + 1).tolist() if j != i]
        right += sum((symbols[j] in VOWELS) == (symbol in VOWELS) for j in others)
    return right / k / len(symbols)


frequent = common_letters()
letters = build_vocab([hangul_to_jamo(line) for line in korean])
for number in (1, 2):
    random_table = torch.randn(len(letters), 8, generator=torch.Generator().manual_seed(number))
    print(f"random table {number}: {same_kind(random_table, letters, frequent):.0%} of the neighbours are of one kind")
    listed(frequent, random_table, letters, "ㅏㄱ")
vowels, others = sum(one in VOWELS for one in frequent), len(frequent) - 1
blind = (vowels * (vowels - 1) + (len(frequent) - vowels) * (others - vowels)) / len(frequent) / others
print(f"drawn blindly from {others} letters, {blind:.0%} would be of one kind (both vowels, or both consonants);")
print(f"two lists of four share a letter in {1 - math.comb(others - 4, 4) / math.comb(others, 4):.0%} of all blind draws")

# %% [markdown] lang="en"
# Neither. Vowels and consonants are mixed, as in a blind draw. But look at ㄱ: in both lists ㄲ, its tense sister, stands
# among the neighbours, as if the tables knew how they sound. It is chance. Two lists of four, drawn blindly, share a
# letter nearly every second time, and an eye that looks for sense finds it. A few lists prove nothing; keep that in mind
# below.
#
# Now let a table learn.

# %% [markdown] lang="en"
# ## 1.7 What a table learns from text
#
# In the first experiment the table learns from the Korean lines, and from nothing else. The task: from a letter's
# vector, guess the letters one and two places before and after it. Four small matrices turn the vector into scores
# for each neighbour; table and matrices start at random and are improved together, step by step. (How such learning
# works is the subject of units 7 and 8.)
#
# Nobody says what a vowel is. **Predict:** will vowels find each other? Will ㅋ come near ㄱ, of which it is the breathy
# twin?

# %% tags=["demo", "training"]
embed = solved(embed)
def learn_from_neighbours(sequences, vocab, title, steps=120, dims=8):
    """A table trained to guess neighbours in text: its rows before and after, (V, D) each."""
    ids, mask = pad_batch([encode(sequence, vocab) for sequence in sequences])  # (B, T)
    torch.manual_seed(0)
    table = (0.1 * torch.randn(len(vocab), dims)).requires_grad_()
    before = table.detach().clone()
    guess = {offset: torch.nn.Linear(dims, len(vocab)) for offset in (-2, -1, 1, 2)}
    learned = [table, *(weights for linear in guess.values() for weights in linear.parameters())]
    optimizer = torch.optim.Adam(learned, lr=0.05)
    progress, unsure = tqdm(range(steps), desc=title, file=sys.stdout), []
    for _ in progress:
        vectors = embed(ids, table)  # (B, T, D)
        losses = []
        for offset, linear in guess.items():
            here, there = slice(max(-offset, 0), min(-offset, 0) or None), slice(max(offset, 0), min(offset, 0) or None)
            both = mask[:, here] & mask[:, there]
            losses.append(functional.cross_entropy(linear(vectors[:, here][both]), ids[:, there][both]))
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        unsure.append(loss.exp().item())
        progress.set_postfix_str(f"as unsure as among {unsure[-1]:.1f} symbols", refresh=False)
    print(f"{title}: at first as unsure as among {unsure[0]:.1f} symbols, at the end as among {unsure[-1]:.1f}")
    return before, table.detach()


korean_letters = [hangul_to_jamo(line) for line in korean]
letters = build_vocab(korean_letters)
random_letters, text_letters = learn_from_neighbours(korean_letters, letters, "Korean letters")

# %% [markdown] lang="en"
# The guesses became better: at first about as unsure as a die with 48 sides, one for each entry of the vocabulary, at the
# end as one with about 12. Now the neighbours, by your function, among the letters that occur at least five times.

# %% tags=["demo"]
nearest = solved(nearest)
frequent = common_letters()
letters = build_vocab([hangul_to_jamo(line) for line in korean])
listed(frequent, text_letters, letters, "ㅏㅓㅣㄱㄴㅂㅋ")
print(f"of the four nearest of all letters, {same_kind(text_letters, letters, frequent):.0%} are of the letter's own kind")
moved = (text_letters - random_letters).norm(dim=-1)
farthest = max(letters, key=lambda letter: moved[letters[letter]])
print("how far the rows have moved:", end="")
for letter in ("<pad>", "<unk>", "ㅏ", farthest):
    count = sum(line.count(letter) for line in korean_letters)
    print(f"  {letter} (in the text: {count}) {moved[letters[letter]]:.1f}", end="")

# %% [markdown] lang="en"
# After training, nearly all neighbours of vowels are vowels, and those of consonants are consonants. The specials never
# occur and have not moved at all. A letter that comes once has moved farthest: it has learned its only place by heart,
# which is why the lists leave rare letters out.
#
# But looking at a few lists proves nothing. Put a number to it: the mean similarity of all pairs *within* a class, against that of all
# pairs *across* classes. And because some difference would come by chance, deal the class labels out at random a
# thousand times, and see how often the gap is as large.

# %% tags=["demo"]
cosine_similarity = solved(cosine_similarity)
def within_and_across(similarity, labels):
    """The mean similarity of different symbols of one class, and of symbols of two classes."""
    labels = torch.tensor(labels)
    same = labels[:, None] == labels
    return similarity[same & ~torch.eye(len(labels), dtype=torch.bool)].mean(), similarity[~same].mean()


def by_chance(similarity, labels):
    """In which share of a thousand random deals of the labels the gap is at least as large."""
    generator = torch.Generator().manual_seed(0)
    found = torch.sub(*within_and_across(similarity, labels))
    deals = [torch.tensor(labels)[torch.randperm(len(labels), generator=generator)].tolist() for _ in range(1_000)]
    return sum(torch.sub(*within_and_across(similarity, deal)) >= found for deal in deals) / 1_000


frequent = common_letters()
is_vowel = [int(one in VOWELS) for one in frequent]
for name, table in (("before", random_letters), ("after", text_letters)):
    rows = rows_of(table, letters, frequent)
    alike = cosine_similarity(rows, rows)
    within, across = within_and_across(alike, is_vowel)
    print(
        f"vowels and consonants, {name:6}: within {within:5.2f}, across {across:5.2f}, gap {within - across:5.2f}",
        end="",
    )
    print(f"; as large by chance in {by_chance(alike, is_vowel):.0%} of 1 000 deals")

# %% tags=["demo"]
frequent = common_letters()
figure, pair = plt.subplots(1, 2, figsize=(10, 4.7), layout="constrained")
chosen = rows_of(text_letters, letters, frequent)
both_alike = [cosine_similarity(rows, rows) for rows in (rows_of(random_letters, letters, frequent), chosen)]
border = sum(one in VOWELS for one in frequent) - 0.5
for axes, similarity, title in zip(pair, both_alike, ("before", "after"), strict=True):
    image = axes.imshow(similarity, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.axhline(border, color="black", linewidth=1)
    axes.axvline(border, color="black", linewidth=1)
    axes.set_xticks(range(len(frequent)), frequent, fontsize=9)
    axes.set_yticks(range(len(frequent)), frequent, fontsize=9)
    axes.set_title(f"Similarities {title} training")
figure.colorbar(image, ax=pair, label="cosine similarity", shrink=0.8)
show(
    figure,
    "Before training the similarities are noise; after it vowels (first) and consonants form two red blocks, and the "
    "similarities between the blocks are near 0.",
)
figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
centred = functional.normalize(chosen, dim=-1) - functional.normalize(chosen, dim=-1).mean(0)
flat = centred @ torch.linalg.svd(centred).Vh[:2].T  # the two directions in which the rows differ most
for name, (x, y) in zip(frequent, flat.tolist(), strict=True):
    colour = "#D55E00" if name in VOWELS else "#0072B2"
    axes.text(x, y, name, color=colour, fontsize=14, ha="center", va="center")
axes.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="first direction", ylabel="second direction")
axes.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=(-1, -0.5, 0, 0.5, 1))
axes.set_title("The rows from their best side\n(vowels orange, consonants blue)")
show(figure, "A map of the rows after training: the vowels lie on one side, the consonants on the other.")

# %% [markdown] lang="en"
# Vowels and consonants have found their own sides, by their company alone: in a syllable a vowel stands between
# consonants, and whatever can stand in the same places gets a similar vector. The linguist J. R. Firth said it of
# words in 1957: you shall know a word by the company it keeps.
#
# That is similarity of *use*, not of sound. Does the text also know families of sound? ㄱ ㄲ ㅋ are made at one place of
# the mouth, as are ㄷ ㄸ ㅌ, ㅂ ㅃ ㅍ, ㅈ ㅉ ㅊ, and ㅅ ㅆ. **Predict** the gap before you look.

# %% tags=["demo"]
families = ["ㄱㄲㅋ", "ㄷㄸㅌ", "ㅂㅃㅍ", "ㅈㅉㅊ", "ㅅㅆ"]
frequent = common_letters()
in_families = [one for one in "".join(families) if one in frequent]
family_rows = rows_of(text_letters, letters, in_families)
family_alike = cosine_similarity(family_rows, family_rows)
family = [next(i for i, members in enumerate(families) if one in members) for one in in_families]
within, across = within_and_across(family_alike, family)
print(f"families of sound: within {within:.2f}, across {across:.2f}, gap {within - across:.2f}", end="")
print(f"; as large by chance in {by_chance(family_alike, family):.0%} of 1 000 deals")
twins = family_alike[in_families.index("ㅋ"), in_families.index("ㄱ")]
print(f"ㅋ and ㄱ: {twins:.2f}")

# %% [markdown] lang="en"
# No gap: siblings are no more alike than strangers, and labels dealt at random do as well. And the question about ㅋ? It
# has come near ㄱ, nearer than siblings are on average; but ㅁ and ㅌ, which are made elsewhere in the mouth, stand before
# ㄱ in its list above. One pair that fits is no knowledge, as with ㄱ and ㄲ in the random tables: over all families it
# comes to nothing. Where in the mouth a consonant is made hardly shows in where it may stand, so this text cannot teach
# it. It has to be heard.

# %% [markdown] lang="en"
# ## 1.8 What a table learns from sound
#
# For the second experiment we need sounds whose symbols are known. There is no Korean speech in this course's
# recordings, so we turn to English, to the same voice as before. The next cell looks like a secret message and is an
# **alignment**: for each recording the phonemes in order, each with its length in hundredths of a second; a dash is a
# pause. A program called *forced aligner* has found it from the sound and the text. Such tables are the ground truth
# from which speech synthesis learns how long each sound lasts, and you will write an aligner yourself in unit 9.
#
# The phonemes are written in ARPAbet, an alphabet made for computers: `IY` is the vowel of *see*, `AA` that of *hot*
# (as Americans say it), `AH` that of *cup* and also the dull *a* of *away*, `ER` that of *bird*, `TH` and `DH` the
# first sounds of *thin* and *this*, `CH` and `JH` those of *chin* and *gin*, `NG` the last of *sing*.

# %% tags=["demo"]
alignment = """
tt-weasels -9 W18 IY15 Z10 AH7 L19 Z12 HH19 AE8 V6 IY15 T5 AH3 N10 AA10 R4 F12 OW16 N12 S13 IH8 S13 T6 AH12 M30 -3
vm-instructions -2 T8 IH8 L5 UH8 K7 IH8 N5 T6 AH3 Y7 UH6 R4 M9 EH11 S11 IH6 JH9 IH17 Z14 P20 R7 EH14 S12 W12 AH6 N13
    N7 AW42 -20 Y11 UW4 M5 EY11 K14 W4 IH8 T9 V8 OY16 S12 M5 EY11 L14 AE19 T4 EH6 N6 IY11 T14 AY26 M18 -15 B5 AY12 P9
    R5 EH9 S10 IH3 NG10 DH4 AH4 P7 AW20 N13 D3 K7 IY32 -15
vm-newpassword -16 P6 L7 IY16 Z10 EH6 N6 T5 ER3 Y10 UH5 R6 N13 Y9 UW14 P8 AE21 S12 W6 ER15 D7 F13 AA14 L7 OW8 D4 B7
    AY7 DH5 AH4 P7 AW20 N11 D4 K7 IY36 -14
tt-monkeysintro -13 DH13 EY12 HH5 AE8 V4 B5 IH8 N11 K10 EH7 R7 IY8 D4 AH6 W10 EY20 B9 AY10 M8 AH8 NG13 K7 IY26 Z14 -22
vm-Cust1 -4 F12 OW8 L8 D6 ER11 F13 AY35 V14 -5
vm-passchanged -13 Y16 AO6 R8 P7 AE20 S12 W8 ER11 D6 Z3 HH3 AE11 V6 B4 IH5 N11 CH12 EY23 N11 JH12 D8 -21
vm-savefolder -9 HH7 W6 IH5 CH12 F7 OW11 L7 D5 ER16 SH12 UH3 D4 AY10 S12 EY12 V3 DH4 IH11 S7 M9 EH10 S11 IH9 JH13 T10
    UW38 -23
confbridge-unmuted -4 Y14 UW11 AA3 R7 N9 OW8 L12 AO11 NG8 G8 ER9 M5 Y11 UW6 T4 IH16 D11 -8
vm-changeto -8 CH12 EY11 N8 JH9 T7 UW12 W9 IH8 CH12 F7 OW13 L10 D6 ER32 -9
spy-jingle -15 JH16 IH9 NG14 G5 AH5 L35 -3
sorry-youre-having-problems -9 S17 AA6 R6 IY7 Y7 UH3 R4 HH12 AE7 V3 IH5 NG14 P8 R4 AA16 B4 L10 AH4 M19 Z11 -22
agent-loggedoff -6 EY16 JH9 AH6 N5 T3 L15 AO16 G9 D9 AO25 F14 -12
digits-h-thousand TH10 AW24 Z12 AH8 N13 D4 TH13 -13
spy-h323 -9 EY23 CH18 TH7 R11 IY16 T9 UW19 TH15 R10 IY43 -18
call-forwarding -16 K9 AO20 L6 F12 AO8 R9 W4 ER8 D5 IH5 NG36 -14
digits-h-13 -3 TH15 ER18 T13 IY18 N11 TH21 -4
confbridge-conf-begin -5 DH12 AH4 K10 AA13 N5 F5 ER7 AH3 N5 S7 W4 AH3 L6 N8 AW15 B5 IH8 G9 IH18 N23 -8
letters-ascii62 -15 G9 R6 EY11 T4 ER13 DH5 AE26 N19 -15
vm-helpexit -10 P7 R6 EH11 S7 S10 T8 AA17 R6 F13 ER9 HH11 EH8 L17 P26 AO13 R5 P13 AW17 N8 D3 T4 UW11 EH13 G7 Z10 IH17
    T14 -12
letters-exclamation-point -10 EH9 K6 S5 K8 L5 AH3 M6 EY12 SH13 AH3 N15 P10 OY15 N16 T9 -7
vm-tooshort -10 Y13 UH4 R4 M7 EH13 S10 IH9 JH8 IH6 Z9 T8 UW13 SH20 AO8 R18 T11 -7
letters-ascii92 B19 AE18 K8 S9 L11 AE25 SH19 -14
location -7 L14 OW12 K9 EY18 SH18 AH9 N24 -8
dir-multi3 -2 IH10 K8 S9 T7 EH9 N11 SH13 AH7 N23
letters-ascii63 -1 K8 W5 EH8 S7 CH8 AH5 N8 M9 AA13 R15 K16 -3
conf-userwilljoin -14 Y18 UW10 Z11 ER16 W7 AH3 L10 JH10 OY10 N5 DH3 IY5 K8 AA15 N9 F7 ER13 AH5 N10 S15 -19
confbridge-remove-last-in T8 IH6 R7 IY3 M13 UW10 V7 DH4 AH5 P6 AA9 R6 T8 IH9 S9 AH4 P6 AH12 N10 T19 HH7 UW7 M6 OW12
    S11 R11 IY11 S9 AH3 N3 T3 L4 IY11 JH12 OY11 N8 D3 DH3 AH4 K9 AA17 N7 F7 ER11 AH6 N14 S13 -7
confbridge-lock-extended -8 T7 UW13 L9 AA23 K24 AO12 R3 AH16 N8 L12 AA11 K10 DH3 AH4 K10 AA13 N7 F9 ER8 AH5 N16 S12
    -24 W9 EH4 N3 EY9 K8 AA12 N4 F5 ER5 AH3 N5 S7 IH7 Z6 L13 AA22 K8 T8 -15 OW16 N12 L4 IY9 K10 AA12 N5 F5 R4 AH3 N8
    S9 AE4 D8 M10 IH5 N5 IH4 S10 T4 R5 EY9 T3 ER11 Z6 K8 AH5 N12 JH12 OY19 N10 -24
"""
aligned = []  # for each recording: its name, and its phonemes with their lengths
for entry in alignment.replace("\n    ", " ").strip().splitlines():
    name, *marks = entry.split()
    phonemes = [mark.rstrip("0123456789") for mark in marks]
    lengths = [int(mark.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")) for mark in marks]
    aligned.append((name, list(zip(phonemes, lengths, strict=True))))
CLASSES = {
    "vowels": "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
    "nasals": "M N NG",
    "approximants": "L R W Y",
    "fricatives": "S SH Z F V TH DH HH",
    "affricates": "CH JH",
    "stops": "P T K B D G",
}
CLASSES = {name: members.split() for name, members in CLASSES.items()}
PHONES = [phone for members in CLASSES.values() for phone in members]
spoken = [[phone for phone, _ in timed if phone != "-"] for _, timed in aligned]
print(f"{len(aligned)} recordings, {sum(map(len, spoken))} phonemes, {len(PHONES)} different ones")
print(f"the first says “{load_transcript(aligned[0][0])}”:", *spoken[0])

# %% [markdown] lang="en"
# The classes say how a sound is made. **Vowels**: the air flows freely. **Nasals**: through the nose. **Approximants**:
# through a wide gap. **Fricatives**: it hisses through a narrow one. **Stops**: it is stopped, then let go.
# **Affricates**: a stop that ends in a hiss. The classes are phonetics from a textbook; training will not see them.
#
# What is heard in each phoneme? The middle half of its time, as 40 numbers: how strong the sound is in each of 40 bands
# from low to high, in powers of ten. (That is a *log-mel spectrum*, averaged over a few hundredths of a second. You
# will build it yourself in unit 3.) From each number we subtract that band's mean over all phonemes.

# %% tags=["demo"]
bands = melscale_fbanks(201, 0.0, 8_000.0, 40, 16_000)  # (201 frequencies, 40 bands)


def log_mel(waveform):
    """(T,) → (frames, 40), a hundred frames a second."""
    stft = torch.stft(waveform, 400, 160, window=torch.hann_window(400), return_complex=True)  # (201, frames)
    return (stft.abs().square().T @ bands).clamp_min(1e-6).log10()


heard, heard_phones, pauses, phone_places = [], [], [], {}
for name, timed in aligned:
    frames, start = log_mel(load_clip(name)), 0
    for phone, length in timed:
        middle = frames[start + length // 4 : start + length - length // 4].mean(0)  # (40,)
        if phone == "-" and length >= 4:
            pauses.append(middle)
        elif phone != "-":
            heard.append(middle)
            heard_phones.append(phone)
            phone_places.setdefault(phone, []).append((name, start, length))
        start += length
heard = torch.stack(heard)  # (phonemes, 40)
usual = heard.mean(0)
print("what was heard:", tuple(heard.shape))

# %% [markdown] lang="en"
# Now the table. As in speech synthesis, a phoneme's vector must tell how it sounds: vector times a matrix `(8, 40)`
# should be what was heard. Table and matrix are learned together. One row serves all occurrences of its phoneme, so it
# can only learn what these have in common.

# %% tags=["demo", "training"]
def learn_from_sound(ids, targets, size, steps=300, dims=8):
    """A table (V, D) and a matrix (D, 40) so that row times matrix is near what was heard."""
    torch.manual_seed(0)
    table = (0.1 * torch.randn(size, dims)).requires_grad_()
    decoder = (0.1 * torch.randn(dims, 40)).requires_grad_()
    optimizer = torch.optim.Adam([table, decoder], lr=0.02)
    progress = tqdm(range(steps), desc="English sounds", file=sys.stdout)
    for _ in progress:
        loss = (embed(ids, table) @ decoder - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress.set_postfix_str(f"mean squared error {loss:.3f}", refresh=False)
    return table.detach(), decoder.detach()


phones = build_vocab([PHONES])
sound_table, decoder = learn_from_sound(encode(heard_phones, phones), heard - usual, len(phones))
sound_rows = rows_of(sound_table, phones, PHONES)  # (38, 8), without the specials

# %% [markdown] lang="en"
# **Predict**, before you run the next cell, the nearest neighbours of `S`, `N`, `ER` and `AO`.

# %% tags=["demo"]
phones = build_vocab([PHONES])
listed(PHONES, sound_table, phones, ["S", "SH", "F", "N", "P", "ER", "IY", "AO"], k=3)

# %% [markdown] lang="en"
# S and Z, SH and CH, F and TH (some Londoners say *fink* for *think*), N with the other nasals NG and M, ER and R, AO with
# OW, AA and OY: a phonetician would have drawn much of it so, and nobody told the table. Listen down one list: what is nearest to `S`, what is
# farthest?

# %% tags=["demo"]
phones = build_vocab([PHONES])
ranking = [PHONES[i] for i in nearest(sound_table[phones["S"]], sound_rows, len(PHONES))]
for title, chosen in (("the sound itself and the nearest", ranking[:4]), ("the farthest", ranking[-3:])):
    longest = [max(phone_places[phone], key=lambda place: place[2]) for phone in chosen]
    play(in_a_row([cut(*place) for place in longest]), f"{title}: {', '.join(chosen)}")

# %% [markdown] lang="en"
# To be fair, the same phonemes must also be learned from text: the same symbols in the same order, the same size of
# table, but the first experiment's task. Then the same comparison for both tables, twice: vowels against consonants,
# and, among the consonants alone, the five classes. **Predict** who wins where.

# %% tags=["demo", "training"]
phones = build_vocab([PHONES])
_, company_table = learn_from_neighbours(spoken, phones, "English phonemes as text")
company_rows = rows_of(company_table, phones, PHONES)
consonants = [phone for phone in PHONES if phone not in CLASSES["vowels"]]
kind = {phone: number for number, members in enumerate(CLASSES.values()) for phone in members}
for name, rows in (("text", company_rows), ("sound", sound_rows)):
    print(f"\nlearned from {name}")
    questions = {
        "vowels and consonants": (PHONES, [int(kind[phone] == 0) for phone in PHONES]),
        "classes of consonants": (consonants, [kind[phone] for phone in consonants]),
    }
    for question, (symbols, labels) in questions.items():
        chosen = rows[[PHONES.index(phone) for phone in symbols]]
        alike = cosine_similarity(chosen, chosen)
        within, across = within_and_across(alike, labels)
        print(f"  {question}: within {within:5.2f}, across {across:5.2f}, gap {within - across:5.2f}", end="")
        print(f"; as large by chance in {by_chance(alike, labels):.1%}")

# %% [markdown] lang="en"
# A gap is one number for five classes. Which of them has the table really found? If it had found all, there would be a
# red block for each on the diagonal of the picture, and nothing red beside it. **Look:** which class is no block at all,
# and which one falls in two?

# %% tags=["demo"]
phones = build_vocab([PHONES])
sound_alike = cosine_similarity(sound_rows, sound_rows)


def mean_alike(some, others):
    """The mean similarity, learned from sound, of the phonemes of two lists; of a phoneme with itself left out."""
    pairs = [(PHONES.index(a), PHONES.index(b)) for a in some for b in others if a != b]
    return sum(sound_alike[pair].item() for pair in pairs) / len(pairs)


hissing, weak = ["S", "SH", "Z"], ["F", "V", "TH", "DH", "HH"]
table_of_means = {
    "vowels": (CLASSES["vowels"], CLASSES["vowels"]),
    "nasals": (CLASSES["nasals"], CLASSES["nasals"]),
    "stops": (CLASSES["stops"], CLASSES["stops"]),
    "approximants": (CLASSES["approximants"], CLASSES["approximants"]),
    "fricatives": (CLASSES["fricatives"], CLASSES["fricatives"]),
    "S SH Z among themselves": (hissing, hissing),
    "S SH Z with CH JH": (hissing, CLASSES["affricates"]),
    "S SH Z with F V TH DH HH": (hissing, weak),
    "F V TH DH HH among themselves": (weak, weak),
    "F V TH DH HH with the stops": (weak, CLASSES["stops"]),
}
found = {name: mean_alike(*both) for name, both in table_of_means.items()}
high = {}  # strength above 3 000 Hz, against the usual
for name, members in (("S SH Z", hissing), ("F V TH DH HH", weak), ("stops", CLASSES["stops"])):
    high[name] = (heard - usual)[[phone in members for phone in heard_phones]][:, bands.argmax(0) > 75].mean()
figure, pair = plt.subplots(1, 2, figsize=(10.4, 5.2), layout="constrained")
borders = torch.tensor([len(members) for members in CLASSES.values()]).cumsum(0)[:-1] - 0.5
for axes, name in zip(pair, ("text", "sound"), strict=True):
    similarity = sound_alike if name == "sound" else cosine_similarity(company_rows, company_rows)
    image = axes.imshow(similarity, cmap="RdBu_r", vmin=-1, vmax=1)
    for border in borders:
        axes.axhline(border, color="black", linewidth=0.8)
        axes.axvline(border, color="black", linewidth=0.8)
    axes.set_xticks(range(len(PHONES)), PHONES, fontsize=8, rotation=90)
    axes.set_yticks(range(len(PHONES)), PHONES, fontsize=8)
    axes.set_title(f"38 phonemes, learned from {name}")
figure.colorbar(image, ax=pair, label="cosine similarity", shrink=0.8)
show(
    figure,
    f"Similarities of {len(PHONES)} phonemes in two tables, classes marked by lines. From sound: blocks for vowels "
    f"(mean {found['vowels']:.2f}), nasals ({found['nasals']:.2f}) and stops ({found['stops']:.2f}), none for "
    f"approximants ({found['approximants']:.2f}); the fricatives fall in two groups, S SH Z, which go with CH and JH, and "
    "F V TH DH HH, which go with the stops. From text: vowels weakly apart from consonants, and no class of "
    "consonants that stands out as a block from the rest.".replace("-", "−"),
)
print("mean similarities, learned from sound:")
for name, value in found.items():
    print(f"  {name:30} {value:5.2f}")
print("strength above 3 000 Hz against the usual, in powers of ten:", end="")
print(*(f"  {name} {value:+.1f}" for name, value in high.items()), sep=",")

# %% [markdown] lang="en"
# Text tells vowels from consonants, a little; its gap among the classes of consonants is what chance gives in one deal
# of three. Sound shows both, and sees some things otherwise than the textbook does:
#
# - The fricatives are two groups. `S SH Z` are strong in the high bands and go with `CH` and `JH`; the textbook calls
#   these five *sibilants*. `F V TH DH HH` are weaker there and lie nearer to the stops than to `S SH Z`, those with a
#   humming voice, `V` and `DH`, beside `B` and `G`.
# - The approximants are no group. `R` lies by `ER`, `Y` by `IY`, `L` by `OW`: each by the vowel that it resembles. (`W`
#   lies by `B`.)
#
# More text would probably make the first table better, but at likeness of use. Both tables are right. They were asked
# different questions.

# %% [markdown] lang="en"
# ## 1.9 Noise, and the four claims
#
# And noise: is it pushed into a corner? The table has no row for noise, but one can ask which vector the matrix would
# turn into it, as nearly as possible (*least squares*), and how far off the best one still is. Five candidates: white
# noise, which is all frequencies at equal strength, three times: about as strong as the weakest `TH` of the recordings,
# three times and ten times as strong; a whistle, which is one frequency; and the pauses of the recordings.
#
# Hear noise and whistle beside four phonemes. All are played equally loud; the table also knows how strong each is.
# **Predict** the nearest neighbours of noise and of the whistle.

# %% tags=["demo"]
phones = build_vocab([PHONES])
generator = torch.Generator().manual_seed(0)
white = torch.randn(16_000, generator=generator)
whistle = torch.sin(2 * torch.pi * 3_000 * torch.arange(16_000) / 16_000)
hisses = [cut(*max(phone_places[phone], key=lambda place: place[2])) for phone in ("TH", "F", "S", "SH")]
play(in_a_row([0.05 * white[:8_000], *hisses]), "white noise, then TH, F, S, SH")
play(0.05 * 2**0.5 * whistle[:8_000], "a whistle of 3 000 Hz")


def vector_of(spectrum):
    """The vector that the matrix turns into this spectrum (40,), as nearly as it can."""
    return torch.linalg.lstsq(decoder.T, (spectrum - usual)[:, None]).solution[:, 0]


def strengths(phone):
    """The root mean square of the middle of each occurrence, from the weakest to the strongest."""
    middles = [
        load_clip(name)[(start + length // 4) * 160 : (start + length - length // 4) * 160]
        for name, start, length in phone_places[phone]
    ]
    return torch.stack([middle.square().mean().sqrt() for middle in middles]).sort().values


for phone in ("TH", "S"):
    print(f"{phone} in the recordings: strength from {strengths(phone)[0]:.3f}, ", end="")
    print(f"median {strengths(phone).median():.3f}, to {strengths(phone)[-1]:.3f}")
candidates = {f"white noise, {strength}": log_mel(strength * white).mean(0) for strength in (0.003, 0.01, 0.03)}
candidates["a whistle"] = log_mel(0.1 * whistle).mean(0)
candidates["the pauses"] = torch.stack(pauses).mean(0)
rows_long = sound_rows.norm(dim=-1)
print(f"the rows of the table have lengths from {rows_long.min():.1f} to {rows_long.max():.1f}")
for name, spectrum in candidates.items():
    vector = vector_of(spectrum)
    off = (vector @ decoder + usual - spectrum).square().mean().sqrt()
    near = nearest(vector, sound_rows, 3).tolist()
    alike = cosine_similarity(vector[None], sound_rows)[0]
    found = ", ".join(f"{PHONES[i]} {alike[i]:.2f}" for i in near)
    print(f"{name:18} length {vector.norm():.1f}, off by {off:.1f}, nearest: {found}")

# %% tags=["demo"]
phones = build_vocab([PHONES])
figure, axes = plt.subplots(figsize=(9, 3.8), layout="constrained")
centres = bands.argmax(0) * 40  # 201 frequencies, 40 Hz apart
spectra = {}
for phone, colour in {"AA": "#D55E00", "IY": "#E69F00", "M": "#0072B2", "S": "#009E73", "TH": "#CC79A7"}.items():
    spectra[phone] = embed(torch.tensor(phones[phone]), sound_table) @ decoder + usual
    axes.plot(centres, spectra[phone], color=colour, label=phone)
weakest = candidates["white noise, 0.003"]
axes.plot(centres, weakest, color="black", linestyle="--", label="white noise, 0.003")
sharp = candidates["a whistle"]
blunt = vector_of(sharp) @ decoder + usual
axes.plot(centres, sharp, color="black", linestyle=":", label="a whistle")
axes.plot(centres, blunt, color="#999999", label="the best vector for the whistle")
axes.set(title="What the rows have learned: spectra", xlabel="frequency (Hz)", ylabel="strength (powers of ten)")
axes.set(xlim=(0, 8_000), ylim=(-7.5, 5))
axes.legend(ncols=4, fontsize=9, loc="upper right")


def peak(phone, above):
    """Where the row's spectrum is highest above so many Hz."""
    return centres[centres > above][spectra[phone][centres > above].argmax()]


beside = (spectra["TH"] - weakest).abs()
show(
    figure,
    f"Five rows turned into spectra. AA, M and IY are highest at {peak('AA', 0)}, {peak('M', 0)} and {peak('IY', 0)} Hz; "
    f"AA has another peak at {peak('AA', 500)} Hz, IY at {peak('IY', 2_000)} Hz; S is highest at {peak('S', 0)} Hz. The "
    f"weakest noise runs along TH above 1 000 Hz, {beside[centres > 1_000].mean():.1f} powers of ten apart on average; "
    f"lower down it is up to {beside.max():.1f} weaker. The whistle is one peak, below all rows elsewhere; the best "
    f"vector makes of it a hump {(sharp - blunt).max():.1f} powers of ten lower.",
)

# %% [markdown] lang="en"
# White noise lies among the rows, always beside a hiss, and its strength decides which: the weakest by `TH` and `F`, the
# strongest by `SH` and `S`. No corner.
#
# Far out, two or three times as far from zero as the longest row, lie the pauses and the whistle. They share what no row
# has: nearly all bands are nearly silent. So both point towards `K`, which begins with a short silence, and overshoot. For
# the whistle even the best vector is off by more than a power of ten in a typical band: eight numbers that were made for
# speech turn its peak into a low, wide hump. What lies far out is *unlike anything that the table was trained on*. A
# model that is to ignore noise has to be trained on speech with noise in it, where ignoring it pays; then noise may well
# end up in a place of its own.
#
# So much for the four claims about embeddings:
#
# | claim | what you measured |
# |---|---|
# | (1) similar sounds, close vectors | yes, where the training target was sound; from text, only so far as use and sound agree |
# | (2) different sounds, distant vectors | the same |
# | (3) noise is pushed into a corner | not by itself: noise lies by the hisses; far out lies what is unlike all training data |
# | (4) they hold formants, pitch and timbre | the broad formants yes, see `AA` and `IY`; of pitch (the peak near 200 Hz) and timbre only this one speaker's average: one row serves every occurrence of a symbol, high or low |
#
# Pitch and voice can be in vectors that are computed from the sound itself. You will make such vectors in units 3 and
# 4.

# %% [markdown] lang="en"
# ## What just happened
#
# - Text became symbols, ids, a padded batch and a mask, and a tensor `(B, T, D)`. The mistake that most people make is
#   a mask computed as `ids != pad_id`, which works until the day when it does not; the next is text that was never
#   normalised, so that the same word is two.
# - A look-up is a multiplication with one-hot vectors. Only rows that occur are trained.
# - What is close in a table depends on what the table was trained for: neighbours in text gave likeness of use, sound
#   gave likeness of sound. An untrained table gives nothing.
# - Where it is used: FastSpeech 2 looks up phonemes, 256 numbers each; Whisper's decoder looks up 51 865 tokens, which
#   takes more than half of the tiny model's parameters; HuBERT compares its vectors with the rows of a
#   learned table by cosine similarity, as you did, and wav2vec 2.0 with vectors put together from such rows. HiFi-GAN
#   has no table at all: it reads spectrograms.
#
# To read: [word2vec](https://arxiv.org/abs/1301.3781) (2013), vectors of words by the company they keep;
# [Tacotron 2](https://arxiv.org/abs/1712.05884) (2017) and [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020),
# from symbols to speech; [HuBERT](https://arxiv.org/abs/2106.07447) (2021), section II, for the cosine.
#
# **Next: unit 2, attention.** Your vectors do not know their neighbours yet. There they look at each other.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("01_embeddings")
