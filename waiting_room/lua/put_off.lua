-- Put ends off by as long as the sale stands still: of admissions, or of accept windows.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters; <which>_off_to: up to when a standstill is made good already
-- KEYS[3] ends       zset: subject -> end, Unix ms: `active` or `calls`
-- KEYS[4] log        stream of changes: pages on all nodes are told
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] which      active, calls
-- ARGV[4] since_ms   when the standstill began, Unix ms
-- ARGV[5] until_ms   up to when it is to be made good, Unix ms; also ahead of now
-- ARGV[6] most       ends put off by one call, and those that are equal to the last, int >= 1
--
-- Returns: {moved, left}: left is 1 while there are more, then call again; {0, 0} when all is done.
--
-- Why a script: who was there at `since` gets the time from then until `until` once, whoever calls
-- and however often: <which>_off_to only rises, and the next step begins where the last one ended,
-- also one of another standstill. A step that has begun is gone on with by whoever comes, from the
-- latest end downwards (<which>_off_below), so that what was put off is never met again.
-- Cost: O(most log N).

-- @include guard
-- @include now
-- @include log

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local to_field, by_field, below_field = ARGV[3] .. '_off_to', ARGV[3] .. '_off_by', ARGV[3] .. '_off_below'
local step = redis.call('HMGET', KEYS[2], to_field, by_field, below_field)
local to, by, below = tonumber(step[1] or '0'), tonumber(step[2] or '0'), step[3]
if by == 0 then
  by, below = tonumber(ARGV[5]) - math.max(to, tonumber(ARGV[4])), '+inf'
  to = tonumber(ARGV[5])
  if by <= 0 then
    return { 0, 0 }
  end
end

local over = '(' .. int(to - by) -- what had ended when the standstill began
local page = redis.call('ZREVRANGEBYSCORE', KEYS[3], below, over, 'WITHSCORES', 'LIMIT', 0, ARGV[6])
local left = #page == 2 * tonumber(ARGV[6]) and 1 or 0
local last = tonumber(page[#page])
if left == 1 then
  page = redis.call('ZREVRANGEBYSCORE', KEYS[3], below, int(last), 'WITHSCORES')
end
for i = 1, #page, 2 do
  redis.call('ZADD', KEYS[3], int(tonumber(page[i + 1]) + by), page[i])
end
if left == 1 then
  redis.call('HSET', KEYS[2], to_field, int(to), by_field, int(by), below_field, int(last - 1))
else
  redis.call('HSET', KEYS[2], to_field, int(to))
  redis.call('HDEL', KEYS[2], by_field, below_field)
  append(KEYS[4], KEYS[2], 'put_off', ARGV[3])
end
return { #page / 2, left }
