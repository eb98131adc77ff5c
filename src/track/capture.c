#include "track/capture.h"

#include "base/align.h"
#include "os/pages.h"
#include "os/registers.h"
#include "track/own_code.h"
#include "track/rule_table.h"

#include <string.h>

enum {
    WALK_ARRIVED = -1, // beside enum record_stack_end
    WALK_ON = -2,
    VERIFIED_AT_ONCE = 4,
    SHORT_WALK_MAX = 32, // frames (guess: most walks have fewer than ten)
};

static const uintptr_t addresses_end = (uintptr_t)1 << 47;

// What the walk may rely on.
enum stack_kind {
    STACK_KNOWN,   // every word between the walk's start and its end can be read
    STACK_UNKNOWN, // each page must be asked for
};

// A walk on its way up. Frames that it finds stand at the end of the capture's arrays, the first at
// the very end; what the last capture left stands at their beginning. So do words.
// Invariant: candidates <= position; what lies between the two is nobody's.
struct walk {
    struct capture *capture;
    uint32_t generation;
    uintptr_t address; // a return address
    uintptr_t cfa;     // the stack pointer after that return
    uintptr_t bp;      // the base pointer then
    uintptr_t start;   // of what may be read
    uintptr_t end;
    uintptr_t page; // the last that was asked for
    uint32_t position;
    uint32_t candidates; // frames of the last capture, outermost first, that may be arrived at
    uintptr_t next_slot; // of the innermost of them; none: no address
    uint32_t word_position;
    uint32_t bp_position; // of the frame since which bp has been what it is
    uintptr_t bp_word;    // where it was stored; 0: it is the register's
    bool is_bp_lost;
    bool is_bp_noted;  // that frames depend on it
    bool is_too_wordy; // words did not fit: the next capture cannot check this one
};

void capture_init(struct capture *self)
{
    self->depth = 0;
    self->unchanged = 0;
    self->kept = 0;
    self->word_count = 0;
    self->is_known = false;
    self->generation = 0;
    stack_bounds_init(&self->bounds);
}

// --- what the last capture left
// ---------------------------------------------------------------------

static ALWAYS_INLINE uintptr_t change_of(const struct capture_frame *frame)
{
    return registers_load(frame->slot) ^ frame->address;
}

// How many frames, outermost first, lie at or above `sp` and still hold their return addresses, and
// are where the frame inside them says.
static ALWAYS_INLINE uint32_t verify(const struct capture *self, uint32_t count, uintptr_t sp)
{
    const struct capture_frame *at = self->frames;
    while (count > 0 && at[count - 1].slot < sp) count--;
    const struct capture_frame *end = at + count;
    for (uint32_t left = count / VERIFIED_AT_ONCE; left > 0; left--) {
        if (change_of(at) | change_of(at + 1) | change_of(at + 2) | change_of(at + 3)) break;
        at += VERIFIED_AT_ONCE;
    }
    while (at < end && change_of(at) == 0) at++;
    uint32_t good = (uint32_t)(at - self->frames);
    for (uint32_t i = 0; i < self->word_count && self->words[i].frame + 1 < good; i++) {
        const struct capture_word *word = &self->words[i];
        if (registers_load(word->address) != word->value) return word->frame + 1;
    }
    return good;
}

// --- the walk
// ---------------------------------------------------------------------

static ALWAYS_INLINE void set_candidates(struct walk *self, uint32_t count)
{
    self->candidates = count;
    self->next_slot = count > 0 ? self->capture->frames[count - 1].slot : UINTPTR_MAX;
}

// Addresses that may be read are multiples of the word size: rules that count from the stack
// pointer keep to that, and those that count from elsewhere are asked.
static ALWAYS_INLINE bool can_read(struct walk *self, uintptr_t address, enum stack_kind kind)
{
    if (address < self->start || address >= self->end) return false;
    if (kind == STACK_KNOWN || address >> PAGE_SHIFT == self->page) return true;
    if (!pages_are_readable(address)) return false;
    self->page = address >> PAGE_SHIFT;
    return true;
}

