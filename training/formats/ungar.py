"""`ungar`: the rows that the exports of UNGAR episodes and of datasets (`trace`) write, read back."""

from training.errors import Fault, Invalid
from training.formats.format import COMPUTE, Format, meta_of, payload, text_of
from training.json_rules import Loc
from training.schema import TRACE_VERSION, kind

FIELDS = ("prompts", "trace_steps", "final_answer", "metadata")
# The export leaves the types of steps out. Those of an episode begin with words of their own.
EPISODE_TYPES = {
    "Legal moves: ": "legal_moves",
    "My hand: ": "observation",
    "Unseen cards: ": "unseen",
    "Action chosen: ": "decision",
}


def convert(row: dict, source: str) -> dict:
    """The row's `id` and `created_at` are kept in `meta`, unless the metadata has names of its own for them."""
    metadata = _metadata(row)
    version = metadata.pop("trace_version", TRACE_VERSION)
    meta = meta_of(row, source, FIELDS) | metadata
    trace = payload(text_of(row, "prompts"), _steps(row), COMPUTE, text_of(row, "final_answer"), meta)
    for step in trace["steps"]:
        step["type"] = _type_of(step["content"])
    return trace | {"trace_version": version}


def _metadata(row: dict) -> dict:
    metadata = row.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Invalid(Fault(("metadata",), f"is {kind(metadata)}; it must be an object or null", "wrong_type"))
    return dict(metadata or {})


def _steps(row: dict) -> list[str]:
    steps = row.get("trace_steps")
    if not isinstance(steps, list) or not steps:
        found = "empty" if steps == [] else kind(steps)
        raise Invalid(Fault(("trace_steps",), f"is {found}; it must be a list of texts", "wrong_type"))
    return [_step(step, ("trace_steps", index)) for index, step in enumerate(steps)]


def _step(step: object, loc: Loc) -> str:
    if not isinstance(step, str):
        raise Invalid(Fault(loc, f"is {kind(step)}; it must be a text", "wrong_type"))
    return step


def _type_of(content: str) -> str:
    return next((type for words, type in EPISODE_TYPES.items() if content.startswith(words)), COMPUTE)


FORMAT = Format(
    name="ungar",
    about="What the exports of UNGAR episodes and of datasets (trace) write: a prompt, steps as texts, an answer.",
    example='{"id": "e42", "prompts": "High Card Duel: You have 1 hidden card. Action: reveal.", "trace_steps": '
    '["Legal moves: [reveal]", "My hand: TS", "Unseen cards: 51", "Action chosen: reveal"], '
    '"final_answer": "reveal", "metadata": {"trace_version": "1.0", "result": "loss", "seed": 42}}',
    mapping=(
        ("prompts", "prompt"),
        ("trace_steps", "steps"),
        ("final_answer", "final_answer"),
        ("metadata, trace_version", "trace_version"),
        ("metadata", "meta"),
        ("id and all others", "meta"),
    ),
    marks=(frozenset({"prompts", "trace_steps"}),),
    convert=convert,
)
