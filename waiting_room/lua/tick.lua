-- Call the next fans: sweep, then pace, then room, then the present from the head in place order.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room, as PostgreSQL has it
-- KEYS[3] state      hash: counters, tokens
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] seen       zset: subject -> end of presence, Unix ms
-- KEYS[6] calling    zset: subject -> called at, ms; not announced yet
-- KEYS[7] calls      zset: subject -> accept by, ms
-- KEYS[8] active     zset: subject -> end of the admission, ms
-- KEYS[9] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[10] present   bitmap of places
-- KEYS[11] log       stream of changes
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4..] call_ids one fresh id for each fan that this tick may call
--
-- Returns: subject, admission, subject, admission, …: everybody called and not yet announced, also by
--   an earlier tick whose node died; nobody new is called while there are any.
--
-- Why a script: two nodes that both read "one place left" would otherwise both fill it.
-- Cost: O((E + A) log N), E swept and A looked at, both bounded below. Specified by policy.py.

-- @include guard
-- @include now
-- @include log
-- @include lapse
-- @include pace

local SWEEP_MAX = 1000
local LOOK_MAX = 2000

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms = clock(ARGV[3])
local now = int(now_ms)
local room = read_room(KEYS[2])

for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', now, 'LIMIT', 0, SWEEP_MAX)) do
  redis.call('ZREM', KEYS[8], subject)
  redis.call('HDEL', KEYS[9], subject)
end
for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', now, 'LIMIT', 0, SWEEP_MAX)) do
  lapse(KEYS[7], KEYS[9], KEYS[3], KEYS[11], subject)
end
for _, subject in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, SWEEP_MAX)) do
  redis.call('ZREM', KEYS[5], subject)
  local place = redis.call('ZSCORE', KEYS[4], subject)
  if place then
    set_present(KEYS[10], KEYS[11], KEYS[3], tonumber(place), 0)
  end
end

local tokens = earned(KEYS[3], room, now_ms)
local counts = redis.call('HMGET', KEYS[3], 'fresh', 'replaced', 'lapsed')
local fresh, replaced = tonumber(counts[1] or '0'), tonumber(counts[2] or '0')
local lapsed = tonumber(counts[3] or '0')

local busy = redis.call('ZCARD', KEYS[6]) + redis.call('ZCARD', KEYS[7]) + redis.call('ZCARD', KEYS[8])
local open = room.mode ~= 'off' and not room.paused and not room.stopped
  and now_ms >= room.opens_at_ms and now_ms >= room.resume_at_ms
local left = math.min(#ARGV - 3, room.max_active - busy)
if not open or redis.call('ZCARD', KEYS[6]) > 0 then
  left = 0
end

local called, looked = 0, 0
while called < left and looked < LOOK_MAX do
  local kind = nil
  if tokens >= FAN then
    kind = 'fresh'
  elseif replaced < math.min(lapsed, 2 * fresh) then -- a lapsed call is replaced on top of the pace
    kind = 'replacement'
  else
    break
  end
  local head = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  if #head == 0 then
    break
  end
  looked = looked + 1
  local subject, place = head[1], tonumber(head[2])
  redis.call('ZREM', KEYS[4], subject)
  if redis.call('ZREM', KEYS[5], subject) == 1 then
    called = called + 1
    if kind == 'fresh' then
      tokens, fresh = tokens - FAN, fresh + 1
    else
      replaced = replaced + 1
    end
    redis.call('ZADD', KEYS[6], now, subject)
    redis.call('HSET', KEYS[9], subject, ARGV[3 + called] .. ':' .. int(place) .. ':' .. now .. ':' .. kind)
  else
    redis.call('HINCRBY', KEYS[3], 'gone', 1) -- away when the turn came
  end
  set_present(KEYS[10], KEYS[11], KEYS[3], place, 0)
end

save_tokens(KEYS[3], tokens, now_ms)
redis.call('HSET', KEYS[3], 'fresh', int(fresh), 'replaced', int(replaced), 'ticked_at_ms', now)

local reply = {}
for _, subject in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do
  reply[#reply + 1] = subject
  reply[#reply + 1] = redis.call('HGET', KEYS[9], subject) or ''
end
return reply
