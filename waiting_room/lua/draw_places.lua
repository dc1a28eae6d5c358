-- Which of these fans have their place by now. A node asks for those connected to it, in batches.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3..] subjects at most 2,000
--
-- Returns: their places in the order asked, 0 for those who have none here.
--
-- Why a script: one epoch. Cost: O(S).

-- @include guard

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local places = redis.call('ZMSCORE', KEYS[3], unpack(ARGV, 3))
for i = 1, #places do
  places[i] = tonumber(places[i] or '0')
end
return places
