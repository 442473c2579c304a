/** Calls that fail once: the `fail_at`th of them; never, where that is 0. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fault {
  uint32_t calls;
  uint32_t fail_at;
} fault;

static inline bool fails(fault *f) { return ++f->calls == f->fail_at; }

/** Of guarded-heap.c. */
extern fault allocations;

#endif
