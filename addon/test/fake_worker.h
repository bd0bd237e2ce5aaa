// SPDX-License-Identifier: Apache-2.0
// A state segment with its lock, as a worker would hold it, and the epochs of its threads.
#ifndef SEALANE_ADDON_TEST_FAKE_WORKER_H
#define SEALANE_ADDON_TEST_FAKE_WORKER_H

#include <fcntl.h>
#include <sys/mman.h>

#include "harness.h"
#include "sealane/layout_hash.h"

namespace sealane::test
{

class FakeWorker
{
public:
	FakeWorker(const std::string &path, uint64_t epoch, uint32_t lcores)
	{
		fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd_ >= 0 && ftruncate(fd_, sizeof(sl_state)) == 0, "state segment");
		struct flock lock {
		};
		lock.l_type = F_WRLCK;
		lock.l_len = 1;
		CHECK(fcntl(fd_, F_OFD_SETLK, &lock) == 0, "state lock");
		void *where =
			mmap(nullptr, sizeof(sl_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
		CHECK(where != MAP_FAILED, "state map");
		state_ = static_cast<sl_state *>(where);
		state_->header.segment.layout_version = SL_LAYOUT_VERSION;
		state_->header.segment.layout_hash = sl_layout_hash();
		state_->header.segment.epoch = epoch;
		state_->header.segment.magic = SL_STATE_MAGIC;
		state_->header.committed_lcores = lcores;
		__atomic_store_n(&state_->header.segment.complete, 1u, __ATOMIC_RELEASE);
	}
	~FakeWorker() { die(); }
	FakeWorker(const FakeWorker &) = delete;
	FakeWorker &operator=(const FakeWorker &) = delete;

	sl_state *state() { return state_; }
	/// From here on by the addresses at which the writer in this process has the segment: a thread
	/// sanitizer knows memory by its address, and what goes through two mappings of one page it
	/// cannot put in order.
	void share(const sl_state *writers)
	{
		void *where = const_cast<sl_state *>(writers);
		CHECK(where != nullptr, "the writer has no state segment");
		CHECK(mmap(where, sizeof(sl_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		           fd_, 0) == where,
		      "state map");
		munmap(state_, sizeof(sl_state));
		state_ = static_cast<sl_state *>(where);
	}
	uint64_t &epoch(uint32_t lcore) { return state_->lcore[lcore].block.epoch; }
	/// Gives the lock back, as the kernel does for a dead process; the epochs stay as they are.
	void die()
	{
		if (fd_ < 0)
			return;
		// Closing is not enough: the mapping holds the open file, and that the lock.
		struct flock lock {
		};
		lock.l_type = F_UNLCK;
		lock.l_len = 1;
		CHECK(fcntl(fd_, F_OFD_SETLK, &lock) == 0, "unlock");
		close(fd_);
		fd_ = -1;
	}

private:
	int fd_ = -1;
	sl_state *state_ = nullptr;
};

/// Segment `tables` as the worker maps it.
class ReadOnlyTables
{
public:
	explicit ReadOnlyTables(const std::string &path)
	{
		const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0, "open %s", path.c_str());
		void *where = mmap(nullptr, sizeof(sl_tables), PROT_READ, MAP_SHARED, fd, 0);
		CHECK(where != MAP_FAILED, "map %s", path.c_str());
		close(fd);
		tables_ = static_cast<const sl_tables *>(where);
	}
	~ReadOnlyTables() { munmap(const_cast<sl_tables *>(tables_), sizeof(sl_tables)); }
	ReadOnlyTables(const ReadOnlyTables &) = delete;
	ReadOnlyTables &operator=(const ReadOnlyTables &) = delete;
	const sl_tables *operator->() const { return tables_; }
	const sl_tables *get() const { return tables_; }

private:
	const sl_tables *tables_;
};

} // namespace sealane::test

#endif
