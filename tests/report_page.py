"""What the tests of the report share: its elements, as `html.parser` finds them, and the pictures in it."""

import base64
import tempfile
from dataclasses import dataclass, field
from html.parser import HTMLParser

from cli import load

VOID = {"img", "meta", "br"}


@dataclass
class Element:
    name: str
    attributes: dict = field(default_factory=dict)
    children: list = field(default_factory=list)  # elements, and text

    def all(self, name, **attributes):
        """Those below it, in order, that have these attributes; of `class_`, one of its words."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child.name == name and all(value in child.words(key) for key, value in wanted.items()):
                    found.append(child)
                found += child.all(name, **attributes)
        return found

    def one(self, name, **attributes):
        (found,) = self.all(name, **attributes)
        return found

    def words(self, attribute):
        value = self.attributes.get(attribute) or ""
        return value.split() if attribute == "class" else [value]

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def rows(self):
        """Of a table: texts of the cells, the heads first."""
        return [[cell.text for cell in row.children] for row in self.all("tr")]

    def column(self, head):
        """Of a table: first cell of each row -> its cell in that column."""
        heads, *rows = self.rows()
        return {row[0]: row[heads.index(head)] for row in rows}


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = Element("root")
        self._open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in VOID | {"wbr"}:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop().name == tag  # well formed

    def handle_data(self, data):
        self._open[-1].children.append(data)


def parsed(path):
    parser = _Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert len(parser._open) == 1
    return parser.root


def decoded(image):
    """Pixels of an `img`, H x W x 3, 0..1; checks that its size is what the page says."""
    head, _, data = image.attributes["src"].partition(",")
    suffix = {"data:image/png;base64": ".png", "data:image/jpeg;base64": ".jpg"}[head]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(base64.b64decode(data, validate=True))
        file.flush()
        pixels, spec = load(file.name)
    assert (spec.width, spec.height) == (int(image.attributes["width"]), int(image.attributes["height"]))
    return pixels[..., :3].repeat(3 if spec.nchannels == 1 else 1, axis=2)


def points(line):
    """Of a polyline: x, y pairs."""
    return [tuple(map(float, point.split(","))) for point in line.attributes["points"].split()]
