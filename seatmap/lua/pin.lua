-- Make a hold outlive the claim that is about to take it.
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
-- ARGV[5] fence          of the hold as the caller knows it, generation.counter
-- ARGV[6] pin_ms         how long from now the claim may take, ms, int >= 1
-- ARGV[7] shop_after_ms  the admission outlives the hold by so much, ms, int >= 0
-- ARGV[8] now_ms         Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: JSON {version, hold} or {version, refused}; refused: hold_ended
--
-- Why a script: owner, fence and end of every lock are checked and the locks raised in one step:
-- a fence that was replaced in between fails here, before PostgreSQL is asked (promise S4).
-- Safe to repeat. `pinned` keeps the end that unpin.lua goes back to.
-- Cost: O(S) for S seats of the hold, and the sweep.

-- @include guard
-- @include change
-- @include sweep

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local admission, hold_id, subject, fence = KEYS[9], ARGV[3], ARGV[4], ARGV[5]
local now_ms = clock_ms(ARGV[8])
local sheet = new_sheet(states)
sweep(s, sheet, now_ms)

local function owned(hold)
  if not hold or hold.subject ~= subject or hold.fence ~= fence or hold['end'] <= now_ms then
    return false
  end
  for _, seat in ipairs(hold.seats) do
    if redis.call('GET', s.lock .. digits(seat)) ~= lock_value(hold_id, hold) then
      return false
    end
  end
  return true
end

local hold = find_hold(s, hold_id)
if not owned(hold) then
  return cjson.encode({ refused = 'hold_ended', version = publish(sheet, meta, log) })
end
if hold.pinned == 0 then
  hold.pinned = hold['end']
end
hold['end'] = math.max(hold['end'], now_ms + tonumber(ARGV[6]))
for _, seat in ipairs(hold.seats) do
  redis.call('PEXPIRE', s.lock .. digits(seat), digits(hold['end'] - now_ms))
end
save_hold(s, hold_id, hold)
local shop_until = digits(hold['end'] + tonumber(ARGV[7]))
redis.call('ZADD', admission, 'XX', 'GT', shop_until, subject)
return cjson.encode({ hold = hold, version = publish(sheet, meta, log) })