static ALWAYS_INLINE bool is_word(uintptr_t address)
{
    return address % sizeof(uintptr_t) == 0;
}

static ALWAYS_INLINE void note_word(struct walk *self, uintptr_t address, uintptr_t value,
                                    uint32_t position)
{
    struct capture *capture = self->capture;
    if (UNLIKELY(self->word_position <= capture->word_count)) {
        capture->word_count = 0; // no room for the old ones, nor for frames that need them
        set_candidates(self, 0);
    }
    if (UNLIKELY(self->word_position == 0)) {
        self->is_too_wordy = true;
        return;
    }
    capture->words[--self->word_position] =
        (struct capture_word){.address = address, .value = value, .frame = position};
}

// The place of what comes next depends on the base pointer.
static ALWAYS_INLINE void note_bp(struct walk *self)
{
    if (self->is_bp_noted) return;
    self->is_bp_noted = true;
    uint32_t last = self->bp_position;
    if (last < CAPTURE_FRAMES_MAX) {
        note_word(self, self->bp_word, self->bp, last);
    } else {
        last = CAPTURE_FRAMES_MAX - 1;
    }
    for (uint32_t i = self->position; i <= last; i++) self->capture->needs_bp[i] = true;
}

// The CFA by a rule that uses the base pointer, further up than the last; or 0.
static ALWAYS_INLINE uintptr_t cfa_by_bp(struct walk *self, struct rule rule, enum stack_kind kind)
{
    if (self->is_bp_lost) return 0;
    note_bp(self);
    uintptr_t cfa = self->bp + (uintptr_t)(intptr_t)rule.offset;
    if (UNLIKELY(rule.cfa == RULE_STORED_BY_BP)) {
        uintptr_t place = cfa;
        if (!is_word(place) || !can_read(self, place, kind)) return 0;
        cfa = registers_load(place);
        note_word(self, place, cfa, self->position - 1);
    }
    return is_word(cfa) && cfa > self->cfa ? cfa : 0;
}

static ALWAYS_INLINE void restore_bp(struct walk *self, struct rule rule, uintptr_t cfa,
                                     enum stack_kind kind)
{
    uintptr_t offset = (uintptr_t)(intptr_t)rule.bp_words * sizeof(uintptr_t);
    uintptr_t place = cfa + offset;
    if (UNLIKELY(rule.bp == RULE_BP_BY_BP) && !self->is_bp_lost) {
        note_bp(self);
        place = self->bp + offset;
    } else if (UNLIKELY(rule.bp != RULE_BP_BY_CFA)) {
        self->is_bp_lost = true;
        return;
    }
    self->is_bp_lost = !is_word(place) || !can_read(self, place, kind);
    if (self->is_bp_lost) return;
    self->bp = registers_load(place);
    self->bp_word = place;
    self->bp_position = self->position - 1;
    self->is_bp_noted = false;
}

// Whether the frame just found is one of the last capture, and all further out can be taken over.
static ALWAYS_INLINE bool arrives(struct walk *self, uintptr_t slot)
{
    struct capture *capture = self->capture;
    while (self->next_slot < slot) set_candidates(self, self->candidates - 1);
    if (self->next_slot != slot) return false;
    uint32_t candidates = self->candidates;
    bool needs_bp = capture->needs_bp[candidates - 1];
    if (UNLIKELY(needs_bp)) {
        if (self->is_bp_lost || capture->bps[candidates - 1] != self->bp) return false;
    }
    uint32_t depth = candidates + CAPTURE_FRAMES_MAX - self->position;
    // A stack that was cut off is the same only if it is cut off at the same frame.
    if (capture->end == RECORD_END_DEPTH ? depth != RECORD_STACK_MAX : depth > RECORD_STACK_MAX) {
        set_candidates(self, 0);
        return false;
    }
    if (UNLIKELY(needs_bp)) note_bp(self); // of ours, from here inwards
    return self->candidates != 0;
}

