-- Takes documents out of history.
--
-- KEYS  1 history
-- ARGV  for each document: its key, its place, key of the index it is in, key of the list of its room
--       or ''
-- Answers how many there were. What it takes away comes first: a Redis that is full refuses a script
--   whose first write might take memory.
local BESIDE = 200 -- as in commit.lua
local shrunk, gone = 0, 0
for i = 1, #ARGV, 4 do
  local size, place = redis.call('STRLEN', ARGV[i]), ARGV[i + 1]
  if redis.call('ZREM', ARGV[i + 2], place) == 1 then -- else it has moved on since, and is in another
    if size > 0 then
      redis.call('UNLINK', ARGV[i])
      shrunk, gone = shrunk + size + 2 * #place + BESIDE, gone + 1
    end
    if ARGV[i + 3] ~= '' then
      redis.call('LREM', ARGV[i + 3], 1, place)
    end
  end
end
if shrunk > 0 then
  redis.call('HINCRBY', KEYS[1], 'bytes', -shrunk)
end
return gone
