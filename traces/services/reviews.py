"""Steps that people judge, one after another, up to the first mistake."""

from django.db import transaction
from django.utils import timezone

from traces.models import StepReview, Trace
from traces.models.judging import MAX_NOTE
from training.errors import Fault, Invalid, echo
from training.json_rules import text_faults
from tunixrt.lib.errors import Conflict, NotFound

MISTAKE = StepReview.Rating.MISTAKE


def review_step(*, trace: Trace, step: object, rating: object, note: object = "", by) -> StepReview:
    """Writes what a person says of the step with this `i`, or changes it; the same request twice leaves one rating.

    A mistake ends that person's review: what they said of later steps is dropped, and a later step is refused with
    Conflict until the mistake is taken back (PRM800K, arXiv:2305.20050). Raises Invalid for a step, rating or note
    that cannot be, NotFound when the trace is gone.
    """
    _check(trace, step, rating, note)
    with transaction.atomic():
        _lock(trace)
        mine = StepReview.objects.filter(trace=trace, reviewer=by)
        mistake = mine.filter(rating=MISTAKE, step__lt=step).first()
        if mistake:
            raise Conflict(_after(trace, mistake), code="after_mistake")
        if rating == MISTAKE:
            mine.filter(step__gt=step).delete()
        moment = timezone.now()
        review = mine.filter(step=step).first() or StepReview(trace=trace, step=step, reviewer=by)
        if review.rating != rating:
            review.rating, review.created_at = rating, moment  # another rating is a new one: undo begins with it
        review.note, review.updated_at = note, moment
        review.save()
    return review


def take_back_review(*, trace: Trace, step: object, by) -> None:
    """Takes a person's rating of a step back. Raises NotFound when there is none."""
    known = step in numbers_of(trace)
    if not (known and StepReview.objects.filter(trace=trace, step=step, reviewer=by).delete()[0]):
        raise NotFound(f"You have not rated step {echo(step)} of this trace.")


def undo_review(*, by, latest: int | None = None) -> StepReview | None:
    """Takes a person's latest rating back and returns it; None when there is none.

    With `latest`, the id of the rating that the person looks at, nothing happens once it is not the latest any more:
    a double click undoes one rating, not two.
    """
    review = latest_review(by)
    if review is None or latest not in (None, review.pk):
        return None
    taken, _ = StepReview.objects.filter(pk=review.pk).delete()
    return review if taken else None


def latest_review(by) -> StepReview | None:
    """The rating that a person gave last."""
    return StepReview.objects.filter(reviewer=by).order_by("-created_at", "-pk").first()


def numbers_of(trace: Trace) -> list[int]:
    """The `i` of each step, in order."""
    return [step["i"] for step in trace.steps]


def _lock(trace: Trace) -> None:
    """One rating of a trace at a time: of two at once, the second sees what the first one wrote."""
    if not Trace.objects.select_for_update(no_key=True).filter(pk=trace.pk).values_list("pk").first():
        raise NotFound("This trace has been deleted.")


def _after(trace: Trace, mistake: StepReview) -> str:
    number = numbers_of(trace).index(mistake.step) + 1
    return f"You called step {number} a mistake, and nothing after a mistake is judged. Change that rating first."


def _check(trace: Trace, step: object, rating: object, note: object) -> None:
    faults, numbers = [], numbers_of(trace)
    if isinstance(step, bool) or step not in numbers:
        known = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"only {numbers[0]}"
        faults.append(
            Fault(("step",), f"{echo(step)} is the `i` of no step of this trace; it has {known}", "unknown_step")
        )
    if isinstance(rating, bool) or rating not in StepReview.Rating.values or not isinstance(rating, int):
        message = f"must be -1 (mistake), 0 (neutral) or 1 (good), not {echo(rating)}"
        faults.append(Fault(("rating",), message, "wrong_value"))
    if not isinstance(note, str):
        faults.append(Fault(("note",), f"must be a text, not {echo(note)}", "wrong_type"))
    elif len(note) > MAX_NOTE:
        faults.append(Fault(("note",), f"is {len(note)} characters long; at most {MAX_NOTE} are allowed", "too_long"))
    else:
        faults += text_faults(note, ("note",))
    if faults:
        raise Invalid(faults)
