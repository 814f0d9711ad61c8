"""`hdrnodes evaluate --report`: the page has the numbers, the pictures and the plots of what was compared."""

import json
import os
import tracemalloc

import numpy as np
import pytest
from cli import hdrnodes, save
from report_page import decoded, parsed, points

from hdrnodes.curve import Curve
from hdrnodes.display import MID_GREY, STOP_COLOURS
from hdrnodes.image import LINEAR, Image
from hdrnodes.io import write
from hdrnodes.report.html import Html, tag
from hdrnodes.report.plot import round_ticks

HEIGHT, WIDTH = 180, 192
CLIP = 100  # of the scene's light
METRICS = ("log_rmse.log2_y", "log_bias.log2_y.inside", "mu_law.psnr_rgb", "curve.rmse")
STOPS = (-6, -4, -2, 0, 2)
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def scene(seed=0):
    """Smooth light of 0.05..60, and a bright spot of two and a half stops above the clip level: H x W x 3."""
    down, across = np.linspace(-1.3, 1, HEIGHT)[:, None, None], np.linspace(0, 0.7, WIDTH)[None, :, None]
    light = 10 ** (down + across * [0.8, 0.9, 1.0] + 0.05 * np.sin(seed + 8 * across))
    light[40:80, 60:120] = [580, 560, 500]
    return light.astype(np.float32)


def measure(*words):
    ran = hdrnodes("evaluate", *words, *[word for each in METRICS for word in ("--metric", each)], "--json")
    return ran, json.loads(ran.stdout) if ran.stdout else None


