/* A system clock that a test sets: preloaded into the daemon. The file that CLOCK_FILE names holds how far the wall
 * clock is off, in nanoseconds, and whether the kernel says that it is synchronised. Without CLOCK_FILE the clock is
 * left alone (or to libfaketime, preloaded after this) and not synchronised. The other clocks are never touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct shared {
  volatile int64_t off_ns;
  volatile int64_t synchronised;
};

static struct shared *shared(void) {
  static struct shared *page;
  if (page == NULL) {
    static struct shared none;
    const char *name = getenv("CLOCK_FILE");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0)
      close(file);
    page = at == MAP_FAILED ? &none : at;
  }
  return page;
}

static int real_gettime(clockid_t id, struct timespec *ts) {
  static int (*next)(clockid_t, struct timespec *);
  if (next == NULL)
    next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return next(id, ts);
}

int clock_gettime(clockid_t id, struct timespec *ts) {
  int result = real_gettime(id, ts);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) && shared()->off_ns != 0) {
    int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + shared()->off_ns;
    ts->tv_sec = ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;
  }
  return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
  struct timespec ts;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &ts);
  tv->tv_sec = ts.tv_sec;
  tv->tv_usec = ts.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  if (at != NULL)
    *at = ts.tv_sec;
  return ts.tv_sec;
}

int adjtimex(struct timex *out) {
  memset(out, 0, sizeof *out);
  out->status = shared()->synchronised ? STA_PLL : STA_UNSYNC;
  return shared()->synchronised ? TIME_OK : TIME_ERROR;
}

/* libfaketime moves the end of a sleep on the monotonic clock too (0.9.10, whatever DONT_FAKE_MONOTONIC says): refused
 * with EINVAL, or endless. */
int clock_nanosleep(clockid_t id, int flags, const struct timespec *until, struct timespec *left) {
  return syscall(SYS_clock_nanosleep, id, flags, until, left) == 0 ? 0 : errno;
}
