"""The viewer's page in a real browser: what it shows is what is computed, with WebGL and without."""

import signal
from contextlib import contextmanager

import numpy as np
import pytest
from cli import save, start
from viewer_page import NO_WEBGL, WEBGL, Page, browser_path, luminance, served, shown

from hdrnodes.curve import Curve
from hdrnodes.image import LINEAR, SRGB, Image, Window
from hdrnodes.io import read, write
from hdrnodes.viewer.export import export_page
from hdrnodes.viewer.pictures import Pictures, Side

HEIGHT, WIDTH = 64, 96
ONE_CODE = 1.01  # graphics cards round powers, each in its own way


@pytest.fixture(scope="module")
def chromium():
    """Starts browsers, with these arguments each."""
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda arguments: playwright.chromium.launch(executable_path=path, args=list(arguments))


@pytest.fixture(scope="module")
def with_webgl(chromium):
    browser = chromium(WEBGL)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def without_webgl(chromium):
    browser = chromium(NO_WEBGL)
    yield browser
    browser.close()


@pytest.fixture
def page(with_webgl):
    with tab(with_webgl) as page:
        yield page


@pytest.fixture(params=["with_webgl", "without_webgl"])
def any_page(request):
    """For what each way of drawing has to get right."""
    with tab(request.getfixturevalue(request.param)) as page:
        yield page


@contextmanager
def tab(browser, **options):
    page = Page(browser, **options)
    yield page
    page.tab.close()
    assert page.complaints == []


@pytest.fixture(scope="module")
def light():
    """Light from -9 to +7 stops of 1.0 across, in other colours downwards; alpha falls: H x W x 4."""
    stops = np.linspace(-9, 7, WIDTH)[None, :, None] + np.linspace(-1, 1, HEIGHT)[:, None, None] * [1, -0.5, 0.25]
    alpha = np.broadcast_to(np.linspace(1, 0.25, HEIGHT)[:, None, None], (HEIGHT, WIDTH, 1))
    return np.concatenate([2.0**stops, alpha], axis=2).astype(np.float16).astype(np.float32)


@pytest.fixture(scope="module")
def result(light, tmp_path_factory):
    """An EXR with a curve in its header, as `hdrnodes reconstruct` writes it."""
    path = tmp_path_factory.mktemp("viewer") / "out.exr"
    curve = np.linspace(0, 1, 1024, dtype=np.float32) ** 1.8
    write(Image(light, colorspace=LINEAR, curves=curve), path, pixel_type="float")
    return path


@pytest.fixture(scope="module")
def plate(result):
    codes = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3))
    return save(result.parent / "plate.png", codes / 255)


@pytest.fixture
def alone(page, result):
    """The result by itself, four pixels of the display for each of its own."""
    with served(result) as server:
        yield page.open(server.url).press("4")


@pytest.fixture
def any_alone(any_page, result):
    with served(result) as server:
        yield any_page.open(server.url).press("4")


@pytest.fixture
def both(page, result, plate):
    with served(result, plate) as server:
        yield page.open(server.url).press("4")


@pytest.fixture
def any_both(any_page, result, plate):
    with served(result, plate) as server:
        yield any_page.open(server.url).press("4")


def pixels(page, **place):
    return page.pixels(HEIGHT, WIDTH, 4, **place).astype(float)


def test_it_draws_with_webgl_where_there_is_one(any_alone, request):
    expected = "software" if "without" in request.node.name else "WebGL 2"
    assert any_alone.tab.locator("body").get_attribute("data-renderer") == expected


def test_a_webgl_that_does_not_take_the_shader_is_not_drawn_with(page, result, light):
    page.tab.add_init_script(
        "const taken = WebGL2RenderingContext.prototype.shaderSource;"
        "WebGL2RenderingContext.prototype.shaderSource = function (shader) { taken.call(this, shader, 'no GLSL'); };"
    )
    with served(result) as server:
        page.open(server.url).press("4")
        assert page.tab.locator("body").get_attribute("data-renderer") == "software"
        assert abs(pixels(page) - shown(light[..., :3])).max() <= ONE_CODE


