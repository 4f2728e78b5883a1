"""Which traces a request takes: strata, mixes, and places that other traces do not change."""

import json
from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_app import services
from datasets_app.build_request import FIELDS, MAX_LIMIT, read_build_request
from datasets_app.selection import Selection, foreseen, select
from datasets_app.selection.draw import Draw, ids_of
from datasets_app.selection.shares import evenly, largest_remainder
from datasets_app.strata import label_of, scalar_of
from tests.factories import make_payload, store
from traces.models import Trace
from training.canonical import sha256_hex
from training.errors import Fault, Invalid
from training.splits import order_key

pytestmark = pytest.mark.django_db
NAMED = {"dataset_name": "set", "dataset_version": "1"}


def make(number: int, start: int = 0, **payload) -> list[Trace]:
    return store([make_payload(f"What is 7 × {i}?", **payload) for i in range(start, start + number)])


def taken(**request) -> Selection:
    return select(read_build_request(NAMED | request).resolved(request.get("seed", 7)))


def faults(**request) -> list[tuple]:
    with pytest.raises(Invalid) as caught:
        taken(**request)
    return [(fault.loc, fault.type) for fault in caught.value.faults]


def shares(selection: Selection, *names: str) -> dict:
    return {row["value"]: tuple(row[name] for name in names) for row in selection.report}


def by_hash(traces, seed: int = 7) -> list[UUID]:
    return [t.pk for t in sorted(traces, key=lambda trace: (order_key(seed, trace.content_sha256), trace.pk))]


# Selection


def test_a_selection_holds_ids_in_order_and_gives_them_in_chunks():
    ids = [uuid4() for _ in range(7)]
    selection = Selection.of(iter(ids))
    assert (len(selection), list(selection)) == (7, ids)
    assert list(selection.chunks(3)) == [ids[:3], ids[3:6], ids[6:]]
    assert selection == Selection.of(ids)
    assert selection != Selection.of(reversed(ids))
    assert not Selection.of([])
    assert selection.count_beside(Selection.of([*ids[:2], uuid4()])) == 5
    assert [selection.sample(most) for most in (7, 9, 3)] == [ids, ids, [ids[0], ids[2], ids[4]]]


def test_ids_that_end_with_zeros_are_told_apart():
    ids = [UUID(int=number << 120) for number in range(5)]
    assert list(Selection.of(ids)) == ids
    assert Selection.of(ids).count_beside(Selection.of(ids[:2])) == 3


@given(st.lists(st.integers(0, 30), max_size=400), st.integers(1, 5))
def test_a_draw_keeps_the_first_by_order_key_and_id_however_much_passes(contents, limit):
    rows = [(sha256_hex(str(content)), UUID(int=place).bytes) for place, content in enumerate(contents)]
    draw = Draw(3, limit)
    draw._full = 48 * 8  # lets go of some again and again
    for row in rows:
        draw.add(*row)
    expected = sorted((order_key(3, content), trace_id) for content, trace_id in rows)[:limit]
    assert ids_of(draw.records()) == b"".join(trace_id for _, trace_id in expected)
    assert draw.seen == len(rows)


# Shares


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.integers(0, 500))
def test_proportionate_shares_add_up_and_are_the_due_rounded_up_or_down(sizes, rows):
    given_ = largest_remainder(sizes, rows)
    assert sum(given_) == rows
    assert all(abs(share * sum(sizes) - size * rows) < sum(sizes) for share, size in zip(given_, sizes, strict=True))


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(0, 500))
def test_even_shares_differ_by_one_at_most_but_for_strata_that_are_used_up(sizes, rows):
    given_ = evenly(sizes, rows)
    assert sum(given_) == min(rows, sum(sizes))
    assert all(share <= size for share, size in zip(given_, sizes, strict=True))
    open_ = [share for share, size in zip(given_, sizes, strict=True) if share < size]
    assert not open_ or max(given_) - min(open_) <= 1


