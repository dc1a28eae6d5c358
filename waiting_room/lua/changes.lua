-- What happened after a version, and the numbers that everybody is shown.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] settings   hash: the room
-- KEYS[3] state      hash: counters
-- KEYS[4] queue      zset: those waiting
-- KEYS[5] calling    zset
-- KEYS[6] calls      zset
-- KEYS[7] active     zset: subject -> end, Unix ms
-- KEYS[8] log        stream of changes
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] limit      most entries in the answer, int >= 1
--
-- Returns: {version, now_ms, settings, state, {waiting, calling, called, active, ended}, gap,
--   entries}; `ended` admissions wait to be swept by a tick;
--   gap is 1 when entries after `floor` were trimmed away: take a snapshot.
--
-- Why a script: version, numbers and entries are of one moment. Cost: O(limit + log N).

-- @include guard
-- @include now

local refused = stale(KEYS[1], ARGV[1], KEYS[3], ARGV[2])
if refused then
  return refused
end
local now_ms, floor = clock(ARGV[3]), tonumber(ARGV[2])
local version = tonumber(redis.call('HGET', KEYS[3], 'version') or '0')
local entries, gap = {}, 0
if version > floor then
  entries = redis.call('XRANGE', KEYS[8], '0-' .. int(floor + 1), '+', 'COUNT', ARGV[4])
  if #entries == 0 or entries[1][1] ~= '0-' .. int(floor + 1) then
    gap = 1
  end
end
local active = redis.call('ZCOUNT', KEYS[7], '(' .. int(now_ms), '+inf')
return {
  int(version), int(now_ms), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]),
  { redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6]), active,
    redis.call('ZCARD', KEYS[7]) - active },
  gap, entries,
}
