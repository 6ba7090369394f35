"""Unit 01: Hangul to letters, letters to numbers, numbers to batches, batches to vectors, and how alike these are."""

import unicodedata
from collections import Counter
from itertools import chain

import torch
from torch.nn import functional

from grader.draw import Draw
from grader.exercise import Tolerance, Wrong, arguments, ask, exercise

UNIT = "01_embeddings"
EXACT = Tolerance(atol=0.0, rtol=0.0)

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
FIRST, LAST = 0xAC00, 0xD7A3
CLUSTERS = {double: pair for double, *pair in ["ㄳㄱㅅ", "ㄵㄴㅈ", "ㄶㄴㅎ", "ㄺㄹㄱ", "ㄻㄹㅁ", "ㄼㄹㅂ"]}
CLUSTERS |= {double: pair for double, *pair in ["ㄽㄹㅅ", "ㄾㄹㅌ", "ㄿㄹㅍ", "ㅀㄹㅎ", "ㅄㅂㅅ"]}
TENSE = dict(zip("ㄲㄸㅃㅆㅉ", "ㄱㄷㅂㅅㅈ", strict=True))
DIPHTHONGS = {whole: pair for whole, *pair in ["ㅘㅗㅏ", "ㅙㅗㅐ", "ㅚㅗㅣ", "ㅝㅜㅓ", "ㅞㅜㅔ", "ㅟㅜㅣ", "ㅢㅡㅣ"]}

WORDS = ["사랑해", "소리", "말씀", "닭", "값", "왜", "꽃", "달래", "하늘", "바람", "노래", "여덟", "쌍둥이"]
WORDS += ["귀뚜라미", "괜찮아", "읽다", "앉아", "흙", "의사", "뻐꾸기"]
PHONES = list("sakionemurth")


# ------------------------------------------------------------------------------------------------ hangul_to_jamo


@exercise(unit=UNIT)
def hangul_to_jamo(text):
    # Unicode's own tables: canonical decomposition, then from each part's name to the letter of that name.
    letters = []
    for character in unicodedata.normalize("NFC", text):
        if unicodedata.name(character, "").startswith("HANGUL SYLLABLE "):
            for part in unicodedata.normalize("NFD", character):
                name = unicodedata.name(part).split(" ", 2)[2]  # "HANGUL CHOSEONG SIOS"
                letters.append(unicodedata.lookup(f"HANGUL LETTER {name}"))
        else:
            letters.append(character)
    return letters


def _syllable(initial: int, vowel: int, final: int) -> str:
    return chr(FIRST + (initial * 21 + vowel) * 28 + final)


def _closed(draw: Draw) -> str:
    """A syllable with a final that is not a cluster; its initial is none of the first two."""
    final = draw.choice([number for number, letter in enumerate(FINALS) if letter and letter not in CLUSTERS])
    return _syllable(draw.integer(2, 19), draw.integer(1, 21), final)


def _open(draw: Draw) -> str:
    return _syllable(draw.integer(2, 19), draw.integer(1, 21), 0)


@hangul_to_jamo.case
def a_few_syllables(draw):
    """syllables with and without a final"""
    syllables = [_open(draw), _closed(draw), _open(draw), _closed(draw), _open(draw)]
    return "".join(draw.sample(syllables, 5))


@hangul_to_jamo.case
def no_finals(draw):
    """syllables without a final"""
    return "".join(_open(draw) for _ in range(4))


@hangul_to_jamo.hidden_case
def many_syllables(draw):
    """many syllables of every kind"""
    return "".join(chr(draw.integer(FIRST, LAST + 1)) for _ in range(40))


@hangul_to_jamo.case(group="double letters")
def double_finals(draw):
    """double finals such as the one in 닭, each of which is one letter"""
    finals = draw.sample([FINALS.index(letter) for letter in CLUSTERS], 4)
    return "".join(_syllable(draw.integer(0, 19), draw.integer(0, 21), final) for final in finals)


@hangul_to_jamo.case(group="double letters")
def tense_and_diphthongs(draw):
    """tense consonants and compound vowels, as in 꽤"""
    tense = draw.sample([INITIALS.index(letter) for letter in TENSE], 4)
    compound = draw.sample([VOWELS.index(letter) for letter in DIPHTHONGS], 4)
    return "".join(_syllable(*pair, 0) for pair in zip(tense, compound, strict=True))


@hangul_to_jamo.hidden_case(group="double letters")
def all_letters(draw):
    """every initial, every vowel and every final at least once"""
    order = draw.permutation(28).tolist()
    return "".join(_syllable(number % 19, number % 21, final) for number, final in enumerate(order))


@hangul_to_jamo.case(group="other characters")
def a_sentence(draw):
    """words with spaces, digits, Latin letters and punctuation between them"""
    words = draw.sample(WORDS, 3)
    return f"{words[0]}, {words[1]} {draw.integer(2, 99)}{draw.choice('abcxyz')} {words[2]}{draw.choice('?!.')}"


@hangul_to_jamo.case(group="other characters")
def letters_on_their_own(draw):
    """letters that stand alone, as in ㅋㅋ"""
    return draw.choice("ㅋㅎㅠㅜ") * 2 + " " + draw.choice(WORDS) + draw.choice("ㄱㄴㄷㅏㅗ")


@hangul_to_jamo.case(group="other characters")
def first_and_last(draw):
    """the first and the last syllable that there are, 가 and 힣"""
    return "".join(draw.sample(["가", "힣", draw.choice(WORDS)], 3))


@hangul_to_jamo.case(group="other characters")
def behind_the_syllables(draw):
    """emoji, and other characters that Unicode keeps behind the syllables"""
    return draw.choice(WORDS) + draw.choice("😀🎵👋") + draw.choice(WORDS) + draw.choice("！？～") + "ힰ"


@hangul_to_jamo.case(group="other characters")
def spaces_at_the_ends(draw):
    """spaces and line ends around the text, and two in a row within"""
    return f" {draw.choice(WORDS)}  {draw.choice(WORDS)}\t{draw.choice(WORDS)} \n"


@hangul_to_jamo.hidden_case(group="other characters")
def nothing_but_latin(draw):
    """a text without any Hangul, and an accent typed on its own"""
    return " ".join(draw.sample(["the", "cafe\u0301", "quick", "brown", "fox", "jumps", "over", "dogs"], 8))


@hangul_to_jamo.case(group="other characters")
def no_text(draw):
    """an empty text"""
    return ""


@hangul_to_jamo.case(group="spelling in Unicode")
def decomposed(draw):
    """a text that was typed in decomposed form (NFD)"""
    return unicodedata.normalize("NFD", " ".join(draw.sample(WORDS, 2)))


@hangul_to_jamo.case(group="spelling in Unicode")
def other_widths(draw):
    """full-width and circled characters, which are characters of their own"""
    return draw.choice("ＡＢＣ") + draw.choice(WORDS) + draw.choice("①②③") + draw.choice("㎏㎝㎞")


@hangul_to_jamo.case(group="spelling in Unicode")
def accents(draw):
    """a decomposed text with accented Latin letters in it"""
    word = draw.choice(("café", "naïve", "Zoë", "jalapeño"))
    return unicodedata.normalize("NFD", f"{draw.choice(WORDS)} {word} {draw.choice(WORDS)}")


@hangul_to_jamo.hidden_case(group="spelling in Unicode")
def half_decomposed(draw):
    """a syllable that is written as an open syllable and a loose final"""
    final = draw.integer(1, 28)
    return "".join([_open(draw), chr(0x11A7 + final), " ", _open(draw), chr(0x11A7 + draw.integer(1, 28))])


@hangul_to_jamo.hidden_case(group="spelling in Unicode")
def loose_conjoining(draw):
    """an initial, a vowel and a final in their conjoining forms that have nothing to join"""
    initial, vowel, final = draw.integer(0, 19), draw.integer(0, 21), draw.integer(1, 28)
    return f"{chr(0x1100 + initial)} {draw.choice(WORDS)} {chr(0x1161 + vowel)} {chr(0x11A7 + final)}"


def _numbers(character: str) -> tuple[int, int, int]:
    index = ord(character) - FIRST
    return index // 588, index % 588 // 28, index % 28


def _letters(text, normal="NFC", split=None, first=FIRST, last=LAST):
    """What the misconceptions below share: everything right, but for what they change."""

    def usual(character: str) -> list[str]:
        initial, vowel, final = _numbers(character)
        return [INITIALS[initial], VOWELS[vowel], *FINALS[final]]

    text = unicodedata.normalize(normal, text) if normal else text
    parts = ((split or usual)(one) if first <= ord(one) <= last else [one] for one in text)
    return list(chain.from_iterable(parts))


@hangul_to_jamo.misconception(
    "These are conjoining letters (U+1100 …), which fuse into syllables again, not the ones on a keyboard (U+3131 …).",
    hint="Print `hex(ord(...))` of your first letter and of a ㅅ that you type. They look alike; are they equal?",
)
def conjoining(text):
    return _letters(text, split=lambda character: list(unicodedata.normalize("NFD", character)))


