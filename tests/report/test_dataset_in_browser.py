"""The page of a dataset as a reader opens it: on a phone and a desktop, without a network."""

import os
import shutil

import pandas as pd
import pytest

from describe.small_trial import trial
from discontinuation.report import dataset_words as say
from discontinuation.report.dataset_page import render_dataset_report
from discontinuation.report.dataset_parts import draw_dataset, summarise_dataset
from discontinuation.report.drawing import save_figure
from discontinuation.report.inline import FigureFiles

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
DATASET = {
    "name": "made_up",
    "title": "A made-up trial: keep the drug, stop it at once, or taper over four weeks",
    "description": "Twelve people.",
    "notices": ["Made up for tests."],
    "licence": "CC0",
    "citation": "Nobody 2025, https://example.org/" + "a-very-long-address/" * 8,
    "synthetic": True,
    "smallest_cell": 1,
    "events": {"definitions": [{"id": "relapse", "title": "HAMD-17 of 18 or more"}]},
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Address of a finished page with all its figures."""
    folder = tmp_path_factory.mktemp("a page with é")
    summaries = summarise_dataset(DATASET, trial())
    files = []
    for name, figure in draw_dataset(DATASET, trial(), summaries, 1).items():
        save_figure(figure, folder / f"{name}.svg", folder / f"{name}.png")
        files.append(FigureFiles.read(folder / f"{name}.svg", folder / f"{name}.png"))
    steps = pd.DataFrame(columns=["step", "table", "rows_before", "rows_after", "note"])
    code = {"version": "0", "source_sha256": "0" * 64, "commit": None}
    methods = say.methods(DATASET, trial())
    html = render_dataset_report(DATASET, trial(), summaries, steps, files, methods, code, {})
    (folder / "report.html").write_text(html, encoding="utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # Root, as in most containers, cannot use Chromium's own sandbox.
        options = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The page, offline, with everything it asks for or complains about noted."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    yield page
    context.close()


def test_asks_for_nothing_but_itself_and_complains_of_nothing(page, address):
    assert page.asked == [address]
    assert page.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_fits_a_phone_and_a_desktop(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator("figure svg[role=img]")
    assert figures.count() == 7
    for figure in figures.all():
        box = figure.bounding_box()
        assert box["width"] >= min(width, 640) * 0.9 or box["width"] > 300
        assert box["height"] > 80


def test_the_first_screen_of_a_desktop_holds_banner_notice_and_numbers(page):
    page.set_viewport_size({"width": 1280, "height": 900})
    for part in (".banner", ".notice", "#table-at-a-glance table"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] + min(box["height"], 100) < 900, part


def test_tables_sort_and_filter(page):
    page.locator("summary", has_text="First events and crude rates").click()
    box = page.locator("#table-event-rates")
    heading = box.locator("th", has_text="Events")
    heading.locator("button").click()
    place = heading.evaluate("th => [...th.parentNode.children].indexOf(th)")
    cells = box.locator(f"tbody tr td:nth-child({place + 1})")
    values = [float(value) for value in cells.evaluate_all("c => c.map(x => x.dataset.sort)")]
    assert values == sorted(values) and values[-1] > 0
    box.locator("select[data-column='2']").select_option("Stopped at once")
    shown = box.locator("tbody tr:visible")
    assert 0 < shown.count() < len(values)
    assert all("Stopped at once" in text for text in shown.all_inner_texts())


def test_no_link_within_the_page_leads_nowhere(page):
    broken = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
        ".filter(id => !document.getElementById(decodeURIComponent(id)))"
    )
    assert broken == []


def test_the_methods_are_selected_as_a_whole(page):
    style = page.locator("#methods-text").evaluate("e => getComputedStyle(e).userSelect")
    assert style == "all"
