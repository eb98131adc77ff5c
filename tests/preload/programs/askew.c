// Calls malloc's family from code whose stack is not where the ABI wants it, as generated and
// hand-written code may; ends with 0, unless it is killed.
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 2000, SIZE_MAX_USED = 70000 };

// What calls a function with the stack half a line off.
void call_askew(void (*function)(size_t), size_t argument);
__asm__(".globl call_askew\n"
        "call_askew:\n"
        "    sub $16, %rsp\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    call *%rax\n"
        "    add $16, %rsp\n"
        "    ret\n");

static void use_all(size_t size)
{
    void *aligned = NULL;
    char *volatile block = malloc(size);
    char *volatile zeroed = calloc(3, size / 3 + 1);
    if (!block || !zeroed || posix_memalign(&aligned, 64, size) != 0) _exit(1);
    block = realloc(block, size * 3 + 1);
    zeroed = reallocarray(zeroed, 2, size);
    if (!block || !zeroed || malloc_usable_size(block) < size * 3 + 1) _exit(2);
    free(block);
    free(zeroed);
    free(aligned);
    free(strdup("some words"));
}

static void deeper(size_t depth)
{
    if (depth > 0) {
        call_askew(deeper, depth - 1);
    } else {
        use_all(100);
    }
    __asm__ volatile("");
}

int main(void)
{
    for (size_t i = 0; i < ROUNDS; i++) call_askew(use_all, 1 + i * 7919 % SIZE_MAX_USED);
    for (size_t i = 0; i < 200; i++) call_askew(deeper, i);
    if (fork() == 0) call_askew(use_all, 1000);
    return 0;
}
