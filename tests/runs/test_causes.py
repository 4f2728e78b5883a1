"""From an item to the training traces nearest to it, and from an answer to a new trace."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.db import connection
from django.urls import reverse

from datasets_app.models import Dataset, DatasetItem
from datasets_app.services import build_dataset, evalset_from_items
from runs import causes, services
from runs.models import Evaluation, Prediction, Run
from tests.factories import make_trace
from tests.runs.making import completed, write_ledger
from traces.models import Trace
from training.errors import Invalid
from training.ledger import read_ledger
from tunixrt.lib.errors import TooLarge

pytestmark = pytest.mark.django_db


@pytest.fixture
def examined(dataset) -> Run:
    """A completed run that is wrong on its first item and right on the others."""
    return completed(dataset, right=lambda i: i > 0, name="taught", seed=1)


@pytest.fixture
def item(examined):
    return examined.evalset.items.first()


def taught(run: Run) -> list[Trace]:
    items = DatasetItem.objects.filter(dataset=run.dataset, split="train").order_by("position").select_related("trace")
    return [item.trace for item in items]


def prediction_of(run: Run, item, stage: str = "after", **changes) -> Prediction:
    found = Prediction.objects.answers_to(run, item).get(evaluation__stage=stage)
    Prediction.objects.filter(pk=found.pk).update(**changes)
    return Prediction.objects.answers_to(run, item).get(pk=found.pk)


def page(client, name: str, *args, query: str = "", **headers) -> str:
    response = client.get(reverse(name, args=args) + query, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


# Nearest training traces


def test_the_nearest_rows_are_of_the_train_split_the_likest_first(examined, item):
    found = causes.nearest(examined, item, 50)
    train = {trace.pk for trace in taught(examined)}
    assert {cause.trace.pk for cause in found.rows} <= train
    scores = [cause.score for cause in found.rows]
    assert scores == sorted(scores, reverse=True)
    assert set(found.rows[0].trace.prompt.split()[4:6]) & set(item.prompt.split()[4:6])  # an operation, of twelve


def test_a_row_that_asks_the_same_is_the_nearest(dataset):
    asked = DatasetItem.objects.filter(dataset=dataset, split="train").last().trace
    row = {"id": "known", "prompt": asked.prompt, "expected_answer": asked.final_answer}
    evalset = evalset_from_items(items=[row | {"category": "c", "difficulty": "1"}], name="mine", by=None)
    run = services.launch_run(dataset_key=dataset.key, config_name="tiny", evalset=evalset)
    best = causes.nearest(run, evalset.items.get()).rows[0]
    assert (best.trace.prompt, best.trace.final_answer) == (asked.prompt, asked.final_answer)
    assert best.score == pytest.approx(1)


def test_each_row_comes_with_what_the_ledger_says_of_it(client_in, examined, item):
    near = [cause.trace for cause in causes.nearest(examined, item, 4).rows]
    ids = [str(trace.pk) for trace in taught(examined)]
    losses = np.full((len(ids), 3), 0.1)
    losses[ids.index(str(near[0].pk))] = [3.5, 2.5, 2.25]
    losses[ids.index(str(near[1].pk))] = [2.75, 0.05, 1.125]
    losses[ids.index(str(near[2].pk))] = [1.5, 0.5, 0.1]
    unseen = ids.pop(ids.index(str(near[3].pk)))
    write_ledger(examined, ids, np.delete(losses, [str(t.pk) for t in taught(examined)].index(unseen), axis=0).T)
    told = [cause.learning for cause in causes.nearest(examined, item, 4).rows]
    assert [learning and tuple(learning) for learning in told] == [
        (3, 3.5, 2.25, "never learned"),
        (3, 2.75, 1.125, "forgotten"),
        (3, 1.5, pytest.approx(0.1), "learned"),
        None,
    ]
    ledger = read_ledger(examined.directory)
    assert ledger.id_of([fate.row for fate in ledger.never_learned()]) == [str(near[0].pk)]
    assert ledger.id_of([fate.row for fate in ledger.forgotten()]) == [str(near[1].pk)]
    text = page(client_in, "prediction_nearest", examined.pk, item.pk)
    for told_there in (
        "never learned",
        "forgotten",
        "3.5",
        "1.125",
        "not looked at",
        reverse("trace_detail", args=[near[0].pk]),
    ):
        assert told_there in text


def test_a_run_without_a_ledger_says_why(client_in, examined, item):
    assert "This run kept no ledger" in page(client_in, "prediction_nearest", examined.pk, item.pk)


def test_a_loss_that_is_no_number_is_null_over_http(api, examined, item):
    near = causes.nearest(examined, item).rows[0].trace
    write_ledger(examined, [str(near.pk), "another"], [[1.0, 1.0], [math.nan, 1.0]])
    first = api.get(f"/api/runs/{examined.pk}/predictions/{item.item_id}/nearest?limit=1").json()["data"][0]
    assert first["learning"] == {"looks": 2, "first": 1.0, "last": None, "verdict": "forgotten"}


@pytest.mark.parametrize("harm", ["gone", "altered"])
def test_rows_that_are_gone_are_told(client_in, api, examined, item, harm):
    rows = examined.dataset.rows_path
    text = rows.read_text()
    rows.unlink() if harm == "gone" else rows.write_text("{" * len(text.encode()))
    text = page(client_in, "prediction_nearest", examined.pk, item.pk)
    assert "cannot be searched" in text
    assert "restore_dataset" in text
    response = api.get(f"/api/runs/{examined.pk}/predictions/{item.item_id}/nearest")
    assert response.status_code == 503


def test_an_item_that_shares_nothing_with_what_was_taught_says_what_would_help(client_in, dataset):
    row = {"id": "x", "prompt": "Qui?", "expected_answer": "Personne", "category": "c", "difficulty": "1"}
    evalset = evalset_from_items(items=[row], name="mine", by=None)
    run = services.launch_run(dataset_key=dataset.key, config_name="tiny", evalset=evalset)
    assert "nothing like it was taught" in page(client_in, "prediction_nearest", run.pk, evalset.items.get().pk)


def test_a_very_large_dataset_is_searched_for_those_only_who_ask(client_in, examined, item, monkeypatch):
    monkeypatch.setattr("runs.views.causes.READ_AT_ONCE", examined.dataset.trace_count - 1)
    address = reverse("prediction_nearest", args=[examined.pk, item.pk])
    part = page(client_in, "prediction_nearest", examined.pk, item.pk, **{"HX-Request": "true"})
    assert f'<a href="{address}">Search the 60 rows' in part
    assert "<table" not in part
    assert "<table" in page(client_in, "prediction_nearest", examined.pk, item.pk)


def test_the_items_page_loads_both_parts_when_they_are_looked_at(client_in, examined, item):
    text = page(client_in, "prediction_detail", examined.pk, item.pk)
    for name in ("prediction_nearest", "prediction_promote"):
        address = reverse(name, args=[examined.pk, item.pk])
        assert f'hx-get="{address}" hx-trigger="revealed"' in text
        assert f'<a href="{address}">' in text
        assert "<html" in page(client_in, name, examined.pk, item.pk)
        assert "<html" not in page(client_in, name, examined.pk, item.pk, **{"HX-Request": "true"})


def test_the_number_of_queries_does_not_grow(client_in, examined, item, django_assert_num_queries):
    write_ledger(examined, [str(trace.pk) for trace in taught(examined)], [[0.1] * len(taught(examined))])
    with django_assert_num_queries(5):  # session, user, run, item; rows with their traces
        page(client_in, "prediction_nearest", examined.pk, item.pk)
    with django_assert_num_queries(6):  # session, user, run, item; answers; what was promoted
        page(client_in, "prediction_promote", examined.pk, item.pk)


@pytest.mark.parametrize(
    ("query", "status"), [("?limit=0", 422), ("?limit=51", 422), ("?most=3", 422), ("?limit=2", 200)]
)
def test_the_api_of_the_nearest_checks_what_it_is_asked(api, examined, item, query, status):
    response = api.get(f"/api/runs/{examined.pk}/predictions/{item.item_id}/nearest{query}")
    assert response.status_code == status
    if status == 200:
        assert len(response.json()["data"]) == 2


@pytest.mark.parametrize("item_id", ["nobody", "a%00b", "a/b", "%F0%9F%A6%89"])
def test_an_item_that_is_not_asked_is_404(api, examined, item_id):
    path = f"/api/runs/{examined.pk}/predictions/{item_id}"
    assert api.get(f"{path}/nearest").status_code == 404
    assert api.post(f"{path}/promote", {"confirmed": True}, format="json").status_code == 404


@pytest.mark.parametrize("item_id", ["a/b", "two\nlines", "a\r\nb", "%2f", "../..", "x/nearest", "?a#b", "//", "É"])
def test_an_item_is_found_whatever_its_id_holds(api, dataset, item_id):
    question = {"prompt": "p", "expected_answer": "1", "category": "c", "difficulty": "1"}
    evalset = evalset_from_items(items=[question | {"id": item_id}], name="odd", by=None)
    run = services.launch_run(dataset_key=dataset.key, config_name="tiny", evalset=evalset)
    path = reverse("api_prediction_nearest", args=[run.pk, evalset.items.get().item_id])
    assert api.get(path).status_code == 200


def test_pages_of_an_item_that_is_not_asked_are_404(client_in, examined):
    for name in ("prediction_nearest", "prediction_promote"):
        assert client_in.get(reverse(name, args=[examined.pk, 10**30])).status_code == 404


# Promotion


def test_the_form_is_filled_with_what_the_model_wrote(client_in, examined, item):
    text = page(client_in, "prediction_promote", examined.pk, item.pk)
    assert "a guess</textarea>" in text
    assert "no</textarea>" in text
    assert examined.evalset.name in text
    assert "marks every dataset that teaches it as contaminated" in text


def promote(client, run, item, query: str = "", **form):
    form = {"steps": "1+1→2\r\n\r\n  2+1→3 ", "final_answer": "3", "confirmed": "on"} | form
    address = reverse("prediction_promote", args=[run.pk, item.pk]) + query
    return client.post(address, {name: value for name, value in form.items() if value is not None})


def test_a_corrected_answer_becomes_a_trace_that_says_where_it_is_from(client_in, user, examined, item):
    response = promote(client_in, examined, item)
    trace = Trace.objects.get(source="evaluation")
    assert response.url == reverse("trace_detail", args=[trace.pk])
    assert (trace.prompt, trace.final_answer, trace.created_by) == (item.prompt, "3", user)
    assert [step["content"] for step in trace.steps] == ["1+1→2", "2+1→3"]
    evalset = examined.evalset
    assert trace.payload["meta"] == {
        "source": "evaluation",
        "run_id": str(examined.pk),
        "item_id": item.item_id,
        "evalset": evalset.name,
        "evalset_sha256": evalset.sha256,
        "stage": "after",
        "checkpoint_step": 4,
        "as_generated": False,
        "as_expected": item.expected_answer == "3",
        "promoted_by": user.get_username(),
        "problem": "chain",
    }
    told = client_in.get(response.url).content.decode()
    assert "Promoted, corrected. Datasets that draw it hold it out in their test split." in told
    assert "corrected, 2 steps" in page(client_in, "prediction_promote", examined.pk, item.pk)
    assert str(trace.pk) in page(client_in, "trace_list", query="?source=evaluation")
    back = page(client_in, "trace_losses", trace.pk)
    assert reverse("prediction_detail", args=[examined.pk, item.pk]) in back


def test_a_right_answer_is_promoted_as_generated(client_in, examined):
    item = examined.evalset.items.last()
    shown = services.generated(prediction_of(examined, item))
    response = promote(client_in, examined, item, steps="\r\n".join(shown.steps), final_answer=shown.answer)
    meta = Trace.objects.get(source="evaluation").payload["meta"]
    assert (meta["as_generated"], meta["correct"]) == (True, True)
    assert "Promoted, as generated." in client_in.get(response.url).content.decode()
    assert "as generated" in page(client_in, "prediction_promote", examined.pk, item.pk)


def test_a_trace_whose_answer_is_not_the_expected_one_is_told_of(client_in, examined, item):
    response = promote(client_in, examined, item, final_answer="no digit")
    assert "not the expected one" in client_in.get(response.url).content.decode()
    assert "not the expected one" in page(client_in, "prediction_promote", examined.pk, item.pk)
    Trace.objects.filter(source="evaluation").delete()
    response = promote(client_in, examined, item, final_answer=f" {item.expected_answer} ")
    assert "not the expected one" not in client_in.get(response.url).content.decode()
    assert Trace.objects.get(source="evaluation").payload["meta"]["as_expected"]


def test_an_answer_that_the_judge_takes_for_the_expected_one_is_not_told_of(dataset):
    asked = {"id": "half", "prompt": "What is 1 - 1/2?", "expected_answer": "1/2", "category": "c", "difficulty": "d"}
    items = [asked | {"steps": [{"i": 0, "type": "compute", "content": "1 - 1/2 = 1/2"}]}]
    evalset = evalset_from_items(items=items, name="halves", by=None)
    half = "Reasoning:\n1. 1 - 1/2 = 1/2\nAnswer: \\frac{1}{2}"
    prediction = prediction_of(completed(dataset, evalset=evalset, right=lambda i: half), evalset.items.get())
    meta = services.promote_prediction(prediction=prediction, confirmed=True).trace.payload["meta"]
    assert (prediction.correct, meta["correct"], meta["as_expected"]) == (True, True, True)


def test_steps_of_several_lines_that_nobody_changed_are_kept_whole(examined, item):
    prediction = prediction_of(examined, item, output="Reasoning:\n1. one\n   more\n2. two\nAnswer: 3", answer="3")
    made = services.promote_prediction(
        prediction=prediction, steps=["one", "more", "two"], final_answer="3", confirmed=True
    )
    assert made.trace.payload["meta"]["as_generated"]
    assert [step["content"] for step in made.trace.steps] == services.generated(prediction).steps


def test_the_answer_before_training_can_be_promoted_too(client_in, examined, item):
    text = page(client_in, "prediction_promote", examined.pk, item.pk, query="?stage=before")
    assert "The answer before training" in text
    promote(client_in, examined, item, query="?stage=before&step=0")
    assert Trace.objects.get(source="evaluation").payload["meta"]["stage"] == "before"


def test_an_answer_at_a_checkpoint_is_named_by_its_step(client_in, api, examined, item):
    after = examined.evaluations.get(stage="after")
    at_two = Evaluation.objects.create(
        run=examined,
        evalset=examined.evalset,
        stage="step",
        status="completed",
        checkpoint_step=2,
        metrics={},
        intervals={},
        correct_count=0,
        scored_count=1,
    )
    row = after.predictions.get(item=item)
    row.pk, row.evaluation, row.answer = None, at_two, "two"
    row.save()
    assert "two</textarea>" in page(client_in, "prediction_promote", examined.pk, item.pk, query="?stage=step&step=2")
    path = f"/api/runs/{examined.pk}/predictions/{item.item_id}/promote"
    made = api.post(f"{path}?stage=step&step=2", {"confirmed": True}, format="json")
    assert made.status_code == 201
    meta = Trace.objects.get(source="evaluation").payload["meta"]
    assert (meta["stage"], meta["checkpoint_step"]) == ("step", 2)
    assert api.post(f"{path}?stage=step&step=3", {"confirmed": True}, format="json").status_code == 409


def test_a_double_click_makes_one_trace_and_says_so(client_in, examined, item):
    first, second = (promote(client_in, examined, item) for _ in range(2))
    assert first.url == second.url
    assert Trace.objects.filter(source="evaluation").count() == 1
    assert "No second one was made" in client_in.get(second.url).content.decode()
    promote(client_in, examined, item, final_answer="4")
    assert Trace.objects.filter(source="evaluation").count() == 2


def test_the_same_text_from_another_run_is_another_trace(examined, item, dataset):
    other = completed(dataset, name="other", seed=2)
    for run in (examined, other):
        services.promote_prediction(prediction=prediction_of(run, item), steps=["a"], final_answer="b", confirmed=True)
    assert Trace.objects.filter(source="evaluation").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_make_one_trace(dataset):
    run = completed(dataset, name="taught", seed=1)
    prediction = prediction_of(run, run.evalset.items.first())

    def once(_) -> services.Promotion:
        try:
            return services.promote_prediction(prediction=prediction, steps=["a"], final_answer="b", confirmed=True)
        finally:
            if several > 1:
                connection.close()

    several = 4 if connection.vendor == "postgresql" else 1  # SQLite in memory takes one connection
    with ThreadPoolExecutor(several) as pool:
        made = list(pool.map(once, range(4)) if several > 1 else map(once, range(4)))
    assert len({promotion.trace.pk for promotion in made}) == 1
    assert sum(promotion.is_new for promotion in made) == 1


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"confirmed": None}, "This must be confirmed"),
        ({"steps": " \n "}, "A trace has at least one step."),
        ({"final_answer": " "}, "A trace has a final answer."),
        ({"steps": "fine\n" + "x" * 20_001}, "Step 2 is 20001 characters long"),
        ({"steps": "a\0b"}, "Null characters are not allowed"),
        ({"steps": "\n".join("a" for _ in range(1_001))}, "has 1001 steps"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(client_in, examined, item, form, said):
    response = promote(client_in, examined, item, **{"steps": "kept step", "final_answer": "kept answer"} | form)
    text = response.content.decode()
    assert response.status_code == 200
    assert said in text
    kept = {"kept step</textarea>": "steps", "kept answer</textarea>": "final_answer"}
    assert all(words in text for words, field in kept.items() if field not in form)
    assert not Trace.objects.filter(source="evaluation").exists()


def test_everything_that_is_wrong_is_told_at_once(examined, item):
    with pytest.raises(Invalid) as caught:
        services.promote_prediction(prediction=prediction_of(examined, item), steps=[5, ""], final_answer=None)
    assert [fault.loc for fault in caught.value.faults] == [
        ("steps", 0, "content"),
        ("steps", 1, "content"),
        ("confirmed",),
    ]


def test_a_trace_that_is_too_large_is_refused(settings, examined, item):
    settings.TRACE_MAX_BYTES = 3_000
    with pytest.raises(TooLarge, match="TRACE_MAX_BYTES"):
        services.promote_prediction(
            prediction=prediction_of(examined, item), steps=["x" * 3_000], final_answer="b", confirmed=True
        )


IMAGE = "<img src=x onerror=alert(1)>"
HOSTILE = f"Reasoning:\n1. </script><script>alert(1)</script> \ufffd \u202e \x1b[31m\nAnswer: {IMAGE}"


def test_a_hostile_output_is_text_on_every_page_it_comes_to(client_in, examined, item):
    prediction_of(examined, item, output=HOSTILE, answer=IMAGE)
    text = page(client_in, "prediction_promote", examined.pk, item.pk)
    (step,) = services.generated(prediction_of(examined, item)).steps
    response = promote(client_in, examined, item, steps=step, final_answer=IMAGE)
    text += client_in.get(response.url).content.decode()
    text += page(client_in, "prediction_promote", examined.pk, item.pk)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert Trace.objects.get(source="evaluation").payload["meta"]["as_generated"]


def test_an_output_of_64_kib_is_shown_and_refused_as_it_is(client_in, examined, item):
    prediction_of(examined, item, output="Reasoning:\n1. " + "a" * 65_000 + "\nAnswer: 3", answer="3")
    text = page(client_in, "prediction_promote", examined.pk, item.pk)
    assert "a" * 65_000 in text
    said = promote(client_in, examined, item, steps="a" * 65_000).content.decode()
    assert "Step 1 is 65000 characters long; at most 20000 are allowed" in said


def test_an_item_that_was_not_answered_offers_no_form(client_in, api, dataset):
    run = services.launch_run(dataset_key=dataset.key, config_name="tiny")
    item = run.evalset.items.first()
    assert "This item was not answered yet" in page(client_in, "prediction_promote", run.pk, item.pk)
    assert "not answered yet" in promote(client_in, run, item).content.decode()
    response = api.post(f"/api/runs/{run.pk}/predictions/{item.item_id}/promote", {"confirmed": True}, format="json")
    assert (response.status_code, response.json()["code"]) == (409, "not_examined")


def test_over_http_the_answer_is_promoted_once(api, user, examined, item):
    path = f"/api/runs/{examined.pk}/predictions/{item.item_id}/promote"
    body = {"steps": ["1+1→2"], "final_answer": "2", "confirmed": True}
    first, second = (api.post(path, body, format="json") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert (first.json()["new"], second.json()["new"]) == (True, False)
    assert first.json()["trace_id"] == second.json()["trace_id"]
    assert (first.json()["as_generated"], first.json()["as_expected"]) == (False, item.expected_answer == "2")
    assert Trace.objects.get(source="evaluation").created_by == user


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["confirmed"]),
        ({"confirmed": False}, ["confirmed"]),
        ({"confirmed": "yes"}, ["confirmed"]),
        ({"confirmed": True, "steps": "a"}, ["steps"]),
        ({"confirmed": True, "steps": []}, ["steps"]),
        ({"confirmed": True, "final_answer": 3}, ["final_answer"]),
        ({"confirmed": True, "prompt": "mine"}, ["prompt"]),
    ],
)
def test_over_http_each_fault_has_its_place(api, examined, item, body, loc):
    response = api.post(f"/api/runs/{examined.pk}/predictions/{item.item_id}/promote", body, format="json")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == loc
    assert not Trace.objects.filter(source="evaluation").exists()


def test_a_trace_that_only_says_it_was_promoted_leads_nowhere(client_in):
    for run_id in ("no uuid", "3f7a1f98-bb39-4ede-bcc7-510850ec3efb", 5, None):
        trace = make_trace(meta={"source": "evaluation", "run_id": run_id, "item_id": "x"})
        assert causes.origin(trace) is None
        assert "Promoted from" not in page(client_in, "trace_losses", trace.pk)


def build(user, **request) -> Dataset:
    request = {"dataset_name": "loop", "dataset_version": "2", "seed": 1, **request}
    return build_dataset(request=request, by=user, at_once=True)[0]


def test_a_promoted_trace_is_taught_by_the_next_version_which_is_marked(client_in, user, dataset):
    """The loop closed, and its price: the firewall names the question that the new version gives away."""
    questions = (f"How many legs have {number} hungry spiders in an old red barn?" for number in range(8, 40))
    same = {"category": "c", "difficulty": "1", "steps": [{"i": 0, "type": "compute", "content": "count the legs"}]}
    rows = [
        {"id": f"q{i}", "prompt": prompt, "expected_answer": str(8 * (8 + i)), **same}
        for i, prompt in enumerate(questions)
    ]
    evalset = evalset_from_items(items=rows, name="barn", by=user)
    run = completed(dataset, evalset=evalset, right=lambda i: False, name="barn", seed=3)
    item = next(item for item in evalset.items.all() if services.split_of_item(item) == "train")
    response = promote(client_in, run, item, steps=f"8 × n = {item.expected_answer}", final_answer=item.expected_answer)
    assert "Datasets that draw it teach it." in client_in.get(response.url).content.decode()
    made = build(user, filters={"source": "evaluation"})
    assert made.splits["train"] == 1
    assert made.leak_count == 1
    result = made.result_of("contamination")
    assert item.item_id in {finding["item"] for finding in result["findings"]}
    assert "barn" in result["findings"][0]["source"]


def test_a_promoted_question_of_a_held_out_split_stays_held_out(client_in, user, examined, item):
    promote(client_in, examined, item)
    old = [str(trace.pk) for trace in taught(examined)]
    made = build(user, filters={}, limit=1000)
    row = made.items.get(trace__source="evaluation")
    assert row.split == services.split_of_item(item) == "test"
    assert made.leak_count == 0
    assert len(old) == made.splits["train"]
    assert "hold it out" in page(client_in, "prediction_promote", examined.pk, item.pk)
