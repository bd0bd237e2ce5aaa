/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealane-filter ethernet|ip < EXPRESSION: the expression (pcap-filter(7)) as a classic BPF program for frames
 * with an Ethernet header, or for IP packets. One instruction a line, "code jt jf k". A process of its own: the
 * compiler may take long, may look names up, and has no business where keys are.
 * Exit status 1 with libpcap's words on standard error when it is no expression, 2 for wrong use.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define SNAP_LENGTH 16384
#define MAX_EXPRESSION 8192

int main(int argc, char **argv)
{
	static char expression[MAX_EXPRESSION + 1];
	struct bpf_program program;
	size_t length;
	int link = -1;
	pcap_t *pcap;

	if (argc == 2 && strcmp(argv[1], "ethernet") == 0)
		link = DLT_EN10MB;
	if (argc == 2 && strcmp(argv[1], "ip") == 0)
		link = DLT_RAW;
	if (link < 0) {
		fprintf(stderr, "usage: sealane-filter ethernet|ip < EXPRESSION\n");
		return 2;
	}
	length = fread(expression, 1, sizeof(expression), stdin);
	if (length > MAX_EXPRESSION) {
		fprintf(stderr, "longer than %d octets\n", MAX_EXPRESSION);
		return 1;
	}
	expression[length] = '\0';
	pcap = pcap_open_dead(link, SNAP_LENGTH);
	if (pcap == NULL) {
		fprintf(stderr, "no memory\n");
		return 1;
	}
	if (pcap_compile(pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		fprintf(stderr, "%s\n", pcap_geterr(pcap));
		return 1;
	}
	for (unsigned int i = 0; i < program.bf_len; i++)
		printf("%u %u %u %u\n", program.bf_insns[i].code, program.bf_insns[i].jt,
		       program.bf_insns[i].jf, program.bf_insns[i].k);
	pcap_freecode(&program);
	pcap_close(pcap);
	return fflush(stdout) == 0 ? 0 : 1;
}
