# The first process of the guest: an NFS server, and two hosts that mount it.
#
#     bash init.sh VERSION
#
# Then it says so on the serial line, and runs the command that it reads there.
# When that ends, so does the guest. A host is a network with an NFS client of
# its own. All processes see both mounts: who works in /run/a is on host a. To
# cut this one off, and to let it come back: ip link set dev a down, ... up

set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LANG=C.UTF-8 HOME=/run/home TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1
LEASE=10  # seconds; a server has 90 if nobody says otherwise
VERSION=$1


main() {
    trap power_off EXIT
    places
    modules
    server
    host a 192.0.2.1 192.0.2.2
    host b 192.0.2.5 192.0.2.6
    stty -F /dev/ttyS0 raw -echo
    talk < /dev/ttyS0 > /dev/ttyS0
}


power_off() {
    echo "exit status $?" >&2
    echo o > /proc/sysrq-trigger
    sleep 60
}


# What is written lies in memory, but for the export.
places() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mountpoint -q /dev || mount -t devtmpfs dev /dev
    mkdir -p /dev/shm /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t devpts devpts /dev/pts
    mount -t tmpfs tmpfs /run
    mkdir -p "$HOME" "$TMPDIR" /run/lock /run/export /run/a /run/b
    mount /dev/ubda /run/export
    chmod 1777 "$TMPDIR" /run/export /dev/shm
    state
    hostname guest
    cd "$TMPDIR"
}


# What a server, or a host with NFS 3, keeps of the others.
state() {
    mount -t tmpfs tmpfs /var/lib/nfs
    mkdir -p /var/lib/nfs/{sm,sm.bak,rpc_pipefs,v4recovery,nfsdcltrack}
    touch /var/lib/nfs/{etab,rmtab,state}
}


# They lie where modprobe does not look for them.
modules() {
    mkdir -p /run/modules/lib
    ln -s /usr/lib/uml/modules /run/modules/lib/modules
    # Otherwise nothing is locked on NFS 3 for 50 seconds.
    modprobe -d /run/modules lockd nlm_grace_period=1
    modprobe -d /run/modules -a nfsd nfs nfsv3 nfsv4 veth
}


server() {
    ip link set dev lo up
    mount -t nfsd nfsd /proc/fs/nfsd
    mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
    rpcbind -w
    rpc.statd
    # Nobody cuts the power of this server.
    exportfs -i -o rw,no_root_squash,no_subtree_check,fsid=0,async \
        '*:/run/export'
    echo "$LEASE" > /proc/fs/nfsd/nfsv4leasetime
    echo "$LEASE" > /proc/fs/nfsd/nfsv4gracetime
    rpc.mountd
    rpc.nfsd 8
    echo Y > /proc/fs/nfsd/v4_end_grace
}


host() {  # NAME, and the addresses of the server and its own
    ip netns add "$1"
    ip link add name "$1" type veth peer name eth0 netns "$1"
    ip addr add "$2/30" dev "$1"
    ip link set dev "$1" up
    on "$1" ip addr add "$3/30" dev eth0
    on "$1" ip link set dev eth0 up
    on "$1" ip link set dev lo up
    if [ "$VERSION" = 3 ]; then
        watch_others "$1"
        on "$1" mount -t nfs -o vers=3 "$2:/run/export" "/run/$1"
    else
        on "$1" mount -t nfs -o "vers=$VERSION" "$2:/" "/run/$1"
    fi
}


# The server tells hosts apart by the name that they have when they mount.
on() {  # NAME COMMAND...
    nsenter --net="/run/netns/$1" unshare --uts bash -c \
        'hostname "$0"; exec "$@"' "$@"
}


# NFS 3 wants this of a host that locks.
watch_others() {
    on "$1" unshare --mount bash -c "$(declare -f state)"'
        mount -t tmpfs tmpfs /run
        mkdir -p /run/rpcbind /run/lock
        state
        rpcbind -w
        rpc.statd'
}


talk() {
    local command
    echo ready
    read -r command
    eval "$command"
}


main
