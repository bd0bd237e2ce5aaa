/* SPDX-License-Identifier: Apache-2.0 */
#include "control/system_calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/log.h"

#ifndef __x86_64__
#error "the list below has the numbers of x86-64"
#endif

/* What is allowed whatever its arguments; the packet thread's and the control thread's first. */
static const uint16_t allowed[] = {
	/* the packet thread: drivers' doorbells, sleep */
	SYS_sendto, SYS_clock_nanosleep, SYS_recvfrom, SYS_poll, SYS_gettid, SYS_ppoll,
	/* the control thread, EAL's interrupt thread */
	SYS_epoll_wait, SYS_read, SYS_write, SYS_recvmsg, SYS_sendmsg, SYS_readv, SYS_writev,
	SYS_timerfd_settime, SYS_nanosleep, SYS_epoll_ctl, SYS_epoll_pwait, SYS_getsockopt,
	SYS_setsockopt, SYS_getsockname, SYS_getpeername, SYS_accept, SYS_accept4, SYS_close,
	SYS_fcntl, SYS_ioctl, SYS_connect, SYS_bind, SYS_listen, SYS_shutdown, SYS_socketpair,
	SYS_recvmmsg, SYS_sendmmsg, SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_select, SYS_pselect6,
	SYS_dup, SYS_dup2, SYS_dup3, SYS_timerfd_create, SYS_timerfd_gettime, SYS_eventfd2,
	SYS_epoll_create, SYS_epoll_create1,
	/* files: /proc of the supervisor, the segments as they grow, the socket and EAL's at the end */
	SYS_openat, SYS_newfstatat, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_access,
	SYS_faccessat, SYS_faccessat2, SYS_readlink, SYS_readlinkat, SYS_getdents64, SYS_ftruncate,
	SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_flock, SYS_rename, SYS_unlink, SYS_unlinkat,
	SYS_mkdir, SYS_rmdir, SYS_memfd_create,
	/* memory */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_msync,
	SYS_mbind, SYS_get_mempolicy, SYS_set_mempolicy, SYS_move_pages,
	/* threads, signals, time */
	SYS_futex, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity,
	SYS_set_robust_list, SYS_rseq, SYS_set_tid_address, SYS_membarrier, SYS_getcpu,
	SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn, SYS_sigaltstack,
	SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_clock_gettime, SYS_clock_getres,
	SYS_gettimeofday, SYS_time,
	/* who and where we are */
	SYS_getpid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_capget,
	SYS_uname, SYS_sysinfo, SYS_prlimit64, SYS_getrlimit, SYS_getrandom};

#define SL_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))
#define SL_PROGRAM_MAX (2 * SL_ALLOWED + 64)

struct program {
	struct sock_filter code[SL_PROGRAM_MAX];
	unsigned short length;
};

static void add(struct program *program, struct sock_filter instruction)
{
	program->code[program->length++] = instruction;
}

#define SL_LOAD(field)                                                                             \
	((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                    \
	                              offsetof(struct seccomp_data, field)))
/* Low half, on this little-endian machine: all that the kernel looks at of these arguments. */
#define SL_ARGUMENT(n) SL_LOAD(args[n])
#define SL_JUMP(how, value, yes, no)                                                               \
	((struct sock_filter)BPF_JUMP(BPF_JMP | (how) | BPF_K, (value), (yes), (no)))
#define SL_RETURN(what) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (what)))
#define SL_FORBID SL_RETURN(SECCOMP_RET_TRAP)
#define SL_ALLOW SL_RETURN(SECCOMP_RET_ALLOW)
#define SL_REFUSE(error) SL_RETURN(SECCOMP_RET_ERRNO | (error))

/* Allowed when its argument `n` is one of the values; `otherwise` else. The call's number is loaded. */
static void add_choice(struct program *program, uint32_t call, struct sock_filter argument,
                       const uint32_t *values, uint8_t count, struct sock_filter otherwise)
{
	add(program, SL_JUMP(BPF_JEQ, call, 0, (uint8_t)(count + 3)));
	add(program, argument);
	for (uint8_t i = 0; i < count; i++)
		add(program, SL_JUMP(BPF_JEQ, values[i], (uint8_t)(count - i), 0));
	add(program, otherwise);
	add(program, SL_ALLOW);
}

