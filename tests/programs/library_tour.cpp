// A walk through the C++ library, for two tests: clang++ compiles it (natively and on mete's heap,
// to the same object), and the program, too, prints the same with both.
#include <algorithm>
#include <any>
#include <deque>
#include <exception>
#include <forward_list>
#include <functional>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <valarray>
#include <variant>
#include <vector>

namespace
{

std::mt19937_64 generator(20261122);

std::string word()
{
    std::string made(1 + generator() % 40, ' ');
    for (char &letter : made) letter = static_cast<char>('a' + generator() % 10);
    return made;
}

void containers()
{
    std::map<std::string, std::vector<int>> ordered;
    std::unordered_map<std::string, std::shared_ptr<std::string>> unordered;
    std::set<std::string> names;
    std::deque<std::string> queue;
    std::list<std::string> list;
    std::forward_list<int> forward;
    for (int i = 0; i < 20000; i++) {
        std::string made = word();
        ordered[made.substr(0, 3)].push_back(i);
        unordered.emplace(made, std::make_shared<std::string>(made));
        names.insert(made);
        queue.push_back(std::move(made));
        forward.push_front(i);
        if (i % 3 == 0) list.splice(list.end(), std::list<std::string>{queue.front()});
        if (i % 3 == 0) queue.pop_front();
    }
    std::size_t total = 0;
    for (const auto &[key, values] : ordered) total += key.size() * values.size();
    list.sort();
    std::cout << "containers " << total << ' ' << unordered.size() << ' ' << *names.begin() << ' '
              << queue.size() << ' ' << list.front() << ' ' << *forward.begin() << '\n';
}

void texts()
{
    std::ostringstream out;
    for (int i = 0; i < 5000; i++) out << word() << ',';
    const std::string text = out.str();
    const std::regex pattern("[a-c]+j,");
    std::cout << "texts " << text.size() << ' '
              << std::distance(std::sregex_iterator(text.begin(), text.end(), pattern), {}) << '\n';
}

struct alignas(256) Wide {
    double values[64] = {};
};

void aligned()
{
    std::vector<std::unique_ptr<Wide>> wides;
    bool all = true;
    for (int i = 0; i < 1000; i++) {
        wides.push_back(std::make_unique<Wide>());
        all = all && reinterpret_cast<std::uintptr_t>(wides.back().get()) % 256 == 0;
    }
    std::cout << "aligned " << all << '\n';
}

void resources()
{
    std::pmr::unsynchronized_pool_resource pool;
    std::pmr::vector<std::pmr::string> strings(&pool);
    for (int i = 0; i < 10000; i++) strings.emplace_back(word());
    std::valarray<double> numbers(100000);
    std::iota(std::begin(numbers), std::end(numbers), 0.0);
    std::variant<int, std::string, std::any> choice = std::any(std::string("any"));
    std::cout << "resources " << strings.size() << ' ' << (numbers * 2.0).sum() << ' '
              << choice.index() << '\n';
}

void futures()
{
    std::vector<std::future<std::size_t>> results;
    for (unsigned seed = 0; seed < 16; seed++)
        results.push_back(std::async(std::launch::async, [seed] {
            std::mt19937 own(seed);
            std::priority_queue<std::string> queue;
            for (int i = 0; i < 3000; i++)
                queue.push(std::string(own() % 200, static_cast<char>('a' + own() % 26)));
            return queue.top().size();
        }));
    std::cout << "futures";
    for (auto &result : results) std::cout << ' ' << result.get();
    std::cout << '\n';
}

void refusals()
{
    std::size_t refused = 0;
    volatile std::size_t huge = static_cast<std::size_t>(-1) / 2 - 64;
    try {
        char *never = static_cast<char *>(::operator new(huge));
        ::operator delete(never);
    } catch (const std::bad_alloc &) {
        refused++;
    }
    refused += ::operator new(huge, std::nothrow) == nullptr;
    try {
        std::string().reserve(huge * 2);
    } catch (const std::length_error &) {
        refused++;
    }
    std::cout << "refusals " << refused << '\n';
}

} // namespace

int main()
{
    containers();
    texts();
    aligned();
    resources();
    futures();
    refusals();
    return 0;
}
