"""A file with mistakes in it, brought in as a person does it: look, read what is wrong, mend it, import, undo."""

import gzip
import json

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]

GOOD = {"messages": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "2 + 2 = 4\n4"}]}
LINES = [
    json.dumps(GOOD),
    '{"messages": [{"role": "user", "content": "What is 3 + 3?"},',  # cut off
    json.dumps({"messages": [GOOD["messages"][0] | {"role": "teacher"}, GOOD["messages"][1]]}),
    json.dumps(GOOD).replace("2 + 2", "5 + 5").replace("4", "10"),
]
MENDED = [
    LINES[0],
    LINES[1] + ' {"role": "assistant", "content": "3 + 3 = 6\\n6"}]}',
    LINES[2].replace("teacher", "user").replace("2 + 2", "4 + 4").replace('4"', '8"'),
    LINES[3],
]


def look_at(page, installation, name: str, data: bytes) -> None:
    page.goto(f"{installation.address}/traces/import/")
    page.get_by_label("File").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})
    page.get_by_role("button", name="Look at it").click()


def test_a_mixed_file_is_mended_by_what_the_errors_say_and_undone(installation, page):
    look_at(page, installation, "talks.jsonl", "\n".join(LINES).encode())
    expect(page.get_by_text("4 rows as they would be imported: 2 good, 2 bad")).to_be_visible()
    faults = page.get_by_role("alert")
    expect(faults).to_contain_text("line 2")
    expect(faults).to_contain_text("is not JSON")
    expect(faults).to_contain_text("messages.0.role 'teacher' is not a role that is read")
    expect(page.get_by_text("Read as messages")).to_be_visible()

    page.get_by_role("button", name="Import").click()  # all or nothing
    expect(page.get_by_role("alert")).to_contain_text("Nothing was imported")
    page.goto(f"{installation.address}/traces/?source=talks.jsonl")
    expect(page.get_by_text("No trace passes this filter")).to_be_visible()

    look_at(page, installation, "talks.jsonl.gz", gzip.compress("\n".join(MENDED).encode()))
    expect(page.get_by_text("All 4 rows as they would be imported: 4 good, 0 bad")).to_be_visible()
    page.get_by_role("button", name="Import 4 traces").click()
    expect(page.locator("#status")).to_contain_text("done")
    page.get_by_role("link", name="Show its traces").click()
    expect(page.get_by_role("link", name="What is 3 + 3?")).to_be_visible()

    page.go_back()
    page.get_by_text("Undo…").click()
    page.get_by_role("button", name="Undo this import").click()
    expect(page.locator("#status .status")).to_have_text("undone", timeout=20_000)
    page.goto(f"{installation.address}/traces/?source=talks.jsonl.gz")
    expect(page.get_by_text("No trace passes this filter")).to_be_visible()
