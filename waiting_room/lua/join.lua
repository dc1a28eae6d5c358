-- Give fans a place, or say where they stand already. Idempotent: one place a fan.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room, as PostgreSQL has it
-- KEYS[3] state      hash: counters, tokens
-- KEYS[4] queue      zset: subject -> place
-- KEYS[5] calling    zset: subject -> called at, ms
-- KEYS[6] calls      zset: subject -> accept by, ms
-- KEYS[7] active     zset: subject -> end of the admission, ms
-- KEYS[8] admission  hash: subject -> call_id:place:called_at:kind
-- KEYS[9] present    bitmap of places
-- KEYS[10] seen0     bitmap of places seen lately
-- KEYS[11] log       stream of changes
-- KEYS[12] lobby     hash: subject -> entry_id:joined_at_ms
-- KEYS[13] departed  set: who is to be drawn no more
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4..] joins    for each: subject; call_id, should the join make an admission; slip: the place to
--   give back after a repair, checked by the caller, 'spent' for one that is over if the fan does not
--   stand here, '' for none; entry for the lobby's list, should the join make one: 'entry_id', or
--   'entry_id:joined_at_ms' to give one back after a repair
--
-- Returns: for each join, in order, {kind, number, admission, new}: 'admitted' end_ms; 'called'
--   accept_by; 'waiting' place; 'lobby' and 'drawing', with the entry in place of an admission; 'early';
--   'spent': the slip's place is over, and nothing was given; 'closed', 'draining', 'drained': nobody
--   new; 'ceiling': raise it in PostgreSQL and join again.
--
-- Why a script: it looks first and takes a number last, in one step, so that no tab gets a second
-- place and no refused join burns a number. Many a call: joins of one moment share a round trip.
-- Cost: O(J log N) for J joins, which the caller bounds.

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
local now_ms = clock(ARGV[3])
local room = read_room(KEYS[2])
local draw = close_lobby(KEYS[3], KEYS[12], room, now_ms)
local opened = now_ms >= room.opens_at_ms
local lobby_open = not draw and now_ms < math.max(room.opens_at_ms, room.resume_at_ms)
-- Not while a repair's standstill lasts: lower places are still on their way back.
local drawn = not draw or draw.up_to == draw.ends
local flowing = drawn and not room.paused and not room.stopped and now_ms >= room.resume_at_ms
local present = tonumber(redis.call('HGET', KEYS[3], 'present') or '0')
local arrived, left = {}, {}

local function wait_at(subject, place, new)
  if new == 1 then
    redis.call('ZADD', KEYS[4], int(place), subject)
  end
  redis.call('SETBIT', KEYS[10], place, 1)
  set_present(KEYS[9], place, 1, arrived)
  return { 'waiting', int(place), '', new }
end

-- With the place the fan had, which is used up: a slip of it, or a repair, gives it back no more.
local function admit(subject, call_id, place)
  local value = call_id .. ':' .. int(place) .. ':' .. int(now_ms) .. ':direct'
  redis.call('ZADD', KEYS[7], int(now_ms + room.shop_ms), subject)
  redis.call('HSET', KEYS[8], subject, value)
  redis.call('HINCRBY', KEYS[3], 'direct', 1)
  return { 'admitted', int(now_ms + room.shop_ms), value, 1 }
end

-- Where a fan who was called, or let in, stands; nil when there is nothing of it, or no more.
local function held_by(subject)
  local held = redis.call('HGET', KEYS[8], subject)
  if not held then
    return nil
  end
  local ends = tonumber(redis.call('ZSCORE', KEYS[7], subject) or '0')
  if ends > over_by(KEYS[2], KEYS[3], 'active', now_ms) then
    return { 'admitted', int(ends), held, 0 }
  end
  local accept_by = tonumber(redis.call('ZSCORE', KEYS[6], subject) or '0')
  if accept_by > over_by(KEYS[2], KEYS[3], 'calls', now_ms) then
    return { 'called', int(accept_by), held, 0 }
  end
  if redis.call('ZSCORE', KEYS[5], subject) then -- called, but not announced: still waiting
    return { 'waiting', string.match(held, ':(%d+):'), '', 0 }
  end
  lapse(KEYS[6], KEYS[8], KEYS[3], KEYS[11], subject) -- or a tick would end what is made next
  return nil
