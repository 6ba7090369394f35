"""`grader demo`, as a stranger runs it first."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_the_demo_grades_a_class_names_mistakes_and_leaves_the_checkout_as_it_was(tmp_path):
    before = status()
    run = subprocess.run(
        [sys.executable, "-m", "grader.cli", "demo"],
        cwd=ROOT, capture_output=True, text=True, timeout=400, env=wide(tmp_path),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr + run.stdout
    words = " ".join(run.stdout.split())
    assert "Gradebook" in words
    assert "attention_scores: unscaled_scores" in words
    assert "split_heads: viewed_only" in words
    assert "needs a human" in words
    assert "most common mistakes" in words
    scratch = Path(next(word for word in run.stdout.split() if "sori-demo-" in word).rstrip(";"))
    pages = list((scratch / "gradebook" / "feedback").rglob("*.html"))
    assert len(pages) == 8
    report = (scratch / "gradebook" / "report" / "index.html").read_text(encoding="utf-8")
    assert "8 handed in, 7 graded, 1 in need of a human" in report
    goran = next(page for page in pages if "goran" in page.parts)
    assert "is not a Jupyter notebook" in goran.read_text(encoding="utf-8")
    assert status() == before


def wide(tmp_path):
    import os

    return {**os.environ, "COLUMNS": "200", "TMPDIR": str(tmp_path)}


def status() -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
