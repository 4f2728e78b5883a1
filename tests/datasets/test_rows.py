"""The rows of a dataset: browsed, read one at a time, and seen as the model sees them."""

import json
from html.parser import HTMLParser
from io import StringIO

import pytest
from django.core.management import call_command

from datasets_app import services, tokenizers
from datasets_app.models import Dataset
from datasets_app.rows import read_lines
from tests.factories import make_payload, make_traces, store
from training.plan import prepare
from training.renderers import RECIPES, render, render_prompt
from training.splits import group_of, split_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
CHAIN = "/datasets/chain-t/rows/"


@pytest.fixture
def chain() -> Dataset:
    return services.seed_dataset(key="chain-t", count=60)


def build(payloads: list[dict], **request) -> Dataset:
    """A dataset of these traces, in their order."""
    store(payloads)
    asked = {"dataset_name": "set", "dataset_version": "1", "selection_strategy": "all", **request}
    return services.build_dataset(request=asked, by=None)[0]


def positions(page: str) -> list[int]:
    """The rows of a list, by their links."""
    parts = page.split("/rows/")[1:]
    return [int(part.split("/")[0]) for part in parts if part.split("/")[0].isdigit()]


def page(client, path: str, status: int = 200, **headers) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == status
    return response.content.decode()


class Tokens(HTMLParser):
    """The text of the first part that shows tokens, without marks and without what is for screen readers."""

    def __init__(self, html: str):
        super().__init__()
        self.inside, self.skipped, self.text = 0, 0, ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.inside += ("class", "tokens") in attrs and tag == "p"
        self.skipped += tag == "i" or ("class", "visually-hidden") in attrs or ("class", "run padding") in attrs

    def handle_endtag(self, tag):
        self.inside += tag == "p" and self.inside == 1
        self.skipped -= tag in ("i", "span") and self.skipped > 0

    def handle_data(self, data):
        self.text += data if self.inside == 1 and not self.skipped else ""


# The list


