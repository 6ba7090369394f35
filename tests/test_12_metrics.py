"""Unit 12 against jiwer, rapidfuzz, librosa and scipy, and the numbers that its notebook states."""

import math
import random
import time
import unicodedata

import jiwer
import librosa
import numpy as np
import pytest
import scipy.fft
import torch
import torchaudio
from rapidfuzz.distance import Levenshtein

from grader.audit import solved_functions
from grader.exercises import metrics
from grader.recordings import load_clip, load_transcript
from tests.conftest import ROOT

PAIRS = 1_000
WORDS = [
    "press",
    "one",
    "two",
    "to",
    "the",
    "for",
    "할",
    "수",
    "있어요",
    "사랑해",
    "학교에",
    "café",
    "straße",
    "bye",
    "goodbye",
]


@pytest.fixture(scope="module")
def solved():
    return solved_functions(ROOT, "12_metrics")


@pytest.fixture(params=["oracle", "solution"])
def functions(request, solved):
    """The functions by name: the course's oracles, and the notebook's solutions."""
    return {
        name: getattr(metrics, name) if request.param == "oracle" else solved[name]
        for name in solved
        if hasattr(metrics, name)
    }


def corpora(seed: int):
    """Random lists of references and hypotheses, NFC, without outer or doubled white space."""
    chance = random.Random(seed)
    for _ in range(PAIRS):
        count = chance.randint(1, 4)
        refs = [" ".join(chance.choices(WORDS, k=chance.randint(1, 7))) for _ in range(count)]
        hyps = []
        for ref in refs:
            heard = [word for word in ref.split() if chance.random() > 0.2]
            heard = [chance.choice(WORDS) if chance.random() < 0.2 else word for word in heard]
            if chance.random() < 0.4:
                heard.insert(chance.randint(0, len(heard)), chance.choice(WORDS))
            hyps.append(" ".join(heard))
        yield refs, hyps


def token_lists(seed: int):
    chance = random.Random(seed)
    for _ in range(PAIRS):
        kinds = "abcdefghij"[: chance.randint(1, 10)]
        yield chance.choices(kinds, k=chance.randint(0, 14)), chance.choices(kinds, k=chance.randint(0, 14))


def test_edit_distance_is_rapidfuzz_s_on_a_thousand_pairs(functions):
    assert all(functions["edit_distance"](ref, hyp) == Levenshtein.distance(ref, hyp) for ref, hyp in token_lists(1))


def test_error_rates_are_jiwer_s_on_a_thousand_corpora(functions):
    largest = 0.0
    for refs, hyps in corpora(2):
        largest = max(largest, abs(functions["wer"](refs, hyps) - jiwer.wer(refs, hyps)))
        largest = max(largest, abs(functions["cer"](refs, hyps) - jiwer.cer(refs, hyps)))
    assert largest < 1e-12


def test_error_counts_add_up_to_jiwer_s_errors_and_have_at_least_its_hits(functions):
    for ref, hyp in token_lists(3):
        hits, substitutions, deletions, insertions = functions["error_counts"](ref, hyp)
        assert hits + substitutions + deletions == len(ref)
        assert hits + substitutions + insertions == len(hyp)
        assert substitutions + deletions + insertions == Levenshtein.distance(ref, hyp)
        if ref:
            assert hits >= jiwer.process_words([" ".join(ref)], [" ".join(hyp)]).hits


def test_error_counts_have_the_most_hits_of_all_shortest_alignments(functions):
    def best(ref, hyp):
        """(errors, −hits) by trying every alignment."""
        if not ref or not hyp:
            return len(ref) + len(hyp), 0
        pair, hit = best(ref[1:], hyp[1:]), ref[0] == hyp[0]
        gaps = [best(ref[1:], hyp), best(ref, hyp[1:])]
        return min([(pair[0] + (not hit), pair[1] - hit), *((errors + 1, hits) for errors, hits in gaps)])

    chance = random.Random(4)
    for _ in range(100):
        ref, hyp = (chance.choices("abc", k=chance.randint(0, 6)) for _ in range(2))
        hits, *errors = functions["error_counts"](ref, hyp)
        assert (sum(errors), -hits) == best(ref, hyp)


def test_jiwer_takes_two_substitutions_where_we_take_a_hit(functions):
    theirs = jiwer.process_words(["a b"], ["b c"])
    assert (theirs.hits, theirs.substitutions) == (0, 2)
    assert functions["error_counts"](["a", "b"], ["b", "c"]) == (1, 0, 1, 1)


