"""The one door for files: every packing, whole or broken, gives rows or one fault, and never half a row."""

import gzip
import io
import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from training import json_lists, unpacking
from training.errors import Invalid
from training.row_files import Row, open_rows

ROWS = [{"question": f"{i} × 2?", "answer": f"{i} × 2 = {2 * i}\n#### {2 * i}"} for i in range(50)]
LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode()
LIST = json.dumps(ROWS, indent=1).encode()


def table(rows: list[dict], **options) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, **options), file)
    return file.getvalue()


FILES = {
    "rows.jsonl": LINES,
    "rows.json": LIST,
    "rows": LINES,
    "rows.jsonl.gz": gzip.compress(LINES),
    "rows.json.GZ": gzip.compress(LIST),
    "rows.jsonl.zst": zstandard.compress(LINES),
    "rows.json.zst": zstandard.compress(LIST),
    "rows.Parquet": table(ROWS),
}
PACKED = [name for name in FILES if name.lower().endswith((".gz", ".zst", ".parquet"))]


def read(data: bytes, name: str, max_row_bytes: int = 2**20) -> list[Row]:
    return list(open_rows(io.BytesIO(data), name, max_row_bytes=max_row_bytes))


def values(rows: list[Row]) -> list[object]:
    return [row.value for row in rows if not isinstance(row.value, Invalid)]


def only_fault(rows: list[Row]):
    (row,) = rows
    (fault,) = row.value.faults
    return fault


@pytest.mark.parametrize("name", FILES)
def test_every_packing_holds_the_same_rows(name):
    assert values(read(FILES[name], name)) == ROWS


@pytest.mark.parametrize("name", FILES)
def test_a_file_tells_how_far_it_has_been_read(name):
    file = open_rows(io.BytesIO(FILES[name]), name, max_row_bytes=2**20)
    places = [file.done for _ in file]
    assert places == sorted(places)
    assert places[-1] == file.done == file.total > 0


def test_lines_are_counted_in_every_packing():
    assert [row.line for row in read(gzip.compress(b"\n" + LINES), "a.gz")] == list(range(2, 52))
    assert [row.line for row in read(FILES["rows.Parquet"], "a.parquet")] == list(range(1, 51))


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.zst", zstandard.compress)])
def test_parts_that_were_packed_one_by_one_are_read_in_order(name, pack):
    half = LINES.index(b"\n", len(LINES) // 2) + 1
    assert values(read(pack(LINES[:half]) + pack(LINES[half:]), name)) == ROWS


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("data", [b"PK\x03\x04", b"{}", LINES, b"\0" * 100], ids=["zip", "object", "lines", "NULs"])
def test_a_file_that_is_not_what_its_name_says_is_refused(name, data):
    fault = only_fault(read(data, name))
    assert (fault.type, fault.line) == ("compressed", 1)
    assert "whatever its name says" in fault.msg


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_says_so(name):
    assert only_fault(read(b"", name)).type == "empty_file"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows", "rows.parquet.txt"])
@pytest.mark.parametrize("packed", PACKED)
def test_packed_content_under_a_text_files_name_is_refused_with_a_hint(name, packed):
    fault = only_fault(read(FILES[packed], name))
    assert (fault.type, fault.line) == ("compressed", 1)
    assert "its own extension" in fault.msg


@pytest.mark.parametrize("name", PACKED)
def test_a_file_that_breaks_off_gives_whole_rows_and_then_one_fault(name):
    data = FILES[name]
    for cut in range(1, len(data), 7):
        rows = read(data[:cut], name)
        *good, last = rows
        assert [row.value for row in good] == ROWS[: len(good)]
        assert [fault.type for fault in last.value.faults] == ["compressed"]
        assert last.value.faults[0].line == last.line


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(name):
    pack = gzip.compress if name.endswith("gz") else zstandard.compress
    fault = only_fault(read(pack(b" " * 100_000_000), name))
    assert fault.type == "too_large"
    assert "200 times" in fault.msg
    assert values(read(pack(b"[" + b" " * 900_000 + b"{}]"), name)) == [{}]


def test_what_may_be_unpacked_has_a_bound(monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_BYTES", len(LINES) - 1)
    assert only_fault(read(FILES["rows.jsonl.gz"], "a.gz")).type == "too_large"
    monkeypatch.setattr("training.parquet_rows.MAX_BYTES", 100)
    assert only_fault(read(FILES["rows.Parquet"], "a.parquet")).type == "too_large"


def test_a_frame_that_asks_for_too_much_memory_is_refused():
    packer = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=28))
    frame = packer.compressobj()
    fault = only_fault(read(frame.compress(LINES) + frame.flush(), "a.zst"))
    assert (fault.type, "memory" in fault.msg) == ("compressed", True)


