#!/bin/bash
# Runs as root at each start. What is in braces is CloudFormation's; the shell has none here.
# A failure would keep the instance from starting, so there is none: each part stands alone, and setup.log tells of it.
set -o pipefail
export PATH=$PATH:/usr/local/bin AWS_DEFAULT_REGION=${Region}
here=/home/ec2-user/SageMaker/kennel
mkdir -p $here
exec >> $here/setup.log 2>&1
date --utc

address() { aws ssm get-parameter --name "$1" --query Parameter.Value --output text; }

# Once: what you change in them stays yours. Delete one to get the deployed one again at the next start.
[ -e $here/training ] || aws s3 cp --only-show-errors "$(address ${CodeParameter})" - | tar -xz -C $here \
  || rm -rf $here/training # half a copy would never be completed
[ -e $here/kennel.ipynb ] || aws s3 cp --only-show-errors "$(address ${NotebookParameter})" $here/kennel.ipynb

cat > $here/deployment.json <<'JSON'
${Deployment}
JSON
chown -R ec2-user:ec2-user $here

if [ ${IdleMinutes} -gt 0 ]; then
  cat > /usr/local/bin/kennel-idle-stop <<'SCRIPT'
${IdleStop}
SCRIPT
  systemd-run --collect --unit kennel-idle-stop --on-active 5min --on-unit-active 5min \
    --setenv AWS_DEFAULT_REGION=${Region} --setenv PATH=$PATH \
    /usr/bin/python3 /usr/local/bin/kennel-idle-stop ${IdleMinutes}
fi
exit 0
