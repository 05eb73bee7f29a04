/*
 * doctor.h - the rules of `twinit check`: facts in, diagnoses out.  Pure.
 */
#pragma once

#include "doctor/diagnosis.h"
#include "doctor/facts.h"

/* twinit's own configuration was read from @file (empty: none), and the environment. */
void doctor_judge_config(const char *file, struct diagnoses *diagnoses);

/* The same has something that is ignored: @sentence. */
void doctor_note_ignored(const char *sentence, struct diagnoses *diagnoses);

/* Judge the container, whose apps take up to @stop_ms to stop. */
void doctor_judge_host(const struct host_facts *host, const struct twinit_facts *twinit,
                       uint32_t stop_ms, struct diagnoses *diagnoses);

/* Judge one app: its release and its sessions, and what doctor_judge_php() does. */
void doctor_judge_app(const struct app_facts *app, const struct host_facts *host,
                      struct diagnoses *diagnoses);

/* PHP, OPcache and pools. */
void doctor_judge_php(const struct app_facts *app, const struct host_facts *host,
                      struct diagnoses *diagnoses);

/* How many workers all replicas of @app have together, as FPM's configuration and `workers` say. */
uint64_t doctor_workers(const struct app_facts *app);

/* "128M", "1G" or "-1" (UINT64_MAX), as PHP writes sizes. */
uint64_t doctor_bytes(const char *size);
