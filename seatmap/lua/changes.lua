-- The changes after a version.
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
-- ARGV[3] after       version that the caller has applied, int >= 0
-- ARGV[4] count       most log entries to return, int >= 1
-- ARGV[5] now_ms      Unix ms; '' takes Redis' own clock (tests pass a number)
--
-- Returns: {version of the last entry returned, ms until the next hold ends or '', changes}: the
--   changes joined, u32 big-endian each, seat << 8 | state byte, in order; or {-1} when the log no
--   longer reaches back: take a snapshot
--
-- Why a script: ended holds are swept first, so that a map shows them free without a timer.
-- Cost: O(E), E entries returned, and the sweep.

-- @include guard
-- @include change
-- @include sweep

local epoch, states, meta, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local s = { holds = KEYS[5], holders = KEYS[6], ends = KEYS[7], lock = KEYS[8] }
local wrong = stale(epoch, meta, ARGV[1], ARGV[2])
if wrong then
  return wrong
end
local after = tonumber(ARGV[3])
local now_ms = clock_ms(ARGV[5])
local sheet = new_sheet(states)
sweep(s, sheet, now_ms)

local version = publish(sheet, meta, log)
if version == after then
  return { after, next_end(s, now_ms), '' }
end
local from = '0-' .. digits(after + 1)
local entries = redis.call('XRANGE', log, from, '+', 'COUNT', ARGV[4])
if not entries[1] or entries[1][1] ~= from then
  return { -1 }
end
local parts = {}
for i, entry in ipairs(entries) do
  parts[i] = entry[2][2]
end
return { after + #entries, next_end(s, now_ms), table.concat(parts) }
