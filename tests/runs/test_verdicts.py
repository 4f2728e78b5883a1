"""What a run's examination decides: in the database, on its page, over the API and on the command line."""

import json
import re

import pytest
from django.core.management import call_command
from django.urls import reverse

from datasets_app.services import evalset_from_items
from runs import noise, services, verdicts
from runs.deciding import MOST_SLICES
from runs.models import Evaluation
from tests.runs.exams import judged_by
from tests.runs.making import TINY, completed
from training.judges import find_judge
from training.statistics import student_t975

pytestmark = pytest.mark.django_db

CATEGORIES = ("arithmetic", "<b>& “words”")


@pytest.fixture
def evalset():
    """Forty items of two categories, half of them easy."""
    return make_evalset(40, category=lambda i: CATEGORIES[i % 2], difficulty=lambda i: ("easy", "hard")[i // 20])


def make_evalset(count: int, *, category=lambda i: "all", difficulty=lambda i: "all"):
    items = [
        {
            "id": f"item-{i}",
            "prompt": f"What is {i} + {i}?",
            "expected_answer": str(2 * i),
            "category": category(i),
            "difficulty": difficulty(i),
            "section": "core",
            "steps": [{"i": 0, "type": "compute", "content": f"{i} + {i} = {2 * i}"}],
        }
        for i in range(count)
    ]
    return evalset_from_items(items=items, name="sums", by=None)


def detail(client, run) -> str:
    return client.get(reverse("run_detail", args=[run.pk])).content.decode()


def test_an_examination_decides_and_its_file_says_the_same(dataset, evalset):
    run = completed(dataset, evalset=evalset, right=lambda i: i % 2 == 0)
    found = verdicts.before_and_after(run).decided
    assert run.metrics["decision"] == str(found.decision) == "SHIP"
    written = json.loads((run.directory / "eval.json").read_text())
    assert {name: written[name] for name in found.to_dict()} == json.loads(json.dumps(found.to_dict()))
    assert found.decision.reason in (run.directory / "delta_report.md").read_text().replace("\\", "")


def test_the_page_of_a_run_says_what_was_decided_and_why(client_in, dataset, evalset):
    run = completed(dataset, evalset=evalset, right=lambda i: i % 2 == 0)
    text = detail(client_in, run)
    assert re.search(
        r'<span class="decision ship">SHIP</span>\s+A gain of 50.0 points \(20 won, 0 lost of 40 items\)', text
    )
    assert "+31.1 to +64.1" in text
    assert "+35.0 to +65.0" in text
    assert "not measured" in text
    assert text.count('<svg class="interval better"') == 3
    assert text.count('<svg class="interval not-told-apart"') == 1


def test_every_count_of_a_slice_leads_to_its_rows(client_in, dataset, evalset):
    run = completed(dataset, evalset=evalset, right=lambda i: i % 2 == 0)
    text, rows = detail(client_in, run), reverse("run_predictions", args=[run.pk])
    for query in (
        "?",
        "?stage=before&amp;correct=true&amp;",
        "?correct=true&amp;",
        "?outcome=won&amp;",
        "?outcome=lost&amp;",
    ):
        assert f'href="{rows}{query}category=arithmetic"' in text
        assert f'href="{rows}{query}difficulty=hard"' in text
    assert f'href="{rows}?category=%3Cb%3E%26+%E2%80%9Cwords%E2%80%9D"' in text
    assert "<b>&" not in text


def test_a_slice_that_got_worse_holds_and_is_named(client_in, dataset, evalset):
    run = completed(dataset, evalset=evalset, before=lambda i: i % 2 == 1, right=lambda i: i % 2 == 0 or i < 4)
    text = detail(client_in, run)
    assert run.metrics["decision"] == "HOLD"
    assert re.search(r'<span class="decision hold">HOLD</span>\s+It got worse on category', text)
    assert text.count('<span class="status worse">') == 1


def test_a_table_of_many_slices_shows_those_that_tell_most(client_in, dataset):
    many = make_evalset(MOST_SLICES + 40, category=lambda i: "told" if i < 10 else f"crumb {i}")
    text = detail(client_in, completed(dataset, evalset=many, right=lambda i: i < 10))
    assert text.count('<svg class="interval') == MOST_SLICES
    assert f"The {MOST_SLICES} of 91 slices with the smallest p." in text
    assert "category=told" in text


def test_a_verdict_costs_the_same_however_many_items(client_in, dataset, django_assert_max_num_queries):
    run = completed(dataset, evalset=make_evalset(300), right=lambda i: i % 2 == 0)
    with django_assert_max_num_queries(15):
        detail(client_in, run)
    assert run.evalset
    with django_assert_max_num_queries(4):  # the examinations, the rows of each, the labels
        verdicts.before_and_after(run)


def test_examinations_at_checkpoints_are_no_part_of_before_and_after(api, client_in, dataset):
    run = completed(dataset)
    same = run.evaluations.current().get(stage="after")
    Evaluation.objects.create(
        run=run,
        evalset=run.evalset,
        stage=Evaluation.Stage.STEP,
        status=Evaluation.Status.COMPLETED,
        checkpoint_step=2,
        metrics=same.metrics,
        intervals=same.intervals,
        correct_count=0,
        scored_count=0,
    )
    assert verdicts.before_and_after(run).after == same
    assert "SHIP" in detail(client_in, run)
    assert api.get(f"/api/runs/{run.pk}/evaluation").json()["after"]["checkpoint_step"] == 4


def test_the_api_gives_the_decision_with_its_evidence_and_slices(api, dataset, evalset):
    run = completed(dataset, evalset=evalset, right=lambda i: i % 2 == 0)
    found = api.get(f"/api/runs/{run.pk}/evaluation").json()
    assert (found["decision"], found["word"], found["rule"], found["more_items"]) == ("SHIP", "SHIP", "gain", None)
    assert (found["evidence"]["n"], found["evidence"]["won"], found["noise_floor"]) == (40, 20, None)
    assert [(each["dimension"], each["label"], each["mark"]) for each in found["slices"]] == [
        ("category", CATEGORIES[0], "better"),
        ("category", CATEGORIES[1], "not told apart"),
        ("difficulty", "easy", "better"),
        ("difficulty", "hard", "better"),
    ]
    assert api.get(f"/api/runs/{run.pk}").json()["metrics"]["decision"] == "SHIP"


def test_two_runs_are_decided_by_their_answers_after(api, dataset, evalset):
    base = completed(dataset, evalset=evalset, right=lambda i: i < 20, seed=1)
    other = completed(dataset, evalset=evalset, right=lambda i: i < 22, seed=2)
    found = api.get(f"/api/runs/compare?base={base.pk}&other={other.pk}").json()
    assert (found["decision"], found["rule"], found["evidence"]["won"]) == ("HOLD", "unsure", 2)
    same = api.get(f"/api/runs/compare?base={base.pk}&other={base.pk}").json()
    assert (same["decision"], same["evidence"]["p_value"]) == ("HOLD", 1.0)


def test_lists_and_commands_say_what_was_decided(client_in, dataset, evalset, capsys):
    base = completed(dataset, evalset=evalset, right=lambda i: i % 2 == 1, seed=1, name="odd")
    other = completed(dataset, evalset=evalset, right=lambda i: i % 4 == 0, seed=2, name="even")
    assert client_in.get(reverse("run_list")).content.decode().count('<span class="decision ship">SHIP</span>') == 2
    call_command("list_runs")
    assert len(re.findall(r"% right +SHIP ", capsys.readouterr().out)) == 2
    call_command("compare_runs", str(base.pk), str(other.pk))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("HOLD: It got worse on category")
    assert "better on category 'arithmetic': 10 won, 0 lost of 20" in said
    call_command("evaluate_run", str(base.pk))
    assert "Its present examination says SHIP." in capsys.readouterr().out


def result_of(run):
    return run.evaluations.current().get(stage="after")


def seeds(dataset, evalset, *rights: int, **launch) -> list:
    """A run a count of right answers, each with a seed of its own."""
    return [
        completed(dataset, evalset=evalset, right=lambda i, right=right: i < right, seed=seed, **launch)
        for seed, right in enumerate(rights)
    ]


def test_the_noise_floor_is_the_spread_between_runs_that_differ_only_in_their_seed(api, client_in, dataset, evalset):
    first, second, third = seeds(dataset, evalset, 20, 22, 24)
    otherwise = TINY | {"training": {**TINY["training"], "learning_rate": 2e-3}}
    seeds(dataset, evalset, 0, 40, config=otherwise)
    services.archive_run(run=third)
    floor = noise.floor_of(result_of(first))
    assert (floor.runs, floor.lowest, floor.highest) == (3, 0.5, 0.6)
    assert floor.limit == pytest.approx(student_t975(2) * 2**0.5 * 0.05)
    assert api.get(f"/api/runs/{second.pk}/evaluation").json()["noise_floor"]["runs"] == 3
    assert "3 seeds: 50.0 % to 60.0 %" in detail(client_in, first)


def test_a_gain_within_the_noise_of_seeds_is_marked_on_the_page(client_in, dataset, evalset):
    lucky = seeds(dataset, evalset, 8, 0, 16)[0]
    assert "it may be the luck of this seed" in detail(client_in, lucky)


def test_a_seed_that_ran_twice_is_one_measurement(dataset, evalset):
    runs = seeds(dataset, evalset, 20, 22)
    completed(dataset, evalset=evalset, right=lambda i: i < 40, seed=0)
    assert noise.floor_of(result_of(runs[0])) is None


def test_scores_of_another_version_of_the_judge_measure_no_seed(dataset, evalset):
    first, *_, last = seeds(dataset, evalset, 20, 22, 24)
    judged_by(last, "0")
    assert noise.floor_of(result_of(first)) is None
    judged_by(last, find_judge("answer_correctness").version)
    assert noise.floor_of(result_of(first)).runs == 3


def test_a_run_better_than_another_by_no_more_than_seeds_move_is_held(dataset, evalset):
    base, *_ = seeds(dataset, evalset, 16, 22, 28)
    otherwise = TINY | {"training": {**TINY["training"], "learning_rate": 2e-3}}
    other = completed(dataset, evalset=evalset, right=lambda i: i < 30, seed=0, config=otherwise)
    found = services.compare_runs(base=base, other=other).decided.decision
    assert found.evidence.is_sure
    assert (str(found), found.rule, found.evidence.noise.runs) == ("HOLD", "within_noise", 3)