/* Forbidden when these bits of its argument are `forbidden`. */
static void add_bits(struct program *program, uint32_t call, struct sock_filter argument,
                     uint32_t mask, uint32_t forbidden)
{
	add(program, SL_JUMP(BPF_JEQ, call, 0, 5));
	add(program, argument);
	add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	add(program, SL_JUMP(BPF_JEQ, forbidden, 0, 1));
	add(program, SL_FORBID);
	add(program, SL_ALLOW);
}

static void make(struct program *program)
{
	/* interface flags, counters and names by AF_INET and netlink; drivers with a peer by AF_UNIX */
	static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	static const uint32_t names[] = {PR_SET_NAME, PR_GET_NAME};
	/* of an AF_XDP port's map, when the port goes: lookup, update, delete, by descriptor or id */
	static const uint32_t maps[] = {1, 2, 3, 13, 14, 15};
	const uint32_t self[] = {(uint32_t)getpid()};

	add(program, SL_LOAD(arch));
	add(program, SL_JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0));
	add(program, SL_FORBID);
	add(program, SL_LOAD(nr));
	for (size_t i = 0; i < SL_ALLOWED; i++) {
		add(program, SL_JUMP(BPF_JEQ, allowed[i], 0, 1));
		add(program, SL_ALLOW);
	}
	/* no memory to be written and executed; libraries may still be loaded from files */
	add_bits(program, SYS_mmap, SL_ARGUMENT(2), PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC);
	add_bits(program, SYS_mprotect, SL_ARGUMENT(2), PROT_EXEC, PROT_EXEC);
	/* threads, no processes; of clone3() the filter cannot see which: glibc then takes clone() */
	add_bits(program, SYS_clone, SL_ARGUMENT(0), CLONE_THREAD, 0);
	add(program, SL_JUMP(BPF_JEQ, SYS_clone3, 0, 1));
	add(program, SL_REFUSE(ENOSYS));
	add_choice(program, SYS_tgkill, SL_ARGUMENT(0), self, 1, SL_FORBID);
	add_choice(program, SYS_prctl, SL_ARGUMENT(0), names, 2, SL_FORBID);
	/* as the kernel says to those without privilege */
	add_choice(program, SYS_socket, SL_ARGUMENT(0), families, 4, SL_REFUSE(EPERM));
	add_choice(program, SYS_bpf, SL_ARGUMENT(0), maps, 6, SL_REFUSE(EPERM));
	add(program, SL_FORBID);
}

/* Append a number, decimal; snprintf() may not be called in a signal handler. */
static size_t put_number(char *at, unsigned int number)
{
	char digits[12];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	for (size_t i = 0; i < n; i++)
		at[i] = digits[n - 1 - i];
	return n;
}

/* SIGSYS has its default again by now (SA_RESETHAND): the second one ends the process. */
static void on_forbidden(int signal_number, siginfo_t *info, void *context)
{
	static const char before[] = "error system call ";
	static const char after[] =
		" is forbidden after start: the worker ends; a driver that needs "
		"it cannot be used\n";
	char line[sizeof(before) + sizeof(after) + 12];
	size_t n = sizeof(before) - 1;

	(void)context;
	memcpy(line, before, n);
	n += put_number(line + n, (unsigned int)info->si_syscall);
	memcpy(line + n, after, sizeof(after) - 1);
	sl_log_last_words(line, n + sizeof(after) - 1);
	(void)raise(signal_number);
}

int sl_system_calls_restrict(struct sl_fault *fault)
{
	struct sigaction action = {.sa_sigaction = on_forbidden,
	                           .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER};
	struct program program = {.length = 0};
	struct sock_fprog filter = {.filter = program.code};
	long result;

	make(&program);
	filter.len = program.length;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSYS, &action, NULL) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot handle signals: %s",
		               strerror(errno));
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (result == 0)
		return 0;
	if (result < 0 && (errno == ENOSYS || errno == EINVAL)) {
		sl_log(SL_LOG_WARNING,
		       "this kernel has no seccomp: system calls are not restricted");
		return 0;
	}
	return sl_fail(fault, SL_FAULT_INTERNAL, "restart the worker",
	               "cannot restrict system calls: %s",
	               result > 0 ? "a thread has a filter of its own" : strerror(errno));
}
