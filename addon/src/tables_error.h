// SPDX-License-Identifier: Apache-2.0
// Expected refusals of the tables half. The binding turns them into AddonError.
#ifndef SEALANE_ADDON_TABLES_ERROR_H
#define SEALANE_ADDON_TABLES_ERROR_H

#include <stdexcept>
#include <string>
#include <utility>

namespace sealane
{

/// `code` is one of AddonErrorCode in src/forwarding/addon/api.ts. Texts never hold key bytes.
class TablesError : public std::runtime_error
{
public:
	TablesError(const char *code, const std::string &message, std::string remedy = {})
		: std::runtime_error(message), code_(code), remedy_(std::move(remedy))
	{
	}

	const char *code() const { return code_; }
	const std::string &remedy() const { return remedy_; }

private:
	const char *code_; // a string literal
	std::string remedy_;
};

[[noreturn]] inline void bad_argument(const std::string &message)
{
	throw TablesError("BAD_ARGUMENT", message);
}

[[noreturn]] inline void not_found(const std::string &message)
{
	throw TablesError("NOT_FOUND", message);
}

[[noreturn]] inline void in_use(const std::string &message)
{
	throw TablesError("IN_USE", message);
}

} // namespace sealane

#endif
