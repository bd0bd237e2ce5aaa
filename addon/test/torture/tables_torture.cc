// SPDX-License-Identifier: Apache-2.0
// Every table at once: a writer changes routes, groups, next hops, tunnels, labels and SAs as fast as it can, while
// two threads forward packets by the worker's own packet path, ESP both ways included. A packet of what lasts is
// never lost; any other is delivered to its own customer as it was sent, or dropped for a reason that a table
// in change gives; every packet buffer is accounted for.
//
//   tables_torture race [seed [seconds]]   writer and readers in one process, for ThreadSanitizer
//   tables_torture kill [seed [deaths]]    the writer is a process, killed at random instants; each time another
//                                          one attaches, finds the tables sound, and goes on
//   tables_torture flat [seed [millions]]  nothing changes; so many million times a packet passes, half of them out,
//                                          half in, by every suite: memory, buffers and rings are as before
#include <atomic>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>

#include "../harness.h"
#include "reader.h"
#include "sealane/layout_hash.h"
#include "writer.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

/// The readers' threads.
class Readers
{
public:
	explicit Readers(Random &random)
	{
		for (uint32_t i = 0; i < TORTURE_READERS; i++)
			readers_.push_back(torture_reader_new(i, random()));
		for (torture_reader *reader : readers_)
			threads_.emplace_back(
				[this, reader] { torture_reader_run(reader, &stop_); });
	}
	~Readers()
	{
		for (std::thread &thread : threads_)
			thread.join();
	}
	Readers(const Readers &) = delete;
	Readers &operator=(const Readers &) = delete;
	torture_count stop()
	{
		__atomic_store_n(&stop_, 1, __ATOMIC_RELEASE);
		for (std::thread &thread : threads_)
			thread.join();
		threads_.clear();
		torture_count sum{};
		for (const torture_reader *reader : readers_) {
			const torture_count one = torture_reader_count(reader);
			sum.sent += one.sent;
			sum.delivered += one.delivered;
			sum.lasting += one.lasting;
			sum.flows += one.flows;
			sum.dropped += one.dropped;
		}
		// Otherwise the readers met nothing that changed.
		CHECK(sum.lasting > 1000 && sum.flows > 1000 && sum.dropped > 100,
		      "%llu lasting, %llu by routes that change, %llu dropped",
		      static_cast<unsigned long long>(sum.lasting),
		      static_cast<unsigned long long>(sum.flows),
		      static_cast<unsigned long long>(sum.dropped));
		return sum;
	}

private:
	std::vector<torture_reader *> readers_;
	std::vector<std::thread> threads_;
	int stop_ = 0;
};

void report(const char *what, const torture_count &count)
{
	std::printf("ok: %s, %llu packets, %llu delivered, %llu of them by what lasts\n", what,
	            static_cast<unsigned long long>(count.sent),
	            static_cast<unsigned long long>(count.delivered),
	            static_cast<unsigned long long>(count.lasting));
}

int race(uint64_t seed, int seconds)
{
	Random random(seed);
	const Directory directory;
	const std::vector<torture_prefix> prefixes = torture_prefixes(random);
	Tables tables(directory.tables(), directory.state());
	torture_start(directory.state().c_str(), tables.segment(), prefixes.data());
	torture_share(tables.state().get());
	TortureWriter writer(tables, random, prefixes, [](Direction direction, uint32_t row) {
		return torture_install(direction == Direction::in, row) != 0;
	});
	writer.set_up();
	Readers readers(random);
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
	uint64_t changes = 0;
	while (std::chrono::steady_clock::now() < end) {
		for (int i = 0; i < 64; i++, changes++)
			writer.change();
		torture_sweep();
	}
	const torture_count count = readers.stop();
	writer.settle();
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	report((std::to_string(changes) + " changes").c_str(), count);
	return 0;
}

/// What the parent sees of a life that has ended.
struct Progress {
	std::atomic<uint32_t> attached; // lives that found the tables sound
	std::atomic<uint64_t> begun;    // changes
	std::atomic<uint64_t> done;
};

