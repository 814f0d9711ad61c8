"""Images from and to OpenImageIO's terms: an ImageSpec, and an array of floats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from OpenImageIO import DOUBLE, FLOAT, HALF, ImageSpec

from hdrnodes import frames, transfer
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image, Window
from hdrnodes.primaries import linear_space_of

# How a file was laid out, not what is in the picture; untrue, or harmful, in the file written from it.
_LAYOUT = ("oiio:", "openexr:", "tiff:", "jpeg:", "png:", "gif:", "bmp:", "webp:", "dpx:", "cineon:", "targa:")
_LAYOUT_NAMES = {
    "chromaticities",  # said by the colour space
    "colorInteropID",
    "compression",
    "planarconfig",
    "screenWindowCenter",
    "screenWindowWidth",
    "textureformat",
    "Exif:ColorSpace",
    "Exif:PixelXDimension",  # before it was turned upright
    "Exif:PixelYDimension",
    "thumbnail_width",
    "thumbnail_height",
    "thumbnail_nchannels",
    "thumbnail_image",
}

_INT = np.iinfo(np.int32)

# Attributes whose type does not follow from their value in Python.
_TYPES = {
    "smpte:TimeCode": "timecode",
    "smpte:KeyCode": "keycode",
    "FramesPerSecond": "rational",
    "framesPerSecond": "rational",
    "worldtocamera": "matrix",
    "worldtoscreen": "matrix",
}

# OpenImageIO before 3.1 says some names in its own way.
_OLD_NAMES = {"sRGB": SRGB, "srgb": SRGB, "linear": LINEAR, "Linear": LINEAR, "lin_rec709": LINEAR, "lin_srgb": LINEAR}

_ICC_NAMES = {"Display P3": "srgb_p3d65_scene", "Adobe RGB (1998)": "g22_adobergb_scene"}

# EXIF orientation, 1 to 8: whether rows, and columns, run backwards (after the exchange of both, from 5 on).
_BACKWARDS = [(False, False), (False, True), (True, True), (True, False)] * 2
_BACKWARDS[6:8] = [(True, True), (True, False)]


def image_of_spec(spec: ImageSpec, pixels: Any, device: object = None) -> Image:
    """The image that a spec and its pixels make, turned upright.

    Args:
        pixels: H x W x C, float32; or uint8 codes, for a device.
        device: the torch device to bring codes to.
    """
    metadata = _metadata(spec)
    data = Window(spec.x, spec.y, spec.width, spec.height)
    display = Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height)
    orientation = spec.get_int_attribute("Orientation", 1)
    if 2 <= orientation <= 8:
        pixels, data, display = _upright(pixels, data, display, orientation)
        metadata["Orientation"] = 1
    whole = data == display == (0, 0, *data[2:])
    colorspace = _colorspace(spec)
    if colorspace == LINEAR and (foreign := spec.getattribute("chromaticities")):
        if linear_space_of(foreign) is None:
            metadata["chromaticities"] = tuple(foreign)  # primaries that have no name: carried on as they are
    if device is not None:
        pixels = transfer.of_codes(transfer.moved(pixels, device))
    image = Image(
        pixels,
        channels=_unique(spec.channelnames),
        colorspace=colorspace,
        metadata=metadata,
        data_window=None if whole else data,
        display_window=None if whole else display,
        bits=_bits(spec),
    )
    return image if device is None else image.with_bounds(0, 1)


def spec_of_image(image: Image, pixel_type: str) -> ImageSpec:
    """A spec that says of an image what is to be said, for a buffer or a file of this pixel type."""
    spec = ImageSpec(image.width, image.height, len(image.channels), pixel_type)
    spec.channelnames = image.channels
    data = image.data_window or Window(0, 0, image.width, image.height)
    display = image.display_window or Window(0, 0, image.width, image.height)
    spec.x, spec.y = data[:2]
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = display
    for index, name in enumerate(image.channels):
        if name in ("A", "Z"):
            setattr(spec, {"A": "alpha_channel", "Z": "z_channel"}[name], index)
    set_attributes(spec, image.metadata)
    spec.attribute("oiio:ColorSpace", image.colorspace)
    return spec


def set_attributes(spec: ImageSpec, attributes: Mapping[str, object]) -> None:
    """Put attributes into a spec: numbers, text, and sequences or arrays of numbers; anything else as text.

    So are whole numbers past 32 bits with a sign, the flags in a camera's own notes among them: EXR has no others, and
    would write them as negative numbers.
    """
    for name, value in attributes.items():
        if isinstance(value, (str, float)):
            spec.attribute(name, value)
        elif isinstance(value, bytes) and value:
            spec.attribute(name, f"uint8[{len(value)}]", value)
        else:
            _set_numbers(spec, name, value)


def _set_numbers(spec: ImageSpec, name: str, value: object) -> None:
    array = np.asarray(value)
    kind = {"b": "int", "i": "int", "u": "int", "f": "float"}.get(array.dtype.kind)
    if kind is None or not array.size or (kind == "int" and (array.max() > _INT.max or array.min() < _INT.min)):
        spec.attribute(name, str(value))
    elif array.ndim:
        spec.attribute(name, _TYPES.get(name, f"{kind}[{array.size}]"), array.ravel().tolist())
    else:
        spec.attribute(name, kind, array.item())


def _metadata(spec: ImageSpec) -> dict[str, object]:
    has_alpha = any(name.rpartition(".")[2] == "A" for name in spec.channelnames)
    return {
        attribute.name: attribute.value.tobytes() if isinstance(attribute.value, np.ndarray) else attribute.value
        for attribute in spec.extra_attribs
        if (attribute.name == STRAIGHT_ALPHA and has_alpha)
        or (attribute.name not in _LAYOUT_NAMES and not attribute.name.startswith(_LAYOUT))
    }


def _colorspace(spec: ImageSpec) -> str:
    """What the file says; else what its kind means: floats are scene-linear, integers a camera's sRGB."""
    stated = spec.get_string_attribute("colorInteropID") or spec.get_string_attribute("oiio:ColorSpace")
    stated = _OLD_NAMES.get(stated, stated)
    if is_float(spec) and stated in ("", LINEAR):  # OpenImageIO 3.0 says so of every EXR
        return linear_space_of(spec.getattribute("chromaticities") or ()) or LINEAR
    if stated not in ("", SRGB):
        return stated
    if spec.get_string_attribute("dpx:Transfer") == "Printing density":
        return "KodakLog"  # as OpenImageIO calls the other logarithmic transfer of DPX
    return _ICC_NAMES.get(spec.get_string_attribute("ICCProfile:profile_description"), SRGB)


def is_float(spec: ImageSpec) -> bool:
    return spec.format.basetype in (HALF, FLOAT, DOUBLE)


def _bits(spec: ImageSpec) -> int:
    return spec.get_int_attribute("oiio:BitsPerSample") or 8 * int(spec.format.basesize())


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """Files may give two channels one name; ours differ."""
    return tuple(f"{name}.{index}" if name in names[:index] else name for index, name in enumerate(names))


def _upright(pixels: Any, data: Window, display: Window, orientation: int) -> tuple[Any, Window, Window]:
    rows, columns = _BACKWARDS[orientation - 1]
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
        data, display = _exchanged(data), _exchanged(display)
    x, y = data[:2]
    if columns:
        x = 2 * display.x + display.width - data.x - data.width
    if rows:
        y = 2 * display.y + display.height - data.y - data.height
    turned = pixels[:: -1 if rows else 1, :: -1 if columns else 1]
    pixels = frames.copy(turned) if turned.dtype == np.float32 else np.ascontiguousarray(turned)
    return pixels, data._replace(x=x, y=y), display


def _exchanged(window: Window) -> Window:
    return Window(window.y, window.x, window.height, window.width)
