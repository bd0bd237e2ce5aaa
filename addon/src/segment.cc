// SPDX-License-Identifier: Apache-2.0
#include "segment.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "sealane/layout_hash.h"
#include "sealane/map.h"
#include "tables_error.h"

namespace sealane
{

namespace
{

#define SL_ARENA_OF(field, capacity)                                                               \
	{                                                                                          \
#field, offsetof(sl_tables, field), sizeof(sl_tables::field[0]), capacity          \
	}
// In the order of enum sl_arena.
const std::array<Arena, SL_ARENA_COUNT> kArenas{{
	SL_ARENA_OF(accept, SL_MAX_ACCEPT_SETS),
	SL_ARENA_OF(nexthop, SL_MAX_NEXTHOPS),
	SL_ARENA_OF(nexthop_name, SL_MAX_NEXTHOPS),
	SL_ARENA_OF(version, SL_MAX_VERSIONS),
	SL_ARENA_OF(sa_out, SL_MAX_SAS),
	SL_ARENA_OF(sa_in, SL_MAX_SAS),
	SL_ARENA_OF(sa_out_name, SL_MAX_SAS),
	SL_ARENA_OF(sa_in_name, SL_MAX_SAS),
	SL_ARENA_OF(prefix, SL_MAX_PREFIXES),
	SL_ARENA_OF(fib_node, SL_MAX_FIB_NODES),
	SL_ARENA_OF(fib_leaf, SL_MAX_FIB_LEAVES),
	SL_ARENA_OF(group, SL_MAX_GROUPS),
	SL_ARENA_OF(sa_share, SL_MAX_SAS),
	SL_ARENA_OF(fib_direct18, SL_MAX_FIB_DIRECT18),
	SL_ARENA_OF(fib_direct24, SL_MAX_FIB_DIRECT24),
}};
#undef SL_ARENA_OF

constexpr size_t kChunk = 64 * 1024; // smallest growth of an arena, bytes
constexpr int kCollapse = 25;        // MADV_COLLAPSE, Linux 6.1: newer than Debian 12's headers
constexpr size_t kFixedEnd = offsetof(sl_tables, accept); // tables backed whole at creation

size_t page_up(size_t bytes) { return (bytes + SL_PAGE - 1) / SL_PAGE * SL_PAGE; }

uint64_t random_epoch()
{
	uint64_t epoch = 0;
	while (epoch == 0) {
		if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
			throw TablesError("SEGMENT_SYSTEM",
			                  std::string("getrandom: ") + std::strerror(errno));
	}
	return epoch;
}

} // namespace

const Arena &arena(sl_arena which) { return kArenas[which]; }

sl_writer own_writer()
{
	std::ifstream file("/proc/self/stat");
	std::stringstream text;
	text << file.rdbuf();
	// The name (field 2) may hold spaces and brackets; fields are counted after its last ')'.
	const std::string stat = text.str();
	std::istringstream rest(stat.substr(stat.rfind(')') + 1));
	std::string field;
	for (int number = 3; number <= 22; number++)
		rest >> field;
	return {static_cast<uint32_t>(getpid()), 0, std::stoull(field)};
}

Segment::Segment(const std::string &path) : path_(path)
{
	try {
		open_locked();
		sl_segment_header header{};
		const ssize_t got = pread(fd_, &header, sizeof header, 0);
		if (got < 0)
			fail_system("read");
		// A creator that died before it finished left nothing that anybody could use.
		created_ = got == 0 || (got == sizeof header && header.complete == 0 &&
		                        (header.magic == 0 || header.magic == SL_TABLES_MAGIC));
		if (created_)
			create();
		else
			attach();
	} catch (...) {
		if (tables_ != nullptr)
			munmap(tables_, sizeof(sl_tables));
		if (created_ && ftruncate(fd_, 0) < 0)
			created_ = false; // keeps its pages; the next creator truncates it
		if (fd_ >= 0)
			close(fd_);
		throw;
	}
}

Segment::~Segment()
{
	munmap(tables_, sizeof(sl_tables));
	close(fd_); // gives the lock back
}

void Segment::fail_system(const char *what) const
{
	throw TablesError("SEGMENT_SYSTEM", path_ + ": " + what + ": " + std::strerror(errno));
}

/// Opens or makes the file and takes the writer's lock: an OFD lock, which ends with the process
/// however it dies and does not mistake a reused pid for the writer.
void Segment::open_locked()
{
	fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd_ < 0)
		fail_system("open");
	struct stat status {
	};
	struct statfs system {
	};
	if (fstat(fd_, &status) < 0 || fstatfs(fd_, &system) < 0)
		fail_system("stat");
	if (!S_ISREG(status.st_mode))
		throw TablesError("SEGMENT_SYSTEM", path_ + " is not a regular file");
	if (system.f_type != TMPFS_MAGIC) {
		if (status.st_size == 0)
			unlink(path_.c_str());
		throw TablesError("SEGMENT_SYSTEM",
		                  path_ + " is not on a tmpfs: keys would reach a disk",
		                  "choose a directory below /run or /dev/shm");
	}
	struct flock lock {
	};
	lock.l_type = F_WRLCK;
	lock.l_whence = SEEK_SET;
	lock.l_len = 1;
	if (fcntl(fd_, F_OFD_SETLK, &lock) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			refuse_locked();
		fail_system("lock");
	}
	if (fchmod(fd_, 0600) < 0)
		fail_system("chmod");
}

