"""Image: the one thing that flows between nodes. Float32 pixels, what they mean, and where they came from.

Colour spaces are OCIO names. Our two are the Color Interop Forum's, which OpenImageIO writes into files and
OCIO's built-in config (`ocio://default`) knows; any other name that the user's config knows goes too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hdrnodes.errors import ReadError

if TYPE_CHECKING:
    from OpenImageIO import ImageBuf

SRGB = "srgb_rec709_scene"  # what a camera's JPEG is taken for: sRGB-encoded, BT.709 primaries
LINEAR = "lin_rec709_scene"  # scene-linear, BT.709 primaries
STRAIGHT_ALPHA = "oiio:UnassociatedAlpha"  # in an image's metadata: its colours are not multiplied by its alpha

_RGB_NAMES = (("r", "red"), ("g", "green"), ("b", "blue"))  # of channels, in lower case

Pixels = npt.NDArray[np.float32]


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
            caller's own array stays writable). Display-referred: 0..1. Scene-linear: 1.0 is the radiance at
            which the plate clips. NaN and infinity are let in; `clean` takes them out.
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
    def from_numpy(cls, array: npt.ArrayLike, **about: Any) -> Image:
        """An image of an array, `about` as for `Image`. uint8 and uint16 are code values: 0..255 -> 0..1.

        Alpha beside code values is straight, as in a PNG and in what Pillow gives; beside floats it is associated, as
        in an EXR. `metadata={"oiio:UnassociatedAlpha": 0}`, or 1, says otherwise.
        """
        array = np.asarray(array)
        if array.dtype not in (np.uint8, np.uint16):
            return cls(array, **about)
        top = np.iinfo(array.dtype)
        image = cls(array.astype(np.float32) / np.float32(top.max), **{"bits": top.bits, **about})
        if image.alpha is None:
            return image
        return replace(image, metadata={STRAIGHT_ALPHA: 1, **image.metadata})

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
        buffer.set_pixels(buffer.roi, np.ascontiguousarray(self.pixels))
        return buffer

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
        return _is_linear(self.colorspace)

    @property
    def rgb(self) -> Pixels:
        """H x W x 3, read-only: the colour channels. Grey is repeated three times, without a copy."""
        colour = self._colour
        if len(colour) == 1:
            return np.broadcast_to(self.pixels[..., colour[0], None], (self.height, self.width, 3))
        return self.pixels[..., _as_slice(colour)]

    @property
    def alpha(self) -> Pixels | None:
        """H x W x 1, read-only; None where there is no alpha."""
        index = self._alpha
        return None if index is None else self.pixels[..., index, None]

    def with_rgb(self, rgb: npt.ArrayLike, colorspace: str | None = None) -> Image:
        """The image with these colours, H x W x 3. Grey becomes RGB; alpha, extra channels, metadata stay."""
        rgb = np.asarray(rgb, np.float32)
        if rgb.shape != (self.height, self.width, 3):
            raise ValueError(f"Image.with_rgb: {rgb.shape} is not {(self.height, self.width, 3)}; keep the size")
        first, *more = self._colour
        if more:
            pixels, channels = rgb, self.channels
            if self._colour != (0, 1, 2) or self.pixels.shape[2] > 3:
                pixels = self.pixels.copy()
                pixels[..., _as_slice(self._colour)] = rgb
        else:
            pixels = np.concatenate([self.pixels[..., :first], rgb, self.pixels[..., first + 1 :]], axis=2)
            channels = self._channels_in_colour()
        return replace(self, pixels=pixels, channels=channels, colorspace=colorspace or self.colorspace)

    def _channels_in_colour(self) -> tuple[str, ...]:
        """Names with R, G, B in place of the grey channel. OpenImageIO calls two nameless channels R, G: the second is
        no green, and becomes G.1."""
        grey = self._colour[0]
        layer = self.channels[grey].rpartition(".")[0]
        taken = {_find(self.channels, layer, names) for names in _RGB_NAMES}
        extras = [f"{name}.{index}" if index in taken else name for index, name in enumerate(self.channels)]
        colour = [f"{layer}.{name}" if layer else name for name in "RGB"]
        return (*extras[:grey], *colour, *extras[grey + 1 :])

    def is_colour_or_alpha(self, index: int) -> bool:
        """Whether that channel is part of the picture, not depth, an id, or another layer."""
        return index in self._colour or index == self._alpha

    def without_extra_channels(self, alpha: bool = True) -> Image:
        """The colour channels alone, and alpha if wanted, under their plain names: R G B A, or Y A."""
        names = dict(zip(self._colour, "RGB" if len(self._colour) == 3 else "Y", strict=True))
        if alpha and self._alpha is not None:
            names[self._alpha] = "A"
        indices = list(names)
        return replace(self, pixels=self.pixels[..., _as_slice(indices)], channels=tuple(names.values()))

    @cached_property
    def _colour(self) -> tuple[int, ...]:
        """Three indices (red, green, blue), or one (grey)."""
        return _colour_channels(self.channels)

    @cached_property
    def _alpha(self) -> int | None:
        layer = self.channels[self._colour[0]].rpartition(".")[0]
        return _find(self.channels, layer, ("a", "alpha"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.pixels, dtype) if copy else np.asarray(self.pixels, dtype)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.pixels.__array_interface__

    def __dlpack__(self, **terms: Any) -> Any:
        """For `from_dlpack`. A copy: few consumers know read-only arrays; the others would write here."""
        return self.pixels.copy().__dlpack__(**terms)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU

    def __reduce__(
        self,
    ) -> tuple[object, ...]:  # a mapping proxy does not travel to other processes; a dict does
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self), tuple({**values, "metadata": dict(self.metadata), "record": dict(self.record)}.values())


def default_channels(count: int) -> tuple[str, ...]:
    """Names for that many channels: Y, Y A, R G B, R G B A, then C4, C5...

    >>> default_channels(5)
    ('R', 'G', 'B', 'A', 'C4')
    """
    if count < 3:
        return ("Y", "A")[:count]
    return (*"RGBA"[:count], *(f"C{index}" for index in range(4, count)))


def clean(image: Image) -> tuple[Image, dict[str, int]]:
    """Take out what the stages cannot compute with, and count it, so that the caller can say so.

    A network turns one NaN into a hole as wide as its field of view; a logarithm makes NaN of a negative.
    Reading does not do this: negative values in a scene-linear file are colours outside its gamut, or filter
    lobes, and true to what was rendered. This is for the stage that needs it, and only for the colours: depth
    may be infinite.

    Args:
        image: any.

    Returns:
        The image with NaN and negative colours as 0, and +infinity as the largest finite colour in it, at
        least 1 and at most 65504 (half's largest). The very same image where there was nothing to do.
        How many values were `nan`, `infinite`, `negative`; an empty dict where there were none.
    """
    rgb = image.pixels[..., _as_slice(image._colour)]
    low, high = float(rgb.min()), float(rgb.max())  # either is NaN where there is one
    if 0 <= low and high < np.inf:
        return image, {}
    wrong = {"nan": np.isnan(rgb), "infinite": np.isposinf(rgb), "negative": rgb < 0}
    brightest = np.clip(rgb.max(initial=1, where=np.isfinite(rgb)), 1, 65504)
    pixels = image.pixels.copy()
    pixels[..., _as_slice(image._colour)] = np.select(list(wrong.values()), [0, brightest, 0], rgb)
    counts = {name: int(mask.sum()) for name, mask in wrong.items() if mask.any()}
    return replace(image, pixels=pixels), counts


def _as_pixels(array: npt.ArrayLike) -> Pixels:
    array = np.asarray(array)
    if array.dtype.kind != "f":
        raise TypeError(f"Image: pixels are {array.dtype}; give floats, or code values to Image.from_numpy")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"Image: pixels have the shape {array.shape}; give H x W x C, each at least 1")
    pixels = array.astype(np.float32, copy=False).view()
    pixels.flags.writeable = False
    return pixels


def _colour_channels(channels: Sequence[str]) -> tuple[int, ...]:
    """R, G, B of no layer, else of the first that has them; else Y; else the first three; else the first."""
    for layer in ("", *(name.rpartition(".")[0] for name in channels)):
        rgb = [_find(channels, layer, names) for names in _RGB_NAMES]
        if None not in rgb:
            return tuple(index for index in rgb if index is not None)
    grey = _find(channels, "", ("y",))
    if grey is not None:
        return (grey,)
    return (0, 1, 2) if len(channels) >= 3 else (0,)


def _find(channels: Sequence[str], layer: str, names: tuple[str, ...]) -> int | None:
    for index, channel in enumerate(channels):
        of, _, name = channel.rpartition(".")
        if of == layer and name.lower() in names:
            return index
    return None


def _as_slice(indices: Sequence[int]) -> Any:
    """The indices as a slice where they follow each other, so that indexing makes a view."""
    first = indices[0]
    if tuple(indices) == tuple(range(first, first + len(indices))):
        return slice(first, first + len(indices))
    return list(indices)


@cache  # the answers, not the ColorConfig: nanobind reports, at exit, what outlives its module
def ocio_names(colorspace: str) -> tuple[str, ...]:
    """A colour space's own name in OCIO's config ($OCIO, or the built-in one), and its aliases."""
    from OpenImageIO import ColorConfig  # 0.1 s, and only for colour spaces that are not ours

    config = ColorConfig()
    name = config.resolve(colorspace)
    return (name, *config.getAliases(name))


@cache
def _is_linear(colorspace: str) -> bool:
    from OpenImageIO import ColorConfig

    config, names = ColorConfig(), ocio_names(colorspace)
    if hasattr(config, "isColorSpaceLinear"):
        return bool(config.isColorSpaceLinear(names[0]))
    # OpenImageIO 3.0, which goes with numpy 1.26, cannot say; the Color Interop Forum's aliases do.
    return any(name.startswith("lin_") for name in names)