def test_clean_text_is_what_jiwer_s_transforms_make_of_nfc(functions):
    clean = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.RemoveMultipleSpaces(), jiwer.Strip()])
    chance = random.Random(5)
    for refs, _ in corpora(6):
        marks = [".", ",", "…", "“", "」", " - ", "  ", "$", "_"]
        text = "".join(word.title() + chance.choice(marks) + " " for word in " ".join(refs).split())
        apart = unicodedata.normalize("NFD", text)
        assert functions["normalize_text"](apart) == clean(unicodedata.normalize("NFC", text))


def test_dtw_is_librosa_s_on_random_tables(functions):
    generator = np.random.default_rng(7)
    for _ in range(200):
        cost = generator.random(generator.integers(1, 15, 2))
        totals, path = librosa.sequence.dtw(C=cost)
        total, ours = functions["dtw"](torch.from_numpy(cost))
        assert total == pytest.approx(totals[-1, -1])
        assert ours == [tuple(map(int, pair)) for pair in path[::-1]]


def test_mel_cepstrum_is_scipy_s_and_librosa_s(functions):
    log_mel = np.random.default_rng(8).standard_normal((80, 30)).astype(np.float32)
    ours = functions["mel_cepstrum"](torch.from_numpy(log_mel), 13).numpy()
    np.testing.assert_allclose(ours, scipy.fft.dct(log_mel, axis=0, norm="ortho")[:13], atol=1e-4)
    np.testing.assert_allclose(ours, librosa.feature.mfcc(S=log_mel, n_mfcc=13, norm="ortho"), atol=1e-4)


def test_mcd_of_the_cells_worked_by_hand(functions):
    mcd, mcd_dtw = functions["mcd"], functions["mcd_dtw"]
    assert mcd(torch.tensor([[9.0], [1.0]]), torch.tensor([[5.0], [0.0]])) == pytest.approx(6.1419, abs=1e-4)
    hyp = torch.tensor([[0.0, 0.0], [3.0, 0.0], [4.0, 0.0]])
    assert mcd(torch.zeros(3, 2), hyp) == pytest.approx(15.3546, abs=1e-4)
    ref, hyp = torch.tensor([[9.0, 9.0], [0.0, 1.0]]), torch.tensor([[5.0, 5.0, 5.0], [0.0, 0.0, 3.0]])
    assert mcd_dtw(ref, hyp) == pytest.approx(2 * 6.1419 / 3, abs=1e-3)


def test_the_article_s_mcd_is_not_3_01(functions):
    one = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    two = torch.tensor([[0.8], [2.1], [3.2], [4.3]])
    assert functions["mcd"](one, two) == pytest.approx(2.298, abs=5e-4)
    zero = torch.zeros(1, 1)
    assert functions["mcd"](torch.cat([zero, one]), torch.cat([zero, two])) == pytest.approx(2.606, abs=5e-4)
    assert 10 * math.log10(2) == pytest.approx(3.0103, abs=5e-5)


def test_the_article_s_error_rates(functions):
    assert functions["cer"](["사랑해"], ["사량해"]) == pytest.approx(1 / 3)
    assert functions["wer"](["I love you"], ["I like you"]) == pytest.approx(1 / 3)


def test_one_word_in_two_spellings_is_233_percent_wrong_for_jiwer_and_right_for_us(functions):
    whole, apart = "사랑해", unicodedata.normalize("NFD", "사랑해")
    assert jiwer.cer(whole, apart) == pytest.approx(2.33, abs=0.005)
    assert functions["cer"]([whole], [apart]) == functions["cer"]([apart], [whole]) == 0.0
    assert functions["wer"]([whole], [apart]) == 0.0
    assert jiwer.cer(apart, unicodedata.normalize("NFD", "사량해")) == pytest.approx(1 / 7)


def test_jiwer_gives_a_number_for_an_empty_reference_and_we_an_error(functions):
    assert jiwer.wer("", "thank you for watching") == 4
    for name in ("cer", "wer"):
        for refs, hyps in (([], []), ([""], ["a"]), ([" ", "\t"], ["a", ""]), (["a"], ["a", "b"]), (["a", "b"], ["a"])):
            with pytest.raises(ValueError, match=r"\w"):
                functions[name](refs, hyps)


