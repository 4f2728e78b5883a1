import pytest

from training.errors import Invalid
from training.strict_yaml import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.5E+3", 1500.0),
        ("-7", -7),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("~", None),
        # What YAML 1.1 would turn into something else stays the text it is.
        ("no", "no"),
        ("010", "010"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        ("0x10", "0x10"),
        ("'1'", "1"),
        ('"🦊"', "🦊"),
    ],
)
def test_scalars_mean_what_they_look_like(text, value):
    found = parse_yaml(f"x: {text}")[0]["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty_file", 1),
        (b"\n# only a comment\n", "empty_file", 1),
        (b"a: &x [1]\nb: *x", "yaml", 2),
        (b"a: 1\nb: 2\na: 3", "duplicate_key", 3),
        (b"a: 1\n2: b", "yaml", 2),
        (b"{[1]: 2}", "yaml", 1),
        (b"---\na: 1\n---\nb: 2", "yaml", 3),
        (b"a:\n  b: .nan", "non_finite", 2),
        (b"a: -.inf", "non_finite", 1),
        (b"a: 1e999", "non_finite", 1),
        (b'a: "\\0"', "nul_character", 1),
        (b'a: "\\ud800"', "nul_character", 1),
        (b"a: " + b"[" * 2000, "yaml", 1),
        (b"a: !!python/object:os.system ls", "yaml", 1),
        (b"a: !!python/tuple [1]", "yaml", 1),
        (b"a: !!int x", "non_finite", 1),
        (b"a: [1", "yaml", 1),
        (b"a: \x07", "yaml", 1),
        (b"a: 1\nb: \xff", "encoding", 2),
        (b"a: 9" + b"9" * 5000, "non_finite", 1),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(data, code, line):
    with pytest.raises(Invalid) as error:
        parse_yaml(data)
    fault = error.value.faults[0]
    assert (fault.type, fault.line) == (code, line)


def test_an_alias_bomb_is_refused_at_its_first_alias():
    bomb = "a: &a [x]\n" + "".join(f"{c}: &{c} [*{b},*{b},*{b}]\n" for b, c in zip("abcdefg", "bcdefgh", strict=True))
    with pytest.raises(Invalid, match="aliases are not allowed"):
        parse_yaml(bomb)


def test_every_value_has_its_line():
    _, lines = parse_yaml("a:\n  b: 1\n  c:\n    - 2\n    - 3\n")
    assert lines[("a", "b")] == 2
    assert lines[("a", "c", 1)] == 5
