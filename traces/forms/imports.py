"""Forms of this room. The rules are those of the services; a form only asks."""

from django import forms

from traces.services import MAX_FILE_NAME
from training.formats import FORMATS

FORMAT_HELP = tuple(FORMATS.values())


class UploadForm(forms.Form):
    file = forms.FileField(
        label="File",
        max_length=MAX_FILE_NAME,
        help_text="JSONL (one row a line) or one JSON list, as UTF-8, also packed as .gz or .zst; or Parquet.",
        widget=forms.FileInput(attrs={"accept": ".jsonl,.json,.ndjson,.gz,.zst,.parquet"}),
    )


class FormatForm(forms.Form):
    """How a kept file is to be read; it lives in the URL of its page."""

    format = forms.ChoiceField(
        label="Read it as", choices=[("auto", "what the first row looks like"), *((name, name) for name in FORMATS)]
    )


class StartForm(forms.Form):
    format = forms.ChoiceField(choices=[(name, name) for name in ("auto", *FORMATS)], widget=forms.HiddenInput)
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
