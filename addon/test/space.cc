// SPDX-License-Identifier: Apache-2.0
// A tmpfs that fills up: a typed refusal, nothing half done, no SIGBUS, and removal makes room.
// Needs root: it mounts small tmpfses in a mount namespace of its own.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "harness.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

/// Code of the TablesError that `action` throws; "" when it throws none.
void mount_tmpfs(const char *options, unsigned long flags)
{
	CHECK(mount("sealane-test", "/mnt", "tmpfs", flags, options) == 0, "mount tmpfs: %m");
}

void make_vrf(Tables &tables)
{
	sl_vrf_row row{};
	row.name[0] = 'a';
	CHECK(tables.vrfs.put(row) == 1, "VRF id");
	tables.nexthops.slot("nh");
}

/// Creation without room leaves nothing; with room it works in the same place.
void creation_without_room(const Directory &directory)
{
	mount_tmpfs("size=4m", 0);
	mkdir("/mnt/x", 0700);
	const std::string path = "/mnt/x/tables";
	CHECK(code_of([&] { Tables tables(path, directory.state()); }) == "SEGMENT_SPACE",
	      "created in 4 MiB");
	struct stat status {
	};
	CHECK(stat(path.c_str(), &status) == 0 && status.st_blocks == 0, "left %lld blocks",
	      static_cast<long long>(status.st_blocks));
	mount_tmpfs("size=24m", MS_REMOUNT);
	Tables tables(path, directory.state());
	CHECK(tables.created(), "attached to what was never made");
}

Change nth_route(uint32_t n)
{
	Change c{};
	c.vrf = 1;
	c.family = n % 2 == 0 ? 4 : 6;
	c.length = n % 2 == 0 ? 32 : 128;
	// Far apart, so that each needs nodes of its own.
	Random random(n);
	c.key = truncated({random_bits(random, c.family, 0), random_bits(random, c.family, 1)},
	                  c.length);
	c.nexthop = 1;
	c.label = n;
	c.owner = SL_OWNER_STATIC;
	return c;
}

/// Fills the segment; returns how many routes fitted.
uint32_t fill(Tables &tables, Model &model)
{
	for (uint32_t n = 0;; n++) {
		const Change c = nth_route(n);
		const std::string code = code_of([&] { apply(tables, {c}); });
		if (!code.empty()) {
			CHECK(code == "SEGMENT_SPACE", "refused with %s", code.c_str());
			return n;
		}
		model.apply(c);
	}
}

void compare(Tables &tables, const Model &model, uint32_t routes)
{
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	CHECK(tables.routes.count(1, 4) + tables.routes.count(1, 6) == model.routes().size(),
	      "number of routes");
	for (uint32_t n = 0; n < routes; n++) {
		const Change c = nth_route(n);
		const uint64_t leaf =
			sl_fib_walk(tables.segment(), sl_fib_root(tables.segment(), 1, c.family),
		                    c.key, c.family == 4 ? SL_FIB4_LEVELS : SL_FIB6_LEVELS);
		CHECK(leaf == model.lookup(1, c.family, c.key), "route %u", n);
	}
}

void filling_up(const Directory &directory)
{
	mount_tmpfs("size=20m", 0);
	Model model;
	uint32_t fitted = 0;
	{
		Tables tables("/mnt/tables", directory.state());
		make_vrf(tables);
		fitted = fill(tables, model);
		CHECK(fitted > 1000, "only %u routes fitted", fitted);
		compare(tables, model, fitted + 1); // the refused one is not there
		// An insert has whole blocks of 64 units in reserve, lest it fail half way: few blocks
		// are free of units in use before most routes are gone. And what is let go is free
		// once it is reclaimed.
		for (uint32_t n = 0; n < fitted; n++) {
			if (n % 16 == 1)
				continue;
			Change c = nth_route(n);
			c.nexthop = 0;
			apply(tables, {c});
			model.apply(c);
			tables.reclaim();
		}
		compare(tables, model, fitted);
	}
	// Attaching needs no room either.
	Tables tables("/mnt/tables", directory.state());
	compare(tables, model, fitted);
	for (uint32_t n = 0; n < fitted / 2; n += 2) {
		apply(tables, {nth_route(n)});
		model.apply(nth_route(n));
		tables.reclaim();
	}
	compare(tables, model, fitted);
	std::printf("ok: %u routes fitted\n", fitted);
}

void run(const std::function<void(const Directory &)> &test, const Directory &directory)
{
	const pid_t child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0) {
		CHECK(unshare(CLONE_NEWNS) == 0, "unshare: %m");
		CHECK(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
		      "private: %m");
		test(directory);
		std::fflush(stdout);
		_exit(0);
	}
	int status = 0;
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

} // namespace

int main()
{
	const Directory directory;
	run(creation_without_room, directory);
	run(filling_up, directory);
	return 0;
}
