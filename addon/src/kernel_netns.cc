// SPDX-License-Identifier: Apache-2.0
// Namespaces and what is read and written inside them.
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "kernel.h"
#include "kernel_error.h"

namespace sealane
{

namespace
{

constexpr const char *kOwnPath = "/proc/thread-self/ns/net";
constexpr const char *kPrivilege = "run the supervisor with CAP_SYS_ADMIN and CAP_NET_ADMIN";

/// The namespace this process was started in. Opened once, before anything has moved.
int home_netns()
{
	static const int home = ::open(kOwnPath, O_RDONLY | O_CLOEXEC);
	if (home < 0)
		throw KernelError::system(errno, std::string("cannot open ") + kOwnPath);
	return home;
}

/// /proc/sys/net shows the namespace of the task that opens the file.
std::string sysctl_path(const std::string &path)
{
	const bool climbs = ("/" + path + "/").find("/../") != std::string::npos;
	if (path.empty() || path.front() == '/' || climbs || path.find('\0') != std::string::npos)
		throw KernelError("BAD_ARGUMENT", "not a path below /proc/sys/net: '" + path + "'");
	return "/proc/sys/net/" + path;
}

} // namespace

NetnsScope::NetnsScope(int netns)
{
	if (netns == kOwnNetns)
		return;
	home_netns();
	if (::setns(netns, CLONE_NEWNET) != 0)
		throw KernelError::system(errno, "cannot enter the network namespace", kPrivilege);
	entered_ = true;
}

NetnsScope::~NetnsScope()
{
	if (!entered_ || ::setns(home_netns(), CLONE_NEWNET) == 0)
		return;
	::fprintf(stderr, "sealane: cannot return to the own network namespace: %s\n",
	          ::strerror(errno));
	::abort();
}

Fd open_netns(const std::string &path)
{
	const std::string name = path.empty() ? kOwnPath : path;
	Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
	if (!fd.valid()) {
		const int error = errno;
		throw KernelError::system(error, "cannot open network namespace " + name,
		                          error == ENOENT ? "create it, or correct its name" : "");
	}
	// Any file can be opened; only a namespace of this type answers so.
	if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
		throw KernelError("BAD_ARGUMENT", name + " is not a network namespace");
	return fd;
}

void write_sysctl(int netns, const std::string &path, const std::string &value)
{
	const std::string file = sysctl_path(path);
	const NetnsScope scope(netns);
	const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
	if (!fd.valid() ||
	    ::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
		throw KernelError::system(errno, "cannot write " + file,
		                          "in a container /proc/sys must be writable");
}

std::string read_sysctl(int netns, const std::string &path)
{
	const std::string file = sysctl_path(path);
	const NetnsScope scope(netns);
	const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
	char text[4096];
	const ssize_t length = fd.valid() ? ::read(fd.get(), text, sizeof(text)) : -1;
	if (length < 0)
		throw KernelError::system(errno, "cannot read " + file);
	std::string value(text, static_cast<size_t>(length));
	while (!value.empty() && value.back() == '\n')
		value.pop_back();
	return value;
}

} // namespace sealane