def test_weights_share_by_largest_remainder_without_rounding_errors():
    assert largest_remainder([0.7, 0.2, 0.1], 10) == [7, 2, 1]
    assert largest_remainder([1, 1, 1], 10) == [4, 3, 3]


# Values


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=40), st.floats(-1e30, 1e30)
)


@given(SCALARS)
def test_a_label_names_one_value(value):
    assert scalar_of(label_of(value)) == value
    assert type(scalar_of(label_of(value))) is type(value) or isinstance(value, float)


@pytest.mark.parametrize(
    ("value", "label"),
    [("easy", "easy"), ("3", '"3"'), (3, "3"), (3.0, "3"), (1e22, "1e+22"), (10**22, "1e+22"), (True, "true"),
     ("true", '"true"'), (None, "null"), ("", ""), ("[1]", "[1]"), ('"x"', '"\\"x\\""')],
)  # fmt: skip
def test_texts_that_look_like_json_are_quoted(value, label):
    assert label_of(value) == label


# Stratified


def test_each_stratum_gives_its_proportion_in_order_of_the_keyed_hash():
    easy, hard = make(30, meta={"level": "easy"}), make(10, 30, meta={"level": "hard"})
    selection = taken(stratify_by="level", limit=8)
    assert shares(selection, "rows", "asked", "taken") == {"easy": (30, 6, 6), "hard": (10, 2, 2)}
    first = {*by_hash(easy)[:6], *by_hash(hard)[:2]}
    assert list(selection) == [pk for pk in by_hash(easy + hard) if pk in first]


def test_equal_quotas_spread_what_a_small_stratum_lacks():
    make(20, meta={"level": "easy"}), make(2, 20, meta={"level": "hard"}), make(20, 22, meta={"level": "odd"})
    selection = taken(stratify_by="meta.level", quotas="equal", limit=12)
    assert shares(selection, "taken") == {"easy": (5,), "hard": (2,), "odd": (5,)}


def test_quotas_by_value_are_the_limit_and_a_small_stratum_gives_what_there_is():
    make(5, meta={"level": 1}), make(5, 5, meta={"level": "1"}), make(5, 10, meta={"level": True})
    make(5, 15, meta={"level": [1]}), make(5, 20)
    selection = taken(stratify_by="level", quotas={"1": 3, '"1"': 9, "null": 2})
    assert shares(selection, "rows", "asked", "taken") == {
        '"1"': (5, 9, 5),
        "1": (5, 3, 3),
        "null": (10, 2, 2),
        "true": (5, 0, 0),
    }
    assert len(selection) == 10


def test_numbers_are_one_value_however_they_are_written():
    (
        make(2, meta={"level": 1}),
        make(3, 2, meta={"level": 1.0}),
        make(2, 5, meta={"level": 0.1}),
        make(1, 7, meta={"level": 1e22}),
    )
    assert shares(taken(stratify_by="level"), "rows") == {"0.1": (2,), "1": (5,), "1e+22": (1,)}


def test_sources_and_numbers_of_steps_are_strata():
    make(3, meta={"source": "a"}, steps=1), make(4, 3, meta={"source": "b"}, steps=2), make(2, 7, steps=12)
    assert shares(taken(stratify_by="source"), "rows") == {"a": (3,), "b": (4,), "null": (2,)}
    assert shares(taken(stratify_by="steps"), "rows") == {"1": (3,), "2": (4,), "12": (2,)}
    make(1, 9, meta={"steps": "own"})
    assert shares(taken(stratify_by="meta.steps"), "rows") == {"null": (9,), "own": (1,)}


@pytest.mark.parametrize("name", ["a.b", '"', "$", "[0]", "0", "é\u2028", "%s", "'; --", "meta.x"])
def test_a_key_of_meta_may_hold_anything(name):
    make(2, meta={name: "x"}), make(1, 2)
    assert shares(taken(stratify_by=f"meta.{name}"), "rows") == {"null": (1,), "x": (2,)}


