"""The UNGAR bridge, against episodes that the real package played, and against the package where it is installed."""

import importlib
import json
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from tests.factories import NOBODY, make_trace
from tests.needs import ROOT, UNGAR_REPLAY
from traces import ungar
from traces.models import Trace
from training.judges import number
from training.problems import PROBLEMS
from training.schema import read_trace
from training.splits import group_of
from tunixrt.lib.errors import NotInstalled, Unavailable

RECORDED = [json.loads(line) for line in (ROOT / "tests/fixtures/ungar/high_card_duel.jsonl").read_text().splitlines()]
FIRST = RECORDED[0]["seed"]
RESULTS = {1.0: "win", -1.0: "loss", 0.0: "tie"}
GENERATE, EXPORT = "/api/ungar/high-card-duel/generate", "/api/ungar/high-card-duel/export.jsonl"


@pytest.fixture
def forgotten(monkeypatch):
    """Whatever `ungar` was imported before or is imported meanwhile, nobody remembers it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "ungar"]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "ungar"]:
        del sys.modules[name]


@pytest.fixture
def replay(forgotten, monkeypatch):
    """The recording in UNGAR's place."""
    monkeypatch.syspath_prepend(str(UNGAR_REPLAY))


@pytest.fixture
def absent(forgotten, monkeypatch):
    monkeypatch.setitem(sys.modules, "ungar", None)


def post(api, body):
    return api.post(GENERATE, json.dumps(body), content_type="application/json")


def exported(api, query=""):
    response = api.get(EXPORT + query)
    assert response.status_code == 200, response.json()
    return [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]


# --- an episode as a trace ---


def test_the_trace_of_an_episode_is_as_the_contract_says(replay):
    (trace,) = ungar.traces_of(task="reveal", count=1, seed=42)
    assert trace == {
        "trace_version": "1.0",
        "prompt": "High Card Duel: You have 1 hidden card. Action: reveal.",
        "steps": [
            {"i": 0, "type": "legal_moves", "content": "Legal moves: [reveal]"},
            {"i": 1, "type": "observation", "content": "My hand: TS"},
            {"i": 2, "type": "unseen", "content": "Unseen cards: 51"},
            {"i": 3, "type": "decision", "content": "Action chosen: reveal"},
        ],
        "final_answer": "reveal",
        "meta": {
            "source": "ungar",
            "game": "high_card_duel",
            "episode_index": 0,
            "my_card": "TS",
            "opponent_card": "JH",
            "result": "loss",
            "seed": 42,
        },
    }


@pytest.mark.parametrize("task", ungar.TASKS)
def test_every_recorded_episode_becomes_a_trace_with_its_cards_and_result(replay, task):
    traces = list(ungar.traces_of(task=task, count=len(RECORDED), seed=FIRST))
    for index, (row, trace) in enumerate(zip(RECORDED, traces, strict=True)):
        meta = trace["meta"]
        assert read_trace(trace) == trace
        assert (meta["seed"], meta["episode_index"]) == (row["seed"], index)
        assert (meta["my_card"], meta["opponent_card"]) == (row["my_card"], row["opponent_card"])
        assert meta["result"] == RESULTS[row["rewards"][0]]
        assert "?" not in json.dumps(trace).replace("you win?", "")
    assert {trace["meta"]["result"] for trace in traces} == {"win", "loss", "tie"}


def test_the_known_episodes(replay):
    found = [trace["meta"] for trace in ungar.traces_of(task="reveal", count=3, seed=42)]
    cards = [(meta["seed"], meta["my_card"], meta["opponent_card"], meta["result"]) for meta in found]
    assert cards == [(42, "TS", "JH", "loss"), (43, "2H", "QH", "loss"), (44, "AH", "5S", "win")]


