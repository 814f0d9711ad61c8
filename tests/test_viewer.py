"""The viewer, but for what is in the browser: pictures and their tiles, the exported file, the command."""

import json
import re
import signal
import socket
import urllib.request
from http.client import HTTPConnection

import numpy as np
import pytest
from cli import hdrnodes, plate, save, start
from viewer_page import noise, write_noise

from hdrnodes.curve import Curve
from hdrnodes.image import LINEAR, Image
from hdrnodes.io import read, write
from hdrnodes.nodes.color_space import convert
from hdrnodes.viewer import export
from hdrnodes.viewer.export import export_page, packed
from hdrnodes.viewer.picture import Picture
from hdrnodes.viewer.pictures import Pictures, Side
from hdrnodes.viewer.pyramid import TILE, Pyramid
from hdrnodes.viewer.web_page import modules, page_files


@pytest.fixture
def result(tmp_path):
    return write_noise(tmp_path / "out.exr")


# Tiles


def test_tiles_with_their_borders_are_the_picture():
    pixels = noise(700, 1030)
    pyramid = Pyramid(pixels)
    wide = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.float16)
    level = pyramid.levels[0]
    assert (level.columns, level.rows) == (3, 2)
    for row in range(level.rows):
        for column in range(level.columns):
            place = wide[row * TILE : (row + 1) * TILE + 2, column * TILE : (column + 1) * TILE + 2]
            assert (pyramid.tile(0, column, row) == place).all()


def test_each_level_has_the_means_of_the_one_before():
    pixels = noise(701, 1031)
    pyramid = Pyramid(pixels)
    assert pyramid.levels == ((1, 1031, 701), (2, 516, 351), (4, 258, 176))
    expected = pixels[:512, :512].reshape(256, 2, 256, 2, 3).mean((1, 3))
    np.testing.assert_allclose(pyramid.tile(1, 0, 0)[1:257, 1:257], expected, rtol=1e-3)
    corner = pixels[700, 1030]  # alone at an odd edge
    np.testing.assert_allclose(pyramid.tile(1, 1, 0)[351, -2], corner, rtol=1e-3)


@pytest.mark.parametrize("place", [(0, 1, 0), (0, 0, -1), (1, 0, 0), (-1, 0, 0)])
def test_there_is_no_tile_beyond_the_picture(place):
    with pytest.raises(IndexError):
        Pyramid(noise(8, 8)).tile(*place)


@pytest.mark.parametrize("size", [(1, 1), (1, 1500), (513, 2)])
def test_pictures_of_odd_sizes_have_tiles(size):
    pyramid = Pyramid(noise(*size))
    assert pyramid.tile(len(pyramid.levels) - 1, 0, 0).ndim == 3


# Pictures


def test_a_plate_is_taken_through_srgb(tmp_path):
    picture = Picture.load(save(tmp_path / "plate.png"))
    expected = convert(read(tmp_path / "plate.png"), LINEAR).rgb  # OCIO's way
    np.testing.assert_allclose(picture.pyramid.tile(0, 0, 0)[1:-1, 1:-1], expected, rtol=1e-3, atol=1e-6)
    assert picture.about()["codes"] == 255 and not picture.about()["linear"]


def test_straight_alpha_is_multiplied_in_as_an_exr_has_it(tmp_path):
    save(tmp_path / "cut.png", plate(channels=4))
    write(convert(read(tmp_path / "cut.png"), LINEAR), tmp_path / "cut.exr", pixel_type="float")
    straight, associated = (Picture.load(tmp_path / name).pyramid.tile(0, 0, 0) for name in ("cut.png", "cut.exr"))
    np.testing.assert_allclose(straight, associated, rtol=2e-3, atol=1e-6)


def test_a_sixteen_bit_plate_keeps_its_codes(tmp_path):
    picture = Picture.load(save(tmp_path / "deep.png", pixel_type="uint16"))
    reading = picture.reading(3, 4)
    assert picture.about()["codes"] == 65535
    np.testing.assert_allclose(reading["rgb"], read(tmp_path / "deep.png").rgb[4, 3])


