// Operators that the program (or a shared library of it) replaces must be the ones
// that every new and delete reaches: new[], the nothrow forms, and those inside the C++ library.
#include "cxx_counting.h"
#include "program.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

// The compiler may leave out a new with its delete, unless it cannot see that they belong together.
static int *hidden(int *pointer)
{
    int *volatile value = pointer;
    return value;
}

int main()
{
    long begin = counted_new;
    delete hidden(new int(1));
    EXPECT(counted_new == begin + 1);
    delete[] hidden(new int[100]);
    EXPECT(counted_new == begin + 2); // new[] calls new
    delete hidden(new (std::nothrow) int(1));
    EXPECT(counted_new == begin + 3); // nothrow new calls new
    delete[] hidden(new (std::nothrow) int[100]);
    EXPECT(counted_new == begin + 4);
    {
        std::string text(1000, 'x');
        std::vector<std::shared_ptr<std::string>> many;
        for (int i = 0; i < 100; i++) many.push_back(std::make_shared<std::string>(text));
        std::ostringstream stream; // its code is inside the library
        for (int i = 0; i < 1000; i++) stream << "a long line of text " << i;
        EXPECT(stream.str().size() > 20000);
    }
    EXPECT(counted_new > begin + 200);
    EXPECT(counted_new == counted_delete + at_start());
    EXPECT(malloc_usable_size(malloc(10)) >= 10);
    return 0;
}
