#!/bin/sh
# Puts the service, its stop hook, user, folders and device rules in place. As root; may be run again after an update.
# It starts nothing: `systemctl enable --now cardea` does, once /etc/cardea/cardea.toml is written.
set -eu

cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] || { echo "cardea: install.sh has to run as root" >&2; exit 1; }

put() { install -D -m "$1" "$2" "$3"; }

put 0755 cardea-safe /usr/local/lib/cardea/cardea-safe
put 0644 cardea.service /etc/systemd/system/cardea.service
put 0644 cardea.sysusers /usr/local/lib/sysusers.d/cardea.conf
put 0644 cardea.tmpfiles /usr/local/lib/tmpfiles.d/cardea.conf
put 0644 cardea.rules /etc/udev/rules.d/70-cardea.rules
if [ -d /etc/polkit-1/rules.d ]; then
    put 0644 cardea.polkit.rules /etc/polkit-1/rules.d/70-cardea.rules
fi

systemd-sysusers /usr/local/lib/sysusers.d/cardea.conf
systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/cardea.conf
# Without a running systemd or udev (an image that is being built) both take effect at the next boot.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
if command -v udevadm >/dev/null && [ -d /run/udev ]; then
    udevadm control --reload
    udevadm trigger --subsystem-match=gpio --subsystem-match=usb
fi
echo "cardea: installed; next: /etc/cardea/cardea.toml, then systemctl enable --now cardea"
