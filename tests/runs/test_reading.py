"""A generation step by step."""

from runs.reading import Step, first_wrong, read_steps

CHAIN = "Start at 3. Then +4 ×3 +1. Keep the last digit."


def test_right_steps_are_marked_right():
    output = "Reasoning:\n1. 3+4→7\n2. 7×3→1\n3. 1+1→2\nAnswer: 2"
    assert [step.ok for step in read_steps(CHAIN, output, "trace_sft_v1")] == [True, True, True]


def test_the_first_wrong_step_is_marked_and_no_later_one():
    output = "Reasoning:\n1. 3+4→7\n2. 7×3→2\n3. 2+9→9\nAnswer: 9"
    steps = read_steps(CHAIN, output, "trace_sft_v1")
    assert [step.ok for step in steps] == [True, False, None]
    assert steps[1].reason == "7×3 ends in 1, not 2"


def test_steps_of_an_unknown_problem_are_neither_right_nor_wrong():
    output = "Reasoning:\n1. a guess\nAnswer: 2"
    assert read_steps("What is love?", output, "trace_sft_v1") == [Step("a guess")]


def test_sums_are_checked_where_no_problem_has_rules():
    output = "Reasoning:\n1. She sold 48.\n2. Half of it: 48 / 2 = 24\n3. 48 + 24 = 73\n4. 73 + 1 = 75\nAnswer: 75"
    steps = read_steps("How many clips?", output, "trace_sft_v1")
    assert [step.ok for step in steps] == [None, True, False, None]
    assert steps[2].reason == "48 + 24 is 72, not 73"
    assert first_wrong(steps) == 2
    assert first_wrong(steps[:2]) is None


def test_answers_without_steps_have_none():
    assert read_steps(CHAIN, "Answer: 2", "answer_only_v1") == []
    assert read_steps(CHAIN, "", "trace_sft_v1") == []
