"""The shipped recordings, their table, their licences, and the font."""

import csv
import math
import shutil
import string
import subprocess
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch

from grader import recordings as module
from grader.recordings import load_clip, load_phrase, load_transcript, phrases, recordings, use_hangul_font

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
ALPHABET = set(string.ascii_lowercase + " '")


@pytest.fixture(scope="module")
def waveforms():
    return {recording.name: load_clip(recording.name) for recording in recordings()}


@pytest.fixture
def copied_data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    monkeypatch.setattr(module, "DATA", folder)
    return folder


def run_check(folder):
    command = [sys.executable, folder / "rebuild.py", "--check"]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


# The files


def test_no_shipped_file_has_changed():
    done = run_check(DATA)
    assert (done.returncode, done.stdout) == (0, "All as shipped.\n"), done.stderr


def test_the_check_names_every_damaged_missing_and_stray_file(copied_data):
    (copied_data / "prompts_en/hello.opus").write_bytes(b"OggS")
    (copied_data / "fonts/SoriHangul.ttf").unlink()
    (copied_data / "librivox/stray.flac").touch()
    (copied_data / "LICENSES/OFL-1.1.txt").unlink()
    done = run_check(copied_data)
    assert done.returncode == 1
    for name in ("prompts_en/hello.opus", "fonts/SoriHangul.ttf", "librivox/stray.flac", "LICENSES/OFL-1.1.txt"):
        assert name in done.stdout
    assert "git checkout -- data" in done.stdout


def test_the_folder_is_smaller_than_ten_megabytes():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 10_000_000


def test_every_audio_file_is_in_the_table_and_every_row_has_its_file():
    files = [recording.file for recording in recordings()]
    on_disk = {path.relative_to(DATA).as_posix() for kind in ("opus", "flac") for path in DATA.rglob(f"*.{kind}")}
    assert len(files) == len(set(files))
    assert set(files) == on_disk


def test_no_two_names_or_files_differ_only_in_case():
    assert len({recording.name.lower() for recording in recordings()}) == len(recordings())
    assert len({recording.file.lower() for recording in recordings()}) == len(recordings())


def test_every_licence_named_in_the_table_is_there_in_full():
    for licence in {recording.licence for recording in recordings()} | {"OFL-1.1"}:
        assert len((DATA / f"LICENSES/{licence}.txt").read_text(encoding="utf-8")) > 1_000
    assert "Allison Smith" in (DATA / "LICENSES/CC-BY-SA-3.0.txt").read_text(encoding="utf-8")
    assert "Reserved Font Name" in (DATA / "LICENSES/OFL-1.1.txt").read_text(encoding="utf-8")


def test_the_readme_names_every_source_package_and_licence():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for recording in recordings():
        package, version = recording.source.split(": ")[0].split(" ")
        assert package in readme
        assert version in readme
        assert recording.licence in readme
        assert recording.speaker.split(" (")[0] in readme


# What is in them


def test_every_recording_is_as_long_as_the_table_says(waveforms):
    for recording in recordings():
        samples = recording.seconds * recording.sample_rate
        assert len(waveforms[recording.name]) == pytest.approx(samples, abs=1e-6), recording.name


def test_every_recording_is_audible_and_none_is_clipped(waveforms):
    for name, waveform in waveforms.items():
        assert np.std(waveform.numpy()) > 0.03, name
        assert 0.2 < np.abs(waveform.numpy()).max() < 0.9, name


def test_a_clip_is_a_float_tensor_of_its_own(waveforms):
    first = load_clip("vm-goodbye")
    assert (first.dtype, first.ndim) == (torch.float32, 1)
    first.zero_()
    assert torch.equal(load_clip("vm-goodbye"), waveforms["vm-goodbye"])


def test_every_recording_is_at_16_khz_with_a_transcript_in_plain_letters():
    for recording in recordings():
        assert recording.sample_rate == 16_000
        assert recording.text == " ".join(recording.text.split()) != ""
        assert set(recording.text) <= ALPHABET, recording.name


def test_there_is_one_woman_and_one_man():
    speakers = {recording.speaker for recording in recordings()}
    assert speakers == {"Allison Smith (female)", "LibriVox reader (male)"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "austen-0920",
            "had he married a more amiable woman he might have been made still more respectable than he was",
        ),
        ("dictate-enter_filename", "enter a numeric dictation filename followed by pound or just pound to exit"),
        ("digits-h-40", "fortieth"),
        ("letters-exclamation-point", "exclamation point"),
        ("vm-goodbye", "goodbye"),
    ],
)
def test_a_transcript_says_what_is_heard(name, text):
    assert load_transcript(name) == text


