"""The page in which a figure is digitised, used as a reader uses it: mouse, keys, no network."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from discontinuation.problems import InvalidInput
from discontinuation.report.digitising_page import write_digitising_page
from discontinuation.synthesis import read_clicks, reconstruct

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]

WIDTH, HEIGHT, END = 700, 500, 24.0
# Steps of two made-up arms: 40 people continue, 40 stop.
TRUE = {
    "continued": {2: 0.95, 8: 0.9, 15: 0.85},
    "stopped": {1: 0.85, 2: 0.7, 6: 0.6, 12: 0.5},
}
AT_RISK = {"continued": "40 36 32 28", "stopped": "40 24 18 16"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A picture of both curves, and where in it a time and a share are."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    axes = figure.add_axes((0.12, 0.12, 0.8, 0.8))
    for steps in TRUE.values():
        axes.step([0, *steps, END], [1, *steps.values(), min(steps.values())], where="post")
    axes.set(xlim=(0, END), ylim=(0, 1))
    path = tmp_path_factory.mktemp("a figure") / "figure é.png"
    figure.savefig(path)

    def place(time, share):
        x, y = axes.transData.transform((time, share))
        return {"x": float(x), "y": float(HEIGHT - y)}

    return path, place


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # Root, as in most containers, cannot use Chromium's own sandbox.
        options = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, tmp_path):
    """The page from a file, offline, with all it asks for or complains about noted."""
    context = browser.new_context(
        offline=True, viewport={"width": 1300, "height": 900}, accept_downloads=True
    )
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.address = write_digitising_page(tmp_path / "new folder" / "read a curve.html").as_uri()
    page.goto(page.address)
    yield page
    assert page.complaints == []
    elsewhere = [url for url in page.asked if url != page.address and not url.startswith("blob:")]
    assert elsewhere == []
    context.close()


def load(page, path):
    page.set_input_files("#image", str(path))
    says(page, "point")
    page.click("#zoom-one")


def set_axes(page, place, values=("0", "24", "0", "1")):
    marks = [("time", 0, (0, 0)), ("time", 1, (END, 0))]
    marks += [("survival", 0, (0, 0)), ("survival", 1, (0, 1))]
    for (axis, k, at), value in zip(marks, values, strict=True):
        page.click(f"#set-{axis}-{k}")
        page.click("#canvas", position=place(*at))
        page.fill(f"#value-{axis}-{k}", value)


def add_arm(page, name):
    page.fill("#arm-name", name)
    page.click("#add-arm")


def click_curve(page, place, name):
    """Click the top and the foot of every step, and the end."""
    add_arm(page, name)
    level = 1.0
    for time, below in TRUE[name].items():
        page.click("#canvas", position=place(time, level))
        page.click("#canvas", position=place(time, below))
        level = below
    page.click("#canvas", position=place(END, level))


def saved(page, tmp_path):
    with page.expect_download() as download:
        page.click("#save")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def says(page, words):
    sync_api.expect(page.locator("#message")).to_contain_text(words)


def message(page):
    return page.inner_text("#message")


@pytest.fixture
def digitised(page, drawn):
    path, place = drawn
    load(page, path)
    set_axes(page, place)
    page.fill("#unit", "weeks")
    for name in TRUE:
        click_curve(page, place, name)
    page.fill("#risk-times", "0 6 12 18")
    for k, name in enumerate(TRUE):
        page.fill(f"#at_risk-{k}", AT_RISK[name])
    page.fill("#events-0", "6")
    return page


def test_what_is_clicked_is_saved_read_and_reconstructed(digitised, tmp_path):
    assert digitised.locator("#problems li").count() == 0
    path = saved(digitised, tmp_path)
    assert path.name == "figure é_clicks.json"
    figure = read_clicks(path)
    assert list(figure.arms) == ["continued", "stopped"]
    assert figure.time_unit == "weeks"
    assert [arm.events for arm in figure.arms.values()] == [6, None]
    for name, steps in TRUE.items():
        arm = figure.arms[name]
        assert arm.at_risk["at_risk"].tolist() == [int(n) for n in AT_RISK[name].split()]
        feet = arm.clicks.iloc[1:-1:2]
        # Half a pixel is 0.02 weeks and 0.00125 of the share.
        assert np.abs(feet["time"].to_numpy() - list(steps)).max() < 0.06
        assert np.abs(feet["survival"].to_numpy() - list(steps.values())).max() < 0.003
        found = reconstruct(arm.clicks, arm.at_risk, arm.events)
        assert found.quality.verdict == "accept"
        events = found.people.query("event == 1")["time"].value_counts().sort_index()
        expected = {"continued": [2, 2, 2], "stopped": [6, 6, 4, 3]}[name]
        assert events.tolist()[: len(expected) - 1] == expected[:-1]


def test_no_point_can_be_clicked_before_the_axes_are_set(page, drawn):
    path, place = drawn
    add_arm(page, "continued")
    assert "Set the axes first" in message(page)
    load(page, path)
    add_arm(page, "stopped")
    assert "Set the axes first: time axis, first point: not set in the figure" in message(page)
    page.click("#save")
    assert "Not saved" in message(page)
    assert "No axes are set" in page.inner_text("#problems")
    set_axes(page, place, values=("0", "24", "0", "0"))
    assert "both points have the same value" in page.inner_text("#problems")
    page.fill("#value-survival-1", "1")
    page.click("text=stopped (0)")
    page.click("#canvas", position=place(2, 0.5))
    assert "stopped: point 1 at time 2" in message(page)


def test_axes_in_one_line_are_refused(page, drawn):
    path, place = drawn
    load(page, path)
    for axis, k, at in (("time", 0, 0), ("time", 1, 24), ("survival", 0, 0), ("survival", 1, 12)):
        page.click(f"#set-{axis}-{k}")
        page.click("#canvas", position=place(at, 0.2))
        page.fill(f"#value-{axis}-{k}", str(at))
    assert "do not span the figure" in page.inner_text("#problems")


def test_keys_alone_set_points_undo_and_zoom(page, drawn):
    path, place = drawn
    load(page, path)
    set_axes(page, place)
    add_arm(page, "continued")
    page.focus("#canvas")
    start = place(12, 0.5)
    page.mouse.move(*(np.array([start["x"], start["y"]]) + offset(page)))
    pixel = END / (0.8 * WIDTH)
    before = shown(page)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert shown(page)[0] - before[0] == pytest.approx(13 * pixel, abs=0.006)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#clicks tbody tr").count() == 2
    page.keyboard.press("Backspace")
    assert page.locator("#clicks tbody tr").count() == 1
    page.keyboard.press("Control+z")
    assert page.locator("#clicks tbody tr").count() == 0
    for _ in range(8):
        page.keyboard.press("+")
    zoomed = shown(page)
    page.keyboard.press("Shift+ArrowRight")  # less than a pixel of the image per step now
    assert shown(page)[0] - zoomed[0] == pytest.approx(10 * pixel / 1.25**8, abs=0.011)
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    assert page.locator("#clicks tbody tr").count() == 1


def offset(page):
    box = page.locator("#canvas").bounding_box()
    return np.array([box["x"] + 1, box["y"] + 1])


def shown(page):
    words = page.inner_text("#place").replace(",", "").split()
    return float(words[1]), float(words[-1])


def test_zooming_does_not_move_what_was_clicked(digitised, tmp_path):
    first = read_clicks(saved(digitised, tmp_path)).arms["stopped"].clicks
    for button in ("#zoom-in", "#zoom-in", "#zoom-out", "#zoom-fit"):
        digitised.click(button)
    digitised.locator("#canvas").hover(position={"x": 300, "y": 200})
    digitised.mouse.wheel(0, -300)
    digitised.mouse.down()
    digitised.mouse.move(700, 420, steps=4)
    digitised.mouse.up()  # a drag moves the figure and sets no point
    pd.testing.assert_frame_equal(
        first, read_clicks(saved(digitised, tmp_path)).arms["stopped"].clicks
    )


def test_a_rising_figure_in_percent_is_turned(page, drawn, tmp_path):
    path, place = drawn
    load(page, path)
    page.select_option("#shows", "with")
    page.select_option("#scale", "100")
    set_axes(page, place, values=("0", "24", "0", "100"))
    add_arm(page, "stopped")
    page.click("#canvas", position=place(6, 0.4))
    page.click("#canvas", position=place(12, 0.5))
    page.fill("#risk-times", "0 12")
    page.fill("#at_risk-0", "40 18")
    clicks = read_clicks(saved(page, tmp_path)).arms["stopped"].clicks
    assert clicks["survival"].tolist() == pytest.approx([0.6, 0.5], abs=0.003)


WRONG = [
    ("#at_risk-1", "40 24 25 16", "stopped: the numbers at risk grow"),
    ("#at_risk-1", "40 24 18", "3 numbers at risk for 4 times"),
    ("#at_risk-1", "40 24.5 18 16", "whole"),
    ("#events-1", "41", "there are more events than people"),
    ("#risk-times", "2 6 12 18", "must begin at time 0"),
    ("#risk-times", "0 12 6 18", "must rise"),
    ("#risk-times", "", "the risk table has no times"),
    ("#value-survival-1", "", "No axes are set"),
    ("#value-survival-1", "100", "points lie outside 0 to 1"),
]


def test_what_the_reader_would_refuse_is_not_saved(digitised):
    for field, typed, said in WRONG:
        right = digitised.input_value(field)
        digitised.fill(field, typed)
        digitised.click("#save")
        assert said in digitised.inner_text("#problems"), typed
        assert "Not saved" in message(digitised)
        digitised.fill(field, right)
        assert digitised.locator("#problems li").count() == 0


def test_a_point_above_an_earlier_one_is_named_and_can_be_removed(digitised, drawn):
    _, place = drawn
    digitised.click("text=stopped (9)")
    digitised.click("#canvas", position=place(20, 0.8))
    assert "stopped: 1 point lies clearly above an earlier one" in digitised.inner_text("#problems")
    digitised.locator("#clicks tr", has_text="0.8").last.get_by_role("button").click()
    assert digitised.locator("#problems li").count() == 0


def test_saved_work_is_taken_up_again(digitised, drawn, tmp_path):
    path = saved(digitised, tmp_path)
    digitised.reload()
    digitised.set_input_files("#earlier", str(path))
    says(digitised, "Opened")
    digitised.set_input_files("#image", str(drawn[0]))
    says(digitised, "loaded")
    again = tmp_path / "again"
    again.mkdir()
    assert saved(digitised, again).read_text("utf-8") == path.read_text("utf-8")


def test_a_file_that_is_no_image_is_refused(page, tmp_path):
    path = tmp_path / "figure.png"
    path.write_text("not an image", encoding="utf-8")
    page.set_input_files("#image", str(path))
    says(page, "not an image")


@pytest.mark.parametrize("width", [360, 1280])
def test_fits_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [420, 1300])
def test_the_figure_stays_under_the_mouse_whatever_is_said(page, drawn, width):
    path, place = drawn
    page.set_viewport_size({"width": width, "height": 900})
    place_of_it = "document.getElementById('frame').offsetTop"
    before = page.evaluate(place_of_it)
    add_arm(page, "an arm with a long name, as some reports have them")
    assert "Set the axes first" in message(page)
    assert page.evaluate(place_of_it) == before
    load(page, path)
    assert page.evaluate(place_of_it) == before
    if width > 1000:
        set_axes(page, place)
        page.click("text=an arm with a long name")
        page.click("#canvas", position=place(2, 0.5))
        assert "point 1 at time 2" in message(page)
        assert page.evaluate(place_of_it) == before


def test_a_file_without_axes_is_refused_by_the_reader_as_well(digitised, tmp_path):
    path = saved(digitised, tmp_path)
    content = json.loads(path.read_text("utf-8"))
    content["axes"]["survival"].pop()
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidInput, match="no axes are set"):
        read_clicks(path)


def test_the_page_is_written_only_where_a_browser_opens_it(tmp_path):
    with pytest.raises(InvalidInput, match=r"\.html"):
        write_digitising_page(tmp_path / "page.txt")
