#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The other end of a SOCK_SEQPACKET connection: answers each message by what it was sent.

usage: peer.py SOCKET      commands: echo TEXT | files | flood COUNT | long SIZE | sleep S | close | die
"""
import array
import os
import signal
import socket
import sys
import time

server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind(sys.argv[1])
server.listen(1)
os.write(1, b"ready\n")  # one write: the reader goes after it
connection, _ = server.accept()
while True:
    room = socket.CMSG_SPACE(16 * array.array("i").itemsize)
    try:
        data, control, _, _ = connection.recvmsg(1 << 20, room)
    except ConnectionResetError:
        data = b""
    if not data:
        break
    descriptors = array.array("i")
    for _, _, value in control:
        descriptors.frombytes(value)
    command, _, argument = data.decode().partition(" ")
    if command == "echo":
        connection.send(argument.encode())
    elif command == "files":
        contents = []
        for descriptor in descriptors:
            contents.append(os.read(descriptor, 100).decode())
            os.close(descriptor)
        connection.send("|".join(contents).encode())
    elif command == "flood":
        try:
            for number in range(int(argument)):
                connection.send(b"%d" % number)
        except (BrokenPipeError, ConnectionResetError):
            break
    elif command == "long":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        connection.send(b"x" * int(argument))
    elif command == "descriptor":
        socket.send_fds(connection, [b"take"], [connection.fileno(), 0])
    elif command == "sleep":
        time.sleep(float(argument))
    elif command == "close":
        connection.close()
        time.sleep(60)
    elif command == "die":
        os.kill(os.getpid(), signal.SIGKILL)
