"""What TensorBoard shows of a run: losses, rates and speed, scores, and pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrnodes.camera.response import apply_response
from hdrnodes.curve import Curve
from hdrnodes.training.journal import Line
from hdrnodes.whole_file import cannot_write

EXPOSURES = (-3, 0, 3)  # stops


class Board:
    """Writes a run's folder for TensorBoard. Where the package `tensorboard` is missing, one line says so, and no more.

    Args:
        folder: gets the event files.
        step: the first that will be written; what a run that was killed wrote from there on is not shown.
        say: takes the line.
    """

    def __init__(self, folder: Path, step: int, say: Callable[[str], None]) -> None:
        self._writer: Any = None
        self._folder = folder
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            say("no TensorBoard here: pip install 'hdrnodes[train]' adds it")
            return
        self._writer = SummaryWriter(folder, purge_step=step)

    def steps(self, means: Line, rate: float, seconds: float, plates: int) -> None:
        """What steps had in common.

        Args:
            means: of their losses, as `journal.means` says them, with the last one's `step`.
            rate: the learning rate of the last.
            seconds: that one took.
            plates: in one.
        """
        step = means["step"]
        self._scalars("train", {key: value for key, value in means.items() if key != "step"} | {"rate": rate}, step)
        speed = {"seconds_per_step": seconds, "plates_per_second": plates / seconds}
        self._scalars("speed", speed, step)

    def validation(self, step: int, scores: dict[str, float], pictures: dict[str, Tensor]) -> None:
        """Scores, and pictures 3 x H x W, 0..1."""
        self._scalars("validation", scores, step)
        if self._writer is not None:
            with self._writing():
                for name, picture in pictures.items():
                    self._writer.add_image(name, picture.detach().float().cpu().clamp(0, 1), step)
                self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            with self._writing():
                self._writer.close()

    def _scalars(self, group: str, values: dict[str, float], step: int) -> None:
        if self._writer is not None:
            with self._writing():
                for name, value in values.items():
                    self._writer.add_scalar(f"{group}/{name}", value, step)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self._folder, error) from error


def exposures(light: Tensor) -> Tensor:
    """Light (3 x H x W, scene-linear) at -3, 0 and +3 stops, side by side, as sRGB shows it: 3 x H x 3W, 0..1."""
    strip = torch.cat([light.float() * 2.0**stops for stops in EXPOSURES], dim=-1)
    srgb = torch.from_numpy(Curve.named("srgb").samples.copy()).to(light.device)
    return apply_response(strip[None], srgb[None])[0]


def curve_picture(found: Tensor, truth: Tensor) -> Tensor:
    """A plot of an estimated inverse response and the true one, dashed; S samples each: 3 x 760 x 960, 0..1."""
    from hdrnodes.canvas import BLUE, VERMILION  # needs OpenImageIO, which packed scenes do without
    from hdrnodes.curve_plot import draw_curves

    lines = [
        ("truth", VERMILION, truth.detach().float().cpu().numpy(), True),
        ("estimate", BLUE, found.detach().float().cpu().numpy(), False),
    ]
    return torch.from_numpy(draw_curves("of a plate that validates", lines)).permute(2, 0, 1)
