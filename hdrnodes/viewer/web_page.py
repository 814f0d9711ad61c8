"""The viewer's page, from the files in `page/`: as a server sends it, in parts; or as one file with all in it.

The modules import each other as `viewer/NAME.js`, which an import map leads to wherever they are. So the same modules,
unaltered, are files on a server and `data:` URLs in a page that is alone: there is nothing to build or to bundle.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from hdrnodes import __version__
from hdrnodes.viewer.pictures import Pictures
from hdrnodes.viewer.pyramid import TILE

MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}

# An exported page loads nothing, from nowhere: whoever gets one may open it without a thought.
_ALONE = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data:"


@cache
def page_files() -> dict[str, bytes]:
    """The files of the page, by name."""
    folder = files("hdrnodes.viewer") / "page"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def modules() -> dict[str, bytes]:
    return {name: text for name, text in sorted(page_files().items()) if name.endswith(".js")}


def served_page(pictures: Pictures, nonce: str) -> bytes:
    """The page as the server sends it. `nonce` lets its import map through its content security policy."""
    import_map = {"imports": {"viewer/": "./page/"}}
    head = [
        '<link rel="stylesheet" href="page/style.css">',
        f'<script type="importmap" nonce="{nonce}">{embedded_json(import_map)}</script>',
        '<script type="module" src="page/main.js"></script>',
    ]
    return _filled("\n".join(head), embedded_block("about", about(pictures, embedded=False))).encode()


def page_alone(pictures: Pictures, blocks: Iterator[str]) -> Iterator[str]:
    """The page with all that it needs in it, piece by piece; `blocks` are its pictures, from `embedded_block`."""
    urls = {
        f"viewer/{name}": f"data:text/javascript;base64,{base64.b64encode(text).decode()}"
        for name, text in modules().items()
    }
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{_ALONE}">',
        f"<style>{page_files()['style.css'].decode()}</style>",
        f'<script type="importmap">{embedded_json({"imports": urls})}</script>',
        '<script type="module">import "viewer/main.js";</script>',
    ]
    before, after = _filled("\n".join(head), _HERE).split(_HERE)
    yield before
    yield embedded_block("about", about(pictures, embedded=True))
    yield from blocks
    yield after


def about(pictures: Pictures, embedded: bool) -> dict[str, Any]:
    """What the page is told before it asks for anything."""
    return {
        "version": __version__,
        "embedded": embedded,
        "tile": TILE,
        "sides": [{"name": side.path(None).name} for side in pictures.sides],
        "frames": list(pictures.frames),
    }


def embedded_block(name: str, value: object) -> str:
    """JSON, or text that is none, for the page to find by its name."""
    kind = "text/plain" if isinstance(value, str) else "application/json"
    text = value if isinstance(value, str) else embedded_json(value)
    return f'<script type="{kind}" id="{name}">{text}</script>\n'


def embedded_json(value: object) -> str:
    """JSON that cannot end the element that it is in."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


_HERE = "<!-- pictures -->"


def _filled(head: str, pictures: str) -> str:
    return page_files()["index.html"].decode().replace("<!-- head -->", head).replace(_HERE, pictures)