void Segment::refuse_locked() const
{
	sl_segment_header header{};
	std::string holder = "a process that is just starting";
	if (pread(fd_, &header, sizeof header, 0) == sizeof header && header.writer.pid != 0)
		holder = "process " + std::to_string(header.writer.pid);
	throw TablesError("SEGMENT_LOCKED", path_ + " is written by " + holder,
	                  "stop that supervisor first, or give this one its own state directory");
}

void Segment::create()
{
	if (ftruncate(fd_, 0) < 0 || ftruncate(fd_, sizeof(sl_tables)) < 0)
		fail_system("truncate");
	back(0, kFixedEnd);
	map();
	sl_tables_header &header = tables_->header;
	header.segment.writer = own_writer();
	header.segment.epoch = random_epoch();
	header.segment.layout_version = SL_LAYOUT_VERSION;
	header.segment.layout_hash = sl_layout_hash();
	header.reclaim_epoch = 1;
	sl_class_selectors(&header.traffic_class);
	// Row 0 of these arenas means "none", and the packet path may read it.
	for (int which = 0; which < SL_ARENA_FIB_DIRECT18; which++)
		commit(static_cast<sl_arena>(which), 1);
	// The empty trie of fib.h: one leaf, row 0 of the pool, which is SL_LEAF_NONE.
	tables_->fib_node[0].word[1] = 1;
	tables_->vrf[SL_VRF_CORE].state = SL_ROW_LIVE;
	header.segment.magic = SL_TABLES_MAGIC;
	__atomic_store_n(&header.segment.complete, 1u, __ATOMIC_RELEASE);
}

/// Maps the segment when it is one of ours. Only after the checks: a foreign file may be shorter.
void Segment::attach()
{
	const char *remedy = "stop the worker and remove the segment files, or run the version "
			     "of Sealane that made them";
	sl_segment_header header{};
	struct stat status {
	};
	if (pread(fd_, &header, sizeof header, 0) < 0 || fstat(fd_, &status) < 0)
		fail_system("read");
	if (header.magic != SL_TABLES_MAGIC)
		throw TablesError("SEGMENT_LAYOUT", path_ + " is not a Sealane `tables` segment",
		                  "remove it, or choose another state directory");
	if (header.layout_version != SL_LAYOUT_VERSION)
		throw TablesError("SEGMENT_LAYOUT",
		                  path_ + " has layout version " +
		                          std::to_string(header.layout_version) +
		                          ", this build has " + std::to_string(SL_LAYOUT_VERSION),
		                  remedy);
	if (header.layout_hash != sl_layout_hash() ||
	    status.st_size != static_cast<off_t>(sizeof(sl_tables)))
		throw TablesError("SEGMENT_LAYOUT",
		                  path_ + " was made by a build with other row layouts", remedy);
	map();
	tables_->header.segment.writer = own_writer();
}

