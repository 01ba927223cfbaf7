# Start user-mode Linux, which is an ordinary process, with a script of ours:
#
#     sh start.sh SCRIPT ARGUMENT...
#
# It sees the files of this machine, and changes none. The standard input and
# output are the first serial line of the guest, the errors its console. Who
# calls this gives it mounts and processes of its own, so that memory, disk and
# sockets vanish with it.

set -eu
export TMPDIR=/dev/shm  # where the memory lies
mount -t tmpfs guest "$TMPDIR"
truncate -s 1G "$TMPDIR/disk"
mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1,nodiscard "$TMPDIR/disk"
exec linux.uml mem=1G root=/dev/root rootfstype=hostfs rootflags=/ ro quiet \
    con=null con0=null,fd:2 ssl0=fd:0,fd:1 ubd0="$TMPDIR/disk" \
    uml_dir="$TMPDIR" umid=guest init=/bin/bash -- "$@"
