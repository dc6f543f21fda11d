"""Threads, processes and an event loop with a subprocess."""

import asyncio
import concurrent.futures
import hashlib


def digest(number):
    return hashlib.sha256(bytes(number)).hexdigest()[:8]


async def words():
    process = await asyncio.create_subprocess_exec("echo", "a", "b", stdout=-1)
    return (await process.communicate())[0], process.returncode


if __name__ == "__main__":
    for kind in (concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor):
        with kind(4) as pool:
            print(list(pool.map(digest, range(5))))
    print(asyncio.run(words()))