def test_it_shows_the_picture_as_computed(any_alone, light):
    assert abs(pixels(any_alone) - shown(light[..., :3])).max() <= ONE_CODE


@pytest.mark.parametrize("gain", [-3.5, 2.0])
def test_the_gain_slider_changes_pixels_as_computed(any_alone, light, gain):
    before = pixels(any_alone)
    any_alone.set("gain", gain)
    assert abs(pixels(any_alone) - shown(light[..., :3], gain)).max() <= ONE_CODE
    assert abs(pixels(any_alone) - before).max() > 50
    assert any_alone.tab.locator("input[type=number][data-knob=gain]").input_value() == f"{gain:g}"


def test_the_gamma_slider_changes_pixels_as_computed(any_alone, light):
    any_alone.set("gamma", 2.2)
    assert abs(pixels(any_alone) - shown(light[..., :3], gamma=2.2)).max() <= ONE_CODE


def test_a_gain_that_is_typed(alone, light):
    field = alone.tab.locator("input[type=number][data-knob=gain]")
    field.fill("-1.25")
    field.press("Enter")
    alone.settle()
    assert abs(pixels(alone) - shown(light[..., :3], -1.25)).max() <= ONE_CODE


def test_keys_for_gain_and_gamma(alone, light):
    alone.press("]", "]", "]", "[", "'", "'")
    assert abs(pixels(alone) - shown(light[..., :3], 1.0, 1.2)).max() <= ONE_CODE
    alone.press("0")
    assert abs(pixels(alone) - shown(light[..., :3])).max() <= ONE_CODE


@pytest.mark.parametrize(("modifiers", "gain"), [("modifierAltGraph: true,", "0.5"), ("", "0")])
def test_a_bracket_by_altgr_is_a_key_and_one_by_ctrl_and_alt_the_browsers(alone, modifiers, gain):
    pressed = f'{{key: "]", ctrlKey: true, altKey: true, {modifiers} bubbles: true}}'
    alone.tab.evaluate(f'document.body.dispatchEvent(new KeyboardEvent("keydown", {pressed}))')
    alone.settle()
    assert alone.tab.locator("input[type=number][data-knob=gain]").input_value() == gain


def test_the_aces_view(any_alone, light):
    any_alone.press("v", "[")
    assert abs(pixels(any_alone) - shown(light[..., :3], -0.5, view="aces")).max() <= ONE_CODE


def test_false_colours_are_those_of_the_legend(any_alone, light):
    any_alone.press("v", "v", "]", "]")
    swatches = any_alone.tab.locator("#legend li span").evaluate_all(
        "(all) => all.map((each) => getComputedStyle(each).backgroundColor.match(/\\d+/g).map(Number))"
    )
    words = any_alone.tab.locator("#legend li").all_inner_texts()
    legend = dict(zip(range(9, -8, -1), swatches, strict=True))
    assert [words[0], words[7], words[9], words[16]] == [
        "+9 and above",
        "+2  1.0 clips",
        "mid-grey 0.18",
        "−7 and below",
    ]
    stops = np.log2(luminance(light[..., :3]) / 0.18) + 1
    clear = abs(stops - np.floor(stops) - 0.5) > 0.01  # of the border between two
    expected = np.array([[legend[band] for band in row] for row in np.clip(np.rint(stops), -7, 9).astype(int)])
    assert clear.mean() > 0.95 and (pixels(any_alone)[clear] == expected[clear]).all()


def test_false_colours_rise_in_brightness(alone):
    """So that who sees no colours reads their order."""
    alone.press("v", "v")
    swatches = alone.tab.locator("#legend li span").evaluate_all(
        "(all) => all.map((each) => getComputedStyle(each).backgroundColor.match(/\\d+/g).map(Number))"
    )
    brightness = luminance((np.array(swatches[::-1]) / 255) ** 2.2)
    assert (np.diff(brightness ** (1 / 3)) > 0.035).all()


