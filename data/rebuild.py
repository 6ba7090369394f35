"""Make this folder's recordings, font and licences again from their Debian packages, or check that none has changed.

    python data/rebuild.py --check         every shipped file against its checksum; no network
    python data/rebuild.py --output DIR    everything again in DIR, then compared with what is shipped

Rebuilding needs a Debian system with `ffmpeg` (it decodes G.722) and `opus-tools` (opusenc), and fontTools, which
the development set-up installs. `segments.tsv` was cut once with a forced aligner and is not made here.
"""

import argparse
import csv
import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DATA = Path(__file__).resolve().parent
TABLE = "recordings.tsv"
COLUMNS = ("name", "file", "text", "speaker", "seconds", "sample_rate", "source", "licence", "sha256")
FONT = "fonts/SoriHangul.ttf"
FONT_SHA256 = "ac70ed735d7fd9a86ffb7d93d1d7c3c7eaa40be5a53d48f143a2e7c5446059a3"
SAMPLE_RATE = 16_000

PROMPTS, SENTENCES, TRANSCRIPTS, FONTS = (
    "asterisk-core-sounds-en-g722",
    "pocketsphinx-testdata",
    "asterisk-core-sounds-en",
    "fonts-nanum",
)
VERSIONS = {PROMPTS: "1.6.1-1", SENTENCES: "0.8+5prealpha+1-15", TRANSCRIPTS: "1.6.1-1", FONTS: "20200506-1"}
TOOLS = {"ffmpeg": "ffmpeg", "opusenc": "opus-tools"}

# Which package a licence text comes from, where its copyright file begins it, and what to put above it.
LICENCES = {
    "CC-BY-SA-3.0": (
        TRANSCRIPTS,
        "License: CC-BY-SA-3.0\n THE WORK",
        "Creative Commons Attribution-ShareAlike 3.0\n\nRecordings: Copyright 2003-2010, Allison Smith",
    ),
    "BSD-2-Clause": (
        SENTENCES,
        "License: BSD-2\n",
        "Copyright 1995-2014 Carnegie Mellon University. All rights reserved.\n2014-2015 Alpha Cephei Inc.",
    ),
    "OFL-1.1": (FONTS, "License: OFL-1.1\n", ""),
}

# Where the package's transcript is not what the voice says: the words that are wrong, and what is heard instead.
MENDED = {
    "conf-adminmenu-menu8": [("umute", "unmute")],
    "demo-congrats": [("help you to get started", "help you get started")],
    "demo-instruct": [("28.8", "twenty eight point eight"), ("IAX", "I A X"), ("Finally,", "")],
    "demo-moreinfo": [("www.asterisk.org", "W W W dot asterisk dot org")],
    "demo-nogo": [("I am afraid", "I'm afraid")],
    "digits/h-40": [("fourtieth", "fortieth")],
    "dir-instr": [("you are looking", "you're looking")],
    "followme/pls-hold-while-try": [("you are calling", "you're calling")],
    "followme/sorry": [("you are calling", "you're calling")],
    "invalid": [("I am sorry, that's", "I'm sorry, that is")],
    "letters/exclaimation-point": [("exclaimation", "exclamation")],
    "pbx-invalid": [("I am sorry, that's", "I am sorry, but that's")],
    "pbx-invalidpark": [("I am sorry, there", "I am sorry, but there")],
    "priv-callee-options": [("thru", "through")],
    "queue-periodic-announce": [("represenatives", "representatives")],
    "unidentified-no-callback": [("Un-indentified or witheld", "Unidentified or withheld")],
    "vm-forwardoptions": [("prepend a message", "prepend the message")],
    "vm-savefolder": [("save the message", "save this message")],
    "sense_and_sensibility_01_austen_64kb-0920": [("more a amiable", "more amiable")],
}
SPELLED_OUT = re.compile(r"\b(?:PBX|IVR|IP|USB|MGCP)\b")  # said letter by letter
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIGNS = {"*": " star ", "#": " pound "}


def spoken(line: str) -> str:
    """A transcript as it is said: lower case, digits and signs in words, no notes, nothing but a-z, space and '."""
    line = re.sub(r"\[.*?\]|\(.*?\)|<.*?>", " ", line)
    line = SPELLED_OUT.sub(lambda match: " ".join(match[0]), line)
    line = re.sub(r"\d", lambda match: f" {DIGITS[int(match[0])]} ", line)
    line = "".join(SIGNS.get(character, character) for character in line)
    return " ".join(re.sub(r"[^a-z']", " ", line.lower()).split())


