-- When PostgreSQL was last reached by any node.
--
-- KEYS[1] reached    string: Unix ms
--
-- ARGV[1] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[2] here       1: the caller reaches it now; 0: it does not
--
-- Returns: {now_ms, reached_ms}; of a node that reaches it, both are now. Who asks before anybody has
--   ever reached it is told now.
--
-- Why a script: the clock is Redis' own, so that all nodes know since when it is away. Cost: O(1).

-- @include now

local now = int(clock(ARGV[1]))
if ARGV[2] == '1' then
  redis.call('SET', KEYS[1], now)
end
return { now, redis.call('GET', KEYS[1]) or now }
