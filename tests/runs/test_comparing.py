"""Answers of one run and of two beside each other: filters, counts, pages, API, and the diff of one item."""

import json
import re

import pytest
from django.core.management import call_command
from django.urls import reverse

from datasets_app.services import evalset_from_items
from runs import services
from runs.answer_diff import Side, diff_answers
from runs.answers import Answers, answers_of, facets, stages_of
from runs.models import Evaluation, Prediction, Run
from runs.reading import Step
from tests.runs.exams import judged_by
from tests.runs.making import completed
from training.errors import Invalid
from training.evalsets import item_from_row
from training.problems import generate_traces

pytestmark = pytest.mark.django_db

ITEMS = 12
WRONG = "Reasoning:\n1. a guess at best\nAnswer: none"


def wrong_at(*places: int):
    return lambda i: WRONG if i in places else True


@pytest.fixture
def evalset(db):
    """Twelve chains, in three categories, two difficulties and, every other one, a section."""
    items = []
    for i, row in enumerate(generate_traces("chain", count=ITEMS, seed=3, difficulty=4)):
        labels = {"category": f"kind {i % 3}", "difficulty": ("easy", "hard")[i % 2]}
        labels |= {"section": "core"} if i % 2 else {}
        items.append(item_from_row(row | {"id": f"item/{i}"}) | labels)
    return evalset_from_items(items=items, name="labelled", by=None)


@pytest.fixture
def pair(dataset, evalset):
    """A run that is wrong on the first four, and one that is wrong on the fourth and on the fifth."""
    base = completed(dataset, evalset=evalset, seed=1, right=wrong_at(0, 1, 2, 3), name="first")
    return base, completed(dataset, evalset=evalset, seed=2, right=wrong_at(3, 4), name="second")


@pytest.fixture
def answers(pair) -> Answers:
    return services.answers_beside(base=pair[0], other=pair[1])


def positions(answers: Answers, **query: str) -> list[int]:
    return [row.item.position for row in answers.rows(query)]


def counts(answers: Answers, name: str, **query: str) -> dict[str, int]:
    return {choice.value: choice.count for choice in facets(answers.cells(query), query)[name]}


# Which answers


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, list(range(12))),
        ({"outcome": "won"}, [0, 1, 2]),
        ({"outcome": "lost"}, [4]),
        ({"outcome": "kept_wrong"}, [3]),
        ({"outcome": "kept_right"}, [5, 6, 7, 8, 9, 10, 11]),
        ({"outcome": "skipped"}, []),
        ({"correct": "false"}, [3, 4]),
        ({"category": "kind 1"}, [1, 4, 7, 10]),
        ({"category": "kind 1", "difficulty": "easy"}, [4, 10]),
        ({"section": "core", "outcome": "won"}, [1]),
        ({"q": "A GUESS"}, [3, 4]),
        ({"q": "100 %"}, []),
        ({"judged": "answer_correctness:failed"}, [3, 4]),
        ({"judged": "format_valid:failed"}, []),
        ({"judged": "format_valid:passed", "correct": "false"}, [3, 4]),
        ({"outcome": "", "q": " ", "category": ""}, list(range(12))),
    ],
)
def test_answers_pass_by_what_they_are_in_the_order_of_the_items(answers, query, found):
    assert positions(answers, **query) == found


def test_a_filter_counts_what_passes_all_the_others(answers):
    assert counts(answers, "outcome") == {"won": 3, "lost": 1, "kept_right": 7, "kept_wrong": 1, "skipped": 0}
    assert counts(answers, "outcome", outcome="won") == counts(answers, "outcome")
    assert counts(answers, "outcome", category="kind 1")["won"] == 1
    assert counts(answers, "category", outcome="won") == {"kind 0": 1, "kind 1": 1, "kind 2": 1}
    assert counts(answers, "section") == {"core": 6}
    assert counts(answers, "correct", q="guess") == {"true": 0, "false": 2}


