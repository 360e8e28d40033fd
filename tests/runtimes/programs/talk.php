<?php
// SPDX-License-Identifier: MIT
// Classes, a generator and JSON.
final class Squares
{
    private array $square = [];
    public function __construct(int $n)
    {
        foreach ($this->count($n) as $i) {
            $this->square[$i] = $i * $i;
        }
    }
    private function count(int $n): Generator
    {
        for ($i = 1; $i <= $n; $i++) {
            yield $i;
        }
    }
    public function of(array $n): array
    {
        return array_map(fn(int $i): int => $this->square[$i], $n);
    }
}
$squares = new Squares(2000);
while (($line = fgets(STDIN)) !== false) {
    $n = array_map('intval', preg_split('/\s+/', trim($line)));
    echo json_encode(['sum' => array_sum($n), 'square' => $squares->of($n), 'md5' => md5($line)]), "\n";
}
