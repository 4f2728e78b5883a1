"""Evalsets by page, API and command: generated, filtered, compared, downloaded, and what gives them away."""

import json
import re
from hashlib import sha256
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from datasets_app import services
from datasets_app.models import EvalSet
from tests.factories import NOBODY, make_payload, store
from training.evalsets import evalset_sha256, read_evalset

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert('x')</script>"


def item(number: int, **fields) -> dict:
    texts = {"id": f"q{number}", "prompt": f"{number} + 1?", "expected_answer": str(number + 1)}
    return texts | {"category": "sum", "difficulty": "easy"} | fields


def make(*items: dict, name: str = "set") -> EvalSet:
    return services.evalset_from_items(items=list(items), name=name, by=None)


def shown(client, evalset: EvalSet, **query) -> list[str]:
    """The ids of the items that the page lists."""
    page = client.get(f"/evalsets/{evalset.pk}/", query).content.decode()
    return re.findall(r'<code title="([^"]*)"', page)


# ---- generated


def test_a_problem_makes_an_evalset_whose_file_and_hash_agree(user):
    evalset = services.evalset_from_problem(problem="chain", count=20, seed=7, by=user)
    assert (evalset.origin, evalset.item_count, evalset.name) == ("problem", 20, "chain, difficulty 8, seed 7")
    assert evalset.sha256 == evalset_sha256(read_evalset(evalset.path))
    assert services.evalset_from_problem(problem="chain", count=20, seed=7, name="again") == evalset


def test_without_a_seed_one_is_drawn_and_told_by_the_ids():
    first, second = (services.evalset_from_problem(problem="chain", count=5) for _ in range(2))
    assert first != second
    assert all(each.item_id.startswith("chain-8-") for each in first.items.all())


def test_no_train_row_of_a_seeded_dataset_gives_a_generated_item_away():
    evalset = services.evalset_from_problem(problem="multiplication", count=100, seed=3)
    asked = set(evalset.items.values_list("prompt", flat=True))
    for seed in (3, 4):
        dataset = services.seed_dataset(key=f"multiplication-{seed}", count=1500, seed=seed)
        train = dataset.items.filter(split="train").values_list("trace__prompt", flat=True)
        assert not asked & set(train)


def test_the_firewall_still_finds_a_copy_that_names_no_problem(client_in):
    evalset = services.evalset_from_problem(problem="chain", count=30, seed=7)
    copies = [make_payload(each.prompt, final_answer=each.expected_answer) for each in evalset.items.all()]
    store(copies)
    dataset, _ = services.build_dataset(
        request={"dataset_name": "copies", "dataset_version": "1", "selection_strategy": "all"}, by=None
    )
    found = services.given_away(dataset=dataset, evalset=evalset)
    assert found.count >= dataset.splits["train"] > 0
    page = client_in.get(f"/evalsets/{evalset.pk}/leaks/", headers={"HX-Request": "true"}).content.decode()
    assert f"{found.count} of 30" in page
    assert "copies-1" in page


def test_the_page_generates_and_says_what_cannot_be(client_in):
    made = client_in.post("/evalsets/generate/", {"problem": "chain", "count": "12", "seed": "7", "difficulty": ""})
    evalset = EvalSet.objects.get()
    assert made["Location"] == reverse("evalset_detail", args=[evalset.pk])
    assert evalset.item_count == 12
    page = client_in.post("/evalsets/generate/", {"problem": "chain", "count": "12", "difficulty": "1"})
    assert "2 held-out questions are found" in page.content.decode()
    for bad in ({"problem": HOSTILE, "count": "1"}, {"problem": "chain", "count": "9" * 30}, {"count": "a\0"}, {}):
        page = client_in.post("/evalsets/generate/", bad)
        assert page.status_code == 200
        assert HOSTILE not in page.content.decode()
    assert EvalSet.objects.count() == 1


def test_the_api_generates_and_names_what_cannot_be(api):
    body = {"problem": "chain", "count": 12, "seed": 7}
    made = api.post("/api/evalsets", body, format="json")
    assert (made.status_code, made.json()["origin"], made.json()["item_count"]) == (201, "problem", 12)
    assert api.post("/api/evalsets", body, format="json").json()["id"] == made.json()["id"]
    for bad, loc in (
        ({"problem": "chess"}, "problem"),
        ({"problem": ["chain"]}, "problem"),
        ({"problem": "chain", "count": True}, "count"),
        ({"problem": "chain", "count": 10**30}, "count"),
        ({"problem": "chain", "seed": -1}, "seed"),
        ({"problem": "chain", "difficulty": 99}, "difficulty"),
        ({"problem": "chain", "name": "a\0"}, "name"),
        ({"problem": "chain", "name": "x" * 201}, "name"),
        ({"problem": "chain", "items": []}, "items"),
        ({"problem": None, "count": 3}, "count"),
    ):
        refused = api.post("/api/evalsets", bad, format="json")
        assert refused.status_code == 422, bad
        assert loc in [fault["loc"][0] for fault in refused.json()["errors"]], bad


