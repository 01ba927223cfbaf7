"""Lets the kernel refuse system calls to a process, by seccomp(2).

    $ python -c 'import ...refuse; ...refuse.refuse(1, "renameat2")
    > ...'

As a container does it, for this process and its children, and for good.
"""

import ctypes
import os
import struct


# What a system call is called by its number: asm/unistd.h.
NUMBERS = {
    'x86_64': {'flock': 73, 'renameat2': 316, 'copy_file_range': 326,
               'linkat': 265, 'symlinkat': 266, 'fchown': 93,
               'pidfd_open': 434},
    'aarch64': {'flock': 32, 'renameat2': 276, 'copy_file_range': 285,
                'linkat': 37, 'symlinkat': 36, 'fchown': 55,
                'pidfd_open': 434}}.get(
                    os.uname().machine)
OBSTACLE = None if NUMBERS else 'no system call has a number here'
# linux/filter.h, linux/seccomp.h, linux/prctl.h
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7fff0000, 0x00050000
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2


class Program(ctypes.Structure):

    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]


def refuse(number, *names):
    """Let system calls fail with the number of an error from now on."""
    code = [(LOAD, 0, 0, 0)]
    for name in names:
        code += [(JUMP_EQUAL, 0, 1, NUMBERS[name]),
                 (RETURN, 0, 0, ERROR | number)]
    code.append((RETURN, 0, 0, ALLOW))
    text = ctypes.create_string_buffer(
        b''.join(struct.pack('HBBI', *line) for line in code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for args in ((NO_NEW_PRIVS, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(
            Program(len(code), ctypes.addressof(text))), 0, 0)):
        assert not prctl(*args), os.strerror(ctypes.get_errno())
