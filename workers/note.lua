-- Notes that something may be in use for a while: never for less than was noted before.
--
-- KEYS  1 the note
-- ARGV  1 how long, in ms
-- Answers for how long it is noted now, in ms.
local before, now = redis.call('PTTL', KEYS[1]), tonumber(ARGV[1])
if before >= now then
  return before
end
redis.call('SET', KEYS[1], '1', 'PX', now)
return now
