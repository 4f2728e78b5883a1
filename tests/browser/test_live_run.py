"""A run as a person sees it: from the click on Launch to the verdict, without a reload."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]

MINUTES = 60_000


def test_a_run_is_launched_watched_and_judged_without_a_reload(installation, page):
    page.goto(installation.address + "/runs/launch/?dataset=golden-v2")
    page.select_option("[name=config_name]", "golden")
    page.fill("[name=name]", "from the page")
    page.click("button:has-text('Launch')")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
    page.evaluate("window.neverReloaded = true")

    expect(page.locator("main")).to_contain_text("training", timeout=2 * MINUTES)
    expect(page.locator("svg path.line").first).to_be_visible(timeout=2 * MINUTES)
    expect(page.locator("progress").first).to_be_visible()
    first = page.locator("svg path.line").first.get_attribute("d")
    page.wait_for_function(
        "first => document.querySelector('svg path.line').getAttribute('d') !== first", arg=first, timeout=MINUTES
    )
    expect(page.locator("main")).to_contain_text("completed", timeout=4 * MINUTES)
    expect(page.locator("main")).to_contain_text("Before")
    expect(page.locator("progress")).to_have_count(0)


def test_every_answer_of_a_run_can_be_opened_step_by_step(installation, page):
    page.goto(installation.address + "/runs/")
    page.click("main table a >> nth=0")
    page.click("a:has-text('answers')")
    expect(page).to_have_url(re.compile("/predictions/"))
    page.locator("table a, article a").first.click()
    expect(page.locator("main")).to_contain_text("Expected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/", "/traces/", "/traces/import/", "/datasets/", "/datasets/golden-v2/", "/datasets/build/", "/evalsets/",
             "/runs/", "/runs/launch/", "/leaderboard/", "/tokens", "/api/docs", "/admin/", "/admin/runs/run/"],
)  # fmt: skip
def test_each_page_opens_without_a_complaint_of_the_browser(installation, page, path, scheme):
    page.emulate_media(color_scheme=scheme)
    response = page.goto(installation.address + path, wait_until="networkidle")
    assert response.status == 200
    assert page.title()
    wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wider, "the page scrolls sideways"
