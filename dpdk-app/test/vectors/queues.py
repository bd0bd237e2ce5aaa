#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes queues.h: frames that come to the queues of an interface, and the order and the rounds in which they leave.

Deficit round robin is the pseudo-code of M. Shreedhar and G. Varghese, "Efficient Fair Queuing Using Deficit
Round-Robin", IEEE/ACM Transactions on Networking 4(3), 1996, with its active list; before it come queues of strict
priority. The rate is that of a link that sends one frame after the other: a frame begins when the one before is
through, and no earlier than the link's latest idle time plus what may be made up for. Times are exact fractions. Nothing
of Sealane takes part. Sealane counts time in units of 2^-12 ns; a round that would have to decide by less than half a
nanosecond is put a nanosecond later, so every departure is certain.

    /usr/bin/python3 dpdk-app/test/vectors/queues.py

The output is committed; running it again must not change it.
"""
import copy
import os
import random
from collections import deque
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL, SLOTS = 8, 9
SIZES = (78, 78, 128, 590, 1000, 1514)


class Link:
    def __init__(self, rate, burst, strict, quantum, limit):
        self.rate, self.strict, self.quantum, self.limit = rate, strict, quantum, limit
        self.may_lag = Fraction(burst * 8 * 10**9, rate) if rate else Fraction(0)
        self.through = Fraction(-10**12)
        self.queue = [deque() for _ in range(SLOTS)]
        self.active, self.deficit, self.served = deque(), [0] * SLOTS, False

    def arrive(self, number, slot, size):
        queue = self.queue[slot]
        if len(queue) >= self.limit[slot]:
            return False
        queue.append((number, size))
        if slot not in self.strict and slot not in self.active:
            self.active.append(slot)
            self.deficit[slot] = 0
        return True

    def dequeue(self):
        """The paper's loop, a frame at a time."""
        for slot in self.strict:
            if self.queue[slot]:
                return self.queue[slot].popleft()
        while self.active:
            slot = self.active[0]
            if not self.served:
                self.deficit[slot] += self.quantum[slot]
                self.served = True
            if self.queue[slot][0][1] <= self.deficit[slot]:
                number, size = self.queue[slot].popleft()
                self.deficit[slot] -= size
                if not self.queue[slot]:
                    self.deficit[slot] = 0
                    self.active.popleft()
                    self.served = False
                return number, size
            self.active.rotate(-1)
            self.served = False
        return None

    def send(self, now):
        """Numbers of the frames that leave by `now`, and whether all that was certain."""
        numbers, certain = [], True
        if any(self.queue):
            self.through = max(self.through, now - self.may_lag)
        while any(self.queue):
            if self.rate and self.through != now and abs(self.through - now) < Fraction(1, 2):
                certain = False
            if self.through > now:
                break
            number, size = self.dequeue()
            numbers.append(number)
            if self.rate:
                self.through += Fraction(size * 8 * 10**9, self.rate)
        return numbers, certain


