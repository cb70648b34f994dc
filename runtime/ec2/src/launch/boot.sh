umask 077
mkdir -p /run/kiln-ssh /run/sshd /run/systemd/system
cat >/run/kiln-ssh/host_key <<'END'
@HOST_KEY@
END
echo '@LOGIN_KEY@' >/run/kiln-ssh/authorized_keys
cat >/run/kiln-ssh/config <<'END'
Port @PORT@
HostKey /run/kiln-ssh/host_key
AuthorizedKeysFile /run/kiln-ssh/authorized_keys
AllowUsers root
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
PidFile none
PrintMotd no
PrintLastLog no
MaxStartups 100
MaxSessions 100
END
umask 022
cat >/run/systemd/system/kiln-ssh.service <<'END'
[Service]
ExecStartPre=mkdir -p /run/sshd
ExecStart=/usr/sbin/sshd -D -e -f /run/kiln-ssh/config
KillMode=process
Restart=on-failure
RestartSec=1
END
# The image's sshd takes this directory with it when it stops or does not start, and no other takes logins then.
for name in ssh sshd; do
    mkdir -p /run/systemd/system/$name.service.d
    printf '[Service]\nRuntimeDirectoryPreserve=yes\n' >/run/systemd/system/$name.service.d/kiln.conf
done
printf '[Service]\nType=oneshot\nExecStart=systemctl poweroff\n' >/run/systemd/system/kiln-expiry.service
printf '[Timer]\nOnActiveSec=@SECONDS@\n' >/run/systemd/system/kiln-expiry.timer
systemctl daemon-reload
systemctl --no-block start kiln-ssh.service kiln-expiry.timer