def test_outer_and_doubled_spaces_count_as_characters_but_not_as_words(functions):
    assert functions["cer"](["ab cd"], [" ab  cd "]) == pytest.approx(3 / 5)
    assert functions["wer"](["ab cd"], [" ab  cd "]) == 0.0


def test_corpus_level_is_0_09_where_the_mean_of_rates_is_0_50(functions):
    refs = [load_transcript("vm-nobodyavail"), load_transcript("vm-goodbye")]
    hyps = [refs[0], "okay"]
    assert round(functions["wer"](refs, hyps), 2) == 0.09
    assert sum(functions["wer"]([ref], [hyp]) for ref, hyp in zip(refs, hyps, strict=True)) / 2 == 0.5


def test_a_word_error_rate_may_be_200_percent(functions):
    assert functions["wer"](["goodbye"], ["good bye"]) == 2.0 == jiwer.wer("goodbye", "good bye")


def test_a_thousand_tokens_take_the_solution_less_than_two_seconds(solved):
    chance = random.Random(9)
    ref, hyp = (chance.choices(range(40), k=1_000) for _ in range(2))
    start = time.process_time()
    assert solved["edit_distance"](ref, hyp) == Levenshtein.distance(ref, hyp)
    assert time.process_time() - start < 2


def resynthesis(sentence: torch.Tensor, magnitude: torch.Tensor, rounds: int) -> torch.Tensor:
    window = torch.hann_window(1024)
    return torchaudio.functional.griffinlim(magnitude, window, 1024, 256, 1024, 1.0, rounds, 0.0, len(sentence), False)


def test_mcd_falls_with_griffin_lim_rises_between_harmonics_and_dislikes_noise_most():
    sentence = load_clip("tt-weasels")
    window = torch.hann_window(1024)
    magnitude = torch.stft(sentence, 1024, 256, window=window, return_complex=True).abs()
    bank = torchaudio.functional.melscale_fbanks(513, 0.0, 8000.0, 80, 16_000, "slaney", "slaney").mT
    inverse = torch.linalg.pinv(bank)
    generator = torch.Generator().manual_seed(0)
    versions = {
        **{rounds: resynthesis(sentence, magnitude, rounds) for rounds in (0, 1, 8, 60)},
        "magnitudes": resynthesis(sentence, (inverse @ bank @ magnitude).clamp_min(0), 32),
        "powers": resynthesis(sentence, (inverse @ bank @ magnitude.square()).clamp_min(0).sqrt(), 60),
        "noise": sentence + torch.randn(len(sentence), generator=generator) * sentence.std() * 10 ** (-30 / 20),
        "late": torch.cat([torch.zeros(6 * 256), sentence])[: len(sentence)],
    }

    def cepstrum(waveform):
        spectrum = torch.stft(waveform, 1024, 256, window=window, return_complex=True).abs()
        return metrics.mel_cepstrum((bank @ spectrum).clamp_min(1e-5).log())

    original = cepstrum(sentence)
    scores = {name: metrics.mcd(original, cepstrum(waveform)) for name, waveform in versions.items()}
    expected = {0: 21.8, 1: 10.6, 8: 5.9, 60: 2.8, "magnitudes": 8.0, "powers": 18.5, "noise": 29.0, "late": 60.8}
    assert scores == pytest.approx(expected, abs=0.06)
    assert metrics.mcd_dtw(original, cepstrum(versions["late"])) == pytest.approx(2.2, abs=0.06)


def test_mcd_in_the_scale_of_sptk_is_the_rms_level_difference_of_the_bands():
    generator = torch.Generator().manual_seed(10)
    one, two = torch.randn(2, 80, 5, generator=generator)
    difference = one - two
    decibels = 20 / math.log(10) * (difference - difference.mean(0))
    rms = decibels.square().mean(0).sqrt().mean().item()
    ours = metrics.mcd(metrics.mel_cepstrum(one, 80), metrics.mel_cepstrum(two, 80))
    assert ours / math.sqrt(40) == pytest.approx(rms, rel=1e-5)


def test_the_known_second_ends_at_3234_hz_and_the_asked_one_does_not():
    ends = []
    for clip in ("second", "digits-h-2"):
        spectrum = torch.stft(load_clip(clip), 1024, 256, window=torch.hann_window(1024), return_complex=True)
        energy = spectrum.abs().square().sum(1)
        ends.append(((energy.cumsum(0) < 0.99999 * energy.sum()).sum() * 16_000 / 1024).item())
    assert ends[0] == pytest.approx(3234, abs=1)
    assert ends[1] > 7_900
