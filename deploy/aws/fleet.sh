#!/bin/bash
# What a machine of the fleet does when it starts: the program from a bucket, and a service that drains.
set -euo pipefail
@DISK@
dnf install --assumeyes --quiet python3.13
mkdir -p /var/lib/pixelake
useradd --system --uid 988 --home-dir /var/lib/pixelake --shell /sbin/nologin pixelake
chown -R pixelake:pixelake /var/lib/pixelake   # what another machine left there belongs to that number
mkdir -p /opt/pixelake/wheels
aws s3 cp --region @REGION@ --only-show-errors @CODE@ /opt/pixelake/fleet.tar.gz
tar -xzf /opt/pixelake/fleet.tar.gz -C /opt/pixelake/wheels
python3.13 -m venv /opt/pixelake/venv
/opt/pixelake/venv/bin/pip install --quiet --no-index --find-links /opt/pixelake/wheels 'pixelake[aws,s3]'
cat > /etc/systemd/system/pixelake.service <<'UNIT'
[Unit]
Description=pixelake
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/opt/pixelake/venv/bin/pixelake @COMMAND@
@SETTINGS@
KillMode=mixed
TimeoutStopSec=@DRAIN@
Restart=always
LimitNOFILE=65536
User=pixelake
NoNewPrivileges=true
ProtectSystem=strict
ReadWritePaths=/var/lib/pixelake
ProtectHome=true
PrivateTmp=true

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now pixelake
