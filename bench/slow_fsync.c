/*
 * A disk that is slower than it is: fsync and fdatasync wait before they do their work.
 *
 *     cc -O2 -shared -fPIC -o slow_fsync.so slow_fsync.c -ldl
 *     SLOW_FSYNC=control LD_PRELOAD=./slow_fsync.so program
 *
 * `control` is a file of three unsigned 32-bit integers in the machine's order, shared by everybody who maps it:
 * microseconds that each call waits, microseconds that the next call alone waits on top, and how many calls there
 * were. Without it nothing is slowed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct control {
    _Atomic unsigned delay_us;
    _Atomic unsigned stall_us;
    _Atomic unsigned calls;
};

static struct control *control;

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("SLOW_FSYNC");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) control = mapped;
}

static void slow_down(void) {
    if (!control) return;
    atomic_fetch_add(&control->calls, 1);
    unsigned long us = (unsigned long)atomic_load(&control->delay_us) + atomic_exchange(&control->stall_us, 0);
    struct timespec rest = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (us && nanosleep(&rest, &rest) == -1 && errno == EINTR) {}
}

/* The library's own of that name. POSIX lets a pointer from dlsym be called, which C alone does not. */
static int call_real(const char *name, int file) {
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(file);
}

int fsync(int file) {
    slow_down();
    return call_real("fsync", file);
}

int fdatasync(int file) {
    slow_down();
    return call_real("fdatasync", file);
}
