#!/bin/bash
# Ray: actors on all GPUs of a running cluster, one worker each; those that are lost are started again.
#
#     ray start --head                        on one machine
#     ray start --address=HEAD:6379           on every other one
#     bash ray_cluster.sh MODEL ITEMS --cache CACHE [OPTIONS of lager extract]
#
# Model, items and cache must have the same paths on every machine. Needs: pip install 'lager[extract,ray]'
set -euo pipefail

export RAY_ADDRESS="${RAY_ADDRESS:-auto}"
lager extract "$@" --engine ray ${WORKERS:+--workers "$WORKERS"}