struct Request {
	uint32_t direction; // 1: inbound
	uint32_t row;
};

[[noreturn]] void live(const Directory &directory, const std::vector<torture_prefix> &prefixes,
                       uint64_t seed, Progress *progress, int worker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); // no writer without readers
	Random random(seed);
	Tables tables(directory.tables(), directory.state());
	CHECK(!tables.created(), "the segment was made anew");
	TortureWriter writer(tables, random, prefixes, [worker](Direction direction, uint32_t row) {
		const Request request{direction == Direction::in, row};
		char answer = 0;
		CHECK(send(worker, &request, sizeof request, 0) == sizeof request &&
		              recv(worker, &answer, 1, 0) == 1 && answer == 1,
		      "the worker does not install SA row %u", row);
		return true;
	});
	writer.adopt();
	progress->attached++;
	for (;;) {
		progress->begun++;
		writer.change();
		progress->done++;
	}
}

/// Answers the writer until `end`.
void serve(int writer, std::chrono::steady_clock::time_point end)
{
	for (;;) {
		const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
			end - std::chrono::steady_clock::now());
		if (left.count() <= 0)
			return;
		pollfd wait{writer, POLLIN, 0};
		const timespec time{left.count() / 1000000, left.count() % 1000000 * 1000};
		Request request{};
		if (ppoll(&wait, 1, &time, nullptr) != 1 ||
		    recv(writer, &request, sizeof request, MSG_DONTWAIT) != sizeof request)
			continue;
		const char answer = torture_install(request.direction != 0, request.row) != 0;
		send(writer, &answer, 1, MSG_NOSIGNAL);
	}
}

bool ended(pid_t child)
{
	siginfo_t info{};
	return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

void kill_one(const Directory &directory, const std::vector<torture_prefix> &prefixes,
              Random &random, Progress *progress)
{
	int sockets[2];
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0, "socketpair");
	const uint64_t seed = random();
	const uint32_t attached = progress->attached;
	const pid_t child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0)
		live(directory, prefixes, seed, progress, sockets[1]);
	close(sockets[1]);
	// In one life of eight the writer dies while it attaches, perhaps.
	const auto now = std::chrono::steady_clock::now();
	if (below(random, 8) != 0) {
		while (progress->attached == attached &&
		       std::chrono::steady_clock::now() < now + std::chrono::seconds(30) &&
		       !ended(child))
			usleep(200);
		CHECK(progress->attached > attached, "the writer did not attach");
	}
	serve(sockets[0],
	      std::chrono::steady_clock::now() + std::chrono::microseconds(below(random, 15000)));
	kill(child, SIGKILL);
	int status = 0;
	waitpid(child, &status, 0);
	close(sockets[0]);
	CHECK(WIFSIGNALED(status), "the writer ended by itself: status %d", status);
	torture_sweep();
}