static ALWAYS_INLINE void add_frame(struct walk *self, uintptr_t slot)
{
    struct capture *capture = self->capture;
    uint32_t position = --self->position;
    if (UNLIKELY(self->candidates > position)) set_candidates(self, position);
    capture->frames[position] = (struct capture_frame){.slot = slot, .address = self->address};
    capture->bps[position] = self->bp;
    capture->needs_bp[position] = false;
}

// To the next frame up. An enum record_stack_end, or WALK_ON.
static ALWAYS_INLINE int step(struct walk *self, enum stack_kind kind)
{
    struct code_module *recent = &self->capture->recent;
    struct rule rule = rule_table_find(self->address, self->generation, recent);
    uintptr_t cfa = self->cfa + (uintptr_t)(intptr_t)rule.offset;
    if (UNLIKELY(rule.cfa != RULE_FROM_SP)) {
        if (rule.cfa == RULE_END) return rule.offset;
        cfa = cfa_by_bp(self, rule, kind);
        if (cfa == 0) return self->is_bp_lost ? RECORD_END_UNSUPPORTED : RECORD_END_BOUNDS;
    }
    uintptr_t slot = cfa - sizeof(uintptr_t);
    if (UNLIKELY(slot >= self->end)) return RECORD_END_BOUNDS;
    if (kind == STACK_UNKNOWN && !can_read(self, slot, kind)) return RECORD_END_BOUNDS;
    if (rule.bp != RULE_BP_SAME) restore_bp(self, rule, cfa, kind);
    self->address = registers_load(slot);
    self->cfa = cfa;
    return UNLIKELY(self->address == 0) ? RECORD_END_COMPLETE : WALK_ON;
}

// Out of mete's own functions. What the base pointer was there, the next capture may not rely on.
static ALWAYS_INLINE int leave_own(struct walk *self, enum stack_kind kind)
{
    int end = WALK_ON;
    self->is_bp_noted = true; // nothing to note: it is the register's
    while (end == WALK_ON && own_code_holds(self->address)) {
        end = step(self, kind);
        self->is_bp_noted = true;
    }
    self->is_bp_noted = false;
    self->bp_position = CAPTURE_FRAMES_MAX;
    self->bp_word = 0;
    return end;
}

// An enum record_stack_end, or WALK_ARRIVED.
static ALWAYS_INLINE int walk_up(struct walk *self, enum stack_kind kind)
{
    int end = leave_own(self, kind);
    while (end == WALK_ON) {
        uintptr_t slot = self->cfa - sizeof(uintptr_t);
        if (kind == STACK_KNOWN && arrives(self, slot)) return WALK_ARRIVED;
        if (UNLIKELY(self->position == 0)) return RECORD_END_DEPTH;
        add_frame(self, slot);
        end = step(self, kind);
    }
    return end;
}

// --- what comes of it
// ---------------------------------------------------------------------

static ALWAYS_INLINE void move_frames(struct capture *self, uint32_t to, uint32_t from)
{
    for (; from < CAPTURE_FRAMES_MAX; from++, to++) {
        self->frames[to] = self->frames[from];
        self->bps[to] = self->bps[from];
        self->needs_bp[to] = self->needs_bp[from];
    }
}

// Words of frames further in than the one arrived at give way to those that the walk noted.
static ALWAYS_INLINE void move_words(struct walk *self, uint32_t adopted, uint32_t first)
{
    struct capture *capture = self->capture;
    uint32_t count = capture->word_count;
    while (count > 0 && capture->words[count - 1].frame + 1 >= adopted) count--;
    for (uint32_t i = self->word_position; i < CAPTURE_FRAMES_MAX; i++) {
        struct capture_word word = capture->words[i];
        if (word.frame + adopted < first) continue; // the frame is cut off
        word.frame = word.frame + adopted - first;
        capture->words[count++] = word;
    }
    capture->word_count = count;
}

