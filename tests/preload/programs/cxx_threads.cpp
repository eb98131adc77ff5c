// Exceptions through frames that own memory, in several threads; thread_local objects whose
// destructors allocate, also those that come to life in another's destructor.
#include "program.h"

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> destroyed;

struct Second {
    std::string text = std::string(1000, 's');
    ~Second()
    {
        std::vector<std::string> more(10, text);
        destroyed += more.size() == 10;
    }
};

struct First {
    std::map<int, std::string> entries;
    ~First()
    {
        thread_local Second second; // constructed while the thread is ending
        entries[-1] = second.text + "more";
        destroyed++;
    }
};

static thread_local First first;

static int descend(int depth, const std::string &text)
{
    std::vector<std::string> owned(3, text + std::to_string(depth));
    auto shared = std::make_shared<std::string>(owned[1]);
    if (depth == 0) throw std::runtime_error(*shared + ": a message too long for the small buffer");
    return descend(depth - 1, *shared) + static_cast<int>(owned.size());
}

static void live(int rounds)
{
    first.entries[1] = std::string(500, 'f');
    int caught = 0;
    for (int i = 0; i < rounds; i++) {
        try {
            descend(i % 20, "frame ");
        } catch (const std::exception &error) {
            caught += std::string(error.what()).size() > 40;
        }
    }
    EXPECT(caught == rounds);
}

int main()
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) threads.emplace_back(live, 500);
    for (auto &thread : threads) thread.join();
    EXPECT(destroyed == 16);
    live(100);
    return 0;
}
