-- Lets a room go, and says when it is due next: at once if an event came meanwhile, else when the
-- first timer of its record is due, else not at all.
--
-- KEYS  1 room   2 inbox   3 due
-- ARGV  1 room key   2 token   3 first timer as Unix ms, or ''   4 seconds the room may be idle
--       5 ms to wait whatever else is due, or ''   6 '1' if the try failed and counts, or ''
-- Answers 'ok' or 'fenced'.
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then
  return 'fenced'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], 'until')
if ARGV[6] == '' then
  redis.call('HDEL', KEYS[1], 'trying', 'tries')
end
if ARGV[5] ~= '' then
  redis.call('ZADD', KEYS[3], now + tonumber(ARGV[5]), ARGV[1])
  return 'ok'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('ZADD', KEYS[3], now, ARGV[1])
elseif ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
else
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return 'ok'