static ALWAYS_INLINE void finish(struct walk *self, int end, uint32_t kept)
{
    struct capture *capture = self->capture;
    bool has_arrived = end == WALK_ARRIVED;
    uint32_t adopted = has_arrived ? self->candidates : 0;
    uint32_t first = self->position;
    uint32_t comparable = kept < first ? kept : first;
    if (!has_arrived) capture->end = (enum record_stack_end)end;
    // Nodes belong to sequences of addresses: they may last where slots do not.
    uint32_t unchanged = adopted;
    for (uint32_t from = first; from < CAPTURE_FRAMES_MAX && unchanged < comparable; from++) {
        if (capture->frames[unchanged].address != capture->frames[from].address) break;
        unchanged++;
    }
    move_words(self, adopted, first);
    move_frames(capture, adopted, first);
    capture->depth = adopted + CAPTURE_FRAMES_MAX - first;
    capture->unchanged = unchanged;
}

static ALWAYS_INLINE struct walk begin(struct capture *self, const struct registers *from)
{
    return (struct walk){
        .capture = self,
        .generation = self->generation,
        .address = from->pc,
        .cfa = from->sp,
        .bp = from->bp,
        .start = from->sp - sizeof(uintptr_t),
        .end = self->bounds.high,
        .position = CAPTURE_FRAMES_MAX,
        .word_position = CAPTURE_FRAMES_MAX,
        .bp_position = CAPTURE_FRAMES_MAX,
        .next_slot = UINTPTR_MAX,
    };
}

// On a stack that may be anybody's. Where it turns out to be the thread's own, the next capture
// knows.
static NOINLINE void take_unknown(struct capture *self, const struct registers *from, uint32_t kept)
{
    struct walk walk = begin(self, from);
    walk.end = addresses_end;
    walk.page = walk.start >> PAGE_SHIFT;
    self->word_count = 0;
    int end = walk_up(&walk, STACK_UNKNOWN);
    bool has_come_home = stack_bounds_hold(&self->bounds, walk.cfa - sizeof(uintptr_t)) &&
                         stack_bounds_lower(&self->bounds, from->sp);
    self->is_known = has_come_home && !walk.is_too_wordy;
    finish(&walk, end, kept);
}

// On the thread's own stack. `good` frames of the last capture still hold what they held.
static NOINLINE void take_known(struct capture *self, const struct registers *from, uint32_t kept,
                                uint32_t good)
{
    struct walk walk = begin(self, from);
    if (good == 0) self->word_count = 0;
    set_candidates(&walk, good);
    int end = walk_up(&walk, STACK_KNOWN);
    self->is_known = !walk.is_too_wordy;
    finish(&walk, end, kept);
}

// What is known of code may be wrong from now on.
static NOINLINE void begin_anew(struct capture *self, uint32_t generation)
{
    self->generation = generation;
    self->recent = (struct code_module){0};
    self->word_count = 0;
}

// --- the short walk
// ---------------------------------------------------------------------

// What nearly all walks are: a few frames whose places depend on the stack pointer alone, and then
// one of the last capture, which the base pointer has no say in either.
struct short_walk {
    uintptr_t address;
    uintptr_t slot;
    const struct capture_frame *next; // of the last capture, that may be arrived at
};

enum short_step { SHORT_ON, SHORT_ARRIVED, SHORT_GIVEN_UP };

static ALWAYS_INLINE enum short_step short_step(struct short_walk *self, struct capture *capture)
{
    while (self->next->slot < self->slot) {
        if (self->next == capture->frames) return SHORT_GIVEN_UP;
        self->next--;
    }
    if (self->next->slot == self->slot) return SHORT_ARRIVED;
    struct rule rule = rule_table_find(self->address, capture->generation, &capture->recent);
    if (UNLIKELY(rule.cfa != RULE_FROM_SP)) return SHORT_GIVEN_UP;
    self->slot += (uintptr_t)(intptr_t)rule.offset;
    if (UNLIKELY(self->slot >= capture->bounds.high)) return SHORT_GIVEN_UP;
    self->address = registers_load(self->slot);
    return LIKELY(self->address != 0) ? SHORT_ON : SHORT_GIVEN_UP;
}