def test_depth_and_ids_can_be_read_but_are_not_shown(tmp_path):
    image = Image(noise(4, 5, 4) * 1e6, ("R", "G", "B", "Z"), LINEAR)
    write(image, tmp_path / "deep.exr", pixel_type="float")
    picture = Picture.load(tmp_path / "deep.exr")
    assert picture.about()["channels"] == 3
    assert picture.reading(2, 1)["others"] == {"Z": float(image.pixels[1, 2, 3])}
    assert picture.reading(5, 1) is None and picture.reading(0, -1) is None


def test_light_beyond_halfs_range_is_shown_at_its_end_and_read_as_it_is(tmp_path):
    pixels = noise(4, 4)
    pixels[1, 2] = [1e9, -1e6, np.nan]
    picture = Picture.load(save(tmp_path / "bright.exr", pixels, "float"))
    assert picture.pyramid.tile(0, 0, 0)[2, 3].tolist() == [65504, -65504, 0]
    assert picture.reading(2, 1)["rgb"] == [1e9, -1e6, "nan"]
    assert picture.notes == ("1 value is no number: shown as 0", "2 values beyond 65504: shown as that")
    json.dumps(picture.reading(2, 1), allow_nan=False)


def test_a_colour_space_that_nobody_knows_is_shown_and_said(tmp_path):
    save(tmp_path / "odd.exr", noise(4, 4), "float", colorInteropID="StudioLin42")
    picture = Picture.load(tmp_path / "odd.exr")
    assert picture.notes == (f"StudioLin42 is not in the OCIO config: shown as {LINEAR}",)


def test_the_curve_of_the_header_is_found_and_another_attribute_is_not_taken_for_one(tmp_path):
    curve = Curve.named("bt709")
    write(Image(noise(2, 2), colorspace=LINEAR, curves=curve.samples), tmp_path / "out.exr")
    found = Picture.load(tmp_path / "out.exr").about()["curve"]
    np.testing.assert_allclose(
        found[0][::32], np.interp(np.linspace(0, 1023, 5), range(1024), curve.samples[0]), atol=1e-5
    )
    save(tmp_path / "other.exr", noise(2, 2), "float", **{"hdrnodes:curve": "by hand"})
    assert Picture.load(tmp_path / "other.exr").about()["curve"] is None


def test_pictures_are_read_once_and_again_when_they_are_rendered_anew(result):
    pictures = Pictures([Side.find(str(result))])
    first = pictures.get(0, 0)
    assert pictures.get(0, 0) is first
    write(Image(noise(41, 60), colorspace=LINEAR), result, overwrite=True)
    assert pictures.get(0, 0).image.height == 41


def test_only_so_many_pictures_are_kept(tmp_path, monkeypatch):
    for frame in range(1, 5):
        write(Image(noise(8, 8) * frame, colorspace=LINEAR), tmp_path / f"out.{frame:04}.exr")
    pictures = Pictures([Side.find(f"{tmp_path}/out.####.exr")])
    first = pictures.get(0, 0)
    monkeypatch.setattr("hdrnodes.viewer.pictures.KEPT_BYTES", 3 * first.nbytes)
    for frame in (1, 2):
        pictures.get(0, frame)
    assert pictures.get(0, 0) is first
    second = pictures.get(0, 1)
    pictures.get(0, 3)  # takes the place of frame 2, which was not looked at for longest
    assert pictures.get(0, 0) is first and pictures.get(0, 1) is second


def test_of_two_shots_the_first_says_which_frames(tmp_path):
    for frame in (1, 2, 3):
        save(tmp_path / f"a.{frame}.png")
        save(tmp_path / f"b.{frame}.png")
    sides = [
        Side.find(f"{tmp_path}/a.#.png", "1-2"),
        Side.find(f"{tmp_path}/b.#.png"),
        Side.find(f"{tmp_path}/a.1.png"),
    ]
    pictures = Pictures(sides)
    assert pictures.frames == (1, 2)
    assert [pictures.get(side, 1).name for side in range(3)] == ["a.2.png", "b.2.png", "a.1.png"]