def mend(key: str, line: str) -> str:
    """The transcript of one recording with its mistakes mended."""
    for wrong, right in MENDED.get(key, []):
        if wrong not in line:
            sys.exit(f"{key}: the package's transcript no longer has {wrong!r}; look at MENDED in rebuild.py.")
        line = line.replace(wrong, right)
    return spoken(line)


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_table(folder: Path) -> list[dict[str, str]]:
    """The rows of `recordings.tsv`."""
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


# Checking what is shipped


def check() -> list[str]:
    """What is wrong with the shipped files: an empty list if nothing is."""
    sums = {row["file"]: row["sha256"] for row in read_table(DATA)} | {FONT: FONT_SHA256}
    wrong = []
    for file, expected in sums.items():
        if not (DATA / file).is_file():
            wrong.append(f"{file} is missing")
        elif sha256(DATA / file) != expected:
            wrong.append(f"{file} is not the file that was shipped: its checksum differs")
    for folder in ("prompts_en", "librivox", "fonts"):
        paths = [path for path in (DATA / folder).iterdir() if not path.name.startswith(".")]
        found = {path.relative_to(DATA).as_posix() for path in paths}
        wrong += [f"{file} is in no table" for file in sorted(found - sums.keys())]
    wrong += [f"LICENSES/{name}.txt is missing" for name in LICENCES if not (DATA / f"LICENSES/{name}.txt").is_file()]
    return wrong


# Making it again


def run(*command: str | Path, folder: Path | None = None) -> str:
    """What a program prints; the script ends with the program's own message where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return done.stdout


def unpack(work: Path) -> dict[str, Path]:
    """Downloads the packages and unpacks each into a folder of its own, without installing them."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        sys.exit("Rebuilding needs a Debian system: the sources are Debian packages.")
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing:
        sys.exit(f"Rebuilding needs tools that are missing: apt-get install {' '.join(missing)}")
    folders = {}
    for name, version in VERSIONS.items():
        run("apt-get", "download", name, folder=work)
        (archive,) = work.glob(f"{name}_*.deb")
        found = run("dpkg-deb", "--field", archive, "Version").strip()
        note = "" if found == version else f": shipped files came from {version}, so expect differences"
        print(f"{name} {found}{note}")
        folders[name] = work / name
        run("dpkg-deb", "--extract", archive, folders[name])
    return folders


def make_prompt(source: Path, target: Path) -> None:
    """One prompt: G.722 to Opus at 24 kbit/s, 16 kHz, byte for byte the same with the same encoder."""
    with tempfile.TemporaryDirectory() as work:
        wav = Path(work) / "prompt.wav"
        run("ffmpeg", "-loglevel", "error", "-f", "g722", "-i", source, "-bitexact", wav)
        credit = ("--artist", "Allison Smith", "--comment", "LICENSE=CC-BY-SA-3.0")
        run("opusenc", "--quiet", "--bitrate", "24", "--serial", "1", "--padding", "0", *credit, wav, target)


def make_prompts(folders: dict[str, Path], output: Path) -> list[dict[str, str]]:
    """The Opus prompts and their rows of the table, in the order of the package's transcripts."""
    documents = folders[TRANSCRIPTS] / "usr/share/doc" / TRANSCRIPTS
    lines = gzip.decompress((documents / "core-sounds-en.txt.gz").read_bytes()).decode("utf-8").splitlines()
    entries = [line.split(":", 1) for line in lines if ":" in line and not line.startswith(";")]
    sounds = folders[PROMPTS] / "usr/share/asterisk/sounds/en_US_f_Allison"
    rows, jobs = [], []
    for key, line in entries:
        text, source = mend(key, line), sounds / f"{key}.g722"
        if not text or not source.exists():  # tones, silence and monkeys; one prompt that was never recorded
            continue
        name = key.replace("/", "-").replace("exclaimation", "exclamation")
        file = f"prompts_en/{name}.opus"
        jobs.append((source, output / file))
        rows.append(
            {
                "name": name,
                "file": file,
                "text": text,
                "speaker": "Allison Smith (female)",
                "source": f"{PROMPTS} {VERSIONS[PROMPTS]}: {key}.g722",
                "licence": "CC-BY-SA-3.0",
            }
        )
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda job: make_prompt(*job), jobs))
    return rows


