#!/bin/bash
# torchrun: one worker for each GPU of this machine; a worker that dies is started again with the others.
#
#     bash torchrun.sh MODEL ITEMS --cache CACHE [OPTIONS of lager extract]
#
# On several machines with one folder: add --nnodes and --rdzv-endpoint as for any job of torchrun.
set -euo pipefail

torchrun --standalone --nproc-per-node "${WORKERS:-gpu}" --max-restarts 3 --no-python lager extract "$@"
