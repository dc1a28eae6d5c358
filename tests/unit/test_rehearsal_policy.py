"""The rehearsal's audits must see each violation, or a green rehearsal says nothing."""

from pathlib import Path

import pytest

from app.rehearsal import policy
from app.rehearsal.policy import Call, Numbers

PROTOCOL = Path(__file__).parents[2] / "docs/protocol.md"
ROWS = [[0, 1, 2, 3], [4, 5, 6, 7]]


def first(_: int) -> int:
    return 0


def look(called, active, cap=60, at_ms=0):
    return Numbers(at_ms=at_ms, called=called, active=active, max_active=cap)


def call(subject, place, at_ms, kind="fresh"):
    return Call(subject=subject, place=place, kind=kind, called_at_ms=at_ms)


@pytest.mark.parametrize(
    ("states", "wanted", "chosen"),
    [
        ("00000000", 2, [0, 1]),
        ("10100000", 2, [4, 5]),  # side by side in another row beats apart in this one
        ("01010101", 2, [0, 2]),  # apart beats nothing
        ("11111110", 2, [7]),  # the last one beats nothing too
        ("12341234", 2, []),
    ],
)
def test_a_fan_takes_neighbours_then_any_free_seats(states, wanted, chosen):
    assert policy.choose_seats(states, ROWS, wanted, first) == chosen


def test_fans_begin_to_look_in_different_rows():
    assert policy.choose_seats("0" * 8, ROWS, 2, lambda n: n - 1) == [6, 7]


def test_a_fan_waits_for_seats_that_lie_in_baskets():
    assert not policy.nothing_may_come_back("2212")
    assert policy.nothing_may_come_back("2232")


def test_whatever_is_not_as_it_was_drawn_is_seen():
    drawn = policy.drawn_places([b"en_a", b"en_b"], [2, 1])
    mine = {"a": "en_a", "b": "en_b"}
    as_drawn = [call("b", 1, 100), call("a", 2, 200), call("stranger", 3, 300)]
    assert policy.not_as_drawn(mine, drawn, as_drawn) == []
    assert policy.never_called(mine, as_drawn) == []
    swapped = [call("a", 1, 100), call("b", 2, 200)]
    assert len(policy.not_as_drawn(mine, drawn, swapped)) == 2
    assert policy.not_as_drawn(mine, drawn, [call("a", 0, 100, kind="skip")]) == []
    assert len(policy.not_as_drawn(mine | {"c": "en_c"}, drawn, as_drawn)) == 1
    assert [seen.evidence for seen in policy.never_called(mine, as_drawn[:1])] == ["a"]


def test_each_line_of_the_verifier_that_says_wrong_is_a_violation():
    said = "ok     The list is there.\nWRONG  The seed is another.\nnote   No beacon was used.\n"
    assert [seen.evidence for seen in policy.misfits(said)] == ["The seed is another."]


def test_the_cap_may_be_reached_and_not_passed():
    assert policy.over_the_cap([look(10, 50), look(0, 60)]) == []
    assert len(policy.over_the_cap([look(0, 60), look(1, 60)])) == 1


def test_a_lowered_cap_evicts_nobody_but_lets_nobody_in():
    assert policy.over_the_cap([look(0, 60), look(0, 60, cap=20), look(0, 55, cap=20)]) == []
    assert len(policy.over_the_cap([look(0, 60), look(0, 55, cap=20), look(1, 55, cap=20)])) == 1


def test_a_higher_place_called_first_is_seen():
    calls = [call("a", 2, 100), call("b", 1, 200)]
    assert len(policy.out_of_order(calls, {"a", "b"})) == 1


def test_calls_of_one_moment_have_no_order_among_themselves():
    assert policy.out_of_order([call("a", 2, 100), call("b", 1, 100)], {"a", "b"}) == []


@pytest.mark.parametrize("kind", ["direct", "replacement"])
def test_only_fresh_calls_follow_the_places(kind):
    assert policy.out_of_order([call("a", 2, 100, kind), call("b", 1, 200)], {"a", "b"}) == []


def test_a_fan_whose_socket_was_cut_may_rightly_be_passed_over():
    assert policy.out_of_order([call("a", 2, 100), call("b", 1, 200)], {"a"}) == []


def test_a_place_with_two_owners_is_seen_and_a_second_call_of_one_is_not():
    again = [call("a", 1, 100), call("a", 1, 900)]
    assert policy.called_twice_or_shared(again) == []
    assert len(policy.called_twice_or_shared([*again, call("b", 1, 950)])) == 1
    direct = [call("a", 0, 1, "direct"), call("b", 0, 2, "direct")]
    assert policy.called_twice_or_shared(direct) == []


def test_a_ticket_in_two_bookings_is_seen():
    assert policy.sold_twice({"bk_1": ["ev_x-1"], "bk_2": ["ev_x-2"]}) == []
    assert len(policy.sold_twice({"bk_1": ["ev_x-1"], "bk_2": ["ev_x-1"]})) == 1


def test_an_error_that_the_protocol_does_not_name_is_seen():
    documented = policy.documented_codes(PROTOCOL.read_text("utf-8"))
    assert {"seats_taken", "internal"} <= documented
    assert policy.undocumented({"seats_taken": 9}, documented) == []
    assert len(policy.undocumented({"no_answer": 1}, documented)) == 1


def test_a_booking_that_never_settled_is_seen():
    assert len(policy.unsettled(["bk_1"])) == 1


def test_one_unsold_seat_is_seen_where_all_must_go():
    assert policy.unsold("2222") == []
    assert len(policy.unsold("2212")) == 1
