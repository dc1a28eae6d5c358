-- Every seat's state, with the version it has.
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
-- ARGV[3] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: {version, ms until the next hold ends or '', states}
--
-- Why a script: states and version belong to the same moment; ended holds are swept first.
-- Cost: O(n) for n seats (one copy of n bytes), and the sweep.

-- @include guard
-- @include change
-- @include sweep

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local now_ms = clock_ms(ARGV[3])
local sheet = new_sheet(states)
sweep(s, sheet, now_ms)

local version = publish(sheet, meta, log)
return { version, next_end(s, now_ms), redis.call('GET', states) or '' }
