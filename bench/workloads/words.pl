# Perl: hashes of short strings, arrays of hashes, strings cut, joined and matched, made and
# dropped. Deterministic: prints checksums. words.pl N does an Nth of it.
use strict;
use warnings;

my $share = shift // 1;
my $state = 20261122;

sub draw {
    $state = ($state * 1103515245 + 12345) & 0x7fffffff;
    return $state >> 8;
}

# Words, where each stands, and which words follow it.
sub count_words {
    my ($count) = @_;
    my $text = join ' ', map { sprintf 'w%x', draw() % 15000 } 1 .. $count;
    my (%places, %after, $position);
    my $before = '';
    for my $word (split / /, $text) {
        push @{ $places{$word} }, ++$position;
        $after{$before}{$word} = "$before,$word";
        $before = $word;
    }
    my $sum = 0;
    $sum += length($_) * @{ $places{$_} } + keys %{ $after{$_} } for keys %places;
    return $sum;
}

# Records of a table, replaced at random, then grouped by name.
sub keep_records {
    my ($count, $churn) = @_;
    my @records = map { { id => $_, name => "name $_", marks => [ $_ % 10, $_ % 7 ] } } 1 .. $count;
    for (1 .. $churn) {
        my $name = 'new ' . $_ % 500;
        $records[ draw() % $count ] = { id => $_, name => $name, marks => [ $_ % 10 ] };
    }
    my %groups;
    push @{ $groups{ $_->{name} } }, $_ for @records;
    my $sum = 0;
    $sum += @{ $groups{$_} } * length for keys %groups;
    return $sum;
}

# Lines cut into fields, the fields joined another way.
sub cut_lines {
    my ($count) = @_;
    my @lines = map { join ':', "user$_", 'x', $_, $_ % 100, "Name of $_", "/home/user$_" }
        1 .. $count;
    my @table = map { [ split /:/ ] } @lines;
    my @joined = map { join "\t", @{$_}[ 4, 0, 5 ] } @table;
    my %home = map { $_->[0] => $_->[5] } @table;
    my $matched = grep { /^Name of (\d+)\tuser\1\t/ } @joined;
    return $matched + length(join "\n", @joined) + keys %home;
}

print count_words(int(60000 / $share)), "\n";
print keep_records(int(30000 / $share), int(50000 / $share)), "\n";
print cut_lines(int(30000 / $share)), "\n" for 1 .. 4;
