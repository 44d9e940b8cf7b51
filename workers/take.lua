-- Takes an agent in a meeting for a dispatch, unless it is another's.
--
-- KEYS  1 whose it is
-- ARGV  1 id of the dispatch   2 id of one that had it and is over, or ''   3 seconds it is kept
-- Answers '' when it is this dispatch's now, else the id of the one that has it.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and owner ~= ARGV[2] then
  return owner
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return ''
