"""Figures of an examination, the comparison of two, and the report with other people's text in it."""

import json
import re
from math import exp
from pathlib import Path

import pytest

from training.errors import Invalid
from training.eval_report import main
from training.judges import judge_output
from training.results import compare, decide, delta_report, read_results, summarise, verdict
from training.statistics import mcnemar_exact_p, paired_difference_interval, wilson_interval

STEPS = "Reasoning:\n1. one\n2. two\n"


def make_row(id: str, output: str, expected: str = "7", **changes) -> dict:
    item = {"id": id, "prompt": f"Question {id}?", "expected_answer": expected}
    verdict = judge_output(item, output, "trace_sft_v1")
    return {**item, "output": output, **verdict, "output_tokens": 9, "finish_reason": "stop", **changes}


def make_rows(*rights: bool | None) -> list[dict]:
    """A row for each: right, wrong, or skipped for None."""
    outputs = {True: f"{STEPS}Answer: 7", False: "Answer: 3", None: ""}
    rows = [make_row(f"q{index}", outputs[right]) for index, right in enumerate(rights)]
    return [row if right is not None else row | {"correct": None} for row, right in zip(rows, rights, strict=True)]


def write_rows(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_summary_counts_what_was_scored():
    rows = make_rows(True, True, False, None)
    rows[0]["loss"], rows[1]["loss"], rows[2]["loss"] = 0.5, 1.5, None
    summary = summarise(rows)
    assert (summary["n_items"], summary["n_scored"], summary["n_skipped"]) == (4, 3, 1)
    assert summary["metrics"] == {
        "answer_correctness": pytest.approx(2 / 3),
        "format_valid": pytest.approx(2 / 3),
        "step_arithmetic": None,
        "step_count": pytest.approx(2 / 3),
        "mean_steps": pytest.approx(4 / 3),
        "loss": 1.0,
        "perplexity": pytest.approx(exp(1.0)),
    }
    assert summary["intervals"]["answer_correctness"] == list(wilson_interval(2, 3))
    json.dumps(summary, allow_nan=False)


def test_a_summary_of_nothing_claims_nothing():
    for rows in ([], make_rows(None)):
        summary = summarise(rows)
        assert set(summary["metrics"].values()) == {None}
        assert summary["intervals"]["answer_correctness"] == [0.0, 1.0]


def test_a_loss_beyond_any_float_has_no_perplexity():
    assert summarise([make_row("a", "", loss=1e6)])["metrics"]["perplexity"] is None


def test_a_comparison_counts_pairs():
    before = make_rows(False, False, True, True, False, None, True)
    after = make_rows(True, True, True, False, False, True, None)
    comparison = compare(before, after[::-1])
    assert (comparison.won, comparison.lost, comparison.kept_right, comparison.kept_wrong) == (2, 1, 1, 1)
    assert (comparison.n, comparison.skipped) == (5, 2)
    assert comparison.p_value == mcnemar_exact_p(2, 1)
    assert comparison.difference == pytest.approx(0.2)
    assert comparison.interval == paired_difference_interval(2, 1, 5)
    assert [(change.base["id"], change.won) for change in comparison.changed] == [
        ("q0", True),
        ("q1", True),
        ("q3", False),
    ]
    assert set(comparison.to_dict()) == {
        *("won", "lost", "kept_right", "kept_wrong", "skipped", "p_value", "difference", "interval")
    }
    json.dumps(comparison.to_dict(), allow_nan=False)


def test_identical_results_show_no_difference():
    comparison = compare(make_rows(True, False), make_rows(True, False))
    assert (comparison.p_value, comparison.difference, comparison.changed) == (1.0, 0.0, [])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_rows(True), "items.q1: is among the first results only"),
        (make_rows(True, True, True), "items.q2: is among the second results only"),
        ([make_row("q0", ""), make_row("q1", "", expected="8")], "items.q1: differs in its expected_answer"),
        ([make_row("q0", ""), make_row("q1", "", prompt="Else?")], "items.q1: differs in its prompt"),
        ([*make_rows(True, True), make_row("q0", "")], "1 of the second results share their id"),
    ],
)
def test_answers_to_different_items_do_not_compare(other, message):
    with pytest.raises(Invalid, match=re.escape(message)):
        compare(make_rows(True, True), other)


def test_the_verdict_is_one_finished_sentence():
    comparison = compare(make_rows(*[False] * 200), make_rows(*[True] * 197, *[False] * 3))
    assert verdict(comparison) == (
        "Right on 197 of 200 (98.5 %, 95.7–99.5), from 0 before: 197 won, 0 lost, p < 0.0001."
    )
    assert verdict(compare(make_rows(True), make_rows(False))) == (
        "Right on 0 of 1 (0.0 %, 0.0–79.3), from 1 before: 0 won, 1 lost, p = 1.0000."
    )
    assert verdict(compare([], [])) == "No item was judged in both examinations, so nothing can be said."


def test_the_report_begins_with_the_decision_and_shows_changed_items_side_by_side():
    before, after = make_rows(False, True, True), make_rows(True, True, False)
    report = delta_report(before, after, title="Chain, *with* steps")
    lines = report.splitlines()
    assert lines[0] == "# Chain, \\*with\\* steps"
    assert lines[2] == f"**HOLD.** {decide(before, after).decision.reason}"
    assert lines[4] == verdict(compare(before, after))
    assert "| noise floor between seeds | not measured |" in report
    assert "| 1 | 1 | 1 | 0 | 0 |" in report
    assert "### Won: q0" in report
    assert "### Lost: q2" in report
    assert "q1" not in report
    assert re.search(r"^Answer: 3 +│ Reasoning:$", report, re.MULTILINE)
    assert "loss | not measured" in report


