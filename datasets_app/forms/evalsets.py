"""The form that imports an evalset."""

from pathlib import Path
from tempfile import NamedTemporaryFile

from django import forms
from django.conf import settings

from datasets_app import services
from datasets_app.evalset_files import FILE_FORMATS
from datasets_app.models import EvalSet


class EvalsetForm(forms.Form):
    file = forms.FileField(label="File", help_text="One JSON object a line.")
    name = forms.CharField(label="Name", required=False, max_length=200, help_text="The file's name when left empty.")
    format = forms.ChoiceField(
        label="Format",
        choices=[(name, name) for name in FILE_FORMATS],
        help_text="evalset, or traces whose prompts are asked: trace, messages, gsm8k.",
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_BYTES:
            raise forms.ValidationError(f"is larger than {settings.UPLOAD_MAX_BYTES} bytes (UPLOAD_MAX_BYTES)")
        return file

    def store(self, by) -> EvalSet:
        """The evalset of a valid form. Raises Invalid with the lines that break a rule."""
        file, name = self.cleaned_data["file"], self.cleaned_data["name"]
        with NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
            for chunk in file.chunks():
                copy.write(chunk)
            copy.flush()
            return services.evalset_from_file(
                path=Path(copy.name), name=name or file.name, format=self.cleaned_data["format"], by=by
            )
