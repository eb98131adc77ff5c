#!/usr/bin/perl
# A program like many: it builds records, looks them up, drops some and builds others, and makes
# many short strings on the way. `make demo` runs it under `mete run`.
use strict;
use warnings;

my %orders;
my $newest = 0;

sub record {
    my ($number) = @_;
    return {
        name  => "order $number",
        lines => [map { [$number, $_, $number * $_] } 1 .. $number % 5],
        notes => join(', ', map { "note $_ of $number" } 0 .. $number % 3),
    };
}

sub add {
    my ($count) = @_;
    for (1 .. $count) {
        $orders{$newest} = record($newest);
        $newest++;
    }
}

# Which orders a word stands in; dropped as soon as it has answered.
sub common_words {
    my %places;
    for my $order (values %orders) {
        push @{$places{$_}}, $order for split / /, "$order->{name} $order->{notes}";
    }
    return scalar grep { @{$places{$_}} > 1000 } keys %places;
}

add(20_000);
my $total = 0;
for my $turn (0 .. 4) {
    delete @orders{grep { $_ % 5 == $turn } keys %orders};
    add(4_000);
    $total += common_words();
}
print "$total\n";
