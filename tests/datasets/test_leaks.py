"""What a dataset gives away: found at the freeze, shown side by side, carried by everything trained on it."""

import json

import pytest
from django.urls import reverse

from datasets_app import services
from datasets_app.models import Dataset
from tests.factories import make_payload, make_traces, store
from tests.training.leak_making import make_world
from tunixrt.lib.errors import Rule

pytestmark = pytest.mark.django_db


def build(**request):
    asked = {"dataset_name": "set", "dataset_version": "1", "selection_strategy": "all"} | request
    return services.build_dataset(request=asked, by=None, at_once=True)[0]


def leaks(dataset: Dataset) -> dict:
    return next(gate for gate in dataset.gates if gate["gate"] == "contamination")


def evalset_that_asks(*payloads: dict):
    items = [
        {
            "id": f"item-{number}",
            "prompt": payload["prompt"],
            "expected_answer": payload["final_answer"],
            "category": "words",
            "difficulty": "easy",
            "steps": payload["steps"],
        }
        for number, payload in enumerate(payloads)
    ]
    return services.evalset_from_items(items=items, name="exam", by=None)


KNOWN = [
    make_payload("How many legs have seven spiders and four beetles together?", final_answer="80"),
    make_payload("Which river flows through Paris, past Rouen and into the sea?", final_answer="the Seine"),
    make_payload("A clock is 12 minutes slow and shows 3:05. What is the time?", final_answer="3:17"),
]


@pytest.fixture
def leaky():
    """A dataset some of whose train rows hold a question of an evalset."""
    make_traces(8)
    known = {str(trace.pk) for trace in store(KNOWN)}
    evalset_that_asks(*KNOWN)
    dataset = build()
    train = set(map(str, dataset.items.filter(split="train").values_list("trace", flat=True)))
    assert {finding["row"] for finding in leaks(dataset)["findings"]} == known & train
    assert dataset.leak_count == len(known & train) > 0
    return dataset


def test_every_leak_planted_among_two_thousand_rows_is_named_and_no_decoy():
    world = make_world(seed=1)
    payloads = [{key: row[key] for key in ("prompt", "steps", "final_answer", "meta")} for row in world.rows]
    traces = store([payload | {"trace_version": "1.0"} for payload in payloads])
    row_of = dict(zip((str(trace.pk) for trace in traces), (row["id"] for row in world.rows), strict=True))
    items = [
        {
            "id": asked.id,
            "prompt": asked.prompt,
            "expected_answer": asked.answer,
            "category": asked.problem or "words",
            "difficulty": "easy",
            "steps": [{"i": i, "type": "think", "content": step} for i, step in enumerate(asked.steps)],
        }
        for asked in world.asked
    ]
    services.evalset_from_items(items=items, name="exam", by=None)
    dataset = build()
    train = {row_of[str(pk)] for pk in dataset.items.filter(split="train").values_list("trace", flat=True)}
    from_exam = [finding for finding in leaks(dataset)["findings"] if finding["source"].startswith("exam")]
    named = {(row_of[finding["row"]], finding["item"]) for finding in from_exam}
    assert {(row, item) for row, (item, _) in world.planted.items() if row in train} <= named
    assert not {row_of[finding["row"]] for finding in leaks(dataset)["findings"]} & world.decoys
    assert len({kind for row, (_, kind) in world.planted.items() if row in train}) >= 5
    assert dataset.leak_count == leaks(dataset)["count"] == len({row for row, _ in named})


def test_a_clean_dataset_says_what_it_was_held_against():
    make_traces(5)
    evalset = evalset_that_asks(make_payload("Who wrote the play about the prince of Denmark?", final_answer="x"))
    dataset = build()
    found = leaks(dataset)
    assert (found["result"], found["checked"], dataset.is_contaminated) == ("passed", dataset.splits["train"], False)
    against = {source["source"]: source for source in found["against"]}
    assert {"golden-v1", "golden-v2", "eval_v1", "set-1 valid", "set-1 test"} <= against.keys()
    assert against[f"exam ({evalset.sha256[:8]})"] == {
        "source": f"exam ({evalset.sha256[:8]})",
        "evalset": str(evalset.pk),
        "items": 1,
        "given_away": [],
        "given_away_count": 0,
    }


