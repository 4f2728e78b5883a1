"""What trainers read."""

import json
from datetime import UTC, datetime
from types import GeneratorType
from uuid import UUID, uuid5

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_app import services
from datasets_app.exports import EXPORTS
from datasets_app.exports.formats import canonical_lines
from datasets_app.exports.frozen import read_blocks
from datasets_app.models import Dataset
from tests.factories import make_payload, make_trace, make_traces, make_user, store
from tests.training.test_canonical import PAYLOADS
from traces.models import Trace
from traces.services import review_step
from training.canonical import STABLE_IDS, canonical_json
from training.errors import Invalid
from training.renderers import RECIPES, plain_prompt, plain_response, render, render_prompt, render_response
from training.splits import SPLITS
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
    with pytest.raises(Unavailable, match="restore_dataset set-1"):
        services.export_rows(dataset, format="trace")
    dataset.status = "building"
    with pytest.raises(Conflict):
        services.export_rows(dataset, format="trace")


# --- the lines, beside those of the standard library ---

FACTS = {"created_at": "2026-01-01T00:00:00.000000Z", "trace_version": "1.0"}
ROWS = st.builds(
    lambda payload, id, split: {**payload, "id": str(id), "split": split},
    PAYLOADS.map(lambda payload: {name: payload[name] for name in ("prompt", "steps", "final_answer", "meta")}),
    st.uuids(),
    st.sampled_from(SPLITS),
)


def by_the_contract(row, dataset, known):
    """Each format's row as the contract says it, made with dicts and nothing else."""
    prompt, response = plain_prompt(row["prompt"], dataset.instruction), plain_response(row, dataset.recipe)
    meta = row["meta"] or {}
    example_id = str(uuid5(STABLE_IDS, f"{row['id']}:{dataset.recipe}"))
    origin = {"source_trace_id": row["id"], "recipe": dataset.recipe, "split": row["split"]}
    answer = {"final_answer": row["final_answer"]}
    return {
        "trace": {
            "id": row["id"],
            "prompts": row["prompt"],
            "trace_steps": [step["content"] for step in row["steps"]],
            "metadata": meta | FACTS,
        }
        | answer,
        "tunix_sft": {
            "id": row["id"],
            "prompts": render(row, dataset.recipe, dataset.instruction),
            "metadata": meta | FACTS | {"format": "tunix_sft"},
        }
        | answer,
        "training_example": {"id": example_id, "prompt": prompt, "response": response, "metadata": meta | origin},
        "messages": {
            "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}],
        },
        "prompt_completion": {"prompt": prompt, "completion": response},
        "stepwise": {
            "prompt": prompt,
            "completions": [step["content"] for step in row["steps"]],
            "labels": [True] * len(row["steps"]),
        },
    }


@settings(max_examples=60)
@given(st.lists(ROWS, min_size=1, max_size=6), st.sampled_from(sorted(RECIPES)), st.sampled_from(["", "Show\n\u2028"]))
def test_every_line_is_what_the_standard_library_writes(tmp_path_factory, rows, recipe, instruction):
    path = tmp_path_factory.mktemp("frozen") / "dataset.jsonl"
    path.write_text("".join(canonical_json(row) + "\n" for row in rows), encoding="utf-8", newline="")
    dataset = Dataset(recipe=recipe, instruction=instruction)
    for name, export in EXPORTS.items():
        for split in (None, *SPLITS):
            chosen = [row for row in rows if split in (None, row["split"])]
            lines = b""
            for positions, block in read_blocks(path, split, export.row_type, block_bytes=200):
                assert [rows[position] for position in positions] == chosen[: len(block)]
                agreed = [{step["i"]: {True} for step in row["steps"]} for row in chosen[: len(block)]]
                known = agreed if name == "stepwise" else [FACTS] * len(block)
                made = (export.convert(row, dataset, facts) for row, facts in zip(block, known, strict=True))
                lines += canonical_lines(list(made))
                chosen = chosen[len(block) :]
            assert not chosen
            wanted = [by_the_contract(row, dataset, FACTS)[name] for row in rows if split in (None, row["split"])]
            assert lines.decode() == "".join(canonical_json(row) + "\n" for row in wanted)


NASTY = {
    "text": '\x01\x1f\x7f\u0085\u2028\U0001f600\\"/<',
    "é": [1e2, 1.5, 1e22, -0.0, 5e-324, 0.1, 2**62, -1, True, None],
    "\ue000": {"b": {"z": 1e-7}, "a": []},
    "\U00010000": "sorted by code point, not as UTF-16",
    "created_at": "a name that the export has as well",
}


