# SPDX-License-Identifier: MIT
# A worker thread behind a queue, and the standard library's JSON.
require "json"
require "set"
require "digest"
SQUARE = (1..2000).to_h { |n| [n, n * n] }
questions, answers = Queue.new, Queue.new
Thread.new { loop { n = questions.pop; answers << { sum: n.sum, square: n.map { |i| SQUARE[i] }, odd: n.select(&:odd?).to_set.to_a } } }
$stdout.sync = true
while (line = $stdin.gets)
  questions << line.split.map(&:to_i)
  puts JSON.generate(answers.pop), Digest::SHA256.hexdigest(line)
end
