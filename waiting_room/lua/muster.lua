-- Which nodes live, and which events have a queue to look after. One call a node and second.
--
-- KEYS[1] live       zset: node -> end of its lease, ms
-- KEYS[2] busy       zset: event -> until when it counts as busy whatever others say, ms
--
-- ARGV[1] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[2] node       who asks
-- ARGV[3] lease_ms   how long it counts as alive, int >= 0; 0: it goes
-- ARGV[4] busy_ms    how long its events count as busy, int >= 1
-- ARGV[5..] events   '+event' has something to look after, as far as it knows, '-event' has not
--
-- Returns: {nodes, events}: all that live, all that are busy.
--
-- Returns an event until a node that follows it says that it has nothing to do, and none said the
-- contrary lately: when all nodes were away, the first that is back knows where fans wait.
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
  local event = string.sub(ARGV[i], 2)
  if string.sub(ARGV[i], 1, 1) == '+' then
    redis.call('ZADD', KEYS[2], int(now_ms + ARGV[4]), event)
  elseif tonumber(redis.call('ZSCORE', KEYS[2], event) or '0') <= now_ms then
    redis.call('ZREM', KEYS[2], event)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now_ms))
return { redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('ZRANGE', KEYS[2], 0, -1) }
