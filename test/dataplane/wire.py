#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The neighbours of the PE under test: raw sockets on the far ends of its wires, and Scapy.

Runs inside the test's network namespace. One JSON object per line on stdin is a request, one on stdout
its answer; an answer with "error" says why it failed. Frames are hexadecimal, without FCS, 802.1Q tags
where they stand on the wire.

  {"op": "open", "interfaces": [name]}        listen on them from now on
  {"op": "send", "frames": [[name, hex]]}     send, in order
  {"op": "take"}                              {"frames": {name: [hex]}} received since the last take
  {"op": "flood", "name": .., "frames": [hex], "gap_us": n}   send them over and over until "calm"
  {"op": "calm"}                              {"sent": n}
  {"op": "build", "packets": [stack]}         {"frames": [hex]} by Scapy; stack: [[layer, fields]...]
  {"op": "seal", "packets": [..]}             ESP by Scapy's SecurityAssociation, see seal()
  {"op": "open_esp", "packets": [..]}         the same, opened
  {"op": "join", "packets": [hex]}            IPv4 fragments put together by Scapy
  {"op": "dissect", "frames": [[layer, hex]]} [[{"layer": .., fields}]] as Scapy reads them
"""
import ctypes
import json
import select
import socket
import struct
import sys
import threading
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID = 1 << 4
# status, len, snaplen, mac, net, vlan_tci, vlan_tpid (struct tpacket_auxdata)
AUXDATA = struct.Struct("=IIIHHHH")


class End:
    """One interface: what arrives there, from the moment it is opened."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
        self.socket.setblocking(False)
        self.socket.bind((name, ETH_P_ALL))
        self.frames = []

    def drain(self):
        while True:
            try:
                frame, notes, _, _ = self.socket.recvmsg(65536, 256)
            except BlockingIOError:
                return
            self.frames.append(self.with_tag(frame, notes).hex())

    @staticmethod
    def with_tag(frame, notes):
        """The kernel takes the 802.1Q tag off and reports it beside the frame."""
        for level, kind, data in notes:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = AUXDATA.unpack(data[: AUXDATA.size])
                if status & TP_STATUS_VLAN_VALID:
                    return frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
        return frame


class Flood(threading.Thread):
    """Traffic that does not wait for anybody."""

    def __init__(self, end, frames, gap_us):
        super().__init__(daemon=True)
        self.end, self.frames, self.gap = end, frames, gap_us / 1e6
        self.calm, self.sent = threading.Event(), 0

    def run(self):
        while not self.calm.is_set():
            try:
                self.end.socket.send(self.frames[self.sent % len(self.frames)])
                self.sent += 1
            except OSError:  # the link is down while the worker restarts, or the queue is full
                pass
            time.sleep(self.gap)


class Wire:
    def __init__(self):
        self.ends = {}
        self.flood_thread = None

    def open(self, interfaces):
        for name in interfaces:
            if name not in self.ends:  # a TAP lives on without its worker
                self.ends[name] = End(name)
        return {}

    def send(self, frames):
        for name, text in frames:
            frame, end = bytes.fromhex(text), self.ends[name]
            while True:
                try:
                    end.socket.send(frame)
                    break
                except (BlockingIOError, OSError) as error:
                    if error.errno not in (11, 105):  # EAGAIN, ENOBUFS: the queue is full
                        raise OSError(error.errno, f"{name}, {len(frame)} bytes: {error}") from error
                    select.select([], [end.socket], [], 0.01)
        return {}

    def take(self):
        taken = {}
        for name, end in self.ends.items():
            end.drain()
            taken[name], end.frames = end.frames, []
        return {"frames": taken}

    def flood(self, name, frames, gap_us):
        self.flood_thread = Flood(self.ends[name], [bytes.fromhex(f) for f in frames], gap_us)
        self.flood_thread.start()
        return {}

    def calm(self):
        self.flood_thread.calm.set()
        self.flood_thread.join()
        return {"sent": self.flood_thread.sent}


def scapy():
    """Imported when first asked for: it takes half a second."""
    import scapy_frames  # noqa: PLC0415

    return scapy_frames


def answer(wire, request):
    op = request.pop("op")
    if op in ("build", "seal", "open_esp", "dissect", "join"):
        return getattr(scapy(), op)(**request)
    return getattr(wire, op)(**request)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM


def main():
    die_with_parent()
    wire = Wire()
    poll = select.poll()
    poll.register(sys.stdin.fileno(), select.POLLIN)
    buffer = b""
    known = set()
    while True:
        for name, end in wire.ends.items():
            if name not in known:
                poll.register(end.socket.fileno(), select.POLLIN)
                known.add(name)
        for fd, _ in poll.poll():
            if fd != sys.stdin.fileno():
                next(e for e in wire.ends.values() if e.socket.fileno() == fd).drain()
                continue
            chunk = sys.stdin.buffer.raw.read(1 << 20)
            if not chunk:
                return
            buffer += chunk
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                try:
                    reply = answer(wire, json.loads(line))
                except Exception as error:  # pylint: disable=broad-except
                    reply = {"error": f"{type(error).__name__}: {error}"}
                sys.stdout.write(json.dumps(reply) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
