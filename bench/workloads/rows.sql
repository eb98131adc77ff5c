-- SQLite, in memory: 150 000 orders of 10 000 customers, indexes, joins, groups, updates,
-- deletions. Deterministic: the sequence comes from a recursive query.
PRAGMA temp_store = MEMORY;
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, item TEXT, price REAL, note TEXT);

WITH RECURSIVE draw(n, x) AS (
    SELECT 1, 20261122
    UNION ALL SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM draw WHERE n < 10000)
INSERT INTO customer
SELECT n, 'customer ' || ((x >> 5) % 5000), 'city ' || ((x >> 8) % 100) FROM draw;

WITH RECURSIVE draw(n, x) AS (
    SELECT 1, 11221937
    UNION ALL SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM draw WHERE n < 150000)
INSERT INTO orders
SELECT n, (x >> 8) % 10000 + 1, 'item ' || ((x >> 4) % 1000), (x >> 6) % 10000 / 100.0,
       printf('note %d of order %d', x % 97, n) FROM draw;

CREATE INDEX orders_customer ON orders (customer);
CREATE INDEX orders_item ON orders (item, price);
CREATE INDEX customer_city ON customer (city, name);

SELECT count(*), round(sum(o.price), 2) FROM orders o JOIN customer c ON c.id = o.customer
WHERE c.city IN ('city 1', 'city 22', 'city 33');

SELECT city, count(*) AS orders, round(sum(price), 2) AS paid, max(note)
FROM orders o JOIN customer c ON c.id = o.customer
GROUP BY city ORDER BY paid DESC LIMIT 5;

SELECT item, group_concat(DISTINCT substr(note, 1, 7)) FROM orders
GROUP BY item ORDER BY length(group_concat(note)) DESC, item LIMIT 3;

UPDATE orders SET note = upper(note) || ' checked', price = price * 1.1 WHERE id % 4 = 0;
DELETE FROM orders WHERE id % 7 = 0;

SELECT count(*), count(DISTINCT item), round(avg(price), 4), sum(length(note)) FROM orders;
SELECT a.name, count(*) FROM customer a JOIN customer b ON a.name = b.name AND a.id < b.id
GROUP BY a.name ORDER BY 2 DESC, 1 LIMIT 3;
