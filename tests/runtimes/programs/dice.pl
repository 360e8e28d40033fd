# SPDX-License-Identifier: MIT
# As dice.rb.
use strict;
use warnings;
use List::Util qw(shuffle);
my $drawn = ($ARGV[0] // "") eq "drawn";
rand if $drawn;
$| = 1;
print "ready\n";
<STDIN>;
open(my $kernel, "<:raw", "/dev/urandom") or die;
read($kernel, my $bytes, 16) == 16 or die;
my $default = $drawn ? "kept" : "own";    # its seed is made at the first draw
printf "own urandom %s\n", unpack("H*", $bytes);
printf "%s rand %.17g\n", $default, rand;
printf "%s shuffle %s\n", $default, join(",", shuffle(1 .. 100));
srand(unpack("L", $bytes));
printf "own reseeded %.17g\n", rand;
