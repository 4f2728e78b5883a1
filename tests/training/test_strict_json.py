"""Every line of the table of bad JSONL inputs, and that nothing else than Invalid ever comes out."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import Invalid
from training.json_rules import MAX_DEPTH, is_sound, value_faults
from training.row_files import read_rows
from training.strict_json import Place, _parse_with_care, parse_json, parse_value, read_jsonl

LINE_BYTES = 1024 * 1024
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(data: bytes, max_line_bytes: int = LINE_BYTES) -> list:
    return list(read_jsonl(io.BytesIO(data), max_line_bytes=max_line_bytes))


def rows(data: bytes, max_row_bytes: int = LINE_BYTES) -> list:
    return list(read_rows(io.BytesIO(data), max_row_bytes=max_row_bytes))


def codes(result: object) -> set[str]:
    return {fault.type for fault in result.faults} if isinstance(result, Invalid) else {"ok"}


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}\n{"a":2}\n',
        b'\xef\xbb\xbf{"a":1}\n{"a":2}\n',
        b'{"a":1}\r\n{"a":2}\r\n',
        b'{"a":1}\n{"a":2}',
        b'\n \n{"a":1}\n\t\n{"a":2}\n\n',
    ],
    ids=["plain", "BOM at the start", "CRLF", "no final newline", "blank lines"],
)
def test_a_sound_file_is_read_whatever_its_dress(data):
    assert [value for _, value in read(data)] == [{"a": 1}, {"a": 2}]


def test_more_keys_are_read_where_more_are_asked_for():
    value = {f"tensor {number}": "x" * 900 for number in range(340)}
    assert parse_json(json.dumps(value), max_keys=340) == value
    with pytest.raises(Invalid, match="has 340 keys; at most 339 are read"):
        parse_json(json.dumps({"map": value}), max_keys=339)


@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"\xef\xbb\xbf"], ids=["empty", "blank lines only", "BOM only"])
def test_a_file_without_data_says_so(data):
    ((line, result),) = read(data)
    assert (line, codes(result)) == (1, {"empty_file"})


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"x\xe2\x80\xa8y"}',
        b'{"a":"x\xc2\x85y"}',
        b'{"a":"\xef\xbf\xbe"}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":"[[[[{{{{' + b"[" * 100 + b'"}',
        b'{"a":1e-400}',
        b'{"a":-0}',
        b'{"a":9223372036854775807}',
        b'{"a":-9223372036854775808}',
        b'{"a":"<script>","b":"=HYPERLINK(1)"}',
        '{{"a":"e{}"}}'.format("\u0301" * 2000).encode(),
        b"[" * 32 + b"]" * 32,
    ],
)
def test_a_value_that_only_looks_odd_is_read_as_it_is(text):
    ((_, value),) = read(text)
    assert value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1}\r{"a":2}', "json"),
        (b'{\n"a": 1\n}', "json"),
        (b'{"a":1}{"a":2}', "json"),
        (b'{"a":1,}', "json"),
        (b"{'a':1}", "json"),
        (b'{"a":1} // note', "json"),
        (b"a,b,c", "json"),
        (b"<html>", "json"),
        (b'{"a":"x', "json"),
        (b"!!python/object {}", "json"),
        (b'{"a":"x\x0cy"}', "json"),
        (b'{"a":"x\x00y"}', "json"),
        (b"\x00" * 50, "json"),
        ('{"a":1}'.encode("utf-16-le"), "json"),
        (b'{"a":01}', "json"),
        (b'{"a":0x10}', "json"),
        (b'{"a":+1}', "json"),
        (b'{"a":.5}', "json"),
        (b'{"a":1}\xef\xbb\xbf{"a":2}', "bom"),
        ('{"a":1}'.encode("utf-16"), "encoding"),
        (b'{"a":"\xe9"}', "encoding"),
        (b'{"a":"\xc0\x80"}', "encoding"),
        (b'{"a":"\xed\xa0\x80"}', "encoding"),
        (b'{"a":"\xe2\x82', "encoding"),
        (b"\xff\xff\xff", "encoding"),
        (b"\x89PNG\r\n", "encoding"),
        (b"\x80\x04\x95", "encoding"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"PK\x03\x04", "compressed"),
        (b"PAR1", "compressed"),
        (b'{"a":"\\u0000"}', "nul_character"),
        (b'{"a":{"b\\u0000":1}}', "nul_character"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b'{"a":"\\udc00"}', "lone_surrogate"),
        (b'{"a":"\\ude00\\ud83d"}', "lone_surrogate"),
        (b'{"\\ud800":1}', "lone_surrogate"),
        (b'{"a":NaN}', "non_finite"),
        (b'{"a":Infinity}', "non_finite"),
        (b'{"a":-Infinity}', "non_finite"),
        (b'{"a":1e999}', "number_out_of_range"),
        (b'{"a":-1e999}', "number_out_of_range"),
        (b'{"a":9223372036854775808}', "number_out_of_range"),
        (b'{"a":' + b"7" * 5000 + b"}", "number_out_of_range"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"x":{"a":1,"a":1}}', "duplicate_key"),
        (json.dumps({str(n): n for n in range(257)}).encode(), "too_many_keys"),
        (b'{"a":"' + b"x" * 300_000 + b'"}', "string_too_long"),
        (b'{"a":"' + b"x" * 2 * LINE_BYTES + b'"}', "line_too_long"),
    ],
)
def test_a_bad_line_is_named_by_its_code(text, code):
    line, result = read(text)[0]
    assert (line, codes(result)) == (1, {code})
    assert all(fault.line == 1 for fault in result.faults)
    assert len(str(result)) < 200


def test_a_bad_line_leaves_the_others_readable():
    results = read(b'{"a":1}\nnonsense\n{"a":3}\n')
    assert [(line, codes(value)) for line, value in results] == [(1, {"ok"}), (2, {"json"}), (3, {"ok"})]


def test_a_second_byte_order_mark_on_a_later_line_is_named():
    assert codes(read(b'{"a":1}\n\xef\xbb\xbf{"a":2}\n')[1][1]) == {"bom"}


def test_a_fault_inside_a_value_tells_its_whole_path():
    invalid = read(b'{}\n{"meta":{"scores":[1, NaN]},"n":99999999999999999999}')[1][1]
    assert [(fault.loc, fault.line) for fault in invalid.faults] == [(("meta", "scores", 1), 2), (("n",), 2)]


def test_a_line_of_exactly_the_limit_is_read_whatever_ends_it():
    line = b'{"a":"xxxx"}'
    for end in (b"", b"\n", b"\r\n"):
        assert read(line + end, max_line_bytes=len(line))[0] == (1, {"a": "xxxx"})
        assert codes(read(line + end, max_line_bytes=len(line) - 1)[0][1]) == {"line_too_long"}


def test_an_endless_line_is_read_in_small_pieces():
    class Watched(io.BytesIO):
        largest = 0

        def readline(self, size=-1):
            piece = super().readline(size)
            self.largest = max(self.largest, len(piece))
            return piece

    stream = Watched(b"x" * 5_000_000 + b'\n{"a":1}')
    results = list(read_jsonl(stream, max_line_bytes=1000))
    assert [codes(value) for _, value in results] == [{"line_too_long"}, {"ok"}]
    assert stream.largest <= 64 * 1024


def test_a_value_with_thousands_of_faults_lists_only_the_first():
    with pytest.raises(Invalid) as caught:
        parse_json(b"[" + b"NaN," * 10_000 + b"1]")
    assert len(caught.value.faults) == 100


def test_a_text_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(Invalid, match="larger than 10 bytes"):
        parse_json(b"[1,2,3,4,5,6]", max_bytes=10)


def test_a_list_gives_its_items_with_the_lines_they_start_on():
    result = rows(b'\xef\xbb\xbf[\n  {"a": 1},\n  {"a": NaN}\n, 3]\n')
    assert [(row.line, row.loc) for row in result] == [(2, (0,)), (3, (1,)), (4, (2,))]
    assert result[0].value == {"a": 1}
    assert [fault.loc for fault in result[1].value.faults] == [(1, "a")]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"[]", "empty_file", 1),
        (b"[{},\n]", "json", 2),
        (b"[{}\n{}]", "json", 2),
        (b"[{}]\n{}", "json", 2),
        (b"[{},\n", "json", 2),
        (b"[{}, \xff]", "encoding", 1),
        (b"[1,\n" + b"[" * 100_000, "too_deep", 2),
    ],
)
def test_what_breaks_a_list_ends_it_with_a_place(data, code, line):
    last = rows(data)[-1]
    assert (codes(last.value), last.line, last.value.faults[0].line) == ({code}, line, line)


def test_an_item_over_the_limit_is_refused_and_the_next_is_read():
    assert [codes(row.value) for row in rows(b'["xxxxxxxxxx", 1]', 8)] == [{"line_too_long"}, {"ok"}]


@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_and_never_crash(data):
    for _, result in read(data):
        assert isinstance(result, Invalid) or not list(value_faults(result))
    list(rows(data))


@given(JSON_VALUES)
def test_the_quick_look_at_a_value_agrees_with_the_careful_one(value):
    assert is_sound(value) == (not list(value_faults(value)))
    assert not is_sound(value, MAX_DEPTH) or not isinstance(value, list | dict)


TOKENS = ["{", "}", "[", "]", ",", ":", '"a"', '"b"', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\', '"']
TOKENS += ["1", "-0", "9223372036854775807", "9223372036854775808", "1e999", "1.5", "NaN", "null", "true"]
TOKENS += [" ", "\n", "\ufeff", "\0", '{"a":', '"a":1,', "[1,"]


@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join), st.integers(0, 3))
def test_the_quick_parser_agrees_with_the_careful_one(text, lines):
    before = Place(lines, 7)
    assert outcome(parse_value, text, before) == outcome(_parse_with_care, text, before)


def outcome(parse, text: str, before: Place):
    try:
        value, end = parse(text, 0, before)
    except Invalid as invalid:
        return invalid.faults
    return value.faults if isinstance(value, Invalid) else json.dumps(value), end


@given(JSON_VALUES)
def test_a_random_value_comes_back_as_it_was_or_is_refused_for_a_reason(value):
    faults = list(value_faults(value))
    ((_, result),) = read(json.dumps(value).encode())
    if faults:
        assert codes(result) == {fault.type for fault in faults}
    else:
        assert result == value


@given(st.lists(st.dictionaries(st.sampled_from("ab[]{},"), st.integers(0, 9), max_size=3), min_size=1, max_size=5))
def test_a_list_and_its_lines_hold_the_same_rows(items):
    as_list = [row.value for row in rows(json.dumps(items, indent=1).encode())]
    as_lines = [row.value for row in rows("\n".join(map(json.dumps, items)).encode())]
    assert as_list == as_lines