def encoded(light):
    x = np.clip(np.asarray(light, np.float64), 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def write_material(folder, seed=0):
    """A reference, what a method made of a plate, two stops too dark where it clipped, with a curve; the plate."""
    light = scene(seed)
    clipped = light.max(axis=2) > CLIP
    test = np.where(clipped[..., None], light / 4, light) / CLIP
    write(Image(test, colorspace=LINEAR, curves=Curve.named("bt709").samples), folder / "pred.exr", pixel_type="float")
    save(folder / "ref.exr", light, "float")
    save(folder / "plate.png", np.minimum(encoded(light / CLIP), 1), "uint8")
    Curve(np.linspace(0, 1, 1024) ** 1.5).save(folder / "camera.csv")
    return folder / "pred.exr", folder / "ref.exr", "--plate", folder / "plate.png"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The report of one picture beside its baseline; what `--json` said; the folder."""
    folder = tmp_path_factory.mktemp("one")
    options = ("--protocol", "hdrnodes", "--baseline", "--report", folder / "report.html")
    ran, said = measure(*write_material(folder), *options, "--curve", folder / "camera.csv")
    assert ran.exit_code == 0, ran.stderr
    return parsed(folder / "report.html"), said, folder


@pytest.fixture
def page(one):
    return one[0]


def test_it_loads_nothing_from_anywhere(one):
    page, _, folder = one
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "http:" not in text and "https:" not in text and "@import" not in text
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert all(image.attributes["src"].startswith("data:image/") for image in page.all("img"))
    assert all(link.attributes["href"].startswith("#") for link in page.all("a"))
    assert page.all("link") == [] and all("src" not in script.attributes for script in page.all("script"))
    assert len(text) < 1_000_000


def test_it_says_what_was_done(one):
    page, said, folder = one
    facts = {each.one("dt").text: each.one("dd").text for each in page.all("div") if each.children[0].name == "dt"}
    assert facts["protocol"].startswith("hdrnodes: One gain") and facts["clipped"].endswith(" % of the pixels")
    command = f"hdrnodes evaluate {folder}/pred.exr {folder}/ref.exr --plate {folder}/plate.png --baseline"
    assert facts["command"].startswith(command) and facts["command"].endswith("--json")
    assert facts["gain"].startswith(f"{said['images'][0]['gain_stops']:+.3f}")
    assert facts["scale"] == f"1.0 of the reference is {said['images'][0]['scale']:.5g} cd/m²"
    assert "OpenImageIO 3." in facts["versions"] and facts["compared"] == "one picture"
    for note in said["images"][0]["notes"]:
        assert note in page.one("section", id="picture-1").text


def test_the_table_has_the_numbers_that_json_has(one):
    page, said, _ = one
    table = page.one("section", id="picture-1").one("table")
    for head, values in (
        ("result", said["images"][0]["values"]),
        ("baseline", said["images"][0]["against"]["values"]),
    ):
        shown = table.column(head)
        assert list(shown) == list(values)
        for name, value in values.items():
            assert float(shown[name].replace("−", "-")) == pytest.approx(value, abs=5.1e-5), name
    cells = [cell for row in table.all("tr")[1:] for cell in row.all("td", class_="number")]
    numbers = [float(cell.attributes["data-value"]) for cell in cells]
    both = [said["images"][0]["values"], said["images"][0]["against"]["values"]]
    assert numbers == [values[name] for name in both[0] for values in both]
    assert table.column("unit")["mu_law.psnr_rgb"] == "dB"
    better = {row.children[0].text: [bool(cell.all("b")) for cell in row.children[1:3]] for row in table.all("tr")[1:]}
    assert better["log_rmse.log2_y"] == [both[0]["log_rmse.log2_y"] < both[1]["log_rmse.log2_y"]] + [
        both[0]["log_rmse.log2_y"] > both[1]["log_rmse.log2_y"]
    ]
    legend = page.one("section", id="metrics").one("table").column("source")
    assert legend["log_rmse.log2_y"].startswith("Eigen")


def strip(page, name):
    """Stops -> pixels."""
    (found,) = [each for each in page.one("div", class_="exposures").children if each.one("h4").text == name]
    return {int(figure.attributes["data-stops"]): decoded(figure.one("img")) for figure in found.all("figure")}


@pytest.mark.parametrize("name", ["result", "reference"])
def test_the_strips_show_light_at_its_exposures(page, name):
    light = scene() / CLIP  # 1.0 is where the plate clips, which is white at 0 stops
    white = np.sort(light.max(axis=2), axis=None)[-40 * 60 - 1]  # no more than the spot clipped
    if name == "result":
        light[40:80, 60:120] /= 4
    shown = strip(page, name)
    assert tuple(shown) == STOPS
    for stops, pixels in shown.items():
        expected = encoded(light * 2.0**stops / white)
        for y, x in ((4, 4), (20, 150), (60, 90), (100, 20), (150, 180), (176, 100)):  # JPEG errs by pixel
            block = np.s_[y - 4 : y + 4, x - 4 : x + 4]
            np.testing.assert_allclose(
                pixels[block].mean(axis=(0, 1)), expected[block].mean(axis=(0, 1)), atol=0.02, err_msg=(stops, y, x)
            )


def figure_of(page, heading, caption):
    """The picture under a heading, with that caption."""
    elements = [
        each for each in page.all("div") + page.all("section") if any(child == heading for child in headings(each))
    ]
    parent = elements[-1]
    index = next(i for i, child in enumerate(parent.children) if getattr(child, "text", "") == heading)
    (found,) = [each for each in parent.children[index + 1].all("figure") if each.one("figcaption").text == caption]
    return decoded(found.one("img"))


def headings(element):
    return [child.text for child in element.children if getattr(child, "name", "") == "h3"]


def test_false_colours_are_those_of_the_stops(page):
    pixels = figure_of(page, "Luminance in false colours, a colour for each stop", "reference")
    light = scene()
    white = np.sort(light.max(axis=2), axis=None)[-40 * 60 - 1]
    stops = np.log2(light.astype(np.float64) @ WEIGHTS / white / MID_GREY)
    sure = abs((stops + 0.5) % 1 - 0.5) < 0.45  # not where a stop begins
    band = np.clip(np.floor(stops + 0.5).astype(int) + 7, 0, 16)
    colours = np.array([list(bytes.fromhex(colour[1:])) for colour in STOP_COLOURS])
    found = np.rint(255 * pixels).astype(int)
    assert (found[sure] == colours[band[sure]]).all(axis=1).mean() > 0.97  # white is known to within a pixel's rank
    assert (found[60, 90] == colours[band[60, 90]]).all()


def test_difference_maps_agree_with_their_legend(page):
    pixels = figure_of(page, "Difference from the reference, stops of luminance", "result")
    (legend,) = [each for each in page.all("svg", class_="legend") if each.one("title").text == "stops"]
    boxes = [rect for rect in legend.all("rect") if rect.attributes["fill"] != "none"]
    labels = {each.text: float(each.attributes["x"]) for each in legend.all("text")}
    for place, words in ((np.s_[50:70, 70:110], "−2"), (np.s_[120:170, 20:170], "0")):
        near = min(boxes, key=lambda box: abs(float(box.attributes["x"]) + 3 - labels[words]))
        expected = np.array(list(bytes.fromhex(near.attributes["fill"][1:]))) / 255
        np.testing.assert_allclose(pixels[place].mean(axis=(0, 1)), expected, atol=0.03)
    visible = figure_of(page, "Difference as the eye sees it, PU21", "result")
    assert visible[60, 90].mean() < 0.5 and visible[140, 90].mean() > 0.95  # dark is much


def test_plate_and_mask_are_the_plates(page):
    plate, mask = (decoded(image) for image in page.one("div", class_="overview").all("img"))
    expected = encoded(scene() / CLIP)
    np.testing.assert_allclose(plate[96:104, 20:28].mean(), expected[96:104, 20:28].mean(), atol=0.02)
    spot = np.zeros((HEIGHT, WIDTH), bool)
    spot[40:80, 60:120] = True
    np.testing.assert_array_equal(mask, np.broadcast_to(spot[..., None], (HEIGHT, WIDTH, 3)))


def plot(page, title):
    (found,) = [each for each in page.all("svg", class_="plot") if each.children[0].text == title]
    return found


def lines_of(figure):
    """Name in the key -> polyline, by how both are drawn."""
    look = ("stroke", "stroke-dasharray", "stroke-width")
    drawn = {tuple(each.attributes.get(name) for name in look): each for each in figure.all("polyline")}
    entries = {
        each.text.strip(): drawn[tuple(each.one("line").attributes.get(name) for name in look)]
        for each in figure.one("figcaption").all("span")
    }
    assert len(drawn) == len(entries)  # no two look alike
    return entries


def scale(found, words):
    """Of a plot's axis: from places to values, by two of its labels."""
    labels = {each.text: each.attributes for each in found.all("text")}
    return {word: (float(labels[word]["x"]), float(labels[word]["y"])) for word in words}


def test_the_curves_are_the_estimate_the_cameras_and_srgbs(page):
    figure = next(each for each in page.all("figure") if each.all("title") and "Camera" in each.one("title").text)
    lines = lines_of(figure)
    expected = {
        "result": Curve.named("bt709").samples[0],
        "baseline": np.linspace(0, 1, 1024) ** 1.5,
        "the camera's own": np.linspace(0, 1, 1024) ** 1.5,
        "sRGB": Curve.named("srgb").samples[0],
    }
    assert set(lines) == set(expected)
    for name, line in lines.items():
        (left, bottom), *_, (right, top) = points(line)
        for x, y in points(line):
            value = np.interp((x - left) / (right - left), np.linspace(0, 1, 1024), expected[name])
            assert (bottom - y) / (bottom - top) == pytest.approx(value, abs=0.002), name


def test_the_histogram_has_the_shares_of_the_stops(page):
    figure = next(each for each in page.all("figure") if each.all("title") and "bright" in each.one("title").text)
    lines = lines_of(figure)
    assert set(lines) == {"result", "baseline", "reference", "plate, sRGB's inverse"}
    at = scale(figure, ["0", "+10", "100 %", "0.001 %"])
    light = scene().astype(np.float64)
    white = np.sort(light.max(axis=2), axis=None)[-40 * 60 - 1]
    stops = np.log2(light @ WEIGHTS / white / MID_GREY)
    decade = (at["0.001 %"][1] - at["100 %"][1]) / 5
    shares = {}
    corners = points(lines["reference"])
    for (left, top), (right, same) in zip(corners[::2], corners[1::2], strict=True):
        assert top == same
        middle = ((left + right) / 2 - at["0"][0]) / (at["+10"][0] - at["0"][0]) * 10
        shares[round(2 * middle) / 2] = 10 ** ((at["100 %"][1] - 4 - top) / decade)  # words hang 4 below their line
    assert len(shares) == 49 and sum(shares.values()) == pytest.approx(1, abs=0.02)
    counts, _ = np.histogram(stops, np.arange(-12.25, 12.5, 0.5))
    for middle, expected in zip(np.arange(-12, 12.5, 0.5), counts / stops.size, strict=True):
        assert shares[middle] == pytest.approx(max(expected, 1e-5), rel=0.12), middle


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """The report of three pictures beside another method, and of two that could not be compared."""
    folder = tmp_path_factory.mktemp("several")
    for name in ("pred", "other", "ref"):
        (folder / name).mkdir()
    for number, factor in ((1, 1.4), (2, 1.1), (3, 2.0)):
        light = scene(number)
        save(folder / "ref" / f"shot<{number}>&.exr", light, "float")
        save(folder / "pred" / f"shot<{number}>&.exr", light * factor, "float")
        save(folder / "other" / f"shot<{number}>&.exr", light * (factor + 1), "float")
    save(folder / "ref" / "alone.exr", scene(), "float")
    for name in ("pred", "other"):
        save(folder / name / "small.exr", scene()[:20], "float")
    save(folder / "ref" / "small.exr", scene(), "float")
    options = ("--against", folder / "other", "--report", folder / "report.html")
    ran, said = measure(folder / "pred", folder / "ref", *options)
    assert ran.exit_code == 1
    return folder / "report.html", said


NAMES = [f"shot<{number}>&" for number in (1, 2, 3)]


def test_a_set_is_summed_up_with_its_intervals(several):
    page, said = parsed(several[0]), several[1]
    table = page.one("section", id="all").all("table")[0]
    summary = said["summary"]["log_rmse.log2_y"]
    row = {head: cells["log_rmse.log2_y"] for head in table.rows()[0] for cells in [table.column(head)]}
    assert float(row["median"]) == pytest.approx(summary["median"], abs=1e-4) and row["pictures"] == "3"
    assert float(row["median, other"]) == pytest.approx(summary["against"]["median"], abs=1e-4)
    low, high = (float(each.replace("−", "-")) for each in row["95 % interval"].split(" … "))
    assert (low, high) == pytest.approx((summary["against"]["low"], summary["against"]["high"]), rel=1e-3)
    assert row["than other"] == "better"


def test_every_picture_has_a_row_that_leads_to_its_section(several):
    page, said = parsed(several[0]), several[1]
    table = page.one("section", id="all").all("table")[1]
    rows = table.all("tr")[1:]
    assert [row.one("a").text for row in rows] == [name for name in NAMES for _ in range(2)]
    for row, (image, method) in zip(rows, [(i, m) for i in range(3) for m in (None, "against")], strict=True):
        values = said["images"][image] if method is None else said["images"][image][method]
        cell = row.children[2 + list(values["values"]).index("log_rmse.log2_y")]
        assert float(cell.attributes["data-value"]) == values["values"]["log_rmse.log2_y"]
        assert (
            page.one("section", id=row.one("a").attributes["href"][1:]).one("h2").text == said["images"][image]["name"]
        )


def test_distributions_have_a_dot_for_each_picture_in_order(several):
    page, said = parsed(several[0]), several[1]
    drawn = plot(page, "Distribution of log_rmse.log2_y")
    for shape, values in (
        ("circle", [each["values"]["log_rmse.log2_y"] for each in said["images"][:3]]),
        ("rect", [each["against"]["values"]["log_rmse.log2_y"] for each in said["images"][:3]]),
    ):
        dots = [each for each in drawn.all(shape) if each.all("title")]
        order = np.argsort(values)
        told = [f"{NAMES[index]}: {values[index]:.4f}" for index in order]
        assert [each.one("title").text for each in dots] == told
        places = [float(each.attributes["cx" if shape == "circle" else "x"]) for each in dots]
        assert places == sorted(places)
        ratio = (places[1] - places[0]) / (places[2] - places[0])
        ordered = np.sort(values)
        assert ratio == pytest.approx((ordered[1] - ordered[0]) / (ordered[2] - ordered[0]), abs=0.01)
    with_numbers = [each.one("code").text for each in page.all("figure", class_="distribution")]
    assert with_numbers == ["mu_law.psnr_rgb", "log_rmse.log2_y"]  # the others are defined nowhere


def test_what_is_undefined_has_its_reason(several):
    page = parsed(several[0])
    table = page.one("section", id="picture-2").one("table")
    why = table.column("why undefined")
    assert table.column("result")["log_bias.log2_y.inside"] == "undefined"
    assert "where the plate clipped is not known" in why["log_bias.log2_y.inside"]
    assert why["log_rmse.log2_y"] == ""
    said = page.one("section", id="all").one("ul").text
    assert "log_bias.log2_y.inside: " in said and "(6 times)" in said


def test_what_could_not_be_compared_is_named(several):
    failed = parsed(several[0]).one("section", id="failed").all("li")
    assert {each.one("b").text for each in failed} == {"small", "alone"}
    assert any("is 192 x 20, and REF 192 x 180" in each.text for each in failed)
    assert "3 of 5 pictures" in parsed(several[0]).text


@pytest.mark.parametrize("protocol", ["absolute", "si-hdr", "liu2020"])
def test_without_a_plate_there_is_a_report_too(tmp_path, protocol):
    pred, ref, *_ = write_material(tmp_path)
    ran, _ = measure(pred, ref, "--protocol", protocol, "--report", tmp_path / "report.html")
    assert ran.exit_code == 0, ran.stderr
    page = parsed(tmp_path / "report.html")
    captions = [each.text for each in page.one("div", class_="overview").all("figcaption")]
    assert ("clipped: white" in captions) is (protocol == "si-hdr") and "plate" not in captions
    assert ("where the plate clipped" in page.text) is (protocol == "si-hdr") or protocol != "si-hdr"
    assert ("geometric mean is mid-grey" in page.text) is (protocol != "si-hdr")
    assert strip(page, "reference")[0].std() > 0.05


@pytest.mark.parametrize("light", [np.zeros((3, 1, 3)), np.full((1, 9, 3), 5.0), np.full((2, 2, 3), 1e-30)])
def test_pictures_with_nothing_in_them_are_reported(tmp_path, light):
    save(tmp_path / "a.exr", light, "float")
    ran, said = measure(tmp_path / "a.exr", tmp_path / "a.exr", "--report", tmp_path / "report.html")
    assert ran.exit_code == 0, ran.stderr
    page = parsed(tmp_path / "report.html")
    assert all(np.isfinite(decoded(image)).all() for image in page.all("img"))
    assert "nan" not in "".join(each.attributes["points"] for each in page.all("polyline"))


def test_large_pictures_are_shown_smaller_and_it_is_said(tmp_path):
    light = np.kron(scene()[:80], np.ones((2, 7, 1), np.float32))
    save(tmp_path / "a.exr", light, "float")
    measure(tmp_path / "a.exr", tmp_path / "a.exr", "--report", tmp_path / "report.html")
    page = parsed(tmp_path / "report.html")
    assert "1344 × 160 pixels, shown at 640 × 76" in page.text
    assert strip(page, "result")[0].shape == (76, 640, 3)


def test_a_name_that_is_no_utf8_is_written_with_its_byte(tmp_path):
    for name in ("pred", "ref"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "good.exr", scene(), "float")
    (tmp_path / "pred" / os.fsdecode(b"caf\xe9.exr")).write_bytes(b"")
    ran, _ = measure(tmp_path / "pred", tmp_path / "ref", "--report", tmp_path / "report.html")
    assert ran.exit_code == 1
    failed = parsed(tmp_path / "report.html").one("section", id="failed").text
    assert "caf\\udce9.exr: has no partner" in failed


def test_it_is_not_written_over_unasked(tmp_path):
    material = write_material(tmp_path)
    report = tmp_path / "report.html"
    report.write_text("mine")
    ran, _ = measure(*material, "--report", report)
    assert (ran.exit_code, ran.stderr) == (1, f"{report}: exists already; choose another name, or --overwrite\n")
    assert report.read_text() == "mine"
    ran, _ = measure(*material, "--report", report, "--overwrite")
    assert ran.exit_code == 0 and parsed(report).one("h1")
    ran, _ = measure(*material, "--report", tmp_path / "none" / "report.html")
    assert (ran.exit_code, ran.stderr.count("\n")) == (1, 1) and "does not exist, and is to be written" in ran.stderr
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []
    printed = hdrnodes("evaluate", *material, "--metric", "log_rmse.log2_y", "--report", tmp_path / "new.html")
    assert printed.stdout.splitlines()[-1] == str(tmp_path / "new.html")


def test_a_set_of_any_size_is_kept_on_the_disk(one):
    from hdrnodes.metrics.evaluate import evaluate
    from hdrnodes.metrics.registry import find_metrics
    from hdrnodes.report.picture_section import Method
    from hdrnodes.report.pictures import draw_method, draw_scene
    from hdrnodes.report.report import Asked, Report

    folder = one[2]
    compared = evaluate(folder / "pred.exr", folder / "ref.exr", metrics=["log_rmse.log2_y"])
    scene_pictures = draw_scene(compared)
    method = Method("result", compared.scores, draw_method(compared, scene_pictures.white))
    with Report(Asked("absolute", find_metrics(["log_rmse.log2_y"]), "hdrnodes evaluate")) as report:
        report.add(scene_pictures, [method])
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(60):
                report.add(scene_pictures, [method])
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        report.write(folder / "sixty.html", [("result", [compared.scores] * 61)], {"log_rmse.log2_y": _summary()})
    assert (folder / "sixty.html").stat().st_size > 4_000_000 and kept < 500_000


def _summary():
    from hdrnodes.metrics.summary import Summary

    return Summary(61, 1.0, 1.0)


def test_text_is_escaped_and_markup_is_not():
    assert tag("a", 'x<"&>', Html("<b>"), title='"<') == '<a title="&quot;&lt;">x&lt;&quot;&amp;&gt;<b></a>'


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 3), (0.00012, 0.00013), (27.3, 5000), (5, 5)])
def test_ticks_are_round_and_inside(low, high):
    ticks = round_ticks(low, high)
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks) and len(ticks) <= 11
    if high > low:
        assert len(ticks) >= 2
        steps = np.diff(ticks)
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
