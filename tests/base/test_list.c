// Protects: both directions of the ring agree after every operation, whatever their order.
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
    int before; // so that the link does not stand at the item's start
    struct list link;
    int number;
};

// The list holds exactly these numbers, forwards and backwards.
static void expect_numbers(const struct list *head, const int *numbers, size_t count)
{
    const struct list *node = head->next;
    for (size_t i = 0; i < count; i++, node = node->next) {
        assert_ptr_not_equal(node, head);
        assert_int_equal(LIST_ENTRY(node, struct item, link)->number, numbers[i]);
        assert_ptr_equal(node->next->previous, node);
        assert_ptr_equal(node->previous->next, node);
    }
    assert_ptr_equal(node, head);
    assert_int_equal(list_is_empty(head), count == 0);
}

static void an_initialised_list_is_empty_and_linked_to_itself(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_ptr_equal(head.next, &head);
    assert_ptr_equal(head.previous, &head);
}

static void an_entry_is_found_from_its_link(void **state)
{
    (void)state;
    struct item item = {.number = 7};
    assert_ptr_equal(LIST_ENTRY(&item.link, struct item, link), &item);
}

static void items_come_in_the_order_they_were_added_from_either_end(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&head);
    list_add_last(&head, &items[0].link);
    list_add_last(&head, &items[1].link);
    list_add_first(&head, &items[2].link);
    list_add_first(&head, &items[3].link);
    expect_numbers(&head, (int[]){4, 3, 1, 2}, 4);
}

static void removal_unlinks_the_node_and_may_be_repeated(void **state)
{
    (void)state;
    struct list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    for (size_t i = 0; i < 3; i++) list_add_last(&head, &items[i].link);
    list_remove(&items[1].link);
    expect_numbers(&head, (int[]){1, 3}, 2);
    assert_ptr_equal(items[1].link.next, &items[1].link);
    list_remove(&items[1].link); // a node in no list: nothing happens
    expect_numbers(&head, (int[]){1, 3}, 2);
    list_remove(&items[0].link);
    list_remove(&items[2].link);
    expect_numbers(&head, NULL, 0);
}

static void random_operations_match_an_array(void **state)
{
    (void)state;
    enum { ITEMS = 32, STEPS = 20000 };
    unsigned seed = 12345;
    struct list head;
    struct item items[ITEMS];
    int model[ITEMS];
    size_t count = 0;
    list_init(&head);
    for (int i = 0; i < ITEMS; i++) {
        items[i].number = i;
        list_init(&items[i].link);
    }
    print_message("# seed %u\n", seed);
    for (int step = 0; step < STEPS; step++) {
        int pick = rand_r(&seed) % ITEMS;
        size_t at = 0;
        while (at < count && model[at] != pick) at++;
        if (at < count) {
            list_remove(&items[pick].link);
            memmove(&model[at], &model[at + 1], (--count - at) * sizeof model[0]);
        } else if (rand_r(&seed) % 2) {
            list_add_last(&head, &items[pick].link);
            model[count++] = pick;
        } else {
            list_add_first(&head, &items[pick].link);
            memmove(&model[1], &model[0], count++ * sizeof model[0]);
            model[0] = pick;
        }
        expect_numbers(&head, model, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_initialised_list_is_empty_and_linked_to_itself),
        cmocka_unit_test(an_entry_is_found_from_its_link),
        cmocka_unit_test(items_come_in_the_order_they_were_added_from_either_end),
        cmocka_unit_test(removal_unlinks_the_node_and_may_be_repeated),
        cmocka_unit_test(random_operations_match_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
