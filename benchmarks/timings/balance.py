"""How evenly workers end: shards dealt by expected cost and taken over when a share is done, in simulated time.

    python benchmarks/timings/balance.py --summeval summeval.jsonl                    # SummEval on 8 workers
    python benchmarks/timings/balance.py --summeval summeval.jsonl --large            # 100 million items on 1,000 GPUs

What a token costs is measured on a few shards, read by a Llama shape of 135M parameters with random weights; every
other shard's time follows from the passes that are planned for it. Who reads what, in which order, is the package's own
code; only the clock is simulated.
"""

import argparse
import heapq
import json
import time
from collections.abc import Sequence

import numpy as np
from lager.data.open_items import load_items
from lager.data.run.shard_size import suggested_shard_size
from lager.extract.readout.steps import plan_steps, step_cost
from lager.extract.workers.deal import deal_shards, dearest_first, shard_costs

BATCH_TOKENS = 8192


def simulate(
    costs: Sequence[int], seconds: Sequence[float], *, n_workers: int, speeds: Sequence[float] | None = None,
    dies_at: dict[int, float] | None = None, take_over: bool = True, silent_for: float = 60.0,
) -> np.ndarray:  # fmt: skip
    """Return when each worker ends, in seconds.

    Workers take their own share, dearest first, then whatever no one has taken; a shard whose worker died is free
    again `silent_for` seconds later.

    Parameters
    ----------
    costs, seconds
        Of each shard: what is expected, and how long it takes at speed 1.
    speeds
        Of each worker; 1 when left out.
    dies_at
        When some workers die.
    take_over
        Whether a worker goes on with others' shards.
    """
    speeds = np.ones(n_workers) if speeds is None else np.asarray(speeds)
    dies_at, shares = dies_at or {}, deal_shards(costs, n_workers)
    common = dearest_first(costs)
    free, next_common = set(common), 0
    queues = [iter(share) for share in shares]
    if not take_over:
        return np.array([sum(seconds[k] for k in share) / speeds[w] for w, share in enumerate(shares)])
    ends = np.zeros(n_workers)
    # A worker that has nothing left waits for what the dead give back: (time, worker or -1, shard that comes back).
    events = [(0.0, worker, -1) for worker in range(n_workers)]
    waiting: list[int] = []
    while events:
        now, worker, back = heapq.heappop(events)
        if back >= 0:
            free.add(back)
            next_common = 0
            events += [(now, one, -1) for one in waiting]
            heapq.heapify(events)
            waiting.clear()
            continue
        shard = next((k for k in queues[worker] if k in free), -1)
        while shard < 0 and next_common < len(common):
            shard = common[next_common] if common[next_common] in free else -1
            next_common += shard < 0
        if shard < 0:
            waiting.append(worker)
            continue
        free.remove(shard)
        end = now + seconds[shard] / speeds[worker]
        if worker in dies_at and dies_at[worker] < end:
            heapq.heappush(events, (dies_at[worker] + silent_for, -1, shard))
            continue
        ends[worker] = end
        heapq.heappush(events, (end, worker, -1))
    return ends


