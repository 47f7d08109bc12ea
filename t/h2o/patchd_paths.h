/*
 * patchd_paths.h - the paths of the test server; each takes a request and answers it
 */
#ifndef PATCHD_PATHS_H
#define PATCHD_PATHS_H

#include "patchd.h"

void patchd_answer(h2o_req_t *req, int status, h2o_iovec_t text);
h2o_iovec_t patchd_printf(h2o_req_t *req, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "LENGTH CRC32" */
h2o_iovec_t patchd_count(h2o_req_t *req, const char *bytes, size_t len);

void patchd_sink(h2o_req_t *req);
void patchd_limit(h2o_req_t *req);
void patchd_later(h2o_req_t *req);
void patchd_echo(h2o_req_t *req);
void patchd_hold(h2o_req_t *req);
void patchd_sip(h2o_req_t *req);
void patchd_stall(h2o_req_t *req);
void patchd_early(h2o_req_t *req);
void patchd_buffer(h2o_req_t *req);
void patchd_told_trailers(h2o_req_t *req);
void patchd_trailers(h2o_req_t *req);

#endif
