// SPDX-License-Identifier: Apache-2.0
// Segment `state`, read-only: is a worker alive, how far have its threads read, what has it counted.
//
// The worker creates the segment, so it may be absent, unfinished or of another instance; it is
// looked for again at every use until it is there, and again when the file was replaced.
#ifndef SEALANE_ADDON_STATE_VIEW_H
#define SEALANE_ADDON_STATE_VIEW_H

#include <cstdint>
#include <limits>
#include <string>
#include <sys/types.h>

#include "sealane/state.h"

namespace sealane
{

class StateView
{
public:
	/// `epoch`: of segment `tables`; a state segment with another one is not ours.
	StateView(std::string path, uint64_t epoch);
	~StateView();
	StateView(const StateView &) = delete;
	StateView &operator=(const StateView &) = delete;

	/// The segment, or nullptr when there is none of this instance.
	const sl_state *get();
	/// A process holds the segment's writer lock.
	bool worker_alive();

	static constexpr uint64_t kNobody = std::numeric_limits<uint64_t>::max();
	/// The oldest reclaim epoch that a thread of a living worker may still be in; kNobody when
	/// all are offline or the worker is dead; 0 when a worker lives whose epochs cannot be read.
	uint64_t oldest_reader();

	/// Rows of the worker's tables that are backed by memory (0 without a state segment).
	uint32_t lcores();
	uint32_t labels();
	const sl_sa_out_state *sa_out(uint32_t id);
	const sl_sa_in_state *sa_in(uint32_t id);

private:
	bool locked() const;
	void open_file();
	void release();
	bool acceptable(const sl_segment_header &header) const;

	std::string path_;
	uint64_t epoch_;
	int fd_ = -1;
	dev_t device_ = 0;
	ino_t inode_ = 0;
	const sl_state *state_ = nullptr;
};

} // namespace sealane

#endif
