"""A Sphinx extension: formulas become MathML; folds and code serve keyboard and screen reader."""

import re

from docutils import nodes
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

_CONVERTER = LatexToMathML()

#: MyST-NB's fold: named "Toggle hidden content" for those who cannot see it, and its text written twice.
_FOLD = re.compile(
    r'<details class="admonition hide[^>]*>\s*<summary[^>]*>\s*<p[^>]*>([^<]*)</p>.*?</summary>', re.DOTALL
)


def mathml(formula: str, *, block: bool) -> str:
    """A LaTeX formula as MathML. Raises `math_core.LatexError` where it is none."""
    return _CONVERTER.convert_with_local_state(formula.strip(), displaystyle=block)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name `mathml`, and the changes to folds and code."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("html-page-context", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    # A long formula scrolls inside its own box, which the keyboard must be able to reach.
    self.body.append('<div class="formula" tabindex="0" role="group" aria-label="Formula">')
    self.body.append(mathml(node.astext(), block=True) + "</div>\n")
    raise nodes.SkipNode


def _finish(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    body = context.get("body", "")
    # What scrolls must be reached by keyboard, and a fold is called what is written on it.
    context["body"] = _FOLD.sub(r"<details><summary>\1</summary>", body).replace("<pre>", '<pre tabindex="0">')
