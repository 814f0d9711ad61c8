"""InverseCRF: display-referred to scene-linear, through one rising curve. Undoes `camera.response`.

    out = curve(clip(display, 0, 1)), 1.0 where the plate clips

The curve is estimated by a network from the whole frame, or is a standard's, or comes from a file. Edges and noise at
full size tell of the camera; `plate`, where it is connected, is the picture in which they are as the camera left them,
before Dequantize.

Source: Liu et al., CVPR 2020. Curves per channel, per shot, and from files are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from hdrnodes.camera.clipping import TOP_CODE
from hdrnodes.camera.response import constrain_curve, invert_response
from hdrnodes.clean import clean
from hdrnodes.curve import SAMPLES, Curve
from hdrnodes.errors import KnobError
from hdrnodes.image import LINEAR, SRGB, Image, Pixels
from hdrnodes.nodes.base import Context, Knob, Node
from hdrnodes.nodes.stage import BOTTOM_CODE, straight_display, without_bad_values
from hdrnodes.ocio_names import ocio_names
from hdrnodes.pixelwise import beside, pixelwise, to_numpy
from hdrnodes.primaries import chromaticities_of, linear_space_of

_CAMERA_ENCODED = re.compile(r"srgb|(?<!lin_)rec\.?_?709|bt\.?_?709|gamma|\bg\d\d_|1886|adobe|display")
LEAST_SPREAD = 4 / 255  # of unclipped values in a channel; below, a frame says nothing of its response


class InverseCRF(Node):
    """Undo the camera's response: display-referred becomes scene-linear. Linear pictures pass unchanged."""

    optional_inputs = ("plate",)
    on_device = True

    curve: str = Knob(
        "estimate",
        file=True,
        suggestions=("estimate", "srgb", "bt709"),
        doc="Estimated from the plate, a standard's, or that of a csv, spi1d or cube file.",
    )
    per_channel: bool = Knob(False, doc="Whether red, green and blue get an estimated curve each.")
    scope: Literal["frame", "shot"] = Knob("frame", doc="Estimate for each frame, or once for the shot.")
    model: str = Knob("default", doc="A name that `hdrnodes doctor` lists.")

    def process(self, inputs: dict[str, Image], context: Context) -> Image:
        image = inputs["image"]
        if not image.is_linear and (self.curve == "estimate" or context.runtime):
            image = context.on_device(image)
        image = without_bad_values(image, self.name, context)
        if image.is_linear:
            context.say("InverseCRF: skipped, for the picture is scene-linear")
            return image
        if not is_camera_encoded(image.colorspace):
            context.warn(
                f"InverseCRF: {image.colorspace} is taken for a camera's response, which it is not known to be; if it "
                "is a logarithm or data, say what it is (Read's colorspace, --read-colorspace) and convert it "
                "(ColorSpace)"
            )
        curve = self.find_curve(image, context, inputs.get("plate"))
        display, cover = straight_display(image)
        samples = beside(display, curve.samples)

        def linearize(display: Any, cover: Any) -> Any:
            linear = invert_response(display, samples)
            return linear if cover is None else linear * cover

        linear = pixelwise(linearize, display, cover, reuse=None if cover is None else display)
        light = replace(image.with_rgb(linear, _linear_space(image.colorspace)), curves=curve.samples)
        return light.with_bounds(0, 1) if cover is None else light

    def find_curve(self, image: Image, context: Context, plate: Image | None = None) -> Curve:
        """The curve that `process` would use for this image, and the plate that it was; None: the same."""
        if self.curve in ("srgb", "bt709"):
            return Curve.named(self.curve)
        if self.curve != "estimate":
            if not Path(self.curve).suffix:  # a name mistyped, more likely than a file
                allowed = self.knobs()["curve"].allowed
                raise KnobError("InverseCRF.curve", f"{self.curve!r} is not allowed", f"give {allowed}")
            return Curve.load(self.curve)
        if self.scope == "frame":
            return estimate_curve(image, context, self.model, self.per_channel, plate)
        if self.shot_key not in context.shot_curves:
            curve = estimate_curve(image, context, self.model, self.per_channel, plate)
            # Frames may run side by side: the first to come sets the shot's.
            context.shot_curves.setdefault(self.shot_key, curve)
        return context.shot_curves[self.shot_key]

    @property
    def shot_key(self) -> str:
        """Where `context.shot_curves` has the shot's curve; `estimate_shot_curve` makes one to put there."""
        return f"{self.model}{', per channel' if self.per_channel else ''}"


