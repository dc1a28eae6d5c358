"""`make bench`: figures of the hot paths on this machine, through the product's own functions.

`make bench ARGS=hold` runs those with that word in their name; what follows the word are options
of the benchmark's own (`make bench ARGS="live --help"`). Benchmarks print figures and never
fail, so they are no tests. Client and server share the machine's cores: compare two states of
the code or two servers by them, promise nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench import controls, draw, eta, queue, restart, rounds, salelog, seats, simulate, storm
from bench.benchmark import Benchmark
from bench.live import command as live
from bench.live import product

BENCHMARKS: tuple[Benchmark, ...] = (
    *seats.BENCHMARKS,
    *queue.BENCHMARKS,
    *rounds.BENCHMARKS,
    *storm.BENCHMARKS,
    *live.BENCHMARKS,
    *product.BENCHMARKS,
    *restart.BENCHMARKS,
    *eta.BENCHMARKS,
    *simulate.BENCHMARKS,
    *salelog.BENCHMARKS,
    *draw.BENCHMARKS,
    *controls.BENCHMARKS,
)


def main(word: str, options: Sequence[str]) -> int:
    """Run those whose name has the word; 1 when there are none."""
    chosen = [benchmark for benchmark in BENCHMARKS if word in benchmark.name]
    if not chosen:
        print(f"No benchmark has {word!r} in its name. There are:")
        for benchmark in BENCHMARKS:
            print(f"  {benchmark.name:18} {benchmark.about}")
        return 1
    for benchmark in chosen:
        benchmark.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""], sys.argv[2:]))
