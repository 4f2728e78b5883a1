"""Forms of this room. The rules are those of the services; a form only asks."""

from dataclasses import dataclass

from django import forms

from traces.filters import FILTERS, read_filters
from traces.services import MAX_FILE_NAME
from training.errors import Fault, Invalid
from training.formats import FORMATS


@dataclass(frozen=True)
class FormatHelp:
    name: str
    about: str
    example: str


FORMAT_HELP = (
    FormatHelp(
        "trace",
        "A prompt, its numbered steps and the final answer; meta may hold anything. What tunixrt itself writes.",
        '{"trace_version": "1.0", "prompt": "What is 27 × 19?", "final_answer": "513", "steps": '
        '[{"i": 0, "type": "compute", "content": "27 × 19 = 513"}], "meta": {"source": "book"}}',
    ),
    FormatHelp(
        "messages",
        "A conversation. The assistant's last turn shows its reasoning in <think> tags or in reasoning_content.",
        '{"messages": [{"role": "user", "content": "What is 2 + 2?"}, '
        '{"role": "assistant", "content": "<think>2 + 2 = 4</think>4"}]}',
    ),
    FormatHelp(
        "gsm8k",
        "A question, and an answer with one step a line and the result after ####.",
        '{"question": "How many legs have 3 cats?", "answer": "3 × 4 = <<3*4=12>>12 legs\\n#### 12"}',
    ),
)


class FilterForm(forms.Form):
    """What narrows the list of traces; it lives in the URL. A link from an import adds which one it was."""

    q = forms.CharField(label="Words", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    source = forms.CharField(label="Source", required=False)
    min_score = forms.CharField(
        label="Score at least", required=False, widget=forms.TextInput(attrs={"inputmode": "decimal", "size": 6})
    )

    imported = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def filters(self) -> tuple[dict, list[Fault]]:
        """The filters that were filled in, and what is wrong with them."""
        given = {name: self.data[name].strip() for name in FILTERS if self.data.get(name, "").strip()}
        try:
            return read_filters(given), []
        except Invalid as invalid:
            return {}, invalid.faults


class ImportForm(forms.Form):
    file = forms.FileField(
        label="File",
        max_length=MAX_FILE_NAME,
        help_text="JSONL (one row a line) or one JSON list, as UTF-8.",
        widget=forms.FileInput(attrs={"accept": ".jsonl,.json,.ndjson"}),
    )
    format = forms.ChoiceField(
        label="Format", choices=[("auto", "find out from the first row"), *((name, name) for name in FORMATS)]
    )
    source = forms.CharField(
        label="Source",
        required=False,
        max_length=MAX_FILE_NAME,
        help_text="Noted on rows that do not name their own; the file's name when empty.",
    )
    skip_bad = forms.BooleanField(
        label="Leave out rows that break a rule, and keep the rest",
        required=False,
        help_text="Otherwise one bad row means that nothing is imported.",
    )
