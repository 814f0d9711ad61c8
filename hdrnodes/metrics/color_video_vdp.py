"""ColorVideoVDP of a still picture, by the authors' package: differences in colour as well as in luminance.

Source: Mantiuk et al., "ColorVideoVDP: A visual difference predictor for image, video and display distortions", ACM
TOG 43(4), 2024; `cvvdp` 0.5.7 (MIT). That package asks for torchvision and huggingface_hub, whose builds follow torch's
and which a still picture needs two Gaussians of; so it is installed by

    pip install --no-deps cvvdp==0.5.7

and where they are missing, stand-ins take their place while it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrnodes.errors import MetricError
from hdrnodes.metrics.base import Array, check_pair
from hdrnodes.metrics.colours import in_colours

Display = Literal["standard_hdr_linear", "standard_hdr_linear_dark", "standard_hdr_pq", "peak10000_dark.ppd30"]
INSTALL = "pip install 'hdrnodes[metrics]' && pip install --no-deps cvvdp==0.5.7"
BT709_TO_BT2020 = ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))  # Rec. ITU-R BT.2087-0


@torch.inference_mode()
def color_video_vdp(
    test: Array,
    reference: Array,
    display: Display = "standard_hdr_linear",
    *,
    device: str | torch.device = "cpu",
) -> float:
    """The quality of the test picture as seen on a display: 10 JOD where equal, higher is better, at most 10.

    A JOD less: 75 % of people would choose the reference of the two. It adapts to each picture: where nothing is
    clipped, a gain of the whole picture leaves it at 10.

    Args:
        test, reference: H x W x 3, linear BT.709, or H x W of luminance; cd/m2.
        display: what shows them. The `standard_hdr` ones are the package's: 30 inches of 3840 x 2160 pixels from 0.75 m
            (75.4 pixels per degree), 1500 cd/m2, contrast 10^6, 10 lux or none (`dark`); brighter light is clipped.
            `standard_hdr_pq` is fed BT.2020 PQ. `peak10000_dark.ppd30`: 10,000 cd/m2, contrast 10^7, no other light,
            30 pixels per degree.
        device: where torch computes.

    Raises:
        MetricError: as `check_pair` does; a side is of one pixel; the package is not installed.
    """
    check_pair(test, reference)
    if min(test.shape[:2]) < 2:
        raise MetricError("the pictures", "are one pixel high or wide, too small for its pyramid", "use another metric")
    metric = _metric(display, torch.device(device))
    pictures = [torch.from_numpy(in_colours(each)).clamp(min=0) for each in (test, reference)]
    if display == "standard_hdr_pq":
        pictures = [_encoded_pq(each) for each in pictures]
    from pycvvdp.video_source import video_source_array

    source = video_source_array(*pictures, 0, dim_order="HWC", display_photometry=metric.display_photometry)
    source.warning_shown = True  # else it takes what is dark for what is not in cd/m2, and says so to the root logger
    quality, _ = metric.predict_video_source(source)
    return float(quality)


@lru_cache(maxsize=4)
def _metric(display: Display, device: torch.device) -> Any:
    cvvdp = import_cvvdp()
    if display != "peak10000_dark.ppd30":
        return cvvdp.cvvdp(display_name=display, quiet=True, device=device)
    photometry = cvvdp.vvdp_display_photo_eotf(10_000, contrast=1e7, source_colorspace="BT.709-linear", E_ambient=0)
    geometry = cvvdp.vvdp_display_geometry([3840, 2160], ppd=30)
    return cvvdp.cvvdp(display_photometry=photometry, display_geometry=geometry, quiet=True, device=device)


def _encoded_pq(light: Tensor) -> Tensor:
    """Linear BT.709, cd/m2 -> BT.2020 in PQ (SMPTE ST 2084), 0..1."""
    from pycvvdp.display_model import lin2pq

    encoded: Tensor = lin2pq((light @ light.new_tensor(BT709_TO_BT2020).T).clamp(min=0))
    return encoded


def import_cvvdp() -> ModuleType:
    """The package `pycvvdp`. Raises MetricError where it, or what it needs, is missing or broken."""
    path = list(sys.path)  # it adds its own folder, in which `interp` and `utils` lie
    try:
        with _stand_ins():
            return import_module("pycvvdp")
    except ModuleNotFoundError as error:
        raise MetricError("ColorVideoVDP", f"{error.name} is not installed", INSTALL) from error
    except (ImportError, RuntimeError) as error:  # a torchvision of another build of torch raises either
        problem = f"cvvdp cannot be imported ({str(error).partition(chr(10))[0]})"
        raise MetricError("ColorVideoVDP", problem, "install a torchvision that fits torch, or none") from error
    finally:
        sys.path[:] = path


@contextmanager
def _stand_ins() -> Iterator[None]:
    """What pycvvdp names when it is imported, for those of the modules that are not installed."""
    if "pycvvdp" in sys.modules:
        yield
        return
    made: dict[str, dict[str, Any]] = {
        "torchvision": {},
        "torchvision.transforms": {"GaussianBlur": GaussianBlur},
        "torchvision.ops": {"MLP": _not_here},
        "huggingface_hub": {"hf_hub_download": _not_here},
    }
    missing = [name for name in made if find_spec(name.partition(".")[0]) is None]
    for name in missing:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(made[name])
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


class GaussianBlur(torch.nn.Module):
    """torchvision's: a Gaussian sampled at whole pixels, of sum 1, on N x C x H x W with reflected edges."""

    def __init__(self, kernel_size: int, sigma: float) -> None:
        super().__init__()
        self.radius = kernel_size // 2
        window = torch.exp(-((torch.arange(kernel_size) - self.radius) ** 2) / (2 * sigma**2))
        self.window = window / window.sum()

    def forward(self, x: Tensor) -> Tensor:
        channels, window = x.shape[1], self.window.to(x)
        x = F.pad(x, [self.radius] * 4, mode="reflect")
        x = F.conv2d(x, window[:, None].expand(channels, 1, -1, 1), groups=channels)
        return F.conv2d(x, window[None, :].expand(channels, 1, 1, -1), groups=channels)


def _not_here(*_: object, **__: object) -> NoReturn:
    """Only the learned heads of the package use it, which hdrnodes does not, and they download."""
    raise MetricError("ColorVideoVDP", "its learned variants are not supported", "use cvvdp itself for them")
