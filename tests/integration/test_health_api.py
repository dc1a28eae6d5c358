"""Health is about the node; dependencies are told apart; metrics tell the rooms."""


async def test_a_node_is_ready_while_redis_stalls_and_says_which_dependency_is_down(fan, redis):
    client = fan()
    assert (await client.get("/health/dependencies")).status_code == 200
    await redis.client_pause(2_500)
    told = await client.get("/health/dependencies")
    assert (told.status_code, told.json()) == (503, {"redis": "down", "postgres": "up"})
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_draining_node_is_live_but_not_ready(fan, node):
    node.live.draining = True
    assert (await fan().get("/health/ready")).json() == {"status": "draining"}
    assert (await fan().get("/health/live")).status_code == 200


async def test_metrics_tell_each_room_as_the_console_does(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    await fan().post(f"/events/{event_id}/queue", json={})
    text = (await fan().get("/metrics")).text
    assert f'onsale_room_waiting{{event="{event_id}"}} 1.0' in text
    assert "process_open_fds" in text
