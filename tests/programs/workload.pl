# What Debian's perl runs, natively and on mete's heap: hashes, lists, text, closures, regexes.
use strict;
use warnings;

my $state = 20261122;
sub next_random { $state = ($state * 1103515245 + 12345) % 2147483648; return $state >> 8 }
sub word { my $w = ''; $w .= chr(97 + next_random() % 10) for 1 .. 1 + next_random() % 20; return $w }

my %count;
$count{ word() }++ for 1 .. 60000;
delete $count{$_} for grep { length($_) % 3 == 0 } keys %count;
my $sum = 0;
$sum += $count{$_} * length($_) for keys %count;
printf "hash %d %d\n", scalar(keys %count), $sum;

my @sorted = sort { $a cmp $b } keys %count;
print "sorted $sorted[0] $sorted[100] $sorted[-1]\n";

my @lists = map { [map { { name => word(), id => $_ } } 1 .. 20] } 1 .. 1500;
my $names = join ',', map { $_->{name} } map { @$_ } @lists;
my $matches = () = $names =~ /\b[a-c]\w*j\b/g;
(my $changed = $names) =~ s/([aeiou])(\w)/$2$1/g;
printf "text %d %d %s\n", length($names), $matches, substr($changed, 5000, 40);

my @closures = map { my $n = $_; sub { return $n * shift } } 1 .. 20000;
my $total = 0;
$total += $_->(3) for @closures;
print "closures $total\n";

my $grown = '';
$grown .= word() x 3 for 1 .. 40000;
my @parts = unpack '(A7)*', $grown;
printf "grown %d %d %s\n", length($grown), scalar(@parts), $parts[1234];

my @fields = map { sprintf '%08.3f', next_random() / 1000 } 1 .. 50000;
printf "fields %s\n", join ' ', (sort @fields)[0, 25000, 49999];
printf "sub %s\n", join ' ', map { `echo $_` =~ s/\n//r } 1 .. 5;
