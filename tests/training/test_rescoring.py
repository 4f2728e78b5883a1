"""Old answers under the judges of today, from files alone."""

import json

import pytest

from tests.examination import write_files
from training import judges
from training.errors import Invalid
from training.evalsets import evalset_sha256
from training.judges import JUDGES, Judge, Judgement
from training.renderers import TRACE_SFT
from training.rescoring import rescore_files
from training.results import read_results

STEP = {"i": 0, "type": "compute", "content": "1 + 1 = 2"}
ITEMS = [
    {
        "id": f"q{number}",
        "prompt": f"Question {number}?",
        "expected_answer": f"{number}",
        "category": "counting",
        "difficulty": "easy",
        "steps": [STEP],
    }
    for number in range(4)
]


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A directory whose answers were judged by an older judge, which took all of them for wrong."""
    with monkeypatch.context() as older:
        strict = Judge("answer_correctness", "0", lambda item, output, recipe: Judgement(0.0, "too strict"))
        older.setitem(JUDGES, "answer_correctness", strict)
        older.delitem(JUDGES, "step_count")
        older.setattr(judges, "is_right", lambda item, answer: False)
        about = {"run_id": "r", "evalset": "four", "evalset_sha256": evalset_sha256(ITEMS), "seed": 7, "best_step": 4}
        write_files(tmp_path, ITEMS, recipe=TRACE_SFT, before=lambda i: False, after=lambda i: i > 0, step=4, **about)
        rows = (tmp_path / "eval_after.jsonl").read_text()
        (tmp_path / "eval_step_2.jsonl").write_text(rows)
        summary = {"checkpoint_step": 2, "judges": {"answer_correctness": "0"}, "metrics": {}, "rows_sha256": "old"}
        summary["evalset_sha256"] = evalset_sha256(ITEMS)
        (tmp_path / "eval_step_2.json").write_text(json.dumps(summary))
    return tmp_path


def summary(run_dir) -> dict:
    return json.loads((run_dir / "eval.json").read_text())


def contents(run_dir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run_dir.iterdir()}


def test_the_answers_stay_and_the_verdicts_are_those_of_today(run_dir):
    assert summary(run_dir)["metrics"]["answer_correctness"] == 0
    before = read_results(run_dir / "eval_after.jsonl")
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    after = read_results(run_dir / "eval_after.jsonl")
    kept = ("id", "prompt", "expected_answer", "output", "answer", "output_tokens", "finish_reason", "loss")
    assert [[row[name] for name in kept] for row in after] == [[row[name] for name in kept] for row in before]
    assert [row["correct"] for row in after] == [False, True, True, True]
    for row in after:
        versions = {name: verdict["version"] for name, verdict in row["judges"].items()}
        assert versions.items() <= judges.judge_versions().items()
        assert {"answer_correctness", "step_count"} <= versions.keys()
    assert [row["correct"] for row in read_results(run_dir / "eval_before.jsonl")] == [False] * 4
    assert read_results(run_dir / "eval_step_2.jsonl") == after


def test_the_summary_says_what_its_rows_say_and_keeps_what_it_knows_besides(run_dir):
    old = summary(run_dir)
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    new = summary(run_dir)
    assert new["metrics"]["answer_correctness"] == 0.75
    assert new["judges"] == judges.judge_versions()
    assert (new["comparison"]["won"], new["comparison"]["kept_wrong"]) == (3, 1)
    assert new["before"]["metrics"]["answer_correctness"] == 0
    for name in ("run_id", "seed", "wall_time_s", "generated_tokens", "checkpoint_step", "best_step"):
        assert new[name] == old[name]
    assert new["metrics"]["loss"] == old["metrics"]["loss"]
    assert "### Won: q3" in (run_dir / "delta_report.md").read_text()
    step = json.loads((run_dir / "eval_step_2.json").read_text())
    assert (step["metrics"]["answer_correctness"], step["judges"]) == (0.75, judges.judge_versions())
    assert step["rows_sha256"] != "old"


def test_what_was_skipped_stays_skipped(run_dir):
    path = run_dir / "eval_after.jsonl"
    rows = read_results(path)
    rows[0] |= {"correct": None, "answer": None, "judges": {}, "output": "", "finish_reason": "skipped"}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    assert read_results(path)[0]["correct"] is None
    assert summary(run_dir)["n_skipped"] == 1


def test_whatever_cuts_it_off_a_second_call_leaves_what_one_would_have(run_dir, tmp_path_factory, monkeypatch):
    whole = tmp_path_factory.mktemp("whole")
    for name, data in contents(run_dir).items():
        (whole / name).write_bytes(data)
    rescore_files(whole, ITEMS, recipe=TRACE_SFT)
    for cut_at in range(3):
        written: list[int] = []

        def fail(path, lines, written=written, cut_at=cut_at):
            if len(written) == cut_at:
                raise OSError("the machine died")
            written.append(1)
            path.write_text("".join(lines))

        with monkeypatch.context() as dying:
            dying.setattr("training.examinations.write_lines_atomic", fail)
            with pytest.raises(OSError, match="died"):
                rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    assert contents(run_dir) == contents(whole)
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    assert contents(run_dir) == contents(whole)


def test_other_items_are_refused_before_anything_is_written(run_dir):
    old = contents(run_dir)
    with pytest.raises(Invalid, match="about other items"):
        rescore_files(run_dir, ITEMS[:3], recipe=TRACE_SFT)
    assert contents(run_dir) == old


def test_a_checkpoint_that_was_examined_on_other_items_stays_as_it_is(run_dir):
    row = json.loads((run_dir / "eval_step_2.jsonl").read_text().splitlines()[0]) | {"id": "another"}
    (run_dir / "eval_step_3.jsonl").write_text(json.dumps(row) + "\n")
    (run_dir / "eval_step_3.json").write_text(json.dumps({"checkpoint_step": 3, "evalset_sha256": "of others"}))
    old = contents(run_dir)
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT)
    new = contents(run_dir)
    assert {name for name in old if new[name] == old[name]} == {"eval_step_3.jsonl", "eval_step_3.json"}


def test_its_progress_ends_with_all_rows(run_dir):
    seen: list[tuple[int, int]] = []
    rescore_files(run_dir, ITEMS, recipe=TRACE_SFT, progress=lambda done, due: seen.append((done, due)))
    assert seen == [(number, 12) for number in range(1, 13)]
