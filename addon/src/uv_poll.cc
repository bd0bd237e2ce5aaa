// SPDX-License-Identifier: Apache-2.0
#include "uv_poll.h"

#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "kernel_error.h"
#include "uv_abi.h"

namespace sealane
{

namespace
{

/// Open pollers; only the main thread comes here.
std::set<UvPoll *> &open_pollers()
{
	static std::set<UvPoll *> pollers;
	return pollers;
}

} // namespace

uv_handle_s *UvPoll::handle() const { return reinterpret_cast<uv_handle_s *>(poll_); }

UvPoll *UvPoll::start(uv_loop_s *loop, Fd fd, int events, Ready ready)
{
	const char *type = uv_handle_type_name(UV_POLL_HANDLE);
	if (type == nullptr || ::strcmp(type, "poll") != 0)
		throw KernelError("KERNEL", "this Node has another libuv than version 1");
	auto *poll = static_cast<uv_poll_s *>(::calloc(1, uv_handle_size(UV_POLL_HANDLE)));
	if (poll == nullptr)
		throw KernelError::system(ENOMEM, "cannot watch a descriptor");
	const int status = uv_poll_init(loop, poll, fd.get());
	if (status != 0) {
		::free(poll);
		throw KernelError::system(-status, "cannot watch a descriptor");
	}
	auto *self = new UvPoll;
	self->poll_ = poll;
	self->fd_ = std::move(fd);
	self->ready_ = std::move(ready);
	uv_handle_set_data(self->handle(), self);
	open_pollers().insert(self);
	self->set_events(events);
	return self;
}

void UvPoll::set_events(int events)
{
	events_ = events;
	uv_poll_start(poll_, events, [](uv_poll_s *poll, int status, int happened) {
		auto *self = static_cast<UvPoll *>(
			uv_handle_get_data(reinterpret_cast<uv_handle_s *>(poll)));
		// libuv stops a handle on EPOLLERR, which is only a pending socket error here.
		if (status < 0)
			self->set_events(self->events_);
		self->ready_(status < 0 ? UV_READABLE : happened);
	});
}

void UvPoll::close()
{
	if (open_pollers().erase(this) == 0)
		return;
	uv_close(handle(), [](uv_handle_s *closed) {
		delete static_cast<UvPoll *>(uv_handle_get_data(closed));
		::free(closed);
	});
	// libuv has let go of the descriptor by now (it leaves the epoll set in uv_close).
	fd_.reset();
}

void UvPoll::close_all()
{
	const std::set<UvPoll *> pollers = open_pollers();
	for (UvPoll *poller : pollers) {
		poller->close();
		poller->ready_ = nullptr;
	}
}

} // namespace sealane
