/* Stands between a program and its C library (LD_PRELOAD), for files below one folder:
 *
 *  - makes a system call fail as a disk would (EIO, ENOSPC, half a write), when the control block says so;
 *  - writes down, in order, what was written, cut, named and flushed, so that what a power failure could
 *    have left can be built from it (soak/disk.py).
 *
 * A flush that failed is treated as Linux does: what was waiting is not written later, either, and everybody
 * who has the file open learns of it once (errseq_t); who opens it afterwards learns nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, TRUNCATE = 8 }; /* what may fail */
enum { DID_WRITE = 1, DID_TRUNCATE, DID_CREATE, DID_RENAME, DID_UNLINK, SYNC_BEGINS, SYNC_ENDS, SYNC_FAILS };
enum { FAILED_FILES = 64, DESCRIPTORS = 4096 };

/* As soak/shim.py packs it. */
struct control {
    int64_t countdown; /* calls to come until one fails */
    int64_t failures;  /* how many in a row fail then */
    int64_t injected;  /* how many have failed */
    int32_t error, calls;
    int32_t half; /* whether a failing write writes half of it first, and says so */
    char file[68]; /* part of the paths that it is about, with a $ at their end */
    struct { uint64_t inode, failures; } failed[FAILED_FILES]; /* files a flush of which has failed */
};

struct record {
    int32_t did, thread;
    uint64_t inode;
    int64_t offset;
    uint32_t path_length, data_length;
};

static struct control *control;
static const char *folder;
static int trace = -1;
static uint64_t seen[DESCRIPTORS]; /* failures of its file that a descriptor has learnt of */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *block = getenv("SOAK_CONTROL"), *file = getenv("SOAK_TRACE");
    folder = getenv("SOAK_FOLDER");
    if (block) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, block, O_RDWR | O_CLOEXEC, 0);
        if (fd >= 0) {
            control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (control == MAP_FAILED) control = NULL;
            syscall(SYS_close, fd);
        }
    }
    if (file) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
        trace = fcntl(fd, F_DUPFD_CLOEXEC, 3000); /* out of the way of a program that counts its own */
        syscall(SYS_close, fd);
    }
}

static int ends_in(const char *path, const char *end) {
    size_t length = strlen(path), ending = strlen(end);
    return length >= ending && !strcmp(path + length - ending, end);
}

/* Whether the path is one to look after: not what only processes share, which no disk has to keep. */
static int below(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    return folder && !strncmp(path, folder, length) && (!path[length] || path[length] == '/')
        && !ends_in(path, "-shm") && !ends_in(path, ".lock") && !ends_in(path, ".sock");
}

