#!/bin/bash
# A Slurm array: every task is a worker with one GPU; they meet in the cache's folder and nowhere else.
#
#     sbatch slurm_array.sh MODEL ITEMS --cache CACHE [OPTIONS of lager extract]
#
# Tasks may start hours apart, be requeued or never start: the others take over their shards. More tasks: --array=0-31.
#SBATCH --job-name=lager
#SBATCH --array=0-7
#SBATCH --ntasks=1
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --output=lager-%A_%a.log
#SBATCH --open-mode=append
set -euo pipefail

export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
lager extract "$@"