def estimate_curve(
    image: Image, context: Context, model: str = "default", per_channel: bool = False, plate: Image | None = None
) -> Curve:
    """The inverse response of the camera that took a picture; sRGB's where it does not tell, and says so.

    Args:
        image: display-referred.
        per_channel: estimate red, green and blue from themselves alone, each shown to the network as grey. One
            without tones takes the mean of the others' curves.
        plate: the image before it was dequantized, of the same size; None: the same.
    """
    display, _ = straight_display(image)
    xp = array_namespace(display)
    telling = _channels_that_tell(display)
    shown = [(display, display if plate is None else _as_written(plate, image, context))]
    if per_channel:
        shown = [
            tuple(xp.broadcast_to(each[..., channel, None], each.shape) for each in shown[0]) for channel in range(3)
        ]
    # A GPU is asked once, for all that it found.
    if image.device is not None or telling.any():
        found = [telling, *(context.run("linearize", model, *each) for each in shown)]
        told = to_numpy(xp.concat([xp.astype(each, xp.float32) for each in found]))
        telling, raw = told[:3] > 0, told[3:].reshape(-1, SAMPLES)
    if not telling.any():
        context.warn("InverseCRF: the plate has too few tones to estimate a curve from; takes sRGB's")
        return Curve.named("srgb")
    if per_channel and not telling.all():
        silent = ", ".join(name for name, tells in zip(("red", "green", "blue"), telling, strict=True) if not tells)
        context.warn(f"InverseCRF: too few tones in {silent} to estimate a curve from; takes the others' mean")
        raw[~telling] = raw[telling].mean(axis=0)
    return Curve(constrain_curve(raw), source="estimate")


def _as_written(plate: Image, image: Image, context: Context) -> Pixels:
    """The plate's colours beside the image's; the image's own where the plate is no such picture."""
    if plate.is_linear or plate.rgb.shape != image.rgb.shape:
        context.warn("InverseCRF: the plate is scene-linear, or of another size; it is not looked at")
        return straight_display(image)[0]
    plate = plate.to_host() if image.device is None else context.on_device(plate)
    return straight_display(clean(plate)[0])[0]


def estimate_shot_curve(
    frames: Iterable[Mapping[str, Image]], context: Context, model: str = "default", per_channel: bool = False
) -> Curve:
    """One curve for a shot: the mean of its frames' curves, which rises as they do.

    Args:
        frames: a few spread over the shot, each as the node is given it: `image`, display-referred, and perhaps
            `plate`; taken one by one. Those without tones are left out.
    """
    telling = (each for each in frames if to_numpy(_channels_that_tell(straight_display(each["image"])[0])).any())
    curves = [estimate_curve(each["image"], context, model, per_channel, each.get("plate")).samples for each in telling]
    if not curves:
        context.warn("InverseCRF: no frame of the shot has the tones to estimate a curve from; takes sRGB's")
        return Curve.named("srgb")
    return Curve(constrain_curve(np.mean(curves, axis=0)), source="estimate")


def _channels_that_tell(display: Pixels) -> Any:
    """Which of red, green and blue have tones that are neither clipped nor all the same: 3, where the pixels are."""
    every = max(1, round((display.shape[0] * display.shape[1] / 250_000) ** 0.5))  # so many pixels tell enough
    xp = array_namespace(display)
    channels = xp.reshape(xp.moveaxis(display[::every, ::every], -1, 0), (3, -1))
    is_tone = (channels > BOTTOM_CODE) & (channels < TOP_CODE)
    tones = xp.where(is_tone, channels, xp.full_like(channels, 2))  # in order, what is none comes last
    count = xp.astype(xp.count_nonzero(is_tone, axis=1, keepdims=True), xp.int64)
    hundredths = (count - 1).clip(min=0) * beside(display, np.array([[1, 99]]))
    places = xp.concat([hundredths // 100, (hundredths // 100 + 1).clip(max=tones.shape[1] - 1)], axis=1)
    # Numpy need not sort what is not asked for; a GPU would be waited for to say what is.
    rising = np.partition(tones, np.unique(places), axis=1) if is_numpy_array(tones) else xp.sort(tones, axis=1)
    found = xp.take_along_axis(rising, places, axis=1)
    percentiles = found[:, :2] + (found[:, 2:] - found[:, :2]) * (hundredths % 100 / 100)
    return (percentiles[:, 1] - percentiles[:, 0] >= LEAST_SPREAD) & (count[:, 0] > 0)


def is_camera_encoded(colorspace: str) -> bool:
    """Whether an OCIO name says that values are as a camera, or a display, encodes them: sRGB, BT.709, a gamma.

    >>> [is_camera_encoded(name) for name in ("srgb_p3d65_scene", "g22_adobergb_scene", "KodakLog", "data")]
    [True, True, False, False]
    """
    return colorspace == SRGB or any(
        _CAMERA_ENCODED.search(name.lower()) for name in (colorspace, *ocio_names(colorspace))
    )


def _linear_space(colorspace: str) -> str:
    """The scene-linear space with a colour space's primaries; with BT.709's where OCIO's name does not tell."""
    chromaticities = chromaticities_of(colorspace)
    return (chromaticities and linear_space_of(chromaticities)) or LINEAR
