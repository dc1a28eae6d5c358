-- Say of fans of the stored list who is still to be drawn, during a repair, for the draw to lay them
-- again.
--
-- KEYS[1] queue      zset: subject -> place
-- KEYS[2] lobby      hash: subject -> entry_id:joined_at_ms
-- KEYS[3] departed   set: who is to be drawn no more
--
-- ARGV[1..] subjects_and_entries subject, entry, subject, entry, …; at most 2,000 fans; the entry is
--   '' of who left or had a turn
--
-- Returns: how many are to be drawn. Who kept a place in the queue is not: it stays as it is.
--
-- Why a script: what is in the queue decides what is laid. The epoch key is absent while it runs.
-- Cost: O(fans).

local back = 0
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' or redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('SADD', KEYS[3], ARGV[i])
  else
    back = back + redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
return back
