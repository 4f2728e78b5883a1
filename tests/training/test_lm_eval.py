"""What lm-evaluation-harness finds in our files: its names, its layout, its hashes, its figures."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import PurePosixPath
from statistics import mean, stdev

import pytest

from training.judges import judge_output
from training.lm_eval import Examined, lm_eval_files, results_of, samples_of
from training.renderers import render_prompt

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
# Of lm_eval/result_schema.py, SampleResult.
SAMPLE = {
    "doc_id": int,
    "doc": dict,
    "target": str,
    "arguments": dict,
    "resps": list,
    "filtered_resps": list,
    "filter": str,
    "metrics": list,
    "doc_hash": str,
    "prompt_hash": str,
    "target_hash": str,
}
# Of the same file, EvalResults, without what only some models have; and the fields of GeneralConfigTracker.
RESULTS = {
    *("results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config"),
    *("git_hash", "date", "pretty_env_info", "transformers_version", "lm_eval_version", "upper_git_hash"),
    *("task_hashes", "model_source", "model_name", "model_name_sanitized", "system_instruction"),
    *("system_instruction_sha", "fewshot_as_multiturn", "chat_template", "chat_template_sha"),
    *("total_evaluation_time_seconds", "max_length"),
}


def make_item(number: int, **changes) -> dict:
    item = {"id": f"q{number}", "prompt": f"{number} + 1?", "expected_answer": str(number + 1)}
    return item | {"category": "sum", "difficulty": "easy", "section": "core"} | changes


def make_row(item: dict, answer: str | None) -> dict:
    """An answer; None for an item that was skipped."""
    question = {name: item[name] for name in ("id", "prompt", "expected_answer")}
    if answer is None:
        return question | {"output": "", "answer": None, "correct": None, "judges": {}}
    output = f"Answer: {answer}"
    return question | {"output": output, **judge_output(item, output, "answer_only_v1"), "loss": 0.5}


def make_examined(answers=("2", "no", None, "5"), **changes) -> Examined:
    items = [make_item(number) for number in range(1, len(answers) + 1)]
    record = {
        "run_id": "0197a1b2-0000-7000-8000-0123456789ab",
        "engine": "jax",
        "recipe": "answer_only_v1",
        "instruction": "Show your work as steps",
        "config": {
            "model": {"family": "gemma3", "size": "tiny", "weights": None},
            "data": {"max_length": 64},
            "eval": {"max_new_tokens": 16, "temperature": 0.0, "top_k": None, "top_p": 1.0},
        },
        "config_sha256": "c" * 64,
        "seed": 5,
        "code_version": "a" * 40,
        "libraries": {"jax": "1"},
        "machine": {"cores": 2},
    }
    given = {
        "run_name": "small run",
        "record": record,
        "step": 40,
        "evalset": "chain-demo test",
        "evalset_sha256": "e" * 64,
        "items": items,
        "rows": [make_row(item, answer) for item, answer in zip(items, answers, strict=True)],
        "judges": {"answer_correctness": "1", "format_valid": "1"},
        "at": AT,
    }
    return Examined(**given | changes)


def files_of(examined: Examined) -> tuple[dict, list[dict]]:
    """The two files, read."""
    results, samples = lm_eval_files(examined).values()
    return json.loads(results), [json.loads(line) for line in samples.splitlines()]


def test_the_files_lie_below_the_model_and_are_named_after_task_and_time():
    names = list(lm_eval_files(make_examined()))
    directory = PurePosixPath("small_run-456789ab-step-40")
    assert names == [
        directory / "results_2026-03-01T12-30-15.123456.json",
        directory / "samples_chain_demo_test_2026-03-01T12-30-15.123456.jsonl",
    ]


def test_every_sample_has_the_harness_fields_of_their_types_and_its_metrics_as_floats():
    _, samples = files_of(make_examined())
    assert len(samples) == 3
    for sample in samples:
        assert {name: type(sample[name]) for name in SAMPLE} == SAMPLE
        assert set(sample) == set(SAMPLE) | set(sample["metrics"])
        assert all(type(sample[name]) is float for name in sample["metrics"])
        assert [type(each) for each in (sample["resps"][0], sample["resps"][0][0])] == [list, str]


def test_a_sample_shows_the_very_prompt_that_the_model_was_fed_and_what_it_said():
    _, samples = files_of(make_examined())
    first = samples[0]
    prompt = render_prompt("1 + 1?", "Show your work as steps")
    generation = {"until": ["<end_of_turn>"], "max_gen_toks": 16, "do_sample": False, "temperature": 0.0}
    assert first["arguments"] == {"gen_args_0": {"arg_0": prompt, "arg_1": generation}}
    assert first["resps"] == [["Answer: 2"]]
    assert first["filtered_resps"] == ["Answer: 2"]
    assert first["doc"] == make_item(1)


def test_hashes_are_made_as_the_harness_makes_them():
    results, samples = files_of(make_examined())
    for sample in samples:
        doc = json.dumps(sample["doc"], indent=2, ensure_ascii=False)
        assert sample["doc_hash"] == sha256(doc.encode()).hexdigest()
        assert sample["prompt_hash"] == sha256(sample["arguments"]["gen_args_0"]["arg_0"].encode()).hexdigest()
        assert sample["target_hash"] == sha256(sample["target"].encode()).hexdigest()
    joined = "".join(each["doc_hash"] + each["prompt_hash"] + each["target_hash"] for each in samples)
    assert results["task_hashes"] == {"chain_demo_test": sha256(joined.encode()).hexdigest()}


def test_the_results_have_the_fields_of_the_harness():
    results, _ = files_of(make_examined())
    assert set(results) == RESULTS
    by_task = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes")
    assert all(list(results[name]) == ["chain_demo_test"] for name in by_task)
    task = results["configs"]["chain_demo_test"]
    assert task["output_type"] == "generate_until"
    metrics = ["answer_correctness", "format_valid", "step_count", "loss"]
    assert [metric["metric"] for metric in task["metric_list"]] == metrics
    assert task["metadata"]["evalset_sha256"] == "e" * 64
    assert results["config"]["model_args"]["checkpoint_step"] == 40
    assert results["system_instruction_sha"] == sha256(b"Show your work as steps").hexdigest()


def test_a_figure_is_the_mean_of_the_samples_with_the_standard_error_of_the_mean():
    results, samples = files_of(make_examined())
    figures = results["results"]["chain_demo_test"]
    for name in ("answer_correctness", "format_valid", "loss"):
        values = [sample[name] for sample in samples]
        assert figures[f"{name},none"] == pytest.approx(mean(values))
        assert figures[f"{name}_stderr,none"] == pytest.approx(stdev(values) / len(values) ** 0.5)
    assert figures["answer_correctness,none"] == pytest.approx(2 / 3)
    assert results["higher_is_better"]["chain_demo_test"]["loss"] is False


def test_skipped_items_are_counted_and_keep_the_places_of_the_others():
    results, samples = files_of(make_examined())
    assert results["n-samples"] == {"chain_demo_test": {"original": 4, "effective": 3}}
    assert results["results"]["chain_demo_test"]["sample_len"] == 3
    assert [sample["doc_id"] for sample in samples] == [0, 1, 3]


def test_a_metric_that_some_answers_lack_is_left_out():
    examined = make_examined()
    examined.rows[1]["loss"] = None
    del examined.rows[3]["judges"]["format_valid"]
    assert examined.metrics == ["answer_correctness", "step_count"]


def test_one_answer_has_no_standard_error_and_none_has_no_figure():
    one = results_of(make_examined(("2",)), [])["results"]["chain_demo_test"]
    assert one["answer_correctness_stderr,none"] == "N/A"
    none = make_examined((None,))
    assert list(samples_of(none)) == []
    assert results_of(none, [])["results"]["chain_demo_test"].keys() == {"name", "alias", "sample_len"}


def test_drawn_answers_say_how_they_were_drawn():
    examined = make_examined()
    examined.record["config"]["eval"] |= {"temperature": 0.7, "top_k": 20}
    asked = next(samples_of(examined))["arguments"]["gen_args_0"]["arg_1"]
    assert asked["do_sample"] is True
    assert (asked["temperature"], asked["top_k"], asked["top_p"]) == (0.7, 20, 1.0)


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a/b\\c", "-rf", "nul\0", "é" * 300, "x" * 300, " "])
def test_no_name_leads_out_of_the_directory_or_is_too_long_for_one(name):
    for path in lm_eval_files(make_examined(run_name=name, evalset=name)):
        assert len(path.parts) == 2
        assert all(re.fullmatch(r"[\w][\w.-]*", part, re.ASCII) and len(part) < 200 for part in path.parts)


def test_hostile_outputs_stay_one_line_each():
    items = [make_item(1), make_item(2)]
    rows = [make_row(items[0], 'a\u2028"}\n{"doc_id": 7}'), make_row(items[1], "<script>\r\n\x85")]
    text = list(lm_eval_files(make_examined(items=items, rows=rows)).values())[1]
    assert [json.loads(line)["doc_id"] for line in text.split("\n")[:-1]] == [0, 1]


def test_the_same_examination_gives_the_same_bytes():
    assert lm_eval_files(make_examined()) == lm_eval_files(make_examined())


def test_the_order_in_which_a_database_keeps_judges_makes_no_difference():
    examined = make_examined(judges={"format_valid": "1", "answer_correctness": "2"})
    rows = [{**row, "judges": dict(reversed(row["judges"].items()))} for row in examined.rows]
    turned = replace(examined, rows=rows, judges=dict(reversed(examined.judges.items())))
    assert lm_eval_files(turned) == lm_eval_files(examined)
