"""The forms that import an evalset and that generate one."""

from pathlib import Path
from tempfile import NamedTemporaryFile

from django import forms
from django.conf import settings

from datasets_app import services
from datasets_app.evalset_files import FILE_FORMATS
from datasets_app.models import EvalSet
from datasets_app.services.evalsets import DEFAULT_COUNT
from training.held_out import COUNTS
from training.problems import PROBLEMS


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


class ProblemForm(forms.Form):
    problem = forms.ChoiceField(
        label="Problem", choices=[(problem.name, problem.title) for problem in PROBLEMS.values()]
    )
    count = forms.IntegerField(label="Items", min_value=COUNTS[0], max_value=COUNTS[-1], initial=DEFAULT_COUNT)
    difficulty = forms.IntegerField(label="Difficulty", required=False, help_text="The problem's own when left empty.")
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=0,
        max_value=2**63 - 1,
        help_text="The same seed gives the same items. Drawn when left empty.",
    )
    name = forms.CharField(
        label="Name", required=False, max_length=200, help_text="Problem, difficulty and seed when left empty."
    )

    def store(self, by) -> EvalSet:
        """The evalset of a valid form. Raises Invalid for a difficulty or a number of items that is not there."""
        return services.evalset_from_problem(**self.cleaned_data, by=by)
