"""The form for episodes of UNGAR. The rules are the service's; the form only asks."""

from django import forms

from traces import ungar
from traces.services.episodes import COUNTS, SEEDS

TASK_LABELS = {
    ungar.REVEAL: "reveal: what the player sees and does",
    ungar.ODDS: "odds: the chance to win, counted out",
}


class UngarForm(forms.Form):
    """Which episodes; it lives in the URL, so that a preview can be shared and kept later."""

    count = forms.IntegerField(label="Episodes", initial=5, min_value=COUNTS[0], max_value=COUNTS[-1])
    seed = forms.IntegerField(
        label="Seed of the first",
        required=False,
        min_value=SEEDS[0],
        max_value=SEEDS[-1],
        help_text="Drawn when empty.",
    )
    task = forms.ChoiceField(label="Trace", choices=[(task, TASK_LABELS[task]) for task in ungar.TASKS])
