// SPDX-License-Identifier: Apache-2.0
// Processes are named by {PID, start time}: a PID alone may have been given to another.
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kernel.h"
#include "kernel_error.h"

namespace sealane
{

// /proc/PID/stat: "PID (comm) STATE field4 ... field22 ...". The comm may hold spaces and
// parentheses, so fields are counted from the last ')'.
std::optional<uint64_t> process_start_time(int32_t pid)
{
	constexpr int kStartTimeField = 22;
	const std::string path = "/proc/" + std::to_string(pid) + "/stat";
	const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	char text[1024];
	const ssize_t length = fd.valid() ? ::read(fd.get(), text, sizeof(text) - 1) : -1;
	if (length <= 0)
		return std::nullopt;
	text[length] = '\0';
	const char *at = ::strrchr(text, ')');
	if (at == nullptr || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return std::nullopt;
	at += 2; // field 3
	for (int field = 3; field < kStartTimeField; field++) {
		at = ::strchr(at, ' ');
		if (at == nullptr)
			return std::nullopt;
		at++;
	}
	return ::strtoull(at, nullptr, 10);
}

void hide_memory()
{
	// The limit as well: a core_pattern that is a pipe asks for it alone where suid_dumpable is 2.
	const struct rlimit none = {0, 0};
	if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		throw KernelError::system(errno, "cannot keep keys out of core dumps");
}

Fd open_process(int32_t pid, uint64_t start_time)
{
	Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
	if (!fd.valid() && errno != ESRCH)
		throw KernelError::system(errno, "cannot watch process " + std::to_string(pid));
	// Read after the pidfd is held: from here on the PID cannot be given to another unseen.
	if (!fd.valid() || process_start_time(pid) != start_time)
		throw KernelError("NOT_FOUND", "process " + std::to_string(pid) +
		                                       " with that start time does not exist");
	return fd;
}

} // namespace sealane