// The frames it finds stand in `fresh`, the innermost first; *end_out is behind the last.
static ALWAYS_INLINE enum short_step short_walk(struct short_walk *self, struct capture *capture,
                                                struct capture_frame *fresh,
                                                struct capture_frame **end_out)
{
    struct capture_frame *frame = fresh;
    enum short_step step = SHORT_ON;
    while (step == SHORT_ON && UNLIKELY(own_code_holds(self->address))) {
        step = short_step(self, capture);
        if (step == SHORT_ARRIVED) return SHORT_GIVEN_UP; // within our own functions
    }
    while (step == SHORT_ON) {
        frame->slot = self->slot;
        frame->address = self->address;
        step = short_step(self, capture);
        if (step == SHORT_ON && UNLIKELY(++frame == fresh + SHORT_WALK_MAX)) return SHORT_GIVEN_UP;
    }
    *end_out = frame;
    return step;
}

// Puts the fresh frames behind those taken over. Returns how many are, further out than any that is
// not, what they were.
static ALWAYS_INLINE uint32_t put_fresh(struct capture *self, const struct capture_frame *fresh,
                                        const struct capture_frame *end, uint32_t adopted,
                                        uint32_t kept)
{
    uint32_t unchanged = adopted;
    for (uint32_t at = adopted; end > fresh; at++) {
        end--;
        struct capture_frame *to = &self->frames[at];
        if (unchanged == at && at < kept && to->address == end->address) unchanged++;
        // One by one: as a pair they would have to wait for their stores.
        to->slot = end->slot;
        to->address = end->address;
        if (UNLIKELY(self->needs_bp[at])) self->needs_bp[at] = false;
    }
    return unchanged;
}

// False, and nothing is changed, when it is another walk. `good` frames of the last capture still
// hold what they held.
static ALWAYS_INLINE bool take_short(struct capture *self, const struct registers *from,
                                     uint32_t good, uint32_t kept)
{
    struct short_walk walk = {
        .address = from->pc,
        .slot = from->sp - sizeof(uintptr_t),
        .next = &self->frames[good - 1],
    };
    struct capture_frame fresh[SHORT_WALK_MAX];
    struct capture_frame *end;
    if (UNLIKELY(short_walk(&walk, self, fresh, &end) != SHORT_ARRIVED)) return false;
    uint32_t adopted = (uint32_t)(walk.next - self->frames) + 1;
    uint32_t depth = adopted + (uint32_t)(end - fresh);
    if (UNLIKELY(self->needs_bp[adopted - 1] || self->end == RECORD_END_DEPTH)) return false;
    if (UNLIKELY(depth > CAPTURE_FRAMES_MAX)) return false;
    // Words that frames further in depended on.
    while (self->word_count > 0 && self->words[self->word_count - 1].frame + 1 >= adopted) {
        self->word_count--;
    }
    self->unchanged = put_fresh(self, fresh, end, adopted, kept);
    self->depth = depth;
    return true;
}

NOINLINE void capture_take_from(struct capture *self, const struct registers *from)
{
    uint32_t kept = self->kept;
    self->kept = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); // before anything of it changes
    uint32_t generation = rule_table_generation();
    if (UNLIKELY(generation != self->generation)) {
        begin_anew(self, generation);
        kept = 0;
    }
    if (UNLIKELY(!stack_bounds_hold(&self->bounds, from->sp))) {
        take_unknown(self, from, kept);
        return;
    }
    uint32_t good = 0;
    if (LIKELY(self->is_known && kept > 0)) {
        good = verify(self, kept, from->sp - sizeof(uintptr_t));
        if (LIKELY(good > 0) && LIKELY(take_short(self, from, good, kept))) return;
    }
    take_known(self, from, kept, good);
}

NOINLINE void capture_take(struct capture *self)
{
    const struct registers from = registers_of_caller();
    capture_take_from(self, &from);
}
