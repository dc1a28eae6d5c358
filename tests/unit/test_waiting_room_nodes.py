"""Who ticks an event: the same answer on every node, and little moves when nodes come and go."""

from collections import Counter

from waiting_room.node.nodes import preferred

EVENTS = [f"ev_{n}" for n in range(2_000)]
NODES = [f"nd_{n}" for n in range(5)]


def test_every_node_names_the_same_one_in_whatever_order_it_knows_them():
    for event_id in EVENTS[:50]:
        assert preferred(NODES, event_id) == preferred(NODES[::-1], event_id)


def test_events_are_spread_over_the_nodes():
    shares = Counter(preferred(NODES, event_id) for event_id in EVENTS)
    assert shares.keys() == set(NODES)
    assert max(shares.values()) < 1.3 * len(EVENTS) / len(NODES)


def test_when_a_node_goes_only_its_own_events_move():
    left = NODES[1:]
    for event_id in EVENTS:
        before = preferred(NODES, event_id)
        if before in left:
            assert preferred(left, event_id) == before
