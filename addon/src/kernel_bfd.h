// SPDX-License-Identifier: Apache-2.0
// UDP sockets for BFD (RFC 5881, 5883), made here and used by the worker. See kernel.h for the rules
// of this half.
#ifndef SEALANE_ADDON_KERNEL_BFD_H
#define SEALANE_ADDON_KERNEL_BFD_H

#include <cstdint>
#include <string>
#include <vector>

#include "kernel.h"

namespace sealane
{

/// Receives on port 3784, or 4784 of multihop sessions, on every address of the namespace in one family
/// (4 or 6), and tells TTL or hop limit, destination and interface of each packet. EADDRINUSE: another
/// BFD daemon runs there.
Fd bfd_listener(int netns, int family, bool multihop);

/// Sends with TTL 255 and traffic class CS6 from `local` (4 or 16 bytes) and a random port of 49152 to
/// 65535 that is free; on `interface` alone unless that is empty.
Fd bfd_sender(int netns, const std::vector<uint8_t> &local, const std::string &interface);

} // namespace sealane

#endif