def test_quotas_for_a_value_that_is_not_there_are_refused_by_name():
    make(2, meta={"level": "easy"})
    assert faults(stratify_by="level", quotas={"easy": 1, "hrad": 1}) == [(("quotas", "hrad"), "unknown_value")]


def test_too_many_or_too_long_values_are_refused():
    make(3, meta={"text": "x" * 201})
    assert faults(stratify_by="text") == [(("stratify_by",), "too_long")]
    store([make_payload(f"{i}", meta={"id": i}) for i in range(1000)])
    assert faults(stratify_by="id") == [(("stratify_by",), "too_many_strata")]
    Trace.objects.filter(meta__has_key="text").delete()
    assert len(taken(stratify_by="id", limit=50)) == 50


# Mix


def test_parts_give_by_weight_and_a_trace_is_taken_once():
    mine, other = make(20, meta={"source": "a"}), make(20, 20, meta={"source": "b"})
    everything = by_hash(mine + other)
    selection = taken(
        mix=[{"filters": {"source": "a"}, "weight": 0.5}, {"filters": {}, "weight": 0.5, "name": "all"}], limit=10
    )
    assert shares(selection, "rows", "asked", "taken") == {"part 1": (20, 5, 5), "all": (40, 5, 5)}
    first = by_hash(mine)[:5]
    second = [pk for pk in everything if pk not in first][:5]
    assert list(selection) == [pk for pk in everything if pk in (*first, *second)]


def test_nobody_fills_in_for_a_part_that_has_too_few():
    make(2, meta={"source": "a"}), make(20, 2, meta={"source": "b"})
    mix = [{"filters": {"source": source}, "weight": 1} for source in "ab"]
    selection = taken(mix=mix, limit=10)
    assert (len(selection), shares(selection, "asked", "taken")) == (7, {"part 1": (5, 2), "part 2": (5, 5)})


def test_a_part_may_be_a_frozen_dataset():
    make(5, meta={"source": "a"})
    services.build_dataset(request=NAMED | {"limit": 3}, by=None)
    make(20, 5, meta={"source": "b"})
    selection = taken(mix=[{"dataset_key": "set-1", "weight": 3}, {"filters": {"source": "b"}, "weight": 1}], limit=4)
    assert shares(selection, "rows", "taken") == {"part 1": (3, 3), "part 2": (20, 1)}


def test_a_part_of_a_dataset_that_is_not_there_is_refused_before_anything_is_made():
    make(3)
    mix = [{"dataset_key": "none-1", "weight": 3}, {"filters": {}, "weight": 1}]
    assert faults(mix=mix) == [(("mix", 0, "dataset_key"), "unknown_dataset")]
    with pytest.raises(Invalid):
        services.build_dataset(request=NAMED | {"mix": mix}, by=None)


# What one more trace changes

LEVELS = st.lists(st.sampled_from(["easy", "hard", None]), min_size=2, max_size=25)
RULES = {
    "random": {"selection_strategy": "random", "limit": 6},
    "quotas": {"stratify_by": "level", "quotas": {"easy": 3, "hard": 2, "null": 1}},
    "mix": {
        "mix": [
            {"filters": {"level": "easy"}, "weight": 2},
            {"filters": {}, "weight": 1},
            {"filters": {"level": "hard"}, "weight": 1},
        ],
        "limit": 8,
    },
}


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30)
@given(levels=LEVELS, data=st.data())
def test_one_more_trace_changes_its_own_place_and_pushes_out_one_at_most(rule, levels, data):
    Trace.objects.all().delete()
    pool = ["easy", "hard", None, *levels]
    store([make_payload(f"{place}", meta={"level": level}) for place, level in enumerate(pool)])
    before = list(taken(**RULES[rule]))
    one_more = make_payload("one more", meta={"level": data.draw(st.sampled_from(pool))})
    trace = store([one_more])[0]
    after = list(taken(**RULES[rule]))
    assert set(after) - set(before) <= {trace.pk}
    assert len(set(before) - set(after)) <= (trace.pk in after)
    assert [pk for pk in after if pk in before] == [pk for pk in before if pk in after]


