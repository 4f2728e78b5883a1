"""Rows that an examination wrote become traces: in batches, among plain traces, and as a format of files."""

import json

import pytest
from django.core.management import call_command

from tests.examination import write_files
from tests.factories import make_payload
from traces.models import Trace
from training.evalsets import item_from_row
from training.problems import generate_traces

pytestmark = pytest.mark.django_db

NUMBERED = "Reasoning:\n1. 27 × 20 = 540\n2. 540 − 27 = 513\nAnswer: 513"
TAGGED = "<reasoning>27 × 20 = 540\n540 − 27 = 513</reasoning><answer>513</answer>"


def answered(output: str = NUMBERED, **fields) -> dict:
    row = {"id": "sum-1", "prompt": "What is 27 × 19?", "expected_answer": "513", "output": output, "answer": "513"}
    judges = {"answer_correctness": {"version": "1", "score": 1.0, "reason": "the answer is the expected one"}}
    return row | {"correct": True, "judges": judges, "output_tokens": 31, "finish_reason": "stop"} | fields


def post(api, rows: list):
    return api.post("/api/traces/batch", rows, format="json")


def errors_of(response) -> list[tuple]:
    assert response.status_code == 422
    assert not Trace.objects.exists()
    return [(tuple(error["loc"]), error["type"]) for error in response.json()["errors"]]


@pytest.fixture
def examined(tmp_path) -> list[dict]:
    """What an examination leaves: every third answer is wrong."""
    rows = generate_traces("chain", count=9, seed=1, difficulty=3)
    items = [item_from_row({**row, "id": f"item-{i}"}) for i, row in enumerate(rows)]
    write_files(tmp_path, items, recipe="trace_sft_v1", before=lambda i: False, after=lambda i: i % 3 > 0, step=4)
    return [json.loads(line) for line in (tmp_path / "eval_after.jsonl").read_text().splitlines()]


def test_what_an_examination_wrote_is_stored_as_traces(api, examined):
    response = post(api, examined)
    assert (response.status_code, response.json()["created_count"]) == (201, 9)
    for trace, row in zip(Trace.objects.order_by("created_at", "id"), examined, strict=True):
        assert (trace.prompt, trace.final_answer, trace.source) == (row["prompt"], row["answer"], "evaluation")
        lines = [f"{number}. {step['content']}" for number, step in enumerate(trace.steps, start=1)]
        assert "\n".join(["Reasoning:", *lines, f"Answer: {trace.final_answer}"]) == row["output"]
        kept = {name: trace.payload["meta"][name] for name in ("item_id", "correct", "judges", "expected_answer")}
        assert kept == {"item_id": row["id"], **{name: row[name] for name in list(kept)[1:]}}
    assert len(api.get("/api/traces?source=evaluation&meta.correct=false").json()["data"]) == 3


def test_they_stand_among_plain_traces_in_one_batch(api):
    assert post(api, [make_payload("1?"), answered(), make_payload("2?")]).status_code == 201
    assert [trace.source for trace in Trace.objects.order_by("created_at", "id")] == ["", "evaluation", ""]


@pytest.mark.parametrize("output", [NUMBERED, TAGGED, f"\n {TAGGED}\n"])
def test_steps_and_answer_are_read_in_the_form_that_the_output_has(api, output):
    row = answered(output)
    del row["answer"]
    assert post(api, [row]).status_code == 201
    trace = Trace.objects.get()
    assert [step["content"] for step in trace.steps] == ["27 × 20 = 540", "540 − 27 = 513"]
    assert trace.final_answer == "513"


def test_the_answer_is_the_one_that_was_judged(api):
    post(api, [answered(NUMBERED + "\nand more talk")])
    assert Trace.objects.get().final_answer == "513"


def test_a_row_of_a_known_problem_falls_into_the_split_of_its_twins(api, examined):
    plain = next(generate_traces("chain", count=1, seed=1, difficulty=3))
    post(api, [plain, examined[0]])
    assert len({trace.group for trace in Trace.objects.all()}) == 1


@pytest.mark.parametrize(
    ("row", "loc", "code", "why"),
    [
        (answered("Answer: 513"), (1, "output"), "missing_field", "shows no step"),
        (answered(""), (1, "output"), "missing_field", "shows no step"),
        (answered("<reasoning></reasoning><answer>3</answer>"), (1, "output"), "missing_field", "shows no step"),
        (answered(answer=None), (1, "answer"), "missing_field", "could not read an answer"),
        (answered(answer=513), (1, "answer"), "wrong_type", "must be a text"),
        (answered(answer=""), (1, "final_answer"), "empty", "is empty"),
        (answered(5), (1, "output"), "wrong_type", "must be a text"),
        (answered(None), (1, "output"), "wrong_type", "must be a text"),
        (answered(prompt=""), (1, "prompt"), "empty", "is empty"),
        (answered(NUMBERED + "x" * 65_536), (1, "output"), "too_long", "64 KiB"),
        (answered("1. " + "x" * 20_001 + "\nAnswer: 513"), (1, "steps", 0, "content"), "too_long", "20001"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_by_its_index_and_nothing_is_stored(api, row, loc, code, why):
    response = post(api, [answered(), row, make_payload()])
    assert errors_of(response) == [(loc, code)]
    assert why in response.json()["errors"][0]["msg"]


def test_a_row_without_answer_field_and_without_answer_in_its_output_says_so(api):
    row = answered("Reasoning:\n1. 27 × 20 = 540")
    del row["answer"]
    response = post(api, [row])
    assert errors_of(response) == [((0, "output"), "missing_field")]
    assert "holds no answer" in response.json()["errors"][0]["msg"]


@pytest.mark.parametrize("character", ["\\u0000", "\\ud800"])
def test_what_no_database_can_hold_is_refused(api, character):
    body = json.dumps([answered("1. a@\nAnswer: 513")]).replace("@", character)
    response = api.generic("POST", "/api/traces/batch", body.encode(), content_type="application/json")
    assert response.status_code in (400, 422)
    assert [error["loc"] for error in response.json()["errors"]] == [[0, "output"]]
    assert not Trace.objects.exists()


def test_what_a_browser_would_run_is_kept_as_text(api, client_in):
    post(api, [answered("Reasoning:\n1. </script><script>alert(1)</script>\nAnswer: 513")])
    text = client_in.get(f"/traces/{Trace.objects.get().pk}/").content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text


def test_a_trace_with_an_unknown_field_is_told_about_that_field(api):
    assert errors_of(post(api, [make_payload() | {"output": "1. a\nAnswer: b"}])) == [((0, "output"), "unknown_field")]


def test_a_file_of_them_is_imported_and_detected(tmp_path, examined):
    path = tmp_path / "eval_after.jsonl"
    call_command("import_traces", str(path), "--json")
    assert Trace.objects.filter(source="evaluation").count() == 9
    call_command("import_traces", str(path), "--format", "evaluation", "--json")
    assert Trace.objects.count() == 9  # known already


def test_the_upload_page_offers_the_format(client_in):
    assert "evaluation" in client_in.get("/traces/import/").content.decode()
