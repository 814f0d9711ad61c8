"""Image: the one thing that flows between nodes. Float32 pixels, what they mean, and where they came from.

Colour spaces are OCIO names. Our two are the Color Interop Forum's, which OpenImageIO writes into files and
OCIO's built-in config (`ocio://default`) knows; any other name that the user's config knows goes too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, is_numpy_array, is_torch_array

from hdrnodes.channels import alpha_channel, as_slice, colour_channels, default_channels, in_colour
from hdrnodes.errors import ReadError
from hdrnodes.ocio_names import is_linear_space
from hdrnodes.pixelwise import band_by_band, pixelwise, to_numpy

if TYPE_CHECKING:
    from OpenImageIO import ImageBuf

SRGB = "srgb_rec709_scene"  # what a camera's JPEG is taken for: sRGB-encoded, BT.709 primaries
LINEAR = "lin_rec709_scene"  # scene-linear, BT.709 primaries
STRAIGHT_ALPHA = "oiio:UnassociatedAlpha"  # in an image's metadata: its colours are not multiplied by its alpha

Pixels = npt.NDArray[np.float32]

_KNOWN_OF_COLOURS = ("colour_range", "colour_bounds")


class Window(NamedTuple):
    """A rectangle of pixels, y down, as in OpenEXR; the origin may be negative."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels, channel names, colour space, metadata. Immutable: `with_...` make new ones that share the rest.

    Args:
        pixels: H x W x C (or H x W), any float type; kept as float32, top row first, and read-only here (the
            caller's own array stays writable). A numpy array; or a torch tensor, which stays on its device, and is
            nobody's to write to. Display-referred: 0..1. Scene-linear: 1.0 is the radiance at which the plate
            clips. NaN and infinity are let in; `clean` takes them out.
        channels: a name each; from C when not given: Y, Y A, R G B, R G B A, then C4, C5...
        colorspace: an OCIO name.
        metadata: attributes by their OpenImageIO names (`Exif:ISOSpeedRatings`, `DateTime`). Colours are taken for
            multiplied by alpha (associated), unless `oiio:UnassociatedAlpha` is 1 here.
        data_window: where the pixels lie; None is (0, 0, W, H). Its size is the pixels'.
        display_window: the picture that was composed; None is (0, 0, W, H).
        bits: per sample in the file that it came from (8, 10, 12, 16, 32); None when not known.
        curves: the inverse responses that were applied to it, 1 x S or 3 x S float32; None when none was.
        record: what made it, for the header of a file: version, graph, knobs, models.

    Raises:
        TypeError: pixels that are no floats.
        ValueError: no pixels, or names or windows that do not fit them.
    """

    pixels: Pixels
    channels: tuple[str, ...] = ()
    colorspace: str = SRGB
    metadata: Mapping[str, object] = field(default_factory=dict)
    data_window: Window | None = None
    display_window: Window | None = None
    bits: int | None = None
    curves: Pixels | None = None
    record: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pixels = _as_pixels(self.pixels)
        height, width, count = pixels.shape
        channels = tuple(self.channels) or default_channels(count)
        if len(channels) != count or len(set(channels)) != count:
            raise ValueError(f"Image: {count} channels are named {channels}; give each a name of its own")
        if not self.colorspace:
            raise ValueError("Image: the colour space has no name; give one that OCIO knows, or leave it out")
        data = None if self.data_window is None else Window(*self.data_window)
        display = None if self.display_window is None else Window(*self.display_window)
        if data and data[2:] != (width, height):
            raise ValueError(f"Image: {width} x {height} pixels do not fill {data}; give a window of their size")
        if display and min(display[2:]) < 1:
            raise ValueError(f"Image: {display} is empty; give a display window of at least 1 x 1")
        curves = None if self.curves is None else np.atleast_2d(np.asarray(self.curves, np.float32))
        for name, value in {
            "pixels": pixels,
            "channels": channels,
            "metadata": MappingProxyType(dict(self.metadata)),
            "data_window": data,
            "display_window": display,
            "curves": curves,
            "record": MappingProxyType(dict(self.record)),
        }.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_array(cls, array: Any, device: Any = None, **about: Any) -> Image:
        """An image of an array, `about` as for `Image`. uint8 and uint16 are code values: 0..255 -> 0..1.

        Alpha beside code values is straight, as in a PNG and in what Pillow gives; beside floats it is associated, as
        in an EXR. `metadata={"oiio:UnassociatedAlpha": 0}`, or 1, says otherwise.

        Args:
            array: numpy's, torch's, or any with `__dlpack__`, `__cuda_array_interface__`, or that numpy takes. The
                image shares the memory of float32 pixels; those on a GPU stay there.
            device: where to bring the pixels to, codes as they are; torch's word for it.
        """
        from hdrnodes import transfer

        array = transfer.adopted(array)
        if transfer.type_of(array) not in transfer.CODES:
            image = cls(array, **about)
            return image if device is None else image.to_device(device)
        if device is not None:
            array = transfer.moved(array, device)
        image = cls(transfer.of_codes(array), **{"bits": transfer.CODES[transfer.type_of(array)], **about})
        if image.alpha is not None:
            image = replace(image, metadata={STRAIGHT_ALPHA: 1, **image.metadata})
        return image.with_bounds(0, 1)

    @classmethod
    def from_imagebuf(cls, buffer: ImageBuf) -> Image:
        """A copy of the pixels and attributes of an OpenImageIO buffer."""
        from hdrnodes.imagebuf import image_of_spec

        pixels = buffer.get_pixels("float")
        if pixels is None:
            raise ReadError(buffer.name or "ImageBuf", f"has no pixels ({buffer.geterror()})", "read it anew")
        return image_of_spec(buffer.spec(), pixels)

    def to_imagebuf(self) -> ImageBuf:
        """An OpenImageIO buffer with a copy of the pixels (float) and of all that is said about them."""
        from OpenImageIO import ImageBuf

        from hdrnodes.imagebuf import spec_of_image

        buffer = ImageBuf(spec_of_image(self, "float"))
        buffer.set_pixels(buffer.roi, np.ascontiguousarray(self.to_host().pixels))
        return buffer

    @property
    def device(self) -> Any:
        """The torch device that the pixels are on; None where they are a numpy array."""
        return None if is_numpy_array(self.pixels) else self.pixels.device

    def to_device(self, device: Any) -> Image:
        """The image with its pixels as a torch tensor on a device ("cuda", "cuda:1"); what is there stays.

        The pixels of an 8-bit plate travel as codes, and are the same float32 there, bit for bit. What several nodes
        ask for travels once, and stays for as long as the image does.
        """
        from hdrnodes import transfer

        if self.device is None:
            sent: tuple[str, Image] | None = self.__dict__.get("_sent")
            if sent is not None and sent[0] == str(device):
                return sent[1]
            there, codes = transfer.uploaded(self.pixels, device, self.bits)
            image = self.altered(pixels=there)
            image = image.with_bounds(0, 1) if codes else image
            self.__dict__["_sent"] = (str(device), image)
            return image
        pixels: Any = self.pixels
        there = pixels.to(device)
        return self if there is pixels else self.altered(pixels=there)

    def beside(self, other: Image) -> Image:
        """The image with its pixels where another's are."""
        return self.to_host() if other.device is None else self.to_device(other.device)

    def to_host(self) -> Image:
        """The image with its pixels as a numpy array; the very same where they are that."""
        from hdrnodes import transfer

        return self if self.device is None else self.altered(pixels=transfer.downloaded(self.pixels))

    def altered(self, **about: Any) -> Image:
        """`dataclasses.replace` where the colours stay what they are, so that what is known of them does."""
        image = replace(self, **about)
        image.__dict__.update({name: self.__dict__[name] for name in _KNOWN_OF_COLOURS if name in self.__dict__})
        return image

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @cached_property
    def is_linear(self) -> bool:
        """Whether the colour space is linear: what OCIO says, with $OCIO or else its built-in config."""
        if self.colorspace in (SRGB, LINEAR):
            return self.colorspace == LINEAR
        return is_linear_space(self.colorspace)

    @property
    def rgb(self) -> Pixels:
        """H x W x 3, read-only: the colour channels. Grey is repeated three times, without a copy."""
        colour = self._colour
        if len(colour) == 1:
            grey = self.pixels[..., colour[0], None]
            return array_namespace(grey).broadcast_to(grey, (self.height, self.width, 3))
        return self.pixels[..., self.colour_index]

    @property
    def alpha(self) -> Pixels | None:
        """H x W x 1, read-only; None where there is no alpha."""
        index = self._alpha
        return None if index is None else self.pixels[..., index, None]

    @cached_property
    def colour_range(self) -> tuple[float, float]:
        """The lowest and the highest colour; both are NaN where there is one."""

        def extremes(pixels: Any) -> Any:
            colours = pixels[..., self.colour_index]
            return array_namespace(colours).stack([colours.min(), colours.max()])

        lowest, highest = np.stack([to_numpy(each) for each in band_by_band(extremes, self.pixels)], axis=1)
        return float(lowest.min()), float(highest.max())

    @cached_property
    def colour_bounds(self) -> tuple[float, float]:
        """What no colour lies outside of, but for rounding: as who made the colours knows, else their `colour_range`,
        which takes a look at all of them, and a GPU to be waited for."""
        return self.colour_range

    def with_bounds(self, lowest: float, highest: float) -> Image:
        """The image, by whoever knows that its colours are numbers and none lies outside of these two."""
        image = replace(self)
        image.__dict__["colour_bounds"] = (float(lowest), float(highest))
        return image

    def with_rgb(self, rgb: Any, colorspace: str | None = None) -> Image:
        """The image with these colours, H x W x 3. Grey becomes RGB; alpha, extra channels, metadata stay.

        The colours are brought to where the image's other channels are. The image shares their memory if there is
        nothing else in it.
        """
        rgb = _beside(self, rgb)
        if tuple(rgb.shape) != (self.height, self.width, 3):
            raise ValueError(f"Image.with_rgb: {tuple(rgb.shape)} is not {(self.height, self.width, 3)}; keep the size")
        first, *more = self._colour
        where = self.colour_index

        def in_place_of_colours(pixels: Any, rgb: Any) -> Any:
            pixels = array_namespace(pixels).asarray(pixels, copy=True)
            pixels[..., where] = rgb
            return pixels

        def in_place_of_grey(pixels: Any, rgb: Any) -> Any:
            return array_namespace(rgb).concat([pixels[..., :first], rgb, pixels[..., first + 1 :]], axis=2)

        pixels, channels = rgb, self.channels
        if not more:
            pixels, channels = pixelwise(in_place_of_grey, self.pixels, rgb), in_colour(self.channels, first)
        elif self._colour != (0, 1, 2) or len(self.channels) > 3:
            pixels = pixelwise(in_place_of_colours, self.pixels, rgb)
        return replace(self, pixels=pixels, channels=channels, colorspace=colorspace or self.colorspace)

    def is_colour_or_alpha(self, index: int) -> bool:
        """Whether that channel is part of the picture, not depth, an id, or another layer."""
        return index in self._colour or index == self._alpha

    def without_extra_channels(self, alpha: bool = True) -> Image:
        """The colour channels alone, and alpha if wanted, under their plain names: R G B A, or Y A."""
        names = dict(zip(self._colour, "RGB" if len(self._colour) == 3 else "Y", strict=True))
        if alpha and self._alpha is not None:
            names[self._alpha] = "A"
        indices = list(names)
        return replace(self, pixels=self.pixels[..., as_slice(indices)], channels=tuple(names.values()))

    @cached_property
    def _colour(self) -> tuple[int, ...]:
        """Three indices (red, green, blue), or one (grey)."""
        return colour_channels(self.channels)

    @property
    def colour_index(self) -> Any:
        """What picks the colour channels, one or three, from the last axis of `pixels`."""
        return as_slice(self._colour)

    @cached_property
    def _alpha(self) -> int | None:
        return alpha_channel(self.channels, self._colour[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        pixels = self.to_host().pixels
        return np.array(pixels, dtype) if copy else np.asarray(pixels, dtype)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.pixels.__array_interface__  # torch's tensors have none, nor has the image then

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        pixels: Any = self.pixels
        return pixels.__cuda_array_interface__  # only tensors on CUDA have one

    def __dlpack__(self, **terms: Any) -> Any:
        """For `from_dlpack`. A tensor's own memory. A copy of a numpy array: few consumers know read-only ones; the
        others would write here."""
        pixels = self.pixels.copy() if self.device is None else self.pixels
        return pixels.__dlpack__(**terms)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.pixels.__dlpack_device__()

    def __reduce__(self) -> tuple[object, ...]:
        """To other processes go numpy arrays, and dicts: no mapping proxies."""
        values = {each.name: getattr(self.to_host(), each.name) for each in fields(self)}
        return type(self), tuple({**values, "metadata": dict(self.metadata), "record": dict(self.record)}.values())


def _as_pixels(array: Any) -> Any:
    if not is_torch_array(array):
        array = np.asarray(array)
    xp = array_namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        raise TypeError(f"Image: pixels are {array.dtype}; give floats, or code values to Image.from_array")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"Image: pixels have the shape {tuple(array.shape)}; give H x W x C, each at least 1")
    if is_torch_array(array):
        return xp.astype(array.detach(), xp.float32, copy=False)
    pixels = array.astype(np.float32, copy=False).view()
    pixels.flags.writeable = False
    return pixels


def _beside(image: Image, rgb: Any) -> Any:
    """Colours as an array of the kind of an image's pixels, float32, where those are."""
    if image.device is None:
        return np.asarray(rgb.detach().cpu() if is_torch_array(rgb) else rgb, np.float32)
    return array_namespace(image.pixels).asarray(rgb, dtype=image.pixels.dtype, device=image.device)