def nasty_dataset(**request):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for number, microsecond in enumerate((0, 250_000, 7)):
        text = f"{NASTY['text']} {number}"
        payload = make_payload(text, steps=[text, "two\nlines"], final_answer=text, meta=NASTY)
        store([payload], created_at=moment.replace(microsecond=microsecond))
    request = {"dataset_name": "nasty", "dataset_version": "1", "selection_strategy": "all", **request}
    return services.build_dataset(request=request, by=None)[0]


def test_facts_from_the_database_are_spelled_as_ever_whatever_the_fraction_of_the_second():
    dataset = nasty_dataset()
    stamps = [row["metadata"]["created_at"] for row in exported(dataset, "trace")]
    assert stamps == [f"2026-01-01T00:00:00.{fraction}Z" for fraction in ("000000", "000007", "250000")]
    assert [row["metadata"]["é"] for row in exported(dataset, "tunix_sft")] == [NASTY["é"]] * 3


@pytest.mark.parametrize("format", EXPORTS)
def test_the_same_dataset_gives_the_same_canonical_bytes_every_time(format):
    dataset = nasty_dataset()
    review_step(trace=Trace.objects.first(), step=0, rating=1, by=make_user())
    content = b"".join(services.export_rows(dataset, format=format))
    assert content
    assert content == b"".join(services.export_rows(dataset, format=format))
    assert content.decode() == "".join(canonical_json(json.loads(line)) + "\n" for line in content.splitlines())
    parts = {split: b"".join(services.export_rows(dataset, format=format, split=split)) for split in SPLITS}
    assert sorted(b"".join(parts.values()).splitlines()) == sorted(content.splitlines())


def test_blocks_are_some_hundred_kibibytes_and_a_row_is_never_cut():
    dataset = services.seed_dataset(key="chain-1", count=2_000)
    blocks = list(services.export_rows(dataset, format="trace"))
    assert len(blocks) > 2
    assert all(block.endswith(b"\n") and len(block) < 2**20 for block in blocks)
    assert b"".join(blocks).count(b"\n") == 2_000


# --- what the formats have to do with each other, and with what reads them ---


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_the_texts_of_every_format_are_those_of_the_rendered_turns(recipe):
    """The prompt is the rendered prefix without turn tokens, the response what follows it without the last one."""
    dataset = nasty_dataset(recipe=recipe)
    frozen = [json.loads(line) for line in dataset.rows_path.read_bytes().splitlines()]
    formats = ("training_example", "messages", "prompt_completion", "tunix_sft")
    for row, example, chat, pair, turns in zip(frozen, *(exported(dataset, name) for name in formats), strict=True):
        assert f"<start_of_turn>user\n{example['prompt']}<end_of_turn>\n<start_of_turn>model\n" == render_prompt(
            row["prompt"], dataset.instruction
        )
        assert example["response"] + "<end_of_turn>" == render_response(row, recipe)
        assert turns["prompts"] == render_prompt(row["prompt"], dataset.instruction) + render_response(row, recipe)
        assert [message["content"] for message in chat["messages"]] == [example["prompt"], example["response"]]
        assert pair == {"prompt": example["prompt"], "completion": example["response"]}


def test_a_trace_export_is_read_back_as_the_same_traces(api):
    dataset = services.seed_dataset(key="chain-1", count=30)
    before = {str(trace.pk): trace.payload for trace in Trace.objects.all()}
    content = b"".join(services.export_rows(dataset, format="trace"))
    Dataset.objects.all().delete()
    Trace.objects.all().delete()
    body = api.post("/api/traces/import", {"file": SimpleUploadedFile("rows.jsonl", content), "format": "ungar"}).json()
    assert body["stored_count"] == 30
    for trace in Trace.objects.all():
        was = before[trace.payload["meta"]["id"]]
        assert trace.prompt == was["prompt"]
        assert [step["content"] for step in trace.steps] == [step["content"] for step in was["steps"]]
        assert trace.final_answer == was["final_answer"]
        assert was["meta"].items() <= trace.payload["meta"].items()


def test_ids_of_training_examples_follow_from_trace_and_recipe_alone():
    dataset = services.seed_dataset(key="golden-v1")
    ids = [row["id"] for row in exported(dataset, "training_example")]
    assert ids == [
        str(uuid5(UUID("6f1b7c52-3c0e-5d0f-9a3e-7d2a1c9b8e41"), f"{row['id']}:trace_sft_v1"))
        for row in exported(dataset, "trace")
    ]


def test_parquet_is_not_lines_and_the_refusal_says_where_it_is(api, dataset):
    answer = api.get(f"/api/datasets/{dataset.key}/export.jsonl?format=parquet")
    assert answer.status_code == 422
    assert "export.zip" in answer.json()["detail"]
    assert "--format parquet" in answer.json()["detail"]