static int path_of(int fd, char *path) {
    char link[64];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

/* A name as the program gave it, from the root. */
static const char *whole(const char *path, char *buffer) {
    char here[PATH_MAX];
    if (*path == '/' || !getcwd(here, sizeof here)) return path;
    if (snprintf(buffer, PATH_MAX, "%s/%s", here, path) >= PATH_MAX) return path;
    return buffer;
}

static uint64_t inode_of(int fd) {
    struct stat status;
    return fstat(fd, &status) ? 0 : status.st_ino;
}

static void note(int did, uint64_t inode, int64_t offset, const char *path, const void *data, size_t length) {
    if (trace < 0) return;
    int kept = errno;
    struct record record = {did, (int32_t)syscall(SYS_gettid), inode, offset,
                            (uint32_t)strlen(path), (uint32_t)length};
    struct iovec parts[] = {{&record, sizeof record}, {(void *)path, strlen(path)}, {(void *)data, length}};
    if (syscall(SYS_writev, trace, parts, 3) < 0) abort(); /* a trace with gaps would tell lies */
    errno = kept;
}

/* Whether this call is to fail. */
static int fails(int call, const char *path) {
    char marked[PATH_MAX + 1];
    snprintf(marked, sizeof marked, "%s$", path);
    if (!control || !(control->calls & call) || !strstr(marked, control->file)) return 0;
    int64_t left = __atomic_sub_fetch(&control->countdown, 1, __ATOMIC_SEQ_CST);
    if (left >= 0 || left < -control->failures) return 0;
    __atomic_add_fetch(&control->injected, 1, __ATOMIC_SEQ_CST);
    errno = control->error;
    return 1;
}

static uint64_t *failures_of(uint64_t inode, int make) {
    for (int i = 0; control && i < FAILED_FILES; i++) {
        uint64_t none = 0;
        if (make) __atomic_compare_exchange_n(&control->failed[i].inode, &none, inode, 0, __ATOMIC_SEQ_CST,
                                              __ATOMIC_SEQ_CST);
        if (control->failed[i].inode == inode) return &control->failed[i].failures;
    }
    return NULL;
}

/* ── writing ── */

static void wrote(int fd, const char *path, const void *data, ssize_t length, int64_t offset) {
    if (length <= 0) return;
    if (offset < 0) offset = lseek(fd, 0, SEEK_CUR) - length;
    note(DID_WRITE, inode_of(fd), offset, path, data, (size_t)length);
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(write)(fd, data, length);
    if (fails(WRITE, path)) {
        if (!control->half || length < 2) return -1;
        length /= 2;
    }
    ssize_t written = REAL(write)(fd, data, length);
    wrote(fd, path, data, written, -1);
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(pwrite64)(fd, data, length, offset);
    if (fails(WRITE, path)) {
        if (!control->half || length < 2) return -1;
        length /= 2;
    }
    ssize_t written = REAL(pwrite64)(fd, data, length, offset);
    wrote(fd, path, data, written, offset);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

/* Not traced: only PostgreSQL calls it, of which no power failure is built. */
ssize_t pwritev(int fd, const struct iovec *parts, int number, off_t offset) {
    char path[PATH_MAX];
    if (path_of(fd, path) && fails(WRITE, path)) return -1;
    return REAL(pwritev)(fd, parts, number, offset);
}

int ftruncate64(int fd, off64_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(ftruncate64)(fd, size);
    if (fails(TRUNCATE, path)) return -1;
    int failed = REAL(ftruncate64)(fd, size);
    if (!failed) note(DID_TRUNCATE, inode_of(fd), size, path, "", 0);
    return failed;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* ── flushing ── */

static int flush(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real(fd);
    uint64_t inode = inode_of(fd);
    note(SYNC_BEGINS, inode, 0, path, "", 0);
    int failed = fails(SYNC, path);
    uint64_t *failures = failures_of(inode, failed);
    if (failed && failures) __atomic_add_fetch(failures, 1, __ATOMIC_SEQ_CST);
    if (failures && fd < DESCRIPTORS && seen[fd] < *failures) { /* also of a flush by another */
        if (!failed) errno = EIO;
        failed = 1;
        seen[fd] = *failures;
    }
    if (!failed) failed = real(fd) != 0;
    note(failed ? SYNC_FAILS : SYNC_ENDS, inode, 0, path, "", 0);
    return failed ? -1 : 0;
}

int fsync(int fd) { return flush(fd, REAL(fsync)); }

int fdatasync(int fd) { return flush(fd, REAL(fdatasync)); }

/* ── names ── */

static int opened(int fd, const char *name, int flags, int was_there) {
    char buffer[PATH_MAX];
    const char *path = whole(name, buffer);
    if (fd < 0 || !below(path)) return fd;
    uint64_t inode = inode_of(fd), *failures = failures_of(inode, 0);
    if (fd < DESCRIPTORS) seen[fd] = failures ? *failures : 0;
    if (!was_there) note(DID_CREATE, inode, 0, path, "", 0);
    else if (flags & O_TRUNC) note(DID_TRUNCATE, inode, 0, path, "", 0);
    return fd;
}

static int is_there(const char *path) { return !syscall(SYS_faccessat, AT_FDCWD, path, F_OK); }

static mode_t mode_in(int flags, va_list more) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; }

int open64(const char *path, int flags, ...) {
    char buffer[PATH_MAX];
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_in(flags, more);
    va_end(more);
    int was_there = !(flags & O_CREAT) || is_there(path);
    if (!was_there && below(whole(path, buffer)) && fails(WRITE, whole(path, buffer))) return -1;
    return opened(REAL(open64)(path, flags, mode), path, flags, was_there);
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_in(flags, more);
    va_end(more);
    return open64(path, flags, mode);
}

int rename(const char *old, const char *new) {
    char buffers[2][PATH_MAX];
    const char *from = whole(old, buffers[0]), *to = whole(new, buffers[1]);
    if (below(to) && fails(RENAME, to)) return -1;
    int failed = REAL(rename)(old, new);
    if (!failed && below(to)) note(DID_RENAME, 0, 0, from, to, strlen(to));
    return failed;
}

int unlink(const char *name) {
    char buffer[PATH_MAX];
    const char *path = whole(name, buffer);
    int failed = REAL(unlink)(name);
    if (!failed && below(path)) note(DID_UNLINK, 0, 0, path, "", 0);
    return failed;
}
