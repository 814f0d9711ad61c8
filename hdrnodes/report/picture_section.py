"""The part of the page about one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hdrnodes.metrics.base import Metric
from hdrnodes.metrics.evaluate import Scores
from hdrnodes.report.encoded import Encoded
from hdrnodes.report.html import Html, joined, tag
from hdrnodes.report.legends import map_legend, stops_legend
from hdrnodes.report.picture_plots import curve_plot, stops_histogram
from hdrnodes.report.pictures import IN_PU21, IN_STOPS, STOPS, Light, MethodPictures, ScenePictures
from hdrnodes.report.plot import OTHER, PLATE, REFERENCE, RESULT, signed_words, true_minus
from hdrnodes.report.tables import definitions, metrics_table


@dataclass(frozen=True)
class Method:
    """One way of making the picture: what it is called, how it did, what it looks like."""

    name: str
    scores: Scores
    pictures: MethodPictures


def picture_section(number: int, scene: ScenePictures, methods: Sequence[Method], metrics: Sequence[Metric]) -> Html:
    """All about one picture.

    Args:
        number: from 1, for links to it.
        methods: the result, and the other where there is one.
    """
    result = methods[0].scores
    lights = [*((method.name, method.pictures.light) for method in methods), ("reference", scene.reference)]
    return tag(
        "section",
        tag("h2", result.name),
        definitions(_facts(scene, methods)),
        tag("p", "; ".join(result.notes), ".", class_="notes") if result.notes else "",
        tag("div", _plate(scene), _plots(scene, methods), class_="overview"),
        tag("h3", "Metrics"),
        metrics_table(metrics, [(method.name, method.scores) for method in methods]),
        tag("h3", "At a strip of exposures"),
        tag("p", _about_white(scene), class_="notes"),
        tag("div", [_strip(name, light) for name, light in lights], class_="exposures"),
        tag("h3", "Luminance in false colours, a colour for each stop"),
        _side_by_side([(name, light.false_colours) for name, light in lights]),
        stops_legend(),
        _differences(methods),
        class_="picture",
        id=f"picture-{number}",
    )


def _facts(scene: ScenePictures, methods: Sequence[Method]) -> list[tuple[str, str]]:
    width, height = scene.size
    scores = methods[0].scores
    linearised = "the plate through an inverse response, nothing invented"
    facts = [(method.name, str(method.scores.test_path or linearised)) for method in methods]
    facts.append(("reference", str(scores.reference_path)))
    if scores.plate_path:
        facts.append(("plate", str(scores.plate_path)))
    shown = "" if scene.size == scene.shown_size else f", shown at {scene.shown_size[0]} × {scene.shown_size[1]}"
    facts.append(("size", f"{width} × {height} pixels{shown}"))
    if scene.clipped is not None:
        facts.append(("clipped", f"{100 * scene.clipped:.3g} % of the pixels"))
    if scores.gain is not None:
        facts.append(("gain", true_minus(f"{scores.gain:+.3f} stops, fitted")))
    if scores.scale is not None:
        facts.append(("scale", f"1.0 of the reference is {scores.scale:.5g} cd/m²"))
    return facts


def _about_white(scene: ScenePictures) -> str:
    rule = "where the plate clipped" if scene.white_is_clip else "at which the reference's geometric mean is mid-grey"
    return f"At 0 stops, white is {scene.white:.4g} cd/m², {rule}. sRGB's view; averaged as light."


def _plate(scene: ScenePictures) -> Html:
    figures = []
    if scene.plate:
        figures.append(_figure("plate", scene.plate))
    if scene.mask:
        figures.append(_figure("clipped: white", scene.mask))
    return tag("div", figures) if figures else Html()


def _plots(scene: ScenePictures, methods: Sequence[Method]) -> Html:
    strokes = (RESULT, OTHER)
    named = [((method.name, stroke), method.pictures) for method, stroke in zip(methods, strokes, strict=False)]
    curves = [(name, pictures.curve) for name, pictures in named]
    if scene.curve is not None:
        curves.append((("the camera's own", REFERENCE), scene.curve))
    known = [(name, curve) for name, curve in curves if curve is not None]
    unknown = "The header of the result has no response curve, and none was given."
    spread = [(name, pictures.light.histogram) for name, pictures in named]
    spread.append((("reference", REFERENCE), scene.reference.histogram))
    if scene.plate_histogram is not None:
        spread.append((("plate, sRGB's inverse", PLATE), scene.plate_histogram))
    plot = curve_plot(known) if known else tag("p", unknown, class_="notes")
    return joined(plot, stops_histogram(spread, scene.white_is_clip))


def _strip(name: str, light: Light) -> Html:
    exposed = zip(STOPS, light.exposures, strict=True)
    figures = [
        _figure(f"{signed_words(stops)} stops", picture, f"{name} at {stops:+d} stops", data_stops=stops)
        for stops, picture in exposed
    ]
    return tag("div", tag("h4", name), tag("div", figures, class_="strip"))


def _differences(methods: Sequence[Method]) -> Html:
    in_stops = [(method.name, method.pictures.in_stops) for method in methods]
    in_pu21 = [(method.name, method.pictures.in_pu21) for method in methods]
    return tag(
        "div",
        tag(
            "div",
            tag("h3", "Difference from the reference, stops of luminance"),
            _side_by_side(in_stops),
            tag("p", "Orange is too bright, blue too dark."),
            map_legend(IN_STOPS),
        ),
        tag(
            "div",
            tag("h3", "Difference as the eye sees it, PU21"),
            _side_by_side(in_pu21),
            tag("p", "Without its sign; 256 is from black to white of an ordinary display."),
            map_legend(IN_PU21),
        ),
        class_="differences",
    )


def _side_by_side(pictures: Sequence[tuple[str, Encoded]]) -> Html:
    return tag("div", [_figure(name, picture) for name, picture in pictures], class_="beside")


def _figure(caption: str, picture: Encoded, words: str = "", **attributes: object) -> Html:
    return tag("figure", picture.element(words or caption), tag("figcaption", caption), **attributes)
