// SPDX-License-Identifier: Apache-2.0
// The one exception of the kernel half. The binding turns it into an AddonError.
#ifndef SEALANE_ADDON_KERNEL_ERROR_H
#define SEALANE_ADDON_KERNEL_ERROR_H

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace sealane
{

struct KernelError : std::runtime_error {
	/// A refusal without a system call behind it. `code` is an AddonErrorCode.
	KernelError(const char *code_, const std::string &message, std::string remedy_ = {})
		: std::runtime_error(message), code(code_), remedy(std::move(remedy_))
	{
	}

	/// A failed system call: code KERNEL, the errno's name, and its text after the message.
	static KernelError system(int error, const std::string &message, std::string remedy_ = {})
	{
		KernelError result("KERNEL", message + ": " + ::strerror(error),
		                   std::move(remedy_));
		const char *name = ::strerrorname_np(error);
		result.errno_name = name != nullptr ? name : std::to_string(error);
		return result;
	}

	const char *code;
	std::string remedy;
	std::string errno_name; // "EPERM"; empty when no system call failed
};

} // namespace sealane

#endif
