"""Unit 12: cleaned text, edit distance and its errors, CER, WER, mel cepstra, MCD, DTW."""

import math
import re
import string
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import torch

from grader.draw import Draw
from grader.exercise import Tolerance, Wrong, arguments, exercise

UNIT = "12_metrics"
WORDS = [
    "press",
    "one",
    "two",
    "to",
    "the",
    "for",
    "message",
    "number",
    "please",
    "enter",
    "pound",
    "key",
    "your",
    "star",
]
KOREAN = [
    "오늘",
    "날씨가",
    "정말",
    "좋습니다",
    "저는",
    "학교에",
    "갑니다",
    "사랑해",
    "같이",
    "먹을래요",
    "내일",
    "만나요",
]
SYLLABLES = "가나다라마바사아자차카타파하"
DECIBELS = 10 * math.sqrt(2) / math.log(10)


def _words(draw: Draw, count: int) -> list[str]:
    """Different words in random order."""
    return draw.sample(WORDS, count)


def _tokens(draw: Draw, count: int, kinds: str = "abcd") -> list[str]:
    return [kinds[int(i)] for i in draw.integers(0, len(kinds), count)]


def _noisy(draw: Draw, tokens: list, others: list | str, errors: int) -> list:
    """A copy with that many random substitutions, deletions and insertions."""
    tokens = list(tokens)
    for kind in range(errors):
        place = draw.integer(0, len(tokens))
        if kind % 3 == 0:
            tokens[place] = draw.choice(others)
        elif kind % 3 == 1:
            del tokens[place]
        else:
            tokens.insert(place, draw.choice(others))
    return tokens


def _table(ref: list, hyp: list, swap_cost: int | None = None, substitution: int = 1) -> list[list[int]]:
    """The distances of all pairs of beginnings; `swap_cost` allows two neighbours to change places."""
    rows = [list(range(len(hyp) + 1))]
    for i, one in enumerate(ref, 1):
        above, row, left = rows[-1], [i], i
        for j, other in enumerate(hyp):
            if one == other:
                left = min(above[j], above[j + 1] + 1, left + 1)
            else:
                left = min(above[j] + substitution, above[j + 1] + 1, left + 1)
                if swap_cost is not None and i > 1 and j and one == hyp[j - 1] and ref[i - 2] == other:
                    left = min(left, rows[-2][j - 1] + swap_cost)
            row.append(left)
        rows.append(row)
    return rows


def _distance(ref: list, hyp: list) -> int:
    return _table(ref, hyp)[-1][-1]


def _common(ref: list, hyp: list) -> int:
    """The length of the longest common subsequence."""
    return (len(ref) + len(hyp) - _table(ref, hyp, substitution=2)[-1][-1]) // 2


# ------------------------------------------------------------------------------------------------- normalize_text


@exercise(unit=UNIT)
def normalize_text(text):
    kept = (
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFC", text).lower()
        if not unicodedata.category(letter).startswith("P")
    )
    return re.sub(" +", " ", "".join(kept)).strip(" ")


@normalize_text.case
def a_written_sentence(draw):
    """a sentence with capitals, a comma and a full stop"""
    first, *rest = _words(draw, 5)
    return f"{first.capitalize()}, {' '.join(rest)} {draw.choice(['Seoul', 'London', 'Anna'])}."


@normalize_text.hidden_case
def a_question_in_quotes(draw):
    """a question with ASCII quotation marks, a colon and an underscore"""
    words = _words(draw, 4)
    return f'She said: "{words[0]} {words[1].upper()}, {words[2]}_{words[3]}?"'


@normalize_text.hidden_case
def a_korean_sentence(draw):
    """a Korean sentence"""
    return f"{' '.join(draw.sample(KOREAN, 4))}, OK?"


@normalize_text.case(group="white space")
def runs_of_white_space(draw):
    """tabs, line breaks and doubled spaces, also at the ends"""
    one, two, three, four = _words(draw, 4)
    return f"\t {one}  {two}\n{three}\t{four} \n"


@normalize_text.case(group="white space")
def a_dash_between_spaces(draw):
    """a dash with a space on either side"""
    one, two, three = _words(draw, 3)
    return f"- {one} – {two} & {three} -"


@normalize_text.hidden_case(group="white space")
def other_spaces(draw):
    """a no-break space and the wide space of East Asian text"""
    one, two, three = _words(draw, 3)
    return f"{one}\u00a0\u00a0{two}\u3000{three}"


@normalize_text.case(group="unicode")
def decomposed(draw):
    """Hangul and é in pieces (NFD), which look whole on the screen: compare lengths"""
    return unicodedata.normalize("NFD", f"{' '.join(draw.sample(KOREAN, 3))} Café")


@normalize_text.case(group="unicode")
def accents_in_pieces(draw):
    """accents in pieces (NFD), and no Hangul near; they too look whole on the screen"""
    return unicodedata.normalize("NFD", f"{draw.choice(['Señor', 'Zoë', 'naïve'])} {_words(draw, 1)[0]}, café")


@normalize_text.case(group="unicode")
def punctuation_beyond_ascii(draw):
    """punctuation that ASCII does not have, beside _ and '"""
    one, two, three, four = _words(draw, 4)
    return f"“{one}…” ¿{two}? 「{three}」、{four}_x’s it's 사과·배。"


@normalize_text.case(group="unicode")
def symbols_stay(draw):
    """symbols that are no punctuation: $, +, =, €, °, ^"""
    one, two = _words(draw, 2)
    return f"{one} $5 + 3 = 8€, {two} 20°C ^ 2~"


@normalize_text.case(group="unicode")
def letters_stay_letters(draw):
    """ß, ½, ﬁ, ı, full-width letters and digits keep their kind"""
    return f"{draw.choice(WORDS)} Straße ½ ﬁne ışık ＡＢ {draw.integer(10, 99)}²"


@normalize_text.case(group="unicode")
def marks_of_other_scripts(draw):
    """the vowel signs of other scripts are no punctuation and stay"""
    return f"हिन्दी {' '.join(draw.sample(['नमस्ते', 'สวัสดี', 'مَرْحَبًا', 'வணக்கம்'], 2))}. {draw.choice(WORDS).title()}"


@normalize_text.hidden_case(group="unicode")
def signs_that_do_not_show(draw):
    """a joiner that does not show, and a sign that colours an emoji: no punctuation either"""
    return f"{draw.choice(WORDS).title()}, क्\u200dष ❤\ufe0f {draw.choice(WORDS)}!"


@normalize_text.hidden_case(group="white space")
def a_long_page(draw):
    """a page of several hundred words"""
    ends = [" ", ", ", "…\n", " – ", "  ", "'s ", "_", " + ", "」\u3000"]
    words = [draw.choice([*WORDS, *KOREAN, "Seoul", "CAFÉ"]) + draw.choice(ends) for _ in range(400)]
    return unicodedata.normalize("NFD", "".join(words))


@normalize_text.case(group="unicode")
def hyphen_and_apostrophe(draw):
    """a hyphen and an apostrophe inside words"""
    return f"{draw.choice(WORDS)} re-enter I'm {draw.choice(WORDS)}"


@normalize_text.case(group="edge")
def only_punctuation(draw):
    """nothing but punctuation and space"""
    return draw.choice(["... !?", " - ; - ", "\t¡…!"])


@normalize_text.hidden_case(group="edge")
def clean_already_but_for_one_letter(draw):
    """a single capital letter"""
    return draw.choice("ÄBCÉ")


@normalize_text.hidden_property_case(group="edge")
def once_is_enough(draw):
    """cleaning twice gives what cleaning once gives"""
    words = _words(draw, 5)
    first = yield f" {words[0].title()} . {words[1]} , {words[2]} -- {words[3]}  ! {words[4]}"
    second = yield first.value
    if first.value != " ".join(words):
        raise Wrong("the words are not left with single spaces between them")
    if second.value != first.value:
        raise Wrong("cleaning the result again changes it")


def _clean(text: str, form: str | None = "NFC") -> str:
    text = unicodedata.normalize(form, text) if form else text
    return " ".join("".join(c for c in text.lower() if unicodedata.category(c)[0] != "P").split())


@normalize_text.misconception(
    "It leaves decomposed text (NFD) in pieces: 한글 as six code points stays different from 한글 as two.",
    hint="Which form of `unicodedata.normalize` puts the pieces together?",
)
def pieces_left(text):
    return _clean(text, None)


@normalize_text.misconception(
    "It takes the text apart (NFD) instead of putting it together (NFC).",
    hint="After your function, is len of 한 one or three?",
)
def taken_apart(text):
    return _clean(text, "NFD")


@normalize_text.misconception(
    "It uses a compatibility form (NFKC), which also rewrites letters: ½ becomes 1⁄2, ﬁ becomes fi.",
    hint="NFC and NFKC differ in the K. Which of them keeps ² a ²?",
)
def compatibility_form(text):
    return _clean(text, "NFKC")


@normalize_text.misconception(
    "It keeps capital letters.",
    hint="Should “Weasels” and “weasels” count as one word or as two?",
)
def capitals_kept(text):
    return " ".join("".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] != "P").split())


@normalize_text.misconception(
    "`casefold` does more than lower case: it turns ß into ss.",
    hint="Lower case is asked for. Which string method does that, and no more?",
)
def folded(text):
    return _clean(unicodedata.normalize("NFC", text).casefold())


@normalize_text.misconception(
    "It removes only the marks of `string.punctuation`: that list is ASCII, and it holds symbols such as $ and +.",
    hint="`unicodedata.category` gives two letters for a character. What do “…”, “「” and “?” have in common there?",
)
def ascii_punctuation(text):
    table = str.maketrans("", "", string.punctuation)
    return " ".join(unicodedata.normalize("NFC", text).lower().translate(table).split())


@normalize_text.misconception(
    r"The pattern [^\w\s] is not punctuation: it removes symbols such as $ too, and keeps the underscore.",
    hint=r"What is in `\w`? Ask `unicodedata.category` about $ and about _.",
)
def not_a_word_character(text):
    return " ".join(re.sub(r"[^\w\s]", "", unicodedata.normalize("NFC", text).lower()).split())


@normalize_text.misconception(
    "It keeps only the letters a to z and digits; every other script is lost.",
    hint="What is left of “사랑해”?",
)
def only_ascii(text):
    return " ".join(re.sub(r"[^a-z0-9\s]", "", unicodedata.normalize("NFC", text).lower()).split())


@normalize_text.misconception(
    "It puts a space where punctuation was, so that “it's” becomes two words.",
    hint="Removed means: nothing is left in its place. What should “I'm” become?",
)
def spaces_for_punctuation(text):
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(" " if unicodedata.category(c)[0] == "P" else c for c in text).split())


@normalize_text.misconception(
    "White space is put in order before the punctuation goes: “a – b” ends with two spaces between a and b.",
    hint="Do the steps by hand on “a – b”, in your order.",
)
def spaces_first(text):
    text = " ".join(unicodedata.normalize("NFC", text).lower().split())
    return "".join(c for c in text if unicodedata.category(c)[0] != "P")


@normalize_text.misconception(
    "White space at the ends stays.",
    hint="Does your result begin or end with a space?",
)
def ends_kept(text):
    text = unicodedata.normalize("NFC", text).lower()
    return re.sub(r"\s+", " ", "".join(c for c in text if unicodedata.category(c)[0] != "P"))


@normalize_text.misconception(
    "Only the ends are stripped; runs of white space inside the text stay.",
    hint="Try two words with a tab and two spaces between them.",
)
def runs_kept(text):
    text = unicodedata.normalize("NFC", text).lower()
    return "".join(c for c in text if unicodedata.category(c)[0] != "P").strip()


@normalize_text.misconception(
    "Only the plain space counts as white space: tabs, line breaks and the wide space stay.",
    hint="What does `split()` without an argument split at, and what does `split(' ')`?",
)
def plain_spaces_only(text):
    text = unicodedata.normalize("NFC", text).lower()
    return re.sub(" +", " ", "".join(c for c in text if unicodedata.category(c)[0] != "P")).strip(" ")


@normalize_text.misconception(
    "Symbols are removed with the punctuation: “$5” is not “5”.",
    hint="Categories of symbols begin with S, those of punctuation with another letter.",
)
def symbols_removed(text):
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c for c in text if unicodedata.category(c)[0] not in "PS").split())


@normalize_text.misconception(
    "All white space is removed, so that the words run together.",
    hint="How many words does your result have?",
)
def no_spaces_left(text):
    return _clean(text).replace(" ", "")


@normalize_text.alternative
def split_and_join(text):
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c for c in text if not unicodedata.category(c).startswith("P")).split())


@normalize_text.alternative
def by_translation_table(text):
    import sys

    marks = {code: None for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("P")}
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text).translate(marks).lower()).strip()


@normalize_text.alternative
def letter_by_letter(text):
    result = ""
    for letter in unicodedata.normalize("NFC", text):
        if letter.isspace():
            result = result if result.endswith(" ") or not result else result + " "
        elif unicodedata.category(letter) not in ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"):
            result += letter.lower()
    return result.rstrip(" ")


# -------------------------------------------------------------------------------------------------- edit_distance


@exercise(unit=UNIT)
def edit_distance(ref, hyp):
    from torchaudio.functional import edit_distance as library

    return library(ref, hyp)


@edit_distance.case
def misheard_words(draw):
    """words, some of them misheard"""
    ref = _words(draw, 8)
    return ref, _noisy(draw, ref, _words(draw, 5), draw.integer(3, 6))


@edit_distance.case
def few_kinds_of_letters(draw):
    """letters of only four kinds, in lists of different lengths"""
    return _tokens(draw, 9), _tokens(draw, 6)


