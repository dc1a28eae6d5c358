-- Undo a pin: the claim was not made, the hold goes back to its own end.
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
-- ARGV[4] fence       of the pinned hold, generation.counter
-- ARGV[5] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: JSON {version, unpinned}; false when there is no such pin
--
-- Why a script: end, locks and record change in one step. Safe to repeat. If that end has passed,
-- or the fan has taken another hold meanwhile, the seats are free at once.
-- Cost: O(S) for S seats of the hold, and the sweep.

-- @include guard
-- @include change
-- @include sweep
-- @include move

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local hold_id = ARGV[3]
local now_ms = clock_ms(ARGV[5])
local sheet = new_sheet(states)
sweep(s, sheet, now_ms)

local hold = find_hold(s, hold_id)
local unpinned = hold and hold.fence == ARGV[4] and hold.pinned > 0 or false
if unpinned then
  hold['end'], hold.pinned = hold.pinned, 0
  if hold['end'] <= now_ms or redis.call('HGET', s.holders, hold.subject) ~= hold_id then
    drop(s, sheet, hold_id, hold)
  else
    move_end(s, hold_id, hold, now_ms)
  end
end
return cjson.encode({ unpinned = unpinned, version = publish(sheet, meta, log) })
