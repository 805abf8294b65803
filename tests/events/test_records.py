from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.events.adapters.fields import Layout, parse_header, table
from reco_assets.events.adapters.records import blocks

ABC = Layout(("a", "b", "c"))


def read(
    content: bytes, layout: Layout = ABC, size: int = 1 << 20
) -> list[tuple[tuple[str | None, ...], list[str] | None]]:
    """Fields and faults of every record of ``content``, read in pieces of ``size`` bytes."""
    found: list[tuple[tuple[str | None, ...], list[str] | None]] = []
    for block in blocks(io.BytesIO(content), size):
        cut = table(block, layout)
        found += zip(cut.columns.rows(), cut.reasons.to_list(), strict=True)
    return found


def test_empty_fields_are_null_and_line_ends_may_differ() -> None:
    assert read(b"1,,3\r\n4,5,\n") == [(("1", None, "3"), None), (("4", "5", None), None)]


def test_a_quoted_field_may_hold_separators_quotes_and_line_ends() -> None:
    assert read(b'"x,1","y ""z""","a\nb"\n1,2,3\n') == [
        (("x,1", 'y "z"', "a\nb"), None),
        (("1", "2", "3"), None),
    ]


def test_a_lone_quote_inside_a_field_is_only_a_character() -> None:
    assert read(b'1,5" pipe,3\n4,5,6\n') == [(("1", '5" pipe', "3"), None), (("4", "5", "6"), None)]


def test_a_quote_that_is_never_closed_spoils_one_line_only() -> None:
    lines = b"".join(b"%d,2,3\n" % n for n in range(300_000))
    found = read(b'1,"never closed,3\n' + lines, size=1 << 20)
    assert len(found) == 300_001
    assert found[0][1] == ["short row: 2 of 3 fields"]
    assert found[-1] == (("299999", "2", "3"), None)


def test_records_of_the_wrong_length_say_so() -> None:
    assert read(b'1,2\n1,2,3,4\n1,2,3,,\n"1",2\n') == [
        (("1", "2", None), ["short row: 2 of 3 fields"]),
        (("1", "2", "3"), ["long row: 4 of 3 fields"]),
        (("1", "2", "3"), None),
        (("1", "2", None), ["short row: 2 of 3 fields"]),
    ]


def test_a_cut_last_line_says_so_even_where_short_rows_are_padded() -> None:
    padded = Layout(("a", "b", "c"), pad=True)
    assert read(b"1,2\n4,5", padded) == [
        (("1", "2", None), None),
        (("4", "5", None), ["cut line: 2 of 3 fields"]),
    ]
    assert read(b"1,2,3\n4,5,6") == [(("1", "2", "3"), None), (("4", "5", "6"), None)]


def test_bytes_that_are_not_utf8_are_replaced_and_named() -> None:
    assert read(b"\xe9,2,3\n") == [(("\ufffd", "2", "3"), ["text: not UTF-8"])]


def test_a_header_may_begin_with_a_byte_order_mark() -> None:
    assert parse_header(b'\xef\xbb\xbf"user id";ts', ";", "shop.csv") == ("user id", "ts")


CELLS = st.text(st.sampled_from('ab1,"\n ;'), max_size=5)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12), st.integers(1, 40))
def test_what_the_standard_library_writes_is_read_back_whatever_the_pieces(
    rows: list[tuple[str, str, str]], size: int
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    found = read(written.getvalue().encode(), size=size)
    assert [cells for cells, _ in found] == [tuple(cell or None for cell in row) for row in rows]
    assert all(why is None for _, why in found)