@edit_distance.hidden_case
def longer_hypothesis(draw):
    """a hypothesis longer than the reference"""
    return _tokens(draw, 7, "abc"), _tokens(draw, 12, "abc")


@edit_distance.hidden_case
def numbers(draw):
    """tokens that are numbers"""
    ref = draw.integers(0, 30, 25).tolist()
    return ref, _noisy(draw, ref, list(range(30)), 9)


@edit_distance.hidden_case
def syllables(draw):
    """Korean syllables"""
    ref = _tokens(draw, 11, SYLLABLES)
    return ref, _noisy(draw, ref, SYLLABLES, 5)


@edit_distance.case(group="edge")
def neighbours_change_places(draw):
    """two neighbours that change places"""
    ref = _words(draw, 6)
    place = draw.integer(0, 5)
    return ref, [*ref[:place], ref[place + 1], ref[place], *ref[place + 2 :]]


@edit_distance.case(group="edge")
def one_word_missing_at_the_front(draw):
    """the first word is missing, everything else is there"""
    ref = _words(draw, 7)
    return ref, ref[1:]


@edit_distance.case(group="edge")
def nothing_said(draw):
    """an empty reference"""
    return [], _words(draw, draw.integer(2, 6))


@edit_distance.hidden_case(group="edge")
def nothing_heard(draw):
    """an empty hypothesis"""
    return _words(draw, draw.integer(2, 6)), []


@edit_distance.hidden_case(group="edge")
def same_letters_other_borders(draw):
    """the same letters, with the borders between words elsewhere"""
    one, two, three = _words(draw, 3)
    return [one + two, three], [one, two + three]


@edit_distance.hidden_case(group="edge")
def all_right(draw):
    """no error at all"""
    ref = _words(draw, 6)
    return ref, list(ref)


@edit_distance.hidden_case(group="edge")
def other_order(draw):
    """the same words in another order"""
    ref = _words(draw, 9)
    return ref, [ref[int(i)] for i in draw.permutation(9)]


@edit_distance.hidden_case(group="edge")
def first_comes_last(draw):
    """three other words first, then the reference's first word only"""
    one, two, three, *others = _words(draw, 5)
    return [one, two, three], [*others, one]


def _look_alikes(draw: Draw) -> tuple[list, list]:
    """Five tokens; the first three differ from their partners only in their type or in a capital."""
    number, other = draw.integers(1, 10, 2).tolist()
    one, two = _words(draw, 2)
    return [number, one.upper(), str(other), two, other], [str(number), one, other, two, other]


@edit_distance.case(group="edge")
def tokens_that_look_alike(draw):
    """tokens that only look alike: the number 1 and the string "1", "OK" and "ok\""""
    return _look_alikes(draw)


@edit_distance.hidden_property_case(group="edge")
def a_true_distance(draw):
    """the way back is as long as the way there"""
    ref, hyp = _tokens(draw, 10, "abc"), _tokens(draw, 7, "abcde")
    there = yield ref, hyp
    back = yield hyp, ref
    if there.value != back.value:
        raise Wrong("exchanging reference and hypothesis changes the distance")
    if there.value != edit_distance(ref, hyp):
        raise Wrong(f"the distance of {''.join(ref)} and {''.join(hyp)} is not {there.value}")


@edit_distance.case(group="speed", seconds=2.0)
def a_thousand(draw):
    """1 000 tokens against 1 000, within two seconds"""
    ref, hyp = draw.integers(0xAC00, 0xAC00 + 200, 2, 1_000).tolist()
    return list(map(chr, ref)), list(map(chr, hyp))


@edit_distance.hidden_case(group="speed", seconds=2.0)
def a_thousand_moved(draw):
    """1 000 tokens, of which the first few hundred come last"""
    return _moved(draw, draw.integers(0, 2_000, 1_000).tolist(), 300)


def _moved(draw: Draw, ref: list, first: int) -> tuple[list, list]:
    """The tokens, and the same with the first so many at the end: a way far from the table's diagonal is best."""
    first += draw.integer(0, 40)
    return ref, [*ref[first:], *ref[:first]]


@edit_distance.misconception(
    "Two neighbours that change places count as one error; here they are two.",
    hint="Only substitution, deletion and insertion are allowed. How many of them turn “a b” into “b a”?",
)
def swap_counted_once(ref, hyp):
    return _table(ref, hyp, swap_cost=1)[-1][-1]


@edit_distance.misconception(
    "A substitution costs two, as if it were a deletion and an insertion.",
    hint="What is the distance of [a] and [b]?",
)
def substitution_costs_two(ref, hyp):
    return _table(ref, hyp, substitution=2)[-1][-1]


@edit_distance.misconception(
    "The lists are compared place by place: after one missing token everything counts as wrong.",
    hint="How many edits turn [a, b, c, d] into [b, c, d]?",
)
def place_by_place(ref, hyp):
    return sum(one != other for one, other in zip(ref, hyp, strict=False)) + abs(len(ref) - len(hyp))


@edit_distance.misconception(
    "The order of the tokens is not looked at, only how often each occurs.",
    hint="Is “a b” the same as “b a”?",
)
def order_ignored(ref, hyp):
    return max(len(ref), len(hyp)) - (Counter(ref) & Counter(hyp)).total()


@edit_distance.misconception(
    "The borders of the table hold zeros: tokens missing or added at the front cost nothing.",
    hint="What should the distance between nothing and five tokens be?",
)
def free_start(ref, hyp):
    rows = [[0] * (len(hyp) + 1)]
    for one in ref:
        row = [0]
        for j, other in enumerate(hyp, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (one != other)))
        rows.append(row)
    return rows[-1][-1]


@edit_distance.misconception(
    "The tokens are turned into strings before they are compared: the number 1 is not the string “1”.",
    hint="Tokens may be of any kind. Which operator tells whether two of them are equal?",
)
def tokens_as_strings(ref, hyp):
    return _distance(list(map(str, ref)), list(map(str, hyp)))


@edit_distance.misconception(
    "The tokens are glued together and compared letter by letter.",
    hint="The arguments are lists. Is one wrong word one error or several?",
)
def tokens_glued(ref, hyp):
    return _distance("".join(map(str, ref)), "".join(map(str, hyp)))


@edit_distance.misconception(
    "The longest common subsequence is not enough: an alignment with the most hits may need more edits.",
    hint="Try [a, b, c] against [x, y, a]. What does a hit on a cost there?",
)
def longer_minus_common(ref, hyp):
    return max(len(ref), len(hyp)) - _common(ref, hyp)


@edit_distance.misconception(
    "The table ends one token too early: the last tokens are never compared.",
    hint="With a border for “nothing yet”, how many rows does the table need for n tokens?",
)
def last_tokens_forgotten(ref, hyp):
    return _distance(ref[:-1], hyp[:-1])


@edit_distance.misconception(
    "`SequenceMatcher` looks for long equal blocks; that is not the smallest number of edits.",
    hint="The library's own documentation says that it gives no minimal edit sequence. Fill a table instead.",
)
def longest_blocks(ref, hyp):
    changes = SequenceMatcher(None, ref, hyp, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for kind, a, b, c, d in changes if kind != "equal")


@edit_distance.misconception(
    "It divides by the length of the reference: that is a rate, not a distance.",
    hint="Which type should the result have? The division comes later, in the error rates.",
)
def a_rate_already(ref, hyp):
    return _distance(ref, hyp) / len(ref)


@edit_distance.misconception(
    "Insertions cost nothing: tokens of the hypothesis that nobody said go by unpunished.",
    hint="A cell has three neighbours: above, left, diagonal. Coming from which of them may cost nothing, and when?",
)
def insertions_free(ref, hyp):
    row = [0] * (len(hyp) + 1)
    for i, one in enumerate(ref, 1):
        row, above = [i], row
        for j, other in enumerate(hyp, 1):
            row.append(min(above[j] + 1, row[-1], above[j - 1] + (one != other)))
    return row[-1]


@edit_distance.alternative
def whole_table(ref, hyp):
    return _table(ref, hyp)[-1][-1]


@edit_distance.alternative
def row_by_row_in_numpy(ref, hyp):
    kinds = {token: code for code, token in enumerate(dict.fromkeys([*ref, *hyp]))}
    codes = np.array([kinds[token] for token in hyp], dtype=int)
    steps = np.arange(len(hyp) + 1)
    row = steps.copy()
    for token in ref:
        best = np.minimum(row[1:] + 1, row[:-1] + (codes != kinds[token]))
        # An insertion chain from column k to j costs j − k: a running minimum of (value − column) finds the best k.
        row = np.minimum.accumulate(np.concatenate([[row[0] + 1], best]) - steps) + steps
    return int(row[-1])


