// Throws through frames that allocate: each frame holds memory of several kinds, which the
// unwinding must give back, and exceptions themselves are allocated, copied and rethrown, in
// several threads.
#include <atomic>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

std::atomic<long> live_objects{0};

struct Counted {
    std::string text;
    explicit Counted(std::string given) : text(std::move(given))
    {
        live_objects++;
    }
    Counted(const Counted &other) : text(other.text)
    {
        live_objects++;
    }
    ~Counted()
    {
        live_objects--;
    }
};

struct Trouble : std::runtime_error {
    std::vector<Counted> luggage;
    explicit Trouble(int depth) : std::runtime_error("trouble at " + std::to_string(depth))
    {
        for (int i = 0; i < depth % 7; i++)
            luggage.emplace_back(std::string(static_cast<std::size_t>(depth) * 10, 'x'));
    }
};

long descend(int depth, unsigned seed)
{
    Counted local("frame " + std::string(seed % 300, 'y'));
    auto owned = std::make_unique<Counted>(std::string(depth, 'z'));
    std::map<int, Counted> table;
    for (int i = 0; i < 5; i++)
        table.emplace(i, Counted(std::string(static_cast<std::size_t>(i) * 100, 'm')));
    if (depth == 0) throw Trouble(static_cast<int>(seed % 40));
    try {
        return descend(depth - 1, seed * 1664525 + 1013904223);
    } catch (Trouble &trouble) {
        if (depth % 5 == 0) throw; // on with the same object
        if (depth % 5 == 1) std::throw_with_nested(std::logic_error("at " + std::to_string(depth)));
        trouble.luggage.emplace_back("handled");
        if (depth % 5 == 2) throw Trouble(trouble); // a copy
        throw;
    } catch (const std::exception &) {
        auto kept = std::current_exception();
        std::rethrow_exception(kept);
    }
}

long run(unsigned seed)
{
    long caught = 0;
    for (unsigned i = 0; i < 4000; i++) {
        try {
            caught += descend(static_cast<int>(i % 25), seed + i);
        } catch (const std::exception &exception) {
            caught += static_cast<long>(std::string(exception.what()).size());
        }
    }
    return caught;
}

} // namespace

int main()
{
    std::vector<long> results(6);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < results.size(); i++)
        threads.emplace_back([i, &results] { results[i] = run(i * 1000); });
    for (std::thread &thread : threads) thread.join();
    for (long result : results) std::cout << result << '\n';
    std::cout << "live " << live_objects << '\n';
    return live_objects == 0 ? 0 : 1;
}
