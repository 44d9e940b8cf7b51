-- What came of telling one receiver: it was told (or never will be), or is tried again.
--
-- KEYS  1 the notice   2 what the receiver is to be told   3 notices
-- ARGV  1 id of the notice   2 id of the receiver   3 when it is due again, Unix ms; '' if never
-- Answers 1 if some receiver is to be told of it still, else 0: then it is gone.
if ARGV[3] ~= '' then
  if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
    redis.call('ZADD', KEYS[2], 'XX', ARGV[3], ARGV[1])
  end
  return redis.call('EXISTS', KEYS[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[2])
if redis.call('HLEN', KEYS[1]) > 1 then
  return 1
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 0