def test_the_odds_are_reasoned_in_steps_that_can_be_checked(replay):
    order = "23456789TJQKA"
    for trace in ungar.traces_of(task="odds", count=len(RECORDED), seed=FIRST):
        assert all(check.ok for check in PROBLEMS[trace["meta"]["problem"]].check(trace))
        lower = 4 * order.index(trace["meta"]["my_card"][0])
        assert number(trace["final_answer"]) == Fraction(lower, 51)


def test_odds_of_the_same_rank_are_twins(replay):
    traces = {trace["meta"]["my_card"]: trace for trace in ungar.traces_of(task="odds", count=40, seed=FIRST)}
    groups = {card: group_of(trace) for card, trace in traces.items()}
    assert len(groups) > 20
    assert all((groups[one] == groups[other]) == (one[0] == other[0]) for one in groups for other in groups)


def card(rank: str, suit: str = "SPADES"):
    return SimpleNamespace(rank=SimpleNamespace(name=rank), suit=SimpleNamespace(name=suit))


TEN, JACK, ACE = card("TEN"), card("JACK"), card("ACE")


def episode(mine=(TEN,), theirs=(JACK,), rewards=(-1.0, 1.0)):
    """What UNGAR would hand over, with whatever is wrong in it."""
    planes = {"my_hand": mine, "opponent_hand": theirs}
    tensor = SimpleNamespace(cards_in_plane=planes.__getitem__)
    move = SimpleNamespace(name="reveal")
    state = SimpleNamespace(to_tensor=lambda player: tensor, legal_moves=lambda: [move])
    return SimpleNamespace(states=[state, state], moves=[move], rewards=rewards)


