"""What a build would make, before it is made: on the page, over HTTP, from the command line."""

import json
import re
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from datasets_app import services
from datasets_app.histograms import histogram
from datasets_app.models import Dataset
from datasets_app.selection import matching
from datasets_app.services import previews
from tests.factories import make_payload, make_trace, make_traces, store
from traces.models import Trace
from traces.services import score_traces
from tunixrt.lib.errors import Rule

pytestmark = pytest.mark.django_db
NAMED = {"dataset_name": "set", "dataset_version": "1"}
FORM = NAMED | {"selection_strategy": "latest", "recipe": "trace_sft_v1"}


def preview(**request):
    return services.preview_build(request=NAMED | request)


def typed(client, **fields) -> str:
    """The fragment that comes while a person types."""
    response = client.post("/datasets/build/preview/", FORM | fields)
    assert response.status_code == 200
    return response.content.decode()


def make(number: int, start: int = 0, **payload):
    return store([make_payload(f"What is 7 × {i}?", **payload) for i in range(start, start + number)])


# The service


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=50))
def test_bins_stand_side_by_side_and_count_every_number(numbers):
    bins = histogram(numbers)
    assert len(bins) <= 12
    assert all(left.high + 1 == right.low for left, right in pairwise(bins))
    assert [bin.rows for bin in bins] == [sum(bin.low <= number <= bin.high for number in numbers) for bin in bins]
    assert sum(bin.rows for bin in bins) == len(numbers)


def test_no_number_makes_no_bin():
    assert histogram([]) == []


def test_a_preview_counts_takes_draws_and_stores_nothing(home):
    make(5, meta={"source": "a"}, steps=1), make(3, 5, meta={"source": "b"}, steps=4)
    shown = preview(limit=6)
    assert (shown.count.number, shown.count.is_more, shown.taken, shown.sampled) == (8, False, 6, 6)
    assert shown.categories == {"a": 3, "b": 3}
    assert [(bin.low, bin.rows) for bin in shown.steps if bin.rows] == [(1, 3), (4, 3)]
    assert sum(bin.rows for bin in shown.lengths) == 6
    assert not Dataset.objects.exists()
    assert not (home / "datasets").exists()


def test_a_preview_of_nothing_is_empty():
    shown = preview(filters={"source": "nowhere"})
    assert (shown.taken, shown.examples, shown.gates, shown.categories) == (0, [], [], {})


def test_a_preview_takes_what_the_build_takes():
    make(30, meta={"level": "easy"}), make(10, 30, meta={"level": "hard"})
    request = {"stratify_by": "level", "quotas": "equal", "limit": 9, "seed": 5}
    shown = preview(**request)
    dataset, _ = services.build_dataset(request=NAMED | request, by=None)
    assert {trace.pk for trace in shown.examples} <= set(dataset.items.values_list("trace_id", flat=True))
    assert shown.categories == {"easy": 4, "hard": 5} or shown.categories == {"easy": 5, "hard": 4}
    assert shown.taken == dataset.trace_count == 9


def test_gates_look_at_a_sample_with_the_length_and_the_actions_that_are_asked_for():
    make(3), make_trace("What is it? " * 200)
    found = {gate["gate"]: gate for gate in preview(max_length=64, gates={"answer_fits": "refuse"}).gates}
    assert found["answer_fits"]["count"] >= 1
    assert found["answer_fits"]["action"] == "refuse"
    assert found["empty_steps"]["result"] == "passed"
    assert "findings" not in found["answer_fits"]


def test_the_sample_is_bounded_in_rows_and_characters(monkeypatch):
    make(20)
    monkeypatch.setattr(previews, "SAMPLE", 5)
    assert preview().sampled == 5
    monkeypatch.setattr(previews, "SAMPLE_CHARACTERS", 1)
    assert preview().sampled == 1


def test_many_sources_are_counted_together():
    for source in range(8):
        make(8 - source, 10 * source, meta={"source": f"s{source}"})
    assert preview().categories == {"s0": 8, "s1": 7, "s2": 6, "s3": 5, "s4": 4, "s5": 3, "2 others": 3}


@pytest.mark.parametrize(
    ("request_part", "taken", "is_drawn"),
    [
        ({"limit": 4}, 4, True),
        ({"limit": 9}, 9, False),
        ({"selection_strategy": "random", "limit": 3}, 3, False),
        ({"stratify_by": "level", "quotas": {"easy": 3, "hard": 9}}, 5, False),
        ({"mix": [{"filters": {"level": "hard"}, "weight": 1}, {"filters": {}, "weight": 1}], "limit": 6}, 5, False),
        ({"mix": [{"filters": {"level": "hard"}, "weight": 1}] * 2, "limit": 6}, 2, True),
    ],
)
def test_where_drawing_takes_long_a_glimpse_of_what_matches_stands_in(monkeypatch, request_part, taken, is_drawn):
    make(8, meta={"level": "easy"}), make(2, 8, meta={"level": "hard"})
    monkeypatch.setattr(previews, "LOOKED_AT", 5)
    shown = preview(**request_part)
    assert (shown.taken, shown.is_drawn) == (taken, is_drawn)
    assert shown.sampled > 0
    assert shown.sampled == sum(bin.rows for bin in shown.lengths)


