/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of an AF_PACKET group: which member a frame is for. It runs with the network header at offset 0, VLAN
 * tags taken off.
 *
 *   IPv4, IPv6  by addresses, and by the 32 bits behind a header without options of TCP, UDP (ports) and ESP (SPI)
 *   fragments   by addresses: a datagram's stay together
 *   MPLS        by the first label
 *   others      to the first member of those asked for
 *
 * A load beyond a frame's end would end the program with 0, which may be a member of another worker's: lengths come first.
 */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "net/protocol.h"
#include "ports/port.h"

#define SL_HASH_PRIME 0x9e3779b1u

#define LOAD(size, at) BPF_STMT(BPF_LD | (size) | BPF_ABS, (at))
#define LOAD_LENGTH BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)
#define TO_X BPF_STMT(BPF_MISC | BPF_TAX, 0)
/* X: the hash so far, as long as A is needed. */
#define MIX_WORD(at) LOAD(BPF_W, at), BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0), TO_X
#define COMPUTE(operation, k) BPF_STMT(BPF_ALU | (operation) | BPF_K, (k))
/* The instruction at `here`: go to `yes` or `no`, both behind it. */
#define WHEN(here, test, k, yes, no)                                                               \
	BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), (yes) - (here)-1, (no) - (here)-1)

enum { IP4 = 4, PORTS4 = 19, IP6 = 23, PORTS6 = 52, MPLS = 56, HASH = 61, FIRST = 67, END };

int sl_af_packet_direct(int packet_socket, uint32_t first, uint32_t count)
{
	struct sock_filter code[] = {
		/* 0 */ LOAD(BPF_W, (unsigned int)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		WHEN(1, BPF_JEQ, ETH_P_IP, IP4, 2),
		WHEN(2, BPF_JEQ, ETH_P_IPV6, IP6, 3),
		WHEN(3, BPF_JEQ, ETH_P_MPLS_UC, MPLS, FIRST),
		/* IP4 */ LOAD_LENGTH,
		WHEN(5, BPF_JGE, 24, 6, FIRST),
		LOAD(BPF_W, 12),
		TO_X,
		MIX_WORD(16),
		/* 11 */ LOAD(BPF_B, 0),
		WHEN(12, BPF_JEQ, 0x45, 13, HASH),
		LOAD(BPF_H, 6),
		WHEN(14, BPF_JSET, 0x3fff, HASH, 15),
		LOAD(BPF_B, 9),
		WHEN(16, BPF_JEQ, SL_PROTO_TCP, PORTS4, 17),
		WHEN(17, BPF_JEQ, SL_PROTO_UDP, PORTS4, 18),
		WHEN(18, BPF_JEQ, SL_PROTO_ESP, PORTS4, HASH),
		/* PORTS4 */ MIX_WORD(20),
		BPF_STMT(BPF_JMP | BPF_JA, HASH - 23),
		/* IP6 */ LOAD_LENGTH,
		WHEN(24, BPF_JGE, 44, 25, FIRST),
		LOAD(BPF_W, 8),
		TO_X,
		MIX_WORD(12),
		MIX_WORD(16),
		MIX_WORD(20),
		MIX_WORD(24),
		MIX_WORD(28),
		MIX_WORD(32),
		MIX_WORD(36),
		/* 48 */ LOAD(BPF_B, 6),
		WHEN(49, BPF_JEQ, SL_PROTO_TCP, PORTS6, 50),
		WHEN(50, BPF_JEQ, SL_PROTO_UDP, PORTS6, 51),
		WHEN(51, BPF_JEQ, SL_PROTO_ESP, PORTS6, HASH),
		/* PORTS6 */ MIX_WORD(40),
		BPF_STMT(BPF_JMP | BPF_JA, HASH - 56),
		/* MPLS */ LOAD_LENGTH,
		WHEN(57, BPF_JGE, 4, 58, FIRST),
		LOAD(BPF_W, 0),
		COMPUTE(BPF_AND, 0xfffff000u),
		TO_X,
		/* HASH */ BPF_STMT(BPF_MISC | BPF_TXA, 0),
		COMPUTE(BPF_MUL, SL_HASH_PRIME),
		COMPUTE(BPF_RSH, 16),
		COMPUTE(BPF_MOD, count),
		COMPUTE(BPF_ADD, first),
		BPF_STMT(BPF_RET | BPF_A, 0),
		/* FIRST */ BPF_STMT(BPF_RET | BPF_K, first),
	};
	unsigned int begin = count == 1 ? FIRST : 0; /* nothing to choose */
	struct sock_fprog program = {.len = (unsigned short)(END - begin), .filter = code + begin};

	_Static_assert(sizeof(code) / sizeof(code[0]) == END, "jumps go where they say");
	return setsockopt(packet_socket, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof(program));
}
