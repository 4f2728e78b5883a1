"""Rows of datasets for tests, and gates that look at them."""

from hypothesis import strategies as st

from datasets_app.gates import GATES, WARN, Taught
from training.renderers import TRACE_SFT
from training.tokenizer import Tokenizer, training_texts


def make_row(prompt="What is 2 + 2?", steps=("2 + 2 = 4",), final_answer="4", *, row_id="a", meta=None, split="train"):
    numbered = [{"i": i, "type": "compute", "content": content} for i, content in enumerate(steps)]
    content = {"prompt": prompt, "steps": numbered, "final_answer": final_answer, "meta": meta}
    return {"id": row_id, "split": split, **content}


def taught_by(rows, *, recipe=TRACE_SFT, max_length=100_000, tokenizer=Tokenizer):
    return Taught(recipe, "Add", max_length, tokenizer.train(training_texts(rows[:100], "Add"), 300))


def found_by(name, rows, taught=None, *, chunk=500, **how):
    """The result of a gate that all the rows have passed."""
    gate = GATES[name](taught or taught_by(rows or [make_row()], **how))
    for start in range(0, len(rows), chunk):
        gate.look(rows[start : start + chunk])
    return gate.result(WARN)


def texts():
    """Characters that a stored trace can hold."""
    return st.characters(exclude_categories=["Cs"], exclude_characters="\0")
