-- Writes what a holder has decided or done, if it still holds the room. One script, so that an
-- event leaves the inbox in the same moment as its decisions, claims and the room's new record
-- arrive. Every write renews the lease.
--
-- KEYS  1 room   2 inbox   3 due
-- ARGV  1 room key   2 token   3 lease in ms   4 id of the event taken, or ''
--       5 record or '' to leave it   then for each document:
--       key, JSON, seconds it lives, key of its index, its score there in ms
-- Answers 'ok', 'done' (this event was taken before: the answer to an earlier call was lost),
--   or 'fenced' (another holds the room, or it is gone; nothing was written).
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then
  return 'fenced'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('LINDEX', KEYS[2], 0)
if ARGV[4] ~= '' and (not head or string.match(head, '^[^\n]*') ~= ARGV[4]) then
  return 'done'
end
for i = 6, #ARGV, 5 do
  redis.call('SET', ARGV[i], ARGV[i + 1], 'EX', ARGV[i + 2])
  redis.call('ZADD', ARGV[i + 3], ARGV[i + 4], string.match(ARGV[i], '^%w+:[%w-]+:(.*)$'))
  redis.call('ZREMRANGEBYSCORE', ARGV[i + 3], '-inf', now - ARGV[i + 2] * 1000)
end
if ARGV[4] ~= '' then
  redis.call('LPOP', KEYS[2])
  head = redis.call('LINDEX', KEYS[2], 0)
  redis.call('HSET', KEYS[1], 'trying', head and string.match(head, '^[^\n]*') or '', 'tries', 1)
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'record', ARGV[5])
end
local until_ = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'until', until_)
redis.call('ZADD', KEYS[3], until_, ARGV[1])
return 'ok'
