/*
 * lane.h - the public listening sockets, which belong to twinit and not to any FPM.
 *
 * Each public address has LANE_COUNT lanes: sockets that new connections can be steered to.  All
 * masters that serve accept from the same lane; a roll builds its masters on another one, where no
 * visitor can reach them, and lane_cutover() then moves every new connection in one step.
 *
 *   TCP    the lanes are one SO_REUSEPORT group; a one-instruction program picks the lane.  The
 *          kernel finds the group by its gate, where nobody is sent.  So the lanes themselves need
 *          not have the option, which connections would have from them: whoever runs code in PHP,
 *          as our user, could make such a connection a listener of the same port and take its
 *          visitors.  Where the kernel looks elsewhere first there is no gate, and lanes have it.
 *
 *   unix   each lane is a socket of its own, bound under a temporary name; the cutover renames it
 *          over the public path.
 *
 * Whoever has a listening socket can shut it down, PHP's workers too.  What is left of such a lane
 * is nothing to build on, and a TCP group has its members at other places then: lanes_lose().
 *
 * Where the kernel refuses the program there is one lane only, shared by old and new masters, and
 * lanes->steered is false.
 */
#pragma once

#include <stdbool.h>

#include "listen/address.h"
#include "util/macros.h"

/*
 * One that serves, one that the next roll builds on, and two more, so that a roll need not wait for
 * the long drain of the one before.
 */
enum { LANE_COUNT = 4 };

struct lanes {
	struct address address;
	int gate;                    /* FD_NONE: none */
	int fds[LANE_COUNT];         /* FD_NONE: not open */
	unsigned places[LANE_COUNT]; /* TCP: which of the group each lane is */
	unsigned members;            /* TCP: of the group, the gate included */
	bool lost[LANE_COUNT];       /* somebody shut its socket down */
	unsigned active;             /* the lane that gets new connections */
	bool steered;
	ino_t published; /* unix: the socket that we put on the public path; 0: none */
};

/* An empty value: nothing open. */
void lanes_init(struct lanes *lanes);

/*
 * Open all lanes of @address and listen; lane 0 is the active one.  Blocks for 0.1 s at most.
 *
 * Returns 0; -EADDRINUSE when somebody else has the address (a socket of ours never shares it with
 * a stranger's); or -errno.  On failure *@lanes is empty again.
 */
MUST_CHECK int lanes_open(struct lanes *lanes, const struct address *address);

/* Close everything and remove the public path of a unix socket, if it is still ours. */
void lanes_close(struct lanes *lanes);

/*
 * Make the idle lane @lane ready to be built on: a unix lane gets a fresh socket, because its last
 * one lost its name at the cutover.  Nothing may be queued there.  The active lane stays as it is,
 * unless it is lost.  0 or -errno.
 */
MUST_CHECK int lanes_prepare(struct lanes *lanes, unsigned lane);

/*
 * Before a cutover: see to it that another one can lead back to the lane that is active now (a unix
 * socket keeps a name).  0 or -errno.
 */
MUST_CHECK int lanes_keep(struct lanes *lanes);

/* Nothing will lead back to @lane as it is. */
void lanes_forget(struct lanes *lanes, unsigned lane);

/*
 * Connect to @lane, @count times, whoever gets everybody else's connections.  TCP: from an address
 * of the loopback network that nobody else has reason to use.  Never blocks.
 *
 * Returns how many of @fds are connected now, which are the caller's, or -errno: -EAFNOSUPPORT for
 * an address that IPv4 does not reach.
 */
MUST_CHECK int lanes_reach(struct lanes *lanes, unsigned lane, int fds[], unsigned count);

/* Move all new connections to @lane.  0, or -errno and nothing has changed. */
MUST_CHECK int lanes_cutover(struct lanes *lanes, unsigned lane);

/*
 * Take no new connection on any lane; what is queued stays to be served.  TCP: bare SYNs are
 * dropped, so that clients try again, or refused where we may not drop them.  Unix: the public path
 * goes.
 *
 * Returns 0, or -errno when the kernel allows neither; new connections are then still taken.
 */
MUST_CHECK int lanes_refuse_new(struct lanes *lanes);

/*
 * Somebody shut the socket of @lane down: forget it, and if new connections came there lead them to
 * @other, whose masters need not be there yet (LANE_COUNT: there is none).  Returns 0 or -errno.
 */
MUST_CHECK int lanes_lose(struct lanes *lanes, unsigned lane, unsigned other);

/* True when a roll can build on @lane as far as its socket goes. */
bool lanes_usable(const struct lanes *lanes, unsigned lane);

/* True when somebody shut that listening socket down. */
bool listener_is_shut(int fd);

/* True when completed connections wait on @lane for somebody to accept them. */
bool lane_has_queue(const struct lanes *lanes, unsigned lane);

/* The same for one listening socket. */
bool listener_has_queue(int fd);

/* "A" for lane 0 and so on, as operators read it. */
char lane_letter(unsigned lane);
