-- Call the next fans: sweep, then pace, then room, then the present from the head in place order.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room, as PostgreSQL has it
-- KEYS[3] state      hash: counters, tokens
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] calling    zset: subject -> called at, ms; not announced yet
-- KEYS[6] calls      zset: subject -> accept by, ms
-- KEYS[7] active     zset: subject -> end of the admission, ms
-- KEYS[8] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[9] present    bitmap of places
-- KEYS[10] log       stream of changes
-- KEYS[11] lobby     hash: subject -> entry_id:joined_at_ms
-- KEYS[12] departed  set: who is to be drawn no more
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] kept_behind an away fan is gone when the head is more than so many places past, int >= 0
-- ARGV[5..] call_ids one fresh id for each fan that this tick may call
--
-- Returns: subject, admission, subject, admission, …: everybody called and not yet announced, also by
--   an earlier tick whose node died; nobody new is called while there are any.
--
-- Why a script: two nodes that both read "one place left" would otherwise both fill it.
-- Cost: O((E + C) log N), E swept, C called, both bounded below; finding the first present place
-- reads the bitmap's zeros before it, a byte for eight places. Specified by policy.py.

-- @include guard
-- @include now
-- @include log
-- @include lapse
-- @include pace
-- @include still
-- @include lobby

local SWEEP_MAX = 1000
local LOOK_MAX = 2000
local NOTE_JOINS_MS = 1000 -- how exactly the sale's log knows when a place was given out

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms = clock(ARGV[3])
local now = int(now_ms)
local room = read_room(KEYS[2])

-- Of those whose admissions, or calls, are over.
local function ended(ends_key, which)
  local over = int(over_by(KEYS[2], KEYS[3], which, now_ms))
  return ipairs(redis.call('ZRANGEBYSCORE', ends_key, '-inf', over, 'LIMIT', 0, SWEEP_MAX))
end

for _, subject in ended(KEYS[7], 'active') do
  redis.call('ZREM', KEYS[7], subject)
  redis.call('HDEL', KEYS[8], subject)
end
for _, subject in ended(KEYS[6], 'calls') do
  lapse(KEYS[6], KEYS[8], KEYS[3], KEYS[10], subject)
end

local tokens = earned(KEYS[3], room, now_ms)
local found = tokens
local counts = redis.call('HMGET', KEYS[3], 'fresh', 'replaced', 'lapsed', 'head', 'present')
local fresh, replaced = tonumber(counts[1] or '0'), tonumber(counts[2] or '0')
local lapsed, head = tonumber(counts[3] or '0'), tonumber(counts[4] or '0')
local present = tonumber(counts[5] or '0')

local unannounced = redis.call('ZCARD', KEYS[5])
local busy = unannounced + redis.call('ZCARD', KEYS[6]) + redis.call('ZCARD', KEYS[7])
local open = room.mode ~= 'off' and not room.paused and not room.stopped
  and now_ms >= room.opens_at_ms and now_ms >= room.resume_at_ms
local ids = #ARGV - 4
local left = math.min(ids, room.max_active - busy)
if not open or unannounced > 0 then
  left = 0
end

-- Whose turn is next, by fresh call or as a replacement; nil when the pace says: nobody's.
local function kind_of_next()
  if tokens >= FAN then
    return 'fresh'
  elseif replaced < math.min(lapsed, 2 * fresh) then -- a lapsed call is replaced on top of the pace
    return 'replacement'
  end
  return nil
end

-- While a draw is laid, lower places are still to come above this one.
local draw = close_lobby(KEYS[3], KEYS[11], room, now_ms)
local laid_to = draw and draw.up_to < draw.ends and draw.up_to or math.huge

local called, looked, byte, taken = 0, 0, 0, {}
while called < left and looked < LOOK_MAX do
  local kind = kind_of_next()
  local place = kind and redis.call('BITPOS', KEYS[9], 1, byte) or -1
  if place < 0 or place > laid_to then
    present = kind and called or present -- more could not be called, for all that tokens say
    break
  end
  looked, byte = looked + 1, math.floor(place / 8)
  set_present(KEYS[9], place, 0, taken)
  local subject = redis.call('ZRANGEBYSCORE', KEYS[4], place, place)[1]
  if subject then
    redis.call('ZREM', KEYS[4], subject)
    leave_lobby(KEYS[3], KEYS[11], KEYS[12], subject)
    called = called + 1
    if kind == 'fresh' then
      tokens, fresh = tokens - FAN, fresh + 1
    else
      replaced = replaced + 1
    end
    redis.call('ZADD', KEYS[5], now, subject)
    redis.call('HSET', KEYS[8], subject, ARGV[4 + called] .. ':' .. int(place) .. ':' .. now .. ':' .. kind)
    head = math.max(head, place)
  end
end

local behind = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', '(' .. int(head - ARGV[4]), 'WITHSCORES',
  'LIMIT', 0, SWEEP_MAX)
for i = 1, #behind, 2 do
  if redis.call('GETBIT', KEYS[9], behind[i + 1]) == 0 then
    redis.call('ZREM', KEYS[4], behind[i])
    leave_lobby(KEYS[3], KEYS[11], KEYS[12], behind[i])
    redis.call('HINCRBY', KEYS[3], 'gone', 1)
    append(KEYS[10], KEYS[3], 'leave', behind[i])
  end
end

local pace_binds = open and busy + called < room.max_active and redis.call('BITPOS', KEYS[9], 1) >= 0
  and (unannounced > 0 or called == ids or kind_of_next() == nil)

-- For the sale's log: a tick that called, or after which another rule holds, or one a second while
-- places are given out. All ticks between two noted ones called nobody, under the same rules. It comes
-- before the places that were taken: who reads the log up to it knows whom the tick could call.
local noted = redis.call('HMGET', KEYS[3], 'pace_binds', 'last_place', 'noted_ms', 'noted_place',
  'noted_version', 'ticked_at_ms')
local version, last_place = redis.call('HGET', KEYS[2], 'version') or '0', noted[2] or '0'
if called > 0 or noted[1] ~= (pace_binds and '1' or '0') or noted[5] ~= version
  or (noted[4] ~= last_place and now_ms - tonumber(noted[3] or '0') >= NOTE_JOINS_MS) then
  append(KEYS[10], KEYS[3], 'tick', table.concat({
    now, noted[6] or now, open and unannounced == 0 and 1 or 0, int(room.per_minute), int(room.max_active), ids,
    busy, int(present), int(lapsed), last_place, int(found), int(fresh), int(replaced),
    pace_binds and 1 or 0,
  }, ':'))
  redis.call('HSET', KEYS[3], 'noted_ms', now, 'noted_place', last_place, 'noted_version', version)
end
log_places(KEYS[10], KEYS[3], '-', taken)
save_tokens(KEYS[3], tokens, now_ms)
redis.call('HSET', KEYS[3], 'fresh', int(fresh), 'replaced', int(replaced), 'ticked_at_ms', now,
  'head', int(head), 'pace_binds', pace_binds and 1 or 0)

local reply = {}
for _, subject in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
  reply[#reply + 1] = subject
  reply[#reply + 1] = redis.call('HGET', KEYS[8], subject) or ''
end
return reply
