"""The finished report as a reader opens it: in a browser, without a network."""

import os
import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.workflow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # Root, as in most containers, cannot use Chromium's own sandbox.
        options = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, finished):
    """The report, offline, with everything it asks for or complains about noted."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.address = (finished / "results" / "report" / "report.html").as_uri()
    page.goto(page.address)
    yield page
    context.close()


def test_asks_for_nothing_but_itself_and_complains_of_nothing(page):
    assert page.asked == [page.address]
    assert page.complaints == []


def test_every_figure_is_drawn(page):
    figures = page.locator("figure svg[role=img]")
    assert figures.count() == 8
    for figure in figures.all():
        box = figure.bounding_box()
        assert box["width"] > 300 and box["height"] > 100


def test_clicking_a_heading_sorts_and_clicking_again_reverses(page):
    table = page.locator("#table-pooled-relapse table")
    heading = table.locator("th", has_text="Trials")
    heading.locator("button").click()
    position = heading.evaluate("th => [...th.parentNode.children].indexOf(th)")

    def column():
        cells = table.locator(f"tbody tr td:nth-child({position + 1})")
        return [float(value) for value in cells.evaluate_all("c => c.map(x => x.dataset.sort)")]

    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(column())
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column() == sorted(column(), reverse=True)


def test_blank_cells_sort_last_both_ways(page):
    table = page.locator("#table-pooled-relapse table")
    heading = table.locator("th", has_text="Estimate")
    position = heading.evaluate("th => [...th.parentNode.children].indexOf(th)")
    for _ in range(2):
        heading.locator("button").click()
        last = table.locator(f"tbody tr:last-child td:nth-child({position + 1})")
        assert last.inner_text() == "–"


def test_filters_keep_the_rows_that_match(page):
    box = page.locator("#table-pooled-relapse")
    total = box.locator("tbody tr:visible").count()
    box.locator("select[data-column='0']").select_option("antipsychotic")
    box.locator("input[type=search]").fill("odds ratio")
    shown = box.locator("tbody tr:visible")
    assert 0 < shown.count() < total
    for text in shown.all_inner_texts():
        assert "antipsychotic" in text and "odds ratio" in text
    assert box.locator("output").inner_text() == f"{shown.count()} shown"
    box.locator("input[type=search]").fill("nothing of this kind")
    assert box.locator("tbody tr:visible").count() == 0


def test_a_link_to_a_source_opens_the_folded_table(page):
    link = page.locator("#table-early td a[href^='#source-']").first
    target = link.get_attribute("href")
    link.click()
    page.wait_for_function("id => document.getElementById(id).offsetHeight > 0", arg=target[1:])
    assert page.locator(f"[id='{target[1:]}']").is_visible()


def test_no_link_within_the_page_leads_nowhere(page):
    broken = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
        ".filter(id => !document.getElementById(decodeURIComponent(id)))"
    )
    assert broken == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_fits_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_findings_of_both_directions_have_columns_of_equal_width(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    boxes = [
        page.locator(f"[data-direction={name}]").bounding_box()
        for name in ("withdrawal", "relapse")
    ]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=0.5)
    assert boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=0.5)


def test_answers_stand_on_the_first_screen_and_equal_their_table(page, finished):
    import pandas as pd

    answers = pd.read_csv(finished / "results" / "evidence" / "answerable.csv")
    answers = answers.loc[answers["drug_class"] == "all"]
    answers = answers.loc[answers["window_factor"].isna() | (answers["window_factor"] == 1)]
    page.set_viewport_size({"width": 1280, "height": 900})
    for row in answers.itertuples():
        item = page.locator(f"[data-question={row.question_id}]")
        expected = f"in {row.answering or 'none'} of {row.trials} trials"
        assert expected in item.locator(".verdict").inner_text()
        assert item.bounding_box()["y"] < 900


def test_no_hazard_ratio_has_antlers_risk_ratio(page):
    rows = page.locator("#table-trial-effects tbody tr").evaluate_all(
        "rows => rows.map(row => row.textContent)"
    )
    antler = [row for row in rows if "ANTLER" in row and "hazard ratio" in row]
    assert antler
    assert not [row for row in antler if "1.46" in row or "0.69" in row]
