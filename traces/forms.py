"""Forms of this room. The rules are those of the services; a form only asks."""

from django import forms

from traces.services import MAX_FILE_NAME
from training.formats import FORMATS

FORMAT_HELP = tuple(FORMATS.values())


class ImportForm(forms.Form):
    file = forms.FileField(
        label="File",
        max_length=MAX_FILE_NAME,
        help_text="JSONL (one row a line) or one JSON list, as UTF-8, also packed as .gz or .zst; or Parquet.",
        widget=forms.FileInput(attrs={"accept": ".jsonl,.json,.ndjson,.gz,.zst,.parquet"}),
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
