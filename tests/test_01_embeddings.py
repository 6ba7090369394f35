"""Unit 01: its oracles against libraries that Colab lacks, and what its notebook says against what its cells find."""

import io
import re
import unicodedata
from contextlib import redirect_stdout
from types import SimpleNamespace

import jamo
import jupytext
import matplotlib
import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from grader.course import source_path
from grader.exercises import embeddings
from grader.recordings import load_transcript, recordings
from tests.conftest import ROOT

NOTEBOOK = jupytext.read(source_path(ROOT, "01_embeddings"))
PROSE = re.sub(r"\s+", " ", " ".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown"))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib and NumPy about tensors
SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4)]


def ours(text):
    return embeddings.hangul_to_jamo(text)


def test_all_11_172_syllables_have_the_letters_that_jamo_gives():
    assert len(SYLLABLES) == 11_172
    assert [ours(one) for one in SYLLABLES] == [list(jamo.j2hcj(jamo.h2j(one))) for one in SYLLABLES]


def test_decomposed_text_gives_the_same_letters():
    text = "".join(SYLLABLES[::97])
    assert unicodedata.normalize("NFD", text) != text
    assert ours(unicodedata.normalize("NFD", text)) == ours(text)


def test_characters_beside_the_syllables_stay():
    for one in ("\uabff", "\ud7a4", "\ud7b0", "ㅋ", "ᄉ", "ﾡ", "😀", " "):
        assert ours(one) == [one]


def test_the_articles_word_has_seven_letters():
    assert ours("사랑해") == list("ㅅㅏㄹㅏㅇㅎㅐ")


def test_cosine_similarities_are_those_of_scipy():
    a, b = torch.randn(6, 5).double(), torch.randn(4, 5).double() * 100
    assert np.allclose(embeddings.cosine_similarity(a, b), 1 - cdist(a, b, "cosine"))


def test_nearest_follows_scipys_distances():
    query, table = torch.randn(7), torch.randn(20, 7) * torch.rand(20, 1)
    order = cdist(query[None], table, "cosine")[0].argsort()
    assert embeddings.nearest(query, table, 20).tolist() == order.tolist()


def test_padding_is_that_of_a_tokenizers_batch():
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocab = embeddings.build_vocab([["s", "a", "k", "i"]])
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_padding(pad_id=vocab["<pad>"], pad_token="<pad>")
    texts = ["s a k i", "a q a", "k"]
    made = tokenizer.encode_batch(texts)
    ids, mask = embeddings.pad_batch([embeddings.encode(text.split(), vocab) for text in texts])
    assert ids.tolist() == [one.ids for one in made]
    assert mask.int().tolist() == [one.attention_mask for one in made]


def test_a_zero_vector_is_like_nothing_and_gradients_stay_finite():
    a = torch.zeros(2, 3, requires_grad=True)
    b = torch.randn(4, 3, requires_grad=True)
    value = embeddings.cosine_similarity(a, b)
    assert not value.any()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(value.sum(), (a, b)))


def test_more_than_half_of_whisper_tiny_is_its_token_table():
    from whisper.model import AudioEncoder, TextDecoder

    with torch.device("meta"):
        encoder, decoder = AudioEncoder(80, 1_500, 384, 6, 4), TextDecoder(51_865, 448, 384, 6, 4)
    table = decoder.token_embedding.weight.numel()
    assert table == 51_865 * 384 == 19_916_160
    assert table > sum(one.numel() for part in (encoder, decoder) for one in part.parameters()) / 2


@pytest.fixture(scope="module")
def run():
    """The notebook's cells run in this process, without set-up and checks: what they leave, print, caption, play."""
    matplotlib.use("Agg")
    namespace, captions, played = {"__name__": "notebook"}, [], []
    printed = io.StringIO()
    with redirect_stdout(printed):
        for cell in NOTEBOOK.cells:
            tags, marks = cell.metadata.get("tags", []), cell.metadata.get("nbgrader", {})
            if cell.cell_type != "code" or marks.get("grade"):
                continue
            if "setup" in tags:
                exec("import sys\nfrom grader.notebook import load_clip, load_transcript, solved", namespace)
                namespace["scorecard"] = lambda unit: None
                namespace["show"] = lambda figure, summary: (captions.append(summary), matplotlib.pyplot.close(figure))
                namespace["play"] = lambda waveform, caption: (played.append(waveform), captions.append(caption))
                continue
            exec(compile(cell.source, "notebook", "exec"), namespace)
    text = re.sub(r"[^\r\n]*\r", "", printed.getvalue())
    return SimpleNamespace(names=namespace, printed=text, captions=captions, played=played)