@hangul_to_jamo.misconception(
    "A syllable without a final still gives three entries: the third is an empty string.",
    hint="사 has two letters. What does your function append when the final's number is 0?",
)
def empty_final(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [INITIALS[initial], VOWELS[vowel], FINALS[final]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "The finals are one place off: number 0 means that there is none, so ㄱ is number 1.",
    hint="Take 각. What is its final's number, and what is at that place in your list of finals?",
)
def finals_off_by_one(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [INITIALS[initial], VOWELS[vowel], *([*FINALS[1:], ""][final] if final else "")]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "It divides by 27, the number of finals; but a syllable may also have none, which makes 28.",
    hint="How many syllables begin with 가: 가, 각, 갂 … 갛? Count the one without a final too.",
)
def twenty_seven(text):
    def split(character):
        index = ord(character) - FIRST
        return [INITIALS[index // 567 % 19], VOWELS[index // 27 % 21], *FINALS[index % 27]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "21 and 28 are exchanged: there are 21 vowels, and 28 ways to end a syllable.",
    hint="가 and 각 are neighbours in Unicode, so the final is what remains after dividing by …?",
)
def counts_exchanged(text):
    def split(character):
        index = ord(character) - FIRST
        return [INITIALS[index // 588], VOWELS[index // 21 % 28 % 21], *FINALS[index % 21]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "The initial is counted on from U+3131, where double finals stand between the letters: ㄱ ㄲ ㄳ ㄴ …",
    hint="Print `[chr(0x3131 + i) for i in range(19)]`. Which of these can begin a syllable?",
)
def initials_counted_on(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [chr(0x3131 + initial), VOWELS[vowel], *FINALS[final]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "The finals are taken from the list of initials, but ㄸ, ㅃ, ㅉ never end a syllable and ㄳ, ㄺ … never begin one.",
    hint="The final of 곧 has number 7. What is number 7 in your list?",
)
def finals_from_initials(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [INITIALS[initial], VOWELS[vowel], *(INITIALS[(final - 1) % 19] if final else "")]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "The list of initials lacks the tense ones: Unicode counts ㄱ ㄲ ㄴ ㄷ ㄸ …, nineteen in all.",
    hint="까 comes after 갛 and before 나. At which place in your list is ㄲ?",
)
def no_tense_initials(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        plain = [letter for letter in INITIALS if letter not in TENSE]
        return [plain[initial % len(plain)], VOWELS[vowel], *FINALS[final]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "A text in decomposed form (NFD) comes out in another way than the same text in composed form.",
    hint="The same word can be typed as whole syllables or as parts. Which function of `unicodedata` unites the two?",
)
def not_normalised(text):
    return _letters(text, normal=None)


@hangul_to_jamo.misconception(
    "It normalises with NFKC, which also replaces characters that only look related: ①, Ａ, and lone ㅋ.",
    hint="The K stands for compatibility: ① becomes 1. Which form puts parts together and changes nothing else?",
)
def compatibility_form(text):
    return _letters(text, normal="NFKC")


@hangul_to_jamo.misconception(
    "Double finals are taken apart, ㄺ into ㄹ and ㄱ, but each is one letter here.",
    hint="닭 has three letters in this exercise. How many do you give?",
)
def clusters_split(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [INITIALS[initial], VOWELS[vowel], *CLUSTERS.get(FINALS[final], FINALS[final])]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "Tense consonants are taken apart, ㄲ into ㄱ and ㄱ, but each is one letter here.",
    hint="A keyboard has a key for ㄲ, and it is a sound of its own. 꽃 has three letters.",
)
def tense_split(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [letter for part in (INITIALS[initial], VOWELS[vowel], *FINALS[final]) for letter in _untense(part)]

    return _letters(text, split=split)


def _untense(letter: str) -> str:
    return TENSE[letter] * 2 if letter in TENSE else letter


@hangul_to_jamo.misconception(
    "Compound vowels are taken apart, ㅘ into ㅗ and ㅏ, but each is one letter here.",
    hint="Unicode counts 21 vowels, ㅘ among them. 왜 has two letters.",
)
def vowels_split(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [INITIALS[initial], *DIPHTHONGS.get(VOWELS[vowel], VOWELS[vowel]), *FINALS[final]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "The ㅇ at the beginning of a syllable is left out: it is silent, but it is a letter.",
    hint="아 is written with two letters. The exercise asks for what is written.",
)
def silent_dropped(text):
    def split(character):
        initial, vowel, final = _numbers(character)
        return [*INITIALS[initial].replace("ㅇ", ""), VOWELS[vowel], *FINALS[final]]

    return _letters(text, split=split)


@hangul_to_jamo.misconception(
    "Whatever is not Hangul is dropped: spaces, digits, punctuation.",
    hint="A space tells where a word ends. The exercise says what happens to any other character.",
)
def others_dropped(text):
    return [letter for letter in _letters(text) if "HANGUL" in unicodedata.name(letter, "")]


@hangul_to_jamo.misconception(
    "Only spaces are dropped; they are characters like any other.",
    hint="'a b' has three characters. Does something like `.split()` or `.replace(' ', '')` happen on the way?",
)
def spaces_dropped(text):
    return [letter for letter in _letters(text) if not letter.isspace()]


@hangul_to_jamo.misconception(
    "Spaces around the text are cut off; they are characters like any other.",
    hint="What does `.strip()` do? Cleaning texts is another function's job.",
)
def stripped(text):
    return _letters(text.strip())


@hangul_to_jamo.misconception(
    "Letters that stand alone, as in ㅋㅋ, are dropped; they should stay as they are.",
    hint="ㅋ is not a syllable, so it is 'any other character'.",
)
def loners_dropped(text):
    text = unicodedata.normalize("NFC", text)
    return _letters("".join(one for one in text if not 0x3131 <= ord(one) <= 0x3163))


@hangul_to_jamo.misconception(
    "The last syllable, 힣 (U+D7A3), is taken for something else: the range ends one too early.",
    hint="Does `range(a, b)` contain b? Should your comparison be `<` or `<=`?",
)
def last_left_out(text):
    return _letters(text, last=LAST - 1)


@hangul_to_jamo.misconception(
    "The first syllable, 가 (U+AC00), is taken for something else: the range begins one too late.",
    hint="가 has the index 0. Should your comparison be `<` or `<=`, and is 0 treated as 'none'?",
)
def first_left_out(text):
    return _letters(text, first=FIRST + 1)


@hangul_to_jamo.misconception(
    "Every syllable gives a list of its own; one flat list of letters is asked for.",
    hint="A list has a method that adds one thing and another that adds all things of a list.",
)
def nested(text):
    text = unicodedata.normalize("NFC", text)
    return [_letters(one) if FIRST <= ord(one) <= LAST else one for one in text]


@hangul_to_jamo.misconception(
    "The letters are joined into one string; a list of letters is asked for.",
    hint="The next function counts symbols, and not every symbol will be a single character. What does `list` do?",
)
def joined(text):
    return "".join(_letters(text))


@hangul_to_jamo.misconception(
    "The finals are missing: 랑 gives ㄹ and ㅏ only.",
    hint="A syllable has two or three letters. What remains after dividing by 28?",
)
def no_final(text):
    return _letters(text, split=lambda one: [INITIALS[_numbers(one)[0]], VOWELS[_numbers(one)[1]]])


@hangul_to_jamo.alternative
def by_arithmetic(text):
    letters = []
    for character in unicodedata.normalize("NFC", text):
        index = ord(character) - 0xAC00
        if 0 <= index < 11_172:
            rest, final = divmod(index, 28)
            letters += [INITIALS[rest // 21], VOWELS[rest % 21]] + ([FINALS[final]] if final else [])
        else:
            letters.append(character)
    return letters


@hangul_to_jamo.alternative
def by_a_table_of_all_syllables(text):
    syllables = (initial + vowel + final for initial in INITIALS for vowel in VOWELS for final in FINALS)
    table = {chr(code): letters for code, letters in enumerate(syllables, start=0xAC00)}
    return list("".join(table.get(one, one) for one in unicodedata.normalize("NFC", text)))


@hangul_to_jamo.alternative
def by_decomposing(text):
    conjoining_to_letter = {chr(0x1100 + n): letter for n, letter in enumerate(INITIALS)}
    conjoining_to_letter |= {chr(0x1161 + n): letter for n, letter in enumerate(VOWELS)}
    conjoining_to_letter |= {chr(0x11A7 + n): letter for n, letter in enumerate(FINALS)}
    letters = []
    for character in unicodedata.normalize("NFC", text):
        if "가" <= character <= "힣":
            letters.extend(conjoining_to_letter[part] for part in unicodedata.normalize("NFD", character))
        else:
            letters.append(character)
    return letters


# --------------------------------------------------------------------------------------------------- build_vocab


@exercise(unit=UNIT)
def build_vocab(sequences, specials=("<pad>", "<unk>")):
    return {symbol: number for number, symbol in enumerate(dict.fromkeys(chain(specials, *sequences)))}


def _sequences(draw: Draw, symbols: str = INITIALS) -> list[list[str]]:
    """Three sequences over seven symbols: not in sorted order, the rarest first, all but the first repeated."""
    some = draw.sample(symbols, 7)
    if some == sorted(some):
        some.reverse()
    one, two, three = some[:4], [some[3], *some[1:6], some[4]], [some[6], some[6], *some[3:6], some[6], some[5]]
    return [one, two, three]


@build_vocab.case
def three_sequences(draw):
    """three short sequences, the usual specials"""
    return (_sequences(draw),)


@build_vocab.case
def one_sequence(draw):
    """one sequence in which symbols come again"""
    a, b, c = sorted(draw.sample(PHONES, 3), reverse=True)
    return ([[b, a, b, c, a, b, c, c]],)


@build_vocab.hidden_case
def many_sequences(draw):
    """many sequences"""
    return ([[draw.choice(INITIALS + VOWELS) for _ in range(draw.integer(3, 9))] for _ in range(12)],)


@build_vocab.case(group="specials")
def other_specials(draw):
    """three other specials, given as a keyword"""
    return arguments(_sequences(draw), specials=("<blank>", "<s>", "</s>"))


@build_vocab.case(group="specials")
def special_in_the_data(draw):
    """a special that also occurs in the data"""
    one, two, three = _sequences(draw)
    return [one, ["<unk>", *two], [three[0], "<pad>", *three[1:], "<unk>"]], ("<pad>", "<unk>")


@build_vocab.hidden_case(group="specials")
def one_special(draw):
    """a single special, which is a symbol of the data too"""
    one, two, three = _sequences(draw)
    return [one, [" ", *two], [*three, " "]], (" ",)


@build_vocab.case(group="specials")
def no_specials(draw):
    """no specials at all"""
    return _sequences(draw), ()


@build_vocab.case(group="edge")
def empty_sequences(draw):
    """empty sequences among the others"""
    one, two, three = _sequences(draw)
    return ([[], one, [], two, three, []],)


@build_vocab.case(group="edge")
def no_sequences(draw):
    """no sequences: only the specials are left"""
    return ([],)


@build_vocab.case(group="edge")
def long_symbols(draw):
    """symbols of more than one character, and capitals beside small letters"""
    return ([["SH", "aa", "k", "ii"], ["AA", "sh", draw.choice(PHONES), "K", "aa"], ["Sh", "SH", " ", "k"]],)


@build_vocab.misconception(
    "The symbols are numbered in sorted order, where the order of first appearance is asked for.",
    hint="In [['k', 'a']], k comes first. Which number does it get? Is there a `sorted` on the way?",
)
def sorted_symbols(sequences, specials=("<pad>", "<unk>")):
    return {s: n for n, s in enumerate([*specials, *sorted(set(chain(*sequences)) - set(specials))])}


@build_vocab.misconception(
    "The most frequent symbol gets the first number, where the order of first appearance is asked for.",
    hint="That is often done too, but here the first symbol that is met comes first, however rare.",
)
def by_frequency(sequences, specials=("<pad>", "<unk>")):
    symbols = [s for s, _ in Counter(chain(*sequences)).most_common() if s not in specials]
    return {s: n for n, s in enumerate([*specials, *symbols])}


@build_vocab.misconception(
    "A special that occurs in the data gets a second number, and its first one is lost.",
    hint="What does `vocab['<unk>'] = len(vocab)` do when '<unk>' is already there?",
)
def special_renumbered(sequences, specials=("<pad>", "<unk>")):
    vocab = {s: n for n, s in enumerate(specials)}
    for symbol in dict.fromkeys(chain(*sequences)):
        vocab[symbol] = len(vocab)
    return vocab


@build_vocab.misconception(
    "The specials come last; they should have the lowest numbers.",
    hint="`<pad>` is expected to be number 0. What is in your dictionary before the first symbol?",
)
def specials_last(sequences, specials=("<pad>", "<unk>")):
    symbols = [s for s in dict.fromkeys(chain(*sequences)) if s not in specials]
    return {s: n for n, s in enumerate([*symbols, *specials])}


@build_vocab.misconception(
    "The numbers begin at 1; the first one is 0.",
    hint="The numbers will be rows of a table, and the first row of a tensor is row …?",
)
def from_one(sequences, specials=("<pad>", "<unk>")):
    return {s: n for n, s in enumerate(dict.fromkeys(chain(specials, *sequences)), start=1)}


@build_vocab.misconception(
    "The numbers have gaps: the counter goes on at every symbol, not only at a new one.",
    hint="For ['a', 'a', 'b'], b is the second symbol. Use the size of the vocabulary as the next number.",
)
def gaps(sequences, specials=("<pad>", "<unk>")):
    vocab = {}
    for number, symbol in enumerate(chain(specials, *sequences)):
        vocab.setdefault(symbol, number)
    return vocab


@build_vocab.misconception(
    "A symbol that comes again gets a new number each time, so the last appearance counts.",
    hint="Before you give a number, ask whether the symbol has one already.",
)
def last_appearance(sequences, specials=("<pad>", "<unk>")):
    return {symbol: number for number, symbol in enumerate(chain(specials, *sequences))}


@build_vocab.misconception(
    "Only the first sequence is read.",
    hint="`sequences` is a list of lists. Which `return` or index stops too early?",
)
def first_sequence_only(sequences, specials=("<pad>", "<unk>")):
    return {s: n for n, s in enumerate(dict.fromkeys(chain(specials, *sequences[:1])))}


@build_vocab.misconception(
    "The specials are always <pad> and <unk>, whatever the caller gives.",
    hint="Call it with `specials=('<s>',)`. Is `<pad>` in the answer?",
)
def fixed_specials(sequences, specials=("<pad>", "<unk>")):
    return {s: n for n, s in enumerate(dict.fromkeys(chain(("<pad>", "<unk>"), *sequences)))}


@build_vocab.misconception(
    "The specials are missing.",
    hint="The dictionary should begin with the specials, even when no sequence contains them.",
)
def no_specials_at_all(sequences, specials=("<pad>", "<unk>")):
    return {s: n for n, s in enumerate(dict.fromkeys(chain(*sequences)))}


@build_vocab.misconception(
    "Keys and values are exchanged: it leads from number to symbol.",
    hint="To encode, one asks `vocab['k']` and wants a number.",
)
def inverted(sequences, specials=("<pad>", "<unk>")):
    return dict(enumerate(dict.fromkeys(chain(specials, *sequences))))


@build_vocab.misconception(
    "It is a list of the symbols; a dictionary from symbol to number is asked for.",
    hint="`enumerate` gives each symbol with its number. How does one make a dict of that?",
)
def just_a_list(sequences, specials=("<pad>", "<unk>")):
    return list(dict.fromkeys(chain(specials, *sequences)))


@build_vocab.misconception(
    "Symbols are taken apart into characters, so that 'SH' becomes S and H.",
    hint="A symbol is whatever stands in the list, be it one character or several. Did you join or iterate a string?",
)
def characters(sequences, specials=("<pad>", "<unk>")):
    flat = (character for sequence in sequences for symbol in sequence for character in _unless(symbol, specials))
    return {s: n for n, s in enumerate(dict.fromkeys(chain(specials, flat)))}


def _unless(symbol: str, specials: tuple) -> tuple[str, ...]:
    return (symbol,) if symbol in specials else tuple(symbol)


@build_vocab.misconception(
    "Capitals and small letters are made one symbol.",
    hint="In a phone alphabet SH and sh may be two things. Nothing should be changed on the way into the vocabulary.",
)
def lowered(sequences, specials=("<pad>", "<unk>")):
    return {s: n for n, s in enumerate(dict.fromkeys(chain(specials, (s.lower() for q in sequences for s in q))))}


@build_vocab.alternative
def with_a_loop(sequences, specials=("<pad>", "<unk>")):
    vocab = {}
    for sequence in [specials, *sequences]:
        for symbol in sequence:
            if symbol not in vocab:
                vocab[symbol] = len(vocab)
    return vocab


@build_vocab.alternative
def by_first_positions(sequences, specials=("<pad>", "<unk>")):
    flat = [*specials, *(symbol for sequence in sequences for symbol in sequence)]
    ordered = sorted(set(flat), key=flat.index)
    return dict(zip(ordered, range(len(ordered)), strict=True))


# -------------------------------------------------------------------------------------------------------- encode


@exercise(unit=UNIT)
def encode(sequence, vocab):
    return torch.tensor([vocab[s if s in vocab else "<unk>"] for s in sequence], dtype=torch.int64)


def _vocab(draw: Draw) -> dict[str, int]:
    """Twelve phones and two specials whose numbers are not in the order of the dictionary; <unk> is not 0 or 1."""
    names = ["<pad>", "<unk>", *draw.sample(PHONES, 12)]
    numbers = draw.permutation(len(names)).tolist()
    while numbers[1] in (0, 1, 13):
        numbers = draw.permutation(len(names)).tolist()
    return dict(zip(names, numbers, strict=True))


@encode.case
def a_word(draw):
    """symbols that are all in the vocabulary"""
    return draw.sample(PHONES, 5), _vocab(draw)


@encode.case
def a_word_with_repeats(draw):
    """symbols that come several times"""
    a, b, c = draw.sample(PHONES, 3)
    return [a, b, a, c, b, a], _vocab(draw)


@encode.hidden_case
def usual_vocabulary(draw):
    """a vocabulary as `build_vocab` makes it"""
    symbols = draw.sample(VOWELS, 6)
    vocab = {s: n for n, s in enumerate(["<pad>", "<unk>", *symbols])}
    return [draw.choice(symbols) for _ in range(9)] + symbols, vocab


@encode.case(group="unknown symbols")
def an_unknown_symbol(draw):
    """symbols that the vocabulary lacks, between others; a capital is one where only the small letter is known"""
    vocab = _vocab(draw)
    return [*draw.sample(PHONES, 2), "q", draw.choice(PHONES), "ㅋ", "q", draw.choice(PHONES).upper()], vocab


@encode.case(group="unknown symbols")
def unknown_is_last(draw):
    """a vocabulary whose <unk> has the highest number"""
    symbols = draw.sample(PHONES, 5)
    vocab = {s: n for n, s in enumerate([*symbols, "<unk>"])}
    return [symbols[2], "?", symbols[4], symbols[0]], vocab


@encode.hidden_case(group="unknown symbols")
def nothing_known(draw):
    """a sequence of which nothing is known"""
    return draw.sample("qwxyz", 4), _vocab(draw)


@encode.hidden_case(group="unknown symbols")
def specials_in_the_sequence(draw):
    """a sequence that holds <pad> and <unk> themselves, and capitals that the vocabulary has only as small letters"""
    one, two = draw.sample(PHONES, 2)
    return ["<pad>", one, "<unk>", two.upper(), two], _vocab(draw)


@encode.hidden_case(group="unknown symbols")
def gaps_in_the_numbers(draw):
    """a vocabulary whose numbers are large and have gaps"""
    numbers = (draw.permutation(9) * 5_763 + 3).tolist()
    vocab = dict(zip(["<unk>", *draw.sample(PHONES, 8)], numbers, strict=True))
    return [*list(vocab)[2:6], "x", list(vocab)[1]], vocab


@encode.case(group="edge")
def empty_sequence(draw):
    """an empty sequence"""
    return [], _vocab(draw)


@encode.case(group="edge")
def one_symbol(draw):
    """a sequence of one symbol"""
    return [draw.choice(PHONES)], _vocab(draw)


def _encoded(sequence, lookup):
    return torch.tensor([lookup(symbol) for symbol in sequence], dtype=torch.int64)


@encode.misconception(
    "Unknown symbols become 1, whatever number <unk> has in this vocabulary.",
    hint="The vocabulary itself knows the number of '<unk>'. Ask it.",
)
def unknown_is_one(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, 1))


@encode.misconception(
    "Unknown symbols become 0, which is some other symbol's number.",
    hint="`dict.get` takes a second argument: what should come back where the key is missing?",
)
def unknown_is_zero(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, 0))


@encode.misconception(
    "Unknown symbols become −1: no row of a table has that number.",
    hint="The specials exist so that every symbol has a row. Which one stands for the unknown?",
)
def unknown_is_minus_one(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, -1))


@encode.misconception(
    "Unknown symbols are left out, so the sequence gets shorter.",
    hint="Five symbols in, five numbers out. What stands in for a symbol that is not known?",
)
def unknown_skipped(sequence, vocab):
    return _encoded([s for s in sequence if s in vocab], vocab.get)


@encode.misconception(
    "An unknown symbol gets the next free number; but the table has no row for it.",
    hint="The vocabulary is fixed once a model is trained. Which number is kept for what is new?",
)
def unknown_appended(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, len(vocab)))


@encode.misconception(
    "An unknown symbol becomes <pad>.",
    hint="<pad> fills the ends of short sequences; another special stands for what is not known.",
)
def unknown_is_pad(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, vocab.get("<pad>", 0)))


@encode.misconception(
    "An unknown symbol raises KeyError.",
    hint="`vocab[symbol]` insists on the key. Which method of a dict takes a value for missing keys?",
)
def unknown_raises(sequence, vocab):
    return _encoded(sequence, lambda s: vocab[s])


@encode.misconception(
    "Each symbol gets its place in the dictionary, not the number that the dictionary gives it.",
    hint="`{'a': 5, 'b': 2}`: what is the number of a? Does the order of the entries matter?",
)
def place_in_the_dictionary(sequence, vocab):
    places = list(vocab)
    return _encoded(sequence, lambda s: places.index(s if s in places else "<unk>"))


@encode.misconception(
    "An empty sequence gives a tensor of floats: without numbers to look at, torch chooses float32.",
    hint="`torch.tensor([])` has no numbers to guess a dtype from. Tell it which one.",
)
def empty_is_float(sequence, vocab):
    return torch.tensor([vocab.get(s, vocab["<unk>"]) for s in sequence])


@encode.misconception(
    "It is a list; a tensor of int64 is asked for.",
    hint="`torch.tensor(..., dtype=torch.int64)` makes a tensor of a list.",
)
def a_list(sequence, vocab):
    return [vocab.get(s, vocab["<unk>"]) for s in sequence]


@encode.misconception(
    "A symbol that comes again is encoded only once.",
    hint="'a k a' is three symbols long, and so is its encoding. Is there a set on the way?",
)
def repeats_dropped(sequence, vocab):
    return _encoded(dict.fromkeys(sequence), lambda s: vocab.get(s, vocab["<unk>"]))


@encode.misconception(
    "There is a leading dimension of 1; one sequence gives (T,).",
    hint="How many brackets does your result print? The batch comes later.",
)
def a_batch_of_one(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, vocab["<unk>"]))[None]


@encode.misconception(
    "Capitals are taken for small letters, so a symbol that is not known passes for one that is.",
    hint="A symbol is in the vocabulary as it is, or it is unknown.",
)
def case_ignored(sequence, vocab):
    return _encoded(sequence, lambda s: vocab.get(s, vocab.get(s.lower(), vocab["<unk>"])))


@encode.alternative
def with_get(sequence, vocab):
    return torch.tensor([vocab.get(symbol, vocab["<unk>"]) for symbol in sequence], dtype=torch.long)


@encode.alternative
def filled_one_by_one(sequence, vocab):
    ids = torch.full((len(sequence),), vocab["<unk>"])
    for position, symbol in enumerate(sequence):
        if symbol in vocab:
            ids[position] = vocab[symbol]
    return ids


@encode.alternative
def through_numpy(sequence, vocab):
    import numpy as np

    numbers = np.fromiter((vocab.get(s, vocab["<unk>"]) for s in sequence), dtype=np.int64, count=len(sequence))
    return torch.from_numpy(numbers)


# ----------------------------------------------------------------------------------------------------- pad_batch


@exercise(unit=UNIT)
def pad_batch(sequences, pad_id=0):
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=pad_id)
    kept = [torch.ones(len(one), dtype=torch.bool) for one in sequences]
    return padded, torch.nn.utils.rnn.pad_sequence(kept, batch_first=True)


def _ragged(draw: Draw, *lengths: int) -> list[torch.Tensor]:
    """Sequences of 1 … 9 of those lengths; those with two symbols or more do not end as they begin."""
    made = [draw.integers(1, 10, length) for length in lengths]
    for one in made:
        if len(one) > 1 and one[0] == one[-1]:
            one[-1] = one[0] % 9 + 1
    return made


@pad_batch.case
def two_sequences(draw):
    """two sequences of different lengths"""
    return (_ragged(draw, 3, 5),)


@pad_batch.case
def unordered(draw):
    """four sequences, neither the first nor the last of them the longest"""
    return (_ragged(draw, 3, 6, 2, 4),)


@pad_batch.hidden_case
def many(draw):
    """many sequences"""
    lengths = [draw.integer(2, 12) for _ in range(9)]
    return (_ragged(draw, 4, 12, *lengths, 3),)


@pad_batch.case(group="padding number")
def other_pad_id(draw):
    """padding with another number than 0"""
    return arguments(_ragged(draw, 2, 5, 4), pad_id=draw.integer(10, 20))


@pad_batch.case(group="padding number")
def pad_id_is_a_symbol(draw):
    """sequences in which the padding number occurs as a real symbol"""
    one, two, three = _ragged(draw, 4, 6, 5)
    one[1], two[3], two[5], three[4] = 7, 7, 7, 7
    return [one, two, three], 7


@pad_batch.hidden_case(group="padding number")
def zeros_are_symbols(draw):
    """the padding number is 0, and 0 is a real symbol at the end of the longest sequence"""
    one, two, three = _ragged(draw, 4, 6, 3)
    one[0], one[3], two[5], three[2] = 0, 0, 0, 0
    return ([one, two, three],)


@pad_batch.case(group="padding number")
def negative_pad_id(draw):
    """padding with −1 or −100"""
    return _ragged(draw, 5, 3, 2), draw.choice((-1, -100))


@pad_batch.case(group="edge")
def empty_among_others(draw):
    """an empty sequence among the others"""
    return _ragged(draw, 3, 0, 5), 2


@pad_batch.case(group="edge")
def a_single_sequence(draw):
    """a batch of one sequence"""
    return (_ragged(draw, 4),)


@pad_batch.case(group="edge")
def all_empty(draw):
    """nothing but empty sequences"""
    return (_ragged(draw, 0, 0, 0),)


@pad_batch.hidden_case(group="edge")
def equal_lengths(draw):
    """sequences of one length: nothing to pad"""
    return _ragged(draw, 4, 4, 4), 5


@pad_batch.hidden_case(group="edge")
def as_many_as_long(draw):
    """as many sequences as the longest has symbols"""
    return _ragged(draw, 2, 4, 3, 1), 11


@pad_batch.hidden_case(group="edge")
def one_symbol_each(draw):
    """sequences of one symbol, or none"""
    return _ragged(draw, 1, 0, 1), 3


def _padded(sequences, pad_id=0):
    return torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=pad_id)


def _mask(sequences):
    return _padded([torch.ones_like(one) for one in sequences]).bool()


@pad_batch.misconception(
    "The mask is made by comparing with pad_id, so a real symbol of that number is masked too.",
    hint="Which symbols are real is known from the lengths. Can it be seen from the padded numbers alone?",
)
def mask_by_comparing(sequences, pad_id=0):
    ids = _padded(sequences, pad_id)
    return ids, ids != pad_id


@pad_batch.misconception(
    "The padding stands on the left; the symbols should come first.",
    hint="In every row, column 0 should hold the first symbol.",
)
def on_the_left(sequences, pad_id=0):
    flipped = [one.flip(0) for one in sequences]
    return _padded(flipped, pad_id).flip(1), _mask(flipped).flip(1)


@pad_batch.misconception(
    "The mask is upside down: True should mean a real symbol.",
    hint="In this course True means keep. (Beware: in some of PyTorch's own modules it means the opposite.)",
)
def mask_inverted(sequences, pad_id=0):
    return _padded(sequences, pad_id), ~_mask(sequences)


@pad_batch.misconception(
    "It always pads with 0, whatever pad_id says.",
    hint="Call it with `pad_id=9` on two sequences of different lengths. Where is the 9?",
)
def zero_padding(sequences, pad_id=0):
    return _padded(sequences), _mask(sequences)


@pad_batch.misconception(
    "The result is (T, B): time came first, and the batch second.",
    hint="`pad_sequence` has an argument that says which of the two comes first.",
)
def time_first(sequences, pad_id=0):
    return _padded(sequences, pad_id).T.contiguous(), _mask(sequences).T.contiguous()


@pad_batch.misconception(
    "Only the numbers are (T, B): the mask fits, but the numbers have time first.",
    hint="`pad_sequence` has an argument that says which of the two comes first. Print both shapes.",
)
def ids_time_first(sequences, pad_id=0):
    return _padded(sequences, pad_id).T.contiguous(), _mask(sequences)


@pad_batch.misconception(
    "The sequences are sorted by length; the order of the batch has changed.",
    hint="Row i should hold sequence i. (Sorting is a trick of old RNN code, and it has to be undone.)",
)
def sorted_by_length(sequences, pad_id=0):
    ordered = sorted(sequences, key=len, reverse=True)
    return _padded(ordered, pad_id), _mask(ordered)


@pad_batch.misconception(
    "Everything is cut to the shortest sequence; symbols are lost.",
    hint="Which of the lengths should T be, the smallest or the largest?",
)
def cut_to_shortest(sequences, pad_id=0):
    short = [one[: min(map(len, sequences))] for one in sequences]
    return _padded(short, pad_id), _mask(short)


@pad_batch.misconception(
    "There is a column too many: even the longest sequence is padded.",
    hint="T is the length of the longest sequence. What do you add to it?",
)
def one_column_too_many(sequences, pad_id=0):
    longer = torch.nn.functional.pad(_padded(sequences, pad_id), (0, 1), value=pad_id)
    return longer, torch.nn.functional.pad(_mask(sequences), (0, 1), value=False)


@pad_batch.misconception(
    "The mask holds numbers 0 and 1; it should be bool.",
    hint="Look at `mask.dtype`. What does a comparison such as `<` give?",
)
def mask_of_numbers(sequences, pad_id=0):
    return _padded(sequences, pad_id), _mask(sequences).long()


@pad_batch.misconception(
    "The mask holds floats; it should be bool.",
    hint="Look at `mask.dtype`. What does `torch.ones` make unless it is told a dtype?",
)
def mask_of_floats(sequences, pad_id=0):
    return _padded(sequences, pad_id), _mask(sequences).float()


@pad_batch.misconception(
    "The mask is one column too generous: it keeps the first padding too.",
    hint="A sequence of 3 symbols has True at 0, 1 and 2. Should the comparison be `<` or `<=`?",
)
def mask_one_too_many(sequences, pad_id=0):
    mask = _mask(sequences)
    columns, lengths = torch.arange(mask.shape[1]), mask.sum(1)
    return _padded(sequences, pad_id), columns <= lengths[:, None]


@pad_batch.misconception(
    "The mask is one column too strict: each sequence's last symbol is masked.",
    hint="A sequence of 3 symbols has True at 0, 1 and 2. What do you compare with?",
)
def mask_one_too_few(sequences, pad_id=0):
    mask = _mask(sequences)
    columns, lengths = torch.arange(mask.shape[1]), mask.sum(1)
    return _padded(sequences, pad_id), columns < lengths[:, None] - 1


@pad_batch.misconception(
    "The mask is True everywhere, as if nothing had been padded.",
    hint="The mask's job is to tell symbols from padding. Where does it learn the lengths?",
)
def mask_all_true(sequences, pad_id=0):
    ids = _padded(sequences, pad_id)
    return ids, torch.ones_like(ids, dtype=torch.bool)


@pad_batch.misconception(
    "Each sequence is repeated until its row is full, instead of being padded.",
    hint="What stands behind the last symbol should be pad_id, nothing else.",
)
def repeated(sequences, pad_id=0):
    longest = max(map(len, sequences))
    full = [one.repeat(longest)[:longest] if len(one) else torch.full((longest,), pad_id) for one in sequences]
    return torch.stack(full), _mask(sequences)


@pad_batch.misconception(
    "Empty sequences are left out; each should have a row, all padding.",
    hint="Three sequences in, three rows out. What does your code do with a sequence of length 0?",
)
def empty_left_out(sequences, pad_id=0):
    full = [one for one in sequences if len(one)] or sequences
    return _padded(full, pad_id), _mask(full)


@pad_batch.misconception(
    "The mask comes first and the numbers second; the docstring says it the other way round.",
    hint="`ids, mask = pad_batch(...)`: what should be first?",
)
def exchanged(sequences, pad_id=0):
    return _mask(sequences), _padded(sequences, pad_id)


@pad_batch.misconception(
    "Only the padded numbers come back; the mask is missing.",
    hint="`return ids, mask` gives back two things.",
)
def no_mask(sequences, pad_id=0):
    return _padded(sequences, pad_id)


@pad_batch.misconception(
    "The lengths come back where the mask should be.",
    hint="The mask has the shape of the numbers: one True or False for each. Lengths can be compared with positions.",
)
def lengths_for_mask(sequences, pad_id=0):
    return _padded(sequences, pad_id), torch.tensor([len(one) for one in sequences])


@pad_batch.alternative
def filled(sequences, pad_id=0):
    longest = max(len(one) for one in sequences)
    ids = torch.full((len(sequences), longest), pad_id)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, one in enumerate(sequences):
        ids[row, : len(one)] = one
        mask[row, : len(one)] = True
    return ids, mask


@pad_batch.alternative
def by_lengths(sequences, pad_id=0):
    lengths = torch.tensor([len(one) for one in sequences])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    ids = torch.full(mask.shape, pad_id).masked_scatter(mask, torch.cat(sequences))
    return ids, mask


@pad_batch.alternative
def row_by_row(sequences, pad_id=0):
    longest = max(len(one) for one in sequences)
    rows = [torch.nn.functional.pad(one, (0, longest - len(one)), value=pad_id) for one in sequences]
    mask = [[column < len(one) for column in range(longest)] for one in sequences]
    return torch.stack(rows), torch.tensor(mask, dtype=torch.bool)


# ------------------------------------------------------------------------------------------------------- one_hot


@exercise(unit=UNIT, tolerance=EXACT)
def one_hot(ids, vocab_size):
    return functional.one_hot(ids, vocab_size).to(torch.float32)


@one_hot.case
def a_sequence(draw):
    """the numbers of one sequence, (T,)"""
    return _with_ends(draw, 7, 5), 5


@one_hot.case
def a_batch(draw):
    """a batch of sequences, (B, T)"""
    return draw.integers(0, 6, 2, 4), 7


@one_hot.hidden_case
def with_repeats(draw):
    """a symbol that comes several times"""
    number = draw.integer(1, 5)
    return torch.tensor([[number, 0, number], [number, 5, number]]), 6


@one_hot.case(group="shapes")
def one_number(draw):
    """a single number, shape ()"""
    return torch.tensor(draw.integer(1, 4)), 5


@one_hot.case(group="shapes")
def larger_vocabulary(draw):
    """a vocabulary with more symbols than occur"""
    return draw.integers(1, 4, 3), draw.integer(9, 12)


@one_hot.hidden_case(group="shapes")
def three_axes(draw):
    """three axes"""
    return draw.integers(0, 6, 2, 3, 4), 6


@one_hot.hidden_case(group="shapes")
def as_many_numbers_as_symbols(draw):
    """as many numbers as the vocabulary has symbols"""
    return draw.permutation(4), 4


@one_hot.case(group="shapes")
def no_numbers(draw):
    """no numbers at all"""
    return torch.zeros(0, dtype=torch.int64), 4


@one_hot.hidden_case(group="shapes")
def one_row(draw):
    """a batch of one sequence"""
    return draw.integers(0, 5, 1, 3), 5


def _with_ends(draw: Draw, n: int, size: int) -> torch.Tensor:
    """n numbers below `size`, the lowest and the highest among them."""
    ids = draw.integers(0, size, n)
    ids[0], ids[2], ids[4] = size - 1, 0, 1
    return ids


@one_hot.misconception(
    "The ones are integers; float32 is asked for, so that it can be multiplied with a table of floats.",
    hint="`F.one_hot` gives int64. Look at `.dtype` and convert.",
)
def left_as_integers(ids, vocab_size):
    return functional.one_hot(ids, vocab_size)


@one_hot.misconception(
    "The entries are True and False; float32 is asked for.",
    hint="A comparison gives bool. How does one turn it into float32?",
)
def left_as_bool(ids, vocab_size):
    return ids[..., None] == torch.arange(vocab_size)


@one_hot.misconception(
    "The new axis is as long as the largest number that occurs needs, not vocab_size.",
    hint="The same symbol must always give the same vector, whatever else is in the batch.",
)
def as_small_as_possible(ids, vocab_size):
    return functional.one_hot(ids, int(ids.max()) + 1 if ids.numel() else vocab_size).float()


@one_hot.misconception(
    "The new axis comes first; it should be the last.",
    hint="(T,) should become (T, V). What is the shape of yours?",
)
def symbols_first(ids, vocab_size):
    return functional.one_hot(ids, vocab_size).float().movedim(-1, 0).contiguous()


@one_hot.misconception(
    "The batch is flattened; all axes of ids should stay.",
    hint="(B, T) should become (B, T, V). What is the shape of yours?",
)
def flattened(ids, vocab_size):
    return functional.one_hot(ids.reshape(-1), vocab_size).float()


@one_hot.misconception(
    "The vectors of a sequence are added up: it is a count of symbols, and their order is lost.",
    hint="(B, T) should become (B, T, V): one vector for each position.",
)
def counted(ids, vocab_size):
    made = functional.one_hot(ids, vocab_size).float()
    return made.sum(-2) if ids.ndim else made


@one_hot.misconception(
    "The ones are a column too far to the left, as if numbers began at 1.",
    hint="Number 0 belongs to column 0. Where is its one?",
)
def numbers_from_one(ids, vocab_size):
    return functional.one_hot((ids - 1) % vocab_size, vocab_size).float()


@one_hot.misconception(
    "Number 0 gives a row of zeros, as if it were padding; here it is a number like any other.",
    hint="Every row should add up to 1. Which of yours does not?",
)
def zero_is_nothing(ids, vocab_size):
    return functional.one_hot(ids, vocab_size).float() * (ids != 0)[..., None]


@one_hot.misconception(
    "All columns up to the number are 1, not only the one of the number itself.",
    hint="'One-hot' is meant literally: how many ones are in a row? Is the comparison `<=` or `==`?",
)
def thermometer(ids, vocab_size):
    return (torch.arange(vocab_size) <= ids[..., None]).float()


@one_hot.misconception(
    "The number itself stands in its column, where a 1 is asked for.",
    hint="Symbol 4 is not four times as much as symbol 1. What should stand in its column?",
)
def the_number_itself(ids, vocab_size):
    return functional.one_hot(ids, vocab_size).float() * ids[..., None]


@one_hot.misconception(
    "Rows and columns are exchanged: row v says where symbol v stands.",
    hint="(…, T) should become (…, T, V). Which of the two is your last axis?",
)
def places_last(ids, vocab_size):
    made = functional.one_hot(ids, vocab_size).float()
    return made.mT.contiguous() if made.ndim > 1 else made


@one_hot.misconception(
    "Axes of length 1 are dropped.",
    hint="(1, T) should become (1, T, V). What does `squeeze()` do when it is not told which axis?",
)
def squeezed_hot(ids, vocab_size):
    return functional.one_hot(ids, vocab_size).float().squeeze()


@one_hot.alternative
def by_comparing(ids, vocab_size):
    return (ids.unsqueeze(-1) == torch.arange(vocab_size)).float()


@one_hot.alternative
def rows_of_the_identity(ids, vocab_size):
    return torch.eye(vocab_size)[ids]


@one_hot.alternative
def by_scattering(ids, vocab_size):
    return torch.zeros(*ids.shape, vocab_size).scatter_(-1, ids[..., None], 1.0)


# --------------------------------------------------------------------------------------------------------- embed


@exercise(unit=UNIT, differentiable=True, tolerance=EXACT)
def embed(ids, table):
    return functional.embedding(ids, table)


@embed.case
def one_utterance(draw):
    """one sequence, (T,)"""
    return _with_ends(draw, 7, 5), draw.normal(5, 3)


@embed.case
def two_utterances(draw):
    """a batch, (B, T)"""
    ids = draw.integers(0, 6, 2, 4)
    ids[1, 2] = 0
    return ids, draw.normal(6, 3)


@embed.hidden_case
def symbols_that_come_again(draw):
    """one symbol several times: its row's gradient is a sum"""
    number = draw.integer(1, 5)
    return torch.tensor([number, 0, number, number, 0]), draw.normal(6, 4)


@embed.hidden_case
def a_long_table(draw):
    """a table with more rows than are used"""
    return draw.integers(0, 30, 3, 5), draw.normal(30, 2)


@embed.case(group="shapes")
def one_symbol_alone(draw):
    """a single number, shape ()"""
    return torch.tensor(draw.integer(1, 4)), draw.normal(4, 6)


@embed.case(group="shapes")
def square_table(draw):
    """as many symbols as dimensions"""
    return draw.permutation(4), draw.normal(4, 4)


@embed.hidden_case(group="shapes")
def four_axes(draw):
    """three axes of numbers"""
    return draw.integers(0, 5, 2, 3, 4), draw.normal(5, 6)


@embed.hidden_case(group="shapes")
def batch_of_one_symbol(draw):
    """a batch of one sequence with one symbol"""
    return draw.integers(1, 5, 1, 1), draw.normal(5, 3)


@embed.hidden_case(group="shapes")
def nothing_to_look_up(draw):
    """no numbers at all"""
    return torch.zeros(2, 0, dtype=torch.int64), draw.normal(5, 3)


@embed.case(group="shapes")
def double_precision(draw):
    """a table in float64"""
    return draw.integers(0, 5, 2, 3), draw.normal(5, 4).double() / 3


@embed.case(group="shapes")
def half_precision(draw):
    """a table in float16"""
    return draw.permutation(6).view(2, 3), draw.normal(6, 4).half()


@embed.case(group="shapes")
def vectors_of_one_number(draw):
    """a table of vectors of a single number, D = 1"""
    return draw.integers(0, 5, 2, 3), draw.normal(5, 1)


@embed.misconception(
    "It takes columns of the table; a symbol's vector is a row.",
    hint="The table is (V, D): as many rows as symbols. Print `table.shape` and the shape of your result.",
)
def columns(ids, table):
    return table[:, ids]


@embed.misconception(
    "Row 0 is treated as padding: its vector never learns, because no gradient reaches it.",
    hint="`padding_idx` freezes a row. The exercise asks for the plain look-up: every row is used as it is.",
)
def frozen_padding(ids, table):
    return functional.embedding(ids, table, padding_idx=0)


@embed.misconception(
    "Number 0 gives zeros, as if it were padding; here it is a row like any other.",
    hint="What the padding's vector is, the table says. And the mask tells who should look away from it.",
)
def zeros_for_padding(ids, table):
    return functional.embedding(ids, table) * (ids != 0)[..., None]


@embed.misconception(
    "The vectors are scaled by √D. The first Transformer does so, but it is not part of the look-up.",
    hint="With the table [[1, 2]], number 0 should give exactly [1, 2].",
)
def scaled(ids, table):
    return functional.embedding(ids, table) * table.shape[1] ** 0.5


@embed.misconception(
    "The vectors of a sequence are added up into one; each position should keep its own.",
    hint="(B, T) should become (B, T, D). What is the shape of yours?",
)
def summed(ids, table):
    made = functional.embedding(ids, table)
    return made.sum(-2) if ids.ndim else made


@embed.misconception(
    "The vectors of a sequence are averaged into one; each position should keep its own.",
    hint="(B, T) should become (B, T, D). What is the shape of yours?",
)
def averaged(ids, table):
    made = functional.embedding(ids, table)
    return made.mean(-2) if ids.ndim else made


@embed.misconception(
    "The rows are one off, as if numbers began at 1.",
    hint="Number 0 belongs to row 0.",
)
def one_off(ids, table):
    return functional.embedding((ids - 1) % table.shape[0], table)


@embed.misconception(
    "The batch is flattened; all axes of ids should stay.",
    hint="(B, T) should become (B, T, D). What is the shape of yours?",
)
def flat(ids, table):
    return functional.embedding(ids.reshape(-1), table)


@embed.misconception(
    "Each vector is scaled to length one on the way.",
    hint="With the table [[3, 4]], number 0 should give [3, 4], not [0.6, 0.8].",
)
def normalised(ids, table):
    return functional.normalize(functional.embedding(ids, table), dim=-1)


@embed.misconception(
    "The gradient of a symbol that comes several times is averaged; every occurrence should add its own.",
    hint="`scale_grad_by_freq` divides by how often a symbol occurs. The plain look-up does not.",
)
def averaged_gradient(ids, table):
    return functional.embedding(ids, table, scale_grad_by_freq=True)


@embed.misconception(
    "Time and dimension are exchanged: (B, D, T) instead of (B, T, D).",
    hint="In this course each position's vector lies along the last axis. (Convolutions want the other order, later.)",
)
def dimension_before_time(ids, table):
    made = functional.embedding(ids, table)
    return made.mT.contiguous() if ids.ndim else made


@embed.misconception(
    "One-hot vectors in float32 are multiplied with a table of another dtype.",
    hint="Results keep the table's dtype. Make the one-hot vectors of `table.dtype` before you multiply.",
)
def single_precision(ids, table):
    return functional.one_hot(ids, table.shape[0]).float() @ table.float()


@embed.misconception(
    "It gives the first rows of the table in order, whatever the numbers are.",
    hint="Exchange two numbers: two vectors should change places. Are the values of `ids` used, or only its shape?",
)
def rows_in_order(ids, table):
    places = torch.arange(ids.numel()).reshape(ids.shape) % table.shape[0]
    return functional.embedding(places, table)


@embed.alternative
def by_indexing(ids, table):
    return table[ids]


@embed.alternative
def by_multiplying(ids, table):
    hot = ids.unsqueeze(-1) == torch.arange(table.shape[0])
    return hot.to(table.dtype) @ table


@embed.alternative
def by_selecting(ids, table):
    return table.index_select(0, ids.reshape(-1)).reshape(*ids.shape, table.shape[1])


# --------------------------------------------------------------------------------------------- cosine_similarity


@exercise(unit=UNIT, differentiable=True)
def cosine_similarity(a, b):
    return functional.cosine_similarity(a[:, None], b[None], dim=-1)


@cosine_similarity.case
def a_few_vectors(draw):
    """three vectors against five"""
    return draw.normal(3, 4), draw.normal(5, 4)


@cosine_similarity.case
def with_itself(draw):
    """a table against itself"""
    table = draw.normal(4, 6) + 0.3
    return table, table.clone()


@cosine_similarity.hidden_case
def more_than_dimensions(draw):
    """more vectors than dimensions"""
    return draw.normal(7, 3), draw.normal(6, 3) - 0.5


@cosine_similarity.case(group="lengths")
def long_and_short(draw):
    """very long vectors against short ones"""
    return draw.normal(3, 5, scale=1e3), draw.normal(4, 5) * draw.uniform(4, 1, low=0.05, high=20.0)


@cosine_similarity.case(group="lengths", gradient=False)
def tiny(draw):
    """vectors less than a thousandth long"""
    return _short(draw, 4, 6), _short(draw, 3, 6)


@cosine_similarity.hidden_case(group="lengths")
def one_dimension(draw):
    """vectors of a single number"""
    return _away_from_zero(draw, 3), _away_from_zero(draw, 5)


@cosine_similarity.hidden_case(group="lengths")
def one_against_one(draw):
    """one vector against one"""
    return draw.normal(1, 5), draw.normal(1, 5) * 3


@cosine_similarity.hidden_case(group="lengths", gradient=False)
def opposite_and_parallel(draw):
    """vectors that point the same way, or the opposite way"""
    x = draw.normal(1, 6)
    return torch.cat([x, 4 * x, -x]), torch.cat([-2 * x, 0.5 * x])


@cosine_similarity.case(group="lengths")
def in_double(draw):
    """numbers in float64"""
    return draw.normal(3, 4).double() * 7, draw.normal(4, 4).double()


@cosine_similarity.case(group="zero vectors", gradient=False)
def a_zero_vector(draw):
    """a zero vector on each side"""
    a, b = draw.normal(3, 4), draw.normal(5, 4)
    a[1], b[3] = 0.0, 0.0
    return a, b


@cosine_similarity.hidden_case(group="zero vectors", gradient=False)
def zeros_in_one_table(draw):
    """zero vectors on one side only"""
    a = draw.normal(6, 3)
    a[[0, 4]] = 0.0
    return a, draw.normal(2, 3) * 5


@cosine_similarity.property_case(group="zero vectors")
def gradients_beside_a_zero(draw):
    """gradients where one of the vectors is zero: finite for it, exact for the others"""
    a, b = draw.normal(3, 4), draw.normal(5, 4) * 2
    a[1], b[3] = 0.0, 0.0
    cotangent = draw.normal(3, 5)
    got = yield ask(a, b, cotangents=(cotangent,))
    if got.gradients is None or len(got.gradients) != 2 or any(one is None for one in got.gradients):
        raise Wrong("a gradient does not arrive at both arguments")
    a.requires_grad_()
    b.requires_grad_()
    value = functional.cosine_similarity(a[:, None], b[None], dim=-1)
    expected = torch.autograd.grad(value, (a, b), cotangent)
    for name, one, other, zero in zip("ab", got.gradients, expected, (1, 3), strict=True):
        if not one.isfinite().all():
            raise Wrong(f"the gradient for {name} is not finite: there is a NaN or an infinity in it")
        rest = torch.arange(len(one)) != zero
        if not torch.allclose(one[rest], other[rest], rtol=1e-3, atol=1e-5):
            raise Wrong(f"the gradient for the rows of {name} that are not zero is wrong")


@cosine_similarity.property_case(group="lengths")
def precision_of_float64(draw):
    """numbers in float64, with the precision of float64"""
    a, b = draw.normal(8, 6).double() / 3, draw.normal(9, 6).double() * 0.7
    got = yield arguments(a, b)
    expected = functional.cosine_similarity(a[:, None], b[None], dim=-1)
    if got.value.dtype != torch.float64 or got.value.shape != expected.shape:
        raise Wrong("(8, 6) and (9, 6) in float64 should give (8, 9) in float64")
    if not torch.allclose(got.value, expected, rtol=0.0, atol=3e-8):
        raise Wrong("the numbers come out less precise than float64 is: have they been float32 on the way?")


def _short(draw: Draw, n: int, d: int) -> torch.Tensor:
    x = draw.normal(n, d)
    return x / x.norm(dim=-1, keepdim=True) * draw.uniform(n, 1, low=0.0004, high=0.0009)


def _away_from_zero(draw: Draw, n: int) -> torch.Tensor:
    x = draw.normal(n, 1)
    return x + torch.where(x < 0, -0.2, 0.2)


def _lengths(x):
    return x.norm(dim=-1, keepdim=True).clamp_min(1e-12)


@cosine_similarity.misconception(
    "It is the dot product: long vectors score higher than short ones.",
    hint="Make one vector twice as long. Its direction is the same; is your answer?",
)
def dot_product(a, b):
    return a @ b.T


@cosine_similarity.misconception(
    "Each column is scaled to length one, where each row should be.",
    hint="A vector is a row: D numbers. Along which axis does its length add them up?",
)
def columns_normalised(a, b):
    return functional.normalize(a, dim=0) @ functional.normalize(b, dim=0).T


@cosine_similarity.misconception(
    "A zero vector gives NaN: its length is 0, and 0 / 0 is not a number.",
    hint="What do you divide by when a vector is zero? A smallest allowed length would help.",
)
def nan_at_zero(a, b):
    return (a / a.norm(dim=-1, keepdim=True)) @ (b / b.norm(dim=-1, keepdim=True)).T


@cosine_similarity.misconception(
    "The NaN at a zero vector is replaced afterwards: the value is right, but its gradient is still NaN.",
    hint="The gradient passes through the division even where its result is not used. Avoid the 0 / 0 itself.",
)
def nan_mended_afterwards(a, b):
    made = (a / a.norm(dim=-1, keepdim=True)) @ (b / b.norm(dim=-1, keepdim=True)).T
    return torch.where(made.isnan(), 0.0, made)


@cosine_similarity.misconception(
    "The length is a root of a sum of squares, which is infinitely steep at zero: the gradient there is not finite.",
    hint="`x.norm()` and `F.normalize` know about that point; `.sqrt()` does not. Where could a smallest value go?",
)
def steep_root(a, b):
    lengths = a.square().sum(-1, keepdim=True).sqrt() * b.square().sum(-1).sqrt()
    return a @ b.T / lengths.clamp_min(1e-12)


@cosine_similarity.misconception(
    "Row i is compared with row i only, where every row of a should meet every row of b.",
    hint="(N, D) and (M, D) should give (N, M). Where would the two axes come from?",
)
def one_to_one(a, b):
    n = min(len(a), len(b))
    return functional.cosine_similarity(a[:n], b[:n], dim=-1)


@cosine_similarity.misconception(
    "Rows and columns are exchanged: row i should belong to a's vector i.",
    hint="(N, D) and (M, D) should give (N, M). What is the shape of yours?",
)
def exchanged_sides(a, b):
    return functional.normalize(b, dim=-1) @ functional.normalize(a, dim=-1).T


@cosine_similarity.misconception(
    "Only one of the two vectors is scaled to length one.",
    hint="Make a vector of b twice as long. Does the answer change?",
)
def one_side_only(a, b):
    return functional.normalize(a, dim=-1) @ b.T


@cosine_similarity.misconception(
    "Only the second of the two vectors is scaled to length one.",
    hint="Make a vector of a twice as long. Does the answer change?",
)
def other_side_only(a, b):
    return a @ functional.normalize(b, dim=-1).T


@cosine_similarity.misconception(
    "It divides by the squared lengths: the root is missing.",
    hint="[3, 4] has length 5. What do you divide by?",
)
def squared_lengths(a, b):
    return (a / _lengths(a).square()) @ (b / _lengths(b).square()).T


@cosine_similarity.misconception(
    "The lengths are sums of absolute values (L1), not roots of sums of squares (L2).",
    hint="[3, 4] has length 5, not 7.",
)
def city_blocks(a, b):
    return functional.normalize(a, p=1, dim=-1) @ functional.normalize(b, p=1, dim=-1).T


@cosine_similarity.misconception(
    "It divides by the length of the whole table at once, not by each vector's own.",
    hint="`x.norm()` without `dim` gives one number. How many lengths are there?",
)
def one_length_for_all(a, b):
    return a @ b.T / (a.norm() * b.norm()).clamp_min(1e-12)


@cosine_similarity.misconception(
    "It is the cosine distance, 1 − similarity.",
    hint="A vector with itself should give 1. What does yours give?",
)
def distance(a, b):
    return 1 - functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T


@cosine_similarity.misconception(
    "The sign is lost: vectors that point opposite ways should have −1.",
    hint="Compare [1, 0] with [−1, 0].",
)
def without_sign(a, b):
    return (functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T).abs()


@cosine_similarity.misconception(
    "Negative similarities are cut off at 0.",
    hint="Compare [1, 0] with [−1, 0]. Similarities reach from −1 to 1.",
)
def cut_at_zero(a, b):
    return (functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T).clamp(min=0)


@cosine_similarity.misconception(
    "Each vector's mean is taken away first: that is a correlation.",
    hint="[1, 2] and [2, 3] do not point the same way. What does yours give?",
)
def correlation(a, b):
    a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
    return functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T


@cosine_similarity.misconception(
    "A small constant is added to the lengths' product; for short vectors it is not small.",
    hint="Two vectors a thousandth long: their lengths multiply to 0.000001. Take the larger of the two, do not add.",
)
def constant_in_the_product(a, b):
    return a @ b.T / (a.norm(dim=-1, keepdim=True) * b.norm(dim=-1) + 1e-8)


@cosine_similarity.misconception(
    "The smallest allowed length is too large: short vectors come out less similar than they are.",
    hint="A vector a thousandth long has a direction like any other. How small may your smallest length be?",
)
def floor_too_high(a, b):
    return functional.normalize(a, dim=-1, eps=0.01) @ functional.normalize(b, dim=-1, eps=0.01).T


@cosine_similarity.misconception(
    "A zero vector counts as similar to everything (1); it should be 0 with everything.",
    hint="A zero vector has no direction. What does the exercise ask for?",
)
def zero_is_like_all(a, b):
    made = functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T
    zero = (a == 0).all(-1)[:, None] | (b == 0).all(-1)
    return torch.where(zero, 1.0, made).to(a.dtype)


@cosine_similarity.misconception(
    "A softmax has made weights of the similarities.",
    hint="A vector with itself should give exactly 1, and a row need not add up to anything.",
)
def as_weights(a, b):
    return (functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T).softmax(-1)


@cosine_similarity.alternative
def unit_vectors(a, b):
    return functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T


@cosine_similarity.alternative
def dots_over_lengths(a, b):
    dots = torch.einsum("nd,md->nm", a, b)
    lengths = torch.outer(a.norm(dim=1), b.norm(dim=1))
    return dots / lengths.clamp_min(1e-12)


@cosine_similarity.alternative
def row_after_row(a, b):
    rows = [functional.cosine_similarity(one.expand_as(b), b, dim=-1) for one in a]
    return torch.stack(rows)


@cosine_similarity.alternative
def safe_where(a, b):
    def unit(x):
        squares = x.square().sum(-1, keepdim=True)
        zero = squares == 0
        return torch.where(zero, 0.0, x * torch.where(zero, 1.0, squares).rsqrt())

    return unit(a) @ unit(b).T


# ------------------------------------------------------------------------------------------------------- nearest


@exercise(unit=UNIT)
def nearest(query, table, k):
    return functional.cosine_similarity(query[None], table, dim=-1).topk(k).indices


def _neighbourhood(draw: Draw, v: int, d: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A query and v rows: the most similar is short, a long one is half-way, others random; v ≥ 6, d ≥ 3."""
    query = draw.normal(d)
    query = query / query.norm() * 2
    aside = draw.normal(d)
    aside = aside - aside @ query / (query @ query) * query
    aside = aside / aside.norm() * 2
    rows = draw.normal(v, d) * draw.uniform(v, 1, low=0.3, high=2.0)
    rows[0] = 0.1 * query + 0.005 * aside  # almost the same direction, far away, small dot product
    rows[1] = 8 * (query + 0.9 * aside)  # long
    rows[2] = 0.9 * query + 0.35 * aside  # near in space
    rows[3] = -1.1 * query + 0.1 * aside  # opposite
    return query, rows[draw.permutation(v)]


@nearest.case
def three_of_eight(draw):
    """the three most similar of eight"""
    return *_neighbourhood(draw, 8, 4), 3


@nearest.case
def five_of_nine(draw):
    """five of nine, as a keyword"""
    query, table = _neighbourhood(draw, 9, 6)
    return arguments(query, table, k=5)


@nearest.hidden_case
def many_rows(draw):
    """ten of many"""
    return *_neighbourhood(draw, 40, 7), 10


@nearest.case(group="edge")
def just_one(draw):
    """k = 1: still a tensor of shape (1,)"""
    return *_neighbourhood(draw, 7, 5), 1


@nearest.case(group="edge")
def all_of_them(draw):
    """k = V: the whole table in order"""
    return *_neighbourhood(draw, 6, 4), 6


@nearest.hidden_case(group="edge")
def square(draw):
    """as many rows as dimensions"""
    return *_neighbourhood(draw, 6, 6), 4


@nearest.case(group="edge")
def query_is_a_row(draw):
    """a query that is itself a row of the table"""
    _, table = _neighbourhood(draw, 8, 5)
    return table[5].clone(), table, 4


@nearest.case(group="edge")
def zero_row(draw):
    """a table with a row of zeros, such as padding's"""
    query, table = _neighbourhood(draw, 9, 5)
    table = torch.cat([table[:4], torch.zeros(1, 5), table[4:]])
    return query, table, 10


@nearest.hidden_case(group="edge")
def all_dissimilar(draw):
    """a query that everything points away from"""
    query, table = _neighbourhood(draw, 8, 4)
    inside = table @ query
    table = table - 2 * inside.clamp_min(0)[:, None] * query / (query @ query)
    return query, table, 3


@nearest.case(group="edge")
def tiny_vectors(draw):
    """vectors a thousandth long"""
    query, table = _neighbourhood(draw, 8, 6)
    return query * 1e-3, table * 1e-3, 8


def _similarities(query, table):
    return functional.cosine_similarity(query[None], table, dim=-1)


@nearest.misconception(
    "It ranks by distance, so a long vector loses although it points the same way.",
    hint="Cosine similarity looks at directions only. Make one row twice as long: should its rank change?",
)
def euclidean(query, table, k):
    return (table - query).norm(dim=-1).topk(k, largest=False).indices


@nearest.misconception(
    "It ranks by dot product, so long vectors win.",
    hint="Make one row ten times as long. Should it climb?",
)
def by_dot_product(query, table, k):
    return (table @ query).topk(k).indices


@nearest.misconception(
    "The least similar come first.",
    hint="`argsort` goes up unless it is told otherwise. Which end do you want?",
)
def ascending(query, table, k):
    return _similarities(query, table).argsort()[:k]


@nearest.misconception(
    "The right rows are found, but in the wrong order: the most similar should come first.",
    hint="Taking the last k of a list that goes up gives them backwards.",
)
def reversed_order(query, table, k):
    return _similarities(query, table).topk(k).indices.flip(0)


@nearest.misconception(
    "It gives back the similarities themselves; the rows' numbers are asked for.",
    hint="`topk` returns two things, values and indices.",
)
def similarities(query, table, k):
    return _similarities(query, table).topk(k).values


@nearest.misconception(
    "The right rows are found, but sorted by their number.",
    hint="The first entry should be the most similar row. Is there a `sort` too many?",
)
def sorted_numbers(query, table, k):
    return _similarities(query, table).topk(k).indices.sort().values


@nearest.misconception(
    "The most similar row is left out, as if it were always the query itself.",
    hint="The query need not be a row of the table. Does the exercise ask to leave anything out?",
)
def first_left_out_too(query, table, k):
    order = _similarities(query, table).argsort(descending=True)
    return torch.cat([order[1:], order[:1]])[:k]


@nearest.misconception(
    "A row that points the opposite way counts as similar: the sign is lost.",
    hint="Opposite vectors have the similarity −1, the lowest there is.",
)
def sign_ignored(query, table, k):
    return _similarities(query, table).abs().topk(k).indices


@nearest.misconception(
    "It gives back the rows themselves; their numbers are asked for.",
    hint="The result is (k,) int64: which rows, not what is in them.",
)
def the_rows(query, table, k):
    return table[_similarities(query, table).topk(k).indices]


@nearest.misconception(
    "For each row it gives its rank; what is asked for is which row has rank 0, 1, 2 …",
    hint="`argsort` of `argsort` gives ranks. One `argsort` is enough.",
)
def ranks(query, table, k):
    return _similarities(query, table).argsort(descending=True).argsort()[:k]


@nearest.misconception(
    "With k = 1 the result has no axis any more; it should be (1,).",
    hint="Is there a `squeeze()`, an `argmax` or an `.item()` on the way?",
)
def squeezed_indices(query, table, k):
    return _similarities(query, table).topk(k).indices.squeeze()


@nearest.misconception(
    "A row of zeros gives NaN, and NaN is sorted as the largest of all.",
    hint="A zero vector has similarity 0 with everything. What does your division give?",
)
def nan_wins(query, table, k):
    return (table @ query / (table.norm(dim=-1) * query.norm())).argsort(descending=True)[:k]


@nearest.misconception(
    "The columns of the table are scaled to length one, where its rows should be.",
    hint="A vector is a row. Along which axis does its length add up?",
)
def columns_scaled(query, table, k):
    return (functional.normalize(table, dim=0) @ query).topk(k).indices


@nearest.misconception(
    "It is a list; a tensor of int64 is asked for.",
    hint="Is there a `.tolist()` on the way? `topk(...).indices` is already what is wanted.",
)
def list_of_numbers(query, table, k):
    return _similarities(query, table).topk(k).indices.tolist()


@nearest.misconception(
    "A smallest allowed length that is too large mixes up the order of short vectors.",
    hint="Multiply query and table by 0.001: no direction has changed, so the answer should not either.",
)
def short_ones_lose(query, table, k):
    return (functional.normalize(table, dim=-1, eps=1e-2) @ query).topk(k).indices


@nearest.alternative
def sorted_fully(query, table, k):
    return (functional.normalize(table, dim=1) @ functional.normalize(query, dim=0)).argsort(descending=True)[:k]


@nearest.alternative
def one_after_the_other(query, table, k):
    left = _similarities(query, table)
    found = []
    for _ in range(k):
        best = int(left.argmax())
        found.append(best)
        left[best] = -2.0
    return torch.tensor(found)


@nearest.alternative
def by_python_sort(query, table, k):
    values = [float(row @ query / max(float(row.norm()), 1e-12)) for row in table]
    return torch.tensor(sorted(range(len(values)), key=lambda i: -values[i])[:k])


# ------------------------------------------------------------------------------------- what small inputs would miss


@hangul_to_jamo.hidden_case(group="other characters")
def around_the_syllables(draw: Draw):
    """characters just outside the syllables, lone double letters, half-width ones, joined emoji, unusual spaces"""
    parts = ["\ud7a4", "ㄳㅘㅄㅝㄺㅢ", "漢一", "ﾡﾣￂ", "👨\u200d👩\u200d👧❤\ufe0f", "\r\n", "\u00a0", "힣", "가"]
    return "\ufeff" + "".join(draw.sample(parts, len(parts)))


@hangul_to_jamo.hidden_case(group="spelling in Unicode")
def a_long_text_in_pieces(draw: Draw):
    """a long text typed in pieces (NFD)"""
    syllables = "".join(chr(0xAC00 + code) for code in draw.integers(0, 11_172, 90).tolist())
    return unicodedata.normalize("NFD", syllables)


@hangul_to_jamo.hidden_case
def pages_of_text(draw: Draw):
    """a long text of all kinds of characters"""
    codes = draw.integers(FIRST, LAST + 1, 2_200).tolist()
    others = [draw.choice(" \n\n.,?7xKㅋㅏ😀") for _ in range(500)]
    places = draw.permutation(len(codes) + len(others)).tolist()
    mixed = [*map(chr, codes), *others]
    return "".join(mixed[place] for place in places)


@build_vocab.hidden_case
def as_many_symbols_as_syllables(draw: Draw):
    """two thousand different symbols in fifty sequences, a special among the last"""
    codes = draw.permutation(2_000).tolist() + draw.integers(0, 2_000, 1_500).tolist()
    symbols = [chr(FIRST + 5 * code) for code in codes]
    return [symbols[first : first + 70] for first in range(0, 3_500, 70)] + [["끝", "<pad>"]]


@build_vocab.hidden_case(group="edge")
def hundreds_of_symbols(draw: Draw):
    """hundreds of different symbols, among them an empty one, one in angle brackets, and an é typed in two ways"""
    symbols = [f"s{number}" for number in draw.permutation(300).tolist()]
    return [symbols[:150], ["", "<noise>", "é", "e\u0301"], symbols]


@encode.hidden_case(group="unknown symbols")
def unknown_is_number_zero(draw: Draw):
    """a vocabulary in which the unknown symbol has number 0, and symbols that nearly are in it"""
    vocab = {"<unk>": 0, "a": 1, "b": 2**25 + 1 + 2 * draw.integer(0, 50), "sh": 4, "é": 3}
    symbols = ["a", " a", "b", "x", "ab", "sh", "SH", "é", "e\u0301"]
    return draw.sample(symbols, len(symbols)) * 8, vocab


@encode.hidden_case
def as_many_symbols_as_whisper(draw: Draw):
    """a vocabulary of thousands of symbols, with numbers up to Whisper's 51 864, and a long sequence"""
    vocab = {f"t{number}": 51_864 - 5 * number for number in range(10_000)} | {"<unk>": 2}
    return [f"t{number}" for number in draw.integers(0, 10_300, 700).tolist()], vocab


@pad_batch.hidden_case
def a_batch_for_training(draw: Draw):
    """seventy sequences of up to fifteen hundred symbols"""
    lengths = [*draw.integers(0, 1_500, 68).tolist(), 1_500, 3]
    return [draw.integers(0, 51_865, length) for length in lengths], 50_257


@pad_batch.hidden_case(group="edge")
def many_and_long(draw: Draw):
    """more than twenty sequences, one of them long, with large ids"""
    lengths = [200, *draw.integers(0, 30, 23).tolist()]
    return [draw.integers(2**25, 2**26, length) | 1 for length in lengths]


@one_hot.hidden_case(group="shapes")
def a_large_vocabulary(draw: Draw):
    """hundreds of symbols, in four axes"""
    return draw.integers(150, 300, 2, 1, 3, 4), 300


@one_hot.hidden_case
def a_long_text_and_thousands_of_symbols(draw: Draw):
    """thousands of symbols, and a batch of long sequences"""
    return draw.integers(1_500, 3_000, 2, 40) | 1, 3_000


@one_hot.hidden_case(group="shapes")
def one_symbol_in_all(draw: Draw):
    """a vocabulary of one symbol"""
    return torch.zeros(draw.integer(2, 5), 3, dtype=torch.int64), 1


@one_hot.hidden_case
def a_thousand_letters(draw: Draw):
    """a batch of long sequences of letters"""
    return draw.integers(0, 29, 3, 1_100), 29


@embed.hidden_case
def the_table_of_whisper(draw: Draw):
    """a table of 51 865 rows"""
    return draw.integers(32_768, 51_865, 2, 3) | 1, draw.normal(51_866, 3)


@embed.hidden_case
def wide_vectors_of_a_long_text(draw: Draw):
    """long vectors of 512 numbers, long sequences"""
    return draw.integers(0, 48, 3, 200), draw.normal(48, 512, scale=10.0)


@embed.hidden_case(group="shapes")
def many_in_half_precision(draw: Draw):
    """a table of hundreds of rows in float16, each a single number"""
    return draw.permutation(400).view(20, 20), draw.normal(400, 1).half()


@embed.hidden_case(group="shapes")
def a_large_table(draw: Draw):
    """a table of hundreds of rows, ids in four axes"""
    return draw.integers(150, 300, 2, 1, 3, 4), draw.normal(300, 5)


@embed.hidden_case(group="shapes")
def vectors_of_one_number_in_double_precision(draw: Draw):
    """vectors of a single number, in float64"""
    return draw.integers(0, 6, 2, 5), draw.integers(2**30, 2**31, 6, 1).double()


@cosine_similarity.hidden_case(group="lengths")
def zeros_inside_vectors(draw: Draw):
    """vectors in which some numbers, but not all, are zero, or cancel"""
    a = torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.0], [3.0, 0.0, -3.0]])
    return a[draw.permutation(3)], draw.normal(4, 3) * torch.tensor([0.0, 1.0, 1.0])


