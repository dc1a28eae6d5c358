"""When a worker is started again, when that is given up, and who stands in meanwhile."""

import itertools

from app.serve.policy import (
    MAX_FAILED_STARTS,
    MAX_PAUSE_S,
    dealt,
    deaths_in_a_row,
    gives_up,
    pause_s,
)


def test_who_lived_long_is_replaced_at_once_and_who_dies_young_again_later_each_time():
    assert pause_s(deaths_in_a_row(7, lived_s=3600)) == 0
    assert pause_s(deaths_in_a_row(0, lived_s=0.5)) == 0
    deaths, pauses = 0, []
    for _ in range(20):
        deaths = deaths_in_a_row(deaths, lived_s=0.5)
        pauses.append(pause_s(deaths))
    assert pauses == sorted(pauses)
    assert 0 == pauses[0] < pauses[1] < pauses[2]
    assert pauses[-1] == MAX_PAUSE_S


def test_a_first_start_that_fails_is_final():
    assert gives_up(failed_starts=1, serving=3, complete=False)


def test_later_failures_are_never_final_while_another_worker_serves():
    assert not gives_up(failed_starts=1000, serving=1, complete=True)
    assert not gives_up(failed_starts=MAX_FAILED_STARTS - 1, serving=0, complete=True)
    assert gives_up(failed_starts=MAX_FAILED_STARTS, serving=0, complete=True)


def test_each_queue_of_a_slot_that_nobody_serves_is_taken_once_and_all_take_alike():
    slots, each = 5, 4
    for serving in itertools.chain(*(itertools.combinations(range(slots), n) for n in range(6))):
        shares = dealt(serving, slots=slots, each=each)
        assert set(shares) == set(serving)
        orphaned = (
            {n for n in range(slots * each) if n // each not in serving} if serving else set()
        )
        taken = list(itertools.chain(*shares.values()))
        assert sorted(taken) == sorted(orphaned)
        sizes = [len(share) for share in shares.values()]
        assert not sizes or max(sizes) - min(sizes) <= 1