@pytest.mark.parametrize("key", "rgby")
def test_a_channel_by_itself(any_alone, light, key):
    any_alone.press(key)
    value = luminance(light[..., :3]) if key == "y" else light[..., "rgb".index(key)]
    assert abs(pixels(any_alone) - shown(value)[..., None]).max() <= ONE_CODE
    any_alone.press(key)
    assert abs(pixels(any_alone) - shown(light[..., :3])).max() <= ONE_CODE


def test_alpha_by_itself_goes_through_no_view(any_alone, light):
    any_alone.press("a")
    assert abs(pixels(any_alone) - np.rint(255 * light[..., 3:])).max() <= ONE_CODE


def test_the_wipe(any_both, light, plate):
    """It starts in the middle: the result at its left, the plate at its right."""
    half = WIDTH // 2
    codes = np.rint(255 * read(plate).rgb)
    seen = pixels(any_both)
    assert abs(seen[:, : half - 1] - shown(light[:, : half - 1, :3])).max() <= ONE_CODE
    assert abs(seen[:, half + 2 :] - codes[:, half + 2 :]).max() <= ONE_CODE  # at neutral settings, the file's codes


def test_the_wipe_is_dragged(both, light):
    box = both.tab.locator("#stage").bounding_box()
    both.hover(box["width"] / 2, 30)
    both.tab.mouse.down()
    both.hover(box["width"] - 4, 50)
    both.tab.mouse.up()
    both.settle()
    assert abs(pixels(both) - shown(light[..., :3])).max() <= ONE_CODE


def test_side_by_side(any_both, light, plate):
    any_both.press("s")
    quarter = any_both.canvas().shape[1] // 4
    assert abs(pixels(any_both, left=quarter) - shown(light[..., :3])).max() <= ONE_CODE
    assert abs(pixels(any_both, left=-quarter) - 255 * read(plate).rgb).max() <= ONE_CODE


def test_the_plate_as_its_file_has_it(any_both, plate):
    any_both.press("x", "]", "]", "v", "'")
    codes = np.rint(255 * read(plate).rgb)
    assert abs(pixels(any_both) - codes).max() > 20
    any_both.press("o")
    assert abs(pixels(any_both) - codes).max() <= ONE_CODE