def test_rows_of_nested_columns_are_objects_and_what_is_null_is_left_out():
    rows = [{"messages": [{"role": "user", "content": "a"}], "meta": {"n": 1}}, {"messages": [], "note": "x"}]
    assert values(read(table(rows, schema=None), "a.parquet")) == [rows[0], {"messages": []}]
    keys = pa.schema([("scores", pa.map_(pa.string(), pa.int64()))])
    assert values(read(table([{"scores": [("a", 1)]}], schema=keys), "a.parquet")) == [{"scores": {"a": 1}}]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (date(2026, 1, 1), "wrong_type"),
        (Decimal("1.5"), "wrong_type"),
        (b"bytes", "wrong_type"),
        (float("nan"), "non_finite"),
        ("a\0b", "nul_character"),
    ],
)
def test_a_parquet_value_that_is_no_json_is_named_and_the_next_row_is_read(value, code):
    rows = read(table([{"id": 1, "odd": value}, {"id": 2}]), "a.parquet")
    assert [(fault.loc, fault.type, fault.line) for fault in rows[0].value.faults] == [(("odd",), code, 1)]
    assert '"id": 1' in rows[0].text
    assert rows[1].value == {"id": 2}


def test_a_parquet_row_over_the_limit_is_refused_and_the_next_is_read():
    rows = read(table([{"a": "x" * 1000}, {"a": "y"}]), "a.parquet", max_row_bytes=500)
    assert [fault.type for fault in rows[0].value.faults] == ["line_too_long"]
    assert rows[1].value == {"a": "y"}


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'{not JSON\n{"a": 1}\n{"a": NaN}', ["{not JSON", "", '{"a": NaN}']),
        (b'[{"a": NaN}, {"a": 1},\n {"a": Infinity}]', ['{"a": NaN}', "", '{"a": Infinity}']),
        (b'"' + b"x" * 50 + b'"\n1', ['"' + "x" * 41, ""]),
        (b'["' + b"x" * 50 + b'", 1]', ['"' + "x" * 50 + '"', ""]),
        (b"\xff\n1", ["\ufffd", ""]),
    ],
    ids=["lines", "list", "long line", "long item", "not UTF-8"],
)
def test_a_row_that_could_not_be_read_keeps_its_text(data, texts):
    assert [row.text for row in read(data, "a", max_row_bytes=40)] == texts


ITEMS = st.recursive(
    st.none() | st.integers(-9, 99) | st.text(st.sampled_from('ab"\\[]{},\n é😀'), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab{", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(ITEMS, min_size=1, max_size=9), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 20))
def test_a_list_is_the_same_whatever_the_size_of_the_blocks_it_is_read_in(items, indent, ascii, block):
    data = json.dumps(items, indent=indent, ensure_ascii=ascii).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "BLOCK_BYTES", block)
        rows = read(data, "a.json", max_row_bytes=2**10)
    whole = read(data, "a.json", max_row_bytes=2**10)
    assert [row.value for row in rows] == items
    assert [row[:2] for row in rows] == [row[:2] for row in whole]


@given(st.lists(ITEMS, min_size=1, max_size=9), st.integers(1, 20), st.integers(1, 20))
def test_an_item_over_the_limit_is_stepped_over_however_little_is_held(items, block, limit):
    data = json.dumps(items).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "BLOCK_BYTES", block)
        rows = read(data, "a.json", max_row_bytes=limit)
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        if len(json.dumps(item)) <= limit:
            assert row.value == item
        else:
            assert [fault.type for fault in row.value.faults] == ["line_too_long"]


@given(st.data(), st.integers(1, 20))
def test_the_place_of_what_breaks_a_list_does_not_depend_on_the_blocks(data, block):
    text = json.dumps(ROWS[:4], indent=1).encode()
    place = data.draw(st.integers(1, len(text) - 1))
    broken = text[:place] + data.draw(st.sampled_from([b"", b"]", b"}", b'"', b",", b"\xff", b"\n", b"x"]))
    broken += data.draw(st.sampled_from([b"", text[place:]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "BLOCK_BYTES", block)
        small = read(broken, "a.json", max_row_bytes=200)
    large = read(broken, "a.json", max_row_bytes=200)
    assert [told(row) for row in small] == [told(row) for row in large]


def told(row: Row) -> tuple:
    return (row.line, row.loc, row.value.faults if isinstance(row.value, Invalid) else row.value, row.text)


def test_a_list_is_read_in_memory_that_does_not_grow_with_it():
    class Endless(io.RawIOBase):
        """A list of 50 MB that nobody holds."""

        left, ahead, most = 50_000, 0, 0

        def seekable(self):
            return True

        def tell(self):
            return 0

        def seek(self, *_):
            return 0

        def read(self, size=-1):
            if size <= 4096:
                return b"["
            rows = min(self.left, 1000)
            first = b"[" if self.left == 50_000 else b","
            self.left -= rows
            self.ahead += rows
            self.most = max(self.most, self.ahead)
            return first + b",".join([b'"' + b"x" * 1000 + b'"'] * rows) + (b"" if self.left else b"]") if rows else b""

    stream = Endless()
    for _ in open_rows(stream, "a.json", max_row_bytes=2**20):
        stream.ahead -= 1
    assert stream.ahead == 0
    assert stream.most < 5000


@given(st.binary(max_size=300), st.sampled_from(list(FILES)))
def test_random_bytes_are_rows_or_faults_whatever_the_name(data, name):
    for row in read(data, name):
        assert row.line >= 1
        assert not isinstance(row.value, Invalid) or row.value.faults


@given(st.data(), st.sampled_from(PACKED))
def test_a_packed_file_with_a_changed_byte_is_rows_or_faults(data, name):
    packed = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    for row in read(bytes(packed), name):
        assert isinstance(row.value, dict | Invalid)
