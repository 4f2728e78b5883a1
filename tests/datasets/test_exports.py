"""What trainers read."""

import json
from types import GeneratorType

import pytest
from django.core.management import call_command

from datasets_app import services
from tests.factories import make_payload, make_trace, make_traces, make_user, store
from traces.services import review_step
from training.errors import Invalid
from tunixrt.lib.errors import Conflict, Unavailable

pytestmark = pytest.mark.django_db


@pytest.fixture
def trace():
    return make_trace("What is 2+2?", steps=["2 + 2 = 4"], final_answer="4", meta={"source": "example"})


@pytest.fixture
def dataset(trace):
    return services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)[0]


def exported(dataset, format, split=None):
    return [
        json.loads(line) for line in b"".join(services.export_rows(dataset, format=format, split=split)).splitlines()
    ]


def first(dataset, format):
    return exported(dataset, format)[0]


def test_trace(dataset, trace):
    stamp = f"{trace.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert first(dataset, "trace") == {
        "id": str(trace.pk),
        "prompts": "What is 2+2?",
        "trace_steps": ["2 + 2 = 4"],
        "final_answer": "4",
        "metadata": {"created_at": stamp, "trace_version": "1.0", "source": "example"},
    }


def test_tunix_sft_holds_the_rendered_turns(dataset):
    row = first(dataset, "tunix_sft")
    assert row["prompts"] == (
        "<start_of_turn>user\nShow your work as steps\n\nWhat is 2+2?<end_of_turn>\n"
        "<start_of_turn>model\nReasoning:\n1. 2 + 2 = 4\nAnswer: 4<end_of_turn>"
    )
    assert set(row) == {"id", "prompts", "final_answer", "metadata"}
    assert row["metadata"]["format"] == "tunix_sft"


def test_training_example_has_no_turn_tokens_and_a_stable_id(dataset, trace):
    row = first(dataset, "training_example")
    assert row["prompt"] == "Show your work as steps\n\nWhat is 2+2?"
    assert row["response"] == "Reasoning:\n1. 2 + 2 = 4\nAnswer: 4"
    assert row["metadata"]["source_trace_id"] == str(trace.pk)
    assert row["metadata"]["recipe"] == "trace_sft_v1"
    request = {"dataset_name": "set", "dataset_version": "2", "recipe": "answer_only_v1", "instruction": ""}
    other, _ = services.build_dataset(request=request, by=None)
    assert first(other, "training_example")["id"] != row["id"] == first(dataset, "training_example")["id"]
    assert first(other, "training_example")["prompt"] == "What is 2+2?"
    assert first(other, "training_example")["response"] == "Answer: 4"


def test_messages_and_prompt_completion_are_plain_text(dataset):
    user, assistant = first(dataset, "messages")["messages"]
    assert user == {"role": "user", "content": "Show your work as steps\n\nWhat is 2+2?"}
    assert assistant == {"role": "assistant", "content": "Reasoning:\n1. 2 + 2 = 4\nAnswer: 4"}
    pair = first(dataset, "prompt_completion")
    assert pair == {"prompt": user["content"], "completion": assistant["content"]}


PEOPLE = ("ada", "grace", "alan")
STEPS = ["zero", "one", "two", "three"]


@pytest.mark.parametrize(
    ("said", "labels"),  # what each person says of the first steps, None for nothing
    [
        ([[1, 1, 1, 1]], [True, True, True, True]),
        ([[1, 0, -1]], [True, True, False]),
        ([[-1]], [False]),
        ([[1, 1]], [True, True]),
        ([[1, None, 1, 1]], [True]),
        ([[1, 0], [0, 1, 1]], [True, True, True]),
        ([[1, -1], [1, 1, 1]], [True]),
        ([[1, -1], [1, -1], [1, -1]], [True, False]),
        ([[1, 1, 1, 1], [1, 1, -1], [1, 1, 0]], [True, True]),
        ([[-1], [1, 1]], None),
        ([[None, 1]], None),
        ([], None),
    ],
)
def test_stepwise_labels_the_steps_that_people_agree_on_up_to_the_first_mistake(said, labels):
    trace = make_trace("Count.", steps=STEPS)
    dataset = services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)[0]
    for name, ratings in zip(PEOPLE, said, strict=False):
        person = make_user(name)
        for step, rating in enumerate(ratings):
            if rating is not None:
                review_step(trace=trace, step=step, rating=rating, by=person)
    prompt = first(dataset, "prompt_completion")["prompt"]
    expected = [{"prompt": prompt, "completions": STEPS[: len(labels)], "labels": labels}] if labels else []
    assert exported(dataset, "stepwise") == expected


def test_stepwise_knows_steps_by_their_i():
    payload = make_payload(steps=["late", "early"])
    payload["steps"][0]["i"], payload["steps"][1]["i"] = 9, 20
    trace = store([payload])[0]
    dataset = services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)[0]
    review_step(trace=trace, step=9, rating=1, by=make_user())
    assert first(dataset, "stepwise")["completions"] == ["late"]


def test_stepwise_asks_once_a_chunk_whatever_was_reviewed(django_assert_num_queries):
    person = make_user()
    for trace in make_traces(30, steps=2):
        review_step(trace=trace, step=0, rating=-1, by=person)
    dataset = services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)[0]
    rows = services.export_rows(dataset, format="stepwise")
    assert isinstance(rows, GeneratorType)
    with django_assert_num_queries(1):
        assert b"".join(rows).count(b"\n") == 30


def test_stepwise_is_offered_wherever_the_others_are(api, client_in, dataset, trace, capsys):
    review_step(trace=trace, step=0, rating=1, by=make_user())
    over_http = b"".join(api.get(f"/api/datasets/{dataset.key}/export.jsonl?format=stepwise").streaming_content)
    call_command("export_dataset", dataset.key, "--format", "stepwise")
    page = client_in.get(f"/datasets/{dataset.key}/export/?format=stepwise")
    assert over_http == capsys.readouterr().out.encode() == b"".join(page.streaming_content)
    assert json.loads(over_http)["labels"] == [True]
    assert '"stepwise"' in client_in.get(f"/datasets/{dataset.key}/").content.decode()


def test_a_split_is_exported_alone():
    dataset = services.seed_dataset(key="golden-v2")
    for split in ("train", "valid", "test"):
        rows = exported(dataset, "training_example", split)
        assert len(rows) == dataset.splits[split]
        assert {row["metadata"]["split"] for row in rows} == {split}


def test_rows_are_streamed_and_the_database_is_asked_a_chunk_at_a_time(dataset, django_assert_num_queries):
    rows = services.export_rows(dataset, format="messages")
    assert isinstance(rows, GeneratorType)
    with django_assert_num_queries(0):
        list(rows)
    with django_assert_num_queries(1):
        list(services.export_rows(dataset, format="trace"))


@pytest.mark.parametrize("bad", [{"format": "csv"}, {"format": "trace", "split": "dev"}])
def test_an_unknown_format_or_split_is_refused_before_the_first_row(dataset, bad):
    with pytest.raises(Invalid):
        services.export_rows(dataset, **bad)


def test_what_is_not_frozen_or_lost_its_file_is_not_exported(dataset):
    dataset.rows_path.unlink()
    with pytest.raises(Unavailable, match="Build set-1 again"):
        services.export_rows(dataset, format="trace")
    dataset.status = "building"
    with pytest.raises(Conflict):
        services.export_rows(dataset, format="trace")
