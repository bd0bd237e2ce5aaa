// SPDX-License-Identifier: Apache-2.0
// Kernel work that Node cannot do: namespaces, TAPs, special sockets, pidfds.
//
// Everything here is synchronous, throws KernelError, and runs on the process's main thread (the
// binding refuses another): setns(2) moves one thread, and Node's sockets are made by that one.
// `netns` is a descriptor of a network namespace, or -1 for the process's own.
#ifndef SEALANE_ADDON_KERNEL_H
#define SEALANE_ADDON_KERNEL_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel_fd.h"

namespace sealane
{

constexpr int kOwnNetns = -1;

/// Enters a namespace for the life of this object. The process is aborted when it cannot come back:
/// a supervisor in the wrong namespace would open sockets for the wrong VRF.
class NetnsScope
{
public:
	explicit NetnsScope(int netns);
	~NetnsScope();
	NetnsScope(const NetnsScope &) = delete;
	NetnsScope &operator=(const NetnsScope &) = delete;

private:
	bool entered_ = false;
};

/// Opens /run/netns/NAME or /proc/PID/ns/net; an empty path means our own. Refuses other files.
Fd open_netns(const std::string &path);

enum class TapKind { tap, tun };

struct TapOptions {
	int netns = kOwnNetns;
	std::string name;
	TapKind kind = TapKind::tap;
	std::optional<std::array<uint8_t, 6>> mac;
	bool attached = true;
};

/// Creates or re-opens a persistent multi-queue device and returns one queue (non-blocking, no
/// packet information header, no virtio header).
Fd open_tap(const TapOptions &options);
/// Ends the device's persistence: it goes with its last queue. A device that is not there is no error.
void remove_tap(int netns, const std::string &name);

/// `path` below /proc/sys/net, e.g. "ipv4/conf/all/forwarding".
void write_sysctl(int netns, const std::string &path, const std::string &value);
std::string read_sysctl(int netns, const std::string &path);

/// What a network device does to frames on its own account. Values by the names of kOffloads.
struct Offload {
	const char *name;
	bool enabled;
};
std::vector<Offload> read_offloads(int netns, const std::string &interface);
/// Throws for an unknown name; EOPNOTSUPP from the device means that it cannot be switched.
void write_offload(int netns, const std::string &interface, const std::string &offload,
                   bool enabled);

/// A netlink route socket, joined to `groups` (RTNLGRP_*), with extended acks and strict checking.
/// `port` is its address, which answers to it carry.
Fd open_netlink(int netns, const std::vector<uint32_t> &groups, uint32_t *port);
/// Connected SOCK_SEQPACKET unix socket; `peer_pid` is the listener's process (SO_PEERCRED).
Fd connect_seqpacket(const std::string &path, int32_t *peer_pid);

/// Keeps this process's memory, keys included, from core dumps and from every process that may not look into all
/// others (ptrace(2), /proc/PID/mem): not dumpable, and no core file. For good, and until the next exec.
void hide_memory();
/// Field 22 of /proc/PID/stat; nothing for a process that is gone or a zombie.
std::optional<uint64_t> process_start_time(int32_t pid);
/// A pidfd of exactly that process: NOT_FOUND when the PID is free or was given to another.
Fd open_process(int32_t pid, uint64_t start_time);

} // namespace sealane

#endif