@given(levels=LEVELS, quotas=st.sampled_from(["equal", "proportional"]), limit=st.integers(1, 20))
@settings(max_examples=30)
def test_whatever_the_shares_are_a_stratum_gives_its_first_by_hash(levels, quotas, limit):
    Trace.objects.all().delete()
    traces = store([make_payload(f"{place}", meta={"level": level}) for place, level in enumerate(levels)])
    selection = taken(stratify_by="level", quotas=quotas, limit=limit)
    assert len(selection) == min(limit, len(levels))
    for value, (asked,) in shares(selection, "asked").items():
        of_stratum = by_hash([trace for trace in traces if label_of(trace.meta["level"]) == value])
        assert [pk for pk in selection if pk in of_stratum] == of_stratum[:asked]


# Requests


@pytest.mark.parametrize(
    ("request_part", "found"),
    [
        ({"selection_strategy": "stratified"}, [("stratify_by", "missing_field")]),
        ({"stratify_by": "level", "selection_strategy": "random"}, [("stratify_by", "wrong_value")]),
        ({"quotas": "equal"}, [("quotas", "wrong_value")]),
        ({"stratify_by": ""}, [("stratify_by", "empty")]),
        ({"stratify_by": "meta."}, [("stratify_by", "empty")]),
        ({"stratify_by": ["level"]}, [("stratify_by", "wrong_type")]),
        ({"stratify_by": "x" * 201}, [("stratify_by", "too_long")]),
        ({"stratify_by": "x\0"}, [("stratify_by", "nul_character")]),
        ({"stratify_by": "level", "quotas": "fair"}, [("quotas", "unknown_value")]),
        ({"stratify_by": "level", "quotas": 7}, [("quotas", "unknown_value")]),
        ({"stratify_by": "level", "quotas": {}}, [("quotas", "wrong_value")]),
        ({"stratify_by": "level", "quotas": {"easy": 0}}, [("quotas", "easy", "number_out_of_range")]),
        ({"stratify_by": "level", "quotas": {"easy": "7"}}, [("quotas", "easy", "wrong_type")]),
        ({"stratify_by": "level", "quotas": {"1": 1, "1.0": 1}}, [("quotas", "1.0", "wrong_value")]),
        ({"stratify_by": "level", "quotas": {"a": MAX_LIMIT, "b": 1}}, [("quotas", "number_out_of_range")]),
        ({"stratify_by": "level", "quotas": {"a": 5}, "limit": 4}, [("quotas", "number_out_of_range")]),
        ({"stratify_by": "level", "quotas": {"x" * 201: 5}}, [("quotas", repr("x" * 201)[:59] + "…", "too_long")]),
        ({"strict": True, "stratify_by": "level"}, [("seed", "missing_field")]),
        ({"mix": {}}, [("mix", "wrong_type")]),
        ({"mix": []}, [("mix", "wrong_value")]),
        ({"mix": [{"filters": {}, "weight": 1}] * 21}, [("mix", "wrong_value")]),
        ({"mix": [3, {}]}, [("mix", 0, "not_object"), ("mix", 1, "missing_field")]),
        ({"max_length": 7}, [("max_length", "number_out_of_range")]),
        ({"max_length": 32_769}, [("max_length", "number_out_of_range")]),
        ({"max_length": 256.0}, [("max_length", "wrong_type")]),
        ({"gates": []}, [("gates", "not_object")]),
        ({"gates": {"no_such_gate": "warn"}}, [("gates", "no_such_gate", "unknown_field")]),
        ({"gates": {"contamination": "stop"}}, [("gates", "contamination", "unknown_value")]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(request_part, found):
    assert [(*loc, type_) for loc, type_ in faults(**request_part)] == found


SECOND = {"filters": {}, "weight": 1}


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"filters": {}}, ("weight", "missing_field")),
        ({"weight": 1}, ("missing_field",)),
        ({"weight": 1, "filters": {}, "dataset_key": "a-1"}, ("missing_field",)),
        ({"weight": 0, "filters": {}}, ("weight", "number_out_of_range")),
        ({"weight": -1, "filters": {}}, ("weight", "number_out_of_range")),
        ({"weight": float("nan"), "filters": {}}, ("weight", "number_out_of_range")),
        ({"weight": 10**400, "filters": {}}, ("weight", "number_out_of_range")),
        ({"weight": "1", "filters": {}}, ("weight", "wrong_type")),
        ({"weight": True, "filters": {}}, ("weight", "wrong_type")),
        ({"weight": 1, "filters": []}, ("filters", "not_object")),
        ({"weight": 1, "filters": {"steps.min": "x"}}, ("filters", "steps.min", "wrong_value")),
        ({"weight": 1, "dataset_key": "../x"}, ("dataset_key", "bad_key")),
        ({"weight": 1, "dataset_key": 3}, ("dataset_key", "bad_key")),
        ({"weight": 1, "filters": {}, "name": 3}, ("name", "wrong_type")),
        ({"weight": 1, "filters": {}, "share": 3}, ("share", "unknown_field")),
    ],
)
def test_what_is_wrong_with_a_part_is_said_with_its_place(part, found):
    assert [(*loc, type_) for loc, type_ in faults(mix=[part, SECOND])] == [("mix", 0, *found)]


