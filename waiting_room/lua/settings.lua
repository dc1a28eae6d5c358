-- Copy the room's row, unless Redis has a newer one; the ceiling only rises.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] version    of the row, int >= 1
-- ARGV[4] ceiling    highest place that may be given out, int >= 0
-- ARGV[5..] fields   name, value, name, value, …
--
-- Returns: 1 when the copy was taken, 0 when Redis had this version or a newer one.
--
-- Why a script: two nodes that copy at once must not go back. Cost: O(fields).

-- @include guard

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local ceiling = tonumber(redis.call('HGET', KEYS[2], 'ceiling') or '0')
if tonumber(ARGV[4]) > ceiling then
  redis.call('HSET', KEYS[2], 'ceiling', ARGV[4])
end
if tonumber(redis.call('HGET', KEYS[2], 'version') or '0') >= tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[2], 'version', ARGV[3], unpack(ARGV, 5))
return 1
