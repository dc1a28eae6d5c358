-- Which nodes live, and which events have a queue to look after. One call a node and second.
--
-- KEYS[1] live       zset: node -> end of its lease, ms
-- KEYS[2] busy       zset: event -> until when it counts as busy, ms
--
-- ARGV[1] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[2] node       who asks
-- ARGV[3] lease_ms   how long it counts as alive, int >= 0; 0: it goes
-- ARGV[4] busy_ms    how long its events count as busy, int >= 1
-- ARGV[5..] events   that have something to look after, as far as it knows
--
-- Returns: {nodes, events}: all that live, all that are busy.
--
-- Why a script: the clock that decides is Redis' own, and thousands of idle events cost nothing.
-- Cost: O(nodes + busy events). Not part of any event's state, so without an epoch: what is lost
-- here is made again within a second.

-- @include now

local now_ms = clock(ARGV[1])
if tonumber(ARGV[3]) > 0 then
  redis.call('ZADD', KEYS[1], int(now_ms + ARGV[3]), ARGV[2])
else
  redis.call('ZREM', KEYS[1], ARGV[2])
end
for i = 5, #ARGV do
  redis.call('ZADD', KEYS[2], int(now_ms + ARGV[4]), ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now_ms))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now_ms))
return { redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('ZRANGE', KEYS[2], 0, -1) }
