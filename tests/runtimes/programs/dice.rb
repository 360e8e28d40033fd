# SPDX-License-Identifier: MIT
# Prints random numbers when it is told a line: "own NAME NUMBER" no copy may share, "kept NAME NUMBER" is the snapshot's.
require "securerandom"
require "openssl"
drawn = ARGV[0] == "drawn"
[rand, SecureRandom.hex, Random.new_seed, OpenSSL::Random.random_bytes(8)] if drawn
$stdout.sync = true
puts "ready"
$stdin.gets
default = drawn ? "kept" : "own"    # its seed is made at the first draw
puts "own securerandom #{SecureRandom.hex(16)}", "own uuid #{SecureRandom.uuid}", "own new_seed #{Random.new_seed}"
puts "own urandom #{Random.urandom(16).unpack1("H*")}", "own new #{Random.new.rand(2**64)}"
puts "own shuffle #{(1..100).to_a.shuffle(random: Random.new).join(",")}"
puts "own openssl #{OpenSSL::Random.random_bytes(16).unpack1("H*")}"
puts "own key #{OpenSSL::PKey::EC.generate("prime256v1").private_key}"
puts "#{default} rand #{rand}", "#{default} Random.rand #{Random.rand(2**64)}", "#{default} sample #{(1..1000).to_a.sample(9).join(",")}"
