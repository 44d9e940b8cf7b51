-- Reads all that metrics tell of the fleet, in one moment.
--
-- KEYS  1 due   2 who looks for work, and when last   3 live rooms   4 dead letters   5 routes
--       6 the counters   7 the rules that are paused   8 workers whose rule files do not load
-- ARGV  1 ms after which a worker is away   2 prefix of dispatches by state and route   3 prefix of
--       what is known of the last pass over a server   4 how many states follow   then states, and
--       ids of servers
-- Answers {now in ms, how many rooms are due, when the first was due in ms or '', {worker...}, how
--   many rooms are live, how many dead letters, how many pauses, how many workers with rule files
--   that do not load, {how many dispatches of each state}, {the last pass over each server, as
--   fields and values}, {field, value, ... of the counters}}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = now - ARGV[1]
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local routes = redis.call('ZRANGE', KEYS[5], 0, -1)
routes[#routes + 1] = '' -- those that are not told apart
local servers = 5 + ARGV[4]
local states, passes = {}, {}
for i = 5, servers - 1 do
  local count = 0
  for _, route in ipairs(routes) do
    count = count + redis.call('ZCARD', ARGV[2] .. ARGV[i] .. ':' .. route)
  end
  states[#states + 1] = count
end
for i = servers, #ARGV do
  passes[#passes + 1] = redis.call('HGETALL', ARGV[3] .. ARGV[i])
end
return {
  now,
  redis.call('ZCOUNT', KEYS[1], '-inf', now),
  first[2] or '',
  redis.call('ZRANGEBYSCORE', KEYS[2], since, '+inf'),
  redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]),
  redis.call('SCARD', KEYS[7]),
  redis.call('ZCOUNT', KEYS[8], since, '+inf'),
  states,
  passes,
  redis.call('HGETALL', KEYS[6]),
}