# The page's files


def test_modules_import_only_modules_that_are_there():
    """None from elsewhere: nothing is bundled, so nothing has to be licensed."""
    imported = set()
    for text in modules().values():
        imported |= set(re.findall(r'^import .* from "([^"]+)";$', text.decode(), re.M | re.S))
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text.decode())
    named = {name for text in modules().values() for name in re.findall(r'from "viewer/([^"]+)"', text.decode())}
    assert named | {"main.js"} == set(modules())
    assert {name.rpartition(".")[2] for name in page_files()} == {"js", "css", "html"}


# The exported file


def test_packed_tiles_unpack_to_the_same():
    """As the page does; `test_viewer_page` has the page do it."""
    import zlib

    tile = (noise(9, 14, 4) * 100 - 20).astype(np.float16)
    raw = np.frombuffer(zlib.decompress(packed(tile)), np.uint8).astype(np.uint16)
    small = (raw[: raw.size // 2] | raw[raw.size // 2 :] << 8).astype(np.uint16)
    steps = (small >> 1) ^ (np.uint16(0) - (small & 1))
    values = np.cumsum(steps.reshape(4, 9, 14), axis=2, dtype=np.uint16)
    assert (values.transpose(1, 2, 0) == tile.view(np.uint16)).all()


def test_an_export_is_one_file_that_loads_nothing(result, tmp_path):
    written = export_page(Pictures([Side.find(str(result))]), tmp_path / "view.html")
    page = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert written == (len(page.encode()), 1, 60)
    assert "default-src 'none'" in page and not re.search(r'(src|href)="(?!data:)', page)


def test_the_same_pictures_make_the_same_file(result, tmp_path):
    for name in ("one.html", "two.html"):
        export_page(Pictures([Side.find(str(result))]), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_name_cannot_break_out_of_the_page(tmp_path):
    path = tmp_path / "<script>alert(1)<" / "b>.exr"
    path.parent.mkdir()
    write(Image(noise(4, 4), colorspace=LINEAR), path)
    export_page(Pictures([Side.find(str(path))]), tmp_path / "view.html")
    page = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "b>.exr" in page


def test_large_pictures_are_exported_at_a_half_or_less(tmp_path):
    write(Image(noise(300, 1100), colorspace=LINEAR), tmp_path / "large.exr")
    ran = hdrnodes("view", tmp_path / "large.exr", "--export", tmp_path / "view.html", "--export-size", 600)
    assert ran.exit_code == 0 and ran.stdout == f"{tmp_path / 'view.html'}\n"
    assert "1/2 of their size; --export-size 1100 keeps every pixel" in ran.stderr
    size = (tmp_path / "view.html").stat().st_size
    assert f"view.html: {size / 1e6:.1f} MB" in ran.stderr
    page = (tmp_path / "view.html").read_text()
    about = json.loads(re.search(r'id="picture-0-0">(.*?)</script>', page)[1])
    assert about["levels"] == [[2, 550, 150], [4, 275, 75]]
    assert re.findall(r'id="tile-0-0-(\d-\d-\d)"', page) == ["1-0-0", "1-1-0", "2-0-0"]


def test_an_export_that_no_browser_opens_is_refused(result, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LARGEST", 50_000)
    ran = hdrnodes("view", result, "--export", tmp_path / "view.html")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "take fewer frames, or a smaller --export-size" in ran.stderr
    assert not list(tmp_path.glob("*.html")) and not list(tmp_path.glob(".hdrnodes-*"))


def test_a_shot_is_exported_and_a_gap_in_it_is_exit_code_1(tmp_path):
    for frame in (1, 2, 4):
        write(Image(noise(8, 8) * frame, colorspace=LINEAR), tmp_path / f"out.{frame:04}.exr")
    ran = hdrnodes("view", tmp_path / "out.####.exr", "--export", tmp_path / "view.html", "--frames", "1-4")
    assert ran.exit_code == 1 and "frame 3 missing" in ran.stderr
    page = (tmp_path / "view.html").read_text()
    assert json.loads(re.search(r'id="about">(.*?)</script>', page)[1])["frames"] == [1, 2, 4]
    assert len(re.findall(r'id="picture-0-\d"', page)) == 3


# The command


@pytest.mark.parametrize(
    ("contents", "said"),
    [(None, "does not exist"), (b"", "is empty"), (b"nothing like a picture", "is not an image")],
)
def test_what_cannot_be_looked_at_is_one_line(result, tmp_path, contents, said):
    bad = tmp_path / "bad.exr"
    if contents is not None:
        bad.write_bytes(contents)
    for arguments in ([bad], [result, bad]):
        ran = hdrnodes("view", *arguments, "--no-browser")
        assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
        assert ran.stderr.startswith(str(bad)) and said in ran.stderr


def test_a_pattern_without_frames_and_a_range_without_a_pattern(result, tmp_path):
    ran = hdrnodes("view", tmp_path / "none.####.exr", "--no-browser")
    assert ran.exit_code == 1 and "no frame of it exists" in ran.stderr
    assert hdrnodes("view", result, "--frames", "1-3").exit_code == 2


def test_a_file_that_is_there_is_not_replaced(result, tmp_path):
    (tmp_path / "view.html").write_text("mine")
    ran = hdrnodes("view", result, "--export", tmp_path / "view.html")
    assert ran.exit_code == 1 and "exists already" in ran.stderr
    assert hdrnodes("view", result, "--export", tmp_path / "view.html", "--overwrite").exit_code == 0
    assert (tmp_path / "view.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    "words, told",
    [
        (["--export", "view.html", "--port", 0], "--port is for the served page, not for --export"),
        (["--export", "view.html", "--no-browser"], "--no-browser is for the served page, not for --export"),
        (["--export-size", 2048], "--export-size is only for --export"),
        (["--overwrite"], "--overwrite is only for --export"),
    ],
)
def test_options_that_would_have_no_effect_are_wrong_usage(result, words, told):
    ran = hdrnodes("view", result, *words)
    assert (ran.exit_code, ran.stdout) == (2, "") and told in " ".join(ran.stderr.replace("│", " ").split())


def test_a_port_that_is_taken_is_one_line(result):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = hdrnodes("view", result, "--no-browser", "--port", port)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"port {port}: cannot be listened on (") and ran.stderr.endswith("; choose another\n")


def test_it_prints_the_address_and_ctrl_c_ends_it_quietly(result):
    command = start("view", result, "--no-browser")
    url = command.stdout.readline().strip()
    connection = HTTPConnection(*re.match(r"http://([\d.]+):(\d+)/", url).groups())
    connection.request("GET", "/" + url.split("/", 3)[3] + "picture/0/0")
    assert json.loads(connection.getresponse().read())["name"] == "out.exr"
    command.send_signal(signal.SIGINT)  # while a connection is open, as a browser's is
    assert command.communicate(timeout=20) == ("", "") and command.returncode == 0
    connection.close()


def test_the_browser_finds_the_page_and_its_arguments_do_not_tell_where(result, monkeypatch):
    import webbrowser

    from hdrnodes.viewer.server import ViewServer

    opened = []

    def browser(url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            opened.append((url, answer.url))

    def interrupted(self):
        if opened:
            raise KeyboardInterrupt

    monkeypatch.setattr(webbrowser, "open", browser)
    monkeypatch.setattr(ViewServer, "service_actions", interrupted)
    ran = hdrnodes("view", result)
    ((argument, page),) = opened
    token = page.split("/")[3]
    assert ran.exit_code == 0 and page == ran.stdout.strip() and token not in argument
