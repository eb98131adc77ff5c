// List: an intrusive, circular, doubly linked list. The head is a node too; empty means linked to
// itself. A node is in at most one list. All operations are O(1) and none allocates.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

// The struct that holds `node` as its member `member`.
#define LIST_ENTRY(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->next = head;
    head->previous = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list *node, struct list *before, struct list *after)
{
    node->previous = before;
    node->next = after;
    before->next = node;
    after->previous = node;
}

static inline void list_add_first(struct list *head, struct list *node)
{
    list_insert_between(node, head, head->next);
}

static inline void list_add_last(struct list *head, struct list *node)
{
    list_insert_between(node, head->previous, head);
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node;
    node->previous = node;
}
