-- The live hold of a fan.
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
-- ARGV[3] subject     the fan
-- ARGV[4] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: JSON {version, holdId?, hold?}
--
-- Why a script: ended holds are swept first, so that an ended one is never shown.
-- Cost: O(1), and the sweep.

-- @include guard
-- @include change
-- @include sweep

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local sheet = new_sheet(states)
sweep(s, sheet, clock_ms(ARGV[4]))

local hold_id = redis.call('HGET', s.holders, ARGV[3])
local hold = hold_id and find_hold(s, hold_id)
local reply = { version = publish(sheet, meta, log) }
if hold then
  reply.holdId, reply.hold = hold_id, hold
end
return cjson.encode(reply)
