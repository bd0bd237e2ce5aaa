// SPDX-License-Identifier: Apache-2.0
// Prints templates as build_tunnel() makes them, one JSON object per line, for comparison with
// another implementation (test/unit/addon/templates.test.ts).
#include <cstring>

#include "harness.h"
#include "tunnel_template.h"

using namespace sealane;

namespace
{

void dump(uint8_t family, sl_encap encap, bool esp, bool vlan, uint8_t dscp)
{
	TunnelHeader h{};
	static const uint8_t tagged[18] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 100};
	h.ethernet.assign(tagged, tagged + (vlan ? 18 : 14));
	h.ethernet.rbegin()[1] = family == 4 ? 0x08 : 0x86;
	h.ethernet.rbegin()[0] = family == 4 ? 0x00 : 0xdd;
	h.family = family;
	for (uint8_t i = 0; i < (family == 4 ? 4 : 16); i++) {
		h.source[i] = static_cast<uint8_t>(0x20 + i);
		h.destination[i] = static_cast<uint8_t>(0xe0 - i);
	}
	h.ttl = 61;
	h.dscp = dscp;
	h.flow_label = family == 6 ? 0xabcde : 0;
	if (esp) {
		h.spi = 0xcafe1234;
		h.iv_len = 8;
	}
	sl_version_row row{};
	build_tunnel(row, h, encap);
	std::printf("{\"family\":%u,\"encap\":\"%s\",\"esp\":%s,\"vlan\":%s,\"dscp\":%u,\"hex\":\"",
	            family, encap == SL_ENCAP_GRE ? "gre" : "ip", esp ? "true" : "false",
	            vlan ? "true" : "false", dscp);
	for (unsigned i = 0; i < row.template_len; i++)
		std::printf("%02x", row.template_bytes[i]);
	std::printf("\",\"ipOff\":%u,\"espOff\":%u,\"greOff\":%u,\"labelOff\":%u,\"ip4Sum\":%u}\n",
	            row.ip_off, row.esp_off, row.gre_off, row.label_off, row.ip4_sum);
	const TunnelHeader back = parse_tunnel(row);
	CHECK(back.ethernet == h.ethernet && back.source == h.source &&
	              back.destination == h.destination && back.ttl == h.ttl &&
	              back.dscp == h.dscp && back.flow_label == h.flow_label && back.spi == h.spi &&
	              back.family == h.family,
	      "the parts of a template are not those it was made of");
}

} // namespace

int main()
{
	for (const uint8_t family : {uint8_t{4}, uint8_t{6}}) {
		for (const sl_encap encap : {SL_ENCAP_GRE, SL_ENCAP_IP}) {
			for (const bool esp : {false, true}) {
				for (const bool vlan : {false, true})
					dump(family, encap, esp, vlan, vlan ? 46 : 0);
			}
		}
	}
	return 0;
}
