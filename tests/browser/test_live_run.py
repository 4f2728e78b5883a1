"""A run as a person sees it: from the click on Launch to the verdict, without a reload."""

import re

import pytest
from playwright.sync_api import TimeoutError, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]

MINUTES = 60_000
WITHOUT_A_SIGN = 2_000 + 2_000 + 4_000  # two heartbeats, a poll, and a machine that is busy


def test_a_run_is_launched_watched_and_judged_without_a_reload_though_its_worker_is_killed(installation, page):
    polls: list[str] = []
    page.goto(installation.address + "/runs/launch/?dataset=golden-v2")
    page.select_option("[name=config_name]", "golden")
    page.fill("[name=name]", "from the page")
    page.click("button:has-text('Launch')")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}/$"))
    page.evaluate("window.neverReloaded = true")
    page.on("request", lambda request: polls.append(request.url) if "/live/" in request.url else None)

    expect(page.locator("main")).to_contain_text("training", timeout=2 * MINUTES)
    expect(page.locator("svg path.line").first).to_be_visible(timeout=2 * MINUTES)
    expect(page.locator("progress").first).to_be_visible()
    first = page.locator("svg path.line").first.get_attribute("d")
    page.wait_for_function(
        "first => document.querySelector('svg path.line').getAttribute('d') !== first", arg=first, timeout=MINUTES
    )

    page.fill("#search", "half a word")
    installation.kill("worker")
    expect(page.locator("#figures")).to_contain_text("No sign of life for", timeout=WITHOUT_A_SIGN)
    installation.start_worker()
    expect(page.locator("#figures")).to_contain_text("attempt 2", timeout=MINUTES)
    expect(page.locator("#figures")).not_to_contain_text("No sign of life")
    assert page.input_value("#search") == "half a word"
    page.fill("#search", "")

    expect(page.locator("main")).to_contain_text("completed", timeout=4 * MINUTES)
    expect(page.locator("main")).to_contain_text("Before")
    expect(page.locator("progress")).to_have_count(0)
    assert page.evaluate("window.neverReloaded")
    asked = len(polls)
    with pytest.raises(TimeoutError), page.expect_request("**/live/**", timeout=4_000):
        pass
    assert len(polls) == asked


def test_a_page_that_lost_its_server_says_so_until_it_is_back(installation, page):
    run = installation.ask("launch_run", "--dataset", "golden-v2", "--config", "golden")
    page.goto(f"{installation.address}/runs/{run['id']}/")
    page.context.set_offline(True)
    expect(page.locator("#live")).to_be_visible(timeout=15_000)
    page.context.set_offline(False)
    expect(page.locator("#live")).to_be_hidden(timeout=15_000)
    page.fill("#tag", "half a word")
    installation.ask("cancel_run", run["id"])
    expect(page.locator("#ended")).to_be_visible(timeout=MINUTES)
    assert page.input_value("#tag") == "half a word"
    page.click("#ended a")
    expect(page.locator("main")).to_contain_text("cancelled", timeout=MINUTES)
    expect(page.locator("#live")).to_have_count(0)


def test_every_answer_of_a_run_can_be_opened_step_by_step(installation, page):
    page.goto(installation.address + "/runs/?status=completed")
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