@cosine_similarity.hidden_case
def wide_vectors(draw: Draw):
    """vectors of 512 numbers"""
    return draw.normal(30, 512), draw.normal(25, 512) + 0.2


@cosine_similarity.hidden_case(gradient=False)
def hundreds_of_vectors(draw: Draw):
    """hundreds of vectors against hundreds"""
    return draw.normal(180, 8), draw.normal(240, 8)


def _ranked(draw: Draw, v: int, d: int, low: float = 0.05, high: float = 20.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A query and v rows, `low` to `high` long; their similarities are evenly spaced: rounding changes no order."""
    query = functional.normalize(draw.normal(d), dim=0)
    aside = draw.normal(v, d)
    aside = functional.normalize(aside - (aside @ query)[:, None] * query, dim=-1)
    cosines = torch.linspace(-0.95, 0.95, v)[draw.permutation(v)][:, None]
    rows = cosines * query + (1 - cosines.square()).sqrt() * aside
    return 3 * query, rows * draw.uniform(v, 1, low=low, high=high)


@nearest.hidden_case(seconds=20.0)
def thousands_of_rows(draw: Draw):
    """forty thousand rows, three thousand of them wanted"""
    return *_ranked(draw, 40_000, 6), 3_000


@nearest.hidden_case(group="edge")
def short_rows_of_like_directions(draw: Draw):
    """two hundred rows a thousandth to a hundredth long"""
    query, table = _ranked(draw, 200, 6, low=0.001, high=0.01)
    return query * 1e-3, table, 200


@nearest.hidden_case
def wide_rows(draw: Draw):
    """hundreds of rows of 512 numbers, all of them in order"""
    return *_ranked(draw, 600, 512), 600


@nearest.hidden_case(group="edge")
def the_opposite_is_strong(draw: Draw):
    """one neighbour wanted, and the strongest row points the opposite way"""
    query = draw.normal(6)
    return query, torch.stack([-query, draw.normal(6) + query, -2 * query, draw.normal(6)]), 1
