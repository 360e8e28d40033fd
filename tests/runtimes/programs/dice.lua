-- SPDX-License-Identifier: MIT
-- As dice.rb. Lua makes its seed when it starts; math.randomseed() without a number takes the second and an address.
io.stdout:setvbuf("line")
print("ready")
io.read()
local kernel = assert(io.open("/dev/urandom", "rb"))
local bytes = kernel:read(16)
print("own urandom " .. bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
print("kept random " .. math.random(0))
math.randomseed(string.unpack("i8i8", bytes))
print("own reseeded " .. math.random(0))
