-- Take places that are over out of what is left of the queue: called, taken back or given up.
--
-- KEYS[1] queue      zset: subject -> place
-- KEYS[2] present    bitmap of places
--
-- ARGV[1..] places   at most 2,000
--
-- Returns: how many fans stood there. Who has another place by now keeps that one. Safe to repeat.
--
-- Why a script: queue and bitmap change together. The epoch key is absent while it runs, and
-- restore.lua comes after it, which counts who is present. Cost: O(places log N), some ms.

local taken = 0
for i = 1, #ARGV do
  taken = taken + redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])
  redis.call('SETBIT', KEYS[2], ARGV[i], 0)
end
return taken
