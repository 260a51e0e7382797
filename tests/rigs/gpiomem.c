/* LD_PRELOAD for the real RPi.GPIO: /dev/gpiomem as a file of the rig, with the registers' behaviour on top.
 *
 * The library maps a page that it may neither read nor write. Each access faults; the handler refreshes the level
 * registers, opens the page for this one instruction (trap flag), and then carries out what was written to the set and
 * clear registers. So every access is seen, in order. State lives in the file and outlasts the process, as in the chip.
 * Modelled after the BCM2711: function select, set, clear, level, pull registers. There are no edges (no sysfs).
 *
 * Environment: GPIOMEM_FILE (see gpiomem.py for its layout), GPIOMEM_CPUINFO (text that /proc/cpuinfo shall hold).
 */
#define _GNU_SOURCE
#ifndef __x86_64__
#error "this rig steps over single instructions with the trap flag of x86-64"
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, PINS = 54, MAX_ENTRIES = 4000, TRAP_FLAG = 0x100, UNDRIVEN = 2 };
enum { SET = 0x1c / 4, CLEAR = 0x28 / 4, LEVEL = 0x34 / 4, PULL = 0xe4 / 4 }; /* indices of 32-bit registers */

struct entry {
    double at_s;
    uint32_t pin;
    uint8_t high, output, spare[2];
};
struct board {
    volatile uint32_t regs[PAGE / 4];
    volatile uint8_t outside[64]; /* what the world does to a pin: 0, 1, UNDRIVEN; written by the rig only */
    volatile uint8_t latch[64];   /* the output latches */
    volatile uint8_t seen[64];    /* as last logged: bit 0 level, bit 1 output */
    uint32_t count, spare;
    struct entry log[MAX_ENTRIES];
};

static struct board *board;
static void *guarded;
static int board_fd = -1;

static int is_output(int pin) { return (board->regs[pin / 10] >> 3 * (pin % 10) & 7) == 1; }

static int level(int pin)
{
    if (is_output(pin))
        return board->latch[pin];
    if (board->outside[pin] != UNDRIVEN)
        return board->outside[pin];
    return (board->regs[PULL + pin / 16] >> 2 * (pin % 16) & 3) == 1;
}

static void refresh_levels(void)
{
    uint32_t words[2] = {0, 0};
    for (int pin = 0; pin < PINS; pin++)
        words[pin / 32] |= (uint32_t)level(pin) << pin % 32;
    board->regs[LEVEL] = words[0];
    board->regs[LEVEL + 1] = words[1];
}

static void carry_out(void)
{
    for (int pin = 0; pin < PINS; pin++) {
        uint32_t bit = 1u << pin % 32;
        if (board->regs[SET + pin / 32] & bit)
            board->latch[pin] = 1;
        if (board->regs[CLEAR + pin / 32] & bit)
            board->latch[pin] = 0;
        uint8_t now = level(pin) | is_output(pin) << 1;
        if (now == board->seen[pin])
            continue;
        if (((now | board->seen[pin]) & 2) && board->count < MAX_ENTRIES) {
            struct timespec t;
            clock_gettime(CLOCK_MONOTONIC, &t);
            board->log[board->count] = (struct entry){t.tv_sec + t.tv_nsec / 1e9, pin, now & 1, now >> 1, {0}};
            board->count++;
        }
        board->seen[pin] = now;
    }
    for (int word = 0; word < 2; word++)
        board->regs[SET + word] = board->regs[CLEAR + word] = 0;
}

static void on_access(int number, siginfo_t *info, void *context)
{
    if (guarded == NULL || (uintptr_t)info->si_addr - (uintptr_t)guarded >= PAGE) {
        signal(number, SIG_DFL); /* not ours: let it happen again, for real */
        return;
    }
    refresh_levels();
    mprotect(guarded, PAGE, PROT_READ | PROT_WRITE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    carry_out();
    mprotect(guarded, PAGE, PROT_NONE);
}

static void *raw_mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, at, length, prot, flags, fd, offset);
}

void *mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
    if (fd < 0 || fd != board_fd)
        return raw_mmap(at, length, prot, flags, fd, offset);
    board = raw_mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    guarded = raw_mmap(at, PAGE, PROT_NONE, flags, fd, 0);
    struct sigaction access = {.sa_sigaction = on_access, .sa_flags = SA_SIGINFO};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &access, NULL);
    sigaction(SIGTRAP, &step, NULL);
    return guarded;
}
void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    if (strcmp(path, "/dev/gpiomem") == 0)
        return board_fd = syscall(SYS_openat, AT_FDCWD, getenv("GPIOMEM_FILE"), O_RDWR | O_CLOEXEC, 0);
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
int open64(const char *, int, ...) __attribute__((alias("open")));

int close(int fd)
{
    if (fd == board_fd)
        board_fd = -1;
    return syscall(SYS_close, fd);
}

FILE *fopen(const char *path, const char *mode)
{
    static FILE *(*real)(const char *, const char *);
    if (!real)
        real = dlsym(RTLD_NEXT, "fopen");
    return real(strcmp(path, "/proc/cpuinfo") == 0 ? getenv("GPIOMEM_CPUINFO") : path, mode);
}
FILE *fopen64(const char *, const char *) __attribute__((alias("fopen")));
