"""What two ERPs derived is paired line by line, whatever the order they are seen in, and nothing is paired twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.derived import Deriving, Line, Paired, Record, amounts_of, attributed, lines_of, paired

LINES = st.builds(
    Line, st.sampled_from(("receipt", "issue")), st.sampled_from(("PUMP", "SEAL")),
    st.sampled_from((Decimal(1), Decimal("1.000"), Decimal(2))), st.just("H87"),
)  # fmt: skip
DOCUMENTS = st.lists(LINES, min_size=1, max_size=3).map(tuple)


@st.composite
def seen(draw: st.DrawFn) -> list[Record]:
    """Documents of two ERPs, in any order."""
    found = [
        Record(erp, f"{erp}-{n}", draw(st.integers(0, 9)), lines, draw(st.booleans()))
        for erp in ("ecc", "s4")
        for n, lines in enumerate(draw(st.lists(DOCUMENTS, max_size=4)))
    ]
    return draw(st.permutations(found))


def counted(records: Sequence[Record], erp: str) -> Counter[Line]:
    return Counter(line for record in records if record.erp == erp for line in record.lines)


@given(seen())
def test_what_is_equal_balances_exactly_and_what_is_left_has_a_line_that_the_other_erp_lacks(
    records: list[Record],
) -> None:
    found = paired(records)
    assert counted(found.equal, "ecc") == counted(found.equal, "s4")
    assert not set(found.equal) & set(found.left)
    rest = [record for record in records if record not in found.equal]
    more = counted(rest, "ecc") - counted(rest, "s4"), counted(rest, "s4") - counted(rest, "ecc")
    for record in found.left:
        assert set(record.lines) & set(more[record.erp == "s4"])
    assert bool(found.left) == bool(more[0] or more[1]) == bool(rest)


@given(seen(), st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_given_changes_nothing(records: list[Record], chance: object) -> None:
    again = list(records)
    chance.shuffle(again)  # type: ignore[attr-defined]  # Python's own Random
    ours, theirs = paired(records), paired(again)
    assert (set(ours.equal), ours.left) == (set(theirs.equal), theirs.left)


@given(seen())
def test_what_was_found_equal_may_be_forgotten(records: list[Record]) -> None:
    found = paired(records)
    rest = [record for record in records if record not in found.equal]
    assert paired(rest) == Paired((), found.left)


@given(st.lists(DOCUMENTS, max_size=5), st.randoms(use_true_random=False))
def test_two_erps_that_derive_the_same_are_equal_however_they_cut_it_into_documents(
    documents: list[tuple[Line, ...]], chance: object
) -> None:
    ours = [Record("ecc", f"E{n}", n, lines) for n, lines in enumerate(documents)]
    single = [line for lines in documents for line in lines]
    chance.shuffle(single)  # type: ignore[attr-defined]  # Python's own Random
    theirs = [Record("s4", f"S{n}", n, (line,)) for n, line in enumerate(single)]
    assert paired([*ours, *theirs]).left == ()
    assert len(paired([*ours, *theirs]).equal) == len(ours) + len(theirs)


def moved(erp: str, key: str, quantity: str, seen_us: int = 0) -> Record:
    return Record(erp, key, seen_us, (Line("production_receipt", "PUMP", Decimal(quantity), "H87"),))


def write(name: str, quantity: str, *, both: bool = True) -> Deriving:
    return Deriving(name, amounts_of({"quantity": Decimal(quantity), "unit": "H87"}), both)


def test_a_document_is_of_the_confirmation_with_its_quantity_and_the_other_erps_wrong_one_goes_with_it() -> None:
    right, wrong = moved("ecc", "1", "10"), moved("s4", "2", "7")
    confirmed = [write("newest", "3"), write("meant", "10")]
    assert attributed([right, wrong], confirmed) == {right: confirmed[1], wrong: confirmed[1]}


def test_a_document_that_is_known_to_stand_alone_takes_no_later_ones_counterpart() -> None:
    named = replace(moved("ecc", "1", "10"), last=True)
    later = moved("ecc", "2", "10", 5), moved("s4", "3", "10", 6)
    assert paired([named, *later]) == Paired(later, (named,))
    assert set(paired([named, later[1]]).equal) == {named, later[1]}


def test_of_confirmations_alike_the_one_that_one_erp_refused_is_why_its_document_is_alone() -> None:
    alone = moved("ecc", "1", "10")
    confirmed = [write("newest", "10"), write("refused", "10", both=False), write("oldest", "10")]
    assert attributed([alone], confirmed) == {alone: confirmed[1]}
    two = moved("ecc", "2", "10", 1)
    assert attributed([two, alone], confirmed) == {two: confirmed[1], alone: confirmed[0]}


def test_a_document_that_no_confirmation_explains_is_of_none() -> None:
    by_hand = moved("s4", "1", "4")
    assert attributed([by_hand], []) == {by_hand: None}
    assert attributed([by_hand], [write("refused", "10", both=False)]) == {by_hand: None}


def test_the_lines_of_a_document_are_what_it_moved_and_trailing_zeros_say_nothing() -> None:
    row = {"type": "issue", "item": "SEAL", "quantity": Decimal("2.000"), "unit": "H87", "from_location": "0001"}
    (line,) = lines_of({"id": "1", "lines": [row]})
    assert line == Line("issue", "SEAL", Decimal(2), "H87")
    assert str(line) == "issue 2 H87 of SEAL"
    assert lines_of({"item": "SEAL", "quantity": Decimal(5), "unit": "H87"}) == (Line("", "SEAL", Decimal(5), "H87"),)
