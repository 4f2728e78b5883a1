"""Pages that begin after a row."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_trace
from traces.models import Trace
from training.errors import Invalid
from tunixrt.lib.keyset import Order, page_of

pytestmark = pytest.mark.django_db

ORDERS = [Order("-created_at", "-pk"), Order("created_at", "pk"), Order("-step_count", "-created_at", "-pk")]


def walk(order: Order, size: int):
    """All pages from one end to the other."""
    token = None
    while True:
        page = page_of(Trace.objects.all(), order, before=None, after=token, size=size)
        yield page
        token = page.after
        if token is None:
            return


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_every_row_comes_once_in_order_whatever_the_size_of_the_page(order, size):
    for number in range(11):  # with ties in every column but the last
        make_trace(f"{number}", steps=1 + number % 3, created_at=datetime(2026, 1, 1 + number // 4, tzinfo=UTC))
    rows = [row for page in walk(order, size) for row in page.rows]
    assert rows == list(order.sort(Trace.objects.all()))


def test_the_way_back_leads_over_the_same_rows():
    for number in range(7):
        make_trace(f"{number}")
    order = ORDERS[0]
    first = page_of(Trace.objects.all(), order, before=None, after=None, size=3)
    second = page_of(Trace.objects.all(), order, before=None, after=first.after, size=3)
    back = page_of(Trace.objects.all(), order, before=second.before, after=None, size=3)
    assert back.rows == first.rows
    assert (first.before, back.before) == (None, None)


def test_rows_that_come_in_between_move_nobody():
    rows = [make_trace(f"{number}", created_at=datetime(2026, 1, 1 + number, tzinfo=UTC)) for number in range(4)]
    order = ORDERS[0]
    first = page_of(Trace.objects.all(), order, before=None, after=None, size=2)
    make_trace("newer")
    rows[2].delete()  # the row the token stands for
    second = page_of(Trace.objects.all(), order, before=None, after=first.after, size=2)
    assert second.rows == [rows[1], rows[0]]


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda data: data.hex()))
def test_a_token_that_is_none_is_refused(token):
    if token:
        with pytest.raises(Invalid, match="place in this list"):
            page_of(Trace.objects.all(), ORDERS[0], before=None, after=token, size=2)


@pytest.mark.parametrize("values", [[], [1, 2], [None, None], ["2026-01-01", "xx"], {"a": 1}, [[1], {}]])
def test_json_that_is_no_place_is_refused(values):
    token = base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
    with pytest.raises(Invalid):
        page_of(Trace.objects.all(), ORDERS[0], before=None, after=token, size=2)


@pytest.mark.parametrize("first", [10**30, 2**63, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", True, 1.5])
@pytest.mark.parametrize("order", ORDERS)
def test_a_forged_place_is_refused_or_read_but_never_breaks_the_list(order, first):
    values = [first, "2026-01-01T00:00:00+00:00", "00000000-0000-0000-0000-000000000000"][-len(order.names) :]
    token = base64.urlsafe_b64encode(json.dumps([first, *values[1:]]).encode()).decode()
    with suppress(Invalid):
        assert page_of(Trace.objects.all(), order, before=None, after=token, size=2).rows == []
