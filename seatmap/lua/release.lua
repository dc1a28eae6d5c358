-- Give a hold's seats back before its end.
--
-- KEYS[1] epoch    string: the epoch of this state
-- KEYS[2] states   string: a byte a seat: 0 available, 1 held, 2 sold, 3 off sale, 4 claimed
-- KEYS[3] meta     hash: seats, version, fence
-- KEYS[4] log      stream: id 0-version, field c
-- KEYS[5] holds    hash: hold id -> JSON {subject, seats, fence, end, quote, pinned}
-- KEYS[6] holders  hash: subject -> hold id
-- KEYS[7] ends     zset: hold id -> end, Unix ms
-- KEYS[8] lock     prefix of string keys, one a seat: holdId:fence (decision 0002)
--
-- ARGV[1] epoch_text  the epoch that the caller works in
-- ARGV[2] floor       highest version that the caller has seen, int >= 0
-- ARGV[3] hold_id     hd_...
-- ARGV[4] subject     the fan
-- ARGV[5] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: JSON {version, released} or {version, refused}; released is false when there is no such
--   hold of this fan; refused: hold_ended (it is pinned: a booking is taking it)
--
-- Why a script: states, locks, record and log change in one step. Safe to repeat.
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
local hold_id, subject = ARGV[3], ARGV[4]
local sheet = new_sheet(states)
sweep(s, sheet, clock_ms(ARGV[5]))

local reply = { released = false }
local hold = find_hold(s, hold_id)
if hold and hold.subject == subject then
  if hold.pinned > 0 then
    reply = { refused = 'hold_ended' }
  else
    drop(s, sheet, hold_id, hold)
    reply.released = true
  end
end
reply.version = publish(sheet, meta, log)
return cjson.encode(reply)