def test_the_command_generates(capsys):
    out = StringIO()
    call_command("build_evalset", "chain", count=12, seed=7, as_json=True, stdout=out)
    assert json.loads(out.getvalue())["item_count"] == 12
    with pytest.raises(SystemExit) as stopped:
        call_command("build_evalset", "chess")
    assert stopped.value.code == 1
    assert "is not a problem" in capsys.readouterr().err


def test_an_import_warns_of_what_the_validator_would_warn_of(client_in):
    items = [item(1), *(item(number, prompt="1 + 1?") for number in range(2, 9))]
    lines = "".join(f"{json.dumps(each)}\n" for each in items)
    file = SimpleUploadedFile("set.jsonl", lines.encode())
    page = client_in.post("/evalsets/import/", {"file": file, "format": "evalset"}, follow=True).content.decode()
    assert "asks the same as &#x27;q1&#x27; and expects another answer" in page
    assert "and 2 more like that" in page
    assert "8 items" in page


# ---- looked at


def test_the_list_counts_what_is_asked_and_teaches_when_there_is_nothing(client_in):
    empty = client_in.get("/evalsets/").content.decode()
    assert "eval_v1" in empty
    assert "eval_v2" in empty
    assert "/evalsets/generate/" in empty
    services.shipped_evalset(name="eval_v2", by=None)
    page = " ".join(client_in.get("/evalsets/").content.decode().split())
    assert "core <small>50</small>, trace_sensitive <small>30</small>, edge_case <small>20</small>" in page


def test_a_window_beyond_the_end_leads_back(client_in):
    make(item(1))
    assert b"To the newest" in client_in.get("/evalsets/?offset=1000").content


def test_filters_of_the_page_and_the_api_mean_the_same(client_in, api):
    evalset = make(
        item(1, section="core"), item(2, difficulty="hard"), item(3, category="other", prompt="100 % of THAT_ONE?")
    )
    for query, expected in (
        ({}, ["q1", "q2", "q3"]),
        ({"difficulty": "hard"}, ["q2"]),
        ({"category": "sum"}, ["q1", "q2"]),
        ({"section": "core"}, ["q1"]),
        ({"q": "that_one"}, ["q3"]),
        ({"q": "%"}, ["q3"]),
        ({"q": "_"}, ["q3"]),
        ({"category": "sum", "q": "2"}, ["q1", "q2"]),
        ({"category": "absent"}, []),
    ):
        assert shown(client_in, evalset, **query) == expected, query
        found = api.get(f"/api/evalsets/{evalset.pk}", query).json()["items"]["data"]
        assert [each["id"] for each in found] == expected, query
    assert api.get(f"/api/evalsets/{evalset.pk}").json()["labels"]["category"] == {"sum": 2, "other": 1}


def test_what_no_text_can_be_is_said_and_shows_all(client_in, api):
    evalset = make(item(1))
    page = client_in.get(f"/evalsets/{evalset.pk}/", {"q": "a\0"})
    assert page.status_code == 200
    assert b"This filter cannot be" in page.content
    assert shown(client_in, evalset, q="a\0") == ["q1"]
    assert api.get(f"/api/evalsets/{evalset.pk}", {"q": "a\0"}).status_code == 422
    assert api.get(f"/api/evalsets/{evalset.pk}", {"color": "red"}).status_code == 422


def test_pages_of_items_keep_the_filter(client_in):
    evalset = make(*(item(number) for number in range(60)))
    page = client_in.get(f"/evalsets/{evalset.pk}/?category=sum&offset=25").content.decode()
    assert "?category=sum&amp;offset=50" in page
    assert "26–50" in page


def test_what_an_evalset_holds_is_shown_as_text(client_in):
    dirty = dict.fromkeys(("id", "prompt", "expected_answer", "category", "difficulty", "section"), HOSTILE)
    base, other = make(dirty, name=HOSTILE), make(dirty | {"prompt": f"{HOSTILE}!"}, item(2, id="x"), name=HOSTILE)
    for path in (
        "/evalsets/",
        f"/evalsets/{base.pk}/?q={HOSTILE}&category={HOSTILE}",
        f"/evalsets/{base.pk}/leaks/",
        f"/evalsets/compare/?base={base.pk}&other={other.pk}",
    ):
        page = client_in.get(path).content.decode()
        assert HOSTILE not in page, path
        assert "&lt;script&gt;" in page, path


# ---- versions


