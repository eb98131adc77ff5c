#include "heap/metadata.h"

#include "base/align.h"
#include "base/attributes.h"
#include "base/panic.h"
#include "os/own_pages.h"
#include "os/pages.h"

enum {
    PIECE_ALIGN = CACHE_LINE,
    RESERVE_SIZE_FIRST = 64 * 1024, // untouched until used, so the size costs address space only
    RESERVE_SIZE = 512 * 1024,
};

struct free_piece {
    struct free_piece *next;
};

static struct {
    struct lock lock;
    char *cursor; // of the reserve that pieces are cut from
    char *end;
    size_t mapped_bytes;
    // By kind and size.
    struct free_piece *free[METADATA_KIND_COUNT][METADATA_PIECE_MAX / PIECE_ALIGN + 1];
} state;

static void *cut_piece(size_t size)
{
    if ((size_t)(state.end - state.cursor) < size) {
        size_t reserve_size = state.mapped_bytes == 0 ? RESERVE_SIZE_FIRST : RESERVE_SIZE;
        char *reserve = own_pages_map(reserve_size); // the old one's rest is lost: under one piece
        if (!reserve) {                              // close to a limit a little may still be had
            reserve_size = METADATA_PIECE_MAX;
            reserve = own_pages_map(reserve_size);
        }
        if (!reserve) return NULL;
        state.mapped_bytes += reserve_size;
        state.cursor = reserve;
        state.end = reserve + reserve_size;
    }
    void *piece = state.cursor;
    state.cursor += size;
    return piece;
}

void *metadata_take(enum metadata_kind kind, size_t size)
{
    size = align_up(size, PIECE_ALIGN);
    ASSERT(size <= METADATA_PIECE_MAX);
    lock_take(&state.lock);
    struct free_piece *piece = state.free[kind][size / PIECE_ALIGN];
    if (piece) {
        state.free[kind][size / PIECE_ALIGN] = piece->next;
        piece->next = NULL;
    } else {
        piece = cut_piece(size);
    }
    lock_give(&state.lock);
    return piece;
}

void metadata_give(enum metadata_kind kind, void *piece, size_t size)
{
    size = align_up(size, PIECE_ALIGN);
    struct free_piece *free_piece = piece;
    lock_take(&state.lock);
    free_piece->next = state.free[kind][size / PIECE_ALIGN];
    state.free[kind][size / PIECE_ALIGN] = free_piece;
    lock_give(&state.lock);
}

void *metadata_map(size_t size)
{
    void *memory = own_pages_map(size);
    if (!memory) return NULL;
    lock_take(&state.lock);
    state.mapped_bytes += size;
    lock_give(&state.lock);
    return memory;
}

size_t metadata_bytes(void)
{
    lock_take(&state.lock);
    size_t bytes = state.mapped_bytes;
    lock_give(&state.lock);
    return bytes;
}

void metadata_lock(void)
{
    lock_take(&state.lock);
}

void metadata_unlock(void)
{
    lock_give(&state.lock);
}
