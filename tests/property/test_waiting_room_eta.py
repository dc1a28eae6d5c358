"""The interval holds the truth about as often as it says, over simulated sales."""

from itertools import chain

from numpy.random import default_rng

from bench.eta import coverage, guesses, median_error

SALES = 25


def test_the_interval_holds_the_truth_about_four_times_in_five_and_its_middle_is_near():
    """The figures of docs/performance.md come from many more sales: `make bench ARGS=eta`."""
    made = list(chain.from_iterable(guesses(default_rng(seed)) for seed in range(500, 500 + SALES)))
    assert len(made) > 300
    assert 0.70 <= coverage(made) <= 0.90
    assert median_error(made) <= 0.10