def test_a_report_without_changes_says_so():
    assert "No item changed." in delta_report(make_rows(True), make_rows(True), title="t")
    assert "nothing can be said" in delta_report([], [], title="t")


HOSTILE = [
    "```\n# Owned\n<script>alert(1)</script>",
    "`" * 50 + "\n| a | b |\n~~~\n",
    "\x1b[31mred\x1b[0m \u202eabc\u202c \r\n```",
    "x" * 100_000,
    "\u2028```\u2028# Owned",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_inside_its_fence(text):
    before = [make_row("q`0`\n# Owned <b>", text, prompt=text)]
    after = [make_row("q`0`\n# Owned <b>", f"{text}\nAnswer: 7", prompt=text)]
    after[0]["correct"] = True
    report = delta_report(before, after, title=f"{text[:80]}")
    assert len(report) < 20_000
    outside = outside_fences(report)
    assert not [line for line in outside if line.startswith("# ")][1:]
    assert "Owned" not in "".join(line for line in outside if not line.startswith(("# ", "### ")))
    assert not re.search(r"(?<!\\)<", "\n".join(outside))
    assert not {"\x1b", "\r", "\u202e", "\u2028"} & set(report)


def outside_fences(report: str) -> list[str]:
    """The lines of a markdown text that are in no fenced block, by CommonMark's rule for fences."""
    outside, fence = [], ""
    for line in report.split("\n"):
        if fence:
            fence = "" if re.fullmatch(rf" {{0,3}}{fence}`*\s*", line) else fence
        elif opening := re.match(r" {0,3}(`{3,})[^`]*$", line):
            fence = opening[1]
        else:
            outside.append(line)
    assert not fence
    return outside


def test_results_are_read_back_as_written(tmp_path):
    rows = make_rows(True, False, None)
    assert read_results(write_rows(tmp_path / "r.jsonl", rows)) == rows


def test_a_broken_results_file_names_line_and_field(tmp_path):
    missing = make_row("b", "")
    del missing["output"]
    rows = [
        make_row("a", ""),
        missing,
        make_row("a", "", correct=1),
        make_row("c", "", loss="low"),
        make_row("d", "", judges={"format_valid": {"score": 2}}),
        7,
    ]
    with pytest.raises(Invalid) as caught:
        read_results(write_rows(tmp_path / "r.jsonl", rows))
    assert [(fault.line, fault.loc, fault.type) for fault in caught.value.faults] == [
        (2, ("output",), "missing_field"),
        (3, ("correct",), "wrong_type"),
        (3, ("id",), "duplicate_record"),
        (4, ("loss",), "wrong_type"),
        (5, ("judges", "format_valid", "score"), "number_out_of_range"),
        (6, (), "not_object"),
    ]


def run_report(tmp_path: Path, before: list, after: list, *more: str) -> tuple[int, Path]:
    output = tmp_path / "delta_report.md"
    files = [write_rows(tmp_path / "b.jsonl", before), write_rows(tmp_path / "a.jsonl", after)]
    return main(["--before", str(files[0]), "--after", str(files[1]), "--output", str(output), *more]), output


def test_the_command_writes_the_report_and_prints_its_verdict(tmp_path, capsys):
    code, output = run_report(tmp_path, make_rows(False, True), make_rows(True, True))
    assert code == 0
    assert "Right on 2 of 2" in output.read_text()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("HOLD: A gain of 50.0 points (1 won, 0 lost of 2 items)")
    assert said[1].startswith("Right on 2 of 2")


def test_the_command_looks_at_every_slice_of_an_evalset_that_it_is_given(tmp_path, capsys):
    before, after = make_rows(*[False] * 10), make_rows(*[True] * 8, *[False] * 2)
    kinds = [{"category": "sums" if i < 5 else "words", "difficulty": "easy"} for i in range(10)]
    asked = [{name: row[name] for name in ("id", "prompt", "expected_answer")} for row in before]
    evalset = write_rows(tmp_path / "e.jsonl", [item | labels for item, labels in zip(asked, kinds, strict=True)])
    code, output = run_report(tmp_path, before, after, "--evalset", str(evalset))
    assert code == 0
    assert "and no slice got worse beyond chance." in capsys.readouterr().out
    assert "| category: sums | 5 | 0 | 5 | 5 | 0 |" in output.read_text()
    assert run_report(tmp_path, before, after, "--evalset", str(tmp_path / "absent"))[0] == 2


def test_the_command_refuses_files_that_do_not_match_and_writes_nothing(tmp_path, capsys):
    code, output = run_report(tmp_path, make_rows(True), make_rows(True, True))
    assert code == 1
    assert "items.q1" in capsys.readouterr().err
    assert not output.exists()


def test_the_command_names_the_file_that_is_broken(tmp_path, capsys):
    code, output = run_report(tmp_path, make_rows(True), [{"id": "q0"}])
    assert code == 1
    assert re.search(r"a\.jsonl.*line 1, prompt", capsys.readouterr().err, re.DOTALL)
    assert not output.exists()


def test_the_command_without_readable_files_or_arguments_is_wrong_use(tmp_path, capsys):
    absent = str(tmp_path / "absent.jsonl")
    assert main(["--before", absent, "--after", absent, "--output", str(tmp_path / "o.md")]) == 2
    assert "absent.jsonl" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["--before", absent])
    assert caught.value.code == 2
