/** A limit on calls that may not come back: foreign code under an engine that has none. */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

/** Where a call goes that has had its time: `sigsetjmp` before it. */
static sigjmp_buf endless;

static inline void give_up(int signal_number) {
  (void)signal_number;
  siglongjmp(endless, 1);
}

/** @param us of processor time; 0 for as long as it takes */
static inline void set_patience(long us) {
  struct itimerval timer = {{0, 0}, {0, us}};
  setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

#endif
