"""Write a picture to a file: whole, or not at all. `hdrnodes.io` hands this on."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from hdrnodes import frames, transfer
from hdrnodes.errors import WriteError
from hdrnodes.file_formats import FileFormat, file_format
from hdrnodes.image import LINEAR, SRGB, STRAIGHT_ALPHA, Image, Pixels
from hdrnodes.imagebuf import set_attributes, spec_of_image
from hdrnodes.pixelwise import band_by_band, pixelwise
from hdrnodes.primaries import chromaticities_of, interop_id
from hdrnodes.whole_file import cannot_write, whole_file

Samples = Pixels | npt.NDArray[np.float16]

_BEYOND = "%s: %d values beyond half's largest, 65504, are written as that"

log = logging.getLogger("hdrnodes")


def write(
    image: Image,
    path: str | os.PathLike[str],
    *,
    pixel_type: str = "half",
    compression: str = "zip",
    overwrite: bool = False,
    record: Mapping[str, object] | None = None,
) -> None:
    """Write a picture, in the format of its name: EXR, TIFF, HDR; PNG, JPEG, WebP, DPX for display-referred ones.

    EXR: colours and alpha have the pixel type; depth, ids and other channels are float always, for half ends at
    65504. The header has `colorInteropID`, `chromaticities`, the metadata, and the record. Straight alpha becomes
    associated, as EXR wants it; the other formats keep it. Pixels are never encoded unasked: scene-linear light goes
    into a PNG or JPEG as it is, clipped at 1, and a warning says so.

    Args:
        path: `.exr`, `.tif`, `.tiff`, `.hdr`, `.png`, `.jpg`, `.jpeg`, `.webp` or `.dpx`.
        pixel_type: `half`, `float`, `uint8`, `uint10`, `uint12`, `uint16`, as the format can; `half`, where it
            cannot, means the format's own: float for scene-linear TIFF, 8 or 16 bits like its source for PNG.
        compression: for EXR `zip`, `piz`, `dwaa:45`, `none`...; for JPEG `jpeg:95`; `zip`, where a format has no
            such, means the format's own.
        overwrite: whether a file that is there may be replaced.
        record: what made it, written as `hdrnodes:...` attributes: text and numbers as they are, arrays as float
            arrays, anything else as JSON; the image's own when none is given. Its curves are `hdrnodes:curve` when the
            record has none. `hdrnodes:...` in the image's metadata, from a file that it was read from, is left out.

    Raises:
        WriteError: the file exists; its folder is missing or not writable; the disk is full; the format is not
            written or cannot hold what was asked for. Nothing is left behind.
    """
    path = Path(path)
    file = file_format(path)
    pixel_type = file.pixel_type_for(image, pixel_type, path)
    compression = file.compression_for(compression, path)
    with whole_file(path, overwrite) as temporary:
        spec, pixels = _spec_and_pixels(image, file, pixel_type, path)
        spec.attribute("compression", compression)
        spec.erase_attribute("hdrnodes:.*")  # of the file that it was read from: another picture's record
        set_attributes(spec, _record_attributes(image, record or image.record))
        _encode(spec, pixels, temporary, path)


def _spec_and_pixels(image: Image, file: FileFormat, pixel_type: str, path: Path) -> tuple[oiio.ImageSpec, Samples]:
    exr = file.name == "OpenEXR"
    image = _only_what_fits(image, file, path)
    halves = [exr and pixel_type == "half" and image.is_colour_or_alpha(index) for index in range(len(image.channels))]
    if not all(halves):
        image = image.to_host()
    straight = image.alpha if image.metadata.get(STRAIGHT_ALPHA) else None
    if exr and straight is not None:
        image = image.with_rgb(image.rgb * straight)
    spec = spec_of_image(image, {"uint10": "uint16", "uint12": "uint16"}.get(pixel_type, pixel_type))
    if pixel_type in ("uint10", "uint12"):
        spec.attribute("oiio:BitsPerSample", int(pixel_type[4:]))
    if exr or straight is None:
        spec.erase_attribute(STRAIGHT_ALPHA)
    if file.name == "TIFF" and image.colorspace != SRGB:
        # Uncalibrated. Without any Exif, OpenImageIO 3.2 says "failed TIFFWriteCustomDirectory()" of a good file.
        spec.attribute("Exif:ColorSpace", 65535)
    if image.is_linear:  # a profile speaks of what was encoded
        spec.erase_attribute("ICCProfile.*")
    if exr:
        chromaticities = image.metadata.get("chromaticities") if image.colorspace == LINEAR else None
        set_attributes(spec, {"chromaticities": chromaticities or chromaticities_of(image.colorspace) or ()})
        if name := interop_id(image.colorspace):
            spec.attribute("colorInteropID", name)
        if pixel_type == "half":
            spec.channelformats = tuple(oiio.TypeDesc("half" if half else "float") for half in halves)
            return spec, _within_half(image, halves, path)
    elif file.name == "Radiance HDR" and not image.is_linear:
        log.warning(
            "%s: HDR files are taken for scene-linear, and this is %s; convert it first", path, image.colorspace
        )
    elif pixel_type not in ("half", "float") and image.is_linear:
        clipped = " and clipped at 1" if image.pixels.max() > 1 else ""
        log.warning(
            "%s: scene-linear light is written as it is%s, unencoded; to look at it, convert it to sRGB "
            "(--colorspace %s, ColorSpace) or ToneMap it first",
            path,
            clipped,
            SRGB,
        )
    return spec, np.ascontiguousarray(image.pixels)


def _only_what_fits(image: Image, file: FileFormat, path: Path) -> Image:
    """Leave out channels that the format has no place for, and say so."""
    if file.channels == "all":
        return image
    keep = image.without_extra_channels(alpha=file.channels == "RGBA")
    left_out = [name for name in image.channels if name not in keep.channels]
    if left_out:
        log.warning("%s: %s has no place for %s; left out", path, file.name, ", ".join(left_out))
    return keep


def _within_half(image: Image, halves: list[bool], path: Path) -> Samples:
    """The pixels with what is to be half no larger than that can hold; those on a device, which all are to be half,
    come as that."""
    if image.device is not None:
        samples, count = transfer.halves(image.pixels)
        if count:
            log.warning(_BEYOND, path, count)
        return samples
    pixels = np.ascontiguousarray(image.pixels)

    def too_bright(pixels: Pixels) -> npt.NDArray[np.bool_]:
        return (np.abs(pixels) > transfer.HALF_MAX) & halves

    count = sum(band_by_band(lambda pixels: int(too_bright(pixels).sum()), pixels))
    if not count:
        return pixels
    log.warning(_BEYOND, path, count)
    most = np.float32(transfer.HALF_MAX)
    clipped: Pixels = pixelwise(lambda pixels: np.where(too_bright(pixels), np.copysign(most, pixels), pixels), pixels)
    return clipped


def _record_attributes(image: Image, record: Mapping[str, object]) -> dict[str, object]:
    attributes = {name if name.startswith("hdrnodes:") else f"hdrnodes:{name}": record[name] for name in record}
    if image.curves is not None:
        attributes.setdefault("hdrnodes:curve", image.curves)
    return {
        name: value.astype(np.float32)
        if isinstance(value, np.ndarray)
        else value
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
        else json.dumps(value, default=str, sort_keys=True)
        for name, value in attributes.items()
    }


def _encode(spec: oiio.ImageSpec, pixels: Samples, temporary: Path, path: Path) -> None:
    """Have OpenImageIO write the file.

    libjpeg ends the whole process when the disk is full, libwebp too: where the system can (Linux), these write
    to memory, and we to the disk.
    """
    if temporary.suffix.lower() in (".jpg", ".jpeg", ".webp") and hasattr(os, "memfd_create"):
        memory = os.memfd_create("hdrnodes")
        try:
            _write_image(spec, pixels, f"/proc/self/fd/{memory}", path)
            os.lseek(memory, 0, os.SEEK_SET)
            with os.fdopen(os.dup(memory), "rb") as encoded:
                temporary.write_bytes(encoded.read())
        finally:
            os.close(memory)
    else:
        _write_image(spec, pixels, str(temporary), path)


def _write_image(spec: oiio.ImageSpec, pixels: Samples, target: str, path: Path) -> None:
    output = oiio.ImageOutput.create(path.suffix.lstrip("."))
    if output is None:
        raise WriteError(path, f"this OpenImageIO writes no {path.suffix}", "choose .exr")
    done = output.open(target, spec)
    for rows in frames.bands(*pixels.shape[:2]):
        done = done and output.write_scanlines(spec.y + rows.start, spec.y + rows.stop, 0, pixels[rows])
        frames.release(pixels[rows])
    problem = output.geterror()
    done = output.close() and done
    problem = problem or output.geterror()
    # The PNG writer reports success on a full disk, and leaves the truth in its message.
    if not done or problem:
        raise _why_not(path, target, problem, pixels.nbytes)


def _why_not(path: Path, target: str, problem: str, size: int) -> WriteError:
    """OpenImageIO's words do not say what the system said; ask the system."""
    try:
        with Path(target).open("ab"):
            pass
    except OSError as error:
        return cannot_write(path, error)
    disk = os.statvfs(path.parent) if hasattr(os, "statvfs") else None
    if disk and disk.f_bavail * disk.f_frsize < min(size, 2**20):
        return cannot_write(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    first = problem.splitlines()[0] if problem else "no reason given"
    return WriteError(path, f"could not be written ({first})", "check the disk's space and the folder's permissions")