@edit_distance.alternative
def bits_of_whole_numbers(ref, hyp):
    """Myers 1999: a column of the table in the bits of two integers."""
    if not ref:
        return len(hyp)
    places: dict = {}
    for i, token in enumerate(ref):
        places[token] = places.get(token, 0) | 1 << i
    full, last = (1 << len(ref)) - 1, 1 << (len(ref) - 1)
    up, down, distance = full, 0, len(ref)
    for token in hyp:
        equal = places.get(token, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        plus, minus = down | (full & ~(diagonal | up)), up & diagonal
        distance += bool(plus & last) - bool(minus & last)
        plus, minus = (plus << 1 | 1) & full, (minus << 1) & full
        up, down = minus | (full & ~(diagonal | plus)), plus & diagonal
    return distance


# --------------------------------------------------------------------------------------------------- error_counts


@exercise(unit=UNIT)
def error_counts(ref, hyp):
    # Whole-number weights that order alignments by distance first and substitutions second. From both follow the
    # hits: len(ref) + len(hyp) = 2·hits + substitutions + distance. Filled along antidiagonals, like no other here.
    n, m = len(ref), len(hyp)
    unit = n + m + 1
    table = np.zeros((n + 1, m + 1), dtype=np.int64)
    table[:, 0], table[0, :] = np.arange(n + 1) * unit, np.arange(m + 1) * unit
    step = np.array([[0 if one == other else unit + 1 for other in hyp] for one in ref]).reshape(n, m)
    for total in range(2, n + m + 1):
        i = np.arange(max(1, total - m), min(n, total - 1) + 1)
        j = total - i
        gaps = np.minimum(table[i - 1, j], table[i, j - 1]) + unit
        table[i, j] = np.minimum(gaps, table[i - 1, j - 1] + step[i - 1, j - 1])
    distance, substitutions = divmod(int(table[n, m]), unit)
    hits = (n + m - substitutions - distance) // 2
    return hits, substitutions, n - hits - substitutions, m - hits - substitutions


@error_counts.case
def counted_words(draw):
    """words, some of them misheard"""
    ref = _words(draw, 8)
    hyp = [w for k, w in enumerate(ref) if k != 5]
    hyp[1] = "weasel"
    return ref, [*hyp, "phone", "system"]


@error_counts.case
def counted_letters(draw):
    """letters of four kinds"""
    return _tokens(draw, 9), _tokens(draw, 6)


@error_counts.hidden_case
def counted_numbers(draw):
    """tokens that are numbers"""
    ref = draw.integers(0, 30, 25).tolist()
    return ref, _noisy(draw, ref, list(range(30)), 10)


@error_counts.hidden_case
def counted_syllables(draw):
    """Korean syllables, the hypothesis longer"""
    ref = _tokens(draw, 8, SYLLABLES[:5])
    return ref, _tokens(draw, 13, SYLLABLES[:5])


@error_counts.case(group="ties")
def a_shift(draw):
    """the end of one is the beginning of the other: two substitutions, or a hit between two gaps"""
    one, two, three = _words(draw, 3)
    return [one, two], [two, three]


@error_counts.case(group="ties")
def a_hit_that_costs_too_much(draw):
    """a hit that could be had only with more errors"""
    one, two, three, *others = _words(draw, 5)
    return [one, two, three], [*others, one]


@error_counts.hidden_case(group="ties")
def many_ties(draw):
    """letters of two kinds, where many alignments are equally short"""
    return _drawn_until(draw, lambda: (_tokens(draw, 12, "ab"), _tokens(draw, 10, "ab")), _gaps_first, _diagonal_first)


@error_counts.hidden_case(group="ties")
def ties_of_three(draw):
    """letters of three kinds, the hypothesis longer"""
    return _drawn_until(draw, lambda: (_tokens(draw, 9, "abc"), _tokens(draw, 13, "abc")), _gaps_first, _diagonal_first)


@error_counts.case(group="edge")
def everything_inserted(draw):
    """an empty reference"""
    return [], _words(draw, draw.integer(2, 5))


@error_counts.hidden_case(group="edge")
def everything_deleted(draw):
    """an empty hypothesis"""
    return _words(draw, draw.integer(2, 5)), []


@error_counts.hidden_case(group="edge")
def everything_right(draw):
    """no error"""
    ref = _words(draw, 5)
    return ref, list(ref)


@error_counts.hidden_case(group="edge")
def two_swapped(draw):
    """two neighbours that change places"""
    ref = _words(draw, 5)
    return ref, [ref[0], ref[2], ref[1], ref[3], ref[4]]


@error_counts.case(group="edge")
def counted_look_alikes(draw):
    """tokens that only look alike: the number 1 and the string "1", "OK" and "ok\""""
    return _look_alikes(draw)


@error_counts.hidden_case(group="edge", seconds=4.0)
def a_page(draw):
    """300 tokens against 280"""
    ref = draw.integers(0, 15, 300).tolist()
    return ref, draw.integers(0, 15, 280).tolist()


@error_counts.hidden_case(group="edge", seconds=4.0)
def a_paragraph_moved(draw):
    """350 tokens, of which the first hundred and more come last"""
    return _moved(draw, draw.integers(0, 400, 350).tolist(), 110)


def _drawn_until(draw: Draw, make, *wrong) -> tuple[list, list]:
    """A pair on which each of these functions is wrong."""
    while True:
        ref, hyp = make()
        right = error_counts(ref, hyp)
        if all(function(ref, hyp) != right for function in wrong):
            return ref, hyp


def _walk_back(ref: list, hyp: list, order: str) -> tuple[int, int, int, int]:
    """The errors on the way back through the table, trying the steps in this order at every cell."""
    table = _table(ref, hyp)
    i, j = len(ref), len(hyp)
    hits = substitutions = deletions = insertions = 0
    while i or j:
        for step in order:
            if step == "d" and i and table[i][j] == table[i - 1][j] + 1:
                i, deletions = i - 1, deletions + 1
                break
            if step == "i" and j and table[i][j] == table[i][j - 1] + 1:
                j, insertions = j - 1, insertions + 1
                break
            if step == "s" and i and j and table[i][j] == table[i - 1][j - 1] + (ref[i - 1] != hyp[j - 1]):
                same = ref[i - 1] == hyp[j - 1]
                i, j, hits, substitutions = i - 1, j - 1, hits + same, substitutions + (not same)
                break
    return hits, substitutions, deletions, insertions


def _diagonal_first(ref, hyp):
    return _walk_back(ref, hyp, "sdi")


def _gaps_first(ref, hyp):
    return _walk_back(ref, hyp, "dis")


@error_counts.misconception(
    "Where several alignments are equally short, it takes the first one on the way back, not the one with most hits.",
    hint="Try [a, b] against [b, c]: two substitutions, or one deletion, one hit, one insertion? Count hits in the "
    "table too, not only errors.",
)
def diagonal_first(ref, hyp):
    return _diagonal_first(ref, hyp)


@error_counts.misconception(
    "Preferring gaps on the way back does not find the most hits: a choice that looks good here may cost a hit later.",
    hint="What if each cell of the table knew the most hits with which it can be reached?",
)
def gaps_first(ref, hyp):
    return _gaps_first(ref, hyp)


@error_counts.misconception(
    "Deletions and insertions are exchanged.",
    hint="A deletion is a token of the reference that the hypothesis lacks. Which of the two is longer after one?",
)
def gaps_exchanged(ref, hyp):
    hits, substitutions, deletions, insertions = error_counts(ref, hyp)
    return hits, substitutions, insertions, deletions


@error_counts.misconception(
    "The order of the result is wrong: the hits come first.",
    hint="Compare your return line with the docstring's.",
)
def hits_last(ref, hyp):
    hits, *errors = error_counts(ref, hyp)
    return (*errors, hits)


@error_counts.misconception(
    "A substitution is counted as a deletion and an insertion.",
    hint="Is one wrong word one error or two?",
)
def no_substitutions(ref, hyp):
    hits = _common(ref, hyp)
    return hits, 0, len(ref) - hits, len(hyp) - hits


@error_counts.misconception(
    "It looks for the most hits first, whatever the number of errors; the errors must be as few as possible first.",
    hint="Do your three errors add up to the edit distance?",
)
def most_hits_at_any_price(ref, hyp):
    rows = [[(0, j, 0, 0, j) for j in range(len(hyp) + 1)]]  # −hits, errors, S, D, I
    for i, one in enumerate(ref, 1):
        row = [(0, i, 0, i, 0)]
        for j, other in enumerate(hyp, 1):
            h, e, s, d, n = rows[-1][j - 1]
            ways = [(h - 1, e, s, d, n) if one == other else (h, e + 1, s + 1, d, n)]
            h, e, s, d, n = rows[-1][j]
            ways.append((h, e + 1, s, d + 1, n))
            h, e, s, d, n = row[-1]
            row.append(min(*ways, (h, e + 1, s, d, n + 1)))
        rows.append(row)
    hits, _, *errors = rows[-1][-1]
    return -hits, *errors


@error_counts.misconception(
    "The hits are those of the longest common subsequence, and the rest is paired, whether it fits or not.",
    hint="Do your three errors add up to the edit distance? Try [a, b, c] against [x, y, a].",
)
def common_and_the_rest(ref, hyp):
    hits = _common(ref, hyp)
    substitutions = min(len(ref), len(hyp)) - hits
    return hits, substitutions, len(ref) - hits - substitutions, len(hyp) - hits - substitutions


@error_counts.misconception(
    "The tokens are turned into strings before they are compared: the number 1 is not the string “1”.",
    hint="Tokens may be of any kind. Which operator tells whether two of them are equal?",
)
def counted_as_strings(ref, hyp):
    return error_counts(list(map(str, ref)), list(map(str, hyp)))


@error_counts.misconception(
    "Hits are not the reference's length minus all errors: an insertion takes nothing from the reference.",
    hint="H + S + D is the length of the reference. Which error is not in that sum?",
)
def hits_minus_insertions(ref, hyp):
    _, substitutions, deletions, insertions = error_counts(ref, hyp)
    return len(ref) - substitutions - deletions - insertions, substitutions, deletions, insertions


@error_counts.misconception(
    "The lists are compared place by place: after one missing token nothing matches any more.",
    hint="How many errors are there between [a, b, c, d] and [b, c, d]?",
)
def counted_place_by_place(ref, hyp):
    hits = sum(one == other for one, other in zip(ref, hyp, strict=False))
    shorter = min(len(ref), len(hyp))
    return hits, shorter - hits, len(ref) - shorter, len(hyp) - shorter


@error_counts.misconception(
    "The order of the tokens is not looked at: whatever occurs in both counts as a hit.",
    hint="Is “b a” a perfect answer where “a b” was said?",
)
def counted_without_order(ref, hyp):
    hits = (Counter(ref) & Counter(hyp)).total()
    shorter = min(len(ref), len(hyp))
    return hits, shorter - hits, len(ref) - shorter, len(hyp) - shorter


@error_counts.alternative
def best_of_three(ref, hyp):
    above = [(j, 0, 0, 0, j) for j in range(len(hyp) + 1)]  # (errors, −hits, S, D, I)
    for i, one in enumerate(ref, 1):
        row = [(i, 0, 0, i, 0)]
        for j, other in enumerate(hyp, 1):
            e, h, s, d, n = above[j - 1]
            diagonal = (e, h - 1, s, d, n) if one == other else (e + 1, h, s + 1, d, n)
            e, h, s, d, n = above[j]
            deleted = (e + 1, h, s, d + 1, n)
            e, h, s, d, n = row[-1]
            row.append(min(diagonal, deleted, (e + 1, h, s, d, n + 1)))
        above = row
    _, hits, substitutions, deletions, insertions = above[-1]
    return -hits, substitutions, deletions, insertions


@error_counts.alternative
def two_numbers_a_cell(ref, hyp):
    weight = len(ref) + len(hyp) + 1
    above = [j * weight for j in range(len(hyp) + 1)]
    for i, one in enumerate(ref, 1):
        row = [i * weight]
        for j, other in enumerate(hyp, 1):
            row.append(min(above[j - 1] + (-1 if one == other else weight), above[j] + weight, row[-1] + weight))
        above = row
    distance = -(-above[-1] // weight)
    hits = distance * weight - above[-1]
    substitutions = len(ref) + len(hyp) - 2 * hits - distance
    return hits, substitutions, len(ref) - hits - substitutions, len(hyp) - hits - substitutions


# ------------------------------------------------------------------------------------------------------------ cer


def _rate(refs: list, hyps: list) -> float:
    """Errors over reference lengths of lists of tokens."""
    from torchaudio.functional import edit_distance as library

    return sum(map(library, refs, hyps)) / sum(map(len, refs))


def _checked(refs: list[str], hyps: list[str]) -> None:
    if len(refs) != len(hyps):
        raise ValueError("one hypothesis for each reference")
    if not "".join(refs).strip():
        raise ValueError("the references hold nothing to count")


def _nfc(texts: list[str]) -> list[str]:
    return [unicodedata.normalize("NFC", text) for text in texts]


def _sentence(draw: Draw, count: int) -> str:
    return " ".join(_words(draw, count))


def _misheard(draw: Draw, text: str, errors: int, letters: str = "abcdefghij") -> str:
    """The text with errors inside its words: no space is added or lost, and no word vanishes."""
    heard = list(text)
    for kind in range(errors):
        inside = [i for i in range(1, len(heard) - 1) if " " not in heard[i - 1 : i + 2]]
        place = draw.choice(inside)
        if kind % 3 == 0:
            heard[place] = draw.choice([letter for letter in letters if letter != heard[place]])
        elif kind % 3 == 1:
            heard.insert(place, draw.choice(letters))
        else:
            del heard[place]
    return "".join(heard)


@exercise(unit=UNIT)
def cer(refs, hyps):
    _checked(refs, hyps)
    return _rate(_nfc(refs), _nfc(hyps))


@cer.case
def a_few_sentences(draw):
    """three sentences of different lengths"""
    refs = [_sentence(draw, count) for count in (7, 2, 4)]
    return refs, [_misheard(draw, ref, errors) for ref, errors in zip(refs, (2, 4, 1), strict=True)]


@cer.case
def a_long_right_and_a_short_wrong(draw):
    """a long sentence with one error, a short one with many"""
    ref = _sentence(draw, 9)
    return [ref, "goodbye"], [_misheard(draw, ref, 1), draw.choice(["could buy", "a boy", "god bye now"])]


@cer.hidden_case
def sentences_in_korean(draw):
    """Korean sentences"""
    refs = [" ".join(draw.sample(KOREAN, count)) for count in (4, 2)]
    return refs, [_korean_errors(draw, ref, errors) for ref, errors in zip(refs, (1, 2), strict=True)]


def _korean_errors(draw: Draw, text: str, errors: int) -> str:
    """Some syllables with another vowel, as in 사랑해 heard as 사량해."""
    places = [i for i, letter in enumerate(text) if letter != " "]
    heard = list(text)
    for place in draw.sample(places, errors):
        code = ord(heard[place]) - 0xAC00
        vowel = (code // 28 % 21 + draw.integer(1, 21)) % 21
        heard[place] = chr(0xAC00 + code // 588 * 588 + vowel * 28 + code % 28)
    return "".join(heard)


@cer.hidden_case
def one_sentence(draw):
    """a single sentence, where some letters are inserted"""
    ref = _sentence(draw, 5)
    return [ref], [_misheard(draw, ref, 2) + draw.choice(["ing", "ed a"])]


@cer.hidden_case
def letters_change_places(draw):
    """two letters that change places, and another first letter"""
    one, two = _sentence(draw, 3), _sentence(draw, 2)
    return [f"agent {one}", f"but {two}"], [f"ganet {one}", f"a but {two}"]


@cer.case(group="unicode")
def pieces_against_whole(draw):
    """the same words, in pieces (NFD) and whole (NFC)"""
    ref = " ".join(draw.sample(KOREAN, 3))
    return [unicodedata.normalize("NFD", ref)], [ref]


@cer.case(group="unicode")
def one_syllable_wrong(draw):
    """one syllable with another vowel"""
    ref = draw.choice(["사랑해", "학교에", "날씨가", "갑니다"])
    return [ref], [_korean_errors(draw, ref, 1)]


@cer.hidden_case(group="unicode")
def pieces_in_the_hypothesis(draw):
    """a hypothesis in pieces (NFD), with errors, beside an English one"""
    refs = [" ".join(draw.sample(KOREAN, 3)), "café " + _sentence(draw, 2)]
    return refs, [unicodedata.normalize("NFD", _korean_errors(draw, refs[0], 2)), unicodedata.normalize("NFD", refs[1])]


@cer.hidden_case(group="unicode")
def pieces_in_the_reference(draw):
    """a reference in pieces (NFD), and errors"""
    ref = " ".join(draw.sample(KOREAN, 3))
    return [unicodedata.normalize("NFD", ref)], [_korean_errors(draw, ref, 2)]


@cer.case(group="unicode")
def capitals_and_punctuation(draw):
    """capitals and punctuation count as they come"""
    ref = _sentence(draw, 4)
    return [ref, "OK, bye"], [f"{ref.capitalize()}.", "ok bye"]


@cer.hidden_case(group="unicode")
def kinds_of_letters(draw):
    """capital letters and full-width ones are other characters"""
    ref = _sentence(draw, 3)
    return [f"{ref} ab"], [f"{ref.capitalize()} ａｂ"]


@cer.case(group="edge")
def more_errors_than_characters(draw):
    """more errors than characters"""
    return [draw.choice(["no", "on", "ok"])], [_sentence(draw, 3)]


@cer.case(group="edge")
def a_speaker_who_was_silent(draw):
    """one empty reference among others, and something heard there"""
    return ["", _sentence(draw, 4)], [_sentence(draw, 2), _sentence(draw, 4)]


@cer.case(group="edge")
def white_space_among_others(draw):
    """a reference of two spaces among others, and nothing heard there: two deletions"""
    ref = _sentence(draw, 2)
    return [ref, "  "], [ref, ""]


@cer.hidden_case(group="edge")
def white_space_heard(draw):
    """white space heard in a silence: insertions"""
    ref = _sentence(draw, 2)
    return ["", ref], ["  ", ref]


@cer.hidden_case(group="edge", seconds=8.0)
def a_test_set(draw):
    """forty sentences"""
    refs = [_sentence(draw, draw.integer(2, 9)) + draw.choice(["", " ", "!"]) for _ in range(40)]
    return refs, [_misheard(draw, ref, draw.integer(0, 3)) for ref in refs]


@cer.hidden_case(group="edge")
def nothing_was_heard(draw):
    """an empty hypothesis beside one that is right"""
    refs = [_sentence(draw, 3), _sentence(draw, 5)]
    return refs, ["", refs[1]]


@cer.case(group="edge")
def spaces_are_characters(draw):
    """spaces lost inside, doubled, and added at the ends"""
    ref = _sentence(draw, 4)
    return [ref, f" {ref}  now"], [ref.replace(" ", "", 2), f"{ref} now "]


@cer.hidden_case(group="edge")
def each_pair_for_itself(draw):
    """a letter that moved from the end of one sentence to the beginning of the next"""
    one, two = _sentence(draw, 2), _sentence(draw, 3)
    return [one, two], [one[:-1], one[-1] + two]


@cer.hidden_case(group="edge")
def order_of_the_sentences(draw):
    """sentences whose hypotheses begin with other letters"""
    one, two = _sentence(draw, 3), _sentence(draw, 2)
    return [f"a {one}", f"b {two}"], [f"z {one}", f"a {two}"]


@cer.hidden_case(group="edge")
def no_error(draw):
    """everything right"""
    refs = [_sentence(draw, 3), _sentence(draw, 2)]
    return refs, list(refs)


@cer.case(group="errors")
def a_hypothesis_too_few(draw):
    """a hypothesis too few: ValueError"""
    return [_sentence(draw, 2), _sentence(draw, 3)], [_sentence(draw, 2)]


@cer.hidden_case(group="errors")
def a_hypothesis_too_many(draw):
    """a hypothesis too many: ValueError"""
    return [_sentence(draw, 2)], [_sentence(draw, 2), ""]


@cer.case(group="errors")
def no_references(draw):
    """empty lists: ValueError"""
    return [], []


@cer.hidden_case(group="errors")
def empty_references(draw):
    """nothing but empty references: ValueError"""
    return ["", ""], [_sentence(draw, 2), ""]


@cer.case(group="errors")
def references_of_white_space(draw):
    """references of nothing but white space: ValueError"""
    return [" ", "\t  "], [_sentence(draw, 2), "a"]


@cer.misconception(
    "It averages the rates of the sentences: a short sentence weighs as much as a long one.",
    hint="Add up all errors first, and all lengths. When do you divide, and how often?",
)
def mean_of_rates(refs, hyps):
    _checked(refs, hyps)
    pairs = [(ref, hyp) for ref, hyp in zip(_nfc(refs), _nfc(hyps), strict=True) if ref]
    return sum(_distance(ref, hyp) / len(ref) for ref, hyp in pairs) / len(pairs)


@cer.misconception(
    "It divides by the length of the hypotheses.",
    hint="A recogniser that writes a lot would look better. Whose length should not depend on the recogniser?",
)
def by_hypothesis_length(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = _nfc(refs), _nfc(hyps)
    return sum(map(_distance, refs, hyps)) / max(sum(map(len, hyps)), 1)


@cer.misconception(
    "It divides by the longer of reference and hypothesis, so that it never exceeds 1.",
    hint="Who says that an error rate ends at 100 %?",
)
def by_the_longer(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = _nfc(refs), _nfc(hyps)
    return sum(map(_distance, refs, hyps)) / sum(max(len(a), len(b)) for a, b in zip(refs, hyps, strict=True))


@cer.misconception(
    "It cuts the rate off at 1.",
    hint="Can there be more errors than characters were said?",
)
def cut_off_at_one(refs, hyps):
    return min(cer(refs, hyps), 1.0)


@cer.misconception(
    "Korean text is compared letter by letter (NFD): one wrong vowel in 사랑해 is then 1 of 7, not 1 of 3.",
    hint="How many characters does “사랑해” have after your normalisation?",
)
def by_letters(refs, hyps):
    _checked(refs, hyps)
    apart = [[unicodedata.normalize("NFD", text) for text in texts] for texts in (refs, hyps)]
    return sum(map(_distance, *apart)) / sum(map(len, apart[0]))


@cer.misconception(
    "The texts are compared as they come: one word in two spellings (NFC and NFD) is taken for different words.",
    hint="Print the length of a Korean word and of its NFD form. What should both become first?",
)
def not_normalized(refs, hyps):
    _checked(refs, hyps)
    return sum(map(_distance, refs, hyps)) / sum(map(len, refs))


@cer.misconception(
    "A compatibility form (NFKC) makes different characters equal, such as ａ and a.",
    hint="Which of the four normal forms does the text above name?",
)
def kinds_merged(refs, hyps):
    return cer(*([unicodedata.normalize("NFKC", text) for text in texts] for texts in (refs, hyps)))


@cer.misconception(
    "Spaces are left out; in the character error rate a space is a character like any other.",
    hint="Is “good bye” the same as “goodbye”?",
)
def without_spaces(refs, hyps):
    return cer(*(["".join(text.split()) for text in texts] for texts in (refs, hyps)))


@cer.misconception(
    "White space at the ends is stripped; here it counts.",
    hint="Cleaning text is another function's work. This one counts what it is given.",
)
def ends_stripped(refs, hyps):
    return cer(*([text.strip() for text in texts] for texts in (refs, hyps)))


@cer.misconception(
    "The texts are put into lower case; here capitals count.",
    hint="Cleaning text is another function's work. This one counts what it is given.",
)
def in_lower_case(refs, hyps):
    return cer(*([text.lower() for text in texts] for texts in (refs, hyps)))


@cer.misconception(
    "The texts are cleaned first; here capitals, punctuation and spaces count as they come.",
    hint="Cleaning text is another function's work. This one counts what it is given.",
)
def normalized_first(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = ([normalize_text(text) for text in texts] for texts in (refs, hyps))
    return sum(map(_distance, refs, hyps)) / max(sum(map(len, refs)), 1)


@cer.misconception(
    "One empty reference among others is refused; only where all are empty, there is nothing to count.",
    hint="What is the sum of the lengths of “” and “yes”? Can you divide by it?",
)
def one_silence_refused(refs, hyps):
    if not all(ref.strip() for ref in refs):
        raise ValueError("an empty reference")
    return cer(refs, hyps)


@cer.misconception(
    "Sentences with an empty reference are skipped; what was heard there is inserted, and counts.",
    hint="How many errors does a recogniser make that writes four words into a silence?",
)
def silence_skipped(refs, hyps):
    _checked(refs, hyps)
    pairs = [pair for pair in zip(refs, hyps, strict=True) if pair[0].strip()]
    return cer([ref for ref, _ in pairs], [hyp for _, hyp in pairs])


@cer.misconception(
    "All sentences are joined into one text: a letter may then match one of the next sentence.",
    hint="What happens at the border between two sentences when you join them?",
)
def joined_into_one(refs, hyps):
    _checked(refs, hyps)
    ref, hyp = "".join(_nfc(refs)), "".join(_nfc(hyps))
    return _distance(ref, hyp) / len(ref)


@cer.misconception(
    "It counts words, not characters.",
    hint="What are the tokens here? A string is already a sequence of them.",
)
def words_counted(refs, hyps):
    _checked(refs, hyps)
    words = [[text.split() for text in _nfc(texts)] for texts in (refs, hyps)]
    return sum(map(_distance, *words)) / sum(map(len, words[0]))


@cer.misconception(
    "The characters are compared place by place: after one missing character everything counts as wrong.",
    hint="Use the edit distance of each pair.",
)
def characters_place_by_place(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = _nfc(refs), _nfc(hyps)
    return sum(map(place_by_place, refs, hyps)) / sum(map(len, refs))


@cer.misconception(
    "It gives a percentage, or 1 minus the rate, where the rate itself is asked for.",
    hint="What should a recogniser without any error get?",
)
def accuracy(refs, hyps):
    return 1.0 - cer(refs, hyps)


@cer.misconception(
    "The result is a percentage: 33.3 in place of 0.333.",
    hint="“사랑해” heard as “사량해” should give 1/3.",
)
def percentage(refs, hyps):
    return 100.0 * cer(refs, hyps)


@cer.misconception(
    "`zip` stops at the shorter list without a word: sentences vanish from the score.",
    hint="Compare the lengths of the two lists before anything else.",
)
def lists_cut_short(refs, hyps):
    if not "".join(refs).strip():
        raise ValueError("the references hold nothing to count")
    n = min(len(refs), len(hyps))
    return cer(refs[:n], hyps[:n]) if "".join(refs[:n]).strip() else 0.0


@cer.misconception(
    "Where the references hold nothing to count, it returns a number; no number is right there.",
    hint="What is 3 errors in 0 characters? The docstring says what to do.",
)
def a_rate_of_nothing(refs, hyps):
    if len(refs) != len(hyps):
        raise ValueError("one hypothesis for each reference")
    if not "".join(refs).strip():
        return float(any(hyps))
    return cer(refs, hyps)


@cer.misconception(
    "References of nothing but white space pass as text.",
    hint="`if not text` is false for a space. What is left of it after `strip()`?",
)
def white_space_is_text(refs, hyps):
    if len(refs) != len(hyps) or not any(refs):
        raise ValueError("nothing to count")
    return _rate(_nfc(refs), _nfc(hyps))


@cer.alternative
def errors_over_characters(refs, hyps):
    if len(refs) != len(hyps) or all(not ref.strip() for ref in refs):
        raise ValueError("lists of unequal length, or nothing to count")
    errors = characters = 0
    for ref, hyp in zip(refs, hyps, strict=True):
        ref = unicodedata.normalize("NFC", ref)
        errors += _distance(ref, unicodedata.normalize("NFC", hyp))
        characters += len(ref)
    return errors / characters


@cer.alternative
def weighted_mean_of_rates(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = _nfc(refs), _nfc(hyps)
    weights = np.array([len(ref) for ref in refs])
    rates = [_distance(ref, hyp) / max(len(ref), 1) for ref, hyp in zip(refs, hyps, strict=True)]
    unsaid = sum(len(hyp) for ref, hyp in zip(refs, hyps, strict=True) if not ref)
    return float((np.array(rates) @ weights + unsaid) / weights.sum())


@cer.alternative
def from_the_counts(refs, hyps):
    _checked(refs, hyps)
    hits, *errors = np.array([error_counts(r, h) for r, h in zip(_nfc(refs), _nfc(hyps), strict=True)]).sum(0)
    return float(sum(errors) / (hits + errors[0] + errors[1]))


# ------------------------------------------------------------------------------------------------------------ wer


def _split(texts: list[str]) -> list[list[str]]:
    return [text.split() for text in _nfc(texts)]


@exercise(unit=UNIT)
def wer(refs, hyps):
    _checked(refs, hyps)
    return _rate(_split(refs), _split(hyps))


@wer.case
def three_sentences(draw):
    """three sentences of different lengths"""
    refs = [_sentence(draw, count) for count in (7, 2, 4)]
    errors = zip(refs, (2, 1, 3), strict=True)
    return refs, [" ".join(_noisy(draw, ref.split(), ["weasel", "phone"], count)) for ref, count in errors]


@wer.case
def long_right_short_wrong(draw):
    """a long sentence with one error, a short one with nothing but errors"""
    ref = _words(draw, 9)
    return [" ".join(ref), "goodbye"], [" ".join([*ref[:4], "weasel", *ref[5:]]), draw.choice(["could buy", "a boy"])]


@wer.hidden_case
def misspelt_words(draw):
    """words that are wrong in one letter"""
    ref = _words(draw, 8)
    hyp = [word + "s" if k in (1, 2, 6) else word for k, word in enumerate(ref)]
    return [" ".join(ref), _sentence(draw, 3)], [" ".join(hyp), _sentence(draw, 2)]


@wer.hidden_case
def korean_words(draw):
    """Korean words, with other spaces between them"""
    return ["할 수 있어요", " ".join(draw.sample(KOREAN, 5))], ["할수있어요", " ".join(draw.sample(KOREAN, 4))]


@wer.case(group="words")
def twice_the_same_word(draw):
    """a word said twice and heard once"""
    one, two, three = _words(draw, 3)
    return [f"{one} {one} {two} {three}"], [f"{one} {two} {three}"]


@wer.case(group="words")
def words_in_another_order(draw):
    """the right words in another order"""
    ref = _words(draw, 7)
    return [" ".join(ref)], [" ".join(ref[int(i)] for i in draw.permutation(7))]


@wer.hidden_case(group="words")
def missing_first_word(draw):
    """the first word is missing"""
    ref = _words(draw, 6)
    return [" ".join(ref)], [" ".join(ref[1:])]


@wer.case(group="words")
def any_white_space(draw):
    """tabs, line breaks and doubled spaces between the words, and spaces at the ends"""
    one, two, three, four = _words(draw, 4)
    return [f" {one}  {two}\t{three}\n{four} "], [f"{one} {two}\u3000{three}  weasel"]


@wer.case(group="words")
def words_in_pieces(draw):
    """words in pieces (NFD) against whole ones (NFC), on either side"""
    one, two = [*draw.sample(KOREAN, 4), "café"], draw.sample(KOREAN, 3)
    heard = [" ".join([*one[:2], "weasel", *one[3:]]), unicodedata.normalize("NFD", " ".join(two))]
    return [unicodedata.normalize("NFD", " ".join(one)), " ".join(two)], heard


@wer.hidden_case(group="words")
def wide_letters(draw):
    """full-width letters make another word"""
    ref = _words(draw, 4)
    return [f"{' '.join(ref)} ab"], [f"{' '.join(ref)} ａｂ"]


@wer.hidden_case(group="words")
def words_change_places(draw):
    """two neighbouring words that change places, in the second of two sentences"""
    ref = _words(draw, 5)
    refs = [" ".join(["a", *ref]), " ".join(["b", *ref])]
    return refs, [" ".join(["z", *ref]), " ".join(["a", ref[1], ref[0], *ref[2:]])]


@wer.case(group="words")
def capitals_and_marks_count(draw):
    """capitals and punctuation make other words"""
    ref = _words(draw, 5)
    return [" ".join(ref)], [" ".join([ref[0].capitalize(), *ref[1:4], f"{ref[4]}."])]


@wer.case(group="edge")
def more_errors_than_words(draw):
    """more errors than words"""
    return ["goodbye"], [f"good bye {draw.choice(WORDS)}"]


@wer.case(group="edge")
def heard_in_silence(draw):
    """an empty reference among others, and something heard there"""
    ref = _sentence(draw, 4)
    return ["", ref], ["thank you for watching", ref]


@wer.hidden_case(group="edge")
def silence_as_white_space(draw):
    """a reference of white space among others, and a word heard there"""
    ref = _sentence(draw, 3)
    return [ref, " \t "], [ref, draw.choice(WORDS)]


@wer.hidden_case(group="edge", seconds=8.0)
def a_whole_test_set(draw):
    """a hundred sentences"""
    refs = [_words(draw, draw.integer(1, 12)) for _ in range(100)]
    return list(map(" ".join, refs)), [" ".join(_noisy(draw, ref, ["weasel"], draw.integer(0, 2))) for ref in refs]


@wer.hidden_case(group="edge")
def one_hypothesis_empty(draw):
    """an empty hypothesis beside one that is right"""
    refs = [_sentence(draw, 3), _sentence(draw, 5)]
    return refs, ["", refs[1]]


@wer.hidden_case(group="edge")
def a_word_over_the_border(draw):
    """a word that moved from the end of one sentence to the beginning of the next"""
    one, two, three, four, five = _words(draw, 5)
    return [f"{one} {two}", f"{three} {four} {five}"], [one, f"{two} {three} {four} {five}"]


@wer.hidden_case(group="edge")
def nothing_wrong(draw):
    """everything right"""
    refs = [_sentence(draw, 3), _sentence(draw, 6)]
    return refs, list(refs)


@wer.case(group="errors")
def one_hypothesis_too_few(draw):
    """a hypothesis too few: ValueError"""
    return [_sentence(draw, 2), _sentence(draw, 3)], [_sentence(draw, 2)]


@wer.hidden_case(group="errors")
def one_hypothesis_too_many(draw):
    """a hypothesis too many: ValueError"""
    return [_sentence(draw, 2)], [_sentence(draw, 2), ""]


@wer.case(group="errors")
def white_space_only(draw):
    """references of nothing but white space: ValueError"""
    return [" ", "\t  "], [_sentence(draw, 2), "a"]


@wer.case(group="errors")
def no_sentences(draw):
    """empty lists: ValueError"""
    return [], []


@wer.hidden_case(group="errors")
def only_empty_sentences(draw):
    """nothing but empty references: ValueError"""
    return ["", ""], [_sentence(draw, 2), ""]


@wer.misconception(
    "It averages the rates of the sentences: a sentence of one word weighs as much as one of ten.",
    hint="Add up all errors first, and all words. When do you divide, and how often?",
)
def mean_of_sentences(refs, hyps):
    _checked(refs, hyps)
    pairs = [(ref, hyp) for ref, hyp in zip(_split(refs), _split(hyps), strict=True) if ref]
    return sum(_distance(ref, hyp) / len(ref) for ref, hyp in pairs) / len(pairs)


@wer.misconception(
    "It divides by the number of words in the hypotheses.",
    hint="A recogniser that writes a lot would look better. Whose length should not depend on the recogniser?",
)
def by_words_heard(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = _split(refs), _split(hyps)
    return sum(map(_distance, refs, hyps)) / max(sum(map(len, hyps)), 1)


@wer.misconception(
    "It divides by the longer of reference and hypothesis, so that it never exceeds 1.",
    hint="Who says that an error rate ends at 100 %?",
)
def by_the_longer_sentence(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = _split(refs), _split(hyps)
    return sum(map(_distance, refs, hyps)) / sum(max(len(a), len(b)) for a, b in zip(refs, hyps, strict=True))


@wer.misconception(
    "It cuts the rate off at 1.",
    hint="Can there be more errors than words were said? Think of a recogniser that writes through a silence.",
)
def ends_at_one(refs, hyps):
    return min(wer(refs, hyps), 1.0)


@wer.misconception(
    "The words are compared as sets: one said twice and heard once is no error, nor is another order.",
    hint="What is the set of the words in “no no no”?",
)
def sets_of_words(refs, hyps):
    _checked(refs, hyps)
    pairs = [(set(ref), set(hyp)) for ref, hyp in zip(_split(refs), _split(hyps), strict=True)]
    return sum(max(len(r - h), len(h - r)) for r, h in pairs) / sum(map(len, _split(refs)))


@wer.misconception(
    "The order of the words is not looked at, only how often each occurs.",
    hint="Is “bites man dog” as good as “dog bites man”?",
)
def bags_of_words(refs, hyps):
    _checked(refs, hyps)
    return sum(map(order_ignored, _split(refs), _split(hyps))) / sum(map(len, _split(refs)))


@wer.misconception(
    "The words are compared place by place: after one missing word everything counts as wrong.",
    hint="Use the edit distance of each pair of word lists.",
)
def words_place_by_place(refs, hyps):
    _checked(refs, hyps)
    return sum(map(place_by_place, _split(refs), _split(hyps))) / sum(map(len, _split(refs)))


@wer.misconception(
    "`split(' ')` splits at every single space: doubled spaces make empty words, tabs none at all.",
    hint="Compare 'a  b'.split(' ') with 'a  b'.split().",
)
def split_at_single_spaces(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = ([text.split(" ") for text in _nfc(texts)] for texts in (refs, hyps))
    return sum(map(_distance, refs, hyps)) / sum(map(len, refs))


@wer.misconception(
    "`split(' ')` splits at every single space, and makes one empty word of an empty text: nothing is ever empty.",
    hint="Compare ''.split(' ') with ''.split().",
)
def empty_words_counted(refs, hyps):
    if len(refs) != len(hyps):
        raise ValueError("one hypothesis for each reference")
    refs, hyps = ([text.split(" ") for text in _nfc(texts)] for texts in (refs, hyps))
    words = sum(map(len, refs))
    if not words:
        raise ValueError("no words to count")
    return sum(map(_distance, refs, hyps)) / words


@wer.misconception(
    "One empty reference among others is refused; only where all are so is there nothing to count.",
    hint="What was heard there counts as insertions. Which sum must not be zero?",
)
def silence_refused(refs, hyps):
    if not all(ref.split() for ref in refs):
        raise ValueError("an empty reference")
    return wer(refs, hyps)


@wer.misconception(
    "Sentences with an empty reference are skipped; what was heard there is inserted, and counts.",
    hint="How many errors does a recogniser make that writes four words into a silence?",
)
def sentence_skipped(refs, hyps):
    _checked(refs, hyps)
    pairs = [pair for pair in zip(refs, hyps, strict=True) if pair[0].strip()]
    return wer([ref for ref, _ in pairs], [hyp for _, hyp in pairs])


@wer.misconception(
    "It counts characters, not words.",
    hint="What are the tokens here? Which string method makes a list of them?",
)
def characters_counted(refs, hyps):
    return cer(refs, hyps)


@wer.misconception(
    "The words are compared as they come: one word in two spellings (NFC and NFD) is taken for two words.",
    hint="'한' == unicodedata.normalize('NFD', '한') is False. What should both become first?",
)
def words_not_normalized(refs, hyps):
    _checked(refs, hyps)
    refs, hyps = ([text.split() for text in texts] for texts in (refs, hyps))
    return sum(map(_distance, refs, hyps)) / sum(map(len, refs))


@wer.misconception(
    "A compatibility form (NFKC) makes different words equal, such as ａｂ and ab.",
    hint="Which of the four normal forms does the text above name?",
)
def wide_words_merged(refs, hyps):
    return wer(*([unicodedata.normalize("NFKC", text) for text in texts] for texts in (refs, hyps)))


@wer.misconception(
    "The texts are cleaned of capitals or punctuation; here these count.",
    hint="Cleaning text is another function's work. This one counts what it is given.",
)
def cleaned_first(refs, hyps):
    return wer(*([normalize_text(text) for text in texts] for texts in (refs, hyps)))


@wer.misconception(
    "All sentences are joined into one text: a word may then match one of the next sentence.",
    hint="What happens at the border between two sentences when you join them?",
)
def one_long_sentence(refs, hyps):
    _checked(refs, hyps)
    ref, hyp = ([word for words in _split(texts) for word in words] for texts in (refs, hyps))
    return _distance(ref, hyp) / len(ref)


@wer.misconception(
    "The result is a percentage: 33.3 in place of 0.333.",
    hint="“I love you” heard as “I like you” should give 1/3.",
)
def in_percent(refs, hyps):
    return 100.0 * wer(refs, hyps)


@wer.misconception(
    "`zip` stops at the shorter list without a word: sentences vanish from the score.",
    hint="Compare the lengths of the two lists before anything else.",
)
def sentences_vanish(refs, hyps):
    if not "".join(refs).strip():
        raise ValueError("the references hold nothing to count")
    n = min(len(refs), len(hyps))
    return wer(refs[:n], hyps[:n]) if "".join(refs[:n]).strip() else 0.0


@wer.misconception(
    "Where the references hold no word, it returns a number; no number is right there.",
    hint="What is 3 errors in 0 words? The docstring says what to do.",
)
def a_rate_of_no_words(refs, hyps):
    if len(refs) != len(hyps):
        raise ValueError("one hypothesis for each reference")
    words = sum(map(len, _split(refs)))
    return _rate(_split(refs), _split(hyps)) if words else float(any(hyps))


@wer.misconception(
    "The check for empty references lets white space through, and the division fails.",
    hint="Count words, not characters, before you divide.",
)
def white_space_let_through(refs, hyps):
    if len(refs) != len(hyps) or not any(refs):
        raise ValueError("nothing to count")
    return _rate(_split(refs), _split(hyps)) if "".join(refs).strip() else 0.0


@wer.alternative
def errors_over_words(refs, hyps):
    if len(refs) != len(hyps):
        raise ValueError("lists of unequal length")
    errors = words = 0
    for ref, hyp in zip(refs, hyps, strict=True):
        ref = unicodedata.normalize("NFC", ref).split()
        errors += row_by_row_in_numpy(ref, unicodedata.normalize("NFC", hyp).split())
        words += len(ref)
    if not words:
        raise ValueError("no words to count")
    return errors / words


@wer.alternative
def words_as_characters(refs, hyps):
    """Each word becomes one private character; then it is a character error rate."""
    if len(refs) != len(hyps) or not any(ref.split() for ref in refs):
        raise ValueError("lists of unequal length, or no words")
    codes: dict[str, str] = {}
    texts = [
        ["".join(codes.setdefault(word, chr(0xF0000 + len(codes))) for word in words) for words in _split(side)]
        for side in (refs, hyps)
    ]
    return sum(map(_distance, *texts)) / sum(map(len, texts[0]))


@wer.alternative
def wer_from_counts(refs, hyps):
    _checked(refs, hyps)
    hits, *errors = np.array([error_counts(r, h) for r, h in zip(_split(refs), _split(hyps), strict=True)]).sum(0)
    return float(sum(errors) / (hits + errors[0] + errors[1]))


# --------------------------------------------------------------------------------------------------- mel_cepstrum


@exercise(unit=UNIT, tolerance=Tolerance(atol=2e-4))
def mel_cepstrum(log_mel, n_coeffs=13):
    from scipy.fft import dct

    values = dct(log_mel.detach().double().numpy(), type=2, axis=0, norm="ortho")[:n_coeffs]
    return torch.from_numpy(values.copy()).to(log_mel.dtype)


@mel_cepstrum.case
def twenty_bands(draw):
    """20 bands, 7 frames"""
    return draw.normal(20, 7, scale=2.0)


@mel_cepstrum.case
def eighty_bands(draw):
    """80 bands, as Tacotron and Whisper have them"""
    return draw.normal(80, 5) - 4


@mel_cepstrum.hidden_case
def as_many_frames_as_bands(draw):
    """as many frames as bands"""
    return draw.normal(16, 16)


@mel_cepstrum.hidden_case
def many_frames(draw):
    """more frames than bands"""
    return draw.normal(14, 30)


@mel_cepstrum.case(group="n_coeffs")
def five_coefficients(draw):
    """only five coefficients"""
    return arguments(draw.normal(24, 6), n_coeffs=5)


@mel_cepstrum.case(group="n_coeffs")
def all_coefficients(draw):
    """as many coefficients as bands"""
    return draw.normal(9, 6), 9


@mel_cepstrum.hidden_case(group="n_coeffs")
def eighty_of_eighty(draw):
    """80 coefficients of 80 bands"""
    return draw.normal(80, 4), 80


@mel_cepstrum.hidden_case(group="n_coeffs")
def forty_of_a_recording(draw):
    """40 coefficients of 128 bands and 500 frames"""
    return arguments(draw.normal(128, 500) - 3, n_coeffs=40)


@mel_cepstrum.hidden_case(group="n_coeffs")
def one_coefficient(draw):
    """only c₀"""
    return arguments(draw.normal(12, 5), n_coeffs=1)


@mel_cepstrum.hidden_property_case(group="n_coeffs")
def energy_is_kept(draw):
    """with all coefficients the sum of squares is that of the input"""
    log_mel = draw.normal(11, 4)
    got = yield arguments(log_mel, n_coeffs=11)
    if not torch.allclose(got.value.square().sum(0), log_mel.square().sum(0), rtol=1e-3):
        raise Wrong("an orthonormal transform keeps the sum of squares of every frame; yours changes it")


@mel_cepstrum.case(group="edge")
def equal_in_all_bands(draw):
    """the same value in all bands: only c₀ is not zero"""
    return draw.normal(1, 6).expand(25, 6).clone()


@mel_cepstrum.hidden_case(group="edge")
def one_frame(draw):
    """a single frame"""
    return draw.normal(30, 1)


@mel_cepstrum.case(group="edge")
def double_numbers(draw):
    """a float64 input: the result is float64"""
    return arguments(draw.normal(18, 4).double(), n_coeffs=6)


def _cosines(log_mel: torch.Tensor, phase: float = 0.5) -> torch.Tensor:
    """(M, M): row k holds cos(π k (n + phase) / M)."""
    n = torch.arange(len(log_mel), dtype=torch.float64)
    return torch.cos(math.pi * n[:, None] * (n + phase) / len(log_mel))


def _scaled(log_mel: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    scale = torch.full((len(log_mel), 1), math.sqrt(2 / len(log_mel)), dtype=torch.float64)
    scale[0] = math.sqrt(1 / len(log_mel))
    return (scale * coefficients).to(log_mel.dtype)


@mel_cepstrum.misconception(
    "The transform runs along the frames, not along the bands.",
    hint="A cepstrum describes the shape of one frame. Along which axis does that shape lie?",
)
def along_time(log_mel, n_coeffs=13):
    from scipy.fft import dct

    return torch.from_numpy(dct(log_mel.numpy(), type=2, axis=1, norm="ortho")[:n_coeffs].copy())


@mel_cepstrum.misconception(
    "The cosines are not scaled: without √(1/M) and √(2/M) the transform is not orthonormal.",
    hint="Take one frame with all coefficients: is the sum of squares the same before and after?",
)
def not_scaled(log_mel, n_coeffs=13):
    return (_cosines(log_mel) @ log_mel.double())[:n_coeffs].to(log_mel.dtype)


@mel_cepstrum.misconception(
    "The transform has scipy's default scale, 2·Σ; asked for is the orthonormal one.",
    hint="`scipy.fft.dct` has an argument `norm`.",
)
def scipy_default(log_mel, n_coeffs=13):
    return (2 * _cosines(log_mel) @ log_mel.double())[:n_coeffs].to(log_mel.dtype)


@mel_cepstrum.misconception(
    "All coefficients are scaled by √(2/M); for c₀ it is √(1/M).",
    hint="The cosine of row 0 is 1 everywhere, so its squares add up to M; those of the other rows to M/2.",
)
def first_scaled_like_others(log_mel, n_coeffs=13):
    scale = math.sqrt(2 / len(log_mel))
    return (scale * _cosines(log_mel) @ log_mel.double())[:n_coeffs].to(log_mel.dtype)


@mel_cepstrum.misconception(
    "c₀ is missing: the result begins with c₁.",
    hint="Whether c₀ counts is decided later, in the distance. How many coefficients come before the first row?",
)
def without_c0(log_mel, n_coeffs=13):
    return _scaled(log_mel, _cosines(log_mel) @ log_mel.double())[1 : n_coeffs + 1]


@mel_cepstrum.misconception(
    "The bands are taken at n, not at their middles n + ½: that is another transform.",
    hint="Look at what is added to n inside the cosine.",
)
def no_half_step(log_mel, n_coeffs=13):
    return _scaled(log_mel, _cosines(log_mel, phase=0.0) @ log_mel.double())[:n_coeffs]


@mel_cepstrum.misconception(
    "Bands are thrown away before the transform; coefficients are to be thrown away after it.",
    hint="The first 13 bands are only the lowest frequencies. Which 13 numbers should stay?",
)
def bands_cut(log_mel, n_coeffs=13):
    return mel_cepstrum(log_mel[:n_coeffs], n_coeffs)


@mel_cepstrum.misconception(
    "A logarithm is taken once more: the input is already logarithmic.",
    hint="What does the name of the argument say?",
)
def logarithm_again(log_mel, n_coeffs=13):
    return mel_cepstrum(log_mel.clamp_min(1e-5).log(), n_coeffs)


@mel_cepstrum.misconception(
    "A logarithm is taken once more, and of negative numbers it is NaN: the input is already logarithmic.",
    hint="What does the name of the argument say?",
)
def logarithm_of_negatives(log_mel, n_coeffs=13):
    return mel_cepstrum(log_mel.log(), n_coeffs)


@mel_cepstrum.misconception(
    "A logarithm is taken once more, with a floor against log 0: the input is already logarithmic.",
    hint="What does the name of the argument say?",
)
def logarithm_with_a_floor(log_mel, n_coeffs=13):
    return mel_cepstrum(log_mel.clamp_min(1e-10).log(), n_coeffs)


@mel_cepstrum.misconception(
    "This is the inverse transform (DCT-III).",
    hint="In the forward transform the cosine of row k sees all bands. Which of your two indices carries the ½?",
)
def inverse(log_mel, n_coeffs=13):
    scale = torch.full((len(log_mel), 1), math.sqrt(2 / len(log_mel)), dtype=torch.float64)
    scale[0] = math.sqrt(1 / len(log_mel))
    return (_cosines(log_mel).mT @ (scale * log_mel.double()))[:n_coeffs].to(log_mel.dtype)


@mel_cepstrum.misconception(
    "The number of coefficients is fixed at 13, whatever `n_coeffs` says.",
    hint="Call it with `n_coeffs=5` and look at the shape.",
)
def always_thirteen(log_mel, n_coeffs=13):
    return mel_cepstrum(log_mel, 13)


@mel_cepstrum.misconception(
    "The frames come first in the result: (T, n_coeffs).",
    hint="Compare the shape of your result with the docstring's.",
)
def frames_first(log_mel, n_coeffs=13):
    return mel_cepstrum(log_mel, n_coeffs).mT.contiguous()


@mel_cepstrum.alternative
def sum_of_cosines(log_mel, n_coeffs=13):
    bands = len(log_mel)
    n = torch.arange(bands, dtype=log_mel.dtype)
    k = torch.arange(n_coeffs, dtype=log_mel.dtype)[:, None]
    basis = torch.cos(math.pi * k * (2 * n + 1) / (2 * bands)) * math.sqrt(2 / bands)
    basis[0] /= math.sqrt(2)
    return basis @ log_mel


@mel_cepstrum.alternative
def torchaudio_basis(log_mel, n_coeffs=13):
    from torchaudio.functional import create_dct

    return create_dct(n_coeffs, len(log_mel), "ortho").to(log_mel.dtype).mT @ log_mel


@mel_cepstrum.alternative
def by_fourier(log_mel, n_coeffs=13):
    """The spectrum of the bands followed by their mirror image."""
    bands = len(log_mel)
    spectrum = torch.fft.rfft(torch.cat([log_mel, log_mel.flip(0)]), dim=0)[:bands]
    turn = torch.exp(-1j * math.pi * torch.arange(bands) / (2 * bands))[:, None]
    values = (spectrum * turn).real / math.sqrt(2 * bands)
    values[0] /= math.sqrt(2)
    return values[:n_coeffs].to(log_mel.dtype)


# ------------------------------------------------------------------------------------------------------------ mcd


@exercise(unit=UNIT)
def mcd(ref, hyp):
    if ref.shape != hyp.shape:
        raise ValueError(f"shapes {tuple(ref.shape)} and {tuple(hyp.shape)} differ")
    difference = ref.double().numpy()[1:] - hyp.double().numpy()[1:]
    return float(DECIBELS * np.linalg.norm(difference, axis=0).mean())


@mcd.case
def thirteen_coefficients(draw):
    """13 coefficients, 7 frames"""
    return draw.normal(13, 7), draw.normal(13, 7)


@mcd.case
def loud_against_quiet(draw):
    """cepstra whose c₀ differs much"""
    ref = draw.normal(6, 9)
    hyp = ref + draw.normal(6, 9, scale=0.3)
    hyp[0] += 5
    return ref, hyp


@mcd.hidden_case
def as_many_frames_as_coefficients(draw):
    """as many frames as coefficients"""
    return draw.normal(8, 8), draw.normal(8, 8)


@mcd.case(group="averaging")
def one_bad_frame(draw):
    """one bad frame among good ones"""
    ref = draw.normal(5, 10)
    hyp = ref + draw.normal(5, 10, scale=0.05)
    hyp[:, draw.integer(0, 10)] += 3
    return ref, hyp


@mcd.hidden_case(group="averaging")
def bad_first_frame(draw):
    """a bad first frame"""
    ref = draw.normal(7, 6)
    hyp = ref + draw.normal(7, 6, scale=0.02)
    hyp[:, 0] -= 2
    return ref, hyp


@mcd.hidden_case(group="averaging")
def twice_as_long(draw):
    """many frames, 80 coefficients, large numbers"""
    return draw.normal(80, 60, scale=20.0), draw.normal(80, 60, scale=20.0)


@mcd.case(group="edge")
def only_the_loudness(draw):
    """only c₀ differs: 0"""
    ref = draw.normal(13, 5)
    hyp = ref.clone()
    hyp[0] += draw.normal(5)
    return ref, hyp


@mcd.hidden_case(group="edge")
def one_frame_one_difference(draw):
    """one frame, one coefficient that differs"""
    ref = draw.normal(13, 1)
    hyp = ref.clone()
    hyp[draw.integer(1, 13)] += draw.choice([-1.0, 1.5])
    return ref, hyp


@mcd.hidden_case(group="edge")
def two_coefficients(draw):
    """c₀ and c₁ alone"""
    return draw.normal(2, 6), draw.normal(2, 6)


@mcd.hidden_case(group="edge")
def in_double(draw):
    """numbers in float64"""
    return draw.normal(9, 4).double(), draw.normal(9, 4).double()


@mcd.case(group="errors")
def other_number_of_frames(draw):
    """different numbers of frames: ValueError"""
    return draw.normal(13, 6), draw.normal(13, 9)


@mcd.hidden_case(group="averaging")
def some_frames_right(draw):
    """a recording in which every second frame is exactly right: those count in the mean, too"""
    ref = draw.normal(13, 300)
    hyp = ref.clone()
    hyp[:, ::2] += draw.normal(13, 150)
    return ref, hyp


@mcd.case(group="errors")
def a_single_frame(draw):
    """many frames against a single one: ValueError"""
    return draw.normal(13, 6), draw.normal(13, 1)


@mcd.case(group="errors")
def other_number_of_coefficients(draw):
    """different numbers of coefficients: ValueError"""
    return draw.normal(13, 6), draw.normal(12, 6)


@mcd.hidden_case(group="errors")
def transposed(draw):
    """coefficients and frames exchanged on one side: ValueError"""
    return draw.normal(13, 6), draw.normal(6, 13)


def _frame_distances(ref, hyp, first=1):
    return (ref[first:] - hyp[first:]).double().square().sum(0).sqrt()


def _same_shapes(ref, hyp):
    if ref.shape != hyp.shape:
        raise ValueError("shapes differ")


@mcd.misconception(
    "c₀ is kept, so the loudness of a recording counts as distortion.",
    hint="In which row is c₀, and where does the sum in the formula begin?",
)
def c0_kept(ref, hyp):
    _same_shapes(ref, hyp)
    return (DECIBELS * _frame_distances(ref, hyp, 0).mean()).item()


@mcd.misconception(
    "The 2 under the root is missing.",
    hint="Work one coefficient that differs by 1 through the formula: 6.142 dB.",
)
def no_two(ref, hyp):
    _same_shapes(ref, hyp)
    return (10 / math.log(10) * _frame_distances(ref, hyp).mean()).item()


@mcd.misconception(
    "The 2 belongs under the root; outside it counts twice as much as it should.",
    hint="√(2·x) is not 2·√x.",
)
def two_outside(ref, hyp):
    _same_shapes(ref, hyp)
    return (20 / math.log(10) * _frame_distances(ref, hyp).mean()).item()


@mcd.misconception(
    "The constant is wrong: log₁₀ of 10 is 1, the formula has the natural logarithm.",
    hint="`math.log10(10)` and `math.log(10)` are different numbers.",
)
def wrong_logarithm(ref, hyp):
    _same_shapes(ref, hyp)
    return (10 * math.sqrt(2) * _frame_distances(ref, hyp).mean()).item()


@mcd.misconception(
    "The factor 10/ln 10 is missing: the result is not in decibels.",
    hint="What turns a difference of natural logarithms into decibels?",
)
def not_in_decibels(ref, hyp):
    _same_shapes(ref, hyp)
    return (math.sqrt(2) * _frame_distances(ref, hyp).mean()).item()


@mcd.misconception(
    "The root is taken after averaging; each frame has its own root.",
    hint="Which comes first in the formula: the root over coefficients, or the mean over frames?",
)
def root_of_the_mean(ref, hyp):
    _same_shapes(ref, hyp)
    return (DECIBELS * _frame_distances(ref, hyp).square().mean().sqrt()).item()


@mcd.misconception(
    "The frames are added up: a recording twice as long would be twice as bad.",
    hint="Over the frames, a mean is asked for.",
)
def frames_added_up(ref, hyp):
    _same_shapes(ref, hyp)
    return (DECIBELS * _frame_distances(ref, hyp).sum()).item()


@mcd.misconception(
    "The squares are averaged over the coefficients; the formula adds them up.",
    hint="Σ means sum.",
)
def coefficients_averaged(ref, hyp):
    _same_shapes(ref, hyp)
    return (DECIBELS * (ref[1:] - hyp[1:]).double().square().mean(0).sqrt().mean()).item()


@mcd.misconception(
    "Absolute differences are added up where the formula has the root of a sum of squares.",
    hint="√(3² + 4²) is 5, not 7.",
)
def absolute_differences(ref, hyp):
    _same_shapes(ref, hyp)
    return (DECIBELS * (ref[1:] - hyp[1:]).double().abs().sum(0).mean()).item()


@mcd.misconception(
    "The first frame is left out, not the first coefficient.",
    hint="Rows are coefficients, columns are frames. Which of the two does `[:, 1:]` cut?",
)
def first_frame_left_out(ref, hyp):
    _same_shapes(ref, hyp)
    if ref.shape[1] == 1:
        return float("nan")
    return (DECIBELS * (ref - hyp)[:, 1:].double().square().sum(0).sqrt().mean()).item()


@mcd.misconception(
    "Rows and columns are exchanged: the root runs over the frames of one coefficient.",
    hint="One frame, one distance: over which axis of (K, T) do you add up?",
)
def along_the_frames(ref, hyp):
    _same_shapes(ref, hyp)
    return (DECIBELS * (ref[1:] - hyp[1:]).double().square().sum(1).sqrt().mean()).item()


@mcd.misconception(
    "Unequal shapes are cut to the shorter one, or broadcast, without a word.",
    hint="A missing half of a sentence should not go unnoticed. What does the docstring say about shapes?",
)
def cut_to_the_shorter(ref, hyp):
    rows, columns = (min(a, b) for a, b in zip(ref.shape, hyp.shape, strict=True))
    return (DECIBELS * _frame_distances(ref[:rows, :columns], hyp[:rows, :columns]).mean()).item()


@mcd.misconception(
    "Shapes that differ reach the subtraction: it fails with an error of its own, or broadcasts.",
    hint="(13, 6) minus (13, 1) is no error for PyTorch. Compare the shapes yourself, first.",
)
def no_shape_check(ref, hyp):
    return (10 / math.log(10) * (2 * (ref - hyp)[1:].double().square().sum(0)).sqrt().mean()).item()


@mcd.misconception(
    "Only the numbers of frames are compared; other numbers of coefficients reach the subtraction.",
    hint="A shape has two numbers. Which of the two do you look at?",
)
def only_frames_checked(ref, hyp):
    if ref.shape[1] != hyp.shape[1]:
        raise ValueError("different numbers of frames")
    return no_shape_check(ref, hyp)


@mcd.misconception(
    "Only the numbers of coefficients are compared; other numbers of frames reach the subtraction.",
    hint="A shape has two numbers. Which of the two do you look at?",
)
def only_coefficients_checked(ref, hyp):
    if ref.shape[0] != hyp.shape[0]:
        raise ValueError("different numbers of coefficients")
    return no_shape_check(ref, hyp)


@mcd.misconception(
    "Frames without any difference are left out of the mean; a right frame is a frame.",
    hint="By how many frames should the sum be divided?",
)
def right_frames_left_out(ref, hyp):
    _same_shapes(ref, hyp)
    distances = _frame_distances(ref, hyp)
    return (DECIBELS * distances.sum() / distances.count_nonzero().clamp_min(1)).item()


@mcd.alternative
def frame_after_frame(ref, hyp):
    if ref.shape != hyp.shape:
        raise ValueError("shapes differ")
    total = 0.0
    for one, other in zip(ref.mT.tolist(), hyp.mT.tolist(), strict=True):
        total += math.sqrt(2 * sum((a - b) ** 2 for a, b in zip(one[1:], other[1:], strict=True)))
    return 10 / math.log(10) * total / ref.shape[1]


@mcd.alternative
def by_vector_norm(ref, hyp):
    if ref.shape != hyp.shape:
        raise ValueError("shapes differ")
    return (10 / math.log(10) * math.sqrt(2) * torch.linalg.vector_norm((ref - hyp)[1:], dim=0).mean()).item()


@mcd.alternative
def by_pairwise_distance(ref, hyp):
    if ref.shape != hyp.shape:
        raise ValueError("shapes differ")
    distances = torch.nn.functional.pairwise_distance(ref[1:].mT.double(), hyp[1:].mT.double(), eps=0.0)
    return float(distances.mean()) * math.sqrt(200) / math.log(10)


# ------------------------------------------------------------------------------------------------------------ dtw


@exercise(unit=UNIT)
def dtw(cost):
    from librosa.sequence import dtw as library

    totals, path = library(C=cost.double().numpy())
    return float(totals[-1, -1]), [(int(i), int(j)) for i, j in path[::-1]]


@dtw.case
def a_small_table(draw):
    """a table of 4 × 6"""
    return draw.uniform(4, 6, high=9.0)


@dtw.case
def taller_than_wide(draw):
    """a table of 7 × 5"""
    return draw.uniform(7, 5, high=9.0)


@dtw.hidden_case
def a_valley(draw):
    """a table with a winding valley of small costs"""
    return _valley(draw, 14, 19)


@dtw.hidden_case
def a_square_table(draw):
    """as many rows as columns"""
    return draw.uniform(9, 9, low=0.2, high=5.0)


@dtw.case(group="steps")
def a_cheap_diagonal(draw):
    """a diagonal that is cheap"""
    return draw.uniform(6, 6, low=2.0, high=4.0) - 1.5 * torch.eye(6)


@dtw.hidden_case(group="steps")
def a_valley_far_from_the_diagonal(draw):
    """the cheap way leads along the border first"""
    cost = draw.uniform(8, 10, low=3.0, high=9.0)
    cost[:, 0] = draw.uniform(8, high=0.5)
    cost[-1] = draw.uniform(10, high=0.5)
    return cost


@dtw.hidden_case(group="steps")
def a_bait(draw):
    """a cheap first step that leads into a wall"""
    cost = draw.uniform(5, 6, low=1.0, high=1.5)
    cost[1, 1] = 0.1
    cost[2:, 1] = cost[1, 2:] = 40.0
    cost[2, 2] = 40.0
    cost[0, 1:] = draw.uniform(5, low=0.5, high=0.9)
    return cost


@dtw.hidden_case(group="steps")
def a_cheap_corner_elsewhere(draw):
    """cheap cells that lie at neither end"""
    cost = draw.uniform(6, 7, low=2.0, high=5.0)
    cost[0, 3:5] = draw.uniform(2, high=0.1)
    cost[-1, 3:5] = draw.uniform(2, high=0.1)
    return cost


@dtw.property_case(group="steps")
def ties_in_whole_numbers(draw):
    """whole-number costs with many equally good ways"""
    cost = draw.integers(0, 3, 6, 8).float()
    got = yield cost
    total, path = got.value
    _hold_together(cost, total, path)


@dtw.case(group="edge")
def whole_numbers_as_costs(draw):
    """costs in int64: the total is a float all the same"""
    return draw.integers(0, 100, 5, 7) ** 2


@dtw.hidden_property_case(group="edge")
def equal_everywhere(draw):
    """the same cost everywhere"""
    cost = torch.full((4, 7), 1.0 + draw.integer(0, 5))
    got = yield cost
    total, path = got.value
    _hold_together(cost, total, path)


@dtw.case(group="edge")
def one_row_of_costs(draw):
    """a single row"""
    return draw.uniform(1, 6, high=3.0)


@dtw.hidden_case(group="edge")
def one_column_of_costs(draw):
    """a single column"""
    return draw.uniform(5, 1, high=3.0)


@dtw.hidden_case(group="edge")
def one_cell(draw):
    """a single cell"""
    return draw.uniform(1, 1, low=0.5, high=3.0)


@dtw.case(group="edge", seconds=4.0)
def a_long_recording(draw):
    """a table of 4 × 1 500"""
    return draw.uniform(4, 1_500, low=0.1, high=3.0)


@dtw.hidden_case(group="edge", seconds=4.0)
def a_tall_table(draw):
    """a table of 1 200 × 3"""
    return draw.uniform(1_200, 3, low=0.1, high=3.0)


@dtw.hidden_property_case(group="steps")
def the_other_corner(draw):
    """two seconds of speech whose cheap way passes through the corner farthest from the diagonal"""
    cost = draw.uniform(110, 140, low=1.0, high=4.0)
    cost[0] = cost[:, -1] = 0.0
    got = yield cost
    total, path = got.value
    _hold_together(cost, total, path)


@dtw.hidden_case(group="edge", seconds=4.0)
def a_second_of_speech(draw):
    """a hundred frames against 130"""
    return _valley(draw, 100, 130)


def _valley(draw: Draw, rows: int, columns: int) -> torch.Tensor:
    """Distances of a curve to itself, read at uneven speed."""
    place = draw.uniform(columns, low=0.1).cumsum(0)
    curve = torch.sin(place / place[-1] * 9) + place / place[-1]
    times = torch.linspace(0, 1, rows)
    other = torch.sin(times * 9) + times
    return (other[:, None] - curve).abs() + draw.uniform(rows, columns, high=0.2)


def _hold_together(cost: torch.Tensor, total: float, path: list) -> None:
    """The path is one, its costs add up to the total, and the total is the smallest."""
    if path[0] != (0, 0) or path[-1] != (cost.shape[0] - 1, cost.shape[1] - 1):
        raise Wrong("the path does not lead from (0, 0) to the opposite corner")
    steps = {(c - a, d - b) for (a, b), (c, d) in pairwise(path)}
    if not steps <= {(1, 0), (0, 1), (1, 1)}:
        raise Wrong(f"the path takes a step that is not allowed: {sorted(steps - {(1, 0), (0, 1), (1, 1)})[0]}")
    if not math.isclose(total, sum(cost[i, j].item() for i, j in path), rel_tol=1e-4, abs_tol=1e-5):
        raise Wrong("the total is not the sum of the costs along the path")
    if not math.isclose(total, dtw(cost)[0], rel_tol=1e-4, abs_tol=1e-5):
        raise Wrong("there is a way that costs less")


def _warp(
    cost: torch.Tensor,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    free: bool = False,
    square: bool = False,
) -> tuple[float, list[tuple[int, int]]]:
    """DTW with weights for the steps (down, right, diagonal); `free` lets it begin anywhere in the first row."""
    table = cost.double().numpy() ** (2 if square else 1)
    rows, columns = table.shape
    totals = np.full((rows, columns), np.inf)
    source: dict = {(0, 0): None}
    totals[0, 0] = table[0, 0]
    for i in range(rows):
        for j in range(columns):
            if i == j == 0:
                continue
            ways = []
            if free and i == 0:
                ways.append((table[i, j], None))
            if i and j:
                ways.append((totals[i - 1, j - 1] + weights[2] * table[i, j], (i - 1, j - 1)))
            if j:
                ways.append((totals[i, j - 1] + weights[1] * table[i, j], (i, j - 1)))
            if i:
                ways.append((totals[i - 1, j] + weights[0] * table[i, j], (i - 1, j)))
            totals[i, j], source[i, j] = min(ways, key=lambda way: way[0])
    cell, path = (rows - 1, columns - 1), []
    while cell is not None:
        path.append(cell)
        cell = source[cell]
    return float(totals[-1, -1]), path[::-1]


@dtw.misconception(
    "It takes the cheapest next cell at every step: a cheap step may lead into an expensive place.",
    hint="What matters at a cell is not its own cost but the cheapest way to reach it. Fill a table of those.",
)
def cheapest_next_cell(cost):
    rows, columns = cost.shape
    path = [(0, 0)]
    while path[-1] != (rows - 1, columns - 1):
        i, j = path[-1]
        ahead = [(i + 1, j + 1), (i + 1, j), (i, j + 1)]
        path.append(min((c for c in ahead if c[0] < rows and c[1] < columns), key=lambda c: cost[c].item()))
    return float(sum(cost[cell].item() for cell in path)), path


@dtw.misconception(
    "The diagonal step is missing: the path goes only down or to the right.",
    hint="From (0, 0), which cells can be reached in one step? There are three.",
)
def no_diagonal(cost):
    return _warp(cost, weights=(1.0, 1.0, math.inf)) if min(cost.shape) > 1 else _warp(cost)


@dtw.misconception(
    "The diagonal step counts twice. Some textbooks do that; here every cell on the path counts once.",
    hint="Add up the costs of the cells on your path by hand. Is that your total?",
)
def diagonal_counts_twice(cost):
    return _warp(cost, weights=(1.0, 1.0, 2.0))


@dtw.misconception(
    "The path is given backwards, from the end to the beginning.",
    hint="The way back through the table finds the last cell first. Where should the list begin?",
)
def backwards(cost):
    total, path = _warp(cost)
    return total, path[::-1]


@dtw.misconception(
    "Rows and columns of the path are exchanged: (j, i) in place of (i, j).",
    hint="Is the last pair of your path (N − 1, M − 1)?",
)
def pairs_exchanged(cost):
    total, path = _warp(cost)
    return total, [(j, i) for i, j in path]


@dtw.misconception(
    "The path may begin anywhere in the first row; it must begin at (0, 0).",
    hint="To reach cell (0, j), all cells before it in the first row must be passed. What do they cost together?",
)
def free_beginning(cost):
    return _warp(cost, free=True)


@dtw.misconception(
    "The path stops at a border and leaves out the way along it to (0, 0).",
    hint="When i has become 0 on the way back, is j always 0 too?",
)
def stops_at_the_border(cost):
    total, path = _warp(cost)
    return total, [(0, 0), *(cell for cell in path if 0 not in cell)]


@dtw.misconception(
    "The way back ends as soon as it meets the first row or column: the rest of the way to (0, 0) is missing.",
    hint="When i has become 0 on the way back, is j always 0 too?",
)
def ends_at_the_border(cost):
    total, path = _warp(cost)
    border = max(k for k, cell in enumerate(path) if 0 in cell)
    return total, path[border:]


@dtw.misconception(
    "The cells of the first row and column are missing in the path: the way back stops in front of them.",
    hint="`while i and j` ends when one of the two is 0. Are you at (0, 0) then, and have you noted that cell?",
)
def border_missing(cost):
    total, path = _warp(cost)
    return total, [cell for cell in path if 0 not in cell]


@dtw.misconception(
    "The total is divided by the number of steps: asked for is the sum.",
    hint="Add up the costs along your path. Is that what you return?",
)
def mean_of_the_path(cost):
    total, path = _warp(cost)
    return total / len(path), path


@dtw.misconception(
    "The first cell's cost is left out.",
    hint="(0, 0) lies on every path. Does its cost count?",
)
def first_cell_free(cost):
    total, path = _warp(cost)
    return total - cost[0, 0].item(), path


@dtw.misconception(
    "The costs are squared on the way.",
    hint="The table holds costs already. What is to be added up?",
)
def costs_squared(cost):
    return _warp(cost, square=True)


@dtw.misconception(
    "Whenever it can, the path goes along the diagonal; it should go where the sum is smallest.",
    hint="Two recordings that differ in speed inside a word need steps to the side in the middle, not only at the end.",
)
def straight_to_the_border(cost):
    rows, columns = cost.shape
    path = [(0, 0)]
    while path[-1] != (rows - 1, columns - 1):
        i, j = path[-1]
        path.append((min(i + 1, rows - 1), min(j + 1, columns - 1)))
    return float(sum(cost[cell].item() for cell in path)), path


@dtw.alternative
def plain_lists(cost):
    table = cost.tolist()
    totals: list[list[float]] = []
    for i, row in enumerate(table):
        line: list[float] = []
        for j, value in enumerate(row):
            ways = [line[j - 1]] if j else []
            if i:
                ways += totals[i - 1][max(j - 1, 0) : j + 1]
            line.append(value + (min(ways) if ways else 0.0))
        totals.append(line)
    i, j = len(table) - 1, len(table[0]) - 1
    path = [(i, j)]
    while i or j:
        before = [(a, b) for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]
        i, j = min(before, key=lambda cell: totals[cell[0]][cell[1]])
        path.append((i, j))
    return totals[-1][-1], path[::-1]


@dtw.alternative
def with_a_wall_of_infinity(cost):
    rows, columns = cost.shape
    totals = torch.full((rows + 1, columns + 1), math.inf, dtype=torch.float64)
    totals[0, 0] = 0.0
    for i in range(rows):
        diagonal = torch.minimum(totals[i, :-1], totals[i, 1:])
        for j in range(columns):
            totals[i + 1, j + 1] = cost[i, j] + torch.minimum(diagonal[j], totals[i + 1, j])
    cell, path = (rows, columns), []
    while cell != (0, 0):
        path.append((cell[0] - 1, cell[1] - 1))
        i, j = cell
        cell = min([(i - 1, j - 1), (i - 1, j), (i, j - 1)], key=lambda c: totals[c].item())
    return totals[-1, -1].item(), path[::-1]


@dtw.alternative
def shortest_path_in_a_graph(cost):
    """Dijkstra."""
    import heapq

    rows, columns = cost.shape
    table = cost.tolist()
    queue, source = [(float(table[0][0]), (0, 0), None)], {}
    while queue:
        total, cell, before = heapq.heappop(queue)
        if cell in source:
            continue
        source[cell] = before
        if cell == (rows - 1, columns - 1):
            break
        for i, j in ((cell[0] + 1, cell[1] + 1), (cell[0] + 1, cell[1]), (cell[0], cell[1] + 1)):
            if i < rows and j < columns and (i, j) not in source:
                heapq.heappush(queue, (total + table[i][j], (i, j), cell))
    path, at = [], cell
    while at is not None:
        path.append(at)
        at = source[at]
    return total, path[::-1]


# -------------------------------------------------------------------------------------------------------- mcd_dtw


def _decibels(ref: torch.Tensor, hyp: torch.Tensor, first: int = 1) -> torch.Tensor:
    """(N, M): the distance in dB of every frame of one to every frame of the other."""
    return DECIBELS * (ref[first:, :, None] - hyp[first:, None, :]).double().square().sum(0).sqrt()


def _along(path: list[tuple[int, int]], cost: torch.Tensor) -> float:
    return sum(cost[cell].item() for cell in path) / len(path)


@exercise(unit=UNIT)
def mcd_dtw(ref, hyp):
    from librosa.sequence import dtw as library
    from scipy.spatial.distance import cdist

    cost = DECIBELS * cdist(ref.double().numpy()[1:].T, hyp.double().numpy()[1:].T)
    totals, path = library(C=cost)
    return float(totals[-1, -1] / len(path))


@mcd_dtw.case
def two_recordings(draw):
    """two recordings of different lengths"""
    return _telling(lambda: _two_speeds(draw, 13, 9, 13), of_squares=False)


@mcd_dtw.case
def no_relation(draw):
    """cepstra that have nothing to do with each other"""
    return _telling(lambda: (draw.normal(6, 8), draw.normal(6, 5)))


@mcd_dtw.hidden_case
def of_equal_length(draw):
    """recordings of the same length that differ in speed inside"""
    return _telling(lambda: _two_speeds(draw, 7, 12, 12), of_squares=False)


@mcd_dtw.hidden_case
def frames_coefficients_alike(draw):
    """as many frames as coefficients"""
    return _telling(lambda: (draw.normal(8, 8), draw.normal(8, 10)))


@mcd_dtw.case(group="loudness")
def louder_in_one(draw):
    """one recording much louder than the other, and not everywhere alike"""
    ref, hyp = _two_speeds(draw, 6, 10, 14)
    ref[0] += draw.normal(10, scale=6.0)
    hyp[0] += 8 + draw.normal(14, scale=6.0)
    return ref, hyp


@mcd_dtw.hidden_case(group="loudness")
def only_louder(draw):
    """only c₀ differs: 0"""
    ref = draw.normal(9, 11)
    hyp = ref.clone()
    hyp[0] += 4 + draw.normal(11)
    return ref, hyp


@mcd_dtw.case(group="warping")
def slower(draw):
    """every frame held for a while: 0"""
    ref = draw.normal(7, 6)
    hyp = ref.repeat_interleave(draw.integers(1, 4, 6) + (torch.arange(6) == 2), dim=1)
    hyp[0] += 3
    return ref, hyp


@mcd_dtw.hidden_case(group="warping")
def a_long_hold(draw):
    """a frame that is held for long, with noise"""
    ref = draw.normal(8, 9)
    held = torch.ones(9, dtype=torch.int64)
    held[draw.integer(2, 7)] = 8
    hyp = ref.repeat_interleave(held, dim=1)
    return ref, hyp + draw.normal(*hyp.shape, scale=0.3)


@mcd_dtw.hidden_case(group="warping")
def a_single_frame_against_many(draw):
    """one frame against many"""
    return draw.normal(5, 1), draw.normal(5, 7)


@mcd_dtw.hidden_case(group="warping", seconds=8.0)
def a_sentence_of_speech(draw):
    """recordings of 90 and 115 frames, 40 coefficients"""
    return _two_speeds(draw, 40, 90, 115)


@mcd_dtw.hidden_case(group="warping", seconds=8.0)
def a_pause(draw):
    """a pause of half a second in one recording, elsewhere than in the other"""
    ref, places = draw.normal(9, 70), torch.arange(70)
    ref, hyp = (ref[:, places.repeat_interleave(1 + 40 * (places == at))] for at in (8, 60))
    return ref + draw.normal(*ref.shape, scale=0.3), hyp + draw.normal(*hyp.shape, scale=0.3)


@mcd_dtw.hidden_case(group="warping")
def shorter_hypothesis(draw):
    """a hypothesis with fewer frames than the reference"""
    return _two_speeds(draw, 20, 19, 12)


def _telling(make, of_squares: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """A pair whose path has more steps than either has frames, and another mean than the path of squared distances."""
    while True:
        ref, hyp = make()
        cost = _decibels(ref, hyp)
        path = _warp(cost)[1]
        if len(path) <= max(cost.shape):
            continue
        if not of_squares or abs(_along(path, cost) - _along(_warp(cost, square=True)[1], cost)) > 0.01:
            return ref, hyp


def _two_speeds(draw: Draw, coefficients: int, n: int, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One smooth course of cepstra read at two uneven speeds, with noise."""
    course = draw.normal(coefficients, 6, scale=2.0)
    sides = []
    for frames in (n, m):
        places = draw.uniform(frames, low=0.1).cumsum(0)
        places = (places - places[0]) / (places[-1] - places[0]) * 4.999
        left = places.long()
        part = places - left
        sides.append(course[:, left] * (1 - part) + course[:, (left + 1).clamp_max(5)] * part)
        sides[-1] = sides[-1] + draw.normal(coefficients, frames, scale=0.4)
    return sides[0], sides[1]


@mcd_dtw.misconception(
    "c₀ is kept, in the path and in the distance: loudness counts.",
    hint="Which row must be left out before the distances are computed?",
)
def c0_kept_in_both(ref, hyp):
    cost = _decibels(ref, hyp, 0)
    return _along(_warp(cost)[1], cost)


@mcd_dtw.misconception(
    "The path is found without c₀, but the distances along it keep c₀.",
    hint="The cost table of the path and the distances that you average are the same numbers.",
)
def c0_in_the_distance(ref, hyp):
    return _along(_warp(_decibels(ref, hyp))[1], _decibels(ref, hyp, 0))


@mcd_dtw.misconception(
    "The path is found with c₀: loudness decides which frames are paired.",
    hint="The cost table of the path and the distances that you average are the same numbers.",
)
def c0_in_the_path(ref, hyp):
    return _along(_warp(_decibels(ref, hyp, 0))[1], _decibels(ref, hyp))


@mcd_dtw.misconception(
    "The sum along the path is divided by the number of reference frames, not by the length of the path.",
    hint="A mean over the path: how many pairs does the path have?",
)
def by_reference_frames(ref, hyp):
    return _warp(_decibels(ref, hyp))[0] / ref.shape[1]


@mcd_dtw.misconception(
    "The sum along the path is divided by the longer number of frames, not by the length of the path.",
    hint="A mean over the path: how many pairs does the path have?",
)
def by_the_longer_recording(ref, hyp):
    return _warp(_decibels(ref, hyp))[0] / max(ref.shape[1], hyp.shape[1])


@mcd_dtw.misconception(
    "The sum along the path is divided by the frames of both recordings together.",
    hint="A mean over the path: how many pairs does the path have?",
)
def by_both_recordings(ref, hyp):
    return _warp(_decibels(ref, hyp))[0] / (ref.shape[1] + hyp.shape[1])


@mcd_dtw.misconception(
    "The total along the path is returned; asked for is the mean.",
    hint="Would a sentence said twice be twice as far off?",
)
def sum_of_the_path(ref, hyp):
    return _warp(_decibels(ref, hyp))[0]


@mcd_dtw.misconception(
    "The longer recording is cut, and frames are paired one by one: no warping happens.",
    hint="Which frames does the path pair when one speaker lingers on a vowel?",
)
def cut_without_warping(ref, hyp):
    frames = min(ref.shape[1], hyp.shape[1])
    return mcd(ref[:, :frames], hyp[:, :frames])


@mcd_dtw.misconception(
    "The longer recording is squeezed evenly; people do not change their speed evenly.",
    hint="Let the path decide which frames belong together.",
)
def stretched_evenly(ref, hyp):
    frames = max(ref.shape[1], hyp.shape[1])
    a, b = ((torch.arange(frames) * side.shape[1]) // frames for side in (ref, hyp))
    return mcd(ref[:, a], hyp[:, b])


@mcd_dtw.misconception(
    "Every frame takes its nearest partner, wherever that is: time may run backwards.",
    hint="May the path go from frame 7 back to frame 2?",
)
def nearest_partner(ref, hyp):
    return _decibels(ref, hyp).amin(1).mean().item()


@mcd_dtw.misconception(
    "The path minimises squared distances, and the distances are averaged along it.",
    hint="The same distance in dB decides the path and is averaged. Where does a square slip in?",
)
def squared_on_the_path(ref, hyp):
    cost = _decibels(ref, hyp)
    return _along(_warp(cost, square=True)[1], cost)


@mcd_dtw.misconception(
    "The 2 under the root is missing from the distance.",
    hint="One coefficient that differs by 1 is 6.142 dB.",
)
def no_two_in_the_distance(ref, hyp):
    return mcd_dtw(ref, hyp) / math.sqrt(2)


@mcd_dtw.misconception(
    "The distance is not in decibels: 10·√2/ln 10 is missing.",
    hint="Use the same distance between two frames as in `mcd`.",
)
def plain_distance(ref, hyp):
    return mcd_dtw(ref, hyp) / DECIBELS


@mcd_dtw.misconception(
    "The diagonal step counts twice on the way.",
    hint="Every cell on the path counts once.",
)
def heavy_diagonal(ref, hyp):
    cost = _decibels(ref, hyp)
    return _along(_warp(cost, weights=(1.0, 1.0, 2.0))[1], cost)


@mcd_dtw.alternative
def warp_then_mcd(ref, hyp):
    path = torch.tensor(_warp(_decibels(ref, hyp))[1])
    return mcd(ref[:, path[:, 0]], hyp[:, path[:, 1]])


@mcd_dtw.alternative
def total_over_length(ref, hyp):
    cost = 10 / math.log(10) * math.sqrt(2) * torch.cdist(ref[1:].mT, hyp[1:].mT)
    total, path = plain_lists(cost)
    return total / len(path)


@mcd_dtw.alternative
def by_librosa_on_features(ref, hyp):
    from librosa.sequence import dtw as library

    totals, path = library(ref[1:].double().numpy(), hyp[1:].double().numpy(), metric="euclidean")
    return DECIBELS * float(totals[-1, -1]) / len(path)
