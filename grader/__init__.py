"""Sori's grader: what a notebook calls to check an answer, and what an instructor runs to grade it."""
