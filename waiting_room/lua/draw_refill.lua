-- Put fans of the stored list back into the lobby, during a repair, for the draw to lay them again.
--
-- KEYS[1] queue      zset: subject -> place
-- KEYS[2] lobby      hash: subject -> entry_id:joined_at_ms
--
-- ARGV[1..] subjects_and_entries subject, entry, subject, entry, …; at most 2,000 fans
--
-- Returns: how many were put back. Who kept a place in the queue, or left, is passed over.
--
-- Why a script: a fan is in the lobby or in the queue, never in both. The epoch key is absent while it
-- runs. Cost: O(fans).

local back = 0
for i = 1, #ARGV, 2 do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    back = back + redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
return back
