-- Lay PostgreSQL's word about seats over their states.
--
-- KEYS[1] epoch    string: the epoch of this state
-- KEYS[2] states   string: a byte a seat: 0 available, 1 held, 2 sold, 3 off sale, 4 claimed
-- KEYS[3] meta     hash: seats, version, fence
-- KEYS[4] log      stream: id 0-version, field c
-- KEYS[5] holds    hash: hold id -> JSON {subject, seats, fence, end, quote, pinned}
-- KEYS[6] holders  hash: subject -> hold id
-- KEYS[7] ends     zset: hold id -> end, Unix ms
-- KEYS[8] lock     prefix of string keys, one a seat: holdId:fence (decision 0002)
-- KEYS[9] revs     string: u32 big-endian a seat, the rev that its state reflects
--
-- ARGV[1] epoch_text  the epoch that the caller works in
-- ARGV[2] floor       highest version that the caller has seen, int >= 0
-- ARGV[3] hold_id     the hold that the change ends, or ''
-- ARGV[4] state       '4' claimed, '2' sold, '0' available
-- ARGV[5] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
-- ARGV[6..] fates       seat, rev, seat, rev, ...: ints; at most 1,000 seats
--
-- Returns: JSON {version, applied}: how many seats had a lower rev
--
-- Why a script: a rev is compared and the state set in one step, so a late relay can't undo a newer
-- owner. Safe to repeat. A claimed or sold seat is nobody's hold: any lock on it goes, and its fan
-- learns at the pin.
-- Cost: O(S) for S seats, and the sweep.

-- @include guard
-- @include change
-- @include sweep

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local revs, hold_id, state = KEYS[9], ARGV[3], ARGV[4]
local sheet = new_sheet(states)
sweep(s, sheet, clock_ms(ARGV[5]))

-- The booking has taken the hold's place, whatever came of it.
local hold = hold_id ~= '' and find_hold(s, hold_id)
if hold then
  drop(s, sheet, hold_id, hold)
end

local applied = 0
for i = 6, #ARGV, 2 do
  local seat, rev = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local known = redis.call('GETRANGE', revs, seat * 4, seat * 4 + 3)
  if #known == 4 and rev > struct.unpack('>I4', known) then
    redis.call('SETRANGE', revs, seat * 4, struct.pack('>I4', rev))
    local lock = s.lock .. digits(seat)
    if state ~= '0' then
      redis.call('DEL', lock)
      put(sheet, seat, state)
    else
      put(sheet, seat, redis.call('EXISTS', lock) == 1 and '1' or '0')
    end
    applied = applied + 1
  end
end
return cjson.encode({ applied = applied, version = publish(sheet, meta, log) })