def planned_costs(prompts: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return the expected work of each shard's passes, in tokens."""
    starts = range(0, len(prompts), size)
    return np.array([step_cost(plan_steps(prompts[s : s + size], batch_tokens=BATCH_TOKENS)) for s in starts])


def seconds_per_token(prompts: Sequence[np.ndarray], size: int, planned: np.ndarray, n: int) -> list[float]:
    """Read some shards, the cheapest and the dearest among them, and return the seconds of each unit of their cost."""
    from extract_ways import build_model, read

    options = argparse.Namespace(shape="135m", attn="sdpa", dtype="float32", device="cpu", compile=False,
                                 batch_tokens=BATCH_TOKENS)  # fmt: skip
    model, parts = build_model(options)
    read("shared", model, parts, prompts[:4], options)
    chosen = np.argsort(planned)[np.linspace(0, len(planned) - 1, n).astype(int)]
    rates = []
    for shard in chosen:
        start = time.perf_counter()
        read("shared", model, parts, prompts[shard * size : (shard + 1) * size], options)
        rates.append((time.perf_counter() - start) / planned[shard])
    return rates


def balance(ends: np.ndarray) -> dict[str, float]:
    """Return the last worker's end over the mean, and the time that all wait for it."""
    return {
        "mean_s": float(ends.mean()),
        "last_s": float(ends.max()),
        "last_over_mean": float(ends.max() / ends.mean()),
    }


def summeval(options: argparse.Namespace) -> tuple[list[int], np.ndarray, dict]:
    """Return expected costs, measured seconds, and what was measured."""
    from extract import summeval_prompts

    options = argparse.Namespace(**vars(options), shape="135m", articles=100)
    prompts = [np.array(ids, dtype=np.int32) for ids in summeval_prompts(options)]
    items = load_items(f"benchmark:summeval={options.summeval}")
    size = options.shard_size or suggested_shard_size(len(items))
    planned = planned_costs(prompts, size)
    rates = [options.seconds_per_token or 0.0]
    if options.seconds_per_token is None:
        rates = seconds_per_token(prompts, size, planned, options.measured)
    costs = shard_costs(items.fields, n_items=len(items), shard_size=size, share_prefixes=True)
    found = {"items": len(items), "shard_size": size, "shards": len(costs), "seconds_per_token": rates}
    return costs, planned * float(np.mean(rates)), found


def large(options: argparse.Namespace, seconds: np.ndarray) -> list[dict]:
    """Simulate many workers: shards of items drawn from SummEval's, workers of uneven speed, some of which die."""
    whole, part = suggested_shard_size(options.items), suggested_shard_size(options.items // options.caches)
    plans = [(512, 1), (whole, 1), (part, options.caches)]
    return [many_workers(options, seconds, size=size, n_caches=n_caches) for size, n_caches in plans]


def many_workers(options: argparse.Namespace, seconds: np.ndarray, *, size: int, n_caches: int) -> dict:
    """Simulate one way to cut the items: into `n_caches` caches, each with its part of the workers."""
    rng = np.random.default_rng(0)
    # One GPU in a hundred is half as fast, and two in a hundred die.
    speeds = rng.normal(1, 0.03, options.gpus).clip(0.5)
    speeds[rng.choice(options.gpus, options.gpus // 100, replace=False)] = 0.5
    total = options.items * options.gpu_seconds / speeds.sum()
    dead = rng.choice(options.gpus, options.gpus // 50, replace=False)
    dies_at = {int(worker): float(rng.uniform(0, total)) for worker in dead}
    n_shards, n_workers = -(-options.items // n_caches // size), options.gpus // n_caches
    ends: dict[str, list] = {"dealt": [], "taken_over": [], "two_in_a_hundred_die": []}
    for first in range(0, options.gpus, n_workers):
        # A shard of many articles: as many SummEval shards of 64 items, drawn at random, at the pace of a GPU.
        articles = rng.choice(seconds, size=(n_shards, size // 64)).sum(axis=1)
        times, own = articles / articles.mean() * size * options.gpu_seconds, speeds[first : first + n_workers]
        deaths = {worker - first: at for worker, at in dies_at.items() if first <= worker < first + n_workers}
        alive = np.setdiff1d(np.arange(n_workers), list(deaths))
        alike = {"costs": [size] * n_shards, "seconds": times, "n_workers": n_workers, "speeds": own}
        ends["dealt"].append(simulate(**alike, take_over=False))
        ends["taken_over"].append(simulate(**alike))
        ends["two_in_a_hundred_die"].append(simulate(**alike, dies_at=deaths)[alive])
    shape = {"caches": n_caches, "shard_size": size, "shards_a_cache": n_shards, "workers_a_cache": n_workers}
    return {**shape, "shard_s": size * options.gpu_seconds,
            **{name: balance(np.concatenate(parts)) for name, parts in ends.items()}}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--summeval", required=True, help="the file of SummEval")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--shard-size", type=int, help="rows of a shard; the package's own choice when left out")
    parser.add_argument("--measured", type=int, default=4, help="shards that are read to measure what a token costs")
    parser.add_argument("--seconds-per-token", type=float, help="what an earlier run measured: nothing is read then")
    parser.add_argument("--large", action="store_true", help="simulate --items on --gpus too")
    parser.add_argument("--items", type=int, default=100_000_000)
    parser.add_argument("--gpus", type=int, default=1000)
    parser.add_argument("--caches", type=int, default=100, help="into so many the items are cut in the last plan")
    parser.add_argument("--gpu-seconds", type=float, default=0.02, help="seconds of one GPU an item")
    options = parser.parse_args()
    costs, seconds, found = summeval(options)
    rows = [found["shard_size"]] * len(costs)
    for name, known in (("dealt by rows", rows), ("dealt by cost", costs)):
        found[name] = balance(simulate(known, seconds, n_workers=options.workers, take_over=False))
    found["dealt by cost, taken over"] = balance(simulate(costs, seconds, n_workers=options.workers))
    if options.large:
        found["large"] = large(options, seconds)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
