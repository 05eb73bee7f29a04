/*
 * tls.h - TLS for a conversation with a store, in a program that was built with it (make TLS=1).
 *
 * The static binary is built without: there a TLS store is proven through PHP only.  The
 * certificate is checked against the system's authorities, or those in SSL_CERT_FILE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/macros.h"

struct tls;

bool tls_built_in(void);

/*
 * Prepare TLS on the connected and non-blocking @fd, which stays the caller's, with the server that
 * is called @host.  Returns what tls_end() frees, or NULL.
 */
struct tls *tls_begin(int fd, const char *host);
void tls_end(struct tls *tls);

/* Each returns -EAGAIN when *@events (poll(2)) have to be waited for, and -EPROTO for an error of
 * TLS; nothing blocks. */

/* Go on with the handshake.  0 when it is done. */
MUST_CHECK int tls_shake(struct tls *tls, short *events);

/* As send(2) and recv(2): how many bytes; of receiving 0 at the end. */
MUST_CHECK ssize_t tls_send(struct tls *tls, const char *bytes, size_t size, short *events);
MUST_CHECK ssize_t tls_receive(struct tls *tls, char *bytes, size_t size, short *events);

/* Why the handshake failed, e.g. "certificate has expired".  Never NULL. */
const char *tls_why(const struct tls *tls);
