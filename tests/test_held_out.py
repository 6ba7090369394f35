"""What a kernel is asked about, it does not find in its own files."""

from dataclasses import replace

import nbformat
import pytest

from grader import sandbox
from grader.course import load_unit
from grader.examiner import examine_notebook
from grader.held_out import covers
from grader.recordings import phrases, recordings
from tests.conftest import ROOT, solved

LOOK = """
from grader.recordings import DATA, load_clip, phrases, recordings
print([len(phrases(split)) for split in ("training", "validation", "test")], len(recordings()))
for name in ("hello", "conf-invalid"):
    try:
        print(name, len(load_clip(name)))
    except ValueError as error:
        print(str(error)[:43])
print(sum(path.stat().st_size == 0 for path in DATA.rglob("*")), "empty files")
print(b"not a valid conference number" in (DATA / "recordings.tsv").read_bytes())
"""


def test_the_covers_are_the_held_out_files_emptied_and_the_tables_without_their_rows():
    names = {phrase.name for phrase in phrases("test")}
    files = {path.relative_to(covers()).as_posix(): path.read_text() for path in covers().rglob("*") if path.is_file()}
    tables = {name: files.pop(name).splitlines() for name in ("recordings.tsv", "segments.tsv")}
    assert set(files) == {recording.file for recording in recordings() if recording.name in names}
    assert set(files.values()) == {""}
    assert len(tables["recordings.tsv"]) == 1 + len(recordings()) - len(names)
    assert len(tables["segments.tsv"]) == 1 + len(phrases("training")) + len(phrases("validation"))
    assert not names & {row.split("\t")[0] for rows in tables.values() for row in rows}


@pytest.mark.skipif(bool(sandbox.missing()), reason=f"no sandbox: {sandbox.missing()}")
@pytest.mark.parametrize(
    ("trains", "seen"),
    [
        (
            {"train()"},
            "[502, 31, 0] 522\nhello 12582\nThere is no recording called 'conf-invalid'\n34 empty files\nFalse\n",
        ),
        ((), "[502, 31, 100] 556\nhello 12582\nconf-invalid 61824\n0 empty files\nTrue\n"),
    ],
    ids=["a unit that trains", "any other"],
)
def test_a_kernel_that_is_asked_about_held_out_recordings_does_not_see_them(trains, seen):
    notebook = solved(ROOT, "00_start")
    notebook.cells.append(nbformat.v4.new_code_cell(LOOK))
    examine_notebook(notebook, replace(load_unit(ROOT, "00_start"), training=frozenset(trains)), "a seed")
    assert notebook.cells[-1].outputs[0].text == seen
