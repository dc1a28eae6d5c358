-- Begin a repair: clear the picture, move the counters ahead.
--
-- KEYS[1] states  string: a byte a seat: 0 available, 1 held, 2 sold, 3 off sale, 4 claimed
-- KEYS[2] revs    string: u32 big-endian a seat
-- KEYS[3] meta    hash: seats, version, fence; repair: the epoch being made
-- KEYS[4] log     stream: id 0-version, field c
--
-- ARGV[1] epoch_text  of the generation that is being made
-- ARGV[2] seats       of the plan, int >= 1
-- ARGV[3] ahead       how far the counters jump, int >= 1
--
-- Returns: the new version
--
-- Why a script: a repair that lost its advisory lock must not lay over the next one: chunks compare
-- the mark that is set here. The jump keeps versions and fences above what was lost.
-- Cost: O(n) for n seats and the log (freed).

redis.call('DEL', KEYS[1], KEYS[2], KEYS[4])
redis.call('HSET', KEYS[3], 'seats', ARGV[2], 'repair', ARGV[1])
redis.call('HINCRBY', KEYS[3], 'fence', ARGV[3])
return redis.call('HINCRBY', KEYS[3], 'version', ARGV[3])
