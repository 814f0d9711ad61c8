"""What the tests of the viewer share: a real browser, the page in it, and what the page is to show, in numpy."""

import os
import shutil
import tempfile
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from cli import load

from hdrnodes.image import LINEAR, Image
from hdrnodes.io import write
from hdrnodes.viewer.pictures import Pictures, Side
from hdrnodes.viewer.server import ViewServer

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")  # WebGL without a graphics card
NO_WEBGL = ("--disable-3d-apis",)
WINDOW = {"width": 900, "height": 640}


def browser_path():
    """A Chromium on this machine; where there must be one, its absence is a failure and no skip."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing = f"no browser: none of {', '.join(BROWSERS)} is installed"
        (pytest.fail if os.environ.get("HDRNODES_TEST_BROWSER") == "required" else pytest.skip)(missing)
    return found


def noise(height, width, channels=3):
    return np.random.default_rng(5).random((height, width, channels), dtype=np.float32)


def write_noise(path):
    """A result: light of 0..100."""
    write(Image(noise(40, 60) * 100, colorspace=LINEAR), path, pixel_type="float")
    return path


@contextmanager
def served(*names, frames=None):
    """The address of a viewer of these files."""
    with ViewServer(Pictures([Side.find(str(name), frames) for name in names])) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Page:
    """A viewer in a browser's tab, and what its user does and sees."""

    def __init__(self, browser, **options):
        self.tab = browser.new_page(viewport=WINDOW, **options)
        self.complaints = []  # of the page, which is to have none
        self.requests = []
        self.tab.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))

    def open(self, url):
        self.tab.goto(url)
        self.settle()
        return self

    def settle(self):
        """Wait until what was done last is drawn, with all its tiles, and its values are read."""
        self.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.tab.locator("body[data-settled=yes]").wait_for()
        self.tab.locator("#inspector[data-reading=no]").wait_for()
        self.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def press(self, *keys):
        for key in keys:
            self.tab.keyboard.press(key)
        self.settle()
        return self

    def set(self, knob, value):
        """Move a slider."""
        self.tab.locator(f"input[type=range][data-knob={knob}]").fill(str(value))
        self.settle()

    def canvas(self):
        """What is on the screen where the canvas is, H x W x 3 uint8."""
        return decoded(self.tab.locator("#stage").screenshot())

    def pixels(self, height, width, zoom, left=0):
        """What the display has for each pixel of a picture that is in the middle, H x W x 3; `left` is how much
        further left, in pixels of the display."""
        canvas = self.canvas()
        top = round(canvas.shape[0] / 2 - height * zoom / 2) + zoom // 2
        left = round(canvas.shape[1] / 2 - width * zoom / 2) + zoom // 2 - left
        return canvas[top : top + height * zoom : zoom, left : left + width * zoom : zoom]

    def hover(self, x, y):
        """Move the mouse to a place on the canvas."""
        box = self.tab.locator("#stage").bounding_box()
        self.tab.mouse.move(box["x"] + x, box["y"] + y)
        self.settle()

    def text(self, selector):
        return self.tab.locator(selector).inner_text()

    def row(self, side):
        """The inspector's row of a side, by column."""
        cells = self.tab.locator(f"#inspector tbody tr:nth-of-type({side + 1}) td").all()
        return {cell.get_attribute("class"): cell.inner_text() for cell in cells if cell.get_attribute("class")}


def decoded(png):
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(png)
        file.flush()
        return np.rint(255 * load(file.name)[0][..., :3]).astype(np.uint8)


def shown(light, gain=0.0, gamma=1.0, view="srgb"):
    """Bytes that a display gets for scene-linear light: half floats, gain, view, gamma. In float64, from the sources
    that `look.js` names, not from it."""
    x = np.asarray(light, np.float16).astype(np.float64) * 2.0**gain
    if view == "aces":
        x = 0.6 * np.maximum(x, 0)
        x = (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)
    x = np.clip(x, 0, 1)
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded ** (1 / gamma))


def luminance(light):
    return np.asarray(light, np.float64) @ [0.2126, 0.7152, 0.0722]
