"""Files that grow while they are read."""

import json

from runs import series


def point(step: int, split: str = "train", **fields) -> dict:
    return {"step": step, "split": split, "loss": 1 / step, "tokens": 10 * step, "elapsed_s": 0.5 * step, **fields}


def write(path, points: list[dict], torn: str = "") -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in points) + torn)


def test_an_unterminated_last_line_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [point(1)], torn='{"step": 2, "sp')
    first = series.read_lines(path)
    assert series.parse_points(first.lines) == [point(1)]
    write(path, [point(1), point(2)])
    again = series.read_lines(path, first.next)
    assert series.parse_points(again.lines) == [point(2)]
    assert series.read_lines(path, again.next) == series.Window([], again.next, False, start=again.next)


def test_a_file_that_was_rewritten_is_read_from_its_start(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [point(step) for step in range(1, 9)])
    after = series.read_lines(path).next
    write(path, [point(step) for step in range(1, 4)])
    assert len(series.read_lines(path, after).lines) == 3
    assert len(series.read_lines(path, 5).lines) == 3  # not the start of a line


def test_a_long_file_comes_in_windows_that_join_without_a_gap(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [point(step) for step in range(1, 100)])
    found, after, more = [], 0, True
    while more:
        lines, after, more, _ = series.read_lines(path, after, window=300)
        found += series.parse_points(lines)
    assert found == [point(step) for step in range(1, 100)] == series.read_metrics(path)


def test_a_missing_file_has_no_lines(tmp_path):
    assert series.read_metrics(tmp_path / "absent") == []
    assert series.tail(tmp_path / "absent") == []


def test_a_bad_line_costs_itself_only(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\nnot json\n[1]\n{"step": 2, "loss": NaN}\n')
    assert series.read_metrics(path) == [{"step": 1}, {"step": 2, "loss": None}]


def test_a_log_shows_its_end_without_terminal_codes(tmp_path):
    path = tmp_path / "train.log"
    path.write_bytes(b"first\n" * 20_000 + b"\x1b[31mred\x1b[0m \xff\nlast\n")
    lines = series.tail(path)
    assert lines[-2:] == ["[31mred[0m �", "last"]
    assert set(lines[:-2]) == {"first"}
    assert len(lines) < 20_000


def test_smoothing_starts_at_the_first_value_and_keeps_gaps():
    assert series.smoothed([4.0, 2.0, None], 0.0) == [4.0, 2.0, None]
    assert series.smoothed([4.0, None], 0.9) == [4.0, None]
    low, high = sorted(series.smoothed([4.0, 2.0], 0.5))
    assert 2.0 < low < high == 4.0


def test_the_summary_tells_the_last_loss_the_best_and_the_speed():
    points = [point(1), point(2), point(2, "valid", loss=0.2), point(4), point(4, "valid", loss=0.3)]
    points = [point | {"peak_memory_bytes": size} for point, size in zip(points, (5, 9, 9, 7, 7), strict=True)]
    assert series.summary(points) == {
        "final_loss": 0.25,
        "best_loss": 0.2,
        "total_steps": 4,
        "total_tokens": 40,
        "avg_tokens_per_second": 20.0,
        "peak_memory_bytes": 9,
        "wall_time_s": 2.0,
    }
    assert series.summary([]) == {}
