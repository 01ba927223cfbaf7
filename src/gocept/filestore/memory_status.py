import gocept.filestore.status


def status(spaces, attempts, intents):
    """Return what lies where in a store in memory."""
    now = spaces.now()
    claims, due = divide(spaces, attempts)
    return {
        'store': spaces.path,
        'spaces': {space: totals(spaces[space].values(), now)
                   for space in gocept.filestore.status.SPACES},
        'claims': [{'filename': filename, 'age': age(file, now),
                    'attempt': attempt,
                    'alive': file.is_held and not intents.has_left(file)}
                   for filename, file, attempt in claims],
        'waiting': {'files': len(due),
                    'next': max(0, min(due) - now) if due else None},
        'intents': intents.described()}


def totals(files, now):
    return {
        'files': len(files),
        'bytes': sum(len(file.content) for file in files),
        'oldest': max(age(file, now) for file in files) if files else None}


def age(file, now):
    return max(0, now - file.st_ctime)


def divide(spaces, attempts):
    """Divide the files of `work` in those at work and those that wait."""
    claims, due = [], []
    for filename, file in spaces.by_age('work'):
        history = attempts.history(filename, file.st_ino)
        if history.is_waiting:
            due.append(history.due)
        else:
            claims.append((filename, file, history.attempts + 1))
    return claims, due


def failures(spaces, attempts):
    """Return a dictionary for each file in `failed`."""
    return [failure(attempts, filename, file, spaces.now())
            for filename, file in spaces.by_age('failed')]


def failure(attempts, filename, file, now):
    history = attempts.history(
        attempts.name_of(filename, file.st_ino), file.st_ino)
    return {
        'filename': filename,
        'age': age(file, now),
        'attempts': history.attempts,
        'error': history.error}