end

-- Straight in: nobody present waits, and pace and cap have room. Takes the token.
local function walks_in()
  if room.mode ~= 'auto' or not flowing or present + #arrived > 0 then
    return false
  end
  local shopping = redis.call('ZCOUNT', KEYS[7], '(' .. int(now_ms), '+inf')
  local busy = redis.call('ZCARD', KEYS[5]) + redis.call('ZCARD', KEYS[6]) + shopping
  local tokens = earned(KEYS[3], room, now_ms)
  if busy >= room.max_active or tokens < FAN then
    return false
  end
  save_tokens(KEYS[3], tokens - FAN, now_ms)
  return true
end

-- Whether the entry is one that the fan had before a repair, and there is a lobby to have it back in.
local function returns(given)
  return lobby_open and string.find(given, ':', 1, true)
end

-- The fan's entry, or the one that a fan gets while the lobby is open; nil when it is not. Who was in
-- it comes back whatever was changed since: it is drawn all the same.
local function gathers(subject, given)
  local entry = in_lobby(KEYS[12], KEYS[13], subject)
  if entry then
    return { draw and 'drawing' or 'lobby', '0', entry, 0 }
  end
  local begun = room.draw and room.mode ~= 'off' and now_ms >= room.lobby_opens_at_ms
  if not lobby_open or not (begun or returns(given)) then
    return nil
  end
  entry = returns(given) and given or given .. ':' .. int(now_ms)
  redis.call('HSET', KEYS[12], subject, entry)
  return { 'lobby', '0', entry, 1 }
end

local function join(subject, call_id, slip, entry)
  local standing = held_by(subject)
  if standing then
    return standing
  end
  local place = tonumber(redis.call('ZSCORE', KEYS[4], subject) or '0')
  local here = place > 0 or in_lobby(KEYS[12], KEYS[13], subject)
  if slip == 'spent' and not here then
    return { 'spent', '0', '', 0 }
  end
  -- Who comes back after a repair is not new. A receipt gives back what is still to be drawn.
  local slip_place = tonumber(slip)
  local new = not (here or slip_place or returns(entry))
  if new and room.intake ~= 'open' then
    return { room.intake, '0', '', 0 }
  end
  if room.mode == 'off' and opened and not room.stopped then
    if place > 0 then
      redis.call('ZREM', KEYS[4], subject)
      set_present(KEYS[9], place, 0, left)
    end
    leave_lobby(KEYS[3], KEYS[12], KEYS[13], subject)
    return admit(subject, call_id, place)
  end
  if place > 0 then
    return wait_at(subject, place, 0)
  end
  local gathered = gathers(subject, entry)
  if gathered then
    return gathered
  end
  if not opened then
    return { 'early', int(room.opens_at_ms), '', 0 }
  end
  if walks_in() then
    return admit(subject, call_id, 0)
  end
  if slip_place and redis.call('ZCOUNT', KEYS[4], slip_place, slip_place) == 0 then
    return wait_at(subject, slip_place, 1)
  end
  local last = tonumber(redis.call('HGET', KEYS[3], 'last_place') or '0')
  if last + 1 > room.ceiling then
    return { 'ceiling', int(math.max(last, room.ceiling)), '', 0 }
  end
  return wait_at(subject, redis.call('HINCRBY', KEYS[3], 'last_place', 1), 1)
end

local reply = {}
for i = 4, #ARGV, 4 do
  reply[#reply + 1] = join(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
log_places(KEYS[11], KEYS[3], '+', arrived)
log_places(KEYS[11], KEYS[3], '-', left)
return reply
