-- Lay a chunk of PostgreSQL's truth; keep the locks that survived on available seats.
--
-- KEYS[1] states   string: a byte a seat: 0 available, 1 held, 2 sold, 3 off sale, 4 claimed
-- KEYS[2] revs     string: u32 big-endian a seat
-- KEYS[3] meta     hash: seats, version, fence; repair: the epoch being made
-- KEYS[4] holds    hash: hold id -> JSON {subject, seats, fence, end, quote, pinned}
-- KEYS[5] holders  hash: subject -> hold id
-- KEYS[6] ends     zset: hold id -> end, Unix ms
-- KEYS[7] lock     prefix of string keys, one a seat: holdId:fence (decision 0002)
--
-- ARGV[1] epoch_text    of the generation that is being made
-- ARGV[2] first         seat index of the chunk's first seat
-- ARGV[3] states_chunk  bytes, one a seat, '0' '2' '3' '4'
-- ARGV[4] revs_chunk    bytes, u32 big-endian a seat
--
-- Returns: how many locks were kept; error STALE when another repair has begun
--
-- Why a script: a lock and the byte that pictures it are read and written in one step. A lock
-- counts only with its hold's record; what the record is indexed by is restored.
-- Cost: O(c) for c seats of the chunk; callers send at most 2,000.

-- @include guard
-- @include change
-- @include sweep

local s = { holds = KEYS[4], holders = KEYS[5], ends = KEYS[6], lock = KEYS[7] }
if redis.call('HGET', KEYS[3], 'repair') ~= ARGV[1] then
  return redis.error_reply('STALE repair')
end
local first, truth, kept = tonumber(ARGV[2]), ARGV[3], 0
redis.call('SETRANGE', KEYS[1], first, truth)
redis.call('SETRANGE', KEYS[2], first * 4, ARGV[4])

local function keeps(lock, state)
  local owner = redis.call('GET', lock)
  if not owner then
    return false
  end
  local hold_id = string.match(owner, '^(.*):')
  local hold = state == '0' and hold_id and find_hold(s, hold_id)
  if not hold or lock_value(hold_id, hold) ~= owner then
    redis.call('DEL', lock)
    return false
  end
  redis.call('ZADD', s.ends, digits(hold['end']), hold_id)
  redis.call('HSETNX', s.holders, hold.subject, hold_id)
  return true
end

for i = 1, #truth do
  local seat = first + i - 1
  if keeps(s.lock .. digits(seat), string.sub(truth, i, i)) then
    redis.call('SETRANGE', KEYS[1], seat, '1')
    kept = kept + 1
  end
end
return kept
