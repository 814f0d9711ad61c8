import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenImageIO import ImageBuf, ImageBufAlgo

from hdrnodes.camera.response import invert_response
from hdrnodes.curve import Curve
from hdrnodes.errors import CurveError, ReadError, WriteError
from hdrnodes.image import Image
from hdrnodes.io import read

X = np.linspace(0, 1, 1024)
CURVES = {
    "one": Curve(X**1.8),
    "three": Curve(np.stack([X**1.8, X**2.2, (np.sin((X - 0.5) * np.pi) + 1) / 2])),
    "srgb": Curve.named("srgb"),
}


@pytest.mark.parametrize("which", CURVES)
@pytest.mark.parametrize("suffix", ["csv", "spi1d", "cube"])
def test_a_saved_curve_is_loaded_bit_for_bit(tmp_path, which, suffix):
    path = tmp_path / f"camera.{suffix}"
    CURVES[which].save(path)
    loaded = Curve.load(path)
    np.testing.assert_array_equal(loaded.samples, CURVES[which].samples)
    assert loaded.source == str(path) and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("which", CURVES)
@pytest.mark.parametrize("suffix", ["spi1d", "cube"])
def test_ocio_applies_the_saved_curve_as_we_do(tmp_path, which, suffix):
    path = tmp_path / f"camera.{suffix}"
    CURVES[which].save(path)
    plate = Image(np.random.default_rng(1).random((16, 16, 3), np.float32))
    applied = ImageBufAlgo.ociofiletransform(plate.to_imagebuf(), str(path))
    assert not applied.has_error, applied.geterror()
    expected = invert_response(plate.rgb, CURVES[which].samples)
    np.testing.assert_allclose(applied.get_pixels("float"), expected, atol=1e-6)


def test_csv_has_a_header_that_says_what_the_columns_are(tmp_path):
    CURVES["one"].save(tmp_path / "a.csv")
    CURVES["three"].save(tmp_path / "b.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[:2] == ["display,linear", "0,0"] and lines[-1] == "1,1" and len(lines) == 1025
    assert (tmp_path / "b.csv").read_text().startswith("display,linear_r,linear_g,linear_b\n")


def test_the_standards_are_those_of_their_documents():
    def at(name, display):
        return float(np.interp(display, X, Curve.named(name).samples[0]))

    # BT.709-6: L = 0.018 is V = 0.081, and 4.5 L below; L = 1 is V = 1.
    assert at("bt709", 0.0405) == pytest.approx(0.009, abs=1e-6)
    assert at("bt709", 0.081) == pytest.approx(0.018, abs=2e-4)
    assert at("bt709", 1.099 * 0.18**0.45 - 0.099) == pytest.approx(0.18, abs=1e-6)
    # IEC 61966-2-1: 12.92 below 0.0031308.
    assert at("srgb", 0.02) == pytest.approx(0.02 / 12.92, abs=1e-7)
    assert at("srgb", 1.055 * 0.18 ** (1 / 2.4) - 0.055) == pytest.approx(0.18, abs=1e-6)
    with pytest.raises(CurveError, match="choose srgb or bt709"):
        Curve.named("gamma")


def test_srgb_is_the_curve_that_ocio_calls_so():
    ramp = Image(np.repeat(X.astype(np.float32)[None, :, None], 3, axis=2))
    linear = ImageBufAlgo.colorconvert(
        ramp.to_imagebuf(), "srgb_rec709_scene", "lin_rec709_scene", colorconfig="ocio://default"
    )
    np.testing.assert_allclose(linear.get_pixels("float")[0, :, 0], Curve.named("srgb").samples[0], atol=3e-5)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (X[::-1], "runs from 1 to 0"),
        (X * 0.5, "runs from 0 to 0.5"),
        (X + 0.5, "runs from 0.5 to 1.5"),
        (np.where(X == X[512], 0.1, X), "falls from 0.499511 to 0.1 at display value 0.4995"),
        (np.where(X == X[512], np.nan, X), "no numbers"),
        (np.zeros((2, 1024)), r"shape \(2, 1024\)"),
        (np.zeros(1), "has samples of shape"),
        (np.stack([X, X, 1 - X]), "give a curve that rises from 0 to 1"),
    ],
)
def test_what_is_no_response_is_refused(samples, words):
    with pytest.raises(CurveError, match=f"^camera.csv: .*{words}"):
        Curve(samples, source="camera.csv")


