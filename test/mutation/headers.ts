// SPDX-License-Identifier: Apache-2.0
/** Headers of received packets. */
import { of, type Mutation } from './mutation.js';

export const HEADERS: readonly Mutation[] = [
  ...of('net/ip4.h', [
    [
      'the checksum of the common header',
      'summed || (sum + carry) % 0xffffu == 0',
      'summed || sum + carry + 1',
      'ip4_plain: ip4_plain_headers',
    ],
    [
      'its length',
      'if (__builtin_expect(total - SL_IP4_LEN > length - SL_IP4_LEN, 0))\n\t\treturn 0;',
      '',
      'ip4_plain: ip4_plain_headers',
    ],
    [
      'the IPv4 header checksum',
      'return good ? SL_IP_OK : SL_IP_CHECKSUM;',
      'return good ? SL_IP_OK : SL_IP_OK;',
      'formats: ip4_every_header_length',
    ],
    [
      'the IPv4 total length',
      'if (total > length)\n\t\treturn SL_IP_TRUNCATED;',
      '',
      'formats: ip4_impossible_headers',
    ],
  ]),
  ...of('stages/offload.h', [
    [
      'a driver is believed about a sum only where it was asked',
      ' &&\n\t       port->sums;',
      ';',
      'eal_offload: nothing_is_believed_unasked',
    ],
  ]),
  ...of('net/eth.h', [
    [
      'a tag behind one that was taken off is the second of two',
      'eth->svlan = eth->vlan;',
      '',
      'eal_offload: the_same_with_a_nics_help',
    ],
  ]),
  ...of('net/ip6.h', [
    [
      'the IPv6 payload length',
      'return sl_ip6_total_len(ip) <= length ? SL_IP_OK : SL_IP_TRUNCATED;',
      'return sl_ip6_total_len(ip) <= length ? SL_IP_OK : SL_IP_OK;',
      'formats: ip6_check',
    ],
  ]),
];
