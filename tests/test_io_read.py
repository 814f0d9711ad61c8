"""Every picture in tests/pictures has four bars: these colours. Made with Pillow, which OpenImageIO did not see."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from hdrnodes.errors import ReadError
from hdrnodes.image import LINEAR, SRGB, Image, Window
from hdrnodes.io import read, write

PICTURES = Path(__file__).parent / "pictures"
BARS = np.float32([(200, 30, 40), (30, 180, 60), (40, 50, 210), (230, 230, 230)])


def make(path, array, pixel_type="uint8", *, tile=0, channels=(), **attributes):
    """Write with OpenImageIO itself; attributes by name, with `__` for `:`."""
    height, width, count = array.shape
    spec = oiio.ImageSpec(width, height, count, pixel_type)
    if channels:
        spec.channelnames = channels
    spec.tile_width = spec.tile_height = tile
    for name, value in attributes.items():
        name = name.replace("__", ":")
        if isinstance(value, tuple):
            spec.attribute(name, f"float[{len(value)}]", value)
        else:
            spec.attribute(name, value)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(np.float32(array)) and output.close()
    return path


def noise(*shape):
    return np.random.default_rng(1).random(shape, np.float32)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("progressive.jpg", "RGB"),
        ("cmyk.jpg", "RGB"),
        ("ycck.jpg", "RGB"),
        ("palette.png", "RGB"),
        ("palette_alpha.png", "RGBA"),
        ("animated.gif", "RGBA"),
    ],
)
def test_colours_are_right_whatever_they_are_stored_as(name, channels):
    if name.endswith("gif") and "gif" not in oiio.get_string_attribute("format_list").split(","):
        pytest.skip("this OpenImageIO reads no GIF")
    image = read(PICTURES / name)
    assert ("".join(image.channels), image.colorspace, image.bits) == (channels, SRGB, 8)
    np.testing.assert_allclose(image.rgb[24, 8::16] * 255, BARS, atol=2)


def test_transparent_pixels_of_a_palette_keep_their_colour():
    image = read(PICTURES / "palette_alpha.png")
    np.testing.assert_array_equal(image.alpha[24, 8::16, 0], [1, 1, 1, 0])
    np.testing.assert_allclose(image.rgb[24, 56] * 255, BARS[3], atol=0.01)


def test_grey_stays_one_channel():
    image = read(PICTURES / "grey.jpg")
    assert image.channels == ("Y",) and image.pixels.shape == (48, 64, 1)


@pytest.mark.parametrize(
    ("name", "pixel_type", "count", "extra", "bits", "colorspace", "exact"),
    [
        ("8.png", "uint8", 3, {}, 8, SRGB, 255),
        ("16.png", "uint16", 4, {"oiio__UnassociatedAlpha": 1}, 16, SRGB, 65535),
        ("grey_alpha.png", "uint8", 2, {"oiio__UnassociatedAlpha": 1}, 8, SRGB, 255),
        ("8.tif", "uint8", 1, {}, 8, SRGB, 255),
        ("tiled.tif", "uint16", 4, {"tile": 16, "oiio__UnassociatedAlpha": 1}, 16, SRGB, 65535),
        ("float.tif", "float", 3, {}, 32, LINEAR, None),
        ("half.exr", "half", 4, {}, 16, LINEAR, None),
        ("tiled.exr", "float", 3, {"tile": 16}, 32, LINEAR, None),
        ("10.dpx", "uint16", 3, {"oiio__BitsPerSample": 10}, 10, SRGB, 1023),
        ("log.dpx", "uint16", 3, {"oiio__BitsPerSample": 10, "oiio__ColorSpace": "KodakLog"}, 10, "KodakLog", 1023),
        ("density.dpx", "uint16", 3, {"dpx__Transfer": "Printing density"}, 16, "KodakLog", 65535),
        ("lossless.webp", "uint8", 3, {"compression": "lossless"}, 8, SRGB, 255),
    ],
)
def test_kinds_of_file(tmp_path, name, pixel_type, count, extra, bits, colorspace, exact):
    pixels = noise(33, 31, count)
    if exact:
        pixels = np.round(pixels * exact) / exact
    image = read(make(tmp_path / name, pixels, pixel_type, **extra))
    assert (image.bits, image.colorspace, len(image.channels)) == (bits, colorspace, count)
    np.testing.assert_allclose(image.pixels, pixels, atol=5e-4 if pixel_type == "half" else 2e-5)


def test_radiance_hdr_is_linear(tmp_path):
    pixels = noise(20, 30, 3) * 40
    image = read(make(tmp_path / "a.hdr", pixels, "float"))
    assert (image.colorspace, image.is_linear) == (LINEAR, True)
    np.testing.assert_allclose(image.pixels, pixels, atol=pixels.max() / 128)


@pytest.mark.parametrize(
    ("attributes", "colorspace"),
    [
        ({}, LINEAR),
        ({"chromaticities": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)}, LINEAR),
        ({"chromaticities": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)}, "lin_ap1_scene"),
        ({"colorInteropID": "lin_ap0_scene"}, "lin_ap0_scene"),
        ({"oiio__ColorSpace": SRGB}, SRGB),
    ],
)
def test_an_exr_has_the_colour_space_that_it_says(tmp_path, attributes, colorspace):
    if OLD and "oiio__ColorSpace" in attributes:
        pytest.skip("OpenImageIO 3.0 does not write it into an EXR; our `write` does")
    assert read(make(tmp_path / "a.exr", noise(4, 4, 3), "half", **attributes)).colorspace == colorspace


def test_primaries_without_a_name_are_carried_on(tmp_path):
    odd = (0.7, 0.3, 0.2, 0.7, 0.1, 0.05, 0.31, 0.32)
    image = read(make(tmp_path / "odd.exr", noise(4, 4, 3), "half", chromaticities=odd))
    write(image, tmp_path / "out.exr")
    np.testing.assert_allclose(OpenEXR.File(str(tmp_path / "out.exr")).header()["chromaticities"], odd, rtol=1e-6)


@pytest.mark.parametrize("profile", ["Display P3", "Adobe RGB (1998)"])
def test_a_profile_that_we_know_names_the_colour_space(profile):
    from hdrnodes.imagebuf import image_of_spec

    spec = oiio.ImageSpec(1, 1, 3, "uint8")
    spec.attribute("oiio:ColorSpace", SRGB)
    spec.attribute("ICCProfile:profile_description", profile)
    image = image_of_spec(spec, noise(1, 1, 3))
    assert image.colorspace == {"Display P3": "srgb_p3d65_scene"}.get(profile, "g22_adobergb_scene")
    assert image.is_linear is False


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_pictures_are_turned_upright(tmp_path, orientation, suffix):
    """Where the first row and column go, by EXIF 2.32, Orientation. (OpenImageIO 3.0 has 5 and 7 the wrong way.)"""
    path = make(tmp_path / f"a.{suffix}", np.repeat(noise(2, 3, 3), 8, 0).repeat(8, 1), Orientation=orientation)
    stored = oiio.ImageBuf(str(path)).get_pixels("float")
    first_row, first_column = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    image = read(path)
    edges = {"top": image.pixels[0], "bottom": image.pixels[-1]}
    edges |= {"left": image.pixels[:, 0], "right": image.pixels[:, -1]}
    for edge, expected in [(first_row, stored[0]), (first_column, stored[:, 0])]:
        same_way = np.allclose(edges[edge], expected, atol=1e-6)
        assert same_way or np.allclose(edges[edge][::-1], expected, atol=1e-6)
    row = edges[first_row]
    start = row[0] if first_column in ("left", "top") else row[-1]
    np.testing.assert_allclose(start, stored[0, 0], atol=1e-6)
    assert image.metadata.get("Orientation", 1) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_windows_turn_with_the_picture(orientation):
    """Against the pixels of a whole frame turned, in which the data window is the part that is not zero."""
    from hdrnodes.imagebuf import image_of_spec

    def image(pixels, x, y):
        spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], 1, "float")
        spec.x, spec.y = x, y
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = 0, 0, 9, 7
        spec.attribute("Orientation", orientation)
        return image_of_spec(spec, pixels)

    part = 1 + noise(3, 5, 1)
    frame = np.zeros((7, 9, 1), np.float32)
    frame[2:5, 1:6] = part
    turned, whole = image(part, 1, 2), image(frame, 0, 0).pixels
    window = turned.data_window
    np.testing.assert_array_equal(
        whole[window.y : window.y + window.height, window.x : window.x + window.width], turned.pixels
    )


def test_straight_alpha_does_not_touch_the_colours(tmp_path):
    pixels = np.round(noise(8, 8, 4) * 255) / 255
    pixels[:4, :, 3] = 0
    image = read(make(tmp_path / "a.png", pixels, oiio__UnassociatedAlpha=1))
    np.testing.assert_allclose(image.pixels, pixels, atol=1e-6)
    assert image.metadata["oiio:UnassociatedAlpha"] == 1


def test_depth_ids_windows_and_the_first_part_come_from_an_exr(tmp_path):
    path = tmp_path / "parts.exr"
    beauty = {
        "RGB": noise(4, 6, 3).astype(np.float16),
        "depth.Z": noise(4, 6) * 1e6,
        "id": np.arange(24, dtype=np.uint32).reshape(4, 6) * 1000,
    }
    window = (np.array([-2, 3], np.int32), np.array([3, 6], np.int32))
    display = (np.array([0, 0], np.int32), np.array([9, 7], np.int32))
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    parts = [
        OpenEXR.Part({**header, "dataWindow": window, "displayWindow": display}, dict(beauty), "beauty"),
        OpenEXR.Part({**header, "displayWindow": display}, {"Y": noise(8, 10)}, "other"),
    ]
    OpenEXR.File(parts).write(str(path))
    image = read(path)
    assert (image.data_window, image.display_window) == (Window(-2, 3, 6, 4), Window(0, 0, 10, 8))
    by_name = dict(zip(image.channels, np.moveaxis(image.pixels, 2, 0), strict=True))
    np.testing.assert_array_equal(by_name["id"], beauty["id"])
    np.testing.assert_array_equal(by_name["depth.Z"], beauty["depth.Z"])
    np.testing.assert_array_equal(image.rgb, beauty["RGB"])
    assert read(path, subimage=1).channels == ("Y",)
    with pytest.raises(ReadError, match="has no subimage 2"):
        read(path, subimage=2)


def test_metadata_is_kept_and_the_layout_of_the_file_is_not(tmp_path):
    path = make(
        tmp_path / "a.jpg", noise(8, 8, 3), Make="Acme", DateTime="2026:01:02 03:04:05", Exif__ISOSpeedRatings=200
    )
    metadata = read(path).metadata
    assert metadata["Make"] == "Acme" and metadata["DateTime"] == "2026:01:02 03:04:05"
    assert 200 in (metadata.get("Exif:ISOSpeedRatings"), metadata.get("Exif:PhotographicSensitivity"))
    assert not any(name.startswith(("oiio:", "jpeg:")) for name in metadata)


def test_an_imagebuf_goes_there_and_back():
    image = Image(noise(3, 4, 5), channels=("R", "G", "B", "A", "Z"), colorspace=LINEAR, metadata={"Make": "Acme"})
    back = Image.from_imagebuf(image.to_imagebuf())
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert (back.channels, back.colorspace, back.metadata["Make"]) == (image.channels, LINEAR, "Acme")


# What cannot be read


OLD = oiio.VERSION < 30100  # 3.0, which goes with numpy 1.26; its readers are less strict, and its wheel has no GIF


def one_line(error, path):
    text = str(error.value)
    assert "\n" not in text and text.startswith(f"{path}: ") and text.count("; ") >= 1
    assert text.count(str(path)) == 1
    return text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"hello, this is text", "is not an image"),
        ("text.exr", b"hello, this is text", "is not an image"),
        ("none", b"hello, this is text", "is not an image"),
        ("head.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "is JPEG, and its header is cut off or damaged"),
        ("head.exr", b"v/1\x01\x02\0\0\0chan", "is OpenEXR, and its header is cut off or damaged"),
        ("clip.mp4", b"\0\0\0\x18ftypisom\0\0\0\0", "is a video; take its frames out"),
        ("shot.nef", b"II*\0\x08\0\0\0", "camera raw file; develop it"),
        ("bomb.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0" * 20, "over the limit of 300 megapixels"),
    ],
)
def test_what_is_no_picture_is_said_in_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReadError) as error:
        read(path)
    assert words in one_line(error, path)


def test_missing_files_folders_and_pipes_are_said_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.exr")
    for name, words in [("none.jpg", "does not exist"), ("", "is a folder"), ("pipe.exr", "not a regular file")]:
        with pytest.raises(ReadError) as error:
            read(tmp_path / name)
        assert words in one_line(error, tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said_in_one_line(tmp_path):
    path = make(tmp_path / "a.png", noise(4, 4, 3))
    path.chmod(0)
    with pytest.raises(ReadError, match="may not be read by this user"):
        read(path)


@pytest.mark.skipif("heif" in oiio.get_string_attribute("format_list").split(","), reason="this OpenImageIO reads HEIC")
def test_heic_without_libheif_says_what_helps():
    with pytest.raises(ReadError, match="is HEIC, which this OpenImageIO was built without; convert it"):
        read(PICTURES / "blocks.heic")


@pytest.mark.parametrize(
    ("name", "pixel_type", "extra"),
    [
        ("a.jpg", "uint8", {}),
        ("a.png", "uint8", {}),
        ("a.tif", "uint16", {}),
        ("tiled.tif", "uint8", {"tile": 16}),
        ("a.exr", "half", {}),
        ("piz.exr", "half", {"compression": "piz"}),
        ("tiled.exr", "half", {"tile": 16}),
        ("a.hdr", "float", {}),
        ("a.dpx", "uint16", {"oiio__BitsPerSample": 10}),
        ("a.webp", "uint8", {}),
    ],
)
@pytest.mark.parametrize("part", [0.995, 0.61, 0.1])
def test_a_file_that_is_cut_off_is_refused(tmp_path, capfd, name, pixel_type, extra, part):
    if OLD and name == "a.dpx":
        pytest.skip("OpenImageIO 3.0 reads a DPX that is cut off as if it were whole")
    path = make(tmp_path / name, noise(400, 300, 3), pixel_type, **extra)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ReadError) as error:
        read(path)
    text = one_line(error, path)
    assert "cut off" in text and "copy it again from the source" in text
    if not (OLD and name.endswith("exr")):
        assert capfd.readouterr() == ("", "")  # no words of libpng's own
    if part == 0.61 and name in ("a.jpg", "a.tif", "a.exr", "a.hdr", "a.dpx"):
        percent = int(text.split("after ")[1].split(" %")[0])
        assert 50 <= percent <= 62


def test_damage_in_the_middle_is_found(tmp_path):
    for name in ("a.jpg", "a.png", "a.exr", *([] if OLD else ["a.tif"])):  # 3.0 reads on over damage in a TIFF
        path = make(tmp_path / name, noise(100, 100, 3), "half" if name == "a.exr" else "uint8")
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 200] = b"\xff\xd9" * 100  # to a JPEG, which has no checksums, an early end
        path.write_bytes(content)
        with pytest.raises(ReadError, match="damaged"):
            read(path)


@pytest.mark.parametrize("name", ["a.png", "a.exr", "a.tif"])
def test_the_pixel_limit_is_checked_before_decoding(tmp_path, name):
    path = make(tmp_path / name, noise(50, 40, 8 if name != "a.png" else 3), "half" if name == "a.exr" else "uint8")
    counted = 2000 if name == "a.png" else 4000  # every four channels count once
    read(path, max_pixels=counted)
    limits = f"over the limit of 0.00{counted - 1} megapixels; .* raise the limit to 0.00{counted // 1000} megapixels"
    with pytest.raises(ReadError, match=limits):
        read(path, max_pixels=counted - 1)


def test_a_png_of_20000_by_20000_is_refused_on_its_header(tmp_path):
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", bytes(10**6)) + chunk(b"IEND", b""))
    with pytest.raises(ReadError, match="20000 x 20000 pixels of 3 channels, over the limit of 300 megapixels"):
        read(path)


def test_lab_and_deep_pictures_are_refused(tmp_path):
    from hdrnodes.io import _check_header

    spec = oiio.ImageSpec(4, 4, 3, "uint8")
    spec.attribute("tiff:ColorSpace", "CIELAB")
    with pytest.raises(ReadError, match="CIELAB"):
        _check_header(Path("a.tif"), spec, "tiff")
    spec.deep = True
    with pytest.raises(ReadError, match="deep picture; flatten"):
        _check_header(Path("a.exr"), spec, "openexr")


@pytest.mark.parametrize(
    "channels", [("R", "G"), ("G", "B"), ("R", "G", "A"), ("R", "B", "Z"), ("beauty.R", "beauty.G")]
)
def test_an_exr_of_two_of_three_colours_is_refused(tmp_path, channels):
    path = make(tmp_path / "a.exr", noise(4, 4, len(channels)), "half", channels=channels)
    two = " and ".join(name for name in channels if name[-1] in "RGB")
    with pytest.raises(ReadError) as error:
        read(path)
    assert str(error.value) == f"{path}: has {two} of three colours; write R, G and B; or grey, as Y"


@pytest.mark.parametrize(
    ("name", "channels"),
    [("a.exr", ("Y", "A")), ("a.exr", ("R",)), ("a.exr", ("R", "A")), ("a.exr", ("U", "V")), ("a.tif", ("R", "G"))],
)
def test_grey_of_one_and_two_channels_is_grey(tmp_path, name, channels):
    """OpenImageIO says R, G of a TIFF that is grey and something else."""
    values = noise(4, 4, len(channels))
    image = read(make(tmp_path / name, values, "float", channels=channels))
    np.testing.assert_array_equal(image.rgb, np.repeat(values[..., :1], 3, axis=2))


def test_a_file_that_was_read_can_be_replaced_and_read_again(tmp_path):
    path = make(tmp_path / "a.png", np.zeros((4, 4, 3)))
    assert read(path).pixels.max() == 0
    make(path, np.ones((4, 4, 3)))
    assert read(path).pixels.min() == 1
    if Path("/proc/self/fd").exists():
        assert str(path) not in [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]


def test_images_need_no_openimageio_until_a_file_is_read():
    code = "import sys, hdrnodes.image; assert not {'OpenImageIO', 'torch'} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_utf_8_is_said_in_one_line(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/pl\xe4te.png"))
    try:
        make(tmp_path / "plate.png", noise(2, 2, 3), "uint8").rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(ReadError) as error:
        read(path)
    assert "not UTF-8, which OpenImageIO cannot open; rename it" in one_line(error, path)
