"""Steps reviewed as a person does it: with the keyboard alone, and without a script."""

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import FLAGS
from tests.factories import make_payload
from tests.needs import chromium
from tests.stack import stack

pytestmark = [pytest.mark.slow, pytest.mark.browser]

QUEUE = "/traces/review/"
STEPS = 4  # of each of three traces
NAMED = "input:not([type=hidden]), select, textarea, button, a[href], summary, [tabindex]"


@pytest.fixture
def installation(tmp_path):
    """Three traces to review."""
    with stack(tmp_path / "review", "embedded") as made:
        rows = [make_payload(f"Problem {number}", steps=STEPS, meta={"source": "book"}) for number in range(3)]
        made.manage(
            "shell", "-c", f"from traces.services import store_traces; store_traces(payloads={rows!r}, by=None)"
        )
        made.shell(
            "__import__('django.contrib.auth', fromlist=['x']).get_user_model().objects"
            ".create_superuser('ada', password='correct horse battery').pk"
        )
        made.address = made.start_web()
        yield made


def reviews(made) -> dict:
    """Every rating and note, by prompt and step."""
    rows = "__import__('traces.models', fromlist=['x']).StepReview.objects.values_list"
    found = made.shell(f"list({rows}('trace__prompt', 'step', 'rating', 'note'))")
    return {(prompt, step): (rating, note) for prompt, step, rating, note in found}


def current(page):
    return page.locator("#current")


def prompt(page) -> str:
    return page.locator("#review article > .prompt").inner_text()


def press(page, key: str, *, step: int) -> None:
    """Presses a key and waits until the focus is on that step."""
    page.keyboard.press(key)
    expect(current(page)).to_contain_text(f"Step {step} of {STEPS}")
    expect(current(page)).to_be_focused()


def test_ten_steps_are_reviewed_with_the_keyboard_alone(installation, page):
    page.goto(installation.address + QUEUE)
    page.evaluate("window.neverReloaded = true")
    said, done = page.locator("#said"), page.locator("#review .empty")
    expect(current(page)).to_be_focused()
    first = prompt(page)
    press(page, "3", step=2)
    expect(said).to_have_text("Step 1 is good.")
    press(page, "+", step=3)
    press(page, "u", step=2)  # undo: the second step is open again
    expect(said).to_contain_text("no rating of yours now")
    press(page, "0", step=3)
    page.keyboard.press("n")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("123 u s? runs in a circle")
    page.keyboard.press("Escape")
    expect(current(page)).to_be_focused()
    press(page, "-", step=1)  # a mistake leads to the next trace
    second = prompt(page)
    press(page, "ArrowDown", step=2)
    press(page, "ArrowUp", step=1)
    page.keyboard.press("s")
    expect(said).to_have_text("Skipped.")
    third = prompt(page)
    for step in range(2, STEPS + 1):
        press(page, "3", step=step)
    page.keyboard.press("2")
    expect(done).to_contain_text("reviewed everything")
    press(page, "u", step=STEPS)
    page.keyboard.press("1")
    expect(done).to_be_visible()
    page.click("text=Show the 1 skipped again")
    expect(current(page)).to_be_focused()
    assert prompt(page) == second
    press(page, "2", step=2)
    press(page, "2", step=3)
    press(page, "2", step=4)
    assert page.evaluate("window.neverReloaded")
    assert reviews(installation) == {
        (first, 0): (1, ""),
        (first, 1): (0, ""),
        (first, 2): (-1, "123 u s? runs in a circle"),
        **{(third, step): (1, "") for step in range(STEPS - 1)},
        (third, STEPS - 1): (-1, ""),
        **{(second, step): (0, "") for step in range(3)},
    }


def test_keys_leave_browser_and_fields_alone(installation, page):
    page.goto(installation.address + QUEUE)
    for key in ("Control+1", "Alt+3", "Meta+2", "x", " "):
        page.keyboard.press(key)
    page.focus("header a >> nth=0")
    page.keyboard.press("1")
    assert reviews(installation) == {}
    page.focus("#current")
    page.keyboard.press("?")
    expect(page.locator("text=write a note")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("text=write a note")).to_be_hidden()


def test_a_key_pressed_twice_at_once_judges_one_step(installation, page):
    page.goto(installation.address + QUEUE)
    page.evaluate(
        "for (let i = 0; i < 3; i++) document.getElementById('current')"
        ".dispatchEvent(new KeyboardEvent('keydown', {key: '1', bubbles: true}))"
    )
    expect(page.locator("#said")).to_have_text("Step 1 is a mistake.")
    assert list(reviews(installation).values()) == [(-1, "")]


def test_whoever_was_signed_out_meanwhile_comes_to_the_login_and_back(installation, page):
    page.goto(installation.address + QUEUE + "?source=book")
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("3")
    expect(page).to_have_title("Sign in · tunixrt")
    page.fill("#id_username", "ada")
    page.fill("#id_password", "correct horse battery")
    page.click("main button")
    expect(page).to_have_url(installation.address + QUEUE + "?source=book")
    assert reviews(installation) == {}


def test_without_a_script_the_buttons_do_the_same(installation):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(installation.address + "/login?next=" + QUEUE)
        page.fill("#id_username", "ada")
        page.fill("#id_password", "correct horse battery")
        page.click("main button")
        first = prompt(page)
        expect(page.locator("kbd").first).to_be_hidden()
        page.click("button:has-text('Good')")
        expect(page.locator("main [role=status]").first).to_have_text("Step 1 is good.")
        page.fill("#note", "wrong sign")
        page.click("button:has-text('Mistake')")
        expect(page.locator("#review article > .prompt")).not_to_have_text(first)
        page.click("button:has-text('Undo rating')")
        expect(current(page)).to_contain_text("Step 2 of")
        page.click("button:has-text('Neutral')")
        page.click("text=Step before")
        expect(current(page)).to_contain_text("Step 2 of")
        browser.close()
    assert reviews(installation) == {(first, 0): (1, ""), (first, 1): (0, "")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_a_visible_focus_and_room_on_a_phone(installation, page, scheme):
    page.emulate_media(color_scheme=scheme)
    for width in (1200, 400):
        page.set_viewport_size({"width": width, "height": 800})
        for path in (QUEUE, QUEUE + "?source=none", "/traces/review/disagreements/"):
            page.goto(installation.address + path, wait_until="networkidle")
            assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), (
                path
            )
            nameless = page.evaluate(
                "which => [...document.querySelectorAll(which)].filter(e => !(e.labels?.length || "
                "e.getAttribute('aria-label') || e.textContent.trim())).map(e => e.outerHTML)",
                NAMED,
            )
            assert nameless == []
    page.goto(installation.address + QUEUE)
    expect(current(page)).to_be_focused()
    for _ in range(8):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
