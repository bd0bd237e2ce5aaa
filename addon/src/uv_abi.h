// SPDX-License-Identifier: Apache-2.0
// The part of libuv's version 1 ABI that uv_poll.cc uses.
//
// Node exports libuv's symbols, but its header is not among the npm header packages and not every
// installation of Node brings it. These types are opaque here, sizes are asked at run time, and
// start() checks the one number that is fixed by hand.
#ifndef SEALANE_ADDON_UV_ABI_H
#define SEALANE_ADDON_UV_ABI_H

#include <cstddef>

extern "C" {

struct uv_loop_s;
struct uv_handle_s;
struct uv_poll_s;

enum { UV_READABLE = 1, UV_WRITABLE = 2, UV_DISCONNECT = 4 };
enum { UV_POLL_HANDLE = 8 }; // uv_handle_type UV_POLL, unchanged since 1.0

using uv_poll_cb = void (*)(uv_poll_s *handle, int status, int events);
using uv_close_cb = void (*)(uv_handle_s *handle);

size_t uv_handle_size(int type);
const char *uv_handle_type_name(int type);
void *uv_handle_get_data(const uv_handle_s *handle);
void uv_handle_set_data(uv_handle_s *handle, void *data);
void uv_close(uv_handle_s *handle, uv_close_cb close_cb);
int uv_poll_init(uv_loop_s *loop, uv_poll_s *handle, int fd);
int uv_poll_start(uv_poll_s *handle, int events, uv_poll_cb cb);
}

#endif