@pytest.mark.parametrize(
    ("played", "reason"),
    [
        (episode(mine=()), "my_hand holds 0 cards instead of one"),
        (episode(theirs=()), "opponent_hand holds 0 cards instead of one"),
        (episode(mine=(TEN, ACE)), "my_hand holds 2 cards instead of one"),
        (episode(mine=(card("JOKER"),)), "JOKER"),
        (episode(mine=(card("TEN", "STARS"),)), "STARS"),
        (episode(rewards=(1.0, -1.0)), "TS against JS is no win"),
        (episode(rewards=()), "index out of range"),
        (SimpleNamespace(states=[None]), "no attribute"),
        (SimpleNamespace(states=[]), "index out of range"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_a_gap(played, reason):
    assert ungar.read_episode(lambda seed: episode(), 7).my_card == "TS"
    with pytest.raises(Unavailable) as caught:
        ungar.read_episode(lambda seed: played, 7)
    assert "UNGAR's episode of seed 7 cannot be read" in caught.value.detail
    assert reason in caught.value.detail
    assert ungar.COMMIT in caught.value.detail


def test_without_ungar_the_install_line_is_told_before_the_first_row(absent):
    with pytest.raises(NotInstalled, match="--no-deps"):
        ungar.traces_of(task="reveal", count=1, seed=0)


def test_another_ungar_than_the_one_that_fits_is_not_taken_for_it(forgotten, monkeypatch, tmp_path):
    (tmp_path / "ungar").mkdir()
    (tmp_path / "ungar" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ungar.version() is None


def test_tunixrt_starts_without_importing_ungar():
    code = (
        "import django, os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'tunixrt.settings'; django.setup();"
        f"sys.path.insert(0, {str(UNGAR_REPLAY)!r}); import tunixrt.urls, traces.management.commands.generate_traces;"
        "assert 'ungar' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- the API ---


def test_the_status_says_what_is_there_and_how_to_install_it(api, replay):
    answer = api.get("/api/ungar/status")
    assert (answer.status_code, answer.json()["available"], answer.json()["version"]) == (200, True, "recording")
    assert ungar.COMMIT in answer.json()["install"]


def test_without_ungar_status_and_generate_say_so(api, absent):
    status = api.get("/api/ungar/status")
    assert (status.status_code, status.json()["available"], status.json()["version"]) == (200, False, None)
    answer = post(api, {"count": 5})
    assert (answer.status_code, answer.json()["code"]) == (501, "not_installed")
    assert status.json()["install"] in answer.json()["detail"]


def test_episodes_are_played_kept_and_shown(api, replay, user):
    answer = post(api, {"count": 3, "seed": 42})
    body = answer.json()
    assert answer.status_code == 201
    assert [row["trace_id"] for row in body["preview"]] == body["trace_ids"]
    assert (body["seed"], body["task"]) == (42, "reveal")
    first = body["preview"][0]
    assert (first["my_card"], first["opponent_card"], first["result"]) == ("TS", "JH", "loss")
    assert first["steps"][1] == "My hand: TS"
    trace = Trace.objects.get(pk=body["trace_ids"][0])
    assert (trace.created_by, trace.source, trace.payload["meta"]["seed"]) == (user, "ungar", 42)


def test_an_episode_is_stored_once_however_it_was_asked_for(api, replay):
    first = post(api, {"count": 3, "seed": 42}).json()["trace_ids"]
    assert post(api, {"count": 3, "seed": 42}).json()["trace_ids"] == first
    assert post(api, {"count": 2, "seed": 43}).json()["trace_ids"] == first[1:]
    assert Trace.objects.count() == 3
    post(api, {"count": 3, "seed": 42, "task": "odds"})
    assert Trace.objects.count() == 6


def test_different_episodes_with_the_same_card_are_different_traces(api, replay):
    post(api, {"count": len(RECORDED), "seed": FIRST})
    assert len({row["my_card"] for row in RECORDED}) < len(RECORDED) == Trace.objects.count()


def test_episodes_can_be_seen_without_being_kept(api, replay):
    body = post(api, {"count": 2, "seed": 42, "persist": False, "task": "odds"}).json()
    assert body["trace_ids"] == []
    assert [row["trace_id"] for row in body["preview"]] == [None, None]
    assert body["preview"][0]["final_answer"] == "32/51"
    assert not Trace.objects.exists()


def test_a_seed_that_is_not_given_is_drawn_and_told(api, replay, monkeypatch, tmp_path):
    (tmp_path / "episodes.jsonl").write_text(json.dumps(RECORDED[0] | {"seed": 0}))
    monkeypatch.setenv("UNGAR_RECORDING", str(tmp_path / "episodes.jsonl"))
    monkeypatch.setattr("traces.services.episodes.DRAWN_SEEDS", 1)  # the recording must hold what is drawn
    body = post(api, {"count": 1}).json()
    assert body["seed"] == body["preview"][0]["seed"] == 0


def test_an_episode_that_cannot_be_played_leaves_nothing_behind(api, replay):
    answer = post(api, {"count": 10, "seed": RECORDED[-1]["seed"] - 4})
    assert (answer.status_code, answer.json()["code"]) == (503, "unreadable_episode")
    assert not Trace.objects.exists()


@pytest.mark.parametrize(
    ("body", "loc", "code"),
    [
        ({}, "count", "missing_field"),
        ({"count": None}, "count", "missing_field"),
        ({"count": 0}, "count", "number_out_of_range"),
        ({"count": 101}, "count", "number_out_of_range"),
        ({"count": 1.0}, "count", "wrong_type"),
        ({"count": True}, "count", "wrong_type"),
        ({"count": "5"}, "count", "wrong_type"),
        ({"count": 1, "seed": -1}, "seed", "number_out_of_range"),
        ({"count": 1, "seed": 2**63 - 1}, "seed", "number_out_of_range"),
        ({"count": 1, "seed": "x"}, "seed", "wrong_type"),
        ({"count": 1, "task": "bluff"}, "task", "unknown_value"),
        ({"count": 1, "task": ["odds"]}, "task", "unknown_value"),
        ({"count": 1, "persist": "no"}, "persist", "wrong_type"),
        ({"count": 1, "cards": 2}, "cards", "unknown_field"),
    ],
)
def test_a_wrong_request_is_told_by_field(api, replay, body, loc, code):
    answer = post(api, body)
    assert answer.status_code == 422
    assert [(error["loc"], error["type"]) for error in answer.json()["errors"]] == [([loc], code)]
    assert not Trace.objects.exists()


def test_generating_needs_a_login(client, db):
    assert client.post(GENERATE, "{}", content_type="application/json").status_code == 401
    assert client.get(EXPORT).status_code == 401


# --- the export ---


@pytest.fixture
def kept(api, replay):
    """Three episodes of each task, oldest first, among other traces."""
    make_trace(meta={"source": "ungar"})
    make_trace(meta={"game": "high_card_duel", "source": "elsewhere"})
    return [id for task in ungar.TASKS for id in post(api, {"count": 3, "seed": 42, "task": task}).json()["trace_ids"]]


def test_the_export_has_the_rows_of_the_trace_export(api, kept):
    rows = {row["id"]: row for row in exported(api)}
    assert set(rows) == set(kept)
    trace = Trace.objects.get(pk=kept[0])
    assert rows[kept[0]] == {
        "id": kept[0],
        "prompts": "High Card Duel: You have 1 hidden card. Action: reveal.",
        "trace_steps": ["Legal moves: [reveal]", "My hand: TS", "Unseen cards: 51", "Action chosen: reveal"],
        "final_answer": "reveal",
        "metadata": trace.payload["meta"]
        | {"created_at": f"{trace.created_at:%Y-%m-%dT%H:%M:%S.%fZ}", "trace_version": "1.0"},
    }


def test_the_export_is_newest_first_and_can_be_narrowed(api, kept):
    everything = [row["id"] for row in exported(api)]
    assert set(everything[:3]) == set(kept[3:])
    assert [row["id"] for row in exported(api, "?limit=2")] == everything[:2]
    some = f"?trace_ids={kept[0]},{kept[4]}"
    assert {row["id"] for row in exported(api, some)} == {kept[0], kept[4]}
    assert len(exported(api, some + "&limit=1")) == 1


def test_the_export_needs_no_ungar_and_asks_for_no_accept_header(api, kept, monkeypatch):
    monkeypatch.setitem(sys.modules, "ungar", None)
    response = api.get(EXPORT, headers={"accept": "application/x-ndjson"})
    assert response["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert len(b"".join(response.streaming_content).splitlines()) == 6


def test_what_is_exported_is_read_back_as_the_same_content(api, kept):
    file = SimpleUploadedFile("episodes.jsonl", b"".join(api.get(EXPORT).streaming_content))
    body = api.post("/api/traces/import", {"file": file, "format": "ungar"}).json()
    assert (body["stored_count"], body["duplicate_count"]) == (0, 6)


def test_an_export_of_nothing_is_empty(api):
    assert exported(api) == []


def test_the_export_reads_rows_as_they_are_asked_for(api, kept, django_assert_num_queries):
    with django_assert_num_queries(3):  # token and person, then the rows
        exported(api)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=1000001", "trace_ids=", "trace_ids=7", f"trace_ids={NOBODY}", "format=trace"],
)
def test_a_wrong_export_is_refused_by_name(api, kept, query):
    answer = api.get(f"{EXPORT}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, [query.split("=")[0]])


def test_a_trace_of_something_else_is_not_exported(api, db):
    answer = api.get(f"{EXPORT}?trace_ids={make_trace().pk}")
    assert (answer.status_code, answer.json()["errors"][0]["type"]) == (422, "unknown_trace")


# --- the page ---


def test_the_page_without_ungar_says_how_to_install_it(client_in, absent):
    page = client_in.get("/traces/ungar/")
    assert page.status_code == 200
    assert ungar.COMMIT in page.content.decode()
    assert "<form class" not in page.content.decode()
    assert client_in.get("/traces/ungar/?count=3&task=odds").status_code == 501


def test_the_page_shows_episodes_and_keeps_them_when_told(client_in, replay):
    address = "/traces/ungar/?count=3&seed=42&task=odds"
    page = client_in.get(address).content.decode()
    assert all(
        text in page for text in ("TS", "JH", "loss", "win", "Unseen: 52-1=51, chance 32/51", "Keep these traces")
    )
    assert not Trace.objects.exists()
    kept = client_in.post("/traces/ungar/", {"count": "3", "seed": "42", "task": "odds"})
    assert (kept.status_code, kept.url) == (302, address)
    page = client_in.get(address).content.decode()
    assert all(f"/traces/{trace.pk}/" in page for trace in Trace.objects.all())
    assert "All 3 are kept" in page
    assert "Keep these" not in page


def test_the_page_draws_a_seed_into_the_address(client_in, replay):
    answer = client_in.get("/traces/ungar/?count=3&seed=&task=reveal")
    assert answer.status_code == 302
    assert "count=3&seed=" in answer.url


def test_the_page_says_what_is_wrong(client_in, replay):
    page = client_in.get("/traces/ungar/?count=0&seed=42&task=odds")
    assert (page.status_code, "greater than or equal to 1" in page.content.decode()) == (422, True)
    page = client_in.get("/traces/ungar/?count=1&seed=1000&task=odds")
    assert (page.status_code, "cannot be read" in page.content.decode()) == (503, True)


def test_htmx_gets_the_panel_alone_and_its_faults_too(client_in, replay):
    for query in ("", "?count=3&seed=42&task=reveal", "?count=0&task=odds"):
        answer = client_in.get(f"/traces/ungar/{query}", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert answer.content.lstrip().startswith(b'<section id="ungar"')


def test_the_page_needs_a_login(client, db):
    assert client.get("/traces/ungar/").status_code == 302


# --- the command ---


def test_the_command_generates_by_task(db, replay, capsys):
    for new in (3, 0):
        call_command("generate_traces", "ungar:odds", "--count", "3", "--seed", "42", "--json")
        answer = json.loads(capsys.readouterr().out)
        assert answer == {"problem": "ungar:odds", "seed": 42, "count": 3, "new": new}
    assert Trace.objects.filter(source="ungar").count() == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ungar:odds", "--count", "0", "--seed", "1"), "invalid"),
        (("ungar:odds", "--count", "1", "--seed", "42", "--difficulty", "3"), "invalid"),
        (("ungar:odds", "--count", "1", "--seed", "7"), "unreadable_episode"),
        (("ungar:bluff", "--count", "1", "--seed", "1"), "invalid"),
    ],
)
def test_the_command_says_what_is_wrong(db, replay, capsys, arguments, code):
    with pytest.raises(SystemExit) as stop:
        call_command("generate_traces", *arguments, "--json")
    assert (stop.value.code, json.loads(capsys.readouterr().out)["code"]) == (1, code)


def test_the_command_without_ungar_tells_the_install_line(db, absent, capsys):
    with pytest.raises(SystemExit):
        call_command("generate_traces", "ungar:reveal", "--count", "1", "--seed", "1")
    assert ungar.INSTALL in capsys.readouterr().err


# --- the real package ---


@pytest.mark.ungar
@pytest.mark.parametrize("task", ungar.TASKS)
def test_ungar_itself_plays_what_was_recorded(forgotten, task):
    importlib.invalidate_caches()
    traces = ungar.traces_of(task=task, count=len(RECORDED), seed=FIRST)
    for row, trace in zip(RECORDED, traces, strict=True):
        meta = trace["meta"]
        assert (meta["my_card"], meta["opponent_card"]) == (row["my_card"], row["opponent_card"])
        assert meta["result"] == RESULTS[row["rewards"][0]]
    assert ungar.version() not in (None, "recording")
