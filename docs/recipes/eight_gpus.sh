#!/bin/bash
# One machine with 8 GPUs: a worker process for each. A model that needs two: WORKERS=4 and --device auto.
#
#     bash eight_gpus.sh MODEL ITEMS --cache CACHE [OPTIONS of lager extract]
#
# In another terminal: lager cache status CACHE --watch
set -euo pipefail

lager extract "$@" --workers "${WORKERS:-8}"
