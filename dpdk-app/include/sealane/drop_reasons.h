/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every reason for which a packet is discarded, once: SL_DROP(name, text). The order is the number in
 * `state` (drops[]): append only within a layout version. `sealane show drops` prints name and text.
 */
#ifndef SEALANE_DROP_REASONS_H
#define SEALANE_DROP_REASONS_H

#define SL_DROP_REASONS(X)                                                                         \
	X(none, "not a drop")                                                                      \
	/* receive and classify */                                                                 \
	X(rx_truncated, "frame shorter than its headers say")                                      \
	X(rx_not_our_mac, "unicast destination MAC is not the interface's")                        \
	X(rx_unknown_vlan, "no interface for this VLAN")                                           \
	X(rx_ethertype, "EtherType not handled")                                                   \
	X(mpls_not_accepted, "plain MPLS on an interface that does not accept it")                 \
	X(ip4_header, "bad IPv4 version, header length or total length")                           \
	X(ip4_checksum, "bad IPv4 header checksum")                                                \
	X(ip6_header, "bad IPv6 version or payload length")                                        \
	X(ip_source, "source address that no host can have")                                       \
	X(ip_multicast, "multicast is not routed")                                                 \
	X(core_transit, "on a core interface and not for this PE")                                 \
	X(outer_fragment, "malformed fragment of a tunnel packet")                                 \
	/* VRF lookup and forwarding */                                                            \
	X(no_route, "no route in the VRF")                                                         \
	X(blackhole, "route says discard")                                                         \
	X(unreachable, "route says unreachable")                                                   \
	X(nexthop_unusable, "next hop has no active version")                                      \
	X(neighbour_pending, "next hop's link address not known yet")                              \
	X(ttl_expired, "TTL or hop limit expired")                                                 \
	X(mtu_exceeded, "larger than the path MTU")                                                \
	/* outbound SA */                                                                          \
	X(sa_not_ready, "outbound SA not installed in this generation")                            \
	X(sa_exhausted, "outbound SA has spent its sequence numbers")                              \
	/* inbound SA */                                                                           \
	X(esp_truncated, "ESP packet shorter than header, IV and ICV")                             \
	X(esp_unknown_spi, "no inbound SA with this SPI")                                          \
	X(esp_not_ready, "inbound SA not installed in this generation")                            \
	X(esp_outer_address, "outer addresses are not the SA's")                                   \
	X(esp_udp, "in UDP where the SA is not, or the other way round (RFC 3948)")                \
	X(esp_replayed, "sequence number seen before or left of the replay window")                \
	X(esp_auth_failed, "integrity check failed: forged or modified")                           \
	X(esp_padding, "padding is malformed")                                                     \
	X(esp_dummy, "dummy packet, next header 59")                                               \
	X(esp_selector, "inner protocol is not what the SA was negotiated for")                    \
	X(esp_application, "SA belongs to another application")                                    \
	/* decapsulation */                                                                        \
	X(gre_header, "GRE with flags, version or length not accepted")                            \
	X(gre_protocol, "GRE payload is not MPLS unicast")                                         \
	X(gre_clear, "MPLS-in-GRE outside an SA, not accepted on this interface")                  \
	X(mpls_in_ip_clear, "MPLS-in-IP outside an SA, not accepted on this interface")            \
	/* label lookup */                                                                         \
	X(label_truncated, "label stack entry or inner packet missing")                            \
	X(label_stack, "more than one label, or explicit null not above the VPN label")            \
	X(label_unknown, "label not in use")                                                       \
	X(label_protected, "label needs protection and the packet came in clear")                  \
	X(label_wrong_sp, "label not exported to the SP the packet came from")                     \
	X(label_wrong_protection, "label accepts other protections")                               \
	X(label_wrong_encap, "label accepts other encapsulations")                                 \
	X(label_ttl_expired, "label TTL expired")                                                  \
	X(route_not_exported_this_way, "the route found was not exported to this arrival")         \
	X(inner_not_ip, "payload under the label is neither IPv4 nor IPv6")                        \
	/* transmit */                                                                             \
	X(tx_full, "transmit queue full")                                                          \
	X(tx_no_port, "output interface has no running port")                                      \
	/* the kernel's part */                                                                    \
	X(punt_full, "punt ring full")                                                             \
	X(punt_rate, "punt rate limit")                                                            \
	X(punt_tap, "TAP refused the frame")                                                       \
	X(inject_full, "inject ring full")                                                         \
	X(inject_malformed, "frame from the kernel is malformed")                                  \
	X(inject_no_interface, "frame from the kernel for an interface that is gone")              \
	X(icmp_rate, "ICMP error suppressed by the rate limit")                                    \
	X(icmp_forbidden, "no ICMP error is sent about such a packet")                             \
	X(no_mbuf, "packet buffers exhausted")                                                     \
	X(ip_destination, "destination address that is not routed")                                \
	X(rx_lost, "lost before the worker took it: receive ring full, no buffer, bad frame")      \
	/* BFD, by the control thread */                                                           \
	X(bfd_malformed, "BFD packet that RFC 5880 section 6.8.6 says to discard")                 \
	X(bfd_ttl, "BFD packet with a lower TTL or hop limit than its session accepts")            \
	X(bfd_no_session, "BFD packet of no session here")                                         \
	X(bfd_auth, "BFD packet not authenticated as its session demands")                         \
	X(bfd_send, "BFD packet to send that the kernel did not take")                             \
	/* multipath */                                                                            \
	X(group_unknown, "route leads to a next-hop group that is not there")                      \
	/* IKE */                                                                                  \
	X(sa_missing, "tunnel has no SA yet, and IKE has been asked for one")                      \
	X(held_expired, "held for an SA that did not come in time")                                \
	/* plain MPLS of another SP */                                                             \
	X(label_not_advertised, "plain MPLS by a label not advertised on that interface")          \
	/* BGP inside its own SA */                                                                \
	X(host_policy_clear, "in clear, or about it, and a host policy wants an SA")               \
	X(host_policy_no_sa, "from the kernel, a host policy wants an SA, and there is none")      \
	X(host_policy_fragment, "from the kernel for an SA: a fragment, or extension headers")     \
	/* reassembly */                                                                           \
	X(reassembly_timeout, "fragment of a tunnel packet, and the others did not come")          \
	X(reassembly_full, "fragment of a tunnel packet that made room for another's")             \
	X(reassembly_overlap, "fragment of a tunnel packet that overlaps or repeats another")      \
	X(reassembly_size, "fragment of a tunnel packet that is too large or in too many")         \
	/* marking */                                                                              \
	X(ecn_not_ect, "congestion marked outside, and what is inside cannot say so (RFC 6040)")   \
	/* classes */                                                                              \
	X(policed, "beyond the rate of a policer, whose action for that colour is drop")           \
	X(queue_full, "the queue of its class has as many packets as it may")                      \
	X(queue_buffers, "queues hold as many packet buffers as they may")                         \
	X(queue_gone, "waited in a queue whose interface went, or when the worker stopped")        \
	/* large frames */                                                                         \
	X(jumbo_no_buffer, "too large for an ordinary buffer, and no large one is free")           \
	X(jumbo_too_long, "frame in several buffers, longer than any buffer here")                 \
	/* routers of the core say that a tunnel packet was too large (policy-model 21) */         \
	X(too_big_quote, "ICMP too big about a tunnel packet that this PE cannot have sent")       \
	X(too_big_clear, "ICMP too big about a tunnel without IPsec: it proves nothing")           \
	X(too_big_no_sa, "ICMP too big that quotes no live outbound SA")                           \
	X(too_big_address, "ICMP too big that quotes an SA with other addresses or ports")         \
	X(too_big_spi, "ICMP too big that quotes an SA whose SPI anyone may know")                 \
	X(too_big_sequence, "ICMP too big that quotes a sequence number not sent of late")         \
	X(too_big_floor, "ICMP too big that tells less than the floor")                            \
	X(too_big_size, "ICMP too big that tells no less than the packet it quotes")               \
	X(too_big_rate, "ICMP too big about an SA that another has just told of")                  \
	/* between packet threads */                                                               \
	X(pass_full, "ring to the packet thread that owns the SA or the datagram full")

#define SL_DROP_ENUM(name, text) SL_DROP_##name,
enum sl_drop_reason { SL_DROP_REASONS(SL_DROP_ENUM) SL_DROP_COUNT };
#undef SL_DROP_ENUM

#endif
