"""Assess recordings on an existing Dask cluster: one task per shard, with its journal on the disk of one host.

    python dask_shards.py tcp://scheduler:8786 /data/recordings journals 10.0.0.5 10.0.0.6

Start one worker per host, with the credentials in its environment: `dask worker --nworkers 1 --resources metastudio=1`.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from distributed import Client

from metastudio import AsyncMetaStudio
from metastudio_batch import assess_many, find, shard

#: On each host: a local disk that survives a restart of the worker.
JOURNALS = "/var/lib/metastudio"


def assess_shard(recordings: str, number: int, of: int, folder: str = JOURNALS) -> tuple[dict[str, int], bytes]:
    """Assess one shard; return how its recordings ended, and its journal, which has some 3 kB per recording.

    If Dask runs the task again, the journal is there: jobs that were committed are polled, and finished ones are not
    even queried.
    """
    journal = Path(folder) / f"{number}-of-{of}.journal"
    journal.parent.mkdir(parents=True, exist_ok=True)
    return dict(asyncio.run(_assess(recordings, number, of, journal))), journal.read_bytes()


async def _assess(recordings: str, number: int, of: int, journal: Path) -> Counter[str]:
    ended: Counter[str] = Counter()
    async with AsyncMetaStudio(quota_share=1 / of) as studio:
        async for outcome in assess_many(studio, shard(find(recordings), number, of), journal=journal):
            ended[type(outcome.error).__name__ if outcome.error else "finished"] += 1
    return ended


def assess_all(client: Client, recordings: str, gathered: Path, hosts: list[str], folder: str = JOURNALS) -> bool:
    """Assess all shards, and write their journals into a local folder; return whether every recording has a verdict.

    Pass the same hosts in the same order in every run: the N-th has the journal of shard N.
    """
    gathered.mkdir(parents=True, exist_ok=True)
    shards = [
        client.submit(
            assess_shard,
            recordings,
            number,
            len(hosts),
            folder,
            workers=[host],  # where the journal is: Dask waits for this host
            allow_other_workers=False,
            resources={"metastudio": 1},  # one shard at a time on each worker
            pure=False,  # another call is another run, not a cached result
            retries=0,  # an error that ends a shard would end it again; a worker that dies is not an error
        )
        for number, host in enumerate(hosts, 1)
    ]
    complete = True
    for number, each in enumerate(shards, 1):
        error = each.exception()  # it waits for the shard
        if error is None:
            ended, journal = each.result()
            (gathered / f"{number}.journal").write_bytes(journal)
            complete = complete and ended.keys() <= {"finished"}
        complete = complete and error is None
        print(f"shard {number}/{len(hosts)}: {repr(error) if error else ended}")
    return complete


if __name__ == "__main__":
    scheduler, folder_of_recordings, to, *on = sys.argv[1:]
    with Client(scheduler) as cluster:
        sys.exit(0 if assess_all(cluster, folder_of_recordings, Path(to), on) else 1)
