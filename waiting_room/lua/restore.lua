-- Lay the truth of PostgreSQL over what is left after a loss; surviving places stay.
--
-- KEYS[1] settings   hash: the room
-- KEYS[2] state      hash: counters
-- KEYS[3] queue      zset: subject -> place
-- KEYS[4] calling    zset
-- KEYS[5] calls      zset: subject -> accept by, ms
-- KEYS[6] active     zset: subject -> end of the admission, ms
-- KEYS[7] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[8] present    bitmap of places
-- KEYS[9] seen0      bitmap of places seen lately
-- KEYS[10] log       stream of changes
-- KEYS[11] lobby     hash: subject -> entry_id:joined_at_ms
-- KEYS[12] departed  set: who is to be drawn no more
--
-- ARGV[1] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[2] ceiling    numbering goes on above it, int >= 0
-- ARGV[3] settings_json JSON object: the room's row
-- ARGV[4] calls_json JSON array of [subject, admission, accepted end in ms or 0]: open calls
-- ARGV[5] draw_json  JSON object: draw_entries, draw_base, drawn_up_to, drawn, all int; {} while the
--   lobby is open
--
-- Returns: how many places survived.
--
-- A list that is fixed is filled in anew from PostgreSQL, by draw_refill.lua. Else the lobby opens
-- once more, without those who left it since it closed.
--
-- Queue and bitmap come from one moment, since Redis keeps or loses the writes of a script
-- together. Whoever is present in what survived gets the whole grace to come back.
--
-- Why a script: the old log goes and the new state comes in one step. The epoch key is absent while
-- it runs, so no other script interferes. Cost: O(bytes + calls log N + departed).

-- @include now

local now_ms = clock(ARGV[1])
local room = cjson.decode(ARGV[3])
for name, value in pairs(room) do
  redis.call('HSET', KEYS[1], name, tostring(value))
end
redis.call('HSET', KEYS[1], 'ceiling', ARGV[2])
redis.call('DEL', KEYS[10], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
redis.call('HDEL', KEYS[2], 'tokens', 'tokens_at_ms', 'pace_binds', 'reload_at', 'draw_entries',
  'draw_base', 'drawn_up_to', 'drawn', 'noted_ms', 'noted_place', 'noted_version', 'stopped_at_ms',
  'active_off_to', 'active_off_by', 'active_off_below', 'calls_off_to', 'calls_off_by', 'calls_off_below')
if room.stopped == '1' then -- PostgreSQL has the ends as they were put off, perhaps but for the last step
  redis.call('HSET', KEYS[2], 'stopped_at_ms', int(now_ms))
end
local draw = cjson.decode(ARGV[5])
for name, value in pairs(draw) do
  redis.call('HSET', KEYS[2], name, int(value))
end
if draw.draw_entries then
  redis.call('UNLINK', KEYS[11])
end
for _, subject in ipairs(redis.call('SMEMBERS', KEYS[12])) do
  redis.call('HDEL', KEYS[11], subject)
end
redis.call('UNLINK', KEYS[12])
for _, call in ipairs(cjson.decode(ARGV[4])) do
  local subject, admission, ends = call[1], call[2], tonumber(call[3])
  local place = redis.call('ZSCORE', KEYS[3], subject)
  if place then
    redis.call('ZREM', KEYS[3], subject)
    redis.call('SETBIT', KEYS[8], place, 0)
  end
  redis.call('HDEL', KEYS[11], subject) -- a turn out of line took them out of the lobby
  redis.call('HSET', KEYS[7], subject, admission)
  if ends > 0 then
    redis.call('ZADD', KEYS[6], int(ends), subject)
  else
    redis.call('ZADD', KEYS[5], int(now_ms + tonumber(room.accept_ms)), subject)
  end
end
redis.call('BITOP', 'OR', KEYS[9], KEYS[9], KEYS[8])
redis.call('HSET', KEYS[2], 'version', 0, 'last_place', ARGV[2], 'present', redis.call('BITCOUNT', KEYS[8]))
return redis.call('ZCARD', KEYS[3])
