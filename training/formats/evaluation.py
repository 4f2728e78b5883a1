"""`evaluation`: what an examination writes (`eval_generate`, `eval_after.jsonl`): worked answers that a model gave."""

from training.errors import Fault, Invalid
from training.formats.format import COMPUTE, REASON, Format, payload, text_of
from training.json_rules import text_faults
from training.judges import ParsedOutput, clean_output, parse_output
from training.problems import problem_of
from training.renderers import REASONING_TAGS, TRACE_SFT
from training.tags import REASONING

SOURCE = "evaluation"  # of every trace that a model wrote, or that corrects what one wrote
OUTPUT = "output"  # the field that no trace has
MARKS = frozenset({"prompt", "expected_answer", OUTPUT})
READ = ("id", "prompt", OUTPUT, "answer", "source")
NO_STEPS = "shows no step: neither numbered lines above `Answer:` nor lines between <reasoning> and </reasoning>"
NO_ANSWER = "holds no answer: neither after a last `Answer:` nor between <answer> and </answer>"
NOT_READ = "is null: the examination could not read an answer from this output"


def convert(row: dict, _source: str) -> dict:
    """The answer is the one that was judged, where the row tells it; the source is always an examination."""
    prompt, output = text_of(row, "prompt"), _output(row)
    shown = _parsed(output)
    if not shown.steps:
        raise Invalid(Fault((OUTPUT,), NO_STEPS, "missing_field"))
    return generation(prompt, shown.steps, _answer(row, shown), _meta(row))


def generation(prompt: str, steps: list[str], final_answer: str, meta: dict) -> dict:
    """The payload of an answer that a model gave, or that corrects one.

    A problem that is known by its prompt is named in `meta`: so the trace falls into the split of its twins.
    """
    problem = problem_of(prompt)
    named = {"problem": problem.name} if problem else {}
    return payload(prompt, steps, COMPUTE if problem else REASON, final_answer, {"source": SOURCE} | meta | named)


def _output(row: dict) -> str:
    output = text_of(row, OUTPUT)
    faults = list(text_faults(output, (OUTPUT,)))
    if not faults and clean_output(output)[1]:  # nothing is left that it would change but the length
        faults.append(Fault((OUTPUT,), "is larger than 64 KiB; no examination writes that much", "too_long"))
    if faults:
        raise Invalid(faults)
    return output


def _parsed(output: str) -> ParsedOutput:
    """The steps and the answer in the form that the output itself has."""
    is_tagged = output.lstrip().startswith(REASONING.opening)
    return parse_output(output, REASONING_TAGS if is_tagged else TRACE_SFT)


def _answer(row: dict, shown: ParsedOutput) -> str:
    if "answer" not in row:
        if shown.answer is None:
            raise Invalid(Fault((OUTPUT,), NO_ANSWER, "missing_field"))
        return shown.answer
    if row["answer"] is None:
        raise Invalid(Fault(("answer",), NOT_READ, "missing_field"))
    return text_of(row, "answer")


def _meta(row: dict) -> dict:
    """The item's id, and what else the row holds: the expected answer, whether it was right, the judges' scores."""
    item = {"item_id": row["id"]} if "id" in row else {}
    return item | {key: value for key, value in row.items() if key not in READ}


FORMAT = Format(
    name="evaluation",
    about="What an examination writes (eval_generate): a prompt, and a model's output that shows steps and answer. "
    "The source of these traces is always evaluation.",
    example='{"id": "sum-1", "prompt": "What is 27 × 19?", "expected_answer": "513", "output": "Reasoning:\\n'
    '1. 27 × 20 = 540\\n2. 540 − 27 = 513\\nAnswer: 513", "answer": "513", "correct": true, '
    '"judges": {"answer_correctness": {"version": "1", "score": 1.0, "reason": "the answer is the expected one"}}, '
    '"output_tokens": 31, "finish_reason": "stop"}',
    mapping=(
        ("prompt", "prompt"),
        ("output, its reasoning", "steps"),
        ("answer; without it, the output's", "final_answer"),
        ("id, as item_id", "meta"),
        ("expected_answer", "meta"),
        ("correct, judges and all others", "meta"),
    ),
    marks=(MARKS,),
    convert=convert,
)