def test_the_chosen_value_is_offered_though_nothing_passes_with_it(answers):
    assert counts(answers, "category", category="kind 9", outcome="lost") == {"kind 1": 1, "kind 9": 0}


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "better"},
        {"correct": "1"},
        {"judged": "format_valid"},
        {"judged": "score__lt:failed"},
        {"judged": "nobody:passed"},
        {"category": "a\0b"},
        {"q": "\ud800"},
        {"q": "x" * 201},
    ],
)
def test_a_filter_that_cannot_be_is_refused_by_name(answers, query):
    with pytest.raises(Invalid) as refused:
        answers.rows(query)
    assert {fault.loc for fault in refused.value.faults} == {(name,) for name in query}


def test_an_item_that_one_of_them_skipped_is_neither_won_nor_lost(pair, answers):
    Prediction.objects.filter(evaluation=answers.beside, item__position=0).update(correct=None, judges={})
    assert positions(answers, outcome="skipped") == [0]
    assert positions(answers, outcome="won") == [1, 2]
    assert services.compare_runs(base=pair[0], other=pair[1]).results.skipped == 1


def test_before_training_an_answer_is_won_if_it_is_right_after(pair):
    stages = stages_of(pair[1])
    before, after = answers_of(stages, "before"), answers_of(stages, "after")
    assert (
        positions(before, outcome="won") == positions(after, outcome="won") == [i for i in range(12) if i not in (3, 4)]
    )
    assert positions(before, correct="true") == []
    assert counts(before, "outcome") == counts(after, "outcome")


def test_a_checkpoint_stands_beside_before_and_is_found_by_its_step(pair):
    run = pair[1]
    found = run.evaluations.get(stage="before")
    copy = Evaluation.objects.create(
        run=run, evalset=run.evalset, stage="step", status="completed", checkpoint_step=2, metrics={}, intervals={},
        correct_count=1, scored_count=1,
    )  # fmt: skip
    for row in found.predictions.all()[:3]:
        row.pk, row.evaluation, row.correct = None, copy, True
        row.save()
    assert list(stages_of(run)) == ["before", "2", "after"]
    answers = answers_of(stages_of(run), "2")
    assert positions(answers, outcome="won") == [0, 1, 2]
    assert answers.judges == sorted(
        found.predictions.first().judges
    )  # an examination that does not say has rows that do
    assert answers_of(stages_of(run), "7") is None


def test_an_examination_alone_has_answers_all_the_same(pair):
    pair[1].evaluations.filter(stage="before").delete()
    answers = answers_of(stages_of(pair[1]), "after")
    assert positions(answers, correct="false") == [3, 4]
    assert positions(answers, outcome="skipped") == list(range(12))


def test_the_neighbours_of_an_item_are_those_that_pass_the_filters(answers):
    items = {item.position: item.pk for item in answers.shown.evalset.items.all()}
    assert answers.neighbours({"outcome": "won"}, 1) == (items[0], items[2])
    assert answers.neighbours({"outcome": "won"}, 7) == (items[2], None)
    assert answers.neighbours({}, 0) == (None, items[1])


def test_two_runs_are_paired_without_reading_their_outputs(pair, django_assert_num_queries):
    with django_assert_num_queries(3) as queries:  # an examination of each, and the counts
        found = services.compare_runs(base=pair[0], other=pair[1])
    assert (found.results.won, found.results.lost, found.results.n) == (3, 1, 12)
    assert not any("output" in query["sql"] for query in queries)


# The diff of two answers


def side(*steps: Step, answer: str | None = "1", correct: bool = True) -> Side:
    return Side(list(steps), answer, correct)