# The page


def test_what_would_be_taken_is_shown_while_typing(client_in):
    make_traces(5, meta={"source": "mine"})
    make_trace("one other")
    fragment = typed(client_in, source="mine", limit="2", dataset_name="")
    assert "2 rows would be taken" in fragment
    assert "5 traces match" in fragment
    assert fragment.count("<svg") == 3
    assert "<html" not in fragment
    assert "1 row would be taken" in typed(client_in, q="other")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"min_score": "high"}, "min_score", "must be a number"),
        ({"filters": "colour=red"}, "filters", "is not a parameter here"),
        ({"filters": "steps.min=x"}, "filters", "must be a whole number"),
        ({"limit": "0"}, "limit", "must lie between"),
        ({"limit": "many"}, "limit", "must be a whole number"),
        ({"seed": "-1"}, "seed", "must lie between"),
        ({"max_length": "7"}, "max_length", "must lie between"),
        ({"recipe": "none"}, "recipe", "Select a valid choice"),
        ({"instruction": "x" * 10_001}, "instruction", "at most 10000"),
        ({"gate_answer_fits": "stop"}, "gate_answer_fits", "Select a valid choice"),
        ({"dataset_name": "../x"}, "dataset_name", "cannot be a name on disk"),
        ({"selection_strategy": "stratified"}, "stratify_by", "names no field"),
        ({"selection_strategy": "stratified", "stratify_by": "level", "quotas": "fair"}, "quotas", "whole number"),
        ({"selection_strategy": "stratified", "stratify_by": "level", "quotas": "easy = x"}, "quotas", "whole number"),
        ({"selection_strategy": "stratified", "stratify_by": "level", "quotas": "x = 1"}, "quotas", "is no value"),
        ({"selection_strategy": "mix"}, "mix_0_traces", "2 to 20"),
        ({"selection_strategy": "mix", "mix_1_weight": "x", "mix_2_weight": "1"}, "mix_1_weight", "must be a number"),
        ({"selection_strategy": "mix", "mix_0_weight": "1", "mix_2_traces": "x=1"}, "mix_2_traces", "not a parameter"),
        ({"selection_strategy": "mix", "mix_0_weight": "1", "mix_2_traces": "a-1"}, "mix_2_weight", "is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field_while_typing_and_after(client_in, fields, field, words):
    make_trace(meta={"level": "easy"})
    fragment = typed(client_in, **fields)
    assert "No preview yet" in fragment
    beside = fragment.partition(f'<div id="id_{field}_faults"')[2].partition("</div>")[0]
    assert words in beside
    page = client_in.post("/datasets/build/", FORM | fields).content.decode()
    assert words in page.partition(f'<div id="id_{field}_faults"')[2].partition("</div>")[0]
    assert not Dataset.objects.exists()


def test_faults_that_belong_to_no_field_are_shown_too(client_in):
    make_trace()
    assert "must be a uuid" in typed(client_in, parent_dataset_id="x")
    assert "must be a uuid" in client_in.post("/datasets/build/", FORM | {"parent_dataset_id": "x"}).content.decode()


def test_strata_and_parts_are_shown_as_asked_and_taken(client_in):
    make(6, meta={"level": "easy", "source": "a"}), make(2, 6, meta={"level": "<b>", "source": "b"})
    strata = typed(client_in, selection_strategy="stratified", stratify_by="level", quotas="easy = 3\n<b> = 5")
    assert "5 rows would be taken" in strata
    assert "&lt;b&gt;" in strata
    assert "<b>" not in strata
    parts = {"mix_0_traces": "source=a", "mix_0_weight": "0.5", "mix_2_traces": "", "mix_2_weight": ".5"}
    mixed = typed(client_in, selection_strategy="mix", limit="4", **parts)
    assert "part 2" not in mixed.partition("<table>")[0]
    assert "4 rows would be taken" in mixed


def test_the_form_builds_strata_and_mixes_and_says_how_rows_are_taught(client_in):
    make(6, meta={"level": "easy"}), make(2, 6, meta={"level": "hard = 1"})
    fields = {"selection_strategy": "stratified", "stratify_by": "level", "quotas": "easy = 3\r\nhard = 1 = 1\r\n"}
    taught = {"max_length": "512", "gate_empty_steps": "refuse", "instruction": "Two\r\nlines", "seed": "7"}
    client_in.post("/datasets/build/", FORM | fields | taught)
    request = Dataset.objects.get().request
    assert request["quotas"] == {"easy": 3, "hard = 1": 1}
    assert (request["max_length"], request["gates"]) == (512, {"empty_steps": "refuse"})
    assert (request["instruction"], request["seed"]) == ("Two\nlines", 7)
    parts = {"mix_0_traces": "set-1", "mix_0_weight": "3", "mix_2_traces": "meta.level=easy", "mix_2_weight": "1"}
    client_in.post("/datasets/build/", FORM | parts | {"selection_strategy": "mix", "dataset_version": "2"})
    assert Dataset.objects.get(version="2").request["mix"] == [
        {"name": "part 1", "dataset_key": "set-1", "weight": 3},
        {"name": "part 2", "filters": {"meta.level": "easy"}, "weight": 1},
    ]


@pytest.mark.parametrize(
    "request_part",
    [
        {"filters": {"source": "a", "level": "3", "score.baseline.min": 1.5}, "selection_strategy": "all", "limit": 7},
        {"stratify_by": "level", "quotas": {"null": 2, '"3"': 1}, "seed": 3, "gates": {"emails": "refuse"}},
        {"mix": [{"filters": {"source": "a"}, "weight": 0.25}, {"filters": {}, "weight": 3}], "max_length": 64},
        {"instruction": "", "recipe": "answer_only_v1"},
    ],
)
def test_the_next_version_is_filled_in_with_what_the_last_was_built_with(client_in, request_part):
    make(4, meta={"source": "a", "level": "3"}), make(4, 4, meta={"source": "a"})
    score_traces(traces=Trace.objects.all(), by=None)
    first, _ = services.build_dataset(request=NAMED | request_part, by=None)
    page = client_in.get(f"/datasets/build/?parent={first.key}")
    form = page.context["form"]
    posted = {field.html_name: field.value() for field in form if field.value() not in (None, False)}
    assert (posted["dataset_name"], posted["dataset_version"]) == ("set", "2")
    response = client_in.post("/datasets/build/", posted)
    assert response["Location"] == "/datasets/set-2/", response.content.decode()
    second = Dataset.objects.get(version="2")
    assert second.parent == first
    differing = {name for name in first.request if first.request[name] != second.request[name]}
    assert differing - {"filters"} == {"dataset_version", "parent_dataset_id"}
    assert matching(second.request["filters"]).count() == matching(first.request["filters"]).count()


def test_a_version_that_is_taken_is_not_suggested(client_in):
    make_trace()
    for version in ("1.9", "1.10"):
        services.build_dataset(request=NAMED | {"dataset_version": version}, by=None)
    assert b'value="1.11"' in client_in.get("/datasets/build/?parent=set-1.9").content
    assert client_in.get("/datasets/build/?parent=set-7").status_code == 404


def test_what_a_gate_refused_is_built_again_from_its_page(client_in):
    make_traces(2, steps=["..."])
    with pytest.raises(Rule):
        services.build_dataset(request=NAMED | {"gates": {"empty_steps": "refuse"}}, by=None)
    address = "/datasets/build/?parent=set-1"
    assert client_in.get("/datasets/set-1/").content.decode().count(address) == 2
    form = client_in.get(address).context["form"]
    posted = {field.html_name: field.value() for field in form if field.value() not in (None, False)}
    assert (posted["dataset_version"], posted["gate_empty_steps"]) == ("1", "refuse")
    client_in.post("/datasets/build/", posted | {"gate_empty_steps": "warn"})
    assert Dataset.objects.get().status == "frozen"


def test_without_scripts_buttons_look_and_make_room(client_in):
    make_traces(2)
    looked = client_in.post("/datasets/build/", FORM | {"preview": "yes"}).content.decode()
    assert "2 rows would be taken" in looked
    fields = FORM | {"selection_strategy": "mix", "mix_1_traces": "tag=a&b", "add_part": "yes", "limit": "x"}
    more = client_in.post("/datasets/build/", fields).content.decode()
    assert 'name="mix_3_traces"' in more
    assert "tag=a&amp;b" in more
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("name", ["mix_99_weight", "mix_1000000_weight", "mix_٣_weight", "mix_-1_weight"])
def test_nobody_makes_the_form_grow_without_end(client_in, name):
    page = client_in.post("/datasets/build/", FORM | {name: "1", "add_part": "yes"}).content.decode()
    assert len(re.findall(r'name="mix_[0-9]+_weight"', page)) <= 20


# API and command


def post(api, **body):
    return api.post("/api/datasets/build", json.dumps(NAMED | body), content_type="application/json")


def test_a_dry_run_answers_the_preview_and_stores_nothing(api):
    make(4, meta={"level": "easy"})
    response = post(api, dry_run=True, stratify_by="level", limit=3)
    body = response.json()
    assert (response.status_code, body["count"], body["taken"]) == (200, 4, 3)
    assert body["shares"] == [{"value": "easy", "rows": 4, "asked": 3, "taken": 3}]
    assert set(body["examples"][0]) == {"id", "trace_version", "prompt", "steps", "final_answer", "meta"}
    assert not Dataset.objects.exists()
    assert post(api, dry_run=False).status_code == 201


@pytest.mark.parametrize("value", [None, 1, "true", []])
def test_dry_run_is_true_or_false(api, value):
    response = post(api, dry_run=value)
    assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, ["dry_run"])