def make_sentences(folders: dict[str, Path], output: Path) -> list[dict[str, str]]:
    """The LibriVox sentences, WAV to FLAC without loss, and their rows of the table."""
    import soundfile

    folder = folders[SENTENCES] / "usr/share/pocketsphinx/test/data/librivox"
    rows = []
    for line in (folder / "transcription").read_text(encoding="utf-8").splitlines():
        words, key = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()).groups()
        name = f"austen-{key[-4:]}"
        samples, sample_rate = soundfile.read(folder / f"{key}.wav", dtype="int16")
        soundfile.write(output / f"librivox/{name}.flac", samples, sample_rate, subtype="PCM_16", compression_level=1.0)
        rows.append(
            {
                "name": name,
                "file": f"librivox/{name}.flac",
                "text": mend(key, words),
                "speaker": "LibriVox reader (male)",
                "source": f"{SENTENCES} {VERSIONS[SENTENCES]}: {key}.wav",
                "licence": "BSD-2-Clause",
            }
        )
    return rows


def make_table(rows: list[dict[str, str]], output: Path) -> None:
    """Writes `recordings.tsv`; lengths and checksums are read from the files."""
    import soundfile

    for row in rows:
        info = soundfile.info(output / row["file"])
        if info.samplerate != SAMPLE_RATE or info.channels != 1:
            sys.exit(f"{row['file']}: {info.samplerate} Hz, {info.channels} channels; mono at 16 000 Hz was expected.")
        row["seconds"] = f"{info.frames / SAMPLE_RATE:.7f}".rstrip("0").rstrip(".")  # exact: 1/16000 has 7 decimals
        row["sample_rate"] = str(SAMPLE_RATE)
        row["sha256"] = sha256(output / row["file"])
    with (output / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
        writer.writeheader()
        writer.writerows(rows)


def font_characters() -> set[int]:
    """What the subset holds, as far as the font has it: Latin, Greek, signs, jamo, the 2 350 syllables of KS X 1001."""
    blocks = [
        (0x20, 0x7F),  # ASCII
        (0xA0, 0x100),  # Latin-1
        (0x370, 0x400),  # Greek
        (0x1100, 0x1200),  # conjoining jamo
        (0x2010, 0x20A0),  # punctuation, superscripts, subscripts
        (0x2190, 0x2300),  # arrows, mathematics
        (0x25A0, 0x2600),  # shapes
        (0x2713, 0x2719),  # ticks and crosses
        (0x3000, 0x3040),  # Korean punctuation
        (0x3131, 0x318F),  # compatibility jamo
    ]
    codes = {code for first, end in blocks for code in range(first, end)}
    for first in range(0xB0, 0xC9):
        for second in range(0xA1, 0xFF):
            codes.add(ord(bytes((first, second)).decode("euc_kr")))
    return codes


def make_font(folders: dict[str, Path], output: Path) -> None:
    """The subset of NanumGothic, under a name of its own: its licence reserves the old one for the unchanged font."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    font = TTFont(folders[FONTS] / "usr/share/fonts/truetype/nanum/NanumGothic.ttf", recalcTimestamp=False)
    copyright_line, designers = (font["name"].getDebugName(number) for number in (0, 9))
    options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, glyph_names=False)
    options.drop_tables += ["kern", "gasp", "TSI0", "TSI1", "TSI2", "TSI3", "TSI5"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=font_characters())
    subsetter.subset(font)
    font["name"].names = []
    names = {
        0: "Copyright (c) 2010, NAVER Corporation (http://www.nhncorp.com), with Reserved Font Name Nanum, "
        f"Naver Nanum, NanumGothic, Naver NanumGothic. {copyright_line}",
        1: "Sori Hangul",
        2: "Regular",
        3: "Sori Hangul Regular, from 3.021",
        4: "Sori Hangul",
        5: "Version 3.021",
        6: "SoriHangul-Regular",
        9: designers,
        10: "A subset of NanumGothic 3.021, unhinted and renamed.",
        13: "This Font Software is licensed under the SIL Open Font License, Version 1.1.",
        14: "http://scripts.sil.org/OFL",
    }
    for number, text in names.items():
        font["name"].setName(text, number, 3, 1, 0x409)
    font.save(output / FONT)


def make_licences(folders: dict[str, Path], output: Path) -> None:
    """The full licence texts, taken out of the packages' copyright files."""
    for name, (package, start, holder) in LICENCES.items():
        copyright_file = folders[package] / "usr/share/doc" / package / "copyright"
        text = copyright_file.read_text(encoding="utf-8")
        paragraph = text[text.index(start) :].split("\n\n")[0]
        lines = [line[1:] if line != " ." else "" for line in paragraph.splitlines()[1:]]
        header = [holder, ""] if holder else []
        body = "\n".join(line.rstrip() for line in header + lines)
        (output / f"LICENSES/{name}.txt").write_text(body + "\n", encoding="utf-8", newline="\n")


# Comparing


def likeness(ours: Path, shipped: Path) -> tuple[float, float]:
    """Signal-to-noise ratio in decibels, and correlation, of two files; -inf and 0 where they differ in length."""
    import numpy as np
    import soundfile

    a, b = soundfile.read(ours, dtype="float64")[0], soundfile.read(shipped, dtype="float64")[0]
    if len(a) != len(b):
        return -float("inf"), 0.0
    noise = float(np.sum((a - b) ** 2))
    if noise == 0:
        return float("inf"), 1.0
    return 10 * float(np.log10(np.sum(b**2) / noise)), float(np.corrcoef(a, b)[0, 1])


def compare(output: Path) -> list[str]:
    """Prints how the rebuilt folder differs from the shipped one; what must not differ is returned."""
    rows, shipped = read_table(output), read_table(DATA)
    if [row["name"] for row in rows] != [row["name"] for row in shipped]:
        return ["the recordings are not the same ones"]
    wrong, ratios = [], []
    for ours, theirs in zip(rows, shipped, strict=True):
        wrong += [
            f"{ours['name']}: {column} is {ours[column]!r}, shipped {theirs[column]!r}"
            for column in COLUMNS
            if column != "sha256" and ours[column] != theirs[column]
        ]
        ratio, correlation = likeness(output / ours["file"], DATA / theirs["file"])
        ratios.append(ratio)
        # Two encoders at 24 kbit/s differ; FLAC must not.
        same = correlation > 0.9 if ours["file"].endswith(".opus") else ratio == float("inf")
        if not same:
            wrong.append(f"{ours['name']}: another sound (SNR {ratio:.1f} dB, correlation {correlation:.3f})")
    same_bytes = sum(ours["sha256"] == theirs["sha256"] for ours, theirs in zip(rows, shipped, strict=True))
    same_samples = ratios.count(float("inf"))
    print(f"{len(rows)} recordings: {same_bytes} with the same bytes, {same_samples} with the same samples")
    if same_samples < len(rows):
        print(f"the others have a signal-to-noise ratio of {min(ratios):.1f} dB or more: another encoder")
    for name in LICENCES:
        file = f"LICENSES/{name}.txt"
        if (output / file).read_text(encoding="utf-8") != (DATA / file).read_text(encoding="utf-8"):
            wrong.append(f"{file} differs")
    same_font = sha256(output / FONT) == FONT_SHA256
    print(f"{FONT}: {'the same bytes' if same_font else 'other bytes, ' + sha256(output / FONT)}")
    if not same_font and font_coverage(output / FONT) != font_coverage(DATA / FONT):
        wrong.append(f"{FONT} holds other characters")
    return wrong


def font_coverage(path: Path) -> set[int]:
    """The code points that a font can draw."""
    from fontTools.ttLib import TTFont

    return set(TTFont(path).getBestCmap())


def rebuild(output: Path) -> list[str]:
    """Makes the folder again in `output`, which must not exist or be empty, and compares."""
    if output.exists() and any(output.iterdir()):
        sys.exit(f"{output} is not empty: name a folder that is.")
    with tempfile.TemporaryDirectory() as work:
        folders = unpack(Path(work))
        for folder in ("prompts_en", "librivox", "fonts", "LICENSES"):
            (output / folder).mkdir(parents=True, exist_ok=True)
        make_table(make_prompts(folders, output) + make_sentences(folders, output), output)
        make_font(folders, output)
        make_licences(folders, output)
    return compare(output)


def main() -> int:
    """Runs the command line; 0 if all is as it was shipped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="check every shipped file against its checksum")
    task.add_argument("--output", type=Path, metavar="DIR", help="rebuild from the packages into DIR and compare")
    options = parser.parse_args()
    work: Callable[[], list[str]] = check if options.check else lambda: rebuild(options.output.resolve())
    wrong = work()
    print(*wrong, sep="\n", end="\n" if wrong else "")
    if wrong and options.check:
        print("To get the shipped files back: git checkout -- data")
    print("Not as shipped." if wrong else "All as shipped.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