def number_after(text, start):
    """The first number that follows `start`."""
    return float(re.search(re.escape(start) + r"\D*?(-?\d+(?:\.\d+)?)", text)[1])


def caption_with(run, words):
    """The one caption that holds these words."""
    (found,) = [caption for caption in run.captions if words in caption]
    return found


def test_the_poems_are_the_poets(run):
    assert run.names["korean"][0] == "나 보기가 역겨워 가실 때에는 말없이 고이 보내 드리오리다"
    assert run.names["korean"][4] == "죽는 날까지 하늘을 우러러 한 점 부끄럼이 없기를"
    assert len(run.names["korean"]) == len(set(run.names["korean"])) == 62


def test_the_text_is_as_large_as_the_captions_say(run):
    text = "".join(run.names["korean"]).replace(" ", "")
    letters = list(jamo.j2hcj(jamo.h2j(text)))
    assert (len(text), len(set(text))) == (1_099, 310)
    assert (len(letters), len(set(letters))) == (2_655, 45)
    assert len(set(letters[:500])) == 33
    assert "Korean syllables climb to 310" in (grown := caption_with(run, "Vocabulary size"))
    assert "from 33 after 500 symbols to 45 at the end" in grown
    assert f"ㅏ ({letters.count('ㅏ')} times) and ㅇ ({letters.count('ㅇ')})" in caption_with(run, "ten most frequent")
    vowels = sum(one in embeddings.VOWELS for one in letters)
    assert f"{vowels} vowels and {len(letters) - vowels} consonants" in run.printed
    assert vowels == len(text)


def test_a_few_letters_that_exist_do_not_occur(run):
    possible = {*embeddings.INITIALS, *embeddings.VOWELS, *embeddings.FINALS} - {""}
    assert len(possible) == 51 > len(set(ours("".join(run.names["korean"]))) - {" "}) == 45
    assert "Korean letters that exist: 51" in run.printed


def test_the_ids_in_the_table_of_steps_are_the_vocabularys(run):
    assert run.names["word_ids"][0].tolist() == [12, 3, 13, 3, 9, 28, 15]
    assert "12, 3, 13, 3, 9, 28, 15" in PROSE


def test_unknown_symbols_are_a_fifth_of_the_syllables_and_a_hundredth_of_the_letters(run):
    assert number_after(run.printed, "syllables after 40 lines: vocabulary of 218, unknown in the new text") == 20.1
    assert number_after(run.printed, "letters   after 40 lines: vocabulary of 40, unknown in the new text") == 1.2


def test_sorting_by_length_saves_padding(run):
    assert number_after(run.printed, "in the order of the text:") > 2 * number_after(run.printed, "sorted by length:")


def test_a_look_up_is_a_multiplication(run):
    assert "one_hot(ids) @ table and embed(ids, table): 0.0e+00\n" in run.printed
    assert "19 916 160, or none" in run.printed


def test_the_articles_table_makes_s_and_i_most_alike():
    rows = np.array([[0.1, -0.2, 0.3, 0.7], [0.5, 0.1, -0.4, 0.2], [-0.3, 0.6, 0.0, -0.1], [0.2, -0.1, 0.5, 0.3]])
    alike = 1 - cdist(rows, rows, "cosine")
    np.fill_diagonal(alike, -1)
    assert divmod(int(alike.argmax()), 4) == (0, 3)
    assert (round(alike[0, 3], 2), round(alike[1, 3], 2)) == (0.81, -0.12)
    assert "0.81, and the two vowels at −0.12" in PROSE


def gap(alike, labels):
    """Mean similarity of different symbols of one class, minus that of symbols of two classes."""
    labels = np.array(labels)
    same = labels[:, None] == labels
    return alike[same & ~np.eye(len(labels), dtype=bool)].mean() - alike[~same].mean()


def similarities(rows):
    return 1 - cdist(rows, rows, "cosine")