def test_a_dry_run_refuses_what_a_build_refuses(api):
    make_trace()
    for body in ({"limit": 0}, {"mix": []}, {"quotas": {}}, {"gates": {"x": "warn"}}, {"stratify_by": 3}):
        looked, built = post(api, dry_run=True, **body), post(api, **body)
        assert looked.status_code == built.status_code == 422
        assert looked.json()["errors"] == built.json()["errors"]


def run(*arguments) -> str:
    out = StringIO()
    call_command("build_dataset", "set", "1", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_looks_first_and_takes_every_option(tmp_path):
    make(6, meta={"level": "easy", "source": "a"}), make(2, 6, meta={"level": "hard"})
    shown = run("--stratify-by", "level", "--quotas", '{"easy": 2, "hard": 3}', "--dry-run")
    assert "4 rows would be taken of 8 that match" in shown
    assert "hard: 2 taken, 3 asked, 2 there" in shown
    assert not Dataset.objects.exists()
    taught = ("--max-length", "512", "--gate", "empty_steps=refuse", "--instruction", "", "--session-id", "s")
    made = json.loads(run("--filter", "source=a", "--filter", "steps.min=1", "--limit", "3", *taught, "--json"))
    assert (made["trace_count"], made["max_length"], made["instruction"]) == (3, 512, "")
    file = tmp_path / "mix.json"
    file.write_text('[{"dataset_key": "set-1", "weight": 1}, {"filters": {"level": "hard"}, "weight": 1}]')
    out = StringIO()
    call_command("build_dataset", "set", "2", "--mix", str(file), "--parent", "set-1", "--limit", "6", stdout=out)
    assert "set-2: frozen, 5 rows" in out.getvalue()
    assert "part 2: 2 taken, 3 asked, 2 there" in out.getvalue()
    assert Dataset.objects.get(version="2").parent.key == "set-1"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--filter", "source"),
        ("--filter", "colour=red"),
        ("--gate", "empty_steps"),
        ("--gate", "empty_steps=stop"),
        ("--quotas", "fair", "--stratify-by", "level"),
        ("--quotas", "{", "--stratify-by", "level"),
        ("--mix", "no/such/file"),
        ("--mix", "[1"),
        ("--mix", "[]"),
        ("--mix", "a\0b"),
        ("--parent", "none-1"),
        ("--provenance", "[]"),
        ("--max-length", "1"),
    ],
)
def test_the_command_fails_with_a_sentence_and_one(arguments, capsys):
    make_trace()
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 1
    assert capsys.readouterr().err.strip()
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["source=a%26b", "q=seven+7", "tag=x", "meta.level=%223%22", "steps.min=2&characters.max=500", "twin.is=false",
     "min_score=1", "score.baseline%401.min=1.5", "wrong.arithmetic=false", "review.is=unreviewed",
     "created_after=2020-01-31", "scorers.disagree=false"],
)  # fmt: skip
def test_what_the_page_of_traces_finds_the_build_page_takes(client_in, address):
    make(3, meta={"source": "a&b", "tags": ["x"], "level": "3"}), make(2, 3, meta={"level": 3}, steps=1)
    make_trace("seven of 7")
    for scorer in ("baseline", "arithmetic"):
        score_traces(traces=Trace.objects.all(), scorer=scorer, by=None)
    found = client_in.get(f"/traces/?{address}").context["total"].number
    sent = client_in.post(f"/traces/bulk/?{address}", {"all": "yes", "do": "dataset"})
    form = client_in.get(sent["Location"]).context["form"]
    assert f"{found} trace" in typed(client_in, filters=form["filters"].value())


def test_ticked_traces_go_to_the_build_page_by_a_tag_of_their_own(client_in):
    chosen = make(3)[:2]
    sent = client_in.post("/traces/bulk/", {"id": [str(trace.pk) for trace in chosen], "do": "dataset"})
    form = client_in.get(sent["Location"]).context["form"]
    assert "2 traces match" in typed(client_in, filters=form["filters"].value())
