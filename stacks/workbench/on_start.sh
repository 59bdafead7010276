#!/bin/bash
# Runs as root at each start. CloudFormation replaces every name in braces; the shell's own variables have none.
# If this script failed, the instance would not start. So it ignores failures, and setup.log shows the user's part of them.
# The user has no root access, and may have put a link at any place below the home folder, so that root would write where
# the link points. So root writes to its own folders alone, and everything else runs as the user.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

if [ ${IdleMinutes} -gt 0 ]; then
  cat > /usr/local/bin/kennel-idle-stop <<'SCRIPT'
${IdleStop}
SCRIPT
  install -o ec2-user -m 644 /dev/null /run/kennel-idle-stop
  systemd-run --collect --unit kennel-idle-stop --on-active 5min --on-unit-active 5min \
    --uid ec2-user --property RuntimeMaxSec=4min --setenv AWS_DEFAULT_REGION=${Region} --setenv PATH=$PATH \
    /usr/bin/python3 -I /usr/local/bin/kennel-idle-stop ${IdleMinutes}
fi

setup=$(cat <<'SETUP'
set -o pipefail
export HOME=/home/ec2-user AWS_DEFAULT_REGION=${Region}
here=/home/ec2-user/SageMaker/kennel
mkdir -p $here
exec >> $here/setup.log 2>&1
date --utc

parameter() { aws ssm get-parameter --name "$1" --query Parameter.Value --output text; }

# Copied once, so that your changes stay. Delete one to get the deployed version at the next start.
[ -e $here/training ] || aws s3 cp --only-show-errors "$(parameter ${CodeParameter})" - | tar -xz -C $here \
  || rm -rf $here/training # an incomplete copy would be taken for a complete one at the next start
[ -e $here/kennel.ipynb ] || aws s3 cp --only-show-errors "$(parameter ${NotebookParameter})" $here/kennel.ipynb

cat > $here/deployment.json <<'JSON'
${Deployment}
JSON
SETUP
)
# SageMaker ends a start after five minutes; a log that is a pipe would block for longer.
timeout -k 5 240 runuser -u ec2-user -- bash -c "$setup" < /dev/null
exit 0
