# SPDX-License-Identifier: MIT
# Loads what a tool loads, and then answers a line at a time.
use strict;
use warnings;
use JSON::PP;
use List::Util qw(sum max);
use POSIX qw(floor);
use Time::Local;
my %square = map { $_ => $_ * $_ } 1 .. 2000;
my $json = JSON::PP->new->canonical;
$| = 1;
while (my $line = <STDIN>) {
    my @n = split ' ', $line;
    print $json->encode({sum => sum(@n), max => max(@n), square => [map { $square{$_} } @n], half => floor($n[0] / 2)}), "\n";
}
