-- Takes, renews or gives up a lease that one process has at a time.
--
-- KEYS  1 the lease
-- ARGV  1 token of who asks   2 how long it is, in ms; 0: they give it up
-- Answers 1 if they have it now, 0 if somebody else has.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
