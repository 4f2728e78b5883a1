import io
import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.factories import make_payload, make_traces, make_user
from tests.traces.test_api import freeze
from traces import services
from traces.models import Import, Score, Trace
from traces.scorers import SCORERS

pytestmark = pytest.mark.django_db

LIST = "/admin/traces/trace/"


@pytest.fixture
def admin(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def act(client, address: str, action: str, rows):
    return client.post(address, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


@pytest.mark.parametrize("query", ["", "?q=27", "?q=%00", "?trace_version__exact=1.0"])
def test_the_list_opens(admin, query):
    make_traces(3)
    assert admin.get(LIST + query).status_code == 200


def test_a_trace_can_be_read_and_not_changed(admin):
    (trace,) = make_traces(1)
    page = admin.get(f"{LIST}{trace.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{trace.pk}/delete/").status_code == 403


def test_chosen_traces_are_scored(admin):
    make_traces(3)
    act(admin, LIST, "score", Trace.objects.all()[:2])
    assert Score.objects.values("trace").distinct().count() == 2
    assert Score.objects.count() == 2 * len(SCORERS)


def test_chosen_traces_are_deleted_but_for_those_in_use(admin):
    held, *_ = make_traces(3)
    freeze(held)
    page = act(admin, LIST, "delete", Trace.objects.all())
    assert "2 deleted, 1 held" in page.content.decode()
    assert list(Trace.objects.all()) == [held]


def test_who_may_only_look_can_neither_score_nor_delete(client):
    viewer = make_user(is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_trace"))
    client.force_login(viewer)
    make_traces(2)
    for action in ("score", "delete"):
        act(client, LIST, action, Trace.objects.all())
    assert (Trace.objects.count(), Score.objects.count()) == (2, 0)


def test_an_import_is_cancelled(admin):
    row = services.import_file(file=io.BytesIO(b"{}"), file_name="rows.jsonl", at_once=False, by=None)
    for _ in range(2):
        assert act(admin, "/admin/traces/import/", "cancel", [row]).status_code == 200
    assert Import.objects.get().status == "cancelled"


def test_an_import_is_undone_by_who_may_delete_traces(admin):
    data = json.dumps(make_payload()).encode()
    row = services.import_file(file=io.BytesIO(data), file_name="rows.jsonl", at_once=True, by=None)
    viewer, browser = make_user(is_staff=True), Client()
    viewer.user_permissions.add(Permission.objects.get(codename="view_import"))
    browser.force_login(viewer)
    act(browser, "/admin/traces/import/", "undo", [row])
    assert Import.objects.get().status == "done"
    for _ in range(2):
        assert act(admin, "/admin/traces/import/", "undo", [row]).status_code == 200
    assert Import.objects.get().status == "undoing"
