-- SPDX-License-Identifier: MIT
-- Coroutines, closures and a table that was filled before.
local square = {}
for n = 1, 2000 do square[n] = n * n end
local answer = coroutine.wrap(function(line)
  while true do
    local sum, parts = 0, {}
    for n in line:gmatch("%d+") do
      sum = sum + tonumber(n)
      parts[#parts + 1] = square[tonumber(n)]
    end
    line = coroutine.yield(sum .. ": " .. table.concat(parts, ","))
  end
end)
io.stdout:setvbuf("line")
for line in io.lines() do print(answer(line)) end
