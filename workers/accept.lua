-- Stores an event in its room's inbox, once, and makes the room due.
--
-- KEYS  1 seen   2 inbox   3 room   4 due   5 wake   6 the wake-up made ready   7 RQ's queue
-- ARGV  1 room key   2 event id, newline, JSON; the inbox entry has the time between them, in ms
--       3 seconds to remember the id
--       4 milliseconds a wake-up may take; 0: nobody needs one
--       5 prefix of RQ's jobs   6 seconds a wake-up in the queue is worth anything
--       7 if there: WAIT follows, which answers for what this connection has written. So a
--         duplicate writes too: it is no better copied than the event it repeats
-- Answers 'duplicate'; 'accepted'; 'woken': accepted, and the wake-up made ready is in the queue;
--   or 'wake': accepted, and nobody has been woken yet.
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[3]) then
  if ARGV[7] then
    redis.call('EXPIRE', KEYS[1], ARGV[3])
  end
  return 'duplicate'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, event = string.match(ARGV[2], '^([^\n]*)\n(.*)$')
redis.call('RPUSH', KEYS[2], id .. '\n' .. string.format('%d', now) .. '\n' .. event)
local left = tonumber(redis.call('HGET', KEYS[3], 'until') or '0') - now
if left > 0 and left <= 60000 then -- more than any lease: the clock was set back
  return 'accepted' -- whoever holds the room looks at the inbox again when it lets go
end
redis.call('ZADD', KEYS[4], 'LT', now, ARGV[1])
if ARGV[4] ~= '0' and redis.call('SET', KEYS[5], '1', 'NX', 'PX', ARGV[4]) then
  local job = redis.call('GETDEL', KEYS[6])
  if not job then
    return 'wake'
  end
  redis.call('RPUSH', KEYS[7], job)
  redis.call('EXPIRE', ARGV[5] .. job, ARGV[6])
  return 'woken'
end
return 'accepted'
