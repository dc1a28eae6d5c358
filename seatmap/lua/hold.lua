-- Lock seats for one fan: all of them, or none.
--
-- KEYS[1] epoch      string: the epoch of this state
-- KEYS[2] states     string: a byte a seat: 0 available, 1 held, 2 sold, 3 off sale, 4 claimed
-- KEYS[3] meta       hash: seats, version, fence
-- KEYS[4] log        stream: id 0-version, field c
-- KEYS[5] holds      hash: hold id -> JSON {subject, seats, fence, end, quote, pinned}
-- KEYS[6] holders    hash: subject -> hold id
-- KEYS[7] ends       zset: hold id -> end, Unix ms
-- KEYS[8] lock       prefix of string keys, one a seat: holdId:fence (decision 0002)
-- KEYS[9] admission  zset: subject -> end of the admission, Unix ms; owned by the waiting room
--
-- ARGV[1] epoch_text     the epoch that the caller works in
-- ARGV[2] floor          highest version that the caller has seen, int >= 0
-- ARGV[3] hold_id        hd_...
-- ARGV[4] subject        the fan
-- ARGV[5] alternatives   JSON [{seats: [int], quote: string}]: the first wholly free one wins
-- ARGV[6] max_tickets    of one fan, held and booked, int >= 1
-- ARGV[7] booked         tickets that the fan has booked, int >= 0
-- ARGV[8] hold_ms        how long a new hold lasts, ms, int >= 1
-- ARGV[9] shop_after_ms  the admission outlives the hold by so much, ms, int >= 0
-- ARGV[10] now_ms         Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: JSON {version, hold} or {version, refused, seats?}; refused: not_admitted, no_hold (the
--   id is another fan's), too_many_tickets, seats_taken (with those of the first alternative)
--
-- Why a script: the check of every lock and the locks must be one step, and the fan's old hold
-- must go in the same step, or a refusal would cost the fan the seats they had.
-- Safe to repeat: a hold id that exists answers with its hold. A hold that shares a seat with the
-- fan's old one keeps its end, or seats could be kept for ever by swapping one. A pinned hold is
-- being paid for: it is not replaced, and counts as booked.
-- The locks' keys are derived from a prefix, because those of the old hold and of swept holds
-- can't be known by the caller; the prefix carries the hash tag, so they are in this slot.
-- Cost: O(A * S) for A alternatives of S seats, both bounded by the caller; and the sweep.

-- @include guard
-- @include change
-- @include sweep

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local admission, hold_id, subject = KEYS[9], ARGV[3], ARGV[4]
local hold_ms, shop_after_ms = tonumber(ARGV[8]), tonumber(ARGV[9])
local now_ms = clock_ms(ARGV[10])
local sheet = new_sheet(states)
sweep(s, sheet, now_ms)

local function answer(reply)
  reply.version = publish(sheet, meta, log)
  return cjson.encode(reply)
end

if tonumber(redis.call('ZSCORE', admission, subject) or '0') <= now_ms then
  return answer({ refused = 'not_admitted' })
end
local repeated = find_hold(s, hold_id)
if repeated then
  if repeated.subject ~= subject then
    return answer({ refused = 'no_hold' })
  end
  return answer({ hold = repeated })
end

local old_id = redis.call('HGET', s.holders, subject)
local old = old_id and find_hold(s, old_id)
local room = tonumber(ARGV[6]) - tonumber(ARGV[7])
local mine = {} -- seats of the hold that this one replaces
if old and old.pinned > 0 then
  room = room - #old.seats
  old = nil
elseif old then
  for _, seat in ipairs(old.seats) do
    mine[seat] = redis.call('GET', s.lock .. digits(seat)) == lock_value(old_id, old)
  end
end

local function taken_of(seats)
  local taken = {}
  for _, seat in ipairs(seats) do
    local state = state_of(sheet, seat)
    local open = state == '0' or state == '1' -- '1' without a lock: ended, not yet swept
    if not open or (not mine[seat] and redis.call('EXISTS', s.lock .. digits(seat)) == 1) then
      taken[#taken + 1] = seat
    end
  end
  return taken
end

local chosen, first_taken
for _, alternative in ipairs(cjson.decode(ARGV[5])) do
  if #alternative.seats > room then
    return answer({ refused = 'too_many_tickets' })
  end
  local taken = taken_of(alternative.seats)
  first_taken = first_taken or taken
  if #taken == 0 then
    chosen = alternative
    break
  end
end
if not chosen then
  return answer({ refused = 'seats_taken', seats = first_taken })
end

local ends_ms = now_ms + hold_ms
if old then
  for _, seat in ipairs(chosen.seats) do
    if mine[seat] then
      ends_ms = old['end']
    end
  end
  drop(s, sheet, old_id, old)
end

-- The epoch begins with the generation: fences of a later generation never equal earlier ones.
local generation = string.match(ARGV[1], '^(%d+)')
local fence = generation .. '.' .. digits(redis.call('HINCRBY', meta, 'fence', 1))
local hold = {
  subject = subject,
  seats = chosen.seats,
  fence = fence,
  ['end'] = ends_ms,
  quote = chosen.quote,
  pinned = 0,
}
for _, seat in ipairs(chosen.seats) do
  local lock = s.lock .. digits(seat)
  redis.call('SET', lock, lock_value(hold_id, hold), 'NX', 'PX', digits(ends_ms - now_ms))
  put(sheet, seat, '1')
end
save_hold(s, hold_id, hold)
redis.call('HSET', s.holders, subject, hold_id)
redis.call('ZADD', admission, 'XX', 'GT', digits(ends_ms + shop_after_ms), subject)
return answer({ hold = hold })