def test_korean_text_parts_vowels_from_consonants_and_knows_no_families_of_sound(run):
    frequent, vocab = run.names["common_letters"](), run.names["letters"]
    before, after = (run.names[name][[vocab[one] for one in frequent]] for name in ("random_letters", "text_letters"))
    vowels = [one in embeddings.VOWELS for one in frequent]
    assert abs(gap(similarities(before), vowels)) < 0.1
    assert gap(similarities(after), vowels) > 0.45
    families = ["ㄱㄲㅋ", "ㄷㄸㅌ", "ㅂㅃㅍ", "ㅈㅉㅊ", "ㅅㅆ"]
    members = [one for one in "".join(families) if one in frequent]
    rows = run.names["text_letters"][[vocab[one] for one in members]]
    assert abs(gap(similarities(rows), [[one in family for family in families].index(True) for one in members])) < 0.1


def test_sound_knows_the_classes_of_consonants_and_text_does_not(run):
    phones, classes = run.names["PHONES"], list(run.names["CLASSES"].values())
    kind = [[one in members for members in classes].index(True) for one in phones]
    consonants = [index for index, number in enumerate(kind) if number > 0]
    sound, company = run.names["sound_rows"], run.names["company_rows"]
    kinds = [kind[index] for index in consonants]
    assert gap(similarities(sound), [number == 0 for number in kind]) > 0.4
    assert gap(similarities(sound[consonants]), kinds) > 0.2
    assert gap(similarities(company), [number == 0 for number in kind]) > 0.1
    assert abs(gap(similarities(company[consonants]), kinds)) < 0.1


@pytest.mark.parametrize("pair", [("S", "Z"), ("SH", "CH"), ("F", "TH"), ("N", "NG"), ("ER", "R"), ("P", "K")])
def test_nearest_in_sound_is(run, pair):
    phones = run.names["PHONES"]
    alike = similarities(run.names["sound_rows"])
    np.fill_diagonal(alike, -1)
    assert phones[alike[phones.index(pair[0])].argmax()] == pair[1]


def mean_between(run, some, others):
    """The mean similarity, in the table learned from sound, of different phonemes of two lists."""
    phones, alike = run.names["PHONES"], similarities(run.names["sound_rows"])
    return np.mean([alike[phones.index(a), phones.index(b)] for a in some for b in others if a != b])


def test_fricatives_fall_in_two_groups_and_approximants_are_none(run):
    classes = run.names["CLASSES"]
    hissing, weak = ["S", "SH", "Z"], ["F", "V", "TH", "DH", "HH"]
    assert {*hissing, *weak} == set(classes["fricatives"])
    apart = mean_between(run, hissing, weak)
    assert apart < 0.2
    assert mean_between(run, hissing, classes["affricates"]) > apart + 0.3
    assert mean_between(run, weak, classes["stops"]) > mean_between(run, weak, weak) > apart + 0.3
    assert mean_between(run, classes["approximants"], classes["approximants"]) < 0
    for name, least in (("vowels", 0.4), ("nasals", 0.7), ("stops", 0.7)):
        assert mean_between(run, classes[name], classes[name]) > least
    caption = caption_with(run, "38 phonemes in two tables")
    assert f"nasals ({mean_between(run, classes['nasals'], classes['nasals']):.2f})" in caption
    high = [number_after(run.printed.split("strength above 3 000 Hz")[1], name) for name in ("SH Z", "DH HH", "stops")]
    assert high[0] > 1 > 0 > high[1] > high[2]


@pytest.mark.parametrize(("phone", "vowel"), [("R", "ER"), ("Y", "IY"), ("L", "OW")])
def test_an_approximant_lies_by_the_vowel_that_it_resembles(run, phone, vowel):
    assert nearest_in_sound(run, phone)[0] == vowel


def nearest_in_sound(run, phone):
    phones = run.names["PHONES"]
    order = similarities(run.names["sound_rows"])[phones.index(phone)].argsort()[::-1]
    return [phones[index] for index in order if phones[index] != phone]


def test_voiced_weak_fricatives_lie_by_b_and_g(run):
    assert {"B", "G"} <= set(nearest_in_sound(run, "V")[:3]) & set(nearest_in_sound(run, "DH")[:3])
    assert nearest_in_sound(run, "W")[0] == "B"


def test_random_tables_know_nothing_and_agree_by_chance(run):
    said = run.printed.split("random table 1:")[1].split("Korean letters:")[0]
    assert re.findall(r"(\d+)% of the neighbours", said) == ["45", "43"]
    assert [line.split() for line in said.splitlines() if "ㄱ →" in line and "ㄲ" in line][1][:4] == [
        "ㄱ",
        "→",
        "ㅣ",
        "ㄲ",
    ]
    assert said.count("ㄲ") == 2
    draws = [set(np.random.default_rng(seed).permutation(31)[:4]) for seed in range(4_000)]
    shared = np.mean([bool(one & other) for one, other in zip(draws[::2], draws[1::2], strict=True)])
    assert abs(number_after(said, "two lists of four share a letter in") / 100 - shared) < 0.04


