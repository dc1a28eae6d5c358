-- Give a fan a place, or say where the fan stands already. Idempotent: one place a fan.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room, as PostgreSQL has it
-- KEYS[3] state      hash: counters, tokens
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] seen       zset: subject -> end of presence, Unix ms
-- KEYS[6] calling    zset: subject -> called at, ms
-- KEYS[7] calls      zset: subject -> accept by, ms
-- KEYS[8] active     zset: subject -> end of the admission, ms
-- KEYS[9] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[10] present   bitmap of places
-- KEYS[11] log       stream of changes
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] subject    the fan
-- ARGV[5] call_id    id of the admission, should this join make one
-- ARGV[6] slip_place place to give back after a repair, checked by the caller; '' for none
--
-- Returns: {kind, number, admission, new}: 'admitted' end_ms; 'called' accept_by; 'waiting' place;
--   'early'; 'closed', 'draining', 'drained': nobody new; 'ceiling': raise it in PostgreSQL and call again.
--
-- Why a script: it looks first and takes a number last, in one step, so that no tab gets a second
-- place and no refused join burns a number. Cost: O(log N).

-- @include guard
-- @include now
-- @include log
-- @include lapse
-- @include pace

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms, subject = clock(ARGV[3]), ARGV[4]
local held = redis.call('HGET', KEYS[9], subject) or ''

local ends = tonumber(redis.call('ZSCORE', KEYS[8], subject) or '0')
if ends > now_ms then
  return { 'admitted', int(ends), held, 0 }
end
local accept_by = tonumber(redis.call('ZSCORE', KEYS[7], subject) or '0')
if accept_by > now_ms then
  return { 'called', int(accept_by), held, 0 }
end
if redis.call('ZSCORE', KEYS[6], subject) then -- called, but not announced: still waiting
  return { 'waiting', string.match(held, ':(%d+):'), '', 0 }
end
lapse(KEYS[7], KEYS[9], KEYS[3], KEYS[11], subject) -- or a tick would end what is made below

local room = read_room(KEYS[2])
local place = tonumber(redis.call('ZSCORE', KEYS[4], subject) or '0')
local function wait_at(number, new)
  redis.call('ZADD', KEYS[5], int(now_ms + room.grace_ms), subject)
  set_present(KEYS[10], KEYS[11], KEYS[3], number, 1)
  return { 'waiting', int(number), '', new }
end
local function admit()
  local value = ARGV[5] .. ':0:' .. int(now_ms) .. ':direct'
  redis.call('ZADD', KEYS[8], int(now_ms + room.shop_ms), subject)
  redis.call('HSET', KEYS[9], subject, value)
  redis.call('HINCRBY', KEYS[3], 'direct', 1)
  return { 'admitted', int(now_ms + room.shop_ms), value, 1 }
end

local opened = now_ms >= room.opens_at_ms
local slip_place = tonumber(ARGV[6])
local new = place == 0 and not slip_place -- who comes back after a repair is not new
if new and room.intake ~= 'open' then
  return { room.intake, '0', '', 0 }
end
if room.mode == 'off' and opened and not room.stopped then
  if place > 0 then
    redis.call('ZREM', KEYS[4], subject)
    redis.call('ZREM', KEYS[5], subject)
    set_present(KEYS[10], KEYS[11], KEYS[3], place, 0)
  end
  return admit()
end
if place > 0 then
  return wait_at(place, 0)
end
if not opened then
  return { 'early', int(room.opens_at_ms), '', 0 }
end

-- Not while a repair's standstill lasts: lower places are still on their way back.
local flowing = not room.paused and not room.stopped and now_ms >= room.resume_at_ms
if room.mode == 'auto' and flowing and redis.call('ZCARD', KEYS[4]) == 0 then
  local shopping = redis.call('ZCOUNT', KEYS[8], '(' .. int(now_ms), '+inf')
  local busy = redis.call('ZCARD', KEYS[6]) + redis.call('ZCARD', KEYS[7]) + shopping
  local tokens = earned(KEYS[3], room, now_ms)
  if busy < room.max_active and tokens >= FAN then
    save_tokens(KEYS[3], tokens - FAN, now_ms)
    return admit()
  end
end

if slip_place and redis.call('ZCOUNT', KEYS[4], slip_place, slip_place) == 0 then
  redis.call('ZADD', KEYS[4], slip_place, subject)
  return wait_at(slip_place, 1)
end
local last = tonumber(redis.call('HGET', KEYS[3], 'last_place') or '0')
if last + 1 > room.ceiling then
  return { 'ceiling', int(room.ceiling), '', 0 }
end
place = redis.call('HINCRBY', KEYS[3], 'last_place', 1)
redis.call('ZADD', KEYS[4], place, subject)
return wait_at(place, 1)
