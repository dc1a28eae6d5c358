-- Live admissions with their ends, some at a time: for PostgreSQL, after ends were put off.
--
-- KEYS[1] epoch_key  string: the epoch of this state
-- KEYS[2] state      hash: counters
-- KEYS[3] active     zset: subject -> end of the admission, Unix ms
-- KEYS[4] admission  hash: subject -> call_id:place:called_at:kind
--
-- ARGV[1] epoch      of the caller
-- ARGV[2] floor      highest log version the caller has seen, int >= 0
-- ARGV[3] now_ms     Unix ms; '' takes Redis' own clock
-- ARGV[4] after_ms   ends later than this only, Unix ms; 0 for the first
-- ARGV[5] most       in one answer, and those that end with the last, int >= 1
--
-- Returns: subject, admission, end, subject, admission, end, …, the earliest end first; nothing when
--   there are no more. An end that moves meanwhile may be told twice, or not, and then PostgreSQL
--   has it from whoever moved it.
--
-- Why a script: admission and end are of one moment. Cost: O(most + log N).

-- @include guard
-- @include now

local refused = stale(KEYS[1], ARGV[1], KEYS[2], ARGV[2])
if refused then
  return refused
end
local after = '(' .. int(math.max(clock(ARGV[3]), tonumber(ARGV[4])))
local page = redis.call('ZRANGEBYSCORE', KEYS[3], after, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5])
if #page == 2 * tonumber(ARGV[5]) then
  page = redis.call('ZRANGEBYSCORE', KEYS[3], after, int(tonumber(page[#page])), 'WITHSCORES')
end
local reply = {}
for i = 1, #page, 2 do
  local admission = redis.call('HGET', KEYS[4], page[i])
  if admission then
    reply[#reply + 1] = page[i]
    reply[#reply + 1] = admission
    reply[#reply + 1] = int(tonumber(page[i + 1]))
  end
end
return reply
