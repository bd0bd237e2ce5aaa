// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include "tables_error.h"

namespace sealane
{

uint32_t RowIds::allocate()
{
	if (!free_.empty()) {
		const uint32_t id = free_.front();
		free_.pop_front();
		return id;
	}
	if (end_ >= capacity_)
		throw TablesError("TABLE_FULL", std::string("table ") + name_ + " is full: " +
		                                        std::to_string(capacity_ - 1) + " rows");
	return end_++;
}

void RowIds::adopt_up_to(uint32_t id)
{
	if (id >= end_)
		end_ = id + 1;
}

void RowIds::thaw()
{
	free_.insert(free_.end(), held_.begin(), held_.end());
	held_.clear();
}

void check_name(const char *what, const std::string &name, size_t room)
{
	if (name.empty() || name.size() >= room || name.find('\0') != std::string::npos)
		bad_argument(std::string(what) + " must have 1 to " + std::to_string(room - 1) +
		             " bytes, none of them zero");
}

} // namespace sealane
