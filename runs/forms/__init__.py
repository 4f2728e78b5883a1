"""Forms of this room. The rules are those of the services; a form only asks."""

from runs.forms.launching import PREFERRED, LaunchForm, config_text, initial_of
from runs.forms.promoting import PromoteForm

__all__ = ["PREFERRED", "LaunchForm", "PromoteForm", "config_text", "initial_of"]
