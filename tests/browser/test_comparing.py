"""Two runs beside each other as a person reads them: the won items, one of them, and its steps."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.stack import stack

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# Of six chains, the first run has a wrong number in two and leaves a step of a third out; the second fails on the last.
RUNS = """
import json
from datasets_app.services import evalset_from_items, seed_dataset
from tests.runs.making import completed
from training.evalsets import item_from_row
from training.problems import generate_traces

dataset = seed_dataset(key="chain-test", count=60, seed=1, difficulty=2)
rows = list(generate_traces("chain", count=6, seed=3, difficulty=5))
items = [item_from_row(row | {"id": f"item-{i}"}) | {"category": f"kind {i % 2}"} for i, row in enumerate(rows)]
evalset = evalset_from_items(items=items, name="labelled", by=None)

def answer(i, mistake):
    steps = [step["content"] for step in rows[i]["steps"]]
    if mistake == "number":
        steps[2] = steps[2][:-1] + str((int(steps[2][-1]) + 1) % 10)
    if mistake == "dropped":
        del steps[1]
    lines = "".join(f"{number}. {step}\\n" for number, step in enumerate(steps, start=1))
    return f"Reasoning:\\n{lines}Answer: {(int(rows[i]['final_answer']) + 1) % 10}"

def run(name, seed, mistakes):
    right = lambda i: answer(i, mistakes[i]) if i in mistakes else True
    return str(completed(dataset, evalset=evalset, seed=seed, name=name, right=right).pk)

base = run("first", 1, {0: "number", 1: "dropped", 2: "number"})
print(json.dumps([base, run("second", 2, {5: "number"})]))
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with stack(tmp_path_factory.mktemp("browser") / "comparing", "embedded") as made:
        made.shell(
            "__import__('django.contrib.auth', fromlist=['x']).get_user_model().objects"
            ".create_superuser('ada', password='correct horse battery').pk"
        )
        made.runs = json.loads(made.manage("shell", "--no-imports", "-c", RUNS).splitlines()[-1])
        made.address = made.start_web()
        yield made


def address(made) -> str:
    base, other = made.runs
    return f"{made.address}/runs/compare/?base={base}&other={other}"


def test_a_won_item_of_two_runs_is_opened_step_by_step(installation, page):
    page.goto(installation.address + "/runs/")
    page.check("main [aria-label='Compare first']")
    page.check("main [aria-label='Compare second']")
    page.click("button:has-text('Compare')")
    items = page.locator("#items")
    expect(items.locator("tbody tr")).to_have_count(6)
    page.evaluate("window.neverReloaded = true")
    items.locator("a:has-text('Won 3')").click()
    expect(items.locator("tbody tr")).to_have_count(3)
    expect(items.locator("[aria-current]")).to_have_text("Won 3")
    items.locator("#category").select_option("kind 0")
    items.locator("button:has-text('Filter')").click()
    expect(items.locator("tbody tr")).to_have_count(2)
    expect(items.locator("[aria-current]")).to_have_text("Won 2")
    assert page.evaluate("window.neverReloaded")  # the items alone were sent
    expect(page).to_have_url(re.compile("outcome=won"))

    items.locator("tbody a").first.click()
    main = page.locator("main")
    expect(main).to_contain_text("The answer changed")
    rows = page.locator("table.diff tbody tr")
    expect(rows).to_have_count(6)  # five steps, and the answers
    expect(rows.nth(2)).to_contain_text("number changed")
    expect(rows.nth(2)).to_contain_text("here they part")
    expect(rows.nth(2).locator("td").first).to_contain_text("✗")
    expect(rows.nth(2).locator("td").first.locator("mark")).to_have_count(1)
    expect(rows.nth(2).locator("td").last).to_contain_text("✓")
    page.click("text=The first step that differs")
    expect(page.locator("tr:target")).to_contain_text("here they part")

    page.click("a[rel=next]")
    expect(main).to_contain_text("category: kind 0")
    expect(page.locator("a[rel=next]")).to_have_count(0)
    expect(page.locator("table.diff .status.number_changed")).to_have_count(1)
    page.click("main h2 a:has-text('second')")
    expect(page.locator("h1")).to_contain_text("before and after training")
    expect(page.locator("table.diff")).to_contain_text("a guess")


def test_back_leads_to_the_whole_page_with_the_filter(installation, page):
    page.goto(address(installation))
    page.click("#outcome-lost")
    expect(page.locator("#items tbody tr")).to_have_count(1)
    page.click("#items tbody a")
    expect(page.locator("h1")).to_contain_text("One item in two runs")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Compare two runs")
    expect(page.locator("#items tbody tr")).to_have_count(1)
    page.go_back()
    expect(page.locator("h1")).to_have_text("Compare two runs")
    expect(page.locator("#items tbody tr")).to_have_count(6)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_the_browser_has_no_complaint(installation, page, scheme):
    page.emulate_media(color_scheme=scheme)
    for width in (1200, 400):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(address(installation), wait_until="networkidle")
        item = page.locator("#items tbody a").first.get_attribute("href")
        answers = f"/runs/{installation.runs[1]}/predictions/"
        for path in (None, item, answers):
            if path:
                page.goto(installation.address + path, wait_until="networkidle")
            wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not wider, f"{path} scrolls sideways"
