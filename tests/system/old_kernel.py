"""A kernel that lacks a system call: a filter answers ENOSYS to a program and all that it starts."""

import sys

from cloche_harness import Daemon

SECCOMP, MOUNT_SETATTR, LANDLOCK = 317, 442, 444

# Starts a program for which a system call does not exist: BPF loads the number, compares.
WITHOUT = """
import ctypes, os, struct, sys
code = b"".join(struct.pack("HBBI", *row) for row in
                [(0x20, 0, 0, 0), (0x15, 0, 1, %d), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7fff0000)])
program = ctypes.create_string_buffer(code)
class Fprog(ctypes.Structure): _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_void_p)]
fprog = Fprog(4, ctypes.addressof(program))
if ctypes.CDLL(None).prctl(22, 2, ctypes.byref(fprog), 0, 0): sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
"""


def without(number, command):
    return [sys.executable, "-c", WITHOUT % number, *command]


class OldKernelDaemon(Daemon):
    def __init__(self, number, **arguments):
        super().__init__(**arguments)
        self.number = number

    def command(self):
        return without(self.number, super().command())
