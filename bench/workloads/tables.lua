-- Lua: tables of tables, strings cut and joined, closures, a tree, made and dropped.
-- Deterministic: prints checksums. tables.lua N does an Nth of it.
local share = tonumber(arg[1] or 1)
local state = 20261122

local function draw(limit)
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return (state >> 8) % limit
end

-- Words, where each stands.
local function words(count)
    local parts = {}
    for i = 1, count do parts[i] = string.format("w%x", draw(15000)) end
    local places, position = {}, 0
    for word in table.concat(parts, " "):gmatch("%S+") do
        position = position + 1
        local found = places[word]
        if found then found[#found + 1] = position else places[word] = { position } end
    end
    local sum = 0
    for word, found in pairs(places) do sum = sum + #word * found[1] end
    return sum
end

-- Records, replaced at random.
local function records(count, churn)
    local live = {}
    for i = 1, count do
        live[i] = { id = i, name = "name " .. i, marks = { draw(10), draw(10) } }
    end
    for i = 1, churn do
        live[draw(count) + 1] = { id = i, name = "new " .. draw(500), marks = { draw(10) } }
    end
    local sum = 0
    for _, record in ipairs(live) do sum = sum + #record.name * #record.marks end
    return sum
end

-- Closures that remember one another.
local function closures(count)
    local chain = {}
    for i = 1, count do
        local before, step = chain[draw(i) + 1], draw(100)
        chain[i] = function(depth)
            if depth == 0 or not before then return step end
            return step + before(depth - 1)
        end
    end
    local sum = 0
    for i = 1, count, 7 do sum = sum + chain[i](20) end
    return sum
end

local function tree(depth)
    if depth == 0 then return { value = draw(1000) } end
    return { left = tree(depth - 1), right = tree(depth - 1) }
end

local function tree_sum(node)
    return node.value or tree_sum(node.left) + tree_sum(node.right)
end

print(words(120000 // share))
print(records(80000 // share, 120000 // share))
print(closures(100000 // share))
for _ = 1, math.max(1, 8 // share) do print(tree_sum(tree(14))) end
