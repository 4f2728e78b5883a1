"""Episodes of UNGAR as a person plays and keeps them; a recording of it stands in for the package."""

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import FLAGS
from tests.needs import UNGAR_REPLAY, chromium
from tests.stack import stack

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with stack(tmp_path_factory.mktemp("browser") / "ungar", "embedded") as made:
        made.environment["PYTHONPATH"] = str(UNGAR_REPLAY)
        made.shell(
            "__import__('django.contrib.auth', fromlist=['x']).get_user_model().objects"
            ".create_superuser('ada', password='correct horse battery').pk"
        )
        made.address = made.start_web()
        yield made


def play(page, count: str, seed: str, task: str) -> None:
    page.fill("#ungar [name=count]", count)
    page.fill("#ungar [name=seed]", seed)
    page.select_option("#ungar [name=task]", task)
    page.click("#ungar button:has-text('Play')")


def test_episodes_are_played_and_kept_from_the_list_of_traces(installation, page):
    page.goto(installation.address + "/traces/")
    page.evaluate("window.neverReloaded = true")
    play(page, "3", "42", "reveal")
    rows = page.locator("#ungar tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("TS")
    expect(rows.nth(0)).to_contain_text("JH")
    expect(rows.nth(0)).to_contain_text("loss")
    expect(rows.nth(0).locator("li")).to_have_text(
        ["Legal moves: [reveal]", "My hand: TS", "Unseen cards: 51", "Action chosen: reveal"]
    )
    page.click("button:has-text('Keep these traces')")
    expect(page.locator("#ungar")).to_contain_text("All 3 are kept as traces")
    assert page.evaluate("window.neverReloaded")
    rows.nth(2).locator("a").click()
    expect(page.locator("main")).to_contain_text("My hand: AH")


def test_a_wrong_number_is_told_in_the_panel(installation, page):
    page.goto(installation.address + "/traces/ungar/")
    page.evaluate("document.querySelector('#ungar form').noValidate = true")
    play(page, "101", "42", "odds")
    expect(page.locator("#ungar")).to_contain_text("less than or equal to 100")


def test_without_javascript_it_works_the_same(installation):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(installation.address + "/login?next=/traces/ungar/")
        page.fill("#id_username", "ada")
        page.fill("#id_password", "correct horse battery")
        page.click("main button")
        play(page, "2", "43", "odds")
        expect(page.locator("#ungar tbody tr")).to_have_count(2)
        page.click("button:has-text('Keep these traces')")
        expect(page.locator("#ungar")).to_contain_text("All 2 are kept as traces")
        page.click("text=See all of UNGAR's traces")
        expect(page.locator("main table").first).to_contain_text("You hold 2H")
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_without_a_complaint_of_the_browser(installation, page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(installation.address + "/traces/ungar/?count=40&seed=14&task=odds", wait_until="networkidle")
    assert page.title()
    wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wider, "the page scrolls sideways"
