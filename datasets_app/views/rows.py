"""Pages of a dataset's rows: the list, one row, and what the model sees of it."""

from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from datasets_app import services
from datasets_app.models import Dataset, DatasetItem
from datasets_app.views.datasets import find_dataset
from training.config import TrainConfig
from training.errors import Invalid
from training.renderers import RECIPES
from training.sight import Kind, Piece, Sight
from training.splits import SPLITS
from tunixrt.lib.errors import NotFound, Refused
from tunixrt.lib.keyset import page_of

PAGE_ROWS = 25
MAX_DIGITS = 9  # of a position
SETTINGS = ("recipe", "max_length", "vocab_size")
MARKS = {"\n": "↵", "\r": "␍", "\t": "⇥"}  # beside the character itself


class Token(NamedTuple):
    """A piece as it is drawn: its text, and a mark for what the text does not show."""

    id: int
    text: str
    mark: str
    is_control: bool


@require_safe
def dataset_rows(request: HttpRequest, key: str) -> HttpResponse:
    """The rows in manifest order. The thousandth page costs what the first one does: a page begins after a row."""
    dataset, query = find_dataset(key), request.GET
    asked = {name: query.get(name) or None for name in ("split", "gate", "group")}
    context: dict[str, Any] = {"dataset": dataset, "asked": asked, "splits": SPLITS, "faults": []}
    try:
        context["gates"] = services.gates_of(dataset)
        rows = services.list_rows(dataset, **asked)
        context["found"] = page_of(rows, services.MANIFEST_ORDER, size=PAGE_ROWS, **_place(query))
    except Invalid as invalid:
        context["faults"] = invalid.faults
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("dataset_detail", dataset.key)
    return _page(request, "datasets/rows.html", context, status=422 if context["faults"] else 200)


@require_safe
def dataset_row(request: HttpRequest, key: str, position: int) -> HttpResponse:
    """A row. What the model sees of it comes along when its tokenizer is there, and is asked for afterwards if not."""
    return _row(request, find_dataset(key), position, may_learn=False)


@require_safe
def dataset_row_tokens(request: HttpRequest, key: str, position: int) -> HttpResponse:
    """As `dataset_row`, but what the model sees is there whatever it takes; for htmx that part alone."""
    return _row(request, find_dataset(key), position, may_learn=True)


@require_safe
def dataset_row_of_trace(request: HttpRequest, key: str, trace_id: UUID) -> HttpResponse:
    """The way to a trace's row."""
    dataset = find_dataset(key)
    try:
        return redirect("dataset_row", dataset.key, services.position_of(dataset, trace_id))
    except NotFound as missing:
        raise Http404(missing.detail)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("dataset_detail", dataset.key)


def _row(request: HttpRequest, dataset: Dataset, position: int, *, may_learn: bool) -> HttpResponse:
    given = {name: request.GET[name] for name in SETTINGS if name in request.GET}
    context: dict[str, Any] = {"dataset": dataset, "recipes": RECIPES.values(), "given": given, "faults": []}
    context["query"] = f"?{urlencode(given)}" if given else ""  # the neighbours are seen in the same way
    try:
        row = context["shown"] = services.row_at(dataset, position)
        settings = context["settings"] = services.read_settings(dataset, given)
        if may_learn or services.has_tokenizer(dataset, settings):
            context |= _sight(services.sight_of(dataset, row, settings), settings)
    except Invalid as invalid:
        context |= {"faults": invalid.faults, "settings": services.read_settings(dataset, {})}
    except NotFound as missing:
        raise Http404(missing.detail)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("dataset_detail", dataset.key)
    if request.htmx:  # type: ignore[attr-defined]
        return _page(request, "datasets/_tokens.html", context)
    return _page(request, "datasets/row.html", context, status=422 if context["faults"] else 200)


def _sight(sight: Sight, settings: TrainConfig) -> dict[str, Any]:
    return {
        "sight": sight,
        "taught": _runs(sight.pieces),
        "asked": _runs(sight.prompt),
        "kinds": [(kind, sight.counts[kind]) for kind in Kind],
        "prompt_fits": sight.prompt_length <= settings.data.max_length,
    }


def _runs(pieces: list[Piece]) -> list[tuple[Kind, list[Token]]]:
    """The tokens of one kind that stand together, so that each run is named once for those who cannot see its look."""
    return [(kind, list(map(_token, run))) for kind, run in groupby(pieces, key=lambda piece: piece.kind)]


def _token(piece: Piece) -> Token:
    mark = piece.bytes.hex() if piece.is_part else "".join(MARKS.get(char, "") for char in piece.text)
    return Token(piece.id, piece.text, mark, piece.is_control)


def _place(query) -> dict[str, str | None]:
    """Where the page begins. A typed row number is the place after the row before it; anything odd means the start."""
    before, after, row = (query.get(name) for name in ("before", "after", "row"))
    if not before and not after and row and row.isascii() and row.isdigit() and len(row) <= MAX_DIGITS and int(row):
        after = services.MANIFEST_ORDER.token(DatasetItem(position=int(row) - 1))
    return {"before": before, "after": after}


def _page(request: HttpRequest, template: str, context: dict, status: int = 200) -> HttpResponse:
    return render(request, template, {"room": "datasets", **context}, status=status)
