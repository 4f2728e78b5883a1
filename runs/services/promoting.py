"""A model's answer, corrected or as it is, made a new trace."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from datasets_app.models import EvalItem
from runs import causes
from runs.models import Prediction
from traces.models import Trace
from traces.services import store_traces
from training.canonical import canonical_json, content_sha256
from training.errors import Fault, Invalid, echo
from training.formats.evaluation import generation
from training.formats.format import lines_of
from training.judges import ParsedOutput, is_right, parse_output
from training.schema import read_trace
from training.splits import group_of, split_of
from tunixrt.lib.errors import TooLarge

NOT_CONFIRMED = (
    "must be confirmed: a model that is taught this trace has seen the question, so its score on this evalset "
    "says less from then on"
)


class Promotion(NamedTuple):
    """The trace, and whether it is new: the same text is promoted once."""

    trace: Trace
    is_new: bool


def promote_prediction(
    *, prediction: Prediction, steps: Any = None, final_answer: Any = None, confirmed: bool = False, by=None
) -> Promotion:
    """Makes a trace of what a model answered; what is not given stays as the model wrote it.

    The prompt is the item's. The same text, promoted from the same item of the same run before, is found instead of
    made. Raises Invalid at `steps`, `final_answer` or `confirmed`; TooLarge over TRACE_MAX_BYTES.
    """
    shown = generated(prediction)
    texts = shown.steps if steps is None else _texts(steps)
    answer = (shown.answer or "") if final_answer is None else final_answer
    as_generated = _is_same(texts, answer, shown)
    if as_generated:
        texts, answer = shown
    payload = _checked(_payload(prediction, texts, answer, as_generated, by), confirmed)
    with transaction.atomic():
        # Nobody else promotes from this item until the transaction ends. SQLite lets one writer in anyway.
        EvalItem.objects.select_for_update(no_key=True).get(pk=prediction.item_id)
        known = causes.promoted(prediction.evaluation.run, prediction.item)
        if trace := known.filter(content_sha256=content_sha256(payload)).first():
            return Promotion(trace, is_new=False)
        (trace_id,) = store_traces(payloads=[payload], by=by)
        return Promotion(Trace.objects.get(pk=trace_id), is_new=True)


def generated(prediction: Prediction) -> ParsedOutput:
    """The steps that a model showed, and the answer that was judged."""
    recipe = prediction.evaluation.run.config["data"]["recipe"]
    return ParsedOutput(parse_output(prediction.output, recipe).steps, prediction.answer)


def split_of_item(item: EvalItem) -> str:
    """The split that datasets put a trace of this question into, unless an older near-twin decides."""
    return split_of(group_of(generation(item.prompt, [], "", {})))


def _texts(steps: Any) -> list[str]:
    if not isinstance(steps, list):
        raise Invalid(Fault(("steps",), f"must be a list of texts, not {echo(steps)}", "wrong_type"))
    return steps


def _is_same(steps: list[str], answer: Any, shown: ParsedOutput) -> bool:
    """Whether these are the model's own words; how they are broken into lines does not matter."""
    if not all(isinstance(text, str) for text in (answer, *steps)):
        return False
    return lines_of("\n".join(steps)) == lines_of("\n".join(shown.steps)) and answer.strip() == shown.answer


def _payload(prediction: Prediction, steps: list[str], answer: Any, as_generated: bool, by) -> dict:
    evaluation, item = prediction.evaluation, prediction.item
    run = evaluation.run
    meta = causes.named(run, item) | {
        "evalset": run.evalset.name,
        "evalset_sha256": run.evalset.sha256,
        "stage": evaluation.stage,
        "checkpoint_step": evaluation.checkpoint_step,
        "as_generated": as_generated,
        "as_expected": isinstance(answer, str) and is_right(item.to_dict(), answer),
        "promoted_by": by.get_username() if by else None,
    }
    judged = {"correct": prediction.correct} if as_generated else {}
    return generation(item.prompt, steps, answer, meta | judged)


def _checked(payload: dict, confirmed: bool) -> dict:
    """The payload as a trace. Raises Invalid with all that is wrong with it, a missing confirmation included."""
    faults = list(_faults(payload))
    if confirmed is not True:
        faults.append(Fault(("confirmed",), NOT_CONFIRMED, "not_confirmed"))
    if faults:
        raise Invalid(faults)
    trace = read_trace(payload)
    if len(canonical_json(trace).encode()) > settings.TRACE_MAX_BYTES:
        raise TooLarge(f"The trace is larger than {settings.TRACE_MAX_BYTES} bytes (TRACE_MAX_BYTES).")
    return trace


def _faults(payload: dict) -> Iterator[Fault]:
    try:
        read_trace(payload)
    except Invalid as invalid:
        yield from invalid.faults
