/* private.h - what the masters' private sockets are called. */
#pragma once

#include <stddef.h>

#include "question/fcgi_client.h"

/* What a private socket is for, as its name ends. */
enum private_kind {
	PRIVATE_STATUS = 's', /* FPM's status page, which answers when all workers are busy, too */
	PRIVATE_PROBE = 'p',  /* ping, and the script that asks for a session */
	PRIVATE_PAGES = 'w',  /* the site's own pages, in the first pool: health and warm-up */
	PRIVATE_HAND = 'h',   /* what somebody asks by hand, in the first pool: twinit fcgi */
};

/* The name of a private socket of @pool in the master that has the number @serial, of app @app. */
void private_name(size_t app, unsigned serial, unsigned pool, enum private_kind kind,
                  char name[PRIVATE_NAME_SIZE]);
