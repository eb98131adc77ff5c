-- What Debian's lua5.4 runs, natively and on mete's heap: tables, strings, closures, coroutines.
-- Keys of a table come in an order that depends on addresses, so whatever is printed is sorted.
local state = 20261122
local function random(bound)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state >> 8) % bound
end

local function word()
    local letters = {}
    for i = 1, 1 + random(20) do letters[i] = string.char(97 + random(10)) end
    return table.concat(letters)
end

local count = {}
for _ = 1, 120000 do
    local w = word()
    count[w] = (count[w] or 0) + 1
end
local names = {}
for w in pairs(count) do names[#names + 1] = w end
table.sort(names)
print('names', #names, names[1], names[5000], names[#names])

local function tree(depth)
    if depth == 0 then return {} end
    return { tree(depth - 1), tree(depth - 1) }
end
local function nodes(node)
    if not node[1] then return 1 end
    return 1 + nodes(node[1]) + nodes(node[2])
end
local total = 0
for _ = 1, 12 do total = total + nodes(tree(14)) end
print('trees', total)

local grown = ''
for i = 1, 6000 do grown = grown .. names[i % #names + 1] end
print('grown', #grown, grown:sub(1000, 1040), select(2, grown:gsub('a[b-e]+j', '')))

local producers = {}
for i = 1, 2000 do
    producers[i] = coroutine.wrap(function()
        for j = 1, 20 do coroutine.yield(('%d-%d'):format(i, j)) end
    end)
end
local length = 0
for _ = 1, 20 do
    for i = 1, #producers do length = length + #producers[i]() end
end
print('coroutines', length)

local rows = {}
for i = 1, 60000 do rows[i] = { id = i, name = names[i % #names + 1], value = random(1000000) } end
table.sort(rows, function(a, b)
    if a.value ~= b.value then return a.value < b.value end
    return a.id < b.id
end)
print('rows', rows[1].id, rows[30000].name, rows[60000].value)
collectgarbage()
print(pcall(string.rep, 'x', -1))
print(select('#', pcall(string.rep, 'x', 1 << 50)))