def test_the_finding_is_recorded_with_the_dataset_and_in_its_manifest(leaky):
    manifest = json.loads(leaky.manifest_path.read_bytes())
    assert manifest["gates"] == leaky.gates
    assert {finding["kind"] for finding in leaks(leaky)["findings"]} == {"verbatim"}


def test_a_contaminated_dataset_is_refused_where_that_is_asked_and_says_why(leaky):
    with pytest.raises(Rule) as refusal:
        build(dataset_name="strict", gates={"contamination": "refuse"})
    assert refusal.value.code == "gate_refused"
    assert [fault.loc for fault in refusal.value.faults] == [("gates", "contamination")]
    dataset = Dataset.objects.get(key="strict-1")
    assert (dataset.status, dataset.items.count(), dataset.directory.exists()) == ("failed", 0, False)
    assert leaks(dataset)["count"] == leaky.leak_count
    warned = build(dataset_name="strict", gates={"contamination": "warn"})
    assert (warned.pk, warned.status, warned.leak_count) == (dataset.pk, "frozen", leaky.leak_count)


def test_a_refusal_over_http_and_on_the_page_says_which_gate(leaky, api, client_in):
    asked = {"dataset_name": "strict", "dataset_version": "1", "selection_strategy": "all"}
    answer = api.post("/api/datasets/build", asked | {"gates": {"contamination": "refuse"}}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "gate_refused")
    assert answer.json()["errors"][0]["loc"] == ["gates", "contamination"]
    page = client_in.get("/datasets/strict-1/").content.decode()
    assert "Nothing was frozen" in page
    assert "refused by contamination" in page


def test_a_leak_is_shown_side_by_side_with_what_both_say_marked(leaky, client_in):
    page = client_in.get(f"/datasets/{leaky.key}/").content.decode()
    address = reverse("dataset_leak", args=[leaky.key, 0])
    assert address in page
    shown = client_in.get(address).content.decode()
    finding = leaks(leaky)["findings"][0]
    prompt = next(payload["prompt"] for payload in KNOWN if payload["prompt"] in shown.replace("</mark>", ""))
    assert shown.count(f"<mark>{prompt[:20]}") == 2
    assert finding["why"] in shown
    assert client_in.get(reverse("dataset_leak", args=[leaky.key, 999])).status_code == 404


def test_a_leak_whose_question_is_gone_says_so(leaky, client_in):
    leaky.gates = [gate | {"findings": [f | {"item": "gone"} for f in gate["findings"]]} for gate in leaky.gates]
    leaky.save()
    assert b"not there any more" in client_in.get(reverse("dataset_leak", args=[leaky.key, 0])).content


def test_a_leak_of_a_row_that_is_held_out_is_shown_without_reading_the_file(leaky):
    make_traces(40)
    dataset = build(dataset_version="2")
    held_out = dataset.items.filter(split="test").first()
    finding = leaks(dataset)["findings"][0] | {"source": f"{dataset} test", "item": str(held_out.trace_id)}
    dataset.gates = [{"gate": "contamination", "count": 1, "findings": [finding]}]
    dataset.rows_path.unlink()
    prompt = services.leak_of(dataset, 0).pairs[0]
    assert "".join(piece.text for piece in prompt.item) == held_out.trace.prompt


def test_texts_of_a_leak_are_shown_as_text(client_in):
    for number in range(40):
        known = make_payload(f"<script>alert({number})</script> how many <b>legs</b> have spider {number}?")
        store([known])
        evalset_that_asks(known)
    dataset = build()
    assert dataset.is_contaminated
    shown = client_in.get(reverse("dataset_leak", args=[dataset.key, 0])).content.decode()
    assert "<script>alert" not in shown
    assert "&lt;" in shown


def test_a_seeded_dataset_does_not_depend_on_what_this_installation_holds():
    evalset_that_asks(make_payload("Repeat 'apple' 3 times"))
    dataset = services.seed_dataset(key="golden-v2")
    assert not dataset.is_contaminated
    assert {source["source"] for source in leaks(dataset)["against"]} == {
        "eval_v1",
        "eval_v2",
        "golden-v2 valid",
        "golden-v2 test",
    }
