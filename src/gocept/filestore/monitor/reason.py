"""What has failed, and for which reasons, of which many are alike."""
import gocept.filestore.disk.name
import hashlib
import re


WORD = re.compile(r'[^\s\'"/:;,()=<>]+')
NUMBER = re.compile(r'\b0x[0-9a-fA-F]+|[0-9]+')


def chosen(store, include, exclude, reason):
    """Return the failures that are wanted, longest there first."""
    part = (reason or '').casefold()
    return [failure for failure in store.failures(
                gocept.filestore.disk.name.wanted(include or ['*'], exclude))
            if part in (failure['error'] or '').casefold()]


def grouped(failures):
    """Return a dictionary for each reason, that of most files first."""
    return [group for _, group in by_likeness(failures)]


def by_likeness(failures):
    """Return the same, each with what its reasons have in common.

    The failures come with the newest first.
    """
    found = {}
    for failure in failures:
        found.setdefault(alike(failure), []).append(failure)
    groups = [(likeness, described(likeness, alike_ones))
              for likeness, alike_ones in found.items()]
    return sorted(groups, key=lambda group: -group[1]['files'])


def described(likeness, failures):
    reasons = {failure['error'] for failure in failures}
    return {
        'files': len(failures),
        'newest': failures[0]['age'],
        'oldest': failures[-1]['age'],
        'reason': reasons.pop() if len(reasons) == 1 else likeness}


def mark(likeness):
    """Return a name for what reasons have in common, short as in an address.
    """
    return hashlib.sha256(
        likeness.encode(errors='surrogatepass')).hexdigest()[:16]


def alike(failure):
    """Return a reason without what differs from file to file."""
    name = failure['filename']
    names = name, gocept.filestore.disk.name.original(name)
    reason = failure['error'] or ''
    for name in names:
        if not WORD.fullmatch(name):  # too odd to be there by chance
            reason = reason.replace(name, '{}')
    return NUMBER.sub('#', WORD.sub(
        lambda word: '{}' if word[0] in names else word[0], reason))
