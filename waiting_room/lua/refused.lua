-- Add a node's refusals to the event's, and say how many there are of each.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] refused    hash: error code -> how often
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3..] counts   code, how many more, code, how many more, …
--
-- Returns: code, count, code, count, …
--
-- Why a script: for the check of the epoch, and one round trip. Cost: O(codes).

-- @include guard

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1])
end
return redis.call('HGETALL', KEYS[3])