def test_a_diff_tells_where_the_two_part_and_what_went_wrong():
    base = side(Step("3+4→7", True), Step("7×3→2", False, "7×3 ends in 1, not 2"), Step("2+1→3"), answer="3")
    other = side(Step("3 + 4 → 7", True), Step("7×3→1", True), Step("1+1→2", True), answer="2")
    diff = diff_answers(base, other)
    assert [row.kind for row in diff.rows] == ["same", "number_changed", "number_changed"]
    assert (diff.first_difference, diff.base.first_wrong, diff.other.first_wrong) == (1, 1, None)
    assert [piece.text for piece in diff.parting.base.pieces if piece.changed] == ["2"]
    assert diff.answer_changed


@pytest.mark.parametrize(
    ("ours", "theirs", "changed"),
    [("1,000", "1000", False), ("7", "8", True), (None, None, False), (None, "8", True), ("Paris.", "paris", False)],
)
def test_an_answer_that_only_looks_different_has_not_changed(ours, theirs, changed):
    assert diff_answers(side(answer=ours), side(answer=theirs)).answer_changed is changed


# The page of two runs


def page(client, name: str, *args, **query: str) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def compared(client, pair, **query: str) -> str:
    return page(client, "run_compare", base=str(pair[0].pk), other=str(pair[1].pk), **query)


def test_the_page_counts_what_became_of_the_items_and_shows_those_that_are_asked_for(client_in, pair):
    text = compared(client_in, pair)
    for words in ("All 12", "Won 3", "Lost 1", "Right in both 7", "Wrong in both 1", "kind 1 (4)", "hard (6)"):
        assert words in text
    assert "Skipped" not in text
    won = compared(client_in, pair, outcome="won", category="kind 2")
    assert (won.count("status won"), won.count("status kept_right")) == (1, 0)
    assert "Won 1" in won
    assert 'name="outcome" value="won"' in won  # the form keeps it
    assert "No item is like that" in compared(client_in, pair, q="nothing like it")


def test_a_wrong_filter_is_said_and_all_is_shown(client_in, pair):
    text = compared(client_in, pair, outcome="better", offset="x")
    assert "This filter cannot be applied" in text
    assert text.count("status kept_right") == 7


