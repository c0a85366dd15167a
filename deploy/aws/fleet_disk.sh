# The volume of a machine of the fleet, which was perhaps another's before: attached, made ready, mounted.
token=$(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
machine=$(curl -sS -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
# The one that had it before may still be ending.
until aws ec2 attach-volume --region @REGION@ --volume-id @VOLUME@ --instance-id "$machine" --device /dev/sdf; do
  sleep 5
done
name=@VOLUME@
disk=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${name/-/}
until [ -e "$disk" ]; do sleep 1; done
blkid "$disk" || mkfs.xfs "$disk"
mkdir -p /var/lib/pixelake
mount -o noatime "$disk" /var/lib/pixelake