void Segment::map()
{
	void *where = sl_map_segment(fd_, sizeof(sl_tables), PROT_READ | PROT_WRITE);
	if (where == MAP_FAILED)
		fail_system("map");
	tables_ = static_cast<sl_tables *>(where);
	// Keys are in here: never in a core file; and no page fault once a page was touched. Both
	// are best effort (RLIMIT_MEMLOCK), correctness does not hang on them.
	madvise(where, sizeof(sl_tables), MADV_DONTDUMP);
	mlock2(where, sizeof(sl_tables), MLOCK_ONFAULT);
}

/// fallocate(2); false: errno says why.
bool Segment::allocate(int mode, size_t offset, size_t bytes)
{
	int result = 0;
	do {
		result =
			fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes));
	} while (result < 0 && errno == EINTR);
	return result == 0;
}

/// Backs a range of the file with memory: from here on a store there cannot fail.
void Segment::back(size_t offset, size_t bytes)
{
	if (allocate(0, offset, bytes))
		return;
	if (errno == ENOSPC || errno == ENOMEM)
		throw TablesError("SEGMENT_SPACE",
		                  path_ + ": the tmpfs has no " + std::to_string(bytes) +
		                          " bytes left",
		                  "enlarge the tmpfs (mount -o remount,size=...) or remove routes");
	fail_system("fallocate");
}

uint32_t Segment::committed(sl_arena which) const
{
	return static_cast<uint32_t>(tables_->header.committed_rows[which]);
}

void Segment::commit(sl_arena which, uint32_t rows, bool sparing)
{
	const Arena &a = arena(which);
	const size_t have = committed(which);
	if (rows <= have)
		return;
	if (rows > a.capacity)
		throw TablesError("TABLE_FULL", std::string("table ") + a.name + " is full: " +
		                                        std::to_string(a.capacity) + " rows");
	const size_t from = page_up(have * a.row);
	const size_t need = page_up(rows * a.row);
	const size_t limit = page_up(a.capacity * a.row);
	// An eighth at a time, so that a million inserts cost few system calls; when the tmpfs has
	// not that much left, what is needed now will do.
	size_t to = std::min(
		limit, std::max(need, page_up(from + std::max(kChunk, sparing ? 0 : from / 8))));
	if (to > from) {
		try {
			back(a.offset + from, to - from);
		} catch (const TablesError &) {
			if (to == need)
				throw;
			to = need;
			if (to > from)
				back(a.offset + from, to - from);
		}
	}
	committed_up_to(which, static_cast<uint32_t>(std::min<uint64_t>(to / a.row, a.capacity)));
}

void Segment::committed_up_to(sl_arena which, uint32_t rows)
{
	__atomic_store_n(&tables_->header.committed_rows[which], uint64_t{rows}, __ATOMIC_RELEASE);
}

void Segment::back_huge(sl_arena which, uint32_t row, size_t from)
{
	const Arena &a = arena(which);
	const size_t at = a.offset + row * a.row + from;
	// The kernel makes a huge page of what is there, be it one small page; it is the only way that needs
	// no setting of the tmpfs. Where it cannot, small pages do.
	back(at, SL_PAGE);
	(void)madvise(reinterpret_cast<char *>(tables_) + at, SL_HUGE_PAGE, kCollapse);
	back(at, SL_HUGE_PAGE);
}

void Segment::give_back(sl_arena which)
{
	const Arena &a = arena(which);
	const size_t from = page_up(committed(which) * a.row);
	const size_t end = page_up(a.capacity * a.row);
	if (from < end &&
	    !allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, a.offset + from, end - from))
		fail_system("give memory back");
}

uint64_t Segment::room() const
{
	struct statfs system {
	};
	if (fstatfs(fd_, &system) < 0)
		fail_system("stat");
	// A tmpfs without a limit says zero of everything.
	return system.f_blocks == 0 ? UINT64_MAX
	                            : static_cast<uint64_t>(system.f_bavail) *
	                                      static_cast<uint64_t>(system.f_bsize);
}

} // namespace sealane
