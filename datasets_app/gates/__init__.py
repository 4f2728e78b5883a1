"""The gates that rows pass before they are frozen, in the order people read them."""

from collections.abc import Mapping

from django.conf import settings

from datasets_app.gates.answers import ConflictingAnswers, Repeats
from datasets_app.gates.charset import Charset
from datasets_app.gates.gate import ACTIONS, REFUSE, WARN, Finding, Gate, Row, Taught
from datasets_app.gates.searches import Emails, Secrets
from datasets_app.gates.steps import AnswerReadsBack, EmptySteps, RecipeMarks
from datasets_app.gates.tokens import AnswerFits, PromptParity, StopToken, TrainedTokens

__all__ = [
    "ACTIONS",
    "CONTAMINATION",
    "GATES",
    "NAMES",
    "REFUSE",
    "WARN",
    "Finding",
    "Gate",
    "Row",
    "Taught",
    "action_of",
    "open_gates",
]

READ_IN_ORDER = (
    TrainedTokens,
    AnswerFits,
    StopToken,
    PromptParity,
    EmptySteps,
    RecipeMarks,
    AnswerReadsBack,
    ConflictingAnswers,
    Repeats,
    Charset,
    Secrets,
    Emails,
)
GATES: dict[str, type[Gate]] = {gate.name: gate for gate in READ_IN_ORDER}
CONTAMINATION = "contamination"  # what the firewall finds is recorded as a gate's result is
NAMES = (*GATES, CONTAMINATION)


def open_gates(taught: Taught) -> list[Gate]:
    """All gates, for one build."""
    return [gate(taught) for gate in GATES.values()]


def action_of(name: str, asked: Mapping[str, str]) -> str:
    """What a gate does with what it finds: as the request asks, else as DATASET_REFUSES says, else as the gate does."""
    usual = GATES[name].action if name in GATES else WARN
    return asked.get(name) or (REFUSE if name in settings.DATASET_REFUSES else usual)
