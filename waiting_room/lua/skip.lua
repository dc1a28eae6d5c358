-- Call one fan past the line, because an operator wants it: inside the cap, and paid by the pace.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room, as PostgreSQL has it
-- KEYS[3] state      hash: counters, tokens
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] calling    zset: subject -> called at, ms; not announced yet
-- KEYS[6] calls      zset: subject -> accept by, ms
-- KEYS[7] active     zset: subject -> end of the admission, ms
-- KEYS[8] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[9] present   bitmap of places
-- KEYS[10] log       stream of changes
-- KEYS[11] lobby     hash: subject -> entry_id:joined_at_ms
-- KEYS[12] departed  set: who is to be drawn no more
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] subject    the fan, who need not be in the queue
-- ARGV[5] call_id    of the call
--
-- Returns: {outcome, number, admission}: 'skipped': insert the call into PostgreSQL, then announce it;
--   if that fails a tick returns it, too. 'called' accept_by, 'admitted' end_ms, 'calling': the fan has a
--   turn already; 'stopped', 'early' opens_at_ms, 'full' cap: refused. The admission is '' but for the first.
--
-- Why a script: two operators who both see the last free slot would otherwise both give it away.
-- It takes a fan's tokens even where there are none: the queue's next call comes so much later, and
-- a minute's calls still meet the pace. Cost: O(log N). Specified by policy.py.

-- @include guard
-- @include now
-- @include log
-- @include lapse
-- @include pace
-- @include still
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms, subject = clock(ARGV[3]), ARGV[4]
local ends = tonumber(redis.call('ZSCORE', KEYS[7], subject) or '0')
if ends > over_by(KEYS[2], KEYS[3], 'active', now_ms) then
  return { 'admitted', int(ends), '' }
end
local accept_by = tonumber(redis.call('ZSCORE', KEYS[6], subject) or '0')
if accept_by > over_by(KEYS[2], KEYS[3], 'calls', now_ms) then
  return { 'called', int(accept_by), '' }
end
if redis.call('ZSCORE', KEYS[5], subject) then
  return { 'calling', '0', '' }
end
lapse(KEYS[6], KEYS[8], KEYS[3], KEYS[10], subject) -- or a tick would end what is made below

local room = read_room(KEYS[2])
if room.stopped then
  return { 'stopped', '0', '' }
end
if now_ms < room.opens_at_ms then
  return { 'early', int(room.opens_at_ms), '' }
end
local shopping = redis.call('ZCOUNT', KEYS[7], '(' .. int(now_ms), '+inf')
local invited = redis.call('ZCOUNT', KEYS[6], '(' .. int(now_ms), '+inf')
if redis.call('ZCARD', KEYS[5]) + invited + shopping >= room.max_active then
  return { 'full', int(room.max_active), '' }
end

local place = tonumber(redis.call('ZSCORE', KEYS[4], subject) or '0')
if place > 0 then
  redis.call('ZREM', KEYS[4], subject)
  local left = {}
  set_present(KEYS[9], place, 0, left)
  log_places(KEYS[10], KEYS[3], '-', left)
end
leave_lobby(KEYS[3], KEYS[11], KEYS[12], subject)
save_tokens(KEYS[3], earned(KEYS[3], room, now_ms) - FAN, now_ms)
redis.call('HINCRBY', KEYS[3], 'fresh', 1)
redis.call('HINCRBY', KEYS[3], 'skipped', 1)
redis.call('ZADD', KEYS[5], int(now_ms), subject)
local admission = ARGV[5] .. ':' .. int(place) .. ':' .. int(now_ms) .. ':skip'
redis.call('HSET', KEYS[8], subject, admission)
return { 'skipped', '0', admission }
