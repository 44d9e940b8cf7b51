-- The newest members of several sorted sets together, from a place on.
--
-- KEYS  the sorted sets
-- ARGV  1 score to begin at, or '+inf'   2 member to begin behind, or ''   3 how many   4 least score
-- Answers member and score by turns, newest first: the higher score, and of equal scores the member
--   that sorts last.
local from, behind, most = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function newest(key, count)
  local found, offset = {}, 0
  repeat
    local read = redis.call(
      'ZRANGE', key, from, ARGV[4], 'BYSCORE', 'REV', 'LIMIT', offset, count, 'WITHSCORES')
    for i = 1, #read, 2 do
      local before = behind == '' or tonumber(read[i + 1]) < tonumber(from) or read[i] < behind
      if before and #found < count then
        found[#found + 1] = {read[i], tonumber(read[i + 1]), read[i + 1]}
      end
    end
    offset = offset + count
  until #found == count or #read < 2 * count
  return found
end

local function later(a, b)
  return a[2] > b[2] or (a[2] == b[2] and a[1] > b[1])
end

-- Most sets have nothing among the newest: each is asked for its first, and for more only if that
-- is newer than the last that is known so far.
local firsts = {}
for _, key in ipairs(KEYS) do
  local first = newest(key, 1)[1]
  if first then
    first[4] = key
    firsts[#firsts + 1] = first
  end
end
table.sort(firsts, later)
local merged = {}
for _, first in ipairs(firsts) do
  if #merged == most and later(merged[most], first) then
    break
  end
  for _, each in ipairs(newest(first[4], most)) do
    merged[#merged + 1] = each
  end
  table.sort(merged, later)
  for i = #merged, most + 1, -1 do
    merged[i] = nil
  end
end
local answer = {}
for _, each in ipairs(merged) do
  answer[#answer + 1] = each[1]
  answer[#answer + 1] = each[3]
end
return answer
