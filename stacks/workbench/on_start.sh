#!/bin/bash
# Runs as root at each start. CloudFormation replaces every name in braces; the shell's own variables have none.
# If this script failed, the instance would not start. So it ignores failures, and setup.log shows them.
set -o pipefail
export PATH=$PATH:/usr/local/bin AWS_DEFAULT_REGION=${Region}
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
