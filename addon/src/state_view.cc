// SPDX-License-Identifier: Apache-2.0
#include "state_view.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "sealane/layout_hash.h"

namespace sealane
{

namespace
{

uint64_t load(const uint64_t &word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

} // namespace

StateView::StateView(std::string path, uint64_t epoch) : path_(std::move(path)), epoch_(epoch) {}

StateView::~StateView() { release(); }

void StateView::release()
{
	if (state_ != nullptr)
		munmap(const_cast<sl_state *>(state_), sizeof(sl_state));
	if (fd_ >= 0)
		close(fd_);
	state_ = nullptr;
	fd_ = -1;
}

bool StateView::locked() const
{
	struct flock lock {
	};
	lock.l_type = F_WRLCK;
	lock.l_whence = SEEK_SET;
	lock.l_len = 1;
	return fd_ >= 0 && fcntl(fd_, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/// Follows the path to the file that is there now. A file whose worker lives is kept even when it
/// was removed or replaced: that worker still reads `tables`.
void StateView::open_file()
{
	struct stat now {
	};
	const bool there = stat(path_.c_str(), &now) == 0;
	if (there && fd_ >= 0 && now.st_dev == device_ && now.st_ino == inode_)
		return;
	if (locked())
		return;
	release();
	if (!there)
		return;
	fd_ = open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd_ < 0 || fstat(fd_, &now) < 0) {
		release();
		return;
	}
	device_ = now.st_dev;
	inode_ = now.st_ino;
}

bool StateView::acceptable(const sl_segment_header &header) const
{
	return header.magic == SL_STATE_MAGIC && header.layout_version == SL_LAYOUT_VERSION &&
	       header.complete == 1 && header.layout_hash == sl_layout_hash() &&
	       header.epoch == epoch_;
}

const sl_state *StateView::get()
{
	open_file();
	if (fd_ < 0 || state_ != nullptr)
		return state_;
	// Read before mapping: an unfinished file has holes, and touching a hole takes memory.
	sl_segment_header header{};
	struct stat status {
	};
	if (pread(fd_, &header, sizeof header, 0) != sizeof header || fstat(fd_, &status) < 0 ||
	    status.st_size < static_cast<off_t>(sizeof(sl_state)) || !acceptable(header))
		return nullptr;
	void *where = mmap(nullptr, sizeof(sl_state), PROT_READ, MAP_SHARED, fd_, 0);
	if (where == MAP_FAILED)
		return nullptr;
	madvise(where, sizeof(sl_state), MADV_DONTDUMP);
	state_ = static_cast<const sl_state *>(where);
	return state_;
}

bool StateView::worker_alive()
{
	open_file();
	return locked();
}

uint64_t StateView::oldest_reader()
{
	// Whatever was unlinked must be visible before the epochs are read: a reader that is seen
	// offline here cannot find it when it comes online (its own fence stands between).
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!worker_alive())
		return kNobody;
	const sl_state *state = get();
	if (state == nullptr)
		return 0;
	uint64_t oldest = kNobody;
	const auto note = [&oldest](uint64_t epoch) {
		if (epoch != 0)
			oldest = std::min(oldest, epoch);
	};
	note(load(state->header.control_epoch));
	for (uint32_t i = 0; i < lcores(); i++)
		note(load(state->lcore[i].block.epoch));
	return oldest;
}

uint32_t StateView::lcores()
{
	const sl_state *state = get();
	if (state == nullptr)
		return 0;
	return static_cast<uint32_t>(
		std::min<uint64_t>(load(state->header.committed_lcores), SL_MAX_LCORES));
}

uint32_t StateView::labels()
{
	const sl_state *state = get();
	if (state == nullptr)
		return 0;
	return static_cast<uint32_t>(
		std::min<uint64_t>(load(state->header.committed_labels), SL_MAX_LABELS));
}

const sl_sa_out_state *StateView::sa_out(uint32_t id)
{
	const sl_state *state = get();
	if (state == nullptr || id >= load(state->header.committed_sa_out) || id >= SL_MAX_SAS)
		return nullptr;
	return &state->sa_out[id];
}

const sl_sa_in_state *StateView::sa_in(uint32_t id)
{
	const sl_state *state = get();
	if (state == nullptr || id >= load(state->header.committed_sa_in) || id >= SL_MAX_SAS)
		return nullptr;
	return &state->sa_in[id];
}

} // namespace sealane
