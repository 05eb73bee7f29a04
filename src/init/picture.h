/* picture.h - what there is, put into messages for a command. */
#pragma once

#include "init/state.h"

/* Whether it boots, runs or stops. */
enum container_phase picture_phase(const struct supervisor *supervisor);

/* Tell @client how the container is. */
void picture_send_container(const struct supervisor *supervisor, struct client *client);

/* The same for @app: itself, its replicas, where asked for their pools, its sessions. */
void picture_send_app(const struct app *app, struct client *client);

/* Its sessions alone. */
void picture_send_sessions(const struct app *app, struct client *client);
