// SPDX-License-Identifier: Apache-2.0
// A descriptor watched by Node's event loop.
#ifndef SEALANE_ADDON_UV_POLL_H
#define SEALANE_ADDON_UV_POLL_H

#include <functional>

#include "kernel_fd.h"

struct uv_loop_s;
struct uv_handle_s;
struct uv_poll_s;

namespace sealane
{

/// Owns the descriptor. Made by start(), ends itself some time after close(): libuv frees handles late,
/// and a callback may close the poller it runs in.
class UvPoll
{
public:
	using Ready = std::function<void(int events)>;

	/// `events`: UV_READABLE and the like. An error of the poll itself is reported as readable:
	/// the read then says what it is.
	static UvPoll *start(uv_loop_s *loop, Fd fd, int events, Ready ready);
	void set_events(int events);
	int fd() const { return fd_.get(); }
	/// Closes the descriptor at once. The callback is released later, outside itself.
	void close();
	/// Ends every poller when Node tears its environment down; callbacks are released at once.
	static void close_all();

private:
	UvPoll() = default;
	uv_handle_s *handle() const;

	uv_poll_s *poll_ = nullptr;
	Fd fd_;
	Ready ready_;
	int events_ = 0;
};

} // namespace sealane

#endif