def test_a_curve_that_falls_is_refused_with_its_file(tmp_path):
    path = tmp_path / "wave.csv"
    path.write_text("display,linear\n0,0\n0.5,0.8\n0.75,0.3\n1,1\n")
    with pytest.raises(CurveError, match=r"wave.csv: falls from"):
        Curve.load(path)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50).map(sorted))
@settings(deadline=None)
def test_any_rising_curve_is_kept_at_its_own_points(values):
    curve = Curve(np.array([0, *values, 1]))
    assert curve.samples.shape == (1, 1024) and curve.samples.dtype == np.float32
    assert curve.samples[0, 0] == 0 and curve.samples[0, -1] == 1 and (np.diff(curve.samples) >= 0).all()


def test_csv_points_may_be_few_and_uneven(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("\ufeff# from a chart\nDisplay, Linear\r\n0,0\r\n0.9,0.3\r\n1,1\r\n", encoding="utf-8")
    samples = Curve.load(path).samples[0]
    assert samples[512] == pytest.approx(0.3 * X[512] / 0.9, abs=0.08) and samples[-1] == 1


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "is no curve"),
        ("a.csv", "x,y\n0,0\n1,1\n", "no column is called linear"),
        ("a.csv", "display,linear\n0,0\n1,one\n", "could not convert"),
        ("a.csv", "display,linear\n0.2,0\n1,1\n", "do not rise from 0 to 1"),
        ("a.csv", "display,linear\n0,0\n1,1,1\n", "is no curve"),
        ("a.csv", "display\n0\n1\n", "is no curve"),
        ("a.csv", "display,linear\n0," + "1" * 200_000, "field larger than"),
        ("a.spi1d", "Version 1\nFrom 0 1\nLength 3\nComponents 1\n{\n0\n1\n}\n", "2 rows of 1, not 3 of 1"),
        ("a.spi1d", "Version 1\n{\n0\n1\n}\n", "is no curve"),
        ("a.spi1d", "hello", "is no curve"),
        ("a.cube", "LUT_3D_SIZE 2\n" + "0 0 0\n" * 8, "three dimensions"),
        ("a.cube", "LUT_1D_SIZE 3\n0 0 0\n1 1 1\n", "2 rows, not 3"),
        ("a.txt", "0\n1\n", "not read from .txt"),
    ],
)
def test_files_that_are_no_curves_are_one_line(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ReadError) as error:
        Curve.load(path)
    assert words in str(error.value) and "\n" not in str(error.value) and str(error.value).startswith(f"{path}: ")


def test_missing_binary_and_folder_curves_are_one_line(tmp_path):
    (tmp_path / "b.csv").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "d.csv").mkdir()
    for name, words in [("none.csv", "does not exist"), ("b.csv", "is not text"), ("d.csv", "is a folder")]:
        with pytest.raises(ReadError, match=words):
            Curve.load(tmp_path / name)


def test_a_curve_does_not_replace_a_file_unasked_nor_go_into_other_kinds(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        CURVES["one"].save(path)
    assert path.read_text() == "mine"
    CURVES["one"].save(path, overwrite=True)
    assert path.read_text().startswith("display,linear")
    with pytest.raises(WriteError, match="not written as .xls; choose .csv"):
        CURVES["one"].save(tmp_path / "a.xls")


def test_samples_are_not_to_be_written_into():
    with pytest.raises(ValueError, match="read-only"):
        Curve.named("srgb").samples[0, 0] = 1


@pytest.mark.parametrize("which", CURVES)
def test_a_plot_shows_the_curve_where_it_is(tmp_path, which):
    from hdrnodes.canvas import BLUE
    from hdrnodes.curve_plot import Layout

    CURVES[which].save(tmp_path / "curve.png")
    plot = read(tmp_path / "curve.png")
    assert plot.pixels.shape == (760, 960, 3) and not ImageBuf(str(tmp_path / "curve.png")).has_error
    for display in (0.3, 0.5, 0.9):
        x, y = Layout().place(display, float(np.interp(display, X, CURVES[which].samples[-1])))
        around = plot.rgb[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].reshape(-1, 3)
        assert np.abs(around - BLUE).max(axis=1).min() < 0.05