def run(case, seed):
    rng = random.Random(seed)
    name, rate, burst, strict, weights, limits, load, rounds = case
    link = Link(rate, burst, strict, [w * 1514 for w in weights], limits)
    slots = [s for s in range(SLOTS) if limits[s]]
    number, now, frames, lines, order = 0, 10**9, [], [], []
    idle = 0
    for _ in range(rounds):
        idle = idle - 1 if idle else (rng.random() < 0.02) * 40
        # what the rate takes half a dozen frames for; without a rate nothing ever waits
        gap = int(6 * 800 * 8 * 10**9 / rate * rng.uniform(0.2, 1.8)) if rate else 1000
        come = 0 if idle else rng.randrange(int(12 * load) + 1)
        for _ in range(come):
            # bursts of one queue, so that each of them is full at times
            slot = slots[(number // 23) % len(slots)] if rng.random() < 0.5 else rng.choice(slots)
            size = rng.choice(SIZES)
            kept = link.arrive(number, slot, size)
            frames.append((slot, size, int(kept)))
            number += 1
        later = 0
        while True:
            trial = copy.deepcopy(link)
            left, certain = trial.send(Fraction(now + gap + later))
            if certain:
                break
            later += 1
        link = trial
        now += gap + later
        order += left
        lines.append((gap + later, come, len(left)))
    assert rate == 0 or any(not kept for _, _, kept in frames), name
    return frames, lines, order


ALIKE = [1] * SLOTS
CASES = [
    # name, rate, burst, strict, weights, limits, load, rounds
    ("one queue at 64 kb/s", 64_000, 1514, [KERNEL], ALIKE, [20, 0, 0, 0, 0, 0, 0, 0, 0], 1, 200),
    ("weights at 64 kb/s", 64_000, 6000, [KERNEL], [1, 3, 7, 1, 1, 1, 1, 1, 1], [20, 20, 20, 0, 0, 0, 0, 0, 4], 1.2, 300),
    ("strict and weighted at 10 Mb/s", 10**7, 5000, [KERNEL, 2, 1], [2, 1, 1, 5, 1, 1, 1, 1, 1],
     [30, 10, 10, 30, 0, 0, 0, 0, 8], 1.3, 400),
    ("all classes at 7,777,777 bit/s", 7_777_777, 20_000, [KERNEL, 7], [1, 2, 3, 4, 5, 6, 7, 1, 1], [12] * SLOTS, 1.5, 400),
    ("weights at 1 Gb/s", 10**9, 500_000, [KERNEL], [1, 100, 10, 1, 1, 1, 1, 1, 1], [40, 40, 40, 0, 0, 0, 0, 0, 8], 1.2, 400),
    ("strict and weighted at 40 Gb/s", 40 * 10**9, 20_000, [KERNEL, 1], [1, 1, 4, 3, 1, 1, 1, 1, 1],
     [30, 30, 30, 30, 0, 0, 0, 0, 8], 1.3, 400),
    ("no rate", 0, 0, [KERNEL, 1], [1, 1, 4, 3, 1, 1, 1, 1, 1], [30, 30, 30, 30, 0, 0, 0, 0, 8], 1, 100),
]


def row(values):
    return "{" + ", ".join(str(v) for v in values) + "}"


def table(out, kind, name, lines, per_line):
    out.write(f"static const {kind} {name}[] = {{\n")
    for i in range(0, len(lines), per_line):
        out.write("\t" + " ".join(f"{line}," for line in lines[i:i + per_line]) + "\n")
    out.write("};\n")


with open(os.path.join(HERE, "queues.h"), "w", encoding="ascii") as out:
    out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by queues.py: do not edit. */\n/* clang-format off */\n")
    out.write("#ifndef SEALANE_TEST_QUEUES_H\n#define SEALANE_TEST_QUEUES_H\n\n")
    out.write("/* In the order in which they come; numbered from 0. Bytes of frames; `kept` 0: there is no room. */\n")
    out.write("struct vec_queued {\n\tuint8_t slot;\n\tuint16_t bytes;\n\tuint8_t kept;\n};\n")
    out.write("/* `come` frames come, then a round `ns` after the one before; `leave` are sent in it. */\n")
    out.write("struct vec_round {\n\tuint64_t ns;\n\tuint16_t come, leave;\n};\n\n")
    found = []
    for at, case in enumerate(CASES):
        frames, lines, order = run(case, at)
        table(out, "struct vec_queued", f"vec_frames_{at}", [row(f) for f in frames], 8)
        table(out, "struct vec_round", f"vec_rounds_{at}", [row(r) for r in lines], 8)
        table(out, "uint16_t", f"vec_order_{at}", order, 20)
        found.append(len(lines))
    out.write("\n/* Rates in bit/s, bursts in bytes, limits in packets; numbers of frames in the order in which they leave. */\n")
    out.write("struct vec_link {\n\tconst char *name;\n\tuint64_t rate;\n\tuint32_t burst;\n\tuint8_t strict[9];\n")
    out.write("\tuint32_t quantum[9], limit[9];\n\tconst struct vec_queued *frames;\n\tconst struct vec_round *rounds;\n")
    out.write("\tconst uint16_t *order;\n\tunsigned int count;\n};\n\nstatic const struct vec_link vec_links[] = {\n")
    for at, (name, rate, burst, strict, weights, limits, _, _) in enumerate(CASES):
        out.write(f'\t{{"{name}", {rate}ull, {burst}, {row((strict + [255] * SLOTS)[:SLOTS])},\n')
        out.write(f"\t {row([w * 1514 for w in weights])}, {row(limits)},\n")
        out.write(f"\t vec_frames_{at}, vec_rounds_{at}, vec_order_{at}, {found[at]}}},\n")
    out.write("};\n\n#endif\n")
