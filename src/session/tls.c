#include "session/tls.h"

#include <errno.h>

#ifdef TWINIT_TLS

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

bool tls_built_in(void)
{
	return true;
}

static SSL_CTX *make_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context)
		return NULL;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_default_verify_paths(context) == 1)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* A certificate names hosts and addresses in different places. */
static bool name_peer(SSL *ssl, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
		return true;
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *tls_begin(int fd, const char *host)
{
	SSL_CTX *context = make_context();
	SSL *ssl = context ? SSL_new(context) : NULL;

	SSL_CTX_free(context); /* the connection has its own share of it */
	if (ssl && name_peer(ssl, host) && SSL_set_fd(ssl, fd) == 1)
		return (struct tls *)ssl;
	SSL_free(ssl);
	return NULL;
}

void tls_end(struct tls *tls)
{
	SSL_free((SSL *)tls);
}

static int wanted(struct tls *tls, int result, short *events)
{
	switch (SSL_get_error((SSL *)tls, result)) {
	case SSL_ERROR_WANT_READ:
		*events = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*events = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return -EPROTO;
	}
}

int tls_shake(struct tls *tls, short *events)
{
	ERR_clear_error();
	int n = SSL_connect((SSL *)tls);

	if (n == 1)
		return 0;
	n = wanted(tls, n, events);
	return n == 0 ? -EPROTO : n;
}

static int at_most(size_t size)
{
	return size > INT_MAX ? INT_MAX : (int)size;
}

ssize_t tls_send(struct tls *tls, const char *bytes, size_t size, short *events)
{
	ERR_clear_error();
	int n = SSL_write((SSL *)tls, bytes, at_most(size));

	if (n > 0)
		return n;
	n = wanted(tls, n, events);
	return n == 0 ? -EPIPE : n;
}

ssize_t tls_receive(struct tls *tls, char *bytes, size_t size, short *events)
{
	ERR_clear_error();
	int n = SSL_read((SSL *)tls, bytes, at_most(size));

	return n > 0 ? n : wanted(tls, n, events);
}

const char *tls_why(const struct tls *tls)
{
	long verified = SSL_get_verify_result((const SSL *)tls);
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return reason ? reason : "the handshake was broken off";
}

#else

bool tls_built_in(void)
{
	return false;
}

struct tls *tls_begin(int fd, const char *host)
{
	(void)fd;
	(void)host;
	return NULL;
}

void tls_end(struct tls *tls)
{
	(void)tls;
}

int tls_shake(struct tls *tls, short *events)
{
	(void)tls;
	(void)events;
	return -EPROTO;
}

ssize_t tls_send(struct tls *tls, const char *bytes, size_t size, short *events)
{
	(void)tls;
	(void)bytes;
	(void)size;
	(void)events;
	return -EPROTO;
}

ssize_t tls_receive(struct tls *tls, char *bytes, size_t size, short *events)
{
	(void)tls;
	(void)bytes;
	(void)size;
	(void)events;
	return -EPROTO;
}

const char *tls_why(const struct tls *tls)
{
	(void)tls;
	return "";
}

#endif
