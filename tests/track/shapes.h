// Shapes: functions whose frames compilers lay out in different ways, each of which calls on.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// What a walk does next: calls a shape again, or something else at its end.
struct path {
    void (*next)(struct path *self);
    unsigned seed;
    unsigned left; // frames to go
};

// Calls path->next by way of one of the shapes, the seed says which.
void shape_call(struct path *path);

#ifdef __cplusplus
}
#endif