def test_rows_come_in_manifest_order_25_a_page_there_and_back(client_in, chain):
    seen, path = [], CHAIN
    for _ in range(3):
        html = page(client_in, path)
        seen.append(positions(html))
        path = CHAIN + html.rpartition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert [position for part in seen for position in part] == list(range(60))
    assert 'rel="next"' not in html
    back = CHAIN + html.rpartition('rel="prev" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert positions(page(client_in, back)) == seen[1]


def test_a_page_may_begin_at_any_row(client_in, chain):
    assert positions(page(client_in, f"{CHAIN}?row=37"))[:2] == [37, 38]
    assert 'rel="prev"' in page(client_in, f"{CHAIN}?row=37")
    assert "No row is left" in page(client_in, f"{CHAIN}?row=60")
    for odd in ("0", "", "x", "-1", "9" * 30, "１", "\0"):
        assert positions(page(client_in, f"{CHAIN}?row={odd}"))[0] == 0


def test_a_page_costs_the_same_wherever_it_begins(client_in, chain, django_assert_num_queries):
    for path in (CHAIN, f"{CHAIN}?row=50", f"{CHAIN}?split=train&row=30"):
        with django_assert_num_queries(5):  # session, person, dataset, places, traces
            client_in.get(path)


def test_rows_are_filtered_by_split(client_in, chain):
    rows = list(read_lines(chain.rows_path))
    for split in ("train", "valid", "test"):
        wanted = [place for place, row in enumerate(rows) if row["split"] == split]
        assert positions(page(client_in, f"{CHAIN}?split={split}")) == wanted[:25]


def test_rows_that_a_gate_named_are_found_and_say_why(client_in):
    dataset = build([make_payload("What is 2 + 2?", final_answer=answer) for answer in "457"])
    html = page(client_in, "/datasets/set-1/rows/?gate=conflicting_answers")
    assert positions(html) == [1, 2]
    assert "conflicting answers (2)" in html
    row = page(client_in, "/datasets/set-1/rows/1/")
    assert "answers its prompt otherwise" in row
    assert "otherwise" not in page(client_in, "/datasets/set-1/rows/0/")
    assert services.row_at(dataset, 2).gates[0]["gate"] == "conflicting_answers"


def test_a_gate_of_a_dataset_from_before_gates_had_names_is_found_by_its_rule(chain):
    first = chain.items.get(position=3)
    chain.gates = [{"check": "no step is empty", "result": "found", "count": 1, "rows": [str(first.trace_id)]}]
    assert [item.position for item in services.list_rows(chain, gate="no step is empty")] == [3]
    assert services.row_at(chain, 3).gates == [{"gate": "no step is empty", "check": "no step is empty", "why": ""}]


def test_rows_of_a_group_are_kept_together_and_link_to_each_other(client_in):
    dataset = build([make_payload(prompt) for prompt in ("What is 2+2?", "Who wrote it?", "what is  2+2?")])
    row = services.row_at(dataset, 0)
    assert (row.kept_with, row.has_more) == ([2], False)
    assert services.row_at(dataset, 1).kept_with == []
    html = page(client_in, "/datasets/set-1/rows/0/")
    assert "with 1 row" in html
    assert f"?group={row.group}" in html
    assert positions(page(client_in, f"/datasets/set-1/rows/?group={row.group}")) == [0, 2]
    assert "with no other row" in page(client_in, "/datasets/set-1/rows/1/")


def test_of_a_large_group_the_first_rows_are_named():
    dataset = build([make_payload(f"What is {' ' * n}2+2?") for n in range(30)])
    row = services.row_at(dataset, 5)
    assert row.kept_with == [place for place in range(21) if place != 5]
    assert row.has_more


@pytest.mark.parametrize(
    "query", ["split=dev", "gate=none", "group=x", "group=1_0", f"group={2**63}", "after=zz", "before=W10="]
)
def test_what_cannot_be_asked_for_is_said_on_the_page_and_over_http(client_in, api, chain, query):
    assert "could not be taken" in page(client_in, f"{CHAIN}?{query}", status=422)
    response = api.get(f"/api/datasets/chain-t/rows?{query.replace('after', 'cursor').replace('before', 'cursor')}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == [
        query.partition("=")[0].replace("after", "cursor").replace("before", "cursor")
    ]


def test_only_a_frozen_dataset_has_rows(client_in, api, monkeypatch):
    monkeypatch.setattr("datasets_app.services.datasets.INLINE_TRACES", 0)
    make_traces(1)
    services.build_dataset(request={"dataset_name": "set", "dataset_version": "1"}, by=None)
    for path in ("", "0/", "0/tokens/", f"{'0' * 8}-0000-0000-0000-{'0' * 12}/"):
        assert client_in.get(f"/datasets/set-1/rows/{path}")["Location"] == "/datasets/set-1/"
    for path in ("rows", "rows/0", "rows/0/tokens"):
        assert api.get(f"/api/datasets/set-1/{path}").status_code == 409
    assert client_in.get("/datasets/none-1/rows/").status_code == 404


# One row


def test_a_row_is_the_line_of_the_file_with_its_neighbours(client_in, chain):
    lines = list(read_lines(chain.rows_path))
    for position in (0, 30, 59):
        assert services.row_at(chain, position).row == lines[position]
    html = page(client_in, f"{CHAIN}30/")
    assert lines[30]["prompt"] in html
    assert f"/traces/{lines[30]['id']}/" in html
    assert f'accesskey="p" title="Access key p" href="{CHAIN}29/"' in html
    assert f'accesskey="n" title="Access key n" href="{CHAIN}31/?recipe=answer_only_v1"' in page(
        client_in, f"{CHAIN}30/?recipe=answer_only_v1&x=1"
    )
    assert 'rel="prev"' not in page(client_in, f"{CHAIN}0/")
    assert 'rel="next"' not in page(client_in, f"{CHAIN}59/")


def test_a_trace_leads_to_its_row(client_in, chain):
    trace_id = chain.items.get(position=7).trace_id
    assert client_in.get(f"{CHAIN}{trace_id}/")["Location"] == f"{CHAIN}7/"
    other = make_traces(1)[0]
    assert client_in.get(f"{CHAIN}{other.pk}/").status_code == 404


@pytest.mark.parametrize("position", ["60", "9" * 10, "9" * 30])
def test_a_row_that_is_not_there_is_404(client_in, api, chain, position):
    assert client_in.get(f"{CHAIN}{position}/").status_code == 404
    assert client_in.get(f"{CHAIN}{position}/tokens/").status_code == 404
    for path in ("", "/tokens"):
        assert api.get(f"/api/datasets/chain-t/rows/{position}{path}").status_code == 404


# What the model sees


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_page_shows_the_very_text_that_training_reads_and_evaluation_feeds(client_in, chain, recipe):
    row = services.row_at(chain, 4).row
    html = page(client_in, f"{CHAIN}4/?recipe={recipe}")
    shown = Tokens(html)
    assert shown.text == f"<bos>{render(row, recipe, chain.instruction)}"
    asked = Tokens(html.partition("An examination feeds")[2])
    assert asked.text == f"<bos>{render_prompt(row['prompt'], chain.instruction)}"
    assert "Training masks exactly what an examination feeds" in html


def test_every_kind_of_token_has_a_count_and_a_name_for_screen_readers(client_in, chain):
    html = page(client_in, f"{CHAIN}4/?max_length=60")
    for kind in ("masked", "trained", "cut"):
        assert f'<span class="run {kind}"><span class="visually-hidden">[{kind}] </span>' in html
    assert "Training cuts no row" in html
    assert " × &lt;pad&gt;" in page(client_in, f"{CHAIN}4/?max_length=2000")


def test_the_settings_are_checked_by_the_rules_of_a_runs_config(client_in, api, chain):
    for query, words in (
        ("recipe=chatty", "must be one of trace_sft_v1"),
        ("max_length=7", "must lie between 8 and 32768"),
        ("max_length=1.5", "must be a whole number"),
        ("vocab_size=99999999999", "must be a whole number"),
    ):
        html = page(client_in, f"{CHAIN}4/?{query}", status=422)
        assert words in html
        assert "start_of_turn" not in html
        assert words in page(client_in, f"{CHAIN}4/tokens/?{query}", **HTMX)  # htmx shows answers of 200 only
        body = api.get(f"/api/datasets/chain-t/rows/4/tokens?{query}").json()
        assert body["code"] == "invalid"
        assert body["errors"][0]["loc"] == [query.partition("=")[0]]


def test_the_tokenizer_of_the_freeze_is_there_and_another_is_asked_for_after_the_page(client_in, chain):
    assert 'hx-trigger="load"' not in page(client_in, f"{CHAIN}4/")
    html = page(client_in, f"{CHAIN}4/?vocab_size=300")
    assert f'hx-get="{CHAIN}4/tokens/?vocab_size=300" hx-trigger="load"' in html
    assert "is being learned" in html
    fragment = page(client_in, f"{CHAIN}4/tokens/?vocab_size=300", **HTMX)
    assert "<html" not in fragment
    assert "An examination feeds" in fragment
    assert 'hx-trigger="load"' not in page(client_in, f"{CHAIN}4/?vocab_size=300")
    whole = page(client_in, f"{CHAIN}4/tokens/?vocab_size=301")
    assert "<html" in whole
    assert "An examination feeds" in whole


def test_the_tokens_are_those_of_a_run_with_the_same_settings(chain):
    settings = services.read_settings(chain, {"vocab_size": "400", "recipe": "answer_only_v1"})
    assert settings.data.system_instruction == chain.instruction
    prepared = prepare(settings, list(read_lines(chain.rows_path)))
    taught = {example.id: example.tokens.tolist() for example in prepared.train}
    for position in range(10):
        row = services.row_at(chain, position)
        sight = services.sight_of(chain, row, settings)
        if row.row["split"] == "train":
            assert [piece.id for piece in sight.pieces] == taught[row.row["id"]]


def test_a_dataset_without_a_train_row_still_has_a_tokenizer(client_in):
    prompts = (f"What is 27 × {number}?" for number in range(1000))
    held_out = next(prompt for prompt in prompts if split_of(group_of({"prompt": prompt})) == "test")
    assert build([make_payload(held_out)]).splits["train"] == 0
    assert "An examination feeds" in page(client_in, "/datasets/set-1/rows/0/tokens/?vocab_size=300")


def test_a_hostile_row_is_shown_as_text_and_in_part(client_in):
    steps = ["<b>bold</b>\u202e", *["a1 " * 6000] * 50]
    prompt = "<script>alert(1)</script> <end_of_turn>" + "\N{SNOWMAN} " * 24_500
    build(
        [make_payload(prompt, steps=steps, meta={"<i>x": "<img src=x>"})],
        gates={"trained_tokens": "warn"},
    )
    html = page(client_in, "/datasets/set-1/rows/0/")
    for tag in ("<script>alert", "<b>bold", "<i>x", "<img src=x"):
        assert tag not in html
    assert "The first 4,000 of" in html
    assert "51 steps in all" in html
    assert "49,039 characters in all" in html
    assert len(html) < 2_000_000


def test_tokenizers_are_kept_by_content_and_the_oldest_are_forgotten(chain, home, monkeypatch):
    monkeypatch.setattr(tokenizers, "KEPT", 2)
    other = services.seed_dataset(key="chain-u", count=50)
    kept = home / "tokenizers"
    for vocab_size in (300, 301, 302):
        for dataset in (chain, other):
            services.tokenizer_of(dataset, services.read_settings(dataset, {"vocab_size": vocab_size}))
    assert len(list(kept.iterdir())) == 2
    assert services.has_tokenizer(other, services.read_settings(other, {"vocab_size": 302}))
    assert not services.has_tokenizer(other, services.read_settings(other, {"vocab_size": 300}))


def test_a_tokenizer_that_is_kept_is_not_learned_again(chain, monkeypatch):
    settings = services.read_settings(chain, {})
    first = services.tokenizer_of(chain, settings).encode_prompt("Start at 2.", "")
    monkeypatch.setattr(tokenizers, "tokenizer_for", None)
    assert services.tokenizer_of(chain, settings).encode_prompt("Start at 2.", "") == first


# Over HTTP and by command


def test_rows_over_http_are_listed_by_offset_and_by_cursor(api, chain):
    lines = list(read_lines(chain.rows_path))
    first = api.get("/api/datasets/chain-t/rows?limit=40").json()
    assert [row["id"] for row in first["data"]] == [line["id"] for line in lines[:40]]
    assert set(first["data"][0]) == {"position", "id", "split", "prompt", "final_answer", "step_count", "source"}
    assert first["pagination"]["next_offset"] == 40
    by_offset = api.get("/api/datasets/chain-t/rows?limit=40&offset=40").json()
    by_cursor = api.get(f"/api/datasets/chain-t/rows?limit=40&cursor={first['pagination']['next_cursor']}").json()
    assert by_offset["data"] == by_cursor["data"]
    assert [row["position"] for row in by_cursor["data"]] == list(range(40, 60))
    test = api.get("/api/datasets/chain-t/rows?split=test&limit=100").json()["data"]
    assert [row["id"] for row in test] == [line["id"] for line in lines if line["split"] == "test"]


def test_a_row_over_http_is_whole(api, chain):
    body = api.get("/api/datasets/chain-t/rows/3").json()
    assert body["row"] == list(read_lines(chain.rows_path))[3]
    assert (body["previous"], body["next"]) == (2, 4)


def test_tokens_over_http_say_what_training_makes_of_each(api, chain):
    body = api.get("/api/datasets/chain-t/rows/3/tokens?recipe=reasoning_tags_v1&max_length=300&vocab_size=400").json()
    row = services.row_at(chain, 3).row
    assert (
        "".join(token["text"] for token in body["tokens"])
        == f"<bos>{render(row, 'reasoning_tags_v1', chain.instruction)}"
    )
    assert body["parity"] == {"tokens": True, "bytes": True}
    assert sum(body["counts"].values()) == 301
    assert len(body["tokens"]) == body["token_count"] == 301 - body["counts"]["padding"]
    assert body["counts"]["masked"] == body["evaluation"]["token_count"]
    assert (body["recipe"], body["max_length"], body["vocab_size"]) == ("reasoning_tags_v1", 300, 400)


def test_unknown_parameters_are_refused_by_name(api, chain):
    for path in ("rows?x=1", "rows/3?x=1", "rows/3/tokens?x=1"):
        assert api.get(f"/api/datasets/chain-t/{path}").status_code == 422


def test_the_command_tells_the_same(api, chain):
    out = StringIO()
    call_command("show_row", "chain-t", "3", "--recipe", "answer_only_v1", "--max-length", "100", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["sight"] == api.get("/api/datasets/chain-t/rows/3/tokens?recipe=answer_only_v1&max_length=100").json()
    assert told["row"] == services.row_at(chain, 3).row
    out = StringIO()
    call_command("show_row", "chain-t", "3", stdout=out)
    assert "[trained] Reasoning:" in out.getvalue()
    assert "the prompt is what an examination feeds: yes" in out.getvalue()


@pytest.mark.parametrize("arguments", [("none-1", "0"), ("chain-t", "60"), ("chain-t", "0", "--max-length", "7")])
def test_the_command_fails_with_a_sentence(chain, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        call_command("show_row", *arguments)
    assert stopped.value.code == 1
    assert capsys.readouterr().err.strip()