def test_the_inspector_has_the_values_of_the_files(both, light, plate):
    canvas = both.canvas()
    x, y = 17, 40
    both.hover(canvas.shape[1] / 2 + (x - WIDTH / 2) * 4 + 2, canvas.shape[0] / 2 + (y - HEIGHT / 2) * 4 + 2)
    assert (both.text("#inspector .x"), both.text("#inspector .y")) == (str(x), str(y))
    a, b = both.row(0), both.row(1)
    values = [float(a[name]) for name in ("red", "green", "blue", "alpha")]
    np.testing.assert_allclose(values, light[y, x], rtol=1e-5)
    np.testing.assert_allclose(float(a["luminance"]), luminance(light[y, x, :3]), rtol=1e-5)
    stops = float(a["grey"].replace("−", "-"))
    assert stops == pytest.approx(np.log2(luminance(light[y, x, :3]) / 0.18), abs=0.006)
    assert float(a["clip"].replace("−", "-")) == pytest.approx(stops - np.log2(1 / 0.18), abs=0.011)
    codes = np.rint(255 * read(plate).rgb[y, x])
    assert b["codes"] == " ".join(f"{code:.0f}" for code in codes)
    linear = np.where(codes / 255 <= 0.04045, codes / 255 / 12.92, ((codes / 255 + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose([float(b[name]) for name in ("red", "green", "blue")], linear, rtol=1e-5)


def test_the_wheel_zooms_about_the_pointer_and_dragging_pans(alone):
    alone.hover(500, 300)
    under = alone.text("#inspector .x"), alone.text("#inspector .y")
    for _ in range(4):
        alone.tab.mouse.wheel(0, -120)
    alone.settle()
    assert alone.text("#zoom") == "1600 %"
    assert (alone.text("#inspector .x"), alone.text("#inspector .y")) == under
    alone.tab.mouse.down()
    alone.hover(500 + 5 * 16, 300 - 3 * 16)
    alone.tab.mouse.up()
    alone.hover(500, 300)
    assert int(alone.text("#inspector .x")) == int(under[0]) - 5
    assert int(alone.text("#inspector .y")) == int(under[1]) + 3
    alone.press("f")
    assert alone.text("#zoom") != "1600 %"


def test_the_curve_is_the_headers(alone):
    assert not alone.tab.locator("#curve").is_visible()
    alone.press("c")
    standard, ours = alone.tab.locator("#curve polyline").evaluate_all(
        "(all) => all.map((each) => [...each.points].map((point) => [point.x, point.y]))"
    )
    ours, standard = np.array(ours), np.array(standard)
    unit = (ours - ours[0]) / (ours[-1] - ours[0])
    np.testing.assert_allclose(unit[:, 1], unit[:, 0] ** 1.8, atol=1e-3)
    unit = (standard - standard[0]) / (standard[-1] - standard[0])
    at = np.linspace(0, 1, 1024)
    np.testing.assert_allclose(unit[:, 1], np.interp(unit[:, 0], at, Curve.named("srgb").samples[0]), atol=1e-3)


def test_the_help_lists_every_key(both):
    both.press("?")
    listed = both.tab.locator("#help kbd").all_inner_texts()
    assert {*"[];'0vrgbaywsxofh1248+-c?", "Esc"} <= set(listed)
    assert "←" not in listed  # there is one frame
    zoom = both.text("#zoom")
    both.tab.locator("#help").hover()
    both.tab.mouse.wheel(0, 240)
    both.settle()
    assert both.text("#zoom") == zoom
    both.press("Escape")
    assert not both.tab.locator("#help").is_visible()


@pytest.fixture
def noise(tmp_path):
    pixels_ = np.random.default_rng(1).random((640, 1100, 3), dtype=np.float32).astype(np.float16).astype(np.float32)
    write(Image(pixels_, colorspace=LINEAR), tmp_path / "noise.exr")
    with served(tmp_path / "noise.exr") as server:
        yield pixels_, server.url


def test_a_picture_of_many_tiles_has_no_seams(any_page, noise):
    picture, url = noise
    any_page.open(url).press("1")
    tiles = [url.split("/tile/")[1] for url in any_page.requests if "/tile/" in url]
    assert tiles[0] == "0/0/2/0/0"  # the whole picture in one tile comes first
    canvas = any_page.canvas()
    seen = canvas[60:-60].astype(float)  # of the names and messages on it
    top, left = 320 - canvas.shape[0] // 2 + 60, 550 - seen.shape[1] // 2
    expected = shown(picture[top : top + seen.shape[0], left : left + seen.shape[1]])
    assert seen.shape == expected.shape and abs(seen - expected).max() <= ONE_CODE


def test_a_picture_is_reduced_by_means_of_light(any_page, noise):
    picture, url = noise
    any_page.open(url).press("1", "-")
    assert any_page.text("#zoom") == "50 %"
    expected = shown(picture.reshape(320, 2, 550, 2, 3).mean((1, 3)))
    assert abs(any_page.pixels(320, 550, 1) - expected).max() <= ONE_CODE


def test_between_its_sizes_a_picture_is_interpolated_and_across_tiles_no_less(page, tmp_path):
    """A ramp interpolated is the ramp: at 75 % each of the display's pixels has its value at that very place."""
    ramp = np.broadcast_to((np.arange(1100, dtype=np.float32)[:, None] + 0.5) / 1100, (640, 1100, 3))
    write(Image(ramp, colorspace=LINEAR), tmp_path / "ramp.exr", pixel_type="float")
    with served(tmp_path / "ramp.exr") as server:
        page.tab.set_viewport_size({"width": 825, "height": 700})
        page.open(server.url)
        assert page.text("#zoom") == "75 %"
        places = (np.arange(825) + 0.5) / 825
        expected = shown(np.clip(places, 0.5 / 1100, 1 - 0.5 / 1100))[:, None]
        assert abs(page.canvas()[300] - expected).max() <= ONE_CODE


def test_windows_are_where_the_file_says(any_page, tmp_path, light):
    """Data that begins outside what was composed: it lies where it lay, and is counted from the file's origin."""
    image = Image(
        light[..., :3],
        colorspace=LINEAR,
        data_window=Window(-20, 10, WIDTH, HEIGHT),
        display_window=Window(0, 0, 80, 90),
    )
    write(image, tmp_path / "windows.exr")
    with served(tmp_path / "windows.exr") as server:
        any_page.open(server.url).press("2")
        canvas = any_page.canvas()
        left, top = canvas.shape[1] // 2 - 80, canvas.shape[0] // 2 - 90  # of the display window
        seen = canvas[top + 21 : top + 21 + 2 * HEIGHT : 2, left - 39 : left - 39 + 2 * WIDTH : 2].astype(float)
        inside = np.abs(np.arange(WIDTH) - 20) > 1  # there is the display window's outline
        inside &= np.abs(np.arange(WIDTH) - 100) > 1
        assert abs(seen - shown(light[..., :3]))[:, inside].max() <= ONE_CODE
        any_page.hover(left + 2 * 5 + 1, top + 2 * 30 + 1)
        assert (any_page.text("#inspector .x"), any_page.text("#inspector .y")) == ("5", "30")
        assert float(any_page.row(0)["red"]) == pytest.approx(light[20, 25, 0], rel=1e-5)


def test_a_shot_is_gone_through_and_what_cannot_be_read_is_said(page, tmp_path, light):
    for frame in (1, 2, 4):
        write(Image(light[..., :3] * frame, colorspace=LINEAR), tmp_path / f"out.{frame:04}.exr")
        save(tmp_path / f"plate.{frame:04}.png", np.full((HEIGHT, WIDTH, 3), frame / 255))
    whole = (tmp_path / "out.0004.exr").read_bytes()
    (tmp_path / "out.0004.exr").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "plate.0002.png").unlink()
    with served(tmp_path / "out.####.exr", tmp_path / "plate.####.png") as server:
        page.open(server.url).press("4", "s")
        quarter = page.canvas().shape[1] // 4
        assert abs(pixels(page, left=quarter) - shown(light[..., :3])).max() <= ONE_CODE
        page.hover(quarter, 300)  # on the way to frames without a picture there are no values to ask for
        page.press("ArrowRight")
        assert page.text("#frames output") == "2"
        assert abs(pixels(page, left=quarter) - shown(light[..., :3] * 2)).max() <= ONE_CODE
        assert "plate.0002.png: does not exist" in page.text("#message")
        page.press("End")
        assert page.text("#frames output") == "4"
        assert "out.0004.exr: is cut off or damaged" in page.text("#message")
        assert abs(pixels(page, left=-quarter) - 4).max() <= ONE_CODE
        page.tab.locator("#frames input").fill("0")
        page.settle()
        assert abs(pixels(page, left=quarter) - shown(light[..., :3])).max() <= ONE_CODE


def test_what_is_no_number_is_said_and_shown_as_black(page, tmp_path, light):
    pixels_ = light[..., :3].copy()
    pixels_[0, 0] = np.nan
    pixels_[0, 1] = np.inf
    save(tmp_path / "bad.exr", pixels_, "float")
    with served(tmp_path / "bad.exr") as server:
        page.open(server.url).press("4")
        assert "bad.exr: 3 values are no numbers" in page.text("#message")
        assert "bad.exr: 3 values beyond 65504" in page.text("#message")
        seen = pixels(page)
        assert (seen[0, 0] == 0).all() and (seen[0, 1] == 255).all()
        canvas = page.canvas()
        page.hover(canvas.shape[1] / 2 - WIDTH * 2 + 2, canvas.shape[0] / 2 - HEIGHT * 2 + 2)
        assert page.row(0)["red"] == "nan"


def test_an_exported_page_needs_nothing_else_and_shows_the_same(page, result, plate, light, tmp_path):
    export_page(Pictures([Side.find(str(result)), Side.find(str(plate))]), tmp_path / "view.html")
    page.open((tmp_path / "view.html").as_uri()).press("4", "x", "x")
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert abs(pixels(page) - shown(light[..., :3])).max() <= ONE_CODE
    canvas = page.canvas()
    page.hover(canvas.shape[1] / 2 + 2, canvas.shape[0] / 2 + 2)
    values = [float(page.row(0)[name]) for name in ("red", "green", "blue", "alpha")]
    np.testing.assert_allclose(values, light[HEIGHT // 2, WIDTH // 2], rtol=1e-3)
    page.press("s")
    assert abs(pixels(page, left=-(canvas.shape[1] // 4)) - 255 * read(plate).rgb).max() <= ONE_CODE


def test_on_a_dense_display_a_hundred_per_cent_is_the_displays_pixels(with_webgl, result, light):
    with tab(with_webgl, device_scale_factor=2) as page, served(result) as server:
        page.open(server.url).press("4")
        assert page.canvas().shape[1] == 1800
        assert abs(pixels(page) - shown(light[..., :3])).max() <= ONE_CODE


def test_a_graphics_card_that_was_taken_away_and_comes_back_is_drawn_with_again(alone, light):
    taken = "() => (window.taken = document.querySelector('canvas').getContext('webgl2').getExtension('{}')).{}()"
    alone.tab.evaluate(taken.format("WEBGL_lose_context", "loseContext"))
    alone.press("]")
    alone.tab.evaluate("() => window.taken.restoreContext()")
    alone.tab.wait_for_timeout(100)
    alone.press("]")
    assert abs(pixels(alone) - shown(light[..., :3], 1.0)).max() <= ONE_CODE


def test_other_primaries_are_shown_right_and_read_as_they_are(page, light, tmp_path):
    from hdrnodes.nodes.color_space import convert

    image = convert(Image(light[..., :3], colorspace=LINEAR), "ACEScg")
    write(image, tmp_path / "acescg.exr", pixel_type="float")
    with served(tmp_path / "acescg.exr") as server:
        page.open(server.url).press("4")
        assert abs(pixels(page) - shown(light[..., :3])).max() <= ONE_CODE + 1  # there and back through matrices
        canvas = page.canvas()
        page.hover(canvas.shape[1] / 2 + 2, canvas.shape[0] / 2 + 2)
        values = [float(page.row(0)[name]) for name in ("red", "green", "blue")]
        np.testing.assert_allclose(values, image.rgb[HEIGHT // 2, WIDTH // 2], rtol=1e-5)


def test_that_the_command_has_ended_is_said(with_webgl, result):
    command = start("view", result, "--no-browser")
    page = Page(with_webgl)
    page.open(command.stdout.readline().strip())
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=20) == ("", "") and command.returncode == 0
    page.tab.mouse.move(450, 300)
    page.tab.locator("#message", has_text="start `hdrnodes view` again").wait_for()
    page.tab.close()


def test_a_plate_is_shown_upright(page, tmp_path):
    codes = np.random.default_rng(3).integers(0, 256, (WIDTH, HEIGHT, 3)) / 255
    save(tmp_path / "turned.png", codes, Orientation=6)
    expected = read(tmp_path / "turned.png")
    assert (expected.height, expected.width, expected.colorspace) == (HEIGHT, WIDTH, SRGB)
    with served(tmp_path / "turned.png") as server:
        page.open(server.url).press("4")
        assert abs(pixels(page) - 255 * expected.rgb).max() <= ONE_CODE
