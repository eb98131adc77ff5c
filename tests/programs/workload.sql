-- What Debian's sqlite3 runs in memory, natively and on mete's heap: 400 000 rows.
pragma temp_store = memory;
create table words(id integer primary key, word text, number integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000)
insert into words select i, printf('%x', i * 2654435761 % 4294967296), i * 7919 % 100003 from n;
create index by_word on words(word);
create index by_number on words(number, word);
select count(*), sum(number), min(word), max(word) from words;
select number % 10, count(*), sum(length(word)) from words group by 1 order by 1;
delete from words where id % 3 = 0;
update words set word = word || '-' || number where id % 5 = 0;
select count(*), sum(length(word)) from words where word like '%-%';
create table wide as select id, hex(zeroblob(id % 900)) as text from words limit 20000;
select sum(length(text)) from wide;
select a.word, b.number from words a join words b on a.number = b.id
    order by a.word desc, b.number limit 10;
select group_concat(word, ',') from (select word from words order by word limit 20);
vacuum;
pragma integrity_check;
