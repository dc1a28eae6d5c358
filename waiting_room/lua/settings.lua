-- Copy the room's row, unless Redis has a newer one; the ceiling only rises.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters; stopped_at_ms while the sale is stopped
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] version    of the row, int >= 1
-- ARGV[5] ceiling    highest place that may be given out, int >= 0
-- ARGV[6] stopped    1: the sale is stopped, 0: it is not
-- ARGV[7..] fields   name, value, name, value, …
--
-- Returns: 1 when the copy was taken, 0 when Redis had this version or a newer one.
--
-- Why a script: two nodes that copy at once must not go back. Cost: O(fields).

-- @include guard
-- @include now

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local ceiling = tonumber(redis.call('HGET', KEYS[2], 'ceiling') or '0')
if tonumber(ARGV[5]) > ceiling then
  redis.call('HSET', KEYS[2], 'ceiling', ARGV[5])
end
if tonumber(redis.call('HGET', KEYS[2], 'version') or '0') >= tonumber(ARGV[4]) then
  return 0
end
if ARGV[6] == '1' then
  redis.call('HSETNX', KEYS[3], 'stopped_at_ms', int(clock(ARGV[3])))
else
  redis.call('HDEL', KEYS[3], 'stopped_at_ms')
end
redis.call('HSET', KEYS[2], 'version', ARGV[4], 'stopped', ARGV[6], unpack(ARGV, 7))
return 1