def test_after_training_neighbours_are_of_ones_own_kind_and_specials_have_not_moved(run):
    assert number_after(run.printed, "of the four nearest of all letters,") > 95
    assert number_after(run.printed, "<unk> (in the text: 0)") == 0
    letters = ours("".join(run.names["korean"]))
    moved = (run.names["text_letters"] - run.names["random_letters"]).norm(dim=-1)
    farthest = list(run.names["letters"])[int(moved.argmax())]
    assert letters.count(farthest) == 1
    assert f"{farthest} (in the text: 1)" in run.printed


def test_the_guesses_went_from_48_sides_to_12(run):
    first, last = re.search(
        r"Korean letters: at first as unsure as among (.*) symbols, .* among (.*)\n", run.printed
    ).groups()
    assert abs(float(first) - 48) < 4
    assert round(float(last)) == 12


def test_k_has_come_near_its_breathy_twin_behind_two_that_are_no_kin(run):
    frequent, vocab = run.names["common_letters"](), run.names["letters"]
    alike = similarities(run.names["text_letters"][[vocab[one] for one in frequent]])
    order = [frequent[index] for index in alike[frequent.index("ㅋ")].argsort()[::-1]]
    assert order[:4] == ["ㅋ", "ㅁ", "ㅌ", "ㄱ"]
    assert (
        alike[frequent.index("ㅋ"), frequent.index("ㄱ")] > number_after(run.printed, "families of sound: within") + 0.1
    )


def test_noise_lies_by_the_hisses_and_whistle_and_pauses_lie_far_out(run):
    said = {line.split(" length")[0].strip(): line for line in run.printed.splitlines() if "nearest: " in line}
    longest = float(run.names["rows_long"].max())
    near = {"0.003": ["TH", "F"], "0.01": ["S", "TH", "F"], "0.03": ["SH", "S", "CH"]}
    for strength, phones in near.items():
        line = said[f"white noise, {strength}"]
        assert re.findall(r"[A-Z]+(?= \d)", line)[: len(phones)] == phones
        assert number_after(line, "length") < longest
        assert number_after(line, "off by") < 0.4
    assert 2 * longest < number_after(said["the pauses"], "length") < number_after(said["a whistle"], "length")
    assert number_after(said["a whistle"], "length") < 3.1 * longest
    assert number_after(said["a whistle"], "off by") > 1
    assert all("nearest: K " in said[name] for name in ("the pauses", "a whistle"))
    assert set(re.findall(r"[A-Z]+(?= 0)", said["the pauses"])) == {"K", "P", "T"}


def test_noise_is_about_as_strong_as_the_weakest_th_and_ten_times_as_strong(run):
    assert number_after(run.printed, "TH in the recordings: strength from") == 0.003


def test_the_peak_that_all_voiced_rows_share_is_the_voices_pitch(run):
    import librosa

    heights = []
    for name, start, length in run.names["phone_places"]["IY"]:
        if length > 12:
            samples = run.names["load_clip"](name)[start * 160 : (start + length) * 160].numpy()
            heights.append(np.median(librosa.yin(samples, fmin=80, fmax=400, sr=16_000)))
    assert 180 < np.median(heights) < 240
    caption = caption_with(run, "Five rows turned into spectra")
    assert "AA, M and IY are highest at 200, 200 and 240 Hz" in caption
    assert "AA has another peak at 680 Hz, IY at 3000 Hz" in caption


def test_the_alignment_fits_the_recordings(run):
    seconds = {recording.name: recording.seconds for recording in recordings()}
    for name, timed in run.names["aligned"]:
        assert abs(sum(length for _, length in timed) / 100 - seconds[name]) < 0.03
    assert sum(map(len, run.names["spoken"])) == 564
    assert load_transcript(run.names["aligned"][0][0]) == "weasels have eaten our phone system"


def test_nothing_that_is_played_is_silent_or_clipped(run):
    assert len(run.played) == 7
    for waveform in run.played:
        assert 0.05 < waveform.abs().max() <= 1


def test_code_points_know_nothing_of_sound():
    assert (ord("s") - ord("r"), ord("z") - ord("s"), ord("자") - ord("사")) == (1, 7, 1_764)
    assert "is 자 really 1 764 more than 사?" in PROSE
