"""A dataset as a person makes it: look first, freeze, read what it gives away, see a row as the model does, go on."""

import json
import re

import pytest
from playwright.sync_api import expect

from training.problems import generate_traces

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def traces(installation, tmp_path):
    """Sixty word problems, all of which an evalset asks too."""
    payloads = [
        trace | {"meta": {"source": "problems"}} for trace in generate_traces("word_problems", count=60, seed=7)
    ]
    file, exam = tmp_path / "problems.jsonl", tmp_path / "exam.jsonl"
    file.write_text("".join(json.dumps(payload) + "\n" for payload in payloads))
    asked = {"category": "words", "difficulty": "easy"}
    items = [
        asked | {"id": f"q{i}", "prompt": payload["prompt"], "expected_answer": payload["final_answer"]}
        for i, payload in enumerate(payloads)
    ]
    exam.write_text("".join(json.dumps(item) + "\n" for item in items))
    installation.manage("import_traces", str(file))
    installation.manage("import_evalset", str(exam), "--name", "exam")


def test_a_dataset_is_looked_at_frozen_understood_and_followed_by_the_next_version(installation, page, traces):
    page.goto(f"{installation.address}/datasets/build/")
    preview = page.locator("#preview")
    page.get_by_label("Source is").fill("nothing of that name")
    expect(preview).to_contain_text("No trace matches")
    page.get_by_label("Source is").fill("problems")
    expect(preview).to_contain_text("60 rows would be taken")
    expect(preview).to_contain_text("What the gates would say")

    page.get_by_label("Name", exact=True).fill("browser")
    page.get_by_label("Tokens a sequence").fill("512")
    page.get_by_role("button", name="Build the dataset").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("browser-1")
    expect(page.get_by_role("link", name="contaminated")).to_be_visible()

    page.get_by_role("link", name="side by side leak 1", exact=True).click()
    expect(page.get_by_role("region", name="Train row").locator("mark").first).to_be_visible()
    expect(page.get_by_role("region", name="Question").locator("mark").first).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text(re.compile(r"^2 of \d+$"))).to_be_visible()

    page.goto(f"{installation.address}/datasets/browser-1/rows/3/")
    expect(page.get_by_text("Training masks exactly what an examination feeds")).to_be_visible(timeout=20_000)
    page.get_by_label("Recipe").select_option("reasoning_tags_v1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("<reasoning>").first).to_be_visible(timeout=20_000)

    page.goto(f"{installation.address}/datasets/browser-1/")
    page.get_by_role("link", name="Next version").click()
    expect(page.get_by_label("Version")).to_have_value("2")
    page.get_by_label("At most").fill("40")
    expect(preview).to_contain_text("40 rows would be taken")
    page.get_by_role("button", name="Build the dataset").click()
    page.get_by_role("link", name="what changed").click()
    expect(page.get_by_role("link", name="removed (20)")).to_be_visible()