def test_the_page_costs_the_same_however_many_items(client_in, pair, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        compared(client_in, pair, outcome="won", category="kind 2")
    with django_assert_max_num_queries(17):  # what is searched for is counted apart
        compared(client_in, pair, q="start")


@pytest.mark.parametrize("version", ["0", ""])
def test_runs_that_were_judged_otherwise_are_shown_but_not_decided_on(client_in, api, pair, version, capsys):
    judged_by(pair[0], version)
    text = compared(client_in, pair)
    assert "The two were not judged alike: first by answer_correctness" in text
    assert "decided" not in text
    assert text.count("status kept_right") == 7
    query = {"base": str(pair[0].pk), "other": str(pair[1].pk)}
    response = api.get("/api/runs/compare", query)
    assert (response.status_code, response.json()["code"]) == (422, "judges_differ")
    assert api.get("/api/runs/compare/items", query).json()["counts"]["won"] == 3
    with pytest.raises(SystemExit, match="1"):
        call_command("compare_runs", *query.values())
    assert "were not judged alike" in capsys.readouterr().err


def test_whoever_filters_the_items_is_sent_these_alone(client_in, pair, django_assert_max_num_queries):
    query = {"base": str(pair[0].pk), "other": str(pair[1].pk), "outcome": "won"}
    with django_assert_max_num_queries(8):
        response = client_in.get(reverse("run_compare"), query, headers={"HX-Request": "true", "HX-Target": "items"})
    text = response.content.decode()
    assert text.count("status won") == 3
    assert "<html" not in text
    assert "HX-Target" in response["Vary"]


def test_an_item_is_opened_step_by_step_with_its_neighbours_among_the_won(client_in, pair):
    items = list(pair[0].evalset.items.all())
    text = compared(client_in, pair, outcome="won")
    links = re.findall(r'href="(/runs/compare/[^"]+outcome=won[^"]*)"', text)
    assert len(links) == 3
    opened = client_in.get(links[1].replace("&amp;", "&")).content.decode()
    assert "status won" in opened
    assert "The answer changed" in opened
    assert "✗ is not of the form" in opened
    assert opened.count("✓") == 4
    for run in pair:
        assert reverse("prediction_detail", args=[run.pk, items[1].pk]) in opened
    before, after = (reverse("run_compare_item", args=[items[at].pk]) for at in (0, 2))
    assert re.search(rf'rel="prev" href="{before}\?[^"]*outcome=won', opened)
    assert re.search(rf'rel="next" href="{after}\?[^"]*outcome=won', opened)


def test_the_page_of_an_item_costs_the_same_however_many_items(client_in, pair, django_assert_max_num_queries):
    item = pair[0].evalset.items.all()[1]
    with django_assert_max_num_queries(10):
        page(client_in, "run_compare_item", item.pk, base=str(pair[0].pk), other=str(pair[1].pk), category="kind 1")


@pytest.mark.parametrize(
    "query", [{}, {"base": "x", "other": "\0"}, {"base": "3f7a1f98-bb39-4ede-bcc7-510850ec3efb", "other": ""}]
)
def test_an_item_of_runs_that_are_not_there_is_not_found(client_in, pair, query):
    assert client_in.get(reverse("run_compare_item", args=[10**30]), query).status_code == 404


def test_an_item_of_runs_that_do_not_compare_is_not_found(client_in, pair, run):
    base = pair[0]
    for item in (base.evalset.items.first(), run.evalset.items.first()):
        query = {"base": str(base.pk), "other": str(run.pk)}
        assert client_in.get(reverse("run_compare_item", args=[item.pk]), query).status_code == 404


def test_steps_are_shown_as_text(client_in, dataset, evalset):
    hostile = "Reasoning:\n1. <script>alert(1)</script>\nAnswer: <img src=x>"
    pair = [completed(dataset, evalset=evalset, seed=seed, right=lambda i: hostile) for seed in (1, 2)]
    item = evalset.items.first()
    for text in (
        page(client_in, "run_compare_item", item.pk, base=str(pair[0].pk), other=str(pair[1].pk)),
        page(client_in, "prediction_detail", pair[0].pk, item.pk),
        compared(client_in, pair, q="<script>"),
    ):
        assert "<script>alert" not in text
        assert "<img src=x" not in text


# The pages of one run


def test_the_answers_of_a_run_are_filtered_with_counts(client_in, pair):
    run = pair[1]
    text = page(client_in, "run_predictions", run.pk)
    for words in ("All 12", "Won 10", "Wrong in both 2", "right (10)", "wrong (2)", "format valid: failed"):
        assert words in text
    wrong = page(client_in, "run_predictions", run.pk, correct="false", judged="format_valid:passed")
    assert (wrong.count("status wrong"), wrong.count("status right")) == (2, 0)
    assert "1 step" in wrong
    assert "No answer is like that" in page(client_in, "run_predictions", run.pk, correct="false", section="x")
    assert "This filter cannot be applied" in page(client_in, "run_predictions", run.pk, judged="x")


def test_only_the_steps_of_shown_answers_are_read(client_in, pair, monkeypatch, django_assert_max_num_queries):
    read = []
    monkeypatch.setattr("runs.panels.steps", lambda row, run: read.append(row) or [])
    monkeypatch.setattr("tunixrt.lib.windows.window.__defaults__", (5,))
    with django_assert_max_num_queries(8):
        page(client_in, "run_predictions", pair[1].pk, offset="5")
    assert [row.item.position for row in read] == [5, 6, 7, 8, 9]


def test_a_run_that_was_not_examined_says_so_on_both_pages(client_in, run):
    assert "has not been examined" in page(client_in, "run_predictions", run.pk, outcome="won")
    assert "Not examined." in page(client_in, "prediction_detail", run.pk, run.evalset.items.first().pk)


def test_one_item_of_a_run_is_compared_before_and_after(client_in, pair, django_assert_max_num_queries):
    item = pair[1].evalset.items.first()
    with django_assert_max_num_queries(8):
        text = page(client_in, "prediction_detail", pair[1].pk, item.pk, outcome="won")
    for words in ("status dropped", "status inserted", "Before training: the first wrong step is 1.", "here they part"):
        assert words in text
    assert "Next item" in text
    assert "Previous item" not in text


# API and command


def test_the_items_of_two_runs_come_in_windows_with_counts(api, pair):
    address = f"/api/runs/compare/items?base={pair[0].pk}&other={pair[1].pk}"
    first = api.get(address + "&limit=2&outcome=won").json()
    assert [row["id"] for row in first["data"]] == ["item/0", "item/1"]
    assert first["data"][0]["base"] == {"answer": "none", "correct": False}
    assert first["data"][0]["other"]["correct"] is True
    assert first["pagination"] == {"limit": 2, "offset": 0, "next_offset": 2}
    assert first["counts"] == {"won": 3, "lost": 1, "kept_right": 7, "kept_wrong": 1, "skipped": 0}
    assert api.get(address + "&section=core&q=start").json()["counts"]["won"] == 1
    assert api.get(address + "&outcome=better").status_code == 422
    assert api.get(address + "&sort=x").status_code == 422
    assert api.get("/api/runs/compare/items").status_code == 422


def test_an_item_of_two_runs_comes_with_its_diff(api, pair):
    address = f"/api/runs/compare/item?base={pair[0].pk}&other={pair[1].pk}"
    assert api.get(address + "&id=x").status_code == api.get(address).status_code == 404
    item = api.get(address + "&id=item/0").json()
    assert (item["id"], item["outcome"], item["category"]) == ("item/0", "won", "kind 0")
    assert item["base"]["output"] == WRONG
    assert item["diff"]["first_wrong"] == {"base": 0, "other": None}
    assert [step["kind"] for step in item["diff"]["steps"]] == ["dropped", *["inserted"] * 4]
    assert item["diff"]["steps"][1]["other"]["ok"] is True
    assert item["diff"]["answer_changed"] is True


def test_predictions_pass_by_the_same_filters_over_the_api(api, pair):
    address = f"/api/runs/{pair[1].pk}/predictions?"
    assert len(api.get(address + "outcome=kept_wrong&limit=100").json()["data"]) == 2
    assert len(api.get(address + "stage=before&correct=false&limit=100").json()["data"]) == 12
    assert api.get(address + "stage=step").status_code == 422
    assert api.get(address + "judged=x:failed").status_code == 422


def test_the_command_prints_the_counts(pair, capsys):
    call_command("compare_runs", *(str(run.pk) for run in pair))
    assert "3 won, 1 lost, 7 kept right, 1 kept wrong, 0 skipped" in capsys.readouterr().out
    call_command("compare_runs", *(str(run.pk) for run in pair), "--json")
    assert json.loads(capsys.readouterr().out)["results"]["kept_right"] == 7


def test_runs_compare_also_where_a_replaced_examination_is_kept(pair):
    run = Run.objects.get(pk=pair[0].pk)
    old = run.evaluations.get(stage="after")
    Evaluation.objects.filter(pk=old.pk).update(status="replaced")
    newer = Evaluation.objects.create(
        run=run, evalset=run.evalset, stage="after", status="completed", checkpoint_step=4, metrics={}, intervals={},
        correct_count=12, scored_count=12,
    )  # fmt: skip
    for row in old.predictions.all():
        row.pk, row.evaluation, row.correct = None, newer, True
        row.save()
    results = services.compare_runs(base=run, other=pair[1]).results
    assert (results.won, results.lost, results.n) == (0, 2, 12)
