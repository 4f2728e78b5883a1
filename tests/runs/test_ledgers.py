"""The rows behind a curve: the page of a step, the lists over all of them, a trace's losses, and the same over HTTP."""

import math
import re
from uuid import uuid4

import numpy as np
import pytest
from django.urls import reverse

from datasets_app.models import DatasetItem
from runs.models import Run
from runs.services import launch_run
from tests.runs.making import TINY, write_ledger, write_losses
from traces.models import Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def taught(run) -> list[Trace]:
    """The traces of a run in the order of its ledger: the third was never learned, the fifth was forgotten."""
    items = DatasetItem.objects.filter(dataset=run.dataset, split="train").order_by("position").select_related("trace")
    traces = [item.trace for item in items]
    losses = np.array([[2.0, 0.2, 0.1 + row / 1000] for row in range(len(traces))])
    losses[2], losses[4] = [3.0, 2.5, 2.0], [2.5, 0.05, 1.0]
    write_ledger(run, [str(trace.pk) for trace in traces], losses.T)
    write_losses(run, losses.mean(axis=0).tolist())
    return traces


def page(client, run: Run, query: str = "") -> str:
    response = client.get(reverse("run_ledger", args=[run.pk]) + query)
    assert response.status_code == 200
    return response.content.decode()


def opened(text: str) -> list[str]:
    """The traces that a page links to, in its order."""
    return re.findall(r'href="/traces/([0-9a-f-]{36})/"', text)


def test_the_rows_of_a_step_are_ranked_and_lead_to_their_traces(client_in, run, taught):
    text = page(client_in, run, "?step=3")
    assert "<h1>Rows of step 3</h1>" in text
    assert opened(text)[:3] == [str(taught[2].pk), str(taught[4].pk), str(taught[-1].pk)]
    assert taught[2].prompt[:40] in text
    assert 'href="?step=2"' in text
    assert 'href="?step=4"' not in text


def test_the_pages_of_a_step_go_on_where_the_one_before_ended(client_in, run, taught):
    both = opened(page(client_in, run, "?step=3")) + opened(page(client_in, run, "?step=3&offset=25"))
    assert sorted(both) == sorted(str(trace.pk) for trace in taught)


@pytest.mark.parametrize(("asked", "shown"), [("", 3), ("?step=0", 1), ("?step=99", 3), ("?step=x", 3), ("?step=", 3)])
def test_a_step_that_is_not_there_leads_to_the_nearest(client_in, run, taught, asked, shown):
    assert f"<h1>Rows of step {shown}</h1>" in page(client_in, run, asked)


@pytest.mark.parametrize(("name", "place"), [("never_learned", 2), ("forgotten", 4)])
def test_rows_never_learned_and_forgotten_are_lists_with_their_reason(client_in, run, taught, name, place):
    text = page(client_in, run, f"?list={name}")
    assert opened(text) == [str(taught[place].pk)]
    assert "Never learned (1)" in text
    assert "Forgotten (1)" in text
    assert "a row was looked at 3.0 times on average" in text
    assert "which is what most rows reached by their last look" in text
    assert 'href="?step=3">step 3</a>' in text


def test_a_list_without_rows_says_what_that_means(client_in, run, dataset):
    write_ledger(run, ["a", "b"], [[1.0, 1.0]])
    assert "No row is here" in page(client_in, run, "?list=never_learned")
    assert "No row was forgotten" in page(client_in, run, "?list=forgotten")
    assert '<span class="mono">a</span>' in page(client_in, run)


def test_a_hostile_prompt_or_name_is_text(client_in, run):
    trace = Trace.objects.first()
    Trace.objects.filter(pk=trace.pk).update(prompt="<script>alert(1)</script>")
    write_ledger(run, [str(trace.pk), "<b>bold</b>"], [[math.nan, 0.5]])
    text = page(client_in, run)
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;bold" in text
    assert not re.search("<script>|<b>", text)
    assert re.search(r"Loss nan", text)


def test_a_run_without_a_ledger_says_why(client_in, run, dataset, tunix):
    assert "The ledger begins with the first update" in page(client_in, run)
    other = launch_run(dataset_key=dataset.key, config=TINY, engine="tunix")
    assert "The engine tunix gives one loss an update" in page(client_in, other)
    Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=run.created_at)
    assert "This run kept no ledger" in page(client_in, run)


def test_every_point_of_the_curve_opens_its_step(client_in, run, taught):
    text = client_in.get(reverse("run_detail", args=[run.pk])).content.decode()
    assert f'data-opens="/runs/{run.pk}/ledger/?step="' in text
    assert f'action="/runs/{run.pk}/ledger/"' in text  # without a script


def test_the_page_of_a_trace_shows_its_losses_in_the_runs_that_were_taught_it(client_in, run, taught):
    address = reverse("trace_losses", args=[taught[2].pk])
    assert f'hx-get="{address}"' in client_in.get(reverse("trace_detail", args=[taught[2].pk])).content.decode()
    part = client_in.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert 'data-points="1,3;2,2.5;3,2"' in part
    assert f'/runs/{run.pk}/ledger/?step=3">step 3' in part
    assert "<html" in client_in.get(address).content.decode()


def test_a_trace_that_nothing_was_taught_has_no_losses_yet(client_in, run, taught):
    held_out = DatasetItem.objects.filter(dataset=run.dataset).exclude(split="train").first()
    assert "No ledger has a loss of it" in client_in.get(f"/traces/{held_out.trace_id}/losses/").content.decode()
    assert client_in.get(f"/traces/{uuid4()}/losses/").status_code == 404


def test_the_api_gives_the_rows_of_a_step_and_the_losses_of_a_row(api, run, taught):
    address = f"/api/runs/{run.pk}/ledger"
    found = api.get(f"{address}?step=3&limit=2").json()
    assert found["data"][0] == {"id": str(taught[2].pk), "step": 3, "tokens": 7, "loss": 2.0}
    assert found["pagination"] == {"limit": 2, "offset": 0, "next_offset": 2}
    over_time = api.get(f"{address}?row={taught[2].pk}").json()["data"]
    assert [(look["step"], look["loss"]) for look in over_time] == [(1, 3.0), (2, 2.5), (3, 2.0)]


def test_a_loss_that_is_no_number_is_null_over_http(api, run):
    write_ledger(run, ["a", "b"], [[math.nan, 0.5]])
    assert [row["loss"] for row in api.get(f"/api/runs/{run.pk}/ledger?step=1").json()["data"]] == [None, 0.5]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "wrong_value"),
        ("?step=1&row=a", 422, "wrong_value"),
        ("?step=x", 422, "wrong_value"),
        ("?step=1&nonsense=2", 422, "unknown_parameter"),
        ("?step=77", 404, "not_found"),
        ("?row=absent", 404, "not_found"),
    ],
)
def test_what_the_api_cannot_answer_it_refuses_with_the_reason(api, run, taught, query, status, code):
    response = api.get(f"/api/runs/{run.pk}/ledger{query}")
    assert response.status_code == status
    body = response.json()
    assert code in (body["code"], *(error["type"] for error in body["errors"]))


def test_a_run_without_a_ledger_is_a_conflict_over_http(api, run):
    response = api.get(f"/api/runs/{run.pk}/ledger?step=1")
    assert (response.status_code, response.json()["code"]) == (409, "no_ledger")