# Loading


@pytest.mark.parametrize("sample_rate", [8_000, 22_050])
def test_another_sample_rate_keeps_duration_and_loudness(waveforms, sample_rate):
    here, there = waveforms["austen-0880"], load_clip("austen-0880", sample_rate)
    assert len(there) == math.ceil(len(here) * sample_rate / 16_000)
    assert there.std().item() == pytest.approx(here.std().item(), rel=0.1)


@pytest.mark.parametrize("sample_rate", [0, -16_000, 16_000.0])
def test_a_sample_rate_that_makes_no_sense_is_refused(sample_rate):
    with pytest.raises(ValueError, match="positive whole number of Hz"):
        load_clip("hello", sample_rate)


@pytest.mark.parametrize("load", [load_clip, load_transcript])
def test_an_unknown_name_is_refused_with_names_that_are_close(load):
    with pytest.raises(ValueError, match=r"'vm_goodby'.*'vm-goodbye'.*recordings\(\)"):
        load("vm_goodby")


@pytest.mark.parametrize("damage", [b"", b"OggS", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_damaged_file_is_named_with_the_way_to_get_it_back(copied_data, damage):
    (copied_data / "prompts_en/hello.opus").write_bytes(damage)
    with pytest.raises(OSError, match=r"hello\.opus is damaged(.|\n)*git checkout -- data"):
        load_clip("hello")


def test_a_missing_file_is_named_with_the_way_to_get_it_back(copied_data):
    (copied_data / "librivox/austen-0880.flac").unlink()
    with pytest.raises(FileNotFoundError, match=r"austen-0880\.flac is missing(.|\n)*git checkout -- data"):
        load_clip("austen-0880")


def test_a_missing_data_folder_is_named_with_the_way_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DATA", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"recordings\.tsv(.|\n)*pip install -e"):
        recordings()


def test_clips_load_from_any_folder_and_the_import_alone_is_light(tmp_path, waveforms):
    code = (
        "import sys, grader.recordings as r\n"
        "heavy = {'torch', 'numpy', 'librosa', 'soundfile', 'matplotlib'} & set(sys.modules)\n"
        "import hashlib\n"
        "print(heavy or 'light', hashlib.sha256(r.load_clip('vm-goodbye').numpy().tobytes()).hexdigest())\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    here = module.hashlib.sha256(waveforms["vm-goodbye"].numpy().tobytes()).hexdigest()
    assert done.stdout.split() == ["light", here]


# Phrases


def test_every_row_of_the_table_is_a_phrase_in_its_order():
    with (DATA / "segments.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(phrase.name, phrase.start, phrase.end, phrase.text) for phrase in phrases()] == [
        (row["name"], float(row["start"]), float(row["end"]), row["text"]) for row in rows
    ]


def test_every_phrase_lies_in_its_recording_and_says_words_of_its_transcript():
    table = {recording.name: recording for recording in recordings()}
    for phrase in phrases():
        recording = table[phrase.name]
        assert 0 <= phrase.start < phrase.end <= recording.seconds, phrase
        assert f" {phrase.text} " in f" {recording.text} ", phrase
        assert set(phrase.text) <= ALPHABET - {"'"}, phrase


def test_every_phrase_is_audible_and_as_long_as_it_says(waveforms):
    for phrase in phrases():
        start, end = round(phrase.start * 16_000), round(phrase.end * 16_000)
        waveform = load_phrase(phrase)
        assert len(waveform) == end - start, phrase
        assert torch.equal(waveform, waveforms[phrase.name][start:end]), phrase
        assert waveform.std() > 0.02, phrase


def test_a_phrase_is_a_tensor_of_its_own():
    first, again = phrases("test")[0], phrases("test")[0]
    load_phrase(first).zero_()
    assert load_phrase(again).any()


def test_no_recording_is_in_two_splits_and_together_they_are_all():
    names = {split: {phrase.name for phrase in phrases(split)} for split in ("training", "validation", "test")}
    assert sum(map(len, names.values())) == len(set().union(*names.values())) == 290
    assert {split: len(phrases(split)) for split in names} == {"training": 502, "validation": 31, "test": 100}
    assert len(phrases()) == 633


def test_what_is_held_out_is_made_of_words_of_the_training_and_a_third_of_its_texts_is_new():
    known = {phrase.text for phrase in phrases("training")}
    words = {word for text in known for word in text.split()}
    held_out = phrases("validation") + phrases("test")
    assert {word for phrase in held_out for word in phrase.text.split()} <= words
    assert sum(phrase.text not in known for phrase in phrases("test")) == 31


def test_no_audio_is_in_the_training_and_held_out():
    def likeness(a, b):
        a, b = np.diff(a), np.diff(b)  # so that the pitch, which this voice repeats well, does not count for everything
        n = 1 << (len(a) + len(b)).bit_length()
        overlap = np.abs(np.fft.irfft(np.fft.rfft(a, n) * np.fft.rfft(b, n).conj(), n)).max()
        return overlap / (np.linalg.norm(a) * np.linalg.norm(b))

    by_text = defaultdict(list)
    for phrase in phrases("training"):
        by_text[phrase.text].append(load_phrase(phrase).numpy())
    assert likeness(load_clip("seconds").numpy(), load_clip("queue-seconds").numpy()) > 0.8  # known to be the same
    for held_out in phrases("validation") + phrases("test"):
        waveform = load_phrase(held_out).numpy()
        assert all(likeness(waveform, other) < 0.8 for other in by_text[held_out.text]), held_out


def test_a_split_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="'training'"):
        phrases("train")


def test_a_missing_table_of_phrases_is_named_with_the_way_to_get_it_back(copied_data):
    (copied_data / "segments.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"segments\.tsv is missing(.|\n)*git checkout -- data"):
        phrases()


def test_every_word_of_the_phrases_is_in_at_least_seven_prompts():
    prompts = defaultdict(set)
    for phrase in phrases():
        for word in phrase.text.split():
            prompts[word].add(phrase.name)
    assert len(prompts) == 63
    assert min(map(len, prompts.values())) >= 7


def test_no_recording_is_among_the_phrases_twice_under_two_names(waveforms):
    by_text = defaultdict(list)
    for name in {phrase.name for phrase in phrases()}:
        by_text[load_transcript(name)].append(waveforms[name].numpy())
    for text, clips in by_text.items():
        for i, a in enumerate(clips):
            for b in clips[:i]:
                n = 1 << (len(a) + len(b)).bit_length()
                overlap = np.fft.irfft(np.fft.rfft(a, n) * np.fft.rfft(b, n).conj(), n).max()
                assert overlap < 0.9 * np.linalg.norm(a) * np.linalg.norm(b), text


# Hangul


def draw(text, **style):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 1), dpi=50)
    canvas = FigureCanvasAgg(figure)
    figure.text(0.1, 0.4, text, **style)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def test_hangul_is_drawn_without_a_missing_glyph_or_a_line_on_stderr(caplog):
    with mpl.rc_context():
        mpl.rcdefaults()
        with pytest.warns(UserWarning, match="missing from font"):
            draw("사랑해")
        use_hangul_font()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            draw("사랑해 ㅅㅏㄹㅏㅇㅎㅐ 음성 → α · × − ✓")
            draw("사랑해", fontweight="bold", style="italic")
    assert not caplog.messages


def test_latin_text_looks_as_before_and_twice_is_as_good_as_once():
    with mpl.rc_context():
        mpl.rcdefaults()
        before = draw("speech, frames of 25 ms")
        use_hangul_font()
        family = list(mpl.rcParams["font.family"])
        use_hangul_font()
        assert mpl.rcParams["font.family"] == family
        assert draw("speech, frames of 25 ms") == before


def test_a_missing_font_is_named_with_the_way_to_get_it_back(copied_data):
    (copied_data / "fonts/SoriHangul.ttf").unlink()
    with pytest.raises(FileNotFoundError, match=r"SoriHangul\.ttf is missing(.|\n)*git checkout -- data"):
        use_hangul_font()


def test_the_font_holds_every_common_syllable_and_bears_no_reserved_name():
    font_library = pytest.importorskip("fontTools.ttLib")
    font = font_library.TTFont(DATA / "fonts/SoriHangul.ttf")
    rows = [bytes((first, second)) for first in range(0xB0, 0xC9) for second in range(0xA1, 0xFF)]
    wanted = {ord(row.decode("euc_kr")) for row in rows} | set(range(0x3131, 0x318F)) | set(range(0x20, 0x7F))
    assert wanted <= set(font.getBestCmap())
    names = {record.nameID: str(record) for record in font["name"].names}
    assert not any(reserved in names[number] for number in (1, 3, 4, 6) for reserved in ("Nanum", "Naver", "나눔"))
    assert "Reserved Font Name" in names[0]