def test_a_mix_stands_alone():
    mix = [SECOND, SECOND]
    assert faults(mix=mix, filters={"source": "a"}) == [(("filters",), "wrong_value")]
    assert faults(mix=mix, selection_strategy="all") == [(("selection_strategy",), "wrong_value")]
    assert faults(mix=mix, stratify_by="level") == [(("stratify_by",), "wrong_value")]
    assert read_build_request(NAMED | {"mix": mix, "filters": {}}).selection_strategy == "random"


def test_the_manifest_says_what_was_asked_for():
    make(5, meta={"level": "easy"})
    request = {"stratify_by": "level", "quotas": {"easy": 3}, "max_length": 512, "seed": 1}
    dataset, _ = services.build_dataset(request=NAMED | request, by=None)
    manifest = json.loads(dataset.manifest_path.read_text())
    assert {name: manifest[name] for name in request} == request | {"stratify_by": "meta.level"}
    assert (manifest["selection_strategy"], manifest["mix"], manifest["limit"]) == ("stratified", None, 3)
    assert services.build_dataset(request=NAMED | request, by=None) == (dataset, False)


def test_how_many_will_be_taken_is_known_beforehand():
    make(6, meta={"level": "easy"}), make(2, 6, meta={"level": "hard"})
    for request in (
        {"stratify_by": "level", "quotas": {"easy": 3, "hard": 5}},
        {"limit": 4},
        {"mix": [SECOND, SECOND], "limit": 4},
    ):
        resolved = read_build_request(NAMED | request).resolved(1)
        assert min(foreseen(resolved).rows, resolved["limit"]) == len(select(resolved))


ODD = [None, True, 0, -1, 1.5, 10**30, float("inf"), "", "x", "\0", "\ud800", "x" * 20_000, [], [None], {}, {"": None}]


@pytest.mark.parametrize("name", [*FIELDS, "other"])
def test_a_field_of_any_kind_is_taken_or_refused_by_its_name(name):
    make(2, meta={"level": "easy"})
    odd = [*ODD, [ODD], {"x": ODD}, [{"filters": value, "weight": value} for value in ODD]]
    strategies = ({"seed": 1}, {"selection_strategy": "stratified", "stratify_by": "level", "seed": 1})
    for value, strategy in product(odd, strategies):
        found = refusals(NAMED | strategy | {name: value})
        assert not found or name in {fault.loc[0] for fault in found}, value
        assert all(fault.msg and fault.type for fault in found)


def refusals(request: dict) -> list[Fault]:
    try:
        select(read_build_request(request).resolved(1))
    except Invalid as invalid:
        return invalid.faults
    return []
