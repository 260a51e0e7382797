/* LD_PRELOAD for the real rpi-lgpio and lgpio: /dev/gpiochip0 by the kernel's GPIO interface, version 2.
 *
 * Levels are in memory that is shared with gpiochip.py. A requested line is a connection to it: the library polls and
 * reads the connection for edges as it does with the kernel's descriptor, and gpiochip.py sees it end when the line is
 * freed or the process dies.
 *
 * Environment: GPIOCHIP_DIR with `state` and `socket` (see gpiochip.py for both layouts).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 54, MAX_FD = 1024 };
enum kind { OTHER, CHIP, REQUEST };
enum op { OPEN_LINES = 1, SET_VALUES = 2, SET_CONFIG = 3 };

struct line {
    uint8_t high, output, used, broken;
};
struct message {
    uint32_t op, count;
    uint64_t flags, mask, bits;
    double at_s;
    uint32_t pins[GPIO_V2_LINES_MAX];
};
struct request {
    unsigned count, pins[GPIO_V2_LINES_MAX];
    int active_low;
};

static volatile struct line *lines;
static enum kind kinds[MAX_FD];
static struct request requests[MAX_FD];

static int raw_ioctl(int fd, unsigned long request, void *argument)
{
    return syscall(SYS_ioctl, fd, request, argument);
}

static int raw_open(const char *path, int flags, int mode) { return syscall(SYS_openat, AT_FDCWD, path, flags, mode); }

static int fail(int code)
{
    errno = code;
    return -1;
}

static int open_chip(void)
{
    char path[200];
    snprintf(path, sizeof path, "%s/state", getenv("GPIOCHIP_DIR"));
    int fd = raw_open(path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0 || fd >= MAX_FD)
        return fail(EIO);
    if (!lines)
        lines = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    kinds[fd] = CHIP;
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return strcmp(path, "/dev/gpiochip0") == 0 ? open_chip() : raw_open(path, flags, mode);
}
int open64(const char *, int, ...) __attribute__((alias("open")));

int close(int fd)
{
    if (fd >= 0 && fd < MAX_FD)
        kinds[fd] = OTHER;
    return syscall(SYS_close, fd);
}

static int tell(int fd, struct message *message, struct request *request)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    message->at_s = t.tv_sec + t.tv_nsec / 1e9;
    message->count = request->count;
    memcpy(message->pins, request->pins, sizeof message->pins);
    return send(fd, message, sizeof *message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static void read_config(struct message *message, struct request *request, struct gpio_v2_line_config *config)
{
    message->flags = config->flags;
    for (unsigned i = 0; i < config->num_attrs; i++) {
        if (config->attrs[i].attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES) {
            message->mask = config->attrs[i].mask;
            message->bits = config->attrs[i].attr.values;
        }
    }
    request->active_low = !!(config->flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW);
}

static int chip_info(struct gpiochip_info *info)
{
    memset(info, 0, sizeof *info);
    strcpy(info->name, "gpiochip0");
    strcpy(info->label, "pinctrl-bcm2711");
    info->lines = LINES;
    return 0;
}

static int line_info(struct gpio_v2_line_info *info)
{
    unsigned pin = info->offset;
    if (pin >= LINES)
        return fail(EINVAL);
    memset(info, 0, sizeof *info);
    info->offset = pin;
    snprintf(info->name, sizeof info->name, "GPIO%u", pin);
    info->flags = (lines[pin].used ? GPIO_V2_LINE_FLAG_USED : 0) |
                  (lines[pin].output ? GPIO_V2_LINE_FLAG_OUTPUT : GPIO_V2_LINE_FLAG_INPUT);
    return 0;
}

static int open_lines(struct gpio_v2_line_request *wanted)
{
    struct message message = {.op = OPEN_LINES};
    struct request request = {.count = wanted->num_lines};
    for (unsigned i = 0; i < request.count; i++) {
        if (wanted->offsets[i] >= LINES)
            return fail(EINVAL);
        if (lines[wanted->offsets[i]].broken)
            return fail(ENODEV);
        request.pins[i] = wanted->offsets[i];
    }
    read_config(&message, &request, &wanted->config);
    struct sockaddr_un address = {AF_UNIX, ""};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", getenv("GPIOCHIP_DIR"));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), answer = EIO;
    if (fd < 0 || fd >= MAX_FD || connect(fd, (struct sockaddr *)&address, sizeof address) ||
        tell(fd, &message, &request) || recv(fd, &answer, sizeof answer, 0) != sizeof answer || answer) {
        if (fd >= 0)
            syscall(SYS_close, fd);
        return fail(answer ? answer : EIO);
    }
    kinds[fd] = REQUEST;
    requests[fd] = request;
    wanted->fd = fd;
    return 0;
}

static int get_values(struct request *request, struct gpio_v2_line_values *values)
{
    values->bits = 0;
    for (unsigned i = 0; i < request->count; i++)
        if (values->mask >> i & 1 && lines[request->pins[i]].high ^ request->active_low)
            values->bits |= 1ULL << i;
    return 0;
}

static int set_values(int fd, struct request *request, struct gpio_v2_line_values *values)
{
    struct message message = {.op = SET_VALUES, .mask = values->mask, .bits = values->bits};
    for (unsigned i = 0; i < request->count; i++)
        if (values->mask >> i & 1)
            lines[request->pins[i]].high = (values->bits >> i & 1) ^ request->active_low;
    return tell(fd, &message, request);
}

static int set_config(int fd, struct request *request, struct gpio_v2_line_config *config)
{
    struct message message = {.op = SET_CONFIG};
    read_config(&message, request, config);
    return tell(fd, &message, request);
}

int ioctl(int fd, unsigned long code, ...)
{
    va_list rest;
    va_start(rest, code);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    enum kind kind = fd >= 0 && fd < MAX_FD ? kinds[fd] : OTHER;
    if (kind == OTHER)
        return raw_ioctl(fd, code, argument);
    if (kind == CHIP && code == GPIO_GET_CHIPINFO_IOCTL)
        return chip_info(argument);
    if (kind == CHIP && code == GPIO_V2_GET_LINEINFO_IOCTL)
        return line_info(argument);
    if (kind == CHIP && code == GPIO_V2_GET_LINE_IOCTL)
        return open_lines(argument);
    if (kind == REQUEST && lines[requests[fd].pins[0]].broken)
        return fail(ENODEV);
    if (kind == REQUEST && code == GPIO_V2_LINE_GET_VALUES_IOCTL)
        return get_values(&requests[fd], argument);
    if (kind == REQUEST && code == GPIO_V2_LINE_SET_VALUES_IOCTL)
        return set_values(fd, &requests[fd], argument);
    if (kind == REQUEST && code == GPIO_V2_LINE_SET_CONFIG_IOCTL)
        return set_config(fd, &requests[fd], argument);
    return fail(EINVAL);
}
