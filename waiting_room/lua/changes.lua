-- What happened after a version, and the numbers that everybody is shown.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] queue      zset: those waiting
-- KEYS[5] calling    zset: subject -> called at, ms; not announced yet
-- KEYS[6] calls      zset
-- KEYS[7] active     zset: subject -> end, Unix ms
-- KEYS[8] present    bitmap of places
-- KEYS[9] log        stream of changes
-- KEYS[10] lobby     hash: those in the lobby
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] limit      most entries in the answer, int >= 1
-- ARGV[5] whole      1: the caller has no copy of the bitmap yet
--
-- Returns: {version, now_ms, settings, state, {waiting, calling, called, active, ended, present,
--   unannounced_since_ms, lobby}, gap, entries, bitmap}. `ended` admissions wait to be swept by a
--   tick. `lobby`: those in it, then the places still to be laid. gap is 1 when entries after `floor`
--   were trimmed away. The bitmap is of `version` and '' unless it is needed: for a caller without
--   one, after a gap, and when an entry says that many went away at once. Entries between may be laid
--   over it: they end in what it says.
--
-- Why a script: version, numbers, entries and bitmap are of one moment.
-- Cost: O(limit + log N), with a bitmap O(bytes): a million places are 125 kB.

-- @include guard
-- @include now
-- @include lobby

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms, floor = clock(ARGV[3]), tonumber(ARGV[2])
local at = redis.call('HMGET', KEYS[3], 'version', 'reload_at', 'present')
local version, reload_at = tonumber(at[1] or '0'), tonumber(at[2] or '0')
local entries, gap = {}, 0
if version > floor and ARGV[5] ~= '1' then
  entries = redis.call('XRANGE', KEYS[9], '0-' .. int(floor + 1), '+', 'COUNT', ARGV[4])
  if #entries == 0 or entries[1][1] ~= '0-' .. int(floor + 1) then
    entries, gap = {}, 1
  end
end
local bitmap = ''
if ARGV[5] == '1' or gap == 1 or reload_at > floor then
  bitmap = redis.call('GET', KEYS[8]) or ''
end
local oldest = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')
local draw = draw_of(KEYS[3])
local active = redis.call('ZCOUNT', KEYS[7], '(' .. int(now_ms), '+inf')
return {
  int(version), int(now_ms), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]),
  { redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6]), active,
    redis.call('ZCARD', KEYS[7]) - active, tonumber(at[3] or '0'), oldest[2] or '0',
    draw and draw.ends - draw.up_to or redis.call('HLEN', KEYS[10]) },
  gap, entries, bitmap,
}
