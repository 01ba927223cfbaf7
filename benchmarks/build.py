"""Tell which Python runs this, and how it was built; prints it as JSON.

How fast a call is shows what no setting does: Debian's Python is optimised by
its own rules, without the option of `configure`.
"""
import json
import platform
import re
import sys
import sysconfig
import timeit


OPTIONS = ('--enable-optimizations', '--with-lto', '--with-pydebug')


def build():
    flags = re.findall(r'-O\w+', sysconfig.get_config_var('PY_CFLAGS') or '')
    options = sysconfig.get_config_var('CONFIG_ARGS') or ''
    return ' '.join([
        platform.python_compiler(), *flags[-1:],
        *(option for option in OPTIONS if option in options)])


def call():
    """Return the nanoseconds that a call of a function takes."""
    number = 20000
    seconds = min(timeit.repeat(lambda: None, number=number, repeat=20))
    return f'{1e9 * seconds / number:.0f} ns a call'


if __name__ == '__main__':
    print(json.dumps([
        f'{platform.python_implementation()} {platform.python_version()}, '
        f'{sys.executable} ({platform.python_build()[1]}, {build()})',
        call()]))
