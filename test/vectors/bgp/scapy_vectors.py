# SPDX-License-Identifier: Apache-2.0
"""Writes scapy.json: BGP messages as Scapy's contrib module builds them, beside what they say.

    /usr/bin/python3 test/vectors/bgp/scapy_vectors.py
"""
import json
import os

import scapy
from scapy.config import conf
from scapy.contrib.bgp import (
    BGPCapFourBytesASN, BGPCapGeneric, BGPCapGracefulRestart, BGPCapMultiprotocol, BGPHeader,
    BGPKeepAlive, BGPNLRI_IPv4, BGPNLRI_IPv4_AP, BGPNLRI_IPv6, BGPNotification, BGPOpen,
    BGPOptParam, BGPPAAS4Aggregator, BGPPAAS4BytesPath, BGPPAAS4Path, BGPPAASPath,
    BGPPAAggregator, BGPPAAtomicAggregate, BGPPAClusterList, BGPPACommunity,
    BGPPAExtCommFourOctetASSpecific, BGPPAExtCommIPv4AddressSpecific, BGPPAExtCommOpaque,
    BGPPAExtCommTwoOctetASSpecific, BGPPAExtComms, BGPPAExtCommunity, BGPPALocalPref,
    BGPPAMPReachNLRI, BGPPAMPUnreachNLRI, BGPPAMPUnreachNLRI_IPv6, BGPPAMultiExitDisc,
    BGPPANextHop, BGPPAOrigin, BGPPAOriginatorID, BGPPathAttr, BGPRouteRefresh, BGPUpdate,
)

conf.contribs.setdefault('bgp', {})['use_2_bytes_asn'] = False
vectors = {}


def whole(message):
    return bytes(message).hex()


def attr(flags, value, type_code=None):
    code = value.__class__
    codes = {
        BGPPAOrigin: 1, BGPPAASPath: 2, BGPPAAS4BytesPath: 2, BGPPANextHop: 3,
        BGPPAMultiExitDisc: 4, BGPPALocalPref: 5, BGPPAAtomicAggregate: 6, BGPPAAggregator: 7,
        BGPPACommunity: 8, BGPPAOriginatorID: 9, BGPPAClusterList: 10, BGPPAMPReachNLRI: 14,
        BGPPAMPUnreachNLRI: 15, BGPPAExtComms: 16, BGPPAAS4Path: 17, BGPPAAS4Aggregator: 18,
    }
    return BGPPathAttr(type_flags=flags, type_code=type_code or codes[code], attribute=value)


def update(attributes, nlri=(), withdrawn=()):
    return whole(BGPHeader(type=2) / BGPUpdate(
        withdrawn_routes=list(withdrawn), path_attr=list(attributes), nlri=list(nlri)))


ORIGIN = attr(0x40, BGPPAOrigin(origin=1))
NEXT_HOP = attr(0x40, BGPPANextHop(next_hop='192.0.2.1'))


def path4(*segments):
    return attr(0x40, BGPPAAS4BytesPath(segments=[
        BGPPAAS4BytesPath.ASPathSegment(segment_type=kind, segment_value=list(asns))
        for kind, asns in segments]))


def path2(*segments):
    return attr(0x40, BGPPAASPath(segments=[
        BGPPAASPath.ASPathSegment(segment_type=kind, segment_value=list(asns))
        for kind, asns in segments]))


def extended(*communities):
    return attr(0xc0, BGPPAExtComms(extended_communities=[
        BGPPAExtCommunity(type_high=high, type_low=low, value=value)
        for high, low, value in communities]))


vectors['internal'] = update([
    ORIGIN, path4((2, [65001, 4200000000]), (1, [65010, 65011])), NEXT_HOP,
    attr(0x80, BGPPAMultiExitDisc(med=4294967295)), attr(0x40, BGPPALocalPref(local_pref=250)),
    attr(0x40, BGPPAAtomicAggregate()), attr(0xc0, BGPPACommunity(community=65001 * 65536 + 77)),
    attr(0x80, BGPPAOriginatorID(originator_id='192.0.2.9')),
    attr(0x80, BGPPAClusterList(cluster_list=[0x0a000001, 0x0a000002])),
    extended(
        (0, 2, BGPPAExtCommTwoOctetASSpecific(global_administrator=65001, local_administrator=100)),
        (1, 3, BGPPAExtCommIPv4AddressSpecific(
            global_administrator=0xc0000201, local_administrator=7)),
        (2, 2, BGPPAExtCommFourOctetASSpecific(
            global_administrator=4200000001, local_administrator=5)),
        (3, 11, BGPPAExtCommOpaque())),
], [BGPNLRI_IPv4(prefix='10.1.0.0/16'), BGPNLRI_IPv4(prefix='10.2.3.128/25')],
    [BGPNLRI_IPv4(prefix='10.9.0.0/16')])

conf.contribs['bgp']['use_2_bytes_asn'] = True
vectors['oldSpeaker'] = update([
    ORIGIN, path2((2, [65001, 23456, 7018])), NEXT_HOP,
    attr(0xc0, BGPPAAggregator(aggregator_asn=23456, speaker_address='192.0.2.7')),
    attr(0xc0, BGPPAAS4Path(segment_type=2, segment_value=[4200000000, 7018])),
    attr(0xc0, BGPPAAS4Aggregator(aggregator_asn=4200000000, speaker_address='192.0.2.8')),
], [BGPNLRI_IPv4(prefix='10.1.0.0/16')])
vectors['addPath'] = update(
    [ORIGIN, path2((2, [65001])), NEXT_HOP],
    [BGPNLRI_IPv4_AP(nlri_path_id=9, prefix='10.1.0.0/16')])
conf.contribs['bgp']['use_2_bytes_asn'] = False
vectors['reachIpv6'] = update([ORIGIN, path4(), attr(0x80, BGPPAMPReachNLRI(
    afi=2, safi=1, nh_addr_len=32, nh_v6_global='2001:db8::1', nh_v6_link_local='fe80::1',
    nlri=[BGPNLRI_IPv6(prefix='2001:db8:1::/48')]))])
vectors['unreachIpv6'] = update([attr(0x80, BGPPAMPUnreachNLRI(
    afi=2, safi=1, afi_safi_specific=BGPPAMPUnreachNLRI_IPv6(
        withdrawn_routes=[BGPNLRI_IPv6(prefix='2001:db8:1::/48')])))])
vectors['open'] = whole(BGPHeader(type=1) / BGPOpen(
    my_as=23456, hold_time=90, bgp_id='192.0.2.1', opt_params=[
        BGPOptParam(param_type=2, param_value=capability) for capability in (
            BGPCapMultiprotocol(afi=1, safi=128), BGPCapGeneric(code=2),
            BGPCapFourBytesASN(asn=4200000000),
            BGPCapGracefulRestart(restart_flags=8, restart_time=120, entries=[
                BGPCapGracefulRestart.GRTuple(afi=1, safi=128, flags=0x80)]))]))
vectors['notification'] = whole(BGPHeader(type=3) / BGPNotification(
    error_code=6, error_subcode=2, data=b'\x05later'))
vectors['keepalive'] = whole(BGPKeepAlive())
vectors['refresh'] = whole(BGPHeader(type=5) / BGPRouteRefresh(afi=1, subtype=1, safi=128))

target = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'scapy.json')
with open(target, 'w', encoding='ascii') as out:
    json.dump({'scapy': scapy.__version__, 'messages': vectors}, out, indent=1)
    out.write('\n')