int kill_many(uint64_t seed, int deaths)
{
	Random random(seed);
	const Directory directory;
	const std::vector<torture_prefix> prefixes = torture_prefixes(random);
	auto *progress =
		static_cast<Progress *>(mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
	                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	const auto install = [](Direction direction, uint32_t row) {
		return torture_install(direction == Direction::in, row) != 0;
	};
	std::optional<Tables> first(std::in_place, directory.tables(), directory.state());
	// As the worker maps it, and for as long as it lives.
	const int fd = open(directory.tables().c_str(), O_RDONLY | O_CLOEXEC);
	const void *map = mmap(nullptr, sizeof(sl_tables), PROT_READ, MAP_SHARED, fd, 0);
	CHECK(fd >= 0 && map != MAP_FAILED, "map");
	torture_start(directory.state().c_str(), static_cast<const sl_tables *>(map),
	              prefixes.data());
	TortureWriter(*first, random, prefixes, install).set_up();
	first.reset();
	Readers readers(random);
	uint32_t half = 0;
	for (int i = 0; i < deaths; i++) {
		kill_one(directory, prefixes, random, progress);
		half += progress->begun != progress->done;
		progress->begun = progress->done.load();
	}
	Tables last(directory.tables(), directory.state());
	TortureWriter writer(last, random, prefixes, install);
	writer.adopt();
	for (int i = 0; i < 2000; i++)
		writer.change();
	const torture_count count = readers.stop();
	writer.settle();
	const std::string fault = last.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	// Otherwise nobody died at an interesting instant.
	CHECK(half > static_cast<uint32_t>(deaths) / 4, "%u deaths within a change", half);
	report((std::to_string(deaths) + " deaths, " + std::to_string(half) + " within one of " +
	        std::to_string(progress->done) + " changes")
	               .c_str(),
	       count);
	return 0;
}

/// Bytes of memory that are this process's own or shared.
uint64_t resident()
{
	unsigned long size = 0, pages = 0;
	FILE *file = std::fopen("/proc/self/statm", "r");
	CHECK(file != nullptr && std::fscanf(file, "%lu %lu", &size, &pages) == 2, "statm");
	std::fclose(file);
	return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

int flat(uint64_t seed, uint64_t millions)
{
	Random random(seed);
	const Directory directory;
	const std::vector<torture_prefix> prefixes = torture_prefixes(random);
	Tables tables(directory.tables(), directory.state());
	torture_start(directory.state().c_str(), tables.segment(), prefixes.data());
	TortureWriter writer(tables, random, prefixes, [](Direction direction, uint32_t row) {
		return torture_install(direction == Direction::in, row) != 0;
	});
	writer.set_up();
	writer.fill();
	writer.settle();
	torture_reader *readers[TORTURE_READERS];
	for (uint32_t i = 0; i < TORTURE_READERS; i++)
		readers[i] = torture_reader_new(i, random());
	// Each round is 32 packets out and 32 in.
	const auto forward = [&](uint64_t passes) {
		std::vector<std::thread> threads;
		for (torture_reader *reader : readers)
			threads.emplace_back(torture_reader_rounds, reader,
			                     passes / (64 * TORTURE_READERS) + 1);
		for (std::thread &thread : threads)
			thread.join();
	};
	forward(1000000); // what is touched once is touched
	const uint64_t before = resident();
	forward(millions * 1000000);
	const uint64_t after = resident();
	uint64_t passes = 0;
	for (const torture_reader *reader : readers) {
		const torture_count count = torture_reader_count(reader);
		CHECK(torture_reader_kept(reader) == 0, "%llu buffers or ring entries are kept",
		      static_cast<unsigned long long>(torture_reader_kept(reader)));
		CHECK(count.dropped == 0 && count.delivered == count.sent, "packets were dropped");
		passes += 2 * count.delivered;
	}
	CHECK(passes >= millions * 1000000, "too few packets");
	// A thread's stack or a page of the allocator may come; a byte a packet may not.
	CHECK(after <= before + (256u << 10), "%llu KiB before, %llu after",
	      static_cast<unsigned long long>(before >> 10),
	      static_cast<unsigned long long>(after >> 10));
	std::printf("ok: %llu packets, half out, half in; %llu KiB resident before, %llu after\n",
	            static_cast<unsigned long long>(passes),
	            static_cast<unsigned long long>(before >> 10),
	            static_cast<unsigned long long>(after >> 10));
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	const std::string mode = argc > 1 ? argv[1] : "";
	CHECK(mode == "race" || mode == "kill" || mode == "flat",
	      "usage: tables_torture race|kill|flat [seed [n]]");
	const uint64_t seed = seed_of(argc - 1, argv + 1);
	const int n = argc > 3 ? std::atoi(argv[3]) : 10;
	if (mode == "flat")
		return flat(seed, static_cast<uint64_t>(n));
	return mode == "race" ? race(seed, n) : kill_many(seed, n);
}
