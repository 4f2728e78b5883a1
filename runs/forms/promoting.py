"""The form that makes a trace of a model's answer."""

from typing import Any

from django import forms

from runs import services
from runs.models import Prediction
from runs.services import Promotion
from training.errors import Fault, Invalid
from training.formats.format import lines_of
from tunixrt.lib.errors import Refused

MOST_ROWS = 16  # of the text field, before it scrolls


class PromoteForm(forms.Form):
    """What `promote_prediction` takes, filled with what the model wrote. What is refused stands at its field."""

    steps = forms.CharField(
        widget=forms.Textarea(attrs={"spellcheck": "false"}),
        help_text="One a line, without numbers.",
        error_messages={"required": "A trace has at least one step."},
    )
    final_answer = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        label="Final answer",
        error_messages={"required": "A trace has a final answer."},
    )
    confirmed = forms.BooleanField(required=False, label="I know that this gives the question away: make the trace")

    def __init__(self, prediction: Prediction, data: Any = None):
        shown = services.generated(prediction)
        initial = {"steps": "\n".join(shown.steps), "final_answer": shown.answer or ""}
        super().__init__(data, initial=initial, auto_id="promote_%s")
        self.fields["steps"].widget.attrs["rows"] = min(max(4, len(shown.steps) + 1), MOST_ROWS)
        self._prediction = prediction

    def promote(self, by) -> Promotion | None:
        """The trace, or None with the reasons at their fields."""
        if not self.is_valid():
            return None
        given = self.cleaned_data
        texts = {name: given[name].replace("\r\n", "\n") for name in ("steps", "final_answer")}
        try:
            return services.promote_prediction(
                prediction=self._prediction,
                steps=lines_of(texts["steps"]),
                final_answer=texts["final_answer"],
                confirmed=given["confirmed"],
                by=by,
            )
        except Invalid as invalid:
            for fault in invalid.faults:
                self.add_error(*_said(fault))
        except Refused as refused:
            self.add_error(None, refused.detail)
        return None


def _said(fault: Fault) -> tuple[str | None, str]:
    """The field that a fault belongs to, and what is said there."""
    match fault.loc:
        case ("steps", int(number), *_):
            return "steps", f"Step {number + 1} {fault.msg}."
        case (("steps" | "final_answer" | "confirmed") as name, *_):
            return name, f"This {fault.msg}." if name == "confirmed" else f"The field {fault.msg}."
        case _:
            return None, f"{fault}."
