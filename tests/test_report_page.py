"""The report in a real browser: columns sort, exposures enlarge; on paper, and without scripts, all of it is there."""

import numpy as np
import pytest
from cli import hdrnodes, save
from viewer_page import browser_path


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="driving a browser needs playwright")
    path = browser_path()
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of three pictures, of which one is equal to its reference: it has no PSNR."""
    folder = tmp_path_factory.mktemp("report")
    for name in ("pred", "ref"):
        (folder / name).mkdir()
    light = np.random.default_rng(5).uniform(1, 90, (60, 90, 3))
    for name, factor in (("a", 1.5), ("b", 1.0), ("c", 1.1)):
        save(folder / "ref" / f"{name}.exr", light, "float")
        save(folder / "pred" / f"{name}.exr", light * factor, "float")
    metrics = ("--metric", "mu_law.psnr_rgb", "--metric", "log_rmse.log2_y")
    ran = hdrnodes("evaluate", folder / "pred", folder / "ref", *metrics, "--report", folder / "report.html")
    assert ran.exit_code == 0, ran.stderr
    return folder / "report.html"


@pytest.fixture
def page(browser, report):
    tab = browser.new_page(viewport={"width": 1200, "height": 800})
    complaints, requests = [], []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(report.as_uri())
    yield tab
    assert complaints == []
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == 1
    tab.close()


def order(page):
    return page.locator("table.wide tbody th").all_inner_texts()


def test_columns_sort_both_ways_and_what_is_undefined_stays_last(page):
    assert order(page) == ["a", "b", "c"]
    for metric, rising, falling in (("mu_law.psnr_rgb", "acb", "cab"), ("log_rmse.log2_y", "bca", "acb")):
        button = page.locator("table.wide").get_by_role("button", name=metric)
        button.click()
        assert order(page) == list(rising)
        head = page.locator("table.wide th[aria-sort]")
        assert head.get_attribute("aria-sort") == "ascending" and metric in head.inner_text()
        button.click()
        assert order(page) == list(falling)
        assert page.locator("table.wide th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.locator("table.wide").get_by_role("button", name="picture").press("Enter")
    assert order(page) == ["a", "b", "c"]


def exposures(page):
    """Stops of the pictures that are to be seen in the first section, and how wide they are."""
    figures = page.locator("#picture-1 .exposures figure:visible")
    return [int(each.get_attribute("data-stops")) for each in figures.all()], figures.first.bounding_box()["width"]


def test_an_exposure_is_chosen_and_shown_larger_side_by_side(page):
    every, small = exposures(page)
    assert every == [-6, -4, -2, 0, 2] * 2
    page.locator("#picture-1").get_by_role("button", name="−4 stops").click()
    chosen, large = exposures(page)
    assert chosen == [-4, -4] and large > 2 * small
    assert page.locator("#picture-1 button[aria-pressed=true]").inner_text() == "−4 stops"
    assert page.locator("#picture-2 .exposures figure:visible").count() == 10  # it is this picture's alone
    page.emulate_media(media="print")
    assert exposures(page)[0] == every
    assert page.locator(".choice:visible").count() == 0
    page.emulate_media(media="screen")
    page.locator("#picture-1").get_by_role("button", name="All").click()
    assert exposures(page) == (every, small)


def test_rows_lead_to_their_pictures(page):
    page.locator("table.wide").get_by_role("link", name="c").click()
    assert page.url.endswith("#picture-3") and page.locator("#picture-3 h2").inner_text() == "c"
    assert abs(page.locator("#picture-3").bounding_box()["y"]) < 200


@pytest.mark.parametrize("width", [700, 1600])
def test_nothing_is_wider_than_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_all_is_there(browser, report):
    tab = browser.new_context(java_script_enabled=False).new_page()
    tab.goto(report.as_uri())
    assert exposures(tab)[0] == [-6, -4, -2, 0, 2] * 2
    assert order(tab) == ["a", "b", "c"] and tab.locator("button").count() == 0
    assert tab.locator("img:visible").count() == 3 * 14
    tab.context.close()


def test_each_picture_begins_a_sheet_of_paper(page):
    page.emulate_media(media="print")
    begins = "(each) => each.map((section) => getComputedStyle(section).breakBefore)"
    assert page.eval_on_selector_all("section", begins) == ["auto", "page", "page", "page", "page"]
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.count(b"/Type /Page\n") >= 5 and b"/MediaBox [0 0 84" in pdf  # A4, 842 points wide
