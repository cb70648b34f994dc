# Takes from a machine what makes it this one machine, and what the bake needed, and looks that it is gone.
# Before it, in variables: `key` (the bake's public key), `work`.

complain() { echo "kiln: $*" >&2; dirty=yes; }
empty() { for path; do [ -d "$path" ] && find "$path" -mindepth 1 -delete; done 2>/dev/null; true; }

# A boot writes that it has ended, when it has.
timeout 20 systemctl is-system-running --wait >/dev/null 2>&1 || true

# Whoever writes logs stops: from here on the journal is kept in memory.
systemctl stop rsyslog.service syslog.socket cron.service 2>/dev/null || true
journalctl --relinquish-var 2>/dev/null || true

# Once more only what cloud-init has written of this instance: the next boot is the first one.
host=$(cat /etc/hostname 2>/dev/null) || host=
rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem /run/cloud-init
rm -f /var/log/cloud-init.log* /var/log/cloud-init-output.log*
case $host in
ip-*)
    echo localhost >/etc/hostname
    sed -i "/[[:space:]]$host\([.[:space:]]\|\$\)/d" /etc/hosts
    ;;
esac
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
rm -f /var/lib/dhcp/*.lease* /var/lib/dhclient/*.lease* /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/secret_key
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /boot/efi/loader/random-seed /boot/loader/random-seed
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
# Empty, not missing: a machine without it takes its boot for that of a new system, and enables every unit again.
: >/etc/machine-id

# cloud-init's, where it was given no key.
if [ -e /root/.ssh/authorized_keys ] && [ ! -s /root/.ssh/authorized_keys ]; then
    rm -f /root/.ssh/authorized_keys
    rmdir /root/.ssh 2>/dev/null || true
fi

# What commands have left.
rm -f /root/.*_history /home/*/.*_history /root/.lesshst /home/*/.lesshst /root/.wget-hsts
empty /tmp /var/tmp /var/crash /var/lib/systemd/coredump
rm -rf "$work" /run/kiln
find /var/lib/apt/lists /var/cache/apt/archives -type f ! -name lock -delete 2>/dev/null || true
rm -f /var/cache/apt/*.bin
empty /var/log/journal
find /var/log -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \) -delete
find /var/log -type f -exec truncate --no-create --size=0 {} +

# And now it is gone.
dirty=
gone() { for path; do [ ! -e "$path" ] || complain "\`$path\` is still there"; done; }
gone /etc/ssh/ssh_host_*_key /var/lib/cloud/instance /var/lib/cloud/instances/* /var/log/cloud-init*.log \
    /var/lib/systemd/random-seed /root/.*_history /home/*/.*_history "$work" /var/lib/dhcp/*.lease*
[ ! -s /etc/machine-id ] || complain '`/etc/machine-id` still names this machine'
[ ! -s /var/lib/dbus/machine-id ] || complain '`/var/lib/dbus/machine-id` still names this machine'
found=$(grep -rlsF "$key" /root /home /etc /var/lib) && complain "the key of the bake is still in $found"
found=$(find /tmp /var/tmp -mindepth 1 ! -name 'systemd-private-*' ! -path '*/systemd-private-*' ! -name 'kiln-*' ! -path '*/kiln-*' | head -n 3)
[ -z "$found" ] || complain "still in the image: $found"
found=$(find /var/log -type f -size +0 | head -n 3)
[ -z "$found" ] || complain "still in the logs: $found"
[ -z "$dirty" ] || exit 1
sync
