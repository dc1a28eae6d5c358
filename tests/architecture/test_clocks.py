"""The store's clock decides: no node's own clock may say whose turn it is or what has ended.

Two nodes whose clocks differ by ten seconds then agree all the same. A monotonic clock of the
loop, which only paces a node's own work, is no wall clock.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
DECIDING = [
    *sorted((ROOT / "waiting_room").rglob("*.py")),
    *sorted((ROOT / "seatmap").rglob("*.py")),
]
# Keys of passes turn over by the day: which one signs may differ by seconds.
ALLOWED = {"waiting_room/web.py", "waiting_room/passes/keyring.py"}


def calls(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_nothing_that_decides_reads_a_nodes_wall_clock():
    assert DECIDING
    readers = {
        f"{path.relative_to(ROOT)}: {call}"
        for path in DECIDING
        if str(path.relative_to(ROOT)) not in ALLOWED
        for call in calls(path)
        if any(call.endswith(clock) for clock in WALL_CLOCKS)
    }
    assert not readers


def test_no_one_but_tests_tells_a_script_what_time_it_is():
    """`now_ms` of a store's function is for tests: given by a node, it would be the node's."""
    given = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "waiting_room").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-2:-1] in (["store"], ["_store"], ["_nodes"])
        and any(keyword.arg == "now_ms" for keyword in node.keywords)
    }
    assert not given
