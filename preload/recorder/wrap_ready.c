/*
 * wrap_ready.c: notices what ends a start: a Lambda runtime asks for its first invocation, or a
 * program listens on a socket. Looks at the first bytes of what is sent; keeps and changes nothing.
 */
#include "base/sys.h"
#include "recorder/lifetime.h"
#include "recorder/next.h"
#include "recorder/state.h"
#include "trace/ready_request.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whether somebody waits for the request. */
static bool is_wanted(void)
{
    const struct trace_header *trace = record_trace();
    return record_takes_part() && trace->until_ready && !trace->ready && !trace->finished;
}

static void look(const void *bytes, size_t size)
{
    /* A sandbox may be frozen for good once the invocation that was asked for is answered. */
    if (is_ready_request(bytes, size))
        record_finish(TRACE_READY);
}

static void look_at_vector(const struct iovec *vector, size_t count, size_t sent)
{
    if (count)
        look(vector[0].iov_base, vector[0].iov_len < sent ? vector[0].iov_len : sent);
}

/* Only what the kernel accepted may be looked at: a wild pointer must stay the kernel's EFAULT. */
#define SEND_CALL(name, parameters, arguments, look_at)                                            \
    RECORD_API ssize_t name parameters                                                             \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        ssize_t n = next ? next arguments : record_result(-ENOSYS);                                \
        if (n > 0 && is_wanted())                                                                  \
            look_at;                                                                               \
        return n;                                                                                  \
    }

// clang-format off
SEND_CALL(write, (int fd, const void *bytes, size_t size), (fd, bytes, size),
          look(bytes, (size_t)n))
SEND_CALL(send, (int fd, const void *bytes, size_t size, int flags), (fd, bytes, size, flags),
          look(bytes, (size_t)n))
SEND_CALL(sendto, (int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
                   socklen_t length),
          (fd, bytes, size, flags, to, length), look(bytes, (size_t)n))
SEND_CALL(writev, (int fd, const struct iovec *vector, int count), (fd, vector, count),
          look_at_vector(vector, (size_t)count, (size_t)n))
SEND_CALL(sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags),
          look_at_vector(message->msg_iov, message->msg_iovlen, (size_t)n))
// clang-format on

RECORD_API int listen(int fd, int backlog)
{
    RECORD_NEXT(listen);
    int result = next ? next(fd, backlog) : (int)record_result(-ENOSYS);
    struct trace_header *trace = record_trace();
    if (result == 0 && record_takes_part() && trace->until_listen && !trace->ready &&
        !trace->finished) {
        record_end();
        trace->ready = TRACE_READY;
        trace->finished = 1;
    }
    return result;
}
