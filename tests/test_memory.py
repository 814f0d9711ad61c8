"""A 12-megapixel photograph runs in under 4 GB."""

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="Windows does not tell a process its peak memory")

SCRIPT = """
import resource
import numpy as np
import hdrnodes

plate = np.tile(np.uint8(np.linspace(0, 255, 4000))[:, None], (3000, 1, 3))  # no stage is idle
plate[1000:2000, 1000:2000] = 255
image = hdrnodes.reconstruct(plate)
assert image.pixels.shape == plate.shape and image.pixels.max() > 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_twelve_megapixels_in_four_gigabytes():
    answer = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    assert int(answer.stdout) * unit < 4e9
