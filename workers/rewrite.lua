-- Puts another text in the place of documents of history, where they are still as they were read.
--
-- KEYS  1 history
-- ARGV  for each document: its key, its text as it was, its new text
-- Answers how many were rewritten. One that has gone meanwhile stays gone: nothing would list it.
local rewritten, grown = 0, 0
for i = 1, #ARGV, 3 do
  if redis.call('GET', ARGV[i]) == ARGV[i + 1] then
    redis.call('SET', ARGV[i], ARGV[i + 2])
    rewritten, grown = rewritten + 1, grown + #ARGV[i + 2] - #ARGV[i + 1]
  end
end
if grown ~= 0 then
  redis.call('HINCRBY', KEYS[1], 'bytes', grown)
end
return rewritten
