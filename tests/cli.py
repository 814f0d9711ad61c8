"""What the tests of the command line share: real pictures, made on the fly, and the command itself."""

import os
import signal
import subprocess
import sys

import numpy as np
import OpenImageIO as oiio
from click.testing import CliRunner

from hdrnodes.cli import main
from hdrnodes.plugins import installed_plugins

COMMAND = [sys.executable, "-m", "hdrnodes"]


def hdrnodes(*arguments):
    """Run a command in this process; the result has `exit_code`, `stdout`, `stderr`."""
    try:
        return CliRunner().invoke(main, [str(each) for each in arguments])
    finally:
        installed_plugins.cache_clear()  # a model folder that was given stays known for one command


def _with_ctrl_c():
    # A shell that runs the tests in its background has Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments, **environment):
    """Run a command in a process of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        preexec_fn=_with_ctrl_c,
    )


def plate(height=24, width=32, channels=3, seed=0):
    """Ramps with a little noise, and a clipped square where there is room: H x W x C float32, 0..1."""
    rng = np.random.default_rng(seed)
    down, across = np.linspace(0, 0.9, height)[:, None, None], np.linspace(0, 0.9, width)[None, :, None]
    weights = np.linspace(0.2, 0.8, channels)
    pixels = down * weights + across * (1 - weights) + rng.normal(0, 0.01, (height, width, channels))
    pixels[height // 3 : height // 2, width // 3 : width // 2] = 1
    return np.clip(pixels, 0, 1).astype(np.float32)


def save(path, pixels=None, pixel_type="uint8", **attributes):
    """Write a picture with OpenImageIO, without any of our code."""
    pixels = plate() if pixels is None else np.asarray(pixels, np.float32)
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, pixel_type)
    for name, value in attributes.items():
        spec.attribute(name, value)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(pixels) and output.close(), output.geterror()
    return path


def load(path):
    """Pixels and spec, without any of our code."""
    source = oiio.ImageInput.open(str(path))
    assert source is not None, oiio.geterror()
    pixels, spec = source.read_image("float"), source.spec()
    source.close()
    return pixels.reshape(spec.height, spec.width, spec.nchannels), spec


def header(path, name):
    return load(path)[1].getattribute(name)
