"""How pictures are shown: exposures, false colours, and that the viewer's page shows the same."""

import re
from pathlib import Path

import numpy as np
import pytest

from hdrnodes.display import FIRST_STOP, MID_GREY, STOP_COLOURS, false_colours, light_of, rgb_of, shown
from hdrnodes.image import SRGB, Image
from hdrnodes.report.colour_maps import magnitudes, signed

LOOK = Path(__file__).parents[1] / "hdrnodes" / "viewer" / "page" / "look.js"


def lightness(colours):
    """OKLab's L of display-referred sRGB, in float64. Source: Ottosson, 2020."""
    display = np.asarray(colours, np.float64)
    linear = np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.transpose(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ [0.2104542553, 0.7936177850, -0.0040720468]


@pytest.mark.parametrize("stops", [-4, 0, 1.5])
def test_a_view_is_srgbs_at_an_exposure(stops):
    light = np.float32(np.geomspace(1e-4, 100, 60).reshape(4, 5, 3))
    x = np.clip(light.astype(np.float64) * 2.0**stops, 0, 1)
    expected = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(shown(light, stops), expected, atol=1e-6)


def test_each_stop_has_its_colour_and_what_is_beyond_the_last():
    stops = np.arange(-12.0, 14, 0.25)
    found = false_colours(np.float32([MID_GREY * 2.0**stops]))[0]
    for stop, colour in zip(stops, found, strict=True):
        place = min(max(int(np.floor(stop + 0.5)) - FIRST_STOP, 0), len(STOP_COLOURS) - 1)
        np.testing.assert_array_equal(colour, np.float32(rgb_of(STOP_COLOURS[place])))
    np.testing.assert_array_equal(false_colours(np.float32([[0, -1]]))[0], [rgb_of(STOP_COLOURS[0])] * 2)


def test_the_viewers_page_has_the_same_colours():
    source = LOOK.read_text(encoding="utf-8")
    table = re.search(r"STOP_COLOURS = \[(.*?)\]", source, re.S).group(1)
    assert tuple(re.findall(r"#\w{6}", table)) == STOP_COLOURS
    assert f"FIRST_STOP = {FIRST_STOP};" in source and f"MID_GREY = {MID_GREY};" in source


def test_colours_are_in_order_for_every_eye():
    """Lightness alone tells magnitudes apart, and how far a signed value is from 0."""
    assert (np.diff(lightness([rgb_of(colour) for colour in STOP_COLOURS])) > 0.02).all()
    assert (np.diff(lightness(magnitudes(1, "").colours)) < 0).all()
    both = lightness(signed(1, "").colours)
    assert (np.diff(both[:129]) > 0).all() and (np.diff(both[128:]) < 0).all()
    np.testing.assert_allclose(both, both[::-1], atol=0.02)  # the same distance, either way


def test_signed_values_are_blue_below_and_orange_above():
    below, zero, above, beyond = signed(3, "stops")(np.array([[-2, 0, 2, 9]]))[0]
    assert below[2] > below[0] + 0.3 and above[0] > above[2] + 0.3
    assert np.ptp(zero) < 0.01 and zero.min() > 0.95
    np.testing.assert_array_equal(beyond, signed(3, "stops")(np.array([[3]]))[0, 0])


def test_light_of_a_plate_looks_like_its_file():
    codes = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)
    light, notes = light_of(Image.from_array(codes))
    np.testing.assert_array_equal(np.rint(255 * shown(light)), codes)
    assert notes == []


def test_a_colour_space_that_nobody_knows_is_said():
    light, notes = light_of(Image(np.full((1, 1, 3), 0.5, np.float32), colorspace="studio_log"))
    expected, _ = light_of(Image(np.full((1, 1, 3), 0.5, np.float32), colorspace=SRGB))
    np.testing.assert_array_equal(light, expected)
    assert notes == [f"studio_log is not in the OCIO config: shown as {SRGB}"]
