<?php
// SPDX-License-Identifier: MIT
// As dice.rb.
$drawn = ($argv[1] ?? '') === 'drawn';
if ($drawn) {
    mt_rand();
    random_bytes(8);
    openssl_random_pseudo_bytes(8);
}
echo "ready\n";
fgets(STDIN);
$default = $drawn ? 'kept' : 'own'; // its seed is made at the first draw
$ten = range(1, 100);
shuffle($ten);
echo 'own random_bytes ', bin2hex(random_bytes(16)), "\nown random_int ", random_int(0, PHP_INT_MAX), "\n";
echo 'own openssl ', bin2hex(openssl_random_pseudo_bytes(16)), "\n";
echo "$default shuffle ", implode(',', $ten), "\n$default mt_rand ", mt_rand(), mt_rand(), "\n$default rand ", rand(), rand(), "\n";
mt_srand(random_int(0, PHP_INT_MAX));
echo 'own reseeded ', mt_rand(), mt_rand(), "\n";
