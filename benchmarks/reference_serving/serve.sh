#!/bin/bash
# AWS's own `serve` outside its container. It runs in namespaces, so that it has its own /opt/ml,
# /etc/sagemaker-ts.properties and process id file, and so that every process ends with the first one.
#   serve.sh VENV MODEL_DIR PORT
set -euo pipefail
export VENV=$(realpath "$1") MODEL=$(realpath "$2") SAGEMAKER_BIND_TO_PORT=$3
export SAGEMAKER_PROGRAM=inference.py SAGEMAKER_SUBMIT_DIRECTORY=/opt/ml/model/code SAGEMAKER_REGION=us-east-1
export PATH="$VENV/bin:$PATH"
exec unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc bash -euc '
  mount -t tmpfs tmpfs /mnt
  mkdir -p /mnt/{etc,etc-work,opt,opt-work,home,tmp}
  mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/etc-work /etc
  mount -t overlay overlay -o lowerdir=/opt,upperdir=/mnt/opt,workdir=/mnt/opt-work /opt
  mkdir -p /opt/ml/model
  mount --bind "$MODEL" /opt/ml/model
  export HOME=/mnt/home TEMP=/mnt/tmp TMPDIR=/mnt/tmp
  cd /mnt/home
  exec serve'
