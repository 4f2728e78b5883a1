from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.factories import make_payload, make_trace
from traces import services
from traces.models import Tag, Trace
from training.canonical import canonical_json, stable_id
from training.errors import Invalid
from tunixrt.lib.errors import Conflict

pytestmark = pytest.mark.django_db


def test_traces_are_stored_with_the_ids_and_the_moment_given(user):
    payloads = [make_payload("a"), make_payload("b")]
    ids, moment = [uuid4(), uuid4()], datetime(2020, 1, 1, tzinfo=UTC)
    services.store_traces(payloads=payloads, ids=ids, created_at=moment, by=user)
    assert {(trace.pk, trace.created_at, trace.created_by) for trace in Trace.objects.all()} == {
        (pk, moment, user) for pk in ids
    }


def test_ids_must_fit_the_traces():
    with pytest.raises(ValueError, match="zip"):
        services.store_traces(payloads=[make_payload(), make_payload()], ids=[uuid4()], by=None)
    assert not Trace.objects.exists()


def test_the_canonical_text_is_the_payload_and_floats_stay_as_they_were():
    payload = make_payload(meta={"ratio": 1.0, "small": 1e-7, "big": 12345678901234567890.0})
    trace = make_trace(meta=payload["meta"])
    trace.refresh_from_db()
    assert trace.canonical == canonical_json(payload)
    assert trace.payload == payload


def test_tags_in_meta_become_tags():
    trace = make_trace(meta={"tags": ["hard", "hard", "fractions", 5, "", "x" * 101]})
    assert sorted(trace.tags.values_list("name", flat=True)) == ["fractions", "hard"]
    make_trace(meta={"tags": "hard"})
    assert Tag.objects.count() == 2


def test_a_stable_set_is_stored_once_and_completed_when_it_was_cut_short():
    payloads = [make_payload(str(i % 3), meta={"tags": ["stable"]}) for i in range(6)]
    ids, new = services.store_stable_traces(payloads=payloads[:4], by=None)
    assert (ids, new) == ([stable_id(payload, i) for i, payload in enumerate(payloads[:4])], 4)
    ids, new = services.store_stable_traces(payloads=payloads, by=None)
    assert (len(ids), new, Trace.objects.count(), Tag.objects.count()) == (6, 2, 6, 6)


def test_a_trace_with_a_correction_is_kept():
    trace = make_trace()
    Trace.objects.filter(pk=make_trace().pk).update(parent=trace)
    with pytest.raises(Conflict, match="correction"):
        services.delete_trace(trace=trace)


def test_scoring_again_leaves_one_score(user):
    make_trace(steps=4)
    for _ in range(2):
        assert services.score_traces(traces=Trace.objects.all(), by=user) == 1
    (score,) = Trace.objects.get().scores.all()
    assert (score.scorer, score.version, score.created_by) == ("baseline", "1", user)


def test_an_unknown_scorer_is_named_with_those_there_are():
    with pytest.raises(Invalid, match="choose one of baseline"):
        services.score_traces(traces=Trace.objects.all(), scorer="beauty", by=None)