def test_versions_of_a_name_stand_beside_each_other_and_lead_to_what_differs(client_in):
    first = make(item(1), name="sums")
    second = make(item(1), item(2), name="sums")
    make(item(3), name="others")
    for evalset in (first, second):
        page = client_in.get(f"/evalsets/{evalset.pk}/").content.decode()
        assert f"/evalsets/compare/?base={first.pk}&amp;other={second.pk}" in page
        assert page.count("what differs") == 1


def test_what_differs_between_two_versions_is_counted_and_named(client_in, api):
    base = make(item(1), item(2), item(3), name="sums")
    other = make(item(1), item(2, prompt="2 plus 1?", section="core"), item(4), name="sums")
    answer = api.get("/api/evalsets/compare", {"base": base.pk, "other": other.pk}).json()
    assert answer["counts"] == {"added": 1, "removed": 1, "changed": 1, "kept": 1}
    assert (answer["added"], answer["removed"]) == (["q4"], ["q3"])
    assert answer["changed"] == [{"id": "q2", "fields": ["prompt", "section"]}]
    page = client_in.get("/evalsets/compare/", {"base": base.pk, "other": other.pk}).content.decode()
    assert "2 plus 1?" in page
    assert "prompt, section" in page


def test_another_order_is_another_hash_and_is_told_as_such(client_in):
    base, other = make(item(1), item(2)), make(item(2), item(1))
    assert base.sha256 != other.sha256
    page = client_in.get("/evalsets/compare/", {"base": base.pk, "other": other.pk}).content.decode()
    assert "Both ask the same" in page


def test_what_cannot_be_compared_is_said(client_in, api):
    evalset = make(item(1))
    assert b"Choose two evalsets" in client_in.get("/evalsets/compare/").content
    for base, other, status in (
        (evalset.pk, evalset.pk, 422),
        (evalset.pk, "x", 422),
        (evalset.pk, NOBODY, 404),
        (evalset.pk, "a\0", 422),
    ):
        query = {"base": base, "other": other}
        assert api.get("/api/evalsets/compare", query).status_code == status
        assert client_in.get("/evalsets/compare/", query).status_code == 422
    assert api.get("/api/evalsets/compare", {"base": evalset.pk}).status_code == 422


# ---- downloads


def test_a_download_has_the_hash_of_the_evalset_and_the_steps(client_in, api):
    evalset = services.evalset_from_problem(problem="chain", count=5, seed=1, name="../we ird\n")
    for client, path in ((client_in, "evalset_items"), (api, "api_evalset_items")):
        answer = client.get(reverse(path, args=[evalset.pk]))
        content = b"".join(answer.streaming_content)
        assert sha256(content).hexdigest() == evalset.sha256
        assert all(json.loads(line)["steps"] for line in content.splitlines())
        named = f'attachment; filename="_we_ird_-{evalset.sha256[:12]}.jsonl"'
        assert answer["Content-Disposition"] == named


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("{}\n")])
def test_a_lost_or_altered_file_comes_from_the_database_where_that_knows_all(client_in, damage):
    evalset = make(item(1), item(2))
    damage(evalset.path)
    content = b"".join(client_in.get(f"/evalsets/{evalset.pk}/items.jsonl").streaming_content)
    assert sha256(content).hexdigest() == evalset.sha256


def test_a_lost_file_with_steps_is_said_and_made_again_by_making_the_evalset_again(client_in, api):
    evalset = services.evalset_from_problem(problem="chain", count=5, seed=1)
    evalset.path.write_text("altered\n")
    assert api.get(f"/api/evalsets/{evalset.pk}/items.jsonl").status_code == 503
    page = client_in.get(f"/evalsets/{evalset.pk}/items.jsonl", follow=True)
    assert b"is lost or was altered" in page.content
    services.evalset_from_problem(problem="chain", count=5, seed=1)
    assert api.get(f"/api/evalsets/{evalset.pk}/items.jsonl").status_code == 200


# ---- what gives items away


def test_the_page_of_leaks_says_what_is_not_known(client_in):
    evalset = make(item(1))
    path = f"/evalsets/{evalset.pk}/leaks/"
    assert b"No dataset is frozen yet" in client_in.get(path).content
    services.seed_dataset(key="golden-v2")
    assert b"not known" in client_in.get(path).content
    shipped = services.shipped_evalset(name="eval_v1", by=None)
    page = client_in.get(f"/evalsets/{shipped.pk}/leaks/").content.decode()
    assert re.search(r"golden-v2</a></td>\s*<td class=\"name\">\s*<span class=\"good\">nothing", page)


def test_unknown_evalsets_are_not_found_by_any_door(client_in, api):
    for path in ("", "leaks/", "items.jsonl"):
        assert client_in.get(f"/evalsets/{NOBODY}/{path}").status_code == 404
    for path in ("", "/items.jsonl"):
        assert api.get(f"/api/evalsets/{NOBODY}{path}").status_code == 404
