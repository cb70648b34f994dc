#!/bin/sh
# Makes of a plain Debian what the official image for EC2 is. Arguments: its root, its suite.
set -eu
root=$1
suite=$2

# As the official image: the user is `admin`, and messages are in English without any locale made.
cat > "$root/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg" <<'END'
locale: C.UTF-8
manage_etc_hosts: true
system_info:
  default_user:
    name: admin
    lock_passwd: true
    gecos: Debian
    groups: [adm, audio, cdrom, dialout, dip, floppy, plugdev, sudo, video]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
END

# The interface is up when the machine boots. A container does not see the hardware's name, so the datasource is told.
cat > "$root/etc/cloud/cloud.cfg.d/90_dpkg.cfg" <<'END'
datasource_list: [Ec2]
datasource:
  Ec2:
    strict_id: false
    metadata_urls: ["http://169.254.169.254"]
network:
  config: disabled
# Without udev, which no container has, an interface that is plugged in later is nothing to prepare for.
updates:
  network:
    when: [boot-new-instance]
END

cat > "$root/etc/ssh/sshd_config.d/50-cloud.conf" <<'END'
PasswordAuthentication no
PermitRootLogin prohibit-password
END

cat > "$root/etc/apt/sources.list" <<END
deb http://deb.debian.org/debian $suite main
deb http://deb.debian.org/debian $suite-updates main
deb http://deb.debian.org/debian-security $suite-security main
END

echo LANG=C.UTF-8 > "$root/etc/default/locale"

# Who resolves names is known when the machine boots.
ln -sfn ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"

rm -f "$root"/etc/ssh/ssh_host_*
rm -f "$root/etc/hostname" "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
: > "$root/etc/machine-id"
rm -rf "$root/var/lib/cloud" "$root/var/log/cloud-init.log" "$root/var/log/cloud-init-output.log"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/apt/* "$root/var/log/dpkg.log"

# A password for nobody: the official image's root has none either.
chroot "$root" passwd --quiet --lock root
