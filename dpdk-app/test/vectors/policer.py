#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes policer.h: packets and the colours that RFC 2697 and RFC 2698 (section 3 of each) give them.

The meters are the RFCs' pseudo-code over exact fractions: a token is a byte, and buckets are filled continuously, which
is what the RFCs' "incremented by one CIR times per second" comes to where an increment is worth a fraction of a
byte. Nothing of Sealane takes part. Sealane keeps time in units of 2^-12 ns; a packet that is within what such
rounding adds up to of the edge of a bucket gets another size, so every colour is certain.

    /usr/bin/python3 dpdk-app/test/vectors/policer.py

The output is committed; running it again must not change it.
"""
import os
import random
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
GREEN, YELLOW, RED = range(3)
COUNT = 300


class Srtcm:
    """RFC 2697."""

    def __init__(self, cir, cbs, ebs):
        self.cir, self.cbs, self.ebs = Fraction(cir, 8), cbs, ebs
        self.tc, self.te = Fraction(cbs), Fraction(ebs)

    def elapse(self, ns):
        more = self.cir * ns / 10**9
        to_c = min(more, self.cbs - self.tc)
        self.tc += to_c
        self.te = min(self.te + more - to_c, Fraction(self.ebs))

    def edges(self):
        return (self.tc, self.te)

    def colour(self, size, before):
        if before == GREEN and self.tc - size >= 0:
            self.tc -= size
            return GREEN
        if before in (GREEN, YELLOW) and self.te - size >= 0:
            self.te -= size
            return YELLOW
        return RED


class Trtcm:
    """RFC 2698."""

    def __init__(self, cir, cbs, pir, pbs):
        self.cir, self.cbs, self.pir, self.pbs = Fraction(cir, 8), cbs, Fraction(pir, 8), pbs
        self.tc, self.tp = Fraction(cbs), Fraction(pbs)

    def elapse(self, ns):
        self.tc = min(self.tc + self.cir * ns / 10**9, Fraction(self.cbs))
        self.tp = min(self.tp + self.pir * ns / 10**9, Fraction(self.pbs))

    def edges(self):
        return (self.tc, self.tp)

    def colour(self, size, before):
        if before == RED or self.tp - size < 0:
            return RED
        self.tp -= size
        if before == YELLOW or self.tc - size < 0:
            return YELLOW
        self.tc -= size
        return GREEN


def run(name, meter, rate, aware, seed):
    rng = random.Random(seed)
    # per packet, half a unit of 2^-12 ns and what the rate's own rounding is worth
    margin = Fraction(rate, 8) * COUNT / (2 * 4096 * 10**9) + Fraction(1, 1000)
    colours, lines = set(), []
    for _ in range(COUNT):
        size = rng.choice((20, 64, 400, 576, 1400, 1500, 9000))
        # twice the rate, with pauses in which buckets fill
        ns = int(size * 8 * 10**9 / rate * rng.uniform(0.05, 0.9))
        if rng.random() < 0.03:
            ns *= 100
        before = rng.choice((GREEN, GREEN, YELLOW, RED)) if aware else GREEN
        meter.elapse(ns)
        while any(abs(edge - size) < margin for edge in meter.edges()):
            size += 5
        colour = meter.colour(size, before)
        colours.add(colour)
        lines.append(f"{{{ns}, {size}, {before}, {colour}}},")
    assert colours == {GREEN, YELLOW, RED}, name
    return lines


CASES = []
for label, rate in (("10 kb/s", 10**4), ("1 Mb/s", 10**6), ("1 Gb/s", 10**9), ("100 Gb/s", 10**11)):
    for aware in (False, True):
        CASES.append((f"srTCM {label}{', colour-aware' if aware else ''}", "SL_METER_SRTCM", rate, 12000, rate, 20000, aware,
                      Srtcm(rate, 12000, 20000)))
        CASES.append((f"trTCM {label}{', colour-aware' if aware else ''}", "SL_METER_TRTCM", rate, 15000, rate * 3 // 2, 18000, aware,
                      Trtcm(rate, 15000, rate * 3 // 2, 18000)))
# the time of a byte is no finite binary fraction
CASES.append(("trTCM 7777777 bit/s", "SL_METER_TRTCM", 7777777, 15000, 9999991, 18000, False,
              Trtcm(7777777, 15000, 9999991, 18000)))

with open(os.path.join(HERE, "policer.h"), "w", encoding="ascii") as out:
    out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by policer.py: do not edit. */\n/* clang-format off */\n")
    out.write("#ifndef SEALANE_TEST_POLICER_H\n#define SEALANE_TEST_POLICER_H\n\n")
    out.write("/* Rates in bit/s, bursts in bytes. A packet comes `ns` after the one before. */\n")
    out.write("struct vec_metered {\n\tuint64_t ns;\n\tuint16_t bytes;\n\tuint8_t before, colour;\n};\n")
    out.write("struct vec_meter {\n\tconst char *name;\n\tuint32_t meter;\n\tuint64_t rate[2];\n\tuint32_t burst[2];\n")
    out.write(f"\tstruct vec_metered packet[{COUNT}];\n}};\n\nstatic const struct vec_meter vec_meters[] = {{\n")
    for at, (name, kind, cir, cbs, pir, pbs, aware, meter) in enumerate(CASES):
        out.write(f'\t{{"{name}", {kind}, {{{cir}, {pir}}}, {{{cbs}, {pbs}}}, {{\n')
        lines = run(name, meter, cir, aware, at)
        for i in range(0, len(lines), 5):
            out.write("\t\t" + " ".join(lines[i:i + 5]) + "\n")
        out.write("\t}},\n")
    out.write("};\n\n#endif\n")
