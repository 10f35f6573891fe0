from hypothesis import given
from hypothesis import strategies as st

from syncline.sandbox.halo.tenant.rows import Rows

ids = st.integers(1, 5)
texts = st.sampled_from(["", "HL-1", "hl-1", "HL-12", "x"])
writes = st.lists(st.tuples(ids, texts | st.none(), texts), max_size=20)


@given(writes)
def test_a_row_is_found_by_value_and_by_text_however_it_was_written(
    steps: list[tuple[int, str | None, str]],
) -> None:
    rows = Rows()
    plain: dict[int, str] = {}
    for row_id, value, sought in steps:
        if value is not None:
            rows[row_id], plain[row_id] = {"id": row_id, "ref": value}, value
        elif row_id in rows:
            del rows[row_id], plain[row_id]
        alike = [one for one, held in plain.items() if held.casefold() == sought.casefold()]
        within = [one for one, held in plain.items() if sought.casefold() in held.casefold()]
        assert sorted(row["id"] for row in rows.having("ref", sought)) == sorted(alike)
        found = rows.mentioning(("ref", "other"), sought.casefold())
        assert sorted(row["id"] for row in found) == sorted(within)
