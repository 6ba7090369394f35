"""Sounds and pictures of a notebook's outputs, written to files, so that a page loads them when it needs them."""

import hashlib
import re
from base64 import b64decode
from pathlib import Path

_ENDING = {"image/png": "png", "audio/wav": "wav"}
_EMBEDDED = re.compile(r'<(img|audio)([^>]*) src="data:(image/png|audio/wav);base64,([A-Za-z0-9+/=]+)"([^>]*)>')


def extract(html: str, folder: Path, address: str) -> str:
    """Write what is embedded in `html` into `folder` and point to it at `address`, as seen from the page.

    Pictures tell their size, so that the page does not jump while they load, and open alone, so that a phone can
    enlarge them.
    """

    def linked(found: re.Match[str]) -> str:
        tag, before, kind, embedded, after = found.groups()
        content = b64decode(embedded)
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.{_ENDING[kind]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        if tag == "audio":
            return f'<audio preload="metadata"{before} src="{address}/{name}"{after}>'
        width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
        size = f'loading="lazy" width="{width}" height="{height}"'
        return f'<a href="{address}/{name}"><img {size}{before} src="{address}/{name}"{after}></a>'

    return _EMBEDDED.sub(linked, html)
