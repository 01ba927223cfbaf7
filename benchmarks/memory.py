"""How large a process is."""


def size(key):
    """Return a size of this process, in bytes: VmRSS, or VmHWM, the peak.

    That of getrusage(2) is never below the peak of who has started it.
    """
    with open('/proc/self/status') as status:
        for line in status:
            if line.startswith(f'{key}:'):
                return int(line.split()[1]) * 1024
